"""Watch what a cell does beside its names: files, environment variables, ambient state, and what cannot be repeated."""

import base64
import os
import sys
import types
from functools import partial
from hashlib import sha256
from typing import Any

from . import interception
from .addresses import is_known
from .aside import Aside
from .classes import identity, module_dict_of
from .files import Files, Places
from .folder_events import CHANGES, CLOSE_WRITE, MODIFY, MOVED_TO, FolderEvents, Happened
from .generators import DRAWN_AT_IMPORT, Entropy, Generator, numpy_generator, python_generator, python_state_after
from .held import Held
from .leftovers import Leftovers
from .lookups import lookups
from .slots import LIBRARIES, UNSEEN_STATE, slots
from .unsteady import text_of
from .versions import ABSENT, DISTRIBUTIONS, PRIVATE_BUILTINS, TRANSIENT_VARIABLES

__builtins__ = PRIVATE_BUILTINS

KERNEL_VARIABLES = frozenset({"IPYKERNEL_CELL_NAME", "JPY_PARENT_PID"})
"""Variables that the kernel itself asks for at every cell."""
_KINDS = ("ALL", "COLLATE", "CTYPE", "MESSAGES", "MONETARY", "NUMERIC", "TIME")
LOCALES = ("LANG", "LANGUAGE", *("LC_%s" % kind for kind in _KINDS))
"""Variables that `locale.setlocale(locale.LC_ALL, "")` reads."""
NOT_READ_BY_OTHERS = (".py", ".ipynb", ".pyc", ".pyi")
"""Endings of files that testing itself reads beside a notebook: Python's own reads of them are told anyway."""
_encode = os.fsencode


