from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from pytest_cells.cache.snapshots import state_folder, user_key
from pytest_cells.cache.trace import Snapshot
from pytest_cells.errors import StoreError
from pytest_cells.tracing.seal import Sealer

KEY = bytes(range(32))
DIGEST = "0123456789abcde0" * 4
posix = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a private folder that does not exist yet."""
    return tmp_path / "deep" / "state"


def sealed(key: bytes = KEY) -> Snapshot:
    """Return a snapshot that was sealed with a key."""
    return Snapshot(("a", "b"), DIGEST, Sealer(lambda: key).seal(DIGEST, ["a", "b"]))


def test_ones_own() -> None:
    """What was sealed with this user's key is known again, in another session too."""
    assert True is Sealer(lambda: KEY).made(sealed())


def test_every_bit_counts() -> None:
    """A change of any character, of the bytes' digest or of the seal, and any shorter or longer seal, is noticed."""
    whole, sealer = sealed(), Sealer(lambda: KEY)
    for position in range(len(DIGEST)):
        other = DIGEST[:position] + "f" + DIGEST[position + 1 :]
        assert False is sealer.made(replace(whole, digest=other))
        letter = "0" if whole.mac[position] != "0" else "1"
        assert False is sealer.made(replace(whole, mac=whole.mac[:position] + letter + whole.mac[position + 1 :]))
        assert False is sealer.made(replace(whole, mac=whole.mac[:position]))
    assert False is sealer.made(replace(whole, mac=whole.mac + "0"))


@pytest.mark.parametrize("names", [("a",), ("b", "a"), ("a", "c"), ("a,b",)])
def test_other_names(names: tuple[str, ...]) -> None:
    """A snapshot is not accepted for other names than its own."""
    assert False is Sealer(lambda: KEY).made(replace(sealed(), names=names))


def test_another_key() -> None:
    """A snapshot of somebody else's is not accepted."""
    assert False is Sealer(lambda: KEY).made(sealed(bytes(32)))


def test_where_the_key_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The key is among the user's state, as the XDG specification says; a relative folder is not looked at."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert tmp_path / "pytest-cells" == state_folder()
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert Path.home() / ".local/state/pytest-cells" == state_folder()


def test_the_key_is_made_once(folder: Path) -> None:
    """The first call makes a key, later ones find it; nothing temporary stays."""
    key = user_key(folder)
    assert 32 == len(key)
    assert key == user_key(folder)
    assert key != user_key(folder.with_name("other"))
    assert {"key"} <= {path.name for path in folder.iterdir()} <= {"key", "key.lock"}


@posix
def test_the_key_is_private(folder: Path) -> None:
    """Nobody else can read the key, or look into its folder, whatever the umask."""
    umask = os.umask(0)
    try:
        user_key(folder)
    finally:
        os.umask(umask)
    assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
    assert 0o600 == stat.S_IMODE((folder / "key").stat().st_mode)


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read(folder: Path, mode: int) -> None:
    """A key that was not secret is not used."""
    user_key(folder)
    (folder / "key").chmod(mode)
    with pytest.raises(StoreError, match=f"mode {mode:o}.*\n.*remove it"):
        user_key(folder)


@posix
def test_a_folder_that_others_can_enter(folder: Path) -> None:
    """A folder where others could put a key is not used."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    with pytest.raises(StoreError, match="chmod go="):
        user_key(folder)


@posix
def test_somebody_elses_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of another user's is not used."""
    user_key(folder)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StoreError, match="expected one of user"):
        user_key(folder)


@posix
def test_a_link_for_a_key(folder: Path, tmp_path: Path) -> None:
    """A link is not followed."""
    user_key(folder)
    (folder / "key").rename(tmp_path / "elsewhere")
    (folder / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot be used"):
        user_key(folder)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_size(folder: Path, size: int) -> None:
    """A key that is not whole is told, and never replaced silently."""
    user_key(folder)
    (folder / "key").write_bytes(bytes(size))
    with pytest.raises(StoreError, match="expected a key of 32"):
        user_key(folder)
    assert size == (folder / "key").stat().st_size


def test_a_place_for_no_key(tmp_path: Path) -> None:
    """A state folder that cannot be made is told."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be used"):
        user_key(tmp_path / "file" / "folder")


def test_many_at_once(folder: Path) -> None:
    """Processes that begin together all get the same key."""
    code = "import sys, pathlib\nfrom pytest_cells.cache.snapshots import user_key\n"
    code += "sys.stdin.read()\nprint(user_key(pathlib.Path(sys.argv[1])).hex())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", code, str(folder)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(6)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    keys = {process.communicate()[0].strip() for process in running}
    assert {user_key(folder).hex()} == keys
