"""Run notebooks with nbclient, which is what `jupyter execute` does, and with both kinds of our kernels."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from fuzz.harness import Lab, Ran, Told, Version, read_tree, shown


def labs() -> dict[str, Lab]:
    """Return a lab for each kind of kernel, by what the kind is called."""
    return {"forked": Lab("chain", fork_server="on"), "ordinary": Lab("chain", fork_server="off")}


def differences(lab: Lab, version: Version) -> tuple[Ran, Ran, list[str]]:
    """Run a version with nbclient and with a lab's kernels, from the same files; return both, and what differs.

    What differs between two runs of nbclient too is left out.
    """
    theirs = executed(lab.place(version), lab.timeout)
    lab.place(version)
    ours = lab.run(None)
    found = list(_differences(ours, theirs, lab.project))
    if found:
        again = executed(lab.place(version), lab.timeout)
        unsettled = {cell for cell, _ in _differences(again, theirs, lab.project)}
        found = [(cell, told) for cell, told in found if cell not in unsettled]
    return ours, theirs, [f"{cell}: {told}" for cell, told in found]


def executed(path: Path, timeout_s: float) -> Ran:
    """Run a notebook with nbclient; cells below the first that fails are not run."""
    notebook = nbformat.read(path, as_version=4)
    began = time.monotonic()
    error: tuple[str, str] | None = None
    client = NotebookClient(
        notebook, timeout=int(timeout_s), kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    try:
        client.execute()
    except CellExecutionError as failed:
        error = failed.ename, failed.evalue
    except CellTimeoutError:
        error = "CellTimeout", ""
    except DeadKernelError:
        error = "KernelDied", ""
    seconds = time.monotonic() - began
    cells: list[Told] = []
    reached = client.code_cells_executed
    executable = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    last = executable[reached - 1].id if reached else ""
    below = False
    for cell in notebook.cells:
        failed_here = error is not None and cell.id == last
        status = "skipped" if below else "error" if failed_here else "ok"
        cells.append(Told(cell.id, status, "", error if failed_here else None, [] if below else list(cell.outputs)))
        below = below or failed_here
    return Ran(cells, read_tree(path.parent), "nbclient", [], 1, seconds=seconds)


def _differences(ours: Ran, theirs: Ran, project: Path) -> Iterator[tuple[str, str]]:
    for mine, other in zip(ours.cells, theirs.cells, strict=True):
        if mine.status != other.status or _kind(mine) != _kind(other):
            yield mine.id, f"{mine.status} {mine.error} {mine.reason}, with nbclient {other.status} {other.error}"
        elif (here := _shown(mine, project)) != (there := _shown(other, project)):
            yield mine.id, f"other outputs:\n{here[:2000]}\nwith nbclient:\n{there[:2000]}"
    for name in sorted(ours.files.keys() | theirs.files.keys()):
        if ours.files.get(name) != theirs.files.get(name):
            yield name, "another file"


def _kind(cell: Told) -> str:
    return cell.error[0] if cell.error else ""


def _shown(cell: Told, project: Path) -> str:
    """Return what a cell shows, with what it wrote to one stream at several times as one."""
    outputs: list[Any] = []
    for name, group in groupby(cell.outputs, lambda output: output.get("name") or id(output)):
        found = list(group)
        text = "".join(output.get("text", "") for output in found)
        outputs += [{"output_type": "stream", "name": name, "text": text}] if isinstance(name, str) else found
    merged = Told(cell.id, cell.status, "", cell.error, outputs)
    return shown(merged).replace(str(project), "PROJECT")


def times(pairs: Mapping[str, list[tuple[float, float]]]) -> str:
    """Return by kind of kernel how long all notebooks took, against nbclient."""
    totals = {kind: (sum(ours for ours, _ in both), sum(theirs for _, theirs in both)) for kind, both in pairs.items()}
    return ", ".join(f"{kind} {ours:.0f} s, nbclient {theirs:.0f} s" for kind, (ours, theirs) in totals.items())
