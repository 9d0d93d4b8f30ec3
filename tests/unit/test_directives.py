from __future__ import annotations

from typing import Any

import pytest

from pytest_cells.errors import DirectiveError
from pytest_cells.model import Directives, Raises
from pytest_cells.notebooks.directives import leading_comments, parse_directives


def parse(source: str = "", **metadata: Any) -> Directives:
    """Return the directives of a cell called `cell 3 (three)` of `nb.ipynb`."""
    return parse_directives("nb.ipynb", "cell 3 (three)", source, metadata)


def message_of(source: str = "", **metadata: Any) -> str:
    """Return the message with which a cell's directives are refused."""
    with pytest.raises(DirectiveError) as caught:
        parse(source, **metadata)
    return str(caught.value)


ALL = Directives(
    name="load",
    skip="too slow",
    raises=Raises("ValueError", "no .* left"),
    xfail="bug 7",
    timeout=30.0,
    cache=False,
    deps=("data/a.csv", "env:MODE"),
    outputs=("out/a.png", "b.csv"),
    pure=True,
)


def test_a_cell_without_directives_gets_the_defaults() -> None:
    """Without any directive every field has its default."""
    assert Directives() == parse("x = 1")


def test_comment_spelling() -> None:
    """A leading comment sets every key, with shell-like quoting."""
    source = (
        "# cells: name=load skip='too slow' raises=ValueError match=\"no .* left\" xfail='bug 7'\n"
        "# cells: timeout=30 cache=off deps='data/a.csv env:MODE' outputs='out/a.png b.csv' pure\nx = 1"
    )
    assert ALL == parse(source)


def test_metadata_spelling() -> None:
    """Cell metadata sets every key, with JSON's own types."""
    own = {
        "name": "load",
        "skip": "too slow",
        "raises": "ValueError",
        "match": "no .* left",
        "xfail": "bug 7",
        "timeout": 30,
        "cache": False,
        "deps": ["data/a.csv", "env:MODE"],
        "outputs": ["out/a.png", "b.csv"],
        "pure": True,
    }
    assert ALL == parse(pytest_cells=own)


@pytest.mark.parametrize("separator", [":", "="], ids=["colon", "equals"])
@pytest.mark.parametrize("prefix", ["", "cells:"], ids=["plain", "prefixed"])
def test_tag_spelling(prefix: str, separator: str) -> None:
    """Tags set every key, with a colon or an equals sign, with or without `cells:` before."""
    pairs = [
        ("name", "load"),
        ("skip", "too slow"),
        ("raises", "ValueError"),
        ("match", "no .* left"),
        ("xfail", "bug 7"),
        ("timeout", "30"),
        ("cache", "off"),
        ("deps", "data/a.csv,env:MODE"),
        ("outputs", "out/a.png,b.csv"),
        ("pure", "on"),
    ]
    tags = [f"{prefix}{key}{separator}{value}" for key, value in pairs]
    expected = Directives(**{name: getattr(ALL, name) for name in ALL.__struct_fields__ if name != "tags"})
    found = parse(tags=tags)
    assert tuple(tags) == found.tags
    assert expected == Directives(**{name: getattr(found, name) for name in found.__struct_fields__ if name != "tags"})


def test_metadata_raises_may_be_an_object() -> None:
    """`raises` in metadata may be an object of type and match."""
    own = {"raises": {"type": "KeyError", "match": "gone"}}
    assert Directives(raises=Raises("KeyError", "gone")) == parse(pytest_cells=own)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({"raises": True}, Directives(raises=Raises())),
        ({"raises": {}}, Directives(raises=Raises())),
        ({"skip": True}, Directives(skip="no reason given")),
        ({"xfail": ""}, Directives(xfail="no reason given")),
        ({"skip": False, "xfail": False, "raises": False}, Directives()),
        ({"name": None, "timeout": None}, Directives()),
        ({"timeout": 0}, Directives(timeout=0.0)),
        ({"cache": True}, Directives(cache=True, cache_anyway=True)),
        ({"deps": "a.csv, b.csv"}, Directives(deps=("a.csv", "b.csv"))),
        ({"deps": ["my file.csv"]}, Directives(deps=("my file.csv",))),
        ({"outputs": "a.csv, b.csv"}, Directives(outputs=("a.csv", "b.csv"))),
        ({"pure": False}, Directives()),
    ],
    ids=[
        "bare-raises",
        "empty-raises",
        "bare-skip",
        "empty-xfail",
        "false-flags",
        "null",
        "no-limit",
        "cache-on",
        "deps-text",
        "deps-space",
        "outputs-text",
        "not-pure",
    ],
)
def test_metadata_values(own: dict[str, Any], expected: Directives) -> None:
    """JSON's true, false, null and numbers mean what they say."""
    assert expected == parse(pytest_cells=own)


