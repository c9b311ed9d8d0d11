"""What only the file of a SQLite store can tell: pages that are broken, and rows that belong to nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from ..store.digest import sha256
from ..store.opening import connect_to_read
from ..store.rows import Digests, readable
from .examining import Finding

PATIENCE = 10.0  # seconds to wait for a writer
MOST = 20
_ORPHANS = (
    (
        "SELECT t.id FROM trajectory t LEFT JOIN standing s ON s.n = t.n WHERE s.n IS NULL",
        "its standing is missing, so it is never found",
    ),
    (
        "SELECT o.id FROM observation o LEFT JOIN trajectory t ON t.n = o.trajectory WHERE t.n IS NULL",
        "an observation whose trajectory is missing",
    ),
)


def examine_file(path: str) -> Iterator[Finding]:
    """The problems of a store's file."""
    try:
        with closing(connect_to_read(path, PATIENCE)) as connection:
            yield from _pages(connection)
            yield from _orphans(connection)
            yield from _sequence(connection)
    except sqlite3.Error as error:
        yield Finding("file", "", f"SQLite cannot read it through: {error}")


def _pages(connection: sqlite3.Connection) -> Iterator[Finding]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({MOST})").fetchall():
        said = readable(line)
        if said != "ok":
            yield Finding("file", "", said)


def _orphans(connection: sqlite3.Connection) -> Iterator[Finding]:
    for query, what in _ORPHANS:
        for (id,) in connection.execute(query).fetchall():
            yield Finding("orphan", readable(id), what)


def _sequence(connection: sqlite3.Connection) -> Iterator[Finding]:
    """The row that numbers recordings: with it damaged nothing can be recorded any more."""
    highest = connection.execute("SELECT max(seq) FROM standing WHERE typeof(seq) = 'integer'").fetchone()[0]
    row = connection.execute("SELECT last, digest FROM sequence WHERE one = 1").fetchone()
    if row is None:
        if highest is not None:
            yield Finding("sequence", "", "the row of the last sequence number is missing, so nothing can be recorded")
    elif not Digests(sha256).sequence_is_whole(*row):
        yield Finding(
            "sequence", "", "the row of the last sequence number fails its digest, so nothing can be recorded"
        )
    elif highest is not None and row[0] < highest:
        yield Finding("sequence", "", f"the last sequence number is {row[0]}, but {highest} was given")
