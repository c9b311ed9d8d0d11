"""Translation of pydantic-ai's messages and tools to the neutral form, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .._shared import Message, ModelCall, ModelRequest, Part, ToolOffer, Usage
from .framework import (
    ModelMessage,
    ModelRequestContext,
    ModelResponse,
    RunContext,
    TextPart,
    ToolCallPart,
    ToolDefinition,
)

MODEL_NAME = "muscle-mem"
FAILED = ("failed", "retried", "denied")


def text_of(content: Any) -> tuple[str, tuple[Part, ...]]:
    """Return the text of a prompt, and its other parts."""
    if isinstance(content, str):
        return content, ()
    texts: list[str] = []
    parts: list[Part] = []
    item: Any
    for item in content or ():
        kind = getattr(item, "kind", type(item).__name__)
        if isinstance(item, str):
            texts.append(item)
        elif isinstance(getattr(item, "content", None), str):
            texts.append(item.content)
        elif isinstance(getattr(item, "data", None), bytes):
            parts.append(Part(kind, data=item.data, media_type=item.media_type))
        elif isinstance(getattr(item, "url", None), str):
            parts.append(Part(kind, url=item.url))
        elif isinstance(getattr(item, "file_id", None), str):
            parts.append(Part(kind, url=f"{item.provider_name}:{item.file_id}"))
        elif kind != "cache-point":
            parts.append(Part(kind))
    return "\n".join(texts), tuple(parts)


def arguments_of(call: ToolCallPart) -> dict[str, Any] | str:
    """Return the arguments of a call as the model wrote them."""
    return call.args or {}


def calls_of(response: ModelResponse, without: Iterable[str] = ()) -> list[ModelCall]:
    """Return the tool calls of a response, without those of some tools."""
    return [
        ModelCall(part.tool_call_id, part.tool_name, arguments_of(part))
        for part in response.parts
        if isinstance(part, ToolCallPart) and part.tool_name not in without
    ]


def is_changed(call: ToolCallPart, messages: Sequence[ModelMessage]) -> bool:
    """Return whether the arguments of a call are no longer those that the model said."""
    for message in reversed(messages):
        for part in message.parts:
            if isinstance(part, ToolCallPart) and part.tool_call_id == call.tool_call_id:
                return part.args_as_dict() != call.args_as_dict()
    return False


def translated(message: ModelMessage, is_of_framework: Callable[[Any], bool]) -> Iterator[Message]:
    """Translate one message of the history."""
    if message.kind == "response":
        yield Message("assistant", message.text or "", calls=tuple(calls_of(message)))
        return
    part: Any
    for part in message.parts:
        kind = part.part_kind
        if kind == "system-prompt":
            yield Message("system", part.content)
        elif kind == "user-prompt":
            text, parts = text_of(part.content)
            yield Message("user", text, parts, of_framework=is_of_framework(part))
        elif kind == "tool-return":
            failed = getattr(part, "outcome", "success") in FAILED
            yield Message("tool", call_id=part.tool_call_id, content=part.content, is_error=failed)
        elif kind == "retry-prompt" and part.tool_name is not None:
            yield Message("tool", part.model_response(), call_id=part.tool_call_id, is_error=True)
        elif kind in ("retry-prompt", "retry-feedback"):
            yield Message("user", part.model_response(), of_framework=True)


def trailing(messages: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
    """Return the messages behind the last response of the model, with that response."""
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].kind == "response":
            return messages[at:]
    return messages


def to_request(
    ctx: RunContext[Any], request: ModelRequestContext, is_of_framework: Callable[[Any], bool]
) -> ModelRequest:
    """Translate a request to the model.

    Args:
        ctx: The context of the agent's run.
        request: The request.
        is_of_framework: A function that returns whether the framework wrote a user's part, from what a tool returned.

    Returns:
        The request. Only if it may begin a run does it have the whole history.
    """
    end = trailing(request.messages)
    parameters = request.model_request_parameters
    has_prompt = any(
        part.part_kind == "user-prompt" and not is_of_framework(part)
        for message in end
        if message.kind == "request"
        for part in message.parts
    )
    found = request.messages if has_prompt else end
    functions = functions_of(ctx)
    return ModelRequest(
        messages=[each for message in found for each in translated(message, is_of_framework)],
        tools=[offer(tool, functions.get(tool.name)) for tool in parameters.function_tools],
        agent_name=(ctx.agent.name if ctx.agent is not None else None) or "",
        instructions=instructions_of(request),
        answer_schema=answer_schema(parameters),
        stream=getattr(request, "streaming", False),
    )


def instructions_of(request: ModelRequestContext) -> str:
    """Return the agent's instructions in a request."""
    parts = request.model_request_parameters.instruction_parts
    if parts:
        return "\n\n".join(part.content for part in parts)
    last = request.messages[-1] if request.messages else None
    return getattr(last, "instructions", None) or ""


