"""Collection: notebooks as files, cells as items, in their order."""

from __future__ import annotations

import builtins
import contextlib
import fnmatch
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from pytest_cells.errors import CellInterrupted, CellsError
from pytest_cells.model import Cell, Notebook
from pytest_cells.plugin import compat
from pytest_cells.plugin.failure import CellFailureRepr
from pytest_cells.plugin.options import FILES
from pytest_cells.report import CellFacts
from pytest_cells.run import Marks, NotebookRun
from pytest_cells.session import Session

FACTS = pytest.StashKey[CellFacts]()
SESSION = pytest.StashKey[Session]()
OWNED = pytest.StashKey[bool]()
MARKS = pytest.StashKey[set[str]]()
PYTESTS_OWN = frozenset({"filterwarnings", "parametrize", "skip", "skipif", "usefixtures", "xfail"})
"""Marks that do something: a tag of this name does not become one (`skip` and `xfail` are directives)."""
CHECKPOINTS = ".ipynb_checkpoints"


class CellFailed(Exception):
    """Carries a failed cell's facts from `runtest` to the report."""

    def __init__(self, facts: CellFacts) -> None:
        error = facts.result.error
        super().__init__(f"{error.ename}: {error.evalue}" if error else "failed")
        self.facts = facts


def cell_failed(facts: CellFacts, bases: tuple[str, ...]) -> CellFailed:
    """Return the exception for a failed cell: also an instance of the built-in error that the cell raised.

    So `pytest.mark.xfail(raises=ValueError)` means in a cell what it means elsewhere.
    """
    for name in bases:
        found = getattr(builtins, name, None)
        if isinstance(found, type) and issubclass(found, Exception) and found is not Exception:
            with contextlib.suppress(TypeError):
                made: CellFailed = type("CellFailed", (CellFailed, found), {})(facts)
                return made
    return CellFailed(facts)


class CellFile(pytest.Module):
    """One notebook. A Module, as pytest's own text doctests are, so that module-scoped fixtures apply."""

    obj = None
    notebook: Notebook
    items: list[CellItem]
    hooks: Any = None
    """The hooks that act on its cells, once all conftests are known: pytest looks for them eight times a cell."""
    undisturbed = False
    """Whether nobody but pytest and we have a say in how its cells are run, and nothing has to be set up for them.

    That is known once all conftests are.
    """
    disturbed_between = True
    """Whether somebody else's code runs between its cells even so; known then too."""
    wants_phases = True
    """Whether somebody may look at the reports of a cached cell's setup and teardown; known then too."""

    def collect(self) -> Iterable[CellItem]:
        """Return an item for every code cell. The cache is not looked at: all workers must collect the same."""
        try:
            self.notebook = self.config.stash[SESSION].read(self.path)
        except CellsError as error:
            raise self.CollectError(str(error)) from None
        self.items = [CellItem.from_parent(self, name=cell.label, cell=cell) for cell in self.notebook.cells]
        if self.items and not compat.may_deselect(self.config):
            self.config.stash[SESSION].expect(self.notebook)
        return self.items

    @property
    def ihook(self) -> Any:
        """The hooks that act on the notebook's folder."""
        return super().ihook if self.hooks is None else self.hooks

    @cached_property
    def shown(self) -> str:
        """What reports call the file."""
        return compat.path_in_reports(self)

    @cached_property
    def chain(self) -> tuple[Any, ...]:
        """The file and all nodes above it."""
        return tuple(self.listchain())

    @cached_property
    def file_name(self) -> str:
        """What the file is called in its folder."""
        return self.path.name

    @cached_property
    def keywords_in_reports(self) -> dict[str, Any]:
        """What the reports of all its cells have for keywords; asked when all are collected."""
        return dict.fromkeys(self.keywords, 1)

    @cached_property
    def run(self) -> NotebookRun:
        """The run of the notebook, with the hooks that act on its folder; asked when all conftests are known."""
        return self.config.stash[SESSION].open(self.notebook, self.ihook, self.marks)

    def marks(self) -> Marks:
        """Return what marks say of all cells, also of those that were not selected."""
        inherited = next(self.iter_markers(), None) is not None
        marked = [item for item in self.items if inherited or item.own_markers]
        return Marks(
            frozenset(item.cell.index for item in marked if compat.is_skipped(item)),
            frozenset(item.cell.index for item in marked if compat.is_expected_to_fail(item)),
            lambda: self._selected,
        )

    @cached_property
    def _selected(self) -> frozenset[int]:
        """Which cells the session is going to run; asked when all are collected."""
        items = (item for item in self.session.items if item.parent is self)
        return frozenset(item.cell.index for item in items if isinstance(item, CellItem))


