"""Read what the tools print: how many cells or notebooks passed, failed or came from a cache."""

from __future__ import annotations

import json
import re
from collections import Counter

_SUMMARY = re.compile(r"\bin (\d+\.\d+)s\b")
_COUNT = re.compile(r"(\d+) (?:tests? )?([a-z]+)")
_CACHE_LIST = re.compile(r"^(succeeded|excepted|errored):((?:\n- .*)*)", re.MULTILINE)
_CACHE_EXECUTES = re.compile(r"^Executing (\d+) notebook\(s\)", re.MULTILINE)

_JELLYCELL_WORDS = {"ok": "passed", "error": "failed"}
_CACHE_WORDS = {"succeeded": "passed", "excepted": "failed", "errored": "errors"}


def counts(output: str) -> dict[str, int]:
    """Read the counts in the last line that ends in a duration, as in `2 failed, 48 passed in 1.23s`."""
    for line in reversed(output.splitlines()):
        if _SUMMARY.search(line):
            return {word: int(number) for number, word in _COUNT.findall(line) if not word.startswith("warning")}
    return {}


def own_time(output: str) -> float:
    """Return the seconds that the last line ending in a duration tells."""
    return float(_SUMMARY.findall(output)[-1])


def jellycell_counts(output: str) -> dict[str, int]:
    """Count the cells in jellycell's report, a line of JSON; those below a failing cell are not in it."""
    for line in output.splitlines():
        if line.startswith('{"schema_version"'):
            words = [cell["status"] for cell in json.loads(line)["cell_results"]]
            return dict(Counter(_JELLYCELL_WORDS.get(word, word) for word in words))
    return {}


def jupyter_cache_counts(output: str) -> dict[str, int]:
    """Count the notebooks in jupyter-cache's lists; one that matches the cache is in none of them."""
    executes = _CACHE_EXECUTES.search(output)
    lists = {word: len(names.splitlines()) - 1 for word, names in _CACHE_LIST.findall(output) if names}
    if executes is None or "Finished!" not in output or int(executes[1]) != sum(lists.values()):
        return {}
    return {_CACHE_WORDS[word]: number for word, number in lists.items()} or {"cached": 1}
