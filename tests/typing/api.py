"""Type-checked, never run: the public API as somebody outside uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_cells import Lifecycle, Notebook, RunReport, Session, SessionReport, Settings, Skip


class Gpu(Lifecycle):
    """Skip cells that need what is not there."""

    def setup(self, run: Any) -> Skip[Any] | None:
        """Skip."""
        return Skip(run.result("skipped", reason="no GPU"))


def pytest_cells_lifecycles(notebook: Notebook) -> list[Lifecycle]:
    """Add a lifecycle."""
    return [Gpu()] if notebook.path.name == "gpu.ipynb" else []


def failing(folder: Path) -> list[str]:
    """Return the notebooks that fail."""
    with Session(Settings(rootdir=folder)) as session:
        report: SessionReport = session.run(sorted(folder.glob("*.ipynb")))
    runs: list[RunReport] = report.runs
    return [run.notebook for run in runs if run.status == "error"]
