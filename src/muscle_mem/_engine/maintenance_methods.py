"""The methods of the engine that maintain its recordings."""

from __future__ import annotations

from .._runtime.reporter import CacheInfo
from ..store.pruning import Pruned
from .has_runtime import HasRuntime


def forget(self: HasRuntime, trajectory_id: str) -> bool:
    """Delete a trajectory and everything that belongs to it.

    Returns:
        Whether it existed.

    Raises:
        StoreError: The store failed.
    """
    return self._runtime.maintenance.forget(trajectory_id)


def report_bad(self: HasRuntime, trajectory_id: str, why: str = "") -> None:
    """Quarantine a trajectory until `report_good`.

    Args:
        trajectory_id: The id, as in `outcome.trajectory_id`.
        why: The reason, which is stored and shown.

    Raises:
        NotFoundError: The store has no such trajectory.
        StoreError: The store failed.
    """
    self._runtime.maintenance.report_bad(trajectory_id, why)


def report_good(self: HasRuntime, trajectory_id: str, why: str = "") -> None:
    """Trust a trajectory, and lift its quarantine.

    Args:
        trajectory_id: The id, as in `outcome.trajectory_id`.
        why: The reason, which is stored and shown.

    Raises:
        NotFoundError: The store has no such trajectory.
        StoreError: The store failed.
    """
    self._runtime.maintenance.report_good(trajectory_id, why)


def cache_info(self: HasRuntime) -> CacheInfo:
    """Return counts since the engine was created or cleared, and its current state."""
    return self._runtime.maintenance.cache_info()


def cache_clear(self: HasRuntime, scope: str | None = None) -> None:
    """Delete every trajectory of a scope, and reset the counts.

    Args:
        scope: The scope. Defaults to the engine's, unless that is a function.

    Raises:
        InvalidTypeError: The scope is not a string.
        InvalidValueError: No scope was given, and the engine's is a function.
        StoreError: The store failed.
    """
    self._runtime.maintenance.cache_clear(scope)


def prune(
    self: HasRuntime, max_items: int | None = None, max_bytes: int | None = None, ttl: float | None = None
) -> Pruned:
    """Delete expired trajectories, and as many others as exceed the limits.

    It applies to the whole store, whatever the scope. Trajectories that can never be replayed are deleted first,
    then those that were recorded or hit the longest ago. Trajectories that an agent is working on stay, and so do
    damaged rows, which `muscle-mem doctor` reports. An engine with limits prunes automatically, now and then
    after a recording.

    Args:
        max_items: The maximum number of trajectories. Defaults to the engine's.
        max_bytes: The maximum number of bytes. Defaults to the engine's.
        ttl: The age in seconds beyond which a trajectory is deleted. Defaults to the engine's.

    Returns:
        What was deleted and what was kept.

    Raises:
        InvalidTypeError: A limit is not a number.
        InvalidValueError: A limit is negative, or there is no limit.
        StoreError: The store failed.
    """
    return self._runtime.maintenance.prune(max_items, max_bytes, ttl)
