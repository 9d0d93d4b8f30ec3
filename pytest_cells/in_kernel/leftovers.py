"""Find what a cell leaves behind that goes on by itself, or stands in other code's way: its effects have no end."""

import asyncio
import builtins
import os
import signal
import sys
import threading
import types
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from .classes import identity
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

KERNEL_PACKAGES = frozenset(
    {"ipykernel", "IPython", "tornado", "zmq", "jupyter_client", "asyncio", "anyio", "nest_asyncio", "nest_asyncio2"}
    | {"matplotlib", "matplotlib_inline", "ipywidgets", "comm", "debugpy", "traitlets", "concurrent", "selectors"}
)
"""Packages whose own tasks and callbacks belong to the kernel, and to how it shows things."""
TASK_PACKAGES = KERNEL_PACKAGES - {"asyncio", "anyio", "concurrent"}
HARMLESS_THREADS = (
    "GarbageCollectorThread",
    "TMonitor",
    "HistorySavingThread",
    "PyDBCommandThread",
    "CheckAliveOnDebuggerConnected",
)
"""Classes of threads that only show, save or send what there is."""
_active: Any = threading._active  # type: ignore[attr-defined]
_wait_any = getattr(os, "waitid", None)
_TIMERS = tuple(getattr(signal, name) for name in ("SIGALRM", "SIGVTALRM", "SIGPROF") if hasattr(signal, name))
"""Signals that come by themselves."""
_NAMED = (type, types.FunctionType, types.BuiltinFunctionType)
_CODE = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, partial)
_AGENT = __name__.partition(".")[0]
_signals: "tuple[int, ...]" = tuple(map(int, signal.Signals))
_getsignal: Any = sys.modules["_signal"].getsignal  # that of `signal` makes enumeration members, slowly
_gettrace, _getprofile = sys.gettrace, sys.getprofile
_monitoring: Any = getattr(sys, "monitoring", None)
_MONITORS = range(6)
_IMPORT_HOOKS = frozenset({"six", "_distutils_hack", "pkg_resources", "importlib", "_frozen_importlib", "setuptools"})

_CSV_LIMIT = 131072
_CSV_DIALECTS = frozenset({"excel", "excel-tab", "unix"})
"""What csv begins with."""


