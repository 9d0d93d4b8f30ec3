"""One request through a client whose channels are no zmq sockets: a gateway's websocket, say.

There is nothing to poll together. The client's channels are waited for one at a time, in the order in which messages
can be expected, and its manager is asked now and then whether the kernel still lives.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any

import msgspec

from pytest_cells.kernels.interrupts import Interrupts
from pytest_cells.kernels.outputs import OUTPUTS, Displays, OutputWidgets
from pytest_cells.kernels.waiting import REQUEST_S, wait_for_call
from pytest_cells.kernels.wire import KernelLost, Message, Wire
from pytest_cells.model import Json

ASK_AGAIN_S = 1.0
"""How long nothing may come before the manager is asked whether the kernel lives, and before it is asked again."""
ENDED = {
    "restarting": "died, and its server has started another one in its place",
    "starting": "was replaced by another one, which starts anew",
    "dead": "died, as its server tells",
}
"""What states say, that a server tells of a kernel which was ready, of that kernel."""
GONE = "there is no connection to the kernel"


class RemoteMessage(Message):
    """A message that the client has read already."""

    def __init__(self, whole: Json) -> None:
        self.whole = whole
        self.kind = str(whole["header"]["msg_type"])
        self.parent = (whole.get("parent_header") or {}).get("msg_id")
        self.size = len(msgspec.json.encode(whole["content"])) if self.kind in OUTPUTS else 0


class RemoteWire(Wire):
    """The channels of one kernel that is elsewhere. One request is under way at a time."""

    def __init__(
        self,
        client: Any,
        check_alive: Callable[[], None],
        interrupts: Interrupts,
        max_output_bytes: int,
        stop: Callable[[], None] | None,
    ) -> None:
        """Connect. `stop` ends the kernel, where its own shutdown request would only get it restarted."""
        self._displays, self._widgets = Displays(), OutputWidgets()
        self._client, self._check_alive = _Waiting(client), self._check_now_and_then
        self._interrupts = interrupts
        self._ask, self._asked = check_alive, time.monotonic()
        self._max_output_bytes, self._end_told_by = max_output_bytes, None
        self._stop, self._begun, self._idle_after, self.ended = stop, "", "", None
        self._ready = self._ipython = self._idle = self._agent_loaded = False
        self._ended: KernelLost | None = None
        self._client.start_channels(hb=False)
        self._channels = {"iopub": client.iopub_channel, "shell": client.shell_channel}

    def wait_until_ready(self, deadline: float) -> None:
        """Wait for an answer on both channels, and start the agent where the kernel turns out to be Python's."""
        super().wait_until_ready(deadline)
        self._ready = True
        if self._ipython:
            self.load_agent()

    def load_agent(self) -> None:
        """Start the agent inside the kernel, once."""
        if not self._agent_loaded:
            self._agent_loaded = True
            super().load_agent()

    def send(self, source: str, *, silent: bool = False, history: bool = True, wishes: Json | None = None) -> str:
        """Ask for the execution of a source and return the request's id; cells elsewhere are not observed."""
        self._idle = False
        return super().send(source, silent=silent, history=history)

    def shutdown(self) -> None:
        """Let the kernel be ended by whoever started it."""
        (self._stop or super().shutdown)()

    def _check_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._asked > ASK_AGAIN_S:
            self._ask()
            self._asked = time.monotonic()

    def _receive(self, wait_s: float) -> list[tuple[str, Message]]:
        """Return the messages that have come, waiting for the first one at most `wait_s` seconds."""
        if self._ended is not None:
            raise self._ended
        found: list[tuple[str, Message]] = []
        for name in self._channels:
            while self._ended is None and (told := self._next(name, 0)) is not None:
                self._take(name, told, found)
        if not found and self._ended is None:
            expected = "shell" if self._idle else "iopub"
            told = self._next(expected, max(wait_s, 0))
            if told is not None:
                self._take(expected, told, found)
        if found:
            self._asked = time.monotonic()
        elif self._ended is not None:
            raise self._ended
        return found

    def _take(self, name: str, told: Json, found: list[tuple[str, Message]]) -> None:
        """Keep a message, unless it tells of the kernel's end."""
        message = RemoteMessage(told)
        if message.kind == "kernel_info_reply":
            self._ipython = message.content.get("implementation") == "ipython"
        state = message.content.get("execution_state") if message.kind == "status" else None
        if self._ready and state in ENDED:
            self._ended = KernelLost("KernelDied", f"the kernel {ENDED[state]}; how it ended is not known")
            return
        self._idle = name == "iopub" and (state == "idle" or self._idle)
        found.append((name, message))

    def _next(self, name: str, wait_s: float) -> Json | None:
        """Return the next message of a channel, or None; note where none can come any more."""
        channel = self._channels[name]
        try:
            if not isinstance(channel, Queue):
                return dict(wait_for_call(channel.get_msg, REQUEST_S, timeout=wait_s))
            # a gateway's: its own `get_msg` waits by asking without a pause
            over = getattr(channel, "response_router_finished", False)
            told: Json = channel.get(timeout=wait_s) if wait_s and not over else channel.get_nowait()
        except Empty:
            if isinstance(channel, Queue) and over:
                self._ended = KernelLost("KernelDied", GONE)
            return None
        except Exception as error:  # whatever the client stumbles over
            self._ended = KernelLost("KernelDied", f"{GONE} ({type(error).__name__}: {error})")
            return None
        return told


class _Waiting:
    """A client whose methods are called where asynchronous ones can be, and tell the loss of the connection as such."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        async def inside(*args: Any, **keywords: Any) -> Any:
            found = method(*args, **keywords)
            return await found if inspect.isawaitable(found) else found

        def call(*args: Any, **keywords: Any) -> Any:
            try:
                return wait_for_call(inside, REQUEST_S, *args, **keywords)
            except Exception as error:
                problem = str(error).partition(" -+-+- ")[0]  # websocket-client adds the whole answer
                raise KernelLost("KernelDied", f"{GONE} ({type(error).__name__}: {problem})") from None

        return call
