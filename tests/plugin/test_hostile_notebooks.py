"""Hostile notebooks under pytest: what is reported of the cell, of those after it, and of the next notebook."""

import os
import sys
from pathlib import Path

import pytest

from pytest_cells.kernels import kernel as kernels
from pytest_cells.testing import code

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux")]
KINDS = pytest.mark.parametrize("kind", ["on", "off"], ids=["forked", "ordinary"])
KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
ONCE = "import os, pathlib\nif not pathlib.Path('died').exists():\n    pathlib.Path('died').touch()\n    "
KILL_BETWEEN = """
import os, pathlib, select, signal

def pytest_runtest_teardown(item, nextitem):
    note = pathlib.Path("pid")
    if note.exists() and nextitem is not None and item.name in {cells!r}:
        descriptor = os.pidfd_open(int(note.read_text()))
        os.kill(int(note.read_text()), signal.SIGKILL)
        select.select([descriptor], [], [], 10)
        os.close(descriptor)
"""
NOTE_PID = "import os, pathlib\npid = pathlib.Path('pid').write_text(str(os.getpid()))\nx = 1"


def ini(project, **values):
    """Write pytest's configuration."""
    lines = "".join(f"{name} = {value}\n" for name, value in values.items())
    project.file("pytest.ini", f"[pytest]\n{lines}")


@KINDS
@pytest.mark.parametrize(
    ("source", "told", "arrow"),
    [
        (KILL, "KernelDied: the kernel was killed by SIGKILL (out of memory?); it held ", None),
        ("x = 1\nimport ctypes; ctypes.string_at(0)", "KernelDied: the kernel was killed by SIGSEGV; it held ", 2),
        ("import os\nos._exit(7)", "KernelDied: the kernel ended with exit code 7; it held ", None),
    ],
    ids=["SIGKILL", "SIGSEGV", "_exit"],
)
def test_poison(cells_project, kind, source, told, arrow):
    """A cell that kills two kernels is failed once, those below need it, and the next notebook goes on."""
    ini(cells_project, cells_fork_server=kind)
    cells_project.notebook("a.ipynb", "y = 1", source, "y")
    cells_project.notebook("b.ipynb", "1")
    result = cells_project.run()
    assert ["ok", "error", "skipped"] == result.statuses("a.ipynb")
    assert ["ok"] == result.statuses("b.ipynb")
    cell = result.cell("a.ipynb", 1)
    assert (2, arrow) == (cell.attempts, cell.line)
    assert cell.error.evalue.endswith("\n(seen in 2 kernels)")
    assert "needs cell cell-2, which failed" == result.cell("a.ipynb", 2).reason
    assert 3 == result.kernels
    assert f"E   {told}" in result.stdout
    assert (f"-->   {arrow} | " in result.stdout) is (arrow is not None)


@pytest.mark.parametrize(("retries", "kernels_started", "seen"), [(0, 1, ""), (2, 3, "\n(seen in 3 kernels)")])
def test_retries(cells_project, retries, kernels_started, seen):
    """`--cells-kernel-retries` bounds the kernels that one cell may kill."""
    cells_project.notebook("a.ipynb", "x = 1", KILL, "x")
    result = cells_project.run(f"--cells-kernel-retries={retries}")
    assert ["ok", "error", "skipped"] == result.statuses("a.ipynb")
    assert (retries + 1, kernels_started) == (result.cell("a.ipynb", 1).attempts, result.kernels)
    evalue = result.cell("a.ipynb", 1).error.evalue
    assert ("seen in" in evalue, evalue.endswith(seen)) == (bool(seen), True)


@KINDS
def test_death_that_does_not_come_back(cells_project, kind):
    """A cell whose kernel died once passes in the next one, with the state of the cells above."""
    ini(cells_project, cells_fork_server=kind)
    cells_project.notebook("a.ipynb", "x = 1", f"{ONCE}os._exit(1)\nassert x == 1\nx += 1", "assert x == 2")
    result = cells_project.run()
    assert ["ok", "ok", "ok"] == result.statuses("a.ipynb")
    assert (2, 2) == (result.cell("a.ipynb", 1).attempts, result.kernels)


def test_death_of_the_fork_server(cells_project):
    """A cell whose kernel was lost with its fork server is tried again, in a kernel of a new server."""
    cells_project.notebook("a.ipynb", "x = 1", f"{ONCE}os.kill(os.getppid(), 9)\n    input()\nassert x == 1")
    cells_project.notebook("b.ipynb", "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)")
    cells_project.notebook("c.ipynb", "1")
    result = cells_project.run()
    assert ["ok", "ok"] == result.statuses("a.ipynb")
    error = result.cell("b.ipynb", 0).error
    assert "the kernel was lost together with its fork server\n(seen in 2 kernels)" == error.evalue
    assert ["ok"] == result.statuses("c.ipynb")


