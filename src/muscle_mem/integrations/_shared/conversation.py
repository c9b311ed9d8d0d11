"""Where a request stands: which of its messages are results, which the task."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .messages import Message


class Position(msgspec.Struct, frozen=True, eq=False):
    """What the end of a conversation says.

    Attributes:
        results: The tool's messages behind the last message of the assistant.
        prompt: The index of the user's message that begins a run, or -1.
        history: The messages before the prompt, or before the results, without system messages.
    """

    results: tuple[Message, ...]
    prompt: int
    history: tuple[Message, ...]


def position_of(messages: Sequence[Message]) -> Position:
    """Return what a conversation ends with: results, a prompt, or neither."""
    end = len(messages)
    begin = end
    while begin and messages[begin - 1].role != "assistant":
        begin -= 1
    tail = range(begin, end)
    results = tuple(messages[at] for at in tail if messages[at].role == "tool")
    prompts = [at for at in tail if messages[at].role == "user" and not messages[at].of_framework]
    last_result = max((at for at in tail if messages[at].role == "tool"), default=-1)
    prompt = next((at for at in prompts if at > last_result), -1)
    before = messages[: prompt if prompt >= 0 else begin]
    return Position(results, prompt, tuple(message for message in before if message.role != "system"))


def prompt_messages(messages: Sequence[Message], position: Position) -> tuple[Message, ...]:
    """Return the user's messages that are the prompt: the trailing ones."""
    found = messages[position.prompt :] if position.prompt >= 0 else ()
    return tuple(message for message in found if message.role == "user" and not message.of_framework)
