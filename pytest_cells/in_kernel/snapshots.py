"""Values of a notebook's names as bytes, and back: runs inside the kernel, the standard library alone.

A component (names whose values share objects) is one snapshot, so that aliases stay aliases. Functions come
back on the live namespace. What cannot be brought back whole is refused, and its cells are run again instead;
whoever loads a snapshot compares fingerprints before and after.

A snapshot is `PYCS`, a head, a pickle, and the memory of arrays. It can only be loaded by the Python that made it.
"""

import io
import pickle
import struct
import sys
import time
import warnings
from collections.abc import Container, Iterable
from importlib.util import MAGIC_NUMBER
from itertools import repeat
from operator import is_
from typing import Any

from . import rebuild
from .classes import identity
from .reducers import Judge, Shared
from .refusals import Refused
from .versions import collector as _collector

__all__ = ["Shared", "Unpicklable", "Unreadable", "dump", "is_plain", "load"]

FORMAT = 1
_MAGIC = b"PYCS" + struct.pack("<H", FORMAT) + MAGIC_NUMBER
_HEAD = struct.Struct("<QI")
_BUFFER = struct.Struct("<Q?")
_DEEPEST = 3000
"""A higher recursion limit of the notebook's is lowered for a moment: the stack of C is not as deep."""
_set_limit, _get_limit = sys.setrecursionlimit, sys.getrecursionlimit
_SILENT = ("ignore", None, Warning, None, 0)
_BytesIO = io.BytesIO
_update = dict.update
_clock = time.thread_time
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_ATOMS = frozenset(map(identity, _PLAIN))


class Unpicklable(Exception):
    """A component that no snapshot can be made of: the text says what it holds, in words for users."""


class Unreadable(Exception):
    """A snapshot that cannot be brought back here: the text says why."""


def dump(
    namespace: "dict[str, Any]",
    names: "Iterable[str]",
    cuts: "Container[str]",
    max_bytes: int,
    shared: "Shared | None" = None,
    max_s: float = 3600.0,
) -> bytes:
    """Return the values of some names, all of them bound, as one snapshot of at most `max_bytes`.

    Pickling is given up after about `max_s` of this thread's own time, in s.

    `cuts` are names of functions and classes that are bound under their own name: what is not among `names`
    is referred to. `shared` is a Shared that was made since the last cell ran, and can serve many dumps.
    Raises Unpicklable, KeyError.
    """
    ordered = tuple(sorted(names))
    values = [namespace[name] for name in ordered]
    known = set(ordered)
    referred = {identity(value): name for name, value in namespace.items() if name in cuts and name not in known}
    limits = max_bytes, max_s
    try:
        with _quiet():
            reason, content = _dump(namespace, ordered, values, referred, limits, shared)
    finally:
        del values, referred
    if content is None:
        raise Unpicklable(reason)
    return content


def load(namespace: "dict[str, Any]", content: "bytes | memoryview") -> "list[str]":
    """Bind the names of a snapshot to its values, and return them: all of them, or none. Raises Unreadable.

    Modules that it needs are imported. The functions and classes that were cut must be bound already.
    """
    with _quiet():
        reason, names, values = _load(namespace, content)
    if reason:
        raise Unreadable(reason)
    _update(namespace, zip(names, values))
    return list(names)


def _dump(
    namespace: "dict[str, Any]",
    names: "tuple[str, ...]",
    values: "list[Any]",
    referred: "dict[int, str]",
    limits: "tuple[int, float]",
    shared: "Shared | None",
) -> "tuple[str, bytes | None]":
    """Return what is wrong, or the snapshot. What modules hold is found by what was met, and then left to them."""
    if all(map(_atom, values)):
        return _written(namespace, names, values, referred, limits, None)
    shared = shared or Shared(namespace)
    if all(map(is_plain, values)):
        find = _finder(shared.places) if shared.holds(values) else None
        return _written(namespace, names, values, referred, limits, find)
    met: list[Any] = []
    try:
        found = _written(namespace, names, values, referred, limits, met.append)
        if shared.holds(met):
            found = _written(namespace, names, values, referred, limits, _finder(shared.places))
        return found
    finally:
        met.clear()


