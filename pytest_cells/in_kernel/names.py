"""Which names of the notebook a cell's code may load, store and delete, and which of its effects show in its text.

Pure: a source goes in (IPython's syntax already transformed), facts come out; nothing is executed. What is not
understood is named as a reason, so that whoever asks can treat the cell as one that may do anything.
"""

import __future__

import ast
import builtins
import re
import sys
from typing import Any

from .classes import identity
from .trees import children, parse, scopes_of, walk
from .unsteady import (
    NAME,
    SHELL_NOW,
    TIMED,
    dotted,
    durations,
    given_names,
    imported_names,
    in_full,
    names_in_text,
    timers,
    unsteady_paths,
)

CLOCKS = frozenset(
    {"now", "today", "utcnow", "localtime", "gmtime", "ctime", "asctime", "uuid1", "uuid6", "uuid7"}
    | {"getmtime", "getatime", "getctime", "st_mtime", "st_atime", "st_ctime", "st_mtime_ns", "st_atime_ns"}
    | {"st_ctime_ns"}
)
"""Attributes that give a date or the time of a file: a cell that loads one is executed every time."""
DYNAMIC = frozenset(
    {"globals", "locals", "vars", "dir", "eval", "exec", "compile", "get_ipython", "__import__", "__builtins__"}
    | {"__main__", "breakpoint", "input", "In", "Out", "_", "__", "___", "_i", "_ii", "_iii", "_ih", "_oh", "_dh"}
    | {"modules", "inspect", "gc", "_getframe", "_current_frames", "currentframe", "f_globals", "f_back", "__globals__"}
    | {"_inst", "_rand", "mtrand", "get_bit_generator", "set_bit_generator", "_bit_generator"}
    | {"get_type_hints", "testmod", "finalize", "chmod", "lchmod", "chown", "symlink", "symlink_to", "hardlink_to"}
    | {"ioff", "isinteractive", "is_interactive", "get_backend"}
    | {"__subclasses__", "user_ns", "run_cell", "run_line_magic", "ex", "ev", "__loader__", "__spec__"}
    | {"__enter__", "__aenter__", "enter_context", "enter_async_context"}
)
"""Names and attributes by which code reaches names that do not stand in it, or what came before it.

What is entered by name need not be left when the cell ends, as after `with`: a setting may stay. What `plt.ioff()` does
depends on whether a figure was made before, which lets matplotlib load its backend.
"""
OUTPUT = re.compile(r"_\d+$")
"""What IPython calls the outputs of cells."""
_READS_MAIN = frozenset({"cProfile", "doctest", "profile", "timeit"})
"""Modules that execute texts with the notebook's names, or look for tests among them; `unittest.main` does too."""
BENEATH = frozenset({"posix", "nt"})
"""Modules beneath `os`: what is done through them is not observed."""
_FORMULAS = frozenset(
    {"build_design_matrices", "design_matrices", "dmatrices", "dmatrix", "evaluate", "model_matrix", "numexpr"}
    | {"re_formula", "vc_formula"}
)
"""Words of cells in which a text may be a formula although no `~` stands in it."""
HARMLESS_LINE_MAGICS = frozenset({"time", "timeit", "matplotlib", "precision", "pprint", "config"})
"""Line magics that do nothing beside what is observed anyway; the first two have code for an argument."""
HARMLESS_CELL_MAGICS = frozenset({"time", "timeit", "capture"})
WITH_CODE = frozenset({"time", "timeit"})
_EXPANDED = re.compile(r"\{[^{}]*\}|\$\w+")
"""Finds what IPython replaces by values of variables in the line of a magic."""
MAGIC_CALLS = ("run_line_magic", "run_cell_magic", "system", "getoutput")
SHELLS = frozenset({"bash", "sh", "script", "!", "sx", "system", "pip", "conda", "mamba", "uv"})
PURE_BUILTINS = frozenset(vars(builtins)) - {"setattr", "delattr", "open", "exec", "eval", "compile", "__import__"}
HARMLESS = {
    "": frozenset({"print", "display"}),
    "matplotlib.pyplot": None,
    "IPython.display": None,
    "IPython.core.display": None,
    "IPython.core.display_functions": None,
    "IPython.lib.display": None,
    "time": frozenset({"sleep"}),
    "gc": frozenset({"collect"}),
    "os": frozenset(
        {"makedirs", "mkdir", "remove", "unlink", "rename", "replace", "chdir", "rmdir", "system", "putenv"}
        | {"cpu_count", "environ", "getcwd", "getenv", "listdir", "scandir", "stat", "walk"}
    ),
    "os.environ": None,
    "os.path": None,
    "shutil": frozenset(
        {"copy", "copy2", "copyfile", "copyfileobj", "copymode", "copystat", "copytree", "move", "rmtree", "chown"}
        | {"make_archive", "unpack_archive", "disk_usage", "which", "get_terminal_size"}
    ),
    "sys": frozenset({"path", "stdout", "stderr", "setrecursionlimit", "getrecursionlimit", "exit"}),
    "io": frozenset({"StringIO", "BytesIO"}),
    "urllib.request": frozenset({"urlretrieve"}),
    "json": frozenset({"dump", "dumps", "load", "loads"}),
    "pickle": frozenset({"dump", "dumps"}),
    "random": frozenset({"seed", "setstate", "shuffle"}),
    "numpy.random": frozenset({"seed", "set_state", "shuffle"}),
    "numpy.testing": None,
    "numpy": None,
    "pandas": frozenset({"set_option", "reset_option", "options", "testing"}),
    "pandas.testing": None,
    "warnings": frozenset({"filterwarnings", "simplefilter", "warn", "resetwarnings"}),
    "heapq": None,
    "bisect": None,
    "math": None,
    "operator": None,
    "csv": frozenset({"reader", "writer", "DictReader", "DictWriter", "Sniffer", "list_dialects", "get_dialect"}),
    "matplotlib": frozenset({"rcParams", "rc", "rcdefaults", "rc_file_defaults"}),
    "matplotlib.style": frozenset({"use", "context"}),
    "pytest": frozenset({"raises", "skip", "fail", "approx", "importorskip"}),
    "unittest": None,
    "pathlib": None,
    "pprint": None,
    "functools": None,
    "dataclasses": None,
    "contextlib": None,
    "typing": None,
    "enum": None,
    "numba": frozenset({"jit", "njit", "vectorize", "guvectorize"}),
    "decimal": frozenset({"getcontext", "Decimal"}),
    "locale": None,
    "itertools": None,
    "builtins": frozenset({"print"}),
}
"""What may be called for its effect alone, by module: it leaves nothing behind that is not observed. None for all."""
HARMLESS_PACKAGES = frozenset({"networkx", "numpy", "pandas", "scipy", "seaborn", "sklearn", "statsmodels", "xarray"})
"""Packages that may be called for their effect alone, but for setters: what they draw is observed, no more stays."""
HARMLESS_OF_PYTHON = frozenset(
    {"abc", "ast", "base64", "binascii", "calendar", "cmath", "collections", "colorsys", "copy", "datetime", "difflib"}
    | {"dis", "fnmatch", "fractions", "glob", "hashlib", "html", "numbers", "platform", "random", "re", "shlex"}
    | {"statistics", "string", "struct", "textwrap", "traceback", "unicodedata", "urllib.parse", "uuid", "zlib"}
)
"""Modules of Python's own of which that is true too, but for methods of classes, which change what they are given."""
READERS = frozenset(
    {"copy", "count", "get", "index", "item", "items", "keys", "values"}
    | {"elements", "most_common", "total"}
    | {"end", "findall", "finditer", "fullmatch", "group", "groupdict", "groups", "match", "search", "span", "start"}
    | {"read", "read_bytes", "read_text", "readline", "readlines"}
    | {"capitalize", "decode", "encode", "endswith", "format", "join", "ljust", "lower", "lstrip", "replace", "rjust"}
    | {"rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "sub", "subn", "title", "upper", "zfill"}
    | {"date", "digest", "hexdigest", "isoformat", "strftime", "total_seconds"}
    | {"all", "any", "astype", "describe", "dot", "groupby", "head", "isna", "isnull", "max", "mean", "median", "min"}
    | {"notna", "notnull", "nunique", "prod", "ravel", "reshape", "reset_index", "round", "set_index", "sort_index"}
    | {"cdf", "isf", "logpdf", "pdf", "pmf", "ppf", "sf", "substitute"}
    | {"sort_values", "std", "sum", "tail", "to_dict", "to_list", "to_numpy", "to_string", "tolist", "transpose"}
    | {"unique", "value_counts", "var"}
)
"""Methods that give something of an object and, of whatever class it is, leave what a library holds as it was."""
BY_C_NAME = {
    "_bisect": "bisect",
    "_collections": "collections",
    "_csv": "csv",
    "_datetime": "datetime",
    "_functools": "functools",
    "_heapq": "heapq",
    "_json": "json",
    "_operator": "operator",
    "_pickle": "pickle",
    "_random": "random",
    "_statistics": "statistics",
    "_struct": "struct",
    "nt": "os",
    "posix": "os",
}
"""What functions that are written in C call the module that gives them to everybody."""
_SPEAKING = frozenset(
    {"__hello__", "antigravity", "this", "aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt"}
    | {"distutils", "imghdr", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes"}
    | {"smtpd", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"}
)
"""Modules of Python's own that print, or warn that they will go."""
SILENT = (HARMLESS_PACKAGES | {"matplotlib"} | sys.stdlib_module_names) - _SPEAKING
"""Packages that show nothing when they are imported for the first time."""
SETTERS = re.compile(
    r"^_?(?:clear|config|deregister|disable|enable|eval|install|patch|register|reset|set|unregister|use)"
)
"""Begins the names of functions, and of modules, that set something which stays."""
IS_SETTER = re.compile(
    r"_?(?:clear|config|configure|deregister|disable|enable|install|patch|register|reset|set|seterr|setfirstweekday"
    r"|setitimer|unregister|use)(?![a-z])"
)
"""Begins the names of functions of which that is sure enough wherever they stand: they may be called later."""
CHANGERS = re.compile(
    r"_?(?:add|append|clear|config|deregister|disable|enable|extend|insert|install|register|remove|reset|set|unregister"
    r"|update|(?:load|patch|pop|use)(?![a-z]))"
)
"""Begins the names of methods that change the object that they are called on."""
HARMFUL = {
    "matplotlib.pyplot": frozenset({"switch_backend"}),
    "numpy": frozenset(
        {"set_string_function", "set_numeric_ops", "setbufsize", "seterrcall", "seterrobj", "add_docstring"}
        | {"add_newdoc", "add_newdoc_ufunc", "seterr_call"}
    ),
}
"""What of those does leave something behind."""


class Names:
    """What the source of one cell says."""

    __slots__ = (
        "addresses", "asked_modules", "calls", "commands", "constants", "definite", "deletes", "dynamic", "handings",
        "imports", "inner", "inner_stores", "late", "loads", "magics", "stores", "timers", "unsteady",
        "unsteady_commands", "volatile", "words",
    )  # fmt: skip

    def __init__(self) -> None:
        self.loads: set[str] = set()
        """Names that may be loaded before the cell itself has surely stored them."""
        self.stores: set[str] = set()
        """All names that may be stored."""
        self.definite: set[str] = set()
        """Of them, those that are surely stored if the cell ends without an error."""
        self.deletes: set[str] = set()
        self.late: set[str] = set()
        """Names that code loads which is only defined here: it may run whenever."""
        self.dynamic: list[str] = []
        """Why names may be reached that do not stand here."""
        self.volatile: list[str] = []
        self.addresses: list[str] = []
        """Addresses of the web that stand here: what is asked there shows, unless a library of C does it."""
        self.magics: list[str] = []
        """Magics whose effects are not known."""
        self.commands: list[str] = []
        """Commands that start a process, if they run at all."""
        self.unsteady_commands: list[str] = []
        """Why such a command gives something else in every run."""
        self.asked_modules: set[str] = set()
        """Modules of which it is asked whether they are loaded: `"name" in sys.modules`."""
        self.calls: list[tuple[str, ...]] = []
        """Dotted paths of what is called for its effect alone, stored into, or used as a decorator."""
        self.inner: dict[str, list[tuple[str, ...]]] = {}
        """The same inside functions, by the functions' own names."""
        self.inner_stores: set[str] = set()
        """Names that functions defined here may store."""
        self.handings: list[Any] = []
        """Where code may be handed over to a library, as far as that has to be known."""
        self.imports: set[str] = set()
        self.constants: set[Any] = set()
        """Whole numbers and short texts that stand in the source: what generators may be seeded with."""
        self.unsteady: dict[str, set[tuple[str, ...]]] = {}
        """Paths that may give something else in every run, by the names of the functions around them."""
        self.timers: set[str] = set()
        """Names that are called for durations alone."""
        self.words: set[str] = set()
        """All names and attributes that stand in it."""

    @property
    def overwritten(self) -> "set[str]":
        """Names whose earlier value cannot matter: stored before anything loads them."""
        return (self.definite - self.loads) - self.late - self.deletes


def analyse(source: str) -> "Names | None":
    """Return what a transformed source says, or None where it is no Python."""
    try:
        tree = parse(source)
        scopes = scopes_of(source) if "await" not in source else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = Names()
    try:
        _inner_names(found, scopes, tree)
        found.calls.extend(_patches(tree, _aliases(tree)))
        _Reader(found).block(tree.body, set())
        _say_in_full(found, tree)
        timed = durations(tree) if TIMED.search(source) else []
        found.unsteady, found.timers = unsteady_paths(tree, timed), timers(tree, timed)
        found.words.update(NAME.findall(source))
        if not _FORMULAS.isdisjoint(found.words):
            texts = [value for value in found.constants if type(value) is str]
            found.loads |= {name for text in texts for name in NAME.findall(text)} - found.definite
    except RecursionError:
        found.dynamic.append("code nested too deeply")
    return found


STORE = "="
"""Marks the path of something that is stored into, or deleted from."""
REFERENCE = "&"
"""Marks the path of something that is handed on to what is called for its effect."""
CHANGED = "&="
"""Marks the path of something that such a call may change, when it is a list or the like."""
GIVEN = "&>"
"""Marks the name of what is called for its effect, before the path of something that is handed on to it."""
SETTER = "&!"
"""Marks the path of what is named like a function that sets something, whatever is done with it."""
MARKS = (REFERENCE, CHANGED, SETTER)
PATCHING = frozenset({"setattr", "delattr", "__setattr__", "__delattr__", "__dict__", "vars"})
"""Names by which an object is changed without an assignment to its attribute."""


def _patches(part: ast.AST, aliases: "dict[str, str]") -> "list[tuple[str, ...]]":
    """Return the paths of what a piece of code stores into, in whatever syntax."""
    found = []
    called = {identity(node.func) for node in walk(part) if isinstance(node, ast.Call)}
    for node in walk(part):
        owner: ast.AST | None = None
        if (
            (isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)))
            or (isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)))
            or (isinstance(node, ast.Attribute) and node.attr in PATCHING)
        ):
            owner = node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PATCHING:
            owner = node.args[0] if node.args else node
            if isinstance(owner, ast.Name):
                owner = ast.Attribute(owner, "?", ast.Store())
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            owner = node.target  # changes a list in place
        elif isinstance(node, ast.Name) and node.id in ("setattr", "delattr") and identity(node) not in called:
            owner = node  # handed on: who knows what it is called with
        if owner is not None:
            path = dotted(owner) or ("?",)
            found.append((STORE, *(aliases.get(path[0], path[0]), *path[1:])))
    return found


