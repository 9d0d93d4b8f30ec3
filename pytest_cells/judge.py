"""Judge an Outcome by what the cell's directives expect."""

from __future__ import annotations

import re

from pytest_cells.kernels.tracebacks import plain
from pytest_cells.model import Cell, CellError, Outcome


def judge(cell: Cell, outcome: Outcome) -> CellError | None:
    """Return the error that fails the cell, or None where it did what is expected of it.

    A lost kernel and a timeout are never what `raises` expects.
    """
    raises = cell.directives.raises
    if outcome.verdict == "skipped":
        return None
    if outcome.died or outcome.timed_out or raises is None:
        return outcome.error
    wanted = raises.type or "an error"
    if outcome.error is None:
        return CellError("DidNotRaise", f"the cell was expected to raise {wanted}, and raised nothing")
    error = outcome.error
    if raises.type is not None and raises.type.rpartition(".")[2] not in _class_names(error):
        evalue = f"expected {raises.type}, found {error.summary}"
        return CellError("WrongError", evalue, error.traceback, error.line)
    if raises.match is not None and not re.search(raises.match, plain(error.evalue)):
        evalue = f"expected a message that matches {raises.match!r}, found {error.summary}"
        return CellError("WrongError", evalue, error.traceback, error.line)
    return None


def _class_names(error: CellError) -> set[str]:
    """Return the names that an error goes by: its class's and, where the kernel tells them, of all bases."""
    return {error.ename.rpartition(".")[2], *error.bases}
