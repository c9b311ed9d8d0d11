"""Reading of trajectories from a PostgreSQL store, with each digest checked."""

from __future__ import annotations

from typing import Any

import msgspec

from ..base import HEAD_BYTES, Damaged, Found, Note, Observation, Sealed, Standing, Stored, Summary
from ..digest import sha256
from ..rows import from_text, readable, to_text
from ..standing import apply_note
from .connections import PooledConnection, Rows
from .rows import (
    OBSERVATION,
    STANDING,
    TRAJECTORY,
    EvidenceRecord,
    ObservationRecord,
    Rendition,
    Seals,
    StandingRecord,
    TrajectoryRecord,
    decode,
    read_evidence,
    read_observation,
    read_standing,
    read_trajectory,
)


def _of(table: str, columns: str) -> str:
    return ", ".join(f"{table}.{column}" for column in columns.split(", "))


_T = "t.n, t.digest, t.record, t.body, " + _of("t", TRAJECTORY)
_S = "s.n, s.digest, s.record, " + _of("s", STANDING)
_STANDING_AT = 4 + TRAJECTORY.count(",") + 1
_O = "o.trajectory, o.n, o.digest, o.record, o.body, " + _of("o", OBSERVATION)
_TRAJECTORIES = f"SELECT {_T}, {_S} FROM trajectory t LEFT JOIN standing s ON s.n = t.n"
_BY_KEY = f"{_TRAJECTORIES} WHERE t.key = %s"
BY_ID = f"{_TRAJECTORIES} WHERE t.id = %s"
_STANDINGS = f"SELECT {_T}, {_S} FROM standing s LEFT JOIN trajectory t ON t.n = s.n"
_TOP = (1 << 63) - 1  # Above every sequence number.
_BELOW = f"{_STANDINGS} WHERE s.seq < %s ORDER BY s.seq DESC, s.n LIMIT %s"
STANDINGS_OF = f"SELECT t.key, t.id, {_S} FROM trajectory t JOIN standing s ON s.n = t.n WHERE t.id = ANY(%s)"
_OBSERVATIONS = f"SELECT {_O} FROM observation o WHERE o.trajectory = ANY(%s)"
OBSERVED = (
    f"SELECT {_O} FROM observation o JOIN trajectory t ON t.n = o.trajectory "
    "WHERE t.id = %s AND (o.id = %s OR o.refresh)"
)
_E = "SELECT e.trajectory, e.n, e.digest, e.record FROM evidence e"
_EVIDENCE = f"{_E} WHERE e.trajectory = ANY(%s) ORDER BY e.n"
EVIDENCE_OF = f"{_E} JOIN trajectory t ON t.n = e.trajectory WHERE t.id = ANY(%s) ORDER BY e.n"
_SURVEY = f"""
SELECT t.id, t.key, t.created,
    CASE WHEN octet_length(t.body) < 2000 THEN substring(t.body FROM 1 FOR {HEAD_BYTES}) ELSE '' END,
    coalesce((SELECT max(o.created) FROM observation o WHERE o.trajectory = t.n AND NOT o.refresh), t.created),
    octet_length(t.body)
    + coalesce((SELECT sum(octet_length(o.body)) FROM observation o WHERE o.trajectory = t.n), 0)
    + coalesce((SELECT sum(octet_length(b.body)) FROM blob b WHERE b.name IN (
                SELECT u.blob FROM observation o JOIN use u ON u.observation = o.n WHERE o.trajectory = t.n)), 0),
    {_S}
FROM standing s JOIN trajectory t ON t.n = s.n WHERE s.seq < %s ORDER BY s.seq DESC, s.n LIMIT %s
"""
_SURVEYED = 6

# What a forged row with a matching digest can still raise: a plain digest has no key.
FORGED = (msgspec.DecodeError, ValueError, TypeError, RecursionError)


