"""One engine, many threads and tasks: no run sees another's steps, objects, results or troubles."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from muscle_mem import Check, Engine, Outcome, current_run
from muscle_mem._core.model.records import Row
from muscle_mem._runtime.breakers import WINDOW
from muscle_mem.store import MemoryStore, Store, open_store
from threads_and_processes import THREADS, in_threads, quiet, switching_often

TASKS = 100


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    with switching_often():
        yield


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = MemoryStore() if request.param == "memory" else open_store(tmp_path / "cache.db")
    yield made
    made.close()


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
    engine._runtime.library.flush()
    assert sum(stored.standing.hits for stored in store.scan(limit=500).stored) == total["hit"]
    assert not engine._runtime.open_runs.frames


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
    rows = [msgspec.msgpack.decode(observation.body, type=Row) for _, observation in stored.observations]
    assert len({(row.pre, row.post) for row in rows}) == 1  # witnesses of one row: its outputs held other numbers
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
                assert engine._runtime.agent is not None
                engine.set_agent(engine._runtime.agent.fn)
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
    (entry,) = engine._runtime.library.entries()
    (trajectory,) = entry.trajectories
    steps = list(trajectory.steps)
    register()
    assert engine("t").steps == 3
    assert trajectory.steps == steps, "a run that had found it before keeps its tools"


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
    assert not engine._runtime.open_runs.frames


def test_failures_are_counted_while_others_look_at_the_counts() -> None:
    engine = quiet()
    look = engine.tool(effect="read")(lambda: 1)
    engine.set_agent(lambda task: look())
    engine("t")
    assert engine("t")
    (entry,) = engine._runtime.library.entries()
    steps = entry.trajectories[0].steps
    noted, over = threading.Event(), threading.Event()

    def work(number: int) -> None:
        if number:
            for count in itertools.count():
                if count > WINDOW:  # enough for a pause, whatever the other thread does
                    noted.set()
                if over.is_set():
                    break
                engine._runtime.tools.breakers.note_failure(steps[0].tool)
        else:
            try:
                assert noted.wait(30)
                for _ in range(20_000):
                    engine._runtime.tools.breakers.pause_refusal(steps)
            finally:
                over.set()

    in_threads(work, 3)
    assert engine("t").reason == "quarantined"


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
    assert reasons <= {"hit", "new_task", "unconfirmed", "store_unavailable"}
    page = desk.page()
    after = desk.engine("task", page, context=page)
    assert (after.reason, after.not_learned) == ("store_unavailable", "store_unavailable")
