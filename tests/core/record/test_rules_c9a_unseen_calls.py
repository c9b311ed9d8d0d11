"""C9a, C4: calls that a run cannot follow make it incomplete, never a shorter recording."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine, Outcome, Reason, current_run
from unseen_desk import Desk

# Tools of another engine


@pytest.mark.parametrize("order", ["before", "after"])
def test_c9a_a_tool_of_another_engine_in_the_run_makes_it_incomplete(order: str) -> None:
    here, other = Desk(), Desk()

    def agent() -> None:
        if order == "before":
            other.save("foreign")
        here.save("x")
        if order == "after":
            other.save("foreign")

    for _ in range(2):
        outcome = here.run(agent)
        assert outcome.not_learned is Reason.FOREIGN_TOOL
        assert "save" in outcome.not_learned_message
    assert other.calls == ["foreign"] * 2


def test_c9a_an_async_tool_of_another_engine_makes_the_run_incomplete() -> None:
    here, other = Desk(), Desk()

    async def agent(task: str) -> None:
        await here.asave("x")
        await other.asave("foreign")

    here.engine.set_agent(agent)
    assert asyncio.run(here.engine.acall("task")).not_learned is Reason.FOREIGN_TOOL


def test_c9a_a_tool_of_another_engine_inside_a_step_or_check_or_callback_is_part_of_it() -> None:
    from muscle_mem import Check

    other = Desk()
    here = Desk(success=lambda value: other.save("success") is None)

    def capture() -> str:
        other.save("capture")
        return "same"

    @here.engine.tool(pre_check=Check(capture), effect="write")
    def work() -> None:
        other.save("inside")

    assert here.run(work).learned
    assert here.run(work)


@pytest.mark.parametrize("decorated", [False, True])
def test_c9a_a_function_that_two_engines_decorate_is_one_step(decorated: bool) -> None:
    one, two = Engine(observers=[]), Engine(observers=[])
    calls: list[str] = []

    def send(text: str) -> None:
        calls.append(text)

    def between(fn: Any) -> Any:
        if not decorated:
            return fn

        @functools.wraps(fn)
        def inner(*args: Any) -> Any:
            return fn(*args)

        return functools.partial(inner)

    both = two.tool(name="send")(between(one.tool(name="send")(send)))
    for engine in (one, two):
        calls.clear()
        engine.set_agent(lambda task: both("x"))
        assert engine("task").learned
        assert engine("task")
        assert calls == ["x", "x"]


# Calls after the agent has returned


def late_thread(here: Desk, after: threading.Event) -> tuple[Callable[[], None], list[threading.Thread]]:
    threads: list[threading.Thread] = []

    def work() -> None:
        after.wait(20)
        here.save("late")

    def agent() -> None:
        here.save("x")
        threads.append(threading.Thread(target=here.engine.bind(work)))
        threads[0].start()

    return agent, threads


def test_c9a_a_bound_thread_that_calls_after_the_agent_has_returned_quarantines_the_recording() -> None:
    here = Desk()
    after = threading.Event()
    agent, threads = late_thread(here, after)
    assert here.run(agent).learned
    after.set()
    threads[0].join()
    assert any("after the agent had returned" in text for text in here.warnings())
    outcome = here.run(lambda: here.save("x"))
    assert outcome.reason is Reason.QUARANTINED
    assert "late_call" in outcome.message
    assert here.run(lambda: None)  # The good run of the same calls has lifted the quarantine.


def test_c9a_a_task_that_calls_after_the_agent_has_returned_quarantines_the_recording() -> None:
    here = Desk()

    async def main() -> None:
        release = asyncio.Event()
        tasks: list[asyncio.Task[None]] = []

        async def later() -> None:
            await release.wait()
            await here.asave("late")

        async def agent(task: str) -> None:
            await here.asave("x")
            tasks.append(asyncio.create_task(later()))

        here.engine.set_agent(agent)
        assert (await here.engine.acall("task")).learned
        release.set()
        await tasks[0]
        here.engine.set_agent(lambda task: None)
        assert (await here.engine.acall("task")).reason is Reason.QUARANTINED

    asyncio.run(main())


def test_c9a_a_late_call_during_the_verdict_counts_too() -> None:
    after, called = threading.Event(), threading.Event()

    def success(value: Any) -> bool:
        after.set()
        called.wait(20)
        return True

    here = Desk(success=success)

    def work() -> None:
        after.wait(20)
        here.save("late")
        called.set()

    def agent() -> None:
        here.save("x")
        threading.Thread(target=here.engine.bind(work)).start()

    here.run(agent)
    assert here.run(lambda: here.save("x")).reason is Reason.QUARANTINED


def test_c9a_calls_of_the_verdict_itself_and_after_the_run_are_not_late() -> None:
    here = Desk(success=lambda value: here.save("verdict") is None)
    assert here.run(lambda: here.save("x")).learned
    here.save("after the run")
    assert here.run(lambda: here.save("x"))
    assert not here.warnings() or all("returned" not in text for text in here.warnings())


def test_c9a_a_thread_of_a_step_may_go_on_after_the_run() -> None:
    here = Desk()
    after = threading.Event()
    threads: list[threading.Thread] = []

    def work() -> None:
        after.wait(20)
        here.save("late")

    @here.engine.tool(effect="write")
    def start() -> None:
        threads.append(threading.Thread(target=here.engine.bind(work)))
        threads[-1].start()

    assert here.run(start).learned
    after.set()
    threads[0].join()
    assert here.run(start)


def test_c9a_a_late_call_may_belong_to_the_run_that_is_open_now() -> None:
    here = Desk()
    after = threading.Event()
    agent, threads = late_thread(here, after)
    here.run(agent)

    def second() -> None:
        here.save("y")
        after.set()
        threads[0].join()

    assert here.run(second, "second").not_learned is Reason.INCOMPLETE_THREADS


def test_c9a_a_late_call_of_a_run_that_was_not_learned_is_nothing() -> None:
    here = Desk(success=lambda value: False)
    after = threading.Event()
    agent, threads = late_thread(here, after)
    assert here.run(agent).not_learned is Reason.REFUSED
    after.set()
    threads[0].join()
    assert all("returned" not in text for text in here.warnings())


# A cancellation that the agent swallowed


async def cancelled_during(work: Callable[[], Any]) -> Outcome:
    here = Desk()

    async def agent(task: str) -> str:
        await here.asave("x")
        await work()
        return "done"

    here.engine.set_agent(agent)
    task = asyncio.create_task(here.engine.acall("task"))
    await asyncio.sleep(0.01)
    task.cancel()
    return await task


def test_c4_a_run_whose_agent_swallows_its_cancellation_counts_as_cancelled() -> None:
    async def swallow() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            pass

    outcome = asyncio.run(cancelled_during(swallow))
    assert outcome.value == "done"
    assert outcome.not_learned is Reason.CANCELLED


def test_c4_a_cancellation_that_was_taken_back_or_is_older_or_of_a_timeout_counts_for_nothing() -> None:
    async def take_back() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()

    assert asyncio.run(cancelled_during(take_back)).learned

    async def older() -> tuple[Outcome, Outcome]:
        here = Desk()

        async def agent(task: str) -> None:
            await here.asave("x")
            try:
                async with asyncio.timeout(0.01):
                    await asyncio.sleep(10)
            except TimeoutError:
                pass

        here.engine.set_agent(agent)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            pass
        return await here.engine.acall("task"), await here.engine.acall("task")

    first, second = asyncio.run(older())
    assert first.learned
    assert second


def test_c9a_without_shared_memory_runs_are_learned_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    from muscle_mem._runtime import unseen_calls

    def fail() -> None:
        raise OSError("no memory")

    monkeypatch.setattr(unseen_calls._marks, "acquire", fail)
    here = Desk()
    assert here.run(lambda: here.save("x")).learned
    assert here.run(lambda: here.save("x"))


def test_c9a_a_tool_of_another_engine_whose_attributes_raise_ends_no_run() -> None:
    class Proxy:
        def __call__(self) -> None: ...

        def __getattr__(self, name: str) -> Any:
            if name == "__func__":
                raise RuntimeError(name)
            raise AttributeError(name)

    here, other = Desk(), Engine(observers=[])
    foreign = other.tool(name="foreign")(Proxy())
    assert here.run(lambda: (here.save("x"), foreign())).not_learned is Reason.FOREIGN_TOOL


def test_c9a_a_session_learns_beside_forks_and_other_engines() -> None:
    here = Desk()
    with here.engine.session("task") as session:
        session.next()
        session.said([("Desk.__init__.<locals>.save", {"text": "x"})])
        call = session.next()
        call.fn(*call.args, **call.kwargs)
        session.done(call, None)
        session.next()
        session.said([])
        finished = session.next()
    assert finished.outcome.learned
    assert current_run() is None
