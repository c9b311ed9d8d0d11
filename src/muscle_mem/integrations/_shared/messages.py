"""The neutral form of a model request and its messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class Part(msgspec.Struct, frozen=True, eq=False):
    """A part of a message that is not plain text.

    Give exactly one of `data` and `url`. A part with neither cannot be distinguished from others, so its run has no
    key.

    Attributes:
        kind: What it is, such as "image", "audio" or "document".
        data: Its bytes.
        url: Its address.
        media_type: Its media type, such as "image/png".
    """

    kind: str
    data: bytes | None = None
    url: str | None = None
    media_type: str = ""


class ModelCall(msgspec.Struct, frozen=True, eq=False):
    """A tool call of a model.

    Attributes:
        id: The id of the call.
        name: The name of the tool, as the model knows it.
        arguments: The arguments by name, or their JSON text as the model wrote it.
    """

    id: str
    name: str
    arguments: dict[str, Any] | str


class Message(msgspec.Struct, frozen=True, eq=False):
    """A message of a conversation.

    Attributes:
        role: Whose message it is.
        text: Its text; several texts are joined by newlines.
        parts: Its parts that are not text.
        calls: The tool calls of an assistant's message.
        call_id: The id of the call that a tool's message answers.
        content: The result that a tool's message holds, as the tool returned it where the framework still has it, else
            as its text.
        is_error: Whether the framework says that the result is an error.
        of_framework: Whether the framework wrote a user's message, such as the pictures of a tool's result or a request
            to try again. Such a message begins no run.
    """

    role: Role
    text: str = ""
    parts: tuple[Part, ...] = ()
    calls: tuple[ModelCall, ...] = ()
    call_id: str = ""
    content: Any = None
    is_error: bool = False
    of_framework: bool = False


class ToolOffer(msgspec.Struct, frozen=True, eq=False):
    """A tool that the framework offers to the model.

    Attributes:
        name: Its name, as the model knows it.
        description: Its description.
        schema: The JSON schema of its arguments.
        read_only: Whether it has no effect; None if that is not known.
        destructive: Whether its effect cannot be undone; None if that is not known.
        idempotent: Whether a second call has no further effect; None if that is not known.
        fn: The function that the framework calls for it, where the adapter knows it. A function that is a tool of the
            engine is that tool, whatever its name here.
        needs_approval: Whether a person approves each call.
        is_confirmed: Whether the adapter calls `confirm` right before each call of it; None if `Memory(confirms=)` says
            so of all.
        hands_off: Whether a call of it hands the conversation over to another agent, with other tools.
    """

    name: str
    description: str = ""
    schema: dict[str, Any] | None = None
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    fn: Callable[..., Any] | None = None
    needs_approval: bool = False
    is_confirmed: bool | None = None
    hands_off: bool = False


class ModelRequest(msgspec.Struct, frozen=True, eq=False):
    """A request to a model.

    Attributes:
        messages: The conversation, oldest first. Instructions of the agent may be system messages in it or stand in
            `instructions`.
        tools: The tools that the model is offered, without those that only carry a typed answer.
        agent_name: The name of the agent.
        instructions: The instructions of the agent.
        answer_schema: The JSON schema of a typed answer.
        stream: Whether the answer is streamed.
    """

    messages: tuple[Message, ...] | list[Message]
    tools: tuple[ToolOffer, ...] | list[ToolOffer] = ()
    agent_name: str = ""
    instructions: str = ""
    answer_schema: Any = None
    stream: bool = False


class Usage(msgspec.Struct, frozen=True):
    """The usage of one response of a model, in tokens.

    Attributes:
        input: The tokens of the request, with those from a cache.
        output: The tokens of the response.
        cached: The tokens of the request that came from a cache.
        model: The name of the model.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    model: str = ""
