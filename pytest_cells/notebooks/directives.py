"""One parser for directives, whichever of three places they stand in.

Precedence where a key is given twice: the comment, then `metadata.pytest_cells`, then tags;
`deps` of all places add up, and so do `outputs`.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pytest_cells.errors import DirectiveError, did_you_mean
from pytest_cells.model import DIRECTIVE_COMMENT, Directives, Raises

ANY_COMMENT = re.compile(r"^\s*(?:#|//|--|;|%+\s)")
"""A percent sign right before a word is a magic."""
NAME = re.compile(r"\w[\w.+-]*")
DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
TAG_FLAGS = frozenset({"skip", "xfail", "raises"})
"""Tags that are directives as they stand."""
FLAGS = TAG_FLAGS | {"pure"}
"""Keys that mean something without a value."""
ADDED_UP = ("deps", "outputs")
KEYS = frozenset({"name", "skip", "raises", "match", "xfail", "timeout", "cache", "deps", "outputs", "pure"})
WORDS = {"on": True, "off": False, "true": True, "false": False, "yes": True, "no": False}
NBCLIENT_TAGS: dict[str, tuple[str, Any]] = {
    "raises-exception": ("raises", True),
    "skip-execution": ("skip", "tag skip-execution"),
}

Pairs = list[tuple[str, Any]]


class _Complaint(Exception):
    """A problem and a hint, before it is known where it stands."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


def parse_directives(notebook: str, cell: str, source: str, metadata: Mapping[str, Any]) -> Directives:
    """Collect a cell's directives from its tags, its metadata and its leading comment.

    `notebook` and `cell` are how messages call them. Raises DirectiveError for a misspelt key,
    a value of the wrong kind, or a comment that cannot be split into words.
    """
    tags = [tag for tag in _list(metadata.get("tags")) if isinstance(tag, str)]
    places: list[tuple[str, Callable[[], Pairs]]] = [
        *((f"tag {tag!r}", partial(_from_tag, tag)) for tag in tags),
        ("metadata.pytest_cells", partial(_from_metadata, metadata.get("pytest_cells"))),
        *((f"line {number}", partial(_from_comment, body)) for number, body in leading_comments(source)),
    ]
    found: dict[str, Any] = {}
    added_up: dict[str, list[str]] = {key: [] for key in ADDED_UP}
    for where, read in places:
        try:
            for key, value in read():
                checked = _checked(key, value)
                if key in added_up:
                    added_up[key].extend(path for path in checked if path not in added_up[key])
                else:
                    found[key] = checked
        except _Complaint as complaint:
            raise DirectiveError(notebook, cell, where, complaint.problem, complaint.hint) from None
    return _directives(notebook, cell, {**found, **added_up}, tags)


def leading_comments(source: str) -> list[tuple[int, str]]:
    """Return line number (from 1) and body of each `# cells:` line in the comments a cell begins with.

    A cell magic's own line may stand before them, since it must be first.
    """
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        match = DIRECTIVE_COMMENT.match(line)
        if match:
            found.append((number, match["body"]))
        elif line.strip() and not ANY_COMMENT.match(line) and not (number == 1 and line.startswith("%%")):
            break
    return found


def _directives(notebook: str, cell: str, found: dict[str, Any], tags: list[str]) -> Directives:
    raises, match = found.get("raises"), found.get("match")
    if match is not None:
        if raises is None:
            raise DirectiveError(notebook, cell, "match", "found without 'raises'", "add raises or raises=TYPE")
        raises = Raises(raises.type, match)
    return Directives(
        name=found.get("name"),
        skip=found.get("skip"),
        raises=raises,
        xfail=found.get("xfail"),
        timeout=found.get("timeout"),
        cache=found.get("cache", True),
        cache_anyway=found.get("cache", False),
        deps=tuple(found["deps"]),
        outputs=tuple(found["outputs"]),
        pure=found.get("pure", False),
        tags=tuple(tags),
    )


def _from_tag(tag: str) -> Pairs:
    if tag in NBCLIENT_TAGS:
        return [NBCLIENT_TAGS[tag]]
    strict = tag.startswith("cells:")
    body = tag[len("cells:") :] if strict else tag
    key, separator, value = _split_tag(body)
    if key in KEYS and (separator or key in TAG_FLAGS or strict):
        return [_pair(key, separator, value)]
    if strict:
        raise _Complaint(f"unknown directive {key!r}", did_you_mean(key, KEYS))
    if separator and difflib.get_close_matches(key, KEYS, n=1, cutoff=0.8):
        raise _Complaint(f"unknown directive {key!r}", did_you_mean(key, KEYS))
    return []


