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
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pytest_cells.cache import interpreter
from pytest_cells.cache.trace import digest_of
from pytest_cells.errors import KernelError, did_you_mean
from pytest_cells.model import KernelIdentity, Notebook
from pytest_cells.settings import KernelSettings

NATIVE = "python3"
LOCAL = "local-provisioner"
"""The provisioner that starts a kernel as a process of one's own, by its entry point."""
FORK_SERVER = "pytest-cells-fork-server"
"""The provisioner of ours, which nobody may name."""
PROVISIONERS = "jupyter_client.kernel_provisioners"
DEFAULT_PROVISIONER = "JUPYTER_DEFAULT_PROVISIONER_NAME"
PYTHON = re.compile(r"^(?:python|pypy)[\d.]*(?:\.exe)?$")
ASK_INTERPRETER_S = 60
TAKES_A_WORD = ("-W", "-X", "--check-hash-based-pycs")
"""Options of Python whose value may be the next word."""


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
    manager: str = ""
    """The kernel manager that the user has named, as `module:Class`."""
    elsewhere: bool = False
    """Whether that manager starts kernels elsewhere, by name: then only the name is known."""

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
        words = self.argv[: self._launcher - 1]
        before = [
            word
            for option, word in zip(("", *words), words, strict=False)
            if not word.startswith("-") and option not in TAKES_A_WORD
        ]
        command = before[-1] if before else ""
        if not PYTHON.match(Path(command).name):
            return None
        if os.sep in command:
            return command
        return sys.executable if len(before) == 1 else None  # as jupyter_client does for a bare name

    @property
    def host(self) -> str | None:
        """The Python that runs a kernel of another language (`python -m bash_kernel`), or None."""
        if self.language == "python" or len(self.argv) < 2 or self.argv[1] != "-m":
            return None
        command = self.argv[0]
        if not PYTHON.match(Path(command).name):
            return None
        return command if os.sep in command else sys.executable  # as jupyter_client does for a bare name

    @property
    def forkable(self) -> tuple[str, ...] | None:
        """The interpreter and its options, where a fork server can do what the command does; else None.

        A provisioner or manager that the user has named, the ordinary one included, is never replaced.
        """
        named = self.manager or self.named_provisioner
        if not sys.platform.startswith("linux") or named or self._launcher is None or self.interpreter is None:
            return None
        first = self.argv[0]
        alone = PYTHON.match(Path(first).name) and self.argv[self._launcher] == "ipykernel_launcher"
        return (self.interpreter, *self.argv[1 : self._launcher - 1]) if alone else None

    @property
    def named_provisioner(self) -> tuple[str, str] | None:
        """The provisioner that the user has named, and where, or None."""
        stanza = self.metadata.get("kernel_provisioner")
        if isinstance(stanza, dict) and "provisioner_name" in stanza:
            return str(stanza["provisioner_name"]), f"the kernelspec {Path(self.resource_dir, 'kernel.json')}"
        default = os.environ.get(DEFAULT_PROVISIONER)
        return (default, f"the environment variable {DEFAULT_PROVISIONER}") if default else None

    @property
    def local(self) -> bool:
        """Tell whether the ordinary manager and provisioner start the kernel as our own child."""
        named = self.named_provisioner
        return not self.manager and (named is None or named[0] == LOCAL)


