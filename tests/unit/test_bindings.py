"""What the variables of a project's modules stand for."""

from __future__ import annotations

import functools
import types
from typing import Any

import pytest

from pytest_cells.in_kernel.bindings import Bindings

BEFORE = """
import functools
import math
def slow(): return 1
def fast(): return 5
class Engine:
    how = slow
    def run(self): return 1
@functools.lru_cache
def kept(): return 1
impl, op, log = slow, math.sin, math
"""
CHANGES = {
    "another function": "impl = fast",
    "another body": "def fast(): return 6",
    "a default": "def fast(k=2): return 5",
    "a builtin": "op = math.cos",
    "a module": "log = functools",
    "a method": "Engine.how = fast",
    "a base": "class Engine(Exception):\n    how = slow\n    def run(self): return 1",
    "what is cached": "@functools.lru_cache\ndef kept(): return 2",
    "one more": "more = slow",
    "one less": "del fast",
}


def code_digest(code: types.CodeType) -> bytes:
    """Return what stands for a code object here."""
    return code.co_code + repr(code.co_consts).encode()


def made(source: str, *more: str) -> dict[str, Any]:
    """Return the variables of a module."""
    variables: dict[str, Any] = {"__name__": "mod"}
    for part in (source, *more):
        exec(part, variables)
    return {name: value for name, value in variables.items() if name not in ("__name__", "__builtins__")}


def digest(variables: dict[str, Any], file: str = "/project/mod.py", project: str = "/project") -> str:
    """Return the digest of a module's variables."""
    return Bindings(code_digest, project).of("mod", (file, None, None, types.ModuleType), variables)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_counts(change: str) -> None:
    """Another function, class or module under a name is another digest; made again, it is the same one."""
    assert digest(made(BEFORE)) == digest(made(BEFORE))
    assert digest(made(BEFORE)) != digest(made(BEFORE, change))


def test_what_does_not_count() -> None:
    """Values are walked by themselves; the order in which names were bound, and where the project is, tell nothing."""
    assert digest(made(BEFORE)) == digest(made(BEFORE, "count = [1]"))
    again = made(BEFORE, "f = slow\ndel slow\nslow = f\ndel f")
    assert digest(made(BEFORE)) == digest(again)
    assert digest(again, "/elsewhere/mod.py", "/elsewhere") == digest(again)
    assert digest(again, "/project/lib/mod.py") != digest(again)


def test_code_is_looked_into_once() -> None:
    """As long as the same code is there the very same digest comes back, and no code is digested again."""
    asked = []
    bindings = Bindings(lambda code: asked.append(code) or code_digest(code), "/project")
    variables = made(BEFORE)
    first = bindings.of("mod", (None, None, None, types.ModuleType), variables)
    count = len(asked)
    assert first is bindings.of("mod", (None, None, None, types.ModuleType), variables)
    assert count == len(asked) > 0


class _Odd:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


def test_odd_objects() -> None:
    """What cannot be told is told as odd, and nothing is raised."""

    @functools.lru_cache
    def alone() -> None:
        pass

    del alone.__wrapped__  # type: ignore[attr-defined]

    @functools.lru_cache
    def around() -> None:
        pass

    around.__wrapped__ = around  # type: ignore[attr-defined]
    nameless = types.ModuleType("x")
    del nameless.__dict__["__name__"]
    odd = {"a": _Odd(), "b": alone, "c": around, "d": nameless, "e": list[int], "f": _Odd}
    assert digest(odd) == digest(odd)
