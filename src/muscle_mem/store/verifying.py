"""Looking through a whole store: every row against its digest, and what the storage itself reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeGuard, runtime_checkable

import msgspec

from ..errors import StoreError
from .base import Store
from .paging import Scan, pages_of


class Trouble(msgspec.Struct, frozen=True):
    """Something wrong in a store: its kind as a word, the id of the trajectory it is about ("" for none), a sentence.

    Kinds: `damaged` (a row that fails its digest), `file` (pages that cannot be read), `orphan` (a row that belongs to
    nothing), `sequence` (the row that numbers recordings), `blob` (missing, altered, or not used).
    """

    __module__ = "muscle_mem.store"

    kind: str
    id: str
    what: str


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a look through a store found. Truthy if nothing is wrong."""

    __module__ = "muscle_mem.store"

    trajectories: int = 0
    observations: int = 0
    blobs: int = 0
    troubles: tuple[Trouble, ...] = ()

    def __bool__(self) -> bool:
        return not self.troubles


@runtime_checkable
class Inspecting(Protocol):
    """A store that can look at the place it lies in. Beyond the eight methods."""

    def inspect(self) -> tuple[Trouble, ...]:
        """What is wrong with the place, and cannot be seen by reading trajectories. Changes nothing."""
        ...


Inspecting.__module__ = "muscle_mem.store"


def is_inspecting(value: object) -> TypeGuard[Inspecting]:
    """Whether a store can look at its place; also one that answers by `__getattr__`."""
    return hasattr(value, "inspect")


def verify(store: Store) -> Verified:
    """Read all of a store, and have it look at its place; what is wrong. Changes nothing.

    Rows that cannot be read any further are a trouble, not an error.
    """
    inspect = store.inspect if is_inspecting(store) else None
    return verify_pages(lambda after, limit: store.scan(after=after, limit=limit), inspect)


def verify_pages(scan: Scan, inspect: Callable[[], tuple[Trouble, ...]] | None = None) -> Verified:
    """As `verify`, of whatever answers like a store. Both raise StoreErrors only."""
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
        troubles.append(Trouble("file", "", f"the rows cannot be read any further: {error}"))
    try:
        troubles += () if inspect is None else inspect()
    except StoreError as error:
        troubles.append(Trouble("file", "", f"it cannot be read through: {error}"))
    return Verified(trajectories=trajectories, observations=observations, blobs=blobs, troubles=tuple(troubles))
