"""Writing of trajectories to a SQLite store, within an open transaction."""

from __future__ import annotations

import sqlite3

import msgspec

from ...errors import DamagedStoreError
from ..base import Damaged, Note, Observation, Sealed, Standing
from ..history_tables import SqlHistory
from ..rows import to_text
from ..standing import apply_note
from . import blobs
from .reader import Reader, observation_row_of, refresh_rows_of
from .rows import Digests, observation_row, standing_row, trajectory_row
from .signing import Signing

_TEXT = "CAST(? AS TEXT)"
_INSERT_TRAJECTORY = (
    "INSERT INTO trajectory(id, key, steps, task, scope, tags, created, first_state, first_reason, body, "
    f"digest) VALUES ({_TEXT}, ?, ?, {_TEXT}, {_TEXT}, {_TEXT}, ?, {_TEXT}, {_TEXT}, ?, ?) "
    "ON CONFLICT(id) DO NOTHING"
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
    f"VALUES (?, {_TEXT}, ?, ?, ?, ?, ?, ?) ON CONFLICT(trajectory, id) DO NOTHING"
)
_UPDATE_OBSERVATION = (
    f"UPDATE observation SET id = {_TEXT}, seq = ?, created = ?, refresh = ?, body = ?, blobs = ?, digest = ? "
    "WHERE n = ?"
)
_COUNT_ON = "UPDATE sequence SET last = ?, digest = ? WHERE one = 1 AND last = ? AND digest = ?"


