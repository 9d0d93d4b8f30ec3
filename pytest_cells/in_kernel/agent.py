"""Runs inside the kernel, in a namespace of its own: the standard library alone, nothing of the user's.

It notes which files the kernel's own process opened for writing, so that two notebooks that write to one
folder at the same time are told apart. Writers outside Python's audit (C++ libraries, subprocesses) are not
seen; whoever asks must treat what is not named here as unknown.
"""

import faulthandler
import json
import os
import select
import sys
import threading
import time
from typing import Any

_collector_known = "gc" in sys.modules
import gc  # noqa: E402

if not _collector_known:
    del sys.modules["gc"]  # a cell that imports it is told apart from those that cannot see what it does

_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_written: "set[str]" = set()
# Kept from before the notebook's first cell: a cell may replace what it likes.
_abspath, _fspath, _fsdecode, _dumps = os.path.abspath, os.fspath, os.fsdecode, json.dumps
_poll: Any = getattr(select, "poll", None)
_sleep, _clock, _open, _frame = time.sleep, time.monotonic, open, sys._getframe
_read_clock: Any = getattr(time, "clock_gettime_ns", None)
_set_aside = [True] if "set_aside" in globals() or gc.get_freeze_count() else []
"""Whether objects are set aside. In a kernel that was forked they are; to count them takes as long as all else here."""
_MOST_WAITS = 100
_QUIET_ROUNDS = 4
_PAUSE_S = 0.0005
_LONGEST_ERROR = 19_900
_SHORT_LIMIT_S = 30
"""Cells with a time limit of less tell their end always."""
_MOST_OBSERVING = 10
"""How many times longer than the cell itself it may take, beyond that, to tell what it did."""


def _note(*paths: Any) -> None:
    for path in paths:
        if not isinstance(path, int):
            _written.add(_abspath(_fsdecode(_fspath(path))))


def _at(path: Any, folder_fd: int) -> Any:
    """Return a path that is given relative to an open folder (as shutil.rmtree does) in full."""
    if folder_fd in (-1, None) or isinstance(path, int):
        return path
    return os.path.join(os.readlink("/proc/self/fd/%d" % folder_fd), _fsdecode(_fspath(path)))


def _opened(path: Any, mode: Any, flags: Any) -> None:
    by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
    if by_mode or (mode is None and isinstance(flags, int) and flags & _WRITE_FLAGS):
        _note(path)


_EVENTS: "dict[str, Any]" = {
    "open": _opened,
    "os.rename": lambda source, target, source_fd=-1, target_fd=-1: _note(
        _at(source, source_fd), _at(target, target_fd)
    ),
    "os.link": lambda source, target, source_fd=-1, target_fd=-1: _note(_at(target, target_fd)),
    "os.symlink": lambda source, target, folder_fd=-1: _note(_at(target, folder_fd)),
    "os.remove": lambda path, folder_fd=-1: _note(_at(path, folder_fd)),
    "os.truncate": lambda path, *_: _note(path),
}


def _show_all(*_: Any) -> None:
    """Let whoever looks at the collector's objects see all, those too that a fork server has set aside."""
    if _set_aside:
        gc.unfreeze()
        _set_aside.clear()


def _imported(name: Any, *_: Any) -> None:
    """Show all to whoever imports gc, since not all that can be asked of it is an event; not to IPython's own end."""
    if name == "gc" and _frame(2).f_globals.get("__name__") != "IPython.core.displayhook":
        _show_all()


_EVENTS["gc.get_objects"] = _EVENTS["gc.get_referrers"] = _show_all
_EVENTS["import"] = _imported
if _collector_known and not globals().get("collector_preloaded"):
    _show_all()  # a start-up file has it; of one that was preloaded only what tells of objects needs all of them


def _hook(event: str, arguments: "tuple[Any, ...]") -> None:
    handler = _EVENTS.get(event)
    if handler is not None:
        try:
            handler(*arguments)
        except Exception:  # the notebook must never fail because of us
            pass


def report(more: "dict[str, Any]") -> str:
    """Return as JSON, and forget, the absolute paths that were written since the last call.

    With them, for after an error, the names of the classes of the last error, and what else there is to tell.
    """
    paths = sorted(_written)
    _written.clear()
    last = getattr(sys, "last_type", None)
    return _dumps({"written": paths, "bases": [kind.__name__ for kind in getattr(last, "__mro__", ())], **more})


