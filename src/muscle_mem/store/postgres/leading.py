"""Locks on keys across processes: the session advisory locks of PostgreSQL.

They end with the connection that holds them.
"""

from __future__ import annotations

import os
import threading
import time

import psycopg

from .connections import ConnectionPool, PooledConnection
from .opening import Sessions
from .schema import number_for


class KeyLock:
    """A lock on a key; see `muscle_mem.store.base.Leadership`."""

    def __init__(self, key_locks: KeyLocks, key: bytes) -> None:
        self._key_locks = key_locks
        self._key = key
        self._pid = os.getpid()

    def release(self) -> None:
        if self._pid == os.getpid():
            self._key_locks.release(self._key, self)


class KeyLocks:
    """The locks of this process on keys, held by one dedicated connection.

    Behind a proxy that keeps no sessions, the locks work only between threads of this process. Processes then do not
    wait for each other, which costs an agent run but never a wrong answer.
    """

    def __init__(self, pool: ConnectionPool, sessions: Sessions) -> None:
        self._pool = pool
        self._sessions = sessions
        self._reset()

    def _reset(self) -> None:
        self._held_lock = threading.Lock()
        self._connection_lock = threading.Lock()
        self._held: dict[bytes, KeyLock] = {}
        self._connection: PooledConnection | None = None
        self._server_pid = 0

    def lead(self, key: bytes) -> KeyLock | None:
        """Lock a key, or return None if another run has locked it; see `Leading.lead`.

        Raises StoreError, or what psycopg raises.
        """
        lead = KeyLock(self, key)
        with self._held_lock:
            if key in self._held:
                return None
            self._held[key] = lead
        try:
            acquired = not self._sessions.are_kept or self._lock(key)
        except BaseException:
            self._drop(key, lead)
            raise
        if not acquired:
            self._drop(key, lead)
            return None
        return lead

    def release(self, key: bytes, lead: KeyLock) -> None:
        """Release a lock. Never raises.

        If the lock cannot be released, its connection is closed, which ends it.
        """
        with self._connection_lock:
            if self._held.get(key) is not lead:
                return
            connection = self._connection
            if connection is not None:
                try:
                    connection.until = time.monotonic() + self._pool.options.timeout
                    connection.fetch("SELECT pg_advisory_unlock(%s)", self._number(key))
                except psycopg.Error:
                    self._disconnect()
        self._drop(key, lead)

    def close(self) -> None:
        """Release all locks."""
        with self._connection_lock:
            self._disconnect()
        with self._held_lock:
            self._held.clear()

    def abandon_after_fork(self) -> None:
        """Drop all locks in a forked child: they belong to the parent."""
        self._reset()

    def _lock(self, key: bytes) -> bool:
        with self._connection_lock:
            kept = self._connection is not None
            try:
                return self._try(key)
            except psycopg.OperationalError:
                self._disconnect()
                if not kept:
                    raise
                return self._try(key)  # The kept connection may have been lost since its last use.

    def _try(self, key: bytes) -> bool:
        until = time.monotonic() + self._pool.options.timeout
        if self._connection is None:
            self._pool.breaker.admit()
            self._connection = self._pool.dedicated(until)
            self._server_pid = self._server_pid_of(self._connection)
        self._connection.until = until
        acquired, server_pid = self._connection.fetch(
            "SELECT pg_try_advisory_lock(%s), pg_backend_pid()", self._number(key)
        )[0]
        if server_pid == self._server_pid:
            return bool(acquired)
        # The lock belongs to a server session that others use, too. It protects nothing, and blocks others.
        self._sessions.note_lost()
        self._connection.fetch("SELECT pg_advisory_unlock(%s)", self._number(key))
        self._disconnect()
        return True

    @staticmethod
    def _server_pid_of(connection: PooledConnection) -> int:
        return int(connection.fetch("SELECT pg_backend_pid()")[0][0])

    def _number(self, key: bytes) -> int:
        return number_for(b"lead", self._pool.options.schema.encode(), key)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _drop(self, key: bytes, lead: KeyLock) -> None:
        with self._held_lock:
            if self._held.get(key) is lead:
                del self._held[key]
