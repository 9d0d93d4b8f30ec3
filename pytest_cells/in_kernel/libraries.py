"""Notice that a library was changed: that its modules, or the classes in them, hold other objects than before.

CPython gives each state of a dictionary a number of its own. Those of some thousand dictionaries are compared in less
than half a millisecond; where the numbers are not to be had, the objects are compared themselves.
"""

import sys
import types
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any

from . import dict_numbers
from .classes import identical, identity, members_of, module_dict_of
from .versions import PRIVATE_BUILTINS, collector

__builtins__ = PRIVATE_BUILTINS

_NOT_WATCHED = frozenset(
    {"__main__", "__mp_main__", "ipykernel", "zmq", "tornado", "jupyter_client", "jupyter_core", "jedi", "parso"}
    | {"prompt_toolkit", "debugpy", "pygments", "traitlets", "asttokens", "executing", "stack_data", "pure_eval"}
    | {"psutil", "comm", "pexpect", "ptyprocess", "wcwidth", "decorator", "nest_asyncio", "nest_asyncio2", "dateutil"}
    | {"_pytest_cells_agent", "_pydevd_bundle", "_pydev_bundle", "pydevd", "encodings", "ctypes", "_distutils_hack"}
    | {"_frozen_importlib", "_frozen_importlib_external"}
)
"""The kernel's own packages, and us."""
_LAZY = frozenset({"__slotnames__", "__annotations__", "__doc__", "__signature__", "__warningregistry__", "__path__"})
"""What Python itself adds to classes and modules when it first needs it."""
_OWN_BUSINESS = frozenset(
    {("PIL.Image", "_initialized"), ("matplotlib.backends", "backend"), ("matplotlib.pyplot", "_REPL_DISPLAYHOOK")}
    | {("matplotlib.dates", "_epoch"), ("matplotlib.pyplot", "_backend_mod"), ("time", "tzname"), ("time", "daylight")}
    | {("time", "timezone"), ("time", "altzone"), ("sys", "last_type"), ("sys", "last_value"), ("sys", "last_exc")}
    | {("sys", "last_traceback"), ("sys", "stdout"), ("sys", "stderr"), ("sys", "stdin"), ("sys", "displayhook")}
    | {("sys", "path"), ("sys", "argv"), ("sys", "ps1"), ("sys", "ps2"), ("sys", "ps3"), ("sys", "excepthook")}
    | {("sys", "path_importer_cache"), ("sys", "warnoptions"), ("random", "_inst")}
    | {("matplotlib.pyplot", "draw_if_interactive"), ("patsy.util", "safe_is_pandas_categorical_dtype")}
    | {("pydoc", "pager")}
    | {("pyparsing.core.ParserElement", name) for name in ("_packratEnabled", "_parse", "packrat_cache")}
)
"""What libraries set for themselves when they are first used, and what is observed as ambient state."""
_DEFINED = (type, types.FunctionType, types.BuiltinFunctionType)
_UNCHANGING = frozenset(
    [str, int, float, complex, bool, bytes, tuple, frozenset, type(None), types.ModuleType, *_DEFINED, types.MethodType]
)
"""Types of most of what modules hold: it cannot be changed, or is watched, or changed by what is called in it."""
_METHODS = frozenset({types.BuiltinFunctionType, types.MethodType})
_PASSED_OVER = _UNCHANGING - _METHODS - {type}
_MOST_RESTLESS = 12
"""So many dictionaries at most are looked into after every cell, whatever their numbers say."""


