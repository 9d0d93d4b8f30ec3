from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from pytest_cells.cache.files import Digests
from pytest_cells.cache.modules import ModuleFinder
from pytest_cells.cache.paths import path_additions
from pytest_cells.cache.source import facts_of


def imported_names(source: str) -> frozenset[str]:
    """Return the top-level names that a source imports."""
    return facts_of(source).imports


# -- what a source imports ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a", {"a"}),
        ("import a.b.c as d, e", {"a", "e"}),
        ("from a.b import c", {"a"}),
        ("from a import *", {"a"}),
        ("from . import a", set()),
        ("from .a import b", set()),
        ("x = 1", set()),
        ("", set()),
        ("def f():\n    import a\n    class C:\n        from b import c", {"a", "b"}),
        ("try:\n    import a\nexcept ImportError:\n    import b", {"a", "b"}),
        ("if x: import a; import b", {"a", "b"}),
        ("text = '''\nimport a\n'''", set()),
        ("# import a", set()),
        ("await f()\nimport a", {"a"}),
        ("__import__('a.b')", {"a"}),
        ("importlib.import_module('a.b')", {"a"}),
        ("import_module('a')", {"a"}),
        ("importlib.import_module(name)", set()),
    ],
)
def test_imports_of_plain_python(source: str, names: set[str]) -> None:
    """Top-level names of modules are found wherever they are imported; relative imports are none."""
    assert names == imported_names(source)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("%matplotlib inline\nimport a, b", {"a", "b"}),
        ("import a, b\n!ls -l 'data", {"a", "b"}),
        ("files = !ls\nimport a, b", {"a", "b"}),
        ("x, y = %sql select 1\nimport a, b", {"a", "b"}),
        ("a?\nimport a, b", {"a", "b"}),
        ("a.f??\nimport a, b", {"a", "b"}),
        ("%time import a, b", {"a", "b"}),
        ("if x:\n    %time import a, b", {"a", "b"}),
        ("%timeit -n 10 -r 3 import a, b", {"a", "b"}),
        ("%timeit -n10 import a, b", {"a", "b"}),
        ("import a, b\n%timeit -n 10 a.f()", {"a", "b"}),
        ("%%time\nimport a, b", {"a", "b"}),
        ("%%timeit -n 3\nimport a, b", {"a", "b"}),
        ("%%timeit import a, b\na.f()", {"a", "b"}),
        ("%%capture out\nimport a, b", {"a", "b"}),
        ("%%prun -s cumulative\nimport a, b", {"a", "b"}),
        ("%%time\n%matplotlib inline\nimport a, b", {"a", "b"}),
        ("%matplotlib inline\nimport a, b  # needed?", {"a", "b"}),
        ("%matplotlib inline\nimport a\nx = 'really?'\nimport b", {"a", "b"}),
        ("%load_ext a", {"a"}),
    ],
)
def test_imports_around_magics(source: str, names: set[str]) -> None:
    """Magics, shell lines and help requests hide no import."""
    assert names == imported_names(source)


@pytest.mark.parametrize("magic", ["bash", "sh", "html", "writefile x.py", "javascript", "script python", "sql"])
def test_other_languages_are_not_parsed(magic: str) -> None:
    """The body of a cell magic that is not Python imports nothing."""
    assert set() == imported_names(f"%%{magic}\nimport a")


@pytest.mark.parametrize(
    "source",
    [
        "import a, b\nx = (",
        "import a, b\nx = ]\n",
        "import a; import b\nif x: !ls",
        "import a, b\nif x: !ls",
    ],
    ids=["open", "closed", "shell", "shell-comma"],
)
def test_what_cannot_be_parsed_is_searched(source: str) -> None:
    """Where a source is no Python that we can parse, all names in its import lines are found."""
    assert {"a", "b"} == imported_names(source)


def test_null_bytes() -> None:
    """A source with a null byte is searched, not a crash."""
    assert {"a"} == imported_names("import a\nx = '\0'")


