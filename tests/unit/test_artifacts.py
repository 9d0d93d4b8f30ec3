from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_cells import watch
from pytest_cells.artifacts import ArtifactFolders, changes, keep, put_back, record, split_by_writer
from pytest_cells.cache.files import Digests
from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import Artifact, Damaged, digest_bytes
from pytest_cells.settings import ArtifactSettings, Settings

from .helpers import tree

OPENED: list[ArtifactFolders] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close all artifact folders that a test has looked at."""
    yield
    while OPENED:
        OPENED.pop().close()


def folders(rootdir: Path, *names: str, notebook: str = "notebooks") -> ArtifactFolders:
    """Return the artifact folders of a notebook in a project."""
    settings = Settings(rootdir, artifacts=ArtifactSettings(folders=names or ("artifacts",)))
    OPENED.append(ArtifactFolders(settings, rootdir / notebook))
    return OPENED[-1]


def write(path: Path, content: bytes = b"1") -> Path:
    """Write a file with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store that is ready."""
    found = Store(tmp_path / "store")
    found.prepare()
    return found


def test_where_artifacts_are(tmp_path: Path) -> None:
    """Each folder is looked for beside the notebook and at rootdir."""
    expected = [tmp_path / "notebooks" / "a", tmp_path / "a", tmp_path / "notebooks" / "b", tmp_path / "b"]
    assert [str(path) for path in expected] == list(folders(tmp_path, "a", "b").folders)


def test_a_notebook_at_rootdir(tmp_path: Path) -> None:
    """Where both are the same folder, it counts once."""
    assert (str(tmp_path / "artifacts"),) == folders(tmp_path, notebook="").folders


def test_a_snapshot(tmp_path: Path) -> None:
    """A snapshot lists all regular files below the folders, and nothing else."""
    files = [
        write(tmp_path / "artifacts" / "a.png", b"123"),
        write(tmp_path / "artifacts" / "deep" / "er" / "b.png"),
        write(tmp_path / "notebooks" / "artifacts" / ".hidden"),
    ]
    write(tmp_path / "other.png")
    (tmp_path / "artifacts" / "empty").mkdir()
    (tmp_path / "artifacts" / "link").symlink_to("a.png")
    (tmp_path / "artifacts" / "up").symlink_to("..", target_is_directory=True)
    seen = folders(tmp_path).snapshot()
    assert {str(path) for path in files} == seen.keys()
    assert 3 == seen[str(files[0])][0]


def test_a_snapshot_of_nothing(tmp_path: Path) -> None:
    """Folders that are not there, or are no folders, hold nothing."""
    write(tmp_path / "artifacts")
    assert {} == folders(tmp_path).snapshot()


def test_changes(tmp_path: Path) -> None:
    """New, rewritten, replaced and deleted files are told, in order; those that stay are not."""
    base = tmp_path / "artifacts"
    same, grown, replaced, gone = (write(base / name, b"12") for name in ("same", "grown", "replaced", "gone"))
    before = folders(tmp_path).snapshot()
    grown.write_bytes(b"123")
    status = replaced.stat()
    other = write(base / "other", b"34")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(replaced)
    gone.unlink()
    new = write(base / "deep" / "new")
    expected = ([str(path) for path in (new, grown, replaced)], [str(gone)])
    assert expected == changes(before, folders(tmp_path).snapshot())
    assert same.exists()


def test_no_changes(tmp_path: Path) -> None:
    """Where nothing happens, nothing changed."""
    write(tmp_path / "artifacts" / "a")
    found = folders(tmp_path)
    assert ([], []) == changes(found.snapshot(), found.snapshot())


def add(base: Path) -> None:
    write(base / "new")


def add_deep(base: Path) -> None:
    write(base / "x" / "y" / "z" / "new")


def rewrite(base: Path) -> None:
    (base / "deep" / "a").write_bytes(b"other")


def same_size(base: Path) -> None:
    (base / "deep" / "a").write_bytes(b"2")


def remove(base: Path) -> None:
    (base / "deep" / "a").unlink()


def move_folder(base: Path) -> None:
    (base / "deep").rename(base / "moved")


def swap(base: Path) -> None:
    write(base.parent / "other", b"1").replace(base / "deep" / "a")


@pytest.mark.parametrize("edit", [add, add_deep, rewrite, same_size, remove, move_folder, swap])
@pytest.mark.parametrize("looks", [1, 2, 3])
def test_edits_between_snapshots(tmp_path: Path, edit: Callable[[Path], None], looks: int) -> None:
    """The same folders, looked at again and again, tell after an edit what a first look tells."""
    base = tmp_path / "artifacts"
    write(base / "deep" / "a", b"1")
    found = folders(tmp_path)
    for _ in range(looks):
        before = found.snapshot()
    os.utime(base / "deep" / "a", ns=(1, 1))
    before = found.snapshot()
    edit(base)
    after = found.snapshot()
    assert folders(tmp_path).snapshot() == after
    assert before != after


def test_edits_without_a_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system cannot watch folders, they are looked at each time."""
    monkeypatch.setattr(watch.sys, "platform", "win32")
    write(tmp_path / "artifacts" / "a")
    found = folders(tmp_path)
    before = found.snapshot()
    new = write(tmp_path / "artifacts" / "new")
    assert ([str(new)], []) == changes(before, found.snapshot())


