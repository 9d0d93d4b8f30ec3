"""One running kernel, one generation: it is started, executes one request at a time, and dies once."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from pytest_cells.errors import CellInterrupted, KernelError, KernelRefused
from pytest_cells.kernels import ownership, processes, provisioner
from pytest_cells.kernels.environment import current_umask, inherited, kernel_environment
from pytest_cells.kernels.fork_server import ForkedProcess, ForkServers
from pytest_cells.kernels.interrupts import Interrupts
from pytest_cells.kernels.managers import NamedManager
from pytest_cells.kernels.outputs import MB, OutputCollector
from pytest_cells.kernels.processes import SLICE_S, KernelProcess, OwnChild
from pytest_cells.kernels.remote import RemoteWire
from pytest_cells.kernels.specs import FORK_SERVER, KernelChoice
from pytest_cells.kernels.tracebacks import crash_in, line_of, steady
from pytest_cells.kernels.wire import AGENT_GRACE_S, KernelLost, Message, Wire, agent_answer
from pytest_cells.model import CellError, Json, Outcome

INTERRUPT_GRACE_S = 3.0
"""How long an interrupted cell may take to end before its kernel is killed: on a busy machine a traceback takes 1 s."""
BEGIN_GRACE_S = 1.0
"""How long a kernel may take to begin a cell before it is interrupted anyway: some never say that they begin."""
STOP_GRACE_S = 2.0
"""How long a kernel may take to end by itself, its `atexit` code included."""
KILL_GRACE_S = 2.0
"""How long a killed process may take to be gone: the system tells it within milliseconds."""
STDERR_TAIL = 20
LONGEST_LINE = 300
ROOM_MB = 32.0
"""What a kernel that has hit its memory limit, and still holds all, gets to work on: else libzmq aborts it."""
CRASHES = frozenset(-getattr(signal, name, 0) for name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"))
"""The endings before which the agent lets the process tell where it is."""
LONGEST_ERROR = 20_000
"""Characters of an error's text, and of each entry of its traceback, that are kept."""
ARGUMENTS = [
    "--HistoryManager.enabled=False",
    "--HistoryManager.hist_file=:memory:",
    "--IPythonKernel._execute_sleep=0",
]
"""No history file, and no pause before each reply: the agent sees to it that all output comes before."""
END_LOOP = "(lambda loop: loop.add_callback(loop.stop))(__import__('IPython').get_ipython().kernel.io_loop)"
"""How ipykernel is asked to end: its own answer to a shutdown request hangs now and then, because the control
thread flushes output that the main thread no longer reads (seen with 7.4, in about one of six)."""


@dataclass(frozen=True)
class Limits:
    """What a kernel may use, 0 for no limit."""

    max_memory_mb: float = 0.0
    max_output_mb: float = 50.0
    startup_s: float = 60.0


class _OneSpec(KernelSpecManager):
    """A kernelspec manager that knows the spec that was chosen, whatever is installed."""

    spec: Any = None

    def get_kernel_spec(self, kernel_name: str) -> Any:
        return self.spec


