"""OpenAI Agents SDK: requests of the SDK in the neutral form."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

pytest.importorskip("agents", reason="openai-agents is not installed")

from openai.types.responses import ResponseFunctionToolCall

from muscle_mem.integrations.openai_agents.reading import messages_of

DATA = base64.b64encode(b"bytes").decode()


def only(content: Any, role: str = "user") -> Any:
    (message,) = messages_of([{"role": role, "content": content}])
    return message


def test_a_text_is_a_prompt() -> None:
    (message,) = messages_of("hello")
    assert (message.role, message.text) == ("user", "hello")
    assert only("hello").text == "hello"


@pytest.mark.parametrize(("role", "found"), [("developer", "system"), ("system", "system"), ("assistant", "assistant")])
def test_roles(role: str, found: str) -> None:
    assert only("hello", role).role == found


def test_calls_of_one_turn_are_one_message_with_the_text_before_them() -> None:
    items = [
        {"role": "user", "content": "go"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "function_call", "call_id": "1", "name": "a", "arguments": '{"x": 1}'},
        ResponseFunctionToolCall(type="function_call", call_id="2", name="b", arguments="{}"),
        {"type": "function_call_output", "call_id": "1", "output": "one"},
        {"type": "function_call_output", "call_id": "2", "output": "two"},
    ]
    user, assistant, *results = messages_of(items)
    assert user.text == "go"
    assert (assistant.role, assistant.text) == ("assistant", "I look.")
    assert [(call.id, call.name, call.arguments) for call in assistant.calls] == [
        ("1", "a", '{"x": 1}'),
        ("2", "b", "{}"),
    ]
    assert [(message.role, message.call_id, message.content) for message in results] == [
        ("tool", "1", "one"),
        ("tool", "2", "two"),
    ]


@pytest.mark.parametrize(
    ("part", "data", "url"),
    [
        ({"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"}, b"bytes", None),
        ({"type": "input_image", "image_url": "https://example.org/a.png"}, None, "https://example.org/a.png"),
        ({"type": "input_image", "file_id": "file-1"}, None, "file:file-1"),
        ({"type": "input_file", "file_data": DATA, "filename": "a.pdf"}, b"bytes", None),
        ({"type": "input_file", "file_data": f"data:application/pdf;base64,{DATA}"}, b"bytes", None),
        ({"type": "input_file", "file_url": "https://example.org/a.pdf"}, None, "https://example.org/a.pdf"),
        ({"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}}, b"bytes", None),
        ({"type": "input_image", "image_url": "data:image/png;base64,%%%"}, b"%%%", None),
        ({"type": "something_new", "value": 1}, None, None),
    ],
)
def test_parts_that_are_no_text(part: dict[str, Any], data: bytes | None, url: str | None) -> None:
    message = only([{"type": "input_text", "text": "see"}, part])
    (found,) = message.parts
    assert (message.text, found.data, found.url) == ("see", data, url)


@pytest.mark.parametrize(
    ("output", "content"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{'a': 1, 'b': None}", {"a": 1, "b": None}),  # What the SDK makes of a dict.
        ("[1, 2]", [1, 2]),
        ("{broken", "{broken"),
        ("(1, 'a')", (1, "a")),
        ("plain", "plain"),
        ("[" * 100_000, "[" * 100_000),
        ("[" * 30_000, "[" * 30_000),
        ([{"type": "input_text", "text": "one"}], [{"type": "input_text", "text": "one"}]),
    ],
)
def test_results_are_read_where_they_have_a_structure(output: Any, content: Any) -> None:
    (message,) = messages_of([{"type": "function_call_output", "call_id": "1", "output": output}])
    assert message.content == content


def test_errors_that_the_sdk_tells_are_errors() -> None:
    text = "An error occurred while running the tool. Please try again. Error: no"
    (message,) = messages_of([{"type": "function_call_output", "call_id": "1", "output": text}])
    assert message.is_error


def test_what_only_the_server_knows_has_no_digest() -> None:
    (message,) = messages_of([{"type": "item_reference", "id": "msg_1"}])
    assert [(part.data, part.url) for part in message.parts] == [(None, None)]


def test_other_items_count_by_their_text_without_ids() -> None:
    first, second = (
        messages_of([{"type": "web_search_call", "id": id, "status": "completed", "action": {"query": "x"}}])
        for id in ("1", "2")
    )
    assert first[0].text == second[0].text
    assert json.loads(first[0].text)["action"] == {"query": "x"}
