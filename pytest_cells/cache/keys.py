"""What a cell depends on, by name, and the Version that each input has now.

Names: `@history`, `@environment`, `@cwd`, `@setup`, `@project`, `file:PATTERN`, `env:NAME`, `module:NAME`,
`script:FILE`, `key:NAME`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from pytest_cells.cache.files import Digests
from pytest_cells.cache.modules import ModuleFinder, Project
from pytest_cells.cache.paths import Additions, constants, path_additions
from pytest_cells.cache.source import canonical, facts_of
from pytest_cells.cache.trace import ABSENT, ENVIRONMENT, FORMAT, HISTORY, Version, digest_of
from pytest_cells.model import Cell, KernelIdentity, Notebook

INSTALLED: Version = "not of the project"


def lookup_key(
    cell: Cell, identity: KernelIdentity, executor: str, parameters: Mapping[str, str], rung: str = ""
) -> str:
    """Return where candidate traces of a cell are found.

    On the traces rung comments are not in it either.

    Not in it: the notebook's path, the cell's position, id, name and tags, and all execution metadata, so that
    equal cells share traces.
    """
    parts = {
        "format": FORMAT,
        "source": cell.source,
        "directives": semantic_directives(cell),
        "kernel": identity.key,
        "executor": executor,
        "parameters": dict(parameters),
    }
    if rung:
        parts |= {"rung": rung, "source": canonical(cell.source), "anyway": cell.directives.cache_anyway}
    return digest_of(parts)


def semantic_directives(cell: Cell) -> list[object]:
    """Return the directives that can change a cell's verdict or what is kept of it, as JSON-ready data."""
    asked = cell.directives
    found: list[object] = [[asked.raises.type, asked.raises.match] if asked.raises else None, sorted(asked.deps)]
    if asked.outputs or asked.pure:
        found += [sorted(asked.outputs), asked.pure]
    return found


class Inputs:
    """Tell one notebook's inputs and their Versions."""

    def __init__(
        self,
        notebook: Notebook,
        cwd: Path,
        rootdir: Path,
        identity: KernelIdentity,
        digests: Digests,
        setup_code: str,
    ) -> None:
        self._notebook, self._cwd, self._rootdir = notebook, cwd, rootdir
        self._identity, self._digests, self._setup_code = identity, digests, setup_code
        self._where = Path(os.path.relpath(cwd, rootdir)).as_posix()
        self._modules = ModuleFinder(digests, identity.site, rootdir)

    @cached_property
    def _additions(self) -> Additions:
        """What the notebook's cells add to the places of modules."""
        sources = (self._setup_code, *(cell.source for cell in self._notebook.cells))
        return _additions(sources) if self._identity.python else Additions()

    def names(self, cell: Cell, material: Mapping[str, str]) -> list[str]:
        """Return the names of all inputs of a cell; `material` is what hooks add."""
        names = [HISTORY, ENVIRONMENT, "@cwd"]
        if self._setup_code:
            names.append("@setup")
        if cell.directives.outputs:
            names.append("@folder")
        names += [dep if dep.startswith("env:") else f"file:{dep}" for dep in cell.directives.deps]
        if self._identity.python:
            for source in (self._setup_code, cell.source):
                facts = facts_of(source)
                names += [f"script:{script}" for script in facts.scripts]
                names += [f"module:{name}" for name in sorted(facts.imports)]
                if facts.dynamic or (self._additions.unresolved and facts.imports):
                    names.append("@project")
            if os.environ.get("PYTHONPATH"):
                names += ["module:sitecustomize", "module:usercustomize"]
        return list(dict.fromkeys([*names, *(f"key:{name}" for name in sorted(material))]))

    def version(self, name: str, material: Mapping[str, str], project: Project | None = None) -> Version:
        """Return the Version that an input from outside the notebook has now; `material` is the cell's.

        `project` tells the digest of all Python files of the project to who asks for several inputs at once.
        """
        kind, _, rest = name.partition(":")
        if kind == "file":
            return self._digests.of_pattern(rest, self._notebook.path.parent)
        if kind == "env":
            value = os.environ.get(rest)
            return ABSENT if value is None else digest_of(value)
        if kind == "module":
            return self._modules.version(rest, self._search(), project) or INSTALLED
        if kind == "script":
            return self._modules.script_version(self._cwd / rest, self._search(), project)
        if kind == "key":
            return digest_of(material[rest]) if rest in material else ABSENT
        if name == ENVIRONMENT:
            return self._digests.of_facts(self._identity.facts())
        if name == "@cwd":
            return self._where
        if name == "@folder":  # what outputs are relative to
            return Path(os.path.relpath(self._notebook.path.parent, self._rootdir)).as_posix()
        if name == "@project":
            return (project or self.project_version)()
        if name == "@setup":
            return digest_of(self._setup_code)
        return ABSENT

    def project_version(self) -> Version:
        """Return the digest of all Python files of the project."""
        return self._modules.project_version()

    def environment(self) -> dict[str, str]:
        """Return what is installed and set for the kernel, by name."""
        return self._identity.facts()

    def _search(self) -> list[Path]:
        """Return the folders in which a project module may be; their order does not matter."""
        folders = [self._cwd]
        folders += [self._cwd / entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
        folders += [self._cwd / folder for folder in self._additions.folders]
        return list(dict.fromkeys(folders))


def _additions(sources: Iterable[str]) -> Additions:
    """Return what all cells of a notebook add to the places of modules: a function may be called in any order."""
    facts = [facts_of(source) for source in sources]
    names: dict[str, str] | None = None
    folders = [folder for fact in facts for folder in fact.directories]
    moves = len(folders)
    unresolved = any(set("-$~{*'\"") & set(folder) for folder in folders)
    for fact in facts:
        if "sys.path" in fact.text or "chdir" in fact.text or "addsitedir" in fact.text:
            if names is None:
                names = constants(other.tree for other in facts if other.tree is not None)
            added = path_additions(fact.tree, names) if fact.tree is not None else Additions(unresolved=True)
            folders += added.folders
            moves += fact.text.count("chdir")
            unresolved = unresolved or added.unresolved
    several = moves > 0 and len(folders) > 1  # each is relative to where the one before led
    return Additions(tuple(dict.fromkeys(folders)), unresolved or several)
