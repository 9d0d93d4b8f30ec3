"""How values are taken apart for a snapshot: runs inside the kernel, the standard library alone.

Each type is judged once: by reference (modules, what modules hold, functions and classes of installed and
project modules), by what the library says (`__reduce_ex__` of installed classes), or by looking into it
(functions, classes and instances of the notebook: no code of the notebook runs). What is none of these, or
whose pickle is known to be less than the value, is refused.
"""

import copyreg
import enum
import functools
import marshal
import os
import sys
import types
from collections.abc import Callable, Iterator
from itertools import compress
from typing import Any

from . import rebuild
from .array_reducers import Apart, Memory, pandas_holders, record
from .classes import identity
from .libraries import Libraries
from .refusals import IN_MEMORY, REFUSED_IDS, REFUSED_NAMES, REFUSED_ROOTS, TRUSTED, Refused
from .versions import collector

_Reduced = Any
_modules = sys.modules
_Module, _Function, _Method, _BuiltIn = (
    types.ModuleType,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
)
_Cell: Any = types.CellType
_type_vars: Any = type.__dict__["__dict__"]
_type_mro: Any = type.__dict__["__mro__"]
_type_module: Any = type.__dict__["__module__"]
_type_name: Any = type.__dict__["__name__"]
_type_qualname: Any = type.__dict__["__qualname__"]
_type_bases: Any = type.__dict__["__bases__"]
_get_from_object = object.__getattribute__
_dumps = marshal.dumps
_HEAP_TYPE = 1 << 9
_OURS = __name__.rpartition(".")[0]
_WORD = tuple.__itemsize__
_DEFAULT_HOOKS = (
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
)
_SINGLE = (type(None), type(...), type(NotImplemented))
_CYTHON = "cython_function_or_method"
"""What the type of functions is called that Cython has made; each version of it has a type of its own."""

NATURAL: "tuple[Any, ...]" = (list, dict, set, frozenset, tuple, int, float, complex, str, bytes, bytearray)
_EXACT: "dict[Any, Callable[[Any], Any]]" = {
    tuple: lambda found: tuple(tuple.__iter__(found)),
    frozenset: lambda found: frozenset(frozenset.__iter__(found)),
    int: int.__pos__,
    float: float.__pos__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda found: bytes(memoryview(found)),
}
_NAMED_TUPLE_OWN = ("_fields", "_field_defaults", "__slots__", "__match_args__", "__module__", "__dict__")
_FROM_THE_START = {
    key for key, value in vars(type).items() if type(value) in (types.GetSetDescriptorType, types.MemberDescriptorType)
} - {"__abstractmethods__", "__annotations__", "__type_params__"} | {"__slots__", "__orig_bases__", "__class__"}
"""What a class's dict can hold only from its creation on: set later, it would change the class and not its dict."""
_TYPES_OF_TYPES = {identity(value): name for name, value in vars(types).items() if isinstance(value, type)}


def _has(mro: "tuple[Any, ...]", kind: Any) -> bool:
    """Tell whether a class is among some, without asking a metaclass what equal means."""
    return any(each is kind for each in mro)


def _is_module(found: Any) -> bool:
    return type(found) is _Module or _has(_type_mro.__get__(type(found)), _Module)


def _registered(kind: Any) -> Any:
    """Return what copyreg has for a class."""
    return next((way for key, way in list(copyreg.dispatch_table.items()) if key is kind), None)


