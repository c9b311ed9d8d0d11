"""Rows of observations that were verified before: one that is the same to the last byte need not be verified again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from ..base import Observation

MIN_OBSERVATIONS = 64  # observations of a key, from which on it pays to keep their rows
MAX_BYTES = 16 * 2**20  # bytes of bodies that are kept
Row = tuple[Any, ...]
Verify = Callable[[sqlite3.Connection, bytes, Row], tuple[int, Observation] | str]


class RowCache:
    """The observations of one key, beside the rows that they were read from.

    Each recording of a task reads all rows of its key; with thousands of them, digests and decoding took most of the
    time. Every row is still read and compared, so an altered one is noticed as before. Rows with blobs are not
    kept, for
    their blobs lie elsewhere.
    """

    def __init__(self, key: bytes, verify: Verify, previous: RowCache | None) -> None:
        """`verify` checks a row (n, digest, OBSERVATION); `previous` is what was kept when the store was last asked."""
        self.key = key
        self._verify = verify
        self._previous: Mapping[int, tuple[bytes, Row, tuple[int, Observation]]] = {}
        if previous is not None and previous.key == key:
            self._previous = previous._rows
        self._rows: dict[int, tuple[bytes, Row, tuple[int, Observation]]] = {}
        self._bytes_left = MAX_BYTES

    def verified(self, connection: sqlite3.Connection, id: bytes, row: Row) -> tuple[int, Observation] | str:
        """As `Reader.verified`."""
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
        """This, without what was kept before."""
        self._previous = {}
        return self
