"""The workloads: the notebooks they write, the commands they time, and the goals they are held to."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import tools
from benchmarks.measure import Comparison, Kind
from benchmarks.notebooks import Cell, write_notebook, write_percent, write_rewritten
from benchmarks.tools import BARE, CELLS, JELLYCELL_REWRITTEN, NBCLIENT, NBMAKE, NBVAL, ORDINARY, Command, Edit
from benchmarks.verdicts import verdicts

COLLECT_ONLY = "--collect-only"
EMPTY_TESTS = "pytest, 1000 empty tests"
MERELY_REPORTED = "a report for each cell"
ONE_PROCESS = "pytest-cells -n 0"
TWO_PROCESSES = "pytest-cells -n 2"
UNOBSERVED = "pytest-cells, cache off"

# A difference of a few ms drowns in the noise of single runs, which is about 10 ms.
MS_RUNS = 60
TRIVIAL_CELLS = 250
TRIVIAL_MS = 1.5
"""What observing may add to a trivial cell."""


@dataclass(frozen=True, slots=True)
class Workload:
    """A piece of work for several tools. `prepare` writes it into an empty folder and returns the commands.

    `min_runs` is for differences so small that a few runs would not show them. A workload that is not `timed`
    asks once for the verdicts alone.
    """

    name: str
    title: str
    prepare: Callable[[Path], Sequence[Command]]
    comparisons: tuple[Comparison, ...]
    min_runs: int = 1
    timed: bool = True


def write_trivial(folder: Path, *, notebooks: int, cells_each: int) -> None:
    """Write notebooks of trivial cells, all different: equal cells may share cache entries."""
    for notebook in range(notebooks):
        first = notebook * 1000
        sources = [f"x = {first}"]
        sources += [f"x += 1\nassert x == {first + number}" for number in range(1, cells_each)]
        write_notebook(folder / "notebooks" / f"nb_{notebook:02}.ipynb", sources)


def spin(steps: int) -> int:
    """Keep one core busy."""
    total = 0
    for step in range(steps):
        total += step * step % 7
    return total


def steps_per_second() -> float:
    """Return how fast this machine spins; a loop that watched the clock instead would always scale."""
    steps = 1_000_000
    fastest = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        spin(steps)
        fastest = min(fastest, time.perf_counter() - start)
    return steps / fastest


def write_busy(folder: Path, *, notebooks: int, seconds: float) -> None:
    """Write notebooks of two cells that keep a core busy for about `seconds` together."""
    steps = round(steps_per_second() * seconds / 2)
    for notebook in range(notebooks):
        sources = [f"{inspect.getsource(spin)}\nspin({steps + notebook})", f"done = spin({steps - notebook})"]
        write_notebook(folder / "notebooks" / f"nb_{notebook:02}.ipynb", sources)


def write_ordinary_test(folder: Path) -> None:
    """Write one empty test."""
    folder.joinpath("test_ordinary.py").write_text("def test_nothing():\n    pass\n", encoding="utf-8")


def cold(folder: Path) -> list[Command]:
    """Prepare ten small notebooks; whatever pytest-cells keeps is removed before every run."""
    write_trivial(folder, notebooks=10, cells_each=5)
    ours = tools.cells(folder, {"passed": 50}, cold=True)
    return [ours, *tools.peers(folder, notebooks=10, code_cells=50)]


def cached(folder: Path) -> list[Command]:
    """Prepare the same notebooks, unchanged since the warm-up; peers have no cache and run them again."""
    write_trivial(folder, notebooks=10, cells_each=5)
    ours = tools.cells(folder, {"cached": 50}, first={"passed": 50})
    return [ours, *tools.peers(folder, notebooks=10, code_cells=50)]


def hundred(folder: Path) -> list[Command]:
    """Prepare one notebook of a hundred cells, cold."""
    write_trivial(folder, notebooks=1, cells_each=100)
    ours = tools.cells(folder, {"passed": 100}, cold=True)
    return [ours, *tools.peers(folder, notebooks=1, code_cells=100)]


def idle(folder: Path) -> list[Command]:
    """Prepare one empty ordinary test, run without --cells, the plugin loaded or blocked."""
    write_ordinary_test(folder)
    return tools.merely_installed(folder, {"passed": 1}, tools={CELLS: "cells"})


def collect(folder: Path) -> list[Command]:
    """Prepare an ordinary test to collect that lies beside ten notebooks which nobody asked for."""
    write_ordinary_test(folder)
    write_trivial(folder, notebooks=10, cells_each=5)
    plugins = {CELLS: "cells", NBVAL: "nbval", NBMAKE: "nbmake"}
    return tools.merely_installed(folder, {"collected": 1}, "--collect-only", tools=plugins)


def parallel(folder: Path) -> list[Command]:
    """Prepare eight notebooks that each keep a core busy for a second, cold, in one process and in two."""
    write_busy(folder, notebooks=8, seconds=1.0)
    return [
        tools.cells(folder, {"passed": 16}, "-n", count, tool=tool, cold=True, plugins=("cells", "xdist"))
        for tool, count in ((ONE_PROCESS, "0"), (TWO_PROCESSES, "2"))
    ]


# Instead of all that is done for an item; what remains is pytest's own work for a thousand results.
REPORTING = """\
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    report = pytest.TestReport(item.nodeid, item.location, {}, "passed", None, "call")
    item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


