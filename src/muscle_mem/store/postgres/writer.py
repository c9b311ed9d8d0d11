"""Writing of trajectories to a PostgreSQL store, within a transaction.

Every writer first locks the row of the sequence number. Commits are then in the order of the numbers, and a reader that
sees a number sees everything that was written with lower ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ...errors import DamagedStoreError
from ..base import Damaged, Note, Observation, Sealed, Standing
from ..digest import sha256
from ..rows import to_text
from ..standing import apply_note
from .connections import PooledConnection
from .reader import Reader
from .rows import (
    OBSERVATION,
    STANDING,
    TRAJECTORY,
    Rendition,
    Seals,
    encode,
    observation_record,
    standing_record,
    trajectory_record,
)
from .signing import Signing

LOCK = "SELECT last, digest, tick FROM sequence WHERE one = 1 FOR UPDATE"


def _marks(columns: str, more: int = 0) -> str:
    return ", ".join(["%s"] * (columns.count(",") + 1 + more))


_INSERT_TRAJECTORY = (
    f"INSERT INTO trajectory({TRAJECTORY}, digest, record, body) VALUES ({_marks(TRAJECTORY, 3)}) RETURNING n"
)
_INSERT_STANDING = f"INSERT INTO standing({STANDING}, digest, record, n) VALUES ({_marks(STANDING, 3)})"
_UPDATE_STANDING = f"UPDATE standing SET ({STANDING}, digest, record) = ROW({_marks(STANDING, 2)}) WHERE n = %s"
_INSERT_OBSERVATION = (
    f"INSERT INTO observation({OBSERVATION}, digest, record, body, trajectory) VALUES ({_marks(OBSERVATION, 4)}) "
    "RETURNING n"
)
_UPDATE_OBSERVATION = (
    f"UPDATE observation SET ({OBSERVATION}, digest, record, body) = ROW({_marks(OBSERVATION, 3)}) WHERE n = %s"
)
_FREE = "DELETE FROM blob b WHERE name = ANY(%s) AND NOT EXISTS (SELECT 1 FROM use u WHERE u.blob = b.name)"
_FINISH = """
WITH counted AS (
    UPDATE sequence SET last = %(last)s, digest = %(digest)s, tick = %(tick)s,
        everything = CASE WHEN %(everything)s THEN %(tick)s ELSE everything END
    WHERE one = 1 AND (last <> %(last)s OR tick <> %(tick)s)),
changed AS (
    INSERT INTO change(key, tick) SELECT unnest(%(keys)s::bytea[]), %(tick)s
    ON CONFLICT (key) DO UPDATE SET tick = excluded.tick),
written AS (
    INSERT INTO writer(id, op, answer, at) VALUES (%(writer)s, %(op)s, %(answer)s, now())
    ON CONFLICT (id) DO UPDATE SET op = excluded.op, answer = excluded.answer, at = excluded.at)
