"""Selecting, ordering and stopping, as a user of pytest expects it."""

from importlib.util import find_spec

import pytest

from pytest_cells.testing import code

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"
CHAIN = [code("x = 1", id="one"), code("# cells: name=two\nx += 1", id="b"), code("assert x == 2", id="three")]


@pytest.fixture
def chain(cells_project):
    """Lend a project with one notebook, each of whose cells needs those above."""
    cells_project.notebook(NB, *CHAIN)
    return cells_project


def test_node_ids(chain):
    """A cell is called by its name, else by its id."""
    result = chain.run("--collect-only", "-q")
    result.result.stdout.fnmatch_lines(["nb.ipynb::one", "nb.ipynb::two", "nb.ipynb::three"])
    assert 0 == chain.run("--collect-only").ret


def test_ids_without_nbformat_ids(cells_project):
    """Cells without an id are counted, code cells only, from 1."""
    cells_project.notebook(NB, "a = 1", "a", minor=2)
    result = cells_project.run("--collect-only", "-q")
    result.result.stdout.fnmatch_lines(["nb.ipynb::cell-1", "nb.ipynb::cell-2"])


def test_collect_only_starts_nothing(chain):
    """Collecting neither starts a kernel nor writes a result."""
    chain.run("--collect-only")
    assert [] == list((chain.path / ".pytest_cache").rglob("*.trace"))


@pytest.mark.parametrize("args", [["nb.ipynb::three"], ["-k", "three"], ["--deselect", "nb.ipynb::one", "-k", "three"]])
def test_one_cell_alone(chain, args):
    """A selected cell finds the state of a full run; what it needs is replayed and not reported."""
    result = chain.run(*args)
    assert "ok" == result.cell(NB, 2).status
    assert ["skipped", "skipped"] == result.statuses(NB)[:2]
    result.result.assert_outcomes(passed=1, deselected=0 if "::" in args[0] else 2)


def test_one_cell_alone_fails_as_in_a_full_run(cells_project):
    """A selected cell that fails in a full run fails alone."""
    cells_project.notebook(NB, "x = 1", "assert x == 2")
    alone = cells_project.run("nb.ipynb::cell-2")
    full = cells_project.run("--cells-force")
    assert alone.cell(NB, 1).error == full.cell(NB, 1).error


def test_one_cell_alone_whose_prerequisite_fails(cells_project):
    """The failing prerequisite is named, with its error."""
    cells_project.notebook(NB, "1/0", "x = 1")
    result = cells_project.run("nb.ipynb::cell-2")
    assert "prerequisite cell cell-1 failed: ZeroDivisionError: division by zero" in result.stdout


def test_one_cell_alone_hits(chain):
    """A cell that passed in a full run is cached when it is selected alone."""
    chain.run()
    result = chain.run("nb.ipynb::three")
    assert ("cached", 0) == (result.cell(NB, 2).status, result.kernels)


def test_unknown_cell(chain):
    """A cell that is not there is pytest's own usage error."""
    assert 4 == chain.run("nb.ipynb::nope").ret


def test_last_failed(cells_project):
    """`--lf` runs the failed cell with what it needs; once it is mended it passes."""
    cells_project.notebook(NB, "x = 1", "assert x == 2", "y = 1")
    assert ["ok", "error", "skipped"] == cells_project.run().statuses(NB)
    again = cells_project.run("--lf")
    assert ["skipped", "error", "skipped"] == again.statuses(NB)
    again.result.assert_outcomes(failed=1)
    cells_project.notebook(NB, "x = 1", "assert x == 1", "y = 1")
    cells_project.run("--lf").result.assert_outcomes(passed=1)


def test_failed_first_keeps_the_order_of_cells(cells_project):
    """`--ff` moves the notebook that failed to the front, and leaves its cells in order."""
    cells_project.notebook("a.ipynb", "a = 1")
    cells_project.notebook("b.ipynb", "x = 1", "assert x == 2")
    cells_project.run()
    result = cells_project.run("--ff", "--collect-only", "-q")
    result.result.stdout.fnmatch_lines(["b.ipynb::cell-1", "b.ipynb::cell-2", "a.ipynb::cell-1"])


