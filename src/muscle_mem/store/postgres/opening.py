"""Opening of the schema of a PostgreSQL store.

A missing schema is created. One that is foreign or too new is rejected and not changed.
"""

from __future__ import annotations

import logging
import secrets
import time

import msgspec
from psycopg import errors

from ...errors import ForeignStoreError, NewerStoreError, StoreError
from ..promises import MACHINE, Promises
from . import schema as shapes
from .connection import PooledConnection
from .connections import ConnectionPool
from .errors import NotNowError
from .options import Options
from .promises import promised, settings
from .schema import quoted, within
from .signing import Signing

OLDEST_SERVER = 120000

logger = logging.getLogger("muscle_mem")


class Opened(msgspec.Struct, kw_only=True):
    """How an opened store can be used.

    `why` is the reason why this role can write nothing, or empty. `pooled`: a proxy lends a server for one transaction
    at a time, so sessions do not last. `ascii`: the database cannot hold every text, so the readable columns are
    escaped.
    """

    why: str = ""
    pooled: bool = False
    ascii: bool = False
    promises: Promises = MACHINE


class NeedsPrimaryError(NotNowError):
    """A schema that has to be made or migrated, while the server is a standby."""


def begin(connection: PooledConnection, options: Options, *, write: bool, durable: bool = True) -> str:
    """Return the statements that begin a transaction.

    All settings are made within the transaction, because a proxy keeps no session. The server ends an idle transaction
    before those who wait for its locks give up, so that a client that is gone does not keep them. The server's deadline
    is before the client's, so that the server reports the cause. The client's deadline means that the server is gone.
    """
    ms = max(1, int((connection.until - time.monotonic()) * 800))
    idle = max(1, int(options.timeout * 500))
    kind = "READ COMMITTED READ WRITE" if write else "REPEATABLE READ READ ONLY"
    statements = [
        f"BEGIN ISOLATION LEVEL {kind}",
        f"SET LOCAL search_path = {within(options.schema)}",
        f"SET LOCAL statement_timeout = {ms}",
        f"SET LOCAL lock_timeout = {max(1, ms * 9 // 10)}",  # Before the statement's, so that the cause is known.
        f"SET LOCAL idle_in_transaction_session_timeout = {idle}",
    ]
    if write and durable:
        statements.append(
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
        )
    elif write:
        statements.append("SET LOCAL synchronous_commit = off")
    return "; ".join(statements)


def prepare(pool: ConnectionPool, connection: PooledConnection, signing: Signing) -> Opened:
    """Create or migrate the schema if needed, and return how it can be used."""
    options = pool.options
    if connection.info.server_version < OLDEST_SERVER:
        raise StoreError(
            f"cannot open the store {options.url}: expected PostgreSQL 12 or later, got "
            f"{connection.info.server_version // 10000}. Upgrade the server."
        )
    opened = Opened(ascii=connection.info.parameter_status("server_encoding") != "UTF8")
    version = probe(connection, options, signing)
    if version is None or version < shapes.LATEST:
        _make(connection, options, version)
        probe(connection, options, signing)
    found = settings(connection)
    opened.promises = promised(found)
    opened.why = _missing_rights(connection, options, is_read_only=found[0] == "on")
    opened.pooled = options.pooling == "transaction" or (
        options.notify
        and options.pooling == "auto"
        and connection.info.backend_pid != _pid(connection)
        and loses_sessions(pool, connection)
    )
    return opened


class Sessions:
    """Whether connections keep sessions, in which LISTEN and locks last."""

    def __init__(self, options: Options) -> None:
        self.are_kept = True
        self._options = options

    def note_lost(self) -> None:
        """Record that a proxy lends a server per transaction, and log it once."""
        if self.are_kept:
            self.are_kept = False
            if self._options.notify:
                _log_pooling(self._options)


def _log_pooling(options: Options) -> None:
    logger.warning(
        "a proxy in front of the store %s keeps no sessions, so mm_notify has no effect: changes by other processes "
        "arrive up to 0.3 seconds later. Remove mm_notify, or set pool_mode=session in the proxy.",
        options.url,
    )


def probe(connection: PooledConnection, options: Options, signing: Signing | None = None) -> int | None:
    """Return the version of the schema, or None if it is empty. Changes nothing.

    Raises StoreError for a schema that cannot be used. With `signing`, this includes one with another signing key.
    """
    connection.run(begin(connection, options, write=False))
    try:
        name = options.schema
        if connection.fetch(
            "SELECT current_setting('is_superuser') <> 'on' AND NOT has_schema_privilege(oid, 'USAGE') "
            "FROM pg_namespace WHERE nspname = %s",
            name,
        ) == [(True,)]:
            raise StoreError(
                f"cannot open the store {options.url}: the role may not use the schema {name!r}. As its owner, run "
                f"GRANT USAGE ON SCHEMA {quoted(name)} TO the role, and grant the privileges on its tables."
            )
        found = _found(connection, name)
        if not found:
            return None
        if " ".join(found.get("meta", ("", []))[1][:2]) != "name value":
            raise _foreign(options, f"it has {_sample(found)}, and muscle_mem's table 'meta' is missing")
        if not connection.fetch("SELECT has_table_privilege(%s, 'SELECT')", f"{quoted(name)}.meta")[0][0]:
            raise _unreadable(connection, options)
        meta = {str(row[0]): int(row[1]) for row in connection.fetch("SELECT name, value FROM meta")}
        if meta.get("application") != shapes.APPLICATION or "version" not in meta:
            raise _foreign(options, "its table 'meta' is not muscle_mem's")
        _ensure_not_newer(meta, options)
        if meta["version"] >= shapes.LATEST:
            _ensure_shape(connection, options, found)
            if signing is not None:
                signing.ensure(connection, options.url)
        return meta["version"]
    finally:
        if not connection.closed:
            connection.run("ROLLBACK")


