"""Observe one cell at a time: what it may have read, and what it changed, each with a Version.

A Version of a name is the digest of its component (`x1f…`), or `?reason` where its value has none; where several
names share mutable objects all of them follow after `&`. What could not be attributed is a reason under `barrier`,
what is not reproducible one under `volatile`: whoever asks decides what to make of either.
"""

import contextlib
import functools
import importlib.util
import os
import re
import sys
import time
import types
from collections.abc import Iterable, Iterator
from typing import Any

from . import names as reading
from .addresses import may_ask_unseen
from .aside import NAMES_COLLECTOR
from .bindings import Bindings
from .bound import BoundNames
from .calls import Calls
from .classes import identity, module_of, mro_of
from .codes import UnknownConstant
from .effects import Effects
from .executed import Executed
from .files import installed_folders
from .fingerprints import Walker
from .handed import Handed, handings
from .libraries import Libraries
from .lookups import lookups
from .own import OwnModules
from .own_code import OwnCode, home_of, is_code
from .quiet import uncollected
from .unsteady import (
    ANY,
    FUNCTIONS,
    LOADERS,
    NAME,
    NOW,
    is_loader,
    is_unsteady,
    name_of_module,
    names_in_text,
    resolve,
    says_now,
)
from .versions import FINALIZES, OF_MODULES, SHARES

_ASKS_LOCALE = re.compile(r"\bsetlocale\b")
_READS_STDIN = re.compile(r"\b(?:stdin|input|fileinput)\b")
_SETS_MODULES = re.compile(r"\bmodules\b")
_CALLED = ("IPython.core.autocall", "IPython.core.macro")
"""Where those classes are whose objects IPython calls, or executes, when a line is their name."""
_NAMES_AN_INDEX = re.compile(r"\.names?\b(?!\s*\()|inplace|setattr|set_names|\.freq\b")
_WRITES_THROUGH = re.compile(
    r"writeable|WRITEABLE|setflags|overwrite_\w+\s*=\s*True|copy_\w+\s*=\s*False|\.array\b(?!\s*\()|copy\s*=\s*(?:False|None)|\.(?:values|codes)\s*\[[^\]\n]*\]\s*(?:[-+*/|&^%@]|//|\*\*|<<|>>)?=(?!=)"
)
"""Finds code that may write into memory which frames share: they count as separate, since pandas copies on write."""
_ASKS_TEXTS = re.compile(r"\b(?:query|eval)\b")
"""Finds calls that look for variables because of a text, wherever that is kept."""
_CHEAP = 50_000
"""A walk over all names that hold no more, in estimated bytes, is done after every cell. It takes about 0.3 ms and
shows changes that nobody expects. By size and not by time, so that the same is seen in every run."""
_NAME_COSTS = 600
_WRITES_FILES = re.compile(
    r"\bopen\(|\bos\.(?:remove|rename|replace|unlink|mkdir|makedirs|rmdir)|\bshutil\.|\.write\w*\(|\bsave\w*\("
    r"|\.to_(?:csv|parquet|json|excel|pickle|hdf|feather|html|sql|latex|markdown|stata|xml)\(|\bdump\("
    r"|\.(?:mkdir|unlink|touch|rename|rmdir)\(|\.(?:execute\w*|commit)\("
)
"""Sources that may write files. They are executed once in a run, since what is written twice may be more."""
_NAMED_IN_DATA = (type, types.FunctionType)
"""What pickles hold by its name."""
_HUSHES = frozenset({"capture", "redirect_stdout", "redirect_stderr", "clear_output", "stdout", "stderr"})
"""Words of cells that may not show what is printed in them."""
_SETTINGS = frozenset({"rcParams", "rc", "rc_context"})
"""Words of cells that may set what matplotlib draws with, which it loads when it is first used."""
_OF_KERNEL = frozenset({"backend", "interactive"})
"""Such settings, which the kernel itself makes too: they are no ambient state."""
_REGISTER_COLORMAPS = frozenset({"cmasher", "cmocean", "colorcet", "seaborn"})
"""Packages that add colormaps to those of matplotlib when they are imported."""
_ASKED_FOR = frozenset({"google.colab", "pyodide", "piplite", "micropip", "js", "kaggle_secrets"})
"""Modules by which notebooks find out where they run."""
_NO_PATHS: "frozenset[tuple[str, ...]]" = frozenset()
_NO_WORDS: "frozenset[str]" = frozenset()
_DEEPEST_TEXTS, _MOST_TEXTS = 3, 1000
_clock, _own_clock, _sleep = time.perf_counter, time.thread_time, time.sleep
_TELLING_S = 0.0001
"""About how long the kernel's other threads take to tell that a cell has ended."""
_SNAPSHOT_SHARE = 0.05
"""Of the time that a cell took, so much at most goes into pickling what it made; about as much into reading it back."""


