"""Runs inside the kernel: fingerprints of the values that a notebook's names are bound to. Standard library alone.

Each value is written as a stream of tokens that can be read back in one way only, and the stream is hashed; what is
long is in it by its hash. Atoms go through `marshal` in format 2, which knows neither references nor interning; many
floats are packed by `struct`, which is faster. What can be changed in place is numbered when it is met first, so that
sharing is part of the value; names that share such an object are one component. Nothing of the user's is called,
compared, hashed or kept: types are told apart by identity, and attributes are read through the descriptors of the
classes that own them. Only hooks for pickling that an installed library defines are run.

The file is long because the walk is one loop with one state. Instances of classes are in `layouts`, numpy and pandas in
`arrays`, and what a value without a digest shares with others in `aliases`.
"""

import builtins
import os
import sys
import time
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain, count
from marshal import dumps as _dumps
from typing import Any

from . import arrays, definitions, sequences
from .aliases import Aliases
from .arrays import within
from .classes import (
    ATOMS,
    COMPILED,
    identity,
    members_of,
    module_dict_of,
    module_of,
    mro_of,
    name_of,
)
from .codes import Codes, UnknownConstant
from .generators import SHARED_GENERATORS, shared_generator
from .layouts import Layout
from .own_code import OwnCode
from .quiet import quietly, uncollected
from .tokens import (
    AGAIN,
    BY_NAME,
    ELSEWHERE,
    ERROR,
    METHOD,
    MODULE,
    NAMESPACE,
    STATE,
    TYPE_VARIABLE,
    VIEW,
    Items,
    LeftOut,
    Opaque,
    SetItems,
    Token,
    refusal,
)
from .unsteady import text_of
from .versions import collector

globals()["__builtins__"] = dict(vars(builtins))  # a notebook may replace what it likes

_referents = collector.get_referents
_clock = time.monotonic

_NOTHING: "frozenset[str]" = frozenset()
_SHORT = 64
"""Bytes of a plain value that is remembered from one walk to the next."""
_DEEPEST_SETS = 20
_SHIFT = 40
_MASK = (1 << _SHIFT) - 1


_OPAQUE_BASES = {
    ("matplotlib.artist", "Artist"): None,
    ("functools", "_lru_cache_wrapper"): "lru_cache wrapper",
    ("logging", "Filterer"): "logger",
    ("threading", "Thread"): "thread",
    ("weakref", "finalize"): "finalizer",
    ("builtins", "super"): "super object",
    ("torch", "Tensor"): "torch tensor",
    ("torch.nn.modules.module", "Module"): "torch module",
    ("unittest.mock", "NonCallableMock"): "mock",
    ("mmap", "mmap"): "memory map",
    ("numpy", "memmap"): "memory map",
    ("_io", "_IOBase"): "open file",
    ("_thread", "lock"): "lock",
    ("_thread", "RLock"): "lock",
    ("_ctypes", "_SimpleCData"): "ctypes object",
    ("_ctypes", "Structure"): "ctypes object",
    ("_ctypes", "Union"): "ctypes object",
    ("_ctypes", "Array"): "ctypes object",
    ("_ctypes", "_Pointer"): "ctypes object",
    ("_ctypes", "CFuncPtr"): "ctypes object",
    ("builtins", "set_iterator"): "iterator over a set",
    ("weakref", "ReferenceType"): "weak reference",
    ("IPython.core.interactiveshell", "InteractiveShell"): "IPython's shell",
    ("traitlets.traitlets", "HasTraits"): None,
}
"""Kinds of values, by a base of their type, that have no digest, and the word for them (None: the type's name)."""
_IN_MEMORY = frozenset([("_io", "BytesIO"), ("_io", "StringIO")])


