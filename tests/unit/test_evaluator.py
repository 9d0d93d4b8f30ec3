from __future__ import annotations

from typing import Any

import pytest

from pytest_cells.evaluator import Evaluator, Lifecycle, Skip


class Noted(Lifecycle):
    """Note each call in a list, and then return or raise what it was told."""

    def __init__(
        self,
        name: str,
        calls: list[Any],
        setup: Skip[Any] | BaseException | None = None,
        teardown: BaseException | None = None,
    ) -> None:
        self.name, self.calls, self.at_setup, self.at_teardown = name, calls, setup, teardown

    def setup(self, run: Any) -> Skip[Any] | None:
        self.calls.append(f"setup {self.name}")
        if isinstance(self.at_setup, BaseException):
            raise self.at_setup
        return self.at_setup

    def teardown(self, run: Any, result: Any) -> None:
        self.calls.append(f"teardown {self.name} {result}")
        if self.at_teardown is not None:
            raise self.at_teardown


def evaluate(calls: list[Any], *lifecycles: Lifecycle, body: BaseException | str = "result") -> Any:
    """Evaluate a body that returns or raises."""

    def execute(subject: str) -> str:
        calls.append(f"body {subject}")
        if isinstance(body, BaseException):
            raise body
        return body

    return Evaluator(lifecycles, execute).evaluate("cell")


def test_no_lifecycles() -> None:
    """Without lifecycles the body's result is the result."""
    assert "result" == evaluate([])


def test_the_order() -> None:
    """Set up in order, execute, tear down in reverse, each with the result."""
    calls: list[Any] = []
    assert "result" == evaluate(calls, Noted("a", calls), Noted("b", calls))
    assert ["setup a", "setup b", "body cell", "teardown b result", "teardown a result"] == calls


def test_a_lifecycle_overrides_what_it_needs() -> None:
    """The base class does nothing at either end."""
    assert "result" == evaluate([], Lifecycle())


def test_skip_ends_the_chain() -> None:
    """A Skip replaces the body and what is further in; the skipping lifecycle is torn down, with its result."""
    calls: list[Any] = []
    skipping = Noted("b", calls, Skip("kept"))
    assert "kept" == evaluate(calls, Noted("a", calls), skipping, Noted("c", calls))
    assert ["setup a", "setup b", "teardown b kept", "teardown a kept"] == calls


def test_a_raising_setup_is_not_torn_down() -> None:
    """What was set up before a raising setup is torn down, with no result; the raising one is not."""
    calls: list[Any] = []
    error = ValueError("setup")
    with pytest.raises(ValueError, match="setup") as caught:
        evaluate(calls, Noted("a", calls), Noted("b", calls, error), Noted("c", calls))
    assert error is caught.value
    assert ["setup a", "setup b", "teardown a None"] == calls


def test_a_raising_body() -> None:
    """After a raising body everything is torn down, with no result, and the error goes on."""
    calls: list[Any] = []
    error = ValueError("body")
    with pytest.raises(ValueError, match="body") as caught:
        evaluate(calls, Noted("a", calls), Noted("b", calls), body=error)
    assert (error, None) == (caught.value, caught.value.__context__)
    assert ["setup a", "setup b", "body cell", "teardown b None", "teardown a None"] == calls


def test_every_teardown_runs() -> None:
    """A raising teardown keeps no other from running; those after it get no result."""
    calls: list[Any] = []
    with pytest.raises(ValueError, match="b"):
        evaluate(calls, Noted("a", calls), Noted("b", calls, teardown=ValueError("b")), Noted("c", calls))
    assert ["teardown c result", "teardown b result", "teardown a None"] == calls[-3:]


def test_a_teardowns_error_wins() -> None:
    """A teardown's error is raised, with the body's as its context."""
    calls: list[Any] = []
    first, last = ValueError("body"), KeyError("teardown")
    with pytest.raises(KeyError) as caught:
        evaluate(calls, Noted("a", calls, teardown=last), body=first)
    assert (last, first) == (caught.value, caught.value.__context__)


