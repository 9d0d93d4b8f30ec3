"""What is asked of processes that are not our own."""

import os

import pytest

from pytest_cells.kernels import processes
from pytest_cells.kernels.processes import open_for_writing


@pytest.mark.skipif(not processes.DESCRIPTORS_TOLD, reason="the system does not tell which files are open")
def test_open_for_writing(tmp_path):
    """Files that a process holds open for writing are told, others not."""
    read, written = tmp_path / "read", tmp_path / "written"
    read.write_text("1")
    with read.open(), written.open("w"):
        found = open_for_writing([os.getpid()])
    assert [str(written)] == [path for path in found or () if path.startswith(str(tmp_path))]
    assert [] == open_for_writing([2**22 + 1])


def test_open_for_writing_where_the_system_does_not_tell(monkeypatch):
    """That nothing is known is told apart from that nothing is open."""
    monkeypatch.setattr(processes, "DESCRIPTORS_TOLD", False)
    assert open_for_writing([os.getpid()]) is None
