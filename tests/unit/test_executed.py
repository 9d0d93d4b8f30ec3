"""Which code of the notebook runs while a cell does, wherever it is called from."""

import gc
import sys
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cells.in_kernel import executed
from pytest_cells.in_kernel.executed import Executed

monitoring: Any = getattr(sys, "monitoring", None)
pytestmark = pytest.mark.skipif(monitoring is None, reason="Python tells what runs from 3.12 on")
CELL, OWN, LIBRARY = "/tmp/ipykernel_1/1.py", "/project/helpers.py", "/site/library.py"
TOOLS = executed._FIRST_TIME, executed._AGAIN


def defined(source: str, path: str) -> dict[str, Any]:
    """Return what a source binds that stands in a file."""
    found: dict[str, Any] = {}
    exec(compile(source, path, "exec"), found)
    return found


@pytest.fixture
def listening() -> Iterator[Executed]:
    """Lend a listener that has begun with a cell."""
    found = Executed(lambda path: path == OWN)
    assert found.sees
    found.begin()
    yield found
    for tool in TOOLS:
        if monitoring.get_tool(tool) is not None:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)


def ran(listening: Executed) -> set[str]:
    """Return the functions of the notebook that ran since the cell began."""
    return {code.co_name for code in listening.codes()}


def test_what_runs_is_told_for_each_cell(listening: Executed) -> None:
    """Not only the first time that it runs, nor once it has not run for a while."""
    notebook = defined("def f(): return 1\ndef g(): return f()", CELL)
    library = defined("def call(what): return what()", LIBRARY)
    assert ran(listening) == set()
    for _ in range(3):
        listening.begin()
        assert ran(listening) == set()
        library["call"](notebook["f"])
        library["call"](notebook["f"])
        assert ran(listening) == {"f"}
        listening.begin()
        notebook["g"]()
        assert ran(listening) == {"f", "g"}
        listening.begin()
        listening.begin()


def test_a_generator_that_goes_on(listening: Executed) -> None:
    steps = defined("def steps():\n    while True:\n        yield", CELL)["steps"]()
    for _ in range(4):
        listening.begin()
        next(steps)
        assert ran(listening) == {"steps"}


def test_a_function_that_is_under_way_when_the_next_cell_begins(listening: Executed) -> None:
    """As one is that runs the event loop."""
    notebook = defined("def f(begin, deep):\n    begin()\n    if deep: f(begin, deep - 1)", CELL)
    notebook["f"](listening.begin, 3)
    assert ran(listening) == set()
    notebook["f"](lambda: None, 0)
    assert ran(listening) == {"f"}


def test_modules_of_the_project(listening: Executed) -> None:
    own = defined("def f(): return 1\ndef g(): return 1", OWN)
    for name in ("f", "f", "g", "f"):
        listening.begin()
        assert not listening.of_modules
        own[name]()
        assert listening.of_modules
    listening.begin()
    defined("def h(): return 1", LIBRARY)["h"]()
    assert not listening.of_modules


def test_who_else_listens_is_told_nothing_anew(listening: Executed) -> None:
    """Whoever measures what was executed has said that once is enough."""
    tool, told = monitoring.COVERAGE_ID, []
    monitoring.use_tool_id(tool, "another")
    try:
        event = monitoring.events.PY_START
        monitoring.register_callback(tool, event, lambda code, _: told.append(code.co_name) or monitoring.DISABLE)
        monitoring.set_events(tool, event)
        notebook = defined("def only(): return 1", CELL)
        for _ in range(3):
            listening.begin()
            notebook["only"]()
        assert told.count("only") == 1
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


def test_code_is_not_kept(listening: Executed) -> None:
    """Once the next cell has begun nothing of ours holds what ran in the last."""
    notebook = defined("def f(): return 1", CELL)
    notebook["f"]()
    code = weakref.ref(notebook["f"].__code__)
    assert ran(listening) == {"f"}
    listening.begin()
    notebook.clear()
    gc.collect()
    assert code() is None
    listening.begin()


@pytest.mark.parametrize("tool", TOOLS)
def test_where_somebody_else_has_a_number(tool: int) -> None:
    monitoring.use_tool_id(tool, "another")
    try:
        assert not Executed(lambda path: False).sees
        assert [monitoring.get_tool(other) for other in TOOLS if other != tool] == [None]
    finally:
        monitoring.free_tool_id(tool)


def test_where_it_is_taken_away(listening: Executed) -> None:
    """Then it is an error, and not as if nothing ran."""
    notebook = defined("def f(): return 1", CELL)
    notebook["f"]()
    monitoring.free_tool_id(executed._AGAIN)
    monitoring.use_tool_id(executed._AGAIN, "the notebook's")
    for _ in range(2):
        with pytest.raises(ValueError, match="somebody else listens"):
            listening.begin()
    assert monitoring.get_local_events(executed._AGAIN, notebook["f"].__code__) == 0


def test_notebooks_that_listen_themselves(listening: Executed) -> None:
    """They find the numbers free that are for anyone, but for one."""
    free = [tool for tool in range(6) if monitoring.get_tool(tool) is None]
    assert {monitoring.DEBUGGER_ID, monitoring.COVERAGE_ID, monitoring.PROFILER_ID, 3} >= set(free)
    assert 3 in free


def test_what_a_thread_runs_while_a_cell_begins_is_listened_to_again(listening: Executed) -> None:
    notebook = defined("def f(): return 1\ndef g(): return 1", CELL)
    notebook["g"]()
    really = listening._monitoring

    def arm(tool: int, code: Any, events: int) -> None:
        notebook["f"]()  # as a thread may at any moment
        really.set_local_events(tool, code, events)

    listening._monitoring = SimpleNamespace(set_local_events=arm, get_tool=really.get_tool, DISABLE=really.DISABLE)
    listening.begin()
    listening._monitoring = really
    listening.begin()
    notebook["f"]()
    notebook["g"]()
    assert ran(listening) == {"f", "g"}


def test_before_python_tells_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executed, "_monitoring", lambda: None)
    found = Executed(lambda path: True)
    found.begin()
    assert (found.sees, found.codes(), found.of_modules) == (False, [], False)