class Libraries:
    """The dictionaries of all modules that are no project's, and of the classes in them."""

    def __init__(self, is_own: "Callable[[str], bool]") -> None:
        self._is_own = is_own
        self._numbered = dict_numbers.readers(()) is not None
        """Whether the dictionaries have numbers, that only those need be looked into whose number is another."""
        self._width = dict_numbers.SIZE if self._numbered else 1
        """How much of what `_look` returns is one dictionary's."""
        self.homes: dict[int, str] = {}
        """The modules of the other objects that they hold, by the objects' ids."""
        self._others: set[int] = set()
        """The ids of methods that they hold, and of all that those hold which have changed."""
        self._known: set[int] = set()
        """The ids of the dictionaries."""
        self._seen: dict[str, int] = {}
        """By name, the id of the dictionary of the module that was looked at."""
        self._entries: list[tuple[str, Any, Any]] = []
        """What each is called, its dictionary, and what that held."""
        self._readers: list[Any] = []
        """Where the number of each stands, as memory to read."""
        self._versions: Any = b"" if self._numbered else []
        self._restless: set[int] = set()
        """The places of those that are set and restored at every cell, as IPython does: they are always looked into."""
        self._count = -1
        self._registered: Any = None
        self.take_in()

    def take_in(self, *, anew: bool = False) -> None:
        """Begin to watch what has been imported, as it is now; `anew` if some may have taken the places of others."""
        if not anew and len(sys.modules) == self._count:
            return
        self._count = len(sys.modules)
        first = len(self._entries)
        classes: dict[int, Any] = {}
        """By their ids: most are held by several modules."""
        for name, module in list(sys.modules.items()):
            if not isinstance(module, types.ModuleType) or (not anew and name in self._seen):
                continue
            held = module_dict_of(module)
            if self._seen.get(name) == identity(held):
                continue
            self._seen[name] = identity(held)
            package = name.partition(".")[0]
            if package in _NOT_WATCHED or package.startswith("_cython_") or self._is_own(name):
                continue
            self._watch(name, held)
            values = list(held.values())
            for value in compress(values, [type(value) not in _PASSED_OVER for value in values]):
                kind = type(value)
                if kind is type or issubclass(kind, type):
                    classes[identity(value)] = value
                elif kind in _METHODS:
                    self._others.add(identity(value))
                else:
                    self.homes.setdefault(identity(value), name)
        judged: dict[str, bool] = {}
        for kind in classes.values():
            self._watch_class(kind, judged)
        self._versions = self._versions + self._look(first)
        self._entries[first:] = [(name, held, held.copy()) for name, held, _ in self._entries[first:]]
        self._registered = self._abstract_classes()

    def changes(self, *, registers: bool = False) -> "list[str]":
        """Return what is other than it was at the last call, in words; from then on, that is how it is.

        `registers` if code of the notebook may have registered an abstract class: whatever is imported does so, too.
        """
        changed: list[str] = []
        versions = self._look()
        differing: set[int] = set()
        if versions != self._versions:
            differing.update(_differences(versions, self._versions, 0, len(self._entries), self._width))
            self._versions = versions
        for index in sorted(differing | self._restless):
            name, held, was = self._entries[index]
            if identical(held.values(), was.values()) and identical(held, was):
                self._let_rest(index)
                continue
            self._forget(was, held)
            self._entries[index] = (name, held, dict(held))
            self._others.update(map(identity, list(held.values())))
            changed.extend("it changes %s.%s" % (name, key) for key in self._differing(name, held, was))
        registered = self._abstract_classes()
        if registered != self._registered and (registers or len(sys.modules) == self._count):
            changed.append("it registers a class with an abstract one")
        self._registered = registered
        return changed

    def watches(self, held: "dict[str, Any]") -> bool:
        """Tell whether a module's dictionary is one of those."""
        return identity(held) in self._known

    def may_hold(self, ids: "set[int]") -> bool:
        """Tell whether one of some objects, by their ids, is such a dictionary, or held by one at the last look.

        Classes, functions, modules, numbers, texts and tuples are not looked for.
        """
        seen = self._known, self.homes.keys(), self._others
        return not all(found.isdisjoint(ids) for found in seen)

    def _let_rest(self, index: int) -> None:
        """Look into a dictionary every time from now on, and no longer at its number: that alone is ever another."""
        if index not in self._restless and self._numbered and len(self._restless) < _MOST_RESTLESS:
            self._restless.add(index)
            self._readers[index] = dict_numbers.NONE
            before, behind = index * self._width, (index + 1) * self._width
            self._versions = b"".join((self._versions[:before], dict_numbers.NONE, self._versions[behind:]))

    def _forget(self, was: "dict[Any, Any]", held: "dict[Any, Any]") -> None:
        """Forget the homes of objects that only `was` still holds: another one may have the same id in a moment."""
        for key in [
            key for key, value in was.items() if held.get(key, was) is not value and identity(value) in self.homes
        ]:
            if _references(was, key) == _ONE_REFERENCE:
                del self.homes[identity(was[key])]

    def settle(self, *, anew: bool = False) -> None:
        """Take everything for how it has always been; `anew` is that of `take_in`."""
        self.changes()
        self.take_in(anew=anew)

    def _look(self, first: int = 0) -> Any:
        """Return the numbers from the first on as they stand in memory, or else the objects that there are."""
        if self._numbered:
            return b"".join(self._readers[first:])
        return [tuple(map(identity, entry[1].values())) for entry in self._entries[first:]]

    def _differing(self, name: str, held: "dict[Any, Any]", was: "dict[Any, Any]") -> "Iterator[str]":
        """Yield the names of which a dictionary holds something else than it did, in a way that matters."""
        missing: list[Any] = []
        for key in {**was, **held}:
            now, before = held.get(key, missing), was.get(key, missing)
            if now is before or type(key) is not str or key in _LAZY or (name, key) in _OWN_BUSINESS:
                continue
            if isinstance(now, types.ModuleType) and (before is missing or isinstance(before, types.ModuleType)):
                continue  # a submodule that was imported
            if key[:1] == "_" and (before is missing or before is None) and not self._is_of_notebook(now):
                continue  # what is made when it is first asked for
            if before is missing and isinstance(now, _DEFINED) and _package(now.__module__) == _package(name):
                continue  # what a module imports from its own package when it is first asked for
            yield key

    def _is_of_notebook(self, value: Any) -> bool:
        """Tell whether a function or class is one of the notebook or its project."""
        module = value.__module__ if type(value) is types.FunctionType else None
        if issubclass(type(value), type):
            module = type.__getattribute__(value, "__dict__").get("__module__")
        return type(module) is str and (module == "__main__" or (module in sys.modules and self._is_own(module)))

    @staticmethod
    def _abstract_classes() -> Any:
        ask = getattr(sys.modules.get("_abc"), "get_cache_token", None)
        return ask() if ask is not None else None

    def _watch_class(self, kind: Any, judged: "dict[str, bool]") -> None:
        """Watch a class, unless it is of a module that is not watched: `judged` tells of those that were asked for."""
        module = type.__getattribute__(kind, "__dict__").get("__module__")
        if type(module) is not str:
            return
        if module not in judged:
            judged[module] = module.partition(".")[0] not in _NOT_WATCHED and not self._is_own(module)
        if not judged[module]:
            return
        for held in collector.get_referents(members_of(kind)):  # what stands behind the read-only view
            if type(held) is dict:
                self._watch("%s.%s" % (module, kind.__name__), held)

    def _watch(self, name: str, held: Any) -> None:
        if identity(held) in self._known:
            return
        self._known.add(identity(held))
        self._entries.append((name, held, None))
        self._readers += dict_numbers.readers([held]) or ()


def _references(held: "dict[Any, Any]", key: Any) -> int:
    return sys.getrefcount(held[key])


_ONE_REFERENCE = _references({"": object()}, "")
"""What is counted of an object that nothing else holds."""


def _differences(some: Any, others: Any, start: int, end: int, width: int) -> "list[int]":
    """Return where two sequences of one length differ, in units of a width.

    There are few such places: halves are compared as wholes.
    """
    if some[start * width : end * width] == others[start * width : end * width]:
        return []
    if end - start == 1:
        return [start]
    middle = (start + end) // 2
    return _differences(some, others, start, middle, width) + _differences(some, others, middle, end, width)


def _package(module: Any) -> str:
    return module.partition(".")[0] if type(module) is str else ""
