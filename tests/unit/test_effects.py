"""What the agent reports of a cell, beside its names: each row is what is done, and what is reported."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import pytest_cells

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the probe forks, and folders are watched on Linux")

AGENT = Path(pytest_cells.__file__).parent / "in_kernel"
PROBE = Path(__file__).with_name("effects_probe.py")
LISTED = "list:"
"""Stands for the Version of a listing, whatever it is."""
ENTROPY = "it draws from the operating system's random numbers"
BY_CHANCE = "a generator of numpy is seeded by chance"
PROCESS = "it starts a process"
FILES = {"a.txt": "hello", "sub/b.txt": "inner", "helper.py": "value = 1\n", "table.csv": "x,y\n1,2\n3,4\n"}


def sha(text: str) -> str:
    """Return the Version of a file that holds a text."""
    return hashlib.sha256(text.encode()).hexdigest()


HELLO, INNER, TABLE = sha("hello"), sha("inner"), sha(FILES["table.csv"])


@dataclass(frozen=True)
class Row:
    """Cells that are executed one after the other, and what is reported of the last one: all of it."""

    name: str
    cells: tuple[str, ...]
    files: dict[str, str] = field(default_factory=dict)
    file_writes: dict[str, str] = field(default_factory=dict)
    foreign_writes: dict[str, str] = field(default_factory=dict)
    held: bool = False
    """Whether files stay open for writing."""
    env: set[str] = field(default_factory=set)
    env_writes: dict[str, str | None] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    """Of the random generators, those whose state mattered."""
    slot_writes: set[str] = field(default_factory=set)
    volatile: tuple[str, ...] = ()
    barrier: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Modules without which the row is skipped."""
    modules: tuple[str, ...] = ()
    """Of the modules that were imported, some."""
    module_files: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    fresh: bool = False
    """Whether the cells import what the row needs themselves."""

    @property
    def preload(self) -> tuple[str, ...]:
        """What is imported before the process forks."""
        return () if self.fresh else self.needs

    def json(self, folder: Path) -> dict[str, Any]:
        """Return what the probe is told."""
        return {"folder": str(folder), "cells": self.cells, "preload": self.preload}


def row(name: str, *cells: str, **wanted: Any) -> Row:
    return Row(name, cells, **wanted)


C_FILES = (
    "import ctypes; c = ctypes.CDLL(None); c.fopen.restype = ctypes.c_void_p; c.fclose.argtypes = [ctypes.c_void_p]"
)
GENERATORS = {"random", "numpy.random"}
NUMPY = "import numpy as np"
UNSEEDED = "it draws random numbers that nothing has seeded (%s)"

