"""The client's side of the fork server: boot one for each kind of kernel, and ask it for kernels."""

from __future__ import annotations

import array
import contextlib
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pytest_cells import in_kernel
from pytest_cells.errors import KernelError
from pytest_cells.kernels import ownership
from pytest_cells.kernels.environment import current_umask, inherited
from pytest_cells.kernels.processes import OwnChild, high_water_mb, kill_group, last_bytes, wait_for
from pytest_cells.kernels.specs import KernelChoice

BOOT = (
    "import sys\n"
    "if not (sys.flags.isolated or getattr(sys.flags, 'safe_path', False)): del sys.path[0]\n"
    "module = type(sys)('_pytest_cells_fork_server')\n"
    "with open(sys.argv[1], encoding='utf-8') as source:\n"
    "    exec(compile(source.read(), '<pytest-cells>', 'exec'), module.__dict__)\n"
    "del sys.argv[1]\n"
    "kernel = module.main()\n"
    "if kernel: (kernel[0], __import__('runpy')._run_code(*globals().pop('kernel')[1]))[0]()\n"
)
"""Runs the server and, in a forked kernel, the launcher, at the same depth of the stack as `python -m` does; then
what ends the kernel."""
STOP_GRACE_S = 0.5
"""How long a server may take to end its kernels and itself before it is killed."""
ASK_GRACE_S = 10.0
"""How long a server may take to take a request: it does so while it boots."""
RANDOM_HASHES = re.compile(r"^-(?![WX-])\w*[EIR]")
"""Options that make Python pass over PYTHONHASHSEED."""
COVERAGE = frozenset({"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"})
"""Variables that make coverage.py begin with the interpreter; it looks for its files in the working directory."""
PER_KERNEL = "JPY_PARENT_PID"
"""The variable that jupyter_client sets for each kernel: here it names the server, which sets it itself."""
DROPPED = "PYTHONEXECUTABLE"
"""The variable that jupyter_client takes from kernels."""


@dataclass(frozen=True)
class ServerKind:
    """What a server is booted for. A kernel that differs in any of it needs another server.

    All of the environment counts: what Python and the libraries read of it when they are loaded has been read once
    the server is there.
    """

    command: tuple[str, ...]
    """The interpreter and its options."""
    environment: tuple[tuple[str, str], ...]
    """The environment variables, in their order."""
    preload: tuple[str, ...]
    cwd: str | None
    """The working directory, where the interpreter's own start depends on it."""
    inherited: tuple[object, ...]
    """What a process has of its parent, and a kernel would have of us: limits, priority, processors."""
    stamp: str
    """What is installed for the interpreter: the server holds what it has loaded, whatever is installed later."""

    @property
    def digest(self) -> str:
        """The same for kinds of different processes whose kernels one server can fork."""
        environment = [pair for pair in self.environment if pair[0] != PER_KERNEL]
        processors = [sorted(part) if isinstance(part, frozenset) else part for part in self.inherited]
        parts = (self.command, environment, self.preload, self.cwd, processors, self.stamp)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()


def server_kind(
    choice: KernelChoice, environment: Mapping[str, str], preload: Sequence[str], cwd: Path, stamp: str = ""
) -> ServerKind | None:
    """Return the kind of server that can fork a kernel, or None where only an ordinary start gives the same.

    That is so for other kernels, commands and systems, for hash seeds that are to differ in every process, and where a
    folder has settings for matplotlib, which reads them when it is imported, and the server may have preloaded it.
    """
    command = choice.forkable
    if command is None or environment.get("PYTHONHASHSEED", "random") == "random":
        return None
    if any(RANDOM_HASHES.match(option) for option in command[1:]):
        return None
    if preload and (cwd / "matplotlibrc").exists():
        return None
    places = environment["PYTHONPATH"].split(os.pathsep) if environment.get("PYTHONPATH") else []
    relative = any(not Path(place).is_absolute() for place in places)  # an empty one is the working directory
    kept = {name: value for name, value in environment.items() if name != DROPPED} | {PER_KERNEL: str(os.getpid())}
    own_cwd = str(cwd) if relative or not COVERAGE.isdisjoint(environment) else None
    return ServerKind(tuple(_expanded(command)), tuple(kept.items()), tuple(preload), own_cwd, inherited(), stamp)


