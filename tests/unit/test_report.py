from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any, Literal

import jsonschema
import msgspec
import pytest

from pytest_cells import report
from pytest_cells.cache.trace import Artifact
from pytest_cells.report import (
    MB,
    CacheReport,
    CellFacts,
    CellResult,
    ErrorReport,
    KernelFacts,
    KernelsReport,
    LargeArtifactWarning,
    RunReport,
    SessionReport,
    build_session,
    facts_from_builtins,
    facts_to_builtins,
    json_schema,
    large,
    to_json,
)

from .helpers import a_cell

CELLS = [("one", "load"), ("two", None), ("three", None)]


def facts(cell_id: str, status: Any = "ok", notebook: str = "nb.ipynb", **more: Any) -> CellFacts:
    """Return the facts of a cell; names of a result's fields go to the result."""
    own = {name: more.pop(name) for name in list(more) if name in CellResult.__struct_fields__}
    return CellFacts(notebook, CellResult(cell_id, None, status, **own), **more)


def build(*known: CellFacts, notebooks: Any = None, unread: Any = None, cache: Any = None) -> SessionReport:
    """Build a session of one notebook of three cells, unless told otherwise."""
    listed = {"nb.ipynb": CELLS} if notebooks is None else notebooks
    return build_session(listed, known, unread or {}, total_duration_ms=12.34567, cache=cache or CacheReport())


def a_full_report() -> SessionReport:
    """Return a report in which every part stands."""
    warning = LargeArtifactWarning("artifacts/a.png", 60.5, 50.0, "one", "load")
    error = ErrorReport("ValueError", "né", ["line"])
    return build(
        facts(
            "one", large_artifacts=(warning,), kernels=KernelFacts(1, startup_ms=(50.0,)), attempts=1, cache_key="ab"
        ),
        facts("two", "error", error=error, line=3, index=1, nodeid="nb.ipynb::two", attempts=2),
        facts("three", "cached", saved_ms=5.5, reason="nothing changed", notes=("a note",)),
        unread={"bad.ipynb": "bad.ipynb: is not JSON"},
        cache=CacheReport(enabled=True, folder=".cache"),
    )


# -- building ----------------------------------------------------------------------------------------------


def test_every_cell_is_listed() -> None:
    """Every code cell of a selected notebook appears in order, also one that did not run, with the reason."""
    (run,) = build(facts("two")).runs
    fields = ("cell_id", "cell_name", "status", "index", "reason")
    told = [tuple(getattr(result, field) for field in fields) for result in run.cell_results]
    reason = "not selected, or not reached"
    expected = [("one", "load", "skipped", 0, reason), ("two", None, "ok", None, None)]
    assert [*expected, ("three", None, "skipped", 2, reason)] == told


def test_a_notebook_without_cells() -> None:
    """A notebook without code cells is listed, and is ok."""
    assert [RunReport("nb.ipynb", [], 0.0, "ok")] == build(notebooks={"nb.ipynb": []}).runs


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["ok", "ok", "ok"], "ok"),
        (["cached", "ok", "skipped"], "ok"),
        (["skipped", "skipped", "skipped"], "ok"),
        (["ok", "error", "skipped"], "error"),
        (["error"], "error"),
        ([], "ok"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else value,
)
def test_statuses(statuses: list[str], status: str) -> None:
    """One failed cell fails its notebook and the session; nothing else does."""
    found = build(*(facts(cell_id, one) for (cell_id, _), one in zip(CELLS, statuses, strict=False)))
    assert (status, status) == (found.status, found.runs[0].status)


def test_one_notebook_that_failed() -> None:
    """A failed notebook fails the session and no other notebook."""
    cells = {"bad": [("a", None)], "good": [("a", None)]}
    found = build(facts("a", "error", "bad"), facts("a", "ok", "good"), notebooks=cells)
    assert ("error", ["error", "ok"]) == (found.status, [run.status for run in found.runs])


def test_notebooks_are_in_order() -> None:
    """Notebooks are listed by name, those that could not be read among them."""
    found = build(notebooks={"c": [], "a": []}, unread={"b": "b: is broken"})
    assert ["a", "b", "c"] == [run.notebook for run in found.runs]


