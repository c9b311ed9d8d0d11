"""How long a write waits for other writers: its whole time, until a wait was in vain; then a moment, until one is not.

So a lock that is never released costs one deadline, and then a moment each time; and no write is refused unasked.
"""

from __future__ import annotations

import sqlite3

from ...errors import StoreError

SHORT_TIMEOUT = 0.25  # seconds; the worst wait of 32 writers was 0.15


class LockTimeoutError(StoreError):
    """The write gate stayed shut for as long as the caller would wait."""


class AdaptiveTimeout:
    """What `full` seconds of waiting come to, shared by all writers of a store in this process."""

    def __init__(self, full: float) -> None:
        self._full = full
        self._timed_out = False

    def __enter__(self) -> float:
        """For one write: the seconds it may wait. Leave it with an exception if the wait timed out."""
        return min(self._full, SHORT_TIMEOUT) if self._timed_out else self._full

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._timed_out = False
        elif isinstance(error, LockTimeoutError) or (
            isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        ):
            self._timed_out = True
