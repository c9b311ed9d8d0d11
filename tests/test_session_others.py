"""Sessions beside others: decorated tools, runs of other threads, runs inside runs, async checks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine
from stepping import Bench, asked, ended, handed


def in_thread(fn: Callable[[], Any]) -> None:
    thread = threading.Thread(target=fn)
    thread.start()
    thread.join()


@pytest.mark.parametrize("block", [True, False])
def test_a_framework_may_call_the_decorated_function_and_it_is_recorded_once(block: bool) -> None:
    bench = Bench()
    session = bench.session()
    if block:
        session.__enter__()
    asked(session).said([("press", {"name": "a"})])
    call = handed(session)
    session.done(call, bench.press(**call.arguments))
    asked(session).said([])
    assert ended(session).learned
    if block:
        session.__exit__(None, None, None)
    assert bench.run().steps == 1


@pytest.mark.parametrize("block", [True, False])
def test_a_tool_that_is_called_behind_the_sessions_back_makes_the_run_incomplete(block: bool) -> None:
    bench = Bench()
    session = bench.session()
    if block:
        session.__enter__()
    asked(session)
    bench.press("secretly")
    session.said([("press", {"name": "a"})])
    call = handed(session)
    session.done(call, bench.press(**call.arguments))
    asked(session).said([])
    assert ended(session).not_learned == "incomplete_threads"
    assert "the session was not told" in ended(session).not_learned_message
    if block:
        session.__exit__(None, None, None)


def test_the_call_of_a_session_makes_no_run_of_another_thread_incomplete() -> None:
    bench = Bench()
    at_work, go_on = threading.Event(), threading.Event()

    def agent(task: str) -> None:
        bench.press("mine")
        at_work.set()
        assert go_on.wait(60)

    bench.engine.set_agent(agent)
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(bench.engine("other task")))
    thread.start()
    assert at_work.wait(60)
    session = bench.session()
    asked(session).said([("press", {"name": "a"})])
    call = handed(session)
    session.done(call, bench.press(**call.arguments))
    asked(session).said([])
    go_on.set()
    thread.join()
    assert ended(session).learned
    assert outcomes[0].learned


def test_a_stray_call_of_another_thread_still_makes_the_session_incomplete() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        handed(session)
        in_thread(lambda: bench.press("stray"))
        session.done("call_mm_0", "x")
        asked(session).said([])
        assert ended(session).not_learned == "incomplete_threads"


def test_a_run_inside_a_session_is_nested_unless_it_is_inside_a_call() -> None:
    bench = Bench()
    other = Engine().set_agent(lambda task: None)
    for nested, reason in ((True, "nested_run"), (False, None)):
        with bench.session(mode="record") as session:
            asked(session)
            if nested:
                other("inner")
            session.said([("press", {"name": "a"})])
            call = handed(session)
            other("inner")
            session.done(call, "x")
            asked(session).said([])
            assert ended(session).not_learned == reason


def test_async_checks_under_a_plain_session_cost_the_recording_and_nothing_else() -> None:
    bench = Bench(asynchronous=True)
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        session.done(handed(session), "x")
        asked(session).said([])
        assert ended(session).not_learned == "capture_failed"
