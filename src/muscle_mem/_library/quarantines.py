"""Quarantines that are known in memory, for a store that went back in time.

After a failover to a server that lacks the last changes, or after a restored backup, the store may offer what was in
quarantine. What this process knows is kept, and written to the store again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.plan.trust import trust_level
from ..store.base import FRESH, QUARANTINED, TRUSTED, Found, Note, Standing, Stored

if TYPE_CHECKING:
    from .cache import CacheEntry
    from .library import Library

MAX_KEPT = 10_000


class _Kept(msgspec.Struct, frozen=True):
    """A standing that is known.

    `sign` is of the one that the store had when it went back.
    """

    known: Standing
    sign: tuple[object, ...]


class KeptQuarantines:
    """The quarantines that the store has lost.

    Each is kept until the store has it again, or has newer news.
    """

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def __bool__(self) -> bool:
        return bool(self._kept)

    def keep(self, known: Iterable[ReadyTrajectory], found: Found) -> None:
        """Keep the known quarantines that a store which may have gone back no longer has."""
        stored = {one.sealed.id: one for one in found.stored}
        for trajectory in known:
            one = stored.get(trajectory.id)
            if one is None or trajectory.standing.state != QUARANTINED or one.standing.state not in (FRESH, TRUSTED):
                continue
            if _is_not_newer(one, trajectory) and len(self._kept) < MAX_KEPT:
                self._kept[trajectory.id] = _Kept(trajectory.standing, _sign(one, trajectory.standing))

    def apply(self, found: Found) -> tuple[Found, tuple[Note, ...]]:
        """Return what was found with the kept quarantines, and notes of them.

        The notes are for the store.
        """
        stored, notes = list(found.stored), []
        for index, one in enumerate(stored):
            kept = self._kept.get(one.sealed.id)
            if kept is None:
                continue
            if _sign(one, kept.known) != kept.sign:  # It has them again, or a person has decided since.
                del self._kept[one.sealed.id]
                continue
            known = kept.known
            stored[index] = msgspec.structs.replace(one, standing=known)
            notes.append(
                Note(id=one.sealed.id, state=known.state, reason=known.reason, held=known.held, by_person=known.held)
            )
        return msgspec.structs.replace(found, stored=tuple(stored)), tuple(notes)


def with_known_quarantines(library: Library, before: CacheEntry | None, found: Found) -> Found:
    """Return what a store has, with the quarantines that are known in memory.

    The store may have gone back in time.
    """
    if library.kept_quarantines is None:
        library.kept_quarantines = KeptQuarantines()
    kept: KeptQuarantines = library.kept_quarantines
    if before is not None and before.incarnation != getattr(library.store, "incarnation", 0):
        kept.keep(before.trajectories, found)
    if kept:
        found, notes = kept.apply(found)
        if notes:
            library.write("note", notes)
    return found


def _is_not_newer(stored: Stored, known: ReadyTrajectory) -> bool:
    now, then = stored.standing, known.standing
    return (then.held or stored.seq <= known.seq) and now.failures <= then.failures and now.disagreed <= then.disagreed


def _sign(stored: Stored, known: Standing) -> tuple[object, ...]:
    """Return what differs once a quarantine is lifted by one that may lift it.

    For a held one, that is a person.
    """
    standing = stored.standing
    lifted = (standing.state == QUARANTINED, standing.reason if trust_level(standing) == 2 else "")
    return lifted if known.held else (*lifted, stored.seq)
