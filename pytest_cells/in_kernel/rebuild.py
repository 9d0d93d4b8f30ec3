"""What a snapshot is put together with: runs inside the kernel, the standard library alone.

A snapshot names these functions; nothing else of ours is in it. They run no code of the notebook, but for the
hash and equality of objects that are keys or members of a set.
"""

import importlib
import os
import re
import sys
import types
from typing import Any

_new_type, _set_on_type, _get_from_type = types.new_class, type.__setattr__, type.__getattribute__
_get_from_object, _set_on_object = object.__getattribute__, object.__setattr__
_import, _modules, _intern = importlib.import_module, sys.modules, sys.intern
_KERNEL_FILE = re.compile(r"(.*[/\\]ipykernel_)\d+([/\\]\d+\.py)\Z", re.DOTALL)
_type_vars: Any = type.__dict__["__dict__"]
_type_mro: Any = type.__dict__["__mro__"]
_function, _method, _module = types.FunctionType, types.MethodType, types.ModuleType


def cut(name: str) -> Any:
    """Return a function or class that the namespace must already hold. The loader puts its own in place."""
    raise NotImplementedError(name)


def live() -> "dict[str, Any]":
    """Return the globals of the notebook's functions. The loader puts its own in place."""
    raise NotImplementedError


# -- by reference ------------------------------------------------------------------------------------------


def module(name: str, submodules: "tuple[str, ...]" = ()) -> Any:
    """Import a module, and those of its submodules that were loaded. Raises ImportError."""
    _import(name)
    for inner in submodules:
        if inner not in _modules:
            _import(inner)
    return _modules[name]


def module_globals(name: str) -> "dict[str, Any]":
    """Return the globals of a module's functions. Raises ImportError."""
    return module_vars(module(name))


def module_vars(found: Any) -> "dict[str, Any]":
    """Return a module's dict, without running a lazy module's code."""
    variables: dict[str, Any] = _get_from_object(found, "__dict__")
    return variables


def look_up(found: Any, path: str) -> Any:
    """Return what a dotted path leads to from a module, through dicts alone. Raises KeyError."""
    value = found
    for part in path.split("."):
        if isinstance(value, _module):
            value = module_vars(value)[part]
        elif isinstance(value, type):
            value = _type_vars.__get__(value)[part]
        else:
            raise KeyError(part)
    return value


def attribute(name: str, path: str) -> Any:
    """Return what a module has under a name. Raises ImportError, KeyError."""
    return look_up(module(name), path)


# -- functions ---------------------------------------------------------------------------------------------


def code(data: bytes, path: str, source: "tuple[str, ...] | None") -> types.CodeType:
    """Return a code object, whose file is named and known as if this very process had run the cell."""
    import linecache
    import marshal

    found: types.CodeType = marshal.loads(data)
    here = _KERNEL_FILE.sub(r"\g<1>%d\g<2>" % os.getpid(), path)
    if source is not None and here not in linecache.cache:
        linecache.cache[here] = (sum(map(len, source)), None, list(source), here)
    return _renamed(found, path, here) if here != path else found


def _renamed(found: types.CodeType, path: str, here: str) -> types.CodeType:
    constants = tuple(_renamed(each, path, here) if type(each) is types.CodeType else each for each in found.co_consts)
    name = here if found.co_filename == path else found.co_filename
    return found.replace(co_filename=name, co_consts=constants)


def function(body: types.CodeType, variables: "dict[str, Any]", closure: "tuple[Any, ...] | None") -> Any:
    """Return a function on the given globals, without what `set_function` adds."""
    return _function(body, variables, body.co_name, None, closure)


def set_function(found: Any, state: "tuple[Any, ...]") -> None:
    """Complete a function."""
    plain, variables = state
    for name, value in plain:
        _set_on_object(found, name, value)
    if variables:
        found.__dict__ = variables


def cell() -> Any:
    """Return an empty cell of a closure."""
    return types.CellType()


def set_cell(found: Any, state: "tuple[Any]") -> None:
    """Fill a cell."""
    (found.cell_contents,) = state


def method(inner: Any, owner: Any) -> Any:
    """Return a bound method."""
    return _method(inner, owner)


def built_in_method(owner: Any, name: str) -> Any:
    """Return a bound method of a built-in type, whatever a subclass says attributes are."""
    return (_get_from_type if isinstance(owner, type) else _get_from_object)(owner, name)


def cached_property(inner: Any, name: "str | None", doc: Any) -> Any:
    """Return a functools.cached_property that is told its name."""
    import functools

    found: Any = functools.cached_property(inner)
    found.attrname, found.__doc__ = name, doc
    return found


# -- instances and classes ---------------------------------------------------------------------------------


