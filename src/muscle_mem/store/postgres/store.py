"""The PostgreSQL store: what is asked of it, in transactions that end within a deadline."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TypeVar

import psycopg

from ..._forks import register_for_forks
from ...errors import DamagedStoreError, StoreError
from ..base import Damaged, Found, Note, Observation, Sealed, Stored, Summary
from ..digest import SigningKey, checked_key
from ..verifying import Trouble
from .breaker import Breaker
from .connections import ConnectionPool, PooledConnection
from .errors import translated
from .integrity import inspect
from .leading import KeyLock, KeyLocks
from .listener import ChangeListener
from .opening import Opened, Sessions, logger, prepare, unreachable
from .options import parse
from .reader import Reader
from .rows import Rendition, Seals
from .schema import HELD, quoted
from .signing import Signing
from .transactions import Transactions
from .writer import Writer

T = TypeVar("T")


class PostgresStore:
    """Remembers in a PostgreSQL database; see `muscle_mem.store.base.Store` for each method.

    Safe to call from any thread, and from a child after os.fork. It also can lead, survey and confirm: `version` may
    be half a second behind what other processes wrote, and makes no round trip. Every write is one durable
    transaction; one whose end is unknown because the connection was cut is looked up, and repeated once if needed.

    A server that cannot be reached costs one deadline, then each call raises StoreError immediately until it is back.
    """

    __module__ = "muscle_mem.store"

    waits_on_network = True

    def __init__(self, url: str, *, signing_key: SigningKey | None = None) -> None:
        """Open the store, or make it, in the schema `mm_schema` (muscle_mem) of a database that must be there.

        `url` is a URL of libpq with options of ours, all beginning with `mm_`. With a `signing_key` (bytes or a
        string, 16 bytes or more, the same for all who use the store) rows carry an HMAC-SHA256 under it in place of a
        plain SHA-256, and rows that were written without it are refused. Raises InvalidValueError for a wrong URL or
        key, ForeignStoreError or NewerStoreError for a schema that cannot be used, StoreError for whatever else is in
        the way. If no server answers, the store is opened by the first call that finds one.
        """
        self._options = parse(url)
        self.url = self._options.url
        self._pool = ConnectionPool(self._options, Breaker(self.url))
        self._sessions = Sessions(self._options)
        self._listener = ChangeListener(self._pool, self._sessions)
        self._key_locks = KeyLocks(self._pool, self._sessions)
        self._rendition = Rendition()
        self._signing = Signing(checked_key(signing_key))
        self._seals = Seals(self._signing.sign)
        self._reader = Reader(self._seals, self._rendition, self._signing.refusal)
        self._transactions = Transactions(self._pool, self._signing, self._seals, self._rendition, self._reader)
        self._opened: Opened | None = None
        self._opening = threading.Lock()
        self._resting = False
        self._pid = os.getpid()
        self._close = weakref.finalize(self, _release_all, self._pool, self._listener, self._key_locks)
        register_for_forks(self)
        try:
            self._ensure_ready()
        except StoreError as error:
            if not unreachable(error.__cause__):
                self.close()
                raise
            logger.warning("%s The store is opened by the first call that finds the server.", error)

    def __repr__(self) -> str:
        return f"<PostgresStore {self.url!r}>"

    def find(self, key: bytes) -> Found:
        return self._reading(lambda connection: self._reader.find(connection, key))

    def get(self, id: str) -> Stored | None:
        found = self._reading(lambda connection: self._reader.get(connection, id))
        if isinstance(found, Damaged):
            raise DamagedStoreError(
                f"The trajectory {id} in the store {self.url} is damaged: {found.what}. It is never replayed; restore "
                "a back-up, or forget it."
            )
        return found

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        return self._writing(lambda writer: writer.seal(sealed, observation, note))

    def note(self, notes: tuple[Note, ...]) -> None:
        self._ensure_open()
        if not notes:
            return

        def work(writer: Writer) -> int:
            for note in notes:
                writer.note(note)
            return len(notes)

        # What only counts may be lost with the power; what decides about replays may not.
        durable = any(
            value is not None for note in notes for value in (note.state, note.held, note.strikes, note.reason)
        )
        self._writing(work, durable=durable)

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        """As `Store.forget`. The room is vacuumed, if the role may; what PostgreSQL keeps in its log and back-ups, and
        in pages until they are written again, stays for as long as it keeps them.
        """
        gone = self._writing(lambda writer: writer.forget(ids))
        if gone:
            self._vacuum()
        return gone

    def drop(self, ids: tuple[str, ...]) -> int:
        return self._writing(lambda writer: writer.drop(ids))

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        return self._reading(lambda connection: self._reader.scan(connection, after, limit))

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        return self._reading(lambda connection: self._reader.survey(connection, after, limit))

    def inspect(self) -> tuple[Trouble, ...]:
        return self._reading(lambda connection: inspect(connection, self._seals))

    def version(self, key: bytes) -> int:
        self._ensure_open()
        if self._opened is None:
            self._ensure_ready()
        return self._listener.version(key, self._poll)

    def confirm(self, key: bytes) -> None:  # noqa: ARG002 - one answer covers all keys
        self._ensure_open()
        self._ensure_ready()
        self._poll()

    def lead(self, key: bytes) -> KeyLock | None:
        self._ensure_open()
        self._ensure_ready()
        with translated(self._options):
            return self._key_locks.lead(key)

    def close(self) -> None:
        self._close()

    def _ensure_ready(self) -> Opened:
        opened = self._opened
        if opened is not None:
            return opened
        until = time.monotonic() + self._options.timeout
        if not self._opening.acquire(timeout=self._options.timeout):
            raise StoreError(f"The store {self.url} is being opened by another thread, and that takes too long.")
        try:
            if self._opened is None:
                with self._transactions.translated_errors(), self._pool.borrow(until) as connection:
                    opened = prepare(self._pool, connection, self._signing)
                    self._rendition.ascii = opened.ascii
                    if opened.pooled:
                        self._sessions.note_lost()
                    self._listener.poll(connection)
                self._pool.breaker.worked()
                self._opened = opened
            return self._opened
        finally:
            self._opening.release()

    def _poll(self) -> None:
        self._transactions.retrying(self._listener.poll)

    def _reading(self, work: Callable[[PooledConnection], T]) -> T:
        self._ensure_open()
        self._ensure_ready()
        return self._transactions.reading(work)

    def _writing(self, work: Callable[[Writer], int], durable: bool = True) -> int:
        self._ensure_open()
        opened = self._ensure_ready()
        if opened.why:
            raise StoreError(
                f"The store {self.url} is read-only ({opened.why}): what is stored is replayed, but nothing is "
                "written. Give a role that may write, or the primary server, and open it again."
            )
        answer, changes = self._transactions.writing(work, durable)
        self._listener.versions.note_own_changes(changes)
        return answer

    def _ensure_open(self) -> None:
        if self._pid != os.getpid():  # forked past Python's back
            self._after_fork_in_child()
        self._pool.ensure_open()

    def _vacuum(self) -> None:
        """Clear what was forgotten out of the tables, as far as the server and the role allow."""
        tables = ", ".join(f"{quoted(self._options.schema)}.{quoted(name)}" for name in HELD)
        try:
            with self._pool.borrow(time.monotonic() + self._options.timeout) as connection:
                connection.run(f"VACUUM (SKIP_LOCKED) {tables}")
        except (psycopg.Error, StoreError):
            pass  # autovacuum comes by later

    def _before_fork(self) -> None:
        self._resting = self._opening.acquire(timeout=self._options.timeout)
        self._pool.before_fork()

    def _after_fork_in_parent(self) -> None:
        self._pool.after_fork_in_parent()
        if self._resting:
            self._opening.release()

    def _after_fork_in_child(self) -> None:
        self._pid = os.getpid()
        self._opening = threading.Lock()
        self._pool.breaker.start_afresh()
        self._pool.abandon_after_fork()
        self._listener.abandon_after_fork()
        self._key_locks.abandon_after_fork()


def _release_all(pool: ConnectionPool, watch: ChangeListener, leads: KeyLocks) -> None:
    """Also called when a store was dropped unclosed, and at exit."""
    pool.close()
    watch.stop()
    leads.close()
