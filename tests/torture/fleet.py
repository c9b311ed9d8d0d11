"""Many writers and watchers on one PostgreSQL server: recordings grow with writers, and no change is missed."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from .children import Child
from .figures import Figures, Proof, Size
from .postgres import missing

FLUSH = 0.01  # seconds that a flush of the simulated disk takes
SLOW_FLUSH = 0.04  # in a small size, where busy cores must not decide
FULL = 10  # the size from which on all is measured
WRITERS = 16
SERVER_WIDE = ("tuple", "transactionid", "object", "advisory")  # waits for what another transaction holds

# Seals under keys of its own for so many seconds, with the code of a release, and prints how many.
WRITER = """
import hashlib, os, sys, time
sys.path.insert(0, sys.argv[1])
from muscle_mem.store.postgres import PostgresStore, transactions
from muscle_mem.testing import a_trajectory, an_observation
if sys.argv[5] == "no shared row":
    real = transactions.begin
    def begin(connection, options, *, write, durable=True):
        return real(connection, options, write=write, durable=durable) + "; SELECT 1 FROM horizon FOR UPDATE" * write
    transactions.begin = begin
store = PostgresStore(sys.argv[2])
def seal(n):
    id = f"{sys.argv[3]} {n}"
    store.seal(a_trajectory(id, hashlib.sha256(id.encode()).digest()), an_observation(id))
seal(-1)
print("ready", flush=True)
sys.stdin.readline()
n, end = 0, time.monotonic() + float(sys.argv[4])
while time.monotonic() < end:
    seal(n)
    n += 1
print(n, flush=True)
"""


@contextmanager
def own_server() -> Iterator[Any]:
    """A server that is removed afterwards; what it says is on disk is on disk."""
    import postgres_server

    place = postgres_server.binaries()
    assert place is not None
    server = postgres_server.Server(place, fsync=True)
    try:
        yield server
    finally:
        server.remove()


class Sampler:
    """Looks at what the sessions of a server wait for, until it is left."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._over = threading.Event()
        self.samples = 0
        self.waits = 0

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        import psycopg

        with closing(psycopg.connect(self._dsn, autocommit=True)) as connection:
            while not self._over.wait(0.02):
                found = connection.execute(
                    "SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock' AND wait_event = ANY(%s)) "
                    "FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle'",
                    (list(SERVER_WIDE),),
                ).fetchone()
                assert found is not None
                self.samples += found[0]
                self.waits += found[1]


def grow(seed: int, size: int, control: str) -> Figures:
    """Recordings a second with 1, 8 and 16 writers, on a simulated and on the real disk, each for `size` seconds."""
    import last_release
    from paths import ROOT

    if missing():
        return Figures(skipped=missing())
    figures = Figures()
    figures.wrong.update(dict.fromkeys(("does not grow", "below six times the last release", "waits"), 0))
    codes = {"now": ROOT / "src", **({"0.3.0": old} if (old := last_release.source()) is not None else {})}
    with own_server() as server:
        rates = {
            (code, disk, writers): _rate(server, source, disk, writers, size, control, figures)
            for disk in (("simulated", "real") if size >= FULL else ("simulated",))
            for writers in ((1, 8, WRITERS) if size >= FULL else (1, WRITERS))
            for code, source in codes.items()
        }
    for (code, disk, writers), rate in rates.items():
        figures.counted[f"a second, {writers} writers, {disk} disk, {code}"] = round(rate)
    one, many = rates["now", "simulated", 1], rates["now", "simulated", WRITERS]
    if many < 3 * one:
        figures.fault("does not grow", f"{many:.0f} a second with {WRITERS} writers, {one:.0f} with one")
    if "0.3.0" in codes and many < 6 * (before := rates["0.3.0", "simulated", WRITERS]):
        figures.fault("below six times the last release", f"{many:.0f} a second, {before:.0f} before")
    return figures


def _rate(server: Any, source: Path, disk: str, writers: int, size: int, control: str, figures: Figures) -> float:
    import postgres_server

    schema = postgres_server.new_schema()
    url = postgres_server.url_of(schema, at=server.dsn, mm_timeout=60)
    is_now = source.parent.name != "old" and "mm-0.3.0" not in str(source)
    commands = [
        [sys.executable, "-c", WRITER, str(source), url, f"w{n}", str(size), control if is_now else ""]
        for n in range(writers)
    ]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        if disk == "simulated":
            _slow_down(schema, server.dsn, FLUSH if size >= FULL else SLOW_FLUSH)
        with Sampler(server.dsn) as sampler:
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write("\n")
                worker.stdin.flush()
            done = sum(int(worker.stdout.readline()) for worker in workers if worker.stdout is not None)
        if is_now and writers == WRITERS:
            figures.counted["sampled sessions"] += sampler.samples
            figures.wrong["waits"] += sampler.waits
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    return done / size


def _slow_down(schema: str, dsn: str, seconds: float) -> None:
    """Let every commit that recorded something last as long as a flush, with all that it holds."""
    import postgres_server

    with postgres_server.raw(schema, dsn) as connection:
        connection.execute(
            f"CREATE FUNCTION flush() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({seconds}); RETURN "
            "NULL; END'"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER flush AFTER INSERT ON trajectory DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
            "EXECUTE FUNCTION flush()"
        )