class Tracer:
    """Observe the cells of one kernel."""

    def __init__(self, shell: Any, effects: Any, project: str) -> None:
        self._shell, self._namespace, self._effects, self._project = shell, shell.user_ns, effects, project
        self._bound = BoundNames(shell.user_ns)
        self._walker = Walker(shell.user_ns)
        self._known: dict[str, Any] = {}
        """The component of each name, as it was after the last cell."""
        self._of_modules: set[str] = set()
        """Those of these names that are variables of modules."""
        self._holding: set[str] = set()
        """Those whose values refer to functions and classes of the notebook under the names of these."""
        self._cheap = True
        self._analysed: dict[str, Any] = {}
        self._late_effects: dict[str, list[tuple[str, ...]]] = {}
        """What functions of the notebook do for its effect, by the functions' own names."""
        self._names: Any = None
        self._before = 0.0
        self._asks_texts = False
        """Whether some code so far may have looked for variables because of a text."""
        self._loaded_by: dict[str, int] = {}
        """By module which cell loaded it, counted from the first."""
        self._count = 0
        self._writes_through = False
        self._names_indexes = False
        """Whether some code so far may have named an index of pandas, which frames share."""
        self._unsteady_paths: dict[str, set[tuple[str, ...]]] = {}
        """What functions of the notebook may ask that gives something else in every run, by their names."""
        self._words: dict[str, set[str]] = {}
        """The words of the cells that define functions and classes, by the names of those."""
        self._imports: dict[str, set[str]] = {}
        """What those cells import, likewise."""
        self._modules, self._libraries = _prepared.pop() if _prepared else _first_look()
        self._libraries.settle()
        self._calls = Calls(shell.user_ns, self._modules, effects, self._libraries.homes)
        self._told_lookups: frozenset[str] = sys.stdlib_module_names
        self._lookups_seen = 0
        """How many there were, told or not."""
        self._executed = Executed(self._modules.is_own_file)
        self._bindings = Bindings(self._digest_of_code, project)
        self._handed = None if self._executed.sees else Handed(shell.user_ns, self._calls, self._modules.names)
        self._stdin = identity(sys.stdin)
        """The kernel's own."""
        self._finalizers = False
        """Whether the notebook may have classes with `__del__`."""

    # -- before and after a cell ---------------------------------------------------------------------------

    def begin(self, source: str) -> None:
        """Note how things are just before a cell."""
        self._names = self._analyse(source)
        self._finalizers = self._finalizers or "__del__" in source
        self._names_indexes = self._names_indexes or _NAMES_AN_INDEX.search(source) is not None
        self._asks_texts = self._asks_texts or _ASKS_TEXTS.search(source) is not None
        self._writes_through = _WRITES_THROUGH.search(source) is not None
        self._count += 1
        effects = self._effects
        effects.sets_modules = effects.sets_modules or self._says(_SETS_MODULES, source)
        effects.asks_locale = effects.asks_locale or self._says(_ASKS_LOCALE, source)
        if NAMES_COLLECTOR.search(source) is not None:
            effects.aside.show()
        effects.aside.begin(self._executed_source(source) if effects.aside.allowed else source)
        effects.begin()
        lookups.take_missing()
        self._executed.begin()
        self._before = _clock()

    def read_ahead(self, source: str) -> None:
        """Read a source that is likely to be executed next, as soon as the kernel's other threads have told the last.

        It is in nobody's way then: whoever sends the cells has to report the last one first. Nothing is asked of the
        notebook's own code, which may take part in how IPython reads a source.
        """
        _sleep(_TELLING_S)
        with contextlib.suppress(Exception):  # it is told when the source is read to be executed
            uncollected(self._read_if_python, source)

    def _read_if_python(self, source: str) -> None:
        """Read a source that is Python as it stands, unless that is done."""
        if source not in self._analysed and (found := reading.analyse(source)) is not None:
            self._note_reading(source, source, found)

    def _says(self, pattern: Any, source: str) -> bool:
        """Tell whether a pattern is found in a cell's source, or in the text of some module of the project."""
        return pattern.search(source) is not None or self._modules.say(pattern)

    def end(self, wishes: "dict[str, Any]", *, ok: bool) -> "dict[str, Any]":
        """Return what was observed of the cell that has just ended; `ok` tells whether without an error."""
        began = _clock()
        record: dict[str, Any] = self._effects.end()
        # So much is looked at that a collection would run again and again.
        uncollected(self._tell, record, wishes, began - self._before, ok=ok)
        record["spent_ms"] = round((_clock() - began) * 1000, 3)
        return record

    def _tell(self, record: "dict[str, Any]", wishes: "dict[str, Any]", spent_s: float, *, ok: bool) -> None:
        """Put into a record what became of the names."""
        found = self._names
        if found is None:
            record["barrier"].append("its source is no Python that can be read")
            found = reading.Names()
        self._judge_source(found, record, commands=self._effects.processes)
        if not all(map(_cannot_be_loaded, found.asked_modules)):
            record["barrier"].append("it uses modules")
        registers = any("register" in words for words in (found.words, *self._words.values()))
        record["barrier"].extend(self._libraries.changes(registers=registers))
        if any(word.startswith("register") for word in found.words) and _loads_first(found.imports, record["modules"]):
            record["barrier"].append("it may register something with a library that it is the first to import")
        if self._writes_through and "pandas" in sys.modules:
            record["barrier"].append("it may write into memory that frames share")
        for name in record["modules"]:
            self._loaded_by.setdefault(name, self._count)
        before = self._known
        self._modules.look(anew=self._effects.replaced)
        self._names_indexes = self._names_indexes or self._modules.say(_NAMES_AN_INDEX)
        record["names_indexes"] = self._names_indexes
        self._libraries.take_in(anew=self._effects.replaced)
        closure = self._closure(found, before)
        loads_classes = self._loads_classes(found, closure, before)
        if loads_classes:  # of the notebook, or of modules
            classes = {name for name in before if ":" in name or isinstance(self._namespace.get(name), _NAMED_IN_DATA)}
            closure |= self._closure(found, before, classes)
        if other := self._of_others(found, closure, before):
            record["barrier"].append("it uses %s, which another cell has loaded" % other)
        if identity(sys.stdin) != self._stdin and self._reads_stdin(found, closure, before):
            record["barrier"].append("it may read from what the notebook has made sys.stdin")
        states = self._modules.state(self._bindings)
        bound, renamed, rebound, gone = self._bound.look(states)
        may_store = found.stores | found.inner_stores | found.deletes
        for name in closure:
            if name in before:
                may_store |= before[name].stores
        whole = self._cheap or bool(record["barrier"]) or not ok
        renewed = may_store | rebound
        holders = {name for name in self._holding if not renewed.isdisjoint(before[name].cuts)}
        walked = set(bound) if whole else (closure | may_store | rebound | holders) & bound.keys()
        after = self._walk(walked, states, whole=whole)
        for name in closure | may_store:
            if name in after and name not in before:
                closure |= after[name].reads & before.keys()
        around = {**before, **after}
        told = [name for name in walked if after.get(name) is not before.get(name)]
        changed = {name for name in told if self._version(after, name, around) != self._version(before, name, before)}
        changed |= gone
        opaque = {name for name in closure if name in after and after[name].digest is None}
        sure = found.overwritten - closure if ok else set()  # a function that ran may have read one before
        joined = {other for name in closure | may_store if name in after for other in after[name].names}
        parted = {other for name in renewed if name in before for other in before[name].names} & changed
        closure |= self._closure(found, before, parted - closure - renewed - joined - holders)
        for name in sorted(changed - closure - may_store - rebound - joined - holders):
            record["barrier"].append("it changes %s in a way that its code does not show" % name)
        fresh = {name for name in may_store - closure - found.loads - found.late if name in changed} | sure
        fresh -= {cut for name in self._holding for cut in before[name].cuts}  # who holds it depends on what it was
        dropped = {name for name in fresh | gone if self._finalizes(name, before)}
        if dropped:  # code of theirs has run
            closure |= self._closure(found, before, dropped)
            fresh -= closure
        reads = (closure | may_store | holders) - fresh
        record["reads"] = {name: self._version(before, name, before) for name in sorted(reads)}
        record["alone"] = {name: _others(before, name) for name in sorted(fresh)}
        written = changed | opaque | (sure & bound.keys())
        for name in list(written):
            if name in after:
                written.update(after[name].names)
        record["writes"] = {name: self._version(after, name, around) for name in sorted(written)}
        record["uses"] = {name: used for name in sorted(written) if name in after and (used := self._used(name, after))}
        touched, components = {*closure, *written}, around
        for slot in {slot for name in touched if name in components for slot in components[name].generators}:
            version = self._effects.generator_version(slot)
            if version is not None:  # whoever holds it may ask for its state
                record["slots"].setdefault(slot, version)
        self._calls.begin(components, found.imports.union(*map(self._modules_bound, renamed)))
        self._judge_effects(found, touched, components, record)
        self._judge_steadiness(found, touched, components, record)
        if self._handed is not None:
            self._handed.note(found.handings, components)
        packages = self._packages(touched, components)
        if (name := self._registered_by_others(found, touched, components, packages)) is not None:
            record["barrier"].append("it uses %s, which a library has registered with matplotlib" % name)
        record["hushes"] = not _HUSHES.isdisjoint(found.words)
        record["first"], record["again"] = self._imported(found, _codes(touched, components), record["modules"])
        if record.pop("held", False):
            unseen = sorted(name for name in touched if name in components and components[name].digest is None)
            record["volatile"].extend("it may write to a file that stays open (%s)" % name for name in unseen[:1])
        own = sorted(self._modules.names) if loads_classes else self._modules.touched(packages, found.imports)
        record["own"] = sorted({name.partition(".")[0] for name in own} | lookups.take_missing())
        logs_plainly = bool(own) and self._effects.is_plain("logging")
        for name in own:
            record["barrier"].extend(self._modules.effects(name, self._calls.effect_of, logs_plainly=logs_plainly))
        self._know({name: kept for name, kept in around.items() if name in bound} if gone else around, told, gone)
        self._bound.keep(bound)
        if found.addresses and (record["barrier"] or self._effects.asks_unseen or may_ask_unseen(_modules())):
            record["volatile"].extend("it uses %s" % word for word in sorted(set(found.addresses)))
        self._remember(found)
        for source in self._executed_files(record) if record["barrier"] else ():
            self._remember(self._analyse(source) or reading.Names())
        if ok and not record["volatile"] and wishes.get("folder") and spent_s >= wishes.get("snapshot_s", 0.2):
            record["snapshots"] = self._snapshots(written & bound.keys(), after, spent_s, wishes)
        record["lookups"] = self._new_lookups()

    def _know(self, known: "dict[str, Any]", changed: "Iterable[str]", gone: "Iterable[str]") -> None:
        """Keep the components of names; those of `changed` may be others than before, those of `gone` are left out."""
        self._known = known
        for name in (*changed, *gone):
            component = known.get(name)
            (self._holding.add if component is not None and component.cuts else self._holding.discard)(name)
            (self._of_modules.add if component is not None and ":" in name else self._of_modules.discard)(name)

    def _modules_bound(self, name: str) -> "tuple[str, ...]":
        """Return the name of the module that a name stands for, if it does."""
        value = self._namespace.get(name)
        return (name_of_module(value),) if isinstance(value, types.ModuleType) else ()

    def _remember(self, found: Any) -> None:
        """Remember, by the names of the functions that a source defines, what they may do and ask."""
        for name, effects in found.inner.items():
            self._late_effects.setdefault(name, []).extend(effects)
            self._words.setdefault(name, set()).update(found.words)
            self._imports.setdefault(name, set()).update(found.imports)
        for name, paths in found.unsteady.items():
            self._unsteady_paths.setdefault(name, set()).update(paths)

    def _executed_files(self, record: "dict[str, Any]") -> "Iterator[str]":
        """Yield the sources in files of the project that were read: `%run` and `exec` leave functions of theirs."""
        import json

        for path in record["files"]:
            if path.endswith((".py", ".ipy", ".ipynb")) and self._modules.is_own_file(path):
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    with open(path, encoding="utf-8") as file:
                        text = file.read()
                    if path.endswith(".ipynb"):
                        cells = json.loads(text)["cells"]
                        yield from ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
                    else:
                        yield text

    def settle(self) -> "dict[str, Any]":
        """Take what setup code has just done for how the kernel begins, and return what files and variables it read.

        The text of setup code is part of each cell's key.
        """
        told = self._effects.settle()
        self._bound.settle()
        self._modules.look(anew=self._effects.replaced)
        self._libraries.settle(anew=self._effects.replaced)
        return {key: told[key] for key in ("files", "env", "env_of_processes") if key in told}

    # -- bringing state back -------------------------------------------------------------------------------

    def answer(self, wishes: "dict[str, Any]") -> "dict[str, Any]":
        """Answer a request that stands beside the notebook's cells."""
        self._effects.disturb()
        if wishes["request"] == "names_of":
            return self.names_of(wishes["source"])
        if wishes["request"] == "restore":
            return {"versions": self.restore(wishes["path"], wishes["digest"])}
        return {"failed": self.set_slots(wishes["slots"])}

    def names_of(self, source: str) -> "dict[str, Any]":
        """Return the names that a source may touch, and why it may touch others, before it is run."""
        found = self._analyse(source)
        if found is None:
            return {"names": [], "overwritten": [], "imports": [], "any": ["its source is no Python that can be read"]}
        record: dict[str, Any] = {"volatile": [], "barrier": []}
        self._judge_source(found, record, commands=True)
        if _WRITES_THROUGH.search(source):
            record["barrier"].append("it may write into memory that frames share")
        if _WRITES_FILES.search(source):
            record["barrier"].append("it may write files")
        touched = (found.loads | found.stores | found.late | found.inner_stores | found.deletes) - found.overwritten
        return {
            "names": sorted(touched),
            "overwritten": sorted(found.overwritten),
            "imports": sorted({name.lstrip(".").partition(".")[0] for name in found.imports}),
            "any": record["barrier"],
        }

    def restore(self, path: str, digest: str) -> "dict[str, Any]":
        """Load what was dumped into a file; return the Versions of the names that are bound then."""
        import hashlib

        from .snapshots import load

        with open(path, "rb") as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("the snapshot is altered")
        self._effects.aside.stop()
        restored = load(self._namespace, content)
        self._effects.loaded_meanwhile()
        self._libraries.settle()
        after = self._walk(set(restored), {}, whole=False)
        self._know({**self._known, **after}, after, ())
        self._bound.put(restored)
        return {name: self._version(after, name, self._known) for name in restored}

    def set_slots(self, slots: "dict[str, str]") -> "list[str]":
        """Set ambient states; return the slots that could not be set."""
        import base64

        failed = []
        for slot, state in slots.items():
            try:
                self._effects.set_slot(slot, base64.b64decode(state))
            except Exception:
                failed.append(slot)
        return failed

    def _new_lookups(self) -> "list[str]":
        """Return what the process has asked for of the installed since this was last asked."""
        installed = self._effects.files.installed
        while installed:
            lookups.touched(installed.pop())
        seen = len(lookups.names)  # threads may add more from now on
        if seen == self._lookups_seen:
            return []  # there are only ever more
        new = lookups.names - self._told_lookups
        self._told_lookups |= new
        self._lookups_seen = seen
        return sorted(new)

    # -- parts ---------------------------------------------------------------------------------------------

    def _analyse(self, source: str) -> Any:
        if len(source.strip().splitlines()) == 1 and self._may_be_a_call(source.split(None, 1)[0]):
            source = self._executed_source(source)
        if source not in self._analysed:
            found, text = reading.analyse(source), source
            if found is None:
                text = self._executed_source(source)
                found = reading.analyse(text)
            self._note_reading(source, text, found)
        return self._analysed[source]

    def _note_reading(self, source: str, text: str, found: Any) -> None:
        """Note what a source says, as it stands in the notebook and as the text that Python understands."""
        self._analysed[source] = found
        if found is not None and self._handed is not None:
            found.handings = handings(text)

    def _executed_source(self, source: str) -> str:
        """Return what IPython makes of a source."""
        with contextlib.suppress(Exception):
            return str(self._shell.transform_cell(source))
        return source

    def _may_be_a_call(self, word: str) -> bool:
        """Tell whether IPython may take a line that is Python for something else, by the word that it begins with.

        That may be a magic's name without its `%`, or a macro's; with `%autocall` a line can be the call of anything.
        """
        name = NAME.match(word)
        if name is None or self._shell.autocall:
            return True
        magics = self._shell.magics_manager.magics
        kinds = mro_of(type(self._namespace.get(name.group())))
        return any(name.group() in named for named in magics.values()) or any(module_of(k) in _CALLED for k in kinds)

    def _digest_of_code(self, code: Any) -> bytes:
        try:
            digest: bytes = self._walker.codes.facts(code).digest
        except UnknownConstant:
            return b"?"
        return digest

    def _used(self, name: str, components: "dict[str, Any]") -> "list[str]":
        """Return the names that code in a value may touch."""
        component = components[name]
        own = ":" not in name and bool(self._modules.touched(self._packages({name}, components), ()))
        names = component.reads | component.cuts | component.stores if component.reads or component.cuts else ()
        used = {*names, *(SHARES + other for other in component.indexes)}
        return sorted({*used, OF_MODULES} if own else used)

    def _closure(self, found: Any, known: "dict[str, Any]", more: "Iterable[str]" = ()) -> "set[str]":
        """Return all names whose values the cell may have reached, and those that it reached `more`."""
        waiting = list(more)
        waiting += list((found.loads | found.late | found.deletes | found.inner_stores) - found.overwritten)
        waiting += found.inner_stores
        for name in found.overwritten if self._asks_texts else ():
            waiting.extend(self._named_in_texts(name))
        for code in self._executed.codes():
            waiting.extend(self._walker.codes.facts(code).reads)
        if self._handed is not None:
            waiting.extend(self._handed.names)
        closure: set[str] = set()
        of_modules = self._of_modules
        held = self._executed.of_modules if self._handed is None else self._handed.of_modules
        if held or self._modules.touched(frozenset(), found.imports):
            waiting.extend(of_modules)
            of_modules = set()
        while waiting:
            name = waiting.pop()
            if name not in closure:
                closure.add(name)
                waiting.extend(self._named_in_texts(name))
                component = known.get(name)
                if component is not None:
                    waiting.extend(component.names)
                    waiting.extend(component.reads)
                    waiting.extend(component.cuts)
                    if self._names_indexes:
                        waiting.extend(component.indexes)
                    if of_modules and self._modules.touched(self._packages({name}, known), ()):
                        waiting.extend(of_modules)
                        of_modules = set()
        return closure

    def _named_in_texts(self, name: str) -> "set[str]":
        """Return the variables that libraries may look for because of texts that a variable holds."""
        value = self._namespace.get(name)
        if self._asks_texts:
            return {word for text in _texts(value) for word in names_in_text(text)}
        return names_in_text(value) if type(value) is str else set()

    def _of_others(self, found: Any, closure: "set[str]", known: "dict[str, Any]") -> "str | None":
        """Return a submodule that the cell may use, and that was loaded by a cell above which did not load its package.

        A module's Version is its name: what else was imported of its package shows in no variable. Packages that load
        what they are asked for (`__getattr__`, as scipy has) give it to whoever asks. Functions are taken to use what
        the cells that define them say.
        """
        if not self._loaded_by:
            return None
        packages = {module for name in closure if name in known for module in known[name].modules}
        for name in found.loads | found.late:
            if isinstance(value := self._namespace.get(name), types.ModuleType):
                packages.add(name_of_module(value))
        words = self._said(found, closure, known)
        todo = sorted(packages)
        while todo:
            package = todo.pop()
            asks = "__getattr__" in getattr(sys.modules.get(package), "__dict__", {})
            for word in words:
                inner = "%s.%s" % (package, word)
                cell = self._loaded_by.get(inner)
                if cell is None:
                    continue
                here = asks or inner in found.imports or cell in (self._count, self._loaded_by.get(package))
                if not here:
                    return inner
                todo.append(inner)
        return None

    def _walk(self, walked: "set[str]", states: "dict[str, Any]", *, whole: bool) -> "dict[str, Any]":
        extra = {name: value for name, value in states.items() if name in walked and name not in self._namespace}
        for name, value in extra.items():
            if is_code(value) and home_of(value) != "__main__":
                extra[name] = OwnCode(value)
        components = self._walker.walk(sorted(walked), extra=extra)
        if whole:
            self._cheap = sum(_NAME_COSTS * len(found.names) + found.size for found in components) < _CHEAP
        return {name: component for component in components for name in component.names}

    def _judge_source(self, found: Any, record: "dict[str, Any]", *, commands: bool) -> None:
        """Tell what the source alone says; `commands` whether those in it may have run."""
        for word in sorted(set(found.dynamic)):
            record["barrier"].append("it uses %s" % word)
        for magic in [*found.magics, *(found.commands if commands else ())]:
            record["barrier"].append("it uses %s" % magic)
        words = {*found.volatile, *(found.unsteady_commands if commands else ())}
        record["volatile"].extend("it uses %s" % word for word in sorted(words))

    def _judge_effects(
        self, found: Any, touched: "set[str]", components: "dict[str, Any]", record: "dict[str, Any]"
    ) -> None:
        """Find effects on libraries: of the cell's own code, and of functions of the notebook that it can reach."""
        effects = list(found.calls)
        for inner in found.inner.values():
            effects.extend(inner)
        for name in touched:
            component = components.get(name)
            if component is None:
                continue
            if component.dynamic:
                record["barrier"].append("the code of %s reaches names that do not stand in it" % name)
            for code in component.codes:
                effects.extend(self._late_effects.get(code, ()))
        if record["modules"] and any(map(self._changes_what_it_is_given, effects)):
            record["barrier"].append("it may change a class of a library that it is the first to import")
        if not _OF_KERNEL.isdisjoint(found.constants) and not _SETTINGS.isdisjoint(found.words):
            record["barrier"].append("it may set what draws figures")
        for path in dict.fromkeys(effects):
            if path == ("?clock",):
                record["volatile"].append("it uses the clock")
                continue
            reason = self._calls.effect_of(path)
            if reason is not None and reason not in record["barrier"]:
                record["barrier"].append(reason)

    def _changes_what_it_is_given(self, path: "tuple[str, ...]") -> bool:
        """Tell whether a path is that of an attribute, stored into, of what a function calls by a name of its own."""
        stored = path[0] == reading.STORE and len(path) > 2 and path[1] != "self"
        return stored and path[1] not in self._namespace and not path[1].startswith((reading.STORE, "?"))

    def _asked(self, found: Any, touched: "set[str]", components: "dict[str, Any]") -> "set[tuple[str, ...]]":
        """Return the paths that the cell, and the functions of the notebook that it can reach, may have asked."""
        paths = set(found.unsteady.get("", ()))
        for code in _codes(touched, components):
            paths |= self._unsteady_paths.get(code, _NO_PATHS) | found.unsteady.get(code, _NO_PATHS)
        return paths

    def _loads_classes(self, found: Any, touched: "set[str]", components: "dict[str, Any]") -> bool:
        """Tell whether the cell may have loaded data that name classes of the notebook."""
        for path in self._asked(found, touched, components):
            module, word = resolve(path, self._namespace)
            if word in LOADERS.get(module.partition(".")[0], ()):
                return True
        return any(is_loader(self._namespace.get(name)) for name in touched)

    def _judge_steadiness(
        self, found: Any, touched: "set[str]", components: "dict[str, Any]", record: "dict[str, Any]"
    ) -> None:
        """Find what gives something else in every run."""
        asked = self._asked(found, touched, components)
        if any(self._is_unsteady(path, self._namespace) for path in asked):
            record["volatile"].append("it uses the clock, or what is another in every process")
        for name in sorted(touched - found.timers):
            value, component = self._namespace.get(name), components.get(name)
            if is_unsteady(value) or (component is not None and component.unsteady):
                record["volatile"].append("it uses %s, which gives something else in every run" % name)
            elif type(value) is str and says_now(value):
                record["volatile"].append("it uses %s, which may be taken for the time that it is" % name)
        words = self._modules.unsteady(self._is_unsteady)
        if words:
            said = self._said(found, touched, components)
            said = said.union(*(components[name].says for name in touched if name in components))
            for word in sorted(said & words):
                record["volatile"].append("it may call %s, which uses the clock" % word)

    def _said(self, found: Any, touched: "set[str]", components: "dict[str, Any]") -> "set[str]":
        """Return the words of the cell, and of those that define the functions and classes which it can reach."""
        words: set[str] = found.words.union(*(self._words.get(code, _NO_WORDS) for code in _codes(touched, components)))
        return words

    def _reads_stdin(self, found: Any, touched: "set[str]", components: "dict[str, Any]") -> bool:
        """Tell whether the cell, or code that it can reach, says that it reads from `sys.stdin`."""
        words = self._said(found, touched, components)
        return not words.isdisjoint(("stdin", "input", "fileinput")) or self._modules.say(_READS_STDIN)

    def _registered_by_others(
        self, found: Any, touched: "set[str]", components: "dict[str, Any]", packages: "frozenset[str]"
    ) -> "str | None":
        """Return a colormap that the cell names, and that is there because a cell above has imported a library.

        Where the cell uses the library itself it depends on the import anyway.
        """
        registry = getattr(sys.modules.get("matplotlib"), "colormaps", None)
        there, built_in = getattr(registry, "_cmaps", ()), getattr(registry, "_builtin_cmaps", ())
        if len(there) == len(built_in) or not packages.isdisjoint(_REGISTER_COLORMAPS):
            return None
        said = self._said(found, touched, components)
        said |= {value for name in touched if type(value := self._namespace.get(name)) is str}
        added = {*there} - {*built_in}
        return min((name for name in added if name in said or name.rpartition(".")[2] in said), default=None)

    def _imported(self, found: Any, codes: "set[str]", new: "list[str]") -> "tuple[dict[str, str], list[str]]":
        """Return the packages that the cell imports and that may show something the first time.

        By name what the cell was the first to load of each, and those of which there was nothing left to load.
        """
        names = found.imports.union(*(self._imports.get(code, _NO_WORDS) for code in codes))
        packages = {name.partition(".")[0] for name in names} - reading.SILENT - {""}
        first: dict[str, list[str]] = {}
        for module in new if packages else ():
            if (package := module.partition(".")[0]) in packages:
                first.setdefault(package, []).append(module)
        return {package: " ".join(modules) for package, modules in first.items()}, sorted(packages - first.keys())

    def _is_unsteady(self, path: "tuple[str, ...]", variables: "dict[str, Any]") -> bool:
        if path == NOW:
            return True
        module, word = resolve(path, variables)
        return module in FUNCTIONS and (word in FUNCTIONS[module] or word == ANY)

    def _version(self, components: "dict[str, Any]", name: str, around: "dict[str, Any]") -> "str | None":
        """Return the Version of a name, None where it is not bound; `^` marks one that runs code when it is dropped."""
        component = components.get(name)
        if component is None:
            return None
        value = component.digest if component.digest is not None else "?%s" % component.opaque
        if self._finalizes(name, around):
            value += FINALIZES
        return value if len(component.names) == 1 else "%s&%s" % (value, ",".join(component.names))

    def _finalizes(self, name: str, components: "dict[str, Any]") -> bool:
        """Tell whether code of the notebook or its modules may run when a value is dropped."""
        component = components.get(name)
        if component is None:
            return False
        if component.opaque is not None and "generator" in component.opaque:
            return True
        if component.packages and self._modules.with_finalizers(component.packages):
            return True
        for other in () if not self._finalizers else (name, *component.names, *component.cuts, *component.reads):
            if other in components and "__del__" in components[other].codes:
                return True
        return False

    def _packages(self, names: "set[str]", components: "dict[str, Any]") -> "frozenset[str]":
        found: set[str] = set()
        for name in names:
            if name in components:
                found |= components[name].packages
                found |= {module.partition(".")[0] for module in components[name].modules}
        return frozenset(found)

    def _snapshots(
        self, written: "set[str]", after: "dict[str, Any]", spent_s: float, wishes: "dict[str, Any]"
    ) -> "list[dict[str, Any]]":
        """Dump what the cell made, where that costs less than making it again."""
        from .snapshots import Shared, Unpicklable, dump, is_plain

        taken = []
        shared: Any = None
        left_s = _SNAPSHOT_SHARE * spent_s
        for component in {after[name].names: after[name] for name in sorted(written) if name in after}.values():
            limit = int(min(wishes.get("max_bytes", 1 << 30), wishes.get("bytes_per_s", 50e6) * spent_s))
            if component.digest is None or component.codes or component.dynamic or component.size > limit:
                continue
            if component.modules or any(":" in name for name in component.names):
                continue  # importing again is the cell's own business
            if shared is None:
                shared = Shared(self._namespace, self._libraries)
            began = _own_clock()
            try:
                content = dump(self._namespace, component.names, component.cuts, limit, shared, left_s)
            except Unpicklable:
                continue
            finally:
                left_s -= _own_clock() - began
            if all(is_plain(self._namespace[name]) for name in component.names) or self._comes_back(component, content):
                try:
                    taken.append(self._kept(component, content, wishes["folder"]))
                except OSError:  # whoever stores what is told says that nothing can be stored there
                    return taken
        return taken

    def _comes_back(self, component: Any, content: bytes) -> bool:
        """Tell whether what was dumped is the same when it is loaded."""
        from .snapshots import Unreadable, load

        aside = {name: self._namespace[name] for name in component.cuts if name in self._namespace}
        try:
            load(aside, content)
        except Unreadable:
            return False
        again = self._walker.beside(aside).walk(component.names)
        return len(again) == 1 and bool(again[0].digest == component.digest)

    def _kept(self, component: Any, content: bytes, folder: str) -> "dict[str, Any]":
        import hashlib

        digest = hashlib.sha256(content).hexdigest()
        path = os.path.join(folder, digest)
        with open(path, "wb") as file:
            file.write(content)
        return {"names": list(component.names), "path": path, "sha256": digest, "size": len(content)}


