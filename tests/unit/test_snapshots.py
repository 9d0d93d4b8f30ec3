"""Snapshots, by tables of notebooks: see `snapshot_cases/` and `snapshot_driver.py`.

A case is `### NAME | COMPONENTS | NEEDED PACKAGES`, the cells, `#----`, and what must hold in a fresh process
(or what the reason for a refusal says). Components are divided by slashes and loaded in their order.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_cells.in_kernel import snapshots
from pytest_cells.in_kernel.classes import identity

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="cases run in forked processes")

FOLDER = Path(__file__).with_name("snapshot_cases")
DRIVER = Path(__file__).with_name("snapshot_driver.py")
DISTRIBUTIONS = {"sklearn": "scikit-learn"}


class Case(NamedTuple):
    """A notebook, its components, and what is expected of them."""

    name: str
    setup: str
    parts: list[list[str]]
    needs: list[str]
    expected: str


def _cases(table: str) -> dict[str, Case]:
    """Read the cases of a table."""
    found = {}
    for text in (FOLDER / f"{table}.txt").read_text(encoding="utf-8").split("### ")[1:]:
        first, _, rest = text.partition("\n")
        name, parts, needs = (word.strip() for word in first.split("|"))
        setup, _, expected = rest.partition("#----\n")
        assert name not in found
        found[name] = Case(name, setup, [part.split() for part in parts.split("/")], needs.split(), expected.strip())
    return found


def _missing(need: str) -> bool:
    """Tell whether a package, or its version, is not here."""
    name, _, least = need.partition(">=")
    try:
        version = importlib.metadata.version(DISTRIBUTIONS.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        return True
    return int(version.partition(".")[0]) < int(least or 0)


def _parameters(table: str) -> list[Any]:
    cases = _cases(table)
    skipped = {name: [need for need in case.needs if _missing(need)] for name, case in cases.items()}
    return [
        pytest.param(case, id=name, marks=[pytest.mark.skip(f"needs {skipped[name]}")] if skipped[name] else [])
        for name, case in cases.items()
    ]


def _run(act: str, cases: list[Case], folder: Path, *, warm: bool = True, **more: Any) -> dict[str, str]:
    """Run the cases in processes of their own; return what came of each."""
    table = folder / f"{act}.json"
    wanted = [case for case in cases if not any(map(_missing, case.needs))]
    packages = [[need.partition(">=")[0] for need in case.needs] if warm else [] for case in wanted]
    content = [{**case._asdict(), "warm": names, **more} for case, names in zip(wanted, packages, strict=True)]
    table.write_text(json.dumps(content), encoding="utf-8")
    command = [sys.executable, str(DRIVER), act, str(table), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    results = {line["name"]: line["result"] for line in map(json.loads, done.stdout.splitlines())}
    assert {case.name for case in wanted} == set(results), done.stderr
    return results


def _both(table: str, folder: Path) -> dict[str, tuple[str, str]]:
    """Dump the cases of a table, then load them in processes that imported nothing; return what came of both."""
    cases = _cases(table)
    dumped = _run("dump", list(cases.values()), folder)
    loaded = _run("load", [cases[name] for name in dumped if dumped[name] == "ok"], folder, warm=False)
    return {name: (result, loaded.get(name, "not loaded")) for name, result in dumped.items()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Return what came of the cases that are kept."""
    return _both("kept", tmp_path_factory.mktemp("kept"))


@pytest.mark.parametrize("case", _parameters("kept"))
def test_kept(kept: dict[str, tuple[str, str]], case: Case) -> None:
    """What must hold of the values holds after they were brought back in a fresh process."""
    assert ("ok", "ok") == kept[case.name]


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what came of dumping each case that must be refused."""
    return _run("dump", list(_cases("refused").values()), tmp_path_factory.mktemp("refused"), max_bytes=100_000)


@pytest.mark.parametrize("case", _parameters("refused"))
def test_refused(refused: dict[str, str], case: Case) -> None:
    """What cannot be brought back whole is refused, with a reason in words."""
    assert "Unpicklable: " == refused[case.name][: len("Unpicklable: ")]
    assert case.expected in refused[case.name]


@pytest.fixture(scope="module")
def unreadable(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Return what came of the cases that cannot be brought back."""
    return _both("unreadable", tmp_path_factory.mktemp("unreadable"))


@pytest.mark.parametrize("case", _parameters("unreadable"))
def test_unreadable(unreadable: dict[str, tuple[str, str]], case: Case) -> None:
    """What cannot be brought back here is told, and nothing is bound."""
    dumped, loaded = unreadable[case.name]
    assert "ok" == dumped
    assert "Unreadable: " == loaded[: len("Unreadable: ")]
    assert case.expected in loaded