def _aliases(part: ast.AST) -> "dict[str, str]":
    """Return by local name the modules that a piece of code imports, marked as such."""
    found: dict[str, str] = {}
    for node in walk(part):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update((name, module) for name, module, _ in imported_names(node))
    return found


def _say_in_full(found: Names, tree: ast.Module) -> None:
    """Add the paths of what is called by names that nobody finds any more when it is judged."""
    if any(found.inner.values()):
        given: dict[str, set[tuple[str, ...]]] = {}
        for node in walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                for name, paths in given_names(node).items():
                    given.setdefault(name, set()).update(paths)
        for effects in found.inner.values():
            effects.extend(_longer(effects, given))
    gone = [path for path in found.calls if not found.deletes.isdisjoint(path[:2])]
    if gone:
        found.calls.extend(_longer(gone, given_names(tree)))


def _longer(paths: "list[tuple[str, ...]]", given: "dict[str, set[tuple[str, ...]]]") -> "list[tuple[str, ...]]":
    found = []
    for path in paths:
        marker, plain = (path[:1], path[1:]) if path[0] in (STORE, *MARKS) else ((), path)
        if plain[0] != GIVEN:
            found += [(*marker, *longer) for longer in sorted(in_full(plain, given))]
    return found


def _inner_names(found: Names, scopes: Any, tree: ast.Module) -> None:
    """Note which names of the notebook functions, classes and comprehensions load and store."""
    waiting = list(scopes.get_children()) if scopes is not None else []
    while waiting:
        scope = waiting.pop()
        waiting.extend(scope.get_children())
        for symbol in scope.get_symbols():
            falls_through = scope.get_type() == "class" and symbol.is_referenced()
            if symbol.is_global() or falls_through:
                found.late.add(symbol.get_name())
                if symbol.is_assigned() and symbol.is_declared_global():
                    found.inner_stores.add(symbol.get_name())
    for part in _comprehensions(tree):  # from Python 3.13 on those of the cell itself are no scopes
        found.late.update(_free(part, frozenset(), inside=False))
    if scopes is None:  # a top-level await is no syntax for symtable: every name in inner code counts
        for part in walk(tree):
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, *_COMPREHENSIONS)):
                found.late.update(name.id for name in walk(part) if isinstance(name, ast.Name))
            elif isinstance(part, ast.Global):
                found.inner_stores.update(part.names)
    found.loads |= found.late
    found.dynamic.extend(sorted(filter(_is_dynamic, found.late)))


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _free(part: Any, bound: "frozenset[str]", *, inside: bool = True) -> "set[str]":
    """Return the names that a part of a comprehension loads and that no scope in it binds.

    What a comprehension goes through first belongs to the scope around it: it counts if that is `inside` another.
    """
    if isinstance(part, ast.Name):
        return {part.id} - bound if isinstance(part.ctx, ast.Load) else set()
    inner, parts, found = bound, list(children(part)), set[str]()
    if isinstance(part, _COMPREHENSIONS):
        targets = [name for one in part.generators for name in walk(one.target) if isinstance(name, ast.Name)]
        inner = bound | {name.id for name in targets}
        first = part.generators[0].iter
        if inside:
            found = _free(first, bound)
        parts += [child for one in part.generators for child in children(one)]
        parts = [child for child in parts if child is not first and child not in part.generators]
    elif isinstance(part, ast.Lambda):
        inner = bound | {argument.arg for argument in walk(part.args) if isinstance(argument, ast.arg)}
    return found.union(*(_free(child, inner) for child in parts))


