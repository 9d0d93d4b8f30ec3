"""Wait for what asynchronous code of others does, and never for ever."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

REQUEST_S = 10.0
"""How long a manager or a client may take for a small request: whether a kernel lives, to interrupt it, to end it."""


def wait_for_call(function: Callable[..., Any], limit_s: float, *args: Any, **keywords: Any) -> Any:
    """Call a function, asynchronous or not, and return what it gives.

    Raises asyncio.TimeoutError where an asynchronous one takes longer than `limit_s`.
    """
    if not inspect.iscoroutinefunction(function):
        return function(*args, **keywords)
    from jupyter_client.utils import run_sync  # 0.1 s, not for every run

    async def call() -> Any:
        return await asyncio.wait_for(function(*args, **keywords), limit_s)

    return run_sync(call)()
