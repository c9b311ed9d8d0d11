"""What surrounds an agent of LangChain: tools of providers, histories of servers, other engines and adapters."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain_core.tools import tool

from langchain_desk import ANSWER, TASK, Desk, asked_for, calls_in, last, params
from langchain_model import ScriptedModel
from muscle_mem.integrations._shared import Memory, Message, ModelRequest
from muscle_mem.integrations.langchain import MuscleMemoryMiddleware

MADE = ["find_order", "refund", "write"]
DONE = ANSWER.format(order="A-1001", customer="Ada")


def run(desk: Desk, model: Any = None, **options: Any) -> tuple[Any, Any]:
    with desk.engine.task(TASK, params=params()) as task:
        result = desk.agent(model or desk.model(), **options).invoke(asked_for())
    return task.outcome, result


def notices(desk: Desk, code: str) -> list[str]:
    return [event.message for event in desk.events if getattr(event, "code", "") == code]


@pytest.mark.scenario("hosted_tools")
def test_an_agent_with_a_tool_that_the_provider_runs_is_left_alone_with_a_message() -> None:
    desk = Desk()
    for _ in range(2):
        desk.log.clear()
        model = desk.model()
        outcome, result = run(desk, model, tools=[*desk.tools, {"type": "web_search"}])
        assert outcome is None
        assert len(model.asked) == 4
        assert last(result) == DONE
    told = notices(desk, "left_alone")
    assert told
    assert "'web_search'" in told[0]


def test_a_tool_given_as_a_schema_is_no_tool_of_the_provider() -> None:
    desk = Desk()
    schema = {"type": "function", "function": {"name": "later", "parameters": {"type": "object", "properties": {}}}}
    outcome, _ = run(desk, tools=[*desk.tools, schema])
    assert outcome.learned, outcome


@pytest.mark.scenario("server_history")
def test_a_conversation_that_the_server_keeps_is_left_alone_with_a_message() -> None:
    from langchain.agents.middleware import wrap_model_call

    @wrap_model_call
    def keeps(request: Any, handler: Any) -> Any:
        return handler(request.override(model_settings={"previous_response_id": "resp_1"}))

    desk = Desk()
    outcome, result = run(desk, first=[keeps])
    assert outcome is None
    assert last(result) == DONE
    assert "previous_response_id" in notices(desk, "left_alone")[0]


@pytest.mark.scenario("many_choices")
def test_several_answers_at_a_time_are_left_alone_with_a_message() -> None:
    from langchain.agents.middleware import wrap_model_call

    @wrap_model_call
    def many(request: Any, handler: Any) -> Any:
        return handler(request.override(model_settings={"n": 3}))

    desk = Desk()
    outcome, result = run(desk, first=[many])
    assert outcome is None
    assert last(result) == DONE
    assert "3 answers" in notices(desk, "left_alone")[0]


@pytest.mark.scenario("renamed_tool")
def test_a_tool_under_another_name_than_its_functions_is_known_by_the_frameworks_name() -> None:
    desk = Desk(checked=False)

    @tool("refund")
    def give_money_back(order_id: str) -> str:
        """Refund an order."""
        desk.log.append(("refund", order_id))
        return "The money is on its way."

    desk.refund = give_money_back
    outcome, _ = run(desk)
    assert outcome.learned
    desk.reset()
    model = desk.model()
    outcome, result = run(desk, model)
    assert outcome
    assert not model.asked
    assert [name for name, _ in calls_in(result["messages"])] == MADE


@pytest.mark.scenario("renamed_tool", "decorated_tools")
def test_a_decorated_function_under_another_name_keeps_its_checks() -> None:
    desk = Desk(checked=False)
    looks = []

    def look(order_id: str) -> str:
        looks.append(order_id)
        return desk.status[order_id]

    from muscle_mem import Check

    @desk.engine.tool(pre_check=Check(look))
    def give_money_back(order_id: str) -> str:
        """Refund an order."""
        desk.log.append(("refund", order_id))
        return "The money is on its way."

    desk.refund = tool("refund")(give_money_back)
    assert run(desk)[0].learned
    desk.reset()
    looks.clear()
    model = desk.model()
    assert run(desk, model)[0]
    assert looks
    desk.reset()
    desk.status["A-1001"] = "disputed"
    assert run(desk)[0].reason == "check_refused"


@pytest.mark.scenario("two_engines")
def test_two_engines_around_one_agent_both_work_or_step_aside() -> None:
    outer, inner = Desk(name="outer"), Desk(name="inner")
    second = MuscleMemoryMiddleware(inner.engine)
    for asked in (4, 0):
        outer.reset()
        model = outer.model()
        outcome, result = run(outer, model, then=[second])
        assert len(model.asked) == asked
        assert outer.made() == MADE
        assert last(result) == DONE
        assert outcome.learned if asked else outcome


@pytest.mark.scenario("two_engines")
def test_one_middleware_twice_is_refused_by_the_framework() -> None:
    desk = Desk()
    with pytest.raises(AssertionError, match="duplicate"):
        desk.agent(desk.model(), then=[MuscleMemoryMiddleware(desk.engine)])


@pytest.mark.scenario("wrapped_twice")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_adapter_below_the_model_leaves_a_request_to_the_middleware(asynchronous: bool) -> None:
    """As if the model's client was wrapped for the same engine."""
    desk = Desk()
    below = Memory(desk.engine, framework="a client")
    seen = []

    class Wrapped(ScriptedModel):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> Any:
            turn = below.turn(ModelRequest([Message("user", "Refund the last order.")]))
            seen.append(turn.kind)
            turn.said((), "an answer", None)
            return super()._generate(messages, stop, run_manager, **options)

    for asked in (4, 0):
        desk.reset()
        model = Wrapped(plan=desk.plan())
        if asynchronous:

            async def arun(model: Any = model) -> Any:
                async with desk.engine.task(TASK, params=params()) as task:
                    await desk.agent(model).ainvoke(asked_for())
                return task.outcome

            outcome = asyncio.run(arun())
        else:
            outcome, _ = run(desk, model)
        assert len(model.asked) == asked
        assert outcome.status == ("miss" if asked else "hit")
    assert seen == ["pass"] * 4
    info = desk.engine.cache_info()
    assert (info.learned, info.hits, info.misses) == (1, 1, 1)
