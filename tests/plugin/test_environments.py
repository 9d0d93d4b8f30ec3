"""After an installation only the cells run that could have used what has changed."""

import shutil
import sys
from importlib.util import find_spec

import pytest

from pytest_cells.in_kernel import AGENT
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.settings import KernelSettings

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"


@pytest.fixture
def install(cells_project, tmp_path_factory, monkeypatch):
    """Install distributions of one module each into a folder of installed packages of this test's own."""
    site = tmp_path_factory.mktemp("env") / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))

    def installed(name, version, source=None, more=()):
        remove(name)
        metadata = site / f"{name}-{version}.dist-info"
        metadata.mkdir()
        (site / f"{name}.py").write_text(source or f"VERSION = '{version}'\n", encoding="utf-8")
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (metadata / "RECORD").write_text("".join(f"{path},,\n" for path in (f"{name}.py", *more)), encoding="utf-8")

    def remove(name):
        (site / f"{name}.py").unlink(missing_ok=True)
        for metadata in site.glob(f"{name}-*.dist-info"):
            shutil.rmtree(metadata)
        shutil.rmtree(site / "__pycache__", ignore_errors=True)  # may seem to be of a file of the same second and size

    installed.remove = remove
    return installed


@pytest.fixture
def run(cells_project):
    """Run a notebook of some cells and return the status and the reason of each."""

    def told(*cells, arguments=()):
        cells_project.notebook(NB, *cells)
        result = cells_project.run("--cells-cache=traces", *arguments)
        return [(cell.status, cell.reason) for cell in result.run(NB).cell_results], result.report.kernels.started

    return told


def test_upgrade_of_what_no_cell_uses(install, run):
    """Everything stays cached and no kernel is started, also when the old version comes back."""
    install("cells_used", "1.0")
    install("cells_other", "1.0")
    cells = ["import cells_used", "assert cells_used.VERSION", "print('plain')"]
    run(*cells)
    for change in (lambda: install("cells_other", "2.0"), lambda: install.remove("cells_other")):
        change()
        told, kernels = run(*cells)
        assert ["cached"] * 3 == [status for status, _ in told]
        assert 0 == kernels


def test_upgrade_of_what_a_cell_imports(install, run):
    """It is executed, and the reason tells both versions; above the import nothing can have changed."""
    install("cells_used", "1.0")
    cells = ["x = 1", "import cells_used", "assert cells_used.VERSION"]
    run(*cells)
    install("cells_used", "2.0")
    told, _ = run(*cells)
    assert ["cached", "ok", "ok"] == [status for status, _ in told]
    assert "changed: cells_used 1.0 → 2.0" == told[1][1].replace("cells-used", "cells_used")


def test_upgrade_of_what_only_a_cell_above_imports(install, run):
    """It may change what libraries do below: a cell that was executed without those above counts as if after them."""
    install("cells_used", "1.0")
    cells = ["import cells_used", "x = 1", "print(x)"]
    run(*cells)
    cells[2] = "print(x, x)"
    assert ["cached", "cached", "ok"] == [status for status, _ in run(*cells)[0]]
    install("cells_other", "1.0")
    assert ["cached"] * 3 == [status for status, _ in run(*cells)[0]]
    install("cells_used", "2.0")
    assert ["ok"] * 3 == [status for status, _ in run(*cells)[0]]


def test_failure_after_an_upgrade(install, run):
    """A cell that fails with the new version is never cached, and never passes by the result of the old one."""
    install("cells_used", "1.0")
    cells = ["import cells_used", "assert cells_used.VERSION == '1.0'"]
    run(*cells)
    install("cells_used", "2.0")
    for _ in range(2):
        told, _ = run(*cells)
        assert "error" == told[1][0]


TRIES = (
    "import importlib\ntry:\n    found = importlib.import_module('cells_new')\nexcept ImportError:\n    found = None"
)


