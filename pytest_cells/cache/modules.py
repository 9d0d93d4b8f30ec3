"""Find, without running anything, the project's own modules that a cell imports.

A name is a project module when the folders that come before the installed packages hold it: the kernel's
working directory, PYTHONPATH, folders that the notebook itself puts on sys.path, and editable installs.
A package counts with all its files, since imports inside it cannot all be seen.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_cells.cache.files import Digests
from pytest_cells.cache.trace import digest_of

PYTHON_MAGICS = frozenset({"time", "timeit", "capture", "prun"})
"""Cell magics whose body is Python."""
MAGIC_LINE = re.compile(r"^(\s*)(?:[%!?].*|.*\?\??\s*)$")
ASSIGNED_MAGIC = re.compile(r"^(\s*[\w.,\s\[\]]+=\s*)[%!].*$")
TIMED_LINE = re.compile(r"^(\s*)%{1,2}(?:time|timeit|prun)\b(?:\s+-\S+)*\s*(.*)$")
RUN_MAGIC = re.compile(r"^\s*%run\s+(?:-\w+\s+)*(['\"]?)([^\s'\"]+)\1", re.MULTILINE)
IMPORT_LINE = re.compile(r"^\s*(?:from|import)\s+([\w.]+)", re.MULTILINE)
MAPPING = re.compile(r"^MAPPING[^=]*=\s*(\{.*?\})\s*$", re.MULTILINE | re.DOTALL)
CODE = (".py", ".pyd", ".so")
SKIPPED = frozenset({"__pycache__", ".git", ".ipynb_checkpoints", "node_modules", ".venv", "venv"})


def imported_names(source: str) -> frozenset[str]:
    """Return the top-level names of the modules that a cell's source imports."""
    tree = _parse(source)
    if tree is None:
        return frozenset(name.split(".")[0] for name in IMPORT_LINE.findall(source))
    return frozenset(name.split(".")[0] for name in _imports(tree))


def run_scripts(source: str) -> tuple[str, ...]:
    """Return the files that a cell runs by `%run`, as they are written there."""
    return tuple(match[2] for match in RUN_MAGIC.finditer(source))


def path_additions(source: str) -> tuple[str, ...]:
    """Return the folders, as written, that a cell adds to sys.path by a literal string."""
    if "sys.path" not in source:
        return ()
    tree = _parse(source)
    if tree is None:
        return ()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Call, ast.Assign, ast.AugAssign)) and "sys.path" in ast.unparse(node):
            found += [
                leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
            ]
    return tuple(found)


class ModuleFinder:
    """Find project modules and tell their Versions, by what is on disk now."""

    def __init__(self, digests: Digests, site: Iterable[str]) -> None:
        self._digests = digests
        self._folders, self._mapped = _editable(site)
        self._site = tuple(site)
        self._closures: dict[Path, tuple[str, frozenset[str]]] = {}

    def version(self, name: str, folders: Iterable[Path]) -> str | None:
        """Return the digest of a project module and of the project modules that it imports.

        None where the name is not the project's: installed, built in, or nowhere.
        """
        search = [*folders, *self._folders]
        files: dict[str, str] = {}
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            current = waiting.pop()
            if current in seen:
                continue
            seen.add(current)
            for path, label in self._files(current, search):
                digest, imports = self._read(path)
                files[label] = digest
                waiting.extend(imports - seen)
        return digest_of(files) if any(label.split("/")[0].split(".")[0] == name for label in files) else None

    def _files(self, name: str, search: list[Path]) -> Iterator[tuple[Path, str]]:
        mapped = self._mapped.get(name)
        for folder in search if mapped is None else [*search, mapped.parent]:
            package = folder / name
            if package.is_dir() and not self._installed(package):
                found = list(_tree(package))
                if found:
                    for path in found:
                        yield path, f"{name}/{path.relative_to(package).as_posix()}"
                    return
            for ending in CODE:
                single = folder / f"{name}{ending}"
                if single.is_file():
                    yield single, f"{name}{ending}"
                    return

    def _installed(self, path: Path) -> bool:
        return str(path.parent) in self._site

    def _read(self, path: Path) -> tuple[str, frozenset[str]]:
        digest = self._digests.of(path)
        known = self._closures.get(path)
        if known is None or known[0] != digest:
            imports: frozenset[str] = frozenset()
            if path.suffix == ".py":
                with contextlib.suppress(OSError):
                    imports = imported_names(path.read_text(encoding="utf-8", errors="replace"))
            known = self._closures[path] = (digest, imports)
        return known


def _tree(package: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(package):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(names):
            if name.endswith(CODE):
                yield Path(folder, name)


def _editable(site: Iterable[str]) -> tuple[list[Path], dict[str, Path]]:
    """Return the folders and single packages that editable installs put on the path."""
    folders: list[Path] = []
    mapped: dict[str, Path] = {}
    for entry in site:
        for path in sorted(Path(entry).glob("*.pth")):
            for line in _lines(path):
                if line and not line.startswith(("#", "import ", "import\t")) and Path(entry, line).is_dir():
                    folders.append(Path(entry, line))
        for path in sorted(Path(entry).glob("__editable__*_finder.py")):
            match = MAPPING.search("\n".join(_lines(path)))
            if match:
                with contextlib.suppress(ValueError, SyntaxError):
                    mapped.update({name: Path(place) for name, place in ast.literal_eval(match[1]).items()})
    return folders, mapped


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return []


def _parse(source: str) -> ast.Module | None:
    """Parse a cell as Python, its magics and shell lines put aside; None where that is not possible."""
    lines = source.splitlines()
    if lines and lines[0].startswith("%%"):
        magic = lines[0][2:].split(" ")[0].strip()
        if magic not in PYTHON_MAGICS:
            return ast.Module(body=[], type_ignores=[])
        lines[0] = ""
    for attempt in (lines, [_plain(line) for line in lines]):
        try:
            return ast.parse("\n".join(attempt))
        except (SyntaxError, ValueError, RecursionError):
            continue
    return None


def _plain(line: str) -> str:
    timed = TIMED_LINE.match(line)
    if timed:
        return timed[1] + (timed[2] or "pass")
    assigned = ASSIGNED_MAGIC.match(line)
    if assigned:
        return assigned[1] + "None"
    magic = MAGIC_LINE.match(line)
    return magic[1] + "pass" if magic else line


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and node.args and _imports_by_name(node.func):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value.lstrip(".")


def _imports_by_name(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")
