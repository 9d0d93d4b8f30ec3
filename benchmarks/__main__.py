"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Verdict, environment, interleave, judge
from benchmarks.table import Result, as_json, header, missed, table, verdict_table
from benchmarks.tools import BenchmarkError, MissingToolError, installed_versions
from benchmarks.workloads import WORKLOADS, Workload

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def positive(text: str) -> int:
    """Read a number of runs."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def parser() -> argparse.ArgumentParser:
    """Describe the options."""
    names = [workload.name for workload in WORKLOADS]
    result = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure pytest-cells beside its peers.")
    result.add_argument("--runs", type=positive, default=5, metavar="N", help="timed runs of each command (default 5)")
    result.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"some of: {', '.join(names)}")
    result.add_argument("--json", type=Path, metavar="PATH", help="write every single time there")
    result.add_argument("--list", action="store_true", help="list the workloads and stop")
    result.add_argument("--check", action="store_true", help="exit with 1 if an asserted goal is missed")
    return result


def measure(workload: Workload, runs: int) -> Result:
    """Measure one workload in a temporary folder, whose own pytest.ini keeps other configuration out."""

    def progress(message: str) -> None:
        print(f"{workload.name}: {message}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="cells-bench-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary).resolve()
        folder = root / workload.name
        folder.mkdir()
        folder.joinpath("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        env = environment(str(root / "ipython"))
        try:
            commands = workload.prepare(folder)
            if not workload.timed:
                return Result(workload, {}, judge(commands, env, progress))
            return Result(workload, *interleave(commands, max(runs, workload.min_runs), env, progress))
        except BenchmarkError as error:
            progress(f"FAILED: {error}")
            return Result(workload, {}, {}, str(error))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen workloads, print the tables and return the exit code."""
    options = parser().parse_args(arguments)
    if options.list:
        for workload in WORKLOADS:
            print(f"{workload.name:10}{workload.title}")
        return EXIT_OK
    chosen = [workload for workload in WORKLOADS if options.only is None or workload.name in options.only]
    try:
        versions = installed_versions()
        first_lines = header(versions, options.runs)
        results = [measure(workload, options.runs) for workload in chosen]
    except MissingToolError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return EXIT_USAGE
    print("\n\n".join(part for part in (first_lines, table(results), verdict_table(results)) if part))
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(results, versions, options.runs), indent=1), encoding="utf-8")
    late = missed(results)
    for line in late:
        print(f"asserted goal missed: {line}", file=sys.stderr)
    failed = any(result.error is not None or Verdict.NONE in result.verdicts.values() for result in results)
    return EXIT_FAILED if failed or (options.check and late) else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
