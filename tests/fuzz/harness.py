"""Run a project incrementally and in full, from the same files, and tell every difference.

Knows no pytest and no grammar: a case is a list of `Version`s of one project, each run in turn against one store.
"""

from __future__ import annotations

import compileall
import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pytest_cells import Session, Settings, in_kernel
from pytest_cells.cache.trace import Trace, decode_trace
from pytest_cells.evaluator import Executor, KernelUsage, Runner
from pytest_cells.executors import load_executor
from pytest_cells.model import Cell, Json, KernelIdentity, Notebook
from pytest_cells.plan import Hit, Run
from pytest_cells.report import CellFacts, CellResult
from pytest_cells.run import CellRun, Marks, NotebookRun
from pytest_cells.settings import CacheSettings, KernelSettings
from pytest_cells.testing import code, notebook_json

NOTEBOOK = "nb.ipynb"
PROBE = "probe"
"""The id of the cell that tells all variables."""
CELL_TIMEOUT_S = 60.0
MOST_TEXT = 20_000
FULL_RUNS_MORE = 4
"""So many full runs are asked whether they agree where an incremental one differs: chance may agree with itself."""
Rung = Literal["traces", "chain"]
RUNGS: tuple[Rung, ...] = ("chain", "traces")
Kind = Literal[
    "stale", "wrong run", "false failure", "missed failure", "state", "files", "volatile hit", "not run", "crash"
]
Tree = dict[str, bytes]

ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
CELL_FILE = re.compile(r"\S*ipykernel_\d+[/\\]\d+\.py(:\d+)?")
TIMINGS = re.compile(r"(CPU times: |Wall time: |CPU total: |Ran \d+ tests? in ).*?(?=\\n|$)", re.MULTILINE)
SUMMED_UP_AT = re.compile(r"(Time:[^0-9]{0,60})\d\d:\d\d:\d\d")
"""The time that statsmodels shows with a model: a clock that only library code asks, which the docs say is not seen."""


@dataclass(frozen=True)
class Version:
    """A project as its author left it before a run."""

    cells: tuple[tuple[str, str], ...]
    """Id and source of each code cell."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What the author has in each file. Only what differs from the version before is written."""
    env: Mapping[str, str] = field(default_factory=dict)
    unstable: frozenset[str] = frozenset()
    """Ids of cells of which no two runs tell the same, and which must be executed every time."""
    touched: frozenset[str] = frozenset()
    """Files that are given a new time and nothing else."""
    removed: frozenset[str] = frozenset()
    """Files that the author removes although a cell made them."""
    edit: str = "cold"
    """What was done since the version before, in words."""


@dataclass(frozen=True)
class Told:
    """What a run told of one cell."""

    id: str
    status: str
    reason: str
    error: tuple[str, str] | None
    outputs: list[Json]

    @property
    def verdict(self) -> str:
        """The status, with a hit as good as an execution."""
        return "ok" if self.status == "cached" else self.status


@dataclass(frozen=True)
class Ran:
    """What a run told of one notebook."""

    cells: list[Told]
    files: Tree
    rung: str
    fallbacks: list[str]
    kernels: int
    ladder: dict[str, list[str]] = field(default_factory=dict)
    """By id of a cell that is volatile or a barrier, why."""
    seconds: float = 0.0
    whole: bool = False
    """Whether it was known at one look that all cells are cached."""

    def told(self, cell_id: str) -> Told:
        """Return what was told of a cell."""
        return next(cell for cell in self.cells if cell.id == cell_id)

    @property
    def hits(self) -> list[str]:
        """The ids of the cells that were taken from the cache."""
        return [cell.id for cell in self.cells if cell.status == "cached"]

    @property
    def caches_all(self) -> bool:
        """Whether another run with the same store would take all cells from the cache."""
        volatile = any(why.startswith("volatile") for reasons in self.ladder.values() for why in reasons)
        return not volatile and all(cell.verdict == "ok" for cell in self.cells)


@dataclass(frozen=True)
class Problem:
    """One difference."""

    kind: Kind
    cell: str
    told: str
    """What the incremental run told, what the full one, and what the incremental one gave as its reason."""

    @property
    def serious(self) -> bool:
        """Tell whether a user is misled by it."""
        return True


@dataclass(frozen=True)
class Compared:
    """An incremental run beside a full one."""

    incremental: Ran
    full: Ran
    problems: list[Problem]
    unsettled: list[Problem]
    """Differences at cells of which two full runs differ too: a fault of whoever wrote the case."""


