"""Facts onto pytest's reports and back, and how a failed cell is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from pytest_cells.kernels.tracebacks import plain
from pytest_cells.plugin.items import FACTS, CellItem
from pytest_cells.report import CellFacts, facts_from_builtins, facts_to_builtins
from pytest_cells.session import expected_failure

ATTRIBUTE = "cells"
"""Where a report carries our facts: as JSON-ready data, since anything else crashes an xdist worker."""
CONTEXT_LINES = 12
"""Lines of source shown on either side of the failing one."""
STREAM_LINES = 40


@dataclass(frozen=True)
class CrashLine:
    """What pytest's short summary and JUnit show of a failure."""

    path: str
    lineno: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.lineno}: {self.message}"


class CellFailureRepr:
    """A failed cell: where it is, its source with an arrow, and the kernel's own traceback."""

    def __init__(self, facts: CellFacts) -> None:
        self.facts = facts
        result, error = facts.result, facts.result.error
        message = f"{error.ename}: {_first_line(error.evalue)}".rstrip(": ") if error else "failed"
        self.reprcrash = CrashLine(facts.notebook, result.line or 1, message)

    def __str__(self) -> str:
        import io

        from _pytest._io import TerminalWriter

        buffer = io.StringIO()
        writer = TerminalWriter(buffer)
        writer.hasmarkup = False
        self.toterminal(writer)
        return buffer.getvalue().rstrip("\n")

    def toterminal(self, tw: Any) -> None:
        """Write to a terminal, in colours where it has them."""
        facts, error = self.facts, self.facts.result.error
        line = f", line {facts.result.line}" if facts.result.line else ""
        tw.line(f"{facts.notebook}, {facts.position} ({_label(facts)}){line}", bold=True)
        tw.line()
        self._source(tw)
        if error is None:
            return
        frames = _user_frames(error.traceback)
        if frames:
            tw.line()
            for part in frames:
                tw.line(part if tw.hasmarkup else plain(part))
        told = f"{error.ename}: {error.evalue}" if error.evalue else error.ename
        last = plain(frames[-1]).splitlines() if frames else []
        if not last or error.ename not in last[-1] or _first_line(error.evalue) not in "\n".join(last):
            tw.line()
            for number, text in enumerate(told.splitlines()):
                tw.line(f"E   {text}" if not number else f"    {text}", red=True, bold=not number)
        if facts.result.reason:
            tw.line()
            tw.line(f"run because: {facts.result.reason}", light=True)

    def _source(self, tw: Any) -> None:
        lines = self.facts.source.splitlines()
        at = self.facts.result.line
        first, last = 1, len(lines)
        if at is not None and 1 <= at <= len(lines):
            first, last = max(1, at - CONTEXT_LINES), min(last, at + CONTEXT_LINES)
        else:
            at, last = None, min(last, 2 * CONTEXT_LINES)
        if first > 1:
            tw.line(f"     … {first - 1} lines")
        for number in range(first, last + 1):
            arrow = "-->" if number == at else "   "
            tw.line(f"{arrow} {number:3d} | {lines[number - 1]}", red=number == at)
        if last < len(lines):
            tw.line(f"     … {len(lines) - last} more lines")


def attach(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Put a cell's facts onto its report; note skips and expected failures that pytest decided."""
    if not isinstance(item, CellItem):
        return
    facts: CellFacts | None = None
    if call.when == "call":
        facts = item.stash.get(FACTS, None)
        if facts is not None and report.skipped and hasattr(report, "wasxfail"):
            item.run.expect_failure(item.cell)
            facts = expected_failure(facts, str(report.wasxfail).removeprefix("reason: "))
    elif call.when == "setup" and report.skipped:
        facts = item.run.skip(item.cell, _skip_reason(report))
    elif call.when == "setup" and report.failed:
        facts = item.run.setup_failed(item.cell, str(call.excinfo.value) if call.excinfo else "")
    if facts is not None:
        nodeid = msgspec.structs.replace(facts.result, nodeid=item.nodeid)
        setattr(report, ATTRIBUTE, facts_to_builtins(msgspec.structs.replace(facts, result=nodeid)))


def facts_of(report: Any) -> CellFacts | None:
    """Return the facts that a report carries."""
    data = getattr(report, ATTRIBUTE, None)
    return facts_from_builtins(data) if data is not None else None


def restore_failure(report: pytest.TestReport, facts: CellFacts) -> None:
    """Make a failure that came from another process, as text, what it was before."""
    if report.failed and isinstance(report.longrepr, str) and facts.result.status == "error":
        report.longrepr = CellFailureRepr(facts)  # type: ignore[assignment]


def status_of(report: Any, *, verbose: bool) -> Any:
    """Return category, letter and word of a cell's report, or None where pytest's own are right."""
    if getattr(report, "when", None) != "call" or hasattr(report, "wasxfail"):
        return None
    data = getattr(report, ATTRIBUTE, None)
    if data is None:
        return None
    told = f" ({data['position']}: {data['first_line']})" if verbose else ""
    if data["result"]["status"] == "cached" and report.passed:
        return "cached", "c", (f"CACHED{told}", {"cyan": True})
    if not verbose:
        return None
    letter, colour = {"passed": (".", "green"), "failed": ("F", "red"), "skipped": ("s", "yellow")}[report.outcome]
    return report.outcome, letter, (f"{report.outcome.upper()}{told}", {colour: True})


def _label(facts: CellFacts) -> str:
    return facts.result.cell_name or facts.result.cell_id


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def _skip_reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


def _user_frames(traceback: list[str]) -> list[str]:
    """Return a traceback without IPython's rule and heading, which say nothing here."""
    kept = [part.rstrip("\n") for part in traceback]
    return [part for part in kept if plain(part).strip() and not set(plain(part).strip()) <= {"-"}]
