"""With pytest-xdist: notebooks stay whole, reports are complete, crashes are survived."""

import pytest

from pytest_cells.testing import code

pytest.importorskip("xdist")
pytestmark = pytest.mark.kernel
NAMES = ("a.ipynb", "b.ipynb", "c.ipynb")


@pytest.fixture
def three(cells_project):
    """Lend a project with three notebooks, each of whose cells needs those above, and ordinary tests."""
    for name in NAMES:
        cells = f"name = {name!r}", "n = [name, 1]", code("n[1] += 1", id="same"), "assert n[1] == 2"
        cells_project.notebook(name, *cells)
    cells_project.file("test_plain.py", "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n): pass\n")
    return cells_project


def stable(report):
    """Return what must not depend on the number of workers."""
    return [
        (
            run.notebook,
            run.status,
            [(c.cell_id, c.cell_name, c.status, c.cache_key, c.reason) for c in run.cell_results],
        )
        for run in report.runs
    ]


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
def test_every_dist(three, dist):
    """Under every --dist each notebook runs on one worker, and ordinary tests run too."""
    result = three.run("-n2", f"--dist={dist}", subprocess=True)
    assert [["ok"] * 4] * 3 == [result.statuses(name) for name in NAMES]
    assert 3 == result.kernels
    result.result.assert_outcomes(passed=18)


def test_each(three):
    """`--dist each` runs everything on every worker, as it says."""
    result = three.run("--tx=2*popen", "--dist=each", "--cells-no-cache", subprocess=True)
    result.result.assert_outcomes(passed=36)


def test_same_report(three):
    """The report is the same with no, one and two workers, cold and cached."""
    three.notebook("d.ipynb", "x = 1", "# cells: name=bad\n1/0", "y = 2")
    reports = []
    for workers in ("0", "1", "2"):
        cold = three.run("-n", workers, "--cache-clear", subprocess=True)
        cached = three.run("-n", workers, subprocess=True)
        reports.append((stable(cold.report), cold.kernels, stable(cached.report), cached.kernels))
    assert reports[0] == reports[1] == reports[2]
    assert (4, 2) == (reports[0][1], reports[0][3])  # x is not brought back: the failure is confirmed


WRITES_ALL_THE_TIME = """
import threading

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.log, config.end = open("session.log", "w"), threading.Event()
        config.thread = threading.Thread(target=write, args=(config,))
        config.thread.start()

def write(config):
    while not config.end.wait(0.005):
        print("a line", file=config.log, flush=True)

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        config.end.set()
        config.thread.join()
        config.log.close()
"""


@pytest.mark.parametrize("workers", ["0", "1", "2"])
def test_what_pytest_writes_is_no_cells_doing(cells_project, workers):
    """A file in the project that pytest's own process has open, as its redirected output is, belongs to no cell."""
    cells_project.file("conftest.py", WRITES_ALL_THE_TIME)
    cells_project.notebook("a.ipynb", "import time\ntime.sleep(0.1)", "x = 1")
    assert ["ok", "ok"] == cells_project.run("-n", workers, subprocess=True).statuses("a.ipynb")
    assert ["cached", "cached"] == cells_project.run("-n", workers, subprocess=True).statuses("a.ipynb")


def test_failure_text(cells_project):
    """A failure on a worker is shown as one without workers, colours included."""
    cells_project.notebook("a.ipynb", "1/0")
    result = cells_project.run("-n1", "--color=yes", subprocess=True)
    assert "ZeroDivisionError" in result.stdout
    assert "\x1b[31m-->   1 | 1/0" in result.stdout