class _Observer:
    """Observe cells where whoever sends them asks for it, and answer what else is asked."""

    def __init__(self) -> None:
        self._tracer: Any = None
        self._wishes: dict[str, Any] = {}
        self._under_way = False
        self._began = 0.0

    def begin(self, parent: Any) -> None:
        """Look at a request just before it is executed."""
        self._under_way = False
        self._wishes = parent.get("metadata", {}).get(__name__) or {}
        if "count" in self._wishes:
            sys.modules["IPython"].get_ipython().execution_count = self._wishes["count"] + 1
        if self._wishes.get("trace") or self._wishes.get("setup"):
            if self._tracer is None:
                self._tracer = _tracer(self._wishes)
            self._tracer.begin(parent["content"]["code"])
            self._under_way, self._began = True, _clock()

    def end(self, parent: Any, *, ok: bool) -> "dict[str, Any]":
        """Return what is to be told with the reply; of a cell that may reach its time limit, tell its end at once."""
        if self._under_way:
            self._under_way = False
            took_s, limit_s = _clock() - self._began, self._wishes.get("limit_s", float("inf"))
            if took_s * _MOST_OBSERVING > limit_s - _SHORT_LIMIT_S:
                kernel = sys.modules["IPython"].get_ipython().kernel
                kernel.session.send(kernel.iopub_socket, __name__, {}, parent=parent)
            if self._wishes.get("setup"):
                return {"observed": self._tracer.settle()}
            observed = self._tracer.end(self._wishes, ok=ok)
            self._read_ahead()
            return {"observed": observed}
        if "request" in self._wishes:
            if self._tracer is None:
                self._tracer = _tracer(self._wishes)
            return {"answer": self._tracer.answer(self._wishes)}
        return {}

    def _read_ahead(self) -> None:
        """Have the source of the cell that is expected next read when all is told of this one, and nobody waits."""
        source = self._wishes.get("next")
        loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", lambda: None)()
        if source is not None and loop is not None and not loop.get_debug():  # which tells of all that takes long
            loop.call_soon(self._tracer.read_ahead, source)


def _tracer(wishes: "dict[str, Any]") -> Any:
    """Load the rest of the agent, as modules below this one, and start it."""
    here = sys.modules[__name__]
    here.__path__ = [wishes["agent"]]
    for name, module in here.__dict__.pop("set_aside", {}).items():  # what a fork server has imported for us
        sys.modules.setdefault(name, module)
    importlib: Any = sys.modules["importlib"]
    tracer: Any = importlib.import_module("%s.tracer" % __name__)
    return tracer.start(sys.modules["IPython"].get_ipython(), wishes)


def _time_of(clock: "int | None") -> "int | None":
    """Return how many ns a thread has run, by its own clock; None where that cannot be told."""
    try:
        return _read_clock(clock) if clock is not None else None
    except OSError:
        return None


def _clock_of(thread: Any) -> "int | None":
    """Return the number of a thread's own clock; None where there is none."""
    try:
        return time.pthread_getcpuclockid(thread)
    except (AttributeError, OSError):
        return None


def _clocks_tell_each_run() -> bool:
    """Tell whether a thread's clock has gone on when the thread has slept: the system may count in larger steps."""
    own = _clock_of(threading.get_ident())
    before = _time_of(own)
    _sleep(0.00002)
    return before is not None and before != _time_of(own)


class _Pipe:
    """The pipe through which ipykernel takes what C code and subprocesses write, and the thread that reads it."""

    def __init__(self, stream: Any, *, by_clock: bool) -> None:
        self.stream, self.flush = stream, stream.flush
        self._unread = _poll()
        self._unread.register(stream._fid, select.POLLIN)
        self._status = "/proc/self/task/%s/status" % stream.watch_fd_thread.native_id
        self._reader_clock = _clock_of(stream.watch_fd_thread.ident) if by_clock else None
        self._slept_since: int | None = None
        self._seen = self._turns()

    def drain(self) -> None:
        """Wait until all that was written is on its way, so that it is told before the reply.

        ipykernel itself pauses for half a millisecond before each reply instead, which its client switches off: here
        that is done only where something may have been written. Nothing was if the pipe is empty and the thread that
        reads it has not run.
        """
        ran = _time_of(self._reader_clock)
        if ran is not None and ran == self._slept_since and not self._unread.poll(0):
            return  # what follows would find the same, ten times slower
        self._slept_since = None
        if self._seen is not None and self._quiet():
            self._slept_since = ran  # not more than that: it was asleep after that was told, or would differ now
            return
        rounds = 0
        for _ in range(_MOST_WAITS):
            _sleep(_PAUSE_S)
            self.flush()
            rounds = rounds + 1 if self._quiet() else 0
            if rounds == _QUIET_ROUNDS:
                return

    def _quiet(self) -> bool:
        """Tell whether nothing waits in the pipe, and its reader has not run since this was last asked."""
        waiting = bool(self._unread.poll(0))
        before, self._seen = self._seen, self._turns()
        return not waiting and before == self._seen

    def _turns(self) -> Any:
        """Return what changes whenever the thread has run, unlike itself while it runs; None where that is not told."""
        try:
            with _open(self._status) as status:
                lines = status.read().splitlines()
        except OSError:
            return None
        turns = [line for line in lines if "_ctxt_switches" in line]
        asleep = any(line.startswith("State:\tS") for line in lines)
        return (turns if asleep else object()) if turns else None


