from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cells import watch as watch_module
from pytest_cells.watch import FolderWatch

linux = pytest.mark.skipif(sys.platform != "linux", reason="folders are watched on Linux alone")


@pytest.fixture
def watch() -> Iterator[FolderWatch]:
    """Return a watch that is closed at the end."""
    found = FolderWatch()
    yield found
    found.close()


@linux
def test_quiet_until_something_happens(tmp_path: Path, watch: FolderWatch) -> None:
    """A watched folder is quiet until something happens in it, and again after that was told."""
    watch.watch(str(tmp_path))
    told = [watch.quiet((str(tmp_path),))]
    (tmp_path / "a").write_text("1")
    told += [watch.quiet((str(tmp_path),)), watch.quiet((str(tmp_path),))]
    assert [True, False, True] == told


@linux
def test_reading_is_nothing(tmp_path: Path, watch: FolderWatch) -> None:
    """Reading and listing is not something that happens."""
    (tmp_path / "a").write_text("1")
    watch.watch(str(tmp_path))
    (tmp_path / "a").read_text()
    list(tmp_path.iterdir())
    assert True is watch.quiet((str(tmp_path),))


@linux
@pytest.mark.parametrize("edit", ["write", "append", "delete", "rename", "chmod", "touch", "folder", "gone"])
def test_what_happens(tmp_path: Path, watch: FolderWatch, edit: str) -> None:
    """Every way to change a folder or a file in it is noticed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "a"
    path.write_text("1")
    watch.watch(str(folder))
    edits = {
        "write": lambda: path.write_text("2"),
        "append": lambda: path.open("a").close(),
        "delete": path.unlink,
        "rename": lambda: path.rename(folder / "b"),
        "chmod": lambda: path.chmod(0o600),
        "touch": lambda: os.utime(path),
        "folder": lambda: (folder / "new").mkdir(),
        "gone": lambda: folder.rename(tmp_path / "elsewhere"),
    }
    edits[edit]()
    assert False is watch.quiet((str(folder),))


def test_a_root_that_is_not_watched(tmp_path: Path, watch: FolderWatch) -> None:
    """A folder that nobody watches may have changed."""
    assert False is watch.quiet((str(tmp_path),))


@linux
def test_a_root_that_comes_into_being(tmp_path: Path, watch: FolderWatch) -> None:
    """A root that is not there is quiet until it is."""
    root = tmp_path / "root"
    told = [watch.quiet((str(root),))]
    root.mkdir()
    told.append(watch.quiet((str(root),)))
    assert [True, False] == told


@linux
def test_forgotten_roots_may_have_changed(tmp_path: Path, watch: FolderWatch) -> None:
    """After everything was forgotten nothing is sure, until it is watched anew."""
    watch.watch(str(tmp_path))
    watch.forget()
    told = [watch.quiet((str(tmp_path),))]
    watch.watch(str(tmp_path))
    told.append(watch.quiet((str(tmp_path),)))
    assert [False, True] == told


def test_a_folder_that_cannot_be_watched(tmp_path: Path, watch: FolderWatch) -> None:
    """Where one folder cannot be watched, from then on nothing is sure."""
    watch.watch(str(tmp_path))
    watch.watch(str(tmp_path / "gone"))
    watch.watch(str(tmp_path))
    assert False is watch.quiet((str(tmp_path),))


def test_other_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On systems without inotify nothing is sure."""
    monkeypatch.setattr(watch_module.sys, "platform", "darwin")
    watch = FolderWatch()
    watch.watch(str(tmp_path))
    assert False is watch.quiet((str(tmp_path),))
    watch.close()


def test_closing(tmp_path: Path) -> None:
    """A watch can be closed twice, and nothing is sure after that."""
    watch = FolderWatch()
    watch.watch(str(tmp_path))
    watch.close()
    watch.close()
    assert False is watch.quiet((str(tmp_path),))


@linux
def test_no_descriptor_is_left(tmp_path: Path) -> None:
    """Closing gives the descriptor back."""
    before = set(Path("/proc/self/fd").iterdir())
    watch = FolderWatch()
    watch.watch(str(tmp_path))
    watch.close()
    assert before == set(Path("/proc/self/fd").iterdir())