def test_all_errors_stay_as_contexts() -> None:
    """Of several errors the last is raised, and leads back to the first through all others."""
    calls: list[Any] = []
    errors = [ValueError("body"), KeyError("b"), TypeError("a")]
    with pytest.raises(TypeError) as caught:
        evaluate(calls, Noted("a", calls, teardown=errors[2]), Noted("b", calls, teardown=errors[1]), body=errors[0])
    assert [errors[2], errors[1], errors[0], None] == chain(caught.value, 4)


def chain(error: BaseException | None, most: int) -> list[BaseException | None]:
    """Return an error and its contexts, at most so many."""
    found = []
    for _ in range(most):
        found.append(error)
        error = error.__context__ if error is not None else None
    return found


def test_an_errors_own_context_is_kept() -> None:
    """A teardown's error keeps what it came from, and the body's error comes behind that."""
    calls: list[Any] = []
    first, cause, last = ValueError("body"), OSError("disk"), KeyError("teardown")
    last.__context__ = cause
    with pytest.raises(KeyError) as caught:
        evaluate(calls, Noted("a", calls, teardown=last), body=first)
    assert [last, cause, first, None] == chain(caught.value, 4)


def test_a_teardown_that_raises_the_same_error() -> None:
    """The body's error raised again by a teardown is not its own context."""
    calls: list[Any] = []
    error = ValueError("body")
    with pytest.raises(ValueError, match="body") as caught:
        evaluate(calls, Noted("a", calls, teardown=error), body=error)
    assert [error, None] == chain(caught.value, 2)


def test_contexts_are_no_circle() -> None:
    """An earlier error that is raised again leads to no circle of contexts."""
    calls: list[Any] = []
    first, second = ValueError("body"), KeyError("b")
    lifecycles = [Noted("a", calls, teardown=first), Noted("b", calls, teardown=second)]
    with pytest.raises((ValueError, KeyError)) as caught:
        evaluate(calls, *lifecycles, body=first)
    assert None is chain(caught.value, 4)[-1]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), SystemExit(1)], ids=["ctrl-c", "exit"])
@pytest.mark.parametrize("last", [ValueError("x"), KeyboardInterrupt("second")], ids=["error", "interrupt"])
def test_an_interrupt_is_never_replaced(interrupt: BaseException, last: BaseException) -> None:
    """What a teardown raises after an interrupt does not replace it, and all teardowns run."""
    calls: list[Any] = []
    with pytest.raises(type(interrupt)) as caught:
        evaluate(calls, Noted("a", calls, teardown=last), Noted("b", calls), body=interrupt)
    assert interrupt is caught.value
    assert ["teardown b None", "teardown a None"] == calls[-2:]


def test_an_interrupt_in_a_teardown_replaces_an_error() -> None:
    """An interrupt during a teardown wins over an error before it, which stays as its context."""
    calls: list[Any] = []
    first = ValueError("body")
    with pytest.raises(KeyboardInterrupt) as caught:
        evaluate(calls, Noted("a", calls, teardown=KeyboardInterrupt()), body=first)
    assert first is caught.value.__context__


def test_an_interrupt_in_a_setup() -> None:
    """An interrupt during a setup tears down what was set up."""
    calls: list[Any] = []
    with pytest.raises(KeyboardInterrupt):
        evaluate(calls, Noted("a", calls), Noted("b", calls, KeyboardInterrupt()))
    assert ["setup a", "setup b", "teardown a None"] == calls


def test_an_error_in_a_teardown_after_skip() -> None:
    """A teardown's error wins over a skipped result too."""
    calls: list[Any] = []
    with pytest.raises(ValueError, match="teardown"):
        evaluate(calls, Noted("a", calls, Skip("kept"), ValueError("teardown")))
    assert ["setup a", "teardown a kept"] == calls


def test_an_evaluator_is_used_again() -> None:
    """One evaluator evaluates one cell after the other, each from the start."""
    calls: list[Any] = []
    evaluator: Evaluator[str, str] = Evaluator([Noted("a", calls)], str.upper)
    assert ["X", "Y"] == [evaluator.evaluate("x"), evaluator.evaluate("y")]
    assert ["setup a", "teardown a X", "setup a", "teardown a Y"] == calls
