"""Store URLs, and the stores that live in files."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, unquote

from ..errors import InvalidValueError
from .base import Store
from .digest import SigningKey
from .folder import FolderStore
from .memory import MemoryStore
from .sqlite import SqliteStore

_OPTIONS = ("busy_timeout", "network_fs")


def open_path(path: str | os.PathLike[str], signing_key: SigningKey | None = None) -> Store:
    """The SQLite store at a path."""
    return SqliteStore(path, signing_key=signing_key)


def open_url(url: str, signing_key: SigningKey | None = None) -> Store:
    """The store that a URL means. Raises InvalidValueError for a wrong one."""
    scheme, _, rest = url.partition("://")
    if scheme.lower() == "folder":
        return _open_folder(url, rest, signing_key)
    if scheme.lower() != "sqlite":
        raise InvalidValueError(
            f"The store URL {_without_secrets(url)!r} has the unknown scheme {scheme!r}. Known are sqlite, as "
            f"in 'sqlite:///relative.db' and 'sqlite:////absolute/path.db', and folder, as in 'folder:///relative'; a "
            f"path alone will do too."
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
                f"The store URL {url!r} gives busy_timeout={options['busy_timeout']!r}, which is no number of seconds."
            ) from None
    return options


def _without_secrets(url: str) -> str:
    """The URL without what stands before an @: it may be a password."""
    scheme, mark, rest = url.partition("://")
    return f"{scheme}{mark}...{rest[rest.rindex('@') :]}" if "@" in rest else url
