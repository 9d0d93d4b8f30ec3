"""Read, plan, evaluate, report: one session over any number of notebooks. Knows no pytest.

Pytest's loop asks `NotebookRun.evaluate` cell by cell; `Session.run` asks it in a `for` loop.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from pytest_cells.artifacts import ArtifactFolders
from pytest_cells.cache.explain import remember, why
from pytest_cells.cache.files import Digests, matches
from pytest_cells.cache.keys import Inputs, lookup_key
from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import ENVIRONMENT, HISTORY, Artifact, Damaged, Trace, Version, digest_of
from pytest_cells.errors import CellsError, DependencyError, NotebookError
from pytest_cells.evaluator import Evaluator, Executor, Lifecycle, Runner
from pytest_cells.executors import load_executor
from pytest_cells.judge import judge
from pytest_cells.kernels.tracebacks import plain
from pytest_cells.lifecycles import built_in
from pytest_cells.model import Cell, CellError, Json, KernelIdentity, Notebook, Outcome, Status
from pytest_cells.notebooks.read import read_notebook
from pytest_cells.plan import Hit, Run, State, decide, history_after
from pytest_cells.report import (
    CacheReport,
    CellFacts,
    CellResult,
    ErrorReport,
    LargeArtifactWarning,
    SessionReport,
    build_session,
)
from pytest_cells.settings import Settings


class PrerequisiteFailed(CellsError):
    """A cell that had to be replayed before another one failed."""

    def __init__(self, cell: Cell, error: CellError) -> None:
        super().__init__(f"prerequisite cell {cell.label} failed: {error.summary}")
        self.cell, self.error = cell, error


@dataclass
class CellRun:
    """One cell on its way through the lifecycles."""

    notebook: Notebook
    cell: Cell
    run: NotebookRun
    inputs: dict[str, Version] = field(default_factory=dict)
    """Versions of what the cell reads, as they were just before it was executed."""
    reason: str | None = None
    outcome: Outcome | None = None
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    unattributed: list[str] = field(default_factory=list)
    """Artifacts that changed meanwhile and that another notebook may have written."""
    large_artifacts: list[LargeArtifactWarning] = field(default_factory=list)
    attempts: int = 0
    notes: list[str] = field(default_factory=list)

    def result(self, status: Status, **more: Any) -> CellResult:
        """Return a result for this cell."""
        return CellResult(
            self.cell.id, self.cell.name, status, index=self.cell.index, attempts=self.attempts, **more
        )

    def failure(self, error: CellError, reason: str | None = None) -> CellResult:
        """Return the result of a cell that failed with an error."""
        told = ErrorReport(plain(error.ename), plain(error.evalue), error.traceback)
        return self.result("error", error=told, line=error.line, reason=reason or self.reason)


class NotebookRun:
    """One notebook while its cells are evaluated, in order or in whatever order is asked for.

    The kernel always holds the state of a plain run from the top: it has executed cells 0 to `_position` - 1,
    each once, in order. What does not fit (a cell again, an earlier cell) starts a fresh one.
    """

    def __init__(self, session: Session, notebook: Notebook, hooks: Any) -> None:
        self.session, self.notebook, self.hooks = session, notebook, hooks
        self.settings, self.store = session.settings, session.store
        rootdir_cwd = session.settings.kernel.cwd == "rootdir"
        self.cwd = session.settings.rootdir if rootdir_cwd else notebook.path.parent
        self.folders = ArtifactFolders(session.settings, notebook.path.parent)
        self.blocked: tuple[Cell, str] | None = None
        """The cell that all later ones depend on and that gave them nothing, and what became of it."""
        self.replayed: set[int] = set()
        self._results: dict[int, CellResult] = {}
        self._record: dict[str, Json] = {}
        self._skipped: set[int] = {cell.index for cell in notebook.cells if cell.directives.skip is not None}
        self._expected: set[int] = {
            cell.index for cell in notebook.cells if cell.directives.xfail is not None
        }
        self._runner: Runner | None = None
        self._position = 0
        self._histories: dict[int, Version] = {}
        """The Version of `@history` before each cell, as far as cells were walked."""
        self._first_miss: str | None = None
        self._opened = False

    # -- set-up --------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Find out what the notebook runs in. Raises KernelError; done at the first cell, not at collection."""
        if self._opened:
            return
        self.identity: KernelIdentity = self.session.executor.identify(self.notebook)
        codes = [code for code in self.hooks.pytest_cells_setup_code(notebook=self.notebook) if code]
        self._setup_codes: list[str] = list(reversed(codes))
        self.filters = _flat(self.hooks.pytest_cells_output_filters(notebook=self.notebook))
        lifecycles: list[Lifecycle] = _flat(self.hooks.pytest_cells_lifecycles(notebook=self.notebook))
        self._evaluator: Evaluator[CellRun, CellResult] = Evaluator(built_in(lifecycles), self._execute)
        self._inputs = Inputs(
            self.notebook,
            self.cwd,
            self.settings.rootdir,
            self.identity,
            self.session.digests,
            "\n".join(self._setup_codes),
        )
        self._before: Any = self.store.get_record(self.notebook.name) if self.store else None
        self._opened = True

    # -- one cell ------------------------------------------------------------------------------------------

    def evaluate(self, cell: Cell) -> CellFacts:
        """Take a cell from the cache or execute it, with what it needs; never raises for what a cell does."""
        began = time.monotonic()
        started = self.session.executor_started()
        if self.blocked and self.blocked[0].index >= cell.index:
            self.blocked = None  # it is evaluated again
        run = CellRun(self.notebook, cell, self)
        try:
            self._open()
            result = self._evaluator.evaluate(run)
        except CellsError as error:
            result = run.failure(_told(error))
        except Exception as error:  # a lifecycle or hook of the user's
            result = run.failure(_raised(error))
        if result.status in ("ok", "cached", "error") or self.blocked:
            self._skipped.discard(cell.index)
        if result.status == "error" and self.blocked is None:
            self.blocked = (cell, "failed")
        spent_ms = (time.monotonic() - began) * 1000
        result = msgspec.structs.replace(result, duration_ms=round(spent_ms, 3))
        self._results[cell.index] = result
        if result.status != "cached" and self._first_miss is None and cell.index not in self._skipped:
            self._first_miss = cell.label
        return self._facts(run, result, started)

    def skip(self, cell: Cell, reason: str) -> CellFacts:
        """Note that somebody else decided not to run a cell: it is not replayed for others either."""
        self._skipped.add(cell.index)
        run = CellRun(self.notebook, cell, self)
        return self._facts(run, run.result("skipped", reason=reason), self.session.executor_started())

    def setup_failed(self, cell: Cell, problem: str) -> CellFacts:
        """Note that somebody else's preparation of a cell failed: it did not run, so neither can what needs it."""
        run = CellRun(self.notebook, cell, self)
        self.blocked = self.blocked or (cell, "failed")
        return self._facts(
            run, run.failure(CellError("SetupFailed", problem)), self.session.executor_started()
        )

    def expect_failure(self, cell: Cell) -> None:
        """Note that a cell that failed was expected to: the cells after it go on where the kernel still lives."""
        self._expected.add(cell.index)
        if self.blocked and self.blocked[0] is cell and self._runner is not None and self._runner.alive:
            self.blocked = None

    def plan(self, run: CellRun) -> Hit | Run:
        """Decide whether a cell is taken from the cache, and note the Versions of what it reads."""
        cell = run.cell
        state = self._state_before(cell)
        names = self._inputs.names(cell, self._material(cell))
        run.inputs = {name: state.version(name) for name in names}
        if self.store is None:
            return Run("the cache is off")
        if self.settings.cache.force:
            return Run("forced")
        if always := _always_runs(cell):
            return Run(always)
        problems: list[str] = []
        lookup = self.lookup(cell)
        decision = decide(self.store.candidates(lookup, run.inputs[HISTORY], problems), state, names)
        if isinstance(decision, Run):
            return Run("; ".join([self._why(cell, run.inputs) or decision.reason, *problems]))
        limit = self.timeout(cell)
        if limit and decision.trace.duration_ms > limit * 1000:
            return Run(
                f"it took {decision.trace.duration_ms / 1000:.1f} s, longer than its timeout of {limit:g} s"
            )
        return decision

    def lookup(self, cell: Cell) -> str:
        """Return the lookup key of a cell."""
        return lookup_key(cell, self.identity, self.settings.kernel.executor, {})

    def passed(self, cell: Cell, inputs: dict[str, Version], duration_ms: float) -> None:
        """Note for later runs what a cell that passed depended on."""
        self._record[cell.id] = remember(cell, self.identity, inputs, duration_ms)

    def timeout(self, cell: Cell) -> float:
        """Return the seconds that a cell may take, 0 for no limit."""
        own = cell.directives.timeout
        return self.settings.kernel.timeout if own is None else own

    def later_hits(self, cell: Cell) -> Iterable[Trace]:
        """Yield the traces of the cells below that would hit, up to the first that would not."""
        for below in self.notebook.cells[cell.index + 1 :]:
            if below.index in self._skipped:
                continue
            decision = self.plan(CellRun(self.notebook, below, self))
            if not isinstance(decision, Hit):
                return
            yield decision.trace

    # -- the kernel ----------------------------------------------------------------------------------------

    def make_live(self, cell: Cell) -> None:
        """Bring a kernel to the state just before a cell: start one, replay what is missing.

        Raises KernelError, or PrerequisiteFailed where a replayed cell fails.
        """
        if self._runner is not None and (not self._runner.alive or self._position > cell.index):
            self._drop()
        if self._runner is None and not cell.blank:
            self._start()
        if self._runner is None:
            return
        for index in range(self._position, cell.index):
            before = self.notebook.cells[index]
            if index not in self._skipped:
                self._replay(before)
            self._position = index + 1

    def _start(self) -> None:
        self._runner = self.session.executor.open(self.notebook)
        self._position = 0
        self._histories.clear()
        for code in self._setup_codes:
            outcome = self._runner.execute(code, timeout=self.settings.kernel.timeout, history=False)
            if outcome.error is not None:
                self._drop()
                raise CellsError(f"{self.notebook.name}: the setup code failed: {outcome.error.summary}")

    def _replay(self, cell: Cell) -> None:
        self.replayed.add(cell.index)
        inputs = self._inputs_now(cell)
        outcome = self._send(cell)
        error = judge(cell, outcome)
        if outcome.verdict == "skipped":
            error = CellError("Skipped", outcome.reason or "")
        if error is not None and (cell.index not in self._expected or outcome.died):
            self._forget(cell, inputs)
            raise PrerequisiteFailed(cell, error)
        self._advance(cell, inputs)

    def _execute(self, run: CellRun) -> CellResult:
        """Execute a cell in the state it needs; try again in a fresh kernel where the kernel died."""
        cell = run.cell
        while True:
            self._check_dependencies(cell)
            run.inputs = self._inputs_now(cell)
            run.attempts += 1
            outcome = self._send(cell)
            if not outcome.died or outcome.timed_out or run.attempts > self.settings.kernel.retries:
                break
            if outcome.error is not None and outcome.error.ename == "KernelExit":
                break
            self._drop()
            self.make_live(cell)
        run.outcome = outcome
        if outcome.died:
            self._drop()
        if outcome.verdict == "skipped":
            self.blocked = (cell, "was skipped")
            return run.result("skipped", reason=outcome.reason)
        error = judge(cell, outcome)
        if error is not None:
            if outcome.died and run.attempts > 1:
                error = msgspec.structs.replace(error, evalue=f"{error.evalue} ({run.attempts} times)")
            if not outcome.died:
                self._advance(cell, run.inputs)
            return run.failure(error)
        self._advance(cell, run.inputs)
        return run.result("ok", reason=run.reason)

    def _send(self, cell: Cell) -> Outcome:
        if cell.blank or self._runner is None:
            return Outcome()
        outcome = self._runner.execute(cell.source, timeout=self.timeout(cell))
        return msgspec.structs.replace(outcome, outputs=self._filtered(outcome.outputs))

    def _filtered(self, outputs: list[Json]) -> list[Json]:
        for change in self.filters:
            outputs = [changed for output in outputs if (changed := change(dict(output))) is not None]
        return outputs

    def _check_dependencies(self, cell: Cell) -> None:
        for dep in cell.directives.deps:
            if not dep.startswith("env:") and not matches(dep, self.cwd):
                near = _nearest(dep, self.cwd)
                raise DependencyError(
                    f"{self.notebook.name}, cell {cell.label}: it declares deps {dep!r}, and there is no such file "
                    f"in {_shown(self.cwd, self.settings.rootdir)}"
                    + (f"; did you mean {near!r}?" if near else "")
                )

    def _drop(self) -> None:
        if self._runner is not None:
            self._runner.stop()
        self._runner = None
        self._position = 0
        self._histories.clear()

    def close(self) -> None:
        """Stop the kernel and keep what later runs want to know."""
        self._drop()
        if self.store is not None and self._record:
            cells = dict(self._before.get("cells") or {}) if isinstance(self._before, dict) else {}
            known = {cell.id for cell in self.notebook.cells}
            kept = {
                cell_id: facts for cell_id, facts in {**cells, **self._record}.items() if cell_id in known
            }
            self._before = {"cells": kept}
            self._record = {}
            try:
                environment = self.store.put_blob(msgspec.json.encode(self._inputs.environment()))
                self.store.put_record(self.notebook.name, {"cells": kept, "environment": environment})
            except OSError:
                return  # the cell that could not be stored has told it already

    # -- versions ------------------------------------------------------------------------------------------

    def _state_before(self, cell: Cell) -> State:
        """Return the State in which a cell finds the notebook, walking the cells above as far as needed."""
        history = digest_of("start")
        for above in self.notebook.cells[: cell.index]:
            if above.index in self._skipped:
                continue
            known = self._histories.get(above.index)
            if known is None:
                inputs = self._versions(above, history)
                known = self._histories[above.index] = self._history_after(above, inputs)
            history = known
        return State(self._inputs.version, {HISTORY: history})

    def _versions(self, cell: Cell, history: Version) -> dict[str, Version]:
        state = State(self._inputs.version, {HISTORY: history})
        return {name: state.version(name) for name in self._inputs.names(cell, self._material(cell))}

    def _inputs_now(self, cell: Cell) -> dict[str, Version]:
        state = self._state_before(cell)
        return self._versions(cell, state.version(HISTORY))

    def _history_after(self, cell: Cell, inputs: dict[str, Version]) -> Version:
        """Return the history below a cell; a cell that always runs gives another one every time."""
        nonce = str(time.time_ns()) if _always_runs(cell) else ""
        return history_after(inputs[HISTORY], self.lookup(cell), inputs, nonce)

    def _advance(self, cell: Cell, inputs: dict[str, Version]) -> None:
        """Note that a cell was executed with these inputs: what is below is walked anew from here."""
        for index in [index for index in self._histories if index >= cell.index]:
            del self._histories[index]
        self._histories[cell.index] = self._history_after(cell, inputs)
        if self._runner is not None:
            self._position = cell.index + 1

    def history_below(self, cell: Cell, inputs: dict[str, Version]) -> Version:
        """Return the Version of `@history` that a cell leaves."""
        return self._histories.get(cell.index) or self._history_after(cell, inputs)

    def _material(self, cell: Cell) -> dict[str, str]:
        found: dict[str, str] = {}
        for material in self.hooks.pytest_cells_key_material(notebook=self.notebook, cell=cell):
            found.update({str(name): str(value) for name, value in (material or {}).items()})
        return found

    def _forget(self, cell: Cell, inputs: dict[str, Version]) -> None:
        """Remove the trace of a cell that no longer passes."""
        if self.store is not None:
            self.store.remove_trace(Trace(self.lookup(cell), inputs, {}))

    def _why(self, cell: Cell, inputs: dict[str, Version]) -> str | None:
        before = self._before if isinstance(self._before, dict) else {}
        environments: tuple[dict[str, str], dict[str, str]] = ({}, {})
        known = (before.get("cells") or {}).get(cell.id)
        if known and (known.get("inputs") or {}).get(ENVIRONMENT) != inputs.get(ENVIRONMENT):
            environments = (self._stored_environment(before), self._inputs.environment())
        return why(cell, known, self.identity, inputs, self._first_miss, environments)

    def _stored_environment(self, before: Json) -> dict[str, str]:
        try:
            assert self.store is not None
            return msgspec.json.decode(self.store.get_blob(before["environment"]), type=dict[str, str])
        except (Damaged, KeyError, TypeError, msgspec.DecodeError):
            return {}

    def _facts(self, run: CellRun, result: CellResult, started: int) -> CellFacts:
        failed = result.status == "error"
        outputs = run.outcome.outputs if run.outcome else []
        streams = [(out["name"], out["text"]) for out in outputs if out["output_type"] == "stream"]
        now = self.session.executor_started()
        return CellFacts(
            notebook=self.notebook.name,
            result=result,
            large_artifacts=run.large_artifacts,
            source=run.cell.source if failed else "",
            streams=streams,
            position=f"cell {run.cell.index + 1} of {len(self.notebook.cells)}",
            first_line=run.cell.first_line[:60],
            kernels_started=now - started,
            startup_ms=self.session.executor.startup_ms[started:now] if now > started else [],
            notes=run.notes,
        )


