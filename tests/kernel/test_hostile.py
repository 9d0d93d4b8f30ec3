"""Hostile cells: what the user is told of each, what follows, and that nothing hangs or is left.

What is written here beside each cell is the whole of what its user sees of it.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zmq
from waiting import wait_for_end

from pytest_cells.errors import CellInterrupted, KernelError
from pytest_cells.kernels import kernel as kernels
from pytest_cells.kernels import ownership, processes
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.kernels.wire import Wire
from pytest_cells.settings import KernelSettings

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux")]
PYTHON = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"))
IMPORTS = (
    "import builtins, collections, ctypes, itertools, json, os, signal, subprocess, sys, tempfile, threading, time\n"
)
SEEN_MS = 2000
"""A death is seen within milliseconds; so much is left for a machine that is busy with other things."""
FLUSH_MS = 10_000
"""How long ipykernel waits, after a cell, for the thread that sends what was printed (`OutStream.flush_timeout`)."""
CHILD_WITH_THE_PIPE = """child = subprocess.Popen(['sh', '-c', 'trap "" INT; sleep 600'], stdout=subprocess.PIPE)
while True:
    try:
        child.stdout.read()
    except KeyboardInterrupt:
        pass"""
PRINTING = """def printing():
    while True:
        print('t')
        time.sleep(0.001)
threading.Thread(target=printing, daemon=True).start()"""
TIMEOUT_S = 0.2
GRACE_S = 0.3
LOOP_IN_C = "collections.deque(itertools.repeat(1), maxlen=0)"
"""Never ends, holds the GIL, and looks at no signal."""


class Lender:
    """Lends a living kernel, a new one only where the one before died."""

    def __init__(self, **settings):
        self.pool = KernelPool(KernelSettings(**settings))
        self._kernel = None

    def kernel(self, cwd, *, fresh=False):
        if self._kernel is None or fresh or not self._kernel.alive:
            if self._kernel is not None:
                self.pool.stop(self._kernel)
            self._kernel = self.pool.start(PYTHON, cwd, 60)
            assert "ok" == self._kernel.execute(IMPORTS, timeout=60).verdict
        return self._kernel


@pytest.fixture(scope="module", params=["on", "off"], ids=["forked", "ordinary"])
def lender(request):
    """Lend kernels of each kind."""
    lender = Lender(fork_server=request.param)
    yield lender
    lender.pool.close()


@pytest.fixture
def kernel(lender, tmp_path_factory):
    """Lend a kernel that may die."""
    return lender.kernel(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module", params=["on", "off"], ids=["forked", "ordinary"])
def limited(request):
    """Lend kernels that may hold 200 MB."""
    lender = Lender(fork_server=request.param, max_memory_mb=200)
    yield lender
    lender.pool.close()


@pytest.fixture
def pool():
    """Lend a pool whose fork server may die."""
    pool = KernelPool(KernelSettings(fork_server="on"))
    yield pool
    pool.close()


@pytest.fixture
def short_grace(monkeypatch):
    """Give interrupted cells less time."""
    monkeypatch.setattr(kernels, "INTERRUPT_GRACE_S", GRACE_S)


def run(kernel, source, timeout=60):
    return kernel.execute(source, timeout=timeout)


def texts(outcome):
    return [output.get("text") or output.get("data", {}).get("text/plain") for output in outcome.outputs]


def value(kernel, source):
    return texts(run(kernel, source))[0]


def wait_until_ended(pid):
    """Wait, by the process's own descriptor, until it has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert wait_for_end(descriptor), "the process goes on"


def members(group):
    """Return the processes of a group."""
    listed = subprocess.run(["ps", "-eo", "pid,pgid"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return [int(pid) for pid, pgid in rows if int(pgid) == group]


def server_of(pool):
    (server,) = pool._servers._servers.values()
    return server._process


# -- death in a cell ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "ending", "line"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL (out of memory?)", None),
        ("def f():\n    ctypes.string_at(0)\n\nf()", "was killed by SIGSEGV", 4),
        ("x = 1\nos.abort()", "was killed by SIGABRT", 2),
        ("os._exit(7)", "ended with exit code 7", None),
        ("threading.Thread(target=os._exit, args=(3,)).start()\ntime.sleep(60)", "ended with exit code 3", None),
        ("os.kill(0, signal.SIGTERM)\ntime.sleep(60)", "was killed by SIGTERM", None),
    ],
    ids=["SIGKILL", "SIGSEGV", "abort", "_exit", "_exit in a thread", "SIGTERM of the group"],
)
def test_death_in_a_cell(kernel, source, ending, line):
    """A dead kernel is seen at once, and its ending, peak memory and, where the process could tell, line are told."""
    outcome = told_of_death(kernel, source, ending, line)
    assert outcome.duration_ms < SEEN_MS


