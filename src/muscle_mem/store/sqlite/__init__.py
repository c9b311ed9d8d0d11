"""A store in a SQLite file, for any number of processes on one machine."""

from __future__ import annotations

from .store import SqliteStore

__all__ = ["SqliteStore"]
