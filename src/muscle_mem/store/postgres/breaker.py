"""A circuit breaker, so that an unreachable store does not delay every call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...errors import StoreError

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0


class Breaker:
    """A circuit breaker for one store.

    `failed` opens it, and calls are then rejected immediately. After each pause one call is admitted as a probe.
    `worked` closes it. `name` names the store in messages; `clock` returns seconds.
    """

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._why: str | None = None
        self._pause = 0.0
        self._until = 0.0
        self._probing = False

    def reset_after_fork(self) -> None:
        """Replace the lock in a forked child: a thread of the parent may have held it."""
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Return whether the store is considered unreachable."""
        return self._why is not None

    def admit(self) -> None:
        """Admit a call, or raise StoreError immediately.

        After a pause only the first call is admitted.
        """
        if self._why is None:
            return
        with self._lock:
            now = self._clock()
            if now < self._until:
                raise StoreError(
                    f"cannot reach the store {self._name} ({self._why}): it is asked again in "
                    f"{self._until - now:.1f} seconds. Check the server."
                )
            self._probing = True
            self._until = now + self._pause  # Calls during the probe are rejected, too.

    def failed(self, why: object) -> None:
        """Record that the store could not be reached."""
        with self._lock:
            if self._why is None:
                self._pause = FIRST_PAUSE
            elif self._probing:
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._probing = False
            self._until = self._clock() + self._pause
            self._why = " ".join(str(why).split())

    def worked(self) -> None:
        """Record that the store answered."""
        if self._why is not None:
            with self._lock:
                self._why = None
                self._probing = False