def _expanded(command: Sequence[str]) -> list[str]:
    """Expand `~/` wherever jupyter_client does."""
    return [os.path.expanduser(word) for word in command]  # noqa: PTH111  # most words are no paths


class ForkedProcess:
    """A kernel that a fork server started. Has what jupyter_client asks of a Popen."""

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, server: ForkServer) -> None:
        self.server = server
        self.pid: int | None = None
        self.ready = False
        self.returncode: int | None = None
        self.agent_loaded = False
        self.refused: str | None = None
        self.settled = True
        """Whether a refusal is one of an ordinary start too."""
        self.server_lost = False
        self._connection: socket.socket | None = connection
        self._unread = b""
        self._peak_mb: float | None = None

    @property
    def open(self) -> bool:
        """Tell whether it is still held."""
        return self._connection is not None and self.returncode is None

    @property
    def peak_mb(self) -> float | None:
        """The most memory it held."""
        return high_water_mb(self.pid) if self.returncode is None else self._peak_mb

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        while self._connection is not None and self.returncode is None:
            try:
                more = self._connection.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                more = b""
            self._take(more)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end; raises subprocess.TimeoutExpired as Popen does."""
        code = wait_for(self, 1e6 if timeout is None else timeout)
        if code is None:
            raise subprocess.TimeoutExpired("kernel", timeout or 0)
        return code

    def wait_until_ready(self, deadline: float) -> bool:
        """Wait until it has bound its sockets; False where it ended, or `deadline` (monotonic) passed."""
        while self.poll() is None and not self.ready and self.refused is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            watch = select.poll()
            watch.register(self._connection, select.POLLIN)  # type: ignore[arg-type]  # there until poll() says an end
            watch.poll(max(1, int(left * 1000)))
        return self.ready

    def send_signal(self, signum: int) -> None:
        """Send a signal to it alone."""
        if self.poll() is None and self.pid is not None:
            os.kill(self.pid, signum)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def fileno(self) -> int | None:
        """Return what becomes readable when it ends."""
        return self._connection.fileno() if self._connection is not None else None

    def close(self) -> None:
        """Let go of it: its server ends it, and its children."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            if self.returncode is None:
                self.returncode = -int(signal.SIGKILL)

    def _take(self, more: bytes) -> None:
        *lines, self._unread = (self._unread + more).split(b"\n")
        for line in lines:
            told: dict[str, Any] = json.loads(line)
            self.pid = told.get("pid", self.pid)
            self.refused = told.get("refused", self.refused)
            self.settled = told.get("settled", self.settled)
            if "ready" in told:
                self.ready, self.agent_loaded = True, bool(told.get("agent"))
            if "exit" in told:
                self.returncode = int(told["exit"])
                self._peak_mb = round(told.get("peak_kb", 0) / 1024, 1)
        if not more and self.returncode is None:
            self.server_lost, self.returncode = True, -int(signal.SIGKILL)


class ForkServer:
    """A server that kernels are asked of. Requests wait until it has booted."""

    def __init__(self, kind: ServerKind, address: str) -> None:
        self.kind, self.address = kind, address
        self._folder = Path(address).parent
        self._gone = False
        self._kernels: weakref.WeakSet[ForkedProcess] = weakref.WeakSet()

    @property
    def alive(self) -> bool:
        """Tell whether it still answers, as far as is known."""
        return not self._gone

    def fork(self, argv: Sequence[str], cwd: Path, outputs: tuple[IO[bytes], IO[bytes]]) -> ForkedProcess:
        """Ask for a kernel, without waiting for it. Raises KernelError where the server is gone."""
        data = {"argv": _expanded(argv), "cwd": str(cwd), "umask": current_umask()}
        request = json.dumps(data).encode() + b"\n"
        rights = array.array("i", [output.fileno() for output in outputs])
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ASK_GRACE_S)
        try:
            connection.connect(self.address)
            sent = connection.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            connection.sendall(request[sent:])
        except OSError as error:
            connection.close()
            self._gone = True
            raise KernelError(f"the fork server of {self.kind.command[0]} is gone ({error})") from None
        connection.settimeout(0)
        process = ForkedProcess(connection, self)
        self._kernels.add(process)
        return process

    @property
    def busy(self) -> bool:
        """Tell whether a kernel of it runs."""
        return self.alive and any(kernel.open for kernel in self._kernels)

    def give_up(self) -> None:
        """Ask it for nothing more: it does not answer."""
        self._gone = True

    def tail(self) -> bytes:
        """Return the end of what the server wrote to stderr, for messages."""
        return last_bytes(self._folder / "stderr")

    def close(self) -> None:
        """Leave it to its owner."""