@pytest.mark.parametrize("word", ["on", "true", "yes", "ON"])
def test_cache_can_be_switched_on(word: str) -> None:
    """A comment's `cache=on` wins over a tag's `cache:off`."""
    assert True is parse(f"# cells: cache={word}", tags=["cache:off"]).cache


@pytest.mark.parametrize("flag", ["skip", "xfail"])
def test_bare_flags_have_a_stock_reason(flag: str) -> None:
    """`skip` and `xfail` without a value get a reason that says so."""
    assert "no reason given" == getattr(parse(f"# cells: {flag}"), flag)


def test_bare_raises_expects_any_error() -> None:
    """`raises` without a value stands for any error."""
    assert Raises(None, None) == parse("# cells: raises").raises


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("raises-exception", Directives(raises=Raises(), tags=("raises-exception",))),
        ("skip-execution", Directives(skip="tag skip-execution", tags=("skip-execution",))),
        ("skip", Directives(skip="no reason given", tags=("skip",))),
        ("xfail", Directives(xfail="no reason given", tags=("xfail",))),
        ("raises", Directives(raises=Raises(), tags=("raises",))),
    ],
)
def test_tags_of_jupyter_and_bare_flags(tag: str, expected: Directives) -> None:
    """The tags that nbclient knows, and bare flags are understood."""
    assert expected == parse(tags=[tag])


def test_the_comment_wins_over_metadata_and_tags() -> None:
    """Where a key is given more than once, comment beats metadata beats tag."""
    tags, own = ["name:from-tag", "timeout:1", "skip:tag"], {"name": "from-metadata", "timeout": 2}
    found = parse("# cells: name=from-comment", tags=tags, pytest_cells=own)
    assert ("from-comment", 2.0, "tag") == (found.name, found.timeout, found.skip)


def test_a_later_comment_wins_over_an_earlier_one() -> None:
    """Of two comments with the same key the last counts."""
    assert "second" == parse("# cells: name=first\n# cells: name=second").name


def test_deps_of_all_places_add_up_without_repeats() -> None:
    """`deps` are collected from tags, metadata and all comments, each once, in order."""
    source = "# cells: deps=c.csv,a.csv\n# cells: deps=d.csv"
    found = parse(source, tags=["deps:a.csv"], pytest_cells={"deps": ["b.csv"]})
    assert ("a.csv", "b.csv", "c.csv", "d.csv") == found.deps


@pytest.mark.parametrize(
    "source",
    [
        "# cells: name=load",
        "#cells: name=load",
        "## cells: name=load",
        "// cells: name=load",
        "-- cells: name=load",
        "; cells: name=load",
        ";; what it does\n;; cells: name=load",
        "% cells: name=load",
        "% what it does\n% cells: name=load",
        "  # cells: name=load  ",
        "\n\n# cells: name=load",
        "# what it does\n\n# cells: name=load\nx = 1",
        "%%bash\n# cells: name=load\nls",
        "%%sql\n-- cells: name=load\nselect 1",
    ],
    ids=[
        "hash",
        "no-space",
        "two-hashes",
        "slashes",
        "dashes",
        "semicolon",
        "semicolons",
        "percent",
        "percents",
        "indented",
        "blank-lines",
        "after-comment",
        "bash-magic",
        "sql-magic",
    ],
)
def test_where_a_comment_may_stand(source: str) -> None:
    """A directive stands among the leading comments, in the comment style of any language, below a cell magic."""
    assert "load" == parse(source).name


@pytest.mark.parametrize(
    "source",
    [
        "x = 1\n# cells: name=load",
        "x = 1  # cells: name=load",
        "text = '''\n# cells: name=load\n'''",
        "# name=load",
        "%matplotlib inline\n# cells: name=load",
    ],
    ids=["after-code", "trailing", "in-a-string", "other-comment", "after-a-magic"],
)
def test_where_a_comment_is_none_of_ours(source: str) -> None:
    """Comments below the first statement, and others than ours, are left alone."""
    assert Directives() == parse(source)


def test_a_magic_only_counts_in_the_first_line() -> None:
    """A second line that looks like a magic ends the leading comments."""
    assert [] == leading_comments("# one\n%%bash\n# cells: name=x")


