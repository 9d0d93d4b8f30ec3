from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from pytest_cells.cache import files
from pytest_cells.cache.files import Digests, matches
from pytest_cells.cache.trace import ABSENT


def sha(content: bytes) -> str:
    """Return a SHA-256 as text."""
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it a minute later than files were written."""
    now = time.time_ns
    monkeypatch.setattr(files.time, "time_ns", lambda: now() + 60 * 10**9)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return a list that grows by each file that is read."""
    seen: list[Path] = []
    read = files.digest_file

    def spy(path: Path) -> str:
        seen.append(path)
        return read(path)

    monkeypatch.setattr(files, "digest_file", spy)
    return seen


@pytest.mark.parametrize("content", [b"", b"abc", b"x" * (2**20 + 1)], ids=["empty", "short", "two-chunks"])
def test_the_digest_is_the_sha256(tmp_path: Path, content: bytes) -> None:
    """A file's Version is the SHA-256 of its bytes."""
    (tmp_path / "a").write_bytes(content)
    assert sha(content) == Digests().of(tmp_path / "a")


def test_an_old_file_is_read_once(tmp_path: Path, later: None, opened: list[Path]) -> None:
    """A file that does not change is read once."""
    (tmp_path / "a").write_bytes(b"abc")
    digests = Digests()
    assert [sha(b"abc")] * 2 == [digests.of(tmp_path / "a") for _ in range(2)]
    assert [tmp_path / "a"] == opened


def test_a_fresh_file_is_read_again(tmp_path: Path, opened: list[Path]) -> None:
    """A file that was changed a moment ago is read again, since it may change without a new time stamp."""
    (tmp_path / "a").write_bytes(b"abc")
    digests = Digests()
    digests.of(tmp_path / "a")
    digests.of(tmp_path / "a")
    assert [tmp_path / "a"] * 2 == opened


def test_same_size_and_times_within_the_racy_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writes that a coarse clock cannot tell apart give two digests."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    status = path.stat()
    digests = Digests()
    monkeypatch.setattr(Path, "stat", lambda *_, **__: status)
    before = digests.of(path)
    path.write_bytes(b"xyz")
    assert (sha(b"abc"), sha(b"xyz")) == (before, digests.of(path))


@pytest.mark.parametrize("content", [b"xyz", b"abcd"], ids=["same-size", "other-size"])
def test_changed_bytes_change_the_digest(tmp_path: Path, later: None, content: bytes) -> None:
    """Other bytes are seen, also with the old modification time."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    digests, status = Digests(), path.stat()
    digests.of(path)
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sha(content) == digests.of(path)


def test_a_file_that_was_replaced(tmp_path: Path, later: None) -> None:
    """Another file in the same place is seen, also with the same size and modification time."""
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_bytes(b"abc")
    other.write_bytes(b"xyz")
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    digests = Digests()
    digests.of(path)
    other.replace(path)
    assert sha(b"xyz") == digests.of(path)


def test_a_file_that_goes_and_comes(tmp_path: Path, later: None) -> None:
    """A file is absent while it is gone."""
    path, digests = tmp_path / "a", Digests()
    told = [digests.of(path)]
    path.write_bytes(b"abc")
    told.append(digests.of(path))
    path.unlink()
    told.append(digests.of(path))
    assert [ABSENT, sha(b"abc"), ABSENT] == told


def test_below_a_file_is_nothing(tmp_path: Path) -> None:
    """A path that goes through a file is absent."""
    (tmp_path / "a").write_bytes(b"")
    assert ABSENT == Digests().of(tmp_path / "a" / "b")


def test_an_unreadable_file_is_like_no_other(tmp_path: Path) -> None:
    """What is there and cannot be read never has the same Version twice."""
    digests = Digests()
    (tmp_path / "loop").symlink_to("loop")
    first, second = digests.of(tmp_path / "loop"), digests.of(tmp_path / "loop")
    assert first.startswith("unreadable ")
    assert first != second


def test_the_links_of_a_folder(tmp_path: Path, later: None) -> None:
    """Links are told apart from what else a folder holds, and one that is new is seen."""
    tmp_path.joinpath("plain").touch()
    tmp_path.joinpath("link").symlink_to("plain")
    os.utime(tmp_path, (1, 1))
    digests = Digests()
    assert {"link"} == digests.links(tmp_path)
    tmp_path.joinpath("new").symlink_to("nowhere")
    assert {"link", "new"} == digests.links(tmp_path)
    assert {"plain", "link", "new"} == digests.names(tmp_path)


def test_a_link_has_the_digest_of_its_file(tmp_path: Path, later: None) -> None:
    """A link that is pointed elsewhere changes the Version."""
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"2")
    link, digests = tmp_path / "link", Digests()
    link.symlink_to("one")
    before = digests.of(link)
    link.unlink()
    link.symlink_to("two")
    assert (sha(b"1"), sha(b"2")) == (before, digests.of(link))


# -- declared inputs ---------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with `data/a.csv`, `data/b.json` and `data/sub/c.csv`."""
    (tmp_path / "data" / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.json", "sub/c.csv"):
        (tmp_path / "data" / name).write_text(name)
    return tmp_path


def test_a_pattern_that_is_a_file(data: Path) -> None:
    """A declared file has the file's own Version, relative or absolute."""
    expected = sha(b"a.csv")
    assert expected == Digests().of_pattern("data/a.csv", data)
    assert expected == Digests().of_pattern(str(data / "data" / "a.csv"), data / "data")


@pytest.mark.parametrize("pattern", ["gone.csv", "gone/*.csv", "gone/", "data/*.txt"])
def test_a_pattern_that_matches_nothing(data: Path, pattern: str) -> None:
    """A declared input that is not there is absent."""
    assert ABSENT == Digests().of_pattern(pattern, data)
    assert [] == matches(pattern, data)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("data/*.csv", ["data/a.csv"]),
        ("data/*", ["data/a.csv", "data/b.json", "data/sub"]),
        ("data/**/*.csv", ["data/a.csv", "data/sub/c.csv"]),
        ("data/[ab].*", ["data/a.csv", "data/b.json"]),
        ("data", ["data"]),
        ("data/sub/../a.csv", ["data/sub/../a.csv"]),
    ],
)
def test_what_a_pattern_matches(data: Path, pattern: str, names: list[str]) -> None:
    """Files, folders and globs are found in order."""
    assert [data / name for name in names] == matches(pattern, data)