def _pipes() -> "list[_Pipe]":
    found = (sys.stdout, sys.stderr)
    watched = [stream for stream in found if _poll and isinstance(getattr(stream, "_fid", None), int)]
    by_clock = _clocks_tell_each_run()
    return [_Pipe(stream, by_clock=by_clock) for stream in watched if getattr(stream, "watch_fd_thread", None)]


def _flush_what_there_is(stream: Any) -> None:
    """Let `flush` return at once where nothing waits: ipykernel calls it eight times a cell, through a thread."""
    flush = stream.flush

    def quick_flush() -> None:
        if stream._buffers or stream._flush_pending:
            flush()

    if isinstance(getattr(stream, "_buffers", None), dict) and hasattr(stream, "_flush_pending"):
        stream.flush = quick_flush


def _cut(text: str) -> str:
    left_out = len(text) - _LONGEST_ERROR
    return "%s [... %d characters left out]" % (text[:_LONGEST_ERROR], left_out) if left_out > 0 else text


class _Told:
    """An error of which only so much is told as can be read."""

    def __init__(self, error: Any) -> None:
        self._error = error

    def __str__(self) -> str:
        return _cut(str(self._error))


def _bound_errors() -> None:
    """Cut what is too long of an error before it is sent: it is sent twice, with its text twice."""
    shell = sys.modules["IPython"].get_ipython()
    show = shell._showtraceback

    def _showtraceback(etype: Any, evalue: Any, stb: Any) -> Any:
        parts = [_cut(part) for part in stb] if isinstance(stb, list) else stb
        return show(etype, _Told(evalue), parts)

    shell._showtraceback = _showtraceback


def _tell_crashes() -> None:
    """Let a crash of the process tell, on the stderr that it was started with, which line it was in."""
    original = getattr(sys.stderr, "_original_stdstream_copy", None)
    if original is not None and not faulthandler.is_enabled():
        faulthandler.enable(original, all_threads=False)


def _drop_nothing() -> None:
    """Let what is published wait without bound: libzmq drops what a reader is more than 1,000 messages behind with.

    With an output that is dropped a failure may be lost, and with the word that the kernel is idle its answer. This
    holds for the readers that there are by now, as whoever asks for an execution is.
    """
    thread = getattr(sys.modules["IPython"].get_ipython().kernel, "iopub_thread", None)
    option = getattr(sys.modules.get("zmq"), "SNDHWM", None)
    if thread is not None and option is not None:
        thread.schedule(lambda: thread.socket.setsockopt(option, 0))  # in the one thread that may touch the socket


def _tell_with_replies() -> None:
    """Add the report to each reply: the kernel lets whoever extends it add metadata, also after an error."""
    kernel = sys.modules["IPython"].get_ipython().kernel
    finish = kernel.finish_metadata
    pipes = _pipes()
    observer = _Observer()
    init = kernel.init_metadata
    bounded = [True]

    def init_metadata(parent: Any) -> Any:
        try:
            if bounded:
                bounded.clear()
                _drop_nothing()
            observer.begin(parent)
        except Exception:  # the notebook must never fail because of us
            pass
        return init(parent)

    def finish_metadata(parent: Any, metadata: Any, reply_content: Any) -> Any:
        metadata = finish(parent, metadata, reply_content)
        try:
            if isinstance(reply_content.get("evalue"), str):
                reply_content["evalue"] = _cut(reply_content["evalue"])
            try:
                more = observer.end(parent, ok=reply_content.get("status") == "ok")
            except Exception as problem:
                more = {"problem": "%s: %s" % (type(problem).__name__, problem)}
            for pipe in pipes:
                pipe.drain()
            metadata["_pytest_cells_agent"] = report(more)
        except Exception:  # the notebook must never fail because of us
            pass
        return metadata

    kernel.init_metadata = init_metadata

    kernel.finish_metadata = finish_metadata
    for pipe in pipes:
        _flush_what_there_is(pipe.stream)


_tell_with_replies()
_bound_errors()
_tell_crashes()
sys.addaudithook(_hook)
