"""Note of the signing key in a SQLite store.

With it a wrong key is reported immediately.
"""

from __future__ import annotations

import hmac
import sqlite3
from contextlib import AbstractContextManager

from ...errors import StoreError
from ..digest import key_check, signer

NOTE = "signed"
_EMPTY = (
    "SELECT NOT EXISTS (SELECT 1 FROM trajectory) AND NOT EXISTS (SELECT 1 FROM standing) "
    "AND NOT EXISTS (SELECT 1 FROM sequence)"
)
_SIGN = "INSERT INTO meta(name, value) VALUES (CAST(? AS TEXT), ?)"


class Signing:
    """The key that a store was opened with, and its comparison with the store's note."""

    def __init__(self, key: bytes | None) -> None:
        self.sign = signer(key)
        self._keyed = key is not None

    def agree(self, connection: sqlite3.Connection, path: str, writing: AbstractContextManager[None] | None) -> None:
        """Compare the key with the file's note, and sign a store that never held a row.

        `writing` is the context that holds the write lock. None leaves an empty store unsigned. Without a note, the
        digests of the rows decide.

        Raises StoreError if the store is signed with another key, or no key was given.
        """
        if self._keyed and writing is not None and _note(connection) is None and _is_empty(connection):
            with writing:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if _note(connection) is None and _is_empty(connection):
                        connection.execute(_SIGN, (NOTE.encode(), key_check(self.sign)))
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        self.ensure(_note(connection), path)

    def ensure_still(self, connection: sqlite3.Connection, path: str) -> None:
        """Compare again before the first row is written.

        Another process may have signed the store since it was opened.
        """
        self.ensure(_note(connection), path)

    def ensure(self, note: object, path: str) -> None:
        """Raise StoreError if a note belongs to another key. None is accepted."""
        if note is None:
            return
        if not self._keyed:
            raise StoreError(
                f"store {path!r} is signed, and a signing_key is needed to read it. Pass the original key as "
                f"Engine(..., signing_key=...), or in MUSCLE_MEM_SIGNING_KEY for the command line."
            )
        if not isinstance(note, bytes) or not hmac.compare_digest(note, key_check(self.sign)):
            raise StoreError(
                f"store {path!r} is not signed with this key, but with another one. Pass the original signing_key. "
                f"`muscle-mem copy` moves a store from one key to another."
            )

    def refusal(self, connection: sqlite3.Connection) -> str:
        """Return a predicate that describes a row with a wrong digest."""
        noted = _note(connection) is not None
        if not self._keyed:
            return "is signed, and a signing_key is needed to read it" if noted else "fails its digest"
        if noted:
            return "is not signed with this key"
        return (
            "is not signed with this key; if the store was written without one, `muscle-mem copy` moves it under the "
            "key"
        )


def is_signed(connection: sqlite3.Connection) -> bool:
    """Return whether a store is signed, with whatever key."""
    return _note(connection) is not None


def _note(connection: sqlite3.Connection) -> object:
    row = connection.execute("SELECT value FROM meta WHERE name = CAST(? AS TEXT)", (NOTE.encode(),)).fetchone()
    return None if row is None else row[0]


def _is_empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute(_EMPTY).fetchone()[0])
