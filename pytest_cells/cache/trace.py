"""What one passing cell read and wrote: the unit of the cache, and how it is put into bytes."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from pytest_cells.in_kernel.versions import FINALIZES
from pytest_cells.model import CellError, Json

CHUNK = 2**20
FEW_BYTES = 2**12
"""Outputs that take no more are kept in the trace itself."""
FORMAT = 1
"""The version of keys and entries. A change of either makes a new number; old entries are then misses."""

HISTORY = "@history"
"""The pseudo-input of the chain rung: everything that was executed before this cell."""
ENVIRONMENT = "@environment"
"""Interpreter, kernel packages and installed distributions."""

_CANONICAL = msgspec.json.Encoder(order="deterministic")
_OF_ANY_TEXT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
"""Slower, and the same, byte by byte, where both can: numbers are integers and the keys texts."""

Version = str
"""A digest that identifies the value of one input at one moment."""
ABSENT: Version = "absent"


class Artifact(msgspec.Struct, frozen=True):
    """One file that a cell left under an artifact folder, or removed from it."""

    digest: str | None
    """SHA-256 of the bytes, or None for a file that the cell removed."""
    size: int = 0
    """Bytes."""
    stored: bool = False
    """Whether the bytes are in the store."""
    sure: bool = True
    """Whether the cell itself is known to have written it; else it is never put back over what is there."""


class Snapshot(msgspec.Struct, frozen=True):
    """A component that a cell left, as bytes in the store."""

    names: tuple[str, ...]
    digest: str
    """SHA-256 of the bytes."""
    mac: str
    """Proves that this user's own runs made it: it is loaded by pickle, which executes what it is told."""
    size: int = 0


class Trace(msgspec.Struct, frozen=True, dict=True):
    """The record of one execution of one cell that passed."""

    lookup: str
    inputs: dict[str, Version]
    writes: dict[str, Version]
    artifacts: dict[str, Artifact] = msgspec.field(default_factory=dict)
    """By path relative to rootdir, with forward slashes."""
    outputs: str | None = None
    """Digest of the outputs' JSON in the store, None where there are none or they are `few_outputs`."""
    error: CellError | None = None
    """The error that was expected and came."""
    duration_ms: float = 0.0
    uses: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """By name that was written, the names that its code may touch."""
    slot_states: dict[str, str] = msgspec.field(default_factory=dict)
    """Base64 of what sets a slot that was written again."""
    snapshots: tuple[Snapshot, ...] = ()
    volatile: tuple[str, ...] = ()
    """Why the cell is executed in every run."""
    barrier: tuple[str, ...] = ()
    """Which of its effects cannot be attributed: it depends on all above, and all below depends on it."""
    lookups: str | None = None
    """Digest of the list of what the kernel had asked for of the installed; None where that is not known."""
    few_outputs: list[Json] = msgspec.field(default_factory=list)
    """Outputs of a few kB: reading them costs nothing here, and a file of their own would."""

    @cached_property
    def key(self) -> str:
        """The cache key: lookup key and all inputs in one digest."""
        return digest_of([self.lookup, self.inputs])


class CellRecord(msgspec.Struct, frozen=True):
    """What a cell was and depended on when it last passed: for reasons and for scheduling, never for a hit."""

    source: str
    directives: str
    kernel: dict[str, str]
    inputs: dict[str, Version]
    duration_ms: float = 0.0


class NotebookRecord(msgspec.Struct, frozen=True):
    """What is remembered of a notebook: its cells by id, and the digest of the environment."""

    cells: dict[str, CellRecord]
    environment: str = ""


class Stamp(msgspec.Struct, frozen=True):
    """An entry of the store as it was found: nothing is ever written into one, so the same stamp is the same entry."""

    name: str
    """Its path relative to the store, with forward slashes."""
    size: int
    mtime_ns: int


class Damaged(Exception):
    """An entry that is no entry of ours, or no longer; the text says why."""


def finalizes(version: Version) -> bool:
    """Tell whether the Version is that of a value which runs code of the notebook when it is dropped."""
    return version.partition("&")[0].endswith(FINALIZES)


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-ready value, independent of the order of keys."""
    try:
        text = _CANONICAL.encode(value)
    except (TypeError, UnicodeEncodeError):  # a class derived from text or numbers, a lone surrogate
        text = _OF_ANY_TEXT.encode(value).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()


def digest_bytes(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read in pieces. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def encode(value: Any) -> bytes:
    """Return a value as JSON. Lone surrogates, which are no UTF-8, become their escapes as text."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(msgspec.to_builtins(value)))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_clean(key): _clean(inner) for key, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def encode_trace(trace: Trace) -> bytes:
    """Return the entry for a trace: a line with format and checksum, then JSON."""
    body = encode(trace)
    return f"pytest-cells trace {FORMAT} {digest_bytes(body)}\n".encode() + body


def decode_trace(entry: bytes) -> Trace:
    """Read an entry back. Raises Damaged for one that is truncated, altered, foreign or of another format."""
    head, _, body = entry.partition(b"\n")
    words = head.decode("ascii", "replace").split(" ")
    if len(words) != 4 or words[:2] != ["pytest-cells", "trace"]:
        raise Damaged("empty entry" if not entry else "foreign entry")
    if words[2] != str(FORMAT):
        raise Damaged(f"entry of format {words[2][:8]}, this version reads {FORMAT}")
    if words[3] != digest_bytes(body):
        raise Damaged("truncated or altered entry")
    try:
        return msgspec.json.decode(body, type=Trace)
    except msgspec.DecodeError as error:
        raise Damaged(f"unreadable entry: {error}") from None


def encode_outputs(outputs: list[Json]) -> bytes:
    """Return outputs as the bytes that are stored."""
    return encode(outputs)


def decode_outputs(content: bytes) -> list[Json]:
    """Read stored outputs back."""
    return msgspec.json.decode(content, type=list[Json])
