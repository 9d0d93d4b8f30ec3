"""A watch may say "something happened" for nothing, but never "nothing happened" after something did."""

import os
import sys

import pytest

from pytest_cells.watch import FolderWatch

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture
def watched(tmp_path):
    """Lend a watch over a folder with one file, and the folder."""
    (tmp_path / "file").write_text("1")
    watch = FolderWatch()
    watch.watch(str(tmp_path))
    watch.quiet((str(tmp_path),))
    yield watch, tmp_path
    watch.close()


@linux
def test_quiet(watched):
    """Reading is nothing."""
    watch, folder = watched
    (folder / "file").read_text()
    assert watch.quiet((str(folder),))


@linux
@pytest.mark.parametrize(
    "act",
    [
        lambda folder: (folder / "file").write_text("2"),
        lambda folder: (folder / "new").touch(),
        lambda folder: (folder / "sub").mkdir(),
        lambda folder: (folder / "file").unlink(),
        lambda folder: (folder / "file").rename(folder / "other"),
        lambda folder: os.utime(folder / "file", (1, 1)),
        lambda folder: os.truncate(folder / "file", 0),
    ],
    ids=["write", "create", "mkdir", "remove", "rename", "times", "truncate"],
)
def test_not_quiet(watched, act):
    """Whatever changes a folder is noticed, once."""
    watch, folder = watched
    act(folder)
    assert not watch.quiet((str(folder),))
    assert watch.quiet((str(folder),))


@linux
def test_new_root(watched):
    """A root that did not exist and now does is noticed, until it is watched."""
    watch, folder = watched
    root = folder / "sub" / "root"
    assert watch.quiet((str(root),))
    root.mkdir(parents=True)
    watch.quiet(())
    assert not watch.quiet((str(root),))


@linux
def test_out_of_watches(watched):
    """Where a folder cannot be watched nothing is ever quiet again."""
    watch, folder = watched
    watch.watch(str(folder / "nowhere"))
    assert not watch.quiet(())


def test_other_systems(monkeypatch, tmp_path):
    """Without inotify nothing is ever quiet."""
    monkeypatch.setattr(sys, "platform", "plan9")
    watch = FolderWatch()
    watch.watch(str(tmp_path))
    assert not watch.quiet(())
    watch.close()
