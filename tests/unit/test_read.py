from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_cells.errors import DirectiveError, NotebookError
from pytest_cells.model import Notebook
from pytest_cells.notebooks.read import read_notebook

from .helpers import raw_cell, raw_notebook, write_notebook

MERGE = "is it a merge conflict, or another kind of file?"
UPGRADE = "upgrade pytest-cells and nbformat, or save the notebook as nbformat 4"


def read(path: Path, *cells: Any, **more: Any) -> Notebook:
    """Write a notebook of these cells and read it."""
    return read_notebook(write_notebook(path / "nb.ipynb", *cells, **more), "sub/nb.ipynb")


def read_bytes(path: Path, content: bytes) -> Notebook:
    """Write some bytes and read them as a notebook."""
    (path / "nb.ipynb").write_bytes(content)
    return read_notebook(path / "nb.ipynb", "sub/nb.ipynb")


def message_of(path: Path, content: bytes) -> str:
    """Return the message with which some bytes are refused."""
    with pytest.raises(NotebookError) as caught:
        read_bytes(path, content)
    return str(caught.value)


def ids(notebook: Notebook) -> list[str]:
    """Return the ids of a notebook's cells."""
    return [cell.id for cell in notebook.cells]


def test_a_notebook_is_read_whole(tmp_path: Path) -> None:
    """Path, name, and each code cell with index, id, source and directives are read; other cells are not."""
    markdown = {"cell_type": "markdown", "metadata": {}, "source": "# title", "id": "m"}
    found = read(tmp_path, raw_cell("a", id="first"), markdown, raw_cell("b", id="second", metadata={"tags": ["t"]}))
    assert (tmp_path / "nb.ipynb", "sub/nb.ipynb") == (found.path, found.name)
    told = [(cell.index, cell.id, cell.source, cell.directives.tags) for cell in found.cells]
    assert [(0, "first", "a", ()), (1, "second", "b", ("t",))] == told


@pytest.mark.parametrize("minor", range(6))
def test_minor_formats_without_ids(tmp_path: Path, minor: int) -> None:
    """In each nbformat 4.x cells without an id are numbered from 1."""
    assert ["cell-1", "cell-2"] == ids(read(tmp_path, raw_cell(), raw_cell(), minor=minor))


@pytest.mark.parametrize("minor", range(6))
def test_minor_formats_with_ids(tmp_path: Path, minor: int) -> None:
    """In each nbformat 4.x an id that is there is used."""
    assert ["a_B-9", "cell-2"] == ids(read(tmp_path, raw_cell(id="a_B-9"), raw_cell(), minor=minor))


def test_a_minor_format_of_the_future_is_read(tmp_path: Path) -> None:
    """A later nbformat 4.x is read as it stands."""
    assert ["a"] == ids(read(tmp_path, raw_cell(id="a"), minor=17))


@pytest.mark.parametrize(
    "cell_id",
    ["", "a b", "a::b", "é", "a" * 65, 5, None, ["a"], "a\n"],
    ids=["empty", "space", "colons", "accent", "long", "number", "null", "list", "newline"],
)
def test_invalid_ids(tmp_path: Path, cell_id: Any) -> None:
    """An id that nbformat does not allow is replaced by the cell's number."""
    assert ["ok", "cell-2"] == ids(read(tmp_path, raw_cell(id="ok"), raw_cell(id=cell_id)))


def test_duplicate_ids(tmp_path: Path) -> None:
    """Of cells with the same id the first keeps it, the others are numbered."""
    assert ["same", "cell-2", "cell-3"] == ids(read(tmp_path, *(raw_cell(id="same") for _ in range(3))))


@pytest.mark.parametrize("own", [["cell-2", None], [None, "cell-1"], ["cell-3", "x", None]], ids=str)
def test_ids_stay_unique(tmp_path: Path, own: list[str | None]) -> None:
    """A number never repeats an id that an author gave, whichever comes first."""
    found = ids(read(tmp_path, *(raw_cell(f"# cells: name=n{at}", id=one) for at, one in enumerate(own))))
    assert len(own) == len(set(found))


