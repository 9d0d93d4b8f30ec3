"""Skip the examples whose packages are not installed, without starting a kernel for them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

NEEDS = {"pandas_sales": ("pandas", "matplotlib"), "numpy_simulation": ("numpy", "matplotlib")}
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        example = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        missing = [package for package in NEEDS.get(example, ()) if find_spec(package) is None]
        if missing:
            reason = f'needs {" and ".join(missing)}: pip install ".[examples]"'
            item.add_marker(pytest.mark.skip(reason=reason))
