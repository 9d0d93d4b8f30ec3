"""What is drawn from the generators that a process shares."""

import random
from functools import partial

import pytest

from pytest_cells.in_kernel.generators import DRAWN_AT_IMPORT, Entropy, python_generator, python_state_after


@pytest.fixture
def generator():
    """Follow `random`, and leave it as it was."""
    state = random.getstate()
    yield python_generator(random)
    random.setstate(state)


@pytest.mark.parametrize(
    ("bits", "seeds", "volatile", "version"),
    [([24], False, False, True), ([24, 1], False, True, False), ([], False, False, True), ([24], True, False, False)],
    ids=["alone", "with others", "nothing", "seeded"],
)
def test_own_draws(generator, bits, seeds, volatile, version):
    """What a library draws for itself when it is imported counts only where it moves a generator that was seeded."""
    if seeds:
        generator.was_set(seeded=True)
        generator.end()
    generator.begin()
    before = generator.version
    for number in bits:
        random.getrandbits(number)
    generator.pass_over(partial(python_state_after, random, bits=DRAWN_AT_IMPORT["rich.style"]))
    generator.end()
    assert volatile is generator.volatile
    assert version is (generator.version == before and not generator.volatile)


@pytest.mark.parametrize("seeded", [True, False])
def test_draws_between_cells(generator, seeded):
    """What others draw between two cells is no cell's doing, but it is what the next cell finds."""
    generator.was_set(seeded=seeded)
    generator.end()
    before = generator.version
    random.random()
    assert seeded is generator.begin()
    generator.end()
    assert not generator.read
    assert not generator.volatile
    assert seeded is (before != generator.version_before)
    assert not generator.begin()


@pytest.mark.parametrize(
    ("module", "told"), [({}, ["x"]), ({"__name__": 5}, ["x"]), ({"__name__": "sklearn.callback._context"}, [])]
)
def test_who_draws(module, told):
    """Code that belongs to no module draws for a result; what sklearn draws for its callbacks is its own business."""
    entropy = Entropy(lambda file: True)
    exec("drawn('x', 1)", {"drawn": entropy.drawn, **module})
    assert told == entropy.volatile


def test_what_rich_draws():
    """The number of bits is that which rich draws."""
    pytest.importorskip("rich")
    import importlib
    import sys

    known = {name: sys.modules.pop(name) for name in list(sys.modules) if name == "rich.style"}
    state = random.getstate()
    try:
        importlib.import_module("rich.style")
        assert random.getstate() == python_state_after(random, state, DRAWN_AT_IMPORT["rich.style"])
    finally:
        random.setstate(state)
        sys.modules.update(known)
