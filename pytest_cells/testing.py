"""A test kit for people who extend pytest-cells: write a notebook in one line, run it, expect outcomes by cell.

pytest_plugins = ["pytester", "pytest_cells.testing"]

def test_it(cells_project):
    cells_project.notebook("a.ipynb", "x = 1", "assert x == 1")
    result = cells_project.run()
    assert ["ok", "ok"] == result.statuses("a.ipynb")
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

# Loaded before any in-process run: pytester forgets what was imported inside one, and these
# cannot be loaded twice in one process.
import pytest_cells.kernels.kernel
import pytest_cells.plugin.controller  # noqa: F401
from pytest_cells.kernels import ownership
from pytest_cells.model import Json
from pytest_cells.report import CellResult, RunReport, SessionReport

REPORT = "cells-report.json"


def code(source: str, *, id: str | None = None, tags: tuple[str, ...] = (), **metadata: Any) -> Json:  # noqa: A002
    """Return a code cell as nbformat writes it; further keywords are its metadata."""
    if tags:
        metadata["tags"] = list(tags)
    cell: Json = {
        "cell_type": "code",
        "metadata": metadata,
        "source": source,
        "outputs": [],
        "execution_count": None,
    }
    return {"id": id, **cell} if id is not None else cell


def markdown(source: str) -> Json:
    """Return a markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def notebook_json(*cells: str | Json, minor: int = 5, **metadata: Any) -> Json:
    """Return a notebook of these cells; a plain string is a code cell without an id."""
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": metadata, "cells": made}


@dataclass(frozen=True)
class CellsRun:
    """What one run of pytest gave."""

    result: pytest.RunResult
    report: SessionReport | None

    @property
    def ret(self) -> int:
        """Pytest's exit code."""
        return int(self.result.ret)

    @property
    def stdout(self) -> str:
        """What pytest printed."""
        return self.result.stdout.str()

    @property
    def kernels(self) -> int:
        """How many kernels were started."""
        assert self.report is not None
        return self.report.kernels.started

    def run(self, notebook: str) -> RunReport:
        """Return the report of one notebook."""
        assert self.report is not None, f"no report was written:\n{self.stdout}\n{self.result.stderr.str()}"
        return next(run for run in self.report.runs if run.notebook == notebook)

    def statuses(self, notebook: str) -> list[str]:
        """Return the status of each code cell of a notebook, in order."""
        return [result.status for result in self.run(notebook).cell_results]

    def cell(self, notebook: str, index: int) -> CellResult:
        """Return the result of one code cell, counted from 0."""
        return self.run(notebook).cell_results[index]


class CellsProject:
    """A folder with notebooks, and pytest to run on it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path

    def notebook(self, name: str, *cells: str | Json, minor: int = 5, **metadata: Any) -> Path:
        """Write a notebook; a plain string is a code cell."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook_json(*cells, minor=minor, **metadata), indent=1), encoding="utf-8")
        return path

    def file(self, name: str, content: str) -> Path:
        """Write a text file.

        What was compiled of it before goes: Python and pytest take bytecode for that of a source of the same size
        and second.
        """
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()
        path.write_text(content, encoding="utf-8")
        return path

    def pytest(self, *args: str | Path, subprocess: bool = False) -> pytest.RunResult:
        """Run pytest with these arguments only, and in the order of its own."""
        runner = self.pytester.runpytest_subprocess if subprocess else self.pytester.runpytest_inprocess
        return runner("-p", "no:randomly", *args)

    def run(self, *args: str | Path, subprocess: bool = False) -> CellsRun:
        """Run `pytest --cells` with further arguments and read its report.

        In this process, or in one of its own where kernels of pytest itself, crashes or imports matter.
        """
        target = self.path / REPORT
        target.unlink(missing_ok=True)
        result = self.pytest("--cells", f"--cells-report={target}", *args, subprocess=subprocess)
        report = msgspec.json.decode(target.read_bytes(), type=SessionReport) if target.exists() else None
        return CellsRun(result, report)


@pytest.fixture
def cells_project(pytester: pytest.Pytester) -> CellsProject:
    """Lend a folder with notebooks, and pytest to run on it."""
    return CellsProject(pytester)


@pytest.fixture
def nothing_left_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail where a test leaves kernels, folders of kernels or changed environment variables behind.

    Temporary files go to a short folder of the test's own, so that other runs on the machine do not matter.
    """
    tmp_path_factory.getbasetemp()  # pytest's own folder must not come to lie in ours
    with (
        tempfile.TemporaryDirectory(prefix="cells-", dir=ownership.bases()[0]) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        environment = _environment()
        yield
        assert environment == _environment(), "an environment variable was changed"
        assert [path.name for path in Path(folder).glob(f"{ownership.PREFIX}*")] == [], "kernel files were left"
        assert _processes(folder) == [], "a kernel was left running"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def _processes(folder: str) -> list[str]:
    """Return the command lines of processes that name a folder."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if folder in line]
