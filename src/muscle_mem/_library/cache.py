"""A cache of the keys in use, bounded by its estimated memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from .._core.model.blobs import INLINE_BYTES
from .._core.plan.candidate_set import CandidateSet
from .._core.plan.ready_trajectory import Candidate, ReadyTrajectory
from .._forks import ForkSafeLock, register_for_forks

# Measured with tracemalloc on CPython: the size of objects without the bytes that they contain.
ENTRY_BYTES = 600
TRAJECTORY_BYTES = 1_500
STEP_BYTES = 350
BOUND_STEP_BYTES = 600  # In addition, for a step whose arguments are built for each run.
OBSERVATION_BYTES = 500
STEP_ROW_BYTES = 120
DECODED_FACTOR = 3
"""A snapshot is kept as bytes and as a decoded value, which takes twice as much."""


class CacheEntry(msgspec.Struct):
    """The candidates of one key, and the versions that they were loaded at.

    `size` is an estimate in bytes. `incarnation` is that of the store; see `PostgresStore.incarnation`. If
    `is_unconditional` is true, no other condition is checked before the candidates are used.
    """

    candidate_set: CandidateSet
    store_version: int
    tools_version: int
    damaged_count: int
    size: int = ENTRY_BYTES
    has_irreversible: bool = False
    is_unconditional: bool = True
    incarnation: int = 0

    @property
    def trajectories(self) -> Sequence[ReadyTrajectory]:
        """The trajectories, newest first."""
        return self.candidate_set.trajectories


class Cache(ForkSafeLock):
    """The most recently used entries by key, bounded by the sum of their sizes.

    The most recently used entry is never evicted.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size = 0
        self._entries: OrderedDict[bytes, CacheEntry] = OrderedDict()
        self._lock = threading.Lock()
        register_for_forks(self)

    def get(self, key: bytes) -> CacheEntry | None:
        """Return the entry of a key, and mark it as the most recently used."""
        try:
            self._entries.move_to_end(key)
        except KeyError:
            return None
        return self._entries.get(key)  # Another thread may just have evicted the entry.

    def put(self, key: bytes, entry: CacheEntry) -> None:
        """Add an entry, and evict others to stay within the bound."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._entries[key] = entry
            self.size += entry.size - (old.size if old is not None else 0)
            while self.size > self.max_bytes and len(self._entries) > 1:
                _, evicted = self._entries.popitem(last=False)
                self.size -= evicted.size

    def entries(self) -> list[CacheEntry]:
        """Return all entries."""
        with self._lock:
            return list(self._entries.values())


def has_irreversible_step(trajectory: ReadyTrajectory) -> bool:
    """Return whether a trajectory has a step that cannot be undone."""
    return any(step.tool.effect == "irreversible" for step in trajectory.steps)


def without_irreversible(entry: CacheEntry) -> list[ReadyTrajectory]:
    """Return the trajectories of an entry whose steps can all be undone or repeated."""
    return [trajectory for trajectory in entry.trajectories if not has_irreversible_step(trajectory)]


def estimate_bytes(trajectories: Iterable[ReadyTrajectory]) -> int:
    """Return the approximate memory of trajectories in bytes.

    This includes the values that replays decode. A shared blob counts once.
    """
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
    """Return the approximate bytes of an observation, and its large parts.

    Other observations may share the large parts, so their own bytes are not included.
    """
    row = candidate.row
    own = OBSERVATION_BYTES + STEP_ROW_BYTES * len(row.pre)
    large: dict[bytes, None] = {}
    for seen in (row.pre, row.post):
        for data in dict.fromkeys(seen):
            if data is not None:
                own += (DECODED_FACTOR - 1) * len(data)  # Each observation decodes it separately.
                large[data] = None
    large.update(dict.fromkeys(row.outputs))
    own += sum(len(data) for data in large if len(data) <= INLINE_BYTES)
    return own, tuple(data for data in large if len(data) > INLINE_BYTES)
