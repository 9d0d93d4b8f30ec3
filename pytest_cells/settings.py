"""Everything a run may be told: frozen, validated once, the same for pytest and for `Session`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pytest_cells.errors import SettingsError
from pytest_cells.model import Notebook


@dataclass(frozen=True)
class CacheSettings:
    """Where results are kept and whether they are used."""

    folder: Path | None = None
    """The store's folder; None switches the cache off."""
    rung: Literal["traces", "chain"] = "traces"
    """Whether cells are observed, so that only what can have changed is executed, or depend on all above them."""
    force: bool = False
    """Execute everything and refresh what is stored."""
    audit: float = 0.0
    """Percent of the cells that hit which are executed all the same, and compared."""
    max_size_mb: float = 2048.0
    """Above this many MiB the least recently used entries go; 0 for no bound."""

    def __post_init__(self) -> None:
        at_least_zero("cells_cache_max_size_mb", self.max_size_mb)
        one_of("cells_cache", self.rung, ("traces", "chain"))
        if not 0 <= self.audit <= 100:
            raise SettingsError(f"--cells-audit: found {self.audit:g}, expected percent, from 0 to 100")


@dataclass(frozen=True)
class KernelSettings:
    """How cells are executed."""

    name: str | None = None
    """A kernelspec that overrides the notebooks' own."""
    executor: str = "jupyter"
    timeout: float = 300.0
    """Seconds a cell may take, 0 for no limit."""
    notebook_timeout: float = 0.0
    """Seconds that a notebook may take from its first cell on, kernel start included, 0 for no limit."""
    startup_timeout: float = 60.0
    """Seconds a kernel may take until it answers."""
    retries: int = 1
    """How often a cell is tried again after its kernel died."""
    python3: Literal["pytest", "kernelspec"] = "pytest"
    """Whether the spec `python3` means the running interpreter or the installed kernelspec."""
    cwd: Literal["notebook", "rootdir"] = "notebook"
    fork_server: Literal["auto", "on", "off"] = "auto"
    """Whether kernels are forked: where that is possible, in any case (else it is an error), or never."""
    ahead: int = 1
    """How many kernels of the notebooks that come next are launched beforehand."""
    shared_server: tuple[str, str] | None = None
    """The address of a fork server that another process of the session has booted, and the digest of its kind."""
    preload: tuple[str, ...] = ()
    """Modules that the fork server imports once for all kernels."""
    max_memory_mb: float = 0.0
    """MB (2^20 bytes) of data that a kernel's process may hold, 0 for no limit."""
    max_output_mb: float = 50.0
    """MB (2^20 bytes) of output that is kept of a cell, 0 for no limit."""
    manager: str = ""
    """The kernel manager to use instead of jupyter_client's own, as `module:Class`."""

    def __post_init__(self) -> None:
        at_least_zero("cells_timeout", self.timeout)
        at_least_zero("cells_notebook_timeout", self.notebook_timeout)
        at_least_zero("cells_kernel_retries", self.retries)
        if not 0 < self.startup_timeout < float("inf"):
            raise SettingsError(f"cells_startup_timeout: found {self.startup_timeout:g}, expected seconds above 0")
        one_of("cells_python3", self.python3, ("pytest", "kernelspec"))
        at_least_zero("cells_kernels_ahead", self.ahead)
        at_least_zero("cells_max_memory_mb", self.max_memory_mb)
        at_least_zero("cells_max_output_mb", self.max_output_mb)
        if self.max_memory_mb and not sys.platform.startswith("linux"):
            raise SettingsError("cells_max_memory_mb: only Linux can limit the memory of a process; leave it out here")
        one_of("cells_fork_server", self.fork_server, ("auto", "on", "off"))
        one_of("cells_cwd", self.cwd, ("notebook", "rootdir"))
        if self.manager and self.executor != "jupyter":
            raise SettingsError(
                f"cells_kernel_manager: found {self.manager!r} together with cells_executor {self.executor!r}, "
                f"which starts no kernels through jupyter_client: leave one of them out"
            )


@dataclass(frozen=True)
class ArtifactSettings:
    """Which files count as artifacts."""

    folders: tuple[str, ...] = ("artifacts",)
    """Folders, relative to the notebook's folder and to rootdir."""
    max_mb: float = 50.0
    """Size in MB (2^20 bytes) above which an artifact is warned about, 0 for never."""
    store_max_mb: float = 100.0
    """Largest artifact whose bytes are kept, so that it can be put back."""

    def __post_init__(self) -> None:
        at_least_zero("cells_max_artifact_mb", self.max_mb)


@dataclass(frozen=True)
class Settings:
    """One run's settings, in sections."""

    rootdir: Path
    cache: CacheSettings = field(default_factory=CacheSettings)
    kernel: KernelSettings = field(default_factory=KernelSettings)
    artifacts: ArtifactSettings = field(default_factory=ArtifactSettings)
    shared_run: bool = False
    """Whether other processes may run other notebooks of the same project at the same time."""
    controller: int | None = None
    """The number of the process of which this one is a worker: what it writes is none of a cell's doing."""

    def working_folder(self, notebook: Notebook) -> Path:
        """Return the working directory of a notebook's kernel."""
        return self.rootdir if self.kernel.cwd == "rootdir" else notebook.path.parent

    def shown(self, path: Path) -> str:
        """Return a path as reports show it: relative to rootdir where it is inside, with forward slashes."""
        return (path.relative_to(self.rootdir) if path.is_relative_to(self.rootdir) else path).as_posix()


def at_least_zero(name: str, value: float) -> None:
    """Raise SettingsError for a negative number."""
    if not 0 <= value < float("inf"):
        raise SettingsError(f"{name}: found {value:g}, expected a number of at least 0")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise SettingsError for a value outside a fixed set."""
    if value not in allowed:
        raise SettingsError(f"{name}: found {value!r}, expected one of {', '.join(allowed)}")