def instance(kind: Any, base: Any, arguments: "tuple[Any, ...]") -> Any:
    """Return an instance as its built-in base makes it: the class's own __new__ and __init__ do not run."""
    return base.__new__(kind, *arguments)


def set_instance(found: Any, state: "tuple[Any, ...]") -> None:
    """Give an instance its items, slots and attributes; its own __setattr__ and the like do not run."""
    base, items, slots, variables = state
    mro = _type_mro.__get__(type(found))
    for position, name, value in slots:
        _type_vars.__get__(mro[position])[name].__set__(found, value)
    if variables is not None:
        set_variables(found, (variables,))
    if items is not None:
        if base is list:
            list.extend(found, items)
        elif base is set:
            set.update(found, items)
        elif base is bytearray:
            bytearray.extend(found, items)
        else:
            for key, value in items:
                base.__setitem__(found, key, value)


def set_variables(found: Any, state: "tuple[Any]") -> None:
    """Give an instance this very dict as its __dict__, for somebody else may have it too (`v = vars(x)`)."""
    (variables,) = state
    if type(variables) is dict:
        kept = [(_intern(key) if type(key) is str else key, value) for key, value in variables.items()]
        variables.clear()
        for key, value in kept:
            variables[key] = value
    dict_of(_type_mro.__get__(type(found))).__set__(found, variables)


def dict_of(mro: "tuple[type, ...]") -> Any:
    """Return the descriptor of instances' __dict__, or None."""
    for kind in mro:
        found = _type_vars.__get__(kind).get("__dict__")
        if found is not None:
            return found
    return None


def skeleton(meta: Any, name: str, bases: "tuple[type, ...]", real: "dict[str, Any]", names: "tuple[str, ...]") -> Any:
    """Return a class with its attributes in their order, most of them None until `set_class`."""

    def fill(variables: "dict[str, Any]") -> None:
        for key in names:
            variables[key] = real.get(key)

    return _new_type(name, bases, {"metaclass": meta}, fill)


def set_class(found: Any, items: "tuple[tuple[str, Any], ...]") -> None:
    """Give a class its attributes."""
    for name, value in items:
        _set_on_type(found, name, value)


def named_tuple(name: str, fields: "tuple[str, ...]", defaults: "tuple[Any, ...]", where: str) -> Any:
    """Return a named tuple's class."""
    import collections

    return collections.namedtuple(name, fields, defaults=defaults, module=where)


def set_named_tuple(found: Any, state: "tuple[Any, ...]") -> None:
    """Give a named tuple's class what it has beside its fields."""
    items, annotations = state
    set_class(found, items)
    if annotations:
        found.__new__.__annotations__ = annotations


def enumeration(meta: Any, name: str, bases: "tuple[type, ...]", items: "tuple[tuple[str, Any], ...]") -> Any:
    """Return an enumeration made anew from its members and methods."""

    def fill(variables: "dict[str, Any]") -> None:
        for key, value in items:
            variables[key] = value

    return _new_type(name, bases, {"metaclass": meta}, fill)


def member(kind: Any, name: str) -> Any:
    """Return the member of an enumeration. Raises KeyError."""
    return _get_from_type(kind, "_member_map_")[name]


def proxy(inner: Any) -> Any:
    """Return a read-only view of a dict."""
    return types.MappingProxyType(inner)


# -- numpy -------------------------------------------------------------------------------------------------


def array(kind: Any, shape: "tuple[int, ...]", axes: "tuple[int, ...] | None", data: Any) -> Any:
    """Return an array that owns its memory, with its axes in memory in the given order (None: as in C)."""
    numpy: Any = _import("numpy")
    if axes is None:
        found = numpy.empty(shape, kind)
    else:
        back = sorted(range(len(axes)), key=axes.__getitem__)
        found = numpy.empty_like(numpy.empty([shape[axis] for axis in axes], kind).transpose(back), order="K")
    octets(found)[:] = numpy.frombuffer(data, "u1")
    return found


def freeze(found: Any, _: Any) -> None:
    """Make an array read-only."""
    found.flags.writeable = False


def octets(found: Any) -> Any:
    """Return the memory of an array without gaps, as an array of bytes that shares it."""
    axes = sorted(range(found.ndim), key=lambda axis: -found.strides[axis])
    return found.transpose(axes).reshape(-1).view("u1")


def view(owner: Any, kind: Any, shape: "tuple[int, ...]", strides: "tuple[int, ...]", offset: int) -> Any:
    """Return an array on another's memory."""
    numpy: Any = _import("numpy")
    writeable = owner.flags.writeable
    try:
        owner.flags.writeable = True
        return numpy.ndarray(shape, kind, octets(owner), offset, strides)
    finally:
        owner.flags.writeable = writeable
