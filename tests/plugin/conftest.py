"""Everything here runs pytest in a folder of its own, and leaves nothing behind."""

import pytest


@pytest.fixture(autouse=True)
def _nothing_left(nothing_left_behind):
    """Guard every test of the plugin."""


@pytest.fixture
def tells_its_pid(cells_project):
    """Let cells know the process of the pytest that runs them."""
    cells_project.file("conftest.py", "import os\nos.environ['TESTED_PYTEST'] = str(os.getpid())\n")