class Leftovers:
    """Compare what there is before and after a cell."""

    def __init__(self, shell: Any, installed: "Callable[[str], bool]") -> None:
        self._shell, self._installed = shell, installed
        self._own_threads = frozenset(_active)
        """The kernel's."""
        self._before: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        self._last_raw: list[Any] = []
        self._called: str | None = None
        """What of the notebook's own is called around other cells, now."""
        self._children = self._reaped()
        self._own_tasks: Any = weakref.WeakSet()
        self.begin_tasks()

    @property
    def own_threads(self) -> "frozenset[int]":
        """The threads that the kernel had before its first cell, but for the one that executes cells."""
        main = threading.main_thread().ident
        return frozenset(ident for ident in self._own_threads if ident not in (main, threading.get_ident()))

    def begin(self) -> None:
        """Note what there is."""
        self._before = self._look()
        self._children = self._reaped()

    def reasons(self, *, harmless_processes: bool) -> "list[str]":
        """Return what there is to say against the cell that has ended; the next one begins with what there is now."""
        before, after = self._before, self._look()
        found = [reason for reason, value in after.items() if after is not before and value != before.get(reason)]
        if not found and self._called is not None:
            found.append("%s of the notebook is called whatever a cell does" % self._called)
        for ident, thread in list(_active.items()):
            if ident not in self._own_threads and not _is_harmless(thread):
                found.append("a thread is still running: %s" % _text(getattr(thread, "_name", "")))
        children = self._reaped()
        if not harmless_processes and children != self._children:
            found.append("it starts a process")
        self._before, self._children = after, children
        if _has_children():
            found.append("a process that was started is still there")
        found += self._tasks()
        figures = getattr(sys.modules.get("matplotlib._pylab_helpers"), "Gcf", None)
        if figures is not None and getattr(figures, "figs", None):
            found.append("a figure is left open")
        return found

    def _look(self) -> "dict[str, Any]":
        """Return what may stand in other code's way; the last answer as long as nothing at all is different."""
        raw = self._raw()
        if raw != self._last_raw:
            self._last_raw, self._last = raw, self._standing()
            self._called = next((_name(hook) for hook in self._hooks_of_any_kind() if self._of_notebook(hook)), None)
        return self._last

    def _hooks_of_any_kind(self) -> "list[Any]":
        """Return all that others call around a cell, or instead of what the cell calls."""
        found = [*vars(builtins).values(), *self._replaceable(), _gettrace(), _getprofile(), *sys.meta_path]
        found += [_getsignal(number) for number in _TIMERS]
        shell = self._shell
        if shell is not None:
            callbacks = getattr(getattr(shell, "events", None), "callbacks", None) or {}
            for hooks in (*callbacks.values(), *self._transforms(shell), self._shown(shell)):
                found += hooks
        return [_bare(hook) for hook in found if hook is not None]

    def _of_notebook(self, value: Any) -> bool:
        """Tell whether code of a value is the notebook's own, or its project's."""
        package = getattr(value if isinstance(value, _NAMED) else type(value), "__module__", None)
        if package == "__main__":
            return True
        file = getattr(sys.modules.get(_text(package)), "__file__", None)
        return type(file) is str and _text(package).partition(".")[0] != _AGENT and not self._installed(file)

    def _raw(self) -> "list[Any]":
        named = vars(builtins)
        found: list[Any] = [*map(identity, map(_getsignal, _signals)), *map(identity, named.values())]
        found += map(identity, [*sys.meta_path, _gettrace(), _getprofile()])
        found += [len(sys.meta_path), len(sys.path_hooks), self._monitors()]
        found += map(identity, self._replaceable())
        found += self._dialects()
        shell = self._shell
        if shell is not None:
            for callbacks in (getattr(getattr(shell, "events", None), "callbacks", None) or {}).values():
                found += [len(callbacks), *map(identity, callbacks)]
            for transforms in self._transforms(shell):
                found += [len(transforms), *map(identity, transforms)]
            found += map(identity, self._shown(shell))
        return found

    @staticmethod
    def _replaceable() -> "tuple[Any, ...]":
        hooks = (sys.excepthook, sys.displayhook, getattr(sys, "unraisablehook", None), sys.breakpointhook)
        return (*hooks, threading.excepthook, sys.stdout, sys.stderr, sys.stdin)

    @staticmethod
    def _transforms(shell: Any) -> "list[list[Any]]":
        manager = getattr(shell, "input_transformer_manager", None)
        found = [getattr(manager, name, None) for name in ("cleanup_transforms", "line_transforms")]
        found += [getattr(manager, "token_transformers", None), getattr(shell, "input_transformers_post", None)]
        found.append(getattr(shell, "ast_transformers", None))
        return [transforms for transforms in found if type(transforms) is list]

    @staticmethod
    def _shown(shell: Any) -> "list[Any]":
        return [getattr(shell, name, None) for name in ("custom_exceptions", "displayhook", "display_pub")]

    def _standing(self) -> "dict[str, Any]":
        """Return what may stand in other code's way, by the reason to give where it changes."""
        named = vars(builtins)
        state: dict[str, Any] = {
            "it sets a signal's handler": list(map(identity, map(_getsignal, _signals))),
            "it sets a trace or profile function": (identity(_gettrace()), identity(_getprofile()), self._monitors()),
            "it replaces a hook of sys": list(map(identity, self._replaceable())),
            "it changes how modules are found": (
                [
                    identity(finder)
                    for finder in sys.meta_path
                    if _package(finder if isinstance(finder, type) else type(finder)) not in _IMPORT_HOOKS
                ],
                len(sys.path_hooks),
            ),
            "it changes the builtins": (list(named), list(map(identity, named.values()))),
            "it changes the dialects of csv": self._dialects(),
        }
        shell = self._shell
        if shell is not None:
            state["it sets a hook of IPython"] = self._hooks(shell)
        return state

    @staticmethod
    def _dialects() -> "list[Any]":
        csv: Any = sys.modules.get("_csv")
        if csv is None:
            return [_CSV_LIMIT]
        names = [name for name in csv.list_dialects() if name not in _CSV_DIALECTS]
        return [csv.field_size_limit(), *names, *[identity(csv.get_dialect(name)) for name in names]]

    @staticmethod
    def _monitors() -> Any:
        if _monitoring is None:
            return None
        return [_monitoring.get_tool(number) for number in _MONITORS]

    def _hooks(self, shell: Any) -> Any:
        events = getattr(getattr(shell, "events", None), "callbacks", None) or {}
        return (
            [
                (name, [identity(_bare(one)) for one in callbacks if _package(_bare(one)) not in KERNEL_PACKAGES])
                for name, callbacks in events.items()
            ],
            [[identity(_bare(one)) for one in transforms] for transforms in self._transforms(shell)],
            list(map(identity, self._shown(shell))),
        )

    @staticmethod
    def _reaped() -> Any:
        return tuple(resource.getrusage(resource.RUSAGE_CHILDREN)) if resource is not None else None

    def begin_tasks(self) -> None:
        """Note the kernel's own tasks."""
        loop = getattr(asyncio.events, "_get_running_loop", lambda: None)()
        if loop is not None:
            self._own_tasks.update(asyncio.all_tasks(loop))

    def _tasks(self) -> "list[str]":
        loop = getattr(asyncio.events, "_get_running_loop", lambda: None)()
        if loop is None:
            return []
        found = []
        for task in asyncio.all_tasks(loop):
            if task.done() or task in self._own_tasks:
                continue
            code = getattr(task.get_coro(), "cr_code", None)
            frame = getattr(task.get_coro(), "cr_frame", None)
            package = _text(frame.f_globals.get("__name__")).partition(".")[0] if frame is not None else ""
            if package not in TASK_PACKAGES:
                found.append("a task is still running: %s" % _text(getattr(code, "co_name", "")))
        for handle in (*getattr(loop, "_scheduled", ()), *getattr(loop, "_ready", ())):
            for called in _executed_by(handle):
                if _package(called) not in KERNEL_PACKAGES:
                    found.append("a call is still to come: %s" % _text(getattr(called, "__name__", "")))
        return found


