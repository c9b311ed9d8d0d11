"""The history of a store, added up for `stats` and `ls`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from .._reading.text import clipped, count, duration, local, printable
from ..store import DayCount
from .output import Cell

STATUSES = ("hit", "miss", "diverged", "raised")
UNSIGNED = "The history is unsigned: every program that can write the store can change it."


class Sums(msgspec.Struct):
    """Sums over runs: of a store, of a reason or of a task."""

    runs: int = 0
    hits: int = 0
    seconds: float = 0.0
    agent_seconds: float = 0.0
    saved_seconds: float = 0.0
    saved_tokens: int = 0
    saved_calls: int = 0
    timed: int = 0
    metered: int = 0
    last: float = 0.0
    last_failure: float = 0.0

    def add(self, one: DayCount) -> None:
        """Add the runs of a count."""
        self.runs += one.runs
        self.seconds += one.seconds
        self.agent_seconds += one.agent_seconds
        self.saved_seconds += one.saved_seconds
        self.saved_tokens += one.saved_tokens
        self.saved_calls += one.saved_calls
        self.timed += one.timed
        self.metered += one.metered
        self.last = max(self.last, one.last)
        if one.status == "hit":
            self.hits += one.runs
        else:
            self.last_failure = max(self.last_failure, one.last)

    @property
    def rate(self) -> float | None:
        """The share of hits, None without runs."""
        return self.hits / self.runs if self.runs else None


class Task(msgspec.Struct, frozen=True):
    """A task in a scope."""

    scope: str
    key: bytes


class History(msgspec.Struct):
    """The counts of a store: in all, by status, by reason and by task."""

    days: int
    total: Sums = msgspec.field(default_factory=Sums)
    statuses: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    reasons: dict[tuple[str, str], Sums] = msgspec.field(default_factory=dict)
    tasks: dict[Task, Sums] = msgspec.field(default_factory=dict)
    texts: dict[Task, str] = msgspec.field(default_factory=dict)

    def add(self, counts: Iterable[DayCount]) -> History:
        """Add counts, and return this object."""
        for one in counts:
            task = Task(one.scope, one.key)
            self.total.add(one)
            self.statuses[one.status] = self.statuses.get(one.status, 0) + one.runs
            self.tasks.setdefault(task, Sums()).add(one)
            self.texts[task] = one.task or self.texts.get(task, "")
            if one.status != "hit":
                self.reasons.setdefault((one.status, one.reason), Sums()).add(one)
        return self

    def top(self, number: int) -> list[Task]:
        """Return the tasks with most runs."""

        def order(task: Task) -> tuple[Any, ...]:
            sums = self.tasks[task]
            return -sums.runs, -sums.saved_seconds, task.scope, self.texts[task], task.key

        return sorted(self.tasks, key=order)[:number]


def history_of(source: object, *, scope: str | None = None, age: float | None = None) -> History | None:
    """Return the history of a store; None if it keeps none, or has none of this time.

    Args:
        source: The store.
        scope: Only the runs of this scope.
        age: Only the runs of the last so many seconds, in whole days.
    """
    from ..store import keeps_history

    if not keeps_history(source):
        return None
    since = None if age is None else time.time() - age
    counts = source.history_counts(scope=scope, since=since)
    if not counts:
        return None
    days = {one.day for one in counts}
    return History(max(days) - min(days) + 1).add(counts)


def pairs(history: History) -> list[tuple[str, str]]:
    """Return the figures of a history for people, with what they rest on."""
    total = history.total
    nouns = {"hit": ("hit", "hits"), "miss": ("miss", "misses")}
    parts = ", ".join(
        count(number, *nouns.get(status, (status, status))) for status, number in history.statuses.items() if number
    )
    shown = [
        ("runs", f"{total.runs} in {count(history.days, 'day')}: {parts}"),
        ("hit rate", percent(total.rate)),
        (
            "agent time saved",
            f"{duration(total.saved_seconds)}, measured for {total.timed} of {count(total.hits, 'hit')}",
        ),
        ("calls saved", f"{count(total.saved_calls, 'tool call')} made without the agent"),
        ("agent time spent", f"{duration(total.agent_seconds)} in runs that were not hits"),
    ]
    if total.metered:
        shown.insert(
            3, ("tokens saved", f"{total.saved_tokens}, reported for {total.metered} of {count(total.hits, 'hit')}")
        )
    return shown


def percent(share: float | None) -> str:
    """Return a share as text: `87.5 %`."""
    return "none" if share is None else f"{100 * share:.1f} %"


def reason_rows(history: History) -> list[tuple[Cell, ...]]:
    """Return a row for each reason, the most frequent first."""
    rows = []
    for (status, reason), sums in sorted(history.reasons.items(), key=lambda item: (-item[1].runs, item[0])):
        share = percent(sums.runs / history.total.runs)
        cells = (str(sums.runs), share, printable(status), printable(reason), local(sums.last))
        rows.append(tuple((cell, "") for cell in cells))
    return rows


def task_rows(history: History, number: int, width: int | None) -> list[tuple[Cell, ...]]:
    """Return a row for each of the tasks with most runs."""
    rows = []
    for task in history.top(number):
        sums = history.tasks[task]
        scope = f" @{printable(task.scope)}" if task.scope else ""
        text = clipped(printable(history.texts[task]) + scope, width)
        cells = (str(sums.runs), str(sums.hits), percent(sums.rate), duration(sums.saved_seconds), text)
        rows.append(tuple((cell, "") for cell in cells))
    return rows


def history_json(history: History | None, number: int) -> dict[str, Any] | None:
    """Return a history as JSON."""
    if history is None:
        return None
    reasons = sorted(history.reasons.items(), key=lambda item: (-item[1].runs, item[0]))
    return {
        "days": history.days,
        "signed": False,
        **_sums_json(history.total),
        "statuses": history.statuses,
        "reasons": [
            {"status": status, "reason": reason, "runs": sums.runs, "last": sums.last}
            for (status, reason), sums in reasons
        ],
        "tasks": [
            {
                "task": history.texts[task],
                "scope": task.scope,
                "key": task.key.hex(),
                **_sums_json(history.tasks[task]),
            }
            for task in history.top(number)
        ],
    }


def _sums_json(sums: Sums) -> dict[str, Any]:
    return {
        "runs": sums.runs,
        "hits": sums.hits,
        "hit_rate": sums.rate,
        "seconds": sums.seconds,
        "agent_seconds": sums.agent_seconds,
        "agent_seconds_saved": sums.saved_seconds,
        "hits_with_seconds": sums.timed,
        "tokens_saved": sums.saved_tokens,
        "hits_with_tokens": sums.metered,
        "calls_saved": sums.saved_calls,
        "last": sums.last,
    }
