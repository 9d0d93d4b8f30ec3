from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cells.kernels import ownership
from pytest_cells.kernels.ownership import LONGEST_TEMP, OWNER, PREFIX

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times are known from /proc alone")


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which all session folders of a test are; no other is looked at."""
    monkeypatch.setattr(ownership, "bases", lambda: [str(tmp_path)])
    return tmp_path


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process in a group of its own that lives until it is killed."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, start_new_session=True) as found:
        yield found
        found.kill()


@pytest.fixture
def dead() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as found:
        found.wait()
    return found.pid


def session(base: Path, name: str, *owner: object) -> Path:
    """Make a session's folder with an owner's record: process, start time and, unless told, this machine."""
    folder = base / f"{PREFIX}{name}"
    folder.mkdir()
    note(folder, *owner)
    return folder


def note(folder: Path, *owner: object) -> None:
    """Write an owner's record."""
    folder.mkdir(exist_ok=True)
    (folder / OWNER).write_text(json.dumps([*owner, *([ownership._here()] if len(owner) == 2 else [])]))


def test_a_session_folder(base: Path) -> None:
    """A session's folder is private, and names this process with its start time."""
    folder = ownership.session_folder()
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert base == folder.parent
    assert [os.getpid(), ownership.started(os.getpid())] == json.loads((folder / OWNER).read_text())[:2]


@pytest.mark.parametrize(
    ("temp", "first"), [("/" + "x" * LONGEST_TEMP, "/tmp"), ("/short", "/short")], ids=["long", "short"]
)
def test_where_session_folders_are(temp: str, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for temporary files whose name is too long for sockets is not used, but still looked at."""
    monkeypatch.undo()
    monkeypatch.setattr(ownership.tempfile, "gettempdir", lambda: temp)
    assert first == ownership.bases()[0]
    assert {temp, "/tmp"} == set(ownership.bases())


def test_start_times(dead: int, process: subprocess.Popen[bytes]) -> None:
    """A process has the same start time at every look; one that ended has none."""
    assert None is not ownership.started(process.pid)
    assert ownership.started(process.pid) == ownership.started(process.pid)
    assert None is ownership.started(dead)


def test_reap_removes_what_a_dead_owner_left(base: Path, dead: int) -> None:
    """The folder of a session whose owner is dead goes, with all in it."""
    folder = session(base, "dead", dead, "123")
    note(folder / "1", dead, "123")
    (folder / "1" / "kernel.json").write_text("{}")
    assert 1 == ownership.reap()
    assert [] == list(base.iterdir())


def test_reap_knows_a_later_process_of_the_same_number(base: Path) -> None:
    """A living process with the owner's number and another start time is not the owner."""
    session(base, "reused", os.getpid(), "1")
    assert 1 == ownership.reap()
    assert [] == list(base.iterdir())


def test_reap_leaves_living_sessions(base: Path, process: subprocess.Popen[bytes]) -> None:
    """Our own folder and those of other living sessions stay."""
    own = ownership.session_folder()
    other = session(base, "other", process.pid, ownership.started(process.pid))
    unknown = session(base, "unknown", process.pid, None)
    assert 0 == ownership.reap()
    assert {own, other, unknown} == set(base.iterdir())


def test_reap_leaves_what_is_none_of_ours(base: Path, dead: int) -> None:
    """Folders of other names, without a record or with one from another machine stay."""
    (base / f"{PREFIX}no-record").mkdir()
    (base / "somebody-elses").mkdir()
    note(base / "somebody-elses", dead, "123")
    session(base, "other-machine", dead, "123", "another machine")
    (base / f"{PREFIX}file").write_text("")
    before = set(base.iterdir())
    assert 0 == ownership.reap()
    assert before == set(base.iterdir())


@pytest.mark.parametrize("content", ["", "[", "5", "[]", "null", '["a"]'])
def test_reap_leaves_records_that_say_nothing(base: Path, content: str) -> None:
    """A record that cannot be read (it may be just being written) makes nobody dead."""
    folder = base / f"{PREFIX}new"
    folder.mkdir()
    (folder / OWNER).write_text(content)
    assert 0 == ownership.reap()
    assert True is folder.exists()


def test_reap_knows_an_owner_that_nobody_waited_for(base: Path, process: subprocess.Popen[bytes]) -> None:
    """An owner that has ended is gone, though its parent has not noticed yet."""
    folder = session(base, "zombie", process.pid, ownership.started(process.pid))
    assert 0 == ownership.reap()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert 1 == ownership.reap()
    assert False is folder.exists()


def test_reap_kills_the_kernels_of_a_dead_owner(base: Path, dead: int, process: subprocess.Popen[bytes]) -> None:
    """A kernel that outlived its session is killed."""
    note(session(base, "dead", dead, "123") / "1", process.pid, ownership.started(process.pid))
    ownership.reap()
    assert -9 == process.wait(timeout=10)


@pytest.mark.parametrize("start", ["1", None], ids=["other", "unknown"])
def test_reap_never_kills_another_process(
    base: Path, dead: int, process: subprocess.Popen[bytes], start: str | None
) -> None:
    """A living process with the kernel's number and another start time, or an unknown one, is not killed."""
    killed: list[int] = []
    note(session(base, "dead", dead, "123") / "1", process.pid, start)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership.os, "killpg", lambda pid, signal: killed.append(pid))
        ownership.reap()
    assert [] == killed


@pytest.mark.parametrize("pid", [0, -1, 1])
def test_reap_never_kills_groups_of_others(base: Path, dead: int, pid: int) -> None:
    """A record of no process, or of the first one, kills nothing."""
    killed: list[int] = []
    note(session(base, "dead", dead, "123") / "1", pid, "0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership.os, "killpg", lambda pid, signal: killed.append(pid))
        ownership.reap()
    assert [] == killed


def test_note_kernel(base: Path, process: subprocess.Popen[bytes]) -> None:
    """A kernel's record holds its process and start time."""
    ownership.note_kernel(base, process.pid)
    expected = [process.pid, ownership.started(process.pid)]
    assert expected == json.loads((base / OWNER).read_text())[:2]


def test_kill_group_without_a_record(base: Path) -> None:
    """Without a record nothing is killed, and nothing raised."""
    killed: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership.os, "killpg", lambda pid, signal: killed.append(pid))
        ownership.kill_group(base / "1" / OWNER)
    assert [] == killed
