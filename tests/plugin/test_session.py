"""Pytest's loop and `Session.run` are two relays over the same code."""

import pytest

from pytest_cells import Session, Settings
from pytest_cells.settings import CacheSettings

pytestmark = pytest.mark.kernel


def told(report):
    """Return what must be the same."""
    return [
        (run.notebook, run.status, [(c.cell_id, c.status, c.reason, c.cache_key) for c in run.cell_results])
        for run in report.runs
    ]


def test_same_notebooks_through_both(cells_project):
    """The same notebooks give the same report through pytest and through a Session."""
    paths = [
        cells_project.notebook("a.ipynb", "x = 1", "# cells: skip=why\nx", "assert x == 1"),
        cells_project.notebook("b.ipynb", "x = 1", "1/0", "x"),
        cells_project.notebook("c.ipynb", "# cells: xfail=bug\n1/0", "x = 2"),
    ]
    settings = Settings(cells_project.path, CacheSettings(cells_project.path / "own"))
    for _ in range(2):
        through_pytest = cells_project.run()
        with Session(settings) as session:
            through_session = session.run(paths)
        assert told(through_pytest.report) == told(through_session)
        assert through_pytest.report.kernels.started == through_session.kernels.started


def test_unreadable_notebook(cells_project):
    """A Session reports a file that it cannot read."""
    with Session(Settings(cells_project.path)) as session:
        report = session.run([cells_project.file("bad.ipynb", "")])
    assert ("error", "bad.ipynb") == (report.status, report.runs[0].notebook)
