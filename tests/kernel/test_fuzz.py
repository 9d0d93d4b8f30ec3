"""A few seconds of the differential fuzzing of tests/fuzz: the same in every run, on each rung."""

import pytest
from fuzz.grammar import Author, unstable_cells
from fuzz.harness import RUNGS, Lab, Tally
from fuzz.kinds import CHAIN_SEES, FAMILIES, KINDS
from fuzz.shrink import reproducer

pytestmark = pytest.mark.kernel
QUICK = frozenset(FAMILIES) - {"pandas", "plots", "sklearn"}
"""Families that need nothing slow to import."""
SEEDS = {"chain": (3,), "traces": (21, 22)}


@pytest.mark.parametrize("rung", RUNGS)
def test_incremental_runs_tell_what_full_runs_tell(rung):
    """After each of some random edits of random notebooks, the same verdicts, outputs, variables and files."""
    families = sorted(QUICK & CHAIN_SEES if rung == "chain" else QUICK)
    tally = Tally()
    with Lab(rung) as lab:
        for seed in SEEDS[rung]:
            versions = Author(seed, families, declare=rung == "chain").versions(3)
            for version, compared in zip(versions, lab.case(versions), strict=True):
                assert [] == compared.problems + compared.unsettled, reproducer(versions, compared.problems, seed)
                tally.add(version, compared)
    assert tally.cells > tally.hits > 0


def test_seed_gives_the_same_notebook():
    """Whoever has a seed has the notebook and its edits."""
    assert Author(5).versions() == Author(5).versions()
    assert Author(5).versions() != Author(6).versions()


def test_every_kind_of_statement_can_be_written():
    """Every template has names and constants for all its slots, and says whether it is the same in every run."""
    version, placed = Author(1).sample(KINDS)
    assert len(KINDS) == len(placed)
    assert [] == [source for _, source in version.cells if any(sign in source for sign in ("@int", "$K", "$list"))]
    assert {name for name, kind in placed.items() if kind.unstable} <= version.unstable
    assert frozenset() == unstable_cells([])
