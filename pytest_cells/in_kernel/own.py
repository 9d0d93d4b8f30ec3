"""The user's own code beside the notebook: modules that may change from run to run."""

import ast
import os
import re
import stat
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import names as reading
from .bindings import Bindings
from .classes import identity, module_dict_of
from .own_code import holds, home_of, is_class, is_code, is_method_of_object, is_still, stands_at_home
from .trees import children, parse, walk
from .unsteady import NAME, is_unsteady
from .versions import BINDINGS, system

_PACKAGES = ("site-packages", "dist-packages")
_AGENT = __name__.partition(".")[0]
_MAIN, _IS_MAIN = re.compile("__main__"), re.compile(r"__name__\s*[!=]=\s*[\"']__main__[\"']")
"""Where a module may ask for the notebook's variables, and where it only asks whether it is a script."""
_OF_MODULES = frozenset({"__name__", "__doc__", "__file__", "__cached__", "__loader__", "__spec__", "__package__"}) | {
    "__path__",
    "__builtins__",
    "__annotations__",
    "__warningregistry__",
}
"""Variables that Python itself gives to modules."""
_IMPORTING = frozenset({"importlib", "pkgutil", "pydoc", "runpy", "imp"})
"""Modules of Python that import others by a name that they are given."""
_FRAMES = frozenset({"_getframe", "_current_frames", "currentframe", "inspect", "f_globals", "f_back", "__main__"}) | {
    "__subclasses__",
    "get_ipython",
    "user_ns",
}
"""Words by which a module may look for what is the notebook's."""


