"""Records to rows and back: what a PostgreSQL store keeps, and the digests over it.

A row is a `record`, which holds every field as bytes and numbers under a digest, and columns that repeat some of them:
text there is a readable rendition, for PostgreSQL's text takes neither NUL nor lone surrogates.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from ..base import Observation, Sealed, Standing, Tally
from ..digest import Signer, canonical, is_intact, sha256
from ..rows import from_text, to_seconds, to_text

T = TypeVar("T", bound=msgspec.Struct)
Values = tuple[Any, ...]


class TrajectoryRecord(msgspec.Struct, frozen=True, array_like=True):
    """All of a trajectory but its body. New fields come last, with a default."""

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
    """A sequence number and what is known of a trajectory."""

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


class ObservationRecord(msgspec.Struct, frozen=True, array_like=True):
    """All of an observation but its body; of its blobs the SHA-256."""

    id: bytes
    seq: int
    created: float
    refresh: bool
    blobs: tuple[bytes, ...]


TRAJECTORY = "id, key, task, scope, tags, steps, created"
STANDING = "seq, state, reason, held, strikes, hits, failures, agreed, disagreed, last_hit"
OBSERVATION = "id, seq, created, refresh"

encode = msgspec.msgpack.encode


def trajectory_record(sealed: Sealed) -> TrajectoryRecord:
    return TrajectoryRecord(
        to_text(sealed.id),
        bytes(sealed.key),
        int(sealed.steps),
        to_text(sealed.task),
        to_text(sealed.scope),
        tuple(to_text(tag) for tag in sealed.tags),
        to_seconds(sealed.created),
        to_text(sealed.state),
        to_text(sealed.reason),
    )


def standing_record(seq: int, standing: Standing) -> StandingRecord:
    return StandingRecord(
        seq,
        to_text(standing.state),
        to_text(standing.reason),
        bool(standing.held),
        int(standing.strikes),
        int(standing.hits),
        int(standing.failures),
        int(standing.agreed),
        int(standing.disagreed),
        to_seconds(standing.last_hit),
        tuple((to_text(tally.check), int(tally.yes), int(tally.no)) for tally in standing.checks),
    )


def observation_record(seq: int, observation: Observation) -> ObservationRecord:
    return ObservationRecord(
        to_text(observation.id),
        seq,
        to_seconds(observation.created),
        bool(observation.refresh),
        tuple(sha256(blob) for blob in observation.blobs),
    )


def sealed_of(record: TrajectoryRecord, body: bytes) -> Sealed:
    """UnicodeError for bytes that `to_text` never made."""
    return Sealed(
        id=from_text(record.id),
        key=record.key,
        body=body,
        steps=record.steps,
        task=from_text(record.task),
        scope=from_text(record.scope),
        tags=tuple(from_text(tag) for tag in record.tags),
        created=record.created,
        state=from_text(record.state),
        reason=from_text(record.reason),
    )


def standing_of(record: StandingRecord) -> Standing:
    """UnicodeError as `sealed_of`."""
    return Standing(
        state=from_text(record.state),
        reason=from_text(record.reason),
        held=record.held,
        strikes=record.strikes,
        hits=record.hits,
        failures=record.failures,
        agreed=record.agreed,
        disagreed=record.disagreed,
        last_hit=record.last_hit,
        checks=tuple(Tally(from_text(check), yes, no) for check, yes, no in record.checks),
    )


def observation_of(record: ObservationRecord, body: bytes, blobs: tuple[bytes, ...]) -> Observation:
    """UnicodeError as `sealed_of`."""
    return Observation(id=from_text(record.id), body=body, created=record.created, refresh=record.refresh, blobs=blobs)


class Rendition:
    """The columns that repeat a record. With `ascii`, for a database that cannot hold every text."""

    def __init__(self, ascii: bool = False) -> None:
        self.ascii = ascii

    def text(self, value: bytes) -> str:
        """Text as well as PostgreSQL can show it."""
        plain = value.decode("utf-8", "surrogatepass").replace("\0", "\\x00")
        return plain.encode("ascii" if self.ascii else "utf-8", "backslashreplace").decode()

    def trajectory(self, record: TrajectoryRecord) -> Values:
        """The columns TRAJECTORY."""
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
        """The columns STANDING."""
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
        """The columns OBSERVATION."""
        return record.id, record.seq, record.created, record.refresh


class Seals:
    """Makes and checks the digests of rows. Rows that belong to a trajectory are bound to its id."""

    def __init__(self, sign: Signer) -> None:
        self._sign = sign

    def of(self, kind: str, *parts: bytes) -> bytes:
        """The digest of a row of a kind: its owner's id, if it has one, its record, its body."""
        return self._sign(canonical(b"postgresql " + kind.encode(), parts))

    def is_intact(self, kind: str, digest: object, *parts: bytes) -> bool:
        return is_intact(self._sign, b"postgresql " + kind.encode(), parts, digest)


def decode(record: bytes, kind: type[T]) -> T:
    """The record in a row. msgspec.DecodeError for one that `encode` never made: there may be no key in a digest."""
    return msgspec.msgpack.decode(record, type=kind)
