"""Runs in a kernel's interpreter: imports what a kernel needs once, then forks a kernel for each request.

The standard library and ipykernel alone; pytest-cells need not be installed here. A forked kernel must be
indistinguishable from one that `python -m ipykernel_launcher` starts, so nothing may happen before the fork that
leaves a trace in it: no thread, no zmq context, no event loop, no handler. What cannot be avoided is undone after it.

The protocol, over one Unix socket connection a kernel, is lines of JSON. The client sends the request together with
the descriptors of the kernel's stdout and stderr. The server answers `refused` with the reason, or `pid`; the kernel
adds `ready` when it has bound its sockets; the server at last `exit` (its code, negative for a signal) and `peak_kb`,
its peak memory. A client that goes away takes its kernel with it, and the end of the server's stdin, which its owner
holds, ends everything.
"""

import importlib
import importlib.util
import json
import os
import selectors
import signal
import socket
import sys
from typing import Any

_loaded = "gc" in sys.modules
import gc  # noqa: E402

if not _loaded:
    del sys.modules["gc"]  # a kernel may not have it at its start

KERNELAPP = "ipykernel.kernelapp"
IMPORTED_AT_ONCE = ("runpy", KERNELAPP)
"""What the launcher imports before all else."""
IMPORTED_BY_KERNELS = (
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "ipykernel.iostream",
    "ipykernel.displayhook",
    "ipykernel.parentpoller",
    "IPython.core.completer",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.debugger_backport",
    "IPython.core.history",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "pdb",
    "faulthandler",
    "tornado.platform.asyncio",
)
"""What ipykernel has imported by the time it answers. A name that a version of it lacks is passed over, as is what
cannot be imported under `-W error`."""
LONGEST_REQUEST = 1 << 20
TASKS = "/proc/self/task"
LAUNCHER = "ipykernel_launcher"
_DESCRIPTORS = "/proc/self/fd"
_told = os.path.isdir(_DESCRIPTORS)
"""Whether the system tells what is open. Elsewhere Python ends a kernel."""
HIGHEST_DESCRIPTOR = 255
COVERAGE = ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
"""Variables that make coverage.py measure from the start of a process."""


class _Request:
    """What a kernel is to be started with."""

    def __init__(self, data: "dict[str, Any]", outputs: "list[int]") -> None:
        self.argv, self.cwd, self.umask = data["argv"], data["cwd"], data["umask"]
        self.outputs = outputs


class _Refused(Exception):
    """The server cannot fork kernels; the text says why.

    It is `settled` where an ordinary kernel would not be what was asked for.
    """

    def __init__(self, text: str, *, settled: bool) -> None:
        super().__init__(text)
        self.settled = settled


