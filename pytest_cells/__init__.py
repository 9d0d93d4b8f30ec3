"""Notebooks as test suites: every code cell a pytest item, with a cache that skips what cannot have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pluggy import HookimplMarker

    from pytest_cells.evaluator import Executor, Lifecycle, Runner, Skip
    from pytest_cells.model import Cell, Notebook, Outcome
    from pytest_cells.report import CellResult, LargeArtifactWarning, RunReport, SessionReport
    from pytest_cells.session import Session
    from pytest_cells.settings import Settings

    hookimpl: HookimplMarker

__all__ = [
    "Cell",
    "CellResult",
    "Executor",
    "LargeArtifactWarning",
    "Lifecycle",
    "Notebook",
    "Outcome",
    "RunReport",
    "Runner",
    "Session",
    "SessionReport",
    "Settings",
    "Skip",
    "__version__",
    "hookimpl",
]

_HOMES = {
    "evaluator": ("Executor", "Lifecycle", "Runner", "Skip"),
    "model": ("Cell", "Notebook", "Outcome"),
    "report": ("CellResult", "LargeArtifactWarning", "RunReport", "SessionReport"),
    "session": ("Session",),
    "settings": ("Settings",),
}


def __getattr__(name: str) -> Any:
    """Load a public name at first use: importing the package itself must cost nothing."""
    import importlib

    if name == "__version__":
        from importlib.metadata import version

        return version("pytest-cells")
    if name == "hookimpl":
        import pluggy

        return pluggy.HookimplMarker("pytest")
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"pytest_cells.{home}"), name)
    raise AttributeError(f"module 'pytest_cells' has no attribute {name!r}")
