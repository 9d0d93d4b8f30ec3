"""Our scheduler for pytest-xdist: notebooks stay whole, whatever `--dist` says, and survive a crash.

xdist's own loadscope, loadfile and loadgroup lose or repeat items after a worker's crash (3.8.0), and load and
worksteal split notebooks; so this is written against the `Scheduling` protocol and builds on none of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from xdist.report import report_collection_diff
from xdist.workermanage import parse_tx_spec_config

from pytest_cells.plugin import compat
from pytest_cells.session import Session

MOST_AHEAD = 32
UNKNOWN_CELL_MS = 100.0
Unit = list[int]
"""Indices that one worker gets together."""


class XdistHooks:
    """What is registered only where xdist is there."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shared: list[Any] | None = None
        """What workers are told, once it has been asked for."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let the workers of this machine use one fork server, where it is likely that notebooks are run."""
        if node.gateway.spec.popen and compat.names_notebooks(node.config):
            if self._shared is None:
                self._shared = [self._session.share_kernels()]
            node.workerinput["cells_fork_server"] = self._shared[0]

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> NotebookScheduling | None:
        """Schedule by notebook; `--dist each` is left as it is."""
        if config.getoption("dist") == "each":
            return None
        return NotebookScheduling(config, log, self._session)


class NotebookScheduling:
    """Deal out notebooks, longest first, then the ordinary tests in the units of the user's `--dist`."""

    def __init__(self, config: pytest.Config, log: Any, session: Session) -> None:
        self.config, self.log = config, log
        self.numnodes = len(parse_tx_spec_config(config))
        self.collection: list[str] | None = None
        self.node2collection: dict[Any, list[str]] = {}
        self._pending: dict[Any, list[int]] = {}
        self._queue: deque[Unit] = deque()
        self._session = session

    @property
    def nodes(self) -> list[Any]:
        """The workers that are there."""
        return list(self._pending)

    @property
    def collection_is_completed(self) -> bool:
        """Whether all workers have told what they collected."""
        return len(self.node2collection) >= self.numnodes

    @property
    def tests_finished(self) -> bool:
        """Whether workers may be told to end: each holds one item at most, which it runs when told."""
        if not self.collection_is_completed or self._queue:
            return False
        return all(len(pending) < 2 for pending in self._pending.values())

    @property
    def has_pending(self) -> bool:
        """Whether anything is still to be run."""
        return bool(self._queue) or any(self._pending.values())

    def add_node(self, node: Any) -> None:
        """Take a new worker, at the start or in place of one that crashed."""
        self._pending.setdefault(node, [])

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Take what a worker collected; a late one must have collected the same as all."""
        if self.collection is not None and list(collection) != self.collection:
            other = next(iter(self.node2collection))
            self.log(report_collection_diff(self.collection, collection, other.gateway.id, node.gateway.id))
            del self._pending[node]  # its indices mean other items
            node.shutdown()
            return
        self.node2collection[node] = list(collection)

    def schedule(self) -> None:
        """Deal out the first units, or feed a worker that came later."""
        if self.collection is None:
            if not self._collections_agree():
                self.log("**Different tests collected, aborting run**")
                return
            self.collection = next(iter(self.node2collection.values()))
            self._queue.extend(self._units(self.collection))
        self._feed_all()

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Note that a worker is done with an item."""
        self._pending[node].remove(item_index)
        self._feed(node)

    def mark_test_pending(self, item: str) -> None:
        """Queue an item once more (pytest-rerunfailures asks for this)."""
        assert self.collection is not None
        self._queue.appendleft([self.collection.index(item)])
        self._feed_all()

    def remove_pending_tests_from_node(self, node: Any, indices: Sequence[int]) -> None:
        """Take items back from a worker."""
        self._pending[node] = [index for index in self._pending[node] if index not in indices]

    def remove_node(self, node: Any) -> str | None:
        """Drop a worker; where it crashed, return the item that it ran and queue the others it held."""
        pending = self._pending.pop(node, [])
        if not pending:
            return None
        assert self.collection is not None
        crashed = self.collection[pending[0]]
        rest = _grouped(pending[1:], lambda index: notebook_of(self._id(index)) or index)
        self._queue.extendleft(reversed(rest))
        self._feed_all()
        return crashed

    def _feed_all(self) -> None:
        for node in self.nodes:
            self._feed(node)

    def _feed(self, node: Any) -> None:
        """Keep two items with a worker: it runs one only when it knows the next, or that there is none."""
        if node.shutting_down:
            return
        while self._queue and len(self._pending[node]) < 2:
            unit = self._queue.popleft()
            self._pending[node].extend(unit)
            node.send_runtest_some(unit)
        if not self._queue and len(self._pending[node]) < 2:
            node.shutdown()

    def _id(self, index: int) -> str:
        assert self.collection is not None
        return self.collection[index]

    def _collections_agree(self) -> bool:
        (first_node, first), *others = self.node2collection.items()
        same = True
        for node, collection in others:
            text = report_collection_diff(first, collection, first_node.gateway.id, node.gateway.id)
            if text:
                same = False
                self.log(text)
                report = pytest.CollectReport(nodeid=node.gateway.id, outcome="failed", longrepr=text, result=[])
                self.config.hook.pytest_collectreport(report=report)
        return same

    def _units(self, collection: Sequence[str]) -> list[Unit]:
        cells = [index for index, nodeid in enumerate(collection) if notebook_of(nodeid)]
        notebooks = _grouped(cells, lambda index: notebook_of(collection[index]))
        notebooks.sort(key=lambda unit: self._weight(collection, unit), reverse=True)
        others = [index for index, nodeid in enumerate(collection) if not notebook_of(nodeid)]
        dist = self.config.getoption("dist")
        if dist in ("loadscope", "loadfile", "loadgroup"):
            return notebooks + _grouped(others, lambda index: _scope(collection[index], dist))
        size = max(1, min(len(others) // (8 * max(self.numnodes, 1)), MOST_AHEAD))
        return notebooks + [others[start : start + size] for start in range(0, len(others), size)]

    def _weight(self, collection: Sequence[str], unit: Unit) -> float:
        """Return how long a notebook took when it last ran, in ms, or a guess."""
        name = notebook_of(collection[unit[0]])
        record = self._session.store.get_record(name) if self._session.store and name else None
        if record is None:
            return len(unit) * UNKNOWN_CELL_MS
        return sum(cell.duration_ms for cell in record.cells.values())


def notebook_of(nodeid: str) -> str | None:
    """Return the notebook that a node id belongs to, or None for an ordinary test."""
    path, separator, _ = nodeid.partition("::")
    return path if separator and path.endswith(".ipynb") else None


def _scope(nodeid: str, dist: str) -> str:
    """Return what xdist's own scheduler of this name groups by."""
    if dist == "loadgroup":
        return nodeid.rpartition("@")[2] if nodeid.rfind("@") > nodeid.rfind("]") else nodeid
    return nodeid.rpartition("::")[0] if dist == "loadscope" else nodeid.partition("::")[0]


def _grouped(indices: Iterable[int], key: Any) -> list[Unit]:
    groups: dict[Any, Unit] = {}
    for index in indices:
        groups.setdefault(key(index), []).append(index)
    return list(groups.values())