def hits(folder: Path) -> list[Command]:
    """Prepare a thousand cells that are all cached, against merely collecting them, and against tests that do nothing.

    What those take beyond being collected pytest needs for a thousand results of whatever kind. Least of all takes a
    plugin that reports each cell as passed and does nothing else.
    """
    write_trivial(folder, notebooks=50, cells_each=20)
    folder.joinpath("reporting.py").write_text(REPORTING, encoding="utf-8")
    ordinary = folder / "ordinary"
    ordinary.mkdir()
    for number in range(50):
        tests = "".join(f"def test_{one}():\n    pass\n\n\n" for one in range(20))
        ordinary.joinpath(f"test_{number:02}.py").write_text(tests, encoding="utf-8")
    return [
        tools.cells(folder, {"cached": 1000}, first={"passed": 1000}),
        tools.cells(folder, {"collected": 1000}, "--collect-only", tool=COLLECT_ONLY),
        tools.Command(EMPTY_TESTS, tools.pytest_argv("ordinary"), folder, {"passed": 1000}),
        tools.cells(folder, {"passed": 1000}, "-p", "reporting", tool=MERELY_REPORTED),
    ]


SLOW_S = 20.0
LOAD = f"""\
import time
time.sleep({SLOW_S})
rows = [{{"n": n, "half": n / 2, "name": f"row {{n}}"}} for n in range(1000)]
"""
MODEL = f"""\
time.sleep({SLOW_S})
weights = {{row["n"]: row["half"] for row in rows}}
"""


PARTS = [f"part_{n}" for n in range(7)]
EDITED = (
    Cell(LOAD, leaves=("rows",)),
    Cell(MODEL, takes=("rows",), leaves=("weights",)),
    Cell("first = rows[0]", takes=("rows",)),
    Cell("assert len(weights) == 1000", takes=("weights",)),
    *[
        Cell(
            f"{part} = sum(weights[m] for m in range({n}, 1000, 7))\nassert {part} > {n}",
            takes=("weights",),
            leaves=(part,),
        )
        for n, part in enumerate(PARTS)
    ],
    Cell("total = part_0 + part_3\nprint('EDITED_', total)", takes=("part_0", "part_3")),
)


def edited(folder: Path) -> list[Command]:
    """Prepare a notebook with a slow load, a slow model and ten cheap cells, of which one is edited before each run."""
    sources = [cell.source for cell in EDITED]
    notebook = folder / "notebooks" / "nb_00.ipynb"
    percent = folder / "same_cells" / "nb_00.py"
    rewritten = folder / "rewritten" / "nb_00.py"
    write_notebook(notebook, sources)
    write_percent(percent, sources)
    write_rewritten(rewritten, "import time", EDITED)
    edit = Edit("a cheap cell", passes=True, path=notebook, old=r"EDITED_\d*", new="EDITED_{now}")
    one_of_twelve = {"passed": 1, "cached": 11}
    and_setup = {"passed": 2, "cached": 11}
    jellycell = tools.jellycell(percent, one_of_twelve, first={"passed": 12})
    jellycell_rewritten = tools.jellycell(rewritten, and_setup, first={"passed": 13}, tool=JELLYCELL_REWRITTEN)
    return [
        replace(tools.cells(folder, one_of_twelve, first={"passed": 12}), edit=edit),
        replace(tools.nbmake(folder, {"passed": 1}), edit=edit),
        replace(jellycell, edit=replace(edit, path=percent)),
        replace(jellycell_rewritten, edit=replace(edit, path=rewritten)),
        replace(tools.jupyter_cache(folder, notebook), edit=edit),
    ]


OBSERVED_CELLS = (
    "import json, math, random\nrandom.seed(7)",
    "numbers = [random.random() for _ in range(200_000)]",
    "squares = [n * n for n in numbers]\nmean = sum(squares) / len(squares)\nassert 0.3 < mean < 0.4",
    (
        "def primes(limit):\n    sieve = bytearray([1]) * limit\n    for n in range(2, int(limit ** 0.5) + 1):\n"
        "        sieve[n * n :: n] = bytes(len(sieve[n * n :: n]))\n    return [n for n in range(2, limit) if sieve[n]]"
    ),
    "found = primes(1_500_000)\nassert len(found) == 114155",
    (
        "words = [f'word {n}' for n in found[:50_000]]\nby_length = {}\nfor word in words:\n"
        "    by_length.setdefault(len(word), []).append(word)"
    ),
    "assert json.loads(json.dumps(by_length)) == {str(size): group for size, group in by_length.items()}",
    "print(sorted(by_length), len(words))",
)


