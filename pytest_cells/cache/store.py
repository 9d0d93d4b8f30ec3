"""The content-addressed store on disk.

    objects/ab/cdef…            immutable blobs by SHA-256: outputs, artifacts, snapshots
    traces/ab/cdef…/H-K.trace   by lookup key; H: start of the history's version, K: start of the cache key
    environments/….json         what was installed, by the version of `@environment`
    records/ab….json            what each notebook looked like when it last ran (for reasons and durations)
    records/ab….whole           what a notebook depended on of which all cells were cached

Everything is written to a temporary file and renamed, so that a reader sees a whole entry or none, and two
writers of the same entry write the same bytes. No lock on this path; only garbage collection takes one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from pytest_cells.cache.trace import (
    HISTORY,
    Damaged,
    NotebookRecord,
    Stamp,
    Trace,
    Version,
    decode_outputs,
    decode_trace,
    digest_bytes,
    digest_file,
    encode_trace,
)
from pytest_cells.errors import StoreError
from pytest_cells.model import Json
from pytest_cells.settings import CacheSettings

MARKER = "pytest-cells-store"
FOLDERS = ("objects", "traces", "environments", "records", "tmp")
GC_EVERY_S = 24 * 3600.0
TOUCH_EVERY_S = 3600.0
"""Entries that are used are marked so that they outlive others, at most so often."""
SMALL_PART = 1 / 16
"""What part of the bound one process may add to a new store without looking whether that is still within it."""
Kept = TypeVar("Kept")
CANDIDATES = 20
"""How many traces with another history are read to find out what differs."""


class _PassedSource(msgspec.Struct):
    source: str


class _PassedSources(msgspec.Struct):
    cells: dict[str, _PassedSource]


class Store:
    """Keep traces, blobs and records under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._root = str(folder)
        self._written = False
        self._bytes = 0
        """How much was written by way of this object."""

    def prepare(self) -> None:
        """Create the folder. Raises StoreError where that is impossible or the folder is somebody else's."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            marker = self.folder / MARKER
            if not marker.exists():
                strangers = [entry.name for entry in os.scandir(self.folder) if entry.name not in (*FOLDERS, MARKER)]
                if strangers:
                    found = f"a folder with other things in it ({strangers[0]})"
                    raise StoreError(f"--cells-cache-dir {self.folder}: found {found}; expected an empty or new one")
                marker.write_text("The cache of pytest-cells. It can be deleted at any time.\n", encoding="utf-8")
        except OSError as error:
            problem = f"cannot be written: {error.strerror or error}"
            raise StoreError(
                f"the cache folder {self.folder} {problem}\n"
                "  choose another with --cells-cache-dir, or run with --cells-no-cache"
            ) from None

    def clear(self) -> None:
        """Remove everything that is ours from the folder."""
        if (self.folder / MARKER).exists():
            for name in FOLDERS:
                shutil.rmtree(self.folder / name, ignore_errors=True)

    # -- blobs ---------------------------------------------------------------------------------------------

    def put_blob(self, content: bytes) -> str:
        """Store some bytes and return their digest."""
        digest = digest_bytes(content)
        path = self._blob(digest)
        if not _same_size(path, len(content)):
            self._write(path, content)
        return digest

    def put_file(self, source: Path, digest: str) -> None:
        """Store a copy of a file whose digest is known."""
        path = self._blob(digest)
        size = source.stat().st_size
        if not (_same_size(path, size) and digest_file(path) == digest):
            self._place(str(path), lambda temporary: shutil.copyfile(source, temporary), size)

    def get_blob(self, digest: str) -> bytes:
        """Return the bytes of a digest. Raises Damaged where they are gone or altered."""
        try:
            content = self._blob(digest).read_bytes()
        except OSError as error:
            raise Damaged(f"stored bytes {digest[:12]} are gone ({error.strerror})") from None
        if digest_bytes(content) != digest:
            self._blob(digest).unlink(missing_ok=True)  # or it would be taken for whole when it is stored again
            raise Damaged(f"stored bytes {digest[:12]} are altered")
        return content

    def blob_path(self, digest: str) -> Path:
        """Return where the bytes of a digest are, if they are stored."""
        return self._blob(digest)

    def snapshot_folder(self) -> Path:
        """Make the folder into which kernels dump, before `take_in`, and return it. Raises OSError."""
        folder = self.folder / "tmp" / "snapshots"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def take_in(self, source: Path, digest: str) -> None:
        """Move a file that a kernel has dumped to its place. Raises OSError."""
        path = self._blob(digest)
        if _same_size(path, source.stat().st_size):
            source.unlink()
        else:
            _rename(str(source), str(path))
            self._written = True

    # -- traces --------------------------------------------------------------------------------------------

    def put_trace(self, trace: Trace) -> None:
        """Store a trace, replacing one with the same key."""
        path = self._trace_name(trace)
        with contextlib.suppress(OSError):  # what is wrong is told by what follows
            os.mkdir(path.rpartition("/")[0])  # noqa: PTH102  # of most cells there is none yet
        self._write(path, encode_trace(trace))

    def knows(self, lookup: str) -> bool:
        """Tell whether there may be a trace of a lookup key."""
        return Path(self._traces(lookup)).exists()

    @property
    def empty(self) -> bool:
        """Tell whether no trace is stored at all."""
        try:
            with os.scandir(self.folder / "traces") as shards:
                return next(shards, None) is None
        except OSError:
            return True

    def outputs(self, trace: Trace) -> list[Json]:
        """Return what a cell gave. Raises Damaged where it is gone or altered."""
        return decode_outputs(self.get_blob(trace.outputs)) if trace.outputs is not None else trace.few_outputs

    def remove_trace(self, trace: Trace) -> None:
        """Forget a trace that turned out wrong."""
        with contextlib.suppress(OSError):
            os.unlink(self._trace_name(trace))  # noqa: PTH108

    def candidates(self, lookup: str, history: str, problems: list[str]) -> Iterator[Trace]:
        """Yield the traces of a lookup key, those with the given history first.

        An entry that cannot be read is skipped, and `problems` says why.
        """
        folder = self._traces(lookup)
        try:
            names = [name for name in os.listdir(folder) if name.endswith(".trace")]  # noqa: PTH208  # texts
        except FileNotFoundError:
            return
        except OSError as error:
            problems.append(f"cache folder unreadable ({error.strerror})")
            return
        start = history[:16]
        first = [name for name in names if name.startswith(start)]
        others = [name for name in names if not name.startswith(start)]
        for name in first + others[:CANDIDATES]:
            try:
                trace = decode_trace(_content(f"{folder}/{name}"))
                if trace.lookup != lookup:
                    raise Damaged("foreign entry")
            except OSError as error:
                problems.append(f"cache entry unreadable ({error.strerror})")
            except Damaged as damage:
                problems.append(f"cache entry ignored ({damage})")
            else:
                yield trace

    def _trace_name(self, trace: Trace) -> str:
        history = trace.inputs.get(HISTORY, "none")
        return f"{self._traces(trace.lookup)}/{history[:16]}-{trace.key[:24]}.trace"

    def _traces(self, lookup: str) -> str:
        return f"{self._root}/traces/{lookup[:2]}/{lookup[2:]}"  # a text: a Path of parts takes as long as reading

    # -- environments --------------------------------------------------------------------------------------

    def has_environment(self, version: Version) -> bool:
        """Tell whether there is a description of an environment; it is marked as used."""
        try:
            os.utime(self._environment(version))
        except OSError:
            return False
        return True

    def put_environment(self, version: Version, description: bytes) -> None:
        """Keep the description of an environment. Raises OSError."""
        self._write(self._environment(version), _with_digest(description))

    def get_environment(self, version: Version) -> bytes:
        """Return the description of an environment. Raises Damaged where it is gone or altered."""
        try:
            description = _checked(self._environment(version).read_bytes())
        except OSError as error:
            raise Damaged(f"the description of environment {version[:12]} is gone ({error.strerror})") from None
        if description is None:
            raise Damaged(f"the description of environment {version[:12]} is altered")
        return description

    def _environment(self, version: Version) -> Path:
        return self.folder / "environments" / f"{version}.json"

    # -- records -------------------------------------------------------------------------------------------

    def put_record(self, name: str, record: NotebookRecord) -> None:
        """Keep the record of a notebook; what is there is replaced."""
        self._write(self._record(name), msgspec.json.encode(record))

    def get_record(self, name: str) -> NotebookRecord | None:
        """Return the record of a notebook, or None where it is missing or not what it should be."""
        try:
            return msgspec.json.decode(self._record(name).read_bytes(), type=NotebookRecord)
        except (OSError, msgspec.DecodeError):
            return None

    def passed_sources(self, name: str) -> dict[str, Version]:
        """Return, of the cells in a notebook's record, the digests of their sources; what else stands there is much."""
        try:
            cells = msgspec.json.decode(_content(str(self._record(name))), type=_PassedSources).cells
        except (OSError, msgspec.DecodeError):
            return {}
        return {cell_id: kept.source for cell_id, kept in cells.items()}

    def put_whole(self, name: str, whole: msgspec.Struct) -> None:
        """Keep what a notebook depended on of which all cells were cached. Raises OSError."""
        self._write(self._record(name, ".whole"), _with_digest(msgspec.json.encode(whole)))

    def get_whole(self, name: str, kind: type[Kept]) -> Kept | None:
        """Return what a notebook depended on of which all cells were cached; None where that cannot be read."""
        try:
            body = _checked(_content(str(self._record(name, ".whole"))))
            return None if body is None else msgspec.json.decode(body, type=kind)
        except (OSError, msgspec.DecodeError):
            return None

    def entries(self, trace: Trace) -> list[Stamp] | None:
        """Return the entries that a hit needs, as they are now; None where one is gone."""
        names = [self._trace_name(trace)]
        if trace.outputs is not None:
            names.append(str(self._blob(trace.outputs)))
        try:
            found = [(name, os.stat(name)) for name in names]  # noqa: PTH116  # texts
        except OSError:
            return None
        return [Stamp(name[len(self._root) + 1 :], status.st_size, status.st_mtime_ns) for name, status in found]

    def is_there(self, entry: Stamp) -> bool:
        """Tell whether an entry is there as it was."""
        try:
            status = os.stat(f"{self._root}/{entry.name}")  # noqa: PTH116  # for each cell too
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (entry.size, entry.mtime_ns)

    def _record(self, name: str, kind: str = ".json") -> Path:
        return self.folder / "records" / f"{digest_bytes(name.encode('utf-8', 'surrogatepass'))[:32]}{kind}"

    # -- bounds --------------------------------------------------------------------------------------------

    def collect_garbage(self, max_size_mb: float) -> None:
        """Delete the least recently used entries until the store is within its bound.

        At most one process at a time, once a day, and only after something was written. Of a new store it is known
        that there is nothing to delete.
        """
        stamp = self.folder / "tmp" / "gc"
        if not max_size_mb or not self._written or time.time() - _mtime(stamp) < GC_EVERY_S:
            return
        new = time.time() - _mtime(self.folder / MARKER) < GC_EVERY_S and not stamp.exists()
        try:
            stamp.parent.mkdir(parents=True, exist_ok=True)
            if new and self._bytes < max_size_mb * 2**20 * SMALL_PART:
                stamp.touch()
                return
            from filelock import FileLock, Timeout  # 20 ms, for once a day
        except OSError:
            return
        try:
            with FileLock(str(self.folder / "tmp" / "gc.lock"), timeout=0):
                stamp.touch()
                _shrink(self.folder, max_size_mb * 2**20)
        except (OSError, Timeout):
            return  # somebody else collects, or the folder went away: both are fine

    def touch(self, trace: Trace) -> None:
        """Mark a trace as used, at most once an hour, so that it outlives unused ones."""
        path = self._trace_name(trace)
        if time.time() - _mtime(path) > TOUCH_EVERY_S:
            kept = [trace.outputs, trace.lookups]
            kept += [artifact.digest for artifact in trace.artifacts.values() if artifact.stored]
            for used in (Path(path), *(self._blob(digest) for digest in kept if digest)):
                with contextlib.suppress(OSError):
                    os.utime(used)

    # -- files ---------------------------------------------------------------------------------------------

    def _blob(self, digest: str) -> Path:
        return Path(f"{self._root}/objects/{digest[:2]}/{digest[2:]}")

    def _write(self, path: Path | str, content: bytes) -> None:
        self._place(str(path), partial(_write_bytes, content), len(content))

    def _place(self, path: str, write: Callable[[str], object], size: int) -> None:
        """Let an entry of `size` bytes be written elsewhere and bring it to its place whole.

        One is for each cell: paths are texts, since operations with a Path take longer than those of the system.
        """
        temporary = f"{self._root}/tmp/{os.getpid()}-{time.monotonic_ns()}"
        try:
            try:
                write(temporary)
            except FileNotFoundError:
                Path(temporary).parent.mkdir(parents=True, exist_ok=True)
                write(temporary)
            _rename(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        self._written = True
        self._bytes += size


def nothing_hits(settings: CacheSettings) -> bool:
    """Tell whether no cell can be taken from the cache: it is off, to be refreshed, or empty."""
    return settings.folder is None or settings.force or Store(settings.folder).empty


def _with_digest(body: bytes) -> bytes:
    """Return an entry that tells whether it is whole: a line with the digest of what follows."""
    return f"{digest_bytes(body)}\n".encode() + body


def _checked(entry: bytes) -> bytes | None:
    """Return what follows that line; None where it is not what it was."""
    digest, _, body = entry.partition(b"\n")
    return body if digest_bytes(body).encode() == digest else None


def _write_bytes(content: bytes, path: str) -> None:
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(content)


def _rename(temporary: str, path: str) -> None:
    try:
        os.replace(temporary, path)  # noqa: PTH105
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, path)  # noqa: PTH105
    except IsADirectoryError:  # no entry of ours is a folder
        shutil.rmtree(path)
        os.replace(temporary, path)  # noqa: PTH105


def _same_size(path: Path, size: int) -> bool:
    """Tell whether a blob is there whole: a truncated one is written again."""
    try:
        status = path.stat()
        return stat.S_ISREG(status.st_mode) and status.st_size == size
    except OSError:
        return False


def _content(path: str) -> bytes:
    """Return the bytes of a file, of which one is read for each cell. Raises OSError."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  # a Path and a buffer cost more than the file
        return file.read()


def _mtime(path: Path | str) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116  # for each cell too
    except OSError:
        return 0.0


def _shrink(folder: Path, bound: float) -> None:
    entries = []
    for top in ("objects", "traces", "environments", "tmp"):
        for path in (folder / top).rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and path.name not in ("gc", "gc.lock"):
                    status = path.stat()
                    entries.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in entries)
    for _, size, path in sorted(entries, key=lambda entry: entry[0]):
        if total <= bound:
            return
        path.unlink(missing_ok=True)
        total -= size
