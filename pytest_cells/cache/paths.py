"""Work out, without running anything, which folders a source puts on sys.path or changes into."""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PASS_THROUGH = frozenset(
    {
        "str",
        "Path",
        "PurePath",
        "PosixPath",
        "abspath",
        "realpath",
        "normpath",
        "fspath",
        "resolve",
        "absolute",
    }
)
"""Functions and methods that leave a path what it is, as far as it matters here."""
HERE = frozenset({"getcwd", "cwd"})


@dataclass(frozen=True)
class Additions:
    """What a source adds to the places where modules are looked for."""

    folders: tuple[str, ...] = ()
    """Folders, relative to the source's own."""
    unresolved: bool = False
    """Whether it adds others, that cannot be told from the source."""


def path_additions(tree: ast.Module, names: Mapping[str, str]) -> Additions:
    """Return the folders that a module's tree adds to sys.path, or changes into by os.chdir.

    `names` are variables whose values are known.
    """
    folders: list[str] = []
    unresolved = False
    for node in ast.walk(tree):
        for argument in _arguments(node):
            value = fold(argument, names)
            if value is None:
                unresolved = True
            else:
                folders.append(value)
    return Additions(tuple(dict.fromkeys(folders)), unresolved)


def constants(trees: Iterable[ast.Module]) -> dict[str, str]:
    """Return the names that are bound once in all of some sources, to a path that can be told from them."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    bound = Counter(node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load))
    bound.update(node.arg for node in nodes if isinstance(node, ast.arg))
    bound.update(
        name for node in nodes if isinstance(node, (ast.Global, ast.Nonlocal)) for name in node.names for _ in (1, 2)
    )
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            value = fold(node.value, found) if bound[name] == 1 else None
            if value is not None:
                found[name] = value
    return found


def fold(node: ast.expr, names: Mapping[str, str]) -> str | None:
    """Return the path that an expression gives, with the working directory as `.`; None where it cannot be told."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Add)):
        left, right = fold(node.left, names), fold(node.right, names)
        if left is None or right is None:
            return None
        return os.path.join(left, right) if isinstance(node.op, ast.Div) else left + right
    if isinstance(node, ast.Attribute):
        if node.attr == "parent":
            inner = fold(node.value, names)
            return None if inner is None else _parent(inner)
        return {"pardir": "..", "curdir": ".", "sep": os.sep}.get(node.attr)
    if isinstance(node, ast.Call) and not node.keywords:
        return _call(node, names)
    return None


def _call(node: ast.Call, names: Mapping[str, str]) -> str | None:
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in HERE and not node.args:
        return "."
    parts = [fold(argument, names) for argument in node.args]
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    if name in ("join", "joinpath", "Path", "PurePath") and known:
        start = fold(function.value, names) if name == "joinpath" and isinstance(function, ast.Attribute) else ""
        return None if start is None else os.path.join(start, *known)
    if name == "expanduser" and len(known) == 1:
        return os.path.expanduser(known[0])
    if name == "dirname" and len(known) == 1:
        return _parent(known[0])
    if name in PASS_THROUGH:
        if known:
            return known[0] if len(known) == 1 else None
        return fold(function.value, names) if isinstance(function, ast.Attribute) else "."
    return None


def _parent(path: str) -> str:
    return os.path.join(path, "..") if os.path.basename(path) in ("", ".", "..") else os.path.dirname(path) or "."


def _arguments(node: ast.AST) -> Iterable[ast.expr]:
    """Yield what a statement adds to sys.path or changes into."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner, method = ast.unparse(node.func.value), node.func.attr
        if owner.endswith("sys.path") or owner == "path":
            if method in ("append", "insert") and node.args:
                yield node.args[-1]
            elif method == "extend" and node.args:
                yield from _elements(node.args[0])
        elif (method == "chdir" or method == "addsitedir") and node.args:
            yield node.args[0]
    elif isinstance(node, (ast.Assign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(ast.unparse(target).startswith("sys.path") for target in targets):
            yield from _elements(node.value)


def _elements(node: ast.expr) -> Iterable[ast.expr]:
    """Yield the parts of a list that is built in place; sys.path itself is no addition."""
    if isinstance(node, (ast.List, ast.Tuple)):
        yield from node.elts
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _elements(node.left)
        yield from _elements(node.right)
    elif not ast.unparse(node).startswith("sys.path"):
        yield node
