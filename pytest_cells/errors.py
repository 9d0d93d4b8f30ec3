"""Everything we tell a user that is wrong: what was found, what was expected, what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_cells.model import Cell, CellError, Outcome


class CellsError(Exception):
    """Base of all errors that are meant to be read by a user, without a traceback of ours."""


class NotebookError(CellsError):
    """A file that cannot be read as a notebook."""

    def __init__(self, name: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{name}: {problem}" + (f"\n  {hint}" if hint else ""))


class DirectiveError(CellsError):
    """A directive that cannot be understood."""

    def __init__(self, notebook: str, cell: str, where: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{notebook}, {cell}, {where}: {problem}" + (f"\n  {hint}" if hint else ""))


class SettingsError(CellsError):
    """An option or ini value that cannot be used."""


class KernelError(CellsError):
    """A kernel that cannot be found, started or talked to."""


class KernelRefused(KernelError):
    """A kernel that would be refused again: what was asked for cannot be done."""


class ExecutorError(CellsError):
    """An executor that was asked for and cannot be loaded."""


class StoreError(CellsError):
    """A cache folder that cannot be used."""


class DependencyError(CellsError):
    """A declared input that does not exist."""


class OutputsError(CellsError):
    """A declared output that a cell did not write."""


class PrerequisiteFailed(CellsError):
    """A cell that had to be replayed before another one failed."""

    def __init__(self, cell: Cell, error: CellError, inputs: dict[str, str], *, lost: bool) -> None:
        super().__init__(f"prerequisite cell {cell.label} failed: {error.summary}")
        self.cell, self.error, self.inputs, self.lost = cell, error, inputs, lost


class PrerequisiteSkipped(CellsError):
    """A cell that had to be replayed before another one skipped itself."""

    def __init__(self, cell: Cell, inputs: dict[str, str]) -> None:
        super().__init__(f"prerequisite cell {cell.label} skipped itself")
        self.cell, self.inputs = cell, inputs


class NotebookTimeout(CellsError):
    """A notebook whose time was used up before a cell began."""


class CellInterrupted(KeyboardInterrupt):
    """Ctrl-C while a cell was executed: carries what is known of the cell."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("interrupted")
        self.outcome = outcome


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the nearest known word, or the list of them.

    >>> did_you_mean("timeuot", ["timeout", "skip"])
    "did you mean 'timeout'?"
    """
    words = sorted(known)
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(words)}"
