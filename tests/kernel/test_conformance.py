"""A forked kernel is the same as an ordinary one, for all that a notebook can see."""

import contextlib
import inspect
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for_end

from pytest_cells.errors import KernelError
from pytest_cells.kernels.fork_server import server_kind
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.settings import KernelSettings

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what Linux tells of a process"),
]
KINDS = ("off", "on")
"""Ordinary, forked."""

DIFFERENT_BY_NATURE = [
    (r"\b0x[0-9a-f]+", "ADDRESS"),  # where an object lies in memory
    (r"\bipykernel_\d+\b", "ipykernel_PID"),  # the kernel names the files of cells by its process
    (r"/[^\s'\"]*/pytest-cells[^\s'\"]*/\d+/", "FOLDER/"),  # each kernel has its own connection file and stderr
    (r"(socket|pipe):\[\d+\]", r"\1"),  # the system's number of a socket or pipe
    (r"\b[0-9a-f]{32}\b|\b[0-9a-f-]{36}\b", "RANDOM"),  # what is made to be unlike all else, as ids of widgets
    (r"\(pid=\d+\)|/proc/self/task/\d+", "PID"),  # warnings name the process
    (r"\bTask-\d+\b", "Task-N"),  # counted by requests, and the agent of an ordinary kernel is loaded by one
]

