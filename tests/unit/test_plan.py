from __future__ import annotations

import pytest

from pytest_cells.cache.trace import ABSENT, ENVIRONMENT, HISTORY, Trace
from pytest_cells.plan import Hit, Run, State, decide, describe_input, history_after

from .helpers import a_trace

NOW = {ENVIRONMENT: "env-1", "file:a.csv": "a-1", "module:helpers": "m-1"}


def a_state(history: str = "h-1", **changed: str) -> State:
    """Return a State in which everything has the Version of `NOW` but for what is changed."""
    now = {**NOW, **changed}
    return State(lambda name: now.get(name, ABSENT), {HISTORY: history})


def test_a_trace_with_the_versions_of_now_hits() -> None:
    """A trace whose inputs all have the Versions of now is a Hit."""
    trace = a_trace(history="h-1", inputs=NOW)
    assert Hit(trace, "nothing that it depends on has changed") == decide([trace], a_state(), [HISTORY, *NOW])


def test_the_first_trace_that_fits_is_taken() -> None:
    """Candidates are tried in their order, and none after the first that fits."""
    good = a_trace(history="h-1", inputs=NOW)

    def candidates():
        yield a_trace(history="h-0", inputs=NOW)
        yield good
        raise AssertionError("asked for more")

    assert Hit(good) == decide(candidates(), a_state(), [HISTORY, *NOW])


def test_without_candidates_it_runs() -> None:
    """Where nothing is stored, the reason says so."""
    assert Run("no result of this cell is stored") == decide([], a_state(), [HISTORY])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"file:a.csv": "a-2"}, "changed: a.csv"),
        ({"file:a.csv": ABSENT}, "changed: a.csv"),
        ({"module:helpers": "m-2"}, "changed: module helpers, or one that it imports"),
        ({ENVIRONMENT: "env-2"}, "changed: the Python environment"),
        (
            {"file:a.csv": "a-2", ENVIRONMENT: "env-2"},
            "changed: the Python environment, a.csv",
        ),
    ],
    ids=["file", "file-gone", "module", "environment", "two"],
)
def test_a_changed_input_is_the_reason(changed: dict[str, str], told: str) -> None:
    """A changed input makes the cell run, and the reason names it."""
    assert Run(told) == decide([a_trace(history="h-1", inputs=NOW)], a_state(**changed), [HISTORY, *NOW])


def test_what_a_module_holds_is_told_by_its_variables() -> None:
    """That a module holds something else says nothing beside the variable; it does where no variable is known."""
    inputs = {"held:helpers": "h-1", "var:helpers:RATE": "r-1", "held:other": "o-1"}
    state = State(lambda name: f"{name} 2", {HISTORY: "h-1", "held:other": "o-1"})
    told = "changed: variable helpers:RATE"
    assert Run(told) == decide([a_trace(history="h-1", inputs=inputs)], state, [])
    state.apply({"var:helpers:RATE": "r-1", "held:other": "o-2"})
    told = "changed: what module helpers holds, what module other holds"
    assert Run(told) == decide([a_trace(history="h-1", inputs=inputs)], state, [])


def test_another_history_is_a_change_above() -> None:
    """A changed cell above makes the cell run."""
    assert Run("changed: a cell above") == decide([a_trace(history="h-0", inputs=NOW)], a_state(), [HISTORY, *NOW])


def test_the_fewest_differences_are_told() -> None:
    """Of several candidates the reason is that of the one that differs least, wherever it stands."""
    far = a_trace(history="h-0", inputs={**NOW, "file:a.csv": "a-0"})
    near = a_trace(history="h-1", inputs={**NOW, "file:a.csv": "a-0"})
    assert Run("changed: a.csv") == decide([far, near], a_state(), [HISTORY, *NOW])
    assert Run("changed: a.csv") == decide([near, far], a_state(), [HISTORY, *NOW])


def test_a_trace_that_recorded_fewer_inputs_does_not_count() -> None:
    """An input that the cell is now known to read, and that the trace did not record, is a change."""
    fewer = a_trace(history="h-1", inputs={ENVIRONMENT: "env-1"})
    assert Run("changed: a.csv") == decide([fewer], a_state(), [HISTORY, ENVIRONMENT, "file:a.csv"])


