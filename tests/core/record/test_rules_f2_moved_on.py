"""F2, F5, F5a: a restarted agent works in the world as it is: fields, tabs, polling, parallel groups."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason
from replay_world import Desk

ONES = {"a": 1, "b": 1, "c": 1, "d": 1, "x": 1}
C_BROKEN = {**ONES, "c": 2}


def test_f2_a_field_that_was_overwritten_since_is_filled_again() -> None:
    engine = Engine(observers=[])
    form: dict[str, str] = {}
    sent: list[dict[str, str]] = []
    world = {"button": "Send"}

    @engine.tool(name="fill", effect="idempotent")
    def fill(field: str, value: str) -> None:
        form[field] = value

    @engine.tool(name="submit", pre_check=Check(lambda label: world["button"]))
    def submit(label: str) -> None:
        sent.append(dict(form))

    def agent(task: str) -> None:
        fill("name", "Ann")
        submit("Save") if world["button"] == "Save" else None
        fill("name", "Bob")
        submit(world["button"])

    engine.set_agent(agent)
    first = engine("t")
    form.clear()
    sent.clear()

    world["button"] = "Save"  # now each name is saved, and the form holds the last one already
    outcome = engine("t")
    assert outcome.status == "diverged"
    assert sent == [{"name": "Ann"}, {"name": "Bob"}]
    assert outcome.learned
    first.report_bad()
    sent.clear()
    form.clear()
    assert engine("t", mode="replay")
    assert sent == [{"name": "Ann"}, {"name": "Bob"}]


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("moved_to", [1, 2, 3, None])
def test_f2_f5_a_tab_is_opened_again_and_a_blind_end_is_not_learned(reads: bool, moved_to: int | None) -> None:
    """ "open tab 1" while the page is on tab 3: the agent finds the button, or what it does is not learned."""
    engine = Engine(observers=[])
    page = {"tab": 0}
    button = [3]
    clicked: list[int] = []

    @engine.tool(name="open_tab", effect="read" if reads else None)
    def open_tab(number: int) -> None:
        page["tab"] = number

    @engine.tool(name="click", effect="write", pre_check=Check(lambda: page["tab"] in button))
    def click() -> None:
        clicked.append(page["tab"])

    def agent(task: str) -> None:
        for number in (1, 2, 3):
            open_tab(number)
            if page["tab"] == number and number in button:  # it looks without a tool
                click()
                return

    engine.set_agent(agent)
    assert engine("t").learned
    button[:] = [] if moved_to is None else [moved_to]
    for _ in range(4):
        page["tab"] = 0
        clicked.clear()
        outcome = engine("t")
        if outcome:
            assert clicked == [moved_to]  # no hit that does nothing
        elif reads or outcome.status == "miss":
            assert clicked == ([] if moved_to is None else [moved_to])
        if not clicked and outcome.status == "diverged" and not reads:
            assert not outcome.learned


def test_f5_an_agent_that_finds_nothing_after_the_replayed_steps_teaches_nothing() -> None:
    desk = Desk()
    look = desk.engine.tool(name="look", effect="read")(lambda: "nothing")
    desk.learn("abc", ONES)

    def agent(task: str) -> None:
        desk.step("a")
        look()
        desk.step("b")
        look()

    desk.engine.set_agent(agent)
    outcome = desk.run(C_BROKEN)
    assert outcome.not_learned is Reason.NO_CALLS
    assert desk.run(ONES)
    assert desk.done == ["a", "b", "c"]


def test_f5_a_success_callback_that_accepts_such_a_run_overrides_that() -> None:
    desk = Desk(success=lambda value: True)
    desk.learn("abc", ONES)
    desk.plan = ["a", "b"]
    assert desk.run(C_BROKEN).learned
    assert desk.run(C_BROKEN, mode="replay").steps == 2


def test_f5_an_accepted_run_of_an_agent_that_left_steps_out_is_not_stored() -> None:
    desk = Desk(success=lambda value: True)
    desk.learn("abc", ONES)
    desk.plan = ["a", "x"]
    assert desk.run(C_BROKEN).not_learned is Reason.NOT_ABSORBED


@pytest.mark.parametrize("handover", [True, False])
def test_f5_a_success_callback_vouches_for_a_step_of_unknown_effect(handover: bool) -> None:
    desk = Desk(post=True, handover=handover)
    desk.learn("abc", ONES)
    desk.after["b"] = "odd"
    desk.plan = ["x"] if handover else ["a", "b", "x"]
    assert desk.run(success=lambda value: True).learned
    assert desk.run(mode="replay")
    assert desk.done == ["a", "b", "x"]


@pytest.mark.parametrize("handover", [True, False])
def test_c5_a_write_that_raised_in_the_replay_is_kept_in_quarantine_although_accepted(handover: bool) -> None:
    desk = Desk(handover=handover)
    desk.learn("abc", ONES)
    desk.fail["b"] = OSError("half done")

    def agent(task: str) -> None:
        desk.step("a")
        with pytest.raises(OSError, match="half done"):
            desk.step("b")
        desk.step("x")

    if handover:
        desk.plan = ["x"]
    else:
        desk.engine.set_agent(agent)
    outcome = desk.run(success=lambda value: True)
    assert outcome.not_learned is Reason.FAILED_WRITE
    assert desk.done == ["a", "b", "x"]


# F5a: polling and repeated reads


POLLED = [
    (effect, handover, counts)
    for effect in (None, "read", "idempotent", "write")
    for handover in (True, False)
    for counts in ((3, 5), (1, 2), (2, 9))
    # One call of an idempotent tool is not polling yet: it is made again, and does not count.
    if not (effect == "idempotent" and counts[0] == 1 and not handover)
]


@pytest.mark.parametrize(("effect", "handover", "counts"), POLLED)
def test_f5a_polling_is_learned(effect: Any, handover: bool, counts: tuple[int, int]) -> None:
    engine = Engine(observers=[])
    polls = [0]
    needed = [counts[0]]
    fetched: list[int] = []

    @engine.tool(name="status", effect=effect)
    def status() -> str:
        polls[0] += 1
        return "done" if polls[0] >= needed[0] else "at work"

    @engine.tool(name="fetch", pre_check=Check(lambda: polls[0] >= needed[0]))
    def fetch() -> None:
        fetched.append(polls[0])

    def start(task: str) -> None:
        while status() != "done":
            pass
        fetch()

    def go_on(task: str, handover: Any = None) -> None:
        start(task)

    engine.set_agent(go_on if handover else start)
    assert engine("t").learned
    statuses = []
    needed[0] = counts[1]
    for _ in range(4):
        polls[0] = 0
        fetched.clear()
        outcome = engine("t")
        assert len(fetched) == 1
        statuses.append(outcome.status)
        assert outcome or outcome.learned, outcome.not_learned_message
    assert statuses == ["diverged", "hit", "hit", "hit"], statuses


def test_f5a_a_read_that_raised_and_is_tried_again_is_learned() -> None:
    desk = Desk(effect="read")
    desk.learn("abc", ONES)

    def agent(task: str) -> None:
        desk.step("a")
        for _ in range(3):
            try:
                desk.step("b")
            except OSError:
                desk.fail.clear()
        desk.step("x")

    desk.engine.set_agent(agent)
    desk.fail["b"] = OSError("no screen")
    assert desk.run().learned
    assert desk.run(mode="replay")


def test_c5_f5_an_idempotent_step_that_raised_and_was_made_again_is_learned() -> None:
    desk = Desk(effect="idempotent")
    first = desk.learn("abc", ONES)

    def agent(task: str) -> None:
        desk.fail.clear()  # up again
        for name in "abx":
            desk.step(name)

    desk.engine.set_agent(agent)
    desk.fail["b"] = OSError("down")
    outcome = desk.run()
    assert outcome.reason is Reason.TOOL_RAISED
    assert outcome.learned, outcome.not_learned_message
    first.report_bad()
    assert desk.run(mode="replay").steps == 3
    assert desk.done == ["a", "b", "x"]


# Parallel groups


@pytest.mark.parametrize("order", ["lab", "alb", "abl", "bal"])
def test_f5_c10_a_look_of_a_group_is_made_again_and_stays_in_it(order: str) -> None:
    engine = Engine(observers=[])
    state = {"n": 0, "odd": False}
    done: list[str] = []
    check = Check(lambda name: [name, state["n"]], version="n")

    @engine.tool(name="look", effect="read", pre_check=check)
    async def look(name: str) -> str:
        done.append(name)
        await asyncio.sleep(0)
        return name

    @engine.tool(name="act", effect="write", pre_check=check)
    async def act(name: str) -> None:
        done.append(name)
        await asyncio.sleep(0)
        state["n"] += 1

    @engine.tool(name="last", pre_check=Check(lambda name: state["odd"]))
    async def last(name: str) -> None:
        done.append(name)

    names = ["lab"]

    async def agent(task: str) -> None:
        await asyncio.gather(*((look if name == "l" else act)(name) for name in names[0]))
        await (act("x") if state["odd"] else last("c"))

    engine.set_agent(agent)
    assert asyncio.run(engine.acall("t")).learned
    state.update(n=0, odd=True)
    names[0] = order
    done.clear()
    outcome = asyncio.run(engine.acall("t"))
    assert (outcome.status, outcome.learned) == ("diverged", True)
    assert done == ["l", "a", "b", "l", "x"]
    state["n"] = 0
    done.clear()
    outcome = asyncio.run(engine.acall("t"))
    assert outcome, outcome.message
    assert sorted(done) == ["a", "b", "l", "x"]


def test_f2_a_restarted_agent_in_many_threads_does_nothing_twice() -> None:
    engine = Engine(observers=[])
    state = {"odd": False}
    done: list[int] = []

    @engine.tool(name="act", effect="write")
    def act(number: int) -> None:
        done.append(number)

    last = engine.tool(name="last", pre_check=Check(lambda: state["odd"]))(lambda: None)
    other = engine.tool(name="other")(lambda: None)

    def agent(task: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(engine.bind(act), range(100, 164)))
        other() if state["odd"] else last()

    engine.set_agent(agent)
    assert engine("t").learned
    state["odd"] = True
    done.clear()
    outcome = engine("t")
    assert (outcome.status, outcome.learned) == ("diverged", True)
    assert sorted(done) == list(range(100, 164))
