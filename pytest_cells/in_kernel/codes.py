"""Runs inside the kernel: what a code object is and which global names it may touch. Standard library alone.

A digest of code leaves out where the code stands (file name, line numbers), so that comments can be edited.
"""

import builtins
import sys
import weakref
from collections.abc import Callable
from marshal import dumps as _dumps
from opcode import opmap as _opmap
from types import CodeType
from typing import Any

from . import names as reading
from .classes import identity
from .unsteady import names_in_text

globals()["__builtins__"] = dict(vars(builtins))  # a notebook may replace what it likes

_SHIFTED = sys.version_info >= (3, 11)  # LOAD_GLOBAL's argument has a flag in its lowest bit
_LOAD_GLOBAL = _opmap["LOAD_GLOBAL"]
_LOADS = {_opmap[name] for name in ("LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") if name in _opmap}
_STORES = {_opmap["STORE_GLOBAL"], _opmap["DELETE_GLOBAL"]}
_IMPORT = _opmap["IMPORT_NAME"]
_EXTENDED = _opmap["EXTENDED_ARG"]
_WANTED = frozenset({_LOAD_GLOBAL, _IMPORT, _EXTENDED} | _LOADS | _STORES)
_MOST_KNOWN = 4096

DYNAMIC = (reading.DYNAMIC - {"modules"}) | {"f_locals", "import_module"}
"""Names (also of attributes) through which code may reach global names that do not stand in it, or what came before.

Modules are found in `sys.modules`, and only there.
"""


class UnknownConstant(Exception):
    """Raised for code with a constant that no compiler writes; the text names its type."""


class CodeFacts:
    """What one code object is, with all code that is nested in it.

    `digest` stands for what it does; `reads` and `stores` are the global names that it may load, and store or delete;
    `imports` the top-level packages it imports; `names` what it and all code that is nested in it is called; `dynamic`
    tells whether it may reach names by other ways.
    """

    __slots__ = ("digest", "dynamic", "imports", "names", "reads", "stores")

    def __init__(
        self,
        digest: bytes,
        reads: "frozenset[str]",
        stores: "frozenset[str]",
        imports: "frozenset[str]",
        names: "frozenset[str]",
        *,
        dynamic: bool,
    ) -> None:
        self.digest, self.reads, self.stores, self.imports, self.dynamic = digest, reads, stores, imports, dynamic
        self.names = names


class Codes:
    """Facts about code objects, found once for each. It keeps none of them alive."""

    def __init__(self, digest: "Callable[[bytes], bytes]") -> None:
        self._digest = digest
        self._known: dict[int, tuple[Any, CodeFacts]] = {}

    def facts(self, code: CodeType) -> CodeFacts:
        """Return the facts of a code object. Raises UnknownConstant."""
        known = self._known.get(identity(code))
        if known is not None and known[0]() is code:
            return known[1]
        found = self._find(code)
        if len(self._known) >= _MOST_KNOWN:
            self._known = {key: entry for key, entry in self._known.items() if entry[0]() is not None}
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
        self._known[identity(code)] = (weakref.ref(code), found)
        return found

    def _find(self, code: CodeType) -> CodeFacts:
        reads, stores, imports = _touched(code)
        names = code.co_names
        dynamic = not DYNAMIC.isdisjoint(names) or any(map(reading.OUTPUT.match, names))
        dynamic = dynamic or ("sys" in names and "modules" in names)
        inner: list[CodeFacts] = []
        parts = [
            _dumps(
                (
                    (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
                    (code.co_name, getattr(code, "co_qualname", "")),
                    (names, code.co_varnames, code.co_freevars, code.co_cellvars),
                    (code.co_code, getattr(code, "co_exceptiontable", b"")),
                    len(code.co_consts),
                ),
                2,
            )
        ]
        for constant in code.co_consts:
            parts.append(self._constant(constant, inner))
            if type(constant) is str:
                dynamic = dynamic or constant == "__main__"
                reads |= names_in_text(constant)
        named = {code.co_name}
        for facts in inner:
            named |= facts.names
            reads |= facts.reads
            stores |= facts.stores
            imports |= facts.imports
            dynamic = dynamic or facts.dynamic
        return CodeFacts(
            self._digest(b"".join(parts)),
            frozenset(reads),
            frozenset(stores),
            frozenset(imports),
            frozenset(named),
            dynamic=dynamic,
        )

    def _constant(self, constant: Any, inner: "list[CodeFacts]") -> bytes:
        kind = type(constant)
        if kind is CodeType:
            facts = self.facts(constant)
            inner.append(facts)
            return b"\x01" + facts.digest
        if kind is tuple:
            return b"\x02" + _dumps(len(constant), 2) + b"".join([self._constant(item, inner) for item in constant])
        if kind is frozenset:
            return b"\x03" + _dumps(len(constant), 2) + b"".join(sorted([self._constant(i, inner) for i in constant]))
        if kind is slice:
            edges = (constant.start, constant.stop, constant.step)
            return b"\x04" + b"".join([self._constant(edge, inner) for edge in edges])
        if kind in _ATOMS:
            return _dumps(constant, 2)
        raise UnknownConstant(kind.__name__)


_ATOMS = (int, str, float, complex, bytes, bool, type(None), type(Ellipsis))


def _touched(code: CodeType) -> "tuple[set[str], set[str], set[str]]":
    """Return the global names that this code object itself may load, and store or delete, and what it imports."""
    reads: set[str] = set()
    stores: set[str] = set()
    imports: set[str] = set()
    raw, names = code.co_code, code.co_names
    operations = raw[::2]
    if _WANTED.isdisjoint(operations):
        return reads, stores, imports
    high = 0
    for index, operation in enumerate(operations):
        if operation not in _WANTED:
            high = 0
            continue
        argument = high | raw[2 * index + 1]
        if operation == _EXTENDED:
            high = argument << 8
            continue
        high = 0
        if operation == _LOAD_GLOBAL:
            reads.add(names[argument >> 1 if _SHIFTED else argument])
        elif operation in _LOADS:
            reads.add(names[argument])
        elif operation in _STORES:
            stores.add(names[argument])
        else:
            imports.add(names[_import_index(argument)].partition(".")[0])
    return reads, stores, imports


def _import_index(argument: int) -> int:
    """Return the index of an imported name: from Python 3.15 the lowest bits say whether the import is lazy."""
    return argument >> 2 if sys.version_info >= (3, 15) else argument
