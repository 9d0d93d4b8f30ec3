"""What the project's modules bind, and what functions and classes in them hold beside their text: inside the kernel.

Their text is in files, which are observed as files. What a function remembers (a cache in its closure, in a default, in
an attribute, in the dict of a class, by `lru_cache`) is state of the module, as its variables are.

Which function, class or module a name stands for is state too: a module may choose one when it is imported, or later.
"""

import functools
import types
from collections.abc import Callable, Iterable
from typing import Any

from .classes import members_of, module_of, mro_of, qualname_of
from .unsteady import text_of
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

_Function = types.FunctionType
Cached: Any = type(functools.lru_cache(lambda: None))
_ATOMS = (int, float, complex, bool, str, bytes, type(None), type(...))
_WRAPPERS = (staticmethod, classmethod, types.MethodType)
STILL = ("Logger", "lock", "RLock", "Pattern")
"""Kinds of state that are taken not to change, by the names of their types."""
_DESCRIPTORS = (types.MemberDescriptorType, types.GetSetDescriptorType, types.BuiltinFunctionType, types.ModuleType)
_DEEPEST_CLASS = 5
_calls: Any = Cached.__dict__["cache_info"]


class OwnCode:
    """Stands for a function or class of a project's module: only what it holds is walked."""

    __slots__ = ("content",)

    def __init__(self, content: Any) -> None:
        self.content = content


def is_code(value: Any) -> bool:
    """Tell whether a value is a function, one with a cache, or a class."""
    return type(value) is _Function or type(value) is Cached or isinstance(value, type)


def is_used(cached: Any) -> bool:
    """Tell whether a function of `lru_cache` may hold results: nobody can see which."""
    hits, misses, _, size = _calls(cached)
    return bool(hits or misses or size)


def holds(value: Any) -> bool:
    """Tell whether a function or class can hold anything that changes."""
    if type(value) is _Function:
        return bool(
            value.__closure__ is not None
            or value.__dict__
            or (value.__defaults__ and not _constant(value.__defaults__))
            or (value.__kwdefaults__ and not _constant(value.__kwdefaults__.values()))
        )
    if type(value) is Cached:
        return True
    return not _is_enum(value) and any(
        _of_class(value, key, member) is not None for key, member in list(members_of(value).items())
    )


def inside(value: Any) -> "list[Any]":
    """Return what a function or class holds, code in it as OwnCode."""
    if type(value) is _Function:
        found = [value.__defaults__, value.__kwdefaults__, value.__closure__, value.__dict__]
        return [None if type(part) is dict and not part else part for part in found]
    if type(value) is Cached:
        wrapped = value.__wrapped__
        return [OwnCode(wrapped) if is_code(wrapped) else wrapped]
    held = [(key, _of_class(value, key, member)) for key, member in list(members_of(value).items())]
    return [part for key, member in held if member is not None for part in (key, member)]


def _of_class(kind: Any, key: Any, member: Any) -> Any:
    """Return what is to be walked of a member of a class, None where there is nothing. Numbers may be counted up."""
    if type(member) is property:
        parts = [OwnCode(part) for part in (member.fget, member.fset, member.fdel) if _is_held(part)]
        return parts or None
    while type(member) in _WRAPPERS:
        member = member.__func__
    if type(member) is functools.cached_property:
        member = member.func
    if isinstance(member, type):
        nested = qualname_of(member).startswith("%s." % qualname_of(kind))
        return OwnCode(member) if nested and member is not kind and holds(member) else None
    if is_code(member):
        return OwnCode(member) if holds(member) else None
    if type(key) is not str or (key[:2] == "__" and key[-2:] == "__"):
        return None  # what Python and makers of classes note there
    return None if isinstance(member, _DESCRIPTORS) or type(member).__name__ in STILL else member


def _is_held(part: Any) -> bool:
    return is_code(part) and not isinstance(part, type) and holds(part)


def _is_enum(kind: Any) -> bool:
    return any(base.__module__ == "enum" and base.__name__ == "Enum" for base in mro_of(kind))


def binding(name: str, variable: str, value: Any, digest: "Callable[[Any], bytes]") -> Any:
    """Return what tells the function, class, builtin function or module that a variable of a module stands for.

    None where its value is walked, or where a package has the submodule that Python puts there. `digest` is that of
    code objects.
    """
    kind = type(value)
    if kind is types.ModuleType:
        found = text_of(value.__name__)
        return None if found == "%s.%s" % (name, variable) else ("module", found)
    if kind.__name__ == "Pattern" and kind.__module__ == "re":
        return "pattern", repr(value.pattern), value.flags
    if kind.__name__ == "Logger":
        return "logger", text_of(value.name)
    if is_code(value) or kind is types.BuiltinFunctionType:
        return _told(name, value, digest, 0)
    return None


def _told(name: str, value: Any, digest: "Callable[[Any], bytes]", deep: int) -> Any:
    """Return what tells a function or class, with the members of one that the module `name` defines."""
    if isinstance(value, type):
        told = "class", text_of(module_of(value)), text_of(qualname_of(value))
        if told[1] != name or deep > _DEEPEST_CLASS:
            return told
        members = [(key, _of_member(name, member, digest, deep)) for key, member in list(members_of(value).items())]
        return (*told, [(text_of(key), part) for key, part in members if part is not None])
    if type(value) is Cached:
        return "cached", _told(name, value.__wrapped__, digest, deep)
    if type(value) is _Function:
        return "function", text_of(value.__module__), text_of(value.__qualname__), digest(value.__code__)
    return "builtin", text_of(getattr(value, "__module__", None)), text_of(getattr(value, "__qualname__", None))


def _of_member(name: str, member: Any, digest: "Callable[[Any], bytes]", deep: int) -> Any:
    if type(member) is property:
        parts = member.fget, member.fset, member.fdel
        return "property", [_told(name, part, digest, deep) for part in parts if is_code(part)]
    if type(member) in _WRAPPERS:
        return type(member).__name__, _of_member(name, member.__func__, digest, deep)
    if type(member) is functools.cached_property:
        return "cached_property", _of_member(name, member.func, digest, deep)
    if is_code(member) or type(member) is types.BuiltinFunctionType:
        return _told(name, member, digest, deep + 1)
    return None


def _constant(values: "Iterable[Any]") -> bool:
    return all(type(value) in _ATOMS for value in values)
