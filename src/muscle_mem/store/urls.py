"""Stores opened by path or URL."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..errors import InvalidValueError, MissingExtraError
from .base import Store
from .digest import SigningKey
from .folder import FolderStore
from .memory import MemoryStore
from .naming import is_postgres, without_secrets
from .sqlite import SqliteStore

_OPTIONS = ("busy_timeout", "network_fs")


def open_path(path: str | os.PathLike[str], signing_key: SigningKey | None = None) -> Store:
    """Open the SQLite store at a path.

    Args:
        path: The path of the file.
        signing_key: The key that rows are signed with, or None.
    """
    return SqliteStore(path, signing_key=signing_key)


def open_url(url: str, signing_key: SigningKey | None = None) -> Store:
    """Open the store that a URL names.

    Args:
        url: The URL; see `muscle_mem.store.open_store`.
        signing_key: The key that rows are signed with, or None.

    Raises:
        InvalidValueError: The URL is invalid.
        MissingExtraError: The extra that the URL needs is not installed.
        StoreError: The store cannot be opened.
    """
    scheme, _, rest = url.partition("://")
    if is_postgres(url):
        return _open_postgres(url, signing_key)
    if scheme.lower() == "folder":
        return _open_folder(url, rest, signing_key)
    if scheme.lower() != "sqlite":
        raise InvalidValueError(
            f"store URL {without_secrets(url)!r} has the unknown scheme {scheme!r}. Use a path, "
            "'sqlite:///relative.db', 'sqlite:////absolute/path.db', 'postgresql://user@host/database' or "
            "'folder:///relative'."
        )
    location, _, query = rest.partition("?")
    options = _options(query, url)
    path = unquote(location, errors="surrogateescape")
    if path in ("", "/", "/:memory:"):
        return MemoryStore()
    if not path.startswith("/"):
        raise InvalidValueError(
            f"store URL {url!r} names a host. Write three slashes before a relative path "
            f"('sqlite:///{path}'), or four before an absolute path."
        )
    return SqliteStore(path[1:], signing_key=signing_key, **options)


def _open_postgres(url: str, signing_key: SigningKey | None) -> Store:
    _ensure_driver()
    from .postgres import PostgresStore

    return PostgresStore(url, signing_key=signing_key)


def postgres_versions(url: str) -> tuple[int | None, int]:
    """Return the store version at a PostgreSQL URL, and the newest known version.

    The first is None if there is no store. Changes nothing. Raises the same errors as opening the store.
    """
    _ensure_driver()
    from .postgres.probe import probe_versions

    return probe_versions(url)


def _ensure_driver() -> None:
    try:
        import psycopg  # noqa: F401 - imported only to report a missing extra
    except ImportError as error:
        raise MissingExtraError(
            f"PostgreSQL stores require psycopg 3, which cannot be imported ({error}). Install it with: "
            "pip install 'muscle-mem[postgres]'"
        ) from error


def _open_folder(url: str, rest: str, signing_key: SigningKey | None) -> Store:
    location, mark, _ = rest.partition("?")
    if mark or not location.startswith("/") or location == "/":
        raise InvalidValueError(
            f"store URL {url!r} is invalid: expected a folder without options. Write 'folder:///relative' or "
            "'folder:////absolute'."
        )
    return FolderStore(unquote(location, errors="surrogateescape")[1:], signing_key=signing_key)


def _options(query: str, url: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise InvalidValueError(
                f"store URL {url!r} has the unknown option {name!r}: expected one of {', '.join(_OPTIONS)}."
            )
        options[name] = value
    if "busy_timeout" in options:
        try:
            options["busy_timeout"] = float(options["busy_timeout"])
        except ValueError:
            raise InvalidValueError(
                f"store URL {url!r} is invalid: expected busy_timeout= in seconds, got {options['busy_timeout']!r}."
            ) from None
    return options
