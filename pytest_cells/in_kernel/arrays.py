"""Runs inside the kernel: fingerprints of numpy's and pandas' values, and which of them share memory.

Both libraries are reached through `sys.modules` only: where they are not loaded there are no such values.
"""

import builtins
import sys
from bisect import bisect_right
from collections.abc import Callable
from marshal import dumps as _dumps
from typing import Any

from .classes import identity, module_of, mro_of

globals()["__builtins__"] = dict(vars(builtins))  # a notebook may replace what it likes

_ARRAY, _SUBCLASS, _FOREIGN, _FIELDS, _OBJECTS = b"\x1b\x01", b"\x1b\x02", b"\x1b\x03", b"\x1b\x04", b"\x1b\x05"
_SCALAR, _DTYPE, _FRAME, _INDEX, _EXTENSION, _COLUMN = (b"\x1c%c" % number for number in range(6))
_ARROW, _EXTENSION_DTYPE = b"\x1d\x01", b"\x1d\x02"
_RAW = frozenset("?bhilqpBHILQPefdFDSUVmMN")
_PARTS = ("_ndarray", "_data", "_mask", "_left", "_right", "_sparse_values", "_sparse_index")
"""The attributes of pandas' extension arrays that hold their contents."""
_NOT_OF_THE_VALUE = frozenset(["_mgr", "_item_cache", "_cacher", "_is_copy", "_flags", "_attrs", "_typ"])
_ROWS_AT_ONCE = 16
_ARRAY_COSTS = 6000
"""So many estimated bytes could be walked while one array, index or block is, however small it is."""


class Span:
    """Bytes in memory that a name (its number) reaches, from `low` up to `high`, as the `place`-th of its arrays.

    `pandas` if an object of pandas holds them; `counted` is by what that knows who else does, 0 if that is not known.
    """

    __slots__ = ("counted", "high", "low", "number", "pandas", "place")

    def __init__(self, low: int, high: int, number: int, place: int, *, pandas: bool, counted: int) -> None:
        self.low, self.high, self.number, self.place = low, high, number, place
        self.pandas, self.counted = pandas, counted


class Frozen:
    """Stands on the stack for an array or index that a pandas object holds: it is content, not an object to share."""

    __slots__ = ("counted", "pandas", "value")

    def __init__(self, value: Any, *, pandas: bool = True, counted: int = 0) -> None:
        self.value, self.pandas, self.counted = value, pandas, counted


def _of(module: str, *names: str) -> "list[Any]":
    """Return what a module that is loaded holds, None for what it lacks."""
    home: Any = sys.modules.get(module)
    return [getattr(home, name, None) if home is not None else None for name in names]


def within(base: Any, mro: "tuple[Any, ...]") -> bool:
    """Tell whether a class is among others; not by `in`, which may ask a metaclass of the notebook's."""
    return identity(base) in map(identity, mro)


def is_array(mro: "tuple[Any, ...]") -> bool:
    """Tell whether a type is numpy's array, or derived from it."""
    (array,) = _of("numpy", "ndarray")
    return array is not None and within(array, mro)


def handler(walk: Any, kind: Any, mro: "tuple[Any, ...]") -> "Callable[[Any], None] | None":
    """Return what writes instances of a type of numpy's or pandas'; None for other types."""
    array, memmap, generic, dtype = _of("numpy", "ndarray", "memmap", "generic", "dtype")
    if array is not None:
        if within(array, mro):
            return None if within(memmap, mro) else lambda item: _array(walk, item)
        if within(generic, mro) and module_of(kind) == "numpy":
            return lambda item: _scalar(walk, item)
        if within(dtype, mro):
            return lambda item: walk.out.append(_DTYPE + _dumps(_dtype_told(item), 2))
    frame, series, index = _of("pandas", "DataFrame", "Series", "Index")
    if frame is not None and series is not None and index is not None:
        if within(frame, mro) or within(series, mro):
            return lambda item: _frame(walk, item)
        if within(index, mro):
            return lambda item: _index_itself(walk, item)
        extension, extension_dtype = _of("pandas.api.extensions", "ExtensionArray", "ExtensionDtype")
        if extension is not None and within(extension, mro):
            return lambda item: _extension_itself(walk, item)
        if extension_dtype is not None and within(extension_dtype, mro):
            return lambda item: _extension_dtype(walk, item)
    return None


# ----------------------------------------------------------------------------------------------------------- numpy


def _dtype_told(dtype: Any) -> str:
    told = dtype.str if dtype.names is None and dtype.subdtype is None and dtype.metadata is None else repr(dtype)
    return str(told) + (repr(dtype.metadata) if dtype.metadata else "")


