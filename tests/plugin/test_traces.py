"""The traces rung through the plugin: after an edit only what can have changed is executed."""

import json
import shutil

import pytest

from pytest_cells.testing import code

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"
TRACES = "--cells-cache=traces"
UNSEEN = "import operator, time\nask = operator.methodcaller('time_ns')"
"""A clock that is not seen to be one."""


@pytest.fixture(autouse=True)
def _own_key(tmp_path_factory, monkeypatch):
    """Keep the key of snapshots out of the home folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def statuses(cells_project):
    """Run a notebook of some cells and return what became of each."""

    def run(*cells, arguments=()):
        cells_project.notebook(NB, *cells)
        result = cells_project.run(TRACES, *arguments)
        run.result = result
        return result.statuses(NB)

    return run


def test_only_dependent_cells_run(statuses):
    """A changed value reaches the cells that read it, and stops where it makes no difference."""
    assert ["ok"] * 4 == statuses("x = 1", "y = 2", "z = x > 0", "print(y, z)")
    assert ["cached"] * 4 == statuses("x = 1", "y = 2", "z = x > 0", "print(y, z)")
    assert ["ok", "cached", "ok", "cached"] == statuses("x = 5", "y = 2", "z = x > 0", "print(y, z)")
    assert ["ok", "cached", "ok", "ok"] == statuses("x = -5", "y = 2", "z = x > 0", "print(y, z)")
    assert ["cached"] * 4 == statuses("x = 5", "y = 2", "z = x > 0", "print(y, z)")


def test_comments_and_blank_lines_at_the_end(statuses):
    """A comment changes nothing, so no kernel is started."""
    statuses("x = 1  # one", "assert x == 1")
    assert ["cached", "cached"] == statuses("# the first\nx = 1", "assert x == 1  # sure\n\n")
    assert 0 == statuses.result.report.kernels.started


@pytest.mark.parametrize(
    "first", ["import time\nt = time.time_ns()", "# cells: cache=off\nt = 1"], ids=["clock", "cache=off"]
)
def test_value_without_a_digest_of_a_cell_that_always_runs(statuses, first):
    """It may be another in every run, and so what reads it is executed; what does not is cached."""
    cells = [f"{first}\nheld = (v for v in [t])", "assert next(held) != 2", "x = 1"]
    statuses(*cells)
    assert ["ok", "ok", "cached"] == statuses(*cells)


@pytest.mark.parametrize("nothing", ["", code("x = 0", tags=["skip-execution"]), "# cells: skip\nx = 0"])
def test_cells_that_execute_nothing(statuses, nothing):
    """What is blank or skipped brings nothing back to a kernel that lacks nothing, so no other one is started."""
    statuses("x = 1", nothing, "import json\njson.X = x", "assert x == 1")
    assert 1 == statuses.result.report.kernels.started


def test_one_kernel_for_cells_that_always_run(statuses):
    """It is given at once what all of them need, and what is below them."""
    cells = ["a = 1", "b = 2", "c = 3", "import time\nt = time.time() + a", "d = 4", "print(t + b + d)", "print(c)"]
    statuses(*cells)
    assert ["cached"] * 3 + ["ok", "cached", "ok", "cached"] == statuses(*cells)
    assert 1 == statuses.result.report.kernels.started
    saved = [bool(statuses.result.cell(NB, index).saved_ms) for index in range(7)]
    assert [False, False, True, False, False, False, True] == saved


def test_one_kernel_for_edited_cells(statuses):
    """It is given at once what all of those need that are going to be run, and nothing for those that are not."""
    made = [code("a = 1", id="first"), code("b = 2", id="second")]
    statuses(*made, code("print(a)", id="third"), code("print(b)", id="fourth"))
    assert ["cached", "cached", "ok", "ok"] == statuses(
        *made, code("print(-a)", id="third"), code("print(-b)", id="fourth")
    )
    assert 1 == statuses.result.report.kernels.started
    edited = [*made, code("print(a + 1)", id="third"), code("print(b + 1)", id="fourth")]
    assert ["skipped", "cached", "ok", "skipped"] == statuses(*edited, arguments=["-k", "second or third"])
    assert statuses.result.cell(NB, 1).saved_ms


def test_one_kernel_for_what_an_edit_reaches(statuses, monkeypatch):
    """What cells below will probably need is given at once, unless that takes long: an edit may change nothing."""
    cells = ["b = 2", "a = 1", "print(a + b)"]
    statuses(*cells)
    assert ["cached", "ok", "ok"] == statuses("b = 2", "a = 3", "print(a + b)")
    assert 1 == statuses.result.report.kernels.started
    monkeypatch.setattr("pytest_cells.tracing.kernel.LITTLE_MS", 0)
    assert ["cached", "ok", "ok"] == statuses("b = 2", "a = 4", "print(a + b)")
    assert 2 == statuses.result.report.kernels.started


def test_state_comes_back_without_what_is_not_needed(statuses):
    """An edited cell finds what it needs, and slow cells that it does not need are not executed again."""
    cells = ["a = [1, 2]", "b = a", "import os\nloud = os.environ.get('NONE')", "b.append(3)", "assert a == [1, 2, 3]"]
    statuses(*cells)
    cells[4] = "assert a is b and a == [1, 2, 3], a"
    assert ["cached"] * 4 + ["ok"] == statuses(*cells)


def test_a_failure_is_confirmed_in_a_kernel_that_holds_everything(statuses):
    """A cell that fails where state was brought back is executed again after all cells above it."""
    cells = ["import json", "x = 1", "assert x == 1"]
    statuses(*cells)
    cells[2] = "assert x == 2, json.dumps(sorted(n for n in ('x', 'json')))"
    assert ["cached", "cached", "error"] == statuses(*cells)
    assert "AssertionError" == statuses.result.cell(NB, 2).error.ename


def test_changed_data_file(cells_project, statuses):
    """A file that a cell read is part of what it depends on, without any declaration."""
    cells_project.file("data.txt", "1")
    cells = ["x = open('data.txt').read()", "y = 2", "print(x)"]
    statuses(*cells)
    cells_project.file("data.txt", "2")
    assert ["ok", "cached", "ok"] == statuses(*cells)


def test_file_that_was_absent(cells_project, statuses):
    """That a file was not there is part of it too."""
    cells = ["import os\nthere = os.path.exists('flag')", "print(there)"]
    statuses(*cells)
    assert ["cached", "cached"] == statuses(*cells)
    cells_project.file("flag", "")
    assert ["ok", "ok"] == statuses(*cells)


def test_changed_environment_variable(monkeypatch, statuses):
    """A variable of the environment that a cell read is part of what it depends on."""
    monkeypatch.setenv("TESTED_LEVEL", "1")
    cells = ["import os\nlevel = os.environ['TESTED_LEVEL']", "x = 1", "print(level)"]
    statuses(*cells)
    monkeypatch.setenv("TESTED_LEVEL", "2")
    assert ["ok", "cached", "ok"] == statuses(*cells)


def test_changed_module(cells_project, statuses):
    """A project module is part of the cells that use it."""
    cells_project.file("tested_helpers.py", "def f():\n    return 1\n")
    cells = ["import tested_helpers", "x = 1", "y = tested_helpers.f()", "assert x"]
    statuses(*cells)
    cells_project.file("tested_helpers.py", "def f():\n    return 2\n")
    assert ["ok", "cached", "ok", "cached"] == statuses(*cells)


def test_what_a_cell_leaves_in_a_module(cells_project, statuses):
    """It matters to a cell that reads nothing but what it has imported, and to who asks for what was not there."""
    cells_project.file("tested_state.py", "N = 1\ndef f():\n    return N\n")
    imports = "import tested_state as m"
    cells = [f"{imports}\nx = m.f()", "assert x < 3", "print(getattr(m, 'M', 0))"]
    assert ["ok"] * 5 == statuses(imports, "m.N = 2", *cells)
    assert ["cached", "ok", "ok", "error", "skipped"] == statuses(imports, "m.N = 3", *cells)
    assert ["cached", "cached", "ok", "ok"] == statuses(imports, "m.N = 2", "m.M = 1", cells[2])


def test_unseeded_random_numbers_run_always(statuses):
    """What draws random numbers that nothing has seeded is never taken from the cache; seeded ones are."""
    cells = ["import random", "x = random.random()", "random.seed(3)", "y = random.random()"]
    statuses(*cells)
    assert ["cached", "ok", "cached", "cached"] == statuses(*cells)
    assert "nothing has seeded" in statuses.result.cell(NB, 1).reason


def test_cached_all_the_same(statuses):
    """With cache=on the author answers for what cannot be repeated, and only as long as it stands there."""
    clock = "import datetime\nyear = datetime.date.today().year"
    assert ["ok"] == statuses(f"# cells: cache=on\n{clock}")
    assert ["cached"] == statuses(f"# cells: cache=on\n{clock}")
    assert ["ok"] == statuses(clock)
    assert ["ok"] == statuses(clock)


def test_unknown_effects_make_a_barrier(statuses):
    """What cannot be attributed depends on all above it, and all below depends on it."""
    cells = ["x = 1", "exec('y = x')", "z = 3"]
    statuses(*cells)
    assert ["cached"] * 3 == statuses(*cells)
    assert ["ok", "ok", "ok"] == statuses("x = 2", *cells[1:])


def test_one_cell_by_node_id(cells_project, statuses):
    """A selected cell finds the state of cells that are not selected, and is cached by what it reads."""
    cells_project.notebook(NB, code("x = 1", id="a"), code("y = 2", id="b"), code("print(x)", id="c"))
    cells_project.run(TRACES)
    cells_project.notebook(NB, code("x = 1", id="a"), code("y = 3", id="b"), code("print(x)", id="c"))
    assert "cached" == cells_project.run(TRACES, f"{NB}::c").cell(NB, 2).status
    cells_project.notebook(NB, code("x = 7", id="a"), code("y = 3", id="b"), code("print(x)", id="c"))
    assert "ok" == cells_project.run(TRACES, f"{NB}::c").cell(NB, 2).status


def test_snapshots_bring_back_what_took_long(cells_project, statuses):
    """What took long to make is restored, and only this user's own snapshots are loaded."""
    slow = "import time\ntime.sleep(0.3)\ndata = list(range(1000))"
    statuses(slow, "n = len(data)")
    assert ["cached", "ok"] == statuses(slow, "n = len(data) + 1")
    assert [] == statuses.result.report.runs[0].large_artifacts
    traces = list((cells_project.path / ".pytest_cache/d/cells/traces").rglob("*.trace"))
    assert any(json.loads(path.read_bytes().partition(b"\n")[2])["snapshots"] for path in traces)


