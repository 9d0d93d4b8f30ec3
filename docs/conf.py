"""Configuration of the documentation. Build it with: sphinx-build -W -b html docs docs/_build."""

import importlib.metadata
import re
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHANGELOG = HERE.parent / "CHANGELOG.md"

project = "pytest-cells"
author = "The pytest-cells developers"
copyright = f"2026, {author}"
release = version = importlib.metadata.version("pytest-cells")

exclude_patterns = ["_build"]
highlight_language = "none"
html_theme = "furo"
html_title = f"pytest-cells {release}"
html_extra_path = ["report.schema.json"]
nitpicky = True


def changelog(app: Any, docname: str, source: list[str]) -> None:
    """Show CHANGELOG.md, which keeps to headings, lists, emphasis and code, as the page of that name."""
    if docname != "changelog":
        return
    app.env.note_dependency(str(CHANGELOG))
    lines = CHANGELOG.read_text(encoding="utf-8").splitlines()
    source[0] = "\n".join(_heading(line) for line in lines) + "\n"


def _heading(line: str) -> str:
    match = re.match(r"(#+) (.*)", line)
    if match is None:
        return re.sub(r"`([^`]+)`", r"``\1``", line)
    return f"{match[2]}\n{'=-~'[len(match[1]) - 1] * len(match[2])}\n"


def setup(app: Any) -> dict[str, bool]:
    """Connect the changelog to its page."""
    app.connect("source-read", changelog)
    return {"parallel_read_safe": True}
