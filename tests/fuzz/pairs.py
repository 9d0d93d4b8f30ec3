"""Notebooks and edits written by hand: each a way in which a cache can be made to tell what is no longer true.

They hold for any rung. `rerun` are the cells that have to be executed after the edit, whatever else is; `cached`
those that a rung which observes cells takes from the cache, since nothing that they read has changed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from fuzz.harness import Lab, Version

ADDS = "seen = []\ndef add(v): seen.append(v)\n"
"""A module that keeps state."""
DOES_NOTHING, DOES_SOMETHING = (
    "def f(n): return n\n",
    (
        "import string\nclass K:\n    def g(self, n): string.__all__.append(n)\nk = [K()]\n"
        "def f(n):\n    for each in k: each.g(n)\n"
    ),
)
"""A module before and after it is written anew; then it changes a library, in a way that no call shows."""
MUCH = "much = [str(i) for i in range(30_000)]"
"""A cell that makes much: only what a cell may reach is looked at after it."""
REGISTERS = (
    "import codecs\nseen = [{}]\nf = getattr(codecs, 'register_' + 'error')\n"
    "x = f('fz', lambda e: (seen.append(2), ('', e.end))[1])"
)
"""A cell that gives a function to a library, by a name that does not stand there."""
TELLS = "class Told:\n    def __del__(self):\n        print('gone')\n"
"""A class of objects that tell when they are dropped."""


@dataclass(frozen=True)
class Pair:
    """A notebook and an edit."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    rerun: tuple[int, ...] = ()
    """Positions after the edit of the cells that must be executed."""
    cached: tuple[int, ...] = ()
    """Positions after the edit of the cells that need not be executed, and are not where cells are observed."""
    files: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str | None] = field(default_factory=dict)
    """What the author's files become; None for one that is removed."""
    env: Mapping[str, str] = field(default_factory=dict)
    changed_env: Mapping[str, str | None] = field(default_factory=dict)
    unstable: tuple[int, ...] = ()
    """Positions of the cells that tell something else in every run."""
    seen_by_chain: bool = True
    """Whether the chain rung promises it, once files and variables are declared."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The libraries that it needs and that are not there wherever the tests are run."""
        sources = (*self.before, *self.after)
        return tuple(
            name
            for name in ("sklearn", "scipy", "PIL", "seaborn", "sympy")
            if any(name in source for source in sources)
        )

    def versions(self, rung: str) -> list[Version]:
        """Return the project before and after the edit, with what the chain rung must be told."""
        files = {name: text for name, text in {**self.files, **self.changed}.items() if text is not None}
        env = {name: text for name, text in {**self.env, **self.changed_env}.items() if text is not None}
        told = sorted({*self.files, *self.changed} & set(self.files) & set(files))
        told += [f"env:{name}" for name in sorted({*self.env, *self.changed_env})]
        removed = frozenset(name for name, text in self.changed.items() if text is None and name not in self.files)
        head = f'# cells: deps="{",".join(told)}"\n' if told and rung == "chain" else ""
        return [
            Version(_cells(self.before, head), self.files, self.env, _ids(self.unstable)),
            Version(_cells(self.after, head), files, env, _ids(self.unstable), removed=removed, edit=self.name),
        ]


def touched(pair: Pair, rung: str) -> list[Version]:
    """Return a pair's notebook before the edit, and then with each of its cells in turn edited in a way that does nothing.

    So each cell is executed once in a kernel that holds no more than that cell needs.
    """
    first = pair.versions(rung)[0]
    found = [first]
    for at, (cell_id, source) in enumerate(first.cells):
        if not source.startswith("%%"):
            cells = [*first.cells[:at], (cell_id, f"{source}\npass"), *first.cells[at + 1 :]]
            found.append(replace(first, cells=tuple(cells), edit=f"cell {at + 1} touched"))
    return found


def beside_much(pair: Pair) -> Pair:
    """Return a pair with a cell above that makes so much that only what a cell may reach is looked at after it.

    So it is in most notebooks, and in few pairs.
    """
    moved = {key: tuple(at + 1 for at in getattr(pair, key)) for key in ("rerun", "cached", "unstable")}
    return replace(pair, before=(MUCH, *pair.before), after=(MUCH, *pair.after), **moved)  # type: ignore[arg-type]


def complaints(lab: Lab, pair: Pair) -> tuple[list[str], list[str]]:
    """Run a pair; return what is wrong, and what was executed although it need not have been."""
    version = pair.versions(lab.rung)
    compared = next(lab.case(version, first=1))
    wrong = [f"{problem.kind} at {problem.cell}\n{problem.told}" for problem in compared.problems]
    wrong += [f"two full runs differ at {problem.cell}\n{problem.told}" for problem in compared.unsettled]
    told = compared.incremental.cells
    wrong += [f"n{at} was not executed: {told[at].reason}" for at in pair.rerun if told[at].status == "cached"]
    needless = [f"n{at} was executed: {told[at].reason}" for at in pair.cached if told[at].status != "cached"]
    return wrong, needless


def _cells(sources: Sequence[str], head: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"n{number}", source if source.startswith("%%") else head + source) for number, source in enumerate(sources)
    )


def _ids(positions: Sequence[int]) -> frozenset[str]:
    return frozenset(f"n{number}" for number in positions)


def edit(name: str, before: Sequence[str], edits: Mapping[int, str] | None = None, **more: object) -> Pair:
    """Return a pair in which some cells become others; those must be executed, unless more is said."""
    edits = edits or {}
    after = [edits.get(number, source) for number, source in enumerate(before)]
    more.setdefault("rerun", tuple(edits))
    more = {key: tuple(value) if isinstance(value, list) else value for key, value in more.items()}
    return Pair(name, tuple(before), tuple(after), **more)  # type: ignore[arg-type]


def cells(name: str, before: Sequence[str], after: Sequence[str], **more: object) -> Pair:
    """Return a pair in which cells come, go or change places."""
    more = {key: tuple(value) if isinstance(value, list) else value for key, value in more.items()}
    return Pair(name, tuple(before), tuple(after), **more)  # type: ignore[arg-type]


def imports(expression: str) -> str:
    """Return lines that import the modules which an expression begins with, as `__import__` would be a barrier."""
    return "".join(f"import {name}\n" for name in re.findall(r"^([a-z]+)\.", expression))


