"""Options and ini values. Loaded by every pytest run: nothing heavy at the top."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_cells.settings import Settings

FILES = ("*.ipynb",)
RUNGS = ("traces", "chain", "off")
DEFAULT_RUNG = "traces"


def add_options(parser: pytest.Parser) -> None:
    """Add one group of options, and the ini values behind them."""
    group = parser.getgroup("cells", "notebooks as tests (pytest-cells)")
    flag = group.addoption
    flag("--cells", action="store_true", help="Run the code cells of notebooks (.ipynb) as tests")
    flag("--cells-force", action="store_true", help="Execute every cell and refresh the cache")
    flag("--cells-no-cache", action="store_true", help="Neither read nor write the cache: as --cells-cache=off")
    flag(
        "--cells-cache",
        metavar="RUNG",
        help="What a cached cell depends on: traces (what it was seen to read), chain (all above it); or off, no cache",
    )
    flag(
        "--cells-cache-dir",
        metavar="DIR",
        help="Folder of the cache (default: in pytest's own cache folder, so that --cache-clear clears it)",
    )
    flag(
        "--cells-audit",
        metavar="PERCENT",
        help="Execute so many of the cells that would be cached all the same; one that differs fails (default: 0)",
    )
    flag("--cells-explain", action="store_true", help="Say for each cell why it was cached or not")
    flag("--cells-report", metavar="PATH", help="Write the report as JSON; - prints it")
    flag(
        "--cells-timeout",
        metavar="SEC",
        type=float,
        help="Seconds a cell may take, 0 for no limit (default: 300)",
    )
    flag(
        "--cells-notebook-timeout",
        metavar="SEC",
        type=float,
        help="Seconds that a notebook may take from its first cell on, kernel start included (default: 0, no limit)",
    )
    flag("--cells-kernel", metavar="NAME", help="Kernelspec to use instead of the notebooks' own")
    flag(
        "--cells-kernel-manager",
        metavar="MODULE:CLASS",
        help="Kernel manager to use instead of jupyter_client's own, for a Jupyter gateway",
    )
    flag("--cells-executor", metavar="NAME", help="Executor to use (default: jupyter)")
    flag(
        "--cells-kernel-retries",
        metavar="N",
        type=int,
        help="How often a cell is tried again after its kernel died (default: 1)",
    )
    flag(
        "--cells-fork-server",
        metavar="WHEN",
        help="Fork kernels from a server that has ipykernel loaded: auto (where possible), on or off (default: auto)",
    )
    ini = parser.addini
    ini("cells_files", "Globs of notebooks to collect, against name or path (default: *.ipynb)", type="args")
    ini("cells_cache", "What a cached cell depends on: traces, chain or off (default: traces)")
    ini("cells_timeout", "Seconds a cell may take, 0 for no limit (default: 300)")
    ini("cells_notebook_timeout", "Seconds that a notebook may take from its first cell on (default: 0, no limit)")
    ini("cells_startup_timeout", "Seconds a kernel may take until it answers (default: 60)")
    ini("cells_kernel", "Kernelspec to use instead of the notebooks' own")
    ini("cells_kernel_manager", "Kernel manager (module:Class) to use instead of jupyter_client's own")
    ini("cells_kernel_retries", "How often a cell is tried again after its kernel died (default: 1)")
    ini("cells_executor", "Executor to use (default: jupyter)")
    ini("cells_fork_server", "Fork kernels from a server that has ipykernel loaded: auto, on or off (default: auto)")
    ini("cells_kernels_ahead", "Kernels to launch beforehand for notebooks that will be run (default: 1)")
    ini("cells_preload", "Modules that the fork server imports once for all kernels", type="args")
    ini("cells_max_memory_mb", "MB of data that a kernel's process may hold, 0 for no limit (default: 0)")
    ini("cells_max_output_mb", "MB of output that is kept of a cell, 0 for no limit (default: 50)")
    ini("cells_python3", "What the kernelspec python3 means: pytest (its interpreter) or kernelspec (default: pytest)")
    ini("cells_cwd", "Working directory of kernels: notebook (its folder) or rootdir (default: notebook)")
    ini(
        "cells_artifacts",
        "Folders whose files are artifacts, relative to the notebook and to rootdir (default: artifacts)",
        type="args",
    )
    ini("cells_max_artifact_mb", "Warn about artifacts larger than this many MB, 0 for never (default: 50)")
    ini("cells_cache_max_size_mb", "Bound of the cache in MB, 0 for none (default: 2048)")


def wanted(config: pytest.Config) -> bool:
    """Tell whether notebooks are to be run."""
    return bool(config.getoption("cells"))


def read_settings(config: pytest.Config) -> Settings:
    """Return the run's settings. Raises UsageError for a value that cannot be used."""
    from pytest_cells.errors import SettingsError
    from pytest_cells.settings import ArtifactSettings, CacheSettings, KernelSettings, Settings

    try:
        return Settings(
            rootdir=config.rootpath,
            cache=CacheSettings(
                folder=cache_folder(config),
                rung="traces" if cache_rung(config) == "traces" else "chain",
                force=bool(config.getoption("cells_force")),
                audit=_percent(config),
                max_size_mb=_number(config, "cells_cache_max_size_mb", 2048.0),
            ),
            kernel=KernelSettings(
                name=_text(config, "cells_kernel") or None,
                executor=_text(config, "cells_executor") or "jupyter",
                manager=_text(config, "cells_kernel_manager"),
                timeout=_number(config, "cells_timeout", 300.0),
                notebook_timeout=_number(config, "cells_notebook_timeout", 0.0),
                startup_timeout=_number(config, "cells_startup_timeout", 60.0),
                retries=_whole(config, "cells_kernel_retries", 1),
                fork_server=_text(config, "cells_fork_server") or "auto",  # type: ignore[arg-type]  # validated there
                ahead=_whole(config, "cells_kernels_ahead", 1),
                shared_server=shared_server(config),
                preload=tuple(config.getini("cells_preload") or ()),
                max_memory_mb=_number(config, "cells_max_memory_mb", 0.0),
                max_output_mb=_number(config, "cells_max_output_mb", 50.0),
                python3=_text(config, "cells_python3") or "pytest",  # type: ignore[arg-type]  # validated there
                cwd=_text(config, "cells_cwd") or "notebook",  # type: ignore[arg-type]
            ),
            artifacts=ArtifactSettings(
                folders=tuple(config.getini("cells_artifacts") or ("artifacts",)),
                max_mb=_number(config, "cells_max_artifact_mb", 50.0),
            ),
            shared_run=worker_count(config) > 1,
            controller=os.getppid() if hasattr(config, "workerinput") else None,
        )
    except SettingsError as error:
        raise pytest.UsageError(str(error)) from None


