"""Kernel managers that the user names: those of a real Jupyter server that is used as a gateway, and local ones."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.kernel
NB = "nb.ipynb"
GATEWAY = "jupyter_server.gateway.managers:GatewayKernelManager"
LONGEST_S = 1800
"""A server ends after this long, whatever becomes of its test."""
SERVER = "import signal; signal.alarm({}); from jupyter_server.serverapp import main; main()"


@dataclass
class Server:
    """A Jupyter server on this machine, and its kernels."""

    process: subprocess.Popen
    url: str
    token: str

    def ask(self, path):
        """Return what the server answers."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    @property
    def kernels(self):
        """The kernels that it runs."""
        return self.ask("/api/kernels")

    def wait_until_it_answers(self):
        """Wait for its first answer."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.ask("/api/status")
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)

    def stop(self):
        """End it, and with it its kernels."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_server(folder):
    """Start a Jupyter server on a free port of the loopback interface."""
    if find_spec("jupyter_server") is None:
        pytest.skip("jupyter_server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    settings = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": folder,
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,
        "IdentityProvider.token": token,
    }
    folders = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "RUNTIME", "DATA")}
    url = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SERVER.format(LONGEST_S),
                *(f"--{name}={value}" for name, value in settings.items()),
            ],
            env={**os.environ, **folders, "GATEWAY_UNDER_TEST": url, "GATEWAY_TOKEN": token},
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    server = Server(process, url, token)
    try:
        server.wait_until_it_answers()
    except BaseException:
        server.stop()
        raise
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Lend one server to all tests that do not harm it."""
    server = start_server(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def mortal_server(tmp_path):
    """Lend a server that may die."""
    server = start_server(tmp_path)
    yield server
    server.stop()


def use(server, monkeypatch):
    """Let pytest find a server."""
    monkeypatch.setenv("JUPYTER_GATEWAY_URL", server.url)
    monkeypatch.setenv("JUPYTER_GATEWAY_AUTH_TOKEN", server.token)


@pytest.fixture
def gateway(server, cells_project, monkeypatch):
    """Run pytest with the gateway; no kernel may be left there."""
    use(server, monkeypatch)
    yield lambda *args: run(cells_project, GATEWAY, *args)
    assert [] == server.kernels


MANAGERS = [GATEWAY, "jupyter_client.manager:KernelManager", "jupyter_client.manager:AsyncKernelManager"]


@pytest.fixture(params=MANAGERS, ids=lambda name: name.partition(":")[2])
def managed(request, cells_project):
    """Run pytest with each manager in turn."""
    if request.param == GATEWAY:
        return request.getfixturevalue("gateway")
    return lambda *args: run(cells_project, request.param, *args)


def run(project, manager, *args):
    """Run with a manager; one of jupyter_server in a process of its own: it reads its environment once in a process."""
    return project.run(f"--cells-kernel-manager={manager}", *args, subprocess=manager == GATEWAY)


def test_state_and_outputs(cells_project, managed):
    """State is kept across cells, outputs arrive, a failure has its line, and the cells below are skipped."""
    cells_project.notebook(NB, "x = 4", "print('before', x)\n1 / 0", "x")
    result = managed()
    assert (["ok", "error", "skipped"], 1) == (result.statuses(NB), result.kernels)
    failed = result.cell(NB, 1)
    assert ("ZeroDivisionError", 2) == (failed.error.ename, failed.line)
    assert "before 4" in result.stdout
    assert "kernel manager: " in result.stdout


def test_expected_error_by_its_base_class(cells_project, managed):
    """Python's kernel tells the base classes of errors there too."""
    cells_project.notebook(NB, "# cells: raises=LookupError\n{}['a']", "await __import__('asyncio').sleep(0)\n2")
    assert ["ok", "ok"] == managed().statuses(NB)


def test_nothing_is_stored(cells_project, managed):
    """What such a kernel runs in is not known: nothing is stored, and it shares nothing with local kernels."""
    cells_project.notebook(NB, "x = 1", "x")
    assert ["ok", "ok"] == cells_project.run().statuses(NB)
    assert ["ok", "ok"] == managed().statuses(NB)
    again = managed()
    assert ["ok", "ok"] == again.statuses(NB)
    assert "runs its kernels in is not known" in again.cell(NB, 0).reason
    assert ["cached", "cached"] == cells_project.run().statuses(NB)


