"""The number that CPython gives each state of a dictionary: while it is the same, so is what the dictionary holds.

Runs inside the kernel. Thousands of such numbers are compared in a tenth of the time that it takes to compare what is
held. CPython has them up to 3.13; elsewhere whoever asks has to compare the objects.
"""

import sys
from collections.abc import Iterable
from typing import Any

from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

SIZE = 8
"""Bytes of one number."""
NONE = bytes(SIZE)
"""What stands for a number that is not looked at."""
_OFFSET = 24
"""Where the number of a dictionary is kept: behind its count of uses, type and length."""


def _reader(ctypes: Any, found: "dict[Any, Any]") -> Any:
    return ctypes.c_uint64.from_address(id(found) + _OFFSET)


def _found() -> Any:
    """Return ctypes where dictionaries have numbers that tell of each change, else None."""
    try:
        import ctypes

        if sys.implementation.name != "cpython" or not (3, 8) <= sys.version_info < (3, 14):
            return None
        probe: dict[Any, Any] = {"a": 1}
        reader = _reader(ctypes, probe)
        seen = [reader.value]
        for change in (lambda: probe.update(a=2), lambda: probe.update(b=3), lambda: probe.pop("a"), probe.clear):
            seen.append(reader.value)
            change()
            seen.append(reader.value)
        same = all(first == second for first, second in zip(seen[::2], seen[1::2]))
        return ctypes if same and len(set(seen)) == len(seen) // 2 + 1 else None
    except Exception:
        return None


_ctypes: Any = _found()


def readers(dictionaries: "Iterable[dict[Any, Any]]") -> "list[Any] | None":
    """Return where the numbers of dictionaries stand, to be joined as bytes; None where they have none.

    Whoever asks holds on to the dictionaries: it is their memory that is read.
    """
    return [_reader(_ctypes, found) for found in dictionaries] if _ctypes is not None else None
