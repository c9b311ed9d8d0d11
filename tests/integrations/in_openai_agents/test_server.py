"""OpenAI Agents SDK: its own provider, with a server of the Responses API on loopback."""

from __future__ import annotations

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from agents import OpenAIProvider

from agents_desk import ANSWER, DONE, OTHERS, Desk, plan_of, refund_plan
from muscle_mem.integrations.openai_agents import MuscleMemoryProvider
from openai_agents_stub import WAYS, calls_of, responses_server


def over(desk: Desk, url: str) -> OpenAIProvider:
    """Put the SDK's provider of a server behind the memory of a desk."""
    real = OpenAIProvider(api_key="none", base_url=url, use_responses=True)
    desk.provider = MuscleMemoryProvider(desk.engine, real)
    desk.agent = desk.agent.clone(model="gpt-5-stub")
    return real


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("record", "hit", "hit_other_params", "streaming", "usage")
def test_a_hit_sends_nothing_to_the_server(way: str) -> None:
    desk = Desk()
    with responses_server(refund_plan()) as server:
        over(desk, server.url)
        task, _ = desk.do(way)
        assert task.outcome.learned
        assert len(server.requests) == 4
        desk.reset()
        task, result = desk.do(way)
        assert (task.outcome.status, desk.did, len(server.requests)) == ("hit", DONE, 4)
        assert result.final_output == ANSWER
        assert task.outcome.saved_tokens == 4 * 110
        desk.reset()
        task, result = desk.do(way, OTHERS)
        assert (task.outcome.status, len(server.requests)) == ("hit", 4)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("check_refuses")
def test_the_server_takes_the_history_with_replayed_calls_in_it(way: str) -> None:
    desk = Desk()
    with responses_server(refund_plan()) as server:
        over(desk, server.url)
        desk.do(way)
        desk.reset()
        desk.state["A-1001"] = "refunded"
        server.plan = plan_of([[("find_order", {"order": "A-1001"})]], "It was refunded before.")
        _, result = desk.do(way)
    assert result.final_output == "It was refunded before."
    history = server.requests[-1]["input"]
    assert [item.get("type", "message") for item in history] == ["message", "function_call", "function_call_output"]
    call = history[1]
    assert set(call) <= {"type", "call_id", "name", "arguments", "id", "status"}  # Nothing that the API refuses.
    assert call["call_id"] == history[2]["call_id"] == calls_of(result)[0][1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.scenario("model_error")
def test_an_error_of_the_server_passes(way: str) -> None:
    desk = Desk()
    with responses_server(lambda results: ValueError("no")) as server:
        over(desk, server.url)
        with pytest.raises(Exception, match=r"400|no") as raised:
            desk.do(way)
    assert type(raised.value).__module__.startswith(("openai", "agents"))
    assert desk.engine.cache_info().learned == 0
