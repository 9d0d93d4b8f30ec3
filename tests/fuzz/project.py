"""The files of the project in which a random notebook stands."""

from __future__ import annotations


def first_files() -> dict[str, str]:
    """Return what the author has in each file at first."""
    return {
        "data.txt": "3 1 2\n",
        "data.csv": "u,v\n1,4\n2,5\n3,6\n",
        "conf.json": '{"k": [1], "n": 2}\n',
        "data/one.txt": "1\n",
        "script.py": "script_value = 5\nprint('script', script_value)\n",
        "helpers.py": helpers(3, "+", 0),
        "registry.py": registry(1),
        "users.py": users(0),
        "draws.py": draws(1),
        "of_thread.py": OF_THREAD,
        "speaks.py": "print('speaks')\nN = 2\n",
        "pkg/__init__.py": "",
        "pkg/sub.py": "from pkg.deep import BASE\n\nCACHE = {}\n\n\ndef value():\n    return BASE + len(CACHE)\n",
        "pkg/deep.py": "BASE = 1\n",
        "lib/extra.py": "VALUE = 7\n",
    }


def helpers(constant: int, operator: str, further: int) -> str:
    """Return a module of the project."""
    return HELPERS.replace("CONST = 0", f"CONST = {constant}").replace("x + 2", f"x {operator} 2") + (
        f"\n\ndef further():\n    return {further}\n" if further else ""
    )


HELPERS = '''"""A module of the project."""

import functools
import os

CONST = 0
STATE = []
TABLE = {"a": 1}
_kept = None


def hook(x):
    return -x


def twice(x):
    return (x + 2) * 2 + CONST


def push(v):
    STATE.append(v)
    return len(STATE)


def set_const(v):
    global CONST
    CONST = v


def call_hook(x):
    return hook(x)


def first():
    with open("data.txt") as file:
        return file.read().split()[0]


def counting(n):
    while True:
        yield n + CONST
        n += 1


@functools.lru_cache(None)
def cached(n):
    return n + CONST


@functools.lru_cache(None)
def listed():
    with open("data.txt") as file:
        return [len(word) for word in file.read().split()]


def remembering(function):
    seen = {}

    def remembered(n):
        if n not in seen:
            seen[n] = function(n)
        return seen[n]

    return remembered


@remembering
def line(n):
    with open("data.txt") as file:
        return file.read() * n + str(CONST)


def counted(seen=[0]):
    seen[0] += 1
    return seen[0]


class Tally:
    total = 0

    @classmethod
    def add(cls, n):
        cls.total += n
        return cls.total


add = Tally().add


def environment():
    return os.environ.get("FZ_A", "unset")


def keep(value):
    global _kept
    _kept = value


def kept():
    return _kept


class Thing:
    rate = 2

    def __init__(self, v):
        self.v = v

    def calc(self):
        return self.v * self.rate + CONST
'''


def registry(constant: int) -> str:
    """Return a module with which notebooks register functions and classes."""
    return REGISTRY.replace("LEAST = 0", f"LEAST = {constant}")


REGISTRY = '''"""A module that keeps what others give it."""

LEAST = 0
KEPT = []


class Base:
    kinds = []

    def __init__(self, v):
        self.v = v

    def __init_subclass__(cls, **named):
        Base.kinds.append(cls.__name__)

    def calc(self):
        return self.v + LEAST


def register(function):
    KEPT.append(function)
    return function


def run(x):
    return [function(x) for function in KEPT] or LEAST


def tag():
    return getattr(run, "tag", "none")


def more():
    return globals().get("MORE", "none")
'''


def users(constant: int) -> str:
    """Return a module that changes another one when it is imported, and takes a value from it."""
    return f"""import helpers
from helpers import CONST

helpers.STATE.append({constant})
N = len(helpers.STATE)


def both():
    return CONST, helpers.CONST
"""


def draws(seed: int) -> str:
    """Return a module that has a random generator of its own."""
    return f"import random\n\nOWN = random.Random({seed})\n\n\ndef draw():\n    return OWN.randrange(50)\n"


OF_THREAD = '''"""A module that keeps what nobody can compare."""

import threading

LOCAL = threading.local()


def put(value):
    LOCAL.value = value


def get():
    return getattr(LOCAL, "value", "none")
'''