def test_closed_descriptors(kernel):
    """A kernel whose sockets are closed ends at its next message; ipykernel may wait for its own thread first."""
    outcome = told_of_death(kernel, "os.closerange(3, 256)\nprint(1)", "was killed by SIGABRT", None)
    assert outcome.duration_ms < FLUSH_MS + SEEN_MS


def told_of_death(kernel, source, ending, line):
    """Return the outcome of a cell in which its kernel dies, of which all is told."""
    outcome = run(kernel, source)
    assert (True, True, False, "KernelDied", line) == (
        outcome.died,
        outcome.lost,
        outcome.timed_out,
        outcome.error.ename,
        outcome.error.line,
    )
    first = outcome.error.evalue.splitlines()[0]
    assert f"the kernel {ending}; it held " == first[: len(f"the kernel {ending}; it held ")]
    assert " MB at most" == first[-len(" MB at most") :]
    assert not kernel.alive
    return outcome


def test_last_words(kernel):
    """The last lines of what the process itself wrote to stderr are told, none of them too long to read."""
    outcome = run(
        kernel, "os.write(sys.stderr._original_stdstream_copy, b'x' * 1000 + b'\\nlast words\\n')\nos._exit(1)"
    )
    told = outcome.error.evalue.splitlines()
    assert ["last lines of its stderr:", "  last words"] == [told[1], told[-1]]
    assert max(map(len, told)) < 400


def test_stack_of_a_crash(kernel):
    """The stack of a crash ends with the cell: what ran the cell says nothing."""
    told = run(kernel, "def f():\n    ctypes.string_at(0)\n\nf()").error.evalue.splitlines()
    assert "  Fatal Python error: Segmentation fault" in told
    assert ['    File "<cell>", line 2 in f', '    File "<cell>", line 4 in <module>'] == told[-2:]


def test_crash_of_a_child(kernel):
    """A child that crashed does not say where its parent was, when that is killed later."""
    child = "if os.fork() == 0:\n    ctypes.string_at(0)\nos.wait()\nos.kill(os.getpid(), signal.SIGKILL)"
    assert None is run(kernel, child).error.line


def test_output_before_death(kernel):
    """What a cell printed some time before its kernel died is kept."""
    outcome = run(kernel, "print('before', flush=True)\ntime.sleep(0.2)\nos._exit(1)")
    assert ["before\n"] == texts(outcome)


def test_death_between_cells(kernel):
    """A kernel that died since its last cell is seen when the next one comes, without waiting for anything."""
    os.kill(kernel.process_id, signal.SIGKILL)
    processes.wait_for(kernel._process, 10)
    outcome = run(kernel, "1")
    assert (True, "KernelDied") == (outcome.died, outcome.error.ename)
    assert outcome.duration_ms < SEEN_MS


