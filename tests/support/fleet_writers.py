"""Writers of a PostgreSQL store in processes of their own, with the code of now or of the last release."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Self

import last_release
import postgres_server
from paths import ROOT

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


class Measured(NamedTuple):
    """Recordings a second of all writers, samples of busy sessions, and how many of them waited for another one."""

    rate: float
    samples: int
    waits: int


def codes() -> dict[str, Path]:
    """Where to import what is measured from, by name. The last release is left out of a clone without history."""
    old = last_release.source()
    return {"now": ROOT / "src", **({"0.3.0": old} if old is not None else {})}


def measure(server: Any, source: Path, writers: int, seconds: float, flush: float = 0.0, control: str = "") -> Measured:
    """Let so many processes record for so long. A `flush` of the disk is simulated unless it is 0."""
    schema = postgres_server.new_schema()
    url = postgres_server.url_of(schema, at=server.dsn, mm_timeout=60)
    commands = [
        [sys.executable, "-c", WRITER, str(source), url, f"w{n}", str(seconds), control] for n in range(writers)
    ]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for command in commands
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        if flush:
            _slow_down(schema, server.dsn, flush)
        with Sampler(server.dsn) as sampler:
            for worker in workers:
                assert worker.stdin is not None
                worker.stdin.write("\n")
                worker.stdin.flush()
            done = sum(int(worker.stdout.readline()) for worker in workers if worker.stdout is not None)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    return Measured(done / seconds, sampler.samples, sampler.waits)


def _slow_down(schema: str, dsn: str, seconds: float) -> None:
    """Let every commit that recorded something last as long as a flush, with all that it holds."""
    with postgres_server.raw(schema, dsn) as connection:
        connection.execute(
            f"CREATE FUNCTION flush() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep({seconds}); RETURN "
            "NULL; END'"
        )
        connection.execute(
            "CREATE CONSTRAINT TRIGGER flush AFTER INSERT ON trajectory DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
            "EXECUTE FUNCTION flush()"
        )
