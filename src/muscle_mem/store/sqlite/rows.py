"""Rows of a SQLite store: their columns, conversion and digests.

A row is a tuple of raw column values with text as bytes, so that a digest covers exactly what the file holds.

Store version 2 added the last column of a standing and of an observation. The digest leaves it out while it is empty,
so that rows of version 1 keep their digests.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from ..base import Observation, Sealed, Standing, Tally
from ..digest import Field, Signer, canonical, is_intact, sha256
from ..rows import (
    from_text,
    observation_fields,
    observation_of,
    sealed_of,
    standing_fields,
    standing_of,
    to_text,
    trajectory_fields,
)

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

NAME = 32  # The size of a blob's name in bytes.


def _expect(kind: type[T], value: object) -> T:
    # A digest without a key can be forged, so a row with a valid digest may contain anything.
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value


def _expect_all(kinds: tuple[type, ...], row: Row) -> tuple[Any, ...]:
    if tuple(map(type, row)) != kinds:
        for kind, value in zip(kinds, row, strict=True):
            _expect(kind, value)
    return row


def trajectory_row(sealed: Sealed) -> Row:
    """Return the columns of TRAJECTORY."""
    tags = to_text(json.dumps(sealed.tags, ensure_ascii=False)) if sealed.tags else b"[]"
    return *trajectory_fields(sealed, tags), bytes(sealed.body)


def standing_row(seq: int, standing: Standing) -> Row:
    """Return the columns of STANDING."""
    return standing_fields(seq, standing, int(standing.held), checks_text(standing.checks))


def checks_text(checks: tuple[Tally, ...]) -> bytes:
    """Return counts of checks as a JSON list of [name, yes, no], empty for none."""
    listed = [[tally.check, tally.yes, tally.no] for tally in checks]
    return to_text(json.dumps(listed, ensure_ascii=False)) if listed else b""


def observation_row(seq: int, observation: Observation) -> Row:
    """Return the columns of OBSERVATION, with the names of its blobs."""
    return (
        *observation_fields(seq, observation, int(observation.refresh)),
        bytes(observation.body),
        b"".join(blob_name(blob) for blob in observation.blobs),
    )


def blob_name(blob: bytes) -> bytes:
    """Return the SHA-256 that a blob is stored under and verified by."""
    return sha256(blob)


def blob_names(row: Row) -> tuple[bytes, ...]:
    """Return the names of an observation row's blobs, in order.

    Raises TypeError or ValueError for a row that `observation_row` did not make.
    """
    names = _expect(bytes, row[-1])
    if len(names) % NAME:
        raise ValueError(f"expected blob names of {NAME} bytes each, got {len(names)} bytes")
    return tuple(names[at : at + NAME] for at in range(0, len(names), NAME))


def read_trajectory(row: Row) -> Sealed:
    """Return the record of a trajectory row.

    Raises TypeError or ValueError for a row that `trajectory_row` did not make.
    """
    *fields, body = _expect_all(_TRAJECTORY, row)
    return sealed_of(tuple(fields), _read_tags(from_text(fields[5])), body)


def _read_tags(text: str) -> tuple[str, ...]:
    if text == "[]":  # Most trajectories have no tags; this saves a JSON parse.
        return ()
    return tuple(_expect(str, tag) for tag in _expect(list, json.loads(text)))


def read_standing(row: Row) -> tuple[int, Standing]:
    """Return sequence number and record of a standing row.

    Raises the errors of `read_trajectory`.
    """
    fields = _expect_all(_STANDING, row)
    return standing_of(fields, _read_checks(from_text(fields[-1])) if fields[-1] else ())


def _read_checks(text: str) -> tuple[Tally, ...]:
    found = []
    for one in _expect(list, json.loads(text)):
        check, yes, no = _expect(list, one)
        found.append(Tally(_expect(str, check), _expect(int, yes), _expect(int, no)))
    return tuple(found)


def read_observation(row: Row, blobs: tuple[bytes, ...] = ()) -> tuple[int, Observation]:
    """Return sequence number and record of an observation row.

    Raises the errors of `read_trajectory`.
    """
    *fields, body, _ = _expect_all(_OBSERVATION, row)
    return observation_of(tuple(fields), body, blobs)


def _digested(row: Row) -> Row:
    return row[:-1] if row[-1] == b"" else row


class Digests:
    """Digests of rows; those of standings and observations include the owner's id."""

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
