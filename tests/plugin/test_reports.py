"""What people and machines are told: terminal, JSON, JUnit, exit codes."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import jsonschema
import pytest

from pytest_cells.report import json_schema
from pytest_cells.testing import REPORT, code

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"


def test_failure_text(cells_project):
    """A failure shows where it is, the source with an arrow, the kernel's traceback and what was printed."""
    cells_project.notebook(NB, "def f(d):\n    return d['missing']", "print('before')\nx = 1\nf({})\ny = 2")
    result = cells_project.run()
    result.result.stdout.fnmatch_lines(
        [
            "*cell-2 (nb.ipynb)*",
            "nb.ipynb, cell 2 of 2 (cell-2), line 3",
            "      2 | x = 1",
            "-->   3 | f({})",
            "      4 | y = 2",
            "KeyError*Traceback (most recent call last)",
            "Cell In[[]2[]], line 3",
            "----> 2     return d['missing']",
            "KeyError: 'missing'",
            "*Captured stdout call*",
            "before",
            "cells: 0 cached, 2 run in 1 kernel",
            "FAILED nb.ipynb::cell-2 - KeyError: 'missing'",
        ]
    )
    assert "pytest_cells/" not in result.stdout
    assert 1 == result.ret


@pytest.mark.parametrize("color", ["yes", "no"])
def test_colours(cells_project, color):
    """The kernel's colours are shown where pytest's are, and nowhere else."""
    cells_project.notebook(NB, "1/0")
    result = cells_project.run(f"--color={color}")
    assert (color == "yes") == ("\x1b[" in result.stdout)
    assert "\x1b" not in json.dumps(result.cell(NB, 0).error.evalue)


@pytest.mark.parametrize("style", ["line", "short", "no", "native"])
def test_traceback_styles(cells_project, style):
    """Pytest's styles work, and never show a traceback of ours."""
    cells_project.notebook(NB, "1/0")
    result = cells_project.run(f"--tb={style}")
    assert "pytest_cells/" not in result.stdout
    assert "FAILED nb.ipynb::cell-1 - ZeroDivisionError: division by zero" in result.stdout
    if style == "line":
        assert "nb.ipynb:1: ZeroDivisionError: division by zero" in result.stdout


def test_cached_run(cells_project):
    """A cached run says so, in letters, words and numbers, and starts no kernel."""
    cells_project.notebook(NB, "import time\ntime.sleep(0.3)", "x = 1")
    cells_project.run()
    result = cells_project.run()
    result.result.stdout.fnmatch_lines(["nb.ipynb cc*", "cells: 2 cached, 0 run, no kernel started, 0.? s saved"])
    result.result.stdout.fnmatch_lines(["*2 cached in*"])
    assert (0, 2, 0) == (result.kernels, result.report.cache.hits, result.report.cache.misses)
    assert result.report.cache.saved_ms >= 300
    assert 0 == result.ret


def test_verbose_line(cells_project):
    """-v shows each cell's position and first line."""
    cells_project.notebook(NB, "# cells: name=load\nx = 1", "x")
    cells_project.run("-v").result.stdout.fnmatch_lines(["nb.ipynb::load PASSED (cell 1 of 2: x = 1)*"])
    cells_project.run("-v").result.stdout.fnmatch_lines(["nb.ipynb::load CACHED (cell 1 of 2: x = 1)*"])


def test_explain(cells_project):
    """`--cells-explain` gives a reason for every cell."""
    cells_project.notebook(NB, "# cells: name=a\nx = 1", "y = x", "z = 1")
    first = cells_project.run("--cells-explain")
    assert "nb.ipynb::a ok: no result of this cell is stored" in first.stdout
    cells_project.notebook(NB, "# cells: name=a\nx = 2", "y = x", "z = 1")
    second = cells_project.run("--cells-explain")
    assert "nb.ipynb::a ok: its source changed" in second.stdout
    assert "nb.ipynb::cell-2 ok: changed: variable x (cell a)" in second.stdout
    assert "nb.ipynb::cell-3 cached: nothing that it depends on has changed" in second.stdout
    third = cells_project.run("--cells-explain")
    assert "nb.ipynb::a cached: nothing that it depends on has changed" in third.stdout


