"""The Versions that a notebook's cells find, walked from the top."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial

from pytest_cells.cache.keys import Inputs, lookup_key
from pytest_cells.cache.trace import HISTORY, Version, digest_of
from pytest_cells.model import Cell, KernelIdentity, Notebook
from pytest_cells.plan import State, history_after

START: Version = digest_of("start")


class Walk:
    """Tell the State in which each cell of one notebook finds things.

    On the chain rung the history below a cell follows from what it is and what it read, whether it was executed or
    taken from the cache. Cells that are skipped leave no trace in it.
    """

    def __init__(
        self,
        notebook: Notebook,
        inputs: Inputs,
        identity: KernelIdentity,
        executor: str,
        material: Callable[[Cell], Mapping[str, str]],
    ) -> None:
        self.skipped: set[int] = {cell.index for cell in notebook.cells if cell.directives.skip is not None}
        """Cells that are not run, and so not replayed either."""
        self.notebook, self._inputs, self._material = notebook, inputs, material
        self._identity, self._executor = identity, executor
        self._always = {cell.index for cell in notebook.cells if always_runs(cell)}
        self._lookups: dict[int, str] = {}
        self._failed: set[int] = set()
        """Cells that failed, and whose failure was expected: how far they came is not known."""
        self._below: dict[int, Version] = {}
        """The Version of `@history` below each cell, as far as cells were walked."""

    def lookup(self, cell: Cell) -> str:
        """Return the lookup key of a cell."""
        if cell.index not in self._lookups:
            self._lookups[cell.index] = lookup_key(cell, self._identity, self._executor, {})
        return self._lookups[cell.index]

    def state(self, cell: Cell, inputs: Mapping[str, Version]) -> State:
        """Return the State in which a cell finds the notebook and the world, as far as it was looked at."""
        return State(self._probe(cell), dict(inputs))

    def inputs(self, cell: Cell) -> dict[str, Version]:
        """Return all inputs of a cell with their Versions of now."""
        return self._versions(cell, self._history(cell))

    def below(self, cell: Cell, inputs: Mapping[str, Version]) -> Version:
        """Return the history that a cell leaves which read these inputs.

        A cell that always runs, or failed as expected, leaves another one every time.
        """
        nonce = str(time.time_ns()) if always_runs(cell) or cell.index in self._failed else ""
        return history_after(inputs[HISTORY], self.lookup(cell), inputs, nonce)

    def advance(self, cell: Cell, inputs: Mapping[str, Version], *, failed: bool) -> None:
        """Note that a cell was executed with these inputs: what is below is walked anew."""
        (self._failed.add if failed else self._failed.discard)(cell.index)
        self._below = {index: version for index, version in self._below.items() if index < cell.index}
        self._below[cell.index] = self.below(cell, inputs)

    def moved(self, cell: Cell, inputs: Mapping[str, Version]) -> list[str]:
        """Return the inputs of a cell that are no longer what they were just before it was executed."""
        now = self._versions(cell, inputs[HISTORY])
        return sorted(name for name in inputs.keys() | now.keys() if inputs.get(name) != now.get(name))

    def hit(self, cell: Cell, writes: Mapping[str, Version]) -> None:
        """Note that a cell need not be executed: below it everything is as its trace says."""
        self._below[cell.index] = writes[HISTORY]

    def restart(self) -> None:
        """Forget what was walked: a fresh kernel begins at the top."""
        self._below.clear()

    def set_skipped(self, cell: Cell, *, skipped: bool) -> None:
        """Note whether a cell is left out of the notebook's run."""
        if skipped != (cell.index in self.skipped):
            (self.skipped.add if skipped else self.skipped.discard)(cell.index)
            self._below = {index: version for index, version in self._below.items() if index < cell.index}

    def unknown_above(self, cell: Cell) -> Cell | None:
        """Return the nearest cell above whose effect cannot be known beforehand: it always runs, or it failed."""
        unknown = (index for index in (self._always | self._failed) - self.skipped if index < cell.index)
        nearest = max(unknown, default=None)
        return None if nearest is None else self.notebook.cells[nearest]

    def _history(self, cell: Cell) -> Version:
        history, unknown = START, []
        for above in reversed(self.notebook.cells[: cell.index]):
            if above.index in self.skipped:
                continue
            if above.index in self._below:
                history = self._below[above.index]
                break
            unknown.append(above)
        for above in reversed(unknown):
            history = self._below[above.index] = self.below(above, self._versions(above, history))
        return history

    def _versions(self, cell: Cell, history: Version) -> dict[str, Version]:
        material = self._material(cell)
        state = State(partial(self._inputs.version, material=material), {HISTORY: history})
        return {name: state.version(name) for name in self._inputs.names(cell, material)}

    def _probe(self, cell: Cell) -> Callable[[str], Version]:
        return partial(self._inputs.version, material=self._material(cell))


def always_runs(cell: Cell) -> str | None:
    """Return why a cell is executed in every run, or None."""
    if not cell.directives.cache:
        return "cache=off"
    return "an xfail cell always runs" if cell.directives.xfail is not None else None
