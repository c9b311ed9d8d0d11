"""The parts of the middleware of LangChain: messages, tools and answers in the neutral form, and back."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import pytest

pytest.importorskip("langchain.agents.middleware", reason="langchain is not installed: pip install langchain")

from langchain.agents.middleware import AgentMiddleware
from langchain_core.messages import AIMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import StructuredTool, tool

from langchain_desk import ANSWER, TASK, Desk, asked_for, last, params
from langchain_model import ScriptedModel
from muscle_mem.integrations._shared import CallFailedError, CallNotMadeError
from muscle_mem.integrations.langchain import calls
from muscle_mem.integrations.langchain.calls import Bounded
from muscle_mem.integrations.langchain.messages import error_of, split_content, to_message, usage_of
from muscle_mem.integrations.langchain.offers import Offers

PNG = b"\x89PNG and more"
TEXT = base64.b64encode(PNG).decode()
DONE = ANSWER.format(order="A-1001", customer="Ada")


@pytest.mark.parametrize(
    ("block", "data", "url", "media_type"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TEXT}"}}, PNG, None, "image/png"),
        ({"type": "image_url", "image_url": "https://x.y/a.png"}, None, "https://x.y/a.png", ""),
        ({"type": "image", "base64": TEXT, "mime_type": "image/png"}, PNG, None, "image/png"),
        ({"type": "image", "source_type": "base64", "data": TEXT, "mime_type": "image/png"}, PNG, None, "image/png"),
        ({"type": "image", "url": "https://x.y/a.png"}, None, "https://x.y/a.png", ""),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": TEXT}},
            PNG,
            None,
            "image/png",
        ),
        ({"type": "input_audio", "input_audio": {"data": TEXT, "format": "wav"}}, PNG, None, "wav"),
        ({"type": "file", "file": {"file_data": f"data:image/png;base64,{TEXT}"}}, PNG, None, ""),
        ({"type": "file", "file_id": "file-1"}, None, "file:file-1", ""),
        ({"type": "image", "data": PNG}, PNG, None, ""),
        ({"type": "image", "data": "not base64"}, b"not base64", None, ""),
        ({"type": "hologram", "shape": 1, "id": "lc_1", "index": 3}, b'{"shape": 1, "type": "hologram"}', None, ""),
        ({"type": "hologram", "shape": object()}, None, None, ""),
    ],
)
def test_a_block_that_is_not_text_counts_by_its_bytes_or_its_address(
    block: dict[str, Any], data: bytes | None, url: str | None, media_type: str
) -> None:
    text, (part,) = split_content(["See", {"type": "text", "text": "this:"}, block])
    assert text == "See\nthis:"
    assert (part.kind, part.data, part.url, part.media_type) == (block["type"], data, url, media_type)


def test_messages_keep_their_roles_calls_and_results() -> None:
    call = {"name": "look", "args": {"x": 1}, "id": "c1"}
    wrong: Any = {"name": "look", "args": "{x", "id": "c2", "error": "not JSON", "type": "invalid_tool_call"}
    thought = {"type": "reasoning", "reasoning": "hm"}
    said = to_message(
        AIMessage([thought, {"type": "text", "text": "I look."}], tool_calls=[call], invalid_tool_calls=[wrong])
    )
    assert (said.role, said.text, said.parts) == ("assistant", "I look.", ())
    assert [(each.id, each.name, each.arguments) for each in said.calls] == [
        ("c1", "look", {"x": 1}),
        ("c2", "look", "{x"),
    ]
    result = to_message(ToolMessage("gone", tool_call_id="c1", status="error"))
    assert (result.role, result.call_id, result.content, result.is_error) == ("tool", "c1", "gone", True)
    assert to_message(SystemMessage("Be kind.")).role == "system"
    assert to_message(ChatMessage("Hello.", role="guest")).role == "user"


def test_usage_and_the_model_are_those_of_the_message() -> None:
    usage: Any = {
        "input_tokens": 20,
        "output_tokens": 5,
        "total_tokens": 25,
        "input_token_details": {"cache_read": 12},
    }
    found = usage_of(AIMessage("x", usage_metadata=usage, response_metadata={"model_name": "m-1"}))
    assert (found.input, found.output, found.cached, found.model) == (20, 5, 12, "m-1")
    none = usage_of(AIMessage("x"))
    assert (none.input, none.output, none.cached, none.model) == (0, 0, 0, "")


def test_errors_of_tools_are_told_from_calls_that_were_not_made() -> None:
    def error(text: str, status: Any = "error") -> Any:
        return error_of(ToolMessage(text, name="look", tool_call_id="c1", status=status))

    assert error("fine", "success") is None
    assert type(error("Error: broken")) is CallFailedError
    assert type(error("Error invoking tool 'look' with kwargs {} with error:\n x: missing")) is CallNotMadeError
    assert type(error("Error: look is not a valid tool, try one of [see].")) is CallNotMadeError


def test_tools_are_offered_with_the_arguments_that_the_model_sees_and_the_hints_of_their_server() -> None:
    @tool
    def look(x: int) -> str:
        """Look."""
        return ""

    look.metadata = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": "maybe"}
    offers = Offers()
    (first,), hosted = offers.translate([look])
    assert not hosted
    assert (first.name, first.description, first.fn) == ("look", "Look.", look.func)
    assert first.schema is not None
    assert set(first.schema["properties"]) == {"x"}
    assert (first.read_only, first.destructive, first.idempotent) == (True, False, None)
    (again,), _ = offers.translate([look])
    assert again is first, "a schema is made once"
    look.description = "Look well."
    (changed,), _ = offers.translate([look])
    assert changed.description == "Look well."
    by_schema: list[Any] = [
        {"name": "see", "input_schema": {"type": "object"}},
        {"type": "function", "function": {"name": "hear", "parameters": {"type": "object"}}},
    ]
    found, hosted = offers.translate(by_schema)
    assert [offer.name for offer in found] == ["see", "hear"]
    assert not hosted
    assert offers.translate([{"type": "web_search"}]) == ((), "web_search")


def test_a_table_drops_its_oldest_entry() -> None:
    table: Bounded[int] = Bounded(2)
    for number in range(3):
        table.add(str(number), number)
    assert [table.get(str(number)) for number in range(3)] == [None, 1, 2]
    assert table.take("1") == 1
    assert table.take("1") is None


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ([{"type": "text", "text": "All "}, {"type": "text", "text": "done."}], "All done."),
        ([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "Done."}], "Done."),
    ],
)
def test_an_answer_in_blocks_is_given_back_as_its_text(content: Any, answer: str) -> None:
    desk = Desk()
    for asked in (4, 0):
        desk.reset()
        model = desk.model(answer=AIMessage(content))
        with desk.engine.task(TASK, params=params()):
            result = desk.agent(model).invoke(asked_for())
        assert len(model.asked) == asked
    assert last(result) == answer


def test_an_answer_with_a_picture_is_asked_of_the_model_each_time() -> None:
    picture = AIMessage([{"type": "image", "base64": TEXT, "mime_type": "image/png"}])
    desk = Desk()
    for asked in (4, 1, 1):
        desk.reset()
        model = desk.model(answer=picture)
        with desk.engine.task(TASK, params=params()) as task:
            result = desk.agent(model).invoke(asked_for())
        assert len(model.asked) == asked
        assert result["messages"][-1].content == picture.content
    assert task.outcome


def test_a_call_whose_arguments_are_no_json_is_not_made_and_the_run_goes_on() -> None:
    desk = Desk()
    wrong: Any = {"name": "refund", "args": "{order", "id": "c9", "error": "not JSON", "type": "invalid_tool_call"}
    plan = [AIMessage("", invalid_tool_calls=[wrong])]
    with desk.engine.task(TASK, params=params()):
        desk.agent(ScriptedModel(plan=plan)).invoke(asked_for())
    assert not desk.log
    assert desk.engine.cache_info().learned == 0


@pytest.mark.scenario("sync", "async", "twelve_at_once")
def test_batches_are_learned_and_replayed() -> None:
    desk = Desk()
    with desk.engine.task(TASK, params=params()):
        desk.agent(desk.model()).invoke(asked_for())
    model = desk.model()
    agent = desk.agent(model)
    desk.engine.external_tool("refund", effect="write")

    def run() -> Any:
        with desk.engine.task(TASK, params=params()) as task:
            agent.batch([asked_for()] * 3)
        return task.outcomes

    async def arun() -> Any:
        async with desk.engine.task(TASK, params=params()) as task:
            await agent.abatch([asked_for()] * 3)
        return task.outcomes

    run()
    model.asked.clear()
    assert all(run())
    outcomes = asyncio.run(arun())
    assert len(outcomes) == 3
    assert all(outcomes)
    assert not model.asked


class Single(StructuredTool):
    """A tool that cannot be copied, and so not be watched."""

    def __copy__(self) -> Any:
        raise TypeError("there is only one")


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_tool_that_cannot_be_watched_is_confirmed_before_the_hook_passes_it_on(asynchronous: bool) -> None:
    desk = Desk()
    desk.refund = Single.from_function(desk.refund.func, name="refund", description="Refund an order.")

    class Meanwhile(AgentMiddleware[Any, Any]):
        def after_model(self, state: Any, runtime: Any) -> None:
            if meanwhile and any(call["name"] == "refund" for call in state["messages"][-1].tool_calls):
                time.sleep(0.06)
                desk.status["A-1001"] = "refunded by phone"

    def run(model: Any) -> Any:
        async def arun() -> Any:
            async with desk.engine.task(TASK, params=params()) as task:
                await desk.agent(model, then=[Meanwhile()]).ainvoke(asked_for())
            return task.outcome

        if asynchronous:
            return asyncio.run(arun())
        with desk.engine.task(TASK, params=params()) as task:
            desk.agent(model, then=[Meanwhile()]).invoke(asked_for())
        return task.outcome

    meanwhile = False
    assert run(desk.model()).learned
    assert any(getattr(event, "code", "") == "adapter_failed" for event in desk.events)
    desk.reset()
    assert run(desk.model())
    assert desk.made() == ["find_order", "refund", "write"]
    desk.reset()
    meanwhile = True
    outcome = run(ScriptedModel(plan=["It was refunded by phone."]))
    assert outcome.reason == "check_refused"
    assert desk.made() == ["find_order"]


def test_a_result_that_cannot_be_read_costs_the_recording_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()

    def broken(returned: Any, call_id: str) -> Any:
        if returned.name == "refund":
            raise ZeroDivisionError
        return read(returned, call_id)

    read = calls._result
    monkeypatch.setattr(calls, "_result", broken)
    with desk.engine.task(TASK, params=params()) as task:
        result = desk.agent(desk.model()).invoke(asked_for())
    assert last(result) == DONE
    assert task.outcome is not None
    assert task.outcome.not_learned == "unlearnable"
    assert any(getattr(event, "code", "") == "adapter_failed" for event in desk.events)


def test_messages_of_a_user_begin_a_run_and_those_of_tools_do_not() -> None:
    assert not to_message(HumanMessage("x")).of_framework
    assert to_message(HumanMessage("x"), of_framework=True).of_framework
