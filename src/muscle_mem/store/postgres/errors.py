"""Translation of psycopg's errors into StoreErrors with a cause and a remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from ...errors import StoreError
from .options import SECRETS, Options

# For each error of psycopg: what failed, and the remedy.
_MESSAGES: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (
        errors.ReadOnlySqlTransaction,
        "it is read-only, so recordings are replayed but not written",
        "Use a role that may write, or the primary server",
    ),
    (errors.InsufficientPrivilege, "the role lacks a privilege", "Ask the owner of the schema to grant it"),
    (
        errors.LockNotAvailable,
        "another writer held its lock for too long",
        "Look for a hanging session, or raise mm_timeout",
    ),
    (
        errors.QueryCanceled,
        "a statement took longer than mm_timeout",
        "Check the load of the server, or raise mm_timeout",
    ),
    (errors.DiskFull, "the server's disk is full", "Free disk space on the server"),
    (
        errors.TooManyConnections,
        "the server accepts no more connections",
        "Raise max_connections, or lower mm_connections",
    ),
    (
        errors.UndefinedTable,
        "its tables are missing",
        "Open the store again to create them, or restore a backup",
    ),
    (
        errors.InvalidSchemaName,
        "its schema is missing",
        "Open the store again to create it, or restore a backup",
    ),
)

_ENDED = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    psycopg.InterfaceError,
)


class DeadlineError(psycopg.OperationalError):
    """A call that the server did not answer in time. The connection is closed."""


def is_lost(error: BaseException) -> bool:
    """Return whether an error means a lost connection, not a rejected statement."""
    if isinstance(error, DeadlineError):
        return False
    if isinstance(error, _ENDED):
        return True
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def to_store_error(error: Exception, options: Options) -> StoreError:
    """Return the StoreError for an error of psycopg."""
    failure, remedy = _explain(error)
    return StoreError(f"cannot use the store {options.url}: {failure} ({plain_text(error, options)}). {remedy}.")


def _explain(error: Exception) -> tuple[str, str]:
    """Return what failed, and the remedy."""
    for kind, failure, remedy in _MESSAGES:
        if isinstance(error, kind):
            return failure, remedy
    if isinstance(error, DeadlineError):
        return "the server gave no answer in time", "Check the server and the network, or raise mm_timeout"
    if is_lost(error):
        return "the connection was lost or could not be made", "Check the server and the network"
    return "PostgreSQL rejected a statement", "If the cause is not clear, report this error"


def plain_text(error: BaseException, options: Options) -> str:
    """Return an error as one line without secrets."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for name in SECRETS:
        secret = str(options.conninfo.get(name) or "")
        if len(secret) > 2:
            text = text.replace(secret, "...")
    return text


@contextmanager
def translated(options: Options) -> Iterator[None]:
    """Raise StoreError for errors of psycopg, and for values that do not fit."""
    try:
        yield
    except (psycopg.Error, OverflowError, UnicodeError, MemoryError, OSError) as error:
        raise to_store_error(error, options) from error