class Writer:
    """Writer of records as rows. `path` names the store in messages."""

    def __init__(self, path: str, digests: Digests, signing: Signing, reader: Reader) -> None:
        self._path = path
        self._digests = digests
        self._signing = signing
        self._reader = reader
        # A stored row that equals this process's last one is intact. NULL equals nothing.
        self._last: tuple[int, bytes | None] = (0, None)

    def seal(self, connection: sqlite3.Connection, sealed: Sealed, observation: Observation, note: Note | None) -> int:
        """Write a trajectory and an observation; see `Store.seal`.

        Raises DamagedStoreError if either exists and is damaged.
        """
        seq = None if observation.refresh else self._seal_new(connection, sealed, observation)
        if seq is None:
            seq = self._seal_again(connection, sealed.id, observation)
        if note is not None and seq:
            self.note(connection, note)
        return seq

    def _seal_new(self, connection: sqlite3.Connection, sealed: Sealed, observation: Observation) -> int | None:
        """Insert a trajectory and return its sequence number, or None if it exists.

        Most trajectories are new, so this does not read first.
        """
        n = self._insert(connection, sealed)
        if n is None:
            return None
        seq = self._next_sequence(connection)
        owner = to_text(sealed.id)
        standing = standing_row(seq, Standing(state=sealed.state, reason=sealed.reason))
        connection.execute(_INSERT_STANDING, (n, *standing, self._digests.of_standing(owner, standing)))
        at = self._insert_observation(connection, n, owner, seq, observation)
        if at is None:  # In a damaged file, an observation can remain without its trajectory.
            self._store_observation(connection, n, sealed.id, seq, observation)
        elif observation.blobs:
            self._use_blobs(connection, at, sealed.id, observation)
        return seq

    def _seal_again(self, connection: sqlite3.Connection, id: str, observation: Observation) -> int:
        """Add an observation to an existing trajectory; return 0 if it does not exist."""
        place = self._reader.row_of(connection, id)
        if isinstance(place, Damaged):
            raise self._damaged(place.id, place.what)
        if place is None and observation.refresh:
            return 0
        if place is None:
            raise self._damaged(id, "the index contains its id, but the table does not")
        n, seq, standing = place
        if not observation.refresh:
            seq = self._next_sequence(connection)
            self._set_standing(connection, n, id, seq, standing)
        self._store_observation(connection, n, id, seq, observation)
        return seq

    def note_all(self, connection: sqlite3.Connection, notes: tuple[Note, ...]) -> None:
        """Apply notes in order."""
        for note in notes:
            self.note(connection, note)

    def note(self, connection: sqlite3.Connection, note: Note) -> None:
        """Apply one note, or ignore it if the standing is unknown or damaged."""
        place = self._reader.standing(connection, note.id)
        if place is None:
            return
        n, seq, standing = place
        self._set_standing(connection, n, note.id, seq, apply_note(standing, note))

    def forget(self, connection: sqlite3.Connection, ids: tuple[str, ...] | None, *, tasks: bool = False) -> int:
        """Delete trajectories, damaged ones too; see `Store.forget`.

        `tasks` also deletes the whole history of a task with its last trajectory.
        """
        history = SqlHistory(connection)
        if ids is None:
            count = connection.execute("SELECT count(*) FROM trajectory").fetchone()[0]
            for table in ("trajectory", "standing", "observation", "blob_user", "blob"):
                connection.execute(f"DELETE FROM {table}")
            history.clear()
            return int(count)
        gone: dict[str, bytes] = {}
        for id in dict.fromkeys(ids):
            row = connection.execute(f"SELECT n, key FROM trajectory WHERE id = {_TEXT}", (to_text(id),)).fetchone()
            if row is not None:
                for (n,) in connection.execute("SELECT n FROM observation WHERE trajectory = ?", row[:1]).fetchall():
                    self._delete_observations(connection, n)
                connection.execute("DELETE FROM standing WHERE n = ?", row[:1])
                connection.execute("DELETE FROM trajectory WHERE n = ?", row[:1])
                gone[id] = row[1]
        left = "SELECT 1 FROM trajectory WHERE key = ? LIMIT 1"
        keys = {key for key in gone.values() if tasks and connection.execute(left, (key,)).fetchone() is None}
        history.forget(gone, keys)
        return len(gone)

    def _insert(self, connection: sqlite3.Connection, sealed: Sealed) -> int | None:
        """Insert a trajectory and return its row number, or None if its id exists."""
        row = trajectory_row(sealed)
        done = connection.execute(_INSERT_TRAJECTORY, (*row, self._digests.of_trajectory(row)))
        return done.lastrowid if done.rowcount else None

    def _insert_observation(
        self, connection: sqlite3.Connection, n: int, owner: bytes, seq: int, observation: Observation
    ) -> int | None:
        """Insert an observation and return its row number, or None if it exists."""
        row = observation_row(seq, observation)
        done = connection.execute(_INSERT_OBSERVATION, (n, *row, self._digests.of_observation(owner, row)))
        return done.lastrowid if done.rowcount else None

    def _set_standing(self, connection: sqlite3.Connection, n: int, id: str, seq: int, standing: Standing) -> None:
        row = standing_row(seq, standing)
        connection.execute(_UPDATE_STANDING, (*row, self._digests.of_standing(to_text(id), row), n))

    def _store_observation(
        self, connection: sqlite3.Connection, n: int, trajectory: str, seq: int, observation: Observation
    ) -> None:
        """Store an observation, or update the time and sequence number of an existing one.

        A refresh updates neither.
        """
        owner = to_text(trajectory)
        found = observation_row_of(connection, n, observation.id)
        known = None if found is None else self._reader.verified(connection, owner, found)
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
        if found is None:
            new = self._insert_observation(connection, n, owner, seq, kept)
            assert new is not None
            at = new
        else:
            at = int(found[0])
            row = observation_row(seq, kept)
            connection.execute(_UPDATE_OBSERVATION, (*row, self._digests.of_observation(owner, row), at))
        if not moved and (found is not None or observation.blobs):  # A new observation has no blobs to release.
            self._use_blobs(connection, at, trajectory, observation)

    def _use_blobs(self, connection: sqlite3.Connection, n: int, trajectory: str, observation: Observation) -> None:
        before = blobs.release(connection, n)
        try:
            blobs.keep(connection, n, observation.blobs)
        except blobs.DamagedBlob as error:
            raise self._damaged(trajectory, f"observation {observation.id}: {error}") from None
        blobs.sweep(connection, before)

    def _delete_observations(self, connection: sqlite3.Connection, n: int) -> None:
        used = blobs.release(connection, n)
        connection.execute("DELETE FROM observation WHERE n = ?", (n,))
        blobs.sweep(connection, used)

    def _drop_refreshes(self, connection: sqlite3.Connection, n: int, owner: bytes, but: str) -> None:
        for row in refresh_rows_of(connection, n):
            known = self._reader.observation(owner, row)
            if known is not None and known[1].id != but:
                self._delete_observations(connection, row[0])

    def _next_sequence(self, connection: sqlite3.Connection) -> int:
        """Return the next sequence number.

        It is kept in a separate row, so that a number is not used again after deletions.
        """
        last, digest = self._last
        following = (last + 1, self._digests.of_sequence(last + 1))
        if not connection.execute(_COUNT_ON, (*following, last, digest)).rowcount:
            following = self._read_next_sequence(connection)
        self._last = following
        return following[0]

    def _read_next_sequence(self, connection: sqlite3.Connection) -> tuple[int, bytes]:
        """Return the next sequence number and digest by reading the stored row.

        This is needed if another process wrote the row last, or if there is no row.
        """
        row = connection.execute("SELECT last, digest FROM sequence WHERE one = 1").fetchone()
        if row is None:
            if connection.execute("SELECT 1 FROM standing LIMIT 1").fetchone() is not None:
                raise self._damaged("", "the row of the last sequence number is missing")
            self._signing.ensure_still(connection, self._path)
            row = (0, self._digests.of_sequence(0))
        if not self._digests.is_sequence_intact(*row):
            why = self._reader.refusal(connection)
            raise self._damaged("", f"the row of the last sequence number {why}")
        last = int(row[0]) + 1
        following = (last, self._digests.of_sequence(last))
        connection.execute("REPLACE INTO sequence(one, last, digest) VALUES (1, ?, ?)", following)
        return following

    def _damaged(self, id: str, what: str) -> DamagedStoreError:
        whose = f" of trajectory {id}" if id else ""
        return DamagedStoreError(
            f"store {self._path!r} contains a damaged row{whose}, which is not replayed or overwritten: {what}. "
            f"Restore a backup, or forget it."
        )
