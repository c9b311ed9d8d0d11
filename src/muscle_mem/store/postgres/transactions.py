"""Transactions on a PostgreSQL server.

Each ends within a deadline. It is repeated once if the connection is lost, and never carried out twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import msgspec
import psycopg
from psycopg import errors

from ...errors import StoreError
from .attempts import Attempts
from .breaker import WriteBreakers
from .connections import ConnectionPool, PooledConnection
from .errors import DeadlineError, is_lost, plain_text
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

    All methods raise StoreErrors, and what the work raises. `writes` refuses writes for a while that would wait for a
    lock which another one awaited in vain.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        attempts: Attempts,
        writes: WriteBreakers,
        signing: Signing,
        seals: Seals,
        rendition: Rendition,
        reader: Reader,
    ) -> None:
        self._pool = pool
        self._attempts = attempts
        self._writes = writes
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

        return self._attempts.retrying(read)

    def writing(self, work: Callable[[Writer], int], durable: bool = True, key: bytes = b"") -> tuple[int, Changes]:
        """Run work in one transaction, and return its answer and what it changed.

        `key` is the one that is locked, if any.

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
            self._writes.admit(key)
            answer, changes = self._attempts.retrying(lambda one: _past_conflicts(write, one), write=True)
            self._writes.worked(key)
        except StoreError as error:
            if isinstance(error.__cause__, errors.LockNotAvailable | errors.QueryCanceled):
                self._writes.failed(key, plain_text(error.__cause__, self._options))
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

        return self._attempts.retrying(write, write=True)


def _past_conflicts(work: Callable[[PooledConnection], T], connection: PooledConnection) -> T:
    """Repeat a transaction that others came before, until its deadline."""
    for left in reversed(range(MOST_CONFLICTS)):
        try:
            return work(connection)
        except CONFLICTS:
            if not left or connection.closed or time.monotonic() > connection.until:
                raise
    raise AssertionError("not reached")
