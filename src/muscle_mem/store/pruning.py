"""Deletion of old or least recently used trajectories in short transactions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

import msgspec

from .._core.model.learned import is_flows_body
from ..errors import StoreError
from .base import FRESH, HEAD_BYTES, QUARANTINED, RETIRED, TRUSTED, Store, Stored, Summary, is_surveying
from .paging import each

PAGE = 1_000
BATCH = 100
IN_USE_SECONDS = 60.0  # Seconds after a recording or hit in which other trajectories are deleted first.


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a store's contents; None means no limit.

    `max_items` is a number of trajectories, `max_bytes` the sum of `Summary.size`, and `ttl` the seconds since the last
    recording.
    """

    max_items: int | None = None
    max_bytes: int | None = None
    ttl: float | None = None

    def __bool__(self) -> bool:
        return (self.max_items, self.max_bytes, self.ttl) != (None, None, None)


class Pruned(NamedTuple):
    """Result of pruning: numbers and bytes of deleted and kept trajectories.

    Flows of recordings count as bytes only, as long as one of their recordings is kept.
    `expired` counts the trajectories that were deleted for their age.
    """

    dropped: int
    dropped_bytes: int
    expired: int
    kept: int
    kept_bytes: int


Pruned.__module__ = "muscle_mem"


def prune(store: Store, limits: Limits, now: float, *, in_use: Collection[str] = (), dry_run: bool = False) -> Pruned:
    """Delete trajectories that are too old or exceed the limits.

    Args:
        store: The store to prune.
        limits: The limits of its contents.
        now: The current time, in seconds since the epoch.
        in_use: Ids of trajectories that are kept in any case.
        dry_run: Whether to return the result without deleting anything.

    Raises:
        StoreError: The store failed. What was deleted until then stays deleted.
    """
    everything = list(summaries(store))
    kept_anyway = [summary for summary in everything if summary.id in in_use]
    old, rest = _split_expired([summary for summary in everything if summary.id not in in_use], limits.ttl, now)
    old, rest, beside = _flows_beside_recordings(old, rest, kept_anyway)
    over_items = _excess(limits.max_items, len(rest) + len(kept_anyway))
    over_bytes = _excess(limits.max_bytes, sum(summary.size for summary in (*rest, *kept_anyway, *beside)))
    too_many = _least_valuable(store, rest, over_items, over_bytes, now)
    gone = [*old, *too_many]
    dropped = len(gone) if dry_run else _drop(store, [summary.id for summary in gone])
    names = {summary.id for summary in gone}
    kept = [summary for summary in (*rest, *kept_anyway) if summary.id not in names]
    kept_bytes = sum(summary.size for summary in (*kept, *beside))
    return Pruned(dropped, sum(summary.size for summary in gone), len(old), len(kept), kept_bytes)


def summaries(store: Store) -> Iterator[Summary]:
    """Yield summaries of all trajectories, newest first.

    A store without `survey` is read completely.
    """
    if not is_surveying(store):
        yield from map(summary_of, each(store))
        return
    after: int | None = None
    while page := store.survey(after=after, limit=PAGE):
        yield from page
        after = page[-1].seq


def summary_of(stored: Stored) -> Summary:
    """Return the summary of a trajectory, as `survey` returns it."""
    sealed = stored.sealed
    rows = [observation for _, observation in stored.observations]
    blobs = {blob for row in rows for blob in row.blobs}
    size = len(sealed.body) + sum(len(row.body) for row in rows) + sum(map(len, blobs))
    return Summary(
        id=sealed.id,
        key=sealed.key,
        seq=stored.seq,
        state=stored.standing.state,
        created=sealed.created,
        recorded=recorded_at(stored),
        hits=stored.standing.hits,
        last_hit=stored.standing.last_hit,
        size=size,
        head=sealed.body[:HEAD_BYTES],
    )


def recorded_at(stored: Stored) -> float:
    """Return the time of the last recording, in seconds since the epoch."""
    return max((row.created for _, row in stored.observations if not row.refresh), default=stored.sealed.created)


def is_old(recorded: float, ttl: float | None, now: float) -> bool:
    """Return whether a recording is older than the limit. A time in the future is not.

    Args:
        recorded: The time of the recording, in seconds since the epoch.
        ttl: The maximum age in seconds. None means no limit.
        now: The current time, in seconds since the epoch.
    """
    return ttl is not None and max(0.0, now - recorded) > ttl


def _split_expired(found: Sequence[Summary], ttl: float | None, now: float) -> tuple[list[Summary], list[Summary]]:
    old: list[Summary] = []
    rest: list[Summary] = []
    for one in found:
        (old if is_old(one.recorded, ttl, now) else rest).append(one)
    return old, rest


def _excess(most: int | None, have: int) -> int:
    return 0 if most is None else max(0, have - most)


def _flows_beside_recordings(
    old: Sequence[Summary], rest: Sequence[Summary], in_use: Sequence[Summary]
) -> tuple[list[Summary], list[Summary], list[Summary]]:
    """Return what is too old, the rest, and the flows with a recording of their key.

    Such flows are not trajectories beside their recordings, and stay as long as one of these: they hold what must not
    be replayed.
    """
    keys = {one.key for one in (*rest, *in_use) if not is_flows_body(one.head)}
    beside = [one for one in (*old, *rest) if is_flows_body(one.head) and one.key in keys]
    ids = {one.id for one in beside}
    return [one for one in old if one.id not in ids], [one for one in rest if one.id not in ids], beside


def _least_valuable(store: Store, rest: Sequence[Summary], items: int, size: int, now: float) -> list[Summary]:
    """Return the trajectories to delete to remove this many trajectories and bytes."""
    if not items and not size:
        return []
    held = {summary.id for summary in rest if summary.state == QUARANTINED and _is_held(store, summary.id)}
    gone: list[Summary] = []
    for summary in sorted(rest, key=_by_value(held, now)):
        if items <= 0 and size <= 0:
            break
        gone.append(summary)
        items -= 1
        size -= summary.size
    return gone


def _by_value(held: Collection[str], now: float) -> Callable[[Summary], tuple[int, float, int]]:
    """Return a sort key that orders trajectories from least to most valuable.

    Flows without a recording come first, then trajectories that can never be replayed. Those that a person quarantined
    come last: without the verdict the same calls would be learned and replayed again. The others are ordered by last
    use, then by sequence number.
    """

    def worth(one: Summary) -> tuple[int, float, int]:
        used = min(now, max(one.last_hit, one.recorded))
        if one.id in held:
            return 4, used, one.seq
        if is_flows_body(one.head):
            return -1, used, one.seq
        at_work = one.state in (FRESH, TRUSTED) and now - used < IN_USE_SECONDS
        ranks = {RETIRED: 0, QUARANTINED: 1}
        return (3 if at_work else ranks.get(one.state, 2)), used, one.seq

    return worth


def _is_held(store: Store, id: str) -> bool:
    try:
        stored = store.get(id)
    except StoreError:
        return True  # A damaged trajectory is kept so that it can be examined.
    return stored is not None and stored.standing.held


def _drop(store: Store, ids: Sequence[str]) -> int:
    gone = 0
    for start in range(0, len(ids), BATCH):
        batch = tuple(ids[start : start + BATCH])
        gone += store.drop(batch) if is_surveying(store) else store.forget(batch)
    return gone
