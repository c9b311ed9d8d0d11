"""The shape of a SQLite store, as ordered migrations: each runs in one transaction with its version bump."""

from __future__ import annotations

import sqlite3
from functools import cache

APPLICATION_ID = 0x4D4D454D  # "MMEM"; what makes a SQLite file ours

# Trajectories never change once written; all that changes about one is in its standing.
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
    # A column that is empty is left out of the digest (rows.py), so no row is written again and none is blessed.
    (
        "CREATE TABLE blob(n INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, body BLOB NOT NULL)",
        """CREATE TABLE blob_user(
            observation INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(observation, hash)) WITHOUT ROWID""",
        "CREATE INDEX blob_user_hash ON blob_user(hash)",
        "ALTER TABLE observation ADD COLUMN blobs BLOB NOT NULL DEFAULT x''",
        "ALTER TABLE standing ADD COLUMN checks TEXT NOT NULL DEFAULT ''",
    ),
)
LATEST = len(MIGRATIONS)

# The oldest version whose code reads and writes each version rightly. A release refuses a store whose
# min_reader is above its own LATEST; a version that only adds what old code may ignore keeps the number.
MIN_READERS: tuple[int, ...] = (1, 2)


def user_version(connection: sqlite3.Connection) -> int:
    """The version of the shape that the file has; 0 for a fresh one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file up to LATEST, step by step; a crash at any instant leaves it at a whole version."""
    while user_version(connection) < LATEST:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = user_version(connection)  # another process may have been quicker
            if version < LATEST:
                apply_step(connection, version)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def apply_step(connection: sqlite3.Connection, version: int) -> None:
    """Take an open transaction from `version` to the next."""
    for statement in MIGRATIONS[version]:
        connection.execute(statement)
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("REPLACE INTO meta(name, value) VALUES ('min_reader', ?)", (MIN_READERS[version],))
    connection.execute(f"PRAGMA user_version = {version + 1}")


def min_reader(connection: sqlite3.Connection) -> int | None:
    """The oldest version that may read this file, as the file says; None if it does not say."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone() is None:
        return None
    row = connection.execute("SELECT value FROM meta WHERE name = 'min_reader'").fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else None


def shape(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Name -> (type, SQL) of everything in the file that people define; constraints' own indexes left out."""
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
    """The shape that the migrations make."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection)
        return shape(connection)
    finally:
        connection.close()


def shape_trouble(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the shape of a file that says it is ours; None if nothing is.

    Extra tables and indexes are tolerated. Triggers and views are not: they would run with our statements.
    """
    found = shape(connection)
    for name, (kind, _) in found.items():
        if kind not in ("table", "index"):
            return f"it holds a {kind} named {name!r}"
    if user_version(connection) <= LATEST:
        for name, made in expected_shape().items():
            if found.get(name) != made:
                return f"its {made[0]} {name!r} is missing or other than muscle_mem makes it"
    return None
