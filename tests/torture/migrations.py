"""A store of an older release is killed at every statement and every write of its migration."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from muscle_mem.errors import StoreError
from muscle_mem.store import SqliteStore
from muscle_mem.store.sqlite import schema

from .children import ended, fork, scratch
from .faults import CHANGING, KILL, TORN, WRITE, Shim, under_shim
from .figures import Figures, Proof, Size
from .history import dump
from .kill_points import counted_in_child
from .tampering import switched_off

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
OLD = ("store-v1.db",)
# Two versions of a time to come, so that a migration of several steps is killed between them too.
TO_COME = (("CREATE TABLE to_come(x)", "INSERT INTO to_come VALUES (2)"), ("DROP TABLE to_come",))


def run(seed: int, size: int, control: str) -> Figures:
    return under_shim("migrations", seed, size, control)


def armed(seed: int, size: int, control: str) -> Figures:
    """At most `size` points of each old store; odd seeds migrate it through two versions of a time to come."""
    shim, figures = Shim(), Figures()
    figures.wrong.update(dict.fromkeys(("half migrated", "altered", "refused"), 0))
    if seed % 2:
        last = schema.MIN_READERS[-1]
        schema.MIGRATIONS += TO_COME
        schema.MIN_READERS += (last, last)
        schema.LATEST += len(TO_COME)
        schema.expected_shape.cache_clear()
    for name in OLD:
        expected = _told(GOLDEN / name, "")
        for way in (_at_statement, _before_write, _amid_write):
            total = way(shim, GOLDEN / name, 0, control, figures, expected)
            step = max(1, total * 3 // size)
            for at in range(1 + seed // 2 % step, total + 1, step):
                way(shim, GOLDEN / name, at, control, figures, expected)
                figures.counted["kills"] += 1
            figures.most(f"points {way.__name__[1:].replace('_', ' ')}", total)
    return figures


def _told(golden: Path, control: str) -> list[object]:
    """All that a store tells once it has been migrated in peace."""
    with scratch(fast=True) as folder:
        shutil.copy(golden, folder / "store.db")
        return _all_of(folder / "store.db")


def _all_of(path: Path) -> list[object]:
    with closing(SqliteStore(path)) as store:
        made = dump(store)
        return [sorted(made.stored.items()), sorted(made.damaged), made.disagreements]


def _killed(
    golden: Path, arm: Callable[[Path], None], control: str, at: str, figures: Figures, expected: list[object]
) -> None:
    with scratch(fast=True) as folder:
        path = folder / "store.db"
        shutil.copy(golden, path)

        def migrate() -> None:
            arm(folder)
            with switched_off(control):
                SqliteStore(path)

        if ended(fork(migrate)) != -signal.SIGKILL:
            figures.counted["not reached"] += 1
        trouble = _in_between(path)
        if trouble:
            figures.fault("half migrated", f"{golden.name}, {at}: {trouble}")
        try:
            if _all_of(path) != expected:
                figures.fault("altered", f"{golden.name}, {at}")
        except StoreError as error:
            figures.fault("refused", f"{golden.name}, {at}: {error}")


def _in_between(path: Path) -> str:
    """What is wrong with the shape of a store for the version that it says it has."""
    with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(":memory:")) as whole:
        whole.isolation_level = None
        version = schema.user_version(connection)
        for step in range(version):
            schema.apply_step(whole, step)
        same = schema.shape(connection) == schema.shape(whole)
        least = schema.min_reader(connection) == schema.min_reader(whole)
    return "" if same and least else f"it says version {version} and has the shape of no version, or of another"


def _at_statement(shim: Shim, golden: Path, at: int, control: str, figures: Figures, expected: list[object]) -> int:
    """Die as SQLite begins the `at`-th statement; 0 for how many there are."""
    if at == 0:
        with scratch(fast=True) as folder:
            shutil.copy(golden, folder / "store.db")
            seen = folder / "seen.log"

            def count() -> None:
                _on_statements(lambda: os.close(os.open(seen, os.O_CREAT)) or _append(seen))
                with switched_off(control):
                    SqliteStore(folder / "store.db")

            ended(fork(count))
            return seen.stat().st_size
    left = at

    def one_less() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _killed(golden, lambda folder: _on_statements(one_less), control, f"statement {at}", figures, expected)
    return 0


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b".")


def _on_statements(tell: Callable[[], None]) -> None:
    """In a child: be told of each statement that SQLite runs on any connection made from now on."""
    real = sqlite3.connect

    def connect(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection = real(*args, **kwargs)
        connection.set_trace_callback(lambda statement: tell())
        return connection

    sqlite3.connect = connect


def _before_write(shim: Shim, golden: Path, at: int, control: str, figures: Figures, expected: list[object]) -> int:
    """Die before the `at`-th write, sync, truncation or renaming."""
    return _at_write(shim, golden, at, control, figures, expected, KILL, CHANGING)


def _amid_write(shim: Shim, golden: Path, at: int, control: str, figures: Figures, expected: list[object]) -> int:
    """Die in the middle of the `at`-th write."""
    return _at_write(shim, golden, at, control, figures, expected, TORN, WRITE)


def _at_write(
    shim: Shim,
    golden: Path,
    at: int,
    control: str,
    figures: Figures,
    expected: list[object],
    action: int,
    kinds: int,
) -> int:
    if at == 0:
        with scratch(fast=True) as folder:
            shutil.copy(golden, folder / "store.db")
            with switched_off(control):
                return counted_in_child(shim, folder, kinds, lambda: SqliteStore(folder / "store.db"))
    arm = lambda folder: shim.arm(folder, kinds, action, at)
    _killed(golden, arm, control, f"{'during' if action == TORN else 'before'} write {at}", figures, expected)
    return 0


PROOF = Proof(
    run,
    promise="If the upgrade of an older store is killed, the store has the old version or the new one, whole. "
    "The next opening continues.",
    blind="Older releases whose stores are not kept as golden files, and a migration of a very large store.",
    unit="kills",
    small=Size(2, 24),
    large=Size(4, 1_000),
    controls={"one transaction a migration": ("half migrated", Size(1, 24))},
)
