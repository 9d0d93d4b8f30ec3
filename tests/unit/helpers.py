"""One-line notebooks, cells and traces for the unit tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_cells.cache.trace import HISTORY, Trace
from pytest_cells.model import Cell, Directives, KernelIdentity, Notebook


def raw_cell(source: Any = "x = 1", **more: Any) -> dict[str, Any]:
    """Return a code cell as it stands in a file."""
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source, **more}


def raw_notebook(*cells: Any, minor: int = 5, **more: Any) -> dict[str, Any]:
    """Return a notebook as it stands in a file."""
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": {}, "cells": list(cells), **more}


def write_notebook(path: Path, *cells: Any, **more: Any) -> Path:
    """Write a notebook of these raw cells."""
    path.write_text(json.dumps(raw_notebook(*cells, **more)), encoding="utf-8")
    return path


def a_cell(source: str = "x = 1", index: int = 0, cell_id: str = "one", **directives: Any) -> Cell:
    """Return a cell with these directives."""
    return Cell(index, cell_id, source, Directives(**directives))


def a_notebook(path: Path, *cells: Cell) -> Notebook:
    """Return a notebook of these cells."""
    return Notebook(path, path.name, cells or (a_cell(),))


def an_identity(site: tuple[str, ...] = ("/nowhere/site-packages",), **key: str) -> KernelIdentity:
    """Return the identity of a Python kernel."""
    return KernelIdentity({"language": "python", **key}, lambda: {"numpy": "2.0"}, site)


def a_trace(lookup: str = "ab" * 32, history: str = "cd" * 32, **more: Any) -> Trace:
    """Return a trace of a lookup key and a history."""
    inputs = {HISTORY: history, **more.pop("inputs", {})}
    return Trace(lookup, inputs, more.pop("writes", {HISTORY: "ef" * 32}), **more)


def tree(folder: Path) -> list[str]:
    """Return all files under a folder, relative to it, in order."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
