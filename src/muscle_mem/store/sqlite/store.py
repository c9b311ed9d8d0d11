"""A store in one SQLite file, for any number of threads and processes on one machine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from ...errors import DamagedStoreError, InvalidValueError, StoreError
from ..base import Damaged, Found, Note, Observation, Sealed, Stored, Summary
from ..digest import SigningKey, checked_key
from ..locking.deadline import AdaptiveTimeout
from ..locking.key_locks import KeyLock, KeyLocks
from ..locking.write_lock import WriteLock
from ..verifying import Trouble, Verified, verify
from .backup import back_up
from .connections import Connections, Lease
from .errors import to_store_error, translated
from .files import resolved
from .integrity import inspect
from .opening import Access, connect, connect_to_read, prepare, ready, stamp
from .reader import Reader
from .rows import Digests
from .signing import Signing
from .summaries import survey
from .writer import Writer

T = TypeVar("T")

BUSY_TIMEOUT = 10.0
LAST_CHECKPOINT = 1.0  # seconds that close() and forget() wait for other writers and readers to empty the log


class SqliteStore:
    """Remembers in a file; see `muscle_mem.store.base.Store` for each method.

    Safe to call from any thread, and from a child after os.fork. Every write is one durable transaction
    behind a write gate, a lock on the file `<path>.lock`; where there is no flock (Windows) processes wait by
    SQLite's busy timeout alone, which is as safe and less fair. The file is made with mode 0600. Read-only
    files are read.
    """

    __module__ = "muscle_mem.store"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = BUSY_TIMEOUT,
        network_fs: str = "refuse",
        signing_key: SigningKey | None = None,
    ) -> None:
        """Open the store, or make it; the folder must be there.

        `busy_timeout` is how many seconds a call waits for other writers. `network_fs="allow"` opens a store
        on a network file system. With a `signing_key` (bytes or a string, 16 bytes or more, the same for all who
        use the store) rows carry an HMAC-SHA256 under it in place of a plain SHA-256, and rows that were written
        without the key are refused like damaged ones. Raises InvalidValueError for a wrong option,
        ForeignStoreError, NewerStoreError or DamagedStoreError for a file that cannot be used, StoreError for
        whatever else is in the way.
        """
        self.path = resolved(path)
        if network_fs not in ("allow", "refuse"):
            raise InvalidValueError(f"network_fs={network_fs!r} is not known. Give 'refuse' (the default) or 'allow'.")
        if not 0 <= busy_timeout <= 86_400:
            raise InvalidValueError(f"busy_timeout={busy_timeout!r} is not a number of seconds from 0 to 86400.")
        self.url = "sqlite:///" + quote(os.fsencode(self.path))
        self._busy_timeout = busy_timeout
        self._timeout = AdaptiveTimeout(busy_timeout)
        self._write_lock = WriteLock(self.path + ".lock")
        signing = Signing(checked_key(signing_key))
        self._digests = Digests(signing.sign)
        self._reader = Reader(self._digests, signing)
        self._writer = Writer(self.path, self._digests, signing, self._reader)
        self._key_locks = KeyLocks(f"{self.path}.leading")
        self._erasure_pending = False
        access = prepare(self.path, self._write_lock, busy_timeout, allow_network=network_fs == "allow")
        self._access = access
        self._writes = access is Access.WRITE
        self._file = self._identity()
        self._connections = Connections(self.path, self._connect, keep=access is Access.WRITE)
        try:
            with translated(self.path), self._connections.using() as lease:
                assert lease.connection is not None
                ready(lease.connection, self.path, access, self._write_lock, busy_timeout, signing)
        except BaseException:
            self._connections.close()
            raise

    def __repr__(self) -> str:
        return f"<SqliteStore {self.path!r}>"

    @property
    def erasure_pending(self) -> bool:
        """Whether forgotten bytes may still lie in SQLite's log, as a reader was in the way of emptying it.

        The next `forget`, or the last `close`, tries again.
        """
        return self._erasure_pending

    def find(self, key: bytes) -> Found:
        return self._read(lambda connection: self._reader.find(connection, key))

    def get(self, id: str) -> Stored | None:
        found = self._read(lambda connection: self._reader.get(connection, id))
        if isinstance(found, Damaged):
            raise DamagedStoreError(
                f"The trajectory {id} in the store {self.path!r} is damaged: {found.what}. It is never "
                f"replayed; restore a back-up, or forget it."
            )
        return found

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        return self._write(lambda connection: self._writer.seal(connection, sealed, observation, note))

    def note(self, notes: tuple[Note, ...]) -> None:
        self._connections.ensure_open()
        if not notes:
            return
        # What only counts may be lost with the power; what decides about replays may not.
        durable = any(
            value is not None for note in notes for value in (note.state, note.held, note.strikes, note.reason)
        )
        self._write(lambda connection: self._writer.note_all(connection, notes), durable=durable)

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        return self._write(lambda connection: self._writer.forget(connection, ids), afterwards=self._rewrite)

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        return self._read(lambda connection: self._reader.scan(connection, after, limit))

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """A page of summaries; see `muscle_mem.store.base.Surveying`. Damaged trajectories are left out."""
        return self._read(lambda connection: survey(connection, self._digests, after, limit))

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete without rewriting the file; see `muscle_mem.store.base.Surveying`."""
        return self._write(lambda connection: self._writer.forget(connection, ids))

    def inspect(self) -> tuple[Trouble, ...]:
        """Return what only the file shows: broken pages, rows that belong to nothing. Changes nothing."""
        return self._read(
            lambda connection: tuple(inspect(connection, self._digests, self._reader.refusal(connection)))
        )

    def verify(self) -> Verified:
        """Check every row and every page, and report what is wrong. Changes nothing, and raises StoreErrors only."""
        return verify(self)

    def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Verified:
        """Write a copy of the store to `path`, while others read and write; what a look at the copy found.

        The copy is one state of the store, made by SQLite itself, with mode 0600, and signed as the store is. It
        appears at `path` whole or not at all. Raises StoreError if there is something at `path` and not `overwrite`,
        or if it cannot be written; DamagedStoreError if pages of the copy cannot be read. Rows that fail their digest
        are copied as they are, and reported in the result.
        """
        target = resolved(path)
        with self._connections.using() as lease:
            assert lease.connection is not None
            return back_up(lease.connection, self.path, target, self._digests, self._reader, overwrite=overwrite)

    def version(self, key: bytes) -> int:  # noqa: ARG002 - SQLite reports commits, not keys
        try:
            if self._writes:
                return self._connections.data_version()
            self._connections.ensure_open()
            return stamp(self.path)
        except (sqlite3.Error, OSError) as error:
            raise to_store_error(error, self.path) from error

    def lead(self, key: bytes) -> KeyLock | None:
        """As `muscle_mem.store.base.Leading`, by locks on files in the folder `<path>.leading`."""
        self._connections.ensure_open()
        self._ensure_writable()
        return self._key_locks.lead(key)

    def close(self) -> None:
        if not self._connections.closed:
            self._connections.close(self._last_checkpoint)

    def _connect(self) -> sqlite3.Connection:
        if self._access is Access.WRITE:
            return connect(self.path, Access.WRITE, self._busy_timeout)
        return connect_to_read(self.path, self._busy_timeout)

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What `work` reads in one consistent view of the file."""

        def view(_: Lease, connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return work(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("COMMIT")

        with translated(self.path):
            return self._connections.lend(view)

    def _write(
        self,
        work: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = True,
        afterwards: Callable[[sqlite3.Connection], None] | None = None,
    ) -> T:
        """What `work` answers from one transaction behind the gate; on disk when it ends, if `durable`."""

        def transact(lease: Lease, connection: sqlite3.Connection) -> T:
            self._ensure_writable()
            with self._timeout as seconds, self._write_lock.held(seconds, self._is_closed):
                self._ensure_same_file()
                if lease.durable != durable:
                    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                    lease.durable = durable
                self._begin(connection, seconds)
                try:
                    answer = work(connection)
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                if afterwards is not None:
                    afterwards(connection)
                return answer

        with translated(self.path):
            return self._connections.lend(transact)

    def _is_closed(self) -> bool:
        return self._connections.closed

    def _begin(self, connection: sqlite3.Connection, seconds: float) -> None:
        if seconds == self._busy_timeout:
            connection.execute("BEGIN IMMEDIATE")
            return
        connection.execute(f"PRAGMA busy_timeout={int(1000 * seconds)}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(f"PRAGMA busy_timeout={int(1000 * self._busy_timeout)}")

    def _rewrite(self, connection: sqlite3.Connection) -> None:
        """Write the file again without what was forgotten.

        `secure_delete` clears deleted cells, but not the copies that SQLite leaves in the gaps of pages when it
        balances its trees; only VACUUM gets rid of those. It takes as long as copying what is kept.
        """
        try:
            connection.execute("VACUUM")
        except sqlite3.Error:
            self._erasure_pending = True
            return
        self._erase(connection)

    def _erase(self, connection: sqlite3.Connection) -> None:
        """Empty the write-ahead log, where deleted content still stands. A reader in the way postpones it."""
        try:
            connection.execute(f"PRAGMA busy_timeout={int(1000 * min(LAST_CHECKPOINT, self._busy_timeout))}")
            try:
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.execute(f"PRAGMA busy_timeout={int(1000 * self._busy_timeout)}")
        except sqlite3.Error:
            busy = 1
        self._erasure_pending = bool(busy)

    def _last_checkpoint(self, connection: sqlite3.Connection) -> None:
        if self._access is not Access.WRITE:
            return
        try:
            with self._write_lock.held(LAST_CHECKPOINT):
                self._erase(connection)
        except StoreError:
            pass  # another writer is active, and will truncate the log

    def _ensure_writable(self) -> None:
        if self._access is not Access.WRITE:
            raise StoreError(
                f"The store {self.path!r} is read-only: what is stored is replayed, but nothing is written. "
                f"Make the file and its folder writable for this user and open it again, or give another "
                f"path."
            )

    def _ensure_same_file(self) -> None:
        if self._identity() != self._file:
            raise StoreError(
                f"The store {self.path!r} was deleted or replaced while it was open, so what is written now "
                f"would be lost. Open it again."
            )

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino
