"""Runs of an agent of LangChain: what is learned of them, and what a hit makes of the next."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool

from langchain_desk import ANSWER, TASK, Desk, asked_for, calls_in, last, names_agents, params, results_in
from langchain_model import USAGE, ScriptedModel
from muscle_mem import Check

CALLS = [
    ("find_order", {"customer": "Ada"}),
    ("refund", {"order_id": "A-1001"}),
    ("write", {"customer": "Ada", "text": "Order A-1001 is refunded."}),
]
MADE = ["find_order", "refund", "write"]


def refunded(customer: str = "Ada", order: str = "A-1001") -> str:
    return ANSWER.format(order=order, customer=customer)


@pytest.mark.scenario("record", "hit", "sync", "usage")
def test_the_second_run_makes_the_same_calls_without_the_model_and_gives_the_recorded_answer() -> None:
    desk, recorded = Desk(), Desk().model()
    with desk.engine.task(TASK, params=params()) as task:
        first = desk.agent(recorded).invoke(asked_for())
    assert task.outcome is not None
    assert task.outcome.status == "miss"
    assert task.outcome.learned
    assert last(first) == refunded()
    assert desk.made() == MADE
    desk.reset()
    model = desk.model()
    with desk.engine.task(TASK, params=params()) as task:
        second = desk.agent(model).invoke(asked_for())
    assert not model.asked
    assert desk.made() == MADE
    assert calls_in(second["messages"]) == calls_in(first["messages"]) == CALLS
    assert results_in(second["messages"]) == results_in(first["messages"])
    assert last(second) == refunded()
    assert task.outcome
    assert task.outcome.steps == 3
    assert task.outcome.value == refunded()
    assert task.outcome.value_source == "recorded"
    assert task.outcome.saved_tokens == 4 * USAGE["total_tokens"]


@pytest.mark.scenario("usage")
def test_a_replayed_turn_has_no_usage_and_says_what_it_is() -> None:
    desk = Desk()
    for _ in range(2):
        desk.reset()
        with desk.engine.task(TASK, params=params()) as task:
            result = desk.agent(desk.model()).invoke(asked_for())
    assert task.outcome
    said = [message for message in result["messages"] if isinstance(message, AIMessage)]
    assert [message.usage_metadata["total_tokens"] for message in said] == [0, 0, 0, 0]
    marks = [message.response_metadata for message in said]
    assert all(mark["muscle_mem"] == "replayed" for mark in marks)
    assert {mark["trajectory_id"] for mark in marks} == {task.outcome.trajectory_id}
    assert [mark["step"] for mark in marks] == [0, 1, 2, 3]


@pytest.mark.scenario("hit_other_params")
def test_other_params_are_in_the_arguments_and_the_answer_of_a_hit() -> None:
    desk = Desk()
    with desk.engine.task(TASK, params=params()) as task:
        desk.agent(desk.model()).invoke(asked_for())
    assert task.outcome is not None
    assert task.outcome.learned
    desk.reset()
    model = desk.model("Bob")
    with desk.engine.task(TASK, params=params("Bob", "B-2002")) as task:
        result = desk.agent(model).invoke(asked_for("Bob"))
    assert task.outcome, task.outcome
    assert not model.asked
    assert desk.log == [("find_order", "Bob"), ("refund", "B-2002"), ("write", "Bob")]
    assert last(result) == refunded("Bob", "B-2002")


def test_without_a_block_the_prompt_is_the_task() -> None:
    desk = Desk()
    models = [desk.model(), desk.model()]
    for model in models:
        desk.reset()
        desk.agent(model).invoke(asked_for())
    assert [len(model.asked) for model in models] == [4, 0]


async def _run_async(desk: Desk, model: Any, **options: Any) -> tuple[Any, Any]:
    async with desk.engine.task(TASK, params=params()) as task:
        result = await desk.agent(model, **options).ainvoke(asked_for())
    return task.outcome, result


@pytest.mark.scenario("async")
@pytest.mark.parametrize("kind", ["sync tools", "async tools"])
def test_an_async_run_is_learned_and_replayed(kind: str) -> None:
    desk = Desk()
    if kind == "async tools":

        @tool
        async def refund(order_id: str) -> str:
            """Refund an order."""
            await asyncio.sleep(0)
            desk.log.append(("refund", order_id))
            return f"refunded {order_id}"

        desk.refund = refund
    outcome, first = asyncio.run(_run_async(desk, desk.model()))
    assert outcome.learned, outcome
    desk.reset()
    model = desk.model()
    outcome, second = asyncio.run(_run_async(desk, model))
    assert outcome, outcome
    assert not model.asked
    assert desk.made() == MADE
    assert results_in(second["messages"]) == results_in(first["messages"])
    assert last(second) == refunded()


@pytest.mark.scenario("async")
def test_what_was_learned_in_sync_code_is_replayed_in_async_code_with_async_checks() -> None:
    desk = Desk(checked=False)

    async def status(order_id: str) -> str:
        await asyncio.sleep(0)
        return desk.status[order_id]

    desk.engine.external_tool("refund", effect="write", pre_check=Check(status))
    outcome, _ = asyncio.run(_run_async(desk, desk.model()))
    assert outcome.learned
    desk.reset()
    model = desk.model()
    outcome, _ = asyncio.run(_run_async(desk, model))
    assert outcome, outcome
    assert not model.asked


@pytest.mark.scenario("streaming")
def test_what_streams_is_learned_and_what_is_replayed_arrives_in_the_stream() -> None:
    desk = Desk()

    def stream(model: Any) -> list[tuple[str, Any]]:
        with desk.engine.task(TASK, params=params()) as task:
            found = list(desk.agent(model).stream(asked_for(), stream_mode=["messages", "updates"]))
        outcomes.append(task.outcome)
        return found

    outcomes: list[Any] = []
    first = stream(desk.model())
    assert outcomes[0].learned
    words = [c[0].content for mode, c in first if mode == "messages" and not isinstance(c[0], ToolMessage)]
    assert "".join(words) == refunded()
    assert len([word for word in words if word]) > 1, "the model's answer arrives in pieces"
    desk.reset()
    model = desk.model()
    second = stream(model)
    assert outcomes[1], outcomes[1]
    assert not model.asked
    messages = [chunk[0] for mode, chunk in second if mode == "messages"]
    assert calls_in(messages) == CALLS
    assert results_in(messages) == results_in([chunk[0] for mode, chunk in first if mode == "messages"])
    assert messages[-1].content == refunded()
    updates = [name for mode, chunk in second if mode == "updates" for name in chunk]
    assert updates == ["model", "tools"] * 3 + ["model"]


@pytest.mark.scenario("streaming", "async")
def test_an_async_stream_is_learned_and_replayed() -> None:
    desk = Desk()

    async def stream(model: Any) -> list[Any]:
        async with desk.engine.task(TASK, params=params()):
            return [chunk async for chunk in desk.agent(model).astream(asked_for(), stream_mode="values")]

    asyncio.run(stream(desk.model()))
    desk.reset()
    model = desk.model()
    chunks = asyncio.run(stream(model))
    assert not model.asked
    assert last(chunks[-1]) == refunded()


# -- several calls of one turn


@pytest.mark.scenario("parallel_calls")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_calls_of_one_turn_are_replayed_as_one_turn_and_captured_before_the_first_is_made(asynchronous: bool) -> None:
    desk = Desk(checked=False)
    looks: list[tuple[str, int]] = []

    def look(order_id: str) -> str:
        looks.append((order_id, len(desk.log)))
        return desk.status[order_id]

    desk.engine.external_tool("refund", effect="write", pre_check=Check(look))
    plan = [[("refund", {"order_id": "A-1001"}), ("refund", {"order_id": "B-2002"})], "Both are refunded."]

    def run(model: Any) -> tuple[Any, Any]:
        async def arun() -> tuple[Any, Any]:
            async with desk.engine.task("both") as task:
                result = await desk.agent(model).ainvoke(asked_for())
            return task.outcome, result

        if asynchronous:
            return asyncio.run(arun())
        with desk.engine.task("both") as task:
            result = desk.agent(model).invoke(asked_for())
        return task.outcome, result

    outcome, _ = run(ScriptedModel(plan=plan))
    assert outcome.learned, outcome
    assert sorted(looks) == [("A-1001", 0), ("B-2002", 0)]
    desk.reset()
    looks.clear()
    model = ScriptedModel(plan=plan)
    outcome, result = run(model)
    assert outcome, outcome
    assert not model.asked
    assert sorted(desk.log) == [("refund", "A-1001"), ("refund", "B-2002")]
    assert looks[:2] == [("A-1001", 0), ("B-2002", 0)]
    turns = [m for m in result["messages"] if isinstance(m, AIMessage)]
    assert [len(turn.tool_calls) for turn in turns] == [2, 0]


@pytest.mark.skipif(not names_agents(), reason="this version of LangChain does not pass on the name of an agent")
def test_the_name_of_the_agent_is_on_replayed_messages_and_part_of_the_task() -> None:
    desk = Desk()
    results = []
    for _ in range(2):
        desk.reset()
        results.append(desk.agent(desk.model(), name="clerk").invoke(asked_for()))
    names = [[m.name for m in result["messages"] if isinstance(m, AIMessage)] for result in results]
    assert names[0] == ["clerk"] * 4
    assert names[1] == names[0]
    model = desk.model()
    desk.reset()
    desk.agent(model, name="another").invoke(asked_for())
    assert len(model.asked) == 4
