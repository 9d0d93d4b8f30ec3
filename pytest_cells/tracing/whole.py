"""Take a whole notebook from the cache at one look, where nothing has changed since all its cells were cached.

Deciding is a function of the notebook's cells, of what pytest-cells was asked for, of the traces that were found, and
of what these look at outside the notebook. So where all of that is as it was, each cell hits the trace that it hit
then: the traces are not read again, and what each cell leaves for those below is not walked. Whatever else there is
(artifacts, files that cells write, hooks of the user's that have a say) is left to the ordinary way.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from pytest_cells.cache.store import TOUCH_EVERY_S, Store
from pytest_cells.cache.trace import ENVIRONMENT, FORMAT, HISTORY, Stamp, Trace, Version, digest_of
from pytest_cells.model import Directives
from pytest_cells.tracing.record import CHAIN
from pytest_cells.tracing.walk import RUNG, SOURCES, TraceWalk

if TYPE_CHECKING:
    from pytest_cells.model import KernelIdentity, Notebook
    from pytest_cells.run import Marks
    from pytest_cells.settings import Settings

FORM = 3
"""The version of what is kept, and of what is asked. A change of either makes a new number."""
NONE = Directives()
INSIDE = frozenset({"var", "slot", "loaded", "held", "alone", HISTORY, CHAIN, SOURCES})
"""Kinds of inputs that the notebook's own cells and traces determine."""
MOMENT_S = 1.0
"""How long what was seen at one look is believed."""


class KnownHit(msgspec.Struct, frozen=True):
    """One cell that was cached: what is told of it, and the entries that it needs."""

    key: str
    saved_ms: float
    entries: list[Stamp]


class KnownNotebook(msgspec.Struct, frozen=True):
    """A notebook of which all cells were cached, as it is kept."""

    sources: Version
    """What `sources_of` gives: a notebook with others was edited."""
    asked: Version
    outside: dict[str, Version]
    """What its cells depend on outside of it, by name of the input."""
    hits: list[KnownHit]


def told(settings: Settings) -> str:
    """Return all settings that may decide about cells, as a text."""
    kernel = replace(settings.kernel, shared_server=None)
    return repr(replace(settings, kernel=kernel, shared_run=False, controller=None))


def sources_of(notebook: Notebook) -> Version:
    """Return the digest of the cells' ids and sources."""
    return digest_of([[cell.id, cell.source] for cell in notebook.cells])


def asked_of(notebook: Notebook, identity: KernelIdentity, settings: str, marks: Marks) -> Version:
    """Return the digest of all that decides about a notebook's cells, but for the store and the inputs outside.

    `settings` is what `told` gives.
    """
    who = [identity.key, list(identity.site), identity.python, identity.uncacheable, notebook.kernel, notebook.language]
    cells = [
        [cell.id, cell.source, None if cell.directives == NONE else msgspec.to_builtins(cell.directives)]
        for cell in notebook.cells
    ]
    marked = [sorted(marks.skipped), sorted(marks.expected)]
    return digest_of(
        [FORM, FORMAT, RUNG, settings, who, str(notebook.path), cells, marked, os.environ.get("PYTHONPATH")]
    )


class WholeNotebook:
    """One notebook while it is taken from the cache as a whole, or found out whether it can be next time."""

    def __init__(self, store: Store, walk: TraceWalk, asked: Version, kept: KnownNotebook | None) -> None:
        """Look, once, whether what is kept of it holds; what cannot be looked at is told by the cell that reads it."""
        self._store, self._walk, self._asked = store, walk, asked
        self._cached: set[int] = set()
        self.hits: list[KnownHit] | None = None
        """What is known of each cell, as long as that is believed."""
        self.told = 0
        """How many cells were told from that."""
        with contextlib.suppress(Exception):
            self.hits = find(store, walk, asked, kept)
        self._looked_at = time.monotonic()

    def hit(self, index: int) -> KnownHit | None:
        """Return what is known of a cell, a moment after the look, and once."""
        if time.monotonic() - self._looked_at > MOMENT_S or index in self._cached:
            self.forget()  # the cells that come are looked at one by one
        if self.hits is None:
            return None
        self.told += 1
        return self.hits[index]

    def forget(self) -> None:
        """Believe no longer what was seen."""
        self.hits = None

    def note(self, index: int, *, cached: bool) -> None:
        """Note how a cell was reported."""
        (self._cached.add if cached else self._cached.discard)(index)

    def close(self) -> None:
        """Keep what is to be looked at next time, if all cells were cached and that is news. Raises OSError."""
        known, all_cached = self.hits is not None, len(self._cached) == len(self._walk.notebook.cells)
        self.forget()
        self._cached.clear()
        if all_cached and not known:
            keep(self._store, self._walk, self._asked)


def find(store: Store, walk: TraceWalk, asked: Version, kept: KnownNotebook | None) -> list[KnownHit] | None:
    """Return what is known of all cells of a notebook, each of which is cached, or None where that is not sure."""
    if kept is None or kept.asked != asked or len(kept.hits) != len(walk.notebook.cells):
        return None
    oldest_ns = time.time_ns() - TOUCH_EVERY_S * 1e9  # the ordinary way marks older entries as used
    for hit in kept.hits:
        if any(entry.mtime_ns < oldest_ns or not store.is_there(entry) for entry in hit.entries):
            return None
    state = walk.looked_at(walk.notebook.cells[0], {})
    same = all(state.version(name) == version for name, version in kept.outside.items())
    return kept.hits if same else None


def keep(store: Store, walk: TraceWalk, asked: Version) -> None:
    """Keep what is known of a notebook of which all cells were cached. Raises OSError."""
    steps = [walk.steps.get(cell.index) for cell in walk.notebook.cells]
    traces = [step.trace for step in steps if step is not None and not step.executed]
    if walk.skipped or len(traces) != len(steps) or any(map(_more_than_outputs, traces)):
        return
    outside = _outside(walk, traces)
    entries = [store.entries(trace) for trace in traces]
    if outside is None:
        return
    hits = [
        KnownHit(trace.key, trace.duration_ms, found) for trace, found in zip(traces, entries, strict=True) if found
    ]
    if len(hits) == len(traces):
        store.put_whole(walk.notebook.name, KnownNotebook(sources_of(walk.notebook), asked, outside, hits))


def _more_than_outputs(trace: Trace) -> bool:
    """Tell whether a hit has more to verify than that its entries are there."""
    return bool(trace.artifacts) or any(name.startswith("path:") for name in trace.writes)


def _outside(walk: TraceWalk, traces: Sequence[Trace]) -> dict[str, Version] | None:
    """Return the inputs that no cell has made; None where two cells did not find the same."""
    found: dict[str, Version] = {}
    for index, trace in enumerate(traces):
        made = walk.versions(index)
        for name, version in trace.inputs.items():
            inside = name in made or name.partition(":")[0] in INSIDE
            if not inside and found.setdefault(name, version) != version:
                return None
    return found if ENVIRONMENT in found else None
