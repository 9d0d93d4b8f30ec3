"""Ambient state that code reads without naming it: each kind in a slot, with a Version and, if possible, a way back.

A slot is `start` while it is as it was when the kernel began, or when its library had just been imported. Its state is
plain data; what stands for a value that is none (a function, a class) can be compared, and not be set again.
"""

import _thread
import contextvars
import enum
import marshal
import sys
import time
import types
import warnings
from hashlib import sha256
from typing import Any

from . import dict_numbers
from .classes import IMMUTABLE_TYPE, flags_of, identical, identity
from .versions import PRIVATE_BUILTINS, collector, system

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__builtins__ = PRIVATE_BUILTINS

START = "start"
_dumps, _loads = marshal.dumps, marshal.loads
_PLAIN = frozenset({int, float, str, bytes, bool, type(None)})
_MOST_DEEP = 6
_OWN_MAGICS = frozenset({"IPython", "ipykernel"})
_OWN_PRINTERS = frozenset({"IPython", "matplotlib", "matplotlib_inline"})
"""Packages that register how their own objects are shown, when they are first shown."""
_copy_context = contextvars.copy_context


class Slot:
    """One kind of ambient state. Subclasses tell how it is read and set."""

    name = ""
    module: "str | None" = None
    """The module without which there is no such state."""
    opaque_reason: "str | None" = None

    def __init__(self) -> None:
        self.known: Any = None
        self.version = START
        self.pending: bytes | None = None
        """What is to be set as soon as the module is there."""
        self._start: Any = None
        self._state: Any = None
        self.begun = False

    def quick(self) -> Any:
        """Return what surely differs when the state does, as fast as can be."""
        return self.read()

    def same(self, quick: Any) -> bool:
        """Tell whether that is what it was the last time."""
        return bool(quick == self.known)

    def read(self) -> Any:
        """Return the state: plain data, with `("?", …)` for what is none."""
        raise NotImplementedError

    def write(self, state: Any) -> None:
        """Set the state."""
        raise NotImplementedError

    def as_installed(self) -> bool:
        """Tell whether the state at the start is what the library itself begins with, whatever files there are."""
        return True

    def there(self) -> bool:
        """Tell whether there is such a state at all."""
        return self.module is None or self.module in sys.modules

    def start(self) -> None:
        """Take the state of now for the one at the start, and set what waits for it."""
        self.begun = True
        self.known, self._state, self.version = self.quick(), self.read(), START
        self._start = self._state
        if not self.as_installed():
            self._start = None  # a file of the user's made it so: it is what the cell that imports it has set
            self._note()
        if self.pending is not None:
            pending, self.pending = self.pending, None
            self.set(pending)

    def look(self) -> bool:
        """Look whether the state has changed since the last time."""
        if not self.begun:
            if not self.there():
                return False
            self.begun = True  # nobody saw it begin: all that is known of it is what it is now
            self._note()
            return True
        quick = self.quick()
        if self.same(quick):
            return False
        self.known, before = quick, self._state
        self._note()
        return bool(before != self._state)

    def _note(self) -> None:
        self._state = self.read()
        same = self._state == self._start
        self.version = START if same else sha256(_dumps(_without_addresses(self._state), 2)).hexdigest()

    @property
    def opaque(self) -> bool:
        """Whether the state holds what its Version does not tell, and was not there at the start."""
        return _opaque_parts(self._state) != _opaque_parts(self._start)

    def state(self) -> "bytes | None":
        """Return what sets the state again in a fresh kernel; None where that cannot be done."""
        if not self.begun:
            return self.pending
        self._note()
        return None if self.opaque else _dumps(_without_addresses(self._state), 2)

    def set(self, state: bytes) -> None:
        """Set a state that was kept, at the latest when its library is imported."""
        if not self.begun and not self.there():
            self.pending = state
            self.version = sha256(state).hexdigest()
            return
        self.write(_loads(state))
        self.known = self.quick()
        self._note()