def _is_harmless(thread: Any) -> bool:
    """Tell whether a thread only shows or saves what there is, or is a timer that was called off and about to end."""
    if isinstance(thread, threading.Timer):
        return thread.finished.is_set()
    return type(thread).__name__ in HARMLESS_THREADS


def _has_children() -> bool:
    if _wait_any is None:
        return False
    try:
        _wait_any(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _executed_by(handle: Any) -> "list[Any]":
    """Return what a call of the event loop's is going to execute: tornado hands what it was given to one of its own."""
    if handle.cancelled() or type(handle._callback).__name__.startswith("Task"):
        return []  # all tasks are asked for by themselves
    given = [part for part in handle._args or () if isinstance(part, _CODE)]
    return [_bare(part) for part in (handle._callback, *given)]


def _bare(callback: Any) -> Any:
    """Return the function in a bound method or partial object, else what is given."""
    for _ in range(4):
        inner = getattr(callback, "__func__", None) or getattr(callback, "func", None)
        if inner is None:
            return callback
        callback = inner
    return callback


def _name(value: Any) -> str:
    return _text(getattr(value if isinstance(value, _NAMED) else type(value), "__name__", None)) or "a hook"


def _package(value: Any) -> str:
    name = getattr(value, "__module__", None)
    return _text(name).partition(".")[0]


def _text(value: Any) -> str:
    return value if type(value) is str else ""
