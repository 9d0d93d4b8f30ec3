"""What a cell leaves behind in the event loop, which is called when the cell has ended."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pytest

from pytest_cells.in_kernel.leftovers import Leftovers


def draw(*given: object) -> None:
    """Stand for what a notebook has called."""


def hand_over(call: Any) -> None:
    """Do what tornado does with a callback: `_run_callback` is its own."""
    call()


hand_over.__module__ = "tornado.platform.asyncio"


def done_soon(loop: asyncio.AbstractEventLoop) -> None:
    future = loop.create_future()
    future.add_done_callback(draw)
    future.set_result(1)


def called_off(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(draw).cancel()
    loop.call_later(9, draw).cancel()


@pytest.mark.parametrize(
    ("leave", "told"),
    [
        (lambda loop: loop.call_soon(draw), True),
        (lambda loop: loop.call_later(9, draw), True),
        (lambda loop: loop.call_soon(functools.partial(draw, 1)), True),
        (lambda loop: loop.call_soon(hand_over, functools.partial(draw, 1)), True),
        (lambda loop: loop.call_soon(hand_over, draw), True),
        (done_soon, True),
        (called_off, False),
        (lambda loop: loop.call_soon(hand_over, 1), False),
        (lambda loop: None, False),
    ],
    ids=["soon", "later", "partial", "tornado's", "given", "future", "called off", "kernel's", "nothing"],
)
def test_calls_to_come(leave: Callable[[asyncio.AbstractEventLoop], object], told: bool) -> None:  # noqa: FBT001
    """What is to be called as soon as the cell has ended is told, whoever hands it on; the kernel's own is not."""

    async def cell() -> list[str]:
        leftovers = Leftovers(None, lambda file: True)
        leave(asyncio.get_running_loop())
        return leftovers._tasks()

    assert (["a call is still to come: draw"] if told else []) == asyncio.run(cell())