# -- death at start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("startup", "told"),
    [
        ("import os; os._exit(4)", "the kernel ended with exit code 4"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "the kernel was killed by SIGKILL"),
    ],
)
def test_startup_file_that_ends_the_kernel(lender, tmp_path, monkeypatch, startup, told):
    """A file of IPython's startup folder that ends the kernel is told as its end, without waiting for the timeout."""
    folder = tmp_path / "profile_default" / "startup"
    folder.mkdir(parents=True)
    (folder / "00.py").write_text(startup, encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with pytest.raises(KernelError, match=f"the kernel 'python3' did not start: {told}"):
        lender.pool.start(PYTHON, tmp_path, 60)


def test_startup_file_that_never_ends(lender, tmp_path, monkeypatch):
    """A kernel that hangs while it starts is given up after `cells_startup_timeout`, and is gone."""
    folder = tmp_path / "profile_default" / "startup"
    folder.mkdir(parents=True)
    told = tmp_path / "pid"
    os.mkfifo(told)
    (folder / "00.py").write_text(
        f"import os, time\nwith open({str(told)!r}, 'w') as told: told.write(str(os.getpid()))\ntime.sleep(600)",
        encoding="utf-8",
    )
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    lender.pool.prepare(PYTHON, tmp_path)
    pid = int(told.read_text(encoding="utf-8"))  # waits for the kernel
    with pytest.raises(KernelError, match=r"did not start: it did not answer in time \(cells_startup_timeout\)"):
        lender.pool.start(PYTHON, tmp_path, 0.2)
    wait_until_ended(pid)


def test_working_directory_that_is_gone(lender, tmp_path):
    """A notebook's folder that is not there is named."""
    with pytest.raises(KernelError, match="no-such-folder"):
        lender.pool.start(PYTHON, tmp_path / "no-such-folder", 60)


# -- death of the fork server ------------------------------------------------------------------------------


def test_fork_server_killed_while_it_boots(pool, tmp_path):
    """The kernel that waits for it is told as lost with it; the next one comes from a new server."""
    pool.prepare(PYTHON, tmp_path)
    [(_, waiting)] = pool._ahead
    os.kill(server_of(pool).pid, signal.SIGKILL)
    with pytest.raises(KernelError, match="the kernel was lost together with its fork server"):
        waiting.wait_until_ready(60)
    server_of(pool).wait(10)
    assert "ok" == run(pool.start(PYTHON, tmp_path, 60), "1").verdict


def test_fork_server_that_cannot_boot(pool, tmp_path, monkeypatch):
    """What a server that ended wrote to stderr is told."""
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('no server today')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(KernelError, match=r"no server today|the fork server of .* is gone"):
        pool.start(PYTHON, tmp_path, 60)


def test_fork_server_killed_between_kernels(pool, tmp_path):
    """A server that is gone is booted anew; kernels that it left do not stay."""
    kernel = pool.start(PYTHON, tmp_path, 60)
    server, pid = server_of(pool), kernel.process_id
    os.kill(server.pid, signal.SIGKILL)
    server.wait(10)
    assert "ok" == run(pool.start(PYTHON, tmp_path, 60), "1").verdict
    assert "lost together with its fork server" in run(kernel, "1").error.evalue
    wait_until_ended(pid)


def test_fork_server_killed_in_a_cell(pool, tmp_path):
    """A kernel that lost its server is told as lost, and ended with its children, even where it looks at nothing."""
    kernel = pool.start(PYTHON, tmp_path, 60)
    pid = kernel.process_id
    child = int(value(kernel, f"{IMPORTS}child = subprocess.Popen(['sleep', '600'])\nchild.pid"))
    outcome = run(kernel, f"os.kill({server_of(pool).pid}, signal.SIGKILL)\n{LOOP_IN_C}")
    assert (True, "the kernel was lost together with its fork server") == (outcome.lost, outcome.error.evalue)
    assert outcome.duration_ms < SEEN_MS
    wait_until_ended(child)
    wait_until_ended(pid)


@pytest.mark.parametrize("fork_server", ["on", "off"], ids=["forked", "ordinary"])
def test_kernel_that_nobody_asked_for(nothing_left_behind, tmp_path, fork_server):
    """A kernel that was launched ahead, and its server, are ended at once, however far they have come."""
    pool = KernelPool(KernelSettings(fork_server=fork_server))
    for _ in range(3):
        pool.prepare(PYTHON, tmp_path)
        began = time.monotonic()
        pool.close()
        assert time.monotonic() - began < SEEN_MS / 1000


def test_interrupt_while_kernels_end(nothing_left_behind, tmp_path, monkeypatch):
    """An interrupt that comes while kernels are given time to end ends them at once, and leaves nothing."""

    def interrupted(process, timeout):
        monkeypatch.undo()
        raise KeyboardInterrupt

    pool = KernelPool(KernelSettings(fork_server="on"))
    kernel = pool.start(PYTHON, tmp_path, 60)
    pid = kernel.process_id
    run(kernel, "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()")
    monkeypatch.setattr(processes, "wait_for", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.close()
    wait_until_ended(pid)


# -- timeouts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\nwhile True:\n    pass", 3),
        ("time.sleep(600)", 1),
        ("subprocess.run(['sleep', '600'])", 1),
        ("!sleep 600", None),
        ("try:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    pass", None),
        ("while True: print('x' * 1000)", 1),
        ("from IPython.display import display\nwhile True: display(1)", 2),
        ("subprocess.run(['yes'])", 1),
    ],
    ids=["busy", "sleep", "subprocess", "shell", "swallowed", "flood", "displays", "flood of a subprocess"],
)
def test_interrupted(kernel, source, line):
    """A cell that is too slow is interrupted; its line is told, and its kernel goes on with its state."""
    run(kernel, "kept = 1")
    outcome = run(kernel, source, timeout=TIMEOUT_S)
    told = f"the cell took longer than {TIMEOUT_S:g} s and was interrupted"
    assert (True, False, "CellTimeout", told) == (
        outcome.timed_out,
        outcome.died,
        outcome.error.ename,
        outcome.error.evalue,
    )
    assert outcome.error.line in (line, line and line - 1)
    assert "1" == value(kernel, "kept")