def loses_sessions(pool: ConnectionPool, connection: PooledConnection) -> bool:
    """Return whether a proxy keeps no sessions.

    A setting of one connection then shows in another, or is lost. If the proxy lends the last used server first, the
    second connection gets the server of the first. If it lends servers in turn, the first connection gets another one.
    """
    mark = secrets.token_hex(8)
    look = "SELECT current_setting('muscle_mem.probe', true)"
    other = pool.dedicated(connection.until)
    try:
        connection.run(f"SET muscle_mem.probe = '{mark}'")
        other.run("BEGIN")
        seen = other.run(look)
        kept = [connection.run(look)]
        other.run("ROLLBACK")
        kept += [connection.run(look) for _ in range(2)]
        connection.run("SET muscle_mem.probe = ''")
        return seen == [(mark,)] or kept != [[(mark,)]] * 3
    finally:
        other.close()


def _make(connection: PooledConnection, options: Options, version: int | None) -> None:
    name = options.schema
    what = "does not exist" if version is None else "was written by an older release and must be migrated"
    if connection.standby:
        raise NeedsPrimaryError(
            f"cannot open the store {options.url}: its schema {name!r} {what}, but the server is a standby, which is "
            "read-only. Open the store once on the primary server."
        )
    try:
        shapes.migrate(connection, name, begin(connection, options, write=True))
    except errors.InsufficientPrivilege as error:
        raise StoreError(
            f"cannot open the store {options.url}: its schema {name!r} {what}, but the role {connection.info.user!r} "
            f"may not do that ({' '.join(str(error).split())}). As an administrator, run once CREATE SCHEMA "
            f"{quoted(name)} AUTHORIZATION {quoted(connection.info.user)}; or GRANT CREATE ON DATABASE "
            f"{quoted(connection.info.dbname)} TO {quoted(connection.info.user)};"
        ) from error


def _found(connection: PooledConnection, schema: str) -> dict[str, tuple[str, list[str]]]:
    """Return the kind and the columns, in order, of each relation in a schema."""
    rows = connection.fetch(
        "SELECT c.relname::text, c.relkind::text, coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE "
        "a.attname IS NOT NULL), '{}') FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace LEFT JOIN "
        "pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE s.nspname = %s AND "
        "c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S') GROUP BY c.relname, c.relkind",
        schema,
    )
    return {str(name): (str(kind), list(columns)) for name, kind, columns in rows}


def _sample(found: dict[str, tuple[str, list[str]]]) -> str:
    return ", ".join(repr(name) for name in sorted(found)[:3]) + (" and others" if len(found) > 3 else "")


def _ensure_shape(connection: PooledConnection, options: Options, found: dict[str, tuple[str, list[str]]]) -> None:
    """Raise ForeignStoreError if the tables are not those of a store.

    Extra tables and columns are accepted. Triggers and views are not, because they would run with our statements.
    """
    for name, columns in shapes.COLUMNS.items():
        kind, there = found.get(name, ("", []))
        if kind != "r" or not set(columns.split()) <= set(there):
            raise _foreign(options, f"its table {name!r} is missing or has another shape")
    triggers = connection.fetch(
        "SELECT t.tgname::text, c.relname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN "
        "pg_namespace s ON s.oid = c.relnamespace WHERE s.nspname = %s AND c.relname = ANY(%s) AND NOT t.tgisinternal",
        options.schema,
        list(shapes.TABLES),
    )
    if triggers:
        raise _foreign(options, f"its table {triggers[0][1]!r} has a trigger named {triggers[0][0]!r}")


def _foreign(options: Options, what: str) -> ForeignStoreError:
    return ForeignStoreError(
        f"cannot open the store {options.url}: the schema {options.schema!r} is not a muscle_mem store ({what}). It "
        "was not changed. Use another schema, as in ?mm_schema=my_store."
    )


def _ensure_not_newer(meta: dict[str, int], options: Options) -> None:
    version = meta["version"]
    if version > shapes.LATEST and meta.get("min_reader", version) > shapes.LATEST:
        raise NewerStoreError(
            f"cannot open the store {options.url}: expected version {shapes.LATEST} or older, got version {version} of "
            "a newer release. It was not changed. Upgrade muscle-mem, or use another schema."
        )


def _missing_rights(connection: PooledConnection, options: Options, *, is_read_only: bool) -> str:
    """Return why the role may not write, or "". Raises StoreError without SELECT."""
    tables = [f"{quoted(options.schema)}.{quoted(name)}" for name in shapes.TABLES if name != "meta"]
    lacked = connection.fetch(
        "SELECT r.word, t.name FROM unnest(%s::text[]) WITH ORDINALITY r(word, at), unnest(%s::text[]) t(name) "
        "WHERE NOT has_table_privilege(t.name, r.word) ORDER BY r.at",
        ["SELECT", "INSERT", "UPDATE", "DELETE"],
        tables,
    )
    if lacked and lacked[0][0] == "SELECT":
        raise _unreadable(connection, options)
    if lacked:
        return f"the role {connection.info.user!r} lacks {lacked[0][0]} on {lacked[0][1]}"
    if is_read_only:
        return "the role or the database is set to read-only transactions"
    return ""


def _unreadable(connection: PooledConnection, options: Options) -> StoreError:
    return StoreError(
        f"cannot open the store {options.url}: the role {connection.info.user!r} may not read its tables. As their "
        f"owner, run GRANT SELECT ON ALL TABLES IN SCHEMA {quoted(options.schema)} TO {quoted(connection.info.user)};"
    )


def _pid(connection: PooledConnection) -> int:
    return int(connection.fetch("SELECT pg_backend_pid()")[0][0])
