"""The report contract: results of cells, notebooks and sessions, as JSON with a published schema.

Fields are never renamed or retyped without a new `schema_version`; optional fields are added freely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from pytest_cells.cache.trace import Artifact, encode
from pytest_cells.model import Cell, Json, Status

SCHEMA_VERSION = 1
MB = 2**20


class ErrorReport(msgspec.Struct, frozen=True, gc=False):
    """The error that a cell ended with."""

    ename: str
    evalue: str
    traceback: list[str] = msgspec.field(default_factory=list)


class CellResult(msgspec.Struct, frozen=True, gc=False):
    """What happened to one cell."""

    cell_id: str
    cell_name: str | None
    status: Status
    cache_key: str | None = None
    duration_ms: float = 0.0
    """Time spent on the cell in this run, replays and kernel start included."""
    error: ErrorReport | None = None
    index: int | None = None
    """Position among the notebook's code cells, from 0."""
    reason: str | None = None
    """Why it was run, taken from the cache, or skipped."""
    saved_ms: float = 0.0
    """Time that executing the cell took when its cached result was made; 0 where it had to be replayed."""
    attempts: int = 0
    """How often it was executed in this run."""
    line: int | None = None
    """The line in the cell, from 1, that the error points at."""
    nodeid: str | None = None


class LargeArtifactWarning(msgspec.Struct, frozen=True, gc=False):
    """A file that a cell wrote and that is larger than `cells_max_artifact_mb`."""

    path: str
    """Relative to rootdir, with forward slashes."""
    size_mb: float
    limit_mb: float
    cell_id: str
    cell_name: str | None


class KernelFacts(msgspec.Struct, frozen=True, gc=False):
    """What became of kernels while one cell was evaluated."""

    started: int = 0
    forked: int = 0
    restarted: int = 0
    died: int = 0
    peak_memory_mb: float = 0.0
    startup_ms: tuple[float, ...] = ()


class CellFacts(msgspec.Struct, frozen=True, gc=False):
    """All that is known about one cell's evaluation, in the form in which it travels between processes.

    Most cells of most sessions are cached and have nothing to tell: tuples, for an empty one is no object of its own.
    """

    notebook: str
    result: CellResult
    large_artifacts: tuple[LargeArtifactWarning, ...] = ()
    source: str = ""
    """For a failure: the cell's source."""
    streams: tuple[tuple[str, str], ...] = ()
    """For a failure or a `-rP` report: name and text of what the cell printed."""
    position: str = ""
    """`cell 7 of 21`."""
    first_line: str = ""
    kernels: KernelFacts = KernelFacts()
    replayed: tuple[str, ...] = ()
    """Ids of cells that had to be executed again, unreported, to bring back state for this one."""
    notes: tuple[str, ...] = ()
    """Things to tell once a session, such as a cache folder that cannot be written."""


class RunReport(msgspec.Struct, frozen=True):
    """What happened to one notebook."""

    notebook: str
    cell_results: list[CellResult]
    total_duration_ms: float
    status: Literal["ok", "error"]
    large_artifacts: list[LargeArtifactWarning] = msgspec.field(default_factory=list)
    schema_version: int = SCHEMA_VERSION
    error: ErrorReport | None = None
    """Why the notebook could not be read, where that is so."""


class KernelsReport(msgspec.Struct, frozen=True):
    """The kernels that a session used."""

    started: int = 0
    startup_ms_median: float | None = None
    forked: int = 0
    """How many of them a fork server started."""
    restarted: int = 0
    """How many were started for a notebook that had had one before."""
    died: int = 0
    """How many were lost: they ended by themselves, or had to be killed, or never came to answer."""
    peak_memory_mb: float | None = None
    """The most memory that one kernel held, in MB (2^20 bytes), where that could be known."""


class CacheReport(msgspec.Struct, frozen=True):
    """What the cache did for a session."""

    enabled: bool = False
    folder: str | None = None
    rung: str = "chain"
    hits: int = 0
    misses: int = 0
    saved_ms: float = 0.0
    notes: list[str] = msgspec.field(default_factory=list)


class SessionReport(msgspec.Struct, frozen=True):
    """What happened in one session, in all notebooks of which some cell was selected."""

    status: Literal["ok", "error"]
    total_duration_ms: float
    runs: list[RunReport] = msgspec.field(default_factory=list)
    kernels: KernelsReport = KernelsReport()
    cache: CacheReport = CacheReport()
    schema_version: int = SCHEMA_VERSION


def large(cell: Cell, artifacts: Mapping[str, Artifact], limit_mb: float) -> list[LargeArtifactWarning]:
    """Return a warning for each artifact of a cell above the limit; a limit of 0 is none."""
    return [
        LargeArtifactWarning(path, round(artifact.size / MB, 3), limit_mb, cell.id, cell.name)
        for path, artifact in sorted(artifacts.items())
        if limit_mb and artifact.size > limit_mb * MB
    ]


