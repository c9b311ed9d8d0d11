"""Trajectories found in a store: by a filter, or by an id or the beginning of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from .._reading.text import printable
from ..errors import DamagedStoreError
from ..store import Store, Stored
from ..store.paging import each, pages
from ..store.pruning import recorded_at
from .opening import NotDoneError

SHORTEST_PREFIX = 4
LISTED = 20


class Filter(msgspec.Struct, frozen=True):
    """Values of options that select trajectories; true if one of them was given.

    `since` is in seconds since the epoch. `reason` is that of the state, or one of the runs that followed `ids`.
    """

    states: tuple[str, ...] = ()
    scope: str | None = None
    task: str | None = None
    tags: tuple[str, ...] = ()
    since: float | None = None
    reason: str | None = None
    ids: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self != Filter()

    def matches(self, stored: Stored) -> bool:
        """Return whether a trajectory has all that was given."""
        return (
            set(self.tags) <= set(stored.sealed.tags)
            and (self.since is None or recorded_at(stored) >= self.since)
            and (
                self.reason is None
                or self.reason in stored.standing.reason.split(":", 1)[0]
                or stored.sealed.id in self.ids
            )
            and self._matches_names(stored)
        )

    def _matches_names(self, stored: Stored) -> bool:
        return (
            (not self.states or stored.standing.state in self.states)
            and (self.scope is None or stored.sealed.scope == self.scope)
            and (self.task is None or self.task.casefold() in stored.sealed.task.casefold())
        )

    def select(self, store: Store) -> Iterator[Stored]:
        """Yield the trajectories of a store that match."""
        return filter(self.matches, each(store))


def get_stored(store: Store, given: str) -> Stored:
    """Return the trajectory of an id or its beginning. Raises NotDoneError."""
    stored = store.get(full_id(store, given))
    if stored is None:
        raise NotDoneError(f"trajectory {given!r} was deleted while the command ran. Run `muscle-mem ls`.")
    return stored


def full_id(store: Store, given: str) -> str:
    """Return the one id that is or begins with `given`. Raises NotDoneError."""
    return full_ids(store, (given,))[0]


def full_ids(store: Store, given: Sequence[str]) -> tuple[str, ...]:
    """Return the ids that are or begin with those given. Raises NotDoneError.

    The store is read once at most.
    """
    whole = {one for one in given if _exists(store, one)}
    tasks: dict[str, str] = dict.fromkeys(whole, "")
    if len(whole) == len(set(given)):
        return tuple(dict.fromkeys(given))
    for stored, damaged in pages(store):
        tasks.update({trajectory.sealed.id: trajectory.sealed.task for trajectory in stored})
        for broken in damaged:
            if broken.id:
                tasks.setdefault(broken.id, "(damaged)")
    return tuple(dict.fromkeys(_match_prefix(tasks, one, store.url) for one in given))


def _exists(store: Store, id: str) -> bool:
    try:
        return store.get(id) is not None
    except DamagedStoreError:
        return True


def _match_prefix(tasks: dict[str, str], given: str, url: str) -> str:
    if given in tasks:
        return given
    found = [id for id in tasks if id.startswith(given)] if len(given) >= SHORTEST_PREFIX else []
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(f"{id} ({printable(tasks[id], 60)})" for id in found[:LISTED])
        more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
        raise NotDoneError(
            f"id {given!r} is ambiguous: expected 1 match, got {len(found)} ids: {listed}{more}. Pass more characters."
        )
    if len(given) < SHORTEST_PREFIX:
        raise NotDoneError(
            f"id {given!r} is too short: expected {SHORTEST_PREFIX} or more characters. Pass more characters."
        )
    raise NotDoneError(f"trajectory {given!r} not found in {url}. Run `muscle-mem ls` to list ids.")
