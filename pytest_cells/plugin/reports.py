"""Facts onto pytest's reports and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pytest_cells.plugin.failure import CellFailureRepr
from pytest_cells.plugin.items import FACTS, CellItem
from pytest_cells.report import CellFacts, ErrorReport, facts_from_builtins, facts_to_builtins
from pytest_cells.session import expected_failure

ATTRIBUTE = "cells"
"""Where a report carries our facts: as JSON-ready data, since anything else crashes an xdist worker.

Where nobody but pytest and we look at the report, they may be left as they are.
"""


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
        if facts is not None and report.failed and facts.result.status != "error":
            facts = _overruled(facts, report)
    elif call.when == "teardown" and report.failed:
        facts = _overruled(item.stash[FACTS], report) if FACTS in item.stash else None
    elif call.when == "setup" and report.skipped:
        facts = item.run.skip(item.cell, _skip_reason(report))
    elif call.when == "setup" and report.failed:
        facts = item.run.setup_failed(item.cell, str(call.excinfo.value) if call.excinfo else "")
    if facts is not None:
        carry(report, facts, item.nodeid)


def carry(report: pytest.TestReport, facts: CellFacts, nodeid: str, *, plainly: bool = True) -> None:
    """Put facts onto the report of the cell that pytest calls `nodeid`."""
    facts = msgspec.structs.replace(facts, result=msgspec.structs.replace(facts.result, nodeid=nodeid))
    setattr(report, ATTRIBUTE, facts_to_builtins(facts) if plainly else facts)


def _overruled(facts: CellFacts, report: pytest.TestReport) -> CellFacts:
    """Return the facts of a cell that passed where pytest says otherwise (strict xpass, a fixture's teardown)."""
    lines = report.longreprtext.strip().splitlines()
    error = ErrorReport("TeardownFailed" if report.when == "teardown" else "Failed", lines[-1] if lines else "")
    return msgspec.structs.replace(facts, result=msgspec.structs.replace(facts.result, status="error", error=error))


def facts_of(report: Any) -> CellFacts | None:
    """Return the facts that a report carries."""
    facts = getattr(report, ATTRIBUTE, None)
    return facts if facts is None or isinstance(facts, CellFacts) else facts_from_builtins(facts)


def restore_failure(report: pytest.TestReport, facts: CellFacts) -> None:
    """Make a failure that came from another process, as text, what it was before."""
    if report.failed and isinstance(report.longrepr, str) and facts.result.status == "error":
        report.longrepr = CellFailureRepr(facts)  # type: ignore[assignment]


def status_of(report: Any, *, verbose: bool) -> Any:
    """Return category, letter and word of a cell's report, or None where pytest's own are right."""
    if getattr(report, "when", None) != "call" or hasattr(report, "wasxfail"):
        return None
    facts = facts_of(report)
    if facts is None:
        return None
    told = f" ({facts.position}: {facts.first_line})" if verbose else ""
    if facts.result.status == "cached" and report.passed:
        return "cached", "c", (f"CACHED{told}", {"cyan": True})
    if not verbose:
        return None
    letter, colour = {"passed": (".", "green"), "failed": ("F", "red"), "skipped": ("s", "yellow")}[report.outcome]
    return report.outcome, letter, (f"{report.outcome.upper()}{told}", {colour: True})


def _skip_reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")
