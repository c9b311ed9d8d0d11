"""Transactions on a PostgreSQL server.

Each ends within a deadline. It is repeated once if the connection is lost, and never carried out twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import psycopg
from psycopg import errors

from ...errors import StoreError
from .connections import ConnectionPool, PooledConnection
from .errors import DeadlineError, is_lost, plain_text, translated
from .listener import channel_of
from .opening import begin
from .reader import Reader
from .rows import Rendition, Seals
from .schema import number_for
from .signing import Signing
from .writer import PRUNE, Changes, Writer

T = TypeVar("T")


PRUNE_EVERY = 60.0  # Seconds between two attempts of this process to delete old changes.
MOST_CONFLICTS = 5

# Another transaction came first. The next attempt sees what it wrote.
CONFLICTS = (
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.UniqueViolation,
    errors.ForeignKeyViolation,
)


class _Doubt(msgspec.Struct):
    """A transaction whose commit was sent, and whose outcome is unknown."""

    writer: bytes
    op: int
    changes: Changes


class Transactions:
    """The transactions of a store.

    All methods raise StoreErrors, and what the work raises.
    """

    def __init__(
        self, pool: ConnectionPool, signing: Signing, seals: Seals, rendition: Rendition, reader: Reader
    ) -> None:
        self._pool = pool
        self._signing = signing
        self._options = pool.options
        self._seals = seals
        self._rendition = rendition
        self._reader = reader
        self._channel = channel_of(self._options.schema)
        self._next_prune = 0.0

    def reading(self, work: Callable[[PooledConnection], T]) -> T:
        """Run work on one consistent view of the store."""

        def read(connection: PooledConnection) -> T:
            connection.run(begin(connection, self._options, write=False))
            try:
                return work(connection)
            finally:
                if not connection.closed:
                    connection.run("ROLLBACK")  # Unlike a commit, it also ends a failed transaction.

        return self.retrying(read)

    def writing(self, work: Callable[[Writer], int], durable: bool = True) -> tuple[int, Changes]:
        """Run work in one transaction, and return its answer and what it changed.

        On return the transaction is committed, and was carried out once. Every transaction writes a row with a number
        of its connection, and locks this number. If the connection is lost during the commit, the next transaction
        waits for the lock, and looks for the row.
        """
        doubt: _Doubt | None = None

        def write(connection: PooledConnection) -> tuple[int, Changes]:
            nonlocal doubt
            writer = Writer(connection, self._options, self._signing, self._seals, self._rendition, self._reader)
            committing = False
            try:
                writer.open(begin(connection, self._options, write=True, durable=durable))
                if doubt is not None:
                    known = writer.answer_of(doubt.writer, doubt.op)
                    if known is not None:
                        writer.confirm(doubt.writer, doubt.op, known)
                        return known, doubt.changes
                    doubt = None
                answer = work(writer)
                self._prune_if_due(writer)
                committing = True
                writer.finish(answer)
                return answer, writer.changes
            except BaseException as error:
                if committing and (is_lost(error) or isinstance(error, DeadlineError)):
                    doubt = _Doubt(connection.writer, connection.op, writer.changes)
                elif not connection.closed:
                    connection.run("ROLLBACK")
                raise

        try:
            answer, changes = self.retrying(lambda connection: _past_conflicts(write, connection))
        except StoreError as error:
            if doubt is None:
                raise
            raise StoreError(f"{error} It is not known whether this was written.") from error.__cause__
        self._signing.is_noted = self._signing.is_noted or bool(changes.rows)
        return answer, changes

    def notify(self) -> None:
        """Announce a change, after its commit.

        A lost announcement costs the pause between two polls.
        """
        try:
            with self._pool.borrow(time.monotonic() + self._options.timeout) as connection:
                connection.run(f"NOTIFY {self._channel}")
        except (psycopg.Error, StoreError):
            pass

    def _prune_if_due(self, writer: Writer) -> None:
        now = time.monotonic()
        if now >= self._next_prune:
            self._next_prune = now + PRUNE_EVERY
            writer.put(PRUNE)

    def writing_history(self, work: Callable[[PooledConnection], T]) -> T:
        """Run work in one transaction that another attempt may repeat.

        Writers of the history wait for each other, so that runs are numbered in the order of their commits.
        """
        lock = f"SELECT pg_advisory_xact_lock({number_for(b'history', self._options.schema.encode())})"

        def write(connection: PooledConnection) -> T:
            connection.run(f"{begin(connection, self._options, write=True, durable=False)}; {lock}")
            try:
                answer = work(connection)
                connection.run("COMMIT")
                return answer
            except BaseException:
                if not connection.closed:
                    connection.run("ROLLBACK")
                raise

        return self.retrying(write)

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Raise StoreError for errors of psycopg.

        A lost connection or a passed deadline opens the breaker.
        """
        with translated(self._options):
            try:
                yield
            except psycopg.Error as error:
                if isinstance(error, DeadlineError) or is_lost(error):
                    self._pool.mark_unreachable(plain_text(error, self._options))
                raise

    def retrying(self, work: Callable[[PooledConnection], T]) -> T:
        """Run work on a connection, and once more on another if that one is lost.

        Both attempts have one deadline.
        """
        until = time.monotonic() + self._options.timeout
        with self.translated_errors():
            for again in (False, True):
                try:
                    with self._pool.borrow(until) as connection:
                        answer = work(connection)
                    self._pool.breaker.worked()
                    return answer
                except psycopg.Error as error:
                    if again or not is_lost(error):
                        raise
                    self._pool.drop_idle()
        raise AssertionError("not reached")


def _past_conflicts(work: Callable[[PooledConnection], T], connection: PooledConnection) -> T:
    """Repeat a transaction that others came before, until its deadline."""
    for left in reversed(range(MOST_CONFLICTS)):
        try:
            return work(connection)
        except CONFLICTS:
            if not left or connection.closed or time.monotonic() > connection.until:
                raise
    raise AssertionError("not reached")
