"""The Versions that a notebook's cells find, each step from a trace or from what was observed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from pytest_cells.cache.keys import Inputs, lookup_key
from pytest_cells.cache.modules import Project
from pytest_cells.cache.source import SHOWS_SOURCES
from pytest_cells.cache.trace import ABSENT, ENVIRONMENT, HISTORY, Trace, Version, digest_of
from pytest_cells.in_kernel.versions import TRANSIENT_VARIABLES, Versions, listing
from pytest_cells.model import Cell, KernelIdentity, Notebook
from pytest_cells.plan import State
from pytest_cells.tracing.record import CHAIN, alone_version, held_version, value_digest

RUNG = "traces 15"
"""Part of every lookup key: what is observed. A change of that makes a new number, and old traces are misses."""
SOURCES = "@sources"
START: Version = digest_of("start")


def trace_lookup(cell: Cell, identity: KernelIdentity, executor: str) -> str:
    """Return the lookup key of a cell whose kernel is observed."""
    return lookup_key(cell, identity, executor, {}, RUNG)


@dataclass(frozen=True)
class Step:
    """What one cell does to the State: as its trace says, or as it was observed."""

    trace: Trace
    executed: bool = False

    @property
    def writes(self) -> Mapping[str, Version]:
        """What it leaves."""
        return self.trace.writes

    @property
    def barrier(self) -> bool:
        """Tell whether its effects cannot be attributed: what is below needs all of it."""
        return HISTORY in self.trace.writes


class _World(NamedTuple):
    """How to look at what many inputs depend on."""

    project: Project
    environment: Callable[[], Mapping[str, str]]


@dataclass
class TraceWalk:
    """Tell the State in which each cell of one notebook finds things, as far as the cells above it are known."""

    notebook: Notebook
    inputs: Inputs
    identity: KernelIdentity
    executor: str
    material: Callable[[Cell], Mapping[str, str]]
    rootdir: Path
    files: Versions
    skipped: set[int] = field(default_factory=set)
    """Cells that are not run, and so not replayed either."""
    selected: Callable[[], Collection[int]] | None = None
    """Which cells are going to be run for their own sake; None where nobody says, and all may be."""
    steps: dict[int, Step] = field(default_factory=dict)
    _states: dict[int, dict[str, Version]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.skipped.update(cell.index for cell in self.notebook.cells if cell.directives.skip is not None)
        self._lookups: dict[int, str] = {}
        self._last = 0
        """The last position of which anything may be known."""

    def lookup(self, cell: Cell) -> str:
        """Return the lookup key of a cell."""
        if cell.index not in self._lookups:
            self._lookups[cell.index] = trace_lookup(cell, self.identity, self.executor)
        return self._lookups[cell.index]

    def unknown_above(self, cell: Cell) -> Cell | None:
        """Return the first cell above that is neither skipped nor known."""
        for above in self.notebook.cells[: cell.index]:
            if above.index not in self.skipped and above.index not in self.steps:
                return above
        return None

    def versions(self, index: int) -> dict[str, Version]:
        """Return what the cells above a position have left; those that are not known are left out."""
        start = index
        while start and start not in self._states:
            start -= 1
        versions = self._states.get(start, {HISTORY: START, CHAIN: START})
        for position in range(start, index):
            step = self.steps.get(position)
            if step is not None and position not in self.skipped:
                chain = digest_of([versions[CHAIN], step.trace.key, step.writes])
                versions = {**versions, **step.writes, CHAIN: chain}
            self._states[position + 1] = versions
        self._last = max(self._last, index)
        return versions

    def state(self, cell: Cell) -> State:
        """Return the State in which a cell finds the notebook and the world."""
        return self.state_at(cell.index, cell)

    def state_at(self, index: int, cell: Cell) -> State:
        """Return the State before a position, as far as a cell can tell."""
        versions = self.versions(index)
        world = _World(self.inputs.project_version, self.identity.environment)
        return State(partial(self._probe, cell, versions, world), versions)

    def looked_at(self, cell: Cell, static: Mapping[str, Version]) -> State:
        """Return the State in which a cell finds the notebook and the world, as far as it was looked at.

        What else is asked for is looked at once: this State holds for a moment.
        """
        versions = self.versions(cell.index)
        world = _World(cache(self.inputs.project_version), cache(self.identity.environment))
        return State(cache(partial(self._probe, cell, versions, world)), {**versions, **static})

    @property
    def environment(self) -> Version:
        """The Version of what is installed and set for the kernel."""
        return self.inputs.version(ENVIRONMENT, {})

    def static(self, cell: Cell) -> dict[str, Version]:
        """Return the inputs of a cell that are known without running it, with their Versions of now."""
        state = self.state(cell)
        names = self.inputs.names(cell, self.material(cell))
        if SHOWS_SOURCES.search(cell.source):
            names.append(SOURCES)
        return {name: state.version(name) for name in names}

    def note(self, cell: Cell, step: Step) -> None:
        """Note what a cell does. Where that differs from what was known, what is below is walked anew."""
        known = self.steps.get(cell.index)
        self.steps[cell.index] = step
        self._last = max(self._last, cell.index)
        if known is None or known.writes != step.writes:
            self._forget_below(cell)

    def set_skipped(self, cell: Cell, *, skipped: bool) -> None:
        """Note whether a cell is left out of the notebook's run."""
        if skipped != (cell.index in self.skipped):
            (self.skipped.add if skipped else self.skipped.discard)(cell.index)
            self._forget_below(cell)

    def restart(self) -> None:
        """Do nothing: what is known of the cells holds for a fresh kernel too."""

    def forget(self, cell: Cell) -> None:
        """Forget what a cell does, and what is below."""
        self.steps.pop(cell.index, None)
        self._forget_below(cell)

    def last_barrier(self, index: int) -> int | None:
        """Return the position of the last barrier above a position."""
        for position in range(index - 1, -1, -1):
            step = self.steps.get(position)
            if step is not None and step.barrier and position not in self.skipped:
                return position
        return None

    def _forget_below(self, cell: Cell) -> None:
        if self._last <= cell.index:
            return
        self._last = cell.index
        self._states = {index: state for index, state in self._states.items() if index <= cell.index}
        self.steps = {index: step for index, step in self.steps.items() if index <= cell.index}

    def _variable(self, name: str, versions: Mapping[str, Version], environment: Mapping[str, str]) -> Version:
        """Return the Version of an environment variable that no cell has written; `*`: of all names there are."""
        if name == "*":
            kinds = ((key.partition(":"), version) for key, version in versions.items())
            written = {found: version for (kind, _, found), version in kinds if kind == "envvar"}
            names = {found for found in environment if written.get(found) != ABSENT}
            names.update(found for found, version in written.items() if version != ABSENT)
            return value_digest("\0".join(sorted(names - TRANSIENT_VARIABLES)))
        return value_digest(environment[name]) if name in environment else ABSENT

    def _probe(self, cell: Cell, versions: Mapping[str, Version], world: _World, name: str) -> Version:
        kind, _, rest = name.partition(":")
        if kind == "slot":
            return "start"
        if kind in ("var", "loaded"):
            return ABSENT
        if kind == "alone":
            return alone_version(rest, versions)
        if kind == "held":
            return held_version(rest, versions)
        if kind == "setup":
            return self._probe(cell, {}, world, rest)
        if name == SOURCES:
            above = self.notebook.cells[: cell.index + 1]
            return digest_of([other.source for other in above if other.index not in self.skipped])
        if kind == "path":
            return self.files.of(str(self.rootdir / rest))
        if kind == "list":
            return listing(str(self.rootdir / rest))
        if kind == "envvar":
            return self._variable(rest, versions, world.environment())
        return self.inputs.version(name, self.material(cell) if kind == "key" else {}, world.project)
