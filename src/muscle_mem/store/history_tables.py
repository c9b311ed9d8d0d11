"""The history in tables of SQLite. Its rows have no digests.

All functions work within an open transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from .history import (
    DAY,
    MAX_BATCHES,
    MAX_COUNTS,
    MAX_RUNS,
    PICTURES_BYTES,
    RUNS_PER_TASK,
    DayCount,
    HistoryBatch,
    PastRun,
    RunQuery,
    day_of,
    run_bytes,
    run_of,
)
from .history_rows import amounts_of, count_of, where_of
from .rows import readable, to_text

TABLES = ("history_batch", "history_task", "history_count", "history_run", "picture")
MIGRATION = (
    "CREATE TABLE history_batch(n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE)",
    """CREATE TABLE history_task(
        n INTEGER PRIMARY KEY, scope TEXT NOT NULL, key BLOB NOT NULL, task TEXT NOT NULL, UNIQUE(key, scope))""",
    """CREATE TABLE history_count(
        task INTEGER NOT NULL, day INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
        runs INTEGER NOT NULL, seconds REAL NOT NULL, agent_seconds REAL NOT NULL, saved_seconds REAL NOT NULL,
        saved_tokens INTEGER NOT NULL, saved_calls INTEGER NOT NULL, timed INTEGER NOT NULL, metered INTEGER NOT NULL,
        last REAL NOT NULL, PRIMARY KEY(task, day, status, reason)) WITHOUT ROWID""",
    "CREATE INDEX history_count_day ON history_count(day)",
    # AUTOINCREMENT, so that no number is used again after a deletion.
    """CREATE TABLE history_run(
        seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, key BLOB NOT NULL, scope TEXT NOT NULL,
        reason TEXT NOT NULL, trajectory TEXT NOT NULL, record BLOB NOT NULL)""",
    "CREATE INDEX history_run_key ON history_run(key, seq)",
    "CREATE INDEX history_run_trajectory ON history_run(trajectory, seq)",
    """CREATE TABLE picture(
        n INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL, trajectory TEXT NOT NULL, step INTEGER NOT NULL,
        key BLOB NOT NULL, at REAL NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL,
        UNIQUE(trajectory, step, hash))""",
    "CREATE INDEX picture_hash ON picture(hash)",
    """CREATE TABLE picture_use(
        run INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY(run, hash)) WITHOUT ROWID""",
    "CREATE INDEX picture_use_hash ON picture_use(hash)",
)

_TEXT = "CAST(? AS TEXT)"
_COUNTS = (
    "SELECT t.scope, t.key, t.task, c.day, c.status, c.reason, c.runs, c.seconds, c.agent_seconds, c.saved_seconds, "
    "c.saved_tokens, c.saved_calls, c.timed, c.metered, c.last FROM history_task t JOIN history_count c ON c.task = t.n"
)
_SUMS = (
    "sum(c.runs), sum(c.seconds), sum(c.agent_seconds), sum(c.saved_seconds), sum(c.saved_tokens), sum(c.saved_calls), "
    "sum(c.timed), sum(c.metered), max(c.last)"
)
# Most days are wanted, so the index of days would cost a look-up for each row.
_TOTALS = {
    "task": (
        f"SELECT t.scope, t.key, t.task, s.* FROM (SELECT 0, c.status, x'', {_SUMS}, c.task AS n "
        "FROM history_count c NOT INDEXED{where} GROUP BY c.task, c.status) s JOIN history_task t ON t.n = s.n"
    ),
    "day": (
        f"SELECT x'', x'', x'', c.day, c.status, c.reason, {_SUMS}, 0 FROM history_count c NOT INDEXED{{where}} "
        "GROUP BY c.day, c.status, c.reason"
    ),
}
_ADD_COUNT = f"""INSERT INTO history_count VALUES (?, ?, {_TEXT}, {_TEXT}, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT(task, day, status, reason) DO UPDATE SET runs = runs + excluded.runs,
    seconds = seconds + excluded.seconds, agent_seconds = agent_seconds + excluded.agent_seconds,
    saved_seconds = saved_seconds + excluded.saved_seconds, saved_tokens = saved_tokens + excluded.saved_tokens,
    saved_calls = saved_calls + excluded.saved_calls, timed = timed + excluded.timed,
    metered = metered + excluded.metered, last = max(last, excluded.last)"""
_ADD_TASK = f"""INSERT INTO history_task(scope, key, task) VALUES ({_TEXT}, ?, {_TEXT})
    ON CONFLICT(key, scope) DO UPDATE SET task = excluded.task WHERE excluded.task <> ''"""
_ADD_RUN = f"""INSERT INTO history_run(at, key, scope, reason, trajectory, record)
    VALUES (?, ?, {_TEXT}, {_TEXT}, {_TEXT}, ?)"""
_ADD_PICTURE = f"""INSERT OR REPLACE INTO picture(hash, trajectory, step, key, at, size, body)
    VALUES ({_TEXT}, {_TEXT}, ?, ?, ?, ?, ?)"""
_UNUSED_PICTURES = (
    "DELETE FROM picture WHERE trajectory = '' AND NOT EXISTS (SELECT 1 FROM picture_use u WHERE u.hash = picture.hash)"
)


class SqlHistory:
    """The tables of the history; see `KeepsHistory` for each method."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._run = connection.execute

    def add(self, batch: HistoryBatch) -> None:
        run = self._run
        if not run(f"INSERT OR IGNORE INTO history_batch(id) VALUES ({_TEXT})", (to_text(batch.id),)).rowcount:
            return
        run("DELETE FROM history_batch WHERE n <= (SELECT max(n) FROM history_batch) - ?", (MAX_BATCHES,))
        tasks: dict[tuple[str, bytes], int] = {}
        for count in batch.counts:
            at = tasks.get((count.scope, count.key)) or self._task(count)
            tasks[count.scope, count.key] = at
            run(_ADD_COUNT, (at, count.day, to_text(count.status), to_text(count.reason), *amounts_of(count)))
        for one in batch.runs:
            self._add_run(one)
        for picture in batch.pictures:
            name = (to_text(picture.hash), to_text(picture.trajectory_id), picture.step)
            run(_ADD_PICTURE, (*name, picture.key, picture.at, len(picture.data), picture.data))
        if batch.keep_from:
            self.prune(batch.keep_from, None)
        self._keep_bounds({one.key for one in batch.runs}, bool(batch.counts), bool(batch.pictures))

    def counts(self, scope: str | None, key: bytes | None, since: float | None) -> tuple[DayCount, ...]:
        where, values = where_of(
            (f"t.scope = {_TEXT}", None if scope is None else to_text(scope)),
            ("t.key = ?", key),
            ("c.day >= ?", None if since is None else day_of(since)),
        )
        order = " ORDER BY c.day DESC, t.scope, t.key, c.status, c.reason"
        return tuple(map(count_of, self._run(_COUNTS + where + order, values)))

    def totals(self, by: str, since: float | None) -> tuple[DayCount, ...]:
        where, values = where_of(("c.day >= ?", None if since is None else day_of(since)))
        rows = self._run(_TOTALS[by].replace("{where}", where), values)
        return tuple([count_of(row[:-1]) for row in rows])

    def runs(self, query: RunQuery, limit: int) -> tuple[PastRun, ...]:
        where, values = where_of(
            ("key = ?", query.key),
            (f"scope = {_TEXT}", None if query.scope is None else to_text(query.scope)),
            (f"reason = {_TEXT}", None if query.reason is None else to_text(query.reason)),
            (f"trajectory = {_TEXT}", None if query.trajectory_id is None else to_text(query.trajectory_id)),
            ("at >= ?", query.since),
            ("seq < ?", query.after),
            ("seq > ?", query.newer_than),
        )
        found: list[PastRun] = []
        rows = self._run(f"SELECT seq, record FROM history_run{where} ORDER BY seq DESC", values)
        while len(found) < limit and (row := rows.fetchone()) is not None:
            one = run_of(row[1], row[0])
            if one is not None:  # A damaged row is left out.
                found.append(one)
        rows.close()
        return tuple(found)

    def picture(self, hash: str) -> bytes | None:
        row = self._run(f"SELECT body FROM picture WHERE hash = {_TEXT} LIMIT 1", (to_text(hash),)).fetchone()
        return row[0] if row is not None and isinstance(row[0], bytes) else None

    def step_pictures(self, trajectory_id: str) -> dict[int, str]:
        rows = self._run(
            f"SELECT step, hash FROM picture WHERE trajectory = {_TEXT} AND trajectory <> '' ORDER BY n",
            (to_text(trajectory_id),),
        )
        return {int(step): readable(hash) for step, hash in rows}

    def prune(self, before: float | None, keys: Collection[bytes] | None, *, dry_run: bool = False) -> int:
        gone = 0
        for key in (None,) if keys is None else keys:
            old_day = None if before is None else before / DAY - 1
            of_task = "task IN (SELECT n FROM history_task WHERE key = ?)"
            for table, conditions in (
                ("history_count", (("day < ?", old_day), (of_task, key))),
                ("history_run", (("at < ?", before), ("key = ?", key))),
            ):
                where, values = where_of(*conditions)
                if dry_run:
                    gone += int(self._run(f"SELECT count(*) FROM {table}{where}", values).fetchone()[0])
                else:
                    gone += self._run(f"DELETE FROM {table}{where}", values).rowcount
        if gone and not dry_run:
            self._drop_unused()
        return gone

    def forget(self, ids: Iterable[str], keys: Collection[bytes]) -> None:
        """Delete what refers to these trajectories, and everything of these tasks."""
        for id in ids:
            for table in ("history_run", "picture"):
                self._run(f"DELETE FROM {table} WHERE trajectory = {_TEXT} AND trajectory <> ''", (to_text(id),))
        for key in keys:
            self._run("DELETE FROM picture WHERE key = ?", (key,))
        self.prune(None, keys)
        self._drop_unused()

    def clear(self) -> None:
        """Delete everything."""
        for table in (*TABLES, "picture_use"):
            self._run(f"DELETE FROM {table}")

    def _task(self, count: DayCount) -> int:
        self._run(_ADD_TASK, (to_text(count.scope), count.key, to_text(count.task)))
        row = self._run(
            f"SELECT n FROM history_task WHERE key = ? AND scope = {_TEXT}", (count.key, to_text(count.scope))
        ).fetchone()
        return int(row[0])

    def _add_run(self, one: PastRun) -> None:
        texts = to_text(one.scope), to_text(one.reason), to_text(one.trajectory_id)
        seq = self._run(_ADD_RUN, (one.at, one.key, *texts, run_bytes(one))).lastrowid
        for hash in {one.seen_picture, one.expected_picture} - {""}:
            self._run(f"INSERT INTO picture_use VALUES (?, {_TEXT})", (seq, to_text(hash)))

    def _drop_unused(self) -> None:
        """Delete tasks without counts, and pictures whose runs were deleted."""
        self._run("DELETE FROM history_task WHERE n NOT IN (SELECT task FROM history_count)")
        self._run("DELETE FROM picture_use WHERE run NOT IN (SELECT seq FROM history_run)")
        self._run(_UNUSED_PICTURES)

    def _keep_bounds(self, keys: Collection[bytes], counted: bool, pictured: bool) -> None:
        """Delete the oldest beyond each bound. Only the tasks with these keys have grown."""
        gone = 0
        bound = "(SELECT seq FROM history_run{} ORDER BY seq DESC LIMIT 1 OFFSET ?)"
        for key in keys:
            of_key = bound.format(" WHERE key = ?")
            gone += self._run(
                f"DELETE FROM history_run WHERE key = ? AND seq <= {of_key}", (key, key, RUNS_PER_TASK)
            ).rowcount
        if keys:
            gone += self._run(f"DELETE FROM history_run WHERE seq <= {bound.format('')}", (MAX_RUNS,)).rowcount
        if counted and (over := self._run("SELECT count(*) FROM history_count").fetchone()[0] - MAX_COUNTS) > 0:
            day = self._run("SELECT day FROM history_count ORDER BY day LIMIT 1 OFFSET ?", (over,)).fetchone()[0]
            gone += self._run("DELETE FROM history_count WHERE day < ?", (day,)).rowcount
        if gone:
            self._drop_unused()
        if pictured:
            self._bound_pictures()

    def _bound_pictures(self) -> None:
        size = int(self._run("SELECT coalesce(sum(size), 0) FROM picture").fetchone()[0])
        while size > PICTURES_BYTES:
            n, bytes_of_one = self._run("SELECT n, size FROM picture ORDER BY n LIMIT 1").fetchone()
            self._run("DELETE FROM picture WHERE n = ?", (n,))
            size -= bytes_of_one
