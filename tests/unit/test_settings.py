from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_cells.errors import SettingsError
from pytest_cells.model import Notebook
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
