"""Read the kernel's own traceback: which line of the cell it points at."""

from __future__ import annotations

import re

CELL_FILE = re.compile(r" \(\d+\.py, line \d+\)$")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
FRAMES = (
    re.compile(r"Cell In\s*\[(\d+)\], line (\d+)"),  # IPython 8.5 and later
    re.compile(r"Input In \[(\d+)\], in <cell line: (\d+)>"),  # IPython 8.0-8.4
    re.compile(r'File "In \[(\d+)\]", line (\d+)'),  # Calysto's kernels
)
CRASH = "Fatal Python error: "
FILE_OF_CELL = re.compile(r'File ".*[\\/]ipykernel_\d+[\\/]\d+\.py", line (\d+) in ')
MODULE = re.compile(r"<(?:module|cell line: \d+)>$")
"""What faulthandler writes: the stack of a crash, innermost call first."""


def plain(text: str) -> str:
    """Return a text without terminal colours."""
    return ANSI.sub("", text)


def steady(evalue: str) -> str:
    """Return an error's message without the cell's file name, which differs in every run.

    >>> steady("invalid syntax (2465675748.py, line 1)")
    'invalid syntax'
    """
    return CELL_FILE.sub("", evalue)


def line_of(traceback: list[str], execution_count: int | None) -> int | None:
    """Return the line (from 1) in the cell with this execution count that a traceback points at.

    The last such frame: for a syntax error that is the line that cannot be parsed.
    """
    text = plain("\n".join(traceback))
    found = None
    for pattern in FRAMES:
        for match in pattern.finditer(text):
            if execution_count is None or int(match[1]) == execution_count:
                found = int(match[2])
    return found


def crash_in(lines: list[str]) -> tuple[list[str], int | None]:
    """Return the last words of a process without what ran the cell, and the line of the cell that it crashed in.

    >>> crash_in(["Fatal Python error: Aborted", '  File "/tmp/ipykernel_1/2.py", line 3 in <module>', "  File"])
    (['Fatal Python error: Aborted', '  File "<cell>", line 3 in <module>'], 3)
    """
    start = next((n for n in reversed(range(len(lines))) if lines[n].startswith(CRASH)), len(lines))
    shown = [FILE_OF_CELL.sub(r'File "<cell>", line \1 in ', line) for line in lines]
    for n in reversed(range(start, len(lines))):
        found = FILE_OF_CELL.search(lines[n])
        if found and MODULE.search(lines[n]):
            return shown[: n + 1], int(found[1])
    return shown, None
