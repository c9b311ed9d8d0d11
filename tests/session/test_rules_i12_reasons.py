"""I12: a request to ask the model says why, also where nothing was replayed."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import AskAgent, Secret
from scripted_framework import Bench, handed


def asks(session: Any) -> AskAgent:
    turn = session.next()
    assert isinstance(turn, AskAgent)
    return turn


def test_i12_a_miss_tells_its_reason() -> None:
    bench = Bench()
    with bench.session() as session:
        turn = asks(session)
        assert (turn.reason, turn.handover) == ("new_task", None)
        assert "no recording" in turn.message
    bench.learn("a")
    bench.state["a"] = "moved"
    with bench.session() as session:
        turn = asks(session)
        assert (turn.reason, turn.handover) == ("first_check_refused", None)
        assert "moved" in turn.message


def test_i12_a_divergence_tells_the_reason_of_its_hand_over_and_later_requests_repeat_it() -> None:
    bench = Bench()
    bench.learn("ab")
    bench.state["b"] = "moved"
    with bench.session() as session:
        session.done(handed(session), "pressed a")
        first = asks(session)
        assert first.handover is not None
        assert (first.reason, first.message) == ("check_refused", first.handover.divergence.message)
        session.said([("press", {"name": "x"})])
        session.done(handed(session), "pressed x")
        later = asks(session)
        assert later.handover is None
        assert (later.reason, later.message) == (first.reason, first.message)


@pytest.mark.parametrize("mode", ["off", "record", "shadow"])
def test_i12_modes_that_do_not_replay_say_so(mode: Any) -> None:
    bench = Bench()
    bench.learn("a")
    with bench.session(mode=mode) as session:
        turn = asks(session)
        assert turn.reason == "mode"
        assert turn.message


def test_i12_a_message_holds_no_secret() -> None:
    bench = Bench()
    secret = Secret("hunter2-hunter2")
    bench.learn("a", secrets={"password": secret})
    bench.state["a"] = "hunter2-hunter2"
    with bench.session(secrets={"password": secret}) as session:
        assert "hunter2" not in asks(session).message