def test_reading_a_source_warns_of_nothing() -> None:
    """What Python would warn of in a source is not told here, and does not hide its imports."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        names = imported_names("import a, b\nx = '\\d'\n")
    assert ({"a", "b"}, []) == (names, [str(one.message) for one in caught])


def test_warnings_as_errors_hide_no_import() -> None:
    """Where a project turns warnings into errors, a source with a doubtful escape is still parsed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {"a", "b"} == imported_names("x = '\\d'; import a, b\n")


# -- scripts and folders -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "scripts"),
    [
        ("%run script.py", ("script.py",)),
        ("%run -i script.py arg", ("script.py",)),
        ("  %run sub/script.py", ("sub/script.py",)),
        ("%run 'script.py'", ("script.py",)),
        ('%run "my script.py"', ("my script.py",)),
        ("%run a.py\nx = 1\n%run b.py", ("a.py", "b.py")),
        ("%run -p -l 20 script.py", ("script.py",)),
        ("print('%run')\nx = 5 %run", ()),
    ],
)
def test_scripts_that_a_cell_runs(source: str, scripts: tuple[str, ...]) -> None:
    """The files of `%run` are found behind its options and quotes."""
    assert scripts == facts_of(source).scripts


@pytest.mark.parametrize(
    ("source", "folders"),
    [
        ("import sys; sys.path.append('src')", ("src",)),
        ("sys.path.insert(0, '../lib')", ("../lib",)),
        ("sys.path = ['a', 'b'] + sys.path", ("a", "b")),
        ("sys.path += ['a']", ("a",)),
        ("sys.path.append(os.path.abspath('..'))", ("..",)),
        ("sys.path.extend(['a', 'b'])", ("a", "b")),
        ("x = 'src'", ()),
    ],
)
def test_folders_that_a_cell_adds(source: str, folders: tuple[str, ...]) -> None:
    """Literal folders that a cell puts on `sys.path` are found."""
    tree = facts_of(source).tree
    assert None is not tree
    found = path_additions(tree, {})
    assert (set(folders), False) == (set(found.folders), found.unresolved)


@pytest.mark.parametrize("source", ["sys.path.append(folder)", "sys.path.insert(0, find())"])
def test_folders_that_cannot_be_told(source: str) -> None:
    """A folder that is not written out is told to be unknown, never passed over."""
    tree = facts_of(source).tree
    assert None is not tree
    assert True is path_additions(tree, {}).unresolved


