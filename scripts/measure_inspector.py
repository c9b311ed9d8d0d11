"""How long the pages of the inspector take on a large store.

Run it with `python -m scripts.measure_inspector --trajectories 100000`.

It makes the store in a temporary folder, serves it, and asks for each page over HTTP. Of each page it prints the first
request and the median of the others. The rows are copies of one recording under other keys.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from muscle_mem.store import SqliteStore, Stored
from muscle_mem.store.history import DayCount, HistoryBatch, PastRun, day_of
from muscle_mem.store.paging import each

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "support")]

BATCH = 5_000


def grow(store: SqliteStore, number: int, days: int, tasks: int) -> bytes:
    """Add so many trajectories under new keys, and counts of so many days for some of them; return one key."""
    pattern: Stored = next(one for one in each(store) if len(one.observations) == 1)
    _, observation = pattern.observations[0]
    key = b""

    def add(first: int) -> Any:
        def work(connection: Any) -> None:
            for at in range(first, min(first + BATCH, number)):
                name = hashlib.sha256(b"%d" % at).hexdigest()
                sealed = msgspec.structs.replace(
                    pattern.sealed, id=name[:32], key=bytes.fromhex(name), task=f"Do the task number {at}"
                )
                store._writer.seal(connection, sealed, msgspec.structs.replace(observation, id=name[32:]), None)

        return work

    for first in range(0, number, BATCH):
        store._write(add(first))
    now = time.time()
    for first in range(0, tasks, 200):
        counts = []
        for at in range(first, min(first + 200, tasks)):
            key = bytes.fromhex(hashlib.sha256(b"%d" % at).hexdigest())
            for day in range(days):
                for status, reason in (("hit", "hit"), ("miss", "new_task"), ("diverged", "check_refused")):
                    counts.append(
                        DayCount(key=key, day=day_of(now) - day, status=status, reason=reason, runs=3, last=now,
                                 task=f"Do the task number {at}", saved_seconds=5.0, saved_calls=2)
                    )  # fmt: skip
        store.add_history(HistoryBatch(id=f"counts-{first}", counts=tuple(counts)))
    runs = tuple(
        PastRun(id=f"run-{at}", at=now - at, status="miss", reason="new_task", key=key, task="Do a task")
        for at in range(min(2_000, number))
    )
    store.add_history(HistoryBatch(id="runs", runs=runs))
    return key


def measure(client: Any, path: str, times: int) -> tuple[float, float, int]:
    """Return the milliseconds of the first request and of the median of the others, and the bytes of the page."""
    took = []
    for _ in range(times + 1):
        began = time.perf_counter()
        found = client.get(path)
        took.append(1000 * (time.perf_counter() - began))
        assert found.status == 200, (path, found.status)
    return took[0], statistics.median(took[1:]), len(found.body)


def main() -> None:
    from inspector_server import served
    from inspector_store import make_store

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trajectories", type=int, default=100_000)
    options.add_argument("--tasks", type=int, default=100, help="tasks with a history")
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--times", type=int, default=10)
    options.add_argument("--store", type=Path, help="keep the store in this file, or use it again")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = given.store or Path(folder) / "large.db"
        is_new = not path.exists()
        if is_new:
            make_store(path, tasks=16, runs=100)
        with closing(SqliteStore(path)) as store:
            if is_new:
                began = time.perf_counter()
                grow(store, given.trajectories, given.days, given.tasks)
                print(f"made {given.trajectories} trajectories in {time.perf_counter() - began:.0f} s")
            one = store.scan(limit=1).stored[0]
            pages = ("/", "/runs", "/trajectories", "/trajectories?task=number+99", f"/task/{one.sealed.key.hex()}",
                     f"/trajectory/{one.sealed.id}", "/review", "/lint")  # fmt: skip
            with served(store) as client:
                for page in pages:
                    first, median, size = measure(client, page, given.times)
                    print(f"{page[:40]:<42}first {first:7.1f} ms   median {median:7.1f} ms   {size / 1000:6.1f} kB")


if __name__ == "__main__":
    main()
