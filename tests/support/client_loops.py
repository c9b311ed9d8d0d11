"""Loops around clients as applications have them: ask the model, make its calls, give it the results.

They know nothing of muscle_mem. Each wire format has its own way to write requests and to read responses, also of
streams and of the clients' own helpers.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

JSON_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "dict": "object"}
IMAGE = "data:image/png;base64,"


class TurnLimitError(Exception):
    """The loop has asked the model too often."""


class SuspendedError(Exception):
    """A person is to decide about a call, and has not."""


@dataclass
class Call:
    """A call that the model wants made, as the loop sees it."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass
class Reply:
    """What the model said, as the loop sees it."""

    text: str
    calls: list[Call]
    written: list[dict]
    usage: Any
    model: str
    raw: Any = None


def definition(name: str, fn: Callable[..., Any]) -> tuple[str, str, dict]:
    """Return the name, the description and the JSON schema of a function."""
    fields = {
        field: {"type": JSON_TYPES.get(str(parameter.annotation).strip("'"), "string")}
        for field, parameter in inspect.signature(fn).parameters.items()
    }
    schema = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return name, fn.__doc__ or "", schema


class ChatWire:
    """Chat completions."""

    def request(self, loop: Loop) -> dict:
        system = [{"role": "system", "content": loop.system}] if loop.system else []
        tools = [
            {
                "type": "function",
                "function": {"name": name, "description": text, "parameters": schema, "strict": True},
            }
            for name, text, schema in loop.definitions()
        ]
        body: dict = {"model": loop.model, "messages": system + loop.messages}
        if tools:
            body["tools"] = tools
        if loop.schema is not None:
            shape = {"name": "answer", "schema": loop.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        if loop.stream:
            body["stream_options"] = {"include_usage": True}
        return body

    def of(self, client: Any) -> Any:
        return client.chat.completions

    def prompt(self, text: str, image: str | None) -> list[dict]:
        if image is None:
            return [{"role": "user", "content": text}]
        picture = {"type": "image_url", "image_url": {"url": IMAGE + image}}
        return [{"role": "user", "content": [{"type": "text", "text": text}, picture]}]

    def results(self, results: list[tuple[Call, str, bool]]) -> list[dict]:
        return [{"role": "tool", "tool_call_id": call.id, "content": text} for call, text, _ in results]

    def reply(self, whole: Any) -> Reply:
        message = whole.choices[0].message
        calls = [
            Call(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls or ()
        ]
        written = message.model_dump(exclude_none=True, exclude={"parsed"})
        return Reply(message.content or "", calls, [written], whole.usage, whole.model, whole)

    def streaming(self, client: Any) -> Any:
        return client.chat.completions.stream

    def final(self, stream: Any) -> Any:
        return stream.get_final_completion()


class ResponsesWire:
    """Responses, with the history on the side of the client."""

    def request(self, loop: Loop) -> dict:
        body: dict = {"model": loop.model, "input": list(loop.messages)}
        if loop.system:
            body["instructions"] = loop.system
        tools = [
            {"type": "function", "name": name, "description": text, "parameters": schema, "strict": False}
            for name, text, schema in loop.definitions()
        ]
        if tools:
            body["tools"] = tools
        if loop.schema is not None:
            body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": loop.schema}}
        return body

    def of(self, client: Any) -> Any:
        return client.responses

    def prompt(self, text: str, image: str | None) -> list[dict]:
        if image is None:
            return [{"role": "user", "content": text}]
        picture = {"type": "input_image", "image_url": IMAGE + image, "detail": "auto"}
        return [{"role": "user", "content": [{"type": "input_text", "text": text}, picture]}]

    def results(self, results: list[tuple[Call, str, bool]]) -> list[dict]:
        return [{"type": "function_call_output", "call_id": call.id, "output": text} for call, text, _ in results]

    def reply(self, whole: Any) -> Reply:
        calls = [
            Call(item.call_id, item.name, json.loads(item.arguments))
            for item in whole.output
            if item.type == "function_call"
        ]
        written = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in whole.output]
        for item in written:
            for part in item.get("content") or ():
                part.pop("parsed", None)
        return Reply(whole.output_text, calls, written, whole.usage, whole.model, whole)

    def streaming(self, client: Any) -> Any:
        return client.responses.stream

    def final(self, stream: Any) -> Any:
        return stream.get_final_response()


class MessagesWire:
    """Anthropic's messages."""

    def request(self, loop: Loop) -> dict:
        body: dict = {"model": loop.model, "max_tokens": 500, "messages": loop.messages}
        if loop.system:
            body["system"] = loop.system
        tools = [
            {"name": name, "description": text, "input_schema": schema} for name, text, schema in loop.definitions()
        ]
        if tools:
            body["tools"] = tools
        if loop.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": loop.schema}}
        return body

    def of(self, client: Any) -> Any:
        return client.messages

    def prompt(self, text: str, image: str | None) -> list[dict]:
        if image is None:
            return [{"role": "user", "content": text}]
        source = {"type": "base64", "media_type": "image/png", "data": image}
        return [{"role": "user", "content": [{"type": "text", "text": text}, {"type": "image", "source": source}]}]

    def results(self, results: list[tuple[Call, str, bool]]) -> list[dict]:
        blocks = [
            {"type": "tool_result", "tool_use_id": call.id, "content": text, "is_error": is_error}
            for call, text, is_error in results
        ]
        return [{"role": "user", "content": blocks}]

    def reply(self, whole: Any) -> Reply:
        calls = [Call(block.id, block.name, dict(block.input)) for block in whole.content if block.type == "tool_use"]
        text = "".join(block.text for block in whole.content if block.type == "text")
        written = [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in whole.content]
        message = {"role": "assistant", "content": written}
        return Reply(text, calls, [message], whole.usage, whole.model, whole)

    def streaming(self, client: Any) -> Any:
        return client.messages.stream

    def final(self, stream: Any) -> Any:
        return stream.get_final_message()


WIRES: dict[str, Any] = {"chat": ChatWire(), "responses": ResponsesWire(), "messages": MessagesWire()}


@dataclass
class Loop:
    """An agent: a client, tools, and a conversation.

    Attributes:
        client: The client, wrapped or not.
        wire: The name of the wire format.
        tools: The functions that it calls, by the name that the model knows.
        system: The instructions.
        model: The name of the model.
        stream: Whether it streams.
        schema: The JSON schema of a typed answer.
        limit: How often it asks at most.
        approve: What a person says of a call: None for yes, a text for no, or SuspendedError.
        catches: Whether an exception of a tool becomes a text for the model.
        options: More of the request.
        messages: The conversation.
        replies: What the model said.
        made: The calls that were made.
        hidden: The names of tools that the model is not offered.
    """

    client: Any
    wire: str
    tools: Mapping[str, Callable[..., Any]]
    system: str = ""
    model: str = "gpt-stub"
    stream: bool = False
    schema: dict | None = None
    limit: int = 10
    approve: Callable[[Call], str | None] | None = None
    catches: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    messages: list[dict] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    made: list[tuple[str, dict]] = field(default_factory=list)
    hidden: tuple[str, ...] = ()

    def definitions(self) -> list[tuple[str, str, dict]]:
        return [definition(name, fn) for name, fn in self.tools.items() if name not in self.hidden]

    # -- the loop

    def run(self, prompt: str, image: str | None = None) -> str:
        """Add a prompt, and go on until the model calls no tool."""
        self.messages += WIRES[self.wire].prompt(prompt, image)
        return self.go_on()

    def go_on(self) -> str:
        """Ask and call until the model calls no tool."""
        for _ in range(self.limit):
            reply = self.ask()
            if not reply.calls:
                return reply.text
            self.messages += WIRES[self.wire].results([self.call(call) for call in reply.calls])
        raise TurnLimitError

    def ask(self) -> Reply:
        wire = WIRES[self.wire]
        body = {**wire.request(self), **self.options}
        if self.stream:
            with wire.streaming(self.client)(**body) as stream:
                for _ in stream:
                    pass
                whole = wire.final(stream)
        else:
            whole = wire.of(self.client).create(**body)
        return self._take(wire.reply(whole))

    def call(self, call: Call) -> tuple[Call, str, bool]:
        """Make a call, and return its result as the model gets it."""
        no = self.approve(call) if self.approve is not None else None
        if no is not None:
            return call, no, True
        self.made.append((call.name, call.arguments))
        try:
            result = self.tools[call.name](**call.arguments)
        except Exception as error:
            if not self.catches:
                raise
            return call, f"error: {error}", True
        return call, result if isinstance(result, str) else json.dumps(result), False

    # -- the same for async clients

    async def arun(self, prompt: str, image: str | None = None) -> str:
        """Add a prompt, and go on until the model calls no tool."""
        self.messages += WIRES[self.wire].prompt(prompt, image)
        for _ in range(self.limit):
            reply = await self.aask()
            if not reply.calls:
                return reply.text
            self.messages += WIRES[self.wire].results([await self.acall(call) for call in reply.calls])
        raise TurnLimitError

    async def aask(self) -> Reply:
        wire = WIRES[self.wire]
        body = {**wire.request(self), **self.options}
        if self.stream:
            async with wire.streaming(self.client)(**body) as stream:
                async for _ in stream:
                    pass
                whole = await wire.final(stream)
        else:
            whole = await wire.of(self.client).create(**body)
        return self._take(wire.reply(whole))

    async def acall(self, call: Call) -> tuple[Call, str, bool]:
        self.made.append((call.name, call.arguments))
        result = self.tools[call.name](**call.arguments)
        if inspect.isawaitable(result):
            result = await result
        return call, result if isinstance(result, str) else json.dumps(result), False

    def _take(self, reply: Reply) -> Reply:
        self.replies.append(reply)
        self.messages += reply.written
        return reply
