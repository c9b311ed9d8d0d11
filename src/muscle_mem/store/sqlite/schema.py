"""Schema of a SQLite store, as ordered migrations with one transaction each."""

from __future__ import annotations

import sqlite3
from functools import cache

from ..history_tables import MIGRATION as HISTORY

APPLICATION_ID = 0x4D4D454D  # "MMEM", which marks a SQLite file as a store.

# Trajectories never change once written, so everything that changes is in the table of standings.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta(name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID",
        """CREATE TABLE sequence(
            one INTEGER PRIMARY KEY CHECK (one = 1), last INTEGER NOT NULL, digest BLOB NOT NULL)""",
        """CREATE TABLE trajectory(
            n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, key BLOB NOT NULL, steps INTEGER NOT NULL,
            task TEXT NOT NULL, scope TEXT NOT NULL, tags TEXT NOT NULL, created REAL NOT NULL,
            first_state TEXT NOT NULL, first_reason TEXT NOT NULL,
            digest BLOB NOT NULL, body BLOB NOT NULL)""",
        "CREATE INDEX trajectory_key ON trajectory(key)",
        """CREATE TABLE standing(
            n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
            held INTEGER NOT NULL, strikes INTEGER NOT NULL, hits INTEGER NOT NULL, failures INTEGER NOT NULL,
            agreed INTEGER NOT NULL, disagreed INTEGER NOT NULL, last_hit REAL NOT NULL, digest BLOB NOT NULL)""",
        "CREATE INDEX standing_seq ON standing(seq)",
        """CREATE TABLE observation(
            n INTEGER PRIMARY KEY, trajectory INTEGER NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL,
            created REAL NOT NULL, refresh INTEGER NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL,
            UNIQUE(trajectory, id))""",
    ),
    # The digest leaves out an empty last column (rows.py), so old rows keep their digests and damage stays detectable.
    (
        "CREATE TABLE blob(n INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL)",
        """CREATE TABLE blob_user(
            observation INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(observation, hash)) WITHOUT ROWID""",
        "CREATE INDEX blob_user_hash ON blob_user(hash)",
        "ALTER TABLE observation ADD COLUMN blobs BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE standing ADD COLUMN checks TEXT NOT NULL DEFAULT ''",
    ),
    HISTORY,
)
LATEST = len(MIGRATIONS)

# For each version, the oldest version whose code reads and writes it correctly. A release rejects a store whose
# min_reader is above its LATEST. A version that only adds what old code may ignore keeps the number.
# Version 3 adds the history, which the `forget` of older code would leave behind.
MIN_READERS: tuple[int, ...] = (1, 2, 3)


def user_version(connection: sqlite3.Connection) -> int:
    """Return the schema version of the file; 0 for a new file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate the file to LATEST, step by step.

    A crash at any point leaves it at a complete version.
    """
    while user_version(connection) < LATEST:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = user_version(connection)  # Another process may have migrated it first.
            if version < LATEST:
                apply_step(connection, version)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def apply_step(connection: sqlite3.Connection, version: int) -> None:
    """Migrate from `version` to the next, within an open transaction."""
    for statement in MIGRATIONS[version]:
        connection.execute(statement)
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("REPLACE INTO meta(name, value) VALUES ('min_reader', ?)", (MIN_READERS[version],))
    connection.execute(f"PRAGMA user_version = {version + 1}")


def min_reader(connection: sqlite3.Connection) -> int | None:
    """Return the oldest version that may read the file, or None if it is not given."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return None
    row = connection.execute("SELECT value FROM meta WHERE name = 'min_reader'").fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else None


def shape(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Return type and SQL by name of all schema objects.

    The indexes that SQLite creates for constraints are left out.
    """
    rows = connection.execute(
        "SELECT CAST(name AS TEXT), CAST(type AS TEXT), CAST(sql AS TEXT) FROM sqlite_master WHERE sql IS NOT NULL"
    ).fetchall()
    found = {}
    for row in rows:
        name, kind, sql = (v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in row)
        if not name.startswith("sqlite_"):
            found[name] = (kind, " ".join(sql.split()))
    return found


@cache
def expected_shape() -> dict[str, tuple[str, str]]:
    """Return the schema that the migrations create."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection)
        return shape(connection)
    finally:
        connection.close()


def shape_trouble(connection: sqlite3.Connection) -> str | None:
    """Return a problem of the schema of a store's file, or None.

    Extra tables and indexes are accepted. Triggers and views are not, because they would run with the store's
    statements.
    """
    found = shape(connection)
    for name, (kind, _) in found.items():
        if kind not in ("table", "index"):
            return f"it contains a {kind} named {name!r}"
    if user_version(connection) <= LATEST:
        for name, made in expected_shape().items():
            if found.get(name) != made:
                return f"its {made[0]} {name!r} is missing or differs from the schema of muscle_mem"
    return None
