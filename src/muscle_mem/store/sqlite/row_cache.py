"""Cache of verified observation rows; an identical row need not be verified again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from ..base import Observation

MIN_OBSERVATIONS = 64  # The number of observations of a key from which on the cache saves time.
MAX_BYTES = 16 * 2**20  # The maximum size of cached bodies, in bytes.
Row = tuple[Any, ...]
Verify = Callable[[sqlite3.Connection, bytes, Row], tuple[int, Observation] | str]


class RowCache:
    """Observations of one key with the rows that they were read from.

    Each recording of a task reads all rows of its key. With thousands of rows, digests and decoding took most of the
    time. Every row is still read and compared, so a changed row is detected. Rows with blobs are not cached, because
    their blobs are in another table.
    """

    def __init__(self, key: bytes, verify: Verify, previous: RowCache | None) -> None:
        """Create the cache for a new read of `key`.

        `verify` verifies a row `n, digest, OBSERVATION`. `previous` is the cache of the last read.
        """
        self.key = key
        self._verify = verify
        self._previous: Mapping[int, tuple[bytes, Row, tuple[int, Observation]]] = {}
        if previous is not None and previous.key == key:
            self._previous = previous._rows
        self._rows: dict[int, tuple[bytes, Row, tuple[int, Observation]]] = {}
        self._bytes_left = MAX_BYTES

    def verified(self, connection: sqlite3.Connection, id: bytes, row: Row) -> tuple[int, Observation] | str:
        """Return a cached observation, or the result of `Reader.verified`."""
        known = self._previous.get(row[0])
        one: tuple[int, Observation] | str
        if known is not None and known[0] == id and known[1] == row:
            one = known[2]
        else:
            one = self._verify(connection, id, row)
            if isinstance(one, str) or row[-1] != b"":
                return one
        self._bytes_left -= len(one[1].body)
        if self._bytes_left >= 0:
            self._rows[row[0]] = (id, row, one)
        return one

    def without_previous(self) -> RowCache:
        """Return this cache after releasing the cache of the previous read."""
        self._previous = {}
        return self
