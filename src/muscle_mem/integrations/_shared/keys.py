"""The parts of the key of a task beside its own text."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from .conversation import Position, prompt_messages
from .messages import Message, ModelRequest, Part

BETWEEN = "\x1e"
"""What stands between the instructions of an agent and each system message. Plain texts are masked fastest."""


class Undigested:
    """A part of a message that cannot be distinguished from others.

    It has no canonical form, so its task has no key.
    """


def prompt_text(messages: Sequence[Message]) -> str:
    """Return the text of the messages of a prompt."""
    return "\n".join(str(message.text) for message in messages if message.text)


def key_parts(request: ModelRequest, position: Position) -> dict[str, Any]:
    """Return the parts of a task's key apart from the text of its prompt."""
    prompt = prompt_messages(request.messages, position)
    text = prompt_text(prompt)
    media = [_part(part) for message in prompt for part in message.parts]
    systems = [str(message.text) for message in request.messages if message.role == "system" and message.text]
    found = {
        "agent": str(request.agent_name),
        "history": history_of(position.history),
        "instructions": BETWEEN.join([str(request.instructions or ""), *systems]),
        "schema": request.answer_schema,
    }
    parts = {name: value for name, value in found.items() if value}
    return {**parts, "prompt": [text, media] if media else text}


def history_of(messages: Sequence[Message]) -> list[Any]:
    """Return earlier messages as plain data, with numbers in place of ids."""
    numbers: dict[str, int] = {}
    found: list[Any] = []
    for message in messages:
        calls = []
        for call in message.calls:
            numbers.setdefault(call.id, len(numbers))
            calls.append([call.name, call.arguments])
        entry: dict[str, Any] = {"role": message.role, "text": str(message.text)}
        if message.parts:
            entry["parts"] = [_part(part) for part in message.parts]
        if calls:
            entry["calls"] = calls
        if message.role == "tool":
            entry |= {"call": numbers.get(message.call_id, -1), "error": message.is_error}
            entry["content"] = _plain(message.content) if _is_plain(message.content) else str(message.text)
        found.append(entry)
    return found


def _part(part: Part) -> Any:
    if part.data is not None:
        return [part.kind, "data", sha256(part.data).hexdigest()]
    if part.url is not None:
        return [part.kind, "url", str(part.url)]
    return Undigested()


def _is_plain(value: Any) -> bool:
    """Return whether a value consists of JSON types and bytes."""
    if type(value) is dict:
        return all(map(_is_plain, value.values()))
    if type(value) in (list, tuple):
        return all(map(_is_plain, value))
    return value is None or type(value) in (str, bool, int, float, bytes)


def _plain(value: Any) -> Any:
    """Return a plain value with lists for tuples, and texts as keys."""
    if type(value) is dict:
        return {str(key): _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_plain(item) for item in value]
    return value
