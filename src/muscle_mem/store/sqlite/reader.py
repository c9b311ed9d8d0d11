"""Reading of trajectories from a SQLite store, with verified digests."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from ..base import Damaged, Found, Observation, Standing, Stored
from ..rows import readable, to_text
from . import blobs
from .row_cache import MIN_OBSERVATIONS, RowCache, Verify
from .rows import (
    OBSERVATION,
    STANDING,
    TRAJECTORY,
    Digests,
    Row,
    read_observation,
    read_standing,
    read_trajectory,
)
from .signing import Signing

_COLUMNS = f"t.n, t.digest, s.n, s.digest, {TRAJECTORY}, {STANDING}"
_TRAJECTORY = slice(4, 4 + TRAJECTORY.count(",") + 1)
_STANDING = slice(_TRAJECTORY.stop, None)
_TRAJECTORIES = f"SELECT {_COLUMNS} FROM trajectory t LEFT JOIN standing s ON s.n = t.n"
_BY_KEY = f"{_TRAJECTORIES} WHERE t.key = ?"
_BY_ID = f"{_TRAJECTORIES} WHERE t.id = CAST(? AS TEXT)"
_STANDINGS = f"SELECT {_COLUMNS} FROM standing s LEFT JOIN trajectory t ON t.n = s.n"
_FROM_TOP = f"{_STANDINGS} ORDER BY s.seq DESC"
_BELOW = f"{_STANDINGS} WHERE s.seq < ? ORDER BY s.seq DESC"
_STANDING_OF = (
    f"SELECT s.n, s.digest, t.id, {STANDING} FROM trajectory t JOIN standing s ON s.n = t.n "
    "WHERE t.id = CAST(? AS TEXT)"
)
_OBSERVATIONS = f"SELECT o.n, o.digest, {OBSERVATION} FROM observation o WHERE o.trajectory = ?"
_OBSERVATIONS_BY_KEY = (
    f"SELECT o.trajectory, o.n, o.digest, {OBSERVATION} "
    "FROM trajectory t CROSS JOIN observation o ON o.trajectory = t.n WHERE t.key = ?"
)

# A row with a valid digest can raise these if it was forged, because a digest without a signing key can be forged.
_FORGED = (TypeError, ValueError, RecursionError)


class Reader:
    """Converter of rows to records, and of rows that fail their digest to `Damaged`."""

    def __init__(self, digests: Digests, signing: Signing) -> None:
        self._digests = digests
        self.refusal = signing.refusal
        self._row_cache: RowCache | None = None  # For the last read key with many observations.

    def find(self, connection: sqlite3.Connection, key: bytes) -> Found:
        """Return all trajectories of a key; see `Store.find`."""
        stored: list[Stored] = []
        damaged: list[Damaged] = []
        rows = connection.execute(_BY_KEY, (key,)).fetchall()
        observed: dict[int, list[tuple[Any, ...]]] = {row[0]: [] for row in rows}
        for row in connection.execute(_OBSERVATIONS_BY_KEY, (key,)) if rows else ():
            if row[0] in observed:  # This only differs if the index is damaged.
                observed[row[0]].append(row[1:])
        known = (
            RowCache(key, self.verified, self._row_cache)
            if sum(map(len, observed.values())) >= MIN_OBSERVATIONS
            else None
        )
        whole = self.verified if known is None else known.verified
        for row in rows:
            one = self._stored(connection, row, observed[row[0]], damaged, whole)
            if one is not None and one.sealed.key == key:
                stored.append(one)
            elif one is not None:
                damaged.append(Damaged(id=one.sealed.id, what="the index lists it under another key", key=key))
        if known is not None:
            self._row_cache = known.without_previous()
        stored.sort(key=lambda one: -one.seq)
        return Found(stored=tuple(stored), damaged=tuple(damaged))

    def scan(self, connection: sqlite3.Connection, after: int | None, limit: int) -> Found:
        """Return a page of all trajectories; see `Store.scan`.

        Damaged rows do not count for the limit, so only the last page is empty.
        """
        stored: list[Stored] = []
        damaged: list[Damaged] = []
        below = () if after is None else (after,)
        rows = connection.execute(_FROM_TOP if after is None else _BELOW, below)
        while len(stored) < limit and (row := rows.fetchone()) is not None:
            one = self._stored(connection, row, _observations_of(connection, row[0]), damaged, self.verified)
            if one is not None:
                stored.append(one)
        rows.close()
        return Found(stored=tuple(stored), damaged=tuple(damaged))

    def get(self, connection: sqlite3.Connection, id: str) -> Stored | Damaged | None:
        """Return a trajectory or its damage; see `Store.get`."""
        row = connection.execute(_BY_ID, (to_text(id),)).fetchone()
        if row is None:
            return None
        damaged: list[Damaged] = []
        return self._stored(connection, row, _observations_of(connection, row[0]), damaged, self.verified) or damaged[0]

    def row_of(self, connection: sqlite3.Connection, id: str) -> tuple[int, int, Standing] | Damaged | None:
        """Return row number, sequence number and standing of a trajectory, or its damage."""
        row = connection.execute(_BY_ID, (to_text(id),)).fetchone()
        if row is None:
            return None
        head = self._head(connection, row)
        return head if isinstance(head, Damaged) else (int(row[0]), head.seq, head.standing)

    def standing(self, connection: sqlite3.Connection, id: str) -> tuple[int, int, Standing] | None:
        """Return the same as `row_of`, without reading the trajectory itself.

        Returns None if the standing is damaged.
        """
        row = connection.execute(_STANDING_OF, (to_text(id),)).fetchone()
        if row is None or not self._digests.is_standing_intact(row[2], row[3:], row[1]):
            return None
        try:
            return (int(row[0]), *read_standing(row[3:]))
        except _FORGED:
            return None

    def observation(self, id: bytes, row: tuple[Any, ...]) -> tuple[int, Observation] | None:
        """Return sequence number and record of an observation, without its blobs.

        The row is `n, digest, OBSERVATION`. Returns None if it is damaged.
        """
        if not self._digests.is_observation_intact(id, row[2:], row[1]):
            return None
        try:
            return read_observation(row[2:])
        except _FORGED:
            return None

    def _stored(
        self,
        connection: sqlite3.Connection,
        row: tuple[Any, ...],
        observed: list[tuple[Any, ...]],
        damaged: list[Damaged],
        whole: Verify,
    ) -> Stored | None:
        head = self._head(connection, row)
        if isinstance(head, Damaged):
            damaged.append(head)
            return None
        id = row[_TRAJECTORY][0]
        observations: list[tuple[int, Observation]] = []
        for seen in observed:
            one = whole(connection, id, seen)
            if isinstance(one, str):
                what = f"observation {readable(seen[2])}: {one}"
                damaged.append(Damaged(id=head.sealed.id, what=what, key=head.sealed.key))
            else:
                observations.append(one)
        if len(observations) > 1:
            observations.sort(key=lambda one: (-one[0], one[1].refresh, one[1].id))
        return Stored(sealed=head.sealed, seq=head.seq, standing=head.standing, observations=tuple(observations))

    def verified(
        self, connection: sqlite3.Connection, id: bytes, row: tuple[Any, ...]
    ) -> tuple[int, Observation] | str:
        """Return an observation with its blobs, or a description of its damage."""
        one = self.observation(id, row)
        if one is None:
            return f"it {self.refusal(connection)}"
        if row[-1] == b"":
            return one
        try:
            return one[0], msgspec.structs.replace(one[1], blobs=blobs.load(connection, row))
        except _FORGED as error:
            return str(error)

    def _head(self, connection: sqlite3.Connection, row: tuple[Any, ...]) -> Stored | Damaged:
        trajectory: Row = row[_TRAJECTORY]
        standing: Row = row[_STANDING]
        key = trajectory[1] if isinstance(trajectory[1], bytes) else b""
        name = readable(trajectory[0])
        if row[0] is None:
            return Damaged(id="", what=f"the trajectory of the standing in row {row[2]} is missing")
        if not self._digests.is_trajectory_intact(trajectory, row[1]):
            return Damaged(id=name, what=f"the trajectory {self.refusal(connection)}", key=key)
        if row[2] is None:
            return Damaged(id=name, what="the standing is missing", key=key)
        assert isinstance(trajectory[0], bytes)
        if not self._digests.is_standing_intact(trajectory[0], standing, row[3]):
            return Damaged(id=name, what=f"the standing {self.refusal(connection)}", key=key)
        try:
            seq, known = read_standing(standing)
            return Stored(sealed=read_trajectory(trajectory), seq=seq, standing=known)
        except _FORGED as error:
            return Damaged(id=name, what=f"the row is not in the format of muscle_mem ({error})", key=key)


def _observations_of(connection: sqlite3.Connection, trajectory: int) -> list[tuple[Any, ...]]:
    return connection.execute(_OBSERVATIONS, (trajectory,)).fetchall()


def observation_row_of(connection: sqlite3.Connection, trajectory: int, id: str) -> tuple[Any, ...] | None:
    """Return the row `n, digest, OBSERVATION` of an observation, or None."""
    row: tuple[Any, ...] | None = connection.execute(
        _OBSERVATIONS + " AND o.id = CAST(? AS TEXT)", (trajectory, to_text(id))
    ).fetchone()
    return row


def refresh_rows_of(connection: sqlite3.Connection, trajectory: int) -> list[tuple[Any, ...]]:
    """Return the rows of refreshes; there is at most one unless a row is damaged."""
    return connection.execute(_OBSERVATIONS + " AND o.refresh <> 0", (trajectory,)).fetchall()
