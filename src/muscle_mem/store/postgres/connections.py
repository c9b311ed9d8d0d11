"""The connections of a PostgreSQL store: lent for one transaction each, none over a fork, each call with a deadline.

A pool of our own, and not psycopg's: that one connects in threads, which a fork leaves behind, tries again on its own
while a breaker wants silence, and reports a time-out and not of the wrong password behind it.
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
from .errors import DeadlineError, to_store_error
from .options import Options

RV = TypeVar("RV")
Rows = list[tuple[Any, ...]]


class PooledConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose waits end at `until` (a time of time.monotonic), by closing it.

    `writer` names it in the store's list of writers, where `op` counts its transactions.
    """

    until: float = 0.0
    writer: bytes = b""
    op: int = 0

    def wait(self, gen: Generator[Any, Any, RV], *args: object, **options: object) -> RV:  # noqa: ARG002 - until rules
        """As psycopg's, with the deadline. Whatever ends a wait half-way closes the connection."""
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
        """The rows of one statement, in PostgreSQL's binary form."""
        cursor = self.execute(query, values, binary=True)
        return cursor.fetchall() if cursor.description is not None else []

    def run(self, statements: str) -> Rows:
        """Run statements without values in one round trip; the rows of the last that has any."""
        cursor = self.execute(statements.encode())
        rows: Rows = []
        while True:
            if cursor.description is not None:
                rows = cursor.fetchall()
            if not cursor.nextset():
                return rows


def _drive(gen: Generator[Any, Any, RV], connection: psycopg.pq.abc.PGconn, until: float) -> RV:
    try:
        wanted = next(gen)
        while True:
            # Asked for each time: libpq closes the socket of a lost connection, and its number may be another's by now.
            ready = _ready(connection.socket, wanted, until - time.monotonic())
            if not ready:
                raise DeadlineError("the deadline of the call is over")
            wanted = gen.send(Ready(ready))
    except StopIteration as end:
        answer: RV = end.value
        return answer


def _ready(socket: int, wanted: int, seconds: float) -> int:
    """Which of reading (1) and writing (2) can be done within so many seconds."""
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
        return wanted  # an error or an end: libpq finds out which when it tries
    return bool(seen & select.POLLIN) | 2 * bool(seen & select.POLLOUT)


class ConnectionPool:
    """Lends connections, at most `options.connections` concurrently; made when needed, kept for the next.

    `made_count` counts the connections that were tried to be made.
    """

    def __init__(self, options: Options, breaker: Breaker) -> None:
        self.options = options
        self.breaker = breaker
        self.closed = False
        self.made_count = 0
        self._all: weakref.WeakSet[PooledConnection] = weakref.WeakSet()
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._change = threading.Condition(threading.Lock())
        self._idle: list[PooledConnection] = []
        self._borrowed = 0

    def ensure_open(self) -> None:
        """StoreError once the store is closed."""
        if self.closed:
            raise StoreError(f"The store {self.options.url} is closed. Make a new Engine or store to go on.")

    @contextmanager
    def borrow(self, until: float) -> Iterator[PooledConnection]:
        """A connection for one transaction, by then. Raises StoreError; what psycopg raises meanwhile passes."""
        self.ensure_open()
        self.breaker.admit()
        connection = self._take(until)
        try:
            yield connection
        finally:
            self._return(connection)

    def dedicated(self, until: float) -> PooledConnection:
        """A connection for the caller alone, who closes it, whatever the breaker says. Raises StoreError."""
        self.ensure_open()
        return self._make(until)

    def mark_unreachable(self, why: object) -> None:
        """The server is gone: calls are refused for now, and the next that passes makes a new connection."""
        self.breaker.failed(why)
        self.drop_idle()

    def drop_idle(self) -> None:
        """Close all that wait to be lent: when one is found dead, the others are."""
        with self._change:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Close all; those at work, when they are done."""
        self.closed = True
        self.drop_idle()
        with self._change:
            self._change.notify_all()

    def before_fork(self) -> None:
        self._change.acquire()

    def after_fork_in_parent(self) -> None:
        self._change.release()

    def abandon_after_fork(self) -> None:
        """In the child: drop the parent's connections without a message to the server, which would end them."""
        for connection in list(self._all):
            _close_in_child(connection)
        self._all.clear()
        self._start_afresh()

    def _take(self, until: float) -> PooledConnection:
        with self._change:
            while not self._idle and self._borrowed >= self.options.connections:
                if not self._change.wait(max(0.0, until - time.monotonic())):
                    raise StoreError(
                        f"The store {self.options.url}: all {self.options.connections} connections were in use until "
                        "the deadline. Raise mm_connections or mm_timeout."
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
            told = to_store_error(error, self.options)
            self.mark_unreachable(told)
            raise told from error
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
    """Close a connection that another process uses: its socket is put away before libpq can say goodbye on it."""
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
        pass  # it is the parent's in any case
