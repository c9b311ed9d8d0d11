"""A lock that is never let go costs one whole wait, and then a moment each time (S11)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine, StoreError
from muscle_mem.store import SqliteStore
from muscle_mem.store.folder import FolderStore
from muscle_mem.store.folder import store as folder
from muscle_mem.store.locking import deadline
from muscle_mem.store.locking.write_lock import WriteLock
from muscle_mem.testing import a_trajectory, an_observation

WHOLE = 0.8
MOMENT = 0.25  # enough to be given a free lock on a busy machine
LONG = 60.0


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each write was ready to wait."""
    seen: list[float] = []
    passing = WriteLock.held

    def noted(self: WriteLock, timeout: float, *more: Any) -> Any:
        seen.append(timeout)
        return passing(self, timeout, *more)

    monkeypatch.setattr(WriteLock, "held", noted)
    monkeypatch.setattr(deadline, "SHORT_TIMEOUT", MOMENT)
    return seen


def behind_the_gate(path: Path, between: str = "") -> Callable[[], None]:
    held = WriteLock(f"{path}{between}.lock").held(LONG)
    held.__enter__()
    return lambda: held.__exit__(None, None, None) and None


def by_another_program(path: Path) -> Callable[[], None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


@pytest.fixture(params=[behind_the_gate, by_another_program])
def lock(request: pytest.FixtureRequest) -> Iterator[Callable[[Path], Callable[[], None]]]:
    return request.param


def test_one_wait_in_vain_makes_the_next_short_until_one_gets_through(
    lock: Callable[[Path], Callable[[], None]], waits: list[float], tmp_path: Path
) -> None:
    path = tmp_path / "memory.db"
    with closing(SqliteStore(path, busy_timeout=WHOLE)) as store:
        let_go = lock(path)
        waits.clear()
        for _ in range(3):
            with pytest.raises(StoreError, match="locked"):
                store.seal(a_trajectory(), an_observation())
        let_go()
        for _ in range(2):
            store.seal(a_trajectory(), an_observation())
        assert [one for one in waits if one < LONG] == [WHOLE, MOMENT, MOMENT, MOMENT, WHOLE]
        with store._connections.using() as lease:
            assert lease.connection is not None
            assert lease.connection.execute("PRAGMA busy_timeout").fetchone() == (int(1000 * WHOLE),)


def test_what_is_wrong_with_a_write_itself_makes_no_wait_short(waits: list[float], tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "memory.db", busy_timeout=WHOLE)) as store:
        waits.clear()
        with pytest.raises(StoreError):
            store.seal(a_trajectory(created=10**400), an_observation())
        store.seal(a_trajectory(), an_observation())
        assert waits == [WHOLE, WHOLE]


def test_runs_of_an_engine_pay_one_wait_together(waits: list[float], tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    with Engine(f"sqlite:///{path}?busy_timeout={WHOLE}", observers=lambda event: None) as engine:
        look = engine.tool(name="look", effect="read")(lambda task: task)
        engine.set_agent(lambda task: look(task))
        engine("known")
        let_go = behind_the_gate(path)
        waits.clear()
        assert [engine(str(n)).not_learned for n in range(3)] == ["store_unavailable"] * 3
        assert engine("known")
        let_go()
        assert [one for one in waits if one < LONG].count(WHOLE) == 1
        assert engine("later").learned


def test_a_folder_that_is_locked_pays_one_wait(
    waits: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(folder, "LOCK_TIMEOUT", WHOLE)
    with closing(FolderStore(tmp_path / "memory")) as store:
        store.seal(a_trajectory(), an_observation())
        let_go = behind_the_gate(tmp_path / "memory", "/")
        waits.clear()
        for _ in range(2):
            with pytest.raises(StoreError, match="locked"):
                store.seal(a_trajectory("other"), an_observation())
        let_go()
        store.seal(a_trajectory("other"), an_observation())
        assert waits == [WHOLE, MOMENT, MOMENT]
