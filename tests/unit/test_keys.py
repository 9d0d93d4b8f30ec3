from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_cells.cache import keys
from pytest_cells.cache.files import Digests
from pytest_cells.cache.keys import INSTALLED, Inputs, lookup_key
from pytest_cells.cache.trace import ABSENT, ENVIRONMENT, HISTORY, digest_of
from pytest_cells.model import Cell, Directives, KernelIdentity, Notebook, Raises

from .helpers import a_cell, an_identity


def key(cell: Cell, identity: KernelIdentity | None = None, executor: str = "jupyter", **parameters: str) -> str:
    """Return the lookup key of a cell."""
    return lookup_key(cell, identity or an_identity(), executor, parameters)


PLAIN = a_cell("x = 'a b'\n", deps=("a.csv", "b.csv"), raises=Raises("ValueError"))


def edited(**directives: Any) -> Cell:
    """Return the plain cell with other directives."""
    return msgspec.structs.replace(PLAIN, directives=msgspec.structs.replace(PLAIN.directives, **directives))


@pytest.mark.parametrize(
    "cell",
    [
        msgspec.structs.replace(PLAIN, id="other"),
        msgspec.structs.replace(PLAIN, index=7),
        edited(name="other"),
        edited(tags=("slow",)),
        edited(timeout=5.0),
        edited(skip="no"),
        edited(deps=("b.csv", "a.csv")),
    ],
    ids=["id", "index", "name", "tags", "timeout", "skip", "order-of-deps"],
)
def test_what_is_not_in_the_lookup_key(cell: Cell) -> None:
    """Equal cells share traces wherever they stand and whatever they are called."""
    assert key(PLAIN) == key(cell)


@pytest.mark.parametrize(
    "other",
    [
        key(msgspec.structs.replace(PLAIN, source="x = 'a  b'\n")),
        key(msgspec.structs.replace(PLAIN, source="x = 'a\tb'\n")),
        key(msgspec.structs.replace(PLAIN, source="x = 'a b'")),
        key(msgspec.structs.replace(PLAIN, source="# x\nx = 'a b'\n")),
        key(edited(raises=None)),
        key(edited(raises=Raises())),
        key(edited(raises=Raises("KeyError"))),
        key(edited(raises=Raises("ValueError", "x"))),
        key(edited(deps=("a.csv",))),
        key(edited(outputs=("a.csv",))),
        key(edited(pure=True)),
        key(PLAIN, an_identity(python="3.12")),
        key(PLAIN, executor="other"),
        key(PLAIN, n="1"),
    ],
    ids=[
        "space-in-a-string",
        "tab-in-a-string",
        "newline",
        "comment",
        "no-raises",
        "raises-any",
        "raises-other",
        "match",
        "deps",
        "outputs",
        "pure",
        "kernel",
        "executor",
        "parameter",
    ],
)
def test_what_is_in_the_lookup_key(other: str) -> None:
    """Source to the letter, semantic directives, kernel, executor and parameters make another cell."""
    assert key(PLAIN) != other


def test_the_format_is_in_the_lookup_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another format of the cache finds none of the entries of this one."""
    before = key(PLAIN)
    monkeypatch.setattr(keys, "FORMAT", keys.FORMAT + 1)
    assert before != key(PLAIN)


class Project:
    """A notebook `sub/nb.ipynb` of some cells in a project folder, and its inputs."""

    def __init__(self, folder: Path, *cells: Cell, cwd: Path | None = None, setup_code: str = "") -> None:
        self.folder = folder / "sub"
        self.folder.mkdir(exist_ok=True)
        self.cells = cells
        self.facts = {"numpy": "2.0"}
        notebook = Notebook(self.folder / "nb.ipynb", "sub/nb.ipynb", cells)
        site = (str(folder / "site-packages"),)
        identity = KernelIdentity({"language": "python"}, lambda: self.facts, site, python=True)
        self.inputs = Inputs(notebook, cwd or self.folder, folder, identity, Digests(), setup_code)

    def names(self, index: int = 0, **material: str) -> list[str]:
        return self.inputs.names(self.cells[index], material)

    def version(self, name: str, **material: str) -> str:
        return self.inputs.version(name, material)

    def versions(self, index: int = 0) -> dict[str, str]:
        return {name: self.version(name) for name in self.names(index) if name != HISTORY}


def test_the_names_of_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell's inputs are history, environment, folder, declared inputs, scripts, modules and material."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    cell = a_cell("import json, helpers\n%run script.py", deps=("a.csv", "env:MODE"))
    expected = [
        HISTORY,
        ENVIRONMENT,
        "@cwd",
        "@setup",
        "file:a.csv",
        "env:MODE",
        "script:script.py",
        "module:helpers",
        "module:json",
        "key:a",
        "key:b",
    ]
    assert expected == Project(tmp_path, cell, setup_code="x = 1").names(b="2", a="1")


def test_names_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that is run twice is one input."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    cell = a_cell("%run a.py\n%run a.py")
    assert [HISTORY, ENVIRONMENT, "@cwd", "script:a.py"] == Project(tmp_path, cell).names()


def test_a_kernel_of_another_language_has_no_modules(tmp_path: Path) -> None:
    """Where the kernel is not Python, its cells are not read as Python."""
    cell = a_cell("import helpers")
    notebook = Notebook(tmp_path / "nb.ipynb", "nb.ipynb", (cell,))
    inputs = Inputs(notebook, tmp_path, tmp_path, an_identity(site=()), Digests(), "")
    assert [HISTORY, ENVIRONMENT, "@cwd"] == inputs.names(cell, {})


def test_environment_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A declared variable has a Version by its value; unset is not the same as empty."""
    project, told = Project(tmp_path, a_cell()), []
    monkeypatch.delenv("MODE", raising=False)
    told.append(project.version("env:MODE"))
    for value in ("", "fast", "slow"):
        monkeypatch.setenv("MODE", value)
        told.append(project.version("env:MODE"))
    assert [ABSENT, digest_of(""), digest_of("fast"), digest_of("slow")] == told


