"""The shapes in which models say their calls: those of the chat APIs, as dicts and as objects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from muscle_mem import Finished, InvalidTypeError
from scripted_framework import Bench, asked, ended, handed

A = {"name": "a"}
JSON = '{"name": "a"}'
SHAPES: dict[str, Any] = {
    "chat completions": {"id": "1", "type": "function", "function": {"name": "press", "arguments": JSON}},
    "an older function call": {"role": "assistant", "function_call": {"name": "press", "arguments": JSON}},
    "responses": {"type": "function_call", "id": "fc_9", "call_id": "1", "name": "press", "arguments": JSON},
    "anthropic": {"type": "tool_use", "id": "1", "name": "press", "input": A},
    "langchain": {"name": "press", "args": A, "id": "1", "type": "tool_call"},
    "langchain without a type": {"name": "press", "args": A, "id": "1"},
    "gemini, rest": {"functionCall": {"id": "1", "name": "press", "args": A}},
    "gemini, python": {"function_call": {"id": "1", "name": "press", "args": A}, "text": None},
    "gemini, the call alone": {"id": "1", "name": "press", "args": A},
    "bedrock": {"toolUse": {"toolUseId": "1", "name": "press", "input": A}},
    "bedrock, the call alone": {"toolUseId": "1", "name": "press", "input": A},
    "mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "press", "arguments": A}},
    "mcp, params": {"name": "press", "arguments": A},
    "pydantic-ai": {"tool_name": "press", "args": JSON, "tool_call_id": "1", "part_kind": "tool-call"},
}
WITHOUT_ID = {"an older function call", "mcp, params"}

BESIDE: list[Any] = [
    {"type": "text", "text": "I press it."},
    {"type": "thinking", "thinking": "...", "signature": "x"},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {"type": "message", "id": "msg_1", "role": "assistant", "content": []},
    {"text": "I press it."},
    {"reasoningContent": {"reasoningText": {"text": "..."}}},
    {"type": "tool_result", "content": "x"},
    {"content": "I press it.", "part_kind": "text"},
]


def as_object(value: Any) -> Any:
    """The same as an object, but for the arguments."""
    if not isinstance(value, dict) or value is A:
        return value
    return SimpleNamespace(**{name: as_object(item) for name, item in value.items()})


@pytest.mark.parametrize("as_objects", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_call_is_read_in_every_shape(shape: str, as_objects: bool) -> None:
    bench = Bench()
    session = asked(bench.session())
    said = as_object(SHAPES[shape]) if as_objects else SHAPES[shape]
    session.said([said])
    call = handed(session)
    assert (call.tool, call.arguments) == ("Panel.press", A)
    if shape in WITHOUT_ID:
        assert call.id.startswith("call_mm_")
    else:
        assert call.id == "1"
    session.done(call, "x")
    asked(session).said([])
    assert ended(session).learned


@pytest.mark.parametrize("as_objects", [False, True])
def test_blocks_beside_the_calls_are_passed_over(as_objects: bool) -> None:
    bench = Bench()
    session = asked(bench.session())
    blocks = list(map(as_object, BESIDE)) if as_objects else BESIDE
    session.said([*blocks, SHAPES["anthropic"], *blocks])
    session.done(handed(session), "x")
    asked(session).said(blocks, value="pressed")
    assert isinstance(session.next(), Finished)
    assert ended(session).learned
    assert ended(session).value == "pressed"


@pytest.mark.parametrize("kind", ["web_search_call", "server_tool_use", "mcp_call", "code_interpreter_call"])
def test_a_call_that_the_provider_made_is_not_lost_in_a_recording(kind: str) -> None:
    bench = Bench()
    session = asked(bench.session())
    session.said([{"type": kind, "id": "ws_1", "status": "completed"}, SHAPES["responses"]])
    session.done(handed(session), "x")
    asked(session).said([])
    assert ended(session).not_learned == "unlearnable"
    assert kind in ended(session).not_learned_message
    off = asked(bench.session(mode="off"))
    off.said([{"type": kind, "id": "ws_1"}])


def test_a_tool_that_takes_free_text_gets_it_as_its_input() -> None:
    for said in (
        {"type": "custom_tool_call", "call_id": "1", "name": "note", "input": "free text"},
        {"type": "custom", "id": "1", "custom": {"name": "note", "input": "free text"}},
    ):
        session = asked(Bench().session())
        session.said([said])
        assert handed(session).arguments == {"input": "free text"}


def test_a_call_without_arguments_has_none() -> None:
    for said in (
        {"type": "function_call", "call_id": "1", "name": "stop", "arguments": ""},
        {"type": "tool_use", "id": "1", "name": "stop"},
        {"functionCall": {"name": "stop"}},
        {"method": "tools/call", "id": 1, "params": {"name": "stop"}},
        {"type": "function", "function": {"name": "stop", "arguments": None}},
    ):
        session = asked(Bench().session())
        session.said([said])
        assert handed(session).arguments == {}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"name": "press"},
        {"type": "surprise"},
        {"type": "tool_use", "id": "1"},
        {"type": "function_call"},
        7,
        None,
        "press",
        object(),
    ],
)
def test_what_is_no_call_is_refused(said: Any) -> None:
    session = asked(Bench().session())
    with pytest.raises(InvalidTypeError, match="call cannot be parsed: expected"):
        session.said([said])
