"""The shipped examples: each passes, and is wholly cached in a second run."""

import shutil
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))

pytestmark = [pytest.mark.kernel, pytest.mark.examples, pytest.mark.usefixtures("nothing_left_behind")]


@pytest.mark.parametrize("name", NAMES)
def test_example(cells_project, name, tmp_path_factory, monkeypatch):
    """An example passes, and a second run starts no kernel."""
    shutil.copytree(
        EXAMPLES / name,
        cells_project.path / name,
        ignore=shutil.ignore_patterns("artifacts", ".pytest_cache", "__pycache__"),
    )
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))  # not in the project, as usually
    first, second = cells_project.run(name), cells_project.run(name)
    statuses = {cell.status for run in first.report.runs for cell in run.cell_results}
    again = {cell.status for run in second.report.runs for cell in run.cell_results}
    assert (0, {"ok"}) == (first.ret, statuses - {"skipped"}), first.stdout
    assert (0, {"cached"}, 0) == (second.ret, again - {"skipped"}, second.kernels), second.stdout


def test_five_examples():
    """There are five."""
    assert 5 == len(NAMES)
