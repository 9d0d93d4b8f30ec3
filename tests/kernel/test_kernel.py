"""One real kernel: what executing gives, how it ends, what is left."""

import os
import signal
import sys
from pathlib import Path

import pytest
from waiting import wait_for_end

from pytest_cells.errors import KernelError
from pytest_cells.in_kernel import AGENT
from pytest_cells.kernels import processes
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.settings import KernelSettings

pytestmark = pytest.mark.kernel
PYTHON = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"))


@pytest.fixture(scope="module", params=["on", "off"], ids=["forked", "ordinary"])
def pool(request):
    """Lend a pool whose kernels end with the module, once for each kind of kernel."""
    pool = KernelPool(KernelSettings(fork_server=request.param))
    yield pool
    pool.close()


@pytest.fixture
def any_pool():
    """Lend a pool for kernels that cannot be forked."""
    pool = KernelPool()
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def kernel(pool, tmp_path_factory):
    """Lend one kernel to all tests that do not harm it."""
    return pool.start(PYTHON, tmp_path_factory.mktemp("cwd"), 60)


@pytest.fixture
def mortal(pool, tmp_path):
    """Lend a kernel that may die."""
    kernel = pool.start(PYTHON, tmp_path, 60)
    yield kernel
    pool.stop(kernel)


def run(kernel, source, timeout=30):
    return kernel.execute(source, timeout=timeout)


def test_outputs(kernel):
    """Streams are joined, results and displays are kept as nbformat has them."""
    outcome = run(kernel, "print('a')\nprint('b')\nfrom IPython.display import display\ndisplay(1)\n2")
    assert ["stream", "display_data", "execute_result"] == [output["output_type"] for output in outcome.outputs]
    assert "a\nb\n" == outcome.outputs[0]["text"]
    assert "2" == outcome.outputs[2]["data"]["text/plain"]


def test_state_and_namespace(kernel):
    """State stays, and nothing of ours is in the user's namespace."""
    run(kernel, "kept = 1")
    outcome = run(kernel, "[name for name in dir() if 'cells' in name or 'agent' in name], kept")
    assert "([], 1)" == outcome.outputs[0]["data"]["text/plain"]


def test_execution_count_as_in_a_fresh_run(mortal):
    """The first cell is In[1]."""
    assert "2" == run(mortal, "len(In)").outputs[0]["data"]["text/plain"]


@pytest.mark.parametrize(
    ("source", "ename", "line"),
    [
        ("x = 1\n1/0", "ZeroDivisionError", 2),
        ("x = 1\ny = = 2", "SyntaxError", 2),
        ("%nosuchmagic", "UsageError", None),
        ("import sys\nsys.exit(0)", "SystemExit", None),
        ("input()", "StdinNotImplementedError", 1),
        ("%%bash\nexit 3", "CalledProcessError", None),
        ("await __import__('asyncio').sleep(0)\n1/0", "ZeroDivisionError", 2),
    ],
)
def test_errors(kernel, source, ename, line):
    """An error is told with its name and, where it is known, its line in the cell."""
    outcome = run(kernel, source)
    assert ("error", ename) == (outcome.verdict, outcome.error.ename)
    if line is not None:
        assert line == outcome.error.line


def test_result_that_cannot_be_shown(kernel):
    """A result whose `__repr__` raises fails the cell with that error."""
    outcome = run(kernel, "class Odd:\n    def __repr__(self): return [].missing\nOdd()")
    assert ("error", "AttributeError") == (outcome.verdict, outcome.error.ename)


def test_bases_of_an_error(kernel):
    """The classes that an error's class is derived from are known."""
    assert "LookupError" in run(kernel, "{}['a']").error.bases


@pytest.mark.parametrize(
    "source", ["import pytest\npytest.skip('why')", "import unittest\nraise unittest.SkipTest('why')"]
)
def test_skip(kernel, source):
    """A cell may skip itself."""
    outcome = run(kernel, source)
    assert ("skipped", "why") == (outcome.verdict, outcome.reason)


def test_what_works_under_jupyter_works(kernel):
    """Magics, shell lines, top-level await and inline plots work."""
    for source in (
        "%%bash\ntrue",
        "x = !echo a\nassert x == ['a']",
        "%timeit -n1 -r1 1",
        "import asyncio\nawait asyncio.sleep(0)",
    ):
        assert "ok" == run(kernel, source).verdict


def test_files_that_were_written(kernel, tmp_path):
    """The kernel tells which files it opened for writing, and not those it read."""
    path = tmp_path / "written.txt"
    outcome = run(kernel, f"import os\nopen({str(path)!r}, 'w').close()\nopen(os.devnull).close()")
    assert (str(path),) == outcome.written


def test_output_of_many_lines(kernel):
    """A flood is complete."""
    assert 200_000 == run(kernel, "for n in range(200_000): print(n)").outputs[0]["text"].count("\n")