class Reader:
    """A reader that returns rows as records, and damaged rows as `Damaged`."""

    def __init__(self, seals: Seals, rendition: Rendition, refusal: str) -> None:
        """Set up the reader.

        `refusal` describes a row whose digest does not match, as in "the trajectory fails its digest".
        """
        self._seals = seals
        self._rendition = rendition
        self._refusal = refusal

    def find(self, connection: PooledConnection, key: bytes) -> Found:
        """Return the trajectories of a key; see `Store.find`."""
        damaged: list[Damaged] = []
        stored = self._stored(connection, connection.fetch(_BY_KEY, bytes(key)), damaged)
        return Found(stored=tuple(sorted(stored, key=lambda one: -one.seq)), damaged=tuple(damaged))

    def scan(self, connection: PooledConnection, after: int | None, limit: int) -> Found:
        """Return a page of trajectories; see `Store.scan`.

        Damaged rows do not count toward the limit, so only the last page can be empty.
        """
        stored: list[Stored] = []
        damaged: list[Damaged] = []
        while len(stored) < limit:
            left = limit - len(stored)
            rows = connection.fetch(_BELOW, _TOP if after is None else after, left)
            if not rows:
                break
            stored += self._stored(connection, rows, damaged)
            after = int(rows[-1][_STANDING_AT + 3])
        return Found(stored=tuple(stored), damaged=tuple(damaged))

    def get(self, connection: PooledConnection, id: str) -> Stored | Damaged | None:
        """Return a trajectory, or its damaged row; see `Store.get`."""
        rows = connection.fetch(BY_ID, to_text(id))
        damaged: list[Damaged] = []
        stored = self._stored(connection, rows, damaged)
        return stored[0] if stored else damaged[0] if damaged else None

    def survey(self, connection: PooledConnection, after: int | None, limit: int) -> tuple[Summary, ...]:
        """Return a page of summaries; see `Surveying.survey`.

        Rows with a damaged standing are left out, and do not count toward the limit. The digest of a trajectory is not
        checked, because it covers the body.
        """
        found: list[Summary] = []
        while len(found) < limit:
            rows = connection.fetch(_SURVEY, _TOP if after is None else after, limit - len(found))
            if not rows:
                break
            after = int(rows[-1][_SURVEYED + 3])
            counts = self._counts(connection, {int(row[_SURVEYED]): row[0] for row in rows})
            found += [one for row in rows if (one := self._summary(row, counts)) is not None]
        return tuple(found)

    def _summary(self, row: tuple[Any, ...], counts: dict[int, list[Note]]) -> Summary | None:
        id, key, created, head, recorded, size = row[:_SURVEYED]
        known = self._standing(id, row[_SURVEYED:])
        if known is None:
            return None
        seq, standing = known[0], _added(known[1], counts.get(int(row[_SURVEYED]), []))
        return Summary(
            id=from_text(id),
            key=key,
            seq=seq,
            state=standing.state,
            created=created,
            recorded=recorded,
            hits=standing.hits,
            last_hit=standing.last_hit,
            size=int(size),
            head=bytes(head),
        )

    def place(self, rows: Rows) -> tuple[int, int, Standing, bytes] | Damaged | None:
        """Return number, sequence number, standing and key of a row of `BY_ID`."""
        if not rows:
            return None
        head = self._head(rows[0])
        return head if isinstance(head, Damaged) else (int(rows[0][0]), head.seq, head.standing, head.sealed.key)

    def standings(self, rows: Rows) -> dict[bytes, tuple[int, int, Standing, bytes]]:
        """Return what `place` returns for each id in rows of `STANDINGS_OF`.

        The trajectories are not checked. A damaged standing is left out.
        """
        known = {bytes(row[1]): (row, self._standing(row[1], row[2:])) for row in rows}
        return {id: (int(row[2]), *found, bytes(row[0])) for id, (row, found) in known.items() if found is not None}

    def observed(self, rows: Rows, owner: bytes) -> list[tuple[int, bytes, ObservationRecord | None, bytes]]:
        """Return row number, id, record and body of the rows that `OBSERVED` selected.

        The record is None if it is damaged. Blobs are not checked.
        """
        return [(int(row[1]), bytes(row[5]), self._observation(owner, row), row[4]) for row in rows]

    def counts(self, rows: Rows, ids: dict[int, bytes]) -> dict[int, list[tuple[int, Note]]]:
        """Return the intact counts in rows of `EVIDENCE_OF`, by their trajectories.

        Each count has its row number. A copy of a row counts nothing. `ids` are the ids of the trajectories by their
        rows.
        """
        found: dict[int, list[tuple[int, Note]]] = {}
        counted: set[bytes] = set()
        for trajectory, n, digest, packed in rows:
            id = ids.get(int(trajectory), b"")
            if self._seals.is_intact("evidence", digest, id, packed):
                try:
                    record = decode(packed, EvidenceRecord)
                    note = read_evidence(record) if record.mark not in counted else Note(id="")
                    counted.add(record.mark)
                    found.setdefault(int(trajectory), []).append((int(n), note))
                except FORGED:
                    continue  # It counts nothing, and the check of the store's integrity reports it.
        return found

    def _counts(self, connection: PooledConnection, ids: dict[int, bytes]) -> dict[int, list[Note]]:
        found = self.counts(connection.fetch(_EVIDENCE, list(ids)), ids)
        return {n: [note for _, note in counts] for n, counts in found.items()}

    def _stored(self, connection: PooledConnection, rows: Rows, damaged: list[Damaged]) -> list[Stored]:
        heads: dict[int, Stored] = {}
        for row in rows:
            head = self._head(row)
            if isinstance(head, Damaged):
                damaged.append(head)
            else:
                heads[int(row[0])] = head
        if not heads:
            return []
        for n, counts in self._counts(connection, {n: to_text(head.sealed.id) for n, head in heads.items()}).items():
            heads[n] = msgspec.structs.replace(heads[n], standing=_added(heads[n].standing, counts))
        observed = connection.fetch(_OBSERVATIONS, list(heads))
        records = [self._observation(to_text(heads[row[0]].sealed.id), row) for row in observed]
        blobs = _blobs(connection, {name for record in records if record is not None for name in record.blobs})
        parts: dict[int, list[tuple[int, Observation]]] = {n: [] for n in heads}
        for row, record in zip(observed, records, strict=True):
            try:
                if record is None:
                    raise ValueError(self._refusal)
                whole = tuple(blobs[name] for name in record.blobs)
                parts[row[0]].append(read_observation(record, row[4], whole))
            except (KeyError, *FORGED) as error:
                why = "lacks a blob, or its blob fails its digest" if isinstance(error, KeyError) else str(error)
                sealed = heads[row[0]].sealed
                damaged.append(Damaged(id=sealed.id, what=f"observation {readable(row[5])} {why}", key=sealed.key))
        for part in parts.values():
            part.sort(key=lambda one: (-one[0], one[1].refresh, one[1].id))
        return [msgspec.structs.replace(head, observations=tuple(parts[n])) for n, head in heads.items()]

    def _head(self, row: tuple[Any, ...]) -> Stored | Damaged:
        if row[0] is None:
            return Damaged(id="", what=f"the trajectory of the standing in row {row[_STANDING_AT]} is missing")
        name, key = readable(row[4]), bytes(row[5])
        try:
            sealed = self._sealed(row)
            if sealed is None:
                return Damaged(id=name, what=f"the trajectory {self._refusal}", key=key)
            if row[_STANDING_AT] is None:
                return Damaged(id=name, what="the standing is missing", key=key)
            known = self._standing(row[4], row[_STANDING_AT:])
        except FORGED as error:
            return Damaged(id=name, what=f"the trajectory is not as muscle_mem writes it ({error})", key=key)
        if known is None:
            return Damaged(id=name, what=f"the standing {self._refusal}", key=key)
        return Stored(sealed=sealed, seq=known[0], standing=known[1])

    def _sealed(self, row: tuple[Any, ...]) -> Sealed | None:
        """Return the trajectory in a row, or None if it is damaged.

        It is damaged if it fails its digest, or if a column differs from the record.
        """
        _, digest, packed, body, *shown = row[:_STANDING_AT]
        if not self._seals.is_intact("trajectory", digest, packed, body):
            return None
        record = decode(packed, TrajectoryRecord)
        return read_trajectory(record, body) if tuple(shown) == self._rendition.trajectory(record) else None

    def _standing(self, id: bytes, row: tuple[Any, ...]) -> tuple[int, Standing] | None:
        """Return the standing in a row `n, digest, record, STANDING`; see `_sealed`."""
        _, digest, packed, *shown = row
        if not self._seals.is_intact("standing", digest, id, packed):
            return None
        try:
            record = decode(packed, StandingRecord)
            if tuple(shown) != self._rendition.standing(record):
                return None
            return read_standing(record)
        except FORGED:
            return None

    def _observation(self, owner: bytes, row: tuple[Any, ...]) -> ObservationRecord | None:
        """Return the observation in a row; see `_sealed`.

        The row is `trajectory, n, digest, record, body, OBSERVATION`.
        """
        _, _, digest, packed, body, *shown = row
        if not self._seals.is_intact("observation", digest, owner, packed, body):
            return None
        try:
            record = decode(packed, ObservationRecord)
        except FORGED:
            return None
        return record if tuple(shown) == self._rendition.observation(record) else None


def _added(standing: Standing, counts: list[Note]) -> Standing:
    for note in counts:
        standing = apply_note(standing, note)
    return standing


def _blobs(connection: PooledConnection, names: set[bytes]) -> dict[bytes, bytes]:
    """Return the blobs of these names that match their SHA-256."""
    if not names:
        return {}
    rows = connection.fetch("SELECT name, body FROM blob WHERE name = ANY(%s)", list(names))
    return {name: body for name, body in rows if sha256(body) == name}
