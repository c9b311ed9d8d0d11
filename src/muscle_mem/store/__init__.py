"""Stores for trajectories. `open_store` opens one by path or URL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..errors import InvalidTypeError, InvalidValueError
from .base import (
    FRESH,
    QUARANTINED,
    RETIRED,
    STATES,
    TRUSTED,
    Confirming,
    Damaged,
    Found,
    Leadership,
    Leading,
    Note,
    Observation,
    Sealed,
    Standing,
    Store,
    Stored,
    Summary,
    Surveying,
    Tally,
    is_store,
)
from .copying import Copied, copy_store
from .digest import SigningKey, checked_key
from .history import DayCount, HistoryBatch, KeepsHistory, PastRun, Picture, keeps_history
from .memory import MemoryStore
from .promises import Promises, promises_of
from .verifying import Inspecting, Trouble, Verified, verify

if TYPE_CHECKING:
    from .parted import PartedStore
    from .postgres import PostgresStore
    from .sqlite import SqliteStore

__all__ = [
    "FRESH",
    "QUARANTINED",
    "RETIRED",
    "STATES",
    "TRUSTED",
    "Confirming",
    "Copied",
    "Damaged",
    "DayCount",
    "Found",
    "HistoryBatch",
    "Inspecting",
    "KeepsHistory",
    "Leadership",
    "Leading",
    "MemoryStore",
    "Note",
    "Observation",
    "PartedStore",
    "PastRun",
    "Picture",
    "PostgresStore",
    "Promises",
    "Sealed",
    "SqliteStore",
    "Standing",
    "Store",
    "Stored",
    "Summary",
    "Surveying",
    "Tally",
    "Trouble",
    "Verified",
    "copy_store",
    "keeps_history",
    "open_store",
    "promises_of",
    "verify",
]

_IN_MEMORY = ("memory:", ":memory:")


def open_store(store: str | os.PathLike[str] | Store | None = None, *, signing_key: SigningKey | None = None) -> Store:
    """Open a store by path or URL.

    - None, "memory:", ":memory:" and "sqlite://" open a `MemoryStore`, which ends with the process.
    - A pathlib.Path, or a string without "://", is the path of a SQLite file. It is created if it does not exist.
    - "sqlite:///relative.db" and "sqlite:////absolute/path.db" name a SQLite file by URL, percent-encoded where needed.
      The options are `?busy_timeout=30` (seconds) and `?network_fs=allow`.
    - "postgresql://user@host/database" is a PostgreSQL database. It takes the options of libpq and
      `?mm_schema=muscle_mem`, `?mm_timeout=10` (seconds), `?mm_connections=2` and `?mm_pooling=auto`.
    - "folder:///relative" and "folder:////absolute/path" name a folder of JSON files.
    - An open store is returned unchanged.

    Args:
        store: The store, as listed above.
        signing_key: A secret of at least 16 bytes. Every row is then signed with an HMAC under this key, and rows
            without a valid signature are rejected like damaged rows. A store in memory ignores the key. It cannot be
            combined with an open store.

    Returns:
        The open store.

    Raises:
        InvalidTypeError: `store` or `signing_key` has the wrong type.
        InvalidValueError: The URL or the key is invalid.
        MissingExtraError: The extra that the URL needs is not installed.
        StoreError: The store cannot be opened; see `SqliteStore` and `PostgresStore`.
    """
    key = checked_key(signing_key)
    if store is None or (isinstance(store, str) and store in _IN_MEMORY):
        return MemoryStore()
    if isinstance(store, str | os.PathLike):
        from .urls import open_path, open_url

        return open_url(store, key) if isinstance(store, str) and "://" in store else open_path(store, key)
    if is_store(store) and not isinstance(store, type):
        if key is not None:
            raise InvalidValueError(
                f"signing_key= cannot be combined with an open store ({store.url}). Pass the key when you create the "
                f"store, as in SqliteStore(path, signing_key=...)."
            )
        return store
    raise InvalidTypeError(
        f"store= must be a path, a URL such as 'sqlite:///muscle_mem.db', an object with the methods of "
        f"muscle_mem.store.Store, or None for a store in memory, got {store!r}."
    )


def __getattr__(name: str) -> Any:
    """Import rarer stores on first use, to keep the import fast."""
    if name == "PartedStore":
        from .parted import PartedStore

        return PartedStore
    if name == "PostgresStore":
        from .postgres import PostgresStore

        return PostgresStore
    if name == "SqliteStore":
        from .sqlite import SqliteStore

        return SqliteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