LARGE = "large = list(range(300_000))"
DATED = "s = pd.Series([1, 2, 3], index=pd.date_range('2020', periods=3))"
OTHER_CACHES = (
    # What another cache was seen to tell wrongly, with nothing declared here.
    edit("changed value", ["x = 1", "y = x + 1\nprint(y)"], {0: "x = 100"}, rerun=[0, 1]),
    edit(
        "broken function", ["def f(x): return x * 2", "assert f(3) == 6"], {0: "def f(x): return x + 2"}, rerun=[0, 1]
    ),
    edit(
        "values that are shown",
        [
            "k = 1",
            "import numpy as np, pandas as pd\nfrom pandas import Series",
            "pd.DataFrame({'a': [1, 2]})",
            "np.fft.fft([1, 2]), np.arange(3)",
            "Series([1])",
            "print(pd.DataFrame({'a': [3]}).sum())",
        ],
        {0: "k = 2"},
        rerun=[0],
        cached=[1, 2, 3, 4, 5],
    ),
    edit(
        "module of the project that may log",
        ["import m", "k = 1", "print(m.doubled(2))", "print(m.doubled(3))"],
        {1: "k = 2"},
        files={
            "m.py": "import logging\ndef doubled(v):\n    if v < 0:\n        logging.warning('less')\n    return 2 * v\n"
        },
        rerun=[1],
        cached=[0, 2, 3],
    ),
    edit(
        "message to a handler that keeps it",
        [
            "import logging.handlers\nh = logging.handlers.MemoryHandler(10)\nlogging.getLogger().addHandler(h)",
            "logging.error('one')",
            "print([record.getMessage() for record in h.buffer])",
        ],
        {1: "logging.error('two')"},
        rerun=[1, 2],
    ),
    edit(
        "message to a filter of the notebook's",
        [
            "import logging\nseen = []\ndef keep(record): seen.append(record.getMessage())\nlogging.getLogger().addFilter(keep)\nmuch = [str(i) for i in range(20_000)]",
            "logging.error('one')",
            "print(seen)",
        ],
        {1: "logging.error('two')"},
        rerun=[1, 2],
    ),
    edit(
        "command that does not run",
        [
            "k = 1",
            "import sys\nelsewhere = 'google.colab' in sys.modules\nif elsewhere:\n    !pip install fz_nowhere",
            "print(elsewhere)",
        ],
        {0: "k = 2"},
        rerun=[0],
        cached=[1, 2],
    ),
    edit(
        "module of which is asked, and which comes",
        ["k = 1", "import sys\nprint('fz_later' in sys.modules)"],
        {0: "import fz_later"},
        files={},
        changed={"fz_later.py": "v = 1"},
        rerun=[0, 1],
        seen_by_chain=False,
    ),
    edit(
        "module of which is asked, and which is there",
        ["k = 1", "import sys\nprint('fz_later' in sys.modules, 'colorsys' in sys.modules)"],
        {0: "import fz_later, colorsys"},
        files={"fz_later.py": "v = 1"},
        rerun=[0, 1],
        seen_by_chain=False,
    ),
    edit(
        "command that runs in a branch",
        ["k = 1", "import os\nif k:\n    !cat d.txt", "print(open('d.txt').read())"],
        {0: "k = 2"},
        files={"d.txt": "1"},
        rerun=[0, 1],
    ),
    edit(
        "distributions that hold the process's own generator",
        [
            "import numpy as np",
            "from scipy.stats import norm\nd = norm(0, 1)\nd.mean()",
            "e = norm(1, 2)\ne.mean()",
            "print(d.pdf(0.5))",
            "print(d.cdf(0.5))",
        ],
        {2: "e = norm(1, 3)\ne.mean()", 4: "print(d.cdf(0.6))"},
        rerun=[2, 4],
        cached=[0, 1, 3],
    ),
    edit(
        "distribution that was brought back draws from the process's own generator",
        [
            "import numpy as np, time\nfrom scipy.stats import norm",
            "d = norm(0, 1)\ntime.sleep(0.3)",
            "np.random.seed(1)\nprint(d.rvs(2))",
        ],
        {2: "np.random.seed(2)\nprint(d.rvs(2))"},
        rerun=[2],
        cached=[0, 1],
    ),
    edit(
        "state of the generator that a distribution holds",
        [
            "import numpy as np\nnp.random.seed(1)",
            "from scipy.stats import norm\nd = norm(0, 1)",
            "print(d.dist.random_state.get_state()[1][:2])",
        ],
        {0: "import numpy as np\nnp.random.seed(2)"},
        rerun=[0, 2],
    ),
    edit(
        "generator that a distribution holds, seeded there",
        [
            "import numpy as np\nnp.random.seed(1)",
            "from scipy.stats import norm\nd = norm(0, 1)",
            "d.dist.random_state.seed(5)",
            "print(np.random.rand())",
        ],
        {2: "d.dist.random_state.seed(6)"},
        rerun=[2, 3],
    ),
    edit(
        "the process's own generator in a list",
        [
            "import random\nrandom.seed(1)",
            "r = [random.random.__self__]",
            "print(hash(r[0].getstate()))",
            "print(len(r))",
        ],
        {0: "import random\nrandom.seed(2)"},
        rerun=[0, 2],
    ),
    edit(
        "generator of a notebook's own",
        ["import random\nr = random.Random(1)", "r.random()", "print(r.random())"],
        {0: "import random\nr = random.Random(2)"},
        rerun=[0, 1, 2],
    ),
    edit(
        "values of Python's own library that are shown",
        [
            "k = 1",
            "import json, os, re\nfrom collections import Counter\nfrom datetime import datetime as dt",
            "from decimal import Decimal\nfrom fractions import Fraction",
            "Counter('abca')",
            "re.findall('a.', 'banana')",
            "json.dumps([1])",
            "dt.strptime('2020', '%Y')",
            "Fraction(1, 3)",
            "Decimal('0.1')",
            "os.listdir()",
            "print(Fraction(2, 3))",
        ],
        {0: "k = 2"},
        rerun=[0],
        cached=[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ),
    edit(
        "function that sets something, by another name",
        [
            "import numpy as np",
            "from numpy import seterrcall as tells\ndef told(kind, flag): print('one')",
            "tells(told)",
            "with np.errstate(all='call'): np.ones(1) / 0",
        ],
        {1: "from numpy import seterrcall as tells\ndef told(kind, flag): print('two')"},
        rerun=[1, 2, 3],
    ),
    edit(
        "list of Python's own library that is added to",
        [
            "import urllib.parse, copy",
            "urllib.parse.uses_params.append('one')\ncopy._deepcopy_dispatch.pop(slice, None)",
            "print(urllib.parse.uses_params[-1])",
        ],
        {1: "urllib.parse.uses_params.append('two')"},
        rerun=[1, 2],
    ),
    edit(
        "random number that is shown",
        ["import random\nrandom.seed(1)", "random.choice([1, 2, 3, 4])", "print(random.random())"],
        {0: "import random\nrandom.seed(2)"},
        rerun=[0, 1, 2],
    ),
    edit(
        "part of matplotlib that sets up pyparsing for itself",
        ["k = 1", "import matplotlib", "import matplotlib.pyplot as plt", "plt.plot([1, 2]);", "print(k)"],
        {0: "k = 2"},
        rerun=[0, 4],
        cached=[1, 2, 3],
    ),
    edit(
        "address of a file that is there",
        [
            "k = 1",
            "import os.path\nfrom urllib.request import urlretrieve",
            "def load(url):\n    if not os.path.exists('d.csv'):\n        urlretrieve(url, 'd.csv')",
            "load('https://127.0.0.1:9/d.csv')",
            "print(open('d.csv').read())",
        ],
        {0: "k = 2"},
        files={"d.csv": "1"},
        rerun=[0],
        cached=[1, 2, 3, 4],
    ),
    edit(
        "cache of a function that is called for what it shows",
        [
            "from functools import lru_cache\nk = 1",
            "@lru_cache(None)\ndef f(n): return n + 1",
            "f(2)",
            "v = 3",
            "print(v)",
        ],
        {0: "from functools import lru_cache\nk = 2"},
        rerun=[0],
        cached=[1, 2, 3, 4],
    ),
    edit(
        "function with a cache that is called for what it shows",
        ["from functools import lru_cache", "@lru_cache(None)\ndef f(n): return n + 1", "f(2)", "print(f(2))"],
        {1: "@lru_cache(None)\ndef f(n): return n + 2"},
        rerun=[1, 2, 3],
    ),
    edit(
        "method of what a library holds",
        [
            "import scipy.constants",
            "scipy.constants.physical_constants.update({'k': (1, 'm', 0)})",
            "print(scipy.constants.value('k'))",
        ],
        {1: "scipy.constants.physical_constants.update({'k': (2, 'm', 0)})"},
        rerun=[1, 2],
    ),
    edit(
        "figure that the kernel closes",
        ["import matplotlib.pyplot as plt", "plt.ioff()\nplt.figure(1)\nNone", "print(plt.get_fignums())"],
        {1: "plt.ioff()\nplt.figure(2)\nNone"},
        rerun=[1],
        cached=[2],
    ),
    edit(
        "setter among functions that are shown",
        ["import pandas as pd", "pd.set_eng_float_format(accuracy=1)", "print(pd.Series([1234.5678]))"],
        {1: "pd.set_eng_float_format(accuracy=3)"},
        rerun=[1, 2],
    ),
    cells("deleted definition", ["x = 1", "print(x)"], ["print(x)"], rerun=[0]),
    cells(
        "swapped cells",
        ["x = 1", "x = x * 2", "x = x + 3", "print(x)"],
        ["x = 1", "x = x + 3", "x = x * 2", "print(x)"],
        rerun=[1, 2, 3],
        cached=[0],
    ),
    cells(
        "equal cells",
        ["n = 0", "n += 1", "n += 1", "print(n)"],
        ["n = 0", "n += 1", "n += 1", "n += 1", "print(n)"],
        rerun=[3, 4],
    ),
    cells(
        "another notebook's first cell",
        ["import math", "assert math.pi > 3"],
        ["import math", "assert math.e > 2", "print(math.tau)"],
        rerun=[1, 2],
    ),
    edit("only the last cell", ["x = 1", "print(x)"], {1: "print(x + 1)"}, cached=[0]),
    edit(
        "setup constant",
        ["V = 1\nimport math", "def scaled(x):\n    return x * V", "print(scaled(2))"],
        {0: "V = 2\nimport math"},
        rerun=[0, 2],
    ),
    edit("white space inside a string", ['s = """a  \n"""\nprint(len(s))'], {0: 's = """a\n"""\nprint(len(s))'}),
    edit("same draw for ever", ["import random\nprint(random.random())"], unstable=[0], rerun=[0], seen_by_chain=False),
    edit("unknown magic", ["x = 1", "%nosuchmagic"], rerun=[1]),
    edit(
        "patched json",
        ["import json\njson.dumps = lambda *a, **k: 'nonsense'", "x = 1", "print(json.dumps(1), x)"],
        {1: "x = 2"},
        rerun=[1, 2],
    ),
    edit(
        "file read by json",
        ["import json\nv = json.load(open('in.json'))", "print(v)"],
        files={"in.json": "1"},
        changed={"in.json": "2"},
        rerun=[0, 1],
    ),
    edit(
        "deleted artifact",
        [
            "import os\nos.makedirs('artifacts', exist_ok=True)\nopen('artifacts/a.txt', 'w').write('1')\nNone",
            "print(open('artifacts/a.txt').read())",
        ],
        changed={"artifacts/a.txt": None},
        seen_by_chain=True,
    ),
    cells("inserted redefinition", ["x = 1", "print(x)"], ["x = 1", "x = 2", "print(x)"], rerun=[1, 2], cached=[0]),
    edit("value no longer equal", ["x = 4", "assert x % 2 == 0"], {0: "x = 5"}, rerun=[0, 1]),
)
CAUSES = (
    # What the prototype's fuzzing and its review found, in the order of the study.
    edit("idempotent store", ["M = 3", "M = 3", "print(M)"], {0: "M = 4"}),
    edit(
        "idempotent reseed",
        ["import random\nrandom.seed(1)", "random.seed(1)", "print(random.random())"],
        {0: "import random\nrandom.seed(2)"},
    ),
    edit(
        "stored below a wildcard read",
        ["x = 1", "print(globals().get('x'))\nx = 2", "print(x)"],
        {0: "x = 5"},
        rerun=[0, 1],
    ),
    edit(
        "called function reads what is overwritten",
        ["x = 1\ndef f():\n    return x", "y = f()\nx = 10", "print(x, y)"],
        {0: "x = 2\ndef f():\n    return x"},
        rerun=[0, 1, 2],
    ),
    edit(
        "redefined name held by a list",
        ["def h(): return 1\nfl = [h]", "def h(): return 2", "print(fl[0](), h())"],
        {0: "def h(): return 3\nfl = [h]"},
        rerun=[0, 2],
    ),
    edit(
        "old and new function in one list",
        ["def h(): return 1\nfl = [h]", "def h(): return 2", "fl.append(h)", "print([f() for f in fl])"],
        {3: "print([f() for f in fl], h is fl[1], h is fl[0])"},
    ),
    edit(
        "frames that share blocks",
        ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})\ndg = df[:]", "dg.loc[0, 'a'] = 9", "print(df, dg)"],
        {1: "dg.loc[0, 'a'] = 8"},
        rerun=[1, 2],
    ),
    edit(
        "frames that share blocks, restored",
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})\ndg = df[:]",
            "x = 1",
            "dg.loc[0, 'a'] = x\nprint(df, dg)",
        ],
        {2: "dg.loc[1, 'a'] = x\nprint(df, dg)"},
    ),
    edit(
        "generator resumes",
        [
            "k = 1\ndef g():\n    while True:\n        yield k\ngen = g()",
            "print(next(gen))",
            "k = 2",
            "print(next(gen))",
        ],
        {2: "k = 3"},
        rerun=[2, 3],
    ),
    edit(
        "generator needs its names",
        ["k = 1\ndef g():\n    while True:\n        yield k\ngen = g()", "next(gen)", "print(next(gen))"],
        {2: "print(next(gen), 'again')"},
    ),
    edit(
        "listing of the project",
        ["import os\nprint(sorted(n for n in os.listdir() if n.endswith('.txt')))"],
        files={"a.txt": "1"},
        changed={"b.txt": "2"},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "looked before it was made",
        ["import os\nfirst = not os.path.exists('made.txt')\nopen('made.txt', 'w').write('x')\nprint(first)"],
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "pickling leaves a trace on classes",
        [
            "class A:\n    b = 1\n    a = 2\nx = A()",
            "import copy\ny = copy.copy(x)",
            "print([k for k in vars(A) if not k.startswith('__')])",
        ],
        {2: "print([k for k in vars(A) if not k.startswith('__')], 1)"},
    ),
    edit(
        "shared closure cell",
        [
            "def make():\n    n = 0\n    def inc():\n        nonlocal n\n        n += 1\n        return n\n    def get():\n        return n\n    return inc, get\ninc, get = make()",
            "inc()",
            "print(get())",
        ],
        {2: "print(inc(), get())"},
    ),
    edit(
        "set literal",
        ["s = {'a', 'b', 'c'}", "s.add('d')", "print(sorted(s))"],
        {0: "s = {'a', 'b', 'e'}"},
        rerun=[0, 1, 2],
    ),
    edit(
        "library holds the live object",
        [
            "import logging\nclass H(logging.Handler):\n    n = 0\n    def emit(self, record): self.n += 1\nh = H()\nlogging.getLogger('fz').addHandler(h)",
            "logging.getLogger('fz').error('x')",
            "print(h.n)",
        ],
        {2: "logging.getLogger('fz').error('y')\nprint(h.n)"},
    ),
    edit(
        "library calls the notebook",
        [
            "import logging\nseen = []\nclass H(logging.Handler):\n    def emit(self, record): seen.append(record.getMessage())\nlogging.getLogger('fz').addHandler(H())",
            "logging.getLogger('fz').error('x')",
            "print(seen)",
        ],
        {1: "logging.getLogger('fz').error('z')"},
        rerun=[1, 2],
    ),
    edit(
        "singledispatch",
        [
            "from functools import singledispatch\n@singledispatch\ndef told(x): return 'other'",
            "told.register(int, lambda x: 'int')",
            "print(told(1))",
        ],
        {1: "told.register(str, lambda x: 'str')"},
        rerun=[1, 2],
    ),
    edit(
        "singledispatch, edited itself",
        ["from functools import singledispatch\n@singledispatch\ndef told(x): return 'other'", "print(told(1))"],
        {0: "from functools import singledispatch\n@singledispatch\ndef told(x): return 'none'"},
        rerun=[0, 1],
    ),
    edit(
        "library that peeks at frames",
        ["x = 1", "import peek\nprint(peek.peek('x'))"],
        {0: "x = 2"},
        files={"peek.py": "import sys\ndef peek(name):\n    return sys._getframe(1).f_globals[name]\n"},
        rerun=[0, 1],
    ),
    edit(
        "project function patches a library",
        ["import patch\npatch.patch(1)", "import math\nprint(math.tau)"],
        {0: "import patch\npatch.patch(2)"},
        files={"patch.py": "def patch(n):\n    import math\n    math.tau = n\n"},
        rerun=[0, 1],
    ),
    edit(
        "project function patches a library, edited there",
        ["import patch\npatch.patch()", "import math\nprint(math.tau)"],
        files={"patch.py": "def patch():\n    import math\n    math.tau = 1\n"},
        changed={"patch.py": "def patch():\n    import math\n    math.tau = 2\n"},
        rerun=[0, 1],
    ),
    cells("deleted, then bound", ["x = 1", "del x\nx = 2", "print(x)"], ["del x\nx = 2", "print(x)"], rerun=[0]),
    edit(
        "un-aliased by the edit",
        ["a = [1]\nb = a", "b.append(2)", "print(a)"],
        {0: "a = [1]\nb = list(a)"},
        rerun=[0, 1, 2],
    ),
    edit(
        "overwritten although it was shared",
        ["a = [1]\nb = a", "a = [5]", "b.append(2)", "print(a, b)"],
        {0: "a = [1]\nb = [1]"},
    ),
)
READS = (
    edit("class body", ["x = 1", "class A:\n    y = x", "print(A.y)"], {0: "x = 2"}, rerun=[0, 1, 2]),
    edit("exec in a function", ["x = 1", "def f():\n    exec('print(x)')\nf()"], {0: "x = 2"}, rerun=[0, 1]),
    edit("globals().get", ["x = 1", "print(globals().get('x'))"], {0: "x = 2"}, rerun=[0, 1]),
    cells("in globals()", ["x = 1", "print('x' in globals())"], ["y = 1", "print('x' in globals())"], rerun=[0, 1]),
    cells(
        "iteration over globals()",
        ["x = 1", "print(sorted(n for n in list(globals()) if n in 'xyz'))"],
        ["x = 1\ny = 2", "print(sorted(n for n in list(globals()) if n in 'xyz'))"],
        rerun=[0, 1],
    ),
    edit(
        "globals().items()",
        ["x = 1", "print([v for n, v in list(globals().items()) if n == 'x'])"],
        {0: "x = 2"},
        rerun=[0, 1],
    ),
    edit(
        "unpacked globals()",
        ["x = 1", "def f(x=0, **rest):\n    return x\nprint(f(**{n: v for n, v in globals().items() if n == 'x'}))"],
        {0: "x = 2"},
        rerun=[0, 1],
    ),
    edit("eval", ["x = 1", "print(eval('x + 1'))"], {0: "x = 2"}, rerun=[0, 1]),
    edit("eval of a built string", ["x = 1\nname = 'x'", "print(eval(name))"], {0: "x = 2\nname = 'x'"}, rerun=[0, 1]),
    edit("__main__", ["x = 1", "import __main__\nprint(__main__.x)"], {0: "x = 2"}, rerun=[0, 1]),
    edit("sys.modules", ["x = 1", "import sys\nprint(sys.modules['__main__'].x)"], {0: "x = 2"}, rerun=[0, 1]),
    edit("get_ipython().user_ns", ["x = 1", "print(get_ipython().user_ns['x'])"], {0: "x = 2"}, rerun=[0, 1]),
    edit(
        "inspect", ["x = 1", "import inspect\nprint(inspect.currentframe().f_globals['x'])"], {0: "x = 2"}, rerun=[0, 1]
    ),
    edit("locals()", ["x = 1", "print(locals()['x'], vars()['x'])"], {0: "x = 2"}, rerun=[0, 1]),
    edit("dir()", ["x = 1", "print([n for n in dir() if n in 'xyz'])"], {0: "y = 1"}, rerun=[0, 1]),
    edit(
        "operator on globals()",
        ["x = 1", "import operator\nprint(operator.itemgetter('x')(globals()))"],
        {0: "x = 2"},
        rerun=[0, 1],
    ),
    edit(
        "function.__globals__",
        ["x = 1\ndef f(): ...", "print(f.__globals__['x'])"],
        {0: "x = 2\ndef f(): ..."},
        rerun=[0, 1],
    ),
    edit(
        "frame above",
        ["x = 1", "import sys\ndef f():\n    return sys._getframe(1).f_globals['x']\nprint(f())"],
        {0: "x = 2"},
        rerun=[0, 1],
    ),
    edit("f-string", ["x = 1", "print(f'{x:>3}')"], {0: "x = 2"}, rerun=[0, 1]),
    edit("format with globals()", ["x = 1", "print('{x}'.format(**globals()))"], {0: "x = 2"}, rerun=[0, 1]),
    edit(
        "match",
        ["x = 1", "match x:\n    case 1:\n        print('one')\n    case _:\n        print('other')"],
        {0: "x = 2"},
        rerun=[0, 1],
    ),
    edit("comprehension", ["x = [1]", "print([v * 2 for v in x])"], {0: "x = [2]"}, rerun=[0, 1]),
    edit("lambda", ["x = 1", "f = lambda: x", "print(f())"], {0: "x = 2"}, rerun=[0, 2]),
    edit("default argument", ["x = 1", "def f(v=x): return v", "print(f())"], {0: "x = 2"}, rerun=[0, 1, 2]),
    edit("annotation", ["x = int", "def f(v: x): ...", "print(f.__annotations__)"], {0: "x = str"}, rerun=[0, 1, 2]),
    edit(
        "decorator",
        ["def deco(f):\n    return lambda: 1", "@deco\ndef g(): ...", "print(g())"],
        {0: "def deco(f):\n    return lambda: 2"},
        rerun=[0, 1, 2],
    ),
    edit(
        "base class",
        ["class A:\n    v = 1", "class B(A): ...", "print(B().v)"],
        {0: "class A:\n    v = 2"},
        rerun=[0, 2],
    ),
    edit(
        "metaclass",
        ["class M(type):\n    v = 1", "class B(metaclass=M): ...", "print(B.v)"],
        {0: "class M(type):\n    v = 2"},
        rerun=[0, 2],
    ),
    edit(
        "function that calls another",
        ["def a(): return 1", "def b(): return a()", "print(b())"],
        {0: "def a(): return 2"},
        rerun=[0, 2],
    ),
    edit(
        "method that calls a function",
        ["def a(): return 1", "class C:\n    def m(self): return a()\nc = C()", "print(c.m())"],
        {0: "def a(): return 2"},
        rerun=[0, 2],
    ),
    edit(
        "property",
        ["v = 1", "class C:\n    @property\n    def p(self): return v\nc = C()", "print(c.p)"],
        {0: "v = 2"},
        rerun=[0, 2],
    ),
    edit(
        "thread",
        [
            "x = 1",
            "import threading\nout = []\nt = threading.Thread(target=lambda: out.append(x))\nt.start()\nt.join()\nprint(out)",
        ],
        {0: "x = 2"},
        rerun=[0, 1],
    ),
    edit(
        "pool of threads",
        [
            "def f(v): return v + 1",
            "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(1) as pool:\n    print(list(pool.map(f, [1])))",
        ],
        {0: "def f(v): return v + 2"},
        rerun=[0, 1],
    ),
    edit(
        "top-level await",
        ["x = 1\nasync def job(): return x", "print(await job())"],
        {0: "x = 2\nasync def job(): return x"},
        rerun=[0, 1],
    ),
    edit(
        "task of a cell above",
        ["import asyncio\nasync def job(v): return v\ntask = asyncio.ensure_future(job(1))", "print(await task)"],
        {0: "import asyncio\nasync def job(v): return v\ntask = asyncio.ensure_future(job(2))"},
        rerun=[0, 1],
    ),
    edit(
        "pickle finds the class",
        ["class A:\n    def v(self): return 1", "import pickle\nb = pickle.dumps(A())", "print(pickle.loads(b).v())"],
        {0: "class A:\n    def v(self): return 2"},
        rerun=[0, 2],
    ),
    edit(
        "query",
        ["k = 1", "import pandas as pd\nprint(pd.DataFrame({'a': [1, 2]}).query('a > @k'))"],
        {0: "k = 0"},
        rerun=[0, 1],
    ),
    edit(
        "frame.eval",
        ["k = 1", "import pandas as pd\nprint(pd.DataFrame({'a': [1, 2]}).eval('a + @k'))"],
        {0: "k = 2"},
        rerun=[0, 1],
    ),
    edit(
        "query string from above",
        ["k = 1\nq = 'a > @k'", "import pandas as pd\nprint(pd.DataFrame({'a': [1, 2]}).query(q))"],
        {0: "k = 0\nq = 'a > @k'"},
        rerun=[0, 1],
    ),
    cells(
        "name that was not bound",
        ["try:\n    print(x)\nexcept NameError:\n    print('none')"],
        ["x = 1", "try:\n    print(x)\nexcept NameError:\n    print('none')"],
        rerun=[0, 1],
    ),
    cells("builtin that is shadowed", ["print(len([1]))"], ["len = lambda v: 99", "print(len([1]))"], rerun=[0, 1]),
    cells("builtin no longer shadowed", ["len = lambda v: 99", "print(len([1]))"], ["print(len([1]))"], rerun=[0]),
    cells(
        "function's name that was not bound",
        ["def f():\n    try:\n        return x\n    except NameError:\n        return 0\nprint(f())"],
        ["x = 1", "def f():\n    try:\n        return x\n    except NameError:\n        return 0\nprint(f())"],
        rerun=[0, 1],
    ),
    edit(
        "gc",
        ["class A: ...\nx = A()", "import gc\nprint(sum(type(o).__name__ == 'A' for o in gc.get_objects()))"],
        {0: "class A: ...\nx = A(), A()"},
        rerun=[0, 1],
    ),
    edit("magic with a variable", ["x = 1", "%time y = x", "print(y)"], {0: "x = 2"}, rerun=[0, 1, 2]),
    edit(
        "cell magic with a variable",
        ["x = 1", "%%capture out\nprint(x)", "print(out.stdout)"],
        {0: "x = 2"},
        rerun=[0, 1, 2],
    ),
    edit("shell with a variable", ["x = 1", "!echo {x}"], {0: "x = 2"}, rerun=[0, 1]),
    edit("who_ls", ["x = 1", "%who_ls int"], {0: "x = '1'"}, rerun=[0, 1]),
    edit("underscore", ["x = 1", "x", "print(_)"], {0: "x = 2"}, rerun=[0, 1, 2]),
    edit("Out", ["x = 1", "x", "print(Out[2])"], {0: "x = 2"}, rerun=[0, 1, 2]),
    edit("In", ["x = 1", "print(In[1])"], {0: "x = 2"}, rerun=[0, 1]),
    cells("execution count", ["x = 1", "print(len(In))"], ["x = 1", "y = 2", "print(len(In))"], rerun=[1, 2]),
)
WRITES = (
    edit(
        "global in a function",
        ["def f():\n    global x\n    x = 1", "f()", "print(x)"],
        {0: "def f():\n    global x\n    x = 2"},
        rerun=[0, 1, 2],
    ),
    edit(
        "del of a global in a function",
        ["x = 1\ndef f():\n    global x\n    del x", "f()", "print('x' in globals())"],
        {0: "x = 1\ndef f(): ..."},
        rerun=[0, 1, 2],
    ),
    edit(
        "import of a global in a function",
        ["def f():\n    global m\n    import math as m", "f()", "print(m.__name__)"],
        {0: "def f():\n    global m\n    import cmath as m"},
        rerun=[0, 1, 2],
    ),
    edit(
        "walrus in a comprehension",
        ["k = 3", "[(last := v) for v in range(k)]", "print(last)"],
        {0: "k = 5"},
        rerun=[0, 1, 2],
    ),
    edit("globals().update", ["k = 1", "globals().update(y=k)", "print(y)"], {0: "k = 2"}, rerun=[0, 1, 2]),
    edit("globals().setdefault", ["x = 1", "globals().setdefault('x', 5)", "print(x)"], {0: "z = 1"}, rerun=[0, 1, 2]),
    edit(
        "globals().pop",
        ["x = 1\ny = 2", "globals().pop('x')", "print('x' in globals(), y)"],
        {1: "globals().pop('y')\nx"},
    ),
    edit("globals() |=", ["k = 1", "g = globals()\ng |= {'y': k}", "print(y)"], {0: "k = 2"}, rerun=[0, 1, 2]),
    edit("exec", ["k = 1", "exec('y = k')", "print(y)"], {0: "k = 2"}, rerun=[0, 1, 2]),
    edit(
        "except as",
        ["e = 5", "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    pass", "print('e' in globals())"],
        {1: "pass"},
        rerun=[1, 2],
    ),
    edit("loop variable", ["k = 3", "for i in range(k): pass", "print(i)"], {0: "k = 4"}, rerun=[0, 1, 2]),
    edit(
        "star import",
        ["from mod import *", "print(v)"],
        files={"mod.py": "v = 1\n"},
        changed={"mod.py": "v = 2\n"},
        rerun=[0, 1],
    ),
    edit("push", ["k = 1", "get_ipython().push({'y': k})", "print(y)"], {0: "k = 2"}, rerun=[0, 1, 2]),
    edit(
        "set by another thread",
        [
            "k = 1",
            "import threading\ndef f():\n    global y\n    y = k\nt = threading.Thread(target=f)\nt.start()\nt.join()",
            "print(y)",
        ],
        {0: "k = 2"},
        rerun=[0, 1, 2],
    ),
    edit(
        "thread that goes on",
        [
            "import threading\ngo = threading.Event()\nbox = []\ndef f():\n    go.wait()\n    box.append(1)\nt = threading.Thread(target=f, daemon=True)\nt.start()",
            "go.set()\nt.join()",
            "print(box)",
        ],
        {1: "box.append(0)\ngo.set()\nt.join()"},
        rerun=[1, 2],
    ),
    edit("shell's output", ["out = !echo 1", "print(out)"], {0: "out = !echo 2"}, rerun=[0, 1]),
    edit(
        "reset_selective",
        ["x = 1\ny = 2", "%reset_selective -f ^x$", "print('x' in globals())"],
        {1: "%reset_selective -f ^y$"},
        rerun=[1, 2],
    ),
    edit(
        "callback of the next cell",
        [
            "seen = []\nget_ipython().events.register('post_run_cell', lambda r: seen.append(1))",
            "x = 1",
            "print(len(seen))",
        ],
        {1: "x = 2"},
        rerun=[1],
    ),
    edit(
        "callback of cells that do nothing",
        [
            "seen = []\nget_ipython().events.register('post_run_cell', lambda r: seen.append(1))",
            "x = 1",
            "print(len(seen))",
        ],
        {2: "print(len(seen), 2)"},
    ),
    edit(
        "own print",
        [
            "import builtins\nseen = []\nplain = print\ndef told(*a):\n    seen.append(a)\n    plain(*a)\nbuiltins.print = told",
            "print(1)",
            "len(seen)",
        ],
        {2: "len(seen) + 0"},
    ),
    edit(
        "partly done before the error",
        ["l = []", "# cells: raises=ValueError\nl.append(1)\nraise ValueError", "print(l)"],
        {1: "# cells: raises=ValueError\nl.append(2)\nraise ValueError"},
        rerun=[1, 2],
    ),
    edit(
        "error that no longer comes", ["x = 0", "# cells: raises=ZeroDivisionError\n1 / x"], {0: "x = 1"}, rerun=[0, 1]
    ),
    edit("another error", ["x = 0", "# cells: raises=ZeroDivisionError\n1 / x"], {0: "x = 'a'"}, rerun=[0, 1]),
)
VALUES = tuple(
    edit(
        f"value {before} to {after}",
        [f"{imports(before)}x = {before}", f"print({shown})"],
        {0: f"{imports(after)}x = {after}"},
        rerun=[0, 1],
    )
    for before, after, shown in (
        ("1", "True", "repr(x)"),
        ("1", "1.0", "repr(x)"),
        ("1", "'1'", "repr(x)"),
        ("0.0", "-0.0", "repr(x)"),
        ("'a'", "b'a'", "repr(x)"),
        ("(1, 2)", "[1, 2]", "type(x)"),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", "list(x)"),
        ("{1, 2}", "frozenset({1, 2})", "type(x)"),
        ("[1, [2]]", "[1, [3]]", "x"),
        ("range(3)", "range(4)", "len(x)"),
        ("10 ** 30", "10 ** 30 + 1", "x % 7"),
        ("lambda: 1", "lambda: 2", "x()"),
        ("lambda v=1: v", "lambda v=2: v", "x()"),
        ("lambda *, v=1: v", "lambda *, v=2: v", "x()"),
        ("(lambda n: lambda: n)(1)", "(lambda n: lambda: n)(2)", "x()"),
        ("type('A', (), {'v': 1})", "type('A', (), {'v': 2})", "x.v"),
        ("functools.partial(int, base=2)", "functools.partial(int, base=3)", "x('11')"),
        ("decimal.Decimal('1.0')", "decimal.Decimal('1.00')", "x"),
        ("datetime.date(2020, 1, 1)", "datetime.date(2020, 1, 2)", "x"),
        ("collections.deque([1], 2)", "collections.deque([1], 3)", "x"),
        ("collections.OrderedDict(a=1, b=2)", "collections.OrderedDict(b=2, a=1)", "x"),
        ("re.compile('a')", "re.compile('a', 2)", "x.flags"),
        ("iter([1, 2])", "iter([1, 3])", "list(x)"),
        ("numpy.zeros(2)", "numpy.zeros(2, dtype='f4')", "x.dtype"),
        (
            "numpy.arange(4).reshape(2, 2)",
            "numpy.arange(4).reshape(2, 2).T",
            "x.flags.c_contiguous",
        ),
        ("numpy.array([1, 2])", "numpy.array([1, 3])", "x"),
        ("numpy.random.default_rng(1)", "numpy.random.default_rng(2)", "x.random()"),
        ("pandas.DataFrame({'a': [1]})", "pandas.DataFrame({'a': [1.0]})", "x"),
        ("pandas.DataFrame({'a': [1]})", "pandas.DataFrame({'a': [1]}, index=[5])", "x"),
        ("pandas.DataFrame({'a': [1]})", "pandas.DataFrame({'b': [1]})", "x"),
        ("pandas.Series(['a'])", "pandas.Series(['a'], dtype='category')", "x.dtype"),
        ("numpy.zeros(2)", "numpy.zeros(2, dtype='i8')", "x.dtype"),
        ("numpy.zeros((2, 2))", "numpy.zeros((2, 2), order='F')", "x.flags.c_contiguous"),
        ("io.StringIO('a')", "io.StringIO('b')", "x.read()"),
        ("Exception('a')", "Exception('b')", "x.args"),
    )
)
ALIASES = (
    edit(
        "view of what is edited, replaced",
        ["import numpy as np\nx = np.arange(3)\nX = x[:, None]", "X = np.ones(2)\nprint(X)", "print(x.sum(), X.sum())"],
        {0: "import numpy as np\nx = np.arange(4)\nX = x[:, None]"},
        rerun=[0, 2],
    ),
    edit(
        "alias that is replaced",
        ["k = 1", "a = [1]\nb = a", "b = (5,)", "a.append(2)\nprint(a, b)"],
        {0: "k = 2"},
        rerun=[0],
        cached=[1, 2, 3],
    ),
    edit(
        "object of which an alias was replaced",
        ["a = [1]", "b = a", "b = (5,)", "a.append(2)\nprint(a, b)"],
        {0: "a = [7]"},
        rerun=[0, 3],
    ),
    edit(
        "alias or copy",
        ["a = [1]", "b = a", "b.append(2)", "print(a)"],
        {1: "b = list(a)"},
        rerun=[1, 2, 3],
        cached=[0],
    ),
    edit(
        "alias in a container",
        ["a = [1]", "box = {'k': a}", "box['k'].append(2)", "print(a)"],
        {2: "box['k'].append(3)"},
        rerun=[2, 3],
    ),
    edit(
        "alias in an instance",
        ["class A: ...\na = [1]\no = A()\no.v = a", "o.v.append(2)", "print(a)"],
        {1: "o.v.append(3)"},
        rerun=[1, 2],
    ),
    edit(
        "alias in a closure",
        ["a = [1]\ndef make(v):\n    return lambda n: v.append(n)\nadd = make(a)", "add(2)", "print(a)"],
        {1: "add(3)"},
        rerun=[1, 2],
    ),
    edit(
        "alias in a default",
        ["a = [1]\ndef add(n, v=a): v.append(n)", "add(2)", "print(a)"],
        {1: "add(3)"},
        rerun=[1, 2],
    ),
    *(
        edit(
            f"frame of a {name}",
            [f"import pandas as pd\n{frame}\nr = {made}", "n = 0", "print(r.sum())"],
            {1: change},
            rerun=[1, 2],
        )
        for name, frame, made, change in (
            ("resampler", DATED, "s.resample('2D')", "s.iloc[0] = 50"),
            ("grouper", DATED, "s.groupby(pd.Grouper(freq='2D'))", "s.iloc[0] = 50"),
            ("rolling window", DATED, "s.rolling(2)", "s.iloc[0] = 50"),
            (
                "frame by its array",
                "s = pd.DataFrame({'a': [1.0]})",
                "pd.DataFrame(s.to_numpy(), copy=False)",
                "s.iloc[0, 0] = 50",
            ),
            (
                "series by its array",
                "s = pd.Series([1, 2], dtype='Int64')",
                "pd.Series(s.array, copy=False)",
                "s.iloc[0] = 50",
            ),
            ("resampled frame", f"{DATED}\nf = s.to_frame('a')", "f.resample('2D')", "f.loc[f.index[0], 'a'] = 50"),
        )
    ),
    edit(
        "finalizer that is detached",
        [
            "import weakref\nclass K: pass\nk = K(); l = []\nf = weakref.finalize(k, l.append, 1)",
            "n = 0",
            "print(f.alive)",
        ],
        {1: "f.detach()"},
        rerun=[1, 2],
    ),
    edit(
        "finalizer that is called",
        [
            f"{LARGE}\nimport weakref\nclass K: pass\nk = K(); l = []\nf = weakref.finalize(k, l.append, 1)",
            "n = 0",
            "print(l)",
        ],
        {1: "f()"},
        rerun=[1, 2],
    ),
    edit(
        "super in a variable",
        ["class A: v = 1\nclass B(A):\n    def s(self): return super()\ns = B().s()", "n = 0", "print(s.v)"],
        {1: "A.v = 2"},
        rerun=[1, 2],
    ),
    edit(
        "stdin of the notebook",
        [
            "import sys, io\nsys.stdin = io.StringIO('1\\n2\\n3\\n')",
            "x = sys.stdin.readline()",
            "print(sys.stdin.readline())",
        ],
        {2: "print(2, sys.stdin.readline())"},
        rerun=[2],
    ),
    edit(
        "stdin of the notebook, read by a function",
        [
            "import sys\nsys.stdin = open('in.txt')\ndef r(): return sys.stdin.readline()",
            "x = r()",
            "print(r())",
        ],
        {1: "x = r() + r()"},
        files={"in.txt": "1\n2\n3\n"},
        rerun=[1, 2],
    ),
    edit("alias in a bound method", ["a = [1]\nadd = a.append", "add(2)", "print(a)"], {1: "add(3)"}, rerun=[1, 2]),
    edit(
        "alias in a partial",
        ["import functools, operator\na = [1]\nadd = functools.partial(operator.iadd, a)", "add([2])", "print(a)"],
        {1: "add([3])"},
        rerun=[1, 2],
    ),
    edit(
        "alias in a generator",
        ["a = [1]\ng = (a.append(v) for v in [2, 3])", "next(g)", "print(a)"],
        {1: "next(g)\nnext(g)"},
        rerun=[1, 2],
    ),
    edit(
        "alias in a class",
        ["class A:\n    seen = []", "class B(A): ...\nB.seen.append(1)", "print(A.seen)"],
        {1: "class B(A): ...\nB.seen.append(2)"},
        rerun=[1, 2],
    ),
    edit(
        "alias in a dictionary's view",
        ["d = {'a': 1}\nkeys = d.keys()", "d['b'] = 2", "print(list(keys))"],
        {1: "d['c'] = 2"},
        rerun=[1, 2],
    ),
    edit(
        "alias of an iterator",
        ["l = [1, 2, 3]\ni = iter(l)\nj = i", "next(i)", "print(next(j))"],
        {1: "next(i)\nnext(i)"},
        rerun=[1, 2],
    ),
    edit(
        "view of an array",
        ["import numpy as np\na = np.zeros(4)\nv = a[1:3]", "v[:] = 5", "print(a)"],
        {1: "v[:] = 6"},
        rerun=[1, 2],
    ),
    edit(
        "view or copy",
        ["import numpy as np\na = np.zeros(4)", "v = a[1:3]", "v[:] = 5", "print(a)"],
        {1: "v = a[1:3].copy()"},
        rerun=[1, 2, 3],
    ),
    edit(
        "memoryview",
        ["b = bytearray(b'abc')\nm = memoryview(b)", "m[0] = 120", "print(b)"],
        {1: "m[0] = 121"},
        rerun=[1, 2],
    ),
    edit(
        "array shared with a frame",
        [
            "import numpy as np, pandas as pd\na = np.zeros((2, 2))\ndf = pd.DataFrame(a, copy=False)",
            "a[0, 0] = 5",
            "print(df)",
        ],
        {1: "a[0, 0] = 6"},
        rerun=[1, 2],
    ),
    edit(
        "mutation in C",
        ["import heapq\nh = [3, 1, 2]", "heapq.heapify(h)", "print(h)"],
        {1: "heapq.heapify(h)\nheapq.heappush(h, 0)"},
        rerun=[1, 2],
    ),
    edit(
        "mutation by a function",
        ["a = [1]\ndef f(): a.append(2)", "f()", "print(a)"],
        {0: "a = [1]\ndef f(): a.append(3)"},
        rerun=[0, 1, 2],
    ),
    edit(
        "mutation by an operator",
        [
            "class V:\n    def __init__(self): self.n = 0\n    def __iadd__(self, k):\n        self.n += k\n        return self\nv = V()\nw = v",
            "v += 1",
            "print(w.n)",
        ],
        {1: "v += 2"},
        rerun=[1, 2],
    ),
    edit(
        "mutation by reading",
        [
            "class C:\n    n = 0\n    @property\n    def v(self):\n        self.n += 1\n        return self.n\nc = C()",
            "c.v",
            "print(c.n)",
        ],
        {1: "c.v, c.v"},
        rerun=[1, 2],
    ),
    edit(
        "mutation by repr",
        [
            "class C:\n    n = 0\n    def __repr__(self):\n        C.n += 1\n        return 'C'\nc = C()",
            "c",
            "print(C.n)",
        ],
        {1: "repr(c)\nc"},
        rerun=[1, 2],
    ),
    edit(
        "default that fills up",
        ["def f(v=[]):\n    v.append(1)\n    return len(v)", "f()", "print(f())"],
        {1: "f()\nf()"},
        rerun=[1, 2],
    ),
    edit("attribute of a function", ["def f(): ...\nf.n = 0", "f.n += 1", "print(f.n)"], {1: "f.n += 2"}, rerun=[1, 2]),
    edit(
        "cached function",
        ["import functools\n@functools.lru_cache\ndef f(v): return v", "f(1)", "print(f.cache_info().currsize)"],
        {1: "f(1)\nf(2)"},
        rerun=[1, 2],
    ),
    edit(
        "patched method",
        ["class A:\n    def m(self): return 1\na = A()", "A.m = lambda self: 2", "print(a.m())"],
        {1: "A.m = lambda self: 3"},
        rerun=[1, 2],
    ),
    edit(
        "class of an instance",
        ["class A: v = 1\nclass B: v = 2\na = A()", "a.__class__ = B", "print(a.v)"],
        {1: "a.__class__ = A"},
        rerun=[1, 2],
    ),
    edit(
        "identity, restored",
        ["a = [1]\nb = [a, a]", "x = 1", "print(b[0] is a, b[0] is b[1], x)"],
        {2: "print(b[0] is a, b[0] is b[1])\nb[0].append(x)\nprint(b)"},
    ),
    edit(
        "isinstance, restored",
        ["class A: ...\na = A()", "x = 1", "print(isinstance(a, A))"],
        {2: "print(isinstance(a, A), type(a) is A, x)"},
    ),
    edit(
        "enum, restored",
        ["import enum\nclass E(enum.Enum):\n    A = 1\ne = E.A", "x = 1", "print(e is E.A)"],
        {2: "print(e is E.A, e in E, x)"},
    ),
    edit("finalizer", ["class A:\n    def __del__(self): print('gone')\na = A()", "a = None", "x = 1"], {2: "x = 2"}),
    cells(
        "warning that is shown once",
        ["import warnings\ndef f():\n    warnings.warn('w')", "f()", "f()\nprint('end')"],
        ["import warnings\ndef f():\n    warnings.warn('w')", "f()\nprint('end')"],
        rerun=[1],
    ),
    edit(
        "weak reference",
        ["import weakref\nclass A: ...\na = A()\nr = weakref.ref(a)", "b = a", "del a", "print(r() is None)"],
        {1: "b = 1"},
        rerun=[1, 3],
    ),
)
FILES = (
    edit(
        "opened file",
        ["v = open('d.txt').read()", "print(v)"],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0, 1],
    ),
    edit(
        "file read by a function",
        ["def f():\n    return open('d.txt').read()", "print(f())"],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[1],
    ),
    edit(
        "os.open",
        ["import os\nfd = os.open('d.txt', os.O_RDONLY)\nprint(os.read(fd, 9))\nos.close(fd)"],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0],
    ),
    edit(
        "mapped file",
        [
            "import mmap\nwith open('d.txt', 'rb') as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:\n    print(bytes(m))"
        ],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0],
    ),
    edit(
        "pandas csv",
        ["import pandas as pd\nprint(pd.read_csv('d.csv'))"],
        files={"d.csv": "a\n1\n"},
        changed={"d.csv": "a\n2\n"},
        rerun=[0],
    ),
    edit(
        "numpy text",
        ["import numpy as np\nprint(np.loadtxt('d.txt'))"],
        files={"d.txt": "1 2"},
        changed={"d.txt": "1 3"},
        rerun=[0],
    ),
    edit(
        "numpy file without Python",
        ["import numpy as np\nprint(np.fromfile('d.txt', dtype='u1'))"],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0],
    ),
    edit(
        "read by ctypes",
        [
            "import ctypes\nlibc = ctypes.CDLL(None)\nf = libc.open(b'd.txt', 0)\nb = ctypes.create_string_buffer(4)\nlibc.read(f, b, 4)\nlibc.close(f)\nprint(b.value)"
        ],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0],
    ),
    edit(
        "read by a subprocess",
        ["import subprocess\nprint(subprocess.run(['cat', 'd.txt'], capture_output=True, text=True).stdout)"],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0],
    ),
    edit("read by the shell", ["!cat d.txt"], files={"d.txt": "1\n"}, changed={"d.txt": "2\n"}, rerun=[0]),
    edit(
        "database",
        [
            "import sqlite3\ndb = sqlite3.connect('d.db')\ndb.execute('create table if not exists t (n)')\ndb.execute('insert into t values (1)')\ndb.commit()\nprint(db.execute('select count(*) from t').fetchone())"
        ],
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "clock that a function imports",
        ["def stamp():\n    import time\n    return time.time()\nx = stamp()", "y = 1"],
        rerun=[0],
        unstable=[0],
        seen_by_chain=False,
    ),
    edit(
        "file that is never closed",
        ["f = open('log.txt', 'w')\nprint(f.write('a'))", "x = 1", "print(f.write('b'))", "print(x)"],
        rerun=[0, 2],
        seen_by_chain=False,
    ),
    edit(
        "lock before a file that is never closed",
        [
            "import threading\nclass Log:\n    def __init__(self):\n        self.lock = threading.Lock()\n        self.file = open('log.txt', 'w')\nlog = Log()",
            "x = 1",
            "print(log.file.write('b'))",
        ],
        rerun=[0, 2],
        seen_by_chain=False,
    ),
    edit(
        "mapped file that is written",
        [
            "import numpy as np\nm = np.memmap('m.dat', dtype='u1', mode='w+', shape=(4,))",
            "m[0] = 7",
            "print(m[0])",
        ],
        rerun=[0, 1, 2],
        seen_by_chain=False,
    ),
    edit(
        "database before a file that is never closed",
        [
            "N = [3, 9]",
            "import sqlite3\nwith sqlite3.connect('d.db') as db:\n    db.execute('create table if not exists t (n)')\n    db.execute('insert into t values (1)')\ndb.close()",
            "f = open('log.txt', 'w')\nf.flush()",
        ],
        rerun=[1, 2],
        seen_by_chain=False,
    ),
    edit(
        "appended file before another one",
        [
            "N = [3, 9]",
            "import pathlib\nwith pathlib.Path('d.txt').open('a') as f: f.write('a')",
            "open('e.txt', 'w').write('b')",
        ],
        {2: "open('e.txt', 'w').write('bc')"},
        rerun=[1, 2],
        seen_by_chain=False,
    ),
    cells(
        "object that tells when it is dropped",
        ["x = 1", TELLS, "print(x)\no = 2"],
        ["x = 1", TELLS + "o = Told()", "print(x)\no = 2"],
        rerun=[1, 2],
        seen_by_chain=False,
    ),
    cells(
        "object that tells something else when it is dropped",
        ["x = 1", TELLS + "o = Told()", "print(x)\no = 2"],
        [
            "x = 1",
            TELLS.replace("gone", "lost") + "o = Told()",
            "print(x)\no = 2",
        ],
        rerun=[1, 2],
        seen_by_chain=False,
    ),
    cells(
        "object in a list that tells when it is dropped",
        ["x = 1", TELLS + "o = []", "print(x)\no = 2"],
        ["x = 1", TELLS + "o = [Told()]", "print(x)\no = 2"],
        rerun=[1, 2],
        seen_by_chain=False,
    ),
    cells(
        "generator that is dropped",
        [
            "x = 1",
            "def g():\n    try:\n        yield 1\n    finally:\n        print('end')\no = g()",
            "print(x)\no = 2",
        ],
        [
            "x = 1",
            "def g():\n    try:\n        yield 1\n    finally:\n        print('end')\no = g()\nnext(o)",
            "print(x)\no = 2",
        ],
        rerun=[1, 2],
        seen_by_chain=False,
    ),
    cells(
        "object before the cell that drops it is edited",
        ["x = 1", TELLS + "o = Told()", "print(x)\no = 2"],
        ["x = 1", TELLS + "o = Told()", "print(x, x)\no = 2"],
        rerun=[2],
        seen_by_chain=False,
    ),
    edit(
        "size of a file",
        ["import os\nprint(os.stat('d.txt').st_size)"],
        files={"d.txt": "1"},
        changed={"d.txt": "22"},
        rerun=[0],
    ),
    edit(
        "file that is there now",
        ["import os\nprint(os.path.exists('d.txt'))"],
        changed={"d.txt": "1"},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "file that is gone",
        ["import os\nprint(os.path.exists('d.txt'))"],
        files={"d.txt": "1"},
        changed={"d.txt": None},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "missing file that is there now",
        ["try:\n    print(open('d.txt').read())\nexcept FileNotFoundError:\n    print('none')"],
        changed={"d.txt": "1"},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "Path.is_file",
        ["from pathlib import Path\nprint(Path('d.txt').is_file())"],
        changed={"d.txt": "1"},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "os.access",
        ["import os\nprint(os.access('d.txt', os.R_OK))"],
        changed={"d.txt": "1"},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "glob",
        ["import glob\nprint(sorted(glob.glob('in/*.txt')))"],
        files={"in/a.txt": ""},
        changed={"in/b.txt": ""},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "Path.glob",
        ["from pathlib import Path\nprint(sorted(p.name for p in Path('in').glob('*')))"],
        files={"in/a.txt": ""},
        changed={"in/b.txt": ""},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "os.walk",
        ["import os\nprint([sorted(f) for _, _, f in os.walk('in')])"],
        files={"in/a.txt": ""},
        changed={"in/b.txt": ""},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "os.scandir",
        ["import os\nprint(sorted(e.name for e in os.scandir('in')))"],
        files={"in/a.txt": ""},
        changed={"in/b.txt": ""},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "handle of a cell above",
        ["f = open('d.txt')", "print(f.readline())", "print(f.readline())"],
        files={"d.txt": "1\n2\n"},
        changed={"d.txt": "1\n3\n"},
        rerun=[2],
    ),
    edit(
        "relative to a changed directory",
        ["import os\nos.chdir('in')", "print(open('d.txt').read())"],
        files={"in/d.txt": "1"},
        changed={"in/d.txt": "2"},
        rerun=[1],
    ),
    edit(
        "another directory",
        ["import os\nos.chdir('one')", "print(open('d.txt').read())"],
        {0: "import os\nos.chdir('two')"},
        files={"one/d.txt": "1", "two/d.txt": "2"},
        rerun=[0, 1],
    ),
    edit(
        "through a link",
        [
            "import os\nif not os.path.exists('link.txt'):\n    os.symlink('d.txt', 'link.txt')\nprint(open('link.txt').read())"
        ],
        files={"d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0],
    ),
    edit(
        "written and read",
        ["open('o.txt', 'w').write('1')\nNone", "print(open('o.txt').read())"],
        {0: "open('o.txt', 'w').write('2')\nNone"},
        rerun=[0, 1],
        seen_by_chain=True,
    ),
    edit(
        "written, read by an edited cell",
        ["open('o.txt', 'w').write('1')\nNone", "print(open('o.txt').read())"],
        {1: "print(open('o.txt').read(), 2)"},
    ),
    edit(
        "appended in each run",
        ["with open('log.txt', 'a') as f:\n    f.write('x')\nprint(len(open('log.txt').read()))"],
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "appended to what is written above",
        [
            "open('o.txt', 'w').write('1')\nNone",
            "with open('o.txt', 'a') as f:\n    f.write('2')",
            "print(open('o.txt').read())",
        ],
        {1: "with open('o.txt', 'a') as f:\n    f.write('3')"},
        rerun=[1, 2],
    ),
    edit(
        "handle held and written",
        ["f = open('o.txt', 'w')", "f.write('1')\nf.flush()", "print(open('o.txt').read())"],
        {1: "f.write('2')\nf.flush()"},
        rerun=[1, 2],
    ),
    edit(
        "removed by a cell",
        ["open('o.txt', 'w').write('1')\nNone", "import os\nos.remove('o.txt')", "print(os.path.exists('o.txt'))"],
        {1: "import os"},
        rerun=[1, 2],
    ),
    edit(
        "renamed by a cell",
        [
            "open('o.txt', 'w').write('1')\nNone",
            "import os\nos.replace('o.txt', 'p.txt')",
            "print(sorted(n for n in os.listdir() if n.endswith('.txt')))",
        ],
        {1: "import os\nos.replace('o.txt', 'q.txt')"},
        rerun=[1, 2],
    ),
    edit(
        "module that reads a file",
        ["import mod\nprint(mod.v)"],
        files={"mod.py": "v = open('d.txt').read()\n", "d.txt": "1"},
        changed={"d.txt": "2"},
        rerun=[0],
    ),
    edit("script", ["%run s.py", "print(v)"], files={"s.py": "v = 1\n"}, changed={"s.py": "v = 2\n"}, rerun=[0, 1]),
    edit(
        "linecache",
        ["import linecache\nprint(linecache.getline('d.txt', 1))"],
        files={"d.txt": "1\n"},
        changed={"d.txt": "2\n"},
        rerun=[0],
    ),
    edit(
        "file of another cell of equal text",
        ["open('a.txt', 'w').write('1')\nNone", "open('a.txt', 'w').write('2')\nNone", "print(open('a.txt').read())"],
        {1: "open('b.txt', 'w').write('2')\nNone"},
        rerun=[1, 2],
    ),
)
ENVIRONMENT = (
    *(
        edit(
            f"variable that {name} reads",
            [source],
            env={"FZ_V": "1"},
            changed_env={"FZ_V": "2"},
            rerun=[0],
            seen_by_chain=False,
        )
        for name, source in (
            ("a shell", "!echo $FZ_V"),
            ("a script", "%%bash\necho $FZ_V"),
            (
                "a process",
                "import subprocess\nprint(subprocess.run(['printenv', 'FZ_V'], stdout=-1, text=True).stdout)",
            ),
            ("a command", "import os\nprint(os.popen('echo $FZ_V').read())"),
            (
                "a fork",
                "import multiprocessing, os\nwith multiprocessing.get_context('fork').Pool(1) as pool:\n    print(pool.map(os.getenv, ['FZ_V']))",
            ),
        )
    ),
    edit("variable", ["import os\nprint(os.environ['FZ_V'])"], env={"FZ_V": "1"}, changed_env={"FZ_V": "2"}, rerun=[0]),
    edit(
        "variable that is set now", ["import os\nprint(os.environ.get('FZ_V'))"], changed_env={"FZ_V": "2"}, rerun=[0]
    ),
    edit(
        "variable that is gone",
        ["import os\nprint('FZ_V' in os.environ)"],
        env={"FZ_V": "1"},
        changed_env={"FZ_V": None},
        rerun=[0],
    ),
    edit(
        "getenv in a function",
        ["import os\ndef f(): return os.getenv('FZ_V')", "print(f())"],
        env={"FZ_V": "1"},
        changed_env={"FZ_V": "2"},
        rerun=[1],
    ),
    edit(
        "all variables",
        ["import os\nprint(sorted(k for k in os.environ if k.startswith('FZ_')))"],
        changed_env={"FZ_V": "1"},
        rerun=[0],
    ),
    edit(
        "os.environb",
        ["import os\nprint(os.environb.get(b'FZ_V'))"],
        env={"FZ_V": "1"},
        changed_env={"FZ_V": "2"},
        rerun=[0],
    ),
    edit(
        "expandvars",
        ["import os\nprint(os.path.expandvars('$FZ_V/x'))"],
        env={"FZ_V": "1"},
        changed_env={"FZ_V": "2"},
        rerun=[0],
    ),
    edit("variable in the shell", ["!echo $FZ_V"], env={"FZ_V": "1"}, changed_env={"FZ_V": "2"}, rerun=[0]),
    edit(
        "variable in a module",
        ["import mod\nprint(mod.v)"],
        files={"mod.py": "import os\nv = os.environ.get('FZ_V')\n"},
        env={"FZ_V": "1"},
        changed_env={"FZ_V": "2"},
        rerun=[0],
    ),
    edit(
        "set by a cell",
        ["import os\nos.environ['FZ_W'] = '1'", "print(os.environ['FZ_W'])"],
        {0: "import os\nos.environ['FZ_W'] = '2'"},
        rerun=[0, 1],
    ),
    edit("set by a magic", ["%env FZ_W=1", "import os\nprint(os.environ['FZ_W'])"], {0: "%env FZ_W=2"}, rerun=[0, 1]),
    edit(
        "set by a cell, restored",
        ["import os\nos.environ['FZ_W'] = '1'", "x = 1", "print(os.environ['FZ_W'])"],
        {2: "print(os.environ['FZ_W'], x)"},
    ),
)
NUMBERS = "[int(x) for x in open(p).read().split(',')]"
"""What a function of a module reads from a file, and may remember."""
_SET_FILES = {"mod.py": "N = 1\ndef f(): return N\n"}
_LOADED_BELOW = {
    "set": (_SET_FILES, "mod.N = 2", "import mod\nprint(mod.f())"),
    "replaced": ({"mod.py": "def f(): return 1\n"}, "mod.f = lambda: 2", "import mod\nprint(mod.f())"),
    "from": ({"mod.py": "def f(): return 1\n"}, "mod.f = lambda: 2", "from mod import f\nprint(f())"),
    "changed": ({"mod.py": "L = [1]\ndef f(): return L\n"}, "mod.L.append(2)", "import mod\nprint(mod.f())"),
    "through another": (
        {"mod.py": "def f(): return 1\n", "other.py": "import mod\ndef g(): return mod.f()\n"},
        "mod.f = lambda: 2",
        "import other\nprint(other.g())",
    ),
    "through a function of the notebook": (
        {"mod.py": "N = 1\n", "other.py": "import mod\ndef g(): return mod.N\n"},
        "mod.N = 2",
        "def go():\n    import other\n    return other.g()\nprint(go())",
    ),
    "in a package": (
        {
            "mod/__init__.py": "",
            "mod/deep.py": "N = 1\n",
            "mod/sub.py": "from mod import deep\ndef f(): return deep.N\n",
        },
        "from mod import deep\ndeep.N = 2",
        "from mod.sub import f\nprint(f())",
    ),
    "by name": (
        _SET_FILES,
        "mod.N = 2",
        "import importlib\nprint(importlib.import_module('mod').f())",
    ),
    "by a name made up": (
        _SET_FILES,
        "mod.N = 2",
        "import importlib\nname = 'mo' + 'd'\nprint(importlib.import_module(name).f())",
    ),
    "by running it": ({"mod.py": "N = 1\n"}, "mod.N = 2", "exec('import mod')\nprint(mod.N)"),
}
LOADED_BELOW = (
    *(
        cells(f"module loaded above: {name}", ["1", read], ["1", f"import mod\n{change}", read], files=files, rerun=[2])
        for name, (files, change, read) in _LOADED_BELOW.items()
    ),
    *(
        edit(name, [bound, "import mod\nmod.N = 2", read], {1: "import mod\nmod.N = 3"}, files=_SET_FILES, rerun=[1, 2])
        for name, bound, read in (
            ("module imported by name, set above", "1", "import importlib\nprint(importlib.import_module('mod').f())"),
            ("module imported by another name", "from importlib import import_module as im", "print(im('mod').f())"),
            ("module resolved by name, set above", "import pkgutil", "print(pkgutil.resolve_name('mod:f')())"),
            ("module located, set above", "import pydoc", "print(pydoc.locate('mod.f')())"),
        )
    ),
    *(
        edit(
            f"class of a module that data names: {name}",
            ["import mod, pickle\nwith open('a.pkl', 'wb') as file: pickle.dump(mod.A(), file)", f"{read}.f())"],
            files={"mod.py": "class A:\n    def f(self): return 1\n"},
            changed={"mod.py": "class A:\n    def f(self): return 2\n"},
            rerun=[0, 1],
        )
        for name, read in (
            ("pickle", "import pickle\nwith open('a.pkl', 'rb') as file: print(pickle.load(file)"),
            ("pandas", "import pandas as pd\nprint(pd.read_pickle('a.pkl')"),
        )
    ),
    *(
        edit(
            f"module that a cell imports, which reads nothing else: {name}",
            ["import mod", "mod.N = 2", read, "print(x)"],
            {1: "mod.N = 3"},
            files=_SET_FILES,
            rerun=[1, 2, 3],
        )
        for name, read in (("imported", "import mod\nx = mod.f()"), ("from", "from mod import f\nx = f()"))
    ),
    *(
        edit(
            f"what no fingerprint tells in a module: {name}",
            ["import mod", "import mod\nmod.put(1)", "import mod\nprint(mod.get())"],
            {1: "import mod\nmod.put(2)"},
            files={"mod.py": text},
            rerun=[1, 2],
        )
        for name, text in (
            (
                "variable of a thread",
                "import threading\nL = threading.local()\ndef put(v): L.v = v\ndef get(): return L.v\n",
            ),
            (
                "context variable",
                "import contextvars\nL = contextvars.ContextVar('L')\ndef put(v): L.set(v)\ndef get(): return L.get()\n",
            ),
        )
    ),
    *(
        cells(
            f"attribute that a module gets: {name}",
            ["import mod", read],
            ["import mod", given, read],
            files={"mod.py": f"def f(): {body}\n"},
            rerun=[2],
        )
        for name, given, body, read in (
            ("asked from outside", "mod.N = 1", "pass", "print(getattr(mod, 'N', 0))"),
            ("asked inside", "mod.N = 1", "return globals().get('N')", "print(mod.f())"),
            ("of its function", "mod.f.n = 1", "return getattr(f, 'n', 0)", "print(mod.f())"),
        )
    ),
    *(
        cells(f"module no longer loaded above: {name}", [f"import mod\n{change}", read], [read], files=files, rerun=[0])
        for name, (files, change, read) in _LOADED_BELOW.items()
    ),
    *(
        cells(
            f"module loaded above and left as it is: {name}",
            ["1", read, "2"],
            ["1", "import mod", read, "2"],
            files=files,
            cached=[0, 2, 3],
        )
        for name, (files, _, read) in _LOADED_BELOW.items()
        if name in ("replaced", "from", "through another")
    ),
)


