"""Note which files and folders one cell reads, asks for, lists and writes, with their Versions at the first touch."""

import functools
import os
import site
import stat
import sys
import sysconfig
import tempfile
from typing import Any

from .versions import ABSENT, FOLDER, LISTING, PRIVATE_BUILTINS, Versions, listing, system

__builtins__ = PRIVATE_BUILTINS

_lstat, _getcwd, _scandir = system.lstat, system.getcwd, system.scandir
_readlink: Any = getattr(system, "readlink", None)
_fsdecode, _fspath, _join, _normpath = os.fsdecode, os.fspath, os.path.join, os.path.normpath
_dirname, _basename, _islink = os.path.dirname, os.path.basename, stat.S_ISLNK
_realpath_of = os.path.realpath
ENTROPY = frozenset({"/dev/random", "/dev/urandom", "/dev/hwrng", "/proc/sys/kernel/random/uuid"})
SYSTEM = ("/usr/", "/etc", "/bin", "/lib", "/opt", "/var")
PSEUDO = ("/dev/", "/proc/", "/sys/")
MOST_ENTRIES = 1000
"""So many files of one folder are read at most because their sizes and times may have been asked for."""
_MOST_LINKS = 40

_LONGEST_PATH = 4096
"""Bytes of the longest path that Linux takes; libraries ask of texts whether they are files."""


@functools.lru_cache(None)
def installed_folders() -> "tuple[tuple[str, ...], tuple[str, ...]]":
    """Return the folders of the interpreter's environment, and those of Python's library and of packages."""
    paths = sysconfig.get_paths()
    installed = [path for key, path in paths.items() if key not in ("data", "scripts")]
    installed += [*site.getsitepackages(), site.getusersitepackages()] if hasattr(site, "getsitepackages") else []
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix}:
        installed += [_join(prefix, name) for name in ("bin", "include", "etc", "share", "Library", "DLLs")]
    return _forms(installed), _forms([paths[key] for key in ("stdlib", "purelib", "platlib") if key in paths])


def _forms(paths: "list[str]") -> "tuple[str, ...]":
    """Return what all paths in folders begin with, also those of what they are links to."""
    return tuple({_inside(form) for path in paths if path for form in (path, _realpath_of(path))})


class Places:
    """Tell which files count: all but those of the installed environment, of the system's own, and of caches."""

    def __init__(self, project: str, ignored: "tuple[str, ...]") -> None:
        self.project = _inside(project)
        self.temporary = _inside(_realpath_of(tempfile.gettempdir()))
        installed, self._library = installed_folders()
        home = os.path.expanduser("~")
        caches = os.environ.get("XDG_CACHE_HOME") or _join(home, ".cache")
        zipped = [path for path in sys.path if path.endswith(".zip")]
        own = [_join(caches, name) for name in ("matplotlib", "fontconfig", "pip")]
        own += [_join(home, name) for name in (".ipython", ".jupyter", ".config/matplotlib/fontList.json")]
        own += [_dirname(os.path.abspath(__file__)), *ignored]
        self._installed = (*installed, *_forms(zipped))
        self._ignored = _forms(own)
        self._of_cells = _join(tempfile.gettempdir(), "ipykernel_")
        """Where ipykernel says that cells are, with the process's number: there is nothing."""
        self._known: dict[str, bool] = {}

    def installed(self, path: str) -> bool:
        """Tell whether a path is of the interpreter's own environment, which is an input of its own."""
        known = self._known.get(path)
        if known is None:
            inside = _inside(path)
            known = inside.startswith(self._library) or (
                inside.startswith(self._installed) and not inside.startswith(self.project)
            )
            if len(self._known) < 50_000:
                self._known[path] = known
        return known

    def counts(self, path: str) -> bool:
        """Tell whether a file is an input of its own where it is read."""
        return not (
            path.startswith(PSEUDO)
            or "/__pycache__" in path
            or path.endswith(".pyc")
            or path.startswith(self._of_cells)
            or _inside(path).startswith(self._ignored)
            or self.installed(path)
        )

    def shared(self, folder: str) -> bool:
        """Tell whether a folder is one in which all sorts of programs work."""
        return (
            _inside(folder) == self.temporary
            or folder.startswith(SYSTEM)
            or (self.above_project(folder) and _inside(folder) != self.project)
        )

    def above_project(self, path: str) -> bool:
        """Tell whether a folder is one that the project is in: it is there for sure."""
        return self.project.startswith(_inside(path))


