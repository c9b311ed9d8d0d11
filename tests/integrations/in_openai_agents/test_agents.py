"""OpenAI Agents SDK: hand-offs, agents as tools, conversations, and many runs at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import Agent, SQLiteSession, function_tool

from agents_desk import ANSWER, DONE, PARAMS, Desk, mail, plan_of, refund_plan
from openai_agents_stub import WAYS, Stub, arun, calls_of, config, run

FIND = ("find_order", {"order": "A-1001"})
REFUND = ("refund", {"order": "A-1001", "amount": 250})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("hand_off")
def test_a_hand_off_is_recorded_and_replayed(way: str) -> None:
    desk = Desk(plan_of([[("transfer_to_desk", {})], [FIND], [REFUND], [mail(PARAMS)]], ANSWER))
    door = Agent(name="door", instructions="Send people to a desk.", handoffs=[desk.agent])
    desk.learned(way=way, agent=door)
    task, result = desk.do(way, agent=door)
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", DONE, 0)
    assert not [message for message in desk.notices("unchecked") if "transfer_to_desk" in message]
    assert [name for name, _ in calls_of(result)] == ["transfer_to_desk", "find_order", "refund", "send_mail"]
    assert (result.last_agent.name, result.final_output) == ("desk", ANSWER)


@pytest.mark.scenario("hand_off", "check_refuses")
def test_a_replay_that_stops_behind_a_hand_off_asks_the_model_of_that_agent() -> None:
    desk = Desk(plan_of([[("transfer_to_desk", {})], [FIND], [REFUND], [mail(PARAMS)]], ANSWER))
    door = Agent(name="door", instructions="Send people to a desk.", handoffs=[desk.agent])
    desk.learned(agent=door)
    desk.state["A-1001"] = "refunded"
    desk.stub.plan = plan_of([[("transfer_to_desk", {})], [FIND]], "It was refunded before.")
    task, result = desk.do(agent=door)
    assert task.outcome.divergence.tool == "refund"
    assert [request["system_instructions"] for request in desk.stub.requests] == ["Refund orders."]
    assert result.final_output == "It was refunded before."


def with_sub_agent(desk: Desk) -> Agent[Any]:
    """Return an agent that uses the desk as a tool."""
    tool = desk.agent.as_tool("refund_desk", "Refunds an order.")
    boss = plan_of([[("refund_desk", {"input": "Refund order A-1001 of Ada Lovelace."})]], "The desk has done it.")
    clerk = desk.stub.plan

    class Both(Stub):
        async def _wanted(self, request: Any) -> Any:
            self.plan = clerk if request["system_instructions"] == "Refund orders." else boss
            return await super()._wanted(request)

    desk.stub = desk.real.model = Both(boss)
    return Agent(name="boss", instructions="Give work to the desk.", tools=[tool])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("sub_agent")
def test_an_agent_as_a_tool_is_one_step_and_a_run_of_its_own(way: str) -> None:
    desk = Desk(name="desk")
    boss = with_sub_agent(desk)
    desk.learned(way=way, agent=boss)
    task, result = desk.do(way, agent=boss)
    assert (desk.did, desk.stub.asked) == (DONE, 0)
    assert [(outcome.status, outcome.steps) for outcome in task.outcomes] == [("hit", 3), ("hit", 1)]
    assert [name for name, _ in calls_of(result)] == ["refund_desk"]
    assert result.final_output == "The desk has done it."


@pytest.mark.scenario("sub_agent")
def test_a_check_of_a_sub_agent_refuses_and_its_model_goes_on_inside_of_the_step() -> None:
    desk = Desk(name="desk")
    boss = with_sub_agent(desk)
    desk.learned(agent=boss)
    desk.state["A-1001"] = "refunded"
    task, result = desk.do(agent=boss)
    assert task.outcomes[0].status == "diverged"
    assert {request["system_instructions"] for request in desk.stub.requests} >= {"Refund orders."}
    assert result.final_output == "The desk has done it."


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("two_tasks")
def test_two_tasks_in_one_conversation_are_two_runs(way: str) -> None:
    desk = Desk()
    mailing = plan_of([[mail(PARAMS)]], "Written again.")

    def talk() -> list[Any]:
        session = SQLiteSession("talk")
        outcomes = []
        for plan, prompt in ((refund_plan(), "Refund order A-1001."), (mailing, "Write to Ada Lovelace again.")):
            desk.stub.plan = plan
            with desk.engine.task(prompt, params=PARAMS) as task:
                result = run(way, desk.agent, prompt, config(desk.provider), session=session)
            outcomes.append((task.outcome, result.final_output))
        session.close()
        return outcomes

    assert all(outcome.learned for outcome, _ in talk())
    done, _ = list(desk.did), desk.reset()
    again = talk()
    assert [outcome.status for outcome, _ in again] == ["hit", "hit"]
    assert [text for _, text in again] == [ANSWER, "Written again."]
    assert (desk.did, desk.stub.asked) == (done, 0)


@pytest.mark.parametrize("way", ["async", "streaming"])
@pytest.mark.scenario("twelve_at_once")
def test_twelve_runs_at_a_time_do_not_meet(way: str) -> None:
    orders = [f"C-{number}00{number}" for number in range(12)]
    desk = Desk()
    desk.state.update(dict.fromkeys(orders, "paid"))

    async def one(order: str) -> Any:
        params = {"customer": f"Customer of {order}", "order": order}
        prompt = f"Refund order {order} of Customer of {order}."
        async with desk.engine.task(f"refund {order}") as task:
            result = await arun(way, agents[order], prompt, config(desk.provider))
        assert result.final_output == f"Refunded {order} for {params['customer']}."
        return task.outcome

    agents = {}
    for order in orders:
        model = Stub(refund_plan({"customer": f"Customer of {order}", "order": order}), delay=0.001)
        agents[order] = desk.agent.clone(model=order)
        desk.real.models[order] = model

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*map(one, orders))

    assert all(outcome.learned for outcome in asyncio.run(all_of_them()))
    assert len(desk.did) == 36
    desk.reset()
    outcomes = asyncio.run(all_of_them())
    assert [outcome.status for outcome in outcomes] == ["hit"] * 12
    assert len(desk.did) == 36
    assert [model.asked for model in desk.real.models.values()] == [4] * 12


def test_a_model_that_calls_a_tool_that_nobody_declared_is_learned_all_the_same() -> None:
    desk = Desk(plan_of([[("add", {"a": 1, "b": 2})]], "3"))

    @function_tool
    def add(a: int, b: int) -> int:
        desk.did.append(("add", str(a), str(b)))
        return a + b

    desk.agent = Agent(name="sums", instructions="Add.", tools=[add])
    desk.learned()
    task, _ = desk.do()
    assert (task.outcome.status, desk.did, desk.stub.asked) == ("hit", [("add", "1", "2")], 0)