def test_key_material(tmp_path: Path) -> None:
    """Material has a Version by its value; what hooks no longer give is absent."""
    project = Project(tmp_path, a_cell())
    told = [project.version("key:a"), project.version("key:a", a="1"), project.version("key:a", a="2")]
    assert [ABSENT, digest_of("1"), digest_of("2")] == told


def test_declared_files_are_those_beside_the_notebook(tmp_path: Path) -> None:
    """A declared file is relative to the notebook's folder."""
    project = Project(tmp_path, a_cell())
    (project.folder / "a.csv").write_text("1")
    assert Digests().of(project.folder / "a.csv") == project.version("file:a.csv")


def test_declared_files_wherever_the_kernel_runs(tmp_path: Path) -> None:
    """A declared file is relative to the notebook's folder also where `cells_cwd` is rootdir."""
    project = Project(tmp_path, a_cell(), cwd=tmp_path)
    (project.folder / "a.csv").write_text("1")
    assert Digests().of(project.folder / "a.csv") == project.version("file:a.csv")


def test_the_working_folder_is_an_input(tmp_path: Path) -> None:
    """The kernel's folder counts relative to rootdir, so that a cache can move between machines."""
    assert "sub" == Project(tmp_path, a_cell()).version("@cwd")
    assert "." == Project(tmp_path, a_cell(), cwd=tmp_path).version("@cwd")


def test_the_environment_is_an_input(tmp_path: Path) -> None:
    """What is installed is an input, by name and version, as it is now."""
    project = Project(tmp_path, a_cell())
    before = project.version(ENVIRONMENT)
    project.facts = {"numpy": "2.0"}
    same = project.version(ENVIRONMENT)
    project.facts = {"numpy": "2.1"}
    assert (digest_of({"numpy": "2.0"}),) * 2 == (before, same)
    assert digest_of({"numpy": "2.1"}) == project.version(ENVIRONMENT)


def test_the_setup_code_is_an_input(tmp_path: Path) -> None:
    """Setup code is an input of every cell, by its text."""
    assert digest_of("x = 1") == Project(tmp_path, a_cell(), setup_code="x = 1").version("@setup")


def test_an_unknown_name_is_absent(tmp_path: Path) -> None:
    """A name that a newer version may have recorded is absent here."""
    assert ABSENT == Project(tmp_path, a_cell()).version("@unheard")


def test_modules_that_are_not_the_projects(tmp_path: Path) -> None:
    """A module that is installed or nowhere has a stock Version, its distribution being part of the environment."""
    assert INSTALLED == Project(tmp_path, a_cell()).version("module:json")


@pytest.mark.parametrize("place", ["beside", "pythonpath", "this-cell", "cell-above"])
def test_where_modules_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A module is looked for beside the notebook, on PYTHONPATH, and where this cell or one above adds folders."""
    adding = "import sys\nsys.path.append('../lib')\n"
    above = a_cell(adding if place == "cell-above" else "", 0)
    cell = a_cell((adding if place == "this-cell" else "") + "import helpers", 1)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if place == "pythonpath":
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", "/nowhere", str(tmp_path / "lib")]))
    project = Project(tmp_path, above, cell)
    folder = project.folder if place == "beside" else tmp_path / "lib"
    folder.mkdir(exist_ok=True)
    (folder / "helpers.py").write_text("x = 1")
    before = project.version("module:helpers")
    (folder / "helpers.py").write_text("x = 2")
    assert INSTALLED != before
    assert before != project.version("module:helpers")


def test_folders_that_a_cell_below_adds_count(tmp_path: Path) -> None:
    """Folders that any cell adds count: a function may be called in any order."""
    project = Project(tmp_path, a_cell("import helpers", 0), a_cell("import sys\nsys.path.append('../lib')", 1))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "helpers.py").write_text("")
    assert INSTALLED != project.version("module:helpers")


def script(folder: Path) -> None:
    (folder / "script.py").write_text("changed = 1")


def helper(folder: Path) -> None:
    (folder / "helpers.py").write_text("changed = 1")


@pytest.mark.parametrize("line", ["%run script.py", "%run script", "%run -m script", "%run -i script.py 5"])
@pytest.mark.parametrize("edit", [script, helper])
def test_scripts_are_inputs_with_what_they_import(tmp_path: Path, line: str, edit: Callable[[Path], None]) -> None:
    """An edit in a script that a cell runs, or in a module that the script imports, changes an input of the cell."""
    project = Project(tmp_path, a_cell(line))
    (project.folder / "script.py").write_text("import helpers")
    (project.folder / "helpers.py").write_text("")
    before = project.versions()
    assert before == project.versions()
    edit(project.folder)
    assert before != project.versions()


def test_directives_have_defaults_in_the_key() -> None:
    """A cell without directives has the same key as one whose directives say the same as none."""
    assert key(a_cell()) == key(Cell(0, "one", "x = 1", Directives(cache=True, xfail=None)))