class CellItem(pytest.Item):
    """One code cell."""

    parent: CellFile
    fixturenames: list[str]

    def __init__(self, *, cell: Cell, **more: Any) -> None:
        super().__init__(**more)
        self.cell = cell
        compat.prepare_fixtures(self)
        self.extra_keyword_matches.update(cell.directives.tags)
        for tag in cell.directives.tags:
            if tag not in PYTESTS_OWN:
                _register_mark(self.config, tag)
                self.add_marker(compat.mark_of(tag))
        if cell.directives.skip is not None:
            self.add_marker(pytest.mark.skip(reason=cell.directives.skip))
        if cell.directives.xfail is not None:
            self.add_marker(pytest.mark.xfail(reason=cell.directives.xfail, strict=False))

    @property
    def ihook(self) -> Any:
        """The hooks that act on the notebook's folder."""
        return self.parent.ihook

    @property
    def run(self) -> NotebookRun:
        """The run of this cell's notebook."""
        return self.parent.run

    def _initrequest(self) -> None:
        """Be ready to run again: pytest's runner asks for this."""
        compat.renew_fixtures(self)

    def setup(self) -> None:
        """Set up the fixtures that apply to cells; the session's owns all kernels."""
        compat.fill_fixtures(self)
        if not self.config.stash.get(OWNED, False):  # once is enough: it lives as long as the session
            compat.fixture_value(self, "cells_session")
            self.config.stash[OWNED] = True

    def runtest(self) -> None:
        """Evaluate the cell, and tell pytest by raising where it did not pass."""
        try:
            facts = self.run.evaluate(self.cell, undisturbed=self.undisturbed and not self.parent.disturbed_between)
        except CellInterrupted as stop:
            where = f", line {stop.outcome.error.line}" if stop.outcome.error and stop.outcome.error.line else ""
            raise pytest.exit.Exception(f"stopped in {self.nodeid}{where}") from None
        self._keep(facts)
        result = facts.result
        for name, text in facts.streams:
            self.add_report_section("call", name, text)
        if result.status == "skipped":
            raise compat.skipped_here(result.reason or "")
        if result.status == "error":
            raise cell_failed(facts, self.run.last_bases)

    @property
    def undisturbed(self) -> bool:
        """Whether nobody has a say in how the cell is run: no plugin, no fixture, no mark that does something."""
        if not self.parent.undisturbed or self.fixturenames:
            return False
        if not self.own_markers and not any(node.own_markers for node in self.parent.chain):
            return True
        return PYTESTS_OWN.isdisjoint(mark.name for mark in self.iter_markers())

    def take_hit(self) -> CellFacts | None:
        """Take the cell from the cache if that is all there is to it."""
        facts = self.run.take_hit(self.cell, undisturbed=not self.parent.disturbed_between)
        if facts is not None:
            self._keep(facts)
        return facts

    def _keep(self, facts: CellFacts) -> None:
        self.stash[FACTS] = facts
        result = facts.result
        self.user_properties[:] = [pair for pair in self.user_properties if not pair[0].startswith("cells.")]
        self.user_properties.append(("cells.status", result.status))
        if result.cache_key is not None:
            self.user_properties.append(("cells.cache_key", result.cache_key))
        if result.reason is not None:
            self.user_properties.append(("cells.reason", result.reason))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show a failed cell as its notebook shows it; anything else as pytest does."""
        if isinstance(excinfo.value, CellFailed):
            return CellFailureRepr(excinfo.value.facts)
        return super().repr_failure(excinfo, style)

    @cached_property
    def location(self) -> tuple[str, int | None, str]:
        """Return what `reportinfo` tells, with the notebook as reports call it."""
        _, line, name = self.reportinfo()
        return self.parent.shown, line, name

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the notebook and, for want of lines, the cell's position."""
        return self.path, self.cell.index, f"{self.cell.label} ({self.parent.file_name})"


def _register_mark(config: pytest.Config, tag: str) -> None:
    """Make a tag's mark known: under --strict-markers, -m refuses others."""
    known = config.stash.setdefault(MARKS, set())
    if tag not in known:
        known.add(tag)
        if not set(tag) & set(":("):
            config.addinivalue_line("markers", f"{tag}: a tag of notebook cells")


def collect_file(file_path: Path, parent: pytest.Collector) -> CellFile | None:
    """Return a collector for a notebook that is wanted."""
    if file_path.suffix != ".ipynb" or CHECKPOINTS in file_path.parts:
        return None
    patterns = parent.config.getini("cells_files") or FILES
    if not parent.session.isinitpath(file_path) and not any(_matches(file_path, p, parent.config) for p in patterns):
        return None
    file: CellFile = CellFile.from_parent(parent, path=file_path)
    return file


def _matches(path: Path, pattern: str, config: pytest.Config) -> bool:
    if "/" not in pattern:
        return fnmatch.fnmatch(path.name, pattern)
    try:
        name = path.relative_to(config.rootpath).as_posix()
    except ValueError:
        name = path.as_posix()
    return fnmatch.fnmatch(name, pattern)


def keep_notebooks_whole(items: list[pytest.Item]) -> None:
    """Bring each notebook's cells together, where its first one stands, and in order."""
    groups: dict[Any, list[pytest.Item]] = {}
    for item in items:
        groups.setdefault(item.path if isinstance(item, CellItem) else item, []).append(item)
    items[:] = [
        item
        for group in groups.values()
        for item in sorted(group, key=lambda item: item.cell.index if isinstance(item, CellItem) else 0)
    ]


def find_hooks(session: pytest.Session) -> None:
    """Find the hooks of each notebook that will be run; there are no more conftests to come."""
    for file in {item.parent for item in session.items if isinstance(item, CellItem)}:
        file.hooks = file.ihook
        file.undisturbed = compat.is_undisturbed(file.hooks, session.config) and not compat.sets_up(file)
        file.disturbed_between = compat.acts_between(file.hooks)
        file.wants_phases = compat.wants_phases(file.hooks, session.config)


class Order:
    """The notebooks that a session will run, in order; their kernels are prepared while the one before runs."""

    def __init__(self, session: pytest.Session) -> None:
        items = (item for item in session.items if isinstance(item, CellItem))
        files = list(dict.fromkeys(item.parent for item in items))
        self._session = session.config.stash[SESSION]
        ahead = self._session.settings.kernel.ahead
        self._next = {file: files[number : number + ahead] for number, file in enumerate(files, start=1)}
        if files:
            self._session.expect(files[0].notebook)

    def under_way(self, file: CellFile) -> None:
        """Note that a notebook has begun: the next one may be prepared."""
        for following in self._next[file]:
            self._session.expect(following.notebook)
