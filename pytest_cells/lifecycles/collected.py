"""Find out which artifacts a cell left, and warn about large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cells.artifacts import Seen, changes, record, split_by_writer
from pytest_cells.evaluator import Lifecycle, Skip
from pytest_cells.report import large

if TYPE_CHECKING:
    from pytest_cells.report import CellResult
    from pytest_cells.run import CellRun


class Collected(Lifecycle):
    """Compare the artifact folders before and after a cell."""

    def __init__(self) -> None:
        self._before: Seen = {}

    def setup(self, run: CellRun) -> Skip[CellResult] | None:
        """Note what is there."""
        self._before = run.run.folders.snapshot()
        return None

    def teardown(self, run: CellRun, result: CellResult | None) -> None:
        """Note what has changed; where other notebooks may write too, only what this kernel wrote."""
        changed, removed = changes(self._before, run.run.folders.snapshot())
        self._before = {}
        run.run.folders.suspect(changed)
        if run.outcome and run.outcome.written:
            run.run.folders.suspect(run.outcome.written)
        if run.run.settings.shared_run:
            written = run.outcome.written if run.outcome else None
            changed, run.unattributed = split_by_writer(changed, written)
            removed, _ = split_by_writer(removed, written)
        run.artifacts = record(run.run.folders, changed, removed, run.run.session.digests)
        run.large_artifacts = large(run.cell, run.artifacts, run.run.settings.artifacts.max_mb)
