"""Requests of the SDK in the neutral form of the shared room."""

from __future__ import annotations

import ast
import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agents import FunctionTool
from agents.tool import DEFAULT_APPROVAL_REJECTION_MESSAGE

from .._shared import Message, ModelCall, ModelRequest, Part, ToolOffer

ERROR_BEGINNINGS = (
    "An error occurred while running the tool. Please try again.",
    "An error occurred while parsing tool arguments. Please try again with valid JSON.",
)
"""How results begin that the SDK makes of a tool's exception, unless the tool has a failure function."""

RESULT = "function_call_output"
HINTS = ("read_only", "destructive", "idempotent")
REFUSED = DEFAULT_APPROVAL_REJECTION_MESSAGE
MAX_LITERAL = 65_536
ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


def arguments_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `Model.get_response` or `stream_response` by name."""
    return {**dict(zip(PARAMETERS, args, strict=False)), **kwargs}


PARAMETERS = ("system_instructions", "input", "model_settings", "tools", "output_schema", "handoffs", "tracing")


def why_left_alone(given: Mapping[str, Any]) -> str:
    """Return why a request is passed to the model as it is, or ""."""
    if given.get("previous_response_id") or given.get("conversation_id"):
        return "the server keeps the history of the conversation, so the adapter cannot see it"
    if given.get("prompt"):
        return "the instructions are a prompt that the server keeps, so the adapter cannot see them"
    for tool in given.get("tools") or ():
        name = getattr(tool, "name", type(tool).__name__)
        if not isinstance(tool, FunctionTool):
            return f"the SDK does not call the tool {name!r} as a function ({type(tool).__name__})"
        if getattr(tool, "defer_loading", False) or getattr(tool, "qualified_name", tool.name) != tool.name:
            return f"the tool {name!r} is loaded by the server or named by a namespace"
    return ""


def may_be_retried(given: Mapping[str, Any], error: BaseException) -> bool:
    """Return whether the SDK may send a request in the middle of a run again.

    Then the run goes on with it.
    """
    settings = getattr(given.get("model_settings"), "retry", None)
    if not getattr(settings, "max_retries", None) or not isinstance(error, Exception):
        return False
    items = given.get("input")
    return isinstance(items, list) and bool(items) and _as_mapping(items[-1]).get("type") == RESULT


def request_of(given: Mapping[str, Any], *, stream: bool) -> ModelRequest:
    """Return a request in the neutral form."""
    schema = given.get("output_schema")
    return ModelRequest(
        messages=messages_of(given.get("input")),
        tools=[*map(_offer_of_tool, given.get("tools") or ()), *map(_offer_of_handoff, given.get("handoffs") or ())],
        instructions=given.get("system_instructions") or "",
        answer_schema=None if schema is None or schema.is_plain_text() else schema.json_schema(),
        stream=stream,
    )


# -- tools


def is_guarded(tool: Any) -> bool:
    """Return whether a tool has the guardrail of `memory_guardrail`."""
    guardrails = getattr(tool, "tool_input_guardrails", None) or ()
    return any(getattr(guardrail.guardrail_function, "is_memory_guardrail", False) for guardrail in guardrails)


def _offer_of_tool(tool: FunctionTool) -> ToolOffer:
    annotations = getattr(tool, "mcp_annotations", None)
    hints = (None,) * 3 if annotations is None else tuple(_hint(annotations, name) for name in HINTS)
    return ToolOffer(
        name=tool.name,
        description=tool.description,
        schema=tool.params_json_schema,
        read_only=hints[0],
        destructive=hints[1],
        idempotent=hints[2],
        fn=getattr(tool, "__wrapped__", None),
        needs_approval=bool(tool.needs_approval),
        is_confirmed=is_guarded(tool),
    )


def _hint(annotations: Any, name: str) -> bool | None:
    """Return a hint of a server of the Model Context Protocol.

    Its spelling depends on the version of its package.
    """
    camel = name.split("_")[0] + "".join(word.title() for word in name.split("_")[1:])
    for spelling in (f"{name}_hint", f"{camel}Hint"):
        found = getattr(annotations, spelling, None)
        if isinstance(found, bool):
            return found
    return None


def _offer_of_handoff(handoff: Any) -> ToolOffer:
    """Return a hand-off as a tool. It decides only which agent goes on."""
    return ToolOffer(
        name=handoff.tool_name,
        description=handoff.tool_description,
        schema=handoff.input_json_schema or None,
        read_only=True,
        hands_off=True,
    )


# -- messages


def messages_of(given: Any) -> list[Message]:
    """Return the input of a request as messages; calls of one turn are one message."""
    if isinstance(given, str):
        return [Message("user", given)]
    messages: list[Message] = []
    for item in given or ():
        message = _message_of(_as_mapping(item))
        if message is None:
            continue
        last = messages[-1] if messages else None
        if last is not None and message.calls and last.role == "assistant":
            messages[-1] = Message("assistant", last.text, last.parts, (*last.calls, *message.calls))
        else:
            messages.append(message)
    return messages


def _as_mapping(item: Any) -> Mapping[str, Any]:
    if isinstance(item, Mapping):
        return item
    found: Mapping[str, Any] = item.model_dump(exclude_unset=True)
    return found


def _message_of(item: Mapping[str, Any]) -> Message | None:
    kind = item.get("type") or "message"
    if kind == "function_call":
        call = ModelCall(item["call_id"], item["name"], item["arguments"])
        return Message("assistant", calls=(call,))
    if kind == RESULT:
        text, parts = _contents(item.get("output"))
        return Message(
            "tool",
            text,
            parts,
            call_id=item["call_id"],
            content=_result_of(item.get("output")),
            is_error=text.startswith(ERROR_BEGINNINGS),
        )
    if kind == "message" and item.get("role") in ROLES:
        text, parts = _contents(item.get("content"))
        return Message(ROLES[item["role"]], text, parts)  # type: ignore[arg-type]
    if kind == "reasoning":  # The thoughts of a model differ from run to run.
        return None
    if kind == "item_reference":  # The server knows what it is.
        return Message("assistant", parts=(Part(kind),))
    rest = {name: value for name, value in item.items() if name not in ("id", "status")}
    return Message("assistant", json.dumps(rest, sort_keys=True, default=repr))


def _result_of(output: Any) -> Any:
    """Return the result of a tool, of which the SDK keeps a text.

    The text is JSON, or what Python prints of a dict or list.
    """
    if not isinstance(output, str) or output[:1] not in ("{", "[", "(") or len(output) > MAX_LITERAL:
        return output
    for read in (json.loads, ast.literal_eval):
        try:
            return read(output)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return output


def _contents(content: Any) -> tuple[str, tuple[Part, ...]]:
    """Return the text and the other parts of a message's content."""
    if content is None or isinstance(content, str):
        return content or "", ()
    if not isinstance(content, Iterable) or isinstance(content, Mapping):
        return str(content), ()
    texts: list[str] = []
    parts: list[Part] = []
    for part in map(_as_mapping, content):
        text = part.get("text", part.get("refusal"))
        if isinstance(text, str):
            texts.append(text)
        else:
            parts.append(_part_of(part))
    return "\n".join(texts), tuple(parts)


