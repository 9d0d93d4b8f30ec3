"""The entry point: loaded by every pytest run of everyone who has us installed, so it imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

import pytest

from pytest_cells.plugin import options


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make our hooks known, so that a conftest may have them whether or not `--cells` is given."""
    from pytest_cells import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options and ini values."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Load everything else, where it is wanted."""
    if options.wanted(config):
        sys.meta_path.insert(0, AsTheyAre)
        config.add_cleanup(AsTheyAre.leave)
        from pytest_cells.plugin import early  # before all that takes longer to import

        settings = options.read_settings(config)
        executor = early.boot(config, settings)
        from pytest_cells.plugin import controller

        controller.configure(config, settings, executor)


class AsTheyAre:
    """Find our modules before pytest does, which would rewrite the asserts of a plugin's modules.

    Ours are no tests, and where bytecode is not written (`PYTHONDONTWRITEBYTECODE`, a container's first run)
    rewriting them costs 0.2 s in each run.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return a spec for modules of ours alone."""
        return PathFinder.find_spec(name, path, target) if name.startswith("pytest_cells.") else None

    @classmethod
    def leave(cls) -> None:
        """Go away; somebody else may have seen to that."""
        if cls in sys.meta_path:
            sys.meta_path.remove(cls)
