"""Maintenance of recordings: deletion, review, counts and pruning."""

from __future__ import annotations

from .._library.library import Library
from .._library.limits import make_limits
from ..errors import InvalidTypeError, InvalidValueError, NotFoundError
from ..store.pruning import Limits, Pruned
from .open_runs import OpenRuns
from .reporter import CacheInfo, Reporter
from .store_health import StoreHealthMonitor


class Maintenance:
    """Maintenance operations of an engine and of the outcomes of its runs.

    The engine has public methods of the same names.
    """

    __slots__ = ("_health", "_library", "_open_runs", "_reporter", "_scope")

    def __init__(
        self, library: Library, reporter: Reporter, health: StoreHealthMonitor, open_runs: OpenRuns, scope: str | None
    ) -> None:
        self._library = library
        self._reporter = reporter
        self._health = health
        self._open_runs = open_runs
        self._scope = scope

    def forget(self, trajectory_id: str) -> bool:
        """Delete a trajectory and all that belongs to it; return whether it existed."""
        return self._library.forget((trajectory_id,)) > 0

    def report_bad(self, trajectory_id: str, why: str = "") -> None:
        """Quarantine a trajectory until `report_good`."""
        self._report(trajectory_id, good=False, why=why)

    def report_good(self, trajectory_id: str, why: str = "") -> None:
        """Trust a trajectory, and lift its quarantine."""
        self._report(trajectory_id, good=True, why=why)

    def _report(self, trajectory_id: str, *, good: bool, why: str) -> None:
        library = self._library
        if not library.general_records.knows(trajectory_id):
            raise NotFoundError(
                f"trajectory {trajectory_id!r} is not in {library.store.url}. Pass an `outcome.trajectory_id`."
            )
        library.report(trajectory_id, good=good, why=why)

    def cache_info(self) -> CacheInfo:
        """Return the counts and the current state."""
        library, health = self._library, self._health
        return CacheInfo(
            **self._reporter.counts,
            loaded=len(library),
            loaded_bytes=library.cache.size,
            store_answers=not health.failures,
            store_trouble=health.last_error,
        )

    def cache_clear(self, scope: str | None) -> None:
        """Delete every trajectory of a scope, and reset the counts.

        The default is the engine's scope.
        """
        if scope is not None and not isinstance(scope, str):
            raise InvalidTypeError(f"invalid cache_clear(scope=): expected a string, got {scope!r}")
        chosen = self._scope if scope is None else scope
        if chosen is None:
            raise InvalidValueError(
                "cache_clear() failed: the engine's scope is a function, so it has several. Pass scope='...'."
            )
        self._library.clear(chosen)
        self._reporter.clear()

    def prune(self, max_items: int | None, max_bytes: int | None, ttl: float | None) -> Pruned:
        """Delete what exceeds the given limits, or the engine's where none is given."""
        own, given = self._library.growth.limits, make_limits(max_items, max_bytes, ttl)
        limits = Limits(
            max_items=own.max_items if given.max_items is None else given.max_items,
            max_bytes=own.max_bytes if given.max_bytes is None else given.max_bytes,
            ttl=own.ttl if given.ttl is None else given.ttl,
        )
        if not limits:
            raise InvalidValueError(
                "prune() failed: there is no limit to prune by. Pass max_items=, max_bytes= or ttl=, as in "
                "engine.prune(ttl=30 * 86400), or set one on the Engine."
            )
        done = self._library.prune(limits, self._open_runs.followed_ids())
        self._reporter.count("pruned", done.dropped)
        return done
