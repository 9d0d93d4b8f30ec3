"""Notice that the user wants to stop, also where Python loses the KeyboardInterrupt.

An exception that a signal handler raises while some object is being deleted is only printed: the wait for a cell
would go on to its timeout.
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

    def raise_if_lost(self) -> None:
        """Raise KeyboardInterrupt where one should have been raised by now."""
        if self.seen:
            self.seen = False
            raise KeyboardInterrupt

    @contextmanager
    def noted(self) -> Generator[None]:
        """Note the signals that come meanwhile; what handles them goes on doing so."""
        self.seen = False
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
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _noting(self, handler: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], Any]:
        def note(number: int, frame: FrameType | None) -> Any:
            self.seen = True
            return handler(number, frame)

        return note
