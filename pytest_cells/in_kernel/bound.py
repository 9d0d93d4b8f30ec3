"""Which names a notebook has bound, and to which objects: runs inside the kernel.

There may be hundreds, and a cell binds a few. So what has stayed as it was is passed over as one sequence.
"""

from collections.abc import Iterable, Mapping
from itertools import compress
from operator import ne
from typing import Any, NamedTuple

from .classes import identical, identity
from .versions import HISTORY_NAME, PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS


class Look(NamedTuple):
    """What is bound now."""

    bound: "dict[str, int]"
    """By name, the identity of its value."""
    touched: "list[str]"
    """All names, IPython's own too, that stand for another object than at the last look, or may."""
    rebound: "set[str]"
    """Those that are bound to another object than was kept, or were not bound."""
    gone: "set[str]"
    """Those that were bound when that was kept, and no longer are."""


class BoundNames:
    """The names in a namespace but for IPython's own: what it has put there, and what it calls sources and outputs."""

    def __init__(self, namespace: "dict[str, Any]") -> None:
        self._namespace = namespace
        self._history: set[str] = set()
        """The names of IPython's history that were found so far."""
        self._kept: dict[str, int] = {}
        self.settle()

    def settle(self) -> None:
        """Take all that is there for IPython's own."""
        self._own = {name: identity(value) for name, value in list(self._namespace.items())}
        self._names: list[str] = []
        """What stood in the namespace at the last look, in its order."""
        self._numbers: list[int] = []
        """The identities of what those names stood for."""
        self._bound: dict[str, int] = {}
        self._anew = True
        """Whether to look at all names, since something else was kept than the last look found."""

    def look(self, beside: "Mapping[str, Any]") -> Look:
        """Return what is bound, in the namespace and `beside` it."""
        now = self._namespace.copy()  # at once: threads may go on
        names, numbers = list(now), list(map(identity, now.values()))
        seen = len(self._names)
        if seen and not self._anew and identical(names[:seen], self._names):
            others = list(compress(zip(names, numbers), map(ne, numbers, self._numbers)))
            others += zip(names[seen:], numbers[seen:])
        else:
            others = list(zip(names, numbers))
            self._bound = {}
        texts = [(name, number) for name, number in others if type(name) is str]
        for name, number in texts:
            self._take(name, number)
        if len(texts) == len(others):
            self._names, self._numbers = names, numbers
        else:  # what is no text is not held on to
            self._names, self._numbers = [], []
        touched = [name for name, _ in texts]
        bound = {**self._bound, **{name: identity(value) for name, value in beside.items()}}
        rebound = {name for name in (*touched, *beside) if name in bound and self._kept.get(name) != bound[name]}
        self._anew = True
        return Look(bound, touched, rebound, self._kept.keys() - bound.keys())

    def _take(self, name: str, number: int) -> None:
        """Take in what a name stands for, if it is the notebook's."""
        if name in self._history or self._own.get(name) == number:
            self._bound.pop(name, None)
        elif name[:1] == "_" and (name == "__warningregistry__" or HISTORY_NAME.match(name)):
            self._history.add(name)
        else:
            self._bound[name] = number

    def keep(self, bound: "dict[str, int]") -> None:
        """Keep what the last look found, for the next one to tell what is another."""
        self._kept, self._anew = bound, False

    def put(self, names: "Iterable[str]") -> None:
        """Note that names have just been bound by whoever brings state back."""
        self._kept.update({name: identity(self._namespace[name]) for name in names})
        self._anew = True
