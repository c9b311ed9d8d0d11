"""A signed SQLite store opened without its key, for people to look at."""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager

from ...errors import StoreError
from .rows import Digests, Row
from .signing import Signing, is_signed
from .store import SqliteStore


class _NoKey(Signing):
    """Signing without the key: nothing is compared."""

    def __init__(self) -> None:
        super().__init__(None)

    def agree(self, connection: sqlite3.Connection, path: str, writing: AbstractContextManager[None] | None) -> None:
        pass

    def ensure(self, note: object, path: str) -> None:
        pass


class _AllIntact(Digests):
    """Digests that cannot be verified: each row counts as intact."""

    def is_trajectory_intact(self, row: Row, digest: object) -> bool:
        return True

    def is_standing_intact(self, id: bytes, row: Row, digest: object) -> bool:
        return True

    def is_observation_intact(self, id: bytes, row: Row, digest: object) -> bool:
        return True

    def is_sequence_intact(self, last: object, digest: object) -> bool:
        return True


class UnverifiedStore(SqliteStore):
    """A signed store whose rows cannot be verified: it is read, never written.

    It must not be given to an engine: rows that someone has altered look like any other.
    """

    _may_write = False

    def is_signed(self) -> bool:
        """Return whether the store is signed."""
        return self._read(is_signed)

    def _signers(self, key: bytes | None) -> tuple[Signing, Digests]:
        signing = _NoKey()
        return signing, _AllIntact(signing.sign)

    def _ensure_writable(self) -> None:
        raise StoreError(
            f"store {self.path!r} is signed, and was opened without its key, so it is read-only. Pass the key in "
            "MUSCLE_MEM_SIGNING_KEY."
        )


def open_unverified(path: str | os.PathLike[str]) -> UnverifiedStore | None:
    """Open a signed store without its key, to be looked at; None if it is not signed.

    Raises StoreError if it cannot be opened.
    """
    store = UnverifiedStore(path)
    try:
        if store.is_signed():
            return store
    except BaseException:
        store.close()
        raise
    store.close()
    return None
