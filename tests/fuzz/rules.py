"""The rules by which the agent observes cells, each with a way to break it and the pairs that must notice.

The one source of the table in docs/internals.rst, of `python tests/fuzz --mutations`, and of tests/kernel/test_rules.py.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from fuzz.harness import Lab, altered_agent
from fuzz.pairs import PAIRS, Pair, complaints

BY_NAME = {pair.name: pair for pair in PAIRS}
WIDTH = 120
"""So long are the lines of the docs at most."""


@dataclass(frozen=True)
class Change:
    """Text of the agent that becomes another."""

    file: str
    old: str
    """It stands in the file once."""
    new: str


@dataclass(frozen=True)
class Rule:
    """Something that is observed. More changes than one break it where each of several mechanisms sees it."""

    name: str
    observed: str
    how: str
    otherwise: str
    """What happens where it cannot be observed."""
    changes: tuple[Change, ...]
    noticed_by: tuple[str, ...]
    """Pairs of which one at least must come out wrong while the rule is broken."""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs that notice. Raises KeyError for one that there is not."""
        return tuple(BY_NAME[name] for name in self.noticed_by)


def noticed(rule: Rule) -> Iterator[tuple[str, list[str]]]:
    """Break a rule and yield, for each of its pairs, the name and what comes out wrong.

    Raises ValueError where the text that is to be broken is not there.
    """
    changes = [(change.file, change.old, change.new) for change in rule.changes]
    try:
        with altered_agent(changes) as agent, Lab("traces", agent=agent) as lab:
            for pair in rule.pairs:
                yield pair.name, complaints(lab, pair)[0]
    except ValueError as problem:
        raise ValueError(f"rule {rule.name!r}: {problem}") from problem


