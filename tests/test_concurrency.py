"""One engine, many threads and tasks: no run sees another's steps, objects, results or troubles."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from muscle_mem import Check, Engine, Outcome, current_run
from muscle_mem.store import MemoryStore, Store, open_store

THREADS = 8
TASKS = 100


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = MemoryStore() if request.param == "memory" else open_store(tmp_path / "cache.db")
    yield made
    made.close()


def quiet(store: Store | None = None, **options: Any) -> Engine:
    return Engine(store, observers=[lambda event: None], **options)


class Desk:
    """An engine whose tools are methods of pages; every page logs what was done on it, and by whom."""

    def __init__(self, engine: Engine, *, asynchronous: bool = False) -> None:
        def seen(page: Any, what: str) -> Any:
            return (page.at, page.trap == page.at)

        class Page:
            def __init__(self) -> None:
                self.log: list[str] = []
                self.by: set[Any] = set()
                self.at = 0
                self.trap = -1

            def begin(self, trap: int = -1) -> None:
                self.log, self.at, self.trap = [], 0, trap

            def do(self, what: str) -> str:
                self.log.append(what)
                self.by.add(threading.get_ident())
                self.at += 1
                return f"{what} on {id(self)}"

            @engine.tool(pre_check=Check(seen), effect="write")
            def click(self, what: str) -> str:
                return self.do(what)

            @engine.tool(pre_check=Check(seen), effect="write")
            async def press(self, what: str) -> str:
                await asyncio.sleep(0)
                answer = self.do(what)
                await asyncio.sleep(0)
                return answer

        def agent(task: str, page: Page, steps: int = 3) -> str:
            answers = [page.click(f"{task}/{number}") for number in range(steps)]
            return answers[-1]

        async def aagent(task: str, page: Page, steps: int = 3) -> str:
            answers = [await page.press(f"{task}/{number}") for number in range(steps)]
            return answers[-1]

        self.engine = engine.set_agent(aagent if asynchronous else agent)
        self.page: Callable[[], Any] = Page

    def judge(self, page: Any, task: str, outcome: Outcome) -> str:
        """Whatever happened, the page has exactly this task's steps, once."""
        assert page.log == [f"{task}/{number}" for number in range(3)], outcome
        assert outcome.value == f"{task}/2 on {id(page)}"
        return outcome.status


