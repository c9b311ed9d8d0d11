"""F5, F6: what is learned from a run that began as a replay and was ended by the agent."""

from __future__ import annotations

from typing import Any

import pytest

from muscle_mem import Check, Engine, Reason
from replay_world import Desk

ONES = {"a": 1, "b": 1, "c": 1, "d": 1, "x": 1}
C_BROKEN = {**ONES, "c": 2}


@pytest.mark.parametrize("handover", [True, False])
def test_f5_the_next_run_in_that_world_is_a_hit_of_the_whole(handover: bool) -> None:
    desk = Desk(handover=handover)
    desk.learn("abc", ONES)
    desk.plan = ["x"] if handover else ["a", "b", "x"]
    outcome = desk.run(C_BROKEN)
    assert (outcome.status, outcome.learned) == ("diverged", True)
    assert desk.run(C_BROKEN, mode="replay").steps == 3
    assert desk.done == ["a", "b", "x"]
    assert desk.run({**ONES, "x": 2}, mode="replay")
    assert desk.done == ["a", "b", "c"]


def test_f5_the_same_calls_in_a_new_world_are_one_more_observation_of_one_trajectory() -> None:
    desk = Desk()
    first = desk.learn("abc", ONES)
    assert desk.run(C_BROKEN).trajectory_id == first.trajectory_id
    assert desk.run(C_BROKEN, mode="replay")
    assert desk.run(ONES, mode="replay")


def test_f5_the_prefix_keeps_the_snapshots_that_accepted_it() -> None:
    desk = Desk(compare=lambda current, candidate: abs(current - candidate) <= 3)
    desk.learn("abc", {"a": 10, "b": 10, "c": 10})
    assert desk.run({"a": 13, "b": 10, "c": 50}).learned
    assert desk.run({"a": 13, "b": 10, "c": 50}, mode="replay")
    outcome = desk.run({"a": 16, "b": 10, "c": 50})
    assert outcome.reason is Reason.FIRST_CHECK_REFUSED, "small drifts must not add up"


def test_f5_a_partly_repeated_prefix_is_not_stored() -> None:
    desk = Desk()
    desk.learn("abc", ONES)
    desk.plan = ["a", "x"]
    outcome = desk.run(C_BROKEN)
    assert outcome.not_learned is Reason.NOT_ABSORBED
    assert "'step' was done by the replay and again by the agent" in outcome.not_learned_message


@pytest.mark.parametrize("plan", ["", "a", "ab", "ba"])
def test_f5_nothing_is_stored_if_the_agent_made_no_call_of_its_own(plan: str) -> None:
    desk = Desk()
    desk.learn("abc", ONES)
    desk.plan = list(plan)
    outcome = desk.run(C_BROKEN)
    assert not outcome.learned
    assert outcome.not_learned is Reason.NO_CALLS


def test_f5_a_failed_look_and_giving_up_is_no_call_of_its_own() -> None:
    desk = Desk(handover=True, effect="read")
    desk.learn("abc", ONES)

    def agent(task: str, handover: Any = None) -> str:
        try:
            desk.step("d")
        except OSError:
            return "gave up"
        raise AssertionError

    desk.engine.set_agent(agent)
    desk.fail["d"] = OSError("no screen")
    outcome = desk.run(C_BROKEN)
    assert outcome.not_learned is Reason.NO_CALLS


@pytest.mark.parametrize("effect", [None, "write", "idempotent", "irreversible"])
def test_f5_nothing_is_stored_if_the_effect_of_the_step_that_raised_is_unknown(effect: Any) -> None:
    desk = Desk(handover=True, effect=effect)
    desk.learn("abc", ONES)
    desk.fail["b"] = ValueError("half done")
    desk.plan = ["x"]
    outcome = desk.run()
    assert outcome.not_learned is Reason.UNKNOWN_EFFECT
    assert "step" in outcome.not_learned_message


@pytest.mark.parametrize("trouble", ["odd", OSError("no screen")])
def test_f5_nothing_is_stored_if_a_post_check_did_not_pass_after_a_write(trouble: Any) -> None:
    desk = Desk(handover=True, post=True)
    desk.learn("abc", ONES)
    desk.after["b"] = trouble
    desk.plan = ["x"]
    outcome = desk.run()
    assert outcome.status == "diverged"
    assert outcome.not_learned is Reason.UNKNOWN_EFFECT


