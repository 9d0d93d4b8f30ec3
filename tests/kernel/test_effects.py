"""What the agent reports of cells in a real kernel: IPython and ipykernel themselves do nothing that counts."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import pytest_cells

pytestmark = pytest.mark.kernel
AGENT = Path(pytest_cells.__file__).parent / "in_kernel"
OBSERVE = """
def observe(folder):
    import importlib, os, sys, types
    package = types.ModuleType("_pytest_cells_agent")
    package.__path__ = [folder]
    sys.modules["_pytest_cells_agent"] = package
    module = importlib.import_module("_pytest_cells_agent.effects")
    shell = get_ipython()
    effects = module.Effects(shell, os.getcwd())
    effects.install()
    kernel = shell.kernel
    begin, finish = kernel.init_metadata, kernel.finish_metadata
    def init_metadata(parent):
        effects.begin()
        return begin(parent)
    def finish_metadata(parent, metadata, content):
        metadata = finish(parent, metadata, content)
        if effects.under_way:
            metadata["effects"] = effects.end()
        return metadata
    kernel.init_metadata, kernel.finish_metadata = init_metadata, finish_metadata
observe(%r)
del observe
"""
OPAQUE = "it changes what cannot be told as plain data: ipython"
ROWS = [
    # cell, slots that it writes, what is volatile, what makes it a barrier
    ("x = 1", [], [], []),
    ("print(1)", [], [], []),
    ("x", [], [], []),
    ("1 / 0", [], [], []),
    ("%time y = 1", [], [], []),
    ("%%capture out\nprint(1)", [], [], []),
    ("import asyncio\nawait asyncio.sleep(0.001)", [], [], []),
    ("display(x, display_id=True)", [], [], []),
    ("import warnings; warnings.warn('w')", [], [], []),
    ("%precision 3", ["ipython"], [], []),
    ("%cd ..", ["cwd"], [], []),
    ("!true", [], [], ["it starts a process"]),
    ("get_ipython().events.register('pre_execute', print)", [], [], ["it sets a hook of IPython"]),
    ("get_ipython().ast_transformers.append(1); get_ipython().ast_transformers.pop()", [], [], []),
    ("def time(line): pass\nget_ipython().register_magic_function(time)", ["ipython"], [], [OPAQUE]),
    ("task = asyncio.create_task(asyncio.sleep(60))", [], [], ["a task is still running: sleep"]),
    ("get_ipython().display_formatter.formatters['text/plain'].for_type(int, print)", ["ipython"], [], [OPAQUE]),
]


@pytest.fixture(scope="module")
def execute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return what executes a cell in an observed kernel, and returns what was reported of it."""
    manager = KernelManager()
    manager.start_kernel(cwd=str(tmp_path_factory.mktemp("project")))
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def run(source: str) -> dict[str, Any]:
        # As the plugin asks: else ipykernel ends a request that failed only while the next one is executed.
        wanted = client.execute(source, allow_stdin=False, stop_on_error=False)
        while True:
            reply = client.get_shell_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == wanted:
                found: dict[str, Any] = reply["metadata"].get("effects", {})
                return found

    run(OBSERVE % str(AGENT))
    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.filterwarnings("ignore")  # jupyter_client's own, of kernels that are started as it is
def test_cells_in_a_kernel(execute: Any) -> None:
    """Each cell does what it does itself, one after the other in one kernel, and the kernel nothing."""
    told = [(cell, execute(cell)) for cell, *_ in ROWS]
    got = [(cell, sorted(t["slot_writes"]), t["volatile"], t["barrier"]) for cell, t in told]
    # What is left of one cell stays for those after it.
    running = "a task is still running: sleep"
    expected = [
        (cell, slots, volatile, [*barrier, *([running] if n == len(ROWS) - 1 else [])])
        for n, (cell, slots, volatile, barrier) in enumerate(ROWS)
    ]
    assert expected == got


@pytest.mark.parametrize(
    ("set_up", "name", "undo"),
    [
        (
            "def f(*_): pass\nget_ipython().events.register('pre_execute', f)",
            "f",
            "get_ipython().events.unregister('pre_execute', f)",
        ),
        ("import builtins\nhold = abs\ndef g(v): pass\nbuiltins.abs = g", "g", "builtins.abs = hold"),
        ("import sys\nclass H:\n    def find_spec(*_): pass\nsys.meta_path.append(H())", "H", "del sys.meta_path[-1]"),
    ],
    ids=["callback", "builtin", "finder"],
)
def test_code_that_others_call(execute: Any, set_up: str, name: str, undo: str) -> None:
    """What the notebook has hooked in somewhere is called whatever a cell does, until it is taken away."""
    told = f"{name} of the notebook is called whatever a cell does"
    found = {}
    for cell in (set_up, "x = 1", "x = 2", undo, "x = 3"):
        found[cell] = [reason for reason in execute(cell)["barrier"] if "task" not in reason]
    assert found[set_up]
    assert [told] == found["x = 1"] == found["x = 2"]
    assert [] == found["x = 3"]


def test_plots(execute: Any) -> None:
    """A figure that the kernel shows is none that is left open, and drawing it sets nothing."""
    if find_spec("matplotlib") is None:
        pytest.skip("needs matplotlib")
    execute("import matplotlib.pyplot as plt")
    told = execute("plt.plot([1, 2]);")
    assert ([], []) == (sorted(told["slot_writes"]), [r for r in told["barrier"] if "task" not in r])