def test_stepwise(cells_project):
    """`--sw` stops at the failure and goes on from it once it is mended."""
    cells_project.notebook(NB, "x = 1", "assert x == 2", "y = 1")
    assert ["ok", "error", "skipped"] == cells_project.run("--sw").statuses(NB)
    cells_project.notebook(NB, "x = 1", "assert x == 1", "y = 1")
    assert ["skipped", "ok", "ok"] == cells_project.run("--sw").statuses(NB)


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_stop_at_the_first_failure(cells_project, option):
    """The session stops, and the report lists what was not reached."""
    cells_project.notebook("a.ipynb", "1/0", "x = 1")
    cells_project.notebook("b.ipynb", "y = 1")
    result = cells_project.run(option)
    assert ["error", "skipped"] == result.statuses("a.ipynb")
    assert ["skipped"] == result.statuses("b.ipynb")
    result.result.assert_outcomes(failed=1)


def test_marks_from_tags(cells_project):
    """Every tag is a mark, also under --strict-markers, and a word for -k."""
    cells_project.notebook(NB, code("x = 1", tags=("slow", "hide-input")), "y = 1")
    marked = cells_project.run("-m", "slow", "--strict-markers")
    assert ["ok", "skipped"] == marked.statuses(NB)
    assert ["skipped", "ok"] == cells_project.run("-m", "not slow").statuses(NB)
    assert ["cached", "skipped"] == cells_project.run("-k", "slow").statuses(NB)


def test_reordered_items(cells_project):
    """Whatever another plugin does to the order, a notebook's cells stay together and in order."""
    cells_project.file(
        "conftest.py",
        "def pytest_collection_modifyitems(items):\n    items.reverse()\n    items[:] = items[::2] + items[1::2]\n",
    )
    cells_project.notebook("a.ipynb", "x = 0", "x += 1", "x += 1", "assert x == 2")
    cells_project.notebook("b.ipynb", "x = 0.0", "x += 2", "assert x == 2")
    result = cells_project.run()
    assert (["ok"] * 4, ["ok"] * 3) == (result.statuses("a.ipynb"), result.statuses("b.ipynb"))
    assert 2 == result.kernels


@pytest.mark.skipif(find_spec("pytest_randomly") is None, reason="needs pytest-randomly")
def test_pytest_randomly(cells_project):
    """With pytest-randomly at work the cells of a notebook stay in order."""
    for name in ("a", "b", "c"):
        cells_project.notebook(f"{name}.ipynb", "x = 0", "x += 1", "assert x == 1")
    result = cells_project.pytester.runpytest_subprocess("--cells", "-p", "randomly", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=9)


@pytest.mark.skipif(find_spec("pytest_rerunfailures") is None, reason="needs pytest-rerunfailures")
def test_a_cell_again(cells_project):
    """A cell that is executed again (pytest-rerunfailures) starts from a fresh kernel."""
    flaky = "import pathlib\nn = pathlib.Path('n')\nn.write_text(n.read_text() + '+' if n.exists() else '+')\n"
    cells_project.notebook(NB, "x = 1", flaky + "x += 1\nassert x == 2 and len(n.read_text()) > 1")
    result = cells_project.run("--reruns=1", "-p", "rerunfailures")
    assert (["ok", "ok"], 2) == (result.statuses(NB), result.kernels)


def test_durations(chain):
    """`--durations` lists cells."""
    chain.run("--durations=0", "-vv").result.stdout.fnmatch_lines(["*call*nb.ipynb::one*"])


def test_files(cells_project):
    """The globs of `cells_files` decide what is collected, and checkpoints never are."""
    cells_project.notebook("test_a.ipynb", "a = 1")
    cells_project.notebook("other.ipynb", "b = 1")
    cells_project.notebook("docs/c.ipynb", "c = 1")
    cells_project.notebook(".ipynb_checkpoints/test_a-checkpoint.ipynb", "a = 1")
    cells_project.pytester.makeini("[pytest]\ncells_files = test_*.ipynb docs/*.ipynb\n")
    result = cells_project.run()
    assert ["docs/c.ipynb", "test_a.ipynb"] == [run.notebook for run in result.report.runs]
    assert 4 == cells_project.run(".ipynb_checkpoints/test_a-checkpoint.ipynb").ret


def test_without_the_option(chain):
    """Notebooks are left alone unless they are asked for."""
    result = chain.pytest()
    assert 5 == result.ret


def test_broken_files_and_the_others(cells_project):
    """A file that cannot be read is one clear error; with --continue-on-collection-errors the others run."""
    cells_project.file("broken.ipynb", '{"cells": [')
    cells_project.notebook("good.ipynb", "x = 1")
    result = cells_project.run("--continue-on-collection-errors")
    assert ["ok"] == result.statuses("good.ipynb")
    assert "broken.ipynb: is not JSON" in result.stdout
    assert "Traceback" not in result.stdout
    assert "error" == result.report.status
    result.result.assert_outcomes(passed=1, errors=1)


