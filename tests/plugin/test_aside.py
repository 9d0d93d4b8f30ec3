"""Libraries are set aside from Python's garbage collector in a kernel that is observed: nobody is to notice."""

import zipfile

import pytest

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"
COUNT = 'sys.modules["_pytest_cells_agent.versions"].collector.get_freeze_count()'
CYCLE = "class Node: pass\nnode = Node(); node.me = node"
SHOWN = '__import__("g" + "c")  # whatever the kernel was started with'


@pytest.fixture(params=["on", "off"])
def run(request, cells_project, tmp_path_factory, monkeypatch):
    """Return what runs cells in a kernel that is forked or not; `import many` loads some hundred modules."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    folder = cells_project.path / "many"
    folder.mkdir()
    for number in range(120):
        folder.joinpath(f"part{number}.py").write_text("")
    folder.joinpath("__init__.py").write_text("".join(f"from . import part{number}\n" for number in range(120)))

    def run(*cells):
        cells_project.notebook(NB, *cells)
        result = cells_project.run("--cells-cache=traces", f"--cells-fork-server={request.param}")
        return result.statuses(NB)

    return run


def test_garbage_that_was_set_aside_is_collected_by_those_who_ask(run):
    """A cell that imports gc finds every object, those too that were set aside with the libraries."""
    statuses = run(
        SHOWN,
        f"{CYCLE}\nimport sys, many",
        f"assert {COUNT}",
        "import gc, weakref\nseen = weakref.ref(node)\ndel node\ngc.collect()\nassert seen() is None",
        "assert gc.get_freeze_count() == 0",
    )
    assert ["ok"] * 5 == statuses


def test_file_is_completed_at_the_end(run, cells_project):
    """An archive that only a cycle holds is completed when the kernel ends, although it was set aside."""
    archive = "import zipfile\nnode.file = zipfile.ZipFile('left.zip', 'w')\nnode.file.writestr('a', 'all')"
    assert ["ok"] * 2 == run(f"{CYCLE}\n{archive}\nimport many", "del node")
    with zipfile.ZipFile(cells_project.path / "left.zip") as left:
        assert left.read("a") == b"all"
