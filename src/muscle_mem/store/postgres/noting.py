"""Standings of trajectories in a PostgreSQL store, and the notes that change them.

A note that only counts becomes a row by itself, so that writers do not wait for each other. The next note that changes
the standing adds the counts to it.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from ..base import Note, Standing
from ..rows import to_text
from ..standing import add_tallies, apply_note
from .connections import Rows
from .reader import EVIDENCE_OF, STANDINGS_OF
from .rows import STANDING, encode, evidence_record, standing_record
from .writer import Writer

FOLD_AT = 64  # Rows of counts at which a note that only counts adds them to the standing.

_MARKS = ", ".join(["%s"] * (STANDING.count(",") + 1))
# The order keeps writers of the same trajectories from waiting for each other in a circle.
LOCK_STANDINGS = (
    "SELECT s.n FROM standing s JOIN trajectory t ON t.n = s.n WHERE t.id = ANY(%s::bytea[]) ORDER BY s.n "
    "FOR UPDATE OF s"
)
_INSERT = (
    f"INSERT INTO standing({STANDING}, digest, record, n) SELECT {_MARKS}, %s, %s, n FROM trajectory WHERE id = %s"
)
_UPDATE = f"UPDATE standing SET ({STANDING}, digest, record) = ROW({_MARKS}, %s, %s) WHERE n = %s"
_COUNT = "INSERT INTO evidence(trajectory, digest, record) SELECT n, %s, %s FROM trajectory WHERE n = %s"
_MANY = (
    "SELECT t.id FROM trajectory t WHERE t.id = ANY(%s::bytea[]) AND "
    f"(SELECT count(*) FROM evidence e WHERE e.trajectory = t.n) >= {FOLD_AT}"
)
_TRY = LOCK_STANDINGS + " SKIP LOCKED"


class _Row(msgspec.Struct):
    """The standing of a trajectory, before and after.

    `n` is None for a new one. `counted` are the rows of counts that `after` includes.
    """

    n: int | None
    seq: int
    before: Standing
    after: Standing
    key: bytes
    counted: list[int]
    is_new: bool = False


class Standings:
    """The standings that a transaction reads and changes.

    `ids` are those of the trajectories. The standings of those with True are locked, because they change; the others
    only get counts.
    """

    def __init__(self, writer: Writer, ids: dict[bytes, bool]) -> None:
        self._writer = writer
        self._ids = sorted(ids)
        self._locked = {id for id, locks in ids.items() if locks}
        self._rows: dict[bytes, _Row] = {}
        self._counts: dict[bytes, Note] = {}

    def queries(self) -> list[tuple[Any, ...]]:
        """Return what to ask, with its values. The answers go to `read`."""
        asked: list[tuple[Any, ...]] = [(STANDINGS_OF, self._ids)]
        if self._locked:
            locked = sorted(self._locked)
            asked = [(LOCK_STANDINGS, locked), *asked, (EVIDENCE_OF, locked)]
        free = [id for id in self._ids if id not in self._locked]
        return [*asked, (_MANY, free)] if free else asked

    def read(self, answers: list[Rows]) -> None:
        """Take the answers to `queries`."""
        has_locked, has_free = bool(self._locked), len(self._locked) < len(self._ids)
        self._take(answers[has_locked], answers[2] if has_locked else [])
        if has_free and answers[-1]:
            self._lock_free([bytes(id) for (id,) in answers[-1]])

    def _take(self, standings: Rows, evidence: Rows) -> None:
        reader = self._writer.reader
        places = reader.standings(standings)
        counts = reader.counts(evidence, {place[0]: id for id, place in places.items()})
        for id, (n, seq, before, key) in places.items():
            row = self._rows[id] = _Row(n, seq, before, before, key, [])
            for number, note in counts.get(n, ()):
                row.after = apply_note(row.after, note)
                row.counted.append(number)
            row.before = row.after

    def _lock_free(self, ids: list[bytes]) -> None:
        """Lock those of the standings that no other transaction has locked."""
        locked = self._writer.ask((f"SELECT t.id FROM trajectory t WHERE t.n IN ({_TRY})", ids))[0]
        free = [bytes(id) for (id,) in locked]
        if free:
            self._locked.update(free)
            standings, evidence = self._writer.ask((STANDINGS_OF, free), (EVIDENCE_OF, free))
            self._take(standings, evidence)

    def add(self, id: bytes, seq: int, standing: Standing, key: bytes) -> None:
        """Add the standing of a new trajectory."""
        self._rows[id] = _Row(None, seq, standing, standing, key, [], is_new=True)

    def move(self, id: bytes, seq: int) -> None:
        """Give a standing another sequence number."""
        self._rows[id].seq = seq
        self._rows[id].is_new = True

    def apply(self, note: Note) -> None:
        """Apply one note. It is dropped if the standing is unknown or damaged.

        A damaged standing is never overwritten. A change of counters alone is not announced.
        """
        id = to_text(note.id)
        row = self._rows.get(id)
        if row is None:
            return
        if id in self._locked:
            row.after = apply_note(row.after, note)
            return
        known = self._counts.get(id)
        self._counts[id] = note if known is None else _sum(known, note)

    def write(self) -> None:
        """Write what has changed when the transaction ends."""
        writer = self._writer
        for id, row in self._rows.items():
            if row.is_new or row.counted or row.after != row.before:
                self._write(id, row)
            if _decisive(row.after) != _decisive(row.before):
                writer.changes.keys.add(row.key)
        for id, note in self._counts.items():
            packed = encode(evidence_record(os.urandom(12), note))
            writer.put(_COUNT, writer.seals.of("evidence", id, packed), packed, self._rows[id].n)

    def _write(self, id: bytes, row: _Row) -> None:
        writer = self._writer
        record = standing_record(row.seq, row.after)
        packed = encode(record)
        values = (*writer.rendition.standing(record), writer.seals.of("standing", id, packed), packed)
        if row.n is None:
            writer.put(_INSERT, *values, id)
        else:
            writer.put(_UPDATE, *values, row.n)
        if row.counted:
            writer.put("DELETE FROM evidence WHERE n = ANY(%s::bigint[])", row.counted)


def note(writer: Writer, notes: tuple[Note, ...]) -> int:
    """Apply notes in order, and return their number."""
    ids: dict[bytes, bool] = {}
    for one in notes:
        id = to_text(one.id)
        ids[id] = ids.get(id, False) or decides(one)
    standings = Standings(writer, ids)
    standings.read(writer.ask(*standings.queries()))
    for one in notes:
        standings.apply(one)
    standings.write()
    return len(notes)


def decides(note: Note) -> bool:
    """Return whether a note changes more than counts."""
    return any(value is not None for value in (note.state, note.held, note.strikes, note.reason))


def _decisive(standing: Standing) -> tuple[object, ...]:
    return standing.state, standing.reason, standing.held, standing.strikes


def _sum(one: Note, other: Note) -> Note:
    return Note(
        id=one.id,
        hits=one.hits + other.hits,
        failures=one.failures + other.failures,
        agreed=one.agreed + other.agreed,
        disagreed=one.disagreed + other.disagreed,
        last_hit=other.last_hit if other.last_hit is not None else one.last_hit,
        checks=add_tallies(one.checks, other.checks),
    )
