"""The history of a store of several parts: each part has that of its tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec

from .base import Store
from .history import DayCount, HistoryBatch, KeepsHistory, PastRun, RunQuery, keeps_history
from .history_totals import folded, history_totals
from .part_numbers import PartNumbers

MAX_CURSORS = 1_000


class PartedHistory:
    """The histories of several parts as one; see `KeepsHistory` for each method.

    Parts advance independently. So a cursor for newer runs keeps, in this object, the highest number that was seen of
    each part.
    """

    def __init__(self, parts: Sequence[Store], place: Callable[[bytes], int]) -> None:
        """Make the history of some parts.

        Args:
            parts: The parts. Those that keep no history are left out.
            place: The index of the part that has a key.
        """
        self._parts = parts
        self._place = place
        self._numbers = PartNumbers(len(parts))
        self._cursors: dict[int, dict[int, int]] = {}

    def add(self, batch: HistoryBatch) -> None:
        is_empty = not (batch.counts or batch.runs or batch.pictures)
        for at, part in self._keeping():
            share = msgspec.structs.replace(
                batch,
                counts=tuple(one for one in batch.counts if self._place(one.key) == at),
                runs=tuple(one for one in batch.runs if self._place(one.key) == at),
                pictures=tuple(one for one in batch.pictures if self._place(one.key) == at),
            )
            if is_empty or share.counts or share.runs or share.pictures:
                part.add_history(share)

    def counts(self, scope: str | None, key: bytes | None, since: float | None) -> tuple[DayCount, ...]:
        found = [one for _, part in self._keeping() for one in part.history_counts(scope=scope, key=key, since=since)]
        return tuple(sorted(found, key=lambda one: -one.day))

    def totals(self, by: Literal["task", "day"], since: float | None) -> tuple[DayCount, ...]:
        return folded((one for _, part in self._keeping() for one in history_totals(part, by, since)), by)

    def runs(self, query: RunQuery, limit: int) -> tuple[PastRun, ...]:
        newer_than = query.newer_than
        seen = self._cursors.get(newer_than) if newer_than is not None else None
        highest: dict[int, int] = dict(seen or {})
        found: list[PastRun] = []
        for at, part in self._keeping():
            of_part = msgspec.structs.asdict(query) | {
                "after": self._numbers.before(query.after, at),
                "newer_than": self._newer(newer_than, at, seen),
            }
            runs = part.history_runs(**of_part, limit=limit)
            if runs:
                highest[at] = max(highest.get(at, 0), runs[0].seq)
            found += [msgspec.structs.replace(one, seq=self._numbers.number(one.seq, at)) for one in runs]
        found = sorted(found, key=lambda one: -one.seq)[:limit]
        if found and query.after is None:
            if len(self._cursors) >= MAX_CURSORS:
                self._cursors.clear()
            self._cursors[found[0].seq] = highest
            if newer_than is not None and newer_than > found[0].seq:
                self._cursors[newer_than] = highest  # A reader goes on from the highest number it has.
        return tuple(found)

    def _newer(self, newer_than: int | None, at: int, seen: dict[int, int] | None) -> int | None:
        if newer_than is None:
            return None
        return seen.get(at, 0) if seen is not None else self._numbers.beyond(newer_than, at)

    def picture(self, hash: str) -> bytes | None:
        return next((found for _, part in self._keeping() if (found := part.picture(hash)) is not None), None)

    def step_pictures(self, trajectory_id: str) -> dict[int, str]:
        return {step: hash for _, part in self._keeping() for step, hash in part.step_pictures(trajectory_id).items()}

    def prune(self, before: float | None, keys: tuple[bytes, ...] | None, *, dry_run: bool) -> int:
        gone = 0
        for at, part in self._keeping():
            share = None if keys is None else tuple(key for key in keys if self._place(key) == at)
            if share is None or share:
                gone += part.prune_history(before=before, keys=share, dry_run=dry_run)
        return gone

    def _keeping(self) -> Iterator[tuple[int, KeepsHistory]]:
        """Yield the parts that keep a history."""
        for at, part in enumerate(self._parts):
            if keeps_history(part):
                yield at, part