@pytest.mark.parametrize("change", ["file", "env", "module"])
def test_explain_inputs(cells_project, monkeypatch, change):
    """The reason names the input that changed."""
    cells_project.file("data.csv", "1")
    cells_project.file("helpers.py", "a = 1")
    monkeypatch.setenv("CELLS_MODE", "1")
    cells_project.notebook(NB, "# cells: deps='data.csv env:CELLS_MODE'\nimport helpers")
    cells_project.run()
    told = {
        "file": "changed: data.csv",
        "env": "changed: environment variable CELLS_MODE",
        "module": "changed: module helpers, or one that it imports",
    }
    if change == "file":
        cells_project.file("data.csv", "2")
    elif change == "env":
        monkeypatch.setenv("CELLS_MODE", "2")
    else:
        cells_project.file("helpers.py", "a = 22")
    assert told[change] == cells_project.run().cell(NB, 0).reason


def test_report_lists_every_cell_and_validates(cells_project):
    """The report lists every code cell of a selected notebook, and is what the schema says."""
    cells_project.notebook("dir/nb.ipynb", code("x = 1", id="a"), code("# cells: name=bad\n1/0", id="b"), code("x"))
    result = cells_project.run("-k", "bad")
    content = json.loads((cells_project.path / REPORT).read_text())
    jsonschema.validate(content, json_schema())
    (run,) = content["runs"]
    assert ("dir/nb.ipynb", "error", 1) == (run["notebook"], run["status"], run["schema_version"])
    assert [("a", None), ("b", "bad"), ("cell-3", None)] == [
        (cell["cell_id"], cell["cell_name"]) for cell in run["cell_results"]
    ]
    assert ["skipped", "error", "skipped"] == [cell["status"] for cell in run["cell_results"]]
    error = run["cell_results"][1]["error"]
    assert ("ZeroDivisionError", "division by zero") == (error["ename"], error["evalue"])
    assert all(cell["reason"] for cell in run["cell_results"])
    assert 1 == result.kernels


def test_report_to_stdout_and_last_report(cells_project):
    """`-` prints the report, and the last one is always kept with the cache."""
    cells_project.notebook(NB, "x = 1")
    result = cells_project.pytest("--cells", "--cells-report=-")
    assert '"schema_version": 1' in result.stdout.str()
    last = json.loads((cells_project.path / ".pytest_cache/d/cells/last-report.json").read_text())
    assert ["ok"] == [cell["status"] for cell in last["runs"][0]["cell_results"]]


def test_report_that_cannot_be_written(cells_project):
    """A report that cannot be written is told, and the results are still shown."""
    cells_project.notebook(NB, "x = 1")
    cells_project.file("taken", "")
    result = cells_project.pytest("--cells", "--cells-report=taken/r.json")
    assert "--cells-report taken/r.json: cannot be written" in result.stdout.str()
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("workers", [0, 2])
def test_junit(cells_project, workers):
    """One testcase a cell, with status and key as properties, plain text, and streams where pytest is told."""
    cells_project.notebook(NB, "print('shown')", "1/0", "x")
    args = ["--junitxml=junit.xml", "-o", "junit_logging=all", *(["-n", str(workers)] if workers else [])]
    cells_project.run(*args, subprocess=bool(workers))
    suite = ElementTree.parse(cells_project.path / "junit.xml").getroot()
    first, second, third = suite.iter("testcase")
    properties = {item.get("name"): item.get("value") for item in first.iter("property")}
    assert ("ok", 64) == (properties["cells.status"], len(properties["cells.cache_key"]))
    assert "shown" in first.find("system-out").text
    failure = second.find("failure")
    assert "ZeroDivisionError: division by zero" == failure.get("message")
    assert "\x1b" not in failure.text
    assert "#x1B" not in failure.text
    assert "-->   1 | 1/0" in failure.text
    assert "needs cell cell-2, which failed" in third.find("skipped").get("message")


