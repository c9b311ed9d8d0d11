"""Records to rows and back: the columns of a SQLite store, and the digests over them.

A row is a tuple of the raw values of its columns, text as bytes, so that what is digested is what lies in the
file. Text is UTF-8 with lone surrogates let through, for task texts may hold them.

The last column of a standing and of an observation came with version 2 of the store. While it is empty it is left out
of the digest, so that rows of version 1 are as good as they ever were, and their digests need not be made again.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypeVar

from ..errors import StoreError
from .base import Observation, Sealed, Standing, Tally
from .digest import Field, Signer, canonical, is_intact, sha256

T = TypeVar("T")
Row = tuple[Field, ...]

TRAJECTORY = "t.id, t.key, t.steps, t.task, t.scope, t.tags, t.created, t.first_state, t.first_reason, t.body"
STANDING = (
    "s.seq, s.state, s.reason, s.held, s.strikes, s.hits, s.failures, s.agreed, s.disagreed, s.last_hit, s.checks"
)
OBSERVATION = "o.id, o.seq, o.created, o.refresh, o.body, o.blobs"

_TRAJECTORY = (bytes, bytes, int, bytes, bytes, bytes, float, bytes, bytes, bytes)
_STANDING = (int, bytes, bytes, int, int, int, int, int, int, float, bytes)
_OBSERVATION = (bytes, int, float, int, bytes, bytes)

NAME = 32  # bytes of a blob's name


def to_text(value: str) -> bytes:
    """What is bound for a text column, to be CAST AS TEXT."""
    return value.encode("utf-8", "surrogatepass")


def from_text(value: object) -> str:
    """The text of a text column; TypeError or ValueError if `to_text` never made it."""
    if type(value) is not bytes:
        raise TypeError(f"{value!r} where text belongs")
    return value.decode("utf-8", "surrogatepass")


def _expect(kind: type[T], value: object) -> T:
    # A digest without a key can be forged: a hostile file may hold anything under a good digest.
    if type(value) is not kind:
        raise TypeError(f"{value!r} where {kind.__name__} belongs")
    return value


def _expect_all(kinds: tuple[type, ...], row: Row) -> tuple[Any, ...]:
    if tuple(map(type, row)) != kinds:
        for kind, value in zip(kinds, row, strict=True):
            _expect(kind, value)
    return row


def readable(value: object) -> str:
    """The text of a row that may be damaged, as well as it can be shown."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def to_seconds(value: float) -> float:
    """A time as SQLite gives it back: a float, without the sign of zero."""
    if math.isnan(value):
        raise StoreError("A time that is not a number (NaN) cannot be stored. Look at the clock given to the Engine.")
    return float(value) + 0.0


def trajectory_row(sealed: Sealed) -> Row:
    """The columns of TRAJECTORY."""
    return (
        to_text(sealed.id),
        bytes(sealed.key),
        int(sealed.steps),
        to_text(sealed.task),
        to_text(sealed.scope),
        to_text(json.dumps(sealed.tags, ensure_ascii=False)) if sealed.tags else b"[]",
        to_seconds(sealed.created),
        to_text(sealed.state),
        to_text(sealed.reason),
        bytes(sealed.body),
    )


def standing_row(seq: int, standing: Standing) -> Row:
    """The columns of STANDING."""
    return (
        seq,
        to_text(standing.state),
        to_text(standing.reason),
        int(standing.held),
        int(standing.strikes),
        int(standing.hits),
        int(standing.failures),
        int(standing.agreed),
        int(standing.disagreed),
        to_seconds(standing.last_hit),
        checks_text(standing.checks),
    )


def checks_text(checks: tuple[Tally, ...]) -> bytes:
    """What checks said, as JSON: a list of name, yes, no for each; empty for nothing said."""
    listed = [[tally.check, tally.yes, tally.no] for tally in checks]
    return to_text(json.dumps(listed, ensure_ascii=False)) if listed else b""


def observation_row(seq: int, observation: Observation) -> Row:
    """The columns of OBSERVATION; of its blobs only their names."""
    return (
        to_text(observation.id),
        seq,
        to_seconds(observation.created),
        int(observation.refresh),
        bytes(observation.body),
        b"".join(blob_name(blob) for blob in observation.blobs),
    )


