"""The schema of a PostgreSQL store, as ordered migrations.

Each migration runs in one transaction with its change of the version.
"""

from __future__ import annotations

import hashlib

from psycopg import sql

from . import history
from .connections import PooledConnection

APPLICATION = 0x4D4D454D  # "MMEM" identifies a schema of muscle_mem.

# `record` and `body` are authoritative, under the digest in their row. The other columns repeat parts of `record`, for
# indexes and for readers. A row whose columns differ from its record is damaged.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta(name text PRIMARY KEY, value bigint NOT NULL, note bytea)",
        f"INSERT INTO meta VALUES ('application', {APPLICATION})",
        """CREATE TABLE sequence(
            one int PRIMARY KEY CHECK (one = 1), last bigint NOT NULL, digest bytea NOT NULL,
            tick bigint NOT NULL, everything bigint NOT NULL)""",
        "INSERT INTO sequence VALUES (1, 0, '', 0, 0)",
        "CREATE TABLE change(key bytea PRIMARY KEY, tick bigint NOT NULL)",
        "CREATE INDEX change_tick ON change(tick)",
        """CREATE TABLE writer(
            id bytea PRIMARY KEY, op bigint NOT NULL, answer bigint NOT NULL, at timestamptz NOT NULL)""",
        """CREATE TABLE trajectory(
            n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea NOT NULL UNIQUE, key bytea NOT NULL,
            task text NOT NULL, scope text NOT NULL, tags text[] NOT NULL, steps bigint NOT NULL,
            created double precision NOT NULL, digest bytea NOT NULL, record bytea NOT NULL, body bytea NOT NULL)""",
        "CREATE INDEX trajectory_key ON trajectory(key)",
        """CREATE TABLE standing(
            n bigint PRIMARY KEY REFERENCES trajectory ON DELETE CASCADE, seq bigint NOT NULL, state text NOT NULL,
            reason text NOT NULL, held boolean NOT NULL, strikes bigint NOT NULL, hits bigint NOT NULL,
            failures bigint NOT NULL, agreed bigint NOT NULL, disagreed bigint NOT NULL,
            last_hit double precision NOT NULL, digest bytea NOT NULL, record bytea NOT NULL)""",
        "CREATE INDEX standing_seq ON standing(seq)",
        """CREATE TABLE observation(
            n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            trajectory bigint NOT NULL REFERENCES trajectory ON DELETE CASCADE, id bytea NOT NULL, seq bigint NOT NULL,
            created double precision NOT NULL, refresh boolean NOT NULL, digest bytea NOT NULL, record bytea NOT NULL,
            body bytea NOT NULL, UNIQUE(trajectory, id))""",
        "CREATE TABLE blob(name bytea PRIMARY KEY, body bytea NOT NULL)",
        """CREATE TABLE use(
            observation bigint NOT NULL REFERENCES observation ON DELETE CASCADE, blob bytea NOT NULL REFERENCES blob,
            PRIMARY KEY(observation, blob))""",
        "CREATE INDEX use_blob ON use(blob)",
    ),
    (
        # Running workers of the first version wait for no number and poll no ticks after this: they run their agents.
        "LOCK TABLE sequence IN ACCESS EXCLUSIVE MODE",
        "DROP TABLE change",
        """CREATE TABLE change(
            n bigint GENERATED ALWAYS AS IDENTITY, xid bigint NOT NULL DEFAULT txid_current(), key bytea)""",
        "CREATE INDEX change_xid ON change(xid)",
        """SELECT setval(pg_get_serial_sequence('change', 'n'), greatest(last, highest, 1), greatest(last, highest) > 0)
            FROM sequence, (SELECT coalesce(max(seq), 0) AS highest FROM standing) s WHERE one = 1""",
        "DROP TABLE sequence",
        """CREATE TABLE horizon(
            one int PRIMARY KEY CHECK (one = 1), pruned bigint NOT NULL, noted bigint NOT NULL,
            at timestamptz NOT NULL)""",
        "INSERT INTO horizon VALUES (1, 0, txid_snapshot_xmin(txid_current_snapshot()), now())",
        """CREATE TABLE evidence(
            n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            trajectory bigint NOT NULL REFERENCES trajectory ON DELETE CASCADE, at timestamptz NOT NULL DEFAULT now(),
            digest bytea NOT NULL, record bytea NOT NULL)""",
        "CREATE INDEX evidence_trajectory ON evidence(trajectory)",
        """CREATE TABLE lease(
            key bytea NOT NULL, code bytea NOT NULL, holder bytea NOT NULL, until timestamptz NOT NULL,
            fence bigint NOT NULL GENERATED ALWAYS AS IDENTITY, PRIMARY KEY(key, code))""",
        # Roles that could use the old tables can use the new ones.
        """DO $grant$ DECLARE had record; BEGIN
            FOR had IN SELECT DISTINCT a.privilege_type AS word, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE
                a.grantee::regrole::text END AS role FROM pg_class c, aclexplode(c.relacl) a
                WHERE c.oid = 'writer'::regclass AND a.grantee <> c.relowner
                AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') LOOP
                EXECUTE format('GRANT %s ON change, horizon, evidence, lease TO %s', had.word, had.role);
            END LOOP; END $grant$""",
        *history.MIGRATION,
    ),
)
LATEST = len(MIGRATIONS)

