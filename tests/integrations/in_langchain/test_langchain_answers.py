"""Final answers of LangChain's agents: typed ones, those of tools, and where they come from on a hit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain.agents.structured_output import ProviderStrategy, ToolStrategy
from langchain_core.messages import ToolMessage
from pydantic import BaseModel

from langchain_desk import ANSWER, TASK, Desk, asked_for, calls_in, last, params

MADE = ["find_order", "refund", "write"]
DONE = ANSWER.format(order="A-1001", customer="Ada")


class Receipt(BaseModel):
    """What was refunded."""

    order: str
    customer: str


class Note(BaseModel):
    """What was noted instead."""

    text: str


TYPED = {
    "tool": (ToolStrategy(Receipt), [("Receipt", {"order": "A-1001", "customer": "Ada"})], ""),
    "provider": (ProviderStrategy(Receipt), json.dumps({"order": "A-1001", "customer": "Ada"}), ""),
    "auto by tool": (Receipt, [("Receipt", {"order": "A-1001", "customer": "Ada"})], ""),
    "auto by provider": (
        Receipt,
        json.dumps({"order": "A-1001", "customer": "Ada"}),
        "gpt-5",  # A name that LangChain knows: the provider makes typed answers.
    ),
    "one of two": (ToolStrategy(Receipt | Note), [("Receipt", {"order": "A-1001", "customer": "Ada"})], ""),
}


@pytest.mark.scenario("typed_answer")
@pytest.mark.parametrize(("kind", "asynchronous"), [*((kind, False) for kind in TYPED), ("tool", True)])
def test_a_typed_answer_comes_back_as_its_type_with_the_params_of_the_hit(kind: str, asynchronous: bool) -> None:
    format, answer, name = TYPED[kind]
    desk = Desk()

    def run(model: Any, customer: str = "Ada", order: str = "A-1001") -> tuple[Any, Any]:
        async def arun() -> tuple[Any, Any]:
            async with desk.engine.task(TASK, params=params(customer, order)) as task:
                result = await desk.agent(model, response_format=format).ainvoke(asked_for(customer))
            return task.outcome, result

        if asynchronous:
            return asyncio.run(arun())
        with desk.engine.task(TASK, params=params(customer, order)) as task:
            result = desk.agent(model, response_format=format).invoke(asked_for(customer))
        return task.outcome, result

    outcome, first = run(desk.model(answer=answer, model_name=name))
    assert outcome.learned, outcome
    assert first["structured_response"] == Receipt(order="A-1001", customer="Ada")
    desk.reset()
    model = desk.model("Bob", model_name=name)
    outcome, second = run(model, "Bob", "B-2002")
    assert outcome, outcome
    assert not model.asked
    assert second["structured_response"] == Receipt(order="B-2002", customer="Bob")
    assert calls_in(second["messages"])[:3] == [
        ("find_order", {"customer": "Bob"}),
        ("refund", {"order_id": "B-2002"}),
        ("write", {"customer": "Bob", "text": "Order B-2002 is refunded."}),
    ]
    if kind == "tool":
        assert isinstance(second["messages"][-1], ToolMessage)
        assert calls_in(second["messages"])[3] == ("Receipt", {"order": "B-2002", "customer": "Bob"})


@pytest.mark.scenario("typed_answer")
def test_another_schema_is_another_task() -> None:
    class Receipt2(BaseModel):
        order: str

    desk = Desk()
    answer = [("Receipt", {"order": "A-1001", "customer": "Ada"})]
    with desk.engine.task(TASK, params=params()):
        desk.agent(desk.model(answer=answer), response_format=ToolStrategy(Receipt)).invoke(asked_for())
    model = desk.model(answer=[("Receipt2", {"order": "A-1001"})])
    desk.reset()
    with desk.engine.task(TASK, params=params()) as task:
        result = desk.agent(model, response_format=ToolStrategy(Receipt2)).invoke(asked_for())
    assert task.outcome is not None
    assert task.outcome.reason == "new_task"
    assert result["structured_response"] == Receipt2(order="A-1001")


@pytest.mark.scenario("typed_answer")
def test_a_typed_answer_that_the_framework_gave_back_is_learned_as_it_was_at_last() -> None:
    desk = Desk()
    wrong = [("Receipt", {"order": "A-1001"})]
    right = [("Receipt", {"order": "A-1001", "customer": "Ada"})]
    format = ToolStrategy(Receipt)

    def turn(messages: Any) -> Any:
        return right if messages[-1].name == "Receipt" else wrong

    model = desk.model(answer=turn)
    with desk.engine.task(TASK, params=params()) as task:
        first = desk.agent(model, response_format=format).invoke(asked_for())
    assert len(model.asked) == 5
    assert task.outcome is not None
    assert task.outcome.learned, task.outcome
    assert first["structured_response"] == Receipt(order="A-1001", customer="Ada")
    desk.reset()
    model = desk.model()
    with desk.engine.task(TASK, params=params()) as task:
        second = desk.agent(model, response_format=format).invoke(asked_for())
    assert task.outcome, task.outcome
    assert not model.asked
    assert desk.made() == MADE
    assert second["structured_response"] == first["structured_response"]


def test_a_tool_that_returns_directly_ends_the_run() -> None:
    desk = Desk()
    desk.write.return_direct = True
    for asked in (3, 0):
        desk.reset()
        model = desk.model()
        with desk.engine.task(TASK, params=params()) as task:
            result = desk.agent(model).invoke(asked_for())
        assert len(model.asked) == asked
        assert desk.made() == MADE
        assert last(result) == "The letter is on its way."
        assert task.outcome is not None
        assert task.outcome.status == ("miss" if asked else "hit")
        assert not task.suspended


# -- where the answer comes from


def test_the_model_is_asked_for_the_answer_alone_if_results_differ() -> None:
    desk = Desk()
    for customer in ("Ada", "Ada"):
        model = desk.model(customer)
        with desk.engine.task(TASK, params=params()) as task:
            result = desk.agent(model).invoke(asked_for())
        desk.reset()
        desk.write.func = lambda customer, text: "The letter goes by mail."
    assert task.outcome, task.outcome
    assert len(model.asked) == 1
    assert last(result) == DONE
    assert task.outcome.value_source == "model"


@pytest.mark.parametrize("answer", ["model", lambda results: f"{len(results)} results"])
def test_the_answer_of_a_hit_is_chosen_at_the_middleware(answer: Any) -> None:
    desk = Desk()
    for _ in range(2):
        desk.reset()
        model = desk.model()
        with desk.engine.task(TASK, params=params()) as task:
            result = desk.agent(model, answer=answer).invoke(asked_for())
    assert task.outcome
    assert len(model.asked) == (1 if answer == "model" else 0)
    assert last(result) == (DONE if answer == "model" else "3 results")
