"""A notebook of which all cells were cached is taken from the cache at one look; what has changed is seen as ever."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy
import pytest
from fuzz.harness import KeptExecutor

from pytest_cells import Session
from pytest_cells.executors import load_executor
from pytest_cells.session import plugin_manager
from pytest_cells.settings import CacheSettings, KernelSettings, Settings
from pytest_cells.testing import code, notebook_json
from pytest_cells.tracing import whole

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"
CELLS = {
    "module": "import helpers\nhelpers.ONE",
    "file": "with open('data.txt') as file:\n    text = file.read()",
    "absent": "from pathlib import Path\nPath('absent.txt').exists()",
    "variable": "import os\nvalue = os.environ.get('CELLS_WHOLE')",
    "listing": "sorted(p.name for p in Path('folder').iterdir())",
    "long": "print('long ' * 2000)",
}


class Project:
    """A project at one path, and an executor for it, that many tests begin with anew."""

    def __init__(self, path: Path) -> None:
        self.path, self.aside = path / "project", path / "aside"
        self.store = self.path / "store"
        self.settings = Settings(self.path, CacheSettings(self.store), KernelSettings())
        self.executor = KeptExecutor(load_executor(self.settings))
        self.hooks: Any = None

    def write(self, cells: dict[str, str], **directives: str) -> None:
        """Write the notebook; `directives` are comments, by cell."""
        listed = [code(directives.get(name, "") + source, id=name) for name, source in cells.items()]
        (self.path / NB).write_text(json.dumps(notebook_json(*listed, minor=5)), encoding="utf-8")

    def run(self, **settings: Any) -> tuple[dict[str, str], bool]:
        """Return each cell's status, and whether all were known at one look."""
        with Session(replace(self.settings, **settings), self.hooks, KeptExecutor(self.executor)) as session:
            report = session.run([self.path / NB])
            (run,) = session._runs.values()
            statuses = {result.cell_id: result.status for result in report.runs[0].cell_results}
            assert run.known_hits in (0, len(statuses))
            return statuses, run.known_hits > 0

    def begin(self) -> None:
        """Begin with what was there, times included."""
        shutil.rmtree(self.path)
        shutil.copytree(self.aside, self.path)
        self.hooks = None


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Lend a project of which all cells were cached once."""
    project = Project(tmp_path_factory.mktemp("whole"))
    (project.path / "folder").mkdir(parents=True)
    for name, text in {"helpers.py": "ONE = 1\n", "data.txt": "data", "folder/a": ""}.items():
        (project.path / name).write_text(text)
    project.write(CELLS)
    assert project.run() == (dict.fromkeys(CELLS, "ok"), False)
    assert project.run() == (dict.fromkeys(CELLS, "cached"), False)
    project.path.rename(project.aside)
    shutil.copytree(project.aside, project.path)
    yield project
    project.executor.executor.close()


@pytest.fixture
def project(prepared):
    """Lend it as it was."""
    prepared.begin()
    return prepared


def test_all_cells_are_known(project):
    """What stands in the traces is not read again: they are the same files."""
    for trace in project.store.glob("traces/**/*.trace"):
        status = trace.stat()
        trace.write_bytes(b"?" * status.st_size)
        os.utime(trace, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.run() == (dict.fromkeys(CELLS, "cached"), True)
    assert project.run() == (dict.fromkeys(CELLS, "cached"), True)


def test_results_are_those_of_the_ordinary_way(project):
    """Key, reason and saved time are told as if each cell had been looked at by itself."""
    told = []
    for known in (True, False):
        if not known:
            for kept in project.store.glob("records/*.whole"):
                kept.unlink()
        with Session(project.settings, None, KeptExecutor(project.executor)) as session:
            results = session.run([project.path / NB]).runs[0].cell_results
            assert [run.known_hits > 0 for run in session._runs.values()] == [known]
        told.append([(one.cell_id, one.status, one.cache_key, one.reason, one.saved_ms) for one in results])
    assert told[0] == told[1]


def _file(name: str, text: str) -> Callable[[Project], None]:
    return lambda project: (project.path / name).write_text(text) and None


def _remove(pattern: str) -> Callable[[Project], None]:
    def remove(project: Project) -> None:
        for path in project.store.glob(pattern):
            path.unlink()

    return remove


def _one_trace(project: Project) -> None:
    found = [path for path in project.store.glob("traces/**/*.trace") if b'"path:absent.txt"' in path.read_bytes()]
    assert len(found) == 1
    found[0].unlink()


def _damage(pattern: str) -> Callable[[Project], None]:
    def damage(project: Project) -> None:
        for path in project.store.glob(pattern):
            path.write_bytes(path.read_bytes()[:-9])

    return damage


CHANGES: dict[str, tuple[Callable[[Project], Any], set[str]]] = {
    "source": (lambda p: p.write({**CELLS, "absent": CELLS["absent"] + " is True"}), {"absent"}),
    "cell removed": (lambda p: p.write({name: CELLS[name] for name in list(CELLS)[:3]}), set()),
    "cell added": (lambda p: p.write({**CELLS, "more": "1 + 1"}), {"more"}),
    "directive": (lambda p: p.write(CELLS, file="# cells: cache=off\n"), {"file"}),
    "data": (_file("data.txt", "atad"), {"file"}),
    "new file": (_file("absent.txt", ""), {"absent"}),
    "listing": (_file("folder/b", ""), {"listing"}),
    "module": (_file("helpers.py", "ONE = 2\n"), {"module"}),
    "other file": (_file("other.txt", ""), set()),
    "trace gone": (_one_trace, {"absent"}),
    "traces damaged": (_damage("traces/**/*.trace"), set(CELLS)),
    "outputs gone": (_remove("objects/*/*"), {"long"}),
    "kept damaged": (_damage("records/*.whole"), set()),
    "kept gone": (_remove("records/*"), set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_executed(project, change):
    """After a change just those cells are executed that the ordinary way executes, and then all is known again."""
    make, executed = CHANGES[change]
    make(project)
    statuses, known = project.run()
    assert executed == {name for name, status in statuses.items() if status != "cached"}
    assert known == (change == "other file")
    if change != "directive":
        project.run()
        assert project.run() == (dict.fromkeys(statuses, "cached"), True)


def test_variables_are_looked_at(project, monkeypatch):
    """A variable that a cell has asked for is another."""
    monkeypatch.setenv("CELLS_WHOLE", "1")
    statuses, known = project.run()
    assert (statuses.pop("variable"), known) == ("ok", False)
    assert set(statuses.values()) == {"cached"}


def test_the_search_path_is_looked_at(project, monkeypatch):
    """A module may be found elsewhere."""
    monkeypatch.setenv("PYTHONPATH", str(project.path / "folder"))
    assert not project.run()[1]


@pytest.mark.parametrize(
    "asked",
    [
        {"cache": CacheSettings(Path("store"), force=True)},
        {"cache": CacheSettings(Path("store"), audit=100)},
        {"cache": CacheSettings(Path("store"), rung="chain")},
        {"cache": CacheSettings(None)},
        {"kernel": KernelSettings(notebook_timeout=0.0001)},
        {"kernel": KernelSettings(preload=("decimal",))},
    ],
    ids=str,
)
def test_settings_are_looked_at(project, asked):
    """What was asked for decides as ever."""
    if asked.get("cache", CacheSettings(None)).folder is not None:
        asked = {"cache": replace(asked["cache"], folder=project.store)}
    statuses, known = project.run(**asked)
    assert not known
    assert "cached" not in statuses.values() or "kernel" in asked


@pytest.mark.parametrize("name", ["lifecycles", "key_material", "output_filters", "setup_code"])
def test_hooks_are_asked(project, name):
    """Whoever has a say in how cells are run or cached is asked about each."""
    asked = []
    asks = pluggy.HookimplMarker("pytest")(lambda notebook: asked.append(notebook))
    manager = plugin_manager()
    manager.register(SimpleNamespace(**{f"pytest_cells_{name}": asks}))
    project.hooks = manager.hook
    assert not project.run()[1]
    assert asked


def test_a_cell_that_is_evaluated_again_is_looked_at_anew(project):
    """What was seen at one look is believed for a moment, and once for each cell."""
    with Session(project.settings, None, KeptExecutor(project.executor)) as session:
        notebook = session.read(project.path / NB)
        run = session.open(notebook)
        first = [run.evaluate(cell, undisturbed=True).result.status for cell in notebook.cells]
        (project.path / "data.txt").write_text("other")
        again = run.evaluate(notebook.cells[1], undisturbed=True).result.status
    assert (["cached"] * len(CELLS), "ok") == (first, again)


def test_a_notebook_that_is_run_again_is_looked_at_anew(project):
    """Also within a moment, in the same session."""
    with Session(project.settings, None, KeptExecutor(project.executor)) as session:
        session.run([project.path / NB])
        (project.path / "data.txt").write_text("other")
        report = session.run([project.path / NB])
    assert "ok" == report.runs[0].cell_results[1].status


def test_what_somebody_else_does_between_cells_is_seen(project):
    """Who does not promise that nothing was done gets each cell looked at."""
    with Session(project.settings, None, KeptExecutor(project.executor)) as session:
        notebook = session.read(project.path / NB)
        run = session.open(notebook)
        run.evaluate(notebook.cells[0], undisturbed=True)
        (project.path / "data.txt").write_text("other")
        assert "ok" == run.evaluate(notebook.cells[1]).result.status


def test_a_cell_above_that_is_skipped(project):
    """What is below a cell that somebody else skips is looked at without it."""
    project.write({"one": "x = 1", "two": "x + 1"})
    for _ in range(3):
        project.run()
    with Session(project.settings, None, KeptExecutor(project.executor)) as session:
        notebook = session.read(project.path / NB)
        run = session.open(notebook)
        run.skip(notebook.cells[0], "not today")
        assert "error" == run.evaluate(notebook.cells[1], undisturbed=True).result.status


def test_what_cannot_be_looked_at_is_told_by_its_cell(project, monkeypatch):
    """Not by all cells of the notebook."""
    monkeypatch.setattr(whole, "find", lambda *_: 1 / 0)
    assert project.run() == (dict.fromkeys(CELLS, "cached"), False)


@pytest.mark.parametrize(
    "cells",
    [
        {
            "write": "from pathlib import Path\n_ = Path('made.txt').write_text('made')",
            "read": "Path('made.txt').read_text()",
        },
        {"artifact": "import os\nos.makedirs('artifacts', exist_ok=True)\nopen('artifacts/a.txt', 'w').close()"},
        {"clock": "import time\ntime.time()"},
        {"failing": "# cells: raises=ZeroDivisionError\n1 / 0", "skipped": "# cells: skip\n1"},
    ],
    ids=lambda cells: next(iter(cells)),
)
def test_what_has_more_to_verify_is_left_to_the_ordinary_way(project, cells):
    """Cells that write files, are executed in every run or are skipped."""
    project.write(cells)
    runs = [project.run() for _ in range(4)]
    assert [known for _, known in runs] == [False] * 4
    assert runs[1][0] == runs[3][0]