def watch(seed: int, size: int, control: str) -> Figures:
    """16 writers pause between number and commit as chance wills, `size` times each; 4 watchers see every change."""
    import psycopg

    import postgres_server
    from muscle_mem.store.postgres import PostgresStore

    if missing():
        return Figures(skipped=missing())
    figures = Figures()
    figures.wrong["missed"] = 0
    with own_server() as server:
        url = postgres_server.url_of(schema := postgres_server.new_schema(), at=server.dsn, mm_timeout=60)
        PostgresStore(url).close()
        with postgres_server.raw("public", server.dsn) as connection:
            connection.execute("CREATE DATABASE elsewhere")
        with closing(psycopg.connect(server.dsn.replace("/postgres", "/elsewhere"))) as long:
            long.execute("CREATE TABLE t(x int)")  # a write transaction of another database, open all the while
            watchers = [Child(lambda: _watch(url, control)) for _ in range(4)]
            with postgres_server.raw(schema, server.dsn) as connection:
                postgres_server.until(lambda: _sessions(connection, "watching") == 4)
                writers = [Child(lambda n=n: _write(url, f"{seed} {n}", size)) for n in range(WRITERS)]
                codes = [writer.result()[0] for writer in writers]
                changes = {n for (n,) in connection.execute("SELECT n FROM change").fetchall()}
                connection.execute("CREATE TABLE over(x int)")
        figures.counted.update({"changes": len(changes), "watchers": len(watchers)})
        if any(codes):
            figures.fault("broken", f"writers ended with {codes}")
        for watcher in watchers:
            code, said = watcher.result()
            if code:
                figures.fault("broken", f"a watcher ended with {code}")
                continue
            left = changes - set(said["seen"])
            figures.counted["seen"] += len(changes) - len(left)
            figures.wrong["missed"] += len(left)
            figures.most("polls", said["polls"])
    return figures


def _sessions(connection: Any, name: str) -> int:
    found = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (name,))
    return int(found.fetchone()[0])


def _write(url: str, name: str, size: int) -> None:
    from muscle_mem.store.postgres import PostgresStore
    from muscle_mem.store.postgres.writer import Writer
    from muscle_mem.testing import a_trajectory, an_observation

    chance = random.Random(name)
    real = Writer.finish

    def finish(self: Writer, answer: int) -> None:
        time.sleep(chance.random() ** 3 * 0.5)  # mostly short, and now and then longer than a pause between polls
        real(self, answer)

    Writer.finish = finish  # type: ignore[method-assign]
    store = PostgresStore(url)
    for n in range(size):
        store.seal(a_trajectory(f"{name} {n}", bytes([n % 7]) * 32), an_observation())


def _watch(url: str, control: str) -> dict[str, Any]:
    from muscle_mem.store.postgres import PostgresStore, listener

    if control == "all that was running":
        of = listener.Horizon.of

        def passing_over(snapshot: str, in_recovery: bool, server: str) -> listener.Horizon:
            seen = of(snapshot, in_recovery, server)
            return listener.Horizon(seen.xmax, seen.xmax, (), server)

        listener.Horizon.of = staticmethod(passing_over)  # type: ignore[method-assign]
    seen: list[int] = []

    class Versions(listener.KeyVersions):
        def note_changes(self, since: listener.Horizon, rows: list[tuple[Any, ...]]) -> bool:
            seen.extend(int(row[5]) for row in rows if row[5] is not None)
            return super().note_changes(since, rows)

    listener.KeyVersions = Versions  # type: ignore[misc]
    store = PostgresStore(url)
    with store._pool.borrow(time.monotonic() + 60) as connection:
        connection.run("SET application_name = 'watching'")
        over, name = False, listener.quoted(store._options.schema)
        while not over:
            with suppress(IndexError):
                over = bool(connection.run(f"SELECT to_regclass('{name}.over') IS NOT NULL")[0][0])
            connection.until = time.monotonic() + 60
            store._listener.poll(connection)
            time.sleep(0.05)
    return {"seen": seen, "polls": store._listener.polls}


PROOFS = {
    "fleet-growth": Proof(
        grow,
        promise="Recordings a second on PostgreSQL grow with the number of writers: writers of different tasks do not "
        "wait for each other. On a disk with a flush of 10 ms, 16 writers record at least three times what one does, "
        "and six times what 16 did with 0.3.0.",
        blind="More than one machine: writers and server share its cores, which limits the figures of the real disk.",
        unit="seconds of each number of writers",
        small=Size(1, 2),
        large=Size(1, 20),
        controls={"no shared row": ("does not grow", Size(1, 2))},
    ),
    "fleet-watchers": Proof(
        watch,
        promise="A process sees every change that others write to a PostgreSQL store, also of a writer that paused "
        "between its number and its commit, and while a transaction of another database stays open.",
        blind="Servers that fail over; then everything in memory is read again.",
        unit="recordings of each of 16 writers",
        small=Size(1, 6),
        large=Size(5, 100),
        controls={"all that was running": ("missed", Size(1, 6))},
    ),
}