def test_crashed_worker(cells_project, tells_its_pid):
    """The cell that takes its worker down is reported once; the rest of its notebook runs elsewhere."""
    crash = "import os, pathlib, signal\nif not pathlib.Path('crashed').exists():\n"
    crash += "    pathlib.Path('crashed').touch()\n    os.kill(int(os.environ['TESTED_PYTEST']), signal.SIGKILL)"
    cells_project.notebook("a.ipynb", "x = 1", crash, "assert x == 1", "x += 1")
    cells_project.notebook("b.ipynb", "y = 1", "y")
    result = cells_project.run("-n2", subprocess=True)
    assert ["ok", "error", "ok", "ok"] == result.statuses("a.ipynb")
    assert ["ok", "ok"] == result.statuses("b.ipynb")
    assert "WorkerCrashed" == result.cell("a.ipynb", 1).error.ename
    result.result.assert_outcomes(passed=5, failed=1)
    cells_project.run(subprocess=True)  # ends what the killed worker left behind


def test_maxfail(cells_project):
    """`--maxfail` stops the session; the report is written and lists what was not reached."""
    for name in NAMES:
        cells_project.notebook(name, "import time\ntime.sleep(0.2)\n1/0", "x = 1")
    result = cells_project.run("-n2", "--maxfail=1", subprocess=True)
    assert result.ret != 0
    assert {"error", "skipped"} == {cell.status for run in result.report.runs for cell in run.cell_results}


def test_notebooks_that_write_to_one_folder(cells_project):
    """Notebooks that write to a shared artifact folder at the same time do not take each other's files."""
    for name in ("a", "b"):
        write = "import pathlib, time\nfolder = pathlib.Path('artifacts')\nfolder.mkdir(exist_ok=True)\n"
        write += f"for n in range(20):\n    (folder / f'{name}{{n}}.txt').write_text('{name}')\n    time.sleep(0.02)"
        cells_project.notebook(f"{name}.ipynb", write)
        cells_project.notebook(f"idle_{name}.ipynb", f"import time\n{name} = time.sleep(0.5)")
    cold = cells_project.run("-n2", subprocess=True)
    assert {"ok"} == {cell.status for run in cold.report.runs for cell in run.cell_results}
    cells_project.notebook("b.ipynb", "pass")
    for path in (cells_project.path / "artifacts").glob("b*.txt"):
        path.unlink()
    (cells_project.path / "artifacts" / "a3.txt").unlink()
    cached = cells_project.run("-n2", subprocess=True)
    assert ["cached"] == cached.statuses("a.ipynb")
    assert sorted(f"a{n}.txt" for n in range(20)) == sorted(
        path.name for path in (cells_project.path / "artifacts").iterdir()
    )


def test_without_xdist(cells_project):
    """Without xdist everything works, and nothing of it is imported."""
    cells_project.notebook("a.ipynb", "x = 1")
    result = cells_project.run("-p", "no:xdist", subprocess=True)
    assert ["ok"] == result.statuses("a.ipynb")


def test_workers_share_a_fork_server(cells_project):
    """Kernels of all workers come from one server; a worker that finds it gone has one of its own."""
    for name in NAMES:
        cells_project.notebook(name, f"import os\nopen('parent-{name}', 'w').write(str(os.getppid()))")
    result = cells_project.run("-n2", subprocess=True)
    assert ([["ok"]] * len(NAMES), len(NAMES)) == (
        [result.statuses(name) for name in NAMES],
        result.report.kernels.forked,
    )
    assert 1 == len({path.read_text() for path in cells_project.path.glob("parent-*")})


def test_a_shared_fork_server_that_is_killed(cells_project):
    """A worker goes on with a server of its own."""
    kill = "import os, pathlib, signal\nif not pathlib.Path('killed').exists():\n"
    kill += "    pathlib.Path('killed').touch()\n    os.kill(os.getppid(), signal.SIGKILL)\n    signal.pause()"
    cells_project.notebook("a.ipynb", "x = 1", kill, "assert x == 1")
    cells_project.notebook("b.ipynb", "y = 1", "assert y == 1")
    result = cells_project.run("-n2", subprocess=True)
    assert (["ok"] * 3, ["ok"] * 2) == (result.statuses("a.ipynb"), result.statuses("b.ipynb"))