class Effects:
    """Observe what the cells of one kernel do beside their names.

    `shell` is IPython's, or None. `project` is a folder that is watched with all that is in it, but for `ignored`.
    """

    def __init__(self, shell: Any, project: str, ignored: "tuple[str, ...] | list[str]" = ()) -> None:
        self.under_way = False
        self.passed_over: set[int] = set()
        """Threads of which nothing is told."""
        self._project, self._ignored = os.path.realpath(project), tuple(map(os.path.realpath, ignored))
        self.places = Places(self._project, self._ignored)
        self.files = Files(self.places)
        self.held = Held(self.places.counts)
        self.entropy = Entropy(self.places.installed)
        self.aside = Aside()
        self._leftovers = Leftovers(shell, self.places.installed)
        self._slots = {slot.name: slot for slot in slots(shell)}
        self._generators: dict[str, Generator] = {}
        self._waiting: dict[str, bytes] = {}
        """What generators of libraries that are not imported yet are to be set to."""
        self._left: dict[str, str] = {}
        """What cells above left in files, as long as nothing else has happened to those."""
        self._events: Any = None
        self._environment: Any = os.environ._data  # type: ignore[attr-defined]
        self.raw_threads = False
        """Whether code of any cell has started a thread that `threading` does not know."""
        self.asks_unseen = False
        """Whether any cell has asked the network, so that a connection may be open, or has loaded who knows what."""
        self.sets_modules = False
        """Whether code of any cell may put a module in the place of another, without importing it."""
        self.asks_locale = False
        """Whether code of any cell may have asked for the locale that the environment names."""
        self._undisturbed = False
        """Whether nothing has been done since the last cell."""
        self.draws_inline = False
        """Whether figures were shown in the notebook anyway when the cell began."""
        self._forget()

    def _forget(self) -> None:
        self._volatile: list[str] = []
        self._barrier: list[str] = []
        self._variables: dict[str, str] = {}
        self.all_variables_read = False
        self.replaced = False
        """Whether some module is no longer the one that it was, or gone: their number tells nothing then."""
        self.processes = False
        """Whether a process was started, which may read all variables."""
        self.harmless_processes = False
        self._imported: list[str] = []
        self._module_files: dict[str, str] = {}

    def install(self) -> None:
        """Begin to observe. May be called twice, and by another one later, which is told from then on."""
        if self._events is None:
            self.passed_over.update(self._leftovers.own_threads)
            self._events = FolderEvents()
            self._events.watch_tree(self._project, self._ignored)
            self._modules = _modules_there()
            for slot in self._slots.values():
                if slot.there():
                    self._safely(slot.start)
            for name in ("random", "numpy.random"):
                self._begin_generator(name)
        interception.install(self)

    # -- around a cell -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Note how things are just before a cell."""
        self.under_way = False
        self._forget()
        self.files.begin()
        lookups.take_searched()
        self.entropy.begin()
        for generator in self._generators.values():
            if generator.begin() and self._undisturbed:
                self.barrier("random numbers were drawn between two cells (%s)" % generator.name)
        self._between(self._events.take(self._ignored))
        if not self._undisturbed:
            for slot in self._slots.values():
                self._safely(slot.look)
            self._leftovers.begin()
        self.draws_inline = _draws_inline()
        self._slots_before = {name: slot.version for name, slot in self._slots.items()}
        self._variables_before = dict(self._environment)
        self._modules_before = len(sys.modules)
        self.under_way = True

    def end(self, candidates: Any = ()) -> "dict[str, Any]":
        """Return what was observed of the cell that has just ended, JSON-ready."""
        self.under_way = False
        told: dict[str, Any] = {}
        self._end_generators(told)
        self._end_slots(told)
        modules = self._end_modules()
        self._end_environment(told)
        unseen = self._end_files(told)
        self.entropy.end()
        for reason in self._leftovers.reasons(harmless_processes=self.harmless_processes):
            self.barrier(reason)
        if self.raw_threads:
            self.barrier("a thread may still be running that was started by _thread")
        for reason in (*self.files.volatile, *self.entropy.volatile):
            self.volatile(reason)
        for reason in self.files.barrier:
            self.barrier(reason)
        told["modules"], told["module_files"] = modules, self._module_files
        told["volatile"], told["barrier"], told["unwatched"] = self._volatile, self._barrier, unseen
        self._undisturbed = not self._barrier
        return told

    def disturb(self) -> None:
        """Note that ambient state may change before the next cell; else it is what it was at the end of the last one.

        What goes on by itself, as a thread does, is told by a barrier.
        """
        self._undisturbed = False

    def settle(self) -> "dict[str, Any]":
        """Take what the code that has just ended left as the start; a generator that it seeded stays seeded.

        Returns what was observed of it.
        """
        told = self.end()
        for slot in self._slots.values():
            if slot.begun:
                self._safely(slot.start)
        self.disturb()
        return told

    # -- what is told by those who watch -------------------------------------------------------------------

    def volatile(self, reason: str) -> None:
        """Note why a cell cannot be repeated."""
        if reason not in self._volatile:
            self._volatile.append(reason)

    def barrier(self, reason: str) -> None:
        """Note why not all that a cell does can be told."""
        if reason not in self._barrier:
            self._barrier.append(reason)

    def generator(self, name: str) -> Generator:
        """Return one of the shared generators."""
        return self._generators[name]

    def generator_version(self, slot: str) -> "str | None":
        """Return the Version that a shared generator had just before the cell; None where there is none."""
        return self._generators[slot].version_before if slot in self._generators else None

    def variable_read(self, key: Any) -> None:
        """Note that an environment variable is read."""
        name = key if type(key) is str else os.fsdecode(key) if type(key) is bytes else None
        if name is not None and name not in self._variables and name not in KERNEL_VARIABLES:
            self._variables[name] = _variable(self._environment, name)

    def module_read(self, path: Any) -> None:
        """Note that the import system reads a file."""
        full = self.files.full(path)
        if full is not None and full not in self._module_files and self.places.counts(full):
            self._module_files[full] = self.files.versions.of(full)

    def code_read(self, path: Any) -> None:
        """Note that the import system opens a file, to execute what is in it."""
        full = self.files.full(path)
        if full is not None and not self.places.installed(full):
            self.aside.stop()  # it is the user's own
        self.module_read(path)

    def looked(self, path: Any, frame: Any) -> None:
        """Note that a file is opened for reading by code of a frame: what the system itself tells is never the same."""
        full = self.files.full(path)
        if full is None or not full.startswith("/proc/") or full.startswith(STEADY):
            return
        while frame is not None and frame.f_code.co_name == "_modified_open":  # IPython's own `open`
            frame = frame.f_back
        if frame is not None and not self.places.installed(frame.f_code.co_filename):
            self.volatile("it reads %s" % full)

    def imported(self, name: Any, frame: Any) -> None:
        """Note that code of a frame is about to import a module, where it was not before."""
        if type(name) is str:
            if self.under_way:
                self.aside.importing(frame)
                self._imported.append(name)
            if name in LIBRARIES:
                sys.meta_path.insert(0, interception.Finder(name, self._loaded))

    def loaded_library(self, frame: Any) -> None:
        """Note that a shared library is loaded by code of a frame: what is called in it nobody sees."""
        while frame is not None and frame.f_globals.get("__name__") in ("ctypes", "_ctypes"):
            frame = frame.f_back
        if frame is not None and not self.places.installed(frame.f_code.co_filename):
            self.barrier("it uses ctypes")
        elif frame is not None and not is_known(text_of(frame.f_globals.get("__name__"))):
            self.asks_unseen = True

    def filter_added(self, entry: Any, frame: Any) -> None:
        """Note that a filter for warnings is added by code of a frame."""
        frames = []
        while frame is not None:
            frames.append(frame.f_code.co_filename)
            frame = frame.f_back
        asks = [file for file in frames if not file.endswith("warnings.py")]
        imported = any(file.startswith("<frozen importlib") for file in asks)
        kept: Any = self._slots["warnings"]
        self._safely(lambda: kept.added(entry, by_library=imported and self.places.installed(asks[0])))

    def registered_at_exit(self, frame: Any) -> None:
        """Note that something is registered for the end of the process by code of a frame."""
        if not self.places.installed(frame.f_code.co_filename):
            self.barrier("it registers what is done at exit")

    def _loaded(self, module: Any) -> None:
        name = module.__name__
        was_under_way, self.under_way = self.under_way, False
        try:
            for slot in self._slots.values():
                if slot.module == name:
                    self._safely(slot.start)
            self._begin_generator(name)
        finally:
            self.under_way = was_under_way

    def _begin_generator(self, name: str) -> None:
        module = sys.modules.get(name)
        if name in self._generators or module is None:
            return
        make = {"random": python_generator, "numpy.random": numpy_generator}.get(name)
        ready = hasattr(module, "_inst" if name == "random" else "RandomState")
        if make is None or not ready:
            return
        generator = self._generators[name] = make(module)
        if interception.is_installed():
            interception.observe_generators(name, module)
        if name in self._waiting:
            generator.set(self._waiting.pop(name))
            generator.begin()  # as if it had been there, and set, before the cell that imports it

    def loaded_meanwhile(self) -> None:
        """Note that libraries were imported to bring state back: their ambient state is what it is at its start."""
        for slot in self._slots.values():
            if not slot.begun and slot.there():
                self._safely(slot.start)
        for name in ("random", "numpy.random"):
            self._begin_generator(name)
        self._modules = _modules_there()

    # -- ambient state -------------------------------------------------------------------------------------

    def is_plain(self, slot: str) -> bool:
        """Tell whether all that a slot holds can be told as plain data."""
        found = self._slots.get(slot)
        return found is not None and not found.opaque

    def slot_state(self, slot: str) -> "bytes | None":
        """Return what sets a slot again in a fresh kernel, None where that cannot be done."""
        try:
            if slot in self._generators:
                return self._generators[slot].state()
            return self._slots[slot].state() if slot in self._slots else None
        except Exception:
            return None

    def set_slot(self, slot: str, state: bytes) -> None:
        """Set a slot, at the latest when its library is imported. Raises where that cannot be done."""
        if slot in self._generators:
            self._generators[slot].set(state)
        elif slot in ("random", "numpy.random"):
            self._waiting[slot] = state
        else:
            self._slots[slot].set(state)

    def _safely(self, look: Any) -> Any:
        try:
            return look()
        except Exception as problem:
            self.barrier("ambient state cannot be read: %s" % type(problem).__name__)
            return True

    # -- parts of the end ----------------------------------------------------------------------------------

    def _end_generators(self, told: "dict[str, Any]") -> None:
        told["slots"], told["slot_writes"], told["slot_states"] = {}, {}, {}
        self._pass_over_own_draws()
        for name, generator in self._generators.items():
            generator.end()
            if generator.volatile:
                self.volatile("it draws random numbers that nothing has seeded (%s)" % name)
            if generator.read:
                told["slots"][name] = generator.version_before
            if generator.written:
                self._write_slot(told, name, generator.version)

    def _pass_over_own_draws(self) -> None:
        """Pass over what libraries that were imported just now drew from `random` for themselves."""
        module, generator = sys.modules.get("random"), self._generators.get("random")
        if generator is not None:
            for name, bits in DRAWN_AT_IMPORT.items():
                if name in sys.modules and name not in self._modules:
                    generator.pass_over(partial(python_state_after, module, bits=bits))

    def _end_slots(self, told: "dict[str, Any]") -> None:
        for name, slot in self._slots.items():
            told["slots"][name] = self._slots_before.get(name, slot.version)
            if self._safely(slot.look) or slot.version != told["slots"][name]:
                self._write_slot(told, name, slot.version)
                if slot.opaque:
                    self.barrier("it changes what cannot be told as plain data: %s" % name)
        for name in UNSEEN_STATE:
            if name in sys.modules:
                self.barrier("the state of %s cannot be seen" % name)

    def _write_slot(self, told: "dict[str, Any]", name: str, version: str) -> None:
        told["slot_writes"][name] = version
        state = self.slot_state(name)
        if state is not None:
            told["slot_states"][name] = base64.b64encode(state).decode("ascii")

    def _end_modules(self) -> "list[str]":
        if not (self._imported or self.sets_modules) and len(sys.modules) == self._modules_before:
            return []
        before, now = self._modules, _modules_there()
        new, gone = now.keys() - before.keys(), before.keys() - now.keys()
        replaced = [name for name, number in now.items() if before.get(name, number) != number]
        self._modules, self.replaced = now, bool(replaced or gone)
        if gone:
            self.barrier("it removes a module: %s" % sorted(gone)[0])
        if replaced:
            self.barrier("it loads another module in place of %s" % replaced[0])
        for name in new:
            module = sys.modules.get(name)
            if isinstance(module, types.ModuleType):
                file = module_dict_of(module).get("__file__")
                if type(file) is str:
                    self.module_read(file)
        return sorted(name for name in new if type(name) is str)

    def _end_environment(self, told: "dict[str, Any]") -> None:
        after, before = self._environment, self._variables_before
        read = dict(self._variables)
        if self.all_variables_read:
            read = {name: version for name, version in read.items() if name not in TRANSIENT_VARIABLES}
            read.update(_all_variables(before))
        for name in LOCALES if self.asks_locale else ():  # C code reads them
            read.setdefault(name, _variable(before, name))
        told["env"], told["env_writes"] = read, {}
        if self.processes:
            told["env_of_processes"] = _all_variables(before)
        if after != before:
            for key in {*after, *before}:
                if after.get(key) != before.get(key):
                    value = after.get(key)
                    told["env_writes"][os.fsdecode(key)] = None if value is None else os.fsdecode(value)

    def _end_files(self, told: "dict[str, Any]") -> "str | None":
        happened = self._events.take(self._ignored)
        if happened is None:
            self.volatile("more happened to files than can be told")
            happened = {}
        foreign: dict[str, str] = {}
        for path, what in happened.items():
            self._happened(path, what, foreign)
        for folder, name in lookups.take_searched():
            self.files.first_touch("%s/%s%s" % (folder.rstrip("/"), name, DISTRIBUTIONS))
        told["written"] = sorted(path for path in self.files.changed)
        told["file_writes"] = self.files.writes()
        told["files"] = self.files.reads()
        if self.files.left_temporary():
            self.volatile("it leaves a temporary file, which has another name in every run")
        self._left.update(told["file_writes"])
        self._left.update(foreign)
        told["held"] = self.held.any(written=bool(self.files.changed or foreign))
        mapped = self.held.mapped({*self.files.changed, *foreign})
        if mapped is not None:
            self.barrier("it changes a file that is mapped into memory: %s" % mapped)
        told["foreign_writes"] = {path: version for path, version in foreign.items() if path not in told["file_writes"]}
        for folder in self.files.touched_folders:
            self._events.watch(folder)
        return self._events.problem  # type: ignore[no-any-return]

    def _between(self, happened: "dict[str, Happened] | None") -> None:
        """Forget what files held that changed between two cells."""
        if happened is None:
            self._left.clear()
            return
        for path, what in happened.items():
            if what.mask & CHANGES:
                self._left.pop(path, None)

    def _happened(self, path: str, what: Happened, foreign: "dict[str, str]") -> None:
        """Take in what happened to a file without an event of Python's that told it."""
        files = self.files
        if path in files.changed or not self.places.counts(path):
            return
        if not what.mask & CHANGES:
            if path not in files.files and not (path.endswith(NOT_READ_BY_OTHERS) and not self._had_children()):
                files.first_touch(path)
            return
        version = files.versions.of(path)
        if path in files.ever_written or files.made_folder_of(path):
            files.changed[path] = True
            return
        if what.created and version == ABSENT:
            return  # it came and went
        if path in files.files or path in self._left:
            if what.read_first and path not in files.files:
                files.files[path] = self._left[path]
            files.changed[path] = not what.created
            return  # it asked for the file before, or made it in a cell above
        if what.read_first and not what.created:
            self.volatile("what was in %s when it was read is not known" % path)
        if what.mask & (MODIFY | CLOSE_WRITE | MOVED_TO) or version == ABSENT or what.created:
            foreign[path] = version

    def _had_children(self) -> bool:
        return any("process" in reason for reason in self._barrier)