class Shared:
    """The changeable values that loaded modules hold: a notebook that binds one shares it with the module.

    `env = os.environ` shall be the module's own after it was brought back, and no copy. It is true for as long as no
    code of the notebook has run, and keeps alive what it has found. `libraries` know already what most modules hold.
    """

    def __init__(self, namespace: "dict[str, Any]", libraries: "Libraries | None" = None) -> None:
        self._namespace, self._libraries = namespace, libraries
        self._places: dict[int, tuple[str, str]] = {}
        self._held: set[int] = set()
        """The ids of all that the other modules hold, and of their variables."""
        self._kept: list[Any] = [namespace]

    def holds(self, values: "list[Any]") -> bool:
        """Tell whether some of these values have a place: faster than finding all places."""
        kinds = list(map(identity, map(type, values)))
        found = dict(zip(kinds, map(type, values)))
        changeable = {number for number, kind in found.items() if number not in _CONSTANT and not _names(kind)}
        by_name = {number for number in changeable if _may_go_by_name(found[number])}
        wanted = set(compress(map(identity, values), map((changeable - by_name).__contains__, kinds)))
        for value in compress(values, map(by_name.__contains__, kinds)):
            if not self._goes_by_name(value):
                wanted.add(identity(value))
        if not wanted:
            return False
        if not self._held:
            self._held = {identity(self._namespace)}
            for _, variables in self._modules():
                if self._libraries is None or not self._libraries.watches(variables):
                    self._held.add(identity(variables))
                    self._held.update(map(identity, list(variables.values())))
        return not wanted.isdisjoint(self._held) or (self._libraries is not None and self._libraries.may_hold(wanted))

    @property
    def places(self) -> "dict[int, tuple[str, str]]":
        """Where each value is, by its id: module and variable, none for the variables of modules themselves."""
        if not self._places:
            constant = set(_CONSTANT)
            self._places[identity(self._namespace)] = ("", "")
            for name, variables in self._modules():
                self._add(variables, "", "")
                items = [pair for pair in list(variables.items()) if identity(type(pair[1])) not in constant]
                self._look(name, items, constant)
        return self._places

    def _goes_by_name(self, value: Any) -> bool:
        """Tell whether a value comes back as the same object whoever holds it."""
        if type(value) is _BuiltIn:
            return _of_module(value)
        kind = type(value)
        if _type_name.__get__(kind) == _CYTHON:
            return _importable(value, self._namespace) is not None
        if _type_module.__get__(kind) == "typing":
            name = getattr(value, "_name", None)
            return type(name) is str and _at("typing", name, value, self._namespace) is not None
        return bool(value.isbuiltin == 1)

    def _modules(self) -> "Iterator[tuple[str, dict[str, Any]]]":
        for name, module in list(_modules.items()):
            if type(name) is str and _is_module(module) and not name.startswith(_OURS):
                variables = rebuild.module_vars(module)
                if variables is not self._namespace:
                    yield name, variables

    def _look(self, module: str, items: "list[tuple[Any, Any]]", constant: "set[int]") -> None:
        for key, value in items:
            kind = type(value)
            if kind is _BuiltIn:
                skipped = _of_module(value)
            else:
                skipped = _names(kind)
                if skipped:
                    constant.add(identity(kind))
            if not skipped and key != "__builtins__":
                self._add(value, module, key)

    def _add(self, value: Any, module: str, name: str) -> None:
        if identity(value) not in self._places:
            self._places[identity(value)] = (module, name)
            self._kept.append(value)


def _names(kind: Any) -> bool:
    """Tell whether what is of a type is a class or a module, which are brought back by their names."""
    mro = _type_mro.__get__(kind)
    return _has(mro, type) or _has(mro, _Module)


def _may_go_by_name(kind: Any) -> bool:
    """Tell whether a type is that of compiled functions, of typing's names, or of numpy's kinds of items."""
    dtype = getattr(_modules.get("numpy"), "dtype", None)
    if kind is _BuiltIn or _type_name.__get__(kind) == _CYTHON or _type_module.__get__(kind) == "typing":
        return True
    return _has(_type_mro.__get__(kind), dtype)


def _of_module(function: Any) -> bool:
    return function.__self__ is None or _is_module(function.__self__)


_CONSTANT = {
    identity(kind)
    for kind in (
        *(bool, int, float, complex, str, bytes, tuple, frozenset, range, slice, property, *_SINGLE),
        *(_Function, _Module, type, types.CodeType, types.MethodDescriptorType, types.WrapperDescriptorType),
        *(types.MethodWrapperType, types.GetSetDescriptorType, types.MemberDescriptorType),
    )
}


