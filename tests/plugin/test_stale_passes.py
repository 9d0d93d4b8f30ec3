"""The ways in which other caches were seen to give stale passes and false failures: none of them here.

Each test is a row of a table measured on another tool; a forced run is the truth.
"""

import json
import os
import sys

import pytest

from pytest_cells.testing import code, markdown, notebook_json

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"
CHAIN = ["--cells-cache=chain"]
MUCH_IS_SHOWN = "print('shown' * 2000)"
"""So much that it is kept in a file of its own."""


def rerun(project, *cells, args=()):
    """Write the notebook anew, run it, and check against a forced run."""
    project.notebook(NB, *cells)
    result = project.run(*args)
    return result.statuses(NB)


def test_broken_function_above_an_unchanged_assert(cells_project):
    """An edit of a function fails the unchanged assert below it."""
    assert ["ok", "ok"] == rerun(cells_project, "def f(x): return x * 2", "assert f(3) == 6")
    assert ["ok", "error"] == rerun(cells_project, "def f(x): return x + 2", "assert f(3) == 6")


def test_changed_value_reaches_the_print_below(cells_project):
    """A cell below an edited one is executed again."""
    assert ["ok", "ok"] == rerun(cells_project, "x = 1", "y = x + 1; print(y)")
    assert ["ok", "ok"] == rerun(cells_project, "x = 100", "y = x + 1; print(y)")


def test_identical_cells_on_a_cold_run(cells_project):
    """Two equal cells in one notebook are both executed."""
    cells = ["n = 0", "n += 1", "n += 1", "assert n == 2"]
    assert ["ok"] * 4 == rerun(cells_project, *cells)
    assert ["cached"] * 4 == rerun(cells_project, *cells)


def test_edit_of_the_last_cell_only(cells_project):
    """State from cached cells is there for a cell that must run."""
    assert ["ok", "ok"] == rerun(cells_project, "x = 1", "print(x)")
    assert ["cached", "ok"] == rerun(cells_project, "x = 1", "print(x + 1)")


def test_two_notebooks_with_the_same_first_cell(cells_project):
    """A first cell that another notebook has cached is replayed where its names are needed."""
    cells_project.notebook("a.ipynb", "import math", "assert math.pi > 3")
    cells_project.run("a.ipynb")
    cells_project.notebook("b.ipynb", "import math", "assert math.e > 2")
    assert ["cached", "ok"] == cells_project.run("b.ipynb").statuses("b.ipynb")


def test_same_cells_in_another_folder(cells_project):
    """Another working directory may hold other files: nothing is shared with it."""
    cells_project.file("one/data.txt", "1")
    cells_project.notebook("one/nb.ipynb", "assert open('data.txt').read() == '1'")
    cells_project.notebook("two/nb.ipynb", "assert open('data.txt').read() == '1'")
    assert ["ok"] == cells_project.run("one").statuses("one/nb.ipynb")
    assert ["error"] == cells_project.run("two").statuses("two/nb.ipynb")


def test_deleted_defining_cell(cells_project):
    """Without the cell that defines a name, its use fails."""
    assert ["ok", "ok"] == rerun(cells_project, "x = 1", "print(x)")
    assert ["error"] == rerun(cells_project, "print(x)")


def test_swapped_cells(cells_project):
    """Another order is another computation."""
    rerun(cells_project, "x = 1", "x = x * 2", "x = x + 3", "assert x == 5")
    swapped = rerun(cells_project, "x = 1", "x = x + 3", "x = x * 2", "assert x == 5")
    assert ["cached", "ok", "ok", "error"] == swapped


@pytest.mark.parametrize("dep", ["data.json", "*.json", "./"], ids=["file", "glob", "folder"])
def test_changed_data_file(cells_project, dep):
    """A declared file that changes makes its cell run, and all below."""
    cells_project.file("in/data.json", "1")
    cells = ["x = 0", f"# cells: deps=in/{dep}\nx = open('in/data.json').read()", "assert x == '1'"]
    assert ["ok"] * 3 == rerun(cells_project, *cells)
    cells_project.file("in/data.json", "2")
    assert ["cached", "ok", "error"] == rerun(cells_project, *cells)


