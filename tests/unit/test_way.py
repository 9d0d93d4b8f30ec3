"""The way to the state that a cell needs."""

from pytest_cells.cache.trace import ABSENT, Snapshot, Trace
from pytest_cells.tracing.way import Below, Restore, find_way, needed_below, reachable


class Line:
    """Cells in a row: what each reads and writes, by name."""

    def __init__(self, *cells, snapshots=None):
        self.traces = {}
        self.states = [{}]
        for index, (reads, writes) in enumerate(cells):
            before = self.states[-1]
            inputs = {f"var:{name}": before.get(f"var:{name}", ABSENT) for name in reads}
            left = {f"var:{name}": version for name, version in writes.items()}
            kept = tuple(Snapshot((name,), f"{name}{index}", "") for name in (snapshots or {}).get(index, ()))
            self.traces[index] = Trace(str(index), inputs, left, snapshots=kept)
            self.states.append({**before, **left})

    def way(self, needed, first=0, held=None, bad=()):
        last = len(self.traces)
        traces = {index: trace for index, trace in self.traces.items() if index >= first}
        return find_way(needed, traces, first, last, self.states.__getitem__, held or {}, bad)

    def steps(self, *arguments, **keywords):
        found = self.way(*arguments, **keywords)
        return (
            None
            if found is None
            else [("restore" if isinstance(action, Restore) else "replay", action.index) for action in found.actions]
        )


def test_nothing_needed():
    """A cell that needs nothing needs no way."""
    assert [] == Line(((), {"x": "1"})).steps(["y"])


def test_only_what_is_needed():
    """Cells whose names nobody asks for are left out."""
    line = Line(((), {"x": "1"}), ((), {"y": "1"}), (("x",), {"z": "1"}))
    assert [("replay", 0), ("replay", 2)] == line.steps(["z"])


def test_the_last_writer_counts():
    """A name comes from the last cell that wrote it; one that overwrites it needs nothing of those before."""
    line = Line(((), {"x": "1"}), ((), {"x": "2"}))
    assert [("replay", 1)] == line.steps(["x"])


def test_a_mutation_needs_what_it_changes():
    """A cell that reads what it writes needs the value from before."""
    line = Line(((), {"x": "1"}), (("x",), {"x": "2"}))
    assert [("replay", 0), ("replay", 1)] == line.steps(["x"])


def test_snapshot_instead_of_replay():
    """What a cell left as a snapshot is restored, and nothing that the cell read is needed."""
    line = Line(((), {"x": "1"}), (("x",), {"y": "1"}), snapshots={1: ["y"]})
    assert [("restore", 1)] == line.steps(["y"])


def test_snapshot_that_is_no_good():
    """A snapshot that did not come back as it was is left out."""
    line = Line(((), {"x": "1"}), (("x",), {"y": "1"}), snapshots={1: ["y"]})
    assert [("replay", 0), ("replay", 1)] == line.steps(["y"], bad={"y1"})


def test_snapshot_for_some_of_it():
    """Where one of the names has no snapshot the cell is replayed for all."""
    line = Line(((), {"x": "1", "y": "1"}), snapshots={0: ["y"]})
    assert [("replay", 0)] == line.steps(["x", "y"])


def test_a_deletion_is_replayed_only_if_needed():
    """A deleted name is as good as one that never was."""
    line = Line(((), {"x": "1"}), (("x",), {"x": ABSENT}))
    assert [] == line.steps(["x"])


def test_what_the_kernel_holds():
    """Names that the kernel holds at their worth of now are not made again."""
    line = Line(((), {"x": "1"}), (("x",), {"y": "1"}))
    assert [("replay", 1)] == line.steps(["y"], first=1, held={"x": "1"})


def test_no_way_back():
    """What was made above the kernel's position, and is not held as it was, cannot be had in this kernel."""
    line = Line(((), {"x": "1"}), (("x",), {"y": "1"}))
    assert None is line.steps(["y"], first=1, held={"x": "2"})
    assert None is line.steps(["y"], first=1)


def test_a_cell_that_writes_a_file():
    """A cell that writes a file is executed once in a run, with all the others: it may add to the file."""
    line = Line(((), {"x": "1"}), ((), {"y": "1"}))
    trace = line.traces[0]
    line.traces[0] = Trace(trace.lookup, trace.inputs, {**trace.writes, "path:out": "1"})
    assert None is line.steps(["x"])
    assert [("replay", 1)] == line.steps(["y"])


def test_reachable():
    """Names reach what their code uses, and what shares objects with them."""
    uses = {"f": ["g", "x"], "g": ["y"]}
    assert {"f", "g", "x", "y", "z"} == reachable(["f"], uses, {"var:y": "1&y,z", "var:z": "1&y,z"})


def test_code_of_the_project_needs_what_its_modules_remember() -> None:
    """A name that holds something of a project's module may touch the variables of all of them."""
    versions = {"var:helpers": "x1", "var:x": "x2", "var:helpers:load": "x3", "var:other:TABLE": "x4"}
    assert {"helpers", "helpers:load", "other:TABLE"} == reachable(["helpers"], {"helpers": [":"]}, versions)
    assert {"x"} == reachable(["x"], {"helpers": [":"]}, versions)


def test_a_module_that_is_as_it_was_loaded():
    """Who needs it loads it anew, unless a cell has made something else of its functions."""
    loads = (), {"helpers": "1", "helpers:()": "1"}
    line = Line(loads, ((), {"x": "1"}))
    assert [] == line.steps(["helpers:()"])
    assert [("replay", 0)] == line.steps(["helpers", "helpers:()"])
    line = Line(loads, (("helpers", "helpers:()"), {"helpers:()": "2"}))
    assert [("replay", 0), ("replay", 1)] == line.steps(["helpers:()"])


def below(reads="", writes="", **more):
    """Return a cell below, by names of one letter."""
    return Below(frozenset(reads), frozenset(writes), **more)


def needed(*cells, edits_matter=False):
    """Return what the cells need, as a text."""
    return "".join(sorted(needed_below(cells, edits_matter=edits_matter)))


def test_what_cells_below_need():
    """Those that run for sure, and those that read what such cells write, are thought of."""
    volatile = below("a", "t", volatile=True)
    assert "ab" == needed(volatile, below("tb", "u"), below("c", "d"))
    assert "abe" == needed(volatile, below("tb", "u"), below("ue"))


def test_what_cells_below_an_edited_one_need():
    """Whether an edited cell gives something else is not known before."""
    cells = below("a", "t", edited=True), below("b", edited=True), below("tc", "u"), below("ud")
    assert "ab" == needed(*cells)
    assert "abcd" == needed(*cells, edits_matter=True)


def test_what_cells_below_make_themselves():
    """What is written between is not yet there, and can be brought back when its turn comes."""
    assert "a" == needed(below("a", "t", volatile=True), below("", "b"), below("tb", "u"))
    assert "" == needed(below("a", "b"), below("b", "c"))


def test_below_of_a_trace():
    """A cell that is executed in every run is told by its trace; so are its variables, and those alone."""
    trace = Trace("1", {"var:x": "1", "path:f": "2"}, {"var:y": "3", "slot:s": "4"})
    assert below("x", "y") == Below.of(trace)
    assert Below.of(Trace("1", {}, {}, volatile=("it uses the clock",))).volatile
