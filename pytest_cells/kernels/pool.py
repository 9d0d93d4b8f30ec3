"""Lends kernels to notebooks; owns their processes and their files until the session ends."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_cells.kernels import ownership
from pytest_cells.kernels.specs import KernelChoice

if TYPE_CHECKING:
    from pytest_cells.kernels.kernel import Kernel


class KernelPool:
    """Start and stop kernels. Nothing is created before the first start."""

    def __init__(self) -> None:
        self.startup_ms: list[float] = []
        self._folder: Path | None = None
        self._count = 0
        self._running: list[Kernel] = []
        self._stopping: list[tuple[float, Kernel]] = []

    def start(self, choice: KernelChoice, cwd: Path, timeout: float) -> Kernel:
        """Start a kernel and wait until it answers. Raises KernelError."""
        from pytest_cells.kernels.kernel import Kernel  # loads zmq and jupyter_client: 0.2 s

        if self._folder is None:
            ownership.reap()
            self._folder = ownership.session_folder()
        self._finish(everything=False)
        self._count += 1
        kernel = Kernel(choice, self._folder / str(self._count), cwd)
        began = time.monotonic()
        self._running.append(kernel)
        try:
            kernel.start(timeout)
        except BaseException:
            self._running.remove(kernel)
            raise
        self.startup_ms.append((time.monotonic() - began) * 1000)
        return kernel

    def stop(self, kernel: Kernel) -> None:
        """Ask a kernel to end, without waiting for it: the next one may start meanwhile."""
        from pytest_cells.kernels.kernel import STOP_GRACE_S

        if kernel in self._running:
            self._running.remove(kernel)
            kernel.request_stop()
            self._stopping.append((time.monotonic() + STOP_GRACE_S, kernel))

    def close(self) -> None:
        """End everything that was started, and remove the session's folder."""
        for kernel in list(self._running):
            self.stop(kernel)
        self._finish(everything=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _finish(self, *, everything: bool) -> None:
        """Bury kernels that have ended; with `everything` also those that have not."""
        waiting = []
        for deadline, kernel in self._stopping:
            if everything or not kernel.alive or time.monotonic() > deadline:
                kernel.finish(deadline)
            else:
                waiting.append((deadline, kernel))
        self._stopping = waiting
