# ruff: noqa: E501, FBT001, UP031
"""Fingerprints: equal for equal values in every process, and for no others; and nothing of the user's is run or kept."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest

from pytest_cells.in_kernel.classes import identity

from . import fingerprint_kinds as kinds

MAIN = "import sys\n"


def components(source: str, budget_s: float = 30.0, **more: Any) -> dict[str, Any]:
    """Return the component of each name that a cell binds."""
    namespace = kinds.namespace_of(source)
    namespace.update(more)
    return walked(namespace, budget_s)


def walked(namespace: dict[str, Any], budget_s: float = 30.0) -> dict[str, Any]:
    names = [name for name in namespace if not name.startswith("__")]
    found = kinds.walker_module().Walker(namespace).walk(names, budget_s)
    assert sorted(names) == sorted(name for component in found for name in component.names)
    return {name: component for component in found for name in component.names}


def needing(kind: kinds.Kind) -> Any:
    missing = pytest.mark.skipif(not kinds.installed(kind.needs), reason="needs %s" % kind.needs)
    return pytest.param(kind, id=kind.name, marks=missing)


def in_new_process(seed: str) -> dict[str, str]:
    env = {**os.environ, "PYTHONHASHSEED": seed}
    program = [sys.executable, str(Path(kinds.__file__))]
    return json.loads(subprocess.run(program, env=env, check=True, capture_output=True, text=True).stdout)


def test_every_process_and_hash_seed_gives_the_same_digests() -> None:
    """The same values have the same digests in three processes with two hash seeds."""
    first, again, seeded = in_new_process("0"), in_new_process("0"), in_new_process("4711")
    assert [] == [name for name, digest in first.items() if digest is None]
    assert first == again
    assert first == seeded
    assert len(first) >= 100


@pytest.mark.parametrize("kind", [needing(kind) for kind in kinds.KINDS])
def test_a_small_change_gives_another_digest(kind: kinds.Kind) -> None:
    """A value that differs in one bit, element or attribute has another digest; the same made again has the same."""
    before, again, after = (kinds.fingerprint(source) for source in (kind.source, kind.source, kind.changed))
    assert before.opaque is None
    assert after.opaque is None
    assert before.digest == again.digest
    assert before.digest != after.digest
    assert 33 == len(before.digest)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [needing(kind) for kind in kinds.OPAQUE])
def test_what_has_no_digest_says_why(kind: kinds.Kind) -> None:
    """Generators, open files, locks and their like are opaque, with a word for what they are."""
    found = kinds.fingerprint(kind.source)
    gc.collect()  # what is not closed warns here
    assert None is found.digest
    assert kind.changed == found.opaque


def test_the_digest_names_its_hash() -> None:
    """Digests of two hashes are never mixed up: SHA-256 where xxhash cannot be imported."""
    module = kinds.walker_module()
    block = {"xxhash": None}
    hidden = {name: sys.modules.get(name) for name in block}
    sys.modules.update(block)  # type: ignore[arg-type]
    try:
        (found,) = module.Walker({"a": [1]}).walk(["a"])
    finally:
        for name, before in hidden.items():
            if before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = before
    assert "s" == found.digest[0]
    if kinds.installed("xxhash"):
        assert "x" == module.Walker({"a": [1]}).walk(["a"])[0].digest[0]


# ------------------------------------------------------------------------------------------------------------- aliases


def test_names_that_share_are_one_component() -> None:
    """Two names for one list are one component; a copy is another, though the values are equal."""
    shared, apart = components("a = [1]; b = a"), components("a = [1]; b = list(a)")
    assert ("a", "b") == shared["a"].names
    assert ("a",) == apart["a"].names
    assert apart["a"].digest == apart["b"].digest
    assert shared["a"].digest != apart["a"].digest


@pytest.mark.parametrize(
    ("source", "joined"),
    [
        ("a = [1]; b = {'k': (1, [a])}", "ab"),
        ("a = [1]; b = [[n] for n in range(20)]; b.append(a)", "ab"),
        ("b = [[n] for n in range(20)]; z = b[7]", "bz"),
        ("a = {}; b = [{'a': n} for n in range(20)] + [a]", "ab"),
        ("class C: pass\na = C(); b = a", "ab"),
        ("class C: pass\na = C(); a.x = 1; b = vars(a)", "ab"),
        ("class C: pass\na = C(); b = C(); b.__dict__ = a.__dict__", "ab"),
        ("class C: pass\na = [C() for _ in range(20)]; b = a[3]", "ab"),
        ("class C: pass\na = [C() for _ in range(20)]; b = vars(a[3])", "ab"),
        ("class C: items = []\nb = C.items", "Cb"),
        ("def f(x=[]): pass\nb = f.__defaults__[0]", "fb"),
        ("def m():\n    n = 0\n    def a():\n        nonlocal n\n        n += 1\n    def b(): return n\n    return a, b\na, b = m()", "ab"),
        ("a = [1]; b = iter(a)", "ab"),
        ("a = {1: 2}; b = iter(a)", "ab"),
        ("a = {1: 2}; b = a.values()", "ab"),
        ("a = [1]; b = a.append", "ab"),
        ("a = [1]; b = (x for x in a)", "ab"),
        ("def g(x): yield x\na = [1]; b = g(a); next(b)", "ab"),
        ("import functools\na = [1]; b = functools.partial(len, a)", "ab"),
        ("import weakref\nclass C: pass\na = C(); b = weakref.ref(a)", "ab"),
        ("import weakref\nclass C: pass\na = C(); b = weakref.proxy(a)", "ab"),
        ("import types\na = {1: [2]}; b = types.MappingProxyType(a)", "ab"),
        ("a = bytearray(b'a'); b = memoryview(a)", "ab"),
        ("import threading\na = threading.Lock(); b = [a]", "ab"),
        ("import collections\na = [1]; b = collections.deque([a])", "ab"),
        ("a = [1]; b = ValueError(a)", "ab"),
        ("def f(x): raise ValueError\na = [1]\ntry: f(a)\nexcept ValueError as e: b = e", "ab"),
        ("a = [1]; b = lambda x=a: x", "ab"),
        ("a = lambda: 0; b = a", "ab"),
        ("import enum\nclass C(enum.Enum):\n    A = [1]\nb = C.A.value", "Cb"),
    ],
)  # fmt: skip
def test_ways_to_share(source: str, joined: str) -> None:
    """Whatever the way by which an object is reached from two names, they are joined."""
    found = components(source)
    assert set(joined) <= set(found[joined[0]].names)


@pytest.mark.parametrize(
    "source",
    [
        "a = 'x' * 100; b = a",
        "a = (1, 'x'); b = a",
        "import datetime; a = datetime.date(2020, 1, 1); b = a",
        "import math as a; b = a",
        "def f(): pass\na = [f]; b = [f]",
        "class C: pass\na = C(); b = C()",
        "import dataclasses\n@dataclasses.dataclass\nclass a:\n    x: int = 1\n@dataclasses.dataclass\nclass b:\n    x: int = 1",
        "import typing; a = typing.Optional[int]; b = a",
        "import re; a = re.compile('x'); b = a",
        "class C:\n    def m(self): pass\na = C().m; b = C().m",
        "import random; a = random.randint; b = random.randint",
    ],
)  # fmt: skip
def test_what_cannot_be_changed_joins_nobody(source: str) -> None:
    """Names that share only what cannot be changed, or notebook functions and classes by name, stay apart."""
    found = components(source)
    assert ("a",) == found["a"].names
    assert ("b",) == found["b"].names


def test_a_name_on_the_way_to_a_value_is_no_part_of_it() -> None:
    """The digest of a single name does not depend on the name, nor on its neighbours."""
    found = components("a = [1, [2]]; b = [1, [2]]; z = {'k': [3]}")
    assert found["a"].digest == found["b"].digest
    assert found["b"].digest == components("b = [1, [2]]; c = 5")["b"].digest


numpy = pytest.mark.skipif(not kinds.installed("numpy"), reason="needs numpy")
pandas = pytest.mark.skipif(not kinds.installed("pandas"), reason="needs pandas")
N, P = "import numpy as np; ", "import numpy as np, pandas as pd; "


@numpy
@pytest.mark.parametrize(
    ("source", "joined"),
    [
        (N + "a = np.zeros(9); b = a[2:4]", True),
        (N + "a = np.zeros(9); b = a[2:4].copy()", False),
        (N + "a = np.zeros((3, 3)); b = a.T[::-1]", True),
        (N + "a = np.zeros((3, 3)); b = a.diagonal()", True),
        (N + "x = np.zeros(9); a = x[:4]; b = x[4:]; del x", False),
        (N + "a = bytearray(8); b = np.frombuffer(a, 'u1')", True),
        (N + "a = np.zeros(3, 'i4,i4'); b = a['f1']", True),
        (N + "a = np.zeros(3, 'i4,i4'); b = a[1]", True),
        (N + "a = np.zeros(3); b = a.view(np.recarray)", True),
        (N + "a = np.zeros(3); b = [{'x': np.asarray(a)[1:]}]", True),
        (N + "a = np.zeros(3); b = (x for x in a)", True),
        (N + "a = [1]; b = np.array([a, None], dtype=object)", True),
        (N + "a = np.zeros(3); b = memoryview(a)", True),
    ],
)
def test_arrays_that_share_memory_are_joined(source: str, joined: bool) -> None:
    """Views join their arrays, copies and neighbours do not."""
    assert joined == ("b" in components(source)["a"].names)


@pandas
@pytest.mark.parametrize(
    ("source", "joined"),
    [
        (P + "a = pd.DataFrame({'x': [1., 2.]}); b = a['x'].to_numpy()", True),
        (P + "b = np.zeros((3, 2)); a = pd.DataFrame(b, copy=False)", True),
        (P + "a = pd.DataFrame({'x': [1., 2.]}); b = a.values.copy()", False),
        (P + "a = pd.DataFrame({'x': [1., 2.]}); b = a.copy()", False),
        (P + "x = [1]; a = pd.Series([x]); b = x; del x", True),
        (P + "a = pd.Series(pd.Categorical(['a'])); b = a.array.codes", True),
        (P + "a = pd.DataFrame({'x': [1., 2.]}); b = vars(a)", True),
        (P + "a = pd.DataFrame({'x': [1., 2.]}); b = a.groupby('x')", True),
    ],
)
def test_frames_that_share_memory_with_arrays_are_joined(source: str, joined: bool) -> None:
    """A frame is joined with an array that shares its memory."""
    assert joined == ("b" in components(source)["a"].names)


@pandas
def test_frames_that_share_memory_with_each_other() -> None:
    """Where pandas copies on write, a column is separate from its frame; else they are joined."""
    import pandas

    copies = int(pandas.__version__.split(".")[0]) >= 3
    assert copies != ("b" in components(P + "a = pd.DataFrame({'x': [1., 2.]}); b = a['x']")["a"].names)


@pandas
def test_a_shared_index_is_told() -> None:
    """Frames that hold the same Index object are separate, but each names the others."""
    found = components(P + "i = pd.Index([1, 2]); a = pd.DataFrame({'x': [1., 2.]}, index=i); b = a + 1")
    assert ("a",) == found["a"].names
    assert "a" in found["i"].indexes | found["b"].indexes


@pandas
def test_how_a_frame_is_put_together_does_not_matter() -> None:
    """Columns in one block or in many, and rows or columns first: the same frame, the same digest."""
    one = kinds.fingerprint(P + "v = pd.DataFrame(np.arange(6.).reshape(3, 2), columns=['a', 'b'])")
    many = kinds.fingerprint(P + "v = pd.DataFrame(index=range(3)); v['a'] = [0., 2., 4.]; v['b'] = [1., 3., 5.]")
    assert one.digest == many.digest


@pytest.mark.skipif(not kinds.installed("sklearn"), reason="needs scikit-learn")
def test_a_model_fitted_again_is_the_same() -> None:
    """Fitting the same model to the same data twice gives equal digests, and two components."""
    source = kinds.FITTED.format("ensemble", "RandomForestClassifier", "5, random_state=0")
    found = components(source + "; w = v; " + source)
    assert found["v"].digest == found["w"].digest
    assert ("v",) == found["v"].names


# ------------------------------------------------------------------------------------------------- functions and classes


def test_where_code_stands_does_not_matter() -> None:
    """Comments, blank lines and the file are no part of a function."""
    one = kinds.fingerprint("def v(a):\n    return a + 1")
    other = kinds.fingerprint("# a comment\n\n\ndef v(a):  # more\n\n    # and more\n    return a + 1")
    assert one.digest == other.digest


def test_a_function_that_ran_is_the_same() -> None:
    """Specialised code, and code that is being monitored, has the digest that it had before."""
    source = "def v(a):\n    s = 0\n    for n in range(a): s += len(str(n)) + K\n    return s\nK = 1\n"
    namespace = kinds.namespace_of(source)
    before = walked(namespace)["v"].digest
    if sys.version_info >= (3, 12):
        tool, events = sys.monitoring.PROFILER_ID, sys.monitoring.events
        sys.monitoring.use_tool_id(tool, "test")
        sys.monitoring.set_events(tool, events.PY_START | events.LINE | events.CALL)
    try:
        namespace["v"](5000)
        during = kinds.walker_module().Walker(namespace).walk(["v"])[0].digest
    finally:
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(tool, 0)
            sys.monitoring.free_tool_id(tool)
    assert before == during
    assert before == walked(namespace)["v"].digest


def test_names_that_code_may_read_and_store() -> None:
    """Global names are told for functions, methods, nested functions, classes' bodies and generators, not attributes."""
    found = components(
        "def f(a):\n    global S, D\n    S = 1\n    del D\n    def g(): return G + a.attribute\n"
        "    class C: x = B\n    return [N for _ in a]\n"
        "class K:\n    def m(self): return M\n    p = property(lambda self: Q)\n"
        "E = ()\ngen = (R for _ in E)\n"
    )
    assert {"G", "B", "N"} == found["f"].reads - {"__name__", "D"}
    assert {"S", "D"} == found["f"].stores
    assert {"M", "Q"} == found["K"].reads
    assert "R" in found["gen"].reads


