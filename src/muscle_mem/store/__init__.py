"""Stores: where trajectories are remembered. `open_store` turns what a user gives into one."""

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
from .memory import MemoryStore
from .verifying import Inspecting, Trouble, Verified, verify

if TYPE_CHECKING:
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
    "Found",
    "Inspecting",
    "Leadership",
    "Leading",
    "MemoryStore",
    "Note",
    "Observation",
    "PostgresStore",
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
    "open_store",
    "verify",
]

_IN_MEMORY = ("memory:", ":memory:")


def open_store(store: str | os.PathLike[str] | Store | None = None, *, signing_key: SigningKey | None = None) -> Store:
    """The store that a user means.

    - None, "memory:", ":memory:" and "sqlite://" give a MemoryStore, which lives as long as the process;
    - a pathlib.Path, or a string without "://", is the path of a SQLite file, made if it is not there;
    - "sqlite:///relative.db" and "sqlite:////absolute/path.db" are the same as a URL, percent-encoded where
      needed,
      with options: `?busy_timeout=30` (seconds), `?network_fs=allow`;
    - "postgresql://user@host/database" is a PostgreSQL database, with the options of libpq and
      `?mm_schema=muscle_mem`, `?mm_timeout=10` (seconds), `?mm_connections=8`, `?mm_pooling=auto`;
    - a store is given back as it is.

    With a `signing_key`, bytes or a string of at least 16 bytes, every row carries an HMAC under it, and rows written
    without it are refused like damaged ones. It says nothing to a store in memory, and cannot be given with a store.

    Raises InvalidTypeError for anything else, InvalidValueError for a wrong URL or key, MissingExtraError for a URL
    whose extra is not installed, and StoreErrors as `SqliteStore` and `PostgresStore`.
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
                f"signing_key was given beside an open store ({store.url}). Give the key to the store itself when you "
                f"make it, as in SqliteStore(path, signing_key=...)."
            )
        return store
    raise InvalidTypeError(
        f"{store!r} is not a store. Give a path, a URL such as 'sqlite:///muscle_mem.db', an object with the "
        f"methods of muscle_mem.store.Store, or nothing to remember in memory."
    )


def __getattr__(name: str) -> Any:
    """SQLite and PostgreSQL are loaded when asked for, so that importing the package stays quick."""
    if name == "PostgresStore":
        from .postgres import PostgresStore

        return PostgresStore
    if name == "SqliteStore":
        from .sqlite import SqliteStore

        return SqliteStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
