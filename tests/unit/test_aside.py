"""When what libraries are made of is set aside from the collector, and when it is shown again."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cells.in_kernel import aside


class Collector:
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def freeze(self) -> None:
        """Note it."""
        self.done.append("freeze")

    def unfreeze(self) -> None:
        """Note it."""
        self.done.append("unfreeze")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the collector has been asked for."""
    collector = Collector()
    monkeypatch.setattr(aside, "collector", collector)
    return collector.done


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what loads so many modules, below a line of a cell, and tells that each is about to be."""

    def load(found: aside.Aside, line: int = 1, count: int = 100) -> None:
        cell = frame("__main__", "<module>", None, line)
        for _ in range(count):
            monkeypatch.setitem(sys.modules, f"loaded_{len(sys.modules)}", sys)
            found.importing(frame("library", "<module>", cell))

    return load


def frame(module: str, name: str, back: Any, line: int = 1) -> Any:
    """Return what stands for a frame."""
    return SimpleNamespace(
        f_globals={"__name__": module}, f_code=SimpleNamespace(co_name=name), f_back=back, f_lineno=line
    )


def test_set_aside_once_for_a_hundred_modules(done, load):
    """Few modules are not worth it."""
    found = aside.Aside()
    found.begin("import a")
    load(found, count=99)
    assert done == []
    load(found, count=101)
    assert done == ["freeze"] * 2


@pytest.mark.parametrize(
    "leading",
    [
        "import a\nfrom b import c",
        "'''text'''\nimport a",
        "a.set()\na.b.use('c', deep=1)",
        "a.b['c'] = 1\na.d = None",
        "get_ipython().run_line_magic('matplotlib', 'inline')",
    ],
)
def test_cells_above(done, load, leading):
    """Imports and settings leave nothing of the notebook's own."""
    found = aside.Aside()
    found.begin(leading)
    found.begin("import a")
    load(found)
    assert done == ["freeze"]


@pytest.mark.parametrize(
    "own",
    [
        "x = a.b()",
        "x = 1",
        "class A: pass",
        "def f(): pass",
        "f()",
        "a.f(x)",
        "a.f()()",
        "for x in y: pass",
        "get_ipython().run_line_magic('run', 'script.py')",
        "get_ipython().run_cell_magic('time', '', 'x')",
        "shell.run_line_magic()",
        "a.b = c",
        "with a.b(): import c",
        "no python",
    ],
)
def test_not_below_what_is_the_notebook_s_own(done, load, own):
    """It may wait for an object's end, so nothing of its own is set aside; imports above it in its cell are."""
    found = aside.Aside()
    found.begin(f"import a\n{own}")
    load(found, line=2)
    assert done == []
    load(found, line=1)
    assert done == ([] if own == "no python" else ["freeze"])
    found.begin("import a")
    load(found)
    assert len(done) < 2


def test_not_elsewhere(done, load):
    """As in a thread, whose frames do not tell what the cell has done by now."""
    found = aside.Aside()
    found.begin("import a")
    load(found, count=99)
    found.importing(frame("library", "run", None))
    assert done == []


def test_shown_once_and_for_all(done, load):
    """Whoever asks for it sees everything, from then on."""
    found = aside.Aside()
    found.begin("import a")
    load(found)
    found.show()
    found.show()
    found.begin("import a")
    load(found)
    assert done == ["freeze", "unfreeze"]


def test_what_others_have_set_aside_is_left_alone(done):
    """A fork server does that for its kernels."""
    aside.Aside().show()
    assert done == []


@pytest.mark.parametrize(("code", "names"), [("import gc", True), ("gc.collect()", True), ("import gcsfs", False)])
def test_code_that_names_the_collector(code, names):
    """It is found by the word."""
    assert names == bool(aside.NAMES_COLLECTOR.search(code))
