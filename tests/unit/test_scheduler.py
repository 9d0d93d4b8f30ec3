from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("xdist")

from pytest_cells.cache.trace import CellRecord, NotebookRecord
from pytest_cells.plugin.xdist import NotebookScheduling, XdistHooks, notebook_of


class Node:
    """A worker as xdist's controller sees it, which runs an item only when it knows the next, or that there is none."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.sent: list[list[int]] = []
        self.waiting: list[int] = []
        self.ran: list[int] = []

    def __repr__(self) -> str:
        return self.gateway.id

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down, "a worker that was told to end gets no more"
        self.sent.append(list(indices))
        self.waiting.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True

    @property
    def ready(self) -> bool:
        return len(self.waiting) > 1 or (self.shutting_down and bool(self.waiting))


class Config:
    """As much of pytest's configuration as the scheduler asks for."""

    def __init__(self, workers: int, dist: str) -> None:
        self.reported: list[Any] = []
        self._values = {"dist": dist, "tx": [f"{workers}*popen"]}
        self.hook = SimpleNamespace(pytest_collectreport=lambda report: self.reported.append(report))

    def getoption(self, name: str) -> Any:
        return self._values[name]

    getvalue = getoption


class Controller:
    """xdist's controller: it starts workers, passes on what they say, and replaces those that crash."""

    def __init__(self, items: list[str], workers: int = 2, dist: str = "load", records: Any = None) -> None:
        store = SimpleNamespace(get_record=lambda name: (records or {}).get(name))
        self.items, self.config, self.said = items, Config(workers, dist), []
        session = SimpleNamespace(store=store)
        self.scheduler = NotebookScheduling(self.config, self.said.append, session)  # type: ignore[arg-type]
        self.nodes = [Node(f"gw{number}") for number in range(workers)]
        self.crashed: list[str | None] = []
        for node in self.nodes:
            self.scheduler.add_node(node)

    def collected(self, node: Node, items: list[str] | None = None) -> None:
        self.scheduler.add_node_collection(node, self.items if items is None else items)
        if self.scheduler.collection_is_completed:
            self.scheduler.schedule()
        self._look()

    def start(self) -> Controller:
        for node in self.nodes:
            self.collected(node)
        return self

    def crash(self, node: Node) -> Node:
        """Let a worker crash while it runs its first item; return the one in its place, which has not collected."""
        self.nodes.remove(node)
        self.crashed.append(self.scheduler.remove_node(node))
        new = Node(f"gw{len(self.nodes) + 10}")
        self.nodes.append(new)
        self.scheduler.add_node(new)
        self._look()
        return new

    def step(self, node: Node) -> None:
        """Let a worker finish one item."""
        item = node.waiting.pop(0)
        node.ran.append(item)
        self.scheduler.mark_test_complete(node, item)
        self._look()

    def run(self) -> list[str]:
        """Let all workers run what they can, in turn, and return what was run, in order of workers."""
        while ready := [node for node in self.nodes if node.ready]:
            for node in ready:
                self.step(node)
        return [self.items[index] for node in self.nodes for index in node.ran]

    def ran(self, node: Node) -> list[str]:
        return [self.items[index] for index in node.ran]

    def _look(self) -> None:
        if self.scheduler.tests_finished:
            for node in self.scheduler.nodes:
                node.shutdown()


def cells(name: str, count: int) -> list[str]:
    """Return the node ids of a notebook's cells."""
    return [f"{name}.ipynb::cell-{number}" for number in range(1, count + 1)]


A, B, C = cells("a", 3), cells("sub/b", 5), cells("c", 1)
TESTS = [f"test_m.py::test_{number}" for number in range(6)]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
@pytest.mark.parametrize(
    "items",
    [A, C, A + B + C, TESTS, A + TESTS + B, TESTS[:1], A + TESTS[:1], cells("d", 1) + C],
    ids=["one", "one-cell", "three", "tests", "mixed", "one-test", "one-and-one", "two-cells"],
)
def test_everything_runs_once(items: list[str], dist: str, workers: int) -> None:
    """Each item is run once, on any number of workers and under any `--dist`, and all workers end."""
    controller = Controller(items, workers, dist).start()
    assert sorted(items) == sorted(controller.run())
    assert [True] * workers == [node.shutting_down for node in controller.nodes]
    assert (True, False) == (controller.scheduler.tests_finished, controller.scheduler.has_pending)


def test_nothing_to_run() -> None:
    """Without any item all workers end."""
    controller = Controller([]).start()
    assert ([], [True, True]) == (controller.run(), [node.shutting_down for node in controller.nodes])


@pytest.mark.parametrize("dist", ["load", "worksteal", "loadscope", "loadfile", "loadgroup"])
def test_notebooks_stay_whole(dist: str) -> None:
    """All cells of a notebook are run by one worker, in order and without another item between."""
    items = [item for row in zip(A, B, TESTS, strict=False) for item in row] + B[3:] + TESTS[3:] + C
    controller = Controller(items, 2, dist).start()
    controller.run()
    for notebook in (A, B, C):
        (ran,) = [controller.ran(node) for node in controller.nodes if notebook[0] in controller.ran(node)]
        at = ran.index(notebook[0])
        assert notebook == ran[at : at + len(notebook)]


