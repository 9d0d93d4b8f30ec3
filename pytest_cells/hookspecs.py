"""What a plugin or a conftest can add. A conftest's hooks act on the notebooks in its own folder.

Implementations may take a subset of the arguments. `notebook` and `cell` are the frozen values of
`pytest_cells.model`; `notebook.path` is the file, `notebook.name` its path relative to rootdir.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # this file is loaded by every pytest run: nothing heavy
    from collections.abc import Callable, Mapping

    from pytest_cells.model import Cell, Notebook


def pytest_cells_lifecycles(notebook: Notebook) -> list[Any] | None:
    """Return `Lifecycle` objects to wrap around every cell of a notebook.

    Called once a notebook, before its first cell. They stand outside the cache: their `setup` and `teardown` run
    for cached cells too. A `setup` may return `Skip(result)` to replace the cell's execution. What raises fails
    the cell.
    """


def pytest_cells_key_material(notebook: Notebook, cell: Cell) -> Mapping[str, str] | None:
    """Return further inputs of a cell by name: when a value changes, the cell is executed again.

    Called whenever the cell's inputs are looked at; must be quick and have no effects. What raises fails the cell.
    """


def pytest_cells_output_filters(
    notebook: Notebook,
) -> list[Callable[[dict[str, Any]], dict[str, Any] | None]] | None:
    """Return functions that change a cell's outputs before they are stored and reported.

    Each takes one nbformat output and returns it, changed or not, or None to drop it. Called once a notebook.
    """


def pytest_cells_setup_code(notebook: Notebook) -> str | None:
    """Return source that is executed in each fresh kernel of a notebook, before its first cell.

    It shares the cells' namespace, and is an input of every cell: a change executes them again. An error in it
    fails the cell for which the kernel was started.
    """