def test_large_artifact(cells_project):
    """A large artifact is warned about, in the terminal and in the report, also when its cell is cached."""
    cells_project.pytester.makeini("[pytest]\ncells_max_artifact_mb = 1\n")
    write = "import os\nos.makedirs('artifacts', exist_ok=True)\n"
    write += "with open('artifacts/big.bin', 'wb') as f: f.write(bytes(2**21))\n"
    write += "with open('artifacts/small.bin', 'wb') as f: f.write(bytes(9))"
    cells_project.notebook("sub/nb.ipynb", code(write, id="w"))
    for status in ("ok", "cached"):
        result = cells_project.run()
        (large,) = result.run("sub/nb.ipynb").large_artifacts
        assert [status] == result.statuses("sub/nb.ipynb")
        assert ("sub/artifacts/big.bin", 2.0, 1.0, "w") == (large.path, large.size_mb, large.limit_mb, large.cell_id)
        assert "large artifact: sub/artifacts/big.bin (2.0 MB, limit 1 MB)" in result.stdout


def test_no_limit_for_artifacts(cells_project):
    """A limit of 0 is none."""
    cells_project.pytester.makeini("[pytest]\ncells_max_artifact_mb = 0\ncells_artifacts = out\n")
    cells_project.notebook(NB, "import os\nos.makedirs('out')\nopen('out/b', 'wb').write(bytes(10**7));")
    assert [] == cells_project.run().run(NB).large_artifacts


def test_missing_kernel(cells_project):
    """A kernelspec that is not installed fails the notebook once, and the installed ones are listed."""
    cells_project.notebook(NB, "x = 1", "x", kernelspec={"name": "no-such-kernel", "language": "python"})
    result = cells_project.run()
    assert ["error", "skipped"] == result.statuses(NB)
    assert "the kernel 'no-such-kernel' is not installed (named by the notebook's metadata)" in result.stdout
    assert "installed: " in result.stdout
    assert "python3" in result.stdout
    assert ["ok", "ok"] == cells_project.run("--cells-kernel=python3").statuses(NB)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--cells-timeout=-1"], "cells_timeout: found -1"),
        (["--cells-timeout=inf"], "cells_timeout: found inf"),
        (["-o", "cells_kernel_retries=1.5"], "found 1.5, expected a whole number"),
        (["-o", "cells_startup_timeout=nan"], "cells_startup_timeout: found nan"),
        (["--cells-executor=nope"], "no such executor is installed"),
        (["--cells-force", "--cells-no-cache"], "give one of them"),
        (["-o", "cells_cwd=elsewhere"], "expected one of notebook, rootdir"),
        (["-o", "cells_max_artifact_mb=big"], "found 'big', expected a number"),
        (["--cells-cache-dir=full"], "expected an empty or new one"),
    ],
)
def test_wrong_options(cells_project, args, told):
    """An option that cannot be used is a usage error, at once."""
    cells_project.notebook(NB, "x = 1")
    cells_project.file("full/something.txt", "")
    result = cells_project.pytest("--cells", *args)
    assert 4 == result.ret
    assert told in result.stderr.str()


def test_no_cache(cells_project):
    """`--cells-no-cache` neither reads nor writes, and the header says so."""
    cells_project.notebook(NB, "x = 1")
    for _ in range(2):
        result = cells_project.run("--cells-no-cache")
        assert ["ok"] == result.statuses(NB)
        assert "cache: off (--cells-no-cache)" in result.stdout
    assert not list(cells_project.path.rglob("*.trace"))


def test_cache_elsewhere_and_cleared(cells_project):
    """The cache may be put elsewhere, and --cache-clear clears it there too."""
    cells_project.notebook(NB, "x = 1")
    args = ["--cells-cache-dir=mine"]
    assert ["ok"] == cells_project.run(*args).statuses(NB)
    assert ["cached"] == cells_project.run(*args).statuses(NB)
    assert ["ok"] == cells_project.run(*args, "--cache-clear").statuses(NB)
    assert ["ok"] == cells_project.run().statuses(NB)
    assert ["ok"] == cells_project.run("--cache-clear").statuses(NB)


def test_without_cacheprovider(cells_project):
    """Without pytest's cache there is none of ours, unless it is put elsewhere."""
    cells_project.notebook(NB, "x = 1")
    result = cells_project.run("-p", "no:cacheprovider")
    assert ["ok"] == result.statuses(NB)
    assert "cache: off (pytest's cacheprovider is off)" in result.stdout
    cells_project.run("-p", "no:cacheprovider", "--cells-cache-dir=mine")
    assert ["cached"] == cells_project.run("-p", "no:cacheprovider", "--cells-cache-dir=mine").statuses(NB)


