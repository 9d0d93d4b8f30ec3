"""Libraries are set aside from Python's garbage collector in a kernel that is observed: nobody is to notice."""

import pytest

pytestmark = pytest.mark.kernel
pytest.importorskip("pandas")
NB = "nb.ipynb"
COLLECTOR = 'sys.modules["_pytest_cells_agent.versions"].collector'
COUNT = f"{COLLECTOR}.get_freeze_count()"
CYCLE = "class Node: pass\nnode = Node(); node.me = node"
COLLECTED = """
def collected(space):
    import gc, weakref
    seen = weakref.ref(space.pop("node"))
    gc.collect()
    return seen() is None
"""


@pytest.fixture(params=["on", "off"])
def run(request, cells_project, tmp_path_factory, monkeypatch):
    """Return what runs cells in a kernel that is forked or not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))

    def run(*cells, forced=True):
        cells_project.notebook(NB, *cells)
        arguments = ["--cells-cache=traces", f"--cells-fork-server={request.param}"]
        return cells_project.run(*arguments, *(["--cells-force"] if forced else [])).statuses(NB)

    return run


def test_set_aside_until_somebody_names_the_collector(run):
    """A cell that imports gc finds nothing that is set aside."""
    cells = ["import sys\nimport pandas", f"assert {COUNT}", "import gc\nassert gc.get_freeze_count() == 0"]
    assert ["ok"] * 3 == run(*cells)


def test_shown_to_who_lists_objects(run):
    """Whatever way they were called."""
    cells = ["import sys\nimport pandas", f"found = len({COLLECTOR}.get_objects())\nassert {COUNT} == 0"]
    assert ["ok"] * 2 == run(*cells)


@pytest.mark.parametrize("above", [CYCLE, f"import sys\n{CYCLE}"])
def test_nothing_of_the_notebook_s_own(run, cells_project, above):
    """A library that collects finds what the notebook has given up, also where it was there before an import."""
    cells_project.file("leaks.py", COLLECTED)
    cells = [f"{above}\nimport pandas", "import leaks\nassert leaks.collected(globals())"]
    assert ["ok"] * 2 == run(*cells)


def test_nothing_of_a_module_of_the_project(run, cells_project):
    """As in the notebook itself."""
    cells_project.file("leaks.py", f"{CYCLE}\nimport pandas\n{COLLECTED}")
    assert ["ok"] * 2 == run("import leaks", "assert leaks.collected(vars(leaks))")


def test_nothing_that_was_brought_back(run, cells_project):
    """What a snapshot or the cells above give is the notebook's own."""
    cells_project.file("leaks.py", COLLECTED)
    cells = [CYCLE, "import pandas", "import leaks\nassert leaks.collected(globals())"]
    assert ["ok"] * 3 == run(*cells)
    assert ["cached", "ok", "ok"] == run(cells[0], "import pandas, sys", f"{cells[2]}  # again\nx = 1", forced=False)
