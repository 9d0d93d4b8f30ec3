"""Commands of the tools that are measured, and the versions of what is installed."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

from benchmarks.outputs import counts, jellycell_counts, jupyter_cache_counts

DISTRIBUTIONS = (
    "pytest-cells",
    "pytest",
    "pytest-xdist",
    "nbmake",
    "nbval",
    "nbclient",
    "jellycell",
    "jupyter-cache",
    "ipykernel",
)
INSTALL = 'pip install "pytest-cells[benchmarks]"'

BARE = "bare pytest"
CELLS = "pytest-cells"
JELLYCELL = "jellycell"
JELLYCELL_REWRITTEN = "jellycell, rewritten"
JUPYTER_CACHE = "jupyter-cache"
NBCLIENT = "nbclient"
NBMAKE = "nbmake"
NBVAL = "nbval"
ORDINARY = "jupyter_client"

# What somebody writes without a test runner. Its last line reads like pytest's: one check serves all tools.
NBCLIENT_LOOP = """\
import pathlib, sys, time
import nbformat
from nbclient import NotebookClient

start, done = time.perf_counter(), 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    done += sum(cell.get("execution_count") is not None for cell in notebook.cells)
print(f"{done} passed in {time.perf_counter() - start:.2f}s")
"""


STARTS = 10
CELLS_TIMED = 200

# From the request to a kernel that has answered; the first start, which boots the fork server, is not counted.
FORKED_STARTS = f"""\
import pathlib, statistics, sys, time
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice

choice = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{{connection_file}}"))
pool, times = KernelPool(), []
for _ in range({STARTS} + 1):
    start = time.perf_counter()
    kernel = pool.start(choice, pathlib.Path.cwd(), 60)
    times.append(time.perf_counter() - start)
    pool.stop(kernel)
pool.close()
print(f"{{len(times) - 1}} passed in {{statistics.median(times[1:]):.4f}}s")
"""
ORDINARY_STARTS = f"""\
import statistics, time
from jupyter_client.manager import KernelManager

times = []
for _ in range({STARTS}):
    start = time.perf_counter()
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    times.append(time.perf_counter() - start)
    client.stop_channels()
    manager.shutdown_kernel(now=True)
print(f"{{len(times)}} passed in {{statistics.median(times):.4f}}s")
"""
CELLS_IN_A_ROW = f"""\
import pathlib, statistics, sys, time
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice

choice = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{{connection_file}}"))
pool, times = KernelPool(), []
kernel = pool.start(choice, pathlib.Path.cwd(), 60)
for number in range({CELLS_TIMED}):
    start = time.perf_counter()
    assert kernel.execute(f"x = {{number}}", timeout=60).verdict == "ok"
    times.append(time.perf_counter() - start)
pool.stop(kernel)
pool.close()
print(f"{{len(times)}} passed in {{statistics.median(times):.5f}}s")
"""
NBCLIENT_IN_A_ROW = f"""\
import statistics, time
import nbformat
from nbclient import NotebookClient

notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"x = {{n}}") for n in range({CELLS_TIMED})])
times, client = [], NotebookClient(notebook, timeout=60)
with client.setup_kernel():
    for index, cell in enumerate(notebook.cells):
        start = time.perf_counter()
        client.execute_cell(cell, index)
        times.append(time.perf_counter() - start)
print(f"{{len(times)}} passed in {{statistics.median(times):.5f}}s")
"""


class MissingToolError(Exception):
    """Something that is to be measured is not installed in this interpreter."""


class BenchmarkError(Exception):
    """A command failed or did other work than it was measured for, so its time means nothing."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody changes between two runs, and whether a full run passes afterwards.

    `old` is a regular expression; `{now}` in `new` is another number each time.
    """

    name: str
    passes: bool
    path: Path
    old: str
    new: str

    def make(self) -> None:
        """Make the edit; raise BenchmarkError if it changes nothing."""
        before = self.path.read_text(encoding="utf-8")
        after = re.sub(self.old, self.new.replace("{now}", str(time.time_ns())), before)
        if after == before:
            raise BenchmarkError(f"the edit of {self.name} changes nothing in {self.path}")
        self.path.write_text(after, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Command:
    """One process to time, with what must be true of it for the time to count.

    `expected` are the counts of its last line. `first` are those of the warm-up where they differ: the run
    that fills a cache. `empty` are folders removed before every run, outside the clock. A command with
    `own_clock` measures one thing many times, and its last line tells the median instead of the whole.
    An `edit` is made before every run but the first, outside the clock, and the verdict after it is judged;
    `expected` is empty where the verdict is all that matters. `read` finds the counts in the output; a failure
    that the tool reports ends with one of the `codes_of_failure`.
    """

    tool: str
    argv: tuple[str, ...]
    cwd: Path
    expected: Mapping[str, int]
    first: Mapping[str, int] | None = None
    empty: tuple[Path, ...] = ()
    own_clock: bool = False
    edit: Edit | None = None
    read: Callable[[str], dict[str, int]] = counts
    codes_of_failure: tuple[int, ...] = (1,)


def installed_versions() -> dict[str, str]:
    """Return the version of each distribution needed; raise MissingToolError naming those missing."""
    found: dict[str, str] = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    missing = [name for name in DISTRIBUTIONS if name not in found]
    if missing:
        raise MissingToolError(
            f"not installed in {sys.executable}: {', '.join(missing)}. The table compares all of them; "
            f"install them with: {INSTALL}"
        )
    return found


def pytest_argv(*arguments: str, plugins: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return a pytest command line that loads `plugins` (entry point names) and blocks all others."""
    installed = sorted({entry.name for entry in entry_points(group="pytest11")})
    for name in plugins:
        if name not in installed:
            raise MissingToolError(
                f"no installed distribution has the pytest plugin {name!r}; install it with: {INSTALL}"
            )
    blocked = [word for name in installed if name not in plugins for word in ("-p", f"no:{name}")]
    return (sys.executable, "-m", "pytest", "-q", "--color=no", *blocked, *arguments)


