"""One request over a kernel's sockets: messages go out and come in, until its reply and idle have come.

The sockets and the process are polled in one loop, so that a death is seen at once and nothing waits for an
answer that cannot come.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import zmq

from pytest_cells import in_kernel
from pytest_cells.kernels.interrupts import Interrupts
from pytest_cells.kernels.outputs import OUTPUTS, Displays, OutputCollector, OutputWidgets
from pytest_cells.kernels.processes import SLICE_S
from pytest_cells.model import Json

NUDGE_S = 0.25
"""Without an iopub message for this long after a reply, the kernel is asked again (before ipykernel 7.2)."""
IDLE_GRACE_S = 30.0
"""How long after its reply a kernel may take to say that it is idle."""
AGENT_GRACE_S = 30.0
OBSERVING_S = 60.0
"""How long the agent may take, once a cell has ended, to tell what it observed: that is none of the cell's time."""
MOST_AT_ONCE = 200
"""How many messages of one socket are taken before time and process are looked at again."""
LAST_WORDS_S = 0.02
"""How long what a kernel sent before it died may be under way."""
LOAD_AGENT = (
    "__import__('sys').modules.setdefault({name!r}, __import__('types').ModuleType({name!r})) and "
    "__import__('builtins').exec(compile({source!r}, '<pytest-cells>', 'exec'), "
    "__import__('sys').modules[{name!r}].__dict__)"
)
DELIMITER = b"<IDS|MSG>"
PROTOCOL = "5"
"""The major version of Jupyter's protocol that is read here; jupyter_client translates others."""


class KernelLost(Exception):
    """The kernel is gone, or no longer makes sense; the text says how."""

    def __init__(self, ename: str, evalue: str) -> None:
        super().__init__(evalue)
        self.ename, self.evalue = ename, evalue


class Message:
    """One message. Its content is read when it is asked for: one that is too large never is."""

    def __init__(self, session: Any, parts: list[Any]) -> None:
        self._session, self._parts = session, parts
        header = _decoded(session, parts[1].bytes)
        self.size = len(parts[4])
        """Bytes of the content."""
        self.kind = str(header["msg_type"])
        self.whole: Json | None = None
        if str(header.get("version", "")).partition(".")[0] != PROTOCOL:
            self.whole = session.deserialize([part.bytes for part in parts])
            self.kind = str(self.whole["msg_type"])
        self.parent = (self.whole["parent_header"] if self.whole else _decoded(session, parts[2].bytes)).get("msg_id")

    @property
    def content(self) -> Json:
        """The content. Raises ValueError where the signature is wrong."""
        if self.whole is None:
            parts = [part.bytes for part in self._parts[:5]]
            if self._session.auth is not None and self._session.sign(parts[1:]) != parts[0]:
                raise ValueError("its signature is wrong")
            content = _decoded(self._session, parts[4])
            self.whole = {"content": content, "metadata": _decoded(self._session, parts[3])}
        found: Json = self.whole["content"]
        return found

    @property
    def metadata(self) -> Json:
        """The metadata."""
        assert self.content is not None and self.whole is not None
        found: Json = self.whole.get("metadata") or {}
        return found


