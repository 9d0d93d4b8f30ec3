from __future__ import annotations

import time
from typing import Any

import pytest

from pytest_cells.kernels.outputs import Displays, OutputCollector, OutputWidgets, fold


def stream(text: str, name: str = "stdout") -> tuple[str, dict[str, Any]]:
    """Return a stream message."""
    return "stream", {"name": name, "text": text}


def display(text: str, display_id: str | None = None, kind: str = "display_data") -> tuple[str, dict[str, Any]]:
    """Return a display message."""
    transient = {"display_id": display_id} if display_id else {}
    return kind, {"data": {"text/plain": text}, "metadata": {"m": text}, "transient": transient}


def clear(*, wait: bool) -> tuple[str, dict[str, Any]]:
    """Return a message that clears."""
    return "clear_output", {"wait": wait}


def shown(text: str) -> dict[str, Any]:
    """Return a display as an output."""
    return {"output_type": "display_data", "data": {"text/plain": text}, "metadata": {"m": text}}


def written(text: str, name: str = "stdout") -> dict[str, Any]:
    """Return a stream as an output."""
    return {"output_type": "stream", "name": name, "text": text}


def collect(*messages: tuple[str, dict[str, Any]], displays: Displays | None = None) -> list[dict[str, Any]]:
    """Return the outputs of some messages."""
    collector = OutputCollector(displays or Displays(), OutputWidgets())
    for kind, content in messages:
        collector.add(kind, content)
    return collector.finished()


def test_no_messages() -> None:
    """Nothing said is no output."""
    assert [] == collect()


def test_streams_are_coalesced() -> None:
    """Adjacent messages of the same stream are one output; another stream or output between starts a new one."""
    found = collect(stream("a"), stream("b\n"), stream("c", "stderr"), stream("d"), display("x"), stream("e"))
    assert [written("ab\n"), written("c", "stderr"), written("d"), shown("x"), written("e")] == found


def test_results_and_errors() -> None:
    """Results keep their count, errors their traceback."""
    result = ("execute_result", {"data": {"text/plain": "5"}, "metadata": {}, "execution_count": 3})
    error = ("error", {"ename": "ValueError", "evalue": "x", "traceback": ["a", "b"], "more": 1})
    expected = [
        {"output_type": "execute_result", "data": {"text/plain": "5"}, "metadata": {}, "execution_count": 3},
        {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": ["a", "b"]},
    ]
    assert expected == collect(result, error)


def test_parts_that_are_missing() -> None:
    """What a kernel leaves out of a message is empty."""
    expected = [
        {"output_type": "display_data", "data": {}, "metadata": {}},
        {"output_type": "error", "ename": "", "evalue": "", "traceback": []},
    ]
    assert expected == collect(("display_data", {}), ("error", {}))


@pytest.mark.parametrize("kind", ["status", "execute_input", "comm_open", "comm_msg", "iopub_welcome", "unheard_of"])
def test_messages_that_are_no_output(kind: str) -> None:
    """Messages of other types, known or not, are passed over."""
    assert [written("ab")] == collect(stream("a"), (kind, {"data": {}, "name": "x"}), stream("b"))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("10 %\r100 %\n", "100 %\n"),
        ("a\rb\rc", "c"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("a\r", "a\r"),
        ("first\nold\rnew", "first\nnew"),
        ("a\r\rb", "b"),
        ("ab\bc", "ac"),
        ("ab\b\bc", "c"),
        ("a\n\bb", "a\nb"),
        ("a\b\b\bb", "b"),
        ("plain\n", "plain\n"),
        ("", ""),
    ],
    ids=repr,
)
def test_fold(text: str, folded: str) -> None:
    """Carriage returns and backspaces are applied as a terminal does, within a line."""
    assert folded == fold(text)


def test_folding_is_done_over_messages() -> None:
    """A bar of progress that is drawn in many messages is one line."""
    assert [written("100%\n")] == collect(*(stream(f"\r{part}%") for part in (0, 50, 100)), stream("\n"))


def test_folding_stays_within_a_stream() -> None:
    """A carriage return on one stream overwrites nothing of the other."""
    assert [written("a"), written("b", "stderr")] == collect(stream("a"), stream("x\rb", "stderr"))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 40_000 + "\r\n",
        "50 %\r100 %\n" + "x" * 40_000,
        "".join(f"\r{number:6d}" for number in range(20_000)),
    ],
    ids=["long-line", "long-line-after-a-bar", "bars"],
)
def test_folding_takes_linear_time(text: str) -> None:
    """A long text is folded in a time that grows with its length, not with its square."""
    began = time.perf_counter()
    fold(text)
    assert time.perf_counter() - began < 0.25


