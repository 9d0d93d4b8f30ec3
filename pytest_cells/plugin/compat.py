"""The few things of pytest's that have no public name, each in one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from _pytest.fixtures import TopRequest
from _pytest.mark.structures import Mark, MarkDecorator
from _pytest.outcomes import OutcomeException
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks
from _pytest.terminal import KNOWN_TYPES

_OWN = ("_pytest.", "pytest_cells.")
"""Where the functions of pytest's own plugins, and of ours, are defined."""
_KEEPING_PHASES = ("_pytest.junitxml",)
"""Of these, those that want to be told of a passing test's setup and teardown too."""


def mark_of(name: str) -> MarkDecorator:
    """Return a mark of any name: `pytest.mark` refuses unregistered ones under --strict-markers."""
    return MarkDecorator(Mark(name, (), {}, _ispytest=True), _ispytest=True)


def prepare_fixtures(item: Any) -> None:
    """Give an item that is no function what fixtures need, as pytest's own DoctestItem does."""
    item.obj = None
    item._fixtureinfo = item.session._fixturemanager.getfixtureinfo(node=item, func=None, cls=None)
    item.fixturenames = item._fixtureinfo.names_closure
    renew_fixtures(item)


def renew_fixtures(item: Any) -> None:
    """Make an item ready for fixtures, again where it is run again (pytest-rerunfailures)."""
    item.funcargs = {}
    item._request = TopRequest(item, _ispytest=True)


def fill_fixtures(item: Any) -> None:
    """Set up the fixtures that apply to an item (autouse ones, and those of `usefixtures`)."""
    item._request._fillfixtures()


def fixture_value(item: Any, name: str) -> Any:
    """Return the value of a fixture for an item."""
    return item._request.getfixturevalue(name)


def path_in_reports(node: pytest.Item | pytest.Collector) -> str:
    """Return what reports call a node's file, as `Item.location` finds it for each item anew."""
    return node.session._node_location_to_relpath(node.path)


def skipped_here(reason: str) -> BaseException:
    """Return the exception that skips a test, with the test's own place instead of ours."""
    skipped: Any = pytest.skip.Exception(reason)
    skipped._use_item_location = True
    return skipped  # type: ignore[no-any-return]


def count_cached_as_good(config: pytest.Config) -> None:
    """Let the last line be green for cached cells: pytest turns yellow for categories that it does not know."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    ask = getattr(reporter, "_determine_main_color", None)
    if ask is None:
        return

    def determine(unknown_type_seen: bool) -> str:  # noqa: FBT001  # pytest's own signature
        others = {kind for kind in reporter.stats if kind} - set(KNOWN_TYPES) - {"cached"}
        colour: str = ask(unknown_type_seen and bool(others))
        only_cached = colour == "yellow" and not others and not {"warnings", "xpassed"} & set(reporter.stats)
        return "green" if only_cached and reporter.stats.get("cached") else colour

    reporter._determine_main_color = determine


def report_of_passed(item: Any, start: float, duration: float) -> pytest.TestReport:
    """Return the report of an item that passed, as `TestReport.from_item_and_call` makes it.

    That looks for keywords in all folders above for each item. Both times are in seconds, `start` since the epoch.
    """
    own: Mapping[str, Any] = item.keywords._markers
    return pytest.TestReport(
        getattr(item, "id", item.nodeid),
        item.location,
        {**dict.fromkeys(own, 1), **item.parent.keywords_in_reports},
        "passed",
        None,
        "call",
        [(f"Captured {key} {when}", text) for when, key, text in item._report_sections],
        duration,
        start,
        start + duration,
        user_properties=item.user_properties,
    )


def is_skipped(item: pytest.Item) -> bool:
    """Tell whether a mark skips an item; a mark that cannot be evaluated is pytest's to tell."""
    try:
        return evaluate_skip_marks(item) is not None
    except (Exception, OutcomeException):
        return False


def is_expected_to_fail(item: pytest.Item) -> bool:
    """Tell whether a mark expects an item to fail."""
    try:
        return not item.config.option.runxfail and evaluate_xfail_marks(item) is not None
    except (Exception, OutcomeException):
        return False


def may_deselect(config: pytest.Config) -> bool:
    """Tell whether items that are collected may not be run."""
    names = ("keyword", "markexpr", "lf", "deselect", "stepwise", "setupplan", "setuponly")
    return runs_nothing(config) or any(getattr(config.option, name, None) for name in names)


