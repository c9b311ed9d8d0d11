"""Translation of LangChain's messages and tools to those of the shared room."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from .._shared import CallFailedError, CallNotMadeError, Message, ModelCall, Part, Usage
from .._shared.messages import Role

ROLES: Final[dict[str, Role]] = {"human": "user", "ai": "assistant", "tool": "tool", "system": "system"}
NESTED: Final = ("image_url", "input_audio", "source", "file", "video_url", "audio_url", "value")
REPLAYED: Final = "call_mm_"
VOLATILE: Final = ("id", "index")  # LangChain gives each block a new id.


def to_messages(messages: Iterable[BaseMessage], added: Container[BaseMessage] = ()) -> tuple[Message, ...]:
    """Translate a conversation.

    Args:
        messages: The messages.
        added: Messages in the user's name that the framework or a tool has added.
    """
    said: AIMessage | None = None
    found = []
    for message in messages:
        if isinstance(message, AIMessage):
            said = message
        found.append(to_message(message, said, of_framework=message.type == "human" and message in added))
    return tuple(found)


def call_key(said: AIMessage | None, call_id: str | None) -> str:
    """Return the id of a call for the room.

    Some servers give calls of several conversations the same id, so that of the model's message belongs to it. The ids
    of replayed calls are unique.
    """
    if said is None or not said.id or (call_id or "").startswith(REPLAYED):
        return call_id or ""
    return f"{said.id}/{call_id}"


def to_message(message: BaseMessage, said: AIMessage | None = None, *, of_framework: bool = False) -> Message:
    """Translate a message.

    The reasoning of a model is left out, since it differs from run to run.

    Args:
        message: The message.
        said: The message of the model that comes before a result.
        of_framework: Whether the framework or a tool has added a message in the user's name.
    """
    text, parts = split_content(message.content)
    role = ROLES.get(message.type, "user")
    if isinstance(message, AIMessage):
        return Message(role, text, calls=calls_of(message))
    if isinstance(message, ToolMessage):
        return Message(
            role,
            text,
            parts,
            call_id=call_key(said, message.tool_call_id),
            content=message.content,
            is_error=message.status == "error",
        )
    return Message(role, text, parts, of_framework=of_framework)


def split_content(content: Any) -> tuple[str, tuple[Part, ...]]:
    """Return the text of a message, and its other parts.

    `message.text` drops pictures, so the content is read.
    """
    if isinstance(content, str):
        return str(content), ()
    texts: list[str] = []
    parts: list[Part] = []
    for block in content:
        if isinstance(block, str):
            texts.append(str(block))
        elif block.get("type") == "text" and isinstance(block.get("text"), str):
            texts.append(block["text"])
        else:
            parts.append(_part(block))
    return "\n".join(texts), tuple(parts)


def _part(block: Mapping[str, Any]) -> Part:
    """Translate a block that is not text, in any of the providers' shapes."""
    kind = str(block.get("type", "unknown"))
    found = dict(block)
    for name in NESTED:
        inner = block.get(name)
        if isinstance(inner, Mapping):
            found.update(inner)
        elif isinstance(inner, str):
            found.setdefault("url", inner)
    media_type = str(found.get("mime_type") or found.get("media_type") or found.get("format") or "")
    for name in ("base64", "data", "file_data"):
        if isinstance(found.get(name), str | bytes) and found[name]:
            return Part(kind, data=_decoded(found[name]), media_type=media_type)
    url = found.get("url")
    if isinstance(url, str) and url.startswith("data:"):
        return Part(kind, data=_decoded(url), media_type=media_type or url[5:].partition(";")[0])
    if isinstance(url, str) and url:
        return Part(kind, url=url, media_type=media_type)
    if isinstance(found.get("file_id"), str):
        return Part(kind, url=f"file:{found['file_id']}", media_type=media_type)
    return _unknown_part(kind, block)


def _decoded(data: str | bytes) -> bytes:
    """Return the bytes of a Base64 text or a data URL, else those of the text."""
    if isinstance(data, bytes):
        return data
    if data.startswith("data:"):
        data = data.partition(",")[2]
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        return data.encode()


def _unknown_part(kind: str, block: Mapping[str, Any]) -> Part:
    """Return a block of another shape as its JSON, if it has one."""
    kept = {name: value for name, value in block.items() if name not in VOLATILE}
    try:
        return Part(kind, data=json.dumps(kept, sort_keys=True).encode())
    except (TypeError, ValueError):
        return Part(kind)


def calls_of(message: AIMessage) -> tuple[ModelCall, ...]:
    """Return the tool calls of a message, with those of invalid arguments."""
    calls = [ModelCall(call_key(message, call["id"]), call["name"], call["args"]) for call in message.tool_calls]
    calls += [
        ModelCall(call_key(message, call.get("id")), call.get("name") or "", call.get("args") or "")
        for call in message.invalid_tool_calls
    ]
    return tuple(calls)


def results_behind(messages: Sequence[BaseMessage]) -> list[tuple[str, ToolMessage]]:
    """Return the results behind the model's last message, by the ids of `call_key`."""
    found: list[ToolMessage] = []
    for message in reversed(messages):
        if isinstance(message, AIMessage):
            return [(call_key(message, each.tool_call_id), each) for each in reversed(found)]
        if isinstance(message, ToolMessage):
            found.append(message)
    return [(each.tool_call_id, each) for each in reversed(found)]


def key_of_call(state: Any, call_id: str | None) -> str:
    """Return the id for the room of a call that the tools of an agent are asked for.

    Args:
        state: The state of the graph.
        call_id: The id of the call.
    """
    messages = state.get("messages") if isinstance(state, Mapping) else getattr(state, "messages", state)
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, AIMessage) and any(call["id"] == call_id for call in message.tool_calls):
            return call_key(message, call_id)
    return call_id or ""


def usage_of(message: AIMessage) -> Usage:
    """Return what a message says of its usage."""
    usage: Mapping[str, Any] = message.usage_metadata or {}
    marks = message.response_metadata
    return Usage(
        input=_count(usage.get("input_tokens")),
        output=_count(usage.get("output_tokens")),
        cached=_count((usage.get("input_token_details") or {}).get("cache_read")),
        model=str(marks.get("model_name") or marks.get("model") or ""),
    )


def _count(given: Any) -> int:
    return given if type(given) is int and given > 0 else 0


def error_of(message: ToolMessage) -> CallFailedError | None:
    """Return the error that a tool's message reports, or None.

    A call of a tool that the agent does not have, or whose arguments are invalid, was not made.
    """
    if message.status != "error":
        return None
    text = split_content(message.content)[0]
    beginnings = f"Error invoking tool '{message.name}' with kwargs", f"Error: {message.name} is not a valid tool"
    return CallNotMadeError(text) if text.startswith(beginnings) else CallFailedError(text)