def test_timeout(cells_project, managed):
    """A cell that is too slow is interrupted, and its kernel goes on."""
    slow = "# cells: timeout=1 xfail=slow\nimport time\ntime.sleep(60)"
    cells_project.notebook(NB, "x = 4", slow, "assert x == 4", slow.replace(" xfail=slow", ""))
    result = managed()
    assert (["ok", "skipped", "ok", "error"], 1) == (result.statuses(NB), result.kernels)
    failed = result.cell(NB, 3)
    assert ("CellTimeout", 3) == (failed.error.ename, failed.line)
    assert "the cell took longer than 1 s and was interrupted" == failed.error.evalue


def test_timeout_that_is_ignored(cells_project, managed):
    """A cell that ignores the interrupt loses its kernel."""
    deaf = "# cells: timeout=1\nimport signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)"
    cells_project.notebook(NB, "x = 4", deaf, "x")
    cells_project.notebook("other.ipynb", "x = 1")
    result = managed()
    assert (["ok", "error", "skipped"], ["ok"]) == (result.statuses(NB), result.statuses("other.ipynb"))
    assert "ignored the interrupt" in result.cell(NB, 1).error.evalue


def test_death(cells_project, managed):
    """A kernel that dies in a cell is noticed, after one more try; a server that starts another one fools nobody."""
    cells_project.notebook(NB, "x = 4", "import os\nos._exit(7)", "x")
    result = managed()
    assert (["ok", "error", "skipped"], 2) == (result.statuses(NB), result.kernels)
    told = result.cell(NB, 1).error
    assert ("KernelDied", True) == (told.ename, "seen in 2 kernels" in told.evalue)


def test_one_cell(cells_project, managed):
    """A cell that is selected by its node id finds the state that it needs."""
    cells_project.notebook(NB, "x = 4", "y = x", "# cells: name=last\nassert y == 4", "1 / 0")
    result = managed(f"{NB}::last")
    assert ["skipped", "skipped", "ok", "skipped"] == result.statuses(NB)


def test_messages_with_bytes(cells_project, gateway):
    """A message with binary buffers, as widgets send them, does not end the connection."""
    widget = "import comm\ncomm.create_comm(target_name='any', data={}, buffers=[b'\\xff\\x00'])"
    cells_project.notebook(NB, widget, "print('a' * 500_000)", "1")
    assert (["ok", "ok", "ok"]) == gateway().statuses(NB)


