"""Writes trajectories into a SQLite store, inside a transaction that the store has open."""

from __future__ import annotations

import sqlite3

import msgspec

from ..errors import DamagedStoreError
from . import blobs
from .base import Damaged, Note, Observation, Sealed, Standing
from .reading import Reader, observation_row_of, refresh_rows_of
from .rows import Digests, observation_row, standing_row, to_text, trajectory_row
from .signing import Signing
from .standing import apply_note

_TEXT = "CAST(? AS TEXT)"
_INSERT_TRAJECTORY = (
    "INSERT INTO trajectory(id, key, steps, task, scope, tags, created, first_state, first_reason, body, "
    f"digest) VALUES ({_TEXT}, ?, ?, {_TEXT}, {_TEXT}, {_TEXT}, ?, {_TEXT}, {_TEXT}, ?, ?)"
)
_INSERT_STANDING = (
    "INSERT INTO standing(n, seq, state, reason, held, strikes, hits, failures, agreed, disagreed, "
    f"last_hit, checks, digest) VALUES (?, ?, {_TEXT}, {_TEXT}, ?, ?, ?, ?, ?, ?, ?, {_TEXT}, ?)"
)
_UPDATE_STANDING = (
    f"UPDATE standing SET seq = ?, state = {_TEXT}, reason = {_TEXT}, held = ?, strikes = ?, hits = ?, "
    f"failures = ?, agreed = ?, disagreed = ?, last_hit = ?, checks = {_TEXT}, digest = ? WHERE n = ?"
)
_INSERT_OBSERVATION = (
    "INSERT INTO observation(trajectory, id, seq, created, refresh, body, blobs, digest) "
    f"VALUES (?, {_TEXT}, ?, ?, ?, ?, ?, ?)"
)
_UPDATE_OBSERVATION = (
    f"UPDATE observation SET id = {_TEXT}, seq = ?, created = ?, refresh = ?, body = ?, blobs = ?, digest = ? "
    "WHERE n = ?"
)


