"""What the text of code tells of clocks, numbers of processes and data that name classes."""

import ast
import os
import pickle
import textwrap
import threading
import time

import pytest

from pytest_cells.in_kernel import unsteady


def paths(source):
    tree = ast.parse(textwrap.dedent(source))
    return unsteady.unsteady_paths(tree, unsteady.durations(tree))


def timers(source):
    tree = ast.parse(source)
    return unsteady.timers(tree, unsteady.durations(tree))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("time.time()", {"": {("time", "time")}}),
        ("x = [time.time_ns]", {"": {("time", "time_ns")}}),
        ("def f():\n    return os.getpid()", {"f": {("os", "getpid")}}),
        ("def f():\n    return lambda: os.getpid()", {"f": {("os", "getpid")}, "<lambda>": {("os", "getpid")}}),
        ("class A:\n    n = os.getpid()", {"": {("os", "getpid")}}),
        ("getattr(time, word)", {"": {("time", unsteady.ANY)}}),
        ("getattr(time, 'sleep')", {"": {("time", "sleep")}}),
        ("from time import perf_counter", {"": {("=time", "perf_counter")}}),
        ("np.datetime64('now')", {"": {unsteady.NOW}}),
        ("query('select current_date')", {"": {unsteady.NOW}}),
        ("print('know', 'nowhere')", {}),
        ("time.sleep(1)", {}),
        # Names that are given on the way.
        ("def f():\n    import time\n    time.time()", {"f": {("time", "time"), ("=time", "time")}}),
        ("import time as t\nt.time()\ndel t", {"": {("t", "time"), ("=time", "time")}}),
        ("import a.b\na.b.time()", {"": {("a", "b", "time"), ("=a", "b", "time")}}),
        ("import a.b as c\nc.time()", {"": {("c", "time"), ("=a.b", "time")}}),
        ("from a import b as c\nc.time()", {"": {("c", "time"), ("=a", "b", "time")}}),
        ("def f():\n    t = time\n    t.time()", {"f": {("t", "time"), ("time", "time")}}),
        ("__import__('time').time_ns()", {"": {("=time", "time_ns")}}),
        ("importlib.import_module('os').getpid()", {"": {("=os", "getpid")}}),
        ("import_module(name).getpid()", {"": {("import_module", "getpid")}}),
        ("def f(*, t=time):\n    t.time()", {"f": {("t", "time"), ("time", "time")}}),
        ("def f(a, t=time):\n    t.time()", {"f": {("t", "time"), ("time", "time")}}),
        ("if (t := time):\n    t.time()", {"": {("t", "time"), ("time", "time")}}),
        ("a = b\nb = a\na.time()", {"": {("a", "time"), ("b", "time")}}),
        # Durations.
        ("took = time.time() - start", {}),
        ("start = time.time()\nwork()\nprint(time.time() - start)", {}),
        ("start = time.perf_counter()\nprint(start)", {"": {("time", "perf_counter")}}),
        ("start = time.time()\nprint(time.time() - start, start)", {"": {("time", "time")}}),
        ("left = 1800000000 - time.time()", {"": {("time", "time")}}),
        ("start = time.time()", {"": {("time", "time")}}),
    ],
)
def test_paths(source, expected):
    """Paths are told by the function around them; the difference of two times is no date."""
    assert expected == paths(source)


def test_timers():
    """A name that is called for durations alone is no clock."""
    assert set() == timers("clock()")
    assert {"perf_counter"} == timers("t = perf_counter()\nprint(perf_counter() - t)")
    assert set() == timers("t = perf_counter()\nprint(perf_counter() - t)\nprint(perf_counter)")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("time", "time"), ("time", "time")),
        (("clock", "time"), ("time", "time")),
        (("os", "path", "getmtime"), ("posixpath", "getmtime")),
        (("=time", "time"), ("time", "time")),
        (("frame", "time"), ("", "")),
        (("missing", "time"), ("", "")),
    ],
)
def test_resolve(path, expected):
    """A path is what its variables make of it."""
    found = unsteady.resolve(path, {"time": time, "clock": time, "os": os, "frame": 3})
    assert expected == (found if found[0] != "os.path" else ("posixpath", found[1]))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(time.time, True), (os.getpid, True), (threading.get_ident, True), (time.sleep, False), (len, False), (3, False)],
)
def test_functions(value, expected):
    """Functions that give something else in every run are known wherever they are bound."""
    assert expected is unsteady.is_unsteady(value)


@pytest.mark.parametrize(("value", "expected"), [(pickle.loads, True), (pickle.Unpickler, True), (pickle.dumps, False)])
def test_loaders(value, expected):
    """What looks for classes by their names is known wherever it is bound."""
    assert expected is unsteady.is_loader(value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > @limit and b < @other_1", {"limit", "other_1"}),
        ("y ~ scaled(x) + z", {"y", "scaled", "x", "z"}),
        ("plain words", set()),
        ("@" * 2000, set()),
    ],
)
def test_names_in_text(text, expected):
    """Queries and formulas name variables."""
    assert expected == unsteady.names_in_text(text)


@pytest.mark.parametrize("text", ["date +%s", "echo $RANDOM", "curl x", "git clone x", "mktemp -d"])
def test_shell(text):
    """Commands that ask the clock, chance or the network."""
    assert unsteady.SHELL_NOW.search(text)


@pytest.mark.parametrize("text", ["ls", "echo update", "python candidate.py", "git log"])
def test_steady_shell(text):
    """Other commands do not."""
    assert not unsteady.SHELL_NOW.search(text)