@pytest.mark.parametrize(
    ("source", "expected"),
    [("a\nb", "a\nb"), (["a\n", "b"], "a\nb"), ([], ""), ("", ""), (["é"], "é")],
    ids=["text", "list", "empty-list", "empty", "unicode"],
)
def test_source_as_text_or_lines(tmp_path: Path, source: Any, expected: str) -> None:
    """A source is text or a list of lines."""
    assert expected == read(tmp_path, raw_cell(source)).cells[0].source


def test_a_source_that_is_missing_is_empty(tmp_path: Path) -> None:
    """A code cell without a source is blank."""
    assert "" == read(tmp_path, {"cell_type": "code"}).cells[0].source


@pytest.mark.parametrize("source", [5, None, ["a", 5], {"a": 1}], ids=["number", "null", "mixed", "object"])
def test_a_source_that_is_no_text(tmp_path: Path, source: Any) -> None:
    """A source that is no text is refused, with the cell's position among all cells."""
    markdown = {"cell_type": "markdown", "source": ""}
    told = "sub/nb.ipynb: is not a valid notebook: the source of cell 2 is not text"
    assert told == message_of(tmp_path, json.dumps(raw_notebook(markdown, raw_cell(source))).encode())


@pytest.mark.parametrize("metadata", [None, [], "x"], ids=["null", "list", "text"])
def test_metadata_that_is_no_object(tmp_path: Path, metadata: Any) -> None:
    """A cell's metadata that is no object counts as none."""
    assert () == read(tmp_path, raw_cell(metadata=metadata)).cells[0].directives.tags


def test_version_3_is_upgraded(tmp_path: Path) -> None:
    """An nbformat 3 notebook is brought to 4 in memory; its ids are numbers, the same in each reading."""
    cells = [
        {"cell_type": "code", "input": "x = 1", "language": "python", "outputs": [], "metadata": {}},
        {"cell_type": "heading", "level": 1, "source": "title", "metadata": {}},
        {"cell_type": "code", "input": ["y = 2\n", "z = 3"], "language": "python", "outputs": [], "metadata": {}},
    ]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}
    found = read_bytes(tmp_path, json.dumps(old).encode())
    assert [("cell-1", "x = 1"), ("cell-2", "y = 2\nz = 3")] == [(cell.id, cell.source) for cell in found.cells]