def table() -> str:
    """Return the rules as the table that stands in docs/internals.rst."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 26 26 24 24", ""]
    rows = [("What is observed", "How", "Where it cannot be", "Pairs that notice")]
    rows += [
        (rule.observed, rule.how, rule.otherwise, ", ".join(map("``{}``".format, rule.noticed_by))) for rule in RULES
    ]
    for row in rows:
        for head, cell in zip(("   * - ", *["     - "] * 3), row, strict=True):
            lines += textwrap.wrap(
                cell,
                WIDTH,
                initial_indent=head,
                subsequent_indent=" " * len(head),
                break_long_words=False,
                break_on_hyphens=False,
            )
    return "\n".join(lines) + "\n"


CHAIN = "barrier"
MADE_ANEW = "the Version is made of the cell's inputs"
NOT_REPEATED = "volatile"
UNWATCHED = "without inotify every cell is a barrier"
SHARED = "all variables with something that can be changed count as one"

NO_SETTERS = (
    Change("names.py", "return [(SETTER, *path)] if path else []", "return []"),
    Change("names.py", "if IS_SETTER.match(name):", "if False:"),
)
"""What is named like a setter is passed over: what else may be observed of it is seen by itself then."""
NO_ENTERED = Change("names.py", '    | {"__enter__", "__aenter__", "enter_context", "enter_async_context"}\n', "")
"""So are contexts that are entered by name."""
NO_CODES = Change("tracer.py", "for code in self._executed.codes():", "for code in ():")
NO_HANDED = Change("tracer.py", "            waiting.extend(self._handed.names)", "            pass")
"""Code of the notebook that runs because a library holds it is seen from Python 3.12 on, and expected before."""
NOTHING_BETWEEN = (
    Change("leftovers.py", '*getattr(loop, "_ready", ())', ""),
    Change("effects.py", "if generator.begin() and self._undisturbed:", "if generator.begin() and False:"),
)
"""What is done between two cells is told by what the loop holds, and by what has drawn by then: by neither of them."""
NAMES = (
    Rule(
        "names loaded",
        "Variables that a cell loads",
        "names in its syntax tree, with what is surely stored by then",
        CHAIN,
        (
            Change(
                "names.py",
                "            self.found.loads.add(name)\n\n    def store",
                "            pass\n\n    def store",
            ),
        ),
        ("changed value", "equal cells"),
    ),
    Rule(
        "names not bound",
        "Variables that are not there yet, also those that would hide a builtin",
        "they are inputs like others, and absent",
        CHAIN,
        (
            Change(
                "tracer.py",
                "self._version(before, name, before) for name in sorted(reads)}",
                "self._version(before, name, before) for name in sorted(reads) if name in before}",
            ),
        ),
        ("name that was not bound", "builtin that is shadowed"),
    ),
    Rule(
        "star imports",
        "Names of ``from module import *``",
        "the import statement",
        CHAIN,
        (
            Change("names.py", 'self.found.dynamic.append("from %s import *" % node.module)', "pass"),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            Change(
                "bound.py",
                "rebound = {name for name in (*touched, *beside) if name in bound and self._kept.get(name) != bound[name]}",
                "rebound = set()",
            ),
        ),
        ("star import of a library",),
    ),
    Rule(
        "names stored",
        "Variables that a cell binds or changes",
        "digests of the values before and after",
        CHAIN,
        (
            Change(
                "tracer.py",
                "changed = {name for name in told if self._version(after, name, around) "
                "!= self._version(before, name, before)}",
                "changed = set()",
            ),
            Change("tracer.py", "written = changed | opaque | (sure & bound.keys())", "written = set(opaque)"),
        ),
        ("inserted redefinition", "changed value"),
    ),
    Rule(
        "names deleted",
        "Variables that are gone",
        "the namespace before and after",
        "it always can",
        (Change("tracer.py", "        changed |= gone\n", ""),),
        ("deleted, then asked for",),
    ),
    Rule(
        "globals of functions",
        "Variables that functions load, also those of other cells",
        "bytecode of what a value holds",
        CHAIN,
        (Change("codes.py", "reads.add(names[argument >> 1 if _SHIFTED else argument])", "pass"),),
        ("function that calls another", "lambda"),
    ),
    Rule(
        "globals stored by functions",
        "Variables that functions bind",
        "bytecode, and identities of all values before and after",
        CHAIN,
        (
            Change("codes.py", "stores.add(names[argument])", "pass"),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            Change(
                "bound.py",
                "rebound = {name for name in (*touched, *beside) if name in bound and self._kept.get(name) != bound[name]}",
                "rebound = set()",
            ),
        ),
        ("function of a cell above that stores",),
    ),
    Rule(
        "classes and functions referred to",
        "Functions and classes of the notebook that a value holds",
        "their names stand in its digest, and count as loaded with it",
        "they are part of the digest",
        (Change("tracer.py", "                    waiting.extend(component.cuts)\n", ""),),
        ("base class", "metaclass"),
    ),
    Rule(
        "closures",
        "What functions keep of the functions around them",
        "contents of their cells, in the digest",
        MADE_ANEW,
        (
            Change(
                "definitions.py",
                "            walk.out.append(CELL)\n            walk.stack.append(content)",
                "            walk.out.append(CELL)",
            ),
        ),
        ("value (lambda n: lambda: n)(1) to (lambda n: lambda: n)(2)",),
    ),
    Rule(
        "aliases",
        "Variables that share an object that can be changed",
        "objects are numbered by the walk: variables that meet are one component",
        SHARED,
        (
            Change(
                "fingerprints.py",
                "            self.join(owner, self.number)\n            self.out.append(ELSEWHERE",
                "            self.out.append(ELSEWHERE",
            ),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
        ),
        ("contents behind an alias",),
    ),
    Rule(
        "names of a component",
        "All variables of a component, where one is read",
        "the components before the cell",
        SHARED,
        (
            Change("tracer.py", "                    waiting.extend(component.names)\n", ""),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
        ),
        ("alias in a container",),
    ),
    Rule(
        "shared memory",
        "Arrays that share memory",
        "address ranges of their elements",
        SHARED,
        (
            Change("arrays.py", "    found = [group for group in groups if len(group) > 1]\n", "    found = []\n"),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
        ),
        ("contents behind a view",),
    ),
    Rule(
        "memory that pandas counts apart",
        "Frames and series over one memory, of which one was made with ``copy=False`` from an array of the other: neither copies on write",
        "what counts the holders of each block: not the same",
        SHARED,
        (Change("arrays.py", "        if len({span.counted for span in group}) > 1:", "        if False:"),),
        (
            "frame of a frame by its array",
            "frame of a series by its array",
        ),
    ),
    Rule(
        "calls of weakref.finalize",
        "What ``weakref.finalize`` will call, and whether it has",
        "its type",
        "lineage",
        (
            Change("fingerprints.py", '    ("weakref", "finalize"): "finalizer",\n', ""),
            Change("aliases.py", ' or (module, name) == ("weakref", "finalize")', ""),
        ),
        (
            "finalizer that is detached",
            "finalizer that is called",
        ),
    ),
    Rule(
        "super objects",
        "Objects that ``super()`` has made",
        "their type: they pass on what they are asked",
        "lineage",
        (Change("fingerprints.py", '    ("builtins", "super"): "super object",\n', ""),),
        ("super in a variable",),
    ),
    Rule(
        "blocks of frames",
        "What frames share that hold the very same manager of blocks, as a resampler does with its frame",
        "the manager's identity",
        SHARED,
        (Change("arrays.py", "    walk.first(manager)  #", "    pass  #"),),
        ("frame of a resampler", "frame of a grouper"),
    ),
    Rule(
        "names of shared indexes",
        "The name of an index that frames of pandas share",
        "identities of Index objects, once a cell may have named one",
        "it always can",
        (
            Change(
                "tracer.py",
                "                    if self._names_indexes:\n                        waiting.extend(component.indexes)\n",
                "",
            ),
        ),
        ("name of a shared index",),
    ),
    Rule(
        "changes in place",
        "Changes that no assignment shows",
        "digests of all that the cell could reach",
        CHAIN,
        (
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            Change(
                "tracer.py",
                "(closure | may_store | rebound | holders) & bound.keys()",
                "(may_store | rebound) & bound.keys()",
            ),
        ),
        ("mutation by a function", "mutation in C"),
    ),
    Rule(
        "changes that nothing explains",
        "Changes of variables that the cell's code does not show",
        "digests of all variables, where that takes less than 0.3 ms, after errors and barriers",
        "what library code alone reaches is not seen (see :ref:`traces-unseen`)",
        (
            Change(
                "tracer.py",
                "for name in sorted(changed - closure - may_store - rebound - joined - holders):",
                "for name in ():",
            ),
            NO_CODES,
            NO_HANDED,
        ),
        ("variable that only a codec changes",),
    ),
    Rule(
        "overwritten shared values",
        "Who shared a value that a cell overwrites unread",
        "the components before the cell (``alone:``)",
        SHARED,
        (
            Change("tracer.py", "{name: _others(before, name) for name in sorted(fresh)}", "{}"),
            Change("tracer.py", "self._closure(found, before, parted - closure - renewed - joined - holders)", "set()"),
            Change(
                "tracer.py",
                "for name in sorted(changed - closure - may_store - rebound - joined - holders):",
                "for name in ():",
            ),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = True"),
        ),
        ("sharing that ends",),
    ),
    Rule(
        "overwritten after a call",
        "Functions that read a variable before the cell overwrites it",
        "variables that code in reach may load are never taken for overwritten unread",
        CHAIN,
        (
            Change(
                "tracer.py",
                "sure = found.overwritten - closure if ok else set()",
                "sure = found.overwritten if ok else set()",
            ),
            Change(
                "tracer.py",
                "reads = (closure | may_store | holders) - fresh",
                "reads = (closure | may_store | holders) - sure",
            ),
        ),
        ("called function reads what is overwritten",),
    ),
    Rule(
        "values without a digest",
        "What a cell did to values that have no digest: generators, locks, open files",
        "they count as written by each cell that can reach them",
        MADE_ANEW,
        (
            Change(
                "tracer.py",
                "opaque = {name for name in closure if name in after and after[name].digest is None}",
                "opaque = set()",
            ),
        ),
        ("generator that goes on further",),
    ),
    Rule(
        "names in texts",
        'Variables that texts name: ``df.query("a > @limit")``, formulas',
        "words of the texts, also of those in variables",
        "it is not seen (see :ref:`traces-unseen`)",
        (Change("unsteady.py", "    if len(text) > _LONGEST_TEXT:\n", "    if True:\n"),),
        ("query", "query string from above"),
    ),
    Rule(
        "names in texts of functions",
        "The same in functions",
        "constants of their bytecode",
        "it is not seen (see :ref:`traces-unseen`)",
        (Change("codes.py", "                reads |= names_in_text(constant)\n", ""),),
        ("query in a function of a cell above",),
    ),
    Rule(
        "texts of queries wherever they are",
        "Texts in containers, defaults and classes, where a cell so far calls ``query`` or ``eval``",
        "the values of the names that the cell may reach, some levels deep",
        "texts that are put together are not seen",
        (
            Change(
                "tracer.py",
                "        if self._asks_texts:\n            return {",
                "        if False:\n            return {",
            ),
        ),
        ("text of a query in a dict", "text of a query as a default"),
    ),
    Rule(
        "texts of queries that the cell made",
        "Such texts in variables that the cell itself assigns",
        "their values after the cell",
        "texts that are put together are not seen",
        (Change("tracer.py", "for name in found.overwritten if self._asks_texts else ():", "for name in ():"),),
        ("text of a query that the cell reads",),
    ),
    Rule(
        "outputs by their numbers",
        "``_1``, ``_2``: outputs of cells",
        "names of that form which the cell loads",
        CHAIN,
        (Change("names.py", 're.compile(r"_\\d+$")', 're.compile(r"nothing$")'),),
        ("output by its number",),
    ),
    Rule(
        "imports that change others",
        "``from __future__``, and what enables something elsewhere (``enable_…``)",
        "names that are imported",
        CHAIN,
        (
            Change(
                "names.py",
                "if isinstance(node, ast.ImportFrom) and _changes_others(node.module or",
                "if False and _changes_others(node.module or",
            ),
        ),
        ("future import of a cell above", "import that enables something elsewhere"),
    ),
    Rule(
        "what reads the names",
        "Modules that execute texts with the notebook's names, or look for tests among these",
        "paths in the source: ``unittest.main``, ``timeit``, ``cProfile``, ``doctest``",
        CHAIN,
        (
            Change(
                "names.py",
                '            self.found.dynamic.append(".".join(path))\n\n    def constant',
                "            pass\n\n    def constant",
            ),
        ),
        ("tests that are looked for among the names",),
    ),
    Rule(
        "submodules of other cells",
        "Submodules that a cell or a function of the notebook uses, and that another cell than that of their package has "
        "loaded",
        "which cell loaded each module, and the words of the source",
        CHAIN,
        (Change("tracer.py", "        if other := self._of_others(", "        if False and self._of_others("),),
        ("submodule that another cell has loaded", "submodule that another cell has loaded: by a function"),
    ),
    Rule(
        "memory that frames share",
        "Code that may write into memory which frames share, past their copying on write",
        "the source: ``writeable``, ``copy=False``, ``.array``, stores into ``.values``",
        CHAIN,
        (
            Change("tracer.py", 'if self._writes_through and "pandas" in sys.modules:', "if False:"),
            Change("tracer.py", "        if _WRITES_THROUGH.search(source):", "        if False:"),
        ),
        ("memory made writable beneath frames",),
    ),
    Rule(
        "holders in C",
        "What objects of C hold that do not tell Python's collector",
        "attributes of ``flat``, ``nditer`` and ``KDTree``",
        "one that has no such attribute shares with all names (pixels of PIL)",
        (Change("aliases.py", "        if (module, name) in _HOLDERS:", "        if False:"),),
        ("iterator of numpy that writes", "tree that shows an array"),
    ),
    Rule(
        "pixels",
        "Pixels of an image of PIL",
        "it cannot be",
        "shared with all names",
        (Change("aliases.py", 'if name == "PixelAccess" or', "if"),),
        ("pixels of an image",),
    ),
    Rule(
        "images of others' memory",
        "Images of PIL that show memory of an array or a file",
        "their attribute ``readonly``",
        "shared with all names",
        (Change("layouts.py", 'if self.package == "PIL" and getattr', "if False and getattr"),),
        ("image that shows an array",),
    ),
    Rule(
        "library's objects by names",
        "Lists, dicts and contexts that a library holds and that a variable names",
        "the objects of all modules of libraries; of those that are no containers, methods whose names say that they change",
        CHAIN,
        (
            Change(
                "calls.py",
                "        return self._homes.get(identity(value)) or (self._held.get(identity(value)) if container else None)",
                "        return None",
            ),
        ),
        (
            "set: colormap by a name",
            "list of a library by its name",
            "dictionary of a library by another name",
            "item of a dictionary of a library",
        ),
    ),
    Rule(
        "contexts of decimal",
        "Contexts of decimal that variables hold",
        "the slot of the context that is in use",
        "no snapshot",
        (Change("refusals.py", '    ("decimal", "Context"):', '    ("decimal", "NoContext"):'),),
        ("context of decimal by a name",),
    ),
    Rule(
        "dynamic names",
        "Ways to names that do not stand in the code: ``globals()``, ``eval``, ``inspect``",
        "a list of such names and attributes (``DYNAMIC``)",
        CHAIN,
        (Change("names.py", '{"globals", "locals", "vars", "dir", "eval", "exec"', '{"compile"'),),
        ("globals().get", "eval", "locals()"),
    ),
    Rule(
        "dynamic names in functions",
        "The same in functions that a value holds",
        "names in their bytecode",
        CHAIN,
        (
            Change(
                "codes.py",
                "dynamic = not DYNAMIC.isdisjoint(names) or any(map(reading.OUTPUT.match, names))",
                "dynamic = False",
            ),
        ),
        ("eval in a function of a cell above", "subclasses in a function", "outputs in a function"),
    ),
    Rule(
        "frames",
        "Modules of the project that look into the variables of their callers",
        "names in their text",
        CHAIN,
        (Change("own.py", "looks = found is not None and not _FRAMES.isdisjoint(found.dynamic)", "looks = False"),),
        ("library that peeks at frames",),
    ),
    Rule(
        "history",
        "IPython's history: ``In``, ``Out``, ``_``",
        "names in the syntax tree",
        CHAIN,
        (
            Change(
                "names.py",
                '{"__main__", "breakpoint", "input", "In", "Out", "_", "__"',
                '{"__main__", "breakpoint", "input", "__"',
            ),
        ),
        ("Out", "underscore", "execution count"),
    ),
    Rule(
        "magics",
        "Magics and shell commands, but for some that are known",
        "calls of IPython's shell in the transformed source",
        CHAIN,
        (
            Change(
                "names.py",
                'magics.append("%%%s" % name if "magic" in called.attr else "!%s" % name[:40])',
                "pass",
            ),
        ),
        ("who_ls",),
    ),
    Rule(
        "code in magics",
        "Code that ``%time``, ``%%capture`` and the like are given",
        "it is read like the cell itself",
        CHAIN,
        (Change("names.py", "        self.found.loads |= inner.loads - defined\n", ""),),
        ("magic with a variable", "cell magic with a variable"),
    ),
    Rule(
        "classes in data",
        "Classes that pickles name",
        "calls of what loads pickles: all classes and functions of the notebook and its modules count as loaded",
        CHAIN,
        (Change("tracer.py", "self._loads_classes(found, closure, before)\n", "False\n"),),
        ("pickle finds the class", "class of a module that data names: pickle"),
    ),
    Rule(
        "finalizers",
        "What runs when a value is dropped: ``__del__``",
        "classes with ``__del__`` and generators are marked in the Version",
        MADE_ANEW,
        (Change("tracer.py", 'if other in components and "__del__" in components[other].codes:', "if False:"),),
        ("object that tells something else when it is dropped", "object that tells when it is dropped"),
    ),
    Rule(
        "finalizers of generators",
        "``finally`` of generators that are dropped",
        "generators are marked in the Version",
        MADE_ANEW,
        (Change("tracer.py", 'if component.opaque is not None and "generator" in component.opaque:', "if False:"),),
        ("generator that is dropped",),
    ),
)
VALUES = (
    Rule(
        "numbers",
        "Numbers, texts and other atoms, bit for bit: -0.0, nan, True beside 1",
        "``marshal``, which tells them all apart",
        "it always can",
        (
            Change(
                "fingerprints.py",
                "self._atomic(name, _dumps(value, 2))",
                "self._atomic(name, _dumps(value + 0.0 if type(value) in (float, bool, int) else value, 2))",
            ),
        ),
        ("value 0.0 to -0.0", "value 1 to True", "value 1 to 1.0"),
    ),
    Rule(
        "order of dictionaries",
        "The order of a dictionary",
        "items are written in it",
        "that of a set is not seen (see :ref:`traces-unseen`)",
        (
            Change(
                "fingerprints.py",
                "            sequences.write_mapping(self, list(item), list(item.values()))",
                "            keys = sorted(item, key=repr)\n"
                "            sequences.write_mapping(self, keys, [item[key] for key in keys])",
            ),
        ),
        ("value {'a': 1, 'b': 2} to {'b': 2, 'a': 1}",),
    ),
    Rule(
        "items of sets",
        "Items of sets",
        "their digests, in the order of these",
        "more than 400,000: " + MADE_ANEW,
        (
            Change(
                "sequences.py",
                "_dumps(sorted([_dumps(item, 2) for item in items]), 2))",
                "_dumps(len(items), 2))",
            ),
        ),
        ("value of a set",),
    ),
    Rule(
        "sharing inside of a value",
        "Whether a value holds one object twice, or two that are equal",
        "objects that can be changed are numbered where they are met first",
        "of texts and numbers it is not seen (see :ref:`traces-unseen`)",
        (
            Change(
                "fingerprints.py",
                "            self.out.append(AGAIN + _dumps(known & _MASK, 2))\n        else:",
                "            return True\n        else:",
            ),
        ),
        ("value that holds a list twice",),
    ),
    Rule(
        "attributes",
        "Attributes of instances",
        "their own dictionaries and slots, read without code of the class",
        MADE_ANEW,
        (
            Change(
                "layouts.py",
                "                attributes = self.attributes(item)\n                todo +=",
                "                attributes = {}\n                todo +=",
            ),
        ),
        ("value of an attribute",),
    ),
    Rule(
        "slots",
        "Slots of instances",
        "the descriptors of their classes",
        MADE_ANEW,
        (
            Change(
                "layouts.py",
                "todo += [Token(MEMBER + _dumps(key, 2)), get(item)]",
                "todo += [Token(MEMBER + _dumps(key, 2))]",
            ),
        ),
        ("value of a slot",),
    ),
    Rule(
        "members of classes",
        "Members of the notebook's classes",
        "the classes' dictionaries, in the digest",
        MADE_ANEW,
        (Change("definitions.py", "    values = [members[key] for key in ordered]", "    values = []"),),
        ("value type('A', (), {'v': 1}) to type('A', (), {'v': 2})", "patched method"),
    ),
    Rule(
        "code",
        "What functions do",
        "bytecode and constants, without line numbers",
        MADE_ANEW,
        (
            Change(
                "codes.py",
                "            parts.append(self._constant(constant, inner))",
                "            self._constant(constant, inner)",
            ),
        ),
        ("value lambda: 1 to lambda: 2",),
    ),
    Rule(
        "defaults",
        "Default arguments, attributes and annotations of functions",
        "they are part of the digest",
        MADE_ANEW,
        (
            Change(
                "definitions.py",
                "rest = [item.__defaults__, item.__kwdefaults__, item.__closure__, item.__dict__, item.__doc__]",
                "rest = [item.__closure__]",
            ),
        ),
        ("value lambda v=1: v to lambda v=2: v", "value lambda *, v=1: v to lambda *, v=2: v"),
    ),
    Rule(
        "objects that are pickled",
        "Objects of libraries that are written in C",
        "what their hooks for pickling tell",
        MADE_ANEW,
        (
            Change(
                "layouts.py",
                "        todo = [self.kind, *parts, Items(list(rest)), Items(list(rest.values()))]",
                "        todo = [self.kind]",
            ),
        ),
        ("value iter([1, 2]) to iter([1, 3])",),
    ),
    Rule(
        "contents of arrays",
        "What arrays hold",
        "a hash of their memory",
        MADE_ANEW,
        (
            Change(
                "arrays.py", "        walk.out.append(walk.buffer(_bytes_of(walk, array.reshape(-1))))", "        pass"
            ),
        ),
        ("value numpy.array([1, 2]) to numpy.array([1, 3])",),
    ),
    Rule(
        "dtypes",
        "Dtypes of arrays",
        "they are part of the digest",
        MADE_ANEW,
        (
            Change(
                "arrays.py", '    return str(told) + (repr(dtype.metadata) if dtype.metadata else "")', '    return ""'
            ),
        ),
        ("value numpy.zeros(2) to numpy.zeros(2, dtype='i8')",),
    ),
    Rule(
        "layout of arrays",
        "How arrays lie in memory",
        "order and strides, in the digest",
        MADE_ANEW,
        (Change("arrays.py", "    _content(walk, plain, layout=True)", "    _content(walk, plain, layout=False)"),),
        ("value numpy.zeros((2, 2)) to numpy.zeros((2, 2), order='F')",),
    ),
    Rule(
        "columns of frames",
        "What frames hold",
        "a digest for each column, however pandas keeps them together",
        MADE_ANEW,
        (
            Change(
                "arrays.py",
                "        found += [head + once(row) for row in part]",
                '        found += [b"" for row in part]',
            ),
        ),
        ("value of a frame", "value pandas.DataFrame({'a': [1]}) to pandas.DataFrame({'a': [1.0]})"),
    ),
    Rule(
        "indexes of frames",
        "Index and columns' names of frames",
        "their contents and names, in the digest",
        MADE_ANEW,
        (
            Change(
                "arrays.py",
                "walk.own(list(rest)), walk.own(list(rest.values())), *axes]",
                "walk.own(list(rest)), walk.own(list(rest.values()))]",
            ),
        ),
        (
            "value pandas.DataFrame({'a': [1]}) to pandas.DataFrame({'b': [1]})",
            "value pandas.DataFrame({'a': [1]}) to pandas.DataFrame({'a': [1]}, index=[5])",
        ),
    ),
    Rule(
        "categories",
        "Categories of a column, and whether they have an order",
        "the dtype, in the digest",
        MADE_ANEW,
        (
            Change("arrays.py", "    if categories is not None:\n", "    if False:\n"),
            Change("arrays.py", "_EXTENSION_DTYPE + _dumps(str(item), 2)", "_EXTENSION_DTYPE"),
        ),
        ("value of categories",),
    ),
    Rule(
        "extension arrays",
        "What pandas' own arrays hold: texts, missing values, categories' codes",
        "the arrays of numpy or pyarrow that they are made of",
        MADE_ANEW,
        (
            Change(
                "arrays.py",
                'walk.push([kind, value.dtype, getattr(value, "freq", None), walk.own(parts)])',
                "walk.push([kind, value.dtype])",
            ),
        ),
        ("value of a nullable column",),
    ),
)
FILES = (
    Rule(
        "files opened",
        "Files that Python code opens",
        "audit event ``open``; inotify in the project as well",
        UNWATCHED,
        (
            Change("interception.py", '    "open": _opened,\n', ""),
            Change(
                "effects.py",
                "        happened = self._events.take(self._ignored)\n        if happened is None:",
                "        happened = {}\n        if happened is None:",
            ),
        ),
        ("opened file", "file read by a function", "missing file that is there now"),
    ),
    Rule(
        "files read by others",
        "Files that C++ code and subprocesses read",
        "inotify, in the project's folders and those of files that cells touched",
        UNWATCHED + "; in folders that no cell touched it is not seen",
        (
            Change(
                "effects.py",
                "        happened = self._events.take(self._ignored)\n        if happened is None:",
                "        happened = {}\n        if happened is None:",
            ),
        ),
        ("read by a subprocess", "read by the shell", "read by ctypes"),
    ),
    Rule(
        "folders listed",
        "Folders that are listed",
        "audit events ``os.listdir``, ``os.scandir``",
        "C++ code that lists folders is not seen",
        (
            Change("interception.py", '    "os.listdir": _listed,\n', ""),
            Change("interception.py", '    "os.scandir": _scanned,\n', ""),
        ),
        ("listing of the project", "os.scandir", "os.walk"),
    ),
    Rule(
        "files of a listed folder",
        "Files whose size or time comes with the listing of their folder",
        "``os.scandir``: all files in the folder count as asked for, up to 1000",
        NOT_REPEATED,
        (
            Change(
                "interception.py", "    effects.files.listed(path, sizes=not plain)", "    effects.files.listed(path)"
            ),
        ),
        ("size of a listed file",),
    ),
    Rule(
        "files asked for",
        "Files whose size, time or being there is asked for, absent ones included",
        "functions that stand for ``os.stat`` and ``os.lstat``",
        "C++ code that asks is not seen",
        (Change("interception.py", "    _stand_for(os, stat, original_stat)\n", ""),),
        ("file that is there now", "size of a file"),
    ),
    Rule(
        "access",
        "Files whose permissions are asked for",
        "a function that stands for ``os.access``",
        "C++ code that asks is not seen",
        (Change("interception.py", "    _stand_for(os, access, original_access)\n", ""),),
        ("os.access",),
    ),
    Rule(
        "first touch",
        "What was in a file when the cell first touched it",
        "its SHA-256, at once",
        "volatile, where nobody saw it",
        (
            Change(
                "files.py",
                "                self.files[form] = version\n\n    def _watch_beside",
                "                pass\n\n    def _watch_beside",
            ),
        ),
        ("appended in each run", "opened file"),
    ),
    Rule(
        "files written",
        "Files that a cell writes",
        "audit events, wrappers and inotify; Versions at the cell's end",
        UNWATCHED,
        (
            Change("effects.py", 'told["file_writes"] = self.files.writes()', 'told["file_writes"] = {}'),
            Change(
                "effects.py",
                'told["foreign_writes"] = {path: version for path, version in foreign.items() if path not in told["file_writes"]}',
                'told["foreign_writes"] = {}',
            ),
        ),
        ("written by a cell, then by the author",),
    ),
    Rule(
        "databases",
        "Databases of SQLite",
        "audit event ``sqlite3.connect``, and inotify",
        UNWATCHED,
        (
            Change("interception.py", '    "sqlite3.connect": _database,\n', ""),
            Change(
                "effects.py",
                "        happened = self._events.take(self._ignored)\n        if happened is None:",
                "        happened = {}\n        if happened is None:",
            ),
        ),
        ("database",),
    ),
    Rule(
        "files held open",
        "Files that stay open for writing, whose rest comes at the kernel's end",
        "``/proc/self/fd``; ``/proc/self/maps`` for those that are mapped into memory",
        "where the system does not tell, all that was ever opened for writing counts as held",
        (Change("tracer.py", 'if record.pop("held", False):', 'if record.pop("held", False) and False:'),),
        ("file that is never closed", "lock before a file that is never closed", "mapped file that is written"),
    ),
    Rule(
        "temporary files",
        "Files and folders left behind whose names were drawn by chance",
        "audit events of ``tempfile``",
        NOT_REPEATED,
        (Change("effects.py", "if self.files.left_temporary():", "if False:"),),
        ("volatile: temporary folder",),
    ),
    Rule(
        "devices",
        "Devices that give random bytes",
        "audit event ``open``",
        NOT_REPEATED,
        (Change("files.py", "if opened and full in ENTROPY:", "if False:"),),
        ("volatile: device",),
    ),
    Rule(
        "what the system tells",
        "``/proc``, but for what stays the same",
        "audit event ``open``",
        NOT_REPEATED,
        (
            Change(
                "effects.py", 'if full is None or not full.startswith("/proc/") or full.startswith(STEADY):', "if True:"
            ),
        ),
        ("volatile: proc",),
    ),
    Rule(
        "times of files",
        "Times of files",
        "names of attributes and functions (``CLOCKS``)",
        NOT_REPEATED,
        (
            Change(
                "names.py",
                '| {"getmtime", "getatime", "getctime", "st_mtime", "st_atime", "st_ctime", "st_mtime_ns", "st_atime_ns"}',
                "",
            ),
        ),
        ("volatile: age of a file",),
    ),
)
UNSEEN_LIBRARY = "what a library keeps in lists, dictionaries or C is not seen (see :ref:`traces-unseen`)"
PUT_BACK = "barrier, also where it is set to what is no plain data"


def _slot(name: str, observed: str, how: str, change: str, *pairs: str, file: str = "slots.py", new: str = "") -> Rule:
    return Rule(name, observed, how, PUT_BACK, (Change(file, change, new),), pairs)


AMBIENT = (
    Rule(
        "environment read",
        "Environment variables that are read, or looked for",
        "the methods of ``os.environ``",
        "C code that asks is not seen",
        (Change("interception.py", "            effects.variable_read(key)", "            pass"),),
        ("variable", "variable that is set now", "getenv in a function"),
    ),
    Rule(
        "all of the environment",
        "All environment variables, where they are listed or counted",
        "the methods of ``os.environ``",
        "C code that asks is not seen",
        (
            Change(
                "interception.py",
                "            effects.all_variables_read = True\n        return original_iterate(self)",
                "            pass\n        return original_iterate(self)",
            ),
        ),
        ("all variables",),
    ),
    Rule(
        "environment written",
        "Environment variables that a cell sets or removes",
        "all of them, before and after",
        "what ``putenv`` sets, processes alone see, and they make barriers",
        (
            Change(
                "effects.py",
                "        if after != before:",
                "        if False:",
            ),
        ),
        ("set by a cell to what it is",),
    ),
    _slot(
        "working directory",
        "Working directory",
        "asked for before and after",
        "[_WorkingFolder(), ",
        "ambient: cwd",
        "another directory",
        new="[",
    ),
    _slot("search path", "``sys.path``", "its items", "_SearchPath(), ", "ambient: search path"),
    _slot("arguments", "``sys.argv``", "its items", "_Arguments(), ", "ambient: argv"),
    _slot(
        "interpreter",
        "Limits and settings of the interpreter: recursion, garbage collector, time zone, default timeout of sockets, …",
        "asked for before and after",
        "_Interpreter(), ",
        "ambient: recursion limit",
        "ambient: timeout, result used",
    ),
    _slot(
        "warning filters",
        "Filters of warnings, and how they are shown",
        "``warnings.filters``, without those that libraries add for themselves",
        'return ("list", *filters), default, None if ours else ("?", "showwarning", identity(shown))',
        "ambient: warning filters",
        new='return ("list",), default, None',
    ),
    _slot("locale", "Locale", "``setlocale``", ", _Locale()]", "store: locale", new="]"),
    _slot(
        "decimal context",
        "Decimal context",
        "its fields, traps and flags",
        "[_Decimal(), ",
        "ambient: decimal, result used",
        new="[",
    ),
    _slot(
        "logging",
        "Levels and handlers of loggers",
        "all loggers on which something is set",
        "_Logging(), ",
        "store: logging disabled",
    ),
    _slot(
        "numpy's print options",
        "Print options of numpy",
        "``get_printoptions``",
        "_NumpyPrint(), ",
        "ambient: print options",
    ),
    _slot(
        "numpy's errors",
        "What numpy does on errors of floating point",
        "``geterr``",
        "_NumpyErrors(), ",
        "ambient: numpy errors",
    ),
    _slot("pandas' options", "Options of pandas", "all of them", "_PandasOptions(), ", "ambient: pandas options"),
    _slot(
        "rcParams",
        "``rcParams`` of matplotlib",
        "all but the backend",
        "_Drawing(), ",
        "ambient: rcParams",
        "store: style",
    ),
    _slot(
        "IPython's settings",
        "Settings of IPython, how it shows things, its magics",
        "traits, formatters and magics of the shell",
        "return [*found, _Shell(shell)] if shell is not None else found",
        "ambient: precision magic",
        "store: interactivity",
        new="return found",
    ),
    Rule(
        "generators",
        "The shared random generators of Python and numpy",
        "their states before and after",
        "a cell after the import of tensorflow, cupy and the like is a barrier",
        (Change("effects.py", "            if generator.read:\n", "            if False:\n"),),
        ("ambient: random", "ambient: numpy.random"),
    ),
    Rule(
        "states of generators",
        "The state of a shared generator, where it is asked for",
        "functions that stand for ``getstate``",
        "a draw shows in the state itself",
        (Change("generators.py", '            watched.generator("random").asked()\n', "            pass\n"),),
        ("state of a generator",),
    ),
    Rule(
        "generators set",
        "Whether a generator was seeded, also with what it was already",
        "functions that stand for those that seed",
        "what seeds it in other ways counts as drawn from it",
        (
            Change(
                "generators.py",
                "            finally:\n                generator.was_set(seeded=plain)",
                "            finally:\n                pass",
            ),
        ),
        ("idempotent reseed",),
    ),
)
REPEATED = (
    Rule(
        "draws that nothing seeded",
        "Numbers drawn from a shared generator that nothing has seeded",
        "its state before and after",
        NOT_REPEATED,
        (Change("effects.py", "            if generator.volatile:\n", "            if False:\n"),),
        ("volatile: unseeded random", "volatile: unseeded numpy", "volatile: shuffle"),
    ),
    Rule(
        "seeds",
        "What a generator was seeded with: a value of the cell's own, or nothing",
        "functions that stand for those that seed",
        "what is no plain value counts as nothing",
        (
            Change(
                "generators.py",
                "                generator.was_set(seeded=plain)",
                "                generator.was_set(seeded=True)",
            ),
        ),
        ("volatile: reseeded with nothing",),
    ),
    Rule(
        "the system's random bytes",
        "Random bytes of the operating system: ``os.urandom``, ``uuid4``",
        "functions that stand for those",
        NOT_REPEATED,
        (Change("interception.py", "        telling(os, name, drawn)\n", "        pass\n"),),
        ("volatile: urandom", "volatile: uuid"),
    ),
    Rule(
        "generators of the system",
        "``secrets``, ``random.SystemRandom``",
        "functions that stand for what ``random`` draws with",
        NOT_REPEATED,
        (
            Change(
                "generators.py",
                '            watched.entropy.drawn("it draws from the operating system\'s random numbers")',
                "            pass",
            ),
        ),
        ("volatile: secrets", "volatile: system random"),
    ),
    Rule(
        "own generators",
        "Generators of a cell's own that nothing seeds: ``random.Random()``",
        "functions that stand for those that seed",
        NOT_REPEATED,
        (
            Change(
                "generators.py",
                '            watched.entropy.drawn("random.Random() is seeded by chance")',
                "            pass",
            ),
        ),
        ("volatile: unseeded own generator",),
    ),
    Rule(
        "own generators of numpy",
        "The same of numpy: ``default_rng()``, ``RandomState()``",
        "functions that stand for those that numpy seeds with",
        NOT_REPEATED,
        (
            Change(
                "generators.py",
                '            entropy.drawn("a generator of numpy is seeded by chance")',
                "            pass",
            ),
        ),
        ("volatile: unseeded generator", "volatile: seed sequence"),
    ),
    Rule(
        "clocks",
        "Clocks, but for the difference of two times",
        "paths of calls, and the modules that they begin with (``FUNCTIONS``)",
        "those that only library code asks are not seen (see :ref:`traces-unseen`)",
        (Change("unsteady.py", '    "time": _TIMES | {"strftime"},\n', ""),),
        ("volatile: time", "volatile: strftime"),
    ),
    Rule(
        "clocks imported in functions",
        "Clocks of modules that a function imports",
        "imports anywhere in the source",
        "see clocks",
        (
            Change(
                "unsteady.py",
                "            for name, module, word in imported_names(node):\n                found.setdefault(name, set()).add((module, word) if word else (module,))",
                "            pass",
            ),
        ),
        ("clock that a function imports",),
    ),
    Rule(
        "clocks by other names",
        "Clocks of modules that a function gives another name",
        "assignments and default arguments of names",
        "see clocks",
        (
            Change(
                "unsteady.py",
                "            _give(found, [target for target in targets if isinstance(target, ast.Name)], node.value)",
                "            pass",
            ),
        ),
        ("volatile: clock of a renamed module",),
    ),
    Rule(
        "clocks in variables",
        "Variables that are clocks",
        "what the values of all variables that the cell can reach are",
        "one that is made while the code runs, such as an ``operator.attrgetter``, is not seen",
        (
            Change(
                "tracer.py",
                "            if is_unsteady(value) or (component is not None and component.unsteady):",
                "            if False:",
            ),
        ),
        ("clock of a cell above", "held: date"),
    ),
    Rule(
        "clocks in values",
        "Clocks in lists, objects and partial functions",
        "the walk of the value meets one",
        "one that a library's own class holds is not seen",
        (
            Change(
                "definitions.py",
                "    walk.part.unsteady = walk.part.unsteady or is_unsteady(item)",
                "    pass",
            ),
        ),
        ("held: clock in a list", "held: clock of an object"),
    ),
    Rule(
        "variables that mean now",
        "Texts in variables that libraries take for the time that it is",
        "values of the variables that the cell can reach",
        "one inside a list or an object is not seen",
        (Change("tracer.py", "            elif type(value) is str and says_now(value):", "            elif False:"),),
        ("held: text",),
    ),
    Rule(
        "clocks by getattr",
        "Clocks whose names are texts",
        "calls of ``getattr``",
        "see clocks",
        (
            Change(
                "unsteady.py",
                '    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":\n        path = dotted(node.args[0]) if len(node.args) > 1 else ()',
                "    elif isinstance(node, ast.Call) and False:\n        path = ()",
            ),
        ),
        ("volatile: clock by getattr",),
    ),
    Rule(
        "dates",
        "What gives a date: ``now``, ``today``, ``uuid1``",
        "names of attributes and functions (``CLOCKS``)",
        "see clocks",
        (
            Change(
                "names.py",
                '    {"now", "today", "utcnow", "localtime", "gmtime", "ctime", "asctime", "uuid1", "uuid6", "uuid7"}\n',
                '    {"utcnow"}\n',
            ),
        ),
        ("volatile: datetime", "volatile: timestamp", "volatile: uuid1"),
    ),
    Rule(
        "dates in functions",
        "The same in functions of cells above",
        "kept by the functions' names",
        "see clocks",
        (Change("names.py", '                effects.append(("?clock",))', "                pass"),),
        ("date in a function of a cell above",),
    ),
    Rule(
        "texts that mean now",
        "Texts that libraries take for the time that it is, and random functions of SQL",
        "constants in the source",
        "texts that are put together are not seen",
        (Change("unsteady.py", "        yield NOW\n", "        pass\n"),),
        ("volatile: numpy's now", "volatile: pandas' now by a word", "volatile: database's random"),
    ),
    Rule(
        "clocks in modules",
        "Functions of the project's modules that ask a clock",
        "the text of the modules, and of what calls those functions by name",
        "see clocks",
        (
            Change(
                "tracer.py",
                "        words = self._modules.unsteady(self._is_unsteady)",
                "        words: frozenset[str] = frozenset()",
            ),
        ),
        ("volatile: clock in a project module",),
    ),
    Rule(
        "commands",
        "Shell commands that tell the time, draw numbers or ask the network",
        "words of the command",
        CHAIN,
        (Change("names.py", "        if any(SHELL_NOW.search(text) for text in texts) and", "        if False and"),),
        ("volatile: shell's clock", "volatile: shell's process"),
    ),
    Rule(
        "numbers of processes",
        "Numbers and times of the process",
        "paths of calls (``FUNCTIONS``)",
        "see clocks",
        (Change("unsteady.py", '    "os": _PROCESS,\n', ""),),
        ("volatile: process id", "volatile: cpu time"),
    ),
    Rule(
        "numbers of threads",
        "Numbers of threads",
        "paths of calls (``FUNCTIONS``)",
        "see clocks",
        (Change("unsteady.py", '    "threading": _THREAD,\n', ""),),
        ("volatile: thread's number",),
    ),
    Rule(
        "network",
        "The network",
        "audit events of sockets",
        NOT_REPEATED,
        (Change("interception.py", '    effects.volatile("it uses the network")', "    pass"),),
        ("volatile: network",),
    ),
    Rule(
        "addresses",
        "Addresses in texts, which C++ code may ask",
        "constants in the source; those of the web only where a library of C is loaded that is not known to ask nobody",
        NOT_REPEATED,
        (Change("names.py", 'if isinstance(value, str) and "://" in value', "if False"),),
        ("volatile: address",),
    ),
)
CODE = (
    Rule(
        "project modules",
        "Modules of the project: their files, and what they import",
        "what is imported, and what values refer to",
        "those below rootdir all count, where folders cannot be told",
        (
            Change(
                "tracer.py",
                'record["own"] = sorted({name.partition(".")[0] for name in own} | lookups.take_missing())',
                'record["own"] = []',
            ),
        ),
        ("function", "import in a module's function"),
    ),
    Rule(
        "modules imported by name",
        "Modules of the project that a cell asks for by a name which need not stand in it",
        "that it uses ``importlib``, ``pkgutil``, ``pydoc`` or ``runpy``: it may use all that are loaded",
        "the cell is a barrier (``__import__``, ``sys.modules``)",
        (Change("own.py", "wanted.isdisjoint(_IMPORTING) and ", ""),),
        ("module imported by name, set above", "module resolved by name, set above"),
    ),
    Rule(
        "modules that cells import",
        "Modules of the project that a cell imports, also where it reads nothing else",
        "imports in its syntax tree: all variables of all modules count as read",
        CHAIN,
        (Change("tracer.py", "if held or self._modules.touched(frozenset(), found.imports):", "if held:"),),
        ("what no fingerprint tells in a module: variable of a thread",),
    ),
    Rule(
        "modules loaded above",
        "Variables of modules of the project that were not there when a cell used these, or was the first to load them",
        "what cells above have left in modules that it may have used, as ``held:module``",
        "it always can: ``sys.modules`` tells",
        (
            Change(
                "tracer.py",
                "for name in own} | lookups.take_missing())",
                'for name in own if name not in record["modules"]} | lookups.take_missing())',
            ),
            Change(
                "own.py",
                "            found[name + BINDINGS] = bindings.of(name, beside, variables)",
                "            pass",
            ),
        ),
        ("module loaded above: set", "module loaded above: replaced", "module loaded above: through another"),
    ),
    Rule(
        "state of modules",
        "Variables of the project's modules",
        "digests of their values, as ``module:variable``",
        MADE_ANEW,
        (Change("tracer.py", "states = self._modules.state(self._bindings)", "states = {}"),),
        ("state of a module by its function", "rebound in a module"),
    ),
    Rule(
        "what code of modules remembers",
        "Closures, defaults, attributes and caches of the project's functions, and what its classes hold",
        "digests of these, as ``module:function``; one that ``lru_cache`` has called has none",
        "lineage",
        (Change("own.py", "or ((home == name or not self._is_elsewhere(home, value)) and holds(value))", ""),),
        (
            "remembered by lru_cache of a module",
            "remembered in a closure of a module",
            "remembered in a class of a module",
        ),
    ),
    Rule(
        "ambient state from files",
        "What matplotlib reads from a ``matplotlibrc`` when it is imported",
        "parameters that are none of its own defaults: the cell that imports it sets them",
        "barrier",
        (Change("slots.py", "        if not self.as_installed():", "        if False:"),),
        ("matplotlibrc beside the notebook",),
    ),
    Rule(
        "mapped files",
        "Files that are changed while the process has them mapped into memory",
        "``/proc/self/maps``",
        "barrier",
        (Change("effects.py", "        if mapped is not None:", "        if False:"),),
        ("file that a cell above has mapped",),
    ),
    Rule(
        "modules that ask for the notebook",
        "Modules of the project that reach the notebook's variables by the name ``__main__``",
        "their text, but for the question whether they are a script",
        "barrier",
        (Change("own.py", "if looks or _names_main(self._read(name)[0]):", "if looks:"),),
        ("main module by its name in a module",),
    ),
    Rule(
        "bound methods in modules",
        "Objects of methods that a module holds by a name of its own",
        "their digests, as those of other values",
        "lineage",
        (Change("definitions.py", " and walk.is_library(function.__module__):  # as random", ":  # as random"),),
        ("remembered by the object of a bound method",),
    ),
    Rule(
        "what lru_cache of a module holds",
        "Values that a function remembers and the notebook has",
        "the search for what can be reached from it",
        "lineage",
        (Change("aliases.py", "            return list(parts)\n", "            return []\n"),),
        ("list that a module remembers",),
    ),
    Rule(
        "effects of modules",
        "What the project's modules change beside their variables",
        "their text, judged like a cell's",
        CHAIN,
        (
            Change(
                "tracer.py",
                '            record["barrier"].extend(self._modules.effects(name, self._calls.effect_of, logs_plainly=logs_plainly))',
                "            pass",
            ),
        ),
        ("codec of a project module",),
    ),
    Rule(
        "reload",
        "Modules that are executed again",
        "a function that stands for ``importlib.reload``",
        CHAIN,
        (
            Change(
                "interception.py",
                'telling(importlib, "reload", lambda effects, *_: effects.barrier("it reloads a module"))',
                "pass",
            ),
            Change(
                "tracer.py",
                'record["barrier"].extend(self._libraries.changes(registers=registers))',
                "self._libraries.changes()",
            ),
        ),
        ("reload of a library, result used",),
    ),
    Rule(
        "libraries",
        "Other objects in the modules of libraries and in their classes",
        "the versions of their dictionaries; from Python 3.14 on, their objects",
        UNSEEN_LIBRARY,
        (
            Change(
                "tracer.py",
                'record["barrier"].extend(self._libraries.changes(registers=registers))',
                "self._libraries.changes()",
            ),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            *NO_SETTERS,
        ),
        ("store: patcher, result used",),
    ),
    Rule(
        "abstract classes",
        "Classes that are registered with an abstract one of a library",
        "the count that Python keeps of that",
        "it always can",
        (
            Change(
                "libraries.py",
                "        if registered != self._registered and (registers or len(sys.modules) == self._count):",
                "        if False:",
            ),
        ),
        ("abstract base, result used", "registered with an abstract class beside an import"),
    ),
    Rule(
        "stores into libraries",
        "Assignments to what is a library's, ``setattr`` included",
        "targets in the syntax tree, and what their paths stand for",
        "barrier, where the owner has no name",
        (Change("calls.py", "            return self._patched(path[1:], variables)", "            return None"),),
        ("store: into an imported function",),
    ),
    Rule(
        "calls for their effect",
        "Calls of libraries whose value nobody uses",
        "a table of those that are harmless (``HARMLESS``)",
        CHAIN,
        (Change("calls.py", '        return "it calls or sets %s for its effect" % shown', "        return None"),),
        ("ambient: codec", "registered by a decorator"),
    ),
    Rule(
        "whether figures are shown",
        "Code that switches figures off, or asks whether they are on: depends on whether one was made before",
        "``ioff``, ``isinteractive`` in the source",
        CHAIN,
        (Change("names.py", '{"ioff", "isinteractive", "is_interactive", "get_backend"}', '{"get_backend"}'),),
        ("figures switched off after the first one",),
    ),
    Rule(
        "methods of what libraries hold",
        "Methods of what a harmless package holds or gives, whose value nobody uses or only shows",
        "a table of those that change nothing of it (``READERS``)",
        CHAIN,
        (Change("calls.py", "        if len(rest) > 1 and rest[-1] in reading.READERS:", "        if len(rest) > 1:"),),
        ("what a harmless package holds, changed by a method",),
    ),
    Rule(
        "effects of functions",
        "Such calls in functions of cells above",
        "kept by the functions' names",
        CHAIN,
        (
            Change(
                "tracer.py", "                effects.extend(self._late_effects.get(code, ()))", "                pass"
            ),
        ),
        ("codec of a function of a cell above",),
    ),
    Rule(
        "decorators",
        "Decorators of libraries",
        "they are calls for their effect",
        "barrier, where it is no plain name",
        (Change("names.py", '        self.found.calls.append(path or ("?",))', "        pass"), *NO_SETTERS),
        ("registered by a decorator",),
    ),
    Rule(
        "references handed on",
        "Functions and modules of libraries that such a call is given",
        "arguments in the syntax tree, and what they stand for",
        CHAIN,
        (
            Change("calls.py", "            return self._handed_on(path[1:], variables)", "            return None"),
            *NO_SETTERS,
        ),
        ("codec handed on",),
    ),
    Rule(
        "containers handed on",
        "Lists, dicts and sets of libraries that such a call is given",
        "arguments in the syntax tree, and what they stand for",
        CHAIN,
        (
            Change(
                "calls.py", "            return self._may_be_changed(path[1:], variables)", "            return None"
            ),
        ),
        ("list of a library handed on", "list of a library handed on by a function"),
    ),
    Rule(
        "objects that hold modules",
        "Calls of the notebook's objects that hold a library's module",
        "modules that their components refer to",
        CHAIN,
        (
            Change(
                "calls.py",
                '                return "it calls %s, which holds the module %s" % (shown, module)',
                "                return None",
            ),
        ),
        ("codec of an object",),
    ),
    Rule(
        "ctypes",
        "Libraries of C that a cell loads",
        "audit event ``ctypes.dlopen``",
        CHAIN,
        (Change("effects.py", '            self.barrier("it uses ctypes")', "            pass"),),
        ("state of a library of C",),
    ),
    Rule(
        "processes",
        "Processes that a cell starts",
        "audit events, the function that forks, and the times of ended children",
        CHAIN,
        (
            Change("interception.py", '    effects.barrier("it starts a process")', "    pass"),
            Change("leftovers.py", '            found.append("it starts a process")', "            pass"),
        ),
        ("store: putenv",),
    ),
    Rule(
        "variables of processes",
        "Environment variables that started processes read",
        "all variables, of every cell that starts one",
        "it always can",
        (Change("interception.py", "    effects.processes = True", "    pass"),),
        ("variable that a shell reads",),
    ),
    Rule(
        "modules that are not there",
        "Modules of the project that were looked for in vain",
        "a function that stands for ``PathFinder.find_spec``",
        "it always can",
        (Change("lookups.py", "            missing.add(name)", "            pass"),),
        ("module that is looked for in vain",),
    ),
    Rule(
        "modules in the place of others",
        "Modules that take the place of others of the same name",
        "which modules there are, before and after",
        CHAIN,
        (
            Change("effects.py", "        if replaced:\n", "        if False:\n"),
            Change("own.py", "if anew or self._count", "if self._count"),
        ),
        ("module in the place of another",),
    ),
    Rule(
        "wrappers in modules",
        "Functions of the notebook that have the name of a module of the project",
        "the variables that they see",
        CHAIN,
        (
            Change(
                "own_code.py", "if type(code) is _Function and code.__globals__ is", "if False and code.__globals__ is"
            ),
        ),
        ("variable of a wrapper in a module",),
    ),
    Rule(
        "what Python gives to modules",
        "Where a package of the project looks for its modules, and the text of one",
        "they count with what the module's functions are",
        CHAIN,
        (
            Change(
                "bindings.py",
                "place = self._place(file), inside, text_of(text), ",
                "place = self._place(file), (), '', ",
            ),
        ),
        ("where a package looks for its modules", "docstring of a module"),
    ),
    Rule(
        "locales",
        "Variables by which C code finds the locale",
        "all of them, once some code has named ``setlocale``",
        "code in C that asks by itself is not seen",
        (Change("effects.py", "for name in LOCALES if self.asks_locale else ():", "for name in ():"),),
        ("locale of a variable that a cell sets", "locale of the environment"),
    ),
    Rule(
        "empty attributes",
        "Attributes of frames and functions that somebody else may fill",
        "an empty dict is an object that a value shares",
        SHARED,
        (
            Change(
                "fingerprints.py", "            self.touch(value)\n            return None", "            return None"
            ),
        ),
        ("attributes of a frame that were empty",),
    ),
    Rule(
        "clocks through other modules",
        "Functions of the project's modules that call one that asks a clock",
        "the texts of all modules, until nothing more is found",
        "see clocks",
        (
            Change(
                "own.py",
                "self._unsteady = self._callers(found) if any(found.values()) else frozenset()",
                "self._unsteady = frozenset().union(*found.values())",
            ),
        ),
        ("volatile: clock of a module that another module asks", "volatile: clock in a dict of a module"),
    ),
    Rule(
        "code of modules in values",
        "Which functions and classes of the project's modules a value holds, where these ask a clock",
        "their names, found where the value is looked through",
        "see clocks",
        (
            Change(
                "tracer.py",
                "            said = said.union(*(components[name].says for name in touched if name in components))\n",
                "",
            ),
        ),
        ("volatile: clock of a module in a list", "volatile: clock where a module's object is shown"),
    ),
    Rule(
        "what a module's code stands for",
        "Effects of the project's modules after one of their variables was bound anew",
        "their text is judged once more",
        CHAIN,
        (Change("own.py", "if self._bound.setdefault(name, bound) != bound:", "if False:"),),
        ("list that a module is given to change",),
    ),
    Rule(
        "modules of another class",
        "Modules of the project that have a class of their own",
        "any class of modules counts, but that of lazy ones that are not loaded yet",
        "what is no module at all in ``sys.modules`` is not seen",
        (
            Change(
                "own.py",
                'if not isinstance(module, types.ModuleType) or type(module).__name__ == "_LazyModule":',
                "if type(module) is not types.ModuleType:",
            ),
        ),
        ("file of a module of a class of its own", "state of a module of a class of its own"),
    ),
    Rule(
        "modules that are gone",
        "Modules that come while others go",
        "which modules there are, before and after",
        CHAIN,
        (Change("effects.py", "bool(replaced or gone)", "bool(replaced)"),),
        ("module that goes while another comes",),
    ),
    Rule(
        "what modules look for",
        "Modules of the project that look for subclasses, or for IPython's variables",
        "words in their text",
        CHAIN,
        (Change("own.py", '    "__subclasses__",\n', ""),),
        ("subclasses that a module asks for",),
    ),
    Rule(
        "functions in functions",
        "Effects of functions, lambdas and classes inside others",
        "their text, judged by their own names",
        CHAIN,
        (
            Change(
                "names.py",
                '                    self.body(inside, getattr(inside, "name", "<lambda>"))\n',
                "                    pass\n",
            ),
        ),
        ("effect of a wrapper", "effect of a lambda in a function"),
    ),
    Rule(
        "files that are executed",
        "Functions in files that ``%run`` and ``exec`` leave in the notebook",
        "the text of the files of the project that the cell has read",
        "texts from elsewhere are not looked at",
        (
            Change(
                "tracer.py",
                'for source in self._executed_files(record) if record["barrier"] else ():',
                "for source in ():",
            ),
        ),
        ("volatile: clock in a file that is run", "effect of a file that is run"),
    ),
    Rule(
        "code of modules that libraries hold",
        "Functions and classes of the project's modules that a library holds",
        "what is handed over; from Python 3.12 on, what runs: all variables of all modules count as read",
        "what is handed over in a roundabout way is not seen before Python 3.12",
        (
            Change(
                "tracer.py",
                "held = self._executed.of_modules if self._handed is None else self._handed.of_modules",
                "held = False",
            ),
        ),
        ("formatter of a module", "accessor of a module"),
    ),
    Rule(
        "modules that are set",
        "Modules that code puts in the place of others without importing them",
        "which modules there are, once some code has named ``sys.modules``",
        CHAIN,
        (
            Change(
                "tracer.py",
                "effects.sets_modules = effects.sets_modules or self._says(_SETS_MODULES, source)",
                "pass",
            ),
        ),
        ("module that a cell puts in the place of another",),
    ),
    Rule(
        "text of modules",
        "What a module's text is when it is loaded once more",
        "the text is read anew where the module has another ``__spec__``",
        CHAIN,
        (Change("own.py", "if self._specs.setdefault(name, spec) is not spec:", "if False:"),),
        ("reload of a module whose text is another",),
    ),
    Rule(
        "modules that are imported again",
        "What cells above have left in modules of the project that a cell imports",
        "the import statements, and what an import has made anew",
        "all cells above are executed",
        (
            Change(
                "tracer.py",
                '"imports": sorted({name.lstrip(".").partition(".")[0] for name in found.imports}),',
                '"imports": [],',
            ),
            Change(
                "tracer.py",
                'record["writes"] = {name: self._version(after, name, around) for name in sorted(written)}',
                'record["writes"] = {n: self._version(after, n, around) for n in sorted(written) if ":" not in n}',
            ),
        ),
        ("state of a module that is imported again",),
    ),
)
LEFT = (
    Rule(
        "threads",
        "Threads that still run",
        "all threads after the cell",
        CHAIN,
        (
            Change(
                "leftovers.py",
                '                found.append("a thread is still running: %s" % _text(getattr(thread, "_name", "")))',
                "                pass",
            ),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
        ),
        ("thread that goes on by itself",),
    ),
    Rule(
        "raw threads",
        "Threads that ``threading`` does not know",
        "audit events",
        "those that code in C starts are not seen",
        (
            Change(
                "interception.py", "        effects.raw_threads = True  # nobody can tell when it ends", "        pass"
            ),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            NO_HANDED,
        ),
        ("raw thread",),
    ),
    Rule(
        "hooks that stand",
        "Code of the notebook that others call around a cell, or instead of what it calls",
        "all hooks of ``sys``, IPython and the builtins after the cell, and where they are defined",
        "those in lists of a library are not seen",
        (
            Change("leftovers.py", "        if not found and self._called is not None:", "        if False:"),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            NO_HANDED,
        ),
        ("callback of cells that do nothing", "own print"),
    ),
    Rule(
        "tasks",
        "Tasks and calls of the event loop that are still to come",
        "what the loop holds after the cell",
        CHAIN,
        (
            Change("leftovers.py", "        found += self._tasks()\n", ""),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            NO_HANDED,
        ),
        ("task that goes on by itself",),
    ),
    Rule(
        "calls between two cells",
        "Calls that the event loop makes as soon as the cell has ended, also by tornado and by futures",
        "what is ready in the loop, and what tornado's own call was given",
        CHAIN,
        NOTHING_BETWEEN,
        (
            "call of the loop's that comes after the cell",
            "call of the loop's by tornado",
            "call of a future that is done",
        ),
    ),
    Rule(
        "draws between two cells",
        "What draws from a seeded generator after a cell has ended, and before the next one",
        "the state at the end of one cell and before the next",
        "barrier, of the next cell",
        NOTHING_BETWEEN,
        ("call of the loop's that comes after the cell",),
    ),
    Rule(
        "figures",
        "Figures of matplotlib that stay open",
        "its list of figures",
        CHAIN,
        (Change("leftovers.py", '            found.append("a figure is left open")', "            pass"),),
        ("figure of a number",),
    ),
    Rule(
        "signals",
        "Handlers of signals",
        "all of them, before and after",
        CHAIN,
        (
            Change(
                "leftovers.py",
                '            "it sets a signal\'s handler": list(map(identity, map(_getsignal, _signals))),\n',
                "",
            ),
        ),
        ("signal, all results used",),
    ),
    Rule(
        "hooks of sys",
        "``sys.stdout`` and hooks of ``sys``",
        "their identities, before and after",
        CHAIN,
        (
            Change(
                "leftovers.py",
                '            "it replaces a hook of sys": list(map(identity, self._replaceable())),\n',
                "",
            ),
            Change("leftovers.py", "        if not found and self._called is not None:", "        if False:"),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            NO_ENTERED,
        ),
        ("stdout that a library replaces",),
    ),
    Rule(
        "import hooks",
        "How modules are found",
        "``sys.meta_path`` and ``sys.path_hooks``, before and after",
        CHAIN,
        (
            Change(
                "leftovers.py",
                "                    if _package(finder if isinstance(finder, type) else type(finder)) not in _IMPORT_HOOKS\n",
                "                    if False\n",
            ),
            Change("leftovers.py", "        if not found and self._called is not None:", "        if False:"),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            NO_HANDED,
            *NO_SETTERS,
        ),
        ("import hook, result used",),
    ),
    Rule(
        "dialects of csv",
        "Dialects and limits of ``csv``",
        "asked for before and after",
        CHAIN,
        (Change("leftovers.py", '            "it changes the dialects of csv": self._dialects(),\n', ""), *NO_SETTERS),
        ("store: dialect, result used",),
    ),
    Rule(
        "hooks of IPython",
        "Callbacks and transformers of IPython",
        "its lists of them, before and after",
        CHAIN,
        (
            Change(
                "leftovers.py",
                '            state["it sets a hook of IPython"] = self._hooks(shell)',
                "            pass",
            ),
            Change(
                "tracer.py",
                'if any(word.startswith("register") for word in found.words) and _loads_first',
                "if False and _loads_first",
            ),
            Change("leftovers.py", "        if not found and self._called is not None:", "        if False:"),
            Change("tracer.py", 'whole = self._cheap or bool(record["barrier"]) or not ok', "whole = False"),
            NO_HANDED,
        ),
        ("hook of IPython, result used",),
    ),
    Rule(
        "umask",
        "The umask",
        "a function that stands for ``os.umask``",
        CHAIN,
        (
            Change(
                "interception.py",
                '    telling(os, "umask", lambda effects, *_: effects.barrier("it sets the umask"))\n',
                "",
            ),
        ),
        ("umask, result used",),
    ),
    Rule(
        "what common libraries hold",
        "Which calls of packages such as pandas change what the package holds",
        "all but functions, classes and their own methods whose names do not begin as those of setters do",
        CHAIN,
        (Change("calls.py", " and not sets and _is_function(name, rest):", ":"),),
        ("method of what a library holds",),
    ),
    Rule(
        "registered at the first import",
        "Whether a cell registers something with a package that it is itself the first to import",
        "words of its source that begin with ``register``, and new modules of a package that it imports",
        CHAIN,
        (
            Change(
                "tracer.py",
                'if any(word.startswith("register") for word in found.words) and _loads_first',
                "if False and _loads_first",
            ),
            *NO_SETTERS,
        ),
        ("registered with a library that is imported there",),
    ),
    Rule(
        "first imports",
        "Which packages a cell was the first to load, of those that it imports by name and that may show something then",
        "``sys.modules`` before and after; it counts where the cell shows something",
        "what a library shows that no cell imports by name is not seen",
        (Change("tracer.py", '- reading.SILENT - {""}', "- names"),),
        ("imported twice", "first import removed"),
    ),
)
ROUNDABOUT = (
    Rule(
        "setters wherever they stand",
        "Functions of libraries that are named like setters, also where they are kept or their value is used",
        "names and attributes of the source, and what they stand for",
        CHAIN,
        NO_SETTERS,
        ("set: setter in a dict", "set: setter in a partial", "set: setter whose value is kept"),
    ),
    Rule(
        "setters whose state is kept",
        "Functions of libraries that set how errors are handled, a timer or the first day of a week, and return what was before",
        "their names",
        CHAIN,
        (Change("names.py", '|set|seterr|setfirstweekday"\n    r"|setitimer|', "|set|"),),
        (
            "set: errors of scipy, their former state kept",
            "set: timer, its former state kept",
        ),
    ),
    Rule(
        "stdin of the notebook",
        "What a cell reads from a ``sys.stdin`` that the notebook has put there",
        "the words ``stdin`` and ``input`` of cells, functions and modules, while it is not the kernel's",
        CHAIN,
        (Change("tracer.py", "if identity(sys.stdin) != self._stdin and self", "if False and self"),),
        (
            "stdin of the notebook",
            "stdin of the notebook, read by a function",
        ),
    ),
    Rule(
        "setters of what a library holds",
        "The same of methods of an object that a library's module holds",
        "the object that the path before them leads to",
        CHAIN,
        (Change("calls.py", "        return self._called(module, list(path[-2:]), shown)", "        return None"),),
        ("set: handed to map",),
    ),
    Rule(
        "contexts that stay entered",
        "Contexts that are entered by name, and not by ``with``",
        "``__enter__``, ``enter_context`` and their like in the source, and in the bytecode of functions",
        CHAIN,
        (NO_ENTERED,),
        ("set: context that is entered by name", "set: context that stays entered"),
    ),
    Rule(
        "what harmless modules hold",
        "Objects, and other modules, in a module whose own functions leave nothing behind",
        "what the path of a call leads to; methods whose names say that they change it",
        CHAIN,
        (Change("calls.py", "return self._called_inside(name, rest, shown)", "return None"), *NO_SETTERS),
        ("set: colormap", "set: style library"),
    ),
    Rule(
        "what the notebook's functions are given",
        "An object that a library's module holds, handed on to a function of the notebook",
        "arguments that are plain names or attributes",
        CHAIN,
        (Change("calls.py", "return self._given(path[1], path[2:], variables)", "return None"),),
        ("set: colormap that is handed on",),
    ),
    Rule(
        "bound methods in variables",
        "Methods of an object that a library's module holds, called by a variable of the notebook",
        "the object of the method, and the method's name",
        CHAIN,
        (Change("calls.py", "if isinstance(value, types.MethodType) and not rest:", "if False:"),),
        ("set: bound method, where not all is looked at",),
    ),
    Rule(
        "names in loops",
        "Names for what libraries hold, given by a loop, of a function or deleted afterwards",
        "loops over what stands in brackets",
        "not seen",
        (Change("unsteady.py", "isinstance(node, (ast.For, ast.AsyncFor)) and", "False and"),),
        ("set: colormaps in a loop", "set: class that is imported there, by a name that is gone"),
    ),
    Rule(
        "lists that grow",
        "``+=`` where the name is one of a library's list",
        "the object of that name",
        CHAIN,
        (
            Change(
                "names.py",
                "elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):",
                "elif False:",
            ),
        ),
        ("set: list of a module",),
    ),
    Rule(
        "what draws figures",
        "The settings of matplotlib that the kernel makes too",
        "texts of the source, beside ``rcParams`` or ``rc``",
        CHAIN,
        (Change("tracer.py", "if not _OF_KERNEL.isdisjoint(found.constants) and", "if False and"),),
        ("set: backend",),
    ),
    Rule(
        "private names in libraries",
        "Functions and classes of the notebook that a library's class or module holds under a private name",
        "the module that the function or class is of",
        CHAIN,
        (Change("libraries.py", " and not self._is_of_notebook(now):", ":"),),
        ("set: how a library's class is shown",),
    ),
    Rule(
        "classes that are imported there",
        "What functions of a cell change in classes of a library that the cell is itself the first to import",
        "attributes that they store into, of names of their own, where the cell has loaded modules",
        CHAIN,
        (Change("tracer.py", 'if record["modules"] and any(map(', "if False and any(map("),),
        ("set: class that is imported there, by a function",),
    ),
    Rule(
        "filters of loggers",
        "Filters of loggers, beside handlers and levels",
        "all loggers on which something is set",
        CHAIN,
        (Change("slots.py", "filters = [plain(one) for one in list(logger.filters)]", "filters = []"),),
        ("set: filter of a logger",),
    ),
    Rule(
        "colormaps of other libraries",
        "Colormaps that a library has registered with matplotlib when it was imported",
        "their names in the cell's words and texts, where it does not use the library itself",
        CHAIN,
        (
            Change(
                "tracer.py",
                "if (name := self._registered_by_others(",
                "if False and (name := self._registered_by_others(",
            ),
        ),
        ("colormap that a library has registered",),
    ),
    Rule(
        "variables in lines of magics",
        "``{name}`` and ``$name`` in the line of a magic",
        "its text",
        "inputs of the cell, whether they are replaced or not",
        (Change("names.py", '_EXPANDED.findall(texts[1] if len(texts) > 1 else "")', "()"),),
        ("set: precision by a variable",),
    ),
    Rule(
        "texts of queries that others hold",
        "Texts that name variables, in partial functions and in attributes of plain objects",
        "what they hold, a few levels deep",
        "the variables are inputs as soon as some code of the notebook names ``query`` or ``eval``",
        (
            Change("tracer.py", "elif type(value) is functools.partial:", "elif False:"),
            Change("tracer.py", "elif type(value) is types.SimpleNamespace or", "elif False and"),
        ),
        ("text of a query: partial", "text of a query: attribute"),
    ),
    Rule(
        "methods that ask texts",
        "Code that may look for variables because of a text",
        "the words ``query`` and ``eval`` in sources, called there or not",
        "not seen",
        (Change("tracer.py", '(r"\\b(?:query|eval)\\b")', '(r"\\b(?:query|eval)\\s*\\(")'),),
        ("text of a query: method",),
    ),
    Rule(
        "layout of records",
        "Offsets, titles, size and class of the elements of structured arrays",
        "``repr`` of the type",
        "another value",
        (Change("arrays.py", "dtype.isalignedstruct, repr(dtype))", "dtype.isalignedstruct)"),),
        ("layout of records: size", "layout of records: titles", "layout of records: type"),
    ),
    Rule(
        "slots that pickling leaves out",
        "Public slots of objects of libraries that their own hooks for pickling do not tell",
        "the descriptors of the classes",
        "another value",
        (Change("layouts.py", 'if key[:1] != "_" and not any(', "if False and not any("),),
        ("what sympy keeps beside its arguments: domain", "what sympy keeps beside its arguments: pattern"),
    ),
    Rule(
        "memory that a function overwrites",
        "Arguments that let scipy and sklearn write into what they are given",
        "``overwrite_…=True`` and ``copy_…=False`` in the source",
        CHAIN,
        (Change("tracer.py", r"|overwrite_\w+\s*=\s*True", ""),),
        ("memory that scipy writes into",),
    ),
    Rule(
        "commands with dates",
        "Texts that give something else in every run as a command, where code runs commands",
        "the texts of the source, beside ``subprocess`` and its like",
        "volatile",
        (Change("unsteady.py", "if commands and _text_of_command(node):", "if False:"),),
        ("command with a date",),
    ),
)
KEPT = (
    Rule(
        "distributions of the project",
        "Which distributions there are in a folder of ``sys.path`` that is not an installed one, where a cell asks for any",
        "the names that tell of one (``*.dist-info``)",
        "what is read of one is a file as others",
        (
            Change(
                "effects.py",
                '            self.files.first_touch("%s/%s%s" % (folder.rstrip("/"), name, DISTRIBUTIONS))',
                "            pass",
            ),
        ),
        ("distribution that appears: entry points", "distribution that appears: version"),
    ),
    Rule(
        "what modules of the project bind",
        "Which function, class or module each variable of a module stands for, and from which file the module is",
        "a digest of the modules' variables (``var:NAME:()``), with code, bases of names and members of classes",
        "code that cannot be written counts by its name",
        (Change("bindings.py", "if (told := self._told_safely(name, variable, value)) is not None", "if False"),),
        (
            "what a module's name stands for: function",
            "what a module's name stands for: builtin",
            "what an import decides",
        ),
    ),
    Rule(
        "members of enumerations",
        "What the members of an enumeration of a module of the project hold beside a constant value",
        "the members' own dictionaries, and values that can be changed",
        "lineage",
        (
            Change(
                "own_code.py",
                "found, passed_over = (_of_enumeration(kind), members",
                "found, passed_over = ([], members",
            ),
        ),
        (
            "corner of a module: member of an enumeration",
            "corner of a module: value of a member of an enumeration",
        ),
    ),
    Rule(
        "code and variables of enumerations",
        "Variables and methods of an enumeration of a module",
        "as those of other classes, without what Python notes there",
        "lineage",
        (
            Change(
                "own_code.py",
                "if passed_over is not None and (key in passed_over or _is_of_enumerations(key)):",
                "if passed_over is not None:",
            ),
        ),
        (
            "corner of a module: variable of an enumeration",
            "corner of a module: default of a method of an enumeration",
            "corner of a module: closure of a method of an enumeration",
        ),
    ),
    Rule(
        "bases and metaclasses",
        "Bases and metaclasses of a module's classes that stand under no name",
        "they are walked with the class",
        "lineage",
        (
            Change(
                "own_code.py",
                "return found + [OwnCode(base) for base in (*bases_of(kind), type(kind)) if not stands_at_home(base)]",
                "return found",
            ),
        ),
        (
            "corner of a module: base that a function has made",
            "corner of a module: metaclass that a function has made",
        ),
    ),
    Rule(
        "classes that classes hold",
        "Classes that a class of a module holds, and that stand under no name",
        "they are walked with the class",
        "lineage",
        (Change("own_code.py", "        if not stands_at_home(member):\n            return OwnCode(member)\n", ""),),
        ("corner of a module: class that a class holds",),
    ),
    Rule(
        "classes that libraries have made",
        "Classes of a module that a call of a library has made, and that the library does not hold",
        "what such a class holds, as others of the module",
        "lineage",
        (
            Change(
                "own.py",
                "            return stands_at_home(value)\n",
                "            return home not in self.names or stands_at_home(value)\n",
            ),
        ),
        (
            "corner of a module: dataclass that a call has made",
            "corner of a module: abstract class that a call has made",
        ),
    ),
    Rule(
        "properties over objects",
        "What a property of a module's class calls, where that is no plain function",
        "its digest",
        "lineage",
        (
            Change(
                "own_code.py", "return None if part is None or isinstance(part, _DESCRIPTORS) else part", "return None"
            ),
        ),
        ("corner of a module: property over an object",),
    ),
    Rule(
        "properties over methods of objects",
        "The object whose method a property of a module's class calls",
        "its digest",
        "lineage",
        (Change("own_code.py", "if is_method_of_object(part):", "if False:"),),
        ("corner of a module: property over a method of a list",),
    ),
    Rule(
        "what describes code",
        "Docstrings and names of a module's functions; docstrings, annotations and ``__match_args__`` of its classes",
        "texts, in the digest of the module's variables",
        "other annotations count by their names",
        (
            Change("bindings.py", ', text_of(members_of(kind).get("__doc__")), _annotated(kind))', ")"),
            Change(
                "bindings.py",
                "called = value.__name__, value.__qualname__, text_of(value.__doc__)",
                "called = value.__qualname__",
            ),
        ),
        (
            "corner of a module: docstring of a function",
            "corner of a module: name of a function",
            "corner of a module: annotations of a class",
            "corner of a module: what patterns match",
        ),
    ),
    Rule(
        "class of a module",
        "The class that a module is of, which may give it properties",
        "its name",
        "not seen",
        (Change("bindings.py", ", text_of(text), text_of(qualname_of(kind))\n", ", text_of(text)\n"),),
        ("corner of a module: class of a module",),
    ),
    Rule(
        "classes of factories",
        "Members of a class that another module has made, and does not hold under its name",
        "the digest of the variables of the module that holds it",
        "code that cannot be written counts by its name",
        (Change("bindings.py", "if home != name and stands_at_home(kind):", "if home != name:"),),
        ("corner of a module: class of a factory elsewhere",),
    ),
    Rule(
        "names between underscores",
        "Plain data that a class of a module holds under a name between double underscores",
        "the class's dictionary, without what Python and a few libraries note there",
        "lineage",
        (Change("own_code.py", " and not _is_told_between(key, member)):", "):"),),
        ("corner of a module: number between underscores",),
    ),
    Rule(
        "methods of objects in classes",
        "Methods of objects that a class of a module holds",
        "their digests, with the object",
        "lineage",
        (Change("own_code.py", "    if is_method_of_object(member):", "    if False:"),),
        (
            "corner of a module: object of a method in a class",
            "corner of a module: method of a list in a class",
        ),
    ),
    Rule(
        "what classes of modules bind",
        "Modules, patterns and loggers that a class of a module holds",
        "what each stands for, in the digest of the module's variables",
        "code that cannot be written counts by its name",
        (
            Change("bindings.py", "    if type(member) is types.ModuleType:", "    if False:"),
            Change("bindings.py", "    if is_still(type(member)):", "    if False:"),
        ),
        (
            "corner of a module: module in a class",
            "corner of a module: pattern in a class",
            "corner of a module: logger in a class",
        ),
    ),
    Rule(
        "functions and classes called ``_``",
        "What is registered somewhere and called as IPython calls the last output",
        "it is looked into: no variable stands for it",
        "another value",
        (
            Change("definitions.py", " and not HISTORY_NAME.match(name)", ""),
            Change("definitions.py", "if HISTORY_NAME.match(steps[0]):", "if False:"),
        ),
        ("function called _", "what a function called _ reads"),
    ),
    Rule(
        "magics without their sign",
        "Single lines that IPython takes for a magic or macro",
        "what IPython makes of them",
        "they count as the Python that they are",
        (Change("tracer.py", "if len(source.strip().splitlines()) == 1 and", "if False and"),),
        ("magic without its sign: whos", "magic without its sign: that is a sum"),
    ),
    Rule(
        "backend of matplotlib",
        "The backend that is asked for by ``get_backend()``",
        "the name in the syntax tree and in code",
        CHAIN,
        (Change("names.py", ', "get_backend"', ""),),
        ("name of the backend",),
    ),
    Rule(
        "%matplotlib inline",
        "``%matplotlib inline`` where another backend is set",
        "matplotlib's own setting, or else ``MPLBACKEND``, just before the cell",
        CHAIN,
        (Change("calls.py", " and self._effects.draws_inline", ""),),
        ("figures that a magic shows",),
    ),
    Rule(
        "annotations of the notebook",
        "``__annotations__``, which any annotated assignment changes",
        "the name in the syntax tree",
        CHAIN,
        (Change("names.py", ' or name == "__annotations__"', ""),),
        ("annotations of the notebook",),
    ),
    Rule(
        "handlers that keep what is logged",
        "Calls that log, while logging has handlers that are not Python's own or write elsewhere than to the output",
        "methods of loggers, by the names ``info``, ``warning`` and so on",
        CHAIN,
        (
            Change("calls.py", ' and self._effects.is_plain("logging")):', "):"),
            Change("calls.py", "if len(path) > 1 and path[-1] in _SETTLED and not", "if False and not"),
        ),
        ("handler that keeps what is logged: stream", "handler that keeps what is logged: by a method"),
    ),
    Rule(
        "code that libraries hold",
        "What functions of the notebook read and change that were handed to a library",
        "the code that runs, from Python 3.12 on; before that, what was handed to functions that may keep it",
        "what is handed to a function that is taken to keep nothing is not seen before Python 3.12",
        (NO_CODES, NO_HANDED),
        (
            "what code reads that a library holds: helper of an accessor",
            "what code reads that a library holds: option",
        ),
    ),
)
RULES: tuple[Rule, ...] = (*NAMES, *VALUES, *FILES, *AMBIENT, *REPEATED, *CODE, *LEFT, *ROUNDABOUT, *KEPT)