def test_notebooks_go_before_tests() -> None:
    """Notebooks, which take longest, are dealt out before ordinary tests."""
    controller = Controller(TESTS + A, 1).start()
    assert A + TESTS == controller.run()


def record(*durations_ms: float) -> NotebookRecord:
    """Return the record of a notebook whose cells took so long."""
    cells = {str(at): CellRecord("s", "d", {}, {}, duration) for at, duration in enumerate(durations_ms)}
    return NotebookRecord(cells)


def test_the_longest_goes_first() -> None:
    """Notebooks are dealt out by how long they took when they last ran."""
    records = {"a.ipynb": record(10.0, 5.0), "sub/b.ipynb": record(20.0), "c.ipynb": record(9000.0)}
    assert C + B + A == Controller(A + B + C, 1, records=records).start().run()


def test_without_records_the_most_cells_go_first() -> None:
    """Of notebooks that never ran the one with most cells goes first."""
    assert B + A + C == Controller(C + A + B, 1).start().run()


def sent(controller: Controller) -> list[list[str]]:
    """Return what all workers were sent at once, in any order."""
    return sorted([controller.items[index] for index in unit] for node in controller.nodes for unit in node.sent)


TWO_FILES = ["test_a.py::A::test_1", "test_b.py::test_1", "test_a.py::A::test_2", "test_a.py::test_3"]
GROUPED = ["test_a.py::test_1@one", "test_b.py::test_2@one", "test_b.py::test_3[x@y]", "test_b.py::test_4@two"]


@pytest.mark.parametrize(
    ("dist", "items", "units"),
    [
        ("loadscope", TWO_FILES, [[TWO_FILES[0], TWO_FILES[2]], [TWO_FILES[3]], [TWO_FILES[1]]]),
        ("loadfile", TWO_FILES, [[TWO_FILES[0], TWO_FILES[2], TWO_FILES[3]], [TWO_FILES[1]]]),
        ("loadgroup", GROUPED, [GROUPED[:2], [GROUPED[2]], [GROUPED[3]]]),
        ("load", TWO_FILES, [[item] for item in sorted(TWO_FILES)]),
        ("worksteal", TWO_FILES, [[item] for item in sorted(TWO_FILES)]),
    ],
    ids=["loadscope", "loadfile", "loadgroup", "load", "worksteal"],
)
def test_ordinary_tests_by_dist(dist: str, items: list[str], units: list[list[str]]) -> None:
    """Ordinary tests go together as the user's `--dist` says."""
    controller = Controller(items, 2, dist).start()
    controller.run()
    assert units == sent(controller)


def test_many_tests_go_in_chunks() -> None:
    """Many ordinary tests are sent several at once, and no worker is ahead by more than a part of them."""
    items = [f"test_m.py::test_{number}" for number in range(1000)]
    controller = Controller(items, 2).start()
    controller.run()
    sizes = {len(unit) for unit in sent(controller)}
    assert 1 < max(sizes) <= 32


def test_workers_share_ordinary_tests() -> None:
    """Ordinary tests are balanced: no worker runs all of them."""
    controller = Controller([f"test_m.py::test_{number}" for number in range(100)], 2).start()
    controller.run()
    assert all(25 < len(node.ran) < 75 for node in controller.nodes)


# -- crashes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [0, 1, 2])
def test_a_crash(done: int) -> None:
    """The cell that crashed is told once; the rest of its notebook runs elsewhere, and everything else once."""
    controller = Controller(B + A, 2).start()
    first = next(node for node in controller.nodes if controller.items[node.waiting[0]] == B[0])
    for _ in range(done):
        controller.step(first)
    new = controller.crash(first)
    controller.collected(new)
    ran = controller.run()
    assert [B[done]] == controller.crashed
    assert sorted(set(B[done + 1 :]) | set(A)) == sorted(ran)
    (elsewhere,) = [controller.ran(node) for node in controller.nodes if B[4] in controller.ran(node)]
    at = elsewhere.index(B[done + 1])
    assert B[done + 1 :] == elsewhere[at : at + 4 - done]


def test_a_crash_of_the_last_worker() -> None:
    """A single worker's crash leaves all other items to the one in its place."""
    controller = Controller(A + C + TESTS, 1).start()
    controller.step(controller.nodes[0])
    controller.collected(controller.crash(controller.nodes[0]))
    assert sorted(A[2:] + C + TESTS) == sorted(controller.run())
    assert [A[1]] == controller.crashed


def test_a_crash_in_the_last_item() -> None:
    """A crash in the last item leaves nothing, and all workers end."""
    controller = Controller(C, 1).start()
    new = controller.crash(controller.nodes[0])
    controller.collected(new)
    assert ([C[0]], [], True) == (controller.crashed, controller.run(), new.shutting_down)


def test_every_cell_crashes() -> None:
    """Crash after crash, each cell is told once, until none is left."""
    controller = Controller(A, 1).start()
    for _ in A:
        controller.collected(controller.crash(controller.nodes[0]))
    assert (A, []) == (controller.crashed, controller.run())


