"""What a cell's source tells without being run: the modules and scripts that it names."""

from __future__ import annotations

import ast
import io
import json
import re
import shlex
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

OTHER_LANGUAGES = frozenset(
    {"bash", "sh", "html", "HTML", "javascript", "js", "latex", "markdown", "svg", "SVG", "writefile", "file"}
    | {"perl", "ruby", "R", "sql", "script", "system", "sx", "!"}
)
"""Cell magics whose body is no Python that this process runs; of all others it is taken to be."""
MAGIC_LINE = re.compile(r"^(\s*)(?:[%!?].*|[\w.*%]+\?\??\s*)$")
ASSIGNED_MAGIC = re.compile(r"^(\s*[\w.,\s\[\]]+=\s*)[%!].*$")
TIMED_LINE = re.compile(
    r"^(\s*)%{1,2}(?:time|timeit|prun|memit|lprun|mprun)\b(?:\s+-[nrpslTDf]\s*=?\s*\S+|\s+-\w+)*\s*(.*)$"
)
RUN_LINE = re.compile(r"^\s*%run\s+(.*)$", re.MULTILINE)
CD_LINE = re.compile(r"^\s*%?cd[ \t]+(.*?)\s*$", re.MULTILINE)
EXTENSION_LINE = re.compile(r"^\s*%(?:re)?load_ext\s+([\w.]+)", re.MULTILINE)
IMPORT_LINE = re.compile(r"^\s*import\s+(.+)$", re.MULTILINE)
FROM_LINE = re.compile(r"^\s*from\s+([\w.]+)\s+import", re.MULTILINE)
RUN_VALUES = frozenset({"-l", "-s", "-T", "-D", "-b", "-N"})
"""Options of `%run` that a value follows."""
DYNAMIC = frozenset(
    {"import_module", "__import__", "exec", "run_path", "run_module", "spec_from_file_location", "run_line_magic"}
    | {"run_cell", "run_cell_magic", "safe_execfile"}
)
"""Functions that execute what only their arguments tell."""
TELLING = re.compile("|".join(["import", *sorted(DYNAMIC)]))
"""A source without any of these words (in ASCII: Python reads other letters as them) imports and executes nothing."""
SHOWS_SOURCES = re.compile(
    r"\b(?:inspect|linecache|traceback|getsource\w*|findsource|\w*lineno|__code__|In|_ih|_i+\d*|history|recall|macro|dill)\b"
)
"""Words of code that may look at the text of cells, comments and lines included."""
CONTINUED = re.compile(r"^([ \t]*[%!].*?)\\\n", re.MULTILINE)


@dataclass(frozen=True)
class SourceFacts:
    """What a source tells."""

    text: str = ""
    imports: frozenset[str] = frozenset()
    """Top-level names of the modules that it imports, anywhere in it."""
    scripts: tuple[str, ...] = ()
    """Files that it runs by `%run`, as they are written there."""
    dynamic: bool = False
    """Whether it executes code that cannot be told from it: modules of computed names, files, text."""
    directories: tuple[str, ...] = ()
    """What it changes into by `%cd`, as it is written there."""

    @property
    def tree(self) -> ast.Module | None:
        """Its syntax, magics put aside; None where it cannot be parsed."""
        return _parse(self.text)


@lru_cache(maxsize=4096)
def facts_of(source: str, *, notebook: bool = False) -> SourceFacts:
    """Return what a cell's or a file's source tells; with `notebook` the text is a notebook's JSON."""
    text = _code_of_notebook(source) if notebook else source
    lines = text.split("\n")
    if lines[0].startswith("%%"):
        if re.split(r"[\s!]", lines[0][2:], maxsplit=1)[0] in OTHER_LANGUAGES:
            return SourceFacts()
        timed = TIMED_LINE.match(lines[0])
        lines[0] = timed[2] if timed else ""
        text = "\n".join(lines)
    while CONTINUED.search(text):
        text = CONTINUED.sub(r"\1", text)
    telling = TELLING.search(text) is not None or not text.isascii()
    tree = _parse(text) if telling else None
    found = set(_imports(tree)) if tree is not None else set(_imports_by_line(text))
    found.update(EXTENSION_LINE.findall(text))
    scripts = []
    for line in RUN_LINE.findall(text):
        kind, name = _ran(line)
        if kind == "module":
            found.add(name)
        elif kind == "script":
            scripts.append(name)
    imports = frozenset(name.split(".")[0] for name in found)
    dynamic = tree is not None and any(_dynamic(node) for node in ast.walk(tree))
    return SourceFacts(text, imports, tuple(scripts), dynamic, tuple(CD_LINE.findall(text)))


@lru_cache(maxsize=4096)
def canonical(source: str) -> str:
    r"""Return a Python source without its comments, for sources that differ in nothing else.

    A line that holds nothing but a comment goes as a whole. What is not plain Python stays as it is: a magic or a
    shell command may mean something else by `#`.

    >>> canonical("x = 1  # one\n# and\ny = '#'")
    "x = 1\ny = '#'"
    """
    if "#" not in source:
        return source.rstrip()
    lines = source.splitlines(keepends=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
        comments = [
            (token.start[0] - 1, token.start[1])
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ]
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return source.rstrip()
    for number, column in comments:
        kept = lines[number][:column].rstrip()
        ending = "\n" if lines[number].endswith("\n") else ""
        lines[number] = kept + ending if kept else ""
    return "".join(lines).rstrip()


def _dynamic(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and node.args and _called(node.func) in DYNAMIC):
        return False
    name = node.args[0]
    return not (_imports_by_name(node.func) and isinstance(name, ast.Constant))


def _ran(line: str) -> tuple[str, str]:
    """Return what a `%run` line runs: a module or a script, and its name."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    for position, word in enumerate(words):
        if word == "-m" and position + 1 < len(words):
            return "module", words[position + 1]
        if not word.startswith("-") and words[max(position - 1, 0)] not in RUN_VALUES:
            return "script", word
    return "", ""


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.Module | None:
    for attempt in (text, "\n".join(_plain(line) for line in text.split("\n"))):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the user's own, which the kernel shows
                return ast.parse(attempt)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _plain(line: str) -> str:
    timed = TIMED_LINE.match(line)
    if timed:
        return timed[1] + (timed[2] or "pass")
    magic_assigned = ASSIGNED_MAGIC.match(line)
    if magic_assigned:
        return magic_assigned[1] + "None"
    magic = MAGIC_LINE.match(line)
    return magic[1] + "pass" if magic else line


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and node.args and _imports_by_name(node.func):
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield name.value.lstrip(".")


def _imports_by_name(function: ast.expr) -> bool:
    return _called(function) in ("import_module", "__import__")


def _called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else str(getattr(function, "id", ""))


def _imports_by_line(text: str) -> Iterator[str]:
    """Yield the names that stand in import lines of a source that cannot be parsed."""
    statements = text.replace(";", "\n")
    yield from FROM_LINE.findall(statements)
    for names in IMPORT_LINE.findall(statements):
        for name in names.split("#")[0].split(","):
            words = name.split()
            if words:
                yield words[0]


def _code_of_notebook(text: str) -> str:
    try:
        cells = [cell for cell in json.loads(text)["cells"] if cell.get("cell_type") == "code"]
        return "\n".join("".join(cell.get("source", "")) for cell in cells)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
