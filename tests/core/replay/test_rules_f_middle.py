"""F1, F3, F4, F7: who goes on after a divergence, what it is told, and what happens if it fails too."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Handover, Missed, Reason, current_run
from replay_world import Desk

ONES = {"a": 1, "b": 1, "c": 1, "d": 1}
C_BROKEN = {**ONES, "c": 2}


# F1: the agent is called once, and the hand-over reaches an agent that names it


def test_f1_the_agent_is_called_once_with_the_same_arguments() -> None:
    desk = Desk()
    calls: list[Any] = []

    def agent(task: str, *, speed: int) -> None:
        calls.append((task, speed))
        for name in "ab":
            desk.step(name)

    desk.engine.set_agent(agent)
    desk.engine("task", speed=9)
    desk.state["b"] = 2
    calls.clear()
    assert desk.engine("task", speed=9).status == "diverged"
    assert calls == [("task", 9)]


def test_f1_the_handover_tells_what_was_done_where_it_stopped_and_what_was_not_run() -> None:
    desk = Desk(handover=True, effect="write")
    desk.learn("abcd", ONES)
    desk.plan = []
    desk.run(C_BROKEN)
    handover = desk.handovers[-1]
    assert isinstance(handover, Handover)
    assert [(one.tool, one.args, one.result) for one in handover.executed] == [
        ("step", ("a",), "did a"),
        ("step", ("b",), "did b"),
    ]
    assert all(one.effect == "write" and one.declared and one.error is None for one in handover.executed)
    assert handover.results == ["did a", "did b"]
    assert (handover.step, handover.reason) == (2, Reason.CHECK_REFUSED)
    assert [str(one) for one in handover.remaining] == ["step(name='c')", "step(name='d')"]
    assert "step" in str(handover)


def test_f1_the_step_that_raised_is_among_the_executed_and_not_among_the_remaining() -> None:
    desk = Desk(handover=True)
    desk.learn("abc")
    desk.fail["b"] = trouble = ValueError("no")
    desk.plan = []
    desk.run()
    handover = desk.handovers[-1]
    assert [one.error for one in handover.executed] == [None, trouble]
    assert handover.results == ["did a", None]
    assert [str(one) for one in handover.remaining] == ["step(name='c')"]


def test_f1_on_a_miss_it_is_not_passed() -> None:
    desk = Desk()
    given: list[Any] = []

    def agent(task: str, handover: Any = "not passed") -> None:
        given.append(handover)
        desk.step("a")

    desk.engine.set_agent(agent)
    desk.run({"a": 1})
    desk.run({"a": 2})
    assert given == ["not passed", "not passed"]


def test_f1_an_agent_that_takes_any_keyword_does_not_get_it() -> None:
    desk = Desk()
    given: list[Any] = []

    def agent(task: str, **options: Any) -> None:
        given.append(options)
        for name in "ab":
            desk.step(name)

    desk.engine.set_agent(agent)
    desk.run(ONES)
    assert desk.run({"a": 1, "b": 2}).status == "diverged"
    assert given == [{}, {}]


def passing_all(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


def passing_the_task_only(fn: Any) -> Any:
    @functools.wraps(fn)
    def wrapper(task: str) -> Any:
        return fn(task)

    return wrapper


class CallableAgent:
    def __init__(self, fn: Any) -> None:
        self.fn = fn

    @passing_all
    def __call__(self, task: str, handover: Any = None) -> Any:
        return self.fn(task, handover=handover)


@pytest.mark.parametrize(
    ("dress", "reached"),
    [
        (lambda fn: fn, True),
        (passing_all, True),
        (lambda fn: passing_all(passing_all(fn)), True),
        (lambda fn: functools.partial(fn), True),
        (lambda fn: functools.partial(passing_all(fn)), True),
        (CallableAgent, True),
        (passing_the_task_only, False),
        (lambda fn: passing_all(passing_the_task_only(fn)), False),
    ],
)
def test_f1_an_agent_in_decorators_gets_it_where_they_let_it_pass(dress: Any, reached: bool) -> None:
    desk = Desk()
    given: list[Any] = []

    def agent(task: str, handover: Any = None) -> None:
        given.append(handover)
        for name in "ab":
            desk.step(name)

    desk.engine.set_agent(dress(agent))
    assert desk.run(ONES).learned
    assert desk.run({"a": 1, "b": 2}).status == "diverged"
    assert [one is not None for one in given] == [False, reached]


def test_f1_the_current_run_gives_it_anywhere_and_only_after_a_divergence() -> None:
    desk = Desk()
    given: list[Any] = []

    def agent(task: str) -> None:
        run = current_run()
        assert run is not None
        given.append(run.handover)
        for name in "ab":
            desk.step(name)

    desk.engine.set_agent(agent)
    desk.run(ONES)
    desk.run({"a": 1, "b": 2})
    assert given[0] is None
    assert given[1].results == ["did a"]
    assert current_run() is None


# F3, F4: irreversible steps


def test_f3_after_an_irreversible_step_an_agent_that_cannot_know_is_not_simply_called() -> None:
    desk = Desk(effect="irreversible", on_divergence="continue")
    desk.learn("abc", ONES)
    with pytest.raises(Diverged, match="irreversible") as diverged:
        desk.run(C_BROKEN)
    assert desk.done == ["a", "b"]
    assert diverged.value.handover.results == ["did a", "did b"]


def test_f3_an_agent_that_names_the_handover_may_go_on() -> None:
    desk = Desk(effect="irreversible", on_divergence="continue", handover=True)
    desk.learn("abc", ONES)
    desk.plan = ["c"]
    assert desk.run(C_BROKEN).status == "diverged"
    assert desk.done == ["a", "b", "c"]


def test_f3_an_irreversible_step_that_raised_counts_as_executed() -> None:
    desk = Desk(effect="irreversible", on_divergence="continue")
    desk.learn("ab")
    desk.fail["a"] = ValueError("half done")
    with pytest.raises(Diverged):
        desk.run()
    assert desk.done == ["a"]


def test_f3_auto_absorbs_so_that_an_irreversible_step_is_never_done_twice() -> None:
    desk = Desk(effect="irreversible")
    desk.learn("abc", ONES)
    desk.plan = ["x", "b", "a", "c"]
    desk.run(C_BROKEN)
    assert desk.done == ["a", "b", "x", "c"]


def test_f4_an_irreversible_tool_replays_with_a_pre_check() -> None:
    desk = Desk(effect="irreversible")
    desk.learn("ab", ONES)
    assert desk.run()


def test_f4_an_irreversible_tool_without_a_pre_check_is_a_miss_before_anything_is_executed() -> None:
    desk = Desk(effect="irreversible", pre=False)
    desk.learn("ab")
    with pytest.raises(Missed) as missed:
        desk.run(mode="replay")
    assert missed.value.outcome.reason is Reason.NOT_APPROVED
    assert "step" in missed.value.outcome.message
    assert desk.done == []


# F7: the agent fails too


@dataclass(frozen=True)
class Frozen(Exception):
    code: int


@pytest.mark.parametrize(
    "error", [ValueError("stuck"), StopIteration("stuck"), KeyboardInterrupt(), SystemExit(3), Frozen(4)]
)
def test_f7_the_agents_own_exception_passes_on_unchanged(error: BaseException) -> None:
    desk = Desk()
    desk.learn("abc", ONES)

    def agent(task: str) -> None:
        raise error

    desk.engine.set_agent(agent)
    with pytest.raises(type(error)) as raised:
        desk.run(C_BROKEN)
    assert raised.value is error
    assert error.__cause__ is None
    assert error.__context__ is None
    assert desk.run(ONES), "the engine is usable"


def test_f7_the_divergence_is_attached_as_a_note() -> None:
    desk = Desk()
    desk.learn("abc", ONES)

    def agent(task: str) -> None:
        raise ValueError("stuck")

    desk.engine.set_agent(agent)
    with pytest.raises(ValueError, match="stuck") as raised:
        desk.run(C_BROKEN)
    (note,) = raised.value.__notes__
    assert "step 2" in note
    assert "check_refused" in note


def test_f7_a_miss_attaches_nothing() -> None:
    desk = Desk()

    def agent(task: str) -> None:
        raise ValueError("stuck")

    desk.engine.set_agent(agent)
    with pytest.raises(ValueError, match="stuck") as raised:
        desk.run()
    assert not hasattr(raised.value, "__notes__")


def test_f7_cancellation_after_a_divergence_passes_through() -> None:
    open_ = [True]
    engine = Engine(observers=[])

    @engine.tool()
    async def first() -> None: ...

    @engine.tool(Check(lambda: open_[0]))
    async def second() -> None: ...

    async def agent(task: str) -> None:
        await first()
        await second()

    async def stuck(task: str) -> None:
        await asyncio.Event().wait()

    async def story() -> None:
        engine.set_agent(agent)
        await engine.acall("task")
        open_[0] = False
        engine.set_agent(stuck)
        running = asyncio.ensure_future(engine.acall("task"))
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        open_[0] = True
        assert await engine.acall("task")

    asyncio.run(story())
