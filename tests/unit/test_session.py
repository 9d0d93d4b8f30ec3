"""When a session prepares for a notebook, before it is known which of its cells hit."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_cells.cache.explain import remember
from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import NotebookRecord
from pytest_cells.model import Cell, Notebook
from pytest_cells.session import Session
from pytest_cells.settings import CacheSettings, KernelSettings, Settings
from pytest_cells.tracing.walk import trace_lookup
from pytest_cells.tracing.whole import KnownNotebook, sources_of

from .helpers import a_cell, a_notebook, a_trace, an_identity

IDENTITY = replace(an_identity(language="python"), traceable=True)


class Executor:
    """Notes what is prepared."""

    def __init__(self) -> None:
        self.identified: list[str] = []
        self.prepared: list[str] = []

    def identify(self, notebook: Notebook):
        self.identified.append(notebook.name)
        return IDENTITY

    def prepare(self, notebook: Notebook) -> None:
        self.prepared.append(notebook.name)

    def close(self) -> None:
        pass


@pytest.fixture
def executor() -> Executor:
    """Return an executor that runs nothing."""
    return Executor()


@pytest.fixture
def expects(tmp_path, executor):
    """Return a function that tells whether a notebook of some cells is prepared, after some cells have passed."""
    store = Store(tmp_path / "store")

    def ask(passed: list[Cell], cells: list[Cell], *, rung: str = "traces", kept: bool = True) -> bool:
        for cell in passed:
            store.put_trace(a_trace(lookup=trace_lookup(cell, IDENTITY, "jupyter")))
        notebook = a_notebook(Path("nb.ipynb"), *cells)
        if kept:
            record = {cell.id: remember(cell, IDENTITY, {}, 1.0) for cell in passed}
            store.put_record(notebook.name, NotebookRecord(record))
        settings = Settings(tmp_path, CacheSettings(store.folder, rung=rung), KernelSettings())
        with Session(settings, executor=executor) as session:
            session.expect(notebook)
        return bool(executor.prepared)

    return ask


ONE, TWO = a_cell("x = 1", 0, "one"), a_cell("y = 2", 1, "two")


def test_nothing_is_stored(expects):
    """Where nothing can hit, a kernel is needed."""
    assert expects([], [ONE])


def test_nothing_is_edited(expects, executor):
    """What passed as it is may hit, and not even the kernel is asked for."""
    assert not expects([ONE, TWO], [ONE, TWO])
    assert [] == executor.identified


@pytest.mark.parametrize("source", ["x = 2", "x = 1 + 0"])
def test_a_cell_is_edited(expects, source):
    """A source that never passed must be executed."""
    assert expects([ONE, TWO], [a_cell(source, 0, "one"), TWO])


def test_only_a_comment_is_edited(expects):
    """A source that means the same may hit."""
    assert not expects([ONE, TWO], [a_cell("x = 1  # one", 0, "one"), TWO])


def test_a_cell_of_another_notebook(expects):
    """A cell that passed somewhere else may hit."""
    assert not expects([ONE, TWO], [ONE, TWO], kept=False)


def test_a_cell_that_is_skipped_or_blank(expects):
    """What is not run needs no kernel."""
    assert not expects([ONE], [ONE, a_cell("z = 3", 1, "three", skip="later"), a_cell(" ", 2, "four")])


def test_chain(expects):
    """On the other rung that is found out in turn."""
    assert not expects([ONE], [a_cell("x = 2", 0, "one")], rung="chain")


@pytest.mark.parametrize(("source", "asked"), [("x = 1", []), ("x = 2", ["nb.ipynb"])])
def test_a_notebook_that_was_cached_as_a_whole(tmp_path, executor, monkeypatch, source, asked):
    """What is remembered of its cells is read only if it was edited since; what is kept of the whole is read once."""
    found = []
    monkeypatch.setattr(Store, "passed_sources", lambda self, name: found.append(name) or {})
    store = Store(tmp_path / "store")
    store.put_trace(a_trace(lookup=trace_lookup(ONE, IDENTITY, "jupyter")))
    known = KnownNotebook(sources_of(a_notebook(Path("nb.ipynb"), ONE)), "asked", {}, [])
    store.put_whole("nb.ipynb", known)
    notebook = a_notebook(Path("nb.ipynb"), a_cell(source, 0, "one"))
    with Session(Settings(tmp_path, CacheSettings(store.folder), KernelSettings()), executor=executor) as session:
        session.expect(notebook)
        store.put_whole("nb.ipynb", KnownNotebook("others", "asked", {}, []))
        assert known == session.known(notebook)
        session.release(notebook)
        assert known != session.known(notebook)
    assert (asked, asked) == (found, executor.prepared)


def test_an_edit_is_looked_for_once(tmp_path, executor, monkeypatch):
    """A session expects the next notebook with every cell of the one before it."""
    asked = []
    monkeypatch.setattr(Store, "passed_sources", lambda self, name: asked.append(name) or {})
    store = Store(tmp_path / "store")
    store.put_trace(a_trace(lookup=trace_lookup(ONE, IDENTITY, "jupyter")))
    settings = Settings(tmp_path, CacheSettings(store.folder), KernelSettings())
    with Session(settings, executor=executor) as session:
        for _ in range(3):
            session.expect(a_notebook(Path("nb.ipynb"), ONE, TWO))
    assert ["nb.ipynb"] == asked
    assert ["nb.ipynb"] * 3 == executor.prepared