def test_f5_a_look_that_raised_is_left_out_and_the_rest_is_stored() -> None:
    desk = Desk(effect="read")
    desk.learn("abc", ONES)

    def agent(task: str) -> None:
        desk.step("a")
        try:
            desk.step("b")
        except OSError:
            desk.step("x")

    desk.engine.set_agent(agent)
    desk.fail["b"] = OSError("no screen")
    assert desk.run().learned
    desk.fail.clear()
    assert desk.run(mode="replay")
    assert desk.done == ["a", "x"]


def test_f5_a_look_whose_post_check_failed_is_stored_with_what_it_found() -> None:
    desk = Desk(post=True, effect="read")
    desk.learn("abc", ONES)
    desk.after["b"] = "new look"
    desk.plan = ["a", "b", "x"]
    assert desk.run().learned
    assert desk.run(mode="replay")
    assert desk.done == ["a", "b", "x"]
    desk.after["b"] = "yet another look"
    desk.plan = []
    assert desk.run().reason is Reason.POST_CHECK_REFUSED


def test_f5_what_was_read_by_a_look_whose_post_check_failed_is_guarded() -> None:
    """An id that the agent took from such an output must not be replayed when the output has another."""
    desk = Desk(post=True, effect="read")
    desk.returns["find"] = {"id": "order-1000"}
    desk.engine.set_agent(lambda task: (desk.step("a"), desk.step(f"open {desk.step('find')['id']}")))
    desk.learn([])
    desk.returns["find"] = {"id": "order-2000"}
    desk.after["find"] = "new look"
    assert desk.run().learned
    assert desk.done == ["a", "find", "a", "find", "open order-2000"]
    desk.returns["find"] = {"id": "order-3000"}
    desk.run()
    assert "open order-2000" not in desk.done


def test_f5_nothing_is_stored_if_a_look_was_followed_by_a_post_check_that_cannot_decide() -> None:
    desk = Desk(post=True, effect="read")
    desk.learn("abc", ONES)
    desk.after["b"] = OSError("no screen")
    desk.plan = ["a", "b", "x"]
    outcome = desk.run()
    assert outcome.reason is Reason.CHECK_ERROR
    assert not outcome.learned


def test_f5_nothing_is_stored_if_the_agent_begins_again_with_the_first_executed_step() -> None:
    desk = Desk(on_divergence="continue")
    desk.learn("abc", ONES)
    desk.plan = list("abx")
    outcome = desk.run(C_BROKEN)
    assert outcome.not_learned is Reason.REPEATED_PREFIX


@pytest.mark.parametrize("policy", ["auto", "absorb"])
@pytest.mark.parametrize("plan", ["abax", "abbx", "abababx", "abxa"])
def test_f5a_a_step_that_is_repeated_after_the_whole_prefix_is_a_step_like_any_other(policy: Any, plan: str) -> None:
    desk = Desk(on_divergence=policy)
    desk.learn("abc", ONES)
    desk.plan = list(plan)
    assert desk.run(C_BROKEN).learned
    assert desk.run(C_BROKEN, mode="replay")
    assert desk.done == list(plan)


@pytest.mark.parametrize("plan", ["ax", "bx", "abx", "bbx"])
def test_f5a_so_is_one_that_an_agent_repeats_that_was_handed_over_to(plan: str) -> None:
    desk = Desk(handover=True)
    desk.learn("abc", ONES)
    desk.plan = list(plan)
    assert desk.run(C_BROKEN).learned
    assert desk.run(C_BROKEN, mode="replay")
    assert desk.done == ["a", "b", *plan]


def test_f5_a_success_callback_that_accepts_the_run_overrides_that() -> None:
    desk = Desk(on_divergence="continue", success=lambda value: True)
    desk.learn("abc", ONES)
    desk.plan = list("abx")
    assert desk.run(C_BROKEN).learned
    assert desk.run(C_BROKEN, mode="replay")
    assert desk.done == ["a", "b", "a", "b", "x"]


