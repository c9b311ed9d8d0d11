"""The history of a store of several parts: each part has that of its tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from .base import Store, Stored, Summary
from .history import DayCount, HistoryBatch, KeepsHistory, PastRun, keeps_history
from .history_totals import folded, history_totals

MAX_CURSORS = 1_000


class PartedHistory:
    """The methods of `KeepsHistory`, and the numbers of rows, for `PartedStore`.

    Row 7 of part 1 of 3 has the number 7 * 3 + 1. Parts advance independently. So a cursor for newer runs keeps, in
    this object, the highest number that was seen of each part.
    """

    parts: tuple[Store, ...]

    def place(self, key: bytes) -> int:
        raise NotImplementedError

    def _mark(self, after: int | None, at: int) -> int | None:
        """Return what `after` means in the numbers of a part."""
        count = len(self.parts)
        return None if after is None else (after - at + count - 1) // count

    def _with_number(self, one: Summary, at: int) -> Summary:
        """Return a summary of a part with its number in this store."""
        return msgspec.structs.replace(one, seq=one.seq * len(self.parts) + at)

    def _with_numbers(self, one: Stored, at: int) -> Stored:
        """Return a trajectory of a part with the numbers of this store."""
        count = len(self.parts)
        rows = tuple((seq * count + at, row) for seq, row in one.observations)
        return msgspec.structs.replace(one, seq=one.seq * count + at, observations=rows)

    def add_history(self, batch: HistoryBatch) -> None:
        """Add to the history of each task's part; see `KeepsHistory`."""
        is_empty = not (batch.counts or batch.runs or batch.pictures)
        for at, part in self._keeping():
            share = msgspec.structs.replace(
                batch,
                counts=tuple(one for one in batch.counts if self.place(one.key) == at),
                runs=tuple(one for one in batch.runs if self.place(one.key) == at),
                pictures=tuple(one for one in batch.pictures if self.place(one.key) == at),
            )
            if is_empty or share.counts or share.runs or share.pictures:
                part.add_history(share)

    def history_counts(
        self, *, scope: str | None = None, key: bytes | None = None, since: float | None = None
    ) -> tuple[DayCount, ...]:
        """Return counts of runs, the last day first; see `KeepsHistory`.

        Args:
            scope: Only those of this scope.
            key: Only those of this task.
            since: Only those of days that end after this time, in seconds since the epoch.
        """
        found = [one for _, part in self._keeping() for one in part.history_counts(scope=scope, key=key, since=since)]
        return tuple(sorted(found, key=lambda one: -one.day))

    def history_totals(self, *, by: Literal["task", "day"], since: float | None = None) -> tuple[DayCount, ...]:
        """Return sums of counts; see `muscle_mem.store.history_totals.SumsHistory`.

        Args:
            by: Sums by task and status, or by day, status and reason.
            since: Only those of days that end after this time, in seconds since the epoch.
        """
        return folded((one for _, part in self._keeping() for one in history_totals(part, by, since)), by)

    def history_runs(
        self,
        *,
        key: bytes | None = None,
        scope: str | None = None,
        reason: str | None = None,
        trajectory_id: str | None = None,
        since: float | None = None,
        after: int | None = None,
        newer_than: int | None = None,
        limit: int = 100,
    ) -> tuple[PastRun, ...]:
        """Return single runs, the highest numbers first; see `KeepsHistory`.

        Args:
            key: Only those of this task.
            scope: Only those of this scope.
            reason: Only those with this reason.
            trajectory_id: Only those that followed or learned this trajectory.
            since: Only those that ended at this time or later, in seconds since the epoch.
            after: Only those with a lower number: the next page.
            newer_than: Only those that were added since this number was the highest that this object had returned.
            limit: The maximum number of runs.
        """
        seen = self._cursors.get(newer_than) if newer_than is not None else None
        highest: dict[int, int] = dict(seen or {})
        found: list[PastRun] = []
        for at, part in self._keeping():
            runs = part.history_runs(
                key=key,
                scope=scope,
                reason=reason,
                trajectory_id=trajectory_id,
                since=since,
                after=self._mark(after, at),
                newer_than=self._newer(newer_than, at, seen),
                limit=limit,
            )
            if runs:
                highest[at] = max(highest.get(at, 0), runs[0].seq)
            found += [msgspec.structs.replace(one, seq=one.seq * len(self.parts) + at) for one in runs]
        found = sorted(found, key=lambda one: -one.seq)[:limit]
        if found and after is None:
            if len(self._cursors) >= MAX_CURSORS:
                self._cursors.clear()
            self._cursors[found[0].seq] = highest
            if newer_than is not None and newer_than > found[0].seq:
                self._cursors[newer_than] = highest  # A reader goes on from the highest number it has.
        return tuple(found)

    def _newer(self, newer_than: int | None, at: int, seen: dict[int, int] | None) -> int | None:
        if newer_than is None:
            return None
        return seen.get(at, 0) if seen is not None else (newer_than - at) // len(self.parts)

    @property
    def _cursors(self) -> dict[int, dict[int, int]]:
        kept: dict[int, dict[int, int]] = self.__dict__.setdefault("_kept_cursors", {})
        return kept

    def picture(self, hash: str) -> bytes | None:
        """Return the data of a picture by its hash, or None."""
        return next((found for _, part in self._keeping() if (found := part.picture(hash)) is not None), None)

    def step_pictures(self, trajectory_id: str) -> dict[int, str]:
        """Return the hashes of the pictures of a trajectory's steps, by step."""
        return {step: hash for _, part in self._keeping() for step, hash in part.step_pictures(trajectory_id).items()}

    def prune_history(
        self, *, before: float | None = None, keys: tuple[bytes, ...] | None = None, dry_run: bool = False
    ) -> int:
        """Delete history; see `KeepsHistory`.

        Args:
            before: Only what is older than this, in seconds since the epoch. None means all.
            keys: Only that of these tasks. None means all.
            dry_run: Whether to count without deleting.
        """
        gone = 0
        for at, part in self._keeping():
            share = None if keys is None else tuple(key for key in keys if self.place(key) == at)
            if share is None or share:
                gone += part.prune_history(before=before, keys=share, dry_run=dry_run)
        return gone

    def _keeping(self) -> Iterator[tuple[int, KeepsHistory]]:
        """Yield the parts that keep a history."""
        for at, part in enumerate(self.parts):
            if keeps_history(part):
                yield at, part
