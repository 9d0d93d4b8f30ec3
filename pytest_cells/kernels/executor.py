"""The executor that is used unless another is named: local Jupyter kernels, one fresh one a notebook."""

from __future__ import annotations

from pytest_cells.errors import KernelError
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import Identities, choose_kernel
from pytest_cells.model import KernelIdentity, Notebook, Outcome
from pytest_cells.settings import Settings


class JupyterExecutor:
    """Execute cells in kernels that jupyter_client starts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._identities = Identities()
        self._pool = KernelPool()

    @property
    def started(self) -> int:
        """How many kernels were started."""
        return len(self._pool.startup_ms)

    @property
    def startup_ms(self) -> list[float]:
        """How long each took until it answered, in ms."""
        return self._pool.startup_ms

    def identify(self, notebook: Notebook) -> KernelIdentity:
        """Return what identifies the notebook's kernel. Raises KernelError where it is not installed."""
        return self._identities.of(choose_kernel(notebook, self._settings.kernel))

    def open(self, notebook: Notebook) -> KernelSeat:
        """Start a fresh kernel for a notebook. Raises KernelError."""
        choice = choose_kernel(notebook, self._settings.kernel)
        cwd = self._settings.working_folder(notebook)
        for tries_left in range(self._settings.kernel.retries, -1, -1):
            try:
                return KernelSeat(self._pool, self._pool.start(choice, cwd, self._settings.kernel.startup_timeout))
            except KernelError:
                if not tries_left:
                    raise
        raise AssertionError("retries are at least 0")

    def close(self) -> None:
        """End all kernels and remove their files."""
        self._pool.close()


class KernelSeat:
    """One notebook's kernel, lent by the pool."""

    def __init__(self, pool: KernelPool, kernel: object) -> None:
        from pytest_cells.kernels.kernel import Kernel  # loads zmq: only once a kernel is really needed

        assert isinstance(kernel, Kernel)
        self._pool, self._kernel = pool, kernel

    @property
    def alive(self) -> bool:
        """Tell whether the kernel still runs."""
        return self._kernel.alive

    def execute(self, source: str, *, timeout: float, history: bool = True) -> Outcome:
        """Execute a source in the kernel."""
        return self._kernel.execute(source, timeout=timeout, history=history)

    def stop(self) -> None:
        """Give the kernel back: it ends."""
        self._pool.stop(self._kernel)
