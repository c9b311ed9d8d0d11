"""Stores: where trajectories are remembered. `open_store` turns what a user gives into one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ..errors import InvalidTypeError
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
)
from .memory import MemoryStore

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
    "Damaged",
    "Found",
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
    "open_store",
]

_IN_MEMORY = ("memory:", ":memory:")


def open_store(store: str | os.PathLike[str] | Store | None = None) -> Store:
    """The store that a user means.

    - None, "memory:", ":memory:" and "sqlite://" give a MemoryStore, which lives as long as the process;
    - a pathlib.Path, or a string without "://", is the path of a SQLite file, made if it is not there;
    - "sqlite:///relative.db" and "sqlite:////absolute/path.db" are the same as a URL, percent-encoded where
      needed,
      with options: `?busy_timeout=30` (seconds), `?network_fs=allow`;
    - "postgresql://user@host/database" is a PostgreSQL database, with the options of libpq and
      `?mm_schema=muscle_mem`, `?mm_timeout=10` (seconds), `?mm_connections=8`, `?mm_pooling=auto`;
    - a store is given back as it is.

    Raises InvalidTypeError for anything else, InvalidValueError for a wrong URL, MissingExtraError for one whose
    extra is not installed, and StoreErrors as `SqliteStore` and `PostgresStore`.
    """
    if store is None or (isinstance(store, str) and store in _IN_MEMORY):
        return MemoryStore()
    if isinstance(store, str | os.PathLike):
        from .urls import open_path, open_url

        return open_url(store) if isinstance(store, str) and "://" in store else open_path(store)
    if isinstance(store, Store) and not isinstance(store, type):
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
