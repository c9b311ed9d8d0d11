"""The connections of a SQLite store: one a thread, none over a fork, all closed with the store.

SQLite keeps a process's view of its file locks in memory, and a fork copies the view without the locks: a
child that then opens the file loses commits as soon as the parent closes it. So all connections are closed
before os.fork and made again, when next needed, on either side; and a process that was forked past Python's
back does not touch the file.
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

FORK_TIMEOUT = 10.0  # seconds that a fork waits for a write that is under way in another thread

_inherited: set[str] = set()  # paths that this process must not open, for it got connections to them by a fork


class Lease:
    """A connection and the lock that its user holds. Both are None once it was closed, but for at exit."""

    __slots__ = ("__weakref__", "_close", "_held", "connection", "cursor", "durable", "generation", "lock")

    def __init__(self, connection: sqlite3.Connection, path: str, generation: int) -> None:
        self.connection: sqlite3.Connection | None = connection
        self.cursor: sqlite3.Cursor | None = connection.cursor()  # for what is asked too often to make one each time
        self._held = [connection]
        self.durable = True
        self.generation = generation
        self.lock = threading.Lock()
        # Also closes it when the thread it belonged to has ended, the store was dropped unclosed, or at exit. A
        # __del__ would come too late in a cycle, where the connection may be finalized first, with a warning.
        self._close = weakref.finalize(self, _close, self._held, path, os.getpid())

    @property
    def is_open(self) -> bool:
        """Whether the connection can be used. It is closed at exit, too, and what was counted is written after that."""
        return self.connection is not None and bool(self._held)

    def close(self) -> None:
        """Close the connection. Only for the holder of the lock, or when the lease is not shared."""
        self.connection = self.cursor = None
        self._close()


def _close(held: list[sqlite3.Connection], path: str, pid: int) -> None:
    connection = held.pop()
    if pid == os.getpid():
        try:
            connection.close()
        except sqlite3.Error:
            pass  # nothing is lost: what was committed is in the file
    else:
        # The parent's: to close it here can lose the parent's commits, so nothing ever must.
        _inherited.add(path)
        import ctypes  # here, for it is hardly ever needed

        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


class Connections:
    """Lends each thread its connection, made by `connect` when first needed.

    With `keep=False` every use gets a new one, for files that SQLite cannot see change.
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
        self._state_lock = threading.Lock()  # held while a connection is made, and through a fork
        self._own = threading.local()
        self._leases: weakref.WeakSet[Lease] = weakref.WeakSet()
        self._watch: Lease | None = None

    def lend(self, work: Callable[[Lease, sqlite3.Connection], T]) -> T:
        """What `work` makes of this thread's connection in one operation. StoreError once the store is closed."""
        while True:
            lease = self._own_lease()
            with lease.lock:
                if lease.connection is None or not lease.is_open:
                    continue  # closed between the two lines, by a fork or by close()
                try:
                    return work(lease, lease.connection)
                finally:
                    if not self._keep:
                        lease.close()

    @contextmanager
    def using(self) -> Iterator[Lease]:
        """This thread's connection, for one operation. StoreError once the store is closed."""
        while True:
            lease = self._own_lease()
            with lease.lock:
                if not lease.is_open:
                    continue  # closed between the two lines, by a fork or by close()
                try:
                    yield lease
                finally:
                    if not self._keep:
                        lease.close()
                return

    def data_version(self) -> int:
        """A number that changes with each commit of any process."""
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
        """StoreError if the store is closed, or must not be used in this process."""
        if self.closed:
            raise StoreError(f"The store {self._path!r} is closed. Make a new Engine or store to go on.")
        if self._pid != os.getpid() or self._path in _inherited:
            for lease in list(self._leases):
                lease.close()
            _inherited.add(self._path)
            raise StoreError(
                f"The store {self._path!r} was open while this process was forked by something other than a "
                f"quiet os.fork(), and using it here could lose data. Open the store after the fork."
            )

    def close(self, before_last: Callable[[sqlite3.Connection], None] | None = None) -> None:
        """Close all connections, waiting for operations under way. `before_last` gets the last one before."""
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
            lease.close()  # those that were too busy: abandoned
        self._start_afresh()  # a thread that is not in this process may have held a lock of the old ones
