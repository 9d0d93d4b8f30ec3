"""Wrap lifecycles around a cell, and name the two protocols that others may implement.

The rules are those of marimo's executor: see `Evaluator.evaluate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pytest_cells.model import Json, KernelIdentity, Notebook, Outcome

Subject = TypeVar("Subject")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Skip(Generic[Result]):
    """What a lifecycle's `setup` returns so that the cell is not executed: its result instead."""

    result: Result


class Lifecycle:
    """One concern wrapped around a cell. Override what is needed."""

    def setup(self, run: Any) -> Skip[Any] | None:
        """Prepare before the cell; return a Skip to give the result without executing."""
        return None

    def teardown(self, run: Any, result: Any) -> None:
        """Clean up after the cell; `result` is None where something raised."""


@dataclass(frozen=True)
class KernelUsage:
    """The kernels that an executor has started so far."""

    started: int = 0
    forked: int = 0
    """How many of them a fork server started."""
    startup_ms: Sequence[float] = ()
    """How long each took until it answered, in ms."""
    failed: int = 0
    """How many more were started and did not come to answer."""


class Runner(Protocol):
    """One notebook's place of execution: a kernel that was started for it."""

    @property
    def alive(self) -> bool:
        """Tell whether it can still execute."""

    @property
    def peak_mb(self) -> float | None:
        """The most memory that it has held, in MB (2^20 bytes), where that is known."""

    def execute(
        self, source: str, *, timeout: float, history: bool = True, meanwhile: Callable[[], None] | None = None
    ) -> Outcome:
        """Execute a source; `timeout` in seconds, 0 for none. Never raises for what the source does.

        `meanwhile` is work that may be done while the source is executed; whoever cannot do so leaves it alone.
        """

    def stop(self) -> None:
        """End it; need not wait."""


class ObservingRunner(Runner, Protocol):
    """A Runner whose kernel has an agent that observes cells."""

    def execute(
        self,
        source: str,
        *,
        timeout: float,
        history: bool = True,
        meanwhile: Callable[[], None] | None = None,
        wishes: Json | None = None,
    ) -> Outcome:
        """Execute a source; `wishes` are what the agent is asked to do around it."""

    def request(self, what: str, arguments: Json) -> Json | None:
        """Ask the agent for something; None where it has no answer."""


class Executor(Protocol):
    """Where cells are executed. Entry points of group `pytest_cells.executors` are factories of this.

    A factory is called with the run's `Settings`.
    """

    @property
    def usage(self) -> KernelUsage:
        """What was used so far."""

    def identify(self, notebook: Notebook) -> KernelIdentity:
        """Return what identifies the notebook's kernel for the cache. Raises KernelError."""

    def prepare(self, notebook: Notebook) -> None:
        """Note that a kernel for this notebook will be asked for. May do in the background what that will need."""

    def open(self, notebook: Notebook) -> Runner:
        """Start a fresh kernel for a notebook. Raises KernelError."""

    def close(self) -> None:
        """End everything, and leave nothing behind."""


class Evaluator(Generic[Subject, Result]):
    """Compose lifecycles around the execution of a cell."""

    def __init__(self, lifecycles: Sequence[Lifecycle], body: Callable[[Subject], Result]) -> None:
        self._lifecycles = tuple(lifecycles)
        self._body = body

    def evaluate(self, subject: Subject) -> Result:
        """Set up in order, execute, tear down in reverse; return the result.

        - A `setup` that returns Skip ends the chain: the body and later lifecycles do not run.
        - Torn down is what was set up, the skipping one included; a `setup` that raised is not.
        - Every teardown runs, whatever others raise. An error of a teardown wins over what was raised before,
          which stays as its context; but an interrupt (no Exception) is never replaced.
        """
        done: list[Lifecycle] = []
        result: Result | None = None
        error: BaseException | None = None
        try:
            for lifecycle in self._lifecycles:
                skip = lifecycle.setup(subject)
                done.append(lifecycle)
                if skip is not None:
                    result = skip.result
                    break
            else:
                result = self._body(subject)
        except BaseException as raised:
            error = raised
        for lifecycle in reversed(done):
            try:
                lifecycle.teardown(subject, None if error is not None else result)
            except BaseException as raised:
                error = _winner(raised, error)
        if error is not None:
            raise error
        assert result is not None
        return result


def _winner(raised: BaseException, before: BaseException | None) -> BaseException:
    if before is None or raised is before:
        return raised
    if not isinstance(before, Exception):
        return before
    chain = [raised]
    while chain[-1].__context__ is not None and chain[-1].__context__ not in chain:
        chain.append(chain[-1].__context__)
    inner: BaseException = before
    seen: list[BaseException] = [before]
    while inner.__context__ is not None and inner.__context__ not in seen:
        inner = inner.__context__
        seen.append(inner)
    if not any(error in seen for error in chain):
        chain[-1].__context__ = before
    return raised