def test_version_3_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark is no obstacle in an old notebook either."""
    cells = [{"cell_type": "code", "input": "x = 1", "language": "python", "outputs": [], "metadata": {}}]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}
    found = read_bytes(tmp_path, b"\xef\xbb\xbf" + json.dumps(old).encode())
    assert ["x = 1"] == [cell.source for cell in found.cells]


def test_version_3_that_is_broken(tmp_path: Path) -> None:
    """An old notebook that cannot be upgraded is refused as such."""
    told = message_of(tmp_path, b'{"nbformat": 3, "nbformat_minor": 0, "worksheets": 5}')
    assert told.startswith("sub/nb.ipynb: is an old notebook that cannot be upgraded: ")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """A byte order mark before the JSON is no obstacle."""
    assert ["a"] == ids(read_bytes(tmp_path, b"\xef\xbb\xbf" + json.dumps(raw_notebook(raw_cell(id="a"))).encode()))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is an empty file, not a notebook\n  save it from Jupyter, or delete it"),
        (b" \n\t", "is an empty file, not a notebook\n  save it from Jupyter, or delete it"),
        (
            b'{"nbformat": 4,\n<<<<<<< HEAD\n}',
            f"is not JSON: Expecting property name enclosed in double quotes at line 2\n  {MERGE}",
        ),
        (b'{"text": "caf\xe9"}', "is not UTF-8 text: invalid continuation byte at byte 13"),
        (b"[1, 2]", "is JSON, but not a notebook: it has no 'nbformat' number"),
        (b'{"a": 1}', "is JSON, but not a notebook: it has no 'nbformat' number"),
        (b'{"nbformat": "4"}', "is JSON, but not a notebook: it has no 'nbformat' number"),
        (
            b'{"nbformat": 5, "cells": []}',
            f"has nbformat 5; this version reads up to 4\n  {UPGRADE}",
        ),
        (b"[" * 200_000, "is not a notebook: its JSON is nested too deeply"),
    ],
    ids=["empty", "blank", "not-json", "not-utf8", "list", "object", "nbformat-text", "nbformat-5", "nested"],
)
def test_files_that_are_no_notebooks(tmp_path: Path, content: bytes, told: str) -> None:
    """A file that is no notebook is refused with what it is instead, and what to do."""
    assert f"sub/nb.ipynb: {told}" == message_of(tmp_path, content)


@pytest.mark.parametrize(
    "cells",
    [None, {}, "x", ["x"], [{}], [{"cell_type": 5}], [None]],
    ids=["null", "object", "text", "text-cell", "no-type", "number-type", "null-cell"],
)
def test_cells_that_are_no_cells(tmp_path: Path, cells: Any) -> None:
    """A notebook whose cells are no cells is refused, in nbformat's words where it has any."""
    told = message_of(tmp_path, json.dumps({**raw_notebook(), "cells": cells}).encode())
    assert told.startswith("sub/nb.ipynb: is not a valid notebook: ")
    assert "\n" not in told


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is told with the system's own words."""
    with pytest.raises(NotebookError) as caught:
        read_notebook(tmp_path / "gone.ipynb", "gone.ipynb")
    assert "gone.ipynb: cannot be read: No such file or directory" == str(caught.value)


def test_a_name_given_twice(tmp_path: Path) -> None:
    """Two cells of the same name are refused with the places of both."""
    with pytest.raises(DirectiveError) as caught:
        read(tmp_path, raw_cell("# cells: name=load"), raw_cell(), raw_cell("# cells: name=load"))
    told = "sub/nb.ipynb, cell 3, name: the name 'load' is taken by cell 1\n  cell names must differ within a notebook"
    assert told == str(caught.value)


def test_a_name_that_is_another_cells_id(tmp_path: Path) -> None:
    """A name must differ from what an unnamed cell is called."""
    with pytest.raises(DirectiveError, match="the name 'load' is taken by cell 1"):
        read(tmp_path, raw_cell(id="load"), raw_cell("# cells: name=load"))


def test_a_directive_error_names_the_cell(tmp_path: Path) -> None:
    """An error in a directive names notebook, cell with number and id, and line."""
    with pytest.raises(DirectiveError) as caught:
        read(tmp_path, raw_cell(), raw_cell("# cells: timeuot=3", id="slow"))
    told = "sub/nb.ipynb, cell 2 (slow), line 1: unknown directive 'timeuot'\n  did you mean 'timeout'?"
    assert told == str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "kernel", "language"),
    [
        ({}, None, "python"),
        ({"kernelspec": {"name": "ir", "language": "R"}}, "ir", "r"),
        ({"kernelspec": {"name": "x", "language": "R"}, "language_info": {"name": "Julia"}}, "x", "julia"),
        ({"kernelspec": {"name": 5}, "language_info": None}, None, "python"),
        ({"kernelspec": "python3"}, None, "python"),
        (None, None, "python"),
    ],
    ids=["none", "kernelspec", "language-info", "wrong-types", "kernelspec-text", "null"],
)
def test_kernel_and_language(tmp_path: Path, metadata: Any, kernel: str | None, language: str) -> None:
    """Kernel and language come from the notebook's metadata, where they are what they should be."""
    found = read(tmp_path, raw_cell(), metadata=metadata)
    assert (kernel, language) == (found.kernel, found.language)


def test_a_notebook_without_code(tmp_path: Path) -> None:
    """A notebook without code cells has no cells."""
    assert () == read(tmp_path).cells
