"""Skip a cell that is not to be run: by its directive, or because a cell above gave it nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cells.evaluator import Lifecycle, Skip

if TYPE_CHECKING:
    from pytest_cells.report import CellResult
    from pytest_cells.run import CellRun


class Directed(Lifecycle):
    """Honour `skip`, and what happened to the cells above."""

    def setup(self, run: CellRun) -> Skip[CellResult] | None:
        """Return a skipped result with its reason."""
        if run.cell.directives.skip is not None:
            return Skip(run.result("skipped", reason=run.cell.directives.skip))
        return None if run.run.blocked is None else Skip(run.needs())
