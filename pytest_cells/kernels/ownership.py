"""Private folders for kernels, and who owns them.

A killed pytest cannot clean up. Each session's folder names its owner, and each kernel's folder the kernel;
the next session that starts a kernel ends what is left of sessions whose owner is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import tempfile
from pathlib import Path

PREFIX = "pytest-cells-"
OWNER = "owner.json"
LONGEST_TEMP = 60
"""Unix socket paths end at about 104 bytes: a longer folder for temporary files is not used."""


def bases() -> list[str]:
    """Return where folders may be, the one for new ones first."""
    base = tempfile.gettempdir()
    if os.name != "posix":
        return [base]
    return list(dict.fromkeys(["/tmp", base] if len(base) > LONGEST_TEMP else [base, "/tmp"]))


def session_folder() -> Path:
    """Create this session's private (0700), short folder."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=bases()[0]))
    _write(folder / OWNER, os.getpid())
    return folder


def note_kernel(folder: Path, pid: int) -> None:
    """Write down which process the kernel in a folder is."""
    _write(folder / OWNER, pid)


def reap() -> int:
    """End kernels and remove folders whose owner is gone; return how many folders went."""
    removed = 0
    for base in bases():
        for folder in Path(base).glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                owner = folder / OWNER
                if os.name != "posix" or folder.stat().st_uid != os.getuid():
                    continue
                if not _written_here(owner) or (_lives(owner) and not _ended(owner)):
                    continue
                for kernel in folder.glob(f"*/{OWNER}"):
                    kill_group(kernel)
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
    return removed


def kill_group(owner: Path) -> None:
    """Kill the process group that an ownership record names, unless its number belongs to another process now.

    A group whose leader is gone keeps its number for as long as it has members: they are the kernel's children.
    """
    pid, start = _read(owner)
    known = Path("/proc/self").exists()  # elsewhere a process cannot be told from a later one of the same number
    if pid > 1 and known and ((start is not None and _lives(owner)) or not Path(f"/proc/{pid}").exists()):
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def started(pid: int) -> str | None:
    """Return what tells a process from a later one with the same number (its start time), where known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _write(path: Path, pid: int) -> None:
    path.write_text(json.dumps([pid, started(pid), _here()]), encoding="ascii")


def _read(path: Path) -> tuple[int, str | None]:
    """Return process and start time of a record, 0 where it cannot be read."""
    try:
        pid, start, _ = json.loads(path.read_text(encoding="ascii"))
        return int(pid), start
    except (OSError, ValueError, TypeError):
        return 0, None


def _written_here(owner: Path) -> bool:
    """Tell whether a record's numbers mean processes of this machine: containers may share a folder."""
    try:
        return bool(json.loads(owner.read_text(encoding="ascii"))[2] == _here())
    except (OSError, ValueError, TypeError, IndexError):
        return False


def _here() -> str:
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{platform.node()} {namespace}"


def _ended(owner: Path) -> bool:
    """Tell whether a process is over, and waits only for its parent to notice."""
    pid, _ = _read(owner)
    with contextlib.suppress(OSError, IndexError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        return stat.rpartition(")")[2].split()[0] in "ZX"
    return False


def _lives(owner: Path) -> bool:
    pid, start = _read(owner)
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return start is None or started(pid) in (start, None)
