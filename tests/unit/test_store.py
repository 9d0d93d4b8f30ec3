from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from pytest_cells.cache import store as store_module
from pytest_cells.cache.store import CANDIDATES, MARKER, Store
from pytest_cells.cache.trace import (
    HISTORY,
    Artifact,
    CellRecord,
    Damaged,
    NotebookRecord,
    Stamp,
    Trace,
    digest_bytes,
    encode_trace,
)
from pytest_cells.errors import StoreError

from .helpers import a_trace, tree

LOOKUP = "ab" * 32
NOW = "cd" * 32
MIB = 2**20
EMPTY = NotebookRecord({})
RECORD = NotebookRecord({"é": CellRecord("s", "d", {"python": "3"}, {HISTORY: "h"}, 1.5)}, "ab" * 32)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return a store that is ready."""
    found = Store(tmp_path / "store")
    found.prepare()
    return found


def found(store: Store, history: str = NOW) -> tuple[list[Trace], list[str]]:
    """Return the candidates of our lookup key, and the problems."""
    problems: list[str] = []
    return list(store.candidates(LOOKUP, history, problems)), problems


def entry_of(store: Store, trace: Trace) -> Path:
    """Return the file of a trace."""
    store.put_trace(trace)
    (path,) = (store.folder / "traces").rglob(f"*{trace.key[:24]}.trace")
    return path


def blob_of(store: Store, digest: str) -> Path:
    """Return the file of a blob."""
    return store.folder / "objects" / digest[:2] / digest[2:]


# -- blobs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"abc", bytes(range(256)) * 5000], ids=["empty", "short", "long"])
def test_blobs_round_trip(store: Store, content: bytes) -> None:
    """Bytes come back under their SHA-256."""
    digest = store.put_blob(content)
    assert digest_bytes(content) == digest
    assert content == store.get_blob(digest)


def test_nothing_but_entries_is_left(store: Store, tmp_path: Path) -> None:
    """After writing there is each entry, and no temporary file."""
    (tmp_path / "source").write_bytes(b"file")
    store.put_blob(b"abc")
    store.put_file(tmp_path / "source", digest_bytes(b"file"))
    store.put_trace(a_trace())
    store.put_record("nb.ipynb", EMPTY)
    assert [] == tree(store.folder / "tmp")
    assert ["objects", "objects", MARKER, "records", "traces"] == [path.split("/")[0] for path in tree(store.folder)]


def test_a_failed_write_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last step of a write fails, neither an entry nor a temporary file is left."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        store.put_blob(b"abc")
    assert [MARKER] == tree(store.folder)


def test_an_entry_is_never_seen_half_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are whole before they stand in their place."""
    seen: list[tuple[bool, bytes]] = []
    replace = os.replace

    def spy(temporary: str, target: str) -> None:
        seen.append((Path(target).exists(), Path(temporary).read_bytes()))
        replace(temporary, target)

    monkeypatch.setattr(os, "replace", spy)
    store.put_blob(b"abc")
    assert {(False, b"abc")} == set(seen)


def test_the_same_blob_is_written_once(store: Store) -> None:
    """Bytes that are there are not written again."""
    path = blob_of(store, store.put_blob(b"abc"))
    os.utime(path, ns=(1, 1))
    store.put_blob(b"abc")
    assert 1 == path.stat().st_mtime_ns


@pytest.mark.parametrize("content", [b"", b"ab", b"abcd", b"abX"], ids=["empty", "shorter", "longer", "altered"])
def test_a_damaged_blob_is_noticed_and_healed(store: Store, content: bytes) -> None:
    """A blob with other bytes than its digest says is Damaged, until the right bytes are put again."""
    digest = store.put_blob(b"abc")
    blob_of(store, digest).write_bytes(content)
    with pytest.raises(Damaged, match=f"^stored bytes {digest[:12]} are altered$"):
        store.get_blob(digest)
    store.put_blob(b"abc")
    assert b"abc" == store.get_blob(digest)


def test_a_damaged_blob_is_healed_by_a_file(store: Store, tmp_path: Path) -> None:
    """The same holds for the bytes of a file."""
    (tmp_path / "source").write_bytes(b"abc")
    digest = store.put_blob(b"abc")
    blob_of(store, digest).write_bytes(b"abX")
    store.put_file(tmp_path / "source", digest)
    assert b"abc" == store.get_blob(digest)


def test_a_blob_that_is_gone(store: Store) -> None:
    """A blob that is gone is Damaged, with the system's reason."""
    digest = store.put_blob(b"abc")
    blob_of(store, digest).unlink()
    with pytest.raises(Damaged, match=rf"^stored bytes {digest[:12]} are gone \(No such file or directory\)$"):
        store.get_blob(digest)


