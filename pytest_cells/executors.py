"""Load the executor that was asked for, and only that one."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_cells.errors import ExecutorError, did_you_mean
from pytest_cells.evaluator import Executor
from pytest_cells.settings import Settings

GROUP = "pytest_cells.executors"
BUILT_IN = EntryPoint("jupyter", "pytest_cells.kernels.executor:JupyterExecutor", GROUP)


def find_executor(name: str) -> EntryPoint:
    """Return the entry point of an executor without loading it.

    Raises ExecutorError where nobody offers it, or more than one distribution does.
    """
    if name == BUILT_IN.name:
        return BUILT_IN
    offered = entry_points(group=GROUP)
    found = {point.value: point for point in offered if point.name == name}
    if not found:
        names = sorted({BUILT_IN.name, *(point.name for point in offered)})
        raise ExecutorError(
            f"--cells-executor {name}: no such executor is installed; {did_you_mean(name, names)}\n"
            f"  installed: {', '.join(names)}"
        )
    if len(found) > 1:
        raise ExecutorError(f"--cells-executor {name}: offered more than once: {', '.join(sorted(found))}")
    return next(iter(found.values()))


def load_executor(settings: Settings) -> Executor:
    """Load and create the executor of a run. Raises ExecutorError; there is no fallback."""
    name = settings.kernel.executor
    point = find_executor(name)
    try:
        factory: Any = point.load()
        executor: Executor = factory(settings)
    except Exception as error:  # somebody else's code may raise anything
        raise ExecutorError(f"--cells-executor {name} ({point.value}): {type(error).__name__}: {error}") from error
    return executor