class OwnForkServer(ForkServer):
    """A server that is booted here, at once and in the background."""

    def __init__(self, kind: ServerKind, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        super().__init__(kind, str(folder / "s"))
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.bind(self.address)
            listener.listen(64)
            log = stack.enter_context((folder / "stderr").open("wb"))
            arguments = [
                str(in_kernel.FORK_SERVER),
                str(listener.fileno()),
                in_kernel.AGENT_MODULE,
                str(in_kernel.AGENT),
                str(folder),
                *kind.preload,
            ]
            try:
                self._process = subprocess.Popen(
                    [*kind.command, "-c", BOOT, *arguments],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd=kind.cwd or folder,
                    env=dict(kind.environment),
                    pass_fds=(listener.fileno(),),
                    start_new_session=True,
                )
            except OSError as error:
                raise KernelError(f"the fork server could not be started: {kind.command[0]}: {error}") from None
        ownership.note_kernel(folder, self._process.pid)

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return super().alive and self._process.poll() is None

    def close(self) -> None:
        """End the server, and with it all kernels that it forked."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        process = OwnChild(self._process)
        if process.wait(STOP_GRACE_S) is None:
            kill_group(self._process.pid)
            self._process.wait()
        process.close()
        shutil.rmtree(self._folder, ignore_errors=True)  # one that was killed could not


class ForkServers:
    """The servers of one session, by kind."""

    def __init__(
        self,
        folder: Path,
        preload: Sequence[str],
        *,
        required: bool,
        shared: tuple[str, str] | None = None,
        stamp: Callable[[KernelChoice], str] = lambda choice: "",
    ) -> None:
        self.required = required
        """Whether a kernel that they cannot fork must not be started in another way."""
        self._folder, self._preload, self._shared, self._stamp = folder, tuple(preload), shared, stamp
        """`shared` is the address of somebody else's server, and the digest of its kind; `stamp` tells what is
        installed."""
        self._servers: dict[ServerKind, ForkServer] = {}
        self._count = 0

    def kind(self, choice: KernelChoice, environment: Mapping[str, str], cwd: Path) -> ServerKind | None:
        """Return the kind of server for a kernel, or None where it must be started ordinarily."""
        return server_kind(choice, environment, self._preload, cwd, self._stamp(choice))

    def get(self, kind: ServerKind) -> ForkServer:
        """Return the server of a kind, booting it where there is none. Raises KernelError."""
        server = self._servers.get(kind)
        if server is None and self._shared is not None and self._shared[1] == kind.digest:
            server = self._servers[kind] = ForkServer(kind, self._shared[0])
        if server is None or not server.alive:
            self._end_idle()
            self._count += 1
            server = self._servers[kind] = OwnForkServer(kind, self._folder / f"server-{self._count}")
        return server

    @property
    def booted(self) -> int:
        """How many servers there are."""
        return len(self._servers)

    def _end_idle(self) -> None:
        """End the servers that have no kernel: each kind of kernel would leave one behind."""
        for kind, server in list(self._servers.items()):
            if not server.busy:
                server.close()
                del self._servers[kind]

    def fork(
        self, kind: ServerKind, argv: Sequence[str], cwd: Path, outputs: tuple[IO[bytes], IO[bytes]]
    ) -> ForkedProcess:
        """Ask the server of a kind for a kernel; one that turns out to be gone is replaced. Raises KernelError."""
        try:
            return self.get(kind).fork(argv, cwd, outputs)
        except KernelError:
            return self.get(kind).fork(argv, cwd, outputs)

    def close(self) -> None:
        """End all servers."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
