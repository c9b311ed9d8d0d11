"""What the settings of a PostgreSQL server promise."""

from __future__ import annotations

from ..promises import Promises
from .connection import PooledConnection

WATCH = 0.5
Settings = tuple[str, ...]


def settings(connection: PooledConnection) -> Settings:
    """Return the settings that say what a commit means, in one round trip."""
    names = ("default_transaction_read_only", "fsync", "synchronous_commit", "synchronous_standby_names")
    return tuple(connection.fetch(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}")[0])


def promised(found: Settings) -> Promises:
    """Return what a server with these settings promises.

    The store turns `synchronous_commit = off` on for what decides about replays. Under "local" and "remote_write" a
    standby may not have the recording on its disk.
    """
    _, fsync, commit, standbys = found
    has_standby = bool(standbys.strip()) and commit not in ("local", "remote_write")
    return Promises(
        acknowledged="cache" if fsync == "off" else "quorum" if has_standby else "machine", order="key", watch=WATCH
    )