FACTS = {
    "modules at the start": "import os, sys\nsorted(sys.modules)",
    "argv": "sys.argv, getattr(sys, 'orig_argv', None), sys.executable, sys.prefix, sys.exec_prefix",
    "path": "sys.path, sys.meta_path, sys.path_hooks, sorted(map(str, sys.path_importer_cache))",
    "flags": "sys.flags, sys.warnoptions, sys._xoptions, sys.dont_write_bytecode, sys.pycache_prefix",
    "warnings": "import warnings\nwarnings.filters, warnings.onceregistry, warnings.showwarning",
    "main": "import __main__\nsorted(vars(__main__)), __main__ is get_ipython().user_module, __name__",
    "main at the start": """
        main = vars(get_ipython()._orig_sys_modules_main_mod)
        {name: value for name, value in main.items() if name != '__builtins__'}""",
    "state of the interpreter": """
        print(sys.gettrace(), sys.getprofile(), sys.getswitchinterval(), sys.getrecursionlimit(), sys.getdlopenflags())
        print(sys.get_asyncgen_hooks(), sys.excepthook, sys.displayhook, sys.ps1, sorted(vars(sys)))""",
    "builtins": "import builtins\nsorted(vars(builtins))",
    "signal handlers": "import signal\n{int(s): signal.getsignal(s) for s in signal.valid_signals()}",
    "signals of the system": """
        import os
        sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])), signal.set_wakeup_fd(-1), signal.getitimer(0)
        print([line for line in open('/proc/self/status') if line.startswith(('SigB', 'SigI', 'SigC', 'ShdP'))])""",
    "group and session": "os.getpgrp() == os.getsid(0) == os.getpid()",
    "parent": "int(os.environ['JPY_PARENT_PID']) == os.getppid()",
    # The parent of a forked kernel is its server.
    "environment": "[(name, value if name != 'JPY_PARENT_PID' else 'PID') for name, value in os.environ.items()]",
    "environment of the process": """
        print([entry for entry in open('/proc/self/environ').read().split('\\0') if 'JPY_PARENT' not in entry])""",
    "folder": "os.getcwd(), os.path.exists('.'), get_ipython().starting_dir",
    "umask": "umask = os.umask(0o22)\nos.umask(umask), umask",
    "hashes": "hash('a'), hash(b'a'), sys.hash_info, list({'x', 'y', 'z'})",
    "locale": """
        import locale
        print(locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(), sys.getfilesystemencoding())
        print([(f.encoding, f.errors, f.line_buffering) for f in (sys.__stdin__, sys.__stdout__, sys.__stderr__)])""",
    "time zone": "import time\ntime.tzname, time.timezone, time.localtime(0).tm_hour",
    "standard files": """
        for file in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
            print(file, file.seekable(), file.isatty(), file.closed, file.write_through, file.fileno(), file.buffer)
        sys.stdin, sys.stdout, sys.stderr""",
    # Threads of zmq race for the numbers of its descriptors, and its connections (sockets that do not block) come and
    # go in both kinds of kernel.
    "descriptors": """
        import fcntl
        def described(number):
            path = f'/proc/self/fd/{number}'
            return os.readlink(path), os.get_inheritable(number), fcntl.fcntl(number, fcntl.F_GETFL)
        numbers = [int(name) for name in os.listdir('/proc/self/fd') if os.path.islink('/proc/self/fd/' + name)]
        print([described(number) for number in range(3)])
        kinds = [(kind.split(':[')[0], *flags) for kind, *flags in map(described, numbers)]
        connection = 'socket', False, os.O_RDWR | os.O_NONBLOCK
        print({kind: kinds.count(kind) for kind in sorted(set(kinds)) if kind != connection})""",
    "garbage collection": """
        import gc
        gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), gc.callbacks, gc.get_debug()""",
    "at exit": "import atexit\natexit._ncallbacks()",
    "threads": """
        import threading
        main = threading.main_thread()
        print([(t.name, t.daemon, type(t).__name__) for t in threading.enumerate()], threading.Thread().name)
        print(main is threading.current_thread(), main.ident == threading.get_ident(), threading.stack_size())
        print(main.native_id == threading.get_native_id() == os.getpid(), len(os.listdir('/proc/self/task')))""",
    "multiprocessing": """
        import multiprocessing, multiprocessing.process, multiprocessing.resource_tracker, multiprocessing.util
        process = multiprocessing.current_process()
        print(multiprocessing.process.ORIGINAL_DIR, process, len(process.authkey), multiprocessing.parent_process())
        print(multiprocessing.get_start_method(allow_none=True), multiprocessing.active_children(), process._identity)
        multiprocessing.resource_tracker._resource_tracker._fd, list(multiprocessing.util._finalizer_registry)""",
    "asyncio": """
        import asyncio
        loop = asyncio.get_running_loop()
        type(loop), asyncio.all_tasks(), loop.get_debug(), asyncio.current_task()""",
    # The outermost frame is the one difference, see the limits in the documentation.
    "stack": """
        import traceback
        print([(f.filename, f.lineno, f.name) for f in traceback.extract_stack()][1:])""",
    "depth of the stack": """
        def deeper(depth=0):
            try:
                return deeper(depth + 1)
            except RecursionError:
                return depth
        deeper(), len(traceback.extract_stack())""",
    "faulthandler": "import faulthandler\nfaulthandler.is_enabled()",
    "loggers": """
        import logging
        loggers = {name: found for name, found in logging.root.manager.loggerDict.items() if hasattr(found, 'level')}
        print({name: (log.level, list(map(type, log.handlers)), log.propagate) for name, log in loggers.items()})
        logging.root.handlers, logging.root.level""",
    "start of logging": "began = logging.LogRecord('', 0, '', 0, '', (), None).relativeCreated\n0 < began < 600_000",
    "limits of the system": """
        import resource
        limits = [name for name in dir(resource) if name.startswith('RLIMIT_')]
        print({name: resource.getrlimit(getattr(resource, name)) for name in limits})
        os.nice(0), os.sched_getaffinity(0), os.sched_getscheduler(0), os.getgroups()""",
    "rights of the process": """
        names = ('Cap', 'NoNew', 'Sec', 'Umask', 'Groups', 'Cpus_allowed', 'CoreDumping')
        print([line for line in open('/proc/self/status') if line.startswith(names)])""",
    "children": "from pathlib import Path\nPath(f'/proc/self/task/{os.getpid()}/children').read_text()",
    "temporary files": "import tempfile\ntempfile.tempdir, tempfile.gettempdir()",
    "lines kept for tracebacks": """
        import linecache
        sorted(name for name in linecache.cache if 'ipykernel_' not in name)""",
    "the application": """
        app = get_ipython().kernel.parent
        print(app.parent_handle == os.getppid(), app.config, sorted(vars(app)), app.extra_args)
        print(app is type(app).instance(), vars(type(app))['start'], type(app).__mro__)""",
    "prompts": "len(In), sorted(Out), get_ipython().history_manager.session_number",
    "copyreg": "import copyreg\nsorted(kind.__name__ for kind in copyreg.dispatch_table)",
    "codecs": "import codecs\ncodecs.lookup('utf-8').name, codecs.lookup_error('strict')",
    "libraries": "sorted({line.split()[-1] for line in open('/proc/self/maps') if '.so' in line})",
}
"""What a kernel is. Each is asked in the same kernels, in this order."""