def test_damaged_results_are_told_and_made_anew(cells_project, statuses):
    """The reason is that they cannot be read, and not that all that they depended on has changed."""
    cells = ["import os\nx = os.getcwd()", "y = len(x)"]
    statuses(*cells)
    for path in (cells_project.path / ".pytest_cache/d/cells/traces").rglob("*.trace"):
        path.write_bytes(path.read_bytes()[:-1])
    assert ["ok", "ok"] == statuses(*cells)
    told = "no result of this cell is stored; cache entry ignored (truncated or altered entry)"
    assert [told, told] == [statuses.result.cell(NB, index).reason for index in range(2)]
    assert ["cached", "cached"] == statuses(*cells)


SNAPSHOTS = ".pytest_cache/d/cells/tmp/snapshots"
SLOW = "import time\ntime.sleep(0.3)\nslow = list(range(1000))"


def test_where_no_snapshot_can_be_kept_cells_are_cached_all_the_same(cells_project, statuses):
    """What took long is then executed again where a cell below needs it."""
    statuses("x = 1")
    (cells_project.path / SNAPSHOTS).rmdir()
    (cells_project.path / SNAPSHOTS).write_bytes(b"")
    assert ["ok", "ok"] == statuses(SLOW, "assert len(slow) == 1000")
    assert ["cached", "ok"] == statuses(SLOW, "assert len(slow) == 1_000")


