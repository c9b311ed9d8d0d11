"""OpenAI Agents SDK: a wrapped client below a wrapped model."""

from __future__ import annotations

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import OpenAIProvider
from openai import AsyncOpenAI

from agents_desk import ANSWER, DONE, Desk, refund_plan
from muscle_mem import Engine
from muscle_mem.integrations.openai_agents import MuscleMemoryProvider
from openai_agents_stub import WAYS, responses_server

clients = pytest.importorskip("muscle_mem.integrations.openai", reason="it needs a newer client", exc_type=ImportError)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("same", [True, False])
@pytest.mark.scenario("wrapped_twice", "two_engines")
def test_a_run_through_a_wrapped_client_is_recorded_once(way: str, same: bool) -> None:
    desk = Desk()
    below = desk.engine if same else Engine(observers=[])
    with responses_server(refund_plan()) as server:
        client = clients.wrap_openai(AsyncOpenAI(api_key="none", base_url=server.url), below)
        desk.provider = MuscleMemoryProvider(desk.engine, OpenAIProvider(openai_client=client, use_responses=True))
        desk.agent = desk.agent.clone(model="gpt-5-stub")
        desk.learned(way=way)
        assert desk.engine.cache_info().learned == 1
        task, result = desk.do(way)
        assert (task.outcome.status, desk.did, len(server.requests)) == ("hit", DONE, 4)
        assert result.final_output == ANSWER