class KeptExecutor:
    """An executor that outlives the sessions that use it, so that its fork server boots once."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor

    @property
    def usage(self) -> KernelUsage:
        return self.executor.usage

    def identify(self, notebook: Notebook) -> KernelIdentity:
        return self.executor.identify(notebook)

    def prepare(self, notebook: Notebook) -> None:
        """Launch nothing ahead: whether a kernel is needed is what is measured."""

    def open(self, notebook: Notebook) -> Runner:
        return self.executor.open(notebook)

    def close(self) -> None:
        """Leave it running."""


class _RecordingRun(NotebookRun):
    """A run that remembers what its cells gave, taken from the cache or not."""

    def __init__(self, session: Session, notebook: Notebook, hooks: Any, marks: Marks) -> None:
        super().__init__(session, notebook, hooks, marks)
        self._hits: dict[int, Trace] = {}
        self.given: dict[int, list[Json]] = {}

    def plan(self, run: CellRun) -> Hit | Run:
        decision = super().plan(run)
        if isinstance(decision, Hit):
            self._hits[run.cell.index] = decision.trace
        return decision

    def _facts(self, run: CellRun, result: CellResult, before: KernelUsage) -> CellFacts:
        self.given[run.cell.index] = self._given(run, result)
        return super()._facts(run, result, before)

    def _given(self, run: CellRun, result: CellResult) -> list[Json]:
        if run.outcome is not None:
            return run.outcome.outputs
        if result.status != "cached" or self.store is None:
            return []
        return self.store.outputs(self._hits[run.cell.index])

    def _known(self, cell: Cell, began: float, *, undisturbed: bool) -> CellFacts | None:
        facts = super()._known(cell, began, undisturbed=undisturbed)
        if facts is not None:  # known with the whole notebook
            assert self.store is not None
            assert self._whole is not None
            assert self._whole.hits is not None
            entry = self.store.folder / self._whole.hits[cell.index].entries[0].name
            self.given[cell.index] = self.store.outputs(decode_trace(entry.read_bytes()))
        return facts


class _RecordingSession(Session):
    """A session whose runs remember what their cells gave."""

    def open(self, notebook: Notebook, hooks: Any = None, marks: Callable[[], Marks] | None = None) -> NotebookRun:
        if notebook.path not in self._runs:
            self._runs[notebook.path] = _RecordingRun(self, notebook, self.hooks, Marks())
        return self._runs[notebook.path]


class Lab:
    """One folder in which versions of projects are run, and the kernels for that.

    Use it as a context manager. `preload` are modules that all kernels have loaded from the start; `agent` is a
    folder to take the place of `pytest_cells/in_kernel`, to see whether a broken agent is noticed.
    """

    def __init__(
        self,
        rung: Rung,
        preload: Sequence[str] = (),
        agent: Path | None = None,
        fork_server: Literal["auto", "on", "off"] = "auto",
    ) -> None:
        self.rung = rung
        self._preload = tuple(preload)
        self._agent = agent
        self._fork_server: Literal["auto", "on", "off"] = fork_server
        self._closing = contextlib.ExitStack()
        self.full_runs = self.incremental_runs = 0
        self.timeout = CELL_TIMEOUT_S
        self.beside: tuple[Path, list[Path]] = (Path(), [])
        """A folder, and files in it that each project begins with."""

    def __enter__(self) -> Lab:
        with contextlib.ExitStack() as stack:
            self.base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fz-"))).resolve()
            stack.enter_context(_environment({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}))
            if self._agent is not None:
                stack.enter_context(_agent_from(self._agent))
            compileall.compile_dir(in_kernel.AGENT.parent, quiet=2)  # the kernels here keep no compiled files
            self.project, self._aside = self.base / "project", self.base / "aside"
            self._executor = load_executor(self._settings(None))
            stack.callback(self._executor.close)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def _settings(self, store: Path | None, *, force: bool = False) -> Settings:
        kernel = KernelSettings(timeout=self.timeout, preload=self._preload, ahead=0, fork_server=self._fork_server)
        return Settings(self.project, CacheSettings(store, rung=self.rung, force=force), kernel)

    # -- a case ----------------------------------------------------------------------------------------------

    def case(self, versions: Sequence[Version], first: int = 0) -> Iterator[Compared]:
        """Run each version in turn, and compare from the `first` on; a fresh project and a fresh store."""
        self._begin()
        before = Version(())
        for number, version in enumerate(versions):
            self._place(version, before)
            with _environment(version.env):
                if number >= first:
                    compared = self._compare(version)
                    yield compared
                    if not version.unstable and compared.incremental.caches_all:
                        self.run(self.base / "store")  # what is kept of whole notebooks is there for the next version
                else:
                    self.run(self.base / "store")
            before = version

    def place(self, version: Version) -> Path:
        """Begin with a fresh project of one version, and return the notebook."""
        self._begin()
        self._place(version, Version(()))
        return self.project / NOTEBOOK

    def _begin(self) -> None:
        for folder in (self.project, self._aside, self.base / "store"):
            shutil.rmtree(folder, ignore_errors=True)
        self.project.mkdir()
        for file in self.beside[1]:
            place = self.project / file.relative_to(self.beside[0])
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)

    def _place(self, version: Version, before: Version) -> None:
        """Write what the author changed."""
        for name in (before.files.keys() - version.files.keys()) | version.removed:
            (self.project / name).unlink(missing_ok=True)
        for name, content in version.files.items():
            if before.files.get(name) != content:
                path = self.project / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
        for name in version.touched & version.files.keys():
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.project / name)
        cells = [code(source, id=cell_id) for cell_id, source in version.cells]
        (self.project / NOTEBOOK).write_text(json.dumps(notebook_json(*cells, minor=5), indent=1), encoding="utf-8")

    def _compare(self, version: Version) -> Compared:
        """Run in full from a copy of the files, then incrementally with the files themselves."""
        full = self._aside_run()
        start = read_tree(self.project)
        incremental = self.run(self.base / "store")
        problems = list(differences(version, incremental, full, strict=self.rung == "traces"))
        unsettled: list[Problem] = []
        if problems:
            after = read_tree(self.project)
            for _ in range(FULL_RUNS_MORE):
                write_tree(self.project, start)
                again = self._aside_run()
                unsettled += [problem for problem in problems if not _settled(problem, full, again)]
                problems = [problem for problem in problems if problem not in unsettled]
                if not problems:
                    break
            write_tree(self.project, after)
        return Compared(incremental, full, problems, unsettled)

    def twice(self, version: Version) -> tuple[Ran, Ran]:
        """Run a version in full two times, each from the same files."""
        self.place(version)
        with _environment(version.env):
            return self._aside_run(), self._aside_run()

    def _aside_run(self) -> Ran:
        """Run everything, at the same path but in a copy; the project's own files stay as they are."""
        self.project.rename(self._aside)
        try:
            shutil.copytree(self._aside, self.project)
            return self.run(None)
        finally:
            shutil.rmtree(self.project)
            self._aside.rename(self.project)

    def run(self, store: Path | None, *, force: bool = False) -> Ran:
        """Run the project as it is, with a store or without."""
        began = time.monotonic()
        with _RecordingSession(self._settings(store, force=force)) as session:
            session._executor = KeptExecutor(self._executor)
            started = self._executor.usage.started
            report = session.run([self.project / NOTEBOOK])
            run = session._runs[self.project / NOTEBOOK]
            assert isinstance(run, _RecordingRun)
            results = report.runs[0].cell_results
            cells = [_told(result, cell, run) for result, cell in zip(results, run.notebook.cells, strict=True)]
            refused = next((cell.error for cell in cells if cell.error and cell.error[0] == "KernelRefused"), None)
            if refused is not None:  # nothing at all would be compared
                raise RuntimeError(refused[1])
            opened = hasattr(run, "rung")
            fallbacks = list(getattr(run.live, "fell_back", [])) if opened else []
            rung = run.rung.name if opened else ""
            ladder = _ladder(run) if rung == "traces" else {}
        if store is None:
            self.full_runs += 1
        else:
            self.incremental_runs += 1
        kernels = self._executor.usage.started - started
        seconds = time.monotonic() - began
        whole = run.known_hits > 0
        return Ran(cells, read_tree(self.project), rung, fallbacks, kernels, ladder, seconds, whole)


