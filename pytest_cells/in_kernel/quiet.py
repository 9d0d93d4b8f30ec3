"""Let nothing that the agent does for itself warn, nor set off Python's garbage collector: runs inside the kernel."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from .versions import PRIVATE_BUILTINS, collector

__builtins__ = PRIVATE_BUILTINS

Result = TypeVar("Result")
_collecting, _pause, _resume = collector.isenabled, collector.disable, collector.enable


def quietly(do: "Callable[..., Result]", *given: Any) -> "Result":
    """Call a function and show no warning meanwhile. Raises what it raises.

    It is the list of filters that is replaced: `warnings.catch_warnings` would let Python forget what it has shown.
    """
    warnings: Any = sys.modules.get("warnings")
    if warnings is None:
        return do(*given)
    filters = getattr(warnings, "filters", None)
    warnings.filters = [("ignore", None, Warning, None, 0)]  # without a new version of the filters
    try:
        return do(*given)
    finally:
        warnings.filters = filters


def uncollected(do: "Callable[..., Result]", *given: Any, **named: Any) -> "Result":
    """Call a function and let nothing be collected meanwhile, as finalizers of the notebook would run; likewise."""
    collecting = _collecting()
    _pause()
    try:
        return do(*given, **named)
    finally:
        if collecting:
            _resume()
