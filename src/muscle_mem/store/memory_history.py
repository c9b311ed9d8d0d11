"""A history in memory, as `MemoryStore` keeps it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

import msgspec

from .history import (
    DAY,
    MAX_BATCHES,
    MAX_COUNTS,
    MAX_RUNS,
    PICTURES_BYTES,
    RUNS_PER_TASK,
    DayCount,
    HistoryBatch,
    PastRun,
    Picture,
    RunQuery,
    added,
    day_of,
)
from .history_totals import By, folded

_CountKey = tuple[str, bytes, int, str, str]
_Name = TypeVar("_Name")
_Value = TypeVar("_Value")


class MemoryHistory:
    """Counts, runs and pictures in dictionaries. The caller holds a lock."""

    def __init__(self) -> None:
        self.seq = 0
        self._batches: dict[str, None] = {}
        self._counts: dict[_CountKey, DayCount] = {}
        self._runs: dict[int, PastRun] = {}  # By sequence number, oldest first.
        self._pictures: dict[tuple[str, str, int], Picture] = {}  # Oldest first.

    def add(self, batch: HistoryBatch) -> None:
        """Add a batch; see `KeepsHistory.add_history`."""
        if batch.id in self._batches:
            return
        self._batches[batch.id] = None
        if len(self._batches) > MAX_BATCHES:
            del self._batches[next(iter(self._batches))]
        for count in batch.counts:
            name = (count.scope, count.key, count.day, count.status, count.reason)
            known = self._counts.get(name)
            self._counts[name] = count if known is None else added(known, count)
        for run in batch.runs:
            self.seq += 1
            self._runs[self.seq] = msgspec.structs.replace(run, seq=self.seq)
        for picture in batch.pictures:
            name_of_picture = (picture.hash, picture.trajectory_id, picture.step)
            self._pictures.pop(name_of_picture, None)
            self._pictures[name_of_picture] = picture
        if batch.keep_from:
            self.prune(batch.keep_from, None)
        self._keep_bounds({run.key for run in batch.runs})

    def counts(self, scope: str | None, key: bytes | None, since: float | None) -> tuple[DayCount, ...]:
        """Return counts; see `KeepsHistory.history_counts`."""
        first = None if since is None else day_of(since)
        found = [
            count
            for count in self._counts.values()
            if (scope is None or count.scope == scope)
            and (key is None or count.key == key)
            and (first is None or count.day >= first)
        ]
        return tuple(sorted(found, key=lambda one: (-one.day, one.scope, one.key, one.status, one.reason)))

    def totals(self, by: By, since: float | None) -> tuple[DayCount, ...]:
        """Return sums of counts; see `SumsHistory.history_totals`."""
        return folded(self.counts(None, None, since), by)

    def runs(self, query: RunQuery, limit: int) -> tuple[PastRun, ...]:
        """Return single runs, newest first; see `KeepsHistory.history_runs`."""
        found: list[PastRun] = []
        for run in reversed(self._runs.values()):
            if len(found) >= limit:
                break
            if _is_wanted(run, query):
                found.append(run)
        return tuple(found)

    def picture(self, hash: str) -> bytes | None:
        """Return the data of a picture, or None."""
        return next((one.data for one in self._pictures.values() if one.hash == hash), None)

    def step_pictures(self, trajectory_id: str) -> dict[int, str]:
        """Return the hashes of a trajectory's pictures by step."""
        found = [one for one in self._pictures.values() if one.trajectory_id and one.trajectory_id == trajectory_id]
        return {one.step: one.hash for one in sorted(found, key=lambda one: (one.step, one.at))}

    def prune(self, before: float | None, keys: Collection[bytes] | None, *, dry_run: bool = False) -> int:
        """Delete history; see `KeepsHistory.prune_history`."""

        def is_old(at: float, key: bytes) -> bool:
            return (before is None or at < before) and (keys is None or key in keys)

        counts = [name for name, one in self._counts.items() if is_old((one.day + 1) * DAY, one.key)]
        runs = [seq for seq, run in self._runs.items() if is_old(run.at, run.key)]
        pictures = [name for name, one in self._pictures.items() if not one.trajectory_id and is_old(one.at, one.key)]
        if not dry_run:
            _delete(self._counts, counts)
            _delete(self._runs, runs)
            _delete(self._pictures, pictures)
            self._drop_unused_pictures()
        return len(counts) + len(runs)

    def forget(self, trajectory_ids: Collection[str], keys: Collection[bytes]) -> None:
        """Delete what refers to trajectories, and all of tasks without any."""
        _delete(self._runs, [seq for seq, run in self._runs.items() if run.trajectory_id in trajectory_ids])
        gone = [n for n, one in self._pictures.items() if one.trajectory_id in trajectory_ids or one.key in keys]
        _delete(self._pictures, gone)
        self.prune(None, keys)

    def clear(self) -> None:
        """Delete everything."""
        self._counts.clear()
        self._runs.clear()
        self._pictures.clear()

    def _drop_unused_pictures(self) -> None:
        """Delete pictures of runs that are deleted."""
        used = {hash for run in self._runs.values() for hash in (run.seen_picture, run.expected_picture)}
        _delete(
            self._pictures, [n for n, one in self._pictures.items() if not one.trajectory_id and one.hash not in used]
        )

    def _keep_bounds(self, keys: Iterable[bytes]) -> None:
        """Delete the oldest beyond each bound. Only tasks with these keys have grown."""
        for key in keys:
            mine = [seq for seq, run in self._runs.items() if run.key == key]
            _delete(self._runs, mine[: max(0, len(mine) - RUNS_PER_TASK)])
        _delete(self._runs, list(self._runs)[: max(0, len(self._runs) - MAX_RUNS)])
        if len(self._counts) > MAX_COUNTS:
            oldest = sorted(self._counts, key=lambda name: name[2])
            _delete(self._counts, oldest[: len(self._counts) - MAX_COUNTS])
        size = sum(len(one.data) for one in self._pictures.values())
        for name, one in list(self._pictures.items()):
            if size <= PICTURES_BYTES:
                break
            size -= len(one.data)
            del self._pictures[name]


def _delete(table: dict[_Name, _Value], names: Iterable[_Name]) -> None:
    for name in names:
        del table[name]


def _is_wanted(run: PastRun, query: RunQuery) -> bool:
    return (
        (query.key is None or run.key == query.key)
        and (query.scope is None or run.scope == query.scope)
        and (query.reason is None or run.reason == query.reason)
        and (query.trajectory_id is None or run.trajectory_id == query.trajectory_id)
        and (query.since is None or run.at >= query.since)
        and (query.after is None or run.seq < query.after)
        and (query.newer_than is None or run.seq > query.newer_than)
    )
