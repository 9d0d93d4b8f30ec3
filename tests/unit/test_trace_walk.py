"""What a notebook's cells find, as far as it can be told without a kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cells.cache.files import Digests
from pytest_cells.cache.keys import Inputs
from pytest_cells.in_kernel.versions import Versions
from pytest_cells.model import Cell, KernelIdentity, Notebook
from pytest_cells.tracing.walk import Step, TraceWalk

from .helpers import a_cell, a_trace


class Project:
    """A notebook, of one cell unless others are given, in a folder and an environment."""

    def __init__(self, folder: Path, *cells: Cell) -> None:
        self.cell = a_cell()
        self.environment = {"A": "1"}
        self.asked = 0
        notebook = Notebook(folder / "nb.ipynb", "nb.ipynb", cells or (self.cell,))
        identity = KernelIdentity({}, dict, python=True, traceable=True, environment=self.variables)
        inputs = Inputs(notebook, folder, folder, identity, Digests(), "")
        self.walk = TraceWalk(notebook, inputs, identity, "jupyter", lambda cell: {}, folder, Versions())

    def variables(self) -> dict[str, str]:
        """Return the environment variables, and note that they were asked for."""
        self.asked += 1
        return dict(self.environment)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project in an empty folder."""
    return Project(tmp_path)


def test_variables_are_looked_at_once_a_moment(project: Project) -> None:
    """All environment variables that a cell reads are taken from one look at them, and the next cell's from another."""
    now = project.walk.looked_at(project.cell, {})
    first = [now.version(f"envvar:{name}") for name in "AB"]
    assert 1 == project.asked
    project.environment["A"] = "2"
    later = project.walk.looked_at(project.cell, {})
    assert first[0] != later.version("envvar:A")
    assert first[1] == later.version("envvar:B")


def test_what_is_below_a_change_is_forgotten(tmp_path: Path) -> None:
    """A cell that does something else than was known makes unknown what is below it, and nothing above."""
    cells = [a_cell(f"x = {index}", index, str(index)) for index in range(4)]
    walk = Project(tmp_path, *cells).walk
    steps = [Step(a_trace(writes={"var:x": str(index)})) for index in range(4)]
    for cell, step in zip(cells, steps, strict=True):
        walk.note(cell, step)
    assert "3" == walk.versions(4)["var:x"]
    walk.note(cells[1], steps[1])
    assert [0, 1, 2, 3] == sorted(walk.steps)
    walk.note(cells[1], Step(a_trace(writes={"var:x": "other"})))
    assert [0, 1] == sorted(walk.steps)
    assert "other" == walk.versions(4)["var:x"]
    walk.note(cells[2], steps[2])
    assert "2" == walk.versions(4)["var:x"]
    walk.set_skipped(cells[2], skipped=True)
    assert "other" == walk.versions(3)["var:x"]
    walk.forget(cells[0])
    assert [] == sorted(walk.steps)
    assert "var:x" not in walk.versions(4)


def test_modules_found_nowhere_are_looked_for_once_a_moment(project: Project, tmp_path: Path) -> None:
    """A module that is found nowhere may be any file of the project: one look for all of them, and another later."""
    now = project.walk.looked_at(project.cell, {})
    before = now.version("module:nowhere")
    tmp_path.joinpath("new.py").write_text("x = 1\n", encoding="utf-8")
    assert before == now.version("module:elsewhere")
    assert before != project.walk.looked_at(project.cell, {}).version("module:nowhere")


def test_a_state_that_lasts_looks_each_time(project: Project) -> None:
    """The State that stays while a cell is executed tells what is there when it is asked."""
    state = project.walk.state(project.cell)
    before = state.version("envvar:A")
    project.environment["A"] = "2"
    assert before != state.version("envvar:A")


def test_what_was_looked_at_is_not_looked_at_again(project: Project) -> None:
    """What is known of a cell beforehand is taken as it is."""
    assert "known" == project.walk.looked_at(project.cell, {"envvar:A": "known"}).version("envvar:A")
    assert 0 == project.asked
