"""Write the same cells as a notebook, in jellycell's format, and as jellycell wants them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with the names that it takes from cells above and those that it leaves to cells below."""

    source: str
    takes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


def write_notebook(path: Path, sources: Sequence[str]) -> None:
    """Write a notebook with one code cell for each source and no outputs."""
    code_cells: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(sources)
    ]
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernelspec, "language_info": {"name": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": code_cells}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")


def write_percent(path: Path, sources: Sequence[str]) -> None:
    """Write the same cells as jellycell reads them: a Python file with a line `# %%` above each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(f"# %%\n{source}\n" for source in sources), encoding="utf-8")


def write_rewritten(path: Path, setup: str, cells: Sequence[Cell]) -> None:
    """Write cells as jellycell's documentation asks for them, so that one can run where those above are cached.

    What all of them need is in a setup cell, which is never cached. Other values go from cell to cell through
    files, and a cell declares on which cells it depends.
    """
    lines = ['# %% tags=["jc.setup"]', setup, "import jellycell.api as jc"]
    for number, cell in enumerate(cells):
        name = "-".join(cell.leaves) or f"cell-{number}"
        tags = ["jc.step", f"name={name}", *(f"deps={taken}" for taken in cell.takes)]
        lines += ["", f"# %% tags={json.dumps(tags)}"]
        lines += [f'{name} = jc.load("artifacts/{name}.pkl")' for name in cell.takes]
        lines += [cell.source, *(f'jc.save({name}, "artifacts/{name}.pkl")' for name in cell.leaves)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def beside(path: Path, most_bytes: int) -> Iterator[Path]:
    """Yield the files of a notebook's folder that it may need, as long as they are not too much."""
    total = 0
    for file in sorted(path.parent.rglob("*")):
        if file.is_file() and file.suffix != ".ipynb" and ".git" not in file.parts:
            total += file.stat().st_size
            if total > most_bytes:
                return
            yield file
