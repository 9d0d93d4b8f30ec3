"""Notebooks that others have written, and random edits of their cells: constants, operators, lines, whole cells."""

from __future__ import annotations

import ast
import json
import random
import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fuzz.harness import Version

MOST_CELLS = 80
NUMBER = re.compile(r"(?<![\w.\"'])\d+(?![\w.\"'])")
OPERATOR = re.compile(r" ([-+*<>]|<=|>=|==) ")
OTHER = {"+": "-", "-": "+", "*": "+", "<": "<=", ">": ">=", "<=": "<", ">=": ">", "==": "!="}
ASKS_SOMEBODY = re.compile(
    r"https?://|urllib|requests\.|\binput\(|!\s*(?:pip|curl|wget|git|conda)|%%(?:bash|sh|script)"
)
TELLS_TIMES = re.compile(r"%%?(?:timeit|time|prun|lprun|mprun|memit)\b")
Edit = Callable[["Editor"], str]
DISTURBS = (
    "import random\nrandom.seed({n})",
    "import random\nfor _ in range({n}):\n    random.random()",
    "import numpy as np\nnp.random.seed({n})",
    "import numpy as np\nnp.random.rand({n})\nNone",
    "import numpy as np\nnp.set_printoptions(precision={n})",
    "import numpy as np\nnp.seterr(all='ignore')\nNone",
    "import pandas as pd\npd.set_option('display.precision', {n})",
    "import pandas as pd\npd.options.display.max_rows = 1{n}",
    "import matplotlib.pyplot as plt\nplt.rcParams['figure.figsize'] = ({n}, 3)",
    "import matplotlib.pyplot as plt\nplt.style.use('ggplot')",
    "import warnings\nwarnings.simplefilter('ignore')",
    "import os\nos.environ['FZ_{n}'] = '1'",
    "import sys\nsys.path.append('{n}')",
    "import os, tempfile\nos.chdir(tempfile.gettempdir())",
    "from math import *",
    "sum = max",
    "import decimal\ndecimal.getcontext().prec = {n}",
    "%precision {n}",
    "open('fz.txt', 'w').write('{n}')\nNone",
)
"""Cells that change what is around: generators, options, folders, builtins."""
CHANGES = (
    "{name} = {name} * 2",
    "{name} += {name}",
    "{name}[0] = {name}[1]",
    "{name}.append({name}[0])",
    "{name}.pop()",
    "{name}.clear()",
    "{name}.update(fz={n})",
    "{name}.add({n})",
    "{name}.fz = {n}",
    "{name}.sort()",
    "{name}.iloc[0, 0] = {n}",
    "{name}['fz'] = {n}",
    "{name}.values[0] = {name}.values[1]",
    "del {name}",
    "fz = {name}",
    "fz_old = {name}\ndef {name}(*given, **named):\n    return fz_old(*given, **named)",
)
"""What may change a variable; most fail for most, and then nothing is changed."""


def notebooks(folders: list[Path]) -> list[Path]:
    """Return the notebooks in some folders whose cells are Python, are not too many, ask nobody and tell no times."""
    return [path for folder in folders for path in sorted(folder.rglob("*.ipynb")) if sources_of(path)]


