"""What a call, or an assignment, may do to libraries when nobody uses its value: runs inside the kernel.

A path is what names in the source lead to: `plt.show` is ("plt", "show"). `names.py` reads them, with the marks before.
"""

import builtins
import collections
import sys
import types
from typing import Any

from . import names as reading
from .classes import COMPILED, identity, module_dict_of, module_of, name_of
from .unsteady import deepest, name_of_module, text_of

_LIBRARY_HELD = frozenset({"logging"})
"""Packages whose objects are the library's own, also where a variable holds one."""
_SETTABLE = frozenset(
    {("os", "environ"), ("sys", "path"), ("sys", "argv"), ("matplotlib", "rcParams"), ("matplotlib.pyplot", "rcParams")}
    | {("pandas", "options")}
)
"""What may be set of libraries: it is observed as ambient state."""
_OF_NAMED_TUPLES = frozenset({"collections"})
"""What the methods of each such class hold; nothing that the module has is set by them."""
_SETTLED = frozenset({"info", "debug", "warning", "error", "critical", "exception", "log"})
_CONTAINERS = (list, dict, set, bytearray, collections.deque)
_DEFINED = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_OF_DECIMAL = "decimal"
"""Whose contexts are changed by what is done with them."""


class Calls:
    """Judges paths by what they stand for now."""

    def __init__(self, namespace: "dict[str, Any]", modules: Any, effects: Any, homes: "dict[int, str]") -> None:
        self._namespace, self._modules, self._effects, self._homes = namespace, modules, effects, homes
        self._components: dict[str, Any] = {}
        self._imported: set[str] = set()
        """Modules whose names stand in what the notebook imports, so far."""
        self._held: dict[int, str] | None = None
        """Which of these holds what, by its id; None until the cell asks."""
        self._settable: set[int] = set()
        """The ids of what may be set; found then too."""

    def begin(self, components: "dict[str, Any]", imported: "set[str]") -> None:
        """Judge another cell: the components around it, and the modules that it and the notebook's names stand for."""
        self._components, self._imported, self._held = components, self._imported | imported, None

    def effect_of(self, path: "tuple[str, ...]", variables: "dict[str, Any] | None" = None) -> "str | None":
        """Return what calling or storing into a path may do beside what is observed, or None for nothing."""
        if path[0] == reading.STORE:
            return self._patched(path[1:], variables)
        if path[0] == reading.REFERENCE:
            return self._handed_on(path[1:], variables)
        if path[0] == reading.CHANGED:
            return self._may_be_changed(path[1:], variables)
        if path[0] == reading.GIVEN:
            return self._given(path[1], path[2:], variables)
        if path[0] == reading.SETTER:
            return self._named_like_setter(path[1:], variables)
        shown = ".".join(path).lstrip(reading.STORE)
        if path[0] == "?matplotlib":  # kernels show figures inline unless somebody has set another backend
            return None if path[1] == "inline" and self._effects.draws_inline else "it uses %matplotlib"
        if path[0].startswith("?"):
            return "a decorator that is no plain name"
        if path[0].startswith(reading.STORE):  # a module that is imported where it is used
            return self._called(path[0][len(reading.STORE) :], list(path[1:]), shown)
        missing: list[Any] = []
        value: Any = (self._namespace if variables is None else variables).get(path[0], missing)
        if value is missing:
            if len(path) > 1 and path[-1] in _SETTLED and not self._effects.is_plain("logging"):
                return "it may log, and a handler of the notebook's keeps that (%s)" % shown
            known = _is_harmless_builtin(path) or path[0] in ("display", "print")
            return None if known or not hasattr(builtins, path[0]) else "it calls %s for its effect" % shown
        rest = list(path[1:])
        if isinstance(value, types.ModuleType):
            name = name_of_module(value)
            return self._called(name, rest, shown)
        if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
            name = _module_of(value)
            if name == "__main__" or name in self._modules.names:
                return self._reaches(path[0], shown) if variables is None else None
            if name in ("builtins", "_io") or (path[0], name) == ("open", "io"):  # the notebook's own is IPython's
                return None if _is_harmless_builtin(path) else "it calls %s for its effect" % shown
            return self._called(name, [text_of(value.__name__), *rest], shown)
        if isinstance(value, types.MethodType) and not rest:
            value, rest = value.__self__, [text_of(getattr(value, "__name__", ""))]
        if (home := self._home_of(value, rest[-1] if rest else "")) is not None:
            return "it may change what %s holds (%s)" % (home, shown)
        held = text_of(getattr(type(value), "__module__", "")).partition(".")[0] in _LIBRARY_HELD
        if held and not (rest and rest[0] in _SETTLED and self._effects.is_plain("logging")):
            return "it calls %s for its effect" % shown
        return self._reaches(path[0], shown) if variables is None else None

    def _called(self, name: str, rest: "list[str]", shown: str) -> "str | None":
        """Return what a call of something in a module, whose value nobody uses, may do."""
        name = deepest(name, rest)
        if name in self._modules.names:
            return None  # its state is observed
        if name == "logging" and rest and rest[0] in _SETTLED and self._effects.is_plain(name):
            return None  # no handler keeps what it is given, and those that are set are observed
        words, harmful = [*name.split("."), *rest], reading.HARMFUL.get(name, ())
        sets = not rest or rest[0] in harmful or any(map(reading.SETTERS.match, words))
        if words[0] in reading.HARMLESS_PACKAGES and not sets and _is_function(name, rest):
            return None
        unchanging = len(rest) == 1 or (name == "datetime" and _is_function(name, rest))
        if name in reading.HARMLESS_OF_PYTHON and not sets and unchanging:
            return None
        if name in reading.HARMLESS:
            allowed = reading.HARMLESS[name]
            if allowed is None and (not rest or rest[0] not in harmful):
                return self._called_inside(name, rest, shown)
            if allowed is not None and rest and rest[0] in allowed:
                return None
        if len(rest) > 1 and rest[-1] in reading.READERS:
            return None if (name, *rest[:-1]) in _SETTABLE else self._called(name, rest[:-1], shown)
        return "it calls or sets %s for its effect" % shown

    def _called_inside(self, name: str, rest: "list[str]", shown: str) -> "str | None":
        """Return what a call may do to an object, or another module, that a module holds which does nothing itself."""
        held = getattr(sys.modules.get(name), "__dict__", {}).get(rest[0]) if len(rest) > 1 else None
        changes = held is not None and not isinstance(held, _DEFINED) and reading.CHANGERS.match(rest[-1])
        if not changes or (name, rest[0]) in _SETTABLE:
            return None
        if isinstance(held, types.ModuleType):
            return self._called(name_of_module(held), rest[1:], shown)
        return "it changes %s" % shown

    def _reaches(self, name: str, shown: str) -> "str | None":
        """Return what a call of the notebook's own object may do to the modules that the object holds."""
        component = self._components.get(name)
        for module in sorted(component.modules - _OF_NAMED_TUPLES) if component is not None else ():
            if module not in self._modules.names and reading.HARMLESS.get(module, ()) is not None:
                return "it calls %s, which holds the module %s" % (shown, module)
        return None

    def _handed_on(self, path: "tuple[str, ...]", variables: "dict[str, Any] | None") -> "str | None":
        """Return what handing on a function or module to what is called for its effect may do."""
        value, _ = self._standing(path, variables)
        shown = ".".join(path).lstrip(reading.STORE)
        if isinstance(value, types.ModuleType):
            name = name_of_module(value)
            harmless = name in self._modules.names or reading.HARMLESS.get(name, ()) is None
            return None if harmless else "it hands on the module %s" % name
        if _is_plain_function(value):
            name, own = _module_of(value), ("__main__", "builtins", "_io", "", *self._modules.names)
            return None if name in own else self._called(name, [text_of(value.__name__)], shown)
        return None

    def _given(self, called: str, path: "tuple[str, ...]", variables: "dict[str, Any] | None") -> "str | None":
        """Return what a function of the notebook may change that is given what a library holds."""
        function = (self._namespace if variables is None else variables).get(called)
        value, _ = self._standing(path, variables)
        if isinstance(value, _CONTAINERS) or not isinstance(function, (type, types.FunctionType)):
            return None
        own = _module_of(function) in ("__main__", *self._modules.names)
        home = self._home_of(value) if own else None
        return None if home is None else "it may change what %s holds (%s)" % (home, ".".join(path))

    def _named_like_setter(self, path: "tuple[str, ...]", variables: "dict[str, Any] | None") -> "str | None":
        """Return what a function of a library may do that is named like one that sets something, now or later."""
        value, _ = self._standing(path, variables)
        shown = ".".join(path).lstrip(reading.STORE)
        if isinstance(value, types.MethodType):
            home = self._home_of(value.__self__)
            observed = home is None or home in reading.HARMLESS  # as `random`'s generator is
            return None if observed else "it refers to %s" % shown
        if _is_plain_function(value):
            return self._handed_on(path, variables) if reading.IS_SETTER.match(path[-1]) else None
        holder, module = self._standing(path[:-1], variables) if value is None and path[1:] else (None, "")
        if holder is None or module in self._modules.names or isinstance(holder, (types.ModuleType, *_DEFINED)):
            return None  # what a function gives is taken for new
        if module:
            return self._called(module, list(path[-2:]), shown)
        home = self._home_of(holder, path[-1])
        return None if home is None else "it may change what %s holds (%s)" % (home, shown)

    def _may_be_changed(self, path: "tuple[str, ...]", variables: "dict[str, Any] | None") -> "str | None":
        """Return what handing on what a library holds, to what is called for its effect, may change of that."""
        value, module = self._standing(path, variables)
        if not isinstance(value, _CONTAINERS):
            return None
        module = module or self._home_of(value) or ""
        if module == "" or module in self._modules.names:
            return None
        return None if (module, path[-1]) in _SETTABLE else "it hands on %s" % ".".join(path).lstrip(reading.STORE)

    def _home_of(self, value: Any, method: "str | None" = None) -> "str | None":
        """Return the module of a library that holds the very object.

        None also where it is no container and the method that is called on it does not sound as if it changed it.
        """
        container = isinstance(value, _CONTAINERS) or text_of(module_of(type(value))) == _OF_DECIMAL
        if not container and method is not None and not reading.CHANGERS.match(method):
            return None
        if self._held is None:
            self._held = {}
            for name in self._imported - self._modules.names.keys():
                for held in list(getattr(sys.modules.get(name), "__dict__", {}).values()):
                    self._held.setdefault(identity(held), name)
            self._settable = {
                identity(getattr(sys.modules.get(name), "__dict__", {}).get(key)) for name, key in _SETTABLE
            }
        if identity(value) in self._settable:
            return None
        return self._homes.get(identity(value)) or (self._held.get(identity(value)) if container else None)

    def _standing(self, path: "tuple[str, ...]", variables: "dict[str, Any] | None") -> "tuple[Any, str]":
        """Return what a path stands for, None for nothing in a module, and the module that holds it, if one does."""
        words, module = list(path[1:]), ""
        if path[0].startswith(reading.STORE):
            value: Any = sys.modules.get(path[0][len(reading.STORE) :])
        else:
            value = (self._namespace if variables is None else variables).get(path[0])
        while words and isinstance(value, types.ModuleType):
            module = name_of_module(value)
            value = module_dict_of(value).get(words.pop(0))
        return (None if words else value), module

    def _patched(self, path: "tuple[str, ...]", variables: "dict[str, Any] | None") -> "str | None":
        """Return what storing into a path changes beside the notebook's own objects, or None for nothing."""
        shown = ".".join(path).lstrip(reading.STORE)
        told = "it changes %s" % shown
        if path[0] == "?":
            return "it changes an object that is not named"
        missing: list[Any] = []
        value: Any = (self._namespace if variables is None else variables).get(path[0], missing)
        rest = list(path[1:])
        if path[0].startswith(reading.STORE):  # a module that is imported where it is changed
            name = path[0][len(reading.STORE) :]
        elif value is missing:
            return None  # a variable of a function
        elif isinstance(value, types.ModuleType):
            name = name_of_module(value)
        elif isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
            return None if _module_of(value) == "__main__" else told
        else:
            if self._home_of(value) is not None:
                return told
            component = self._components.get(path[0]) if variables is None else None
            return told if component is not None and component.modules else None
        name = deepest(name, rest)
        if name in self._modules.names:
            inner = self._modules.names[name].__dict__.get(rest[0]) if rest else None
            return told if isinstance(inner, (type, types.FunctionType)) and len(rest) > 1 else None
        return None if rest and (name, rest[0]) in _SETTABLE else told


def _is_function(name: str, path: "list[str]") -> bool:
    """Tell whether a path in a module is a function or class, or a class's own, and no method of what is held there."""
    held = getattr(sys.modules.get(name), "__dict__", {}).get(path[0])
    return len(path) == 1 or (len(path) == 2 and isinstance(held, type))


def _is_plain_function(value: Any) -> bool:
    """Tell whether a value is a function of Python, C or Cython."""
    return isinstance(value, (types.FunctionType, types.BuiltinFunctionType)) or name_of(type(value)) in COMPILED


def _is_harmless_builtin(path: "tuple[str, ...]") -> bool:
    """Tell whether a path from a built-in function does nothing beside what is observed."""
    uses_file = len(path) == 2 and (path[1] in reading.READERS or path[1] in ("write", "writelines"))
    return path[0] in reading.PURE_BUILTINS or (path[0] == "open" and uses_file)


def _module_of(value: Any) -> str:
    """Return the name of the module in which a class or function is defined, as those know it who import it."""
    name = text_of(type.__getattribute__(value, "__module__") if isinstance(value, type) else value.__module__)
    return reading.BY_C_NAME.get(name, name)
