"""What may ask the network unseen."""

import sys
import sysconfig
import types

import pytest

from pytest_cells.in_kernel.addresses import is_known, may_ask_unseen

PACKAGES = "/venv/lib/python3.11/site-packages/"
PYTHON = sysconfig.get_path("platstdlib")


def module(file):
    """Return a module that says where its file is."""
    made = types.ModuleType("made")
    made.__file__ = file
    return made


@pytest.mark.parametrize(
    ("name", "file", "unseen"),
    [
        ("numpy.core", PACKAGES + "numpy/core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so", False),
        ("_arma", PACKAGES + "statsmodels/tsa/_arma.cpython-311-x86_64-linux-gnu.so", False),
        ("_ssl", PYTHON + "/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so", False),
        ("requests", PACKAGES + "requests/__init__.py", False),
        ("made", None, False),
        ("pyarrow.lib", PACKAGES + "pyarrow/lib.cpython-311-x86_64-linux-gnu.so", True),
        ("_cffi_backend", PACKAGES + "_cffi_backend.cpython-311-x86_64-linux-gnu.so", True),
        ("_tkinter", PYTHON + "/lib-dynload/_tkinter.cpython-311-x86_64-linux-gnu.so", True),
        ("numpy", "/project/numpy.so", True),
    ],
)
def test_may_ask_unseen(name, file, unseen):
    """Libraries of packages that are known to ask nobody, and Python's, ask by its sockets if at all."""
    assert may_ask_unseen([("other", object()), (name, module(file))]) is unseen


def test_may_ask_unseen_here():
    """What the tests themselves have loaded of Python's own is known."""
    own = [(name, held) for name, held in list(sys.modules.items()) if name in sys.stdlib_module_names]
    assert not may_ask_unseen([(name, held) for name, held in own if name != "_tkinter"])


def test_is_known():
    """Who loads a library by ctypes is judged by its name."""
    assert is_known("threadpoolctl")
    assert is_known("ctypes.util")
    assert not is_known("vlc")
