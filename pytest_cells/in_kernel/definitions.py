"""How code, functions and classes are written: runs inside the kernel.

What a library holds under its name is written as that name, what the notebook has under its own name is cut there.
"""

import sys
import types
from marshal import dumps as _dumps
from typing import Any

from .arrays import within
from .classes import (
    IMMUTABLE_TYPE,
    MADE_AT_RUN_TIME,
    NOT_IN_CLASSES,
    PLAINLY_COMPILED,
    bases_of,
    flags_of,
    identity,
    members_of,
    module_dict_of,
    module_of,
    mro_of,
    name_of,
    qualname_of,
)
from .own_code import Cached, OwnCode, inside, is_class, is_used
from .tokens import (
    BUILTIN,
    BY_NAME,
    CELL,
    CLASS,
    CODE,
    CUT,
    EMPTY_CELL,
    FUNCTION,
    MEMBER,
    METHOD,
    Items,
    Opaque,
)
from .unsteady import is_unsteady, text_of
from .versions import HISTORY_NAME, PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS


_INSIDE_FUNCTION = "<locals>"
"""Stands in the path of what a function defines: no module or class has it there. A figure holds 600 such functions."""


def by_name(walk: Any, item: Any, module: Any, path: Any) -> "bytes | None":
    """Return the token of what an installed or project module holds under its name; None where it does not."""
    if type(module) is not str or type(path) is not str or module == walk.main or module not in sys.modules:
        return None
    if _INSIDE_FUNCTION in path:
        return None
    home = sys.modules[module]
    if not within(types.ModuleType, mro_of(type(home))):
        return None
    members: Any = module_dict_of(home)
    found: Any = None
    for step in path.split("."):
        if members is None or step not in members:
            return None
        found = members[step]
        members = members_of(found) if is_class(found) else None
    if found is not item or (type(item) is types.FunctionType and item.__globals__ is walk.namespace):
        return None  # also for a function of the notebook that `functools.wraps` has given the module's name
    _refer(walk, module, path)
    return BY_NAME + _dumps((module, path), 2)


def _refer(walk: Any, module: str, path: str) -> None:
    """Note that the name refers to what a module holds."""
    walk.part.packages.add(module.partition(".")[0])
    if not walk.is_library(module):
        walk.part.says.update(path.split("."))


def is_bound(walk: Any, item: Any, name: Any) -> bool:
    """Tell whether a function or class is what the notebook has under a name of a variable."""
    return type(name) is str and walk.namespace.get(name) is item and not HISTORY_NAME.match(name)


def _cut(walk: Any, item: Any, name: Any) -> bool:
    """Write a notebook function or class as its name, if it is bound under that and this is not its own walk."""
    if not is_bound(walk, item, name):
        return False
    if name == walk.names[walk.number] and identity(item) not in walk.owners and not walk.depth:
        return False
    walk.part.cuts.add(name)
    walk.out.append(CUT + _dumps(name, 2))
    return True


def cut_inside(walk: Any, item: Any, path: Any) -> "str | None":
    """Return the name of the notebook class that has a function or class at its path; None in its own walk."""
    if type(path) is not str or "." not in path or _INSIDE_FUNCTION in path:
        return None
    steps = path.split(".")
    if HISTORY_NAME.match(steps[0]):
        return None
    found = walk.namespace.get(steps[0])
    if not is_class(found) or name_of(found) != steps[0]:
        return None
    if steps[0] == walk.names[walk.number] and not walk.depth:
        return None
    for step in steps[1:]:
        if not is_class(found):
            return None
        found = members_of(found).get(step)
        if type(found) is staticmethod or type(found) is classmethod:
            found = found.__func__
    return steps[0] if found is item and class_token(walk, walk.namespace[steps[0]]) is None else None


def _cut_by_path(walk: Any, item: Any, path: Any) -> bool:
    name = cut_inside(walk, item, path)
    if name is None:
        return False
    walk.part.cuts.add(name)
    walk.out.append(CUT + _dumps(path, 2))
    return True


