"""What imports what: the rules of DESIGN section 3, and that a run without notebooks pays for nothing."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_cells

PACKAGE = Path(pytest_cells.__file__).parent
HEAVY = ["IPython", "ipykernel", "jupyter_client", "jupyter_core", "msgspec", "nbformat", "zmq"]


JUPYTER_ROOMS = ("gateway", "kernel", "provisioner", "remote", "wire")
"""The rooms under `kernels` that load jupyter_client."""


def name_of(path: Path) -> str:
    """Return the name of a module of ours."""
    parts = [PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


IN_KERNEL = f"{PACKAGE.name}.in_kernel"
FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
"""By name: all modules of the package."""


def is_type_checking(node: ast.AST) -> bool:
    """Tell whether a node is a block that is for type checkers only."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those that only type checkers see."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if not is_type_checking(child):
            yield from nodes(child)


def imports(module: str) -> set[str]:
    """Return all that a module imports at run time, at its top or in a function, by full name."""
    path = FILES[module]
    found: set[str] = set()
    for node in nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level or IN_KERNEL in module, f"{module} has a relative import"
            base = ".".join([*([IN_KERNEL] if node.level else []), *([node.module] if node.module else [])])
            inner = {f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in FILES}
            found.update(inner)
            if len(inner) < len(node.names):
                found.add(base)
    return found


def ours(module: str) -> set[str]:
    """Return which modules of ours a module imports."""
    return {name for name in imports(module) if name.split(".")[0] == PACKAGE.name}


FLOORS = [
    {"in_kernel"},
    {"model", "errors"},
    {
        "artifacts",
        "cache",
        "compare",
        "evaluator",
        "executors",
        "hookspecs",
        "notebooks",
        "plan",
        "report",
        "settings",
        "watch",
    },
    {"kernels"},
    {"chain", "judge", "walk", "live", "lifecycles", "run", "session", "tracing"},
    {"plugin", "testing"},
]
"""From the ground up; a module imports from its own floor or below."""


def floor(module: str) -> int:
    """Return the floor that a module stands on."""
    room = module.split(".")[1]
    found = [level for level, rooms in enumerate(FLOORS) if room in rooms]
    assert found, f"{module} stands on no floor: add it to FLOORS"
    return found[0]


ROOMS = sorted(name for name in FILES if name != PACKAGE.name)


@pytest.mark.parametrize("module", ROOMS)
def test_imports_point_down(module: str) -> None:
    """No module imports from a floor above its own."""
    assert set() == {name for name in ours(module) if name != PACKAGE.name and floor(name) > floor(module)}


@pytest.mark.parametrize("module", ROOMS)
def test_pytest_stays_in_the_plugin(module: str) -> None:
    """Pytest is imported under `plugin/` and in the test kit alone."""
    allowed = module.startswith(f"{PACKAGE.name}.plugin") or module == f"{PACKAGE.name}.testing"
    found = {name for name in imports(module) if name.split(".")[0] in ("pytest", "_pytest", "xdist")}
    assert True is (allowed or not found)


def test_no_circles() -> None:
    """Modules of ours that import each other, in however many steps, are none."""
    left = {name: ours(name) - {name, PACKAGE.name} for name in FILES}
    while True:
        needed = {one for others in left.values() for one in others}
        circle = {
            name: others & left.keys() for name, others in left.items() if name in needed and others & left.keys()
        }
        if circle == left:
            break
        left = circle
    assert {} == left


def test_lifecycles_do_not_know_each_other() -> None:
    """Each lifecycle stands alone; the package's face alone names them all."""
    rooms = [name for name in FILES if name.startswith(f"{PACKAGE.name}.lifecycles.")]
    assert rooms
    assert {name: set() for name in rooms} == {name: ours(name) & set(rooms) for name in rooms}


