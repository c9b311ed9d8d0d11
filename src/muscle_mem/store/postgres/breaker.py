"""Keeps a store that is gone from costing every call a deadline: after one failure calls are refused immediately."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...errors import StoreError

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0


class Breaker:
    """Closed while all is well. Opened by `failed`; then one probe passes after each pause, and `worked` closes it.

    `name` names the store in messages; `clock` gives seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._why: str | None = None
        self._pause = 0.0
        self._until = 0.0
        self._probing = False

    def start_afresh(self) -> None:
        """In a forked child: its parent's threads may have held the lock."""
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether the store is taken to be gone."""
        return self._why is not None

    def admit(self) -> None:
        """Let a call pass, or raise StoreError immediately. Of the calls after a pause only the first passes."""
        if self._why is None:
            return
        with self._lock:
            now = self._clock()
            if now < self._until:
                raise StoreError(
                    f"The store {self._name} is not to be reached ({self._why}), and is asked again in "
                    f"{self._until - now:.1f} seconds. Agents run without it meanwhile; look at the server."
                )
            self._probing = True
            self._until = now + self._pause  # calls during the probe are refused too

    def failed(self, why: object) -> None:
        """The store could not be reached."""
        with self._lock:
            if self._why is None:
                self._pause = FIRST_PAUSE
            elif self._probing:
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._probing = False
            self._until = self._clock() + self._pause
            self._why = " ".join(str(why).split())

    def worked(self) -> None:
        """The store answered."""
        if self._why is not None:
            with self._lock:
                self._why = None
                self._probing = False