@pytest.mark.parametrize("place", ["artifacts", "notebooks/artifacts"])
def test_a_folder_that_comes_into_being(tmp_path: Path, place: str) -> None:
    """An artifact folder that was not there at the first look is seen at the next, and then watched."""
    found = folders(tmp_path)
    assert {} == found.snapshot()
    first = write(tmp_path / place / "a")
    assert {str(first)} == found.snapshot().keys()
    second = write(tmp_path / place / "deep" / "b")
    assert {str(first), str(second)} == found.snapshot().keys()


def test_a_folder_that_goes_and_comes(tmp_path: Path) -> None:
    """An artifact folder that is deleted and made anew is seen with what is in it."""
    path = write(tmp_path / "artifacts" / "a")
    found = folders(tmp_path)
    found.snapshot()
    path.unlink()
    path.parent.rmdir()
    assert {} == found.snapshot()
    write(path)
    assert {str(path)} == found.snapshot().keys()
    other = write(tmp_path / "artifacts" / "b")
    assert {str(path), str(other)} == found.snapshot().keys()


def test_a_folder_that_is_replaced(tmp_path: Path) -> None:
    """An artifact folder that was replaced by another one between two looks is watched in its new shape."""
    write(tmp_path / "artifacts" / "a")
    found = folders(tmp_path)
    found.snapshot()
    (tmp_path / "artifacts").rename(tmp_path / "old")
    path = write(tmp_path / "artifacts" / "b")
    assert {str(path)} == found.snapshot().keys()
    other = write(tmp_path / "artifacts" / "c")
    assert {str(path), str(other)} == found.snapshot().keys()


