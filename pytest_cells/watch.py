"""Know that nothing has changed in some folders without looking at every file: inotify, through ctypes.

Where it is not to be had (other systems, no watches left) every question is answered by "it may have".
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

MODIFY, ATTRIB, CLOSE_WRITE, MOVED, CREATE, DELETE = 0x2, 0x4, 0x8, 0xC0, 0x100, 0x200
GONE = 0x400 | 0x800
WATCHED = MODIFY | ATTRIB | CLOSE_WRITE | MOVED | CREATE | DELETE | GONE
READ_BYTES = 1 << 16


class FolderWatch:
    """Tell whether something may have happened in the folders that are watched."""

    def __init__(self) -> None:
        self._descriptor: int | None = None
        self._add = None
        self._known: set[str] = set()
        if sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(None, use_errno=True)
                descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
                if descriptor >= 0:
                    self._descriptor, self._add = descriptor, library.inotify_add_watch

    def watch(self, folder: str) -> None:
        """Watch a folder, not those in it. Must be done before it is listed."""
        if self._descriptor is None or self._add is None:
            return
        if self._add(self._descriptor, os.fsencode(folder), WATCHED) < 0:
            self.close()  # no watches left: from now on everything may have changed
        else:
            self._known.add(folder)

    def quiet(self, roots: tuple[str, ...]) -> bool:
        """Tell whether surely nothing happened since the last call, and no root has come into being."""
        if self._descriptor is None:
            return False
        happened = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._descriptor, READ_BYTES):
                happened = True
        return not happened and all(root in self._known or not os.path.isdir(root) for root in roots)

    def forget(self) -> None:
        """Watch nothing; what is still there is watched anew by the next listing."""
        self._known.clear()

    def close(self) -> None:
        """Give the descriptor back. May be called twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