def test_f5_a_success_callback_that_refuses_the_run_prevents_it() -> None:
    desk = Desk()
    desk.learn("abc", ONES)
    outcome = desk.run(C_BROKEN, success=lambda value: False)
    assert outcome.not_learned is Reason.REFUSED


@pytest.mark.parametrize("handover", [True, False])
def test_f5_a_step_that_the_agent_gives_an_executed_steps_result_refers_to_this_runs(handover: bool) -> None:
    engine = Engine(observers=[])
    made: list[Any] = []
    used: list[Any] = []
    open_ = [True]

    class Handle:
        """Something without a canonical form."""

    @engine.tool()
    def make() -> Any:
        made.append(Handle())
        return made[-1]

    @engine.tool(Check(lambda handle: open_[0]))
    def use(handle: Any) -> None:
        used.append(handle)

    @engine.tool()
    def repair(handle: Any) -> None:
        used.append(handle)

    def start(task: str) -> None:
        use(make())

    def go_on(task: str, handover: Any = None) -> None:
        repair(handover.results[0])

    def again(task: str) -> None:
        repair(make())

    engine.set_agent(start)
    assert engine("task").learned
    open_[0] = False
    engine.set_agent(go_on if handover else again)
    outcome = engine("task")
    assert outcome.learned, outcome.not_learned_message
    assert engine("task", mode="replay")
    assert used[-1] is made[-1]
    assert len(made) == 3


def test_f5_a_literal_read_from_an_executed_steps_output_is_guarded() -> None:
    desk = Desk(handover=True)
    desk.returns["find"] = ["order-1000"]
    desk.learn(["find", "c"], {"c": 1})

    def agent(task: str, handover: Any = None) -> None:
        if handover is not None:
            desk.step(f"open {handover.results[0][0]}")

    desk.engine.set_agent(agent)
    desk.returns["find"] = ["order-2000"]
    assert desk.run({"c": 2}).learned
    assert desk.run({"c": 2}, mode="replay")
    desk.returns["find"] = ["order-3000"]
    assert desk.run({"c": 2}).reason is Reason.CHECK_REFUSED  # of what this recording went around (D3)
    assert desk.done == ["find", "open order-3000"]


def test_f5_the_value_of_the_next_hit_is_that_of_the_executed_step_the_agent_returned() -> None:
    desk = Desk()
    desk.returns.update(a={"n": 1}, x={"n": 2})

    def agent(task: str) -> Any:
        first = desk.step("a")
        desk.step("b")
        desk.step("c" if desk.state["c"] == 1 else "x")
        return first

    desk.engine.set_agent(agent)
    desk.learn([], ONES)
    assert desk.run(C_BROKEN).learned
    assert desk.run(C_BROKEN, mode="record").learned  # One of several outputs: two recordings must agree (D5).
    desk.returns["a"] = {"n": 3}
    assert desk.run(C_BROKEN, mode="replay").value == {"n": 3}


def test_f5_nothing_is_stored_if_the_agent_failed() -> None:
    desk = Desk()
    desk.learn("abc", ONES)
    desk.plan = list("abx")
    desk.fail["x"] = ValueError("stuck")
    with pytest.raises(ValueError, match="stuck"):
        desk.run(C_BROKEN)
    desk.fail.clear()
    desk.plan = []
    assert desk.run(C_BROKEN).status == "diverged"


def test_f6_a_replay_that_the_success_callback_refuses_is_a_divergence_and_the_agent_is_asked() -> None:
    desk = Desk(handover=True)
    desk.learn("ab", ONES)
    desk.plan = ["x"]
    outcome = desk.run(success=lambda value: value == "did x")
    assert (outcome.status, outcome.reason) == ("diverged", Reason.UNSUCCESSFUL)
    assert not outcome
    assert outcome.value == "did x"
    assert outcome.learned
    assert desk.done == ["a", "b", "x"]


def test_f6_a_success_callback_that_raises_accepts_nothing() -> None:
    desk = Desk()
    desk.learn("ab", ONES)
    outcome = desk.run(success=lambda value: 1 / 0)
    assert outcome.status == "diverged"
    assert "ZeroDivisionError" in outcome.message
    assert not outcome.learned
