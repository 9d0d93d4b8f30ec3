"""Let Python tell what a cell does: one audit hook for the process, and functions that stand for some of `os`.

Functions are replaced only where nothing else tells: `os.stat` and its kin, the environment's methods, the sources of
random numbers. The ones beneath, in `posix`, stay what they are.
"""

import _thread
import os
import sys
from typing import Any

from . import generators
from .generators import like, standing_for
from .versions import PRIVATE_BUILTINS, system

__builtins__ = PRIVATE_BUILTINS

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR
_FRESH_FLAGS = os.O_TRUNC
_frame, _ident, _fspath = sys._getframe, _thread.get_ident, os.fspath
_PATHS = ("pathlib", "pathlib._local")
HARMLESS_PROCESSES = frozenset(
    {"platform", "ctypes.util", "matplotlib.font_manager", "uuid", "numpy.testing._private.utils", "sysconfig"}
    | {"joblib.externals.loky.backend.context", "pandas.util._print_versions", "psutil", "tqdm.utils"}
)
"""Modules that start processes to ask what machine this is."""
METADATA_READERS = frozenset(
    {
        "importlib.metadata",
        "importlib_metadata",
        "importlib.metadata._itertools",
        "pkg_resources",
        "zipp",
        "zipfile._path",
    }
)
"""Modules that look for what is installed, wherever modules may be."""
WRITERS = frozenset({"PIL.Image", "shutil", "matplotlib.backends.backend_agg", "matplotlib.cbook"})
"""Modules that ask for a file before they write it anew, and then write the same in any case."""
_OWN_BUSINESS = frozenset({"_get_config_or_cache_dir", "_load_fontmanager", "json_dump", "json_load"})
"""Functions of matplotlib that find, make and fill its cache of fonts."""
_FAR_UP = 10
_OURS = (__name__, generators.__name__, __package__)
_IMPORT_SYSTEM = ("importlib._bootstrap_external", "importlib._bootstrap", "zipimport", "_frozen_importlib_external")
"""What runs there is asked for first: to ask a frame for its code is an event of its own."""
_current: "list[Any]" = []
"""The one that is told; empty until it is installed."""
_installed: "list[str]" = []


def listener() -> Any:
    """Return who is to be told of what the calling thread does now, or None."""
    if _current:
        effects = _current[0]
        if effects.under_way and _ident() not in effects.passed_over:
            return effects
    return None


class Quiet:
    """While this is entered, nothing that the thread does is told: it is our own business."""

    def __init__(self, effects: Any) -> None:
        self._passed_over, self._ident = effects.passed_over, 0

    def __enter__(self) -> None:
        self._ident = _ident()
        self._passed_over.add(self._ident)

    def __exit__(self, *problem: object) -> None:
        self._passed_over.discard(self._ident)


# -- audit events ------------------------------------------------------------------------------------------


def _opened(effects: Any, path: Any, mode: Any, flags: Any) -> None:
    if type(path) is int:
        return
    asker = _asker()
    if _imports(asker):
        effects.code_read(path)
    elif _own_business(asker):
        return
    elif type(mode) is str:
        if "w" in mode or "a" in mode or "x" in mode or "+" in mode:
            effects.files.written(path, read="w" not in mode)
        else:
            effects.files.read(path)
            effects.looked(path, asker)
    elif type(flags) is int and flags & _WRITE_FLAGS:
        effects.files.written(path, read=not flags & _FRESH_FLAGS)
    else:
        effects.files.read(path)
        effects.looked(path, asker)


def _caller(frame: Any) -> Any:
    """Return the first frame that is none of ours, from one on."""
    while frame is not None and _asks_by(frame) in _OURS:
        frame = frame.f_back
    return frame


def _asker() -> Any:
    """Return the frame whose code has made the event that is being handled."""
    return _caller(_frame(2))


def _asks_by(frame: Any) -> Any:
    return frame.f_globals.get("__name__") if frame is not None else None


def _own_business(frame: Any) -> bool:
    """Tell whether a file is touched for a cache that a library keeps, and that changes no result."""
    for _ in range(_FAR_UP):
        if frame is None:
            return False
        if str(_asks_by(frame)).startswith("matplotlib") and frame.f_code.co_name in _OWN_BUSINESS:
            return True
        frame = frame.f_back
    return False


def _imports(frame: Any) -> bool:
    """Tell whether a frame is one of the import system, which was not called for its own sake."""
    asks = _asks_by(frame)
    if asks in METADATA_READERS:
        return True
    if asks not in _IMPORT_SYSTEM:
        return False
    if not frame.f_code.co_filename.startswith(("<frozen importlib", "<frozen zipimport")):
        return False
    return frame.f_back is not None and frame.f_back.f_code.co_filename.startswith("<frozen ")


