"""What the agent observed of one cell, and what that makes of it as inputs and writes.

Names of inputs, beside those of `cache/keys.py`: `var:NAME` a variable; `alone:NAME` which others share mutable
objects with a variable that the cell overwrites; `path:FILE` a file's bytes, `list:FOLDER` what a folder holds;
`envvar:NAME` an environment variable; `slot:NAME` ambient state; `loaded:NAME` what cells above have loaded of a
package that may show something when it is imported for the first time; `held:NAME` what they have left in the variables
of a module of the project that the cell may have used; `setup:NAME` what setup code has read; `@history` the last
barrier above; `@chain` everything above, which barriers depend on; `@sources` the text of all cells above.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from pytest_cells.cache.trace import ABSENT, HISTORY, Version, digest_of, finalizes
from pytest_cells.in_kernel.versions import BINDINGS, FINALIZES, LINEAGE
from pytest_cells.model import Json
from pytest_cells.plan import State

CHAIN = "@chain"
UNSEEDED = "unseeded"


class SnapshotFile(msgspec.Struct, frozen=True):
    """A component that the agent has dumped into a file."""

    names: list[str]
    path: str
    sha256: str
    size: int


class Record(msgspec.Struct, frozen=True):
    """What the agent observed of one cell."""

    reads: dict[str, str | None] = msgspec.field(default_factory=dict)
    """By name, its Version before the cell; None for one that was not bound."""
    alone: dict[str, str] = msgspec.field(default_factory=dict)
    """By name that the cell overwrites unread, the names that shared mutable objects with it."""
    writes: dict[str, str | None] = msgspec.field(default_factory=dict)
    uses: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """By name that was written, the names that its code may touch."""
    files: dict[str, str] = msgspec.field(default_factory=dict)
    file_writes: dict[str, str] = msgspec.field(default_factory=dict)
    foreign_writes: dict[str, str] = msgspec.field(default_factory=dict)
    env: dict[str, str] = msgspec.field(default_factory=dict)
    env_of_processes: dict[str, str] = msgspec.field(default_factory=dict)
    """All variables, where the cell started a process."""
    env_writes: dict[str, str | None] = msgspec.field(default_factory=dict)
    slots: dict[str, str] = msgspec.field(default_factory=dict)
    slot_writes: dict[str, str] = msgspec.field(default_factory=dict)
    slot_states: dict[str, str] = msgspec.field(default_factory=dict)
    """Base64 of what sets a slot that was written, where it can be set."""
    modules: list[str] = msgspec.field(default_factory=list)
    first: dict[str, str] = msgspec.field(default_factory=dict)
    """By package that it imports, the modules of it that no cell had loaded, where importing may show something."""
    hushes: bool = False
    """Whether it may have kept back what importing showed."""
    names_indexes: bool = False
    """Whether code so far may give a name to an index, which frames share."""
    again: list[str] = msgspec.field(default_factory=list)
    """Such packages of which there was nothing left to load."""
    unwatched: str | None = None
    """Why readers and writers outside Python cannot be seen, where that is so."""
    own: list[str] = msgspec.field(default_factory=list)
    """Top-level names of the modules it may have used that are neither Python's nor installed."""
    lookups: list[str] = msgspec.field(default_factory=list)
    """What the kernel asked for of the installed, and had not before."""
    volatile: list[str] = msgspec.field(default_factory=list)
    barrier: list[str] = msgspec.field(default_factory=list)
    snapshots: list[SnapshotFile] = msgspec.field(default_factory=list)
    spent_ms: float = 0.0


def read_record(told: Json | None) -> Record | None:
    """Return what the agent told, or None where it told nothing that can be read."""
    if told is None or "problem" in told:
        return None
    try:
        return msgspec.convert(told, Record)
    except msgspec.ValidationError:
        return None


def inputs_of(
    record: Record, state: State, static: Mapping[str, Version], rootdir: Path, *, shows: bool = False
) -> dict[str, Version]:
    """Return all inputs of a cell: what is known of it without running it, and what was observed.

    `shows` tells whether it showed something, which a package may have done that it was the first to import.
    """
    inputs = dict(static)
    for name in record.reads:
        inputs[f"var:{name}"] = state.version(f"var:{name}")
    for name, others in record.alone.items():
        inputs[f"alone:{name}"] = others
    for path, version in record.files.items():
        kind = "list" if version.startswith("list:") else "path"
        inputs[f"{kind}:{shown(path, rootdir)}"] = version
    for name, version in record.env.items():
        inputs[f"envvar:{name}"] = version
    for slot in record.slots:
        inputs[f"slot:{slot}"] = state.version(f"slot:{slot}")
    for name in record.own:
        inputs[f"module:{name}"] = state.version(f"module:{name}")
    for name in (*record.first, *record.again):
        loaded = state.version(f"loaded:{name}")
        if loaded != ABSENT or (shows and name in record.first):
            inputs[f"loaded:{name}"] = loaded
    for name in modules_of(record):
        inputs[f"held:{name}"] = state.version(f"held:{name}")
    for name in record.writes:
        if name.endswith(BINDINGS):  # it may have been the first to load the module, wherever from
            inputs[f"var:{name}"] = state.version(f"var:{name}")
    if record.barrier:
        inputs[CHAIN] = state.version(CHAIN)
    return inputs


