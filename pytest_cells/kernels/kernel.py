"""One running kernel, one generation: it is started, executes one request at a time, and dies once."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

from pytest_cells.errors import KernelError
from pytest_cells.in_kernel import agent
from pytest_cells.kernels import ownership
from pytest_cells.kernels.outputs import OutputCollector
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.kernels.tracebacks import line_of, steady
from pytest_cells.kernels.wire import SLICE_S, KernelLost, Wire, agent_answer
from pytest_cells.model import CellError, Json, Outcome

INTERRUPT_GRACE_S = 3.0
"""How long an interrupted cell may take to end before its kernel is killed."""
STOP_GRACE_S = 2.0
"""How long a kernel may take to end by itself, its `atexit` code included."""
STDERR_TAIL = 20
END_LOOP = "(lambda loop: loop.add_callback(loop.stop))(__import__('IPython').get_ipython().kernel.io_loop)"
"""How ipykernel is asked to end: its own answer to a shutdown request hangs now and then, because the control
thread flushes output that the main thread no longer reads (seen with 7.4, in about one of six)."""


class _OneSpec(KernelSpecManager):
    """A kernelspec manager that knows the spec that was chosen, whatever is installed."""

    spec: Any = None

    def get_kernel_spec(self, kernel_name: str) -> Any:
        return self.spec


class Kernel:
    """Run one kernel through jupyter_client."""

    def __init__(self, choice: KernelChoice, folder: Path, cwd: Path) -> None:
        self.choice = choice
        self._folder, self._cwd = folder, cwd
        self._manager: Any = None
        self._wire: Wire
        self._pid: int | None = None

    # -- life ----------------------------------------------------------------------------------------------

    def start(self, timeout: float) -> None:
        """Start the process and wait until it answers. Raises KernelError, with what it said on stderr."""
        try:
            self._launch()
            self._wire.wait_until_ready(time.monotonic() + timeout)
            if self.choice.ipykernel:
                self._wire.load_agent(Path(agent.__file__).read_text(encoding="utf-8"))
        except KernelLost as lost:
            told = f"the kernel {self.choice.name!r} did not start: {lost.evalue}{self._tail()}"
            self.kill()
            raise KernelError(told) from None
        except BaseException:
            self.kill()
            raise

    def _launch(self) -> None:
        self._folder.mkdir(mode=0o700)
        specs = _OneSpec()
        specs.spec = KernelSpec(
            argv=list(self.choice.argv),
            env=self.choice.env,
            language=self.choice.language,
            metadata=self.choice.metadata,
            interrupt_mode=self.choice.interrupt_mode,
            resource_dir=self.choice.resource_dir,
            display_name=self.choice.name,
        )
        ipc = os.name == "posix" and self.choice.local
        places = {"transport": "ipc", "ip": str(self._folder / "k")} if ipc else {}
        self._manager = KernelManager(
            kernel_name=self.choice.name,
            kernel_spec_manager=specs,
            connection_file=str(self._folder / "kernel.json"),
            **places,
        )
        self._manager.context.rcvhwm = 0  # a flood of output must not be dropped: lost output is a lost error
        arguments = ["--HistoryManager.enabled=False", "--HistoryManager.hist_file=:memory:"]
        output: dict[str, Any] = {}
        with contextlib.ExitStack() as stack:
            if self.choice.local:
                for name in ("stdout", "stderr"):
                    output[name] = stack.enter_context((self._folder / name).open("wb"))
            try:
                self._manager.start_kernel(
                    extra_arguments=arguments if self.choice.ipykernel else [],
                    cwd=str(self._cwd),
                    env=kernel_environment(),
                    **output,
                )
            except Exception as error:  # a provisioner may raise anything
                raise KernelError(f"the kernel {self.choice.name!r} could not be started: {error}") from None
        process = self._process
        if process is not None:
            self._pid = process.pid
            ownership.note_kernel(self._folder, process.pid)
        self._wire = Wire(self._manager.client(), self._check_alive)

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self._manager is not None and self._exit_code() is None

    @property
    def _process(self) -> Any:
        return getattr(self._manager.provisioner, "process", None)

    def _exit_code(self) -> int | None:
        process = self._process
        if process is not None:
            code: int | None = process.poll()
            return code
        return None if self._manager.is_alive() else 0

    def request_stop(self) -> None:
        """Ask the kernel to end by itself, so that its `atexit` code runs; do not wait for it."""
        if self.alive:
            with contextlib.suppress(Exception):  # a kernel that cannot be asked is killed later
                if self.choice.ipykernel:
                    self._wire.send(END_LOOP, silent=True)
                else:
                    self._wire.shutdown()

    def finish(self, deadline: float) -> None:
        """Wait for a stop that was requested until `deadline` (monotonic), then kill what is left."""
        while time.monotonic() < deadline and self._manager is not None and self._exit_code() is None:
            process = self._process
            if process is not None:
                with contextlib.suppress(Exception):  # TimeoutExpired: the loop's deadline decides
                    process.wait(timeout=SLICE_S)
            else:
                time.sleep(SLICE_S)  # a remote kernel tells its end to those who ask only
        self.kill()

    def kill(self) -> None:
        """End the kernel and its children now, and remove its sockets and files."""
        if self._manager is not None:
            if self._pid is not None and os.name == "posix":
                with contextlib.suppress(OSError):
                    os.killpg(self._pid, signal.SIGKILL)
            if hasattr(self, "_wire"):
                with contextlib.suppress(Exception):
                    self._wire.close()
            with contextlib.suppress(Exception):
                self._manager.shutdown_kernel(now=True)
            with contextlib.suppress(Exception):
                self._manager.cleanup_resources()
            with contextlib.suppress(Exception):
                self._manager.context.destroy(linger=0)
            self._manager = None
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- requests ------------------------------------------------------------------------------------------

    def execute(self, source: str, *, timeout: float, history: bool = True) -> Outcome:
        """Execute a source and return what came of it; never raises for what the source does.

        `timeout` is in seconds, 0 for none. A cell that is too slow is interrupted, and killed with its kernel
        where that does not help.
        """
        began = time.monotonic()
        collector = self._wire.collector()
        try:
            self._check_alive()
            request = self._wire.send(source, history=history)
            reply = self._wire.answer(request, collector, began + timeout if timeout else None)
        except KernelLost as lost:
            error = CellError(lost.ename, lost.evalue + self._tail(), [])
            self.kill()
            return Outcome("error", collector.finished(), error, _ms_since(began), died=True)
        if reply is None:
            return self._timed_out(request, collector, began, timeout)
        return self._judged(reply, collector, _ms_since(began))

    def _check_alive(self) -> None:
        if self._manager is None:
            raise KernelLost("KernelDied", "the kernel is gone")
        code = self._exit_code()
        if code is not None:
            raise KernelLost("KernelDied", f"the kernel {describe_exit(code)}")

    def _timed_out(self, request: str, collector: OutputCollector, began: float, timeout: float) -> Outcome:
        """Interrupt a cell that took too long; kill it with its kernel where it does not end."""
        evalue = f"the cell took longer than {timeout:g} s and was interrupted"
        traceback: list[str] = []
        line, died = None, False
        try:
            with contextlib.suppress(RuntimeError):
                self._manager.interrupt_kernel()
            reply = self._wire.answer(request, collector, time.monotonic() + INTERRUPT_GRACE_S)
            if reply is None:
                raise KernelLost("CellTimeout", "")
            traceback = [str(part) for part in reply.get("traceback") or ()]
            line = line_of(traceback, reply.get("execution_count"))
        except KernelLost:
            evalue = f"the cell took longer than {timeout:g} s; it ignored the interrupt, so its kernel was killed"
            died = True
            self.kill()
        error = CellError("CellTimeout", evalue, traceback, line)
        outputs = [output for output in collector.finished() if output["output_type"] != "error"]
        return Outcome("error", outputs, error, _ms_since(began), died=died, timed_out=True)

    def _judged(self, reply: Json, collector: OutputCollector, duration_ms: float) -> Outcome:
        """Turn reply and outputs into an Outcome: an error on either way is an error."""
        outputs = collector.finished()
        status = reply.get("status")
        shown = next((output for output in outputs if output["output_type"] == "error"), None)
        told = reply if status == "error" else shown
        if told is not None:
            traceback = [str(part) for part in told.get("traceback") or ()]
            ename, evalue = str(told.get("ename") or "Error"), steady(str(told.get("evalue", "")))
            if ename in ("Skipped", "SkipTest") and status == "error":
                return Outcome("skipped", outputs, None, duration_ms, reason=evalue or "skipped itself")
            answer = self._wire.agent_after_error()
            bases = tuple(answer.get("bases") or ())
            line = line_of(traceback, reply.get("execution_count"))
            error = CellError(ename, evalue, traceback, line, bases if ename in bases else ())
            return Outcome("error", outputs, error, duration_ms, written=_written(answer))
        if status != "ok":
            error = CellError("CellNotRun", f"the kernel did not run the cell (it said {status!r})")
            return Outcome("error", outputs, error, duration_ms)
        if any(part.get("source") == "ask_exit" for part in reply.get("payload") or () if isinstance(part, dict)):
            self.kill()
            evalue = "the cell ended its kernel by exit() or quit(); remove the call, or raise an error instead"
            return Outcome("error", outputs, CellError("KernelExit", evalue), duration_ms, died=True)
        return Outcome("ok", outputs, None, duration_ms, written=_written(agent_answer(reply)))

    def _tail(self) -> str:
        """Return the last lines of what the process itself wrote to stderr, for messages."""
        try:
            content = (self._folder / "stderr").read_bytes()[-20_000:].decode("utf-8", "replace")
        except OSError:
            return ""
        lines = [line for line in content.splitlines() if line.strip()][-STDERR_TAIL:]
        return "\nlast lines of its stderr:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""


def kernel_environment() -> dict[str, str]:
    """Return the environment that kernels get: ours, with what must not differ between runs fixed."""
    ours = (
        "PYTEST_CURRENT_TEST",
        "PYTEST_XDIST_WORKER",
        "PYTEST_XDIST_WORKER_COUNT",
        "PYTEST_XDIST_TESTRUNUID",
    )
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment.setdefault("PYTHONHASHSEED", "0")
    environment.update(COLUMNS="80", LINES="24", PYDEVD_DISABLE_FILE_VALIDATION="1")
    return environment


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


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000
