"""Find out which artifacts a cell left, see that it wrote what it declares, and warn about large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_cells.artifacts import Seen, changes, nameable, record, split_by_writer
from pytest_cells.cache.files import files_of
from pytest_cells.errors import OutputsError
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
        """Note what has changed. What the kernel does not say that it wrote may be somebody else's."""
        folders = run.run.folders
        changed, removed = changes(self._before, folders.snapshot())
        self._before = {}
        written = run.outcome.written if run.outcome else None
        folders.suspect([*changed, *(written or ())])
        mine, unknown = split_by_writer([path for path in changed if nameable(path)], written)
        if run.run.settings.shared_run:
            run.unattributed, unknown = unknown, []
        run.unattributed += [path for path in changed if not nameable(path)]
        digests = run.run.session.digests
        run.artifacts = record(folders, mine, split_by_writer(removed, written)[0], digests, sure=True)
        run.artifacts |= record(folders, unknown, (), digests, sure=written is None)
        if result is not None and result.status == "ok":
            run.artifacts |= record(folders, _declared(run), (), digests, sure=True)
        run.large_artifacts = large(run.cell, run.artifacts, run.run.settings.artifacts.max_mb)


def _declared(run: CellRun) -> list[str]:
    """Return the files that a cell's directives name as its outputs. Raises OutputsError where there is none."""
    found: list[str] = []
    for pattern in run.cell.directives.outputs:
        files = [str(path) for path in files_of(pattern, run.notebook.path.parent)]
        if not files:
            raise OutputsError(
                f"cell {run.cell.label} declares outputs={pattern}, and there is no such file after it\n"
                "  correct the path (it is relative to the notebook's folder), or leave it out"
            )
        found += files
    return found