def test_what_runs_in_the_kernel_is_the_standard_library() -> None:
    """The code that runs in the user's kernel imports the standard library alone."""
    rooms = [name for name in FILES if name.startswith(f"{PACKAGE.name}.in_kernel")]
    names = {name.split(".")[0] for room in rooms for name in imports(room)}
    assert {f"{PACKAGE.name}.in_kernel{name}" for name in ("", ".agent", ".fork_server", ".tracer")} <= set(rooms)
    assert set() == names - sys.stdlib_module_names - {PACKAGE.name}
    assert set() == {one for room in rooms for one in ours(room) if not one.startswith(IN_KERNEL)}


def test_what_runs_in_the_kernel_does_not_tell_the_audit_hooks_what_it_looks_at() -> None:
    """`id` is called where an address is needed, and nowhere else: each call is an event for all hooks."""
    calls = {
        name.rpartition(".")[2]
        for name, path in FILES.items()
        if name.startswith(IN_KERNEL)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "id"
    }
    assert {"dict_numbers"} == calls


def test_what_runs_in_the_kernel_is_imported_by_nobody() -> None:
    """Nothing imports the code that runs in the user's kernel, but for what asks the system the same on both sides."""
    outside = {name for name in FILES if not name.startswith(IN_KERNEL)}
    assert {f"{IN_KERNEL}.{name}" for name in ("held", "lookups", "versions")} == {
        one for name in outside for one in ours(name) if one.startswith(f"{IN_KERNEL}.")
    }


@pytest.mark.parametrize(
    "module",
    [
        name
        for name in FILES
        if name.startswith(f"{PACKAGE.name}.kernels") and name.rpartition(".")[2] not in JUPYTER_ROOMS
    ],
)
def test_only_the_kernel_needs_jupyter_at_once(module: str) -> None:
    """Everything about kernels but the kernel itself and its wire loads without zmq, jupyter_client and nbformat."""
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    top = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    top |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert set() == {name.split(".")[0] for name in top} & {"zmq", "jupyter_client", "nbformat", "ipykernel"}
    assert set() == {f"{PACKAGE.name}.kernels.{name}" for name in JUPYTER_ROOMS} & top


def loaded(code: str, cwd: Path) -> list[str]:
    """Return which heavy modules, and which of ours, a fresh Python has loaded after some code."""
    told = "import json, sys; print(json.dumps(sorted(name for name in sys.modules)))"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{told}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=cwd,
        env=environment,
        timeout=60,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_the_package_loads_nothing(tmp_path: Path) -> None:
    """`import pytest_cells` loads nothing heavy, and no module of ours but itself."""
    names = loaded("import pytest_cells", tmp_path)
    assert [] == [name for name in names if name.split(".")[0] in HEAVY]
    assert ["pytest_cells"] == [name for name in names if name.split(".")[0] == "pytest_cells"]


def test_a_run_without_notebooks_loads_nothing(tmp_path: Path) -> None:
    """A pytest run without `--cells` loads nothing heavy, and of ours the entry, options and hook specs alone."""
    (tmp_path / "test_one.py").write_text("def test_one():\n    pass\n")
    (tmp_path / "nb.ipynb").write_text("{}")
    names = loaded("import pytest\nassert 0 == pytest.main(['-q', '-p', 'no:cacheprovider'])", tmp_path)
    assert [] == [name for name in names if name.split(".")[0] in HEAVY]
    expected = ["", ".hookspecs", ".plugin", ".plugin.entry", ".plugin.options"]
    assert [f"pytest_cells{name}" for name in expected] == [
        name for name in names if name.split(".")[0] == "pytest_cells"
    ]


@pytest.mark.parametrize("name", pytest_cells.__all__)
def test_the_face(name: str) -> None:
    """Every public name can be had."""
    assert None is not getattr(pytest_cells, name)


def test_a_name_that_there_is_not() -> None:
    """A name that is not public is refused as any module refuses it."""
    with pytest.raises(AttributeError, match=r"^module 'pytest_cells' has no attribute 'nowhere'$"):
        _ = pytest_cells.nowhere


def test_the_face_is_sorted() -> None:
    """The public names stand in order."""
    assert sorted(pytest_cells.__all__) == pytest_cells.__all__
