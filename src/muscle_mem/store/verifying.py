"""Verification of a whole store: digests of rows, and checks of the storage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeGuard, runtime_checkable

import msgspec

from ..errors import StoreError
from .base import Store
from .paging import Scan, pages_of


class Trouble(msgspec.Struct, frozen=True):
    """A problem found in a store.

    `kind` is `damaged` (a row that fails its digest), `file` (pages that cannot be read), `orphan` (a row without its
    owner), `sequence` (the row that numbers recordings) or `blob` (missing, altered or unused). `id` is the id of the
    trajectory, or "" if there is none. `what` describes the problem.
    """

    __module__ = "muscle_mem.store"

    kind: str
    id: str
    what: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """Result of verifying a store: counts of intact contents, and all problems.

    It is true if there are no problems.
    """

    __module__ = "muscle_mem.store"

    trajectories: int = 0
    observations: int = 0
    blobs: int = 0
    troubles: tuple[Trouble, ...] = ()

    def __bool__(self) -> bool:
        return not self.troubles


@runtime_checkable
class Inspecting(Protocol):
    """A store that can check its storage."""

    def inspect(self) -> tuple[Trouble, ...]:
        """Return problems of the storage that reading trajectories does not show.

        Changes nothing.
        """
        ...


Inspecting.__module__ = "muscle_mem.store"


def is_inspecting(value: object) -> TypeGuard[Inspecting]:
    """Return whether a store can check its storage, directly or by `__getattr__`."""
    return hasattr(value, "inspect")


def verify(store: Store) -> Verified:
    """Verify all rows of a store, and its storage if the store supports that.

    Changes nothing. A failure to read the store is reported as a problem, not raised.
    """
    inspect = store.inspect if is_inspecting(store) else None
    return verify_pages(lambda after, limit: store.scan(after=after, limit=limit), inspect)


def verify_pages(scan: Scan, inspect: Callable[[], tuple[Trouble, ...]] | None = None) -> Verified:
    """Verify the rows that a function returns, and a storage.

    Args:
        scan: A function with the result of `Store.scan`.
        inspect: A function that returns problems of the storage, or None.
    """
    trajectories = observations = blobs = 0
    troubles: list[Trouble] = []
    try:
        for intact, damaged in pages_of(scan):
            troubles += [Trouble("damaged", damaged_row.id, damaged_row.what) for damaged_row in damaged]
            trajectories += len(intact)
            for stored in intact:
                observations += len(stored.observations)
                blobs += sum(len(observation.blobs) for _, observation in stored.observations)
    except StoreError as error:
        troubles.append(Trouble("file", "", f"rows cannot be read to the end: {error}"))
    try:
        troubles += () if inspect is None else inspect()
    except StoreError as error:
        troubles.append(Trouble("file", "", f"storage cannot be checked: {error}"))
    return Verified(trajectories=trajectories, observations=observations, blobs=blobs, troubles=tuple(troubles))
