"""One request over a kernel's sockets: messages go out and come in, until its reply and idle have come.

The sockets and the process are polled in one loop, so that a death is seen at once and nothing waits for an
answer that cannot come.
"""

from __future__ import annotations

import ast
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import zmq

from pytest_cells.kernels.outputs import Displays, OutputCollector, OutputWidgets
from pytest_cells.model import Json

SLICE_S = 0.1
"""How long one wait on the sockets lasts, and so how late a death is seen at most."""
NUDGE_S = 0.25
"""Without an iopub message for this long after a reply, the kernel is asked again (before ipykernel 7.2)."""
IDLE_GRACE_S = 30.0
"""How long after its reply a kernel may take to say that it is idle."""
AGENT_GRACE_S = 3.0
AGENT = "_pytest_cells_agent"
LOAD_AGENT = (
    "__import__('sys').modules.setdefault({name!r}, __import__('types').ModuleType({name!r})) and "
    "__import__('builtins').exec(compile({source!r}, '<pytest-cells>', 'exec'), "
    "__import__('sys').modules[{name!r}].__dict__)"
)
ASK_AGENT = {"agent": f"__import__('sys').modules[{AGENT!r}].report()"}


class KernelLost(Exception):
    """The kernel is gone, or no longer makes sense; the text says how."""

    def __init__(self, ename: str, evalue: str) -> None:
        super().__init__(evalue)
        self.ename, self.evalue = ename, evalue


class Wire:
    """The sockets of one kernel. One request is under way at a time."""

    def __init__(self, client: Any, check_alive: Callable[[], None]) -> None:
        self._displays, self._widgets = Displays(), OutputWidgets()
        self._client, self._check_alive = client, check_alive
        """`check_alive` raises KernelLost where the process has ended."""
        self._agent = False
        client.start_channels(stdin=False, hb=False)
        self._poller = zmq.Poller()
        for channel in (client.shell_channel, client.iopub_channel):
            self._poller.register(channel.socket, zmq.POLLIN)

    def collector(self) -> OutputCollector:
        """Return what takes the outputs of one request."""
        return OutputCollector(self._displays, self._widgets)

    def wait_until_ready(self, deadline: float) -> None:
        """Wait for an answer on the shell and any word on iopub, which is then known to be connected."""
        self._client.kernel_info()
        replied = heard = 0.0
        while not (replied and heard):
            for channel, message in self._receive(SLICE_S):
                if channel == "shell" and message["msg_type"] == "kernel_info_reply":
                    replied = time.monotonic()
                elif channel == "iopub":
                    heard = time.monotonic()
            now = time.monotonic()
            if replied and not heard and now - replied > NUDGE_S:
                replied = 0.0
                self._client.kernel_info()
            if now > deadline:
                raise KernelLost("KernelTimeout", "it did not answer in time (cells_startup_timeout)")
            self._check_alive()

    def load_agent(self, source: str) -> None:
        """Start the agent inside the kernel; where that is not possible cells run all the same, unobserved."""
        code = LOAD_AGENT.format(name=AGENT, source=source)
        reply = self.answer(self.send(code, silent=True), self.collector(), time.monotonic() + 30)
        self._agent = reply is not None and reply.get("status") == "ok"

    def send(self, source: str, *, silent: bool = False, history: bool = True) -> str:
        """Ask for the execution of a source and return the request's id."""
        request: str = self._client.execute(
            source,
            silent=silent,
            store_history=history and not silent,
            user_expressions=ASK_AGENT if self._agent else None,
            allow_stdin=False,
            stop_on_error=False,
        )
        return request

    def answer(self, request: str, collector: OutputCollector, deadline: float | None) -> Json | None:
        """Collect until the reply and idle have come; None when the deadline passes before the reply."""
        reply: Json | None = None
        idle = False
        while reply is None or not idle:
            wait = SLICE_S if deadline is None else min(SLICE_S, max(deadline - time.monotonic(), 0))
            messages = self._receive(wait)
            for channel, message in messages:
                if message["parent_header"].get("msg_id") != request:
                    if message["msg_type"] == "update_display_data":
                        collector.add("update_display_data", message["content"])
                elif channel == "shell":
                    reply = message["content"]
                    deadline = time.monotonic() + IDLE_GRACE_S
                elif message["msg_type"] == "status":
                    idle = idle or message["content"].get("execution_state") == "idle"
                else:
                    collector.add(message["msg_type"], message["content"])
            if not messages:
                self._check_alive()
            if deadline is not None and time.monotonic() > deadline:
                if reply is not None:
                    raise KernelLost("KernelProtocolError", "the kernel answered, but never said that it was idle")
                return None
        return reply

    def _receive(self, wait_s: float) -> list[tuple[str, Json]]:
        """Return the messages that have come, waiting for the first one at most `wait_s` seconds."""
        found = []
        ready = dict(self._poller.poll(int(max(wait_s, 0) * 1000)))
        for name in ("iopub", "shell"):
            socket = getattr(self._client, f"{name}_channel").socket
            while socket in ready:
                try:
                    _, message = self._client.session.recv(socket, mode=zmq.NOBLOCK)
                except Exception as error:  # bytes that are no message: whatever the parser stumbles over
                    problem = f"the kernel sent something that is no message ({type(error).__name__}: {error})"
                    hint = "; does the cell replace parts of json or of the kernel itself?"
                    raise KernelLost("KernelProtocolError", problem + hint) from None
                if message is None:
                    break
                found.append((name, message))
        return found

    def agent_after_error(self) -> Json:
        """Ask the agent once more: a kernel evaluates no expressions after an error."""
        if not self._agent:
            return {}
        with contextlib.suppress(KernelLost):
            request = self.send("", silent=True)
            reply = self.answer(request, self.collector(), time.monotonic() + AGENT_GRACE_S)
            return agent_answer(reply or {})
        return {}

    def shutdown(self) -> None:
        """Send Jupyter's own request to end."""
        self._client.shutdown()

    def close(self) -> None:
        """Close the sockets."""
        self._client.stop_channels()


def agent_answer(reply: Json) -> Json:
    """Read the agent's answer; empty where there is none that can be read."""
    answer: Any = (reply.get("user_expressions") or {}).get("agent") or {}
    try:
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
    except (KeyError, TypeError, ValueError, SyntaxError):
        return {}
    return found if isinstance(found, dict) else {}