class Writer:
    """Turns records into rows. `path` names the store in messages."""

    def __init__(self, path: str, digests: Digests, signing: Signing, reader: Reader) -> None:
        self._path = path
        self._digests = digests
        self._signing = signing
        self._reader = reader

    def seal(self, connection: sqlite3.Connection, sealed: Sealed, observation: Observation, note: Note | None) -> int:
        """As `Store.seal`. DamagedStoreError if the trajectory or observation is there and damaged."""
        place = self._reader.place(connection, sealed.id)
        if isinstance(place, Damaged):
            raise self._damaged(place.id, place.what)
        if place is None and observation.refresh:
            return 0
        if place is None:
            seq = self._next(connection)
            n = self._insert(connection, sealed, seq)
        else:
            n, seq, standing = place
            if not observation.refresh:
                seq = self._next(connection)
                self._set_standing(connection, n, sealed.id, seq, standing)
        self._observe(connection, n, sealed.id, seq, observation)
        if note is not None:
            self.note(connection, note)
        return seq

    def note(self, connection: sqlite3.Connection, note: Note) -> None:
        """Apply one note; dropped if its standing is unknown, or damaged: that is never overwritten."""
        place = self._reader.standing(connection, note.id)
        if place is None:
            return
        n, seq, standing = place
        self._set_standing(connection, n, note.id, seq, apply_note(standing, note))

    def forget(self, connection: sqlite3.Connection, ids: tuple[str, ...] | None) -> int:
        """As `Store.forget`; damaged trajectories go like any other."""
        if ids is None:
            count = connection.execute("SELECT count(*) FROM trajectory").fetchone()[0]
            for table in ("trajectory", "standing", "observation", "blob_user", "blob"):
                connection.execute(f"DELETE FROM {table}")
            return int(count)
        gone = 0
        for id in dict.fromkeys(ids):
            row = connection.execute(f"SELECT n FROM trajectory WHERE id = {_TEXT}", (to_text(id),)).fetchone()
            if row is not None:
                for (n,) in connection.execute("SELECT n FROM observation WHERE trajectory = ?", row).fetchall():
                    self._unobserve(connection, n)
                connection.execute("DELETE FROM standing WHERE n = ?", row)
                connection.execute("DELETE FROM trajectory WHERE n = ?", row)
                gone += 1
        return gone

    def _insert(self, connection: sqlite3.Connection, sealed: Sealed, seq: int) -> int:
        row = trajectory_row(sealed)
        n = connection.execute(_INSERT_TRAJECTORY, (*row, self._digests.of_trajectory(row))).lastrowid
        assert n is not None
        standing = standing_row(seq, Standing(state=sealed.state, reason=sealed.reason))
        digest = self._digests.of_standing(to_text(sealed.id), standing)
        connection.execute(_INSERT_STANDING, (n, *standing, digest))
        return n

    def _set_standing(self, connection: sqlite3.Connection, n: int, id: str, seq: int, standing: Standing) -> None:
        row = standing_row(seq, standing)
        connection.execute(_UPDATE_STANDING, (*row, self._digests.of_standing(to_text(id), row), n))

    def _observe(
        self, connection: sqlite3.Connection, n: int, trajectory: str, seq: int, observation: Observation
    ) -> None:
        """Keep an observation. One that is there only moves up and is as young as the new one, but not by a refresh."""
        owner = to_text(trajectory)
        found = observation_row_of(connection, n, observation.id)
        known = None if found is None else self._reader.whole(connection, owner, found)
        if isinstance(known, str):
            raise self._damaged(trajectory, f"its observation {observation.id}: {known}")
        if observation.refresh:
            self._drop_refreshes(connection, n, owner, but=observation.id)
            if known is not None:
                return
        moved = known is not None and not known[1].refresh
        kept = observation
        if known is not None and moved:
            kept = msgspec.structs.replace(known[1], created=observation.created)
        row = observation_row(seq, kept)
        digest = self._digests.of_observation(owner, row)
        if found is None:
            at = connection.execute(_INSERT_OBSERVATION, (n, *row, digest)).lastrowid
            assert at is not None
        else:
            at = int(found[0])
            connection.execute(_UPDATE_OBSERVATION, (*row, digest, at))
        if not moved and (found is not None or observation.blobs):  # one that is new has none to let go of
            self._use_blobs(connection, at, trajectory, observation)

    def _use_blobs(self, connection: sqlite3.Connection, n: int, trajectory: str, observation: Observation) -> None:
        before = blobs.release(connection, n)
        try:
            blobs.keep(connection, n, observation.blobs)
        except blobs.DamagedBlob as error:
            raise self._damaged(trajectory, f"observation {observation.id}: {error}") from None
        blobs.sweep(connection, before)

    def _unobserve(self, connection: sqlite3.Connection, n: int) -> None:
        used = blobs.release(connection, n)
        connection.execute("DELETE FROM observation WHERE n = ?", (n,))
        blobs.sweep(connection, used)

    def _drop_refreshes(self, connection: sqlite3.Connection, n: int, owner: bytes, but: str) -> None:
        for row in refresh_rows_of(connection, n):
            known = self._reader.observation(owner, row)
            if known is not None and known[1].id != but:
                self._unobserve(connection, row[0])

    def _next(self, connection: sqlite3.Connection) -> int:
        """The next sequence number, from a row of its own, so that forgetting never gives one again."""
        row = connection.execute("SELECT last, digest FROM sequence WHERE one = 1").fetchone()
        if row is None:
            if connection.execute("SELECT 1 FROM standing LIMIT 1").fetchone() is not None:
                raise self._damaged("", "the row of the last sequence number is missing")
            self._signing.ensure_still(connection, self._path)
            row = (0, self._digests.of_sequence(0))
        if not self._digests.sequence_is_whole(*row):
            why = self._reader.refusal(connection)
            raise self._damaged("", f"the row of the last sequence number {why}")
        last = int(row[0]) + 1
        connection.execute(
            "REPLACE INTO sequence(one, last, digest) VALUES (1, ?, ?)",
            (last, self._digests.of_sequence(last)),
        )
        return last

    def _damaged(self, id: str, what: str) -> DamagedStoreError:
        whose = f" of trajectory {id}" if id else ""
        return DamagedStoreError(
            f"The store {self._path!r} holds a damaged row{whose}: {what}. It is not offered and was not "
            f"overwritten; restore a back-up, or forget it."
        )
