"""The keys in use, in memory: those that were not asked for the longest leave when they take too much room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from ._core.plan import Trajectory
from .store.forks import Brief, watch

# Measured with tracemalloc on CPython: what objects take beside the bytes of what they hold.
ENTRY = 600
TRAJECTORY = 1_500
STEP = 1_200
OBSERVATION = 500
PLACE = 200
DECODED = 3
"""A snapshot is held as its bytes, and as the value that these decode to, which takes about twice as much."""


class Entry(msgspec.Struct):
    """What is in memory of one key, and as of when. `size` is an estimate in bytes."""

    trajectories: list[Trajectory]
    store_version: int
    tools_version: int
    damaged: int
    size: int = ENTRY
    irreversible: bool = False


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
        entry = self._entries.get(key)
        if entry is not None:
            try:
                self._entries.move_to_end(key)
            except KeyError:  # another thread has just pushed it out
                pass
        return entry

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
        total += TRAJECTORY + 2 * len(trajectory.sealed.body) + STEP * len(trajectory.body.steps)
        for candidate in trajectory.candidates:
            row = candidate.row
            total += OBSERVATION + PLACE * len(row.pre)
            for data in (*row.pre, *row.post):
                if data is not None and id(data) not in shared:
                    shared.add(id(data))
                    total += DECODED * len(data)
                elif data is not None:
                    total += (DECODED - 1) * len(data)  # decoded for each observation on its own
            for data in row.outputs:
                if id(data) not in shared:
                    shared.add(id(data))
                    total += len(data)
    return total
