"""Sessions in wrong hands: dropped half-way, driven from two threads, told of what they never asked for."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from muscle_mem import (
    Call,
    Check,
    Engine,
    InvalidTypeError,
    InvalidValueError,
    MuscleMemError,
    NotReadyError,
    Session,
)
from muscle_mem._events import NotLearnedEvent, RunEvent
from scripted_framework import Bench, asked, ended, handed, is_free

# -- left half-way


def test_a_block_that_is_left_in_a_replay_counts_no_hit() -> None:
    bench = Bench()
    bench.learn("ab")
    with bench.session() as session:
        session.done(handed(session), "pressed a")
    with bench.session() as session:
        handed(session)
    assert bench.engine.cache_info().hits == 0
    assert session.outcome is None
    assert [event.status for event in bench.events if isinstance(event, RunEvent)][-2:] == ["raised", "raised"]
    with pytest.raises(NotReadyError, match="session is over"):
        session.next()
    is_free(bench)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_block_that_is_left_while_the_model_works_learns_nothing(calls: int) -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": name}) for name in "ab"])
        for _ in range(calls):
            call = handed(session)
            session.done(call, bench.press(**call.arguments))
        handed(session) if calls < 2 else asked(session)
    assert bench.engine.cache_info().learned == 0
    assert bench.engine.cache_info().misses == 0
    assert [event.reason for event in bench.events if isinstance(event, NotLearnedEvent)] == ["cancelled"]
    assert bench.run(mode="auto").reason == "new_task"
    is_free(bench)


def test_an_exception_that_leaves_the_block_is_the_agents_and_passes_on_unchanged() -> None:
    bench = Bench()
    bench.learn("ab")
    bench.state["b"] = "moved"
    error = RuntimeError("the model is down")
    with pytest.raises(RuntimeError) as raised, bench.session() as session:  # noqa: PT012 - the block is what is tested
        session.done(handed(session), "pressed a")
        asked(session)
        raise error
    assert raised.value is error
    assert "the agent was asked after a divergence" in error.__notes__[0]
    told = [event for event in bench.events if isinstance(event, NotLearnedEvent)]
    assert [event.reason for event in told] == ["agent_raised"]
    is_free(bench)


def test_a_replay_that_failed_counts_against_the_trajectory_even_if_the_session_is_left() -> None:
    bench = Bench()
    bench.learn("ab")
    bench.after["a"] = "something else"
    with bench.session() as session:
        session.done(handed(session), "pressed a")
        asked(session)
    bench.after.clear()
    assert bench.run().reason == "quarantined"


def test_close_tells_the_models_failure_without_a_block_and_can_be_said_twice() -> None:
    bench = Bench()
    session = asked(bench.session())
    session.close(ConnectionError("the model is down"))
    session.close()
    assert [event.reason for event in bench.events if isinstance(event, NotLearnedEvent)] == ["agent_raised"]
    bench.session().close()  # never begun
    finished = bench.session()
    bench.drive(finished, ["a"])
    finished.close()
    assert ended(finished).learned
    is_free(bench)


@pytest.mark.parametrize("where", ["asked", "call", "replay"])
def test_a_session_that_is_dropped_leaves_the_engine_free(where: str) -> None:
    bench = Bench()
    if where == "replay":
        bench.learn("ab")
    session = bench.session()
    if where == "replay":
        handed(session)
    else:
        asked(session)
    if where == "call":
        session.said([("press", {"name": "a"})])
        handed(session)
    del session
    gc.collect()
    bench.press("stray")  # a plain function again, which makes no other run incomplete
    assert bench.engine.cache_info().hits == 0
    is_free(bench)


def test_an_async_session_that_is_cancelled_in_a_capture_is_over() -> None:
    engine = Engine()
    looking = asyncio.Event()

    async def look() -> None:
        looking.set()
        await asyncio.sleep(60)

    @engine.tool(Check(look))
    async def act() -> None: ...

    async def framework(session: Any) -> None:
        await session.next()
        await session.said([(act, {})])
        await session.next()

    async def main() -> None:
        session = engine.asession("task")
        task = asyncio.create_task(framework(session))
        await looking.wait()
        with pytest.raises(NotReadyError, match="one thread or task at a time"):
            await session.next()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(NotReadyError, match="session is over"):
            await session.next()

    asyncio.run(main())
    assert not engine._runtime.open_runs.frames
    assert engine.cache_info().not_learned == 1


def test_a_step_that_is_dropped_half_way_leaves_the_engine_free() -> None:
    engine_events: list[Any] = []
    engine = Engine(observers=engine_events.append)

    async def look() -> None:
        await asyncio.sleep(60)

    @engine.tool(Check(look))
    async def act() -> None: ...

    async def main() -> None:
        session = engine.asession("task")
        await session.next()
        await session.said([(act, {})])
        half_way = session.next()
        half_way.send(None)
        half_way.close()
        with pytest.raises(NotReadyError, match="session is over"):
            await session.next()

    asyncio.run(main())
    assert not engine._runtime.open_runs.frames
    assert [event.reason for event in engine_events if isinstance(event, NotLearnedEvent)] == ["cancelled"]


def test_an_interrupt_told_of_a_replayed_call_ends_the_session_and_passes_through() -> None:
    bench = Bench()
    bench.learn("ab")
    session = bench.session()
    with pytest.raises(KeyboardInterrupt):
        session.done(handed(session), error=KeyboardInterrupt())
    with pytest.raises(NotReadyError):
        session.next()
    is_free(bench)


# -- two threads


def test_two_threads_in_one_session_are_told_so_and_nothing_hangs() -> None:
    engine = Engine()
    inside, go_on = threading.Event(), threading.Event()
    told: list[BaseException] = []

    def look() -> int:
        inside.set()
        assert go_on.wait(60)
        return 1

    @engine.tool(Check(look))
    def act() -> None: ...

    session = engine.session("task")
    asked(session).said([(act, {})])
    turns: list[Any] = []
    thread = threading.Thread(target=lambda: turns.append(session.next()))
    thread.start()
    assert inside.wait(60)
    for meddle in (session.next, lambda: session.said([]), lambda: session.done("x"), session.close):
        with pytest.raises(NotReadyError, match="in progress") as raised:
            meddle()
        told.append(raised.value)
    go_on.set()
    thread.join()
    assert len(told) == 4
    assert isinstance(turns[0], Call)
    session.done(turns[0])  # one after the other, the thread does not matter
    session.next()
    session.said([])
    assert ended(session).learned


def test_a_capture_that_steps_its_own_session_is_refused_and_does_not_hang() -> None:
    engine = Engine()
    sessions: list[Session] = []

    @engine.tool(Check(lambda: sessions[0].next()))
    def act() -> None: ...

    with engine.session("task") as session:
        sessions.append(session)
        asked(session).said([(act, {})])
        session.done(handed(session))
        session.next()
        session.said([])
        assert ended(session).not_learned == "capture_failed"


# -- told what it never asked for


def test_done_for_what_was_never_handed_out_or_is_done_already() -> None:
    bench = Bench()
    session = bench.session()
    with pytest.raises(InvalidValueError, match="no call is outstanding"):
        session.done("call_1", "x")
    asked(session).said([("press", {"name": "a"}, "1"), ("press", {"name": "b"}, "1")])
    first = handed(session)
    with pytest.raises(InvalidValueError, match=r"the outstanding call is press \(1\)"):
        session.done("2", "x")
    session.done(first, "x")
    with pytest.raises(InvalidValueError, match="no call is outstanding"):
        session.done(first, "x")
    second = handed(session)
    with pytest.raises(InvalidValueError, match="the outstanding call"):
        session.done(first, "x")  # the same id, but another call
    session.done(second, "x")
    session.next()
    session.said([])
    assert ended(session).learned


def test_steps_out_of_turn_say_which_step_is_missing() -> None:
    bench = Bench()
    session = bench.session()
    with pytest.raises(NotReadyError, match=r"session\.next\(\)"):
        session.said([])
    asked(session)
    with pytest.raises(NotReadyError, match=r"session\.said"):
        session.next()
    session.said([("press", {"name": "a"})])
    with pytest.raises(NotReadyError, match=r"session\.next\(\)"):
        session.said([])
    call = handed(session)
    with pytest.raises(NotReadyError, match=r"press \(call_mm_[0-9a-f]{12}0\)"):
        session.next()
    session.done(call)
    asked(session).said([])
    session.next()
    for late in (session.next, lambda: session.said([]), lambda: session.done(call)):
        with pytest.raises(NotReadyError, match="session is over: <Outcome miss"):
            late()


@pytest.mark.parametrize(
    ("calls", "error", "says"),
    [
        ("press", InvalidTypeError, "a list of calls"),
        ({"name": "press"}, InvalidTypeError, "a list of calls"),
        (None, InvalidTypeError, "a list of calls"),
        (["press"], InvalidTypeError, "call"),
        ([("press",)], InvalidTypeError, "call"),
        ([("press", {}, 7)], InvalidTypeError, "id.*7"),
        ([("press", {})], InvalidValueError, "Lever.press, Panel.press"),
        ([("Panel.press", [1])], InvalidTypeError, "dict by name"),
        ([("Panel.press", {1: 2})], InvalidTypeError, "dict by name"),
        ([("Panel.press", "{no json")], InvalidValueError, "Panel.press.*JSON"),
        ([(print, {})], InvalidValueError, "print"),
        ([{"function": {"arguments": "{}"}}], InvalidTypeError, "call"),
    ],
)
def test_a_call_that_cannot_be_understood_is_refused_whole_and_can_be_said_again(
    calls: Any, error: type[MuscleMemError], says: str
) -> None:
    bench = Bench()
    bench.engine.tool(lambda: None, name="Lever.press") if False else bench.engine.tool(name="Lever.press")(
        lambda: None
    )
    session = asked(bench.session())
    with pytest.raises(error, match=says):
        session.said(calls)
    with pytest.raises(error, match=says):
        session.said([("Panel.press", {"name": "a"}), *calls] if isinstance(calls, list) else calls)
    session.said([("Panel.press", {"name": "a"})])
    session.done(handed(session), "x")
    asked(session).said([])
    assert ended(session).learned


def test_results_that_cannot_be_are_refused_and_the_call_stays_outstanding() -> None:
    bench = Bench()
    session = asked(bench.session())
    with pytest.raises(InvalidValueError, match="value="):
        session.said([("press", {"name": "a"})], value="done")
    session.said([("press", {"name": "a"})])
    call = handed(session)

    async def later() -> None: ...

    pending = later()
    with pytest.raises(InvalidTypeError, match=r"(?i)await it"):
        session.done(call, pending)
    pending.close()
    with pytest.raises(InvalidTypeError, match=r"error=.*exception"):
        session.done(call, error="no")
    with pytest.raises(InvalidValueError, match="error="):
        session.done(call, "x", error=ValueError())
    session.done(call, "x")


def test_a_method_without_its_object_is_refused() -> None:
    engine = Engine()

    class Page:
        @engine.tool
        def click(self) -> None: ...

    session = asked(engine.session("task"))
    with pytest.raises(NotReadyError, match="no context object has the tool"):
        session.said([("click", {})])


def test_misuse_is_refused_when_the_session_is_made() -> None:
    engine = Engine()
    with pytest.raises(InvalidValueError, match=r"mode=.*'sometimes'"):
        engine.session("task", mode="sometimes")
    with pytest.raises(InvalidTypeError, match="success="):
        engine.asession("task", success=1)
    with pytest.raises(NotReadyError, match="context manager"), engine.session("task") as session, session:
        raise AssertionError
