"""Versions of files and folders: the same on both sides of the wall, in the kernel and in pytest's process.

`absent` where there is nothing, `folder` for a folder of which only its being there matters, `list:DIGEST` for what
a folder holds, the SHA-256 of its bytes for a file. A link is what it leads to.
"""

import builtins
import hashlib
import os
import re
import stat
import sys
import time
from typing import Any

from .lookups import normal

_collector_known = "gc" in sys.modules
import gc  # noqa: E402

if not _collector_known:
    del sys.modules["gc"]  # a cell that imports it is told apart from those that cannot see what it does
collector: Any = gc

ABSENT = "absent"
FOLDER = "folder"
LISTING = "list:"
LINEAGE = "~"
"""Begins the Version of a value without a digest: a digest of how it was made."""
FINALIZES = "^"
"""Marks, behind its digest, the Version of a variable whose value runs code of the notebook when it is dropped."""
OF_MODULES = ":"
"""Stands, among the names that the code of a value may touch, for the variables of all modules of the project."""
BINDINGS = ":()"
"""Stands behind a module's name for what its functions, classes and modules are, and from which file they came."""
SHARES = "="
"""Stands there before a name that holds the same pandas Index objects: what is restored has its own."""
HISTORY_NAME = re.compile(r"^(_+|_i+|_i?\d+)$")
"""Names that IPython binds to what cells said and gave: they are no variables, whatever a cell binds them to."""
DISTRIBUTIONS = "*.dist-info"
"""Ends the path, behind a folder and a slash, that stands for the distributions there: all, or those of a name."""
UNLISTED = frozenset({"__pycache__", ".pytest_cache"})
"""What comes and goes by testing alone is no part of a listing."""
TRANSIENT_VARIABLES = frozenset(
    {"JPY_PARENT_PID", "JPY_SESSION_NAME", "JPY_API_TOKEN", "PYTEST_CURRENT_TEST", "PYTEST_VERSION", "SHLVL", "OLDPWD"}
    | {"PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID", "_", "PWD", "COLUMNS", "LINES"}
)
"""Variables that differ from run to run: a cell that reads all variables does not read these."""
_OF_DISTRIBUTIONS = (".dist-info", ".egg-info", ".egg", ".egg-link")
RACY_NS = 100_000_000
"""A file changed less than 0.1 s before it was read may change again without a new time stamp."""
CHUNK = 1 << 18
PRIVATE_BUILTINS: Any = dict(vars(builtins))
__builtins__ = PRIVATE_BUILTINS
"""What functions of ours find under the names of built-in ones, whatever a cell makes of those."""
# Kept from before the notebook's first cell: a cell may replace what it likes, and ours must not be observed.
system: Any = sys.modules[os.name]
"""The module beneath `os`: its functions stay what they are when those of `os` are observed."""
_stat, _open, _read, _close, _scandir = system.stat, system.open, system.read, system.close, system.scandir
_fsencode, _sha256, _now_ns = os.fsencode, hashlib.sha256, time.time_ns
_BINARY = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Versions:
    """Tell the Versions of files, each read once while its inode, size and times stay the same."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, str]] = {}

    def of(self, path: str) -> str:
        """Return the Version of what is at a path; never raises OSError."""
        if path.endswith(DISTRIBUTIONS):
            folder, _, name = path[: -len(DISTRIBUTIONS)].rpartition("/")
            return _distributions(folder or "/", name)
        try:
            status = _stat(path)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFDIR:
                return FOLDER
            if kind != stat.S_IFREG:
                return "other:%o" % kind
            signature = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1]
            version = _digest(path)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        except (OSError, ValueError) as problem:
            return "unreadable:%s" % getattr(problem, "errno", None)
        if _now_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > RACY_NS:
            self._known[path] = (signature, version)
        return version


def listing(path: str) -> str:
    """Return the Version of what a folder holds: the names and whether each is a folder or a link. Never raises."""
    found = []
    try:
        with _scandir(path) as entries:
            for entry in entries:
                if entry.name not in UNLISTED:
                    kind = "l" if entry.is_symlink() else "d" if entry.is_dir() else "f"
                    found.append(b"%s%s\0" % (kind.encode(), _fsencode(entry.name)))
    except (FileNotFoundError, NotADirectoryError):
        return ABSENT
    except (OSError, ValueError) as problem:
        return "unreadable:%s" % getattr(problem, "errno", None)
    return LISTING + _sha256(b"".join(sorted(found))).hexdigest()


def _distributions(folder: str, name: str) -> str:
    """Return the Version of what a folder holds that tells of distributions (of a name, if one is given)."""
    try:
        with _scandir(folder) as entries:
            there = [entry.name for entry in entries if entry.name.endswith(_OF_DISTRIBUTIONS)]
    except OSError:
        there = []
    named = [entry for entry in there if not name or name == normal(entry.rpartition(".")[0].partition("-")[0])]
    found = sorted(map(_fsencode, named))
    return "holds:" + _sha256(b"\0".join(found)).hexdigest() if found else ABSENT


def _digest(path: str) -> str:
    descriptor = _open(path, _BINARY)
    try:
        digest = _sha256()
        while True:
            chunk = _read(descriptor, CHUNK)
            if not chunk:
                return digest.hexdigest()
            digest.update(chunk)
    finally:
        _close(descriptor)
