"""Rules C: what is learned? Tool calls in threads and tasks of the agent's own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason

Log = list[str]


def in_thread(fn: Callable[[], Any]) -> None:
    """Run to its end in a thread that knows nothing of this one's context."""
    thread = threading.Thread(target=fn)
    thread.start()
    thread.join()


def engine_with(body: Callable[[Engine, Any], Any], log: Log, **options: Any) -> Engine:
    """An engine whose agent runs `body(engine, act)`, `act` being its one tool."""
    engine = Engine(**options)

    @engine.tool(name="act", effect="read")
    def act(what: str = "x") -> None:
        log.append(what)

    return engine.set_agent(lambda task: body(engine, act))


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_c9_calls_through_to_thread_and_in_tasks_belong_to_the_run() -> None:
    log: Log = []
    engine = Engine()

    @engine.tool(effect="read")
    def plain(what: str) -> None:
        log.append(what)

    @engine.tool(effect="read")
    async def slow(what: str) -> None:
        await asyncio.sleep(0)
        log.append(what)

    async def agent(task: str) -> None:
        await asyncio.to_thread(plain, "thread")
        await asyncio.create_task(slow("task"))
        await asyncio.wait_for(slow("waited for"), 60)

    engine.set_agent(agent)
    assert asyncio.run(engine.acall("a task")).learned
    assert asyncio.run(engine.acall("a task")).steps == 3
    assert log == ["thread", "task", "waited for"] * 2


def test_c9_bind_carries_the_run_into_a_thread_of_the_agents_own() -> None:
    log: Log = []

    def body(engine: Engine, act: Any) -> None:
        in_thread(engine.bind(lambda: act("one")))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(engine.bind(act), "two").result()

    engine = engine_with(body, log)
    assert engine("a task").learned
    assert engine("a task").steps == 2
    assert log == ["one", "two"] * 2


def test_c9_bind_keeps_the_name_the_result_and_the_exception() -> None:
    engine = Engine()

    def half(x: int) -> float:
        """Half of it."""
        return 1 / x

    bound = engine.bind(half)
    assert (bound.__name__, bound.__doc__, bound(2)) == ("half", "Half of it.", 0.5)
    with pytest.raises(ZeroDivisionError):
        bound(0)


def test_c9_a_call_from_an_unknown_thread_makes_the_recording_incomplete_and_says_how_to_mend_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log: Log = []

    def body(engine: Engine, act: Any) -> None:
        act("known")
        in_thread(lambda: act("unknown"))

    engine = engine_with(body, log)
    outcome = engine("a task")
    assert log == ["known", "unknown"]
    assert outcome.not_learned is Reason.INCOMPLETE_THREADS
    assert ["act" in message and "engine.bind" in message for message in warned(caplog)] == [True]

    again: Outcome = engine("a task")
    assert again.reason is Reason.NEW_TASK
    assert len(warned(caplog)) == 1


def test_c9_a_call_from_elsewhere_while_nothing_records_is_nothing_special() -> None:
    log: Log = []
    engine = engine_with(lambda engine, act: act("run"), log)
    in_thread(lambda: engine("a task"))
    assert engine("a task")
    act = next(iter(engine._runtime.tools)).wrapper
    in_thread(lambda: act("outside"))
    assert log == ["run", "run", "outside"]
    assert engine.cache_info().not_learned == 0


def test_c9_another_engines_tool_in_a_thread_is_no_concern_of_this_one() -> None:
    log: Log = []
    other = Engine()
    foreign = other.tool(effect="read")(lambda: log.append("foreign"))

    def body(engine: Engine, act: Any) -> None:
        act("own")
        in_thread(foreign)

    assert engine_with(body, log)("a task").learned


def test_c9_with_adopt_threads_the_call_joins_the_only_open_run() -> None:
    log: Log = []

    def body(engine: Engine, act: Any) -> None:
        act("one")
        in_thread(lambda: act("two"))
        act("three")

    engine = engine_with(body, log, adopt_threads=True)
    assert engine("a task").learned
    assert engine("a task").steps == 3
    assert log == ["one", "two", "three"] * 2


def test_c9_adopt_threads_does_not_guess_between_two_open_runs() -> None:
    log: Log = []
    outcomes: dict[str, Outcome] = {}
    both_open = threading.Barrier(2, timeout=60)
    called = threading.Barrier(2, timeout=60)
    engine = Engine(adopt_threads=True)

    @engine.tool(name="act", effect="read")
    def act(what: str) -> None:
        log.append(what)

    def agent(task: str) -> None:
        act(task)
        both_open.wait()
        if task == "first":
            in_thread(lambda: act("whose?"))
        called.wait()

    engine.set_agent(agent)
    threads = [
        threading.Thread(target=lambda task=task: outcomes.update({task: engine(task)})) for task in ("first", "second")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(log) == ["first", "second", "whose?"]
    assert {outcome.not_learned for outcome in outcomes.values()} == {Reason.INCOMPLETE_THREADS}


def test_c9_adopt_threads_leaves_calls_alone_while_one_is_in_progress() -> None:
    engine = Engine(adopt_threads=True)
    inner = engine.tool(name="inner", effect="read")(lambda: None)

    @engine.tool(name="outer", effect="read")
    def outer() -> None:
        in_thread(inner)

    engine.set_agent(lambda task: outer())
    assert engine("a task").not_learned is Reason.INCOMPLETE_THREADS


def test_c9_two_runs_at_once_in_two_threads_are_two_recordings() -> None:
    log: Log = []
    together = threading.Barrier(2, timeout=60)
    engine = Engine()

    @engine.tool(name="act", effect="read")
    def act(what: str) -> None:
        log.append(what)

    def agent(task: str) -> None:
        for n in range(3):
            together.wait()
            act(f"{task} {n}")

    engine.set_agent(agent)
    with ThreadPoolExecutor(2) as pool:
        assert all(outcome.learned for outcome in pool.map(engine, ["left", "right"]))
    log.clear()
    assert engine("left")
    assert log == ["left 0", "left 1", "left 2"]
