"""From iopub messages to nbformat outputs, as nbclient does it: display ids, updates, clearing, streams."""

from __future__ import annotations

from typing import Any

from pytest_cells.model import Json

MB = 2**20
OUTPUTS = frozenset({"stream", "display_data", "execute_result", "update_display_data"})
"""Types of messages that may be left out where they are too large. An error never is."""


class Displays:
    """The displays of one kernel by display id: an update reaches the cell that first showed it."""

    def __init__(self) -> None:
        self._shown: dict[str, list[Json]] = {}

    def remember(self, display_id: str, output: Json) -> None:
        """Note an output that may be updated later."""
        self._shown.setdefault(display_id, []).append(output)

    def update(self, display_id: str, data: Json, metadata: Json) -> None:
        """Replace the data of all outputs that were shown under an id."""
        for output in self._shown.get(display_id, ()):
            output["data"], output["metadata"] = data, metadata


class OutputWidgets:
    """The ipywidgets `Output` widgets of one kernel: what is shown inside one belongs to it, errors included."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._open: set[str] = set()

    @property
    def capturing(self) -> bool:
        """Tell whether some widget takes what is shown now."""
        return bool(self._open)

    def opened(self, content: Json) -> None:
        """Take the message that a widget has come into being."""
        state = _mapping(_mapping(content.get("data")).get("state"))
        if state.get("_model_name") == "OutputModel":
            self._known.add(str(content.get("comm_id")))
            self.updated(content)

    def updated(self, content: Json) -> None:
        """Take the message that a widget has changed: with a `msg_id` it captures that request's outputs."""
        widget = str(content.get("comm_id"))
        state = _mapping(_mapping(content.get("data")).get("state"))
        if widget in self._known and "msg_id" in state:
            (self._open.add if state["msg_id"] else self._open.discard)(widget)


class OutputCollector:
    """Collect the outputs of one request."""

    def __init__(self, displays: Displays, widgets: OutputWidgets, max_bytes: int = 0) -> None:
        self.outputs: list[Json] = []
        self._displays, self._widgets = displays, widgets
        self._more: list[str] = []
        """What belongs to the text of the last output: joined once, since a cell may print a million times."""
        self._clear_first = False
        self._max_bytes, self._held, self._left_out = max_bytes, 0, 0

    def has_room(self, size: int) -> bool:
        """Tell whether an output of so many bytes stays within the limit; a limit of 0 is none."""
        return not self._max_bytes or self._held + size <= self._max_bytes

    def leave_out(self, size: int) -> None:
        """Note an output that is too large to be kept; from then on none is."""
        self._left_out += size
        self._held = max(self._held, self._max_bytes)

    def add(self, kind: str, content: Json, size: int = 0) -> None:
        """Take one iopub message's type, content and size in bytes; types that are no output are passed over."""
        if kind == "comm_open":
            self._widgets.opened(content)
        elif kind == "comm_msg":
            self._widgets.updated(content)
        if self._widgets.capturing and kind != "update_display_data":
            return
        if kind == "clear_output":
            self._clear_first = bool(content.get("wait"))
            if not self._clear_first:
                self._clear()
            return
        if kind == "update_display_data":
            self._update(content)
            return
        output = _output(kind, content)
        if output is None:
            return
        if self._clear_first:
            self._clear()
            self._clear_first = False
        self._held += size
        display_id = _display_id(content)
        if display_id is not None and kind in ("display_data", "execute_result"):
            self._displays.update(display_id, output["data"], output["metadata"])
            self._displays.remember(display_id, output)
        last = self.outputs[-1] if self.outputs else None
        if kind == "stream" and last and last["output_type"] == "stream" and last["name"] == output["name"]:
            self._more.append(output["text"])
        else:
            self._join()
            self.outputs.append(output)

    def finished(self) -> list[Json]:
        """Return the outputs, streams folded as a terminal shows them, and a note where some are left out."""
        self._join()
        for output in self.outputs:
            if output["output_type"] == "stream":
                output["text"] = fold(output["text"])
        if self._left_out:
            self.outputs.append({"output_type": "stream", "name": "stderr", "text": self._note()})
            self._left_out = 0
        return self.outputs

    def _note(self) -> str:
        lost, limit = self._left_out / MB, self._max_bytes / MB
        return f"[pytest-cells: {lost:.1f} MB of output left out; the limit is {limit:g} MB (cells_max_output_mb)]\n"

    def _join(self) -> None:
        if self._more:
            self.outputs[-1]["text"] += "".join(self._more)
            self._more.clear()

    def _clear(self) -> None:
        self.outputs.clear()
        self._more.clear()
        self._held = 0

    def _update(self, content: Json) -> None:
        display_id = _display_id(content)
        if display_id is not None:
            self._displays.update(display_id, content.get("data") or {}, content.get("metadata") or {})


def fold(text: str) -> str:
    r"""Apply carriage returns and backspaces, each line in one pass.

    >>> fold("10 %\r100 %\n")
    '100 %\n'
    """
    if "\r" not in text and "\b" not in text:
        return text
    return "\n".join(_folded(line) for line in text.replace("\r\n", "\n").split("\n"))


def _folded(line: str) -> str:
    body = line.rstrip("\r")
    kept = body[body.rfind("\r") + 1 :]
    if "\b" in kept:
        stack: list[str] = []
        for letter in kept:
            if letter != "\b":
                stack.append(letter)
            elif stack:
                stack.pop()
        kept = "".join(stack)
    return kept + line[len(body) :]


def _display_id(content: Json) -> str | None:
    transient = content.get("transient")
    found = transient.get("display_id") if isinstance(transient, dict) else None
    return found if isinstance(found, str) else None


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _output(kind: str, content: Json) -> Json | None:
    if kind == "stream":
        return {"output_type": kind, "name": str(content.get("name")), "text": str(content.get("text", ""))}
    if kind in ("display_data", "execute_result"):
        output: dict[str, Any] = {
            "output_type": kind,
            "data": content.get("data") or {},
            "metadata": content.get("metadata") or {},
        }
        if kind == "execute_result":
            output["execution_count"] = content.get("execution_count")
        return output
    if kind == "error":
        return {
            "output_type": kind,
            "ename": str(content.get("ename", "")),
            "evalue": str(content.get("evalue", "")),
            "traceback": [str(line) for line in content.get("traceback") or ()],
        }
    return None
