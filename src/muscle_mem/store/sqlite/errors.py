"""Turns what sqlite3 raises into StoreErrors that say what happened, to which store, and the way out."""

from __future__ import annotations

import sqlite3
import time

from ...errors import DamagedStoreError, ForeignStoreError, StoreError

_MESSAGES: dict[int, str] = {
    sqlite3.SQLITE_READONLY: "it is read-only: what is stored is replayed, but nothing is written. Make "
    "the file and its folder writable for this user, or give another path",
    sqlite3.SQLITE_FULL: "the disk is full. Free some space, or give a path on another disk",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened. Look at the rights of the file and of its folder",
    sqlite3.SQLITE_PERM: "access was denied. Look at the rights of the file and of its folder",
    sqlite3.SQLITE_IOERR: "reading or writing failed. Look at the disk, and at the space left on it",
    sqlite3.SQLITE_TOOBIG: "a value is larger than SQLite takes (one gigabyte)",
    sqlite3.SQLITE_NOMEM: "the memory is used up",
}
_DAMAGED = (
    "the file is damaged ({error}). Keep it for a look, restore a back-up, or move it away: a new store is "
    "made in its place, and the agent's runs fill it again"
)


def to_store_error(error: Exception, path: str, waited: float = 0.0) -> StoreError:
    """The StoreError for what SQLite raised about the store at `path`. `waited` is in seconds."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"The store {path!r} is locked by another process for {waited:.1f} seconds. Look for a program "
            f"that keeps a transaction open on it, or raise busy_timeout."
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return DamagedStoreError(f"The store {path!r}: {_DAMAGED.format(error=error)}.")
    if code == sqlite3.SQLITE_NOTADB:
        return ForeignStoreError(
            f"The file {path!r} is not a SQLite database, or its first bytes are damaged; it was not "
            f"touched. Give another path, or move the file away."
        )
    told = _MESSAGES.get(code, "SQLite refused. If the message does not give the reason, please report it")
    return StoreError(f"The store {path!r}: {told} ({type(error).__name__}: {error}).")


_TRANSLATED = (sqlite3.Error, OverflowError, UnicodeError, MemoryError, OSError)


class translated:  # noqa: N801 - it reads as what it does; a class, as a generator takes thrice the time
    """Let no error of sqlite3, nor of a value that does not fit it, pass as it is."""

    __slots__ = ("_path", "_start")

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._start = time.monotonic()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, _TRANSLATED):
            raise to_store_error(error, self._path, time.monotonic() - self._start) from error
