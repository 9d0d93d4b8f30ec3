from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_cells.errors import ExecutorError
from pytest_cells.executors import BUILT_IN, find_executor, load_executor
from pytest_cells.kernels.executor import JupyterExecutor
from pytest_cells.settings import KernelSettings, Settings

MODULE = """
class Executor:
    def __init__(self, settings):
        self.settings = settings

def failing(settings):
    raise RuntimeError("no network")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder on `sys.path` for distributions that offer executors."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def offer(site: Path, distribution: str, module: str, **executors: str) -> None:
    """Install a distribution whose module offers executors."""
    folder = site / f"{distribution}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    lines = [f"{name} = {module}:{target}\n" for name, target in executors.items()]
    (folder / "entry_points.txt").write_text("[pytest_cells.executors]\n" + "".join(lines))
    (site / f"{module}.py").write_text(MODULE)


def settings(site: Path, executor: str) -> Settings:
    """Return settings that ask for an executor."""
    return Settings(site, kernel=KernelSettings(executor=executor))


def test_the_built_in_executor(site: Path) -> None:
    """`jupyter` is there without any metadata, and nobody can take its name."""
    offer(site, "evil", "cells_unit_evil", jupyter="Executor")
    assert BUILT_IN is find_executor("jupyter")
    assert isinstance(load_executor(settings(site, "jupyter")), JupyterExecutor)


def test_an_executor_of_another_distribution(site: Path) -> None:
    """An executor is created from its entry point, with the settings."""
    offer(site, "fine", "cells_unit_fine", remote="Executor")
    asked = settings(site, "remote")
    assert asked is load_executor(asked).settings  # type: ignore[attr-defined]


def test_only_the_named_one_is_loaded(site: Path) -> None:
    """Neither finding one executor nor loading it imports another."""
    offer(site, "one", "cells_unit_one", one="Executor")
    offer(site, "two", "cells_unit_two", two="Executor")
    find_executor("one")
    assert set() == {"cells_unit_one", "cells_unit_two"} & sys.modules.keys()
    load_executor(settings(site, "one"))
    assert {"cells_unit_one"} == {"cells_unit_one", "cells_unit_two"} & sys.modules.keys()


def message_of(site: Path, name: str) -> str:
    """Return the message with which an executor is refused."""
    with pytest.raises(ExecutorError) as caught:
        load_executor(settings(site, name))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("jupiter", "did you mean 'jupyter'?"), ("remtoe", "did you mean 'remote'?"), ("xyz", "known: jupyter, remote")],
)
def test_an_unknown_executor(site: Path, name: str, hint: str) -> None:
    """An unknown name is told with the nearest one, and all that are installed."""
    offer(site, "fine", "cells_unit_known", remote="Executor")
    told = f"--cells-executor {name}: no such executor is installed; {hint}\n  installed: jupyter, remote"
    assert told == message_of(site, name)


def test_two_distributions_of_one_name(site: Path) -> None:
    """A name that two distributions offer is told with both, and neither is loaded."""
    offer(site, "b", "cells_unit_b", remote="Executor")
    offer(site, "a", "cells_unit_a", remote="Executor")
    told = "--cells-executor remote: offered more than once: cells_unit_a:Executor, cells_unit_b:Executor"
    assert told == message_of(site, "remote")
    assert set() == {"cells_unit_a", "cells_unit_b"} & sys.modules.keys()


def test_a_factory_that_fails(site: Path) -> None:
    """What a factory raises becomes an error of ours, with the original as its cause."""
    offer(site, "broken", "cells_unit_broken", remote="failing")
    with pytest.raises(ExecutorError) as caught:
        load_executor(settings(site, "remote"))
    told = "--cells-executor remote (cells_unit_broken:failing): RuntimeError: no network"
    assert (told, "no network") == (str(caught.value), str(caught.value.__cause__))
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("content", "kind"),
    [("import nowhere_at_all", ModuleNotFoundError), ("x = (", SyntaxError), ("", AttributeError)],
    ids=["import", "syntax", "no-such-name"],
)
def test_a_module_that_cannot_be_loaded(site: Path, content: str, kind: type[Exception]) -> None:
    """An entry point that cannot be loaded is an error of ours, with the original as its cause."""
    name = f"cells_unit_{kind.__name__.lower()}"
    offer(site, "broken", name, remote="Executor")
    (site / f"{name}.py").write_text(content)
    told = rf"^--cells-executor remote \({name}:Executor\): {kind.__name__}"
    with pytest.raises(ExecutorError, match=told) as caught:
        load_executor(settings(site, "remote"))
    assert isinstance(caught.value.__cause__, kind)
