"""A pool of connections to a PostgreSQL store, each lent for one transaction.

Every call has a deadline, and no connection is used across a fork. The pool of psycopg does not fit: it connects in
threads, which a fork loses, retries while the breaker is open, and reports a timeout instead of its cause, such as a
wrong password.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
import weakref
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.waiting import Ready

from ...errors import StoreError
from .breaker import Breaker
from .errors import DeadlineError, plain_text, to_store_error
from .options import Options

RV = TypeVar("RV")
Rows = list[tuple[Any, ...]]


class PooledConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that is closed if a wait passes its deadline.

    `until` is the deadline, a time of time.monotonic(). `writer` identifies the connection in the table of writers, and
    `op` counts its transactions there.
    """

    until: float = 0.0
    writer: bytes = b""
    op: int = 0

    def wait(self, gen: Generator[Any, Any, RV], *args: object, **options: object) -> RV:  # noqa: ARG002 - `until` is the deadline
        """Wait as psycopg does, but not beyond the deadline.

        An interrupted wait closes the connection.
        """
        try:
            return _drive(gen, self.pgconn, self.until)
        except DeadlineError:
            self.pgconn.finish()
            raise
        except psycopg.Error:
            raise
        except BaseException:
            self.pgconn.finish()
            raise

    def fetch(self, query: Any, *values: Any) -> Rows:
        """Return the rows of one statement, in PostgreSQL's binary format."""
        cursor = self.execute(query, values, binary=True)
        return cursor.fetchall() if cursor.description is not None else []

    def run(self, statements: str) -> Rows:
        """Run statements without values in one round trip.

        Returns the rows of the last statement that has a result.
        """
        return next(reversed(self.run_all(statements)), [])

    def run_all(self, statements: str) -> list[Rows]:
        """Run statements in one round trip, and return the rows of each that has a result."""
        cursor = self.execute(statements.encode("utf-8", "surrogatepass"))
        found: list[Rows] = []
        while True:
            if cursor.description is not None:
                found.append(cursor.fetchall())
            if not cursor.nextset():
                return found


def _drive(gen: Generator[Any, Any, RV], connection: psycopg.pq.abc.PGconn, until: float) -> RV:
    try:
        wanted = next(gen)
        while True:
            # The socket is read each time: libpq closes that of a lost connection, and its number may be reused.
            ready = _ready(connection.socket, wanted, until - time.monotonic())
            if not ready:
                raise DeadlineError("the deadline of the call has passed")
            wanted = gen.send(Ready(ready))
    except StopIteration as end:
        answer: RV = end.value
        return answer


def _ready(socket: int, wanted: int, seconds: float) -> int:
    """Return whether reading (1) and writing (2) are possible within some seconds."""
    seconds = max(0.0, seconds)
    if sys.platform == "win32":
        read, write, _ = select.select([socket] * bool(wanted & 1), [socket] * bool(wanted & 2), [], seconds)
        return bool(read) | 2 * bool(write)
    poll = select.poll()
    poll.register(socket, select.POLLIN * bool(wanted & 1) | select.POLLOUT * bool(wanted & 2))
    events = poll.poll(seconds * 1000)
    if not events:
        return 0
    seen = events[0][1]
    if seen & ~(select.POLLIN | select.POLLOUT):
        return wanted  # An error or the end of the connection. libpq finds out which.
    return bool(seen & select.POLLIN) | 2 * bool(seen & select.POLLOUT)


class ConnectionPool:
    """A pool that lends at most `options.connections` connections concurrently.

    Connections are made when needed, and reused. `made_count` counts the attempts to connect.
    """

    def __init__(self, options: Options, breaker: Breaker) -> None:
        self.options = options
        self.breaker = breaker
        self.closed = False
        self.made_count = 0
        self._all: weakref.WeakSet[PooledConnection] = weakref.WeakSet()
        self._reset()

    def _reset(self) -> None:
        self._change = threading.Condition(threading.Lock())
        self._idle: list[PooledConnection] = []
        self._borrowed = 0

    def ensure_open(self) -> None:
        """Raise StoreError if the store is closed."""
        if self.closed:
            raise StoreError(f"the store {self.options.url} is closed. Create a new Engine or store.")

    @contextmanager
    def borrow(self, until: float) -> Iterator[PooledConnection]:
        """Lend a connection for one transaction. `until` is the deadline of the wait.

        Raises StoreError. Errors of psycopg in the block are not translated.
        """
        self.ensure_open()
        self.breaker.admit()
        connection = self._take(until)
        try:
            yield connection
        finally:
            self._return(connection)

    def dedicated(self, until: float) -> PooledConnection:
        """Return a new connection that the caller closes. Raises StoreError.

        The breaker is not asked.
        """
        self.ensure_open()
        return self._make(until)

    def mark_unreachable(self, why: object) -> None:
        """Open the breaker, and close the idle connections."""
        self.breaker.failed(why)
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close the idle connections: if one is dead, the others probably are, too."""
        with self._change:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Close all connections. Those in use are closed when they are returned."""
        self.closed = True
        self.drop_idle()
        with self._change:
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

    def _take(self, until: float) -> PooledConnection:
        with self._change:
            while not self._idle and self._borrowed >= self.options.connections:
                if not self._change.wait(max(0.0, until - time.monotonic())):
                    raise StoreError(
                        f"cannot use the store {self.options.url}: all {self.options.connections} connections were in "
                        "use until the deadline. Raise mm_connections or mm_timeout."
                    )
                self.ensure_open()
            self._borrowed += 1
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = self._make(until)
            connection.until = until
            return connection
        except BaseException:
            if connection is not None:
                connection.close()
            with self._change:
                self._borrowed -= 1
                self._change.notify()
            raise

    def _make(self, until: float) -> PooledConnection:
        self.made_count += 1
        try:
            connection = PooledConnection.connect(**self.options.conninfo, autocommit=True, prepare_threshold=None)
        except (psycopg.Error, OSError) as error:
            self.mark_unreachable(plain_text(error, self.options))
            raise to_store_error(error, self.options) from error
        connection.until = until
        connection.writer = os.urandom(16)
        self._all.add(connection)
        return connection

    def _return(self, connection: PooledConnection) -> None:
        whole = not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._change:
            if whole and not self.closed and connection in self._all:
                self._idle.append(connection)
            else:
                connection.close()
            self._borrowed -= 1
            self._change.notify()


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
