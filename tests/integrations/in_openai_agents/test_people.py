"""OpenAI Agents SDK: tools that a person approves, and runs that go on later or elsewhere."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, RunState, function_tool

from agents_desk import ANSWER, DONE, PARAMS, Desk, mail, plan_of
from muscle_mem.integrations.openai_agents import MuscleMemoryProvider
from openai_agents_stub import WAYS, config, run

FIND = ("find_order", {"order": "A-1001"})
REFUND = ("refund", {"order": "A-1001", "amount": 250})
MAIL = mail(PARAMS)


def recorded(**options: Any) -> Desk:
    """Return a desk whose refunds need an approval, and that has recorded one with a yes."""
    desk = Desk(approval=True, **options)
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
        desk.go_on(result, approve=True)
    assert task.outcome.learned, task.outcome
    desk.reset()
    return desk


PROMPT = "Refund order A-1001 of Ada Lovelace."


def asked_for(result: Any) -> list[str]:
    return [item.tool_name for item in result.interruptions]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("approval")
def test_a_tool_that_needs_approval_asks_for_it_on_a_hit(way: str) -> None:
    desk = recorded()
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run(way, desk.agent, PROMPT, config(desk.provider))
        assert asked_for(result) == ["refund"]
        assert desk.did == DONE[:1]
        result = desk.go_on(result, approve=True, way=way)
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)
    assert result.final_output == ANSWER


@pytest.mark.parametrize("message", [None, "Not today."])
@pytest.mark.scenario("approval", "denied")
def test_a_no_is_told_to_the_model_and_does_not_count_against_the_recording(message: str | None) -> None:
    desk = recorded()
    desk.stub.plan = plan_of([[FIND], [REFUND]], "It was not approved.")
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
        result = desk.go_on(result, approve=False, message=message)
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "refused_by_person")
    assert (desk.did, result.final_output) == (DONE[:1], "It was not approved.")
    assert [request.results[1] for request in desk.stub.requests] == [message or "Tool execution was not approved."]
    desk.reset()
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
        assert asked_for(result) == ["refund"]  # Asked again, after a no.
        desk.go_on(result, approve=True)
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)


@pytest.mark.scenario("denied")
def test_a_no_while_recording_is_no_step() -> None:
    desk = Desk(plan_of([[FIND], [REFUND]], "It was not approved."), approval=True)
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
        desk.go_on(result, approve=False)
    assert task.outcome.status == "miss"
    assert desk.did == DONE[:1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("state_changed")
def test_a_state_that_changes_while_a_person_thinks_stops_the_call(way: str) -> None:
    desk = recorded()
    desk.stub.plan = plan_of([[FIND], [REFUND]], "It was refunded before.")
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run(way, desk.agent, PROMPT, config(desk.provider))
        time.sleep(0.06)
        desk.state["A-1001"] = "refunded"
        result = desk.go_on(result, approve=True, way=way)
    assert desk.did == DONE[:1]
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "check_refused")
    assert result.final_output == "It was refunded before."


@pytest.mark.scenario("state_changed", "approval")
def test_without_the_guardrail_a_tool_that_needs_approval_is_not_replayed() -> None:
    seen: list[Any] = []
    desk = recorded(guarded=False, observers=[seen.append])
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
        assert asked_for(result) == ["refund"]
        desk.go_on(result, approve=True)
    assert (task.outcome.status, task.outcome.reason) == ("miss", "tool_missing")
    assert (desk.did, desk.stub.asked) == (DONE, 4)
    (message,) = [event.message for event in seen if getattr(event, "code", "") == "unconfirmed_tool"]
    assert "'refund' needs an approval" in message


def cancelling() -> Desk:
    """Return a desk whose only tool needs an approval, and has neither a check nor the guardrail."""
    desk = Desk(plan_of([[("cancel", {"order": "A-1001"})]], "cancelled"))

    @function_tool(needs_approval=True)
    def cancel(order: str) -> str:
        desk.did.append(("cancel", order))
        return "cancelled"

    desk.agent = Agent(name="desk", instructions="Cancel.", tools=[cancel])
    return desk


@pytest.mark.scenario("approval")
def test_without_the_guardrail_a_tool_without_a_check_is_replayed_and_approved() -> None:
    desk = cancelling()
    for status, asked in (("miss", 2), ("hit", 0)):
        desk.reset()
        with desk.engine.task("cancel an order") as task:
            result = run("sync", desk.agent, PROMPT, config(desk.provider))
            assert asked_for(result) == ["cancel"]
            desk.go_on(result, approve=True)
        assert (task.outcome.status, desk.did, desk.stub.asked) == (status, [("cancel", "A-1001")], asked)


@pytest.mark.scenario("denied")
def test_without_the_guardrail_a_no_is_known_by_its_text() -> None:
    desk = cancelling()
    for approve in (True, False):
        desk.reset()
        with desk.engine.task("cancel an order") as task:
            result = run("sync", desk.agent, PROMPT, config(desk.provider))
            desk.go_on(result, approve=approve)
    assert (task.outcome.status, task.outcome.reason, desk.did) == ("miss", "refused_by_person", [])


@pytest.mark.scenario("approval")
def test_guardrails_that_run_before_the_approval_do_not_hide_a_no() -> None:
    execution = pytest.importorskip("agents.run_config")
    if not hasattr(execution, "ToolExecutionConfig"):
        pytest.skip("this version has no guardrails before the approval")
    desk = recorded()
    desk.stub.plan = plan_of([[FIND], [REFUND]], "It was not approved.")
    options = execution.ToolExecutionConfig(pre_approval_tool_input_guardrails=True)
    early = config(desk.provider, tool_execution=options)
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, early)
        state = result.to_state()
        state.reject(state.get_interruptions()[0], rejection_message="Not today.")
        run("sync", desk.agent, state, early)
    assert (task.outcome.status, task.outcome.reason) == ("diverged", "refused_by_person")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("approved_later")
def test_a_run_that_is_approved_after_its_block_goes_on_and_ends(way: str) -> None:
    desk = recorded()
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run(way, desk.agent, PROMPT, config(desk.provider))
    assert (task.suspended, task.outcome) == (True, None)
    result = desk.go_on(result, approve=True, way=way)
    assert (task.suspended, task.outcome.status) == (False, "hit")
    assert (desk.did, desk.stub.asked, result.final_output) == (DONE, 0, ANSWER)


@pytest.mark.scenario("approved_later")
def test_a_recording_that_is_approved_after_its_block_is_learned() -> None:
    desk = Desk(approval=True)
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
    assert task.suspended
    desk.go_on(result, approve=True)
    assert task.outcome.learned


@pytest.mark.scenario("approved_later")
def test_a_run_goes_on_through_another_provider_of_the_engine() -> None:
    desk = recorded()
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
    desk.provider = MuscleMemoryProvider(desk.engine, desk.real)
    result = desk.go_on(result, approve=True)
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)


def restored(desk: Desk, text: str) -> Any:
    return asyncio.run(RunState.from_string(desk.agent, text))


@pytest.mark.scenario("checkpoint")
def test_a_run_that_is_resumed_from_its_saved_state_goes_on_where_it_was() -> None:
    desk = recorded()
    with desk.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
    state = restored(desk, result.to_state().to_string())
    state.approve(state.get_interruptions()[0])
    result = run("sync", desk.agent, state, config(desk.provider))
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)
    assert result.final_output == ANSWER


@pytest.mark.scenario("approved_elsewhere")
def test_a_run_that_is_resumed_in_another_process_is_neither_replayed_nor_learned() -> None:
    desk = recorded()
    with desk.engine.task("refund an order", params=PARAMS):
        result = run("sync", desk.agent, PROMPT, config(desk.provider))
    text = result.to_state().to_string()
    other = Desk(approval=True)  # With an engine and an adapter of its own, as another process has them.
    state = restored(other, text)
    state.approve(state.get_interruptions()[0])
    with other.engine.task("refund an order", params=PARAMS) as task:
        result = run("sync", other.agent, state, config(other.provider))
    assert result.final_output == ANSWER
    assert other.did == DONE[1:]
    assert [len(request.results) for request in other.stub.requests] == [2, 3]
    assert (task.outcome, task.outcomes, other.engine.cache_info().learned) == (None, [], 0)
    assert not other.notices("no_run")
