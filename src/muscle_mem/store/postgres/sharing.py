"""What all stores of one URL share in a process.

That is one pool of connections, and one thread that watches for changes.

A hundred engines in a process then take as few connections as one.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable

from ..._forks import ForkSafeLock, register_for_forks
from .attempts import Attempts
from .breaker import Breaker, WriteBreakers
from .connections import ConnectionPool
from .leading import KeyLocks
from .listener import ChangeListener
from .opening import Sessions
from .options import Options
from .replica import Replica


class Shared:
    """The connections to the store of one URL."""

    def __init__(self, options: Options) -> None:
        url = options.url
        self.pool = ConnectionPool(options, Breaker(f"cannot reach the store {url}"))
        self.writes = WriteBreakers(f"cannot write to the store {url}")
        self.attempts = Attempts(self.pool)
        self.sessions = Sessions(options)
        self.key_locks = KeyLocks(self.pool, self.attempts)
        self.replica = Replica(options) if options.read[0] else None
        marks = self.replica.marks if self.replica is not None else None
        self.listener = ChangeListener(self.pool, self.sessions, self.key_locks, marks)
        self.pool.on_new_incarnation = self.listener.versions.invalidate_all
        self.users = 0
        self._pid = os.getpid()

    def notice_fork(self) -> None:
        """Drop what belongs to the parent in a child whose fork called no fork handlers."""
        if self._pid != os.getpid():
            self._after_fork_in_child()

    def close(self) -> None:
        """Close the connections, and stop the thread."""
        self.key_locks.close()
        self.pool.close()
        if self.replica is not None:
            self.replica.pool.close()
        self.listener.stop()

    def _before_fork(self) -> None:
        self.pool.before_fork()
        if self.replica is not None:
            self.replica.pool.before_fork()

    def _after_fork_in_parent(self) -> None:
        self.pool.after_fork_in_parent()
        if self.replica is not None:
            self.replica.pool.after_fork_in_parent()

    def _after_fork_in_child(self) -> None:
        self._pid = os.getpid()
        self.pool.breaker.reset_after_fork()
        self.writes.reset_after_fork()
        self.pool.abandon_after_fork()
        if self.replica is not None:
            self.replica.abandon_after_fork()
        self.listener.abandon_after_fork()
        self.key_locks.abandon_after_fork()


class _Registry(ForkSafeLock):
    """What is shared in this process, by the options of the URL."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # type: ignore[assignment]  # A finalizer may run in a thread that holds it.
        self._shared: dict[Hashable, Shared] = {}
        register_for_forks(self)

    def acquire(self, options: Options) -> Shared:
        key = _key(options)
        with self._lock:
            shared = self._shared.get(key)
            is_new = shared is None
            if shared is None:
                shared = self._shared[key] = Shared(options)
            shared.users += 1
        if is_new:  # Not under the lock, which a fork acquires after its own.
            register_for_forks(shared)
        return shared

    def release(self, shared: Shared) -> None:
        with self._lock:
            shared.users -= 1
            is_unused = shared.users == 0
            if is_unused:
                self._shared.pop(_key(shared.pool.options), None)
        if is_unused:
            shared.close()


def _key(options: Options) -> Hashable:
    conninfo = tuple(sorted((name, str(value)) for name, value in options.conninfo.items()))
    ours = options.schema, options.timeout, options.connections, options.pooling, options.notify, options.read
    return conninfo, *ours


_registry = _Registry()


def acquire(options: Options) -> Shared:
    """Return what the stores of a URL share, for one more store.

    The store releases it when it is closed.
    """
    return _registry.acquire(options)


def release(shared: Shared) -> None:
    """Give back what `acquire` returned. After the last store, everything is closed."""
    _registry.release(shared)
