from __future__ import annotations

import msgspec
import pytest

from pytest_cells.cache.explain import remember, why
from pytest_cells.cache.trace import ENVIRONMENT, HISTORY, CellRecord
from pytest_cells.model import Cell, KernelIdentity, Raises

from .helpers import a_cell, an_identity

CELL = a_cell()
IDENTITY = an_identity(python="3.11")
INPUTS = {HISTORY: "h", ENVIRONMENT: "e", "file:a.csv": "1"}
RECORD = remember(CELL, IDENTITY, INPUTS, 12.5)


def told(
    cell: Cell = CELL,
    before: CellRecord = RECORD,
    identity: KernelIdentity = IDENTITY,
    above: str | None = None,
    environments: tuple[dict[str, str], dict[str, str]] = ({}, {}),
    **inputs: str | None,
) -> str | None:
    """Return why a cell runs; `inputs` replace those of the record, None takes one away."""
    renamed = {"history": HISTORY, "environment": ENVIRONMENT, "file": "file:a.csv", "env": "env:MODE"}
    now = {**INPUTS, **{renamed[name]: value for name, value in inputs.items()}}
    present = {name: value for name, value in now.items() if value is not None}
    return why(cell, before, identity, present, above, environments)


def test_a_record_is_json_ready() -> None:
    """A record survives being written as JSON, and tells the duration."""
    assert RECORD == msgspec.json.decode(msgspec.json.encode(RECORD), type=CellRecord)
    assert 12.5 == RECORD.duration_ms


def test_nothing_changed() -> None:
    """Where nothing differs, nothing is told."""
    assert None is told()


def test_the_source() -> None:
    """A changed source is told before all else."""
    assert "its source changed" == told(a_cell("y = 1"), identity=an_identity(python="3.12"), file="2")


def test_the_directives() -> None:
    """Changed directives are told."""
    assert "its directives changed" == told(a_cell(raises=Raises()))


def test_directives_that_do_not_matter() -> None:
    """A new name, tag or timeout is no reason."""
    assert None is told(a_cell(name="other", tags=("slow",), timeout=5.0))


def test_the_kernel() -> None:
    """A changed kernel is told with what it was and is."""
    told_now = told(identity=an_identity(python="3.12", platform="linux"))
    assert "the kernel changed: platform (absent) → linux, python 3.11 → 3.12" == told_now


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"file": "2"}, "changed: a.csv"),
        ({"file": None}, "changed: a.csv"),
        ({"env": "1"}, "changed: environment variable MODE"),
        ({"env": "1", "file": "2"}, "changed: environment variable MODE, a.csv"),
        ({"history": "i"}, "changed: a cell above was changed, moved, added or removed"),
        ({"history": "i", "file": "2"}, "changed: a.csv"),
        ({"environment": "f"}, "changed: the Python environment"),
    ],
    ids=["file", "no-more", "new", "two", "above", "above-and-own", "environment"],
)
def test_inputs(inputs: dict[str, str | None], reason: str) -> None:
    """Changed inputs are told in words; a change above only where nothing of the cell's own changed."""
    assert reason == told(**inputs)  # type: ignore[arg-type]


def test_the_cell_above() -> None:
    """Where it is known which cell above was not cached, it is named."""
    assert "changed: a cell above (load)" == told(above="load", history="i")


def test_the_environment() -> None:
    """Where both environments are known, the differences are told."""
    environments = ({"numpy": "2.4.6", "six": "1"}, {"numpy": "2.5.0", "six": "1"})
    assert "changed: numpy 2.4.6 → 2.5.0" == told(environment="f", environments=environments)


def test_many_differences() -> None:
    """Of many differences the first few are named and the others counted."""
    environments = (dict.fromkeys("abcde", "1"), dict.fromkeys("abcde", "2"))
    expected = "changed: a 1 → 2, b 1 → 2, c 1 → 2 and 2 more"
    assert expected == told(environment="f", environments=environments)
