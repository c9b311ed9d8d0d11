"""Trajectories found in a store: page by page, by a filter, or by the beginning of an id."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DamagedStoreError
from ..store import Store, Stored
from ..store.paging import pages
from .opening import NotDoneError
from .text import printable

SHORTEST_PREFIX = 4
LISTED = 20


def matches(stored: Stored, states: Sequence[str], scope: str | None, task: str | None) -> bool:
    """Whether a trajectory is in one of the states, in the scope, and has the text in its task, in whatever case."""
    return (
        (not states or stored.standing.state in states)
        and (scope is None or stored.sealed.scope == scope)
        and (task is None or task.casefold() in stored.sealed.task.casefold())
    )


def full_id(store: Store, given: str) -> str:
    """The id that is meant by an id or by its beginning. Raises NotDoneError if none is, or several."""
    return full_ids(store, (given,))[0]


def full_ids(store: Store, given: Sequence[str]) -> tuple[str, ...]:
    """As `full_id`, for several: the store is read through once at most."""
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
        raise NotDoneError(f"{given!r} begins {len(found)} ids: {listed}{more}. Give more of the one you mean.")
    if len(given) < SHORTEST_PREFIX:
        raise NotDoneError(f"{given!r} is not an id; give at least its first {SHORTEST_PREFIX} characters.")
    raise NotDoneError(f"There is no trajectory {given!r} in {url}; see `muscle-mem ls`.")