class Judge:
    """Knows how each object of one snapshot is taken apart."""

    def __init__(self, namespace: "dict[str, Any]", cuts: "dict[int, str]") -> None:
        self._namespace, self._cuts = namespace, cuts
        self._ways: dict[int, tuple[Any, Callable[[Any], _Reduced]]] = {}
        self._installed: dict[str, bool] = {}
        self.memory = Memory()
        self.apart: tuple[type, ...] = ()
        numpy, pandas = _modules.get("numpy"), _modules.get("pandas")
        exact: dict[Any, Callable[[Any], _Reduced]] = {
            _Function: self._function,
            _BuiltIn: self._built_in,
            _Method: lambda found: (rebuild.method, (found.__func__, found.__self__)),
            _Cell: _cell,
            types.CodeType: lambda found: (rebuild.code, (_dumps(found), found.co_filename, _source(found))),
            object: lambda found: _refuse("a bare object(), which is nothing but itself"),
            property: lambda found: (property, (found.fget, found.fset, found.fdel, found.__doc__)),
            staticmethod: lambda found: (staticmethod, (found.__func__,)),
            classmethod: lambda found: (classmethod, (found.__func__,)),
            types.MappingProxyType: _mapping_proxy,
            functools.cached_property: _cached_property,
            _Live: lambda found: (rebuild.live, ()),
            _Home: lambda found: (rebuild.module_globals, (found.module,)),
        }
        if numpy is not None and hasattr(numpy, "ndarray"):
            exact[numpy.ndarray] = self.memory.array
            exact[Apart] = self.memory.apart
            exact[numpy.void] = record
            self.memory.numpy = numpy
        if pandas is not None and numpy is not None:
            self.apart = pandas_holders(pandas)
            self.memory.copy_on_write = not str(getattr(pandas, "__version__", "0")).startswith(("0.", "1.", "2."))
        for kind, way in exact.items():
            self._ways[identity(kind)] = (kind, way)

    def reduce(self, found: Any) -> _Reduced:
        """Return how an object is put together again, as `__reduce__` does. Raises Refused."""
        kind = type(found)
        known = self._ways.get(identity(kind))
        if known is None:
            known = self._ways[identity(kind)] = (kind, self._judge(kind))
        return known[1](found)

    def close(self) -> None:
        """Let go of everything: this object is in a circle."""
        self._ways.clear()
        self.memory.close()

    def installed(self, module: str) -> bool:
        """Tell whether a module is of the standard library or of an installed package."""
        known = self._installed.get(module)
        if known is None:
            known = self._installed[module] = self._is_installed(module)
        return known

    def _is_installed(self, module: str) -> bool:
        found = _modules.get(module)
        if module == "builtins":
            return True
        if found is None or not _is_module(found):
            return False
        variables = rebuild.module_vars(found)
        if variables is self._namespace or module == "__main__":
            return False
        path = variables.get("__file__")
        if path is None:
            return module in sys.builtin_module_names or getattr(variables.get("__spec__"), "origin", "") == "frozen"
        return type(path) is str and os.path.realpath(path).startswith(_installation())

    # -- types ---------------------------------------------------------------------------------------------

    def _judge(self, kind: Any) -> "Callable[[Any], _Reduced]":
        mro = _type_mro.__get__(kind)
        if _has(mro, type):
            return self._class
        if _has(mro, _Module):
            return _module
        names = [(_type_module.__get__(base), _type_name.__get__(base)) for base in mro]
        reason = REFUSED_IDS.get(identity(kind))
        for name in names:
            if name in IN_MEMORY:
                break
            reason = reason or REFUSED_NAMES.get(name)
            root = str(name[0]).partition(".")[0]
            reason = reason or REFUSED_ROOTS.get(root)
            if root == "IPython" and name[0] not in ("IPython.core.display", "IPython.lib.display"):
                reason = reason or "an object of IPython"
        if reason and names[0] == ("functools", "_lru_cache_wrapper"):
            told = reason
            return lambda found: _importable(found, self._namespace) or _refuse(told)
        if reason:
            told = reason
            return lambda found: _refuse(told)
        if _has(mro, enum.Enum):
            return _member
        if names[0][1] == _CYTHON:
            return lambda found: _importable(found, self._namespace) or _refuse("a function that is found by no name")
        module = names[0][0]
        if type(module) is not str or not self.installed(module):
            return self._look_into(kind, mro)
        return self._by_library(kind, mro)

    def _by_library(self, kind: Any, mro: "tuple[Any, ...]") -> "Callable[[Any], _Reduced]":
        for base in mro[:-1]:
            top = str(_type_module.__get__(base)).partition(".")[0]
            if not _plain(base) and top not in TRUSTED and not _standard(top):
                return _refusal("an object of %s, whose pickle may be less than it" % top)
        reducer = _registered(kind)
        if reducer is not None and not self._of_library(reducer):
            return _refusal("a %s, which the notebook says how to pickle" % _type_name.__get__(kind))
        own = [_type_vars.__get__(base) for base in mro[:-1]]
        hooked = any(hook in variables for hook in (*_DEFAULT_HOOKS, "__new__", "__del__") for variables in own)
        if reducer is None and not hooked and all(_plain(base) for base in mro[:-1]):
            return self._look_into(kind, mro)  # as object.__reduce_ex__ does, but the very __dict__ comes back
        call: Any = reducer or (lambda found: found.__reduce_ex__(5))
        if _has(mro, BaseException):
            return lambda found: _exception(found) and self._checked(found, call(found))
        if any(_has(mro, each) for each in self.apart):
            return lambda found: self.memory.take_apart(self._checked(found, call(found)))
        if self.memory.numpy is not None and not all(_plain(base) for base in mro[:-1]):
            return lambda found: self.memory.own(found, self._checked(found, call(found)))
        return lambda found: self._checked(found, call(found))

    def _checked(self, found: Any, reduced: Any) -> _Reduced:
        if type(reduced) is str:
            named = self._named(found, reduced)
            return named or _refuse("a %s that cannot be imported by its name" % type(found).__name__)
        if type(reduced) is not tuple:
            _refuse("a %s that cannot be pickled" % type(found).__name__)
        return reduced

    def _named(self, found: Any, path: str) -> "_Reduced | None":
        told = getattr(found, "__module__", None)
        for module in (told, _type_module.__get__(type(found)), "numpy"):
            if type(module) is str and module != "__main__" and module in _modules:
                named = _at(module, path, found, self._namespace)
                if named is not None:
                    return named
        return None

    def _of_library(self, function: Any) -> bool:
        if type(function) is _Function:
            module = function.__globals__.get("__name__")
            return type(module) is str and self.installed(module)
        if type(function) is types.WrapperDescriptorType or isinstance(function, (classmethod, staticmethod)):
            return not isinstance(function, (classmethod, staticmethod)) or self._of_library(function.__func__)
        module = _type_module.__get__(type(function))
        return type(module) is str and self.installed(module)

    # -- what is the notebook's ----------------------------------------------------------------------------

    def _look_into(self, kind: Any, mro: "tuple[Any, ...]") -> "Callable[[Any], _Reduced]":
        """Return what takes apart the instances of a class of the notebook or the project."""
        name = _type_name.__get__(kind)
        base = next(each for each in mro if not each.__flags__ & _HEAP_TYPE)
        for each in mro:
            if each.__flags__ & _HEAP_TYPE:
                variables = _type_vars.__get__(each)
                module = _type_module.__get__(each)
                ours = type(module) is not str or not self.installed(module)
                for hook in _DEFAULT_HOOKS:
                    if hook in variables and not self._of_library(variables[hook]):
                        return _refusal("an instance of %s, which says itself how it is pickled" % name)
                if "__del__" in variables:
                    return _refusal("an instance of %s, which acts when it is deleted" % name)
                if not ours and ("__reduce__" in variables or "__reduce_ex__" in variables):
                    return _refusal("an instance of %s, whose base class says how it is pickled" % name)
                if not _plain(each):
                    return _refusal("an instance of %s, which holds more than Python can see" % name)
        if _registered(kind) is not None:
            return _refusal("an instance of %s, which the notebook says how to pickle" % name)
        if issubclass(base, BaseException):
            if base.__basicsize__ != BaseException.__basicsize__:
                return _refusal("an instance of %s, a kind of %s" % (name, base.__name__))
        elif base is not object and base not in NATURAL:
            return _refusal("an instance of %s, a kind of %s" % (name, base.__name__))
        slots = [
            (position, key, value)
            for position, each in enumerate(mro)
            if each.__flags__ & _HEAP_TYPE
            for key, value in _type_vars.__get__(each).items()
            if type(value) is types.MemberDescriptorType and value.__objclass__ is each
        ]
        variables_of = rebuild.dict_of(mro)
        if variables_of is not None and type(variables_of) is not types.GetSetDescriptorType:
            return _refusal("an instance of %s, whose __dict__ is its own" % name)
        if base is object and not slots and variables_of is not None:
            made = (kind, object, ())
            return lambda found: (
                *(rebuild.instance, made, (variables_of.__get__(found),), None, None),
                rebuild.set_variables,
            )
        return lambda found: _instance(found, kind, base, slots, variables_of)

    def _function(self, found: Any) -> _Reduced:
        name = self._cuts.get(identity(found))
        if name is not None:
            return rebuild.cut, (name,)
        if found.__globals__ is not self._namespace and _importable(found, self._namespace) is not None:
            return NotImplemented
        variables = found.__globals__
        if variables is self._namespace:
            home: Any = _LIVE
        else:
            module = variables.get("__name__")
            if type(module) is not str or module not in _modules or not _is_module(_modules[module]):
                raise Refused("a function made by exec() in a namespace of its own")
            if rebuild.module_vars(_modules[module]) is not variables:
                raise Refused("a function made by exec() in a namespace of its own")
            home = _Home(module)
        plain = [(key, getattr(found, key)) for key in ("__name__", "__qualname__", "__module__", "__doc__")]
        plain += [("__defaults__", found.__defaults__), ("__kwdefaults__", found.__kwdefaults__)]
        if found.__annotations__:
            plain.append(("__annotations__", found.__annotations__))
        if getattr(found, "__type_params__", ()):
            plain.append(("__type_params__", found.__type_params__))
        state = (tuple(plain), found.__dict__ or None)
        arguments = (found.__code__, home, found.__closure__)
        return rebuild.function, arguments, state, None, None, rebuild.set_function

    def _built_in(self, found: Any) -> _Reduced:
        owner = found.__self__
        if owner is None or _is_module(owner):
            named = _importable(found, self._namespace)
            if named is None and owner is not None:
                named = _at(rebuild.module_vars(owner).get("__name__"), found.__name__, found, self._namespace)
            return named or _refuse("a built-in function that cannot be imported by its name")
        return rebuild.built_in_method, (owner, found.__name__)

    # -- classes -------------------------------------------------------------------------------------------

    def _class(self, found: Any) -> _Reduced:
        if any(found is kind for kind in _SINGLE):
            return NotImplemented
        name = self._cuts.get(identity(found))
        if name is not None:
            return rebuild.cut, (name,)
        module, path = _type_module.__get__(found), _type_qualname.__get__(found)
        if _at(module, path, found, self._namespace) is not None:
            return NotImplemented
        if identity(found) in _TYPES_OF_TYPES:
            return rebuild.attribute, ("types", _TYPES_OF_TYPES[identity(found)])
        if not found.__flags__ & _HEAP_TYPE or (type(module) is str and self.installed(module)):
            raise Refused("the class %s, which cannot be imported by its name" % found.__name__)
        return self._own_class(found, type(found))

    def _own_class(self, found: Any, meta: Any) -> _Reduced:
        import abc

        variables, bases = _type_vars.__get__(found), _type_bases.__get__(found)
        for base in _type_mro.__get__(found)[1:]:
            hook = _type_vars.__get__(base).get("__init_subclass__")
            if isinstance(hook, classmethod) and not self._of_library(hook):
                raise Refused("the class %s, whose base class runs code for it" % found.__name__)
        if bases == (tuple,) and "_fields" in variables and self._is_named_tuple(variables):
            return self._named_tuple_class(found, variables)
        if issubclass(meta, enum.EnumMeta):
            if meta is not enum.EnumMeta:
                raise Refused("the enumeration %s, whose metaclass is special" % found.__name__)
            return self._enumeration(found, variables, bases)
        if meta is abc.ABCMeta:
            if not hasattr(abc, "_get_dump") or abc._get_dump(found)[0]:
                raise Refused("the abstract class %s, at which classes are registered" % found.__name__)
        elif meta is not type:
            raise Refused("the class %s, whose metaclass is %s" % (found.__name__, meta.__name__))
        real = {"__qualname__": _type_qualname.__get__(found)}
        order, later = ["__qualname__"], []
        for key, value in variables.items():
            if type(key) is not str or key in ("__dict__", "__weakref__", "__slotnames__", "_abc_impl"):
                continue
            if type(value) is types.MemberDescriptorType and value.__objclass__ is found:
                continue
            if type(value) is types.GetSetDescriptorType and value.__objclass__ is found:
                continue
            if key in _FROM_THE_START:
                real[key] = value
            else:
                later.append((key, value))
            if key != "__abstractmethods__":
                order.append(key)
        arguments = (meta, found.__name__, bases, real, tuple(order))
        return rebuild.skeleton, arguments, tuple(later), None, None, rebuild.set_class

    def _is_named_tuple(self, variables: Any) -> bool:
        new = variables.get("__new__")
        inner = new.__func__ if isinstance(new, staticmethod) else new
        name = inner.__globals__.get("__name__") if type(inner) is _Function else None
        return type(name) is str and name.startswith("namedtuple_")

    def _named_tuple_class(self, found: Any, variables: Any) -> _Reduced:
        items = []
        for key, value in variables.items():
            inner = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
            generated = type(inner) is _Function and inner.__globals__ is not self._namespace
            if key in _NAMED_TUPLE_OWN or generated or type(value).__name__ == "_tuplegetter":
                continue
            items.append((key, value))
        items.append(("__qualname__", _type_qualname.__get__(found)))
        fields, defaults = variables["_fields"], variables.get("_field_defaults") or {}
        arguments = (found.__name__, fields, tuple(defaults.values()), variables["__module__"])
        annotations = getattr(found.__new__, "__annotations__", None) or None
        return rebuild.named_tuple, arguments, (tuple(items), annotations), None, None, rebuild.set_named_tuple

    def _enumeration(self, found: Any, variables: Any, bases: "tuple[Any, ...]") -> _Reduced:
        items: list[tuple[str, Any]] = [("__qualname__", _type_qualname.__get__(found))]
        items += [(key, variables[key]) for key in ("__module__", "__doc__") if key in variables]
        members = variables["_member_map_"]
        for key, member in members.items():
            if type(member) is not found:
                raise Refused("the enumeration %s, whose members are special" % found.__name__)
            items.append((key, member._value_))
        for key, value in variables.items():
            inner = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
            inner = inner.fget if isinstance(inner, property) else inner
            if type(inner) is _Function and inner.__globals__ is self._namespace:
                if key in ("__new__", "__init__", "_missing_", "_generate_next_value_", "__new_member__"):
                    raise Refused("the enumeration %s, which makes its members itself" % found.__name__)
                items.append((key, value))
        return rebuild.enumeration, (enum.EnumMeta, found.__name__, bases, tuple(items))


