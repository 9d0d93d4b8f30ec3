"""The nouns that every room shares: frozen values, without behaviour of their own."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

DIRECTIVE_COMMENT = re.compile(r"^\s*(?:#|//|--|;|%)+\s*cells:(?P<body>.*)$")
Status = Literal["ok", "error", "cached", "skipped"]
Json = dict[str, Any]


class Raises(msgspec.Struct, frozen=True):
    """The error that a cell is expected to raise."""

    type: str | None = None
    """The error's class name, or None for any error."""
    match: str | None = None
    """A regular expression searched in the error's message, or None."""


class Directives(msgspec.Struct, frozen=True):
    """What a cell's tags, metadata and leading comment ask for."""

    name: str | None = None
    skip: str | None = None
    """The reason why the cell is not run, or None."""
    raises: Raises | None = None
    xfail: str | None = None
    """The reason why the cell may fail, or None."""
    timeout: float | None = None
    """Seconds, 0 for no limit, None for the run's own."""
    cache: bool = True
    cache_anyway: bool = False
    """Whether the author answers for taking the cell from the cache, whatever it does."""
    deps: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    """Files, globs and folders that the cell writes, relative to the notebook's folder."""
    pure: bool = False
    """Whether the author answers for it that the cell does nothing but what is observed or declared."""
    tags: tuple[str, ...] = ()


class Cell(msgspec.Struct, frozen=True):
    """One code cell."""

    index: int
    """Position among the notebook's code cells, from 0."""
    id: str
    """The nbformat id, or `cell-N` (from 1) where the notebook has none."""
    source: str
    directives: Directives = Directives()

    @property
    def name(self) -> str | None:
        """The name that the author gave the cell, if any."""
        return self.directives.name

    @property
    def label(self) -> str:
        """What the cell is called in node ids and messages: its name, else its id."""
        return self.directives.name or self.id

    @property
    def blank(self) -> bool:
        """Tell whether there is nothing to execute."""
        return not self.source.strip()

    @property
    def first_line(self) -> str:
        """The first line of source that is not blank and no directive comment."""
        first = self.source.partition("\n")[0].strip()
        if first and "cells:" not in first and first.isprintable():
            return first
        lines = (line.strip() for line in self.source.splitlines())
        return next((line for line in lines if line and not DIRECTIVE_COMMENT.match(line)), "")


class Notebook(msgspec.Struct, frozen=True):
    """One file, read once: what is hashed is what is executed and reported."""

    path: Path
    name: str
    """The path relative to rootdir, with forward slashes."""
    cells: tuple[Cell, ...]
    kernel: str | None = None
    """The kernelspec that the notebook's metadata names."""
    language: str = "python"


class CellError(msgspec.Struct, frozen=True):
    """The error a cell ended with, as the kernel tells it."""

    ename: str
    evalue: str
    traceback: list[str] = msgspec.field(default_factory=list)
    line: int | None = None
    """The line in the cell, from 1, where it is known."""
    bases: tuple[str, ...] = ()
    """Names of the classes that the error's class is derived from, where the kernel tells them."""

    @property
    def summary(self) -> str:
        """One line: the error's type and the first line of its message."""
        first = self.evalue.strip().splitlines()
        return f"{self.ename}: {first[0]}" if first else self.ename


Verdict = Literal["ok", "error", "skipped"]


class Outcome(msgspec.Struct, frozen=True):
    """What executing one cell gave, before anybody judged it."""

    verdict: Verdict = "ok"
    outputs: list[Json] = msgspec.field(default_factory=list)
    """nbformat 4 outputs, streams coalesced."""
    error: CellError | None = None
    duration_ms: float = 0.0
    died: bool = False
    """Whether the kernel was lost while the cell ran (death, kill after a timeout, `exit()`)."""
    timed_out: bool = False
    reason: str | None = None
    """Why a cell skipped itself."""
    written: tuple[str, ...] | None = None
    """Absolute paths the kernel itself saw opened for writing; None where the kernel cannot tell."""

    observed: Json | None = None
    """What the agent in the kernel observed of the cell, where it was asked to."""

    @property
    def lost(self) -> bool:
        """Tell whether the kernel died by itself: not by a timeout, and not by the cell's own `exit()`."""
        return self.died and not self.timed_out and not (self.error and self.error.ename == "KernelExit")


@dataclass(frozen=True)
class KernelIdentity:
    """What of a kernel goes into keys: who it is, and what it can load."""

    key: dict[str, str]
    """Part of every lookup key: a change makes other cells of them."""
    facts: Callable[[], dict[str, str]] = field(compare=False)
    """The environment's distributions and settings, by name, as they are now."""
    site: tuple[str, ...] = ()
    """Folders that distributions are installed in, where they are known."""
    python: bool = False
    """Whether cells are Python, so that the modules that they import count."""
    traceable: bool = False
    """Whether the agent can observe its cells on this machine."""
    uncacheable: str | None = None
    """Why nothing that this kernel runs can be cached, or None."""
    environment: Callable[[], Mapping[str, str]] = field(default=lambda: os.environ, compare=False)
    """The environment variables that its processes start with."""
