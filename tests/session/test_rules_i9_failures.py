"""I9: a failure that a tool reports as its result is one in a session, too."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import AskAgent, Check, Engine
from scripted_framework import asked, ended, handed

MCP_ERROR = {"content": [{"type": "text", "text": "no such order"}], "isError": True}


def refused(result: Any) -> bool | str:
    """What `failed=` says of a result."""
    return "nothing_done" if result == "not possible" else result == "out of money"


@pytest.mark.parametrize(
    ("result", "is_learned"), [("not possible", True), ("out of money", False), (MCP_ERROR, False)]
)
def test_i9_a_call_of_the_model_that_failed_is_no_step(result: Any, is_learned: bool) -> None:
    engine = Engine()
    engine.external_tool("pay", effect="write", failed=None if result is MCP_ERROR else refused)
    with engine.session("task") as session:
        for told in (result, "paid"):
            asked(session).said([("pay", {"to": "Ada"})])
            session.done(handed(session), told)
        asked(session).said([])
    assert ended(session).not_learned == (None if is_learned else "failed_write")
    if is_learned:
        with engine.session("task") as session:
            session.done(handed(session), "paid")
            session.next()
        assert ended(session).steps == 1


@pytest.mark.parametrize("result", ["not possible", "out of money"])
def test_i9_a_replayed_call_that_failed_stops_the_replay(result: str) -> None:
    engine = Engine()
    engine.external_tool("pay", pre_check=Check(lambda **_: 0), effect="write", failed=refused)
    with engine.session("task") as session:
        for to in ("Ada", "Bob"):
            asked(session).said([("pay", {"to": to})])
            session.done(handed(session), "paid")
        asked(session).said([])
    with engine.session("task") as session:
        session.done(handed(session), result)
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert (turn.reason, [step.result for step in turn.handover.executed]) == ("returned_error", [result])