class Session:
    """One session: settings, the store, the executor, and the notebooks that are under way.

    Use it as a context manager; leaving it ends all kernels.
    """

    def __init__(self, settings: Settings, hooks: Any = None) -> None:
        self.settings = settings
        self.hooks = hooks if hooks is not None else _no_hooks()
        self.digests = Digests()
        self.store: Store | None = Store(settings.cache.folder) if settings.cache.folder else None
        self.large_limit_mb = settings.artifacts.max_mb
        self._executor: Executor | None = None
        self._runs: dict[Path, NotebookRun] = {}

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def executor(self) -> Executor:
        """The executor that was asked for, loaded at first use. Raises ExecutorError."""
        if self._executor is None:
            self._executor = load_executor(self.settings)
        return self._executor

    def executor_started(self) -> int:
        """Return how many kernels were started so far, without loading an executor."""
        return self._executor.started if self._executor is not None else 0

    def read(self, path: Path) -> Notebook:
        """Read a notebook. Raises NotebookError or DirectiveError."""
        return read_notebook(path, _shown(path, self.settings.rootdir))

    def open(self, notebook: Notebook, hooks: Any = None) -> NotebookRun:
        """Return the run of a notebook, the same one for as long as it is not released."""
        if notebook.path not in self._runs:
            self._runs[notebook.path] = NotebookRun(
                self, notebook, hooks if hooks is not None else self.hooks
            )
        return self._runs[notebook.path]

    def release(self, notebook: Notebook) -> None:
        """Stop a notebook's kernel: no more of its cells come, as far as is known."""
        run = self._runs.get(notebook.path)
        if run is not None:
            run.close()

    def close(self) -> None:
        """End everything. May be called twice."""
        try:
            for run in self._runs.values():
                run.close()
        finally:
            if self._executor is not None:
                self._executor.close()
        if self.store is not None:
            self.store.collect_garbage(self.settings.cache.max_size_mb)

    def run(self, paths: Iterable[Path]) -> SessionReport:
        """Evaluate all cells of some notebooks and return the report."""
        began = time.monotonic()
        listed: dict[str, list[tuple[str, str | None]]] = {}
        unread: dict[str, str] = {}
        facts: list[CellFacts] = []
        for path in paths:
            try:
                notebook = self.read(path.absolute())
            except CellsError as error:
                unread[_shown(path.absolute(), self.settings.rootdir)] = str(error)
                continue
            listed[notebook.name] = [(cell.id, cell.name) for cell in notebook.cells]
            run = self.open(notebook)
            for cell in notebook.cells:
                facts.append(run.evaluate(cell))
                if cell.directives.xfail is not None:
                    facts[-1] = expected_failure(facts[-1], cell.directives.xfail)
                    run.expect_failure(cell)
            self.release(notebook)
        spent_ms = (time.monotonic() - began) * 1000
        return build_session(listed, facts, unread, total_duration_ms=spent_ms, cache=self.cache_report())

    def cache_report(self) -> CacheReport:
        """Return what a report says of the cache before anything is counted."""
        folder = self.settings.cache.folder
        return CacheReport(folder is not None, _shown(folder, self.settings.rootdir) if folder else None)


