"""Compare incremental runs of random notebooks with runs of everything, for as long as is wanted.

    python tests/fuzz --seed 7 --runs 50 --cache traces

Opt-in: pytest runs a few seconds of it in tests/kernel/test_fuzz.py. Exit status 1 where anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import random
import re
import signal
import sys
import time
import traceback
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])
sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.notebooks import beside  # noqa: E402
from fuzz.grammar import STEPS, Author  # noqa: E402
from fuzz.harness import RUNGS, Lab, Tally, altered_agent, shown  # noqa: E402
from fuzz.kinds import CHAIN_SEES, FAMILIES, KINDS  # noqa: E402
from fuzz.pairs import PAIRS, beside_much, complaints, touched  # noqa: E402
from fuzz.published import notebooks, versions_of  # noqa: E402
from fuzz.rules import RULES, noticed, table  # noqa: E402
from fuzz.shrink import reproducer, shrink  # noqa: E402

MOST_BYTES = 20_000_000
"""Of the folder of a published notebook not more is copied."""
LIBRARIES = ("numpy", "pandas", "matplotlib.pyplot", "sklearn.linear_model", "sklearn.tree")
PRELOAD = tuple(name for name in LIBRARIES if importlib.util.find_spec(name.partition(".")[0]) is not None)


def main() -> int:
    """Fuzz, print the table, and return the exit status."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # kernels end and folders go then too
    options = _options()
    families = options.kinds or sorted(CHAIN_SEES if options.cache == "chain" else FAMILIES)
    end = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    tally, failed = Tally(), 0
    if options.rules:
        print(table(), end="")
        return 0
    if options.mutations:
        return _mutations(options.only, options.verbose)
    if options.peer:
        return _peer(options, end)
    print(f"{len(KINDS)} kinds of statements, {len(families)} of {len(FAMILIES)} families; first seed {options.seed}")
    with contextlib.ExitStack() as stack:
        agent = stack.enter_context(altered_agent(options.alter)) if options.alter else options.agent
        lab = stack.enter_context(Lab(options.cache, () if options.no_preload else PRELOAD, agent))
        if options.pairs:
            return _pairs(lab, options.only, verbose=options.verbose, much=options.much)
        if options.touched:
            return _touched(lab, options.only)
        if options.notebooks:
            return _published(lab, options, end)
        if options.check_kinds:
            return _check_kinds(lab, options.seed, families)
        try:
            for seed in range(options.seed, options.seed + options.runs):
                if time.monotonic() >= end:
                    break
                failed += _one(lab, seed, families, options, tally)
                if failed >= options.failures:
                    print(f"stopped after {failed} failures")
                    break
        finally:  # also of a run that was ended
            print("\n".join(tally.lines()))
    if options.verbose:
        _tell_why(tally)
    return 1 if failed or tally.unsettled else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each notebook has one of its own")
    parser.add_argument("--runs", type=int, default=20, help="how many notebooks")
    parser.add_argument("--steps", type=int, default=STEPS, help="how many edits a notebook")
    parser.add_argument("--minutes", type=float, default=0.0, help="stop after so long")
    parser.add_argument("--cache", choices=RUNGS, default="traces", help="the rung that is tried")
    parser.add_argument("--kinds", type=lambda text: text.split(","), help=f"families: {', '.join(FAMILIES)}")
    parser.add_argument("--agent", type=Path, help="a folder that takes the place of pytest_cells/in_kernel")
    parser.add_argument(
        "--alter", nargs=3, action="append", metavar=("FILE", "OLD", "NEW"), help="change the text of the agent's files"
    )
    parser.add_argument("--no-preload", action="store_true", help="kernels import libraries themselves")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many notebooks with problems")
    parser.add_argument("--shrink", type=float, default=60.0, help="seconds to make a failing case smaller")
    parser.add_argument("--only", default="", help="pairs, or rules, with a name that this regular expression finds")
    parser.add_argument("--notebooks", type=Path, nargs="+", help="folders of notebooks that are edited instead")
    parser.add_argument(
        "--peer", action="store_true", help="run the --notebooks as they are, with both kinds of kernel and nbclient"
    )
    parser.add_argument("--pairs", action="store_true", help="run the pairs written by hand instead")
    parser.add_argument("--much", action="store_true", help="run the pairs in notebooks that hold much else")
    parser.add_argument("--touched", action="store_true", help="edit each cell of the pairs' notebooks in turn instead")
    parser.add_argument("--mutations", action="store_true", help="break each rule of the agent: some pair must notice")
    parser.add_argument("--rules", action="store_true", help="print the table of rules that stands in the docs")
    parser.add_argument("--check-kinds", action="store_true", help="see that each kind runs, the same in two full runs")
    parser.add_argument("--verbose", action="store_true", help="tell each run, and why cells are barriers")
    return parser.parse_args()


