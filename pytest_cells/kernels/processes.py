"""The process of a kernel, whoever's child it is: whether it lives, how it ended, how much memory it took."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from pytest_cells.in_kernel import held

MB = 2**20
SLICE_S = 0.1
"""How late an end is seen at most where nothing tells it at once."""
DESCRIPTORS_TOLD = Path("/proc/self/fd").is_dir()
"""Whether the system tells which files a process has open."""


class KernelProcess(Protocol):
    """What is asked of a kernel's process."""

    @property
    def pid(self) -> int | None:
        """The process's number, once known."""

    @property
    def peak_mb(self) -> float | None:
        """The most memory it held, in MB (2^20 bytes), where that is known."""

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal, or None while it runs."""

    def wait(self, timeout: float) -> int | None:
        """Wait for its end at most `timeout` seconds; return as `poll` does."""

    def fileno(self) -> int | None:
        """Return a descriptor that becomes readable when it ends, where there is one."""

    def close(self) -> None:
        """Let go of what is held for watching it."""


class OwnChild:
    """A process that we started ourselves."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._peak_mb: float | None = None
        self._descriptor: int | None = None
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # an old kernel of the operating system
                self._descriptor = os.pidfd_open(process.pid)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def peak_mb(self) -> float | None:
        """The most memory it held."""
        return high_water_mb(self.pid) if self._process.returncode is None else self._peak_mb

    def poll(self) -> int | None:
        """Return its exit code or None. Its group is killed while its number cannot yet be somebody else's."""
        if self._process.returncode is None and hasattr(os, "waitid"):
            with contextlib.suppress(OSError):
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    return None
                kill_group(self.pid)
                _, status, usage = os.wait4(self.pid, 0)
                self._process.returncode = os.waitstatus_to_exitcode(status)
                self._peak_mb = round(usage.ru_maxrss / (MB if sys.platform == "darwin" else 1024), 1)
        return self._process.poll()

    def wait(self, timeout: float) -> int | None:
        """Wait for its end."""
        return wait_for(self, timeout)

    def fileno(self) -> int | None:
        """Return the process's own descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def wait_for(process: KernelProcess, timeout: float) -> int | None:
    """Wait for a process to end at most `timeout` seconds; return as its `poll` does."""
    import select

    deadline = time.monotonic() + timeout
    while (code := process.poll()) is None and (left := deadline - time.monotonic()) > 0:
        descriptor = process.fileno()
        if descriptor is None:
            time.sleep(min(left, SLICE_S))
        else:
            watch = select.poll()
            watch.register(descriptor, select.POLLIN)
            watch.poll(max(1, int(left * 1000)))
    return code


def kill_group(pid: int) -> None:
    """Kill a process and its children."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def kill_tree(pid: int) -> None:
    """Kill a running process, its group, and what it started in sessions of its own: a shell on a terminal, say."""
    below = _descendants(pid)
    kill_group(pid)
    for child in below:
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """Return the processes below a process, where the system tells."""
    found: list[int] = []
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError, ValueError):
            for child in map(int, told.read_text(encoding="ascii").split()):
                found += [child, *_descendants(child)]
    return found


def high_water_mb(pid: int | None) -> float | None:
    """Return the most memory that a running process has held, where the system tells. Asked after each cell."""
    try:
        with open(f"/proc/{pid}/status", "rb") as status:  # noqa: PTH123
            told = status.read().partition(b"\nVmHWM:")[2].split(None, 1)
        return round(int(told[0]) / 1024, 1)
    except (OSError, ValueError, IndexError):
        return None


def last_bytes(path: Path, most: int = 20_000) -> bytes:
    """Return the end of a file, empty where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - most, 0))
            return file.read(most)
    except OSError:
        return b""


def memory_mb(pid: int | None) -> dict[str, float]:
    """Return what the system tells of a process's memory, in MB (2^20 bytes), by its own names."""
    found: dict[str, float] = {}
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if value.endswith(" kB"):
                found[name] = round(int(value.split()[0]) / 1024, 1)
    return found


def open_for_writing(numbers: Iterable[int]) -> list[str] | None:
    """Return the files that processes hold open for writing; None where the system does not tell (not Linux)."""
    if not DESCRIPTORS_TOLD:
        return None
    found: set[str] = set()
    for number in numbers:
        with contextlib.suppress(OSError):
            found.update(held.open_for_writing(held.is_regular, number))
    return sorted(found)
