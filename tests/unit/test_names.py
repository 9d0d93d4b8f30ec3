"""What a cell's source says of names and effects."""

import ast
import os
import subprocess
import sys

import pytest

from pytest_cells.in_kernel.names import analyse


def names(source: str):
    found = analyse(source)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("source", "loads", "overwritten"),
    [
        ("x = 1", set(), {"x"}),
        ("x = y", {"y"}, {"x"}),
        ("x = x + 1", {"x"}, set()),
        ("x += 1", {"x"}, set()),
        ("x = 1\nx", set(), {"x"}),
        ("x\nx = 1", {"x"}, set()),
        ("if c:\n    x = 1", {"c"}, set()),
        ("if c:\n    x = 1\nelse:\n    x = 2", {"c"}, {"x"}),
        ("for i in r:\n    i", {"r"}, set()),
        ("for i in r:\n    pass\ni", {"r", "i"}, set()),
        ("while c:\n    x = 1", {"c"}, set()),
        ("with c as x:\n    y = x", {"c"}, {"x"}),
        ("try:\n    x = 1\nexcept E:\n    pass", {"E"}, set()),
        ("try:\n    pass\nfinally:\n    x = 1", set(), {"x"}),
        ("del x", {"x"}, set()),
        ("x = 1\ndel x", set(), set()),
        ("import a.b", {"a"}, set()),
        ("import a.b as c", set(), {"c"}),
        ("from a import b", set(), {"b"}),
        ("def f():\n    return g", {"g"}, {"f"}),
        ("def f(a, b=c):\n    d = a\n    return d", {"c"}, {"f"}),
        ("g = 1\ndef f():\n    return g", {"g"}, {"f"}),
        ("x = [a for a in b if c]", {"b", "c"}, {"x"}),
        ("b = 1\nx = [a for a in b]", set(), {"b", "x"}),
        ("y = [[q for q in x] + [x for x in r] for r in rows]", {"x", "rows"}, {"y"}),
        ("y = [(lambda k: k + m)(a) for a in b]", {"b", "m"}, {"y"}),
        ("x = [[e for e in f if g] for a in [h for h in i if j]]", {"f", "g", "i", "j"}, {"x"}),
        ("x = lambda: y", {"y"}, {"x"}),
        ("(x := y)", {"y"}, {"x"}),
        ("c and (x := 1)", {"c"}, set()),
        ("[x := a for a in b]", {"x", "b"}, set()),
        ("class A(B):\n    c = d\n    def m(self):\n        return e", {"B", "d", "e"}, {"A"}),
        ("a.b = c", {"a", "c"}, set()),
        ("a[b] = c", {"a", "b", "c"}, set()),
        ("a, *b = c", {"c"}, {"a", "b"}),
        ("x: T = y", {"T", "y"}, {"x"}),
        ("print(f'{x}')", {"print", "x"}, set()),
        ("await x\ny = [z for z in w]", {"x", "w", "z"}, {"y"}),
        ("match a:\n    case B(c=d):\n        d\n    case [*e]:\n        e", {"a", "B"}, set()),
        ("get_ipython().run_line_magic('time', 'x = y')", {"x", "y"}, set()),
        ("get_ipython().run_cell_magic('time', '', 'x = y\\nz')", {"x", "y", "z"}, set()),
        ("get_ipython().run_cell_magic('capture', 'out', 'x')", {"out", "x"}, set()),
    ],
)
def test_names(source, loads, overwritten):
    """What may be loaded before the cell has stored it, and what surely is overwritten unread."""
    found = names(source)
    assert (loads, overwritten) == (found.loads, found.overwritten)


@pytest.mark.parametrize(
    "source",
    [
        "globals()['x']",
        "eval('x')",
        "[eval(x) for x in [a for a in b]]",
        "x = [1 for a in [eval(x) for x in y]]",
        "def f():\n    exec(text)",
        "get_ipython().user_ns",
        "import inspect",
        "from x import *",
        "import gc\ngc.get_objects()",
        "_ + 1",
        "Out[3]",
        "import sys\nsys.modules['x']",
        "import __main__",
        "def f():\n    get_ipython().run_line_magic('time', 'x')",
        "a.__globals__",
    ],
)
def test_names_that_do_not_stand_there(source):
    """Code that may reach any name is told apart."""
    assert names(source).dynamic


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("datetime.now()", "now"),
        ("from time import ctime", "ctime"),
        ("x = pd.Timestamp.today()", "today"),
        ("pd.read_csv('s3://example/a.csv')", "s3"),
    ],
)
def test_what_is_never_the_same(source, reason):
    """Dates, and addresses that Python's own sockets need not be asked for, make a cell run every time."""
    assert reason in names(source).volatile[0]