@pytest.mark.parametrize(
    ("asks", "whole"),
    [
        (TRIES, False),
        ("import importlib.util\nfound = importlib.util.find_spec('cells_new')", False),
        ("import importlib.metadata as m\nfound = len(list(m.distributions(name='cells_new')))", False),
        ("import importlib.metadata as m\nfound = any(d.name == 'cells_new' for d in m.distributions())", True),
        ("import pkgutil\nfound = 'cells_new' in [module.name for module in pkgutil.iter_modules()]", True),
    ],
    ids=["import", "find-spec", "distribution", "distributions", "listing"],
)
def test_installation_of_what_was_looked_for(install, run, asks, whole):
    """What was not there and is now may change what a cell gives; who has looked at all there is depends on all."""
    cells = ["x = 1", asks, "print(bool(found))"]
    assert ["ok"] * 3 == [status for status, _ in run(*cells)[0]]
    install("cells_unrelated", "1.0")
    assert ["cached", "ok" if whole else "cached"] == [status for status, _ in run(*cells)[0]][:2]
    install("cells_new", "1.0")
    assert ["cached", "ok", "ok"] == [status for status, _ in run(*cells)[0]]


def test_preloaded_modules(tmp_path):
    """What the fork server has asked for, its kernels have asked for."""
    if find_spec("pandas") is None:  # it cannot be imported twice in one process, and others have
        pytest.skip("needs pandas")
    choice = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"))
    wishes = {"trace": True, "agent": str(AGENT.parent), "project": str(tmp_path), "ignored": []}
    asked = {}
    for preload in ((), ("pandas",)):
        pool = KernelPool(KernelSettings(preload=preload))
        try:
            kernel = pool.start(choice, tmp_path, 60)
            asked[preload] = kernel.execute("x = 1", timeout=60, wishes=wishes).observed["lookups"]
            pool.stop(kernel)
        finally:
            pool.close()
    assert {"pandas", "bottleneck", "numexpr"} <= {*asked[("pandas",)]} - {*asked[()]}


def test_subprocess(install, run):
    """What other processes use of the installed is not seen: any change counts, also where the cell is called pure."""
    cells = ["x = 1", "# cells: pure\nimport subprocess\nsubprocess.run(['true'], check=True)\ny = 1"]
    run(*cells)
    install("cells_unrelated", "1.0")
    assert ["cached", "ok"] == [status for status, _ in run(*cells)[0]]


def test_code_that_python_executes_at_its_start(install, run):
    """A path file counts for every cell."""
    run("x = 1")
    install("cells_hook", "1.0", more=["cells_hook.pth"])
    assert "ok" == run("x = 1")[0][0][0]


def test_audit_of_a_value_without_a_digest(install, run):
    """It is what it was also where the result was made before something else was installed."""
    cells = ["import threading\nlock = threading.Lock()", "held = (v for v in [lock])", "x = 1"]
    run(*cells)
    install("cells_unrelated", "1.0")
    assert ["cached"] * 3 == [status for status, _ in run(*cells)[0]]
    assert ["ok"] * 3 == [status for status, _ in run(*cells, arguments=["--cells-audit=100"])[0]]


def test_damaged_description(install, run, cells_project):
    """Where it is not known what was installed, everything is executed."""
    run("x = 1")
    for path in (cells_project.path / ".pytest_cache/d/cells/environments").iterdir():
        path.write_text("{}")
    install("cells_unrelated", "1.0")
    told, _ = run("x = 1")
    assert [("ok", "changed: the Python environment")] == told


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib")
def test_settings_of_matplotlib_in_a_folder(cells_project):
    """A kernel whose folder has a `matplotlibrc` reads it, also where the fork server has preloaded matplotlib."""
    cells_project.file("pytest.ini", "[pytest]\ncells_preload = matplotlib\n")
    cells_project.file("sub/matplotlibrc", "lines.linewidth: 3\n")
    source = "import matplotlib\nassert matplotlib.rcParams['lines.linewidth'] == {}"
    cells_project.notebook("nb.ipynb", source.format(1.5))
    cells_project.notebook("sub/nb.ipynb", source.format(3))
    result = cells_project.run()
    assert (["ok"], ["ok"]) == (result.statuses("nb.ipynb"), result.statuses("sub/nb.ipynb"))