def test_changed_data_file_of_the_same_size_and_age(cells_project):
    """The content decides, not size and time."""
    path = cells_project.file("data.json", "1")
    cells = ["# cells: deps=data.json\nassert open('data.json').read() == '1'"]
    assert ["ok"] == rerun(cells_project, *cells)
    status = path.stat()
    path.write_text("2")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert ["error"] == rerun(cells_project, *cells)


def test_changed_local_module(cells_project):
    """A project module that a cell imports is an input without being declared, with what it imports itself."""
    cells_project.file("helper.py", "from deeper import value\n")
    cells_project.file("deeper.py", "value = 1\n")
    cells = ["import helper", "assert helper.value == 1"]
    assert ["ok", "ok"] == rerun(cells_project, *cells)
    assert ["cached", "cached"] == rerun(cells_project, *cells)
    cells_project.file("deeper.py", "value = 22\n")
    assert ["ok", "error"] == rerun(cells_project, *cells)


MODULES = {
    "package": ("import pack.inner", "pack/__init__.py", "pack/inner.py"),
    "namespace": ("import ns.inner", None, "ns/inner.py"),
    "beside-a-folder": ("import inner", "inner/script.py", "inner.py"),
    "sys.path": ("import sys\nsys.path.insert(0, 'lib')\nimport inner", "inner.py", "lib/inner.py"),
    "sys.path-join": (
        "import sys, os\nsys.path.append(os.path.join('..', 'src'))\nimport inner",
        None,
        "../src/inner.py",
    ),
    "sys.path-pathlib": (
        (
            "import sys\nfrom pathlib import Path\nroot = Path.cwd().parent\n"
            "sys.path.append(str(root / 'src'))\nimport inner"
        ),
        None,
        "../src/inner.py",
    ),
    "sys.path-computed": (
        "import sys\nsys.path += ['/'.join(['..', 'src'])]\nimport inner",
        None,
        "../src/inner.py",
    ),
    "root-search": (
        (
            "import sys\nfrom pathlib import Path\nroot = Path.cwd()\n"
            "while not (root / 'mark').exists(): root = root.parent\nsys.path.append(str(root / 'lib'))\nimport inner"
        ),
        "../mark:",
        "../lib/inner.py",
    ),
    "computed-name": ("import importlib\nname = 'inner'\nimportlib.import_module(name)", None, "inner.py"),
    "executed-file": ("exec(open('inner.py').read())", None, "inner.py"),
    "rebound": ("import sys\nd = 'lib'\nsys.path.append(d)\nimport inner\nd = 'other'", None, "lib/inner.py"),
    "added-by-a-module": (
        "import go\nimport inner",
        "go.py:import sys, os; sys.path.append(os.path.join(os.path.dirname(__file__), 'lib'))",
        "lib/inner.py",
    ),
    "another-name": ("from sys import path\npath.append('lib')\nimport inner", None, "lib/inner.py"),
    "cd-twice": ("%cd sub\n%cd lib\nimport inner", None, "sub/lib/inner.py"),
    "cd-quiet": ("%cd -q sub\nimport inner", None, "sub/inner.py"),
    "run-elsewhere": ("%cd sub\n%run inner.py", None, "sub/inner.py"),
    "run-repeated": ("%run -t -N 3 inner.py", None, "inner.py"),
    "chdir": ("import os\nos.chdir('..')\nimport inner", None, "../inner.py"),
    "cd": ("%cd ..\nimport inner", None, "../inner.py"),
    "run": ("%run script", "script.py:from inner import value", "inner.py"),
    "run-module": ("%run -m inner", None, "inner.py"),
    "extension": ("%load_ext inner", None, "inner.py"),
    "timed": ("%%time\nimport inner", None, "inner.py"),
    "continued": ("x = 1\n!echo a \\\n  b\nimport os, inner", None, "inner.py"),
    "link": ("import linked.inner", None, "../shared/inner.py"),
}


