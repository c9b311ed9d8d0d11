"""Sums of the counts of a history by task or day, which a database computes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol, TypeGuard, runtime_checkable

import msgspec

from .history import DayCount, KeepsHistory, added

By = Literal["task", "day"]
"""By task: one for each task and status, without day and reason. By day: one for each day, status and reason."""


@runtime_checkable
class SumsHistory(Protocol):
    """A store that sums the counts of its history itself."""

    def history_totals(self, *, by: By, since: float | None = None) -> tuple[DayCount, ...]:
        """Return sums of counts, in any order.

        Args:
            by: What is summed up; see `By`.
            since: Only those of days that end after this time, in seconds since the epoch.
        """
        ...


def sums_history(value: object) -> TypeGuard[SumsHistory]:
    """Return whether a store sums its history itself, directly or by `__getattr__`."""
    return hasattr(value, "history_totals")


def history_totals(store: KeepsHistory, by: By, since: float | None = None) -> tuple[DayCount, ...]:
    """Return sums of the counts of a history.

    Args:
        store: The store.
        by: What is summed up; see `By`.
        since: Only those of days that end after this time, in seconds since the epoch.
    """
    if sums_history(store):
        return store.history_totals(by=by, since=since)
    return folded(store.history_counts(since=since), by)


def folded(counts: Iterable[DayCount], by: By) -> tuple[DayCount, ...]:
    """Return sums of counts.

    Args:
        counts: The counts.
        by: What is summed up; see `By`.
    """
    found: dict[tuple[object, ...], DayCount] = {}
    for one in counts:
        if by == "task":
            place: tuple[object, ...] = (one.scope, one.key, one.status)
            plain = msgspec.structs.replace(one, day=0, reason="")
        else:
            place = (one.day, one.status, one.reason)
            plain = msgspec.structs.replace(one, scope="", key=b"", task="")
        found[place] = added(found[place], plain) if place in found else plain
    return tuple(found.values())