def test_a_folder_in_place_of_a_blob(store: Store) -> None:
    """A folder where a blob should be is Damaged too."""
    blob_of(store, digest_bytes(b"abc")).mkdir(parents=True)
    with pytest.raises(Damaged, match=r"are gone \(Is a directory\)$"):
        store.get_blob(digest_bytes(b"abc"))


def test_files_are_copied(store: Store, tmp_path: Path) -> None:
    """A file's bytes are kept when the file itself changes."""
    (tmp_path / "source").write_bytes(b"before")
    store.put_file(tmp_path / "source", digest_bytes(b"before"))
    (tmp_path / "source").write_bytes(b"after!")
    assert b"before" == store.get_blob(digest_bytes(b"before"))


# -- traces ------------------------------------------------------------------------------------------------


def test_no_candidates(store: Store) -> None:
    """A lookup key without entries has no candidates and no problems."""
    assert ([], []) == found(store)


def test_a_trace_is_found_again(store: Store) -> None:
    """A trace that was put is a candidate of its lookup key alone."""
    store.put_trace(a_trace(LOOKUP))
    store.put_trace(a_trace("12" * 32))
    assert ([a_trace(LOOKUP)], []) == found(store)


def test_the_same_key_is_replaced(store: Store) -> None:
    """Of two traces with the same key the later stays."""
    store.put_trace(a_trace(duration_ms=1.0))
    store.put_trace(a_trace(duration_ms=2.0))
    assert ([a_trace(duration_ms=2.0)], []) == found(store)


def test_the_history_of_now_comes_first(store: Store) -> None:
    """Candidates with the history of now come before all others."""
    histories = [f"{number:02x}" * 32 for number in range(30)]
    for history in histories:
        store.put_trace(a_trace(history=history))
    for history in histories[::7]:
        traces, _ = found(store, history)
        assert history == traces[0].inputs[HISTORY]


def test_few_others_are_read(store: Store) -> None:
    """All traces with the history of now are candidates, of the others only some."""
    for number in range(CANDIDATES + 10):
        store.put_trace(a_trace(history=NOW, inputs={"file:a": str(number)}))
        store.put_trace(a_trace(history=f"{number:02x}" * 32))
    traces, problems = found(store)
    same = [trace for trace in traces if trace.inputs[HISTORY] == NOW]
    assert (CANDIDATES + 10, CANDIDATES, []) == (len(same), len(traces) - len(same), problems)


def test_a_trace_is_forgotten(store: Store) -> None:
    """A trace that was removed is no candidate; removing it again is no error."""
    store.put_trace(a_trace())
    store.remove_trace(a_trace())
    store.remove_trace(a_trace())
    assert ([], []) == found(store)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "cache entry ignored (empty entry)"),
        (encode_trace(a_trace())[:-1], "cache entry ignored (truncated or altered entry)"),
        (b"something else", "cache entry ignored (foreign entry)"),
        (b"pytest-cells trace 999 x\n", "cache entry ignored (entry of format 999, this version reads 1)"),
        (encode_trace(a_trace("12" * 32)), "cache entry ignored (foreign entry)"),
    ],
    ids=["empty", "truncated", "foreign", "future", "foreign-lookup"],
)
def test_a_bad_entry_is_passed_over(store: Store, content: bytes, problem: str) -> None:
    """An entry that is none is told and passed over; the others are still found."""
    entry_of(store, a_trace()).write_bytes(content)
    good = a_trace(inputs={"file:a": "1"})
    store.put_trace(good)
    assert ([good], [problem]) == found(store)


def test_a_folder_in_place_of_an_entry(store: Store) -> None:
    """A folder where an entry should be is told and passed over."""
    path = entry_of(store, a_trace())
    path.unlink()
    path.mkdir()
    assert ([], ["cache entry unreadable (Is a directory)"]) == found(store)


def test_an_entry_that_cannot_be_opened(store: Store) -> None:
    """An entry that the system refuses to open is told and passed over."""
    path = entry_of(store, a_trace())
    path.unlink()
    path.symlink_to(path.name)
    problem = "cache entry unreadable (Too many levels of symbolic links)"
    assert ([], [problem]) == found(store)


def test_a_file_in_place_of_a_lookup_folder(store: Store) -> None:
    """A lookup key whose folder cannot be listed is told."""
    folder = store.folder / "traces" / LOOKUP[:2]
    folder.mkdir(parents=True)
    (folder / LOOKUP[2:]).write_bytes(b"")
    assert ([], ["cache folder unreadable (Not a directory)"]) == found(store)