class _Server:
    """Accepts requests, forks, and tells how kernels end."""

    def __init__(self, listener: socket.socket, problem: "str | None") -> None:
        self._problem = problem
        self._selector = selectors.DefaultSelector()
        self._listener = listener
        self._kernels: dict[int, socket.socket] = {}  # each kernel's client
        self._wake_read, self._wake_write = os.pipe()
        for descriptor in (self._wake_read, self._wake_write):
            os.set_blocking(descriptor, False)
        self._handler_before = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._bury)
        self._selector.register(0, selectors.EVENT_READ, self._owner_spoke)
        self._ended = False

    def serve(self) -> "tuple[_Request, socket.socket] | None":
        """Return in a forked kernel only, with its request and connection; None at the end."""
        while not self._ended:
            for key, _ in self._selector.select():
                found: tuple[_Request, socket.socket] | None = key.data(key.fileobj)
                if found is not None:
                    return found
        for pid in list(self._kernels):
            _kill(pid)
        return None

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        self._selector.register(connection, selectors.EVENT_READ, self._client_spoke)

    def _client_spoke(self, connection: socket.socket) -> "tuple[_Request, socket.socket] | None":
        connection.settimeout(10)
        try:
            data, outputs = _receive(connection)
        except (OSError, ValueError, KeyError):
            data, outputs = None, []
        finally:
            connection.settimeout(0)
        if data is None:
            self._drop(connection)
            return None
        found = None
        try:
            self._check()
            found = self._fork(connection, _Request(data, outputs))
        except (_Refused, OSError) as problem:
            _send(connection, {"refused": str(problem), "settled": getattr(problem, "settled", False)})
        finally:
            if found is None:
                for descriptor in outputs:
                    os.close(descriptor)
        return found

    def _check(self) -> None:
        if self._problem:
            raise _Refused(self._problem, settled=True)
        if _threads() > 1:
            told = "the fork server has threads from its start, and a process with threads cannot be forked"
            raise _Refused(told, settled=False)

    def _fork(self, connection: socket.socket, request: _Request) -> "tuple[_Request, socket.socket] | None":
        sys.stdout.flush()
        sys.stderr.flush()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGCHLD,))
        pid = os.fork()
        if pid == 0:
            self._forget(connection)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return request, connection
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._kernels[pid] = connection
        _send(connection, {"pid": pid})
        return None

    def _forget(self, connection: socket.socket) -> None:
        """In a forked kernel: close and undo all that is the server's, but for the one connection."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, self._handler_before)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket) and key.fileobj is not connection:
                key.fileobj.close()
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _bury(self, wake_read: int) -> None:
        """Tell how kernels ended. Their groups are killed while their numbers cannot yet be somebody else's."""
        try:
            os.read(wake_read, 4096)
        except BlockingIOError:
            pass
        for pid, connection in list(self._kernels.items()):
            if hasattr(os, "waitid"):
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    continue
                _kill(pid)
            buried, status, usage = os.wait4(pid, os.WNOHANG)
            if not buried:
                continue
            del self._kernels[pid]
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            _send(connection, {"exit": code, "peak_kb": _in_kb(usage.ru_maxrss)})

    def _drop(self, connection: socket.socket) -> None:
        """Let go of a client that went away; its kernel goes too."""
        for pid, other in self._kernels.items():
            if other is connection:
                _kill(pid)
        self._selector.unregister(connection)
        connection.close()

    def _owner_spoke(self, _: int) -> None:
        if not os.read(0, 4096):
            self._ended = True


def _receive(connection: socket.socket) -> "tuple[dict[str, Any] | None, list[int]]":
    """Return a request and the descriptors that came with it; None where the client is gone."""
    room = socket.CMSG_LEN(2 * 4)
    text, ancillary, _, _ = connection.recvmsg(65536, room)
    descriptors: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            size = len(data) // 4
            descriptors += [int.from_bytes(data[4 * n : 4 * n + 4], sys.byteorder) for n in range(size)]
    while text and not text.endswith(b"\n") and len(text) < LONGEST_REQUEST:
        more = connection.recv(65536)
        if not more:
            break
        text += more
    return (json.loads(text.decode("utf-8")) if text.endswith(b"\n") else None), descriptors


def _send(connection: socket.socket, message: "dict[str, Any]") -> None:
    try:
        connection.sendall(json.dumps(message).encode("utf-8") + b"\n")
    except OSError:  # the client is gone, which its connection will tell
        pass


def _kill(pid: int) -> None:
    """Kill a kernel and its group; it may not have made one yet."""
    for end in (os.killpg, os.kill):
        try:
            end(pid, signal.SIGKILL)
        except OSError:
            pass


def _in_kb(maxrss: int) -> int:
    return maxrss // 1024 if sys.platform == "darwin" else maxrss


def _threads() -> int:
    """Return how many threads the process has, those of libraries included where that can be seen."""
    if os.path.isdir(TASKS):
        return len(os.listdir(TASKS))
    import threading

    return threading.active_count()


def _threads_that_stay() -> int:
    """Count threads after a fork: OpenBLAS and others end their own before one, and can begin again after it."""
    if _threads() > 1:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    return _threads()


def _import_all(names: "tuple[str, ...]") -> "str | None":
    """Import what kernels need; return what is wrong, or None."""
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as missing:
            if name == KERNELAPP:
                return "%s has no ipykernel (%s): install it there" % (sys.executable, missing)
        except Exception as problem:
            if name == KERNELAPP:
                return "%s cannot be imported: %s: %s" % (name, type(problem).__name__, problem)
    return None


def _warm_up() -> None:
    """Let the tokenizer compile its patterns, which takes 3 ms in Python up to 3.11: IPython tokenizes each cell."""
    tokenize: Any = sys.modules.get("tokenize")
    if tokenize is not None:
        for _ in tokenize.generate_tokens(iter(("a = 'b'\n",)).__next__):
            pass


