"""Code of the notebook that a library holds: runs inside the kernel.

A library that was given a function or class calls it when some later cell asks the library for something, and nothing
in that cell says so. From Python 3.12 on it is seen which code of the notebook runs; before that, what was handed over
counts as used by every cell below.
"""

import ast
import re
import types
from collections.abc import Iterator
from typing import Any

from . import names as reading
from .classes import module_of
from .own_code import is_code
from .trees import parse, walk
from .unsteady import dotted, text_of

_DATABASE = frozenset({"create_function", "create_aggregate", "create_collation", "create_window_function"})
_SHELL = "IPython"
_ROOT = "get_ipython"
_ATTRIBUTE = frozenset({"setattr", "__setattr__"})
_MAY_HAND_OVER = re.compile(r"[(\[.@]")
"""Stands in every source that calls something, stores into something, or decorates."""


class Handing:
    """A place of a source where something is handed over, or stored into something."""

    __slots__ = ("inner", "names", "path")

    def __init__(self, path: "tuple[str, ...]", names: "frozenset[str]", inner: "frozenset[str]") -> None:
        self.path, self.names, self.inner = path, names, inner
        """To what; the names that are handed over; the names in functions that have none of their own."""


def handings(source: str) -> "list[Handing]":
    """Return where, in a source that is Python, code may be handed over."""
    found: list[Handing] = []
    if _MAY_HAND_OVER.search(source) is None:
        return found
    for path, parts, defined in _places(parse(source)):
        names, inner = defined | _named(parts), _in_lambdas(parts)
        if path and (names or inner):
            found.append(Handing(path, names, inner))
    return found


def _places(tree: ast.AST) -> "Iterator[tuple[tuple[str, ...], list[ast.AST], frozenset[str]]]":
    """Yield to what something is handed, the expressions of that, and the names that are defined in doing so."""
    nothing: frozenset[str] = frozenset()
    for node in walk(tree):
        if isinstance(node, ast.Call):
            given: list[ast.AST] = [*node.args, *(keyword.value for keyword in node.keywords)]
            path = dotted(node.func)
            if path and path[-1] in _ATTRIBUTE and node.args:
                yield (reading.STORE, *dotted(node.args[0]), "?"), given[1:], nothing
            else:
                yield path, given, nothing
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                yield dotted(decorator), [], frozenset({node.name})
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, (ast.Attribute, ast.Subscript)):
                    yield (reading.STORE, *dotted(target)), [node.value], nothing


def _named(parts: "list[ast.AST]") -> "frozenset[str]":
    return frozenset(node.id for part in parts for node in walk(part) if isinstance(node, ast.Name))


def _in_lambdas(parts: "list[ast.AST]") -> "frozenset[str]":
    return _named([node for part in parts for node in walk(part) if isinstance(node, ast.Lambda)])


class Handed:
    """The names that code may touch which libraries hold."""

    def __init__(self, namespace: "dict[str, Any]", calls: Any, own: "dict[str, Any]") -> None:
        self._namespace, self._calls, self._own = namespace, calls, own
        self.names: set[str] = set()
        self.of_modules = False
        """Whether libraries hold code of the project's modules too, which may touch all their variables."""

    def note(self, found: "list[Handing]", components: "dict[str, Any]") -> None:
        """Note what a cell that has just run may have handed over to a library."""
        for handing in found:
            fresh = handing.names - self.names
            code = {name for name in fresh if name in components and components[name].codes}
            of_modules = any(self._is_of_modules(components.get(name)) for name in handing.names)
            if (code or of_modules or handing.inner - self.names) and self._keeps(handing.path):
                self.of_modules = self.of_modules or of_modules
                self.names |= handing.inner
                for name in code:
                    self.names |= {name} | components[name].reads | components[name].cuts

    def _is_of_modules(self, component: Any) -> bool:
        """Tell whether there may be code of the project's modules in a value."""
        return component is not None and bool(component.says or not component.modules.isdisjoint(self._own))

    def _keeps(self, path: "tuple[str, ...]") -> bool:
        """Tell whether what a path stands for may keep code of the notebook's for later."""
        stored = path[0] == reading.STORE
        root = path[1] if stored and len(path) > 1 else path[0]
        value = self._namespace.get(root)
        if root == _ROOT or text_of(module_of(type(value))).partition(".")[0] == _SHELL:
            return True
        if path[-1] in _DATABASE or self._calls.effect_of(path) is not None:
            return True
        if is_code(value) or type(value) is types.BuiltinFunctionType:
            home = text_of(getattr(value, "__module__", None))
            if home == "__main__" or home in self._own:
                return False
        elif type(value) is not types.ModuleType:
            return False
        elif stored:  # a module's variable, or an option
            return text_of(value.__name__) not in self._own
        return any(map(reading.SETTERS.match, path[1:] or path))
