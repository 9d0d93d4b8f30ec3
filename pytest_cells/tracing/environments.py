"""Results that were made where other things were installed: whether they hold here."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from pytest_cells.cache.environments import Environment, describe, relevant, starts_with_code_of_the_user
from pytest_cells.cache.trace import ENVIRONMENT, Damaged, Trace, Version, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cells.cache.store import Store
    from pytest_cells.model import KernelIdentity

Read = TypeVar("Read")


class Environments:
    """The environments of which a store has results."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: set[Version] = set()
        self._described: dict[Version, Environment | None] = {}
        self._asked: dict[str, frozenset[str] | None] = {}
        self._digests: dict[frozenset[str], str] = {}

    def keep(self, version: Version, identity: KernelIdentity) -> None:
        """See that the store has a description of what is installed now, of this version. Raises OSError."""
        if version not in self._kept and not self._store.has_environment(version):
            self._store.put_environment(version, encode(describe(identity.facts(), identity.site)))
        self._kept.add(version)

    def differences(self, trace: Trace, now: Version, identity: KernelIdentity) -> list[str] | None:
        """Return what is installed otherwise now and may matter to a cell, in words; None where that is not known."""
        if trace.lookups is None or starts_with_code_of_the_user(identity.facts()):
            return None
        with contextlib.suppress(OSError):
            self.keep(now, identity)
        before, after = (self._description(version) for version in (trace.inputs.get(ENVIRONMENT, ""), now))
        asked = self.lookups(trace.lookups)
        return None if before is None or after is None or asked is None else relevant(before, after, asked)

    def keep_lookups(self, names: frozenset[str]) -> str | None:
        """Return the digest of a stored list of what kernels asked for; None where it cannot be stored."""
        if names not in self._digests:
            try:
                self._digests[names] = self._store.put_blob(encode(sorted(names)))
            except OSError:  # whatever else is to be stored tells it
                return None
        return self._digests[names]

    def lookups(self, digest: str | None) -> frozenset[str] | None:
        """Return what a kernel asked for, by the digest of the list; None where that is not known."""
        if digest is None:
            return None
        if digest not in self._asked:
            self._asked[digest] = _read(self._store.get_blob, digest, frozenset[str])
        return self._asked[digest]

    def _description(self, version: Version) -> Environment | None:
        if version not in self._described:
            self._described[version] = _read(self._store.get_environment, version, Environment)
        return self._described[version]


def _read(get: Callable[[str], bytes], name: str, kind: type[Read]) -> Read | None:
    try:
        return msgspec.json.decode(get(name), type=kind)
    except (Damaged, msgspec.DecodeError):
        return None
