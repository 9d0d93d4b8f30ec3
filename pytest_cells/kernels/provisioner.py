"""The fork server as jupyter_client sees it: a kernel provisioner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from pytest_cells.kernels.fork_server import ForkServers
from pytest_cells.kernels.specs import FORK_SERVER, KernelChoice


class ForkingManager(KernelManager):
    """A kernel manager that knows which servers may fork its kernel."""

    fork_servers: ForkServers
    choice: KernelChoice


class ForkProvisioner(LocalProvisioner):
    """Let a fork server start the kernel; all else is as for a process of one's own."""

    process: Any

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group; its number is known once the server has told it."""
        self.pid = self.pgid = self.process.pid if self.process is not None else None
        await super().send_signal(signum)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Ask the server for a kernel, without waiting for it."""
        manager = self.parent
        if not isinstance(manager, ForkingManager):
            raise RuntimeError(
                f"the provisioner {FORK_SERVER!r} works under pytest-cells only: do not name it in a kernelspec"
            )
        cwd = Path(kwargs["cwd"])
        kind = manager.fork_servers.kind(manager.choice, kwargs["env"], cwd)
        if kind is None:
            raise RuntimeError("the environment of this kernel does not allow it to be forked")
        self.process = manager.fork_servers.fork(kind, cmd, cwd, (kwargs["stdout"], kwargs["stderr"]))
        self.cwd = cwd
        return self.connection_info
