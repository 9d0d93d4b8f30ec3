"""What functions and classes of the project's modules hold beside their text: runs inside the kernel.

Their text is in files, which are observed as files. What a function remembers (a cache in its closure, in a default, in
an attribute, in the dict of a class, by `lru_cache`) is state of the module, as its variables are.
Which of them a name stands for is told by `bindings`.
"""

import functools
import sys
import types
from collections.abc import Iterable
from typing import Any

from .classes import (
    MADE_AT_RUN_TIME,
    NOT_IN_CLASSES,
    bases_of,
    flags_of,
    members_of,
    module_of,
    mro_of,
    name_of,
    qualname_of,
)
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

_Function = types.FunctionType
Cached: Any = type(functools.lru_cache(lambda: None))
_ATOMS = (int, float, complex, bool, str, bytes, type(None), type(...))
_WRAPPERS = (staticmethod, classmethod, types.MethodType)
_STILL = {"Logger": "logging", "lock": "_thread", "RLock": "_thread", "Pattern": "re"}
"""Kinds of state that are taken not to change: the names of their types, and the modules of these."""
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType, types.BuiltinFunctionType, types.ModuleType)
_PLAIN = frozenset({*_ATOMS, tuple, list, dict, set, frozenset})
_NOTED = NOT_IN_CLASSES | {
    *("__module__", "__qualname__", "__doc__", "__slots__", "__annotations__", "__abstractmethods__", "__orig_bases__"),
    *("__parameters__", "__type_params__", "__match_args__", "__hash__"),
    *("__dataclass_fields__", "__dataclass_params__"),
}
"""What Python and its library note in classes."""
_NOTED_BY_LIBRARIES = ("__pydantic_", "__attrs_", "__sqlalchemy_", "__traits_")
_OF_MEMBERS = frozenset({"_value_", "_name_", "__objclass__", "_sort_order_", "_inverted_"})
_calls: Any = Cached.__dict__["cache_info"]


class OwnCode:
    """Stands for a function or class of a project's module: only what it holds is walked."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content


def is_code(value: Any) -> bool:
    """Tell whether a value is a function, one with a cache, or a class."""
    return type(value) is _Function or type(value) is Cached or is_class(value)


def is_class(value: Any) -> bool:
    """Tell whether a value is a class; not by `isinstance`, for which `list[int]` was one too before Python 3.11."""
    return issubclass(type(value), type)


def is_still(kind: Any) -> bool:
    """Tell whether objects of a type are taken not to change."""
    return name_of(kind) in _STILL and module_of(kind) == _STILL[name_of(kind)]


def is_used(cached: Any) -> bool:
    """Tell whether a function of `lru_cache` may hold results: nobody can see which."""
    hits, misses, _, size = _calls(cached)
    return bool(hits or misses or size)


def home_of(code: Any) -> Any:
    """Return the name of the module of a function or class; `functools.wraps` gives the notebook's that of another."""
    if type(code) is _Function and code.__globals__ is getattr(sys.modules.get("__main__"), "__dict__", None):
        return "__main__"
    return code.__module__


def holds(value: Any) -> bool:
    """Tell whether a function or class can hold anything that changes."""
    if type(value) is _Function:
        return bool(
            value.__closure__ is not None
            or value.__dict__
            or (value.__defaults__ and not is_constant(value.__defaults__))
            or (value.__kwdefaults__ and not is_constant(value.__kwdefaults__.values()))
        )
    if type(value) is Cached:
        return True
    return bool(_parts_of_class(value))


def inside(value: Any) -> "list[Any]":
    """Return what a function or class holds, code in it as OwnCode."""
    if type(value) is _Function:
        found = [value.__defaults__, value.__kwdefaults__, value.__closure__, value.__dict__]
        return [None if type(part) is dict and not part else part for part in found]
    if type(value) is Cached:
        wrapped = value.__wrapped__
        return [OwnCode(wrapped) if is_code(wrapped) else wrapped]
    return _parts_of_class(value)