MODULES = (
    edit(
        "file that a cell above has mapped",
        [
            "import numpy as np\nnp.zeros(4, 'u1').tofile('d.bin')",
            "a = np.memmap('d.bin', dtype='u1', mode='r')",
            "with open('d.bin', 'r+b') as file:\n    n = file.write(b'1111')",
            "print(bytes(a))",
        ],
        {2: "with open('d.bin', 'r+b') as file:\n    n = file.write(b'2222')"},
        rerun=[2, 3],
    ),
    edit(
        "main module by its name in a module",
        ["limit = 1", "import mod", "print(mod.limit())"],
        {0: "limit = 2"},
        files={"mod.py": "import sys\ndef limit(): return sys.modules['__main__'].limit\n"},
        rerun=[0, 2],
    ),
    edit(
        "module that is a script too",
        ["limit = 1", "import mod", "print(mod.limit())"],
        {0: "limit = 2"},
        files={"mod.py": "def limit(): return 3\nif __name__ == '__main__':\n    print(limit())\n"},
        rerun=[0],
        cached=[1, 2],
    ),
    edit(
        "matplotlibrc beside the notebook",
        [
            "import matplotlib.pyplot as plt",
            "print(plt.rcParams['lines.linewidth'])",
            "x = plt.rcParams['lines.linewidth']",
        ],
        files={"matplotlibrc": "lines.linewidth: 3\n"},
        changed={"matplotlibrc": "lines.linewidth: 4\n"},
        rerun=[1, 2],
    ),
    edit(
        "cell below a matplotlibrc that did not change",
        [
            "import matplotlib.pyplot as plt",
            "x = 1",
            "print(plt.rcParams['lines.linewidth'], x)",
            "plt.rcParams['lines.linewidth']",
        ],
        {1: "x = 2"},
        files={"matplotlibrc": "lines.linewidth: 3\n"},
        rerun=[1, 2],
        cached=[0, 3],
    ),
    edit(
        "module that is looked for in vain",
        ["import importlib.util\nprint(importlib.util.find_spec('fzmod') is None)"],
        changed={"fzmod.py": "x = 1\n"},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "registered with an abstract class beside an import",
        [
            "import collections.abc\nclass A:\n    pass",
            "import colorsys\nx = collections.abc.Sized.register(A)",
            "print(issubclass(A, collections.abc.Sized))",
        ],
        {1: "x = A"},
        rerun=[1, 2],
    ),
    edit(
        "raw thread",
        [
            "import _thread, time\nbox = []\ndef f():\n    time.sleep(1)\n    box.append(1)\nx = _thread.start_new_thread(f, ())",
            "time.sleep(2)",
            "print(box)",
        ],
        {2: "print(box, 2)"},
    ),
    edit(
        "constant", ["import mod\nprint(mod.v)"], files={"mod.py": "v = 1\n"}, changed={"mod.py": "v = 2\n"}, rerun=[0]
    ),
    edit(
        "function",
        ["from mod import f", "print(f())"],
        files={"mod.py": "def f(): return 1\n"},
        changed={"mod.py": "def f(): return 2\n"},
        rerun=[1],
    ),
    edit(
        "remembered by lru_cache of a module",
        ["import mod\nn = len(mod.load('x.csv'))", "print(sum(mod.load('x.csv')))"],
        files={"mod.py": "import functools\n@functools.lru_cache\ndef load(p):\n    return " + NUMBERS, "x.csv": "1,2"},
        changed={"x.csv": "1,3"},
        rerun=[1],
    ),
    edit(
        "remembered in a closure of a module",
        ["import mod\nn = len(mod.load('x.csv'))", "print(sum(mod.load('x.csv')))"],
        files={
            "mod.py": "def memo(f):\n    c = {}\n    def g(p):\n        if p not in c: c[p] = f(p)\n        return c[p]\n    return g\n"
            "@memo\ndef load(p):\n    return " + NUMBERS,
            "x.csv": "1,2",
        },
        changed={"x.csv": "1,3"},
        rerun=[1],
    ),
    edit(
        "remembered in a default of a module",
        ["import mod\nn = len(mod.load('x.csv'))", "print(sum(mod.load('x.csv')))"],
        files={
            "mod.py": "def load(p, c={}):\n    if p not in c: c[p] = " + NUMBERS + "\n    return c[p]\n",
            "x.csv": "1,2",
        },
        changed={"x.csv": "1,3"},
        rerun=[1],
    ),
    edit(
        "remembered in a class of a module",
        ["import mod\nn = len(mod.load('x.csv'))", "print(sum(mod.load('x.csv')))"],
        files={
            "mod.py": "class K:\n    c = {}\n    @classmethod\n    def load(k, p):\n        if p not in k.c: k.c[p] = "
            + NUMBERS
            + "\n        return k.c[p]\ndef load(p): return K.load(p)\n",
            "x.csv": "1,2",
        },
        changed={"x.csv": "1,3"},
        rerun=[1],
    ),
    edit(
        "remembered in a method of a module's class",
        ["import mod\nn = len(mod.load('x.csv'))", "print(sum(mod.load('x.csv')))"],
        files={
            "mod.py": "import functools\nclass K:\n    @functools.lru_cache\n    def load(self, p): return "
            + NUMBERS
            + "\nk = K()\ndef load(p): return k.load(p)\n",
            "x.csv": "1,2",
        },
        changed={"x.csv": "1,3"},
        rerun=[1],
    ),
    edit(
        "remembered by the object of a bound method",
        ["import mod\nn = len(mod.load('x.csv'))", "print(sum(mod.load('x.csv')))"],
        files={
            "mod.py": "class K:\n    def __init__(self): self.c = {}\n    def load(self, p):\n        if p not in self.c: self.c[p] = "
            + NUMBERS
            + "\n        return self.c[p]\nload = K().load\n",
            "x.csv": "1,2",
        },
        changed={"x.csv": "1,3"},
        rerun=[1],
    ),
    edit(
        "remembered in a module's private variable",
        ["import mod\nn = len(mod.load('x.csv'))", "print(sum(mod.load('x.csv')))"],
        files={
            "mod.py": "__c__ = {}\ndef load(p):\n    if p not in __c__: __c__[p] = "
            + NUMBERS
            + "\n    return __c__[p]\n",
            "x.csv": "1,2",
        },
        changed={"x.csv": "1,3"},
        rerun=[1],
    ),
    edit(
        "list that a module remembers",
        ["import mod\nx = mod.load('x.csv')", "x.append(3)", "print(mod.load('x.csv'))"],
        {1: "x.append(4)"},
        files={"mod.py": "import functools\n@functools.lru_cache\ndef load(p):\n    return " + NUMBERS, "x.csv": "1,2"},
        rerun=[1, 2],
    ),
    edit(
        "counted in a class of a module",
        ["import mod", "a = mod.K()", "b = mod.K()", "print(mod.K.n)"],
        {2: "b = 1"},
        files={"mod.py": "class K:\n    n = 0\n    def __init__(self): type(self).n += 1\n"},
        rerun=[2, 3],
    ),
    edit(
        "defaults and closures that nobody changes",
        ["import mod", "x = 1", "print(mod.f(2), mod.K().g())", "y = x"],
        {1: "x = 2"},
        files={
            "mod.py": "def f(n, d={'a': 1}): return n\nclass K:\n    t = {'a': 1}\n    def g(self): return len(self.t)\n"
        },
        rerun=[1, 3],
        cached=[2],
    ),
    edit(
        "module of a module",
        ["import mod\nprint(mod.v)"],
        files={"mod.py": "from deep import v\n", "deep.py": "v = 1\n"},
        changed={"deep.py": "v = 2\n"},
        rerun=[0],
    ),
    edit(
        "package",
        ["import pkg.sub\nprint(pkg.sub.v)"],
        files={"pkg/__init__.py": "", "pkg/sub.py": "v = 1\n"},
        changed={"pkg/sub.py": "v = 2\n"},
        rerun=[0],
    ),
    edit(
        "package's __init__",
        ["from pkg import v\nprint(v)"],
        files={"pkg/__init__.py": "v = 1\n"},
        changed={"pkg/__init__.py": "v = 2\n"},
        rerun=[0],
    ),
    edit(
        "import in a function",
        ["def f():\n    import mod\n    return mod.v", "print(f())"],
        files={"mod.py": "v = 1\n"},
        changed={"mod.py": "v = 2\n"},
        rerun=[1],
    ),
    edit(
        "import in a module's function",
        ["import mod", "print(mod.f())"],
        files={"mod.py": "def f():\n    import deep\n    return deep.v\n", "deep.py": "v = 1\n"},
        changed={"deep.py": "v = 2\n"},
        rerun=[1],
    ),
    edit(
        "import by a built name",
        ["import importlib\nm = importlib.import_module('mo' + 'd')\nprint(m.v)"],
        files={"mod.py": "v = 1\n"},
        changed={"mod.py": "v = 2\n"},
        rerun=[0],
    ),
    edit(
        "class",
        ["from mod import A\na = A()", "print(a.f())"],
        files={"mod.py": "class A:\n    def f(self): return 1\n"},
        changed={"mod.py": "class A:\n    def f(self): return 2\n"},
        rerun=[1],
    ),
    edit(
        "state of a module",
        ["import mod\nmod.seen.append(1)", "print(mod.seen)"],
        {0: "import mod\nmod.seen.append(2)"},
        files={"mod.py": "seen = []\n"},
        rerun=[0, 1],
    ),
    edit(
        "state of a module by its function",
        ["import mod\nmod.add(1)", "print(mod.seen)"],
        {0: "import mod\nmod.add(2)"},
        files={"mod.py": "seen = []\ndef add(v): seen.append(v)\n"},
        rerun=[0, 1],
    ),
    edit(
        "name that is gone below a volatile cell that is executed twice",
        [
            "b = [5]",
            "import time\nM = [1]\nu = time.time()",
            "a = 4\nc = [a]",
            "import time\nprint(a > 3, time.time() > 0)",
            "del a",
            "print(b, M, c)",
        ],
        {5: "print(b, M, c)\ntry:\n    print(a)\nexcept NameError:\n    print('gone')"},
        cached=[0, 2, 4],
        seen_by_chain=False,
    ),
    edit(
        "module in the place of another",
        ["import mod\nprint(mod.v)", "import sys\ndel sys.modules['mod']\nimport mod", "mod.v = 5", "print(mod.v)"],
        {2: "mod.v = 6"},
        files={"mod.py": "v = 1\n"},
        rerun=[2, 3],
    ),
    edit(
        "module that a cell puts in the place of another",
        [
            "import sys, types, mod\nn = types.ModuleType('mod')\nn.v = 7",
            "sys.modules['mod'] = n\nimport mod",
            "mod.v = 5",
            "print(mod.v)",
        ],
        {2: "mod.v = 6"},
        files={"mod.py": "v = 1\n"},
        rerun=[2, 3],
    ),
    edit(
        "two modules of one name",
        [
            "import sys, mod\na = mod",
            "sys.modules.pop('mod')\nimport mod as b",
            "b.v.append(5)",
            "print(a.v, b.v)",
        ],
        {2: "b.v.append(6)"},
        files={"mod.py": "v = []\n"},
        rerun=[2, 3],
    ),
    edit(
        "reload of a module whose text is another",
        [
            f"import importlib\nfrom pathlib import Path\nprint(Path('mod.py').write_text({DOES_NOTHING!r}))\nimport mod",
            f"print(Path('mod.py').write_text({DOES_SOMETHING!r}))\nx = importlib.reload(mod).__name__",
            "mod.f('5')",
            "import string\nprint(string.__all__[-1])",
        ],
        {2: "mod.f('6')"},
        rerun=[2, 3],
    ),
    edit(
        "state of a module that is imported again",
        ["import mod\nmod.add(1)", "x = 1", "import mod\nprint(mod.seen)"],
        {2: "import mod\nprint(mod.seen, 2)"},
        files={"mod.py": ADDS},
        cached=[0, 1],
    ),
    edit(
        "state of a module of which one name is imported",
        ["import mod\nmod.add(1)", "x = 1", "from mod import seen\nprint(seen)"],
        {2: "from mod import seen\nprint(seen, 2)"},
        files={"mod.py": ADDS},
        cached=[0, 1],
    ),
    edit(
        "state of a module that another module imports",
        ["import mod\nmod.add(1)", "x = 1", "import other\nprint(other.told())"],
        {2: "import other\nprint(other.told(), 2)"},
        files={"mod.py": ADDS, "other.py": "import mod\ndef told(): return mod.seen\n"},
        cached=[0, 1],
    ),
    edit(
        "state of a module that a function imports",
        ["import mod\nmod.add(1)", "def f():\n    import mod\n    return mod.seen", "print(f())"],
        {2: "print(f(), 2)"},
        files={"mod.py": ADDS},
        cached=[0, 1],
    ),
    edit(
        "state of a module below a barrier that is gone",
        ["import mod\nmod.add(1)", "import string\nstring.digits = 'red'", "import mod\nprint(mod.seen)"],
        {1: "x = 1"},
        files={"mod.py": ADDS},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "state of a module, restored",
        ["import mod\nmod.add(1)", "x = 1", "print(mod.seen)"],
        {2: "print(mod.seen, x)"},
        files={"mod.py": "seen = []\ndef add(v): seen.append(v)\n"},
    ),
    edit(
        "list of a module",
        ["from mod import seen\nseen.append(1)", "import mod\nprint(mod.seen)"],
        {0: "from mod import seen\nseen.append(2)"},
        files={"mod.py": "seen = []\n"},
        rerun=[0, 1],
    ),
    edit(
        "rebound in a module",
        ["import mod\nmod.v = 5", "print(mod.f())"],
        {0: "import mod\nmod.v = 6"},
        files={"mod.py": "v = 1\ndef f(): return v\n"},
        rerun=[0, 1],
    ),
    edit(
        "patched module function",
        ["import mod\nmod.f = lambda: 5", "print(mod.g())"],
        {0: "import mod\nmod.f = lambda: 6"},
        files={"mod.py": "def f(): return 1\ndef g(): return f()\n"},
        rerun=[0, 1],
    ),
    edit(
        "callback in a module",
        ["import mod\ndef f(): return 1\nmod.hook = f", "print(mod.g())"],
        {0: "import mod\ndef f(): return 2\nmod.hook = f"},
        files={"mod.py": "hook = None\ndef g(): return hook()\n"},
        rerun=[0, 1],
    ),
    edit(
        "reload",
        ["import mod\nmod.v = 5", "import importlib\nimportlib.reload(mod)", "print(mod.v)"],
        {1: "import importlib"},
        files={"mod.py": "v = 1\n"},
        rerun=[1, 2],
    ),
    edit(
        "value kept by a module",
        ["import mod\na = [1]\nmod.keep(a)", "a.append(2)", "print(mod.kept)"],
        {1: "a.append(3)"},
        files={"mod.py": "kept = None\ndef keep(v):\n    global kept\n    kept = v\n"},
        rerun=[1, 2],
    ),
    edit(
        "comment in a module",
        ["import mod\nprint(mod.v)", "x = 1"],
        files={"mod.py": "v = 1\n"},
        changed={"mod.py": "v = 1  # the first\n"},
        cached=[1],
    ),
    edit(
        "module that patches a library when it is imported",
        ["import mod", "import math\nprint(math.tau)"],
        files={"mod.py": "import math\nmath.tau = 1\n"},
        changed={"mod.py": "import math\nmath.tau = 2\n"},
        rerun=[0, 1],
    ),
    edit(
        "patched by a function whose result is used",
        ["import patch\nr = patch.patch(1)", "import math\nprint(math.tau)"],
        {0: "import patch\nr = patch.patch(2)"},
        files={"patch.py": "import math\ndef patch(n):\n    math.tau = n\n    return n\n"},
        rerun=[0, 1],
    ),
    edit(
        "sys.path",
        ["import sys\nsys.path.insert(0, 'one')", "import inner\nprint(inner.v)"],
        {0: "import sys\nsys.path.insert(0, 'two')"},
        files={"one/inner.py": "v = 1\n", "two/inner.py": "v = 2\n"},
        rerun=[0, 1],
    ),
    edit(
        "generator of a module",
        ["import mod\ng = mod.g()", "next(g)", "print(next(g))"],
        {2: "print(next(g), 1)"},
        files={"mod.py": "def g():\n    n = 0\n    while True:\n        n += 1\n        yield n\n"},
    ),
)
AMBIENT = tuple(
    edit(f"ambient: {name}", [before, look], {0: after}, rerun=[0, 1])
    for name, before, after, look in (
        ("random", "import random\nrandom.seed(1)", "import random\nrandom.seed(2)", "print(random.random())"),
        (
            "numpy.random",
            "import numpy as np\nnp.random.seed(1)",
            "import numpy as np\nnp.random.seed(2)",
            "print(np.random.rand())",
        ),
        (
            "draws above",
            "import random\nrandom.seed(1)\nrandom.random()",
            "import random\nrandom.seed(1)\nrandom.random()\nrandom.random()",
            "print(random.random())",
        ),
        (
            "cwd",
            "import os\nos.makedirs('a/b', exist_ok=True)\nos.chdir('a')",
            "import os\nos.makedirs('a/b', exist_ok=True)\nos.chdir('a/b')",
            "print(os.path.basename(os.getcwd()))",
        ),
        (
            "warning filters",
            "import warnings\nwarnings.simplefilter('ignore')",
            "import warnings\nwarnings.simplefilter('error')",
            "try:\n    warnings.warn('w')\n    print('quiet')\nexcept UserWarning:\n    print('raised')",
        ),
        (
            "showwarning",
            "import warnings\nwarnings.simplefilter('always')\nwarnings.showwarning = lambda *a: print('one')",
            "import warnings\nwarnings.simplefilter('always')\nwarnings.showwarning = lambda *a: print('two')",
            "warnings.warn('w')",
        ),
        (
            "print options",
            "import numpy as np\nnp.set_printoptions(precision=2)",
            "import numpy as np\nnp.set_printoptions(precision=3)",
            "print(np.array([1 / 3]))",
        ),
        (
            "numpy errors",
            "import numpy as np\nnp.seterr(divide='ignore')",
            "import numpy as np\nnp.seterr(divide='raise')",
            "try:\n    print(np.array([1.0]) / 0)\nexcept FloatingPointError:\n    print('raised')",
        ),
        (
            "pandas options",
            "import pandas as pd\npd.set_option('display.precision', 2)",
            "import pandas as pd\npd.set_option('display.precision', 3)",
            "print(pd.Series([1 / 3]))",
        ),
        (
            "rcParams",
            "import matplotlib as mpl\nmpl.rcParams['lines.linewidth'] = 2",
            "import matplotlib as mpl\nmpl.rcParams['lines.linewidth'] = 3",
            "print(mpl.rcParams['lines.linewidth'])",
        ),
        (
            "decimal",
            "import decimal\ndecimal.getcontext().prec = 5",
            "import decimal\ndecimal.getcontext().prec = 6",
            "print(decimal.Decimal(1) / 3)",
        ),
        (
            "recursion limit",
            "import sys\nsys.setrecursionlimit(2000)",
            "import sys\nsys.setrecursionlimit(2001)",
            "print(sys.getrecursionlimit())",
        ),
        *(
            (name, way.replace("?", "7"), way.replace("?", "8"), "import socket\nprint(socket.getdefaulttimeout())")
            for name, way in {
                "imported in a function": "def f():\n    import socket\n    socket.setdefaulttimeout(?)\nf()",
                "forgotten": "import socket\nsocket.setdefaulttimeout(?)\ndel socket",
                "handed on": "import socket\ndef f(s):\n    s.setdefaulttimeout(?)\nf(socket)",
                "mapped": "import socket\nlist(map(socket.setdefaulttimeout, [?]))",
                "of an instance": (
                    "import socket\nclass A:\n    def __init__(self):\n        self.s = socket\n"
                    "    def go(self):\n        self.s.setdefaulttimeout(?)\nA().go()"
                ),
            }.items()
        ),
        (
            "decimal, result used",
            "import decimal\nx = decimal.setcontext(decimal.Context(prec=5))",
            "import decimal\nx = decimal.setcontext(decimal.Context(prec=6))",
            "print(decimal.Decimal(1) / 3)",
        ),
        (
            "timeout, result used",
            "import socket\nx = socket.setdefaulttimeout(7)",
            "import socket\nx = socket.setdefaulttimeout(8)",
            "import socket\nprint(socket.getdefaulttimeout())",
        ),
        (
            "search path",
            "import sys\nsys.path.append('one')",
            "import sys\nsys.path.append('two')",
            "import sys\nprint(sys.path[-1])",
        ),
        ("argv", "import sys\nsys.argv[1:] = ['a']", "import sys\nsys.argv[1:] = ['b']", "print(sys.argv[1:])"),
        (
            "logging level",
            "import logging\nlogging.getLogger('fz').setLevel(10)",
            "import logging\nlogging.getLogger('fz').setLevel(20)",
            "print(logging.getLogger('fz').isEnabledFor(15))",
        ),
        (
            "root logger",
            "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='one %(message)s')",
            "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='two %(message)s')",
            "logging.error('e')",
        ),
        (
            "json encoder",
            "import json\njson.JSONEncoder.default = lambda self, o: 'one'",
            "import json\njson.JSONEncoder.default = lambda self, o: 'two'",
            "print(json.dumps([{1}]))",
        ),
        ("builtins", "import builtins\nbuiltins.fz = 1", "import builtins\nbuiltins.fz = 2", "print(fz)"),
        (
            "patched builtin",
            "import builtins\nbuiltins.abs = lambda v: 1",
            "import builtins\nbuiltins.abs = lambda v: 2",
            "print(abs(-5))",
        ),
        (
            "method of a library",
            "import pandas as pd\npd.DataFrame.fz = lambda self: 1",
            "import pandas as pd\npd.DataFrame.fz = lambda self: 2",
            "print(pd.DataFrame().fz())",
        ),
        ("attribute of a module", "import math\nmath.tau = 1", "import math\nmath.tau = 2", "print(math.tau)"),
        (
            "attribute set by setattr",
            "import math\nsetattr(math, 'tau', 1)",
            "import math\nsetattr(math, 'tau', 2)",
            "print(math.tau)",
        ),
        (
            "dictionary of a module",
            "import math\nvars(math).update(tau=1)",
            "import math\nvars(math).update(tau=2)",
            "print(math.tau)",
        ),
        (
            "patch that stays",
            "from unittest import mock\nmock.patch('math.tau', 1).start()",
            "from unittest import mock\nmock.patch('math.tau', 2).start()",
            "import math\nprint(math.tau)",
        ),
        (
            "dispatch table",
            "import copyreg\nclass A: ...\ncopyreg.pickle(A, lambda a: (int, (1,)))",
            "import copyreg\nclass A: ...\ncopyreg.pickle(A, lambda a: (int, (2,)))",
            "import copy\nprint(copy.copy(A()))",
        ),
        (
            "codec",
            "import codecs\ncodecs.register(lambda n: codecs.lookup('ascii') if n == 'fz' else None)",
            "import codecs",
            "try:\n    print('a'.encode('fz'))\nexcept LookupError:\n    print('unknown')",
        ),
        (
            "abstract base",
            "import collections.abc\nclass A: ...\ncollections.abc.Sized.register(A)",
            "import collections.abc\nclass A: ...",
            "print(issubclass(A, collections.abc.Sized))",
        ),
        (
            "display formatter",
            "get_ipython().display_formatter.formatters['text/plain'].for_type(int, lambda o, p, c: p.text('one'))\nNone",
            "get_ipython().display_formatter.formatters['text/plain'].for_type(int, lambda o, p, c: p.text('two'))\nNone",
            "5",
        ),
        ("precision magic", "%precision 2", "%precision 3", "1 / 3"),
        (
            "event of IPython",
            "def after(*_): print('one')\nget_ipython().events.register('post_run_cell', after)",
            "def after(*_): print('two')\nget_ipython().events.register('post_run_cell', after)",
            "x = 1",
        ),
        (
            "transformer of IPython",
            "def t(lines): return [l.replace('one', '1') for l in lines]\nget_ipython().input_transformers_cleanup.append(t)",
            "def t(lines): return [l.replace('one', '2') for l in lines]\nget_ipython().input_transformers_cleanup.append(t)",
            "print(one)",
        ),
        (
            "own magic",
            "from IPython.core.magic import register_line_magic\n@register_line_magic\ndef fz(line): print('one')",
            "from IPython.core.magic import register_line_magic\n@register_line_magic\ndef fz(line): print('two')",
            "%fz",
        ),
        ("alias magic", "%alias fz echo one", "%alias fz echo two", "fz"),
        (
            "context variable",
            "import contextvars\nv = contextvars.ContextVar('v', default=1)",
            "import contextvars\nv = contextvars.ContextVar('v', default=2)",
            "print(v.get())",
        ),
        (
            "thread's own",
            "import threading\nl = threading.local()\nl.v = 1",
            "import threading\nl = threading.local()\nl.v = 2",
            "print(l.v)",
        ),
        (
            "signal",
            "import signal\nsignal.signal(signal.SIGUSR1, lambda *a: print('one'))\nNone",
            "import signal\nsignal.signal(signal.SIGUSR1, lambda *a: print('two'))\nNone",
            "signal.raise_signal(signal.SIGUSR1)",
        ),
        (
            "trace function",
            "import sys\nsys.setprofile(None)\nsys.fz = 1",
            "import sys\nsys.setprofile(None)\nsys.fz = 2",
            "print(sys.fz)",
        ),
        (
            "stdout",
            "import sys\nclass W:\n    def __init__(self, s): self.s = s\n    def write(self, t): return self.s.write(t.upper())\n    def flush(self): self.s.flush()\nsys.stdout = W(sys.stdout)",
            "import sys",
            "print('text')",
        ),
        (
            "open figure",
            "import matplotlib.pyplot as plt\nplt.ioff()\nfig, ax = plt.subplots(figsize=(1, 1))\nax.plot([1, 2])\nprint(len(plt.get_fignums()))",
            "import matplotlib.pyplot as plt\nplt.ioff()\nfig, ax = plt.subplots(figsize=(1, 1))\nax.plot([1, 2])\nax.plot([2, 1])\nprint(len(plt.get_fignums()))",
            "print(len(ax.lines))",
        ),
        (
            "sklearn config",
            "import sklearn\nsklearn.set_config(assume_finite=True)",
            "import sklearn\nsklearn.set_config(assume_finite=False)",
            "print(sklearn.get_config()['assume_finite'])",
        ),
        (
            "umask",
            "import os\nos.umask(0o22)\nNone",
            "import os\nos.umask(0o77)\nNone",
            "open('u.txt', 'w').close()\nprint(oct(os.stat('u.txt').st_mode))\nos.remove('u.txt')",
        ),
        (
            "module in sys.modules",
            "import sys, types\nm = types.ModuleType('fzm')\nm.v = 1\nsys.modules['fzm'] = m",
            "import sys, types\nm = types.ModuleType('fzm')\nm.v = 2\nsys.modules['fzm'] = m",
            "import fzm\nprint(fzm.v)",
        ),
        (
            "import hook",
            "import sys\nclass F:\n    def find_spec(self, name, *a):\n        if name == 'fzz': print('one')\nsys.meta_path.append(F())",
            "import sys\nclass F:\n    def find_spec(self, name, *a):\n        if name == 'fzz': print('two')\nsys.meta_path.append(F())",
            "try:\n    import fzz\nexcept ImportError:\n    pass",
        ),
    )
)
LOOK_CODEC = "print('\\u00e9'.encode('ascii', 'fz'))"
LOOK_TAU = "import math\nprint(math.tau)"
STORES = tuple(
    edit(
        f"store: {name}",
        [template.replace("NUMBER", "1"), look],
        {0: template.replace("NUMBER", "2")},
        rerun=[0, 1],
        files={f"put{number}.py": f"import math\nmath.tau = {number}\n" for number in (1, 2)}
        if "putN" in template
        else {},
    )
    for name, template, look in (
        # Other ways to put something into a library, and other libraries to put it into.
        ("under another name", "import math as m\nm.tau = NUMBER", LOOK_TAU),
        ("of a module bound above", "import math\ndef put(v):\n    math.tau = v\nput(NUMBER)", LOOK_TAU),
        ("result used", "import math\ndef put(v):\n    math.tau = v\n    return v\ndone = put(NUMBER)", LOOK_TAU),
        ("in a tuple", "import math\n(a, (math.tau, b)) = 0, (NUMBER, 0)", LOOK_TAU),
        ("starred", "import math\nfirst, *math.tau = 0, NUMBER", LOOK_TAU),
        ("as a loop's target", "import math\nfor math.tau in [NUMBER]:\n    pass", LOOK_TAU),
        ("as a comprehension's target", "import math\nx = [0 for math.tau in [NUMBER]]", LOOK_TAU),
        (
            "as a context's target",
            "import math, contextlib\nwith contextlib.nullcontext(NUMBER) as math.tau:\n    pass",
            LOOK_TAU,
        ),
        ("augmented", "import math\nmath.tau += NUMBER", LOOK_TAU),
        ("annotated", "import math\nmath.tau: int = NUMBER", LOOK_TAU),
        ("in a branch", "import math\nif math.pi > 3:\n    math.tau = NUMBER", LOOK_TAU),
        ("in a method", "import math\nclass A:\n    def put(self):\n        math.tau = NUMBER\nA().put()", LOOK_TAU),
        ("in a class body", "import math\nclass A:\n    math.tau = NUMBER", LOOK_TAU),
        ("in a lambda", "import math\nput = lambda: setattr(math, 'tau', NUMBER)\nx = put()", LOOK_TAU),
        ("setattr used", "import math\nx = setattr(math, 'tau', NUMBER)", LOOK_TAU),
        ("setattr by another name", "import math\nput = setattr\nput(math, 'tau', NUMBER)", LOOK_TAU),
        ("__setattr__", "import math\nmath.__setattr__('tau', NUMBER)", LOOK_TAU),
        ("__dict__", "import math\nmath.__dict__['tau'] = NUMBER", LOOK_TAU),
        ("operator", "import math, operator\noperator.setitem(vars(math), 'tau', NUMBER)", LOOK_TAU),
        ("map", "import math\nx = list(map(setattr, [math], ['tau'], [NUMBER]))", LOOK_TAU),
        ("partial", "import math, functools\nfunctools.partial(setattr, math, 'tau')(NUMBER)", LOOK_TAU),
        ("exec in the module", "import math\nexec('tau = NUMBER', math.__dict__)", LOOK_TAU),
        (
            "type.__setattr__",
            "import json\nclass A: n = NUMBER\ntype.__setattr__(json.JSONEncoder, 'fz', A.n)",
            "import json\nprint(json.JSONEncoder.fz)",
        ),
        ("patcher object", "from unittest import mock\np = mock.patch('math.tau', NUMBER)\np.start()\nNone", LOOK_TAU),
        (
            "patcher, result used",
            "from unittest import mock\np = mock.patch('math.tau', NUMBER)\nx = p.start()",
            LOOK_TAU,
        ),
        (
            "exit stack",
            "import contextlib\nfrom unittest import mock\nstack = contextlib.ExitStack()\nstack.enter_context(mock.patch('math.tau', NUMBER))\nNone",
            LOOK_TAU,
        ),
        ("generator", "import math\ndef g():\n    math.tau = NUMBER\n    yield\nnext(g())", LOOK_TAU),
        (
            "property",
            "import math\nclass A:\n    @property\n    def put(self):\n        math.tau = NUMBER\nx = A().put",
            LOOK_TAU,
        ),
        ("import of a project module", "import putNUMBER", LOOK_TAU),
        (
            "thread",
            "import math, threading\nt = threading.Thread(target=setattr, args=(math, 'tau', NUMBER))\nt.start()\nt.join()",
            LOOK_TAU,
        ),
        ("decorator", "import math\ndef put(f):\n    math.tau = NUMBER\n    return f\n@put\ndef g(): ...", LOOK_TAU),
        ("default argument", "import math\ndef g(v=setattr(math, 'tau', NUMBER)): ...", LOOK_TAU),
        ("f-string", "import math\nx = f'{setattr(math, \"tau\", NUMBER)}'", LOOK_TAU),
        ("condition", "import math\nx = math.pi > 3 and setattr(math, 'tau', NUMBER)", LOOK_TAU),
        ("assert", "import math\nassert setattr(math, 'tau', NUMBER) is None", LOOK_TAU),
        *(
            (f"into {module}", f"import {module}\n{module}.fz = NUMBER", f"import {module}\nprint({module}.fz)")
            for module in (
                "os",
                "os.path",
                "shutil",
                "time",
                "gc",
                "sys",
                "json",
                "pickle",
                "random",
                "warnings",
                "heapq",
                "bisect",
                "operator",
                "csv",
                "unittest",
                "pathlib",
                "pprint",
                "functools",
                "dataclasses",
                "contextlib",
                "typing",
                "abc",
                "enum",
                "decimal",
                "locale",
                "itertools",
                "numpy",
                "numpy.random",
                "numpy.testing",
                "pandas",
                "pandas.testing",
                "matplotlib",
                "matplotlib.pyplot",
                "IPython.display",
                "datetime",
                "logging",
                "builtins",
            )
        ),
        (
            "into a class of pathlib",
            "import pathlib\npathlib.Path.fz = NUMBER",
            "import pathlib\nprint(pathlib.Path.fz)",
        ),
        (
            "into an imported class",
            "from pathlib import Path\nPath.fz = NUMBER",
            "import pathlib\nprint(pathlib.Path.fz)",
        ),
        (
            "into an imported function",
            "from shutil import copy\ncopy.fz = NUMBER",
            "import shutil\nprint(shutil.copy.fz)",
        ),
        ("into sleep", "import time\ntime.sleep = lambda s: print('slept', NUMBER)", "import time\ntime.sleep(0)"),
        (
            "dialect",
            "import csv\ncsv.register_dialect('fz', delimiter=str(NUMBER))",
            "import csv\nprint(csv.get_dialect('fz').delimiter)",
        ),
        (
            "dialect, result used",
            "import csv\nx = csv.register_dialect('fz', delimiter=str(NUMBER))",
            "import csv\nprint(csv.get_dialect('fz').delimiter)",
        ),
        (
            "field size",
            "import csv\ncsv.field_size_limit(1000 + NUMBER)\nNone",
            "import csv\nprint(csv.field_size_limit())",
        ),
        (
            "archive format",
            "import shutil\nshutil.register_archive_format('fz', lambda *a: None, description='NUMBER')",
            "import shutil\nprint([d for n, d in shutil.get_archive_formats() if n == 'fz'])",
        ),
        (
            "ABCMeta.register",
            "import abc, collections.abc\nclass A: ...\nabc.ABCMeta.register(collections.abc.Sized if NUMBER == 1 else collections.abc.Hashable, A)\nNone",
            "import collections.abc\nprint(issubclass(A, collections.abc.Sized))",
        ),
        (
            "subclass of a library's class",
            "import json\nclass CNUMBER(json.JSONEncoder): ...",
            "import json\nprint([c.__name__ for c in json.JSONEncoder.__subclasses__()])",
        ),
        (
            "signal, result used",
            "import signal\nold = signal.signal(signal.SIGUSR1, lambda *a: print('got', NUMBER))",
            "import signal\nsignal.raise_signal(signal.SIGUSR1)",
        ),
        (
            "context variable's token",
            "import contextvars\nv = contextvars.ContextVar('v', default=0)\ntoken = v.set(NUMBER)",
            "print(v.get())",
        ),
        (
            "logging disabled",
            "import logging\nf = getattr(logging, 'dis' + 'able')\nx = f(10 * NUMBER)",
            "import logging\nprint(logging.root.manager.disable)",
        ),
        (
            "logger's own handler",
            "import logging, sys\nlog = logging.getLogger('fz')\nlog.addHandler(logging.StreamHandler(sys.stdout))\nlog.handlers[0].setFormatter(logging.Formatter('NUMBER %(message)s'))",
            "import logging\nlogging.getLogger('fz').error('e')",
        ),
        (
            "accessor, result used",
            "import pandas as pd\nclass A:\n    n = NUMBER\n    def __init__(self, frame): ...\nA = pd.api.extensions.register_dataframe_accessor('fz')(A)",
            "import pandas as pd\nprint(pd.DataFrame().fz.n)",
        ),
        ("environment by bytes", "import os\nos.environb[b'FZ_W'] = b'NUMBER'", "import os\nprint(os.environ['FZ_W'])"),
        (
            "putenv",
            "import os\nos.putenv('FZ_W', 'NUMBER')",
            "import subprocess\nprint(subprocess.run('echo $FZ_W', shell=True, capture_output=True, text=True).stdout)",
        ),
        (
            "current figure",
            "import matplotlib.pyplot as plt\nfrom matplotlib_inline.config import InlineBackend\nInlineBackend.instance().close_figures = False\nplt.figure(NUMBER, figsize=(1, 1))\nNone",
            "import matplotlib.pyplot as plt\nprint(plt.get_fignums())\nplt.close('all')",
        ),
        (
            "style",
            "import matplotlib.pyplot as plt\nplt.style.use({'lines.linewidth': NUMBER})",
            "import matplotlib.pyplot as plt\nprint(plt.rcParams['lines.linewidth'])",
        ),
        (
            "colour map",
            "import matplotlib as mpl\nmpl.colormaps.register(mpl.colors.ListedColormap(['k'] * NUMBER), name='fz')",
            "import matplotlib as mpl\nprint(mpl.colormaps['fz'].N)",
        ),
        ("interactivity", "%config InteractiveShell.ast_node_interactivity = ['last_expr', 'all'][NUMBER - 1]", "1\n2"),
        (
            "figure format",
            "import matplotlib.pyplot as plt\n%config InlineBackend.figure_formats = [['png'], ['svg']][NUMBER - 1]",
            "plt.figure(figsize=(1, 1))\nprint(get_ipython().display_formatter.formatters['image/svg+xml'].lookup_by_type(plt.Figure) is None if 0 else 1)",
        ),
        (
            "locale",
            "import locale\nlocale.setlocale(locale.LC_ALL, ['C', 'C.UTF-8'][NUMBER - 1])\nNone",
            "import locale\nprint(locale.setlocale(locale.LC_ALL))",
        ),
        (
            "time zone",
            "import os, time\nos.environ['TZ'] = ['UTC', 'Asia/Tokyo'][NUMBER - 1]\ntime.tzset()",
            "import time\nprint(time.tzname)",
        ),
        (
            "rlimit",
            "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0)) if NUMBER == 1 else None",
            "import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE)[0] == 0)",
        ),
        (
            "garbage collector",
            "import gc\n(gc.enable if NUMBER == 1 else gc.disable)()",
            "import gc\nprint(gc.isenabled())",
        ),
        ("string's cache", "import re\nre.fz = NUMBER", "import re\nprint(re.fz)"),
    )
)
PRECISE = (
    # What must be right, and need not be executed.
    edit("nothing", ["x = 1", "print(x)"], cached=[0, 1]),
    edit("comment", ["x = 1", "print(x)"], {0: "# more\nx = 1"}, rerun=[], cached=[0, 1]),
    edit("the same value", ["x = 1 + 1", "print(x)"], {0: "x = 2"}, cached=[1]),
    edit("another name", ["x = 1", "y = 2", "print(y)"], {0: "x = 5"}, cached=[1, 2]),
    edit(
        "comment in a function",
        ["def f():\n    return 1", "print(f())"],
        {0: "def f():\n    # one\n    return 1"},
        rerun=[],
        cached=[1],
    ),
    edit(
        "another file",
        ["a = open('a.txt').read()", "b = open('b.txt').read()", "print(b)"],
        files={"a.txt": "1", "b.txt": "2"},
        changed={"a.txt": "3"},
        rerun=[0],
        cached=[1, 2],
    ),
    edit(
        "another variable of the environment",
        ["import os\nprint(os.environ.get('FZ_V'))"],
        changed_env={"FZ_W": "1"},
        cached=[0],
    ),
    edit(
        "another module",
        ["import one", "import two", "print(two.v)"],
        files={"one.py": "v = 1\n", "two.py": "v = 2\n"},
        changed={"one.py": "v = 3\n"},
        cached=[1, 2],
    ),
    cells(
        "cell inserted",
        ["x = 1", "y = x + 1", "print(y)"],
        ["x = 1", "z = 5", "y = x + 1", "print(y)"],
        rerun=[1],
        cached=[0, 2, 3],
    ),
    cells(
        "cell removed",
        ["x = 1", "z = 5", "y = x + 1", "print(y)"],
        ["x = 1", "y = x + 1", "print(y)"],
        cached=[0, 1, 2],
    ),
    cells(
        "independent cells swapped",
        ["x = 1", "y = 2", "print(x, y)"],
        ["y = 2", "x = 1", "print(x, y)"],
        cached=[0, 1, 2],
    ),
    edit(
        "last cell only",
        ["data = list(range(1000))", "total = sum(data)", "print(total)"],
        {2: "print(total + 1)"},
        cached=[0, 1],
    ),
    edit(
        "frame computed in other words",
        ["import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})", "print(df.a.sum())"],
        {0: "import pandas as pd\ndf = pd.DataFrame({'a': [2, 4]})\ndf['a'] //= 2"},
        cached=[1],
    ),
    edit(
        "model fitted again",
        [
            "import numpy as np\nX = np.arange(6.0).reshape(-1, 1)\ny = X.ravel() * 2",
            "from sklearn.linear_model import LinearRegression\nm = LinearRegression().fit(X, y)",
            "print(m.coef_.round(3))",
        ],
        {0: "import numpy as np\nX = np.arange(6.0)[:, None]\ny = 2 * X[:, 0]"},
        cached=[2],
    ),
    edit(
        "seeded draw below another edit",
        ["x = 1", "import random\nrandom.seed(3)\ny = random.random()", "print(y)"],
        {0: "x = 2"},
        cached=[1, 2],
    ),
)
CLOCK = {"clock.py": "import time\n\ndef stamp():\n    return time.time_ns()\n"}
VOLATILE = tuple(
    edit(f"volatile: {name}", ["x = 1", source], unstable=[1], rerun=[1], files=CLOCK, seen_by_chain=False)
    for name, source in (
        ("time", "import time\nprint(time.time_ns())"),
        ("time by __import__", "print(__import__('time').time_ns())"),
        ("time by import_module", "import importlib\nprint(importlib.import_module('time').time_ns())"),
        ("process group", "import os\nprint(os.getpgrp(), os.getsid(0))"),
        ("thread's own number", "import os, threading\nprint(threading.main_thread().native_id)"),
        ("usage", "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF))"),
        ("disk usage", "import os, shutil\nprint(shutil.disk_usage('.'), os.getpid())"),
        ("random bytes", "import ssl\nprint(ssl.RAND_bytes(8))"),
        ("temporary name", "import tempfile\nprint(tempfile.mktemp())"),
        ("module beneath os", "import posix\nprint(posix.getpid())"),
        ("dictionary beneath the environment", "import os\nprint(os.environ._data.get(b'FZ'), os.getpid())"),
        ("datetime", "import datetime\nprint(datetime.datetime.now())"),
        ("clock in a function", "from time import time as clock\ndef f(): return clock()\nprint(f())"),
        ("uuid", "import uuid\nprint(uuid.uuid4())"),
        ("urandom", "import os\nprint(os.urandom(8))"),
        ("secrets", "import secrets\nprint(secrets.token_hex(8))"),
        ("unseeded random", "import random\nprint(random.random())"),
        ("unseeded numpy", "import numpy as np\nprint(np.random.rand())"),
        ("unseeded generator", "import numpy as np\nprint(np.random.default_rng().random())"),
        ("unseeded own generator", "import random\nprint(random.Random().random())"),
        ("system random", "import random\nprint(random.SystemRandom().random())"),
        ("process id", "import os\nprint(os.getpid())"),
        ("timestamp", "import pandas as pd\nprint(pd.Timestamp.now())"),
        ("temporary folder", "import tempfile\nprint(tempfile.mkdtemp())"),
        ("shell's clock", "!date +%s%N"),
        ("sample", "import pandas as pd\nprint(pd.Series(range(10 ** 6)).sample(5).tolist())"),
        ("numpy's now", "import numpy as np\nprint(np.datetime64('now', 'ns'))"),
        ("pandas' now by a word", "import pandas as pd\nprint(pd.Timestamp('now'))"),
        ("to_datetime of a word", "import pandas as pd\nprint(pd.to_datetime('now'))"),
        ("strftime", "import time\nprint(time.strftime('%c'), time.perf_counter_ns())"),
        ("bound clock", "from datetime import datetime\nnow = datetime.now\nprint(now())"),
        ("clock by getattr", "import time\nprint(getattr(time, 'time_' + 'ns')())"),
        ("clock handed on", "import time\nprint([f() for f in [time.time_ns]])"),
        (
            "clock as a default factory",
            "import time\nfrom dataclasses import dataclass, field\n@dataclass\nclass A:\n    t: int = field(default_factory=time.time_ns)\nprint(A())",
        ),
        ("clock in a project module", "import clock\nprint(clock.stamp())"),
        ("clock of the event loop", "import asyncio\nprint(asyncio.get_running_loop().time())"),
        ("cpu time", "import os\nprint(os.times().elapsed)"),
        ("resource use", "import time\nprint(time.process_time_ns(), time.thread_time_ns())"),
        (
            "logged time",
            "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='%(created)f')\nlogging.error('e')",
        ),
        ("uuid1", "import uuid\nprint(uuid.uuid1())"),
        ("numpy's own seed", "import numpy as np\nprint(np.random.RandomState().rand())"),
        ("seed sequence", "import numpy as np\nprint(np.random.SeedSequence().entropy)"),
        ("generator seeded with None", "import numpy as np\nprint(np.random.default_rng(None).random())"),
        ("reseeded with nothing", "import random\nrandom.seed(1)\nrandom.seed()\nprint(random.random())"),
        (
            "numpy reseeded with nothing",
            "import numpy as np\nnp.random.seed(1)\nnp.random.seed()\nprint(np.random.rand())",
        ),
        ("device", "print(open('/dev/urandom', 'rb').read(8))"),
        ("proc", "print(open('/proc/self/stat').read())"),
        (
            "database's random",
            "import sqlite3\nprint(sqlite3.connect(':memory:').execute('select random()').fetchone())",
        ),
        ("message id", "from email.utils import make_msgid\nprint(make_msgid())"),
        (
            "split without a seed",
            "import sklearn.model_selection as ms\nprint(ms.train_test_split(list(range(10000)))[0][:9])",
        ),
        ("age of a file", "import os\nopen('now.txt', 'w').close()\nprint(os.stat('now.txt').st_mtime_ns)"),
        (
            "memory",
            "import tracemalloc\ntracemalloc.start()\nprint(tracemalloc.get_traced_memory(), id(object()))\nimport os\nprint(os.getpid())",
        ),
        ("parent", "import os\nprint(os.getpid(), os.getppid())"),
        ("process's name", "import multiprocessing\nprint(multiprocessing.current_process().pid)"),
        ("thread's number", "import threading\nprint(threading.get_native_id())"),
        ("shell's process", "%%bash\necho $$ $RANDOM $(date +%N)"),
        (
            "own clock by ctypes",
            "import ctypes\nt = (ctypes.c_long * 2)()\nctypes.CDLL(None).clock_gettime(0, t)\nprint(list(t))",
        ),
        ("sets' order", "import os\nprint(hash(object()), os.getpid())"),
        (
            "clock of a renamed module",
            "def f():\n    import time as t\n    c = t\n    return c.time_ns()\nprint(f())",
        ),
        (
            "network",
            "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\nprint(s.getsockname()[1])\ns.close()",
        ),
        ("address", "print(len('s3://127.0.0.1:9/d.csv'))"),
        ("address that a process is given", "import subprocess\nsubprocess.run(['true', 'http://127.0.0.1:9/d.csv'])"),
        (
            "address where a connection may be open",
            "import socket\nsocket.getaddrinfo('127.0.0.1', 9)\nprint(len('http://127.0.0.1:9/d.csv'))",
        ),
        ("shuffle", "import random\nl = list(range(1000))\nrandom.shuffle(l)\nprint(l[:9])"),
    )
)
NOTICING = (
    # Each notices that a rule of the agent is broken (see rules.py) of which the others tell nothing.
    edit(
        "values of libraries' calls are shown",
        [
            "import os\nimport re\nfrom collections import Counter\nimport numpy as np\nimport pandas as pd\nk = 1",
            "pd.Series([k, 2]).describe()\npd.read_csv('t.csv').head(k)",
            "np.array([k, 2]).astype(float).sum()",
            "re.compile('a').match('a' * k).group(0)",
            "Counter('ab' * k).most_common(1)",
            "open('t.csv').read()[k:]",
            "os.environ.get('HOME', k)",
            "from functools import reduce\nfrom heapq import heappush\nh = []\nheappush(h, k)\nreduce(max, h)",
            "from abc import ABC, abstractmethod\nclass A(ABC):\n    k = k\n    @abstractmethod\n    def f(self): ...",
            "w = 7",
            "w",
        ],
        {0: "import os\nimport re\nfrom collections import Counter\nimport numpy as np\nimport pandas as pd\nk = 2"},
        files={"t.csv": "a,b\n1,2\n"},
        rerun=[0, 1, 2, 3, 4, 5, 6, 7, 8],
        cached=[9, 10],
    ),
    edit(
        "figures switched off after the first one",
        [
            "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\nplt.plot([1])\nplt.show()",
            "import matplotlib.pyplot as plt\nplt.ioff()\nheld, axes = plt.subplots(figsize=(1, 1))\ny = 1",
            "plt.ion()\nplt.close('all')",
        ],
        {1: "import matplotlib.pyplot as plt\nplt.ioff()\nheld, axes = plt.subplots(figsize=(1, 1))\ny = 2"},
        rerun=[1],
    ),
    edit(
        "figures switched off after the first one, for a block",
        [
            "import matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1))\nplt.plot([1])\nplt.show()",
            "import matplotlib.pyplot as plt\nwith plt.ioff():\n    held, axes = plt.subplots(figsize=(1, 1))\ny = 1",
        ],
        {1: "import matplotlib.pyplot as plt\nwith plt.ioff():\n    held, axes = plt.subplots(figsize=(1, 1))\ny = 2"},
        rerun=[1],
    ),
    edit(
        "what a harmless package holds, changed by a method",
        [
            "import pandas as pd",
            "pd.io.common.extension_to_compression.update({'.one': 'zip'})",
            "print('.one' in pd.io.common.extension_to_compression)",
        ],
        {1: "pd.io.common.extension_to_compression.update({'.two': 'zip'})"},
        rerun=[1, 2],
    ),
    edit(
        "estimators counted by what is shown",
        [
            "import numpy as np\nfrom sklearn.linear_model import LinearRegression\nX = np.arange(6.).reshape(3, 2)\ny = np.arange(3.)",
            "from sklearn.pipeline import make_pipeline\nmake_pipeline(LinearRegression()).fit(X, y)",
            "print(y)",
        ],
        {1: "from sklearn.pipeline import make_pipeline\nmake_pipeline(LinearRegression()).fit(X, y).predict(X)"},
        rerun=[1, 2],
    ),
    edit(
        "deleted, then asked for",
        ["x = 1", "del x", "try:\n    print(x)\nexcept NameError:\n    print('none')"],
        {1: "x"},
        rerun=[1, 2],
    ),
    edit(
        "function of a cell above that stores",
        ["k = 1\ny = 0", "def f():\n    global y\n    y = k", "f()", "print(y)"],
        {0: "k = 2\ny = 0"},
        rerun=[0, 2, 3],
    ),
    edit(
        "contents behind an alias",
        ["a = [1]", "b = a", "b.append(2)", "print(a)"],
        {0: "a = [3]"},
        rerun=[0, 1, 2, 3],
    ),
    edit(
        "contents behind a view",
        ["import numpy as np\na = np.zeros(4)", "v = a[1:3]", "v += 1", "print(a)"],
        {0: "import numpy as np\na = np.array([5.0, 0, 0, 0])"},
        rerun=[0, 1, 2, 3],
    ),
    edit(
        "name of a shared index",
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1]}, index=['k'])\ndg = pd.DataFrame({'b': [2]}, index=df.index)",
            "df.index.name = 'one'",
            "print(dg)",
        ],
        {1: "df.index.name = 'two'"},
        rerun=[1, 2],
    ),
    edit(
        "name of a shared index, by a tuple",
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1]}, index=['k'])\ndg = pd.DataFrame({'b': [2]}, index=df.index)",
            "df.index.name, q = 'one', 1",
            "print(dg)",
        ],
        {1: "df.index.name, q = 'two', 1"},
        rerun=[1, 2],
    ),
    edit(
        "name of a shared index, by a module",
        [
            "import namer",
            "import pandas as pd\ndf = pd.DataFrame({'a': [1]}, index=['k'])\ndg = pd.DataFrame({'b': [2]}, index=df.index)",
            "namer.name(df, 'one')",
            "print(dg)",
        ],
        {2: "namer.name(df, 'two')"},
        files={"namer.py": "def name(df, name): df.index.name = name\n"},
        rerun=[2, 3],
    ),
    edit(
        "module by another way, asked for",
        ["import importlib.machinery\nm = 1", "import sys\nprint('foo' in sys.modules)"],
        {0: "import importlib.machinery\nm = importlib.machinery.SourceFileLoader('foo', 'tool.txt').load_module()"},
        files={"tool.txt": "x = 1\n"},
        rerun=[0, 1],
    ),
    edit(
        "magic of the notebook's own with the name of a command",
        [
            "from IPython.core.magic import register_line_magic\n@register_line_magic\ndef conda(line):\n    print(state['k'])",
            "state = {'k': 2}",
            "%conda 3",
        ],
        {1: "state = {'k': 3}"},
        rerun=[1, 2],
    ),
    edit(
        "method of a class of Python's own, of what a library holds",
        [
            "import collections, mimetypes\nmimetypes.init()",
            "collections.ChainMap(mimetypes.types_map).update({'.zzq': 'a/b'})",
            "print(mimetypes.guess_type('f.zzq'))",
        ],
        {1: "collections.ChainMap(mimetypes.types_map).update({'.zzq': 'a/c'})"},
        rerun=[1, 2],
    ),
    edit(
        "attribute of the shared generator",
        [
            "import random\nrandom.seed(1)",
            "r = random.gauss.__self__",
            "r.random = lambda: 0.5",
            "print(r.random())\nrandom.seed(1)\nprint(random.uniform(0, 1))",
        ],
        {2: "r.random = lambda: 0.7"},
        rerun=[2, 3],
    ),
    edit(
        "comprehension in a comprehension, of the same name",
        ["x = [1]", "rows = [[[1]], [[2]]]", "print([[q for q in x] + [x for x in r] for r in rows])"],
        {0: "x = [2]"},
        rerun=[0, 2],
    ),
    edit(
        "variable that only a codec changes",
        [
            REGISTERS.format(1),
            "# cells: raises=ValueError\ny = '\u00e9'.encode('ascii', 'fz')\nraise ValueError",
            "print(seen)",
        ],
        {
            0: REGISTERS.format(5),
        },
        rerun=[0, 1, 2],
    ),
    edit("sharing that ends", ["a = [1]\nb = a", "a = [5]", "print(a, b)"], {0: "a = [1]\nb = [9]"}, rerun=[0, 2]),
    edit(
        "generator that goes on further",
        ["g = iter(map(str, range(9)))\nh = (v for v in g)", "y = next(h)", "print(next(h))"],
        {1: "y = next(h), next(h)"},
        rerun=[1, 2],
    ),
    edit(
        "eval in a function of a cell above",
        ["def f():\n    return eval('x')", "x = 1", "print(f())"],
        {1: "x = 2"},
        rerun=[1, 2],
    ),
    edit(
        "value of an attribute",
        ["class A: ...", "x = A()\nx.v = 1", "print(x.v)"],
        {1: "x = A()\nx.v = 2"},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "value of a slot",
        ["class A:\n    __slots__ = ('v',)", "x = A()\nx.v = 1", "print(x.v)"],
        {1: "x = A()\nx.v = 2"},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "star import of a library",
        ["x = 1", "from math import *", "print(sqrt(4))"],
        {1: "from cmath import *"},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "value of a set",
        ["x = {1, 2}", "print(sorted(x))"],
        {0: "x = {1, 3}"},
        rerun=[0, 1],
    ),
    edit(
        "value that holds a list twice",
        ["x = [[1], [1]]", "print(x[0] is x[1])"],
        {0: "y = [1]\nx = [y, y]\ndel y"},
        rerun=[0, 1],
    ),
    edit(
        "query in a function of a cell above",
        [
            "import pandas as pd\ndef f():\n    return pd.DataFrame({'a': [1, 2]}).query('a > @k')",
            "k = 1",
            "print(f())",
        ],
        {1: "k = 0"},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "size of a listed file",
        ["import os\nprint([entry.stat().st_size for entry in os.scandir('in')])"],
        files={"in/d.txt": "1"},
        changed={"in/d.txt": "22"},
        rerun=[0],
        seen_by_chain=False,
    ),
    edit(
        "state of a generator",
        ["import random\nrandom.seed(1)", "print(random.getstate()[1][5])"],
        {0: "import random\nrandom.seed(2)"},
        rerun=[0, 1],
    ),
    edit(
        "value of a frame",
        ["import pandas as pd\nx = pd.DataFrame({'a': [1, 2]})", "print(x)"],
        {0: "import pandas as pd\nx = pd.DataFrame({'a': [1, 3]})"},
        rerun=[0, 1],
    ),
    edit(
        "value of categories",
        ["import pandas as pd\nx = pd.Series(pd.Categorical(['a'], ['a', 'b']))", "print(x.cat.categories)"],
        {0: "import pandas as pd\nx = pd.Series(pd.Categorical(['a'], ['a', 'c']))"},
        rerun=[0, 1],
    ),
    edit(
        "value of a nullable column",
        ["import pandas as pd\nx = pd.Series([1, None], dtype='Int64')", "print(x)"],
        {0: "import pandas as pd\nx = pd.Series([2, None], dtype='Int64')"},
        rerun=[0, 1],
    ),
    edit(
        "value of a text in a frame",
        ["import pandas as pd\nx = pd.DataFrame({'a': ['one', 'two']})", "print(x)"],
        {0: "import pandas as pd\nx = pd.DataFrame({'a': ['one', 'owt']})"},
        rerun=[0, 1],
    ),
    edit(
        "chance in a value without a digest",
        ["import random\ndef gen(v):\n    yield v\ng = gen(random.random())", "x = next(g)", "print(x)"],
        unstable=[2],
        rerun=[0, 1, 2],
        seen_by_chain=False,
    ),
    edit(
        "clock in a value without a digest",
        ["import time\ndef gen(v):\n    yield v\ng = gen(time.time_ns())", "y = 1", "print(next(g))"],
        unstable=[2],
        rerun=[0, 2],
        cached=[1],
        seen_by_chain=False,
    ),
    edit(
        "value without a digest of a cell that is never cached",
        ["def gen(v):\n    yield v", "# cells: cache=off\ng = gen(1)", "print(next(g))"],
        rerun=[1, 2],
    ),
    edit(
        "barrier that is never cached",
        ["x = 1", "# cells: cache=off\nexec('y = x')", "print(y)"],
        rerun=[1, 2],
    ),
    edit(
        "clock of a cell above",
        ["import time\nnow = time.time_ns", "print(now())"],
        unstable=[1],
        rerun=[1],
        seen_by_chain=False,
    ),
    edit(
        "date in a function of a cell above",
        ["import datetime\ndef f():\n    return datetime.datetime.now()", "print(f())"],
        unstable=[1],
        rerun=[1],
        seen_by_chain=False,
    ),
    edit(
        "codec of a function of a cell above",
        [
            "import codecs\ndef put(v):\n    codecs.register_error('fz', lambda e: (v, e.end))",
            "put('1')",
            LOOK_CODEC,
        ],
        {1: "put('2')"},
        rerun=[1, 2],
    ),
    edit(
        "codec of an object",
        [
            "import codecs\nclass A:\n    def __init__(self):\n        self.c = codecs\n    def put(self, v):\n        self.c.register_error('fz', lambda e: (v, e.end))",
            "a = A()\na.put('1')",
            LOOK_CODEC,
        ],
        {1: "a = A()\na.put('2')"},
        rerun=[1, 2],
    ),
    edit(
        "codec handed on",
        ["import codecs\nlist(map(codecs.register_error, ['fz'], [lambda e: ('1', e.end)]))\nNone", LOOK_CODEC],
        {0: "import codecs\nlist(map(codecs.register_error, ['fz'], [lambda e: ('2', e.end)]))\nNone"},
        rerun=[0, 1],
    ),
    edit(
        "list of a library handed on",
        ["import heapq, keyword\nheapq.heappush(keyword.softkwlist, 'a')", "import keyword\nprint(keyword.softkwlist)"],
        {0: "import heapq, keyword\nheapq.heappush(keyword.softkwlist, 'b')"},
        rerun=[0, 1],
    ),
    edit(
        "list of a library handed on by a function",
        [
            "import heapq, keyword\ndef put(v):\n    heapq.heappush(keyword.softkwlist, v)",
            "put('a')",
            "import keyword\nprint(keyword.softkwlist)",
        ],
        {1: "put('b')"},
        rerun=[1, 2],
    ),
    edit(
        "future import of a cell above",
        ["from __future__ import annotations", "def f(a: int): pass", "print(f.__annotations__)"],
        {0: "x = 1"},
        rerun=[0, 1, 2],
    ),
    edit(
        "future import, a cell below touched",
        ["from __future__ import annotations", "def f(a: int): pass", "print(f.__annotations__)"],
        {1: "def f(a: int): pass\nx = 1"},
    ),
    edit(
        "submodule that another cell has loaded",
        ["import xml", "import xml.dom.minidom", "print(xml.dom.minidom.parseString('<a/>').documentElement.tagName)"],
        {1: "y = 1"},
        rerun=[1, 2],
    ),
    *(
        edit(
            f"submodule that another cell has loaded: {name}",
            [f"import mod\n{bound}", "import mod.sub", read],
            {1: "y = 1"},
            files={"mod/__init__.py": "", "mod/sub.py": "N = 1\n"},
            rerun=[1, 2],
        )
        for name, bound, read in (
            ("by a function", "def f(): return mod.sub.N", "print(f())"),
            ("in a list", "x = [mod]", "print(x[0].sub.N)"),
            ("in a class", "class A:\n    m = mod", "print(A.m.sub.N)"),
        )
    ),
    edit(
        "import that enables something elsewhere",
        [
            "import sys, types\nfor n in ('fz', 'fz.enable_more'):\n    sys.modules[n] = types.ModuleType(n)\nsys.modules['fz'].enable_more = 1",
            "from fz import enable_more",
            "x = 1",
        ],
        {1: "y = 1"},
        rerun=[1, 2],
    ),
    edit(
        "text of a query in a dict",
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})",
            "limit = 1",
            "q = {'q': 'a > @limit'}",
            "print(len(df.query(q['q'])))",
        ],
        {1: "limit = 2"},
        rerun=[1, 3],
    ),
    edit(
        "text of a query that the cell reads",
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})",
            "limit = 1",
            "q = ''.join(['a > ', chr(64), 'limit'])\nprint(len(df.query(q)))",
        ],
        {1: "limit = 2"},
        rerun=[1, 2],
    ),
    edit(
        "text of a query as a default",
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})",
            "limit = 1",
            "def pick(df, q='a > @limit'):\n    return df.query(q, level=1)",
            "print(len(pick(df)))",
        ],
        {1: "limit = 2"},
    ),
    edit(
        "iterator of numpy that writes",
        ["import numpy as np\nbig = 'x' * 90000\na = np.zeros(3)", "f = a.flat", "f[0] = 1", "print(a[0])"],
        {2: "f[0] = 2"},
        rerun=[2, 3],
    ),
    edit(
        "image that shows an array",
        [
            "import numpy as np\nfrom PIL import Image\nbig = 'x' * 90000\na = np.zeros((4, 4), dtype='uint8')",
            "im = Image.fromarray(a)",
            "a[0, 0] = 9",
            "print(im.getpixel((0, 0)))",
        ],
        {2: "a[0, 0] = 8"},
        rerun=[2, 3],
    ),
    edit(
        "pixels of an image",
        [
            "from PIL import Image\nbig = 'x' * 90000\nim = Image.new('L', (4, 4))",
            "px = im.load()",
            "px[0, 0] = 9",
            "print(im.getpixel((0, 0)))",
        ],
        {2: "px[0, 0] = 8"},
        rerun=[2, 3],
    ),
    edit(
        "tree that shows an array",
        [
            "import numpy as np\nfrom scipy.spatial import KDTree\na = np.zeros((4, 2))",
            "t = KDTree(a)",
            "a[0] = 9",
            "print(t.query([9, 9])[0])",
        ],
        {2: "a[0] = 8"},
        rerun=[2, 3],
    ),
    edit(
        "output by its number",
        ["1 + 1", "print(_1)"],
        {0: "1 + 2"},
        rerun=[0, 1],
    ),
    edit(
        "memory made writable beneath frames",
        [
            "import pandas as pd\nbig = 'x' * 90000\ns = pd.Series([1, 2, 3])",
            "s2 = s[:]",
            "v = s.to_numpy()\nv.flags.writeable = True\nv[0] = 9",
            "print(s2.tolist())",
        ],
        {2: "v = s.to_numpy()\nv.flags.writeable = True\nv[0] = 8"},
    ),
    edit(
        "tests that are looked for among the names",
        [
            "import unittest\nbig = 'x' * 90000\ndef f(): return 1",
            "class T(unittest.TestCase):\n    def test_f(self): self.assertEqual(f(), 1)",
            "r = unittest.main(argv=['x'], exit=False, verbosity=0).result\nassert r.wasSuccessful()",
        ],
        {0: "import unittest\nbig = 'x' * 90000\ndef f(): return 2"},
    ),
    edit(
        "context of decimal by a name",
        [
            "from decimal import Decimal, getcontext\nimport time\ntime.sleep(0.3)\nctx = getcontext()",
            "ctx.prec = 5",
            "print(Decimal(1) / 3)",
        ],
        {1: "ctx.prec = 6"},
        rerun=[1, 2],
    ),
    edit(
        "list of a library by its name",
        ["from keyword import softkwlist\nsoftkwlist.append('a')", "import keyword\nprint(keyword.softkwlist)"],
        {0: "from keyword import softkwlist\nsoftkwlist.append('b')"},
        rerun=[0, 1],
    ),
    edit(
        "dictionary of a library by another name",
        ["import keyword\nkw = keyword.softkwlist", "kw.append('a')", "print(keyword.softkwlist)"],
        {1: "kw.append('b')"},
        rerun=[1, 2],
    ),
    edit(
        "item of a dictionary of a library",
        [
            "from mimetypes import types_map\nbig = 'x' * 90000",
            "types_map['.fz'] = 'a'",
            "import mimetypes\nprint(mimetypes.types_map['.fz'])",
        ],
        {1: "types_map['.fz'] = 'b'"},
        rerun=[1, 2],
    ),
    edit(
        "types that annotations name",
        ["import typing\nFoo = int", "def f(x: 'Foo'): pass", "print(typing.get_type_hints(f))"],
        {0: "import typing\nFoo = str"},
    ),
    edit(
        "frequency of a shared index",
        [
            "import pandas as pd\nix = pd.date_range('2020', periods=3)\ndf = pd.DataFrame({'a': 1}, index=ix)",
            "ix.freq = None",
            "print(df.index.freq)",
        ],
        {1: "ix.freq = 'D'"},
    ),
    edit(
        "permissions of a file",
        [
            "import pathlib, os\np = pathlib.Path('fz.txt')\np.write_text('a')",
            "p.chmod(0o444)",
            "print(oct(p.stat().st_mode))",
        ],
        {1: "p.chmod(0o755)"},
        rerun=[1, 2],
    ),
    edit(
        "action at the end of an object",
        ["import weakref\nclass A: pass", "o = A()\nf = weakref.finalize(o, print, 'a')", "o = None"],
        {1: "o = A()\nf = weakref.finalize(o, print, 'b')"},
        rerun=[1, 2],
    ),
    edit(
        "codec of a project module",
        ["import put\nx = put.put('1')", LOOK_CODEC],
        {0: "import put\nx = put.put('2')"},
        files={"put.py": "import codecs\ndef put(v):\n    codecs.register_error('fz', lambda e: (v, e.end))\n"},
        rerun=[0, 1],
    ),
    edit(
        "registered by a decorator",
        [
            "import codecs\n@codecs.register\ndef look(name):\n    return codecs.lookup('ascii') if name == 'fz' else None",
            "try:\n    print('a'.encode('fz'))\nexcept LookupError:\n    print('unknown')",
        ],
        {0: "import codecs\n@codecs.register\ndef look(name):\n    return None"},
        rerun=[0, 1],
    ),
    edit(
        "reload of a library, result used",
        [
            "import colorsys\ncolorsys.ONE_THIRD = 5",
            "import importlib\nx = importlib.reload(colorsys)",
            "print(colorsys.ONE_THIRD)",
        ],
        {1: "import importlib\nx = colorsys"},
        rerun=[1, 2],
    ),
    edit(
        "abstract base, result used",
        [
            "import collections.abc\nclass A: ...",
            "x = collections.abc.Sized.register(A)",
            "print(issubclass(A, collections.abc.Sized))",
        ],
        {1: "x = A"},
        rerun=[1, 2],
    ),
    edit(
        "state of a library of C",
        ["import ctypes\nx = ctypes.CDLL(None).srand(1)", "import ctypes\nprint(ctypes.CDLL(None).rand())"],
        {0: "import ctypes\nx = ctypes.CDLL(None).srand(2)"},
        rerun=[0, 1],
    ),
    edit(
        "thread that goes on by itself",
        [
            "import threading, time\nbox = []\nx = threading.Timer(0.3, box.append, [1]).start()",
            "time.sleep(2)",
            "print(box)",
        ],
        {2: "print(box, 2)"},
    ),
    edit(
        "task that goes on by itself",
        [
            "import asyncio\nbox = []\nasync def job(v):\n    x = await asyncio.sleep(0.2)\n    box.append(v)\ntask = asyncio.ensure_future(job(1))",
            "y = await asyncio.sleep(0.5)",
            "print(box)",
        ],
        {2: "print(box, 2)"},
    ),
    edit(
        "call of the loop's that comes after the cell",
        [
            "import asyncio, random\nrandom.seed(1)",
            "loop = asyncio.get_event_loop()\nh = loop.call_soon(random.random)",
            "y = 2",
            "print(random.random())",
        ],
        {1: "loop = asyncio.get_event_loop()\nh = 0"},
    ),
    edit(
        "call of the loop's by tornado",
        [
            "import warnings\nfrom tornado.ioloop import IOLoop",
            "h = IOLoop.current().add_callback(warnings.simplefilter, 'error')",
            "y = 2",
            "print(warnings.filters[0][0])",
        ],
        {1: "h = IOLoop.current()"},
    ),
    edit(
        "call of a future that is done",
        [
            "import asyncio, random\nrandom.seed(1)\nfuture = asyncio.get_event_loop().create_future()",
            "future.add_done_callback(lambda done: random.random())\nx = future.set_result(1)",
            "y = 2",
            "print(random.random())",
        ],
        {1: "x = future.set_result(1)"},
    ),
    edit(
        "figure of a number",
        [
            "import matplotlib.pyplot as plt\nplt.ioff()\nplt.figure()\nplt.close('all')\n%config InlineBackend.close_figures = False",
            "plt.figure(1, figsize=(1, 1))\nNone",
            "print(plt.get_fignums())\nplt.close('all')",
        ],
        {1: "plt.figure(2, figsize=(1, 1))\nNone"},
        rerun=[1, 2],
    ),
    edit(
        "signal, all results used",
        [
            "import signal\nx = signal.signal(signal.SIGUSR1, lambda *a: print('one'))",
            "import signal\ny = signal.raise_signal(signal.SIGUSR1)",
        ],
        {0: "import signal\nx = signal.signal(signal.SIGUSR1, lambda *a: print('two'))"},
        rerun=[0, 1],
    ),
    edit(
        "stdout that a library replaces",
        [
            "import contextlib, sys\nclass W:\n    def __init__(self, s): self.s = s\n    def write(self, t): return self.s.write(t.replace('a', '1'))\n    def flush(self): self.s.flush()\nx = contextlib.redirect_stdout(W(sys.stdout)).__enter__()",
            "print('a')",
        ],
        {
            0: "import contextlib, sys\nclass W:\n    def __init__(self, s): self.s = s\n    def write(self, t): return self.s.write(t.replace('a', '2'))\n    def flush(self): self.s.flush()\nx = contextlib.redirect_stdout(W(sys.stdout)).__enter__()"
        },
        rerun=[0, 1],
    ),
    edit(
        "import hook, result used",
        [
            "import sys\nclass F:\n    def find_spec(self, name, *a):\n        if name == 'fzz': print('one')\nx = sys.meta_path.append(F())",
            "try:\n    import fzz\nexcept ImportError:\n    pass",
        ],
        {
            0: "import sys\nclass F:\n    def find_spec(self, name, *a):\n        if name == 'fzz': print('two')\nx = sys.meta_path.append(F())"
        },
        rerun=[0, 1],
    ),
    edit(
        "hook of IPython, result used",
        [
            "from IPython.core.interactiveshell import InteractiveShell\ndef after(*_): print('one')\nx = InteractiveShell.instance().events.register('post_run_cell', after)",
            "y = 1",
        ],
        {
            0: "from IPython.core.interactiveshell import InteractiveShell\ndef after(*_): print('two')\nx = InteractiveShell.instance().events.register('post_run_cell', after)"
        },
        rerun=[0, 1],
    ),
    edit(
        "umask, result used",
        [
            "import os\nx = os.umask(0o22)",
            "y = open('u.txt', 'w').close()\nprint(oct(os.stat('u.txt').st_mode))\nos.remove('u.txt')",
        ],
        {0: "import os\nx = os.umask(0o77)"},
        rerun=[0, 1],
    ),
    edit(
        "set by a cell to what it is",
        ["import os\nos.environ['FZ_V'] = '1'", "print(os.environ['FZ_V'])"],
        {0: "import os\nos.environ['FZ_V'] = '2'"},
        env={"FZ_V": "1"},
        changed_env={"FZ_V": "1"},
        rerun=[0, 1],
        seen_by_chain=False,
    ),
    edit(
        "written by a cell, then by the author",
        ["with open('o.txt', 'w') as f:\n    n = f.write('1')", "print(open('o.txt').read())"],
        changed={"o.txt": "9"},
        rerun=[0],
        seen_by_chain=False,
    ),
)
SPEAKS = {"speaks.py": "print('spoken')\n"}
FIRST_IMPORTS = (
    edit("imported twice", ["import this", "import this"], {}),
    cells("first import removed", ["import this", "x = 1", "import this"], ["x = 1", "import this"]),
    cells("first import added", ["x = 1", "import this"], ["import this", "x = 1", "import this"]),
    cells(
        "first import in a function",
        ["def f(): import speaks", "f()", "f()"],
        ["def f(): import speaks", "f()", "x = 1", "f()", "f()"],
        files=SPEAKS,
    ),
    edit(
        "imported twice, first cell edited",
        ["import this", "import this", "y = 1"],
        {0: "import this\nx = 1"},
        cached=[2],
    ),
    edit("imported twice, second cell edited", ["import this", "import this"], {1: "import this\nx = 1"}),
    cells(
        "part of a package imported twice",
        ["import parts", "from parts import speaks", "from parts import speaks"],
        ["import parts", "from parts import speaks"],
        files={"parts/__init__.py": "", "parts/speaks.py": "print('spoken')\n"},
    ),
    edit(
        "registered with a library that is imported there",
        [
            "import xml.etree.ElementTree as ET\nx = ET.register_namespace('one', 'u')",
            "import xml.etree.ElementTree as ET\nprint(ET.tostring(ET.Element('{u}a')))",
        ],
        {0: "import xml.etree.ElementTree as ET\nx = ET.register_namespace('two', 'u')"},
        rerun=[0, 1],
    ),
    edit(
        "first import that is hushed",
        ["%%capture\nimport speaks", "import speaks\nprint(2)"],
        {0: "x = 1"},
        files=SPEAKS,
    ),
    edit(
        "first import that is redirected",
        [
            "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    import speaks",
            "import speaks\nprint(2)",
        ],
        {0: "x = 1"},
        files=SPEAKS,
    ),
    edit("silent library imported again", ["import json\nprint(1)", "import json\nprint(2)"], {0: "x = 1"}, cached=[1]),
)
"""What a library shows only when it is imported for the first time."""
HELD = tuple(
    edit(f"held: {name}", [first, source], unstable=[1], rerun=[1], seen_by_chain=False)
    for name, first, source in (
        ("date", "import datetime\nnow = datetime.datetime.now", "print(now())"),
        ("date in a list", "import datetime\nd = [datetime.datetime.now]", "print(d[0]())"),
        ("clock in a list", "import time\nd = [time.time_ns]", "print(d[0]())"),
        ("clock of an object", "import time\nclass A: pass\na = A()\na.c = time.time_ns", "print(a.c())"),
        ("clock of a partial", "import functools, time\np = functools.partial(time.time_ns)", "print(p())"),
        ("process id in a dict", "import os\nd = {'p': os.getpid}", "print(d['p']())"),
        ("text", "w = 'now'", "import pandas as pd\nprint(pd.Timestamp(w))"),
    )
)
"""Clocks that a cell leaves behind, and one below asks."""
PYPLOT = "import matplotlib.pyplot as plt, numpy as np"
SINCE_3_11 = ("nonmember of an enumeration",)
METHODS_OF_AN_OBJECT = (
    "class S:\n    x = 1\n    def get(self): return self.x\n    def put(self, n): self.x = n\n"
    "class K:\n    s = S()\n    get, put = s.get, s.put\n    del s\ndef put(n): K.put(n)\n"
)
OF_A_FACTORY = (
    "import factory\nC = factory.make()\ndef other(self): return 6\n"
    "def give(o, n): o.f = other if n == 6 else C.g\ndef put(n): give(C, n)\n"
)
FACTORY = {
    "factory.py": "def make():\n    class C:\n        x = 1\n        def f(self): return 1\n        def g(self): return 5\n"
    "    return C\n"
}
GRAY = "print(plt.cm.gray(np.nan))"
CONFIG = "import sklearn\nprint(sklearn.get_config()['working_memory'])"
FRAME = "import functools, types\nimport pandas as pd\ndf = pd.DataFrame({'x': [1., 9.]})"
SETTINGS = (
    *(
        edit(f"set: {name}", [first, setting, last], {1: setting.replace("50", "25")}, rerun=[1, 2])
        for name, first, setting, last in (
            ("colormap", PYPLOT, "plt.cm.gray.set_bad((0.50, 0, 0))", GRAY),
            ("colormap by a name", PYPLOT, "c = plt.cm.gray\nc.set_bad((0.50, 0, 0))", GRAY),
            (
                "colormaps in a loop",
                PYPLOT,
                "def f():\n    for c in (plt.cm.gray, plt.cm.viridis):\n        c.set_bad((0.50, 0, 0))\nf()",
                GRAY,
            ),
            ("colormap that is handed on", PYPLOT, "def f(c):\n    c.set_bad((0.50, 0, 0))\nf(plt.cm.gray)", GRAY),
            (
                "fonts",
                "import matplotlib.font_manager as fm",
                "from matplotlib.font_manager import fontManager as m, findfont\nr = [m.addfont(findfont('serif')) for _ in range(50 // 25)]",
                "print(len(fm.fontManager.ttflist))",
            ),
            (
                "style library",
                PYPLOT,
                "plt.style.library.update({'mine': {'lines.linewidth': 50}})",
                "print(plt.style.library['mine'])",
            ),
            (
                "style library by a local name",
                PYPLOT,
                "def f():\n    own = plt.style.library\n    own['mine'] = {'lines.linewidth': 50}\nf()",
                "print(plt.style.library['mine'])",
            ),
            ("backend", PYPLOT, "plt.rcParams['backend'] = ['agg', 'svg'][50 < 40]", "print(plt.rcParams['backend'])"),
            (
                "how a library's class is shown",
                "import pandas as pd",
                "def f(cls, shown):\n    cls._repr_html_ = shown\nf(pd.Series, lambda s: '50')",
                "pd.Series([1])",
            ),
            (
                "bound method",
                f"{PYPLOT}\npaint = plt.cm.gray.set_bad",
                "paint((0.50, 0, 0))",
                GRAY,
            ),
            (
                "bound method, where not all is looked at",
                f"{LARGE}\n{PYPLOT}\npaint = plt.cm.gray.set_bad",
                "paint((0.50, 0, 0))",
                GRAY,
            ),
            (
                "list of a module",
                "import keyword",
                "from keyword import kwlist\nkwlist += ['50']",
                "print(keyword.kwlist)",
            ),
            (
                "handed to map",
                PYPLOT,
                "list(map(plt.style.library.update, [{'mine': {'lines.linewidth': 50}}]))",
                "print(plt.style.library['mine'])",
            ),
            ("setter in a dict", "import sklearn", "d = {'f': sklearn.set_config}\nd['f'](working_memory=50)", CONFIG),
            (
                "setter in a partial",
                "import functools, sklearn",
                "p = functools.partial(sklearn.set_config, working_memory=50)\np()",
                CONFIG,
            ),
            (
                "setter that a function returns",
                "from sklearn import set_config",
                "def f():\n    return set_config\nf()(working_memory=50)",
                CONFIG,
            ),
            (
                "setter whose value is kept",
                "import sklearn",
                "def f():\n    r = sklearn.set_config(working_memory=50)\nf()",
                CONFIG,
            ),
            (
                "timer, its former state kept",
                "import signal",
                "old = signal.setitimer(signal.ITIMER_VIRTUAL, 5000)",
                "print(signal.getitimer(signal.ITIMER_VIRTUAL)[0] > 3000)",
            ),
            (
                "errors of scipy, their former state kept",
                "import scipy.special as sc\nold = sc.geterr()",
                "old = sc.seterr(loss='raise' if 50 > 40 else 'ignore', slow=['warn', 'print'][50 > 40])",
                "print(sc.geterr())",
            ),
            (
                "context that is entered by name",
                "import sympy\nx = sympy.Symbol('x')",
                "c = sympy.evaluate(50 < 40)\nc.__enter__()",
                "print(x + x)",
            ),
            (
                "context that stays entered",
                "import contextlib, sympy\nx = sympy.Symbol('x')",
                "s = contextlib.ExitStack()\ns.enter_context(sympy.evaluate(50 < 40))",
                "print(x + x)",
            ),
        )
    ),
    *(
        edit(f"set: {name}", [f"{PYPLOT}\nimport pandas as pd, collections", "x = 1", source], {1: "x = 2"}, cached=[2])
        for name, source in (
            ("axis of a new frame", "d = pd.DataFrame({'a': [1]}).set_axis(['b'], axis=1)\nprint(d)"),
            ("title of the current axes", "t = plt.gca().set_title('a')"),
            ("item of a new counter", "c = collections.Counter('aab').pop('a')\nprint(c)"),
        )
    ),
    edit("set: the builtin of that name", ["x = 1", "y = set([1, 1])\nprint(y)"], {0: "x = 2"}, cached=[1]),
    edit("set: precision by a variable", ["n = 3", "%precision {n}\n1 / 3"], {0: "n = 5"}, rerun=[0, 1]),
    edit(
        "set: class that is imported there, by a function",
        [
            "import mailbox as x\ndef f(cls):\n    cls.tag = 1\nf(x.MH)",
            "import mailbox as x\nprint(getattr(x.MH, 'tag', 0))",
        ],
        {0: "import mailbox as x\ndef f(cls):\n    cls.tag = 2\nf(x.MH)"},
        rerun=[0, 1],
    ),
    edit(
        "set: filter of a logger",
        [
            "import logging",
            "def f(logger):\n    logger.addFilter(lambda r: 1)\nf(logging.getLogger('a'))",
            "print(len(logging.getLogger('a').filters))",
        ],
        {1: "1"},
        rerun=[1, 2],
    ),
    edit(
        "set: class that is imported there, by a name that is gone",
        [
            "import mailbox as x\nfor c in (x.MH, x.Mailbox):\n    c.tag = 1\ndel c",
            "import mailbox as x\nprint(getattr(x.MH, 'tag', 0))",
        ],
        {0: "import mailbox as x\nfor c in (x.MH, x.Mailbox):\n    c.tag = 2\ndel c"},
        rerun=[0, 1],
    ),
    cells(
        "colormap that a library has registered",
        ["import matplotlib.pyplot as plt, numpy as np\nimport seaborn as sns", "plt.imshow(np.eye(2), cmap='rocket')"],
        ["import matplotlib.pyplot as plt, numpy as np", "plt.imshow(np.eye(2), cmap='rocket')"],
        rerun=[0, 1],
    ),
    edit(
        "subclasses in a function",
        [
            "class Base: pass\ndef f(): return [c.__name__ for c in Base.__subclasses__()]",
            "class A(Base): pass",
            "print(f())",
        ],
        {1: "class B(Base): pass"},
        rerun=[1, 2],
    ),
    edit(
        "outputs in a function",
        ["def f(): return list(Out.values())[-1]", "50", "print(f())"],
        {1: "25"},
        rerun=[1, 2],
    ),
    *(
        edit(f"text of a query: {name}", [FRAME, "lim = 0", held, asked], {1: "lim = 5"}, rerun=[1, 3])
        for name, held, asked in (
            ("partial", "p = functools.partial(df.query, 'x > @lim')", "print(p())"),
            ("attribute", "c = types.SimpleNamespace(q='x > @lim')", "print(df.query(c.q))"),
            ("method", "q, t = df.query, ['x > @lim']", "print(q(t[0]))"),
            ("long", f"q = 'x > @lim{' or x == 1' * 120}'".replace(" or x == 1", " and x > 0"), "print(df.query(q))"),
        )
    ),
    *(
        edit(
            f"layout of records: {name}",
            [f"import numpy as np\nx = np.zeros(2, dtype={first})", "print(x.dtype, x.dtype.fields, x.nbytes)"],
            {0: f"import numpy as np\nx = np.zeros(2, dtype={second})"},
            rerun=[0, 1],
        )
        for name, first, second in (
            (
                "size",
                "{'names': ['a'], 'formats': ['i4'], 'offsets': [0], 'itemsize': 8}",
                "{'names': ['a'], 'formats': ['i4'], 'offsets': [0], 'itemsize': 16}",
            ),
            ("titles", "[(('t', 'a'), 'i4')]", "[(('u', 'a'), 'i4')]"),
            ("type", "[('a', 'i4')]", "(np.record, [('a', 'i4')])"),
        )
    ),
    edit(
        "memory that scipy writes into",
        [
            LARGE,
            "import pandas as pd, scipy.linalg as la\ndf = pd.DataFrame({'x': [1., 2.], 'z': [2., 5.]})\nd = df[['x', 'z']]",
            "r = la.inv(df, overwrite_a=True), 1",
            "print(d)",
        ],
        {2: "r = la.inv(df), 1"},
        rerun=[2, 3],
    ),
    *(
        edit(
            f"what sympy keeps beside its arguments: {name}",
            [f"import sympy\nx = sympy.Symbol('x')\np = {first}", f"print({told})"],
            {0: f"import sympy\nx = sympy.Symbol('x')\np = {second}"},
            rerun=[0, 1],
        )
        for name, first, second, told in (
            ("domain", "sympy.Poly(x**2 + 1, x)", "sympy.Poly(x**2 + 1, x, domain='QQ')", "p"),
            ("modulus", "sympy.Poly(x**2 + 1, x)", "sympy.Poly(x**2 + 1, x, modulus=2)", "p.factor_list()"),
            ("pattern", "sympy.Wild('w')", "sympy.Wild('w', exclude=[x])", "(x + 1).match(p)"),
        )
    ),
    edit(
        "command with a date",
        ["import subprocess\nprint(subprocess.check_output(['date', '+%N']))", "a = 1"],
        {1: "a = 2"},
        unstable=[0],
        rerun=[0, 1],
        seen_by_chain=False,
    ),
)
"""Settings of libraries that are made in a roundabout way, and other roundabout ways of making something matter."""
CHOOSES = """def slow(): return 1
def fast(): return 5
impl = slow
def choose(name):
    global impl
    impl = fast if name == 'fast' else slow
def run(): return impl()
"""
"""A module of which a variable stands for one of its functions."""
LOADS = "import be1 as be\nimport importlib\ndef run(): return be.f()\ndef choose(name):\n    global be\n    be = importlib.import_module(name)\n"
TAKES = "import math\nop = math.sin\ndef choose(f):\n    global op\n    op = f\ndef run(): return round(op(1.0), 3)\n"
DECIDES = (
    "import os\nif os.environ.get('FZ_K') == '1':\n    def get(): return 'one'\nelse:\n    def get(): return 'other'\n"
)
MAKES = "get = None\ndef make(k):\n    global get\n    get = (lambda: 1) if k == 'one' else (lambda: 2)\n"
ENGINE = """def slow(): return 1
def fast(): return 5
class Engine:
    how = slow
    def run(self): return type(self).how()
    @classmethod
    def choose(cls, f):
        cls.how = staticmethod(f)
        return 1
"""
TWO_PLACES = {"src/utils.py": "def clean(x): return x + 1\n", "lib/utils.py": "def clean(x): return x + 2\n"}
WRITES_MODULE = "from pathlib import Path\nn = Path('geom.py').write_text('def area(r):\\n    return {} * r\\n')"
CHOSEN = (
    *(
        edit(
            f"what a module's name stands for: {name}",
            [first, before, told],
            {1: after},
            files={"mod.py": text, "be1.py": "def f(): return 1\n", "be2.py": "def f(): return 5\n"},
            rerun=[1, 2],
            cached=[0],
        )
        for name, text, first, before, after, told in (
            ("function", CHOOSES, "import mod", "mod.choose('slow')", "mod.choose('fast')", "print(mod.run())"),
            (
                "its value is used",
                CHOOSES,
                "from mod import choose, run",
                "n = 0",
                "n = choose('fast')",
                "print(run())",
            ),
            ("set from outside", CHOOSES, "import mod", "n = 0", "mod.impl = mod.fast", "print(mod.run())"),
            ("replaced", CHOOSES, "import mod", "n = 0", "mod.slow = mod.fast", "print(mod.slow())"),
            ("deleted", CHOOSES, "import mod", "n = 0", "del mod.fast", "print(hasattr(mod, 'fast'))"),
            ("added", CHOOSES, "import mod", "n = 0", "mod.extra = mod.fast", "print(hasattr(mod, 'extra'))"),
            ("module", LOADS, "import mod", "mod.choose('be1')", "mod.choose('be2')", "print(mod.run())"),
            ("builtin", TAKES, "import mod, math", "n = 0", "mod.choose(math.cos)", "print(mod.run())"),
            ("lambda", MAKES, "import mod", "n = mod.make('one')", "n = mod.make('two')", "print(mod.get())"),
            (
                "method",
                ENGINE,
                "from mod import Engine, fast",
                "n = 0",
                "n = Engine.choose(fast)",
                "print(Engine().run())",
            ),
        )
    ),
    edit(
        "what an import decides",
        ["import os", "os.environ['FZ_K'] = '1'", "from mod import get", "print(get())"],
        {1: "os.environ['FZ_K'] = '2'"},
        files={"mod.py": DECIDES},
        rerun=[1, 2, 3],
        cached=[0],
    ),
    edit(
        "where a loaded module is from",
        [
            "import sys; sys.path.insert(0, 'src')\nimport utils",
            "sys.path.insert(0, 'lib')\nfrom utils import clean",
            "print(clean(1))",
        ],
        {0: "import sys; sys.path.insert(0, 'src')"},
        files=TWO_PLACES,
        rerun=[0, 1, 2],
    ),
    edit(
        "module that a cell above loads from elsewhere",
        [
            "import sys; sys.path.insert(0, 'src')",
            "sys.path.insert(0, 'lib')\nfrom utils import clean",
            "print(clean(1))",
        ],
        {0: "import sys; sys.path.insert(0, 'src')\nimport utils"},
        files=TWO_PLACES,
        rerun=[0, 1, 2],
    ),
    cells(
        "import and its path change places",
        [
            "import sys\nsys.path.insert(0, 'src')",
            "from utils import clean",
            "sys.path.insert(0, 'lib')",
            "print(clean(1))",
        ],
        [
            "import sys\nsys.path.insert(0, 'src')",
            "sys.path.insert(0, 'lib')",
            "from utils import clean",
            "print(clean(1))",
        ],
        files=TWO_PLACES,
        rerun=[2, 3],
        cached=[0],
    ),
    edit(
        "module that was loaded before the folder changed",
        ["import os, hc", "os.chdir('la')", "import hc as h\nprint(h.f())"],
        {0: "import os"},
        files={"hc.py": "def f(): return 0\n", "la/hc.py": "def f(): return 'a'\n"},
        rerun=[0, 2],
    ),
    edit(
        "module that a cell has written, and another one writes again",
        [
            WRITES_MODULE.format(3),
            "from geom import area",
            "n = Path('geom.py').write_text('def area(r):\\n    return 0\\n')",
            "print(area(2))",
        ],
        {0: WRITES_MODULE.format(4)},
        rerun=[0, 1, 3],
        seen_by_chain=False,
    ),
    edit(
        "module that is loaded above too",
        ["n = 0", "import mod\nprint(mod.run())", "print(mod.run(), 2)", "y = 5"],
        {0: "import mod"},
        files={"mod.py": CHOOSES},
        rerun=[0],
        cached=[2, 3],
    ),
    edit(
        "module of the project that is imported no longer",
        ["import other", "from mod import run", "print(run())", "y = 5"],
        {0: "n = 0"},
        files={"mod.py": CHOOSES, "other.py": "def f(): return 1\n"},
        rerun=[0],
        cached=[3],
    ),
    *(
        edit(
            f"what a file decides in a module: {name}",
            ["import mod", told],
            files={"mod.py": text, "w.txt": before},
            changed={"w.txt": after},
            rerun=[0, 1],
        )
        for name, text, before, after, told in (
            (
                "members of an enumeration",
                "from enum import Enum\nC = Enum('C', open('w.txt').read().split())\n",
                "A B",
                "A C",
                "print(list(mod.C))",
            ),
            (
                "pattern",
                "import re\nmatch = re.compile(open('w.txt').read()).match\n",
                "a",
                "b",
                "print(mod.match('b'))",
            ),
            ("default", "def f(k=int(open('w.txt').read())): return k\n", "1", "5", "print(mod.f())"),
            (
                "base",
                (
                    "class One:\n    def r(self): return 1\nclass Five:\n    def r(self): return 5\n"
                    "class Impl({'1': One, '5': Five}[open('w.txt').read()]): pass\n"
                ),
                "1",
                "5",
                "print(mod.Impl().r())",
            ),
        )
    ),
    *(
        edit(
            f"what a module's name stands for: {name}",
            ["import mod", before, told],
            {1: after},
            files={"mod.py": text, "la/one.py": "def f(): return 'a'\n", "lb/one.py": "def f(): return 'b'\n"},
            rerun=[1, 2],
            cached=[0],
        )
        for name, text, before, after, told in (
            (
                "default of a function",
                "f = None\ndef choose(k):\n    global f\n    def f(k=k): return k\n",
                "mod.choose(1)",
                "mod.choose(5)",
                "print(mod.f())",
            ),
            (
                "method of a pattern",
                "import re\nfind = None\ndef choose(k):\n    global find\n    find = re.compile(k).findall\n",
                "mod.choose('a')",
                "mod.choose('b')",
                "print(mod.find('abab'))",
            ),
            (
                "method of a generator",
                "import random\ndraw = random.Random(3).random\n",
                "n = 0",
                "y = mod.draw()",
                "print(mod.draw())",
            ),
            (
                "module of another file",
                (
                    "import importlib.util\nbe = None\ndef choose(path):\n    global be\n"
                    "    spec = importlib.util.spec_from_file_location('plug', path)\n"
                    "    be = importlib.util.module_from_spec(spec)\n    spec.loader.exec_module(be)\n"
                ),
                "mod.choose('la/one.py')",
                "mod.choose('lb/one.py')",
                "print(mod.be.f())",
            ),
            (
                "object of a class called Logger",
                (
                    "class Logger:\n    def __init__(self): self.lines = []\n    def log(self, s): self.lines.append(s)\n"
                    "LOG = Logger()\n"
                ),
                "n = 0",
                "mod.LOG.log('five')",
                "print(mod.LOG.lines)",
            ),
        )
    ),
    edit(
        "module that sets a generator when it is loaded",
        ["n = 0", "import random\nrandom.seed(7); import mod; x = random.random()", "print(x)"],
        {0: "import mod"},
        files={"mod.py": "import random\nrandom.seed(5)\n"},
        rerun=[0, 1, 2],
    ),
    edit(
        "odd objects in a module",
        ["import mod", "n = 0", "print(mod.f())"],
        {1: "n = 5"},
        files={
            "mod.py": "import functools\nclass Logger:\n    pass\nLOG = Logger()\n@functools.lru_cache\ndef g(): return 1\n"
            "del g.__wrapped__\nVec = list[int]\ndef f(): return 1\n"
        },
        rerun=[1],
        cached=[0, 2],
    ),
)
"""Modules of the project of which something else is bound, or loaded, than their text says at first sight."""
ON_A_NAME = (
    "handlers = {}\ndef on(name):\n    def take(f):\n        handlers[name] = f\n        return f\n    return take"
)
SHOWS = "@singledispatch\ndef show(x): return 'obj'\n@show.register\ndef _(x: int):\n    calls[0] += k\n    return k"
OWN_MAGIC = "from IPython.core.magic import register_line_magic\nfactor = 2"
HISTORY_NAMES = (
    edit(
        "function called _",
        [ON_A_NAME, "@on('a')\ndef _(x):\n    return x * 2", "print(handlers['a'](5))"],
        {1: "@on('a')\ndef _(x):\n    return x * 3"},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "class called _",
        ["made = []\ndef reg(c):\n    made.append(c)\n    return c", "@reg\nclass _:\n    v = 1", "print(made[0]().v)"],
        {1: "@reg\nclass _:\n    v = 2"},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "what a function called _ reads",
        ["from functools import singledispatch\nk, calls = 1, [0]", SHOWS, "n = 0", "print(show(3))"],
        {2: "k = 5"},
        rerun=[2, 3],
        cached=[0, 1],
    ),
    edit(
        "what a function called _ changes",
        [LARGE, "from functools import singledispatch\nk, calls = 1, [0]", SHOWS, "n = 0", "print(calls)"],
        {3: "print(show(3))"},
        rerun=[3, 4],
    ),
    *(
        edit(
            f"magic without its sign: {name}",
            [*before, "n = 0", told],
            {len(before): after},
            rerun=[len(before), len(before) + 1],
        )
        for name, before, after, told in (
            ("whos", ["x = 1"], "y = 5", "whos"),
            ("own", [OWN_MAGIC, "@register_line_magic\ndef fac(line): return factor\ndel fac"], "factor = 5", "fac"),
            (
                "that is a sum",
                [OWN_MAGIC, "@register_line_magic\ndef report(line): return factor\ndel report"],
                "factor = 5",
                "report -v",
            ),
            ("macro", ["a = 1", "get_ipython().define_macro('m', 'print(a)\\n')"], "a = 5", "m"),
            ("below an empty line", ["x = 1"], "y = 5", "\nwho"),
        )
    ),
    edit(
        "name of the backend",
        ["%matplotlib inline\nimport matplotlib.pyplot as plt", "print(plt.get_backend())"],
        {0: "import matplotlib.pyplot as plt"},
        rerun=[0, 1],
    ),
    edit(
        "figures that a magic shows",
        [
            "import matplotlib\nmatplotlib.use('agg')",
            "%matplotlib inline\nx = 1",
            "import matplotlib.pyplot as plt\nplt.figure(1)\nNone",
        ],
        {1: "x = 1"},
        rerun=[1, 2],
        cached=[0],
    ),
    edit(
        "annotations of the notebook",
        ["x: int = 1", "n = 0", "print(__annotations__)"],
        {1: "y: int = 5"},
        rerun=[1, 2],
        cached=[0],
    ),
)
"""Names that IPython has for itself, or takes for something else than Python does."""
TAKES_LINES = """import logging
lines = []
class Keeps(logging.Handler):
    def emit(self, record): lines.append(record.getMessage())
logging.getLogger().addHandler(Keeps())
class Trainer:
    def __init__(self): self.log = logging.getLogger('trainer')
    def fit(self, n):
        self.log.warning('fit %s', n)
        return n
log2 = logging.getLogger('w')
def work(n):
    log2.warning('w')
    return n
"""
ACCESSOR = """@pd.api.extensions.register_dataframe_accessor('fz')
class Accessor:
    def __init__(self, df): self.df = df
    def area(self): return {}"""