def test_addresses_of_the_web_stand_for_themselves():
    """Whether one can be asked unseen is for whoever knows what is loaded."""
    found = names("pd.read_csv('https://example.org/a.csv')\ndef f(): return 'http://b'")
    assert ["an address (https://example.org/a.csv)", "an address (http://b)"] == found.addresses
    assert [] == found.volatile


def test_a_url_in_text_is_no_address():
    """Prose that mentions an address does not read from it."""
    found = names("print('see https://example.org for more')")
    assert ([], []) == (found.volatile, found.addresses)


@pytest.mark.parametrize(
    ("source", "calls"),
    [
        ("plt.plot(x)", [("plt", "plot"), ("&", "x"), ("&>", "plt", "x"), ("&=", "x")]),
        ("plt.plot(1, key=a.b)", [("plt", "plot"), ("&", "a", "b"), ("&>", "plt", "a", "b"), ("&=", "a", "b")]),
        ("print(a.b)", [("print",), ("&", "a", "b")]),
        ("list.sort(a.b)", [("list", "sort"), ("&", "a", "b"), ("&>", "list", "a", "b"), ("&=", "a", "b")]),
        ("list(map(a.b, [1]))", [("list",), ("&", "a", "b")]),
        ("partial(a.b, 7)()", [("partial",), ("&", "a", "b")]),
        ("(lambda s: s.b(7))(a)", [("&", "a"), ("&=", "a")]),
        ("(s := a).b(7)", [("a", "b")]),
        ("getattr(a, 'b')(7)", [("a", "b"), ("&", "a")]),
        ("getattr(a, word)(7)", [("a", "?"), ("&", "a"), ("&", "word")]),
        ("import a\na.b(7)\ndel a", [("a", "b"), ("=a", "b")]),
        ("y = plt.plot(x)", []),
        ("a.b.c = 1", [("=", "a", "b", "c")]),
        ("a['k'] = 1", [("=", "a")]),
        ("for a.b in c: pass", [("=", "a", "b")]),
        ("[x for a.b in c]", [("=", "a", "b")]),
        ("with c as a.b: pass", [("=", "a", "b")]),
        ("del a.b", [("=", "a", "b")]),
        ("a.b += 1", [("=", "a", "b")]),
        ("a.__dict__['b'] = 1", [("=", "a", "__dict__"), ("=", "a", "__dict__")]),
        ("import a as c\nc.b = 1", [("=", "=a", "b")]),
        ("f()", [("f",)]),
        ("x.g().h()", [("x", "g", "h")]),
        ("@lib.decorator\ndef f(): pass", [("lib", "decorator")]),
        ("setattr(a, 'b', 1)", [("=", "a", "?"), ("setattr",), ("&", "a"), ("&>", "setattr", "a"), ("&=", "a")]),
        ("a += [1]", [("=", "a")]),
        ("y = [a.set_b, a.sense, a.b.update]", [("&!", "a", "set_b"), ("&!", "a", "b", "update")]),
        ("y = use(1)", [("&!", "use")]),
        ("[print(x) for x in y]", [("print",), ("&", "x")]),
        ("await a.b()", [("a", "b")]),
        ("c and a.b()", [("a", "b")]),
        ("x\n1", []),
    ],
)
def test_effects(source, calls):
    """What is called for its effect alone, or stored into, is told by its path."""
    assert calls == names(source).calls


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("def f():\n    c = lib.a\n    c.b = 1", ("=", "lib", "a", "b")),
        ("def f():\n    for c in (lib.a, lib.d):\n        c.set_b(1)", ("lib", "d", "set_b")),
        ("def f():\n    y = lib.set_b(1)", ("&!", "lib", "set_b")),
        ("def f():\n    return set_b", ("&!", "set_b")),
    ],
)
def test_effects_by_local_names(source, path):
    """What a function does by names of its own, or with the value of a setter, is told too."""
    assert path in names(source).inner["f"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("get_ipython().run_line_magic('precision', '{n + 1}')", "n"),
        ("get_ipython().run_line_magic('precision', '$n')", "n"),
        ("dmatrix('scaled(x)')", "scaled"),
        ("x = x + 1\ndmatrix('x')", "x"),
    ],
)
def test_names_in_texts_that_are_read(source, name):
    """Magics replace names in their line, and formulas name variables."""
    assert name in names(source).loads


