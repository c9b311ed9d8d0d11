"""Rows of observations that were verified before: one that is the same to the last byte need not be verified again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from ..base import Observation

MANY = 64  # observations of a key, from which on it pays to keep their rows
MOST = 16 * 2**20  # bytes of bodies that are kept
Row = tuple[Any, ...]
Whole = Callable[[sqlite3.Connection, bytes, Row], tuple[int, Observation] | str]


class Known:
    """The observations of one key, beside the rows that they were read from.

    Each recording of a task reads all rows of its key; with thousands of them, digests and decoding took most of the
    time. Every row is still read and compared, so an altered one is noticed as ever. Rows with blobs are not kept, for
    their blobs lie elsewhere.
    """

    def __init__(self, key: bytes, whole: Whole, before: Known | None) -> None:
        """`whole` verifies a row (n, digest, OBSERVATION); `before` is what was kept when the store was last asked."""
        self.key = key
        self._whole = whole
        self._before: Mapping[int, tuple[bytes, Row, tuple[int, Observation]]] = {}
        if before is not None and before.key == key:
            self._before = before._rows
        self._rows: dict[int, tuple[bytes, Row, tuple[int, Observation]]] = {}
        self._room = MOST

    def whole(self, connection: sqlite3.Connection, id: bytes, row: Row) -> tuple[int, Observation] | str:
        """As `Reader.whole`."""
        known = self._before.get(row[0])
        one: tuple[int, Observation] | str
        if known is not None and known[0] == id and known[1] == row:
            one = known[2]
        else:
            one = self._whole(connection, id, row)
            if isinstance(one, str) or row[-1] != b"":
                return one
        self._room -= len(one[1].body)
        if self._room >= 0:
            self._rows[row[0]] = (id, row, one)
        return one

    def settle(self) -> Known:
        """This, without what was kept before."""
        self._before = {}
        return self
