"""F2: the policies of a divergence, and that a restarted agent does nothing twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Reason
from replay_world import Desk

ONES = {"a": 1, "b": 1, "c": 1, "d": 1}
C_BROKEN = {**ONES, "c": 2}


def test_f2_auto_lets_an_agent_go_on_that_names_the_handover() -> None:
    desk = Desk(handover=True)
    desk.learn("abc", ONES)
    desk.plan = ["c", "d"]
    assert desk.run(C_BROKEN).status == "diverged"
    assert desk.done == ["a", "b", "c", "d"]


def test_f2_auto_absorbs_any_other_agent() -> None:
    desk = Desk()
    desk.learn("abcd", ONES)
    assert desk.run(C_BROKEN).status == "diverged"
    assert desk.done == ["a", "b", "c", "d"]


def test_f2_an_absorbed_agent_gets_the_very_results_of_this_run() -> None:
    desk = Desk()
    got: list[Any] = []

    def agent(task: str) -> None:
        got[:] = [desk.step(name) for name in "abc"]

    desk.engine.set_agent(agent)
    desk.run(ONES)
    desk.returns["a"] = today = object()
    desk.run(C_BROKEN)
    assert got[0] is today
    assert desk.done == ["a", "b", "c"]


def test_f2_continue_calls_the_agent_and_absorbs_nothing() -> None:
    desk = Desk(on_divergence="continue")
    desk.learn("abc", ONES)
    desk.run(C_BROKEN)
    assert desk.done == ["a", "b", "a", "b", "c"]


def test_f2_absorb_absorbs_an_agent_that_names_the_handover_too() -> None:
    desk = Desk(handover=True, on_divergence="absorb")
    desk.learn("abc", ONES)
    desk.run(C_BROKEN)
    assert desk.handovers[-1] is not None
    assert desk.done == ["a", "b", "c"]


def test_f2_raise_raises_diverged_with_the_handover_and_asks_nobody() -> None:
    desk = Desk(handover=True)
    desk.learn("abc", ONES)
    desk.handovers.clear()
    with pytest.raises(Diverged, match="check_refused") as diverged:
        desk.run(C_BROKEN, on_divergence="raise")
    assert diverged.value.handover.results == ["did a", "did b"]
    assert desk.handovers == []
    assert desk.run(ONES), "the engine is usable"


def test_f2_raise_is_no_matter_for_a_miss() -> None:
    desk = Desk(on_divergence="raise")
    desk.learn("abc", ONES)
    assert desk.run({**ONES, "a": 2}).status == "miss"


@pytest.mark.parametrize(
    ("again", "done"),
    [
        ("abc", ["c"]),  # the whole prefix is repeated
        ("a", []),  # a part of it
        ("axb", ["x"]),  # a difference
        ("xab", ["x"]),  # before anything is repeated
        ("ba", []),  # another order
        ("bab", ["b"]),
        ("aab", ["a"]),  # each executed step answers once
        ("abab", ["a", "b"]),
        ("xbbaa", ["x", "b", "a"]),
        ("", []),
    ],
)
@pytest.mark.parametrize("effect", [None, "write", "irreversible"])
def test_f2_every_executed_step_with_an_effect_answers_one_identical_call(
    effect: Any, again: str, done: list[str]
) -> None:
    desk = Desk(effect=effect)
    desk.learn("abc", ONES)
    desk.plan = list(again)
    desk.run(C_BROKEN)
    assert desk.done == ["a", "b", *done]


@pytest.mark.parametrize("again", ["ab", "b", "xa", "abx", "ba"])
def test_f2_idempotent_steps_are_made_again(again: str) -> None:
    desk = Desk(effect="idempotent")
    desk.learn("abc", ONES)
    desk.plan = list(again)
    desk.run(C_BROKEN)
    assert desk.done == ["a", "b", *again]


@pytest.mark.parametrize(
    ("again", "made"),
    [
        ("ab", "ab"),  # the replay has gone on past the first, and then the second is gone past by the agent
        ("b", ""),  # nothing was done since the replay looked
        ("bb", "b"),
        ("ba", "a"),
        ("xb", "xb"),
        ("bxb", "xb"),
    ],
)
def test_f2_reads_are_made_again_unless_nothing_was_done_since(again: str, made: str) -> None:
    desk = Desk(effect="read")
    desk.learn("abc", ONES)
    desk.plan = list(again)
    desk.run(C_BROKEN)
    assert desk.done == ["a", "b", *made]


def test_f2_a_step_that_raised_answers_with_the_same_exception_once() -> None:
    desk = Desk()
    desk.learn("abc")
    trouble = ValueError("out of stock")
    got: list[Any] = []

    def agent(task: str) -> None:
        desk.step("a")
        for _ in range(2):
            try:
                got.append(desk.step("b"))
            except ValueError as error:
                desk.fail.clear()
                got.append(error)

    desk.engine.set_agent(agent)
    desk.fail["b"] = trouble
    desk.run()
    assert got[0] is trouble
    assert got[1] == "did b"
    assert desk.done == ["a", "b", "b"]


def test_f2_a_step_whose_post_check_failed_answers_with_its_result() -> None:
    desk = Desk(post=True)
    desk.learn("ab")
    desk.after["b"] = "odd"
    outcome = desk.run()
    assert outcome.reason is Reason.POST_CHECK_REFUSED
    assert outcome.value == "did b"
    assert desk.done == ["a", "b"]


def test_f2_a_call_is_recognised_although_the_tool_changed_its_argument() -> None:
    filled: list[Any] = []
    open_ = [True]
    engine = Engine(observers=[])

    @engine.tool()
    def fill(basket: list[str]) -> None:
        basket.append("extra")
        filled.append(list(basket))

    @engine.tool(Check(lambda: open_[0]))
    def pay() -> None: ...

    engine.set_agent(lambda task: (fill(["milk"]), pay()))
    engine("task")
    open_[0] = False
    filled.clear()
    assert engine("task").status == "diverged"
    assert filled == [["milk", "extra"]]


@pytest.mark.parametrize(
    ("args", "kwargs", "paid_again"),
    [
        ((), {"amount": 500}, []),
        ((500, "EUR"), {}, []),
        ((), {"note": "", "currency": "EUR", "amount": 500}, []),
        ((500, "USD"), {}, [(500, "USD", "")]),
        ((500,), {"note": "again"}, [(500, "EUR", "again")]),
    ],
)
def test_f2_a_call_is_recognised_however_its_arguments_are_spelled(args: Any, kwargs: Any, paid_again: Any) -> None:
    paid: list[Any] = []
    open_ = [True]
    engine = Engine(observers=[])

    @engine.tool()
    def pay(amount: int, currency: str = "EUR", note: str = "") -> None:
        paid.append((amount, currency, note))

    @engine.tool(Check(lambda: open_[0]))
    def leave() -> None: ...

    engine.set_agent(lambda task: (pay(500), leave()))
    engine("task")
    open_[0] = False
    paid.clear()
    engine.set_agent(lambda task: (pay(*args, **kwargs), leave()))
    assert engine("task").status == "diverged"
    assert paid == [(500, "EUR", ""), *paid_again]


def test_f2_a_method_call_on_another_object_is_another_call() -> None:
    engine = Engine(observers=[])
    open_ = [True]

    class Page:
        def __init__(self) -> None:
            self.clicks = 0

        @engine.method()
        def click(self) -> None:
            self.clicks += 1

        @engine.method(Check(lambda self: open_[0]))
        def close(self) -> None: ...

    page, other = Page(), Page()
    engine.set_context(page).set_agent(lambda task: (page.click(), page.close()))
    engine("task")
    open_[0] = False
    engine.set_agent(lambda task: (other.click(), page.click(), page.close()))
    engine("task")
    assert (page.clicks, other.clicks) == (2, 1)


def test_f2_absorbing_works_in_an_async_agent() -> None:
    done: list[str] = []
    open_ = [True]
    engine = Engine(observers=[])

    @engine.tool()
    async def step(name: str) -> str:
        done.append(name)
        return name * 2

    @engine.tool(Check(lambda: open_[0]))
    async def last() -> None: ...

    async def agent(task: str) -> list[str]:
        got = [await step("a"), await step("b")]
        await last()
        return got

    async def story() -> Any:
        engine.set_agent(agent)
        await engine.acall("task")
        open_[0] = False
        done.clear()
        return await engine.acall("task")

    outcome = asyncio.run(story())
    assert outcome.status == "diverged"
    assert outcome.value == ["aa", "bb"]
    assert done == ["a", "b"]


@pytest.mark.parametrize("effect", ["read", None])
def test_f2_a_call_that_a_plan_leaves_out_is_no_difference(effect: Any) -> None:
    """The recording did not keep the agent's failed look, or its slip; the restarted agent makes it again."""
    desk = Desk()

    @desk.engine.tool(effect=effect)
    def slip(argument: str) -> None:
        raise OSError("no screen")

    def agent(task: str) -> None:
        desk.step("a")
        try:
            slip("x") if effect == "read" else slip()
        except (OSError, TypeError):
            desk.step("b")
        desk.step("c")

    desk.engine.set_agent(agent)
    desk.learn([], ONES)
    outcome = desk.run(C_BROKEN)
    assert outcome.status == "diverged"
    assert desk.done == ["a", "b", "c"]
    assert outcome.learned
    assert desk.run(C_BROKEN, mode="replay").steps == 3


def test_f2_a_write_that_failed_takes_nothing_away_from_what_was_done() -> None:
    desk = Desk()
    desk.learn("abc", ONES)

    @desk.engine.tool()
    def wreck() -> None:
        raise OSError("half done")

    def agent(task: str) -> None:
        desk.step("a")
        with pytest.raises(OSError, match="half done"):
            wreck()
        desk.step("b")

    desk.engine.set_agent(agent)
    desk.run(C_BROKEN)
    assert desk.done == ["a", "b"]
