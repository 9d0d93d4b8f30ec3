"""What it costs to observe the cells of notebooks that others have written: `python -m benchmarks.published FOLDER...`.

Each notebook is copied with the files of its folder into a project of its own and run cold, its cells observed or not,
in turns. One that does not pass as it is (it needs what is not here, or works for too long) is left out.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles

from benchmarks import tools
from benchmarks.measure import environment, execute, interleave
from benchmarks.notebooks import beside
from benchmarks.tools import CELLS, BenchmarkError, MissingToolError
from benchmarks.workloads import UNOBSERVED

LIMIT_S = 30
"""Notebooks with a cell that works for longer would keep all others waiting."""
MOST_BYTES = 50_000_000
"""Of a folder of so many bytes not all files are copied."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the notebooks, print a line for each and the medians, and return the exit code."""
    options = _options(arguments)
    paths = [path for folder in options.folders for path in sorted(folder.rglob("*.ipynb"))]
    random.Random(options.seed).shuffle(paths)
    ratios: list[float] = []
    extra_ms: list[float] = []
    print(f"{'unobserved s':>12} {'observed s':>11} {'ratio':>6} {'cells':>6}  notebook")
    for path in paths:
        if len(ratios) == options.notebooks:
            break
        try:
            found = _measure(path, options.runs)
        except MissingToolError as error:
            print(f"benchmarks: {error}", file=sys.stderr)
            return 2
        except BenchmarkError as error:
            print(f"FAILED: {path}: {error}", file=sys.stderr, flush=True)
            continue
        if found is None:
            continue
        cells, unobserved, observed = found
        ratios.append(observed / unobserved)
        extra_ms.append((observed - unobserved) * 1000 / cells)
        print(f"{unobserved:>12.2f} {observed:>11.2f} {ratios[-1]:>6.2f} {cells:>6}  {path.name}", flush=True)
    if len(ratios) < 2:
        print("benchmarks: there are not two notebooks that pass as they are", file=sys.stderr)
        return 1
    low, _, high = quantiles(ratios, n=4)
    print(
        f"\n{len(ratios)} notebooks: median ratio {median(ratios):.3f} (half of them {low:.3f} to {high:.3f}, "
        f"most {max(ratios):.2f}), median {median(extra_ms):.1f} ms more for a cell"
    )
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="where the notebooks are")
    parser.add_argument("--notebooks", type=int, default=40, metavar="N", help="how many are measured (default 40)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="timed runs of each, each way (default 5)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="which ones: the order is drawn from it")
    return parser.parse_args(arguments)


def _measure(path: Path, runs: int) -> tuple[int, float, float] | None:
    """Return how many cells a notebook has and its medians in s, unobserved and observed; None if it does not pass."""
    with tempfile.TemporaryDirectory(prefix="cells-bench-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve() / "project"
        for file in (path, *beside(path, MOST_BYTES)):
            place = folder / "notebooks" / file.relative_to(path.parent)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        folder.joinpath("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        env = environment(str(folder.parent / "ipython"))
        limited = "--cells-timeout", str(LIMIT_S)
        first = tools.cells(folder, {}, "--cells-cache=off", *limited)
        _, code, output = execute(first, env)
        counted = first.read(output)
        if code != 0 or counted.keys() != {"passed"}:
            return None
        commands = [
            tools.cells(folder, counted, "--cells-cache=off", *limited, tool=UNOBSERVED, cold=True),
            tools.cells(folder, counted, "--cells-force", *limited, cold=True),
        ]
        times, _ = interleave(commands, runs, env, lambda message: None)
        return counted["passed"], median(times[UNOBSERVED]), median(times[CELLS])


if __name__ == "__main__":
    sys.exit(main())
