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

    def __init__(self, leads: KeyLocks, key: bytes) -> None:
        self._leads = leads
        self._key = key
        self._pid = os.getpid()

    def release(self) -> None:
        if self._pid == os.getpid():
            self._leads.release(self._key, self)


class KeyLocks:
    """The locks of this process on keys, held by one dedicated connection.

    Behind a proxy that keeps no sessions, the locks work only between threads of this process. Processes then do not
    wait for each other, which costs an agent run but never a wrong answer.
    """

    def __init__(self, pool: ConnectionPool, sessions: Sessions) -> None:
        self._pool = pool
        self._sessions = sessions
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._door = threading.Lock()
        self._conversation = threading.Lock()
        self._held: dict[bytes, KeyLock] = {}
        self._line: PooledConnection | None = None
        self._home = 0

    def lead(self, key: bytes) -> KeyLock | None:
        """Lock a key, or return None if another run has locked it; see `Leading.lead`.

        Raises StoreError, or what psycopg raises.
        """
        lead = KeyLock(self, key)
        with self._door:
            if key in self._held:
                return None
            self._held[key] = lead
        try:
            got = not self._sessions.are_kept or self._lock(key)
        except BaseException:
            self._drop(key, lead)
            raise
        if not got:
            self._drop(key, lead)
            return None
        return lead

    def release(self, key: bytes, lead: KeyLock) -> None:
        """Release a lock. Never raises.

        If the lock cannot be released, its connection is closed, which ends it.
        """
        with self._conversation:
            if self._held.get(key) is not lead:
                return
            connection = self._line
            if connection is not None:
                try:
                    connection.until = time.monotonic() + self._pool.options.timeout
                    connection.fetch("SELECT pg_advisory_unlock(%s)", self._number(key))
                except psycopg.Error:
                    self._disconnect()
        self._drop(key, lead)

    def close(self) -> None:
        """Release all locks."""
        with self._conversation:
            self._disconnect()
        with self._door:
            self._held.clear()

    def abandon_after_fork(self) -> None:
        """Drop all locks in a forked child: they belong to the parent."""
        self._start_afresh()

    def _lock(self, key: bytes) -> bool:
        with self._conversation:
            kept = self._line is not None
            try:
                return self._try(key)
            except psycopg.OperationalError:
                self._disconnect()
                if not kept:
                    raise
                return self._try(key)  # The kept connection may have been lost since its last use.

    def _try(self, key: bytes) -> bool:
        until = time.monotonic() + self._pool.options.timeout
        if self._line is None:
            self._pool.breaker.admit()
            self._line = self._pool.dedicated(until)
            self._home = self._ask_home(self._line)
        self._line.until = until
        got, home = self._line.fetch("SELECT pg_try_advisory_lock(%s), pg_backend_pid()", self._number(key))[0]
        if home == self._home:
            return bool(got)
        # The lock belongs to a server session that others use, too. It protects nothing, and blocks others.
        self._sessions.note_lost()
        self._line.fetch("SELECT pg_advisory_unlock(%s)", self._number(key))
        self._disconnect()
        return True

    @staticmethod
    def _ask_home(connection: PooledConnection) -> int:
        return int(connection.fetch("SELECT pg_backend_pid()")[0][0])

    def _number(self, key: bytes) -> int:
        return number_for(b"lead", self._pool.options.schema.encode(), key)

    def _disconnect(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _drop(self, key: bytes, lead: KeyLock) -> None:
        with self._door:
            if self._held.get(key) is lead:
                del self._held[key]
