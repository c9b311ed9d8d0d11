"""A thread that follows the changes of a PostgreSQL store.

It polls a number, and polls earlier when notified. The version of a key is then known without a query.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import psycopg

from ...errors import StoreError
from .connections import ConnectionPool, PooledConnection
from .errors import plain_text
from .opening import Sessions
from .schema import number_for, quoted
from .writer import Changes

POLL_INTERVAL = 0.5
MIN_POLL_GAP = 0.02  # Seconds between two polls, even if changes are announced more often.
MAX_AGE = 5.0  # Seconds after which the known versions are too old for a replay.
IDLE_TIMEOUT = 30.0  # Seconds without a call after which the thread stops polling.
LONGEST_PAUSE = 5.0
MOST_KEYS = 100_000
NOTHING = (1 << 63) - 1  # No change has a higher number.


def channel_of(schema: str) -> str:
    """Return the name of the channel that announces a store's changes.

    It contains a hash, because a schema's name may be too long for the name of a channel.
    """
    return f"muscle_mem_{number_for(b'change', schema.encode()) & (1 << 63) - 1}"


def poll_of(schema: str) -> str:
    """Return the statement that selects what changed after a tick."""
    name = quoted(schema)
    return (
        f"SELECT s.tick, s.everything, c.key, c.tick, pg_backend_pid() FROM {name}.sequence s "
        f"LEFT JOIN {name}.change c ON c.tick > %s WHERE s.one = 1"
    )


class KeyVersions:
    """The last known change of each key. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticks: dict[bytes, int] = {}
        self._everything = 0
        self._generation = 0
        self.seen = NOTHING

    def version(self, key: bytes) -> int:
        """Return a number that changes with every change of the key."""
        tick = self._ticks.get(key)
        if tick is None:
            with self._lock:
                if len(self._ticks) >= MOST_KEYS:
                    self._forget_all()
                tick = self._ticks.setdefault(key, self.seen)
        return self._generation << 64 | tick

    def invalidate_all(self) -> None:
        """Change all versions, because any key may have changed."""
        with self._lock:
            self._forget_all()

    def note_own_changes(self, changes: Changes) -> None:
        """Apply the changes of a transaction of this process."""
        if changes.any:
            with self._lock:
                if changes.everything:
                    self._everything = max(self._everything, changes.tick)
                    self._forget_all()
                for key in changes.keys:
                    self._ticks[key] = max(self._ticks.get(key, 0), changes.tick)

    def note_changes(self, since: int, rows: list[tuple[Any, ...]]) -> None:
        """Apply the rows that `poll_of` selected after the tick `since`.

        A lower tick means that the store has been replaced by another one.
        """
        tick, everything = int(rows[0][0]), int(rows[0][1])
        with self._lock:
            back = tick < since
            if back or everything > self._everything:
                self._forget_all()
                self._everything = everything
            for _, _, key, changed, _ in rows:
                if key in self._ticks:
                    self._ticks[key] = max(self._ticks[key], int(changed))
            self.seen = tick if back else max(tick, self.seen)

    def _forget_all(self) -> None:
        self._generation += 1
        self._ticks.clear()

    def reset_after_fork(self) -> None:
        """Replace the lock in a forked child: a thread of the parent may have held it."""
        self._lock = threading.Lock()
        self._forget_all()