def _split_tag(tag: str) -> tuple[str, str, str]:
    match = re.match(r"^([\w-]+)([:=])(.*)$", tag, re.DOTALL)
    return (match[1], match[2], match[3]) if match else (tag, "", "")


def _from_metadata(own: Any) -> Pairs:
    if own is None:
        return []
    if not isinstance(own, Mapping):
        raise _Complaint(f"found {type(own).__name__}", "expected an object of directives")
    pairs: Pairs = []
    for key, value in own.items():
        if value is None or (value is False and key in FLAGS):
            continue
        if key == "raises" and isinstance(value, Mapping):
            unknown = sorted(set(value) - {"type", "match"})
            if unknown:
                raise _Complaint(f"unknown key {unknown[0]!r} in 'raises'", "known: match, type")
            pairs.append(("raises", value.get("type") or True))
            if value.get("match") is not None:
                pairs.append(("match", value["match"]))
        else:
            pairs.append((key, value))
    return pairs


def _from_comment(body: str) -> Pairs:
    try:
        words = shlex.split(body)
    except ValueError as error:
        raise _Complaint(f"cannot read {body.strip()!r}: {error}", "close the quotes") from None
    pairs: Pairs = []
    for word in words:
        key, separator, value = word.partition("=")
        pairs.append(_pair(key, separator, value))
    return pairs


def _pair(key: str, separator: str, value: str) -> tuple[str, Any]:
    """Return a key with its value; one that stands alone must be a flag, or unknown, which is told later."""
    if not separator and key in KEYS - FLAGS:
        raise _Complaint(f"{key!r} has no value", f"write {key}=VALUE")
    return key, value if separator else True


def _checked(key: str, value: Any) -> Any:
    if key not in KEYS:
        raise _Complaint(f"unknown directive {key!r}", did_you_mean(key, KEYS))
    return _CHECKS[key](value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        expected = "letters, digits, '_', '-', '.' and '+', beginning with a letter, digit or '_'"
        raise _Complaint(f"found name {value!r}", f"expected {expected}")
    return value


def _reason(value: Any) -> str:
    if value is True or value == "":
        return "no reason given"
    if not isinstance(value, str):
        raise _Complaint(f"found reason {value!r}", "expected text")
    return value


def _raises(value: Any) -> Raises:
    if value is True or value == "":
        return Raises()
    name, separator, pattern = value.partition(":") if isinstance(value, str) else ("", "", "")
    if separator and DOTTED.fullmatch(name):
        return Raises(name, _match(pattern.strip()))
    if not isinstance(value, str) or not DOTTED.fullmatch(value):
        raise _Complaint(f"found raises={value!r}", "expected the name of an error's class, such as ValueError")
    return Raises(value)


def _match(value: Any) -> str:
    try:
        re.compile(value)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise _Complaint(f"found match={value!r}: {error}", "expected a regular expression") from None
    return str(value)


def _timeout(value: Any) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if isinstance(value, bool) or not 0 <= seconds < float("inf"):
        raise _Complaint(f"found timeout={value!r}", "expected seconds, such as timeout=30; 0 means no limit")
    return seconds


def _switch(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in WORDS:
        return WORDS[value.lower()]
    raise _Complaint(f"found {key}={value!r}", "expected on or off")


def _paths(key: str, value: Any, expected: str) -> list[str]:
    words = re.split(r"[,\s]+", value) if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise _Complaint(f"found {key}={value!r}", f"expected {expected}")
    return [word for word in words if word]


def _deps(value: Any) -> list[str]:
    words = _paths("deps", value, "paths, globs or env:NAME")
    if "env:" in words:
        raise _Complaint("found 'env:' without a name", "write env:NAME")
    return [f"env:{word[1:]}" if word.startswith("$") else word for word in words]


def _outputs(value: Any) -> list[str]:
    words = _paths("outputs", value, "paths or globs")
    for word in words:
        if word.startswith(("env:", "$")):
            raise _Complaint(f"found output {word!r}", "expected paths or globs: an environment variable is no file")
    return words


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "skip": _reason,
    "raises": _raises,
    "match": _match,
    "xfail": _reason,
    "timeout": _timeout,
    "cache": partial(_switch, "cache"),
    "deps": _deps,
    "outputs": _outputs,
    "pure": partial(_switch, "pure"),
}
