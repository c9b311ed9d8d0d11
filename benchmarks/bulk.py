"""Fills stores with very many recordings, written the way the product writes them, without running each one.

A *mould* is one real recording; others are cast from it: other keys, arguments, snapshots. Ids, rows and digests are
made by the product's own functions, so that what lies in the store is as if it had been recorded.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from muscle_mem import Check, Engine
from muscle_mem._core import codec
from muscle_mem._core.model.records import Body, Lit, Row, body_bytes
from muscle_mem._core.plan.identity import observation_id
from muscle_mem._core.plan.parallel import sorted_body
from muscle_mem.store import MemoryStore, SqliteStore
from muscle_mem.store.base import Observation, Sealed, Standing, Store, Stored
from muscle_mem.store.rows import to_text
from muscle_mem.store.sqlite import writer
from muscle_mem.store.sqlite.rows import Digests, observation_row, standing_row, trajectory_row

from .ours import engine_of, must_learn
from .workload import World

Cast = tuple[Sealed, Observation]
IN_ONE_TRANSACTION = 20_000


class Shape:
    """A body with arguments of its own, and the row that goes with it; for any number of keys."""

    def __init__(self, sealed: Sealed, body: Body, row: Row) -> None:
        self._sealed = sealed
        self._data = body_bytes(body)
        self._content = body_bytes(sorted_body(body))
        self._row = row

    def cast(self, key: bytes, task: str = "", snapshot: Any = None) -> Cast:
        """A recording under a key; with another snapshot at each step if one is given."""
        id = codec.digest(key + self._content)[:16].hex()
        row = self._row if snapshot is None else _seen(self._row, codec.encode(snapshot))
        observation = Observation(
            id=observation_id(id, row),
            body=msgspec.msgpack.encode(row),
            created=self._sealed.created,
        )
        return msgspec.structs.replace(self._sealed, id=id, key=key, body=self._data, task=task), observation


def _seen(row: Row, data: bytes) -> Row:
    return msgspec.structs.replace(row, pre=tuple(None if old is None else data for old in row.pre))


class Mould:
    """One real recording of a task of `steps` calls, taken from a store."""

    def __init__(self, world: World, steps: int, check: Check | None = None) -> None:
        engine, _ = engine_of(world, steps, store := MemoryStore(), check=check)
        must_learn(engine)
        self._stored: Stored = store.scan().stored[0]
        self.key = self._stored.sealed.key

    def shape(self, argument: int | None = None) -> Shape:
        """Calls with the recorded arguments; with `argument`, each call's integers are counted on from there."""
        sealed, (_, observation) = self._stored.sealed, self._stored.observations[0]
        body = msgspec.msgpack.decode(sealed.body, type=Body)
        if argument is not None:
            steps = tuple(
                msgspec.structs.replace(
                    step, arguments=tuple((name, Lit(codec.encode(argument + at))) for name, _ in step.arguments)
                )
                for at, step in enumerate(body.steps)
            )
            body = msgspec.structs.replace(body, steps=steps)
        return Shape(sealed, body, msgspec.msgpack.decode(observation.body, type=Row))


class KeySpy(MemoryStore):
    """Learns the keys of tasks from what an engine asks its store before each run."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = b""

    def version(self, key: bytes) -> int:
        self.asked = key
        return super().version(key)


def keys_of(engine_options: dict[str, Any], tasks: Iterable[str], **given: Any) -> Iterator[bytes]:
    """The key that an engine gives each task."""
    spy = KeySpy()
    engine = Engine(spy, **engine_options).set_agent(lambda task: None)
    for task in tasks:
        engine.explain(task, **given)
        yield spy.asked


def fill(store: Store, casts: Iterable[Cast]) -> int:
    """Seal each; how many there were."""
    count = 0
    for sealed, observation in casts:
        store.seal(sealed, observation)
        count += 1
    return count


def fill_sqlite(path: Path, casts: Iterable[Cast]) -> int:
    """Write each into a new file, in big transactions without syncing; how many there were.

    Rows, digests and statements are the store's own. No recording may come twice, and none may have blobs.
    """
    store = SqliteStore(path)
    count = 0
    waiting = iter(casts)
    try:
        with store._connections.using() as lease:
            connection = lease.connection
            assert connection is not None
            connection.execute("PRAGMA synchronous=OFF")
            connection.execute("PRAGMA cache_size=-262144")  # KiB
            while batch := list(itertools.islice(waiting, IN_ONE_TRANSACTION)):
                connection.execute("BEGIN IMMEDIATE")
                _insert(connection, store._writer._digests, batch, count + 1)
                connection.execute("COMMIT")
                count += len(batch)
            connection.execute("PRAGMA synchronous=FULL")
    finally:
        store.close()
    return count


def _insert(connection: sqlite3.Connection, digests: Digests, batch: list[Cast], first: int) -> None:
    """Rows from number `first` on; their sequence numbers are the same."""
    trajectories, standings, observations = [], [], []
    for n, (sealed, observation) in enumerate(batch, first):
        owner = to_text(sealed.id)
        row = trajectory_row(sealed)
        trajectories.append((*row, digests.of_trajectory(row)))
        row = standing_row(n, Standing(state=sealed.state, reason=sealed.reason))
        standings.append((n, *row, digests.of_standing(owner, row)))
        row = observation_row(n, observation)
        observations.append((n, *row, digests.of_observation(owner, row)))
    connection.executemany(writer._INSERT_TRAJECTORY, trajectories)
    connection.executemany(writer._INSERT_STANDING, standings)
    connection.executemany(writer._INSERT_OBSERVATION, observations)
    last = first + len(batch) - 1
    sequence = (1, last, digests.of_sequence(last))
    connection.execute("REPLACE INTO sequence(one, last, digest) VALUES (?, ?, ?)", sequence)


def many_keys(world: World, keys: int, each: int, steps: int = 1) -> Iterator[Cast]:
    """`each` trajectories of `steps` steps under every key of the tasks `task 0`, ...; the last is `world`'s own."""
    mould = Mould(world, steps)
    others = [(mould.shape(1_000_000 + i), f"page of recording {i}") for i in range(each - 1)]
    shapes = [*others, (mould.shape(), None)]  # each saw another page, else their values would contradict each other
    tasks = (f"task {i}" for i in range(keys))
    for at, key in enumerate(keys_of({}, tasks)):
        for shape, page in shapes:
            yield shape.cast(key, f"task {at}", page)