class _Live:
    """Stands for the globals of the notebook's functions."""


class _Home:
    """Stands for the globals of a module's functions."""

    def __init__(self, module: str) -> None:
        self.module = module


_LIVE = _Live()


# -- kinds of values ---------------------------------------------------------------------------------------


def _refuse(reason: str) -> Any:
    raise Refused(reason)


def _refusal(reason: str) -> "Callable[[Any], _Reduced]":
    return lambda found: _refuse(reason)


def _at(module: Any, path: Any, found: Any, namespace: "dict[str, Any]") -> "_Reduced | None":
    """Return the reference to what a module has under a path, if it is this very object."""
    if type(module) is not str or type(path) is not str or module == "__main__":
        return None
    holder = _modules.get(module)
    if not _is_module(holder) or rebuild.module_vars(holder) is namespace:
        return None
    try:
        same = rebuild.look_up(holder, path) is found
    except KeyError:
        return None
    return (rebuild.attribute, (module, path)) if same else None


def _importable(found: Any, namespace: "dict[str, Any]") -> "_Reduced | None":
    return _at(getattr(found, "__module__", None), getattr(found, "__qualname__", None), found, namespace)


def _source(found: types.CodeType) -> "tuple[str, ...] | None":
    """Return the lines of a cell that is no file: tracebacks and `inspect.getsource` look for them."""
    entry = getattr(_modules.get("linecache"), "cache", {}).get(found.co_filename)
    if found.co_filename.endswith(".py") and os.path.exists(found.co_filename):
        return None
    return tuple(entry[2]) if type(entry) is tuple and len(entry) == 4 else None


