"""What was observed of a cell, as inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cells.cache.trace import ABSENT
from pytest_cells.plan import State
from pytest_cells.tracing.record import Record, held_version, inputs_of


@pytest.mark.parametrize(
    ("record", "held"),
    [
        (Record(modules=["helpers"], own=["helpers"]), ["held:helpers"]),
        (Record(modules=["pkg", "pkg.sub", "json"], own=["helpers", "pkg"]), ["held:helpers", "held:pkg"]),
        (Record(modules=["helpers"], writes={"helpers:N": "1", "x": "1"}), ["held:helpers"]),
        (Record(writes={"pkg.sub:N": "1"}), ["held:pkg"]),
        (Record(own=["helpers"], reads={"helpers:N": "1"}), ["held:helpers"]),
        (Record(modules=["json"], writes={"x": "1"}), []),
    ],
)
def test_modules_that_a_cell_may_have_used(record: Record, held: list[str]) -> None:
    """A cell depends on what is left in those of the project, also on what was not there when it ran."""
    inputs = inputs_of(record, State(lambda name: f"now {name}", {}), {}, Path("/project"))
    assert {name: f"now {name}" for name in held} == {name: v for name, v in inputs.items() if name.startswith("held:")}


def test_what_is_left_in_a_module() -> None:
    """All variables of a module and of those inside it count, and nothing else."""
    before = {"var:helpers": "1", "var:helpers_too:N": "1", "var:other.helpers:N": "1", "var:helpers:N": ABSENT}
    assert ABSENT == held_version("helpers", before)
    found = {held_version("helpers", {**before, key: "1"}) for key in ("var:helpers:N", "var:helpers.sub:N")}
    assert 2 == len(found - {ABSENT})
    assert held_version("helpers", {"var:helpers:N": "1"}) != held_version("helpers", {"var:helpers:N": "2"})


def test_module_that_a_cell_loads() -> None:
    """Where it may have been loaded already, and what as, matters; its functions are not what is left in a module."""
    record = Record(writes={"helpers:()": "1", "helpers:N": "1"})
    inputs = inputs_of(record, State(lambda name: ABSENT, {}), {}, Path("/nowhere"))
    assert {"var:helpers:()", "held:helpers"} == inputs.keys()
    assert ABSENT == held_version("helpers", {"var:helpers:()": "1"})
