"""How a failed cell is shown."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from _pytest._io import TerminalWriter

from pytest_cells.kernels.tracebacks import plain
from pytest_cells.plan import NOTHING_STORED
from pytest_cells.report import CellFacts

OBVIOUS = (NOTHING_STORED, "the cache is off", "forced")
"""Reasons for running a cell that need not be told with its failure."""
CONTEXT_LINES = 12
"""Lines of source shown on either side of the failing one."""


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
        if facts.result.reason not in (None, *OBVIOUS):
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


def _label(facts: CellFacts) -> str:
    return facts.result.cell_name or facts.result.cell_id


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0] if lines else ""


def _user_frames(traceback: list[str]) -> list[str]:
    """Return a traceback without IPython's rule and heading, which say nothing here."""
    kept = [part.rstrip("\n") for part in traceback]
    return [part for part in kept if plain(part).strip() and not set(plain(part).strip()) <= {"-"}]