@pytest.mark.parametrize("case", MODULES)
def test_changed_local_module_wherever_it_is(cells_project, case):
    """However a notebook comes by a module of the project, an edit of it makes the cell run."""
    source, other, module = MODULES[case]
    folder = cells_project.path / "nbs"
    folder.mkdir()
    if case == "link":
        (folder / "linked").symlink_to("../shared", target_is_directory=True)
    if other is not None:
        name, _, content = other.partition(":")
        cells_project.file(f"nbs/{name}", f"{content}\n")
    body = "value = {}\ndef load_ipython_extension(shell): pass\n"
    cells_project.file(f"nbs/{module}", body.format(1))
    cells_project.notebook("nbs/nb.ipynb", source)
    assert ["ok"] == cells_project.run("nbs").statuses("nbs/nb.ipynb")
    assert ["cached"] == cells_project.run("nbs").statuses("nbs/nb.ipynb")
    cells_project.file(f"nbs/{module}", body.format(22))
    assert ["ok"] == cells_project.run("nbs").statuses("nbs/nb.ipynb")


def test_module_of_the_setup_code(cells_project):
    """A module that the setup code imports is an input of every cell."""
    cells_project.file("conftest.py", "def pytest_cells_setup_code(notebook): return 'import inner'\n")
    cells_project.file("inner.py", "value = 1\n")
    assert ["ok"] == rerun(cells_project, "assert inner.value == 1")
    cells_project.file("inner.py", "value = 22\n")
    assert ["error"] == rerun(cells_project, "assert inner.value == 1")


def test_input_that_changes_while_its_cell_runs(cells_project):
    """Where it is not known which Version a cell read, nothing is stored."""
    source = "# cells: deps=d.txt\nimport pathlib\npath = pathlib.Path('d.txt')\nold = path.read_text()\n"
    source += "path.write_text('changed')"
    cells_project.file("d.txt", "1")
    cells_project.notebook(NB, source)
    result = cells_project.run()
    assert ["ok"] == result.statuses(NB)
    assert "nb.ipynb::cell-1 not stored, changed while it ran: d.txt" in result.stdout
    cells_project.file("d.txt", "1")
    assert ["ok"] == cells_project.run().statuses(NB)


def test_expected_failure_leaves_unknown_state(cells_project):
    """What is below a cell that failed as a mark expects is not stored: how far the cell came is not known."""
    mark = "import pytest\ndef pytest_collection_modifyitems(items):\n    items[1].add_marker(pytest.mark.xfail)\n"
    cells_project.file("conftest.py", mark)
    cells = ["import time", "x = 3\ntime.sleep(1)\nx = 4", "assert x == 3"]
    assert ["ok", "skipped", "ok"] == rerun(cells_project, *cells, args=["--cells-timeout=0.5"])
    assert ["cached", "ok", "error"] == rerun(cells_project, *cells, args=["--cells-timeout=30"])


def test_links_and_folders_in_declared_folders(cells_project):
    """A declared folder counts with what is behind its links, and with its empty folders."""
    cells_project.file("ext/a.txt", "1")
    cells_project.file("data/b.txt", "1")
    (cells_project.path / "data" / "raw").symlink_to("../ext", target_is_directory=True)
    cells = ["# cells: deps=data\nx = 1"]
    rerun(cells_project, *cells)
    assert ["cached"] == rerun(cells_project, *cells)
    cells_project.file("ext/a.txt", "2")
    assert ["ok"] == rerun(cells_project, *cells)
    (cells_project.path / "data" / "empty").mkdir()
    assert ["ok"] == rerun(cells_project, *cells)
    assert ["cached"] == rerun(cells_project, *cells)


