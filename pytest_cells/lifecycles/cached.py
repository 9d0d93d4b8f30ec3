"""Take a cell from the cache where nothing that it depends on has changed; store one that passed."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from pytest_cells.artifacts import keep, put_back
from pytest_cells.cache.trace import FEW_BYTES, Artifact, Damaged, Trace, decode_outputs, encode_outputs
from pytest_cells.evaluator import Lifecycle, Skip
from pytest_cells.in_kernel.versions import FOLDER
from pytest_cells.plan import Hit, describe_input
from pytest_cells.report import MB, CellResult, large

if TYPE_CHECKING:
    from pytest_cells.cache.store import Store
    from pytest_cells.run import CellRun


class Cached(Lifecycle):
    """Look a cell up before it is executed, and keep it afterwards."""

    def setup(self, run: CellRun) -> Skip[CellResult] | None:
        """Return the cached result, verified; note the reason where there is none."""
        decision = run.run.plan(run)
        run.reason = decision.reason
        if not isinstance(decision, Hit) or run.run.store is None:
            return None
        trace = decision.trace
        percent = run.run.settings.cache.audit
        if percent and random.random() * 100 < percent:  # a sample, no secret
            run.audited, run.reason = trace, "audited: it would be cached"
            return None
        try:
            restored = verify(run, trace, run.run.store)
        except (Damaged, OSError) as problem:
            run.reason = str(problem)
            return None
        run.run.store.touch(trace)
        run.run.passed(run.cell, run.inputs, trace.duration_ms)
        run.large_artifacts = large(run.cell, trace.artifacts, run.run.settings.artifacts.max_mb)
        reason = decision.reason + (f"; put back {', '.join(restored)}" if restored else "")
        return Skip(run.result("cached", cache_key=trace.key, reason=reason, saved_ms=trace.duration_ms))

    def teardown(self, run: CellRun, result: CellResult | None) -> None:
        """Store the trace of a cell that was executed and passed."""
        if run.outcome is None or run.run.store is None:
            return
        if result is None or result.status != "ok":
            run.run.forget(run.cell, run.inputs)
            return
        if run.run.never_cached(run.cell) and not run.run.rung.trace(run).volatile:
            return
        run.run.passed(run.cell, run.inputs, run.outcome.duration_ms)
        if run.moved:
            changed = ", ".join(describe_input(name) for name in run.moved)
            run.notes.append(f"{run.notebook.name}::{run.cell.label} not stored, changed while it ran: {changed}")
            return
        if run.unattributed:
            labels = ", ".join(run.run.folders.shown(path) for path in run.unattributed)
            run.notes.append(
                f"{run.notebook.name}::{run.cell.label} not stored: it cannot be told whether it wrote {labels}"
            )
            return
        encoded = encode_outputs(run.outcome.outputs) if run.outcome.outputs else None
        run.run.postpone(partial(store_trace, run, run.run.store, run.run.rung.trace(run), encoded))
        if run.artifacts:  # the next cell may change them
            run.run.catch_up()


def store_trace(run: CellRun, store: Store, seen: Trace, outputs: bytes | None) -> None:
    """Write outputs and artifacts first and the trace last: a trace that can be read is whole."""
    outcome = run.outcome
    assert outcome is not None
    max_bytes = run.run.settings.artifacts.store_max_mb * MB
    artifacts = keep(run.artifacts, run.run.folders, store, max_bytes)
    trace = msgspec.structs.replace(
        seen,
        artifacts=artifacts,
        outputs=store.put_blob(outputs) if outputs is not None and len(outputs) > FEW_BYTES else None,
        few_outputs=decode_outputs(outputs) if outputs is not None and len(outputs) <= FEW_BYTES else [],
        error=outcome.error,
        duration_ms=round(outcome.duration_ms, 3),
    )
    store.put_trace(trace)


def verify(run: CellRun, trace: Trace, store: Store) -> list[str]:
    """Check that all that a hit promises is there, put artifacts back, and return which.

    Raises Damaged or OSError for what cannot be made good.
    """
    if trace.outputs is not None:
        store.get_blob(trace.outputs)
    folders, digests = run.run.folders, run.run.session.digests
    wrong = {
        label: artifact
        for label, artifact in trace.artifacts.items()
        if artifact.digest is not None and digests.of(folders.place(label)) != artifact.digest
    }
    if wrong:
        later: dict[str, Artifact] = {}
        for below in run.run.later_hits(run.cell):
            later.update(below.artifacts)
        wrong = {label: artifact for label, artifact in wrong.items() if label not in later}
    for label, artifact in wrong.items():
        try:
            put_back(folders.place(label), artifact, store)
        except (Damaged, OSError) as problem:
            told = problem if isinstance(problem, Damaged) else problem.strerror
            raise Damaged(f"artifact {label} is gone or altered, and {told}") from None
    return sorted([*wrong, *_put_back_folders(run, trace)])


def _put_back_folders(run: CellRun, trace: Trace) -> list[str]:
    """Make the folders that the cell made and that are gone, unless a cell below removed them. Raises OSError."""
    made = [name for name, version in trace.writes.items() if version == FOLDER and name.startswith("path:")]
    gone = [name for name in made if not (run.run.settings.rootdir / name[5:]).exists()]
    later = {name for below in run.run.later_hits(run.cell) for name in below.writes} if gone else set()
    gone = [name[5:] for name in gone if name not in later]
    for folder in gone:
        (run.run.settings.rootdir / folder).mkdir(parents=True, exist_ok=True)
    return gone
