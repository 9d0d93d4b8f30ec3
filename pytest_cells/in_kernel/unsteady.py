"""What makes two runs of the same code differ, as far as its text tells: clocks, numbers of processes, loaded classes.

Pure: a tree goes in, by the name of each function come out the dotted paths that may be such calls. Only who knows the
variables can tell what a path stands for: `time.time()` is a clock where `time` is that module.
"""

import ast
import re
import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

from .classes import identity, module_dict_of
from .trees import children, walk

_COUNTERS = ("time", "perf_counter", "monotonic", "process_time", "thread_time")
_TIMES = frozenset({*_COUNTERS, *("%s_ns" % word for word in _COUNTERS), "clock_gettime", "clock_gettime_ns"})
_DATES = frozenset({"now", "today", "utcnow"})
"""Methods of classes that give a date."""
_PROCESS = frozenset(
    {"getpid", "getppid", "getpgrp", "getpgid", "getsid", "times", "getloadavg", "statvfs", "fstatvfs"}
)
_THREAD = frozenset({"get_ident", "get_native_id", "ident", "native_id"})
_OF_SYMPY = frozenset({"randMatrix", "randprime", "random_complex_number", "random_poly"})
FUNCTIONS = {
    "time": _TIMES | {"strftime"},
    "asyncio": frozenset({"time"}),
    "os": _PROCESS,
    "posix": _PROCESS,
    "threading": _THREAD,
    "_thread": _THREAD,
    "multiprocessing": frozenset({"pid", "ident"}),
    "resource": frozenset({"getrusage"}),
    "shutil": frozenset({"disk_usage"}),
    "sys": frozenset({"getallocatedblocks"}),
    "ssl": frozenset({"RAND_bytes"}),
    "tempfile": frozenset({"mktemp"}),
    "psutil": frozenset(
        {"Process", "boot_time", "cpu_percent", "cpu_times", "disk_usage", "memory_info", "memory_percent", "pids"}
        | {"process_iter", "swap_memory", "virtual_memory"}
    ),
    **dict.fromkeys(("sympy", "sympy.core.random", "sympy.matrices", "sympy.ntheory"), _OF_SYMPY),
    **dict.fromkeys(("sympy.matrices.dense", "sympy.ntheory.generate", "sympy.polys.specialpolys"), _OF_SYMPY),
}
"""By module, what gives something else in every run."""
LOADERS = {
    **dict.fromkeys(("pickle", "_pickle", "dill", "cloudpickle"), frozenset({"load", "loads", "Unpickler"})),
    **dict.fromkeys(("joblib", "torch", "numpy"), frozenset({"load"})),
    "pandas": frozenset({"read_pickle"}),
    "shelve": frozenset({"open"}),
}
"""By module, what looks for classes and functions by the names that stand in data."""
ANY = "?"
"""Stands for an attribute whose name is made while the code runs."""
IMPORTED = "="
"""Marks the first word of a path as the name of a module."""
NOW = ("?now",)
"""Stands for a text that libraries take for the time that it is."""
_NOW = re.compile(
    r"(?i)\s*(?:now|today)\s*$|.*(?:\b(?:random|now)\(\)|\brandomblob\b|\bcurrent_(?:timestamp|date|time)\b|'now')"
)
SHELL_NOW = re.compile(
    r"\bdate\b|\$RANDOM|\$\$|\$EPOCH|\buuidgen\b|\bmktemp\b|/dev/u?random"
    r"|\b(?:curl|wget|ping|ssh|pip|conda)\b|\bgit (?:clone|pull|fetch)\b"
)
"""What shell commands give something else in every run, or ask the network."""
_RUN_COMMANDS = frozenset({"subprocess", "popen", "Popen", "check_output", "getoutput", "getstatusoutput"})
"""Names and attributes of code that may run a command."""
_WORDS = frozenset().union(*FUNCTIONS.values(), *LOADERS.values())
TIMED = re.compile(r"\b(?:%s)" % "|".join(_COUNTERS))
"""Finds what calls of clocks there may be in a source."""
_REFERENCE = re.compile(r"@([^\W\d]\w*)")
NAME = re.compile(r"[^\W\d]\w*")
_LONGEST_TEXT = 5000
_MOST_ALIASES = 50


def names_in_text(text: str) -> "set[str]":
    """Return the variables that libraries may look for because of a text: `@limit` of a query, those of a formula."""
    if len(text) > _LONGEST_TEXT:
        return set()
    if "~" in text:
        return set(NAME.findall(text))
    return set(_REFERENCE.findall(text)) if "@" in text else set()


