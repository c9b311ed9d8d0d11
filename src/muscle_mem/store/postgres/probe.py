"""A probe for a PostgreSQL store that does not create one."""

from __future__ import annotations

import time

from .breaker import Breaker
from .connections import ConnectionPool
from .errors import translated
from .opening import probe
from .options import parse
from .schema import LATEST


def probe_versions(url: str) -> tuple[int | None, int]:
    """Return the version of the store, None without one, and the newest known one.

    Raises what `PostgresStore` raises, and also StoreError if no server answers.
    """
    options = parse(url)
    pool = ConnectionPool(options, Breaker(f"cannot reach the store {options.url}"))
    try:
        with translated(options), pool.borrow(time.monotonic() + options.timeout) as connection:
            return probe(connection, options), LATEST
    finally:
        pool.close()
