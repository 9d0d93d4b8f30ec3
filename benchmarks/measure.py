"""Run commands interleaved, refuse runs that did not do the work, and compare the times."""

from __future__ import annotations

import enum
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.outputs import own_time
from benchmarks.tools import BenchmarkError, Command, Edit

LIMIT_S = 900.0

Times = dict[str, list[float]]


class Verdict(enum.Enum):
    """What a tool's verdict after an edit is worth."""

    RIGHT = "right"
    STALE = "STALE PASS"
    FALSE = "false failure"
    OTHER = "other failure"
    NONE = "NONE, see above"


Verdicts = dict[tuple[Edit, str], Verdict]


class Kind(enum.Enum):
    """How a tool is compared with its baseline."""

    RATIO = "ratio of medians, less is better"
    EXTRA = "median of the paired differences in seconds, less is better"
    SPEEDUP = "how many times faster than the baseline, more is better"


@dataclass(frozen=True, slots=True)
class Comparison:
    """One tool against a baseline of the same workload; without a `limit` it is shown and not judged.

    An `asserted` limit holds now; any other is a goal for later.
    """

    tool: str
    baseline: str
    kind: Kind
    limit: float | None = None
    asserted: bool = False

    def differences(self, times: Times) -> list[float]:
        """Return by how many seconds the tool was slower in each round, in ascending order."""
        pairs = zip(times[self.tool], times[self.baseline], strict=True)
        return sorted(ours - theirs for ours, theirs in pairs)

    def value(self, times: Times) -> float:
        """Return the compared value."""
        ours, theirs = times[self.tool], times[self.baseline]
        if self.kind is Kind.EXTRA:
            return median(self.differences(times))
        if self.kind is Kind.SPEEDUP:
            return median(theirs) / median(ours)
        return median(ours) / median(theirs)

    def interval(self, times: Times) -> tuple[float, float]:
        """Return where the true median of the differences lies with 95 % confidence, by order statistics."""
        ordered = self.differences(times)
        rank = max(0, int(len(ordered) / 2 - 0.98 * len(ordered) ** 0.5))
        return ordered[rank], ordered[-1 - rank]

    def met(self, times: Times) -> bool | None:
        """Tell whether the limit is kept; None where there is none."""
        if self.limit is None:
            return None
        value = self.value(times)
        return value >= self.limit if self.kind is Kind.SPEEDUP else value <= self.limit


def environment(private: str) -> dict[str, str]:
    """Return our environment without pytest's variables, and with IPython's profile in `private`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # each run would compile the plugins again
    return kept | {"IPYTHONDIR": private}


def execute(command: Command, env: Mapping[str, str]) -> tuple[float, int, str]:
    """Return the wall seconds of one run, its exit code and its output."""
    for folder in command.empty:
        shutil.rmtree(folder, ignore_errors=True)
    # A file and not a pipe: the clock stops when the command exits, whoever still holds its output.
    with tempfile.TemporaryFile() as sink:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        # Not wait(timeout=…): that polls, up to 50 ms apart, and would round every time up to its steps.
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.start()
        try:
            code = process.wait()
            elapsed = time.perf_counter() - start
        finally:
            watchdog.cancel()
            process.kill()  # does nothing to a process that has ended
        sink.seek(0)
        output = sink.read().decode(errors="replace")
    if elapsed >= LIMIT_S:
        raise BenchmarkError(f"{command.tool} was stopped after {LIMIT_S:.0f} s: {' '.join(command.argv)}")
    return elapsed, code, output


def refusal(command: Command, code: int, output: str, wanted: str) -> BenchmarkError:
    """Say what a command did instead of what was wanted."""
    return BenchmarkError(
        f"{command.tool} exited with {code} and counted {command.read(output)}; expected {wanted}\n"
        f"  command: {' '.join(command.argv)}\n  output:\n{output[-3000:]}"
    )


def run(command: Command, expected: Mapping[str, int], env: Mapping[str, str]) -> float:
    """Return the seconds of one run; raise BenchmarkError unless it did what is expected."""
    elapsed, code, output = execute(command, env)
    if code != 0 or command.read(output) != expected:
        raise refusal(command, code, output, f"0 and {dict(expected)}")
    return own_time(output) if command.own_clock else elapsed


def run_after(edit: Edit, command: Command, env: Mapping[str, str]) -> tuple[float, Verdict]:
    """Make an edit, outside the clock, and return the seconds of one run and what its verdict is worth.

    A verdict is one that the tool gives: a run that neither passes nor fails as its tool does raises
    BenchmarkError, and so does one that passes as it ought to and did other work than expected.
    """
    edit.make()
    elapsed, code, output = execute(command, env)
    found = command.read(output)
    if code in command.codes_of_failure and found.get("failed"):
        right = not edit.passes and "AssertionError" in output
        return elapsed, Verdict.RIGHT if right else Verdict.FALSE if edit.passes else Verdict.OTHER
    if code != 0 or not found or not found.keys() <= {"passed", "cached"}:
        raise refusal(command, code, output, "a verdict")
    if not edit.passes:
        return elapsed, Verdict.STALE
    if command.expected and found != command.expected:
        raise refusal(command, code, output, f"0 and {dict(command.expected)}")
    return elapsed, Verdict.RIGHT


def warm_up(command: Command, env: Mapping[str, str]) -> None:
    """Run a command for the first time, which fills its cache, if it has one."""
    run(command, command.expected if command.first is None else command.first, env)


def interleave(
    commands: Sequence[Command], rounds: int, env: Mapping[str, str], progress: Callable[[str], None]
) -> tuple[Times, Verdicts]:
    """Time each command once a round, after an uncounted warm-up; every other round goes backwards.

    Of the verdicts after an edit the first that is not right stands.
    """
    progress("warm-up")
    for command in commands:
        warm_up(command, env)
    times: Times = {command.tool: [] for command in commands}
    verdicts: Verdicts = {}
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        for command in commands if number % 2 == 0 else reversed(commands):
            if command.edit is None:
                times[command.tool].append(run(command, command.expected, env))
                continue
            took, verdict = run_after(command.edit, command, env)
            times[command.tool].append(took)
            if verdicts.get((command.edit, command.tool), Verdict.RIGHT) is Verdict.RIGHT:
                verdicts[command.edit, command.tool] = verdict
    return times, verdicts


def judge(commands: Sequence[Command], env: Mapping[str, str], progress: Callable[[str], None]) -> Verdicts:
    """Run each command, make its edit and run it again; a tool that gives no verdict has none in the table."""
    verdicts: Verdicts = {}
    for command in commands:
        if command.edit is None:
            raise BenchmarkError(f"{command.tool} has no edit to be judged after")
        progress(f"{command.tool}, {command.edit.name}")
        try:
            warm_up(command, env)
            _, verdict = run_after(command.edit, command, env)
        except BenchmarkError as error:
            progress(f"FAILED: {error}")
            verdict = Verdict.NONE
        verdicts[command.edit, command.tool] = verdict
    return verdicts
