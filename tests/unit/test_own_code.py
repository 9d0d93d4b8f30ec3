"""What functions and classes of a project's modules can hold beside their text."""

from __future__ import annotations

import enum
import functools
from typing import Any, ClassVar

import pytest

from pytest_cells.in_kernel.own_code import OwnCode, holds, inside, is_used


def plain(x: int, y: str = "a") -> str:
    return y * x


def with_default(x: int, seen: dict[int, int] = {}) -> int:  # noqa: B006
    return seen.setdefault(x, x)


def with_attribute() -> None:
    pass


with_attribute.calls = 0  # type: ignore[attr-defined]


def made() -> Any:
    seen: list[int] = []
    return lambda x: seen.append(x)


@functools.lru_cache
def cached(x: int) -> int:
    return x


class Plain:
    """Nothing but text."""

    def method(self) -> int:
        return 1

    @property
    def value(self) -> int:
        return 1


class Counting:
    """Counts up a number."""

    made = 0


class WithTable:
    """Holds a dict."""

    table: ClassVar[dict[str, int]] = {}


class WithMethod:
    """Has a method that remembers."""

    @classmethod
    def method(cls, seen: list[int] = []) -> None:  # noqa: B006
        seen.append(1)


class Outer:
    """Has a class in it that holds something."""

    class Inner:
        """Counts up a number."""

        made = 0


class Colour(enum.Enum):
    """Python's own notes are all that it holds."""

    RED = 1


@pytest.mark.parametrize("code", [plain, Plain, Colour, int.__add__.__class__])
def test_what_holds_nothing(code: Any) -> None:
    """Code that can remember nothing is no state: it is in a file."""
    assert not holds(code)


@pytest.mark.parametrize("code", [with_default, with_attribute, made(), cached, Counting, WithTable, WithMethod, Outer])
def test_what_holds_something(code: Any) -> None:
    """Code that can remember something, in whatever way, is state."""
    assert holds(code)


def test_what_is_inside() -> None:
    """What is held is given as it is, and code in it to be looked into in turn."""
    assert any(part is with_default.__defaults__ for part in inside(with_default))
    assert ["table", WithTable.table] == inside(WithTable)
    key, method = inside(WithMethod)
    assert "method" == key
    assert isinstance(method, OwnCode)
    assert method.content is WithMethod.__dict__["method"].__func__


def test_a_cache_is_used_once_it_was_called() -> None:
    """As long as nobody has called it, there is nothing in it."""
    assert not is_used(cached)
    cached(1)
    assert is_used(cached)
    cached.cache_clear()
    assert not is_used(cached)
