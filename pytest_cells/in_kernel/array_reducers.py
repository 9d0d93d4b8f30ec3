"""How arrays are taken apart for a snapshot, and their memory: standard library alone, inside the kernel.

A view comes back as a view of its owner, so that what one writes the other reads. Where that cannot be kept (memory
that is no array's, arrays that share memory with pandas objects), the snapshot is refused.
"""

import sys
from pickle import PickleBuffer as _Buffer
from typing import Any

from . import rebuild
from .classes import identity
from .refusals import Refused

_Reduced = Any
_modules = sys.modules
_type_mro: Any = type.__dict__["__mro__"]


class Apart:
    """An array inside of a pandas object: it shares its memory with nothing that the notebook could tell."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Memory:
    """The memory of all arrays of one snapshot: what is shared stays shared, or is refused."""

    def __init__(self) -> None:
        self.numpy: Any = None
        self.copy_on_write = True
        self.transient: set[int] = set()  # the ids of buffers whose bytes are copied when they are loaded
        self._kept: list[Any] = []
        self._ranges: dict[tuple[int, str], tuple[int, int, str]] = {}

    def array(self, found: Any) -> _Reduced:
        """Return how an array is put together again, on its owner's memory where it is a view."""
        owner = self._owner(found)
        if owner is found:
            self._note(found, "array")
            return self._alone(found)
        self._note(owner, "array")
        if owner.dtype.hasobject or not _buffered(found) or not _buffered(owner) or not _gapless(owner):
            raise Refused("a view of an array, of a kind that cannot be brought back")
        offset = _address(found) - _address(owner)
        arguments = (owner, found.dtype, found.shape, found.strides, offset)
        if found.flags.writeable:
            return rebuild.view, arguments
        return rebuild.view, arguments, (False,), None, None, rebuild.freeze

    def apart(self, found: Apart) -> _Reduced:
        """Return how an array inside of a pandas object is put together again."""
        inner = found.inner
        self._note(inner, "pandas")
        return self._alone(inner)

    def take_apart(self, reduced: _Reduced) -> _Reduced:
        """Mark the arrays that a pandas object directly holds."""
        marks: dict[int, Apart] = {}
        return tuple(self._marked(part, 6, marks) for part in reduced)

    def _marked(self, part: Any, depth: int, marks: "dict[int, Apart]") -> Any:
        kind = type(part)
        if kind is self.numpy.ndarray:
            return marks.setdefault(identity(part), Apart(part))
        if not depth or kind not in (tuple, list, dict):
            return part
        held = part.values() if kind is dict else part
        changed = [self._marked(inner, depth - 1, marks) for inner in held]
        if all(new is old for new, old in zip(changed, held)):
            return part
        return dict(zip(part, changed)) if kind is dict else kind(changed)

    def own(self, found: Any, reduced: _Reduced) -> _Reduced:
        """Mark the arrays that an object's reduce made on the memory of the object itself."""
        numpy = self.numpy

        def own(part: Any) -> bool:
            return type(part) is numpy.ndarray and part.base is found

        def mark(part: Any) -> Any:
            if own(part):
                return Apart(part.copy(order="K"))
            if type(part) is tuple and any(own(inner) for inner in part):
                return tuple(mark(inner) for inner in part)
            if type(part) is dict and any(own(inner) for inner in part.values()):
                return {key: mark(inner) for key, inner in part.items()}
            return part

        if any(each is numpy.ndarray for each in _type_mro.__get__(type(found))):
            self._note(found, "array")
        return tuple(mark(part) for part in reduced)

    def close(self) -> None:
        """Let go of all arrays."""
        self._kept.clear()

    def check(self) -> None:
        """Refuse what shares memory in a way that would be lost. Raises Refused."""
        spans = sorted(self._ranges.values())
        high, kind = -1, ""
        for low, end, this in spans:
            if low < high:
                if kind != this:
                    raise Refused("an array that shares memory with a pandas object")
                if kind == "array" or not self.copy_on_write:
                    raise Refused("arrays that share memory")
            if end > high:
                high, kind = end, this

    def _owner(self, found: Any) -> Any:
        """Return the array that owns the memory of another. Raises Refused where none does."""
        owner, base = found, found.base
        while base is not None:
            kind = type(base)
            if kind is self.numpy.ndarray:
                owner = base
                base = base.base
            elif kind is memoryview:
                base = base.obj
            elif kind.__name__ in ("DummyArray", "_memoryviewslice", "memoryview"):  # numpy's, and Cython's
                base = base.base
            elif kind is bytes or kind.__name__ == "PyCapsule":
                break
            else:
                raise Refused("an array on the memory of a %s" % kind.__name__)
        return owner

    def _alone(self, found: Any) -> _Reduced:
        if not _buffered(found):
            return found.__reduce__()
        axes = sorted(range(found.ndim), key=lambda axis: -found.strides[axis])
        ordered = found.transpose(axes)
        if not ordered.flags.c_contiguous:
            axes, ordered = list(range(found.ndim)), found
        order = None if axes == list(range(found.ndim)) else tuple(axes)
        flat = self.numpy.ascontiguousarray(ordered).reshape(-1).view("u1")
        buffer = _Buffer(flat)
        self._kept.append(buffer)
        self.transient.add(identity(buffer))
        arguments = (found.dtype, found.shape, order, buffer)
        if found.flags.writeable:
            return rebuild.array, arguments
        return rebuild.array, arguments, (False,), None, None, rebuild.freeze

    def _note(self, found: Any, kind: str) -> None:
        low, high = _bounds(found)
        if low < high:
            self._kept.append(found)
            self._ranges[identity(found), kind] = (low, high, kind)


def _address(found: Any) -> int:
    return int(found.__array_interface__["data"][0])


def _bounds(found: Any) -> "tuple[int, int]":
    """Return the first byte of an array's memory and the one after the last."""
    low = high = _address(found)
    if not found.size:
        return low, low
    for length, step in zip(found.shape, found.strides):
        if step < 0:
            low += (length - 1) * step
        else:
            high += (length - 1) * step
    return low, high + found.itemsize


def _buffered(found: Any) -> bool:
    """Tell whether an array is its bytes."""
    kind = found.dtype
    return kind.kind in "biufcmMSUV" and not kind.hasobject and kind.itemsize > 0


def _gapless(found: Any) -> bool:
    axes = sorted(range(found.ndim), key=lambda axis: -found.strides[axis])
    return bool(found.transpose(axes).flags.c_contiguous)


def pandas_holders(pandas: Any) -> "tuple[type, ...]":
    """Return the types of the parts of pandas objects that hold arrays."""
    internals = _modules.get("pandas._libs.internals")
    managers = _modules.get("pandas.core.internals.managers")
    holders = [getattr(pandas, "Index", None), getattr(internals, "Block", None)]
    holders += [getattr(internals, "BlockManager", None), getattr(managers, "SingleBlockManager", None)]
    holders.append(getattr(getattr(getattr(pandas, "api", None), "extensions", None), "ExtensionArray", None))
    return tuple(kind for kind in holders if isinstance(kind, type))


def record(found: Any) -> _Reduced:
    """Return how a structured scalar is put together again."""
    if found.base is not None:
        raise Refused("a record that is a part of an array")
    return found.__reduce__()
