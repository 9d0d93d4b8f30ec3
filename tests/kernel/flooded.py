"""Executes cells that flood their kernel, and tells as JSON what came of each and how much memory that took here.

A process of its own, so that nothing else's memory is measured. Sources are read from stdin, as a JSON list.
"""

import json
import sys
import time
from pathlib import Path

from pytest_cells.kernels.pool import KernelPool
from pytest_cells.kernels.specs import KernelChoice
from pytest_cells.settings import KernelSettings

PYTHON = KernelChoice("python3", (sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"))


def memory_mb(name):
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def main():
    pool = KernelPool(KernelSettings(fork_server="on"))
    told = []
    try:
        kernel = pool.start(PYTHON, Path.cwd(), 60)
        kernel.execute("1", timeout=30)
        for source in json.load(sys.stdin):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the highest value so far
            before, began = memory_mb("VmRSS"), time.monotonic()
            outcome = kernel.execute(source, timeout=60)
            texts = [output.get("text", "") for output in outcome.outputs]
            told.append(
                {
                    "verdict": outcome.verdict,
                    "error": outcome.error.summary[-200:] if outcome.error else None,
                    "kept_mb": sum(map(len, texts)) / 2**20,
                    "last": texts[-1][-200:] if texts else "",
                    "more_mb": memory_mb("VmHWM") - before,
                    "took_s": time.monotonic() - began,
                }
            )
            del outcome, texts
        after = kernel.execute("1", timeout=30)
        told.append({"verdict": after.verdict, "error": after.error.summary[-200:] if after.error else None})
    finally:
        pool.close()
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
