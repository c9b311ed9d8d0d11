"""A PostgreSQL store: its round trips, and what a trajectory costs. docs/contributing/scale.md uses them."""

from __future__ import annotations

import functools
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

from ..bulk import many_keys
from ..ours import must_learn, recorded
from ..scenario import Bench, Row, Target, scenario
from ..workload import WORLDS

SUPPORT = Path(__file__).resolve().parent.parent.parent / "tests" / "support"


@scenario("postgres")
def on_loopback(bench: Bench) -> Iterator[Row]:
    server, missing = _server()
    if server is None:
        yield Row("postgres.trips", "round trips of a hit", "count", target=Target(0, "=="), note=f"skipped: {missing}")
        return
    try:
        yield from _trips(bench, server.dsn)
        yield from _many(bench, server.dsn)
        yield from _fleet(bench, server)
    finally:
        server.remove()


def _server() -> tuple[Any, str]:
    """A server of our own that keeps what it is told, as a real one does."""
    try:
        found = _support("postgres_server")
    except ImportError as error:
        return None, str(error)
    place = found.binaries()
    if place is None or not found.has_driver():
        return None, found.HOW
    return found.Server(place, fsync=True), ""


def _support(name: str) -> Any:
    """A module that the tests share."""
    sys.path.insert(0, str(SUPPORT))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(SUPPORT))


@contextmanager
def _counted() -> Iterator[list[int]]:
    """How often a connection waits for the server while this is open, in any thread but the watching one's."""
    from muscle_mem.store.postgres.connections import PooledConnection

    waits = [0]
    plain = PooledConnection.wait

    def wait(self: Any, *args: Any, **options: Any) -> Any:
        waits[0] += 1
        return plain(self, *args, **options)

    with patch.object(PooledConnection, "wait", wait):
        yield waits


def _steps(bench: Bench) -> int:
    return bench.pick(3, 10)


def _trips(bench: Bench, dsn: str) -> Iterator[Row]:
    """What a learn, a hit and a process that only waits send to the server."""
    world, steps = WORLDS["plain"], _steps(bench)
    with closing(recorded(world, steps, dsn)) as engine:
        hits = bench.pick(50, 900)
        engine("task")
        quiet = _trips_of(lambda: time.sleep(2))
        busy = _trips_of(lambda: [engine("task") for _ in range(hits)])
        polled = quiet / 2 * 0.1  # what the watching thread may have sent meanwhile
        yield Row(
            "postgres.trips",
            f"round trips of {hits} hits",
            "count",
            ours=(max(0, busy - round(polled))),
            target=Target(2, "<="),
            note="less what the watching thread sent; the engine itself sends nothing",
        )
        yield Row("postgres.idle", "round trips a second of a process that watches", "count", ours=(quiet / 2))
        tasks = [f"task {n}" for n in range(bench.pick(3, 20))]
        learned = [_trips_of(functools.partial(must_learn, engine, task)) for task in tasks]
        yield Row("postgres.learn", "round trips of learning a task", "count", ours=(statistics.median(learned)))


def _many(bench: Bench, dsn: str) -> Iterator[Row]:
    """Bytes a trajectory, and how many can be learned in a second by one writer and by eight."""
    from muscle_mem.store import PostgresStore

    count = bench.pick(60, 3_000)
    with closing(PostgresStore(f"{dsn}?mm_schema=scale")) as store:
        casts = list(many_keys(WORLDS["plain"], count, 1, steps=_steps(bench)))
        began = time.perf_counter()
        for sealed, observation in casts[: count // 2]:
            store.seal(sealed, observation)
        alone = count // 2 / (time.perf_counter() - began)
        parts = [casts[count // 2 :][n::8] for n in range(8)]
        threads = [Thread(target=lambda part=part: [store.seal(*cast) for cast in part]) for part in parts]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        crowd = (count - count // 2) / (time.perf_counter() - began)
        yield Row("postgres.seals", "trajectories learned a second, one writer", "1/s", ours=(alone))
        yield Row("postgres.seals8", "the same, eight writers", "1/s", ours=(crowd))
    whole, indexes = _sizes(dsn)
    what = f"bytes a trajectory of {_steps(bench)} steps"
    yield Row("postgres.bytes", f"{what}, indexes and all", "bytes", ours=whole / count)
    yield Row("postgres.index_bytes", f"{what}, indexes alone", "bytes", ours=indexes / count)


def _fleet(bench: Bench, server: Any) -> Iterator[Row]:
    """Trajectories learned a second by processes of their own, beside those of the last release."""
    writers = _support("fleet_writers")
    for count in bench.pick((1, 4), (1, 8, 16)):
        for disk, flush in (("a disk that flushes in 10 ms", 0.01), ("this disk", 0.0)):
            rates = {
                code: writers.measure(server, source, count, bench.pick(1, 5), flush).rate
                for code, source in writers.codes().items()
            }
            before = rates.get("0.3.0")
            yield Row(
                f"postgres.fleet{count}{'.flush' if flush else ''}",
                f"trajectories learned a second, {count} processes, {disk}",
                "1/s",
                ours=rates["now"],
                note=f"0.3.0: {before:.0f} with {count} processes on {disk}" if before is not None else "",
                details={code: rate for code, rate in rates.items() if code != "now"},
            )


def _sizes(dsn: str) -> tuple[int, int]:
    import psycopg

    query = (
        "SELECT sum(pg_total_relation_size(oid)), sum(pg_indexes_size(oid)) FROM pg_class "
        "WHERE relnamespace = 'scale'::regnamespace AND relkind = 'r'"
    )
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _trips_of(work: Callable[[], Any]) -> int:
    with _counted() as waits:
        work()
    return waits[0]
