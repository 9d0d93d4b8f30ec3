"""Runs cases of snapshots, each in a forked process whose __main__ is a new notebook.

`python snapshot_driver.py dump|load CASES FOLDER`: CASES is JSON, a list of {name, setup, parts, expected, warm}.
`dump` executes the setup and writes one file a part, or the reason; `load` brings the parts back in their order
and executes what is expected. Each case ends with a line of JSON on the standard output: {name, result}.
"""

import importlib
import json
import os
import sys
import traceback
import types

from pytest_cells.in_kernel import snapshots


def cuts_of(namespace):
    """Return the names of functions and classes of the notebook that are bound under their own name."""
    return {
        name
        for name, value in namespace.items()
        if (issubclass(type(value), type) or type(value) is types.FunctionType)
        and value.__module__ == "__main__"
        and value.__name__ == name
        and getattr(value, "__qualname__", "") == name
    }


def dump(case, folder, namespace):
    exec(compile(case["setup"], "<cell>", "exec"), namespace)
    for number, part in enumerate(case["parts"]):
        try:
            content = snapshots.dump(namespace, part, cuts_of(namespace), case.get("max_bytes", 10**8))
        except snapshots.Unpicklable as problem:
            return "Unpicklable: %s" % problem
        with open(os.path.join(folder, "%s.%d" % (case["name"], number)), "wb") as file:
            file.write(content)
    return "ok"


def load(case, folder, namespace):
    for number, part in enumerate(case["parts"]):
        with open(os.path.join(folder, "%s.%d" % (case["name"], number)), "rb") as file:
            content = file.read()
        before = set(namespace)
        try:
            bound = snapshots.load(namespace, content)
        except snapshots.Unreadable as problem:
            assert before == set(namespace), "something was bound"
            return "Unreadable: %s" % problem
        assert sorted(part) == bound == sorted(set(namespace) - before)
    exec(compile(case["expected"], "<check>", "exec"), namespace)
    return "ok"


def main(act, cases, folder):
    for case in sorted(cases, key=lambda case: len(case["warm"])):
        for name in case["warm"]:
            importlib.import_module(name)
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                module = types.ModuleType("__main__")
                sys.modules["__main__"] = module
                module.__dict__["__builtins__"] = __builtins__
                result = act(case, folder, module.__dict__)
            except BaseException:
                result = traceback.format_exc()
            os.write(write, result.encode("utf-8", "replace")[:60000])
            os._exit(0)
        os.close(write)
        with open(read, "rb") as file:
            result = file.read().decode() or "the process died"
        os.waitpid(pid, 0)
        print(json.dumps({"name": case["name"], "result": result}), flush=True)


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as file:
        given = json.load(file)
    main({"dump": dump, "load": load}[sys.argv[1]], given, sys.argv[3])
