"""Which code of the notebook and of its modules runs while a cell does: runs inside the kernel, from Python 3.12 on.

Python tells when a function begins (`sys.monitoring`) until it is told that this is enough, for each piece of code. Of
libraries it tells once. To have it tell everything anew for each cell takes 0.7 ms (`restart_events`), and would do so
to others who listen; so a second listener is for what is known to be the notebook's, and set anew on what has run.
"""

import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from .classes import identity
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

_HERE = os.path.join(os.path.dirname(__file__), "")
_FIRST_TIME, _AGAIN = 4, 5
"""The numbers of the two listeners: one that Python leaves to whoever comes, and the one of optimizers. Notebooks that
listen themselves can have all others."""
_NAME = "pytest-cells"


def _monitoring() -> Any:
    return getattr(sys, "monitoring", None)


class Executed:
    """The code of cells that ran since a cell began, wherever it was called from."""

    def __init__(self, is_own_file: "Callable[[str], bool]") -> None:
        self._codes: dict[int, Any] = {}
        self._ran: dict[int, Any] = {}
        """What has run since it was last listened to, by weak references: of the notebook and of its modules."""
        self.of_modules = False
        """Whether code of the project's modules was among it."""
        self._is_own_file, self._own_files = is_own_file, dict[str, bool]()
        self._monitoring = _monitoring()
        self.sees = self._monitoring is not None and self._listen()
        """Whether it is seen what runs."""

    def _listen(self) -> bool:
        """Begin to listen; tell whether that can be done, which it cannot where somebody else has those numbers."""
        monitoring, events = self._monitoring, self._monitoring.events
        if any(monitoring.get_tool(tool) is not None for tool in (_FIRST_TIME, _AGAIN)):
            return False
        self._events = events.PY_START | events.PY_RESUME
        for tool in (_FIRST_TIME, _AGAIN):
            monitoring.use_tool_id(tool, _NAME)
            for event in (events.PY_START, events.PY_RESUME):
                monitoring.register_callback(tool, event, self._seen)
        monitoring.set_events(_FIRST_TIME, self._events)
        return True

    def _seen(self, code: Any, offset: int) -> Any:
        path, number = code.co_filename, identity(code)
        if "ipykernel_" in path or path.startswith("<ipython-input"):
            self._codes[number] = code
        elif self._is_own(path):
            self.of_modules = True
        else:
            return self._monitoring.DISABLE
        self._ran[number] = weakref.ref(code)
        return self._monitoring.DISABLE

    def _is_own(self, path: str) -> bool:
        own = self._own_files.get(path)
        if own is None:
            own = os.path.isabs(path) and not path.startswith(_HERE) and self._is_own_file(path)
            self._own_files[path] = own
        return own

    def begin(self) -> None:
        """Forget what ran so far, and listen to it anew. Raises ValueError where somebody has taken that away."""
        self._codes.clear()
        self.of_modules = False
        if self.sees and not all(self._monitoring.get_tool(tool) == _NAME for tool in (_FIRST_TIME, _AGAIN)):
            raise ValueError("somebody else listens to what runs, in place of pytest-cells")
        for number in list(self._ran):  # threads may add to it meanwhile, and what they add stays
            code = self._ran.pop(number)()
            if code is not None:
                self._monitoring.set_local_events(_AGAIN, code, 0)
                self._monitoring.set_local_events(_AGAIN, code, self._events)

    def codes(self) -> "list[Any]":
        """Return the code objects that ran, but for the cell's own."""
        return [code for code in list(self._codes.values()) if code.co_name != "<module>"]