def to_json(report: SessionReport | RunReport) -> bytes:
    """Return a report as indented JSON, UTF-8, ending with a newline."""
    return msgspec.json.format(encode(report), indent=2) + b"\n"


def json_schema() -> Json:
    """Return the JSON Schema (draft 2020-12) of the session's report."""
    schema: dict[str, Any] = msgspec.json.schema(SessionReport)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def facts_to_builtins(facts: CellFacts) -> Json:
    """Return facts as plain JSON-ready data: anything else crashes an xdist worker."""
    plain: Json = msgspec.to_builtins(facts)
    return plain


def facts_from_builtins(data: Any) -> CellFacts:
    """Read facts back."""
    return msgspec.convert(data, CellFacts)


def build_session(
    notebooks: Mapping[str, Sequence[tuple[str, str | None]]],
    facts: Iterable[CellFacts],
    unread: Mapping[str, str],
    *,
    total_duration_ms: float,
    cache: CacheReport,
    stopped: bool = False,
) -> SessionReport:
    """Put together what is known of all cells.

    `notebooks` lists the id and name of every code cell of every selected notebook, `unread` the files that
    could not be read, with the reason. A cell without facts did not run, and is reported so. `stopped` tells that
    the session did not come to its end (Ctrl-C).
    """
    known = list(facts)
    by_notebook: dict[str, dict[str, CellFacts]] = {}
    replayed = {(fact.notebook, cell_id) for fact in known for cell_id in fact.replayed}
    for fact in known:
        key = (fact.notebook, fact.result.cell_id)
        if key in replayed and fact.result.saved_ms:
            fact = msgspec.structs.replace(fact, result=msgspec.structs.replace(fact.result, saved_ms=0.0))  # noqa: PLW2901
        by_notebook.setdefault(fact.notebook, {})[fact.result.cell_id] = fact
    listed = {name: list(cells) for name, cells in notebooks.items()}
    for name, found in by_notebook.items():  # a notebook may have changed, or gone, since it was run
        cells = listed.setdefault(name, [])
        ids = {cell_id for cell_id, _ in cells}
        cells += [(cell_id, fact.result.cell_name) for cell_id, fact in found.items() if cell_id not in ids]
    runs = [_build_run(name, cells, by_notebook.get(name, {})) for name, cells in listed.items()]
    runs += [
        RunReport(name, [], 0.0, "error", error=ErrorReport("NotebookError", problem, []))
        for name, problem in unread.items()
    ]
    runs.sort(key=lambda run: run.notebook)
    results = [result for run in runs for result in run.cell_results]
    return SessionReport(
        status="error" if stopped or any(run.status == "error" for run in runs) else "ok",
        total_duration_ms=round(total_duration_ms, 3),
        runs=runs,
        kernels=_build_kernels([fact.kernels for fact in known]),
        cache=msgspec.structs.replace(
            cache,
            hits=sum(result.status == "cached" for result in results),
            misses=sum(result.attempts > 0 for result in results),
            saved_ms=round(sum(result.saved_ms for result in results), 3),
            notes=sorted({*cache.notes, *(note for fact in known for note in fact.notes)}),
        ),
    )


def _build_kernels(facts: Sequence[KernelFacts]) -> KernelsReport:
    startup = sorted(value for fact in facts for value in fact.startup_ms)
    return KernelsReport(
        started=sum(fact.started for fact in facts),
        startup_ms_median=round(startup[len(startup) // 2], 1) if startup else None,
        forked=sum(fact.forked for fact in facts),
        restarted=sum(fact.restarted for fact in facts),
        died=sum(fact.died for fact in facts),
        peak_memory_mb=max((fact.peak_memory_mb for fact in facts), default=0.0) or None,
    )


def _build_run(name: str, cells: Sequence[tuple[str, str | None]], facts: Mapping[str, CellFacts]) -> RunReport:
    results = []
    for index, (cell_id, cell_name) in enumerate(cells):
        fact = facts.get(cell_id)
        if fact is None:
            result = CellResult(cell_id, cell_name, "skipped", index=index, reason="not selected, or not reached")
        else:
            result = fact.result
        results.append(result)
    large = {warning.path: warning for fact in facts.values() for warning in fact.large_artifacts}
    return RunReport(
        notebook=name,
        cell_results=results,
        total_duration_ms=round(sum(result.duration_ms for result in results), 3),
        status="error" if any(result.status == "error" for result in results) else "ok",
        large_artifacts=[large[path] for path in sorted(large)],
    )