def is_undisturbed(hooks: Any, config: pytest.Config) -> bool:
    """Tell whether only pytest's own plugins and ours take part in setting up, running and reporting an item."""
    if config.option.setupshow or config.option.usepdb or config.option.trace:
        return False
    found = _implementations(hooks, "runtest_setup", "runtest_call", "runtest_teardown", "runtest_makereport")
    found += [impl for impl in _implementations(hooks, "runtest_protocol") if not _wraps(impl)]
    return all(map(_is_own, found))


def sets_up(file: pytest.Collector) -> bool:
    """Tell whether something is set up for all items of a file: a package's `__init__.py` is imported, for one."""
    plain = pytest.Collector.setup, pytest.Collector.teardown
    return any((type(node).setup, type(node).teardown) != plain for node in file.listchain())


def leave(item: pytest.Item, nextitem: pytest.Item) -> None:
    """Tear down what was set up for an item's file or folders and does not belong to the next item's."""
    item.session._setupstate.teardown_exact(nextitem)


def acts_between(hooks: Any) -> bool:
    """Tell whether somebody else's code runs between two items that are reported without pytest's runner."""
    names = ("runtest_protocol", "runtest_logstart", "runtest_logreport", "runtest_logfinish", "report_teststatus")
    found = _implementations(hooks, *names)
    return not all(map(_is_own_or_xdists, found))


def leaves_loop_to_us(config: pytest.Config) -> bool:
    """Tell whether nobody but pytest loops over the items, or acts around or between them, whatever their folder."""
    if runs_nothing(config) or hasattr(config, "workerinput"):
        return False
    loops = [impl for impl in _implementations(config.hook, "runtestloop") if not _wraps(impl)]
    return all(map(_is_own, loops)) and not acts_between(config.hook)


def tells_of_each(config: pytest.Config) -> bool:
    """Tell whether something is shown when an item of the same file as the one before begins or ends.

    To be asked where nobody else acts between items. pytest's terminal begins a line for a new file, and for each item
    only what its report writes anyway; in some versions it tells the progress when an item ends.
    """
    ends = _implementations(config.hook, "runtest_logfinish")
    return any(impl.function.__module__ == "_pytest.terminal" for impl in ends)


def looks_back(config: pytest.Config) -> bool:
    """Tell whether somebody may look at the session's reports at its end."""
    found = _implementations(config.hook, "sessionfinish", "terminal_summary", "unconfigure")
    return not all(map(_is_own_or_xdists, found))


def wants_phases(hooks: Any, config: pytest.Config) -> bool:
    """Tell whether somebody may look at the reports of a passing test's setup and teardown, or at their durations."""
    found = _implementations(hooks, "runtest_logreport", "report_teststatus", "terminal_summary")
    keep = any(impl.function.__module__ in _KEEPING_PHASES for impl in found)
    shown = config.pluginmanager.has_plugin("terminalreporter")  # else there is no such setting
    timed = config.option.durations is not None or (shown and config.getini("console_output_style") == "times")
    return keep or timed or not all(map(_is_own, found))


def _implementations(hooks: Any, *names: str) -> list[Any]:
    """Return who implements some of pytest's hooks."""
    return [impl for name in names for impl in getattr(hooks, f"pytest_{name}").get_hookimpls()]


def _is_own(impl: Any) -> bool:
    return bool(impl.function.__module__.startswith(_OWN))


def _is_own_or_xdists(impl: Any) -> bool:
    return _is_own(impl) or bool(impl.function.__module__.startswith("xdist."))


def _wraps(impl: Any) -> bool:
    return bool(impl.wrapper or impl.hookwrapper)


def runs_nothing(config: pytest.Config) -> bool:
    """Tell whether pytest was only asked what there is."""
    names = ("collectonly", "help", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
    return any(getattr(config.option, name, None) for name in names)


def names_notebooks(config: pytest.Config) -> bool:
    """Tell whether the arguments name notebooks, or folders that hold some, all of which will be run."""
    if may_deselect(config):
        return False
    for argument in config.args:
        path = config.invocation_params.dir / argument.partition("::")[0]
        if path.suffix == ".ipynb" or next(iter(path.glob("*.ipynb")), next(iter(path.glob("*/*.ipynb")), None)):
            return True
    return False