class Wire:
    """The sockets of one kernel. One request is under way at a time."""

    def __init__(
        self,
        client: Any,
        check_alive: Callable[[], None],
        interrupts: Interrupts,
        end_told_by: int | None,
        max_output_bytes: int,
    ) -> None:
        self._displays, self._widgets = Displays(), OutputWidgets()
        self._client, self._check_alive, self._interrupts = client, check_alive, interrupts
        """`check_alive` raises KernelLost where the process has ended."""
        self._max_output_bytes = max_output_bytes
        self.ended: float | None = None
        """When the last cell ended (monotonic), where the agent told that before the reply."""
        self._begun = ""
        """The last request of which the kernel has told more than that it is busy."""
        self._idle_after = ""
        """The last request of which it has told that it is idle again."""
        client.start_channels(stdin=False, hb=False)
        self._sockets = {"iopub": client.iopub_channel.socket, "shell": client.shell_channel.socket}
        self._poller = zmq.Poller()
        for channel in self._sockets.values():
            self._poller.register(channel, zmq.POLLIN)
        self._end_told_by = end_told_by
        if end_told_by is not None:
            self._poller.register(end_told_by, zmq.POLLIN)

    def collector(self) -> OutputCollector:
        """Return what takes the outputs of one request."""
        return OutputCollector(self._displays, self._widgets, self._max_output_bytes)

    def wait_until_ready(self, deadline: float) -> None:
        """Wait for an answer on the shell and any word on iopub, which is then known to be connected."""
        self._client.kernel_info()
        replied = heard = 0.0
        while not (replied and heard):
            for channel, message in self._receive(SLICE_S):
                if channel == "shell" and message.kind == "kernel_info_reply":
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

    def load_agent(self) -> None:
        """Start the agent inside the kernel; where that is not possible cells run all the same, unobserved."""
        source = in_kernel.AGENT.read_text(encoding="utf-8")
        code = LOAD_AGENT.format(name=in_kernel.AGENT_MODULE, source=source)
        self.answer(self.send(code, silent=True), self.collector(), time.monotonic() + AGENT_GRACE_S)

    def send(self, source: str, *, silent: bool = False, history: bool = True, wishes: Json | None = None) -> str:
        """Ask for the execution of a source and return the request's id; `wishes` are for the agent."""
        asked = {
            "silent": silent,
            "store_history": history and not silent,
            "allow_stdin": False,
            "stop_on_error": False,
        }
        if wishes is None:
            request: str = self._client.execute(source, **asked)
            return request
        content = {"code": source, "user_expressions": {}, **asked}
        message = self._client.session.msg("execute_request", content, metadata={in_kernel.AGENT_MODULE: wishes})
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def wait_until_begun(self, request: str, collector: OutputCollector, deadline: float) -> Message | None:
        """Collect until the kernel says that it executes the request; return the reply, if even that has come.

        An interrupt that a kernel gets before that is lost.
        """
        if self._begun == request:
            return None
        return self.answer(request, collector, deadline, until_begun=True)

    def answer(
        self, request: str, collector: OutputCollector, deadline: float | None, *, until_begun: bool = False
    ) -> Message | None:
        """Collect until the reply and idle have come; None when the deadline passes before the reply."""
        reply: Message | None = None
        lost: KernelLost | None = None
        self.ended = None
        while reply is None or self._idle_after != request:
            if reply is None:
                self._interrupts.raise_if_seen()
            wait = SLICE_S if deadline is None else min(SLICE_S, max(deadline - time.monotonic(), 0))
            messages = self._receive(wait if lost is None else LAST_WORDS_S)
            try:
                for channel, message in messages:
                    if message.parent != request:
                        if message.kind == "update_display_data":
                            _collect(collector, message)
                    elif channel == "shell":
                        _ = message.content  # read now, so that what is wrong with it is seen here
                        reply = message
                        deadline = time.monotonic() + IDLE_GRACE_S
                    elif message.kind == in_kernel.AGENT_MODULE:
                        self.ended = time.monotonic()
                        deadline = self.ended + OBSERVING_S
                    elif message.kind == "status":
                        if message.content.get("execution_state") == "idle":
                            self._idle_after = request
                    else:
                        self._begun = request
                        _collect(collector, message)
            except Exception as error:  # content that is no message: whatever the parser stumbles over
                raise _senseless(error) from None
            if until_begun and self._begun == request and reply is None and self.ended is None:
                return None
            if not messages:
                if lost is not None:
                    raise lost
                lost = self._death()
            if deadline is not None and time.monotonic() > deadline:
                if reply is not None:
                    raise KernelLost("KernelProtocolError", "the kernel answered, but never said that it was idle")
                return None
        return reply

    def _death(self) -> KernelLost | None:
        """Return the kernel's end, if that has come. From then on only the sockets are polled."""
        try:
            self._check_alive()
        except KernelLost as lost:
            if self._end_told_by is not None:
                self._poller.unregister(self._end_told_by)
                self._end_told_by = None
            return lost
        return None

    def _receive(self, wait_s: float) -> list[tuple[str, Message]]:
        """Return the messages that have come, waiting for the first one at most `wait_s` seconds."""
        found = []
        ready = dict(self._poller.poll(int(max(wait_s, 0) * 1000)))
        for name, channel in self._sockets.items():
            for _ in range(MOST_AT_ONCE if channel in ready else 0):
                try:
                    frames = channel.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    break
                try:
                    start = next(n for n, frame in enumerate(frames) if frame.bytes == DELIMITER)
                    found.append((name, Message(self._client.session, frames[start + 1 :])))
                except Exception as error:  # bytes that are no message
                    raise _senseless(error) from None
        return found

    def shutdown(self) -> None:
        """Send Jupyter's own request to end."""
        self._client.shutdown()

    def close(self) -> None:
        """Close the sockets."""
        self._client.stop_channels()


def agent_answer(reply: Message) -> Json:
    """Read what the agent adds to a reply; empty where there is none that can be read."""
    try:
        found = json.loads(reply.metadata[in_kernel.AGENT_MODULE])
    except (KeyError, TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _collect(collector: OutputCollector, message: Message) -> None:
    if message.kind in OUTPUTS and not collector.has_room(message.size):
        collector.leave_out(message.size)
    else:
        collector.add(message.kind, message.content, message.size)


def _senseless(error: Exception) -> KernelLost:
    problem = f"the kernel sent something that is no message ({type(error).__name__}: {error})"
    return KernelLost("KernelProtocolError", problem + "; does the cell replace parts of json or of the kernel itself?")


def _decoded(session: Any, content: bytes) -> Json:
    try:
        found: Json = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):  # NaN, or bytes that are no UTF-8: jupyter_client is lenient
        found = session.unpack(content)
    return found
