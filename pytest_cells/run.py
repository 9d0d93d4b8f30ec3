"""One notebook while its cells are evaluated, in order or in whatever order is asked for."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_cells.artifacts import ArtifactFolders
from pytest_cells.cache.explain import remember, why
from pytest_cells.cache.keys import Inputs
from pytest_cells.cache.trace import (
    ENVIRONMENT,
    Artifact,
    CellRecord,
    Damaged,
    NotebookRecord,
    Trace,
    Version,
)
from pytest_cells.chain import ChainRung
from pytest_cells.compare import differences
from pytest_cells.errors import CellInterrupted, CellsError, PrerequisiteFailed, PrerequisiteSkipped
from pytest_cells.evaluator import Evaluator, Executor, KernelUsage, Lifecycle
from pytest_cells.judge import judge
from pytest_cells.kernels.tracebacks import plain
from pytest_cells.lifecycles import built_in
from pytest_cells.lifecycles.cached import Cached
from pytest_cells.live import LiveKernel
from pytest_cells.model import Cell, CellError, KernelIdentity, Notebook, Outcome, Status
from pytest_cells.plan import NOTHING_STORED, Hit, Run
from pytest_cells.report import CellFacts, CellResult, ErrorReport, KernelFacts, LargeArtifactWarning
from pytest_cells.tracing.kernel import TracedKernel
from pytest_cells.tracing.rung import TracesRung
from pytest_cells.tracing.walk import TraceWalk
from pytest_cells.tracing.whole import WholeNotebook, asked_of
from pytest_cells.walk import Walk

if TYPE_CHECKING:
    from pytest_cells.session import Session


@dataclass(frozen=True)
class Marks:
    """What somebody else decided about cells, by index: pytest's marks, for one."""

    skipped: frozenset[int] = frozenset()
    expected: frozenset[int] = frozenset()
    """Cells that are expected to fail."""
    selected: Callable[[], Collection[int]] | None = None
    """Tells which cells are going to be run; None where nobody says, and all may be."""


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
    """What executing it gave; None where it was not executed."""
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    unattributed: list[str] = field(default_factory=list)
    """Artifacts that changed meanwhile and that another notebook may have written."""
    moved: list[str] = field(default_factory=list)
    """Inputs that changed while the cell ran: which Version it read is not known."""
    large_artifacts: list[LargeArtifactWarning] = field(default_factory=list)
    audited: Trace | None = None
    """The trace that hit, where the cell is executed all the same, to be compared with it."""
    attempts: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """The cache key: what the cell is, and all that it read."""
        return Trace(self.run.walk.lookup(self.cell), self.inputs, {}).key

    def result(self, status: Status, **more: Any) -> CellResult:
        """Return a result for this cell."""
        return CellResult(self.cell.id, self.cell.name, status, index=self.cell.index, attempts=self.attempts, **more)

    def needs(self) -> CellResult:
        """Return the result of a cell that cannot run because of one above."""
        assert self.run.blocked is not None
        cell, what = self.run.blocked
        return self.result("skipped", reason=f"needs cell {cell.label}, which {what}")

    def failure(self, error: CellError) -> CellResult:
        """Return the result of a cell that failed with an error."""
        told = ErrorReport(plain(error.ename), plain(error.evalue), error.traceback)
        return self.result("error", error=told, line=error.line, reason=self.reason)