def test_a_linked_artifact_folder(tmp_path: Path) -> None:
    """An artifact folder may be a link to a folder elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "artifacts").symlink_to("elsewhere", target_is_directory=True)
    found = folders(tmp_path)
    assert {} == found.snapshot()
    write(tmp_path / "elsewhere" / "a")
    assert {str(tmp_path / "artifacts" / "a")} == found.snapshot().keys()


def test_a_file_that_is_mapped_into_memory(tmp_path: Path) -> None:
    """A file that a cell has written, and changes through memory later, is looked at again."""
    path = write(tmp_path / "artifacts" / "a", b"1" * mmap.PAGESIZE)
    found = folders(tmp_path)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        found.snapshot()
        found.suspect([str(path), str(tmp_path / "elsewhere")])
        os.utime(path, ns=(1, 1))
        before = found.snapshot()
        mapped[:1] = b"2"
        mapped.flush()
        assert ([str(path)], []) == changes(before, found.snapshot())


def test_closing(tmp_path: Path) -> None:
    """Folders can be closed twice, and looked at again after that."""
    path = write(tmp_path / "artifacts" / "a")
    found = folders(tmp_path)
    before = found.snapshot()
    found.close()
    found.close()
    assert before == found.snapshot()
    path.unlink()
    assert {} == found.snapshot()


def test_labels(tmp_path: Path) -> None:
    """An artifact is called by its path from rootdir, with forward slashes, and its place is found from that."""
    found = folders(tmp_path)
    path = tmp_path / "notebooks" / "artifacts" / "a.png"
    assert "notebooks/artifacts/a.png" == found.label(str(path))
    assert path == found.place("notebooks/artifacts/a.png")


def test_labels_outside_rootdir(tmp_path: Path) -> None:
    """An artifact outside rootdir has a label too, that leads back to it."""
    (tmp_path / "project").mkdir()
    found = folders(tmp_path / "project")
    label = found.label(str(write(tmp_path / "elsewhere" / "a.png")))
    assert "../elsewhere/a.png" == label
    assert b"1" == found.place(label).read_bytes()


@pytest.mark.parametrize(
    ("written", "mine", "unknown"),
    [
        (["/p/a", "/p/c"], ["/p/a"], ["/p/b"]),
        ([], [], ["/p/a", "/p/b"]),
        (None, [], ["/p/a", "/p/b"]),
        (["/p/x/../a", "/p/./b"], ["/p/a", "/p/b"], []),
    ],
    ids=["some", "none", "cannot-tell", "other-spelling"],
)
def test_split_by_writer(written: list[str] | None, mine: list[str], unknown: list[str]) -> None:
    """Changed paths are split into those that the kernel says it wrote and all others."""
    assert (mine, unknown) == split_by_writer(["/p/a", "/p/b"], written)


def test_split_by_writer_through_links(tmp_path: Path) -> None:
    """A file that was written through a linked folder is the same file."""
    path = write(tmp_path / "real" / "a")
    (tmp_path / "link").symlink_to("real", target_is_directory=True)
    assert ([str(path)], []) == split_by_writer([str(path)], [str(tmp_path / "link" / "a")])


def test_record(tmp_path: Path) -> None:
    """What a cell wrote is recorded with digest and size, what it removed as gone, what came and went not at all."""
    path = write(tmp_path / "artifacts" / "a.png", b"123")
    changed, removed = [str(path), str(tmp_path / "artifacts" / "brief")], [str(tmp_path / "artifacts" / "old")]
    expected = {"artifacts/old": Artifact(None), "artifacts/a.png": Artifact(digest_bytes(b"123"), 3)}
    assert expected == record(folders(tmp_path), changed, removed, Digests(), sure=True)


def test_keep(tmp_path: Path, store: Store) -> None:
    """Bytes up to the limit are stored, larger ones and removals are not, and that is noted."""
    small, large = write(tmp_path / "artifacts" / "small", b"123"), write(tmp_path / "artifacts" / "large", b"1234")
    found = record(
        folders(tmp_path), [str(small), str(large)], [str(tmp_path / "artifacts" / "old")], Digests(), sure=True
    )
    expected = {
        "artifacts/old": Artifact(None, 0, stored=False),
        "artifacts/small": Artifact(digest_bytes(b"123"), 3, stored=True),
        "artifacts/large": Artifact(digest_bytes(b"1234"), 4, stored=False),
    }
    assert expected == keep(found, folders(tmp_path), store, 3)
    assert b"123" == store.get_blob(digest_bytes(b"123"))
    with pytest.raises(Damaged):
        store.get_blob(digest_bytes(b"1234"))


@pytest.mark.parametrize("before", [None, b"other"], ids=["gone", "altered"])
def test_put_back(tmp_path: Path, store: Store, before: bytes | None) -> None:
    """A file that is gone or altered gets its bytes back, with its folders, and no other file is left."""
    path = tmp_path / "project" / "artifacts" / "deep" / "a.png"
    if before is not None:
        write(path, before)
    put_back(path, Artifact(store.put_blob(b"123"), 3, stored=True), store)
    assert b"123" == path.read_bytes()
    assert ["artifacts/deep/a.png"] == tree(tmp_path / "project")


@pytest.mark.parametrize(
    ("artifact", "told"),
    [
        (Artifact("ab" * 32, 3, stored=False), "^its bytes are not stored$"),
        (Artifact(None), "^its bytes are not stored$"),
        (Artifact("ab" * 32, 3, stored=True), "^stored bytes abababababab are gone"),
    ],
    ids=["never-stored", "removed", "gone"],
)
def test_what_cannot_be_put_back(tmp_path: Path, store: Store, artifact: Artifact, told: str) -> None:
    """Without the bytes the file stays as it is, and the reason is told."""
    path = write(tmp_path / "a.png", b"mine")
    with pytest.raises(Damaged, match=told):
        put_back(path, artifact, store)
    assert b"mine" == path.read_bytes()


def test_altered_bytes_are_not_put_back(tmp_path: Path, store: Store) -> None:
    """Altered bytes in the store never reach the project."""
    digest = store.put_blob(b"123")
    (store.folder / "objects" / digest[:2] / digest[2:]).write_bytes(b"666")
    with pytest.raises(Damaged, match="altered"):
        put_back(tmp_path / "a.png", Artifact(digest, 3, stored=True), store)
    assert False is (tmp_path / "a.png").exists()


def test_a_folder_in_place_of_an_artifact(tmp_path: Path, store: Store) -> None:
    """Where a folder has taken the file's place, that is an OSError, and no temporary file is left."""
    (tmp_path / "project" / "a.png").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        put_back(tmp_path / "project" / "a.png", Artifact(store.put_blob(b"1"), 1, stored=True), store)
    assert ["a.png"] == [path.name for path in (tmp_path / "project").rglob("*")]