def test_a_crash_while_another_worker_ends() -> None:
    """What a crashed worker leaves when all others were told to end waits for the one in its place."""
    controller = Controller(B + C, 2).start()
    busy = next(node for node in controller.nodes if controller.items[node.waiting[0]] == B[0])
    other = next(node for node in controller.nodes if node is not busy)
    controller.step(other)
    assert True is other.shutting_down
    new = controller.crash(busy)
    assert False is controller.scheduler.tests_finished
    controller.collected(new)
    controller.run()
    assert B[1:] == controller.ran(new)


def test_a_crash_of_a_worker_that_held_nothing() -> None:
    """A worker that crashed without an item is told as no item's fault."""
    controller = Controller(C, 2).start()
    idle = next(node for node in controller.nodes if not node.waiting)
    controller.crash(idle)
    assert [None] == controller.crashed


def test_a_crash_during_collection() -> None:
    """A worker that crashes before all have collected is replaced, and everything runs once."""
    controller = Controller(A + C, 2)
    controller.collected(controller.nodes[0])
    new = controller.crash(controller.nodes[1])
    controller.collected(new)
    assert sorted(A + C) == sorted(controller.run())


def test_a_crash_during_collection_by_one_that_had_collected() -> None:
    """A worker that crashes after it collected, before others have, is replaced, and everything runs once."""
    controller = Controller(A + C, 2)
    controller.collected(controller.nodes[0])
    first, second = controller.nodes
    new = controller.crash(first)
    controller.collected(second)
    controller.collected(new)
    assert sorted(A + C) == sorted(controller.run())


# -- collections, and the rest of the protocol -------------------------------------------------------------


def test_no_scheduling_before_all_have_collected() -> None:
    """Nothing is sent before every worker has told what it collected."""
    controller = Controller(A, 2)
    controller.collected(controller.nodes[0])
    assert ([], []) == (controller.nodes[0].sent, controller.nodes[1].sent)
    assert (False, False) == (controller.scheduler.collection_is_completed, controller.scheduler.tests_finished)


def test_workers_that_collected_different_items() -> None:
    """Where workers collected different items nothing runs, and the difference is told."""
    controller = Controller(A, 2)
    controller.collected(controller.nodes[0])
    controller.collected(controller.nodes[1], A[:2])
    assert ["gw1"] == [report.nodeid for report in controller.config.reported]
    assert "**Different tests collected, aborting run**" == controller.said[-1]
    assert [] == controller.run()


def test_a_late_worker_that_collected_other_items() -> None:
    """A late worker that collected something else gets nothing; the others do the work."""
    controller = Controller(A + C, 2).start()
    new = controller.crash(controller.nodes[0])
    controller.collected(new, A)
    assert [] == new.sent


def test_a_late_worker_takes_its_share() -> None:
    """A worker that comes when all is dealt out, but for what waits, is fed at once."""
    controller = Controller(A + B + C + cells("d", 2) + cells("e", 2), 2).start()
    new = controller.crash(controller.nodes[0])
    controller.collected(new)
    assert [] != new.sent


def test_an_item_that_is_run_again() -> None:
    """An item that a plugin asks for once more is run once more."""
    controller = Controller(A, 1).start()
    controller.step(controller.nodes[0])
    controller.scheduler.mark_test_pending(A[0])
    assert [*A, A[0]] == controller.run()


def test_items_that_are_taken_back() -> None:
    """Items that are taken back from a worker are pending no more."""
    controller = Controller(A, 1).start()
    controller.scheduler.remove_pending_tests_from_node(controller.nodes[0], [1, 2])
    controller.scheduler.mark_test_complete(controller.nodes[0], 0)
    assert False is controller.scheduler.has_pending


def test_workers_end_only_when_all_is_dealt_out() -> None:
    """Tests are finished once each worker holds one item at most, which it runs when it is told to end."""
    controller = Controller(A, 1).start()
    node, told = controller.nodes[0], []
    for _ in A:
        told.append((controller.scheduler.tests_finished, node.shutting_down))
        controller.step(node)
    assert [(False, False), (False, False), (True, True)] == told


@pytest.mark.parametrize(
    ("dist", "kind"),
    [("each", type(None)), ("load", NotebookScheduling), ("loadfile", NotebookScheduling)],
    ids=["each", "load", "loadfile"],
)
def test_when_it_is_ours(dist: str, kind: type) -> None:
    """The scheduler is ours under any `--dist` but `each`."""
    hooks = XdistHooks(SimpleNamespace(store=None))  # type: ignore[arg-type]
    assert kind is type(hooks.pytest_xdist_make_scheduler(Config(2, dist), lambda *_: None))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("a/b.ipynb::cell", "a/b.ipynb"),
        ("b.ipynb::x@group", "b.ipynb"),
        ("test_m.py::test_x", None),
        ("test_m.py::test_x[b.ipynb]", None),
        ("b.ipynb", None),
        ("b.ipynb.py::x", None),
    ],
)
def test_notebook_of(nodeid: str, name: str | None) -> None:
    """The notebook of a cell is what stands before the first `::`."""
    assert name == notebook_of(nodeid)