def _cell(found: Any) -> _Reduced:
    try:
        return rebuild.cell, (), (found.cell_contents,), None, None, rebuild.set_cell
    except ValueError:
        return rebuild.cell, ()


def _mapping_proxy(found: Any) -> _Reduced:
    (inner,) = collector.get_referents(found)
    return rebuild.proxy, (inner,)


def _cached_property(found: Any) -> _Reduced:
    return rebuild.cached_property, (found.func, found.attrname, found.__doc__)


def _module(found: Any) -> _Reduced:
    name = rebuild.module_vars(found).get("__name__")
    if type(name) is not str or _modules.get(name) is not found:
        name = next((key for key, value in list(_modules.items()) if value is found), None)
    if type(name) is not str:
        raise Refused("a module that cannot be imported by its name")
    start = name + "."
    inner = [key for key in list(_modules) if type(key) is str and key.startswith(start) and _is_attribute(key)]
    return rebuild.module, (name, tuple(inner))


def _is_attribute(name: str) -> bool:
    """Tell whether a submodule can be imported and is what its package has under its name."""
    package, _, last = name.rpartition(".")
    holder, found = _modules.get(package), _modules.get(name)
    if not _is_module(holder) or not _is_module(found):
        return False
    spec = rebuild.module_vars(found).get("__spec__")
    return rebuild.module_vars(holder).get(last) is found and getattr(spec, "name", None) == name


