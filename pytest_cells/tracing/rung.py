"""The traces rung: a cell depends on what it was seen to read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pytest_cells.cache.explain import some
from pytest_cells.cache.trace import ABSENT, ENVIRONMENT, Trace, Version
from pytest_cells.in_kernel.versions import FOLDER
from pytest_cells.model import Cell
from pytest_cells.plan import Hit, Run, State, decide, describe_input
from pytest_cells.tracing.walk import Step, TraceWalk
from pytest_cells.walk import always_runs

if TYPE_CHECKING:
    from pytest_cells.cache.store import Store
    from pytest_cells.run import CellRun
    from pytest_cells.tracing.environments import Environments
    from pytest_cells.tracing.kernel import TracedKernel


class TracesRung:
    """Decide by the Versions of all that a cell was seen to read."""

    name = "traces"

    def __init__(
        self, walk: TraceWalk, live: TracedKernel, store: Store, rootdir: Path, environments: Environments
    ) -> None:
        self.walk, self.live, self._store, self._rootdir = walk, live, store, rootdir
        self._environments = environments
        self._installed_otherwise: list[str] = []
        """What is installed otherwise than for the last result that was looked at, in words."""

    def look(self, run: CellRun) -> None:
        """Make sure that all above a cell is known: taken from the cache or, where that cannot be, executed.

        Raises what `LiveKernel.reach` raises.
        """
        with contextlib.suppress(OSError):  # whatever else is to be stored tells it
            self._environments.keep(self.walk.environment, self.walk.identity)
        while (above := self.walk.unknown_above(run.cell)) is not None:
            decision = self._decide(above, [])
            if isinstance(decision, Hit) and not run.run.settings.cache.force:
                self.hit(above, decision.trace)
            else:
                self.live.replay(above)
        run.inputs = {}

    def decide(self, run: CellRun, problems: list[str]) -> Hit | Run:
        """Decide whether a cell is taken from the cache; `problems` takes in what is wrong with the store."""
        decision = self._decide(run.cell, problems)
        if isinstance(decision, Run):
            return decision
        run.inputs = decision.trace.inputs
        lost = self._lost_file(run.cell, decision.trace)
        return decision if lost is None else Run(f"{lost}, which it wrote, is gone or altered")

    def _decide(self, cell: Cell, problems: list[str]) -> Hit | Run:
        if reason := always_runs(cell):
            return Run(reason)
        static = self.walk.static(cell)
        state, now = self.walk.looked_at(cell, static), static[ENVIRONMENT]
        candidates: list[Trace] = []
        steady: list[Trace] = []

        def made_here() -> Iterator[Trace]:
            for trace in self._store.candidates(self.walk.lookup(cell), "", problems):
                candidates.append(trace)
                if not trace.volatile or cell.directives.cache_anyway:
                    steady.append(trace)
                    if trace.inputs.get(ENVIRONMENT) == now:
                        yield trace

        decision = decide(made_here(), state, static)
        if isinstance(decision, Hit):
            return decision  # of those behind it none was read
        for trace in steady:
            moved = self._moved_here(trace, now)
            if moved is not None and isinstance(decide([moved], state, static), Hit):
                with contextlib.suppress(OSError):  # it is looked for again next time
                    self._store.put_trace(moved)
                return Hit(moved)
        if not steady and candidates:
            return Run(f"{candidates[0].volatile[0]}: it is executed in every run")
        return decide(steady, state, static, partial(self._describe, cell))

    def _moved_here(self, trace: Trace, now: Version) -> Trace | None:
        """Return a result of another environment as one of this, where nothing that it can depend on differs."""
        if trace.inputs.get(ENVIRONMENT) == now:
            return None
        differing = self._environments.differences(trace, now, self.walk.identity)
        self._installed_otherwise = differing or []
        if differing is None or differing:
            return None
        return msgspec.structs.replace(trace, inputs={**trace.inputs, ENVIRONMENT: now})

    def _describe(self, cell: Cell, name: str) -> str:
        """Say in words what an input stands for, and which cell above wrote it last."""
        if name == ENVIRONMENT and self._installed_otherwise:
            return some(self._installed_otherwise)
        writers = [
            above.label
            for above in self.walk.notebook.cells[: cell.index]
            if above.index in self.walk.steps and name in self.walk.steps[above.index].writes
        ]
        return f"{describe_input(name)} (cell {writers[-1]})" if writers else describe_input(name)

    def hit(self, cell: Cell, trace: Trace) -> None:
        """Note that a cell need not be executed."""
        known = self.walk.steps.get(cell.index)
        self.walk.note(cell, Step(trace, executed=known is not None and known.executed))

    def later_hits(self, cell: Cell, plan: Callable[[Cell], Hit | Run]) -> Iterable[Trace]:
        """Yield the traces of the cells below that would hit, up to the first that would not."""
        for below in self.walk.notebook.cells[cell.index + 1 :]:
            if below.index in self.walk.skipped:
                continue
            decision = self._decide(below, [])
            if not isinstance(decision, Hit):
                return
            self.hit(below, decision.trace)
            yield decision.trace

    def unstored(self, cell: Cell) -> str | None:
        """Return why a cell's result is of no use to later runs."""
        step = self.walk.steps.get(cell.index)
        volatile = step.trace.volatile if step is not None else ()
        return always_runs(cell) or (volatile[0] if volatile else None)

    def moved(self, cell: Cell, inputs: dict[str, Version]) -> list[str]:
        """Return the inputs of a cell that are no longer what they were just before it was executed."""
        now = self.walk.static(cell)
        return sorted(name for name, version in now.items() if inputs.get(name) != version)

    def trace(self, run: CellRun) -> Trace:
        """Return what is stored of a cell that passed, but for its outputs and artifacts."""
        return self.walk.steps[run.cell.index].trace

    def forget(self, cell: Cell, inputs: dict[str, Version]) -> None:
        """Remove the traces of a cell that would hit now, and yet it fails."""
        state, now = self.walk.state(cell), self.walk.environment
        for trace in list(self._store.candidates(self.walk.lookup(cell), "", [])):
            here = self._moved_here(trace, now) or trace
            if isinstance(decide([here], State(state.version, inputs), ()), Hit):
                self._store.remove_trace(trace)

    def _lost_file(self, cell: Cell, trace: Trace) -> str | None:
        """Return a file that the cell wrote and that is not what it was, unless a cell below writes it again."""
        wrong = [
            name
            for name, version in trace.writes.items()
            if name.startswith("path:")
            and name[5:] not in trace.artifacts
            and self._now(name[5:]) not in ((version, ABSENT) if version == FOLDER else (version,))
        ]
        if not wrong:
            return None
        self.hit(cell, trace)
        later = {name for below in self.later_hits(cell, lambda below: Run("")) for name in below.writes}
        self.walk.forget(cell)
        left = sorted(set(wrong) - later)
        return left[0][5:] if left else None

    def _now(self, path: str) -> Version:
        return self.walk.files.of(str(self._rootdir / path))