def answer_schema(parameters: Any) -> Any:
    """Return what the output types ask of the model, as JSON; None for plain text."""
    tools = [[tool.name, tool.parameters_json_schema] for tool in parameters.output_tools]
    typed = parameters.output_object
    if not tools and typed is None:
        return None
    text = parameters.allow_text_output
    return {"tools": tools, "object": None if typed is None else typed.json_schema, "text": text}


def offer(tool: ToolDefinition, function: Callable[..., Any] | None) -> ToolOffer:
    """Translate the definition of a tool."""
    metadata = tool.metadata or {}
    hints = metadata.get("annotations") or {}
    return ToolOffer(
        tool.name,
        tool.description or "",
        tool.parameters_json_schema,
        read_only=hints.get("readOnlyHint"),
        destructive=hints.get("destructiveHint"),
        idempotent=hints.get("idempotentHint"),
        fn=function,
        needs_approval=tool.kind == "unapproved",
    )


def functions_of(ctx: RunContext[Any]) -> dict[str, Callable[..., Any]]:
    """Return the functions behind the tools of a run, by the model's names."""
    tools = getattr(ctx.tool_manager, "tools", None) or {}
    found = {name: _function_of(tool) for name, tool in tools.items()}
    return {name: function for name, function in found.items() if function is not None}


def _function_of(tool: Any) -> Callable[..., Any] | None:
    """Return the function that a toolset calls for a tool, if it is one."""
    while (inner := getattr(tool, "source_tool", None)) is not None:
        tool = inner
    call = getattr(tool, "call_func", None)
    return getattr(getattr(call, "__self__", None), "function", None)


def usage_of(response: ModelResponse) -> Usage:
    """Return the usage of a response."""
    usage = response.usage
    return Usage(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, response.model_name or "")


# -- the final answer


def answer_of(response: ModelResponse, output_tools: Sequence[ToolDefinition]) -> tuple[bool, Any]:
    """Return whether a response holds a final answer, and its stored form."""
    names = {tool.name for tool in output_tools}
    typed = [part for part in response.parts if isinstance(part, ToolCallPart) and part.tool_name in names]
    if typed:
        arguments = typed[0].args_as_dict()
        return True, arguments if len(names) == 1 else {"output_tool": typed[0].tool_name, "arguments": arguments}
    texts = [part.content for part in response.parts if isinstance(part, TextPart)]
    return bool(texts), "".join(texts) if texts else None


def answer_parts(answer: Any, parameters: Any) -> list[Any]:
    """Return the parts of a response that gives an answer.

    Args:
        answer: The answer: a stored one, or what the user's function made.
        parameters: The parameters of the request, with the tools that carry typed answers.
    """
    dump = getattr(answer, "model_dump", None)
    if dump is not None:
        answer = dump(mode="json")
    tools: Sequence[ToolDefinition] = parameters.output_tools
    if tools and not (isinstance(answer, str) and parameters.allow_text_output):
        if isinstance(answer, dict) and set(answer) == {"output_tool", "arguments"}:
            return [ToolCallPart(answer["output_tool"], answer["arguments"])]
        key = tools[0].outer_typed_dict_key
        if key is not None and not (isinstance(answer, dict) and set(answer) == {key}):
            answer = {key: answer}
        return [ToolCallPart(tools[0].name, answer)]
    return [TextPart(answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False))]


def replayed_response(parts: list[Any], mark: dict[str, Any]) -> ModelResponse:
    """Return the response of a replayed turn, with usage 0 and the mark."""
    return ModelResponse(parts=parts, model_name=MODEL_NAME, provider_details=dict(mark))
