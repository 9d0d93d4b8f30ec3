"""Follow the two random generators that a whole process shares: `random` and `numpy.random`.

A generator is unseeded until a cell seeds it, or sets its state, from a value of its own. What is drawn before that
differs in every process: the cell is volatile. What is drawn after it follows from the state, which has a Version.
Drawing shows in the state. Seeding need not, so the functions that do it tell.
"""

import marshal
import sys
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from .classes import identity
from .versions import PRIVATE_BUILTINS

__builtins__ = PRIVATE_BUILTINS

UNSEEDED = "start"
HARMLESS_CALLERS = frozenset(
    {"IPython", "asyncio", "bokeh", "cloudpickle", "comm", "concurrent", "ctypes", "dask", "debugpy", "distributed"}
    | {"email", "importlib", "ipykernel", "ipywidgets", "joblib", "jupyter_client", "logging", "matplotlib", "loky"}
    | {"matplotlib_inline", "multiprocessing", "plotly", "socket", "ssl", "subprocess", "tempfile", "threading"}
    | {"tornado", "tqdm", "zmq", "pydevd"}
)
"""Packages that draw random bytes for names and keys of their own, which no result depends on."""
HARMLESS_MODULES = ("sklearn.callback.",)
"""Begins the names of modules that do so in packages that otherwise draw for results."""
DRAWN_AT_IMPORT = {"rich.style": 24}
"""How many bits modules draw from `random` when they are imported, for numbers of their own that no result shows."""
_BETWEEN = frozenset({"os", "random", "secrets", "uuid", "numpy"})
_PLAIN_SEEDS = (int, str, bytes, bytearray, float)
_MOST_PENDING = 16
_TWISTER_BYTES = 4 * 625
_frame = sys._getframe
_dumps, _loads = marshal.dumps, marshal.loads
_BUILTIN = type(len)


def digest(state: Any) -> str:
    """Return the Version of plain data."""
    return sha256(_dumps(state, 2)).hexdigest()


class Generator:
    """One shared generator. `get` returns its state as plain data, `put` sets it from that.

    `quick` returns what differs when the state does, and need be told apart only from the last before it.
    """

    def __init__(self, name: str, get: Any, put: Any, quick: Any = None) -> None:
        self.name, self._get, self._put, self._quick = name, get, put, quick if quick is not None else get
        self.version = UNSEEDED
        self._seeded = False
        self._start: Any = self._quick()
        """How the state was when what is under way began: the cell, or what came after the generator was last set."""
        self._begin_cell()

    def _begin_cell(self) -> None:
        self.volatile = False
        self.read = self.written = False
        self._version_before = self.version

    def begin(self) -> bool:
        """Note the state just before a cell; tell whether something has drawn from a seeded one since the last."""
        self._begin_cell()
        return self._look_between()

    def _look_between(self) -> bool:
        state = self._quick()
        if state == self._start:
            return False
        self._start = state
        if self._seeded:  # something drew between two cells: all that can be said of it is what it is now
            self.version = self._version_before = digest(self._get())
        return self._seeded

    def _end_of_part(self, state: Any) -> None:
        """Note what was drawn since the generator was last set."""
        if state != self._start:
            self.read = self.read or not self.written
            self.volatile = self.volatile or not self._seeded
            if self._seeded:
                self.written = True

    def asked(self) -> None:
        """Note that the state is read."""
        self.read = self.read or not self.written
        self.volatile = self.volatile or not self._seeded

    def pass_over(self, drawn: "Callable[[Any], Any]") -> None:
        """Pass over what a library drew for itself, if nothing else was drawn and nothing seeded.

        `drawn` returns the state after that for the state before.
        """
        state = self._quick()
        if not self._seeded and not self.written and state != self._start and drawn(self._start) == state:
            self._start = state

    def about_to_be_set(self) -> None:
        """Note that the generator is about to get another state."""
        self._end_of_part(self._quick())

    def was_set(self, *, seeded: bool) -> None:
        """Note that the generator has got another state; `seeded` if from a value of the cell's own."""
        self._seeded, self.written = seeded, True
        self._start = self._quick()

    def end(self) -> None:
        """Note the state after a cell."""
        state = self._quick()
        self._end_of_part(state)
        self._start = state
        if self.written:
            self.version = digest(self._get()) if self._seeded else UNSEEDED

    @property
    def version_before(self) -> str:
        """The Version just before the cell."""
        return self._version_before

    def state(self) -> "bytes | None":
        """Return what sets it again; None for one that is unseeded, since nothing need be set then."""
        return _dumps(self._get(), 2) if self._seeded else None

    def set(self, state: bytes) -> None:
        """Give it a state that was kept."""
        self._put(_loads(state))
        self._seeded, self._start = True, self._quick()
        self.version = digest(self._get())