CELLS = {
    # What is written below Python comes through two pipes that race: one of them a cell, and no result beside it.
    "print in C": "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.puts(b'from C')\nlibc.fflush(None);",
    "print by the system": "os.system('echo from a shell');",
    "print by the system to stderr": "os.system('echo from a shell >&2');",
    "print to a descriptor": "os.write(1, b'one\\n');",
    "print to the process's own file": "sys.__stdout__.write('kept\\n'), sys.__stdout__.flush();",
    "bash": "%%bash\necho from bash\nread line || echo no line\nulimit -n",
    "shell line": "found = !echo a; echo b\nfound",
    "shell": "!echo shown; python3 -c 'print(6 * 7)'",
    "script": "%%script cat\nwhat is read",
    "timeit": "from unittest import mock\n%timeit -n1 -r1 -q 1",
    "run": "open('script.py', 'w').write('import sys\\nprint(__name__, __file__, sys.argv)')\n%run script.py a b",
    "import of a new module": "open('fresh_module.py', 'w').write('x = 1')\nimport fresh_module\nfresh_module",
    "await": "await asyncio.sleep(0, 'slept')",
    "task": "async def double(n):\n    return 2 * n\nawait asyncio.gather(*(double(n) for n in range(3)))",
    "asyncio subprocess": """
        process = await asyncio.create_subprocess_exec('echo', 'hello', stdout=-1)
        await process.communicate()""",
    "asyncio executor": "await loop.run_in_executor(None, lambda: threading.current_thread().name)",
    "subprocess": """
        import subprocess
        subprocess.run(['cat'], capture_output=True), subprocess.run(['sh', '-c', 'kill -TERM $$']).returncode""",
    "descriptors of a subprocess": "subprocess.check_output(['ls', '/proc/self/fd'])",
    "signals of a subprocess": "subprocess.check_output(['grep', '^Sig[BIC]', '/proc/self/status'])",
    "a Python as subprocess": """
        code = 'import sys, os; print(sys.path[:3], sys.flags, sys.argv, os.getcwd())'
        subprocess.check_output([sys.executable, '-c', code])""",
    "input of the process": "sys.__stdin__.read(), os.read(0, 10)",
    "input": "input('name? ')",
    "signal": """
        caught = []
        before = signal.signal(signal.SIGUSR1, lambda *_: caught.append('USR1'))
        os.kill(os.getpid(), signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, before)
        caught""",
    "end of a child": """
        pid = os.fork()
        if not pid:
            os._exit(3)
        os.waitpid(pid, 0)[1]""",
    "alarm": """
        def too_late(*_):
            raise TimeoutError('alarm')
        before = signal.signal(signal.SIGALRM, too_late)
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.pause()""",
    "thread": """
        def work():
            print('in', threading.current_thread().name)
        thread = threading.Thread(target=work)
        thread.start(), thread.join()""",
    "thread pool": """
        from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
        with ThreadPoolExecutor(2) as threads:
            print(list(threads.map(abs, (-1, -2))))""",
    "process pool by fork": """
        def square(n):
            return n * n
        with multiprocessing.get_context('fork').Pool(2) as pool:
            print(pool.map(square, range(4)))""",
    "process by fork": """
        def tell(queue):
            queue.put((multiprocessing.current_process().name, os.getcwd(), threading.active_count()))
        context = multiprocessing.get_context('fork')
        queue = context.SimpleQueue()
        child = context.Process(target=tell, args=(queue,))
        child.start()
        queue.get(), child.join(), child.exitcode""",
    "module for processes": "import in_processes\nin_processes.square(3)",
    "process pool by spawn": """
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            print(pool.map(in_processes.square, range(4)), pool.apply(in_processes.told))""",
    "process pool by forkserver": """
        with multiprocessing.get_context('forkserver').Pool(1) as pool:
            print(pool.map(in_processes.square, range(4)), pool.apply(in_processes.told))""",
    "executor of processes": """
        with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as executor:
            print(list(executor.map(in_processes.square, range(4))))""",
    "shared memory": """
        from multiprocessing import shared_memory
        block = shared_memory.SharedMemory(create=True, size=16)
        block.buf[0] = 7
        block.buf[0], block.size, block.close(), block.unlink()""",
    "seeded": "import random\nrandom.seed(1)\nrandom.random(), random.getstate()[1][:3]",
    "numpy": "import numpy\nnumpy.random.seed(1)\nnumpy.random.rand(2), numpy.random.default_rng(1).random(2)",
    "numpy of many threads": "a = numpy.ones((300, 300))\n(a @ a).sum(), numpy.linalg.eigvalsh(a).round(6).max()",
    "pandas": "import pandas\npandas.DataFrame({'a': [1, 2], 'b': ['x', 'y']}).groupby('b').sum()",
    "matplotlib": """
        import matplotlib
        from matplotlib import pyplot
        pyplot.plot([1, 2, 3])
        matplotlib.get_backend(), matplotlib.is_interactive()""",
    "sqlite": "import sqlite3\nsqlite3.connect(':memory:').execute('select 1 + 1').fetchall()",
    "widget": "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    print('inside')\nipywidgets.IntSlider(3)",
    "warning": "warnings.warn('old', DeprecationWarning, stacklevel=1)\nwarnings.warn('seen', stacklevel=1)",
    "logging": "logging.warning('look')\nlogging.getLogger('mine').error('bad')",
    "error": "def divide(n):\n    return 1 / n\ndivide(0)",
    "chained error": "try:\n    {}['a']\nexcept KeyError as error:\n    raise ValueError('b') from error",
    "syntax error": "x = = 1",
    "pickle": "import pickle\nclass Point:\n    pass\ntype(pickle.loads(pickle.dumps(Point()))), Point.__module__",
    "inspect": "import inspect\nprint(inspect.getsource(divide))\ninspect.getfile(divide)",
    "help": "len?\nlen.__doc__",
    "debug magic": "%xmode Plain\ndivide(0)",
    "who": "%who function",
    "modules": "sorted(name for name in sys.modules)",
}
"""What notebooks do."""

