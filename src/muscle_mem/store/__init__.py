"""Stores: where trajectories are remembered. `open_store` turns what a user gives into one."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..errors import InvalidTypeError, InvalidValueError
from .base import (
    FRESH,
    QUARANTINED,
    RETIRED,
    STATES,
    TRUSTED,
    Damaged,
    Found,
    Note,
    Observation,
    Sealed,
    Standing,
    Store,
    Stored,
)
from .memory import MemoryStore
from .sqlite import SqliteStore

__all__ = [
    "FRESH",
    "QUARANTINED",
    "RETIRED",
    "STATES",
    "TRUSTED",
    "Damaged",
    "Found",
    "MemoryStore",
    "Note",
    "Observation",
    "Sealed",
    "SqliteStore",
    "Standing",
    "Store",
    "Stored",
    "open_store",
]

_IN_MEMORY = ("memory:", ":memory:")
_OPTIONS = ("busy_timeout", "network_fs")


def open_store(store: str | os.PathLike[str] | Store | None = None) -> Store:
    """The store that a user means.

    - None, "memory:", ":memory:" and "sqlite://" give a MemoryStore, which lives as long as the process;
    - a pathlib.Path, or a string without "://", is the path of a SQLite file, made if it is not there;
    - "sqlite:///relative.db" and "sqlite:////absolute/path.db" are the same as a URL, percent-encoded where
      needed,
      with options: `?busy_timeout=30` (seconds), `?network_fs=allow`;
    - a store is given back as it is.

    Raises InvalidTypeError for anything else, InvalidValueError for a wrong URL, and StoreErrors as
    `SqliteStore`.
    """
    if store is None:
        return MemoryStore()
    if isinstance(store, str):
        if "://" in store:
            return _open_url(store)
        return MemoryStore() if store in _IN_MEMORY else SqliteStore(store)
    if isinstance(store, os.PathLike):
        return SqliteStore(store)
    if isinstance(store, Store) and not isinstance(store, type):
        return store
    raise InvalidTypeError(
        f"{store!r} is not a store. Give a path, a URL such as 'sqlite:///muscle_mem.db', an object with the "
        f"methods of muscle_mem.store.Store, or nothing to remember in memory."
    )


def _open_url(url: str) -> Store:
    scheme, _, rest = url.partition("://")
    if scheme.lower() != "sqlite":
        raise InvalidValueError(
            f"The store URL {_without_secrets(url)!r} has the unknown scheme {scheme!r}. Known is sqlite, as "
            f"in 'sqlite:///relative.db' and 'sqlite:////absolute/path.db'; a path alone will do too."
        )
    location, _, query = rest.partition("?")
    options = _options(query, url)
    path = unquote(location, errors="surrogateescape")
    if path in ("", "/", "/:memory:"):
        return MemoryStore()
    if not path.startswith("/"):
        raise InvalidValueError(
            f"The store URL {url!r} names a host. Write three slashes before a relative path "
            f"('sqlite:///{path}'), four before an absolute one."
        )
    return SqliteStore(path[1:], **options)


def _options(query: str, url: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise InvalidValueError(
                f"The store URL {url!r} has the unknown option {name!r}. Known are {', '.join(_OPTIONS)}."
            )
        options[name] = value
    if "busy_timeout" in options:
        try:
            options["busy_timeout"] = float(options["busy_timeout"])
        except ValueError:
            raise InvalidValueError(
                f"The store URL {url!r} gives busy_timeout={options['busy_timeout']!r}, which is no number of seconds."
            ) from None
    return options


def _without_secrets(url: str) -> str:
    """The URL without what stands before an @: it may be a password."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}...{rest[rest.rindex('@') :]}" if "@" in rest else url
