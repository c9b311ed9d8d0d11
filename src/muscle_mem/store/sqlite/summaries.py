"""Summaries of a SQLite store's contents, without reading bodies."""

from __future__ import annotations

import sqlite3
from typing import Any

from ..base import HEAD_BYTES, Summary
from ..rows import from_text
from .rows import STANDING, Digests, read_standing

# length() of a blob column reads only the header of the row. substr() reads all of it, so large bodies have no head.
_SUMMARIES = (
    "SELECT s.digest, t.id, t.key, t.created, "
    f"CASE WHEN length(t.body) < 2000 THEN substr(t.body, 1, {HEAD_BYTES}) ELSE x'' END, "
    "(SELECT max(o.created) FROM observation o WHERE o.trajectory = t.n AND o.refresh = 0), length(t.body) "
    "+ (SELECT coalesce(sum(length(o.body)), 0) FROM observation o WHERE o.trajectory = t.n) "
    "+ (SELECT coalesce(sum(length(b.body)), 0) FROM blob b WHERE b.hash IN ("
    "SELECT u.hash FROM observation o JOIN blob_user u ON u.observation = o.n WHERE o.trajectory = t.n)), "
    f"{STANDING} FROM standing s JOIN trajectory t ON t.n = s.n"
)
_FROM_TOP = f"{_SUMMARIES} ORDER BY s.seq DESC"
_BELOW = f"{_SUMMARIES} WHERE s.seq < ? ORDER BY s.seq DESC"
_SUMMARY_COLUMNS = 7


def survey(connection: sqlite3.Connection, digests: Digests, after: int | None, limit: int) -> tuple[Summary, ...]:
    """Return a page of summaries; see `Surveying.survey`.

    Rows with a damaged standing are left out, and do not count for the limit.
    """
    rows = connection.execute(_FROM_TOP if after is None else _BELOW, () if after is None else (after,))
    found: list[Summary] = []
    while len(found) < limit and (row := rows.fetchone()) is not None:
        one = _summary(digests, row)
        if one is not None:
            found.append(one)
    rows.close()
    return tuple(found)


def _summary(digests: Digests, row: tuple[Any, ...]) -> Summary | None:
    digest, id, key, created, head, recorded, size = row[:_SUMMARY_COLUMNS]
    if (
        not isinstance(id, bytes)
        or not isinstance(key, bytes)
        or not digests.is_standing_intact(id, row[_SUMMARY_COLUMNS:], digest)
    ):
        return None
    try:
        seq, standing = read_standing(row[_SUMMARY_COLUMNS:])
        return Summary(
            id=from_text(id),
            key=key,
            seq=seq,
            state=standing.state,
            created=float(created),
            recorded=float(created if recorded is None else recorded),
            hits=standing.hits,
            last_hit=standing.last_hit,
            size=int(size),
            head=head if isinstance(head, bytes) else b"",
        )
    except (TypeError, ValueError, RecursionError):
        return None