def observed(folder: Path) -> list[Command]:
    """Prepare four notebooks that work half a second each, cold: their cells observed, or not."""
    for notebook in range(4):
        write_notebook(folder / "notebooks" / f"nb_{notebook}.ipynb", [f"n = {notebook}", *OBSERVED_CELLS])
    count = 4 * (len(OBSERVED_CELLS) + 1)
    return [
        tools.cells(folder, {"passed": count}, "--cells-cache=off", tool=UNOBSERVED),
        tools.cells(folder, {"passed": count}, "--cells-force", cold=True),
    ]


def trivial(folder: Path) -> list[Command]:
    """Prepare a notebook of many trivial cells, cold: observed, or not."""
    write_trivial(folder, notebooks=1, cells_each=TRIVIAL_CELLS)
    return [
        tools.cells(folder, {"passed": TRIVIAL_CELLS}, "--cells-cache=off", tool=UNOBSERVED),
        tools.cells(folder, {"passed": TRIVIAL_CELLS}, "--cells-force", cold=True),
    ]


WORKLOADS = (
    Workload(
        "cold",
        "10 notebooks of 5 trivial cells, nothing cached",
        cold,
        (
            Comparison(CELLS, NBMAKE, Kind.RATIO, 0.2, asserted=True),
            Comparison(CELLS, NBVAL, Kind.RATIO, 0.2, asserted=True),
        ),
    ),
    Workload(
        "cached",
        "the same 10 notebooks again, unchanged",
        cached,
        (Comparison(CELLS, NBMAKE, Kind.RATIO, 0.5, asserted=True),),
    ),
    Workload(
        "hundred",
        "1 notebook of 100 trivial cells, nothing cached",
        hundred,
        (Comparison(CELLS, NBMAKE, Kind.RATIO, 0.5, asserted=True),),
    ),
    Workload(
        "start",
        "a kernel, from the request to its answer",
        tools.starts,
        (Comparison(CELLS, ORDINARY, Kind.RATIO, 0.12, asserted=True),),
    ),
    Workload(
        "cell",
        "a trivial cell in a kernel that runs",
        tools.in_a_row,
        (Comparison(CELLS, NBCLIENT, Kind.RATIO, 1.0, asserted=True),),
    ),
    Workload(
        "idle",
        "one empty ordinary test, no notebook option: plugin loaded or blocked",
        idle,
        (Comparison(CELLS, BARE, Kind.EXTRA, 0.003),),
        min_runs=MS_RUNS,
    ),
    Workload(
        "collect",
        "--collect-only of an ordinary test beside 10 notebooks: each plugin loaded alone",
        collect,
        (
            Comparison(CELLS, BARE, Kind.EXTRA, 0.005, asserted=True),
            Comparison(NBVAL, BARE, Kind.EXTRA),
            Comparison(NBMAKE, BARE, Kind.EXTRA),
        ),
        min_runs=MS_RUNS,
    ),
    Workload(
        "parallel",
        "8 notebooks of 1 s of work, nothing cached: -n 0 and -n 2",
        parallel,
        (Comparison(TWO_PROCESSES, ONE_PROCESS, Kind.SPEEDUP, 1.7, asserted=True),),
    ),
    Workload(
        "edited",
        "a load and a model of 20 s each and 10 cheap cells, of which one is edited",
        edited,
        (Comparison(CELLS, NBMAKE, Kind.RATIO, 1.5 / (2 * SLOW_S), asserted=True),),
    ),
    Workload(
        "verdicts",
        "a small notebook, run, edited and run again: is the verdict right? (once, not timed)",
        verdicts,
        (),
        timed=False,
    ),
    Workload(
        "observed",
        "4 notebooks of half a second of work, nothing cached: observed, or not",
        observed,
        (Comparison(CELLS, UNOBSERVED, Kind.RATIO, 1.05),),
    ),
    Workload(
        "trivial",
        f"{TRIVIAL_CELLS} trivial cells, nothing cached: observed, or not ({TRIVIAL_MS} ms each)",
        trivial,
        (Comparison(CELLS, UNOBSERVED, Kind.EXTRA, TRIVIAL_CELLS * TRIVIAL_MS / 1000),),
    ),
    Workload(
        "hits",
        "1000 cached cells in 50 notebooks, against collecting them",
        hits,
        (
            Comparison(CELLS, COLLECT_ONLY, Kind.RATIO, 1.3),
            Comparison(CELLS, EMPTY_TESTS, Kind.RATIO),
            Comparison(EMPTY_TESTS, COLLECT_ONLY, Kind.RATIO),
            Comparison(MERELY_REPORTED, COLLECT_ONLY, Kind.RATIO),
        ),
    ),
)
