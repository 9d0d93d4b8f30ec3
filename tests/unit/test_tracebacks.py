from __future__ import annotations

import pytest

from pytest_cells.kernels.tracebacks import line_of, plain, steady

NEW = [
    "\x1b[31m---------------------------------------------------------------------------\x1b[39m",
    "\x1b[31mValueError\x1b[39m                                Traceback (most recent call last)",
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[4]\x1b[39m\x1b[32m, line 2\x1b[39m\n      1 x = 1\n----> 2 f()",
    "\x1b[36mCell\x1b[39m \x1b[32mIn[3]\x1b[39m\x1b[32m, line 7\x1b[39m, in f()\n----> 7     raise ValueError",
    "\x1b[31mValueError\x1b[39m: ",
]
OLD = ["Input \x1b[0;32mIn [4]\x1b[0m, in \x1b[0;36m<cell line: 5>\x1b[0;34m()\x1b[0m"]
MIDDLE = ["Cell \x1b[0;32mIn [4], line 6\x1b[0m\n\x1b[0;32m----> 6\x1b[0m 1/0"]
SYNTAX = ["\x1b[0;36m  Cell \x1b[0;32mIn[4], line 9\x1b[0;36m\x1b[0m\n\x1b[0;31m    x = (\x1b[0m\n"]
SCHEME = ['\nTraceback (most recent call last):\n  File "In [4]", line 3, col 2\nRunTimeError: no pair']


@pytest.mark.parametrize(
    ("traceback", "count", "line"),
    [
        (NEW, 4, 2),
        (NEW, 3, 7),
        (NEW, None, 7),
        (NEW, 5, None),
        (OLD, 4, 5),
        (MIDDLE, 4, 6),
        (SYNTAX, 4, 9),
        (SCHEME, 4, 3),
        (SCHEME, 5, None),
        ([], 4, None),
        (["ValueError: no frames"], 4, None),
    ],
    ids=[
        "cell",
        "cell-above",
        "any",
        "other-cell",
        "8.0",
        "8.5",
        "syntax",
        "scheme",
        "scheme-above",
        "empty",
        "no-frames",
    ],
)
def test_line_of(traceback: list[str], count: int | None, line: int | None) -> None:
    """The line is that of the frame in the cell itself, in the words of each IPython and of other kernels."""
    assert line == line_of(traceback, count)


def test_the_last_frame_of_the_cell_counts() -> None:
    """Where a cell calls a function of its own, the line is the innermost."""
    assert 2 == line_of(["Cell In[4], line 8", "Cell In[4], line 2, in f()"], 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[0;31mred\x1b[0m", "red"),
        ("\x1b[38;5;241mgrey\x1b[39m", "grey"),
        ("\x1b[2K\x1b[1mx", "x"),
        ("a[0m", "a[0m"),
    ],
    ids=["colours", "256", "other", "none"],
)
def test_plain(text: str, expected: str) -> None:
    """Terminal sequences go, everything else stays."""
    assert expected == plain(text)


def test_a_message_is_the_same_in_every_run() -> None:
    """The cell's file name, which holds a process number, is no part of a message."""
    assert "invalid syntax" == steady("invalid syntax (2465675748.py, line 1)")
    assert "invalid syntax (helpers.py, line 1)" == steady("invalid syntax (helpers.py, line 1)")
