"""A provisioner that the user has named starts the kernel, and none of ours does."""

import json
import sys

import pytest

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"
VARIABLE = "JUPYTER_DEFAULT_PROVISIONER_NAME"
RECORDING = """
from pathlib import Path
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

class Recording(LocalProvisioner):
    def note(self, what):
        with Path('provisioned').open('a') as file: file.write(what + '\\n')
    async def launch_kernel(self, cmd, **kwargs):
        self.note(f'launch {self.greeting}')
        kwargs['env'] = {**kwargs['env'], 'PROVISIONED': 'yes'}
        return await super().launch_kernel(cmd, **kwargs)
    async def kill(self, restart=False):
        self.note('kill')
        await super().kill(restart)
    async def cleanup(self, restart=False):
        self.note('cleanup')
        await super().cleanup(restart)
    greeting = 'without a word'

class Hidden(Recording):
    '''Knows its process by another name, and tells of its life only when it is asked.'''
    async def launch_kernel(self, cmd, **kwargs):
        info = await super().launch_kernel(cmd, **kwargs)
        self.handle, self.process = self.process, 'container 7'
        return info
    @property
    def has_process(self): return self.handle is not None
    handle = None
    async def poll(self): return self.handle.poll() if self.handle else 0
    async def wait(self):
        self.handle.wait()
        self.handle = None
    async def kill(self, restart=False):
        self.note('kill')
        self.handle.kill()
    async def send_signal(self, signum): self.handle.send_signal(signum)
"""
POINTS = """[jupyter_client.kernel_provisioners]
recording = recording_provisioner:Recording
hidden = recording_provisioner:Hidden
broken = recording_provisioner:NotThere
"""


@pytest.fixture
def provisioners(cells_project, monkeypatch):
    """Put a distribution with provisioners on the path; what they did is read by calling this."""
    cells_project.file("site/recording_provisioner.py", RECORDING)
    cells_project.file(
        "site/recording-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: recording\nVersion: 1.0\n"
    )
    cells_project.file("site/recording-1.0.dist-info/entry_points.txt", POINTS)
    monkeypatch.setenv("PYTHONPATH", str(cells_project.path / "site"))
    monkeypatch.setenv("JUPYTER_PATH", str(cells_project.path / "jupyter"))
    record = cells_project.path / "provisioned"
    return lambda: record.read_text().splitlines() if record.exists() else []


def spec(project, provisioner, name="mine", **config):
    """Write a kernelspec of Python's kernel that names a provisioner."""
    content = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": name,
        "language": "python",
        "metadata": {"kernel_provisioner": {"provisioner_name": provisioner, "config": config}},
    }
    return project.file(f"jupyter/kernels/{name}/kernel.json", json.dumps(content))


def run(project, *args):
    """Run in a process of its own: jupyter_client reads provisioners and their default once in a process."""
    return project.run(*args, subprocess=True)


CELLS = ("import os\nassert os.environ.get('PROVISIONED') == 'yes'", "x = 1", "assert x == 1")


@pytest.mark.parametrize("name", ["recording", "hidden"])
def test_named_in_the_kernelspec(cells_project, provisioners, name):
    """A provisioner that the kernelspec names is used, never the fork server, and ends what it started."""
    spec(cells_project, name)
    cells_project.notebook(NB, *CELLS, kernelspec={"name": "mine"})
    result = run(cells_project)
    assert (["ok", "ok", "ok"], 1) == (result.statuses(NB), result.kernels)
    assert "launch without a word" == provisioners()[0]
    assert 1 == provisioners().count("cleanup")


def test_nothing_is_stored(cells_project, provisioners):
    """What a provisioner runs its kernel in is not known, so nothing is cached, and it is said why."""
    spec(cells_project, "recording")
    cells_project.notebook(NB, *CELLS, kernelspec={"name": "mine"})
    run(cells_project)
    again = run(cells_project)
    assert ["ok", "ok", "ok"] == again.statuses(NB)
    assert "what the provisioner 'recording' runs its kernel in is not known" == again.cell(NB, 1).reason


@pytest.mark.parametrize("python3", ["pytest", "kernelspec"])
def test_named_in_the_environment(cells_project, provisioners, monkeypatch, python3):
    """The default provisioner that the environment names is used for kernelspecs that name none."""
    monkeypatch.setenv(VARIABLE, "recording")
    cells_project.notebook(NB, *CELLS)
    result = run(cells_project, "-o", f"cells_python3={python3}")
    assert ["ok", "ok", "ok"] == result.statuses(NB)
    assert "launch without a word" == provisioners()[0]


