"""Under `acall` a store that waits on a network is asked in a thread, and the loop goes on (S12)."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from muscle_mem import Check, Engine, StoreError, current_run
from muscle_mem.store import MemoryStore

CALLS = ["find", "seal", "note", "forget", "scan", "version", "lead", "survey", "drop", "confirm"]
PATIENCE = 20.0  # seconds after which a test gives up


class Lead:
    """Lets go of a key, and tells the store on which thread."""

    def __init__(self, store: Far, held: Any) -> None:
        self.store, self.held = store, held

    def release(self) -> None:
        (self.store.inline if threading.get_ident() == self.store.loop else self.store.aside).append("release")
        self.held.release()


class Far(MemoryStore):
    """A store that notes which of its calls are made on the thread `loop`, and may be held up in one of them."""

    waits_on_network = True

    def __init__(self) -> None:
        super().__init__()
        self.loop = threading.get_ident()
        self.inline: list[str] = []
        self.aside: list[str] = []
        self.held = ""
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.run_seen: Any = None

    def confirm(self, key: bytes) -> None:
        """It never lags."""

    def hold(self, name: str) -> None:
        self.held = name
        self.reached.clear()
        self.go_on.clear()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in CALLS:
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            (self.inline if threading.get_ident() == self.loop else self.aside).append(name)
            if name == "seal":
                self.run_seen = current_run()
            if name == self.held:
                self.held = ""
                self.reached.set()
                assert self.go_on.wait(PATIENCE), "the loop was blocked"
            answer = found(*args, **kwargs)
            return Lead(self, answer) if name == "lead" and answer is not None else answer

        return call


def an_engine(store: Any) -> Any:
    engine = Engine(store, miss_wait=PATIENCE, max_items=1, ttl=1e9)
    engine.refused = False

    @engine.tool(Check(lambda: 1, refresh=True), effect="irreversible", name="buy")
    async def buy() -> str:
        return "bought"

    @engine.tool(Check(lambda: 1, lambda now, then: not engine.refused), effect="write", name="ship")
    async def ship() -> str:
        return "shipped"

    async def agent(task: str) -> str:
        if task == "unable":
            raise OSError("no network")
        await buy()
        return await ship()

    engine.set_agent(agent)
    return engine


def test_no_call_of_a_run_is_made_on_the_loop() -> None:
    async def story() -> None:
        store = Far()
        engine = an_engine(store)
        assert (await engine.acall("task")).learned
        assert "task" in store.run_seen.task  # the context came along
        assert await engine.acall("task", success=lambda: True)
        with pytest.raises(OSError, match="no network"):
            await engine.acall("unable")
        assert (await engine.acall("other")).learned  # and one is pruned
        engine.refused = True
        assert (await engine.acall("other")).status == "diverged"
        engine.refused = False
        await engine.acall("other", mode="shadow")
        await engine.aexplain("other")
        async with engine.asession("stepped") as session:
            await session.next()
            await session.said([])
            await session.next()
        assert store.inline == []
        assert {"find", "seal", "note", "version", "lead", "survey", "drop", "confirm", "release"} <= set(store.aside)

    asyncio.run(story())


@pytest.mark.parametrize("name", ["version", "find", "lead", "seal", "survey"])
def test_the_loop_goes_on_while_the_store_takes_its_time(name: str) -> None:
    async def story() -> None:
        store = Far()
        engine = an_engine(store)
        await engine.acall("one")
        store.hold(name)
        run = asyncio.ensure_future(engine.acall("two"))
        while not store.reached.is_set():
            await asyncio.sleep(0)
        assert not run.done()
        store.go_on.set()
        assert (await run).value == "shipped"

    asyncio.run(story())


@pytest.mark.parametrize("name", ["version", "lead", "seal", "survey"])
def test_cancelled_while_the_store_takes_its_time_leaves_nothing_locked(name: str) -> None:
    async def story() -> None:
        store = Far()
        engine = an_engine(store)
        await engine.acall("one")
        store.hold(name)
        run = asyncio.ensure_future(engine.acall("two"))
        while not store.reached.is_set():
            await asyncio.sleep(0)
        run.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        run.cancel()  # once more does not leave the thread behind either
        await asyncio.sleep(0)
        assert not run.done()
        store.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert not engine._runtime.key_leases._leases
        assert not store._key_locks._keys
        assert not engine._runtime.open_runs.frames
        assert (await engine.acall("two")).value == "shipped"

    asyncio.run(story())


def test_a_store_that_fails_in_its_thread_is_bypassed() -> None:
    class Broken(Far):
        def find(self, key: bytes) -> Any:
            raise StopIteration

        def seal(self, *given: Any) -> Any:
            raise StopIteration

    async def story() -> None:
        engine = an_engine(Broken())
        outcome = await engine.acall("task")
        assert (outcome.value, outcome.reason, outcome.not_learned) == (
            "shipped",
            "store_unavailable",
            "store_unavailable",
        )
        engine._runtime.raises_store_errors = True
        with pytest.raises(StoreError):
            await engine.acall("task")

    asyncio.run(story())


def test_a_store_that_is_near_is_asked_inline() -> None:
    class Near(Far):
        waits_on_network = False

    async def story() -> None:
        store = Near()
        engine = an_engine(store)
        await engine.acall("task")
        assert await engine.acall("task")
        assert store.aside == []

    asyncio.run(story())


def test_postgresql_waits_on_a_network() -> None:
    pytest.importorskip("psycopg")
    from muscle_mem.store import PostgresStore

    assert PostgresStore.waits_on_network
