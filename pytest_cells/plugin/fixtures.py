"""The fixture that owns a session's kernels."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_cells.plugin.items import SESSION
from pytest_cells.session import Session


@pytest.fixture(scope="session")
def cells_session(pytestconfig: pytest.Config) -> Generator[Session, None, None]:
    """Lend the session that runs the notebooks. Its kernels are asked to end here, and are gone at the very end."""
    session = pytestconfig.stash[SESSION]
    yield session
    session.stop()