def _pairs(lab: Lab, only: str, *, verbose: bool, much: bool) -> int:
    """Run the pairs written by hand, beside `much` else; return 1 where one does not hold."""
    failed = imprecise = ran = 0
    for pair in PAIRS:
        if not re.search(only, pair.name) or (lab.rung == "chain" and not pair.seen_by_chain):
            continue
        if any(importlib.util.find_spec(library) is None for library in pair.libraries):
            continue
        ran += 1
        wrong, needless = complaints(lab, beside_much(pair) if much else pair)
        failed += bool(wrong)
        imprecise += bool(needless) and lab.rung == "traces"
        for complaint in wrong:
            print(f"{pair.name}: {complaint}", flush=True)
        if needless and verbose and lab.rung == "traces":
            print(f"{pair.name}: {'; '.join(needless)}", flush=True)
    print(f"{ran} pairs, {failed} wrong, {imprecise} with a cell executed needlessly")
    return min(failed, 1)


def _touched(lab: Lab, only: str) -> int:
    """Execute each cell of the pairs' notebooks alone, where state is brought back; return 1 where one differs."""
    tally, wrong = Tally(), 0
    try:
        for pair in PAIRS:
            if not re.search(only, pair.name) or any(importlib.util.find_spec(name) is None for name in pair.libraries):
                continue
            versions = touched(pair, lab.rung)
            tally.notebooks += 1
            for version, compared in zip(versions, lab.case(versions), strict=True):
                tally.add(version, compared)
                for problem in (*compared.problems, *compared.unsettled):
                    settled = "" if problem in compared.problems else "two full runs differ: "
                    print(f"{pair.name}, {version.edit}: {settled}{problem.kind} at {problem.cell}\n{problem.told}\n")
                wrong += bool(compared.problems)
    finally:
        print("\n".join(tally.lines()))
        _tell_why(tally)
    return min(wrong, 1)


def _mutations(only: str, verbose: bool) -> int:  # noqa: FBT001
    """Break the agent's rules, one at a time; return 1 where no pair notices."""
    ran = missed = 0
    for rule in RULES:
        if not re.search(only, rule.name):
            continue
        ran += 1
        told = ""
        for name, wrong in noticed(rule):
            if wrong:
                told = told or f"noticed by {name!r}"
                if not verbose:
                    break
            if verbose:
                print(f"  {name}: {' '.join(wrong[0].split()) if wrong else 'nothing wrong'}", flush=True)
        missed += not told
        print(f"{rule.name}: {told or 'NOT NOTICED'}", flush=True)
    print(f"{ran} rules, {missed} not noticed")
    return min(missed, 1)


def _published(lab: Lab, options: argparse.Namespace, end: float) -> int:
    """Edit notebooks that others have written; tell what differs, how much hits, and how long it takes."""
    tally, wrong, edits, full_s, incremental_s = Tally(), 0, 0, 0.0, 0.0
    paths = notebooks(options.notebooks)
    lab.timeout = 20.0  # those that work for longer would keep all others waiting
    random.Random(options.seed).shuffle(paths)
    try:
        for path in paths[: options.runs]:
            if time.monotonic() >= end:
                break
            versions = versions_of(path, options.seed, options.steps)
            lab.beside = path.parent, list(beside(path, MOST_BYTES))
            hits = cells = number = 0
            for number, (version, compared) in enumerate(zip(versions, lab.case(versions), strict=True)):
                if number == 0 and any(cell.status != "ok" for cell in compared.full.cells):
                    break  # it needs what is not here
                if number:
                    tally.add(version, compared)
                    full_s, incremental_s = full_s + compared.full.seconds, incremental_s + compared.incremental.seconds
                    hits, cells = hits + len(compared.incremental.hits), cells + len(compared.incremental.cells)
                for problem in (*compared.problems, *compared.unsettled):
                    settled = "" if problem in compared.problems else "two full runs differ: "
                    print(f"{path}, edit {number} ({version.edit}): {settled}{problem.kind} at {problem.cell}")
                    print(f"{problem.told}\n{dict(version.cells).get(problem.cell)}\n", flush=True)
                chance_kept = any(problem.kind == "stale" for problem in compared.unsettled)
                wrong += bool(compared.problems) or chance_kept  # what is another in each run may not be cached either
            edits += number
            rung = compared.incremental.rung if number else "fails as it is"
            print(f"{path.name}: {number} edits, {hits} of {cells} cells cached, {rung}", flush=True)
            if wrong >= options.failures:
                break
    finally:
        ratio = incremental_s / full_s if full_s else 0.0
        print(f"{edits} edits, {wrong} with differences; {incremental_s:.0f} s instead of {full_s:.0f} s ({ratio:.2f})")
        print("\n".join(tally.lines()))
        _tell_why(tally)
    return min(wrong, 1)