# -- project modules ---------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> None:
    """Write files; in their names `__` stands for a slash, also before `__init__`, and `.py` is added."""
    for label, content in files.items():
        name, is_package, _ = label.partition("____init__")
        path = folder / (name.replace("__", "/") + ("/__init__.py" if is_package else ".py"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


class Project:
    """A project folder and a finder for it."""

    def __init__(self, folder: Path, *more: Path, site: tuple[str, ...] = ()) -> None:
        self.search = [folder, *more]
        self.finder = ModuleFinder(Digests(), site, folder)

    def version(self, name: str) -> str | None:
        return self.finder.version(name, self.search)


@pytest.mark.parametrize(
    ("files", "edited"),
    [
        ({"a": ""}, "a"),
        ({"a": "import b", "b": "import c.d", "c__d": ""}, "c__d"),
        ({"a": "from b import x", "b": "def f():\n    import c", "c": ""}, "c"),
        ({"a": "import importlib\nimportlib.import_module('b')", "b": ""}, "b"),
        ({"a": "import b", "b": "import a"}, "b"),
        ({"a____init__": "", "a__sub__deep": "", "a__sub____init__": ""}, "a__sub__deep"),
        ({"a____init__": "from . import other", "a__other": "from .third import x", "a__third": ""}, "a__third"),
        ({"a____init__": "", "a__sub": "import b", "b": ""}, "b"),
        ({"a__sub": ""}, "a__sub"),
        ({"a__sub": "", "a": ""}, "a"),
    ],
    ids=[
        "module",
        "transitive",
        "in-a-function",
        "by-name",
        "circle",
        "package",
        "relative",
        "package-imports",
        "namespace",
        "module-beside-namespace",
    ],
)
def test_an_edit_changes_the_version(tmp_path: Path, files: dict[str, str], edited: str) -> None:
    """An edit in a project module, or in one that it needs, changes its Version, and only an edit does."""
    write(tmp_path, **files)
    project = Project(tmp_path)
    before = project.version("a")
    assert None is not before
    assert before == project.version("a") == Project(tmp_path).version("a")
    write(tmp_path, **{edited: files[edited] + "\nchanged = 1"})
    assert before != project.version("a")


def test_other_modules_do_not_count(tmp_path: Path) -> None:
    """A module that is not imported does not change the Version."""
    write(tmp_path, a="import b", b="", c="")
    before = Project(tmp_path).version("a")
    write(tmp_path, c="changed = 1")
    assert before == Project(tmp_path).version("a")


@pytest.mark.parametrize("name", ["json", "sys", "numpy", "compiled", "plain"])
def test_other_peoples_modules(tmp_path: Path, name: str) -> None:
    """The standard library and what is installed are not the project's."""
    write(tmp_path, a="")
    site = tmp_path / "site-packages"
    (site / "numpy").mkdir(parents=True)
    for installed in ("compiled.cpython-311.so", "plain.py"):
        (site / installed).touch()
    assert None is Project(tmp_path, site=(str(site),)).version(name)


def test_a_module_that_is_nowhere(tmp_path: Path) -> None:
    """A module that is found nowhere may come from any file of the project."""
    write(tmp_path, lib__inner="value = 1")
    before = Project(tmp_path).version("inner")
    assert None is not before
    write(tmp_path, lib__inner="value = 22")
    assert before != Project(tmp_path).version("inner")


def test_a_module_may_shadow_the_standard_library(tmp_path: Path) -> None:
    """A file beside the notebook with the name of a standard module is what gets imported."""
    write(tmp_path, random="")
    before = Project(tmp_path).version("random")
    write(tmp_path, random="changed = 1")
    assert None is not before
    assert before != Project(tmp_path).version("random")


def test_a_module_that_comes_to_shadow_one(tmp_path: Path) -> None:
    """A new file that a module's import now finds changes the Version of that module."""
    write(tmp_path, a="import random")
    before = Project(tmp_path).version("a")
    write(tmp_path, random="")
    assert before != Project(tmp_path).version("a")


def test_installed_packages_are_not_the_projects(tmp_path: Path) -> None:
    """A folder that distributions are installed in may be on the path: its packages are not the project's."""
    write(tmp_path, numpy____init__="")
    assert None is Project(tmp_path, site=(str(tmp_path),)).version("numpy")


def test_installed_modules_are_not_the_projects(tmp_path: Path) -> None:
    """The same holds for installed modules of a single file."""
    write(tmp_path, six="")
    assert None is Project(tmp_path, site=(str(tmp_path),)).version("six")


def test_all_folders_count(tmp_path: Path) -> None:
    """Of two modules of the same name both count: which one is imported cannot be told from outside."""
    versions = set()
    for one, two in (("", ""), ("", "changed = 1"), ("changed = 1", "")):
        write(tmp_path / "one", a=one)
        write(tmp_path / "two", a=two)
        versions.add(Project(tmp_path / "one", tmp_path / "two").version("a"))
    assert 3 == len(versions)


def test_a_package_wins_over_a_namespace(tmp_path: Path) -> None:
    """A folder without `__init__.py` does not hide a real package in a later folder."""
    write(tmp_path / "one", a__other="")
    write(tmp_path / "two", a____init__="")
    before = Project(tmp_path / "one", tmp_path / "two").version("a")
    write(tmp_path / "two", a____init__="changed = 1")
    assert before != Project(tmp_path / "one", tmp_path / "two").version("a")


def test_all_portions_of_a_namespace_count(tmp_path: Path) -> None:
    """A namespace package that is spread over folders counts with all of them."""
    write(tmp_path / "one", a__x="")
    write(tmp_path / "two", a__y="")
    before = Project(tmp_path / "one", tmp_path / "two").version("a")
    write(tmp_path / "two", a__y="changed = 1")
    assert before != Project(tmp_path / "one", tmp_path / "two").version("a")


def test_a_new_file_in_a_package_counts(tmp_path: Path) -> None:
    """A package has another Version when a file is added or goes."""
    write(tmp_path, a____init__="")
    versions = [Project(tmp_path).version("a")]
    write(tmp_path, a__new="")
    versions.append(Project(tmp_path).version("a"))
    (tmp_path / "a" / "new.py").rename(tmp_path / "a" / "other.py")
    versions.append(Project(tmp_path).version("a"))
    assert 3 == len(set(versions))


def test_compiled_modules_count(tmp_path: Path) -> None:
    """A compiled module with its tag in the name is a project module too."""
    path = tmp_path / "a.cpython-311-x86_64-linux-gnu.so"
    path.write_bytes(b"1")
    before = Project(tmp_path).version("a")
    path.write_bytes(b"2")
    assert None is not before
    assert before != Project(tmp_path).version("a")


@pytest.mark.parametrize("folder", ["__pycache__", ".git", ".ipynb_checkpoints", ".pytest_cache"])
def test_folders_that_hold_no_code_of_the_package(tmp_path: Path, folder: str) -> None:
    """Caches and checkpoints inside a package do not count."""
    write(tmp_path, a____init__="")
    before = Project(tmp_path).version("a")
    (tmp_path / "a" / folder).mkdir()
    (tmp_path / "a" / folder / "x.py").write_text("")
    assert before == Project(tmp_path).version("a")


def test_linked_folders_in_a_package_count(tmp_path: Path) -> None:
    """A package may hold a link to a folder of code, which is imported like any other."""
    write(tmp_path, a____init__="", elsewhere__x="")
    (tmp_path / "a" / "sub").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    before = Project(tmp_path).version("a")
    write(tmp_path, elsewhere__x="changed = 1")
    assert before != Project(tmp_path).version("a")


def test_a_module_that_cannot_be_parsed(tmp_path: Path) -> None:
    """A module with a syntax error has a Version, with what its import lines name."""
    write(tmp_path, a="import b, c\nx = (", b="", c="")
    before = Project(tmp_path).version("a")
    write(tmp_path, c="changed = 1")
    assert before != Project(tmp_path).version("a")


def test_a_module_that_is_no_utf8(tmp_path: Path) -> None:
    """A module in another encoding has a Version."""
    (tmp_path / "a.py").write_bytes(b"# coding: latin-1\nx = '\xe9'\nimport b")
    write(tmp_path, b="")
    before = Project(tmp_path).version("a")
    write(tmp_path, b="changed = 1")
    assert before != Project(tmp_path).version("a")


def test_the_version_does_not_depend_on_where_the_project_is(tmp_path: Path) -> None:
    """The same files elsewhere have the same Version."""
    for place in ("one", "two"):
        write(tmp_path / place, a="import b", b____init__="", b__c="")
    assert Project(tmp_path / "one").version("a") == Project(tmp_path / "two").version("a")


@pytest.mark.parametrize("how", ["pth", "finder"])
def test_editable_installs_are_the_projects(tmp_path: Path, how: str) -> None:
    """What is installed from a checkout by a `.pth` file or a finder is a project module."""
    site, checkout = tmp_path / "site-packages", tmp_path / "checkout"
    write(checkout, a____init__="")
    site.mkdir()
    if how == "pth":
        (site / "_a.pth").write_text(f"import something\n# a comment\n{checkout}\n/nowhere\n")
    else:
        mapping = f"MAPPING: dict[str, str] = {{'a': {str(checkout / 'a')!r}}}\nNAMESPACES = {{}}\n"
        (site / "__editable___a_1_0_finder.py").write_text(f"import sys\n{mapping}")
    before = Project(tmp_path / "notebooks", site=(str(site),)).version("a")
    write(checkout, a____init__="changed = 1")
    assert None is not before
    assert before != Project(tmp_path / "notebooks", site=(str(site),)).version("a")
