"""Say why a cell is not taken from the cache, from what was recorded when its notebook last ran."""

from __future__ import annotations

from pytest_cells.cache.keys import semantic_directives
from pytest_cells.cache.trace import ENVIRONMENT, HISTORY, CellRecord, Version, digest_of
from pytest_cells.model import Cell, KernelIdentity
from pytest_cells.plan import describe_input, worth_telling

MOST_NAMED = 3


def remember(cell: Cell, identity: KernelIdentity, inputs: dict[str, Version], duration_ms: float) -> CellRecord:
    """Return what is recorded of a cell that passed."""
    directives = digest_of(semantic_directives(cell))
    return CellRecord(digest_of(cell.source), directives, identity.key, inputs, duration_ms)


def why(
    cell: Cell,
    before: CellRecord,
    identity: KernelIdentity,
    inputs: dict[str, Version],
    above: str | None,
    environments: tuple[dict[str, str], dict[str, str]],
) -> str | None:
    """Return in words what differs from the record of a cell, or None where nothing can be told.

    `above` names the first cell above that was not cached; `environments` are the recorded and present ones.
    """
    if before.source != digest_of(cell.source):
        return "its source changed"
    if before.directives != digest_of(semantic_directives(cell)):
        return "its directives changed"
    if before.kernel != identity.key:
        return f"the kernel changed: {_differences(before.kernel, identity.key)}"
    old = before.inputs
    changed = sorted(name for name in old.keys() | inputs.keys() if old.get(name) != inputs.get(name))
    told = [_told(name, above, environments) for name in worth_telling(changed) if name != HISTORY or len(changed) == 1]
    return "changed: " + ", ".join(told) if told else None


def _told(name: str, above: str | None, environments: tuple[dict[str, str], dict[str, str]]) -> str:
    if name == HISTORY:
        return f"a cell above ({above})" if above else "a cell above was changed, moved, added or removed"
    if name == ENVIRONMENT and all(environments):
        return _differences(*environments)
    return describe_input(name)


def _differences(old: dict[str, str], new: dict[str, str]) -> str:
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return some([f"{name} {old.get(name, '(absent)')} → {new.get(name, '(absent)')}" for name in names])


def some(told: list[str]) -> str:
    """Return the first few of what there is to tell, and how many there are beside."""
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return ", ".join(told[:MOST_NAMED]) + more
