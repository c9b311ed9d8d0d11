"""The signing key of a PostgreSQL store.

The first row is written with a check value of the key, so that a wrong key is reported immediately.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from ...errors import StoreError
from ..digest import key_check, signer
from .connections import PooledConnection

NOTE = "signed"


class Signing:
    """The signing key that a store was opened with."""

    def __init__(self, key: bytes | None) -> None:
        self.sign = signer(key)
        self._keyed = key is not None
        self.is_noted = key is None
        self.refusal = "is not signed with this key" if key is not None else "fails its digest"

    def note(self, put: Callable[..., None]) -> None:
        """Write the check value of the key, in the transaction of the first row."""
        put("INSERT INTO meta VALUES (%s, 1, %s) ON CONFLICT DO NOTHING", NOTE, key_check(self.sign))

    def ensure(self, connection: PooledConnection, url: str) -> None:
        """Raise StoreError if the store is signed with another key, or the key is missing.

        If the store has no check value, the digests of the rows decide.
        """
        found = connection.fetch("SELECT note FROM meta WHERE name = %s", NOTE)
        if not found:
            return
        if not self._keyed:
            raise StoreError(
                f"cannot open the store {url}: it is signed, and signing_key= is missing. Pass the key that it was "
                "created with, or set MUSCLE_MEM_SIGNING_KEY for the command line."
            )
        if not isinstance(found[0][0], bytes) or not hmac.compare_digest(found[0][0], key_check(self.sign)):
            raise StoreError(
                f"cannot open the store {url}: it is signed with another signing_key=. Pass the key that it was "
                "created with. `muscle-mem copy` copies a store to another key."
            )
        self.is_noted = True