_prepared: "list[tuple[OwnModules, Libraries]]" = []
"""What a fork server has looked at for its kernels: that takes each of them 0.1 s."""


def prepare_fork() -> None:
    """Do once, in a fork server, what is the same for all kernels that are forked from it."""
    from . import snapshots  # noqa: F401  # each kernel with a slow cell would load it

    _prepared.append(_first_look())
    installed_folders()


def _first_look() -> "tuple[OwnModules, Libraries]":
    modules = OwnModules()
    modules.look()
    return modules, Libraries(modules.is_own)


def start(shell: Any, wishes: "dict[str, Any]") -> Tracer:
    """Begin to observe a kernel."""
    lookups.start()
    effects = Effects(shell, wishes["project"], wishes.get("ignored", []))
    effects.install()
    return Tracer(shell, effects, wishes["project"])


def _texts(value: Any, deep: int = 0) -> "list[str]":
    """Return some of the texts that a value holds, or that a function has for defaults."""
    if type(value) is str:
        return [value]
    inner: list[Any] = []
    if type(value) is dict:
        inner = list(value.values())
    elif type(value) in (list, tuple, set, frozenset):
        inner = list(value)
    elif type(value) is types.FunctionType:
        inner = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
    elif type(value) is functools.partial:
        inner = [*value.args, *value.keywords.values()]
    elif isinstance(value, type) and value.__module__ == "__main__":
        inner = list(type.__getattribute__(value, "__dict__").values())
    elif type(value) is types.SimpleNamespace or type.__getattribute__(type(value), "__module__") == "__main__":
        held = getattr(value, "__dict__", None)
        inner = list(held.values()) if type(held) is dict else []
    if deep > _DEEPEST_TEXTS or len(inner) > _MOST_TEXTS:
        return []
    return [text for part in inner for text in _texts(part, deep + 1)]


def _loads_first(imports: "Iterable[str]", new: "Iterable[str]") -> bool:
    """Tell whether new modules are of packages that are imported by name."""
    packages = {name.partition(".")[0] for name in imports}
    return not packages.isdisjoint(name.partition(".")[0] for name in new)


def _cannot_be_loaded(name: str) -> bool:
    """Tell whether a module is not loaded, nor could be; looking for it makes that an input of the cell."""
    package = name.partition(".")[0]
    if name not in _ASKED_FOR or name in sys.modules or package in sys.modules:
        return False
    try:
        return importlib.util.find_spec(package) is None
    except (ImportError, ValueError, AttributeError):
        return False


def _modules() -> "list[tuple[str, Any]]":
    """Return all modules that are loaded, with their names."""
    return [(name, module) for name, module in list(sys.modules.items()) if type(name) is str]


def _codes(names: "set[str]", components: "dict[str, Any]") -> "set[str]":
    """Return what the notebook's own code in the components of names is called."""
    return {code for name in names if name in components for code in components[name].codes}


def _others(components: "dict[str, Any]", name: str) -> str:
    """Return the names that share mutable objects with a name."""
    component = components.get(name)
    return ",".join(other for other in component.names if other != name) if component is not None else ""
