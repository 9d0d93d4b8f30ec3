"""What no snapshot is made of, with the reasons in words for users: standard library alone, inside the kernel."""

import types

from .classes import identity

# Fields in C that pickle need not tell of are found in these packages' types by their own reduce methods.
TRUSTED = frozenset(
    (
        "numpy",
        "pandas",
        "scipy",
        "sklearn",
        "pyarrow",
        "polars",
        "dateutil",
        "pytz",
        "statsmodels",
        "shapely",
        "zoneinfo",
    )
)

REFUSED_TYPES = {
    types.GeneratorType: "a generator",
    types.CoroutineType: "a coroutine",
    types.AsyncGeneratorType: "an asynchronous generator",
    types.FrameType: "a frame of a call",
    types.TracebackType: "a traceback",
    memoryview: "a memoryview",
}
REFUSED_NAMES = {
    ("_thread", "lock"): "a lock",
    ("_thread", "RLock"): "a lock",
    ("_thread", "_local"): "a thread's variables",
    ("_thread", "_localdummy"): "a thread's variables",
    ("threading", "Thread"): "a thread",
    ("_io", "_IOBase"): "an open file",
    ("io", "IOBase"): "an open file",
    ("_socket", "socket"): "a socket",
    ("sqlite3", "Connection"): "a database connection",
    ("sqlite3", "Cursor"): "a database cursor",
    ("decimal", "Context"): "a context of decimal, which may be the one in use",
    ("weakref", "finalize"): "an action at the end of an object (weakref.finalize)",
    ("weakref", "ref"): "a weak reference",
    ("builtins", "weakref"): "a weak reference",
    ("weakref", "ReferenceType"): "a weak reference",
    ("builtins", "weakproxy"): "a weak reference",
    ("weakref", "ProxyType"): "a weak reference",
    ("weakref", "CallableProxyType"): "a weak reference",
    ("functools", "_lru_cache_wrapper"): "a function with a cache (functools.lru_cache)",
    ("mmap", "mmap"): "a memory-mapped file",
    ("numpy", "memmap"): "a memory-mapped file",
    ("subprocess", "Popen"): "a child process",
    ("matplotlib.artist", "Artist"): "a part of a figure",
    ("matplotlib.backend_bases", "FigureCanvasBase"): "a part of a figure",
    ("matplotlib.backend_bases", "FigureManagerBase"): "a part of a figure",
    ("matplotlib.gridspec", "GridSpecBase"): "a part of a figure",
    ("matplotlib.animation", "Animation"): "an animation",
    ("numpy", "flatiter"): "an iterator over an array",
    ("numpy", "nditer"): "an iterator over an array",
}
REFUSED_ROOTS = {
    "asyncio": "an object of asyncio",
    "comm": "a connection to the front end",
    "ipykernel": "an object of the kernel",
    "ipywidgets": "a widget",
    "jax": "an object of jax",
    "jupyter_client": "an object of the kernel",
    "keras": "an object of keras",
    "tensorflow": "an object of tensorflow",
    "torch": "an object of torch",
    "tornado": "an object of tornado",
    "traitlets": "an object of traitlets",
    "zmq": "a socket",
}
REFUSED_IDS = {identity(kind): reason for kind, reason in REFUSED_TYPES.items()}
IN_MEMORY = (("_io", "BytesIO"), ("_io", "StringIO"))


class Refused(Exception):
    """What a value holds that cannot be taken apart and put together again."""
