"""See what happens to files that no event of Python's tells: inotify, through ctypes.

It sees what C++ libraries, subprocesses and other processes do in the folders that are watched, and not who did it.
"""

import errno
import os
import struct
import sys
from typing import Any

from .versions import PRIVATE_BUILTINS, system

__builtins__ = PRIVATE_BUILTINS

ACCESS, MODIFY, CLOSE_WRITE, OPEN = 0x1, 0x2, 0x8, 0x20
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
OVERFLOW, GONE, IS_FOLDER = 0x4000, 0x8000, 0x40000000
WATCHED = ACCESS | MODIFY | CLOSE_WRITE | OPEN | MOVED_FROM | MOVED_TO | CREATE | DELETE | 0x01000000 | 0x02000000
CHANGES = MODIFY | CLOSE_WRITE | MOVED_FROM | MOVED_TO | CREATE | DELETE
SKIPPED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", ".git", ".hg", ".svn", ".venv", ".tox", ".nox"}
    | {".mypy_cache", ".ruff_cache", ".pytest_cache", ".ipynb_checkpoints", ".hypothesis", ".eggs"}
    | {".ipython", ".jupyter", ".local"}
)
MOST_FOLDERS = 5000
"""So many folders are watched at most: each costs kernel memory, and time at the start."""
_READ_BYTES = 1 << 16
_HEADER = struct.Struct("iIII")
_read, _scandir, _join, _fsencode, _fsdecode = system.read, system.scandir, os.path.join, os.fsencode, os.fsdecode


class Happened:
    """What happened to one path: all of it together, and in which order reading and changing began."""

    __slots__ = ("created", "mask", "read_first")

    def __init__(self) -> None:
        self.mask, self.created, self.read_first = 0, False, False

    def add(self, mask: int) -> None:
        """Take in an event."""
        if mask & ACCESS and not self.mask & CHANGES:
            self.read_first = True
        if not self.mask and mask & (CREATE | MOVED_TO):
            self.created = True
        self.mask |= mask


class FolderEvents:
    """Watch folders; `problem` says why what happens in them may not be seen, None where it is."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self._folders: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._descriptor = -1
        self._add: Any = None
        self._errno: Any = None
        if sys.platform != "linux":
            self.problem = "this system has no inotify"
            return
        try:
            import ctypes  # not everyone needs it, and it may be missing

            library: Any = ctypes.CDLL(None, use_errno=True)
            self._descriptor = library.inotify_init1(getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
            self._add, self._errno = library.inotify_add_watch, ctypes.get_errno
        except (ImportError, OSError, AttributeError):
            self._descriptor = -1
        if self._descriptor < 0:
            self.problem = "no inotify is to be had"

    def watch_tree(self, folder: str, ignored: "tuple[str, ...]") -> "list[str]":
        """Watch a folder and all in it, but for what is never of interest; return the files that it holds."""
        files: list[str] = []
        waiting = [folder]
        while waiting and self.problem is None:
            here = waiting.pop()
            self.watch(here)
            try:
                with _scandir(here) as entries:
                    for entry in entries:
                        if not entry.is_dir(follow_symlinks=False):
                            files.append(entry.path)
                        elif entry.name not in SKIPPED and entry.path not in ignored and not _is_environment(entry):
                            waiting.append(entry.path)
            except OSError:
                continue
        return files

    def watch(self, folder: str) -> None:
        """Watch one folder, if it is there."""
        if self.problem is not None or folder in self._numbers or self._add is None:
            return
        if len(self._folders) >= MOST_FOLDERS:
            self.problem = "there are more than %d folders to watch" % MOST_FOLDERS
            return
        number = self._add(self._descriptor, _fsencode(folder), WATCHED)
        if number >= 0:
            self._folders[number] = folder
            self._numbers[folder] = number
        elif self._errno() in (errno.ENOSPC, errno.ENOMEM):
            self.problem = "no more folders can be watched"

    def take(self, ignored: "tuple[str, ...]") -> "dict[str, Happened] | None":
        """Return what happened since the last call, by path; None where more did than can be told.

        Folders that came into being are watched from now on, and what is in them already was made.
        """
        found: dict[str, Happened] = {}
        lost = False
        while self._descriptor >= 0:
            try:
                content = _read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                break
            except OSError as problem:
                self.problem, self._descriptor = "inotify fails: %s" % problem, -1
                break
            lost = self._parse(content, found, ignored) or lost
        return None if lost else found

    def _forget(self, path: str) -> None:
        """Forget the names that a moved folder and those in it had."""
        for number, folder in list(self._folders.items()):
            if folder == path or folder.startswith(path + "/"):
                del self._folders[number], self._numbers[folder]

    def _parse(self, content: bytes, found: "dict[str, Happened]", ignored: "tuple[str, ...]") -> bool:
        at, lost = 0, False
        while at < len(content):
            number, mask, _, length = _HEADER.unpack_from(content, at)
            at += _HEADER.size
            name = content[at : at + length].rstrip(b"\0")
            at += length
            folder = self._folders.get(number)
            if mask & OVERFLOW:
                lost = True
            elif folder is None:
                continue
            elif mask & GONE:
                self._folders.pop(number, None)
                self._numbers.pop(folder, None)
            elif name:
                path = _join(folder, _fsdecode(name))
                if mask & IS_FOLDER:
                    if mask & MOVED_FROM:
                        self._forget(path)
                    if mask & (CREATE | MOVED_TO) and _fsdecode(name) not in SKIPPED and path not in ignored:
                        for inner in self.watch_tree(path, ignored):
                            found.setdefault(inner, Happened()).add(CREATE)
                else:
                    found.setdefault(path, Happened()).add(mask)
        return lost


def _is_environment(entry: Any) -> bool:
    """Tell whether a folder holds a Python environment."""
    try:
        system.stat(_join(entry.path, "pyvenv.cfg"))
    except OSError:
        return False
    return True
