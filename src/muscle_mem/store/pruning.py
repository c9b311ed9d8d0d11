"""Deletion of old or least recently used trajectories in short transactions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
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
    old, rest = _keep_flows(old, rest, kept_anyway)
    over_items = _excess(limits.max_items, len(rest) + len(kept_anyway))
    over_bytes = _excess(limits.max_bytes, sum(summary.size for summary in (*rest, *kept_anyway)))
    too_many: list[Summary] = []
    if over_items or over_bytes:
        by_value = _by_value(_held(store, rest), now, _by_key((*rest, *kept_anyway)))
        too_many = _least_valuable(sorted(rest, key=by_value), over_items, over_bytes)
    gone = [*old, *too_many]
    dropped = len(gone) if dry_run else _drop(store, [summary.id for summary in gone])
    names = {summary.id for summary in gone}
    kept = [summary for summary in (*rest, *kept_anyway) if summary.id not in names]
    return Pruned(
        dropped, sum(summary.size for summary in gone), len(old), len(kept), sum(summary.size for summary in kept)
    )


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


def _keep_flows(
    old: Sequence[Summary], rest: Sequence[Summary], in_use: Sequence[Summary]
) -> tuple[list[Summary], list[Summary]]:
    """Return what is too old, and the rest.

    Flows stay as long as a recording of their key does.
    """
    keys = {one.key for one in (*rest, *in_use) if not _holds_flows(one)}
    gone: list[Summary] = []
    stay = list(rest)
    for one in old:
        (stay if _holds_flows(one) and one.key in keys else gone).append(one)
    return gone, stay


def _holds_flows(one: Summary) -> bool:
    return is_flows_body(one.head)


def _by_key(kept: Iterable[Summary]) -> dict[bytes, list[Summary]]:
    """Return the summaries of each key that has flows."""
    keys = {one.key for one in kept if _holds_flows(one)}
    found: dict[bytes, list[Summary]] = {key: [] for key in keys}
    for one in kept:
        if one.key in keys:
            found[one.key].append(one)
    return found


def _held(store: Store, rest: Sequence[Summary]) -> set[str]:
    return {summary.id for summary in rest if summary.state == QUARANTINED and _is_held(store, summary.id)}


def _least_valuable(rest: Sequence[Summary], items: int, size: int) -> list[Summary]:
    """Return those to delete to remove this many trajectories and bytes.

    `rest` begins with the least valuable.
    """
    gone: list[Summary] = []
    for summary in rest:
        if items <= 0 and size <= 0:
            break
        gone.append(summary)
        items -= 1
        size -= summary.size
    return gone


def _by_value(
    held: Collection[str], now: float, by_key: Mapping[bytes, Sequence[Summary]]
) -> Callable[[Summary], tuple[int, float, float]]:
    """Return a sort key that orders trajectories from least to most valuable.

    `by_key` are the summaries of each key that has flows. Hits of flows are uses of their recordings, and flows go
    right before the last recording of their key. Flows without a recording come first of all.

    Trajectories that can never be replayed come first. Those that a person quarantined come last: without the verdict
    the same calls would be learned and replayed again. The others are ordered by last use, then by sequence number.
    """

    def worth(one: Summary) -> tuple[int, float, float]:
        alike = by_key.get(one.key, ())
        recordings = [other for other in alike if not _holds_flows(other)]
        if _holds_flows(one) and one.id not in held:
            best = max(map(own, recordings), default=(-1, 0.0, 0.0))
            return best[0], best[1], best[2] - 0.5
        return own(one)

    def own(one: Summary) -> tuple[int, float, float]:
        last_hit = max((other.last_hit for other in by_key.get(one.key, ()) if _holds_flows(other)), default=0.0)
        used = min(now, max(one.last_hit, one.recorded, last_hit))
        if one.id in held:
            return 4, used, one.seq
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
