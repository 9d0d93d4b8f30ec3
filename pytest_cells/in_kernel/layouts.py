"""How instances of classes are laid out, and so how they are written: runs inside the kernel."""

import contextlib
import sys
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from marshal import dumps as _dumps
from typing import Any

from . import definitions
from .arrays import within
from .classes import (
    MANAGED_DICT,
    SLOT,
    basicsize_of,
    dict_getter,
    dictoffset_of,
    flags_of,
    identity,
    itemsize_of,
    members_of,
    module_of,
    mro_of,
    name_of,
    weakrefoffset_of,
)
from .tokens import ITS_OWN, MEMBER, REDUCED, STATE, Items, LeftOut, Opaque, SetItems, Token, refusal
from .unsteady import text_of
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

_HOOKS = ("__reduce_ex__", "__reduce__", "__getstate__", "__getnewargs_ex__", "__getnewargs__")
_TRUSTED = frozenset(
    [
        "numpy",
        "pandas",
        "pyarrow",
        "polars",
        "datetime",
        "decimal",
        "fractions",
        "uuid",
        "pathlib",
        "re",
        "zoneinfo",
        "typing",
    ]
)
"""Packages whose hooks for pickling leave out nothing but caches."""
_REFUSE_TO_BE_PICKLED = frozenset({"patsy"})
"""Packages whose classes do not allow to be pickled, although they hold attributes and nothing else."""
_ITEMS_ARE_ATTRIBUTES = frozenset({("statsmodels.datasets.utils", "Dataset")})
"""Classes of dicts that are their own attributes. Others that are so hold what is in another order in each process."""
IMMUTABLE = frozenset(
    [("datetime", name) for name in ("date", "datetime", "time", "timedelta", "timezone")]
    + [("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"), ("re", "Pattern"), ("zoneinfo", "ZoneInfo")]
    + [(home, name) for home in ("pathlib", "pathlib._local") for name in ("PosixPath", "PurePosixPath", "WindowsPath")]
    + [("pathlib", "PureWindowsPath"), ("pathlib._local", "PureWindowsPath")]
    + [("builtins", "range"), ("builtins", "slice"), ("types", "GenericAlias"), ("types", "UnionType")]
    + [("operator", name) for name in ("itemgetter", "attrgetter", "methodcaller")]
    + [("dataclasses", "_MISSING_TYPE"), ("dataclasses", "_FIELD_BASE"), ("dataclasses", "_KW_ONLY_TYPE")]
    + [("dataclasses", "_HAS_DEFAULT_FACTORY_CLASS")]
    + [("typing", name) for name in ("_SpecialForm", "_SpecialGenericAlias", "_GenericAlias", "_UnionGenericAlias")]
)
"""Types (module and name) whose instances cannot be changed: that two names share one is no part of the value."""


