"""What counts as a difference between two executions of a cell."""

import pytest

from pytest_cells.compare import differences


def stream(text):
    return {"output_type": "stream", "name": "stdout", "text": text}


@pytest.mark.parametrize(
    ("stored", "fresh"),
    [
        ([stream("<object at 0x7f0000000001>")], [stream("<object at 0x7f0000000002>")]),
        ([{"output_type": "execute_result", "execution_count": 1}], [{"output_type": "execute_result"}]),
        ([stream("Wall time: 1.2 ms\n")], [stream("Wall time: 3 s\n")]),
        ([{"data": {"text/plain": ["0x1234567"]}}], [{"data": {"text/plain": ["0x7654321"]}}]),
    ],
)
def test_no_difference(stored, fresh):
    """Counts, addresses and timings are never the same."""
    assert [] == differences(stored, fresh, {}, {})


def test_outputs():
    """Other text is compared."""
    assert ["its outputs"] == differences([stream("1")], [stream("2")], {}, {})
    assert ["its outputs"] == differences([stream("1")], [], {}, {})


def test_writes():
    """What a cell wrote is named, a few of many."""
    old = {f"var:{name}": "1" for name in "abcde"}
    assert ["variable a", "variable b", "variable c", "2 more"] == differences([], [], old, {})
    assert ["variable a"] == differences([], [], {"var:a": "1"}, {"var:a": "2"})
