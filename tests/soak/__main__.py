"""Start hundreds of kernels, murder them and their owners at random, and see that nothing hangs, grows or stays.

    python tests/soak --kernels 500 --seed 7

Opt-in: pytest does not collect this. It needs Linux's /proc. Whoever wants the same murders again takes the seed.
"""

import argparse
import contextlib
import ctypes
import gc
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import zmq

from pytest_cells.errors import KernelError
from pytest_cells.kernels import kernel as kernels
from pytest_cells.kernels import ownership
from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.settings import KernelSettings
from pytest_cells.testing import notebook_json

PYTHON = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"))
CHECK_EVERY = 50
MARK = "PYTEST_CELLS_SOAK"
"""The variable that all processes of a soak inherit."""
LONGEST_STEP_S = 30.0
GONE_S = 10.0
"""How long a killed process may take to be gone."""
MOST_GROWTH_MB = {"used MB": 10.0, "MB": 300.0}
"""What malloc has given out, and what the process holds: malloc keeps up to 64 MB for each of the threads of libzmq."""
IMPORTS = "import collections, itertools, os, signal, subprocess, threading, time\n"
DEATHS = (
    "os._exit(3)",
    "os.abort()",
    "os.kill(os.getpid(), signal.SIGKILL)",
    "os.kill(0, signal.SIGTERM)\ntime.sleep(60)",
    "threading.Timer(0.02, os._exit, [1]).start()\ntime.sleep(60)",
    "subprocess.Popen(['sleep', '600'])\nos._exit(1)",
    "import ctypes\nctypes.string_at(0)",
)
TIMEOUTS = (
    "time.sleep(600)",
    "while True: pass",
    "while True: print('x' * 100)",
    "subprocess.run(['sleep', '600'])",
    "collections.deque(itertools.repeat(1), maxlen=0)",
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)",
)
LEFT_RUNNING = (
    "child = subprocess.Popen(['sleep', '600'])",
    "if os.fork() == 0:\n    time.sleep(600)",
    "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
    "child = subprocess.Popen(['yes'])",
    "print('x' * 10**6)",
)


class Wrong(Exception):
    """What must not be."""