class Component:
    """Names whose values share what can be changed, and what these values are.

    `digest` is a letter for the hash ("x": xxh3-128, "s": half of SHA-256) and 32 hexadecimal digits, equal for equal
    values in every process; None where `opaque` says why there is none. `reads` and `stores` are the global names that
    code in it may load, and store or delete. `cuts` are notebook functions and classes that it refers to under their
    own names: what they are is not in the digest. `dynamic` tells that code in it may reach names in other ways.
    `packages` are the top-level packages, `modules` the modules (full names) it refers to. `size` estimates bytes.
    `codes` are what the notebook's own code in it is called. `unsteady` tells that a clock is held in it.
    `indexes` are names outside it that hold the same pandas Index objects: only their `name` could be changed there.
    `generators` are the slots of the random generators of the whole process that it holds: their state is not in it.
    `says` are the names of functions and classes of the project's modules in it.
    """

    __slots__ = (
        "codes", "cuts", "digest", "dynamic", "generators", "indexes", "modules", "names", "opaque", "packages",
        "reads", "says", "size", "stores", "unsteady",
    )  # fmt: skip

    def __init__(
        self,
        names: "tuple[str, ...]",
        digest: "str | None",
        size: int,
        opaque: "str | None" = None,
        reads: "frozenset[str]" = _NOTHING,
        stores: "frozenset[str]" = _NOTHING,
        cuts: "frozenset[str]" = _NOTHING,
        packages: "frozenset[str]" = _NOTHING,
        modules: "frozenset[str]" = _NOTHING,
        indexes: "frozenset[str]" = _NOTHING,
        dynamic: bool = False,  # noqa: FBT001, FBT002
        codes: "frozenset[str]" = _NOTHING,
        unsteady: bool = False,  # noqa: FBT001, FBT002
        generators: "frozenset[str]" = _NOTHING,
        says: "frozenset[str]" = _NOTHING,
    ) -> None:
        self.codes, self.unsteady, self.generators, self.says = codes, unsteady, generators, says
        self.names, self.digest, self.size, self.opaque = names, digest, size, opaque
        self.reads, self.stores, self.cuts, self.dynamic = reads, stores, cuts, dynamic
        self.packages, self.modules, self.indexes = packages, modules, indexes

    def __repr__(self) -> str:
        return "<Component %s: %s>" % (" ".join(self.names), self.digest or self.opaque)


class Hashing:
    """The hash that there is: xxhash's where it can be imported, else half of SHA-256; they differ in their `letter`.

    Processors have instructions for SHA-256: with them it is two to three times as fast as BLAKE2b.
    """

    def __init__(self) -> None:
        try:
            xxhash: Any = __import__("xxhash")  # only where the notebook's environment has it
        except Exception:
            import hashlib

            sha256: Any = hashlib.sha256
            self.letter = "s"
            self.new: Callable[[], Any] = sha256
            self.once: Callable[[Any], bytes] = lambda data: sha256(data).digest()[:16]
            self.once_hex: Callable[[Any], str] = lambda data: sha256(data).hexdigest()[:32]
        else:
            self.letter = "x"
            self.new = xxhash.xxh3_128
            self.once, self.once_hex = xxhash.xxh3_128_digest, xxhash.xxh3_128_hexdigest


