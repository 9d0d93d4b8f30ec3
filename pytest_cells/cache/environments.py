"""What is installed for a kernel, which modules each distribution provides, and whether a change of it can matter.

A cell depends on the distributions that its kernel had asked for by then, and on no others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import msgspec

from pytest_cells.cache.interpreter import installed
from pytest_cells.in_kernel.lookups import ALL, DISTRIBUTION, ENTRY_POINTS, first_word, normal

AT_START = "*at start"
"""Provided by what Python executes at its start."""
STARTUP_MODULES = frozenset({"sitecustomize", "usercustomize"})
SEARCHERS = frozenset({"pkg_resources", "importlib_metadata"})
"""Modules that look for everything there is when they are imported, or by ways of their own."""
FIRST_PART = re.compile(rb'^"?([^/,"\n]+).*\n?(?:"?\1[/,].*\n?)*', re.MULTILINE)
"""Finds the first part of the paths in a list of installed files, once for neighbours that share it: they are many."""
FOR_SHELLS = frozenset({"[console_scripts]", "[gui_scripts]"})
"""Entry points that are commands: no library looks for them."""


class Environment(msgspec.Struct, frozen=True):
    """What is installed and set for a kernel."""

    facts: dict[str, str]
    """Versions of distributions and values of settings, by name."""
    provides: dict[str, list[str]]
    """By distribution, the first words of its modules and what else it can be asked for."""


def describe(facts: Mapping[str, str], site: Sequence[str]) -> Environment:
    """Return what is installed, with what the distributions in the folders `site` provide."""
    provides: dict[str, set[str]] = {}
    for folder in site:
        for entry, name, _ in installed(folder):
            provides.setdefault(name, set()).update(_provided(Path(folder, entry)))
            provides[name].add(DISTRIBUTION + normal(name))
    return Environment(dict(facts), {name: sorted(words) for name, words in sorted(provides.items())})


def relevant(before: Environment, now: Environment, asked: AbstractSet[str]) -> list[str]:
    """Return what differs and can matter to a process that has asked for these modules and no others, in words."""
    names = sorted(
        name for name in before.facts.keys() | now.facts.keys() if before.facts.get(name) != now.facts.get(name)
    )
    return [
        f"{name} {before.facts.get(name, '(absent)')} → {now.facts.get(name, '(absent)')}"
        for name in names
        if _matters(name, (before, now), asked)
    ]


def _matters(name: str, sides: Sequence[Environment], asked: AbstractSet[str]) -> bool:
    provided: set[str] = set()
    for side in sides:
        if name in side.facts:
            provided.update(side.provides.get(name, [ALL]))  # no distribution: a setting
    everything = not provided.isdisjoint((ALL, AT_START)) or ALL in asked or not asked.isdisjoint(SEARCHERS)
    return everything or not provided.isdisjoint(asked)


def _provided(metadata: Path) -> Iterator[str]:
    """Yield what a distribution provides, by its folder of metadata; ALL where that cannot be told."""
    try:
        record = (metadata / "RECORD").read_bytes()
    except OSError:
        yield ALL  # installed by other means than wheels
        return
    for found in set(FIRST_PART.findall(record)):
        entry = os.fsdecode(found)
        word = first_word(entry)
        if entry.endswith(".pth") or word in STARTUP_MODULES:
            yield AT_START
        elif word and entry != "__pycache__" and not entry.endswith((".dist-info", ".egg-info")):
            yield word
    if _offers_entry_points(metadata / "entry_points.txt"):
        yield ENTRY_POINTS


def _offers_entry_points(path: Path) -> bool:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return any(line.startswith("[") and line.strip() not in FOR_SHELLS for line in lines)


def starts_with_code_of_the_user(facts: Mapping[str, str]) -> bool:
    """Tell whether kernels execute files of the user's at their start: what those ask for is not noted."""
    return any(name.startswith("ipython/") and name.endswith((".py", ".ipy")) for name in facts)
