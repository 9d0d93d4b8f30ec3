"""Cached cells are reported without pytest's runner, and its loop is left too, where that changes nothing for anybody.

For a cell that is known to be cached, setup, call, teardown and what wraps them take longer than all that we do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import pytest

from pytest_cells.plugin import compat
from pytest_cells.plugin.items import OWNED, SESSION, CellItem
from pytest_cells.plugin.reports import attach, carry


class Loop:
    """One session's items on their way, in any process that runs cells."""

    _ours = False
    """Whether the loop over all items is ours, so that nobody else is asked about a cell that is cached."""
    _plainly = True
    """Whether facts are JSON-ready on each report, since somebody else may look at it."""
    _silently = False
    """Whether nobody does anything between two cells of one notebook but hear of their reports."""
    _last: pytest.Item | None = None
    """The cell that was reported last, where that was all there was to it."""

    def run(self, session: pytest.Session) -> bool:
        """Run all items as pytest's own loop does, but for cached cells; tell whether that was done."""
        if session.testsfailed or not compat.leaves_loop_to_us(session.config):
            return False
        self._ours, self._plainly = True, compat.looks_back(session.config)
        self._silently = not compat.tells_of_each(session.config)
        for at, item in enumerate(session.items):
            nextitem = session.items[at + 1] if at + 1 < len(session.items) else None
            if not self.report_hit(item, nextitem):
                self._last = None
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        return True

    def protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Report a cell if it is cached, where the loop is somebody else's; tell whether it was."""
        return not self._ours and self.report_hit(item, nextitem)

    def report_hit(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Report a cell as cached, as pytest's runner would, if it can be taken from the cache; tell whether it was.

        A session's first and last cell go pytest's ways, for there the session's fixtures are set up and torn down.
        """
        if not isinstance(item, CellItem) or nextitem is None or not item.undisturbed:
            return False
        if not item.config.stash.get(OWNED, False):
            return False
        start, began = time.time(), time.perf_counter()
        facts = item.take_hit()
        if facts is None:
            return False
        duration = time.perf_counter() - began
        file, hooks = item.parent, item.ihook
        phases = file.wants_phases
        nodeid, location = item.nodeid, item.location
        silently = self._silently and self._last is not None and self._last.parent is file
        if not silently:
            hooks.pytest_runtest_logstart(nodeid=nodeid, location=location)
        if phases:
            _report(item, _phase("setup"))
        report = compat.report_of_passed(item, start, duration)
        carry(report, facts, nodeid, plainly=phases or self._plainly)
        hooks.pytest_runtest_logreport(report=report)
        if phases or nextitem.parent is not file:
            left = _phase("teardown", lambda: leave(item, nextitem))
            if phases or left.excinfo is not None:
                _report(item, left)
        if not silently:
            hooks.pytest_runtest_logfinish(nodeid=nodeid, location=location)
        self._last = item
        return True


def leave(item: CellItem, nextitem: pytest.Item) -> None:
    """Do what pytest and we do after an item, where nobody else has a say."""
    if nextitem.parent is not item.parent:
        compat.leave(item, nextitem)
        release(item)


def release(item: CellItem) -> None:
    """Stop the kernel of a notebook whose last cell is done."""
    item.config.stash[SESSION].release(item.parent.notebook)


def _report(item: CellItem, call: pytest.CallInfo[Any]) -> None:
    report = pytest.TestReport.from_item_and_call(item, call)
    attach(item, call, report)
    item.ihook.pytest_runtest_logreport(report=report)


def _phase(when: Literal["setup", "teardown"], work: Callable[[], None] = lambda: None) -> pytest.CallInfo[Any]:
    return pytest.CallInfo.from_call(work, when, reraise=(pytest.exit.Exception, KeyboardInterrupt))
