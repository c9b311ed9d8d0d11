"""What can go wrong in the middle of a run, by name: which rule holds, what is told; and the engine stays usable."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from muscle_mem import Check, Diverged, Engine, Missed, NotFoundError, Reason, current_run
from replay_world import Desk

ONES = dict.fromkeys("abcd", 1)
MODES = ["auto", "replay", "frozen"]


def unharmed(engine: Engine) -> None:
    """No run is left open."""
    assert current_run() is None
    assert not engine._runtime.open_runs.frames


def rows(engine: Engine) -> int:
    return sum(len(stored.observations) for stored in engine._runtime.library.store.scan(limit=500).stored)


# the agent is in trouble


def test_f7_an_agent_that_fails_after_a_handover_raises_its_own_error_with_a_note() -> None:
    desk = Desk(handover=True)
    desk.learn("abc", ONES)
    trouble = ValueError("lost")

    def agent(task: str, handover: Any = None) -> None:
        desk.step("z")
        raise trouble

    desk.engine.set_agent(agent)
    with pytest.raises(ValueError, match="lost") as raised:
        desk.run({**ONES, "b": 2})
    assert raised.value is trouble
    (note,) = trouble.__notes__
    assert "check_refused" in note
    assert "step" in note
    assert rows(desk.engine) == 1
    unharmed(desk.engine)
    assert desk.run(ONES)


@pytest.mark.parametrize("policy", ["continue", "auto", "absorb"])
@pytest.mark.parametrize("names", [False, True], ids=["unaware", "handover"])
def test_f3_after_something_irreversible_no_agent_starts_that_cannot_know(policy: Any, names: bool) -> None:
    desk = Desk(effect="irreversible", handover=names, on_divergence=policy)
    desk.learn("abc", ONES)
    if policy == "continue" and not names:
        with pytest.raises(Diverged, match="handover") as raised:
            desk.run({**ONES, "b": 2})
        assert [one.effect for one in raised.value.handover.executed] == ["irreversible"]
        assert desk.done == ["a"]
    else:
        outcome = desk.run({**ONES, "b": 2})
        assert outcome.status == "diverged"
        assert desk.done == (["a", "a", "b", "c"] if names and policy != "absorb" else ["a", "b", "c"])
    unharmed(desk.engine)


def test_f2_an_absorbed_agent_that_differs_in_the_middle_repeats_no_declared_write() -> None:
    desk = Desk(effect="write")
    desk.learn("abcd", ONES)
    desk.plan = list("axbcd")
    assert desk.run({**ONES, "d": 2}).status == "diverged"
    assert desk.done == ["a", "b", "c", "x", "d"]


def test_f2_neither_does_it_repeat_an_undeclared_one() -> None:
    desk = Desk()
    desk.learn("abcd", ONES)
    desk.plan = list("axbcd")
    assert desk.run({**ONES, "d": 2}).status == "diverged"
    assert desk.done == ["a", "b", "c", "x", "d"]


def test_f5_an_agent_that_calls_nothing_after_a_divergence_teaches_nothing() -> None:
    desk = Desk(handover=True)
    desk.learn("ab", ONES)
    desk.plan = []
    outcome = desk.run({**ONES, "b": 2})
    assert (outcome.status, outcome.not_learned) == ("diverged", Reason.NO_CALLS)
    assert desk.run(ONES)


# approval and success


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("raises", [False, True], ids=["refuses", "raises"])
def test_f4_an_approval_that_is_not_given_stops_before_the_step(mode: Any, raises: bool) -> None:
    def approve(step: Any) -> bool:
        if raises:
            raise RuntimeError("nobody there")
        return step.arguments["name"] != "b"

    desk = Desk(effect="irreversible", approve=approve)
    desk.learn("ab", ONES)
    status, at = ("miss", 0) if raises else ("diverged", 1)
    words = "raised RuntimeError" if raises else "was not approved"
    if mode == "replay":
        with pytest.raises(Missed if raises else Diverged, match=words):
            desk.run(mode=mode)
        assert desk.done == ["a"][:at]
    else:
        outcome = desk.run(mode=mode)
        assert (outcome.status, outcome.reason, outcome.steps) == (status, Reason.NOT_APPROVED, at)
        assert desk.done == ["a", "b"]
    unharmed(desk.engine)
    assert desk.run(approve=lambda step: True)


@pytest.mark.parametrize("raises", [False, True], ids=["refuses", "raises"])
def test_d6_a_success_callback_that_says_no_makes_a_divergence_and_no_hit(raises: bool) -> None:
    desk = Desk(effect="write")
    desk.learn("ab", ONES)

    def success(value: Any) -> bool:
        if raises:
            raise RuntimeError("cannot tell")
        return False

    outcome = desk.run(success=success)
    assert (outcome.status, outcome.reason) == ("diverged", Reason.UNSUCCESSFUL)
    assert ("cannot tell" in outcome.message) == raises
    assert outcome.not_learned is Reason.REFUSED
    assert desk.done == ["a", "b"]  # the agent was absorbed
    assert desk.run()
    desk.run(success=success)
    desk.run(success=success)
    assert desk.run().reason is Reason.QUARANTINED


def test_f6_a_replay_that_left_out_an_optional_step_is_judged_as_a_whole() -> None:
    engine = Engine(on_divergence="raise")
    world = {"shown": True}
    engine_tools = [
        engine.tool(name="dismiss", optional=True, pre_check=Check(lambda: world["shown"]))(lambda: None),
        engine.tool(name="press", effect="read", pre_check=Check(lambda: 1))(lambda: None),
    ]
    engine.set_agent(lambda task: [tool() for tool in engine_tools])
    engine("t")
    world["shown"] = False
    with pytest.raises(Diverged) as raised:
        engine("t", success=lambda value: False)
    assert (raised.value.handover.step, raised.value.handover.reason) == (2, Reason.UNSUCCESSFUL)
    outcome = engine("t", success=lambda value: False, on_divergence="absorb")
    assert outcome.not_learned is Reason.REFUSED
    assert engine._runtime.tools.breakers.failing_tools == {}  # no tool failed


def test_c4_a_step_that_was_left_out_alone_is_no_plan() -> None:
    engine = Engine()
    world = {"shown": True, "down": False}

    def read() -> None:
        if world["down"]:
            raise OSError("down")

    engine_tools = [
        engine.tool(name="dismiss", optional=True, pre_check=Check(lambda: world["shown"]))(lambda: None),
        engine.tool(name="read", effect="read", pre_check=Check(lambda: 1))(read),
    ]

    def agent(task: str) -> None:
        for tool in engine_tools if world["shown"] else engine_tools[1:]:
            try:
                tool()
            except OSError:
                pass

    engine.set_agent(agent)
    engine("t")
    world.update(shown=False, down=True)
    outcome = engine("t")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.TOOL_RAISED)
    assert outcome.not_learned is Reason.NO_CALLS


# the tool is in trouble


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "middle", "last"])
def test_d4_a_tool_that_raises_is_a_divergence_at_its_step(mode: Any, at: int) -> None:
    desk = Desk(effect="write")
    desk.learn("abc", ONES)
    trouble = desk.fail["abc"[at]] = ConnectionError("down")
    if mode == "replay":
        with pytest.raises(Diverged, match="raised ConnectionError") as diverged:
            desk.run(mode=mode)
        handover = diverged.value.handover
        assert (handover.step, handover.reason) == (at, Reason.TOOL_RAISED)
        assert handover.executed[-1].error is trouble
    else:
        with pytest.raises(ConnectionError) as raised:
            desk.run(mode=mode)
        assert raised.value is trouble  # absorbed: the agent is told what the replay was told
        assert "tool_raised" in trouble.__notes__[0]
    assert desk.done == list("abc"[: at + 1])
    desk.fail.clear()
    unharmed(desk.engine)
    assert desk.run()


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "middle", "last"])
def test_d4_a_divergence_at_any_step_is_a_miss_only_if_nothing_was_entered(at: int) -> None:
    desk = Desk(effect="write")
    desk.learn("abc", ONES)
    outcome = desk.run({**ONES, "abc"[at]: 2})
    expected = ("diverged", Reason.CHECK_REFUSED) if at else ("miss", Reason.FIRST_CHECK_REFUSED)
    assert (outcome.status, outcome.reason, outcome.steps) == (*expected, at)
    assert desk.done == list("abc")
    assert outcome.learned
    assert desk.run({**ONES, "abc"[at]: 2})


# interruptions


@pytest.mark.parametrize("where", ["tool", "capture", "agent"])
@pytest.mark.parametrize("phase", ["recording", "replay"])
def test_g5_cancellation_passes_unchanged_and_nothing_is_learned(where: str, phase: str) -> None:
    engine = Engine(observers=[])
    waiting: set[str] = set()
    log: list[str] = []
    seen = {"b": 1}
    caught: list[BaseException] = []

    async def may_wait(what: str) -> None:
        if what in waiting:
            log.append("waits")
            try:
                await asyncio.Event().wait()
            except BaseException as error:
                caught.append(error)
                raise

    async def look(name: str) -> Any:
        await may_wait("capture" if name == "b" else "")
        return seen.get(name)

    @engine.tool(Check(look), name="step")
    async def step(name: str) -> None:
        await may_wait("tool" if name == "b" else "")
        log.append(name)

    @engine.set_agent
    async def agent(task: str) -> None:
        await step("a")
        await may_wait("agent")
        await step("b")

    async def story() -> None:
        if phase == "replay":
            assert (await engine.acall("t")).learned
        before = rows(engine)
        if phase == "replay" and where == "agent":
            seen["b"] = 2  # a divergence, and so the agent
        waiting.add(where)
        log.clear()
        task = asyncio.ensure_future(engine.acall("t"))
        while "waits" not in log:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await task
        assert cancelled.value is caught[0]
        assert rows(engine) == before
        assert not getattr(caught[0], "__notes__", None)
        unharmed(engine)
        waiting.clear()
        seen["b"] = 1
        outcome = await engine.acall("t")
        assert outcome if phase == "replay" else outcome.learned

    asyncio.run(story())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_g5_an_interrupt_in_a_replayed_tool_is_nobodys_fault(error: type[BaseException]) -> None:
    desk = Desk()
    learned = desk.learn("ab", ONES)
    desk.fail["b"] = trouble = error()
    for _ in range(3):
        with pytest.raises(error) as raised:
            desk.run()
        assert raised.value is trouble
        assert desk.done == ["a", "b"]
        unharmed(desk.engine)
    desk.fail.clear()
    assert desk.run()
    stored = desk.engine._runtime.library.store.get(learned.trajectory_id or "")
    assert stored is not None
    assert stored.standing.failures == 0


# engines in engines, verdicts on what is not there


def test_g6_an_engine_inside_the_agent_is_a_run_of_its_own() -> None:
    outer, inner = Desk(handover=True), Desk()
    inner.plan = ["x"]

    def agent(task: str, handover: Any = None) -> None:
        outer.handovers.append(handover)
        outer.step("a")
        inner.engine("inside")

    outer.engine.set_agent(agent)
    outcome = outer.run(ONES)
    assert (outcome.status, outcome.not_learned) == ("miss", None if outcome.learned else Reason.NESTED_RUN)
    assert inner.engine("inside")
    unharmed(outer.engine)
    unharmed(inner.engine)


def test_g6_the_same_engine_inside_its_own_agent_costs_the_outer_recording() -> None:
    desk = Desk()

    def agent(task: str) -> None:
        desk.step("a")
        if task == "outer":
            desk.engine("inner")

    desk.engine.set_agent(agent)
    outcome = desk.engine("outer")
    assert outcome.not_learned is Reason.NESTED_RUN
    assert desk.engine("inner")
    unharmed(desk.engine)


@pytest.mark.parametrize("verdict", ["report_good", "report_bad"])
def test_a_verdict_on_an_unknown_id_says_so_and_changes_nothing(verdict: str) -> None:
    desk = Desk()
    desk.learn("a", ONES)
    with pytest.raises(NotFoundError, match="'nobody'"):
        getattr(desk.engine, verdict)("nobody")
    assert desk.run()


def test_forgetting_an_unknown_id_is_no_error_and_forgets_nothing() -> None:
    desk = Desk()
    desk.learn("a", ONES)
    assert desk.engine.forget("nobody") is False
    assert desk.run()


@pytest.mark.parametrize("refused", [False, True], ids=["to the end", "with a divergence"])
def test_forget_while_replaying_ends_the_run_as_it_began_and_then_it_is_gone(refused: bool) -> None:
    desk = Desk(handover=True)
    learned = desk.learn("ab", ONES)
    desk.plan = ["z"]
    gone: list[bool] = []

    def forgetting(current: Any, candidate: Any) -> bool:
        gone.append(desk.engine.forget(learned.trajectory_id or ""))
        return not refused

    tool = next(iter(desk.engine._runtime.tools))
    assert tool.pre is not None
    before, tool.pre.compare = tool.pre.compare, lambda now, then: forgetting(now, then) if now[0] == "b" else True
    outcome = desk.run()
    assert gone == [True]
    assert outcome.status == ("diverged" if refused else "hit")
    tool.pre.compare = before
    desk.plan = ["a", "b"]
    assert not desk.engine.forget(learned.trajectory_id or "")
    if not refused:
        assert desk.run().reason is Reason.NEW_TASK
    assert desk.run()


def test_g1_a_shadow_is_held_against_every_recorded_row_as_a_replay_would() -> None:
    desk = Desk()
    desk.learn("ab", ONES)
    desk.learn("ab", {**ONES, "b": 2})
    for b, agreed in ((1, True), (2, True), (3, False)):
        assert (shadow := desk.run({**ONES, "b": b}, mode="shadow").shadow) is not None
        assert (shadow.agreed, shadow.accepted) == (agreed, 2 if agreed else 1)


def test_a_kept_step_that_is_repeated_out_of_its_turn_ends_the_absorbing() -> None:
    """Look, pay, look: the agent pays first, which is answered; then it must really look, not get the old sight."""
    sights = iter(range(1, 100))
    fine = [True]
    paid: list[str] = []
    engine = Engine(on_divergence="absorb")
    look = engine.tool(name="look", effect="read")(lambda: next(sights))
    pay = engine.tool(
        name="pay", effect="irreversible", pre_check=Check(lambda to: 1), post_check=Check(lambda to: fine[0])
    )(paid.append)
    engine.set_agent(lambda task: (look(), pay("Bob"), look())[2])
    engine("t")
    fine[0] = False
    engine.set_agent(lambda task: (pay("Bob"), look())[1])
    outcome = engine("t")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.POST_CHECK_REFUSED)
    assert paid == ["Bob", "Bob"]  # once when recorded, once by the replay; the agent's was answered
    assert outcome.value == 4  # 1 and 2 when recorded, 3 by the replay, 4 by the agent
