"""Which kernel a notebook runs in, and what identifies it for the cache.

No import of jupyter_client for the ordinary case, so that a cached run need not pay for it.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_cells.cache import interpreter
from pytest_cells.errors import KernelError, did_you_mean
from pytest_cells.model import KernelIdentity, Notebook
from pytest_cells.settings import KernelSettings

NATIVE = "python3"
PYTHON = re.compile(r"^(?:python|pypy)[\d.]*(?:\.exe)?$")
ASK_INTERPRETER_S = 60


@dataclass(frozen=True)
class KernelChoice:
    """A kernelspec that was found, as plain data."""

    name: str
    argv: tuple[str, ...]
    language: str = "python"
    env: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    interrupt_mode: str = "signal"
    resource_dir: str = ""

    @property
    def ipykernel(self) -> bool:
        """Tell whether this is the Python kernel, whose options and agent we know, started by its own name."""
        return self._launcher is not None

    @property
    def _launcher(self) -> int | None:
        """Where in the command `ipykernel_launcher` (or `ipykernel`) stands after `-m`."""
        for position, (flag, word) in enumerate(itertools.pairwise(self.argv), 1):
            if flag == "-m" and word.split(".")[0] in ("ipykernel_launcher", "ipykernel"):
                return position
        return None

    @property
    def interpreter(self) -> str | None:
        """The Python that runs the kernel, or None where it is another language's or cannot be told.

        A wrapper (`env`, `conda run`, a shell) may choose any interpreter for a bare name.
        """
        if self._launcher is None:
            return None
        before = [word for word in self.argv[: self._launcher - 1] if not word.startswith("-")]
        command = before[-1] if before else ""
        if not PYTHON.match(Path(command).name):
            return None
        if os.sep in command:
            return command
        return sys.executable if len(before) == 1 else None  # as jupyter_client does for a bare name

    @property
    def local(self) -> bool:
        """Tell whether the ordinary provisioner starts the kernel as our own child."""
        provisioner = self.metadata.get("kernel_provisioner") or {}
        return bool(provisioner.get("provisioner_name", "local-provisioner") == "local-provisioner")


def choose_kernel(notebook: Notebook, settings: KernelSettings) -> KernelChoice:
    """Return the kernelspec that a notebook runs in. Raises KernelError where it is not installed."""
    name = settings.name or notebook.kernel or NATIVE
    if name == NATIVE and settings.python3 == "pytest":
        return KernelChoice(NATIVE, (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"), "python")
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel  # 0.1 s, not for every run

    manager = KernelSpecManager()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of whoever wrote the kernel.json
            spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        installed = sorted({NATIVE, *manager.find_kernel_specs()})
        asked = "--cells-kernel" if settings.name else "the notebook's metadata"
        raise KernelError(
            f"{notebook.name}: the kernel {name!r} is not installed (named by {asked})\n"
            f"  installed: {', '.join(installed)}; {did_you_mean(name, installed)}\n"
            f"  install it, or choose one with --cells-kernel NAME"
        ) from None
    except Exception as error:  # a kernel.json may be broken in any way
        raise KernelError(f"{notebook.name}: the kernelspec {name!r} cannot be read: {error}") from None
    return KernelChoice(
        name,
        tuple(spec.argv),
        str(spec.language or notebook.language).lower(),
        dict(spec.env),
        dict(spec.metadata),
        spec.interrupt_mode or "signal",
        spec.resource_dir,
    )


class Identities:
    """Tell the identity of kernels, asking each interpreter once."""

    def __init__(self) -> None:
        self._described: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {}
        self._stamps: dict[str, tuple[int, ...]] = {}

    def of(self, choice: KernelChoice) -> KernelIdentity:
        """Return a kernel's identity. Raises KernelError for an interpreter that cannot be asked."""
        key = {"language": choice.language, "env": json.dumps(choice.env, sort_keys=True)}
        interpreter_path = choice.interpreter
        if interpreter_path is None:
            command = shutil.which(choice.argv[0]) or choice.argv[0]
            key["argv"] = json.dumps([Path(command).name, *choice.argv[1:]])
            python = choice.language == "python"
            unknown = "which Python runs its kernel cannot be told from its kernelspec" if python else None
            return KernelIdentity(key, lambda: _executable_facts(command, choice), (), python, unknown)
        facts, site = self._describe(interpreter_path)
        key["python"], key["platform"] = facts["python"], facts["platform"]
        key["arguments"] = json.dumps(choice.argv[1:])
        return KernelIdentity(key, lambda: self._describe(interpreter_path)[0], site, python=True)

    def _describe(self, path: str) -> tuple[dict[str, str], tuple[str, ...]]:
        known = self._described.get(path)
        if known is not None and self._stamps[path] == _stamps(known[1]):
            return known
        if path == sys.executable:
            described = interpreter.describe(), tuple(interpreter.site_folders())
        else:
            described = _ask(path)
        self._described[path], self._stamps[path] = described, _stamps(described[1])
        return described


def _ask(path: str) -> tuple[dict[str, str], tuple[str, ...]]:
    script = Path(interpreter.__file__)
    try:
        done = subprocess.run(
            [path, str(script)], capture_output=True, text=True, timeout=ASK_INTERPRETER_S, check=True
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        problem = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise KernelError(
            f"the kernel's interpreter {path} cannot be run: {problem[-1] if problem else error}"
        ) from None
    return answer["facts"], tuple(answer["site"])


def _stamps(folders: tuple[str, ...]) -> tuple[int, ...]:
    """Return the times at which something was last installed: a cell may run pip."""
    return tuple(Path(folder).stat().st_mtime_ns if Path(folder).is_dir() else 0 for folder in folders)


def _executable_facts(command: str, choice: KernelChoice) -> dict[str, str]:
    facts = {"kernel": choice.name, **interpreter.environment()}
    for label, path in (
        ("executable", Path(command)),
        ("kernel.json", Path(choice.resource_dir, "kernel.json")),
    ):
        try:
            status = path.stat()
            facts[label] = f"{path.name} {status.st_size} {status.st_mtime_ns}"
        except OSError:
            facts[label] = "absent"
    return facts
