"""A thread that follows the changes of a PostgreSQL store.

It polls for the changes that its last snapshot did not contain. The version of a key is then known without a query.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import psycopg
from psycopg import errors

from ...errors import StoreError
from .connections import ConnectionPool, PooledConnection, Rows
from .errors import NotNowError, plain_text
from .leading import KeyLocks
from .opening import Sessions
from .replica import MARK, Marks
from .schema import number_for, quoted
from .writer import Changes

POLL_INTERVAL = 0.3  # Seconds between two polls.
BUSY_INTERVAL = 0.1  # Seconds between two polls while others write.
BUSY_SECONDS = 2.0  # Seconds after a change in which others probably write again.
MIN_POLL_GAP = 0.02  # Seconds between two polls, even if changes are announced more often.
MAX_AGE = 4.5  # Seconds after which the known versions are too old for a replay.
IDLE_TIMEOUT = 30.0  # Seconds without a call after which the thread stops polling.
LONGEST_PAUSE = 1.0
MOST_KEYS = 100_000
NOTHING = (1 << 63) - 1  # No transaction has a higher number.
MOST_OWN_ROWS = 10_000


def channel_of(schema: str) -> str:
    """Return the name of the channel that announces a store's changes.

    It contains a hash, because a schema's name may be too long for the name of a channel.
    """
    return f"muscle_mem_{number_for(b'change', schema.encode()) & (1 << 63) - 1}"


def poll_of(schema: str, extra: str = "") -> str:
    """Return the statement that selects the changes since the last poll.

    These are the ones of transactions that had not begun, or had not ended. The number of the oldest such transaction
    is the horizon. Other conditions only save reading rows again: a long transaction holds the horizon back. `extra`
    is one more column.
    """
    name = quoted(schema)
    return (
        "SELECT txid_current_snapshot()::text, pg_is_in_recovery(), pg_postmaster_start_time()::text, h.pruned, "
        f"pg_backend_pid(), c.n, c.key{', ' if extra else ''}{extra} FROM {name}.horizon h "
        f"LEFT JOIN {name}.change c ON c.xid >= %s AND (c.xid >= %s OR c.xid = ANY(%s::bigint[])) WHERE h.one = 1"
    )


class Horizon(msgspec.Struct, frozen=True):
    """What a poll has seen: all transactions below `xmax` that had ended.

    `running` are those that had not. `xmin` is the oldest one that was running. `server` identifies the server process.
    """

    xmin: int = NOTHING
    xmax: int = NOTHING
    running: tuple[int, ...] = ()
    server: str = ""

    @staticmethod
    def of(snapshot: str, in_recovery: bool, server: str) -> Horizon:
        """Return the horizon of a snapshot.

        The snapshot of a standby does not list what is running.
        """
        xmin, xmax, running = snapshot.split(":")
        if in_recovery:
            return Horizon(int(xmin), int(xmin), (), server)
        return Horizon(int(xmin), int(xmax), tuple(int(xid) for xid in running.split(",") if xid), server)


class KeyVersions:
    """A number for each key that changes with every known change.

    Safe to use from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[bytes, int] = {}
        self._last = 0
        self._seen: set[int] = set()
        self._own: set[int] = set()
        self.horizon = Horizon()

    def version(self, key: bytes) -> int:
        """Return a number that changes with every change of the key."""
        known = self._versions.get(key)
        if known is None:
            with self._lock:
                if len(self._versions) >= MOST_KEYS:
                    self._versions.clear()
                known = self._versions.get(key)
                if known is None:
                    known = self._versions[key] = self._next()
        return known

    def invalidate_all(self) -> None:
        """Change all versions, because any key may have changed."""
        with self._lock:
            self._versions.clear()

    def note_own_changes(self, changes: Changes) -> None:
        """Apply the changes of a transaction of this process."""
        if changes.any:
            with self._lock:
                for key in changes.keys:
                    self._change(key)
                if changes.everything:
                    self._versions.clear()
                if len(self._own) >= MOST_OWN_ROWS:  # Seeing one again costs a query.
                    self._own.clear()
                self._own.update(set(changes.rows) - self._seen)

    def note_changes(self, since: Horizon, rows: list[tuple[Any, ...]]) -> bool:
        """Apply the rows that `poll_of` selected after the poll `since`.

        Returns whether others have written. All versions change if the numbers have gone back, if another server
        process answers, or if changes have been deleted that this poll should have seen.
        """
        snapshot, in_recovery, server, pruned = rows[0][:4]
        horizon = Horizon.of(snapshot, in_recovery, server)
        with self._lock:
            if since.server and (
                horizon.xmin < since.xmin or server != since.server or since.xmin < pruned <= horizon.xmin
            ):
                self._versions.clear()
            numbers = {int(row[5]) for row in rows if row[5] is not None}
            new = numbers - self._seen - self._own
            for row in rows:
                if row[5] in new:
                    self._change(row[6])
            if self.horizon is since:  # Otherwise another poll has a newer one.
                self.horizon = horizon
                self._own -= numbers
                self._seen = numbers
            return bool(new)

    def _change(self, key: bytes | None) -> None:
        if key is None:
            self._versions.clear()
        elif key in self._versions:
            self._versions[key] = self._next()

    def _next(self) -> int:
        self._last += 1
        return self._last

    def reset_after_fork(self) -> None:
        """Replace the lock in a forked child: a thread of the parent may have held it."""
        self._lock = threading.Lock()
        self._versions = {}


