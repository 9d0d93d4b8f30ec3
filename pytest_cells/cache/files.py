"""Digests of files and folders, read once while they stay the same."""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from pytest_cells.cache.trace import ABSENT, Version, digest_file, digest_of

RACY_NS = 100_000_000
"""A file changed less than 0.1 s before it was hashed may change again without a new time stamp."""


class _Listing(NamedTuple):
    """The names of what a folder holds, and of the links among that."""

    names: frozenset[str]
    links: frozenset[str]


class Digests:
    """Remember the digest of each file for as long as its inode, size and times are the same, and what folders hold.

    That of what is installed for a kernel too.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}
        self._listed: dict[Path, tuple[int, _Listing]] = {}
        self._facts: tuple[dict[str, str], Version] | None = None

    def of_facts(self, facts: dict[str, str]) -> Version:
        """Return the digest of what is installed for a kernel: long, and nearly always the same one as before."""
        if self._facts is None or self._facts[0] is not facts:
            self._facts = facts, digest_of(facts)
        return self._facts[1]

    def names(self, folder: Path) -> frozenset[str]:
        """Return the names of what a folder holds; none where there is no such folder."""
        return self._listing(folder).names

    def links(self, folder: Path) -> frozenset[str]:
        """Return the names of the links among what a folder holds."""
        return self._listing(folder).links

    def _listing(self, folder: Path) -> _Listing:
        try:
            changed = folder.stat().st_mtime_ns
            known = self._listed.get(folder)
            if known is not None and known[0] == changed:
                return known[1]
            with os.scandir(folder) as entries:
                found = {entry.name: entry.is_symlink() for entry in entries}
        except OSError:
            return _Listing(frozenset(), frozenset())
        listing = _Listing(frozenset(found), frozenset(name for name, link in found.items() if link))
        if time.time_ns() - changed > RACY_NS:
            self._listed[folder] = (changed, listing)
        return listing

    def of(self, path: Path) -> Version:
        """Return the SHA-256 of a file's bytes, or ABSENT.

        A file that exists and cannot be read gets a Version that is never equal to another.
        """
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                return f"special {stat.S_IFMT(status.st_mode):o} {status.st_mtime_ns}"
            signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            digest = digest_file(path)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        except OSError as error:
            return f"unreadable {error.errno} {time.time_ns()}"
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > RACY_NS:
            self._known[path] = (signature, digest)
        return digest

    def of_pattern(self, pattern: str, folder: Path) -> Version:
        """Return the Version of a declared input: a file, a folder with all in it, or a glob."""
        paths = matches(pattern, folder)
        if not glob.has_magic(pattern) and paths == [folder / pattern] and not paths[0].is_dir():
            return self.of(paths[0])
        listed: dict[str, Version] = {}
        for path in paths:
            for inner in walk(path) if path.is_dir() else (path,):
                listed[_relative(inner, folder)] = "folder" if inner.is_dir() else self.of(inner)
        return digest_of(listed) if paths else ABSENT


def files_of(pattern: str, folder: Path) -> list[Path]:
    """Return the files that a declared output names now, those in folders included, in order."""
    found: list[Path] = []
    for path in matches(pattern, folder):
        found.extend(inner for inner in (walk(path) if path.is_dir() else (path,)) if inner.is_file())
    return found


def matches(pattern: str, folder: Path) -> list[Path]:
    """Return the files and folders that a declared input names now, in order."""
    if glob.has_magic(pattern) and not (folder / pattern).exists():
        found = glob.glob(pattern, root_dir=folder, recursive=True)  # the folder's own name is no pattern
        return sorted(folder / name for name in found)
    path = folder / pattern
    return [path] if path.exists() else []


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside itself and rename it, so that a reader sees all of it or what was there before.

    Folders above it are created. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def walk(folder: Path, skipped: Collection[str] = ()) -> Iterator[Path]:
    """Yield all files and folders in a folder, links followed, each real folder once; `skipped` are folder names."""
    seen: set[tuple[int, int]] = set()
    for top, folders, names in os.walk(folder, followlinks=True):
        kept = []
        for name in sorted(set(folders) - set(skipped)):
            with contextlib.suppress(OSError):
                status = Path(top, name).stat()
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    kept.append(name)
        folders[:] = kept
        for name in (*kept, *sorted(names)):
            yield Path(top, name)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
