"""Several agents, tasks and runs of LangChain at a time."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain.agents import create_agent
from langchain.tools import InjectedState, InjectedToolCallId, tool
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from langchain_desk import ANSWER, PROMPT, TASK, Desk, asked_for, calls_in, last, params, results_in
from langchain_model import ScriptedModel
from muscle_mem import Check
from muscle_mem.integrations.langchain import MuscleMemoryMiddleware

MADE = ["find_order", "refund", "write"]
THREAD: Any = {"configurable": {"thread_id": "1"}}


def transfer(log: list[Any]) -> Any:
    @tool
    def transfer_to_clerk(call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Let the clerk go on."""
        log.append(("transfer_to_clerk", None))
        told = ToolMessage("The clerk goes on.", name="transfer_to_clerk", tool_call_id=call_id)
        return Command(goto="clerk", graph=Command.PARENT, update={"messages": [told]})

    return transfer_to_clerk


@pytest.mark.scenario("hand_off")
def test_a_hand_off_to_another_agent_is_replayed_and_ends_the_replay_there() -> None:
    desk = Desk()
    outcomes = []
    for asked in (2, 0):
        desk.reset()
        front = ScriptedModel(plan=[[("find_order", {"customer": "Ada"})], [("transfer_to_clerk", {})], "never said"])
        clerk = ScriptedModel(plan=["The clerk is done."])
        graph = StateGraph(MessagesState)
        agent = desk.agent(front, tools=[desk.find_order, transfer(desk.log)], name="front")
        graph.add_node("front", agent, destinations=("clerk",))
        graph.add_node("clerk", create_agent(clerk, [], name="clerk"))
        graph.add_edge(START, "front")
        with desk.engine.task(TASK, params=params()) as task:
            result = graph.compile().invoke(asked_for())  # type: ignore[arg-type]
        outcomes.append(task.outcome)
        assert len(front.asked) == asked
        assert len(clerk.asked) == 1
        assert last(result) == "The clerk is done."
        assert desk.made() == ["find_order", "transfer_to_clerk"]
        assert not task.suspended
    assert outcomes[0] is not None
    assert outcomes[0].learned
    assert outcomes[1], outcomes[1]


