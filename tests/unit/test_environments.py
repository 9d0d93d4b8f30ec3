"""What distributions provide, and which changes of what is installed can matter to a cell."""

import msgspec
import pytest

from pytest_cells.cache.environments import Environment, describe, relevant, starts_with_code_of_the_user
from pytest_cells.cache.store import Store
from pytest_cells.cache.trace import ENVIRONMENT, encode
from pytest_cells.model import KernelIdentity
from pytest_cells.tracing.environments import Environments

from .helpers import a_trace


@pytest.fixture
def install(tmp_path):
    """Write the metadata of a distribution."""

    def write(stem, *paths, **files):
        folder = tmp_path / "site-packages" / stem
        folder.mkdir(parents=True)
        if paths:
            (folder / "RECORD").write_text("".join(f"{path},sha256=abc,1\n" for path in paths), encoding="utf-8")
        for name, text in files.items():
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")
        return describe({}, [str(tmp_path / "site-packages")]).provides

    return write


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["six.py", "__pycache__/six.cpython-311.pyc", "a-1.dist-info/METADATA"], ["dist:a", "six"]),
        (["PIL/Image.py", "PIL/_imaging.cpython-311.so", "pillow.libs/libtiff.so"], ["PIL", "dist:a", "pillow"]),
        (["_cffi.cpython-311-x86_64-linux-gnu.so", "../../../bin/tool"], ["_cffi", "dist:a"]),
        (["a.pth", "a/__init__.py"], ["*at start", "a", "dist:a"]),
        (["sitecustomize.py"], ["*at start", "dist:a"]),
        (['"with space/x.py"'], ["dist:a", "with space"]),
        (["a/x.py", '"a/with, comma.py"', "ab/x.py", "a.py", "b.py", "a/y.py"], ["a", "ab", "b", "dist:a"]),
        ([], ["*", "dist:a"]),
    ],
    ids=["module", "folders", "compiled", "path-file", "at-start", "quoted", "neighbours", "no-list"],
)
def test_provided(install, paths, words):
    """The first parts of what is listed, but for metadata, compiled files and commands."""
    assert {"a": words} == install("A-1.dist-info", *paths)


@pytest.mark.parametrize(
    ("text", "offers"),
    [("[console_scripts]\na = a:main\n", False), ("[console_scripts]\na = a:b\n[pandas_plotting_backends]\n", True)],
)
def test_entry_points(install, text, offers):
    """Commands are no entry points that a library looks for."""
    assert offers is ("*entry points" in install("a-1.dist-info", "a.py", entry_points=text)["a"])


FACTS = {"numpy": "2.0", "other": "1.0", "$TZ": "UTC"}
PROVIDES = {"numpy": ["dist:numpy", "numpy"], "other": ["dist:other", "more", "other"]}
NEW = {"new": ["dist:new", "new"], "hook": ["*at start"], "plug": ["*entry points", "plug"], "unknown": ["*"]}


def changed(**facts):
    """Return an environment in which some versions are others; None for what is not installed."""
    names = {name.replace("__", "$"): version for name, version in facts.items()}
    found = {name: version for name, version in {**FACTS, **names}.items() if version is not None}
    return Environment(found, {**PROVIDES, **NEW})