def sources_of(path: Path) -> list[str]:
    """Return the sources of a notebook's code cells; none of one that is left out."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cells = content.get("cells") or [cell for sheet in content.get("worksheets", []) for cell in sheet["cells"]]
    except (ValueError, AttributeError, UnicodeDecodeError):
        return []
    found = []
    for cell in cells:
        source = cell.get("source", cell.get("input", ""))
        text = source if isinstance(source, str) else "".join(source)
        if cell.get("cell_type") == "code" and text.strip():
            found.append(text)
    left_out = any(ASKS_SOMEBODY.search(source) or TELLS_TIMES.search(source) for source in found)
    return [] if left_out or len(found) > MOST_CELLS else found


def versions_of(path: Path, seed: int, edits: int) -> list[Version]:
    """Return a notebook and its versions after each of so many edits, the same for the same seed."""
    editor = Editor(sources_of(path), random.Random(f"{seed} {path.name}"))
    found = [Version(tuple(editor.cells))]
    for _ in range(edits):
        told = editor.edit()
        found.append(replace(Version(tuple(editor.cells)), edit=told))
    return found


class Editor:
    """Edits cells at random, one edit at a time."""

    def __init__(self, sources: list[str], chance: random.Random) -> None:
        self.cells = [(f"c{number}", source) for number, source in enumerate(sources)]
        self._first, self._chance, self._inserted = list(self.cells), chance, 0

    def edit(self) -> str:
        """Edit a cell, or undo all edits now and then; return what was done."""
        if self.cells != self._first and self._chance.random() < 0.1:
            self.cells = list(self._first)
            return "all as it was"
        while True:
            way = self._chance.choice(EDITS)
            told = way(self)
            if told:
                return told

    def pick(self) -> int:
        """Return the position of a cell."""
        return self._chance.randrange(len(self.cells))

    def choose(self, found: list[re.Match[str]]) -> re.Match[str] | None:
        """Return one of what was found."""
        return self._chance.choice(found) if found else None

    def insert(self, position: int, source: str, told: str) -> str:
        """Put a cell before a position."""
        self._inserted += 1
        self.cells.insert(position, (f"n{self._inserted}", source))
        return f"{told} at {position}"

    def put(self, position: int, source: str, told: str) -> str:
        """Give a cell another source, unless that is no Python and was before."""
        cell_id, before = self.cells[position]
        if source == before or (_parses(before) and not _parses(source)) or not source.strip():
            return ""
        self.cells[position] = cell_id, source
        return f"{told} in {cell_id}"


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _replaced(editor: Editor, pattern: re.Pattern[str], new: Callable[[str], str]) -> str:
    position = editor.pick()
    source = editor.cells[position][1]
    match = editor.choose(list(pattern.finditer(source)))
    if match is None:
        return ""
    was = match[1] if pattern.groups else match[0]
    at = match.start(1) if pattern.groups else match.start()
    return editor.put(position, source[:at] + new(was) + source[at + len(was) :], f"{was} became {new(was)}")


def _number(editor: Editor) -> str:
    return _replaced(editor, NUMBER, lambda text: str(int(text) + 1))


def _operator(editor: Editor) -> str:
    return _replaced(editor, OPERATOR, lambda text: OTHER[text])


def _less(editor: Editor) -> str:
    position = editor.pick()
    lines = editor.cells[position][1].split("\n")
    gone = editor._chance.randrange(len(lines))
    return editor.put(position, "\n".join(lines[:gone] + lines[gone + 1 :]), f"line {gone + 1} went")


def _swap(editor: Editor) -> str:
    position = editor.pick()
    lines = editor.cells[position][1].split("\n")
    if len(lines) < 2:
        return ""
    at = editor._chance.randrange(len(lines) - 1)
    lines[at : at + 2] = reversed(lines[at : at + 2])
    return editor.put(position, "\n".join(lines), f"lines {at + 1} and {at + 2} changed places")


def _comment(editor: Editor) -> str:
    position = editor.pick()
    source = editor.cells[position][1]
    return "" if source.startswith("%%") else editor.put(position, f"{source}\n# seen", "a comment came")


def _moved(editor: Editor) -> str:
    if len(editor.cells) < 2:
        return ""
    at = editor._chance.randrange(len(editor.cells) - 1)
    editor.cells[at : at + 2] = reversed(editor.cells[at : at + 2])
    return f"{editor.cells[at + 1][0]} and {editor.cells[at][0]} changed places"


def _copied(editor: Editor) -> str:
    at = editor.pick()
    cell_id, source = editor.cells[at]
    if f"{cell_id}b" in dict(editor.cells):
        return ""
    editor.cells.insert(at + 1, (f"{cell_id}b", source))
    return f"{cell_id} came twice"


def _gone(editor: Editor) -> str:
    if len(editor.cells) < 2:
        return ""
    cell_id, _ = editor.cells.pop(editor.pick())
    return f"{cell_id} went"


def _disturbed(editor: Editor) -> str:
    source = editor._chance.choice(DISTURBS).replace("{n}", str(editor._chance.randrange(1, 9)))
    return editor.insert(editor.pick(), source, f"{source!r} came")


def _changed(editor: Editor) -> str:
    position = editor.pick()
    names = sorted({name for _, source in editor.cells[:position] for name in _bound(source)})
    if not names:
        return ""
    filling = {"name": editor._chance.choice(names), "n": editor._chance.randrange(1, 9)}
    body = textwrap.indent(editor._chance.choice(CHANGES).format(**filling), "    ")
    return editor.insert(position, f"try:\n{body}\nexcept Exception:\n    pass", f"{body.strip()!r} came")


def _bound(source: str) -> set[str]:
    """Return the names that a cell binds."""
    if not _parses(source):
        return set()
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            inner = (part for part in ast.walk(node) if isinstance(part, ast.Name))
            found.update(part.id for part in inner if isinstance(part.ctx, ast.Store))
    return found


def _split(editor: Editor) -> str:
    """Make two cells of one."""
    position = editor.pick()
    cell_id, source = editor.cells[position]
    if not _parses(source) or len(body := ast.parse(source).body) < 2:
        return ""
    line = editor._chance.choice(body[1:]).lineno - 1
    lines = source.split("\n")
    if not _parses("\n".join(lines[:line])) or not _parses("\n".join(lines[line:])):
        return ""
    editor.cells[position] = cell_id, "\n".join(lines[:line])
    return editor.insert(position + 1, "\n".join(lines[line:]), f"{cell_id} became two")


def _joined(editor: Editor) -> str:
    """Make one cell of two."""
    position = editor.pick()
    if position + 1 >= len(editor.cells):
        return ""
    told = editor.put(position, f"{editor.cells[position][1]}\n{editor.cells[position + 1][1]}", "the next joined")
    if told:
        editor.cells.pop(position + 1)
    return told


EDITS = (
    *(_number, _number, _number, _operator, _operator, _less, _less, _swap, _swap, _comment, _moved, _copied, _gone),
    *(_disturbed, _changed, _changed, _split, _joined),
)
