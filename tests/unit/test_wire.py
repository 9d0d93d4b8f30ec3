"""What is made of a kernel's messages, in whatever order two sockets give them."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cells import in_kernel
from pytest_cells.kernels import wire as wire_module
from pytest_cells.kernels.interrupts import Interrupts
from pytest_cells.kernels.wire import Wire

REPLY = ("shell", SimpleNamespace(kind="execute_reply", parent="one", content={"status": "ok"}))
BEGUN, IDLE, ENDED = (
    ("iopub", SimpleNamespace(kind=kind, parent="one", content=content, size=0))
    for kind, content in (
        ("execute_input", {}),
        ("status", {"execution_state": "idle"}),
        (in_kernel.AGENT_MODULE, {}),
    )
)


def a_wire(monkeypatch: pytest.MonkeyPatch, *batches: list[Any]) -> Wire:
    """Return a wire on which these messages come, some at a time, and then nothing."""
    left = list(batches)
    wire = Wire.__new__(Wire)
    wire._begun, wire._idle_after = "", ""
    wire._interrupts, wire._check_alive = Interrupts(), lambda: None
    monkeypatch.setattr(wire, "_receive", lambda wait_s: left.pop(0) if left else [])
    monkeypatch.setattr(wire_module, "_collect", lambda collector, message: None)
    return wire


def begun_and_answered(wire: Wire) -> Any:
    """Wait until the request has begun, and then for its answer; return the reply."""
    collector: Any = None
    reply = wire.wait_until_begun("one", collector, time.monotonic() + 60)
    return reply or wire.answer("one", collector, time.monotonic() + 60)


@pytest.mark.parametrize(
    "batches",
    [
        ([BEGUN], [REPLY], [IDLE]),
        ([BEGUN, IDLE], [REPLY]),
        ([BEGUN, REPLY], [IDLE]),
        ([REPLY], [BEGUN, IDLE]),
        ([BEGUN, ENDED], [IDLE], [REPLY]),
    ],
)
def test_nothing_is_missed_once_a_request_has_begun(monkeypatch: pytest.MonkeyPatch, batches: Any) -> None:
    """The word that the kernel is idle counts also where it comes with the first one, before the reply."""
    wire = a_wire(monkeypatch, *batches)
    assert begun_and_answered(wire).content == {"status": "ok"}
    assert (ENDED in batches[0]) is (wire.ended is not None)