@pytest.mark.parametrize(
    ("facts", "asked", "told"),
    [
        ({}, {"numpy"}, []),
        ({"other": "2.0"}, {"numpy"}, []),
        ({"numpy": "3.0"}, {"numpy", "re"}, ["numpy 2.0 → 3.0"]),
        ({"other": "2.0"}, {"more"}, ["other 1.0 → 2.0"]),
        ({"other": "2.0"}, {"dist:other"}, ["other 1.0 → 2.0"]),
        ({"other": None}, {"other"}, ["other 1.0 → (absent)"]),
        ({"other": None}, {"numpy"}, []),
        ({"new": "1"}, {"numpy"}, []),
        ({"new": "1"}, {"new"}, ["new (absent) → 1"]),
        ({"new": "1"}, {"*"}, ["new (absent) → 1"]),
        ({"new": "1"}, {"pkg_resources"}, ["new (absent) → 1"]),
        ({"new": "1"}, {"*entry points"}, []),
        ({"plug": "1"}, {"*entry points"}, ["plug (absent) → 1"]),
        ({"plug": "1"}, {"numpy"}, []),
        ({"hook": "1"}, {"numpy"}, ["hook (absent) → 1"]),
        ({"unknown": "1"}, {"numpy"}, ["unknown (absent) → 1"]),
        ({"__TZ": "CET"}, set(), ["$TZ UTC → CET"]),
    ],
)
def test_relevant(facts, asked, told):
    """Only what a process has asked for matters, found or not; settings and what is executed at the start always."""
    before = Environment(FACTS, PROVIDES)
    assert told == relevant(before, changed(**facts), asked)
    assert len(told) == len(relevant(changed(**facts), before, asked))


def test_what_a_distribution_provided_before_counts_too():
    """A module that is no longer in a new version of a distribution is one that is gone."""
    before = Environment({"a": "1"}, {"a": ["old"]})
    assert ["a 1 → 2"] == relevant(before, Environment({"a": "2"}, {"a": ["new"]}), {"old"})
    assert ["a 1 → 2"] == relevant(before, Environment({"a": "2"}, {"a": ["new"]}), {"new"})


def test_code_of_the_user():
    """Startup files of IPython are executed before anything is noted; its settings are no code."""
    assert starts_with_code_of_the_user({"ipython/00-first.py": "1"})
    assert not starts_with_code_of_the_user({"ipython/ipython_config.json": "1", "numpy": "2"})


class TestStored:
    """Results of a store that were made where other things were installed."""

    @pytest.fixture
    def store(self, tmp_path):
        """Lend a store with a result of the environment `old`, for which numpy was asked."""
        store = Store(tmp_path / "store")
        store.put_environment("old", encode(Environment(FACTS, PROVIDES)))
        return store

    def told(self, store, facts, **more):
        """Return what of the environment differs from that of a trace."""
        lookups = store.put_blob(encode(["numpy"]))
        trace = a_trace(inputs={ENVIRONMENT: "old"}, **{"lookups": lookups, **more})
        now = {**FACTS, **facts}
        identity = KernelIdentity({}, lambda: now)
        store.put_environment("new", encode(Environment(now, {**PROVIDES, **NEW})))
        return Environments(store).differences(trace, "new", identity)

    def test_something_else(self, store):
        """What was not asked for does not matter."""
        assert [] == self.told(store, {"other": "2.0", "new": "1"})

    def test_what_was_asked_for(self, store):
        """It is told with both versions."""
        assert ["numpy 2.0 → 2.1"] == self.told(store, {"numpy": "2.1"})

    @pytest.mark.parametrize("lookups", [None, "ab" * 32])
    def test_nobody_knows_what_was_asked_for(self, store, lookups):
        """Then nothing can be told."""
        assert None is self.told(store, {"other": "2.0"}, lookups=lookups)

    def test_startup_files(self, store):
        """What they ask for is not known."""
        assert None is self.told(store, {"other": "2.0", "ipython/00-first.py": "1"})

    @pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x" * 100)])
    def test_damaged_description(self, store, damage):
        """An environment of which nothing is known any more is another one."""
        damage(store.folder / "environments" / "old.json")
        assert None is self.told(store, {"other": "2.0"})

    def test_description_is_made_once(self, store, monkeypatch):
        """Listing what hundreds of distributions provide takes its time."""
        made = []
        monkeypatch.setattr(
            "pytest_cells.tracing.environments.describe", lambda *_: made.append(1) or Environment({}, {})
        )
        identity = KernelIdentity({}, dict)
        for environments in (Environments(store), Environments(store)):
            for version in ("old", "new", "new"):
                environments.keep(version, identity)
        assert [1] == made
        assert Environment({}, {}) == msgspec.json.decode(store.get_environment("new"), type=Environment)
