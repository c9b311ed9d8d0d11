"""Store in one SQLite file, for the threads and processes of one machine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from ...errors import DamagedStoreError, InvalidValueError, StoreError
from ..base import Damaged, Found, Note, Observation, Sealed, Stored, Summary
from ..digest import SigningKey, checked_key
from ..history import HistoryMethods, HistoryTables
from ..history_tables import SqlHistory
from ..locking.deadline import AdaptiveTimeout
from ..locking.key_locks import KeyLock, KeyLocks
from ..locking.write_lock import WriteLock
from ..promises import MACHINE
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
LAST_CHECKPOINT = 1.0  # Seconds that close() and forget() wait for other users of the log.


class SqliteStore(HistoryMethods):
    """A store in a SQLite file.

    See `muscle_mem.store.base.Store` for each method. It is safe to call from any thread, and from a child process
    after os.fork. Every write is one durable transaction behind a lock on the file `<path>.lock`. Without flock (on
    Windows) processes wait by SQLite's busy timeout, which is as safe but less fair. The file is created with mode
    0600. A file that this user cannot write is opened for reading.
    """

    __module__ = "muscle_mem.store"

    promises = MACHINE
    _may_write = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout: float = BUSY_TIMEOUT,
        network_fs: str = "refuse",
        signing_key: SigningKey | None = None,
    ) -> None:
        """Open the store, or create it in an existing folder.

        Args:
            path: The path of the file.
            busy_timeout: The seconds that a call waits for other writers.
            network_fs: "allow" opens a store on a network file system, "refuse" rejects it.
            signing_key: A secret of at least 16 bytes, the same for all users of the store. Rows then carry an
                HMAC-SHA256 under this key in place of a SHA-256, and rows without a valid one are rejected like
                damaged rows.

        Raises:
            InvalidTypeError: The path or the key has the wrong type.
            InvalidValueError: An option is invalid.
            ForeignStoreError: The file is not a store.
            NewerStoreError: A newer release wrote the store, and this one cannot use it.
            DamagedStoreError: The file is damaged.
            StoreError: The store cannot be opened for another reason.
        """
        self.path = resolved(path)
        if network_fs not in ("allow", "refuse"):
            raise InvalidValueError(f"network_fs= must be 'refuse' (the default) or 'allow', got {network_fs!r}.")
        if not 0 <= busy_timeout <= 86_400:
            raise InvalidValueError(f"busy_timeout= must be a number of seconds from 0 to 86400, got {busy_timeout!r}.")
        self.url = "sqlite:///" + quote(os.fsencode(self.path))
        self._busy_timeout = busy_timeout
        self._timeout = AdaptiveTimeout(busy_timeout)
        self._write_lock = WriteLock(self.path + ".lock")
        signing, self._digests = self._signers(checked_key(signing_key))
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
                use = access if self._may_write else Access.READ
                ready(lease.connection, self.path, use, self._write_lock, busy_timeout, signing)
        except BaseException:
            self._connections.close()
            raise

    def _signers(self, key: bytes | None) -> tuple[Signing, Digests]:
        signing = Signing(key)
        return signing, Digests(signing.sign)

    def __repr__(self) -> str:
        return f"<SqliteStore {self.path!r}>"

    @property
    def erasure_pending(self) -> bool:
        """Return whether deleted bytes may remain in SQLite's log because of a reader.

        The next `forget` or the last `close` empties the log.
        """
        return self._erasure_pending

    def find(self, key: bytes) -> Found:
        return self._read(lambda connection: self._reader.find(connection, key))

    def get(self, id: str) -> Stored | None:
        found = self._read(lambda connection: self._reader.get(connection, id))
        if isinstance(found, Damaged):
            raise DamagedStoreError(
                f"trajectory {id!r} in the store {self.path!r} is damaged and is never replayed: {found.what}. "
                f"Restore a backup, or forget the trajectory."
            )
        return found

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        return self._write(lambda connection: self._writer.seal(connection, sealed, observation, note))

    def note(self, notes: tuple[Note, ...]) -> None:
        self._connections.ensure_open()
        if not notes:
            return
        # A power failure may lose counters, but not what decides about replays.
        durable = any(
            value is not None for note in notes for value in (note.state, note.held, note.strikes, note.reason)
        )
        self._write(lambda connection: self._writer.note_all(connection, notes), durable=durable)

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        return self._write(
            lambda connection: self._writer.forget(connection, ids, tasks=True), afterwards=self._rewrite
        )

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        return self._read(lambda connection: self._reader.scan(connection, after, limit))

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """Return a page of summaries, newest first, without damaged trajectories.

        Args:
            after: Only trajectories with a lower sequence number are returned. None starts with the newest.
            limit: The maximum number of summaries.
        """
        return self._read(lambda connection: survey(connection, self._digests, after, limit))

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete trajectories without rewriting the file, and return how many existed."""
        return self._write(lambda connection: self._writer.forget(connection, ids))

    def _read_history(self, work: Callable[[HistoryTables], T]) -> T:
        return self._read(lambda connection: work(SqlHistory(connection)))

    def _write_history(self, work: Callable[[HistoryTables], T]) -> T:
        return self._write(lambda connection: work(SqlHistory(connection)), durable=False)

    def prune_history(
        self, *, before: float | None = None, keys: tuple[bytes, ...] | None = None, dry_run: bool = False
    ) -> int:
        """Delete history; see `muscle_mem.store.KeepsHistory`.

        Args:
            before: Only what is older than this, in seconds since the epoch. None means all, and the file is then
                rewritten, as by `forget`.
            keys: Only that of these tasks. None means all.
            dry_run: Whether to count without deleting.

        Returns:
            The number of runs and rows of counts.
        """
        if before is not None or dry_run:
            return super().prune_history(before=before, keys=keys, dry_run=dry_run)
        return self._write(lambda c: SqlHistory(c).prune(before, keys), afterwards=self._rewrite)

    def inspect(self) -> tuple[Trouble, ...]:
        """Return problems of the file: broken pages, and rows without owners.

        Changes nothing.
        """
        return self._read(
            lambda connection: tuple(inspect(connection, self._digests, self._reader.refusal(connection)))
        )

    def verify(self) -> Verified:
        """Verify every row and every page, and return all problems.

        Changes nothing.
        """
        return verify(self)

    def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Verified:
        """Write a copy of the store, while others read and write, and verify it.

        SQLite copies one state of the store. The copy has mode 0600 and the same signatures. It appears at `path`
        complete or not at all. Rows that fail their digest are copied unchanged, and reported in the result.

        Args:
            path: The path of the copy.
            overwrite: Whether to replace an existing file.

        Returns:
            The result of verifying the copy.

        Raises:
            StoreError: The path exists and `overwrite` is false, or the copy cannot be written.
            DamagedStoreError: Pages of the copy cannot be read.
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
        """Become the only learner of a key, by a file lock in the folder `<path>.leading`.

        See `muscle_mem.store.base.Leading`.
        """
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
        """Return the result of `work` on one consistent view of the file."""

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
        """Return the result of `work` in one transaction behind the write lock.

        With `durable`, the transaction is on disk when this returns.
        """

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
        """Rewrite the file without deleted contents.

        `secure_delete` clears deleted cells, but not the copies that SQLite leaves in gaps of pages when it balances
        its trees. Only VACUUM removes these. It takes as long as copying the contents.
        """
        try:
            connection.execute("VACUUM")
        except sqlite3.Error:
            self._erasure_pending = True
            return
        self._erase(connection)

    def _erase(self, connection: sqlite3.Connection) -> None:
        """Empty the write-ahead log, which still contains deleted contents.

        An active reader postpones it.
        """
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
        if self._access is not Access.WRITE or not self._may_write:
            return
        try:
            with self._write_lock.held(LAST_CHECKPOINT):
                self._erase(connection)
        except StoreError:
            pass  # Another writer is active and will truncate the log.

    def _ensure_writable(self) -> None:
        if self._access is not Access.WRITE:
            raise StoreError(
                f"store {self.path!r} is read-only, so recordings are replayed but not written. Make the file and its "
                f"folder writable for this user and open the store again, or pass another path."
            )

    def _ensure_same_file(self) -> None:
        if self._identity() != self._file:
            raise StoreError(
                f"store {self.path!r} was deleted or replaced while it was open, so writes would be lost. "
                f"Open it again."
            )

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_dev, status.st_ino
