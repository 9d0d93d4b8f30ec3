"""Find, without running anything, the project's own modules that a cell imports.

A name is a project module when a folder other than those of installed packages holds it: the kernel's working
directory, PYTHONPATH, folders that the notebook or its modules put on sys.path, and editable installs. All that
match count, since the order at run time cannot be told; a package counts with all its files, since imports
inside it cannot all be seen.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pytest_cells.cache.files import Digests, walk
from pytest_cells.cache.paths import constants, path_additions
from pytest_cells.cache.source import SourceFacts, facts_of
from pytest_cells.cache.trace import digest_of

MAPPING = re.compile(r"^(MAPPING|NAMESPACES)[^=]*=\s*(\{.*?\})\s*$", re.MULTILINE | re.DOTALL)
CODE = (".py", ".pyd", ".so")
SKIPPED = frozenset(
    {"__pycache__", ".git", ".ipynb_checkpoints", ".pytest_cache", "node_modules", ".venv", "venv", ".tox", ".nox"}
)
Project = Callable[[], str]
"""Tells the digest of all Python files of the project."""


@dataclass
class _Search:
    """Where modules are looked for while one name's closure is followed."""

    folders: list[Path]
    everything: bool = False
    """Whether some folder is unknown, so that any Python file of the project may be meant."""

    def add(self, base: Path, facts: SourceFacts) -> None:
        """Take in what a file that is imported adds itself."""
        self.everything = self.everything or facts.dynamic
        if "sys.path" not in facts.text:
            return
        names = {"__file__": str(base / "module.py")}
        added = path_additions(facts.tree, {**constants([facts.tree]), **names}) if facts.tree else None
        self.everything = self.everything or added is None or added.unresolved
        self.folders += [base / folder for folder in (added.folders if added else ())]


class _Editable(NamedTuple):
    """Folders, and single packages with the places of each."""

    folders: list[Path]
    packages: dict[str, list[Path]]


class ModuleFinder:
    """Find project modules and tell their Versions, by what is on disk now."""

    def __init__(self, digests: Digests, site: Iterable[str], rootdir: Path) -> None:
        self._digests, self._rootdir = digests, rootdir
        self._site = frozenset(site)
        self._closures: dict[Path, tuple[str, SourceFacts]] = {}

    @cached_property
    def _editable(self) -> _Editable:
        """What editable installs put on the path; found when a module is asked for."""
        return _editable_installs(self._site, self._digests)

    def version(self, name: str, folders: Iterable[Path], project: Project | None = None) -> str | None:
        """Return the digest of a project module and of the project modules that it imports.

        None where the name is not the project's: installed or built in. One that is found nowhere may be any file
        of the project: `project` tells their digest to who asks for several modules at once.
        """
        project = project or self.project_version
        files = self._closure({name}, _Search([*folders, *self._editable.folders]), project)
        if any(label.split("/")[0].split(".")[0] == name for label in files):
            return digest_of(files)
        return None if self._known_elsewhere(name) else project()

    def _known_elsewhere(self, name: str) -> bool:
        """Tell whether a module is Python's own or installed; else it comes by a way that is not seen."""
        if name in sys.stdlib_module_names or name in ("sitecustomize", "usercustomize"):
            return True
        for folder in self._site:
            names = self._digests.names(Path(folder))
            if name in names or any(found.startswith(f"{name}.") for found in names):
                return True
        return False

    def script_version(self, script: Path, folders: Iterable[Path], project: Project | None = None) -> str:
        """Return the digest of a file that `%run` executes and of the project modules that it imports."""
        project = project or self.project_version
        path = next((path for path in (script, script.with_name(f"{script.name}.py")) if path.is_file()), script)
        digest, facts = self._read(path)
        search = _Search([*folders, path.parent, *self._editable.folders])
        search.add(path.parent, facts)
        unseen = not path.is_file() or facts.scripts or facts.directories
        everything = project() if unseen else ""
        return digest_of([digest, self._closure(set(facts.imports), search, project), everything])

    def project_version(self) -> str:
        """Return the digest of all Python files under rootdir: where any of them may be imported."""
        found = {}
        for path in walk(self._rootdir, SKIPPED):
            if path.suffix in CODE and not path.is_dir():
                found[str(path)] = self._digests.of(path)
        return digest_of(found)

    def _closure(self, names: set[str], search: _Search, project: Project) -> dict[str, str]:
        """Return the digests of the files that some names lead to, by what they are called."""
        files: dict[str, str] = {}
        seen: set[str] = set()
        waiting = sorted(names)
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            for path, label in self._files(current, search.folders):
                digest, facts = self._read(path)
                files[label if label not in files else f"{label}@{path}"] = digest
                search.add(path.parent, facts)
                waiting.extend(sorted(facts.imports - seen))
        if search.everything and files:
            files["*"] = project()
        return files

    def _files(self, name: str, search: Iterable[Path]) -> Iterator[tuple[Path, str]]:
        for folder in dict.fromkeys(search):
            if str(folder) in self._site:
                continue
            names = self._digests.names(folder)
            if name in names:
                yield from _package(folder / name, name)
            for single in sorted(names & {f"{name}{ending}" for ending in CODE}) + _extensions(names, name):
                if (folder / single).is_file():
                    yield folder / single, single
        for place in self._editable.packages.get(name, ()):
            yield from _package(place, name)
            for path in (place, place.with_name(f"{place.name}.py")):
                if path.is_file():
                    yield path, f"{name}.py"

    def _read(self, path: Path) -> tuple[str, SourceFacts]:
        digest = self._digests.of(path)
        known = self._closures.get(path)
        if known is None or known[0] != digest:
            facts = SourceFacts()
            if path.suffix in (".py", ".ipy", ".ipynb"):
                with contextlib.suppress(OSError):
                    facts = facts_of(
                        path.read_text(encoding="utf-8", errors="replace"), notebook=path.suffix == ".ipynb"
                    )
            known = self._closures[path] = (digest, facts)
        return known


def _package(folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    if folder.is_dir():
        for path in walk(folder, SKIPPED):
            if path.suffix in CODE and not path.is_dir():
                yield path, f"{name}/{path.relative_to(folder).as_posix()}"


def _extensions(names: frozenset[str], name: str) -> list[str]:
    """Return the extension modules of a name that are tagged with their interpreter."""
    return sorted(
        found for found in names if found.startswith(f"{name}.") and found.endswith(".so") and found.count(".") > 1
    )


def _editable_installs(site: Iterable[str], digests: Digests) -> _Editable:
    """Return the folders and single packages that editable installs put on the path."""
    folders: list[Path] = []
    mapped: dict[str, list[Path]] = {}
    for entry in site:
        for link in sorted(digests.links(Path(entry))):  # as flit installs
            mapped.setdefault(link.split(".")[0], []).append(Path(entry, link).resolve())
        names = sorted(digests.names(Path(entry)))  # what a file is called may depend on the order of the folders
        for name in (name for name in names if name.endswith(".pth")):
            for line in _lines(Path(entry, name)):
                if line and not line.startswith(("#", "import ", "import\t")) and Path(entry, line).is_dir():
                    folders.append(Path(entry, line))
        for name in (name for name in names if name.startswith("__editable__") and name.endswith("_finder.py")):
            for _, literal in MAPPING.findall("\n".join(_lines(Path(entry, name)))):
                with contextlib.suppress(ValueError, SyntaxError, AttributeError):
                    for package, places in ast.literal_eval(literal).items():
                        several = [places] if isinstance(places, str) else places
                        mapped.setdefault(package.split(".")[0], []).extend(Path(place) for place in several)
    return _Editable(folders, mapped)


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return []
