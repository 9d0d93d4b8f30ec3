"""The entry point: loaded by every pytest run of everyone who has us installed, so it imports nothing heavy."""

from __future__ import annotations

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
        from pytest_cells.plugin import controller

        controller.configure(config)