@KINDS
def test_death_between_cells(cells_project, kind):
    """A kernel that died between two cells is replaced, and the state is brought back."""
    ini(cells_project, cells_fork_server=kind)
    cells_project.file("conftest.py", KILL_BETWEEN.format(cells=["cell-1"]))
    cells_project.notebook("a.ipynb", NOTE_PID, "assert x == 1\nx += 1", "assert x == 2")
    result = cells_project.run()
    assert ["ok", "ok", "ok"] == result.statuses("a.ipynb")
    assert 2 == result.kernels


def test_death_after_each_cell(cells_project):
    """Kernels that die after each cell cost one kernel a cell at most."""
    cells_project.file("conftest.py", KILL_BETWEEN.format(cells=["cell-1", "cell-2", "cell-3"]))
    cells_project.notebook("a.ipynb", NOTE_PID, "assert x == 1\nx += 1", "assert x == 2\nx += 1", "assert x == 3")
    result = cells_project.run()
    assert ["ok"] * 4 == result.statuses("a.ipynb")
    assert 4 == result.kernels


@KINDS
@pytest.mark.parametrize(("retries", "kernels_started"), [(0, 1), (1, 2)])
def test_death_while_replaying(cells_project, kind, retries, kernels_started):
    """A selected cell whose prerequisite kills its kernels fails with the prerequisite's end."""
    ini(cells_project, cells_fork_server=kind)
    notebook = cells_project.notebook("a.ipynb", "x = 1", KILL, "x")
    result = cells_project.run(f"{notebook}::cell-3", f"--cells-kernel-retries={retries}")
    error = result.cell("a.ipynb", 2).error
    assert "PrerequisiteFailed" == error.ename
    told = "prerequisite cell cell-2 failed: KernelDied: the kernel was killed by SIGKILL (out of memory?)"
    assert error.evalue.startswith(told)
    assert kernels_started == result.kernels


def test_death_while_replaying_that_does_not_come_back(cells_project):
    """A selected cell passes where its prerequisite killed one kernel only."""
    notebook = cells_project.notebook("a.ipynb", "x = 1", f"{ONCE}os._exit(1)\nx += 1", "assert x == 2")
    result = cells_project.run(f"{notebook}::cell-3")
    assert "ok" == result.cell("a.ipynb", 2).status
    assert 2 == result.kernels


@KINDS
def test_death_at_start(cells_project, monkeypatch, kind):
    """Kernels that a startup file ends fail the first cell of each notebook, within the retries."""
    ini(cells_project, cells_fork_server=kind)
    startup = "import os, pathlib\nwith pathlib.Path(__file__).with_name('tries').open('a') as file: file.write('.')\n"
    cells_project.file("ipython/profile_default/startup/00.py", f"{startup}os._exit(4)")
    monkeypatch.setenv("IPYTHONDIR", str(cells_project.path / "ipython"))
    cells_project.notebook("a.ipynb", "1", "2")
    result = cells_project.run("--cells-no-cache", "-o", "cells_kernels_ahead=0")
    assert ["error", "skipped"] == result.statuses("a.ipynb")
    error = result.cell("a.ipynb", 0).error
    assert "KernelError" == error.ename
    assert error.evalue.startswith("the kernel 'python3' did not start: the kernel ended with exit code 4")
    tries = cells_project.path / "ipython/profile_default/startup/tries"
    assert (0, "..") == (result.kernels, tries.read_text())


@KINDS
def test_timeout_that_kills(cells_project, monkeypatch, kind):
    """A cell that ignores its interrupt is killed and not tried again; its line stays unknown, the rest goes on."""
    monkeypatch.setattr(kernels, "INTERRUPT_GRACE_S", 0.3)
    ini(cells_project, cells_fork_server=kind)
    loop = (
        "# cells: timeout=0.2\nimport time\nwhile True:\n    try: time.sleep(600)\n    except KeyboardInterrupt: pass"
    )
    cells_project.notebook("a.ipynb", "x = 1", loop, "x")
    cells_project.notebook("b.ipynb", "1")
    result = cells_project.run()
    assert ["ok", "error", "skipped"] == result.statuses("a.ipynb")
    assert ["ok"] == result.statuses("b.ipynb")
    told = "E   CellTimeout: the cell took longer than 0.2 s; it ignored the interrupt, so its kernel was killed"
    assert told in result.stdout
    assert (1, 2) == (result.cell("a.ipynb", 1).attempts, result.kernels)


