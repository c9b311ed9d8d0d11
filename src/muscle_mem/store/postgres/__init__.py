"""A store in a PostgreSQL database, for any number of machines."""

from __future__ import annotations

from .store import PostgresStore

__all__ = ["PostgresStore"]
