"""A write transaction of a PostgreSQL store, in as few round trips as possible.

What a transaction reads first is sent together with its beginning, and what it writes together with its commit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from psycopg import ClientCursor

from ...errors import DamagedStoreError
from .connections import PooledConnection, Rows
from .options import Options
from .reader import Reader
from .rows import Rendition, Seals
from .schema import number_for
from .signing import Signing

LARGE = 1 << 20  # Bytes from which a value is sent by itself, because hexadecimal digits would double its size.

CHANGE = "INSERT INTO change(key) VALUES (%s) RETURNING n"
_ANSWER = "SELECT answer FROM writer WHERE id = %s AND op = %s"
_DONE = (
    "INSERT INTO writer(id, op, answer, at) VALUES (%s, %s, %s, now()) ON CONFLICT (id) DO UPDATE "
    "SET op = excluded.op, answer = excluded.answer, at = excluded.at"
)
# Changes are deleted if their transactions had ended when the previous deletion took note. A watcher that has polled
# since has seen them, and one that has not finds `pruned` above its horizon.
PRUNE = """
WITH due AS (
    SELECT one FROM horizon WHERE at < now() - interval '5 minutes' FOR UPDATE SKIP LOCKED),
moved AS (
    UPDATE horizon h SET pruned = least(h.noted, txid_snapshot_xmin(txid_current_snapshot())),
        noted = txid_snapshot_xmin(txid_current_snapshot()), at = now()
    FROM due WHERE h.one = due.one RETURNING h.pruned),
writers AS (
    DELETE FROM writer WHERE id IN (
        SELECT id FROM writer WHERE at < now() - interval '1 day' FOR UPDATE SKIP LOCKED)
    AND EXISTS (SELECT 1 FROM moved)),
leases AS (
    DELETE FROM lease WHERE (key, code) IN (
        SELECT key, code FROM lease WHERE until < now() - interval '1 hour' FOR UPDATE SKIP LOCKED)
    AND EXISTS (SELECT 1 FROM moved))
DELETE FROM change c USING moved
WHERE c.xid < moved.pruned OR c.xid >= txid_snapshot_xmax(txid_current_snapshot()) AND c.xid <> txid_current()
"""


class Changes(msgspec.Struct):
    """The changes of a transaction: keys, or everything.

    `rows` are the numbers of their rows.
    """

    keys: set[bytes]
    everything: bool = False
    rows: tuple[int, ...] = ()

    @property
    def any(self) -> bool:
        return self.everything or bool(self.keys)


class Writer:
    """One write transaction.

    `announced` are the keys that have a row of this transaction in `change`.
    """

    def __init__(
        self,
        connection: PooledConnection,
        options: Options,
        signing: Signing,
        seals: Seals,
        rendition: Rendition,
        reader: Reader,
    ) -> None:
        self.connection = connection
        self.options = options
        self.signing = signing
        self.seals = seals
        self.rendition = rendition
        self.reader = reader
        self.changes = Changes(set())
        self.announced: set[bytes] = set()
        self._cursor = ClientCursor(connection)
        self._opening = ""
        self._writes: list[tuple[str, tuple[Any, ...]]] = []

    def open(self, begin: str) -> None:
        """Begin the transaction with the next call of `ask`.

        It locks the number of its connection. Who gets this lock knows that the transaction has ended.
        """
        self._opening = f"{begin}; {lock(b'writer', self.connection.writer)}; "

    def ask(self, *queries: tuple[Any, ...]) -> list[Rows]:
        """Run queries, each with its values, in one round trip.

        Returns the rows of each.
        """
        statements = "; ".join(self._as_text(query, values) for query, *values in queries)
        opening, self._opening = self._opening, ""
        return self.connection.run_all(opening + statements)[-len(queries) :]

    def put(self, query: str, *values: Any) -> None:
        """Carry out a statement when the transaction ends, in the order of these calls."""
        self._writes.append((query, values))

    def key_lock(self, key: bytes) -> str:
        """Return the statement that waits until no other transaction seals the key."""
        return lock(b"seal", self.options.schema.encode(), key)

    def answer_of(self, writer: bytes, op: int) -> int | None:
        """Wait for the end of a transaction, and return its answer.

        Returns None if it was not carried out.
        """
        row = self.ask((lock(b"writer", writer),), (_ANSWER, writer, op))[-1]
        return int(row[0][0]) if row else None

    def finish(self, answer: int) -> None:
        """Write everything in one round trip, and commit."""
        connection, changes = self.connection, self.changes
        connection.op += 1
        new: list[bytes | None] = [*sorted(changes.keys - self.announced)]
        new += [None] * changes.everything
        for key in new:
            self.put(CHANGE, key)
        self.put(_DONE, connection.writer, connection.op, answer)
        found = self._carry_out("COMMIT")
        changes.rows += tuple(int(rows[0][0]) for rows in found[len(found) - len(new) :])

    def confirm(self, writer: bytes, op: int, answer: int) -> None:
        """Commit again what a lost transaction has committed.

        This waits for a synchronous standby. The lost transaction may not have waited.
        """
        self.put(_DONE, writer, op, answer)
        self._carry_out("COMMIT")

    def damaged(self, id: str, what: str) -> DamagedStoreError:
        """Return the error for a damaged row of a trajectory, or of the store."""
        whose = f" of trajectory {id}" if id else ""
        return DamagedStoreError(
            f"a row{whose} in the store {self.options.url} is damaged: {what}. It is not replayed and was not "
            "overwritten. Restore a backup, or delete it with `muscle-mem forget`."
        )

    def _carry_out(self, last: str) -> list[Rows]:
        found: list[Rows] = []
        texts: list[str] = [self._opening] if self._opening else []
        for query, values in self._writes:
            if sum(len(value) for value in _parts(values)) < LARGE:
                texts.append(self._as_text(query, values))
                continue
            if texts:
                found += self.connection.run_all("; ".join(texts))
                texts = []
            found.append(self.connection.fetch(query, *values))
        self._writes = []
        return found + self.connection.run_all("; ".join([*texts, last]))

    def _as_text(self, query: str, values: Iterable[Any]) -> str:
        values = tuple(values)
        return self._cursor.mogrify(query, values) if values else query


def lock(*words: bytes) -> str:
    """Return the statement that takes an advisory lock until the transaction ends."""
    return f"SELECT pg_advisory_xact_lock({number_for(*words)})"


def _parts(values: tuple[Any, ...]) -> Iterable[bytes]:
    for value in values:
        if isinstance(value, bytes):
            yield value
        elif isinstance(value, list):
            yield from (part for part in value if isinstance(part, bytes))
