"""One notebook's kernel on the traces rung: it holds what the next cell needs, and that may be little."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import msgspec

from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import ABSENT, Damaged, Snapshot, Trace, Version, finalizes
from pytest_cells.errors import StoreError
from pytest_cells.evaluator import Executor, ObservingRunner
from pytest_cells.in_kernel import AGENT
from pytest_cells.in_kernel.lookups import ALL
from pytest_cells.in_kernel.versions import BINDINGS, FOLDER, LISTING, SHARES
from pytest_cells.judge import judge
from pytest_cells.kernels.processes import open_for_writing
from pytest_cells.live import Filter, LiveKernel
from pytest_cells.model import Cell, Json, Notebook, Outcome
from pytest_cells.settings import Settings
from pytest_cells.tracing.environments import Environments
from pytest_cells.tracing.record import (
    Record,
    inputs_of,
    modules_of,
    read_record,
    setup_inputs,
    shown,
    variables_inside,
    writes_of,
)
from pytest_cells.tracing.seal import Sealer
from pytest_cells.tracing.walk import Step, TraceWalk
from pytest_cells.tracing.way import Below, Replay, Restore, Way, find_way, needed_below, reachable, states_of_modules
from pytest_cells.walk import always_runs

SNAPSHOT_S = 0.2
"""A cell that took longer than this may leave snapshots of what it made."""
LITTLE_MS = 500.0
"""What cells below an edited one will probably need is brought back with the rest where that takes no longer."""
LOADED_BYTES_PER_MS = 500_000
"""How fast snapshots are loaded, about."""
UNOBSERVED = "the agent could not observe it"


class _Surprise(Exception):
    """Something in the kernel is not as the traces say: the way there was wrong."""


class _NotRestored(_Surprise):
    """A snapshot does not give back what was dumped: there is another way."""


class TracedKernel(LiveKernel):
    """A kernel that holds the state of a plain run, or as much of it as the next cell is known to touch.

    What was not expected (a name that was touched and not brought back, a replay that differs, an error) is never
    reported: the cells above are executed in a fresh kernel instead, each once, and then the cell again.
    """

    def __init__(
        self,
        executor: Executor,
        notebook: Notebook,
        walk: TraceWalk,
        settings: Settings,
        setup_codes: Sequence[str],
        filters: Sequence[Filter],
        around: Callable[[Cell, Callable[[], None]], bool],
        meanwhile: Callable[[], None],
        store: Store | None,
        sealer: Sealer,
        environments: Environments,
    ) -> None:
        super().__init__(executor, notebook, walk, settings, setup_codes, filters, around, meanwhile)
        self._traces, self._store, self._sealer, self._environments = walk, store, sealer, environments
        self._whole = True
        """Whether the kernel has executed all cells above its position."""
        self._distrust = bool(settings.cache.audit)
        """Whether traces of this notebook led astray: from then on all cells above are executed."""
        self._on_the_way = False
        """Whether cells are executed only to bring state back."""
        self._brought_back_ms = 0.0
        """How long what was executed again to bring state back took when it was executed first."""
        self._below: dict[int, Below] = {}
        """What is known of cells that were not decided yet when that was asked for."""
        self._setup_inputs: dict[str, Version] = {}
        """What setup code has read."""
        self._held: dict[str, Version] = {}
        """What each name is worth in this kernel, where it has been brought back or written."""
        self._slots: dict[str, Version] = {}
        self._bad: set[str] = set()
        """Snapshots that did not give back what was dumped."""
        self._watched: Json | None = None
        self._lookups: set[str] = set()
        """What this kernel has asked for of the installed."""
        self._added_to_files = False
        """Whether a cell that was executed in this kernel has changed a file that it reads."""
        self.fell_back: list[str] = []
        """Why state was brought back by executing everything, in words."""

    def drop(self) -> None:
        """Let the kernel go, and what is known of it."""
        super().drop()
        self._whole, self._held, self._slots, self._watched = True, {}, {}, None
        self._added_to_files = False
        self._lookups = set()

    def _set_up(self, code: str) -> Outcome:
        runner = cast(ObservingRunner, self._runner)
        wishes = {"setup": True, **self._agent()}
        outcome = runner.execute(code, timeout=self._settings.kernel.timeout, history=False, wishes=wishes)
        record = read_record(outcome.observed)
        if record is not None:
            self._setup_inputs |= setup_inputs(record, self._settings.rootdir)
        return outcome

    # -- bringing state back -------------------------------------------------------------------------------

    def _reach(self, cell: Cell) -> None:
        if self._runner is not None and (not self._runner.alive or self._position > cell.index):
            self.drop()
        if cell.blank:
            return
        if self._runner is None:
            self._start()
        way = None if self._distrust else self._way(cell)
        if way is None and not self._distrust and self._position and not self._whole:
            self.drop()
            self._start()
            way = self._way(cell)
            if way is not None and not self._pays(way, cell):
                way = None
        while way is not None:
            try:
                self._go(way, cell)
            except _NotRestored as problem:
                self.fell_back.append(str(problem))
                self.drop()
                self._start()
                way = self._way(cell)
            except _Surprise as surprise:
                self._give_up(str(surprise))
                break
            else:
                return
        self._execute_all_above(cell)

    def _pays(self, way: Way, cell: Cell) -> bool:
        """Tell whether one more kernel that lacks something costs less, with those before it, than one that has all.

        So kernel after kernel is not given up for what the next cell needs, at the cost of many full runs.
        """
        above = filter(self._counts, self._notebook.cells[: cell.index])
        return self._brought_back_ms + self._costs_ms(way) < sum(self._took_ms(other.index) for other in above)

    def _costs_ms(self, way: Way) -> float:
        """Return about how long it takes to bring back state."""
        anew = sum(self._took_ms(action.index) for action in way.actions if isinstance(action, Replay))
        loaded = [kept.size for action in way.actions if isinstance(action, Restore) for kept in action.snapshots]
        return anew + sum(loaded) / LOADED_BYTES_PER_MS

    def _took_ms(self, index: int) -> float:
        step = self._traces.steps.get(index)
        return step.trace.duration_ms if step is not None else 0.0

    def _execute_all_above(self, cell: Cell) -> None:
        """Bring the kernel to the cell as a plain run would."""
        if not self._whole:
            self.drop()
        if self._runner is None:
            self._start()
        self._replay_above(cell)

    def _way(self, cell: Cell) -> Way | None:
        """Return how to bring back what the cell may touch, or None where all above must be executed."""
        assert self._runner is not None
        if self._whole and not self._lacks_cells_above(cell):
            return Way((), frozenset())
        barrier = self._traces.last_barrier(cell.index)
        first = self._position
        if barrier is not None and barrier >= first:
            if not self._whole:
                return None
            first = barrier + 1
        if self._accumulates(cell):
            return None
        told = self._request("names_of", source=cell.source)
        if told is None or told.get("any"):
            return None
        find = self._finder(cell, told, first)
        below = self._cells_below(cell)
        sure, likely = (needed_below(below, edits_matter=edits_matter) for edits_matter in (False, True))
        way = find(sure)
        if way is None:
            return find(set())
        longer = find(likely) if likely != sure else None
        return longer if longer is not None and self._costs_ms(longer) - self._costs_ms(way) < LITTLE_MS else way

    def _finder(self, cell: Cell, told: Json, first: int) -> Callable[[set[str]], Way | None]:
        """Return what finds the way, from a position on, to what the agent told that the cell may touch, and more."""
        versions = self._traces.versions(cell.index)
        uses = self._uses(cell)
        dropped = [name for name in told.get("overwritten", []) if finalizes(versions.get(f"var:{name}", ABSENT))]
        touched = [*told.get("names", []), *dropped, *states_of_modules(versions, told.get("imports", []))]
        traces = {
            index: self._traces.steps[index].trace for index in range(first, cell.index) if index in self._traces.steps
        }
        held = self._held if first == self._position else {**self._held, **self._all_held(first)}
        skipped = self._traces.skipped
        prefix = tuple(Replay(index) for index in range(self._position, first) if index not in skipped)

        def find(more: set[str]) -> Way | None:
            needed = reachable([*touched, *more], uses, versions)
            way = find_way(needed, traces, first, cell.index, self._traces.versions, held, self._bad)
            return None if way is None else Way(prefix + way.actions, way.needed)

        return find

    def _cells_below(self, cell: Cell) -> list[Below]:
        """Return what is known of a cell and those below it that may be executed after it."""
        selected = self._traces.selected() if self._traces.selected is not None else None
        below = []
        for other in filter(self._counts, self._notebook.cells[cell.index :]):
            known = self._known_of(other)
            wanted = selected is None or other.index in selected
            below.append(known if wanted else Below(frozenset(), known.writes))
        return below

    def _known_of(self, cell: Cell) -> Below:
        """Return what a cell did when it was last executed, or else what its source says that it reads."""
        if cell.index not in self._below:
            assert self._store is not None
            trace = next(self._store.candidates(self._traces.lookup(cell), "", []), None)
            if trace is not None:
                known = Below.of(trace)
            else:
                told = self._request("names_of", source=cell.source) or {}
                reads, writes = frozenset(told.get("names", ())), frozenset(told.get("overwritten", ()))
                known = Below(reads, writes, edited=True)
            if always_runs(cell):
                known = dataclasses.replace(known, volatile=True)
            self._below[cell.index] = known
        return self._below[cell.index]

    def _uses(self, cell: Cell) -> dict[str, list[str]]:
        """Return, by name, the names that code in its value may touch before a cell."""
        uses: dict[str, list[str]] = {}
        for index in range(cell.index):
            step = self._traces.steps.get(index)
            if step is None:
                continue
            for name in step.writes:
                uses.pop(name.partition(":")[2], None)
            uses.update(step.trace.uses)
        return uses

    def _accumulates(self, cell: Cell) -> bool:
        """Tell whether a cell changes files that it reads, or one above has just done so.

        What is added twice is not what was added once: such a cell is executed once in a session, in a kernel that
        holds everything and goes on doing so.
        """
        if self._added_to_files:
            return self._whole
        assert self._store is not None
        return any(map(_adds_to_files, self._store.candidates(self._traces.lookup(cell), "", [])))

    def _all_held(self, index: int) -> dict[str, Version]:
        """Return what the names are worth once all cells above a position were executed."""
        versions = self._traces.versions(index)
        return {name[4:]: version for name, version in versions.items() if name.startswith("var:")}

    def _go(self, way: Way, cell: Cell) -> None:
        """Bring state back. Raises _Surprise where something is not as it was."""
        self._on_the_way = True
        try:
            for action in way.actions:
                above = self._notebook.cells[action.index]
                self._skip_to(above)
                if isinstance(action, Restore):
                    for snapshot in action.snapshots:
                        self._load(snapshot, self._traces.steps[action.index].trace)
                else:
                    self._set_slots(above)
                    self._brought_back_ms += self._took_ms(above.index)
                    self._replay(above)
                    self._position = above.index + 1
        finally:
            self._on_the_way = False
        if way.actions or self._position != cell.index:
            self._skip_to(cell)
            self._set_slots(cell)

    def _lacks_cells_above(self, cell: Cell) -> bool:
        """Tell whether there are cells to execute between the kernel's position and a cell."""
        return any(map(self._counts, self._notebook.cells[self._position : cell.index]))

    def _skip_to(self, cell: Cell) -> None:
        if self._lacks_cells_above(cell):
            self._whole = False
        self._position = max(self._position, cell.index)

    def _set_slots(self, cell: Cell) -> None:
        """Give ambient state the value that it has before a cell in a plain run."""
        if self._whole:
            return
        versions = self._traces.versions(cell.index)
        states: dict[str, str] = {}
        for index in range(cell.index):
            step = self._traces.steps.get(index)
            if step is not None and index not in self._traces.skipped:
                states.update(step.trace.slot_states)
        due = {}
        for name, version in versions.items():
            slot = name.removeprefix("slot:")
            if slot != name and self._slots.get(slot, "start") != version:
                if slot not in states:
                    raise _Surprise(f"{slot} cannot be set")
                due[slot] = states[slot]
                self._slots[slot] = version
        if due:
            failed = self._request("set_slots", slots=due)
            if failed is None or failed.get("failed"):
                raise _Surprise("ambient state cannot be set")

    def _load(self, snapshot: Snapshot, trace: Trace) -> None:
        """Load a snapshot into the kernel, and check that it is what was dumped."""
        assert self._store is not None
        self._bad.add(snapshot.digest)
        names = ", ".join(snapshot.names)
        if not self._sealer.made(snapshot):
            raise _NotRestored(f"the snapshot of {names} was made by somebody else")
        path = self._store.blob_path(snapshot.digest)
        told = self._request("restore", path=str(path), digest=snapshot.digest)
        versions = told.get("versions") if told is not None else None
        if not isinstance(versions, dict):
            raise _NotRestored(f"{names} could not be restored")
        for name in snapshot.names:
            if versions.get(name) != trace.writes.get(f"var:{name}"):
                raise _NotRestored(f"{name} was not what it had been when it was restored")
            self._held[name] = trace.writes[f"var:{name}"]
        self._bad.discard(snapshot.digest)

    def _request(self, what: str, **arguments: Any) -> Json | None:
        return cast(ObservingRunner, self._runner).request(what, {**arguments, **self._agent()})

    def _give_up(self, why: str) -> None:
        self.fell_back.append(why)
        self._distrust = True
        self.drop()

    # -- executing -----------------------------------------------------------------------------------------

    def execute(self, cell: Cell) -> tuple[dict[str, Version], Outcome]:
        """Execute a cell that was reached; return what it read, and the outcome.

        What a kernel that does not hold everything gives counts only where it touched nothing that is missing, and
        passed: else all cells above are executed, and the cell again.
        """
        inputs, outcome = self._execute_once(cell)
        if outcome is None:
            if self._on_the_way:
                raise _Surprise(self.fell_back[-1])
            self._execute_all_above(cell)
            inputs, outcome = self._execute_once(cell)
            assert outcome is not None
        return inputs, outcome

    def _execute_once(self, cell: Cell) -> tuple[dict[str, Version], Outcome | None]:
        self._check_dependencies(cell)
        limit, whole = self._limit_now(cell)
        static = self._traces.static(cell)
        if cell.blank or self._runner is None:
            self._traces.note(cell, Step(Trace(self._traces.lookup(cell), static, {}), executed=True))
            return static, Outcome()
        wishes = self._wishes(cell)
        runner = cast(ObservingRunner, self._runner)
        outcome = runner.execute(cell.source, timeout=limit, meanwhile=self._meanwhile, wishes=wishes)
        self.peak_mb = max(self.peak_mb, self._runner.peak_mb or 0.0)
        outcome = self._deadline_told(outcome, whole=whole)
        record = read_record(outcome.observed)
        error = judge(cell, outcome)
        if record is None and not outcome.died:
            self._tell_unobserved(outcome)
        if not self._whole:
            problem = self._problem(cell, record, outcome, failed=error is not None)
            if problem is not None:
                self._give_up(problem)
                return static, None
        if outcome.died:
            self.deaths += 1
            self._distrust = True  # what killed it may be in any cell above: the next kernel executes them all
            self.drop()
            return static, outcome
        record = record or Record(barrier=[UNOBSERVED], volatile=[UNOBSERVED], lookups=[ALL])
        inputs = self._note(cell, static, record, outcome, failed=error is not None)
        self._position = cell.index + 1
        return inputs, msgspec.structs.replace(outcome, outputs=self._filtered(outcome.outputs))

    def _tell_unobserved(self, outcome: Outcome) -> None:
        """Say once that cells cannot be observed, and what that means."""
        problem = (outcome.observed or {}).get("problem", "the kernel told nothing")
        told = f"{self._notebook.name}: cells cannot be observed, and are executed in every run ({problem})"
        if told not in self.notes:
            self.notes.append(told)

    def _problem(self, cell: Cell, record: Record | None, outcome: Outcome, *, failed: bool) -> str | None:
        """Return why what a kernel gave that does not hold everything does not count, or None."""
        if outcome.died or outcome.timed_out or outcome.verdict == "skipped" or failed:
            return f"cell {cell.label} did not pass"
        if record is None:
            return UNOBSERVED
        if record.barrier and not cell.directives.pure:
            return f"cell {cell.label}: {record.barrier[0]}"
        state = self._traces.state(cell)
        seen = {**record.env_of_processes, **record.env}
        for key, written in state.versions.items():
            kind, _, name = key.partition(":")
            if kind == "envvar" and (name in seen or "*" in seen) and seen.get(name, ABSENT) != written:
                return f"cell {cell.label} read the environment variable {name}, which was not brought back"
        for path, found in record.files.items():
            name = shown(path, self._settings.rootdir)
            if not found.startswith(LISTING) and state.versions.get(f"path:{name}", found) != found:
                return f"cell {cell.label} read {name}, which was not as the cells above leave it"
        for module in modules_of(record):
            for name in variables_inside(module, state.versions):
                if name not in record.reads and name not in self._held:
                    return f"cell {cell.label} used {name.partition(':')[0]}, whose state was not brought back"
        for name, version in record.writes.items():
            loaded = name.endswith(BINDINGS) and name not in record.reads
            if loaded and state.version(f"var:{name}") not in (ABSENT, version):
                return f"cell {cell.label} loaded {name.partition(':')[0]}, which was something else by then"
        if record.names_indexes and not _sharing(self._uses(cell)).isdisjoint(record.reads):
            return f"cell {cell.label} may name an index that frames share"
        for name in record.first:
            if state.version(f"loaded:{name}") != ABSENT:
                return f"cell {cell.label} imported {name} for the first time, which a cell above had done"
        for name, version in record.reads.items():
            wanted = state.version(f"var:{name}")
            there = ABSENT if version is None else self._held.get(name, "") if version.startswith("?") else version
            if wanted != there:
                return f"cell {cell.label} touched {name}, which was not brought back"
        return None

    def _note(
        self, cell: Cell, static: dict[str, Version], record: Record, outcome: Outcome, *, failed: bool
    ) -> dict[str, Version]:
        """Note what a cell did, in this kernel and in the notebook's walk."""
        state = self._traces.state(cell)
        record = self._conservative(record)
        self._lookups.update(record.lookups)
        lookups = None if record.barrier else self._lookups_until(cell)
        if cell.directives.pure:
            record = msgspec.structs.replace(record, barrier=[])
        elif record.env_of_processes:
            known = {name: state.version(f"envvar:{name}") for name in record.env_of_processes}
            record = msgspec.structs.replace(record, env={**known, **record.env})
        if failed:
            record = msgspec.structs.replace(record, barrier=[*record.barrier, "it failed"])
        if cell.directives.cache_anyway:
            record = msgspec.structs.replace(record, volatile=[])
        shows = record.hushes or any(out["output_type"] in ("stream", "display_data") for out in outcome.outputs)
        inputs = self._setup_inputs | inputs_of(record, state, static, self._settings.rootdir, shows=shows)
        lookup = self._traces.lookup(cell)
        nonce = str(time.time_ns()) if record.volatile or not cell.directives.cache else ""
        writes = writes_of(record, lookup, inputs, self._settings.rootdir, nonce)
        trace = Trace(
            lookup,
            inputs,
            writes,
            duration_ms=round(outcome.duration_ms, 3),
            uses=record.uses,
            slot_states=record.slot_states,
            snapshots=self._snapshots(record) if not failed else (),
            volatile=tuple(record.volatile),
            barrier=tuple(record.barrier),
            lookups=lookups,
        )
        for name, version in writes.items():
            kind, _, rest = name.partition(":")
            if kind == "var":
                self._held[rest] = version
            elif kind == "slot":
                self._slots[rest] = version
        self._added_to_files = self._added_to_files or _adds_to_files(trace)
        self._traces.note(cell, Step(trace, executed=True))
        return inputs

    def _lookups_until(self, cell: Cell) -> str | None:
        """Return the digest of what a kernel that executes all has asked for of the installed; None if it is unknown.

        What cells above asked for counts too where they were not executed in this one.
        """
        names = frozenset(self._lookups)
        if not self._whole:
            cells = filter(self._counts, self._notebook.cells[: cell.index])
            steps = [self._traces.steps.get(above.index) for above in cells]
            for digest in {step.trace.lookups for step in steps if step is not None}:
                asked = self._environments.lookups(digest)
                if asked is None:
                    return None
                names |= asked
        return self._environments.keep_lookups(names)

    def _conservative(self, record: Record) -> Record:
        """Draw the conclusions from what could not be observed."""
        barrier, volatile, writes = list(record.barrier), list(record.volatile), dict(record.file_writes)
        if record.unwatched:
            barrier.append(f"files that are read outside Python cannot be seen ({record.unwatched})")
        if record.foreign_writes and self._settings.shared_run:
            volatile.append(f"it cannot be told whether it wrote {min(record.foreign_writes)}")
        else:
            writes |= record.foreign_writes
        return msgspec.structs.replace(record, barrier=barrier, volatile=volatile, file_writes=writes)

    def _wishes(self, cell: Cell) -> Json:
        wishes: Json = {"trace": True, "snapshot_s": SNAPSHOT_S, **self._agent()}
        if not self._whole:
            above = sum(1 for other in self._notebook.cells[: cell.index] if self._counts(other))
            wishes["count"] = above
        below = next(filter(self._counts, self._notebook.cells[cell.index + 1 :]), None)
        if below is not None:
            wishes["next"] = below.source
        if self._snapshot_folder is not None:
            wishes["folder"] = self._snapshot_folder
        return wishes

    @cached_property
    def _snapshot_folder(self) -> str | None:
        """Where the agent dumps snapshots; None where none can be kept."""
        if self._store is not None and self._seals():
            with contextlib.suppress(OSError):
                return str(self._store.snapshot_folder())
        return None

    def _seals(self) -> bool:
        """Tell whether snapshots can be sealed; say once where they cannot."""
        try:
            self._sealer.prepare()
        except StoreError as error:
            told = f"no snapshots are kept, so that cells above are executed again: {error}"
            if told not in self.notes:
                self.notes.append(told)
            return False
        return True

    def _agent(self) -> Json:
        """Return where the agent finds the rest of itself, and what it watches."""
        if self._watched is None:
            controller = self._settings.controller
            processes = (os.getpid(),) if controller is None else (os.getpid(), controller)
            ignored = open_for_writing(processes) or []  # what pytest itself writes, such as its own output
            if self._store is not None:
                ignored.append(str(self._store.folder))
            self._watched = {
                "agent": str(AGENT.parent),
                "project": str(self._settings.rootdir),
                "ignored": ignored,
            }
        return self._watched

    def _counts(self, cell: Cell) -> bool:
        """Tell whether a cell is executed in a plain run: blank ones leave nothing behind, as skipped ones."""
        return cell.index not in self._traces.skipped and not cell.blank

    def _snapshots(self, record: Record) -> tuple[Snapshot, ...]:
        """Take in the files that the agent has dumped."""
        kept = []
        for file in record.snapshots:
            if self._store is None:
                Path(file.path).unlink(missing_ok=True)
                continue
            with contextlib.suppress(OSError, Damaged):
                self._store.take_in(Path(file.path), file.sha256)
                kept.append(
                    Snapshot(tuple(file.names), file.sha256, self._sealer.seal(file.sha256, file.names), file.size)
                )
        return tuple(kept)

    def _replay_now(self, cell: Cell) -> None:
        before = self._traces.steps.get(cell.index)
        expected = dict(before.writes) if before is not None else None
        everything_above = self._whole and not self._on_the_way
        super()._replay_now(cell)
        after = self._traces.steps.get(cell.index)
        if expected is not None and not everything_above and (after is None or dict(after.writes) != expected):
            raise _Surprise(f"cell {cell.label} did something else when it was executed again")


def _sharing(uses: Mapping[str, Collection[str]]) -> set[str]:
    """Return the names that hold the same Index objects of pandas as others; snapshots do not bring that back."""
    found = {(name, other.removeprefix(SHARES)) for name, used in uses.items() for other in used if other[:1] == SHARES}
    return {name for pair in found for name in pair}


def _adds_to_files(trace: Trace) -> bool:
    """Tell whether a cell changed a file that it had read or asked for, as one that appends to it does."""
    changed = (name for name, version in trace.writes.items() if name.startswith("path:") and version != FOLDER)
    return any(trace.inputs.get(name) not in (None, trace.writes[name]) for name in changed)