class ChangeListener:
    """A thread that keeps `versions` at most half a second behind the server.

    It starts with the first call of `version`. Where connections keep sessions, the server announces changes, and a
    poll follows immediately. `polls` counts the polls.
    """

    def __init__(self, pool: ConnectionPool, sessions: Sessions) -> None:
        self.versions = KeyVersions()
        self.error: str | None = None
        self.polls = 0
        self._pool = pool
        self._schema = pool.options.schema
        self._poll = poll_of(self._schema)
        self._sessions = sessions
        self._reset()

    def _reset(self) -> None:
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._last_asked = 0.0
        self._last_polled = 0.0  # The start of the last successful poll.
        self._wake_sockets: tuple[socket.socket, socket.socket] | None = None
        self._pid = os.getpid()

    def version(self, key: bytes, ask: Callable[[], None]) -> int:
        """Return the version of a key; see `Store.version`.

        `ask` must poll. It is called if the last poll is too old and the listener has not failed.
        """
        now = time.monotonic()
        slept = now - self._last_asked > IDLE_TIMEOUT
        self._last_asked = now
        if slept or self._thread is None:
            self._wake()
        if now - self._last_polled > MAX_AGE:
            if self.error is not None:
                raise StoreError(
                    f"cannot follow the changes of the store {self._pool.options.url}: the server does not answer "
                    f"({self.error}). Check the server."
                )
            ask()
        return self.versions.version(key)

    def poll(self, connection: PooledConnection) -> int:
        """Fetch what changed in one round trip, and return the server's process id.

        Raises what psycopg raises.
        """
        began = time.monotonic()
        since = self.versions.seen
        rows = connection.fetch(self._poll, since)
        if not rows:
            raise psycopg.DataError("the row of the last sequence number is missing")
        self.versions.note_changes(since, rows)
        self._last_polled = began
        self.polls += 1
        return int(rows[0][4])

    def stop(self) -> None:
        """Stop the thread, and wait up to two seconds for its end."""
        self._stopped.set()
        self._signal()
        thread = self._thread
        if thread is not None and self._pid == os.getpid() and thread is not threading.current_thread():
            thread.join(2.0)

    def abandon_after_fork(self) -> None:
        """Reset the listener in a forked child: the thread belongs to the parent."""
        if self._wake_sockets is not None:
            for end in self._wake_sockets:
                end.close()
        self.versions.reset_after_fork()
        self.error = None
        self._reset()

    def _wake(self) -> None:
        with self._start:
            if self._stopped.is_set():
                return
            if self._thread is None:
                self._wake_sockets = socket.socketpair()
                for end in self._wake_sockets:
                    end.setblocking(False)
                self._thread = threading.Thread(target=self._run, name="muscle_mem-watch", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:  # No thread can start, for example at the exit of the interpreter.
                    self._thread = None
        self._signal()

    def _signal(self) -> None:
        if self._wake_sockets is not None:
            try:
                self._wake_sockets[1].send(b"x")
            except OSError:
                pass  # A full socket wakes the thread anyway, and a closed one has no listener.

    def _run(self) -> None:
        wake_sockets = self._wake_sockets
        assert wake_sockets is not None
        pause = POLL_INTERVAL
        try:
            while not self._stopped.is_set():
                try:
                    self._follow(wake_sockets[0])
                    pause = POLL_INTERVAL
                except (psycopg.Error, StoreError, OSError, ValueError) as error:
                    self.versions.invalidate_all()
                    self.error = plain_text(error, self._pool.options)
                    self._stopped.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            for end in wake_sockets:
                end.close()

    def _follow(self, wake_socket: socket.socket) -> None:
        """Poll over one connection while the listener is in use.

        An idle listener keeps no connection.
        """
        if time.monotonic() - self._last_asked > IDLE_TIMEOUT:
            _wait([wake_socket], None)
            _drain(wake_socket)
            return
        connection = self._pool.dedicated(time.monotonic() + self._pool.options.timeout)
        try:
            server_pid = self.poll(connection)
            if self._sessions.are_kept:
                self._listen(connection)
            while not self._stopped.is_set() and time.monotonic() - self._last_asked <= IDLE_TIMEOUT:
                connection.until = time.monotonic() + self._pool.options.timeout
                if self.poll(connection) != server_pid:
                    self._sessions.note_lost()
                if self.error is not None:
                    self.error = None
                    self._pool.breaker.worked()
                self._pause(wake_socket, connection)
        finally:
            connection.close()

    def _listen(self, connection: PooledConnection) -> None:
        connection.add_notify_handler(lambda _: None)
        try:
            connection.run(f"LISTEN {quoted(channel_of(self._schema))}")
        except psycopg.Error:
            if connection.closed:
                raise
            # On a standby, or without the privilege, polling is enough.

    def _pause(self, wake_socket: socket.socket, connection: PooledConnection) -> None:
        self._stopped.wait(MIN_POLL_GAP)
        sockets: list[Any] = [wake_socket, connection.pgconn.socket] if self._sessions.are_kept else [wake_socket]
        _wait(sockets, POLL_INTERVAL - MIN_POLL_GAP)
        _drain(wake_socket)


def _wait(sockets: Iterable[Any], seconds: float | None) -> None:
    if hasattr(select, "poll"):
        poll = select.poll()
        for one in sockets:
            poll.register(one, select.POLLIN)
        poll.poll(None if seconds is None else seconds * 1000)
    else:
        select.select(list(sockets), [], [], seconds)


def _drain(wake_socket: socket.socket) -> None:
    try:
        while wake_socket.recv(4096):
            pass
    except BlockingIOError:
        pass