def test_other_files_beside_entries(store: Store) -> None:
    """A file that is not called an entry is not read."""
    (entry_of(store, a_trace()).parent / "notes.txt").write_bytes(b"")
    assert ([a_trace()], []) == found(store)


# -- the folder --------------------------------------------------------------------------------------------


def test_prepare_makes_a_folder_of_ours(tmp_path: Path) -> None:
    """A new folder is created with its parents and marked as ours; a second time nothing changes."""
    store = Store(tmp_path / "a" / "b")
    store.prepare()
    store.prepare()
    assert [MARKER] == tree(tmp_path / "a" / "b")


def test_prepare_refuses_a_folder_with_strangers(tmp_path: Path) -> None:
    """A folder that holds something else is refused, and left as it is."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError) as caught:
        Store(tmp_path).prepare()
    told = f"--cells-cache-dir {tmp_path}: found a folder with other things in it (thesis.tex); "
    assert f"{told}expected an empty or new one" == str(caught.value)
    assert ["thesis.tex"] == tree(tmp_path)


def test_prepare_takes_a_folder_whose_mark_was_lost(tmp_path: Path) -> None:
    """Our own folders without the mark (a CI cache that kept only some) are taken."""
    (tmp_path / "objects").mkdir()
    Store(tmp_path).prepare()
    assert [MARKER] == tree(tmp_path)


def test_prepare_beside_another_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another session that marks the folder at the same moment is no stranger."""
    scandir = os.scandir

    def meanwhile(folder: Path) -> object:
        (Path(folder) / MARKER).write_text("ours")
        return scandir(folder)

    monkeypatch.setattr(store_module.os, "scandir", meanwhile)
    Store(tmp_path / "store").prepare()
    assert [MARKER] == tree(tmp_path / "store")


def test_prepare_where_a_file_stands(tmp_path: Path) -> None:
    """A folder that cannot be made is told, with what to do."""
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "store").prepare()
    told = (
        f"the cache folder {tmp_path / 'store'} cannot be written: File exists\n"
        "  choose another with --cells-cache-dir, or run with --cells-no-cache"
    )
    assert told == str(caught.value)


def test_clear_removes_ours_alone(store: Store) -> None:
    """Clearing removes what we wrote and leaves what somebody else put there."""
    store.put_blob(b"abc")
    store.put_trace(a_trace())
    store.put_record("nb.ipynb", EMPTY)
    (store.folder / "notes.txt").write_text("mine")
    store.clear()
    assert ["notes.txt", MARKER] == tree(store.folder)


def test_clear_touches_no_folder_without_our_mark(tmp_path: Path) -> None:
    """A folder that does not carry our mark is not cleared."""
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "a").write_text("")
    Store(tmp_path).clear()
    assert ["objects/a"] == tree(tmp_path)


def test_a_cleared_store_goes_on(store: Store) -> None:
    """A store can be written to after it was cleared."""
    store.clear()
    store.put_trace(a_trace())
    assert ([a_trace()], []) == found(store)


# -- records -----------------------------------------------------------------------------------------------


def test_records_round_trip(store: Store) -> None:
    """A record comes back under its name; a later one replaces it."""
    store.put_record("a/nb.ipynb", EMPTY)
    store.put_record("a/nb.ipynb", RECORD)
    store.put_record("b/nb.ipynb", EMPTY)
    assert RECORD == store.get_record("a/nb.ipynb")


def test_a_record_that_is_missing(store: Store) -> None:
    """A name without a record gives None."""
    assert None is store.get_record("nb.ipynb")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"5", b'{"cells": 5}', b"[" * 100_000],
    ids=["empty", "cut", "no-text", "number", "other", "deep"],
)
def test_a_record_that_is_damaged(store: Store, content: bytes) -> None:
    """A record that cannot be read gives None."""
    store.put_record("nb.ipynb", EMPTY)
    (path,) = (store.folder / "records").iterdir()
    path.write_bytes(content)
    assert None is store.get_record("nb.ipynb")


def test_a_record_of_any_name(store: Store) -> None:
    """A notebook's name may hold anything that a file name may."""
    store.put_record("caf\udce9/\n.ipynb", RECORD)
    assert RECORD == store.get_record("caf\udce9/\n.ipynb")


# -- bounds ------------------------------------------------------------------------------------------------


