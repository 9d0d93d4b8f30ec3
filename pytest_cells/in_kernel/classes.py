"""What classes, modules and instances are, read past whatever a notebook has defined: runs inside the kernel."""

import types
from collections.abc import Collection
from operator import is_
from typing import Any

from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

identity: Any = object.__hash__
"""Return a number that is an object's own as long as it lives, as `id` does. Each call of that is an event which Python
tells to all audit hooks, the notebook's own among them: that takes five times as long as the call."""


def identical(some: "Collection[Any]", others: "Collection[Any]") -> bool:
    """Tell whether two collections hold the very same objects, in one order; nothing is asked of these."""
    return len(some) == len(others) and all(map(is_, some, others))


mro_of: Any = type.__dict__["__mro__"].__get__
members_of: Any = type.__dict__["__dict__"].__get__
name_of: Any = type.__dict__["__name__"].__get__
qualname_of: Any = type.__dict__["__qualname__"].__get__
module_of: Any = type.__dict__["__module__"].__get__
bases_of: Any = type.__dict__["__bases__"].__get__
basicsize_of: Any = type.__dict__["__basicsize__"].__get__
itemsize_of: Any = type.__dict__["__itemsize__"].__get__
dictoffset_of: Any = type.__dict__["__dictoffset__"].__get__
flags_of: Any = type.__dict__["__flags__"].__get__
weakrefoffset_of: Any = type.__dict__["__weakrefoffset__"].__get__
module_dict_of: Any = vars(types.ModuleType)["__dict__"].__get__
MANAGED_DICT, IMMUTABLE_TYPE, MADE_AT_RUN_TIME = 1 << 4, 1 << 8, 1 << 9
"""Flags of classes: Python keeps the dict of an instance for it; nobody can change it; it was made at run time, by a
`class` statement or by a library in C."""
PLAINLY_COMPILED = "cython_function_or_method"
COMPILED = frozenset({PLAINLY_COMPILED, "fused_cython_function"})
"""What the types of functions are called that Cython has made; each version of it has types of its own."""
SLOT = types.MemberDescriptorType
GETSET = types.GetSetDescriptorType

ATOMS = frozenset(map(identity, (int, str, float, bool, type(None), bytes, complex, type(Ellipsis))))
"""The types, by their ids, whose values hold nothing and cannot be changed."""
NOT_IN_CLASSES = frozenset(
    [
        "__slotnames__",
        "__dict__",
        "__weakref__",
        "_abc_impl",
        "__firstlineno__",
        "__static_attributes__",
        "__annotations_cache__",
    ]
)
"""What Python itself notes in a class, at times of its own choice, or only to say where the source stands."""


def dict_getter(mro: "tuple[Any, ...]") -> Any:
    """Return what reads an instance's own dict."""
    for base in mro:
        found = members_of(base).get("__dict__")
        if type(found) is GETSET:
            return found.__get__
    return None