class Entropy:
    """Note what is drawn from the operating system, which differs in every process."""

    def __init__(self, installed: Any) -> None:
        self.installed = installed
        """Tells whether a file is a library's."""
        self.volatile: list[str] = []
        self.quiet = False
        """Whether what is drawn is known not to matter."""
        self._pending: list[_Pending] = []

    def begin(self) -> None:
        """Forget the cell before."""
        self.volatile = []
        self._pending = []

    def drawn(self, how: str, depth: int = 2) -> None:
        """Note that random bytes are drawn by whoever is on the stack, but for a library's own business."""
        if not self.quiet and not _is_harmless(_frame(depth), self.installed):
            self._note(how)

    def end(self) -> None:
        """Decide on what was left open."""
        for pending in self._pending:
            if not pending.unused:
                self._note(pending.how)
        self._pending = []

    def open(self, how: str, place: Any) -> "_Pending":
        """Note that random bytes are drawn which may be thrown away at once."""
        if len(self._pending) > _MOST_PENDING:
            self.end()
        pending = _Pending(how, place)
        self._pending.append(pending)
        return pending

    def _note(self, how: str) -> None:
        if how not in self.volatile:
            self.volatile.append(how)


class _Pending:
    """Random bytes that a generator was made with, to be seeded at once by something else, or not."""

    def __init__(self, how: str, place: Any) -> None:
        self.how, self.place = how, place
        self.kept: Any = None
        """The generator, which must not go before this is decided."""
        self.dropped_at_once = False

    @property
    def unused(self) -> bool:
        """Whether the generator was seeded before anyone else could see it."""
        if not self.dropped_at_once or self.kept is None:
            return False
        sequence = getattr(self.kept, "seed_seq", self)  # numpy before 1.25 has it under another name
        return (getattr(self.kept, "_seed_seq", self) if sequence is self else sequence) is None


def _is_harmless(frame: Any, installed: Any) -> bool:
    """Tell whether what asked for random bytes did it for itself, or while a library was imported."""
    asks = ""
    while frame is not None:
        told, file = frame.f_globals.get("__name__"), frame.f_code.co_filename
        name = told if type(told) is str else ""
        package = name.partition(".")[0]
        if name == "numpy.random._pickle":
            return True  # a state is set right after
        if not asks and package not in _BETWEEN and file != __file__:
            if package in HARMLESS_CALLERS or name.startswith(HARMLESS_MODULES):
                return True
            asks = file
            if not installed(file):
                return False
        if asks and file.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


SHARED_GENERATORS = {
    ("random", "Random"): ("random", "_inst", "random"),
    ("numpy.random.mtrand", "RandomState"): ("numpy.random.mtrand", "_rand", "numpy.random"),
}
"""By the module and name of a class, where the process keeps the one that all share, and the slot of that."""


_HELD: "dict[str, Any]" = {"gauss_next": None}
"""What such a generator has as attributes, unless the notebook gives it more: that is no part of the slot."""


def shared_generator(item: Any) -> "str | None":
    """Return the slot of a generator that the whole process shares; None for one of its kind that stands alone."""
    for module, name, slot in SHARED_GENERATORS.values():
        if (
            getattr(sys.modules.get(module), name, None) is item
            and getattr(item, "__dict__", _HELD).keys() <= _HELD.keys()
        ):
            return slot
    return None


# -- the generator of `random` -----------------------------------------------------------------------------


def python_generator(module: Any) -> Generator:
    """Return the generator behind the functions of `random`."""
    shared, kind = module._inst, module.Random
    getstate, setstate = kind.getstate, kind.setstate
    return Generator("random", lambda: getstate(shared), lambda state: setstate(shared, state))


def python_state_after(module: Any, state: Any, bits: int) -> Any:
    """Return the state of `random`'s generator after drawing so many bits in a state."""
    twin = module.Random(0)
    twin.setstate(state)
    twin.getrandbits(bits)
    return twin.getstate()


