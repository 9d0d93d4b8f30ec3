"""The rules by which the agent observes cells, in tests/fuzz/rules.py: whichever is broken, some pair must notice."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from fuzz.pairs import PAIRS
from fuzz.rules import RULES, noticed, table

from pytest_cells import in_kernel

pytestmark = pytest.mark.kernel
DOCS = Path(__file__).parents[2] / "docs" / "internals.rst"
BROKEN = RULES[::14]
"""A part of them, in the time that there is; `tox -e fuzz -- --mutations` breaks all."""


@pytest.mark.parametrize("rule", BROKEN, ids=[rule.name for rule in BROKEN])
def test_a_broken_rule_is_noticed(rule):
    """While the agent passes over something, a pair comes out wrong: it would be noticed if the agent really did."""
    needed = {library for pair in rule.pairs for library in pair.libraries}
    if missing := sorted(library for library in needed if find_spec(library) is None):
        pytest.skip(f"needs {', '.join(missing)}")
    assert any(wrong for _, wrong in noticed(rule))


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
def test_what_breaks_a_rule_stands_in_the_agent(rule):
    """Each text to be replaced is there once; whoever changes the agent changes the rule as well."""
    folder = in_kernel.AGENT.parent
    counts = {change: (folder / change.file).read_text(encoding="utf-8").count(change.old) for change in rule.changes}
    assert dict.fromkeys(rule.changes, 1) == counts
    assert [] == [change for change in rule.changes if change.old == change.new]


def test_rules_have_names_and_pairs():
    """Each rule can be asked for, and has pairs that there are."""
    assert len(RULES) == len({rule.name for rule in RULES})
    assert [] == [rule.name for rule in RULES if not (rule.changes and rule.noticed_by)]
    assert set() == {name for rule in RULES for name in rule.noticed_by} - {pair.name for pair in PAIRS}


def test_the_docs_have_the_table_of_rules():
    """Else `python tests/fuzz --rules` prints the one that belongs there."""
    assert table() in DOCS.read_text(encoding="utf-8")
