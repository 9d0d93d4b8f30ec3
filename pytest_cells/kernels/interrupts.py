"""Notice that the user wants to stop, without losing the KeyboardInterrupt, or a message because of it.

An exception that a signal handler raises while some object is being deleted is only printed: the wait for a cell
would go on to its timeout. One that is raised between the frames of a message, or when a request has been sent and
its id is not known yet, leaves a wait for something that has been and gone.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Tell whether SIGINT or SIGTERM has come, whatever became of the exception that its handler raised."""

    def __init__(self) -> None:
        self.seen = False
        self._holding = False
        self._held: BaseException | None = None

    def raise_if_seen(self) -> None:
        """Raise what a handler raised and what was held back or lost; KeyboardInterrupt where it was lost."""
        if self.seen:
            self.seen, held, self._held = False, self._held, None
            raise held if held is not None else KeyboardInterrupt

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold back what handlers raise, until this ends or `raise_if_seen` is called."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        self.raise_if_seen()

    @contextmanager
    def noted(self) -> Generator[None]:
        """Note the signals that come meanwhile; what handles them goes on doing so."""
        self.seen, self._held = False, None
        handlers: dict[int, Any] = {}
        with contextlib.suppress(ValueError):  # not the main thread: no signal is handled here
            for wanted in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(wanted)
                if callable(handler):
                    signal.signal(wanted, self._noting(handler))
                    handlers[wanted] = handler
        try:
            yield
        finally:
            self.seen = False
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _noting(self, handler: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], Any]:
        def note(number: int, frame: FrameType | None) -> Any:
            self.seen = True
            if not self._holding:
                return handler(number, frame)
            try:
                return handler(number, frame)
            except BaseException as problem:
                self._held = problem

        return note