def test_a_notebook_that_cannot_be_read() -> None:
    """A notebook that cannot be read is a failed run, with the reason."""
    error = ErrorReport("NotebookError", "b: is broken", [])
    found = build(notebooks={}, unread={"b": "b: is broken"})
    assert ("error", [RunReport("b", [], 0.0, "error", error=error)]) == (found.status, found.runs)


def test_the_last_facts_of_a_cell_count() -> None:
    """Where a cell was run again, its later result stands."""
    assert "ok" == build(facts("one", "error"), facts("one", "ok")).runs[0].cell_results[0].status


def test_facts_of_the_same_cell_id_in_two_notebooks() -> None:
    """Two notebooks may use the same ids."""
    cells = {"a": [("x", None)], "b": [("x", None)]}
    found = build(facts("x", "ok", "a"), facts("x", "cached", "b"), notebooks=cells)
    assert ["ok", "cached"] == [run.cell_results[0].status for run in found.runs]


def test_durations_add_up() -> None:
    """A notebook takes as long as its cells, a session as long as it took."""
    found = build(facts("one", duration_ms=1.1111), facts("two", duration_ms=2.2222))
    assert (12.346, 3.333) == (found.total_duration_ms, found.runs[0].total_duration_ms)


def test_large_artifacts_are_listed_once() -> None:
    """A file that two cells wrote is warned about once, as the later one left it."""
    first = LargeArtifactWarning("b.png", 60.0, 50.0, "one", "load")
    second = LargeArtifactWarning("b.png", 70.0, 50.0, "two", None)
    third = LargeArtifactWarning("a.png", 80.0, 50.0, "two", None)
    found = build(facts("one", large_artifacts=(first,)), facts("two", large_artifacts=(second, third)))
    assert [third, second] == found.runs[0].large_artifacts


@pytest.mark.parametrize(
    ("startup_ms", "median"),
    [([], None), ([50.04], 50.0), ([300.0, 10.0, 20.0], 20.0)],
    ids=["none", "one", "three"],
)
def test_kernels(startup_ms: list[float], median: float | None) -> None:
    """Kernels are counted over all cells, with the median of the times that they took."""
    known = [facts(str(n), kernels=KernelFacts(1, startup_ms=[value])) for n, value in enumerate(startup_ms)]
    assert KernelsReport(len(startup_ms), median) == build(*known).kernels


def test_the_cache() -> None:
    """Hits are cached cells, misses executed ones; notes are told once, in order."""
    found = build(
        facts("one", "cached", saved_ms=1.5, notes=("b", "a")),
        facts("two", "cached", saved_ms=2.0, notes=("a",)),
        facts("three", attempts=2),
        cache=CacheReport(enabled=True, folder=".cache"),
    )
    expected = CacheReport(enabled=True, folder=".cache", hits=2, misses=1, saved_ms=3.5, notes=["a", "b"])
    assert expected == found.cache


@pytest.mark.parametrize(("limit", "paths"), [(1.0, ["b", "c"]), (2.0, ["c"]), (5.0, []), (0.0, [])])
def test_large(limit: float, paths: list[str]) -> None:
    """A file above the limit is warned about, one at the limit is not, and a limit of 0 is none."""
    sizes = {"c": 3 * MB, "a": MB, "b": 2 * MB}
    artifacts = {path: Artifact("ab", size) for path, size in sizes.items()}
    cell = a_cell(cell_id="one", name="load")
    expected = [LargeArtifactWarning(path, sizes[path] / MB, limit, "one", "load") for path in paths]
    assert expected == large(cell, artifacts, limit)


# -- encoding ----------------------------------------------------------------------------------------------


def test_facts_cross_processes() -> None:
    """Facts survive being JSON, as xdist sends them."""
    warning = LargeArtifactWarning("artifacts/a.png", 60.5, 50.0, "one", "load")
    before = facts(
        "one",
        "error",
        error=ErrorReport("ValueError", "x", ["a"]),
        large_artifacts=(warning,),
        source="x = 1",
        streams=(("stdout", "a"), ("stderr", "b")),
        position="cell 1 of 3",
        kernels=KernelFacts(1, 1, 0, 0, 45.5, (50.0,)),
        notes=("n",),
    )
    assert before == facts_from_builtins(json.loads(json.dumps(facts_to_builtins(before))))


