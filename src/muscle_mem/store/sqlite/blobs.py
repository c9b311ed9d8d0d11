"""Blobs of a SQLite store: large parts of observations, stored once.

They are named by SHA-256 and deleted with their last user.
"""

from __future__ import annotations

import sqlite3

from .rows import Row, blob_name, blob_names


class DamagedBlob(ValueError):  # noqa: N818 - the store never raises it to callers
    """A blob that is missing or does not match its name."""


def load(connection: sqlite3.Connection, row: Row) -> tuple[bytes, ...]:
    """Return the blobs of an observation row, in order, each verified by its name.

    Raises DamagedBlob.
    """
    found: dict[bytes, bytes] = {}
    names = blob_names(row)
    for name in names:
        if name not in found:
            kept = connection.execute("SELECT body FROM blob WHERE hash = ?", (name,)).fetchone()
            if kept is None:
                raise DamagedBlob(f"its blob {name.hex()[:16]} is missing")
            if not isinstance(kept[0], bytes) or blob_name(kept[0]) != name:
                raise DamagedBlob(f"its blob {name.hex()[:16]} does not match its SHA-256")
            found[name] = kept[0]
    return tuple(found[name] for name in names)


def keep(connection: sqlite3.Connection, observation: int, blobs: tuple[bytes, ...]) -> None:
    """Store the blobs of an observation, which is given by row number.

    Raises DamagedBlob if a blob exists with other contents.
    """
    for name, blob in {blob_name(blob): bytes(blob) for blob in blobs}.items():
        known = connection.execute("SELECT body = ? FROM blob WHERE hash = ?", (blob, name)).fetchone()
        if known is None:
            connection.execute("INSERT INTO blob(hash, body) VALUES (?, ?)", (name, blob))
        elif not known[0]:
            raise DamagedBlob(f"its blob {name.hex()[:16]} exists and does not match its SHA-256")
        connection.execute("INSERT OR IGNORE INTO blob_user(observation, hash) VALUES (?, ?)", (observation, name))


def release(connection: sqlite3.Connection, observation: int) -> list[bytes]:
    """Release all blobs of an observation, and return their names for `sweep`."""
    used = connection.execute("SELECT hash FROM blob_user WHERE observation = ?", (observation,)).fetchall()
    connection.execute("DELETE FROM blob_user WHERE observation = ?", (observation,))
    return [name for (name,) in used]


def sweep(connection: sqlite3.Connection, names: list[bytes]) -> None:
    """Delete the blobs that are no longer used."""
    for name in names:
        connection.execute(
            "DELETE FROM blob WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM blob_user WHERE hash = ?)", (name, name)
        )
