"""Cached cells are reported without going through pytest's runner, but never past somebody who has a say in it."""

import json
import re
from collections import Counter

import pytest

pytestmark = pytest.mark.kernel
ALONE = ("-p", "no:randomly", "-p", "no:rerunfailures")
"""Those that are installed here and take part in running every item."""
NB = "nb.ipynb"
CELLS = ["x = 1", "x", "y = x", "y"]
NOTE = """
import pytest
from pathlib import Path

def note(what):
    with Path(__file__).with_name("seen.txt").open("a") as file:
        file.write(what + "\\n")

"""
TAKING_PART = {
    "setup": "def pytest_runtest_setup(item):\n    note(item.name)\n",
    "call": "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_call(item):\n    note(item.name)\n    return (yield)\n",
    "teardown": "def pytest_runtest_teardown(item):\n    note(item.name)\n",
    "report": (
        "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_makereport(item, call):\n"
        "    if call.when == 'call':\n        note(item.name)\n    return (yield)\n"
    ),
    "protocol": "def pytest_runtest_protocol(item):\n    note(item.name)\n",
    "protocol's wrapper": (
        "@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_protocol(item):\n    note(item.name)\n    return (yield)\n"
    ),
    "fixture": "@pytest.fixture(autouse=True)\ndef around(request):\n    note(request.node.name)\n",
    "usefixtures": "@pytest.fixture\ndef around(request):\n    note(request.node.name)\n",
    "lifecycle": (
        "from pytest_cells import Lifecycle\n\nclass Noting(Lifecycle):\n    def setup(self, run):\n"
        "        note(run.cell.label)\n\ndef pytest_cells_lifecycles(notebook): return [Noting()]\n"
    ),
    "start": "def pytest_runtest_logstart(nodeid):\n    note(nodeid.rpartition('::')[2])\n",
    "finish": "def pytest_runtest_logfinish(nodeid):\n    note(nodeid.rpartition('::')[2])\n",
}


@pytest.mark.parametrize("part", TAKING_PART)
def test_whoever_takes_part_is_asked(cells_project, part):
    """Hooks, fixtures and lifecycles see each cell once, cached or not."""
    cells_project.file("conftest.py", NOTE + TAKING_PART[part])
    if part == "usefixtures":
        cells_project.file("pytest.ini", "[pytest]\nusefixtures = around\n")
    cells_project.notebook(NB, *CELLS)
    cells_project.run(*ALONE)
    seen = cells_project.path / "seen.txt"
    first = seen.read_text().split()
    seen.unlink()
    assert ["cached"] * 4 == cells_project.run(*ALONE).statuses(NB)
    assert ["cell-1", "cell-2", "cell-3", "cell-4"] == first == seen.read_text().split()


def test_reports_are_those_of_any_test(cells_project):
    """Each cell has the reports of its three phases, with what is known of it."""
    cells_project.file(
        "conftest.py",
        NOTE + "def pytest_runtest_logreport(report):\n    import json\n"
        "    status = dict(report.user_properties).get('cells.status')\n"
        "    told = [report.nodeid, report.when, report.outcome, status, sorted(report.keywords), report.location[1]]\n"
        "    note(json.dumps(told))\n",
    )
    cells_project.notebook(NB, *CELLS)
    cells_project.run(*ALONE)
    seen = cells_project.path / "seen.txt"
    first = [json.loads(line) for line in seen.read_text().splitlines()]
    seen.unlink()
    cells_project.run(*ALONE)
    second = [json.loads(line) for line in seen.read_text().splitlines()]
    assert {"setup": 4, "call": 4, "teardown": 4} == Counter(when for _, when, *_ in second)
    assert {"cached"} == {status for _, when, _, status, *_ in second if when == "call"}
    assert [[*told[:3], *told[4:]] for told in first] == [[*told[:3], *told[4:]] for told in second]


def test_only_the_runner_is_left_out(cells_project):
    """Without a conftest the cells between the first and the last are taken at once, and the rest is as it was."""
    cells_project.file("conftest.py", NOTE + "def pytest_runtest_logstart(nodeid):\n    note(nodeid)\n")
    cells_project.file("test_other.py", "def test_before():\n    pass\n")
    cells_project.file(
        "deep/test_deep.py",
        "import pytest\n\n@pytest.fixture(scope='module')\ndef it():\n    yield 1\n\ndef test_it(it):\n    pass\n",
    )
    names = ["a.ipynb", "b.ipynb", "deep/c.ipynb"]
    for name in names:
        cells_project.notebook(name, *CELLS)
    cells_project.run(*ALONE)
    for _ in range(2):
        result = cells_project.run(*ALONE)
        assert [["cached"] * 4] * 3 == [result.statuses(name) for name in names]
        assert 0 == result.ret and "2 passed, 12 cached in" in re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    cells_project.notebook("a.ipynb", "x = 1", "x", "y = x + 1", "y")
    edited = cells_project.run(*ALONE)
    assert (["cached", "cached", "ok", "ok"], ["cached"] * 4) == (
        edited.statuses("a.ipynb"),
        edited.statuses("b.ipynb"),
    )


