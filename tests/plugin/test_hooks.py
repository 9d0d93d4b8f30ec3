"""What a conftest and other packages can add."""

import pytest

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"


def test_setup_code(cells_project):
    """Setup code runs before the first cell, is unseen by it, and is an input of every cell."""
    cells_project.file("sub/conftest.py", "def pytest_cells_setup_code(notebook): return 'given = 1'\n")
    cells_project.notebook("sub/nb.ipynb", "assert given == 1\nassert len(In) == 2", "given")
    cells_project.notebook(NB, "'given' in globals()\nassert 'given' not in globals()")
    result = cells_project.run()
    assert (["ok", "ok"], ["ok"]) == (result.statuses("sub/nb.ipynb"), result.statuses(NB))
    assert ["cached", "cached"] == cells_project.run().statuses("sub/nb.ipynb")
    cells_project.file("sub/conftest.py", "def pytest_cells_setup_code(notebook): return 'given = 2'\n")
    changed = cells_project.run("sub")
    assert ["error", "skipped"] == changed.statuses("sub/nb.ipynb")
    assert "changed: the setup code" == changed.cell("sub/nb.ipynb", 0).reason


def test_what_setup_code_reads(cells_project, monkeypatch):
    """It is an input of every cell, also where a cell overwrites the file."""
    setup = "given = int(open('limit.txt').read()), __import__('os').environ.get('TESTED_LIMIT')"
    cells_project.file("conftest.py", f"def pytest_cells_setup_code(notebook): return {setup!r}\n")
    cells_project.file("limit.txt", "5")
    cells_project.notebook(NB, "assert given == (5, None)", "x = 1")
    arguments = ["--cells-cache=traces"]
    assert ["ok", "ok"] == cells_project.run(*arguments).statuses(NB)
    assert ["cached", "cached"] == cells_project.run(*arguments).statuses(NB)
    cells_project.file("limit.txt", "6")
    changed = cells_project.run(*arguments)
    assert ["error", "skipped"] == changed.statuses(NB)
    assert "changed: limit.txt, which setup code reads" == changed.cell(NB, 0).reason
    cells_project.file("limit.txt", "5")
    assert ["cached", "cached"] == cells_project.run(*arguments).statuses(NB)
    monkeypatch.setenv("TESTED_LIMIT", "1")
    assert ["error", "skipped"] == cells_project.run(*arguments).statuses(NB)


def test_setup_code_that_fails(cells_project):
    """An error in the setup code fails the notebook, and says so."""
    cells_project.file("conftest.py", "def pytest_cells_setup_code(notebook): return '1/0'\n")
    cells_project.notebook(NB, "x = 1", "x")
    result = cells_project.run()
    assert ["error", "skipped"] == result.statuses(NB)
    assert "the setup code failed: ZeroDivisionError" in result.stdout


def test_key_material(cells_project):
    """A change of what a hook adds to the key makes the cell run, and is named."""
    hook = "def pytest_cells_key_material(notebook, cell):\n    return {{'model': '{}'}} if cell.index else None\n"
    cells_project.file("conftest.py", hook.format(1))
    cells_project.notebook(NB, "x = 1", "x")
    cells_project.run()
    assert ["cached", "cached"] == cells_project.run().statuses(NB)
    cells_project.file("conftest.py", hook.format(2))
    result = cells_project.run()
    assert ["cached", "ok"] == result.statuses(NB)
    assert "changed: key material model" == result.cell(NB, 1).reason


def test_output_filters(cells_project):
    """Filters change outputs before they are shown or stored."""
    cells_project.file(
        "conftest.py",
        "def hide(output):\n    if 'text' in output:\n"
        "        output['text'] = output['text'].replace('hunter2', '***')\n"
        "    return output\n\ndef pytest_cells_output_filters(notebook): return [hide]\n",
    )
    cells_project.notebook(NB, "print('hunter2')\n1/0")
    result = cells_project.run()
    assert "***" in result.stdout
    assert "hunter2" not in result.stdout.replace("print('hunter2')", "")


LIFECYCLES = """
from pathlib import Path
from pytest_cells import Lifecycle, Skip

class Log(Lifecycle):
    def setup(self, run):
        with Path('log').open('a') as f: f.write(f'setup {run.cell.label}\\n')
        if run.cell.name == 'refused': return Skip(run.result('skipped', reason='refused by a lifecycle'))
        if run.cell.name == 'broken': raise RuntimeError('no licence')
    def teardown(self, run, result):
        with Path('log').open('a') as f: f.write(f'teardown {run.cell.label} {result and result.status}\\n')

def pytest_cells_lifecycles(notebook): return [Log()]
"""


