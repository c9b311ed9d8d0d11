"""The wire format of OpenAI's chat completions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from .._shared import Message, ModelCall, ModelRequest, ModelTurn, Part, ToolOffer, Usage
from .sse import DONE, Event, event_bytes
from .wire import (
    Body,
    CutOffError,
    LeftAloneError,
    Said,
    answer_text,
    base64_part,
    data_part,
    fresh_id,
    ids_of,
    json_text,
    opaque_part,
    typed_answer,
)

NOT_REPLAYABLE = {
    "functions": "functions= of the old form",
    "audio": "spoken answers",
    "web_search_options": "a hosted web search",
    "logprobs": "log probabilities",
}
TEXTS = {"text": "text", "refusal": "refusal", "input_text": "text", "output_text": "text"}


class ChatCompletions:
    """Requests to `/chat/completions`."""

    def completed(self, body: Body) -> Body:
        """Return a request as it is."""
        return body

    def request(self, body: Body) -> ModelRequest:
        """Return a request in the neutral form.

        Raises:
            LeftAloneError: The request uses something that cannot be replayed.
        """
        if (body.get("n") or 1) != 1:
            raise LeftAloneError(f"it asks for several answers (n={body['n']})")
        for name, what in NOT_REPLAYABLE.items():
            if body.get(name):
                raise LeftAloneError(f"it uses {what}")
        return ModelRequest(
            messages=tuple(_message(message) for message in body["messages"]),
            tools=() if body.get("tool_choice") == "none" else tuple(_offer(tool) for tool in body.get("tools") or ()),
            answer_schema=_answer_schema(body),
            stream=bool(body.get("stream")),
        )

    def said(self, payload: Body, body: Body) -> Said:
        """Return what the response to a request says.

        Raises:
            CutOffError: The response was cut off, or the model refused.
        """
        choice = payload["choices"][0]
        message, reason = choice["message"], choice.get("finish_reason")
        if reason in ("length", "content_filter"):
            raise CutOffError(f"finish_reason={reason!r}")
        if message.get("refusal"):
            raise CutOffError("the model refused")
        calls = tuple(_call(call) for call in message.get("tool_calls") or ())
        text = message.get("content") or ""
        usage = payload.get("usage") or {}
        return Said(
            calls,
            None if calls else typed_answer(text, _answer_schema(body)),
            Usage(
                input=usage.get("prompt_tokens") or 0,
                output=usage.get("completion_tokens") or 0,
                cached=(usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0,
                model=payload.get("model") or "",
            ),
        )

    def payload(self, turn: ModelTurn, body: Body) -> Body:
        """Return the response that a replayed turn is."""
        message: Body = {"role": "assistant", "content": None, "refusal": None}
        if turn.kind == "replay":
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": json_text(call.arguments)},
                }
                for call in turn.calls
            ]
        else:
            message["content"] = answer_text(turn.answer)
        reason = "tool_calls" if turn.kind == "replay" else "stop"
        return {
            "id": fresh_id("chatcmpl"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body.get("model") or "",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        }

    def events(self, payload: Body, body: Body, /) -> Iterator[bytes]:
        """Return a replayed response as a stream."""
        choice = payload["choices"][0]
        head = {key: payload[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

        def chunk(delta: Body, reason: str | None = None) -> bytes:
            choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
            return event_bytes("", {**head, "choices": choices})

        yield chunk({"role": "assistant", "content": None if choice["message"].get("tool_calls") else ""})
        for index, call in enumerate(choice["message"].get("tool_calls") or ()):
            yield chunk({"tool_calls": [{"index": index, **call}]})
        if choice["message"]["content"]:
            yield chunk({"content": choice["message"]["content"]})
        yield chunk({}, choice["finish_reason"])
        if (body.get("stream_options") or {}).get("include_usage"):
            yield event_bytes("", {**head, "choices": [], "usage": payload["usage"]})
        yield event_bytes("", DONE)

    def collector(self, body: Body, /) -> ChatCollector:
        """Return what puts the streamed response to a request together."""
        return ChatCollector(waits_for_usage=bool((body.get("stream_options") or {}).get("include_usage")))

    def result_ids(self, body: Body) -> tuple[str, ...]:
        """Return the ids of the results in a request."""
        return tuple(ids_of(body.get("messages"), "tool", "tool_call_id"))


class ChatCollector:
    """The response that a stream of chunks makes.

    Args:
        waits_for_usage: Whether a chunk with the usage follows the one with the reason for the end.
    """

    def __init__(self, *, waits_for_usage: bool) -> None:
        self._waits_for_usage = waits_for_usage
        self._payload: Body = {"choices": []}
        self._message: Body = {"content": "", "refusal": ""}
        self._calls: dict[int, Body] = {}
        self._reason: str | None = None

    def feed(self, event: Event) -> Body | None:
        """Take a chunk, and return the whole response if nothing more of it is to come."""
        if event[1].startswith(DONE):
            return self._whole()
        # An application may stop reading at the reason for the end.
        chunk = json.loads(event[1])
        for name in ("model", "usage"):
            self._payload[name] = chunk.get(name) or self._payload.get(name)
        for choice in chunk.get("choices") or ():
            self._reason = choice.get("finish_reason") or self._reason
            self._take(choice.get("delta") or {})
        return self._whole() if self._reason and not self._waits_for_usage else None

    def _take(self, delta: Body) -> None:
        for name in ("content", "refusal"):
            self._message[name] += delta.get(name) or ""
        for part in delta.get("tool_calls") or ():
            call = self._calls.setdefault(part["index"], {"id": "", "function": {"name": "", "arguments": ""}})
            call["id"] = part.get("id") or call["id"]
            call["type"] = part.get("type") or call.get("type", "function")
            for name in ("name", "arguments"):
                call["function"][name] += (part.get("function") or {}).get(name) or ""

    def _whole(self) -> Body:
        calls = [self._calls[index] for index in sorted(self._calls)]
        choice = {"message": {**self._message, "tool_calls": calls}, "finish_reason": self._reason}
        return {**self._payload, "choices": [choice]}


def _answer_schema(body: Body) -> Any:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return wanted["json_schema"].get("schema")
    return {"type": "object"} if wanted.get("type") == "json_object" else None


def _offer(tool: Body) -> ToolOffer:
    if tool.get("type") != "function":
        raise LeftAloneError(f"it offers a tool of the type {tool.get('type')!r}")
    function = tool["function"]
    return ToolOffer(function["name"], function.get("description") or "", function.get("parameters") or {})


def _call(call: Body) -> ModelCall:
    if call.get("type", "function") != "function":
        raise LeftAloneError(f"a message holds a call of the type {call.get('type')!r}")
    return ModelCall(call["id"], call["function"]["name"], call["function"]["arguments"])


def _message(message: Body) -> Message:
    role = message["role"]
    text, parts = _content(message.get("content"))
    if role in ("system", "developer"):
        return Message("system", text, parts)
    if role == "user":
        return Message("user", text, parts)
    if role == "assistant":
        return Message("assistant", text, parts, tuple(_call(call) for call in message.get("tool_calls") or ()))
    if role == "tool":
        return Message("tool", text, parts, call_id=message["tool_call_id"])
    raise LeftAloneError(f"it holds a message of the role {role!r}")


def _content(content: Any) -> tuple[str, tuple[Part, ...]]:
    if content is None or isinstance(content, str):
        return content or "", ()
    texts = [part[TEXTS[part["type"]]] for part in content if part["type"] in TEXTS]
    return "\n".join(texts), tuple(_part(part) for part in content if part["type"] not in TEXTS)


def _part(part: Body) -> Part:
    kind = part["type"]
    if kind == "image_url":
        return data_part("image", part["image_url"]["url"])
    if kind == "input_audio":
        return base64_part("audio", part["input_audio"]["data"], part["input_audio"].get("format") or "")
    if kind == "file" and part["file"].get("file_data"):
        return data_part("document", part["file"]["file_data"])
    return opaque_part(kind, part)
