"""The key with which a user's snapshots are sealed: loading one runs what is in it, so that only one's own are loaded.

It is made once for each user and machine, and is never in the cache folder: a cache that is shared or restored in CI
brings no code.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from pytest_cells.errors import StoreError

KEY_SIZE = 32
"""Bytes."""


def state_folder() -> Path:
    """Return the folder for what is this user's and no cache."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "pytest-cells"


def user_key(folder: Path | None = None) -> bytes:
    """Return this user's key, made at the first call. Raises StoreError where it would not be secret."""
    try:
        folder = folder or state_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder.stat(), folder)
        path = folder / "key"
        if not path.exists():
            _create(path)
        return _read(path)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        problem = getattr(error, "strerror", None) or error
        raise StoreError(f"the key for snapshots in {folder} cannot be used: {problem}") from None


def _create(path: Path) -> None:
    """Write a key, unless another process is quicker: every process reads the same one afterwards."""
    from filelock import FileLock  # once in the life of a user

    with FileLock(str(path.with_suffix(".lock")), mode=0o600):
        if path.exists():
            return
        temporary = path.with_suffix(f".{os.getpid()}")
        try:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_SIZE))
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        _check_private(os.fstat(file.fileno()), path)
        key = file.read(KEY_SIZE + 1)
    if len(key) != KEY_SIZE:
        raise StoreError(f"{path}: found {len(key)} bytes; expected a key of {KEY_SIZE}\n  remove it: another is made")
    return key


def _check_private(status: os.stat_result, path: Path) -> None:
    """Raise StoreError where a file or folder is somebody else's, or others can read it."""
    if os.name != "posix":  # the user's profile is private there
        return
    if status.st_uid != os.geteuid():
        raise StoreError(f"{path}: found one of user {status.st_uid}; expected one of user {os.geteuid()}")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        hint = f"chmod go= {path}" if stat.S_ISDIR(status.st_mode) else "remove it: another is made"
        raise StoreError(f"{path}: found mode {mode:o}, which lets others in; expected none but you\n  {hint}")
