"""Turns what psycopg raises into StoreErrors that say what happened, to which store, and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from ...errors import StoreError
from .options import SECRETS, Options

READ_ONLY = (
    "it is read-only: what is stored is replayed, but nothing is written. Give a role that may write, or the address "
    "of the primary server"
)
_MESSAGES: tuple[tuple[type[psycopg.Error], str], ...] = (
    (errors.ReadOnlySqlTransaction, READ_ONLY),
    (errors.InsufficientPrivilege, "its role lacks a right. Let the owner of the schema grant it"),
    (
        errors.LockNotAvailable,
        "another writer holds its lock too long. Look for a session that hangs, or raise mm_timeout",
    ),
    (errors.QueryCanceled, "a statement took longer than mm_timeout. Look at the load of the server, or raise it"),
    (errors.DiskFull, "the server's disk is full. Free some space there"),
    (errors.TooManyConnections, "the server takes no more connections. Raise max_connections, or lower mm_connections"),
    (errors.UndefinedTable, "its tables are gone. Open the store again, which recreates them, or restore a back-up"),
    (errors.InvalidSchemaName, "its schema is gone. Open the store again, which recreates it, or restore a back-up"),
)


_ENDED = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    psycopg.InterfaceError,
)


class DeadlineError(psycopg.OperationalError):
    """The server gave no answer in time. The connection is closed."""


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the connection is gone, and not that the server refused something."""
    if isinstance(error, DeadlineError):
        return False
    if isinstance(error, _ENDED):
        return True
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


def to_store_error(error: Exception, options: Options) -> StoreError:
    """The StoreError for what psycopg raised about a store."""
    what = plain_text(error, options)
    for kind, told in _MESSAGES:
        if isinstance(error, kind):
            return StoreError(f"The store {options.url}: {told} ({what}).")
    if isinstance(error, DeadlineError):
        told = "the server gave no answer in time. Look at the server and the network, or raise mm_timeout"
    elif is_lost(error):
        told = "the connection to the server was lost, or could not be made. Look at the server and the network"
    else:
        told = "PostgreSQL refused. If the message does not give the reason, please report it"
    return StoreError(f"The store {options.url}: {told} ({what}).")


def plain_text(error: BaseException, options: Options) -> str:
    """An error as one line without secrets."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    for name in SECRETS:
        secret = str(options.conninfo.get(name) or "")
        if len(secret) > 2:
            text = text.replace(secret, "...")
    return text


@contextmanager
def translated(options: Options) -> Iterator[None]:
    """Let no error of psycopg, nor of a value that does not fit, pass as it is."""
    try:
        yield
    except (psycopg.Error, OverflowError, UnicodeError, MemoryError, OSError) as error:
        raise to_store_error(error, options) from error
