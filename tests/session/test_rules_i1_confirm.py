"""I1: a verdict does not age: the pre-check is asked again right before the tool."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from muscle_mem import AskAgent, Check, Engine, Finished, InvalidValueError, Missed, NotReadyError
from scripted_framework import Bench, asked, ended, handed


class Refunds:
    """An engine whose only tool refunds an order; `captures` counts the looks, `state` is what they see."""

    def __init__(self, **options: Any) -> None:
        self.engine = Engine(**options)
        self.state: dict[str, str] = {}
        self.captures = 0
        self.made: list[str] = []

        def look(order: str) -> str:
            self.captures += 1
            return self.state.get(order, "open")

        @self.engine.tool(Check(look), name="refund")
        def refund(order: str) -> str:
            self.made.append(order)
            return f"refunded {order}"

        self.refund = refund

    def learn(self, *turns: list[str]) -> None:
        with self.engine.session("task", mode="record") as session:
            for turn in turns:
                asked(session).said([("refund", {"order": order}) for order in turn])
                for call in [handed(session) for _ in turn]:
                    session.done(call, self.refund(**call.arguments))
            asked(session).said([])
        assert ended(session).learned
        self.made.clear()
        self.captures = 0


def wait() -> None:
    """Longer than a verdict stays fresh."""
    time.sleep(0.06)


def test_i1_a_refund_that_was_made_while_a_person_thought_is_not_made_twice() -> None:
    shop = Refunds()
    shop.learn(["a"], ["b"])
    with shop.engine.session("task") as session:
        call = handed(session)
        wait()
        assert session.confirm(call) is True
        session.done(call, shop.refund("a"))
        call = handed(session)
        wait()
        shop.state["b"] = "refunded"
        assert session.confirm(call.id) is False
        with pytest.raises(InvalidValueError, match="no call is outstanding"):
            session.done(call, "x")
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert (turn.reason, turn.handover.step) == ("check_refused", 1)
        assert "refunded" in turn.message
        assert [step.arguments["order"] for step in turn.handover.executed] == ["a"]
        session.said([])
    assert shop.made == ["a"]
    assert shop.engine.cache_info().hits == 0


def test_i1_before_the_first_effect_a_no_is_a_miss() -> None:
    shop = Refunds()
    shop.learn(["a"])
    with shop.engine.session("task") as session:
        call = handed(session)
        wait()
        shop.state["a"] = "refunded"
        assert not session.confirm(call)
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert (turn.reason, turn.handover) == ("first_check_refused", None)
        session.said([])
    with pytest.raises(Missed), shop.engine.session("task", mode="replay") as session:  # noqa: PT012
        shop.state.clear()
        call = handed(session)
        wait()
        shop.state["a"] = "refunded"
        assert not session.confirm(call)
        session.next()


def test_i1_a_no_does_not_count_against_the_recording_and_ranks_as_a_detour() -> None:
    shop = Refunds()
    shop.learn(["a"], ["b"])
    for _ in range(3):
        with shop.engine.session("task") as session:
            session.done(handed(session), shop.refund("a"))
            call = handed(session)
            wait()
            shop.state["b"] = "refunded"
            assert not session.confirm(call)
            asked(session).said([("refund", {"order": "c"})])
            session.done(handed(session), shop.refund("c"))
            asked(session).said([])
        shop.state.clear()
    shop.made.clear()
    with shop.engine.session("task") as session:
        for name in "ab":
            session.done(handed(session), shop.refund(name))
        assert isinstance(session.next(), Finished)
    assert shop.made == ["a", "b"]


def test_i1_a_fresh_verdict_is_not_asked_again_unless_something_was_made_since() -> None:
    shop = Refunds()
    shop.learn(["a", "b"])
    with shop.engine.session("task") as session:
        first, second = handed(session), handed(session)
        assert shop.captures == 2
        assert session.confirm(first)
        assert shop.captures == 2
        shop.state["b"] = "refunded"
        session.done(first, shop.refund("a"))
        assert not session.confirm(second)
        assert shop.captures == 3
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert [step.arguments["order"] for step in turn.handover.executed] == ["a"]
    shop.state.clear()
    shop.captures = 0
    with shop.engine.session("task") as session:
        first, second = handed(session), handed(session)
        wait()
        assert session.confirm(first)
        assert shop.captures == 3
        assert session.confirm(second)
        assert shop.captures == 4


@pytest.mark.parametrize("done_first", [True, False])
def test_i1_a_no_in_a_turn_leaves_what_was_handed_out_with_it(done_first: bool) -> None:
    shop = Refunds()
    shop.learn(["x"], ["a", "b", "c"], ["y"])
    with shop.engine.session("task") as session:
        session.done(handed(session), shop.refund("x"))
        first, second, third = handed(session), handed(session), handed(session)
        if done_first:
            session.done(third, shop.refund("c"))
        wait()
        shop.state["b"] = "refunded"
        assert not session.confirm(second)
        with pytest.raises(NotReadyError):
            session.next()
        session.done(first, shop.refund("a"))
        if not done_first:
            session.done(third, shop.refund("c"))
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert [step.arguments["order"] for step in turn.handover.executed] == ["x", "a", "c"]
        assert [str(step) for step in turn.handover.remaining] == ["refund(order='b')", "refund(order='y')"]
        session.said([("refund", {"order": "d"})])
        session.done(handed(session), shop.refund("d"))
        asked(session).said([])
        assert ended(session).learned, ended(session).not_learned_message
    shop.state["b"] = "refunded"
    with shop.engine.session("task") as session:
        names = []
        while not isinstance(turn := session.next(), Finished):
            names.append(turn.arguments["order"])  # type: ignore[union-attr]
            session.done(turn, shop.refund(names[-1]))  # type: ignore[arg-type]
        assert sorted(names) == ["a", "c", "d", "x"]


def test_i1_another_recording_of_the_same_call_may_have_the_present_state() -> None:
    shop = Refunds()
    shop.learn(["a"])
    shop.state["a"] = "reopened"
    shop.learn(["a"])
    for before, after in (("open", "reopened"), ("reopened", "open")):
        shop.state["a"] = before
        with shop.engine.session("task") as session:
            call = handed(session)
            wait()
            shop.state["a"] = after
            assert session.confirm(call)
            session.done(call, "refunded a")
            assert isinstance(session.next(), Finished)


def test_i1_calls_of_the_model_and_tools_without_a_pre_check_are_confirmed_as_they_are() -> None:
    bench = Bench()
    with bench.session() as session:
        asked(session).said([("press", {"name": "a"})])
        call = handed(session)
        wait()
        assert session.confirm(call)
        session.done(call, "x")
    engine = Engine()
    engine.tool(name="act")(lambda: None)
    for replayed in (False, True):
        with engine.session("task") as session:
            if not replayed:
                asked(session).said([("act", {})])
            call = handed(session)
            wait()
            assert session.confirm(call)
            session.done(call, None)
            if not replayed:
                asked(session).said([])
            else:
                assert isinstance(session.next(), Finished)


def test_i1_a_capture_that_raises_is_a_no() -> None:
    engine = Engine()
    broken: list[str] = []

    def look() -> int:
        if broken:
            raise OSError("down")
        return 1

    engine.tool(Check(look), name="act")(lambda: None)
    with engine.session("task", mode="record") as session:
        asked(session).said([("act", {})])
        session.done(handed(session))
        asked(session).said([])
    with engine.session("task") as session:
        call = handed(session)
        wait()
        broken.append("yes")
        assert not session.confirm(call)
        asked(session)


def test_i1_async_sessions_confirm_with_async_checks() -> None:
    bench = Bench(asynchronous=True)

    async def main() -> None:
        assert (await bench.arun("ab")).learned
        async with bench.engine.asession("task") as session:
            call = await session.next()
            await asyncio.sleep(0.06)
            assert await session.confirm(call)  # type: ignore[arg-type]
            await asyncio.sleep(0.06)
            bench.state["a"] = "moved"
            assert not await session.confirm(call)  # type: ignore[arg-type]
            assert isinstance(await session.next(), AskAgent)

    asyncio.run(main())


def test_i1_confirm_for_a_call_that_is_not_outstanding_is_refused() -> None:
    bench = Bench()
    with bench.session() as session, pytest.raises(InvalidValueError, match=r"session\.confirm\('x'\) failed"):
        session.confirm("x")