def observe_python(module: Any, listener: Any) -> None:
    """Let the functions that seed generators of `random` tell."""
    kind, shared = module.Random, module._inst
    original_seed, original_get, original_set = kind.seed, kind.getstate, kind.setstate
    original_urandom = module._urandom

    def seed(self: Any, a: Any = None, version: int = 2) -> None:
        watched = listener()
        if watched is None:
            return original_seed(self, a, version)  # type: ignore[no-any-return]
        plain = a is not None and type(a) in _PLAIN_SEEDS
        if self is shared:
            generator = watched.generator("random")
            generator.about_to_be_set()
            try:
                return original_seed(self, a, version)  # type: ignore[no-any-return]
            finally:
                generator.was_set(seeded=plain)
        if not plain and type(self).__name__ != "SystemRandom":
            watched.entropy.drawn("random.Random() is seeded by chance")
        return original_seed(self, a, version)  # type: ignore[no-any-return]

    def getstate(self: Any) -> Any:
        watched = listener() if self is shared else None
        if watched is not None:
            watched.generator("random").asked()
        return original_get(self)

    def setstate(self: Any, state: Any) -> Any:
        watched = listener() if self is shared else None
        if watched is None:
            return original_set(self, state)
        generator = watched.generator("random")
        generator.about_to_be_set()
        try:
            return original_set(self, state)
        finally:
            generator.was_set(seeded=True)

    def urandom(size: int, /) -> bytes:
        watched = listener()
        if watched is not None:
            watched.entropy.drawn("it draws from the operating system's random numbers")
        return original_urandom(size)  # type: ignore[no-any-return]

    for function, original in ((seed, original_seed), (getstate, original_get), (setstate, original_set)):
        like(function, original)
        setattr(kind, function.__name__, function)
        if getattr(getattr(module, function.__name__, None), "__func__", None) is original:
            setattr(module, function.__name__, getattr(shared, function.__name__))
    module._urandom = standing_for(module, urandom, original_urandom)


# -- the generator of `numpy.random` -----------------------------------------------------------------------


def numpy_generator(module: Any) -> Generator:
    """Return the generator behind the functions of `numpy.random`."""
    mtrand = sys.modules["numpy.random.mtrand"]
    shared = mtrand._rand
    get_state, set_state = shared.get_state, shared.set_state

    def get() -> Any:
        state = get_state(legacy=False)
        inner = state["state"]
        if "key" not in inner:
            return (state["bit_generator"], repr(state))
        return (state["bit_generator"], inner["key"].tobytes(), inner["pos"], state["has_gauss"], state["gauss"])

    def put(state: Any) -> None:
        name, key, position, has_gauss, gauss = state
        numpy: Any = sys.modules["numpy"]
        set_state((name, numpy.frombuffer(key, dtype=numpy.uint32), position, has_gauss, gauss))

    return Generator("numpy.random", get, put, _quick_state(shared, get))


def _quick_state(shared: Any, get: Any) -> Any:
    """Return what tells whether numpy's generator has moved: its memory, where it is the usual one.

    Of two normal numbers that are made at once the second is kept elsewhere; while it is, the whole state is read.
    """
    try:
        import ctypes  # not everyone has it

        bits = shared._bit_generator
        if type(bits).__name__ != "MT19937":
            return None
        address, memory = bits.ctypes.state_address, ctypes.string_at
    except (ImportError, AttributeError):
        return None
    whole = [get()]

    def quick() -> Any:
        if shared._bit_generator is not bits:
            return get()
        key = memory(address, _TWISTER_BYTES)
        if key != whole[-1][1] + whole[-1][2].to_bytes(4, sys.byteorder) or whole[-1][3]:
            whole[:] = [get()]
        return key, whole[-1][3], whole[-1][4]

    return quick


class _Bits(int):
    """Random bits whose end is told: a seed sequence holds them for as long as its generator may use them."""

    pending: Any = None

    def __del__(self) -> None:
        if self.pending is not None:  # the generator itself must not be looked at: it is just being changed
            try:
                frame = _frame(1)
            except (ValueError, TypeError):  # the process ends
                return
            self.pending.dropped_at_once = self.pending.place == (identity(frame), frame.f_lasti)

    def __reduce__(self) -> Any:
        return int, (int(self),)


