"""A SQLite store: sealing against a bare transaction, and a file with very many trajectories."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from muscle_mem.store import MemoryStore, SqliteStore
from muscle_mem.store.sqlite.opening import Access, connect

from .. import bulk
from ..child import ask
from ..ours import engine_of, must_hit, plain, recorded
from ..scenario import Bench, Row, Target, beyond_row, ends, ratio_row, scenario
from ..timing import Spread
from ..workload import block_of

EACH = 10  # trajectories a key


@scenario("sqlite")
def sealing(bench: Bench) -> Iterator[Row]:
    """Ten steps sealed with full durability, against BEGIN IMMEDIATE, one INSERT, COMMIT of the same bytes."""
    mould = bulk.Mould(plain(), 10)
    shape = mould.shape()
    casts = (shape.cast(i.to_bytes(32, "big"), f"task {i}") for i in range(10**9))
    store = SqliteStore(bench.scratch / "seal.db")
    SqliteStore(bare_path := bench.scratch / "bare.db").close()
    bare = connect(str(bare_path), Access.WRITE, 10.0)
    bare.execute("CREATE TABLE bare(id TEXT PRIMARY KEY, key BLOB, task TEXT, body BLOB, row BLOB)")

    def seal() -> None:
        store.seal(*next(casts))

    def insert() -> None:
        sealed, row = next(casts)
        bare.execute("BEGIN IMMEDIATE")
        bare.execute(
            "INSERT INTO bare VALUES (?, ?, ?, ?, ?)", (sealed.id, sealed.key, sealed.task, sealed.body, row.body)
        )
        bare.execute("COMMIT")

    try:
        yield ratio_row(
            bench,
            "sqlite.seal",
            "sealing ten steps, against a bare transaction of the same bytes",
            block_of(seal),
            block_of(insert),
            prototype="keeps nothing on disk",
            target=Target(1.5),
            note="same file system, same pragmas; both make their record within the time",
        )
        sealed, row = next(casts)
        size = len(sealed.body) + len(row.body)
        yield Row("sqlite.bytes", "bytes of a recording of ten steps, body and observation", "bytes", size)
    finally:
        bare.close()
        store.close()


@scenario("sqlite")
def large_file(bench: Bench) -> Iterator[Row]:
    """A file of very many trajectories, ten under each key."""
    keys = bench.pick(100, 10_000, 100_000)
    path = bench.scratch / "large.db"
    began = time.perf_counter()
    count = bulk.fill_sqlite(path, bulk.many_keys(plain(), keys, EACH))
    note = f"filled in {time.perf_counter() - began:.0f} s; {path.stat().st_size / count:.0f} bytes each in the file"
    what = f"{count:,} trajectories under {keys:,} keys"
    opening = Spread.over([_opening(path) for _ in range(bench.pick(3, 15))])
    yield Row("sqlite.open", f"{what}: opening", "ms", opening.median, ends(opening), target=Target(50, "<"), note=note)
    yield from _cold_keys(bench, path, keys, what)
    yield from _warm_key(bench, path, what)
    yield from _resident(bench, path, keys, what)


def _opening(path: Path) -> float:
    began = time.perf_counter()
    store = SqliteStore(path)
    seconds = time.perf_counter() - began
    store.close()
    return seconds * 1e3


def _cold_keys(bench: Bench, path: Path, keys: int, what: str) -> Iterator[Row]:
    engine, _ = engine_of(plain(), 1, str(path))
    times = []
    for i in bench.random().sample(range(keys), min(keys, bench.pick(50, 500))):
        hit = must_hit(engine, f"task {i}")
        began = time.perf_counter()
        hit()
        times.append((time.perf_counter() - began) * 1e3)
    engine.close()
    found = Spread.over(times)
    yield Row(
        "sqlite.cold",
        f"{what}: the first hit of a key",
        "ms",
        found.median,
        ends(found),
        target=Target(1, "<"),
        note=f"{EACH} trajectories are read",
    )


def _warm_key(bench: Bench, path: Path, what: str) -> Iterator[Row]:
    engine, _ = engine_of(plain(), 1, str(path))
    in_memory = recorded(plain(), 1)
    store = MemoryStore()
    bulk.fill(store, bulk.many_keys(plain(), 1, EACH))
    in_memory, _ = engine_of(plain(), 1, store)
    yield beyond_row(
        bench,
        "sqlite.warm",
        f"{what}: what a hit of a used key takes more than in memory",
        block_of(must_hit(engine, "task 0")),
        block_of(must_hit(in_memory, "task 0")),
        target=Target(10, "<"),
        note="the loop's column is the hit in memory",
    )
    engine.close()


def _resident(bench: Bench, path: Path, keys: int, what: str) -> Iterator[Row]:
    half = min(keys // 2, bench.pick(25, 5_000, 25_000))
    grown = ask("resident", path=str(path), keys=half)
    yield Row(
        "sqlite.resident",
        f"{what}: resident memory after {2 * half:,} keys were used",
        "MiB",
        grown["both"] / 2**20,
        note=f"{grown['first'] / 2**20:.1f} MiB after half of them",
        details={"first_bytes": grown["first"]},
    )
