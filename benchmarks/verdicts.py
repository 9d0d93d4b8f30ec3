"""A small notebook, edits of what its cells depend on, and the commands whose verdicts are judged after each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks import tools
from benchmarks.notebooks import Cell, write_notebook, write_percent, write_rewritten
from benchmarks.tools import JELLYCELL_REWRITTEN, Command, Edit

SCALE = "def scaled(values):\n    return [value * 2 for value in values]\n"
VALUES = "[1, 2, 3]\n"
SETUP = "import json\nfrom pathlib import Path\n\nimport scale"
LIMIT = "limit = 10  # at most"
READ = "values = json.loads(Path('values.json').read_text())"
COMPUTE = "scaled = scale.scaled(values)"
FUNCTION = "def within(numbers, most):\n    return all(number <= most for number in numbers)"
LENGTHS = "assert len(scaled) == len(values)"
LARGEST = "# The largest one counts.\nassert within(scaled, limit)"
SOURCES = (SETUP, LIMIT, READ, COMPUTE, FUNCTION, LENGTHS, LARGEST)
REWRITTEN = (
    Cell(LIMIT, leaves=("limit",)),
    Cell(READ, leaves=("values",)),
    Cell(COMPUTE, takes=("values",), leaves=("scaled",)),
    Cell(LENGTHS, takes=("values", "scaled")),
    Cell(LARGEST, takes=("limit", "scaled")),
)

# No edit keeps the length of a file: Python itself takes a module of the same second and length for the old one.
NOTEBOOK = ""
EDITS = (
    ("a variable in a cell above", False, NOTEBOOK, "limit = 10", "limit = 5"),
    ("a data file", False, "values.json", "3", "300"),
    ("an imported module", False, "scale.py", r"\* 2", "* 20"),
    ("a comment in a cell above", True, NOTEBOOK, "at most", "the largest allowed"),
    ("a comment in the last cell", True, NOTEBOOK, "The largest one counts", "It is the largest one that counts"),
)


def project(folder: Path) -> Path:
    """Write the notebook, in each form, and what its cells read; return the folder it lies in."""
    notebooks = folder / "notebooks"
    write_notebook(notebooks / "checks.ipynb", SOURCES)
    write_percent(notebooks / "checks.py", SOURCES)
    write_rewritten(notebooks / "rewritten.py", f"{SETUP}\n{FUNCTION}", REWRITTEN)
    notebooks.joinpath("scale.py").write_text(SCALE, encoding="utf-8")
    notebooks.joinpath("values.json").write_text(VALUES, encoding="utf-8")
    return notebooks


def commands(folder: Path) -> list[tuple[Command, Path]]:
    """Return a command for each tool, with a project of its own in `folder`, and the notebook it runs."""
    names = ("cells", "nbmake", "jellycell", "rewritten", "cache")
    cells, nbmake, jellycell, rewritten, cache = (project(folder / name) for name in names)
    same = tools.jellycell(jellycell / "checks.py", {"passed": 7})
    other = tools.jellycell(rewritten / "rewritten.py", {"passed": 6}, tool=JELLYCELL_REWRITTEN)
    return [
        (tools.cells(cells.parent, {"passed": 7}), cells / "checks.ipynb"),
        (tools.nbmake(nbmake.parent, {"passed": 1}), nbmake / "checks.ipynb"),
        (same, jellycell / "checks.py"),
        (other, rewritten / "rewritten.py"),
        (tools.jupyter_cache(cache.parent, cache / "checks.ipynb"), cache / "checks.ipynb"),
    ]


def verdicts(folder: Path) -> list[Command]:
    """Prepare a project for each edit and each tool, in which all passes before it and the verdict after it matters."""
    judged = []
    for number, (name, passes, file, old, new) in enumerate(EDITS):
        for command, notebook in commands(folder / f"edit_{number}"):
            path = notebook if file == NOTEBOOK else notebook.with_name(file)
            edit = Edit(name, passes, path, old, new)
            judged.append(replace(command, first=command.expected, expected={}, edit=edit))
    return judged