def _member(found: Any) -> _Reduced:
    kind = type(found)
    members = type.__getattribute__(kind, "_member_map_")
    name = _get_from_object(found, "__dict__").get("_name_")
    if type(name) is str and members.get(name) is found:
        return rebuild.member, (kind, name)
    return kind, (_get_from_object(found, "__dict__")["_value_"],)


def _exception(found: Any) -> bool:
    for key in ("__traceback__", "__cause__", "__context__"):
        if BaseException.__dict__[key].__get__(found) is not None:
            raise Refused(
                "an exception with its traceback" if key == "__traceback__" else "an exception with its cause"
            )
    return True


def _instance(found: Any, kind: Any, base: Any, slots: "list[tuple[int, str, Any]]", variables_of: Any) -> _Reduced:
    arguments: tuple[Any, ...] = ()
    items: Any = None
    if base in _EXACT:
        arguments = (_EXACT[base](found),)
    elif base in (list, set, bytearray):
        items = base(base.__iter__(found))
    elif base is dict:
        items = list(dict.items(found))
    elif base is not object:
        _exception(found)
        arguments = BaseException.__dict__["args"].__get__(found)
    held = []
    for position, key, slot in slots:
        try:
            held.append((position, key, slot.__get__(found)))
        except AttributeError:
            continue
    variables = variables_of.__get__(found) if variables_of is not None else None
    state = (base, items, tuple(held), variables)
    return rebuild.instance, (kind, base, arguments), state, None, None, rebuild.set_instance


