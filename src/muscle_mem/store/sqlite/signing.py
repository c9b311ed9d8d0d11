"""Which key a SQLite store is signed with: noted in the file, so that a wrong key is reported immediately."""

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
    """The key that a store was opened with, and what is said of rows that do not fit it."""

    def __init__(self, key: bytes | None) -> None:
        self.sign = signer(key)
        self._keyed = key is not None

    def agree(self, connection: sqlite3.Connection, path: str, writing: AbstractContextManager[None] | None) -> None:
        """Compare with the note in the file; a store that never held a row is signed from now on, while `writing`.

        Raises StoreError if the store is signed and no key was given, or another. Without a note the rows speak for
        themselves.
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
        """As `agree`, when the first row is written: meanwhile another process may have signed the store."""
        self.ensure(_note(connection), path)

    def ensure(self, note: object, path: str) -> None:
        """StoreError if this note of a key is not of ours. No note is fine."""
        if note is None:
            return
        if not self._keyed:
            raise StoreError(
                f"The store {path!r} is signed, and a signing_key is needed to read it. Give the one that it was made "
                f"with: Engine(..., signing_key=...), or MUSCLE_MEM_SIGNING_KEY for the command line."
            )
        if not isinstance(note, bytes) or not hmac.compare_digest(note, key_check(self.sign)):
            raise StoreError(
                f"The store {path!r} is not signed with this key, but with another one. Give the signing_key that it "
                f"was made with; `muscle-mem copy` moves a store from one key to another."
            )

    def refusal(self, connection: sqlite3.Connection) -> str:
        """What is wrong with a row whose digest does not fit, to follow 'the trajectory'."""
        noted = _note(connection) is not None
        if not self._keyed:
            return "is signed, and a signing_key is needed to read it" if noted else "fails its digest"
        if noted:
            return "is not signed with this key"
        return (
            "is not signed with this key; if the store was written without one, `muscle-mem copy` moves it under the "
            "key"
        )


def _note(connection: sqlite3.Connection) -> object:
    row = connection.execute("SELECT value FROM meta WHERE name = CAST(? AS TEXT)", (NOTE.encode(),)).fetchone()
    return None if row is None else row[0]


def _is_empty(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute(_EMPTY).fetchone()[0])