def blob_name(blob: bytes) -> bytes:
    """The name that a blob is kept under, and checked by when it is read: its SHA-256."""
    return sha256(blob)


def blob_names(row: Row) -> tuple[bytes, ...]:
    """The names of an observation row's blobs, in order. TypeError or ValueError as `read_observation`."""
    names = _expect(bytes, row[-1])
    if len(names) % NAME:
        raise ValueError(f"{len(names)} bytes of blob names, which is not a multiple of {NAME}")
    return tuple(names[at : at + NAME] for at in range(0, len(names), NAME))


def read_trajectory(row: Row) -> Sealed:
    """The record of a trajectory row. TypeError or ValueError for one that `trajectory_row` never made."""
    id, key, steps, task, scope, tags, created, state, reason, body = _expect_all(_TRAJECTORY, row)
    return Sealed(
        id=from_text(id),
        key=key,
        body=body,
        steps=steps,
        task=from_text(task),
        scope=from_text(scope),
        tags=_read_tags(from_text(tags)),
        created=created,
        state=from_text(state),
        reason=from_text(reason),
    )


def _read_tags(text: str) -> tuple[str, ...]:
    if text == "[]":  # as nearly always
        return ()
    return tuple(_expect(str, tag) for tag in _expect(list, json.loads(text)))


def read_standing(row: Row) -> tuple[int, Standing]:
    """Sequence number and record of a standing row. Errors as `read_trajectory`."""
    seq, state, reason, held, strikes, hits, failures, agreed, disagreed, last_hit, checks = _expect_all(_STANDING, row)
    return seq, Standing(
        state=from_text(state),
        reason=from_text(reason),
        held=bool(held),
        strikes=strikes,
        hits=hits,
        failures=failures,
        agreed=agreed,
        disagreed=disagreed,
        last_hit=last_hit,
        checks=_read_checks(from_text(checks)) if checks else (),
    )


def _read_checks(text: str) -> tuple[Tally, ...]:
    found = []
    for one in _expect(list, json.loads(text)):
        check, yes, no = _expect(list, one)
        found.append(Tally(_expect(str, check), _expect(int, yes), _expect(int, no)))
    return tuple(found)


def read_observation(row: Row, blobs: tuple[bytes, ...] = ()) -> tuple[int, Observation]:
    """Sequence number and record of an observation row, with the blobs that `blob_names` names. Errors as there."""
    id, seq, created, refresh, body, _ = _expect_all(_OBSERVATION, row)
    return seq, Observation(id=from_text(id), body=body, created=created, refresh=bool(refresh), blobs=blobs)


def _digested(row: Row) -> Row:
    return row[:-1] if row[-1] == b"" else row


class Digests:
    """Makes and checks the digests of rows. Rows that belong to a trajectory are bound to its id."""

    def __init__(self, sign: Signer) -> None:
        self._sign = sign

    def of_trajectory(self, row: Row) -> bytes:
        return self._sign(canonical(b"trajectory", row))

    def of_standing(self, id: bytes, row: Row) -> bytes:
        return self._sign(canonical(b"standing", (id, *_digested(row))))

    def of_observation(self, id: bytes, row: Row) -> bytes:
        return self._sign(canonical(b"observation", (id, *_digested(row))))

    def of_sequence(self, last: int) -> bytes:
        return self._sign(canonical(b"sequence", (last,)))

    def is_trajectory_intact(self, row: Row, digest: object) -> bool:
        return is_intact(self._sign, b"trajectory", row, digest)

    def is_standing_intact(self, id: bytes, row: Row, digest: object) -> bool:
        return is_intact(self._sign, b"standing", (id, *_digested(row)), digest)

    def is_observation_intact(self, id: bytes, row: Row, digest: object) -> bool:
        return is_intact(self._sign, b"observation", (id, *_digested(row)), digest)

    def is_sequence_intact(self, last: object, digest: object) -> bool:
        return isinstance(last, int) and is_intact(self._sign, b"sequence", (last,), digest)