class MallocInfo(ctypes.Structure):
    """The C library's `struct mallinfo2`."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()  # noqa: SIM905
    ]


class World:
    """The temporary folder and the processes of a soak, and what is measured of this one."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="cells-soak-", dir=ownership.bases()[0]))
        self.work = self.folder / "work"
        self.work.mkdir()
        os.environ.update({MARK: str(self.folder), "TMPDIR": str(self.folder)})
        tempfile.tempdir = str(self.folder)
        self._mark = f"{MARK}={self.folder}".encode()

    def processes(self):
        """Return the command lines of all other processes that inherited the mark, by number."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            pid = int(place.name)
            with contextlib.suppress(OSError):
                if pid != os.getpid() and self._mark in (place / "environ").read_bytes().split(b"\0"):
                    found[pid] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        return found

    def zombies(self):
        """Return our children that nobody has waited for."""
        found = []
        for place in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                state, parent = place.read_text().rpartition(")")[2].split()[:2]
                if state == "Z" and int(parent) == os.getpid():
                    found.append(place.parent.name)
        return found

    def sessions(self):
        """Return the folders of sessions."""
        return set(self.folder.glob(f"{ownership.PREFIX}*"))

    @staticmethod
    def measures():
        """Return what must not grow."""
        gc.collect()
        libc = ctypes.CDLL(None)
        libc.malloc_trim(0)
        libc.mallinfo2.restype = MallocInfo
        malloc = libc.mallinfo2()
        status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return {
            "descriptors": len(list(Path("/proc/self/fd").iterdir())),
            "threads": next(int(line.split()[1]) for line in status if line.startswith("Threads:")),
            "contexts": sum(isinstance(one, zmq.Context) and not one.closed for one in gc.get_objects()),
            "used MB": round((malloc.uordblks + malloc.hblkhd) / 2**20, 1),
            "MB": round(next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))),
        }


class Soak:
    """The murders, and the checks between them."""

    def __init__(self, kernels_wanted, seed):
        self.random = random.Random(seed)
        self.wanted, self.started, self.steps = kernels_wanted, 0, Counter()
        self.problems, self.history, self.seen_ms = [], [], []
        self.world = World()
        self.pools = {
            "forked": KernelPool(KernelSettings(fork_server="on")),
            "ordinary": KernelPool(KernelSettings(fork_server="off")),
        }

    def run(self):
        """Murder until enough kernels were started; return what was found to be wrong."""
        acts = {
            self.live: 20,
            self.die_in_a_cell: 25,
            self.murdered_in_a_cell: 20,
            self.murdered_between_cells: 10,
            self.murdered_at_start: 10,
            self.too_slow: 8,
            self.server_murdered: 8,
            self.session: 7,
        }
        due = CHECK_EVERY
        try:
            while self.started < self.wanted:
                act = self.random.choices(list(acts), list(acts.values()))[0]
                self.step(act)
                if self.started >= due:
                    due += CHECK_EVERY
                    self.check()
            self.finish()
        finally:
            for pool in self.pools.values():
                pool.close()
            shutil.rmtree(self.world.folder, ignore_errors=True)
        return self.problems

    def step(self, act):
        self.steps[act.__name__] += 1
        began = time.monotonic()
        try:
            act()
        except Exception as problem:  # all is reported in the end, and the other murders go on
            self.wrong(f"{act.__name__}: {type(problem).__name__}: {problem}")
        if time.monotonic() - began > LONGEST_STEP_S:
            self.wrong(f"{act.__name__} took {time.monotonic() - began:.0f} s")

    def wrong(self, problem):
        self.problems.append(f"after {self.started} kernels: {problem}")
        print("WRONG", self.problems[-1], flush=True)

    # -- kernels -------------------------------------------------------------------------------------------

    def pool(self):
        return self.pools[self.random.choices(["forked", "ordinary"], [85, 15])[0]]

    @contextlib.contextmanager
    def kernel(self, pool=None):
        pool = pool or self.pool()
        if self.random.random() < 0.3:
            pool.prepare(PYTHON, self.world.work)
        kernel = pool.start(PYTHON, self.world.work, 30)
        self.started += 1
        try:
            expect("ok", kernel.execute(IMPORTS, timeout=10))
            yield kernel
        finally:
            pool.stop(kernel)

    def live(self):
        with self.kernel() as kernel:
            for _ in range(self.random.randrange(4)):
                expect("ok", kernel.execute(self.random.choice(LEFT_RUNNING), timeout=10))
            expect("error", kernel.execute("1/0", timeout=10))

    def die_in_a_cell(self):
        with self.kernel() as kernel:
            outcome = kernel.execute(self.random.choice(DEATHS), timeout=20)
            expect("KernelDied", outcome)
            if kernel.alive:
                raise Wrong("a dead kernel is alive")

    def murdered_in_a_cell(self):
        with self.kernel() as kernel:
            number = self.random.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
            told = []
            with murder(self.random.random() / 20, kernel.process_id, number, told):
                expect("KernelDied", kernel.execute("time.sleep(60)", timeout=20))
                self.seen_ms.append((time.monotonic() - told[0]) * 1000)

    def murdered_between_cells(self):
        with self.kernel() as kernel:
            os.kill(kernel.process_id, signal.SIGKILL)
            expect("KernelDied", kernel.execute("1", timeout=20))

    def murdered_at_start(self):
        pool = self.pool()
        for _, ahead in pool._ahead:
            ahead.kill()
        pool._ahead.clear()
        pool.prepare(PYTHON, self.world.work)
        ((_, launched),) = pool._ahead
        process = launched._process
        while process.pid is None and process.poll() is None:
            time.sleep(0.001)
        with murder(self.random.random() / 10, process.pid, signal.SIGKILL, []):
            try:
                kernel = pool.start(PYTHON, self.world.work, 30)
            except KernelError:
                return
            self.started += 1
            kernel.execute("1", timeout=20)
            pool.stop(kernel)

    def too_slow(self):
        with self.kernel() as kernel:
            expect("CellTimeout", kernel.execute(self.random.choice(TIMEOUTS), timeout=0.1))
            if kernel.alive:
                expect("ok", kernel.execute("1", timeout=10))

    def server_murdered(self):
        """Kill the fork server, whatever it is doing."""
        pool = self.pools["forked"]
        pool.prepare(PYTHON, self.world.work)
        server = next(iter(pool._servers._servers.values()))._process
        told = []
        with murder(self.random.random() / 2, server.pid, signal.SIGKILL, told):
            try:
                with self.kernel(pool) as kernel:
                    outcome = kernel.execute("time.sleep(0.3)", timeout=20)
                    if outcome.error is not None:
                        expect("KernelDied", outcome)
            except (KernelError, Wrong) as problem:
                if "fork server" not in str(problem):
                    raise
        if told:
            server.wait(10)

    # -- sessions of pytest --------------------------------------------------------------------------------

    def session(self):
        """Run pytest on notebooks, and end it, or a worker of it, at a random moment."""
        project = self.world.work / f"project{sum(self.steps.values())}"
        project.mkdir()
        for name in "abcd":
            cells = (f"import time\nx = {name!r}", "time.sleep(0.2)", "x += x", "assert len(x) == 2")
            (project / f"{name}.ipynb").write_text(json.dumps(notebook_json(*cells)), encoding="utf-8")
        (project / "pytest.ini").write_text(
            f"[pytest]\ncells_fork_server = {self.random.choice(['on', 'on', 'off'])}\n", encoding="utf-8"
        )
        workers = ["-n2"] if self.random.random() < 0.4 else []
        how = self.random.choice([None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL, "twice", "worker"])
        before = self.world.sessions()
        command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-q", "--cells", *workers, str(project)]
        with (project / "log").open("wb") as log:
            pytest = subprocess.Popen(command, cwd=project, stdout=log, stderr=log, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            pytest.wait(0.3 + self.random.random() * 2 if how else LONGEST_STEP_S)
        if how == "worker":
            self.kill_a_worker(pytest.pid)
        elif how is not None and pytest.poll() is None:
            pytest.send_signal(signal.SIGINT if how == "twice" else how)
            if how == "twice":
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pytest.wait(self.random.random() / 5)
                pytest.send_signal(signal.SIGINT)
        try:
            pytest.wait(LONGEST_STEP_S)
        except subprocess.TimeoutExpired:
            os.killpg(pytest.pid, signal.SIGKILL)
            pytest.wait()
            raise Wrong(f"pytest hung after {how}, {workers}") from None
        self.started += 4
        self.steps[f"session, {getattr(how, 'name', how) or 'left alone'}"] += 1
        killed = how in (signal.SIGKILL, "worker") or bool(how == "twice" and workers)  # xdist kills its workers then
        self.nothing_of(project, before, workers, how, reaped=killed)
        if how is None and pytest.returncode != 0:
            raise Wrong(f"pytest left alone gave {pytest.returncode}:\n{(project / 'log').read_text()[-3000:]}")
        shutil.rmtree(project)

    @staticmethod
    def kill_a_worker(pid):
        children = Path(f"/proc/{pid}/task/{pid}/children")
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                if b"execnet" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
                    return

    def nothing_of(self, project, before, workers, how, *, reaped):
        """See that nothing of a session is left; of one that was killed, after the next run's reaping."""
        if reaped:
            ownership.reap()
        told = f"pytest {workers} ended by {how}"
        deadline = time.monotonic() + GONE_S
        mine = f"{project}".encode()
        while left := [pid for pid in self.world.processes() if self.cwd_of(pid) == mine]:
            if time.monotonic() > deadline:
                raise Wrong(f"{told} left {[self.world.processes().get(pid) for pid in left]}")
            time.sleep(0.05)
        if folders := self.world.sessions() - before:
            if reaped:
                time.sleep(0.1)
                ownership.reap()
                folders = self.world.sessions() - before
            if folders:
                log = (project / "log").read_text(encoding="utf-8", errors="replace")[-3000:]
                raise Wrong(f"{told} left {[sorted(map(str, folder.rglob('*'))) for folder in folders]}\n{log}")

    @staticmethod
    def cwd_of(pid):
        try:
            return str(Path(f"/proc/{pid}/cwd").readlink()).encode()
        except OSError:
            return b""

    # -- checks --------------------------------------------------------------------------------------------

    def check(self):
        """See that nothing is there but the pools and their fork servers, and that nothing grows."""
        for pool in self.pools.values():
            for _, ahead in pool._ahead:
                ahead.kill()
            pool._ahead.clear()
            pool._finish(everything=True)
        known = list(self.pools["forked"]._servers._servers.values()) if self.pools["forked"]._servers else []
        servers = [server for server in known if server.alive]
        self.until_gone({server._process.pid for server in servers})
        folders = {server._folder.name for server in known}  # of one that was murdered until another takes its place
        for pool in self.pools.values():
            there = {path.name for path in pool._folder.iterdir()} if pool._folder else set()
            if extra := there - {ownership.OWNER} - folders:
                self.wrong(f"folders are left: {sorted(extra)}")
        if zombies := self.world.zombies():
            self.wrong(f"zombies: {zombies}")
        now = self.world.measures()
        self.history.append(now)
        print(f"{self.started:5} kernels, {len(servers)} servers: {now}", flush=True)
        first = self.history[0]
        for name in ("descriptors", "threads", "contexts"):
            if now[name] > first[name] + 3 * len(servers):
                self.wrong(f"{name} grow: {first[name]} -> {now[name]}")
        for name, most in MOST_GROWTH_MB.items():
            if now[name] > first[name] + most:
                self.wrong(f"{name} grow: {first[name]} -> {now[name]}")

    def until_gone(self, allowed):
        deadline = time.monotonic() + GONE_S
        while extra := {pid: line for pid, line in self.world.processes().items() if pid not in allowed}:
            if time.monotonic() > deadline:
                self.wrong(f"processes are left: {extra}")
                for pid in extra:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                return
            time.sleep(0.05)

    def finish(self):
        """Close the pools, and see that nothing at all is left."""
        self.check()
        for pool in self.pools.values():
            pool.close()
        ownership.reap()
        self.until_gone(set())
        if left := [path.name for path in self.world.folder.iterdir() if path.name.startswith(ownership.PREFIX)]:
            self.wrong(f"files are left: {left}")
        if zombies := self.world.zombies():
            self.wrong(f"zombies: {zombies}")
        if left := threading.enumerate()[1:]:
            print("threads that stay:", [thread.name for thread in left])
        print("at the end:", self.world.measures())


