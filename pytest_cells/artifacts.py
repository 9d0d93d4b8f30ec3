"""Files that a cell leaves under the artifact folders: find, digest, put back, and say when they are large."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from pytest_cells.cache.files import Digests, write_whole
from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import ABSENT, Artifact, Damaged
from pytest_cells.settings import Settings
from pytest_cells.watch import FolderWatch

Seen = dict[str, tuple[int, int, int]]
"""By absolute path: size, time of change in ns, inode."""


class ArtifactFolders:
    """The artifact folders of one notebook."""

    def __init__(self, settings: Settings, notebook_folder: Path) -> None:
        self._rootdir = settings.rootdir
        bases = (notebook_folder, settings.rootdir)
        found = [str(base / folder) for folder in settings.artifacts.folders for base in bases]
        self.folders = tuple(dict.fromkeys(found))
        self._watch: FolderWatch | None = None
        self._last: Seen = {}
        self._suspects: set[str] = set()
        """Files that cells have written: one that is mapped into memory changes without a word."""

    def snapshot(self) -> Seen:
        """Return all regular files with what tells whether they change; no file is opened.

        Where nothing has happened in the folders, only files that cells have written are looked at again.
        """
        if self._watch is None:
            self._watch = FolderWatch()
        if self._watch.quiet(self.folders):
            seen = dict(self._last)
            for path in self._suspects:
                _look(path, seen)
        else:
            seen = {}
            self._watch.forget()
            for folder in self.folders:
                _scan(folder, seen, self._watch)
        self._last = seen
        return seen

    def suspect(self, paths: Iterable[str]) -> None:
        """Note files that a cell has written or opened for writing."""
        inside = tuple(folder + os.sep for folder in self.folders)
        self._suspects.update(path for path in paths if path.startswith(inside))

    def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def label(self, path: str) -> str:
        """Return how an artifact is called: relative to rootdir, with forward slashes."""
        return Path(os.path.relpath(path, self._rootdir)).as_posix()

    def shown(self, path: str) -> str:
        """Return an artifact's name for messages, whatever bytes it is made of."""
        return self.label(path).encode("utf-8", "backslashreplace").decode("utf-8")

    def place(self, label: str) -> Path:
        """Return where an artifact of this name belongs."""
        return self._rootdir / label


def changes(before: Seen, after: Seen) -> tuple[list[str], list[str]]:
    """Return the paths that are new or changed, and those that are gone."""
    changed = sorted(path for path, state in after.items() if before.get(path) != state)
    return changed, sorted(before.keys() - after.keys())


def nameable(path: str) -> bool:
    """Tell whether a path can be written down as UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def split_by_writer(changed: Iterable[str], written: Iterable[str] | None) -> tuple[list[str], list[str]]:
    """Split changed paths into those that the kernel itself says it wrote, and those it does not know of."""
    own = {os.path.realpath(path) for path in written or ()}
    mine: list[str] = []
    unknown: list[str] = []
    for path in changed:
        (mine if os.path.realpath(path) in own else unknown).append(path)
    return mine, unknown


def record(
    folders: ArtifactFolders, changed: Iterable[str], removed: Iterable[str], digests: Digests, *, sure: bool
) -> dict[str, Artifact]:
    """Return what a cell did to artifacts, by name. A file that is gone again is no artifact.

    `sure` tells whether it is known that the cell did it.
    """
    found = {folders.label(path): Artifact(None) for path in removed}
    for path in changed:
        digest = digests.of(Path(path))
        if digest != ABSENT:
            with contextlib.suppress(OSError):
                found[folders.label(path)] = Artifact(digest, Path(path).stat().st_size, sure=sure)
    return found


def keep(found: dict[str, Artifact], folders: ArtifactFolders, store: Store, max_bytes: float) -> dict[str, Artifact]:
    """Put the bytes of artifacts into the store, but for those that are too large."""
    kept = {}
    for label, artifact in found.items():
        stored = artifact.digest is not None and artifact.sure and artifact.size <= max_bytes
        if stored and artifact.digest is not None:
            store.put_file(folders.place(label), artifact.digest)
        kept[label] = Artifact(artifact.digest, artifact.size, stored, artifact.sure)
    return kept


def put_back(path: Path, artifact: Artifact, store: Store) -> None:
    """Make a file what its artifact says. Raises Damaged or OSError where that is not possible."""
    if artifact.digest is None or not artifact.stored:
        raise Damaged("its bytes are not stored")
    write_whole(path, store.get_blob(artifact.digest))


def _scan(folder: str, seen: Seen, watch: FolderWatch) -> None:
    try:
        if os.path.isdir(folder):
            watch.watch(folder)
        entries = os.scandir(folder)
    except OSError:
        return
    with entries:
        for entry in entries:
            with contextlib.suppress(OSError):  # a file may go while we look
                if entry.is_dir(follow_symlinks=False):
                    _scan(entry.path, seen, watch)
                elif entry.is_file(follow_symlinks=False):
                    seen[entry.path] = _state(entry.stat(follow_symlinks=False))


def _look(path: str, seen: Seen) -> None:
    seen.pop(path, None)
    with contextlib.suppress(OSError):
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode):
            seen[path] = _state(status)


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino
