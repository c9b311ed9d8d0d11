"""A store in dictionaries: the default of an Engine.

It is the simplest implementation of the contract.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec

from .._forks import ForkSafeLock, register_for_forks
from ..errors import StoreError
from .base import HEAD_BYTES, Found, Note, Observation, Sealed, Standing, Stored, Summary
from .history import HistoryMethods, HistoryTables
from .locking.key_locks import KeyLock, KeyLocks
from .memory_history import MemoryHistory
from .promises import Promises
from .standing import apply_note

T = TypeVar("T")


class _BlobPool:
    """Blobs in use, each distinct value stored once with a count of its users."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[bytes, tuple[bytes, int]] = {}  # The stored bytes object and its number of users.

    def __len__(self) -> int:
        return len(self._counts)

    def keep(self, observation: Observation) -> Observation:
        if not observation.blobs:
            return observation
        mine: list[bytes] = []
        for blob in observation.blobs:
            kept, users = self._counts.get(blob, (bytes(blob), 0))
            self._counts[kept] = (kept, users + 1)
            mine.append(kept)
        return msgspec.structs.replace(observation, blobs=tuple(mine))

    def free(self, observation: Observation) -> None:
        for blob in observation.blobs:
            kept, users = self._counts.pop(blob)
            if users > 1:
                self._counts[kept] = (kept, users - 1)


class _Entry:
    __slots__ = ("_blobs", "observations", "sealed", "seq", "standing")

    def __init__(self, sealed: Sealed, seq: int, blobs: _BlobPool) -> None:
        self.sealed = sealed
        self.seq = seq
        self.standing = Standing(state=sealed.state, reason=sealed.reason)
        self.observations: dict[str, tuple[int, Observation]] = {}
        self._blobs = blobs

    def add(self, observation: Observation, seq: int) -> None:
        """Store an observation, or update the time and sequence number of an existing one.

        A refresh updates neither. It replaces an earlier refresh.
        """
        known = self.observations.get(observation.id)
        if observation.refresh:
            self._drop_refresh(but=observation.id)
            if known is None:
                self.observations[observation.id] = (self.seq, self._blobs.keep(observation))
        elif known is None or known[1].refresh:
            self.observations[observation.id] = (seq, self._blobs.keep(observation))
            if known is not None:
                self._blobs.free(known[1])
        else:
            self.observations[observation.id] = (seq, msgspec.structs.replace(known[1], created=observation.created))

    def leave(self) -> None:
        """Release all blobs, because the trajectory is deleted."""
        for _, observation in self.observations.values():
            self._blobs.free(observation)

    def blobs(self) -> dict[bytes, bytes]:
        """Return the distinct blobs of all observations; keys and values are the same."""
        return {blob: blob for _, observation in self.observations.values() for blob in observation.blobs}

    def summary(self) -> Summary:
        rows = [observation for _, observation in self.observations.values()]
        size = len(self.sealed.body) + sum(len(one.body) for one in rows) + sum(map(len, self.blobs()))
        return Summary(
            id=self.sealed.id,
            key=self.sealed.key,
            seq=self.seq,
            state=self.standing.state,
            created=self.sealed.created,
            recorded=max((one.created for one in rows if not one.refresh), default=self.sealed.created),
            hits=self.standing.hits,
            last_hit=self.standing.last_hit,
            size=size,
            head=self.sealed.body[:HEAD_BYTES],
        )

    def _drop_refresh(self, but: str) -> None:
        for id, (_, old) in list(self.observations.items()):
            if old.refresh and id != but:
                del self.observations[id]
                self._blobs.free(old)

    def stored(self) -> Stored:
        rows = sorted(self.observations.values(), key=lambda row: (-row[0], row[1].refresh, row[1].id))
        return Stored(sealed=self.sealed, seq=self.seq, standing=self.standing, observations=tuple(rows))


