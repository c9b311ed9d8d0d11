"""Records for tests of stores, and short ways to look at what a store answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..store.base import Found, Observation, Sealed, Standing, Store, is_confirming

KEY = bytes(range(32))
OTHER_KEY = bytes(reversed(range(32)))


def a_trajectory(id: str = "t1", key: bytes = KEY, **changes: Any) -> Sealed:
    """A trajectory with something in each field."""
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
    """One recording of a trajectory."""
    return Observation(id=id, body=body, **({"created": 1_700_000_001.5} | changes))


def confirm(store: Store, key: bytes = KEY) -> None:
    """Bring `version(key)` up to now, where it may lag behind what others wrote."""
    if is_confirming(store):
        store.confirm(key)


def ids(found: Found) -> list[str]:
    """The ids of an answer, in its order."""
    return [one.sealed.id for one in found.stored]


def observed(store: Store, id: str = "t1") -> list[tuple[int, str]]:
    """Sequence numbers and ids of a trajectory's observations, in the store's order."""
    stored = store.get(id)
    assert stored is not None
    return [(seq, one.id) for seq, one in stored.observations]


def standing_of(store: Store, id: str = "t1") -> Standing:
    """The standing of a trajectory that is there."""
    stored = store.get(id)
    assert stored is not None
    return stored.standing


def raised_by(call: Callable[[], object]) -> BaseException | None:
    """What a call raises, or None."""
    try:
        call()
    except BaseException as error:
        return error
    return None
