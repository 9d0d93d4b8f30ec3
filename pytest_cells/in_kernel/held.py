"""Tell which files the process holds open for writing: a part of what is written may come at its end only."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator

from .versions import PRIVATE_BUILTINS, system

__builtins__ = PRIVATE_BUILTINS

_listdir, _stat, _open, _read, _close = system.listdir, system.stat, system.open, system.read, system.close
_readlink = getattr(system, "readlink", None)
_DESCRIPTORS = "/proc/self/fd"
_MAPS = "/proc/self/maps"
_CHUNK = 1 << 16


class Held:
    """Follow the files that count and are open for writing, or mapped so, since the first cell.

    Where the system does not tell (it is not Linux), every file that was ever opened for writing may still be open.
    """

    def __init__(self, counts: "Callable[[str], bool]") -> None:
        self._counts = counts
        self._told = os.path.isdir(_DESCRIPTORS)
        self._before = self._look(maps=True)
        """What the kernel itself holds."""
        self._now: frozenset[str] = frozenset()
        self.maps = False
        """Whether a file has been mapped into memory."""

    def any(self, *, written: bool) -> bool:
        """Tell whether there are such files now; `written` if the cell has opened or changed some file."""
        if not (written or self._now or self.maps):
            return False
        self._now = self._look(maps=self.maps) - self._before if self._told else frozenset({"?"})
        return bool(self._now)

    def mapped(self, paths: "Iterable[str]") -> "str | None":
        """Return one of these paths that is mapped into memory, however: what is read there changes with the file."""
        wanted = set(paths)
        if not wanted or not self._told:
            return None
        return next((path for path, _ in _maps() if path in wanted), None)

    def _look(self, *, maps: bool) -> "frozenset[str]":
        if not self._told:
            return frozenset()
        still_there = filter(is_regular, open_for_writing(self._counts))
        return frozenset([*still_there, *(self._mapped() if maps else ())])

    def _mapped(self) -> "list[str]":
        """Return the files of which a change in memory is one in the file."""
        return [path for path, flags in _maps() if flags[1:2] == b"w" and flags[3:4] == b"s" and self._counts(path)]


def _maps() -> "Iterator[tuple[str, bytes]]":
    """Yield the files that the process has mapped into memory, and how."""
    for line in _content(_MAPS).splitlines():
        parts = line.split(None, 5)
        if len(parts) == 6:
            yield os.fsdecode(parts[5]), parts[1]


def open_for_writing(counts: "Callable[[str], bool]", process: "int | str" = "self") -> "Iterator[str]":
    """Yield the paths that count of what a process has open for writing: files, devices, named pipes, deleted files.

    Raises OSError where there is no such process, or the system does not tell.
    """
    for number in _listdir("/proc/%s/fd" % process):
        try:
            path = _readlink("/proc/%s/fd/%s" % (process, number))  # type: ignore[misc]
            if path[:1] != "/" or not counts(path):
                continue  # a socket or pipe
            flags = _content("/proc/%s/fdinfo/%s" % (process, number)).partition(b"flags:")[2].split()[0]
            if int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
                yield path
        except (OSError, ValueError, IndexError):
            continue  # closed meanwhile, as what is open to list the others


def is_regular(path: str) -> bool:
    """Tell whether there is a regular file; whatever is written to one that was removed nobody will see."""
    try:
        return stat.S_ISREG(_stat(path).st_mode)
    except OSError:
        return False


def _content(path: str) -> bytes:
    descriptor = _open(path, os.O_RDONLY)
    try:
        chunks: list[bytes] = []
        while True:
            chunk = _read(descriptor, _CHUNK)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
    finally:
        _close(descriptor)
