"""Tending what is remembered: forgetting, judging, counting, keeping it small."""

from __future__ import annotations

from .._library.limits import limits_of
from .._runtime.reporter import CacheInfo
from .._runtime.runs import Runs
from ..errors import InvalidValueError, NotFoundError
from ..store.pruning import Limits, Pruned


class Tending(Runs):
    """What an engine offers for the care of its memory."""

    def forget(self, trajectory_id: str) -> bool:
        """Delete a trajectory with all that belongs to it; whether there was one. Raises StoreError."""
        return self._library.forget((trajectory_id,)) > 0

    def report_bad(self, trajectory_id: str, why: str = "") -> None:
        """Quarantine a trajectory until `report_good`. Raises NotFoundError or StoreError."""
        self._judge(trajectory_id, good=False, why=why)

    def report_good(self, trajectory_id: str, why: str = "") -> None:
        """Trust a trajectory, and lift whatever quarantine it is in. Raises NotFoundError or StoreError."""
        self._judge(trajectory_id, good=True, why=why)

    def _judge(self, trajectory_id: str, *, good: bool, why: str) -> None:
        if self._library.store.get(trajectory_id) is None:
            raise NotFoundError(f"there is no trajectory {trajectory_id!r} in {self._library.store.url}")
        self._library.judge(trajectory_id, good=good, why=why)

    def cache_info(self) -> CacheInfo:
        """Counts since the engine was made, or since `cache_clear()`, and how things are now; see `CacheInfo`."""
        library, health = self._library, self._health
        return CacheInfo(
            **self._teller.counts,
            loaded=len(library),
            loaded_bytes=library.memory.size,
            store_answers=not health.since,
            store_trouble=health.last,
        )

    def cache_clear(self) -> None:
        """Forget every trajectory of this engine's scope in its store, and start counting anew. Raises StoreError."""
        self._library.clear(self._scope)
        self._teller.clear()

    def prune(self, max_items: int | None = None, max_bytes: int | None = None, ttl: float | None = None) -> Pruned:
        """Drop trajectories that are older than `ttl` seconds, and so many that no more than the limits are left.

        What is not given is as the engine was made with. It concerns the whole store, whatever the scope. What can
        never be replayed goes first, then what was recorded or hit the longest ago. What an agent is at work on stays,
        and so do damaged rows, for `muscle-mem doctor` to tell of. Done by itself after a recording, now and then, if
        the engine has limits.

        Raises InvalidTypeError or InvalidValueError for what is no limit, or if there is none; StoreError.
        """
        own, given = self._library.growth.limits, limits_of(max_items, max_bytes, ttl)
        limits = Limits(
            max_items=own.max_items if given.max_items is None else given.max_items,
            max_bytes=own.max_bytes if given.max_bytes is None else given.max_bytes,
            ttl=own.ttl if given.ttl is None else given.ttl,
        )
        if not limits:
            raise InvalidValueError(
                "there is no limit to prune by; give max_items, max_bytes or ttl, here or to the Engine, as in "
                "engine.prune(ttl=30 * 86400)"
            )
        done = self._library.prune(limits, self._open.followed())
        self._teller.count("pruned", done.dropped)
        return done