@pytest.mark.usefixtures("tells_its_pid")
def test_the_kernelspec_comes_before_the_environment(cells_project, provisioners, monkeypatch):
    """A kernelspec that names jupyter_client's own provisioner gets it, and neither the default nor the fork server."""
    monkeypatch.setenv(VARIABLE, "recording")
    spec(cells_project, "local-provisioner")
    child = "import os\nassert os.getppid() == int(os.environ['TESTED_PYTEST'])"
    cells_project.notebook(NB, child, "x = 1", kernelspec={"name": "mine"})
    assert (["ok", "ok"], []) == (run(cells_project).statuses(NB), provisioners())
    assert ["ok", "cached"] == run(cells_project).statuses(NB)  # which process it is, is another thing in every run


@pytest.mark.parametrize("name", ["recording", "hidden"])
def test_death_and_timeout(cells_project, provisioners, name):
    """A kernel that dies is seen, and one that ignores an interrupt is ended by whoever started it."""
    spec(cells_project, name)
    cells_project.notebook(NB, "import os\nos._exit(7)", kernelspec={"name": "mine"})
    deaf = "# cells: timeout=1\nimport signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)"
    cells_project.notebook("deaf.ipynb", deaf, kernelspec={"name": "mine"})
    result = run(cells_project, "--cells-kernel-retries=0")
    assert (["error"], "KernelDied") == (result.statuses(NB), result.cell(NB, 0).error.ename)
    assert (["error"], "CellTimeout") == (result.statuses("deaf.ipynb"), result.cell("deaf.ipynb", 0).error.ename)
    assert "kill" in provisioners()


def test_not_installed(cells_project, provisioners):
    """A provisioner that is not installed is told with who names it and which there are."""
    path = spec(cells_project, "recordnig")
    cells_project.notebook(NB, "x = 1", "x", kernelspec={"name": "mine"})
    result = run(cells_project)
    assert ["error", "skipped"] == result.statuses(NB)
    told = result.cell(NB, 0).error.evalue
    assert f"{NB}: the kernel 'mine' is to be started by the provisioner 'recordnig', which is not installed" in told
    assert f"named by the kernelspec {path}" in told
    assert "did you mean 'recording'?" in told
    assert "pytest-cells-fork-server" not in told


@pytest.mark.parametrize("python3", ["pytest", "kernelspec"])
def test_default_that_is_not_installed(cells_project, monkeypatch, python3):
    """A default provisioner that is not installed is told with the variable that names it."""
    monkeypatch.setenv(VARIABLE, "no-such-provisioner")
    cells_project.notebook(NB, "x = 1", "x")
    result = run(cells_project, "-o", f"cells_python3={python3}")
    assert ["error", "skipped"] == result.statuses(NB)
    told = result.cell(NB, 0).error.evalue
    assert "the provisioner 'no-such-provisioner', which is not installed" in told
    assert f"named by the environment variable {VARIABLE}" in told


def test_provisioner_that_cannot_be_loaded(cells_project, provisioners):
    """A provisioner that is installed and cannot be loaded fails the notebook with its own words."""
    spec(cells_project, "broken")
    cells_project.notebook(NB, "x = 1", kernelspec={"name": "mine"})
    result = run(cells_project)
    assert ["error"] == result.statuses(NB)
    assert "the kernel 'mine' could not be started: " in result.cell(NB, 0).error.evalue
    assert "NotThere" in result.cell(NB, 0).error.evalue


def test_fork_server_that_is_asked_for(cells_project, provisioners):
    """`--cells-fork-server=on` together with a provisioner is an error, which says who is in the way."""
    spec(cells_project, "recording")
    cells_project.notebook(NB, "x = 1", kernelspec={"name": "mine"})
    result = run(cells_project, "--cells-fork-server=on")
    assert ["error"] == result.statuses(NB)
    assert "the kernel 'mine' cannot be forked" in result.cell(NB, 0).error.evalue
    assert [] == provisioners()


def test_memory_that_cannot_be_limited(cells_project, provisioners):
    """A limit of memory that cannot be set is an error, not forgotten."""
    spec(cells_project, "hidden")
    cells_project.notebook(NB, "x = 1", kernelspec={"name": "mine"})
    result = run(cells_project, "-o", "cells_max_memory_mb=900", "--cells-kernel-retries=0")
    assert ["error"] == result.statuses(NB)
    assert "shows no process whose memory cells_max_memory_mb could limit" in result.cell(NB, 0).error.evalue
    assert "cleanup" in provisioners()