@pytest.mark.parametrize("damage", ["head", "cut", "longer", "empty"])
def test_damaged(damage: str) -> None:
    """Bytes that are no snapshot of this Python's are told, and nothing is bound."""
    content = snapshots.dump({"a": [1]}, ["a"], (), 1000)
    damaged = {
        "head": content.replace(b"PYCS", b"PYCX"),
        "cut": content[:-1],
        "longer": content + b"x",
        "empty": b"",
    }[damage]
    namespace: dict[str, Any] = {}
    with pytest.raises(snapshots.Unreadable):
        snapshots.load(namespace, damaged)
    assert {} == namespace


def test_nothing_is_left_alive() -> None:
    """Neither a dump, nor a refused one, keeps a value."""
    import gc
    import weakref

    class Value(set):  # type: ignore[type-arg]
        pass

    for held in ([], [iter(()), (each for each in ())]):
        value = Value()
        seen = weakref.ref(value)
        namespace = {"v": [value, held], "Value": Value}
        try:
            snapshots.dump(namespace, ["v"], {"Value"}, 1000)
        except snapshots.Unpicklable as problem:
            assert "a generator" in str(problem)
        gc.disable()
        try:
            namespace.clear()
            del value
            assert None is seen()
        finally:
            gc.enable()


def test_what_modules_hold_is_looked_for_once() -> None:
    """A Shared serves many dumps, and what a module holds is referred to in each of them."""
    namespace = {"a": [os.environ], "b": {"path": sys.path}}
    shared = snapshots.Shared(namespace)
    loaded: dict[str, Any] = {}
    for name in namespace:
        snapshots.load(loaded, snapshots.dump(namespace, [name], (), 1000, shared))
    assert os.environ is loaded["a"][0]
    assert sys.path is loaded["b"]["path"]


def test_whether_modules_hold_a_value_is_told_every_time() -> None:
    """A set is made of what modules hold, once."""
    shared = snapshots.Shared({})
    own: list[int] = []
    for _ in range(12):
        assert shared.holds([sys.path, own])
        assert not shared.holds([own])
        assert not shared.holds(["text", 1, (), int])


def test_nothing_of_the_process_is_changed() -> None:
    """Filters of warnings, the recursion limit and the collector of garbage are what they were."""
    import gc
    import warnings

    def state() -> tuple[Any, ...]:
        return warnings.filters, list(warnings.filters), sys.getrecursionlimit(), gc.isenabled()

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        before = state()
        snapshots.load({}, snapshots.dump({"a": [1]}, ["a"], (), 1000))
        with pytest.raises(snapshots.Unpicklable):
            snapshots.dump({"a": [iter(()), (each for each in ())]}, ["a"], (), 1000)
        with pytest.raises(snapshots.Unreadable):
            snapshots.load({}, b"")
        assert before == state()
    finally:
        sys.setrecursionlimit(limit)


PLAIN = ([], [1, 2], [1, 2.5, "a", None, True], (1, b"x"), {"a": 1, 2: "b"}, {1, 2}, 5)
NOT_PLAIN = ([1, []], {"a": []}, {(): 1}, [1, type("N", (int,), {})(2)], type("L", (list,), {})([1]), frozenset([1]))


def test_plain_values() -> None:
    """Only what surely comes back as it was is taken for plain, since nobody looks at it again."""
    assert all(map(snapshots.is_plain, PLAIN))
    assert not any(map(snapshots.is_plain, NOT_PLAIN))


def test_a_dump_that_takes_too_long_is_given_up() -> None:
    """What a cell made is made again where pickling it would take as long as the cell."""
    with pytest.raises(snapshots.Unpicklable, match="too slow"):
        snapshots.dump({"a": list(range(100_000))}, ["a"], (), 1 << 30, None, 0.0)


def test_places_are_looked_for_only_where_something_has_one() -> None:
    """To find what all modules hold takes as long as many cells: it is done for those whose values may be among it."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1, 2], "y": [0.5, 1.5], "z": ["a", "b"]})
    namespace = {"numbers": [1, 2], "frame": frame, "nested": [[1], {"a": frame}], "held": [sys.path]}
    namespace["names"] = [dict, math.sin, frame["x"].dtype]
    shared = snapshots.Shared(namespace)
    for name in ("numbers", "frame", "nested", "names"):
        snapshots.dump(namespace, [name], (), 1 << 20, shared)
        assert not shared._places
    snapshots.dump(namespace, ["held"], (), 1 << 20, shared)
    assert ("sys", "path") == shared.places[identity(sys.path)]


def test_a_flat_value_that_a_module_holds_is_referred_to() -> None:
    """Also one of which no other object is asked for when it is written."""
    module = types.ModuleType("holder")
    module.__dict__["table"] = {"a": 1}
    sys.modules["holder"] = module
    try:
        namespace = {"table": module.__dict__["table"], "other": {"a": 1}}
        content = snapshots.dump(namespace, ["table", "other"], (), 1 << 20)
        loaded: dict[str, Any] = {}
        snapshots.load(loaded, content)
    finally:
        del sys.modules["holder"]
    assert namespace["table"] is loaded["table"]
    assert namespace["other"] is not loaded["other"]
