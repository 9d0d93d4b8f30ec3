"""The built-in lifecycles, one concern a file; none imports another. Their order stands here once."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_cells.evaluator import Lifecycle
from pytest_cells.lifecycles.cached import Cached
from pytest_cells.lifecycles.collected import Collected
from pytest_cells.lifecycles.directed import Directed
from pytest_cells.lifecycles.restored import Restored


def built_in(added: Sequence[Lifecycle]) -> list[Lifecycle]:
    """Return all lifecycles of a notebook, outermost first; those that a conftest added stand outside the cache."""
    return [Directed(), *added, Cached(), Restored(), Collected()]
