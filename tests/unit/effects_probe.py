"""Executes cells under observation, each row in a forked process of its own, and prints what was reported of each cell.

Reads `{"agent": folder, "rows": [{"folder": …, "cells": […]}]}` from stdin; prints one line of JSON a row.
"""

import base64
import importlib
import json
import os
import sys
import types

MODULE = "_pytest_cells_agent"


def observe(row):
    os.chdir(row["folder"])
    module = importlib.import_module(MODULE + ".effects")
    effects = module.Effects(None, row.get("project", row["folder"]), row.get("ignored", []))
    effects.install()
    namespace = {"__name__": "__main__"}
    sys.modules["__main__"].__dict__.update(effects_probe=effects)
    reports = []
    for number, cell in enumerate(row["cells"]):
        if cell.startswith("!run "):
            exec(cell[5:], {})
            continue
        if cell.startswith("!set "):
            slot, state = cell[5:].split(" ", 1)
            effects.set_slot(slot, base64.b64decode(state))
            continue
        code = compile(cell, f"<cell {number}>", "exec")
        error = None
        effects.begin()
        try:
            exec(code, namespace)
        except Exception as problem:
            error = f"{type(problem).__name__}: {problem}"
        report = effects.end()
        report["error"] = error
        reports.append(report)
    return reports


def main():
    wanted = json.load(sys.stdin)
    package = types.ModuleType(MODULE)
    package.__path__ = [wanted["agent"]]
    sys.modules[MODULE] = package
    for row in wanted["rows"]:
        for name in row.get("preload", []):
            importlib.import_module(name)  # at the first row that needs it: those after it find it there
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            try:
                text = json.dumps(observe(row))
            except BaseException as problem:
                import traceback

                text = json.dumps({"problem": f"{problem}\n{traceback.format_exc()}"})
            with os.fdopen(write, "w") as pipe:
                pipe.write(text)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            sys.stdout.write((pipe.read() or '{"problem": "the process died"}') + "\n")
        os.waitpid(pid, 0)


main()
