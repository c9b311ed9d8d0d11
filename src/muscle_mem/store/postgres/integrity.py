"""Integrity checks of a PostgreSQL store beyond its trajectories."""

from __future__ import annotations

from ..rows import readable
from ..verifying import Trouble
from .connections import PooledConnection
from .rows import Seals


def inspect(connection: PooledConnection, seals: Seals) -> tuple[Trouble, ...]:
    """Return the problems found; see `muscle_mem.store.verifying.Inspecting`."""
    return (*_sequence(connection, seals), *_standings(connection), *_blobs(connection))


def _sequence(connection: PooledConnection, seals: Seals) -> list[Trouble]:
    rows = connection.fetch(
        "SELECT last, digest, (SELECT coalesce(max(seq), 0) FROM standing) FROM sequence WHERE one = 1"
    )
    if not rows:
        return [Trouble("sequence", "", "the row of the last sequence number is missing")]
    last, digest, highest = rows[0]
    if digest == b"" and last == 0 and highest == 0:
        return []
    if not seals.is_intact("sequence", digest, b"%d" % last):
        return [Trouble("sequence", "", "the row of the last sequence number fails its digest")]
    if highest > last:
        return [Trouble("sequence", "", f"a recording has the number {highest}, above the last, {last}")]
    return []


def _standings(connection: PooledConnection) -> list[Trouble]:
    rows = connection.fetch("SELECT t.id FROM trajectory t LEFT JOIN standing s ON s.n = t.n WHERE s.n IS NULL")
    return [Trouble("orphan", readable(id), "the trajectory has no standing") for (id,) in rows]


def _blobs(connection: PooledConnection) -> list[Trouble]:
    rows = connection.fetch(
        "SELECT b.name, sha256(b.body) = b.name, EXISTS (SELECT 1 FROM use u WHERE u.blob = b.name) FROM blob b "
        "WHERE sha256(b.body) <> b.name OR NOT EXISTS (SELECT 1 FROM use u WHERE u.blob = b.name)"
    )
    return [
        Trouble(
            "blob",
            "",
            f"blob {name.hex()[:16]} " + ("is not used" if whole else "does not match its SHA-256"),
        )
        for name, whole, _ in rows
    ]
