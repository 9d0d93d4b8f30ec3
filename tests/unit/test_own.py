"""Which modules are the user's own."""

import os

import pytest

from pytest_cells.in_kernel.own import OwnModules

OWN = {
    "project/tool.py": True,
    "project/pkg/inner/tool.py": True,
    "env/site-packages/installed/tool.py": False,
    "env/site-packages/installed/inner/tool.py": False,
    "env/site-packages/editable/tool.py": True,
    "env/site-packages/editable/inner/tool.py": True,
    "project/vendored/inner/tool.py": False,
    "project/vendored/../tool.py": False,
    "project/pkg/../tool.py": True,
    "project//pkg/inner/tool.py": True,
    "env/site-packages/linked.py": True,
}


@pytest.mark.parametrize("path", OWN)
def test_links_are_followed(tmp_path, monkeypatch, path):
    """A folder or file is where its links lead to, those of folders above included, and relative paths too."""
    site = tmp_path / "env" / "site-packages"
    for folder in ("project/pkg/inner", "env/site-packages/installed/inner"):
        tmp_path.joinpath(folder).mkdir(parents=True)
    site.joinpath("editable").symlink_to("../../project/pkg")
    site.joinpath("linked.py").symlink_to(tmp_path / "project" / "tool.py")
    tmp_path.joinpath("project", "vendored").symlink_to(site / "installed")
    monkeypatch.chdir(tmp_path)
    modules = OwnModules()
    for _ in range(2):
        assert modules.is_own_file(str(tmp_path / path)) == modules.is_own_file(path) == OWN[path]
    real = os.path.realpath(tmp_path / path)
    assert modules.is_own_file(real) == OWN[path]
