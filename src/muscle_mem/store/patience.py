"""How long a write waits for other writers: its whole time, until a wait was in vain; then a moment, until one is not.

So a lock that is never let go costs one deadline, and then a moment each time; and no write is refused unasked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import StoreError

MOMENT = 0.25  # seconds; the worst wait of 32 writers was 0.15


class TooLongError(StoreError):
    """The write gate stayed shut for as long as the caller would wait."""


class Patience:
    """What `whole` seconds of waiting come to, shared by all writers of a store in this process."""

    def __init__(self, whole: float) -> None:
        self._whole = whole
        self._in_vain = False

    @contextmanager
    def waiting(self) -> Iterator[float]:
        """For one write: the seconds it may wait. What it raises tells whether the wait was in vain."""
        try:
            yield min(self._whole, MOMENT) if self._in_vain else self._whole
        except TooLongError:
            self._in_vain = True
            raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                self._in_vain = True
            raise
        else:
            self._in_vain = False
