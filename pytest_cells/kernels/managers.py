"""Kernel managers that the user names: load one, and ask it what a kernel asks of its manager."""

from __future__ import annotations

import asyncio
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_cells.errors import KernelError, SettingsError, did_you_mean
from pytest_cells.kernels.processes import SLICE_S
from pytest_cells.kernels.waiting import REQUEST_S, wait_for_call

if TYPE_CHECKING:
    from pytest_cells.kernels.specs import KernelChoice

GATEWAY = "jupyter_server.gateway.managers"
UNANSWERED_S = 1.0
"""How long it may take to end a kernel when it could not tell any more whether that lives."""


def load_manager(name: str) -> Any:
    """Return the class that `module:Class` names. Raises SettingsError for what is no kernel manager."""
    from jupyter_client.manager import KernelManager  # 0.2 s, not for every run

    module_name, _, class_name = name.partition(":")
    if not (module_name and class_name):
        expected = f"expected module:Class, such as {GATEWAY}:GatewayKernelManager"
        raise SettingsError(f"cells_kernel_manager: found {name!r}, {expected}")
    try:
        module = import_module(module_name)
    except Exception as error:  # somebody else's code may raise anything
        raise SettingsError(f"cells_kernel_manager {name}: {_not_imported(module_name, error)}") from None
    found = getattr(module, class_name, None)
    if isinstance(found, type) and issubclass(found, KernelManager):
        return found
    known = [
        other for other, value in vars(module).items() if isinstance(value, type) and issubclass(value, KernelManager)
    ]
    problem = f"{class_name} is no KernelManager of jupyter_client" if found else f"there is no {class_name}"
    hint = did_you_mean(class_name, known) if known else "name a module that defines a kernel manager"
    raise SettingsError(f"cells_kernel_manager {name}: in {module_name} {problem}\n  {hint}")


def _not_imported(module_name: str, error: Exception) -> str:
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is None:
        return f"importing {module_name} raised {type(error).__name__}: {error}"
    package = missing.partition(".")[0]
    if package == "jupyter_server":
        return "jupyter_server is not installed\n  pip install 'pytest-cells[gateway]'"
    return f"there is no module {missing!r}\n  install it where pytest runs, or put its folder on PYTHONPATH"


def starts_elsewhere(name: str) -> bool:
    """Tell whether kernels are reached through channels of the manager's own: then it starts them by name, elsewhere.

    Where the channels are jupyter_client's, so are the kernelspecs, and a provisioner starts the kernel. Raises
    SettingsError, and KernelError where a manager cannot be made.
    """
    from jupyter_client.client import KernelClient

    return bool(_make(name).client_factory.shell_channel is not KernelClient.shell_channel)


def _make(name: str, **keywords: Any) -> Any:
    manager_class = load_manager(name)
    try:
        return manager_class(**keywords)
    except Exception as error:  # somebody else's code may raise anything
        raise KernelError(f"cells_kernel_manager {name}: {type(error).__name__}: {error}") from None


class NamedManager:
    """What a kernel asks of its manager, asked of one that the user has named."""

    def __init__(self, choice: KernelChoice, start_s: float, **keywords: Any) -> None:
        """Make the manager; the keywords are for one that is like jupyter_client's own. Raises KernelError."""
        self.problem = ""
        """Why the manager could not tell whether its kernel lives."""
        self._choice, self._start_s = choice, start_s
        more = {} if choice.elsewhere else keywords
        self._manager = _make(choice.manager, kernel_name=choice.name, **more)
        self._gateway: Any = None
        if any(base.__module__ == GATEWAY for base in type(self._manager).__mro__):
            from pytest_cells.kernels import gateway  # needs jupyter_server, which is optional

            self._gateway = gateway
            gateway.prepare(self._manager)

    @property
    def provisioner(self) -> Any:
        """The provisioner, where there is one."""
        return getattr(self._manager, "provisioner", None)

    @property
    def context(self) -> Any:
        """The zmq context."""
        return self._manager.context

    def start_kernel(self, **keywords: Any) -> None:
        """Start the kernel. Raises whatever the manager does, and KernelError where it is known what is wrong."""
        if not self._choice.elsewhere:
            wait_for_call(self._manager.start_kernel, self._start_s, **keywords)
            return
        keywords = {name: keywords[name] for name in ("cwd", "env")}
        try:
            wait_for_call(self._manager.start_kernel, self._start_s, kernel_name=self._choice.name, **keywords)
        except asyncio.TimeoutError:
            raise KernelError(f"nothing came of it in {self._start_s:g} s (cells_startup_timeout)") from None
        except Exception as error:
            told = self._gateway.explain(error, self._choice.name) if self._gateway is not None else None
            raise KernelError(told or f"{type(error).__name__}: {error}") from None

    def client(self) -> Any:
        """Return a client of the kernel."""
        return self._manager.client()

    def is_alive(self) -> bool:
        """Tell whether the kernel lives, as far as the manager knows; `problem` tells why it cannot say."""
        try:
            alive = bool(wait_for_call(self._manager.is_alive, REQUEST_S))
        except Exception as error:  # somebody else's code may raise anything
            self.problem = f"{type(error).__name__}: {error}"
            return False
        # a gateway's manager says so once more when the kernel is gone
        return alive and bool(getattr(self._manager, "has_kernel", True))

    def interrupt_kernel(self) -> None:
        """Interrupt the kernel. Raises RuntimeError where that cannot be."""
        try:
            wait_for_call(self._manager.interrupt_kernel, REQUEST_S)
        except Exception as error:
            raise RuntimeError(f"{type(error).__name__}: {error}") from None

    def shutdown_kernel(self, *, now: bool = False) -> None:
        """End the kernel; a gateway that is just starting it again is asked until it can."""
        limit = UNANSWERED_S if self.problem else REQUEST_S
        deadline = time.monotonic() + limit
        while True:
            try:
                wait_for_call(self._manager.shutdown_kernel, limit, now=now)
                return
            except Exception as error:
                busy = self._gateway is not None and self._gateway.busy(error)
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(SLICE_S)

    def cleanup_resources(self) -> None:
        """Let go of what is held for the kernel."""
        wait_for_call(self._manager.cleanup_resources, REQUEST_S)