def test_clear_at_once() -> None:
    """Without `wait` everything before goes at once."""
    assert [] == collect(stream("a"), display("x"), clear(wait=False))


def test_clear_with_the_next_output() -> None:
    """With `wait` everything stays until the next output comes, and goes with it."""
    assert [written("a")] == collect(stream("a"), clear(wait=True))
    assert [written("b")] == collect(stream("a"), clear(wait=True), stream("b"))
    assert [written("bc")] == collect(stream("a"), clear(wait=True), stream("b"), stream("c"))


def test_clear_at_once_takes_back_a_wait() -> None:
    """A clear without `wait` after one with it clears once."""
    found = collect(stream("a"), clear(wait=True), clear(wait=False), stream("b"), display("x"))
    assert [written("b"), shown("x")] == found


def test_a_wait_is_not_ended_by_other_messages() -> None:
    """Only an output ends the wait: a status or an update does not."""
    update = display("y", "id", "update_display_data")
    assert [written("a")] == collect(stream("a"), clear(wait=True), ("status", {}), update)


def test_an_update_of_a_display() -> None:
    """An update replaces data and metadata of the display with its id, where it stands."""
    found = collect(display("old", "id"), stream("a"), display("new", "id", "update_display_data"))
    assert [shown("new"), written("a")] == found


def test_an_update_reaches_every_display_of_its_id() -> None:
    """All displays of an id are updated, also by a display that is new, and no others are."""
    found = collect(display("old", "id"), display("x", "other"), display("x"), display("new", "id"))
    assert [shown("new"), shown("x"), shown("x"), shown("new")] == found


def test_an_update_reaches_results() -> None:
    """A result with an id is updated like a display."""
    result = display("old", "id", "execute_result")
    found = collect(result, display("new", "id", "update_display_data"))
    assert [{"text/plain": "new"}] == [output["data"] for output in found]


def test_an_update_across_cells() -> None:
    """A later cell's update changes the output of the cell that first showed the display."""
    displays = Displays()
    first = collect(display("old", "id"), displays=displays)
    second = collect(display("new", "id", "update_display_data"), displays=displays)
    assert ([shown("new")], []) == (first, second)


@pytest.mark.parametrize("transient", [{}, {"display_id": "unknown"}, {"display_id": 5}, None], ids=str)
def test_an_update_of_nothing(transient: Any) -> None:
    """An update without an id, or of one that was never shown, changes nothing."""
    update = ("update_display_data", {"data": {"text/plain": "new"}, "metadata": {}, "transient": transient})
    assert [shown("old")] == collect(display("old", "id"), update)


def test_displays_of_one_kernel_only() -> None:
    """Another kernel's display of the same id is another display."""
    first = collect(display("old", "id"))
    collect(display("new", "id", "update_display_data"))
    assert [shown("old")] == first


def comm(comm_id: str, **state: str) -> dict[str, object]:
    """Return the content of a message of a widget."""
    return {"comm_id": comm_id, "data": {"method": "update", "state": state}}


def test_output_widgets_keep_what_is_shown_inside_them() -> None:
    """While an Output widget captures, also in a later request, outputs are its own; other widgets capture nothing."""
    widgets = OutputWidgets()
    first, second = OutputCollector(Displays(), widgets), OutputCollector(Displays(), widgets)
    first.add("comm_open", comm("out", _model_name="OutputModel", msg_id=""))
    first.add("comm_open", comm("slider", _model_name="IntSliderModel"))
    first.add("comm_msg", comm("slider", msg_id="1"))
    first.add("stream", {"name": "stdout", "text": "before"})
    first.add("comm_msg", comm("out", msg_id="1"))
    first.add("error", {"ename": "ValueError", "evalue": "", "traceback": []})
    first.add("clear_output", {"wait": False})
    assert ["before"] == [output["text"] for output in first.finished()]
    second.add("stream", {"name": "stdout", "text": "inside"})
    second.add("comm_msg", comm("out", msg_id=""))
    second.add("stream", {"name": "stdout", "text": "after"})
    assert ["after"] == [output["text"] for output in second.finished()]


@pytest.mark.parametrize("content", [{}, {"data": None}, {"comm_id": 1, "data": {"state": []}}])
def test_odd_messages_of_widgets(content: dict[str, object]) -> None:
    """Messages of another form are passed over."""
    collector = OutputCollector(Displays(), OutputWidgets())
    for kind in ("comm_open", "comm_msg"):
        collector.add(kind, content)
    assert [] == collector.finished()