def test_whole_notebooks_are_known_where_nobody_has_a_say(cells_project):
    """From the third run on; what is set up for a package might have a say."""
    cells_project.file(
        "conftest.py",
        NOTE + "def pytest_sessionfinish(session):\n    from pytest_cells.plugin.items import SESSION\n"
        "    for path, run in session.config.stash[SESSION]._runs.items():\n"
        "        note(f'{path.name}={run.known_hits}')\n",
    )
    cells_project.file("pkg/__init__.py", "")
    for number, name in enumerate(["a.ipynb", "b.ipynb", "pkg/c.ipynb"]):  # equal cells would share results
        cells_project.notebook(name, f"x = {number}", *CELLS[1:])
    for _ in range(3):
        cells_project.run(*ALONE)
    seen = cells_project.path.joinpath("seen.txt").read_text().split()
    assert [f"{name}.ipynb=0" for name in "abcabc"] + ["a.ipynb=4", "b.ipynb=4", "c.ipynb=0"] == seen


AROUND = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    print("around", item.name)
    return (yield)
"""
LOOPS = {
    "nobody": ("", True),
    "protocol of another folder": (AROUND, False),
    "loop": ("def pytest_runtestloop(session):\n    return None\n", False),
    "around the loop": (
        AROUND.replace("runtest_protocol(item)", "runtestloop(session)").replace("item.name", "''"),
        True,
    ),
}


@pytest.mark.parametrize("who", LOOPS)
def test_loop_is_left_where_others_take_part(cells_project, who):
    """The hooks of any folder's conftest count: pytest asks them all for each item."""
    conftest, ours = LOOPS[who]
    end = (
        "\nimport pytest\n@pytest.hookimpl(tryfirst=True)\ndef pytest_sessionfinish(session):\n"
        "    print('LOOP', session.config.pluginmanager.get_plugin('pytest_cells_plugin')._loop._ours)\n"
    )
    cells_project.file("other/conftest.py", conftest + end)
    cells_project.file("other/test_it.py", "def test_it():\n    pass\n")
    cells_project.notebook("deep/nb.ipynb", *CELLS)
    for _ in range(2):
        result = cells_project.run(*ALONE, "-s")
        assert 0 == result.ret and f"LOOP {ours}" in result.stdout
    assert ["cached"] * 4 == result.statuses("deep/nb.ipynb")
    assert ("around cell-2" in result.stdout) == (who == "protocol of another folder")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-q",),
        ("-v",),
        ("-vv",),
        ("-o", "log_cli=1"),
        ("-o", "console_output_style=count"),
        ("-o", "verbosity_test_cases=1"),
    ],
)
def test_the_terminal_shows_what_it_would_show(cells_project, options):
    """Also where nobody is told of cells in the midst of a notebook that they begin and end."""
    for name in ("a.ipynb", "deep/b.ipynb"):
        cells_project.notebook(name, *CELLS)
    cells_project.file("deep/test_it.py", "def test_it():\n    pass\n")
    cells_project.notebook("deep/z.ipynb", "z = 1", "z", "# cells: cache=off\nz", "z", "z")
    cells_project.run(*ALONE)
    shown = []
    for hook in ("", "def pytest_runtest_logstart(nodeid): pass", "def pytest_runtest_logfinish(nodeid): pass"):
        cells_project.file("conftest.py", hook)
        lines = cells_project.run(*ALONE, *options).stdout.splitlines()
        shown.append([line for line in lines if re.search(r"\.ipynb|\.py|\d%|/\d+\]|^[c.]+$", line)])
    assert shown[0] == shown[1] == shown[2]
    assert "ccc" in "".join(shown[0]) or "CACHED" in "".join(shown[0])


def test_facts_are_plain_where_somebody_looks_back(cells_project):
    """A hook at the session's end finds the same on all reports of cached cells."""
    cells_project.file(
        "conftest.py",
        "def pytest_sessionfinish(session):\n"
        "    reports = session.config.pluginmanager.get_plugin('terminalreporter').stats['cached']\n"
        "    print('FOUND', [report.cells['result']['status'] for report in reports])\n",
    )
    cells_project.notebook(NB, *CELLS)
    cells_project.path.joinpath("conftest.py").rename(cells_project.path / "later.py")
    cells_project.run(*ALONE)
    cells_project.path.joinpath("later.py").rename(cells_project.path / "conftest.py")
    assert "FOUND ['cached', 'cached', 'cached', 'cached']" in cells_project.run(*ALONE, "-s").stdout