BELOW_PYTHON = [
    "print in C",
    "print by the system",
    "print by the system to stderr",
    "print to a descriptor",
    "print to the process's own file",
    "bash",
    "shell line",
]
"""Cells whose output comes through a pipe, on a busy machine perhaps with the next cell's: they count together."""
FAILING = {"input", "alarm", "error", "chained error", "syntax error", "debug magic"}
IN_PROCESSES = """
import os, sys

def square(n):
    return n * n

def told():
    main = sys.modules["__main__"]
    return os.getcwd(), sys.argv, sys.path, sorted(name for name in vars(main) if not name.startswith("__"))
"""


def python(*options, env=None):
    """Return the choice of this interpreter's kernel."""
    argv = (sys.executable, *options, "-m", "ipykernel_launcher", "-f", "{connection_file}")
    return KernelChoice("python3", argv, env=env or {})


@contextlib.contextmanager
def started(kind, cwd, choice=None, **settings):
    """Lend a kernel of one kind."""
    pool = KernelPool(KernelSettings(fork_server=kind, **settings))
    try:
        yield pool.start(choice or python(), cwd, 60)
    finally:
        pool.close()


def told(kernel, source):
    """Return all that a cell gave, without what differs by nature."""
    outcome = kernel.execute(inspect.cleandoc(source), timeout=60)
    error = outcome.error and (outcome.error.ename, outcome.error.evalue, outcome.error.traceback)
    text = json.dumps([outcome.verdict, outcome.outputs, error], indent=1)
    for pattern, same in DIFFERENT_BY_NATURE:
        text = re.sub(pattern, same, text)
    return text.splitlines()


