"""What the variables of a project's modules stand for: runs inside the kernel.

Which function, class or module a name stands for is state of the module: it may choose one at its import, or later.
What such code holds is walked as the values of variables are (`own_code`); here is what that leaves out.
"""

import functools
import hashlib
import types
from collections.abc import Callable
from typing import Any

from .classes import bases_of, members_of, module_of, name_of, qualname_of
from .own_code import Cached, is_class, is_code, is_constant, is_enum, is_still, stands_at_home
from .unsteady import text_of
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

_Function, _Builtin, _Code = types.FunctionType, types.BuiltinFunctionType, types.CodeType
_WRAPPERS = (staticmethod, classmethod, types.MethodType)
_DEEPEST = 8
"""So deep are classes, methods and caches in each other looked into."""


class Bindings:
    """The digests of what modules bind, worked out anew where something has changed."""

    def __init__(self, digest: "Callable[[Any], bytes]", project: str) -> None:
        """`digest` is that of code objects; files inside the project are told as such."""
        self._digest, self._project = digest, project
        self._last: dict[str, tuple[Any, str]] = {}

    def of(self, name: str, beside: "tuple[Any, Any, Any, Any]", variables: "dict[str, Any]") -> str:
        """Return the digest of a module's own variables, the same object while that is equal.

        So much of what Python has given it counts too: its file, where it looks for modules inside it, its text, and
        its class.
        """
        file, folders, text, kind = beside
        bound = [
            (variable, told)
            for variable, value in variables.items()
            if (told := self._told_safely(name, variable, value)) is not None
        ]
        inside = tuple(map(self._place, folders)) if type(folders) is list else ()
        place = self._place(file), inside, text_of(text), text_of(qualname_of(kind))
        last = self._last.get(name)
        if last is None or last[0] != (place, bound):
            text = repr((place, self._written(bound))).encode("utf-8", "surrogatepass")
            found = hashlib.sha256(text).hexdigest()
            self._last[name] = last = (place, bound), found if last is None or last[1] != found else last[1]
        return last[1]

    def _place(self, file: Any) -> str:
        path = text_of(file)
        return path[len(self._project) :] if path.startswith(self._project) else path

    def _written(self, part: Any) -> Any:
        """Return what is told with the digests of code, and in an order that does not tell what was bound first."""
        if type(part) is _Code:
            return self._digest(part)
        if type(part) is tuple:
            return tuple([self._written(inner) for inner in part])
        return sorted([self._written(inner) for inner in part], key=repr) if type(part) is list else part

    def _told_safely(self, name: str, variable: str, value: Any) -> Any:
        try:
            return self._binding(name, variable, value)
        except Exception:  # of a class of somebody's
            return "odd", text_of(name_of(type(value)))

    def _binding(self, name: str, variable: str, value: Any) -> Any:
        """Return what tells what a variable stands for.

        None where its value is walked, or where a package has the submodule that Python puts there.
        """
        kind = type(value)
        if kind is types.ModuleType:
            found = text_of(value.__dict__.get("__name__"))
            return (
                None
                if found == "%s.%s" % (name, variable)
                else ("module", found, self._place(value.__dict__.get("__file__")))
            )
        if is_still(kind):
            return _told_of_still(value)
        return _told(name, value, 0) if is_code(value) or kind is _Builtin else None


def _told(name: str, value: Any, deep: int) -> Any:
    """Return what tells a function or class, with the members of one that the module `name` defines."""
    if deep > _DEEPEST:
        return "deep"
    if is_class(value):
        return _told_of_class(name, value, deep)
    if type(value) is Cached:
        return "cached", _told(name, getattr(value, "__wrapped__", None), deep + 1)
    if type(value) is _Function:
        defaults, more, told = value.__defaults__, value.__kwdefaults__, ""
        if (defaults or more) and is_constant([*(defaults or ()), *(more or {}).values()]):
            told = repr((defaults, sorted((more or {}).items())))
        called = value.__name__, value.__qualname__, text_of(value.__doc__)
        return "function", text_of(value.__module__), called, value.__code__, told
    return "builtin", text_of(getattr(value, "__module__", None)), text_of(getattr(value, "__qualname__", None))


def _told_of_class(name: str, kind: Any, deep: int) -> Any:
    home = text_of(module_of(kind))
    told = "class", home, text_of(qualname_of(kind)), qualname_of(type(kind))
    if home != name and stands_at_home(kind):
        return told
    bases = tuple([(text_of(module_of(base)), text_of(qualname_of(base))) for base in bases_of(kind)])
    members = [(key, _of_member(name, member, deep + 1)) for key, member in list(members_of(kind).items())]
    found = [(text_of(key), part) for key, part in members if part is not None]
    if is_enum(kind):
        values = [(key, member._value_) for key, member in members_of(kind).get("_member_map_", {}).items()]
        found += [(text_of(key), repr(value) if is_constant([value]) else "value") for key, value in values]
    return (*told, bases, found, text_of(members_of(kind).get("__doc__")), _annotated(kind))


def _annotated(kind: Any) -> Any:
    """Return what a class says of its attributes: annotations that are texts or classes, and `match` args."""
    annotations, matched = map(members_of(kind).get, ("__annotations__", "__match_args__"))
    found = list(annotations.items()) if type(annotations) is dict else []
    told = [(text_of(key), text_of(name_of(part) if is_class(part) else part)) for key, part in found]
    return tuple(told), tuple(map(text_of, matched)) if type(matched) is tuple else ()


def _told_of_still(value: Any) -> Any:
    if name_of(type(value)) == "Pattern":
        return "pattern", repr(value.pattern), value.flags
    return name_of(type(value)), text_of(getattr(value, "name", None))


def _of_member(name: str, member: Any, deep: int) -> Any:
    if type(member) is property:
        parts = [_told(name, part, deep + 1) for part in (member.fget, member.fset, member.fdel) if is_code(part)]
        return "property", tuple(parts)
    if type(member) in _WRAPPERS:
        return type(member).__name__, _of_member(name, member.__func__, deep + 1)
    if type(member) is functools.cached_property:
        return "cached_property", _of_member(name, member.func, deep + 1)
    if type(member) is types.ModuleType:
        return "module", text_of(member.__dict__.get("__name__"))
    if is_still(type(member)):
        return _told_of_still(member)
    return _told(name, member, deep + 1) if is_code(member) or type(member) is _Builtin else None