@pytest.mark.parametrize(
    "source",
    [
        LOOP_IN_C,
        "while True:\n    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n        pass",
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})\nctypes.PyDLL(None).sleep(600)",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        CHILD_WITH_THE_PIPE,
    ],
    ids=["C", "swallowed", "SIG_IGN", "blocked", "stopped", "child that holds the pipe"],
)
def test_killed_after_a_timeout(kernel, short_grace, source):
    """A cell that ignores the interrupt is killed with its kernel, after the time that an interrupt is given."""
    outcome = run(kernel, source, timeout=TIMEOUT_S)
    told = f"the cell took longer than {TIMEOUT_S:g} s; it ignored the interrupt, so its kernel was killed"
    assert (True, True, False, told) == (outcome.timed_out, outcome.died, outcome.lost, outcome.error.evalue)
    assert (TIMEOUT_S + GRACE_S) * 1000 <= outcome.duration_ms < (TIMEOUT_S + GRACE_S) * 1000 + SEEN_MS
    assert not kernel.alive


def test_interrupt_that_kills(kernel):
    """A cell that lets SIGINT kill the process is told so."""
    outcome = run(kernel, "signal.signal(signal.SIGINT, signal.SIG_DFL)\ntime.sleep(600)", timeout=TIMEOUT_S)
    assert "then it was interrupted, and the kernel was killed by SIGINT" in outcome.error.evalue
    assert (True, True, False) == (outcome.timed_out, outcome.died, outcome.lost)


def test_children_end_with_a_killed_kernel(kernel, short_grace):
    """The children of a kernel that is killed for its timeout end with it."""
    child = int(value(kernel, "child = subprocess.Popen(['sleep', '600'])\nchild.pid"))
    run(kernel, LOOP_IN_C, timeout=TIMEOUT_S)
    wait_until_ended(child)


# -- what goes on beside the cells -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "child = subprocess.Popen(['sleep', '600'])",
        "child = subprocess.Popen(['sh', '-c', 'sleep 600 & wait'])",
        "get_ipython().system('sleep 600 >/dev/null 2>&1 & true')",
        "if os.fork() == 0:\n    time.sleep(600)\n    os._exit(0)",
        "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        PRINTING,
        "child = subprocess.Popen(['yes'])",
        "subprocess.run(['sleep 600 &'], shell=True)",
    ],
    ids=["child", "grandchild", "shell", "fork", "thread", "thread that prints", "child that floods", "orphan"],
)
def test_left_running(kernel, source):
    """What a cell leaves running, its stdout included, holds up neither it nor later cells, and ends with them."""
    assert "ok" == run(kernel, source).verdict
    outcome = run(kernel, "'next'")
    assert "'next'" in texts(outcome)
    assert outcome.duration_ms < SEEN_MS
    there = members(kernel.process_id)
    assert kernel.process_id in there
    kernel.kill()
    for pid in there:
        wait_until_ended(pid)


def test_background_shell_line(kernel):
    """IPython refuses `!... &`: that is an error, not a hang."""
    assert "OSError: Background processes not supported." == run(kernel, "!sleep 600 &").error.summary


