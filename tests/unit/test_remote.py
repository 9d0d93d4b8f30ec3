from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest

from pytest_cells.kernels import remote
from pytest_cells.kernels.interrupts import Interrupts
from pytest_cells.kernels.remote import RemoteWire
from pytest_cells.kernels.wire import KernelLost
from pytest_cells.model import Json

REQUEST = "1"


class Channel(Queue):  # type: ignore[type-arg]
    """A gateway's channel."""

    response_router_finished = False


class Client:
    """A client whose kernel has said all that it will say as soon as it is asked."""

    def __init__(self, *told: tuple[str, Json], over: bool = False) -> None:
        self.iopub_channel, self.shell_channel = Channel(), Channel()
        self._told, self._over = told, over

    async def start_channels(self, **channels: bool) -> None:
        """Connect."""

    def execute(self, source: str, **how: Any) -> str:
        """Take a request, and answer it."""
        for name, message in self._told:
            getattr(self, f"{name}_channel").put(message)
        for channel in (self.iopub_channel, self.shell_channel):
            channel.response_router_finished = self._over
        return REQUEST


def message(kind: str, parent: str = REQUEST, **content: Any) -> Json:
    return {
        "header": {"msg_type": kind},
        "parent_header": {"msg_id": parent},
        "content": content,
        "metadata": {},
    }


def state(name: str, parent: str = REQUEST) -> tuple[str, Json]:
    return "iopub", message("status", parent, execution_state=name)


def printed(text: str, parent: str = REQUEST) -> tuple[str, Json]:
    return "iopub", message("stream", parent, name="stdout", text=text)


REPLY = ("shell", message("execute_reply", status="ok"))


def a_wire(client: Client, check: Callable[[], None] = lambda: None, max_bytes: int = 0) -> RemoteWire:
    wire = RemoteWire(client, check, Interrupts(), max_bytes, None)
    wire._ready = True
    return wire


def answered(wire: RemoteWire, deadline: float | None = None) -> tuple[Any, list[Json]]:
    """Return the reply to a request, and the outputs."""
    collector = wire.collector()
    reply = wire.answer(wire.send("x"), collector, deadline)
    return reply and reply.content["status"], collector.finished()


@pytest.mark.parametrize(
    "told",
    [
        [state("busy"), printed("a"), REPLY, state("idle")],
        [state("busy"), printed("a"), state("idle"), REPLY],
        [REPLY, printed("b", "0"), state("idle", "0"), printed("a"), state("idle")],
    ],
    ids=["reply-first", "idle-first", "of-others"],
)
def test_reply_and_idle_in_any_order(told: list[tuple[str, Json]]) -> None:
    """A request is done when its own reply and its own idle have both come."""
    status, outputs = answered(a_wire(Client(*told)))
    assert ("ok", ["a"]) == (status, [output["text"] for output in outputs])


def test_nothing_comes() -> None:
    """A deadline that passes before the reply gives none."""
    assert (None, []) == answered(a_wire(Client(state("busy"))), deadline=0.0)


@pytest.mark.parametrize("how", sorted(remote.ENDED))
def test_kernel_that_its_server_replaces(how: str) -> None:
    """Outputs that came before the kernel's end are kept; after it nothing is believed."""
    wire = a_wire(Client(state("busy"), printed("a"), state(how, "0"), state("idle"), REPLY))
    collector = wire.collector()
    request = wire.send("x")
    with pytest.raises(KernelLost, match=f"the kernel {remote.ENDED[how]}"):
        wire.answer(request, collector, None)
    assert ["a"] == [output["text"] for output in collector.finished()]
    with pytest.raises(KernelLost):
        wire.answer(request, collector, None)


def test_connection_that_is_lost() -> None:
    """What came before the end of the connection counts, and then its end."""
    wire = a_wire(Client(state("busy"), printed("a"), over=True))
    collector = wire.collector()
    with pytest.raises(KernelLost, match=remote.GONE):
        wire.answer(wire.send("x"), collector, None)
    assert ["a"] == [output["text"] for output in collector.finished()]


def test_connection_that_does_not_take_a_request() -> None:
    """A request that cannot be sent is the end of the kernel, not of the session."""
    client = Client()
    client.execute = lambda *given, **how: 1 / 0  # type: ignore[assignment, method-assign]
    with pytest.raises(KernelLost, match=f"{remote.GONE} .ZeroDivisionError: division by zero"):
        a_wire(client).send("x")


def test_the_manager_is_asked_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing comes, the manager tells whether the kernel lives."""

    def gone() -> None:
        raise KernelLost("KernelDied", "nobody knows it")

    monkeypatch.setattr(remote, "ASK_AGAIN_S", 0.0)
    with pytest.raises(KernelLost, match="nobody knows it"):
        answered(a_wire(Client(state("busy")), gone))


def test_flood() -> None:
    """Of too much output a note remains."""
    told = [printed("a" * 60), printed("b" * 60), printed("c"), REPLY, state("idle")]
    _, outputs = answered(a_wire(Client(*told), max_bytes=100))
    assert "left out" in outputs[-1]["text"]
    assert "bbb" not in str(outputs)