class MemoryStore(ForkSafeLock, HistoryMethods):
    """A store in memory, which ends with the process.

    See `muscle_mem.store.base.Store` for each method. It is safe to call from any thread. A child process made by
    os.fork starts with a copy.
    """

    __module__ = "muscle_mem.store"

    url = "memory:"
    promises = Promises(acknowledged="cache", lasts=False)

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._seq = 0
        self._entries: dict[str, _Entry] = {}  # Ordered by sequence number, oldest first.
        self._keys: dict[bytes, dict[str, _Entry]] = {}
        self._tick = 0
        self._versions: dict[bytes, int] = {}
        self._version_of_unknown = 0
        self._key_locks = KeyLocks()
        self._blobs = _BlobPool()
        self._history = MemoryHistory()
        register_for_forks(self)

    def __repr__(self) -> str:
        return f"<MemoryStore of {len(self._entries)} trajectories>"

    def find(self, key: bytes) -> Found:
        with self._lock:
            self._ensure_open()
            entries = sorted(self._keys.get(key, {}).values(), key=lambda entry: -entry.seq)
            return Found(stored=tuple(entry.stored() for entry in entries))

    def get(self, id: str) -> Stored | None:
        with self._lock:
            self._ensure_open()
            entry = self._entries.get(id)
            return None if entry is None else entry.stored()

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        with self._lock:
            self._ensure_open()
            entry = self._entries.get(sealed.id)
            if entry is None and observation.refresh:
                return 0
            if not observation.refresh:
                self._seq += 1
            if entry is None:
                entry = _Entry(sealed, self._seq, self._blobs)
                self._entries[sealed.id] = entry
                self._keys.setdefault(sealed.key, {})[sealed.id] = entry
            elif not observation.refresh:
                entry.seq = self._seq
                self._entries[sealed.id] = self._entries.pop(sealed.id)
            entry.add(observation, entry.seq)
            self._touch(entry.sealed.key)
            if note is not None:
                self._note(note)
            return entry.seq

    def note(self, notes: tuple[Note, ...]) -> None:
        with self._lock:
            self._ensure_open()
            for note in notes:
                self._note(note)

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        with self._lock:
            self._ensure_open()
            if ids is None:
                self._history.clear()
            gone = [id for id in dict.fromkeys(self._entries if ids is None else ids) if id in self._entries]
            keys = {self._entries[id].sealed.key for id in gone}
            self._delete(gone)
            self._history.forget(gone, keys - self._keys.keys())
            return len(gone)

    def _delete(self, gone: list[str]) -> None:
        for id in gone:
            entry = self._entries.pop(id)
            entry.leave()
            key = entry.sealed.key
            del self._keys[key][id]
            if self._keys[key]:
                self._touch(key)
            else:
                del self._keys[key]
                self._versions.pop(key, None)
        if gone:
            self._tick += 1
            self._version_of_unknown = self._tick

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        with self._lock:
            self._ensure_open()
            page: list[Stored] = []
            for entry in reversed(self._entries.values()):
                if len(page) >= limit:
                    break
                if after is None or entry.seq < after:
                    page.append(entry.stored())
            return Found(stored=tuple(page))

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """Return a page of summaries, newest first.

        Args:
            after: Only trajectories with a lower sequence number are returned. None starts with the newest.
            limit: The maximum number of summaries.
        """
        with self._lock:
            self._ensure_open()
            entries = (entry for entry in reversed(self._entries.values()) if after is None or entry.seq < after)
            return tuple(entry.summary() for entry in itertools.islice(entries, limit))

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete trajectories, as `forget` does, and return how many existed.

        The other history of their tasks is kept.
        """
        with self._lock:
            self._ensure_open()
            gone = [id for id in dict.fromkeys(ids) if id in self._entries]
            self._delete(gone)
            self._history.forget(gone, ())
            return len(gone)

    def _read_history(self, work: Callable[[HistoryTables], T]) -> T:
        with self._lock:
            self._ensure_open()
            return work(self._history)

    def _write_history(self, work: Callable[[HistoryTables], T]) -> T:
        return self._read_history(work)

    def version(self, key: bytes) -> int:
        if self._closed:
            self._ensure_open()
        return self._versions.get(key, self._version_of_unknown)  # No lock is needed: `find`, which follows, takes it.

    def lead(self, key: bytes) -> KeyLock | None:
        """Become the only learner of a key among all engines that share this store.

        See `muscle_mem.store.base.Leading`.
        """
        with self._lock:
            self._ensure_open()
        return self._key_locks.lead(key)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._entries.clear()
            self._keys.clear()
            self._versions.clear()
            self._history.clear()

    def _note(self, note: Note) -> None:
        entry = self._entries.get(note.id)
        if entry is not None:
            entry.standing = apply_note(entry.standing, note)
            self._touch(entry.sealed.key)

    def _touch(self, key: bytes) -> None:
        self._tick += 1
        self._versions[key] = self._tick

    def _ensure_open(self) -> None:
        if self._closed:
            raise StoreError("store 'memory:' is closed. Create a new Engine or store.")
