"""What is registered under `--cells`: the hooks, each a line or two."""

from __future__ import annotations

import atexit
import contextlib
import gc
import signal
import sys
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cells.errors import CellsError, ExecutorError, SettingsError, StoreError
from pytest_cells.evaluator import Executor
from pytest_cells.executors import find_executor
from pytest_cells.plugin import compat, fixtures, reports
from pytest_cells.plugin.items import SESSION, CellItem, Order, collect_file, find_hooks, keep_notebooks_whole
from pytest_cells.plugin.loop import Loop, release
from pytest_cells.plugin.summary import Summary
from pytest_cells.session import Session
from pytest_cells.settings import KernelSettings, Settings


def configure(config: pytest.Config, settings: Settings, executor: Executor | None) -> None:
    """Check what was asked for and register the hooks. Raises UsageError for what cannot be done.

    `executor` is one that has begun to work already.
    """
    try:
        find_executor(settings.kernel.executor)
        if settings.kernel.manager:
            from pytest_cells.kernels.managers import load_manager  # loads asyncio and jupyter_client

            load_manager(settings.kernel.manager)
    except (ExecutorError, SettingsError) as error:
        raise pytest.UsageError(str(error)) from None
    session = Session(settings, executor=executor)
    config.stash[SESSION] = session
    config.pluginmanager.register(CellsPlugin(), "pytest_cells_plugin")
    config.pluginmanager.register(fixtures, "pytest_cells_fixtures")
    if settings.kernel.executor != "jupyter":
        _load_executor_now(session)
    end_on_sigterm(config)
    config.add_cleanup(session.close)  # after pytest's own end, whose garbage collections take as long as kernels' ends
    if hasattr(config, "workerinput"):
        # What is garbage pytest has collected by then. Python would look twice more through all that is alive, and the
        # controller waits for that: 0.05 s.
        atexit.register(gc.freeze)
        return
    _prepare_store(config, session)
    config.pluginmanager.register(Summary(config, session), "pytest_cells_summary")
    if config.pluginmanager.hasplugin("dsession") or config.pluginmanager.hasplugin("xdist"):
        from pytest_cells.plugin.xdist import XdistHooks

        config.pluginmanager.register(XdistHooks(session), "pytest_cells_xdist")


def end_on_sigterm(config: pytest.Config) -> None:
    """Let SIGTERM end pytest as Ctrl-C does, so that kernels end too; who has a handler already keeps it."""

    def stop(signum: int, frame: Any) -> None:
        raise KeyboardInterrupt("ended by SIGTERM")

    with contextlib.suppress(ValueError):  # not the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, stop)
            config.add_cleanup(partial(signal.signal, signal.SIGTERM, signal.SIG_DFL))  # type: ignore[arg-type]


def _load_executor_now(session: Session) -> None:
    try:
        assert session.executor is not None
    except CellsError as error:
        raise pytest.UsageError(str(error)) from None


def _prepare_store(config: pytest.Config, session: Session) -> None:
    """Make the cache folder usable; one that was named and cannot be used is an error."""
    if session.store is None:
        return
    try:
        session.store.prepare()
    except StoreError as error:
        if config.getoption("cells_cache_dir"):
            raise pytest.UsageError(str(error)) from None
    if config.getoption("cacheclear", default=False):
        session.store.clear()


def describe(config: pytest.Config, settings: Settings) -> str:
    """Return the line of pytest's header."""
    folder = settings.cache.folder
    if folder is None:
        off = "--cells-no-cache" if config.getoption("cells_no_cache") else "pytest's cacheprovider is off"
        cache = f"off ({off})"
    else:
        cache = f"{settings.shown(folder)} ({settings.cache.rung}{', forced' if settings.cache.force else ''})"
    kernel = settings.kernel.name or "as notebooks say"
    executor = "" if settings.kernel.executor == "jupyter" else f", executor: {settings.kernel.executor}"
    manager = f", kernel manager: {settings.kernel.manager}" if settings.kernel.manager else ""
    return f"cells: cache: {cache}, kernel: {kernel}{manager}{executor}"


def describe_kernels(settings: KernelSettings) -> list[str]:
    """Return the header's line on how kernels are started; none where somebody else's executor does that."""
    if settings.executor != "jupyter":
        return []
    forked = settings.fork_server != "off" and sys.platform.startswith("linux")
    words = ["fork server" if forked else "jupyter"]
    if forked and settings.preload:
        words.append(f"preload: {' '.join(settings.preload)}")
    words.append(f"retries: {settings.retries}")
    if settings.max_memory_mb:
        words.append(f"memory: {settings.max_memory_mb:g} MB")
    return [f"cells: kernels: {', '.join(words)}"]


class CellsPlugin:
    """Our hooks, in every process that collects or runs cells."""

    def __init__(self) -> None:
        self._loop = Loop()

    finished = False
    """Whether the session's end has come: from then on statuses stand in summaries, not in lines of progress."""

    order: Order | None = None
    """The notebooks of a session without xdist."""

    @pytest.hookimpl
    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect notebooks."""
        return collect_file(file_path, parent)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, None, None]:
        """Keep each notebook's cells together and in order, whatever others did: pytest's --ff comes last of all."""
        yield
        keep_notebooks_whole(items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Prepare for the notebooks that will be run; a worker of xdist learns their order only as it goes."""
        find_hooks(session)
        if not compat.runs_nothing(session.config) and not hasattr(session.config, "workerinput"):
            self.order = Order(session)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run all items, where only pytest's own loop would."""
        return self._loop.run(session) or None

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Report a cached cell at once where the ways through setup, call and teardown would change nothing."""
        return self._loop.protocol(item, nextitem) or None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach our facts to the report."""
        report = yield
        reports.attach(item, call, report)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Stop a notebook's kernel when its last cell is done; until then the next one's may be launched."""
        if isinstance(item, CellItem):
            if self.order is not None:
                self.order.under_way(item.parent)
            if nextitem is None or nextitem.parent is not item.parent:
                release(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any, config: pytest.Config) -> Any:
        """Give cached cells their own word and letter."""
        return reports.status_of(report, verbose=config.option.verbose > 0 and not self.finished)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Note the end."""
        self.finished = True

    def pytest_report_header(self, config: pytest.Config) -> list[str]:
        """Say where results are kept and what runs the cells."""
        settings = config.stash[SESSION].settings
        return [describe(config, settings), *describe_kernels(settings.kernel)]

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Colour the last line."""
        compat.count_cached_as_good(session.config)
