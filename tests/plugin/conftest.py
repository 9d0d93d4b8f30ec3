"""Everything here runs pytest in a folder of its own, and leaves nothing behind."""

import pytest


@pytest.fixture(autouse=True)
def _nothing_left(nothing_left_behind):
    """Guard every test of the plugin."""