def unsteady_paths(tree: ast.Module, timed: "list[ast.expr] | tuple[()]" = ()) -> "dict[str, set[tuple[str, ...]]]":
    """Return the paths that may be such calls, by the names of all functions around them; `""` has the cell's own.

    `timed` is what `durations` gave.
    """
    found: dict[str, set[tuple[str, ...]]] = {}
    exempt = frozenset(identity(node) for node in timed)
    aliases: dict[str, set[tuple[str, ...]]] | None = None
    waiting: list[tuple[ast.AST, tuple[str, ...]]] = [(tree, ("",))]
    commands = any(getattr(node, "id", getattr(node, "attr", "")) in _RUN_COMMANDS for node in walk(tree))
    while waiting:
        node, owners = waiting.pop()
        if commands and _text_of_command(node):
            for owner in owners:
                found.setdefault(owner, set()).add(NOW)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            name = getattr(node, "name", "<lambda>")
            owners = (name,) if owners == ("",) else (*owners, name)
        for path in _paths(node):
            if identity(node) not in exempt:
                aliases = given_names(tree) if aliases is None else aliases
                for owner in owners:
                    found.setdefault(owner, set()).update([path, *in_full(path, aliases)])
        waiting.extend((child, owners) for child in children(node))
    return found


def _text_of_command(node: ast.AST) -> bool:
    """Tell whether a text would, as a command or the first word of one, give something else in every run."""
    text = node.value if isinstance(node, ast.Constant) else None
    return isinstance(text, str) and len(text) < _LONGEST_TEXT and SHELL_NOW.search(text) is not None


def given_names(tree: ast.AST) -> "dict[str, set[tuple[str, ...]]]":
    """Return what the names stand for that code gives to what it imports, or to what has a name: `=module` first."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for node in walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for name, module, word in imported_names(node):
                found.setdefault(name, set()).add((module, word) if word else (module,))
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            _give(found, [target for target in targets if isinstance(target, ast.Name)], node.value)
        elif isinstance(node, (ast.For, ast.AsyncFor)) and isinstance(node.iter, (ast.Tuple, ast.List)):
            for element in node.iter.elts:
                _give(found, [node.target] if isinstance(node.target, ast.Name) else [], element)
        elif isinstance(node, ast.arguments):
            places = [*node.posonlyargs, *node.args][-len(node.defaults) or len(node.args) :]
            for place, value in [*zip(places, node.defaults), *zip(node.kwonlyargs, node.kw_defaults)]:
                if value is not None:
                    _give(found, [ast.Name(place.arg)], value)
    return found


def imported_names(node: "ast.Import | ast.ImportFrom") -> "Iterator[tuple[str, str, str]]":
    """Yield each name that an import gives, its module with a mark before it, and which of its words it is, if one."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            if node.module:
                yield alias.asname or alias.name, IMPORTED + node.module, alias.name
        elif alias.asname:
            yield alias.asname, IMPORTED + alias.name, ""
        else:
            module = alias.name.partition(".")[0]
            yield module, IMPORTED + module, ""


def _give(found: "dict[str, set[tuple[str, ...]]]", names: "list[ast.Name]", value: ast.expr) -> None:
    path = dotted(value) if isinstance(value, (ast.Name, ast.Attribute)) else ()
    for name in names:
        if path and path[0] != name.id:
            found.setdefault(name.id, set()).add(path)


def in_full(path: "tuple[str, ...]", aliases: "dict[str, set[tuple[str, ...]]]") -> "set[tuple[str, ...]]":
    """Return the paths that a path is where its first name is another one for something, the shortest ones first."""
    found: set[tuple[str, ...]] = set()
    waiting = deque([path])
    while waiting and len(found) < _MOST_ALIASES:
        one = waiting.popleft()
        for start in sorted(aliases.get(one[0], ())):  # in every process the same, also where there are too many
            longer = (*start, *one[1:])
            if longer not in found:
                found.add(longer)
                waiting.append(longer)
    return found


def timers(tree: ast.Module, timed: "list[ast.expr]") -> "set[str]":
    """Return the names by which functions are called for durations alone: `time() - t0`."""
    called = {node.id for node in timed if isinstance(node, ast.Name)}
    if not called:
        return called
    exempt = {identity(node) for node in timed}
    return called - {node.id for node in walk(tree) if isinstance(node, ast.Name) and identity(node) not in exempt}


def resolve(path: "tuple[str, ...]", variables: "dict[str, Any]") -> "tuple[str, str]":
    """Return the module that a path starts from, as far as it leads through modules, and its last word."""
    value = variables.get(path[0])
    rest = list(path[1:])
    if path[0].startswith(IMPORTED):
        name = path[0][1:]
    elif isinstance(value, types.ModuleType):
        name = name_of_module(value)
    else:
        name = text_of(getattr(type(value), "__module__", "")).partition(".")[0]
        return (name, rest[-1]) if name == "asyncio" and rest else ("", "")
    last = rest.pop() if rest else ""
    return deepest(name, rest), last