class NotebookRun:
    """Evaluate the cells of one notebook."""

    rung: ChainRung | TracesRung

    def __init__(self, session: Session, notebook: Notebook, hooks: Any, marks: Marks) -> None:
        self.session, self.notebook, self.hooks = session, notebook, hooks
        self.settings, self.store = session.settings, session.store
        self.folders = ArtifactFolders(session.settings, notebook.path.parent)
        self.blocked: tuple[Cell, str] | None = None
        """The cell that gave the ones below nothing, and what became of it."""
        self._marks = marks
        self._record: dict[str, CellRecord] = {}
        self._first_miss: str | None = None
        self._told_replayed: set[int] = set()
        self._told_kernels = (0, 0)
        self.last_bases: tuple[str, ...] = ()
        """Names of the classes of the error that the cell evaluated last raised."""
        self._opened = False
        self._spent_ms: dict[int, float] = {}
        """How long the cells took when they were executed, as far as that is known."""
        self._postponed: list[Callable[[], None]] = []
        self._store_notes: list[str] = []
        self._whole: WholeNotebook | None = None
        """The notebook as a whole, where nobody but us has a say in what is cached."""

    def _open(self) -> None:
        """Find out what the notebook runs in. Raises KernelError; done at the first cell, not at collection."""
        if self._opened:
            return
        executor = self.session.executor
        self._identity: KernelIdentity = executor.identify(self.notebook)
        setup_codes = [code for code in reversed(self.hooks.pytest_cells_setup_code(notebook=self.notebook)) if code]
        self._inputs = Inputs(
            self.notebook,
            self.settings.working_folder(self.notebook),
            self.settings.rootdir,
            self._identity,
            self.session.digests,
            "\n".join(setup_codes),
        )
        self.rung = self._build_rung(executor, setup_codes)
        for index in self._marks.skipped:
            self.walk.set_skipped(self.notebook.cells[index], skipped=True)
        self.live.expected.update(self._marks.expected)
        self._added: list[Lifecycle] = _flat(self.hooks.pytest_cells_lifecycles(notebook=self.notebook))
        self._evaluator: Evaluator[CellRun, CellResult] = Evaluator(built_in(self._added), self._execute)
        self.live.begin()
        self._whole = self._look_at_whole()
        self._opened = True

    def _look_at_whole(self) -> WholeNotebook | None:
        """Find out whether the whole notebook can be taken from the cache at one look; None where nobody may ask."""
        cache, walk = self.settings.cache, self.walk
        if self.store is None or cache.force or cache.audit or not isinstance(walk, TraceWalk):
            return None
        if walk.skipped or not self.notebook.cells:
            return None
        having_a_say = ("lifecycles", "key_material", "output_filters", "setup_code")
        if any(getattr(self.hooks, f"pytest_cells_{name}").get_hookimpls() for name in having_a_say):
            return None
        asked = asked_of(self.notebook, self._identity, self.session.settings_told, self._marks)
        return WholeNotebook(self.store, walk, asked, self.session.known(self.notebook))

    def _build_rung(self, executor: Executor, setup_codes: list[str]) -> ChainRung | TracesRung:
        """Return what decides for this notebook: traces where its cells can be observed, else the chain."""
        filters = _flat(self.hooks.pytest_cells_output_filters(notebook=self.notebook))
        name, rootdir = self.settings.kernel.executor, self.settings.rootdir
        if self.settings.cache.rung == "traces" and self.store is not None and self._identity.traceable:
            found = TraceWalk(
                self.notebook, self._inputs, self._identity, name, self._material, rootdir, self.session.files
            )
            found.selected = self._marks.selected
            traced = TracedKernel(
                executor,
                self.notebook,
                found,
                self.settings,
                setup_codes,
                filters,
                self._around_replay,
                self.catch_up,
                self.store,
                self.session.sealer,
                self.session.environments,
            )
            return TracesRung(found, traced, self.store, rootdir, self.session.environments)
        walk = Walk(self.notebook, self._inputs, self._identity, name, self._material)
        live = LiveKernel(
            executor, self.notebook, walk, self.settings, setup_codes, filters, self._around_replay, self.catch_up
        )
        return ChainRung(walk, live, self.store)

    @property
    def walk(self) -> Walk | TraceWalk:
        """The Versions that the notebook's cells find."""
        return self.rung.walk

    @property
    def live(self) -> LiveKernel:
        """The notebook's kernel."""
        return self.rung.live

    @cached_property
    def _before(self) -> NotebookRecord:
        """What is remembered of the notebook's cells, read when it is needed first."""
        found = self.store.get_record(self.notebook.name) if self.store else None
        return found or NotebookRecord({})

    # -- one cell ------------------------------------------------------------------------------------------

    def evaluate(self, cell: Cell, *, undisturbed: bool = False) -> CellFacts:
        """Take a cell from the cache or execute it, with what it needs; never raises for what a cell does.

        `undisturbed` tells that nobody else could change anything between this cell and the one before.
        """
        began = time.monotonic()
        before = self.session.kernel_usage()
        if self.blocked and self.blocked[0].index >= cell.index:
            self.blocked = None  # it is evaluated again, in a kernel that has not seen the failure
            if self._opened:
                self.live.drop()
                self.live.begin()
        run = CellRun(self.notebook, cell, self)
        self.last_bases = ()
        try:
            self._open()
            known = self._known(cell, began, undisturbed=undisturbed)
            if known is not None:
                return known
            result = self._evaluated(run)
            if run.outcome is None and result.status != "cached" and self.blocked is None:
                self.walk.set_skipped(cell, skipped=True)
        except CellInterrupted as stop:
            run.outcome = stop.outcome
            assert stop.outcome.error is not None
            result = _lasted(run.failure(stop.outcome.error), began)
            self.session.interrupted = self._facts(run, result, before)
            raise
        except PrerequisiteSkipped as skipped:
            self.blocked = (skipped.cell, "was skipped")
            self.forget(skipped.cell, skipped.inputs)
            result = run.needs()
        except CellsError as error:
            unusable = not self._opened and self.blocked is not None
            result = run.needs() if unusable else run.failure(self._told(error))
        except Exception as error:  # a lifecycle or hook of the user's
            result = run.failure(_raised(error))
        if result.status == "error" and self.blocked is None:
            self.blocked = (cell, "failed")
        if run.outcome is not None and self._first_miss is None:
            self._first_miss = cell.label
        return self._facts(run, _lasted(result, began), before)

    def _evaluated(self, run: CellRun) -> CellResult:
        self.walk.set_skipped(run.cell, skipped=run.cell.directives.skip is not None)
        return self._evaluator.evaluate(run)

    def take_hit(self, cell: Cell, *, undisturbed: bool = False) -> CellFacts | None:
        """Take a cell from the cache where nobody else has a say and no kernel is needed to know; None otherwise.

        `undisturbed` is that of `evaluate`. Gives what `evaluate` would give. Once a cell of the notebook had to be
        executed it is always None.
        """
        cache = self.settings.cache
        elsewhere = self.store is None or cache.force or cache.audit or cell.directives.skip is not None
        if elsewhere or self.blocked is not None or self._first_miss is not None:
            return None
        began = time.monotonic()
        before = self.session.kernel_usage()
        self.last_bases = ()
        try:
            self._open()
            known = self._known(cell, began, undisturbed=undisturbed)
            if known is not None:
                return known
            run = CellRun(self.notebook, cell, self)
            result = self._hit(run)
        except Exception:  # a hook of the user's, or ours: `evaluate` tells it
            return None
        return None if result is None else self._facts(run, _lasted(result, began), before)

    def _known(self, cell: Cell, began: float, *, undisturbed: bool) -> CellFacts | None:
        """Return the facts of a cell of a notebook that is known to be cached as a whole, looked at a moment ago.

        No kernel of the notebook's was started for that, nor is anything else to be told. Most cells of most runs are
        told here, so that each microsecond counts.
        """
        if self._whole is None:
            return None
        if not undisturbed:
            self._forget_whole()
        if self.blocked is not None or self._first_miss is not None:
            return None
        known = self._whole.hit(cell.index)
        if known is None:
            return None
        self._whole.note(cell.index, cached=True)
        result = CellResult(
            cell.id,
            cell.name,
            "cached",
            cache_key=known.key,
            duration_ms=_ms_since(began),
            index=cell.index,
            reason=Hit.reason,
            saved_ms=known.saved_ms,
        )
        notes = self._notes(cell)
        return CellFacts(
            self.notebook.name, result, position=self._position(cell), first_line=_first(cell), notes=notes
        )

    def _forget_whole(self) -> None:
        """Look at the cells that come one by one: somebody else may have acted since the look."""
        if self._whole is not None:
            self._whole.forget()

    @property
    def known_hits(self) -> int:
        """How many cells were told from what is known of the notebook as a whole."""
        return self._whole.told if self._whole is not None else 0

    def _hit(self, run: CellRun) -> CellResult | None:
        """Return the result of a cell that is taken from the cache, if no kernel is needed to know that it can be."""
        if self._added or self.walk.unknown_above(run.cell) is not None:
            return None
        self.walk.set_skipped(run.cell, skipped=False)
        hit = Cached().setup(run)
        return None if hit is None else hit.result

    def skip(self, cell: Cell, reason: str) -> CellFacts:
        """Note that somebody else decided not to run a cell: it is not replayed for others either."""
        run = CellRun(self.notebook, cell, self)
        result = run.result("skipped", reason=reason)
        try:
            self._open()
            self._forget_whole()  # what is below may need it
            self.walk.set_skipped(cell, skipped=True)
        except CellsError as error:
            run.notes.append(str(error))
        return self._facts(run, result, self.session.kernel_usage())

    def setup_failed(self, cell: Cell, problem: str) -> CellFacts:
        """Note that somebody else's preparation of a cell failed: it did not run, so neither can what needs it."""
        run = CellRun(self.notebook, cell, self)
        self._forget_whole()
        self.blocked = self.blocked or (cell, "failed")
        return self._facts(run, run.failure(CellError("SetupFailed", problem)), self.session.kernel_usage())

    def expect_failure(self, cell: Cell) -> None:
        """Note that a cell that failed was expected to: the cells below go on where the kernel still lives."""
        if not self._opened:
            return
        self.live.expected.add(cell.index)
        if self.blocked and self.blocked[0] is cell and self.live.alive:
            self.blocked = None

    def plan(self, run: CellRun) -> Hit | Run:
        """Decide whether a cell is taken from the cache, and note the Versions of what it reads."""
        cell = run.cell
        self.rung.look(run)
        if self.store is None:
            return Run("the cache is off")
        if self.settings.cache.force:
            return Run("forced")
        if reason := self.never_cached(cell):
            return Run(reason)
        problems: list[str] = []
        decision = self.rung.decide(run, problems)
        if isinstance(decision, Run):
            return Run("; ".join([self._why(run, decision.reason), *problems]))
        self._spent_ms[cell.index] = decision.trace.duration_ms
        whole = self.settings.kernel.notebook_timeout
        spent_s = sum(ms for index, ms in self._spent_ms.items() if index <= cell.index) / 1000 if whole else 0.0
        if spent_s > whole:
            return Run(f"the notebook took {spent_s:.1f} s up to here, longer than its timeout of {whole:g} s")
        limit = self.live.timeout(cell)
        if limit and decision.trace.duration_ms > limit * 1000:
            return Run(f"it took {decision.trace.duration_ms / 1000:.1f} s, longer than its timeout of {limit:g} s")
        self.rung.hit(cell, decision.trace)
        return decision

    def never_cached(self, cell: Cell) -> str | None:
        """Return why a cell is executed in every run, itself or for one above it; None for an ordinary cell."""
        return self._identity.uncacheable or self.rung.unstored(cell)

    def later_hits(self, cell: Cell) -> Iterable[Trace]:
        """Yield the traces of the cells below that would hit, up to the first that would not."""
        return self.rung.later_hits(cell, lambda below: self.plan(CellRun(self.notebook, below, self)))

    def _execute(self, run: CellRun) -> CellResult:
        """Execute a cell that was reached; try again in a fresh kernel where the kernel died."""
        cell = run.cell
        while True:
            run.attempts += 1
            run.inputs, outcome = self.live.execute(cell)
            run.moved = self.rung.moved(cell, run.inputs)
            if not outcome.lost or run.attempts > self.settings.kernel.retries:
                break
            self.live.reach(cell)
        run.outcome = outcome
        self._spent_ms[cell.index] = outcome.duration_ms
        if outcome.verdict == "skipped":
            self.blocked = (cell, "was skipped")
            return run.result("skipped", reason=outcome.reason)
        error = judge(cell, outcome)
        self.last_bases = error.bases if error else ()
        if error is None and run.audited is not None:
            error = self._audited(run, run.audited, outcome)
        if error is None:
            return run.result("ok", reason=run.reason, cache_key=None if self.never_cached(cell) else run.key)
        if outcome.lost and run.attempts > 1:
            error = msgspec.structs.replace(error, evalue=f"{error.evalue}\n(seen in {run.attempts} kernels)")
        return run.failure(error)

    def _audited(self, run: CellRun, trace: Trace, outcome: Outcome) -> CellError | None:
        """Compare a cell that would have been cached with what executing it gave; its trace goes where they differ."""
        assert self.store is not None
        found = differences(self.store.outputs(trace), outcome.outputs, trace.writes, self.rung.trace(run).writes)
        if not found:
            return None
        self.store.remove_trace(trace)
        told = f"executed again, the cell gave something else than what was cached: {', '.join(found)}"
        hint = "its result is no longer cached; declare what it depends on (deps=), or that it always runs (cache=off)"
        return CellError("AuditDiffers", f"{told}\n  {hint}")

    def _around_replay(self, cell: Cell, replay: Callable[[], None]) -> bool:
        """Replay a cell inside the lifecycles that the user added; return whether they let it run."""
        ran: list[bool] = []

        def body(run: CellRun) -> CellResult:
            replay()
            ran.append(True)
            return run.result("ok")

        run = CellRun(self.notebook, cell, self)
        Evaluator[CellRun, CellResult](self._added, body).evaluate(run)
        return bool(ran)

    # -- what is kept --------------------------------------------------------------------------------------

    def passed(self, cell: Cell, inputs: dict[str, Version], duration_ms: float) -> None:
        """Note for later runs what a cell that passed depended on."""
        self._record[cell.id] = remember(cell, self._identity, inputs, duration_ms)

    def forget(self, cell: Cell, inputs: dict[str, Version]) -> None:
        """Remove the trace of a cell that no longer passes: nothing that it read has changed, and yet it fails."""
        self.catch_up()  # or what is to be stored of an earlier run of it would come back
        self.rung.forget(cell, inputs)

    def postpone(self, work: Callable[[], None]) -> None:
        """Put off work on the store until a kernel is busy with the next cell, or the notebook ends."""
        self._postponed.append(work)

    def catch_up(self) -> None:
        """Do what was put off. What cannot be stored is told with the next cell: it is the same for all."""
        while self._postponed:
            work = self._postponed.pop(0)
            try:
                work()
            except OSError as error:
                assert self.store is not None
                self._store_notes.append(
                    f"results cannot be stored in {self.store.folder}: {error.strerror or error}; these cells run "
                    "again next time (free some space, make the folder writable, or choose another with "
                    "--cells-cache-dir)"
                )

    def close(self) -> None:
        """Stop the kernel and keep what later runs want to know."""
        if not self._opened:
            return
        self.live.drop()
        self.catch_up()
        self.session.late_notes += self._store_notes
        self._store_notes = []
        self.folders.close()
        with contextlib.suppress(OSError):  # the cell that could not be stored has told it already
            self._keep_record()
        if self._whole is not None:
            with contextlib.suppress(OSError):
                self._whole.close()

    def _keep_record(self) -> None:
        """Keep what the cells that passed depended on. Raises OSError."""
        if self.store is None or not self._record:
            return
        known = {cell.id for cell in self.notebook.cells}
        cells = {cell_id: kept for cell_id, kept in self._before.cells.items() if cell_id in known}
        cells.update(self._record)
        self._record = {}
        if cells == self._before.cells:
            return
        environment = self.store.put_blob(msgspec.json.encode(self._inputs.environment()))
        self._before = NotebookRecord(cells, environment)
        self.store.put_record(self.notebook.name, self._before)

    # -- words ---------------------------------------------------------------------------------------------

    def _material(self, cell: Cell) -> dict[str, str]:
        found: dict[str, str] = {}
        for material in reversed(self.hooks.pytest_cells_key_material(notebook=self.notebook, cell=cell)):
            found.update({str(name): str(value) for name, value in (material or {}).items()})
        return found

    def _why(self, run: CellRun, otherwise: str) -> str:
        """Say what changed since this notebook last ran: traces of equal cells elsewhere would mislead."""
        cell, inputs = run.cell, run.inputs
        known = self._before.cells.get(cell.id)
        if known is None:
            return NOTHING_STORED
        if self.rung.name == "traces":
            if otherwise != NOTHING_STORED:
                return otherwise
            inputs = known.inputs  # those of now are known only beside those of a result
        environments: tuple[dict[str, str], dict[str, str]] = ({}, {})
        if known.inputs.get(ENVIRONMENT) != inputs.get(ENVIRONMENT):
            environments = (self._stored_environment(), self._inputs.environment())
        return why(cell, known, self._identity, inputs, self._first_miss, environments) or otherwise

    def _stored_environment(self) -> dict[str, str]:
        try:
            assert self.store is not None
            return msgspec.json.decode(self.store.get_blob(self._before.environment), type=dict[str, str])
        except (Damaged, msgspec.DecodeError):
            return {}

    def _told(self, error: CellsError) -> CellError:
        """Return an error of ours as the error of a cell, without a traceback of ours."""
        if isinstance(error, PrerequisiteFailed):
            self.forget(error.cell, error.inputs)
            return CellError("PrerequisiteFailed", str(error), error.error.traceback)
        return CellError(type(error).__name__, str(error))

    def _facts(self, run: CellRun, result: CellResult, before: KernelUsage) -> CellFacts:
        if self._whole is not None:
            self._whole.note(run.cell.index, cached=result.status == "cached")
        outputs = run.outcome.outputs if run.outcome else []
        return CellFacts(
            notebook=self.notebook.name,
            result=result,
            large_artifacts=tuple(run.large_artifacts),
            source=run.cell.source if result.status == "error" else "",
            streams=tuple((out["name"], out["text"]) for out in outputs if out["output_type"] == "stream"),
            position=self._position(run.cell),
            first_line=_first(run.cell),
            kernels=self._kernels(before),
            notes=(*run.notes, *self._notes(run.cell)),
            replayed=self._newly_replayed(),
        )

    def _position(self, cell: Cell) -> str:
        return f"cell {cell.index + 1} of {len(self.notebook.cells)}"

    def _kernels(self, before: KernelUsage) -> KernelFacts:
        """Return what became of kernels since `before`."""
        now = self.session.kernel_usage()
        starts, deaths = (self.live.starts, self.live.deaths) if self._opened else (0, 0)
        told = self._told_kernels
        self._told_kernels = (starts, deaths)
        return KernelFacts(
            started=now.started - before.started,
            forked=now.forked - before.forked,
            restarted=max(starts - 1, 0) - max(told[0] - 1, 0),
            died=deaths - told[1] + now.failed - before.failed,
            peak_memory_mb=self.live.peak_mb if self._opened else 0.0,
            startup_ms=tuple(now.startup_ms[before.started :]),
        )

    def _notes(self, cell: Cell) -> tuple[str, ...]:
        """Return what is to be told of the notebook's kernel, and of the store since this was last asked."""
        if cell is self.notebook.cells[-1]:
            self.catch_up()
        notes, self._store_notes = self._store_notes, []
        return (*self.live.notes, *notes) if self._opened else tuple(notes)

    def _newly_replayed(self) -> tuple[str, ...]:
        """Return the ids of cells that were replayed since this was last asked."""
        if not self._opened:
            return ()
        new = sorted(self.live.replayed - self._told_replayed)
        self._told_replayed.update(new)
        return tuple(self.notebook.cells[index].id for index in new)


def _lasted(result: CellResult, began: float) -> CellResult:
    """Return a result with the time since `began`, of the monotonic clock, as its duration."""
    return msgspec.structs.replace(result, duration_ms=_ms_since(began))


def _ms_since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 3)


def _first(cell: Cell) -> str:
    """Return what is shown of a cell beside its position."""
    return cell.first_line[:60]


def _raised(error: Exception) -> CellError:
    """Return what a user's hook raised, with the frames that are the user's."""
    package = str(Path(__file__).parent)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(package)]
    lines = [line.rstrip("\n") for line in traceback.format_list(frames)]
    return CellError(type(error).__name__, str(error), lines)


def _flat(found: Iterable[Any]) -> list[Any]:
    """Join what several hooks returned; the first registered comes first."""
    return [item for part in reversed(list(found)) for item in part or ()]