def test_where_the_folder_of_snapshots_is_gone_cells_are_observed_all_the_same(statuses):
    """As on a disk that has no room for them."""
    assert ["ok", "ok"] == statuses(f"import shutil\nshutil.rmtree({SNAPSHOTS!r})", SLOW)
    assert "cannot be observed" not in statuses.result.stdout


def test_snapshots_of_somebody_else_are_not_loaded(cells_project, statuses, tmp_path_factory, monkeypatch):
    """With another key the cells above are executed instead."""
    slow = "import time\ntime.sleep(0.3)\ndata = list(range(1000))"
    statuses(slow, "n = len(data)")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("other")))
    assert ["cached", "ok"] == statuses(slow, "n = len(data) + 2")


def test_audit(cells_project, statuses):
    """With --cells-audit hits are executed all the same; one that gives something else fails, and is forgotten."""
    cells = [f"{UNSEEN}\nt = ask(time)", "x = 1"]
    statuses(*cells)
    assert ["cached", "cached"] == statuses(*cells)
    assert ["error", "skipped"] == statuses(*cells, arguments=["--cells-audit=100"])
    assert "AuditDiffers" == statuses.result.cell(NB, 0).error.ename
    assert ["ok", "cached"] == statuses(*cells)


@pytest.mark.parametrize("size", [1, 5000])
def test_audit_of_outputs(cells_project, statuses, size):
    """Outputs are compared, whether they are few and kept beside what the cell read, or many and in a file."""
    cell = f"{UNSEEN}\nprint('asked', ask(time), 'x' * {size})"
    statuses(cell)
    objects = cells_project.path / ".pytest_cache" / "d" / "cells" / "objects"
    assert (size > 4096) == any(b"asked" in path.read_bytes() for path in objects.rglob("*") if path.is_file())
    assert ["cached"] == statuses(cell)
    assert ["error"] == statuses(cell, arguments=["--cells-audit=100"])
    assert "its outputs" in statuses.result.cell(NB, 0).error.evalue


