"""A look at where a PostgreSQL store would be, which makes none."""

from __future__ import annotations

import time

from .breaker import Breaker
from .connections import ConnectionPool
from .errors import translated
from .opening import probe
from .options import parse
from .schema import LATEST


def probe_versions(url: str) -> tuple[int | None, int]:
    """The version of the store (None: there is none), and the newest that is known.

    Raises as `PostgresStore` does, also where no server answers.
    """
    options = parse(url)
    lines = ConnectionPool(options, Breaker(options.url))
    try:
        with translated(options), lines.borrow(time.monotonic() + options.timeout) as connection:
            return probe(connection, options), LATEST
    finally:
        lines.close()