def test_wrapped_kernel(cells_project, tmp_path, monkeypatch):
    """A kernel whose interpreter cannot be told runs its cells and caches none."""
    spec = tmp_path / "jupyter" / "kernels" / "wrapped"
    spec.mkdir(parents=True)
    argv = ["bash", "-c", f"exec {sys.executable} -m ipykernel_launcher -f '{{connection_file}}'"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "language": "python", "display_name": "W"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert ["ok"] == rerun(cells_project, "x = 1", args=["--cells-kernel=wrapped"])
    cells_project.notebook(NB, "x = 1")
    result = cells_project.run("--cells-kernel=wrapped")
    assert ["ok"] == result.statuses(NB)
    assert "which Python runs its kernel cannot be told from its kernelspec" == result.cell(NB, 0).reason


def test_users_own_files_are_left_alone(cells_project):
    """A file in the artifact folder that somebody else removed meanwhile is not removed by a hit."""
    cells_project.file("artifacts/mine.csv", "1")
    remove = "import subprocess\nsubprocess.run(['rm', 'artifacts/mine.csv'], check=True);"
    assert ["ok"] == rerun(cells_project, remove, args=CHAIN)
    cells_project.file("artifacts/mine.csv", "new")
    rerun(cells_project, remove, args=CHAIN)
    assert "new" == (cells_project.path / "artifacts" / "mine.csv").read_text()


def test_artifact_of_a_subprocess(cells_project):
    """A file that the kernel did not write itself is never written over; its cell runs again."""
    write = "import os, subprocess\nos.makedirs('artifacts', exist_ok=True)\n"
    write += "subprocess.run('echo right > artifacts/a.txt', shell=True, check=True);"
    assert ["ok"] == rerun(cells_project, write)
    assert ["cached"] == rerun(cells_project, write)
    (cells_project.path / "artifacts" / "a.txt").write_text("wrong")
    assert ["ok"] == rerun(cells_project, write)
    assert "right\n" == (cells_project.path / "artifacts" / "a.txt").read_text()


@pytest.mark.parametrize("content", ['{"cells": [1]}', '{"cells": {"cell-1": {"inputs": 3}}}', "", "[]"])
def test_broken_record(cells_project, content):
    """A record that is not what it should be costs the reason, nothing else."""
    cells_project.notebook(NB, "x = 1")
    cells_project.run()
    (record,) = (cells_project.path / ".pytest_cache/d/cells/records").iterdir()
    record.write_text(content)
    assert ["ok"] == rerun(cells_project, "x = 2")


def test_store_heals(cells_project):
    """Bytes that were altered in place are stored anew when their cell has run again."""
    rerun(cells_project, MUCH_IS_SHOWN)
    for blob in (cells_project.path / ".pytest_cache/d/cells/objects").rglob("*"):
        if blob.is_file():
            content = blob.read_bytes()
            blob.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert ["ok"] == rerun(cells_project, MUCH_IS_SHOWN)
    assert ["cached"] == rerun(cells_project, MUCH_IS_SHOWN)


def test_new_local_module_that_shadows_an_installed_one(cells_project):
    """A file that now stands in front of an installed module counts."""
    assert ["ok"] == rerun(cells_project, "import iniconfig\nassert iniconfig.IniConfig")
    cells_project.file("iniconfig.py", "")
    assert ["error"] == rerun(cells_project, "import iniconfig\nassert iniconfig.IniConfig")


def test_changed_environment_variable(cells_project, monkeypatch):
    """A declared environment variable is an input, and so is its absence."""
    cells = ["# cells: deps=env:CELLS_MODE\nimport os\nassert os.environ.get('CELLS_MODE') == 'a'"]
    monkeypatch.setenv("CELLS_MODE", "a")
    assert ["ok"] == rerun(cells_project, *cells)
    assert ["cached"] == rerun(cells_project, *cells)
    monkeypatch.delenv("CELLS_MODE")
    assert ["error"] == rerun(cells_project, *cells)


def test_changed_kernel(cells_project, tmp_path, monkeypatch):
    """Another kernelspec is another kernel, and shares nothing."""
    spec = tmp_path / "jupyter" / "kernels" / "optimised"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-O", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "language": "python", "display_name": "O"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    assert ["ok"] == rerun(cells_project, "if not __debug__: raise ValueError")
    assert ["error"] == rerun(cells_project, "if not __debug__: raise ValueError", args=["--cells-kernel=optimised"])


def test_misspelt_dependency(cells_project):
    """A declared file that is not there fails the cell, with the nearest name."""
    cells_project.file("sales.csv", "1")
    cells_project.notebook(NB, "# cells: deps=sale.csv\nx = 1", "x")
    result = cells_project.run()
    assert ["error", "skipped"] == result.statuses(NB)
    assert "deps 'sale.csv', and there is no such file" in result.stdout
    assert "did you mean 'sales.csv'?" in result.stdout


@pytest.mark.parametrize(("rung", "again"), [("chain", ["cached", "ok"]), ("traces", ["ok", "cached"])])
def test_dependency_that_a_cell_above_writes(cells_project, rung, again):
    """A declared file may come from a cell above; it is made again where it is gone."""
    args = [f"--cells-cache={rung}"]
    cells = ["open('made.txt', 'w').write('1');", "# cells: deps=made.txt\nassert open('made.txt').read() == '1'"]
    assert ["ok", "ok"] == rerun(cells_project, *cells, args=args)
    assert ["cached", "cached"] == rerun(cells_project, *cells, args=args)
    (cells_project.path / "made.txt").unlink()
    assert again == rerun(cells_project, *cells, args=args)
    assert "1" == (cells_project.path / "made.txt").read_text()


WRITE = "from pathlib import Path\nPath('artifacts').mkdir(exist_ok=True)\nPath('artifacts/a.txt').write_text('right')"


@pytest.mark.parametrize("harm", ["deleted", "altered"])
def test_deleted_or_altered_artifact(cells_project, harm):
    """An artifact of a cached cell is put back from the store, without a kernel."""
    cells_project.notebook(NB, WRITE)
    cells_project.run()
    artifact = cells_project.path / "artifacts" / "a.txt"
    if harm == "deleted":
        artifact.unlink()
    else:
        artifact.write_text("wrong")
    result = cells_project.run()
    assert (["cached"], 0) == (result.statuses(NB), result.kernels)
    assert "right" == artifact.read_text()
    assert "put back artifacts/a.txt" in str(result.cell(NB, 0).reason)


def test_artifact_that_is_gone_from_the_store_too(cells_project):
    """Where an artifact cannot be put back its cell is executed again."""
    cells_project.notebook(NB, WRITE)
    cells_project.run()
    (cells_project.path / "artifacts" / "a.txt").unlink()
    for blob in (cells_project.path / ".pytest_cache/d/cells/objects").rglob("*"):
        if blob.is_file() and blob.read_bytes() == b"right":
            blob.unlink()
    result = cells_project.run()
    assert ["ok"] == result.statuses(NB)
    assert "artifact artifacts/a.txt is gone or altered" in str(result.cell(NB, 0).reason)
    assert "right" == (cells_project.path / "artifacts" / "a.txt").read_text()


def test_artifact_that_a_later_cell_changes(cells_project):
    """The last writer's version is the one that stands, and no hit undoes it."""
    cells = [WRITE, "Path('artifacts/a.txt').write_text('second')", "x = 1"]
    rerun(cells_project, *cells)
    assert ["cached"] * 3 == rerun(cells_project, *cells)
    assert "second" == (cells_project.path / "artifacts" / "a.txt").read_text()


def test_artifact_that_a_later_cell_removes(cells_project):
    """A file that a later cell removes is not put back."""
    cells = [WRITE, "Path('artifacts/a.txt').unlink()"]
    rerun(cells_project, *cells)
    assert ["cached"] * 2 == rerun(cells_project, *cells)
    assert not (cells_project.path / "artifacts" / "a.txt").exists()


@pytest.mark.parametrize("source", ["%nosuchmagic", "%%nosuchmagic\nx", "%%capture\nraise ValueError(1)"])
def test_errors_that_only_one_channel_tells(cells_project, source):
    """An error counts whether the reply or the outputs tell it, and what follows does not run."""
    assert ["error", "skipped"] == rerun(cells_project, source, "x = 1")
    assert ["error", "skipped"] == rerun(cells_project, source, "x = 1")


def test_cell_that_kills_its_kernel(cells_project):
    """A cell that kills its kernel fails, with how the kernel ended, and is tried once more only."""
    cells_project.notebook(NB, "x = 1", "import os\nos.kill(os.getpid(), 9)", "x")
    result = cells_project.run()
    assert ["ok", "error", "skipped"] == result.statuses(NB)
    assert "killed by SIGKILL" in result.stdout
    assert 2 == result.cell(NB, 1).attempts


def test_kernel_that_dies_between_cells(cells_project):
    """A kernel that dies after its cell is replaced, its state brought back, and the next cell passes."""
    die = "import threading, os, time, pathlib\nx = 1\n"
    die += "if not pathlib.Path('died').exists():\n"
    die += "    pathlib.Path('died').touch()\n    threading.Timer(0.2, os._exit, [3]).start()"
    assert ["ok", "ok"] == rerun(cells_project, die, "import time\ntime.sleep(0.5)\nassert x == 1")


@pytest.mark.parametrize("name", ["dumps", "loads"])
def test_cell_that_patches_json(cells_project, name):
    """A cell that breaks json in its kernel fails or passes by itself; the next notebook is not harmed."""
    cells_project.notebook("a.ipynb", f"import json\njson.{name} = lambda *a, **k: 'nonsense'", "x = 1")
    cells_project.notebook("b.ipynb", "assert True")
    result = cells_project.run("--cells-timeout=5")
    assert ["ok"] == result.statuses("b.ipynb")
    assert "INTERNALERROR" not in result.stdout
    assert "error" in result.statuses("a.ipynb") or result.statuses("a.ipynb") == ["ok", "ok"]


def entries(project):
    return sorted((project.path / ".pytest_cache/d/cells/traces").rglob("*.trace"))


@pytest.mark.parametrize("harm", ["empty", "truncated", "flipped", "foreign", "future", "locked", "folder"])
def test_broken_cache_entry(cells_project, harm):
    """An entry that cannot be trusted is a miss with a reason, and the cell runs."""
    cells_project.notebook(NB, "x = 1")
    cells_project.run()
    (entry,) = entries(cells_project)
    content = entry.read_bytes()
    if harm == "empty":
        entry.write_bytes(b"")
    elif harm == "truncated":
        entry.write_bytes(content[:-10])
    elif harm == "flipped":
        entry.write_bytes(content[:-10] + bytes([content[-10] ^ 1]) + content[-9:])
    elif harm == "foreign":
        entry.write_text("{}")
    elif harm == "future":
        entry.write_bytes(content.replace(b"trace 1 ", b"trace 999 "))
    else:
        entry.unlink()
        entry.mkdir() if harm == "folder" else entry.symlink_to(entry)
    result = cells_project.run()
    assert ["ok"] == result.statuses(NB)
    assert "cache entry" in str(result.cell(NB, 0).reason)


def test_missing_outputs(cells_project):
    """A hit whose outputs are gone is none."""
    cells_project.notebook(NB, MUCH_IS_SHOWN)
    cells_project.run()
    for blob in (cells_project.path / ".pytest_cache/d/cells/objects").rglob("*"):
        if blob.is_file():
            blob.write_bytes(b"")
    result = cells_project.run()
    assert ["ok"] == result.statuses(NB)
    assert "altered" in str(result.cell(NB, 0).reason)


def test_edits_that_mean_nothing_do_not_invalidate(cells_project):
    """Tags, execution counts and times, outputs, ids and markdown are no part of a cell's key."""
    cells_project.notebook(NB, code("x = 1", id="a"), code("print(x)", id="b"))
    cells_project.run()
    second = code("print(x)", id="c", tags=("interesting",), execution={"iopub.execute_input": "2026-01-01T00:00:00Z"})
    second.update(execution_count=7, outputs=[{"output_type": "stream", "name": "stdout", "text": "1\n"}])
    content = notebook_json(markdown("# New"), code("x = 1", id="a"), markdown("text"), second, extra={"a": 1})
    (cells_project.path / NB).write_text(json.dumps(content))
    result = cells_project.run()
    assert (["cached", "cached"], 0) == (result.statuses(NB), result.kernels)


def test_white_space_inside_a_string(cells_project):
    """What is hashed is what is executed, to the last blank."""
    assert ["ok"] == rerun(cells_project, 's = """a  \n"""\nassert len(s) == 4')
    assert ["error"] == rerun(cells_project, 's = """a\n"""\nassert len(s) == 4')


def test_failing_cells_are_never_stored(cells_project):
    """A failure is not remembered: it is found again."""
    flaky = "import pathlib\nif not pathlib.Path('fixed').exists(): raise ValueError('not yet')"
    assert ["error"] == rerun(cells_project, flaky)
    cells_project.file("fixed", "")
    assert ["ok"] == rerun(cells_project, flaky)


def test_forced_failure_is_not_followed_by_a_cached_pass(cells_project):
    """What a forced run finds failing does not hit afterwards."""
    cells_project.file("undeclared.txt", "1")
    cells = ["assert open('undeclared.txt').read() == '1'"]
    assert ["ok"] == rerun(cells_project, *cells)
    cells_project.file("undeclared.txt", "2")
    assert ["error"] == rerun(cells_project, *cells, args=["--cells-force"])
    assert ["error"] == rerun(cells_project, *cells)


def test_prerequisite_that_no_longer_passes(cells_project):
    """A replayed cell that fails is blamed, and does not hit again. The chain sees no file that is not declared."""
    cells_project.file("undeclared.txt", "1")
    first = "assert open('undeclared.txt').read() == '1'"
    assert ["ok", "ok"] == rerun(cells_project, first, "x = 1", args=CHAIN)
    cells_project.file("undeclared.txt", "2")
    assert ["cached", "error"] == rerun(cells_project, first, "x = 2", args=CHAIN)
    assert ["error", "skipped"] == rerun(cells_project, first, "x = 2", args=CHAIN)


def test_file_that_is_not_declared(cells_project):
    """A file that a cell was seen to read needs no declaration."""
    cells_project.file("undeclared.txt", "1")
    cells = ["assert open('undeclared.txt').read() == '1'", "x = 1"]
    assert ["ok", "ok"] == rerun(cells_project, *cells)
    assert ["cached", "cached"] == rerun(cells_project, *cells)
    cells_project.file("undeclared.txt", "2")
    assert ["error", "skipped"] == rerun(cells_project, *cells)


@pytest.mark.parametrize(("rung", "below"), [("chain", "ok"), ("traces", "cached")])
def test_cache_off(cells_project, rung, below):
    """A cell that is declared uncacheable always runs; what is below it too, unless it was seen to need nothing."""
    cells, args = ["a = 1", "# cells: cache=off\nb = 1", "c = 1"], [f"--cells-cache={rung}"]
    assert ["ok"] * 3 == rerun(cells_project, *cells, args=args)
    assert ["cached", "ok", below] == rerun(cells_project, *cells, args=args)


def test_shorter_timeout(cells_project):
    """A result that took longer than the timeout of now does not hit."""
    slow = "import time\ntime.sleep(0.6)"
    assert ["ok"] == rerun(cells_project, slow)
    assert ["error"] == rerun(cells_project, slow, args=["--cells-timeout=0.3"])


def test_other_expectation(cells_project):
    """A directive that changes the verdict is part of the key."""
    assert ["ok"] == rerun(cells_project, code("1/0", tags=("raises:ZeroDivisionError",)))
    assert ["cached"] == rerun(cells_project, code("1/0", tags=("raises:ZeroDivisionError",)))
    assert ["error"] == rerun(cells_project, code("1/0", tags=("raises:KeyError",)))
    assert ["error"] == rerun(cells_project, "1/0")


def test_artifact_that_changes_through_memory(cells_project):
    """A file that a later cell changes through a memory map is that cell's artifact too."""
    first = "import mmap, os\nos.makedirs('artifacts', exist_ok=True)\nfile = open('artifacts/m.bin', 'w+b')\n"
    first += "file.write(b'first ')\nfile.flush()\nmapped = mmap.mmap(file.fileno(), 0)"
    cells = [first, "mapped[:] = b'second'\nmapped.flush()\nos.utime('artifacts/m.bin')", "x = 1"]
    assert ["ok"] * 3 == rerun(cells_project, *cells, args=CHAIN)
    assert ["cached"] * 3 == rerun(cells_project, *cells, args=CHAIN)
    assert b"second" == (cells_project.path / "artifacts" / "m.bin").read_bytes()
