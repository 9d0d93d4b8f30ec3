"""Decide, for the next cell, between Hit and Run: pure, from traces and the current State.

On the chain rung every cell reads and writes the pseudo-input `@history`, so that a cell depends on all above
it. Finer rungs record finer inputs; nothing here changes for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pytest_cells.cache.trace import ABSENT, HISTORY, Trace, Version, digest_of
from pytest_cells.in_kernel.versions import BINDINGS

NOTHING_STORED = "no result of this cell is stored"


@dataclass(frozen=True)
class Hit:
    """The cell cannot have changed since this trace was made."""

    trace: Trace
    reason: str = "nothing that it depends on has changed"


@dataclass(frozen=True)
class Run:
    """The cell must be executed; the reason says why."""

    reason: str


@dataclass
class State:
    """The current Version of everything, while a notebook's cells are walked in order.

    `versions` holds what earlier cells wrote; `probe` answers for inputs outside the notebook.
    """

    probe: Callable[[str], Version]
    versions: dict[str, Version] = field(default_factory=dict)

    def version(self, name: str) -> Version:
        """Return the Version that an input has now."""
        known = self.versions.get(name)
        return self.probe(name) if known is None else known

    def apply(self, writes: Mapping[str, Version]) -> None:
        """Note what a cell wrote."""
        self.versions.update(writes)


def decide(
    candidates: Iterable[Trace],
    state: State,
    inputs: Iterable[str],
    describe: Callable[[str], str] | None = None,
) -> Hit | Run:
    """Find a trace whose inputs all have the Versions of now.

    `inputs` names what the cell is known to read; a trace that recorded fewer does not count.
    The reason of a Run tells the fewest differences that any candidate has, in the words of `describe`.
    """
    wanted = frozenset(inputs)
    nearest: list[str] | None = None
    for trace in candidates:
        differing = [
            name
            for name, version in trace.inputs.items()
            if version != (now := state.version(name)) and not _is_loaded_alike(name, trace, now)
        ]
        differing += wanted - trace.inputs.keys()
        if not differing:
            return Hit(trace)
        if nearest is None or len(differing) < len(nearest):
            nearest = sorted(differing)
    if nearest is None:
        return Run(NOTHING_STORED)
    told = dict.fromkeys((describe or describe_input)(name) for name in worth_telling(nearest))
    return Run("changed: " + ", ".join(told))


def _is_loaded_alike(name: str, trace: Trace, now: Version) -> bool:
    """Tell whether an input has another Version than it had, but one that makes no difference.

    A cell that was the first to load a module of the project may find it loaded, if it is what the cell made of it, and
    loading it cannot have set a generator, a setting or a variable of the environment, which it would not do again.
    """
    loaded = name.endswith(BINDINGS) and trace.inputs[name] == ABSENT and now == trace.writes.get(name)
    return loaded and all(key.startswith(("var:", "loaded:")) for key in trace.writes)


def worth_telling(changed: Collection[str]) -> list[str]:
    """Return those of the inputs that changed which others do not tell already.

    >>> worth_telling(["held:helpers", "var:helpers:RATE"])
    ['var:helpers:RATE']
    """
    modules = {f"{name[4:].partition(':')[0]}." for name in changed if name.startswith("var:") and ":" in name[4:]}
    return [name for name in changed if not (name.startswith("held:") and _begins_any(f"{name[5:]}.", modules))]


def _begins_any(start: str, texts: Iterable[str]) -> bool:
    return any(text.startswith(start) for text in texts)


def describe_input(name: str) -> str:
    """Say in words what an input's name stands for.

    >>> describe_input("module:helpers")
    'module helpers, or one that it imports'
    """
    kind, _, rest = name.partition(":")
    if name.endswith(BINDINGS):
        return f"what the functions of module {rest.removesuffix(BINDINGS)} are"
    if kind == "setup":
        return f"{describe_input(rest)}, which setup code reads"
    words = {
        HISTORY: "a cell above",
        "@chain": "a cell above",
        "@sources": "the text of a cell above",
        "var": f"variable {rest}",
        "alone": f"what shares objects with {rest}",
        "path": rest,
        "list": f"what {rest or '.'} holds",
        "envvar": f"environment variable {rest}",
        "slot": f"the state of {rest}",
        "loaded": f"what was imported of {rest} above",
        "held": f"what module {rest} holds",
        "@environment": "the Python environment",
        "@cwd": "the working directory",
        "@folder": "the notebook's folder",
        "@setup": "the setup code",
        "@project": "some Python file of the project",
        "module": f"module {rest}, or one that it imports",
        "env": f"environment variable {rest}",
        "file": rest,
        "script": f"{rest}, or a module that it imports",
        "key": f"key material {rest}",
    }
    return words.get(kind, name)


def history_after(before: Version, lookup: str, inputs: Mapping[str, Version], result: str = "") -> Version:
    """Return the Version of `@history` once a cell has run.

    `result` tells apart what the inputs cannot: a nonce for a cell that is executed every time.
    """
    others = {name: version for name, version in inputs.items() if name != HISTORY}
    return digest_of([before, lookup, others, result])


__all__ = [
    "ABSENT",
    "NOTHING_STORED",
    "Hit",
    "Run",
    "State",
    "decide",
    "describe_input",
    "history_after",
    "worth_telling",
]