@pytest.mark.parametrize("given", ["-1", "101", "many"])
def test_audit_of_no_percent(cells_project, given):
    """What is no percentage is refused."""
    cells_project.notebook(NB, "x = 1")
    result = cells_project.pytest("--cells", f"--cells-audit={given}")
    assert 4 == result.ret
    assert "--cells-audit" in result.stderr.str()


def test_kernel_that_dies(statuses):
    """A death is a failure of its cell, and cells below go on, with their state brought back."""
    cells = ["x = 1", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "print(x)"]
    assert ["ok", "error", "skipped"] == statuses(*cells)


def test_rung_is_told(cells_project):
    """Header and report say what cached cells depend on."""
    cells_project.notebook(NB, "x = 1")
    result = cells_project.run(TRACES)
    assert "(traces)" in result.stdout
    assert "traces" == result.report.cache.rung


def test_wrong_rung(cells_project):
    """A misspelt rung is refused."""
    cells_project.notebook(NB, "x = 1")
    result = cells_project.pytest("--cells", "--cells-cache=trace")
    assert 4 == result.ret
    assert "expected one of traces, chain, off" in result.stderr.str()


def test_cells_that_cannot_be_observed(statuses):
    """Where the agent fails its cells are executed in every run, and the user is told once."""
    cells = ["import sys\nvars(sys.modules['_pytest_cells_agent.tracer'])['_clock'] = None", "x = 1", "y = x"]
    assert ["ok", "ok", "ok"] == statuses(*cells)
    assert 1 == statuses.result.stdout.count("cells cannot be observed, and are executed in every run (TypeError")
    assert ["ok", "ok", "ok"] == statuses(*cells)


def test_file_that_a_cell_below_overwrites(cells_project, statuses):
    """A cell that is run alone, in a kernel that lacks those above, finds the file as these leave it."""
    write = "P.write_text('{}')"
    cells = ["from pathlib import Path\nP = Path('n.txt')", write.format(0), "n = int(P.read_text())", write.format(7)]
    statuses(*(code(source, id=f"cell{at}") for at, source in enumerate(cells)))
    cells[2] += "\nassert n == 7"
    edited = [code(source, id=f"cell{at}") for at, source in enumerate(cells)]
    assert "error" == statuses(*edited, arguments=["-k", "cell2"])[2]


