"""The history of a PostgreSQL store. Its rows have no digests.

Everything works within an open transaction. Texts are bytes, since a text of PostgreSQL accepts neither NUL nor lone
surrogates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ..history import (
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
from ..history_rows import amounts_of, count_of, readable_text, where_of
from ..rows import to_text
from .connections import PooledConnection

COLUMNS: dict[str, str] = {
    "history_batch": "n id",
    "history_task": "n scope key task",
    "history_count": "task day status reason runs seconds agent_seconds saved_seconds saved_tokens saved_calls timed "
    "metered last",
    "history_run": "seq at key scope reason trajectory record pictures",
    "picture": "n hash trajectory step key at body",
}
MIGRATION = (
    "CREATE TABLE history_batch(n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id bytea NOT NULL UNIQUE)",
    """CREATE TABLE history_task(
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, scope bytea NOT NULL, key bytea NOT NULL,
        task bytea NOT NULL, UNIQUE(key, scope))""",
    """CREATE TABLE history_count(
        task bigint NOT NULL REFERENCES history_task ON DELETE CASCADE, day int NOT NULL, status bytea NOT NULL,
        reason bytea NOT NULL, runs bigint NOT NULL, seconds double precision NOT NULL,
        agent_seconds double precision NOT NULL, saved_seconds double precision NOT NULL, saved_tokens bigint NOT NULL,
        saved_calls bigint NOT NULL, timed bigint NOT NULL, metered bigint NOT NULL, last double precision NOT NULL,
        PRIMARY KEY(task, day, status, reason))""",
    "CREATE INDEX history_count_day ON history_count(day)",
    """CREATE TABLE history_run(
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at double precision NOT NULL, key bytea NOT NULL,
        scope bytea NOT NULL, reason bytea NOT NULL, trajectory bytea NOT NULL, record bytea NOT NULL,
        pictures bytea[] NOT NULL)""",
    "CREATE INDEX history_run_key ON history_run(key, seq)",
    "CREATE INDEX history_run_trajectory ON history_run(trajectory, seq)",
    """CREATE TABLE picture(
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, hash bytea NOT NULL, trajectory bytea NOT NULL,
        step int NOT NULL, key bytea NOT NULL, at double precision NOT NULL, body bytea NOT NULL,
        UNIQUE(trajectory, step, hash))""",
    "CREATE INDEX picture_hash ON picture(hash)",
    # Roles that can use the tables of a store can use these.
    """DO $grant$ DECLARE had record; BEGIN
        FOR had IN SELECT DISTINCT a.privilege_type AS word, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE
            a.grantee::regrole::text END AS role FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = 'writer'::regclass AND a.grantee <> c.relowner
            AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') LOOP
            EXECUTE format('GRANT %s ON history_batch, history_task, history_count, history_run, picture TO %s',
                had.word, had.role);
        END LOOP; END $grant$""",
)

_COUNTS = (
    "SELECT t.scope, t.key, t.task, c.day, c.status, c.reason, c.runs, c.seconds, c.agent_seconds, c.saved_seconds, "
    "c.saved_tokens, c.saved_calls, c.timed, c.metered, c.last FROM history_task t JOIN history_count c ON c.task = t.n"
)
_ADD_TASK = """INSERT INTO history_task(scope, key, task) VALUES (%s, %s, %s)
    ON CONFLICT (key, scope) DO UPDATE SET task = CASE WHEN excluded.task = '' THEN history_task.task
    ELSE excluded.task END RETURNING n"""
_SUMS = (
    "sum(c.runs), sum(c.seconds), sum(c.agent_seconds), sum(c.saved_seconds), sum(c.saved_tokens), sum(c.saved_calls), "
    "sum(c.timed), sum(c.metered), max(c.last)"
)
_TOTALS = {
    "task": (
        f"SELECT t.scope, t.key, t.task, 0, c.status, ''::bytea, {_SUMS} FROM history_task t JOIN history_count c "
        "ON c.task = t.n{where} GROUP BY t.n, c.status"
    ),
    "day": f"SELECT ''::bytea, ''::bytea, ''::bytea, c.day, c.status, c.reason, {_SUMS} FROM history_count c{{where}} "
    "GROUP BY c.day, c.status, c.reason",
}
_ADD_COUNT = """INSERT INTO history_count AS c VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (task, day, status, reason) DO UPDATE SET runs = c.runs + excluded.runs,
    seconds = c.seconds + excluded.seconds, agent_seconds = c.agent_seconds + excluded.agent_seconds,
    saved_seconds = c.saved_seconds + excluded.saved_seconds, saved_tokens = c.saved_tokens + excluded.saved_tokens,
    saved_calls = c.saved_calls + excluded.saved_calls, timed = c.timed + excluded.timed,
    metered = c.metered + excluded.metered, last = greatest(c.last, excluded.last)"""
_ADD_RUN = """INSERT INTO history_run(at, key, scope, reason, trajectory, record, pictures)
    VALUES (%s, %s, %s, %s, %s, %s, %s)"""
_ADD_PICTURE = """INSERT INTO picture(hash, trajectory, step, key, at, body) VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (trajectory, step, hash) DO UPDATE SET at = excluded.at"""
_UNUSED_PICTURES = """DELETE FROM picture p WHERE trajectory = '' AND NOT EXISTS
    (SELECT 1 FROM history_run r WHERE p.hash = ANY(r.pictures))"""
_TOO_MANY_PICTURES = """DELETE FROM picture WHERE n IN (SELECT n FROM
    (SELECT n, sum(length(body)) OVER (ORDER BY n DESC) AS size FROM picture) s WHERE size > %s)"""


class PostgresHistory:
    """The tables of the history; see `KeepsHistory` for each method."""

    def __init__(self, connection: PooledConnection) -> None:
        self._fetch = connection.fetch

    def add(self, batch: HistoryBatch) -> None:
        fetch = self._fetch
        new = "INSERT INTO history_batch(id) VALUES (%s) ON CONFLICT DO NOTHING RETURNING n"
        if not fetch(new, to_text(batch.id)):
            return
        fetch("DELETE FROM history_batch WHERE n <= (SELECT max(n) FROM history_batch) - %s", MAX_BATCHES)
        tasks: dict[tuple[str, bytes], int] = {}
        # In one order, so that two writers do not wait for each other.
        for count in sorted(batch.counts, key=lambda one: (one.key, one.scope, one.day, one.status, one.reason)):
            name = (count.scope, count.key)
            if name not in tasks:
                row = fetch(_ADD_TASK, to_text(count.scope), count.key, to_text(count.task))
                tasks[name] = int(row[0][0])
            fetch(_ADD_COUNT, tasks[name], count.day, to_text(count.status), to_text(count.reason), *amounts_of(count))
        for one in batch.runs:
            pictures = [to_text(hash) for hash in (one.seen_picture, one.expected_picture) if hash]
            texts = to_text(one.scope), to_text(one.reason), to_text(one.trajectory_id)
            fetch(_ADD_RUN, one.at, one.key, *texts, run_bytes(one), pictures)
        for picture in batch.pictures:
            names = to_text(picture.hash), to_text(picture.trajectory_id), picture.step
            fetch(_ADD_PICTURE, *names, picture.key, picture.at, picture.data)
        if batch.keep_from:
            self.prune(batch.keep_from, None, dry_run=False)
        self._keep_bounds({one.key for one in batch.runs}, bool(batch.counts), bool(batch.pictures))

    def counts(self, scope: str | None, key: bytes | None, since: float | None) -> tuple[DayCount, ...]:
        where, values = where_of(
            ("t.scope = %s", None if scope is None else to_text(scope)),
            ("t.key = %s", key),
            ("c.day >= %s", None if since is None else day_of(since)),
        )
        order = " ORDER BY c.day DESC, t.scope, t.key, c.status, c.reason"
        return tuple(map(count_of, self._fetch(_COUNTS + where + order, *values)))

    def totals(self, by: str, since: float | None) -> tuple[DayCount, ...]:
        where, values = where_of(("c.day >= %s", None if since is None else day_of(since)))
        return tuple(map(count_of, self._fetch(_TOTALS[by].replace("{where}", where), *values)))

    def runs(self, query: RunQuery, limit: int) -> tuple[PastRun, ...]:
        where, values = where_of(
            ("key = %s", query.key),
            ("scope = %s", None if query.scope is None else to_text(query.scope)),
            ("reason = %s", None if query.reason is None else to_text(query.reason)),
            ("trajectory = %s", None if query.trajectory_id is None else to_text(query.trajectory_id)),
            ("at >= %s", query.since),
            ("seq < %s", query.after),
            ("seq > %s", query.newer_than),
        )
        rows = self._fetch(f"SELECT seq, record FROM history_run{where} ORDER BY seq DESC LIMIT %s", *values, limit)
        found = (run_of(bytes(record), int(seq)) for seq, record in rows)
        return tuple(one for one in found if one is not None)  # A damaged row is left out.

    def picture(self, hash: str) -> bytes | None:
        rows = self._fetch("SELECT body FROM picture WHERE hash = %s LIMIT 1", to_text(hash))
        return bytes(rows[0][0]) if rows else None

    def step_pictures(self, trajectory_id: str) -> dict[int, str]:
        rows = self._fetch(
            "SELECT step, hash FROM picture WHERE trajectory = %s AND trajectory <> '' ORDER BY n",
            to_text(trajectory_id),
        )
        return {int(step): readable_text(hash) for step, hash in rows}

    def prune(self, before: float | None, keys: Collection[bytes] | None, *, dry_run: bool) -> int:
        gone = 0
        wanted = None if keys is None else list(keys)
        of_tasks = "task IN (SELECT n FROM history_task WHERE key = ANY(%s))"
        for table, conditions in (
            ("history_count", (("day < %s", None if before is None else before / DAY - 1), (of_tasks, wanted))),
            ("history_run", (("at < %s", before), ("key = ANY(%s)", wanted))),
        ):
            where, values = where_of(*conditions)
            if dry_run:
                gone += int(self._fetch(f"SELECT count(*) FROM {table}{where}", *values)[0][0])
            else:
                gone += self._delete(f"DELETE FROM {table}{where}", *values)
        if gone and not dry_run:
            self._drop_unused()
        return gone

    def forget(self, ids: Sequence[str] | None, *, tasks: bool) -> None:
        """Delete what refers to trajectories that will be deleted (None: everything).

        `tasks` also deletes the whole history of a task that loses its last trajectory.
        """
        if ids is None:
            for table in ("history_task", "history_run", "picture", "history_batch"):
                self._fetch(f"DELETE FROM {table}")
            return
        named = [to_text(id) for id in ids]
        for table in ("history_run", "picture"):
            self._fetch(f"DELETE FROM {table} WHERE trajectory = ANY(%s) AND trajectory <> ''", named)
        if tasks:
            last = (
                "SELECT key FROM trajectory WHERE key IN (SELECT key FROM trajectory WHERE id = ANY(%s)) "
                "GROUP BY key HAVING bool_and(id = ANY(%s))"
            )
            keys = [bytes(key) for (key,) in self._fetch(last, named, named)]
            self._fetch("DELETE FROM picture WHERE key = ANY(%s)", keys)
            self.prune(None, keys, dry_run=False)
        self._drop_unused()

    def _delete(self, statement: str, *values: Any) -> int:
        return len(self._fetch(f"{statement} RETURNING 1", *values))

    def _drop_unused(self) -> None:
        """Delete tasks without counts, and pictures whose runs were deleted."""
        self._fetch("DELETE FROM history_task t WHERE NOT EXISTS (SELECT 1 FROM history_count c WHERE c.task = t.n)")
        self._fetch(_UNUSED_PICTURES)

    def _keep_bounds(self, keys: Collection[bytes], counted: bool, pictured: bool) -> None:
        """Delete the oldest beyond each bound. Only the tasks with these keys have grown."""
        gone = 0
        bound = "(SELECT seq FROM history_run{} ORDER BY seq DESC LIMIT 1 OFFSET %s)"
        for key in keys:
            of_key = bound.format(" WHERE key = %s")
            gone += self._delete(f"DELETE FROM history_run WHERE key = %s AND seq <= {of_key}", key, key, RUNS_PER_TASK)
        if keys:
            gone += self._delete(f"DELETE FROM history_run WHERE seq <= {bound.format('')}", MAX_RUNS)
        if counted and (over := int(self._fetch("SELECT count(*) FROM history_count")[0][0]) - MAX_COUNTS) > 0:
            day = self._fetch("SELECT day FROM history_count ORDER BY day LIMIT 1 OFFSET %s", over)[0][0]
            gone += self._delete("DELETE FROM history_count WHERE day < %s", day)
        if gone:
            self._drop_unused()
        if pictured:
            self._fetch(_TOO_MANY_PICTURES, PICTURES_BYTES)
