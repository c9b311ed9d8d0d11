"""OpenAI Agents SDK: replays that stop, and what the model does then."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, ModelBehaviorError, ModelSettings, UserError, function_tool

from agents_desk import ANSWER, DONE, PARAMS, Desk, mail, plan_of
from muscle_mem.events import NotLearnedEvent
from muscle_mem.integrations.openai_agents import MuscleMemoryProvider
from openai_agents_stub import WAYS, Plan, Wish, config, run

FIND: Wish = ("find_order", {"order": "A-1001"})
REFUND: Wish = ("refund", {"order": "A-1001", "amount": 250})
FOUND = '{"order": "A-1001", "total": 250}'


def without_refund() -> Plan:
    """Return what a model does that sees an order that was refunded before."""
    return plan_of([[FIND], [mail(PARAMS)]], "It was refunded before.")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("check_refuses")
def test_a_check_refuses_and_the_model_goes_on_with_the_history(way: str) -> None:
    desk = Desk()
    desk.learned(way=way)
    desk.stub.plan = without_refund()
    desk.state["A-1001"] = "refunded"
    task, result = desk.do(way)
    outcome = task.outcome
    assert (outcome.status, outcome.divergence.reason, outcome.divergence.tool) == (
        "diverged",
        "check_refused",
        "refund",
    )
    assert desk.did == [DONE[0], DONE[2]]
    assert [request.results for request in desk.stub.requests] == [[FOUND], [FOUND, "sent"]]
    assert result.final_output == "It was refunded before."
    assert outcome.learned  # The prefix and the model's own step.
    desk.reset()
    desk.state["A-1001"] = "refunded"
    task, _ = desk.do(way)
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", [DONE[0], DONE[2]], 0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("rejoin")
def test_after_a_step_of_the_models_own_the_replay_takes_over_again(way: str) -> None:
    desk = Desk(rejoin=True)
    desk.learned(way=way)
    desk.state["A-1001"] = "half paid"
    desk.stub.plan = plan_of([[FIND], [("refund", {"order": "A-1001", "amount": 125})]], "half of it")
    task, _ = desk.do(way)
    assert desk.did == [DONE[0], ("refund", "A-1001", "125"), DONE[2]]
    asked = [len(request.results) for request in desk.stub.requests]
    assert asked == [1, 3]  # For its own step and, as the results are others, for the answer.
    assert task.outcome.status == "diverged"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("state_changed")
def test_a_state_that_changes_between_turn_and_tool_stops_the_call(way: str) -> None:
    desk: Desk

    async def meanwhile(context: Any, arguments: dict[str, Any], call_id: str) -> bool:
        if not desk.stub.requests:  # It is a replay.
            time.sleep(0.06)  # Longer than a verdict is good for.
            desk.state["A-1001"] = "refunded"
        return False

    desk = Desk(approval=meanwhile)
    desk.learned(way=way)
    desk.stub.plan = plan_of([[FIND], [REFUND], [mail(PARAMS)]], "It was refunded before.")
    task, result = desk.do(way)
    assert desk.did == [DONE[0], DONE[2]]
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    (_, why), *_ = [request.results for request in desk.stub.requests]
    assert why.startswith("The call was not made")
    assert result.final_output == "It was refunded before."


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("tool_raises", "error_as_text")
def test_a_tool_that_raises_stops_the_replay_and_the_model_goes_on(way: str) -> None:
    desk = Desk()
    desk.learned(way=way)
    desk.breaks["send_mail"] = OSError("no network")
    task, result = desk.do(way)
    outcome = task.outcome
    assert (outcome.status, outcome.divergence.tool) == ("diverged", "send_mail")
    assert outcome.reason in ("tool_raised", "returned_error")
    assert [len(request.results) for request in desk.stub.requests] == [3]
    assert result.final_output == ANSWER


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("tool_raises")
def test_an_exception_that_the_user_wants_to_see_passes(way: str) -> None:
    desk = Desk(failure=None)
    desk.learned(way=way)
    desk.breaks["send_mail"] = OSError("no network")
    with pytest.raises(UserError, match="no network"):
        desk.do(way)
    desk.breaks.clear()
    desk.reset()
    task, _ = desk.do(way)
    assert (task.outcome.status, desk.stub.asked) == ("hit", 0)


@pytest.mark.scenario("error_as_text")
def test_a_failure_text_that_a_tool_declares_stops_the_replay() -> None:
    desk = Desk(plan_of([[("ship", {"order": "A-1001"})], [("find_order", {"order": "A-1001"})]], "shipped"))
    answers = ["shipped", "no parcel"]
    desk.engine.external_tool("ship", effect="write", version=1, failed=lambda result: result == "no parcel")

    @function_tool
    def ship(order: str) -> str:
        return answers.pop(0)

    desk.agent = Agent(name="desk", instructions="Ship.", tools=[ship, desk.tools[0]])
    desk.learned()
    task, _ = desk.do()
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "returned_error")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("model_error")
def test_an_error_of_the_model_passes_and_nothing_is_learned(way: str) -> None:
    desk = Desk()
    error = ModelBehaviorError("overloaded")
    desk.stub.plan = lambda results: error if len(results) == 2 else desk_plan(results)
    desk_plan = plan_of([[FIND], [REFUND]], "")
    with pytest.raises(ModelBehaviorError) as raised:
        desk.do(way)
    assert raised.value is error
    desk.reset(plan_of([[FIND], [REFUND], [mail(PARAMS)]], ANSWER))
    task, _ = desk.do(way)
    assert (task.outcome.status, task.outcome.reason, task.outcome.learned) == ("miss", "new_task", True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("model_error")
def test_without_a_block_too_a_run_ends_with_the_error_of_its_model(way: str) -> None:
    desk = Desk(lambda results: ModelBehaviorError("overloaded"))
    with pytest.raises(ModelBehaviorError):
        run(way, desk.agent, "Refund it.", config(desk.provider))
    assert [event.reason for event in desk.events if isinstance(event, NotLearnedEvent)] == ["agent_raised"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("made", [0, 1])
@pytest.mark.scenario("model_error")
def test_a_request_that_the_sdk_sends_again_goes_on_with_the_run(way: str, made: int) -> None:
    retry = pytest.importorskip("agents.retry")
    errors = [ModelBehaviorError("overloaded")]
    plan = plan_of([[FIND], [REFUND], [mail(PARAMS)]], ANSWER)
    desk = Desk(lambda results: errors.pop() if errors and len(results) == made else plan(results))
    settings = ModelSettings(retry=retry.ModelRetrySettings(max_retries=1, policy=lambda context: True))
    desk.agent = desk.agent.clone(model_settings=settings)
    task, result = desk.do(way)
    assert (desk.stub.asked, result.final_output, task.outcome.learned) == (5, ANSWER, True)
    desk.reset()
    task, _ = desk.do(way)
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)


@pytest.mark.scenario("unknown_tool")
def test_a_tool_that_is_no_longer_offered_is_missed_before_the_first_effect() -> None:
    desk = Desk()
    desk.learned()
    desk.agent = desk.agent.clone(tools=desk.tools[:2])
    desk.stub.plan = plan_of([], "I cannot write to anybody.")
    task, result = desk.do()
    assert (task.outcome.status, task.outcome.reason, desk.did) == ("miss", "tool_missing", [])
    assert result.final_output == "I cannot write to anybody."


@pytest.mark.scenario("unknown_tool")
def test_tools_that_the_agent_is_said_not_to_have_are_not_replayed() -> None:
    desk = Desk()
    desk.learned()
    desk.provider = MuscleMemoryProvider(desk.engine, desk.real, tools=["find_order", "refund"])
    task, _ = desk.do()
    assert (task.outcome.status, task.outcome.reason, desk.did) == ("miss", "tool_missing", DONE)


@pytest.mark.scenario("tool_changed")
def test_a_tool_with_another_schema_has_changed() -> None:
    def look_up(order: str) -> str:
        """Look an order up."""
        return "there"

    def look_up_now(order: str, year: int = 2026) -> str:
        """Look an order up."""
        return "there"

    desk = Desk(plan_of([[("look_up", {"order": "A-1001"})]], "there"))
    desk.agent = Agent(name="desk", instructions="Look.", tools=[function_tool(look_up)])
    desk.learned()
    changed = function_tool(look_up_now, name_override="look_up", strict_mode=False)
    desk.agent = desk.agent.clone(tools=[changed])
    task, _ = desk.do()
    assert (task.outcome.status, task.outcome.reason) == ("miss", "tool_changed")
