"""Commands of the tools that are measured, and the versions of what is installed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

DISTRIBUTIONS = ("pytest-cells", "pytest", "pytest-xdist", "nbmake", "nbval", "nbclient", "ipykernel")
INSTALL = 'pip install "pytest-cells[benchmarks]"'

BARE = "bare pytest"
CELLS = "pytest-cells"
NBCLIENT = "nbclient"
NBMAKE = "nbmake"
NBVAL = "nbval"

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


class MissingToolError(Exception):
    """Something that is to be measured is not installed in this interpreter."""


@dataclass(frozen=True, slots=True)
class Command:
    """One process to time, with what must be true of it for the time to count.

    `expected` are the counts of its last line. `first` are those of the warm-up where they differ: the run
    that fills a cache. `empty` are folders removed before every run, outside the clock.
    """

    tool: str
    argv: tuple[str, ...]
    cwd: Path
    expected: Mapping[str, int]
    first: Mapping[str, int] | None = None
    empty: tuple[Path, ...] = ()


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


def peers(folder: Path, *, notebooks: int, code_cells: int) -> list[Command]:
    """Run each peer on `folder`/notebooks. A test is a notebook for nbmake and a cell for the others."""
    lean = ("-p", "no:cacheprovider", "notebooks")
    return [
        Command(NBMAKE, pytest_argv("--nbmake", *lean, plugins=("nbmake",)), folder, {"passed": notebooks}),
        Command(NBVAL, pytest_argv("--nbval-lax", *lean, plugins=("nbval",)), folder, {"passed": code_cells}),
        Command(NBCLIENT, (sys.executable, "-c", NBCLIENT_LOOP, "notebooks"), folder, {"passed": code_cells}),
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