class Files:
    """What one cell does to files. Paths are as Python's functions take them; what is no path is passed over."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.versions = Versions()
        self.installed: set[str] = set()
        """What was read of the interpreter's environment, but for what the import system reads; `/` behind folders that
        were listed."""
        self.ever_written: set[str] = set()
        """What this process has opened for writing in any cell: it may still be open."""
        self.begin()

    def begin(self) -> None:
        """Forget the cell before."""
        self.files: dict[str, str] = {}
        self.changed: dict[str, bool] = {}
        """By path that was changed, whether something was there before, as far as that was looked at."""
        self.temporary: set[str] = set()
        self.volatile: list[str] = []
        self.barrier: list[str] = []
        self.touched_folders: set[str] = set()
        self._seen: set[tuple[Any, bool]] = set()
        self._asked_by_writer: set[str] = set()
        self._anew: set[str] = set()
        """What was opened to be written anew, whatever was in it."""
        self.ensuring = 0
        """How deep the cell is in calls that make folders which may be there already."""

    # -- what the cell does --------------------------------------------------------------------------------

    def read(
        self,
        path: Any,
        folder: Any = None,
        *,
        opened: bool = True,
        folders_count: bool = True,
        by_writer: bool = False,
    ) -> None:
        """Note that a file is `opened`, or asked for, as it is now.

        `folders_count` unless it is only looked for links on the way to something else. `by_writer` if who asks does
        so before it writes the file anew.
        """
        full = self._full(path, folder)
        if full is None or (full, opened) in self._seen or self.ensuring:
            return
        if opened and full in ENTROPY:
            self._reason(self.volatile, "it reads %s" % full)
        if self.places.counts(full) and (folders_count or not _is_folder(full)):
            self._seen.add((full, opened))
            if opened:
                self._watch_beside(full)
            if by_writer and full not in self.files:
                self._asked_by_writer.add(full)
            elif not by_writer and full not in self._anew:
                self._asked_by_writer.discard(full)
            self._first_touch(full)
        else:
            self._note_installed(full)

    def listed(self, path: Any, *, sizes: bool = False) -> None:
        """Note that a folder is listed; `sizes` if sizes and times of what is in it may be asked for as well."""
        full = self._full("." if path is None else path, None)
        if full is None or not self.places.counts(full):
            self._note_installed(full, "/")
            return
        known = self.files.get(full)
        if known is None and full in self.changed:
            return
        if known in (None, FOLDER):
            for form in {full, _real(full)}:
                self.files[form] = listing(form)
        if sizes:
            self._each_entry(full)

    def written(self, path: Any, folder: Any = None, *, read: bool = True) -> None:
        """Note that a path is about to be changed; `read` if what was there before matters to what comes out."""
        full = self._full(path, folder)
        if full is None or full.startswith(PSEUDO) or (not read and _is_folder(full)):
            return
        if read:
            self.read(full)
        if self.ensuring and _is_folder(full):
            return
        if not self.places.counts(full):
            if self.places.installed(full) and "/__pycache__" not in full and not full.endswith(".pyc"):
                self._reason(self.barrier, "it changes what is installed: %s" % full)
            return
        self._watch_beside(full)
        if not read:
            self._anew.add(full)
        for form in {full, _real(full)}:
            self.ever_written.add(form)
            if form not in self.changed:
                self.changed[form] = _exists(form)

    def ensured(self, path: Any) -> None:
        """Note that a folder is there, whether the cell had to make it or not: what it does is the same."""
        full = self._full(path, None)
        if full is not None and self.places.counts(full) and _is_folder(full):
            for form in {full, _real(full)}:
                self.changed.setdefault(form, True)

    def moved(self, source: Any, target: Any, source_folder: Any, target_folder: Any) -> None:
        """Note that something is renamed."""
        full = self._full(source, source_folder)
        if full is not None and _is_folder(full):
            self._reason(self.barrier, "it renames a folder: %s" % full)
        if full is None or full not in self.changed:
            self.written(source, source_folder)
        self.written(target, target_folder, read=False)

    def made_folder_of(self, path: str) -> bool:
        """Tell whether a path is in a folder that the cell has made or moved."""
        folder = _dirname(path)
        while len(folder) > 1:
            if folder in self.changed:
                return True
            folder = _dirname(folder)
        return False

    def made_temporary(self, path: Any) -> None:
        """Note that the next file or folder of this name has a name that was drawn by chance."""
        full = self._full(path, None)
        if full is not None:
            self.temporary.add(full)

    def left_temporary(self) -> bool:
        """Tell whether a file or folder is still there whose name was drawn by chance."""
        return any(self.versions.of(path) != ABSENT for path in self.temporary)

    # -- what comes of it ----------------------------------------------------------------------------------

    def writes(self) -> "dict[str, str]":
        """Return the Versions of all that was changed, as it is now."""
        found = {}
        for path, existed in self.changed.items():
            version = self.versions.of(path)
            if version == ABSENT and not existed and self.files.get(path, ABSENT) == ABSENT:
                continue  # it came and went
            if version == FOLDER and self.files.get(path) == FOLDER:
                continue  # it was there already, or could not be removed
            found[path] = version
        return found

    def reads(self) -> "dict[str, str]":
        """Return the Versions of all that was read, as it was at the first touch."""
        return {path: version for path, version in self.files.items() if not self._by_chance(path, version)}

    def _by_chance(self, path: str, version: str) -> bool:
        """Tell whether a path was looked at only because its name was drawn by chance."""
        if path in self._asked_by_writer and path in self._anew:
            return True
        if version != ABSENT:
            return False
        inside = _inside(path)
        if any(inside.startswith(_inside(name)) for name in self.temporary):
            return True
        temporary = self.places.temporary
        return path in self.changed and inside.startswith(temporary) and not inside.startswith(self.places.project)

    # -- parts ---------------------------------------------------------------------------------------------

    def _note_installed(self, path: "str | None", listed: str = "") -> None:
        if path is not None and self.places.installed(path):
            self.installed.add(path + listed)

    def full(self, path: Any) -> "str | None":
        """Return a path in full, None where there is none."""
        return self._full(path, None)

    def first_touch(self, full: str) -> None:
        """Note the Version of a file that is touched, if this is the first time and the cell did not make it."""
        if self.places.counts(full):
            self._first_touch(full)

    def _first_touch(self, full: str) -> None:
        for form in {full, _real(full)}:
            if form in self.files or form in self.changed:
                continue
            version = self.versions.of(form)
            if version != FOLDER or not self.places.above_project(form):
                self.files[form] = version

    def _watch_beside(self, full: str) -> None:
        """Have the folder of a file watched: other code may read and write beside it."""
        folder = _real(_dirname(full))
        if not self.places.shared(folder):
            self.touched_folders.add(folder)

    def _each_entry(self, full: str) -> None:
        try:
            with _scandir(full) as entries:
                names = sorted(entry.name for entry in entries if not entry.is_dir())
        except OSError:
            return
        if len(names) > MOST_ENTRIES:
            self._reason(self.volatile, "it looks at %d files in %s" % (len(names), full))
            return
        for name in names:
            self.read(_join(full, name))

    def _full(self, path: Any, folder: Any) -> "str | None":
        if type(path) is int:
            path, folder = _of_descriptor(path), None
        elif type(path) is bytes:
            path = _fsdecode(path)
        elif type(path) is not str:
            path = _fsdecode(_fspath(path))
        if not path or len(path) > _LONGEST_PATH or "\0" in path:
            return None
        if path[0] != "/":
            base = _of_descriptor(folder) if type(folder) is int and folder >= 0 else _getcwd()
            if base is None:
                return None
            path = _join(base, path)
        if "/." in path or "//" in path or path[-1] == "/":
            path = _plain(path)
        return path  # type: ignore[no-any-return]

    def _reason(self, reasons: "list[str]", reason: str) -> None:
        if reason not in reasons:
            reasons.append(reason)


def _plain(path: str) -> str:
    """Return a path without `.`, `..` and doubled slashes; `..` leads where links make it lead."""
    parts = path.split("/")
    if ".." in parts:
        last = len(parts) - 1 - parts[::-1].index("..")
        return _normpath("/".join([_real("/".join(parts[: last + 1])), *parts[last + 1 :]]))
    return _normpath(path)


def _real(path: str) -> str:
    """Return what a path leads to, without asking by way of `os`, which is observed."""
    left, done, links = [part for part in path.split("/") if part][::-1], "", 0
    while left:
        part = left.pop()
        if part == ".":
            continue
        if part == "..":
            done = _dirname(done) if done != "/" else ""
            done = "" if done == "/" else done
            continue
        here = "%s/%s" % (done, part)
        try:
            link = _islink(_lstat(here).st_mode)
            target = _readlink(here) if link and links < _MOST_LINKS else None
        except OSError:
            target = None
        if target is None:
            done = here
            continue
        links += 1
        if target.startswith("/"):
            done = ""
        left.extend([piece for piece in target.split("/") if piece][::-1])
    return done or "/"


def _exists(path: str) -> bool:
    try:
        _lstat(path)
    except (OSError, ValueError):
        return False
    return True


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(_lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _of_descriptor(descriptor: int) -> "str | None":
    try:
        path = _readlink("/proc/self/fd/%d" % descriptor)
    except OSError:
        return None
    return path if path.startswith("/") else None


def _inside(folder: str) -> str:
    """Return what all paths in a folder, and its own followed by a slash, begin with."""
    return folder if folder.endswith("/") else folder + "/"


__all__ = ["ABSENT", "FOLDER", "Files", "LISTING", "Places"]