def _span(walk: Any, array: Any, *, pandas: bool, counted: int = 0) -> None:
    if not array.size or not array.itemsize:
        return
    low = array.ctypes.data  # faster than `__array_interface__`, which describes all of the array
    high = low + array.itemsize
    for length, stride in zip(array.shape, array.strides):
        if stride > 0:
            high += (length - 1) * stride
        else:
            low += (length - 1) * stride
    walk.spans.append(Span(low, high, walk.number, walk.placed, pandas=pandas, counted=counted))
    walk.placed += 1


def _attributes(item: Any) -> Any:
    try:
        return object.__getattribute__(item, "__dict__")
    except AttributeError:
        return None


def _array(walk: Any, item: Any) -> None:
    if not walk.first(item):
        return
    (array,) = _of("numpy", "ndarray")
    plain = item
    if type(item) is not array:
        plain = array.view(item, array)
        walk.out.append(_SUBCLASS)
        walk.push([type(item), _attributes(item)])
    walk.part.size += _ARRAY_COSTS
    _span(walk, plain, pandas=False)
    base = array.base.__get__(item)
    while base is not None and within(array, mro_of(type(base))):
        base = array.base.__get__(base)
    if base is not None and type(base) is not bytes:
        walk.out.append(_FOREIGN + _dumps(type(base).__name__, 2))
        if type(base).__name__ == "mmap":
            walk.refuse("memory map")
        walk.close([base])
    walk.out.append(_ARRAY + (b"w" if plain.flags.writeable else b"r"))
    _content(walk, plain, layout=True)


def _content(walk: Any, array: Any, *, layout: bool) -> None:
    """Write what an array holds. Where its elements stand in memory is told too if `layout`: results depend on it."""
    dtype = array.dtype
    if dtype.metadata:
        walk.push([walk.own(list(dtype.metadata)), walk.own(list(dtype.metadata.values()))])
    if dtype.names is not None:
        walk.out.append(_FIELDS + _dumps((dtype.names, array.shape, dtype.isalignedstruct, repr(dtype)), 2))
        for name in dtype.names:  # what lies between the fields has no value
            _content(walk, array[name], layout=False)
        return
    if dtype.char in "OT":
        walk.out.append(_OBJECTS + _dumps((dtype.str, array.shape), 2))
        walk.push([walk.own(array.reshape(-1).tolist())])
        return
    flags = array.flags
    order: Any = "C"
    if not flags.c_contiguous:
        order = ("F" if flags.f_contiguous else array.strides) if layout else "C"
        if order == "F":
            array = array.T
        elif not array.size or not layout or not flags.f_contiguous:
            array = array.copy(order="C")
    walk.out.append(_dumps((_dtype_told(dtype), array.shape, order), 2))
    if array.size and array.itemsize:
        walk.out.append(walk.buffer(_bytes_of(walk, array.reshape(-1))))


def _bytes_of(walk: Any, flat: Any) -> Any:
    """Return contiguous elements, one dimension or more, as bytes, without those that have no value."""
    dtype = flat.dtype
    if dtype.char in _RAW:
        return flat.view("u1")
    if dtype.char in "gG":
        (finfo,) = _of("numpy", "finfo")
        if finfo(dtype).nmant == 63:  # the x87's 80 bits, in 12 or 16 bytes
            width = dtype.itemsize // (2 if dtype.char == "G" else 1)
            return flat.view("u1").reshape(-1, width)[:, :10].copy().reshape(-1)
        return flat.view("u1")
    return walk.refuse("numpy dtype %s" % dtype)


def _scalar(walk: Any, item: Any) -> None:
    dtype = item.dtype
    if dtype.char == "V":  # may be a view into an array, and be changed
        if walk.first(item):
            (make,) = _of("numpy", "array")
            base = item.base
            if base is not None:
                walk.close([base])
            walk.out.append(_SCALAR)
            _content(walk, make(item), layout=False)
        return
    (make,) = _of("numpy", "array")
    flat = make(item).reshape(-1)
    content = bytes(_bytes_of(walk, flat)) if flat.itemsize else b""
    walk.out.append(_SCALAR + _dumps((dtype.str, content), 2))
    walk.part.size += dtype.itemsize
    walk.part.packages.add("numpy")


def close(walk: Any, item: Any) -> "list[Any]":
    """Note the memory of an array, and return the objects that it holds."""
    (array,) = _of("numpy", "ndarray")
    plain = item if type(item) is array else array.view(item, array)
    walk.touch(item)
    _span(walk, plain, pandas=False)
    base = array.base.__get__(item)
    found = [] if base is None else [base]
    if plain.dtype.hasobject:
        if plain.dtype.names is None:
            found += plain.reshape(-1).tolist()
        else:
            walk.unproven.add(walk.number)
    if type(item) is not array:
        found.append(_attributes(item))
    return found


