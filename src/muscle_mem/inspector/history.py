"""The history of runs, summed up for the pages.

A store that keeps none has an empty one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from .._core import codec
from .._core.binding.references.masking import is_masked
from ..store import Store, Stored
from ..store.history import DAY, DayCount, PastRun, day_of, keeps_history
from ..store.history_totals import history_totals
from .diffs import Line, side_by_side
from .pictures import UndecodablePictureError
from .plot import Bar
from .values import MOST_TO_COMPARE, Block, block, text_block

MOST_DAYS = 30


class Sum(msgspec.Struct):
    """Runs that are counted together, and what they saved and cost."""

    key: bytes = b""
    scope: str = ""
    task: str = ""
    hits: int = 0
    diverged: int = 0
    misses: int = 0
    saved_seconds: float = 0.0
    saved_tokens: int = 0
    saved_calls: int = 0
    timed: int = 0
    metered: int = 0
    agent_seconds: float = 0.0
    last: float = 0.0

    @property
    def runs(self) -> int:
        """Return the number of runs."""
        return self.hits + self.diverged + self.misses

    @property
    def rate(self) -> float:
        """Return the share of hits, from 0 to 1."""
        return self.hits / self.runs if self.runs else 0.0

    def add(self, count: DayCount) -> None:
        """Add the runs of one day.

        One that raised counts as a miss: it did not replay to its end.
        """
        if count.status == "hit":
            self.hits += count.runs
        elif count.status == "diverged":
            self.diverged += count.runs
        else:
            self.misses += count.runs
        self.saved_seconds += count.saved_seconds
        self.saved_tokens += count.saved_tokens
        self.saved_calls += count.saved_calls
        self.timed += count.timed
        self.metered += count.metered
        self.agent_seconds += count.agent_seconds
        self.last = max(self.last, count.last)

    def join(self, other: Sum) -> None:
        """Add other runs."""
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.last = max(self.last, other.last)


_SUMMED = tuple(name for name in Sum.__struct_fields__ if name not in ("key", "scope", "task", "last"))


class Cause(msgspec.Struct, frozen=True):
    """How often runs ended for a reason, other than as a plain hit."""

    status: str
    reason: str
    runs: int
    agent_seconds: float


class Overview(msgspec.Struct, frozen=True):
    """Counts of runs, by day, task and reason."""

    total: Sum
    days: tuple[Bar, ...]
    tasks: tuple[Sum, ...]
    causes: tuple[Cause, ...]


class Failure(msgspec.Struct, frozen=True):
    """What a run saw and what was expected, with the difference."""

    run: PastRun
    expected: Block | None
    seen: Block | None
    lines: tuple[Line, ...]


def counts(store: Store, **which: Any) -> tuple[DayCount, ...]:
    """Return the counts of a store's history; see `KeepsHistory.history_counts`."""
    return store.history_counts(**which) if keeps_history(store) else ()


def runs(store: Store, **which: Any) -> tuple[PastRun, ...]:
    """Return single runs of a store's history; see `KeepsHistory.history_runs`."""
    return store.history_runs(**which) if keeps_history(store) else ()


def run_picture(store: Store, hash: str) -> bytes:
    """Return the picture of a run by its hash. Raises UndecodablePictureError."""
    data = store.picture(hash) if keeps_history(store) else None
    if data is None:
        raise UndecodablePictureError("it is not in the history any more")
    return data


def step_pictures(store: Store, id: str) -> dict[int, str]:
    """Return the hashes of the pictures of a trajectory's steps."""
    return store.step_pictures(id) if keeps_history(store) else {}


def store_overview(store: Store, now: float) -> Overview:
    """Return counts of the last days of a whole store, which the store sums up."""
    if not keeps_history(store):
        return overview((), (), now)
    since = since_days(now)
    return overview(history_totals(store, "task", since), history_totals(store, "day", since), now)


def overview(by_task: Iterable[DayCount], by_day: Iterable[DayCount], now: float, days: int = MOST_DAYS) -> Overview:
    """Return counts summed by day, task and reason.

    Args:
        by_task: Counts of which the tasks and statuses are looked at.
        by_day: The same runs; the days, statuses and reasons are looked at.
        now: The current time, in seconds since the epoch.
        days: The number of days of the plot, up to today.
    """
    tasks: dict[bytes, Sum] = {}
    for count in by_task:
        task = tasks.get(count.key)
        if task is None:
            task = tasks[count.key] = Sum(count.key, count.scope, count.task)
        task.add(count)
    runs: dict[tuple[int, str], int] = {}
    causes: dict[tuple[str, str], list[float]] = {}
    for count in by_day:
        place = (count.day, count.status)
        runs[place] = runs.get(place, 0) + count.runs
        if count.status != "hit":
            cause = causes.setdefault((count.status, count.reason), [0, 0.0])
            cause[0] += count.runs
            cause[1] += count.agent_seconds
    total = Sum()
    for task in tasks.values():
        total.join(task)
    today = day_of(now)
    first = max(today - days + 1, min((day for day, _ in runs), default=today))
    shown = range(min(first, today - 6), today + 1)
    return Overview(
        total,
        tuple(_bar(day, runs) for day in shown),
        tuple(tasks.values()),
        tuple(
            sorted(
                (Cause(status, reason, int(times), seconds) for (status, reason), (times, seconds) in causes.items()),
                key=lambda one: -one.runs,
            )
        ),
    )


def _bar(day: int, by_day: Mapping[tuple[int, str], int]) -> Bar:
    label = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).strftime("%Y-%m-%d")
    hits, diverged, misses, raised = (by_day.get((day, status), 0) for status in ("hit", "diverged", "miss", "raised"))
    return Bar(label, hits, diverged, misses + raised)


def since_days(now: float, days: int = MOST_DAYS) -> float:
    """Return the time from which on a plot of so many days needs counts."""
    return (day_of(now) - days + 1) * float(DAY)


def last_failure(store: Store, stored: Stored) -> Failure | None:
    """Return the last run in which a step of a trajectory was refused."""
    for run in runs(store, trajectory_id=stored.sealed.id, limit=20):
        if run.step >= 0:
            return failure(run)
    return None


def failure(run: PastRun) -> Failure:
    """Return what a run saw beside what was expected."""
    expected = _side(run.expected_data, run.expected)
    seen = _side(run.seen_data, run.seen)
    lines: Sequence[Line] = ()
    if expected is not None or seen is not None:
        lines = side_by_side(expected.text if expected else "", seen.text if seen else "")
    return Failure(run, expected, seen, tuple(lines))


def _side(data: bytes, text: str) -> Block | None:
    if data and not is_masked(data) and _is_telling(data):
        return block(data, MOST_TO_COMPARE)
    if data and is_masked(data):
        return block(data, MOST_TO_COMPARE)
    return text_block(text, MOST_TO_COMPARE) if text else None


def _is_telling(data: bytes) -> bool:
    """Return whether a value can be decoded, and be shown in place of its text."""
    try:
        codec.decode(data, lenient=True)
    except Exception:  # The bytes come from the store.
        return False
    return True
