"""A circuit breaker, so that an unreachable store does not delay every call."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from .errors import NotNowError

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
FIRST_QUICK_PAUSE = 0.25
LONGEST_QUICK_PAUSE = 1.0
MOST_BUSY_KEYS = 1000
QUICK_SECONDS = 0.5  # A server that refuses within this time may be asked more often.


class Breaker:
    """A circuit breaker for one store.

    `failed` opens it, and calls are then rejected immediately. After each pause one call is admitted as a probe.
    `worked` closes it. A server that refuses immediately costs nothing and is asked again after a second at most; one
    that does not answer costs a timeout, and is asked less often. The pauses vary, so that not all processes ask
    together. `failure` begins messages; `clock` returns seconds.
    """

    def __init__(self, failure: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._failure = failure
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
        """Admit a call, or raise NotNowError immediately.

        After a pause only the first call is admitted.
        """
        if self._why is None:
            return
        with self._lock:
            now = self._clock()
            if now < self._until:
                raise NotNowError(
                    f"{self._failure} ({self._why}): it is asked again in "
                    f"{self._until - now:.1f} seconds. Check the server."
                )
            self._probing = True
            self._until = now + self._pause  # Calls during the probe are rejected, too.

    def failed(self, why: object, *, slow: bool = True) -> None:
        """Record that the store could not be reached.

        `slow` says that finding out took time.
        """
        first, longest = (FIRST_PAUSE, LONGEST_PAUSE) if slow else (FIRST_QUICK_PAUSE, LONGEST_QUICK_PAUSE)
        with self._lock:
            if self._why is None:
                self._pause = first
            elif self._probing:
                self._pause = 2 * self._pause
            self._pause = max(first, min(self._pause, longest))
            self._probing = False
            self._until = self._clock() + self._pause * random.uniform(0.5, 1.0)
            self._why = " ".join(str(why).split())

    def worked(self) -> None:
        """Record that the store answered."""
        if self._why is not None:
            with self._lock:
                self._why = None
                self._probing = False


class WriteBreakers:
    """Breakers for writes that wait for a lock in vain.

    There is one for each key, and one for all, which opens when writes of several keys wait in vain. `failure` begins
    messages.
    """

    def __init__(self, failure: str) -> None:
        self._failure = failure
        self._lock = threading.Lock()
        self._all = Breaker(failure)
        self._keys: dict[bytes, Breaker] = {}

    def reset_after_fork(self) -> None:
        """Forget what is open in a forked child."""
        self.__init__(self._failure)  # type: ignore[misc]

    def admit(self, key: bytes) -> None:
        """Admit a write, or raise NotNowError immediately."""
        if self._keys:
            self._all.admit()
            busy = self._keys.get(key)
            if busy is not None:
                busy.admit()

    def failed(self, key: bytes, why: object) -> None:
        """Record that a write of a key waited for a lock in vain."""
        with self._lock:
            is_several = bool(self._keys.keys() - {key})
            if key not in self._keys and len(self._keys) >= MOST_BUSY_KEYS:
                self._keys.pop(next(iter(self._keys)))
            busy = self._keys.setdefault(key, Breaker(self._failure))
        busy.failed(why)
        if is_several:
            self._all.failed(why)

    def worked(self, key: bytes) -> None:
        """Record that a write of a key was carried out."""
        if self._keys:
            self._all.worked()
            with self._lock:
                self._keys.pop(key, None)
