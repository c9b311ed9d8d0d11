"""I8: a step with a tool that this agent does not offer is not replayed."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import AskAgent, Call, Check, Engine, Finished, InvalidTypeError, InvalidValueError, Missed
from scripted_framework import asked, ended, handed


class Shop:
    """An engine with two tools; `learn` has a model call the first, then the second."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.look = self.engine.tool(Check(lambda: None), name="Shop.look", aliases=["glance"])(lambda: "seen")
        self.buy = self.engine.tool(name="Shop.buy")(lambda: "bought")

    def learn(self) -> None:
        with self.engine.session("task") as session:
            for name in ("look", "buy"):
                asked(session).said([(name, {})])
                session.done(handed(session), name)
            asked(session).said([])
        assert ended(session).learned


@pytest.fixture
def shop() -> Shop:
    found = Shop()
    found.learn()
    return found


def test_i8_a_missing_tool_is_known_before_the_first_effect(shop: Shop) -> None:
    with shop.engine.session("task", tools=["look", "other"]) as session:
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert (turn.reason, turn.handover) == ("tool_missing", None)
        assert "'Shop.buy' (step 1)" in turn.message
        session.said([])
    with pytest.raises(Missed) as missed, shop.engine.session("task", mode="replay", tools=[]) as session:
        session.next()
    assert missed.value.outcome.reason == "tool_missing"


@pytest.mark.parametrize(
    "names", [["look", "buy"], ["Shop.look", "Shop.buy"], ["glance", "buy", "more"], ("buy", "look"), {"buy", "look"}]
)
def test_i8_tools_are_named_as_the_model_or_the_store_knows_them(shop: Shop, names: Any) -> None:
    with shop.engine.session("task", tools=names) as session:
        for name in ("look", "buy"):
            call = handed(session)
            assert call.name == name
            session.done(call, {"look": "look", "buy": "buy"}[name])
        assert isinstance(session.next(), Finished)


def test_i8_functions_are_tools_too(shop: Shop) -> None:
    with shop.engine.session("task", tools=[shop.look, shop.buy]) as session:
        assert isinstance(session.next(), Call)
    with pytest.raises(InvalidValueError, match="not registered"):
        shop.engine.session("task", tools=[len])


def test_i8_tools_may_be_offered_before_the_first_step_and_change_on_the_way(shop: Shop) -> None:
    with shop.engine.session("task") as session:
        session.offer(["look"])
        assert isinstance(session.next(), AskAgent)
    with shop.engine.session("task", tools=["look"]) as session:
        session.offer(["look", "buy"])
        session.done(handed(session), "look")
        session.offer(["look"])
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert (turn.reason, turn.handover.step) == ("tool_missing", 1)
        assert [step.tool for step in turn.handover.executed] == ["Shop.look"]
        session.said([])
    assert ended(session).status == "diverged"


def test_i8_it_does_not_count_against_the_recording(shop: Shop) -> None:
    for _ in range(3):
        with shop.engine.session("task") as session:
            session.done(handed(session), "look")
            session.offer([])
            asked(session).said([])
    with shop.engine.session("task") as session:
        assert isinstance(session.next(), Call)


@pytest.mark.parametrize("names", ["look", b"look", 7, [7], [None]])
def test_i8_what_is_no_list_of_tools_is_refused(shop: Shop, names: Any) -> None:
    with pytest.raises(InvalidTypeError, match="of a session: expected"):
        shop.engine.session("task", tools=names)
    with shop.engine.session("task") as session:
        with pytest.raises(InvalidTypeError, match="of a session: expected"):
            session.offer(names)
        assert isinstance(session.next(), Call)
