"""How tuples, lists, sets and mappings are written: runs inside the kernel.

Many items are written kind by kind, and at the speed of the library in C that takes them all at once.
"""

from itertools import chain
from marshal import dumps as _dumps
from operator import countOf
from struct import pack as _pack
from typing import Any

from .classes import ATOMS, identity
from .layouts import Layout
from .tokens import MAPPING, RECORDS, SEQUENCE, SET, Items, Opaque
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

CHUNK = 8192
MANY = 256
"""From so many items on it pays to look whether all are alike."""
_FEW = 8
_MOST_SORTED = 400_000
"""Of so many items a set is put in order within the time that there is for a name: nothing interrupts sorting."""
_TUPLE, _LIST, _DICT = identity(tuple), identity(list), identity(dict)
_ATOMS_AND_TUPLES = ATOMS | {_TUPLE}


def _dump(walk: Any, items: Any) -> None:
    size = len(items)
    if size <= CHUNK:
        data = _dumps(items, 2)
        walk.out.append(data)
        walk.part.size += len(data)
        return
    walk.out.append(_dumps(size, 2))
    for start in range(0, size, CHUNK):
        data = _dumps(items[start : start + CHUNK], 2)
        walk.out.append(walk.hashing.once(data))
        walk.part.size += len(data)
        walk.check()


def _alike(walk: Any, items: Any) -> bool:
    """Write many atoms of one kind, each piece while the processor has it near; write nothing of others."""
    size = len(items)
    first = type(items[0]) if size > MANY else None
    if identity(first) not in ATOMS:
        return False
    quiet, once, written, hashed = walk.types_hash_quietly(), walk.hashing.once, 8 * size, []
    for start in range(0, size, CHUNK):
        piece = items[start : start + CHUNK]
        kinds = map(type, piece)
        alike = countOf(kinds, first) == len(piece) if quiet else {*map(identity, kinds)} == {identity(first)}
        if not alike:
            return False
        data = _pack("<%dd" % len(piece), *piece) if first is float else _dumps(piece, 2)
        written += len(data)
        hashed.append(once(data))
        walk.check()
    walk.out.append(SEQUENCE + (b"\4" if first is float else b"\5") + _dumps(size, 2))
    walk.out += hashed
    walk.part.size += written
    return True


def write_items(walk: Any, items: Any) -> None:
    """Write the items of a list or tuple that nobody changes meanwhile.

    Many are written kind by kind, what lists and dicts among them hold all at once, and so on inwards.
    """
    if not _alike(walk, items):
        _items(walk, items)


def _items(walk: Any, items: Any) -> None:
    size = len(items)
    walk.part.size += 8 * size
    if not items:
        walk.out.append(SEQUENCE + b"\0")
        return
    kinds = walk.kinds(items)
    if _plain(walk, items, kinds):
        walk.out.append(SEQUENCE + b"\1" + _dumps(size, 2))
        _dump(walk, items)
    elif size < _FEW:
        walk.out.append(SEQUENCE + b"\2" + _dumps(size, 2))
        walk.push(items)
    elif len(kinds) == 1:
        _of_one_kind(walk, items)
    else:
        _by_kinds(walk, items)


def _by_kinds(walk: Any, items: Any) -> None:
    """Write which item is of which kind, and then the items of each kind."""
    order: dict[int, int] = {}
    codes = [order.setdefault(0 if kind in ATOMS else kind, len(order)) for kind in map(identity, map(type, items))]
    groups: list[list[Any]] = [[] for _ in order]
    for code, item in zip(codes, items):
        groups[code].append(item)
    walk.out.append(SEQUENCE + b"\3")
    _dump(walk, codes)
    walk.push([Items(group) for group in groups])


def _of_one_kind(walk: Any, items: Any) -> None:
    """Write items of one kind, all at once where that can be done."""
    kind = identity(type(items[0]))
    if kind == _LIST and walk.all_first(items):
        _flat(walk, b"L", items, [list(chain.from_iterable(items))])
    elif kind == _TUPLE:
        if len(items) > 65_536 and 8 * len({*map(identity, items)}) < len(items):
            raise Opaque("too large")  # tuples that share tuples, doubling at each level
        _flat(walk, b"T", items, [list(chain.from_iterable(items))])
    elif kind == _DICT:
        _dicts(walk, items)
    elif not _instances(walk, items):
        walk.out.append(SEQUENCE + b"\2" + _dumps(len(items), 2))
        walk.push(items)


