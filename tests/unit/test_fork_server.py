"""What a forked kernel does at its end, as far as it can be seen from here."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from pytest_cells.in_kernel import fork_server, own


@pytest.mark.skipif(sys.platform == "win32", reason="kernels are forked on POSIX")
def test_what_is_taken_apart_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of the project that were loaded since the fork, and none of the agent: it watches to the end."""
    end = fork_server._End({"own": own})
    agent = own.__name__.partition(".")[0]
    for name in ("helpers_of_the_project", f"{agent}.part_of_the_agent"):
        module = types.ModuleType(name)
        module.__file__ = str(tmp_path / "module.py")
        monkeypatch.setitem(sys.modules, name, module)
    assert ["helpers_of_the_project"] == [module.__name__ for module in end._modules()]
