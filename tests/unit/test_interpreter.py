from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_cells.cache import interpreter


def install(site: Path, stem: str, direct_url: str | None = None, record: str | None = None) -> None:
    """Write a distribution's metadata folder."""
    folder = site / stem
    folder.mkdir(parents=True)
    if direct_url is not None:
        (folder / "direct_url.json").write_text(direct_url)
    if record is not None:
        (folder / "RECORD").write_text(record)


def short(content: str) -> str:
    """Return the start of a SHA-256."""
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def test_names_and_versions(tmp_path: Path) -> None:
    """Name and version of each distribution are read from the names of metadata folders."""
    install(tmp_path, "numpy-2.4.6.dist-info", record="ignored")
    install(tmp_path, "Typing_Extensions-4.1.dist-info")
    install(tmp_path, "old-1.0-py3.11.egg-info")
    install(tmp_path, "numpy")
    (tmp_path / "six.py").write_text("")
    expected = [("typing-extensions", "4.1"), ("numpy", "2.4.6"), ("old", "1.0-py3.11")]
    assert expected == interpreter.distributions(str(tmp_path))


def test_an_installed_checkout_counts_with_its_files(tmp_path: Path) -> None:
    """What was installed from a checkout counts with the list of its files and their hashes."""
    install(tmp_path, "mine-1.0.dist-info", "{}", "mine.py,sha256=abc,1")
    assert [("mine", f"1.0 {short('mine.py,sha256=abc,1')}")] == interpreter.distributions(str(tmp_path))


def test_an_installed_checkout_without_a_list(tmp_path: Path) -> None:
    """Where that list is missing, it is told so."""
    install(tmp_path, "mine-1.0.dist-info", "{}")
    assert [("mine", "1.0 unreadable")] == interpreter.distributions(str(tmp_path))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A site folder that is not there holds nothing."""
    assert [] == interpreter.distributions(str(tmp_path / "gone"))


def test_site_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Site folders are those entries of `sys.path`, each once, in order."""
    path = ["", "/a/lib/site-packages", "/project", "/b/dist-packages/", "/a/lib/site-packages", "/x/site-packages/y"]
    monkeypatch.setattr(sys, "path", path)
    assert ["/a/lib/site-packages", "/b/dist-packages/"] == interpreter.site_folders()


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that change what Python or common libraries do count; others, and those without effect, do not."""
    counted = {"PYTHONOPTIMIZE": "1", "LC_ALL": "C", "LANG": "de_DE", "TZ": "UTC", "MPLBACKEND": "agg"}
    others = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/h", "COLUMNS": "9"}
    monkeypatch.setattr(interpreter.os, "environ", {**counted, **others})
    assert {f"${name}": value for name, value in counted.items()} == interpreter.environment()


def test_ipython_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's IPython configuration and startup files count with their bytes; notes beside them do not."""
    profile = tmp_path / "profile_default"
    (profile / "startup").mkdir(parents=True)
    (profile / "ipython_config.py").write_text("c = 1")
    (profile / "startup" / "00-first.py").write_text("import a")
    (profile / "startup" / "README").write_text("what this is")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    expected = {"ipython/ipython_config.py": short("c = 1"), "ipython/00-first.py": short("import a")}
    assert expected == interpreter.ipython_profile()


def test_describe_takes_the_first_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a distribution in two site folders the one that is imported counts."""
    folders = [tmp_path / "one" / "site-packages", tmp_path / "two" / "site-packages"]
    install(folders[0], "numpy-2.0.dist-info")
    install(folders[1], "numpy-1.0.dist-info")
    install(folders[1], "other-3.0.dist-info")
    monkeypatch.setattr(sys, "path", [str(folder) for folder in folders])
    facts = interpreter.describe()
    assert ("2.0", "3.0") == (facts["numpy"], facts["other"])
    assert {"python", "platform"} <= facts.keys()


def test_an_upgrade_changes_the_description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed, upgraded or removed is seen at the next look."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site)])
    before = interpreter.describe()
    install(site, "numpy-1.0.dist-info")
    (site / "numpy-1.0.dist-info").rename(site / "numpy-2.0.dist-info")
    assert {**before, "numpy": "2.0"} == interpreter.describe()


def test_as_a_script_it_tells_the_same() -> None:
    """Run by an interpreter, even without its site folders, it prints that interpreter's description."""
    done = subprocess.run(
        [sys.executable, "-S", interpreter.__file__], capture_output=True, text=True, check=True, timeout=30
    )
    answer = json.loads(done.stdout)
    assert interpreter.describe()["python"] == answer["facts"]["python"]
    assert {"facts", "site"} == answer.keys()


def test_it_needs_the_standard_library_alone() -> None:
    """It runs under other interpreters than ours, so it imports nothing that may be missing there."""
    tree = ast.parse(Path(interpreter.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert set() == names - sys.stdlib_module_names