def test_timeout_that_is_expected(cells_project, monkeypatch):
    """A kernel that an expected failure killed is replaced for nobody: what is below needs that cell."""
    monkeypatch.setattr(kernels, "INTERRUPT_GRACE_S", 0.3)
    ignore = "# cells: xfail=slow timeout=0.2\nimport signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    cells_project.notebook("a.ipynb", "x = 1", f"{ignore}time.sleep(600)", "x")
    result = cells_project.run()
    assert ["ok", "skipped", "skipped"] == result.statuses("a.ipynb")
    assert "xfail: slow" in result.cell("a.ipynb", 1).reason


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prlimit")
@KINDS
def test_memory_limit(cells_project, kind):
    """A cell that exceeds `cells_max_memory_mb` says so; where that is expected, the cells below go on."""
    ini(cells_project, cells_fork_server=kind, cells_max_memory_mb=200)
    cells_project.notebook("a.ipynb", "x = 1", "x = 2\nb = bytearray(10**9)", "x")
    hold = "# cells: raises=MemoryError\nkeep = []\nwhile True: keep.append(bytearray(10**5))"
    cells_project.notebook("b.ipynb", hold, "assert len(keep) > 500", "keep = None")
    die = f"held = b'x' * (100 * 2**20)\n{KILL}"
    cells_project.notebook("c.ipynb", die)
    result = cells_project.run()
    assert ["ok", "error", "skipped"] == result.statuses("a.ipynb")
    assert "MemoryError: the cell exceeded cells_max_memory_mb = 200; its kernel held " in result.stdout
    assert "-->   2 | b = bytearray(10**9)" in result.stdout
    assert ["ok", "ok", "ok"] == result.statuses("b.ipynb")
    first = result.cell("c.ipynb", 0).error.evalue.splitlines()[0]
    held, _, rest = first.partition("; it held ")[2].partition(" MB at most")
    assert ("the kernel was killed by SIGKILL (out of memory?)", " (cells_max_memory_mb allows 200 MB)") == (
        first.partition(";")[0],
        rest,
    )
    assert int(held) > 100


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's memory")
def test_flood(cells_project):
    """Floods of cells that fail are cut visibly, and take pytest no more memory than what is kept allows."""
    write_peak = "next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))"
    cells_project.file("conftest.py", f"def pytest_unconfigure(): open('peak', 'w').write({write_peak})")
    ini(cells_project, cells_max_output_mb=5)
    lines = "for _ in range(100):\n    print('x' * 2**20, flush=True)\n1/0"
    cells_project.notebook("a.ipynb", lines)
    cells_project.notebook("b.ipynb", "raise ValueError('z' * 100 * 2**20)")
    cells_project.notebook("c.ipynb", "from IPython.display import HTML\nHTML('x' * 200 * 2**20)", "1")
    result = cells_project.run("--junitxml=junit.xml", subprocess=True)
    assert ["error"] == result.statuses("a.ipynb")
    assert ["error"] == result.statuses("b.ipynb")
    assert ["ok", "ok"] == result.statuses("c.ipynb")
    assert "MB of output left out; the limit is 5 MB (cells_max_output_mb)]" in result.stdout
    assert "characters left out]" in result.cell("b.ipynb", 0).error.evalue
    assert len(result.stdout) < 12 * 2**20
    assert int((cells_project.path / "peak").read_text()) / 1024 < 450


def test_next_cell_after_a_hostile_one(cells_project):
    """What a cell breaks of its own process is its own matter: those below run on what is there."""
    cells_project.notebook(
        "a.ipynb",
        code("import json, os, sys, tempfile\nkept, sys.stdout = sys.stdout, open(os.devnull, 'w')", id="stdout"),
        code("sys.stdout.close()\nsys.stdout = kept\nprint('back')", id="back"),
        code("gone = tempfile.mkdtemp()\nos.chdir(gone)\nos.rmdir(gone)", id="cwd"),
        code("os.chdir(tempfile.gettempdir())", id="home"),
        code("if os.fork() == 0:\n    import time\n    time.sleep(600)", id="fork"),
        code("import subprocess\nsleeper = subprocess.Popen(['sleep', '600'])", id="child"),
        "assert True",
    )
    result = cells_project.run()
    assert ["ok"] * 7 == result.statuses("a.ipynb")
    assert 1 == result.kernels
