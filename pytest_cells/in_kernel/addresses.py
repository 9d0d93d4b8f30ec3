"""Tell whether code that is loaded may ask the network past Python's own sockets, of whose calls each is told.

Only libraries written in other languages can. Those named here do not; any other may.
"""

import sys
import sysconfig
from collections.abc import Iterable
from typing import Any

from .lookups import first_word
from .unsteady import text_of
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

ASKS_NOBODY = frozenset(
    {
        "PIL",
        "bottleneck",
        "contourpy",
        "debugpy",
        "joblib",
        "kiwisolver",
        "markupsafe",
        "matplotlib",
        "msgspec",
        "numexpr",
    }
    | {"numpy", "pandas", "psutil", "pywt", "regex", "rpds", "scipy", "skimage", "sklearn", "statsmodels"}
    | {"threadpoolctl", "tornado", "wrapt", "yaml", "zmq"}
)
"""Packages whose own libraries ask no web server (zmq's have protocols of their own)."""
_ENDINGS = (".so", ".pyd", ".dylib")
_PACKAGES = ("/site-packages/", "/dist-packages/")
_OF_PYTHON = tuple({sysconfig.get_path(name) + "/" for name in ("stdlib", "platstdlib")})
_NOT_OF_PYTHON = frozenset({"_tkinter"})
"""What of Python itself brings an interpreter that has sockets of its own."""


def may_ask_unseen(modules: "Iterable[tuple[str, Any]]") -> bool:
    """Tell whether some module, given with its name, has a library that may ask the network."""
    for name, module in modules:
        file = text_of(getattr(module, "__dict__", {}).get("__file__"))
        if file.endswith(_ENDINGS) and not _asks_nobody(name, file.replace("\\", "/")):
            return True
    return False


def is_known(module: str) -> bool:
    """Tell whether a module is Python's, or of a package that asks nobody by itself."""
    package = module.partition(".")[0]
    return package in ASKS_NOBODY or package in sys.stdlib_module_names


def _asks_nobody(name: str, file: str) -> bool:
    for folder in _PACKAGES:
        _, found, below = file.rpartition(folder)
        if found:
            return first_word(below.partition("/")[0]) in ASKS_NOBODY
    return file.startswith(_OF_PYTHON) and name not in _NOT_OF_PYTHON