def _draws_inline() -> bool:
    """Tell whether matplotlib draws, or is going to draw, into the notebook."""
    params: Any = getattr(sys.modules.get("matplotlib"), "rcParams", None)
    backend = dict.get(params, "backend") if isinstance(params, dict) else os.environ.get("MPLBACKEND")
    return type(backend) is str and "inline" in backend


def _modules_there() -> "dict[str, int]":
    """Return the modules that there are, each with the id of its variables: those of libraries are held for ever."""
    return {
        name: identity(module_dict_of(module) if isinstance(module, types.ModuleType) else module)
        for name, module in list(sys.modules.items())
    }


def _all_variables(environment: Any) -> "dict[str, str]":
    """Return the Versions of all variables, and of the list of their names."""
    names = sorted(name for name in map(os.fsdecode, environment) if name not in TRANSIENT_VARIABLES)
    found = {name: _variable(environment, name) for name in names}
    found["*"] = sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()
    return found


def _variable(environment: Any, name: str) -> str:
    value = environment.get(_encode(name)) if os.name != "nt" else environment.get(name.upper())
    if value is None:
        return ABSENT
    return sha256(value if type(value) is bytes else _encode(value)).hexdigest()


STEADY = ("/proc/cpuinfo", "/proc/filesystems", "/proc/mounts", "/proc/sys/", "/proc/version", "/proc/self/fd")
__all__ = ["Effects"]