def _atom(value: Any) -> bool:
    return any(type(value) is kind for kind in _PLAIN)


def is_plain(value: Any) -> bool:
    """Tell whether a value is an atom, or a container of Python's own that holds nothing else."""
    kind = type(value)
    if kind is dict:
        return _all_atoms(value) and _all_atoms(value.values())
    return _atom(value) or ((kind is list or kind is tuple or kind is set) and _all_atoms(value))


def _all_atoms(values: "Iterable[Any]") -> bool:
    """Tell whether all are atoms: fast where they are of one kind, and by identity, since a metaclass may compare."""
    kind = next(map(type, values), int)
    alike = identity(kind) in _ATOMS and all(map(is_, map(type, values), repeat(kind)))
    return alike or _ATOMS.issuperset(map(identity, map(type, values)))


def _written(
    namespace: "dict[str, Any]",
    names: "tuple[str, ...]",
    values: "list[Any]",
    referred: "dict[int, str]",
    limits: "tuple[int, float]",
    find: Any,
) -> "tuple[str, bytes | None]":
    """Return what is wrong, or the snapshot; `find` is told of each object, and may say where it is held.

    No exception leaves it: a traceback would keep values alive.
    """
    writer = None
    try:
        writer = _Writer(Judge(namespace, referred), find, limits)
        writer.write(names, values)
        return "", writer.content()
    except Refused as problem:
        return "holds %s" % problem, None
    except _TooLarge as problem:
        return str(problem), None
    except RecursionError:
        return "nested too deeply", None
    except Exception as problem:
        return _told(problem), None
    finally:
        if writer is not None:
            writer.close()


def _load(namespace: "dict[str, Any]", content: "bytes | memoryview") -> "tuple[str, tuple[str, ...], list[Any]]":
    """Return what is wrong, or the names and their values."""
    try:
        names, values = _Reader(namespace, content).read()
    except _Wrong as problem:
        return str(problem), (), []
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        return _told(problem), (), []
    return "", names, values


class _TooLarge(Exception):
    pass


class _Wrong(Exception):
    pass


class _Writer:
    """One snapshot that is being made."""

    def __init__(self, judge: Judge, find: Any, limits: "tuple[int, float]") -> None:
        """Begin; `limits` are the most bytes and the most of this thread's time, in s."""
        self._judge, self._limits, self._spent, self._began = judge, limits, 0, _clock()
        self._file = _BytesIO()
        self._buffers: list[tuple[Any, bool]] = []
        self._pickler: Any = _Pickler(_Limited(self._file, self._spend), 5, buffer_callback=self._keep)
        self._pickler.reducer_override = judge.reduce  # type: ignore[method-assign]
        if find is not None:
            self._pickler.persistent_id = find  # type: ignore[method-assign]

    def write(self, names: "tuple[str, ...]", values: "list[Any]") -> None:
        """Write everything. Raises Refused, _TooLarge and what pickling raises."""
        self._pickler.dump((names, tuple(values)))  # of ours, nothing in it that modules could hold
        self._judge.memory.check()

    def content(self) -> bytes:
        """Return the snapshot."""
        size = self._file.tell()
        head = [_MAGIC, _HEAD.pack(size, len(self._buffers))]
        head += [_BUFFER.pack(buffer.nbytes, transient) for buffer, transient in self._buffers]
        return b"".join([*head, self._file.getbuffer(), *(buffer for buffer, _ in self._buffers)])

    def close(self) -> None:
        """Let go of every value."""
        self._pickler.clear_memo()
        self._pickler = None
        self._buffers.clear()
        self._judge.close()

    def _spend(self, size: int) -> None:
        self._spent += size
        if self._spent > self._limits[0]:
            raise _TooLarge("larger than %d bytes" % self._limits[0])
        if _clock() - self._began > self._limits[1]:
            raise _TooLarge("too slow to be worth it")

    def _keep(self, buffer: Any) -> bool:
        raw = buffer.raw()
        self._spend(raw.nbytes)
        self._buffers.append((raw, identity(buffer) in self._judge.memory.transient))
        return False


