"""What the notebooks of this folder have in common. pytest-cells finds the hooks by their names."""

import json
import re
from pathlib import Path

MODEL_FILE = Path(__file__).with_name("model.json")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def pytest_cells_setup_code(notebook):
    """Run in each fresh kernel before the first cell: the same random numbers in every run."""
    return "import random\nrandom.seed(20240501)\ndel random\n"


def pytest_cells_key_material(notebook, cell):
    """Run a cell again when something has changed that pytest-cells cannot see.

    The notebook does not name `model.json`: it calls `load_model()`, which reads the file inside a module.
    The model's version therefore belongs to what such a cell depends on. What stands below it follows.
    """
    if "load_model(" not in cell.source:
        return None
    return {"model version": json.loads(MODEL_FILE.read_text(encoding="utf-8"))["version"]}


def pytest_cells_output_filters(notebook):
    """Change outputs before they are kept: a time of day is not worth keeping."""
    return [mask_timestamps]


def mask_timestamps(output):
    """Return the output (a dict as in the notebook's own format) without times of day."""
    if isinstance(output.get("text"), str):
        return {**output, "text": TIMESTAMP.sub("<time>", output["text"])}
    return output