def _listed(effects: Any, path: Any = None) -> None:
    if not _imports(_asker()):
        effects.files.listed(path)


def _scanned(effects: Any, path: Any = None) -> None:
    name = _asker().f_globals.get("__name__")
    plain = name in ("os", "glob", "shutil", "fnmatch", *_PATHS) or (type(name) is str and name.startswith("pathlib"))
    effects.files.listed(path, sizes=not plain)


def _renamed(effects: Any, source: Any, target: Any, source_folder: Any = -1, target_folder: Any = -1) -> None:
    effects.files.moved(source, target, source_folder, target_folder)


def _changed(effects: Any, path: Any, *rest: Any) -> None:
    if _own_business(_asker()):
        return
    folder = rest[-1] if rest and type(rest[-1]) is int else None
    effects.files.written(path, folder)


def _changed_plainly(effects: Any, path: Any, *rest: Any) -> None:
    effects.files.written(path)


def _linked(effects: Any, source: Any, target: Any, *folders: Any) -> None:
    folder = folders[-1] if folders and type(folders[-1]) is int else None
    effects.files.written(target, folder)


def _database(effects: Any, path: Any, *_: Any) -> None:
    if type(path) is bytes:
        path = os.fsdecode(path)
    if type(path) is not str:
        path = _fspath(path)
    if path in ("", ":memory:") or path.startswith("file::memory:") or "mode=memory" in path:
        return
    if path.startswith("file:"):
        path = path[len("file:") :].partition("?")[0]
    effects.files.written(path)


def _library_loaded(effects: Any, path: Any, *_: Any) -> None:
    if type(path) is str and "/" in path:
        effects.files.read(path)
    effects.loaded_library(_asker())


def _mapped(effects: Any, *_: Any) -> None:
    effects.held.maps = True


def _made_temporary(effects: Any, path: Any, *_: Any) -> None:
    effects.files.made_temporary(path)


def _imported(effects: Any, name: Any, *_: Any) -> None:
    effects.imported(name, _frame(2))


def _asks_collector(effects: Any, *_: Any) -> None:
    effects.aside.show()


def _connected(effects: Any, *arguments: Any) -> None:
    effects.volatile("it uses the network")
    effects.asks_unseen = True  # what is asked by a connection that is open does not show


def _process(effects: Any, *arguments: Any) -> None:
    frame: Any = _asker()
    while frame is not None and frame.f_globals.get("__name__") in ("subprocess", "os", __name__, generators.__name__):
        frame = frame.f_back
    if frame is not None and frame.f_globals.get("__name__") in HARMLESS_PROCESSES:
        effects.harmless_processes = True
        return
    effects.barrier("it starts a process")
    effects.processes = True


def _raw_thread(effects: Any, function: Any, *_: Any) -> None:
    if getattr(function, "__module__", None) != "threading":
        effects.raw_threads = True  # nobody can tell when it ends


def _signal(effects: Any, *_: Any) -> None:
    effects.barrier("it sends a signal")


def _input(effects: Any, *_: Any) -> None:
    effects.volatile("it asks for input")


def _audited(effects: Any, *_: Any) -> None:
    effects.barrier("it adds an audit hook")


def _process_group(*names: str) -> "dict[str, Any]":
    return dict.fromkeys(names, _process)


