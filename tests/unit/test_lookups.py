"""What a process asks for of the installed is noted, found or not."""

import importlib
import importlib.metadata
import importlib.util
from importlib.machinery import PathFinder

import pytest

from pytest_cells.in_kernel.lookups import Lookups


@pytest.fixture
def lookups():
    """Lend the lookups of this process, without what it has loaded."""
    found = Lookups()
    found.start()
    found.names.clear()
    yield found
    found.stop()


def test_modules_that_are_not_there(lookups):
    """An import that fails, in whatever way, is one that may not fail next time."""
    with pytest.raises(ImportError):
        import nowhere_one.deep  # noqa: F401
    with pytest.raises(ImportError):
        importlib.import_module("nowhere_two")
    assert importlib.util.find_spec("nowhere_three") is None
    assert {"nowhere_one", "nowhere_two", "nowhere_three"} <= lookups.names


def test_modules_that_are_there(lookups, tmp_path, monkeypatch):
    """What is loaded was looked for."""
    (tmp_path / "cells_somewhere.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    assert 1 == importlib.import_module("cells_somewhere").x
    assert "cells_somewhere" in lookups.names


def test_metadata_of_one_distribution(lookups):
    """Its name is noted, there or not."""
    assert importlib.metadata.version("pytest")
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("Nowhere_Four")
    assert {"dist:pytest", "dist:nowhere-four"} <= lookups.names
    assert "*" not in lookups.names


def test_entry_points(lookups):
    """Who asks for entry points depends on all who offer some, and on nobody else."""
    importlib.metadata.entry_points(group="pytest11")
    assert "*entry points" in lookups.names
    assert "*" not in lookups.names


def test_everything(lookups):
    """Who lists all distributions depends on all."""
    assert list(importlib.metadata.distributions())
    assert "*" in lookups.names
    lookups.forget_searches()
    assert "*" not in lookups.names


@pytest.mark.parametrize(
    ("path", "noted"),
    [
        ("/v/lib/python3.11/site-packages/numpy/core.py", {"numpy"}),
        ("/v/lib/python3.11/site-packages/six.py", {"six"}),
        ("/v/lib/python3.11/site-packages/numpy/", {"numpy"}),
        ("/v/lib/python3.11/site-packages/", {"*"}),
        ("/v/lib/python3.11/site-packages", set()),
        ("/v/lib/python3.11/site-packages/a.pth", {"*"}),
        ("/v/lib/python3.11/site-packages/My_Own-1.0.dist-info/METADATA", {"dist:my-own"}),
        ("/v/lib/python3.11/site-packages/my-1.0.dist-info/entry_points.txt", {"*entry points"}),
        ("/usr/lib/python3/dist-packages/six.py", {"six"}),
        ("/v/lib/python3.11/json/decoder.py", set()),
    ],
)
def test_files(path, noted):
    """A file of a package that is read otherwise than by importing it is of that package."""
    lookups = Lookups()
    lookups.touched(path)
    assert noted == lookups.names


def test_the_import_system_stays_as_it_was():
    """Nothing is left behind, and starting twice is starting once."""
    before = {name: PathFinder.__dict__[name] for name in ("find_spec", "find_distributions")}
    lookups = Lookups()
    lookups.start()
    lookups.start()
    assert "importlib" in lookups.names
    assert "json" == PathFinder.find_spec("json").name
    assert type(before["find_spec"]) is type(PathFinder.__dict__["find_spec"])
    lookups.stop()
    assert before == {name: PathFinder.__dict__[name] for name in before}


def test_what_goes_wrong_stays_with_us(monkeypatch):
    """An import never fails because of what is noted of it."""
    lookups = Lookups()
    monkeypatch.setattr(lookups, "_module", lambda *_: 1 / 0)
    lookups.start()
    try:
        assert "json" == PathFinder.find_spec("json").name
    finally:
        lookups.stop()


def test_modules_that_were_looked_for_in_vain(lookups):
    """Each is told once, and not if it has come to be there."""
    lookups.take_missing()
    for name in ("nowhere_five", "json", "nowhere six"):
        importlib.util.find_spec(name)
    assert {"nowhere_five"} == lookups.take_missing()
    assert set() == lookups.take_missing()