def fill(store: Store, count: int) -> list[str]:
    """Put `count` blobs of 1 MiB, each used an hour after the one before, and return their digests."""
    digests = [store.put_blob(bytes([number]) * MIB) for number in range(count)]
    for age, digest in enumerate(reversed(digests)):
        then = time.time() - 3600 * (age + 1)
        os.utime(blob_of(store, digest), (then, then))
    return digests


def left(store: Store, digests: list[str]) -> list[int]:
    """Return which of some blobs are still there, by number."""
    return [number for number, digest in enumerate(digests) if blob_of(store, digest).exists()]


def test_garbage_goes_oldest_first(store: Store) -> None:
    """Collecting deletes what was not used for longest, and no more than the bound asks for."""
    digests = fill(store, 5)
    store.collect_garbage(3)
    assert [2, 3, 4] == left(store, digests)


def test_garbage_by_use_not_by_name(store: Store) -> None:
    """A blob that was used last survives, whenever it was written."""
    digests = fill(store, 4)
    os.utime(blob_of(store, digests[0]))
    store.collect_garbage(2)
    assert [0, 3] == left(store, digests)


@pytest.mark.parametrize("bound", [5, 6, 0], ids=["exactly", "more", "no-bound"])
def test_garbage_within_the_bound_stays(store: Store, bound: float) -> None:
    """Nothing is deleted within the bound, or without one."""
    digests = fill(store, 5)
    store.collect_garbage(bound)
    assert [0, 1, 2, 3, 4] == left(store, digests)


def test_garbage_is_collected_after_writing_only(store: Store) -> None:
    """A session that wrote nothing deletes nothing."""
    digests = fill(store, 2)
    Store(store.folder).collect_garbage(1)
    assert [0, 1] == left(store, digests)


def test_garbage_is_collected_once_a_day(store: Store) -> None:
    """A second collection on the same day does nothing; one on the next day does."""
    store.put_blob(b"abc")
    store.collect_garbage(1)
    digests = fill(store, 3)
    store.collect_garbage(1)
    assert [0, 1, 2] == left(store, digests)
    yesterday = time.time() - 25 * 3600
    os.utime(store.folder / "tmp" / "gc", (yesterday, yesterday))
    store.collect_garbage(1.5)
    assert [2] == left(store, digests)