def console_argv(script: str, *arguments: str) -> tuple[str, ...]:
    """Return a command line that runs an installed console script in this interpreter."""
    for entry in entry_points(group="console_scripts", name=script):
        start = f"import sys; from {entry.module} import {entry.attr}; sys.exit({entry.attr}())"
        return (sys.executable, "-c", start, *arguments)
    raise MissingToolError(f"no installed distribution has the command {script!r}; install it with: {INSTALL}")


def cells(
    folder: Path,
    expected: Mapping[str, int],
    *arguments: str,
    tool: str = CELLS,
    first: Mapping[str, int] | None = None,
    cold: bool = False,
    plugins: tuple[str, ...] = ("cells",),
) -> Command:
    """Run pytest-cells on `folder`/notebooks; `cold` empties its cache (and pytest's) before every run."""
    cache = folder / "cells-cache"
    argv = pytest_argv("--cells", "--cells-cache-dir", str(cache), *arguments, "notebooks", plugins=plugins)
    empty = (cache, folder / ".pytest_cache") if cold else ()
    return Command(tool, argv, folder, expected, first, empty)


def nbmake(folder: Path, expected: Mapping[str, int]) -> Command:
    """Run nbmake on `folder`/notebooks."""
    argv = pytest_argv("--nbmake", "-p", "no:cacheprovider", "notebooks", plugins=("nbmake",))
    return Command(NBMAKE, argv, folder, expected)


def jellycell(
    notebook: Path, expected: Mapping[str, int], *, first: Mapping[str, int] | None = None, tool: str = JELLYCELL
) -> Command:
    """Run jellycell on a notebook in its own format, whose folder becomes its project."""
    folder = notebook.parent
    folder.joinpath("jellycell.toml").write_text('[project]\nname = "benchmark"\n', encoding="utf-8")
    argv = console_argv("jellycell", "--json", "run", notebook.name)
    return Command(tool, argv, folder, expected, first, read=jellycell_counts)


def jupyter_cache(folder: Path, notebook: Path) -> Command:
    """Run jupyter-cache on one notebook, which is added to its project here; a test is a notebook.

    It exits with 0 after a failure too; what it lists is its verdict.
    """
    cache = str(folder / "jupyter-cache")
    argv = console_argv("jcache", "notebook", "--cache-path", cache, "add", str(notebook))
    added = subprocess.run(argv, check=False, input="y\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if added.returncode != 0:
        raise BenchmarkError(f"{JUPYTER_CACHE} cannot add {notebook}:\n{added.stdout}")
    argv = console_argv("jcache", "project", "--cache-path", cache, "execute", "--timeout", "300")
    return Command(JUPYTER_CACHE, argv, folder, {"passed": 1}, read=jupyter_cache_counts, codes_of_failure=(0,))


def peers(folder: Path, *, notebooks: int, code_cells: int) -> list[Command]:
    """Run each peer on `folder`/notebooks. A test is a notebook for nbmake and a cell for the others."""
    lean = ("-p", "no:cacheprovider", "notebooks")
    return [
        nbmake(folder, {"passed": notebooks}),
        Command(NBVAL, pytest_argv("--nbval-lax", *lean, plugins=("nbval",)), folder, {"passed": code_cells}),
        Command(NBCLIENT, (sys.executable, "-c", NBCLIENT_LOOP, "notebooks"), folder, {"passed": code_cells}),
    ]


def starts(folder: Path) -> list[Command]:
    """Start kernels as we do, and as jupyter_client's own documentation does."""
    expected = {"passed": STARTS}
    return [
        Command(CELLS, (sys.executable, "-c", FORKED_STARTS), folder, expected, own_clock=True),
        Command(ORDINARY, (sys.executable, "-c", ORDINARY_STARTS), folder, expected, own_clock=True),
    ]


def in_a_row(folder: Path) -> list[Command]:
    """Execute trivial cells one after another in one kernel."""
    expected = {"passed": CELLS_TIMED}
    return [
        Command(CELLS, (sys.executable, "-c", CELLS_IN_A_ROW), folder, expected, own_clock=True),
        Command(NBCLIENT, (sys.executable, "-c", NBCLIENT_IN_A_ROW), folder, expected, own_clock=True),
    ]


def merely_installed(
    folder: Path, expected: Mapping[str, int], *arguments: str, tools: Mapping[str, str]
) -> list[Command]:
    """Run pytest without a notebook option: bare, and with each plugin (entry point) of `tools` alone."""
    loaded: list[tuple[str, tuple[str, ...]]] = [(BARE, ())]
    loaded += [(tool, (plugin,)) for tool, plugin in tools.items()]
    lean = ("-p", "no:cacheprovider")
    return [
        Command(tool, pytest_argv(*lean, *arguments, plugins=plugins), folder, expected) for tool, plugins in loaded
    ]
