"""Waits for what other processes do, by what the system tells of them."""

import os
import select


def wait_for_end(process: int) -> bool:
    """Wait until a process, given by its own descriptor, has ended; close that, and tell whether it has."""
    watch = select.poll()
    watch.register(process, select.POLLIN)
    ended = bool(watch.poll(10_000))
    os.close(process)
    return ended
