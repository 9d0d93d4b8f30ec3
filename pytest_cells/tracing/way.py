"""Find the shortest way to the state that a cell needs: which cells to replay, which components to restore. Pure.

The way goes through the notebook in order. A name comes from the last cell above that wrote it: restored where
that cell left a snapshot of the name's component, else by replaying the cell, which needs names of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from pytest_cells.cache.trace import ABSENT, Snapshot, Trace, Version
from pytest_cells.in_kernel.versions import BINDINGS, FOLDER, OF_MODULES
from pytest_cells.tracing.record import members_of


@dataclass(frozen=True)
class Restore:
    """Load the components that a cell left."""

    index: int
    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True)
class Replay:
    """Execute a cell again."""

    index: int


@dataclass(frozen=True)
class Way:
    """What to do, in order."""

    actions: tuple[Restore | Replay, ...]
    needed: frozenset[str]
    """The names that will be as they were, beside those that the kernel holds."""


@dataclass(frozen=True)
class Below:
    """What a cell that is not decided yet is known to do."""

    reads: frozenset[str]
    writes: frozenset[str] = frozenset()
    edited: bool = False
    """Whether nothing is stored of it, so that it is going to be executed, and may well give something else."""
    volatile: bool = False
    """Whether it is executed in every run."""

    @classmethod
    def of(cls, trace: Trace) -> Below:
        """Return what a cell did when it was executed last."""
        return cls(_variables(trace.inputs), _variables(trace.writes), volatile=bool(trace.volatile))


def _variables(versions: Mapping[str, Version]) -> frozenset[str]:
    return frozenset(name[len("var:") :] for name in versions if name.startswith("var:"))


def reachable(names: Iterable[str], uses: Mapping[str, Collection[str]], versions: Mapping[str, Version]) -> set[str]:
    """Return the names that code which names some may touch: through functions, and through shared objects."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(states_of_modules(versions) if name == OF_MODULES else uses.get(name, ()))
            waiting.extend(members_of(name, versions.get(f"var:{name}", ABSENT)))
    return found - {OF_MODULES}


def states_of_modules(versions: Mapping[str, Version], imports: Collection[str] | None = None) -> list[str]:
    """Return the variables of modules that cells above have left; with `imports`, where one of these is imported.

    Of all of them: they may import one another. Importing one anew would make it as it was at first.
    """
    found = [name[len("var:") :] for name in versions if name.startswith("var:") and ":" in name[len("var:") :]]
    asked = imports is None or any(name.partition(":")[0].partition(".")[0] in imports for name in found)
    return found if asked else []


def needed_below(cells: Iterable[Below], *, edits_matter: bool) -> set[str]:
    """Return the names that cells below are going to read, and that none of those between writes first.

    `cells` are the one that is about to be executed and those below it, in order. They are executed where they were
    edited, in every run, or because they read what cells of the latter kind write; with `edits_matter` also what edited
    cells write. A kernel that was not given what they need would soon be given up for another.
    """
    needed: set[str] = set()
    written: set[str] = set()
    moving: set[str] = set()
    for cell in cells:
        reads_what_moves = not moving.isdisjoint(cell.reads)
        if cell.edited or cell.volatile or reads_what_moves:
            needed |= cell.reads - written
        if cell.volatile or reads_what_moves or (cell.edited and edits_matter):
            moving |= cell.writes
        written |= cell.writes
    return needed


def find_way(
    needed: Collection[str],
    traces: Mapping[int, Trace],
    first: int,
    last: int,
    versions: Callable[[int], Mapping[str, Version]],
    held: Mapping[str, Version],
    bad: Collection[str] = (),
) -> Way | None:
    """Return how to make `needed` names real before cell `last`, from a kernel that has come to cell `first`.

    `traces` are those of the cells from `first` to `last`, by position; `versions` tells the State before a
    position; `held` tells what the kernel's names are worth now; `bad` are snapshots that are of no use. None where
    there is no way forward.
    """
    anew = _as_loaded(traces, versions(first))
    wanted = {name for name in needed if versions(last).get(f"var:{name}", ABSENT) != ABSENT} - anew
    actions: list[Restore | Replay] = []
    for index in range(last - 1, first - 1, -1):
        trace = traces.get(index)
        if trace is None:
            continue
        written = _variables(trace.writes)
        files = any(name.startswith("path:") and version != FOLDER for name, version in trace.writes.items())
        due = wanted & written
        if due:
            restored = _restored(due, trace, bad)
            if restored is not None:
                actions.append(Restore(index, tuple(restored)))
                wanted -= {name for snapshot in restored for name in snapshot.names}
            else:
                if files:
                    return None  # written twice in one run a file may hold more than after a plain run
                if trace.volatile:
                    return None  # it would write something else
                actions.append(Replay(index))
                before = versions(index)
                read = _variables(trace.inputs)
                wanted -= {name for name in written if f"var:{name}" not in trace.inputs}
                wanted |= {name for name in read if before.get(f"var:{name}", ABSENT) != ABSENT} - anew
    start = versions(first)
    if any(held.get(name, ABSENT) != start.get(f"var:{name}", ABSENT) for name in wanted):
        return None
    return Way(tuple(reversed(actions)), frozenset(needed))


def _as_loaded(traces: Mapping[int, Trace], start: Mapping[str, Version]) -> set[str]:
    """Return what of modules is as it was when they were loaded: who needs it loads it anew."""
    found: dict[str, set[Version]] = {}
    for versions in (start, *(trace.writes for trace in traces.values())):
        for key, version in versions.items():
            if key.endswith(BINDINGS):
                found.setdefault(key.partition(":")[2], set()).add(version)
    return {name for name, kept in found.items() if len(kept) == 1}


def _restored(due: Collection[str], trace: Trace, bad: Collection[str]) -> list[Snapshot] | None:
    found: list[Snapshot] = []
    for name in sorted(due):
        if trace.writes[f"var:{name}"] == ABSENT:
            return None  # it was deleted: only the cell itself can do that
        snapshot = next((kept for kept in trace.snapshots if name in kept.names and kept.digest not in bad), None)
        if snapshot is None:
            return None
        if snapshot not in found:
            found.append(snapshot)
    return found