@pytest.mark.parametrize(
    "source",
    [
        "import ctypes; c = ctypes.PyDLL(None); c.puts(b'one'); c.fflush(None)",
        "import os; os.write(1, b'one\\n')",
        "import os; os.system('echo one')",
        "import threading; t = threading.Thread(target=print, args=('one',)); t.start(); t.join()",
    ],
    ids=["C", "descriptor", "subprocess", "thread"],
)
def test_output_beside_python(kernel, source):
    """What C code, subprocesses and threads write belongs to the cell that made them write, each time."""
    texts = ["".join(output["text"] for output in run(kernel, f"{source}\nNone").outputs) for _ in range(50)]
    assert ["one\n"] * 50 == texts


def test_update_of_a_display(kernel):
    """A display that is updated shows the last value."""
    outcome = run(kernel, "from IPython.display import display\nh = display('a', display_id=True)\nh.update('b')")
    assert ["'b'"] == [output["data"]["text/plain"] for output in outcome.outputs]


def test_what_an_output_widget_keeps(kernel):
    """What is shown inside an Output widget, an error included, is the widget's and not the cell's."""
    pytest.importorskip("ipywidgets")
    outcome = run(
        kernel, "import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    print('in')\n    1/0\nprint('after')"
    )
    assert ("ok", ["after\n"]) == (outcome.verdict, [output["text"] for output in outcome.outputs])
    assert "error" == run(kernel, "1/0").verdict


def test_timeout_and_after(kernel):
    """A cell that is too slow is interrupted, and its kernel goes on."""
    outcome = run(kernel, "import time\ntime.sleep(60)", timeout=0.3)
    assert (True, False, "CellTimeout", 2) == (outcome.timed_out, outcome.died, outcome.error.ename, outcome.error.line)
    assert "ok" == run(kernel, "1").verdict


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed by SIGKILL (out of memory?)"),
        ("import os\nos._exit(7)", "ended with exit code 7"),
        ("import ctypes\nctypes.string_at(0)", "killed by SIGSEGV"),
    ],
)
def test_death(mortal, source, told):
    """A kernel that dies is seen, and how it died is told."""
    outcome = run(mortal, source)
    assert (True, "KernelDied") == (outcome.died, outcome.error.ename)
    assert told in outcome.error.evalue
    assert not mortal.alive


@pytest.mark.parametrize("source", ["exit()", "quit()"])
def test_exit(mortal, source):
    """A cell that ends its kernel fails, though the kernel says ok."""
    outcome = run(mortal, source)
    assert ("KernelExit", True) == (outcome.error.ename, outcome.died)


def test_death_between_cells(mortal):
    """A kernel that is gone before its next cell is seen at once."""
    os.killpg(mortal.process_id, signal.SIGKILL)
    processes.wait_for(mortal._process, 10)
    assert "KernelDied" == run(mortal, "1").error.ename


@pytest.mark.parametrize("traced", [False, True])
def test_files_left_open_are_whole_after_the_end(pool, tmp_path, traced):
    """What a notebook has not flushed is there for the notebook after it, however long its kernel takes to end."""
    kernel = pool.start(PYTHON, tmp_path, 60)
    slow = "import atexit, time\natexit.register(time.sleep, 0.3)"
    wishes = {"trace": True, "agent": str(AGENT.parent), "project": str(tmp_path)} if traced else None
    kernel.execute(slow + "\nkept = open('kept.txt', 'w')\nkept.write('all of it')", timeout=30, wishes=wishes)
    pool.stop(kernel)
    assert "all of it" == (tmp_path / "kept.txt").read_text()


SLOW_AGENT = """
import sys, time
Tracer = sys.modules["_pytest_cells_agent.tracer"].Tracer
def end(self, wishes, *, ok, end=Tracer.end, sleep=time.sleep):
    sleep(1.5)
    return end(self, wishes, ok=ok)
Tracer.end = end
"""


def test_time_limit_is_the_cells_own(pool, tmp_path):
    """What observing takes counts neither for a cell's time limit nor as its duration."""
    wishes = {"trace": True, "agent": str(AGENT.parent), "project": str(tmp_path)}
    kernel = pool.start(PYTHON, tmp_path, 60)
    kernel.execute("x = 1", timeout=30, wishes=wishes)
    assert "ok" == run(kernel, SLOW_AGENT).verdict
    outcome = kernel.execute("x = 2", timeout=1, wishes=wishes)
    assert ("ok", True) == (outcome.verdict, outcome.duration_ms < 1000)
    assert "x" in outcome.observed["writes"]
    outcome = kernel.execute("import time; time.sleep(60)", timeout=1, wishes=wishes)
    assert "CellTimeout" == outcome.error.ename
    pool.stop(kernel)


def test_observing_loads_nothing_of_ipython(pool, tmp_path):
    """Magics that IPython loads when they are first used are not loaded by looking at which there are."""
    kinds = "sorted({str(type(magic)) for magic in named.values()})"
    loaded = f"[{kinds} for named in get_ipython().magics_manager.magics.values()]"
    told = []
    for wishes in (None, {"trace": True, "agent": str(AGENT.parent), "project": str(tmp_path)}):
        kernel = pool.start(PYTHON, tmp_path, 60)
        kernel.execute("x = 1", timeout=30, wishes=wishes)
        asked = "import sys\nsorted(name for name in sys.modules if name.startswith('IPython.core.magics.'))"
        told.append([outcome.outputs[0]["data"]["text/plain"] for outcome in (run(kernel, loaded), run(kernel, asked))])
        pool.stop(kernel)
    assert told[0] == told[1]


