"""A real PostgreSQL server for tests: given by MUSCLE_MEM_TEST_POSTGRES, or started here and stopped at the end.

The programs come from the wheel `pgserver`, or from the system; `python tests/support/postgres_server.py` says which.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from other_user import as_user, give, other_user, runnable, shared_place

GIVEN = "MUSCLE_MEM_TEST_POSTGRES"
GIVEN_PROGRAMS = "MUSCLE_MEM_TEST_POSTGRES_BIN"  # a folder with the programs of another version
HOW = (
    f"no PostgreSQL server: pip install 'psycopg[binary]' pgserver (Python 3.11 and 3.12), or install PostgreSQL 12 or "
    f"later on this machine (initdb and postgres on the PATH), or name a database that tests may fill in {GIVEN}"
)
PROGRAMS = ("initdb", "postgres")

# Runs a server while its standard input is open: neither it nor its files outlive a test that was killed.
KEEPER = """
import os, shutil, signal, subprocess, sys, threading
user = int(sys.argv[1])
options = {"user": user, "group": int(sys.argv[2]), "extra_groups": []} if user else {}
alone = []
process = subprocess.Popen(sys.argv[4:], stdin=subprocess.DEVNULL, **options)
print(process.pid, flush=True)
def wait():
    sys.stdin.read()
    if process.poll() is None:
        alone.append(True)
        process.send_signal(signal.SIGQUIT)
threading.Thread(target=wait, daemon=True).start()
process.wait()
if alone:
    shutil.rmtree(sys.argv[3], ignore_errors=True)
