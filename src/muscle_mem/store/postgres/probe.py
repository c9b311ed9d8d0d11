"""A look at where a PostgreSQL store would be, which makes none."""

from __future__ import annotations

import time

from .breaker import Breaker
from .connections import Lines
from .errors import translated
from .opening import look
from .options import parse
from .schema import LATEST


def versions(url: str) -> tuple[int | None, int]:
    """The version of the store (None: there is none), and the newest that is known.

    Raises as `PostgresStore` does, also where no server answers.
    """
    options = parse(url)
    lines = Lines(options, Breaker(options.url))
    try:
        with translated(options), lines.lent(time.monotonic() + options.timeout) as line:
            return look(line, options), LATEST
    finally:
        lines.close()