def expected_failure(facts: CellFacts, reason: str) -> CellFacts:
    """Return the facts of a cell that failed as expected: reported as skipped, as pytest's xfail is."""
    if facts.result.status != "error" or facts.result.error is None:
        return facts
    error = facts.result.error
    told = (
        f"xfail: {reason} ({error.ename}: {error.evalue})"
        if error.evalue
        else f"xfail: {reason} ({error.ename})"
    )
    return msgspec.structs.replace(
        facts, result=msgspec.structs.replace(facts.result, status="skipped", reason=told)
    )


def _always_runs(cell: Cell) -> str | None:
    """Return why a cell is executed in every run, or None."""
    if not cell.directives.cache:
        return "cache=off"
    return "an xfail cell always runs" if cell.directives.xfail is not None else None


def _told(error: CellsError) -> CellError:
    """Return an error of ours as the error of a cell, without a traceback of ours."""
    if isinstance(error, PrerequisiteFailed):
        return CellError("PrerequisiteFailed", str(error), error.error.traceback)
    return CellError(type(error).__name__, str(error))


def _raised(error: Exception) -> CellError:
    """Return what a user's hook raised, with the frames that are the user's."""
    package = str(Path(__file__).parent)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(package)
    ]
    lines = [line.rstrip("\n") for line in traceback.format_list(frames)]
    return CellError(type(error).__name__, str(error), lines)