def _parts_of_class(kind: Any) -> "list[Any]":
    """Return what is to be walked of a class: members, each after its name, and classes that are found nowhere else."""
    members = members_of(kind)
    found, passed_over = (_of_enumeration(kind), members.get("_member_map_", {})) if is_enum(kind) else ([], None)
    for key, member in list(members.items()):
        if passed_over is not None and (key in passed_over or _is_of_enumerations(key)):
            continue
        part = _of_class(kind, key, member)
        if part is not None:
            found += [key, part]
    return found + [OwnCode(base) for base in (*bases_of(kind), type(kind)) if not stands_at_home(base)]


def _is_of_enumerations(key: Any) -> bool:
    """Tell whether a name has one underscore on both sides, as those that Python's enumerations keep for themselves."""
    return type(key) is str and key[:1] == "_" == key[-1:] and key[:2] != "__"


def stands_at_home(kind: Any) -> bool:
    """Tell whether a class is what the module that defines it has under its name, or can be changed by nobody."""
    if not flags_of(kind) & MADE_AT_RUN_TIME:
        return True
    home, steps = module_of(kind), qualname_of(kind).split(".")
    found = getattr(sys.modules.get(home), "__dict__", {}).get(steps[0]) if type(home) is str else None
    for step in steps[1:]:
        found = members_of(found).get(step) if is_class(found) else None
    return found is kind


def _of_class(kind: Any, key: Any, member: Any) -> Any:
    """Return what is to be walked of a member of a class, None where there is nothing. Numbers may be counted up."""
    if type(member) is property:
        parts = [_of_function(part) for part in (member.fget, member.fset, member.fdel)]
        return [part for part in parts if part is not None] or None
    if is_method_of_object(member):
        return member
    while type(member) in _WRAPPERS:
        member = member.__func__
    if type(member) is functools.cached_property:
        member = member.func
    if is_class(member):
        if not stands_at_home(member):
            return OwnCode(member)
        nested = qualname_of(member).startswith("%s." % qualname_of(kind))
        return OwnCode(member) if nested and member is not kind and holds(member) else None
    if is_code(member):
        return OwnCode(member) if holds(member) else None
    if type(key) is not str or (key[:2] == "__" and key[-2:] == "__" and not _is_told_between(key, member)):
        return None
    return None if isinstance(member, _DESCRIPTORS) or is_still(type(member)) else member


def _is_told_between(key: str, member: Any) -> bool:
    """Tell whether a name between underscores stands for plain data, which no maker of classes has noted there."""
    return type(member) in _PLAIN and key not in _NOTED and not key.startswith(_NOTED_BY_LIBRARIES)


def is_method_of_object(value: Any) -> bool:
    """Tell whether a value is a method of an object that is no module or class."""
    if type(value) is types.MethodType:
        return not is_class(value.__self__)
    if type(value) is not types.BuiltinFunctionType:
        return False
    return not (value.__self__ is None or type(value.__self__) is types.ModuleType or is_class(value.__self__))


def _of_enumeration(kind: Any) -> "list[Any]":
    """Return what the members of an enumeration hold, each after its name, but for a value that nothing can change."""
    found: list[Any] = []
    for key, member in list(members_of(kind).get("_member_map_", {}).items()):
        held = dict(object.__getattribute__(member, "__dict__"))
        value = held.get("_value_")
        more = {name: part for name, part in held.items() if name not in _OF_MEMBERS}
        if more or not is_constant([value]):
            found += [key, value, more]
    return found


def _of_function(part: Any) -> Any:
    """Return what is to be walked of what a property calls, None where there is nothing."""
    if is_code(part):
        return OwnCode(part) if not is_class(part) and holds(part) else None
    if is_method_of_object(part):
        return part
    return None if part is None or isinstance(part, _DESCRIPTORS) else part


def is_enum(kind: Any) -> bool:
    """Tell whether a class is an enumeration, whose members are made once."""
    return any(base.__module__ == "enum" and base.__name__ == "Enum" for base in mro_of(kind))


def is_constant(values: "Iterable[Any]") -> bool:
    """Tell whether all of some values are numbers, texts and the like, which nothing can change."""
    return all(type(value) in _ATOMS for value in values)