def write_code(walk: Any, code: Any) -> None:
    """Write a code object as its digest."""
    walk.out.append(CODE + note_code(walk, code))


def note_code(walk: Any, code: Any) -> bytes:
    """Note the names that notebook code may touch, and return its digest. Raises UnknownConstant."""
    facts = walk.walker.codes.facts(code)
    part = walk.part
    part.codes |= facts.names
    part.reads |= facts.reads
    part.stores |= facts.stores
    part.packages |= facts.imports
    part.dynamic = part.dynamic or facts.dynamic
    digest: bytes = facts.digest
    return digest


def write_function(walk: Any, item: Any) -> None:
    """Write a function: its code, and what it holds."""
    token = by_name(walk, item, item.__module__, item.__qualname__)
    if token is not None:
        walk.out.append(token)
        return
    path = item.__qualname__
    if _cut(walk, item, item.__name__) or _cut_by_path(walk, item, path) or not walk.first(item):
        return
    code, scope = item.__code__, item.__globals__
    walk.part.size += 200
    if scope is walk.namespace:
        digest = note_code(walk, code)
        walk.functions[identity(code)] = walk.functions.get(identity(code), 0) + 1
    else:
        facts = walk.walker.codes.facts(code)
        digest = facts.digest
        if item.__module__ == walk.main:  # as of `%run`, which gives its variables to the notebook
            walk.part.codes |= facts.names
    module = item.__module__
    if type(module) is str and module != walk.main:
        walk.part.packages.add(module.partition(".")[0])
    told = (item.__name__, item.__qualname__, module if type(module) is str else None)
    walk.out.append(FUNCTION + digest + _dumps(told, 2))
    rest = [item.__defaults__, item.__kwdefaults__, item.__closure__, item.__dict__, item.__doc__]
    rest.append(item.__annotate__ if sys.version_info >= (3, 14) else item.__annotations__)
    rest.append(None if scope is walk.namespace else scope)
    parameters = getattr(item, "__type_params__", ())
    rest.append(parameters or None)
    walk.few(list(map(walk.filled, rest)))


def write_own_code(walk: Any, code: OwnCode) -> None:
    """Write what a function or class of a project's module holds; its text is in a file."""
    item = code.content
    if not walk.first(item):
        return
    if type(item) is Cached and is_used(item):
        raise Opaque("lru_cache wrapper")
    walk.part.size += 200
    parts = inside(item)
    walk.keep.append(parts)
    walk.out.append(FUNCTION + b"\1" + _dumps(len(parts), 2))
    walk.push(parts)


def write_cell(walk: Any, item: Any) -> None:
    """Write a cell of a closure."""
    if walk.first(item):
        try:
            content = item.cell_contents
        except ValueError:
            walk.out.append(EMPTY_CELL)
        else:
            walk.out.append(CELL)
            walk.stack.append(content)


def write_method(walk: Any, item: Any) -> None:
    """Write a bound method."""
    function = item.__func__
    if type(function) is types.FunctionType or name_of(type(function)) == PLAINLY_COMPILED:
        token = by_name(walk, item, function.__module__, function.__name__)
        if token is not None and walk.is_library(function.__module__):  # as random.randint is
            walk.out.append(token)
            return
    walk.out.append(METHOD)
    walk.push([item.__self__, function])


def write_builtin(walk: Any, item: Any) -> None:
    """Write a function in C."""
    owner, name = item.__self__, item.__name__
    walk.part.unsteady = walk.part.unsteady or is_unsteady(item)
    if owner is None or within(types.ModuleType, mro_of(type(owner))):
        home = item.__module__ if owner is None else module_dict_of(owner).get("__name__")
        token = by_name(walk, item, item.__module__, name) or by_name(walk, item, home, name)
        if token is None and owner is None:
            raise Opaque("builtin function that no module holds")
        walk.out.append(token or BUILTIN + _dumps((str(home), name), 2))
        return
    token = by_name(walk, item, module_of(type(owner)), name)
    if token is None:
        token = BUILTIN + _dumps(name, 2)
        walk.stack.append(owner)
    walk.out.append(token)


