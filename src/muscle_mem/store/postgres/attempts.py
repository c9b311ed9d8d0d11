"""Attempts at work on a connection.

Work is repeated once if the connection is lost, or is one to a standby.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg

from .connection import PooledConnection
from .connections import ConnectionPool
from .errors import DeadlineError, is_canceled_by_recovery, is_lost, plain_text, refuses_writes, translated

T = TypeVar("T")


class Attempts:
    """Attempts at work on the connections of a pool.

    All methods raise StoreErrors, and what the work raises.
    """

    def __init__(self, pool: ConnectionPool) -> None:
        self._pool = pool

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise StoreError for errors of psycopg.

        A lost connection or a passed deadline opens the breaker.
        """
        options = self._pool.options
        with translated(options):
            try:
                yield
            except psycopg.Error as error:
                if isinstance(error, DeadlineError) or is_lost(error):
                    self._pool.mark_unreachable(plain_text(error, options), slow=isinstance(error, DeadlineError))
                raise

    def retrying(self, work: Callable[[PooledConnection], T], *, write: bool = False) -> T:
        """Run work on a connection, and once more on another if that one fails.

        It fails if it is lost, or if work that writes got a standby. Both attempts have one deadline.
        """
        until = time.monotonic() + self._pool.options.timeout
        with self.translated_errors():
            for again in (False, True):
                try:
                    with self._pool.borrow(until, write=write) as connection:
                        answer = _noting_standbys(work, connection)
                    self._pool.breaker.worked()
                    return answer
                except psycopg.Error as error:
                    lost = is_lost(error)
                    if again or not (lost or is_canceled_by_recovery(error) or (write and refuses_writes(error))):
                        raise
                    if lost:
                        self._pool.drop_idle()
        raise AssertionError("not reached")


def _noting_standbys(work: Callable[[PooledConnection], T], connection: PooledConnection) -> T:
    try:
        return work(connection)
    except psycopg.Error as error:
        if refuses_writes(error):
            connection.standby = True  # The next loan for a write asks, or looks for a primary.
        raise
