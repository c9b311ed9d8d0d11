"""Checks of a SQLite store's file: broken pages, and rows without owners."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ..rows import readable
from ..verifying import Trouble
from .rows import Digests, blob_name, blob_names

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
_USERS = """SELECT coalesce(t.id, ''), o.n, o.id, o.blobs
    FROM observation o LEFT JOIN trajectory t ON t.n = o.trajectory
    WHERE length(o.blobs) > 0 OR o.n IN (SELECT observation FROM blob_user)"""


def inspect(connection: sqlite3.Connection, digests: Digests, refusal: str) -> Iterator[Trouble]:
    """Yield the problems of a store's file.

    Raises errors of sqlite3 if the file cannot be read to the end.
    """
    yield from _pages(connection)
    yield from _orphans(connection)
    yield from _sequence(connection, digests, refusal)
    yield from _blobs(connection)
    yield from _users(connection)


def _pages(connection: sqlite3.Connection) -> Iterator[Trouble]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({MOST})").fetchall():
        result = readable(line)
        if result != "ok":
            yield Trouble("file", "", result)


def _orphans(connection: sqlite3.Connection) -> Iterator[Trouble]:
    for query, what in _ORPHANS:
        for (id,) in connection.execute(query).fetchall():
            yield Trouble("orphan", readable(id), what)


def _sequence(connection: sqlite3.Connection, digests: Digests, refusal: str) -> Iterator[Trouble]:
    """Yield problems of the row that numbers recordings, which recording requires."""
    highest = connection.execute("SELECT max(seq) FROM standing WHERE typeof(seq) = 'integer'").fetchone()[0]
    row = connection.execute("SELECT last, digest FROM sequence WHERE one = 1").fetchone()
    name = "the row of the last sequence number"
    if row is None:
        if highest is not None:
            yield Trouble("sequence", "", f"{name} is missing, so nothing can be recorded")
    elif not digests.is_sequence_intact(*row):
        yield Trouble("sequence", "", f"{name} {refusal}, so nothing can be recorded")
    elif highest is not None and row[0] < highest:
        yield Trouble("sequence", "", f"the last sequence number is {row[0]}, but {highest} is in use")


def _blobs(connection: sqlite3.Connection) -> Iterator[Trouble]:
    """Yield problems of all blobs, including those that are not used."""
    for (n,) in connection.execute("SELECT n FROM blob").fetchall():
        name, body = connection.execute("SELECT hash, body FROM blob WHERE n = ?", (n,)).fetchone()
        if not isinstance(body, bytes) or blob_name(body) != name:
            yield Trouble("blob", "", f"the blob {_short(name)} does not match its SHA-256")
    unused = "SELECT hash FROM blob WHERE hash NOT IN (SELECT hash FROM blob_user)"
    for (name,) in connection.execute(unused).fetchall():
        yield Trouble("blob", "", f"the blob {_short(name)} is not used; it takes space, but does no harm")
    lost = "SELECT DISTINCT hash FROM blob_user WHERE observation NOT IN (SELECT n FROM observation)"
    for (name,) in connection.execute(lost).fetchall():
        yield Trouble("blob", "", f"the blob {_short(name)} is kept for an observation that is missing")


def _users(connection: sqlite3.Connection) -> Iterator[Trouble]:
    """Yield differences between the blobs that observations name and the noted uses.

    A blob whose use is not noted may be deleted too early.
    """
    for owner, n, id, named in connection.execute(_USERS).fetchall():
        noted = {name for (name,) in connection.execute("SELECT hash FROM blob_user WHERE observation = ?", (n,))}
        try:
            names = set(blob_names((named,)))
        except (TypeError, ValueError):
            names = set()
        if names != noted:
            what = f"observation {readable(id)} names {len(names)} blobs, and the use of {len(noted)} is noted"
            yield Trouble("blob", readable(owner), what)


def _short(name: object) -> str:
    return name.hex()[:16] if isinstance(name, bytes) else repr(name)