def _told(result: CellResult, cell: Cell, run: _RecordingRun) -> Told:
    error = (result.error.ename, result.error.evalue) if result.error else None
    return Told(cell.id, result.status, result.reason or "", error, run.given.get(cell.index, []))


def _ladder(run: NotebookRun) -> dict[str, list[str]]:
    """Return why cells are volatile or barriers, by id."""
    found = {}
    for index, step in getattr(run.walk, "steps", {}).items():
        why = [f"volatile: {reason}" for reason in step.trace.volatile]
        why += [f"barrier: {reason}" for reason in step.trace.barrier]
        if why:
            found[run.notebook.cells[index].id] = why
    return found


# -- comparing ------------------------------------------------------------------------------------------------


def differences(version: Version, incremental: Ran, full: Ran, *, strict: bool) -> Iterator[Problem]:
    """Yield what the incremental run told otherwise than the full one.

    `strict`: the cache is to know by itself which cells tell something else every time.
    """
    for ours, theirs in zip(incremental.cells, full.cells, strict=True):
        unstable = ours.id in version.unstable
        if unstable and strict and ours.status == "cached":
            yield Problem("volatile hit", ours.id, f"{ours.reason}")
        if _verdict(ours) != _verdict(theirs):
            yield Problem(_kind_of_verdict(ours, theirs), ours.id, _both(ours, theirs, _verdict))
        elif not unstable and shown(ours) != shown(theirs):
            kind: Kind = "stale" if ours.status == "cached" else "state" if ours.id == PROBE else "wrong run"
            yield Problem(kind, ours.id, _both(ours, theirs, shown))
    if not version.unstable:
        for name in sorted(incremental.files.keys() | full.files.keys()):
            if (mine := incremental.files.get(name)) != (other := full.files.get(name)):
                yield Problem("files", name, f"incremental: {_start(mine)}\nfull:        {_start(other)}")


