"""A SQLite store, what else may lie at its path, and a look past it, as the tests of stores share them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from muscle_mem.store import SqliteStore


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """A plain connection, for a look and for mischief."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        yield connection


def python(script: str, *args: str) -> str:
    """What a script prints; warnings are errors in it."""
    command = [sys.executable, "-W", "error", "-c", script, *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def a_folder(path: Path) -> None:
    path.mkdir()


def a_device(path: Path) -> None:
    os.mkfifo(path)


def a_text(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def a_foreign_database(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE mine(x)")
        connection.execute("PRAGMA application_id = 7")


def a_database_without_name(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE trajectory(x)")


def a_store_of_the_future(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("UPDATE meta SET value = 98")


def a_future_store_that_does_not_say(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("DROP TABLE meta")


def a_store_with_a_trigger(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("CREATE TRIGGER evil AFTER INSERT ON trajectory BEGIN DELETE FROM standing; END")


def a_store_without_a_table(path: Path) -> None:
    SqliteStore(path).close()
    with raw(path) as connection:
        connection.execute("DROP TABLE observation")


def what_is_left_of_a_store(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"log of a deleted store")
