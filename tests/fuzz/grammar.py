"""Random notebooks and random edits of them. A seed gives the same on every machine."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from fuzz.harness import PROBE, Version
from fuzz.kinds import FAMILIES, HARMFUL, KINDS, POOLS, PROBED, Kind
from fuzz.probe import probe
from fuzz.project import draws, first_files, helpers, registry, users

STEPS = 6
SLOT = re.compile(rf"([$@?!])({'|'.join(sorted(POOLS, key=len, reverse=True))})(\d?)\b")
CONSTANT = re.compile(r"\$([KFQO])(\d?)(?![a-z])")
WORDS = ("red", "green", "blue", "sun", "moon", "kiwi", "plum")
OPERATORS = ("+", "-", "*")
MAKERS = {
    "int": "@int = $K",
    "str": "@str = $Q",
    "list": "@list = [$K1, $K2]",
    "nest": "@nest = [$list, $list]",
    "dict": '@dict = {"k": $list, "n": $K}',
    "set": "@set = {$K1, $K2}",
    "fn": "def @fn(x):\n    return x $O $K",
    "fns": "@fns = [$fn]",
    "gen": "@gen = iter($list)",
    "obj": "@obj = $cls($K)",
    "call": "@call = lambda: ?int",
    "misc": "from types import SimpleNamespace\n@misc = SimpleNamespace(inner=$list, n=$K)",
    "rand": "import random\n@rand = random.random()",
    "un": "import time\n@un = time.time_ns()",
}
"""What makes the first value of a pool; for others the first kind that binds one."""


@dataclass(frozen=True)
class Statement:
    """One statement: a kind, and what fills its slots."""

    kind: Kind
    names: Mapping[str, str]
    constants: Mapping[str, str]

    @property
    def source(self) -> str:
        """The text."""
        text = SLOT.sub(lambda match: self.names[match[0]], self.kind.template)
        return CONSTANT.sub(lambda match: self.constants[match[0]], text)

    def used(self, sigils: str) -> list[str]:
        """Return the names in slots of these sigils."""
        return [name for slot, name in self.names.items() if slot[0] in sigils]


@dataclass(frozen=True)
class FuzzCell:
    """One cell."""

    id: str
    statements: tuple[Statement, ...]
    comment: int = 0
    """A number that the first line tells in a comment, 0 for no such line."""

    @property
    def source(self) -> str:
        """The text."""
        text = "\n".join(statement.source for statement in self.statements)
        if not self.comment:
            return text
        if text.startswith("%%") and not text.startswith(("%%time\n", "%%capture")):
            return text
        if text.startswith(("%%", "# cells:")):
            first, _, rest = text.partition("\n")
            return f"{first}\n# note {self.comment}\n{rest}"
        return f"# note {self.comment}\n{text}"


@dataclass(frozen=True)
class Project:
    """One version of a project."""

    cells: tuple[FuzzCell, ...]
    files: Mapping[str, str]
    env: Mapping[str, str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    """What names of the pools are called now."""


class Author:
    """Writes a random notebook and edits it."""

    def __init__(self, seed: int, families: Collection[str] = FAMILIES, *, declare: bool = False) -> None:
        self._random = random.Random(seed)
        self._next_id = 0
        self._declare = declare
        """Whether each cell declares the files and environment variables that it may read."""
        spice = [name for name in FAMILIES if name in HARMFUL and name in families]
        allowed = set(self._random.sample(spice, min(len(spice), self._random.choice([0, 0, 1, 1, 2, 3]))))
        plain = [name for name in FAMILIES if name not in HARMFUL and name in families]
        some = self._random.sample(plain, min(len(plain), self._random.randint(3, 7)))
        self._kinds = [kind for kind in KINDS if kind.family in {*some, "basic", "alias", *allowed} & {*families}]
        shares = {name: 0.5 if name in HARMFUL else 1.0 for name in FAMILIES}
        sizes = {name: sum(kind.family == name for kind in self._kinds) for name in FAMILIES}
        self._weights = [kind.weight * shares[kind.family] / sizes[kind.family] ** 0.7 for kind in self._kinds]
        self._probed = self._random.random() < 0.6
        """Whether the last cell tells all variables; else only what cells show is compared."""

    # -- writing -----------------------------------------------------------------------------------------------

    def versions(self, steps: int = STEPS) -> list[Version]:
        """Return a notebook and what it is after each of some edits."""
        project = self._first()
        history = [project]
        made = [self._version(project, "cold", ())]
        for _ in range(steps):
            edit, project, touched = self._edited(history[-1], history)
            history.append(project)
            made.append(self._version(project, edit, touched))
        return made

    def sample(self, kinds: Iterable[Kind]) -> tuple[Version, dict[str, Kind]]:
        """Return a notebook that has each of these kinds once, in cells that may fail, and which cell has which."""
        cells: list[FuzzCell] = []
        placed: dict[str, Kind] = {}
        bound: dict[str, set[str]] = {}
        for kind in kinds:
            for missing in self._missing(kind, bound):
                for made in self._makers(missing, bound, {}):
                    self._next_id += 1
                    cells.append(FuzzCell(f"c{self._next_id}", (made,)))
            self._next_id += 1
            cells.append(FuzzCell(f"c{self._next_id}", (self._statement(kind, bound, {}),)))
            placed[cells[-1].id] = kind
            note_bound(cells[-1].statements[-1], bound)
        version = self._version(Project(tuple(cells), first_files(), {"FZ_A": "1"}), "", ())
        may_fail = tuple((name, _with_directive(source, "# cells: xfail=may")) for name, source in version.cells)
        return replace(version, cells=may_fail), placed

    def _first(self) -> Project:
        cells: list[FuzzCell] = []
        for _ in range(self._random.randint(3, 14)):
            cells.append(self._cell(cells, {}))
        return Project(tuple(cells), first_files(), {"FZ_A": "1"})

    def _cell(self, above: Iterable[FuzzCell], renamed: Mapping[str, str]) -> FuzzCell:
        bound = bound_names(above)
        statements: list[Statement] = []
        for _ in range(self._random.choice([1, 1, 2, 2, 3])):
            kind = self._random.choices(self._kinds, self._weights)[0]
            if kind.alone and statements:
                break
            for missing in self._missing(kind, bound):
                statements.extend(self._makers(missing, bound, renamed))
            if kind.alone and statements:
                continue  # what it needs comes first; it may come in a later cell
            statements.append(self._statement(kind, bound, renamed))
            note_bound(statements[-1], bound)
            if kind.alone:
                break
        self._next_id += 1
        return FuzzCell(f"c{self._next_id}", tuple(statements), self._random.choice([0, 0, 0, 1]))

    def _missing(self, kind: Kind, bound: Mapping[str, set[str]]) -> list[str]:
        wanted: dict[str, set[str]] = {}
        for sigil, pool, number in SLOT.findall(kind.template):
            if sigil in "$!":
                wanted.setdefault(pool, set()).add(number)
        return [pool for pool in wanted if not bound.get(pool)]

    def _makers(self, pool: str, bound: dict[str, set[str]], renamed: Mapping[str, str]) -> list[Statement]:
        """Return statements that bind a first name of a pool, and what they need."""
        kind = maker(pool)
        made: list[Statement] = []
        for missing in self._missing(kind, bound):
            made.extend(self._makers(missing, bound, renamed))
        made.append(self._statement(kind, bound, renamed))
        note_bound(made[-1], bound)
        return made

    def _statement(self, kind: Kind, bound: Mapping[str, set[str]], renamed: Mapping[str, str]) -> Statement:
        names: dict[str, str] = {}
        taken: dict[str, set[str]] = {}
        by_slot: dict[tuple[str, str], str] = {}
        for match in SLOT.finditer(kind.template):
            sigil, pool, number = match.groups()
            if match[0] in names:
                continue
            if number and (pool, number) in by_slot:
                names[match[0]] = by_slot[pool, number]
                continue
            every = [renamed.get(name, name) for name in POOLS[pool]]
            choices = sorted(bound.get(pool, ())) if sigil in "$!" else every
            free = [name for name in choices if name not in taken.get(pool, ())] if number else choices
            names[match[0]] = self._random.choice(free or choices or every)
            if number:
                taken.setdefault(pool, set()).add(names[match[0]])
                by_slot[pool, number] = names[match[0]]
        constants: dict[str, str] = {}
        for match in CONSTANT.finditer(kind.template):
            constants.setdefault(match[0], self._constant(match[1]))
        return Statement(kind, names, constants)

    def _constant(self, sort: str) -> str:
        if sort == "K":
            return str(self._random.randrange(10))
        if sort == "F":
            return self._random.choice(["0.5", "1.5", "2.0", "-1.0"])
        if sort == "Q":
            return repr(self._random.choice(WORDS))
        return self._random.choice(OPERATORS)

    # -- editing -----------------------------------------------------------------------------------------------

    def _edited(self, project: Project, history: list[Project]) -> tuple[str, Project, tuple[str, ...]]:
        """Return what an edit did in words, what it gave, and which files it touched only."""
        edits: list[tuple[Callable[[Project], tuple[str, Project] | None], int]] = [
            (self._change_constant, 10),
            (self._change_operator, 3),
            (self._insert, 5),
            (self._insert_about_modules, 2),
            (self._delete, 3),
            (self._swap, 3),
            (self._duplicate, 2),
            (self._comment, 2),
            (self._same_meaning, 3),
            (self._rename, 1),
            (self._change_file, 4),
            (self._change_module, 4),
            (self._change_env, 1),
            (self._change_statement, 4),
            (lambda project: ("nothing", project), 1),
        ]
        if len(history) > 2:
            edits.append((lambda _: ("an earlier version", self._random.choice(history[:-1])), 3))
        for _ in range(50):
            edit = self._random.choices([edit for edit, _ in edits], [weight for _, weight in edits])[0]
            found = edit(project)
            if found is not None:
                touched = ("data.txt",) if self._random.random() < 0.05 else ()
                if self._random.random() < 0.25:
                    more = self._change_constant(found[1])
                    found = (f"{found[0]}; {more[0]}", more[1]) if more else found
                return (*found, touched)
        raise AssertionError("an insertion is always possible")

    def _pick(self, project: Project, wanted: Callable[[Statement], bool]) -> tuple[int, int] | None:
        places = [
            (number, position)
            for number, cell in enumerate(project.cells)
            for position, statement in enumerate(cell.statements)
            if wanted(statement)
        ]
        return self._random.choice(places) if places else None

    def _changed(self, project: Project, place: tuple[int, int], statement: Statement) -> Project:
        cells = list(project.cells)
        cell = cells[place[0]]
        statements = list(cell.statements)
        statements[place[1]] = statement
        cells[place[0]] = replace(cell, statements=tuple(statements))
        return replace(project, cells=tuple(cells))

    def _change_slot(self, project: Project, sorts: str) -> tuple[str, Project] | None:
        place = self._pick(project, lambda statement: any(slot[1] in sorts for slot in statement.constants))
        if place is None:
            return None
        cell = project.cells[place[0]]
        statement = cell.statements[place[1]]
        slot = self._random.choice([slot for slot in statement.constants if slot[1] in sorts])
        new = self._constant(slot[1])
        changed = replace(statement, constants={**statement.constants, slot: new})
        return f"{statement.constants[slot]} became {new} in {cell.id}", self._changed(project, place, changed)

    def _change_constant(self, project: Project) -> tuple[str, Project] | None:
        return self._change_slot(project, "KFQ")

    def _change_operator(self, project: Project) -> tuple[str, Project] | None:
        return self._change_slot(project, "O")

    def _same_meaning(self, project: Project) -> tuple[str, Project] | None:
        place = self._pick(
            project, lambda statement: not statement.kind.raw and any(slot[1] == "K" for slot in statement.constants)
        )
        if place is None:
            return None
        cell = project.cells[place[0]]
        statement = cell.statements[place[1]]
        slot = self._random.choice([slot for slot in statement.constants if slot[1] == "K"])
        same = self._random.choice(["({} + 0)", "({})", "(1 * {})"]).format(statement.constants[slot])
        same = same if len(same) < 40 else "3"
        changed = replace(statement, constants={**statement.constants, slot: same})
        return f"the same in other words in {cell.id}", self._changed(project, place, changed)

    def _change_statement(self, project: Project) -> tuple[str, Project] | None:
        """Put another statement in the place of one."""
        place = self._pick(project, lambda _: True)
        if place is None:
            return None
        number, position = place
        made = self._cell(project.cells[:number], project.renamed)
        cell = project.cells[number]
        if any(statement.kind.alone for statement in (*cell.statements, *made.statements)):
            changed = replace(cell, statements=made.statements)
        else:
            kept = cell.statements
            changed = replace(cell, statements=(*kept[:position], *made.statements, *kept[position + 1 :]))
        cells = (*project.cells[:number], changed, *project.cells[number + 1 :])
        return f"another statement in {cell.id}", replace(project, cells=cells)

    def _insert(self, project: Project) -> tuple[str, Project]:
        at = self._random.randint(0, len(project.cells))
        made = self._cell(project.cells[:at], project.renamed)
        return f"{made.id} inserted", _with_cell(project, at, made)

    def _insert_about_modules(self, project: Project) -> tuple[str, Project] | None:
        """Insert a cell that uses modules of the project, where the notebook does."""
        kinds = [kind for kind in self._kinds if kind.family == "modules" and not kind.alone]
        if not kinds or not self._pick(project, lambda statement: statement.kind.family == "modules"):
            return None
        at = self._random.randint(0, len(project.cells))
        bound = bound_names(project.cells[:at])
        kind = self._random.choice(kinds)
        statements = [
            made for missing in self._missing(kind, bound) for made in self._makers(missing, bound, project.renamed)
        ]
        statements.append(self._statement(kind, bound, project.renamed))
        self._next_id += 1
        made = FuzzCell(f"c{self._next_id}", tuple(statements))
        return f"{made.id} inserted, about modules", _with_cell(project, at, made)

    def _delete(self, project: Project) -> tuple[str, Project] | None:
        if len(project.cells) < 3:
            return None
        at = self._random.randrange(len(project.cells))
        cells = (*project.cells[:at], *project.cells[at + 1 :])
        return f"{project.cells[at].id} deleted", replace(project, cells=cells)

    def _swap(self, project: Project) -> tuple[str, Project] | None:
        if len(project.cells) < 2:
            return None
        at = self._random.randrange(len(project.cells) - 1)
        cells = list(project.cells)
        cells[at], cells[at + 1] = cells[at + 1], cells[at]
        return f"{cells[at].id} and {cells[at + 1].id} swapped", replace(project, cells=tuple(cells))

    def _duplicate(self, project: Project) -> tuple[str, Project] | None:
        if not project.cells:
            return None
        self._next_id += 1
        twin = replace(self._random.choice(project.cells), id=f"c{self._next_id}")
        at = self._random.randint(0, len(project.cells))
        return f"{twin.id} inserted, the same as another", _with_cell(project, at, twin)

    def _comment(self, project: Project) -> tuple[str, Project] | None:
        if not project.cells:
            return None
        at = self._random.randrange(len(project.cells))
        cells = list(project.cells)
        cells[at] = replace(cells[at], comment=self._random.randrange(100))
        return f"a comment in {cells[at].id}", replace(project, cells=tuple(cells))

    def _rename(self, project: Project) -> tuple[str, Project] | None:
        used = {name for cell in project.cells for statement in cell.statements for name in statement.names.values()}
        plain = sorted(name for name in used if name in PROBED and name not in project.renamed)
        if not plain:
            return None
        old = self._random.choice(plain)
        new = f"{old}_{self._random.randrange(3)}"
        cells = tuple(
            replace(
                cell,
                statements=tuple(
                    replace(
                        statement, names={slot: new if name == old else name for slot, name in statement.names.items()}
                    )
                    for statement in cell.statements
                ),
            )
            for cell in project.cells
        )
        return f"{old} renamed to {new}", replace(project, cells=cells, renamed={**project.renamed, old: new})

    def _change_file(self, project: Project) -> tuple[str, Project]:
        files = dict(project.files)
        number = self._random.randrange(10)
        what = self._random.randrange(8)
        if what <= 1:
            files["data.txt"] = f"{number} 1 2\n"
        elif what == 2:
            files["data.csv"] = f"u,v\n1,4\n2,{number}\n3,6\n"
        elif what == 3:
            files["conf.json"] = f'{{"k": [{number}], "n": 2}}\n'
        elif what == 4:
            return self._toggled(project, "flag.txt")
        elif what == 5:
            return self._toggled(project, "data/two.txt")
        elif what == 6:
            files["data/one.txt"] = f"{number}\n"
        else:
            files["script.py"] = f"script_value = {number}\nprint('script', script_value)\n"
        return "a data file changed", replace(project, files=files)

    def _toggled(self, project: Project, name: str) -> tuple[str, Project]:
        files = dict(project.files)
        if files.pop(name, None) is not None:
            return f"{name} removed", replace(project, files=files)
        return f"{name} added", replace(project, files={**files, name: f"{self._random.randrange(10)}\n"})

    def _change_module(self, project: Project) -> tuple[str, Project]:
        number = self._random.randrange(10)
        files = dict(project.files)
        what = self._random.randrange(9)
        if what <= 1:
            files["helpers.py"] = helpers(number, self._random.choice(OPERATORS), 0)
        elif what == 2:
            files["helpers.py"] = f"{files['helpers.py']}# note {number}\n"
        elif what == 3:
            files["helpers.py"] = helpers(3, "+", number)
        elif what == 4:
            files["pkg/deep.py"] = f"BASE = {number}\n"
        elif what == 5:
            files["lib/extra.py"] = f"VALUE = {number}\n"
        elif what == 6:
            files["registry.py"] = registry(number)
        elif what == 7:
            files["users.py"] = users(number)
        else:
            files["draws.py"] = draws(number)
        return "a module changed", replace(project, files=files)

    def _change_env(self, project: Project) -> tuple[str, Project]:
        name = self._random.choice(["FZ_A", "FZ_B"])
        env = {other: value for other, value in project.env.items() if other != name}
        if name in project.env and self._random.random() < 0.4:
            return f"{name} unset", replace(project, env=env)
        value = self._random.choice(["1", "2"])
        return f"{name} set to {value}", replace(project, env={**env, name: value})

    # -- as the harness takes it ---------------------------------------------------------------------------------

    def _version(self, project: Project, edit: str, touched: Collection[str]) -> Version:
        cells = [(cell.id, cell.source) for cell in project.cells]
        if self._probed:
            cells.append((PROBE, probe((*PROBED, *sorted(project.renamed.values())))))
        if self._declare:
            cells = [(name, _declared(source)) for name, source in cells]
        return Version(
            tuple(cells), project.files, project.env, unstable_cells(project.cells), frozenset(touched), edit=edit
        )


def _with_cell(project: Project, at: int, cell: FuzzCell) -> Project:
    return replace(project, cells=(*project.cells[:at], cell, *project.cells[at:]))


def maker(pool: str) -> Kind:
    """Return the kind that makes the first value of a pool."""
    template = MAKERS.get(pool)
    if template is not None:
        return next((kind for kind in KINDS if kind.template == template), Kind("makers", template))
    return next(
        kind
        for kind in KINDS
        if not kind.alone and any(found[:2] == ("@", pool) for found in SLOT.findall(kind.template))
    )


def _declared(source: str) -> str:
    """Declare what the chain rung cannot see."""
    directive = '# cells: deps="*.txt,data.csv,conf.json,data,script.py,helpers.py,lib,pkg,env:FZ_A,env:FZ_B"'
    return _with_directive(source, directive)


def _with_directive(source: str, directive: str) -> str:
    """Put a directive first, or second where a magic must be first; nowhere where all below is no Python."""
    if source.startswith("%%"):
        first, _, rest = source.partition("\n")
        return f"{first}\n{directive}\n{rest}" if first.startswith(("%%time", "%%capture")) else source
    return f"{directive}\n{source}"


def bound_names(cells: Iterable[FuzzCell]) -> dict[str, set[str]]:
    """Return by pool the names that are bound below some cells."""
    bound: dict[str, set[str]] = {}
    for cell in cells:
        for statement in cell.statements:
            note_bound(statement, bound)
    return bound


def note_bound(statement: Statement, bound: dict[str, set[str]]) -> None:
    """Note what a statement binds and deletes."""
    for slot, name in statement.names.items():
        pool = slot[1:].rstrip("0123456789")
        if slot[0] == "@":
            bound.setdefault(pool, set()).add(name)
        elif slot[0] == "!":
            bound.get(pool, set()).discard(name)


def unstable_cells(cells: Iterable[FuzzCell]) -> frozenset[str]:
    """Return the ids of cells that tell or leave something else in every run.

    Those are what an unstable statement is in, what draws from a global generator that no cell above has seeded,
    and what reads a name of the pools `rand` and `un` that such a cell bound.
    """
    tainted: set[str] = set()
    seeded: set[str] = set()
    found: set[str] = set()
    for cell in cells:
        for statement in cell.statements:
            kind = statement.kind
            own = kind.unstable or bool(kind.draws and kind.draws not in seeded)
            own = own or not tainted.isdisjoint(statement.used("$?"))
            if own:
                found.add(cell.id)
                tainted.update(statement.used("@"))
            else:
                tainted.difference_update(statement.used("@"))
            if kind.seeds:
                seeded.add(kind.seeds)
    return frozenset(found)
