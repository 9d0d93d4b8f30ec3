"""The names that a notebook has bound, from look to look."""

import random
from typing import Any

import pytest

from pytest_cells.in_kernel.bound import BoundNames, Look
from pytest_cells.in_kernel.classes import identity

IPYTHONS: dict[str, Any] = {"In": [""], "_ih": [""], "_": "", "_i": "", "exit": object()}


@pytest.fixture
def namespace() -> dict[Any, Any]:
    return dict(IPYTHONS)


@pytest.fixture
def names(namespace: dict[Any, Any]) -> BoundNames:
    return BoundNames(namespace)


def looked(names: BoundNames, beside: dict[str, Any] | None = None) -> Look:
    found = names.look(beside or {})
    names.keep(found.bound)
    return found


def test_what_ipython_has_put_there_is_not_the_notebooks(names: BoundNames) -> None:
    assert looked(names).bound == {}


def test_a_name_that_ipython_uses_is_the_notebooks_once_it_is_bound_anew(
    names: BoundNames, namespace: dict[Any, Any]
) -> None:
    namespace["exit"] = value = [1]
    assert looked(names).rebound == {"exit"}
    assert looked(names).bound == {"exit": identity(value)}
    namespace["exit"] = IPYTHONS["exit"]
    assert looked(names).gone == {"exit"}


@pytest.mark.parametrize("name", ["_i", "_ii", "_i12", "_12", "__", "__warningregistry__"])
def test_history_is_not_the_notebooks(names: BoundNames, namespace: dict[Any, Any], name: str) -> None:
    for number in range(3):
        namespace[name] = [number]
        assert looked(names).bound == {}


def test_a_look_tells_what_is_bound_anew_and_what_is_gone(names: BoundNames, namespace: dict[Any, Any]) -> None:
    first, second, third = [1], [2], [3]
    namespace.update(a=first, b=second)
    assert looked(names).rebound == {"a", "b"}
    assert (looked(names).rebound, looked(names).gone) == (set(), set())
    namespace["b"] = third
    assert looked(names).rebound == {"b"}
    del namespace["a"]
    found = looked(names)
    assert (found.bound, found.rebound, found.gone) == ({"b": identity(third)}, set(), {"a"})


def test_a_deleted_name_is_told_once(names: BoundNames, namespace: dict[Any, Any]) -> None:
    namespace.update(a=[1], b=[2])
    looked(names)
    del namespace["a"]
    assert looked(names).gone == {"a"}
    assert looked(names).gone == set()


def test_what_is_not_kept_is_told_again(names: BoundNames, namespace: dict[Any, Any]) -> None:
    namespace["a"] = [1]
    assert names.look({}).rebound == {"a"}
    found = looked(names)
    assert (found.rebound, "a" in found.touched) == ({"a"}, True)


def test_what_was_put_there_to_bring_state_back_is_not_rebound(names: BoundNames, namespace: dict[Any, Any]) -> None:
    looked(names)
    namespace["a"] = [1]
    names.put(["a"])
    found = looked(names)
    assert (found.rebound, "a" in found.touched) == (set(), True)


def test_what_stands_beside_the_namespace_is_looked_at_every_time(names: BoundNames) -> None:
    first, second = [1], [2]
    assert looked(names, {"module:a": first}).rebound == {"module:a"}
    assert looked(names, {"module:a": first}).rebound == set()
    assert looked(names, {"module:a": second}).rebound == {"module:a"}
    assert looked(names).gone == {"module:a"}


class Odd:
    """A name that is no text, and must not be asked."""

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        raise AssertionError


def test_names_that_are_no_texts_are_passed_over_and_not_held(names: BoundNames, namespace: dict[Any, Any]) -> None:
    namespace[Odd()] = 1
    namespace["a"] = [1]
    assert looked(names).bound.keys() == {"a"}
    del namespace["a"]
    assert looked(names).gone == {"a"}
    assert not any(type(name) is Odd for name in looked(names).touched)


def test_settling_takes_all_for_ipythons_own(names: BoundNames, namespace: dict[Any, Any]) -> None:
    namespace["a"] = [1]
    names.settle()
    assert looked(names).bound == {}


def test_many_random_steps_tell_what_a_look_at_all_names_tells(names: BoundNames, namespace: dict[Any, Any]) -> None:
    """Against the plain rule: all names of the namespace but IPython's, each time."""
    chance, values = random.Random(0), [[number] for number in range(5)]
    before: dict[str, int] = {}
    for _ in range(2000):
        for _ in range(chance.randrange(3)):
            name = chance.choice(["a", "b", "c", "d", "_i", "_7", "exit", "In"])
            if chance.random() < 0.3:
                namespace.pop(name, None)
            else:
                namespace[name] = chance.choice([*values, IPYTHONS.get(name, values[0])])
        found = names.look({})
        bound = {
            name: identity(value)
            for name, value in namespace.items()
            if IPYTHONS.get(name) is not value and name not in ("_i", "_7")
        }
        assert found.bound == bound
        assert found.rebound == {name for name in bound if before.get(name) != bound[name]}
        assert found.gone == before.keys() - bound.keys()
        if chance.random() < 0.9:
            names.keep(found.bound)
            before = bound
