"""Make a case smaller while it still shows a problem, and print it so that it can become a test."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from fuzz.harness import PROBE, Lab, Problem, Version
from fuzz.project import first_files


def first_problems(
    lab: Lab, versions: Sequence[Version], kinds: frozenset[str] = frozenset()
) -> tuple[int, list[Problem]]:
    """Return the number of the first version with a problem of these kinds (any if none), and the problems."""
    for number, compared in enumerate(lab.case(versions)):
        found = [problem for problem in compared.problems if not kinds or problem.kind in kinds]
        if found:
            return number, found
    return -1, []


def shrink(
    lab: Lab, versions: Sequence[Version], kinds: frozenset[str], budget_s: float
) -> tuple[list[Version], list[Problem]]:
    """Return the smallest case found within a time, and its problems."""
    end = time.monotonic() + budget_s
    number, problems = first_problems(lab, versions, kinds)
    if number < 0:
        return list(versions), []  # it does not come again
    best = list(versions[: number + 1])
    shrunk = True
    while shrunk and time.monotonic() < end:
        shrunk = False
        for smaller in _smaller(best):
            if time.monotonic() >= end:
                break
            number, found = first_problems(lab, smaller, kinds)
            if number >= 0:
                best, problems, shrunk = smaller[: number + 1], found, True
                break
    return best, problems


def _smaller(versions: list[Version]) -> Iterator[list[Version]]:
    """Yield smaller cases, the boldest cuts first."""
    if len(versions) > 2:
        yield [versions[0], versions[-1]]
        yield versions[-2:]
        for number in range(len(versions) - 1):
            yield versions[:number] + versions[number + 1 :]
    ids = list(dict.fromkeys(cell_id for version in versions for cell_id, _ in version.cells))
    if len(ids) > 4:
        half = set(ids[: len(ids) // 2])
        yield [_cells(version, lambda name, _: None if name in half else _) for version in versions]
        yield [_cells(version, lambda name, _: _ if name in half or name == PROBE else None) for version in versions]
    for cell_id in ids:
        yield [_cells(version, lambda name, _, gone=cell_id: None if name == gone else _) for version in versions]
    for cell_id in ids:
        if cell_id != PROBE:
            for chunk in dict.fromkeys(chunk for version in versions for chunk in _chunks(_source(version, cell_id))):
                yield [
                    _cells(version, lambda name, _, i=cell_id, c=chunk: _left(_, c) if name == i else _)
                    for version in versions
                ]
    for name in sorted({name for version in versions for name in version.env}):
        yield [replace(version, env=_drop(version.env, name)) for version in versions]
    if any(version.touched for version in versions):
        yield [replace(version, touched=frozenset()) for version in versions]
    for name in sorted({name for version in versions for name in version.files}):
        yield [replace(version, files=_drop(version.files, name)) for version in versions]


def _cells(version: Version, change: object) -> Version:
    changed = [(name, change(name, source)) for name, source in version.cells]  # type: ignore[operator]
    kept = tuple((name, source) for name, source in changed if source is not None)
    return replace(version, cells=kept, unstable=version.unstable & {name for name, _ in kept})


def _source(version: Version, cell_id: str) -> str:
    return dict(version.cells).get(cell_id, "")


def _chunks(source: str) -> list[str]:
    """Return the top-level statements of a source, roughly: a line and what is indented below it."""
    chunks: list[str] = []
    for line in source.splitlines():
        joined = line.startswith((" ", "\t", ")", "else", "elif", "except", "finally")) or not line
        if chunks and (joined or chunks[-1].startswith("@")):
            chunks[-1] += f"\n{line}"
        else:
            chunks.append(line)
    return chunks if len(chunks) > 1 else []


def _left(source: str, chunk: str) -> str:
    chunks = _chunks(source)
    return "\n".join(kept for kept in chunks if kept != chunk) if chunk in chunks else source


def _drop(mapping: Mapping[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in mapping.items() if other != name}


def reproducer(versions: Sequence[Version], problems: Sequence[Problem], seed: int | None = None) -> str:
    """Return a case as text: what differs, and the versions as they can stand in a test."""
    lines = [f"# seed {seed}" if seed is not None else "#"]
    for problem in problems:
        told = problem.told.replace("\n", "\n#     ")
        lines.append(f"# {problem.kind} at {problem.cell}:\n#     {told}")
    lines.append("versions = [")
    before = Version(())
    for version in versions:
        lines.append(f"    Version(  # {version.edit}")
        lines.append("        (")
        for name, source in version.cells:
            known = dict(before.cells).get(name) == source
            shown = f"{source!r}" if name != PROBE else "PROBE_SOURCE"
            lines.append(f"            ({name!r}, {shown}),{'' if known else '  # <- new'}")
        lines.append("        ),")
        if version.files:
            usual = first_files()
            same = [name for name in usual if version.files.get(name) == usual[name]]
            other = {name: text for name, text in version.files.items() if name not in same}
            kept = "first_files()" if len(same) == len(usual) else f"{{n: first_files()[n] for n in {same!r}}}"
            lines.append(f"        files={{**{kept}, **{other!r}}},")
        if version.env:
            lines.append(f"        env={dict(version.env)!r},")
        if version.unstable:
            lines.append(f"        unstable=frozenset({sorted(version.unstable)!r}),")
        if version.touched:
            lines.append(f"        touched=frozenset({sorted(version.touched)!r}),")
        lines.append("    ),")
        before = version
    lines.append("]")
    return "\n".join(lines)