def _kind_of_verdict(ours: Told, theirs: Told) -> Kind:
    if ours.status == "cached":
        return "stale"
    if theirs.verdict == "ok":
        return "false failure" if ours.status == "error" else "not run"
    return "missed failure" if ours.verdict == "ok" else "wrong run"


def _verdict(cell: Told) -> str:
    error = f" {cell.error[0]}: {normal(cell.error[1])}" if cell.error else ""
    why = f" {normal(cell.reason)}" if cell.status == "skipped" else ""
    return cell.verdict + error + why


def shown(cell: Told) -> str:
    """Return what a cell shows, without what is another in each run: addresses, counts, timings, how streams mix.

    ipykernel sends each stream when a timer of its own says so.
    """
    parts: list[str] = []
    streams: dict[str, str] = {}
    for output in cell.outputs:
        kind = output["output_type"]
        if kind == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + output["text"]
            continue
        parts += _streams_told(streams)
        streams = {}
        if kind == "error":
            parts.append(f"error: {output['ename']}: {output['evalue']}")
        else:
            parts.append(f"{kind}: {json.dumps(output.get('data'), sort_keys=True)}")
    return "\n".join(map(normal, [*parts, *_streams_told(streams)]))


def _streams_told(streams: Mapping[str, str]) -> list[str]:
    return [f"{name}: {text}" for name, text in sorted(streams.items())]


def normal(text: str) -> str:
    """Leave out what is another in each run."""
    if len(text) > MOST_TEXT:  # pictures, whose letters would be taken for anything
        return f"{len(text)} characters: {hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
    if "ipykernel_" in text:
        text = CELL_FILE.sub("<cell>", text)
    text = SUMMED_UP_AT.sub(r"\1<time>", text)
    return TIMINGS.sub("<timing>", ADDRESS.sub("0xADDRESS", text))


def _both(ours: Told, theirs: Told, view: Callable[[Told], str]) -> str:
    mine, other = _around_difference(view(ours), view(theirs))
    return f"incremental: {mine}\nfull:        {other}\nreason:      {ours.status}: {ours.reason}"