def _plain(kind: Any) -> bool:
    """Tell whether a class is written in Python: nothing of its instances is hidden in C."""
    if not kind.__flags__ & _HEAP_TYPE:
        return False
    variables = _type_vars.__get__(kind)
    members = sum(type(value) is types.MemberDescriptorType for value in variables.values())
    base = kind.__base__
    room = base.__basicsize__ + _WORD * (members + ("__dict__" in variables) + ("__weakref__" in variables))
    return bool(kind.__basicsize__ <= room) and "__module__" in variables


def _standard(top: str) -> bool:
    names = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return top in names
    path = getattr(_modules.get(top), "__file__", None)
    return path is None or (os.path.dirname(os.__file__) in path and "-packages" not in path)


_folders: "list[tuple[str, ...]]" = []


def _installation() -> "tuple[str, ...]":
    """Return the folders of the standard library and of installed packages, found once."""
    if not _folders:
        import site
        import sysconfig

        paths = sysconfig.get_paths()
        found = [paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
        found += site.getsitepackages() if hasattr(site, "getsitepackages") else []
        if getattr(site, "ENABLE_USER_SITE", None):
            found.append(site.getusersitepackages())
        _folders.append(tuple(os.path.realpath(folder) + os.sep for folder in found))
    return _folders[0]