def join_overlapping(walk: Any) -> "list[list[Span]]":
    """Join names whose arrays share memory; return the groups of spans that lie over each other.

    Frames and series that share memory with each other alone are separate where pandas copies on write: it does where
    it counts them together, and not where one was made with `copy=False` of what another gave out.
    """
    spans = walk.spans
    if len(spans) < 2:
        return []
    (version,) = _of("pandas", "__version__")
    copies = type(version) is str and version.partition(".")[0].isdigit() and int(version.partition(".")[0]) >= 3
    groups = _overlapping([span for span in spans if not (span.pandas and copies)])
    lows = [group[0].low for group in groups]
    highs = [max([span.high for span in group]) for group in groups]
    for span in spans:
        if span.pandas and copies and groups:
            place = max(bisect_right(lows, span.low) - 1, 0)
            while place < len(groups) and lows[place] < span.high:
                if highs[place] > span.low:
                    groups[place].append(span)
                place += 1
    for group in _overlapping([span for span in spans if copies and span.counted]):
        if len({span.counted for span in group}) > 1:
            groups.append(group)
    found = [group for group in groups if len(group) > 1]
    for group in found:
        for span in group[1:]:
            walk.join(group[0].number, span.number)
    return found


def _overlapping(spans: "list[Span]") -> "list[list[Span]]":
    """Return groups of spans, those in one that lie over each other, in the order of their addresses."""
    groups: list[list[Span]] = []
    high = -1
    for span in sorted(spans, key=lambda span: span.low):
        if span.low < high:
            groups[-1].append(span)
        else:
            groups.append([span])
        high = max(high, span.high)
    return groups


def told(walk: Any, groups: "list[list[Span]]") -> "dict[int, bytes]":
    """Return, by the root of each component, how its arrays lie over each other."""
    found: dict[int, list[Any]] = {}
    for group in groups:
        start = min([span.low for span in group])
        lines = [
            (walk.names[span.number], span.place, span.low - start, span.high - start, span.pandas)
            for span in sorted(group, key=lambda span: (span.number, span.place))
        ]
        found.setdefault(walk.root(group[0].number), []).append(lines)
    return {root: _dumps(sorted(groups), 2) for root, groups in found.items()}


# ---------------------------------------------------------------------------------------------------------- pandas


def _frame(walk: Any, item: Any) -> None:
    if not walk.first(item):
        return
    attributes = object.__getattribute__(item, "__dict__")
    manager = attributes.get("_mgr")
    if type(manager).__name__ not in ("BlockManager", "SingleBlockManager"):
        walk.refuse("%s held in an unknown way" % type(item).__name__)
    rest = {key: value for key, value in attributes.items() if key not in _NOT_OF_THE_VALUE}
    flags = attributes.get("_flags")
    walk.out.append(_FRAME + _dumps(bool(getattr(flags, "_allows_duplicate_labels", True)), 2))
    walk.touch(attributes)
    walk.first(manager)  # which a resampler shares with the frame that it is of: what is set in one is in both
    for axis in manager.axes:
        walk.indexes.setdefault(identity(axis), set()).add(walk.number)
    axes = [Frozen(axis) for axis in manager.axes]
    attrs = walk.filled(attributes.get("_attrs"))
    todo = [type(item), attrs, walk.own(list(rest)), walk.own(list(rest.values())), *axes]
    if type(manager).__name__ == "SingleBlockManager":
        todo.append(Frozen(manager.blocks[0].values, counted=_counted(manager.blocks[0])))
    else:
        todo += _columns(walk, manager)
    walk.push(todo)


def _columns(walk: Any, manager: Any) -> "list[Any]":
    """Return what stands for the columns of a frame, in their order, however they are kept together."""
    rows = [_rows(walk, block.values, _counted(block)) for block in manager.blocks]
    places = zip(manager.blknos.tolist(), manager.blklocs.tolist())
    found = [rows[number][place] for number, place in places]
    if all([type(column) is bytes for column in found]):
        return [walk.token(_COLUMN + _dumps(found, 2))]
    return [walk.token(_COLUMN + _dumps(column, 2)) if type(column) is bytes else column for column in found]


def _counted(block: Any) -> int:
    """Return the identity of what counts who holds the values of a block, 0 before pandas copied on write."""
    counter = getattr(block, "refs", None)
    return 0 if counter is None else int(identity(counter))