def native() -> KernelChoice:
    """Return the kernel of the interpreter that runs pytest."""
    return KernelChoice(NATIVE, (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"), "python")


def choose_kernel(notebook: Notebook, settings: KernelSettings) -> KernelChoice:
    """Return the kernelspec that a notebook runs in. Raises KernelError where it, or its provisioner, is missing."""
    name = settings.name or notebook.kernel or NATIVE
    if settings.manager:
        from pytest_cells.kernels.managers import starts_elsewhere  # loads jupyter_client

        if starts_elsewhere(settings.manager):
            return KernelChoice(name, (), notebook.language.lower(), manager=settings.manager, elsewhere=True)
    if name == NATIVE and settings.python3 == "pytest":
        choice = native()
    else:
        choice = _installed(notebook, name, "--cells-kernel" if settings.name else "the notebook's metadata")
    _check_provisioner(notebook, choice)
    return replace(choice, manager=settings.manager)


def _installed(notebook: Notebook, name: str, asked: str) -> KernelChoice:
    """Return the kernelspec of a name. Raises KernelError."""
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel  # 0.1 s, not for every run

    manager = KernelSpecManager()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of whoever wrote the kernel.json
            spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        found = manager.find_kernel_specs()
        folder = found.get(name.lower(), "")
        if Path(folder, "kernel.json").is_file():  # then it is its provisioner that is missing
            metadata = KernelSpec.from_resource_dir(folder).metadata
            _check_provisioner(notebook, KernelChoice(name, (), metadata=metadata, resource_dir=folder))
        installed = sorted({NATIVE, *found})
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


def _check_provisioner(notebook: Notebook, choice: KernelChoice) -> None:
    """Raise KernelError where the provisioner that the user has named is not installed."""
    name, where = choice.named_provisioner or (LOCAL, "")
    if name == LOCAL:
        return
    installed = {point.name for point in entry_points(group=PROVISIONERS)} - {FORK_SERVER}
    if name not in installed:
        raise KernelError(
            f"{notebook.name}: the kernel {choice.name!r} is to be started by the provisioner {name!r}, which is not "
            f"installed (named by {where})\n"
            f"  installed: {', '.join(sorted(installed))}; {did_you_mean(name, installed)}\n"
            f"  install the package that offers it next to pytest, or name another one there"
        )


class Identities:
    """Tell the identity of kernels, asking each interpreter once."""

    def __init__(self) -> None:
        self._described: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {}
        self._stamps: dict[str, tuple[int, ...]] = {}

    def of(self, choice: KernelChoice) -> KernelIdentity:
        """Return a kernel's identity. Raises KernelError for an interpreter that cannot be asked."""
        key = {"language": choice.language, "env": json.dumps(choice.env, sort_keys=True)}
        if choice.manager:
            key |= {"manager": choice.manager, "kernel": choice.name}
            elsewhere = f"what the kernel manager {choice.manager} runs its kernels in is not known"
            return KernelIdentity(key, dict, uncacheable=elsewhere)
        if not choice.local and choice.named_provisioner is not None:
            key["provisioner"] = choice.named_provisioner[0]
            elsewhere = f"what the provisioner {key['provisioner']!r} runs its kernel in is not known"
            return KernelIdentity(key, dict, uncacheable=elsewhere)
        interpreter_path = choice.interpreter
        if interpreter_path is None:
            command = shutil.which(choice.argv[0]) or choice.argv[0]
            key["argv"] = json.dumps([Path(command).name, *choice.argv[1:]])
            python = choice.language == "python"
            if choice.host is not None:
                self._describe(choice.host)
            unknown = "which Python runs its kernel cannot be told from its kernelspec" if python else None
            facts_now = partial(self._other_facts, command, choice)
            return KernelIdentity(key, facts_now, python=python, uncacheable=unknown)
        facts, site = self._describe(interpreter_path)
        key["python"], key["platform"] = facts["python"], facts["platform"]
        key["arguments"] = json.dumps(choice.argv[1:])
        return KernelIdentity(
            key, lambda: self._describe(interpreter_path)[0], site=site, python=True, traceable=choice.local
        )

    def _other_facts(self, command: str, choice: KernelChoice) -> dict[str, str]:
        """Return what is known of a kernel that is not ipykernel: its program, and all of the Python that runs it."""
        host = choice.host
        return {**(self._describe(host)[0] if host else {}), **_executable_facts(command, choice)}

    def stamp(self, choice: KernelChoice) -> str:
        """Return what changes whenever something is installed for a kernel's interpreter. Raises KernelError."""
        if choice.interpreter is None:
            return ""
        facts, site = self._describe(choice.interpreter)
        return digest_of([facts, list(_stamps(site))])

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
    return tuple(_changed(folder) for folder in folders)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116  # three times a cell, and a Path costs more than the look
    except OSError:
        return 0


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
