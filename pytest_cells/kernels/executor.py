"""The executor that is used unless another is named: local Jupyter kernels, one fresh one a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pytest_cells.errors import KernelError, KernelRefused
from pytest_cells.evaluator import KernelUsage
from pytest_cells.kernels.environment import kernel_environment
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import NATIVE, Identities, KernelChoice, choose_kernel, native
from pytest_cells.model import Json, KernelIdentity, Notebook, Outcome
from pytest_cells.settings import Settings


class JupyterExecutor:
    """Execute cells in kernels that jupyter_client starts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._identities = Identities()
        self._pool = KernelPool(settings.kernel, self._identities.stamp)

    @property
    def usage(self) -> KernelUsage:
        """What was used so far."""
        return self._pool.usage

    def identify(self, notebook: Notebook) -> KernelIdentity:
        """Return what identifies the notebook's kernel. Raises KernelError where it is not installed."""
        settings = self._settings.kernel
        choice = choose_kernel(notebook, settings)
        identity = replace(self._identities.of(choice), environment=partial(_environment, choice))
        bounds = {"preload": " ".join(settings.preload), "memory": f"{settings.max_memory_mb:g}"}
        given = {name: value for name, value in bounds.items() if value not in ("", "0")}
        return replace(identity, key={**identity.key, **given})

    def prepare(self, notebook: Notebook) -> None:
        """Launch the notebook's kernel in the background, within `cells_kernels_ahead`. Raises KernelError."""
        choice = choose_kernel(notebook, self._settings.kernel)
        self._pool.prepare(choice, self._settings.working_folder(notebook))

    def share(self) -> tuple[str, str] | None:
        """Boot the fork server that most notebooks need, for other processes of this session. Raises KernelError."""
        settings = self._settings.kernel
        if settings.name not in (None, NATIVE) or settings.manager or settings.python3 != "pytest":
            return None
        return self._pool.share(native(), self._settings.rootdir)

    def open(self, notebook: Notebook) -> KernelSeat:
        """Start a fresh kernel for a notebook. Raises KernelError."""
        choice = choose_kernel(notebook, self._settings.kernel)
        cwd = self._settings.working_folder(notebook)
        for tries_left in range(self._settings.kernel.retries, -1, -1):
            try:
                return KernelSeat(self._pool, self._pool.start(choice, cwd, self._settings.kernel.startup_timeout))
            except KernelError as error:
                if not tries_left or isinstance(error, KernelRefused):
                    raise
        raise AssertionError("retries are at least 0")

    def close(self) -> None:
        """End all kernels and remove their files."""
        self._pool.close()


def _environment(choice: KernelChoice) -> dict[str, str]:
    """Return the variables that a cell finds: what the kernel is given, and what ipykernel sets itself."""
    return {"MPLBACKEND": "module://matplotlib_inline.backend_inline", **kernel_environment(choice)}


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

    @property
    def peak_mb(self) -> float | None:
        """The most memory that the kernel has held."""
        return self._kernel.peak_mb

    def execute(
        self,
        source: str,
        *,
        timeout: float,
        history: bool = True,
        meanwhile: Callable[[], None] | None = None,
        wishes: Json | None = None,
    ) -> Outcome:
        """Execute a source in the kernel; `wishes` are what the agent is asked to do around it."""
        return self._kernel.execute(source, timeout=timeout, history=history, meanwhile=meanwhile, wishes=wishes)

    def request(self, what: str, arguments: Json) -> Json | None:
        """Ask the agent for something; None where it has no answer."""
        return self._kernel.request(what, arguments)

    def stop(self) -> None:
        """Give the kernel back: it ends."""
        self._pool.stop(self._kernel)
