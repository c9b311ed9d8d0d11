"""Store URLs, and the stores that they name."""

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
    """The SQLite store at a path."""
    return SqliteStore(path, signing_key=signing_key)


def open_url(url: str, signing_key: SigningKey | None = None) -> Store:
    """The store that a URL means. Raises InvalidValueError for a wrong one."""
    scheme, _, rest = url.partition("://")
    if is_postgres(url):
        return _open_postgres(url, signing_key)
    if scheme.lower() == "folder":
        return _open_folder(url, rest, signing_key)
    if scheme.lower() != "sqlite":
        raise InvalidValueError(
            f"The store URL {without_secrets(url)!r} has the unknown scheme {scheme!r}. Known are sqlite, as "
            f"in 'sqlite:///relative.db' and 'sqlite:////absolute/path.db' (a path alone will do too), "
            f"postgresql, as in 'postgresql://user@host/database', and folder, as in 'folder:///relative'."
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
    return SqliteStore(path[1:], signing_key=signing_key, **options)


def _open_postgres(url: str, signing_key: SigningKey | None) -> Store:
    _ensure_driver()
    from .postgres import PostgresStore

    return PostgresStore(url, signing_key=signing_key)


def postgres_versions(url: str) -> tuple[int | None, int]:
    """The version of the store that a PostgreSQL URL names (None: there is none), and the newest that is known.

    Makes and changes nothing. Raises as opening it would.
    """
    _ensure_driver()
    from .postgres.probe import probe_versions

    return probe_versions(url)


def _ensure_driver() -> None:
    try:
        import psycopg  # noqa: F401 - an extra, asked for before what needs it
    except ImportError as error:
        raise MissingExtraError(
            f"A PostgreSQL store needs psycopg 3, which cannot be imported ({error}). Get it with: "
            "pip install 'muscle-mem[postgres]'"
        ) from error


def _open_folder(url: str, rest: str, signing_key: SigningKey | None) -> Store:
    location, mark, _ = rest.partition("?")
    if mark or not location.startswith("/") or location == "/":
        raise InvalidValueError(
            f"The store URL {url!r} names no folder. Write 'folder:///relative' or 'folder:////absolute'; there are no "
            "options."
        )
    return FolderStore(unquote(location, errors="surrogateescape")[1:], signing_key=signing_key)


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
                f"The store URL {url!r} gives busy_timeout={options['busy_timeout']!r}, not a number of seconds."
            ) from None
    return options