def cache_folder(config: pytest.Config) -> Path | None:
    """Return where results are kept, or None where they are not."""
    given = config.getoption("cells_cache_dir")
    if cache_rung(config) == "off":
        if config.getoption("cells_force"):
            raise pytest.UsageError("--cells-force refreshes the cache and --cells-no-cache has none: give one of them")
        return None
    if given:
        return Path(config.invocation_params.dir, Path(given).expanduser())
    cache = getattr(config, "cache", None)
    return Path(cache._cachedir, "d", "cells") if cache is not None else None


def cache_rung(config: pytest.Config) -> str:
    """Return what was asked of the cache: `traces`, `chain` or `off`. Raises UsageError for anything else."""
    asked = _text(config, "cells_cache")
    if config.getoption("cells_no_cache"):
        if asked not in ("", "off") and config.getoption("cells_cache"):
            raise pytest.UsageError(f"--cells-cache={asked} and --cells-no-cache: give one of them")
        return "off"
    if asked not in ("", *RUNGS):
        raise pytest.UsageError(f"cells_cache: found {asked!r}, expected one of {', '.join(RUNGS)}")
    return asked or DEFAULT_RUNG


def worker_count(config: pytest.Config) -> int:
    """Return how many xdist workers run the session, 0 without xdist."""
    workerinput: dict[str, Any] = getattr(config, "workerinput", {})
    return int(workerinput.get("workercount", 0))


def shared_server(config: pytest.Config) -> tuple[str, str] | None:
    """Return the fork server that the controller has booted for its workers, if it has."""
    told = getattr(config, "workerinput", {}).get("cells_fork_server")
    return (told[0], told[1]) if told else None


def _percent(config: pytest.Config) -> float:
    """Return how many percent of the hits are to be audited; `5` and `5%` are the same. Raises UsageError."""
    given = str(config.getoption("cells_audit") or "0").strip()
    try:
        return float(given.removesuffix("%"))
    except ValueError:
        raise pytest.UsageError(f"--cells-audit: found {given!r}, expected percent, such as 5") from None


def _text(config: pytest.Config, name: str) -> str:
    """Return an option's value, else the ini value of the same name."""
    given = config.getoption(name, None)
    return str(given if given is not None else config.getini(name) or "").strip()


def _whole(config: pytest.Config, name: str, default: int) -> int:
    number = _number(config, name, default)
    if number != number or number in (float("inf"), -float("inf")) or number != int(number):
        raise pytest.UsageError(f"{name}: found {number:g}, expected a whole number")
    return int(number)


def _number(config: pytest.Config, name: str, default: float) -> float:
    text = _text(config, name)
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        raise pytest.UsageError(f"{name}: found {text!r}, expected a number") from None
