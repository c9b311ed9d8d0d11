"""What runs have counted and is not written yet: hits, and the checks that failed."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable

import msgspec

from .._forks import ForkSafeLock, register_for_forks
from ..store.base import Note, Tally

HITS_PER_WRITE = 1_000  # hits; they are written together
MAX_TRAJECTORIES = 10_000  # trajectories


class Counter(msgspec.Struct):
    """Of one trajectory. `refusals` are by check, as `Tally.check` names it."""

    hits: int = 0
    last_hit: float = 0.0
    refusals: dict[str, int] = {}


class Counters(ForkSafeLock):
    """Bounded: hits are to be written after so many, and what concerns too many trajectories is dropped.

    `hits` are pairs of id and time, to be written after `HITS_PER_WRITE` of them. Who appends one takes no lock: that
    is atomic, and they are added up later.
    """

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}
        self.hits: deque[tuple[str, float]] = deque()
        self._lock = threading.Lock()
        register_for_forks(self)
        self._pid = os.getpid()

    def __len__(self) -> int:
        with self._lock:
            self._add_up()
            return len(self._counters)

    def _add_up(self) -> None:
        hits = self.hits
        for _ in range(len(hits)):
            id, now = hits.popleft()
            count = self._counter_of(id)
            if count is not None:
                count.hits += 1
                count.last_hit = now

    def count_refusal(self, id: str, check: str) -> None:
        """Count a check that failed. The yes of a hit are not counted: each of its checks said it once a hit."""
        with self._lock:
            count = self._counter_of(id)
            if count is not None:
                count.refusals[check] = count.refusals.get(check, 0) + 1

    def _counter_of(self, id: str) -> Counter | None:
        count = self._counters.get(id)
        if count is None and len(self._counters) < MAX_TRAJECTORIES:
            count = self._counters[id] = Counter()
        return count

    def drop(self, ids: Iterable[str] | None) -> None:
        """Forget what was counted of these trajectories (None: of all)."""
        with self._lock:
            self._add_up()
            for id in tuple(self._counters) if ids is None else ids:
                self._counters.pop(id, None)

    def drain(self) -> tuple[Note, ...]:
        """All that was counted, to be written; it is not counted any more."""
        with self._lock:
            self._add_up()
            counts, self._counters = self._counters, {}
            if self._pid != os.getpid():  # a forked child: the counts are its parent's to write
                self._pid = os.getpid()
                return ()
        return tuple(
            Note(
                id=id,
                hits=count.hits,
                last_hit=count.last_hit if count.hits else None,
                checks=tuple(Tally(check, no=no) for check, no in count.refusals.items()),
            )
            for id, count in counts.items()
        )