def _peer(options: argparse.Namespace, end: float) -> int:
    """Run notebooks that others have written as they are; tell where our kernels and nbclient's give something else."""
    from fuzz.peer import differences, labs, times

    paths = notebooks(options.notebooks)
    random.Random(options.seed).shuffle(paths)
    took: dict[str, list[tuple[float, float]]] = {}
    ran = cells = wrong = passed = 0
    with contextlib.ExitStack() as stack:
        entered = {kind: stack.enter_context(lab) for kind, lab in labs().items()}
        for path in paths[: options.runs]:
            if time.monotonic() >= end:
                break
            version = versions_of(path, options.seed, 0)[0]
            told = []
            for kind, lab in entered.items():
                lab.timeout, lab.beside = 20.0, (path.parent, list(beside(path, MOST_BYTES)))
                ours, theirs, found = differences(lab, version)
                took.setdefault(kind, []).append((ours.seconds, theirs.seconds))
                told += [f"{kind}: {difference}" for difference in found]
                cells += len([cell for cell in ours.cells if cell.status != "skipped"])
                passed += kind == "forked" and all(cell.status == "ok" for cell in theirs.cells)
            ran += 1
            wrong += bool(told)
            print(f"{path}: {len(version.cells)} cells, {len(told)} differences", *told, sep="\n", flush=True)
    print(f"{ran} notebooks, of which {passed} pass; {cells} cells compared; {wrong} notebooks with differences")
    print(times(took))
    return min(wrong, 1)


def _tell_why(tally: Tally) -> None:
    for title, counted in (("barriers and volatile cells", tally.ladder), ("fallbacks", tally.fell_back)):
        print(f"\n{title}:")
        print("\n".join(f"{count:>6}  {why}" for why, count in counted.most_common(40)))


def _check_kinds(lab: Lab, seed: int, families: list[str]) -> int:
    """Tell which kinds fail or differ between two full runs although they should not; return how many differ."""
    kinds = [kind for kind in KINDS if kind.family in families]
    wrong = 0
    for at in range(0, len(kinds), 12):
        version, placed = Author(seed + at, families).sample(kinds[at : at + 12])
        one, other = lab.twice(version)
        for told, again in zip(one.cells, other.cells, strict=True):
            kind = placed.get(told.id)
            title = kind.template if kind else told.id
            if told.verdict != again.verdict or (told.id not in version.unstable and shown(told) != shown(again)):
                wrong += 1
                print(f"differs: {title}\n{shown(told)}\n{shown(again)}\n")
            elif told.status != "ok" and kind is not None and kind.family != "checks":
                print(f"{told.status}: {title!r}: {told.reason} {told.error or ''}")
    print(f"{len(kinds)} kinds, {wrong} differ between two full runs")
    return min(wrong, 1)


def _one(lab: Lab, seed: int, families: list[str], options: argparse.Namespace, tally: Tally) -> int:
    """Run one notebook through its edits; return 1 where something differs, and tell what."""
    versions = Author(seed, families, declare=options.cache == "chain").versions(options.steps)
    tally.notebooks += 1
    try:
        for number, (version, compared) in enumerate(zip(versions, lab.case(versions), strict=True)):
            tally.add(version, compared)
            if options.verbose:
                statuses = "".join(
                    {"cached": "c", "ok": ".", "error": "E"}.get(c.status, "s") for c in compared.incremental.cells
                )
                why = f"  fell back: {compared.incremental.fallbacks[0]}" if compared.incremental.fallbacks else ""
                print(f"seed {seed} step {number} {statuses:<16} {version.edit}{why}")
            for problem in compared.unsettled:
                print(
                    f"seed {seed} step {number}: two full runs differ: {problem.kind} at {problem.cell}\n{problem.told}"
                )
                print(dict(version.cells).get(problem.cell))
            if compared.problems:
                _tell(lab, seed, versions[: number + 1], compared.problems, options.shrink)
                return 1
    except Exception:
        tally.problems["crash"] += 1
        traceback.print_exc()
        print(reproducer(versions, (), seed))
        return 1
    return 0


def _tell(lab: Lab, seed: int, versions: list, problems: list, budget_s: float) -> None:  # type: ignore[type-arg]
    print(f"\nseed {seed}, step {len(versions) - 1} ({versions[-1].edit}):")
    for problem in problems:
        print(f"{problem.kind} at {problem.cell}\n{problem.told}\n")
    if budget_s:
        versions, again = shrink(lab, versions, frozenset(problem.kind for problem in problems[:1]), budget_s)
        print("it did not come again" if not again else "smaller:")
        problems = again or problems
    print(reproducer(versions, problems, seed), "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
