"""Copies of whole stores, signed again, in recording order.

They are made through the `Store` protocol.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from ..errors import DamagedStoreError, StoreError
from .base import Damaged, Note, Store, Stored
from .paging import pages
from .verdicts import is_pending, unapproved

MAX_PENDING = 16  # Trajectories kept in memory, because the next observation often belongs to one of them.


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a copy.

    `trajectories` and `observations` count what was written, `present` the trajectories that were already complete.
    `damaged` rows were not copied. `kept` are the ids of trajectories whose standing differs between source and target;
    the target's was kept.
    """

    __module__ = "muscle_mem.store"

    trajectories: int = 0
    observations: int = 0
    present: int = 0
    damaged: tuple[Damaged, ...] = ()
    kept: tuple[str, ...] = ()


class _Position(msgspec.Struct, frozen=True):
    """Position of an observation in the order of a store.

    A refresh comes after the recording with the same sequence number.
    """

    seq: int
    refresh: bool
    trajectory: str
    observation: str


def copy_store(source: Store, target: Store, *, approve: bool = True) -> Copied:
    """Copy all contents of one store into another, oldest first.

    A trajectory and its standing are written in one transaction, each further observation in a separate one. Copying
    again writes only what is missing, so repeat an interrupted copy to complete it. Recordings that are added to the
    source during the copy may be missing in the target. Memory holds a few trajectories at a time.

    Args:
        source: The store to read. It is not changed.
        target: The store to write. Its existing contents are kept.
        approve: Whether what is copied may be replayed as in the source. Otherwise it is quarantined until you approve
            it, and trajectories that the target has already get no recordings.

    Returns:
        Counts of what was copied, and what was not copied or left unchanged.

    Raises:
        StoreError: A store failed, or both are the same store. What was copied until then stays in the target.
    """
    if source is target or (source.url == target.url and not source.url.startswith("memory")):
        raise StoreError(f"store {source.url!r} cannot be copied into itself. Pass another target.")
    order, damaged = _order(source)
    reported = {(damaged_row.id, damaged_row.what): damaged_row for damaged_row in damaged}
    copier = _Copier(source, target, approve)
    for place in order:
        try:
            copier.copy(place)
        except DamagedStoreError as error:
            one = Damaged(id=place.trajectory, what=str(error))
            reported.setdefault((one.id, one.what), one)
    return copier.result(tuple(reported.values()))


def _order(source: Store) -> tuple[list[_Position], list[Damaged]]:
    """Return the positions of all observations, oldest first, and all damaged rows."""
    places: list[_Position] = []
    damaged: list[Damaged] = []
    for stored, broken in pages(source):
        damaged += broken
        for trajectory in stored:
            first = min((seq for seq, row in trajectory.observations if not row.refresh), default=0)
            places += [
                _Position(max(seq, first), row.refresh, trajectory.sealed.id, row.id)
                for seq, row in trajectory.observations
            ]
            if not trajectory.observations:
                damaged.append(
                    Damaged(id=trajectory.sealed.id, what="no observation of it is readable", key=trajectory.sealed.key)
                )
    places.sort(key=lambda place: (place.seq, place.refresh))
    return places, damaged


class _Copier:
    def __init__(self, source: Store, target: Store, approve: bool) -> None:
        self._source = source
        self._approve = approve
        self._target = target
        self._pending: OrderedDict[str, Stored | None] = OrderedDict()
        self._there: dict[str, set[str]] = {}  # Observations in the target, by trajectory.
        self._seen: set[str] = set()
        self._absent: set[str] = set()
        self._refreshed: set[str] = set()  # Trajectories that have a refresh in the target.
        self._new: set[str] = set()
        self._changed: set[str] = set()
        self._pending_there: set[str] = set()  # Trajectories that wait for an approval in the target.
        self._kept: list[str] = []
        self._observations = 0

    def copy(self, place: _Position) -> None:
        """Write one observation, and its trajectory if it is missing.

        Raises:
            DamagedStoreError: The trajectory is damaged in the source or in the target.
        """
        stored = self._stored(place.trajectory)
        if stored is None:
            return  # It was deleted since the scan.
        row = next((row for _, row in stored.observations if row.id == place.observation), None)
        if row is None:
            return
        there = self._known(stored)
        if row.id in there or (row.refresh and place.trajectory in self._refreshed):
            return
        new = place.trajectory in self._absent
        if not (new or self._approve or place.trajectory in self._pending_there):
            return
        self._absent.discard(place.trajectory)
        if new and not self._approve:
            stored = _unapproved(stored)
            self._pending_there.add(place.trajectory)
        if not self._target.seal(stored.sealed, row, _as_note(stored) if new else None):
            self._seen.discard(place.trajectory)  # Stores do not accept a refresh without its trajectory.
            return
        there.add(row.id)
        self._observations += 1
        (self._new if new else self._changed).add(place.trajectory)

    def result(self, damaged: tuple[Damaged, ...]) -> Copied:
        return Copied(
            trajectories=len(self._new),
            observations=self._observations,
            present=len(self._seen - self._new - self._changed),
            damaged=damaged,
            kept=tuple(self._kept),
        )

    def _stored(self, id: str) -> Stored | None:
        if id in self._pending:
            self._pending.move_to_end(id)
        else:
            self._pending[id] = self._source.get(id)
            if len(self._pending) > MAX_PENDING:
                self._pending.popitem(last=False)
        return self._pending[id]

    def _known(self, stored: Stored) -> set[str]:
        id = stored.sealed.id
        if id not in self._there:
            found = self._target.get(id)
            self._there[id] = set() if found is None else {row.id for _, row in found.observations}
            self._seen.add(id)
            if found is None:
                self._absent.add(id)
            elif found.standing != stored.standing:
                self._kept.append(id)
                self._pending_there |= {id} if is_pending(found.standing) else set()
            if found is not None and any(row.refresh for _, row in found.observations):
                self._refreshed.add(id)
        return self._there[id]


def _unapproved(stored: Stored) -> Stored:
    """Return a trajectory as one that waits for an approval."""
    standing = unapproved(stored.standing)
    sealed = msgspec.structs.replace(stored.sealed, state=standing.state, reason=standing.reason)
    return msgspec.structs.replace(stored, sealed=sealed, standing=standing)


def _as_note(stored: Stored) -> Note:
    """Return a note that gives a new trajectory the standing of the source."""
    return Note(id=stored.sealed.id, by_person=True, **msgspec.structs.asdict(stored.standing))
