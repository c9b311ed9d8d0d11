"""Sealing of trajectories in a PostgreSQL store."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..base import Damaged, Note, Observation, Sealed, Standing
from ..digest import sha256
from ..rows import to_text
from .leading import IS_CURRENT, KeyLock
from .noting import LOCK_STANDINGS, Standings, decides
from .reader import BY_ID, OBSERVED
from .rows import OBSERVATION, TRAJECTORY, ObservationRecord, encode, observation_record, trajectory_record
from .writer import CHANGE, Writer

Seen = tuple[int, bytes, ObservationRecord | None, bytes]


def marks(columns: str, more: int = 0) -> str:
    """Return the placeholders for columns, and for some more values."""
    return ", ".join(["%s"] * (columns.count(",") + 1 + more))


# The highest number is that of a snapshot before the new number was taken, so the new one is above it.
_NUMBER = f"{CHANGE}, (SELECT max(seq) FROM standing)"
_N = "(SELECT n FROM trajectory WHERE id = %s)"
_INSERT_TRAJECTORY = f"INSERT INTO trajectory({TRAJECTORY}, digest, record, body) VALUES ({marks(TRAJECTORY, 3)})"
_INSERT_OBSERVATION = (
    f"INSERT INTO observation({OBSERVATION}, digest, record, body, trajectory) VALUES ({marks(OBSERVATION, 3)}, {_N})"
)
_UPDATE_OBSERVATION = (
    f"UPDATE observation SET ({OBSERVATION}, digest, record, body) = ROW({marks(OBSERVATION, 3)}) WHERE n = %s"
)
_BLOBS = "SELECT name, sha256(body) = name FROM blob WHERE name = ANY(%s::bytea[])"
_INSERT_BLOB = "INSERT INTO blob VALUES (%s, %s) ON CONFLICT DO NOTHING"
_INSERT_USE = (
    f"INSERT INTO use SELECT o.n, unnest(%s::bytea[]) FROM observation o WHERE o.trajectory = {_N} AND o.id = %s"
)
_FREE = "DELETE FROM blob b WHERE name = ANY(%s::bytea[]) AND NOT EXISTS (SELECT 1 FROM use u WHERE u.blob = b.name)"
_BLOBS_OF = (
    "SELECT DISTINCT u.blob FROM trajectory t JOIN observation o ON o.trajectory = t.n JOIN use u ON "
    "u.observation = o.n WHERE t.id = ANY(%s::bytea[])"
)


def free_blobs(writer: Writer, names: list[bytes]) -> None:
    """Delete the blobs that no observation uses any longer."""
    if names:
        writer.put(_FREE, sorted(names))


class Sealing:
    """One call of `seal`, within a transaction."""

    def __init__(self, writer: Writer, sealed: Sealed, observation: Observation, leads: Sequence[KeyLock] = ()) -> None:
        self._writer = writer
        self._sealed = sealed
        self._observation = observation
        self._id = to_text(sealed.id)
        self._leads = leads
        self._blobs = {sha256(blob): bytes(blob) for blob in observation.blobs}

    def seal(self, note: Note | None) -> int:
        """Write a trajectory with an observation; see `Store.seal`.

        Raises DamagedStoreError if either is stored and damaged.
        """
        writer, observation, key = self._writer, self._observation, bytes(self._sealed.key)
        standings = Standings(writer, {**({to_text(note.id): decides(note)} if note else {}), self._id: True})
        number = ("SELECT NULL, NULL",) if observation.refresh else (_NUMBER, key)
        there = [(_BLOBS, sorted(self._blobs))] if self._blobs else []
        fences = [(IS_CURRENT, lead.fence) for lead in self._leads]
        _, *answers, rows, observed, numbered = writer.ask(
            (writer.key_lock(key),),
            *fences,
            *there,
            *standings.queries(),
            (BY_ID, self._id),
            (OBSERVED, self._id, to_text(observation.id)),
            number,
        )
        for lead in self._leads:
            lead.is_late = not answers.pop(0)[0][0]
        blobs: dict[bytes, bool] = dict(answers.pop(0)) if there else {}
        standings.read(answers)
        place = writer.reader.place(rows)
        if isinstance(place, Damaged):
            raise writer.damaged(place.id, place.what)
        if place is None and observation.refresh:
            return 0
        seq = self._numbered(*numbered[0]) if not observation.refresh else place[1] if place is not None else 0
        if place is None:
            self._insert()
            standings.add(self._id, seq, Standing(state=self._sealed.state, reason=self._sealed.reason), key)
        elif not observation.refresh:
            standings.move(self._id, seq)
        self._store_observation(seq, writer.reader.observed(observed, self._id), blobs)
        writer.changes.keys.add(place[3] if place is not None else key)
        if note is not None:
            standings.apply(note)
        standings.write()
        return seq

    def _numbered(self, number: int, highest: int | None) -> int:
        writer = self._writer
        if highest is not None and number <= highest:
            raise writer.damaged("", f"the next sequence number, {number}, is not above the last one, {highest}")
        writer.announced.add(bytes(self._sealed.key))
        writer.changes.rows += (int(number),)
        if not writer.signing.is_noted:
            writer.signing.note(writer.put)
        return int(number)

    def _insert(self) -> None:
        writer, sealed = self._writer, self._sealed
        record, body = trajectory_record(sealed), bytes(sealed.body)
        packed = encode(record)
        digest = writer.seals.of("trajectory", packed, body)
        writer.put(_INSERT_TRAJECTORY, *writer.rendition.trajectory(record), digest, packed, body)

    def _store_observation(self, seq: int, rows: list[Seen], there: dict[bytes, bool]) -> None:
        """Write the observation, or renew the one with the same id.

        A recorded observation keeps its contents, and takes the new sequence number and creation time. A refresh
        replaces other refreshes, and does not change an observation with its id.
        """
        observation, name = self._observation, to_text(self._observation.id)
        found = next((row for row in rows if row[1] == name), None)
        known = found[2] if found is not None else None
        if found is not None and known is None:
            refusal = self._writer.signing.refusal
            raise self._writer.damaged(self._sealed.id, f"its observation {observation.id} {refusal}")
        if known is not None:
            self._ensure_whole(set(known.blobs), there)
        if observation.refresh:
            self._drop([row for row in rows if row[2] is not None and row[2].refresh and row is not found])
            if found is not None:
                return
        record, body = observation_record(seq, observation), bytes(observation.body)
        if found is not None and known is not None and not known.refresh:
            self._write(msgspec.structs.replace(known, seq=seq, created=record.created), bytes(found[3]), found[0])
            return
        if found is not None:
            self._drop([found])
        self._write(record, body, None)
        self._store_blobs(there)

    def _write(self, record: ObservationRecord, body: bytes, n: int | None) -> None:
        writer = self._writer
        packed = encode(record)
        digest = writer.seals.of("observation", self._id, packed, body)
        query = _INSERT_OBSERVATION if n is None else _UPDATE_OBSERVATION
        where = self._id if n is None else n
        writer.put(query, *writer.rendition.observation(record), digest, packed, body, where)

    def _store_blobs(self, there: dict[bytes, bool]) -> None:
        """Write the blobs of the observation, each once.

        A damaged blob is never overwritten.
        """
        if not self._blobs:
            return
        if not all(there.values()):
            raise self._lacks_blob()
        for name in sorted(self._blobs):
            self._writer.put(_INSERT_BLOB, name, self._blobs[name])
        self._writer.put(_INSERT_USE, sorted(self._blobs), self._id, to_text(self._observation.id))

    def _ensure_whole(self, names: set[bytes], there: dict[bytes, bool]) -> None:
        """Raise DamagedStoreError if a blob is missing or does not match its SHA-256."""
        unknown = names - self._blobs.keys()
        if unknown:
            there = there | dict(self._writer.ask((_BLOBS, sorted(unknown)))[0])
        if not all(there.get(name) for name in names):
            raise self._lacks_blob()

    def _lacks_blob(self) -> Exception:
        return self._writer.damaged(self._sealed.id, "a blob of it is missing or does not match its SHA-256")

    def _drop(self, rows: list[Seen]) -> None:
        if rows:
            self._writer.put("DELETE FROM observation WHERE n = ANY(%s::bigint[])", [row[0] for row in rows])
            free_blobs(self._writer, [name for row in rows if row[2] is not None for name in row[2].blobs])


def forget(writer: Writer, ids: tuple[str, ...] | None) -> int:
    """Delete trajectories (None: all); see `Store.forget`.

    Damaged trajectories are deleted like others, and the changes of their keys with them.
    """
    if ids is None:
        count = int(writer.ask(("SELECT count(*) FROM trajectory",))[0][0][0])
        for table in ("trajectory", "blob", "change"):
            writer.put(f"DELETE FROM {table}")
        writer.changes.everything = True
        return count
    gone = drop(writer, ids)
    if gone:
        writer.put("DELETE FROM change WHERE key = ANY(%s::bytea[])", sorted(writer.changes.keys))
        writer.changes = msgspec.structs.replace(writer.changes, keys=set(), everything=True)
    return gone


def drop(writer: Writer, ids: tuple[str, ...]) -> int:
    """Delete trajectories; see `Surveying.drop`."""
    named = sorted({to_text(id) for id in ids})
    _, blobs, gone = writer.ask(
        (LOCK_STANDINGS, named),
        (_BLOBS_OF, named),
        ("DELETE FROM trajectory WHERE id = ANY(%s::bytea[]) RETURNING key", named),
    )
    free_blobs(writer, [bytes(blob) for (blob,) in blobs])
    writer.changes.keys.update(bytes(key) for (key,) in gone)
    return len(gone)