class OwnModules:
    """The modules of the process that are neither Python's nor installed."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._count = -1
        self._library = tuple(
            os.path.join(os.path.realpath(path), "")
            for path in {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
            if path
        )
        self._judged: dict[str, tuple[tuple[int, int], bool]] = {}
        """By name, a module's identity and its type's, and whether it is the user's own."""
        self._folders: dict[str, bool] = {}
        """By folder, whether the modules in it are the user's own."""
        self._without_links: dict[str, str] = {}
        self._specs: dict[str, Any] = {}
        """By name, what a module was loaded by: `importlib.reload` makes a new one."""
        self._bound: dict[str, list[int]] = {}
        """By name, the ids of what its variables hold."""
        self._texts: dict[str, tuple[str, Any]] = {}
        self._parts: dict[str, list[tuple[str, set[str]]]] = {}
        """By name, what a module's text binds, each with the words that stand there."""
        self._effects: dict[tuple[str, bool], list[str]] = {}
        self._searched: dict[Any, dict[str, bool]] = {}
        """By pattern and name, whether it is in the text."""
        self._finalizing: tuple[frozenset[str], frozenset[str]] = frozenset(), frozenset()
        """The packages whose text says `__del__`, and the modules in which that was looked for."""
        self._unsteady: frozenset[str] | None = None
        """By which words something is called that may give something else in every run, unless that is to be found."""

    def look(self, *, anew: bool = False) -> None:
        """See which modules there are now; `anew` if some may have taken the places of others."""
        if anew or self._count != len(sys.modules):
            self._count = len(sys.modules)
            for name, module in list(sys.modules.items()):
                if self.names.get(name) is not module and self._own(name, module):
                    self.names[name], self._unsteady = module, None
        for name, module in self.names.items():
            variables = module_dict_of(module)
            spec = variables.get("__spec__")
            if self._specs.setdefault(name, spec) is not spec:  # loaded once more: the text may be another
                self._specs[name] = spec
                self._forget(name)
            bound = list(map(identity, list(variables.values())))
            if self._bound.setdefault(name, bound) != bound:  # what its code does may be something else
                self._bound[name] = bound
                self._judge_anew(name)

    def _forget(self, name: str) -> None:
        """Read the text of a module anew."""
        self._texts.pop(name, None)
        self._parts.pop(name, None)
        for searched in self._searched.values():
            searched.pop(name, None)
        self._finalizing = frozenset(), frozenset()
        self._judge_anew(name)

    def _judge_anew(self, name: str) -> None:
        self._unsteady = None
        for plainly in (True, False):
            self._effects.pop((name, plainly), None)

    def say(self, pattern: Any) -> bool:
        """Tell whether a pattern is found in the text of some module; it is looked for once in each."""
        searched = self._searched.setdefault(pattern, {})
        for name in self.names.keys() - searched.keys():
            searched[name] = pattern.search(self._read(name)[0]) is not None
        return any(searched.values())

    def is_own(self, name: str) -> bool:
        """Tell whether a module that is there is the user's own."""
        module = sys.modules.get(name)
        return module is not None and (self.names.get(name) is module or self._own(name, module))

    def _own(self, name: str, module: Any) -> bool:
        judged, own = self._judged.get(name, (None, False))
        if judged != (identity(module), identity(type(module))):
            own = self._judge(name, module)
            self._judged[name] = (identity(module), identity(type(module))), own
        return own

    def _judge(self, name: str, module: Any) -> bool:
        if not isinstance(module, types.ModuleType) or type(module).__name__ == "_LazyModule":
            return False
        path = module_dict_of(module).get("__file__")
        if type(path) is not str or name == "__main__" or name.partition(".")[0] in (_AGENT, "__mp_main__"):
            return False
        return self.is_own_file(path)

    def is_own_file(self, path: str) -> bool:
        """Tell whether a module's file is the user's own."""
        folder = (os.path.realpath(path) if _is_link(path) else path).rpartition(os.sep)[0]
        if folder not in self._folders:
            real = self._real(folder)
            of_package = any(word in _PACKAGES for word in real.split(os.sep))
            self._folders[folder] = not of_package and not (real + os.sep).startswith(self._library)
        return self._folders[folder]

    def _real(self, folder: str) -> str:
        """Return a folder without links, as `os.path.realpath` does; each folder above is looked at once."""
        if folder not in self._without_links:
            above, _, name = folder.rpartition(os.sep)
            plain = name not in ("", os.curdir, os.pardir) and os.sep in above.rstrip(os.sep) and not _is_link(folder)
            self._without_links[folder] = self._real(above) + os.sep + name if plain else os.path.realpath(folder)
        return self._without_links[folder]

    def touched(self, packages: "Iterable[str]", imports: "Iterable[str]") -> "list[str]":
        """Return them all, since they may import one another, if some package or import is among them.

        So may what imports modules by a name that need not stand in the code.
        """
        if not self.names:
            return []
        wanted = {*packages, *(name.lstrip(".").partition(".")[0] for name in imports)}
        if wanted.isdisjoint(_IMPORTING) and wanted.isdisjoint(name.partition(".")[0] for name in self.names):
            return []
        return sorted(self.names)

    def state(self, bindings: Bindings) -> "dict[str, Any]":
        """Return the values that their variables have, by `module:variable`; of code, where it holds something.

        Under `module:()` stands what tells which code and modules the variables stand for.
        """
        found = {}
        for name, module in self.names.items():
            if sys.modules.get(name) is not module:
                continue
            given = module_dict_of(module)
            variables = {
                key: value for key, value in list(given.items()) if type(key) is str and key not in _OF_MODULES
            }
            for variable, value in variables.items():
                if self._is_state(name, value):
                    found["%s:%s" % (name, variable)] = value
            beside = given.get("__file__"), given.get("__path__"), given.get("__doc__"), type(module)
            found[name + BINDINGS] = bindings.of(name, beside, variables)
        return found

    def _is_state(self, name: str, value: Any) -> bool:
        try:
            return self._may_change(name, value)
        except Exception:  # of a class of somebody's
            return True

    def _may_change(self, name: str, value: Any) -> bool:
        kind = type(value)
        if kind is types.ModuleType or is_still(kind):
            return False
        if is_code(value):
            home = home_of(value)
            return home == "__main__" or ((home == name or not self._is_elsewhere(home, value)) and holds(value))
        builtin = kind is types.BuiltinFunctionType and value.__module__ != "__main__"
        return not builtin or is_method_of_object(value)

    def _is_elsewhere(self, home: Any, value: Any) -> bool:
        """Tell whether code is what its own module has under its name: it is state there, or an installed library's."""
        path = getattr(value, "__qualname__", None)
        if type(home) is not str or type(path) is not str:
            return False
        if is_class(value):
            return stands_at_home(value)
        return getattr(sys.modules.get(home), "__dict__", {}).get(path) is value

    def effects(self, name: str, judge: "Callable[..., str | None]", *, logs_plainly: bool) -> "list[str]":
        """Return what the code of a module may do that cannot be observed, in words.

        `logs_plainly` tells whether all handlers of logging are plain ones, which the judge looks at.
        """
        known = name, logs_plainly
        if known not in self._effects:
            module = self.names[name]
            found = self._read(name)[1]
            paths = [] if found is None else [*found.calls, *(path for inner in found.inner.values() for path in inner)]
            reasons = [] if found is not None else ["module %s cannot be read as Python" % name]
            looks = found is not None and not _FRAMES.isdisjoint(found.dynamic)
            if looks or _names_main(self._read(name)[0]):
                reasons.append("module %s looks into the variables of who calls it" % name)
            for path in dict.fromkeys(paths):
                reason = judge(path, module_dict_of(module)) if not path[0].startswith("?") else None
                if reason is not None:
                    reasons.append("module %s: %s" % (name, reason))
            self._effects[known] = reasons
        return self._effects[known]

    def unsteady(self, judge: "Callable[..., bool]") -> "frozenset[str]":
        """Return by which words functions of modules are called that may give something else in every run."""
        if self._unsteady is None:
            found = {name: self._asking(name, judge) for name in self.names}
            self._unsteady = self._callers(found) if any(found.values()) else frozenset()
        return self._unsteady

    def _asking(self, name: str, judge: "Callable[..., bool]") -> "set[str]":
        """Return the functions of a module that ask a clock themselves, and the classes whose special methods do."""
        found = self._read(name)[1]
        if found is None:
            return set()
        variables = module_dict_of(self.names[name])
        asked: dict[str, set[str]] = {}
        for owner, paths in found.unsteady.items():
            for path in paths:
                if judge(path, variables):
                    asked.setdefault(owner, set()).add(path[-1])
        for owner, paths in found.inner.items():
            if ("?clock",) in paths:
                asked.setdefault(owner, set()).update(reading.CLOCKS)
        words = {owner or name.rpartition(".")[2] for owner in asked if owner[:2] != "__"}
        words.update(word for word, value in variables.items() if is_unsteady(value) and value.__name__ != word)
        for owner, clocks in asked.items():
            if owner[:2] == "__":
                parts = self._parts_of(name)
                words.update(part for part, text in parts if owner in text and not clocks.isdisjoint(text))
        return words

    def _callers(self, found: "dict[str, set[str]]") -> "frozenset[str]":
        """Return those words, and all that modules bind where one of theirs stands, or of a module that they name."""
        said = {name: set(NAME.findall(self._read(name)[0])) for name in found}
        parts = {name: self._parts_of(name) for name in found}
        last: set[str] | None = None
        while last != (last := set().union(*found.values())):
            for name, bound in parts.items():
                near = [words for other, words in found.items() if other.rpartition(".")[2] in said[name]]
                visible = found[name].union(*near)
                found[name].update(part for part, text in bound if not visible.isdisjoint(text))
        return frozenset(last)

    def _parts_of(self, name: str) -> "list[tuple[str, set[str]]]":
        """Return what the text of a module binds, found once."""
        if name not in self._parts:
            source, found = self._read(name)
            self._parts[name] = list(_parts(source)) if found is not None else []
        return self._parts[name]

    def with_finalizers(self, packages: "Iterable[str]") -> bool:
        """Tell whether a class of some package may have a `__del__`."""
        if len(self._finalizing[1]) != len(self.names):
            found = {name.partition(".")[0] for name in self.names if "__del__" in self._read(name)[0]}
            self._finalizing = frozenset(found), frozenset(self.names)
        return not self._finalizing[0].isdisjoint(packages)

    def _read(self, name: str) -> "tuple[str, Any]":
        """Return the text of a module and what it says, read once; None for what cannot be read as Python."""
        if name not in self._texts:
            try:
                with open(module_dict_of(self.names[name])["__file__"], encoding="utf-8") as file:
                    source = file.read()
                self._texts[name] = source, reading.analyse(source)
            except (OSError, ValueError, KeyError):
                self._texts[name] = "", None
        return self._texts[name]


def _parts(source: str) -> "Iterator[tuple[str, set[str]]]":
    """Yield the names that a module's text binds outside functions, each with the words that stand where it is bound.

    Functions inside others too, but no special methods: they go by their classes.
    """
    lines = source.splitlines()

    def words(node: Any) -> "set[str]":  # of all its lines
        return set(NAME.findall("\n".join(lines[node.lineno - 1 : node.end_lineno])))

    waiting: list[tuple[ast.AST, bool]] = [(parse(source), False)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name[:2] != "__":
                yield node.name, words(node)
            inside = inside or not isinstance(node, ast.ClassDef)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name, {alias.name.rpartition(".")[2]}
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None and not inside:
            said = words(node.value)
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in walk(target):
                    if isinstance(part, (ast.Name, ast.Attribute)):
                        yield part.id if isinstance(part, ast.Name) else part.attr, said
        waiting.extend((child, inside) for child in children(node))


def _names_main(text: str) -> bool:
    """Tell whether a text names the main module otherwise than to ask whether it is that itself."""
    return len(_MAIN.findall(text)) > len(_IS_MAIN.findall(text))


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(system.lstat(path).st_mode)
    except OSError:
        return False
