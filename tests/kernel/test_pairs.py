"""Notebooks and edits written by hand, in tests/fuzz/pairs.py: no rung may tell of any what a full run does not."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzz.harness import Lab
from fuzz.pairs import PAIRS, complaints

pytestmark = pytest.mark.kernel
PRELOAD = ("numpy", "pandas")
ON_CHAIN = PAIRS[::120]
"""The chain looks at no cell's doings, so that a few tell as much as all: `tox -e fuzz -- --pairs --cache chain`."""
KNOWN = frozenset(Path(__file__).with_name("known_holes.txt").read_text(encoding="utf-8").splitlines())
"""Pairs of which the traces rung does not tell the truth: see what is not seen in docs/traces.rst."""
ON_TRACES = [pair for pair in PAIRS[::40] if pair.name not in KNOWN]
"""A part of them, in the time that there is; `tox -e fuzz -- --pairs --cache traces` runs all."""
CASES = [*((pair, "traces") for pair in ON_TRACES), *((pair, "chain") for pair in ON_CHAIN)]


@pytest.fixture(scope="module")
def labs():
    """Lend a folder to run projects in, on each rung."""
    with Lab("traces", PRELOAD) as traces, Lab("chain", PRELOAD) as chain:
        yield {"traces": traces, "chain": chain}


@pytest.mark.parametrize(("pair", "rung"), CASES, ids=[f"{pair.name}-{rung}" for pair, rung in CASES])
def test_pair(labs, pair, rung):
    """After the edit the incremental run tells what a full one does, and what must be executed is."""
    if rung == "chain" and not pair.seen_by_chain:
        pytest.skip("the chain does not see it")
    if missing := [library for library in pair.libraries if find_spec(library) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    wrong, needless = complaints(labs[rung], pair)
    assert [] == wrong
    if rung == "traces":
        assert [] == needless


def test_known_holes_are_pairs():
    """The list of what is not seen names pairs that there are."""
    assert set() == KNOWN - {pair.name for pair in PAIRS}


def test_pairs_have_names():
    """Each pair can be asked for."""
    assert len(PAIRS) == len({pair.name for pair in PAIRS})
