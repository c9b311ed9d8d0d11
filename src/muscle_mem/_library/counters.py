"""Counts of runs that are not written yet: hits, and checks that failed."""

from __future__ import annotations

import _thread
import os
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

import msgspec

from .._forks import ForkSafeLock, register_for_forks
from ..store.base import Note, Store, Tally
from .history import History

HITS_PER_WRITE = 1_000
MAX_TRAJECTORIES = 10_000

FLUSH_WAIT = 2.0
"""Seconds for which the garbage collector waits until the counts of an engine are written."""

_LATER = 1e-5  # Seconds that a time since the epoch can hold.


class Counter(msgspec.Struct):
    """The counts of one trajectory. `refusals` are by check, as in `Tally.check`."""

    hits: int = 0
    last_hit: float = 0.0
    refusals: dict[str, int] = {}


class Counters(ForkSafeLock):
    """The counts of an engine's runs, bounded in size.

    `hits` are those since the last addition: the trajectory's id, the `Sealed` and the row that were replayed, the time
    and the run's seconds. They should be written when there are `HITS_PER_WRITE` of them. Appending one is atomic and
    takes no lock. `history` gets each of them, too. `parents` are those of generalized trajectories that were hit; they
    count as used when the hits are written. Counts of more than `MAX_TRAJECTORIES` trajectories are dropped.
    """

    def __init__(self, history: History) -> None:
        self._counters: dict[str, Counter] = {}
        self.history = history
        self.hits: deque[tuple[str, Any, Any, float, float]] = deque()
        self.parents: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        register_for_forks(self)
        self._pid = os.getpid()

    def __len__(self) -> int:
        with self._lock:
            self._add_up()
            return len(self._counters)

    def add_up(self) -> None:
        """Add up the hits."""
        with self._lock:
            self._add_up()

    def _add_up(self) -> None:
        hits = self.hits
        for _ in range(len(hits)):
            id, sealed, row, now, seconds = hits.popleft()
            self.history.count_hit(sealed, row, now, seconds)
            count = self._counter_of(id)
            if count is not None:
                count.hits += 1
                count.last_hit = now

    def count_refusal(self, id: str, check: str) -> None:
        """Count a check that failed.

        Checks that pass in a hit are not counted, because each of them passes once per hit.
        """
        with self._lock:
            count = self._counter_of(id)
            if count is not None:
                count.refusals[check] = count.refusals.get(check, 0) + 1

    def _use_parents(self) -> None:
        """Note that the parents of what was hit were used, without counting a hit.

        They count as used after it, since it is worth nothing without them.
        """
        parents, self.parents = self.parents, {}
        for id, others in list(parents.items()):
            hit = self._counters.get(id)
            for other in others if hit is not None and hit.hits else ():
                count = self._counter_of(other)
                if count is not None and hit is not None:
                    count.last_hit = max(count.last_hit, hit.last_hit + _LATER)

    def _counter_of(self, id: str) -> Counter | None:
        count = self._counters.get(id)
        if count is None and len(self._counters) < MAX_TRAJECTORIES:
            count = self._counters[id] = Counter()
        return count

    def drop(self, ids: Iterable[str] | None) -> None:
        """Discard the counts of these trajectories (None: of all)."""
        with self._lock:
            self._add_up()
            for id in tuple(self._counters) if ids is None else ids:
                self._counters.pop(id, None)

    def drain(self) -> tuple[Note, ...]:
        """Return all counts as notes, and reset them."""
        with self._lock:
            self._add_up()
            self._use_parents()
            counts, self._counters = self._counters, {}
            if self._pid != os.getpid():  # This is a forked child. The parent writes these counts.
                self._pid = os.getpid()
                return ()
        return tuple(
            Note(
                id=id,
                hits=count.hits,
                last_hit=count.last_hit or None,
                checks=tuple(Tally(check, no=no) for check, no in count.refusals.items()),
            )
            for id, count in counts.items()
        )


def flush_counters(store: Store, counts: Counters) -> None:
    """Write the counts of an unreferenced engine.

    This function refers to no tools, and so does not keep the engine alive. Errors are not reported: another engine may
    have closed the store that both used.

    The garbage collector may call it in the middle of any operation, also of the store, whose locks the thread then
    holds. So it works in another thread, and waits for that one only briefly.
    """
    done = threading.Event()

    def work() -> None:
        try:
            _flush(store, counts)
        finally:
            done.set()

    try:
        _thread.start_new_thread(work, ())  # Unlike Thread.start, it takes no lock that this thread may hold.
    except RuntimeError:  # The interpreter is about to end, and no operation is under way.
        _flush(store, counts)
        return
    done.wait(FLUSH_WAIT)


def _flush(store: Store, counts: Counters) -> None:
    notes = counts.drain()
    if notes:
        try:
            store.note(notes)
        except Exception:  # A user-defined store may raise any exception (G4).
            pass
    counts.history.flush(is_last=True)
