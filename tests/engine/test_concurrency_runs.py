"""Runs within runs, beside runs and after runs, and what interrupts them: each is left alone by the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, Reason, current_run
from muscle_mem.store import MemoryStore
from threads_and_processes import in_threads, quiet, switching_often


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    with switching_often():
        yield


def test_an_engine_called_by_an_agent_is_a_run_of_its_own() -> None:
    engine, inner = quiet(), quiet()
    done: list[str] = []

    @engine.tool
    def outside(what: str) -> None:
        done.append(what)

    @inner.tool
    def inside(what: str) -> None:
        assert current_run() is not None
        done.append(what)

    outcomes: list[Outcome] = []

    def agent(task: str) -> None:
        outside("a")
        if task == "deep":
            outcomes.append(inner("shallow"))
            outcomes.append(engine("simple"))
        outside("b")

    engine.set_agent(agent)
    inner.set_agent(lambda task: inside("c"))
    for turn in range(2):
        outer = engine("deep")
        assert (outer.status, outer.not_learned) == ("miss", "nested_run")
        assert [one.status for one in outcomes[-2:]] == (["hit", "hit"] if turn else ["miss", "miss"])
        assert done == ["a", "c", "a", "b", "b"]
        done.clear()
    assert current_run() is None


def make_async(engine: Engine) -> Any:
    """An async tool that takes its time, and what it did."""
    done: list[Any] = []

    @engine.tool(Check(lambda what, wait=None: done.append(f"saw {what}") if what == "late" else None), effect="write")
    async def slow(what: Any, wait: asyncio.Event | None = None) -> Any:
        await asyncio.sleep(0)
        if isinstance(what, str) and what.startswith("long"):
            await asyncio.sleep(0.2)
        done.append(what)
        return what

    return slow, done


def test_calls_that_overlap_and_calls_in_order_are_both_learned() -> None:
    engine = quiet()
    slow, done = make_async(engine)

    async def agent(task: str) -> None:
        if task == "at once":
            await asyncio.gather(slow(1), slow(2), slow(3))
        else:
            for number in range(1, 4):
                await asyncio.create_task(slow(number))

    engine.set_agent(agent)

    async def main() -> None:
        for task in ("at once", "in order"):
            assert (await engine.acall(task)).learned
            done.clear()
            assert await engine.acall(task)
            assert done == [1, 2, 3]

    asyncio.run(main())


def test_calls_in_to_thread_are_the_runs_own() -> None:
    engine = quiet()
    done: list[tuple[int, bool]] = []

    @engine.tool
    def work(number: int) -> int:
        done.append((number, threading.current_thread() is threading.main_thread()))
        return number

    async def agent(task: str) -> None:
        for number in range(3):
            await asyncio.to_thread(work, number)

    engine.set_agent(agent)
    assert asyncio.run(engine.acall("t")).learned
    assert done == [(0, False), (1, False), (2, False)]
    assert asyncio.run(engine.acall("t")).steps == 3
    assert engine.cache_info().not_learned == 0


@pytest.mark.parametrize("bound", [True, False])
def test_threads_of_the_agents_own(bound: bool) -> None:
    engine = quiet()
    done: list[int] = []
    note = engine.tool(done.append, name="note")

    def agent(task: str) -> None:
        for number in (100, 200):
            target = engine.bind(note) if bound else note
            thread = threading.Thread(target=target, args=(number,))
            thread.start()
            thread.join()
        note(300)

    engine.set_agent(agent)
    outcome = engine("t")
    assert outcome.not_learned == (None if bound else "incomplete_threads")
    done.clear()
    assert bool(engine("t")) is bound
    assert done == [100, 200, 300]


def test_c9a_a_task_left_behind_makes_its_run_and_the_open_one_incomplete() -> None:
    engine = quiet()
    slow, done = make_async(engine)
    go = asyncio.Event()
    left: list[asyncio.Task[Any]] = []

    async def late() -> None:
        await go.wait()
        await slow("late")
        assert (run := current_run()) is None or run.task == "first"

    async def agent(task: str) -> None:
        await slow(task)
        if task == "first":
            left.append(asyncio.create_task(late()))
        else:
            go.set()
            await left[0]
        await slow(task)

    engine.set_agent(agent)

    async def main() -> None:
        assert (await engine.acall("first")).learned
        assert (await engine.acall("second")).not_learned is Reason.INCOMPLETE_THREADS
        assert done == ["first", "first", "second", "late", "second"]
        done.clear()
        assert (await engine.acall("first", mode="frozen")).reason is Reason.QUARANTINED

    asyncio.run(main())


def test_a_call_still_running_when_the_agent_returns() -> None:
    engine = quiet()
    slow, _ = make_async(engine)
    left: list[asyncio.Task[Any]] = []

    async def agent(task: str) -> None:
        await slow("x")
        left.append(asyncio.create_task(slow("long")))
        await asyncio.sleep(0.01)

    engine.set_agent(agent)

    async def main() -> None:
        outcome = await engine.acall("t")
        assert outcome.not_learned == "still_running"
        await left[0]
        assert not await engine.acall("t")
        await left[1]

    asyncio.run(main())
    assert engine.cache_info().loaded == 0


def test_trouble_in_some_tasks_leaves_the_others_alone() -> None:
    store = MemoryStore()
    engine = quiet(store)
    done: dict[str, list[int]] = {}

    @engine.tool(effect="write")
    async def work(name: str, number: int) -> int:
        await asyncio.sleep(0)
        done.setdefault(name, []).append(number)
        return number

    async def agent(task: str) -> None:
        for number in range(4):
            await work(task, number)
            if number == 2 and task.startswith("bad"):
                raise LookupError(task)
            if number == 2 and task.startswith("stuck"):
                await asyncio.sleep(30)

    engine.set_agent(agent)

    async def main() -> None:
        for turn in range(3):
            done.clear()
            names = [f"{kind} {number}" for number in range(20) for kind in ("good", "bad", "stuck")]
            tasks = {name: asyncio.create_task(engine.acall(name)) for name in names}
            while sum(map(len, done.values())) < 20 * (4 + 3 + 3):
                await asyncio.sleep(0)
            for name in names:
                if name.startswith("stuck"):
                    tasks[name].cancel()
            ended = dict(zip(names, await asyncio.gather(*tasks.values(), return_exceptions=True), strict=True))
            for name, end in ended.items():
                if name.startswith("good"):
                    assert isinstance(end, Outcome)
                    assert end.status == ("hit" if turn else "miss")
                    assert done[name] == [0, 1, 2, 3]
                else:
                    assert type(end) is (LookupError if name.startswith("bad") else asyncio.CancelledError)
                    assert done[name] == [0, 1, 2]
            assert current_run() is None
            assert not engine._runtime.open_runs.frames

    asyncio.run(main())
    assert len(store.scan(limit=100).stored) == 20


def test_what_users_keep_in_contextvars_is_theirs() -> None:
    engine = quiet()
    who: ContextVar[str] = ContextVar("who", default="nobody")
    seen: list[str] = []

    @engine.tool
    def enter(name: str) -> None:
        seen.append(who.get())
        who.set(name)

    engine.set_agent(lambda task: enter(task))

    def work(number: int) -> None:
        for _ in range(3):
            engine(f"user {number}")
            assert who.get() == f"user {number}"
            assert current_run() is None
            who.set("nobody")

    in_threads(work)
    assert set(seen) == {"nobody"}
    assert who.get() == "nobody"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
@pytest.mark.parametrize("where", ["tool", "capture", "compare", "agent", "post", "success"])
@pytest.mark.parametrize("replaying", [True, False])
@pytest.mark.parametrize("style", ["plain", "acall"])
def test_an_interrupt_passes_unchanged(error: type[BaseException], where: str, replaying: bool, style: str) -> None:
    raised = error("now")
    armed: set[str] = set()

    def trip(place: str) -> None:
        if place in armed:
            raise raised

    def capture(number: int) -> int:
        trip("capture")
        return number

    def compare(now: int, then: int) -> bool:
        trip("compare")
        return now == then

    def after(number: int) -> int:
        trip("post")
        return number

    def success(value: Any) -> bool:
        trip("success")
        return True

    engine = quiet(success=success)
    done: list[int] = []
    starts: list[str] = []

    @engine.tool(pre_check=Check(capture, compare, version=1), post_check=Check(after, version=1))
    def work(number: int) -> int:
        trip("tool")
        done.append(number)
        return number

    def agent(task: str) -> None:
        starts.append(task)
        work(1)
        trip("agent")
        work(2)

    def call() -> Outcome:
        return engine("t") if style == "plain" else asyncio.run(_alone(engine))

    engine.set_agent(agent)
    if replaying:
        assert call().learned
    armed.add(where)
    if replaying and where == "agent":
        assert call()
        armed.clear()
    else:
        with pytest.raises(error) as caught:
            call()
        assert caught.value is raised
        assert len(starts) == 1
    assert current_run() is None
    assert not engine._runtime.open_runs.frames
    armed.clear()
    done.clear()
    assert call().status == ("hit" if replaying else "miss")
    assert done == [1, 2]
    assert call()


async def _alone(engine: Engine) -> Outcome:
    try:
        return await engine.acall("t")
    except (KeyboardInterrupt, SystemExit) as error:  # these would end the loop before they reach the test
        held = error
    return await _throw(held)


async def _throw(error: BaseException) -> Any:
    raise error
