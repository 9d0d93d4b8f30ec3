"""Kernels of other languages than Python run the same tests."""

import json
import os
import select
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec

import pytest

from pytest_cells.testing import code

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"


@dataclass(frozen=True)
class Language:
    """A kernel, and how its language says what the tests need."""

    module: str
    name: str
    language: str
    comment: str
    define: str
    """Gives `x` the value 4."""
    show: str
    """Prints `x`."""
    fail: str
    """Fails, in the second line."""
    error: tuple[str, str, int | None]
    """Type, text and line of that error, as the kernel tells them."""
    sleep: str
    """Takes a minute."""
    deaf: str
    """Does so, and ignores an interrupt."""
    die: str
    """Ends the process of the kernel."""
    ending: str
    env: dict[str, str] = field(default_factory=dict)


LANGUAGES = [
    Language(
        module="bash_kernel",
        name="bash",
        language="bash",
        comment="#",
        define="x=4",
        show="echo $x",
        fail="echo before\nls /nowhere/at/all",
        error=("Error", "2", None),
        sleep="sleep 60",
        deaf="trap '' INT HUP\necho $$ > shell\nsleep 60\nsleep 60",
        die="kill -9 $PPID",
        ending="was killed by SIGKILL",
        env={"PS1": "$"},
    ),
    Language(
        module="calysto_scheme",
        name="scheme",
        language="scheme",
        comment=";",
        define="(define x 4)",
        show="(print x)",
        fail='(print "before")\n(car x)',
        error=("RunTimeError", "car called on non-pair 4", 2),
        sleep='(import "time")\n(time.sleep 60)',
        deaf='(import "time")\n(import "signal")\n(signal.signal 2 signal.SIG_IGN)\n(time.sleep 60)',
        die='(import "os")\n(os._exit 7)',
        ending="ended with exit code 7",
    ),
]


@pytest.fixture(params=LANGUAGES, ids=lambda language: language.name)
def language(request, cells_project, monkeypatch):
    """Lend a kernel that is installed, with a kernelspec of the test's own."""
    found = request.param
    if find_spec(found.module) is None:
        pytest.skip(f"{found.module} is not installed")
    spec = {
        "argv": [sys.executable, "-m", found.module, "-f", "{connection_file}"],
        "display_name": found.name,
        "language": found.language,
        "env": found.env,
    }
    cells_project.file(f"jupyter/kernels/{found.name}/kernel.json", json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(cells_project.path / "jupyter"))
    return found


@pytest.fixture
def notebook(cells_project, language):
    """Lend a way to write the notebook, which names its kernel."""

    def write(*cells):
        return cells_project.notebook(NB, *cells, kernelspec={"name": language.name, "language": language.language})

    return write


def ends(pid):
    """Wait until a process has ended, and tell whether it has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    watch = select.poll()
    watch.register(descriptor, select.POLLIN)
    ended = bool(watch.poll(5000))
    os.close(descriptor)
    return ended


def test_state_and_cache(cells_project, language, notebook):
    """State is kept across cells; the second run is cached; an edit executes from there on, after a replay."""
    notebook(language.define, language.show, language.show)
    first = cells_project.run()
    assert (["ok", "ok", "ok"], 1) == (first.statuses(NB), first.kernels)
    second = cells_project.run()
    assert (["cached", "cached", "cached"], 0) == (second.statuses(NB), second.kernels)
    notebook(language.define, f"{language.show}\n", language.show)
    third = cells_project.run()
    assert (["cached", "ok", "ok"], 1) == (third.statuses(NB), third.kernels)


def test_failure(cells_project, language, notebook):
    """A failing cell fails with the kernel's error and what it printed; the cells below are skipped."""
    notebook(language.define, language.show, language.fail, language.show)
    result = cells_project.run()
    assert ["ok", "ok", "error", "skipped"] == result.statuses(NB)
    failed = result.cell(NB, 2)
    assert language.error == (failed.error.ename, failed.error.evalue, failed.line)
    assert "before" in result.stdout


def test_expected_failure(cells_project, language, notebook):
    """An expected error passes, is cached, and leaves the state."""
    expected = code(language.fail, tags=("raises-exception",))
    notebook(language.define, expected, language.show)
    assert ["ok", "ok", "ok"] == cells_project.run().statuses(NB)
    assert ["cached", "cached", "cached"] == cells_project.run().statuses(NB)


def test_one_cell(cells_project, language, notebook):
    """A cell that is selected by its node id finds the state that it needs; its comment has named it."""
    named = f"{language.comment} cells: name=shown\n{language.show}"
    notebook(language.define, "", named, language.fail)
    result = cells_project.run(f"{NB}::shown")
    assert ["skipped", "skipped", "ok", "skipped"] == result.statuses(NB)
    assert "1 passed" in result.stdout


def test_timeout(cells_project, language, notebook):
    """A cell that is too slow is interrupted, and its kernel goes on where the failure is expected."""
    slow = f"{language.comment} cells: timeout=1 xfail=slow\n{language.sleep}"
    notebook(language.define, slow, language.show)
    result = cells_project.run()
    assert (["skipped", "ok"], 1) == (result.statuses(NB)[1:], result.kernels)
    notebook(language.define, slow.replace(" xfail=slow", ""), language.show)
    result = cells_project.run()
    assert ["cached", "error", "skipped"] == result.statuses(NB)
    told = result.cell(NB, 1).error
    assert ("CellTimeout", "the cell took longer than 1 s and was interrupted") == (told.ename, told.evalue)


def test_timeout_that_is_ignored(cells_project, language, notebook):
    """A cell that ignores the interrupt is killed with its kernel, and with what the kernel started."""
    notebook(language.define, f"{language.comment} cells: timeout=1\n{language.deaf}", language.show)
    result = cells_project.run()
    assert ["ok", "error", "skipped"] == result.statuses(NB)
    told = result.cell(NB, 1).error
    assert ("CellTimeout", True) == (told.ename, "ignored the interrupt" in told.evalue)
    shell = cells_project.path / "shell"
    assert not shell.exists() or ends(int(shell.read_text()))


def test_death(cells_project, language, notebook):
    """A kernel that dies in a cell is told with how it ended, after one more try; the cells below are skipped."""
    notebook(language.define, language.die, language.show)
    result = cells_project.run()
    assert (["ok", "error", "skipped"], 2) == (result.statuses(NB), result.kernels)
    told = result.cell(NB, 1).error
    assert ("KernelDied", True) == (told.ename, language.ending in told.evalue)
    assert "needs cell cell-2, which failed" == result.cell(NB, 2).reason


def test_kernel_that_is_named_by_the_option(cells_project, language):
    """`--cells-kernel` runs a notebook that names no kernel, or another one."""
    cells_project.notebook(NB, language.define, language.show, kernelspec={"name": "python3"})
    assert ["ok", "ok"] == cells_project.run(f"--cells-kernel={language.name}").statuses(NB)


def test_upgrade_of_the_kernel(cells_project, language, notebook, monkeypatch):
    """What is installed for the Python that runs the kernel counts: another version of it executes the cells."""
    notebook(language.define)
    cells_project.run()
    installed = cells_project.path / "site" / "site-packages"
    cells_project.file("site/site-packages/of_the_kernel-1.0.dist-info/METADATA", "Name: of-the-kernel\n")
    monkeypatch.syspath_prepend(installed)
    result = cells_project.run()
    assert ["ok"] == result.statuses(NB)
    assert "of-the-kernel" in result.cell(NB, 0).reason
