"""Know the snapshots that this user's own runs have made."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Sequence

from pytest_cells.cache.trace import Snapshot


class Sealer:
    """Seal snapshots with a key that only this user has, and tell whose they are."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._load, self._key = key, b""

    def prepare(self) -> None:
        """Load the key. Raises StoreError where it cannot be used."""
        if not self._key:
            self._key = self._load()

    def seal(self, digest: str, names: Sequence[str]) -> str:
        """Return the proof for the bytes of a digest and the names that are in them. Raises StoreError."""
        self.prepare()
        return hmac.new(self._key, json.dumps([digest, list(names)]).encode(), "sha256").hexdigest()

    def made(self, snapshot: Snapshot) -> bool:
        """Tell whether a snapshot is this user's. Raises StoreError."""
        return hmac.compare_digest(self.seal(snapshot.digest, snapshot.names), snapshot.mac)
