"""Compare what was stored of a cell with what executing it gives now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pytest_cells.cache.trace import Version, finalizes
from pytest_cells.in_kernel.versions import FINALIZES, LINEAGE
from pytest_cells.model import Json
from pytest_cells.plan import describe_input

ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
TIMING = re.compile(r"^(?:CPU times:|Wall time:|.*\bper loop \(mean ±).*$", re.MULTILINE)
"""What IPython's own magics print, which is never the same."""
MOST_NAMED = 3


def differences(
    stored: Sequence[Json], fresh: Sequence[Json], old: Mapping[str, Version], new: Mapping[str, Version]
) -> list[str]:
    """Return in words what differs between two executions of one cell: its outputs, and what it wrote."""
    told = []
    if [_steady(output) for output in stored] != [_steady(output) for output in fresh]:
        told.append("its outputs")
    changed = sorted(
        name for name in old.keys() | new.keys() if _comparable(old.get(name)) != _comparable(new.get(name))
    )
    words = list(dict.fromkeys(describe_input(name) for name in changed))
    told += words[:MOST_NAMED]
    return told + ([f"{len(words) - MOST_NAMED} more"] if len(words) > MOST_NAMED else [])


def _comparable(version: Version | None) -> Version | None:
    """Return a Version as far as it tells the value: not how a value without a digest was made."""
    if version is None or not version.startswith(LINEAGE):
        return version
    _, separator, members = version.partition("&")
    return LINEAGE + separator + members + (FINALIZES if finalizes(version) else "")


def _steady(output: Json) -> Json:
    """Return an output without what no two executions share: counts, addresses, and how long it took."""
    kept = {name: value for name, value in output.items() if name != "execution_count"}
    found = _text(kept)
    assert isinstance(found, dict)
    return found


def _text(value: object) -> object:
    if isinstance(value, str):
        return TIMING.sub("", ADDRESS.sub("0x", value))
    if isinstance(value, dict):
        return {name: _text(inner) for name, inner in value.items()}
    return [_text(inner) for inner in value] if isinstance(value, list) else value