class Layout:
    """How instances of one class are laid out, and so how they are written.

    A class whose instances hold nothing but attributes, slots and what a base of Python's own holds is written from
    these alone, whatever hooks it defines itself. Others are asked by their hooks for pickling, where an installed
    library defined them.
    """

    def __init__(self, walk: Any, kind: Any, mro: "tuple[Any, ...]") -> None:
        self.walk, self.kind = walk, kind
        self.module, self.name = text_of(module_of(kind)), name_of(kind)
        self.package = self.module.partition(".")[0]
        self.core = next(base for base in mro if identity(base) in _CORES)
        above = mro[: list(map(identity, mro)).index(identity(self.core))]
        self.getter = dict_getter(mro) if dictoffset_of(kind) else None
        self.slots = [
            (key, member.__get__)
            for base in above
            if "__slots__" in members_of(base)
            for key, member in members_of(base).items()
            if type(member) is SLOT and member.__objclass__ is base
        ]
        self.plain = basicsize_of(kind) == self._size_of_what_is_seen() and (
            not dictoffset_of(kind) or bool(self.getter)
        )
        self.unchanged = (self.module, self.name) in IMMUTABLE or self.module.startswith("pandas._libs.tslibs")
        if identity(self.core) in _UNCHANGED_CORES and self.getter is None and not self.slots:
            self.unchanged = True
        self.hooks = {hook: next((base for base in mro if hook in members_of(base)), object) for hook in _HOOKS}
        self.own_hooks = [base for base in self.hooks.values() if identity(base) not in _CORES]
        by_library = all([walk.is_library(module_of(base)) for base in self.own_hooks])
        hooks_tell = bool(self.own_hooks) and by_library and self.package not in _REFUSE_TO_BE_PICKLED
        self.by_attributes = self.plain and not (hooks_tell and not self._pickled_by_name())
        self.refused = bool(self.own_hooks) and not by_library and not self.plain
        copyreg: Any = sys.modules.get("copyreg")
        self.registered = getattr(copyreg, "dispatch_table", {}).get(kind) if not self.by_attributes else None

    def _size_of_what_is_seen(self) -> int:
        kind, core = self.kind, self.core
        size: int = basicsize_of(core) + 8 * len(self.slots)
        managed = sys.version_info >= (3, 11) and flags_of(kind) & MANAGED_DICT
        if dictoffset_of(kind) not in (0, dictoffset_of(core)) and not managed:
            size += 8
        if weakrefoffset_of(kind) > 0 and weakrefoffset_of(kind) != weakrefoffset_of(core):
            size += 8
        return size if core is not object or not itemsize_of(kind) else -1

    def _pickled_by_name(self) -> bool:
        return self.module == "typing" and self.name in ("TypeVar", "ParamSpec", "TypeVarTuple", "NewType")

    @property
    def only_attributes(self) -> bool:
        """Tell whether instances hold attributes and nothing else."""
        return self.by_attributes and self.core is object and not self.slots and self.getter is not None

    def attributes(self, item: Any) -> "dict[str, Any]":
        """Return an instance's own dict, whatever its class says `__dict__` is."""
        found = self.getter(item) if self.getter is not None else {}
        if type(found) is not dict:
            raise Opaque("attributes in a %s" % name_of(type(found)))
        return found

    def handler(self) -> "Callable[[Any], None]":
        """Return what writes an instance."""
        if self.refused:
            return refusal("%s, which has hooks for pickling of the notebook's own" % self.name)
        return self.write if self.by_attributes else self.write_reduced

    def write(self, item: Any) -> None:
        """Write attributes, slots, and what the core holds."""
        walk = self.walk
        if not self.unchanged and not walk.first(item):
            return
        walk.part.size += 64
        todo: list[Any] = [self.kind]
        if self.core is not object:
            todo += _CORES[identity(self.core)](item)
        for key, get in self.slots:
            try:
                todo += [Token(MEMBER + _dumps(key, 2)), get(item)]
            except AttributeError:
                todo.append(Token(MEMBER + b"\0" + _dumps(key, 2)))
        if self.getter is not None:
            if (self.module, self.name) in _ITEMS_ARE_ATTRIBUTES and self.getter(item) is item:
                todo.append(Token(ITS_OWN))
            else:
                attributes = self.attributes(item)
                todo += [Items(list(attributes)), Items(list(attributes.values()))] if self.unchanged else [attributes]
        if self.core is BaseException:
            todo.append(LeftOut(item))
        walk.out.append(STATE + _dumps(len(todo), 2))
        walk.push(todo)

    def write_reduced(self, item: Any) -> None:
        """Write what the hooks for pickling tell, and for classes that are not trusted what they left out."""
        walk = self.walk
        if not self.unchanged and not walk.first(item):
            return
        walk.part.size += 64
        reduced = self.registered(item) if self.registered is not None else self._reduce(item)
        walk.keep.append(reduced)
        if type(reduced) is str:
            walk.out.append(self._global(item, reduced))
            return
        if type(reduced) is not tuple or not 2 <= len(reduced) <= 6:
            raise Opaque("%s, which cannot be pickled" % self.name)
        parts = [*reduced, None, None, None, None][:6]
        for index in (3, 4):
            if parts[index] is not None:
                parts[index] = Items(list(parts[index]))
                walk.keep.append(parts[index])
        rest = self._left_out(item, parts[2])
        walk.keep.append(rest)
        walk.out.append(REDUCED)
        todo = [self.kind, *parts, Items(list(rest)), Items(list(rest.values()))]
        if within(BaseException, mro_of(self.kind)):
            todo.append(LeftOut(item))
        walk.push(todo)
        if self.name.endswith("iterator") or self.package == "itertools" or self.name in ("KDTree", "cKDTree"):
            walk.close([item])
        if self.package == "PIL" and getattr(item, "readonly", False):  # it shows memory of somebody else's
            walk.unproven.add(walk.number)

    def _left_out(self, item: Any, state: Any) -> "dict[str, Any]":
        if self.unchanged or self.package in _TRUSTED:
            return {}
        told = [given for given in (state if type(state) is tuple else (state,)) if type(given) is dict]
        left: dict[str, Any] = {}
        for key, get in self.slots:
            if key[:1] != "_" and not any([key in given for given in told]):
                with contextlib.suppress(AttributeError):
                    left[key] = get(item)
        attributes = self.attributes(item) if self.getter is not None else {}
        if self.getter is None or attributes is state:
            return left
        self.walk.touch(attributes)
        if any([given is attributes for given in told]):
            return left
        left.update(
            (key, value)
            for key, value in attributes.items()
            if type(key) is str and not any([key in given and given[key] is value for given in told])
        )
        return left

    def _reduce(self, item: Any) -> Any:
        try:
            for hook, argument in (("__reduce_ex__", (4,)), ("__reduce__", ())):
                base = self.hooks[hook]
                if base is not object:
                    return members_of(base)[hook](item, *argument)
            getstate = self.hooks["__getstate__"]
            if self.plain and self.core is object and getstate is not object and self._no_arguments():
                return (self.kind, (), members_of(getstate)["__getstate__"](item))
            return object.__reduce_ex__(item, 4)
        except (TypeError, ValueError, RuntimeError, NotImplementedError, AttributeError, ImportError) as problem:
            raise Opaque(self.name) from problem

    def _no_arguments(self) -> bool:
        return self.hooks["__getnewargs_ex__"] is object and self.hooks["__getnewargs__"] is object

    def _global(self, item: Any, path: str) -> bytes:
        """Return the token of an object that is pickled by its name. Raises Opaque where it is not found there."""
        for module in (getattr(item, "__module__", None), self.module, self.package, "typing"):
            token: bytes | None = definitions.by_name(self.walk, item, module, path)
            if token is not None:
                return token
        raise Opaque("%s that is pickled by its name" % self.name)


