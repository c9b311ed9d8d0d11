"""The PostgreSQL store. Every call has a deadline."""

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
from ..history import HistoryMethods, HistoryTables
from ..promises import MACHINE, Promises
from ..verifying import Trouble
from .connection import PooledConnection
from .errors import NotNowError, translated
from .history import PostgresHistory
from .integrity import inspect
from .leading import KeyLock
from .noting import decides
from .noting import note as write_notes
from .opening import NeedsPrimaryError, Opened, logger, prepare
from .options import parse
from .promises import promised, settings
from .reader import Reader
from .rows import Rendition, Seals
from .schema import HELD, quoted
from .sealing import Sealing, drop, forget
from .sharing import acquire, release
from .signing import Signing
from .transactions import Transactions
from .writer import Writer

T = TypeVar("T")


class PostgresStore(HistoryMethods):
    """A store in a PostgreSQL database, for any number of machines.

    You can use the store from any thread, and from a child process after os.fork. See `muscle_mem.store.base` for each
    method: `Store`, `Leading`, `Surveying` and `Confirming`. `version` makes no round trip, and may be half a second
    behind the writes of other processes.

    Every write is one durable transaction. If the connection is lost during a commit, the store finds out whether the
    transaction was committed, and repeats it once if not.

    If the server cannot be reached, one call waits until its deadline. Later calls raise StoreError immediately until
    the server is back.
    """

    __module__ = "muscle_mem.store"

    waits_on_network = True

    def __init__(self, url: str, *, signing_key: SigningKey | None = None) -> None:
        """Open the store, and create it if it does not exist.

        The database must exist. If the server cannot be used at the moment, because it is down, starts, is full or does
        not answer, the first call that reaches it opens the store. All stores of one URL in a process share their
        connections and the thread that watches for changes.

        Args:
            url: A URL of libpq, and options of the store: `mm_schema` (default: muscle_mem), `mm_timeout` (seconds;
                default: 10), `mm_connections` (default: 2), `mm_notify` (off or on), `mm_pooling` (auto, session or
                transaction) and `mm_read` (the host and port of a replica).
            signing_key: A secret of at least 16 bytes, as bytes or a string, the same for all users of the store. Rows
                then have an HMAC-SHA256 instead of a SHA-256, and rows that were written without the key are rejected.

        Raises:
            InvalidTypeError: The URL or the key has the wrong type.
            InvalidValueError: The URL cannot be parsed, an option is invalid, or the key is too short.
            ForeignStoreError: The schema is not a muscle_mem store.
            NewerStoreError: The store was written by a newer release.
            StoreError: The store cannot be opened, for a reason that does not pass by itself: authentication, a missing
                database or privilege, or a certificate that cannot be verified.
        """
        self._options = parse(url)
        self.url = self._options.url
        self._shared = acquire(self._options)
        self._pool = self._shared.pool
        self._sessions = self._shared.sessions
        self._listener = self._shared.listener
        self._key_locks = self._shared.key_locks
        self._replica = self._shared.replica
        self._rendition = Rendition()
        self._signing = Signing(checked_key(signing_key))
        self._seals = Seals(self._signing.sign)
        self._reader = Reader(self._seals, self._rendition, self._signing.refusal)
        self._attempts = self._shared.attempts
        self._transactions = Transactions(
            self._pool,
            self._attempts,
            self._shared.writes,
            self._signing,
            self._seals,
            self._rendition,
            self._reader,
        )
        self._opened: Opened | None = None
        self._promised: tuple[int, Promises] | None = None
        self._opening = threading.Lock()
        self._opening_held = False
        self._pid = os.getpid()
        self._close = weakref.finalize(self, release, self._shared)
        register_for_forks(self)
        try:
            self._ensure_ready()
        except NotNowError as error:
            logger.warning("%s The store is opened by the first call that finds the server.", error)
        except StoreError:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<PostgresStore {self.url!r}>"

    def find(self, key: bytes) -> Found:
        """Return all trajectories of a key, newest first."""
        if self._replica is not None:
            self._ensure_open()
            self._ensure_ready()
            found = self._replica.find(bytes(key), self._reader)
            if found is not None:
                return found
        return self._reading(lambda connection: self._reader.find(connection, key))

    def get(self, id: str) -> Stored | None:
        """Return a trajectory by its id, or None. Raises DamagedStoreError."""
        found = self._reading(lambda connection: self._reader.get(connection, id))
        if isinstance(found, Damaged):
            raise DamagedStoreError(
                f"trajectory {id} in the store {self.url} is damaged: {found.what}. It is not replayed. Restore a "
                "backup, or delete it with `muscle-mem forget`."
            )
        return found

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        """Write a trajectory, an observation and a note in one durable transaction.

        Args:
            sealed: The trajectory. If its id is known, the stored one is kept.
            observation: The recording, or the refreshed snapshots of a hit.
            note: A change to the standing of this trajectory or of another.

        Returns:
            The sequence number of the recording, or 0 for a refresh of an unknown trajectory.

        Raises:
            DamagedStoreError: The trajectory or the observation is stored and damaged.
            StoreError: The transaction failed. The message says so if the commit is in doubt.
        """
        key = bytes(sealed.key)
        leads = self._key_locks.held(key)
        seq = self._writing(lambda writer: Sealing(writer, sealed, observation, leads).seal(note), key=key)
        if any(lead.is_late for lead in leads):
            logger.info("store %s: a task was recorded after its lease had expired, so two agents did it", self.url)
        return seq

    def note(self, notes: tuple[Note, ...]) -> None:
        """Apply notes in order, in one transaction. Notes on unknown ids are dropped."""
        self._ensure_open()
        if not notes:
            return
        # A power failure may lose counters, but nothing that decides about replays.
        self._writing(lambda writer: write_notes(writer, notes), durable=any(map(decides, notes)))

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        """Delete trajectories (None: all), and return how many existed.

        The tables are then vacuumed, if the role may do so. Deleted bytes remain in the server's log, in backups and in
        unused pages for as long as PostgreSQL keeps them.
        """
        self._forget_history(ids, tasks=True)
        gone = self._writing(lambda writer: forget(writer, ids))
        if gone:
            self._vacuum()
        return gone

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete trajectories without a vacuum, and return how many existed."""
        self._forget_history(ids, tasks=False)
        return self._writing(lambda writer: drop(writer, ids))

    def _forget_history(self, ids: tuple[str, ...] | None, *, tasks: bool) -> None:
        """Delete the history of trajectories before they are deleted themselves."""
        self._write_tables(lambda connection: PostgresHistory(connection).forget(ids, tasks=tasks))

    def _read_history(self, work: Callable[[HistoryTables], T]) -> T:
        return self._reading(lambda connection: work(PostgresHistory(connection)))

    def _write_history(self, work: Callable[[HistoryTables], T]) -> T:
        return self._write_tables(lambda connection: work(PostgresHistory(connection)))

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        """Return a page of all trajectories, newest first.

        Args:
            after: Only return trajectories with a sequence number below this one. None starts with the newest.
            limit: The maximum number of intact trajectories.

        Returns:
            The trajectories, and the damaged rows among them.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._reading(lambda connection: self._reader.scan(connection, after, limit))

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """Return a page of summaries of all trajectories, newest first.

        Args:
            after: Only return trajectories with a sequence number below this one. None starts with the newest.
            limit: The maximum number of summaries.

        Returns:
            The summaries. Trajectories with a damaged standing are left out.

        Raises:
            StoreError: The store cannot be read.
        """
        return self._reading(lambda connection: self._reader.survey(connection, after, limit))

    def inspect(self) -> tuple[Trouble, ...]:
        """Return problems that reading trajectories does not show."""
        return self._reading(lambda connection: inspect(connection, self._seals))

    def version(self, key: bytes) -> int:
        """Return a number that changes when `find` may have another answer."""
        self._ensure_open()
        if self._opened is None:
            self._ensure_ready()
        return self._listener.version(key, self._poll)

    def confirm(self, key: bytes) -> None:  # noqa: ARG002 - one answer covers all keys
        """Ask the server, so that the next `version` is current."""
        self._ensure_open()
        self._ensure_ready()
        self._poll()

    def lead(self, key: bytes, code: bytes = b"") -> KeyLock | None:
        """Lead a key across processes without waiting, or return None if another does.

        Args:
            key: The task key.
            code: A digest of code. Each version of the code has its own leader. The engine leads for all versions.

        Raises:
            StoreError: The store cannot elect a learner.
        """
        self._ensure_open()
        self._ensure_ready()
        with translated(self._options):
            lead = self._key_locks.lead(key, code)
        if lead is not None:
            self._listener.wake()
        return lead

    def close(self) -> None:
        """Close the connections. Every later call except `close` raises StoreError."""
        self._close()

    def _ensure_ready(self) -> Opened:
        opened = self._opened
        if opened is not None:
            return opened
        if not self._opening.acquire(timeout=self._options.timeout):
            raise StoreError(
                f"cannot open the store {self.url}: another thread did not finish opening it within "
                f"{self._options.timeout:g} seconds. Raise mm_timeout."
            )
        try:
            if self._opened is None:
                try:
                    self._opened = self._attempts.retrying(self._open)
                except NeedsPrimaryError as error:
                    try:
                        self._opened = self._attempts.retrying(self._open, write=True)
                    except NotNowError:
                        raise error from None
            return self._opened
        finally:
            self._opening.release()

    def _open(self, connection: PooledConnection) -> Opened:
        opened = prepare(self._pool, connection, self._signing)
        self._rendition.ascii = opened.ascii
        if opened.pooled:
            self._sessions.note_lost()
        self._listener.poll(connection)
        self._promised = self._pool.incarnation, opened.promises
        return opened

    @property
    def incarnation(self) -> int:
        """Return a number that changes when the store may have gone back in time.

        The server was then found to be another one, or to have another history.
        """
        return self._pool.incarnation

    @property
    def promises(self) -> Promises:
        """Return what the server promises, as it was set when it was opened or replaced."""
        if self._opened is None:
            return MACHINE
        incarnation = self._pool.incarnation
        if self._promised is None or self._promised[0] != incarnation:
            try:
                self._promised = incarnation, self._reading(lambda connection: promised(settings(connection)))
            except StoreError:
                return self._opened.promises
        return self._promised[1]

    def _poll(self) -> None:
        self._attempts.retrying(self._listener.poll)

    def _reading(self, work: Callable[[PooledConnection], T]) -> T:
        self._ensure_open()
        self._ensure_ready()
        return self._transactions.reading(work)

    def _ensure_writable(self) -> None:
        self._ensure_open()
        opened = self._ensure_ready()
        if opened.why:
            raise StoreError(
                f"cannot write to the store {self.url}: it is read-only ({opened.why}). Open it again with a role that "
                "may write."
            )

    def _write_tables(self, work: Callable[[PooledConnection], T]) -> T:
        self._ensure_writable()
        return self._transactions.writing_history(work)

    def _writing(self, work: Callable[[Writer], int], durable: bool = True, key: bytes = b"") -> int:
        self._ensure_writable()
        answer, changes = self._transactions.writing(work, durable, key)
        if self._replica is not None and changes.any:
            self._replica.marks.note_write()
        self._listener.versions.note_own_changes(changes)
        if changes.any and self._options.notify and self._sessions.are_kept:
            self._transactions.notify()
        return answer

    def _ensure_open(self) -> None:
        if self._pid != os.getpid():  # A fork outside Python calls no fork handlers.
            self._after_fork_in_child()
            self._shared.notice_fork()
        if not self._close.alive:
            raise StoreError(f"the store {self.url} is closed. Create a new Engine or store.")

    def _vacuum(self) -> None:
        """Vacuum the tables, as far as the server and the role allow."""
        tables = ", ".join(f"{quoted(self._options.schema)}.{quoted(name)}" for name in HELD)
        try:
            with self._pool.borrow(time.monotonic() + self._options.timeout) as connection:
                connection.run(f"VACUUM (SKIP_LOCKED) {tables}")
        except (psycopg.Error, StoreError):
            pass  # Autovacuum does it later.

    def _before_fork(self) -> None:
        self._opening_held = self._opening.acquire(timeout=self._options.timeout)

    def _after_fork_in_parent(self) -> None:
        if self._opening_held:
            self._opening.release()

    def _after_fork_in_child(self) -> None:
        self._pid = os.getpid()
        self._opening = threading.Lock()