def write_compiled_function(walk: Any, item: Any) -> None:
    """Write a function that Cython made: compiled, so that its name tells all.

    Those for several types do not tell for which of them one is, unless it is the one for all that has the name.
    """
    module, path = item.__module__, item.__qualname__
    token = by_name(walk, item, module, path) or by_name(walk, item, module, item.__name__)
    if token is None and name_of(type(item)) != PLAINLY_COMPILED:
        raise Opaque("a function of Cython for one of several types")
    walk.out.append(token or BUILTIN + _dumps((text_of(module), text_of(path)), 2))


def write_method_wrapper(walk: Any, item: Any) -> None:
    """Write a method of Python's own that is bound."""
    walk.out.append(BUILTIN + _dumps(item.__name__, 2))
    walk.stack.append(item.__self__)


def write_descriptor(walk: Any, item: Any) -> None:
    """Write what a class in C has in its dictionary."""
    walk.out.append(MEMBER + _dumps(item.__name__, 2))
    walk.stack.append(item.__objclass__)


def write_property(walk: Any, item: Any) -> None:
    """Write a property."""
    walk.out.append(METHOD + b"\1")
    walk.push([item.fget, item.fset, item.fdel, item.__doc__])


def write_wrapping_method(walk: Any, item: Any) -> None:
    """Write a static or class method."""
    walk.out.append(METHOD + (b"\2" if type(item) is staticmethod else b"\3"))
    walk.push([item.__func__, getattr(item, "__dict__", None)])


def class_token(walk: Any, kind: Any) -> "bytes | None":
    """Return the token of a class that a module holds; None for others."""
    known: bytes | None = walk.class_tokens.get(identity(kind))
    if known is None and identity(kind) not in walk.class_tokens:
        known = by_name(walk, kind, text_of(module_of(kind)), qualname_of(kind))
        flags = flags_of(kind)
        if known is None and (flags & IMMUTABLE_TYPE or not flags & MADE_AT_RUN_TIME):  # NoneType and that of locks
            known = BY_NAME + _dumps((text_of(module_of(kind)), qualname_of(kind)), 2)
        walk.keep.append(kind)
        walk.class_tokens[identity(kind)] = known
    if known is not None:
        _refer(walk, text_of(module_of(kind)), qualname_of(kind))
    return known


def write_class(walk: Any, kind: Any) -> None:
    """Write a class: its bases and its members."""
    token = class_token(walk, kind)
    if token is not None:
        walk.out.append(token)
        return
    if _cut(walk, kind, name_of(kind)) or _cut_by_path(walk, kind, qualname_of(kind)) or not walk.first(kind):
        return
    walk.part.size += 1000
    told = (name_of(kind), qualname_of(kind), text_of(module_of(kind)))
    walk.out.append(CLASS + _dumps(told, 2))
    members = members_of(kind)
    keys = [key for key in members if type(key) is str and key not in NOT_IN_CLASSES]
    special = [key for key in keys if key.startswith("__") and key.endswith("__")]
    ordered = sorted(special) + [key for key in keys if not (key.startswith("__") and key.endswith("__"))]
    values = [members[key] for key in ordered]
    walk.push(
        [type(kind), Items(list(bases_of(kind))), Items(ordered), Items(values), Items(_registered(kind, members))]
    )


def _registered(kind: Any, members: Any) -> "list[Any]":
    """Return the classes that were registered with an abstract class, in an order that is the same everywhere."""
    abc: Any = sys.modules.get("_abc")
    if abc is None or "_abc_impl" not in members:
        return []
    found = [reference() for reference in abc._get_dump(kind)[0]]
    kept = [other for other in found if other is not None]
    return sorted(kept, key=lambda other: (text_of(module_of(other)), qualname_of(other)))