def test_a_file_whose_name_looks_like_a_glob(data: Path) -> None:
    """A file that is really called so is meant before the glob."""
    (data / "data" / "[ab].csv").write_text("brackets")
    assert [data / "data" / "[ab].csv"] == matches("data/[ab].csv", data)


def test_a_folder_whose_name_looks_like_a_glob(tmp_path: Path) -> None:
    """The notebook's own folder is never taken for a part of the glob."""
    folder = tmp_path / "run[1]"
    folder.mkdir()
    (folder / "a.csv").write_text("1")
    assert [folder / "a.csv"] == matches("*.csv", folder)


def change(data: Path) -> None:
    (data / "data" / "sub" / "c.csv").write_text("changed")


def add(data: Path) -> None:
    (data / "data" / "sub" / "new.csv").write_text("")


def remove(data: Path) -> None:
    (data / "data" / "sub" / "c.csv").unlink()


def rename(data: Path) -> None:
    (data / "data" / "sub" / "c.csv").rename(data / "data" / "sub" / "d.csv")


@pytest.mark.parametrize("pattern", ["data", "data/", "data/*", "data/**/*.csv", "data/s[u]b"])
@pytest.mark.parametrize("edit", [change, add, remove, rename])
def test_folders_and_globs_see_every_edit(data: Path, pattern: str, edit: object) -> None:
    """A changed, new, deleted or renamed file below a declared folder or glob changes the Version."""
    digests = Digests()
    before = digests.of_pattern(pattern, data)
    assert before == digests.of_pattern(pattern, data)
    edit(data)  # type: ignore[operator]
    assert before != digests.of_pattern(pattern, data)


def test_a_glob_does_not_see_other_files(data: Path) -> None:
    """A file that a glob does not match does not change its Version."""
    digests = Digests()
    before = digests.of_pattern("data/*.csv", data)
    (data / "data" / "b.json").write_text("changed")
    assert before == digests.of_pattern("data/*.csv", data)


def test_the_version_does_not_depend_on_where_the_project_is(tmp_path: Path) -> None:
    """The same folder elsewhere has the same Version, so that a cache can move between machines."""
    for place in ("one", "two"):
        (tmp_path / place / "data").mkdir(parents=True)
        (tmp_path / place / "data" / "a.csv").write_text("1")
    versions = {Digests().of_pattern(pattern, tmp_path / place) for place in ("one", "two") for pattern in ("data",)}
    assert 1 == len(versions)


def test_an_empty_folder_is_not_absent(tmp_path: Path) -> None:
    """An empty folder is something else than none."""
    before = Digests().of_pattern("data", tmp_path)
    (tmp_path / "data").mkdir()
    assert ABSENT == before
    assert before != Digests().of_pattern("data", tmp_path)


@pytest.mark.parametrize("pattern", ["data", "data/*"])
def test_files_behind_a_linked_folder_are_seen(data: Path, pattern: str) -> None:
    """A folder may hold links to folders: what changes behind them changes the Version."""
    (data / "elsewhere" / "deep").mkdir(parents=True)
    (data / "elsewhere" / "deep" / "x.csv").write_text("1")
    (data / "data" / "sub" / "link").symlink_to(data / "elsewhere", target_is_directory=True)
    digests = Digests()
    before = digests.of_pattern(pattern, data)
    (data / "elsewhere" / "deep" / "x.csv").write_text("2")
    assert before != digests.of_pattern(pattern, data)


def test_links_in_a_circle_come_to_an_end(data: Path) -> None:
    """A folder that links to itself has a Version all the same."""
    (data / "data" / "sub" / "up").symlink_to(data / "data", target_is_directory=True)
    assert Digests().of_pattern("data", data) == Digests().of_pattern("data", data)