def test_without_a_terminal(cells_project):
    """Nothing is shown, and nothing is lost."""
    cells_project.notebook(NB, *CELLS)
    for status in ("ok", "cached", "cached"):
        assert [status] * 4 == cells_project.run(*ALONE, "-p", "no:terminal").statuses(NB)


def test_loop_ends_early(cells_project):
    """A first failure ends the session under -x, between two cached notebooks too; so does whoever asks to stop."""
    cells_project.notebook("a.ipynb", *CELLS)
    cells_project.notebook("b.ipynb", "assert False")
    cells_project.notebook("c.ipynb", "z = 1", "z")
    cells_project.run(*ALONE)
    result = cells_project.run(*ALONE, "-x")
    assert "stopping after 1 failures" in result.stdout and "4 cached" in result.stdout
    assert ["skipped", "skipped"] == result.statuses("c.ipynb")
    cells_project.file(
        "conftest.py",
        "sessions = []\n\ndef pytest_sessionstart(session):\n    sessions.append(session)\n\n"
        "def pytest_runtest_logstart(nodeid):\n    if nodeid.endswith('cell-3'):\n"
        "        sessions[0].shouldstop = 'enough'\n",
    )
    assert ["cached"] * 3 + ["skipped"] == cells_project.run(*ALONE).statuses("a.ipynb")


def test_package_that_cannot_be_set_up(cells_project):
    """Pytest imports a package's `__init__.py` before its items: where that fails no cell passes, cached or not."""
    name = "pkg/inner/nb.ipynb"
    cells_project.notebook("a.ipynb", *CELLS)  # the session's first cell is always set up
    cells_project.file("pkg/__init__.py", "")
    cells_project.notebook(name, *CELLS)
    for status in ("ok", "cached", "cached"):
        assert [status] * 4 == cells_project.run(*ALONE).statuses(name)
    cells_project.file("pkg/__init__.py", "raise ValueError('broken')")
    result = cells_project.run(*ALONE)
    assert (["cached"] * 4, ["error"] * 4) == (result.statuses("a.ipynb"), result.statuses(name))


def test_hooks_that_fail(cells_project):
    """An error of a conftest's hook is the cell's, also where the cell might have been taken at once."""
    cells_project.file(
        "conftest.py",
        "def pytest_cells_setup_code(notebook):\n    if notebook.path.name == 'b.ipynb':\n"
        "        raise RuntimeError('no setup here')\n",
    )
    cells_project.notebook("a.ipynb", *CELLS)
    cells_project.notebook("b.ipynb", *CELLS)
    result = cells_project.run(*ALONE)
    assert (["ok"] * 4, ["error"] * 4) == (
        result.statuses("a.ipynb"),
        result.statuses("b.ipynb"),
    )
    assert "RuntimeError: no setup here" in result.stdout
    assert "INTERNALERROR" not in result.stdout


@pytest.mark.parametrize("option", ["--junitxml=told.xml", "--durations=0"])
def test_whoever_wants_the_phases_is_told(cells_project, option):
    """A report of all phases has the same entries for cells that are executed, cached, and known to be cached."""
    cells_project.notebook(NB, *CELLS)
    told = []
    for statuses in (["ok"] * 4, ["cached"] * 4, ["cached"] * 4):
        result = cells_project.run(*ALONE, option, "-vv")
        assert statuses == result.statuses(NB)
        kept = cells_project.path / "told.xml"
        text = kept.read_text() if kept.exists() else result.stdout
        told.append(
            sorted(re.findall(r'testcase classname="\S+" name="\S+"|name="cells\.\w+"|s (?:setup|call) .*', text))
        )
    assert len(told[0]) >= 8
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("how", ["fixture", "logreport", "protocol"])
def test_what_a_conftest_does_between_cells_is_seen(cells_project, how):
    """A file that changes while the notebook is under way is read as it is when the cell's turn comes."""
    act = "Path('data.txt').write_text(os.environ.get('DATA', 'a'))\n"
    hooks = {
        "fixture": f"@pytest.fixture(autouse=True)\ndef act(request):\n    if 'cell-2' in request.node.name: {act}",
        "logreport": f"def pytest_runtest_logreport(report):\n    if 'cell-1' in report.nodeid: {act}",
        "protocol": f"@pytest.hookimpl(wrapper=True)\ndef pytest_runtest_protocol():\n    {act}    return (yield)\n",
    }
    cells_project.file("conftest.py", f"import os\nimport pytest\nfrom pathlib import Path\n\n{hooks[how]}")
    cells_project.file("data.txt", "a")
    cells_project.notebook("a.ipynb", "1")
    cells_project.notebook(
        NB, "x = 1", "with open('data.txt') as file:\n    text = file.read()\nassert text == 'a'", "x"
    )
    for _ in range(3):
        cells_project.run(*ALONE)
    cells_project.file("data.txt", "a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATA", "b")
        assert "error" == cells_project.run(*ALONE).statuses(NB)[1]