def _around_difference(mine: str, other: str, width: int = 600) -> tuple[str, str]:
    pairs = zip(mine, other, strict=False)
    common = next((at for at, (one, two) in enumerate(pairs) if one != two), min(len(mine), len(other)))
    start = max(common - width // 3, 0)
    return mine[start : start + width], other[start : start + width]


def _start(content: bytes | None) -> str:
    return "absent" if content is None else repr(content[:200])


def _settled(problem: Problem, full: Ran, again: Ran) -> bool:
    """Tell whether two full runs agree where the incremental one differs."""
    if problem.kind == "files":
        return full.files.get(problem.cell) == again.files.get(problem.cell)
    one, other = full.told(problem.cell), again.told(problem.cell)
    return _verdict(one) == _verdict(other) and (problem.kind == "volatile hit" or shown(one) == shown(other))


# -- files and environment -------------------------------------------------------------------------------------


def read_tree(folder: Path) -> Tree:
    """Return the files of a folder by path, folders as empty ones with a slash, the notebook left out."""
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if "__pycache__" in name or name == NOTEBOOK or ".ipynb_checkpoints" in name:
            continue
        if path.is_dir():
            found[f"{name}/"] = b""
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def write_tree(folder: Path, tree: Tree) -> None:
    """Make a folder hold these files, and the notebook."""
    for path in sorted(folder.rglob("*"), reverse=True):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and f"{name}/" not in tree:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file() and name != NOTEBOOK and name not in tree:
            path.unlink()
    for name, content in tree.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        elif not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _agent_from(folder: Path) -> Iterator[None]:
    """Take the agent from another folder for a while."""
    from pytest_cells.tracing import kernel as tracing

    agent = folder.resolve() / in_kernel.AGENT.name
    if not agent.is_file():
        raise FileNotFoundError(agent)
    before = in_kernel.AGENT
    in_kernel.AGENT = vars(tracing)["AGENT"] = agent
    try:
        yield
    finally:
        in_kernel.AGENT = vars(tracing)["AGENT"] = before


@contextlib.contextmanager
def altered_agent(changes: Iterable[Sequence[str]]) -> Iterator[Path]:
    """Lend a copy of the agent in which some text is another: a rule broken on purpose, or a bound set otherwise.

    Each change is a file's name, what stands in it, and what is to. Raises ValueError for what stands nowhere in it.
    """
    with tempfile.TemporaryDirectory(prefix="fz-agent-") as folder:
        target = Path(folder) / "agent"
        shutil.copytree(in_kernel.AGENT.parent, target, ignore=shutil.ignore_patterns("__pycache__"))
        for name, old, new in changes:
            text = (target / name).read_text(encoding="utf-8")
            if old not in text:
                raise ValueError(f"{name}: nowhere {old!r}")
            (target / name).write_text(text.replace(old, new), encoding="utf-8")
        yield target


# -- counting --------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What many comparisons gave."""

    notebooks: int = 0
    runs: int = 0
    cells: int = 0
    hits: int = 0
    whole: int = 0
    unstable: int = 0
    skipped: int = 0
    """Cells that did not run because one above failed."""
    fallbacks: int = 0
    unsettled: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    ladder: Counter[str] = field(default_factory=Counter)
    fell_back: Counter[str] = field(default_factory=Counter)

    def add(self, version: Version, compared: Compared) -> None:
        """Count one comparison."""
        self.runs += 1
        ran = [cell for cell in compared.incremental.cells if cell.status != "skipped"]
        self.cells += len(ran)
        self.skipped += len(compared.incremental.cells) - len(ran)
        self.hits += len(compared.incremental.hits)
        self.whole += compared.incremental.whole
        self.unstable += len(version.unstable & {cell.id for cell in ran})
        self.fallbacks += bool(compared.incremental.fallbacks)
        self.unsettled += len(compared.unsettled)
        self.problems.update(problem.kind for problem in compared.problems)
        self.fell_back.update(re.sub(r"cell \S+?(:| )", r"cell \1", why) for why in compared.incremental.fallbacks)
        for reasons in compared.incremental.ladder.values():
            self.ladder.update(reasons)

    def lines(self) -> list[str]:
        """Return the table, line by line."""
        rows = {
            "notebooks": self.notebooks,
            "runs compared": self.runs,
            "cells compared": self.cells,
            "cells not reached": self.skipped,
            "hits": self.hits,
            "notebooks known as a whole": self.whole,
            "false hits (stale)": self.problems["stale"],
            "wrong runs": self.problems["wrong run"] + self.problems["missed failure"] + self.problems["not run"],
            "false failures": self.problems["false failure"],
            "state differences": self.problems["state"],
            "file differences": self.problems["files"],
            "volatile cells cached": self.problems["volatile hit"],
            "crashes": self.problems["crash"],
            "fallbacks": self.fallbacks,
            "unstable cells": self.unstable,
            "unsettled (grammar)": self.unsettled,
        }
        return [f"{name:<22} {count:>8}" for name, count in rows.items()]


def without(version: Version, **changes: Any) -> Version:
    """Return a version with some of it replaced."""
    return replace(version, **changes)
