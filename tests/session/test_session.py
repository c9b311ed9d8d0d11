"""A session that others drive: what it hands out, what it learns, and what it replays."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest

from muscle_mem import Answered, AskAgent, Call, Check, Diverged, Engine, Finished, Missed, Reason, current_run
from muscle_mem._events import RunEvent
from scripted_framework import Bench, ended


def names(handover: Any) -> list[str]:
    return [step.arguments["name"] for step in handover.executed]


# -- a miss, a hit


def test_the_models_calls_are_handed_out_and_learned_and_then_replayed_without_it() -> None:
    bench = Bench()
    outcome = bench.run("abc")
    assert outcome.status == "miss"
    assert outcome.reason == "new_task"
    assert outcome.learned
    assert outcome.value == "said"
    assert bench.wanted == ["a", "b", "c"]
    assert bench.asked == [None] * 4
    hit = bench.run()
    assert hit
    assert hit.steps == 3
    assert bench.replayed == ["a", "b", "c"]
    assert not bench.asked
    assert bench.log == ["a", "b", "c"]
    info = bench.engine.cache_info()
    assert (info.hits, info.misses, info.learned, info.not_learned) == (1, 1, 1, 0)
    assert [event.status for event in bench.events if isinstance(event, RunEvent)] == ["miss", "hit"]


def test_nothing_is_looked_up_or_captured_before_the_first_next() -> None:
    looks: list[str] = []
    engine = Engine()

    @engine.tool(Check(lambda: looks.append("look")))
    def act() -> None: ...

    engine.session("task")
    assert not looks
    assert engine.cache_info().misses == 0


def test_a_pre_check_runs_right_before_its_call_is_handed_out_and_a_post_check_right_after_it_is_done() -> None:
    bench = Bench()
    bench.learn("ab")
    with bench.session() as session:
        first = session.next()
        assert isinstance(first, Call)
        session.done(first, "pressed a")
        bench.after["a"] = "changed since"  # the post-check has looked already
        bench.state["b"] = "changed since"  # the pre-check of the next step has not
        turn = session.next()
        assert isinstance(turn, AskAgent)
        assert turn.handover is not None
        assert turn.handover.reason == "check_refused"
        assert turn.handover.step == 1
        session.said([])


def test_a_recording_is_the_same_whether_an_agent_or_a_session_made_it() -> None:
    bench = Bench()

    def agent(task: str) -> None:
        bench.press("a")
        bench.press(name="b")

    bench.engine.set_agent(agent)
    first = bench.engine("task")
    assert bench.run().trajectory_id == first.trajectory_id
    assert bench.learn("ab").trajectory_id == first.trajectory_id
    assert bench.engine("task")


def test_a_call_can_be_made_from_what_it_says() -> None:
    engine = Engine()

    class Page:
        @engine.tool(ignore=["trace"], inject={"trace": lambda: "traced"})
        def click(self, target: str, /, count: int = 1, trace: str = "") -> tuple[Any, ...]:
            return (self, target, count, trace)

    page = Page()
    for replayed in (False, True):
        with engine.session("task", context=page) as session:
            turn = session.next()
            if isinstance(turn, AskAgent):
                session.said([("click", {"target": "ok", "count": 2}, "call_9")])
                turn = session.next()
            assert isinstance(turn, Call)
            assert (turn.tool.rpartition(".")[2], turn.name, turn.replayed) == ("click", "click", replayed)
            assert turn.arguments == {"target": "ok", "count": 2}
            assert re.fullmatch("call_mm_[0-9a-f]{12}0" if replayed else "call_9", turn.id)
            assert turn.fn(*turn.args, **turn.kwargs) == (page, "ok", 2, "traced")
            session.done(turn.id, "clicked")
            if not replayed:
                session.next()
                session.said([], value="clicked")
            end = session.next()
            assert isinstance(end, Finished)
            assert bool(end.outcome) is replayed
            assert end.outcome.value == "clicked"


def test_params_are_replayed_with_this_runs_values() -> None:
    bench = Bench()
    with bench.engine.session("press Bob", params={"who": "Bob"}) as session:
        bench.drive(session, ["Bob"])
    with bench.engine.session("press Eve", params={"who": "Eve"}) as session:
        assert bench.drive(session, [])
    assert bench.replayed == ["Eve"]


def test_what_the_model_says_is_taken_in_the_shapes_that_frameworks_have() -> None:
    bench = Bench()
    spoken = {"id": "x", "type": "function", "function": {"name": "press", "arguments": '{"name": "a"}'}}
    told = SimpleNamespace(id="y", function=SimpleNamespace(name="Panel.press", arguments='{"name": "b"}'))
    with bench.session() as session:
        session.next()
        session.said([spoken, told, (bench.press, {"name": "c"}), ["press", {"name": "d"}, "z"]])
        for id in ("x", "y", "call_mm_[0-9a-f]{12}0", "z"):
            call = session.next()
            assert isinstance(call, Call)
            assert re.fullmatch(id, call.id)
            session.done(call, bench.press(**call.arguments))
        session.next()
        session.said([])
    assert bench.log == ["a", "b", "c", "d"]
    assert bench.run()
    assert bench.replayed == ["a", "b", "c", "d"]


def test_a_bound_method_says_which_object_is_meant() -> None:
    engine = Engine()

    class Page:
        @engine.tool
        def click(self) -> None: ...

    page = Page()
    with engine.session("task", context=page) as session:
        session.next()
        session.said([(page.click, {})])
        call = session.next()
        assert isinstance(call, Call)
        assert call.args == (page,)
        assert call.arguments == {}


def test_the_success_callback_and_tokens_are_those_of_any_run() -> None:
    bench = Bench()
    seen: list[Any] = []

    def success(value: Any, steps: Any) -> bool:
        seen.append((value, len(steps)))
        return value == "said"

    with bench.session(success=success) as session:
        session.run.report_tokens(42)
        assert session.run.task == "task"
        assert current_run() is not None
        assert bench.drive(session, ["a"]).learned
    assert current_run() is None
    refused = bench.run("a", mode="record", value="nothing", success=success)
    assert refused.not_learned == "refused"
    assert seen == [("said", 1), ("nothing", 1)]
    assert bench.run().saved_tokens == 42


# -- the middle


def test_the_model_goes_on_from_the_middle_and_both_parts_are_learned_as_one() -> None:
    bench = Bench()
    bench.learn("abc")
    bench.state["c"] = "moved"
    outcome = bench.run("cd")
    assert outcome.status == "diverged"
    assert outcome.reason == "check_refused"
    assert outcome.learned
    assert bench.log == ["a", "b", "c", "d"]
    assert bench.wanted == ["c", "d"]
    handover, *later = bench.asked
    assert handover is not None
    assert names(handover) == ["a", "b"]
    assert later == [None, None]
    assert [message["role"] for message in handover.as_messages()] == ["assistant", "tool"] * 2
    assert bench.run()
    assert bench.replayed == ["a", "b", "c", "d"]


def test_a_first_step_that_is_refused_is_a_miss_and_the_last_a_divergence() -> None:
    bench = Bench()
    bench.learn("abc")
    bench.state = {"a": "moved"}
    first = bench.run("abc")
    assert first.status == "miss"
    assert first.reason == "first_check_refused"
    assert bench.asked[0] is None
    bench.state = {"c": "moved"}
    last = bench.run("c")
    assert last.status == "diverged"
    assert last.divergence is not None
    assert last.divergence.step == 2


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_tool_that_raises_in_a_replay_is_a_divergence_wherever_it_stands(place: int) -> None:
    bench = Bench(effect="read")
    bench.learn("abc")
    error = RuntimeError("jammed")
    bench.fail["abc"[place]] = error
    outcome = bench.run()
    assert outcome.status == "diverged"
    assert outcome.reason == "tool_raised"
    assert outcome.divergence is not None
    assert outcome.divergence.error is error
    assert bench.asked[0] is not None
    assert bench.asked[0].executed[-1].error is error
    assert bench.replayed == list("abc"[: place + 1])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_post_check_that_says_no_stops_there_and_counts_against_the_trajectory(place: int) -> None:
    bench = Bench()
    bench.learn("abc")
    bench.after["abc"[place]] = "something else"
    outcome = bench.run("x")
    assert outcome.reason == "post_check_refused"
    assert bench.log == [*"abc"[: place + 1], "x"]
    assert outcome.not_learned == "unknown_effect"
    assert bench.run(mode="auto").reason == "quarantined"


def test_absorb_answers_what_was_done_already_and_nothing_is_done_twice() -> None:
    bench = Bench()
    bench.learn("abc")
    bench.state["c"] = "moved"
    outcome = bench.run("abc", on_divergence="absorb")
    assert outcome.learned
    assert bench.log == ["a", "b", "c"]
    assert bench.wanted == ["c"]
    assert [(answer.name, answer.result, answer.error) for answer in bench.answered] == [
        ("press", "pressed a", None),
        ("press", "pressed b", None),
    ]
    assert all(isinstance(answer, Answered) and answer.tool == "Panel.press" for answer in bench.answered)
    assert bench.run()
    assert bench.replayed == ["a", "b", "c"]


def test_a_success_callback_that_says_no_after_the_replay_asks_the_model() -> None:
    bench = Bench()
    bench.learn("a")
    outcome = bench.run("b", success=lambda steps: len(steps) == 2)
    assert outcome.reason == "unsuccessful"
    assert bench.asked[0] is not None
    assert outcome.learned


def test_modes_and_policies_are_those_of_any_run() -> None:
    bench = Bench()
    with pytest.raises(Missed):
        bench.run(mode="replay")
    off = bench.run("a", mode="off")
    assert off.reason == "mode"
    assert off.value == "said"
    assert bench.wanted == ["a"]
    assert bench.run("ab").reason == "new_task"  # nothing was learned while it was off
    assert bench.run("ab", mode="record").reason == "mode"
    assert not bench.replayed
    bench.state["b"] = "moved"
    for options in ({"mode": "replay"}, {"on_divergence": "raise"}):
        with pytest.raises(Diverged) as raised:
            bench.run(**options)
        assert names(raised.value.handover) == ["a"]
    assert bench.run("b").status == "diverged"


def test_a_failed_call_of_the_models_is_recorded_as_one() -> None:
    bench = Bench()
    bench.fail["a"] = RuntimeError("jammed")
    assert bench.run("ab").not_learned == "failed_write"
    reading = Bench(effect="read")
    reading.fail["a"] = RuntimeError("jammed")
    assert reading.run("ab").learned
    assert reading.run()
    assert reading.replayed == ["b"]


def test_arguments_that_no_call_could_have_had_are_no_failed_write() -> None:
    bench = Bench()
    with bench.session() as session:
        session.next()
        session.said([("press", {"nmae": "a"}), ("press", {"name": "a"})])
        session.done(session.next(), error=ValueError("the framework's own validation said no"))
        session.done(session.next(), "pressed a")
        session.next()
        session.said([])
        assert ended(session).learned


# -- async


def test_async_sessions_await_checks_and_replay_async_tools() -> None:
    bench = Bench(asynchronous=True)

    async def main() -> None:
        assert (await bench.arun("abc")).learned
        assert await bench.arun()
        assert bench.replayed == ["a", "b", "c"]
        bench.state["b"] = "moved"
        outcome = await bench.arun("bc")
        assert outcome.status == "diverged"
        assert outcome.learned
        assert bench.wanted == ["b", "c"]
        assert await bench.arun()

    asyncio.run(main())
    with pytest.raises(Missed) as missed:
        bench.run(mode="replay")
    assert missed.value.outcome.reason == Reason.NEEDS_ACALL
    assert "asession" in str(missed.value)


def test_async_callbacks_are_awaited_and_two_sessions_do_not_disturb_each_other() -> None:
    bench = Bench()

    async def success(value: Any) -> bool:
        await asyncio.sleep(0)
        return True

    async def one(task: str, name: str) -> Any:
        async with bench.engine.asession(task, success=success) as session:
            await asyncio.sleep(0)
            return await bench.adrive(session, [name, name])

    async def main() -> None:
        assert all(outcome.learned for outcome in await asyncio.gather(one("1", "a"), one("2", "b")))
        assert all(await asyncio.gather(one("1", "a"), one("2", "b")))

    asyncio.run(main())


def test_a_plain_session_replays_async_tools_whose_checks_are_plain() -> None:
    engine = Engine()

    @engine.tool(Check(lambda: 1))
    async def act() -> str:
        return "done"

    for expected in ("miss", "hit"):
        with engine.session("task") as session:
            while not isinstance(turn := session.next(), Finished):
                if isinstance(turn, Call):
                    session.done(turn, asyncio.run(turn.fn()))
                else:
                    session.said([] if expected == "done" else [(act, {})])
                    expected = "done" if expected == "miss" else expected
        assert turn.outcome.status in ("miss", "hit")
    assert engine.cache_info().hits == 1
