"""Translation of Strands' messages and tools to the neutral form, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from .._shared import Message, ModelCall, ModelRequest, Part, ToolOffer, Usage

MEDIA = ("image", "document", "video")


def to_request(
    messages: Sequence[Any], specs: Sequence[Any] | None, system: Any, agent: Any, schema: Any
) -> ModelRequest:
    """Translate a request to the model.

    Args:
        messages: The conversation, oldest first.
        specs: The specifications of the tools that the model is offered.
        system: The system prompt: a text, or content blocks.
        agent: The agent.
        schema: The schema of a typed answer, or None.
    """
    registry = agent.tool_registry.registry
    return ModelRequest(
        messages=[each for message in messages for each in translated(message)],
        tools=[offer(spec, registry.get(spec["name"])) for spec in specs or ()],
        agent_name=agent.name or "",
        instructions=_text_of_system(system),
        answer_schema=schema,
    )


def _text_of_system(system: Any) -> str:
    if system is None or isinstance(system, str):
        return system or ""
    return "\n\n".join(block["text"] for block in system if "text" in block)


def translated(message: Any) -> Iterator[Message]:
    """Translate one message."""
    blocks = message["content"]
    if message["role"] == "assistant":
        yield Message("assistant", text_of(blocks), calls=tuple(calls_of(blocks)))
        return
    for block in blocks:
        if "toolResult" in block:
            result = block["toolResult"]
            failed = result.get("status") == "error"
            content = content_of(result["content"])
            yield Message("tool", call_id=result["toolUseId"], content=content, is_error=failed)
    others = [block for block in blocks if "toolResult" not in block and "cachePoint" not in block]
    if others:
        parts = tuple(part_of(block) for block in others if "text" not in block)
        yield Message("user", text_of(others), parts)


def text_of(blocks: Iterable[Any]) -> str:
    """Return the text of content blocks, without the reasoning of the model."""
    return "\n".join(block["text"] for block in blocks if block.get("text"))


def calls_of(blocks: Iterable[Any]) -> Iterator[ModelCall]:
    """Yield the tool calls among content blocks."""
    for block in blocks:
        if "toolUse" in block:
            use = block["toolUse"]
            yield ModelCall(use["toolUseId"], use["name"], use["input"])


def part_of(block: Any) -> Part:
    """Translate a content block that is not text."""
    for kind in MEDIA:
        source = (block.get(kind) or {}).get("source") or {}
        media_type = str((block.get(kind) or {}).get("format", ""))
        if isinstance(source.get("bytes"), bytes):
            return Part(kind, data=source["bytes"], media_type=media_type)
        location = source.get("location") or source.get("s3Location") or {}
        if location.get("uri"):
            return Part(kind, url=location["uri"], media_type=media_type)
    return Part(next(iter(block), "unknown"))


def content_of(blocks: Sequence[Any]) -> Any:
    """Return the content of a tool result: one text, one JSON value, or all blocks."""
    if len(blocks) == 1:
        if "text" in blocks[0]:
            return blocks[0]["text"]
        if "json" in blocks[0]:
            return blocks[0]["json"]
    return list(blocks)


def offer(spec: Any, tool: Any) -> ToolOffer:
    """Translate the specification of a tool.

    Args:
        spec: What the model reads.
        tool: The tool of the agent, or None.
    """
    schema = spec["inputSchema"]
    hints = spec.get("annotations") or {}
    return ToolOffer(
        spec["name"],
        spec.get("description", ""),
        schema.get("json", schema),
        read_only=hints.get("readOnlyHint"),
        destructive=hints.get("destructiveHint"),
        idempotent=hints.get("idempotentHint"),
        fn=getattr(tool, "_tool_func", None),
    )


def usage_of(counts: Any, model: str) -> Usage:
    """Return the usage that a stream reported."""
    cached = counts.get("cacheReadInputTokens", 0)
    return Usage(counts.get("inputTokens", 0), counts.get("outputTokens", 0), cached, model)


def events_of_calls(calls: Iterable[ModelCall], mark: dict[str, Any]) -> Iterator[Any]:
    """Yield the stream of a replayed turn."""
    yield {"messageStart": {"role": "assistant"}}
    for call in calls:
        yield {"contentBlockStart": {"start": {"toolUse": {"name": call.name, "toolUseId": call.id}}}}
        yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json_text(call.arguments)}}}}
        yield {"contentBlockStop": {}}
    yield from _end("tool_use", mark)


def events_of_answer(answer: Any, mark: dict[str, Any]) -> Iterator[Any]:
    """Yield the stream of a replayed answer."""
    yield {"messageStart": {"role": "assistant"}}
    yield {"contentBlockStart": {"start": {}}}
    yield {"contentBlockDelta": {"delta": {"text": answer if isinstance(answer, str) else json_text(answer)}}}
    yield {"contentBlockStop": {}}
    yield from _end("end_turn", mark)


def _end(reason: str, mark: dict[str, Any]) -> Iterator[Any]:
    yield {"messageStop": {"stopReason": reason, "additionalModelResponseFields": dict(mark)}}
    usage = {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
    yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 0}}}


def json_text(value: Any) -> str:
    """Return a value as JSON, as a model writes it."""
    return json.dumps(value, ensure_ascii=False, default=to_jsonable_python)


class Heard:
    """What a model has streamed so far.

    Attributes:
        text: The text of the response.
        calls: Its tool calls.
        usage: The counts of tokens.
        reason: Why the model stopped, or "".
    """

    def __init__(self) -> None:
        self.text = ""
        self.calls: list[ModelCall] = []
        self.usage: dict[str, Any] = {}
        self.reason = ""
        self._use: dict[str, str] | None = None

    def note(self, event: Any) -> None:
        """Take one event of the stream."""
        if "contentBlockStart" in event:
            use = (event["contentBlockStart"].get("start") or {}).get("toolUse")
            self._use = None if use is None else {"id": use["toolUseId"], "name": use["name"], "input": ""}
        elif "contentBlockDelta" in event:
            self._note_delta(event["contentBlockDelta"]["delta"])
        elif "contentBlockStop" in event and self._use is not None:
            use, self._use = self._use, None
            self.calls.append(ModelCall(use["id"], use["name"], use["input"] or {}))
        elif "messageStop" in event:
            self.reason = event["messageStop"]["stopReason"]
        elif "metadata" in event:
            self.usage = dict(event["metadata"].get("usage") or {})

    def _note_delta(self, delta: Any) -> None:
        if "text" in delta:
            self.text += delta["text"]
        elif "toolUse" in delta:
            said = delta["toolUse"]
            if self._use is None:  # Some providers name the tool in the delta.
                self._use = {"id": said.get("toolUseId", ""), "name": said.get("name", ""), "input": ""}
            self._use["input"] += said.get("input", "")
