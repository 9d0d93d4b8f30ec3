"""Describe a Python interpreter: standard library only, since it also runs under other interpreters than ours.

Run as a script it prints the description of the interpreter that runs it, as JSON.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import sys

UNSEEN = frozenset(
    {
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "PYTHONPYCACHEPREFIX",
        "PYTHONFAULTHANDLER",
        "PYTHONSTARTUP",
    }
)
"""Environment variables of Python's that change no result."""
AMBIENT = ("TZ", "MPLBACKEND")
"""Other environment variables that change what common libraries do."""


def describe() -> dict[str, str]:
    """Return what identifies this interpreter and all that is installed for it, as names and versions."""
    facts = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": f"{sys.platform} {platform.machine()}",
    }
    for folder in site_folders():
        for name, version in distributions(folder):
            facts.setdefault(name, version)
    facts.update(environment())
    facts.update(ipython_profile())
    return facts


def site_folders() -> list[str]:
    """Return the folders that distributions are installed in, in the order of sys.path."""
    found = []
    for entry in sys.path:
        if os.path.basename(entry.rstrip("/\\")) in ("site-packages", "dist-packages") and entry not in found:
            found.append(entry)
    return found


def distributions(folder: str) -> list[tuple[str, str]]:
    """Return name and version of each distribution in a folder.

    One that was installed from a checkout or a repository can change under the same version: its
    list of files and hashes counts too.
    """
    found = []
    for entry, name, version in installed(folder):
        from_url = os.path.exists(os.path.join(folder, entry, "direct_url.json"))
        digest = " " + _digest(os.path.join(folder, entry, "RECORD")) if from_url else ""
        found.append((name, version + digest))
    return found


def installed(folder: str) -> list[tuple[str, str, str]]:
    """Return entry, name and version of each distribution in a folder, read from the names of its metadata."""
    found = []
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    for entry in names:
        stem, extension = os.path.splitext(entry)
        if extension not in (".dist-info", ".egg-info"):
            continue
        name, _, version = stem.partition("-")
        found.append((entry, name.lower().replace("_", "-"), version))
    return found


def environment() -> dict[str, str]:
    """Return the environment variables that every Python process reads."""
    return {
        f"${name}": value
        for name, value in os.environ.items()
        if (name.startswith(("PYTHON", "LC_")) or name in (*AMBIENT, "LANG", "LANGUAGE")) and name not in UNSEEN
    }


def ipython_profile() -> dict[str, str]:
    """Return the digests of the user's own configuration and startup files, which every kernel runs."""
    home = os.environ.get("IPYTHONDIR") or os.path.join(os.path.expanduser("~"), ".ipython")
    profile = os.path.join(home, "profile_default")
    paths = glob.glob(os.path.join(profile, "ipython*_config.*"))
    paths += [path for path in glob.glob(os.path.join(profile, "startup", "*")) if path.endswith((".py", ".ipy"))]
    return {f"ipython/{os.path.basename(path)}": _digest(path) for path in sorted(paths)}


def _digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()[:16]
    except OSError:
        return "unreadable"


if __name__ == "__main__":
    print(json.dumps({"facts": describe(), "site": site_folders()}))  # noqa: T201