def _flat(found: Iterable[Any]) -> list[Any]:
    """Join what several hooks returned; the first registered comes first."""
    return [item for part in reversed(list(found)) for item in part or ()]


def _shown(path: Path, rootdir: Path) -> str:
    """Return a path as reports show it: relative to rootdir where it is inside, with forward slashes."""
    try:
        return path.relative_to(rootdir).as_posix()
    except ValueError:
        return path.as_posix()


def _nearest(dep: str, folder: Path) -> str | None:
    import difflib  # only for a message

    parent = (folder / dep).parent
    names = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    near = difflib.get_close_matches(Path(dep).name, names, n=1)
    return (Path(dep).parent / near[0]).as_posix() if near else None


def _no_hooks() -> Any:
    """Return a hook relay to which nobody has added anything."""
    import pluggy  # pytest's own dependency; a Session under pytest is given pytest's relay

    from pytest_cells import hookspecs

    manager = pluggy.PluginManager("pytest")
    specs: Mapping[str, Any] = {
        name: value for name, value in vars(hookspecs).items() if name.startswith("pytest_cells_")
    }
    mark = pluggy.HookspecMarker("pytest")
    for value in specs.values():
        mark(value)
    manager.add_hookspecs(hookspecs)
    return manager.hook


__all__ = ["CellRun", "NotebookError", "NotebookRun", "PrerequisiteFailed", "Session", "expected_failure"]