"""


class Server:
    """A server on a loopback port with its files in a temporary folder. `fsync` makes it survive a stop at once.

    With `primary` it is a standby of that server, until `promote`. `settings` are those that it is started with.
    """

    def __init__(
        self,
        binaries: Path,
        *,
        fsync: bool = False,
        primary: Server | None = None,
        port: int | None = None,
        settings: dict[str, object] | None = None,
    ) -> None:
        self.settings = settings or {}
        self.folder = Path(tempfile.mkdtemp(prefix="mmpg-", dir=shared_place()))
        self.password = secrets.token_hex(8) if primary is None else primary.password
        self.keeper: subprocess.Popen[str] | None = None
        self.pid = 0
        self.fsync = fsync
        self.user = other_user()  # PostgreSQL refuses to run as root
        atexit.register(self.remove)
        self.binaries = runnable(binaries, PROGRAMS, self.folder, self.user)
        self.data = self.folder / "data"
        if primary is None:
            self._make()
        else:
            if self.user:
                give(self.folder, self.user)
            self._run("pg_basebackup", "-D", str(self.data), "-R", "-c", "fast", "-d", primary.dsn, "--no-sync")
        self.port = port or _free_port()
        self.start()

    def _make(self) -> None:
        word = self.folder / "password"
        word.write_text(self.password)
        if self.user:
            give(self.folder, self.user)
        self._run("initdb", "-D", str(self.data), "-U", "muscle", "-A", "scram-sha-256", f"--pwfile={word}", "-E",
                  "UTF8", "--no-locale", "--no-sync")  # fmt: skip
        rules = self.data / "pg_hba.conf"  # the fake pooling proxy logs in for its clients as a role without a password
        rules.write_text("host all pooled 127.0.0.1/32 trust\n" + rules.read_text())

    @property
    def dsn(self) -> str:
        return f"postgresql://muscle:{self.password}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it takes connections. Starting one that runs is fine."""
        if self.keeper is not None and self.keeper.poll() is None:
            return
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self.fsync else "off",
            "shared_buffers": "16MB",
            "max_connections": 100,
            "autovacuum": "off",
            "jit": "off",
            "log_min_messages": "panic",
            "log_min_error_statement": "panic",
            **self.settings,
        }
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        uid, gid = self.user or (0, 0)
        with open(self.folder / "log", "ab") as log:
            self.keeper = subprocess.Popen(
                [sys.executable, "-c", KEEPER, str(uid), str(gid), str(self.folder), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self.folder,
            )
        assert self.keeper.stdout is not None
        self.pid = int(self.keeper.stdout.readline())
        self._await()

    def stop(self, mode: str = "fast") -> None:
        """Stop it: "fast" in order, "immediate" as a crash does, without writing anything down."""
        if self.keeper is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGQUIT if mode == "immediate" else signal.SIGINT)
        self._end_keeper()

    def promote(self) -> None:
        """Make a standby a primary, and wait until it takes writes."""
        self.execute("SELECT pg_promote()")

    def await_copy(self, primary: Server) -> None:
        """Wait until a standby has replayed what its primary has written."""
        position = primary.execute("SELECT pg_current_wal_lsn()")
        until(lambda: bool(self.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", position)))

    def execute(self, statement: str, *values: object) -> Any:
        """The first value of a statement's first row, or None."""
        import psycopg

        with closing(psycopg.connect(self.dsn, autocommit=True)) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            row = cursor.fetchone() if cursor.description is not None else None
            return row[0] if row is not None else None

    def freeze(self) -> None:
        """Stop every process of it in its tracks: connections stay, nothing answers."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        """Stop it and delete its files. Doing so twice is fine."""
        with suppress(OSError, ValueError):
            self.thaw()
        with suppress(OSError):
            self.stop("immediate")  # what it would write down first is deleted anyway
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.remove)

    def _end_keeper(self) -> None:
        keeper, self.keeper = self.keeper, None
        assert keeper is not None
        try:
            keeper.wait(60)
        finally:
            for stream in (keeper.stdin, keeper.stdout):
                if stream is not None:
                    stream.close()
            keeper.wait(60)

    def _family(self) -> list[int]:
        if self.keeper is None:
            return []
        found = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        pairs = [tuple(map(int, line.split())) for line in found.splitlines()]
        return [self.pid, *(pid for pid, parent in pairs if parent == self.pid)]

    def _await(self) -> None:
        import psycopg

        give_up = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.dsn, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                gone = self.keeper is None or self.keeper.poll() is not None
                if gone or time.monotonic() > give_up:
                    raise RuntimeError((self.folder / "log").read_text(errors="replace")) from None
                time.sleep(0.02)

    def _run(self, program: str, *args: str) -> None:
        done = subprocess.run(
            [self.binaries / program, *args],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=120,
            **as_user(self.user),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def binaries() -> Path | None:
    """The folder with initdb and postgres, or None."""
    given = os.environ.get(GIVEN_PROGRAMS)
    places: list[Path] = [Path(given)] if given else []
    spec = importlib.util.find_spec("pgserver")
    if spec is not None and spec.submodule_search_locations:
        places.append(Path(spec.submodule_search_locations[0]) / "pginstall" / "bin")
    on_path = shutil.which("postgres")
    if on_path is not None:
        places.append(Path(on_path).resolve().parent)
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += sorted(Path("/opt/homebrew/opt").glob("postgresql@*/bin"), reverse=True)
    for place in places:
        if all((place / name).exists() for name in PROGRAMS):
            return place
    return None


def has_driver() -> bool:
    return importlib.util.find_spec("psycopg") is not None


@functools.cache
def shared() -> Server | None:
    """The server of this process that is fast and forgets with the power; None if none can be had."""
    place = binaries()
    return Server(place) if place is not None and has_driver() else None


@functools.cache
def dsn() -> str | None:
    """The URL of a database that tests may fill; None if none can be had."""
    given = os.environ.get(GIVEN)
    if given and has_driver():
        return given
    server = shared()
    return server.dsn if server is not None else None


_numbers = itertools.count()


def url_of(schema: str | None = None, *, at: str | None = None, **options: object) -> str:
    """The URL of a store in a schema (a new one) of the tests' database, or of the database `at`.

    Each has a name of its own: stores of one URL share their connections and their watcher, as those of one process.
    """
    base = at or dsn()
    assert base is not None
    ours = {"mm_schema": schema or new_schema(), "fallback_application_name": f"test {next(_numbers)}", **options}
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in ours.items())
    return f"{base}{'&' if '?' in base else '?'}{query}"


def new_schema() -> str:
    """A name that no other test has."""
    return f"mm test {os.getpid()} {next(_numbers)} {secrets.token_hex(3)}"


def through(base: str, port: int) -> str:
    """The same database by another port of this machine."""
    parts = urlsplit(base)
    credentials = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{credentials}@127.0.0.1:{port}"))


def place_of(base: str) -> tuple[str, int]:
    """Host and port of a URL."""
    parts = urlsplit(base)
    return parts.hostname or "127.0.0.1", parts.port or 5432


def until(what: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    give_up = time.monotonic() + 60
    while not what():
        assert time.monotonic() < give_up
        time.sleep(0.01)


@contextmanager
def raw(schema: str, at: str | None = None) -> Iterator[Any]:
    """A plain connection, for a look and for mischief."""
    import psycopg
    from psycopg import sql

    with closing(psycopg.connect(at or dsn() or "", autocommit=True)) as connection:
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        yield connection


def drop_schema(schema: str) -> None:
    """Delete a schema with all that it holds.

    A writer whose connection was cut may still be at work, and the server may end this side of the deadlock.
    """
    from psycopg import errors, sql

    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
    with raw("public") as connection:
        for tries_left in (2, 1, 0):
            try:
                connection.execute(drop)
                return
            except errors.DeadlockDetected:
                if not tries_left:
                    raise


if __name__ == "__main__":
    print(os.environ.get(GIVEN) or binaries() or HOW)