def plain(value: Any, deep: int = 0) -> Any:
    """Return what stands for a value: itself if it is plain data, else what it can be told by."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if deep < _MOST_DEEP and kind in (list, tuple):
        return (kind.__name__, *[plain(part, deep + 1) for part in list(value)])
    if deep < _MOST_DEEP and kind is dict:
        pairs = [(plain(key, deep + 1), plain(part, deep + 1)) for key, part in list(value.items())]
        return ("dict", *pairs)
    return ("?", _called(kind), _called(value), identity(value))


def unplain(value: Any) -> Any:
    """Return the value that plain data stands for."""
    if type(value) is not tuple:
        return value
    kind, parts = value[0], value[1:]
    if kind == "dict":
        return {unplain(key): unplain(part) for key, part in parts}
    return [unplain(part) for part in parts] if kind == "list" else tuple([unplain(part) for part in parts])


def _called(value: Any) -> str:
    """Return what a function or class is called, without running code of its own; not loaded magics too."""
    if type(value).__name__ == "partial":
        value = object.__getattribute__(value, "func")
    if type(value) is types.MethodType:
        value = value.__func__
    if type(value).__name__ == "LazyMagic":
        return str(object.__getattribute__(value, "__dict__").get("spec", "")).replace(":", ".")
    read = type.__getattribute__ if isinstance(value, type) else object.__getattribute__
    try:
        module, name = read(value, "__module__"), read(value, "__qualname__")
    except AttributeError:
        return ""
    return "%s.%s" % (module, name) if type(module) is str and type(name) is str else ""


def _opaque_parts(state: Any) -> "list[Any]":
    """Return what stands for values that are no plain data."""
    if type(state) is not tuple:
        return []
    if state and state[0] == "?":
        return [state]
    return [found for part in state for found in _opaque_parts(part)]


def _without_addresses(state: Any) -> Any:
    if type(state) is not tuple:
        return state
    if state and state[0] == "?":
        return state[:-1]
    return tuple([_without_addresses(part) for part in state])


class _WorkingFolder(Slot):
    name = "cwd"

    def read(self) -> Any:
        try:
            return system.getcwd()
        except OSError:
            return None

    def write(self, state: Any) -> None:
        system.chdir(state)


class _Words(Slot):
    def _list(self) -> Any:
        return getattr(sys, self.name[4:])

    def quick(self) -> Any:
        words = self._list()
        if type(words) is not list:
            return identity(words)
        return tuple([word if type(word) is str else identity(word) for word in words])

    def read(self) -> Any:
        return plain(self._list())

    def write(self, state: Any) -> None:
        self._list()[:] = unplain(state)


class _SearchPath(_Words):
    name = "sys.path"


class _Arguments(_Words):
    name = "sys.argv"


def _collector() -> Any:
    return (collector.isenabled(), *collector.get_threshold(), collector.get_debug())


def _set_collector(state: Any) -> None:
    (collector.enable if state[0] else collector.disable)()
    collector.set_threshold(*state[1:4])
    collector.set_debug(state[4])


def _limits() -> Any:
    return tuple([resource.getrlimit(kind) for kind in _LIMITS])


def _set_limits(state: Any) -> None:
    for kind, limits in zip(_LIMITS, state):
        resource.setrlimit(kind, limits)


def _zone() -> Any:
    return (*time.tzname, time.timezone, time.altzone, time.daylight)


def _set_zone(state: Any) -> None:
    time.tzset()
    if _zone() != state:
        raise ValueError("the time zone is not the one of the environment")


def _stack_size() -> int:
    size = _thread.stack_size()  # which sets it to 0
    if size:
        _thread.stack_size(size)
    return size


def _set_priority(state: int) -> None:
    system.setpriority(system.PRIO_PROCESS, 0, state)


_socket: Any = sys.modules.get("_socket")
_LIMITS = tuple(
    getattr(resource, "RLIMIT_%s" % name)
    for name in ("AS", "CORE", "CPU", "FSIZE", "MEMLOCK", "NOFILE", "NPROC", "RSS", "STACK")
    if hasattr(resource, "RLIMIT_%s" % name)
)
"""Not that of data, which whoever runs the kernel may set."""
_INTERPRETER: "tuple[tuple[Any, Any], ...]" = (
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (getattr(sys, "get_int_max_str_digits", None), getattr(sys, "set_int_max_str_digits", None)),
    (sys.getswitchinterval, sys.setswitchinterval),
    (getattr(sys, "getdlopenflags", None), getattr(sys, "setdlopenflags", None)),
    (sys.get_coroutine_origin_tracking_depth, sys.set_coroutine_origin_tracking_depth),
    (_collector, _set_collector),
    (_stack_size, _thread.stack_size),
    (_limits, _set_limits),
    (_zone if hasattr(time, "tzset") else None, _set_zone),
    (getattr(_socket, "getdefaulttimeout", None), getattr(_socket, "setdefaulttimeout", None)),
    (lambda: system.getpriority(system.PRIO_PROCESS, 0), _set_priority)
    if hasattr(system, "getpriority")
    else (None,) * 2,
)
"""What C code keeps of the process, how it is read and how it is set: no dictionary shows it."""


class _Interpreter(Slot):
    name = "interpreter"

    def read(self) -> Any:
        return tuple([get() for get, _ in _INTERPRETER if get is not None])

    def write(self, state: Any) -> None:
        for (get, put), wanted in zip([pair for pair in _INTERPRETER if pair[0] is not None], state):
            if get() != wanted:
                put(wanted)


class _Warnings(Slot):
    """The filters of warnings, but for those that a library adds when it is imported, for its own warnings alone.

    Else every cell would depend on what the cells above import.
    """

    name = "warnings"

    def __init__(self) -> None:
        super().__init__()
        self._of_libraries: set[Any] = set()

    def added(self, entry: Any, *, by_library: bool) -> None:
        """Note that a filter is added; `by_library` if while a library is imported."""
        told = self._told(entry)
        action, message, category, module = told[0], told[1], told[-2], told[2]
        special = bool(message or module) or not category.startswith("builtins.")
        if by_library and special and action != "error":
            self._of_libraries.add(told)
        else:
            self._of_libraries.discard(told)

    def quick(self) -> Any:
        default: Any = warnings.defaultaction  # type: ignore[attr-defined]
        return [*warnings.filters, default, warnings.showwarning]

    def same(self, quick: Any) -> bool:
        """Tell whether the very same filters are there."""
        return identical(quick, self.known)

    def read(self) -> Any:
        shown = warnings.showwarning
        ours = getattr(shown, "__module__", None) in ("warnings", "ipykernel.kernelapp", "logging")
        every = [self._told(entry) for entry in list(warnings.filters)]
        filters = [told for told in every if told not in self._of_libraries]
        default: Any = warnings.defaultaction  # type: ignore[attr-defined]
        return ("list", *filters), default, None if ours else ("?", "showwarning", identity(shown))

    @staticmethod
    def _told(entry: Any) -> Any:
        if type(entry) is not tuple or len(entry) != 5:
            return plain(entry)
        action, message, category, module, line = entry
        texts = [getattr(text, "pattern", text) for text in (message, module)]
        flags = [getattr(text, "flags", 0) for text in (message, module)]
        return (plain(action), *map(plain, texts), *flags, _called(category), plain(line))

    def write(self, state: Any) -> None:
        import re  # only here

        found: list[Any] = []
        for action, message, module, message_flags, module_flags, category, line in state[0][1:]:
            name, _, qualname = category.rpartition(".")
            kind: Any = getattr(sys.modules.get(name), qualname, None)
            if kind is None:
                continue  # a category of a library that is not loaded: nothing warns by it, and its import adds it
            found.append(
                (
                    action,
                    re.compile(message, message_flags) if message is not None and message_flags else message,
                    kind,
                    re.compile(module, module_flags) if module is not None and module_flags else module,
                    line,
                )
            )
        found += [entry for entry in warnings.filters if self._told(entry) in self._of_libraries]
        warnings.filters[:] = found  # type: ignore[index]
        warnings._filters_mutated() if hasattr(warnings, "_filters_mutated") else None
        warnings.defaultaction = state[1]  # type: ignore[attr-defined]

    def state(self) -> "bytes | None":
        """Return what sets the filters again; not those for categories that are defined in the notebook."""
        state = self.read()
        local = any(type(entry[5]) is not str or entry[5].startswith("__main__.") for entry in state[0][1:])
        return None if local or self.opaque else _dumps(_without_addresses(state), 2)


class _Locale(Slot):
    name = "locale"
    module = "locale"

    def read(self) -> Any:
        locale: Any = sys.modules["_locale"]
        return locale.setlocale(locale.LC_ALL, None)

    def write(self, state: Any) -> None:
        locale: Any = sys.modules["_locale"]
        locale.setlocale(locale.LC_ALL, state)


class _Decimal(Slot):
    name = "decimal"
    module = "decimal"
    _kind: Any = None
    """The class of contexts that the module begins with, where nobody can change what it shows of them: all fields."""

    @staticmethod
    def _context() -> Any:
        # In a copy of the context variables: asking for the context makes one where there is none.
        return _copy_context().run(sys.modules["decimal"].getcontext)

    def start(self) -> None:
        """Take the state of now for the one at the start."""
        kind = type(self._context())
        self._kind = kind if flags_of(kind) & IMMUTABLE_TYPE else None
        super().start()

    def quick(self) -> Any:
        """Return what the context shows of itself."""
        context = self._context()
        return repr(context) if type(context) is self._kind else self.read()

    def read(self) -> Any:
        context = self._context()
        fields = [getattr(context, name) for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")]
        raised = [name.__name__ for name, on in context.traps.items() if on]
        flagged = [name.__name__ for name, on in context.flags.items() if on]
        return (*fields, ("list", *sorted(raised)), ("list", *sorted(flagged)))

    def write(self, state: Any) -> None:
        decimal: Any = sys.modules["decimal"]
        context = decimal.getcontext()
        for place, name in enumerate(("prec", "rounding", "Emin", "Emax", "capitals", "clamp")):
            setattr(context, name, state[place])
        for kinds, on in ((context.traps, state[6]), (context.flags, state[7])):
            for kind in kinds:
                kinds[kind] = kind.__name__ in on[1:]


class _Logging(Slot):
    name = "logging"
    module = "logging"

    def _configured(self) -> "list[Any]":
        """Return the loggers on which something is set."""
        logging: Any = sys.modules["logging"]
        loggers = [logger for logger in list(logging.root.manager.loggerDict.values()) if hasattr(logger, "handlers")]
        return [one for one in loggers if one.handlers or one.level or one.filters or one.disabled or not one.propagate]

    def read(self) -> Any:
        logging: Any = sys.modules["logging"]
        root = logging.root
        told = []
        for logger in sorted(self._configured(), key=lambda logger: str(logger.name)):
            handlers = [self._told(one) for one in list(logger.handlers) if type(one) is not logging.NullHandler]
            filters = [plain(one) for one in list(logger.filters)]
            if handlers or filters or logger.level or logger.disabled or not logger.propagate:
                state = (plain(logger.name), logger.level, bool(logger.disabled), bool(logger.propagate))
                told.append((*state, ("list", *handlers), ("list", *filters)))
        handlers = [self._told(handler) for handler in list(root.handlers)]
        filters = [plain(one) for one in list(root.filters)]
        switches = root.manager.disable, bool(logging.raiseExceptions)
        return (root.level, ("list", *handlers), ("list", *told), *switches, ("list", *filters))

    @staticmethod
    def _told(handler: Any) -> Any:
        """Return what makes a handler again that writes to stderr or stdout, as basicConfig sets it."""
        logging: Any = sys.modules["logging"]
        streams = [name for name in ("stderr", "stdout") if getattr(handler, "stream", None) is getattr(sys, name)]
        form = handler.formatter
        usual = type(handler) is logging.StreamHandler and bool(streams) and not handler.filters
        if usual and (form is None or (type(form) is logging.Formatter and type(form._style) is logging.PercentStyle)):
            return ("stream", streams[0], handler.level, None if form is None else (form._fmt, form.datefmt))
        return ("?", _called(type(handler)), handler.level, identity(handler))

    @staticmethod
    def _made(told: Any) -> Any:
        logging: Any = sys.modules["logging"]
        handler = logging.StreamHandler(getattr(sys, told[1]))
        handler.setLevel(told[2])
        if told[3] is not None:
            handler.setFormatter(logging.Formatter(*told[3]))
        return handler

    def write(self, state: Any) -> None:
        logging: Any = sys.modules["logging"]
        root = logging.root
        root.setLevel(state[0])
        if not _opaque_parts(state[1]):
            root.handlers[:] = [self._made(told) for told in state[1][1:]]
        root.manager.disable = state[3]
        logging.raiseExceptions = state[4]
        for name, level, disabled, propagate, handlers, _ in state[2][1:]:
            logger = logging.getLogger(name)
            logger.setLevel(level)
            logger.disabled, logger.propagate = disabled, propagate
            if not _opaque_parts(handlers):
                logger.handlers[:] = [self._made(told) for told in handlers[1:]]


class _NumpyPrint(Slot):
    name = "numpy.print"
    module = "numpy"

    def _options(self) -> Any:
        return sys.modules["numpy"].get_printoptions()

    def read(self) -> Any:
        return plain(self._options())

    def write(self, state: Any) -> None:
        options = unplain(state)
        numpy: Any = sys.modules["numpy"]
        numpy.set_printoptions(**options)


class _NumpyErrors(Slot):
    name = "numpy.err"
    module = "numpy"

    def read(self) -> Any:
        numpy: Any = sys.modules["numpy"]
        return (plain(numpy.geterr()), plain(numpy.geterrcall()), numpy.getbufsize())

    def write(self, state: Any) -> None:
        numpy: Any = sys.modules["numpy"]
        numpy.seterr(**unplain(state[0]))
        numpy.setbufsize(state[2])


class _PandasOptions(Slot):
    name = "pandas.options"
    module = "pandas"
    _dicts: "list[Any] | None" = None

    def _config(self) -> Any:
        config = sys.modules.get("pandas._config.config")
        return getattr(config, "_global_config", None)

    def quick(self) -> Any:
        """Return the very values of all options."""
        if self._dicts is None:
            self._dicts = _all_dicts(self._config())
        return [value for inner in self._dicts for value in inner.values()]

    def same(self, quick: Any) -> bool:
        """Tell whether the very same values are there."""
        if identical(quick, self.known):
            return True
        self._dicts = None
        return False

    def read(self) -> Any:
        return ("list", *[(name, plain(value)) for name, value in _flat(self._config(), ())])

    def write(self, state: Any) -> None:
        config = self._config()
        for name, value in state[1:]:
            inner = config
            for part in name[:-1]:
                inner = inner[part]
            if not _opaque_parts(value):  # as it was at the start
                inner[name[-1]] = unplain(value)


def _all_dicts(config: Any) -> "list[Any]":
    if type(config) is not dict:
        return []
    return [config, *[found for value in config.values() for found in _all_dicts(value)]]


def _flat(config: Any, path: "tuple[str, ...]") -> "list[tuple[tuple[str, ...], Any]]":
    if type(config) is not dict:
        return []
    found: list[tuple[tuple[str, ...], Any]] = []
    for name, value in config.items():
        if type(value) is dict:
            found.extend(_flat(value, (*path, name)))
        else:
            found.append(((*path, name), value if type(value) in _PLAIN else plain(value)))
    return found


class _Drawing(Slot):
    name = "matplotlib.rcParams"
    module = "matplotlib"
    left_out = frozenset({"backend", "backend_fallback", "interactive"})
    """What the kernel itself sets, when figures are first drawn."""

    def _params(self) -> Any:
        return sys.modules["matplotlib"].rcParams

    def quick(self) -> Any:
        values = list(dict.values(self._params()))
        return values, [list(value) for value in values if type(value) is list]

    def same(self, quick: Any) -> bool:
        """Tell whether the very same values are there, and the same in lists."""
        return identical(quick[0], self.known[0]) and all(map(identical, quick[1], self.known[1]))

    def read(self) -> Any:
        return (
            "list",
            *[
                (name, self._told(value))
                for name, value in sorted(dict.items(self._params()))
                if name not in self.left_out
            ],
        )

    def as_installed(self) -> bool:
        """Tell whether no `matplotlibrc` of the user's has changed a default."""
        default = getattr(sys.modules["matplotlib"], "rcParamsDefault", None)
        if not isinstance(default, dict):
            return True
        return all(
            name in self.left_out or self._told(value) == self._told(dict.get(default, name))
            for name, value in dict.items(self._params())
        )

    @staticmethod
    def _told(value: Any) -> Any:
        if type(value).__name__ == "Cycler" and type(value).__module__.startswith("cycler"):
            return ("cycler", plain(value.by_key()))
        if isinstance(value, enum.Enum) and type(value).__module__.startswith("matplotlib."):
            return ("enum", type(value).__module__, type(value).__qualname__, value.name)
        return plain(value)

    def write(self, state: Any) -> None:
        params = self._params()
        for name, told in state[1:]:
            if type(told) is tuple and told and told[0] == "cycler":
                cycler: Any = sys.modules["cycler"].cycler
                dict.__setitem__(params, name, cycler(**unplain(told[1])))
            elif type(told) is tuple and told and told[0] == "enum":
                dict.__setitem__(params, name, getattr(sys.modules[told[1]], told[2])[told[3]])
            elif not _opaque_parts(told):
                dict.__setitem__(params, name, unplain(told))


