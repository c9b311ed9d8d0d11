"""Fields of stored rows and their conversion, shared by all databases.

Rows are made from records and converted back. Text is stored as bytes: UTF-8 with lone surrogates, because task texts
may contain them.
"""

from __future__ import annotations

import math
from typing import Any

from ..errors import StoreError
from .base import Observation, Sealed, Standing, Tally

Fields = tuple[Any, ...]


def to_text(value: str) -> bytes:
    """Return the bytes that are stored for a text."""
    return value.encode("utf-8", "surrogatepass")


def from_text(value: object) -> str:
    """Return the text of stored bytes.

    Raises:
        TypeError: The value is not bytes.
        ValueError: The bytes were not made by `to_text`.
    """
    if type(value) is not bytes:
        raise TypeError(f"expected text, got {value!r}")
    return value.decode("utf-8", "surrogatepass")


def readable(value: object) -> str:
    """Return the text of a row for display, even if the row is damaged."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def to_seconds(value: float) -> float:
    """Return a time as databases return it: a float, never negative zero."""
    if math.isnan(value):
        raise StoreError("time cannot be stored: expected a number, got NaN. Pass a time in seconds.")
    return float(value) + 0.0


def trajectory_fields(sealed: Sealed, tags: object) -> Fields:
    """Return the fields of a trajectory, without its body.

    Args:
        sealed: The trajectory.
        tags: Its tags, encoded by the backend.
    """
    return (
        to_text(sealed.id),
        bytes(sealed.key),
        int(sealed.steps),
        to_text(sealed.task),
        to_text(sealed.scope),
        tags,
        to_seconds(sealed.created),
        to_text(sealed.state),
        to_text(sealed.reason),
    )


def sealed_of(fields: Fields, tags: tuple[str, ...], body: bytes) -> Sealed:
    """Return the trajectory that `trajectory_fields` was given.

    Args:
        fields: The stored fields.
        tags: The decoded tags.
        body: The body.

    Raises:
        TypeError: A text field is not bytes.
        ValueError: A text field was not made by `to_text`.
    """
    id, key, steps, task, scope, _, created, state, reason = fields
    return Sealed(
        id=from_text(id),
        key=key,
        body=body,
        steps=steps,
        task=from_text(task),
        scope=from_text(scope),
        tags=tags,
        created=created,
        state=from_text(state),
        reason=from_text(reason),
    )


def standing_fields(seq: int, standing: Standing, held: object, checks: object) -> Fields:
    """Return the fields of a standing.

    Args:
        seq: The trajectory's sequence number.
        standing: The standing.
        held: Its flag `held`, encoded by the backend.
        checks: Its counts of checks, encoded by the backend.
    """
    return (
        seq,
        to_text(standing.state),
        to_text(standing.reason),
        held,
        int(standing.strikes),
        int(standing.hits),
        int(standing.failures),
        int(standing.agreed),
        int(standing.disagreed),
        to_seconds(standing.last_hit),
        checks,
    )


def standing_of(fields: Fields, checks: tuple[Tally, ...]) -> tuple[int, Standing]:
    """Return the sequence number and standing that `standing_fields` was given.

    Raises the errors of `sealed_of`.

    Args:
        fields: The stored fields.
        checks: The decoded counts of checks.
    """
    seq, state, reason, held, strikes, hits, failures, agreed, disagreed, last_hit, _ = fields
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
        checks=checks,
    )


def observation_fields(seq: int, observation: Observation, refresh: object) -> tuple[bytes, int, float, Any]:
    """Return the fields of an observation, without body and blobs.

    Args:
        seq: The observation's sequence number.
        observation: The observation.
        refresh: Its flag `refresh`, encoded by the backend.
    """
    return to_text(observation.id), seq, to_seconds(observation.created), refresh


def observation_of(fields: Fields, body: bytes, blobs: tuple[bytes, ...]) -> tuple[int, Observation]:
    """Return the sequence number and observation that `observation_fields` was given.

    Raises the errors of `sealed_of`.

    Args:
        fields: The stored fields.
        body: The body.
        blobs: The blobs, in order.
    """
    id, seq, created, refresh = fields
    return seq, Observation(id=from_text(id), body=body, created=created, refresh=bool(refresh), blobs=blobs)