def observe_numpy(module: Any, listener: Any) -> None:
    """Let the functions that seed generators of `numpy.random` tell."""
    mtrand: Any = sys.modules["numpy.random.mtrand"]
    bits: Any = sys.modules["numpy.random.bit_generator"]
    integer, array = sys.modules["numpy"].integer, sys.modules["numpy"].ndarray
    original_seed, original_get, original_set = module.seed, module.get_state, module.set_state
    original_bits, original_twister = bits.randbits, mtrand._MT19937
    making: list[Any] = []

    def seed(seed: Any = None) -> Any:
        watched = listener()
        if watched is None:
            return original_seed(seed)
        generator = watched.generator("numpy.random")
        generator.about_to_be_set()
        quiet, watched.entropy.quiet = watched.entropy.quiet, True
        try:
            return original_seed(seed)
        finally:
            watched.entropy.quiet = quiet
            generator.was_set(seeded=isinstance(seed, (int, list, tuple, integer, array)))

    def get_state(legacy: bool = True) -> Any:  # noqa: FBT001, FBT002 - its own signature
        watched = listener()
        if watched is not None:
            watched.generator("numpy.random").asked()
        return original_get(legacy)

    def set_state(state: Any) -> Any:
        watched = listener()
        if watched is None:
            return original_set(state)
        generator = watched.generator("numpy.random")
        generator.about_to_be_set()
        try:
            return original_set(state)
        finally:
            generator.was_set(seeded=True)

    def randbits(k: int) -> int:
        watched = listener()
        if watched is None or watched.entropy.quiet:
            return original_bits(k)  # type: ignore[no-any-return]
        entropy = watched.entropy
        if not making:
            entropy.drawn("a generator of numpy is seeded by chance")
        entropy.quiet = True
        try:
            found: int = original_bits(k)
        finally:
            entropy.quiet = False
        if making and not _is_harmless(_frame(2), entropy.installed):
            pending = entropy.open("a generator of numpy is seeded by chance", making[-1])
            found = _Bits(found)
            found.pending = pending
            making.append(pending)
        return found

    class Twister(type):
        def __call__(cls, *seed: Any) -> Any:
            if seed or listener() is None:
                return original_twister(*seed)
            frame = _frame(1)
            making.append((identity(frame), frame.f_lasti))
            try:
                made = original_twister()
                if isinstance(making[-1], _Pending):
                    making[-1].kept = made
            finally:
                making.clear()
            return made

        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, original_twister)

    class MT19937(metaclass=Twister):
        """Stands for numpy's own where RandomState makes one, to seed it at once or not."""

    for function, original in ((seed, original_seed), (get_state, original_get), (set_state, original_set)):
        like(function, original)
        for owner in (module, mtrand):
            if getattr(owner, function.__name__, None) is not None:
                setattr(owner, function.__name__, function)
    bits.randbits = randbits
    mtrand._MT19937 = like(MT19937, original_twister)


def like(function: Any, original: Any) -> Any:
    """Let a function of ours look like the one that it stands for."""
    for name in ("__name__", "__qualname__", "__doc__"):
        try:
            setattr(function, name, getattr(original, name))
        except (AttributeError, TypeError):
            pass
    module = getattr(original, "__module__", None)
    if module is not None:
        function.__module__ = module
    return function


class Builtin:
    """Stands for a built-in function, and like one becomes no method where a class has it for an attribute."""

    def __init__(self, function: Any, original: Any, owner: Any) -> None:
        self._function, self._original = function, original
        self.__name__, self.__qualname__, self.__doc__ = original.__name__, original.__qualname__, original.__doc__
        self.__module__ = owner.__name__
        self.__self__ = original.__self__
        self.__text_signature__ = original.__text_signature__

    def __call__(self, *arguments: Any, **named: Any) -> Any:  # noqa: D102
        return self._function(*arguments, **named)

    def __repr__(self) -> str:
        return repr(self._original)

    def __reduce__(self) -> str:
        return str(self.__name__)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._original)


def standing_for(owner: Any, function: Any, original: Any) -> Any:
    """Return what stands for a function of a module: another built-in one, or another of Python's own."""
    builtin = type(original) is _BUILTIN
    return Builtin(function, original, owner) if builtin else like(function, original)