@pytest.mark.parametrize(
    ("made_h", "size", "kept"),
    [(1, MIB // 10, [0, 1, 2]), (1, MIB, [2]), (25, MIB // 10, [2])],
    ids=["new-little-added", "new-much-added", "old"],
)
def test_garbage_of_a_new_store(store: Store, made_h: float, size: int, kept: list[int]) -> None:
    """A new store is not searched by a process that added little to it; an old one that never was is."""
    then = time.time() - made_h * 3600
    os.utime(store.folder / MARKER, (then, then))
    digests = fill(Store(store.folder), 3)
    store.put_blob(b"x" * size)
    store.collect_garbage(2)
    assert kept == left(store, digests)
    assert (store.folder / "tmp" / "gc").exists()


def test_garbage_is_collected_by_one_at_a_time(store: Store) -> None:
    """While another process collects, nothing is done and nobody waits."""
    digests = fill(store, 2)
    (store.folder / "tmp").mkdir(exist_ok=True)
    with FileLock(store.folder / "tmp" / "gc.lock"):
        store.collect_garbage(1)
    assert [0, 1] == left(store, digests)


def test_garbage_traces_count(store: Store) -> None:
    """Traces are deleted like blobs, and are then no candidates, without a problem told."""
    path = entry_of(store, a_trace())
    os.utime(path, (1, 1))
    digests = fill(store, 1)
    store.collect_garbage(1)
    assert ([], []) == found(store)
    assert [0] == left(store, digests)


def test_garbage_in_a_folder_that_went(store: Store) -> None:
    """A store whose folder went away is no error."""
    store.put_blob(b"abc")
    for path in sorted(store.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    store.folder.rmdir()
    store.collect_garbage(1)
    assert [] == [path for path in tree(store.folder) if not path.startswith("tmp/")]


@pytest.mark.parametrize(("age", "told"), [(7200.0, [True, True]), (600.0, [False, False])], ids=["old", "new"])
def test_use_is_noted(store: Store, age: float, told: list[bool]) -> None:
    """A trace that is used lives on with its outputs; its times are written once an hour at most."""
    trace = a_trace(outputs=store.put_blob(b"[]"))
    path = entry_of(store, trace)
    then = time.time() - age
    for used in (path, blob_of(store, trace.outputs or "")):
        os.utime(used, (then, then))
    store.touch(trace)
    assert told == [used.stat().st_mtime > then + 60 for used in (path, blob_of(store, trace.outputs or ""))]


def test_use_of_artifacts_is_noted(store: Store) -> None:
    """A trace that is used keeps the bytes of its artifacts alive too."""
    digest = store.put_blob(b"picture")
    trace = a_trace(artifacts={"artifacts/a.png": Artifact(digest, 7, stored=True)})
    then = time.time() - 7200
    for used in (entry_of(store, trace), blob_of(store, digest)):
        os.utime(used, (then, then))
    store.touch(trace)
    assert True is (blob_of(store, digest).stat().st_mtime > then + 60)


def test_use_of_a_trace_that_went(store: Store) -> None:
    """A trace that another session deleted meanwhile is no error, and is not made anew."""
    store.touch(a_trace())
    assert ([], []) == found(store)


# -- many writers ------------------------------------------------------------------------------------------


def test_many_threads(store: Store) -> None:
    """Writers of the same and of other entries in many threads leave all entries whole and no other file."""

    def write(number: int) -> None:
        own = Store(store.folder)
        for round_ in range(20):
            own.put_blob(b"same" * 1000)
            own.put_blob(f"{number} {round_}".encode())
            own.put_trace(a_trace(inputs={"file:a": str(round_)}))
            own.put_record("nb.ipynb", NotebookRecord({}, str(number)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    traces, problems = found(store)
    assert (20, []) == (len(traces), problems)
    assert [] == tree(store.folder / "tmp")
    for path in (store.folder / "objects").rglob("*/*"):
        assert path.parent.name + path.name == digest_bytes(path.read_bytes())
    assert store.get_record("nb.ipynb") in [NotebookRecord({}, str(number)) for number in range(8)]


WRITER = """
import sys
from pathlib import Path
from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import HISTORY, Trace
store = Store(Path(sys.argv[1]))
store.prepare()
for number in range(50):
    outputs = store.put_blob(b"outputs %d" % number)
    store.put_trace(Trace("ab" * 32, {HISTORY: "cd" * 32, "file:a": str(number)}, {}, outputs=outputs))
"""


def test_many_processes(store: Store) -> None:
    """Writers of the same entries in several processes leave all entries whole and no other file."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(store.folder)]) for _ in range(3)]
    assert [0, 0, 0] == [writer.wait(timeout=30) for writer in writers]
    traces, problems = found(store)
    assert (50, []) == (len(traces), problems)
    expected = {b"outputs %d" % number for number in range(50)}
    assert expected == {store.get_blob(trace.outputs or "") for trace in traces}
    assert [] == tree(store.folder / "tmp")


def test_sources_are_read_alone(store):
    """Of a record only the digests of sources are told, and none where there is no record that can be read."""
    store.put_record("nb.ipynb", RECORD)
    assert {"é": "s"} == store.passed_sources("nb.ipynb")
    assert {} == store.passed_sources("other.ipynb")
    (path,) = (store.folder / "records").iterdir()
    path.write_bytes(path.read_bytes()[:-5])
    assert {} == store.passed_sources("nb.ipynb")


def test_what_is_kept_of_a_whole_notebook(store):
    """It comes back as it was, and not at all where a byte of it is another."""
    kept = Stamp("traces/ab/cd/x.trace", 3, 10**18)
    store.put_whole("nb.ipynb", kept)
    assert kept == store.get_whole("nb.ipynb", Stamp)
    assert None is store.get_whole("nb.ipynb", NotebookRecord)
    assert None is store.get_whole("other.ipynb", Stamp)
    (path,) = (store.folder / "records").iterdir()
    path.write_bytes(path.read_bytes().replace(b"x.trace", b"y.trace"))
    assert None is store.get_whole("nb.ipynb", Stamp)


def test_entries_that_a_hit_needs(store):
    """Trace and outputs; they are no longer there once they are gone, or written anew."""
    trace = a_trace(lookup=LOOKUP, outputs=store.put_blob(b"outputs"))
    assert None is store.entries(trace)
    path = entry_of(store, trace)
    entries = store.entries(trace)
    assert [path.relative_to(store.folder).as_posix(), f"objects/{trace.outputs[:2]}/{trace.outputs[2:]}"] == [
        entry.name for entry in entries
    ]
    assert [True, True] == [store.is_there(entry) for entry in entries]
    os.utime(path, ns=(1, 1))
    blob_of(store, trace.outputs).unlink()
    assert [False, False] == [store.is_there(entry) for entry in entries]
    assert None is store.entries(trace)