def test_leading_comments_have_line_numbers() -> None:
    """Comments are told with their line in the cell, from 1."""
    assert [(2, " name=a"), (4, " skip")] == leading_comments("%%bash\n# cells: name=a\n\n# cells: skip\nls")


def test_every_tag_is_kept() -> None:
    """All tags are kept, directives or not; what is no text is passed over."""
    assert ("slow", "name:load", "topic: maps") == parse(tags=["slow", "name:load", 7, "topic: maps"]).tags


@pytest.mark.parametrize("tags", [None, "slow", {"slow": 1}, 5], ids=["null", "text", "object", "number"])
def test_tags_that_are_no_list(tags: Any) -> None:
    """A `tags` that is no list of tags is passed over."""
    assert Directives() == parse(tags=tags)


@pytest.mark.parametrize(
    "tag", ["slow", "cache", "deps", "pure", "outputs", "remove-cell", "papermill:x", "topic: maps", "a=b"]
)
def test_tags_that_are_ordinary_marks(tag: str) -> None:
    """A tag that is nothing like a directive is a mark and no more."""
    assert Directives(tags=(tag,)) == parse(tags=[tag])


@pytest.mark.parametrize(
    ("tag", "key", "near"),
    [
        ("timeuot:30", "timeuot", "timeout"),
        ("names:load", "names", "name"),
        ("dep:data.csv", "dep", "deps"),
        ("cells:skipp", "skipp", "skip"),
        ("cells:xfial=later", "xfial", "xfail"),
    ],
)
def test_tags_that_are_nearly_directives(tag: str, key: str, near: str) -> None:
    """A tag that looks like a misspelt directive is refused with the right spelling."""
    told = f"nb.ipynb, cell 3 (three), tag '{tag}': unknown directive '{key}'\n  did you mean '{near}'?"
    assert told == message_of(tags=[tag])


@pytest.mark.parametrize("key", ["name", "timeout", "cache", "deps", "match", "outputs"])
def test_prefixed_tag_without_a_value(key: str) -> None:
    """`cells:KEY` of a known key that needs a value is told so, not called unknown."""
    told = f"nb.ipynb, cell 3 (three), tag 'cells:{key}': {key!r} has no value\n  write {key}=VALUE"
    assert told == message_of(tags=[f"cells:{key}"])