def _preload(names: "list[str]") -> "str | None":
    """Import what was asked for; return what is wrong, or None."""
    inline = "module://matplotlib_inline.backend_inline"
    had_backend = os.environ.get("MPLBACKEND")
    if names and not had_backend:
        os.environ["MPLBACKEND"] = inline  # as a kernel sets it, before a cell can import matplotlib
    if names and _threads_that_stay() > 1:
        return None  # none of them is to blame; whoever asks for a kernel is told
    known = set(sys.modules)
    for name in names:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as problem:
            return "cells_preload: %r cannot be imported: %s: %s" % (name, type(problem).__name__, problem)
        count = _threads_that_stay()
        if count > 1:
            told = (
                "cells_preload: importing %r starts threads (%d of them), and a process with threads cannot be forked"
            )
            return told % (name, count - 1) + "; remove it from cells_preload"
        changeable = _changeable(set(sys.modules) - known)
        if changeable:
            told = "cells_preload: %r imports %s, which is not installed and may change; remove it from cells_preload"
            return told % (name, changeable)
    if names and not had_backend:
        del os.environ["MPLBACKEND"]
    return None


def _changeable(names: "set[str]") -> "str | None":
    """Return the file of a module that is no installed package's: what was loaded of it may soon be old."""
    if not names:
        return None
    import site
    import sysconfig

    paths = sysconfig.get_paths()
    installed = [paths[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    installed += [*site.getsitepackages(), site.getusersitepackages()]
    folders = tuple(os.path.realpath(folder) + os.sep for folder in installed)
    for name in sorted(names):
        path = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(path, str) and not os.path.realpath(path).startswith(folders):
            return path
    return None


def _pause_coverage() -> bool:
    """End a measurement that began with this process, and tell whether each kernel is to begin its own.

    Else the server would be measured too. What ran before, as `sitecustomize` did, is measured once.
    """
    coverage: Any = sys.modules.get("coverage")
    if coverage is None or not any(os.environ.get(name) for name in COVERAGE):
        return False
    measuring = coverage.process_startup.__dict__.pop("coverage", None)
    if measuring is not None:
        import atexit

        measuring.stop()
        measuring.save()
        measuring._auto_save = False
        atexit.unregister(measuring._atexit)
        handler_before = getattr(measuring, "_old_sigterm", None)
        if handler_before is not None:
            signal.signal(signal.SIGTERM, handler_before)
    return True


class _ThreadNumbers:
    """The numbers in the default names of threads: modules draw some when they are imported.

    A kernel draws its own first ones after some of these imports, and before others.
    """

    def __init__(self) -> None:
        self._threading: Any = importlib.import_module("threading")
        self._count = getattr(getattr(self._threading, "_counter", None), "__self__", None)
        self._first = self._next()

    def _next(self) -> int:
        return int(repr(self._count)[len("count(") : -1]) if self._count is not None else 0

    def imported(self) -> None:
        self._late = self._next() - self._first

    def restart(self) -> None:
        if self._count is not None:
            self._threading._counter = type(self._count)(self._first).__next__

    def catch_up(self) -> None:
        for _ in range(self._late):
            self._threading._counter()


def _renew() -> None:
    """In a forked kernel: make fresh what would otherwise be the same in all of them, or is stale."""
    time: Any = sys.modules["time"]
    logging: Any = sys.modules.get("logging")
    if logging is not None and hasattr(logging, "_startTime"):
        logging._startTime = time.time_ns() if isinstance(logging._startTime, int) else time.time()
    threading: Any = sys.modules["threading"]
    main_thread = threading.main_thread()
    if hasattr(main_thread, "_set_native_id"):
        main_thread._set_native_id()
    process: Any = sys.modules.get("multiprocessing.process")
    if process is not None:
        process.ORIGINAL_DIR = os.getcwd()
        process.current_process().authkey = os.urandom(32)
    numpy_random: Any = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    sys.modules["linecache"].cache.pop("<string>", None)  # the server's own command
    importlib.invalidate_caches()  # a file that came since the server looked may be as old as what it saw


def _high(connection: socket.socket) -> socket.socket:
    """Move a connection out of the way: what the kernel opens gets the numbers that it always gets."""
    most = os.sysconf("SC_OPEN_MAX")
    number = min(most, HIGHEST_DESCRIPTOR + 1) - 1 if most > 0 else HIGHEST_DESCRIPTOR
    os.dup2(connection.fileno(), number, inheritable=False)
    connection.close()
    return socket.socket(fileno=number)


class _End:
    """Ends a forked kernel whose loop has ended: as Python does, but for what nobody can see.

    Python at last takes apart every module, and a forked process must copy them for that: 0.05 s, and 1 s where pandas
    and sklearn were preloaded. Here only what is the notebook's own is taken apart, for the sake of `__del__` and of
    files that are closed by it. Where then still some file is open for writing Python does it all.
    """

    def __init__(self, agent: "dict[str, Any]") -> None:
        """Begin with the modules of the agent, by the last words of their names."""
        self._held: Any = agent.get("held")
        self._own: Any = agent.get("own")
        self._loaded = frozenset(sys.modules)
        """What the server has loaded."""
        self._pid = os.getpid()
        self._outputs = [os.readlink("%s/%d" % (_DESCRIPTORS, number)) for number in range(3)] if _told else []

    def __call__(self) -> None:
        """End the process, or return where something is left to do. Nothing of the kernel's own runs afterwards."""
        if os.getpid() != self._pid or not _told or self._held is None or self._own is None:
            return  # a child that a cell has forked, and that came this far; or there is not all of the agent
        try:
            importlib.import_module("threading")._shutdown()
            importlib.import_module("atexit")._run_exitfuncs()
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for name in ("last_exc", "last_type", "last_value", "last_traceback"):
                if hasattr(sys, name):
                    setattr(sys, name, None)
            self._take_apart()
            nothing_left = next(self._held.open_for_writing(self._counts), None) is None
        except Exception:  # Python itself tells, or passes over it
            return
        if nothing_left:
            os._exit(0)

    def _take_apart(self) -> None:
        """Forget the values of the project's modules, as Python does. IPython itself forgets those of the notebook."""
        gc.collect()  # with all that code at the end may still name
        modules = self._modules()
        for space in [module.__dict__ for module in modules]:
            for private in (True, False):
                for name in [name for name in space if type(name) is str and name != "__builtins__"]:
                    if (name[:1] == "_" and name[1:2] != "_") == private:
                        space[name] = None
        if modules:
            gc.collect()

    def _modules(self) -> "list[Any]":
        """Return the modules loaded since the fork that are neither Python's, installed nor ours, last ones first."""
        own, agent = self._own.OwnModules(), self._own.__name__.partition(".")[0] + "."
        found = []
        for name, module in reversed(list(sys.modules.items())):
            path = getattr(module, "__file__", None)
            loaded_since = name not in self._loaded and isinstance(module, type(sys)) and not name.startswith(agent)
            if loaded_since and isinstance(path, str) and own.is_own_file(path):
                found.append(module)
        return found

    def _counts(self, path: str) -> bool:
        """Tell whether it matters that a file is open: not one that the kernel was started with."""
        return not path.startswith("/dev/") and path not in self._outputs


class _WhenReady:
    """Stands for IPKernelApp.start until it is asked for, which is when the kernel is initialized.

    An attribute, not a function around it, so that no frame of ours is on the kernel's stack.
    """

    def __init__(self, act: Any) -> None:
        self._act = act

    def __get__(self, app: Any, kind: Any = None) -> Any:
        return self._act().__get__(app, kind)


class _Kernel:
    """What a forked process does to be a kernel."""

    def __init__(
        self, connection: socket.socket, agent: "tuple[str, Any]", aside: "dict[str, Any]", numbers: _ThreadNumbers
    ) -> None:
        self._connection, self._agent, self._aside, self._numbers = connection, agent, aside, numbers
        self._collector = "gc" in sys.modules
        self._app: Any = sys.modules["ipykernel.kernelapp"].IPKernelApp
        self._start = self._app.__dict__["start"]

    def enter(self, request: _Request) -> None:
        """Be the process that an ordinary kernel is."""
        os.setsid()
        self._connection = _high(self._connection)
        read, write = os.pipe()
        os.close(write)  # nothing to read, as jupyter_client leaves it
        for target, source in enumerate([read, *request.outputs]):
            os.dup2(source, target)
        for descriptor in [read, *request.outputs]:
            if descriptor > 2:
                os.close(descriptor)
        os.umask(request.umask)
        os.chdir(request.cwd)

    def prepare(self, request: _Request, spec: Any, *, measured: bool) -> None:
        """Be the interpreter that has just begun to run the launcher."""
        sys.argv = [spec.origin, *request.argv[request.argv.index("-m") + 2 :]]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv = list(request.argv)
        if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
            sys.path.insert(0, os.getcwd())
        main = sys.modules["__main__"].__dict__
        for name in list(main):
            if not name.startswith("__"):
                del main[name]
        _renew()
        self._numbers.restart()
        self._app.start = _WhenReady(self._ready)
        if measured:
            sys.modules["coverage"].process_startup()

    def _ready(self) -> Any:
        """Tell that the sockets are bound, and return what starts the kernel."""
        self._app.start = self._start
        self._numbers.catch_up()
        loaded = True
        try:
            name, code = self._agent
            module = type(sys)(name)
            sys.modules[name] = module
            module.__dict__.update(set_aside=self._aside, collector_preloaded=self._collector)
            exec(code, module.__dict__)
        except Exception:
            loaded = False
        self._connection.settimeout(None)
        _send(self._connection, {"ready": True, "agent": loaded})
        self._connection.close()
        return self._start


def _lookups_module(agent_name: str, agent_path: str) -> Any:
    """Load the part of the agent that notes what is imported, and begin with it; no notebook finds it."""
    name, path = "%s.lookups" % agent_name, os.path.join(os.path.dirname(agent_path), "lookups.py")
    spec: Any = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.lookups.start()
    return module


def _set_aside(agent_name: str, agent_path: str, lookups: Any) -> "dict[str, Any]":
    """Import the rest of the agent, and return its modules: no notebook finds them unless its cells are observed."""
    lookups.lookups.stop()
    before, folders = set(sys.modules), set(sys.path_importer_cache)
    package: Any = type(sys)(agent_name)
    package.__path__ = [os.path.dirname(agent_path)]
    sys.modules[agent_name] = package
    sys.modules[lookups.__name__] = lookups
    try:
        importlib.import_module("%s.tracer" % agent_name).prepare_fork()
    except Exception:  # each kernel finds out for itself, and tells
        return {}
    finally:
        found = {name: sys.modules.pop(name) for name in set(sys.modules) - before}
        found.pop(agent_name, None)
        for path in set(sys.path_importer_cache) - folders:
            del sys.path_importer_cache[path]
    return found


def main() -> "tuple[Any, ...] | None":
    """Serve until the owner is gone: `descriptor agent-name agent-path folder preload...`.

    Return in a forked kernel only: what ends it, and the arguments for `runpy._run_code` that make it run the launcher.
    """
    descriptor, agent_name, agent_path, folder = sys.argv[1:5]
    preload = sys.argv[5:]
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # ipykernel reads it when it is imported
    measured = _pause_coverage()
    here = os.getcwd()
    if here not in sys.path:
        sys.path_importer_cache.pop(here, None)  # from before `-c` was done with
    listener = socket.socket(fileno=int(descriptor))
    listener.set_inheritable(False)
    with open(agent_path, encoding="utf-8") as source:
        agent = agent_name, compile(source.read(), "<pytest-cells>", "exec")
    collecting = gc.isenabled()
    gc.disable()  # imports make no garbage worth the time
    lookups = _lookups_module(agent_name, agent_path)
    problem = _import_all(IMPORTED_AT_ONCE)
    numbers = _ThreadNumbers()
    problem = problem or _import_all(IMPORTED_BY_KERNELS)
    lookups.lookups.forget_searches()
    problem = problem or _preload(preload)
    numbers.imported()
    _warm_up()
    spec: Any = importlib.util.find_spec(LAUNCHER)
    launcher = spec.loader.get_code(LAUNCHER) if spec is not None else None
    aside = _set_aside(agent_name, agent_path, lookups)
    if collecting:
        gc.enable()
    gc.freeze()  # so that collections in a kernel, the last ones at its end above all, need not copy what it shares
    job = _Server(listener, problem).serve()
    if job is not None:
        request, connection = job
        kernel = _Kernel(connection, agent, aside, numbers)
        kernel.enter(request)
        kernel.prepare(request, spec, measured=measured)
        return _End({name.rpartition(".")[2]: module for name, module in aside.items()}), (
            launcher,
            sys.modules["__main__"].__dict__,
            None,
            "__main__",
            spec,
        )
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)  # nothing is left to be done, and Python's own end would take longer than all else