def test_lifecycles(cells_project):
    """A lifecycle stands around every cell, cached ones too; it may skip one, and that one is not replayed."""
    cells_project.file("conftest.py", LIFECYCLES)
    cells_project.notebook(NB, "x = 1", "# cells: name=refused\nx = 2", "assert x == 1")
    assert ["ok", "skipped", "ok"] == cells_project.run().statuses(NB)
    assert ["cached", "skipped", "cached"] == cells_project.run().statuses(NB)
    log = (cells_project.path / "log").read_text().splitlines()
    assert ["setup cell-1", "teardown cell-1 ok", "setup refused", "teardown refused skipped"] == log[:4]
    assert ["setup cell-3", "teardown cell-3 cached"] == log[-2:]


def test_lifecycle_that_raises(cells_project):
    """What a lifecycle raises fails the cell, with the user's frames and none of ours."""
    cells_project.file("conftest.py", LIFECYCLES)
    cells_project.notebook(NB, "# cells: name=broken\nx = 1", "x")
    result = cells_project.run()
    assert ["error", "skipped"] == result.statuses(NB)
    assert "RuntimeError: no licence" in result.stdout
    assert "pytest_cells/" not in result.stdout


def test_misspelt_hook(cells_project):
    """A hook that is none of ours is pytest's own error, with or without --cells."""
    cells_project.file("conftest.py", "def pytest_cells_lifecycle(notebook): return []\n")
    result = cells_project.pytest()
    assert "unknown hook 'pytest_cells_lifecycle'" in result.stdout.str()


def test_autouse_fixtures(cells_project):
    """Autouse fixtures of a conftest apply to cells."""
    cells_project.file(
        "conftest.py",
        "import pytest\n@pytest.fixture(autouse=True, scope='session')\n"
        "def mode():\n    patch = pytest.MonkeyPatch()\n    patch.setenv('CELLS_MODE', 'test')\n"
        "    yield\n    patch.undo()\n",
    )
    cells_project.notebook(NB, "import os\nassert os.environ['CELLS_MODE'] == 'test'")
    assert ["ok"] == cells_project.run().statuses(NB)


EXECUTOR = """
from pytest_cells import Outcome
from pytest_cells.evaluator import KernelUsage
from pytest_cells.model import KernelIdentity

class Echo:
    usage, peak_mb = KernelUsage(), None
    def __init__(self, settings): self.settings = settings
    def identify(self, notebook): return KernelIdentity({'echo': '1'}, dict)
    def prepare(self, notebook): pass
    def open(self, notebook):
        self.usage = KernelUsage(self.usage.started + 1, 0, [*self.usage.startup_ms, 1.0])
        return self
    alive = True
    def execute(self, source, *, timeout, history=True, meanwhile=None):
        text = {'output_type': 'stream', 'name': 'stdout', 'text': source}
        return Outcome('ok', [text])
    def stop(self): pass
    def close(self): pass

def broken(settings): raise OSError('no connection')
"""


def install(project, monkeypatch, **points):
    """Put a distribution with entry points on the path."""
    project.file("site/echo_executor.py", EXECUTOR)
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    project.file("site/echo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: echo\nVersion: 1.0\n")
    project.file("site/echo-1.0.dist-info/entry_points.txt", f"[pytest_cells.executors]\n{lines}")
    monkeypatch.syspath_prepend(project.path / "site")


def test_executor(cells_project, monkeypatch):
    """An executor is chosen by name; others are not even imported."""
    install(cells_project, monkeypatch, echo="echo_executor:Echo", other="not_there:Other")
    cells_project.notebook(NB, "this is no Python")
    result = cells_project.run("--cells-executor=echo")
    assert (["ok"], 1) == (result.statuses(NB), result.kernels)
    assert "executor: echo" in result.stdout
    assert ["cached"] == cells_project.run("--cells-executor=echo").statuses(NB)
    assert ["error"] == cells_project.run().statuses(NB)


def test_executor_that_fails(cells_project, monkeypatch):
    """An executor that was asked for and fails is a usage error: there is no fallback."""
    install(cells_project, monkeypatch, broken="echo_executor:broken")
    cells_project.notebook(NB, "x = 1")
    result = cells_project.pytest("--cells", "--cells-executor=broken")
    assert 4 == result.ret
    assert "OSError: no connection" in result.stderr.str()
