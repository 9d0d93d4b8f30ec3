"""The fork server is booted before all else, where it will be needed, and nowhere else."""

import pytest

pytestmark = pytest.mark.kernel

NOTE_BOOTS = """
import pathlib
import sys
from pytest_cells.kernels import fork_server

boot = fork_server.OwnForkServer.__init__

def noted(server, kind, folder):
    with pathlib.Path(__file__).with_name("boots").open("a") as boots:
        boots.write("late " if "pytest_cells.run" in sys.modules else "early ")
    boot(server, kind, folder)

fork_server.OwnForkServer.__init__ = noted
"""


@pytest.fixture
def project(cells_project):
    """Return a project of one notebook that notes when fork servers are booted, before or after the rest is there."""
    cells_project.file("conftest.py", NOTE_BOOTS)
    cells_project.notebook("a.ipynb", "x = 1", "assert x == 1")
    return cells_project


def boots(project):
    """Return when servers were booted since this was last asked."""
    noted = project.path / "boots"
    found = noted.read_text().split() if noted.exists() else []
    noted.unlink(missing_ok=True)
    return found


@pytest.mark.parametrize("arguments", [(), ("a.ipynb",), ("a.ipynb::cell-1",), ("--cells-no-cache",), ("-n2",)])
def test_one_server_early(project, arguments):
    """A cold run boots one server, before anything else is imported; the kernels come from it."""
    if "-n2" in arguments:
        pytest.importorskip("xdist")
    result = project.run(*arguments, subprocess=True)
    assert 0 == result.result.ret
    assert ["early"] == boots(project)
    assert 1 == result.report.kernels.forked


def test_no_server_where_all_is_cached(project):
    """A cached run boots none; one that is forced does."""
    project.run(subprocess=True)
    boots(project)
    assert ["cached", "cached"] == project.run(subprocess=True).statuses("a.ipynb")
    assert [] == boots(project)
    assert ["ok", "ok"] == project.run("--cells-force", subprocess=True).statuses("a.ipynb")
    assert ["early"] == boots(project)


@pytest.mark.parametrize(
    "arguments", ["--collect-only", "--help", "--markers", "--fixtures", "--cells-fork-server=off", "-k nothing"]
)
def test_no_server_for_nothing(project, arguments):
    """None is booted where no cell is run, or none by forking."""
    project.pytest("--cells", *arguments.split(), subprocess=True)
    assert [] == boots(project)


def test_server_later(project):
    """Where cells may be deselected it is booted when it is known that some are not."""
    assert ["ok", "ok"] == project.run("-k", "cell", subprocess=True).statuses("a.ipynb")
    assert ["late"] == boots(project)


def test_late_modules_are_as_they_are(project):
    """The asserts of our modules are not rewritten, also in those that are loaded when a kernel is needed."""
    look = "print(type(sys.modules['pytest_cells.kernels.kernel'].__loader__).__name__)"
    project.file("conftest.py", f"import sys\n\ndef pytest_sessionfinish():\n    {look}\n")
    assert "SourceFileLoader" in project.pytest("--cells", "-s", subprocess=True).stdout.str()


def test_other_environment(project):
    """A server that was booted before somebody changed the environment forks no kernel."""
    project.notebook("a.ipynb", "import os\nassert os.environ['LATER'] == 'yes'")
    project.file(
        "conftest.py", NOTE_BOOTS + "\nimport os\ndef pytest_sessionstart():\n    os.environ['LATER'] = 'yes'\n"
    )
    assert ["ok"] == project.run(subprocess=True).statuses("a.ipynb")
    assert ["early", "late"] == boots(project)


def test_usage_error(project):
    """A server that was booted ends where pytest stops at once, as for a cache folder that is somebody else's."""
    project.file("other/file", "")
    result = project.pytest("--cells", "--cells-cache-dir=other", subprocess=True)
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert ["early"] == boots(project)