ROWS = [
    row("nothing", "x = 1"),
    # -- files: reads ------------------------------------------------------------------------------------
    row("open", "open('a.txt').read()", files={"a.txt": HELLO}),
    row("open_twice", "open('a.txt').read()", "open('a.txt').read()", files={"a.txt": HELLO}),
    row("open_bytes_path", "open(b'a.txt').read()", files={"a.txt": HELLO}),
    row("os_open", "import os", "os.close(os.open('a.txt', os.O_RDONLY))", files={"a.txt": HELLO}),
    row("pathlib", "import pathlib", "pathlib.Path('a.txt').read_text()", files={"a.txt": HELLO}),
    row("read_beside", "open('sub/../a.txt').read()", files={"a.txt": HELLO}),
    row("absent", "try:\n    open('none.txt')\nexcept OSError:\n    pass", files={"none.txt": "absent"}),
    row("exists", "import os", "os.path.exists('a.txt')", files={"a.txt": HELLO}),
    row("exists_not", "import os", "os.path.exists('none.txt')", files={"none.txt": "absent"}),
    row("isdir", "import os", "os.path.isdir('sub')", files={"sub": "folder"}),
    row(  # until Python 3.12 it asks once more for what it has found
        "resolve",
        "import pathlib",
        "pathlib.Path('sub').resolve()",
        files={"sub": "folder"} if sys.version_info < (3, 13) else {},
    ),
    row("getsize", "import os", "os.path.getsize('a.txt')", files={"a.txt": HELLO}),
    row("lexists", "import os", "os.path.lexists('a.txt')", files={"a.txt": HELLO}),
    row("access", "import os", "os.access('a.txt', os.R_OK)", files={"a.txt": HELLO}),
    row("path_stat", "import pathlib", "pathlib.Path('a.txt').stat()", files={"a.txt": HELLO}),
    row("path_exists", "import pathlib", "pathlib.Path('none').exists()", files={"none": "absent"}),
    row("listdir", "import os", "os.listdir('sub')", files={"sub": LISTED}),
    row("scandir", "import os", "list(os.scandir('sub'))", files={"sub": LISTED, "sub/b.txt": INNER}),
    row("iterdir", "import pathlib", "list(pathlib.Path('sub').iterdir())", files={"sub": LISTED}),
    row("walk", "import os", "list(os.walk('sub'))", files={"sub": LISTED}),
    row("glob", "import glob", "glob.glob('sub/*.txt')", files={"sub": LISTED}),
    row("list_absent", "import os\ntry:\n    os.listdir('none')\nexcept OSError:\n    pass", files={"none": "absent"}),
    row(
        "link",
        "import os; os.symlink('a.txt', 'link')",
        "open('link').read()",
        files={"link": HELLO, "a.txt": HELLO},
    ),
    row("chdir", "import os; os.chdir('sub')", "open('b.txt').read()", files={"sub/b.txt": INNER}),
    row("chdir_slot", "import os", "os.chdir('sub')", slot_writes={"cwd"}),
    row(
        "sqlite",
        "import sqlite3",
        "sqlite3.connect('a.db').close()",
        files={"a.db": "absent"},
        file_writes={"a.db": sha("")},
    ),
    row("sqlite_memory", "import sqlite3", "sqlite3.connect(':memory:').close()"),
    row(
        "thread_reads",
        "import threading\nt = threading.Thread(target=lambda: open('a.txt').read()); t.start(); t.join()",
        files={"a.txt": HELLO},
    ),
    row(
        "numpy_load",
        NUMPY,
        "np.loadtxt('table.csv', delimiter=',', skiprows=1)",
        files={"table.csv": TABLE},
        needs=("numpy", "numpy.random"),
    ),
    row("installed", "import json", "open(json.__file__).read()"),
    row("devices", "open('/dev/null').read()"),
    row("random_device", "open('/dev/urandom', 'rb', 0).read(1)", volatile=("it reads /dev/urandom",)),
    row("process_table", "open('/proc/self/stat').read()", volatile=("it reads /proc/self/stat",)),
    # -- files: writes -----------------------------------------------------------------------------------
    row("write", "open('new.txt', 'w').write('1')", file_writes={"new.txt": sha("1")}),
    row("overwrite", "open('a.txt', 'w').write('1')", file_writes={"a.txt": sha("1")}),
    row("append", "open('a.txt', 'a').write('1')", files={"a.txt": HELLO}, file_writes={"a.txt": sha("hello1")}),
    row("update", "open('a.txt', 'r+').write('1')", files={"a.txt": HELLO}, file_writes={"a.txt": sha("1ello")}),
    row("create", "open('new', 'x').write('1')", files={"new": "absent"}, file_writes={"new": sha("1")}),
    row("same_again", "open('a.txt', 'w').write('hello')", file_writes={"a.txt": HELLO}),
    row("write_then_read", "open('n', 'w').write('1')\nopen('n').read()", file_writes={"n": sha("1")}),
    row(
        "read_then_write",
        "open('a.txt').read(); open('a.txt', 'w').write('1')",
        files={"a.txt": HELLO},
        file_writes={"a.txt": sha("1")},
    ),
    row(
        "exists_then_write",
        "import os",
        "if not os.path.exists('n'):\n    open('n', 'w').write('1')",
        files={"n": "absent"},
        file_writes={"n": sha("1")},
    ),
    row("remove", "import os", "os.remove('a.txt')", files={"a.txt": HELLO}, file_writes={"a.txt": "absent"}),
    row(
        "rename",
        "import os",
        "os.rename('a.txt', 'c.txt')",
        files={"a.txt": HELLO},
        file_writes={"a.txt": "absent", "c.txt": HELLO},
    ),
    row(
        "write_whole",
        "import os",
        "open('t', 'w').write('1'); os.replace('t', 'a.txt')",
        file_writes={"a.txt": sha("1")},
    ),
    row("mkdir", "import os", "os.mkdir('new')", files={"new": "absent"}, file_writes={"new": "folder"}),
    row(
        "rename_folder",
        "import os",
        "os.rename('sub', 'bus')",
        files={"sub": "folder"},
        file_writes={"sub": "absent", "bus": "folder", "bus/b.txt": INNER},
        barrier=("it renames a folder: sub",),
    ),
    row(
        "rmtree",
        "import shutil",
        "shutil.rmtree('sub')",
        files={"sub": LISTED, "sub/b.txt": INNER},
        file_writes={"sub": "absent", "sub/b.txt": "absent"},
    ),
    row(
        "copy",
        "import shutil",
        "shutil.copy('a.txt', 'c.txt')",
        files={"a.txt": HELLO},
        file_writes={"c.txt": HELLO},
    ),
    row("came_and_went", "import os", "open('t', 'w').close(); os.remove('t')"),
    row("open_handle", "f = open('n', 'w')", "f.write('12'); f.flush()", file_writes={"n": sha("12")}, held=True),
    row("handle_that_stays", "f = open('n', 'w')", "1", held=True),
    row("handle_that_is_closed", "f = open('n', 'w')", "f.close()", file_writes={"n": sha("")}),
    row("handle_of_what_is_gone", "import os; f = open('n', 'w'); os.remove('n')", "1"),
    row("handle_for_reading", "open('n', 'w').close(); f = open('n')", "1"),
    row(
        "mapped_for_writing",
        "import mmap\nwith open('a.txt', 'r+b') as f:\n    m = mmap.mmap(f.fileno(), 0)",
        "1",
        held=True,
    ),
    row(
        "mapped_for_reading",
        "import mmap\nwith open('a.txt', 'rb') as f:\n    m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)",
        "1",
    ),
    row(
        "map_that_is_closed",
        "import mmap; f = open('a.txt', 'r+b'); m = mmap.mmap(f.fileno(), 0)",
        "m.close(); f.close()",
        file_writes={"a.txt": HELLO},
    ),
    row(
        "temporary",
        "import tempfile",
        "with tempfile.TemporaryDirectory() as d, open(d + '/x', 'w') as f:\n    f.write('1')",
    ),
    row("temporary_file", "import tempfile", "with tempfile.NamedTemporaryFile() as f:\n    f.write(b'1')"),
    # -- what Python's audit does not tell -----------------------------------------------------------------
    row(
        "c_reader",
        C_FILES,
        "c.fclose(c.fopen(b'a.txt', b'r'))",
        files={"a.txt": HELLO},
    ),
    row(
        "c_writer",
        C_FILES,
        "c.fclose(c.fopen(b'new.txt', b'w'))",
        foreign_writes={"new.txt": sha("")},
    ),
    row(
        "c_writer_in_new_folder",
        "import os; " + C_FILES,
        "os.mkdir('n'); c.fclose(c.fopen(b'n/new.txt', b'w'))",
        files={"n": "absent"},
        file_writes={"n": "folder", "n/new.txt": sha("")},
    ),
    row(
        "c_updater",
        "import ctypes; c = ctypes.CDLL(None); c.fopen.restype = ctypes.c_void_p\n"
        "for f in (c.fclose, c.fgetc, c.rewind, c.fputc):\n    f.argtypes = [ctypes.c_void_p]\n"
        "c.fputc.argtypes = [ctypes.c_int, ctypes.c_void_p]",
        "f = c.fopen(b'a.txt', b'r+'); c.fgetc(f); c.rewind(f); c.fputc(65, f); c.fclose(f)",
        foreign_writes={"a.txt": sha("Aello")},
        volatile=("what was in a.txt when it was read is not known",),
    ),
    row("ctypes", "import ctypes", "ctypes.CDLL(None)", barrier=("it uses ctypes",)),
    row(
        "pyarrow",
        "import pyarrow.csv",
        "pyarrow.csv.read_csv('table.csv')",
        files={"table.csv": TABLE},
        needs=("pyarrow",),
    ),
    row(
        "read_parquet",
        "import pandas as pd; pd.DataFrame({'x': [1]}).to_parquet('x.parquet')",
        "pd.read_parquet('x.parquet')",
        files={"x.parquet": "*"},
        env={"PYARROW_IGNORE_TIMEZONE"},
        needs=("pandas", "pyarrow"),
    ),
    row(
        "write_parquet",
        "import pandas as pd; import pyarrow.parquet",
        "pd.DataFrame({'x': [1]}).to_parquet('x.parquet')",
        files={"x.parquet": "absent"},
        file_writes={"x.parquet": "*"},
        needs=("pandas", "pyarrow"),
    ),
    row(
        "h5py_update",
        "import h5py; h5py.File('x.h5', 'w').close()",
        "with h5py.File('x.h5', 'r+') as f:\n    f.create_group('g')",
        files={"x.h5": "*"},
        file_writes={"x.h5": "*"},
        needs=("h5py",),
    ),
    row(
        "h5py",
        "import h5py; h5py.File('x.h5', 'w').close()",
        "h5py.File('x.h5', 'r').close()",
        files={"x.h5": "*"},
        needs=("h5py",),
    ),
    row(
        "subprocess_reads",
        "import subprocess",
        "subprocess.run(['cat', 'a.txt'], stdout=subprocess.DEVNULL)",
        files={"a.txt": HELLO},
        env={"PATH"},
        barrier=(PROCESS,),
    ),
    # -- environment variables -----------------------------------------------------------------------------
    row("getenv", "import os", "os.getenv('HOME')", env={"HOME"}),
    row("environ_get", "import os", "os.environ.get('NONE_SUCH')", env={"NONE_SUCH"}),
    row("environ_in", "import os", "'HOME' in os.environ", env={"HOME"}),
    row("environ_bytes", "import os", "os.environb[b'HOME']", env={"HOME"}),
    row("environ_write", "import os", "os.environ['A_NAME'] = 'v'", env_writes={"A_NAME": "v"}),
    row(
        "environ_delete",
        "import os; os.environ['A_NAME'] = 'v'",
        "del os.environ['A_NAME']",
        env_writes={"A_NAME": None},
    ),
    # -- random numbers ------------------------------------------------------------------------------------
    row("unseeded", "import random", "random.random()", reads={"random"}, volatile=(UNSEEDED % "random",)),
    row("seeded", "import random", "random.seed(1); random.random()", slot_writes={"random"}),
    row("seed", "import random", "random.seed(1)", slot_writes={"random"}),
    row("seed_again", "import random; random.seed(1)", "random.seed(1)", slot_writes={"random"}),
    row("drawn_after", "import random; random.seed(1)", "random.random()", reads={"random"}, slot_writes={"random"}),
    row("not_drawn", "import random; random.seed(1)", "x = 1"),
    row(
        "drawn_then_seeded",
        "import random",
        "random.random(); random.seed(1)",
        reads={"random"},
        slot_writes={"random"},
        volatile=(UNSEEDED % "random",),
    ),
    row(
        "seeded_by_chance",
        "import random; random.seed(1)",
        "random.seed(); random.random()",
        slot_writes={"random"},
        volatile=(UNSEEDED % "random",),
    ),
    row("seed_method", "import random", "random._inst.seed(1); random.random()", slot_writes={"random"}),
    row("getstate", "import random; random.seed(1)", "s = random.getstate()", reads={"random"}),
    row(
        "getstate_unseeded",
        "import random",
        "s = random.getstate()",
        reads={"random"},
        volatile=(UNSEEDED % "random",),
    ),
    row(
        "setstate",
        "import random; random.seed(1); s = random.getstate()",
        "random.setstate(s)",
        slot_writes={"random"},
    ),
    row("own_generator", "import random", "random.Random(1).random()"),
    row(
        "own_by_chance", "import random", "random.Random().random()", volatile=("random.Random() is seeded by chance",)
    ),
    row("system_random", "import random", "random.SystemRandom().random()", volatile=(ENTROPY,)),
    row("urandom", "import os", "os.urandom(1)", volatile=(ENTROPY,)),
    row("uuid4", "import uuid", "uuid.uuid4()", volatile=(ENTROPY,)),
    row("secrets", "import secrets", "secrets.token_hex()", volatile=(ENTROPY,)),
    row(
        "numpy_unseeded",
        NUMPY,
        "np.random.rand()",
        reads={"numpy.random"},
        volatile=(UNSEEDED % "numpy.random",),
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_seeded",
        NUMPY,
        "np.random.seed(1); np.random.rand()",
        slot_writes={"numpy.random"},
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_drawn_after",
        NUMPY + "; np.random.seed(1)",
        "np.random.rand()",
        reads={"numpy.random"},
        slot_writes={"numpy.random"},
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_second_normal",
        NUMPY + "; np.random.seed(1); np.random.randn()",
        "np.random.randn()",
        reads={"numpy.random"},
        slot_writes={"numpy.random"},
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_seed_by_chance",
        NUMPY,
        "np.random.seed(); np.random.rand()",
        slot_writes={"numpy.random"},
        volatile=(UNSEEDED % "numpy.random",),
        needs=("numpy", "numpy.random"),
    ),
    row("numpy_random_state", NUMPY, "np.random.RandomState(1).rand()", needs=("numpy", "numpy.random")),
    row(
        "numpy_many_states",
        NUMPY,
        "states = [np.random.RandomState(n) for n in range(100)]",
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_state_by_chance",
        NUMPY,
        "np.random.RandomState()",
        volatile=(BY_CHANCE,),
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_one_by_chance",
        NUMPY,
        "states = [np.random.RandomState(n) for n in [1] * 50 + [None] + [1] * 50]",
        volatile=(BY_CHANCE,),
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_drawn_before_seed",
        NUMPY,
        "r = np.random.RandomState(); r.rand(); r.seed(1)",
        volatile=(BY_CHANCE,),
        needs=("numpy", "numpy.random"),
    ),
    row("numpy_default_rng", NUMPY, "np.random.default_rng(1).random()", needs=("numpy", "numpy.random")),
    row(
        "numpy_rng_by_chance",
        NUMPY,
        "np.random.default_rng().random()",
        volatile=(BY_CHANCE,),
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_rng_thrown_away",
        NUMPY,
        "max(map(lambda _: np.random.default_rng().random(), 'a'))",
        volatile=(BY_CHANCE,),
        needs=("numpy", "numpy.random"),
    ),
    row("numpy_bits_by_chance", NUMPY, "np.random.PCG64()", volatile=(BY_CHANCE,), needs=("numpy", "numpy.random")),
    row(
        "numpy_copy",
        NUMPY + "; import copy; r = np.random.RandomState(1)",
        "copy.deepcopy(r).rand()",
        needs=("numpy", "numpy.random"),
    ),
    row(
        "sklearn",
        "from sklearn.model_selection import train_test_split",
        "train_test_split([1, 2, 3, 4], random_state=1)",
        needs=("sklearn.model_selection",),
    ),
    row(
        "sklearn_by_chance",
        "from sklearn.model_selection import train_test_split",
        "train_test_split([1, 2, 3, 4])",
        reads={"numpy.random"},
        volatile=(UNSEEDED % "numpy.random",),
        needs=("sklearn.model_selection",),
    ),
    # -- other ambient state -------------------------------------------------------------------------------
    row("warnings", "import warnings", "warnings.simplefilter('ignore')", slot_writes={"warnings"}),
    row(
        "warnings_of_import",
        "import numpy",
        "import warnings",
        needs=("numpy",),
        fresh=True,
    ),
    row(
        "warnings_like_import",
        "import numpy, warnings",
        "warnings.filterwarnings('ignore', message='numpy.ndarray size changed')",
        slot_writes={"warnings"},
        needs=("numpy",),
        fresh=True,
    ),
    row(
        "imported_between_cells",
        "x = 1",
        "!run import numpy, decimal, numpy.random",
        "x = 2",
        needs=("numpy",),
        fresh=True,
    ),
    row("mkdir_again", "import os", "os.makedirs('sub', exist_ok=True)", file_writes={"sub": "folder"}),
    row("mkdir_maybe", "import os", "os.makedirs('new', exist_ok=True)", file_writes={"new": "folder"}),
    row(
        "mkdir_by_path",
        "from pathlib import Path",
        "Path('new/deep').mkdir(parents=True, exist_ok=True)",
        file_writes={"new": "folder", "new/deep": "folder"},
    ),
    row("mkdir_sure", "import os", "os.makedirs('new')", files={"new": "absent"}, file_writes={"new": "folder"}),
    row("sys_path", "import sys", "sys.path.append('x')", slot_writes={"sys.path"}),
    row("sys_argv", "import sys", "sys.argv = ['x']", slot_writes={"sys.argv"}),
    row("recursion", "import sys", "sys.setrecursionlimit(5000)", slot_writes={"interpreter"}),
    row("decimal", "import decimal", "decimal.getcontext().prec = 5", slot_writes={"decimal"}),
    row("decimal_flag", "import decimal", "decimal.Decimal(1) / 3", slot_writes={"decimal"}),
    row(
        "decimal_trap",
        "import decimal",
        "decimal.getcontext().traps[decimal.Inexact] = True",
        slot_writes={"decimal"},
    ),
    row(
        "decimal_context_that_says_nothing",
        "import decimal\nclass Context(decimal.Context):\n    __repr__ = lambda self: 'context'\n"
        "decimal.setcontext(Context())",
        "decimal.getcontext().prec = 5",
        slot_writes={"decimal"},
    ),
    row(
        "decimal_at_once",
        "import decimal\ndecimal.getcontext().prec = 5",
        slot_writes={"decimal"},
        modules=("decimal",),
    ),
    row("logging", "import logging", "logging.getLogger().setLevel(10)", slot_writes={"logging"}),
    row(
        "logging_handler",
        "import logging",
        "class H(logging.Handler): pass\nlogging.getLogger().addHandler(H())",
        slot_writes={"logging"},
        barrier=("it changes what cannot be told as plain data: logging",),
    ),
    row(
        "numpy_print",
        NUMPY,
        "np.set_printoptions(precision=3)",
        slot_writes={"numpy.print"},
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_formatter",
        NUMPY,
        "np.set_printoptions(formatter={'float': lambda x: ''})",
        slot_writes={"numpy.print"},
        barrier=("it changes what cannot be told as plain data: numpy.print",),
        needs=("numpy", "numpy.random"),
    ),
    row(
        "numpy_at_once",
        "import numpy as np; np.random.seed(1); np.random.rand(); np.set_printoptions(precision=3)",
        slot_writes={"numpy.random", "numpy.print"},
        needs=("numpy",),
        fresh=True,
    ),
    row("numpy_errors", NUMPY, "np.seterr(all='ignore')", slot_writes={"numpy.err"}, needs=("numpy", "numpy.random")),
    row(
        "pandas",
        "import pandas as pd",
        "pd.set_option('display.max_rows', 5)",
        slot_writes={"pandas.options"},
        needs=("pandas",),
    ),
    row(
        "rcparams",
        "import matplotlib",
        "matplotlib.rcParams['lines.linewidth'] = 3.5",
        slot_writes={"matplotlib.rcParams"},
        needs=("matplotlib", "matplotlib.pyplot"),
    ),
    row(
        "rcparams_in_place",
        "import matplotlib",
        "matplotlib.rcParams['font.family'].append('x')",
        slot_writes={"matplotlib.rcParams"},
        needs=("matplotlib", "matplotlib.pyplot"),
    ),
    # -- what goes on, or stands in the way ----------------------------------------------------------------
    row("process", "import subprocess", "subprocess.run(['true'])", env={"PATH"}, barrier=(PROCESS,)),
    row("system", "import os", "os.system('true')", barrier=(PROCESS,)),
    row("fork", "import os", "if os.fork() == 0:\n    os._exit(0)\nos.wait()", barrier=(PROCESS,)),
    row(
        "process_left",
        "import subprocess",
        "p = subprocess.Popen(['sleep', '60'])",
        "x = 1",
        "p.kill()",
        env={"PATH"},
        barrier=(PROCESS, "a process that was started is still there"),
    ),
    row(
        "thread_left",
        "import threading; e = threading.Event()",
        "t = threading.Thread(target=e.wait, daemon=True, name='mine'); t.start()",
        barrier=("a thread is still running: mine",),
    ),
    row("thread_done", "import threading", "t = threading.Thread(target=int); t.start(); t.join()"),
    row("signal", "import signal", "signal.signal(signal.SIGUSR1, print)", barrier=("it sets a signal's handler",)),
    row("settrace", "import sys", "sys.settrace(lambda *a: None)", barrier=("it sets a trace or profile function",)),
    row("excepthook", "import sys", "sys.excepthook = print", barrier=("it replaces a hook of sys",)),
    row("stdout", "import sys, io", "sys.stdout = io.StringIO()", barrier=("it replaces a hook of sys",)),
    row("redirect", "import io, contextlib", "with contextlib.redirect_stdout(io.StringIO()):\n    print(1)"),
    row("builtins", "import builtins", "builtins.len = 3", barrier=("it changes the builtins",)),
    row(
        "meta_path",
        "import sys",
        "class F: find_spec = None\nsys.meta_path.append(F())",
        barrier=("it changes how modules are found",),
    ),
    row("atexit", "import atexit", "atexit.register(print)", barrier=("it registers what is done at exit",)),
    row("umask", "import os", "x = os.umask(0o22)", barrier=("it sets the umask",)),
    row("audit_hook", "import sys", "sys.addaudithook(lambda *a: None)", barrier=("it adds an audit hook",)),
    row("kill", "import os", "os.kill(os.getpid(), 0)", barrier=("it sends a signal",)),
    row(
        "removes_module",
        "import sys, colorsys",
        "del sys.modules['colorsys']",
        barrier=("it removes a module: colorsys",),
    ),
    row(
        "network",
        "import socket",
        "s = socket.socket()\ntry:\n    s.connect(('127.0.0.1', 1))\nexcept OSError:\n    pass\ns.close()",
        volatile=("it uses the network",),
    ),
    row(
        "bind",
        "import socket",
        "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.close()",
        volatile=("it uses the network",),
    ),
    row(
        "figure_left",
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt",
        "f = plt.figure()",
        barrier=("a figure is left open",),
        needs=("matplotlib", "matplotlib.pyplot"),
    ),
    row(
        "figure_closed",
        "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as plt",
        "f = plt.figure(); plt.close(f)",
        needs=("matplotlib", "matplotlib.pyplot"),
    ),
    # -- modules -------------------------------------------------------------------------------------------
    row("import", "import colorsys", modules=("colorsys",)),
    row("import_again", "import colorsys", "import colorsys"),
    row(
        "project_module",
        "import sys; sys.path.insert(0, '.')",
        "import helper",
        modules=("helper",),
        module_files={"helper.py": sha(FILES["helper.py"])},
    ),
    row(
        "reload",
        "import sys; sys.path.insert(0, '.')\nimport helper, importlib",
        "x = importlib.reload(helper)",
        barrier=("it reloads a module",),
        module_files={"helper.py": sha(FILES["helper.py"])},
    ),
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[dict[str, Any]]]]:
    """Return what is reported of all rows: one process that forks takes a tenth of the time."""
    rows = [row for row in ROWS if all(importlib.util.find_spec(name.partition(".")[0]) for name in row.needs)]
    folders = {row.name: tmp_path_factory.mktemp(row.name) for row in rows}
    rows.sort(key=lambda row: len(row.preload))
    wanted = {"agent": str(AGENT), "rows": [row.json(folders[row.name]) for row in rows]}
    for folder in folders.values():
        for name, text in FILES.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
    told = dict(zip((row.name for row in rows), probed(wanted), strict=True))
    return {name: (folders[name], reports) for name, reports in told.items()}


