"""Integrity checks of a PostgreSQL store beyond its trajectories."""

from __future__ import annotations

from ..rows import readable
from ..verifying import Trouble
from .connections import PooledConnection
from .rows import Seals


def inspect(connection: PooledConnection, seals: Seals) -> tuple[Trouble, ...]:
    """Return the problems found; see `muscle_mem.store.verifying.Inspecting`."""
    return (*_sequence(connection), *_standings(connection), *_evidence(connection, seals), *_blobs(connection))


def _sequence(connection: PooledConnection) -> list[Trouble]:
    last, highest = connection.fetch(
        "SELECT (SELECT pg_sequence_last_value(s::regclass) FROM pg_get_serial_sequence('change', 'n') s "
        "WHERE has_sequence_privilege(s, 'SELECT')), (SELECT max(seq) FROM standing)"
    )[0]
    if last is not None and highest is not None and highest > last:
        return [Trouble("sequence", "", f"a recording has the number {highest}, above the last, {last}")]
    return []


def _evidence(connection: PooledConnection, seals: Seals) -> list[Trouble]:
    rows = connection.fetch(
        "SELECT t.id, e.digest, e.record FROM evidence e JOIN trajectory t ON t.n = e.trajectory ORDER BY e.n"
    )
    return [
        Trouble("evidence", readable(id), "a row of its counts fails its digest")
        for id, digest, record in rows
        if not seals.is_intact("evidence", digest, id, record)
    ]


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
