"""Which key a PostgreSQL store is signed with: noted with its first row, so that a wrong key is reported
immediately.
"""

from __future__ import annotations

import hmac

from ...errors import StoreError
from ..digest import key_check, signer
from .connections import PooledConnection

NOTE = "signed"


class Signing:
    """The key that a store was opened with."""

    def __init__(self, key: bytes | None) -> None:
        self.sign = signer(key)
        self._keyed = key is not None
        self.refusal = "is not signed with this key" if key is not None else "fails its digest"

    def note(self, connection: PooledConnection) -> None:
        """Note the key in a store that never held a row, inside the transaction that writes the first one."""
        if self._keyed:
            connection.fetch("INSERT INTO meta VALUES (%s, 1, %s) ON CONFLICT DO NOTHING", NOTE, key_check(self.sign))

    def ensure(self, connection: PooledConnection, url: str) -> None:
        """StoreError if the store is signed and no key was given, or another. Without a note the rows decide."""
        found = connection.fetch("SELECT note FROM meta WHERE name = %s", NOTE)
        if not found:
            return
        if not self._keyed:
            raise StoreError(
                f"The store {url} is signed, and a signing_key is needed to read it. Give the one that it was made "
                f"with: Engine(..., signing_key=...), or MUSCLE_MEM_SIGNING_KEY for the command line."
            )
        if not isinstance(found[0][0], bytes) or not hmac.compare_digest(found[0][0], key_check(self.sign)):
            raise StoreError(
                f"The store {url} is not signed with this key, but with another one. Give the signing_key that it "
                f"was made with; `muscle-mem copy` moves a store from one key to another."
            )
