"""On the controller: gather facts from reports, write the report file and the terminal's summary."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_cells.cache.files import write_whole
from pytest_cells.errors import CellsError
from pytest_cells.model import Cell
from pytest_cells.plugin.items import CellItem
from pytest_cells.plugin.reports import facts_of, restore_failure
from pytest_cells.report import CellFacts, CellResult, ErrorReport, SessionReport, build_session, to_json
from pytest_cells.session import Session

STOPPED = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR)
LAST_REPORT = "last-report.json"


class Summary:
    """Everything here is known from reports alone, so that it is the same with and without xdist."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config, self._session = config, session
        self._began = time.monotonic()
        self._facts: dict[tuple[str, str], CellFacts] = {}
        self._notebooks: dict[str, tuple[Cell, ...] | None] = {}
        """The cells of each selected notebook; None where only workers have read it."""
        self._unread: dict[str, str] = {}
        self._crashed: dict[str, str] = {}
        self._under_way: set[str] = set()
        self._report: SessionReport | None = None
        self._problem: str | None = None

    # -- gathering -----------------------------------------------------------------------------------------

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note notebooks that could not be read."""
        if report.failed and report.nodeid.endswith(".ipynb"):
            self._unread[report.nodeid] = str(report.longrepr)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which notebooks have cells that were selected."""
        notebooks = (item.parent.notebook for item in session.items if isinstance(item, CellItem))
        self._notebooks.update({notebook.name: notebook.cells for notebook in notebooks})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        """Note the same from what a worker has collected."""
        found = (name for name, separator, _ in (nodeid.partition("::") for nodeid in ids) if separator)
        for name in found:
            if name.endswith(".ipynb"):
                self._notebooks.setdefault(name, None)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note that a cell has begun."""
        if ".ipynb::" in nodeid:
            self._under_way.add(nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Note that a cell is done."""
        self._under_way.discard(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a cell's facts; a later report of the same cell (a rerun) replaces an earlier one."""
        facts = facts_of(report)
        if facts is not None:
            restore_failure(report, facts)
            self._facts[facts.notebook, facts.result.cell_id] = facts
            self._notebooks.setdefault(facts.notebook, None)
        elif report.when not in ("setup", "call", "teardown") and ".ipynb::" in report.nodeid:
            self._crashed[report.nodeid] = str(report.longrepr)

    # -- writing -------------------------------------------------------------------------------------------

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Build the report and write its file."""
        listed = {name: cells for name in self._notebooks if (cells := self._cells(name)) is not None}
        self._report = build_session(
            {name: [(cell.id, cell.name) for cell in cells] for name, cells in listed.items()},
            [*self._facts.values(), *self._crash_facts(listed), *self._interrupted_facts(listed, exitstatus)],
            self._unread,
            total_duration_ms=(time.monotonic() - self._began) * 1000,
            cache=self._session.cache_report(),
            stopped=exitstatus in STOPPED,
        )
        if self._session.store is not None and self._facts:
            with contextlib.suppress(OSError):
                write_whole(self._session.store.folder / LAST_REPORT, to_json(self._report))
        target = self._config.getoption("cells_report")
        if target and target != "-":
            try:
                write_whole(Path(self._config.invocation_params.dir, target), to_json(self._report))
            except OSError as error:
                self._problem = f"--cells-report {target}: cannot be written: {error.strerror or error}"
                session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write what became of the cells."""
        if self._report is not None and (self._report.runs or self._problem):
            self._summarise(terminalreporter, self._report)

    def _summarise(self, tr: pytest.TerminalReporter, report: SessionReport) -> None:
        results = [result for run in report.runs for result in run.cell_results]
        if self._config.option.collectonly or not any(result.index is not None for result in results):
            return
        if self._config.getoption("cells_explain"):
            tr.section("why each cell was run or not", sep="-")
            for run in report.runs:
                for result in run.cell_results:
                    label = result.cell_name or result.cell_id
                    tr.line(f"{run.notebook}::{label} {result.status}: {result.reason or 'no reason known'}")
        for run in report.runs:
            for large in run.large_artifacts:
                cell = large.cell_name or large.cell_id
                size = f"{large.size_mb:.1f} MB, limit {large.limit_mb:g} MB"
                tr.line(f"large artifact: {large.path} ({size}), written by {run.notebook}::{cell}", yellow=True)
        for note in report.cache.notes:
            tr.line(f"cells: {note}", yellow=True)
        tr.line(f"cells: {told_in_a_line(report)}")
        if self._config.getoption("cells_report") == "-":
            tr.line(to_json(report).decode("utf-8"))
        if self._problem:
            tr.line(self._problem, red=True)

    def _cells(self, name: str) -> tuple[Cell, ...] | None:
        """Return the cells of a notebook, which is read here where only workers have done so."""
        if name in self._unread or self._notebooks[name] is not None:
            return self._notebooks[name]
        try:
            return self._session.read(self._session.settings.rootdir / name).cells
        except CellsError:
            return None

    def _interrupted_facts(self, listed: dict[str, tuple[Cell, ...]], exitstatus: int) -> list[CellFacts]:
        """Return facts for the cells that were under way when the user stopped the run."""
        if exitstatus != pytest.ExitCode.INTERRUPTED:
            return []
        known = self._session.interrupted
        told = ErrorReport("KeyboardInterrupt", "the run was stopped while the cell was executed")
        found = {(known.notebook, known.result.cell_id): known} if known is not None else {}
        for nodeid, name, cell in self._cells_of(self._under_way, listed):
            plain = CellResult(cell.id, cell.name, "error", error=told, index=cell.index)
            facts = found.get((name, cell.id), CellFacts(name, plain))
            result = msgspec.structs.replace(facts.result, nodeid=nodeid)
            found[name, cell.id] = msgspec.structs.replace(facts, result=result)
        return [facts for key, facts in found.items() if key not in self._facts]

    def _cells_of(self, nodeids: Iterable[str], listed: dict[str, tuple[Cell, ...]]) -> Iterator[tuple[str, str, Cell]]:
        """Yield node id, notebook and cell of those that are known."""
        for nodeid in sorted(nodeids):
            name, _, label = nodeid.partition("::")
            for cell in listed.get(name, ()):
                if cell.label == label:
                    yield nodeid, name, cell

    def _crash_facts(self, listed: dict[str, tuple[Cell, ...]]) -> list[CellFacts]:
        """Return facts for cells during which a worker was lost: their reports come from xdist, without any."""
        found = []
        for nodeid, name, cell in self._cells_of(self._crashed, listed):
            if (name, cell.id) not in self._facts:
                error = ErrorReport("WorkerCrashed", self._crashed[nodeid], [])
                result = CellResult(cell.id, cell.name, "error", error=error, index=cell.index, nodeid=nodeid)
                found.append(CellFacts(name, result))
        return found


def told_in_a_line(report: SessionReport) -> str:
    """Say in one line what ran, in how many kernels, and what the cache saved."""
    results = [result for run in report.runs for result in run.cell_results]
    run = sum(result.attempts > 0 for result in results)
    kernels = report.kernels.started
    died = report.kernels.died
    words = [f"{report.cache.hits} cached"] if report.cache.enabled else []
    words.append(f"{run} run in {kernels} kernel{'s' * (kernels != 1)}" if kernels else f"{run} run, no kernel started")
    if died:
        words.append(f"{died} kernel{'s' * (died != 1)} died")
    if report.cache.saved_ms >= 1:
        words.append(f"{_seconds(report.cache.saved_ms)} saved")
    return ", ".join(words)


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms >= 100 else f"{ms:.0f} ms"
