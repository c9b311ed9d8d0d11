"""An agent of LangChain over OpenAI's client, and a server on this machine in place of OpenAI's."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")
pytest.importorskip("langchain_openai", reason="langchain-openai is not installed: pip install langchain-openai")

from langchain.agents.structured_output import ProviderStrategy
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_desk import ANSWER, TASK, Desk, asked_for, calls_in, last, params
from langchain_openai_server import MODEL, USAGE, ChatServer, call, chat_server

MADE = ["find_order", "refund", "write"]


class Receipt(BaseModel):
    """What was refunded."""

    order: str
    customer: str


def plan(answer: str) -> Callable[[dict[str, Any]], Any]:
    ids = itertools.count()

    def next_of(body: dict[str, Any]) -> Any:
        results = [message["content"] for message in body["messages"] if message["role"] == "tool"]
        order = json.loads(results[0])["order_id"] if results else ""
        calls = [
            ("find_order", {"customer": "Ada"}),
            ("refund", {"order_id": order}),
            ("write", {"customer": "Ada", "text": f"Order {order} is refunded."}),
        ]
        if len(results) < len(calls):
            return {"content": None, "tool_calls": [call(*calls[len(results)], f"call_{next(ids)}")]}
        return {"content": answer}

    return next_of


def model(server: ChatServer, **options: Any) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=server.url,
        api_key="not-a-key",  # type: ignore[arg-type]
        model="gpt-4o-mini",
        max_retries=0,
        stream_usage=True,
        **options,
    )


@pytest.mark.scenario("record", "hit", "streaming", "usage")
@pytest.mark.parametrize("way", ["invoke", "stream", "ainvoke", "astream"])
def test_openais_client_is_not_called_on_a_hit(way: str) -> None:
    desk = Desk()
    answer = ANSWER.format(order="A-1001", customer="Ada")

    async def arun(agent: Any) -> Any:
        async with desk.engine.task(TASK, params=params()) as task:
            if way == "ainvoke":
                return task, await agent.ainvoke(asked_for())
            return task, [chunk async for chunk in agent.astream(asked_for(), stream_mode=["messages", "values"])]

    def run(agent: Any) -> Any:
        with desk.engine.task(TASK, params=params()) as task:
            if way == "invoke":
                return task, agent.invoke(asked_for())
            return task, list(agent.stream(asked_for(), stream_mode=["messages", "values"]))

    with chat_server(plan(answer)) as server:
        for asked in (4, 0):
            desk.reset()
            server.requests.clear()
            agent = desk.agent(model(server))
            task, result = asyncio.run(arun(agent)) if way[0] == "a" else run(agent)
            assert len(server.requests) == asked
            if "stream" in way:
                result = result[-1][1]
            assert last(result) == answer
            assert desk.made() == MADE
            assert task.outcome.status == ("miss" if asked else "hit"), task.outcome
    assert task.outcome.saved_tokens == 4 * USAGE["total_tokens"]
    assert result["messages"][1].response_metadata["muscle_mem"] == "replayed"
    assert MODEL.startswith("gpt")


@pytest.mark.scenario("typed_answer")
def test_a_typed_answer_of_the_provider_comes_back_on_a_hit() -> None:
    desk = Desk()
    with chat_server(plan('{"order": "A-1001", "customer": "Ada"}')) as server:
        for asked in (4, 0):
            desk.reset()
            server.requests.clear()
            agent = desk.agent(model(server), response_format=ProviderStrategy(Receipt))
            with desk.engine.task(TASK, params=params()) as task:
                result = agent.invoke(asked_for())
            assert len(server.requests) == asked, task.outcome
            assert result["structured_response"] == Receipt(order="A-1001", customer="Ada")


@pytest.mark.scenario("check_refuses")
def test_a_refused_check_sends_the_whole_history_to_the_provider() -> None:
    desk = Desk()
    answer = ANSWER.format(order="A-1001", customer="Ada")
    with chat_server(plan(answer)) as server:
        with desk.engine.task(TASK, params=params()):
            desk.agent(model(server)).invoke(asked_for())
        desk.reset()
        desk.status["A-1001"] = "disputed"
        server.requests.clear()
        with desk.engine.task(TASK, params=params()) as task:
            result = desk.agent(model(server)).invoke(asked_for())
    assert task.outcome is not None
    assert task.outcome.status == "diverged"
    sent = server.requests[0]["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["id"] == sent[2]["tool_call_id"]
    assert sent[1]["tool_calls"][0]["id"].startswith("call_mm_")
    assert len(calls_in(result["messages"])) == 3


@pytest.mark.scenario("model_error")
def test_an_error_of_the_provider_passes_unchanged() -> None:
    import openai

    desk = Desk()
    with chat_server(lambda body: 500) as server, pytest.raises(openai.InternalServerError):
        desk.agent(model(server)).invoke(asked_for())
    assert desk.engine.cache_info().learned == 0


@pytest.mark.scenario("server_history", "many_choices")
@pytest.mark.parametrize(
    "options",
    [{"n": 2}, {"use_responses_api": True, "model_kwargs": {"previous_response_id": "resp_1"}}],
    ids=["n", "previous_response_id"],
)
def test_a_history_of_the_server_and_several_choices_are_left_alone_with_a_message(options: Any) -> None:
    desk = Desk()
    with chat_server(lambda body: 500) as server, pytest.raises(Exception, match="overloaded"):
        desk.agent(model(server, **options)).invoke(asked_for())
    told = [event for event in desk.events if getattr(event, "code", "") == "left_alone"]
    assert len(told) == 1
    assert next(iter(options)).split("_")[0] in told[0].message or "previous_response_id" in told[0].message
    assert desk.engine.cache_info().misses == 0
