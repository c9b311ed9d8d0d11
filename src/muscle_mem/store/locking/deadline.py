"""Timeouts of writes that wait for other writers.

A write waits for the full timeout, or for a short one after a failed wait. A lock that is never released so costs one
full timeout, and then a short one for each write. Every write still tries.
"""

from __future__ import annotations

import sqlite3

from ...errors import StoreError

SHORT_TIMEOUT = 0.25  # Seconds. The longest wait of 32 writers was 0.15.


class LockTimeoutError(StoreError):
    """Another writer held the write lock until the timeout."""


class AdaptiveTimeout:
    """Timeout in seconds, shared by all writers of a store in this process.

    It is `full` seconds, or a short time after a wait that timed out.
    """

    def __init__(self, full: float) -> None:
        self._full = full
        self._timed_out = False

    def __enter__(self) -> float:
        """Return the timeout of one write, in seconds.

        The block must raise if the wait timed out.
        """
        return min(self._full, SHORT_TIMEOUT) if self._timed_out else self._full

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._timed_out = False
        elif isinstance(error, LockTimeoutError) or (
            isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        ):
            self._timed_out = True
