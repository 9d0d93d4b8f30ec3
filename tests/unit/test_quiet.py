"""What the agent does for itself warns of nothing: what Python warns of in a cell is told when that is executed."""

import sys
import warnings

import pytest

from pytest_cells.in_kernel.aside import Aside
from pytest_cells.in_kernel.handed import handings
from pytest_cells.in_kernel.names import analyse
from pytest_cells.in_kernel.own import _parts
from pytest_cells.in_kernel.quiet import quietly

WARNS = "import os\nos.path = g(lambda: '\\d')"


@pytest.fixture
def shown(monkeypatch):
    """Lend the list of what is shown of all that is warned of."""
    found: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: found.append(str(message))
        yield found


@pytest.mark.parametrize("read", [analyse, handings, Aside().begin, lambda source: list(_parts(source))])
def test_reading_a_source(shown, read):
    source = f"{WARNS}  # {read}"  # the tree of one that was just read is kept
    read(source)
    assert [] == shown
    compile(source, "<cell>", "exec")
    assert len(shown) == 1


def test_filters_are_what_they_were_also_after_an_error(shown):
    before = warnings.filters
    with pytest.raises(ZeroDivisionError):
        quietly(lambda: (warnings.warn("hidden", stacklevel=1), 1 / 0))
    assert warnings.filters is before
    warnings.warn("seen", stacklevel=1)
    assert ["seen"] == shown


def test_without_a_module_for_warnings(monkeypatch):
    monkeypatch.delitem(sys.modules, "warnings")
    assert quietly(max, 1, 2) == 2
