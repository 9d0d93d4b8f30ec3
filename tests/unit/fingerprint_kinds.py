# ruff: noqa: E501  (a table is read by its lines)
"""Kinds of values: each with the source that makes `v`, and one that makes a `v` that differs a little.

Run as a program it prints the fingerprints of all of them, to be compared with those of another process.
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

IN_KERNEL = Path(__file__).resolve().parents[2] / "pytest_cells" / "in_kernel"


class Kind(NamedTuple):
    name: str
    source: str
    changed: str
    needs: str = ""


POINT = "class Point:\n    scale = 2\n    def __init__(self, x): self.x = x\n    def far(self): return self.x * self.scale\n"
PLAIN = [
    Kind("int", "v = 1", "v = 2"),
    Kind("bool is not int", "v = True", "v = 1"),
    Kind("float is not int", "v = 1.0", "v = 1"),
    Kind("text is not int", "v = '1'", "v = 1"),
    Kind("bytes are not text", "v = b'1'", "v = '1'"),
    Kind("minus zero", "v = -0.0", "v = 0.0"),
    Kind("nan", "v = float('nan')", "v = float('inf')"),
    Kind("big int", "v = 10**50", "v = 10**50 + 1"),
    Kind("complex", "v = 1 + 2j", "v = 1 - 2j"),
    Kind("None", "v = None", "v = ..."),
    Kind("NotImplemented", "v = NotImplemented", "v = ..."),
    Kind("text", "v = 'grüße'", "v = 'grüsse'"),
    Kind("surrogate", "v = '\\ud800'", "v = '\\ud801'"),
    Kind("list", "v = [1, 2, 3]", "v = [1, 2, 4]"),
    Kind("tuple is not list", "v = (1, 2)", "v = [1, 2]"),
    Kind("bool in list", "v = [1, 2.0]", "v = [True, 2.0]"),
    Kind("nested list", "v = [[1], [2, [3]]]", "v = [[1], [2], [3]]"),
    Kind("flat or nested tuple", "v = (1, 2, 3)", "v = (1, (2, 3))"),
    Kind("long list", "v = list(range(20000))", "v = list(range(19999)) + [0]"),
    Kind("mixed list", "v = [1, [2], {'a': 1}, (1, [2]), 'x', [3], {}, None]", "v = [1, [2], {'a': 1}, (1, [3]), 'x', [3], {}, None]"),
    Kind("order in mixed list", "v = [1, [2], 1, [3], 1, 1, 1, 1]", "v = [1, [3], 1, [2], 1, 1, 1, 1]"),
    Kind("list twice in list", "a = [1]; v = [a, a]; del a", "v = [[1], [1]]"),
    Kind("many floats", "v = [n / 7 for n in range(20_000)]", "v = [n / 7 for n in range(20_000)]; v[9_000] += 1e-9"),
    Kind("many floats, one of them zero", "v = [0.0] * 300", "v = [0.0] * 299 + [-0.0]"),
    Kind("many floats, fewer", "v = [1.0] * 20_000", "v = [1.0] * 19_999"),
    Kind("many floats, one of them whole", "v = [1.0] * 300", "v = [1.0] * 299 + [1]"),
    Kind("many floats in a tuple", "v = ([1.0] * 300,)", "v = ((1.0,) * 300,)"),
    Kind("many numbers", "v = list(range(20_000))", "v = list(range(20_000)); v[-1] = 7"),
    Kind("many numbers, one of them true", "v = [1] * 300", "v = [1] * 299 + [True]"),
    Kind("two long lists", "v = [[1] * 9000, [2] * 9000]", "v = [[1] * 9000 + [2] * 9000, []]"),
    Kind("many lists, two the same", "a = [0]; v = [[n] for n in range(20)] + [a, a]; del a", "v = [[n] for n in range(20)] + [[0], [0]]"),
    Kind("lists flattened", "v = [[1, 2], [3]] * 1 + [[n] for n in range(10)]", "v = [[1], [2, 3]] + [[n] for n in range(10)]"),
    Kind("cyclic list", "v = [1]; v.append(v)", "v = [1]; v.append([1, v])"),
    Kind("deep list", "v = []\nfor n in range(50_000): v = [v]", "v = []\nfor n in range(50_001): v = [v]"),
    Kind("dict", "v = {'a': 1, 'b': 2}", "v = {'a': 1, 'b': 3}"),
    Kind("order of dict", "v = {'a': 1, 'b': 2}", "v = {'b': 2, 'a': 1}"),
    Kind("dict of lists", "v = {'a': [1], 'b': None}", "v = {'a': None, 'b': [1]}"),
    Kind("keys and values", "v = {1: [2], 3: [4]}", "v = {1: [4], 3: [2]}"),
    Kind("tuples as keys", "v = {(1, 2): [3]}", "v = {(1, 3): [3]}"),
    Kind("records", "v = [{'a': n, 'b': 'x'} for n in range(100)]", "v = [{'a': n, 'b': 'x' if n != 57 else 'y'} for n in range(100)]"),
    Kind("nested records", "v = [{'a': [n], 'b': {'c': n}} for n in range(100)]", "v = [{'a': [n], 'b': {'c': n if n != 3 else 0}} for n in range(100)]"),
    Kind("records with other keys", "v = [{'a': 1, 'b': 2}, {'c': 3}] * 1 + [{'k': 1} for n in range(9)]", "v = [{'a': 1}, {'b': 2, 'c': 3}] + [{'k': 1} for n in range(9)]"),
    Kind("set", "v = {'a', 'b', 'c', 1, (2, 'd')}", "v = {'a', 'b', 'c', 1, (2, 'e')}"),
    Kind("set of objects", "import decimal; v = {decimal.Decimal('1.5'), frozenset({'a', 'b'}), 'x'}", "import decimal; v = {decimal.Decimal('1.6'), frozenset({'a', 'b'}), 'x'}"),
    Kind("frozenset", "v = frozenset('abc')", "v = set('abc')"),
    Kind("range", "v = range(3)", "v = range(4)"),
    Kind("slice", "v = slice(1, 2)", "v = slice(1, 3)"),
    Kind("bytearray", "v = bytearray(b'ab')", "v = bytearray(b'ac')"),
    Kind("memoryview", "v = memoryview(b'abcd')", "v = memoryview(b'abce')"),
    Kind("array", "import array; v = array.array('i', [1, 2])", "import array; v = array.array('i', [1, 3])"),
    Kind("deque", "import collections; v = collections.deque([1, 2], 3)", "import collections; v = collections.deque([1, 2], 4)"),
    Kind("OrderedDict", "import collections; v = collections.OrderedDict(a=1, b=2)", "import collections; v = collections.OrderedDict(a=1, b=2); v.move_to_end('a')"),
    Kind("defaultdict", "import collections; v = collections.defaultdict(list, a=[1])", "import collections; v = collections.defaultdict(set, a=[1])"),
    Kind("Counter", "import collections; v = collections.Counter('aab')", "import collections; v = collections.Counter('abb')"),
    Kind("ChainMap", "import collections; v = collections.ChainMap({'a': 1}, {})", "import collections; v = collections.ChainMap({}, {'a': 1})"),
    Kind("namedtuple", "import collections; v = collections.namedtuple('P', 'a b')(1, [2])", "import collections; v = collections.namedtuple('P', 'a b')(1, [3])"),
    Kind("class of namedtuple", "import collections; v = collections.namedtuple('P', 'a b')", "import collections; v = collections.namedtuple('P', 'a c')"),
    Kind("SimpleNamespace", "import types; v = types.SimpleNamespace(a=1)", "import types; v = types.SimpleNamespace(a=2)"),
    Kind("mappingproxy", "import types; v = types.MappingProxyType({'a': 1})", "import types; v = types.MappingProxyType({'a': 2})"),
    Kind("dict's keys", "v = {'a': 1}.keys()", "v = {'b': 1}.keys()"),
    Kind("date", "import datetime; v = datetime.date(2024, 1, 1)", "import datetime; v = datetime.date(2024, 1, 2)"),
    Kind("datetime", "import datetime; v = datetime.datetime(2024, 1, 1)", "import datetime; v = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)"),
    Kind("timedelta", "import datetime; v = datetime.timedelta(1)", "import datetime; v = datetime.timedelta(0, 1)"),
    Kind("Decimal", "import decimal; v = decimal.Decimal('1.0')", "import decimal; v = decimal.Decimal('1.00')"),
    Kind("Fraction", "import fractions; v = fractions.Fraction(1, 3)", "import fractions; v = fractions.Fraction(2, 3)"),
    Kind("UUID", "import uuid; v = uuid.UUID(int=1)", "import uuid; v = uuid.UUID(int=2)"),
    Kind("Path", "import pathlib; v = pathlib.Path('a/b')", "import pathlib; v = pathlib.Path('a/c')"),
    Kind("Pattern", "import re; v = re.compile('a+')", "import re; v = re.compile('a+', re.I)"),
    Kind("enum member", "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\nv = Colour.RED", "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\nv = Colour.BLUE"),
    Kind("enum", "import enum\nclass v(enum.Enum):\n    RED = 1", "import enum\nclass v(enum.Enum):\n    RED = 2"),
    Kind("flag", "import enum\nclass F(enum.Flag):\n    A = 1\n    B = 2\nv = F.A | F.B", "import enum\nclass F(enum.Flag):\n    A = 1\n    B = 2\nv = F.A"),
    Kind("function", "def v(a, b=1): return a + b", "def v(a, b=1): return a - b"),
    Kind("default", "def v(a, b=1): return a + b", "def v(a, b=2): return a + b"),
    Kind("keyword default", "def v(a, *, b=1): return a + b", "def v(a, *, b=2): return a + b"),
    Kind("annotation", "def v(a: int): return a", "def v(a: str): return a"),
    Kind("docstring", "def v():\n    'one'", "def v():\n    'two'"),
    Kind("constant in nested function", "def v():\n    def inner(): return {1, 2}\n    return inner", "def v():\n    def inner(): return {1, 3}\n    return inner"),
    Kind("frozenset as a constant", "def v(a): return a in {'x', 'y', 'z'}", "def v(a): return a in {'x', 'y', 'w'}"),
    Kind("handler of errors", "def v():\n    try: f()\n    except ValueError: g()", "def v():\n    try: f(); g()\n    except ValueError: pass"),
    Kind("attribute of a function", "def v(): pass\nv.calls = 1", "def v(): pass\nv.calls = 2"),
    Kind("lambda", "v = lambda a: a + 1", "v = lambda a: a + 2"),
    Kind("closure", "def make(n): return lambda: n\nv = make(1)", "def make(n): return lambda: n\nv = make(2)"),
    Kind("generator function", "def v(): yield 1", "def v(): yield 2"),
    Kind("coroutine function", "async def v(): return 1", "def v(): return 1"),
    Kind("decorated", "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a) * 2\n    return w\n@twice\ndef v(a): return a", "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a) * 2\n    return w\n@twice\ndef v(a): return -a"),
    Kind("partial", "import functools; v = functools.partial(int, base=2)", "import functools; v = functools.partial(int, base=3)"),
    Kind("contextmanager", "import contextlib\n@contextlib.contextmanager\ndef v(): yield 1", "import contextlib\n@contextlib.contextmanager\ndef v(): yield 2"),
    Kind("code", "v = compile('a + 1', 'f', 'eval')", "v = compile('a + 2', 'f', 'eval')"),
    Kind("builtin", "v = len", "v = abs"),
    Kind("method of a list", "v = [1].append", "v = [2].append"),
    Kind("method of a text", "v = 'a'.join", "v = 'b'.join"),
    Kind("descriptor", "v = str.join", "v = str.split"),
    Kind("library function", "import os.path; v = os.path.join", "import os.path; v = os.path.split"),
    Kind("class of a library", "import json; v = json.JSONEncoder", "import json; v = json.JSONDecoder"),
    Kind("module", "import json as v", "import math as v"),
    Kind("class", POINT + "v = Point; del Point", POINT.replace("* self", "+ self") + "v = Point; del Point"),
    Kind("attribute of a class", POINT + "v = Point; del Point", POINT + "Point.scale = 3\nv = Point; del Point"),
    Kind("base", "class A: pass\nclass v(A): pass", "class A: pass\nclass B(A): pass\nclass v(B): pass"),
    Kind("metaclass", "class M(type): pass\nclass v(metaclass=M): pass", "class v: pass"),
    Kind("property", "class v:\n    @property\n    def p(self): return 1", "class v:\n    @property\n    def p(self): return 2"),
    Kind("kinds of methods", "class v:\n    @staticmethod\n    def p(self): return 1", "class v:\n    @classmethod\n    def p(self): return 1"),
    Kind("abstract class", "import abc\nclass v(abc.ABC):\n    @abc.abstractmethod\n    def p(self): pass", "import abc\nclass v(abc.ABC):\n    def p(self): pass"),
    Kind("registered class", "import abc\nclass A: pass\nclass v(abc.ABC): pass\nv.register(A)", "import abc\nclass A: pass\nclass v(abc.ABC): pass"),
    Kind("cached_property", "import functools\nclass v:\n    @functools.cached_property\n    def p(self): return 1", "import functools\nclass v:\n    @functools.cached_property\n    def p(self): return 2"),
    Kind("generic class", "import typing\nT = typing.TypeVar('T')\nclass v(typing.Generic[T]): pass", "import typing\nT = typing.TypeVar('T')\nclass v: pass"),
    Kind("instance", POINT + "v = Point(1)", POINT + "v = Point(2)"),
    Kind("instances", POINT + "v = [Point(n) for n in range(30)]", POINT + "v = [Point(n if n != 7 else 0) for n in range(30)]"),
    Kind("instances with lists", POINT + "v = [Point([n]) for n in range(30)]", POINT + "v = [Point([n if n != 7 else 0]) for n in range(30)]"),
    Kind("instances of two classes", POINT + "class Other(Point): pass\nv = [Point(1), Other(1)] * 1 + [1, 2, 3, 4, 5, 6]", POINT + "class Other(Point): pass\nv = [Other(1), Point(1)] + [1, 2, 3, 4, 5, 6]"),
    Kind("added attribute", POINT + "v = Point(1)", POINT + "v = Point(1); v.y = 2"),
    Kind("slots", "class S:\n    __slots__ = ('a', 'b')\nv = S(); v.a = 1", "class S:\n    __slots__ = ('a', 'b')\nv = S(); v.b = 1"),
    Kind("dataclass", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    a: int\n    b: list = dataclasses.field(default_factory=list)\nv = D(1)", "import dataclasses\n@dataclasses.dataclass\nclass D:\n    a: int\n    b: list = dataclasses.field(default_factory=list)\nv = D(2)"),
    Kind("class of a dataclass", "import dataclasses\n@dataclasses.dataclass\nclass v:\n    a: int = 1", "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass v:\n    a: int = 1"),
    Kind("subclass of dict", "class D(dict): pass\nv = D(a=1); v.b = 2", "class D(dict): pass\nv = D(a=1); v.b = 3"),
    Kind("content of a subclass of dict", "class D(dict): pass\nv = D(a=1); v.b = 2", "class D(dict): pass\nv = D(a=2); v.b = 2"),
    Kind("subclass of list", "class L(list): pass\nv = L([1])", "class L(list): pass\nv = L([2])"),
    Kind("subclass of tuple", "class T(tuple): pass\nv = T([1])", "class T(tuple): pass\nv = T([2])"),
    Kind("subclass of set", "class S(set): pass\nv = S('ab')", "class S(set): pass\nv = S('ac')"),
    Kind("subclass of int", "class I(int): pass\nv = I(1)", "class I(int): pass\nv = I(2)"),
    Kind("subclass of float", "class F(float): pass\nv = F(1)", "v = 1.0"),
    Kind("subclass of str", "class S(str): pass\nv = S('a')", "class S(str): pass\nv = S('b')"),
    Kind("subclass of bytes", "class B(bytes): pass\nv = B(b'a')", "class B(bytes): pass\nv = B(b'b')"),
    Kind("class with hooks that lie", "class H:\n    def __init__(self, a): self.a = a\n    def __reduce__(self): return (H, (0,))\nv = H(1)", "class H:\n    def __init__(self, a): self.a = a\n    def __reduce__(self): return (H, (0,))\nv = H(2)"),
    Kind("state left out", "class H:\n    def __init__(self, a): self.a = a\n    def __getstate__(self): return {}\nv = H(1)", "class H:\n    def __init__(self, a): self.a = a\n    def __getstate__(self): return {}\nv = H(2)"),
    Kind("bound method", POINT + "v = Point(1).far", POINT + "v = Point(2).far"),
    Kind("error", "v = ValueError('a')", "v = ValueError('b')"),
    Kind("error's cause", "v = ValueError('a'); v.__cause__ = KeyError(1)", "v = ValueError('a'); v.__cause__ = KeyError(2)"),
    Kind("OSError", "v = OSError(2, 'no')", "v = OSError(3, 'no')"),
    Kind("own error", "class E(Exception): pass\nv = E(1); v.x = 1", "class E(Exception): pass\nv = E(1); v.x = 2"),
    Kind("Random", "import random; v = random.Random(1)", "import random; v = random.Random(1); v.random()"),
    Kind("BytesIO", "import io; v = io.BytesIO(b'ab')", "import io; v = io.BytesIO(b'ab'); v.read(1)"),
    Kind("StringIO", "import io; v = io.StringIO('ab')", "import io; v = io.StringIO('ac')"),
    Kind("iterator", "v = iter([1, 2])", "v = iter([1, 2]); next(v)"),
    Kind("type alias", "import typing; v = typing.Optional[int]", "import typing; v = typing.Optional[str]"),
    Kind("generic alias", "v = list[int]", "v = list[str]"),
    Kind("itemgetter", "import operator; v = operator.itemgetter(1)", "import operator; v = operator.itemgetter(2)"),
    Kind("hasher object", "import string; v = string.Template('a')", "import string; v = string.Template('b')"),
    Kind("object", "v = object()", "v = [object()]"),
    Kind("logging record", "import argparse; v = argparse.Namespace(a=1)", "import argparse; v = argparse.Namespace(a=2)"),
]  # fmt: skip
NP = "import numpy as np; "
NUMPY = [
    Kind("array of floats", NP + "v = np.arange(4.)", NP + "v = np.arange(4.); v[3] = 4"),
    Kind("dtype of an array", NP + "v = np.zeros(4, 'i4')", NP + "v = np.zeros(4, 'u4')"),
    Kind("byte order", NP + "v = np.zeros(4, '<i4')", NP + "v = np.zeros(4, '>i4')"),
    Kind("shape", NP + "v = np.zeros((2, 3))", NP + "v = np.zeros((3, 2))"),
    Kind("order in memory", NP + "v = np.zeros((2, 3))", NP + "v = np.zeros((2, 3), order='F')"),
    Kind("transposed", NP + "v = np.arange(6).reshape(2, 3).T", NP + "v = np.arange(6).reshape(3, 2)"),
    Kind("strided view", NP + "v = np.arange(10)[::2]", NP + "v = np.arange(10)[::2].copy()"),
    Kind("one bit", NP + "v = np.zeros(1000)", NP + "v = np.zeros(1000); v.view('u1')[7999] = 1"),
    Kind("read only", NP + "v = np.zeros(2)", NP + "v = np.zeros(2); v.flags.writeable = False"),
    Kind("nan's sign", NP + "v = np.array([np.nan])", NP + "v = np.array([-np.nan])"),
    Kind("structured with padding", NP + "v = np.empty(3, np.dtype([('a', 'i1'), ('b', 'f8')], align=True)); v['a'] = 1; v['b'] = 2", NP + "v = np.empty(3, np.dtype([('a', 'i1'), ('b', 'f8')], align=True)); v['a'] = 1; v['b'] = 3"),
    Kind("array of objects", NP + "v = np.array([1, 'a', None], dtype=object)", NP + "v = np.array([1, 'b', None], dtype=object)"),
    Kind("array of lists", NP + "v = np.empty(2, object); v[0] = [1]; v[1] = v[0]", NP + "v = np.empty(2, object); v[0] = [1]; v[1] = [1]"),
    Kind("array of texts", NP + "v = np.array(['a', 'b'])", NP + "v = np.array(['a', 'c'])"),
    Kind("dates", NP + "v = np.array(['2020'], 'M8[D]')", NP + "v = np.array(['2020'], 'M8[s]')"),
    Kind("long double", NP + "v = np.arange(3, dtype=np.longdouble)", NP + "v = np.arange(1, 4, dtype=np.longdouble)"),
    Kind("no dimension", NP + "v = np.array(1.)", NP + "v = np.array([1.])"),
    Kind("empty", NP + "v = np.zeros((0, 3))", NP + "v = np.zeros((0, 2))"),
    Kind("masked", NP + "v = np.ma.array([1, 2], mask=[0, 1])", NP + "v = np.ma.array([1, 2], mask=[1, 1])"),
    Kind("matrix", NP + "v = np.zeros(3).view(np.recarray)", NP + "v = np.zeros(3)"),
    Kind("overlap in a list", NP + "a = np.zeros(4); v = [a, a[1:]]; del a", NP + "a = np.zeros(4); v = [a, a[1:].copy()]; del a"),
    Kind("scalar", NP + "v = np.float64(1)", NP + "v = np.float32(1)"),
    Kind("scalar is not float", NP + "v = np.float64(1)", "v = 1.0"),
    Kind("void", NP + "v = np.zeros(1, 'i4,i4')[0]", NP + "v = np.ones(1, 'i4,i4')[0]"),
    Kind("dtype", NP + "v = np.dtype('f8')", NP + "v = np.dtype('f4')"),
    Kind("dtype with fields", NP + "v = np.dtype([('a', 'f8')])", NP + "v = np.dtype([('b', 'f8')])"),
    Kind("ufunc", NP + "v = np.add", NP + "v = np.subtract"),
    Kind("Generator", NP + "v = np.random.default_rng(1)", NP + "v = np.random.default_rng(1); v.random()"),
    Kind("RandomState", NP + "v = np.random.RandomState(1)", NP + "v = np.random.RandomState(2)"),
    Kind("poly", NP + "v = np.poly1d([1, 2])", NP + "v = np.poly1d([1, 3])"),
]  # fmt: skip
PD = "import pandas as pd; import numpy as np; "
TABLE = PD + "v = pd.DataFrame({'a': [1, 2], 'b': ['x', 'y'], 'c': [1.5, None]})"
PANDAS = [
    Kind("frame", TABLE, TABLE.replace("'y'", "'z'")),
    Kind("number in a frame", TABLE, TABLE.replace("2]", "3]")),
    Kind("names of columns", TABLE, TABLE.replace("'b'", "'d'")),
    Kind("order of columns", TABLE, TABLE + "[['b', 'a', 'c']]"),
    Kind("index of a frame", TABLE, TABLE + ".set_axis([1, 2])"),
    Kind("name of an index", TABLE, TABLE + "; v.index.name = 'n'"),
    Kind("attrs", TABLE, TABLE + "; v.attrs['a'] = 1"),
    Kind("dtype of a column", TABLE, TABLE + "; v['a'] = v['a'].astype('int32')"),
    Kind("lists in a column", PD + "v = pd.DataFrame({'a': [[1], [2]]})", PD + "v = pd.DataFrame({'a': [[1], [3]]})"),
    Kind("one column of many", PD + "v = pd.DataFrame(np.zeros((3, 40)))", PD + "v = pd.DataFrame(np.zeros((3, 40))); v.iloc[2, 33] = 1"),
    Kind("series", PD + "v = pd.Series([1, 2], name='a')", PD + "v = pd.Series([1, 2], name='b')"),
    Kind("categories", PD + "v = pd.Series(['a', 'b'], dtype='category')", PD + "v = pd.Series(pd.Categorical(['a', 'b'], ordered=True))"),
    Kind("nullable", PD + "v = pd.Series([1, None], dtype='Int64')", PD + "v = pd.Series([1, 2], dtype='Int64')"),
    Kind("datetimes", PD + "v = pd.Series(pd.date_range('2020', periods=3))", PD + "v = pd.Series(pd.date_range('2020', periods=3, tz='UTC'))"),
    Kind("periods", PD + "v = pd.Series(pd.period_range('2020', periods=3, freq='D'))", PD + "v = pd.Series(pd.period_range('2020', periods=3, freq='M'))"),
    Kind("intervals", PD + "v = pd.Series(pd.interval_range(0, 3))", PD + "v = pd.Series(pd.interval_range(0, 3, closed='left'))"),
    Kind("sparse", PD + "v = pd.Series(pd.arrays.SparseArray([0, 0, 1]))", PD + "v = pd.Series(pd.arrays.SparseArray([0, 1, 0]))"),
    Kind("extension array", PD + "v = pd.array([1, None], dtype='Int64')", PD + "v = pd.array([1, 2], dtype='Int64')"),
    Kind("index", PD + "v = pd.Index([1, 2])", PD + "v = pd.Index([1, 3])"),
    Kind("RangeIndex", PD + "v = pd.RangeIndex(3)", PD + "v = pd.RangeIndex(4)"),
    Kind("MultiIndex", PD + "v = pd.MultiIndex.from_product([[1, 2], ['a']])", PD + "v = pd.MultiIndex.from_product([[1, 3], ['a']])"),
    Kind("DatetimeIndex", PD + "v = pd.date_range('2020', periods=3)", PD + "v = pd.date_range('2020', periods=3); v.freq = None"),
    Kind("Timestamp", PD + "v = pd.Timestamp('2020')", PD + "v = pd.Timestamp('2020', tz='UTC')"),
    Kind("Timedelta", PD + "v = pd.Timedelta(1, 's')", PD + "v = pd.Timedelta(2, 's')"),
    Kind("offset", PD + "v = pd.offsets.Day(1)", PD + "v = pd.offsets.Day(2)"),
    Kind("NaT", PD + "v = pd.NaT", PD + "v = pd.NA"),
    Kind("dtype of categories", PD + "v = pd.CategoricalDtype(['a'])", PD + "v = pd.CategoricalDtype(['b'])"),
    Kind("grouped", TABLE + ".groupby('a')", TABLE + ".groupby('b')"),
]  # fmt: skip
FITTED = "from sklearn.{0} import {1} as Model; import numpy as np; X = np.random.RandomState(0).rand(40, 3); v = Model({2}).fit(X, X[:, 0] > .5); del Model, X"
SKLEARN = [
    Kind("forest", FITTED.format("ensemble", "RandomForestClassifier", "5, random_state=0"), FITTED.format("ensemble", "RandomForestClassifier", "5, random_state=1")),
    Kind("logistic regression", FITTED.format("linear_model", "LogisticRegression", "C=1.0"), FITTED.format("linear_model", "LogisticRegression", "C=1.1")),
    Kind("scaler", FITTED.format("preprocessing", "StandardScaler", ""), FITTED.format("preprocessing", "StandardScaler", "with_mean=False")),
    Kind("own estimator", "from sklearn.base import BaseEstimator\nclass E(BaseEstimator):\n    def __init__(self, a=1): self.a = a\nv = E()", "from sklearn.base import BaseEstimator\nclass E(BaseEstimator):\n    def __init__(self, a=1): self.a = a\nv = E(2)"),
]  # fmt: skip
FORMULA = "import pandas as pd, statsmodels.formula.api as smf; d = pd.DataFrame({{'x': [1., 2, 4, 7], 'y': [2., 3, 5, 9]}}); v = smf.ols({0!r}, d){1}; del d"
SMOOTHED = "import pandas as pd; from statsmodels.tsa.exponential_smoothing.ets import ETSModel; v = ETSModel(pd.Series([1., 2, 4, 3, 5, 7, 6, 8]), trend={0!r})"
STATSMODELS = [
    Kind("model of a formula", FORMULA.format("y ~ x", ""), FORMULA.format("y ~ I(x + 1)", "")),
    Kind("fit of a formula", FORMULA.format("y ~ x", ".fit()"), FORMULA.format("y ~ x - 1", ".fit()")),
    Kind("dataset", "import statsmodels.api as sm; v = sm.datasets.longley.load()", "import statsmodels.api as sm; v = sm.datasets.longley.load(); v['more'] = 1"),
    Kind("attribute of a dataset", "import statsmodels.api as sm; v = sm.datasets.longley.load()", "import statsmodels.api as sm; v = sm.datasets.longley.load(); v.endog.iloc[3] += 1"),
    Kind("function of Cython for several types", SMOOTHED.format(None), SMOOTHED.format("add")),
]  # fmt: skip
OTHERS = [
    Kind("sparse matrix", "import scipy.sparse as s; v = s.csr_matrix([[1, 0], [0, 2]])", "import scipy.sparse as s; v = s.csr_matrix([[1, 0], [0, 3]])", "scipy"),
    Kind("polars", "import polars as pl; v = pl.DataFrame({'a': [1, 2]})", "import polars as pl; v = pl.DataFrame({'a': [1, 3]})", "polars"),
    Kind("pyarrow", "import pyarrow as pa; v = pa.table({'a': [1, 2]})", "import pyarrow as pa; v = pa.table({'a': [1, 3]})", "pyarrow"),
    Kind("arrow strings", PD + "v = pd.Series(['a', None, 'bc'], dtype='string[pyarrow]')", PD + "v = pd.Series(['a', 'b', 'c'], dtype='string[pyarrow]')", "pyarrow pandas"),
]  # fmt: skip


def installed(needs: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in needs.split())


KINDS = [
    *PLAIN,
    *(kind._replace(needs="numpy") for kind in NUMPY),
    *(kind._replace(needs="pandas") for kind in PANDAS),
    *(kind._replace(needs="sklearn") for kind in SKLEARN),
    *(kind._replace(needs="statsmodels") for kind in STATSMODELS),
    *OTHERS,
]
OPAQUE = [
    Kind("generator", "v = (n for n in [1])", "generator"),
    Kind("coroutine", "async def f(): pass\nv = f(); v.close()", "coroutine"),
    Kind("open file", "import os; v = open(os.devnull)", "open file"),
    Kind("lock", "import threading; v = threading.Lock()", "lock"),
    Kind("thread", "import threading; v = threading.Thread()", "thread"),
    Kind("sqlite", "import sqlite3; v = sqlite3.connect(':memory:')", "Connection"),
    Kind("lru_cache", "import functools\n@functools.lru_cache\ndef v(n): return n", "lru_cache wrapper"),
    Kind("weak reference", "import weakref\nclass C: pass\nc = C(); v = weakref.ref(c)", "weak reference"),
    Kind("weak proxy", "import weakref\nclass C: pass\nc = C(); v = weakref.proxy(c)", "weak proxy"),
    Kind("socket", "import socket; v = socket.socket(); v.close()", "socket"),
    Kind("iterator over a set", "v = iter({1})", "iterator over a set"),
    Kind("logger", "import logging; v = logging.getLogger('q')", "logger"),
    Kind("mock", "import unittest.mock; v = unittest.mock.Mock()", "mock"),
    Kind("ctypes", "import ctypes; v = ctypes.c_int(1)", "ctypes object"),
    Kind("module that is not loaded", "import types; v = types.ModuleType('m')", "module that is not loaded under its name"),
    Kind("figure", "import matplotlib.figure; v = matplotlib.figure.Figure()", "Figure", "matplotlib"),
    Kind("axes", "import matplotlib.figure; v = matplotlib.figure.Figure().subplots()", "Axes", "matplotlib"),
    Kind("memory map", "import numpy, tempfile; v = numpy.memmap(tempfile.TemporaryFile(), shape=3)", "memory map", "numpy"),
]  # fmt: skip


def walker_module() -> Any:
    """Return the walker's module as a kernel has it: under another name, without pytest-cells."""
    name = "_pytest_cells_agent"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, IN_KERNEL / "empty.py", submodule_search_locations=[str(IN_KERNEL)]
        )
        sys.modules[name] = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    return importlib.import_module(name + ".fingerprints")


def namespace_of(source: str) -> "dict[str, Any]":
    """Run a cell's source; a notebook's names live in a module named __main__."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace


def fingerprint(source: str, name: str = "v", budget_s: float = 30.0) -> Any:
    namespace = namespace_of(source)
    names = [found for found in namespace if not found.startswith("__")]
    components = walker_module().Walker(namespace).walk(names, budget_s)
    (found,) = [component for component in components if name in component.names]
    return found


if __name__ == "__main__":
    print(json.dumps({kind.name: fingerprint(kind.source).digest for kind in KINDS if installed(kind.needs)}))  # noqa: T201
