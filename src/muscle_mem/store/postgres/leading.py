"""Who learns a key, across processes: session advisory locks, which die with the connection of who holds them."""

from __future__ import annotations

import os
import threading
import time

import psycopg

from .connections import ConnectionPool, PooledConnection
from .opening import Sessions
from .schema import number_for


class KeyLock:
    """Being the only learner of a key, until released; see `muscle_mem.store.base.Leadership`."""

    def __init__(self, leads: KeyLocks, key: bytes) -> None:
        self._leads = leads
        self._key = key
        self._pid = os.getpid()

    def release(self) -> None:
        if self._pid == os.getpid():
            self._leads.release(self._key, self)


class KeyLocks:
    """The keys that this process leads, by one dedicated connection.

    Behind a proxy that keeps no session only the threads of this process know of one another: processes do
    not wait, which costs an agent's run and never a wrong answer.
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
        """As `Leading.lead`. Raises StoreError, or what psycopg raises."""
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
        """Never raises: a lock that cannot be given back dies with its connection, which is then closed."""
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
        """Let all go."""
        with self._conversation:
            self._disconnect()
        with self._door:
            self._held.clear()

    def abandon_after_fork(self) -> None:
        """In the child: all is the parent's."""
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
                return self._try(key)  # the connection was an old one, and lost since

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
        self._sessions.note_lost()  # the lock lies with a server that others use too: useless, and in the way
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
