from __future__ import annotations

from typing import Any

import pytest

from pytest_cells.model import Cell, CellError, Directives, KernelIdentity, Notebook, Outcome

from .helpers import a_cell, an_identity


@pytest.mark.parametrize(
    ("name", "label"), [("load", "load"), (None, "one"), ("", "one")], ids=["named", "unnamed", "empty"]
)
def test_the_label_of_a_cell(name: str | None, label: str) -> None:
    """A cell is called by its name, else by its id."""
    assert label == a_cell(name=name).label


@pytest.mark.parametrize(("source", "blank"), [("", [True]), (" \n\t\n", [True]), ("# note", [False]), ("x", [False])])
def test_blank_cells(source: str, blank: list[bool]) -> None:
    """A cell without anything but white space is blank; a comment is something."""
    assert blank == [a_cell(source).blank]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny = 2", "x = 1"),
        ("\n\n   x = 1  ", "x = 1"),
        ("# cells: name=load\nx = 1", "x = 1"),
        ("#cells: name=load\nx = 1", "x = 1"),
        ("## cells: name=load\nx = 1", "x = 1"),
        ("// cells: name=load\nx = 1", "x = 1"),
        ("-- cells: name=load\nselect 1", "select 1"),
        ("# why\nx = 1", "# why"),
        ("# cells: skip", ""),
        ("", ""),
    ],
)
def test_the_first_line(source: str, line: str) -> None:
    """The first line is the first that is not blank and no directive, in whatever way that is spelt."""
    assert line == a_cell(source).first_line


@pytest.mark.parametrize(
    ("evalue", "summary"),
    [("bad row", "ValueError: bad row"), ("bad\nrow", "ValueError: bad"), ("", "ValueError"), (" \n", "ValueError")],
    ids=["one-line", "two-lines", "empty", "blank"],
)
def test_the_summary_of_an_error(evalue: str, summary: str) -> None:
    """An error is told in one line."""
    assert summary == CellError("ValueError", evalue).summary


@pytest.mark.parametrize(
    ("outcome", "lost"),
    [
        (Outcome(), [False]),
        (Outcome("error", error=CellError("ValueError", "x")), [False]),
        (Outcome("error", error=CellError("KernelDied", "x"), died=True), [True]),
        (Outcome("error", died=True), [True]),
        (Outcome("error", error=CellError("CellTimeout", "x"), died=True, timed_out=True), [False]),
        (Outcome("error", error=CellError("KernelExit", "x"), died=True), [False]),
    ],
    ids=["ok", "error", "died", "died-silently", "timeout", "exit"],
)
def test_lost_kernels(outcome: Outcome, lost: list[bool]) -> None:
    """A kernel is lost when it died by itself: not by a timeout, and not by the cell's own exit."""
    assert lost == [outcome.lost]


@pytest.mark.parametrize("value", [a_cell(), Notebook(None, "nb", ()), Outcome(), Directives(), an_identity()])  # type: ignore[arg-type]
def test_values_are_frozen(value: Any) -> None:
    """The shared values cannot be changed."""
    names = value.__struct_fields__ if hasattr(value, "__struct_fields__") else ("key", "site")
    for name in names:
        with pytest.raises(AttributeError):
            setattr(value, name, None)


def test_identities_are_compared_by_who_they_are() -> None:
    """What is installed now is no part of who a kernel is."""
    assert KernelIdentity({"a": "1"}, dict) == KernelIdentity({"a": "1"}, lambda: {"numpy": "2"})
    assert KernelIdentity({"a": "1"}, dict) != KernelIdentity({"a": "2"}, dict)


def test_a_cells_values_have_defaults() -> None:
    """A cell without directives has those that say nothing."""
    assert Directives() == Cell(0, "one", "x").directives