_NETWORK = (
    *("connect", "getaddrinfo", "gethostbyname", "bind", "sendto"),
    *("gethostbyaddr", "getnameinfo", "sendmsg", "getservbyname"),
)
_EVENTS: "dict[str, Any]" = {
    "open": _opened,
    "os.listdir": _listed,
    "os.scandir": _scanned,
    "os.rename": _renamed,
    "os.remove": _changed,
    "os.rmdir": _changed,
    "os.mkdir": _changed,
    "os.link": _linked,
    "os.symlink": _linked,
    "os.truncate": _changed_plainly,
    "os.chmod": _changed_plainly,
    "os.chown": _changed_plainly,
    "os.utime": _changed_plainly,
    "os.setxattr": _changed_plainly,
    "sqlite3.connect": _database,
    "ctypes.dlopen": _library_loaded,
    "mmap.__new__": _mapped,
    "tempfile.mkstemp": _made_temporary,
    "tempfile.mkdtemp": _made_temporary,
    "import": _imported,
    "gc.get_objects": _asks_collector,
    "gc.get_referrers": _asks_collector,
    **dict.fromkeys(
        [*("socket.%s" % name for name in _NETWORK), "urllib.Request"],
        _connected,
    ),
    **_process_group("subprocess.Popen", "os.system", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.exec"),
    **_process_group("pty.spawn", "os.startfile"),
    "os.kill": _signal,
    "os.killpg": _signal,
    "signal.pthread_kill": _signal,
    "builtins.input": _input,
    "sys.addaudithook": _audited,
    "_thread.start_new_thread": _raw_thread,
    "_thread.start_joinable_thread": _raw_thread,
}


def _hook(event: str, arguments: "tuple[Any, ...]") -> None:
    handler = _EVENTS.get(event)
    if handler is None or not _current:
        return
    effects = _current[0]
    ident = _ident()
    if ident in effects.passed_over or not (effects.under_way or event == "import"):
        return  # what is imported between cells, when state is brought back, is to be known as well
    effects.passed_over.add(ident)
    try:
        handler(effects, *arguments)
    except Exception as problem:  # the notebook must never fail because of us
        effects.barrier("what it does could not be observed: %s: %s" % (event, type(problem).__name__))
    finally:
        effects.passed_over.discard(ident)


# -- functions that stand for others -----------------------------------------------------------------------


def _asked(path: Any, folder: Any) -> Any:
    """Tell that a file is asked for; return the path as a plain one, so that it is asked for its text only once."""
    effects = listener()
    if effects is None or type(path) is int:
        return path
    plain = path
    if type(path) not in (str, bytes):
        plain = _fspath(path)
        if not str(type(path).__module__).startswith("pathlib"):
            path = plain
    caller = _caller(_frame(1))
    asks = _asks_by(caller)
    if asks in METADATA_READERS or _own_business(caller):
        return path
    on_the_way = asks == "posixpath" and caller.f_code.co_name in ("_joinrealpath", "realpath")
    with Quiet(effects):
        try:
            by_writer = asks in WRITERS or (asks == "genericpath" and _asks_by(caller.f_back) in WRITERS)
            effects.files.read(plain, folder, opened=False, folders_count=not on_the_way, by_writer=by_writer)
        except Exception as problem:
            effects.barrier("a file that it asks for could not be observed: %s" % type(problem).__name__)
    return path


def _observe_files() -> None:
    original_stat, original_lstat, original_access = system.stat, system.lstat, system.access

    def stat(path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> Any:
        return original_stat(_asked(path, dir_fd), dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def lstat(path: Any, *, dir_fd: Any = None) -> Any:
        return original_lstat(_asked(path, dir_fd), dir_fd=dir_fd)

    def access(
        path: Any, mode: int, *, dir_fd: Any = None, effective_ids: bool = False, follow_symlinks: bool = True
    ) -> bool:
        path = _asked(path, dir_fd)
        return original_access(  # type: ignore[no-any-return]
            path, mode, dir_fd=dir_fd, effective_ids=effective_ids, follow_symlinks=follow_symlinks
        )

    _stand_for(os, stat, original_stat)
    _stand_for(os, lstat, original_lstat)
    _stand_for(os, access, original_access)
    accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)  # Python 3.8 to 3.10 kept them there
    for name, function in (("stat", os.stat), ("lstat", os.lstat)):
        if accessor is not None and name in vars(accessor):
            setattr(accessor, name, function)


def _stand_for(owner: Any, function: Any, original: Any) -> None:
    function = standing_for(owner, function, original)
    for supported in ("dir_fd", "effective_ids", "fd", "follow_symlinks"):
        names = getattr(os, "supports_%s" % supported, None)
        if names is not None and original in names:
            names.add(function)
    setattr(owner, original.__name__, function)


def _observe_folders() -> None:
    """Let it be told where a folder is only to be there: whether it was makes no difference then."""
    import pathlib

    original_makedirs, original_mkdir = os.makedirs, pathlib.Path.mkdir

    def ensure(path: Any, make: Any) -> None:
        effects = listener()
        if effects is None or _own_business(_frame(2)):
            make()
            return
        effects.files.ensuring += 1
        try:
            make()
        finally:
            effects.files.ensuring -= 1
        with Quiet(effects):
            effects.files.ensured(path)

    def makedirs(name: Any, mode: int = 0o777, exist_ok: Any = False) -> None:  # noqa: FBT002
        if exist_ok is not True or type(name) is not str:
            original_makedirs(name, mode, exist_ok)
        else:
            ensure(name, lambda: original_makedirs(name, mode, exist_ok))

    def mkdir(self: Any, mode: int = 0o777, parents: Any = False, exist_ok: Any = False) -> None:  # noqa: FBT002
        if exist_ok is not True or not str(type(self).__module__).startswith("pathlib"):
            original_mkdir(self, mode, parents, exist_ok)
        else:
            ensure(str(self), lambda: original_mkdir(self, mode, parents, exist_ok))

    os.makedirs = like(makedirs, original_makedirs)
    pathlib.Path.mkdir = like(mkdir, original_mkdir)  # type: ignore[method-assign]


def _observe_environment() -> None:
    kind: Any = type(os.environ)
    original_get, original_iterate, original_length = kind.__getitem__, kind.__iter__, kind.__len__

    def __getitem__(self: Any, key: Any) -> Any:  # noqa: N807
        effects = listener()
        if effects is not None:
            effects.variable_read(key)
        return original_get(self, key)

    def __iter__(self: Any) -> Any:  # noqa: N807
        effects = listener()
        if effects is not None:
            effects.all_variables_read = True
        return original_iterate(self)

    def __len__(self: Any) -> int:  # noqa: N807
        effects = listener()
        if effects is not None:
            effects.all_variables_read = True
        return original_length(self)  # type: ignore[no-any-return]

    for function, original in (
        (__getitem__, original_get),
        (__iter__, original_iterate),
        (__len__, original_length),
    ):
        setattr(kind, function.__name__, like(function, original))


def _observe_calls() -> None:
    """Let functions tell that they are called whose doing nothing shows."""

    def telling(owner: Any, name: str, tell: Any) -> None:
        original = getattr(owner, name, None)
        if original is None:
            return

        def function(*arguments: Any, **named: Any) -> Any:
            effects = listener()
            if effects is not None:
                tell(effects, *arguments)
            return original(*arguments, **named)

        setattr(owner, name, standing_for(owner, function, original))

    def drawn(effects: Any, *_: Any) -> None:
        effects.entropy.drawn("it draws from the operating system's random numbers", 3)

    def registered(effects: Any, *arguments: Any) -> None:
        effects.registered_at_exit(_caller(_frame(1)))

    import atexit
    import importlib
    import warnings

    for name in ("urandom", "getrandom"):
        telling(os, name, drawn)
    telling(os, "umask", lambda effects, *_: effects.barrier("it sets the umask"))
    telling(atexit, "register", registered)
    original_filter = getattr(warnings, "_add_filter", None)
    if original_filter is not None:

        def _add_filter(*entry: Any, **named: Any) -> None:
            if _current:
                _current[0].filter_added(entry, _frame(1))
            original_filter(*entry, **named)

        warnings._add_filter = like(_add_filter, original_filter)  # type: ignore[attr-defined]
    telling(importlib, "reload", lambda effects, *_: effects.barrier("it reloads a module"))
    try:
        import _posixsubprocess

        telling(_posixsubprocess, "fork_exec", lambda effects, *_: _process(effects))
    except ImportError:
        pass


class _Loader:
    """Tells that a module is loaded, in its loader's place for as long as that takes."""

    def __init__(self, loader: Any, loaded: Any) -> None:
        self._loader, self._loaded = loader, loaded

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._loaded(module)


class Finder:
    """Stands first in `sys.meta_path` for as long as one module is looked for."""

    def __init__(self, name: str, loaded: Any) -> None:
        self._name, self._loaded = name, loaded

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find the module as everybody does, and be told when it is loaded."""
        self.leave()
        if name != self._name:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader, self._loaded)
                return spec
        return None

    def leave(self) -> None:
        """Go away."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]


def install(effects: Any) -> None:
    """Let `effects` be told from now on; what is put in place is put there once in a process."""
    _current[:] = [effects]
    if not _installed:
        _installed.append("all")
        _observe_files()
        _observe_folders()
        _observe_environment()
        _observe_calls()
        sys.addaudithook(_hook)
    for name, observe in (("random", generators.observe_python), ("numpy.random", generators.observe_numpy)):
        module = sys.modules.get(name)
        if module is not None and name not in _installed and _is_loaded(module):
            _installed.append(name)
            observe(module, listener)


def is_installed() -> bool:
    """Tell whether anyone is told."""
    return bool(_installed)


def observe_generators(name: str, module: Any) -> None:
    """Observe the generator of a module that has just been loaded."""
    if name not in _installed:
        _installed.append(name)
        (generators.observe_python if name == "random" else generators.observe_numpy)(module, listener)


def _is_loaded(module: Any) -> bool:
    return hasattr(module, "_inst") or hasattr(module, "RandomState")
