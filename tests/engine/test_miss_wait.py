"""Runs that miss the same task together make one agent run, and never wait where that could block (S7)."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Engine
from muscle_mem._runtime.options import CallOptions
from muscle_mem.store import MemoryStore, SqliteStore, Store
from muscle_mem.store.folder import FolderStore
from threads_and_processes import in_threads, one_of_eight_leads

LONG = 60.0


class Crowd:
    """An engine whose agent is slow enough for others to come, and counts its runs."""

    def __init__(self, store: Store | str | None = None, wait: float = LONG, asynchronous: bool = False) -> None:
        self.events: list[Any] = []
        self.engine = Engine(store, miss_wait=wait, observers=self.events.append)
        self.runs = 0
        self.before: Callable[[], None] = lambda: None
        self.tool = self.engine.tool(effect="read", name="tool")(lambda: "done")
        self.engine.set_agent(self.aagent if asynchronous else self.agent)

    def agent(self, task: str) -> str:
        self.runs += 1
        self.before()
        return str(self.tool())

    async def aagent(self, task: str) -> str:
        self.runs += 1
        await asyncio.sleep(0.02)
        return str(self.tool())


def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    pause = threading.Event()
    while not true():
        pause.wait(0.001)


@pytest.mark.parametrize("kind", ["memory", "sqlite", "folder"])
def test_of_sixteen_threads_one_asks_its_agent(kind: str, tmp_path: Path) -> None:
    stores: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SqliteStore(tmp_path / "m.db"),
        "folder": lambda: FolderStore(tmp_path / "m"),
    }
    crowd = Crowd(stores[kind]())
    crowd.before = lambda: until(lambda: crowd.engine.cache_info().waited == 15)
    outcomes = in_threads(lambda _: crowd.engine("task"), 16)
    info = crowd.engine.cache_info()
    assert crowd.runs == 1
    assert (info.hits, info.misses, info.waited) == (15, 1, 15)
    assert all(outcome.value == "done" for outcome in outcomes)
    told = [event for event in crowd.events if type(event).__name__ == "WaitEvent"]
    assert [event.found for event in told] == [True] * 15
    assert not crowd.engine._runtime.key_leases._leases
    crowd.engine.close()


def test_of_fifty_tasks_one_asks_its_agent() -> None:
    crowd = Crowd(asynchronous=True)

    async def main() -> list[Any]:
        return await asyncio.gather(*(crowd.engine.acall("task") for _ in range(50)))

    outcomes = asyncio.run(main())
    assert crowd.runs == 1
    assert sum(map(bool, outcomes)) == 49


@pytest.mark.skipif(sys.platform == "win32", reason="there is no flock")
def test_of_eight_processes_one_asks_its_agent_and_a_killed_leader_costs_one_more(tmp_path: Path) -> None:
    one_of_eight_leads(str(tmp_path / "m.db"), tmp_path / "runs")
    assert not list((tmp_path / "m.db.leading").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="there is no flock")
def test_s7_eight_processes_with_a_folder_of_files_agree_as_well(tmp_path: Path) -> None:
    one_of_eight_leads(f"folder:///{tmp_path / 'm'}", tmp_path / "runs")
    assert not list((tmp_path / "m" / ".leading").iterdir())
    assert len(list((tmp_path / "m").glob("*.json"))) == 1


def test_a_leader_that_fails_lets_the_next_lead() -> None:
    crowd = Crowd()

    def fail_first() -> None:
        if crowd.runs == 1:
            until(lambda: crowd.engine.cache_info().waited == 3)
            raise LookupError("the first one fails")

    crowd.before = fail_first

    def work(_: int) -> str:
        try:
            return crowd.engine("task").status
        except LookupError:
            return "raised"

    assert sorted(in_threads(work, 4)) == ["hit", "hit", "miss", "raised"]
    assert crowd.runs == 2


def test_a_run_inside_a_run_of_the_same_key_never_waits() -> None:
    crowd = Crowd()
    crowd.before = lambda: crowd.engine("task") and None if crowd.runs == 1 else None
    assert crowd.engine("task").status == "miss"
    assert crowd.runs == 2
    assert crowd.engine.cache_info().waited == 0


def test_after_the_deadline_the_agent_runs() -> None:
    crowd = Crowd(wait=0.02)
    both = threading.Barrier(2)
    crowd.before = lambda: both.wait() and None  # each agent waits for the other: so both must run
    outcomes = in_threads(lambda _: crowd.engine("task").status, 2)
    assert outcomes == ["miss", "miss"]
    assert crowd.runs == 2
    assert not crowd.engine._runtime.key_leases._leases


def test_a_plain_call_on_a_thread_with_a_loop_never_waits() -> None:
    crowd = Crowd()
    leading = threading.Event()
    over = threading.Event()

    def hold() -> None:
        if crowd.runs == 1:
            leading.set()
            over.wait()

    crowd.before = hold
    thread = threading.Thread(target=lambda: crowd.engine("task"))
    thread.start()
    leading.wait()

    async def main() -> str:
        return crowd.engine("task").status

    try:
        assert asyncio.run(main()) == "miss"
    finally:
        over.set()
        thread.join()
    assert crowd.engine.cache_info().waited == 0


@pytest.mark.parametrize("mode", ["record", "frozen", "shadow", "replay", "off"])
def test_only_the_mode_auto_waits(mode: Any) -> None:
    crowd = Crowd()
    held = crowd.engine._runtime.key_leases.acquire(
        crowd.engine._runtime.open_run(("task",), {}, CallOptions(), "auto", True)[0].key or b""
    )
    assert held is not None
    try:
        crowd.engine("task", mode=mode)
    except LookupError:
        assert mode == "replay"
    assert crowd.engine.cache_info().waited == 0


def test_a_session_takes_no_part() -> None:
    crowd = Crowd()
    with crowd.engine.session("task") as session:
        assert type(session.next()).__name__ == "AskAgent"
        assert not crowd.engine._runtime.key_leases._leases


def test_a_cancelled_wait_leaves_nothing_locked() -> None:
    crowd = Crowd(asynchronous=True)

    async def main() -> None:
        held = None
        first = asyncio.ensure_future(crowd.engine.acall("task"))
        while not crowd.runs:
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(crowd.engine.acall("task"))
        while not crowd.engine.cache_info().waited:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert len(crowd.engine._runtime.key_leases._leases) == 1
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert held is None
        assert not crowd.engine._runtime.key_leases._leases

    asyncio.run(main())
    assert not crowd.engine._runtime.open_runs.frames


def test_an_interrupt_in_the_wait_passes_on_and_leaves_nothing_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    crowd, other = Crowd(store), Crowd(store)
    key = crowd.engine._runtime.open_run(("task",), {}, CallOptions(), "auto", True)[0].key
    assert key is not None
    held = store.lead(key)
    assert held is not None

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("muscle_mem._runtime.performer.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        crowd.engine("task")
    monkeypatch.undo()
    assert not crowd.engine._runtime.key_leases._leases
    held.release()
    assert other.engine("task").learned
    assert crowd.engine("task")


class Unable(MemoryStore):
    """A store that cannot say who leads."""

    def lead(self, key: bytes) -> Any:
        raise OSError("no locks today")


def test_a_store_that_cannot_lead_costs_an_event_at_most() -> None:
    crowd = Crowd(Unable())
    assert crowd.engine("task").learned
    assert crowd.engine("task")
    assert [event.operation for event in crowd.events if type(event).__name__ == "StoreEvent"] == ["lead"]


def test_a_recording_that_does_not_fit_costs_each_its_own_run_and_no_second_wait() -> None:
    crowd = Crowd()
    crowd.before = lambda: until(lambda: crowd.runs > 1 or crowd.engine.cache_info().waited == 3)
    outcomes = in_threads(lambda number: crowd.engine("task", params={"n": 1000 + number}, key="k").status, 4)
    assert outcomes == ["miss"] * 4  # no step uses the param, so each value has a recording of its own
    assert crowd.runs == 4
