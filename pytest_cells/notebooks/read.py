"""Read one `.ipynb` file.

Plain `json` reads what is in order; nbformat (slow to import, slow to validate) is asked only for
what is old, and for the words that say what is wrong.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

from pytest_cells.errors import DirectiveError, NotebookError
from pytest_cells.model import Cell, Notebook
from pytest_cells.notebooks.directives import parse_directives

CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_notebook(path: Path, name: str) -> Notebook:
    """Read the notebook at `path`; `name` is what messages and reports call it.

    Raises NotebookError for a file that is no notebook, DirectiveError for a directive that cannot be
    understood or a name given twice.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotebookError(name, f"cannot be read: {error.strerror or error}") from None
    document = _document(content, name)
    cells: list[Cell] = []
    seen: set[str] = set()
    taken = {raw.get("id") for raw in document["cells"] if isinstance(raw.get("id"), str)}
    for position, raw in enumerate(document["cells"], 1):
        if raw.get("cell_type") != "code":
            continue
        index = len(cells)
        source = _source(raw, name, position)
        metadata = raw.get("metadata")
        cell_id = raw.get("id")
        if not isinstance(cell_id, str) or not CELL_ID.fullmatch(cell_id) or cell_id in seen:
            cell_id = f"cell-{index + 1}"
            while cell_id in taken:  # another cell's own id, however unlikely
                cell_id += "_"
        seen.add(cell_id)
        directives = parse_directives(
            name, f"cell {index + 1} ({cell_id})", source, metadata if isinstance(metadata, dict) else {}
        )
        cells.append(Cell(index, cell_id, source, directives))
    _check_labels(name, cells)
    kernelspec = _mapping(_mapping(document.get("metadata")).get("kernelspec"))
    info = _mapping(_mapping(document.get("metadata")).get("language_info"))
    language = info.get("name") or kernelspec.get("language") or "python"
    kernel = kernelspec.get("name")
    return Notebook(path, name, tuple(cells), kernel if isinstance(kernel, str) else None, str(language).lower())


def _document(content: bytes, name: str) -> dict[str, Any]:
    if not content.strip():
        raise NotebookError(name, "is an empty file, not a notebook", "save it from Jupyter, or delete it")
    try:
        document = json.loads(content)
    except UnicodeDecodeError as error:
        raise NotebookError(name, f"is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except json.JSONDecodeError as error:
        hint = "is it a merge conflict, or another kind of file?"
        raise NotebookError(name, f"is not JSON: {error.msg} at line {error.lineno}", hint) from None
    except RecursionError:
        raise NotebookError(name, "is not a notebook: its JSON is nested too deeply") from None
    if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
        raise NotebookError(name, "is JSON, but not a notebook: it has no 'nbformat' number")
    major = document["nbformat"]
    if major > 4:
        hint = "upgrade pytest-cells and nbformat, or save the notebook as nbformat 4"
        raise NotebookError(name, f"has nbformat {major}; this version reads up to 4", hint)
    if major < 4:
        return _upgraded(content, name)
    cells = document.get("cells")
    if not isinstance(cells, list) or not all(_well_formed(cell) for cell in cells):
        raise NotebookError(name, f"is not a valid notebook: {_complaint(document)}")
    return document


def _well_formed(cell: Any) -> bool:
    return isinstance(cell, dict) and isinstance(cell.get("cell_type"), str)


def _upgraded(content: bytes, name: str) -> dict[str, Any]:
    """Bring nbformat 1-3 to 4 in memory; ids that the upgrade makes up are random, so they go."""
    import nbformat  # 0.1-1.7 s, and needed for old files only

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reads: Any = nbformat.reads  # untyped
            document: dict[str, Any] = reads(content.decode("utf-8-sig"), as_version=4)
            for cell in document["cells"]:
                cell.pop("id", None)
    except Exception as error:  # nbformat raises whatever the broken file makes it stumble over
        raise NotebookError(name, f"is an old notebook that cannot be upgraded: {_first_line(error)}") from None
    return document


def _complaint(document: dict[str, Any]) -> str:
    """Say in nbformat's words what is wrong with a notebook."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nbformat.validate(document)
    except Exception as error:  # a document may be so broken that validation itself stumbles
        return _first_line(error)
    return "its cells cannot be read"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _source(raw: dict[str, Any], name: str, position: int) -> str:
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    if isinstance(source, str):
        return source
    raise NotebookError(name, f"is not a valid notebook: the source of cell {position} is not text")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_labels(name: str, cells: list[Cell]) -> None:
    labels: dict[str, Cell] = {}
    for cell in cells:
        other = labels.setdefault(cell.label, cell)
        if other is not cell:
            where = f"cell {cell.index + 1}"
            problem = f"the name {cell.label!r} is taken by cell {other.index + 1}"
            raise DirectiveError(name, where, "name", problem, "cell names must differ within a notebook")