SELECT CASE WHEN %(tell)s THEN pg_notify(%(channel)s, '')::text END
"""


class Changes(msgspec.Struct):
    """The changes of a transaction: keys, or everything. `tick` is their number."""

    keys: set[bytes]
    tick: int = 0
    everything: bool = False

    @property
    def any(self) -> bool:
        return self.everything or bool(self.keys)


class Writer:
    """One write transaction. `url` names the store in messages."""

    def __init__(
        self,
        connection: PooledConnection,
        url: str,
        signing: Signing,
        seals: Seals,
        rendition: Rendition,
        reader: Reader,
    ) -> None:
        self._connection = connection
        self._url = url
        self._signing = signing
        self._seals = seals
        self._rendition = rendition
        self._reader = reader
        self._last = 0
        self._digest = b""
        self.changes = Changes(set())

    def begin(self, begin: str) -> None:
        """Begin the transaction, and wait for the lock on the sequence number."""
        row = self._connection.run(f"{begin}; {LOCK}")
        if not row:
            raise self._damaged("", "the row of the last sequence number is missing")
        digest = row[0][1]
        self._last, self.changes.tick = int(row[0][0]), int(row[0][2])
        self._digest = digest if isinstance(digest, bytes) else bytes(digest)

    def answer_of(self, writer: bytes, op: int) -> int | None:
        """Return the answer of a transaction, or None if it was not carried out."""
        row = self._connection.fetch("SELECT answer FROM writer WHERE id = %s AND op = %s", writer, op)
        return int(row[0][0]) if row else None

    def finish(self, answer: int, channel: str) -> None:
        """Write what every transaction writes at its end. The caller commits."""
        connection, changes = self._connection, self.changes
        changes.tick += changes.any
        if connection.op == 0:
            connection.fetch("DELETE FROM writer WHERE at < now() - interval '1 day'")
        connection.op += 1
        values = {
            "last": self._last,
            "digest": self._digest,
            "tick": changes.tick,
            "everything": changes.everything,
            "keys": list(changes.keys),
            "writer": connection.writer,
            "op": connection.op,
            "answer": answer,
            "tell": changes.any,
            "channel": channel,
        }
        connection.execute(_FINISH, values)

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None) -> int:
        """Write a trajectory with an observation; see `Store.seal`.

        Raises DamagedStoreError if either is stored and damaged.
        """
        connection = self._connection
        place = self._reader.row_of(connection, sealed.id)
        if isinstance(place, Damaged):
            raise self._damaged(place.id, place.what)
        if place is None and observation.refresh:
            return 0
        if place is None:
            seq, key = self._next_sequence(), bytes(sealed.key)
            n = self._insert(sealed, seq)
        else:
            n, seq, standing, key = place
            if not observation.refresh:
                seq = self._next_sequence()
                self._set_standing(n, sealed.id, seq, standing)
        self._store_observation(n, sealed.id, seq, observation)
        self.changes.keys.add(key)
        if note is not None:
            self.note(note)
        return seq

    def note(self, note: Note) -> None:
        """Apply one note. It is dropped if the standing is unknown or damaged.

        A damaged standing is never overwritten. A change of counters alone is not announced.
        """
        place = self._reader.standing(self._connection, note.id)
        if place is None:
            return
        n, seq, before, key = place
        after = apply_note(before, note)
        self._set_standing(n, note.id, seq, after)
        if (before.state, before.reason, before.held, before.strikes) != (
            after.state,
            after.reason,
            after.held,
            after.strikes,
        ):
            self.changes.keys.add(key)

    def forget(self, ids: tuple[str, ...] | None) -> int:
        """Delete trajectories (None: all); see `Store.forget`.

        Damaged trajectories are deleted like others, and a key with its last trajectory.
        """
        connection = self._connection
        if ids is None:
            count = int(connection.fetch("SELECT count(*) FROM trajectory")[0][0])
            for table in ("trajectory", "blob", "change"):
                connection.fetch(f"DELETE FROM {table}")
            self.changes.everything = True
            return count
        gone = self.drop(ids)
        if gone:
            self.changes.everything = True
            keys, self.changes.keys = list(self.changes.keys), set()
            connection.fetch(
                "DELETE FROM change c WHERE key = ANY(%s) AND NOT EXISTS (SELECT 1 FROM trajectory t WHERE t.key = "
                "c.key)",
                keys,
            )
        return gone

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete trajectories; see `Surveying.drop`."""
        connection = self._connection
        named = [to_text(id) for id in ids]
        blobs = connection.fetch(
            "SELECT DISTINCT u.blob FROM trajectory t JOIN observation o ON o.trajectory = t.n JOIN use u ON "
            "u.observation = o.n WHERE t.id = ANY(%s)",
            named,
        )
        gone = connection.fetch("DELETE FROM trajectory WHERE id = ANY(%s) RETURNING key", named)
        self._free_blobs(blob for (blob,) in blobs)
        self.changes.keys.update(bytes(key) for (key,) in gone)
        return len(gone)

    def _insert(self, sealed: Sealed, seq: int) -> int:
        record, body = trajectory_record(sealed), bytes(sealed.body)
        packed = encode(record)
        digest = self._seals.of("trajectory", packed, body)
        row = self._connection.fetch(_INSERT_TRAJECTORY, *self._rendition.trajectory(record), digest, packed, body)
        n = int(row[0][0])
        standing = Standing(state=sealed.state, reason=sealed.reason)
        self._connection.fetch(_INSERT_STANDING, *self._standing_values(sealed.id, seq, standing), n)
        return n

    def _set_standing(self, n: int, id: str, seq: int, standing: Standing) -> None:
        self._connection.fetch(_UPDATE_STANDING, *self._standing_values(id, seq, standing), n)

    def _standing_values(self, id: str, seq: int, standing: Standing) -> tuple[object, ...]:
        record = standing_record(seq, standing)
        packed = encode(record)
        return *self._rendition.standing(record), self._seals.of("standing", to_text(id), packed), packed

    def _store_observation(self, n: int, id: str, seq: int, observation: Observation) -> None:
        """Write an observation, or renew the one with the same id.

        A recorded observation keeps its contents, and takes the new sequence number and creation time. A refresh
        replaces other refreshes, and does not change an observation with its id.
        """
        connection, owner, name = self._connection, to_text(id), to_text(observation.id)
        rows = self._reader.observed(connection, n, owner, name)
        found = next((row for row in rows if row[1] == name), None)
        if found is not None and found[2] is None:
            raise self._damaged(id, f"its observation {observation.id} {self._signing.refusal}")
        if found is not None and found[2] is not None:
            self._ensure_whole(id, set(found[2].blobs))
        if observation.refresh:
            self._drop_observations(
                [row[0] for row in rows if row[2] is not None and row[2].refresh and row is not found]
            )
            if found is not None:
                return
        record, body = observation_record(seq, observation), bytes(observation.body)
        known = found[2] if found is not None else None
        if found is not None and known is not None and not known.refresh:
            record = msgspec.structs.replace(known, seq=seq, created=record.created)
            body = bytes(connection.fetch("SELECT body FROM observation WHERE n = %s", found[0])[0][0])
        elif found is not None:
            self._drop_observations([found[0]])
            found = None
        packed = encode(record)
        digest = self._seals.of("observation", owner, packed, body)
        shown = self._rendition.observation(record)
        if found is not None:
            connection.fetch(_UPDATE_OBSERVATION, *shown, digest, packed, body, found[0])
            return
        row = connection.fetch(_INSERT_OBSERVATION, *shown, digest, packed, body, n)
        self._store_blobs(int(row[0][0]), id, observation.blobs)

    def _store_blobs(self, n: int, id: str, blobs: tuple[bytes, ...]) -> None:
        """Write the blobs of an observation, each once.

        A damaged blob is never overwritten.
        """
        wanted = {sha256(blob): bytes(blob) for blob in blobs}
        if not wanted:
            return
        connection = self._connection
        there = {name for (name,) in connection.fetch("SELECT name FROM blob WHERE name = ANY(%s)", list(wanted))}
        self._ensure_whole(id, there)
        for name in wanted.keys() - there:
            connection.fetch("INSERT INTO blob VALUES (%s, %s) ON CONFLICT DO NOTHING", name, wanted[name])
        connection.fetch("INSERT INTO use SELECT %s, unnest(%s::bytea[])", n, list(wanted))

    def _ensure_whole(self, id: str, names: set[bytes]) -> None:
        """Raise DamagedStoreError if a blob is missing or does not match its SHA-256.

        The server computes the digests.
        """
        look = "SELECT name FROM blob WHERE name = ANY(%s) AND sha256(body) = name"
        if names and len(self._connection.fetch(look, list(names))) < len(names):
            raise self._damaged(id, "a blob of it is missing or does not match its SHA-256")

    def _drop_observations(self, ns: list[int]) -> None:
        if ns:
            blobs = self._connection.fetch("SELECT DISTINCT blob FROM use WHERE observation = ANY(%s)", ns)
            self._connection.fetch("DELETE FROM observation WHERE n = ANY(%s)", ns)
            self._free_blobs(blob for (blob,) in blobs)

    def _free_blobs(self, blobs: Iterable[bytes]) -> None:
        names = list(blobs)
        if names:
            self._connection.fetch(_FREE, names)

    def _next_sequence(self) -> int:
        """Return the next sequence number.

        It has a separate row, so that no number is used again after a deletion.
        """
        if self._digest == b"" and self._last == 0:
            if self._connection.fetch("SELECT 1 FROM standing LIMIT 1"):
                raise self._damaged("", "the row of the last sequence number was emptied")
            self._signing.note(self._connection)
        elif not self._seals.is_intact("sequence", self._digest, b"%d" % self._last):
            raise self._damaged("", f"the row of the last sequence number {self._signing.refusal}")
        self._last += 1
        self._digest = self._seals.of("sequence", b"%d" % self._last)
        return self._last

    def _damaged(self, id: str, what: str) -> DamagedStoreError:
        whose = f" of trajectory {id}" if id else ""
        return DamagedStoreError(
            f"a row{whose} in the store {self._url} is damaged: {what}. It is not replayed and was not overwritten. "
            "Restore a backup, or delete it with `muscle-mem forget`."
        )