def test_fork_that_comes_back(kernel):
    """A cell that forks and lets the child run on as a kernel gives one answer, and so do the cells after it."""
    assert "ok" == run(kernel, "child = os.fork()").verdict
    outcome = run(kernel, "'next'", timeout=5)
    assert outcome.verdict == "ok" or outcome.timed_out
    kernel.kill()


# -- floods ------------------------------------------------------------------------------------------------

NOTE = "MB of output left out; the limit is 50 MB (cells_max_output_mb)]\n"
STDERR_OF_A_CHILD = """import subprocess, sys
write = "import os\\nfor _ in range(100): os.write(2, b'y' * 2**20)"
subprocess.run([sys.executable, '-c', write], check=True)
None"""
FLOODS = {
    "stdout": "import sys\nfor _ in range(100):\n    sys.stdout.write('x' * 2**20)\n    sys.stdout.flush()",
    "prints": "for n in range(1_000_000): print(n)",
    "flushed": "for n in range(3_000): print(n, flush=True)",
    "display": "from IPython.display import HTML\nHTML('x' * 200 * 2**20)",
    "displays": "from IPython.display import display\nfor n in range(5_000): display(n)",
    "stderr": STDERR_OF_A_CHILD,
    "error": "raise ValueError('z' * 100 * 2**20)",
}