def deepest(module: str, rest: "list[str]") -> str:
    """Return the module that a dotted path ends in, and take its words off the rest."""
    while rest and "%s.%s" % (module, rest[0]) in sys.modules:
        module = "%s.%s" % (module, rest.pop(0))
    return module


def is_unsteady(value: Any) -> bool:
    """Tell whether a value is a function that gives something else in every run."""
    if type(value) not in (types.BuiltinFunctionType, types.FunctionType):
        return False
    module, name = text_of(getattr(value, "__module__", "")), getattr(value, "__name__", "")
    if module in FUNCTIONS and name in FUNCTIONS[module]:
        return True
    return name in _DATES and isinstance(getattr(value, "__self__", None), type)


def says_now(text: str) -> bool:
    """Tell whether libraries may take a text for the time that it is."""
    return _NOW.match(text[:_LONGEST_TEXT]) is not None


def is_loader(value: Any) -> bool:
    """Tell whether a value is a function, or a class, that looks for classes by the names in data."""
    module = text_of(getattr(value, "__module__", "")).partition(".")[0]
    return module in LOADERS and getattr(value, "__name__", "") in LOADERS[module]


def _paths(node: ast.AST) -> "Iterator[tuple[str, ...]]":
    if isinstance(node, ast.Attribute) and node.attr in _WORDS:
        path = dotted(node)
        if path:
            yield path
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        path = dotted(node.args[0]) if len(node.args) > 1 else ()
        if path:
            word = node.args[1]
            yield (*path, word.value if isinstance(word, ast.Constant) and isinstance(word.value, str) else ANY)
    elif isinstance(node, ast.ImportFrom):
        for _, module, name in imported_names(node):
            if name in _WORDS:
                yield module, name
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and says_now(node.value):
        yield NOW


def durations(tree: ast.Module) -> "list[ast.expr]":
    """Return what is called as a clock where only the difference of two times matters.

    A time is subtracted from another at once, or by a name that is used for nothing else.
    """
    sides: set[int] = set()
    stored: dict[str, list[ast.Call]] = {}
    loads: dict[str, list[int]] = {}
    stores: dict[str, int] = {}
    calls: list[ast.Call] = []
    for node in walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            if not isinstance(node.left, ast.Constant) and not isinstance(node.right, ast.Constant):
                sides.update((identity(node.left), identity(node.right)))
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            if _is_time(node.value):
                stored.setdefault(node.targets[0].id, []).append(node.value)  # type: ignore[arg-type]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            loads.setdefault(node.id, []).append(identity(node))
        elif isinstance(node, ast.Name):
            stores[node.id] = stores.get(node.id, 0) + 1
        if _is_time(node):
            calls.append(node)
    for name, made in stored.items():
        if len(made) == stores[name] and name in loads and sides.issuperset(loads[name]):
            sides.update(map(identity, made))
    return [call.func for call in calls if identity(call) in sides]


def _called(node: ast.Call) -> str:
    """Return the last word of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_time(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or node.args or node.keywords:
        return False
    return _called(node) in _TIMES


def dotted(node: ast.AST) -> "tuple[str, ...]":
    """Return the dotted path of what an expression starts from; empty where it starts from no name."""
    parts: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        elif isinstance(node, (ast.Subscript, ast.NamedExpr)):
            node = node.value
        elif isinstance(node, ast.Call) and _imports(node):
            return (IMPORTED + str(node.args[0].value), *reversed(parts))  # type: ignore[attr-defined]
        elif isinstance(node, ast.Call) and _gets_attribute(node):
            parts.append(str(node.args[1].value) if isinstance(node.args[1], ast.Constant) else ANY)
            node = node.args[0]
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Await):
            node = node.value
        elif isinstance(node, ast.Name):
            return (node.id, *reversed(parts))
        else:
            return ()


def _imports(node: ast.Call) -> bool:
    """Tell whether a call imports a module whose name stands in it."""
    named = bool(node.args) and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
    return named and _called(node) in ("__import__", "import_module")


def _gets_attribute(node: ast.Call) -> bool:
    named = isinstance(node.func, ast.Name) and node.func.id == "getattr" and len(node.args) > 1
    return named and (not isinstance(node.args[1], ast.Constant) or isinstance(node.args[1].value, str))


def name_of_module(module: types.ModuleType) -> str:
    """Return what a module says that it is called, whatever its class makes of that."""
    return text_of(module_dict_of(module).get("__name__"))


def text_of(value: Any) -> str:
    """Return a plain text, and an empty one for whatever else code has put in its place."""
    return value if type(value) is str else ""
