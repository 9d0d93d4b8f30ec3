"""What the walk of a value writes, and what stands on its stack beside the values: runs inside the kernel."""

from collections.abc import Callable
from typing import Any

from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

# marshal's own begin with a printable character.
AGAIN, ELSEWHERE, CUT, BY_NAME, MODULE = b"\x02", b"\x03", b"\x04", b"\x05", b"\x06"
SEQUENCE, RECORDS, MAPPING, SET, TYPE = b"\x07", b"\x08", b"\x09", b"\x0a", b"\x0b"
FUNCTION, CLASS, STATE, REDUCED, CODE = b"\x0c", b"\x0d", b"\x0e", b"\x0f", b"\x10"
CELL, EMPTY_CELL, METHOD, BUILTIN, NAMESPACE = b"\x11", b"\x12", b"\x13", b"\x14", b"\x15"
ERROR, VIEW, MEMBER, TYPE_VARIABLE, ITS_OWN = b"\x16", b"\x17", b"\x18", b"\x19", b"\x1a"


class Opaque(Exception):
    """Raised inside the walk where a value has no digest; the text says why."""


class Token:
    """Stands on the stack for bytes that are to be written at their turn."""

    __slots__ = ("content",)

    def __init__(self, content: bytes) -> None:
        self.content = content


class Items:
    """Stands on the stack for a list that is the walk's own: its items are walked, it is no object of the user's."""

    __slots__ = ("content",)

    def __init__(self, content: "list[Any]") -> None:
        self.content = content


class SetItems:
    """Stands on the stack for the items of a set."""

    __slots__ = ("content",)

    def __init__(self, content: "list[Any]") -> None:
        self.content = content


class LeftOut:
    """Stands on the stack for what pickling leaves out of an error."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def refusal(why: str) -> "Callable[[Any], None]":
    """Return what writes values that have no digest: it raises Opaque."""

    def refuse(_: Any) -> None:
        raise Opaque(why)

    return refuse
