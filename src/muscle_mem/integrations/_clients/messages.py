"""The wire format of Anthropic's messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .._shared import Message, ModelCall, ModelRequest, ModelTurn, Part, ToolOffer, Usage
from .sse import Event, event_bytes
from .wire import (
    Body,
    CutOffError,
    LeftAloneError,
    Said,
    answer_text,
    base64_part,
    fresh_id,
    ids_of,
    opaque_part,
    typed_answer,
)

NOT_REPLAYABLE = {"mcp_servers": "MCP servers of the provider", "container": "a container of the provider"}
OF_THE_CLIENT = ("custom", "bash_", "computer_", "memory_", "text_editor_")
"""The types of tools that the client runs; all others are run by the provider."""
NOT_SAID = ("thinking", "redacted_thinking")


class AnthropicMessages:
    """Requests to `/v1/messages`."""

    def completed(self, body: Body) -> Body:
        """Return a request as it is."""
        return body

    def request(self, body: Body) -> ModelRequest:
        """Return a request in the neutral form.

        Raises:
            LeftAloneError: The request uses something that cannot be replayed.
        """
        for name, what in NOT_REPLAYABLE.items():
            if body.get(name):
                raise LeftAloneError(f"it uses {what}")
        messages = [message for written in body["messages"] for message in _messages(written)]
        if messages and messages[-1].role == "assistant":
            raise LeftAloneError("it begins the answer of the model")
        is_without_tools = (body.get("tool_choice") or {}).get("type") == "none"
        return ModelRequest(
            messages=tuple(messages),
            tools=() if is_without_tools else tuple(_offer(tool) for tool in body.get("tools") or ()),
            instructions=_text(body.get("system")),
            answer_schema=_answer_schema(body),
            stream=bool(body.get("stream")),
        )

    def said(self, payload: Body, body: Body) -> Said:
        """Return what the response to a request says.

        Raises:
            CutOffError: The response was cut off, or holds what cannot be replayed.
        """
        if payload.get("stop_reason") not in ("end_turn", "tool_use", "stop_sequence"):
            raise CutOffError(f"stop_reason={payload.get('stop_reason')!r}")
        calls: list[ModelCall] = []
        texts: list[str] = []
        for block in payload["content"]:
            if block["type"] == "tool_use":
                calls.append(ModelCall(block["id"], block["name"], block["input"]))
            elif block["type"] == "text":
                texts.append(block["text"])
            elif block["type"] not in NOT_SAID:
                raise CutOffError(f"it holds a block of the type {block['type']!r}")
        usage = payload.get("usage") or {}
        cached = usage.get("cache_read_input_tokens") or 0
        return Said(
            tuple(calls),
            None if calls else typed_answer("".join(texts), _answer_schema(body)),
            Usage(
                input=(usage.get("input_tokens") or 0) + cached + (usage.get("cache_creation_input_tokens") or 0),
                output=usage.get("output_tokens") or 0,
                cached=cached,
                model=payload.get("model") or "",
            ),
        )

    def payload(self, turn: ModelTurn, body: Body) -> Body:
        """Return the response that a replayed turn is."""
        content: list[Body] = [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)}
            for call in turn.calls
        ]
        if turn.kind == "answer":
            content = [{"type": "text", "text": answer_text(turn.answer), "citations": None}]
        return {
            "id": fresh_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": body.get("model") or "",
            "content": content,
            "stop_reason": "tool_use" if turn.kind == "replay" else "end_turn",
            "stop_sequence": None,
            "usage": {
                "input_tokens": 0,
                "output_tokens": 0,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
            },
        }

    def events(self, payload: Body, _body: Body, /) -> Iterator[bytes]:
        """Return a replayed response as a stream."""
        events: list[Body] = [{"type": "message_start", "message": {**payload, "content": [], "stop_reason": None}}]
        for index, block in enumerate(payload["content"]):
            events += _block_events(index, block)
        delta = {"stop_reason": payload["stop_reason"], "stop_sequence": None}
        events.append({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 0}})
        events.append({"type": "message_stop"})
        return (event_bytes(event["type"], event) for event in events)

    def collector(self, _body: Body, /) -> MessagesCollector:
        """Return what puts the streamed response to a request together."""
        return MessagesCollector()

    def result_ids(self, body: Body) -> tuple[str, ...]:
        """Return the ids of the results in a request."""
        messages = [message for message in body.get("messages") or () if isinstance(message, dict)]
        found = (ids_of(message.get("content"), "tool_result", "tool_use_id") for message in messages)
        return tuple(call_id for ids in found for call_id in ids)


class MessagesCollector:
    """The response that a stream of events makes."""

    def __init__(self) -> None:
        self._payload: Body = {"content": []}
        self._inputs: dict[int, str] = {}

    def feed(self, event: Event) -> Body | None:
        """Take an event, and return the whole response if nothing more of it is to come."""
        data = json.loads(event[1])
        kind = data.get("type")
        if kind == "message_start":
            self._payload = {**data["message"], "content": []}
        elif kind == "content_block_start":
            self._payload["content"].append(dict(data["content_block"]))
        elif kind == "content_block_delta":
            self._take(data["index"], data["delta"])
        elif kind == "message_delta":
            self._payload.update(data["delta"])
            reported = {name: count for name, count in (data.get("usage") or {}).items() if count is not None}
            self._payload["usage"] = {**(self._payload.get("usage") or {}), **reported}
            return self._whole() if self._payload.get("stop_reason") else None
        return None

    def _take(self, index: int, delta: Body) -> None:
        if delta["type"] == "text_delta":
            self._payload["content"][index]["text"] += delta["text"]
        elif delta["type"] == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + delta["partial_json"]

    def _whole(self) -> Body:
        for index, text in self._inputs.items():
            if text:
                self._payload["content"][index]["input"] = json.loads(text)
        return self._payload


def _block_events(index: int, block: Body) -> list[Body]:
    """Return the events of a block of a message."""
    if block["type"] == "tool_use":
        begun = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"], ensure_ascii=False)}
    else:
        begun = {**block, "text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


def _input(arguments: Any) -> Any:
    return json.loads(arguments) if isinstance(arguments, str) else arguments


def _answer_schema(body: Body) -> Any:
    wanted = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return wanted.get("schema")


def _offer(tool: Body) -> ToolOffer:
    kind = tool.get("type") or "custom"
    if not kind.startswith(OF_THE_CLIENT):
        raise LeftAloneError(f"it offers a tool that the provider runs ({kind!r})")
    schema = tool.get("input_schema") or {name: tool[name] for name in tool if name != "cache_control"}
    return ToolOffer(tool["name"], tool.get("description") or "", schema)


def _messages(written: Body) -> Iterator[Message]:
    """Return the messages that one of the provider's contains.

    Results of tools are blocks of a user's message.
    """
    role, content = written["role"], written["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    results = [block for block in blocks if block["type"] == "tool_result"]
    for block in results:
        text, parts = _content(block.get("content"))
        yield Message("tool", text, parts, call_id=block["tool_use_id"], is_error=bool(block.get("is_error")))
    rest = [block for block in blocks if block["type"] != "tool_result"]
    if not rest and results:
        return
    if role == "user":
        yield Message("user", *_content(rest))
    elif role == "assistant":
        yield _assistant(rest)
    else:
        yield Message("system", *_content(rest))


def _assistant(blocks: list[Body]) -> Message:
    calls = [ModelCall(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    rest = [block for block in blocks if block["type"] not in ("tool_use", *NOT_SAID)]
    text, parts = _content(rest)
    return Message("assistant", text, parts, tuple(calls))


def _text(content: Any) -> str:
    return _content(content)[0]


def _content(content: Any) -> tuple[str, tuple[Part, ...]]:
    if content is None or isinstance(content, str):
        return content or "", ()
    texts = [block["text"] for block in content if block["type"] == "text"]
    return "\n".join(texts), tuple(_part(block) for block in content if block["type"] != "text")


def _part(block: Body) -> Part:
    kind, source = block["type"], block.get("source") or {}
    if source.get("type") == "base64":
        return base64_part(kind, source["data"], source.get("media_type") or "")
    if source.get("type") == "text":
        return Part(kind, data=source["data"].encode(), media_type=source.get("media_type") or "")
    if source.get("type") == "url":
        return Part(kind, url=source["url"])
    return opaque_part(kind, {name: block[name] for name in block if name != "cache_control"})
