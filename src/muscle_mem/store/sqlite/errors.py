"""Conversion of sqlite3 errors to StoreErrors with the store, the cause and a fix."""

from __future__ import annotations

import sqlite3
import time

from ...errors import DamagedStoreError, ForeignStoreError, StoreError

_MESSAGES: dict[int, str] = {
    sqlite3.SQLITE_READONLY: "the file is read-only, so recordings are replayed but not written. Make "
    "the file and its folder writable for this user, or pass another path",
    sqlite3.SQLITE_FULL: "the disk is full. Free some space, or pass a path on another disk",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened. Check the permissions of the file and its folder",
    sqlite3.SQLITE_PERM: "access was denied. Check the permissions of the file and its folder",
    sqlite3.SQLITE_IOERR: "reading or writing failed. Check the disk and its free space",
    sqlite3.SQLITE_TOOBIG: "a value exceeds the limit of SQLite (one gigabyte)",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
}
_DAMAGED = (
    "the file is damaged ({error}). Restore a backup, or move the file away: a new store is created, and agent runs "
    "fill it again"
)


def to_store_error(error: Exception, path: str, waited: float = 0.0) -> StoreError:
    """Return the StoreError for an error of sqlite3.

    Args:
        error: The error of sqlite3, or of a value that SQLite cannot store.
        path: The path of the store.
        waited: The duration of the failed operation in seconds.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"store {path!r} is locked by another process for {waited:.1f} seconds. Stop a program that keeps a "
            f"transaction open on it, or raise busy_timeout."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return DamagedStoreError(f"store {path!r} failed: {_DAMAGED.format(error=error)}.")
    if code == sqlite3.SQLITE_NOTADB:
        return ForeignStoreError(
            f"file {path!r} is not a SQLite database, or its header is damaged; it was not touched. "
            f"Pass another path, or move the file away."
        )
    cause = _MESSAGES.get(code, "SQLite raised an error. If its message does not explain the cause, report it")
    return StoreError(f"store {path!r} failed: {cause} ({type(error).__name__}: {error}).")


_TRANSLATED = (sqlite3.Error, OverflowError, UnicodeError, MemoryError, OSError)


class translated:  # noqa: N801 - used like a function; a generator takes three times as long
    """Context that raises errors of sqlite3 and of invalid values as StoreErrors."""

    __slots__ = ("_path", "_start")

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._start = time.monotonic()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _TRANSLATED):
            raise to_store_error(error, self._path, time.monotonic() - self._start) from error
