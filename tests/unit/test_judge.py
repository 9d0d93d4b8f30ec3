from __future__ import annotations

import msgspec
import pytest

from pytest_cells.judge import judge
from pytest_cells.model import CellError, Outcome, Raises

from .helpers import a_cell

ERROR = CellError("ValueError", "row 7 is bad\nsecond line", ["frame"], 3, ("ValueError", "Exception", "object"))
FAILED = Outcome("error", error=ERROR)


def test_a_cell_that_passed() -> None:
    """Without an error and without expectations there is nothing to tell."""
    assert None is judge(a_cell(), Outcome())


def test_a_cell_that_failed() -> None:
    """An error that nobody expected fails the cell as it is."""
    assert ERROR is judge(a_cell(), FAILED)


@pytest.mark.parametrize(
    "raises",
    [
        Raises(),
        Raises("ValueError"),
        Raises("builtins.ValueError"),
        Raises("Exception"),
        Raises(None, r"row \d+"),
        Raises("ValueError", "bad$"),
        Raises("ValueError", "second"),
    ],
    ids=["any", "type", "dotted", "base", "match", "both-line-end", "second-line"],
)
def test_an_error_that_was_expected(raises: Raises) -> None:
    """The error that is expected, by type, base or message, is a pass."""
    outcome = msgspec.structs.replace(FAILED, error=msgspec.structs.replace(ERROR, evalue="second row 7 is bad"))
    assert None is judge(a_cell(raises=raises), outcome)


def test_a_type_with_its_module() -> None:
    """A kernel that tells the class with its module means the same class."""
    outcome = Outcome("error", error=CellError("pandas.errors.ParserError", ""))
    assert None is judge(a_cell(raises=Raises("ParserError")), outcome)


def test_the_message_is_matched_without_colours() -> None:
    """Terminal colours in a message do not keep it from matching."""
    outcome = Outcome("error", error=CellError("ValueError", "row \x1b[31m7\x1b[0m is bad"))
    assert None is judge(a_cell(raises=Raises(None, "row 7 is")), outcome)


@pytest.mark.parametrize(
    ("raises", "wanted"), [(Raises(), "an error"), (Raises("KeyError"), "KeyError")], ids=["any", "type"]
)
def test_nothing_was_raised(raises: Raises, wanted: str) -> None:
    """A cell that was to raise, and did not, fails."""
    expected = CellError("DidNotRaise", f"the cell was expected to raise {wanted}, and raised nothing")
    assert expected == judge(a_cell(raises=raises), Outcome())


@pytest.mark.parametrize(
    ("raises", "wanted"),
    [
        (Raises("KeyError"), "KeyError"),
        (Raises("Value"), "Value"),
        (Raises("ValueError", "row 8"), "a message that matches 'row 8'"),
    ],
    ids=["type", "part-of-a-name", "match"],
)
def test_another_error_was_raised(raises: Raises, wanted: str) -> None:
    """Another error than the expected one fails, with both, the traceback and the line."""
    told = f"expected {wanted}, found ValueError: row 7 is bad"
    assert CellError("WrongError", told, ["frame"], 3) == judge(a_cell(raises=raises), FAILED)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome("error", error=CellError("KernelDied", "killed"), died=True),
        Outcome("error", error=CellError("CellTimeout", "slow"), timed_out=True),
    ],
    ids=["died", "timed-out"],
)
@pytest.mark.parametrize("raises", [Raises(), Raises("KernelDied"), Raises("CellTimeout")], ids=["any", "k", "t"])
def test_a_lost_kernel_is_never_expected(outcome: Outcome, raises: Raises) -> None:
    """A kernel's death and a timeout are never what `raises` means."""
    assert outcome.error is judge(a_cell(raises=raises), outcome)


def test_a_cell_that_skipped_itself() -> None:
    """A cell that skipped itself did not fail, whatever was expected."""
    assert None is judge(a_cell(raises=Raises()), Outcome("skipped", reason="no data"))
