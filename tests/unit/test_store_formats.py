"""Golden stores, one folder a format version, written once by that version and read for ever.

When FORMAT becomes 2, the entries of v1 must be misses with a stated reason (the first test says so by itself),
its blobs stay readable, and a folder v2 gets tests like these.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_cells.cache.keys import lookup_key
from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import (
    ABSENT,
    ENVIRONMENT,
    FORMAT,
    HISTORY,
    Artifact,
    CellRecord,
    NotebookRecord,
    Trace,
    decode_outputs,
    digest_of,
)
from pytest_cells.model import Cell, CellError, Directives, KernelIdentity, Raises
from pytest_cells.plan import history_after

from .helpers import tree

FORMATS = Path(__file__).parent.parent / "store_formats"
LOAD_KEY = "b1782d65532e409c7aa57d74e74072a60071c1796e7efbd5907e06cfc0a4d4db"
BAD_KEY = "7c5f059baa084c7b9968a81160c11a7f277c3436afef2c82a8b6eaa45525b40c"
START = "a92ae9615600f7f0bcb0edf9703b379c163bef33ed749ae40c48a0830d4ab6ae"
AFTER_LOAD = "4453cf1d19d7530689fc514f1620e3d246822c53ce5d551c313e64c592985edc"
AFTER_BAD = "b762d15722b11ca259aabe2f97e29967160d06fe3ee64f25a0e572f4702d3560"
OUTPUTS = "01dff53194cf6ca255bf5cf3d32bf69dd35579cdd45c225057e6d7fe323caf44"
PICTURE = "b5b81807a54efa04a81aafc2f39d81e546dbff1be3dc1dbb20065baab33468ae"
SITE = "f2c8e7a1115a38ba18878cc287ba2bb81c94b52ca297173fca49116ed50719df"

IDENTITY = KernelIdentity({"language": "python", "python": "CPython 3.11.7", "platform": "linux x86_64"}, dict)
LOAD_CELL = Cell(
    0,
    "aaaa",
    "# cells: deps=data/café.csv\nprint('café')\n",
    Directives(name="load", deps=("data/café.csv",)),
)
BAD_CELL = Cell(1, "bbbb", "raise ValueError('no rows left')", Directives(raises=Raises("ValueError", "no rows")))
LOAD = Trace(
    lookup=LOAD_KEY,
    inputs={
        HISTORY: START,
        ENVIRONMENT: SITE,
        "@cwd": "notebooks",
        "file:data/café.csv": "492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470",
        "module:helpers": "not of the project",
        "env:MODE": ABSENT,
    },
    writes={HISTORY: AFTER_LOAD},
    artifacts={
        "artifacts/café.png": Artifact(PICTURE, 21, stored=True),
        "artifacts/huge.bin": Artifact("ab" * 32, 10**9, stored=False),
        "artifacts/old.png": Artifact(None, 0, stored=False),
    },
    outputs=OUTPUTS,
    error=None,
    duration_ms=1234.5,
)
BAD = Trace(
    lookup=BAD_KEY,
    inputs={HISTORY: AFTER_LOAD, ENVIRONMENT: SITE, "@cwd": "notebooks"},
    writes={HISTORY: AFTER_BAD},
    error=CellError(
        "ValueError",
        "no rows left",
        ["Traceback", "ValueError: no rows left"],
        1,
        ("ValueError", "Exception", "BaseException", "object"),
    ),
    duration_ms=2.25,
)

of_format_1 = pytest.mark.skipif(FORMAT != 1, reason="this version reads another format")


@pytest.fixture
def v1(tmp_path: Path) -> Store:
    """Return a copy of the store that format 1 wrote."""
    shutil.copytree(FORMATS / "v1", tmp_path / "v1")
    return Store(tmp_path / "v1")


@pytest.mark.parametrize("trace", [LOAD, BAD], ids=["load", "bad"])
def test_v1_traces(v1: Store, trace: Trace) -> None:
    """The traces of format 1 are read whole by a version of that format, and passed over with a reason by others."""
    problems: list[str] = []
    found = list(v1.candidates(trace.lookup, trace.inputs[HISTORY], problems))
    other = [f"cache entry ignored (entry of format 1, this version reads {FORMAT})"]
    assert (([trace], []) if FORMAT == 1 else ([], other)) == (found, problems)


def test_v1_outputs(v1: Store) -> None:
    """The outputs of a golden trace are there, as they were."""
    expected = [
        {"output_type": "stream", "name": "stdout", "text": "café\n"},
        {
            "output_type": "display_data",
            "data": {"text/plain": "<Figure>", "image/png": "iVBORw0="},
            "metadata": {"image/png": {"width": 3}},
        },
    ]
    assert expected == decode_outputs(v1.get_blob(OUTPUTS))


def test_v1_artifacts(v1: Store) -> None:
    """The bytes of a golden artifact are there, as they were."""
    assert b"\x89PNG not really\r\n\x1a\n" == v1.get_blob(PICTURE)


def test_v1_records(v1: Store) -> None:
    """What was recorded of a notebook is found under its name."""
    cell = CellRecord("12" * 32, "34" * 32, IDENTITY.key, LOAD.inputs, 1234.5)
    assert NotebookRecord({"aaaa": cell}, SITE) == v1.get_record("notebooks/café.ipynb")
    assert b'{"numpy":"2.0"}' == v1.get_blob(SITE)


def test_v1_is_a_folder_of_ours(v1: Store) -> None:
    """A golden store is taken for one of ours, and nothing in it is changed by that."""
    before = tree(v1.folder)
    v1.prepare()
    assert before == tree(v1.folder)


@of_format_1
@pytest.mark.parametrize(("cell", "key"), [(LOAD_CELL, LOAD_KEY), (BAD_CELL, BAD_KEY)], ids=["load", "bad"])
def test_v1_lookup_keys(cell: Cell, key: str) -> None:
    """The same cell still has the lookup key under which its trace was stored; a change needs a new FORMAT."""
    assert key == lookup_key(cell, IDENTITY, "jupyter", {})


@of_format_1
def test_v1_histories() -> None:
    """The same cells still leave the same history; a change needs a new FORMAT."""
    assert START == digest_of("start")
    assert AFTER_LOAD == history_after(START, LOAD_KEY, LOAD.inputs)
    assert AFTER_BAD == history_after(AFTER_LOAD, BAD_KEY, BAD.inputs)


@of_format_1
def test_v1_cache_keys() -> None:
    """The same inputs still have the same cache key; a change needs a new FORMAT."""
    expected = [
        "1b883a3ab0ae1dd2268b5c78b7c4f9e8780f4cd2c3c374f9aaa54629fb69528b",
        "288ba3757fb6bebb75d04d7a55efae1b743887af8735da4619590be12d18930f",
    ]
    assert expected == [LOAD.key, BAD.key]


def test_there_is_a_golden_store_of_this_format() -> None:
    """Each format has its golden store from the day on which it is introduced."""
    assert True is (FORMATS / f"v{FORMAT}" / "traces").is_dir()