def _rows(walk: Any, values: Any, counted: int) -> "list[Any]":
    """Return a digest (with its dtype), or what is to be walked, for each column of a block."""
    (array,) = _of("numpy", "ndarray")
    kind = "ndarray"
    if type(values) is not array:
        inner: Any = getattr(values, "_ndarray", None)
        if type(inner) is not array or inner.ndim != 2:
            return [Frozen(values, counted=counted)]
        kind = "%s %s" % (type(values).__name__, values.dtype)
        values = inner
    walk.part.size += _ARRAY_COSTS
    _span(walk, values, pandas=True, counted=counted)
    if values.dtype.char not in _RAW:
        return [Frozen(row, counted=counted) for row in values]
    walk.part.size += values.nbytes
    if not values.size:
        return [_dumps((kind, values.dtype.str), 2)] * len(values)
    once, head = walk.hashing.once, _dumps((kind, values.dtype.str), 2)
    found: list[Any] = []
    whole = values.flags.c_contiguous
    for start in range(0, len(values), _ROWS_AT_ONCE):
        part = values[start : start + _ROWS_AT_ONCE]
        part = _bytes_of(walk, part if whole else part.copy(order="C"))
        found += [head + once(row) for row in part]
        if part.nbytes > 1 << 20:
            walk.check()
    return found


def _index_itself(walk: Any, item: Any) -> None:
    walk.indexes.setdefault(identity(item), set()).add(walk.number)
    walk.push([Frozen(item)])


def _extension_itself(walk: Any, item: Any) -> None:
    if walk.first(item):
        walk.push([Frozen(item, pandas=False)])


def frozen(walk: Any, item: Frozen) -> None:
    """Write an array, an index or an extension array that a pandas object holds."""
    walk.part.size += _ARRAY_COSTS
    value, pandas = item.value, item.pandas
    array, index, many, ranges = _of("numpy", "ndarray")[0], *_of("pandas", "Index", "MultiIndex", "RangeIndex")
    if type(value) is array:
        _span(walk, value, pandas=pandas, counted=item.counted)
        _content(walk, value, layout=False)
        return
    kind = type(value)
    if within(index, mro_of(kind)):
        walk.out.append(_INDEX)
        if kind is ranges:
            walk.push([kind, value.name, value.start, value.stop, value.step])
        elif within(many, mro_of(kind)):
            parts = [Frozen(part, pandas=pandas) for part in (*value._levels, *value._codes)]
            names = [*value._names, *[level.name for level in value._levels]]
            walk.push([kind, walk.own(names), value.sortorder, walk.own(parts)])
        else:
            walk.push([kind, value.name, getattr(value, "freq", None), Frozen(value._data, pandas=pandas)])
        return
    walk.out.append(_EXTENSION)
    arrow = getattr(value, "_pa_array", None)
    if arrow is not None:
        walk.push([kind, value.dtype, *_arrow(walk, arrow)])
        return
    found = [(name, getattr(value, name, None)) for name in _PARTS]
    parts = []
    for name, part in found:
        if part is None or (name == "_data" and parts):
            continue
        held = type(part) is array or within(index, mro_of(type(part))) or hasattr(part, "_ndarray")
        parts += [walk.token(_dumps(name, 2)), Frozen(part, pandas=pandas, counted=item.counted) if held else part]
    if not parts:
        walk.refuse("%s, an extension of pandas" % kind.__name__)
    walk.push([kind, value.dtype, getattr(value, "freq", None), walk.own(parts)])


def _extension_dtype(walk: Any, item: Any) -> None:
    walk.out.append(_EXTENSION_DTYPE + _dumps(str(item), 2))
    categories = getattr(item, "categories", None)
    todo: list[Any] = [type(item)]
    if categories is not None:
        todo += [Frozen(categories), bool(item.ordered)]
    walk.push(todo)


def _arrow(walk: Any, chunked: Any) -> "list[Any]":
    """Return what stands for pyarrow's data, however it is cut into chunks: texts by their bytes, others as a list."""
    pyarrow, compute = sys.modules.get("pyarrow"), sys.modules.get("pyarrow.compute")
    (from_buffer,) = _of("numpy", "frombuffer")
    walk.out.append(_ARROW + _dumps((str(chunked.type), len(chunked)), 2))
    walk.part.size += chunked.nbytes
    text: Any = getattr(pyarrow, "large_string", lambda: None)()
    if compute is None or chunked.type not in (text, getattr(pyarrow, "string", lambda: None)()):
        items = chunked.to_pylist()
        walk.keep.append(items)
        return [walk.own(items)]
    found = []
    hashed = [walk.hashing.new() for _ in range(3)]
    for chunk in chunked.chunks:
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        filled = chunk.fill_null("") if chunk.null_count else chunk
        if filled.type != text:
            filled = filled.cast(text)
        _, offsets, data = filled.buffers()
        edges = from_buffer(offsets, dtype="i8")[filled.offset : filled.offset + len(filled) + 1]
        lengths = edges[1:] - edges[:-1]
        hashed[0].update(valid.view("u1"))
        hashed[1].update(lengths.view("u1"))
        if data is not None and len(edges):
            hashed[2].update(memoryview(data)[edges[0] : edges[-1]])
        walk.check()
    found.append(walk.token(b"".join([part.digest() for part in hashed])))
    return found