def _part_of(part: Mapping[str, Any]) -> Part:
    """Return a part of another kind than text, with its bytes or its address."""
    kind = str(part.get("type", "")).removeprefix("input_") or "part"
    name = str(part.get("detail") or part.get("filename") or "")
    for field, value in _sources(part):
        if field == "data":
            return _inline(kind, value, name)
        if value.startswith("data:"):
            media_type, _, data = value.removeprefix("data:").partition(",")
            return _inline(kind, data, f"{media_type} {name}".strip())
        return Part(kind, url=value, media_type=name)
    return Part(kind)


def _sources(part: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where the content of a part is: its base64 text as "data", or an address."""
    audio = part.get("input_audio")
    if isinstance(audio, Mapping) and isinstance(audio.get("data"), str):
        yield "data", audio["data"]
    for field in ("image_url", "file_data", "file_url"):
        value = part.get(field)
        if isinstance(value, str) and value:
            yield ("data" if field == "file_data" and not value.startswith("data:") else "url"), value
    if isinstance(part.get("file_id"), str):
        yield "url", f"file:{part['file_id']}"


def _inline(kind: str, data: str, media_type: str) -> Part:
    try:
        return Part(kind, data=base64.b64decode(data, validate=True), media_type=media_type)
    except (binascii.Error, ValueError):
        return Part(kind, data=data.encode(), media_type=media_type)
