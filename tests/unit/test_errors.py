from __future__ import annotations

import pytest

from pytest_cells import errors
from pytest_cells.errors import CellsError, DirectiveError, NotebookError, PrerequisiteFailed, did_you_mean
from pytest_cells.model import CellError

from .helpers import a_cell


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NotebookError("nb.ipynb", "is empty"), "nb.ipynb: is empty"),
        (NotebookError("nb.ipynb", "is empty", "delete it"), "nb.ipynb: is empty\n  delete it"),
        (DirectiveError("nb.ipynb", "cell 2", "line 1", "odd"), "nb.ipynb, cell 2, line 1: odd"),
        (DirectiveError("nb.ipynb", "cell 2", "line 1", "odd", "write x"), "nb.ipynb, cell 2, line 1: odd\n  write x"),
        (
            PrerequisiteFailed(a_cell(name="load"), CellError("ValueError", "bad\nrow"), {}, lost=False),
            "prerequisite cell load failed: ValueError: bad",
        ),
    ],
    ids=["notebook", "notebook-hint", "directive", "directive-hint", "prerequisite"],
)
def test_messages(error: CellsError, told: str) -> None:
    """A message says where, what was found, and on the next line what to do."""
    assert told == str(error)


def test_one_base_class() -> None:
    """All errors for users have one base, so that they can be caught together."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) > 5
    assert [] == [kind for kind in kinds if not issubclass(kind, CellsError)]


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("timeuot", "did you mean 'timeout'?"),
        ("skipp", "did you mean 'skip'?"),
        ("xyz", "known: skip, timeout"),
        ("", "known: skip, timeout"),
    ],
)
def test_did_you_mean(word: str, hint: str) -> None:
    """The nearest known word is offered, or all of them in order."""
    assert hint == did_you_mean(word, ["timeout", "skip"])
