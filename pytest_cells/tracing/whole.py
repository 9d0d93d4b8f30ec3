"""Take a whole notebook from the cache at one look, where nothing has changed since all its cells were cached.

Deciding is a function of the notebook's cells, of what pytest-cells was asked for, of the traces that were found, and
of what these look at outside the notebook. So where all of that is as it was, each cell hits the trace that it hit
then: the traces are not read again, and what each cell leaves for those below is not walked. Whatever else there is
(artifacts, files that cells write, hooks of the user's that have a say) is left to the ordinary way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from pytest_cells.cache.trace import ENVIRONMENT, FORMAT, HISTORY, Stamp, Trace, Version, digest_of
from pytest_cells.tracing.record import CHAIN
from pytest_cells.tracing.walk import RUNG, SOURCES, TraceWalk

if TYPE_CHECKING:
    from pytest_cells.cache.store import Store
    from pytest_cells.model import KernelIdentity, Notebook
    from pytest_cells.run import Marks
    from pytest_cells.settings import Settings

FORM = 1
"""The version of what is kept, and of what is asked. A change of either makes a new number."""
INSIDE = frozenset({"var", "slot", "loaded", "alone", HISTORY, CHAIN, SOURCES})
"""Kinds of inputs that the notebook's own cells and traces determine."""
TOUCH_EVERY_S = 3600.0
"""Entries that were used must be marked so that they outlive others, which the ordinary way does once an hour."""


class KnownHit(msgspec.Struct, frozen=True):
    """One cell that was cached: what is told of it, and the entries that it needs."""

    key: str
    saved_ms: float
    entries: list[Stamp]


class WholeNotebook(msgspec.Struct, frozen=True):
    """A notebook of which all cells were cached."""

    asked: Version
    outside: dict[str, Version]
    """What its cells depend on outside of it, by name of the input."""
    hits: list[KnownHit]


def asked_of(notebook: Notebook, identity: KernelIdentity, settings: Settings, marks: Marks) -> Version:
    """Return the digest of all that decides about a notebook's cells, but for the store and the inputs outside."""
    kernel = replace(settings.kernel, shared_server=None)
    told = repr(replace(settings, kernel=kernel, shared_run=False, controller=None))
    who = [identity.key, list(identity.site), identity.python, identity.uncacheable, notebook.kernel, notebook.language]
    cells = [[cell.id, cell.source, msgspec.to_builtins(cell.directives)] for cell in notebook.cells]
    marked = [sorted(marks.skipped), sorted(marks.expected)]
    return digest_of([FORM, FORMAT, RUNG, told, who, str(notebook.path), cells, marked, os.environ.get("PYTHONPATH")])


def find(store: Store, walk: TraceWalk, asked: Version) -> list[KnownHit] | None:
    """Return what is known of all cells of a notebook, each of which is cached, or None where that is not sure."""
    kept = store.get_whole(walk.notebook.name, WholeNotebook)
    if kept is None or kept.asked != asked or len(kept.hits) != len(walk.notebook.cells):
        return None
    oldest_ns = time.time_ns() - TOUCH_EVERY_S * 1e9
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
    if walk.skipped or len(traces) != len(steps):
        return
    outside = _outside(walk, traces)
    entries = [store.entries(trace) for trace in traces]
    if outside is None or any(map(_more_than_outputs, traces)):
        return
    hits = [
        KnownHit(trace.key, trace.duration_ms, found) for trace, found in zip(traces, entries, strict=True) if found
    ]
    if len(hits) == len(traces):
        store.put_whole(walk.notebook.name, WholeNotebook(asked, outside, hits))


def _more_than_outputs(trace: Trace) -> bool:
    """Tell whether a hit has more to verify than that its entries are there."""
    return bool(trace.artifacts) or any(name.startswith("path:") for name in trace.writes)


def _outside(walk: TraceWalk, traces: Sequence[Trace]) -> dict[str, Version] | None:
    """Return the inputs that no cell has made; None where two cells did not find the same."""
    found: dict[str, Version] = {}
    for index, trace in enumerate(traces):
        made = walk.versions(index)
        for name in _not_inside(trace.inputs):
            if name not in made and found.setdefault(name, trace.inputs[name]) != trace.inputs[name]:
                return None
    return found if ENVIRONMENT in found else None


def _not_inside(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.partition(":")[0] not in INSIDE]
