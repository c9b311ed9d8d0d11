"""Copying everything from one store to another, over the protocol alone: signed again, in the order it was recorded."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from ..errors import DamagedStoreError, StoreError
from .base import Damaged, Note, Standing, Store, Stored
from .paging import pages

MAX_PENDING = 16  # trajectories that are kept in memory, for their next observation is mostly near


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a copy. `trajectories` and `observations` were written, `present` trajectories lacked nothing.

    `damaged` rows were not copied. `kept` are the ids of trajectories whose standing in the target is another than in
    the source: it was left as it is.
    """

    __module__ = "muscle_mem.store"

    trajectories: int = 0
    observations: int = 0
    present: int = 0
    damaged: tuple[Damaged, ...] = ()
    kept: tuple[str, ...] = ()


class _Position(msgspec.Struct, frozen=True):
    """An observation's place in the order of a store. A refresh comes after the recording whose number it shares."""

    seq: int
    refresh: bool
    trajectory: str
    observation: str


def copy_store(source: Store, target: Store) -> Copied:
    """Write all that `source` holds into `target`, oldest first, and return what was copied. Raises StoreError.

    A trajectory arrives with its standing in one transaction, each further observation in a separate one. Copying
    again writes only what is missing, so a copy that was cut off is mended by another. What others record in the
    source meanwhile may be missing until then. A refresh, which orders nothing, comes to stand with the recording
    before it. Contents pass through memory a few trajectories at a time.
    """
    if source is target or (source.url == target.url and not source.url.startswith("memory")):
        raise StoreError(f"The store {source.url!r} cannot be copied into itself. Give another target.")
    order, damaged = _order(source)
    told = {(damaged_row.id, damaged_row.what): damaged_row for damaged_row in damaged}
    copier = _Copier(source, target)
    for place in order:
        try:
            copier.copy(place)
        except DamagedStoreError as error:
            one = Damaged(id=place.trajectory, what=str(error))
            told.setdefault((one.id, one.what), one)
    return copier.result(tuple(told.values()))


def _order(source: Store) -> tuple[list[_Position], list[Damaged]]:
    """Every observation, oldest first; and what is damaged."""
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
                    Damaged(id=trajectory.sealed.id, what="no observation of it can be read", key=trajectory.sealed.key)
                )
    places.sort(key=lambda place: (place.seq, place.refresh))
    return places, damaged


class _Copier:
    def __init__(self, source: Store, target: Store) -> None:
        self._source = source
        self._target = target
        self._pending: OrderedDict[str, Stored | None] = OrderedDict()
        self._there: dict[str, set[str]] = {}  # trajectory -> its observations in the target, each touched once
        self._seen: set[str] = set()
        self._absent: set[str] = set()
        self._refreshed: set[str] = set()  # those that already have a refresh in the target
        self._new: set[str] = set()
        self._changed: set[str] = set()
        self._kept: list[str] = []
        self._observations = 0

    def copy(self, place: _Position) -> None:
        """Write one observation, and its trajectory with it. Raises DamagedStoreError if either side is damaged."""
        stored = self._stored(place.trajectory)
        if stored is None:
            return  # forgotten meanwhile
        row = next((row for _, row in stored.observations if row.id == place.observation), None)
        if row is None:
            return
        there = self._known(stored)
        if row.id in there or (row.refresh and place.trajectory in self._refreshed):
            return
        new = place.trajectory in self._absent
        self._absent.discard(place.trajectory)
        if not self._target.seal(stored.sealed, row, _as_note(stored) if new else None):
            self._seen.discard(place.trajectory)  # only a hit's refresh is left of it, which no store takes alone
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
            if found is not None and any(row.refresh for _, row in found.observations):
                self._refreshed.add(id)
        return self._there[id]


def _as_note(stored: Stored) -> Note:
    """What makes the standing of a new trajectory that of the one it is copied from."""
    standing: Standing = stored.standing
    return Note(
        id=stored.sealed.id,
        hits=standing.hits,
        failures=standing.failures,
        agreed=standing.agreed,
        disagreed=standing.disagreed,
        last_hit=standing.last_hit,
        strikes=standing.strikes,
        state=standing.state,
        reason=standing.reason,
        held=standing.held,
        by_person=True,
        checks=standing.checks,
    )