class ChangeListener:
    """A thread that keeps `versions` less than half a second behind the server.

    It starts with the first call of `version`. With the option `mm_notify`, the server announces changes, and a poll
    follows immediately. `polls` counts the polls.
    """

    def __init__(
        self, pool: ConnectionPool, sessions: Sessions, key_locks: KeyLocks, marks: Marks | None = None
    ) -> None:
        self.versions = KeyVersions()
        self.error: str | None = None
        self.polls = 0
        self._pool = pool
        self._schema = pool.options.schema
        self._marks = marks
        self._poll = poll_of(self._schema, MARK if marks is not None else "")
        self._sessions = sessions
        self._key_locks = key_locks
        self._reset()

    def _reset(self) -> None:
        self._start = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._last_asked = 0.0
        self._last_polled = 0.0  # The start of the last successful poll.
        self._busy_until = 0.0
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
            self.wake()
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
        since = self.versions.horizon
        rows = self._fetch(connection, since)
        if not rows:
            raise psycopg.DataError("the row of the table 'horizon' is missing")
        if self._marks is not None:
            self._marks.note(began, connection.identity[0], rows[0][2], rows[0][7])
        if self.versions.note_changes(since, rows):
            self._busy_until = began + BUSY_SECONDS
        self._last_polled = began
        self.polls += 1
        return int(rows[0][4])

    def _fetch(self, connection: PooledConnection, since: Horizon) -> Rows:
        values = since.xmin, since.xmax, list(since.running)
        try:
            return connection.fetch(self._poll, *values)
        except (errors.InsufficientPrivilege, errors.FeatureNotSupported, errors.UndefinedFunction):
            if self._marks is None:
                raise
            # Some hosting providers hide how far a server is. No replica is used then.
            self._marks = None
            self._poll = poll_of(self._schema)
            return connection.fetch(self._poll, *values)

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

    def wake(self) -> None:
        """Start the thread, or let it poll now."""
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

        An idle listener keeps no connection. If the server accepts no more of them, the listener borrows one per poll.
        """
        if not self._is_in_use:
            _wait([wake_socket], None)
            _drain(wake_socket)
            return
        until = time.monotonic() + self._pool.options.timeout
        try:
            connection = self._pool.watcher(until)
        except NotNowError:
            with self._pool.borrow(until) as borrowed:
                self._note_poll(borrowed)
            _wait([wake_socket], POLL_INTERVAL)
            _drain(wake_socket)
            return
        try:
            server_pid = self.poll(connection)
            if self._listens:
                self._listen(connection)
            while not self._stopped.is_set() and self._is_in_use:
                connection.until = time.monotonic() + self._pool.options.timeout
                if self._pool.has_better(connection):
                    return
                if self._note_poll(connection) != server_pid and self._listens:
                    self._sessions.note_lost()
                self._pause(wake_socket, connection)
        finally:
            connection.close()

    def _note_poll(self, connection: PooledConnection) -> int:
        server_pid = self.poll(connection)
        self._key_locks.renew_if_due(connection)
        if self.error is not None:
            self.error = None
            self._pool.breaker.worked()
        return server_pid

    @property
    def _is_in_use(self) -> bool:
        return self._key_locks.any_held or time.monotonic() - self._last_asked <= IDLE_TIMEOUT

    @property
    def _listens(self) -> bool:
        return self._pool.options.notify and self._sessions.are_kept

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
        sockets: list[Any] = [wake_socket, connection.pgconn.socket] if self._listens else [wake_socket]
        interval = BUSY_INTERVAL if time.monotonic() < self._busy_until else POLL_INTERVAL
        _wait(sockets, interval - MIN_POLL_GAP)
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