def in_threads(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What each of so many threads makes of its number; they start together."""
    gate = threading.Barrier(count)

    def begin(number: int) -> Any:
        gate.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [future.result() for future in [pool.submit(begin, number) for number in range(count)]]


def test_threads_with_a_page_each(store: Store) -> None:
    desk = Desk(quiet(store))
    engine = desk.engine

    def work(number: int) -> Counter[str]:
        rng = random.Random(number)
        page = desk.page()
        counts: Counter[str] = Counter()
        for _ in range(25):
            task = f"task {rng.randrange(5)}"
            trap = rng.choice((-1, -1, 1, 2))
            page.begin(trap)
            if number % 2:
                outcome = engine(task, page, context=page)
            else:
                with engine.context(page):
                    outcome = engine(task, page)
            counts[desk.judge(page, task, outcome)] += 1
            assert current_run() is None
        assert page.by == {threading.get_ident()}
        return counts

    total = sum(in_threads(work), Counter())
    info = engine.cache_info()
    assert (info.hits, info.misses, info.diverged) == (total["hit"], total["miss"], total["diverged"])
    assert min(total["hit"], total["miss"], total["diverged"]) > 0
    engine._library.flush()
    assert sum(stored.standing.hits for stored in store.scan(limit=500).stored) == total["hit"]
    assert not engine._open.frames


def test_a_hundred_tasks_with_a_page_each(store: Store) -> None:
    desk = Desk(quiet(store), asynchronous=True)
    engine = desk.engine

    async def work(number: int) -> str:
        rng = random.Random(number)
        page = desk.page()
        statuses = []
        for _ in range(3):
            task, trap = f"task {rng.randrange(8)}", rng.choice((-1, -1, 1, 2))
            page.begin(trap)
            with engine.context(page):
                outcome = await engine.acall(task, page)
            statuses.append(desk.judge(page, task, outcome))
            assert current_run() is None
        return " ".join(statuses)

    async def main() -> Counter[str]:
        done = await asyncio.gather(*map(work, range(TASKS)))
        return Counter(" ".join(done).split())

    total = asyncio.run(main())
    info = engine.cache_info()
    assert (info.hits, info.misses, info.diverged) == (total["hit"], total["miss"], total["diverged"])
    assert total.total() == 3 * TASKS
    assert min(total["hit"], total["miss"], total["diverged"]) > 0


def test_threads_that_meet_on_a_new_task_make_one_trajectory(store: Store) -> None:
    desk = Desk(quiet(store))

    def work(number: int) -> bool:
        page = desk.page()
        return bool(desk.engine("the same", page, context=page, mode="record").learned)

    assert all(in_threads(work))
    (stored,) = store.scan().stored
    assert len(stored.observations) == 1
    page = desk.page()
    assert desk.engine("the same", page, context=page)


@pytest.mark.parametrize("meddle", ["register", "replace", "forget", "agent", "clear"])
def test_meddling_while_others_run_troubles_nobody(store: Store, meddle: str) -> None:
    desk = Desk(quiet(store))
    engine = desk.engine
    over = threading.Event()

    def disturb() -> None:
        number = 0
        while not over.is_set():
            number += 1
            if meddle == "register":
                engine.tool(name=f"tool {number}")(lambda: None)
            elif meddle == "replace":
                engine.tool(name="helper", version=1)(len)
            elif meddle == "agent":
                assert engine._agent is not None
                engine.set_agent(engine._agent.fn)
            elif meddle == "clear":
                engine.cache_clear()
            else:
                for stored in store.scan(limit=3).stored:
                    engine.forget(stored.sealed.id)
            over.wait(0.001)

    def work(number: int) -> None:
        page = desk.page()
        for turn in range(15):
            page.begin()
            desk.judge(page, f"task {turn % 3}", engine(f"task {turn % 3}", page, context=page))

    meddler = threading.Thread(target=disturb)
    meddler.start()
    try:
        in_threads(work)
    finally:
        over.set()
        meddler.join()
    page = desk.page()
    engine("task 0", page, context=page, mode="record")
    page.begin()
    assert engine("task 0", page, context=page)


def test_a_trajectory_is_not_exchanged_under_a_run_that_replays_it() -> None:
    engine = quiet()
    done = []

    def register() -> Callable[[int], int]:
        space: dict[str, Any] = {"done": done}
        exec("def note(x):\n    done.append(x)\n    return x\n", space)
        tool: Callable[[int], int] = engine.tool(space["note"])
        return tool

    note = register()
    engine.set_agent(lambda task: [note(number) for number in range(3)])
    engine("t")
    assert engine("t")
    (entry,) = engine._library._entries.values()
    (trajectory,) = entry.trajectories
    steps = trajectory.steps
    register()
    trajectory.join(engine._tools)  # as a thread does that had found it before the tool was registered
    assert trajectory.steps is steps
    assert engine("t").steps == 3


def test_a_run_keeps_the_agent_that_it_began_with() -> None:
    engine = quiet()
    done: list[str] = []

    @engine.tool(effect="read")
    def first() -> None:
        done.append("first")

    @engine.tool(effect="read")
    def second() -> None:
        done.append("second")
        if len(done) == 4:
            engine.set_agent(later)
            raise LookupError

    def early(task: str, handover: Any = None) -> str:
        if handover is None:
            first()
            second()
        return "early"

    def later(task: str) -> str:
        first()
        return "later"

    engine.set_agent(early)
    assert engine("t").learned
    changed = engine("t")
    assert (changed.status, changed.reason, changed.value) == ("diverged", "tool_raised", "early")
    assert engine("another").value == "later"


def test_tools_that_keep_failing_in_many_threads_trouble_nobody() -> None:
    engine = quiet()
    broken = threading.Event()

    @engine.tool(effect="read")
    def look(number: int) -> int:
        if broken.is_set() and current_run() is not None and number % 3:
            raise OSError(number)
        return number

    def agent(task: str) -> int:
        try:
            return look(len(task)) + look(1000)
        except OSError:
            return 0

    engine.set_agent(agent)
    names = [f"{number:0{6 + number % 7}}" for number in range(THREADS * 12)]
    for name in names:
        assert engine(name).learned
    broken.set()

    def work(number: int) -> set[str]:
        return {engine(name).status for name in names[number::THREADS] * 4}

    assert set().union(*in_threads(work)) <= {"hit", "miss", "diverged"}
    assert not engine._open.frames


def test_closing_while_others_run_costs_recordings_only(store: Store) -> None:
    desk = Desk(quiet(store))
    ready = threading.Barrier(THREADS + 1)

    def work(number: int) -> set[str]:
        page = desk.page()
        seen = set()
        for turn in range(20):
            page.begin()
            outcome = desk.engine("task", page, context=page)
            desk.judge(page, "task", outcome)
            seen.add(outcome.reason.value)
            if turn == 3:
                ready.wait(30)
        return seen

    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(work, number) for number in range(THREADS)]
        ready.wait(30)
        desk.engine.close()
        reasons = set().union(*(future.result() for future in futures))
    assert reasons <= {"hit", "new_task", "store_unavailable"}
    page = desk.page()
    after = desk.engine("task", page, context=page)
    assert (after.reason, after.not_learned) == ("store_unavailable", "store_unavailable")


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


def test_a_task_left_behind_calls_plain_tools() -> None:
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
        assert (await engine.acall("second")).learned
        assert done == ["first", "first", "second", "late", "second"]
        done.clear()
        for task in ("first", "second"):
            assert (await engine.acall(task)).steps == 2
        assert done == ["first", "first", "second", "second"]

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


def test_trouble_in_some_tasks_leaves_the_others_alone(store: Store) -> None:
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
            assert not engine._open.frames

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
    assert not engine._open.frames
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
