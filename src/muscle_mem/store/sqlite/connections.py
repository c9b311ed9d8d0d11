"""Connections of a SQLite store: one per thread, none across a fork.

All of them are closed with the store. SQLite keeps a process's file locks in memory, and a fork copies this state
without the locks. A child that then opens the file loses commits when the parent closes it. So all connections are
closed before os.fork, and opened again in parent and child when next needed. A process that was forked in another way
does not open the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..._forks import register_for_forks
from ...errors import StoreError

T = TypeVar("T")

FORK_TIMEOUT = 10.0  # Seconds that a fork waits for a write in another thread.

_inherited: set[str] = set()  # Paths that must not be opened here, because connections to them were inherited.


class Lease:
    """A connection and the lock that its user holds.

    `connection` and `cursor` are None after it was closed, except at exit.
    """

    __slots__ = ("__weakref__", "_close", "_held", "connection", "cursor", "durable", "generation", "lock")

    def __init__(self, connection: sqlite3.Connection, path: str, generation: int) -> None:
        self.connection: sqlite3.Connection | None = connection
        self.cursor: sqlite3.Cursor | None = connection.cursor()  # A cursor for frequent queries.
        self._held = [connection]
        self.durable = True
        self.generation = generation
        self.lock = threading.Lock()
        # This closes the connection when its thread ends, when an open store is collected, and at exit. A __del__
        # would run too late in a cycle, where the connection may be finalized first, with a warning.
        self._close = weakref.finalize(self, _close, self._held, path, os.getpid())

    @property
    def is_open(self) -> bool:
        """Return whether the connection can be used.

        Connections are closed at exit, before the last counts are written.
        """
        return self.connection is not None and bool(self._held)

    def close(self) -> None:
        """Close the connection.

        The caller must hold the lock or be the only user.
        """
        self.connection = self.cursor = None
        self._close()


def _close(held: list[sqlite3.Connection], path: str, pid: int) -> None:
    connection = held.pop()
    if pid == os.getpid():
        try:
            connection.close()
        except sqlite3.Error:
            pass  # Nothing is lost, because commits are in the file.
    else:
        # Closing the parent's connection here can lose its commits, so it is never freed.
        _inherited.add(path)
        import ctypes  # Imported here because it is rarely needed.

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


class Connections:
    """Connections of all threads, opened by `connect` when first needed.

    With `keep=False` every use opens a new one, for files whose changes SQLite does not notice.
    """

    def __init__(self, path: str, connect: Callable[[], sqlite3.Connection], *, keep: bool = True) -> None:
        self.closed = False
        self._path = path
        self._connect = connect
        self._keep = keep
        self._pid = os.getpid()
        self._generation = 0
        self._start_afresh()
        register_for_forks(self)

    def _start_afresh(self) -> None:
        self._state_lock = threading.Lock()  # Held while a connection is opened, and during a fork.
        self._own = threading.local()
        self._leases: weakref.WeakSet[Lease] = weakref.WeakSet()
        self._watch: Lease | None = None

    def lend(self, work: Callable[[Lease, sqlite3.Connection], T]) -> T:
        """Return the result of `work` on this thread's connection, in one operation.

        Raises StoreError if the store is closed.
        """
        while True:
            lease = self._own_lease()
            with lease.lock:
                if lease.connection is None or not lease.is_open:
                    continue  # A fork or close() closed it before the lock was acquired.
                try:
                    return work(lease, lease.connection)
                finally:
                    if not self._keep:
                        lease.close()

    @contextmanager
    def using(self) -> Iterator[Lease]:
        """Yield this thread's connection for one operation.

        Raises StoreError if the store is closed.
        """
        while True:
            lease = self._own_lease()
            with lease.lock:
                if not lease.is_open:
                    continue  # A fork or close() closed it before the lock was acquired.
                try:
                    yield lease
                finally:
                    if not self._keep:
                        lease.close()
                return

    def data_version(self) -> int:
        """Return a number that changes with each commit of any process."""
        while True:
            if self.closed or self._pid != os.getpid() or _inherited:
                self.ensure_open()
            lease = self._watch
            if lease is not None:
                with lease.lock:
                    if lease.cursor is not None and lease.is_open:
                        ((version,),) = lease.cursor.execute("PRAGMA data_version")
                        return lease.generation << 32 | int(version)
            with self._state_lock:
                if self._watch is lease:
                    self._watch = self._make()

    def ensure_open(self) -> None:
        """Raise StoreError if the store is closed or must not be used in this process."""
        if self.closed:
            raise StoreError(f"store {self._path!r} is closed. Create a new Engine or store.")
        if self._pid != os.getpid() or self._path in _inherited:
            for lease in list(self._leases):
                lease.close()
            _inherited.add(self._path)
            raise StoreError(
                f"store {self._path!r} cannot be used in this process without a risk of data loss: it was open during "
                f"a fork without os.fork(), or during a fork while it was in use. Open the store after the fork."
            )

    def close(self, before_last: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Close all connections after their current operations.

        `before_last` is called with the last connection before it is closed.
        """
        self.closed = True
        if self._pid != os.getpid():
            return
        with self._state_lock:
            leases = list(self._leases)
            for lease in leases:
                with lease.lock:
                    if (
                        before_last is not None
                        and lease is leases[-1]
                        and lease.connection is not None
                        and lease.is_open
                    ):
                        before_last(lease.connection)
                    lease.close()

    def _own_lease(self) -> Lease:
        self.ensure_open()
        lease: Lease | None = getattr(self._own, "lease", None)
        if lease is None or not lease.is_open:
            with self._state_lock:
                lease = self._make()
            if self._keep:
                self._own.lease = lease
        return lease

    def _make(self) -> Lease:
        self.ensure_open()
        self._generation += 1
        lease = Lease(self._connect(), self._path, self._generation)
        self._leases.add(lease)
        return lease

    def _before_fork(self) -> None:
        self._state_lock.acquire()
        for lease in list(self._leases):
            if lease.lock.acquire(timeout=FORK_TIMEOUT):
                lease.close()
                lease.lock.release()

    def _after_fork_in_parent(self) -> None:
        self._state_lock.release()

    def _after_fork_in_child(self) -> None:
        self._pid = os.getpid()
        for lease in list(self._leases):
            lease.close()  # Connections that were in use during the fork are abandoned.
        self._start_afresh()  # A thread of the parent may have held one of the old locks.
