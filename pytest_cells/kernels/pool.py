"""Lends kernels to notebooks; owns their processes and their files until the session ends."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cells.errors import KernelRefused
from pytest_cells.evaluator import KernelUsage
from pytest_cells.kernels import ownership
from pytest_cells.kernels.environment import current_umask, inherited, kernel_environment
from pytest_cells.kernels.fork_server import ForkServers
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.settings import KernelSettings

if TYPE_CHECKING:
    from pytest_cells.kernels.kernel import Kernel


class KernelPool:
    """Start and stop kernels. Nothing is created before the first start."""

    def __init__(
        self, settings: KernelSettings | None = None, stamp: Callable[[KernelChoice], str] = lambda choice: ""
    ) -> None:
        self._stamp = stamp
        """Tells what is installed for a kernel: one that was launched, or a server that was booted, before an install
        is not what would be started now."""
        self.usage = KernelUsage()
        self._settings = settings or KernelSettings()
        self._folder: Path | None = None
        self._context: Any = None
        """One for all kernels: each has a thread, and malloc keeps what a flood took for each thread anew."""
        self._servers: ForkServers | None = None
        self._count = 0
        self._ahead: list[tuple[object, Kernel]] = []
        self._running: list[Kernel] = []
        self._stopping: list[tuple[float, Kernel]] = []

    def prepare(self, choice: KernelChoice, cwd: Path) -> None:
        """Launch a kernel that will soon be asked for, or at least boot its fork server, without waiting for either.

        It is lent only where nothing that it depends on has changed meanwhile, `stamp` included. Kernels of
        provisioners and managers that the user has named are not launched on suspicion. Raises KernelError.
        """
        if not choice.local:
            return
        self._boot(choice, cwd)
        if len(self._ahead) < self._settings.ahead and choice.local:
            stamp = self._stamp(choice)
            if not any(self._fits(one, choice, cwd, stamp) for one in self._ahead):
                self._ahead.append((stamp, self._launch(choice, cwd)))

    def share(self, choice: KernelChoice, cwd: Path) -> tuple[str, str] | None:
        """Boot the fork server for a kind of kernel, for other processes; return its address, and what it is for."""
        self._open()
        kind = self._servers.kind(choice, kernel_environment(choice), cwd) if self._servers is not None else None
        if kind is None or self._servers is None:
            return None
        return self._servers.get(kind).address, kind.digest

    def start(self, choice: KernelChoice, cwd: Path, timeout: float) -> Kernel:
        """Start a kernel and wait until it answers. Raises KernelError."""
        began = time.monotonic()
        self._finish(everything=False)
        kernel = self._take(choice, cwd, self._stamp(choice)) or self._launch(choice, cwd)
        self._running.append(kernel)
        try:
            kernel.wait_until_ready(timeout)
        except BaseException as problem:
            self._running.remove(kernel)
            if not isinstance(problem, KernelRefused):
                self.usage = replace(self.usage, failed=self.usage.failed + 1)
            raise
        startup_ms = [*self.usage.startup_ms, (time.monotonic() - began) * 1000]
        self.usage = replace(
            self.usage, started=self.usage.started + 1, forked=self.usage.forked + kernel.forked, startup_ms=startup_ms
        )
        return kernel

    def _take(self, choice: KernelChoice, cwd: Path, stamp: object) -> Kernel | None:
        """Return a kernel that was launched ahead and is what would be launched now; end one that is not."""
        for one in list(self._ahead):
            self._ahead.remove(one)
            if self._fits(one, choice, cwd, stamp) and one[1].alive:
                return one[1]
            one[1].kill()
        return None

    @staticmethod
    def _fits(one: tuple[object, Kernel], choice: KernelChoice, cwd: Path, stamp: object) -> bool:
        now = (stamp, choice, cwd, kernel_environment(choice), (current_umask(), *inherited()))
        stamped, kernel = one
        return now == (stamped, kernel.choice, kernel.cwd, kernel.environment, kernel.inherited)

    def _boot(self, choice: KernelChoice, cwd: Path) -> None:
        """Boot the fork server for a kind of kernel, without waiting for it."""
        self._open()
        if self._servers is not None and not self._servers.booted:
            kind = self._servers.kind(choice, kernel_environment(choice), cwd)
            if kind is not None:
                self._servers.get(kind)

    def _launch(self, choice: KernelChoice, cwd: Path) -> Kernel:
        self._boot(choice, cwd)  # before what takes long to import
        import zmq

        from pytest_cells.kernels.kernel import Kernel, Limits  # loads zmq and jupyter_client: 0.2 s

        if self._context is None:
            self._context = zmq.Context()
        assert self._folder is not None
        self._count += 1
        limits = Limits(self._settings.max_memory_mb, self._settings.max_output_mb, self._settings.startup_timeout)
        kernel = Kernel(choice, self._folder / str(self._count), cwd, self._servers, limits, self._context)
        if self._settings.fork_server == "on" and not kernel.forked:
            raise KernelRefused(f"the kernel {choice.name!r} cannot be forked, and cells_fork_server is on")
        kernel.launch()
        return kernel

    def _open(self) -> None:
        if self._folder is None:
            ownership.reap()
            self._folder = ownership.session_folder()
            if self._settings.fork_server != "off":
                required, shared = self._settings.fork_server == "on", self._settings.shared_server
                self._servers = ForkServers(
                    self._folder, self._settings.preload, required=required, shared=shared, stamp=self._stamp
                )

    def stop(self, kernel: Kernel) -> None:
        """Ask a kernel to end, without waiting for it: the next one may start meanwhile.

        One that holds files open is waited for: what it has still to write is there for the notebooks after it.
        """
        from pytest_cells.kernels.kernel import STOP_GRACE_S

        if kernel in self._running:
            self._running.remove(kernel)
            wait = kernel.holds_files
            kernel.request_stop()
            self._stopping.append((time.monotonic() + STOP_GRACE_S, kernel))
            if wait:
                self._finish(everything=False, awaited=kernel)

    def close(self) -> None:
        """End everything that was started, and remove the session's folder.

        Kernels may take their time to end, and an interrupt meanwhile (SIGTERM, a second Ctrl-C) ends that time.
        """
        try:
            for kernel in list(self._running):
                self.stop(kernel)
            self._finish(everything=True)
        finally:
            self._close_now()

    def _close_now(self) -> None:
        kernels = [*self._running, *(one[1] for one in (*self._ahead, *self._stopping))]
        self._ahead, self._stopping, self._running = [], [], []
        with contextlib.ExitStack() as last_to_first:  # each is done, also where another one is interrupted
            if self._folder is not None:
                last_to_first.callback(shutil.rmtree, self._folder, ignore_errors=True)
            if self._context is not None:
                last_to_first.callback(self._context.destroy, linger=0)
            if self._servers is not None:
                last_to_first.callback(self._servers.close)
            for kernel in kernels:
                last_to_first.callback(kernel.kill)
            self._folder = self._context = self._servers = None

    def _finish(self, *, everything: bool, awaited: Kernel | None = None) -> None:
        """Bury kernels that have ended, and wait for the one that is `awaited`, or for `everything`."""
        waiting = []
        for deadline, kernel in self._stopping:
            if everything or kernel is awaited or not kernel.alive or time.monotonic() > deadline:
                kernel.finish(deadline)
            else:
                waiting.append((deadline, kernel))
        self._stopping = waiting
