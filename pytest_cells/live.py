"""One notebook's kernel, and how far it has come."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from pytest_cells.cache.files import matches
from pytest_cells.cache.trace import Version
from pytest_cells.errors import (
    CellInterrupted,
    DependencyError,
    KernelError,
    NotebookTimeout,
    PrerequisiteFailed,
    PrerequisiteSkipped,
)
from pytest_cells.evaluator import Executor, Runner
from pytest_cells.judge import judge
from pytest_cells.model import Cell, CellError, Json, Notebook, Outcome
from pytest_cells.settings import Settings
from pytest_cells.tracing.walk import TraceWalk
from pytest_cells.walk import Walk

Filter = Callable[[Json], "Json | None"]


class LiveKernel:
    """A kernel that always holds the state of a plain run from the top.

    It has executed the cells above `position`, each once, in order, but for those that are skipped. What does not
    fit (a cell again, an earlier one, a dead kernel) starts a fresh one.
    """

    def __init__(
        self,
        executor: Executor,
        notebook: Notebook,
        walk: Walk | TraceWalk,
        settings: Settings,
        setup_codes: Sequence[str],
        filters: Sequence[Filter],
        around: Callable[[Cell, Callable[[], None]], bool],
        meanwhile: Callable[[], None],
    ) -> None:
        self.expected: set[int] = {cell.index for cell in notebook.cells if cell.directives.xfail is not None}
        """Cells that may fail without keeping others from running."""
        self.replayed: set[int] = set()
        self._executor, self._notebook, self._walk, self._settings = executor, notebook, walk, settings
        self._setup_codes, self._filters = setup_codes, filters
        self._around = around
        """Wraps the user's lifecycles around a replay; tells whether it took place."""
        self._meanwhile = meanwhile
        """Done while a kernel is busy."""
        self.notes: list[str] = []
        """Things to tell once a session."""
        self.deaths = 0
        """How many kernels were lost, those that had to be killed included."""
        self.starts = 0
        self.peak_mb = 0.0
        """The most memory that a kernel held, in MB, as far as it is known."""
        self._runner: Runner | None = None
        self._position = 0
        self._deadline: float | None = None

    @property
    def alive(self) -> bool:
        """Tell whether there is a kernel that goes on."""
        return self._runner is not None and self._runner.alive

    def reach(self, cell: Cell) -> None:
        """Bring the kernel to the state just before a cell: start it, replay what is missing.

        Raises KernelError, PrerequisiteFailed where a replayed cell fails, and PrerequisiteSkipped where one skips
        itself. A kernel that dies meanwhile is replaced, within the retries.
        """
        self._retried(lambda: self._reach(cell))

    def replay(self, cell: Cell) -> None:
        """Reach a cell, and execute it for what it leaves. Raises what `reach` raises."""

        def replay() -> None:
            self._reach(cell)
            self._replay(cell)

        self._retried(replay)

    def _retried(self, work: Callable[[], None]) -> None:
        for tries_left in range(self._settings.kernel.retries, -1, -1):
            try:
                work()
            except PrerequisiteFailed as failed:
                if not (failed.lost and tries_left):
                    raise
            else:
                return

    def _reach(self, cell: Cell) -> None:
        if self._runner is not None and (not self._runner.alive or self._position > cell.index):
            self.drop()
        if self._runner is None:
            if cell.blank:
                return  # nothing is executed, so nothing is needed
            self._start()
        self._replay_above(cell)

    def _replay_above(self, cell: Cell) -> None:
        """Execute what the kernel has not yet executed above a cell."""
        for above in self._notebook.cells[self._position : cell.index]:
            if above.index not in self._walk.skipped:
                self._replay(above)
            self._position = above.index + 1

    def execute(self, cell: Cell) -> tuple[dict[str, Version], Outcome]:
        """Execute a cell that was reached; return what it read, as it was just before, and the outcome.

        Raises DependencyError where a declared input does not exist, and NotebookTimeout where no time is left.
        """
        self._check_dependencies(cell)
        limit, whole = self._limit_now(cell)
        assert isinstance(self._walk, Walk)
        inputs = self._walk.inputs(cell)
        if cell.blank or self._runner is None:
            outcome = Outcome()
        else:
            outcome = self._runner.execute(cell.source, timeout=limit, meanwhile=self._meanwhile)
            self.peak_mb = max(self.peak_mb, self._runner.peak_mb or 0.0)
        outcome = self._deadline_told(outcome, whole=whole)
        if outcome.died:
            self.deaths += 1
            self.drop()
        else:
            self._walk.advance(cell, inputs, failed=judge(cell, outcome) is not None)
            if self._runner is not None:
                self._position = cell.index + 1
        return inputs, msgspec.structs.replace(outcome, outputs=self._filtered(outcome.outputs))

    def timeout(self, cell: Cell) -> float:
        """Return the seconds that a cell may take, 0 for no limit."""
        own = cell.directives.timeout
        return self._settings.kernel.timeout if own is None else own

    def begin(self) -> None:
        """Give the notebook all of its time, from now on."""
        limit = self._settings.kernel.notebook_timeout
        self._deadline = time.monotonic() + limit if limit else None

    def _limit_now(self, cell: Cell) -> tuple[float, bool]:
        """Return the seconds that a cell may take now, and whether the notebook's time is what bounds them."""
        own = self.timeout(cell)
        if self._deadline is None:
            return own, False
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise NotebookTimeout(f"{self._notebook.name}, cell {cell.label}: {self._used_up} before the cell began")
        return (left, True) if not own or left < own else (own, False)

    def _deadline_told(self, outcome: Outcome, *, whole: bool) -> Outcome:
        """Say of a cell that was stopped because the notebook's time was used up that this is so."""
        if not (whole and outcome.timed_out and outcome.error is not None):
            return outcome
        told = f"{self._used_up}; {outcome.error.evalue}"
        error = msgspec.structs.replace(outcome.error, ename=NotebookTimeout.__name__, evalue=told)
        return msgspec.structs.replace(outcome, error=error)

    @property
    def _used_up(self) -> str:
        limit = self._settings.kernel.notebook_timeout
        return f"the notebook's {limit:g} s (--cells-notebook-timeout) were used up"

    def drop(self) -> None:
        """Let the kernel go: the next cell that needs one starts afresh."""
        if self._runner is not None:
            self._runner.stop()
            self._runner = None
            self._walk.restart()
        self._position = 0

    def _start(self) -> None:
        self._walk.restart()
        self._runner = self._executor.open(self._notebook)
        self.starts += 1
        self._position = 0
        for code in self._setup_codes:
            outcome = self._set_up(code)
            if outcome.error is not None:
                self.drop()
                raise KernelError(f"{self._notebook.name}: the setup code failed: {outcome.error.summary}")

    def _set_up(self, code: str) -> Outcome:
        assert self._runner is not None
        return self._runner.execute(code, timeout=self._settings.kernel.timeout, history=False)

    def _replay(self, cell: Cell) -> None:
        if not self._around(cell, lambda: self._replay_now(cell)):
            self._walk.set_skipped(cell, skipped=True)

    def _replay_now(self, cell: Cell) -> None:
        self.replayed.add(cell.index)
        try:
            inputs, outcome = self.execute(cell)
        except CellInterrupted as stop:
            told = f"the run was stopped while prerequisite cell {cell.label} was executed"
            stopped = msgspec.structs.replace(stop.outcome, error=CellError("KeyboardInterrupt", told), outputs=[])
            raise CellInterrupted(stopped) from None
        if outcome.verdict == "skipped":
            raise PrerequisiteSkipped(cell, inputs)
        error = judge(cell, outcome)
        if error is not None and (cell.index not in self.expected or outcome.died):
            raise PrerequisiteFailed(cell, error, inputs, lost=outcome.lost)

    def _filtered(self, outputs: list[Json]) -> list[Json]:
        for change in self._filters:
            outputs = [changed for output in outputs if (changed := change(dict(output))) is not None]
        return outputs

    def _check_dependencies(self, cell: Cell) -> None:
        folder = self._notebook.path.parent
        for dep in cell.directives.deps:
            if not dep.startswith("env:") and not matches(dep, folder):
                near = _nearest(dep, folder)
                raise DependencyError(
                    f"{self._notebook.name}, cell {cell.label}: it declares deps {dep!r}, and there is no such file in "
                    f"{self._settings.shown(folder)}/" + (f"; did you mean {near!r}?" if near else "")
                )


def _nearest(dep: str, folder: Path) -> str | None:
    parent = (folder / dep).parent
    names = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    near = difflib.get_close_matches(Path(dep).name, names, n=1)
    return (Path(dep).parent / near[0]).as_posix() if near else None
