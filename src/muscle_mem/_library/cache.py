"""The keys in use, in memory: those that were not asked for the longest leave when they take too much room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from .._core.model.blobs import INLINE_BYTES
from .._core.plan.candidate_set import CandidateSet
from .._core.plan.ready_trajectory import Candidate, ReadyTrajectory
from .._forks import ForkSafeLock, register_for_forks

# Measured with tracemalloc on CPython: what objects take beside the bytes of what they hold.
ENTRY_BYTES = 600
TRAJECTORY_BYTES = 1_500
STEP_BYTES = 350
BOUND_STEP_BYTES = 600  # more, where arguments are built for each run
OBSERVATION_BYTES = 500
STEP_ROW_BYTES = 120
DECODED_FACTOR = 3
"""A snapshot is held as its bytes, and as the value that these decode to, which takes about twice as much."""


class CacheEntry(msgspec.Struct):
    """What is in memory of one key, and as of when. `size` is an estimate in bytes.

    `is_unconditional` says that nothing more is to be asked before its candidates are used.
    """

    candidate_set: CandidateSet
    store_version: int
    tools_version: int
    damaged_count: int
    size: int = ENTRY_BYTES
    has_irreversible: bool = False
    is_unconditional: bool = True

    @property
    def trajectories(self) -> Sequence[ReadyTrajectory]:
        """Newest first."""
        return self.candidate_set.trajectories


class Cache(ForkSafeLock):
    """Entries by their keys, bounded by the sum of their sizes. The one that was asked for last always stays."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size = 0
        self._entries: OrderedDict[bytes, CacheEntry] = OrderedDict()
        self._lock = threading.Lock()
        register_for_forks(self)

    def get(self, key: bytes) -> CacheEntry | None:
        """The entry of a key, which is now the last to leave."""
        try:
            self._entries.move_to_end(key)
        except KeyError:
            return None
        return self._entries.get(key)  # not [key]: another thread may just have pushed it out

    def put(self, key: bytes, entry: CacheEntry) -> None:
        """Keep an entry, and let others go for it."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._entries[key] = entry
            self.size += entry.size - (old.size if old is not None else 0)
            while self.size > self.max_bytes and len(self._entries) > 1:
                _, evicted = self._entries.popitem(last=False)
                self.size -= evicted.size

    def entries(self) -> list[CacheEntry]:
        """All entries."""
        with self._lock:
            return list(self._entries.values())


def has_irreversible_step(trajectory: ReadyTrajectory) -> bool:
    """Whether a replay would do what cannot be undone."""
    return any(step.tool.effect == "irreversible" for step in trajectory.steps)


def estimate_bytes(trajectories: Iterable[ReadyTrajectory]) -> int:
    """About how many bytes trajectories take, with what replays make of them. Equal blobs are one."""
    total = ENTRY_BYTES
    shared: set[int] = set()
    for trajectory in trajectories:
        total += TRAJECTORY_BYTES + len(trajectory.sealed.body) + STEP_BYTES * len(trajectory.steps)
        total += BOUND_STEP_BYTES * sum(step.args is None for step in trajectory.steps)
        for candidate in trajectory.candidates:
            if candidate.estimated_bytes is None:
                candidate.estimated_bytes = _estimate_observation(candidate)
            own, large = candidate.estimated_bytes
            total += own
            for data in large:
                if id(data) not in shared:
                    shared.add(id(data))
                    total += len(data)
    return total


def _estimate_observation(candidate: Candidate) -> tuple[int, tuple[bytes, ...]]:
    """About how many bytes an observation takes alone, and the large parts that it may share with others."""
    row = candidate.row
    own = OBSERVATION_BYTES + STEP_ROW_BYTES * len(row.pre)
    large: dict[bytes, None] = {}
    for seen in (row.pre, row.post):
        for data in dict.fromkeys(seen):
            if data is not None:
                own += (DECODED_FACTOR - 1) * len(data)  # decoded for each observation on its own
                large[data] = None
    large.update(dict.fromkeys(row.outputs))
    own += sum(len(data) for data in large if len(data) <= INLINE_BYTES)
    return own, tuple(data for data in large if len(data) > INLINE_BYTES)