def test_cell_that_timed_out_as_expected(cells_project, statuses):
    """What a cell that is not observed to its end has read is not known, and what is below is executed."""
    cells_project.file("v.txt", "a")
    slow = "# cells: xfail timeout=1\nval = open('v.txt').read()\nimport time\nwhile True:\n    time.sleep(1)"
    cells = [slow, "val"]
    statuses(*cells)
    assert "ok" == statuses(*cells)[1]


def test_folder_that_is_gone(cells_project, statuses):
    """A folder that a cell made is made again, and its cell not executed; unless a cell below removed it."""
    cells = [
        "import os\nos.makedirs('made/deep', exist_ok=True)",
        "os.makedirs('away', exist_ok=True)",
        "os.rmdir('away')",
    ]
    statuses(*cells)
    shutil.rmtree(cells_project.path / "made")
    assert ["cached"] * 3 == statuses(*cells)
    assert (cells_project.path / "made" / "deep").is_dir()
    assert not (cells_project.path / "away").exists()


@pytest.mark.parametrize(
    "wrong",
    ["import helpers\nassert not helpers.SEEN", "from helpers import SEEN\nassert not SEEN", "assert not seen()"],
    ids=["module", "name", "function"],
)
def test_module_that_is_imported_again(statuses, cells_project, wrong):
    """A module of the project keeps its state: a cell that holds only where it is imported anew fails."""
    cells_project.file("helpers.py", "SEEN = []\n")
    cells = [
        "import helpers\nhelpers.SEEN.append(1)",
        "def seen():\n    import helpers\n    return helpers.SEEN",
        "x = 1",
    ]
    statuses(*cells)
    assert ["cached", "cached", "error"] == statuses(*cells[:2], wrong)
    right = wrong.replace("assert not", "assert [1] ==")
    assert ["cached", "cached", "ok"] == statuses(*cells[:2], right)


def test_replayed_cell_that_does_something_else(statuses):
    """A cell that is executed in every run makes others of those below, also where a fresh kernel needs it again."""
    cells = [
        "b = [5]",
        "import time\nM = [1]\nu = time.time()",
        "a = 4\nc = [a]",
        "import time\nassert a < time.time()",
        "del a",
        "print(b, M, c)",
    ]
    statuses(*cells)
    cells[5] += "\nassert a"
    assert ["cached", "ok", "cached", "ok", "cached", "error"] == statuses(*cells)


@pytest.mark.parametrize("reads", ["'CELLS_SET' not in os.environ", "not [n for n in os.environ if n == 'CELLS_SET']"])
def test_environment_of_a_cell_that_was_not_executed(statuses, reads):
    """A cell that holds only where a variable that a cell above has set is missing fails."""
    cells = ["import os\nos.environ['CELLS_SET'] = '1'", "x = 1", "import os\nx = 2"]
    statuses(*cells)
    assert "error" == statuses(*cells[:2], f"import os\nassert {reads}")[2]


READ = """import sys
shell = get_ipython()
agent = sys.modules[next(name for name in sys.modules if name.startswith('_pytest_cells_agent'))]
observers = [held.cell_contents for held in shell.kernel.init_metadata.__closure__]
tracer = next(found._tracer for found in observers if hasattr(found, '_tracer'))
read = []
def read_ahead(source, really=tracer.read_ahead):
    read.append(source)
    really(source)
    read.append(source in tracer._analysed)
tracer.read_ahead = read_ahead"""


def test_the_next_source_is_read_while_the_kernel_waits(statuses):
    """Also where it is no Python as it stands: that is read when it is executed, since IPython may be asked then."""
    cells = [READ, "first = list(read)", "%precision 3", "", "third = list(read)"]
    checks = [f"assert first == [{cells[1]!r}, True]", f"assert third[2:] == [{cells[2]!r}, False, {cells[4]!r}, True]"]
    assert ["ok", "ok", "ok", "ok", "ok", "ok", "ok"] == statuses(*cells, *checks, arguments=["--cells-force"])


def test_loop_that_tells_what_takes_long_has_nothing_to_tell(statuses):
    """In its debugging mode the event loop logs each call that takes long."""
    debug = "import asyncio\nasyncio.get_running_loop().set_debug(True)"
    cells = [READ, debug, "count = len(read)", "assert len(read) == count == 2"]
    assert ["ok"] * 4 == statuses(*cells, arguments=["--cells-force"])
