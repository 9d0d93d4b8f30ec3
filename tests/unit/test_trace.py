from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from pytest_cells.cache.trace import (
    FORMAT,
    HISTORY,
    Artifact,
    Damaged,
    Trace,
    decode_outputs,
    decode_trace,
    digest_bytes,
    digest_of,
    encode_outputs,
    encode_trace,
)
from pytest_cells.model import CellError

from .helpers import a_trace

FULL = a_trace(
    inputs={"file:café.csv": "1", "env:MODE": "absent"},
    artifacts={"artifacts/a.png": Artifact("12" * 32, 17, stored=True), "artifacts/old.png": Artifact(None)},
    outputs="34" * 32,
    error=CellError("ValueError", "no\nmore", ["line 1", "line 2"], 3, ("ValueError", "Exception")),
    duration_ms=12.5,
)


@pytest.mark.parametrize("trace", [a_trace(), FULL], ids=["least", "full"])
def test_round_trip(trace: Trace) -> None:
    """A trace is read back as it was written."""
    assert trace == decode_trace(encode_trace(trace))


def test_an_artifact_whose_name_is_no_utf8() -> None:
    """A file name that is no UTF-8 (as the system gives it, with surrogates) is kept as its escape."""
    trace = a_trace(artifacts={"artifacts/caf\udce9.png": Artifact("12" * 32, 17)})
    assert ["artifacts/caf\\udce9.png"] == list(decode_trace(encode_trace(trace)).artifacts)


def test_encoding_is_stable() -> None:
    """Two writers of the same trace write the same bytes."""
    assert encode_trace(FULL) == encode_trace(decode_trace(encode_trace(FULL)))


def damaged(entry: bytes) -> str:
    """Return why an entry is refused."""
    with pytest.raises(Damaged) as caught:
        decode_trace(entry)
    return str(caught.value)


def signed(body: bytes, form: object = FORMAT) -> bytes:
    """Return an entry with a right checksum."""
    return f"pytest-cells trace {form} {hashlib.sha256(body).hexdigest()}\n".encode() + body


def test_an_empty_entry() -> None:
    """An empty file is told as such."""
    assert "empty entry" == damaged(b"")


@pytest.mark.parametrize(
    "entry",
    [b"\n", b"\x00" * 64, b"PK\x03\x04", b"pytest-cells trace", b"pytest-cells tracy 1 x\n", b'{"lookup": 1}'],
    ids=["newline", "zeros", "zip", "short-head", "misspelt", "json"],
)
def test_a_foreign_entry(entry: bytes) -> None:
    """Something else than an entry of ours is told as such."""
    assert "foreign entry" == damaged(entry)


@pytest.mark.parametrize("form", [FORMAT + 1, 0, "99999999999"])
def test_an_entry_of_another_format(form: object) -> None:
    """An entry of another format is not read, whatever stands in it."""
    assert f"entry of format {str(form)[:8]}, this version reads {FORMAT}" == damaged(signed(b"whatever", form))


ENTRY = encode_trace(FULL)
HEAD = ENTRY.index(b"\n")


@pytest.mark.parametrize("kept", [HEAD, HEAD + 1, HEAD + 10, len(ENTRY) - 1], ids=["head", "newline", "some", "most"])
def test_a_truncated_entry(kept: int) -> None:
    """An entry that ends early is told so."""
    assert "truncated or altered entry" == damaged(ENTRY[:kept])


@pytest.mark.parametrize("place", [HEAD - 1, HEAD + 1, HEAD + 50, len(ENTRY) - 1])
def test_an_altered_entry(place: int) -> None:
    """One altered byte, in checksum or body, is noticed."""
    assert "truncated or altered entry" == damaged(ENTRY[:place] + bytes([ENTRY[place] ^ 1]) + ENTRY[place + 1 :])


def test_every_altered_byte_is_noticed() -> None:
    """No single altered byte of an entry goes unnoticed."""
    for place in range(len(ENTRY)):
        damaged(ENTRY[:place] + bytes([ENTRY[place] ^ 4]) + ENTRY[place + 1 :])


def test_something_after_the_entry() -> None:
    """Bytes after an entry make it another."""
    assert "truncated or altered entry" == damaged(ENTRY + b" ")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"lookup": 5}', b'{"lookup": "a"}'])
def test_a_body_that_is_no_trace(body: bytes) -> None:
    """A body with a right checksum that is no trace is unreadable, not a crash."""
    assert damaged(signed(body)).startswith("unreadable entry: ")


def test_the_key_depends_on_lookup_and_inputs_only() -> None:
    """The cache key is a digest of lookup key and inputs; nothing that came of the cell is in it."""
    other = Trace(FULL.lookup, dict(reversed(FULL.inputs.items())), {}, duration_ms=99.0)
    assert FULL.key == other.key
    assert FULL.key != Trace(FULL.lookup, {**FULL.inputs, HISTORY: "x"}, {}).key
    assert FULL.key != Trace("x", FULL.inputs, {}).key


class Derived(str):
    """A text of a class of its own."""


def test_digest_of_is_frozen() -> None:
    """The digest of a value never changes, since stored entries lie under it."""
    expected = hashlib.sha256(b'{"a":[1,null,"\xc3\xa9"],"b":{}}').hexdigest()
    assert expected == digest_of({"b": {}, "a": [1, None, "é"]})


def test_digest_of_takes_any_text() -> None:
    """A lone surrogate, which JSON allows in a notebook's source, has a digest too, and its own."""
    assert digest_of("\ud800") != digest_of("\ud801")


@pytest.mark.parametrize(
    "value",
    [
        "".join(map(chr, range(0x3000))),
        "\ufeff\uffff\U00010000\U0010ffff",
        "\ud800 beside \u20ac",
        {"b": 1, "aa": 2, "": 3, "\U00010000": 4, "\uffff": 5, "\x7f": 6},
        [True, False, None, 0, -1, 2**63, ("a", ["b"]), {"b": {"d": 1, "c": 2}, "a": {}}],
        {"b": Derived("x"), "a": 1},
    ],
    ids=["low characters", "high characters", "a surrogate", "order of keys", "kinds", "a derived class"],
)
def test_digest_of_is_that_of_pythons_json(value: Any) -> None:
    """The digest is that of the bytes that Python's own encoder makes, whichever is used."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() == digest_of(value)


def test_digest_bytes() -> None:
    """The digest of bytes is their SHA-256."""
    assert hashlib.sha256(b"abc").hexdigest() == digest_bytes(b"abc")


def test_outputs_round_trip() -> None:
    """Outputs are read back as they were stored, nested data included."""
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "é\n"},
        {"output_type": "display_data", "data": {"application/json": {"a": [1, 2.5, None, True]}}, "metadata": {}},
    ]
    assert outputs == decode_outputs(encode_outputs(outputs))
