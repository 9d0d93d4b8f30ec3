"""What a value without a digest shares with other names: runs inside the kernel.

All that can be reached is noted, so that names that share an object become one component, and the names that code
among it may touch.
"""

import time
import types
import weakref
from typing import Any

from . import arrays, definitions
from .classes import (
    ATOMS,
    GETSET,
    NOT_IN_CLASSES,
    SLOT,
    identity,
    members_of,
    module_dict_of,
    module_of,
    mro_of,
    name_of,
    qualname_of,
)
from .codes import UnknownConstant
from .generators import SHARED_GENERATORS, shared_generator
from .layouts import IMMUTABLE
from .own_code import Cached, OwnCode, inside
from .tokens import Opaque
from .unsteady import text_of
from .versions import PRIVATE_BUILTINS, collector

__builtins__ = PRIVATE_BUILTINS

_referents = collector.get_referents
_clock = time.monotonic
_MOST_MET = 2_000_000
"""How many objects the search for aliases of a value without a digest may meet."""
_MEETING_COSTS = 50
"""For how many bytes each of them stands in the size of such a value: it takes as long to meet."""
_MACHINERY = frozenset(
    ["IPython", "ipykernel", "traitlets", "zmq", "tornado", "jupyter_client", "comm", "_pytest_cells_agent"]
)
_dereference: Any = weakref.ReferenceType.__call__

_LEAF, _THROUGH, _ON, _STOP, _A_MODULE, _A_FUNCTION, _A_CLASS = range(7)
_SOME_CODE, _A_GENERATOR, _A_FRAME, _A_REFERENCE, _UNKNOWN, _ARRAY, _OF_MODULE, _A_BUILTIN, _RANDOM = range(7, 16)
_A_HOLDER = 16
_HOLDERS = {
    ("numpy", "flatiter"): "base",
    ("numpy", "nditer"): "operands",
    ("scipy.spatial._ckdtree", "cKDTree"): "data",
    ("scipy.spatial._kdtree", "KDTree"): "data",
}
"""Types of C that do not tell Python's collector what they hold, by the attribute that has it."""
_WAYS = {
    identity(OwnCode): _OF_MODULE,
    identity(types.CodeType): _SOME_CODE,
    identity(types.BuiltinFunctionType): _A_BUILTIN,
    identity(types.FunctionType): _A_FUNCTION,
    identity(types.GeneratorType): _A_GENERATOR,
    identity(types.CoroutineType): _A_GENERATOR,
    identity(types.AsyncGeneratorType): _A_GENERATOR,
    identity(types.FrameType): _A_FRAME,
    identity(weakref.ProxyType): _UNKNOWN,
    identity(weakref.CallableProxyType): _UNKNOWN,
    identity(type(NotImplemented)): _LEAF,
    identity(SLOT): _LEAF,
    identity(GETSET): _LEAF,
    identity(types.WrapperDescriptorType): _LEAF,
    identity(types.MethodDescriptorType): _LEAF,
    identity(types.ClassMethodDescriptorType): _LEAF,
}
_WAYS.update(
    dict.fromkeys(
        map(
            identity,
            (tuple, frozenset, range, slice, property, staticmethod, classmethod, types.MethodType,
             types.MappingProxyType, types.MethodWrapperType, types.TracebackType),
        ),
        _THROUGH,
    )
)  # fmt: skip
_WAYS_OF_BASES = {
    identity(type): _A_CLASS,
    identity(types.ModuleType): _A_MODULE,
    identity(weakref.ReferenceType): _A_REFERENCE,
}
"""How the search for aliases treats types, and all types with a base: passes over, goes through, goes on from, …"""


