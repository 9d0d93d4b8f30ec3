"""Bring back the state that a cell needs before it is executed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cells.evaluator import Lifecycle, Skip

if TYPE_CHECKING:
    from pytest_cells.report import CellResult
    from pytest_cells.run import CellRun


class Restored(Lifecycle):
    """Replay, unreported, the cells above that the kernel has not executed."""

    def setup(self, run: CellRun) -> Skip[CellResult] | None:
        """Make the state real. Raises what keeps it from being made."""
        run.run.live.reach(run.cell)
        return None