def test_many_names_and_wide_arguments() -> None:
    """Names beyond the first 255 are read rightly from the bytecode."""
    body = "\n".join("    x = n%d" % number for number in range(600))
    found = components("def f():\n%s\n    global z599\n    z599 = 1" % body)
    assert {"n%d" % number for number in range(600)} == found["f"].reads
    assert {"z599"} == found["f"].stores


@pytest.mark.parametrize(
    "body", ["globals()", "locals()", "vars()", "dir()", "eval('x')", "exec('x')", "get_ipython()", "sys.modules['a']",
             "inspect.stack()", "gc.get_objects()", "m('__main__')", "f.__globals__", "sys._getframe()"]
)  # fmt: skip
def test_code_that_reaches_names_in_other_ways(body: str) -> None:
    """Code that can reach any name is dynamic, also inside another function."""
    assert components("def f():\n    def g(): return %s\n    return g" % body)["f"].dynamic
    assert not components("def f():\n    return x")["f"].dynamic


@pytest.mark.parametrize("source", ["v = globals()", "import __main__ as v", "v = [globals()]"])
def test_a_value_that_reaches_all_names_is_dynamic(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace, or its module, as a value."""
    import types

    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    exec(source, module.__dict__)
    module.__dict__["other"] = [1]
    found = walked(module.__dict__)
    assert found["v"].dynamic
    assert ("v",) == found["v"].names


def test_cut_points() -> None:
    """What refers to a notebook function or class under its own name names it, and does not change with it."""
    source = "def f(): return %d\nclass C:\n    def m(self): return %d\nl = [f, C]; c = C(); b = c.m; g = f\ndef h(x=f): pass"
    before, after = components(source % (1, 1)), components(source % (2, 2))
    assert {"f", "C"} == before["l"].cuts
    assert {"C"} == before["c"].cuts
    assert {"f"} == before["g"].cuts
    assert {"f"} == before["h"].cuts
    assert set() == before["f"].cuts
    for name in "lcgh":
        assert before[name].digest == after[name].digest
    for name in "fC":
        assert before[name].digest != after[name].digest


def test_a_redefined_function_is_walked_where_it_is_held() -> None:
    """A function that is not bound under its name any more is part of what holds it, with the names that it reads."""
    source = "def f(): return X + %d\nl = [f]\ndef f(): return 0"
    before, after = components(source % 1), components(source % 2)
    assert before["l"].digest != after["l"].digest
    assert set() == before["l"].cuts
    assert {"X"} == before["l"].reads


def test_recursion_through_oneself_is_no_cut() -> None:
    """A class whose methods refer to it by closure has no cut to itself, and a digest."""
    found = components("class C:\n    def __init__(self): super().__init__()\n    def m(self): return __class__\n")
    assert set() == found["C"].cuts
    assert found["C"].digest


def test_functions_of_other_namespaces() -> None:
    """Functions whose globals are a dict of the user's own change with what stands in that dict."""
    source = "d = {}\nexec('def f(): return K', d)\nd['K'] = %d\nv = d['f']\ndel d"
    assert kinds.fingerprint(source % 1).digest != kinds.fingerprint(source % 2).digest


def test_pickling_leaves_no_trace_in_a_digest() -> None:
    """What pickle notes in classes (__slotnames__) changes nothing."""
    import copyreg

    namespace = kinds.namespace_of(kinds.POINT)
    before = walked(namespace)["Point"].digest
    copyreg._slotnames(namespace["Point"])  # type: ignore[attr-defined]
    assert "__slotnames__" in vars(namespace["Point"])
    assert before == walked(namespace)["Point"].digest


def test_packages_and_modules() -> None:
    """Packages of types and functions are told, and modules that are values."""
    found = components(
        "import json.decoder, fractions\nv = [fractions.Fraction(1), json.decoder]\ndef f():\n    import os.path"
    )
    assert {"fractions", "json"} <= found["v"].packages
    assert {"json.decoder"} == found["v"].modules
    assert {"os"} == found["f"].packages


def test_opaque_values_tell_the_names_their_code_may_read() -> None:
    """Code that only the collector's view of an object reaches is told all the same."""
    found = components("import threading\ndef f(): return X\nv = [threading.Lock(), lambda: Y, f]")
    assert {"Y"} == found["v"].reads
    assert {"f"} == found["v"].cuts


def test_opaque_values_that_lead_to_the_same_object_are_one_component() -> None:
    """What the first has led to is the second's as well, with the names that code there may read."""
    found = components(
        "import threading\nend = [1]\nway = {'end': end, 'code': lambda: X}\n"
        "a = [threading.Lock(), way]\nb = [threading.Lock(), way]\nz = [threading.Lock(), [2]]"
    )
    assert ("a", "b", "end", "way") == found["b"].names
    assert {"X"} == found["b"].reads
    assert ("z",) == found["z"].names


# ----------------------------------------------------------------------------------------------- hostility and limits


def test_nothing_of_the_users_is_run() -> None:
    """No method, hook, property or metaclass of the notebook's runs during a walk."""
    called: list[str] = []
    source = """
def note(name):
    def f(*args, **more):
        called.append(name)
        raise RuntimeError(name)
    return f
HOOKS = ("__eq__ __hash__ __repr__ __str__ __len__ __bool__ __iter__ __getattr__ __getattribute__ __reduce__ "
         "__reduce_ex__ __getstate__ __class__ __dict__ __contains__ __getitem__ __call__ __del__ __index__ "
         "__instancecheck__ __subclasscheck__ __getnewargs__ __getnewargs_ex__ __copy__ __deepcopy__ __sizeof__ "
         "__dir__ __format__ __array__ __float__ __int__ items keys values mro __get__").split()
def members():
    d = {h: note(h) for h in HOOKS if h not in ("mro", "__hash__")}
    d["__class__"] = property(note("__class__")); del d["__dict__"]
    d["__hash__"] = lambda self: 1
    return d
M = type("M", (type,), {h: note("M." + h) for h in HOOKS if h not in ("__call__", "mro", "__getattribute__", "__getattr__", "__dict__", "__class__", "__get__", "__del__")})
H = type("H", (), members())
HD = type("HD", (dict,), members())
HL = type("HL", (list,), members())
HS = type("HS", (str,), members())
HI = type("HI", (int,), members())
HE = type("HE", (Exception,), members())
K = M("K", (), members())
a = object.__new__(H); b = HD(); c = HL(); d = HS("x"); e = HI(1); f = object.__new__(K)
g = [a, b, c, d, e, f, a, b] * 3
h = {1: a, 2: [b]}
i = (object.__new__(H),) * 10
j = [object.__new__(H) for _ in range(300)]
k = HE(a)
"""
    namespace = kinds.namespace_of("")
    namespace["called"] = called
    exec(source, namespace)
    called.clear()
    names = [name for name in namespace if not name.startswith("__") and name != "called"]
    found = kinds.walker_module().Walker(namespace).walk(names, 30)
    assert [] == called
    by_name = {name: component for component in found for name in component.names}
    assert [] == [(name, by_name[name].opaque) for name in "abcdefghijk" if by_name[name].opaque]


def test_builtins_that_a_notebook_replaced() -> None:
    """The walk has kept the builtins from before."""
    import builtins

    module = kinds.walker_module()
    walker = module.Walker({"a": [1, {"b": (2,)}]})
    before = walker.walk(["a"])[0].digest
    kept = builtins.id, builtins.type, builtins.map
    builtins.id = builtins.map = builtins.type = None  # type: ignore[assignment, misc]
    try:
        found = walker.walk(["a"])
    finally:
        builtins.id, builtins.type, builtins.map = kept  # type: ignore[misc]
    assert before == found[0].digest


def test_plain_values_that_stay() -> None:
    """The component of a short plain value is the same object in the next walk; another value has another one."""
    namespace: dict[str, Any] = {"a": 1, "b": 0.0, "c": "x" * 1000, "d": [1]}
    walker = kinds.walker_module().Walker(namespace)

    def walk() -> dict[str, Any]:
        return {component.names[0]: component for component in walker.walk(namespace)}

    before, after = walk(), walk()
    assert ["a", "b"] == [name for name in namespace if before[name] is after[name]]
    assert [before[name].digest for name in namespace] == [after[name].digest for name in namespace]
    namespace.update(a=True, b=-0.0, c="x" * 999)
    assert "d" == "".join(name for name, component in walk().items() if component.digest == before[name].digest)
    namespace.update(a=1, b=0.0, c="x" * 1000)
    assert [before[name].digest for name in namespace] == [walk()[name].digest for name in namespace]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nothing_is_kept() -> None:
    """After a walk no value is held, so that finalizers run when they would have run."""
    namespace = kinds.namespace_of(
        "class C: pass\nc = C(); c.l = [C()]; d = [C() for _ in range(20)]; s = {C()}; g = (x for x in d)"
    )
    references = [weakref.ref(value) for value in (namespace["c"], namespace["d"][3], *namespace["s"], namespace["g"])]
    references.append(weakref.ref(namespace["C"]))
    walker = kinds.walker_module().Walker(namespace)
    walker.walk([name for name in namespace if not name.startswith("__")])
    gc.collect()  # the class is in a cycle of its own
    gc.disable()
    try:
        for name in "csgd":
            del namespace[name]
        assert [None] * 4 == [reference() for reference in references[:4]]
    finally:
        gc.enable()
    del namespace["C"]
    gc.collect()
    assert None is references[4]()


def test_warnings_are_silent_and_their_filters_untouched() -> None:
    """Hooks that warn neither fail nor show anything, and the filters are the same object after it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = warnings.filters
        version = list(before)
        found = components("import itertools; v = itertools.chain([1], [2])")
        assert before is warnings.filters
        assert version == list(warnings.filters)
    assert found["v"].digest or found["v"].opaque


def test_the_collector_is_left_as_it_was() -> None:
    """The collector, which pauses during a walk, goes on after it, if it was on."""
    components("v = [1]")
    assert gc.isenabled()
    gc.disable()
    try:
        components("v = [1]")
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "source",
    [
        "v = None\nfor n in range(100_000): v = [v]",
        "v = None\nfor n in range(100_000): v = {'next': v, 'n': n}",
        "v = None\nfor n in range(100_000): v = (v, n)",
        "class N: pass\nv = None\nfor n in range(100_000):\n    m = N(); m.next = v; v = m\ndel m",
        "v = frozenset()\nfor n in range(500): v = frozenset([v, n])",
        "v = ()\nfor n in range(200): v = (v, v, [])",
    ],
)
def test_deep_values_neither_crash_nor_raise(source: str) -> None:
    """A chain of 100,000 objects has a digest or a reason; so have tuples that share tuples 200 levels deep."""
    namespace = kinds.namespace_of(source)
    found = kinds.walker_module().Walker(namespace).walk(["v"], 2.0)[0]
    assert (found.digest is None) == (found.opaque is not None)


def test_over_budget_everything_unproven_is_joined() -> None:
    """What takes too long is opaque, and joined with the names whose objects it may hold."""
    namespace = kinds.namespace_of(
        "a = [1]; b = 'text'; v = []\nfor n in range(200_000): v = [v]\nv.append(a)\nz = [2]"
    )
    found = {
        name: c for c in kinds.walker_module().Walker(namespace).walk(["a", "b", "v", "z"], 0.0) for name in c.names
    }
    assert "too large" == found["v"].opaque
    assert {"a", "v"} <= set(found["v"].names)
    assert ("b",) == found["b"].names


def test_large_sets_are_opaque() -> None:
    """To put a set in order takes longer than there is time for a name, however large the set is."""
    namespace = kinds.namespace_of("few = set(range(400_000)); many = set(range(400_001)); other = [1]")
    found = {c.names: c.opaque for c in kinds.walker_module().Walker(namespace).walk(["few", "many", "other"], 60.0)}
    assert {("few",): None, ("many",): "too large", ("other",): None} == found


def test_objects_that_fail_are_opaque() -> None:
    """A library's hook that raises gives a reason, not an error."""
    import json

    class Bad(json.JSONDecodeError):
        pass

    found = walked({"__name__": "__main__", "a": Bad.__new__(Bad), "b": [1]})
    assert found["a"].digest or found["a"].opaque
    assert found["b"].digest


def test_extra_names() -> None:
    """The state of modules is walked with the names, and joined where it is shared."""
    shared = [1]
    walker = kinds.walker_module().Walker({"a": shared, "b": 1})
    found = walker.walk(["a", "b", "helpers.STATE"], extra={"helpers.STATE": {"k": shared}})
    assert [("a", "helpers.STATE"), ("b",)] == [component.names for component in found]


def test_unbound_names_are_an_error() -> None:
    """A name that is not bound cannot be walked."""
    with pytest.raises(KeyError):
        kinds.walker_module().Walker({}).walk(["a"])


def test_function_counts() -> None:
    """Each function object of the notebook's that the walk meets is counted at its code."""
    namespace = kinds.namespace_of("def make(): return lambda: 0\na = make(); b = [make(), make()]")
    walker = kinds.walker_module().Walker(namespace)
    walker.walk(["make", "a", "b"])
    counts = walker.function_counts()
    assert 3 == counts[identity(namespace["a"].__code__)]
    assert 1 == counts[identity(namespace["make"].__code__)]


def test_size_is_of_the_right_order() -> None:
    """The size of a long text or list is about what it takes."""
    found = components("a = 'x' * 1_000_000; b = [['y' * 1000] for _ in range(1000)]; c = 1")
    assert 900_000 < found["a"].size < 1_200_000
    assert 900_000 < found["b"].size < 1_500_000
    assert found["c"].size < 100


def test_walks_leave_user_objects_unhashed_on_many_items() -> None:
    """A metaclass of the notebook's that defines a hash is never asked, also not for many items."""
    source = "class M(type):\n    def __hash__(cls): raise RuntimeError\n    def __eq__(cls, o): raise RuntimeError\n"
    found = components(source + "class C(metaclass=M): pass\nv = [1] * 500 + [C() for _ in range(500)]")
    assert None is found["v"].opaque


def test_a_walk_under_way_does_not_wait_for_a_lock() -> None:
    """The walk of a value that another thread changes gives a digest or a reason, never an error."""
    import threading

    namespace: dict[str, Any] = {"__name__": "__main__", "d": {}}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            namespace["d"][number % 1000] = [number]
            namespace["d"].pop((number * 7) % 1000, None)
            number += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            (found,) = kinds.walker_module().Walker(namespace).walk(["d"])
            assert (found.digest is None) == (found.opaque is not None)
    finally:
        stop.set()
        thread.join()