def setup_inputs(record: Record, rootdir: Path) -> dict[str, Version]:
    """Return what setup code has read, as inputs of each cell: `setup:` before the name, since no cell can write it."""
    read = Record(files=record.files, env={**record.env_of_processes, **record.env})
    return {f"setup:{name}": version for name, version in inputs_of(read, State(str), {}, rootdir).items()}


def modules_of(record: Record) -> list[str]:
    """Return the modules of the project, by top-level name, that a cell may have used.

    What cells above have left in them matters, also variables that were not there when the cell ran: it may have been
    the first to load a module, and have found it as its file makes it, or have asked in vain for an attribute.
    """
    return sorted({*record.own, *(name.partition(":")[0].partition(".")[0] for name in record.writes if ":" in name)})


def writes_of(
    record: Record, lookup: str, inputs: Mapping[str, Version], rootdir: Path, nonce: str = ""
) -> dict[str, Version]:
    """Return what a cell wrote. `nonce` tells apart what the inputs cannot: of a cell that is executed every time."""
    key = digest_of([lookup, dict(inputs), nonce])
    writes: dict[str, Version] = {}
    for name, version in record.writes.items():
        writes[f"var:{name}"] = lineage(version, key)
    for path, version in record.file_writes.items():
        writes[f"path:{shown(path, rootdir)}"] = version
    for name, value in record.env_writes.items():
        writes[f"envvar:{name}"] = ABSENT if value is None else value_digest(value)
    for slot, version in record.slot_writes.items():
        writes[f"slot:{slot}"] = version
    for name, modules in record.first.items():
        if (loaded := inputs.get(f"loaded:{name}")) is not None:
            writes[f"loaded:{name}"] = digest_of([loaded, modules])
    if record.barrier:
        writes[HISTORY] = key
    return writes


def lineage(version: str | None, key: str) -> Version:
    """Return the Version of a value that a cell made: one without a digest is what this trace made of its inputs."""
    if version is None:
        return ABSENT
    if not version.startswith("?"):
        return version
    members = version.partition("&")[2]
    made = digest_of([version, key])[:32] + (FINALIZES if finalizes(version) else "")
    return f"{LINEAGE}{made}&{members}" if members else f"{LINEAGE}{made}"


def members_of(name: str, version: Version) -> tuple[str, ...]:
    """Return the names of the component that a variable is of."""
    members = version.partition("&")[2]
    return tuple(members.split(",")) if members else (name,)


def held_version(name: str, versions: Mapping[str, Version]) -> Version:
    """Return what cells have left in the variables of a module and of those inside it."""
    found = {inside: versions[f"var:{inside}"] for inside in variables_inside(name, versions)}
    return digest_of(found) if found else ABSENT


def variables_inside(module: str, versions: Mapping[str, Version]) -> list[str]:
    """Return the variables, `module:variable`, of a module and of those inside it that cells have bound.

    Not what their functions are: that is an input of those that loaded them, or found them loaded.
    """
    inside = (f"var:{module}:", f"var:{module}.")
    found = [key[4:] for key, version in versions.items() if key.startswith(inside) and version != ABSENT]
    return [name for name in found if not name.endswith(BINDINGS)]


def alone_version(name: str, versions: Mapping[str, Version]) -> Version:
    """Return what of a variable matters to a cell that overwrites it: which other names share mutable objects with it.

    Of one that runs code when it is dropped all matters.
    """
    version = versions.get(f"var:{name}", ABSENT)
    if finalizes(version):
        return version
    return ",".join(other for other in members_of(name, version) if other != name)


def value_digest(value: str) -> Version:
    """Return the Version of an environment variable's value."""
    return hashlib.sha256(os.fsencode(value)).hexdigest()


def shown(path: str, rootdir: Path) -> str:
    """Return a path relative to rootdir where it is inside, with forward slashes."""
    found = Path(path)
    return (found.relative_to(rootdir) if found.is_relative_to(rootdir) else found).as_posix()
