"""Note which installed modules a process asks for, found or not: nothing else that is installed can matter to it.

A fork server notes what it imports for its kernels, and each kernel goes on from there.
"""

import os
import sys
from importlib.machinery import PathFinder
from typing import Any

ALL = "*"
"""Stands for everything: somebody has looked for whatever there is."""
ENTRY_POINTS = "*entry points"
"""Stands for all distributions that offer entry points to others."""
DISTRIBUTION = "dist:"
"""Begins the name of a distribution whose metadata were asked for."""
_FOLDERS = ("site-packages", "dist-packages")
_READER = "importlib.metadata"
_FAR_UP = 12
_frame, _loaded = sys._getframe, sys.modules


def first_word(entry: str) -> str:
    """Return by which word the modules begin that a file or folder of installed packages holds."""
    return entry.partition(".")[0]


def normal(distribution: str) -> str:
    """Return the name of a distribution as it is compared."""
    return distribution.lower().replace("_", "-").replace(".", "-")


class Lookups:
    """The first words of the names of modules that were looked for, and what else of the installed was asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._missing: set[str] = set()
        self._searched: set[tuple[str, str]] = set()
        self._before: dict[str, Any] = {}

    def start(self) -> None:
        """Begin to note, with what is loaded."""
        self.names.update(name.partition(".")[0] for name in list(_loaded) if type(name) is str)
        if self._before:
            return
        for name, note in (("find_spec", self._module), ("find_distributions", self._distributions)):
            method = PathFinder.__dict__[name]
            self._before[name] = method
            setattr(PathFinder, name, type(method)(_noting(method.__func__, note, self._missing)))

    def take_missing(self) -> "set[str]":
        """Return, and forget, the modules that were looked for in vain: a file of the project may come to be one."""
        found = {name for name in self._missing if name not in _loaded and name.isidentifier()}
        self._missing.clear()
        return found

    def take_searched(self) -> "set[tuple[str, str]]":
        """Return, and forget, in which folders distributions were looked for, and of which name: one may come there."""
        found = set(self._searched)
        self._searched.clear()
        return found

    def stop(self) -> None:
        """Leave the import system as it was."""
        for name, method in self._before.items():
            setattr(PathFinder, name, method)
        self._before.clear()

    def forget_searches(self) -> None:
        """Take what looked for everything so far for what changes no result: the kernel's own parts did."""
        self.names -= {ALL, ENTRY_POINTS}

    def touched(self, path: str) -> None:
        """Note that a file is read otherwise than by importing it; with a slash behind it, that a folder is listed."""
        for folder in _FOLDERS:
            _, separator, below = path.partition("/%s/" % folder)
            if separator:
                entry, _, inner = below.partition("/")
                self.names.add(_asked_for(entry, inner))

    def _module(self, arguments: "tuple[Any, ...]", keywords: "dict[str, Any]") -> str:
        name = next((value for value in (*arguments, keywords.get("fullname")) if type(value) is str), "")
        self.names.add(name.partition(".")[0])
        return name

    def _distributions(self, arguments: "tuple[Any, ...]", keywords: "dict[str, Any]") -> None:
        context = keywords.get("context", arguments[-1] if arguments else None)
        name, path = getattr(context, "name", None), getattr(context, "path", sys.path)
        folders = [os.path.abspath(folder) for folder in list(path) if type(folder) is str]
        self._searched.update((folder, normal(name) if type(name) is str else "") for folder in folders)
        if type(name) is str:
            self.names.add(DISTRIBUTION + normal(name))
        else:
            self.names.add(ENTRY_POINTS if _for_entry_points(_frame(2)) else ALL)


def _asked_for(entry: str, inner: str) -> str:
    """Return what somebody asks for who reads a file in a folder of installed packages."""
    if entry.endswith((".dist-info", ".egg-info")):
        return ENTRY_POINTS if inner == "entry_points.txt" else DISTRIBUTION + normal(entry.partition("-")[0])
    return ALL if not entry or entry.endswith(".pth") else first_word(entry)


def _noting(method: Any, note: Any, missing: "set[str]") -> Any:
    def noted(*arguments: Any, **keywords: Any) -> Any:
        try:
            name = note(arguments, keywords)
        except Exception:  # an import must never fail because of us
            name = None
        found = method(*arguments, **keywords)
        if found is None and name is not None:
            missing.add(name)
        return found

    noted.__name__, noted.__qualname__, noted.__doc__ = method.__name__, method.__qualname__, method.__doc__
    return noted


def _for_entry_points(frame: Any) -> bool:
    for _ in range(_FAR_UP):
        if frame is None:
            return False
        if frame.f_code.co_name == "entry_points" and frame.f_globals.get("__name__") == _READER:
            return True
        frame = frame.f_back
    return False


lookups = Lookups()
"""Those of this process."""