class Walker:
    """Walks the values of a notebook's names. Between two walks it holds nothing of the user's."""

    def __init__(self, namespace: "dict[str, Any]", main: str = "__main__") -> None:
        self.namespace = namespace
        self.main = main
        self.hashing = Hashing()
        self.codes = Codes(self.hashing.once)
        self.libraries: dict[str, bool] = {}
        self.atoms: dict[str, tuple[bytes, Component]] = {}
        """The components of names with short plain values, and those values in a form that holds nothing."""
        self._functions: dict[int, int] = {}
        self._modules_seen = -1
        self._module_ids: frozenset[int] = frozenset()

    def walk(
        self, names: "Iterable[str]", budget_s: float = 2.0, extra: "Mapping[str, Any] | None" = None
    ) -> "list[Component]":
        """Return the components of names, in the order of their first names.

        `budget_s` is for each name: a value that takes longer is opaque ("too large"), and joined with every name
        that was not proven to share nothing with it. `extra` gives values to names outside the namespace (the state
        of modules), to be walked with the others. Raises KeyError for a name that is not bound.
        """
        bound = {name: self.namespace[name] if extra is None or name not in extra else extra[name] for name in names}
        return uncollected(self._components, bound, budget_s)  # else the user's finalizers may run, here and now

    def _components(self, bound: "dict[str, Any]", budget_s: float) -> "list[Component]":
        walk = _Walk(self, bound, budget_s)
        try:
            return quietly(walk.components)
        finally:
            self._functions = walk.functions
            bound.clear()
            walk.forget()

    def beside(self, namespace: "dict[str, Any]") -> "Walker":
        """Return a walker of another namespace that need not find out again what this one knows of the process."""
        other = Walker(namespace, self.main)
        other.libraries, other._module_ids, other._modules_seen = self.libraries, self.module_ids(), self._modules_seen
        return other

    def module_ids(self) -> "frozenset[int]":
        """Return the ids of the dicts of all modules; some may be gone already, so ask again where it matters."""
        if self._modules_seen != len(sys.modules):
            modules = list(sys.modules.values())
            self._modules_seen = len(modules)
            self._module_ids = frozenset(
                [
                    identity(module_dict_of(module))
                    for module in modules
                    if within(types.ModuleType, mro_of(type(module)))
                ]
            )
        return self._module_ids

    def function_counts(self) -> "dict[int, int]":
        """Return how many function objects the last walk met for each notebook code object, by the code's id.

        The numbers hold until the next cell runs. A code object to which more references lead (`sys.getrefcount`,
        less those of constants and frames) belongs to a function that is held where no walk comes: in a library.
        """
        return self._functions


class _Part:
    """What the walk of one name has found."""

    __slots__ = (
        "codes", "cuts", "digest", "dynamic", "generators", "modules", "opaque", "packages", "reads", "says", "size",
        "stores", "unsteady",
    )  # fmt: skip

    def __init__(self) -> None:
        self.digest = b""
        self.opaque: str | None = None
        self.dynamic = self.unsteady = False
        self.size = 0
        self.codes: set[str] = set()
        self.reads: set[str] = set()
        self.stores: set[str] = set()
        self.cuts: set[str] = set()
        self.packages: set[str] = set()
        self.modules: set[str] = set()
        self.generators: set[str] = set()
        self.says: set[str] = set()


