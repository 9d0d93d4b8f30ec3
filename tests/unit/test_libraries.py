"""A library that is changed is noticed, by whatever way that was done; what it does for itself is not."""

import abc
import collections.abc
import functools
import json
import sys
import types
from unittest import mock

import pytest

from pytest_cells.in_kernel import dict_numbers
from pytest_cells.in_kernel.classes import identity
from pytest_cells.in_kernel.libraries import Libraries
from pytest_cells.in_kernel.reducers import Shared


@pytest.fixture
def library(monkeypatch):
    """Lend a module with a class, as if it was installed."""
    module = types.ModuleType("cells_unit_library")
    source = "class Thing:\n    size = 1\n    def grow(self): ...\nlimit = 1\n_cache = None\nnames = []\n"
    exec(source, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.fixture(params=["numbers", "objects"])
def watched(request, library, monkeypatch):
    """Watch it, by the numbers of dictionaries and, where there are none, by what they hold."""
    if request.param == "objects":
        monkeypatch.setattr(dict_numbers, "readers", lambda _: None)
    found = Libraries(lambda name: name == "cells_unit_own")
    assert [] == found.changes()
    return found


def test_what_modules_hold_is_known_to_snapshots(watched, library, monkeypatch):
    """Values, methods and dictionaries of modules that are watched, also of changed ones, and of all others."""
    own: list[int] = []
    shared = Shared({}, watched)
    assert watched.watches(library.__dict__)
    assert shared.holds([library.names]) and shared.holds([library.__dict__]) and shared.holds([own, library.names])
    assert not shared.holds([own]) and not shared.holds(["text", 1, (), int])
    library.limit, library.grow = own, library.names.append
    assert ["limit", "grow"] == [told.rpartition(".")[2] for told in watched.changes()]
    unwatched = types.ModuleType("cells_unit_unwatched")
    unwatched.inside = ["inside"]
    monkeypatch.setitem(sys.modules, unwatched.__name__, unwatched)
    assert not watched.watches(unwatched.__dict__)
    shared = Shared({}, watched)
    for value in (own, library.grow, library.names, unwatched.inside, unwatched.__dict__):
        assert shared.holds([value])
    assert not shared.holds([["of nobody"]])


def test_a_module_in_the_place_of_another(watched, library, monkeypatch):
    """It is watched like the one before, which has the same name, where it is told that there is one."""
    other = types.ModuleType(library.__name__)
    other.limit = 1
    monkeypatch.setitem(sys.modules, library.__name__, other)
    watched.take_in(anew=True)
    assert [] == watched.changes()
    other.limit = 2
    assert ["it changes cells_unit_library.limit"] == watched.changes()


@pytest.mark.parametrize("more", [0, 20])
def test_what_is_set_and_restored_at_every_cell_is_watched_all_the_same(watched, library, monkeypatch, more):
    """As IPython does with `sys` and `builtins`, and also where there are more of them than are always looked into."""
    others = [types.ModuleType(f"cells_unit_other{number}") for number in range(more)]
    for other in others:
        monkeypatch.setitem(sys.modules, other.__name__, other)
    watched.take_in()
    for _ in range(3):
        for module in (*others, library):
            module.limit, kept = 2, getattr(module, "limit", 1)
            module.limit = kept
        assert [] == [told for told in watched.changes() if "_other" not in told]
    library.limit = 3
    assert ["it changes cells_unit_library.limit"] == watched.changes()
    assert [] == watched.changes()
    library.extra = 1
    del library.limit
    assert {"limit", "extra"} == {told.rpartition(".")[2] for told in watched.changes()}
    library.limit = 3
    assert ["it changes cells_unit_library.limit"] == watched.changes()


@pytest.mark.parametrize("elsewhere", [False, True])
def test_what_is_gone_has_no_home(watched, library, elsewhere):
    """Its number may be that of the notebook's own next list; what something else holds is still the library's."""
    number = identity(library.names)
    holder = [library.names] if elsewhere else []
    assert library.__name__ == watched.homes[number]
    library.names = None
    assert ["it changes cells_unit_library.names"] == watched.changes()
    assert (number in watched.homes) == bool(holder)


CHANGES = {
    "attribute": (lambda library: setattr(library, "limit", 2), "limit"),
    "new attribute": (lambda library: setattr(library, "new", 2), "new"),
    "removed": (lambda library: delattr(library, "limit"), "limit"),
    "dictionary": (lambda library: library.__dict__.update(limit=3), "limit"),
    "patcher": (lambda library: mock.patch.object(library, "limit", 3).start(), "limit"),
    "partial": (lambda library: functools.partial(setattr, library, "limit")(3), "limit"),
    "map": (lambda library: list(map(setattr, [library], ["limit"], [3])), "limit"),
    "class": (lambda library: setattr(library.Thing, "size", 3), "Thing.size"),
    "method": (lambda library: setattr(library.Thing, "grow", len), "Thing.grow"),
    "new in a class": (lambda library: setattr(library.Thing, "new", 3), "Thing.new"),
    "type": (lambda library: type.__setattr__(library.Thing, "size", 3), "Thing.size"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes(watched, library, name):
    """Each change is told once."""
    change, where = CHANGES[name]
    change(library)
    assert [f"it changes cells_unit_library.{where}"] == watched.changes()
    assert [] == watched.changes()


@pytest.mark.parametrize(
    "change",
    [
        lambda library: None,
        lambda library: setattr(library, "_cache", {}),
        lambda library: setattr(library, "_other", {}),
        lambda library: setattr(library, "part", types.ModuleType("cells_unit_library.part")),
        lambda library: setattr(library.Thing, "__slotnames__", []),
        lambda library: mock.patch.object(library, "limit", 3).__enter__() and mock.patch.stopall(),
    ],
)
def test_what_libraries_do_for_themselves(watched, library, change):
    """What is made when it is first asked for, submodules, and what was put back, change nothing."""
    before = library.limit
    change(library)
    library.limit = before
    assert [] == watched.changes()


def test_what_was_put_back_is_watched_on(watched, library):
    """What is put back where it was is nothing to tell of, nor is it looked at closely; the next change is told."""
    before, known = library.limit, {id(value) for value in library.__dict__.values()}
    library.limit = 2
    library.limit = before
    assert [] == watched.changes()
    assert known.isdisjoint(watched._others)
    library.limit = 2
    assert ["it changes cells_unit_library.limit"] == watched.changes()
    library.limit = library.Thing.grow
    assert ["it changes cells_unit_library.limit"] == watched.changes()


def test_values_that_change_places(watched, library):
    """The same values under each other's names are a change of both; in another order they are none."""
    library.limit, library.names = library.names, library.limit
    told = {f"it changes cells_unit_library.{name}" for name in ("limit", "names")}
    assert told == set(watched.changes())
    limit = library.__dict__.pop("limit")
    library.limit = limit
    assert [] == watched.changes()


def test_abstract_classes(watched):
    """A class that is registered with an abstract one."""
    abc.ABCMeta.register(collections.abc.Sized, type("Registered", (), {}))
    assert ["it registers a class with an abstract one"] == watched.changes()


def test_what_is_imported_is_watched_from_then_on(watched, monkeypatch):
    """A module that a cell imports is taken as it is then."""
    module = types.ModuleType("cells_unit_new")
    module.limit = 1
    monkeypatch.setitem(sys.modules, module.__name__, module)
    watched.take_in()
    assert [] == watched.changes()
    module.limit = 2
    assert ["it changes cells_unit_new.limit"] == watched.changes()


@pytest.mark.parametrize("name", ["cells_unit_own", "__main__", "zmq.cells_unit"])
def test_what_is_not_watched(watched, monkeypatch, name):
    """The user's own modules are observed in other ways, and the kernel's are its own."""
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    watched.take_in()
    module.limit = 2
    assert [] == watched.changes()


def test_values_are_not_compared(watched, library):
    """Whatever `==` does, it is not asked."""
    library.json = json
    watched.changes()
    library.limit = mock.MagicMock(__eq__=mock.Mock(side_effect=AssertionError), __hash__=lambda self: 1)
    assert ["it changes cells_unit_library.limit"] == watched.changes()