_INLINE: "dict[str, Any]" = {
    "rc": ("dict",),
    "figure_formats": ("list", "png"),
    "print_figure_kwargs": ("dict", ("bbox_inches", "tight")),
    "close_figures": True,
}
"""What is set of the backend that draws into notebooks when nobody has set it."""


class _Shell(Slot):
    """What magics and `%config` change of IPython."""

    name = "ipython"
    traits = (
        *("ast_node_interactivity", "autoawait", "autocall", "automagic", "autoindent", "colors", "color_info"),
        *("cache_size", "show_rewritten_input", "sphinxify_docstring", "enable_html_pager", "_call_pdb"),
        *("warn_venv", "wildcards_case_sensitive", "xmode", "quiet", "display_page", "pdb"),
    )
    formatter_traits = (
        "float_format",
        "float_precision",
        "pprint",
        "max_width",
        "max_seq_length",
        "verbose",
        "newline",
    )

    def __init__(self, shell: Any) -> None:
        super().__init__()
        self._shell = shell
        formatter = getattr(shell, "display_formatter", None)
        formatters = getattr(formatter, "formatters", None) or {}
        self._formatters = sorted(formatters.items())
        self._plain = formatters.get("text/plain")
        self._kept = [kept for _, one in self._formatters for kept in (_trait_values(one), *_printers(one))]
        """What is set of those that show things, and by what they show it."""
        self._watched: list[dict[Any, Any]] = []
        self._readers: list[Any] | None = None
        """Where the numbers of those stand, and of what holds the magics."""

    def quick(self) -> Any:
        """Return the very values of traits, and the very functions that show things, or are magics.

        Of dictionaries with hundreds of these their numbers, where they have some.
        """
        shell = self._shell
        watched = [*self._kept, *self._magics().values()]
        if not identical(watched, self._watched):
            numbered = all(type(held) is dict for held in watched)
            self._watched, self._readers = watched, dict_numbers.readers(watched) if numbered else None
        found: list[Any] = _values(shell, self.traits)
        found.append(getattr(getattr(shell, "InteractiveTB", None), "mode", None))
        if self._readers is None:
            found += [value for held in watched for value in held.values()]
        found += list(getattr(getattr(shell, "extension_manager", None), "loaded", ()))
        inline = _values(self._backend(), tuple(_INLINE))
        for value in inline:
            found += [value, *(_parts(value))]
        return b"".join(self._readers or ()), found

    def same(self, quick: Any) -> bool:
        """Tell whether the very same values are there."""
        return bool(quick[0] == self.known[0]) and identical(quick[1], self.known[1])

    def _magics(self) -> "dict[str, Any]":
        return getattr(getattr(self._shell, "magics_manager", None), "magics", None) or {}

    @staticmethod
    def _backend() -> Any:
        backend = getattr(sys.modules.get("matplotlib_inline.config"), "InlineBackend", None)
        return getattr(backend, "_instance", None)

    def read(self) -> Any:
        found: list[Any] = [(name, plain(value)) for name, value in _traits(self._shell, self.traits)]
        for kind, formatter in self._formatters:
            found += [(kind, name, plain(value)) for name, value in _traits(formatter, ("enabled",))]
            for kept in _printers(formatter):
                for key, printer in list(kept.items()):
                    package = (_called(printer) or "?").partition(".")[0]
                    if package not in _OWN_PRINTERS:
                        found.append((kind, "printer", _called(key), ("?", _called(printer), identity(printer))))
        found += [("plain", name, plain(value)) for name, value in _traits(self._plain, self.formatter_traits)]
        found.append(("mode", plain(getattr(getattr(self._shell, "InteractiveTB", None), "mode", None))))
        loaded = getattr(getattr(self._shell, "extension_manager", None), "loaded", ())
        found.append(("extensions", ("list", *sorted(map(str, loaded)))))
        for kind, named in sorted(self._magics().items()):
            for name, magic in sorted(named.items()):
                if (_called(magic) or "?").partition(".")[0] not in _OWN_MAGICS:
                    found.append((kind, plain(name), ("?", _called(magic), identity(magic))))
        for name, value in _traits(self._backend(), tuple(_INLINE)):
            told = plain(sorted(value) if type(value) is set else value)
            if told != _INLINE[name]:
                found.append(("inline", name, told))
        return ("list", *found)

    def state(self) -> "bytes | None":
        """Return what sets traits of the shell again; None where more than those has changed."""
        self._note()
        other, began = ([e for e in state[1:] if not self._settable(e)] for state in (self._state, self._start))
        return None if other != began or self.opaque else _dumps(_without_addresses(self._state), 2)

    def _settable(self, entry: Any) -> bool:
        return entry[0] in self.traits or entry[0] == "plain"

    def write(self, state: Any) -> None:
        for entry in state[1:]:
            told = entry[-1]
            if self._settable(entry) and not (type(told) is tuple and told[:1] == ("?",)):
                owner = self._plain if entry[0] == "plain" else self._shell
                name, value = entry[-2], unplain(told)
                if getattr(owner, name) != value:
                    setattr(owner, name, value)


