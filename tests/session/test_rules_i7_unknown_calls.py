"""I7: a run with a call that the engine does not know is either learned with it, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Engine, Finished, InvalidValueError
from scripted_framework import Bench, asked, ended, handed


def test_i7_an_unknown_tool_is_an_external_one_from_its_first_call_on() -> None:
    engine = Engine()
    with engine.session("task") as session:
        asked(session).said([("refund", {"order": "a", "amount": 5}, "1")])
        call = handed(session)
        assert (call.tool, call.name, call.arguments) == ("refund", "refund", {"order": "a", "amount": 5})
        session.done(call, {"refunded": 5})
        asked(session).said([])
    assert ended(session).learned
    with engine.session("task") as session:
        call = handed(session)
        assert (call.tool, list(call.arguments.items()), call.replayed) == (
            "refund",
            [("order", "a"), ("amount", 5)],
            True,
        )
        session.done(call, {"refunded": 5})
        assert isinstance(session.next(), Finished)


def test_i7_it_is_unchecked_and_said_to_be() -> None:
    events: list[Any] = []
    engine = Engine(observers=events.append)
    for _ in range(2):
        with engine.session("task") as session:
            turn = session.next()
            if not hasattr(turn, "tool"):
                session.said([("refund", {})])
                turn = session.next()
            session.done(turn, "x")  # type: ignore[arg-type]
            if not isinstance(session.next(), Finished):
                session.said([])
    assert [event.code for event in events if getattr(event, "code", "") == "unchecked"] == ["unchecked"]


def test_i7_a_strict_engine_takes_no_unknown_tool() -> None:
    bench = Bench(strict=True)
    session = asked(bench.session())
    with pytest.raises(InvalidValueError, match=r"'pull' is not registered. Use one of: Panel.press"):
        session.said([("press", {"name": "a"}), ("pull", {})])
    session.said([("press", {"name": "a"})])
    assert handed(session).name == "press"


def test_i7_a_run_that_its_caller_cannot_follow_goes_on_and_is_not_learned() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        session.done(handed(session), bench.press("a"))
        asked(session)
        session.unlearnable("the provider ran a search of its own")
        session.said([("press", {"name": "b"})])
        session.done(handed(session), bench.press("b"))
        asked(session).said([])
    outcome = ended(session)
    assert (outcome.learned, outcome.not_learned) == (False, "unlearnable")
    assert outcome.not_learned_message == "the provider ran a search of its own"
    assert bench.log == ["a", "b"]
    assert bench.run(mode="auto").reason == "new_task"


def test_i7_it_may_be_said_at_any_time_and_costs_a_hit_nothing() -> None:
    bench = Bench()
    bench.learn("a")
    with bench.session() as session:
        session.unlearnable("x")
        session.done(handed(session), bench.press("a"))
        assert isinstance(session.next(), Finished)
    assert ended(session)
    with bench.session(mode="off") as session:
        session.unlearnable("x")
        asked(session).said([])


def test_i7_a_reason_with_a_secret_in_it_is_shown_without() -> None:
    bench = Bench()
    with bench.session(secrets={"password": "hunter2-hunter2"}) as session:
        asked(session).said([("press", {"name": "a"})])
        session.done(handed(session), "x")
        asked(session)
        session.unlearnable("got hunter2-hunter2")
        session.said([])
    assert "hunter2" not in ended(session).not_learned_message
