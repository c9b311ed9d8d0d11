"""Translation of psycopg's errors into StoreErrors with a cause and a remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
        "Raise max_connections, or put PgBouncer in front of the server",
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

# Classes of SQLSTATE. An error of the first kind means that the connection has ended; 25P03 and 25P04 end one, too.
_ENDED = ("08", "57P", "25P03", "25P04")
_REFUSES_WRITES = ("25006", "0A000")

# What no waiting heals: authentication, a missing database, a missing privilege.
_FINAL_STATES = ("28", "3D000", "42501")
# The same, in the words of a server or a proxy whose SQLSTATE is not known, and of TLS in libpq's own words.
_FINAL_WORDS = re.compile(
    r"""authentication\ failed | no\ password\ supplied | no\ pg_hba\.conf\ entry | pg_hba\.conf\ rejects
    | (?:role|database)\ "[^"]*"\ does\ not\ exist | is\ not\ permitted\ to\ log\ in | permission\ denied\ for
    | no\ such\ (?:user|database) | auth\ failed""",
    re.VERBOSE | re.IGNORECASE,
)
_FINAL_TLS = re.compile(
    r"""certificate\ verify\ failed | root\ certificate\ file | server\ certificate\ for | does\ not\ match\ host\ name
    | server\ does\ not\ support\ SSL | certificate\ file | private\ key\ file | weak\ sslmode
    | authentication\ method\ requirement | alert\ (?:unknown\ ca|bad\ certificate|certificate)""",
    re.VERBOSE | re.IGNORECASE,
)


# What passes by itself, in the words that most servers and libpq have for it.
_PASSES = re.compile(
    r"""starting\ up | shutting\ down | recovery | too\ many | connection\ slots | terminating | no\ more\ connections
    | connection\ refused | reset\ by\ peer | closed\ the\ connection | timed?\ ?out | no\ answer | EOF\ detected
    | unreachable | No\ such\ file""",
    re.VERBOSE | re.IGNORECASE,
)


_FULL = re.compile("too many|connection slots|no more connections", re.IGNORECASE)


class NotNowError(StoreError):
    """A store that cannot be used at the moment.

    What refuses may pass by itself, so it is asked again.
    """


class StandbyError(NotNowError):
    """A write that needs a primary server, while only a standby is reached."""


class DeadlineError(psycopg.OperationalError):
    """A call that the server did not answer in time. The connection is closed."""


class ConnectError(psycopg.OperationalError):
    """A connection that could not be made.

    `final` says that waiting does not help. `states` are the SQLSTATEs of the refusals, as far as they are known.
    """

    def __init__(self, text: str, *, final: bool = False, states: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.final = final
        self.states = tuple(states)


def refuses_for_good(text: str, state: str) -> bool:
    """Return whether a refused connection stays refused until a person does something.

    Args:
        text: What libpq says.
        state: The SQLSTATE of the server's refusal, or "" if no server refused or it is not known.
    """
    if state:
        return state.startswith(_FINAL_STATES) or (state == "08P01" and bool(_FINAL_WORDS.search(text)))
    return bool(_FINAL_WORDS.search(text) or _FINAL_TLS.search(text))


def is_understood(text: str) -> bool:
    """Return whether a refusal is in words that are known.

    Its SQLSTATE is then not needed.
    """
    return bool(_FINAL_WORDS.search(text) or _FINAL_TLS.search(text) or _PASSES.search(text))


def is_lost(error: BaseException) -> bool:
    """Return whether an error means a lost connection, not a rejected statement."""
    if isinstance(error, DeadlineError | ConnectError):
        return False
    if isinstance(error, psycopg.InterfaceError):
        return True
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_ENDED)


def is_canceled_by_recovery(error: BaseException) -> bool:
    """Return whether a transaction was canceled for the sake of another.

    A standby does so to readers when it replays changes of the same rows.
    """
    return isinstance(error, errors.SerializationFailure | errors.DeadlockDetected)


def refuses_writes(error: BaseException) -> bool:
    """Return whether an error means that this server, or session, takes no writes."""
    return isinstance(error, psycopg.Error) and error.sqlstate in _REFUSES_WRITES


def is_final(error: BaseException) -> bool:
    """Return whether waiting does not help against an error of psycopg."""
    if isinstance(error, ConnectError):
        return error.final
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | OSError | MemoryError):
        state = getattr(error, "sqlstate", None)
        return bool(state) and refuses_for_good("", str(state))
    return not (refuses_writes(error) or isinstance(error, errors.InFailedSqlTransaction))


def to_store_error(error: Exception, options: Options) -> StoreError:
    """Return the StoreError for an error of psycopg.

    It is a NotNowError if what failed may pass by itself.
    """
    failure, remedy = _explain(error)
    kind = StoreError if is_final(error) else NotNowError
    return kind(f"cannot use the store {options.url}: {failure} ({plain_text(error, options)}). {remedy}.")


def _explain(error: Exception) -> tuple[str, str]:
    """Return what failed, and the remedy."""
    if isinstance(error, ConnectError) and _FULL.search(str(error)):
        error = errors.TooManyConnections(str(error))
    for kind, failure, remedy in _MESSAGES:
        if isinstance(error, kind) or (isinstance(error, ConnectError) and kind.sqlstate in error.states):
            return failure, remedy
    if isinstance(error, ConnectError) and error.final:
        return "it refuses the connection", "Check the role, the password, the database and the certificates"
    if isinstance(error, DeadlineError):
        return "the server gave no answer in time", "Check the server and the network, or raise mm_timeout"
    if isinstance(error, ConnectError) or is_lost(error):
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
