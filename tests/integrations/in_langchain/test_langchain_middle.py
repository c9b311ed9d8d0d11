"""The middle of a run of LangChain: checks that refuse, tools and models that fail, tools that changed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain.agents.middleware import AgentMiddleware, ToolRetryMiddleware
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import ToolException, tool

from langchain_desk import ANSWER, TASK, Desk, asked_for, calls_in, last, params, results_in
from langchain_model import ScriptedModel
from muscle_mem import Check
from muscle_mem.events import RunEvent

MADE = ["find_order", "refund", "write"]


class Run:
    """One run of the task at a desk, sync or async."""

    def __init__(self, desk: Desk, model: Any, *, asynchronous: bool = False, **options: Any) -> None:
        self.model = model

        async def arun() -> Any:
            async with desk.engine.task(TASK, params=params()) as task:
                self.task = task
                return await desk.agent(model, **options).ainvoke(asked_for())

        if asynchronous:
            self.result = asyncio.run(arun())
        else:
            with desk.engine.task(TASK, params=params()) as self.task:
                self.result = desk.agent(model, **options).invoke(asked_for())

    @property
    def outcome(self) -> Any:
        return self.task.outcome


def learned(desk: Desk, **options: Any) -> Run:
    run = Run(desk, desk.model(), **options)
    assert run.outcome.learned, run.outcome
    desk.reset()
    return run


@pytest.mark.scenario("check_refuses")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_check_refuses_in_the_middle_and_the_model_goes_on_with_the_history(asynchronous: bool) -> None:
    desk = Desk()
    learned(desk)
    desk.status["A-1001"] = "disputed"
    run = Run(desk, desk.model(), asynchronous=asynchronous)
    assert run.outcome.status == "diverged"
    assert run.outcome.reason == "check_refused"
    assert len(run.model.asked) == 3, "the first step was replayed, and the model did the rest"
    assert calls_in(run.model.asked[0]) == [("find_order", {"customer": "Ada"})]
    assert len(results_in(run.model.asked[0])) == 1
    assert desk.made() == MADE
    assert last(run.result) == ANSWER.format(order="A-1001", customer="Ada")
    assert run.outcome.learned


@pytest.mark.scenario("state_changed")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_call_is_not_made_if_the_state_changed_between_the_turn_and_the_tool(asynchronous: bool) -> None:
    desk = Desk()
    learned(desk)

    class Meanwhile(AgentMiddleware[Any, Any]):
        """Somebody else refunds the order between the turn and the tool."""

        def after_model(self, state: Any, runtime: Any) -> None:
            if any(call["name"] == "refund" for call in getattr(state["messages"][-1], "tool_calls", ())):
                time.sleep(0.06)  # A verdict is trusted for a twentieth of a second.
                desk.status["A-1001"] = "refunded by phone"

    model = ScriptedModel(plan=["It was refunded by phone."])
    run = Run(desk, model, asynchronous=asynchronous, then=[Meanwhile()])
    assert "refund" not in desk.made()
    assert run.outcome.status == "diverged"
    assert run.outcome.reason == "check_refused"
    assert len(model.asked) == 1
    told = model.asked[0][-1]
    assert isinstance(told, ToolMessage)
    assert told.status == "error"
    assert "not made" in told.content
    assert last(run.result) == "It was refunded by phone."


@pytest.mark.scenario("rejoin")
def test_after_one_step_of_the_models_own_the_replay_takes_over_again() -> None:
    desk = Desk()
    desk.engine.external_tool("write", effect="write", pre_check=Check(lambda customer, text: desk.orders[customer]))
    learned(desk)
    desk.status["A-1001"] = "disputed"
    run = Run(desk, desk.model(), rejoin=True)
    assert len(run.model.asked) == 2, "for the refund, and for the answer"
    said = [message for message in run.result["messages"] if isinstance(message, AIMessage)]
    assert ["muscle_mem" in message.response_metadata for message in said] == [True, False, True, False]
    assert desk.made() == MADE
    assert run.outcome.status == "diverged"
    assert last(run.result) == ANSWER.format(order="A-1001", customer="Ada")


class BrokenError(Exception):
    """What a tool of a test raises."""


def breaking(desk: Desk) -> None:
    def refund(order_id: str) -> str:
        desk.log.append(("refund", order_id))
        raise BrokenError("the till is broken")

    desk.refund.func = refund


@pytest.mark.scenario("tool_raises")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_exception_of_a_tool_passes_through_the_agent_unchanged(asynchronous: bool) -> None:
    desk = Desk()
    learned(desk)
    breaking(desk)
    model = desk.model()
    with pytest.raises(BrokenError) as raised:
        Run(desk, model, asynchronous=asynchronous)
    assert raised.value.args == ("the till is broken",)
    assert not raised.value.__cause__
    assert desk.made() == ["find_order", "refund"]
    assert not model.asked
    assert desk.engine.cache_info().hits == 0
    desk.refund = desk._refund()
    desk.reset()
    assert Run(desk, desk.model()).outcome is not None, "the engine goes on"


class Tells(AgentMiddleware[Any, Any]):
    """Middleware that tells the model what a tool raised."""

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except BrokenError as error:
            return ToolMessage(f"Error: {error}", tool_call_id=request.tool_call["id"], status="error")


@pytest.mark.scenario("tool_raises", "error_as_text")
@pytest.mark.parametrize("place", ["first", "then"])
def test_after_a_tool_that_raised_the_model_goes_on_if_the_agent_tells_it(place: str) -> None:
    desk = Desk()
    place_of: dict[str, Any] = {place: [Tells()]}
    learned(desk, **place_of)
    breaking(desk)
    model = ScriptedModel(plan=["I could not refund it."])
    run = Run(desk, model, **place_of)
    assert len(model.asked) == 1
    assert results_in(model.asked[0])[-1] == "Error: the till is broken"
    assert run.outcome.status == "diverged"
    assert run.outcome.reason in ("tool_raised", "returned_error")
    assert last(run.result) == "I could not refund it."


@pytest.mark.scenario("error_as_text")
def test_a_tool_message_with_the_status_error_counts_as_a_tool_that_raised() -> None:
    desk = Desk()
    learned(desk)

    def refund(order_id: str) -> str:
        raise ToolException("no money left")

    desk.refund.func = refund
    desk.refund.handle_tool_error = True
    model = ScriptedModel(plan=["I could not refund it."])
    run = Run(desk, model)
    assert run.outcome.status == "diverged"
    assert run.outcome.reason in ("tool_raised", "returned_error")
    assert len(model.asked) == 1
    assert "no money left" in results_in(model.asked[0])[-1]


@pytest.mark.scenario("error_as_text")
def test_invalid_arguments_are_left_out_of_what_is_learned() -> None:
    """The framework tells the model about them, and calls no tool."""
    desk = Desk()
    plan = desk.plan()
    plan.insert(1, [("refund", {"order": "A-1001"})])
    run = Run(desk, ScriptedModel(plan=plan))
    assert "Error invoking tool" in results_in(run.result["messages"])[1]
    assert run.outcome.learned, run.outcome
    desk.reset()
    model = desk.model()
    run = Run(desk, model)
    assert run.outcome, run.outcome
    assert not model.asked
    assert desk.made() == MADE
    assert len(calls_in(run.result["messages"])) == 3


@pytest.mark.scenario("error_as_text")
def test_a_call_of_a_tool_that_never_was_is_left_out_of_what_is_learned() -> None:
    desk = Desk()
    plan = desk.plan()
    plan.insert(1, [("refound", {"order_id": "A-1001"})])
    run = Run(desk, ScriptedModel(plan=plan))
    assert "not a valid tool" in results_in(run.result["messages"])[1]
    assert run.outcome.learned, run.outcome
    desk.reset()
    model = desk.model()
    assert Run(desk, model).outcome
    assert not model.asked


def test_a_tool_that_the_framework_tries_again_is_one_step() -> None:
    desk = Desk()
    tries = []

    def write(customer: str, text: str) -> str:
        tries.append(customer)
        if len(tries) % 2:
            raise BrokenError("busy")
        desk.log.append(("write", customer))
        return "sent"

    desk.write.func = write
    retry = [ToolRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)]
    learned(desk, then=retry)
    run = Run(desk, desk.model(), then=retry)
    assert run.outcome
    assert not run.model.asked
    assert len(tries) == 4


@pytest.mark.scenario("model_error")
@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("turn", [0, 2])
def test_an_error_of_the_model_passes_unchanged_and_nothing_is_learned(turn: int, asynchronous: bool) -> None:
    desk = Desk()
    plan = desk.plan()
    plan[turn] = error = BrokenError("overloaded")
    with pytest.raises(BrokenError) as raised:
        Run(desk, ScriptedModel(plan=plan), asynchronous=asynchronous)
    assert raised.value is error
    assert not raised.value.__cause__
    assert desk.engine.cache_info().learned == 0
    desk.reset()
    learned(desk)
    assert Run(desk, desk.model()).outcome


@pytest.mark.scenario("model_error")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_run_without_a_block_ends_with_the_error_of_the_model(asynchronous: bool) -> None:
    desk = Desk()
    agent = desk.agent(ScriptedModel(plan=[BrokenError("overloaded")]))
    with pytest.raises(BrokenError):
        asyncio.run(agent.ainvoke(asked_for())) if asynchronous else agent.invoke(asked_for())
    ended = [event.status for event in desk.events if isinstance(event, RunEvent)]
    assert ended == ["raised"]


@pytest.mark.scenario("unknown_tool")
def test_a_tool_that_the_agent_no_longer_offers_is_a_miss_before_the_first_effect() -> None:
    desk = Desk()
    learned(desk)
    model = ScriptedModel(plan=["I cannot refund."])
    run = Run(desk, model, tools=[desk.find_order, desk.write])
    assert run.outcome.status == "miss"
    assert run.outcome.reason == "tool_missing"
    assert not desk.log
    assert last(run.result) == "I cannot refund."


@pytest.mark.scenario("unknown_tool")
def test_the_tools_of_the_agent_may_be_named_at_the_middleware() -> None:
    desk = Desk()
    learned(desk)
    run = Run(desk, ScriptedModel(plan=["I may not refund."]), tool_names=["find_order", "write"])
    assert run.outcome.reason == "tool_missing"
    assert not desk.log


@pytest.mark.scenario("tool_changed")
def test_a_tool_whose_schema_changed_is_a_miss_before_the_first_effect() -> None:
    desk = Desk()
    learned(desk)

    @tool
    def refund(order_id: str, reason: str) -> str:
        """Refund an order."""
        return "refunded"

    model = ScriptedModel(plan=["I need a reason."])
    run = Run(desk, model, tools=[desk.find_order, refund, desk.write])
    assert run.outcome.status == "miss"
    assert run.outcome.reason == "tool_changed"
    assert not desk.log
    assert last(run.result) == "I need a reason."
