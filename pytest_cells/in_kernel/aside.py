"""Set what libraries are made of aside from Python's garbage collector, as long as nobody can tell: runs in the kernel.

Each full collection goes through all objects that there are: about 0.1 s where pandas and matplotlib are loaded, and
there are two while they are being imported and some more in the cells below. Nothing of theirs is ever garbage. What is
set aside (`gc.freeze`) still ends with its last reference; only cycles among it stay until it is shown again.
"""

import re
import sys
from typing import Any

from .versions import PRIVATE_BUILTINS, collector, system

__builtins__ = PRIVATE_BUILTINS

NOTICES = re.compile(r"\b(?:gc|weakref|__del__)\b")
"""Finds code that may ask the collector or have it collect, or that may be run when something is collected."""
_STEP = 100
"""So many modules are imported before what they have made is set aside."""
_MOST_BYTES = 512 << 20
"""A process that holds more has much that is not the libraries', which may come to be garbage."""
_PAGE = 4096
_BOUNDED = re.compile(rb"^Max (?:data size|address space) +\d", re.MULTILINE)


class Aside:
    """What is set aside in one kernel."""

    def __init__(self) -> None:
        self._next = len(sys.modules) + _STEP
        self._there = False
        self._allowed = hasattr(collector, "freeze") and _held_bytes() is not None

    def importing(self, name: Any) -> None:
        """Note that a module is about to be imported."""
        if name == "gc":
            self.show()
        elif self._allowed and len(sys.modules) >= self._next:
            self._next = len(sys.modules) + _STEP
            if _may_grow() and not self._holds_much():
                self._there = True
                collector.freeze()

    def look(self) -> None:
        """Before a cell: show everything where the process has come to hold much."""
        if self._there and self._holds_much():
            self.show()

    def leave(self) -> None:
        """Show everything, and set nothing aside any more: from here on it might be noticed."""
        self._allowed = False
        self.show()

    def show(self) -> None:
        """Let the collector, and whoever asks it, see everything."""
        if self._there:
            self._there = False
            collector.unfreeze()

    @staticmethod
    def _holds_much() -> bool:
        held = _held_bytes()
        return held is None or held > _MOST_BYTES


def _held_bytes() -> "int | None":
    """Return the memory of the process, None where the system does not tell."""
    told = _read("/proc/self/statm").split()
    return int(told[1]) * _PAGE if len(told) > 1 else None


def _may_grow() -> bool:
    """Tell whether the memory of the process has no limit: near one, garbage that stays would be missed."""
    return _BOUNDED.search(_read("/proc/self/limits")) is None


def _read(path: str) -> bytes:
    try:
        descriptor = system.open(path, system.O_RDONLY)
    except OSError:
        return b""
    try:
        content: bytes = system.read(descriptor, 1 << 14)
        return content
    except OSError:
        return b""
    finally:
        system.close(descriptor)
