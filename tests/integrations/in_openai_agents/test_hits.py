"""OpenAI Agents SDK: what is recorded, and what a hit is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, function_tool
from pydantic import BaseModel

from agents_desk import ANSWER, DONE, OTHERS, Desk, plan_of
from muscle_mem import Check, current_run
from muscle_mem.integrations.openai_agents import MuscleMemoryModel, memory_guardrail
from openai_agents_stub import TOKENS, WAYS, calls_of, config, run


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("record", "hit", "sync", "async", "streaming")
def test_the_second_run_makes_the_same_calls_without_the_model(way: str) -> None:
    desk = Desk()
    task, recorded = desk.do(way)
    assert task.outcome.learned
    assert (desk.did, desk.stub.asked) == (DONE, 4)
    desk.reset()
    task, replayed = desk.do(way)
    assert task.outcome.status == "hit"
    assert (desk.did, desk.stub.asked) == (DONE, 0)
    assert replayed.final_output == recorded.final_output == ANSWER
    assert [name for name, _ in calls_of(replayed)] == [name for name, _ in calls_of(recorded)]


@pytest.mark.scenario("hit_other_params")
def test_other_params_stand_in_the_calls_and_in_the_answer() -> None:
    desk = Desk()
    desk.learned()
    task, result = desk.do(params=OTHERS)
    assert task.outcome.status == "hit"
    assert desk.did == [
        ("find_order", "B-2002"),
        ("refund", "B-2002", "250"),
        ("send_mail", "Grace Hopper", "Order B-2002 was refunded."),
    ]
    assert desk.stub.asked == 0
    assert result.final_output == "Refunded B-2002 for Grace Hopper."


@pytest.mark.scenario("streaming")
def test_a_replayed_turn_streams_as_the_events_of_a_model() -> None:
    desk = Desk()
    desk.learned(way="streaming")
    _, result = desk.do("streaming")
    raw = [event.data for event in result.seen if event.type == "raw_response_event"]
    assert [event.type for event in raw if event.type == "response.completed"] == ["response.completed"] * 4
    assert "".join(event.delta for event in raw if event.type == "response.output_text.delta") == ANSWER
    arguments = [json.loads(event.delta) for event in raw if event.type == "response.function_call_arguments.delta"]
    assert arguments[0] == {"order": "A-1001"}
    names = [event.name for event in result.seen if event.type == "run_item_stream_event"]
    assert names == ["tool_called", "tool_output"] * 3 + ["message_output_created"]


@pytest.mark.parametrize("leaves_out", ["items", "output"])
@pytest.mark.scenario("streaming")
def test_a_stream_is_learned_whose_items_are_in_one_place_only(leaves_out: str) -> None:
    desk = Desk()
    desk.stub.leaves_out = leaves_out
    desk.learned(way="streaming")
    task, _ = desk.do("streaming")
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("async")
def test_async_tools_are_replayed(way: str) -> None:
    desk = Desk(plan_of([[("wait", {"order": "A-1001"})]], "waited"))

    async def wait(order: str) -> str:
        await asyncio.sleep(0)
        desk.did.append(("wait", order))
        return "waited"

    tool = desk.engine.tool(name="wait", version=1, effect="read")(wait)
    desk.agent = Agent(name="desk", instructions="Wait.", tools=[function_tool(tool, name_override="wait")])
    desk.learned(way=way)
    task, result = desk.do(way)
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", [("wait", "A-1001")], 0)
    assert result.final_output == "waited"


@pytest.mark.scenario("parallel_calls")
def test_calls_of_one_turn_are_replayed_as_one_turn() -> None:
    captured: list[tuple[str, int]] = []
    desk = Desk(plan_of([[("read", {"order": "A-1001"}), ("read", {"order": "B-2002"})]], "read both"))

    def capture(order: str) -> str:
        captured.append((order, len(desk.did)))
        return "there"

    def read(order: str) -> str:
        desk.did.append(("read", order))
        return f"{order}: paid"

    made = desk.engine.tool(name="read", version=1, effect="read", pre_check=Check(capture))(read)
    guardrails = [memory_guardrail(desk.engine)]
    tool = function_tool(made, name_override="read", tool_input_guardrails=guardrails)
    desk.agent = Agent(name="desk", instructions="Read.", tools=[tool])
    desk.learned()
    captured.clear()
    task, result = desk.do()
    assert task.outcome.status == "hit"
    assert sorted(desk.did) == [("read", "A-1001"), ("read", "B-2002")]
    assert captured[:2] == [("A-1001", 0), ("B-2002", 0)]  # Both before the first call.
    assert len(result.raw_responses) == 2
    marks = [found.output.output_info for found in result.tool_input_guardrail_results]
    assert sorted((mark["muscle_mem"], mark["step"]) for mark in marks) == [("replayed", 0), ("replayed", 1)]


class Receipt(BaseModel):
    order: str
    amount: int


class Note(BaseModel):
    order: str


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("typed_answer")
def test_a_typed_answer_comes_back_as_its_type(way: str) -> None:
    plan = plan_of([[("find_order", {"order": "A-1001"})]], '{"order": "A-1001", "amount": 250}')
    desk = Desk(plan, output_type=Receipt)
    first = desk.learned(way=way, params={"order": "A-1001"})
    task, result = desk.do(way, {"order": "A-1001"})
    assert (task.outcome.status, desk.stub.asked) == ("hit", 0)
    assert result.final_output == first.final_output == Receipt(order="A-1001", amount=250)
    _, result = desk.do(way, {"order": "B-2002"})
    assert (result.final_output, desk.stub.asked) == (Receipt(order="B-2002", amount=250), 0)
    other = desk.agent.clone(output_type=Note)
    desk.reset(plan_of([[("find_order", {"order": "A-1001"})]], '{"order": "A-1001"}'))
    task, result = desk.do(way, {"order": "A-1001"}, agent=other)
    assert (task.outcome.reason, result.final_output) == ("new_task", Note(order="A-1001"))


@pytest.mark.scenario("typed_answer")
def test_an_answer_that_the_sdk_wraps_comes_back_unwrapped() -> None:
    desk = Desk(plan_of([[("find_order", {"order": "A-1001"})]], '{"response": [1, 2]}'), output_type=list[int])
    desk.learned()
    _, result = desk.do()
    assert (result.final_output, desk.stub.asked) == ([1, 2], 0)


@pytest.mark.scenario("typed_answer")
def test_an_answer_may_be_made_by_a_function() -> None:
    desk = Desk(answer=lambda results: Receipt(order="made", amount=len(results)), output_type=Receipt)
    desk.stub.plan = plan_of([[("find_order", {"order": "A-1001"})]], '{"order": "A-1001", "amount": 250}')
    desk.learned()
    _, result = desk.do()
    assert result.final_output == Receipt(order="made", amount=1)


@pytest.mark.scenario("typed_answer")
def test_an_answer_of_a_function_is_wrapped_as_the_sdk_does() -> None:
    desk = Desk(answer=lambda results: [len(results)], output_type=list[int])
    desk.stub.plan = plan_of([[("find_order", {"order": "A-1001"})]], '{"response": [7]}')
    desk.learned()
    _, result = desk.do()
    assert (result.final_output, desk.stub.asked) == ([1], 0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("usage")
def test_a_hit_uses_nothing_and_tells_what_it_saved(way: str) -> None:
    desk = Desk()
    recorded = desk.learned(way=way)
    assert recorded.context_wrapper.usage.total_tokens == 4 * sum(TOKENS)
    task, result = desk.do(way)
    usage = result.context_wrapper.usage
    assert (usage.requests, usage.input_tokens, usage.output_tokens, usage.total_tokens) == (0, 0, 0, 0)
    assert task.outcome.saved_tokens == 4 * sum(TOKENS)
    ids = [response.request_id for response in result.raw_responses]
    assert ids == [f"muscle_mem/{task.outcome.trajectory_id}/{step}" for step in range(4)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("hit")
def test_with_the_answer_of_the_model_it_is_asked_once(way: str) -> None:
    desk = Desk(answer="model")
    desk.learned(way=way)
    task, result = desk.do(way)
    assert (task.outcome.status, desk.did) == ("hit", DONE)
    assert [len(request.results) for request in desk.stub.requests] == [3]
    assert result.final_output == ANSWER


@pytest.mark.scenario("hit")
def test_ids_of_replayed_calls_are_never_used_twice() -> None:
    desk = Desk()
    desk.learned()
    found: list[str] = []
    for _ in range(3):
        _, result = desk.do()
        found += [id for _, id in calls_of(result)]
        desk.reset()
    assert len(set(found)) == 9
    assert all(id.startswith("call_mm_") for id in found)


@pytest.mark.scenario("decorated_tools")
def test_decorated_functions_and_tools_of_the_framework_stand_side_by_side() -> None:
    wanted = [
        [("find_order", {"order": "A-1001"})],
        [("look_up", {"order": "A-1001"})],
        [("close", {"order": "A-1001"})],
    ]
    desk = Desk(plan_of(wanted, "closed"))
    desk.engine.external_tool("close", effect="write", version=1, pre_check=Check(lambda order: desk.state[order]))

    @function_tool
    def look_up(order: str) -> dict[str, str]:
        """Look an order up."""
        desk.did.append(("look_up", order))
        return {"order": order}

    @function_tool
    def close(order: str) -> str:
        """Close an order."""
        desk.did.append(("close", order))
        return "closed"

    desk.agent = Agent(name="desk", instructions="Close orders.", tools=[desk.tools[0], look_up, close])
    desk.learned()
    task, _ = desk.do()
    assert task.outcome.status == "hit"
    assert desk.did == [("find_order", "A-1001"), ("look_up", "A-1001"), ("close", "A-1001")]
    assert desk.stub.asked == 0
    desk.reset()
    desk.state["A-1001"] = "gone"
    task, _ = desk.do()
    assert task.outcome.divergence.tool == "close"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("decorated_tools")
def test_a_decorated_function_inside_of_a_tool_is_part_of_its_step(way: str) -> None:
    desk = Desk(plan_of([[("look_up", {"order": "A-1001"})]], "found"))
    find = desk.engine.tool(name="find", version=1, effect="read")(desk.find_order)
    runs: list[Any] = []

    def look_up(order: str) -> str:
        runs.append(current_run())
        return str(find(order))

    guardrails = [memory_guardrail(desk.engine)]
    tool = function_tool(look_up, tool_input_guardrails=guardrails)
    desk.agent = Agent(name="desk", instructions="Look up.", tools=[tool])
    desk.learned(way=way)
    task, _ = desk.do(way)
    assert (task.outcome.status, task.outcome.steps) == ("hit", 1)
    assert (desk.did, desk.stub.asked) == ([("find_order", "A-1001")], 0)
    assert None not in runs
    assert current_run() is None


@pytest.mark.scenario("renamed_tool")
def test_a_tool_with_another_name_is_recorded_by_that_name() -> None:
    desk = Desk(plan_of([[("lookup-order", {"order": "A-1001"})]], "found"))
    tool = function_tool(desk.find_order, name_override="lookup-order")
    desk.agent = Agent(name="desk", instructions="Find orders.", tools=[tool])
    desk.learned()
    task, result = desk.do()
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", [("find_order", "A-1001")], 0)
    assert [name for name, _ in calls_of(result)] == ["lookup-order"]


@pytest.mark.scenario("hit")
def test_a_model_object_of_an_agent_is_wrapped_by_itself() -> None:
    desk = Desk()
    model = MuscleMemoryModel(desk.stub, desk.engine)
    desk.agent = desk.agent.clone(model=model)
    desk.learned()
    task, _ = desk.do()
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)
    assert model.plan is desk.stub.plan  # What else the model has is there.
    assert desk.real.names == []


def test_without_a_block_the_prompt_is_the_task() -> None:
    desk = Desk()
    for _ in range(2):
        desk.reset()
        result = run("sync", desk.agent, "Refund order A-1001.", config(desk.provider))
    assert (result.final_output, desk.did, desk.stub.asked) == (ANSWER, DONE, 0)


def test_names_of_models_reach_the_real_provider() -> None:
    desk = Desk()
    desk.agent = desk.agent.clone(model="gpt-5")
    desk.learned()
    assert set(desk.real.names) == {"gpt-5"}
    asyncio.run(desk.provider.aclose())
    assert desk.real.closed == 1
    model = desk.provider.get_model("gpt-5")
    asyncio.run(model.close())
    assert desk.stub.closed == 1