def test_effects_inside_functions():
    """What a function does for its effect is told by the function's name."""
    found = names("def f(x):\n    lib.call(x)\n    y = lib.other(x)\n    lib.a.b = 3\ng = lambda: lib.third()")
    assert {
        "f": [("lib", "call"), ("&", "x"), ("&>", "lib", "x"), ("&=", "x"), ("=", "lib", "a", "b")],
        "<lambda>": [("lib", "third")],
    } == found.inner


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("def f():\n    import a\n    a.b(7)", ("=a", "b")),
        ("def f():\n    import a.c as d\n    d.b(7)", ("=a.c", "b")),
        ("def f():\n    from a import b as c\n    c(7)", ("=a", "b")),
        ("def f():\n    s = a\n    s.b(7)", ("a", "b")),
        ("def f(s=a):\n    s.b(7)", ("a", "b")),
        ("def f(s=a):\n    list(map(s.b, [7]))", ("&", "a", "b")),
    ],
)
def test_effects_by_names_of_a_function(source, path):
    """A name that only a function knows is told by what it stands for."""
    assert path in names(source).inner["f"]


@pytest.mark.parametrize("source", ["!ls", "%%bash\nls", "x = = 1", "for"])
def test_no_python(source):
    """What is no Python is told so."""
    assert None is analyse(source)


@pytest.mark.parametrize(
    ("source", "magic"),
    [
        ("get_ipython().run_cell_magic('bash', '', 'ls')", "%bash"),
        ("get_ipython().run_line_magic('load_ext', 'autoreload')", "%load_ext"),
    ],
)
def test_magics(source, magic):
    """Magics whose effects are not known are named."""
    assert [magic] == names(source).magics


@pytest.mark.parametrize(
    ("source", "command", "unsteady"),
    [
        ("get_ipython().system('ls')", "!ls", False),
        ("x = get_ipython().getoutput('date')", "!date", True),
    ],
)
def test_commands(source, command, unsteady):
    """What starts a process if it runs is kept apart: whether it ran is seen."""
    found = names(source)
    assert ([command], []) == (found.commands, found.magics)
    assert ([], unsteady) == (found.volatile, bool(found.unsteady_commands))


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("import sys\nif 'google.colab' in sys.modules: pass", {"google.colab"}),
        ("x = 'a' not in sys.modules", {"a"}),
        ("x = name in sys.modules", None),
        ("x = 'a' in sys.modules['b']", None),
        ("x = 'a' in sys.modules.keys()", None),
        ("x = 'a' in sys.modules in y", None),
    ],
)
def test_modules_that_are_asked_for(source, asked):
    """To ask whether a module is loaded reaches nothing else; what else is done with `sys.modules` may."""
    found = names(source)
    assert (asked or set()) == found.asked_modules
    assert ("modules" in found.dynamic) is (asked is None)


def test_operators_of_all_trees_are_left_as_they_are():
    """A notebook that reads syntax trees finds the same objects for them, and nothing of ours on them."""
    analyse("a + b")
    (statement,) = ast.parse("x + y").body
    assert vars(statement.value.op) == {}


def test_functions_in_functions_are_read_once():
    """Each of thirty functions in each other: were each read with all around it, this would never end."""
    source = "".join(f"{'    ' * depth}def f{depth}():\n" for depth in range(30)) + f"{'    ' * 30}a.append(1)\n"
    found = names(f"{source}g = {''.join(f'lambda x{number}: ' for number in range(30))}x0\n")
    assert {("a", "append")} == {path[-2:] for path in found.inner["f0"]}
    assert {"<lambda>", *(f"f{depth}" for depth in range(30))} == set(found.inner)


def test_the_same_in_every_process():
    """Where a name stands for endlessly many paths, as many of them are found in every process, and the same ones."""
    lines = ("while a:", "    a = a.x", "    a = b.y", "    b = a.z", "    b = a.w", "g(a.v)", "a.set_v(1)")
    source = "def f(a, b, g):" + "".join(f"\n    {line}" for line in lines)
    code = f"from pytest_cells.in_kernel.names import analyse\nprint(analyse({source!r}).inner)"
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }
    assert 1 == len(told)
