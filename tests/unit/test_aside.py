"""When what libraries are made of is set aside from the collector, and when it is shown again."""

from __future__ import annotations

import sys

import pytest

from pytest_cells.in_kernel import aside

UNLIMITED = b"Max data size             unlimited            unlimited            bytes\n"
LIMITED = b"Max data size             1048576              unlimited            bytes\n"


class Process:
    """What the collector is asked for, and what the system tells of the process."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.pages = 1000
        self.limits = UNLIMITED

    def freeze(self) -> None:
        """Note it."""
        self.done.append("freeze")

    def unfreeze(self) -> None:
        """Note it."""
        self.done.append("unfreeze")

    def read(self, path: str) -> bytes:
        """Return what is in a file of the system."""
        return self.limits if path.endswith("limits") else b"%d %d 1" % (self.pages * 2, self.pages)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Process:
    """Return the process that there seems to be."""
    found = Process()
    monkeypatch.setattr(aside, "collector", found)
    monkeypatch.setattr(aside, "_read", found.read)
    return found


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> object:
    """Return what loads so many modules, and tells that each is about to be."""

    def load(found: aside.Aside, count: int = 100) -> None:
        for _ in range(count):
            name = f"loaded_{len(sys.modules)}"
            monkeypatch.setitem(sys.modules, name, sys)
            found.importing(name)

    return load


def test_set_aside_once_for_a_hundred_modules(process, load):
    """Few modules are not worth it."""
    found = aside.Aside()
    load(found, 99)
    assert process.done == []
    load(found, 101)
    assert process.done == ["freeze"] * 2
    found.look()
    assert process.done == ["freeze"] * 2


@pytest.mark.parametrize("show", [aside.Aside.show, aside.Aside.leave, lambda found: found.importing("gc")])
def test_shown_once(process, load, show):
    """Whoever imports gc sees everything, and what was shown once need not be shown again."""
    found = aside.Aside()
    load(found)
    show(found)
    show(found)
    assert process.done == ["freeze", "unfreeze"]


def test_what_others_have_set_aside_is_left_alone(process):
    """A fork server does that for its kernels."""
    aside.Aside().show()
    assert process.done == []


def test_not_again_where_it_may_be_noticed(process, load):
    """From there on every object is the collector's."""
    found = aside.Aside()
    load(found)
    found.leave()
    load(found)
    assert process.done == ["freeze", "unfreeze"]


def test_shown_where_the_process_holds_much(process, load):
    """Garbage that stays does not add up; and nothing more is set aside."""
    found = aside.Aside()
    load(found)
    process.pages = (512 << 20) // 4096 + 1
    found.look()
    load(found)
    assert process.done == ["freeze", "unfreeze"]


def test_not_under_a_limit(process, load):
    """Near it, each piece of garbage that stays would be missed."""
    process.limits = LIMITED
    load(aside.Aside())
    assert process.done == []


def test_not_where_memory_is_not_told(process, load, monkeypatch):
    """As on systems that are not Linux."""
    monkeypatch.setattr(aside, "_read", lambda path: b"")
    load(aside.Aside())
    assert process.done == []


@pytest.mark.parametrize("code", ["import gc", "gc.collect()", "def __del__(self): ...", "from weakref import ref"])
def test_code_that_notices(code):
    """It is found by its words."""
    assert aside.NOTICES.search(code)


@pytest.mark.parametrize("code", ["fgc = 1", "import gcsfs", "del x"])
def test_code_that_does_not(code):
    """Other words with the same letters are not taken for it."""
    assert not aside.NOTICES.search(code)