class _Limited:
    """A file that ends."""

    def __init__(self, file: Any, spend: Any) -> None:
        self._file, self._spend = file, spend

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._spend(size)
        self._file.write(data)
        return size


class _Pickler(pickle.Pickler):
    """Takes `reducer_override` and `persistent_id` as attributes."""


def _finder(places: "dict[int, tuple[str, str]]") -> Any:
    """Return what tells for each object whether a module holds it, and where."""
    look = places.get

    def find(found: Any) -> "tuple[str, str] | None":
        place = look(identity(found))
        if place is not None and not place[0]:
            raise Refused("the variables of a module or of the notebook itself")
        return place

    return find


class _Reader(pickle.Unpickler):
    """One snapshot that is being brought back."""

    def __init__(self, namespace: "dict[str, Any]", content: "bytes | memoryview") -> None:
        self._namespace = namespace
        view = memoryview(content).toreadonly() if hasattr(memoryview, "toreadonly") else memoryview(content)
        if view[: len(_MAGIC)] != _MAGIC or len(view) < len(_MAGIC) + _HEAD.size:
            raise _Wrong("made by another version of Python or of this plugin")
        position = len(_MAGIC)
        size, count = _HEAD.unpack_from(view, position)
        position += _HEAD.size
        kept = [_BUFFER.unpack_from(view, position + _BUFFER.size * number) for number in range(count)]
        position += _BUFFER.size * count
        if len(view) != position + size + sum(length for length, _ in kept):
            raise _Wrong("cut short")
        file = _BytesIO(view[position : position + size])
        super().__init__(file, buffers=self._memory(view, position + size, kept))

    @staticmethod
    def _memory(view: memoryview, position: int, kept: "list[tuple[int, bool]]") -> "Iterable[Any]":
        for length, transient in kept:
            piece = view[position : position + length]
            yield piece if transient else bytearray(piece)
            position += length

    def read(self) -> "tuple[tuple[str, ...], list[Any]]":
        names, values = self.load()
        return names, values

    def find_class(self, module: str, name: str) -> Any:
        if module == rebuild.__name__:
            if name == "cut":
                return self._cut
            if name == "live":
                return self._live
        if module == "__main__":
            raise _Wrong("refers to %s of the notebook" % name)
        return super().find_class(module, name)

    def persistent_load(self, found: "tuple[str, str]") -> Any:
        return rebuild.attribute(*found)

    def _live(self) -> "dict[str, Any]":
        return self._namespace

    def _cut(self, name: str) -> Any:
        if name not in self._namespace:
            raise _Wrong("needs %s, which is not defined" % name)
        return self._namespace[name]


class _quiet:  # noqa: N801
    """Hide warnings, keep the stack within what C can take, collect no garbage; no trace of it stays."""

    def __enter__(self) -> None:
        self._filters = warnings.filters
        try:
            self._filters.insert(0, _SILENT)  # type: ignore[attr-defined]
        except Exception:
            self._filters = []
        self._collects = _collector.isenabled()
        if self._collects:
            _collector.disable()  # so many new objects that nothing can be said to be garbage among
        self._limit = _get_limit()
        if self._limit > _DEEPEST:
            try:
                _set_limit(_DEEPEST)
            except RecursionError:
                self._limit = 0

    def __exit__(self, *_: object) -> None:
        if self._collects:
            _collector.enable()
        if self._limit > _DEEPEST:
            _set_limit(self._limit)
        for filters in (self._filters, warnings.filters):
            for position, item in enumerate(filters):
                if item is _SILENT:
                    del filters[position]  # type: ignore[attr-defined]
                    break


def _told(problem: BaseException) -> str:
    """Return a reason without asking an exception of the notebook's for its text."""
    kind = type(problem)
    if kind.__module__ in ("builtins", "pickle", "_pickle"):
        return "%s: %s" % (kind.__name__, problem)
    return kind.__name__
