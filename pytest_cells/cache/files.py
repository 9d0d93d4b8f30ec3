"""Digests of files and folders, read once while they stay the same."""

from __future__ import annotations

import glob
import hashlib
import os
import time
from pathlib import Path

from pytest_cells.cache.trace import ABSENT, Version, digest_of

RACY_NS = 100_000_000
"""A file changed less than 0.1 s before it was hashed may change again without a new time stamp."""
CHUNK = 2**20


class Digests:
    """Remember the digest of each file for as long as its inode, size and times are the same."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, ...], str]] = {}

    def of(self, path: Path) -> Version:
        """Return the SHA-256 of a file's bytes, or ABSENT.

        A file that exists and cannot be read gets a Version that is never equal to another.
        """
        try:
            status = path.stat()
            signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            digest = _sha256(path)
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
            if path.is_dir():
                for top, folders, names in os.walk(path):
                    folders.sort()
                    for name in names:
                        inner = Path(top, name)
                        listed[_relative(inner, folder)] = self.of(inner)
            else:
                listed[_relative(path, folder)] = self.of(path)
        return digest_of(listed) if paths else ABSENT


def matches(pattern: str, folder: Path) -> list[Path]:
    """Return the files and folders that a declared input names now, in order."""
    if glob.has_magic(pattern) and not (folder / pattern).exists():
        return sorted(Path(found) for found in glob.glob(str(folder / pattern), recursive=True))  # noqa: PTH207  # absolute
    path = folder / pattern
    return [path] if path.exists() else []


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()