@contextlib.contextmanager
def murder(delay, pid, number, told):
    """Send a signal to a process in a while; note when."""

    def kill():
        told.append(time.monotonic())
        with contextlib.suppress(OSError):
            os.kill(pid, number)

    timer = threading.Timer(delay, kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def expect(wanted, outcome):
    """Raise unless an outcome has this verdict, or an error of this name."""
    found = outcome.error.ename if outcome.error is not None and wanted not in ("ok", "error") else outcome.verdict
    if found != wanted:
        raise Wrong(f"found {found}, expected {wanted}: {outcome.error}")


def main():
    parser = argparse.ArgumentParser(prog="python tests/soak", description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"{arguments.kernels} kernels, --seed {arguments.seed}", flush=True)
    kernels.INTERRUPT_GRACE_S = 0.3
    began = time.monotonic()
    soak = Soak(arguments.kernels, arguments.seed)
    problems = soak.run()
    for name, count in sorted(soak.steps.items()):
        print(f"{count:5} {name}")
    if soak.seen_ms:
        print(f"a death was seen after {statistics.median(soak.seen_ms):.0f} ms, {max(soak.seen_ms):.0f} ms at most")
    print(f"{soak.started} kernels in {time.monotonic() - began:.0f} s: {len(problems)} problems")
    print("\n".join(problems))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
