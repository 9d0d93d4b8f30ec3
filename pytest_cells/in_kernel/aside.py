"""Set what libraries are made of aside from Python's garbage collector: runs in the kernel.

Each full collection goes through all objects that there are: 0.1 s where pandas and statsmodels are loaded, two of them
while they are being imported, some more in the cells below and at the end. Nothing of theirs is ever garbage.

Only while nothing but imports and settings has been executed in the notebook: whatever of the notebook's own was set
aside (`gc.freeze`) would not be collected any more, and nobody could tell who waits for that.
"""

import ast
import re
import sys
from typing import Any

from .trees import parse
from .versions import PRIVATE_BUILTINS, collector

__builtins__ = PRIVATE_BUILTINS

NAMES_COLLECTOR = re.compile(r"\bgc\b")
"""Finds code that may ask the collector what there is."""
_STEP = 100
"""So many modules are imported before what they have made is set aside."""
_SETTING_MAGICS = frozenset({"matplotlib", "config", "precision"})
_NEVER, _ALL = 0, float("inf")


class Aside:
    """What is set aside in one kernel."""

    def __init__(self) -> None:
        self._next = len(sys.modules) + _STEP
        self._there = False
        self.allowed = hasattr(collector, "freeze")
        """Whether there is nothing of the notebook's own yet."""
        self._before: float = _NEVER
        """Before which line of the cell that is under way nothing but imports and settings stands."""

    def begin(self, source: str) -> None:
        """Read a cell that is about to be executed: Python, as IPython has made it of what stands in the notebook."""
        self._before = _first_of_its_own(source) if self.allowed else _NEVER
        self.allowed = self._before == _ALL

    def importing(self, frame: Any) -> None:
        """Note that a module is about to be imported; `frame` is that of whoever imports it."""
        if self._before and len(sys.modules) >= self._next:
            self._next = len(sys.modules) + _STEP
            if _line_of_cell(frame) < self._before:
                self._there = True
                collector.freeze()

    def stop(self) -> None:
        """Set nothing aside any more."""
        self.allowed, self._before = False, _NEVER

    def show(self) -> None:
        """Let the collector, and whoever asks it, see everything."""
        self.stop()
        if self._there:
            self._there = False
            collector.unfreeze()


def _first_of_its_own(source: str) -> float:
    """Return the line of the first statement that is neither an import nor a setting; infinity where there is none."""
    try:
        body = parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _NEVER
    return next((node.lineno for node in body if not _leads(node)), _ALL)


def _leads(node: ast.stmt) -> bool:
    """Tell whether a statement imports, or sets something of a library to what stands there."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Constant) and not any(isinstance(one, ast.Name) for one in node.targets)
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    called = node.value.func
    given = [*node.value.args, *[keyword.value for keyword in node.value.keywords]]
    if not isinstance(called, ast.Attribute) or not all(isinstance(one, ast.Constant) for one in given):
        return False
    if called.attr == "run_line_magic":
        return any(getattr(one, "value", None) in _SETTING_MAGICS for one in given[:1])
    owner = called.value
    while isinstance(owner, ast.Attribute):
        owner = owner.value
    return isinstance(owner, ast.Name)


def _line_of_cell(frame: Any) -> float:
    """Return which line of the cell is being executed; infinity where that is none."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>":
            line: int = frame.f_lineno
            return line
        frame = frame.f_back
    return _ALL