def test_a_tool_that_returns_a_command_is_replayed_with_its_update() -> None:
    desk = Desk()

    @tool
    def refund(order_id: str, call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Refund an order."""
        desk.log.append(("refund", order_id))
        told = ToolMessage(f"refunded {order_id}", tool_call_id=call_id)
        return Command(update={"messages": [told, HumanMessage("(It is on its way.)")]})

    desk.refund = refund
    for asked in (4, 0):
        desk.reset()
        model = desk.model(answer="Done.")
        model.plan[2] = [("write", {"customer": "Ada", "text": "Refunded."})]
        result = None
        plan = model.plan
        # The message that the command adds begins no turn of the user's.
        scripted = ScriptedModel(plan=[lambda m, plan=plan: plan[len(results_in(m))]])
        with desk.engine.task(TASK, params=params()) as task:
            result = desk.agent(scripted).invoke(asked_for())
        assert desk.made() == MADE
        assert results_in(result["messages"])[1] == "refunded A-1001"
        assert task.outcome is not None
        if not asked:
            assert not scripted.asked
            assert task.outcome


@pytest.mark.scenario("sub_agent")
@pytest.mark.parametrize("with_memory", [False, True])
def test_an_agent_used_as_a_tool_is_one_step_of_the_outer_run(with_memory: bool) -> None:
    desk = Desk(name="desk")
    inner_models: list[ScriptedModel] = []

    @tool
    def ask_clerk(question: str) -> str:
        """Ask the clerk."""
        desk.log.append(("ask_clerk", question))
        model = ScriptedModel(plan=[[("find_order", {"customer": "Ada"})], "It is A-1001."])
        inner_models.append(model)
        clerk = desk.agent(model, tools=[desk.find_order]) if with_memory else create_agent(model, [desk.find_order])
        return last(clerk.invoke({"messages": [HumanMessage(question)]}))

    outcomes = []
    for asked in (2, 0):
        desk.reset()
        model = ScriptedModel(plan=[[("ask_clerk", {"question": "Which order?"})], "It is A-1001, says the clerk."])
        with desk.engine.task("ask the clerk") as task:
            result = desk.agent(model, tools=[ask_clerk]).invoke({"messages": [HumanMessage("Ask the clerk.")]})
        outcomes.append(task.outcome)
        assert len(model.asked) == asked
        assert calls_in(result["messages"]) == [("ask_clerk", {"question": "Which order?"})]
        assert last(result) == "It is A-1001, says the clerk."
        assert desk.made() == ["ask_clerk", "find_order"]
    assert outcomes[1] is not None
    assert outcomes[1].steps == 1
    assert outcomes[1], outcomes[1]
    if with_memory:
        assert [len(model.asked) for model in inner_models] == [2, 0]


@pytest.mark.scenario("two_tasks")
def test_two_tasks_in_one_conversation_are_two_runs() -> None:
    desk = Desk()

    def converse() -> tuple[list[int], list[Any]]:
        asked, outcomes = [], []
        saver = InMemorySaver()
        for customer, order in (("Ada", "A-1001"), ("Bob", "B-2002")):
            model = desk.model(customer)
            with desk.engine.task(TASK, params=params(customer, order)) as task:
                result = desk.agent(model, checkpointer=saver).invoke(asked_for(customer), THREAD)
            assert last(result) == ANSWER.format(order=order, customer=customer)
            asked.append(len(model.asked))
            outcomes.append(task.outcome)
        assert [name for name, _ in desk.log] == MADE * 2
        return asked, outcomes

    asked, outcomes = converse()
    assert asked == [4, 4], "the second stands behind other messages"
    assert all(outcome.learned for outcome in outcomes)
    desk.reset()
    asked, outcomes = converse()
    assert asked == [0, 0]
    assert all(outcomes)


@pytest.mark.scenario("two_tasks")
def test_the_same_agent_serves_another_conversation_in_between() -> None:
    desk = Desk()
    model = desk.model()
    agent = desk.agent(model)
    for prompt in (TASK, "another task", TASK, "another task"):
        desk.reset()
        with desk.engine.task(prompt, params=params()):
            agent.invoke(asked_for())
    assert len(model.asked) == 8


@pytest.mark.scenario("twelve_at_once")
@pytest.mark.parametrize("same_ids", [False, True])
def test_twelve_runs_at_a_time_do_not_meet(same_ids: bool) -> None:
    desk = Desk()
    names = [f"Customer{number}" for number in range(12)]
    desk.orders = {name: f"Z-{number}00{number}" for number, name in enumerate(names)}
    desk.status = dict.fromkeys(desk.orders.values(), "paid")

    def ask(messages: Any) -> Any:
        customer = next(name for name in names if PROMPT.format(customer=name) == messages[0].content)
        return desk.plan(customer)[sum(isinstance(m, ToolMessage) for m in messages)]

    model = ScriptedModel(plan=[ask], same_ids=same_ids)
    agent = desk.agent(model)
    gate = threading.Barrier(12)

    def run(customer: str) -> Any:
        gate.wait(30)
        with desk.engine.task(TASK, params=params(customer, desk.orders[customer])) as task:
            result = agent.invoke(asked_for(customer))
        return task.outcome, last(result)

    with ThreadPoolExecutor(12) as threads:
        for hits in (False, True):
            desk.status.update(dict.fromkeys(desk.status, "paid"))
            desk.log.clear()
            model.asked.clear()
            for customer, (outcome, answer) in zip(names, threads.map(run, names), strict=True):
                assert answer == ANSWER.format(order=desk.orders[customer], customer=customer)
                assert outcome.status == "hit" if hits else outcome.learned, outcome
            assert len(desk.log) == 36
            assert len({*desk.log}) == 36
            if hits:
                assert not model.asked


@pytest.mark.scenario("twelve_at_once", "async")
def test_twelve_tasks_of_a_loop_do_not_meet() -> None:
    desk = Desk()
    with desk.engine.task(TASK, params=params()):
        desk.agent(desk.model()).invoke(asked_for())
    desk.reset()
    desk.engine.external_tool("refund", effect="write", pre_check=Check(lambda order_id: "paid"))
    model = desk.model()
    agent = desk.agent(model)

    async def one() -> Any:
        async with desk.engine.task(TASK, params=params()) as task:
            result = await agent.ainvoke(asked_for())
        return task.outcome, last(result)

    async def run() -> Any:
        return await asyncio.gather(*(one() for _ in range(12)))

    asyncio.run(run())
    desk.reset()
    model.asked.clear()
    for outcome, answer in asyncio.run(run()):
        assert outcome, outcome
        assert answer == ANSWER.format(order="A-1001", customer="Ada")
    assert not model.asked
    assert len(desk.log) == 36


@pytest.mark.scenario("decorated_tools")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_decorated_functions_and_tools_of_the_framework_stand_side_by_side(asynchronous: bool) -> None:
    desk = Desk(checked=False)

    @tool
    @desk.engine.tool(pre_check=Check(lambda order_id: desk.status[order_id]))
    def refund(order_id: str) -> str:
        """Refund an order."""
        desk.log.append(("refund", order_id))
        desk.status[order_id] = "refunded"
        stamp()
        return f"refunded {order_id}"

    @desk.engine.tool(effect="write")
    def stamp() -> str:
        desk.log.append(("stamp", None))
        return "stamped"

    desk.refund = refund
    outcomes = []
    for asked in (4, 0):
        desk.reset()
        model = desk.model()

        async def arun(model: Any = model) -> Any:
            async with desk.engine.task(TASK, params=params()) as task:
                await desk.agent(model).ainvoke(asked_for())
            return task

        if asynchronous:
            task = asyncio.run(arun())
        else:
            with desk.engine.task(TASK, params=params()) as task:
                desk.agent(model).invoke(asked_for())
        outcomes.append(task.outcome)
        assert len(model.asked) == asked
        assert desk.made() == ["find_order", "refund", "stamp", "write"]
    assert outcomes[0].learned, outcomes[0]
    assert outcomes[1], outcomes[1]
    assert outcomes[1].steps == 3, "a tool called inside of another is no step"


def test_a_tool_gets_what_the_framework_injects_on_a_hit_too() -> None:
    desk = Desk()
    seen = []

    @tool
    def refund(order_id: str, state: Annotated[dict[str, Any], InjectedState]) -> str:
        """Refund an order."""
        seen.append(len(state["messages"]))
        desk.log.append(("refund", order_id))
        return f"refunded {order_id}"

    desk.refund = refund
    for asked in (4, 0):
        desk.reset()
        model = desk.model()
        with desk.engine.task(TASK, params=params()):
            desk.agent(model).invoke(asked_for())
        assert len(model.asked) == asked
    assert seen == [4, 4]


def test_an_agent_without_the_middleware_is_left_alone() -> None:
    desk = Desk()
    agent = create_agent(desk.model(), desk.tools)
    assert last(agent.invoke(asked_for())) == ANSWER.format(order="A-1001", customer="Ada")
    assert not desk.events


def test_the_middleware_stands_beside_others_and_names_itself() -> None:
    desk = Desk()
    assert MuscleMemoryMiddleware(desk.engine).name == "MuscleMemoryMiddleware"