FRAME = "df = pd.DataFrame({'x': [1.0, 2.0]})"
KEPT_BY_LIBRARIES = (
    *(
        edit(
            f"handler that keeps what is logged: {name}",
            [LARGE, before, "n = 0", told],
            {2: after},
            rerun=[2, 3],
        )
        for name, before, after, told in (
            (
                "stream",
                (
                    "import logging, io\ns = io.StringIO()\nlogging.basicConfig(stream=s, level='INFO', force=True)\n"
                    "log = logging.getLogger('a')"
                ),
                "log.info('five')",
                "print(s.getvalue())",
            ),
            (
                "of a logger above",
                (
                    "import logging, io\ns = io.StringIO()\nlogger = logging.getLogger('app')\nlogger.setLevel('INFO')\n"
                    "logger.addHandler(logging.StreamHandler(s))"
                ),
                "inner = logging.getLogger('app.inner')\ninner.info('five')",
                "print(s.getvalue())",
            ),
            ("by a method", TAKES_LINES + "t = Trainer()", "m = t.fit(5)", "print(lines)"),
            ("by a function", TAKES_LINES, "r = work(5)", "print(lines)"),
        )
    ),
    *(
        edit(
            f"what code reads that a library holds: {name}",
            [first, *before, "n = 0", told],
            {1 + len(before): after},
            rerun=[1 + len(before), 2 + len(before)],
        )
        for name, first, before, after, told in (
            (
                "helper of an accessor",
                "import pandas as pd\ndef helper(v): return v * 2",
                [ACCESSOR.format("helper(len(self.df))"), FRAME],
                "def helper(v): return v * 5",
                "print(df.fz.area())",
            ),
            (
                "variable of an accessor",
                "import pandas as pd\nk = 1",
                [ACCESSOR.format("k"), FRAME],
                "k = 5",
                "print(df.fz.area())",
            ),
            (
                "list of an accessor",
                "import pandas as pd\nnotes = []",
                [ACCESSOR.format("len(notes)"), FRAME],
                "notes.append(5)",
                "print(df.fz.area())",
            ),
            (
                "method of a class",
                "import pandas as pd\nk = 2",
                ["def scaled(s): return s * k\npd.Series.scaled = scaled"],
                "k = 5",
                "print(pd.Series([1]).scaled().sum())",
            ),
            (
                "method by setattr",
                "import pandas as pd\nk = 2",
                ["setattr(pd.Series, 'scaled', lambda s: s * k)"],
                "k = 5",
                "print(pd.Series([1]).scaled().sum())",
            ),
            (
                "option",
                "import pandas as pd\ndigits = 2\ns = pd.Series([1.23456])",
                ["pd.set_option('display.float_format', lambda v: f'{v:.{digits}f}')"],
                "digits = 4",
                "print(s)",
            ),
            (
                "option that is assigned",
                "import pandas as pd\ndigits = 2\ns = pd.Series([1.23456])",
                ["pd.options.display.float_format = lambda v: f'{v:.{digits}f}'"],
                "digits = 4",
                "print(s)",
            ),
            (
                "formatter of numpy",
                "import numpy as np\ndigits = 2",
                ["np.set_printoptions(formatter={'float': lambda v: f'{v:.{digits}f}'})"],
                "digits = 4",
                "print(np.array([1.23456]))",
            ),
            (
                "formatter of IPython",
                "unit = 'm'\nclass P: pass",
                [
                    (
                        "get_ipython().display_formatter.formatters['text/plain']"
                        ".for_type(P, lambda p, printer, cycle: printer.text(unit))"
                    )
                ],
                "unit = 'km'",
                "P()",
            ),
            (
                "warnings",
                "import warnings\nprefix = 'a'",
                ["def show(m, *a, **k): print(prefix, m)\nwarnings.showwarning = show"],
                "prefix = 'b'",
                "warnings.warn('x')",
            ),
            (
                "encoder",
                "import json\nk = 1\nclass P: pass",
                ["json.JSONEncoder.default = lambda self, o: k"],
                "k = 5",
                "print(json.dumps(P()))",
            ),
            (
                "function of a database",
                "import sqlite3\nk = 1\ncon = sqlite3.connect(':memory:')",
                ["con.create_function('f', 1, lambda x: x * k)"],
                "k = 5",
                "print(con.execute('select f(1)').fetchall())",
            ),
            (
                "codec",
                "import codecs\nmark = '?'",
                ["codecs.register_error('fz', lambda e: (mark, e.end))"],
                "mark = '!'",
                "print('a\\xe9'.encode('ascii', 'fz'))",
            ),
        )
    ),
    edit(
        "code that no library keeps",
        [
            "import pandas as pd\npd.set_option('display.max_rows', 5)\nk = 1\ndef f(x): return x + k",
            FRAME,
            "n = 0",
            "df['x'].map(lambda v: v + k)",
            "df.shape",
        ],
        {2: "k = 5"},
        rerun=[2, 3],
        cached=[0, 1, 4],
    ),
)
"""What is reached through code and lists of the notebook's that a library holds."""
BIG = "big = 'x' * 90000\n"
"""A notebook with this is not cheap: only what a cell may reach is looked at."""
STAMP = "import time\ndef stamp():\n    return time.time()\n"
"""A module with a function that asks a clock."""
MORE_OF_MODULES = (
    edit(
        "where a package looks for its modules",
        ["import pkg", "pkg.__path__.append('one')", "from pkg import extra\nprint(extra.v)"],
        {1: "pkg.__path__.append('two')"},
        files={"pkg/__init__.py": "", "one/extra.py": "v = 1", "two/extra.py": "v = 2"},
        rerun=[1, 2],
    ),
    edit(
        "docstring of a module",
        ["import mod", "mod.__doc__ = 'a'", "print(mod.__doc__)"],
        {1: "mod.__doc__ = 'b'"},
        files={"mod.py": "def f(n): return n\n"},
        rerun=[1, 2],
    ),
    edit(
        "variable of a wrapper in a module",
        [
            "import mod\nk = 1",
            (
                "import functools\ndef traced(f):\n    @functools.wraps(f)\n    def w(*a): return f(*a) + k\n    return w\n"
                "mod.f = traced(mod.f)"
            ),
            "k = 5",
            "print(mod.f(1))",
        ],
        {2: "k = 6"},
        files={"mod.py": "def f(n): return n\n"},
        rerun=[2, 3],
    ),
    edit(
        "volatile: clock of a wrapper in a module",
        [
            "import mod, functools, time\n@functools.wraps(mod.f)\ndef w(*a): return time.time()\nmod.f = w\ndel w",
            "print(mod.f(1))",
        ],
        files={"mod.py": "def f(n): return n\n"},
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "effect of a wrapper in a module",
        [
            "import mod, functools, keyword\n@functools.wraps(mod.f)\ndef w(n):\n    keyword.kwlist.append(n)\nmod.f = w",
            "del w",
            "x = mod.f('a')",
            "print(keyword.kwlist[-1])",
        ],
        {2: "x = mod.f('b')"},
        files={"mod.py": "def f(n): return n\n"},
        rerun=[2, 3],
    ),
    edit(
        "locale of a variable that a cell sets",
        ["import os\nos.environ['LC_ALL'] = 'C.UTF-8'", "import locale\nprint(locale.setlocale(locale.LC_ALL, ''))"],
        {0: "import os\nos.environ['LC_ALL'] = 'C'"},
        rerun=[0, 1],
    ),
    edit(
        "locale of the environment",
        ["import locale\nprint(locale.setlocale(locale.LC_ALL, ''))"],
        env={"LC_ALL": "C.UTF-8"},
        changed_env={"LC_ALL": "C"},
        rerun=[0],
    ),
    edit(
        "attributes of a frame that were empty",
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\nmeta = df.attrs",
            "meta.update(unit='kg')",
            "print(df.attrs)",
        ],
        {1: "meta.update(unit='g')"},
        rerun=[1, 2],
    ),
    edit(
        "attributes of a frame that were empty, from a snapshot",
        [
            "import pandas as pd, time\ndf = pd.DataFrame({'a': [1]})\nmeta = df.attrs\ntime.sleep(.3)",
            "meta.update(unit='kg')\nprint(df.attrs)",
        ],
        {1: "meta.update(unit='g')\nprint(df.attrs)"},
        rerun=[1],
    ),
    edit(
        "attributes of a function that were empty",
        [
            BIG + "reg = []\ndef d(f):\n    reg.append(vars(f))\n    return f\n@d\ndef f(): ...",
            "reg[0]['x'] = 1",
            "print(f.x)",
        ],
        {1: "reg[0]['x'] = 2"},
        rerun=[1, 2],
    ),
    edit(
        "volatile: clock of a module that another module asks",
        ["import report", "print(report.header())"],
        files={
            "report.py": "from utils import today\ndef header(): return 'Report of %s' % today()\n",
            "utils.py": "import datetime\ndef today(): return datetime.datetime.now().isoformat()\n",
        },
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "volatile: clock deep in a package",
        ["import pkg", "print(pkg.go())"],
        files={
            "pkg/__init__.py": "from .core import go\n",
            "pkg/core.py": "from .util import stamp\ndef go(): return stamp()\n",
            "pkg/util.py": STAMP,
        },
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "volatile: clock in a base of another module",
        ["import b", "print(b.J().t)"],
        files={
            "a.py": "import time\nclass K:\n    def __init__(self): self.t = time.time()\n",
            "b.py": "from a import K\nclass J(K): pass\n",
        },
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "volatile: clock in a dict of a module",
        ["import a", "print(a.ACT['go']())"],
        files={"a.py": STAMP + "ACT = {'go': stamp}\n"},
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "volatile: clock of a module by another name there",
        ["import a", "print(a.other())"],
        files={"a.py": STAMP + "other = stamp\n"},
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "volatile: clock of a module by another name here",
        ["from a import stamp as s", "print(s())"],
        files={"a.py": STAMP},
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "volatile: clock of a module in a list",
        ["import a\nacts = [a.stamp]", "print(acts[0]())"],
        files={"a.py": STAMP},
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "volatile: clock where a module's object is shown",
        ["import a\nt = a.K()", "print(t)"],
        files={"a.py": "import time\nclass K:\n    def __str__(self): return str(time.time())\n"},
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "subclasses that a module asks for",
        ["import mod", "class Csv(mod.Reader):\n    ext = 'csv'", "print(mod.pick())"],
        {1: "class Csv(mod.Reader):\n    ext = 'tsv'"},
        files={
            "mod.py": "class Reader: ext = None\ndef pick(): return sorted(c.ext for c in Reader.__subclasses__())\n"
        },
        rerun=[1, 2],
    ),
    edit(
        "IPython's variables that a module asks for",
        [BIG + "import mod", "y = 2", "print(mod.ask())"],
        {1: "y = 3"},
        files={"mod.py": "from IPython import get_ipython\ndef ask(): return get_ipython().user_ns['y']\n"},
        rerun=[1, 2],
    ),
    edit(
        "file of a module of a class of its own",
        ["import a", "print(a.f())"],
        files={
            "a.py": "import sys, types\ndef f(): return 1\nclass M(types.ModuleType): pass\nsys.modules[__name__].__class__ = M\n"
        },
        changed={
            "a.py": "import sys, types\ndef f(): return 2\nclass M(types.ModuleType): pass\nsys.modules[__name__].__class__ = M\n"
        },
        rerun=[0, 1],
    ),
    edit(
        "state of a module of a class of its own",
        ["import a", "x = a.add(2)", "print(a.seen)"],
        {1: "x = a.add(3)"},
        files={
            "a.py": "seen = []\ndef add(v):\n    seen.append(v)\n    return v\nimport sys, types\nclass M(types.ModuleType):\n    pass\nsys.modules[__name__].__class__ = M\n"
        },
        rerun=[1, 2],
    ),
    edit(
        "list that a module is given to change",
        ["import string, mod", "mod.choose(string.__all__)", "x = mod.f(3)", "print(string.__all__[-1])"],
        {2: "x = mod.f(4)"},
        files={
            "mod.py": "target = None\ndef choose(t):\n    global target\n    target = t\ndef f(n):\n    target.append(n)\n"
        },
        rerun=[2, 3],
    ),
    edit(
        "library that a module is given to change",
        ["import string, mod", "mod.target = string", "x = mod.f(3)", "print(string.__all__[-1])"],
        {2: "x = mod.f(4)"},
        files={"mod.py": "target = None\ndef f(n):\n    target.__all__.append(n)\n"},
        rerun=[2, 3],
    ),
    edit(
        "module that goes while another comes",
        ["import sys, a", "del sys.modules['a']\nimport b", "x = b.add(2)", "print(b.seen)"],
        {2: "x = b.add(3)-1"},
        files={
            "a.py": "seen = []\ndef add(v):\n    seen.append(v)\n    return v\n",
            "b.py": "seen = []\ndef add(v):\n    seen.append(v)\n    return v\n",
        },
        rerun=[2, 3],
    ),
    edit(
        "effect of a wrapper",
        [
            "import keyword\ndef logged(fn):\n    def wrapper(*a):\n        keyword.kwlist[-1] = a[0]\n        return fn(*a)\n    return wrapper",
            "@logged\ndef f(x): return x",
            "y = f('a')",
            "print(keyword.kwlist[-1])",
        ],
        {2: "y = f('b')"},
        rerun=[2, 3],
    ),
    edit(
        "effect of a function in a function",
        [
            "import keyword\ndef make():\n    def put(v):\n        keyword.kwlist[0] = v\n        return v\n    return put",
            "s = make()",
            "x = s('a')",
            "print(keyword.kwlist[0])",
        ],
        {2: "x = s('b')"},
        rerun=[2, 3],
    ),
    edit(
        "effect of a lambda in a function",
        [
            "import keyword\ndef make():\n    return lambda v: keyword.kwlist.append(v)",
            "s = make()",
            "x = s('a')",
            "print(keyword.kwlist[-1])",
        ],
        {2: "x = s('b')"},
        rerun=[2, 3],
    ),
    edit(
        "effect of a class in a class",
        [
            "import keyword\nclass A:\n    class B:\n        def put(self, v):\n            keyword.kwlist.append(v)\n",
            "s = A.B()",
            "x = s.put('a')",
            "print(keyword.kwlist[-1])",
        ],
        {2: "x = s.put('b')"},
        rerun=[2, 3],
    ),
    edit(
        "effect of a class in a function",
        [
            "import keyword\ndef make():\n    class B:\n        def put(self, v):\n            keyword.kwlist[0] = v\n    return B()\n",
            "s = make()",
            "x = s.put('a')",
            "print(keyword.kwlist[0])",
        ],
        {2: "x = s.put('b')"},
        rerun=[2, 3],
    ),
    edit(
        "volatile: clock in a function in a function",
        [
            "import datetime\ndef make():\n    def f(d):\n        return d.now()\n    return f",
            "f = make()",
            "print(f(datetime.datetime))",
        ],
        unstable=[2],
        rerun=[2],
    ),
    edit(
        "volatile: clock in a file that is run",
        ["%run hh.py", "print(stamp())"],
        files={
            "hh.py": "import keyword, time\ndef put(v):\n    keyword.kwlist.append(v)\n    return v\ndef stamp(): return time.time()\n"
        },
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "effect of a file that is run",
        ["%run hh.py", "x = put('a')", "import keyword\nprint(keyword.kwlist[-1])"],
        {1: "x = put('b')"},
        files={
            "hh.py": "import keyword, time\ndef put(v):\n    keyword.kwlist.append(v)\n    return v\ndef stamp(): return time.time()\n"
        },
        rerun=[1, 2],
    ),
    edit(
        "volatile: clock in a file that is executed",
        ["exec(open('hh.py').read())", "print(stamp())"],
        files={
            "hh.py": "import keyword, time\ndef put(v):\n    keyword.kwlist.append(v)\n    return v\ndef stamp(): return time.time()\n"
        },
        unstable=[1],
        rerun=[1],
    ),
    edit(
        "method of a module in a frame",
        ["import pandas as pd, mod\ns = pd.Series([1.5])\npd.Series.fz = mod.method", "mod.k = 2", "print(s.fz())"],
        {1: "mod.k = 3"},
        files={"mod.py": "k = 1\ndef method(self): return k\n"},
        rerun=[1, 2],
    ),
    edit(
        "formatter of a module",
        [
            "import numpy as np, mod\nnp.set_printoptions(formatter={'float': mod.fmt})\na = np.array([1.5])",
            "mod.put(2)",
            "print(a)",
        ],
        {1: "mod.put(3)"},
        files={"mod.py": "k = 1\ndef put(n):\n    global k\n    k = n\ndef fmt(v): return str(v * k)\n"},
        rerun=[1, 2],
    ),
    edit(
        "encoder of a module",
        ["import json, mod\njson.JSONEncoder.default = mod.enc\nclass P: pass", "mod.put(2)", "print(json.dumps(P()))"],
        {1: "mod.put(3)"},
        files={"mod.py": "k = 1\ndef put(n):\n    global k\n    k = n\ndef enc(self, v): return k\n"},
        rerun=[1, 2],
    ),
    edit(
        "accessor of a module",
        [
            "import pandas as pd, mod\npd.api.extensions.register_series_accessor('fz')(mod.Acc)\ns = pd.Series([1])",
            "mod.put(2)",
            "print(s.fz.v())",
        ],
        {1: "mod.put(3)"},
        files={
            "mod.py": "k = 1\ndef put(n):\n    global k\n    k = n\nclass Acc:\n    def __init__(self, s): pass\n    def v(self): return k\n"
        },
        rerun=[1, 2],
    ),
)
"""What modules of the project, code in files and code in code do, in a roundabout way."""
CORNERS = (
    *(
        edit(
            f"corner of a module: {name}{', inserted' * (first != 'mod.put(5)')}",
            ["import mod", first, last],
            {1: "mod.put(6)"},
            files={"mod.py": source, **FACTORY},
            rerun=[1, 2],
        )
        for first in ("mod.put(5)", "n = 0")
        for name, source, last in (
            (
                "member of an enumeration",
                "import enum\nclass C(enum.Enum):\n    RED = 1\ndef give(o, n): o.note = n\ndef put(n): give(C.RED, n)\n",
                "print(getattr(mod.C.RED, 'note', 0))",
            ),
            (
                "value of a member of an enumeration",
                "import enum\nclass C(enum.Enum):\n    RED = [1]\ndef put(n): C.RED.value.append(n)\n",
                "print(mod.C.RED.value)",
            ),
            (
                "registry between underscores",
                "class K:\n    __registry__ = {}\ndef put(n): K.__registry__['n'] = n\n",
                "print(mod.K.__registry__)",
            ),
            (
                "number between underscores",
                "class K:\n    __level__ = 1\ndef give(o, n): o.__level__ = n\ndef put(n): give(K, n)\n",
                "print(mod.K.__level__)",
            ),
            (
                "module in a class",
                "import math, json, re\nclass K:\n    m = math\ndef give(o, n): o.m = json if n == 5 else re\ndef put(n): give(K, n)\n",
                "print(mod.K.m.__name__)",
            ),
            (
                "pattern in a class",
                "import re\nclass K:\n    p = re.compile('a')\ndef give(o, n): o.p = re.compile(str(n))\ndef put(n): give(K, n)\n",
                "print(mod.K.p.pattern)",
            ),
            (
                "logger in a class",
                "import logging\nclass K:\n    l = logging.getLogger('a')\ndef give(o, n): o.l = logging.getLogger(str(n))\ndef put(n): give(K, n)\n",
                "print(mod.K.l.name)",
            ),
            (
                "object of a method in a class",
                METHODS_OF_AN_OBJECT,
                "print(mod.K.get())",
            ),
            (
                "method of a list in a class",
                "class K:\n    add = [].append\ndef put(n): K.add(n)\n",
                "print(mod.K.add.__self__)",
            ),
            (
                "class of a factory elsewhere",
                OF_A_FACTORY,
                "print(mod.C().f())",
            ),
            (
                "variable of a class of a factory elsewhere",
                "import factory\nC = factory.make()\ndef give(o, n): o.x = n\ndef put(n): give(C, n)\n",
                "print(mod.C.x)",
            ),
        )
    ),
    *(
        edit(
            f"corner of a module: {name}",
            ["import mod", "n = 0", last],
            {1: "x = mod.put(6)"},
            files={"mod.py": source},
            rerun=[1, 2],
        )
        for name, source, last in (
            (
                "variable of an enumeration",
                "import enum\nclass F(enum.Enum):\n    A = 1\n    @classmethod\n    def choose(cls, n): cls.default = n\ndef put(n): F.choose(n)\n",
                "print(getattr(mod.F, 'default', 0))",
            ),
            (
                "nonmember of an enumeration",
                "import enum\nclass F(enum.Enum):\n    A = 1\n    hits = enum.nonmember([])\n    def hit(self): self.hits.append(self.name)\ndef put(n): F.A.hit()\n",
                "print(mod.F.hits)",
            ),
            (
                "default of a method of an enumeration",
                "import enum\nclass F(enum.Enum):\n    A = 1\n    def hit(self, seen=[]):\n        seen.append(1)\n        return len(seen)\ndef put(n): return F.A.hit()\n",
                "print(mod.F.A.hit())",
            ),
            (
                "closure of a method of an enumeration",
                "import enum\ndef counted(f):\n    n = [0]\n    def w(self):\n        n[0] += 1\n        return n[0]\n    return w\nclass F(enum.Enum):\n    A = 1\n    @counted\n    def hit(self): pass\ndef put(n): F.A.hit()\n",
                "print(mod.F.A.hit())",
            ),
            (
                "base that a function has made",
                "def make_base():\n    class Base:\n        registry = {}\n        def __init_subclass__(cls): Base.registry[cls.__name__] = 1\n    return Base\nclass Model(make_base()): pass\ndef put(n):\n    class User(Model): pass\n",
                "print(list(mod.Model.registry))",
            ),
            (
                "metaclass that a function has made",
                "def make_meta():\n    class Meta(type):\n        made = []\n        def __call__(cls, *a):\n            Meta.made.append(1)\n            return super().__call__(*a)\n    return Meta\nclass Model(metaclass=make_meta()): pass\ndef put(n): return Model()\n",
                "print(len(type(mod.Model).made))",
            ),
            (
                "class that a class holds",
                "def make():\n    class B: made = 0\n    return B\nclass R:\n    default = make()\n    @classmethod\n    def bump(cls): cls.default.made += 1\ndef put(n): R.bump()\n",
                "print(mod.R.default.made)",
            ),
            (
                "dataclass that a call has made",
                "import dataclasses\ndef made(self): self.all.append(self.a)\nC = dataclasses.make_dataclass('C', ['a'], namespace={'all': [], '__post_init__': made})\ndef put(n): return C(n)\n",
                "print(mod.C.all)",
            ),
            (
                "abstract class that a call has made",
                "import abc\nC = abc.ABCMeta('C', (), {'all': [], '__init__': lambda self, a: self.all.append(a)})\ndef put(n): return C(n)\n",
                "print(mod.C.all)",
            ),
            (
                "property over an object",
                "class memo:\n    def __init__(self, f): self.f, self.v = f, []\n    def __call__(self, o):\n        if not self.v: self.v.append(self.f(o))\n        return self.v[0]\nclass K:\n    n = 0\n    @property\n    @memo\n    def x(self): return self.n\ndef put(n):\n    k = K(); k.n = n; return k.x\n",
                "print(mod.K().x)",
            ),
            (
                "property over a method of a list",
                "class K: x = property([].append)\ndef put(n): return [K().x for _ in range(n)][0]\n",
                "print(len(mod.K.x.fget.__self__))",
            ),
            (
                "docstring of a function",
                "def api(): 'old'\ndef document(f, n):\n    f.__doc__ = str(n)\n    return f\ndef put(n): return document(api, n)\n",
                "print(mod.api.__doc__)",
            ),
            (
                "annotations of a class",
                "class K:\n    a: int\ndef field(k, name): k.__annotations__[name] = float\ndef put(n): field(K, 'b')\n",
                "print(list(mod.K.__annotations__))",
            ),
            (
                "name of a function",
                "def f(): 'a'\ndef give(o, n): o.__name__ = str(n)\ndef put(n): return give(f, n)\n",
                "print(mod.f.__name__)",
            ),
            (
                "what patterns match",
                "class K:\n    __match_args__ = ('a',)\n    a = 1; b = 2\ndef give(o): o.__match_args__ = ('b',)\ndef put(n): return give(K)\n",
                "match mod.K():\n    case mod.K(v): print(v)",
            ),
            (
                "class of a module",
                "import sys, types\nclass M(types.ModuleType):\n    @property\n    def v(self): return 7\ndef give(o): o.__class__ = M\ndef put(n): return give(sys.modules[__name__])\n",
                "print(getattr(mod, 'v', 0))",
            ),
        )
        if name not in SINCE_3_11 or sys.version_info >= (3, 11)
    ),
)
"""State in corners of modules of the project, changed by a function of theirs."""
DISTRIBUTION = {"x.egg-info/PKG-INFO": "Name: x\nVersion: 1\n", "x.egg-info/entry_points.txt": "[fz]\na = math:sqrt\n"}
DISTRIBUTIONS = (
    edit(
        "distribution that appears: entry points",
        ["import pkg", "print(pkg.plugins())"],
        files={
            "pkg/__init__.py": "from importlib.metadata import entry_points\n"
            "def plugins(): return sorted(e.name for e in entry_points(group='fz'))\n"
        },
        changed=DISTRIBUTION,
        rerun=[1],
    ),
    edit(
        "distribution that appears: version",
        ["import pkg", "print(pkg.__version__)"],
        files={
            "pkg/__init__.py": "from importlib.metadata import version, PackageNotFoundError\n"
            "try: __version__ = version('x')\nexcept PackageNotFoundError: __version__ = 'unknown'\n"
        },
        changed=DISTRIBUTION,
        rerun=[1],
    ),
    edit(
        "distribution that appears: in a folder of the path",
        [
            "import sys, importlib.metadata as im\nsys.path.insert(0, 'src')",
            "try: print(im.version('x'))\nexcept im.PackageNotFoundError: print('none')",
        ],
        files={"src/x.txt": ""},
        changed={"src/x-1.dist-info/METADATA": "Name: x\nVersion: 1\n"},
        rerun=[1],
    ),
    edit(
        "file that appears where distributions are looked for",
        ["import importlib.metadata as im\nprint(len(im.version('ipykernel')) > 2)"],
        files={"y.txt": ""},
        changed={"x.txt": "1"},
        cached=[0],
    ),
)
"""Distributions beside the notebook, as `pip install -e .` leaves them."""
PAIRS: tuple[Pair, ...] = (
    *OTHER_CACHES,
    *CAUSES,
    *READS,
    *WRITES,
    *VALUES,
    *ALIASES,
    *FILES,
    *ENVIRONMENT,
    *MODULES,
    *LOADED_BELOW,
    *AMBIENT,
    *STORES,
    *PRECISE,
    *VOLATILE,
    *NOTICING,
    *HELD,
    *FIRST_IMPORTS,
    *SETTINGS,
    *CHOSEN,
    *HISTORY_NAMES,
    *KEPT_BY_LIBRARIES,
    *MORE_OF_MODULES,
    *CORNERS,
    *DISTRIBUTIONS,
)
