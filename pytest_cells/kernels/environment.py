"""What kernels inherit: environment variables, umask and limits."""

from __future__ import annotations

import os
import string

from pytest_cells.kernels.specs import KernelChoice


def kernel_environment(choice: KernelChoice) -> dict[str, str]:
    """Return the environment that a kernel gets: ours, with what must not differ between runs fixed."""
    ours = (
        "PYTEST_CURRENT_TEST",
        "PYTEST_XDIST_WORKER",
        "PYTEST_XDIST_WORKER_COUNT",
        "PYTEST_XDIST_TESTRUNUID",
    )
    fixed = {
        "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
        "COLUMNS": "80",
        "LINES": "24",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    environment = {name: value for name, value in os.environ.items() if name not in ours and name not in fixed}
    environment |= fixed  # last, so that their order too is the same in all processes of a session
    own = {name: string.Template(value).safe_substitute(environment) for name, value in choice.env.items()}
    return {**environment, **own}


def current_umask() -> int:
    """Return the umask of this process, which cannot be asked for without setting it."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def inherited() -> tuple[object, ...]:
    """Return what else a process has of its parent: limits, priority, processors."""
    if os.name != "posix":
        return ()
    import resource  # POSIX only

    limits = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
    processors = frozenset(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return (*(resource.getrlimit(limit) for limit in limits), os.getpriority(os.PRIO_PROCESS, 0), processors)