def test_force(cells_project):
    """`--cells-force` executes everything and refreshes what is stored."""
    cells_project.notebook(NB, "x = 1", "x")
    cells_project.run()
    assert ["ok", "ok"] == cells_project.run("--cells-force").statuses(NB)
    assert ["cached", "cached"] == cells_project.run().statuses(NB)


def test_folder_that_cannot_be_written(cells_project):
    """Where results cannot be stored the run goes on, and says once what to do."""
    cells_project.notebook(NB, "x = 1", "x")
    cells_project.file(".pytest_cache/d/cells/traces", "a file where a folder should be")
    result = cells_project.run()
    assert ["ok", "ok"] == result.statuses(NB)
    assert 1 == result.stdout.count("results cannot be stored in")
    assert "--cells-cache-dir" in result.stdout


def test_interrupt(cells_project, tells_its_pid):
    """Ctrl-C stops the session, writes the report, and leaves no kernel."""
    cells_project.notebook(
        NB,
        "x = 1",
        "import os, signal\nos.kill(int(os.environ['TESTED_PYTEST']), signal.SIGINT)\nwhile True: pass",
        "x",
    )
    result = cells_project.run(subprocess=True)
    assert (2, "error") == (result.ret, result.report.status)
    assert ["ok", "error", "skipped"] == result.statuses(NB)
    stopped = result.cell(NB, 1)
    assert "KeyboardInterrupt" == stopped.error.ename
    assert stopped.line in (2, 3)
    assert f"stopped in {NB}::cell-2, line {stopped.line}" in result.stdout


def test_interrupt_of_a_replay(cells_project, tells_its_pid):
    """What is stopped while a prerequisite is executed is told so, and not by the prerequisite's lines."""
    stop = "import os, signal\n\n\nos.kill(int(os.environ['TESTED_PYTEST']), signal.SIGINT)\nwhile True: pass"
    cells_project.notebook(NB, code(stop, id="slow"), code("x = 1", id="after"))
    result = cells_project.run(f"{NB}::after", subprocess=True)
    stopped = result.cell(NB, 1)
    assert ("error", None, f"{NB}::after") == (stopped.status, stopped.line, stopped.nodeid)
    assert "prerequisite cell slow" in stopped.error.evalue


def test_limits_are_part_of_the_key(cells_project):
    """A cell that passed without a limit of memory may not pass under one, nor with other modules preloaded."""
    cells_project.notebook(NB, "x = 1")
    cells_project.run()
    assert ["ok"] == cells_project.run("-o", "cells_max_memory_mb=4000").statuses(NB)
    assert ["ok"] == cells_project.run("-o", "cells_preload=json").statuses(NB)
    assert ["cached"] == cells_project.run().statuses(NB)


def test_preload_that_cannot_be(cells_project):
    """A module that cannot be preloaded fails the notebook once, by name."""
    cells_project.notebook(NB, "x = 1")
    result = cells_project.run("-o", "cells_preload=no_such_module")
    assert (["error"], 0) == (result.statuses(NB), result.report.kernels.died)
    assert "no_such_module" in result.cell(NB, 0).error.evalue


def test_sigterm(cells_project, tells_its_pid):
    """SIGTERM ends the session as Ctrl-C does: the report is written, and no kernel is left."""
    cells_project.notebook(
        NB, "x = 1", "import os, signal\nos.kill(int(os.environ['TESTED_PYTEST']), signal.SIGTERM)\nwhile True: pass"
    )
    result = cells_project.run(subprocess=True)
    assert (2, "error", ["ok", "error"]) == (result.ret, result.report.status, result.statuses(NB))


def test_what_a_killed_pytest_leaves(cells_project, tells_its_pid):
    """What a killed pytest leaves behind, processes of cells included, is ended by the next run."""
    spawn = "import subprocess\nchild = subprocess.Popen(['sleep', '3600'])\n"
    spawn += "open('child', 'w').write(str(child.pid))\nimport os, signal\n"
    spawn += "os.kill(int(os.environ['TESTED_PYTEST']), signal.SIGKILL)\n"
    cells_project.notebook(NB, spawn + "while True: pass")
    cells_project.run(subprocess=True)
    child = Path("/proc", (cells_project.path / "child").read_text())
    cells_project.notebook(NB, "x = 1")
    cells_project.run(subprocess=True)
    assert not child.exists() or "Z" in (child / "stat").read_text().split()[2]
