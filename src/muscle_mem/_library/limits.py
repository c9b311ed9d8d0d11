"""Estimates of when a store exceeds its limits, so that pruning is rarely due."""

from __future__ import annotations

import math
import threading
from typing import Any

import msgspec

from ..errors import InvalidTypeError, InvalidValueError
from ..store.pruning import Limits, Pruned

SLACK = 10
"""Pruning goes a tenth below a limit, so that it is not due again immediately."""


class GrowthMonitor:
    """The growth of a store by this engine's recordings since the last pruning."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._items = 0
        self._bytes = 0
        self._next_prune = 0.0
        self._pruning = threading.Lock()

    def note_sealed(self, size: int) -> None:
        """Count one stored recording. `size` is in bytes."""
        self._items -= 1
        self._bytes -= size

    def begin_pruning(self, now: float) -> Limits | None:
        """Return the limits to prune by, or None if pruning is not due.

        None is also returned while another thread prunes. After any other answer, call `end_pruning`.
        """
        limits = self.limits
        passed = (
            (limits.max_items is not None and self._items < 0)
            or (limits.max_bytes is not None and self._bytes < 0)
            or (limits.ttl is not None and not self._next_prune - limits.ttl < now < self._next_prune)
        )
        if not passed or not self._pruning.acquire(blocking=False):
            return None
        return msgspec.structs.replace(
            limits,
            max_items=None if limits.max_items is None else limits.max_items - limits.max_items // SLACK,
            max_bytes=None if limits.max_bytes is None else limits.max_bytes - limits.max_bytes // SLACK,
        )

    def end_pruning(self, done: Pruned | None, now: float) -> None:
        """Set how much may be stored until pruning is due again.

        `done` is None if pruning failed. It is then not due again soon.
        """
        limits = self.limits
        kept, size = (done.kept, done.kept_bytes) if done is not None else (0, 0)
        most, most_bytes = limits.max_items or 0, limits.max_bytes or 0
        self._items = max(0, most - kept) if done is not None else most // SLACK
        self._bytes = max(0, most_bytes - size) if done is not None else most_bytes // SLACK
        self._next_prune = now + (limits.ttl or 0.0) / SLACK
        self._pruning.release()


def make_limits(max_items: Any, max_bytes: Any, ttl: Any) -> Limits:
    """Return validated limits; None means unlimited.

    Raises InvalidTypeError or InvalidValueError.
    """
    return Limits(
        max_items=None if max_items is None else validated_count("max_items", max_items, "trajectories"),
        max_bytes=None if max_bytes is None else validated_count("max_bytes", max_bytes, "bytes"),
        ttl=validated_seconds("ttl", ttl) if ttl is not None else None,
    )


def validated_count(name: str, value: Any, of: str) -> int:
    """Return a count of 0 or more. Raises InvalidTypeError or InvalidValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidTypeError(f"invalid {name}=: expected a whole number of {of}, got {value!r}")
    if value < 0:
        raise InvalidValueError(f"invalid {name}=: expected 0 or more {of}, got {value!r}")
    return value


def validated_seconds(name: str, value: Any) -> float:
    """Return seconds, 0 or more. Raises InvalidTypeError or InvalidValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidTypeError(f"invalid {name}=: expected a number of seconds, got {value!r}")
    if not 0 <= value < math.inf:
        raise InvalidValueError(f"invalid {name}=: expected a finite number of 0 or more seconds, got {value!r}")
    return float(value)