def _trait_values(owner: Any) -> "dict[str, Any]":
    values = getattr(owner, "_trait_values", None)
    return values if type(values) is dict else {}


def _values(owner: Any, names: "tuple[str, ...]") -> "list[Any]":
    return [*map(_trait_values(owner).get, names)]


def _parts(value: Any) -> "list[Any]":
    if type(value) is dict:
        return [*value, *value.values()]
    return list(value) if type(value) in (set, list) else []


def _printers(formatter: Any) -> "list[Any]":
    found = [getattr(formatter, name, None) for name in ("type_printers", "singleton_printers", "deferred_printers")]
    return [kept for kept in found if type(kept) is dict]


def _traits(owner: Any, names: "tuple[str, ...]") -> "list[tuple[str, Any]]":
    found = []
    for name in names if owner is not None else ():
        try:
            found.append((name, getattr(owner, name)))
        except AttributeError:
            continue
    return found


class _Torch(Slot):
    """The state of torch's own generator: it begins the same in every process."""

    name = "torch"
    module = "torch"

    def read(self) -> Any:
        torch: Any = sys.modules["torch"]
        return (torch.get_rng_state().numpy().tobytes(), str(torch.get_default_dtype()))

    def write(self, state: Any) -> None:
        torch: Any = sys.modules["torch"]
        numpy: Any = sys.modules["numpy"]
        torch.set_rng_state(torch.from_numpy(numpy.frombuffer(state[0], dtype=numpy.uint8).copy()))
        torch.set_default_dtype(getattr(torch, state[1].rpartition(".")[2]))


def slots(shell: Any) -> "list[Slot]":
    """Return all slots that are no random generators."""
    found: list[Slot] = [_WorkingFolder(), _SearchPath(), _Arguments(), _Interpreter(), _Warnings(), _Locale()]
    found += [_Decimal(), _Logging(), _NumpyPrint(), _NumpyErrors(), _PandasOptions(), _Drawing(), _Torch()]
    return [*found, _Shell(shell)] if shell is not None else found


LIBRARIES = frozenset({"random", "numpy", "numpy.random", "pandas", "matplotlib", "decimal", "locale", "torch"})
"""Modules whose loading is told, so that the state in which they begin is known."""
UNSEEN_STATE = frozenset({"tensorflow", "cupy", "mxnet", "paddle"})
"""Libraries with random generators of their own that are not looked into: a cell after their import is a barrier."""