# The oldest version whose code reads and writes each version correctly, as in a SQLite store.
# Version 2 adds the history, which the `forget` of older code would leave behind.
MIN_READERS: tuple[int, ...] = (1, 2)

COLUMNS: dict[str, str] = {
    "meta": "name value note",
    "change": "n xid key",
    "horizon": "one pruned noted at",
    "writer": "id op answer at",
    "lease": "key code holder until fence",
    "trajectory": "n id key task scope tags steps created digest record body",
    "standing": "n seq state reason held strikes hits failures agreed disagreed last_hit digest record",
    "evidence": "n trajectory at digest record",
    "observation": "n trajectory id seq created refresh digest record body",
    "blob": "name body",
    "use": "observation blob",
    **history.COLUMNS,
}
TABLES = tuple(COLUMNS)
# The tables from which `forget` deletes.
HELD = ("trajectory", "standing", "evidence", "observation", "blob", "use", "change", *history.COLUMNS)


def within(schema: str) -> str:
    """Return the search path, in which the schema cannot hide names of PostgreSQL."""
    return f"pg_catalog, {quoted(schema)}, pg_temp"


def quoted(name: str) -> str:
    """Return a name as a quoted identifier."""
    return sql.Identifier(name).as_string(None)


def number_for(*words: bytes) -> int:
    """Return the number that identifies an advisory lock to the database."""
    digest = hashlib.sha256(b"\0".join((b"muscle_mem", *words))).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def migrate(connection: PooledConnection, schema: str, begin: str) -> None:
    """Migrate a schema to LATEST, step by step.

    A crash leaves the schema at a complete version. `begin` opens a transaction with the deadlines and the search path.
    Raises what psycopg raises.
    """
    while True:
        connection.run(f"{begin}; SELECT pg_advisory_xact_lock({number_for(b'migrate', schema.encode())})")
        try:
            version = version_of(connection) if exists(connection, schema) else None
            if version is None or version < LATEST:  # Another process may have migrated it.
                apply_step(connection, schema, version)
            connection.run("COMMIT")
        except BaseException:
            if not connection.closed:
                connection.run("ROLLBACK")
            raise
        if version is not None and version >= LATEST:
            return


def apply_step(connection: PooledConnection, schema: str, version: int | None) -> None:
    """Migrate to the next version, in an open transaction.

    The version None means a database without the store's tables.
    """
    if version is None:
        if not connection.fetch("SELECT 1 FROM pg_namespace WHERE nspname = %s", schema):
            connection.run(f"CREATE SCHEMA {quoted(schema)}")
        # New tables are created in the first schema of the path.
        connection.run(f"SET LOCAL search_path = {quoted(schema)}")
        version = 0
    else:
        connection.run(f"SET LOCAL search_path = {quoted(schema)}")
    connection.run("; ".join(MIGRATIONS[version]))
    number = "INSERT INTO meta(name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    for name, value in (("version", version + 1), ("min_reader", MIN_READERS[version])):
        connection.fetch(number, name, value)


def exists(connection: PooledConnection, schema: str) -> bool:
    """Return whether the schema has a table `meta`."""
    return bool(connection.fetch("SELECT to_regclass(%s) IS NOT NULL", f"{quoted(schema)}.meta")[0][0])


def version_of(connection: PooledConnection) -> int | None:
    """Return the version in the table `meta`, or None. Requires a transaction."""
    row = connection.fetch("SELECT value FROM meta WHERE name = 'version'")
    return int(row[0][0]) if row else None
