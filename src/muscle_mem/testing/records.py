"""Records for tests of stores, and helpers that read results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..store.base import Found, Observation, Sealed, Standing, Store, is_confirming

KEY = bytes(range(32))
OTHER_KEY = bytes(reversed(range(32)))


def a_trajectory(id: str = "t1", key: bytes = KEY, **changes: Any) -> Sealed:
    """Return a trajectory with a value in each field.

    Args:
        id: The id of the trajectory.
        key: The key of its task.
        changes: Values of other fields of `Sealed`.
    """
    fields: dict[str, Any] = {
        "body": f"body of {id!a}".encode() + bytes(range(256)),
        "steps": 3,
        "task": "pay the bill",
        "scope": "tenant-42",
        "tags": ("home", "Büro"),
        "created": 1_700_000_000.25,
        "state": "fresh",
        "reason": "",
    }
    return Sealed(id=id, key=key, **(fields | changes))


def an_observation(id: str = "o1", body: bytes = b"\x00snapshots", **changes: Any) -> Observation:
    """Return one observation of a trajectory.

    Args:
        id: The id of the observation.
        body: Its stored bytes.
        changes: Values of other fields of `Observation`.
    """
    return Observation(id=id, body=body, **({"created": 1_700_000_001.5} | changes))


def confirm(store: Store, key: bytes = KEY) -> None:
    """Update `version(key)` in a store where it can lag behind the writes of others.

    Args:
        store: The store, which may lack `confirm`.
        key: The key to confirm.
    """
    if is_confirming(store):
        store.confirm(key)


def ids(found: Found) -> list[str]:
    """Return the ids of a result, in its order."""
    return [one.sealed.id for one in found.stored]


def observed(store: Store, id: str = "t1") -> list[tuple[int, str]]:
    """Return sequence numbers and ids of the observations of an existing trajectory.

    Args:
        store: The store to read.
        id: The id of the trajectory.

    Returns:
        Pairs of sequence number and id, in the order of the store.
    """
    stored = store.get(id)
    assert stored is not None
    return [(seq, one.id) for seq, one in stored.observations]


def standing_of(store: Store, id: str = "t1") -> Standing:
    """Return the standing of an existing trajectory.

    Args:
        store: The store to read.
        id: The id of the trajectory.
    """
    stored = store.get(id)
    assert stored is not None
    return stored.standing


def raised_by(call: Callable[[], object]) -> BaseException | None:
    """Return the exception that a call raises, or None."""
    try:
        call()
    except BaseException as error:
        return error
    return None