@pytest.fixture(scope="module")
def floods(tmp_path_factory):
    """Return what came of each flood, measured in a process of its own."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("the system does not tell a process's memory")
    script = Path(__file__).parent / "flooded.py"
    sources = json.dumps(list(FLOODS.values()))
    done = subprocess.run(
        [sys.executable, str(script)],
        input=sources,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=tmp_path_factory.mktemp("floods"),
    )
    *told, after = json.loads(done.stdout)
    assert "ok" == after["verdict"], (after, told)
    return dict(zip(FLOODS, told, strict=True))


@pytest.mark.parametrize(
    ("flood", "verdict", "kept_mb", "most_mb", "cut"),
    [
        ("stdout", "ok", (45, 50.1), 350, True),
        ("prints", "ok", (6.5, 6.6), 60, False),
        ("flushed", "ok", (0.005, 0.02), 40, False),
        ("display", "ok", (0, 0.1), 300, True),
        ("displays", "ok", (0, 0), 60, False),
        ("stderr", "ok", (0, 50.1), 350, True),
        ("error", "error", (0, 0), 20, False),
    ],
)
def test_flood(floods, flood, verdict, kept_mb, most_mb, cut):
    """A flood ends, takes no more memory here than a message and what is kept, and what is left out is told."""
    told = floods[flood]
    assert verdict == told["verdict"]
    assert kept_mb[0] <= told["kept_mb"] <= kept_mb[1]
    assert cut is told["last"].endswith(NOTE)
    assert told["more_mb"] < most_mb


@pytest.mark.parametrize("fork_server", ["on", "off"])
def test_nothing_is_dropped(tmp_path, fork_server):
    """Who reads too slowly gets all that is published: libzmq drops what does not fit, and a verdict may be in that."""
    pool = KernelPool(KernelSettings(fork_server=fork_server))
    with contextlib.closing(pool), zmq.Context() as context, context.socket(zmq.SUB) as slow:
        slow.setsockopt(zmq.RCVHWM, 1)
        slow.setsockopt(zmq.SUBSCRIBE, b"")
        kernel = pool.start(PYTHON, tmp_path, 60)
        slow.connect(kernel._manager._make_url("iopub"))
        while not slow.poll(100):  # it is not connected yet
            kernel._wire._client.kernel_info()
        source = "from IPython.display import display\nfor n in range(5_000): display(n)"
        assert 5_000 == len(kernel.execute(source, timeout=60).outputs)
        shown = 0
        while shown < 5_000 and slow.poll(10_000):
            shown += b"display_data" in slow.recv_multipart()[3]
        assert 5_000 == shown


def test_error_that_is_too_long(kernel):
    """The text and the traceback of an error are cut before they are sent, and say by how much."""
    outcome = run(kernel, "raise ValueError('z' * 10**6)")
    assert outcome.error.evalue.startswith("z" * 19_900)
    assert outcome.error.evalue.endswith("[... 980100 characters left out]")
    assert max(map(len, outcome.error.traceback)) < 20_000
    assert 1 == outcome.error.line


# -- memory ------------------------------------------------------------------------------------------------

needs_limits = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prlimit")


@needs_limits
@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = 1\nb = bytearray(10**9)", {2}),
        ("keep = []\nwhile True: keep.append(bytearray(10**5))", {2, None}),
        ("def f():\n    keep = []\n    while True: keep.append([1] * 50)\nf()", {3, 4, None}),
        ("class Own(MemoryError): pass\nraise Own('no room')", {2}),
    ],
    ids=["at once", "by and by", "small ones", "own class"],
)
def test_memory_limit(limited, tmp_path_factory, source, lines):
    """A cell that exceeds the limit fails with MemoryError, which names the limit; the cells after it go on.

    Where not even room for a traceback is left, the line is not known.
    """
    kernel = limited.kernel(tmp_path_factory.getbasetemp())
    outcome = run(kernel, source)
    assert (False, "error") == (outcome.died, outcome.verdict)
    assert "the cell exceeded cells_max_memory_mb = 200; its kernel held " in outcome.error.evalue
    assert outcome.error.line in lines
    assert "1" == value(kernel, "keep = None\n1")


@needs_limits
@pytest.mark.parametrize(
    ("source", "ending"),
    [
        ("p = ctypes.CDLL(None).malloc(10**9)\nctypes.memset(p, 1, 10**9)", "killed by SIGSEGV"),
        ("b = bytearray(10**8)\nos.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL (out of memory?)"),
    ],
    ids=["C", "killed"],
)
def test_death_under_a_memory_limit(limited, tmp_path_factory, source, ending):
    """A kernel that dies is told with the limit and with the most memory that it held."""
    kernel = limited.kernel(tmp_path_factory.getbasetemp(), fresh=True)  # an error's traceback may hold memory
    outcome = run(kernel, source)
    first = outcome.error.evalue.splitlines()[0]
    assert f"the kernel was {ending}; it held " == first[: len(f"the kernel was {ending}; it held ")]
    assert " MB at most (cells_max_memory_mb allows 200 MB)" in first
    assert outcome.duration_ms < SEEN_MS


@needs_limits
def test_memory_limit_counts_what_cells_hold(limited, tmp_path_factory):
    """What the kernel has set aside for its threads does not count: a cell may hold nearly all of the limit."""
    kernel = limited.kernel(tmp_path_factory.getbasetemp(), fresh=True)
    assert "ok" == run(kernel, "b = b'x' * (100 * 2**20)\ndel b").verdict


# -- cells that break their own ground ---------------------------------------------------------------------


def test_replaced_stdout(kernel):
    """A cell that replaces sys.stdout has what it wanted."""
    source = (
        "import io\nkept, sys.stdout = sys.stdout, io.StringIO()\nprint('inside')\ninside = sys.stdout.getvalue()\n"
    )
    assert ["'inside\\n'"] == texts(run(kernel, f"{source}sys.stdout = kept\ninside"))
    assert "ok" == run(kernel, "sys.stdout = io.StringIO()").verdict
    assert "ok" == run(kernel, "print('gone')\nsys.stdout = kept").verdict
    assert ["back\n"] == texts(run(kernel, "print('back')"))


@pytest.mark.parametrize("source", ["sys.stdout = None\nprint(1)", "json.dumps = None"])
def test_kernel_that_cannot_answer(kernel, short_grace, source):
    """A cell that takes from the kernel what it answers with ends at its timeout at the latest."""
    outcomes = [run(kernel, source, timeout=TIMEOUT_S), run(kernel, "1", timeout=TIMEOUT_S)]
    assert {"ok", "CellTimeout", "KernelDied", "KernelProtocolError"} >= {
        outcome.error.ename if outcome.error else "ok" for outcome in outcomes
    }
    kernel.kill()


def test_replaced_open(kernel):
    """A cell that replaces `open` takes it from nobody but itself."""
    assert "ok" == run(kernel, "kept, builtins.open = open, None").verdict
    assert "TypeError" == run(kernel, "builtins.open('x')").error.ename
    assert "ok" == run(kernel, "builtins.open = kept").verdict


def test_full_disk(lender, tmp_path):
    """A cell that finds its disk full fails with the system's error and its line; its kernel goes on."""
    kernel = lender.kernel(tmp_path)
    source = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))\n"
    outcome = run(kernel, f"{source}open({str(tmp_path / 'file')!r}, 'wb').write(bytes(10**6))")
    assert ("OSError", 3) == (outcome.error.ename, outcome.error.line)
    assert "File too large" in outcome.error.evalue
    assert "1" == value(kernel, "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n1")


