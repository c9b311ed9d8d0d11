"""Many writers and watchers on one PostgreSQL server: recordings grow with writers, and no change is missed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from .children import Child
from .figures import Figures, Proof, Size
from .postgres import missing

FLUSH = 0.01  # seconds that a flush of the simulated disk takes
SLOW_FLUSH = 0.04  # in a small size, where busy cores must not decide
FULL = 10  # the size from which on all is measured
WRITERS = 16


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


def grow(seed: int, size: int, control: str) -> Figures:
    """Recordings a second with 1, 8 and 16 writers, on a simulated and on the real disk, each for `size` seconds."""
    if missing():
        return Figures(skipped=missing())
    import fleet_writers

    figures, codes = Figures(), fleet_writers.codes()
    figures.wrong.update(dict.fromkeys(("does not grow", "below six times the last release", "waits"), 0))
    flush, rates = FLUSH if size >= FULL else SLOW_FLUSH, {}
    with own_server() as server:
        for disk in ("simulated", "real") if size >= FULL else ("simulated",):
            for writers in (1, 8, WRITERS) if size >= FULL else (1, WRITERS):
                for code, source in codes.items():
                    rule = control if code == "now" else ""
                    found = fleet_writers.measure(
                        server, source, writers, size, flush if disk == "simulated" else 0.0, rule
                    )
                    rates[code, disk, writers] = found.rate
                    figures.counted[f"a second, {writers} writers, {disk} disk, {code}"] = round(found.rate)
                    if code == "now" and writers == WRITERS:
                        figures.counted["sampled sessions"] += found.samples
                        figures.wrong["waits"] += found.waits
    one, many = rates["now", "simulated", 1], rates["now", "simulated", WRITERS]
    if many < 3 * one:
        figures.fault("does not grow", f"{many:.0f} a second with {WRITERS} writers, {one:.0f} with one")
    if "0.3.0" in codes and many < 6 * (before := rates["0.3.0", "simulated", WRITERS]):
        figures.fault("below six times the last release", f"{many:.0f} a second, {before:.0f} before")
    return figures


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
        promise="Recordings a second on PostgreSQL grow with the number of writers, because writers of "
        "different tasks do not wait for each other. On a disk with a flush of 10 ms, 16 writers "
        "record at least three times as much as one. They record at least six times as much as 16 "
        "writers of 0.3.0.",
        blind="More than one machine. Writers and server share its cores, which limits the figures of the real disk.",
        unit="seconds of each number of writers",
        small=Size(1, 2),
        large=Size(1, 20),
        controls={"no shared row": ("does not grow", Size(1, 2))},
    ),
    "fleet-watchers": Proof(
        watch,
        promise="A process sees every change that others write to a PostgreSQL store. This includes changes "
        "of a writer that paused between its number and its commit, and changes while a transaction "
        "of another database stays open.",
        blind="Servers that fail over. Then everything in memory is read again.",
        unit="recordings of each of 16 writers",
        small=Size(1, 6),
        large=Size(5, 100),
        controls={"all that was running": ("missed", Size(1, 6))},
    ),
}