def _in_dict(item: Any) -> "list[Any]":
    return [Items(list(dict.keys(item))), Items(list(dict.values(item)))]


def _in_ordered_dict(item: Any) -> "list[Any]":
    return [Items(list(OrderedDict.keys(item))), Items(list(OrderedDict.values(item)))]


def _in_default_dict(item: Any) -> "list[Any]":
    return [_default_factory(item), *_in_dict(item)]


_default_factory: Any = defaultdict.__dict__["default_factory"].__get__
_error_arguments: Any = BaseException.__dict__["args"].__get__

_CORES: "dict[int, Callable[[Any], list[Any]]]" = {
    identity(object): lambda item: [],
    identity(dict): _in_dict,
    identity(OrderedDict): _in_ordered_dict,
    identity(defaultdict): _in_default_dict,
    identity(list): lambda item: [Items(list.copy(item))],
    identity(tuple): lambda item: [Items(list(tuple.__iter__(item)))],
    identity(set): lambda item: [SetItems(list(set.__iter__(item)))],
    identity(frozenset): lambda item: [SetItems(list(frozenset.__iter__(item)))],
    identity(deque): lambda item: [deque.maxlen.__get__(item), Items(list(deque.__iter__(item)))],
    identity(str): lambda item: [str.__str__(item)],
    identity(bytes): lambda item: [bytes.__getitem__(item, slice(None))],
    identity(bytearray): lambda item: [bytes(bytearray.__getitem__(item, slice(None)))],
    identity(int): lambda item: [int.__index__(item)],
    identity(float): lambda item: [float.__pos__(item)],
    identity(complex): lambda item: [complex.__pos__(item)],
    identity(BaseException): lambda item: [_error_arguments(item)],
}
"""What Python's own classes hold, by the id of the class, read without any method of the user's."""
_UNCHANGED_CORES = frozenset(map(identity, (tuple, frozenset, str, bytes, int, float, complex)))
