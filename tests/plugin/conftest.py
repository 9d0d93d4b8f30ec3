"""Everything here runs pytest in a folder of its own, and leaves nothing behind.

Ask for an optional library by `find_spec`: `pytester` takes what a test imports out of `sys.modules` again, and numpy
cannot be imported twice into one process (pytest-randomly imports it).
"""

import pytest


@pytest.fixture(autouse=True)
def _nothing_left(nothing_left_behind):
    """Guard every test of the plugin."""


@pytest.fixture
def tells_its_pid(cells_project):
    """Let cells know the process of the pytest that runs them."""
    cells_project.file("conftest.py", "import os\nos.environ['TESTED_PYTEST'] = str(os.getpid())\n")
