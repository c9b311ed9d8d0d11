"""What others change in a PostgreSQL store, known without a query: a thread polls a number, and polls earlier when
notified.
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
MIN_POLL_GAP = 0.02  # seconds between two polls, however often a change is announced
MAX_AGE = 5.0  # seconds after which what is known is too old to be replayed by
IDLE_TIMEOUT = 30.0  # seconds without a question after which the thread stops asking the server
LONGEST_PAUSE = 5.0
MOST_KEYS = 100_000
NOTHING = (1 << 63) - 1  # no change has a number above this one


def channel_of(schema: str) -> str:
    """The name of the channel on which a store's changes are announced: a name may have more bytes than a channel
    takes.
    """
    return f"muscle_mem_{number_for(b'change', schema.encode()) & (1 << 63) - 1}"


def poll_of(schema: str) -> str:
    """The statement that returns what changed after a tick."""
    name = quoted(schema)
    return (
        f"SELECT s.tick, s.everything, c.key, c.tick, pg_backend_pid() FROM {name}.sequence s "
        f"LEFT JOIN {name}.change c ON c.tick > %s WHERE s.one = 1"
    )


class KeyVersions:
    """The number of each key's last change, as far as known. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticks: dict[bytes, int] = {}
        self._everything = 0
        self._generation = 0
        self.seen = NOTHING

    def version(self, key: bytes) -> int:
        """A number that another change of the key makes another."""
        tick = self._ticks.get(key)
        if tick is None:
            with self._lock:
                if len(self._ticks) >= MOST_KEYS:
                    self._forget_all()
                tick = self._ticks.setdefault(key, self.seen)
        return self._generation << 64 | tick

    def invalidate_all(self) -> None:
        """Anything may have changed."""
        with self._lock:
            self._forget_all()

    def note_own_changes(self, changes: Changes) -> None:
        """A transaction of our own has these changes."""
        if changes.any:
            with self._lock:
                if changes.everything:
                    self._everything = max(self._everything, changes.tick)
                    self._forget_all()
                for key in changes.keys:
                    self._ticks[key] = max(self._ticks.get(key, 0), changes.tick)

    def note_changes(self, since: int, rows: list[tuple[Any, ...]]) -> None:
        """The answer to `poll_of`, asked when `since` was seen. A number that went back is that of another store."""
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

    def start_afresh(self) -> None:
        """In a forked child: its parent's thread may have held the lock."""
        self._lock = threading.Lock()
        self._forget_all()


class ChangeListener:
    """Keeps `versions` at most half a second behind the server, by a thread that starts with the first question.

    Where connections are sessions the server announces changes, and the poll follows immediately. `polls` counts
    the polls.
    """

    def __init__(self, pool: ConnectionPool, sessions: Sessions) -> None:
        self.versions = KeyVersions()
        self.error: str | None = None
        self.polls = 0
        self._pool = pool
        self._schema = pool.options.schema
        self._poll = poll_of(self._schema)
        self._sessions = sessions
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._last_asked = 0.0  # when it was last asked for
        self._last_polled = 0.0  # when the last good poll began
        self._wake_sockets: tuple[socket.socket, socket.socket] | None = None
        self._pid = os.getpid()

    def version(self, key: bytes, ask: Callable[[], None]) -> int:
        """As `Store.version`. `ask` is called, and has to poll, if there was no poll for long and the listener
        works.
        """
        now = time.monotonic()
        slept = now - self._last_asked > IDLE_TIMEOUT
        self._last_asked = now
        if slept or self._thread is None:
            self._wake()
        if now - self._last_polled > MAX_AGE:
            if self.error is not None:
                raise StoreError(
                    f"What others changed in the store {self._pool.options.url} is not known, for the server does not "
                    f"answer ({self.error}). Agents run without the store meanwhile; look at the server."
                )
            ask()
        return self.versions.version(key)

    def poll(self, connection: PooledConnection) -> int:
        """Fetch what changed, in one round trip; return the server's process id. Raises what psycopg raises."""
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
        """End the thread, if there is one, and wait for it, but not for a server that is gone."""
        self._stopped.set()
        self._signal()
        thread = self._thread
        if thread is not None and self._pid == os.getpid() and thread is not threading.current_thread():
            thread.join(2.0)

    def abandon_after_fork(self) -> None:
        """In the child: the thread is the parent's."""
        if self._wake_sockets is not None:
            for end in self._wake_sockets:
                end.close()
        self.versions.start_afresh()
        self.error = None
        self._start_afresh()

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
                except RuntimeError:  # no more threads, as when the interpreter is ending
                    self._thread = None
        self._signal()

    def _signal(self) -> None:
        if self._wake_sockets is not None:
            try:
                self._wake_sockets[1].send(b"x")
            except OSError:
                pass  # full, so it rings; or closed, so there is no listener

    def _run(self) -> None:
        bell = self._wake_sockets
        assert bell is not None
        pause = POLL_INTERVAL
        try:
            while not self._stopped.is_set():
                try:
                    self._follow(bell[0])
                    pause = POLL_INTERVAL
                except (psycopg.Error, StoreError, OSError, ValueError) as error:
                    self.versions.invalidate_all()
                    self.error = plain_text(error, self._pool.options)
                    self._stopped.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            for end in bell:
                end.close()

    def _follow(self, bell: socket.socket) -> None:
        """Poll through one connection until it is not asked for any more. An idle listener keeps no connection."""
        if time.monotonic() - self._last_asked > IDLE_TIMEOUT:
            _wait([bell], None)
            _drain(bell)
            return
        connection = self._pool.dedicated(time.monotonic() + self._pool.options.timeout)
        try:
            home = self.poll(connection)
            if self._sessions.are_kept:
                self._listen(connection)
            while not self._stopped.is_set() and time.monotonic() - self._last_asked <= IDLE_TIMEOUT:
                connection.until = time.monotonic() + self._pool.options.timeout
                if self.poll(connection) != home:
                    self._sessions.note_lost()
                if self.error is not None:
                    self.error = None
                    self._pool.breaker.worked()
                self._pause(bell, connection)
        finally:
            connection.close()

    def _listen(self, connection: PooledConnection) -> None:
        connection.add_notify_handler(lambda _: None)
        try:
            connection.run(f"LISTEN {quoted(channel_of(self._schema))}")
        except psycopg.Error:
            if connection.closed:
                raise
            # a standby, or no right: the poll is enough

    def _pause(self, bell: socket.socket, connection: PooledConnection) -> None:
        self._stopped.wait(MIN_POLL_GAP)
        heard: list[Any] = [bell, connection.pgconn.socket] if self._sessions.are_kept else [bell]
        _wait(heard, POLL_INTERVAL - MIN_POLL_GAP)
        _drain(bell)


def _wait(heard: Iterable[Any], seconds: float | None) -> None:
    if hasattr(select, "poll"):
        poll = select.poll()
        for one in heard:
            poll.register(one, select.POLLIN)
        poll.poll(None if seconds is None else seconds * 1000)
    else:
        select.select(list(heard), [], [], seconds)


def _drain(bell: socket.socket) -> None:
    try:
        while bell.recv(4096):
            pass
    except BlockingIOError:
        pass
