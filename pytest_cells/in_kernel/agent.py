"""Runs inside the kernel, in a namespace of its own: the standard library alone, nothing of the user's.

It notes which files the kernel's own process opened for writing, so that two notebooks that write to one
folder at the same time are told apart. Writers outside Python's audit (C++ libraries, subprocesses) are not
seen; whoever asks must treat what is not named here as unknown.
"""

import json
import os
import sys
from typing import Any

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_written: "set[str]" = set()
# Kept from before the notebook's first cell: a cell may replace what it likes.
_abspath, _fspath, _fsdecode, _dumps = os.path.abspath, os.fspath, os.fsdecode, json.dumps


def _note(*paths: Any) -> None:
    for path in paths:
        if not isinstance(path, int):
            _written.add(_abspath(_fsdecode(_fspath(path))))


def _at(path: Any, folder_fd: int) -> Any:
    """Return a path that is given relative to an open folder (as shutil.rmtree does) in full."""
    if folder_fd in (-1, None) or isinstance(path, int):
        return path
    return os.path.join(os.readlink("/proc/self/fd/%d" % folder_fd), _fsdecode(_fspath(path)))


def _opened(path: Any, mode: Any, flags: Any) -> None:
    by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    if by_mode or (mode is None and isinstance(flags, int) and flags & _WRITE_FLAGS):
        _note(path)


_EVENTS: "dict[str, Any]" = {
    "open": _opened,
    "os.rename": lambda source, target, source_fd=-1, target_fd=-1: _note(
        _at(source, source_fd), _at(target, target_fd)
    ),
    "os.link": lambda source, target, source_fd=-1, target_fd=-1: _note(_at(target, target_fd)),
    "os.symlink": lambda source, target, folder_fd=-1: _note(_at(target, folder_fd)),
    "os.remove": lambda path, folder_fd=-1: _note(_at(path, folder_fd)),
    "os.truncate": lambda path, *_: _note(path),
}


def _hook(event: str, arguments: "tuple[Any, ...]") -> None:
    handler = _EVENTS.get(event)
    if handler is not None:
        try:
            handler(*arguments)
        except Exception:  # the notebook must never fail because of us
            pass


def report() -> str:
    """Return as JSON, and forget, the absolute paths that were written since the last call.

    With them, for after an error, the names of the classes of the last error.
    """
    paths = sorted(_written)
    _written.clear()
    last = getattr(sys, "last_type", None)
    return _dumps({"written": paths, "bases": [kind.__name__ for kind in getattr(last, "__mro__", ())]})


sys.addaudithook(_hook)