KNOWN = "known: cache, deps, match, name, outputs, pure, raises, skip, timeout, xfail"
NAME = "expected letters, digits, '_', '-', '.' and '+', beginning with a letter, digit or '_'"
REGEX = "expected a regular expression"
SECONDS = "expected seconds, such as timeout=30; 0 means no limit"
ERROR_NAME = "expected the name of an error's class, such as ValueError"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("timeuot=3", "unknown directive 'timeuot'\n  did you mean 'timeout'?"),
        ("frobnicate", f"unknown directive 'frobnicate'\n  {KNOWN}"),
        ("name", "'name' has no value\n  write name=VALUE"),
        ("timeout", "'timeout' has no value\n  write timeout=VALUE"),
        ("deps", "'deps' has no value\n  write deps=VALUE"),
        ("raises match", "'match' has no value\n  write match=VALUE"),
        ("skip='not now", 'cannot read "skip=\'not now": No closing quotation\n  close the quotes'),
        ("name=", f"found name ''\n  {NAME}"),
        ("name='two words'", f"found name 'two words'\n  {NAME}"),
        ("name=a::b", f"found name 'a::b'\n  {NAME}"),
        ("name=a[1]", f"found name 'a[1]'\n  {NAME}"),
        ("name=a@b", f"found name 'a@b'\n  {NAME}"),
        ("name=-a", f"found name '-a'\n  {NAME}"),
        ("timeout=soon", f"found timeout='soon'\n  {SECONDS}"),
        ("timeout=-1", f"found timeout='-1'\n  {SECONDS}"),
        ("timeout=nan", f"found timeout='nan'\n  {SECONDS}"),
        ("timeout=inf", f"found timeout='inf'\n  {SECONDS}"),
        ("cache=maybe", "found cache='maybe'\n  expected on or off"),
        ("raises=Value-Error", f"found raises='Value-Error'\n  {ERROR_NAME}"),
        ("raises=1Error", f"found raises='1Error'\n  {ERROR_NAME}"),
        ("raises match=(", f"found match='(': missing ), unterminated subpattern at position 0\n  {REGEX}"),
        ("deps=env:", "found 'env:' without a name\n  write env:NAME"),
        ("outputs=env:A", "found output 'env:A'\n  expected paths or globs: an environment variable is no file"),
        ("pure=maybe", "found pure='maybe'\n  expected on or off"),
    ],
)
def test_errors_in_comments(body: str, problem: str) -> None:
    """A bad comment is refused with notebook, cell, line, what was found and what to do."""
    assert f"nb.ipynb, cell 3 (three), line 2: {problem}" == message_of(f"# why\n# cells: {body}\nx = 1")


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ([], "found list\n  expected an object of directives"),
        ("skip", "found str\n  expected an object of directives"),
        ({"nmae": "x"}, "unknown directive 'nmae'\n  did you mean 'name'?"),
        ({"name": 5}, f"found name 5\n  {NAME}"),
        ({"name": "load\n"}, f"found name 'load\\n'\n  {NAME}"),
        ({"skip": 5}, "found reason 5\n  expected text"),
        ({"timeout": [30]}, f"found timeout=[30]\n  {SECONDS}"),
        ({"timeout": True}, "found timeout=True\n  expected seconds, such as timeout=30; 0 means no limit"),
        ({"timeout": False}, f"found timeout=False\n  {SECONDS}"),
        ({"timeout": 10**400}, f"found timeout={10**400}\n  {SECONDS}"),
        ({"cache": 0}, "found cache=0\n  expected on or off"),
        ({"raises": ["ValueError"]}, f"found raises=['ValueError']\n  {ERROR_NAME}"),
        ({"raises": "ValueError\n"}, f"found raises='ValueError\\n'\n  {ERROR_NAME}"),
        ({"raises": {"typ": "ValueError"}}, "unknown key 'typ' in 'raises'\n  known: match, type"),
        ({"deps": ["a.csv", 5]}, "found deps=['a.csv', 5]\n  expected paths, globs or env:NAME"),
        ({"deps": 5}, "found deps=5\n  expected paths, globs or env:NAME"),
        ({"deps": {"a.csv": True}}, "found deps={'a.csv': True}\n  expected paths, globs or env:NAME"),
        ({"outputs": [5]}, "found outputs=[5]\n  expected paths or globs"),
    ],
    ids=[
        "list",
        "text",
        "misspelt",
        "name-number",
        "name-newline",
        "skip-number",
        "timeout-list",
        "timeout-true",
        "timeout-false",
        "timeout-huge",
        "cache-number",
        "raises-list",
        "raises-newline",
        "raises-key",
        "deps-item",
        "deps-number",
        "deps-object",
        "outputs-item",
    ],
)
def test_errors_in_metadata(own: Any, problem: str) -> None:
    """Bad metadata is refused with notebook, cell, place, what was found and what was expected."""
    assert f"nb.ipynb, cell 3 (three), metadata.pytest_cells: {problem}" == message_of(pytest_cells=own)


@pytest.mark.parametrize("pattern", [5, ["x"], {}, "x{99999999999}"], ids=["number", "list", "object", "too-large"])
def test_a_match_that_is_no_regular_expression(pattern: Any) -> None:
    """Whatever `re` cannot compile is refused as our own error, never as a crash."""
    told = message_of(pytest_cells={"raises": True, "match": pattern})
    assert told.startswith(f"nb.ipynb, cell 3 (three), metadata.pytest_cells: found match={pattern!r}: ")
    assert told.endswith(f"\n  {REGEX}")


def test_match_needs_raises() -> None:
    """`match` without `raises` is refused."""
    told = "nb.ipynb, cell 3 (three), match: found without 'raises'\n  add raises or raises=TYPE"
    assert told == message_of("# cells: match=x")


def test_match_may_stand_elsewhere_than_raises() -> None:
    """A comment's `match` goes with a tag's `raises`."""
    assert Raises(None, "gone") == parse("# cells: match=gone", tags=["raises-exception"]).raises


def test_an_error_with_its_message() -> None:
    """Type and pattern may stand together, as Python shows an error."""
    found = parse_directives("nb.ipynb", "cell 1", "# cells: raises='ValueError: bad .*'", {})
    assert Raises("ValueError", "bad .*") == found.raises


def test_an_environment_variable_as_a_shell_has_it() -> None:
    """`$NAME` is `env:NAME`."""
    assert ("env:MODE",) == parse_directives("nb.ipynb", "cell 1", "# cells: deps=$MODE", {}).deps
