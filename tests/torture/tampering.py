"""Rules of the store switched off, in the process that asks: what the controls of the proofs are made with."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from muscle_mem.store.locking import write_lock
from muscle_mem.store.sqlite import rows

Rewrite = Callable[[str], list[str]]

# Where the store says one statement it then says these; "" for the statement itself.
OFF: dict[str, Callable[[str], list[str]]] = {}


def _rule(name: str) -> Callable[[Rewrite], Rewrite]:
    def keep(rewrite: Rewrite) -> Rewrite:
        OFF[name] = rewrite
        return rewrite

    return keep


@_rule("synchronous")
def _no_sync(statement: str) -> list[str]:
    return [statement.replace("synchronous=FULL", "synchronous=NORMAL")]


@_rule("one transaction")
def _in_pieces(statement: str) -> list[str]:
    """A row at a time: what was inserted is committed at once, as a recorder would that writes as it goes."""
    if statement.lstrip().startswith("INSERT"):
        return [statement, "COMMIT", "BEGIN IMMEDIATE"]
    return [statement]


@_rule("begin immediate")
def _deferred(statement: str) -> list[str]:
    return ["BEGIN", "SELECT last FROM sequence"] if statement == "BEGIN IMMEDIATE" else [statement]


@_rule("one transaction a migration")
def _without_transactions(statement: str) -> list[str]:
    return [] if statement in ("BEGIN IMMEDIATE", "COMMIT") else [statement]


class Tampered(sqlite3.Connection):
    """A connection that says other statements than it is told to."""

    rewrite: Rewrite | None = None
    settings: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for setting in self.settings:
            super().execute(setting)

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        said = self.rewrite(sql) if self.rewrite is not None else [sql]
        answer: sqlite3.Cursor | None = None
        for statement in said:
            done = super().execute(statement, *(args if statement == sql else ()))
            if answer is None:
                answer = done
        return answer if answer is not None else super().cursor()


@contextmanager
def switched_off(rule: str, settings: tuple[str, ...] = ()) -> Iterator[None]:
    """Within, connections made in this process break the rule ("" for none), and begin with these settings."""
    kind = type("Off", (Tampered,), {"rewrite": staticmethod(OFF[rule]) if rule in OFF else None, "settings": settings})
    real, passing = sqlite3.connect, write_lock.WriteLock.held

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return real(*args, **{"factory": kind, **kwargs})

    sqlite3.connect = connect
    if rule in ("gate", "begin immediate"):
        write_lock.WriteLock.held = _open_gate
    try:
        yield
    finally:
        sqlite3.connect = real
        write_lock.WriteLock.held = passing


@contextmanager
def _open_gate(
    self: write_lock.WriteLock, timeout: float, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """The gate as it would be were there none."""
    yield


@contextmanager
def unchecked_digests() -> Iterator[None]:
    """Within, in this process, every row passes for whole."""
    real = rows.is_intact
    rows.is_intact = lambda *args: True
    try:
        yield
    finally:
        rows.is_intact = real
