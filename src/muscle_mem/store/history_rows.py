"""Rows of the history as the tables of SQLite and PostgreSQL have them."""

from __future__ import annotations

from typing import Any

from .history import DayCount
from .rows import from_text, readable

Row = tuple[Any, ...]


def amounts_of(count: DayCount) -> Row:
    """Return the columns of a count behind those of its key."""
    return (
        count.runs,
        count.seconds,
        count.agent_seconds,
        count.saved_seconds,
        count.saved_tokens,
        count.saved_calls,
        count.timed,
        count.metered,
        count.last,
    )


def count_of(row: Row) -> DayCount:
    """Return the count of a row."""
    scope, key, task, day, status, reason, runs, seconds, agent, saved, tokens, calls, timed, metered, last = row
    return DayCount(
        scope=readable_text(scope),
        key=bytes(key),
        task=readable_text(task),
        day=int(day),
        status=readable_text(status),
        reason=readable_text(reason),
        runs=int(runs),
        seconds=float(seconds),
        agent_seconds=float(agent),
        saved_seconds=float(saved),
        saved_tokens=int(tokens),
        saved_calls=int(calls),
        timed=int(timed),
        metered=int(metered),
        last=float(last),
    )


def readable_text(value: object) -> str:
    """Return the text of a column, also if the row was altered."""
    stored = bytes(value) if isinstance(value, memoryview | bytearray) else value
    try:
        return from_text(stored)
    except (TypeError, ValueError):
        return readable(stored)


def where_of(*wanted: tuple[str, Any]) -> tuple[str, Row]:
    """Return the WHERE clause of the conditions that have a value, and the values."""
    given = [(text, value) for text, value in wanted if value is not None]
    return (" WHERE " + " AND ".join(text for text, _ in given) if given else ""), tuple(value for _, value in given)
