"""What cells ask for, seen from outside."""

import pytest

from pytest_cells.testing import code

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        (code("1/0", tags=("raises-exception",)), "ok"),
        (code("x = 1", tags=("raises-exception",)), "error"),
        ("# cells: raises=ZeroDivisionError\n1/0", "ok"),
        ("# cells: raises=ArithmeticError\n1/0", "ok"),
        ("# cells: raises=KeyError\n1/0", "error"),
        ("# cells: raises match='by z.ro'\n1/0", "ok"),
        ("# cells: raises match='by one'\n1/0", "error"),
        (code("raise ValueError('a')", pytest_cells={"raises": {"type": "ValueError", "match": "a"}}), "ok"),
        ("# cells: raises\nexit()", "error"),
    ],
    ids=["tag", "tag-nothing", "type", "base", "other-type", "match", "no-match", "metadata", "exit"],
)
def test_raises(cells_project, cell, status):
    """An expected error passes; none, another or another message fails."""
    cells_project.notebook(NB, cell)
    assert [status] == cells_project.run().statuses(NB)


def test_raises_lets_the_notebook_go_on(cells_project):
    """After an expected error the cells below run, and hit in the next run."""
    cells_project.notebook(NB, "x = 1", "# cells: raises\nx = 2\n1/0", "assert x == 2")
    assert ["ok"] * 3 == cells_project.run().statuses(NB)
    assert ["cached"] * 3 == cells_project.run().statuses(NB)


def test_skips(cells_project):
    """A skipped cell has its reason, is not executed, and is no part of what is below it."""
    cells = [code("x = 1"), code("# cells: skip='no data'\nx = 2"), code("x = 3", tags=("skip-execution",))]
    cells_project.notebook(NB, *cells, "assert x == 1")
    result = cells_project.run("-rs")
    assert ["ok", "skipped", "skipped", "ok"] == result.statuses(NB)
    assert "no data" == result.cell(NB, 1).reason
    assert "no data" in result.stdout
    assert 1 == result.kernels


def test_skip_from_inside(cells_project):
    """A cell may skip itself; what is below it needs it, and is skipped with that reason."""
    cells_project.notebook(NB, "import unittest\nraise unittest.SkipTest('no GPU')", "x = 1")
    result = cells_project.run()
    assert ["skipped", "skipped"] == result.statuses(NB)
    assert ["no GPU", "needs cell cell-1, which was skipped"] == [cell.reason for cell in result.run(NB).cell_results]


def test_xfail(cells_project):
    """An expected failure is pytest's xfail; the cells below go on."""
    cells_project.notebook(NB, "x = 1", "# cells: xfail='known bug'\n1/0", "assert x == 1")
    result = cells_project.run()
    result.result.assert_outcomes(passed=2, xfailed=1)
    assert ["ok", "skipped", "ok"] == result.statuses(NB)
    assert "ok" == result.report.status


def test_xfail_that_passes(cells_project):
    """An expected failure that passes is pytest's xpass."""
    cells_project.notebook(NB, "# cells: xfail='known bug'\nx = 1")
    cells_project.run().result.assert_outcomes(xpassed=1)


def test_runxfail(cells_project):
    """`--runxfail` reports the failure."""
    cells_project.notebook(NB, "# cells: xfail\n1/0")
    cells_project.run("--runxfail").result.assert_outcomes(failed=1)


def test_timeout(cells_project):
    """A cell's own timeout counts; the failure shows the line that was running."""
    cells_project.notebook(NB, "import time", "# cells: timeout=0.5\nx = 1\ntime.sleep(30)", "x")
    result = cells_project.run()
    assert ["ok", "error", "skipped"] == result.statuses(NB)
    assert ("CellTimeout", 3) == (result.cell(NB, 1).error.ename, result.cell(NB, 1).line)
    assert "the cell took longer than 0.5 s" in result.stdout


def test_timeout_of_a_cell_that_ignores_the_interrupt(cells_project):
    """A cell that swallows the interrupt is killed with its kernel."""
    stubborn = "import time\nwhile True:\n    try: time.sleep(30)\n    except KeyboardInterrupt: pass"
    cells_project.notebook(NB, stubborn)
    result = cells_project.run("--cells-timeout=0.5")
    assert ["error"] == result.statuses(NB)
    assert "ignored the interrupt" in result.stdout