def probed(wanted: dict[str, Any]) -> list[Any]:
    """Execute rows; return what was reported of each."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # or whether a module's source is read varies
    done = subprocess.run(
        [sys.executable, str(PROBE)],
        input=json.dumps(wanted),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environment,
    )
    assert 0 == done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def inside(found: dict[str, str], folder: Path) -> dict[str, str]:
    """Return paths relative to a folder; any listing is like another."""
    versions = {name: LISTED if version.startswith(LISTED) else version for name, version in found.items()}
    return {name.removeprefix(f"{folder}/"): version for name, version in versions.items()}


def known(wanted: dict[str, str], found: dict[str, str]) -> dict[str, str]:
    """Return the Versions that are wanted; where any will do, the one that was found."""
    return {name: found.get(name, "") if version == "*" else version for name, version in wanted.items()}


@pytest.mark.parametrize("wanted", ROWS, ids=[row.name for row in ROWS])
def test_reported(wanted: Row, reports: dict[str, tuple[Path, list[dict[str, Any]]]]) -> None:
    """Of each cell exactly this is reported, and nothing else."""
    if wanted.name not in reports:
        pytest.skip(f"needs {', '.join(wanted.needs)}")
    folder, told = reports[wanted.name]
    assert isinstance(told, list), told["problem"]
    assert "imported_between_cells" != wanted.name or {"start"} == set(told[-1]["slots"].values())
    index = 1 if wanted.name == "process_left" else len(told) - 1
    report = told[index]
    files = inside(report["files"], folder)
    writes, foreign = inside(report["file_writes"], folder), inside(report["foreign_writes"], folder)
    imports = len(wanted.cells) == 1 and bool(report["modules"])
    got = {
        "error": report["error"],
        "files": files,
        "file_writes": writes,
        "foreign_writes": foreign,
        "held": report["held"],
        "env": set(report["env"]) if not imports else wanted.env,
        "env_writes": report["env_writes"],
        "reads": set(report["slots"]) & GENERATORS,
        "slot_writes": set(report["slot_writes"]),
        "volatile": [reason.replace(f"{folder}/", "") for reason in report["volatile"]],
        "barrier": [reason.replace(f"{folder}/", "") for reason in report["barrier"]],
        "module_files": inside(report["module_files"], folder),
        "modules": [name for name in wanted.modules if name in report["modules"]],
    }
    assert {
        "error": wanted.error,
        "files": known(wanted.files, files),
        "file_writes": known(wanted.file_writes, writes),
        "foreign_writes": known(wanted.foreign_writes, foreign),
        "held": wanted.held,
        "env": wanted.env,
        "env_writes": wanted.env_writes,
        "reads": wanted.reads,
        "slot_writes": wanted.slot_writes,
        "volatile": list(wanted.volatile),
        "barrier": list(wanted.barrier),
        "module_files": wanted.module_files,
        "modules": list(wanted.modules),
    } == got


SETTABLE = [
    ("random", "import random", "random.seed(3); random.gauss(0, 1)", "random.gauss(0, 1)"),
    ("numpy.random", "import numpy as np", "np.random.seed(3); np.random.randn()", "np.random.randn()"),
    ("cwd", "import os", "os.chdir('sub')", "os.path.basename(os.getcwd())"),
    ("sys.path", "import sys", "sys.path.insert(0, 'x')", "sys.path"),
    ("sys.argv", "import sys", "sys.argv[:] = ['a', 'b']", "sys.argv"),
    ("interpreter", "import sys", "sys.setrecursionlimit(4321)", "sys.getrecursionlimit()"),
    ("interpreter", "import socket", "socket.setdefaulttimeout(7)", "socket.getdefaulttimeout()"),
    ("interpreter", "import gc", "gc.disable(); gc.set_threshold(5, 6, 7)", "gc.isenabled(), gc.get_threshold()"),
    ("interpreter", "import threading", "threading.stack_size(1 << 20)", "threading.stack_size()"),
    ("interpreter", "import os", "os.setpriority(os.PRIO_PROCESS, 0, 3)", "os.getpriority(os.PRIO_PROCESS, 0)"),
    (
        "interpreter",
        "import resource",
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))",
        "resource.getrlimit(resource.RLIMIT_CORE)",
    ),
    ("warnings", "import warnings", "warnings.filterwarnings('error', 'a.*', UserWarning)", "warnings.filters"),
    ("decimal", "import decimal", "decimal.getcontext().prec = 7", "decimal.Decimal(1) / 3"),
    ("logging", "import logging", "logging.basicConfig(level=10, format='%(message)s')", "logging.root.handlers"),
    ("numpy.print", "import numpy as np", "np.set_printoptions(precision=3)", "np.array([1 / 3])"),
    ("numpy.err", "import numpy as np", "np.seterr(all='raise')", "np.geterr()"),
    (
        "pandas.options",
        "import pandas as pd",
        "pd.set_option('display.max_rows', 7)",
        "pd.get_option('display.max_rows')",
    ),
    (
        "matplotlib.rcParams",
        "import matplotlib",
        "matplotlib.rcParams['axes.prop_cycle'] = matplotlib.cycler(color=['r', 'g'])",
        "matplotlib.rcParams['axes.prop_cycle']",
    ),
]
NOTED = "import re; open('noted.txt', 'w').write(re.sub('0x[0-9a-f]+', '', repr(%s)))"


@pytest.mark.parametrize("later", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("slot", "imported", "changed", "asked"), SETTABLE, ids=[case[0] for case in SETTABLE])
def test_set_slot(slot: str, imported: str, changed: str, asked: str, *, later: bool, tmp_path: Path) -> None:
    """A kernel in which a slot is set finds what one finds that came there by itself, imported before or after it."""
    library = imported.split()[1]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"needs {library}")
    (tmp_path / "sub").mkdir()
    plain = {"folder": str(tmp_path), "cells": [imported, changed, NOTED % asked]}
    [reports] = probed({"agent": str(AGENT), "rows": [plain]})
    assert isinstance(reports, list), reports
    (noted,) = (path for path in tmp_path.rglob("noted.txt"))
    expected = noted.read_text()
    noted.unlink()
    told = reports[1]["slot_states"][slot]
    assert {slot} == set(reports[1]["slot_writes"])
    cells = [imported, f"!set {slot} {told}"] if later else [f"!set {slot} {told}", imported]
    [again] = probed({"agent": str(AGENT), "rows": [{"folder": str(tmp_path), "cells": [*cells, NOTED % asked]}]})
    assert isinstance(again, list), again
    assert expected == next(iter(tmp_path.rglob("noted.txt"))).read_text()
    assert reports[1]["slot_writes"][slot] == again[-1]["slots"].get(slot, reports[1]["slot_writes"][slot])