class _Walk:
    """One walk over all names: its stack, its memory, and what it has found."""

    def __init__(self, walker: Walker, bound: "dict[str, Any]", budget_s: float) -> None:
        self.walker, self.namespace, self.main = walker, walker.namespace, walker.main
        self.hashing = walker.hashing
        self.bound, self.budget_s = bound, budget_s
        self.names = sorted(bound)
        self.parents = list(range(len(self.names)))
        self.parts: dict[int, _Part] = {}
        self.owners: dict[int, int] = {}  # id of an object -> number of the name << _SHIFT | its number in it
        self.touched: dict[int, int] = {}  # id of an object -> number of a name that reaches it, unnumbered
        self.indexes: dict[int, set[int]] = {}  # id of a pandas Index -> numbers of the names that hold it
        self.spans: list[arrays.Span] = []
        self.unproven: set[int] = set()
        self.functions: dict[int, int] = {}
        self.keep: list[Any] = []  # what only the walk holds: an id must stay its own
        self.stack: list[Any] = []
        self.out: list[bytes] = []
        self.hash: Any = None
        self.number = self.count = self.placed = self.depth = 0
        self.deadline = 0.0
        self.part = _Part()
        self.module_ids = walker.module_ids()
        self._quiet: bool | None = None
        self.class_tokens: dict[int, bytes | None] = {}
        self._aliases = Aliases(self)
        self.handlers: dict[int, Callable[[Any], None]] = {}

    def _prepare(self) -> None:
        """Tell how values are written that are no atoms, once there are any."""
        self.handlers = {
            identity(tuple): partial(sequences.write_tuple, self),
            identity(list): partial(sequences.write_list, self),
            identity(dict): self._dict,
            identity(set): partial(sequences.write_set, self),
            identity(frozenset): partial(sequences.write_frozenset, self),
            identity(bytearray): self._bytearray,
            identity(memoryview): self._memoryview,
            identity(type(NotImplemented)): lambda _: self.out.append(BY_NAME + b"NotImplemented"),
            identity(types.FunctionType): partial(definitions.write_function, self),
            identity(type(_cell())): partial(definitions.write_cell, self),
            identity(types.CodeType): partial(definitions.write_code, self),
            identity(types.MethodType): partial(definitions.write_method, self),
            identity(types.BuiltinFunctionType): partial(definitions.write_builtin, self),
            identity(type("".__str__)): partial(definitions.write_method_wrapper, self),
            identity(property): partial(definitions.write_property, self),
            identity(staticmethod): partial(definitions.write_wrapping_method, self),
            identity(classmethod): partial(definitions.write_wrapping_method, self),
            identity(types.MappingProxyType): self._proxy,
            identity(type({}.keys())): self._proxy,
            identity(type({}.values())): self._proxy,
            identity(type({}.items())): self._proxy,
            identity(Token): self._token,
            identity(Items): self._own_items,
            identity(OwnCode): partial(definitions.write_own_code, self),
            identity(SetItems): lambda items: sequences.write_set_items(self, items.content),
            identity(LeftOut): lambda left: self.error(left.error),
            identity(arrays.Frozen): lambda frozen: arrays.frozen(self, frozen),
        }
        for kind in (str.join, int.__add__, dict.__dict__["fromkeys"], types.FunctionType.__code__, property.fget):
            self.handlers[identity(type(kind))] = partial(definitions.write_descriptor, self)
        for atom in (int, str, float, bool, type(None), bytes, complex, type(Ellipsis)):
            self.handlers[identity(atom)] = self._atom

    def forget(self) -> None:
        """Drop all that is the user's."""
        everything: tuple[Any, ...] = (self.keep, self.stack, self.spans, self.bound, self.handlers)
        for held in everything:
            held.clear()
        self._aliases.forget()

    # ------------------------------------------------------------------------------------------- names and components

    def components(self) -> "list[Component]":
        found: list[Component] = []
        for number, name in enumerate(self.names):
            value = self.bound[name]
            if identity(type(value)) in ATOMS:
                found.append(self._atomic(name, _dumps(value, 2)))
            else:
                if not self.handlers:
                    self._prepare()
                self.number = number
                self._name(value)
        if self.parts:
            found += self._joined()
            found.sort(key=lambda component: component.names)
        return found

    def _atomic(self, name: str, data: bytes) -> Component:
        """Return the component of a name with a plain value: the very one of the last walk where it has stayed."""
        known = self.walker.atoms.get(name)
        if known is not None and known[0] == data:
            return known[1]
        component = Component((name,), self.hashing.letter + self.hashing.once_hex(data), len(data))
        if len(data) <= _SHORT:
            self.walker.atoms[name] = data, component
        return component

    def _name(self, value: Any) -> None:
        part = self.part = self.parts[self.number] = _Part()
        self.count, self.placed, self.depth, self.hash = 0, 0, 0, None
        self.out.clear()
        self.stack.clear()
        self.deadline = _clock() + self.budget_s
        try:
            self.run(value)
            part.digest = self._end()
        except Opaque as found:
            part.opaque = str(found)
        except UnknownConstant as found:
            part.opaque = "code with a constant of type %s" % found
        except Exception as problem:  # whatever the user's objects make us run into
            part.opaque = "%s: cannot be fingerprinted (%s)" % (name_of(type(value)), name_of(type(problem)))
        if part.opaque is not None:
            self.stack.clear()
            try:
                self.close([value])
            except Exception:
                self.unproven.add(self.number)
        part.cuts.discard(self.names[self.number])

    def _end(self) -> bytes:
        data = b"".join(self.out)
        if self.hash is None:
            return self.hashing.once(data)
        self.hash.update(data)
        digest: bytes = self.hash.digest()[:16]
        return digest

    def root(self, number: int) -> int:
        parents = self.parents
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def join(self, one: int, other: int) -> None:
        """Make two names, by their numbers, members of one component."""
        one, other = self.root(one), self.root(other)
        if one != other:
            self.parents[max(one, other)] = min(one, other)

    def _joined(self) -> "list[Component]":
        for key, number in self.touched.items():
            owner = self.owners.get(key)
            if owner is not None:
                self.join(number, owner >> _SHIFT)
        clusters = arrays.join_overlapping(self)
        if self.unproven:
            first = min(self.unproven)
            mutable = {owner >> _SHIFT for owner in self.owners.values()} | set(self.touched.values())
            for number in mutable | {span.number for span in self.spans} | self.unproven:
                self.join(first, number)
        overlaps = arrays.told(self, clusters)
        groups: dict[int, list[int]] = {}
        for number in self.parts:
            groups.setdefault(self.root(number), []).append(number)
        sharing = self._sharing_indexes()
        return [self._component(numbers, overlaps.get(root), sharing) for root, numbers in groups.items()]

    def _sharing_indexes(self) -> "dict[int, set[str]]":
        found: dict[int, set[str]] = {}
        for numbers in self.indexes.values():
            if len(numbers) > 1:
                names = {self.names[number] for number in numbers}
                for number in numbers:
                    found.setdefault(number, set()).update(names)
        return found

    def _component(self, numbers: "list[int]", overlaps: "bytes | None", sharing: "dict[int, set[str]]") -> Component:
        if len(numbers) == 1 and not sharing and overlaps is None:
            return self._single(numbers[0])
        parts = [self.parts[number] for number in numbers]
        names = tuple([self.names[number] for number in numbers])
        opaque = next((part.opaque for part in parts if part.opaque is not None), None)
        digest = None
        if opaque is None:
            if len(numbers) == 1 and overlaps is None:
                digest = self.hashing.letter + parts[0].digest.hex()
            else:
                content = _dumps((names, [part.digest for part in parts], overlaps), 2)
                digest = self.hashing.letter + self.hashing.once_hex(content)
        indexes: set[str] = set()
        for number in numbers:
            indexes |= sharing.get(number, set())
        return Component(
            names,
            digest,
            sum([part.size for part in parts]),
            opaque,
            _union([part.reads for part in parts]),
            _union([part.stores for part in parts]),
            _union([part.cuts for part in parts]).difference(names),
            _union([part.packages for part in parts]),
            _union([part.modules for part in parts]),
            _union([indexes]).difference(names),
            any([part.dynamic for part in parts]),
            _union([part.codes for part in parts]),
            any([part.unsteady for part in parts]),
            _union([part.generators for part in parts]),
            _union([part.says for part in parts]),
        )

    def _single(self, number: int) -> Component:
        part = self.parts[number]
        return Component(
            (self.names[number],),
            self.hashing.letter + part.digest.hex() if part.opaque is None else None,
            part.size,
            part.opaque,
            frozenset(part.reads) if part.reads else _NOTHING,
            frozenset(part.stores) if part.stores else _NOTHING,
            frozenset(part.cuts) if part.cuts else _NOTHING,
            frozenset(part.packages) if part.packages else _NOTHING,
            frozenset(part.modules) if part.modules else _NOTHING,
            _NOTHING,
            part.dynamic,
            frozenset(part.codes) if part.codes else _NOTHING,
            part.unsteady,
            frozenset(part.generators) if part.generators else _NOTHING,
            frozenset(part.says) if part.says else _NOTHING,
        )

    # ------------------------------------------------------------------------------------------------------- the loop

    def run(self, value: Any) -> None:
        """Write the tokens of a value. Raises Opaque."""
        stack, handlers = self.stack, self.handlers
        bottom = len(stack)
        stack.append(value)
        steps = 0
        while len(stack) > bottom:
            item = stack.pop()
            kind = type(item)
            handler = handlers.get(identity(kind)) or self.planned(kind)
            handler(item)
            steps += 1
            if not steps & 127:
                self.check()

    def check(self) -> None:
        """Hash what has been written; raise Opaque when the time is over."""
        if len(self.out) > 4096 and not self.depth:
            if self.hash is None:
                self.hash = self.hashing.new()
            self.hash.update(b"".join(self.out))
            self.out.clear()
        if _clock() > self.deadline:
            raise Opaque("too large")

    def push(self, items: "list[Any]") -> None:
        """Put items on the stack, to be walked in their order."""
        self.stack.extend(reversed(items))

    @staticmethod
    def own(items: "list[Any]") -> "Items":
        """Return what is to be pushed for a list that is the walk's own."""
        return Items(items)

    @staticmethod
    def token(content: bytes) -> "Token":
        """Return what is to be pushed for bytes that are to be written."""
        return Token(content)

    @staticmethod
    def refuse(why: str) -> None:
        """Raise Opaque."""
        raise Opaque(why)

    def first(self, item: Any) -> bool:
        """Tell whether an object that can be changed is met for the first time; else write where it was."""
        key = identity(item)
        known = self.owners.get(key)
        if known is None:
            self.owners[key] = self.number << _SHIFT | self.count
            self.count += 1
            return True
        owner = known >> _SHIFT
        if owner == self.number:
            self.out.append(AGAIN + _dumps(known & _MASK, 2))
        else:
            self.join(owner, self.number)
            self.out.append(ELSEWHERE + _dumps((self.names[owner], known & _MASK), 2))
        return False

    def all_first(self, items: Any) -> bool:
        """Give numbers to many objects at once, if none is known and none stands there twice."""
        keys = list(map(identity, items))
        if len({*keys}) != len(keys) or not self.owners.keys().isdisjoint(keys):
            return False
        self.owners.update(zip(keys, count(self.number << _SHIFT | self.count)))
        self.count += len(keys)
        return True

    def few(self, values: "list[Any]") -> None:
        """Write a few values, the walk's own list, the atoms among them at once."""
        places = [place for place, value in enumerate(values) if identity(type(value)) not in ATOMS]
        inner = [values[place] for place in places]
        for place in places:
            values[place] = None
        self.out.append(_dumps((values, places), 2))
        self.stack.extend(reversed(inner))

    def filled(self, value: Any) -> Any:
        """Return a value, but None for an empty dict, which whoever else holds it may fill."""
        if type(value) is dict and not value:
            self.touch(value)
            return None
        return value

    def touch(self, item: Any) -> None:
        """Note that the name reaches an object, which is walked elsewhere or not at all."""
        known = self.touched.setdefault(identity(item), self.number)
        if known != self.number:
            self.join(known, self.number)

    def alone(self, item: Any) -> bytes:
        """Return the digest of a value by itself, with nothing known before it. Raises Opaque."""
        if self.depth > _DEEPEST_SETS:
            raise Opaque("sets nested too deeply")
        kept = self.out, self.owners, self.count, self.spans, self.placed, self.part.size
        self.out, self.owners, self.count, self.spans = [], {}, 0, []
        self.depth += 1
        try:
            self.run(item)
            return self.hashing.once(b"".join(self.out))
        finally:
            self.depth -= 1
            self.out, self.owners, self.count, self.spans, self.placed, self.part.size = kept

    # --------------------------------------------------------------------------------------------- atoms, containers

    def _atom(self, item: Any) -> None:
        data = _dumps(item, 2)
        self.out.append(data)
        self.part.size += len(data)

    def _token(self, token: Token) -> None:
        self.out.append(token.content)

    def _own_items(self, items: Items) -> None:
        sequences.write_items(self, items.content)

    def kinds(self, items: Any) -> "set[int]":
        """Return the ids of the types of items."""
        if len(items) > sequences.MANY and self.types_hash_quietly():
            return {*map(identity, {*map(type, items)})}
        return {*map(identity, map(type, items))}

    def types_hash_quietly(self) -> bool:
        """Tell whether types can be put into a set without code of the notebook's being run: a metaclass may hash."""
        if self._quiet is None:
            todo: list[Any] = [type]
            self._quiet = True
            while todo:
                for kind in type.__subclasses__(todo.pop()):
                    todo.append(kind)
                    own_hash = "__hash__" in members_of(kind) or "__eq__" in members_of(kind)
                    if own_hash and not self.is_library(module_of(kind)):
                        self._quiet = False
        return self._quiet

    def _dict(self, item: Any) -> None:
        if (item is self.namespace or identity(item) in self.module_ids) and self._foreign(item):
            return
        if self.first(item):
            sequences.write_mapping(self, list(item), list(item.values()))

    def _foreign(self, item: Any) -> bool:
        """Write a dict that is a module's, or the namespace itself, as such."""
        if item is self.namespace:
            self.part.dynamic = True
            self.out.append(NAMESPACE)
            return True
        name = self.module_of(item)
        if name is None:
            return False
        if name != "builtins":  # which code that `exec` has made holds, and reaches anyway
            self.refer_module(name)
        self.out.append(NAMESPACE + _dumps(name, 2))
        return True

    def module_of(self, item: Any) -> "str | None":
        """Return the name of the module whose dict this is; None for others."""
        if identity(item) not in self.module_ids:
            return None
        name = dict.get(item, "__name__")
        module = sys.modules.get(name) if type(name) is str else None
        if module is None or not within(types.ModuleType, mro_of(type(module))) or module_dict_of(module) is not item:
            return None  # of a module that is gone; its id may be another dict's now
        return text_of(name)

    def refer_module(self, name: str) -> None:
        self.part.modules.add(name)
        self.part.packages.add(name.partition(".")[0])

    def _bytearray(self, item: Any) -> None:
        if self.first(item):
            self.out.append(b"\x1a" + _dumps(len(item), 2) + self.buffer(item))

    def buffer(self, item: Any) -> bytes:
        """Return the digest of contiguous memory. Raises Opaque when it takes too long."""
        view = memoryview(item).cast("B")
        self.part.size += len(view)
        if len(view) <= 1 << 26:
            return self.hashing.once(view)
        hashed = self.hashing.new()
        for start in range(0, len(view), 1 << 26):
            hashed.update(view[start : start + (1 << 26)])
            self.check()
        digest: bytes = hashed.digest()[:16]
        return digest

    def _memoryview(self, item: Any) -> None:
        if self.first(item):
            shape = _dumps((item.format, item.itemsize, item.shape, item.strides, item.readonly), 2)
            content = item.tobytes()
            self.out.append(VIEW + shape + self.buffer(content))
            self.push([item.obj])

    def _proxy(self, item: Any) -> None:
        """Write a view of a mapping, of which the mapping is the one referent."""
        inside = _referents(item)
        dataclasses: Any = sys.modules.get("dataclasses")
        if item is getattr(dataclasses, "_EMPTY_METADATA", self):
            self.out.append(BY_NAME + b"metadata")
        else:
            self.out.append(VIEW + _dumps(name_of(type(item)), 2))
            self.push(inside[:1])

    # ------------------------------------------------------------------------------------------------- other objects

    def planned(self, kind: Any) -> "Callable[[Any], None]":
        """Find how instances of a type are written, once, and return it."""
        self.keep.append(kind)
        handler = self.handlers[identity(kind)] = self._plan(kind)
        return handler

    def _plan(self, kind: Any) -> "Callable[[Any], None]":
        """Return how instances of a type are written."""
        mro = mro_of(kind)
        if within(type, mro):
            return partial(definitions.write_class, self)
        if within(types.ModuleType, mro):
            return self._module
        if kind is weakref.ProxyType or kind is weakref.CallableProxyType:
            return refusal("weak proxy")
        known = arrays.handler(self, kind, mro)
        if known is not None:
            return known
        names = [(text_of(module_of(base)), name_of(base)) for base in mro]
        if names[0] not in _IN_MEMORY:
            for base in names:
                if base in _OPAQUE_BASES:
                    return refusal(_OPAQUE_BASES[base] or name_of(kind))
        enum: Any = sys.modules.get("enum")
        if enum is not None and within(enum.Enum, mro):
            return self._enum_member
        if names[0] == ("functools", "cached_property"):
            return self._cached_property
        if names[0] == ("typing", "TypeVar") and sys.version_info >= (3, 12):
            return self._type_variable
        if names[0][1] in COMPILED:
            return partial(definitions.write_compiled_function, self)
        if names[0] in SHARED_GENERATORS:
            return self._generator_or(Layout(self, kind, mro).handler())
        return Layout(self, kind, mro).handler()

    def _generator_or(self, handler: "Callable[[Any], None]") -> "Callable[[Any], None]":
        """Return what writes the generator that the whole process shares by its name: its state is a slot's."""

        def write(item: Any) -> None:
            slot = shared_generator(item)
            if slot is None:
                handler(item)
            else:
                self.refer_generator(slot)
                self.out.append(BY_NAME + _dumps(("generator", slot), 2))

        return write

    def refer_generator(self, slot: str) -> None:
        """Note that the name reaches a generator that the whole process shares."""
        self.part.generators.add(slot)
        self.part.packages.add(slot.partition(".")[0])

    def is_library(self, module: Any) -> bool:
        """Tell whether a module is installed or Python's own, rather than the notebook's or its project's."""
        if type(module) is not str or module == self.main:
            return False
        known = self.walker.libraries.get(module)
        if known is None:
            if module not in sys.modules:
                return False
            path = getattr(sys.modules[module], "__file__", None)
            known = self.walker.libraries[module] = type(path) is not str or _installed(path)
        return known

    def _module(self, item: Any) -> None:
        members = module_dict_of(item)
        name = dict.get(members, "__name__") if type(members) is dict else None
        if members is self.namespace or name == self.main:
            self.part.dynamic = True
        elif type(name) is not str or sys.modules.get(name) is not item:
            raise Opaque("module that is not loaded under its name")
        self.refer_module(name if type(name) is str else self.main)
        self.out.append(MODULE + _dumps(name, 2))

    def _enum_member(self, item: Any) -> None:
        kind = type(item)
        if definitions.class_token(self, kind) is None and self.namespace.get(name_of(kind)) is not kind:
            if not self.first(item):
                return
            attributes = Layout(self, kind, mro_of(kind)).attributes(item)
            self.out.append(STATE + b"\2")
            self.push([kind, Items(list(attributes)), Items(list(attributes.values()))])
            return
        if self.names[self.number] == name_of(kind) and self.namespace.get(name_of(kind)) is kind:
            if not self.first(item):
                return
            attributes = Layout(self, kind, mro_of(kind)).attributes(item)
            self.out.append(STATE + b"\3")
            self.push([Items(list(attributes)), Items(list(attributes.values()))])
            return
        attributes = Layout(self, kind, mro_of(kind)).attributes(item)
        self.out.append(STATE + b"\4")
        self.push([kind, attributes.get("_name_"), attributes.get("_value_")])

    def _cached_property(self, item: Any) -> None:
        self.out.append(METHOD + b"\4")
        self.push([item.func, item.attrname, item.__doc__])  # not its lock, which older Pythons have

    def _type_variable(self, item: Any) -> None:
        if self.first(item):
            told = (item.__name__, item.__covariant__, item.__contravariant__)
            self.out.append(TYPE_VARIABLE + _dumps(told, 2))
            self.push([Items(_referents(item))])

    def error(self, item: Any) -> None:
        """Write what pickling leaves out of an error. Its traceback is no part of it, but what that reaches is."""
        self.out.append(ERROR)
        self.push([get(item) for get in _ERROR_PARTS])
        traceback = _traceback(item)
        if traceback is not None:
            self.close([traceback])

    def close(self, roots: "list[Any]") -> None:
        """Note all objects that can be reached, and the names that code among them may touch. Raises Opaque."""
        self._aliases.follow(roots)


def _cell() -> Any:
    value = 0
    closure = (lambda: value).__closure__
    return closure[0] if closure else None


def _union(sets: "list[set[str]]") -> "frozenset[str]":
    return frozenset(chain.from_iterable(sets)) if any(sets) else _NOTHING


def _installed(path: str) -> bool:
    """Tell whether a file belongs to Python or to an installed package."""
    path = path.replace("\\", "/")
    return "/site-packages/" in path or "/dist-packages/" in path or path.startswith(_STDLIB)


_STDLIB = os.path.dirname(os.__file__).replace("\\", "/") + "/"
_ERROR_PARTS: Any = [vars(BaseException)[name].__get__ for name in ("__cause__", "__context__", "__suppress_context__")]
_traceback: Any = vars(BaseException)["__traceback__"].__get__
