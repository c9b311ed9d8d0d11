"""I4: a framework may make the calls of a session in threads and tasks of its own."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Check, Engine, Finished, InvalidValueError, current_run
from scripted_framework import Bench, asked, ended, handed


def in_thread(fn: Callable[[], Any]) -> Any:
    """What a function returns in a thread of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(fn()))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("block", [True, False])
def test_i4_a_handed_out_call_may_be_made_in_any_thread(block: bool) -> None:
    bench = Bench()
    session = bench.session()
    if block:
        session.__enter__()
    asked(session).said([("press", {"name": "a"}), ("press", {"name": "b"})])
    calls = [handed(session), handed(session)]
    for call in reversed(calls):
        session.done(call, in_thread(lambda call=call: bench.press(**call.arguments)))
    asked(session).said([])
    assert ended(session).learned, ended(session).not_learned_message
    if block:
        session.__exit__(None, None, None)
    assert bench.run().steps == 2


def test_i4_defaults_that_the_framework_passes_do_not_make_another_call() -> None:
    engine = Engine()

    @engine.tool(Check(lambda *_, **__: None), name="pay")
    def pay(to: str, amount: int = 5) -> str:
        return f"{to} {amount}"

    with engine.session("task") as session:
        asked(session).said([("pay", {"to": "Ada"})])
        session.done(handed(session), in_thread(lambda: pay("Ada", amount=5)))
        asked(session).said([])
    assert ended(session).learned


@pytest.mark.parametrize("stray", ["press b", "pull a"])
def test_i4_other_arguments_or_another_tool_in_a_thread_are_a_call_of_their_own(stray: str) -> None:
    bench = Bench()
    pull = bench.engine.tool(name="pull")(lambda name: None)
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        call = handed(session)
        in_thread(lambda: bench.press("b") if stray == "press b" else pull("a"))
        session.done(call, "x")
        asked(session).said([])
    assert ended(session).not_learned == "incomplete_threads"


def test_i4_a_call_after_it_is_done_is_a_stray_one_again() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        call = handed(session)
        session.done(call, "x")
        in_thread(lambda: bench.press("a"))
        asked(session).said([])
    assert ended(session).not_learned == "incomplete_threads"


def test_i4_arguments_that_cannot_be_compared_are_not_equal() -> None:
    engine = Engine()

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

        __hash__ = None  # type: ignore[assignment]

    act = engine.tool(name="act")(lambda thing: None)
    with engine.session("task") as session:
        asked(session).said([("act", {"thing": 1})])
        call = handed(session)
        in_thread(lambda: act(Odd()))
        session.done(call)
        asked(session).said([])
    assert ended(session).not_learned == "incomplete_threads"


@pytest.mark.parametrize("replayed", [False, True])
def test_i4_inside_a_call_the_run_is_known_in_any_thread(replayed: bool) -> None:
    bench = Bench()
    if replayed:
        bench.learn("ab")

    def make(session: Any, call: Any) -> tuple[str, str]:
        with session.inside(call):
            run = current_run()
            assert run is not None
            return run.id, run.idempotency_key

    with bench.session() as session:
        turns = session.next(), None
        if not replayed:
            session.said([("press", {"name": name}, name) for name in "ab"])
            turns = handed(session), handed(session)
        seen = {in_thread(lambda call=call: make(session, call)) for call in turns if call is not None}
        assert {id for id, _ in seen} == {session.run.id}
        assert len(seen) == (1 if replayed else 2)
        assert session.run.idempotency_key in {key for _, key in seen}
        for call in turns:
            if call is not None:
                session.done(call, f"pressed {call.arguments['name']}")
        if replayed:
            session.done(handed(session), "pressed b")
            assert isinstance(session.next(), Finished)


def test_i4_decorated_functions_inside_a_call_are_plain() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        call = handed(session)

        def make() -> str:
            with session.inside(call.id):
                bench.press("helper")
                return bench.press("a")

        session.done(call, in_thread(make))
        asked(session).said([])
    assert ended(session).learned
    bench.run()
    assert bench.replayed == ["a"]


def test_i4_inside_a_call_that_is_not_outstanding_is_refused() -> None:
    bench = Bench()
    with bench.session() as session, pytest.raises(InvalidValueError, match=r"session\.inside"), session.inside("x"):
        raise AssertionError
    with bench.session(mode="off") as session:
        asked(session).said([("press", {"name": "a"})])
        call = handed(session)
        with session.inside(call):
            assert current_run() is None
            bench.press("a")
        session.done(call)


def test_i4_a_call_whose_arguments_the_framework_has_parsed_is_the_same_call_in_its_own_thread() -> None:
    engine = Engine()

    @engine.tool(name="book")
    def book(day: datetime.date) -> str:
        return day.isoformat()

    with engine.session("task") as session:
        asked(session).said([("book", {"day": "2026-05-01"})])
        session.done(handed(session), book(datetime.date(2026, 5, 1)))
        asked(session).said([])
    assert ended(session).learned