def _flat(walk: Any, letter: bytes, items: Any, inner: "list[list[Any]]") -> None:
    walk.out.append(RECORDS + letter)
    _dump(walk, list(map(len, items)))
    walk.part.size += 56 * len(items)
    walk.push([Items(held) for held in inner])


def _dicts(walk: Any, items: Any) -> None:
    keys = list(chain.from_iterable(items))
    kinds = walk.kinds(keys)
    if kinds <= ATOMS and not (identity(str) in kinds and "__name__" in {*keys}) and walk.all_first(items):
        _flat(walk, b"D", items, [keys, list(chain.from_iterable(map(dict.values, items)))])
    else:
        walk.out.append(SEQUENCE + b"\2" + _dumps(len(items), 2))
        walk.push(items)


def _instances(walk: Any, items: Any) -> bool:
    """Write many plain instances of one class at once."""
    kind = type(items[0])
    handler = walk.handlers.get(identity(kind)) or walk.planned(kind)
    layout = getattr(handler, "__self__", None)
    if type(layout) is not Layout or not layout.only_attributes or layout.unchanged:
        return False
    states = list(map(layout.attributes, items))
    keys = list(chain.from_iterable(states))
    if walk.kinds(keys) - {identity(str)}:
        return False
    walk.keep.append(states)
    if not walk.all_first([*items, *states]):
        return False
    walk.out.append(RECORDS + b"I")
    walk.stack += [Items(list(chain.from_iterable(map(dict.values, states)))), Items(keys), kind]
    _dump(walk, list(map(len, states)))
    walk.part.size += 100 * len(items)
    return True


def write_tuple(walk: Any, item: Any) -> None:
    """Write a tuple."""
    walk.out.append(b"(")
    write_items(walk, item)


def write_list(walk: Any, item: Any) -> None:
    """Write a list."""
    if walk.first(item):
        walk.out.append(b"[")
        if not _alike(walk, item):
            _items(walk, item[:])


def write_mapping(walk: Any, keys: "list[Any]", values: "list[Any]") -> None:
    """Write keys and values (the walk's own lists) in order."""
    walk.part.size += 64 + 32 * len(keys)
    kinds = walk.kinds(keys)
    if kinds <= ATOMS and walk.kinds(values) <= ATOMS:
        walk.out.append(MAPPING + b"\0" + _dumps(len(keys), 2))
        if len(keys) < CHUNK:
            walk.out.append(_dumps((keys, values), 2))
            walk.part.size += len(walk.out[-1])
        else:
            _dump(walk, keys)
            _dump(walk, values)
        return
    if kinds <= ATOMS and len(values) < 64:
        walk.out.append(MAPPING + b"\2" + _dumps(keys, 2))
        walk.few(values)
    else:
        walk.out.append(MAPPING + b"\1")
        walk.push([Items(keys), Items(values)])


def write_set(walk: Any, item: Any) -> None:
    """Write a set."""
    if walk.first(item):
        walk.out.append(SET)
        write_set_items(walk, list(item))


def write_frozenset(walk: Any, item: Any) -> None:
    """Write a frozenset."""
    walk.out.append(SET + b"\1")
    write_set_items(walk, list(item))


def write_set_items(walk: Any, items: "list[Any]") -> None:
    """Write the items of a set, in an order that is the same everywhere."""
    walk.part.size += 40 * len(items)
    if len(items) > _MOST_SORTED:
        raise Opaque("too large")
    if _plain(walk, items, walk.kinds(items)):
        walk.out.append(SET + b"\2" + _dumps(sorted([_dumps(item, 2) for item in items]), 2))
        return
    walk.out.append(SET + b"\3" + _dumps(len(items), 2))
    keyed = sorted([(walk.alone(item), index) for index, item in enumerate(items)])
    walk.push([items[index] for _, index in keyed])


def _plain(walk: Any, items: Any, kinds: "set[int]") -> bool:
    """Tell whether items are atoms, or tuples of atoms, a few levels deep."""
    for _ in range(4):
        if kinds <= ATOMS:
            return True
        if not kinds <= _ATOMS_AND_TUPLES:
            return False
        items = list(chain.from_iterable([item for item in items if type(item) is tuple]))
        kinds = walk.kinds(items)
    return False