class Kernel:
    """Run one kernel through jupyter_client."""

    def __init__(
        self,
        choice: KernelChoice,
        folder: Path,
        cwd: Path,
        servers: ForkServers | None = None,
        limits: Limits | None = None,
        context: Any = None,
    ) -> None:
        self.choice, self.cwd = choice, cwd
        self.environment, self.inherited = kernel_environment(choice), (current_umask(), *inherited())
        self.forked = servers is not None and servers.kind(choice, self.environment, cwd) is not None
        self._folder, self._servers, self._limits = folder, servers, limits or Limits()
        self._manager: Any = None
        self._context = context
        """The zmq context, where it is somebody else's."""
        self._process: KernelProcess | None = None
        self._reserved_mb: float | None = None
        self._interrupts = Interrupts()
        self._wire: Wire

    # -- life ----------------------------------------------------------------------------------------------

    def launch(self) -> None:
        """Start the process, without waiting for it. Raises KernelError."""
        self._folder.mkdir(mode=0o700)
        self._manager = self._new_manager()
        self._manager.context.rcvhwm = 0  # a flood of output must not be dropped: lost output is a lost error
        output: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            if self.choice.local:
                output["stdout"] = stack.enter_context(Path(os.devnull).open("wb"))
                output["stderr"] = stack.enter_context((self._folder / "stderr").open("wb"))
            try:
                self._start_process(
                    extra_arguments=ARGUMENTS if self.choice.ipykernel else [],
                    cwd=str(self.cwd),
                    env=self.environment,
                    **output,
                )
            except BaseException as error:  # a provisioner may raise anything
                self._process = self._process or self._own_process()
                self.kill()
                if not isinstance(error, Exception):
                    raise
                raise KernelError(f"the kernel {self.choice.name!r} could not be started: {error}") from None
        self._process = self._own_process()
        if isinstance(self._process, OwnChild):
            self._note_process()

    def _own_process(self) -> KernelProcess | None:
        """Return the kernel's process, where whoever started it shows one."""
        process = getattr(self._manager.provisioner, "process", None)
        if isinstance(process, ForkedProcess):
            return process
        if isinstance(process, subprocess.Popen):  # a provisioner of the user's may keep something else there
            return OwnChild(process)
        return None

    def wait_until_ready(self, timeout: float) -> None:
        """Wait until a launched kernel answers. Raises KernelError, with what it said on stderr."""
        deadline = time.monotonic() + timeout
        try:
            if isinstance(self._process, ForkedProcess) and not self._process.wait_until_ready(deadline):
                self._note_process()
                self._not_forked(self._process)
            self._note_process()
            if self._limits.max_memory_mb and (self._process is None or self._process.pid is None):
                problem = "whoever starts it shows no process whose memory cells_max_memory_mb could limit"
                raise KernelRefused(f"the kernel {self.choice.name!r} cannot be used: {problem}\n  leave the limit out")
            told_by = self._process.fileno() if self._process is not None else None
            max_output_bytes = int(self._limits.max_output_mb * MB)
            client = self._manager.client()
            if isinstance(client, BlockingKernelClient):
                self._wire = Wire(client, self._check_alive, self._interrupts, told_by, max_output_bytes)
            else:
                stop = self._manager.shutdown_kernel if self.choice.elsewhere else None
                self._wire = RemoteWire(client, self._check_alive, self._interrupts, max_output_bytes, stop)
            self._wire.wait_until_ready(deadline)
            if self.choice.ipykernel and not (isinstance(self._process, ForkedProcess) and self._process.agent_loaded):
                self._wire.load_agent()
            self._limit_memory()
        except KernelLost as lost:
            told = f"the kernel {self.choice.name!r} did not start: {lost.evalue}{self._tail()}"
            self.kill()
            raise KernelError(told) from None
        except BaseException:
            self.kill()
            raise

    def _start_process(self, **keywords: Any) -> None:
        """Do what the manager's `start_kernel` does, but for its pause of 10 ms, where nobody else has a say in it."""
        if not self.choice.local:
            self._manager.start_kernel(**keywords)
            return
        command, keywords = self._manager.pre_start_kernel(**keywords)
        self._manager._launch_kernel(command, **keywords)
        self._manager.post_start_kernel(**keywords)

    def _new_manager(self) -> Any:
        specs = _OneSpec()
        metadata = dict(self.choice.metadata)
        if self.forked:
            metadata["kernel_provisioner"] = {"provisioner_name": FORK_SERVER}
        elif self.choice.named_provisioner is not None:  # jupyter_client reads the variable once in a process
            named = {"provisioner_name": self.choice.named_provisioner[0]}
            metadata["kernel_provisioner"] = {**metadata.get("kernel_provisioner", {}), **named}
        specs.spec = KernelSpec(
            argv=list(self.choice.argv),
            env={},  # it is in our environment already
            language=self.choice.language,
            metadata=metadata,
            interrupt_mode=self.choice.interrupt_mode,
            resource_dir=self.choice.resource_dir,
            display_name=self.choice.name,
        )
        ipc = os.name == "posix" and self.choice.local
        context = {} if self._context is None else {"context": self._context}
        places = {"transport": "ipc", "ip": str(self._folder / "k")} if ipc else {}
        connection_file = str(self._folder / "kernel.json")
        if self.choice.manager:
            keywords = {"kernel_spec_manager": specs, "connection_file": connection_file}
            return NamedManager(self.choice, self._limits.startup_s, **keywords)
        manager = (provisioner.ForkingManager if self.forked else KernelManager)(
            kernel_name=self.choice.name,
            kernel_spec_manager=specs,
            connection_file=connection_file,
            **places,
            **context,
        )
        if isinstance(manager, provisioner.ForkingManager):
            assert self._servers is not None
            manager.fork_servers, manager.choice = self._servers, self.choice
        return manager

    def _note_process(self) -> None:
        if self._process is not None and self._process.pid is not None:
            ownership.note_kernel(self._folder, self._process.pid)

    def _not_forked(self, process: ForkedProcess) -> None:
        """Start a kernel ordinarily that a fork server refused; raise what kept it where that is no way out."""
        assert self._servers is not None
        if process.refused is not None:
            self.kill()
            if not process.settled and not self._servers.required:
                self.forked = False
                self.launch()
                return
            hint = "start kernels one by one with --cells-fork-server=off"
            raise KernelRefused(f"the kernel {self.choice.name!r} was not forked: {process.refused}\n  {hint}")
        self._check_alive()
        who = "its fork server" if process.pid is None else "it"
        if process.pid is None:
            process.server.give_up()
        raise KernelLost("KernelTimeout", f"{who} did not answer in time (cells_startup_timeout)")

    def _limit_memory(self, room_mb: float = 0.0) -> None:
        """Bound the memory that a kernel, and each of its children, may hold: above what it has set aside unused.

        `room_mb` is to be free in any case.
        """
        if not self._limits.max_memory_mb or self._process is None or self._process.pid is None:
            return
        import resource  # POSIX only, as is the setting

        memory = processes.memory_mb(self._process.pid)
        data, held = memory.get("VmData", 0.0), memory.get("RssAnon", 0.0)
        if self._reserved_mb is None:
            self._reserved_mb = max(data - held, 0.0)
        most = max(self._limits.max_memory_mb + self._reserved_mb, data + room_mb)
        with contextlib.suppress(ProcessLookupError):  # it has ended, which is told elsewhere
            _, hard = resource.prlimit(self._process.pid, resource.RLIMIT_DATA)
            if hard != resource.RLIM_INFINITY:
                most = min(most, hard / MB)
            resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (int(most * MB), hard))

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self._manager is not None and self._exit_code() is None

    @property
    def peak_mb(self) -> float | None:
        """The most memory that the kernel's process has held, in MB (2^20 bytes), where that can be known."""
        return self._process.peak_mb if self._process is not None else None

    @property
    def process_id(self) -> int | None:
        """The number of the kernel's process, where it has one on this machine."""
        return self._process.pid if self._process is not None else None

    def _exit_code(self) -> int | None:
        if self._process is not None:
            return self._process.poll()
        return None if self._manager.is_alive() else 0

    def request_stop(self) -> None:
        """Ask the kernel to end by itself, so that its `atexit` code runs; do not wait for it."""
        if self.alive and hasattr(self, "_wire"):
            with contextlib.suppress(Exception):  # a kernel that cannot be asked is killed later
                if self.choice.ipykernel:
                    self._wire.send(END_LOOP, silent=True)
                else:
                    self._wire.shutdown()

    @property
    def holds_files(self) -> bool:
        """Tell whether the kernel may hold files open for writing, of which a part is written at its end only."""
        if not self.choice.local or self.process_id is None or not self.alive:
            return False
        held = processes.open_for_writing([self.process_id])
        return held is None or any(not path.startswith(f"{self._folder}{os.sep}") for path in held)

    def finish(self, deadline: float) -> None:
        """Wait for a stop that was requested until `deadline` (monotonic), then kill what is left."""
        if self._manager is not None and self._process is not None and hasattr(self, "_wire"):
            processes.wait_for(self._process, max(deadline - time.monotonic(), 0))
        while self._manager is not None and self._exit_code() is None and time.monotonic() < deadline:
            time.sleep(SLICE_S)  # a remote kernel tells its end to those who ask only
        self.kill()

    def kill(self) -> None:
        """End the kernel and its children now, and remove its sockets and files."""
        if self._manager is not None:
            process, ended = self._process, False
            if not self.choice.local and (process is None or process.poll() is None):
                with contextlib.suppress(Exception):  # who started it knows best how to end it
                    self._manager.shutdown_kernel(now=True)
                    ended = True
            if process is not None:
                lives = process.poll() is None  # asked first: of a kernel that was launched ahead it tells the number
                if lives and process.pid is not None and os.name == "posix":
                    processes.kill_tree(process.pid)
                    processes.wait_for(process, KILL_GRACE_S)
                elif isinstance(process, ForkedProcess) and process.server_lost:
                    ownership.kill_group(self._folder / ownership.OWNER)  # it may live on without its server
                process.close()
            if hasattr(self, "_wire"):
                with contextlib.suppress(Exception):
                    self._wire.close()
            if self.choice.local and (process is None or process.poll() is None):
                with contextlib.suppress(Exception):
                    self._manager.shutdown_kernel(now=True)
                    ended = True
            if not ended:
                with contextlib.suppress(Exception):
                    self._manager.cleanup_resources()
            if self._context is None:
                with contextlib.suppress(Exception):
                    self._manager.context.destroy(linger=0)
            self._manager = None
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- requests ------------------------------------------------------------------------------------------

    def execute(
        self,
        source: str,
        *,
        timeout: float,
        history: bool = True,
        meanwhile: Callable[[], None] | None = None,
        wishes: Json | None = None,
    ) -> Outcome:
        """Execute a source and return what came of it; never raises for what the source does.

        `timeout` is in seconds, 0 for none. A cell that is too slow is interrupted, and killed with its kernel
        where that does not help.
        """
        with self._interrupts.noted():
            return self._execute(source, timeout, meanwhile, history=history, wishes=wishes)

    def request(self, what: str, arguments: Json) -> Json | None:
        """Ask the agent for something beside the notebook's cells; None where it has no answer."""
        collector = self._wire.collector()
        try:
            self._check_alive()
            sent = self._wire.send("", silent=True, wishes={"request": what, **arguments})
            reply = self._wire.answer(sent, collector, time.monotonic() + AGENT_GRACE_S)
        except KernelLost:
            self.kill()
            return None
        answer = agent_answer(reply).get("answer") if reply is not None else None
        return answer if isinstance(answer, dict) else None

    def _execute(
        self,
        source: str,
        timeout: float,
        meanwhile: Callable[[], None] | None,
        *,
        history: bool,
        wishes: Json | None,
    ) -> Outcome:
        began = time.monotonic()
        collector = self._wire.collector()
        request = ""
        if timeout and wishes is not None and wishes.get("trace"):
            wishes = {**wishes, "limit_s": timeout}
        reply: Message | None = None
        try:
            self._check_alive()
            with self._interrupts.held():
                request = self._wire.send(source, history=history, wishes=wishes)
            if meanwhile is not None:
                meanwhile()
            with self._interrupts.held():
                reply = self._wire.answer(request, collector, began + timeout if timeout else None)
        except KernelLost as lost:
            line = crash_in(self._last_lines())[1] if self._exit_code() in CRASHES else None
            error = CellError(lost.ename, lost.evalue + self._tail(), [], line)
            self.kill()
            return Outcome("error", collector.finished(), error, _ms_since(began), died=True)
        except KeyboardInterrupt:
            waiting = request if reply is None else ""
            raise CellInterrupted(self._interrupted(waiting, collector, began)) from None
        if reply is None:
            return self._timed_out(request, collector, began, timeout)
        spent_ms = _ms_since(began) if self._wire.ended is None else (self._wire.ended - began) * 1000
        return self._judged(reply, collector, spent_ms)

    def _check_alive(self) -> None:
        if self._manager is None:
            raise KernelLost("KernelDied", "the kernel is gone")
        code = self._exit_code()
        if code is not None:
            raise KernelLost("KernelDied", f"the kernel {self._ending(code)}")

    def _ending(self, code: int) -> str:
        """Say how the kernel ended, how much memory it took, and what it was allowed."""
        if isinstance(self._process, ForkedProcess) and self._process.server_lost:
            return "was lost together with its fork server"
        if self._process is None:
            problem = self._manager.problem if isinstance(self._manager, NamedManager) else ""
            return "is gone" + (f", or cannot be asked ({problem})" if problem else "; how it ended is not known")
        peak = f"; it held {self.peak_mb:.0f} MB at most" if self.peak_mb else ""
        limit = self._limits.max_memory_mb
        allowed = f" (cells_max_memory_mb allows {limit:g} MB)" if limit else ""
        return describe_exit(code) + peak + allowed

    def _timed_out(self, request: str, collector: OutputCollector, began: float, timeout: float) -> Outcome:
        """Interrupt a cell that took too long; kill it with its kernel where it does not end."""
        evalue = f"the cell took longer than {timeout:.4g} s and was interrupted"
        traceback: list[str] = []
        line, died = None, False
        try:
            reply = self._stop_cell(request, collector)
            if reply is None:
                raise KernelLost("CellTimeout", "")
            traceback = _traceback(reply.content)
            line = line_of(traceback, reply.content.get("execution_count"))
        except KernelLost as lost:
            what = "it ignored the interrupt, so its kernel was killed"
            if lost.ename == "KernelDied":
                what = f"then it was interrupted, and {lost.evalue}"
            evalue, died = f"the cell took longer than {timeout:.4g} s; {what}", True
            self.kill()
        error = CellError("CellTimeout", evalue, traceback, line)
        outputs = [output for output in collector.finished() if output["output_type"] != "error"]
        return Outcome("error", outputs, error, _ms_since(began), died=died, timed_out=True)

    def _stop_cell(self, request: str, collector: OutputCollector) -> Message | None:
        """Interrupt a cell, not before the kernel has begun it; return the reply, None where there is none in time."""
        reply = self._wire.wait_until_begun(request, collector, time.monotonic() + BEGIN_GRACE_S)
        if reply is None:
            with contextlib.suppress(RuntimeError, OSError):
                self._manager.interrupt_kernel()
            reply = self._wire.answer(request, collector, time.monotonic() + INTERRUPT_GRACE_S)
        return reply

    def _interrupted(self, request: str, collector: OutputCollector, began: float) -> Outcome:
        """Interrupt a cell because the user wants to stop; one that goes on, or a second Ctrl-C, ends its kernel.

        `request` is empty where nothing is under way.
        """
        traceback: list[str] = []
        line = None
        self._interrupts.seen = False
        try:
            reply: Message | None = None
            if request:
                with self._interrupts.held():
                    reply = self._stop_cell(request, collector)
                if reply is None:
                    self.kill()
            if reply is not None:
                traceback = _traceback(reply.content)
                line = line_of(traceback, reply.content.get("execution_count"))
        except (KernelLost, KeyboardInterrupt):
            self.kill()
        error = CellError("KeyboardInterrupt", "the run was stopped while the cell was executed", traceback, line)
        outputs = [output for output in collector.finished() if output["output_type"] != "error"]
        return Outcome("error", outputs, error, _ms_since(began))

    def _judged(self, reply: Message, collector: OutputCollector, duration_ms: float) -> Outcome:
        """Turn reply and outputs into an Outcome: an error on either way is an error."""
        outputs = [_bounded(output) for output in collector.finished()]
        told, answer = reply.content, agent_answer(reply)
        status = told.get("status")
        shown = next((output for output in outputs if output["output_type"] == "error"), None)
        error = told if status == "error" else shown
        if shown is not None and told.get("ename") == "NoneType":
            error = shown  # a result that cannot be shown: ipykernel's reply has lost the error by then
        if error is not None:
            return self._failed(error, outputs, answer, told, duration_ms)
        if status != "ok":
            not_run = CellError("CellNotRun", f"the kernel did not run the cell (it said {status!r})")
            return Outcome("error", outputs, not_run, duration_ms)
        if any(part.get("source") == "ask_exit" for part in told.get("payload") or () if isinstance(part, dict)):
            self.kill()
            evalue = "the cell ended its kernel by exit() or quit(); remove the call, or raise an error instead"
            return Outcome("error", outputs, CellError("KernelExit", evalue), duration_ms, died=True)
        return Outcome("ok", outputs, None, duration_ms, written=_written(answer), observed=_observed(answer))

    def _failed(self, told: Json, outputs: list[Json], answer: Json, reply: Json, duration_ms: float) -> Outcome:
        traceback = _traceback(told)
        ename, evalue = str(told.get("ename") or "Error"), steady(_cut(str(told.get("evalue", ""))))
        if ename in ("Skipped", "SkipTest") and reply.get("status") == "error":
            return Outcome("skipped", outputs, None, duration_ms, reason=evalue or "skipped itself")
        bases = tuple(answer.get("bases") or ())
        if "MemoryError" in (ename, *(bases if ename in bases else ())) and self._limits.max_memory_mb:
            limit = f"the cell exceeded cells_max_memory_mb = {self._limits.max_memory_mb:g}"
            peak = f"; its kernel held {self.peak_mb:.0f} MB" if self.peak_mb else ""
            evalue = "; ".join(part for part in (evalue, limit + peak) if part)
            self._limit_memory(ROOM_MB)
        line = line_of(traceback, reply.get("execution_count"))
        error = CellError(ename, evalue, traceback, line, bases if ename in bases else ())
        return Outcome("error", outputs, error, duration_ms, written=_written(answer), observed=_observed(answer))

    def _tail(self) -> str:
        """Return the last lines of what the process itself wrote to stderr, for messages."""
        lines = crash_in(self._last_lines())[0][-STDERR_TAIL:]
        return "\nlast lines of its stderr:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""

    def _last_lines(self) -> list[str]:
        content = processes.last_bytes(self._folder / "stderr")
        if not content.strip() and isinstance(self._process, ForkedProcess) and self._process.server_lost:
            content = self._process.server.tail()
        lines = content.decode("utf-8", "replace").splitlines()
        return [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}..." for line in lines if line.strip()]


def _observed(answer: Json) -> Json | None:
    """Return what the agent observed of a cell, or what kept it from that."""
    found = answer.get("observed") or {name: answer[name] for name in ("problem",) if name in answer}
    return found if isinstance(found, dict) and found else None


def describe_exit(code: int) -> str:
    """Say in words how a process ended.

    >>> describe_exit(-9)
    'was killed by SIGKILL (out of memory?)'
    """
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")


def _written(answer: Json) -> tuple[str, ...] | None:
    return tuple(answer["written"]) if "written" in answer else None


def _traceback(told: Json) -> list[str]:
    return [_cut(str(part)) for part in told.get("traceback") or ()]


def _bounded(output: Json) -> Json:
    """Return an output; of an error, not more than can be read."""
    if output["output_type"] != "error":
        return output
    return {**output, "evalue": _cut(str(output["evalue"])), "traceback": _traceback(output)}


def _cut(text: str) -> str:
    left_out = len(text) - LONGEST_ERROR
    return f"{text[:LONGEST_ERROR]} [... {left_out} characters left out]" if left_out > 0 else text


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000
