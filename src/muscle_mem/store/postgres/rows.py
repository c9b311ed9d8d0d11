"""Conversion between records and rows of a PostgreSQL store, and their digests.

A row has a `record` and columns. The record contains every field as bytes and numbers, under a digest. The columns
repeat some of the fields. Their text is for display, because PostgreSQL's text accepts neither NUL nor lone surrogates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from ..base import Note, Observation, Sealed, Standing, Tally
from ..digest import Signer, canonical, is_intact, sha256
from ..rows import (
    Fields,
    from_text,
    observation_fields,
    observation_of,
    sealed_of,
    standing_fields,
    standing_of,
    to_seconds,
    to_text,
    trajectory_fields,
)

T = TypeVar("T", bound=msgspec.Struct)
Values = tuple[Any, ...]


class TrajectoryRecord(msgspec.Struct, frozen=True, array_like=True):
    """All fields of a trajectory except its body. New fields go last, with a default."""

    id: bytes
    key: bytes
    steps: int
    task: bytes
    scope: bytes
    tags: tuple[bytes, ...]
    created: float
    state: bytes
    reason: bytes


class StandingRecord(msgspec.Struct, frozen=True, array_like=True):
    """The sequence number and the standing of a trajectory."""

    seq: int
    state: bytes
    reason: bytes
    held: bool
    strikes: int
    hits: int
    failures: int
    agreed: int
    disagreed: int
    last_hit: float
    checks: tuple[tuple[bytes, int, int], ...]


class EvidenceRecord(msgspec.Struct, frozen=True, array_like=True):
    """Counts that are not in the standing yet. `mark` makes each row unique."""

    mark: bytes
    hits: int
    failures: int
    agreed: int
    disagreed: int
    last_hit: float | None
    checks: tuple[tuple[bytes, int, int], ...]


class ObservationRecord(msgspec.Struct, frozen=True, array_like=True):
    """All fields of an observation except its body, and the SHA-256 of its blobs."""

    id: bytes
    seq: int
    created: float
    refresh: bool
    blobs: tuple[bytes, ...]


TRAJECTORY = "id, key, task, scope, tags, steps, created"
STANDING = "seq, state, reason, held, strikes, hits, failures, agreed, disagreed, last_hit"
OBSERVATION = "id, seq, created, refresh"

encode = msgspec.msgpack.encode
_fields: Callable[[msgspec.Struct], Fields] = msgspec.structs.astuple


def trajectory_record(sealed: Sealed) -> TrajectoryRecord:
    return TrajectoryRecord(*trajectory_fields(sealed, tuple(to_text(tag) for tag in sealed.tags)))


def standing_record(seq: int, standing: Standing) -> StandingRecord:
    checks = tuple((to_text(tally.check), int(tally.yes), int(tally.no)) for tally in standing.checks)
    return StandingRecord(*standing_fields(seq, standing, bool(standing.held), checks))


def observation_record(seq: int, observation: Observation) -> ObservationRecord:
    fields = observation_fields(seq, observation, bool(observation.refresh))
    return ObservationRecord(*fields, tuple(sha256(blob) for blob in observation.blobs))


def evidence_record(mark: bytes, note: Note) -> EvidenceRecord:
    checks = tuple((to_text(tally.check), int(tally.yes), int(tally.no)) for tally in note.checks)
    last_hit = to_seconds(note.last_hit) if note.last_hit is not None else None
    return EvidenceRecord(
        mark, int(note.hits), int(note.failures), int(note.agreed), int(note.disagreed), last_hit, checks
    )


def read_trajectory(record: TrajectoryRecord, body: bytes) -> Sealed:
    """Return a trajectory. Raises UnicodeError for bytes that `to_text` did not make."""
    return sealed_of(_fields(record), tuple(from_text(tag) for tag in record.tags), body)


def read_standing(record: StandingRecord) -> tuple[int, Standing]:
    """Return sequence number and standing. Raises what `read_trajectory` raises."""
    checks = tuple(Tally(from_text(check), yes, no) for check, yes, no in record.checks)
    return standing_of(_fields(record), checks)


def read_evidence(record: EvidenceRecord) -> Note:
    """Return counts as a note without an id. Raises what `read_trajectory` raises."""
    checks = tuple(Tally(from_text(check), yes, no) for check, yes, no in record.checks)
    return Note(
        id="",
        hits=record.hits,
        failures=record.failures,
        agreed=record.agreed,
        disagreed=record.disagreed,
        last_hit=record.last_hit,
        checks=checks,
    )


def read_observation(record: ObservationRecord, body: bytes, blobs: tuple[bytes, ...]) -> tuple[int, Observation]:
    """Return sequence number and observation. Raises what `read_trajectory` raises."""
    return observation_of(_fields(record)[:-1], body, blobs)


class Rendition:
    """The columns that repeat fields of a record.

    With `ascii`, text is escaped for a database that cannot hold every character.
    """

    def __init__(self, ascii: bool = False) -> None:
        self.ascii = ascii

    def text(self, value: bytes) -> str:
        """Return a text for display, with escapes for what PostgreSQL cannot store."""
        plain = value.decode("utf-8", "surrogatepass").replace("\0", "\\x00")
        return plain.encode("ascii" if self.ascii else "utf-8", "backslashreplace").decode()

    def trajectory(self, record: TrajectoryRecord) -> Values:
        """Return the values of the columns TRAJECTORY."""
        tags = [self.text(tag) for tag in record.tags]
        return (
            record.id,
            record.key,
            self.text(record.task),
            self.text(record.scope),
            tags,
            record.steps,
            record.created,
        )

    def standing(self, record: StandingRecord) -> Values:
        """Return the values of the columns STANDING."""
        return (
            record.seq,
            self.text(record.state),
            self.text(record.reason),
            record.held,
            record.strikes,
            record.hits,
            record.failures,
            record.agreed,
            record.disagreed,
            record.last_hit,
        )

    def observation(self, record: ObservationRecord) -> Values:
        """Return the values of the columns OBSERVATION."""
        return record.id, record.seq, record.created, record.refresh


class Seals:
    """The digests of rows. The digest of a row of a trajectory covers its id."""

    def __init__(self, sign: Signer) -> None:
        self._sign = sign

    def of(self, kind: str, *parts: bytes) -> bytes:
        """Return the digest of a row.

        The parts are the id of its trajectory unless the record has it, its record and its body.
        """
        return self._sign(canonical(b"postgresql " + kind.encode(), parts))

    def is_intact(self, kind: str, digest: object, *parts: bytes) -> bool:
        return is_intact(self._sign, b"postgresql " + kind.encode(), parts, digest)


def decode(record: bytes, kind: type[T]) -> T:
    """Return the record in a row.

    Raises msgspec.DecodeError for bytes that `encode` did not make. A plain digest does not exclude them.
    """
    return msgspec.msgpack.decode(record, type=kind)