def _comprehensions(tree: ast.Module) -> "list[Any]":
    """Return the comprehensions that stand in no function and no class."""
    found: list[Any] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, _COMPREHENSIONS):
            found.append(part)
            waiting.append(part.generators[0].iter)
        elif isinstance(part, _FUNCTIONS):
            waiting += [*part.args.defaults, *filter(None, part.args.kw_defaults), *getattr(part, "decorator_list", ())]
        elif isinstance(part, ast.ClassDef):
            waiting += [*part.bases, *part.keywords, *part.decorator_list]
        else:
            waiting += children(part)
    return found


class _Reader:
    """Walk statements in the order in which they run, knowing what is surely stored by then."""

    def __init__(self, found: Names) -> None:
        self.found = found

    def block(self, body: "list[ast.stmt]", defined: "set[str]") -> "set[str]":
        """Walk statements; return what is stored for sure after them."""
        for statement in body:
            defined = self.statement(statement, defined)
        self.found.definite |= defined
        return defined

    def branch(self, body: "list[ast.stmt]", defined: "set[str]") -> "set[str]":
        for statement in body:
            defined = self.statement(statement, defined)
        return defined

    def statement(self, node: ast.stmt, defined: "set[str]") -> "set[str]":
        defined = set(defined)
        found = self.found
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for decorator in node.decorator_list:
                self.decorator(decorator, defined)
            for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]:
                self.expression(default, defined)
            for annotation in _annotations(node):
                self.expression(annotation, defined)
            self.function(node, node.name)
            return self.store(node.name, defined)
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                self.decorator(decorator, defined)
            for base in [*node.bases, *(keyword.value for keyword in node.keywords)]:
                self.expression(base, defined)
            self.class_body(node, defined)
            return self.store(node.name, defined)
        if isinstance(node, ast.If):
            self.expression(node.test, defined)
            one, other = self.branch(node.body, defined), self.branch(node.orelse, defined)
            return one & other
        if isinstance(node, (ast.For, ast.AsyncFor)):
            self.expression(node.iter, defined)
            inside = self.target(node.target, defined)
            self.branch(node.body, inside)
            self.branch(node.orelse, defined)
            return defined
        if isinstance(node, ast.While):
            self.expression(node.test, defined)
            self.branch(node.body, defined)
            self.branch(node.orelse, defined)
            return defined
        if isinstance(node, (ast.With, ast.AsyncWith)):
            for item in node.items:
                self.expression(item.context_expr, defined)
                if item.optional_vars is not None:
                    defined = self.target(item.optional_vars, defined)
            self.branch(node.body, defined)  # what it raises may be swallowed: nothing in it is sure
            return defined
        if isinstance(node, ast.Try) or type(node).__name__ == "TryStar":
            self.branch(node.body, defined)  # type: ignore[attr-defined]
            for handler in node.handlers:  # type: ignore[attr-defined]
                if handler.type is not None:
                    self.expression(handler.type, defined)
                inside = set(defined)
                if handler.name:
                    inside = self.store(handler.name, inside)
                    found.deletes.add(handler.name)
                self.branch(handler.body, inside)
            self.branch(node.orelse, defined)  # type: ignore[attr-defined]
            return self.branch(node.finalbody, defined)  # type: ignore[attr-defined]
        if type(node).__name__ == "Match":
            self.expression(node.subject, defined)  # type: ignore[attr-defined]
            for case in node.cases:  # type: ignore[attr-defined]
                inside = set(defined)
                for part in walk(case.pattern):
                    for name in (getattr(part, "name", None), getattr(part, "rest", None)):
                        if isinstance(name, str):
                            inside = self.store(name, inside)
                    if isinstance(part, ast.expr):
                        self.expression(part, defined)
                if case.guard is not None:
                    self.expression(case.guard, inside)
                self.branch(case.body, inside)
            return defined
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            return self.imported(node, defined)
        if isinstance(node, ast.Assign):
            self.expression(node.value, defined)
            for target in node.targets:
                defined = self.target(target, defined)
            return defined
        if isinstance(node, ast.AnnAssign):
            self.expression(node.annotation, defined)
            if node.value is not None:
                self.expression(node.value, defined)
                return self.target(node.target, defined)
            return defined
        if isinstance(node, ast.AugAssign):
            self.expression(node.value, defined)
            if isinstance(node.target, ast.Name):
                self.load(node.target.id, defined)
            return self.target(node.target, defined)
        if isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    self.load(target.id, defined)
                    found.deletes.add(target.id)
                    defined.discard(target.id)
                else:
                    self.target(target, defined)
            return defined
        if isinstance(node, ast.Expr):
            self.dropped(node.value)
            return self.expression(node.value, defined)
        if type(node).__name__ == "TypeAlias":
            self.late_code(node)
            return self.store(node.name.id, defined)  # type: ignore[attr-defined]
        for child in children(node):
            if isinstance(child, ast.expr):
                defined = self.expression(child, defined)
        return defined

    # -- parts ---------------------------------------------------------------------------------------------

    def load(self, name: str, defined: "set[str]") -> None:
        if IS_SETTER.match(name):
            self.found.calls.append((SETTER, name))
        if name not in defined:
            if _is_dynamic(name):
                self.found.dynamic.append(name)
            self.found.loads.add(name)

    def store(self, name: str, defined: "set[str]") -> "set[str]":
        self.found.stores.add(name)
        return defined | {name}

    def target(self, node: ast.expr, defined: "set[str]") -> "set[str]":
        if isinstance(node, ast.Name):
            return self.store(node.id, defined)
        if isinstance(node, (ast.Tuple, ast.List)):
            for part in node.elts:
                defined = self.target(part, defined)
            return defined
        if isinstance(node, ast.Starred):
            return self.target(node.value, defined)
        if isinstance(node, (ast.Attribute, ast.Subscript)):
            for child in children(node):
                if isinstance(child, ast.expr):
                    defined = self.expression(child, defined)
        return defined

    def dropped(self, node: ast.expr) -> None:
        """Note what is called for its effect alone."""
        for path in _called(node):
            self.found.calls.append(path)

    def decorator(self, node: ast.expr, defined: "set[str]") -> None:
        path = dotted(node.func if isinstance(node, ast.Call) else node)
        self.found.calls.append(path or ("?",))
        self.expression(node, defined)

    def imported(self, node: "ast.Import | ast.ImportFrom", defined: "set[str]") -> "set[str]":
        for alias in node.names:
            if isinstance(node, ast.Import):
                self.found.imports.add(alias.name)
                name = alias.asname or alias.name.partition(".")[0]
                if alias.name == "builtins" and alias.asname:
                    self.found.dynamic.append("builtins by another name")
                if not alias.asname and "." in alias.name:
                    self.found.loads.add(name)  # `import a.b` also finds `a` as it is
            else:
                self.found.imports.add("." * node.level + (node.module or ""))
                name = alias.asname or alias.name
                if name == "*":
                    self.found.dynamic.append("from %s import *" % node.module)
                    continue
            if name in DYNAMIC:
                self.found.dynamic.append(name)
            if alias.name in DYNAMIC:
                self.found.dynamic.append(alias.name)
            if isinstance(node, ast.ImportFrom) and _changes_others(node.module or "", alias.name):
                self.found.dynamic.append("from %s import %s" % (node.module, alias.name))
            if alias.name in CLOCKS:
                self.found.volatile.append("the clock (%s)" % alias.name)
            if alias.name in BENEATH or getattr(node, "module", None) in BENEATH:
                self.found.volatile.append("%s, whose calls are not observed" % " or ".join(sorted(BENEATH)))
            defined = self.store(name, defined)
        return defined

    def expression(self, node: ast.expr, defined: "set[str]") -> "set[str]":
        """Walk an expression; return what is stored for sure after it (by `:=`)."""
        if isinstance(node, ast.Name):
            self.load(node.id, defined)
            return defined
        if isinstance(node, ast.Constant):
            self.constant(node.value)
            return defined
        if isinstance(node, ast.Lambda):
            for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]:
                self.expression(default, defined)
            self.function(node, "<lambda>")
            return defined
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            self.expression(node.generators[0].iter, defined)  # evaluated here, the rest in a scope of its own
            self.late_code(node)
            for part in walk(node):
                if isinstance(part, ast.NamedExpr) and isinstance(part.target, ast.Name):
                    self.found.stores.add(part.target.id)
                    self.found.loads.add(part.target.id)
                self.noted(part)
            return defined
        if isinstance(node, ast.NamedExpr):
            self.expression(node.value, defined)
            return self.target(node.target, defined)
        if isinstance(node, (ast.BoolOp, ast.IfExp)):
            for child in children(node):
                if isinstance(child, ast.expr):
                    self.expression(child, defined)
            return defined
        if isinstance(node, ast.Call) and self.magic(node, defined):
            return defined
        if isinstance(node, ast.Compare) and _asks_for_module(node):
            self.found.asked_modules.add(_text(node.left))
            self.load("sys", defined)
            return defined
        self.noted(node)
        for child in children(node):
            if isinstance(child, ast.expr):
                defined = self.expression(child, defined)
            elif isinstance(child, ast.keyword):
                defined = self.expression(child.value, defined)
        return defined

    def noted(self, node: ast.AST) -> None:
        """Note what an attribute's name alone tells."""
        if isinstance(node, ast.Attribute):
            if node.attr in CLOCKS:
                self.found.volatile.append("the clock (%s)" % node.attr)
            self.reaches(node)
            self.found.calls.extend(_setters(node))
            if node.attr == "_data" and "environ" in dotted(node.value):
                self.found.volatile.append("what is beneath os.environ")
        elif isinstance(node, ast.Constant):
            self.constant(node.value)

    def reaches(self, node: ast.Attribute) -> None:
        """Note attributes by which code reaches names that do not stand in it: in texts, or as tests among them."""
        path = dotted(node)
        of_a_library = node.attr == "compile" and path and path[0] != "builtins"  # `re.compile`
        if node.attr in DYNAMIC and not of_a_library:
            self.found.dynamic.append(node.attr)
        if path == ("unittest", "main") or (path[:1] and path[0] in _READS_MAIN and path[-1] != "default_timer"):
            self.found.dynamic.append(".".join(path))

    def constant(self, value: Any) -> None:
        if type(value) is str:
            self.found.loads |= names_in_text(value) - self.found.definite
        if type(value) in (int, str) and (type(value) is int or len(value) < 64):
            self.found.constants.add(value)
        if isinstance(value, str) and "://" in value and not value.startswith("file://") and " " not in value[:200]:
            web = value.startswith(("http://", "https://"))
            (self.found.addresses if web else self.found.volatile).append("an address (%s)" % value[:60])

    def magic(self, node: ast.Call, defined: "set[str]") -> bool:
        """Take in a magic, as IPython writes it: `get_ipython().run_line_magic(name, text)`."""
        called = node.func
        if not (
            isinstance(called, ast.Attribute)
            and called.attr in MAGIC_CALLS
            and isinstance(called.value, ast.Call)
            and isinstance(called.value.func, ast.Name)
            and called.value.func.id == "get_ipython"
        ):
            return False
        texts = [_text(arg) for arg in node.args]
        name = texts[0] if texts else ""
        for part in _EXPANDED.findall(texts[1] if len(texts) > 1 else ""):
            for word in NAME.findall(part):
                self.load(word, defined)
        if called.attr == "run_line_magic" and name in HARMLESS_LINE_MAGICS and len(texts) > 1:
            if name in WITH_CODE:
                self.code(name, texts[1], defined)
            elif name == "matplotlib":
                self.found.calls.append(("?matplotlib", texts[1].strip()))
            return True
        if called.attr == "run_cell_magic" and name in HARMLESS_CELL_MAGICS and len(texts) > 2:
            if name == "capture":
                for word in texts[1].split():
                    if not word.startswith("-"):
                        self.found.stores.add(word)
                        self.found.loads.add(word)
            elif texts[1]:
                self.code(name, texts[1], defined)
            self.code(name, texts[2], defined)
            return True
        is_command = called.attr not in MAGIC_CALLS[:2]
        magics = self.found.commands if is_command else self.found.magics
        magics.append("%%%s" % name if "magic" in called.attr else "!%s" % name[:40])
        if any(SHELL_NOW.search(text) for text in texts) and (is_command or name in SHELLS):
            volatile = self.found.unsteady_commands if is_command else self.found.volatile
            volatile.append("a command that gives something else in every run")
        return True

    def code(self, magic: str, text: str, defined: "set[str]") -> None:
        """Take in code that a magic is given: nothing in it is sure to be stored."""
        words = text.split(" ")
        while words and words[0].startswith("-"):
            words = words[1:]
        inner = analyse(" ".join(words).strip() if "\n" not in text else text)
        if inner is None:
            self.found.magics.append("%%%s" % magic)
            return
        self.found.loads |= inner.loads - defined
        for name in ("stores", "deletes", "late", "inner_stores", "imports", "constants", "asked_modules"):
            getattr(self.found, name).update(getattr(inner, name))
        for name in ("dynamic", "volatile", "addresses", "magics", "commands", "unsteady_commands", "calls"):
            getattr(self.found, name).extend(getattr(inner, name))
        self.found.loads |= inner.stores - defined
        self.found.inner.update(inner.inner)
        self.found.timers |= inner.timers
        self.found.words |= inner.words
        for owner, paths in inner.unsteady.items():
            self.found.unsteady.setdefault(owner, set()).update(paths)

    def late_code(self, node: ast.AST) -> None:
        """Take in code that may run later, or more than once; its names are taken from the scopes of the whole."""
        for part in walk(node):
            if isinstance(part, (ast.Import, ast.ImportFrom)):
                self._imports_inside(part)

    def _imports_inside(self, node: "ast.Import | ast.ImportFrom") -> None:
        for alias in node.names:
            self.found.imports.add(alias.name if isinstance(node, ast.Import) else node.module or "")
            if alias.name in DYNAMIC:
                self.found.dynamic.append(alias.name)
            if alias.name in CLOCKS:
                self.found.volatile.append("the clock (%s)" % alias.name)

    def function(self, node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda", name: str) -> None:
        """Take in a function and those inside it, which may run whenever: what each does is noted by its name."""
        for part in self.body(node, name):
            for inside in walk(part):
                if isinstance(inside, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                    self.body(inside, getattr(inside, "name", "<lambda>"))

    def body(self, node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda", name: str) -> "list[ast.AST]":
        """Note, by its name, what one function does for its effect, and return the parts of its body."""
        body: list[ast.AST] = list(node.body) if isinstance(node.body, list) else [node.body]
        effects = self.found.inner.setdefault(name, [])
        if isinstance(node, ast.Lambda):
            effects.extend(_called(node.body))
        aliases = _aliases(node)
        for part in body:
            effects.extend(_patches(part, aliases))
            self.late_code(part)
            for inside in walk(part):
                self.noted_inside(inside, effects)
        return body

    def noted_inside(self, node: ast.AST, effects: "list[tuple[str, ...]]") -> None:
        if isinstance(node, ast.Call):
            inner = Names()
            if _Reader(inner).magic(node, set()):
                self.found.dynamic.append("a magic inside a function")
        if isinstance(node, ast.Expr):
            effects.extend(_called(node.value))
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                effects.append(dotted(decorator.func if isinstance(decorator, ast.Call) else decorator) or ("?",))
        elif isinstance(node, ast.Attribute):
            if node.attr in CLOCKS:
                effects.append(("?clock",))
            self.reaches(node)
            effects.extend(_setters(node))
        elif isinstance(node, ast.Name):
            effects.extend(_setters(node))
        elif isinstance(node, ast.Constant):
            self.constant(node.value)

    def class_body(self, node: ast.ClassDef, defined: "set[str]") -> None:
        """Take in a class body: it runs now, and its methods whenever."""
        for part in node.body:
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for decorator in part.decorator_list:
                    self.decorator(decorator, defined)
                for default in [*part.args.defaults, *(d for d in part.args.kw_defaults if d is not None)]:
                    self.expression(default, defined)
                for annotation in _annotations(part):
                    self.expression(annotation, defined)
                self.function(part, part.name)
            else:
                self.late_code(part)
                for inside in walk(part):
                    self.noted(inside)
                    if isinstance(inside, (ast.FunctionDef, ast.AsyncFunctionDef)):  # of a class in this one
                        self.function(inside, inside.name)
                    if isinstance(inside, ast.Expr):
                        self.dropped(inside.value)


def _is_dynamic(name: str) -> bool:
    """Tell whether code that loads a name reaches others by it, or what came before."""
    return name in DYNAMIC or name == "__annotations__" or OUTPUT.match(name) is not None


def _changes_others(module: str, name: str) -> bool:
    """Tell whether an import changes how later cells are compiled, or another module of the library."""
    if module == "__future__":
        mandatory = getattr(getattr(__future__, name, None), "mandatory", None)
        return mandatory is None or mandatory > sys.version_info
    return (
        name.startswith("enable_")
        or (module == "unittest" and name == "main")
        or (module in _READS_MAIN and name != "default_timer")
    )


def _annotations(node: "ast.FunctionDef | ast.AsyncFunctionDef") -> "list[ast.expr]":
    args = node.args
    every = [*getattr(args, "posonlyargs", []), *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
    found = [arg.annotation for arg in every if arg is not None and arg.annotation is not None]
    return [*found, *([node.returns] if node.returns is not None else [])]


def _asks_for_module(node: ast.Compare) -> bool:
    """Tell whether a comparison asks only whether a module is loaded whose name stands in it."""
    alone = len(node.ops) == 1 and isinstance(node.ops[0], (ast.In, ast.NotIn)) and bool(_text(node.left))
    return (
        alone and dotted(node.comparators[0]) == ("sys", "modules") and isinstance(node.comparators[0], ast.Attribute)
    )


def _text(node: ast.AST) -> str:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, str) else ""


def _called(node: ast.AST) -> "list[tuple[str, ...]]":
    """Return the paths of the calls in an expression whose value nobody uses."""
    if isinstance(node, ast.Await):
        return _called(node.value)
    if isinstance(node, ast.Call):
        path = dotted(node)
        return [*([path] if path else []), *_references(node), *_may_change(node)]
    if isinstance(node, (ast.Tuple, ast.List)):
        return [path for part in node.elts for path in _called(part)]
    if isinstance(node, (ast.BoolOp,)):
        return [path for part in node.values for path in _called(part)]
    if isinstance(node, ast.IfExp):
        return _called(node.body) + _called(node.orelse)
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        return _called(node.elt)
    return []


def _setters(node: "ast.Name | ast.Attribute") -> "list[tuple[str, ...]]":
    """Return the path of what is named like a function that sets something, or a method that changes its object."""
    if isinstance(node, ast.Attribute):
        named = IS_SETTER.match(node.attr) or CHANGERS.match(node.attr)
    else:
        named = IS_SETTER.match(node.id)
    path = dotted(node) if named and isinstance(node.ctx, ast.Load) else ()
    return [(SETTER, *path)] if path else []


def _may_change(node: ast.Call) -> "list[tuple[str, ...]]":
    """Return the paths of what stands in modules and is handed on in a call that may change it."""
    if isinstance(node.func, ast.Name) and (node.func.id in PURE_BUILTINS or node.func.id == "display"):
        return []
    called, paths = dotted(node.func), _arguments(node)
    given = [(GIVEN, called[0], *path) for path in paths] if called else []
    return [*given, *((CHANGED, *path) for path in paths)]


def _references(node: ast.Call) -> "list[tuple[str, ...]]":
    """Return the paths of what is handed on in a call, as it is: a function or module may be used for its effect."""
    calls = [call for call in walk(node) if isinstance(call, ast.Call)]
    return [(REFERENCE, *path) for call in calls for path in _arguments(call)]


def _arguments(call: ast.Call) -> "list[tuple[str, ...]]":
    """Return the paths of arguments that are plain names, or attributes of such."""
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    return [path for part in parts if isinstance(part, (ast.Name, ast.Attribute)) and (path := dotted(part))]
