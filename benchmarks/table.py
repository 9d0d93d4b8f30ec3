"""Print what was measured, and turn it into JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.measure import Comparison, Kind, Times, Verdict, Verdicts
from benchmarks.tools import CELLS, NBMAKE
from benchmarks.workloads import Workload

HEADINGS = ("work", "tool", "median s", "min-max s", "x nbmake", "compared", "goal", "verdict")


@dataclass(frozen=True, slots=True)
class Result:
    """What one workload gave: each tool's times in the order of the rounds and its verdicts, or why there are none."""

    workload: Workload
    times: Times
    verdicts: Verdicts
    error: str | None = None


def header(versions: Mapping[str, str], runs: int) -> str:
    """Say where the numbers come from, in two lines."""
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs{load}"
    return f"Python {platform.python_version()}, {packages}\n{machine}; medians of {runs} runs (more for ms)"


def measured(comparison: Comparison, times: Times) -> str:
    """Say how the tool compares with its baseline."""
    value = comparison.value(times)
    if comparison.kind is Kind.EXTRA:
        low, high = comparison.interval(times)
        return f"{value * 1000:+.1f} ms (95 %: {low * 1000:+.1f} to {high * 1000:+.1f})"
    if comparison.kind is Kind.SPEEDUP:
        return f"{value:.2f} x faster"
    return f"{value:.2f} x {comparison.baseline}"


def goal(comparison: Comparison) -> str:
    """Say what is wanted; empty where nothing is."""
    if comparison.limit is None:
        return ""
    if comparison.kind is Kind.EXTRA:
        wanted = f"≤ {comparison.limit * 1000:g} ms"
    elif comparison.kind is Kind.SPEEDUP:
        wanted = f"≥ {comparison.limit:g} x faster"
    else:
        wanted = f"≤ {comparison.limit:g} x {comparison.baseline}"
    return wanted if comparison.asserted else f"{wanted} (later)"


def verdict(comparison: Comparison, times: Times) -> str:
    """Say whether the goal is met; a goal for later is not missed, only not met yet."""
    met = comparison.met(times)
    if met is None:
        return ""
    return "met" if met else "MISSED" if comparison.asserted else "not yet"


def shown(seconds: float) -> str:
    """Write seconds with three digits that say something."""
    return f"{seconds:.3f}" if seconds >= 0.1 else f"{seconds:.5f}"


def rows(result: Result) -> list[tuple[str, ...]]:
    """Return the lines of one workload: one for each tool, and one for each further comparison of a tool."""
    if result.error is not None:
        return [(result.workload.name, "FAILED, see above", "", "", "", "", "", "FAILED")]
    lines: list[tuple[str, ...]] = []
    reference = result.times.get(NBMAKE)
    for tool, times in result.times.items():
        ratio = f"{median(times) / median(reference):.2f}" if reference else "-"
        facts = (
            result.workload.name,
            tool,
            shown(median(times)),
            f"{shown(min(times))}-{shown(max(times))}",
            ratio,
        )
        compared = [
            (measured(each, result.times), goal(each), verdict(each, result.times))
            for each in result.workload.comparisons
            if each.tool == tool
        ]
        compared += [
            (f"{verdict.value}, see below", "", "")
            for (_, judged), verdict in result.verdicts.items()
            if judged == tool and verdict is not Verdict.RIGHT
        ]
        for number, words in enumerate(compared or [("", "", "")]):
            lines.append((*(facts if number == 0 else ("",) * len(facts)), *words))
    return lines


def aligned(headings: Sequence[str], blocks: Sequence[Sequence[Sequence[str]]]) -> str:
    """Return lines in columns under their headings, a blank line between blocks."""
    every = [headings, *(line for block in blocks for line in block)]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)]

    def joined(line: Sequence[str]) -> str:
        return "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()

    lines = [joined(headings), joined(["-" * width for width in widths])]
    for block in blocks:
        lines += [*map(joined, block), ""]
    return "\n".join(lines).rstrip()


def table(results: Sequence[Result]) -> str:
    """Return the table of times, workload by workload; empty if nothing was timed."""
    blocks = [rows(result) for result in results if result.workload.timed or result.error is not None]
    return aligned(HEADINGS, blocks) if blocks else ""


def verdict_table(results: Sequence[Result]) -> str:
    """Return what each tool's verdict after each edit is worth, an edit a line; empty if nothing was edited."""
    blocks = [result.verdicts for result in results if result.verdicts]
    tools = list(dict.fromkeys(tool for block in blocks for _, tool in block))
    lines = []
    for block in blocks:
        words: dict[tuple[str, str], dict[str, str]] = {}
        for (edit, tool), verdict in block.items():
            words.setdefault((edit.name, "pass" if edit.passes else "fail"), {})[tool] = verdict.value
        lines.append([(*edit, *(found.get(tool, "-") for tool in tools)) for edit, found in words.items()])
    return aligned(("edited", "must", *tools), lines) if lines else ""


def missed(results: Sequence[Result]) -> list[str]:
    """Name the asserted goals that were not met; that our own verdicts are right is one."""
    wrong = [
        f"{result.workload.name}: {tool}, after an edit of {edit.name}: {verdict.value}"
        for result in results
        for (edit, tool), verdict in result.verdicts.items()
        if tool == CELLS and verdict is not Verdict.RIGHT
    ]
    return wrong + [
        f"{result.workload.name}: {measured(each, result.times)}, goal {goal(each)}"
        for result in results
        if result.error is None
        for each in result.workload.comparisons
        if each.asserted and each.met(result.times) is False
    ]


def as_json(results: Sequence[Result], versions: Mapping[str, str], runs: int) -> dict[str, Any]:
    """Return everything that was measured, ready for json.dump."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "versions": dict(versions),
        "runs": runs,
        "workloads": [
            {
                "name": result.workload.name,
                "title": result.workload.title,
                "error": result.error,
                "times_s": result.times,
                "verdicts": [
                    {"edited": edit.name, "must_pass": edit.passes, "tool": tool, "verdict": verdict.name.lower()}
                    for (edit, tool), verdict in result.verdicts.items()
                ],
                "comparisons": [
                    {
                        "tool": each.tool,
                        "baseline": each.baseline,
                        "kind": each.kind.name.lower(),
                        "value": each.value(result.times),
                        "limit": each.limit,
                        "asserted": each.asserted,
                        "met": each.met(result.times),
                    }
                    for each in result.workload.comparisons
                    if result.error is None
                ],
            }
            for result in results
        ],
    }
