"""A pool of connections to a PostgreSQL store, each lent for one transaction.

Every call has a deadline, and no connection is used across a fork. The pool of psycopg does not fit: it connects in
threads, which a fork loses, retries while the breaker is open, and reports a timeout instead of its cause, such as a
wrong password.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from ...errors import StoreError
from .breaker import QUICK_SECONDS, Breaker
from .connection import Identity
from .connection import PooledConnection as PooledConnection
from .connection import Rows as Rows
from .errors import ConnectError, NotNowError, StandbyError, plain_text, to_store_error
from .hosts import Hosts
from .options import Options

IDLE_SECONDS = 60.0  # After this time without use, a connection is closed.
FEWER_SECONDS = 1.0  # After a refused connection, the pool makes do with those it has for this time.
LOOK_PAUSE = 0.5  # Seconds between two searches for a primary, or two questions whether a standby still is one.


class ConnectionPool:
    """A pool that lends at most `options.connections` connections concurrently.

    Connections are made when needed, reused, and closed after a minute without use. `made_count` counts the attempts to
    connect. `incarnation` counts how often the server was found to be another one, or to have another history.
    """

    def __init__(self, options: Options, breaker: Breaker) -> None:
        self.options = options
        self.breaker = breaker
        self.closed = False
        self.made_count = 0
        self.incarnation = 0
        self.on_new_incarnation: Callable[[], None] = lambda: None
        self._hosts = Hosts(options)
        self._identity: Identity = ("", "")
        self._on_primary = False
        self._all: weakref.WeakSet[PooledConnection] = weakref.WeakSet()
        self._reset()

    def _reset(self) -> None:
        self._change = threading.Condition(threading.Lock())
        self._idle: list[PooledConnection] = []
        self._dedicated: weakref.WeakSet[PooledConnection] = weakref.WeakSet()
        self._borrowed = 0
        self._reserved = 0
        self._fewer_until = 0.0
        self._look_after = 0.0
        self._reaper: threading.Timer | None = None

    def ensure_open(self) -> None:
        """Raise StoreError if the store is closed."""
        if self.closed:
            raise StoreError(f"the store {self.options.url} is closed. Create a new Engine or store.")

    @contextmanager
    def borrow(self, until: float, *, write: bool = False) -> Iterator[PooledConnection]:
        """Lend a connection for one transaction. `until` is the deadline of the wait.

        Raises StoreError. Errors of psycopg in the block are not translated.

        Args:
            until: The deadline of the wait, a time of time.monotonic().
            write: Whether the server must take writes. If it is a standby, another one is looked for.
        """
        self.ensure_open()
        self.breaker.admit()
        connection = self._take(until, write)
        try:
            if write and connection.standby:
                connection = self._exchange(connection, until)
            yield connection
        finally:
            self._return(connection)

    def dedicated(self, until: float) -> PooledConnection:
        """Return a new connection that the caller closes. Raises StoreError.

        The breaker is not asked. The connection counts: the pool then lends one less, but at least one.
        """
        self.ensure_open()
        connection = self._make(until, lent=0)
        self._dedicated.add(connection)
        return connection

    def watcher(self, until: float) -> PooledConnection:
        """Return a new connection for the thread that watches, which closes it.

        Raises StoreError, and NotNowError if the thread has to borrow one for each poll.
        """
        surplus: PooledConnection | None = None
        with self._change:
            room = self.options.connections - self._borrowed - len(self._idle)
            if self.options.connections == 1 or time.monotonic() < self._fewer_until or (room < 1 and not self._idle):
                raise NotNowError(f"the store {self.options.url} has no connection to spare")
            if room < 1:
                surplus = self._idle.pop(0)
            self._reserved += 1
        if surplus is not None:
            surplus.close()
        try:
            return self.dedicated(until)
        finally:
            with self._change:
                self._reserved -= 1

    def mark_unreachable(self, why: object, *, slow: bool) -> None:
        """Open the breaker, and close the idle connections."""
        self.breaker.failed(why, slow=slow)
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close the idle connections: if one is dead, the others probably are, too."""
        with self._change:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def has_better(self, connection: PooledConnection) -> bool:
        """Return whether a server was found that takes writes, unlike this one.

        Asks at most twice a second. Raises what psycopg raises.
        """
        if not connection.standby or not self._may_look():
            return False
        connection.ask_role()
        self._note_identity(connection)
        if not connection.standby or not self._hosts.may_differ:
            return False
        try:
            self._give(self._find_primary(connection.until))
        except ConnectError:
            return False
        return True

    def close(self) -> None:
        """Close all connections. Those in use are closed when they are returned."""
        self.closed = True
        self.drop_idle()
        with self._change:
            if self._reaper is not None:
                self._reaper.cancel()
            self._change.notify_all()

    def before_fork(self) -> None:
        self._change.acquire()

    def after_fork_in_parent(self) -> None:
        self._change.release()

    def abandon_after_fork(self) -> None:
        """Drop the parent's connections in a forked child.

        No message is sent to the server, because that would end them for the parent.
        """
        for connection in list(self._all):
            _close_in_child(connection)
        self._all.clear()
        self._reset()

    # -- lending

    def _take(self, until: float, write: bool) -> PooledConnection:
        """Return an idle connection or a new one, and count it as borrowed."""
        while True:
            with self._change:
                while not self._idle and not self._may_grow():
                    if not self._change.wait(max(0.0, self._next_look(until) - time.monotonic())):
                        self._ensure_time(until)
                    self.ensure_open()
                self._borrowed += 1
                connection = self._pop(write) if self._idle else None
            try:
                if connection is None:
                    connection = self._make(until, lent=1)
                connection.until = until
                return connection
            except BaseException as error:
                with self._change:
                    self._borrowed -= 1
                    self._change.notify()
                    if not isinstance(error, NotNowError) or not (self._borrowed or self._idle):
                        raise
                # The server refuses one more. Those that there are will do.

    def _may_grow(self) -> bool:
        if not self._borrowed:
            return True
        return self._borrowed < self._capacity() and time.monotonic() >= self._fewer_until

    def _capacity(self) -> int:
        """Return how many connections may be lent, beside those that are dedicated."""
        dedicated = self._reserved + sum(not connection.closed for connection in self._dedicated)
        return max(1, self.options.connections - dedicated)

    def _next_look(self, until: float) -> float:
        now = time.monotonic()
        return min(until, self._fewer_until) if now < self._fewer_until else until

    def _ensure_time(self, until: float) -> None:
        if time.monotonic() >= until:
            raise NotNowError(
                f"cannot use the store {self.options.url}: all connections were in use until the deadline "
                f"({self._borrowed}, of at most {self.options.connections}). Raise mm_connections or mm_timeout."
            )

    def _pop(self, write: bool) -> PooledConnection:
        """Return the idle connection that was used last.

        For a write, one to a primary is preferred.
        """
        if write:
            for index in range(len(self._idle) - 1, -1, -1):
                if not self._idle[index].standby:
                    return self._idle.pop(index)
        return self._idle.pop()

    def _make(self, until: float, *, lent: int) -> PooledConnection:
        """Return a new connection. `lent` of the borrowed ones stand for it."""
        self.made_count += 1
        began = time.monotonic()
        try:
            connection = self._hosts.connect(until)
        except (psycopg.Error, OSError) as error:
            with self._change:
                others = self._borrowed > lent or bool(self._idle)
                self._fewer_until = time.monotonic() + FEWER_SECONDS
            if not others:
                self.breaker.failed(plain_text(error, self.options), slow=time.monotonic() - began > QUICK_SECONDS)
            raise to_store_error(error, self.options) from error
        self._add(connection, until)
        return connection

    def _add(self, connection: PooledConnection, until: float) -> None:
        """Take in a new connection.

        Raises NotNowError for one to a standby while others are to a primary.

        What a standby answers may be older than what the others have said.
        """
        connection.until = until
        with self._change:
            stale = connection.standby and self._has_primary()
            if not stale:
                self._all.add(connection)
            else:
                self._fewer_until = time.monotonic() + FEWER_SECONDS
        if stale:
            connection.close()
            raise NotNowError(
                f"cannot use the store {self.options.url}: the primary server accepts no more connections. Raise "
                "max_connections, or put PgBouncer in front of the server."
            )
        self._note_identity(connection)

    def _has_primary(self) -> bool:
        return any(not connection.closed and not connection.standby for connection in self._all)

    def _return(self, connection: PooledConnection) -> None:
        self._give(connection)
        with self._change:
            self._borrowed -= 1
            self._change.notify()

    def _give(self, connection: PooledConnection) -> None:
        """Keep a connection for the next call, if it is whole."""
        whole = not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._change:
            stale = connection.standby and self._has_primary()
            if whole and not stale and not self.closed and connection in self._all:
                connection.returned = time.monotonic()
                self._idle.append(connection)
                self._schedule_reaper(IDLE_SECONDS)
                return
        connection.close()

    # -- the end of idle connections

    def _schedule_reaper(self, seconds: float) -> None:
        if self._reaper is None:
            self._reaper = threading.Timer(seconds, _reap, (weakref.ref(self),))
            self._reaper.daemon = True
            self._reaper.name = "muscle_mem-idle"
            try:
                self._reaper.start()
            except RuntimeError:  # No thread can start, for example at the exit of the interpreter.
                self._reaper = None

    def close_idle(self) -> None:
        """Close the connections that were not used for a minute."""
        now = time.monotonic()
        with self._change:
            self._reaper = None
            old = [connection for connection in self._idle if now - connection.returned >= IDLE_SECONDS]
            self._idle = [connection for connection in self._idle if connection not in old]
            if self._idle and not self.closed:
                first = min(connection.returned for connection in self._idle)
                self._schedule_reaper(max(0.1, first + IDLE_SECONDS - now))
        for connection in old:
            connection.close()

    # -- standbys and primaries

    def _exchange(self, connection: PooledConnection, until: float) -> PooledConnection:
        """Return a connection to a server that takes writes, for one to a standby.

        Raises StandbyError, or what psycopg raises.
        """
        failure: Exception | None = None
        if self._may_look():
            if not self._hosts.may_differ:
                connection.ask_role()
                self._note_identity(connection)
            else:
                try:
                    found = self._find_primary(until)
                    connection.close()
                    return found
                except ConnectError as error:
                    failure = error
            if not connection.standby:
                return connection
        why = f" ({plain_text(failure, self.options)})" if failure is not None else ""
        raise StandbyError(
            f"cannot write to the store {self.options.url}: it is read-only, since the server is a standby{why}. "
            "Recordings are written once it is promoted, or once the primary server is reached."
        ) from failure

    def _may_look(self) -> bool:
        """Return whether to ask again for a primary, at most twice a second."""
        now = time.monotonic()
        if now < self._look_after:
            return False
        self._look_after = now + LOOK_PAUSE
        return True

    def _find_primary(self, until: float) -> PooledConnection:
        try:
            found = self._hosts.find_primary(until)
        finally:
            self._look_after = time.monotonic() + LOOK_PAUSE
        self._add(found, until)
        with self._change:
            standbys = [connection for connection in self._idle if connection.standby]
            self._idle = [connection for connection in self._idle if not connection.standby]
        for one in standbys:
            one.close()
        return found

    def _note_identity(self, connection: PooledConnection) -> None:
        """Note which cluster and timeline a connection has reached.

        If it is another one, the listener learns of it.

        A standby after a primary counts as another one, since it may lag behind.
        """
        with self._change:
            before = self._identity
            changed = any(old and new and old != new for old, new in zip(before, connection.identity, strict=True))
            changed |= connection.standby and self._on_primary
            self._on_primary = not connection.standby
            self._identity = (connection.identity[0] or before[0], connection.identity[1] or before[1])
            self.incarnation += changed
        if changed:
            self.on_new_incarnation()


def _reap(pool: weakref.ref[ConnectionPool]) -> None:
    found = pool()
    if found is not None:
        found.close_idle()


def _close_in_child(connection: PooledConnection) -> None:
    """Close a connection that the parent process uses.

    The socket is replaced first, so that libpq does not send a termination message on it.
    """
    try:
        if not connection.closed:
            nowhere = os.open(os.devnull, os.O_RDWR)
            try:
                os.dup2(nowhere, connection.pgconn.socket)
            finally:
                os.close(nowhere)
            connection.pgconn.finish()
            connection.close()
    except (OSError, psycopg.Error):
        pass  # The parent owns the connection.