def test_a_wanted_input_that_is_absent_is_still_wanted() -> None:
    """That an input was absent must have been recorded too."""
    assert Run("changed: environment variable MODE") == decide([a_trace(history="h-1")], a_state(), ["env:MODE"])


def test_a_trace_that_recorded_more_inputs_is_held_to_all_of_them() -> None:
    """What a trace recorded counts, also where the cell is not known to read it."""
    trace = a_trace(history="h-1", inputs={"file:hidden.csv": "x"})
    assert Run("changed: hidden.csv") == decide([trace], a_state(), [HISTORY])


def test_early_cutoff() -> None:
    """A cell above that ran again and left the same Version leaves the cells below as they were."""
    state = a_state("h-0")
    state.apply({HISTORY: "h-1"})
    trace = a_trace(history="h-1", inputs=NOW)
    assert Hit(trace) == decide([trace], state, [HISTORY, *NOW])


def test_what_was_written_hides_what_is_outside() -> None:
    """A State answers with what earlier cells wrote before it asks outside."""
    state = State(lambda name: f"outside {name}", {"a": "inside"})
    state.apply({"b": "written"})
    assert ["inside", "written", "outside c"] == [state.version(name) for name in "abc"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (HISTORY, "a cell above"),
        (ENVIRONMENT, "the Python environment"),
        ("@cwd", "the working directory"),
        ("@folder", "the notebook's folder"),
        ("setup:path:a.csv", "a.csv, which setup code reads"),
        ("@setup", "the setup code"),
        ("module:helpers", "module helpers, or one that it imports"),
        ("held:helpers", "what module helpers holds"),
        ("env:MODE", "environment variable MODE"),
        ("file:data/a:b.csv", "data/a:b.csv"),
        ("key:model", "key material model"),
        ("@unheard", "@unheard"),
    ],
)
def test_describe(name: str, told: str) -> None:
    """Each kind of input is told in words, an unknown one by its name."""
    assert told == describe_input(name)


def test_history_after_is_the_same_for_the_same() -> None:
    """The same cell with the same inputs leaves the same history, in whatever order inputs were noted."""
    assert history_after("h", "l", {"a": "1", "b": "2"}) == history_after("h", "l", {"b": "2", "a": "1"})


@pytest.mark.parametrize(
    "arguments",
    [
        ("h2", "l", {"a": "1"}),
        ("h", "l2", {"a": "1"}),
        ("h", "l", {"a": "2"}),
        ("h", "l", {"b": "1"}),
        ("h", "l", {}),
        ("h", "l", {"a": "1"}, "nonce"),
    ],
    ids=["history", "lookup", "version", "name", "fewer", "nonce"],
)
def test_history_after_differs(arguments: tuple) -> None:
    """Another history above, cell, input or nonce leaves another history."""
    assert history_after("h", "l", {"a": "1"}) != history_after(*arguments)


def test_history_after_counts_the_history_once() -> None:
    """The history among the inputs adds nothing to the history that is given."""
    assert history_after("h", "l", {"a": "1"}) == history_after("h", "l", {"a": "1", HISTORY: "other"})


@pytest.mark.parametrize(
    ("then", "now", "hits"),
    [
        (ABSENT, ABSENT, True),
        (ABSENT, "made", True),
        (ABSENT, "other", False),
        ("made", ABSENT, False),
        ("other", "made", False),
    ],
)
def test_a_module_that_is_loaded_already(then: str, now: str, hits: bool) -> None:  # noqa: FBT001
    """A cell that loaded a module first finds it as it made it, if a cell above loads just that now."""
    name = "var:helpers:()"
    trace = Trace("lookup", {name: then}, {name: "made"})
    assert hits == isinstance(decide([trace], a_state(**{name: now}), [name]), Hit)
    plain = Trace("lookup", {"var:helpers:N": ABSENT}, {"var:helpers:N": "made"})
    assert isinstance(decide([plain], a_state(**{"var:helpers:N": "made"}), []), Run)