def test_workers(cells_project, gateway):
    """Under xdist each worker has kernels of its own there."""
    pytest.importorskip("xdist")
    for name in ("a.ipynb", "b.ipynb"):
        cells_project.notebook(name, "x = 4", "assert x == 4")
    result = gateway("-n2")
    assert (["ok", "ok"], ["ok", "ok"]) == (result.statuses("a.ipynb"), result.statuses("b.ipynb"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_interrupted_session(cells_project, gateway, number):
    """Ctrl-C and SIGTERM end the kernels that are elsewhere too."""
    cells_project.file("conftest.py", "import os\nfrom pathlib import Path\nPath('pid').write_text(str(os.getpid()))\n")
    pid = cells_project.path / "pid"
    source = f"import os, time\nos.kill(int(open({str(pid)!r}).read()), {int(number)})\ntime.sleep(60)"
    cells_project.notebook(NB, source)
    assert pytest.ExitCode.INTERRUPTED == gateway().ret


def test_kernel_that_its_server_ends(cells_project, gateway, server):
    """A kernel that somebody else ends there is lost at once, and that is not taken for the cell's own end."""
    source = (
        "import os, signal, time, urllib.request\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "import json, threading\n"
        "head = {'Authorization': 'token ' + os.environ['GATEWAY_TOKEN']}\n"
        "url = os.environ['GATEWAY_UNDER_TEST'] + '/api/kernels'\n"
        "ours = json.loads(urllib.request.urlopen(urllib.request.Request(url, headers=head)).read())[0]['id']\n"
        "end = urllib.request.Request(f'{url}/{ours}', headers=head, method='DELETE')\n"
        "threading.Thread(target=urllib.request.urlopen, args=(end,)).start()\n"
        "time.sleep(60)"
    )
    cells_project.notebook(NB, "x = 1", source, "x")
    result = gateway("--cells-kernel-retries=0")
    assert ["ok", "error", "skipped"] == result.statuses(NB)
    assert "KernelDied" == result.cell(NB, 1).error.ename


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=lambda number: number.name)
def test_server_that_is_lost(cells_project, mortal_server, monkeypatch, number):
    """A gateway that dies or stops to answer fails the cell; the next notebook says that it does not answer."""
    use(mortal_server, monkeypatch)
    cells_project.notebook(NB, "x = 1", f"import os, time\nos.kill(os.getppid(), {int(number)})\ntime.sleep(60)", "x")
    cells_project.notebook("other.ipynb", "x = 1")
    result = run(cells_project, GATEWAY, "--cells-kernel-retries=0", "-o", "cells_startup_timeout=2")
    assert (["ok", "error", "skipped"], ["error"]) == (result.statuses(NB), result.statuses("other.ipynb"))
    assert "KernelDied" == result.cell(NB, 1).error.ename
    told = result.cell("other.ipynb", 0).error.evalue
    assert "does not answer" in told or "nothing came of it in 2 s" in told


def test_kernel_that_the_gateway_does_not_have(cells_project, gateway, server):
    """A kernel that is not installed there is told with those that are."""
    cells_project.notebook(NB, "x = 1", kernelspec={"name": "julia"})
    result = gateway("--cells-kernel-retries=0")
    told = result.cell(NB, 0).error.evalue
    assert f"the kernel 'julia' could not be started: the gateway {server.url} has no such kernel" in told
    assert "it has: " in told
    assert "python3; install it there, or choose one with --cells-kernel NAME" in told
    assert ["ok"] == gateway("--cells-kernel=python3").statuses(NB)


def test_wrong_token(cells_project, server, monkeypatch):
    """A gateway that refuses us is told with the variable that is wrong."""
    use(server, monkeypatch)
    monkeypatch.setenv("JUPYTER_GATEWAY_AUTH_TOKEN", "wrong")
    cells_project.notebook(NB, "x = 1")
    told = run(cells_project, GATEWAY, "--cells-kernel-retries=0").cell(NB, 0).error.evalue
    assert f"the gateway {server.url} refused it (HTTP 403)" in told
    assert "JUPYTER_GATEWAY_AUTH_TOKEN" in told


def test_no_address(cells_project, monkeypatch):
    """A gateway without an address is told with the variable that is missing."""
    pytest.importorskip("jupyter_server")
    monkeypatch.delenv("JUPYTER_GATEWAY_URL", raising=False)
    cells_project.notebook(NB, "x = 1")
    told = run(cells_project, GATEWAY, "--cells-kernel-retries=0").cell(NB, 0).error.evalue
    assert "JUPYTER_GATEWAY_URL is not set" in told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("GatewayKernelManager", "expected module:Class"),
        ("no_such_module:Manager", "there is no module 'no_such_module'"),
        ("json:JSONDecoder", "JSONDecoder is no KernelManager of jupyter_client"),
        ("jupyter_client.manager:KernelManger", "did you mean 'KernelManager'?"),
        ("broken_manager:Manager", "importing broken_manager raised RuntimeError: no licence"),
    ],
    ids=["no-class", "no-module", "no-manager", "misspelt", "broken"],
)
def test_what_cannot_be_used(cells_project, monkeypatch, name, told):
    """What is no kernel manager ends pytest before anything runs, from the option and from the ini value."""
    cells_project.file("broken_manager.py", "raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(cells_project.path)
    cells_project.notebook(NB, "x = 1")
    for given in ([f"--cells-kernel-manager={name}"], ["-o", f"cells_kernel_manager={name}"]):
        result = cells_project.pytest("--cells", *given)
        assert pytest.ExitCode.USAGE_ERROR == result.ret
        assert told in result.stderr.str()
        assert f"cells_kernel_manager{':' if ':' not in name else ''} " in result.stderr.str()


def test_without_jupyter_server(cells_project, monkeypatch):
    """Where jupyter_server is missing, it is told what to install."""
    monkeypatch.setitem(sys.modules, "jupyter_server", None)
    for loaded in [name for name in sys.modules if name.startswith("jupyter_server.")]:
        monkeypatch.delitem(sys.modules, loaded)
    cells_project.notebook(NB, "x = 1")
    result = cells_project.pytest("--cells", f"--cells-kernel-manager={GATEWAY}")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert "pip install 'pytest-cells[gateway]'" in result.stderr.str()


def test_together_with_an_executor(cells_project):
    """A kernel manager and another executor do not go together."""
    result = cells_project.pytest("--cells", f"--cells-kernel-manager={GATEWAY}", "--cells-executor=other")
    assert pytest.ExitCode.USAGE_ERROR == result.ret
    assert "leave one of them out" in result.stderr.str()


def test_manager_that_raises(cells_project):
    """What a manager raises fails the notebook, with its name."""
    cells_project.file(
        "strict.py",
        "from jupyter_client.manager import KernelManager\n"
        "class Strict(KernelManager):\n    def __init__(self, **given): raise OSError('no licence')\n",
    )
    cells_project.notebook(NB, "x = 1", "x")
    result = cells_project.run("--cells-kernel-manager=strict:Strict", "-p", "strict", subprocess=True)
    assert ["error", "skipped"] == result.statuses(NB)
    assert "strict:Strict: OSError: no licence" in result.cell(NB, 0).error.evalue
