from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_cells.errors import SettingsError
from pytest_cells.model import Notebook
from pytest_cells.plugin.options import DEFAULT_RUNG, FILES, add_options
from pytest_cells.settings import ArtifactSettings, CacheSettings, KernelSettings, Settings

NAN = float("nan")


def test_defaults() -> None:
    """The defaults are those that are documented."""
    settings = Settings(Path("/project"))
    assert CacheSettings(None, force=False, max_size_mb=2048.0) == settings.cache
    assert (
        KernelSettings(None, "jupyter", 300.0, 0.0, 60.0, 1, "pytest", "notebook", "auto", 1, None, (), 0.0, 50.0)
        == settings.kernel
    )
    assert ArtifactSettings(("artifacts",), 50.0, 100.0) == settings.artifacts
    assert False is settings.shared_run


def test_help_tells_the_defaults() -> None:
    """What `pytest --help` calls the default of an option or ini value is what it is without one."""
    settings = Settings(Path("/project"))
    cache, kernel, artifacts = settings.cache, settings.kernel, settings.artifacts
    defaults: dict[str, object] = {
        "cells_files": FILES[0],
        "cells_cache": cache.rung,
        "cells_cache_max_size_mb": f"{cache.max_size_mb:g}",
        "cells_audit": f"{cache.audit:g}",
        "cells_timeout": f"{kernel.timeout:g}",
        "cells_notebook_timeout": f"{kernel.notebook_timeout:g}",
        "cells_startup_timeout": f"{kernel.startup_timeout:g}",
        "cells_kernel_retries": kernel.retries,
        "cells_executor": kernel.executor,
        "cells_fork_server": kernel.fork_server,
        "cells_kernels_ahead": kernel.ahead,
        "cells_max_memory_mb": f"{kernel.max_memory_mb:g}",
        "cells_max_output_mb": f"{kernel.max_output_mb:g}",
        "cells_python3": kernel.python3,
        "cells_cwd": kernel.cwd,
        "cells_artifacts": artifacts.folders[0],
        "cells_max_artifact_mb": f"{artifacts.max_mb:g}",
    }
    told = _Told()
    add_options(told)  # type: ignore[arg-type]
    found = {name: text for name, text in told.helps.items() if "default" in text and name != "cells_cache_dir"}
    assert defaults.keys() == found.keys()
    assert DEFAULT_RUNG == cache.rung
    for name, text in found.items():
        assert {str(defaults[name])} == set(re.findall(r"\(default: ([^,)]+)", text))


class _Told:
    """A parser of pytest's that keeps the help of each option and ini value; of two with one name the text of both."""

    def __init__(self) -> None:
        self.helps: dict[str, str] = {}

    def getgroup(self, *_: str) -> _Told:
        return self

    def addini(self, name: str, text: str, **_: Any) -> None:
        self.helps[name] = f"{self.helps.get(name, '')} {text}"

    def addoption(self, name: str, *, help: str, **_: Any) -> None:  # noqa: A002  # pytest's own name
        self.addini(name.removeprefix("--").replace("-", "_"), help)


@pytest.mark.parametrize("section", [Settings, CacheSettings, KernelSettings, ArtifactSettings])
def test_settings_are_frozen(section: type) -> None:
    """No setting changes while a session runs."""
    found = section(Path("/project")) if section is Settings else section()
    for field in dataclasses.fields(found):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(found, field.name, None)


AT_LEAST_0 = "expected a number of at least 0"
ABOVE_0 = "expected seconds above 0"


@pytest.mark.parametrize(
    ("section", "field", "value", "told"),
    [
        (CacheSettings, "max_size_mb", -1, f"cells_cache_max_size_mb: found -1, {AT_LEAST_0}"),
        (CacheSettings, "max_size_mb", NAN, f"cells_cache_max_size_mb: found nan, {AT_LEAST_0}"),
        (KernelSettings, "timeout", -0.5, f"cells_timeout: found -0.5, {AT_LEAST_0}"),
        (KernelSettings, "timeout", NAN, f"cells_timeout: found nan, {AT_LEAST_0}"),
        (KernelSettings, "retries", -1, f"cells_kernel_retries: found -1, {AT_LEAST_0}"),
        (KernelSettings, "startup_timeout", 0, f"cells_startup_timeout: found 0, {ABOVE_0}"),
        (KernelSettings, "startup_timeout", -5, f"cells_startup_timeout: found -5, {ABOVE_0}"),
        (KernelSettings, "startup_timeout", NAN, f"cells_startup_timeout: found nan, {ABOVE_0}"),
        (KernelSettings, "python3", "venv", "cells_python3: found 'venv', expected one of pytest, kernelspec"),
        (KernelSettings, "cwd", "home", "cells_cwd: found 'home', expected one of notebook, rootdir"),
        (ArtifactSettings, "max_mb", -1, f"cells_max_artifact_mb: found -1, {AT_LEAST_0}"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_values_that_cannot_be_used(section: Callable[..., Any], field: str, value: Any, told: str) -> None:
    """A value that cannot be used is refused with its ini name, what was found and what was expected."""
    with pytest.raises(SettingsError) as caught:
        section(**{field: value})
    assert told == str(caught.value)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (CacheSettings, {"max_size_mb": 0}),
        (KernelSettings, {"timeout": 0, "retries": 0, "startup_timeout": 0.1}),
        (KernelSettings, {"python3": "kernelspec", "cwd": "rootdir"}),
        (ArtifactSettings, {"max_mb": 0}),
    ],
    ids=["cache", "kernel", "kernel-words", "artifacts"],
)
def test_values_at_the_edge(section: Callable[..., Any], values: dict[str, Any]) -> None:
    """Zero, where it means none, and each word of a fixed set can be used."""
    found = section(**values)
    assert values == {name: getattr(found, name) for name in values}


@pytest.mark.parametrize(("cwd", "folder"), [("notebook", "/project/sub"), ("rootdir", "/project")])
def test_the_working_folder(cwd: Any, folder: str) -> None:
    """A kernel works in the notebook's folder, or in rootdir."""
    settings = Settings(Path("/project"), kernel=KernelSettings(cwd=cwd))
    assert Path(folder) == settings.working_folder(Notebook(Path("/project/sub/nb.ipynb"), "sub/nb.ipynb", ()))


@pytest.mark.parametrize(
    ("path", "shown"),
    [("/project/sub/nb.ipynb", "sub/nb.ipynb"), ("/other/nb.ipynb", "/other/nb.ipynb"), ("/project", ".")],
)
def test_how_paths_are_shown(path: str, shown: str) -> None:
    """A path inside rootdir is shown relative to it, another whole."""
    assert shown == Settings(Path("/project")).shown(Path(path))
