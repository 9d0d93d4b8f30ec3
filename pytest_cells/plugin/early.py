"""What takes longest is begun first: the fork server boots while the rest of us, and of pytest, is got ready."""

from __future__ import annotations

import contextlib

import pytest

from pytest_cells.cache.store import nothing_hits
from pytest_cells.kernels.executor import JupyterExecutor
from pytest_cells.plugin import compat
from pytest_cells.settings import Settings


def boot(config: pytest.Config, settings: Settings) -> JupyterExecutor | None:
    """Boot the fork server that most notebooks need, where it is sure that cells are executed; return its owner.

    Not in a worker of xdist: its controller has done so. What goes wrong here goes wrong again, and is told, when a
    kernel is needed.
    """
    if settings.kernel.executor != "jupyter" or hasattr(config, "workerinput") or not nothing_hits(settings.cache):
        return None
    if not compat.names_notebooks(config):
        return None
    executor = JupyterExecutor(settings)
    config.add_cleanup(executor.close)
    with contextlib.suppress(Exception):
        executor.share()
    return executor
