"""Ambient state is seen to change, by the numbers of dictionaries or by what they hold."""

import collections
import decimal
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cells.in_kernel import dict_numbers
from pytest_cells.in_kernel.slots import START, _Decimal, _Shell


def function(value: Any) -> str:
    """Show a value as nobody does."""
    return ""


@pytest.fixture(params=["numbers", "objects"])
def shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Lend what a shell is, as far as its state goes."""
    if request.param == "objects":
        monkeypatch.setattr(dict_numbers, "readers", lambda _: None)
    plain = SimpleNamespace(type_printers={}, singleton_printers={}, deferred_printers={})
    plain._trait_values = {"enabled": True, "float_precision": ""}
    return SimpleNamespace(
        _trait_values={"autocall": 0},
        display_formatter=SimpleNamespace(formatters={"text/plain": plain}),
        magics_manager=SimpleNamespace(magics={"line": {}, "cell": {}}),
        extension_manager=SimpleNamespace(loaded=set()),
    )


CHANGES: dict[str, Callable[[Any], Any]] = {
    "printer": lambda shell: shell.display_formatter.formatters["text/plain"].type_printers.update({int: function}),
    "magic": lambda shell: shell.magics_manager.magics["cell"].update(mine=function),
    "other magics": lambda shell: setattr(shell.magics_manager, "magics", {"line": {"mine": function}}),
    "extension": lambda shell: shell.extension_manager.loaded.add("ext"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_shows_things_and_magics(shell: SimpleNamespace, change: Callable[[Any], Any]) -> None:
    slot = _Shell(shell)
    slot.start()
    assert not slot.look()
    change(shell)
    assert slot.look()
    assert slot.version != START
    assert not slot.look()


@pytest.mark.parametrize("kind", [collections.UserDict, collections.ChainMap])
def test_magics_in_something_else_than_a_dictionary(shell: SimpleNamespace, kind: Callable[[Any], Any]) -> None:
    """It has no number."""
    shell.magics_manager.magics["line"] = kind({"first": 1})
    slot = _Shell(shell)
    slot.start()
    shell.magics_manager.magics["line"]["mine"] = function
    assert slot.look()


@pytest.fixture
def context() -> Iterator[decimal.Context]:
    """Lend a context of decimal's that stands for the current one."""
    with decimal.localcontext() as found:
        yield found


CONTEXTS: dict[str, Callable[[decimal.Context], Any]] = {
    "precision": lambda context: setattr(context, "prec", 5),
    "rounding": lambda context: setattr(context, "rounding", decimal.ROUND_UP),
    "capitals": lambda context: setattr(context, "capitals", 0),
    "flag": lambda context: context.divide(1, 3),
    "trap": lambda context: context.traps.update({decimal.Inexact: True}),
}


@pytest.mark.parametrize("change", CONTEXTS.values(), ids=CONTEXTS)
@pytest.mark.parametrize("module", ["decimal", "_pydecimal"])
def test_context_of_decimal(
    context: decimal.Context, change: Callable[[Any], Any], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if module != "decimal":  # as it is where there is no compiled one
        monkeypatch.setitem(sys.modules, "decimal", importlib.import_module(module))
        context = sys.modules["decimal"].getcontext()
    slot = _Decimal()
    slot.start()
    context.clear_flags()
    slot.look()
    change(context)
    assert slot.look()
    assert not slot.look()


def test_a_class_of_the_notebook_in_decimal_s_place_is_not_asked_to_show_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It could show what it likes, and do so."""

    class Context(decimal.Context):
        def __repr__(self) -> str:
            raise AssertionError

    slot = _Decimal()
    slot.start()
    module = types.ModuleType("decimal")
    module.getcontext = lambda: Context(prec=7)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "decimal", module)
    assert slot.look()
    assert not slot.look()