class Aliases:
    """The search of one walk for what a value without a digest shares with others."""

    def __init__(self, walk: Any) -> None:
        self._walk = walk
        self._ways: dict[int, int] = {}
        self._followed: dict[int, int] = {}
        """By the id of each object from which some name was followed to the end: that name's number."""

    def forget(self) -> None:
        """Let go of the walk."""
        self._walk = None

    def follow(self, roots: "list[Any]") -> None:
        """Note all objects that can be reached, and the names that code among them may touch.

        Raises Opaque when there are too many, or it takes too long: the name is then not proven to be separate.
        """
        walk, ways, followed = self._walk, self._ways, self._followed
        number, touched = walk.number, walk.touched
        deadline = _clock() + max(walk.budget_s, 0.05)
        seen: set[int] = set()
        went: list[int] = []
        level = roots
        while level:
            go: list[Any] = []
            more: list[Any] = []
            there = dict(zip(map(identity, level), level))  # each once, in the order in which it is met
            for key, item in there.items():
                kind = identity(type(item))
                if kind in ATOMS or key in seen:
                    continue
                seen.add(key)
                way = ways.get(kind)
                if way is None:
                    walk.keep.append(type(item))
                    way = ways[kind] = self._way(type(item))
                if way == _ON:
                    if type(item) is dict and self._skipped(item):
                        continue
                    if key in followed:  # all that it leads to is known to belong to a name that is joined by this
                        walk.join(number, followed[key])
                        continue
                    if touched.setdefault(key, number) != number:
                        walk.touch(item)
                    went.append(key)
                    go.append(item)
                elif way == _THROUGH:
                    go.append(item)
                elif way > _ON:
                    more += self._from_special(item, way)
                if not len(seen) & 1023 and (_clock() > deadline or len(seen) > _MOST_MET):
                    walk.unproven.add(number)
                    raise Opaque("too large")
            for start in range(0, len(go), 1024):
                found = _referents(*go[start : start + 1024])
                if len(found) < 256 or not walk.kinds(found) <= ATOMS:
                    more += found
            level = more
        followed.update(dict.fromkeys(went, number))
        walk.part.size += _MEETING_COSTS * len(seen)
        walk.keep.append(seen)

    def _skipped(self, item: "dict[Any, Any]") -> bool:
        if item is self._walk.namespace:
            self._walk.part.dynamic = True
            return True
        return self._walk.module_of(item) is not None

    def _way(self, kind: Any) -> int:
        mro = mro_of(kind)
        if identity(kind) in _WAYS:
            return _WAYS[identity(kind)]
        for base in mro:
            if identity(base) in _WAYS_OF_BASES:
                return _WAYS_OF_BASES[identity(base)]
        module, name = text_of(module_of(kind)), name_of(kind)
        if (module, name) in IMMUTABLE and module != "typing":
            return _THROUGH
        if module.partition(".")[0] in _MACHINERY:
            return _STOP
        if (module, name) in SHARED_GENERATORS:
            return _RANDOM
        if (module, name) in _HOLDERS:
            return _A_HOLDER
        if name == "PixelAccess" or (module, name) == ("weakref", "finalize"):
            return _UNKNOWN
        if (module, name) in (("logging", "Manager"), ("logging", "RootLogger")):
            return _STOP
        return _ARRAY if arrays.is_array(mro) else _ON

    def _from_special(self, item: Any, way: int) -> "list[Any]":
        """Return where to go from an object that is not simply followed."""
        if way == _STOP:
            self._walk.touch(item)
            if name_of(type(item)).endswith("InteractiveShell"):
                self._walk.part.dynamic = True
        elif way == _A_MODULE:
            members = module_dict_of(item)
            if members is self._walk.namespace:
                self._walk.part.dynamic = True
            elif self._walk.module_of(members) is None:
                self._walk.touch(item)
                return [members]
            else:
                self._walk.refer_module(text_of(dict.get(members, "__name__")))
        elif way == _A_FUNCTION:
            return self._from_function(item)
        elif way == _A_CLASS:
            return self._from_class(item)
        elif way == _SOME_CODE:
            self._note_code_safely(item)
        elif way == _A_GENERATOR:
            self._walk.touch(item)
            for name in ("gi_code", "cr_code", "ag_code"):
                code = getattr(item, name, None)
                if code is not None:
                    self._note_code_safely(code)
            return list(_referents(item))
        elif way == _A_FRAME:
            if item.f_globals is self._walk.namespace:
                self._note_code_safely(item.f_code)
            return [found for found in _referents(item) if type(found) is not types.FrameType]
        elif way == _A_REFERENCE:
            self._walk.touch(item)
            return [_dereference(item), *_referents(item)]
        elif way == _UNKNOWN:  # what it stands for, or holds, cannot be asked
            self._walk.touch(item)
            self._walk.unproven.add(self._walk.number)
        elif way == _RANDOM:
            slot = shared_generator(item)
            if slot is None:
                self._walk.touch(item)
                return list(_referents(item))
            self._walk.refer_generator(slot)
        elif way == _A_BUILTIN:
            named = definitions.by_name(self._walk, item, item.__module__, item.__qualname__) is not None
            return [] if named else [item.__self__]  # one that goes by its name does not stand for its whole module
        elif way == _A_HOLDER:
            self._walk.touch(item)
            kind = type(item)
            return [getattr(item, _HOLDERS[text_of(module_of(kind)), name_of(kind)]), *_referents(item)]
        elif way == _ARRAY:
            return arrays.close(self._walk, item)
        elif way == _OF_MODULE:
            self._walk.touch(item.content)
            parts = _referents(item.content) if type(item.content) is Cached else inside(item.content)
            self._walk.keep.append(parts)
            return list(parts)
        return []

    def _note_code_safely(self, code: Any) -> None:
        try:
            definitions.note_code(self._walk, code)
        except UnknownConstant:
            self._walk.part.dynamic = True

    def _from_function(self, item: Any) -> "list[Any]":
        name, path = item.__name__, item.__qualname__
        if definitions.by_name(self._walk, item, item.__module__, path) is not None:
            return []
        inside = definitions.cut_inside(self._walk, item, path)
        if inside is None and definitions.is_bound(self._walk, item, name):
            inside = name if name != self._walk.names[self._walk.number] else None
        if inside is not None:
            self._walk.part.cuts.add(inside)
            return []
        self._walk.touch(item)
        if item.__globals__ is self._walk.namespace:
            self._note_code_safely(item.__code__)
        code = item.__code__
        return [found for found in _referents(item) if found is not code and not self._is_scope(found)]

    def _is_scope(self, found: Any) -> bool:
        return type(found) is dict and (found is self._walk.namespace or self._walk.module_of(found) is not None)

    def _from_class(self, item: Any) -> "list[Any]":
        if definitions.class_token(self._walk, item) is not None:
            return []
        name = name_of(item)
        inside = definitions.cut_inside(self._walk, item, qualname_of(item))
        if inside is None and definitions.is_bound(self._walk, item, name):
            inside = name if name != self._walk.names[self._walk.number] else None
        if inside is not None:
            self._walk.part.cuts.add(inside)
            return []
        self._walk.touch(item)
        members = members_of(item)
        return [type(item), *mro_of(item), *[members[key] for key in members if key not in NOT_IN_CLASSES]]