def test_deleted_working_directory(kernel):
    """A cell that deletes the folder it is in can still run, write elsewhere and fail."""
    outcome = run(kernel, "gone = tempfile.mkdtemp()\nos.chdir(gone)\nos.rmdir(gone)")
    assert "ok" == outcome.verdict
    error = run(kernel, "1/0").error
    assert ("ZeroDivisionError", 1) == (error.ename, error.line)
    outcome = run(kernel, "fd, path = tempfile.mkstemp()\nos.close(fd)\nos.remove(path)")
    assert ("ok", 1) == (outcome.verdict, len(outcome.written))
    assert "ok" == run(kernel, "os.chdir(tempfile.gettempdir())").verdict


def test_setsid(kernel):
    """A kernel leads its session already: a cell cannot take it away from those who will end it."""
    assert "PermissionError" == run(kernel, "os.setsid()").error.ename


@pytest.mark.parametrize("fork_server", ["on", "off"], ids=["forked", "ordinary"])
def test_nothing_is_left(nothing_left_behind, tmp_path, fork_server):
    """Whatever cells did, a closed pool leaves no process, no folder and no descriptor."""
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    pool = KernelPool(KernelSettings(fork_server=fork_server))
    deaths = (
        "subprocess.Popen(['sleep', '600'])\nos._exit(1)",
        "if os.fork() == 0:\n    time.sleep(600)\nos.kill(os.getpid(), signal.SIGKILL)",
        "threading.Thread(target=time.sleep, args=(600,)).start()",
        "import atexit\natexit.register(os.abort)",
    )
    groups = []
    for source in deaths:
        kernel = pool.start(PYTHON, tmp_path, 60)
        groups.append(kernel.process_id)
        run(kernel, f"{IMPORTS}{source}")
        pool.stop(kernel)
    pool.close()
    for group in groups:
        for pid in members(group):
            wait_until_ended(pid)
    if before:
        assert before >= len(list(Path("/proc/self/fd").iterdir()))
    assert 0 == ownership.reap()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupt_that_python_loses(kernel):
    """Ctrl-C while some object is deleted: Python prints the KeyboardInterrupt, and yet the cell is stopped."""

    class Interrupting:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def meanwhile():
        doomed = Interrupting()
        del doomed

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(CellInterrupted) as stopped:
        kernel.execute("while True: pass", timeout=60, meanwhile=meanwhile)
    assert "KeyboardInterrupt" == stopped.value.outcome.error.ename
    assert before is signal.getsignal(signal.SIGINT)


def test_interrupt_while_the_request_is_sent(kernel, monkeypatch, tmp_path):
    """Ctrl-C when the cell has been sent, and the kernel not been waited for yet: its answer is not missed."""
    send, begun = Wire.send, tmp_path / "begun"

    def interrupted(*args, **named):
        request = send(*args, **named)
        while not begun.exists():
            time.sleep(0.001)
        signal.raise_signal(signal.SIGINT)
        return request

    monkeypatch.setattr(Wire, "send", interrupted)
    with pytest.raises(CellInterrupted) as stopped:
        kernel.execute(f"open({str(begun)!r}, 'w').close()\nwhile True: pass", timeout=60)
    assert stopped.value.outcome.error.line in (1, 2)
    assert kernel.alive


def test_interrupt_while_messages_are_read(kernel, monkeypatch):
    """Ctrl-C when the answer has been read: no other one is waited for."""
    receive = Wire._receive

    def interrupted(self, wait_s):
        found = receive(self, wait_s)
        if any(message.kind == "execute_reply" for _, message in found):
            signal.raise_signal(signal.SIGINT)
        return found

    monkeypatch.setattr(Wire, "_receive", interrupted)
    with pytest.raises(CellInterrupted) as stopped:
        kernel.execute("x = 1", timeout=60)
    assert "KeyboardInterrupt" == stopped.value.outcome.error.ename
    assert kernel.alive
    monkeypatch.undo()
    assert "ok" == kernel.execute("x", timeout=60).verdict
