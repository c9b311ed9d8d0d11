"""The keys in use, in memory: those that were not asked for the longest leave when they take too much room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence

import msgspec

from .._core.model.blobs import INLINE
from .._core.plan.candidate_set import Company
from .._core.plan.trajectory import Candidate, Trajectory
from .._forks import Brief, watch

# Measured with tracemalloc on CPython: what objects take beside the bytes of what they hold.
ENTRY = 600
TRAJECTORY = 1_500
STEP = 350
OPEN_STEP = 600  # more, where arguments are built for each run
OBSERVATION = 500
PLACE = 120
DECODED = 3
"""A snapshot is held as its bytes, and as the value that these decode to, which takes about twice as much."""


class Entry(msgspec.Struct):
    """What is in memory of one key, and as of when. `size` is an estimate in bytes.

    `plain` says that nothing more is to be asked before its company is used.
    """

    company: Company
    store_version: int
    tools_version: int
    damaged: int
    size: int = ENTRY
    irreversible: bool = False
    plain: bool = True

    @property
    def trajectories(self) -> Sequence[Trajectory]:
        """Newest first."""
        return self.company.trajectories


class Memory(Brief):
    """Entries by their keys, bounded by the sum of their sizes. The one that was asked for last always stays."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._lock = threading.Lock()
        watch(self)

    def get(self, key: bytes) -> Entry | None:
        """The entry of a key, which is now the last to leave."""
        try:
            self._entries.move_to_end(key)
        except KeyError:
            return None
        return self._entries.get(key)  # not [key]: another thread may just have pushed it out

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an entry, and let others go for it."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._entries[key] = entry
            self.size += entry.size - (old.size if old is not None else 0)
            while self.size > self.most and len(self._entries) > 1:
                _, gone = self._entries.popitem(last=False)
                self.size -= gone.size

    def entries(self) -> list[Entry]:
        """All entries."""
        with self._lock:
            return list(self._entries.values())


def is_irreversible(trajectory: Trajectory) -> bool:
    """Whether a replay would do what cannot be undone."""
    return any(step.tool.effect == "irreversible" for step in trajectory.steps)


def size_of(trajectories: Iterable[Trajectory]) -> int:
    """About how many bytes trajectories take, with what replays make of them. Equal blobs are one."""
    total = ENTRY
    shared: set[int] = set()
    for trajectory in trajectories:
        total += TRAJECTORY + len(trajectory.sealed.body) + STEP * len(trajectory.steps)
        total += OPEN_STEP * sum(step.args is None for step in trajectory.steps)
        for candidate in trajectory.candidates:
            if candidate.weight is None:
                candidate.weight = _weight(candidate)
            own, large = candidate.weight
            total += own
            for data in large:
                if id(data) not in shared:
                    shared.add(id(data))
                    total += len(data)
    return total


def _weight(candidate: Candidate) -> tuple[int, tuple[bytes, ...]]:
    """About how many bytes an observation takes alone, and the large parts that it may share with others."""
    row = candidate.row
    own = OBSERVATION + PLACE * len(row.pre)
    large: dict[bytes, None] = {}
    for seen in (row.pre, row.post):
        for data in dict.fromkeys(seen):
            if data is not None:
                own += (DECODED - 1) * len(data)  # decoded for each observation on its own
                large[data] = None
    large.update(dict.fromkeys(row.outputs))
    own += sum(len(data) for data in large if len(data) <= INLINE)
    return own, tuple(data for data in large if len(data) > INLINE)