def test_kernel_that_does_not_start(any_pool, tmp_path):
    """A kernel that ends at its start is told with what it wrote to stderr."""
    broken = KernelChoice("broken", (sys.executable, "-c", "import sys; sys.exit('no such thing')"))
    with pytest.raises(KernelError, match=r"did not start: the kernel ended with exit code 1(.|\n)*no such thing"):
        any_pool.start(broken, tmp_path, 30)


def test_kernel_that_never_answers(any_pool, tmp_path):
    """A kernel that says nothing is given up after the time that is set."""
    mute = KernelChoice("mute", (sys.executable, "-c", "import time; time.sleep(60)"))
    with pytest.raises(KernelError, match="did not answer in time"):
        any_pool.start(mute, tmp_path, 0.5)


def test_program_that_is_not_there(any_pool, tmp_path):
    """A kernelspec whose program is missing is told by name."""
    with pytest.raises(KernelError, match="'gone' could not be started"):
        any_pool.start(KernelChoice("gone", ("/nowhere/python", "-f", "{connection_file}")), tmp_path, 5)


@pytest.mark.parametrize("fork_server", ["on", "off"])
def test_nothing_is_left(nothing_left_behind, tmp_path, fork_server):
    """A closed pool leaves no process, no folder, and what runs at exit has run."""
    pool = KernelPool(KernelSettings(fork_server=fork_server))
    kernel = pool.start(PYTHON, tmp_path, 60)
    run(kernel, "import atexit, subprocess\natexit.register(lambda: open('ended', 'w').close())")
    run(kernel, "child = subprocess.Popen(['sleep', '600'])")
    child = int(run(kernel, "child.pid").outputs[0]["data"]["text/plain"])
    end = os.pidfd_open(child)
    pool.close()
    assert (tmp_path / "ended").exists()
    assert wait_for_end(end), "what was killed ends when the system comes to it"
    pool.close()


def parent_of(kernel):
    """Return the process that started a kernel."""
    return run(kernel, "import os; os.getppid()").outputs[0]["data"]["text/plain"]


def test_install_meanwhile(tmp_path):
    """What a fork server has loaded may be old after an install: kernels then come from a new server."""
    installed = ["before"]
    pool = KernelPool(KernelSettings(fork_server="on", ahead=0), stamp=lambda choice: installed[0])
    first, second = pool.start(PYTHON, tmp_path, 60), pool.start(PYTHON, tmp_path, 60)
    installed[0] = "after"
    third = pool.start(PYTHON, tmp_path, 60)
    assert parent_of(first) == parent_of(second) != parent_of(third)
    pool.close()


def test_kernel_launched_ahead_of_an_install(tmp_path):
    """A kernel that was launched ahead is lent only where it is as one that is launched now."""
    installed = ["before"]
    pool = KernelPool(KernelSettings(fork_server="on"), stamp=lambda choice: installed[0])
    pool.prepare(PYTHON, tmp_path)
    installed[0] = "after"
    assert "x" == run(pool.start(PYTHON, tmp_path, 60), "print('x', end='')").outputs[0]["text"]
    assert 1 == pool.usage.started
    pool.close()


def test_idle_servers_end(tmp_path, monkeypatch):
    """A server that no kernel needs any more ends when another kind is booted."""
    pool = KernelPool(KernelSettings(fork_server="on"))
    parents = []
    for number in range(3):
        monkeypatch.setenv("CELLS_TEST_NUMBER", str(number))
        kernel = pool.start(PYTHON, tmp_path, 60)
        parents.append(Path("/proc", parent_of(kernel)))
        kernel.kill()
    assert [False, False, True] == [parent.exists() for parent in parents]
    pool.close()


def test_preload_of_a_project_module(tmp_path, monkeypatch):
    """A module of the project may change while the session runs, so it is not preloaded."""
    (tmp_path / "changeable.py").write_text("value = 1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pool = KernelPool(KernelSettings(preload=("changeable",)))
    with pytest.raises(KernelError, match=r"'changeable' imports .*changeable\.py, which is not installed"):
        pool.start(PYTHON, tmp_path, 60)
    pool.close()


def test_server_that_boots_for_ever(tmp_path, monkeypatch):
    """A server that does not answer in time is given up, and not asked again."""
    (tmp_path / "sitecustomize.py").write_text("import sys, time\nif sys.argv[:1] == ['-c']: time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pool = KernelPool(KernelSettings(fork_server="on"))
    for _ in range(2):
        with pytest.raises(KernelError, match="its fork server did not answer in time"):
            pool.start(PYTHON, tmp_path, 0.5)
    pool.close()