def test_json_is_indented_utf8() -> None:
    """A report is written as indented UTF-8 that ends with a newline."""
    text = to_json(a_full_report()).decode("utf-8")
    assert '"evalue": "né"' in text
    assert text.startswith("{\n  ")
    assert text.endswith("\n}\n")


def test_json_is_read_back() -> None:
    """A report is read back as it was written."""
    assert a_full_report() == msgspec.json.decode(to_json(a_full_report()), type=SessionReport)


def test_a_file_name_that_is_no_utf8_can_be_reported() -> None:
    """A file name that is no UTF-8 (as the system gives it, with surrogates) does not break the report."""
    warning = LargeArtifactWarning("artifacts/caf\udce9.png", 60.5, 50.0, "one", "load")
    written = json.loads(to_json(build(facts("one", large_artifacts=(warning,)))))
    assert 1 == len(written["runs"][0]["large_artifacts"])


def test_the_schema_is_a_schema() -> None:
    """The published schema is valid JSON Schema of the draft that it names."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "https://json-schema.org/draft/2020-12/schema" == schema["$schema"]


@pytest.mark.parametrize("found", [a_full_report(), build(), build(notebooks={})], ids=["full", "skipped", "empty"])
def test_reports_follow_the_schema(found: SessionReport) -> None:
    """What is written follows the published schema."""
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(to_json(found)))


@pytest.mark.parametrize("status", ["passed", None, 5])
def test_the_schema_refuses(status: Any) -> None:
    """The schema refuses a status that there is not."""
    data = json.loads(to_json(a_full_report()))
    data["runs"][0]["status"] = status
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(data)


# -- the frozen contract -----------------------------------------------------------------------------------

FROZEN: dict[type[msgspec.Struct], dict[str, Any]] = {
    RunReport: {
        "schema_version": int,
        "notebook": str,
        "cell_results": list[CellResult],
        "total_duration_ms": float,
        "status": Literal["ok", "error"],
        "large_artifacts": list[LargeArtifactWarning],
    },
    CellResult: {
        "cell_id": str,
        "cell_name": str | None,
        "status": Literal["ok", "error", "cached", "skipped"],
        "cache_key": str | None,
        "duration_ms": float,
        "error": ErrorReport | None,
    },
    ErrorReport: {"ename": str, "evalue": str, "traceback": list[str]},
    LargeArtifactWarning: {
        "path": str,
        "size_mb": float,
        "limit_mb": float,
        "cell_id": str,
        "cell_name": str | None,
    },
    SessionReport: {
        "schema_version": int,
        "status": Literal["ok", "error"],
        "total_duration_ms": float,
        "runs": list[RunReport],
        "kernels": KernelsReport,
        "cache": CacheReport,
    },
}
"""DESIGN section 7. Never edit a line of this without a new `schema_version`."""


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_frozen_fields(kind: type[msgspec.Struct]) -> None:
    """The fields of the contract keep their names and types."""
    hints = typing.get_type_hints(kind)
    assert FROZEN[kind] == {name: hints.get(name) for name in FROZEN[kind]}


@pytest.mark.parametrize("kind", FROZEN, ids=lambda kind: kind.__name__)
def test_added_fields_are_optional(kind: type[msgspec.Struct]) -> None:
    """A field that was added to the contract has a default, so that older reports can still be read."""
    required = {field.name for field in msgspec.structs.fields(kind) if field.required}
    assert set() == required - FROZEN[kind].keys()


def test_the_schema_version() -> None:
    """The version stands in every run and in the session."""
    found = a_full_report()
    assert [1] * 4 == [report.SCHEMA_VERSION, found.schema_version, *(run.schema_version for run in found.runs)]


def test_kernels_of_all_cells() -> None:
    """What became of kernels is added up over cells; the peak is the highest."""
    known = [
        facts("a", kernels=KernelFacts(1, 1, 0, 0, 40.0)),
        facts("b", kernels=KernelFacts(2, 1, 1, 1, 60.0)),
        facts("c"),
    ]
    expected = KernelsReport(started=3, forked=2, restarted=1, died=1, peak_memory_mb=60.0)
    assert expected == build(*known).kernels


def test_published_schema() -> None:
    """The schema in the documentation is the program's own."""
    published = Path(__file__).parents[2] / "docs" / "report.schema.json"
    assert json_schema() == json.loads(published.read_text(encoding="utf-8"))