@pytest.mark.parametrize("seconds", ["0", "0.0"])
def test_no_timeout(cells_project, seconds):
    """A timeout of 0 is none."""
    cells_project.notebook(NB, "import time\ntime.sleep(0.2)")
    assert ["ok"] == cells_project.run(f"--cells-timeout={seconds}").statuses(NB)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("# cells: timeuot=3\nx", "did you mean 'timeout'?"),
        (code("x", pytest_cells={"nme": "a"}), "did you mean 'name'?"),
        (code("x", tags=("cells:skpi",)), "did you mean 'skip'?"),
        (code("x", tags=("timeuot:3",)), "did you mean 'timeout'?"),
        ("# cells: timeout=soon\nx", "expected seconds"),
        ("# cells: name='a b'\nx", "found name 'a b'"),
    ],
)
def test_misspelt_directives(cells_project, cell, told):
    """What cannot be understood is a collection error naming notebook, cell and place."""
    cells_project.notebook(NB, cell)
    result = cells_project.run()
    assert 2 == result.ret
    assert told in result.stdout
    assert "nb.ipynb, cell 1 (cell-1)" in result.stdout


def test_duplicate_names(cells_project):
    """Two cells of one name are a collection error naming both."""
    cells_project.notebook(NB, "# cells: name=a\nx = 1", "# cells: name=a\ny = 1")
    result = cells_project.run()
    assert 2 == result.ret
    assert "the name 'a' is taken by cell 1" in result.stdout


@pytest.mark.parametrize("rung", ["traces", "chain"])
def test_declared_outputs_are_put_back(cells_project, rung):
    """What a cell declares that it writes comes back with a hit, wherever it is and whoever wrote it."""
    write = (
        "import subprocess\nsubprocess.run('mkdir -p out/deep; echo 1 > out/deep/a.txt; echo 2 > b.txt', shell=True)"
    )
    cells_project.notebook(NB, f"# cells: outputs='out b.*'\n{write};", "assert open('b.txt').read() == '2\\n'")
    assert ["ok", "ok"] == cells_project.run(f"--cells-cache={rung}").statuses(NB)
    found = [cells_project.path / "out" / "deep" / "a.txt", cells_project.path / "b.txt"]
    for path in found:
        path.unlink()
    result = cells_project.run(f"--cells-cache={rung}")
    assert ["cached", "cached"] == result.statuses(NB)
    assert "put back b.txt, out/deep/a.txt" in result.cell(NB, 0).reason
    assert ["1\n", "2\n"] == [path.read_text() for path in found]


def test_declared_output_that_is_not_written(cells_project):
    """A cell that does not write what it declares fails, and says which file and where it was looked for."""
    cells_project.notebook("sub/nb.ipynb", "# cells: outputs='a.txt plots/*.png'\nopen('a.txt', 'w').close()")
    for _ in range(2):
        error = cells_project.run().cell("sub/nb.ipynb", 0).error
        assert "OutputsError" == error.ename
        assert "cell cell-1 declares outputs=plots/*.png, and there is no such file after it" in error.evalue


def test_outputs_of_an_equal_notebook_elsewhere(cells_project):
    """A result of another folder's notebook is none where outputs are declared: they are relative to that folder."""
    cells_project.pytester.makeini("[pytest]\ncells_cwd = rootdir\n")
    cells_project.file("a/keep", "")
    for folder in "ab":
        cells_project.notebook(f"{folder}/nb.ipynb", "# cells: outputs=out.txt\nopen('a/out.txt', 'w').close()")
    assert ["ok"] == cells_project.run("a").statuses("a/nb.ipynb")
    assert ["error"] == cells_project.run("b").statuses("b/nb.ipynb")


def test_outputs_that_are_declared_later(cells_project):
    """A result that was stored without its outputs is none for a cell that declares them."""
    write = "open('a.txt', 'w').write('1');"
    cells_project.notebook(NB, write)
    cells_project.run()
    cells_project.notebook(NB, code(write, pytest_cells={"outputs": ["a.txt"]}))
    assert ["ok"] == cells_project.run().statuses(NB)
    assert ["cached"] == cells_project.run().statuses(NB)


@pytest.mark.parametrize(("directive", "below"), [("# cells: pure", "cached"), ("# ordinary", "ok")])
def test_pure(cells_project, directive, below):
    """A cell that its author answers for is no barrier: it depends on what it reads, and so do those below."""
    call = f"{directive}\nimport subprocess\nsubprocess.run(['true'], check=True)\ny = 2"
    for first in ("x = 1", "x = 10"):
        cells_project.notebook(NB, first, call, "assert y == 2", "assert x")
        result = cells_project.run("--cells-cache=traces")
    assert ["ok", below, below, "ok"] == result.statuses(NB)


def test_pure_cell_still_depends_on_what_it_reads(cells_project):
    """Files and variables that it was seen to read count as for any cell."""
    call = "# cells: pure\nimport subprocess\nsubprocess.run(['cat', 'a.txt'], check=True)\ny = x"
    cells_project.notebook(NB, "x = 1", call, "assert y")
    for text in "ab":
        cells_project.file("a.txt", text)
        result = cells_project.run("--cells-cache=traces")
    assert ["cached", "ok", "cached"] == result.statuses(NB)