def value(kernel, source):
    """Return what an expression in a kernel is, as it is displayed."""
    outcome = kernel.execute(source, timeout=60)
    assert "ok" == outcome.verdict, outcome.error
    return outcome.outputs[-1]["data"]["text/plain"]


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Return what the cells give in both kinds of kernel, executed in one kernel of each kind."""
    cwd = tmp_path_factory.mktemp("cwd")
    (cwd / "in_processes.py").write_text(IN_PROCESSES)
    given = []
    for kind in KINDS:
        with started(kind, cwd) as kernel:
            given.append({name: told(kernel, source) for name, source in (FACTS | CELLS).items()})
        for path in ("fresh_module.py", "script.py"):
            (cwd / path).unlink(missing_ok=True)
        shutil.rmtree(cwd / "__pycache__", ignore_errors=True)
    return given


def streams(given):
    """Return what the cells below Python wrote to each stream."""
    written = {"stdout": "", "stderr": ""}
    for name in BELOW_PYTHON:
        for output in json.loads("\n".join(given[name]))[1]:
            if output["output_type"] == "stream":
                written[output["name"]] += output["text"]
    return written


def test_what_is_written_below_python(answers):
    """What C code, the system and subprocesses write is shown in both kinds of kernel."""
    ordinary, forked = answers
    assert streams(ordinary) == streams(forked)
    assert {"stdout": 5, "stderr": 1} == {name: min(text.count("\n"), 5) for name, text in streams(forked).items()}


@pytest.mark.parametrize("name", [name for name in FACTS | CELLS if name not in BELOW_PYTHON])
def test_same_in_both(answers, name):
    """A cell gives the same in both kinds of kernel; an error only where it is about one."""
    ordinary, forked = answers
    assert ordinary[name] == forked[name]
    assert ("error" if name in FAILING else "ok") == json.loads("\n".join(ordinary[name]))[0]


STARTED_WITH = """
import asyncio, gc, os, sys, time, warnings
print(sys.path, sys.flags, sys.warnoptions, sys._xoptions, warnings.filters, sys.argv, sys.orig_argv)
print({name: value for name, value in os.environ.items() if name != "JPY_PARENT_PID"})
print(hash("a"), time.tzname, os.getcwd(), at_startup, get_ipython().config, getattr(sys, "customized", None))
print(gc.isenabled(), gc.get_threshold(), gc.get_freeze_count())
"""
STARTUP_FILE = """
import gc, sys, traceback
at_startup = gc.isenabled(), [frame.name for frame in traceback.extract_stack()][1:], sorted(sys.modules)
gc.set_threshold(500, 5, 5)
gc.disable()
"""
SITECUSTOMIZE = "import sys, warnings\nsys.customized = True\nwarnings.simplefilter('ignore', FutureWarning)\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Make a home folder with a configured IPython, and a working folder with a module and a sitecustomize."""
    profile = tmp_path / "home" / ".ipython" / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "startup" / "begin.py").write_text(STARTUP_FILE)
    (profile / "ipython_kernel_config.py").write_text("c.InteractiveShell.ast_node_interactivity = 'all'\n")
    cwd = tmp_path / "cwd"
    (cwd / "lib").mkdir(parents=True)
    (cwd / "lib" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    return cwd


@pytest.mark.parametrize(
    ("options", "env"),
    [
        pytest.param((), {"PYTHONPATH": "lib:", "TZ": "Asia/Tokyo", "MINE": "${HOME}/mine $$ $NOT_THERE"}, id="env"),
        pytest.param(
            ("-Xfrozen_modules=off", "-W", "error::UserWarning", "-O"), {"PYTHONHASHSEED": "123"}, id="options"
        ),
        pytest.param(("-P",), {"PYTHONPATH": ".", "PYTHONDEVMODE": "1"}, id="safe-path"),
    ],
)
def test_same_however_started(home, options, env):
    """Options of the interpreter, a kernelspec's variables, start-up files and configuration have the same effect."""
    given = []
    for kind in KINDS:
        with started(kind, home, python(*options, env=env)) as kernel:
            given.append(told(kernel, STARTED_WITH))
    assert given[0] == given[1]
    assert "ok" == json.loads("\n".join(given[0]))[0]


@pytest.mark.parametrize(
    ("options", "seed", "forkable"),
    [
        ((), "0", True),
        (("-W", "error", "-Xdev"), "0", True),
        (("-I",), "0", False),
        (("-sE",), "0", False),
        (("-R",), "0", False),
        ((), "random", False),
    ],
)
def test_hashes_that_differ_in_each_process(tmp_path, options, seed, forkable):
    """A kernel whose hash seed is drawn when its interpreter starts is not forked: the server's is drawn already."""
    kind = server_kind(python(*options), {"PYTHONHASHSEED": seed}, (), tmp_path)
    assert forkable == (kind is not None)


def test_variables_and_limits_of_the_moment(tmp_path, monkeypatch):
    """What changes after the first kernel started holds for the next one."""
    source = "import os, resource\nos.environ.get('OF_THE_MOMENT'), resource.getrlimit(resource.RLIMIT_NOFILE)[0]"
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    pool = KernelPool(KernelSettings(fork_server="on"))
    try:
        assert f"(None, {before[0]})" == value(pool.start(python(), tmp_path, 60), source)
        monkeypatch.setenv("OF_THE_MOMENT", "now")
        resource.setrlimit(resource.RLIMIT_NOFILE, (before[0] - 1, before[1]))
        assert f"('now', {before[0] - 1})" == value(pool.start(python(), tmp_path, 60), source)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        pool.close()


DRAWN = {
    "random": "__import__('random').random()",
    "numpy": "__import__('numpy').random.rand()",
    "numpy's generator": "__import__('numpy').random.default_rng().random()",
    "uuid": "__import__('uuid').uuid4()",
    "bytes": "__import__('os').urandom(8)",
    "secrets": "__import__('secrets').token_hex()",
    "temporary files": "__import__('tempfile').mktemp()",
    "authkey": "bytes(__import__('multiprocessing').current_process().authkey)",
    "session": "get_ipython().kernel.session.session",
}


@pytest.mark.parametrize("preload", [(), ("numpy", "pandas", "random", "tempfile", "multiprocessing", "uuid")])
def test_two_forked_kernels_differ(tmp_path, preload):
    """What is drawn at random differs in two kernels of one server, whatever the server has imported."""
    pool = KernelPool(KernelSettings(fork_server="on", preload=preload))
    try:
        kernels = [pool.start(python(), tmp_path, 60) for _ in range(2)]
        drawn = [{name: value(kernel, source) for name, source in DRAWN.items()} for kernel in kernels]
        loaded = [value(kernel, f"{set(preload)} <= set(__import__('sys').modules)") for kernel in kernels]
    finally:
        pool.close()
    assert [] == [name for name in DRAWN if drawn[0][name] == drawn[1][name]]
    assert ["True", "True"] == loaded


def test_preloaded_modules_work_as_others(tmp_path, monkeypatch):
    """A module that the server has imported gives what it gives when a cell imports it, inline figures included."""
    monkeypatch.delenv("MPLBACKEND", raising=False)
    names = ("numpy", "numpy of many threads", "pandas", "matplotlib")
    given = []
    for kind, preload in (("off", ()), ("on", ("numpy", "pandas", "matplotlib.pyplot"))):
        with started(kind, tmp_path, preload=preload) as kernel:
            given.append({name: told(kernel, CELLS[name]) for name in names})
            value(kernel, "pyplot.figure().number == 1 and 'inline' in matplotlib.get_backend()")
    assert given[0] == given[1]
    assert "image/png" in "".join(given[1]["matplotlib"])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
            "'preloaded' starts thr",
        ),
        ("1 / 0", "'preloaded' cannot be imported: ZeroDivisionError: division by zero"),
        ("import not_there", "'preloaded' cannot be imported: ModuleNotFoundError: No module named 'not_there'"),
    ],
)
def test_module_that_cannot_be_preloaded(tmp_path, monkeypatch, source, message):
    """A module that starts a thread, or cannot be imported, is refused by its name."""
    (tmp_path / "preloaded.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(KernelError, match=message), started("auto", tmp_path, preload=("json", "preloaded")):
        pass


def test_server_that_has_threads(tmp_path, monkeypatch):
    """Where Python itself starts with a thread, kernels are started ordinarily, unless they must be forked."""
    source = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    (tmp_path / "sitecustomize.py").write_text(source)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with started("auto", tmp_path, preload=("json",)) as kernel:
        assert (False, "2") == (kernel.forked, value(kernel, "1 + 1"))
    with pytest.raises(KernelError, match="has threads from its start"), started("on", tmp_path):
        pass


NOTE = "def note(*told):\n    with open('end.txt', 'a') as file:\n        print(*told, file=file)\n"
HELD = "import own\nown.file = open('held.txt', 'w')\nown.file.write('all')"
ENDS = {
    "atexit": "import atexit\nfor n in range(3): atexit.register(note, n)",
    "atexit that fails": "import atexit\natexit.register(note, 1)\natexit.register(lambda: 1 / 0)",
    "__del__": "class A:\n    def __del__(self, note=note): note('gone')\na = A()",
    "__del__ in a circle": "class A:\n    def __del__(self, note=note): note('gone')\na = A()\na.me = a",
    "__del__ of a private name": "class A:\n    def __del__(self, note=note): note('gone')\n_a = A()",
    "__del__ of a result": "class A:\n    def __del__(self, note=note): note('gone')\nA()",
    "__del__ in order": (
        "class A:\n    def __init__(self, n): self.n = n\n    def __del__(self, note=note): note(self.n)\n"
        "b, a, _c = A('b'), A('a'), A('c')"
    ),
    "finally": "def f(note=note):\n    try: yield\n    finally: note('end')\ng = f()\nnext(g)",
    "finalize": "import weakref\nclass A: pass\na = A()\nf = weakref.finalize(a, note, 'gone')",
    "thread": "import threading, time\nt = threading.Thread(target=lambda: (time.sleep(0.3), note('done')))\nt.start()",
    "open file": "f = open('held.txt', 'w')\nf.write('all')",
    "open file in a list": "f = [open('held.txt', 'w')]\nf[0].write('all')",
    "open file of a function": "def f(file=open('held.txt', 'w')): file.write('all')\nf()",
    "open file of a module": HELD,
    "open file of a library": HELD.replace("own", "json"),
    "zip file": "import zipfile\nz = zipfile.ZipFile('held.zip', 'w')\nz.writestr(zipfile.ZipInfo('a'), 'all')",
    "temporary folder": "import tempfile\nt = tempfile.TemporaryDirectory(dir='.')\nnote('made')",
    "log": "import logging\nlogging.basicConfig(filename='held.txt')\nlogging.error('all')",
    "log that is kept": (
        "import logging, logging.handlers\n"
        "f = logging.handlers.MemoryHandler(9, target=logging.FileHandler('held.txt'))\n"
        "f.emit(logging.makeLogRecord({'msg': 'all', 'levelno': 20}))"
    ),
    "__del__ of what a module holds": (
        "import own\nclass A:\n    def __del__(self, note=note): note('gone')\nown.a = A()\nown.a.me = own.a"
    ),
}


@pytest.mark.parametrize("source", ENDS.values(), ids=ENDS)
def test_same_end(tmp_path, source):
    """What is done when a kernel ends is done in both kinds of kernel, in the same order, before it is gone."""
    left = []
    for kind in KINDS:
        cwd = tmp_path / kind
        cwd.mkdir()
        (cwd / "own.py").write_text("file = None\n")
        with started(kind, cwd) as kernel:
            assert "ok" == kernel.execute(NOTE + source, timeout=60).verdict
        files = [path for path in sorted(cwd.iterdir()) if path.name not in ("own.py", "__pycache__")]
        left.append({path.name: path.read_bytes() for path in files})
    assert {} != left[0] == left[1]


MEASURED = """
import atexit

def called(n):
    if n:
        return n
    return None

def never():
    return 1

atexit.register(called, 0)
"""


@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_coverage(tmp_path, monkeypatch, relative):
    """coverage.py started with the interpreter measures the same lines of the same files in both kinds of kernel."""
    coverage = pytest.importorskip("coverage")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "sitecustomize.py").write_text("import coverage\ncoverage.process_startup()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    lines = []
    for kind in KINDS:
        cwd = tmp_path / kind
        cwd.mkdir()
        (cwd / "measured.py").write_text(MEASURED)
        (cwd / "measure.ini").write_text("[run]\nparallel = true\ndata_file = data\n")
        monkeypatch.setenv("COVERAGE_PROCESS_START", "measure.ini" if relative else str(cwd / "measure.ini"))
        with started(kind, cwd) as kernel:
            assert "1" == value(kernel, "import measured\nmeasured.called(1)")
        combined = coverage.Coverage(data_file=str(cwd / "data"), config_file=False)
        combined.combine([str(cwd)])
        data = combined.get_data()
        # An ordinary kernel loads our agent by one more cell, and files of cells are named by a number.
        files = [name for name in data.measured_files() if not Path(name).stem.isdigit()]
        lines.append({Path(name).name: sorted(data.lines(name)) for name in files})
    assert lines[0] == lines[1]
    assert [2, 4, 5, 6, 7, 9, 12] == lines[1]["measured.py"]


PYTEST_STANDS_IN = """
import sys
from pathlib import Path
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.settings import KernelSettings

pool = KernelPool(KernelSettings(fork_server=sys.argv[1]))
choice = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"))
kernel = pool.start(choice, Path.cwd(), 60)
kernel.execute("import subprocess; child = subprocess.Popen(['sleep', '600'])", timeout=60)
print(kernel.process_id, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process that is not a child")
@pytest.mark.parametrize("kind", KINDS)
def test_kernel_ends_with_its_parent(tmp_path, kind):
    """A kernel whose parent was killed ends by itself."""
    starter = subprocess.Popen(
        [sys.executable, "-c", PYTEST_STANDS_IN, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path
    )
    kernel = os.pidfd_open(int(starter.stdout.readline()))
    starter.kill()
    starter.communicate()
    assert wait_for_end(kernel)


def test_kernel_ends_with_its_server(tmp_path):
    """A forked kernel whose server was killed ends by itself, and that is told."""
    with started("on", tmp_path) as kernel:
        server = int(value(kernel, "__import__('os').getppid()"))
        process = os.pidfd_open(kernel.process_id)
        os.kill(server, signal.SIGKILL)
        assert wait_for_end(process)
        outcome = kernel.execute("1", timeout=10)
        assert (True, "the kernel was lost together with its fork server") == (
            outcome.died,
            outcome.error.evalue.splitlines()[0],
        )
