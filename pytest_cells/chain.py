"""The chain rung: a cell depends on all above it. For kernels that cannot be observed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pytest_cells.cache.trace import HISTORY, Trace, Version
from pytest_cells.model import Cell
from pytest_cells.plan import Hit, Run, decide
from pytest_cells.walk import Walk, always_runs

if TYPE_CHECKING:
    from pytest_cells.cache.store import Store
    from pytest_cells.live import LiveKernel
    from pytest_cells.run import CellRun


class ChainRung:
    """Decide by the history that a cell finds."""

    name = "chain"

    def __init__(self, walk: Walk, live: LiveKernel, store: Store | None) -> None:
        self.walk, self.live, self._store = walk, live, store

    def look(self, run: CellRun) -> None:
        """Note the Versions of what a cell reads."""
        run.inputs = self.walk.inputs(run.cell)

    def decide(self, run: CellRun, problems: list[str]) -> Hit | Run:
        """Decide whether a cell is taken from the cache; `problems` takes in what is wrong with the store."""
        assert self._store is not None
        candidates = self._store.candidates(self.walk.lookup(run.cell), run.inputs[HISTORY], problems)
        return decide(candidates, self.walk.state(run.cell, run.inputs), run.inputs)

    def hit(self, cell: Cell, trace: Trace) -> None:
        """Note that a cell need not be executed."""
        self.walk.hit(cell, trace.writes)

    def later_hits(self, cell: Cell, plan: Callable[[Cell], Hit | Run]) -> Iterable[Trace]:
        """Yield the traces of the cells below that would hit, up to the first that would not."""
        for below in self.walk.notebook.cells[cell.index + 1 :]:
            if below.index in self.walk.skipped:
                continue
            decision = plan(below)
            if not isinstance(decision, Hit):
                return
            yield decision.trace

    def unstored(self, cell: Cell) -> str | None:
        """Return why a cell's result is of no use to later runs, itself or for one above it."""
        above = self.walk.unknown_above(cell)
        told = f"below cell {above.label}, which failed or always runs" if above else None
        return always_runs(cell) or told

    def moved(self, cell: Cell, inputs: dict[str, Version]) -> list[str]:
        """Return the inputs of a cell that are no longer what they were just before it was executed."""
        return self.walk.moved(cell, inputs)

    def trace(self, run: CellRun) -> Trace:
        """Return what is stored of a cell that passed, but for its outputs and artifacts."""
        return Trace(
            lookup=self.walk.lookup(run.cell),
            inputs=run.inputs,
            writes={HISTORY: self.walk.below(run.cell, run.inputs)},
        )

    def forget(self, cell: Cell, inputs: dict[str, Version]) -> None:
        """Remove the trace of a cell that no longer passes: nothing that it read has changed, and yet it fails."""
        if self._store is not None and HISTORY in inputs:
            self._store.remove_trace(Trace(self.walk.lookup(cell), inputs, {}))
