"""The wire format of OpenAI's responses, without a history on the server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from .._shared import Message, ModelCall, ModelRequest, ModelTurn, Part, ToolOffer, Usage
from .replayed_responses import ReplayedResponses, items_of
from .sse import Event, event_bytes
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
    "previous_response_id": "a history on the server (previous_response_id)",
    "conversation": "a history on the server (conversation)",
    "prompt": "a prompt on the server",
    "background": "a response in the background",
}
TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
ENDS = ("response.completed", "response.incomplete", "response.failed")


class Responses:
    """Requests to `/responses`."""

    def __init__(self) -> None:
        self._replayed = ReplayedResponses()

    def completed(self, body: Body) -> Body:
        """Return a request with the history in place of the id of a replayed response."""
        return self._replayed.completed(body)

    def request(self, body: Body) -> ModelRequest:
        """Return a request in the neutral form.

        Raises:
            LeftAloneError: The request uses something that cannot be replayed.
        """
        for name, what in NOT_REPLAYABLE.items():
            if body.get(name):
                raise LeftAloneError(f"it uses {what}")
        messages = (_message(item) for item in _results_behind_calls(items_of(body)))
        return ModelRequest(
            messages=tuple(message for message in messages if message is not None),
            tools=() if body.get("tool_choice") == "none" else tuple(_offer(tool) for tool in body.get("tools") or ()),
            instructions=body.get("instructions") or "",
            answer_schema=_answer_schema(body),
            stream=bool(body.get("stream")),
        )

    def said(self, payload: Body, body: Body) -> Said:
        """Return what the response to a request says.

        Raises:
            CutOffError: The response was cut off, failed, or holds what cannot be replayed.
        """
        if payload.get("status") not in (None, "completed"):
            raise CutOffError(f"status={payload['status']!r}")
        calls: list[ModelCall] = []
        texts: list[str] = []
        for item in payload["output"]:
            if item["type"] == "function_call":
                calls.append(ModelCall(item["call_id"], item["name"], item["arguments"]))
            elif item["type"] == "message":
                if any(part["type"] == "refusal" for part in item["content"]):
                    raise CutOffError("the model refused")
                texts += [part["text"] for part in item["content"]]
            elif item["type"] != "reasoning":
                raise CutOffError(f"it holds an item of the type {item['type']!r}")
        usage = payload.get("usage") or {}
        return Said(
            tuple(calls),
            None if calls else typed_answer("".join(texts), _answer_schema(body)),
            Usage(
                input=usage.get("input_tokens") or 0,
                output=usage.get("output_tokens") or 0,
                cached=(usage.get("input_tokens_details") or {}).get("cached_tokens") or 0,
                model=payload.get("model") or "",
            ),
        )

    def payload(self, turn: ModelTurn, body: Body) -> Body:
        """Return the response that a replayed turn is."""
        output: list[Body] = [
            {
                "type": "function_call",
                "id": fresh_id("fc"),
                "call_id": call.id,
                "name": call.name,
                "arguments": json_text(call.arguments),
                "status": "completed",
            }
            for call in turn.calls
        ]
        if turn.kind == "answer":
            content = [{"type": "output_text", "text": answer_text(turn.answer), "annotations": []}]
            message = {"type": "message", "id": fresh_id("msg"), "role": "assistant", "status": "completed"}
            output.append({**message, "content": content})
        response_id = fresh_id("resp")
        self._replayed.note(response_id, body, output)
        return {
            "id": response_id,
            "object": "response",
            "created_at": int(time.time()),
            "status": "completed",
            "model": body.get("model") or "",
            "output": output,
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": body.get("metadata") or {},
            "parallel_tool_calls": body.get("parallel_tool_calls", True),
            "temperature": body.get("temperature"),
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": body.get("top_p"),
            "usage": {
                "input_tokens": 0,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": 0,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": 0,
            },
        }

    def events(self, payload: Body, _body: Body, /) -> Iterator[bytes]:
        """Return a replayed response as a stream."""
        started = {**payload, "status": "in_progress", "output": [], "usage": None}
        events: list[Body] = [{"type": "response.created", "response": started}]
        events.append({"type": "response.in_progress", "response": started})
        for index, item in enumerate(payload["output"]):
            events += _item_events(index, item)
        events.append({"type": "response.completed", "response": payload})
        for number, event in enumerate(events):
            yield event_bytes(event["type"], {**event, "sequence_number": number})

    def collector(self, _body: Body, /) -> ResponsesCollector:
        """Return what puts the streamed response to a request together."""
        return ResponsesCollector()

    def result_ids(self, body: Body) -> tuple[str, ...]:
        """Return the ids of the results in a request."""
        return tuple(ids_of(body.get("input"), "function_call_output", "call_id"))


class ResponsesCollector:
    """The response that a stream of events makes: the last event holds it."""

    def feed(self, event: Event) -> Body | None:
        """Take an event, and return the whole response if nothing more of it is to come."""
        if event[0] and event[0] not in ENDS:
            return None
        data = json.loads(event[1])
        if data.get("type") not in ENDS:
            return None
        whole: Body = data["response"]
        return whole


def _item_events(index: int, item: Body) -> list[Body]:
    """Return the events of an item of a response."""
    at = {"item_id": item["id"], "output_index": index}
    if item["type"] == "function_call":
        begun = {**item, "arguments": "", "status": "in_progress"}
        text = item["arguments"]
        middle: list[Body] = [
            {"type": "response.function_call_arguments.delta", **at, "delta": text},
            {"type": "response.function_call_arguments.done", **at, "name": item["name"], "arguments": text},
        ]
    else:
        begun = {**item, "content": [], "status": "in_progress"}
        part = item["content"][0]
        inside = {**at, "content_index": 0}
        middle = [
            {"type": "response.content_part.added", **inside, "part": {**part, "text": ""}},
            {"type": "response.output_text.delta", **inside, "delta": part["text"], "logprobs": []},
            {"type": "response.output_text.done", **inside, "text": part["text"], "logprobs": []},
            {"type": "response.content_part.done", **inside, "part": part},
        ]
    return [
        {"type": "response.output_item.added", "output_index": index, "item": begun},
        *middle,
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _answer_schema(body: Body) -> Any:
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        return wanted.get("schema")
    return {"type": "object"} if wanted.get("type") == "json_object" else None


def _offer(tool: Body) -> ToolOffer:
    if tool.get("type") != "function":
        raise LeftAloneError(f"it offers a tool of the type {tool.get('type')!r}")
    return ToolOffer(tool["name"], tool.get("description") or "", tool.get("parameters") or {})


def _results_behind_calls(items: list[Body]) -> Iterator[Body]:
    """Return the items with the results of neighboring calls behind these calls.

    An application may write each result right behind its call, although the model requested several in one turn.
    """
    results: list[Body] = []
    for item in items:
        if item.get("type") == "function_call_output":
            results.append(item)
            continue
        if item.get("type") not in ("function_call", "reasoning"):
            yield from results
            results = []
        yield item
    yield from results


def _message(item: Body) -> Message | None:
    kind = item.get("type") or "message"
    if kind == "message":
        text, parts = _content(item.get("content"))
        role: Any = "system" if item["role"] == "developer" else item["role"]
        return Message(role, text, parts)
    if kind == "function_call":
        return Message("assistant", calls=(ModelCall(item["call_id"], item["name"], item["arguments"]),))
    if kind == "function_call_output":
        text, parts = _content(item.get("output"))
        return Message("tool", text, parts, call_id=item["call_id"])
    if kind == "reasoning":
        return None
    raise LeftAloneError(f"it holds an item of the type {kind!r}")


def _content(content: Any) -> tuple[str, tuple[Part, ...]]:
    if content is None or isinstance(content, str):
        return content or "", ()
    texts = [part[TEXTS[part["type"]]] for part in content if part["type"] in TEXTS]
    return "\n".join(texts), tuple(_part(part) for part in content if part["type"] not in TEXTS)


def _part(part: Body) -> Part:
    kind = part["type"]
    if kind == "input_image" and part.get("image_url"):
        return data_part("image", part["image_url"])
    if kind == "input_audio":
        return base64_part("audio", part["input_audio"]["data"], part["input_audio"].get("format") or "")
    if kind == "input_file" and part.get("file_data"):
        return data_part("document", part["file_data"])
    if kind == "input_file" and part.get("file_url"):
        return Part("document", url=part["file_url"])
    return opaque_part(kind, part)
