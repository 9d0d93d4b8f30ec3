"""Read, plan, evaluate, report: one session over any number of notebooks. Knows no pytest.

Pytest's loop asks `NotebookRun.evaluate` cell by cell; `Session.run` asks it in a `for` loop.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from pytest_cells.cache.files import Digests
from pytest_cells.cache.snapshots import user_key
from pytest_cells.cache.store import Store, nothing_hits
from pytest_cells.cache.trace import digest_of
from pytest_cells.errors import CellsError
from pytest_cells.evaluator import Executor, KernelUsage
from pytest_cells.executors import load_executor
from pytest_cells.in_kernel.versions import Versions
from pytest_cells.model import Notebook
from pytest_cells.notebooks.read import read_notebook
from pytest_cells.report import CacheReport, CellFacts, SessionReport, build_session
from pytest_cells.run import Marks, NotebookRun
from pytest_cells.settings import Settings
from pytest_cells.tracing.environments import Environments
from pytest_cells.tracing.seal import Sealer
from pytest_cells.tracing.walk import trace_lookup
from pytest_cells.tracing.whole import KnownNotebook, sources_of, told


class Session:
    """One session: settings, the store, the executor, and the notebooks that are under way.

    Use it as a context manager; leaving it ends all kernels.
    """

    def __init__(self, settings: Settings, hooks: Any = None, executor: Executor | None = None) -> None:
        """Begin with an executor that somebody has loaded already, else load one at first use."""
        self.settings = settings
        self.hooks = hooks if hooks is not None else plugin_manager().hook
        self.digests = Digests()
        self.files = Versions()
        self.store: Store | None = Store(settings.cache.folder) if settings.cache.folder else None
        self.sealer = Sealer(user_key)
        self._executor = executor
        self.late_notes: list[str] = []
        """What came to be known after the last cell of a notebook was reported."""
        self.interrupted: CellFacts | None = None
        """The cell that was under way when the user stopped the run."""
        self._nothing_hits: bool | None = None
        self._edited: dict[Path, bool] = {}
        self._known: dict[Path, KnownNotebook | None] = {}
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

    def kernel_usage(self) -> KernelUsage:
        """Return which kernels were started so far, without loading an executor."""
        return self._executor.usage if self._executor is not None else KernelUsage()

    def read(self, path: Path) -> Notebook:
        """Read a notebook. Raises NotebookError or DirectiveError."""
        return read_notebook(path, self.settings.shown(path))

    def open(self, notebook: Notebook, hooks: Any = None, marks: Callable[[], Marks] | None = None) -> NotebookRun:
        """Return the run of a notebook, always the same one.

        `marks` is asked once for what somebody else decided about its cells.
        """
        if notebook.path not in self._runs:
            relay = hooks if hooks is not None else self.hooks
            self._runs[notebook.path] = NotebookRun(self, notebook, relay, marks() if marks else Marks())
        return self._runs[notebook.path]

    def expect(self, notebook: Notebook) -> None:
        """Prepare for running a notebook of which cells are selected, where it is sure that some must be executed.

        Whether a cell hits is found out when its turn comes; until then a kernel is prepared only where nothing can
        hit, or where a cell has a source that has never passed. What goes wrong here goes wrong again, and is told,
        when the kernel is needed.
        """
        with contextlib.suppress(Exception):
            if self._surely_executes() or self._was_edited(notebook):
                self.executor.prepare(notebook)

    @cached_property
    def settings_told(self) -> str:
        """All settings that may decide about cells, as a text."""
        return told(self.settings)

    @cached_property
    def environments(self) -> Environments:
        """The environments of which the store has results; there must be one."""
        assert self.store is not None
        return Environments(self.store)

    def known(self, notebook: Notebook) -> KnownNotebook | None:
        """Return what was kept, when this was asked first, of a notebook of which all cells were cached."""
        if notebook.path not in self._known:
            kept = self.store.get_whole(notebook.name, KnownNotebook) if self.store is not None else None
            self._known[notebook.path] = kept
        return self._known[notebook.path]

    def _was_edited(self, notebook: Notebook) -> bool:
        """Tell whether a notebook was edited before this session: asked with each cell of the one before it."""
        if notebook.path not in self._edited:
            self._edited[notebook.path] = self._is_edited(notebook)
        return self._edited[notebook.path]

    def _is_edited(self, notebook: Notebook) -> bool:
        """Tell whether there is no result of some cell's source; only of those that were edited is that asked."""
        if self.store is None or self.settings.cache.rung != "traces":
            return False
        known = self.known(notebook)
        if known is not None and known.sources == sources_of(notebook):
            return False
        passed = self.store.passed_sources(notebook.name)
        counted = [cell for cell in notebook.cells if cell.directives.skip is None and not cell.blank]
        edited = [cell for cell in counted if passed.get(cell.id) != digest_of(cell.source)]
        if not edited:
            return False
        identity, executor = self.executor.identify(notebook), self.settings.kernel.executor
        lookups = (trace_lookup(cell, identity, executor) for cell in edited)
        return identity.traceable and not all(map(self.store.knows, lookups))

    def _surely_executes(self) -> bool:
        """Tell whether no cell can hit: as it was at the beginning."""
        if self._nothing_hits is None:
            self._nothing_hits = nothing_hits(self.settings.cache)
        return self._nothing_hits

    def share_kernels(self) -> Any:
        """Prepare what other processes of this session can use of ours; return what they are to be told, or None.

        None too where some cells may hit: then it is not known whether a kernel is needed at all.
        """
        share = getattr(self.executor, "share", None)
        if share is not None and self._surely_executes():
            with contextlib.suppress(Exception):
                return share()
        return None

    def release(self, notebook: Notebook) -> None:
        """Stop a notebook's kernel: no more of its cells come, as far as is known."""
        run = self._runs.get(notebook.path)
        if run is not None:
            run.close()
        self._known.pop(notebook.path, None)

    def stop(self) -> None:
        """Ask all kernels to end, without waiting for them."""
        for run in self._runs.values():
            run.close()

    def close(self) -> None:
        """End everything. May be called twice."""
        try:
            self.stop()
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
                unread[self.settings.shown(path.absolute())] = str(error)
                continue
            listed[notebook.name] = [(cell.id, cell.name) for cell in notebook.cells]
            run = self.open(notebook)
            for cell in notebook.cells:
                facts.append(run.evaluate(cell, undisturbed=True))
                if cell.directives.xfail is not None:
                    facts[-1] = expected_failure(facts[-1], cell.directives.xfail)
                    run.expect_failure(cell)
            self.release(notebook)
        spent_ms = (time.monotonic() - began) * 1000
        return build_session(listed, facts, unread, total_duration_ms=spent_ms, cache=self.cache_report())

    def cache_report(self) -> CacheReport:
        """Return what a report says of the cache before anything is counted."""
        folder = self.settings.cache.folder
        shown = self.settings.shown(folder) if folder else None
        return CacheReport(folder is not None, shown, self.settings.cache.rung, notes=self.late_notes)


def expected_failure(facts: CellFacts, reason: str) -> CellFacts:
    """Return the facts of a cell that failed as expected: reported as skipped, as pytest's xfail is."""
    if facts.result.status != "error" or facts.result.error is None:
        return facts
    error = facts.result.error
    told = f"xfail: {reason} ({error.ename}: {error.evalue})" if error.evalue else f"xfail: {reason} ({error.ename})"
    return msgspec.structs.replace(facts, result=msgspec.structs.replace(facts.result, status="skipped", reason=told))


def plugin_manager() -> Any:
    """Return a manager of plugins that knows our hooks and to which nobody has added anything."""
    import pluggy  # pytest's own dependency; a Session under pytest is given pytest's relay

    from pytest_cells import hookspecs

    manager = pluggy.PluginManager("pytest")
    mark = pluggy.HookspecMarker("pytest")
    for name, value in vars(hookspecs).items():
        if name.startswith("pytest_cells_"):
            mark(value)
    manager.add_hookspecs(hookspecs)
    return manager