def test_ordinary_tests_beside_notebooks(cells_project):
    """Ordinary tests run as ever."""
    cells_project.file("test_plain.py", "def test_it(): pass\n")
    cells_project.notebook(NB, "x = 1")
    cells_project.run().result.assert_outcomes(passed=2)


def test_skip_added_by_a_conftest(cells_project):
    """A cell that a conftest skips is not executed for the cells below either."""
    cells_project.file(
        "conftest.py",
        "import pytest\n\ndef pytest_collection_modifyitems(items):\n"
        "    items[1].add_marker(pytest.mark.skip(reason='no GPU'))\n",
    )
    cells_project.notebook(NB, "x = 1", "raise SystemExit", "assert x == 1")
    result = cells_project.run()
    assert ["ok", "skipped", "ok"] == result.statuses(NB)
    assert "no GPU" == result.cell(NB, 1).reason
    assert ["cached", "skipped", "cached"] == cells_project.run().statuses(NB)


def test_skip_added_by_a_conftest_to_a_cell_that_is_not_selected(cells_project):
    """Marks count for cells that are replayed, too."""
    cells_project.file(
        "conftest.py",
        "import pytest\n\ndef pytest_collection_modifyitems(items):\n"
        "    items[0].add_marker(pytest.mark.skip(reason='no GPU'))\n"
        "    items[1].add_marker(pytest.mark.xfail)\n",
    )
    cells_project.notebook(NB, "raise SystemExit", "x = 1\n1/0", "# cells: name=last\nassert x == 1")
    cells_project.run("-k", "last").result.assert_outcomes(passed=1, deselected=2)


def test_prerequisite_that_skips_itself(cells_project):
    """A selected cell whose prerequisite skips itself is skipped, as in a full run."""
    cells_project.notebook(NB, "import unittest\nraise unittest.SkipTest('no GPU')", "x = 1")
    result = cells_project.run("nb.ipynb::cell-2")
    result.result.assert_outcomes(skipped=1)
    assert "needs cell cell-1, which was skipped" == result.cell(NB, 1).reason


def test_kernel_that_dies_in_a_replay(cells_project):
    """A death while state is brought back is tried again, as one in a full run is."""
    die = "import pathlib, os\nif not pathlib.Path('ok').exists():\n"
    die += "    pathlib.Path('ok').touch()\n    os._exit(1)"
    cells_project.notebook(NB, die, "x = 1")
    assert ["skipped", "ok"] == cells_project.run("nb.ipynb::cell-2").statuses(NB)


def test_dependencies_in_a_folder_with_brackets(cells_project):
    """The notebook's own folder is no pattern."""
    cells_project.file("d [v1]/a.csv", "1")
    cells_project.notebook("d [v1]/nb.ipynb", "# cells: deps=*.csv\nx = 1")
    cells_project.run().result.assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["function", "class", "module", "package", "session"])
def test_autouse_fixtures_of_every_scope(cells_project, scope):
    """Autouse fixtures of a conftest set up and tear down around cells, whatever their scope."""
    fixture = f"@pytest.fixture(autouse=True, scope={scope!r})\ndef f():\n    yield\n"
    cells_project.file("conftest.py", "import pytest\n" + fixture)
    cells_project.notebook(NB, "x = 1")
    cells_project.run().result.assert_outcomes(passed=1)


def test_xfail_with_an_error(cells_project):
    """`xfail(raises=…)` of a conftest is matched by the cell's own error."""
    mark = "import pytest\ndef pytest_collection_modifyitems(items):\n"
    mark += "    for item in items: item.add_marker(pytest.mark.xfail(raises=LookupError))\n"
    cells_project.file("conftest.py", mark)
    cells_project.notebook("a.ipynb", "{}['a']")
    cells_project.notebook("b.ipynb", "1/0")
    cells_project.run().result.assert_outcomes(xfailed=1, failed=1)


def test_teardown_that_fails(cells_project):
    """What pytest calls a failure is one in the report, whatever the cell did."""
    fixture = "import pytest\n@pytest.fixture(autouse=True)\ndef f():\n    yield\n    raise OSError('left open')\n"
    cells_project.file("conftest.py", fixture)
    cells_project.notebook(NB, "x = 1")
    result = cells_project.run()
    assert (1, "error", ["error"]) == (result.ret, result.report.status, result.statuses(NB))


def test_ids_that_look_like_ours(cells_project):
    """A cell without an id takes none that another cell has."""
    cells_project.notebook(NB, code("x = 1", id="cell-2"), "x")
    result = cells_project.run()
    assert ["cell-2", "cell-2_"] == [cell.cell_id for cell in result.run(NB).cell_results]
