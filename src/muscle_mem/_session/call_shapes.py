"""The shapes in which chat APIs and frameworks return the tool calls of a model.

Each is read from dicts and from objects of client libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .._core.model.text import safe_repr
from ..errors import InvalidTypeError

CALL_SHAPES = "(tool, arguments), (tool, arguments, id), or a tool call as a chat API returns it"

NO_CALLS = frozenset(
    {
        *("text", "thinking", "redacted_thinking", "reasoning", "message", "output_text", "refusal"),
        *("image", "document", "audio", "file", "citation", "non_standard", "thought"),
    }
)
"""The types of the blocks beside calls, which are passed over."""

RESULT_ENDINGS = ("_result", "_output")
HOSTED_ENDINGS = ("_call", "_tool_use")
"""The ends of the types of calls that the provider makes, and that a replay cannot repeat."""

OWN_CALLS = frozenset({"function_call", "tool_call", "custom_tool_call", "invalid_tool_call"})


class CallParts(NamedTuple):
    """A call: its tool, its arguments as they were given, and its id or ""."""

    tool: Any
    arguments: Any
    id: str


class HostedCall(NamedTuple):
    """A call that the provider has made, by its type."""

    type: str


Get = Callable[[str], Any]


def read_call(call: Any) -> CallParts | HostedCall | None:
    """Return the parts of a call in any known shape; None for any other block.

    Raises InvalidTypeError for anything else.
    """
    if isinstance(call, tuple | list):
        if len(call) in (2, 3):
            return CallParts(call[0], call[1], _id(call[2] if len(call) == 3 else ""))
    elif not isinstance(call, str | bytes | int | float | None):
        get = _getter(call)
        found = _nested(get) or _flat(get)
        if found is not None:
            return found
        kind = get("type")
        if isinstance(kind, str):
            if kind.endswith(HOSTED_ENDINGS) and kind not in OWN_CALLS:
                return HostedCall(kind)
            if kind in NO_CALLS or kind.endswith(RESULT_ENDINGS):
                return None
        elif any(get(name) is not None for name in ("text", "reasoningContent", "thought", "part_kind")):
            return None
    raise InvalidTypeError(f"call cannot be parsed: expected {CALL_SHAPES}, got {safe_repr(call)}")


def _getter(value: Any) -> Get:
    """Return a function that reads a part of a dict or an object.

    It returns None where there is none.
    """
    if isinstance(value, Mapping):
        return value.get
    return lambda name: getattr(value, name, None)


def _nested(get: Get) -> CallParts | None:
    """Return a call that is under a separate name, as in chat completions."""
    function = get("function")
    if function is not None:  # Chat completions.
        inner = _getter(function)
        if isinstance(inner("name"), str):
            return CallParts(inner("name"), inner("arguments"), _id(get("id")))
    for name in ("functionCall", "function_call"):  # Gemini, and the older form of chat completions.
        if get(name) is not None:
            inner = _getter(get(name))
            arguments = inner("args") if inner("args") is not None else inner("arguments")
            return CallParts(inner("name"), arguments, _id(inner("id")))
    if get("toolUse") is not None:  # Bedrock.
        inner = _getter(get("toolUse"))
        return CallParts(inner("name"), inner("input"), _id(inner("toolUseId")))
    if get("custom") is not None:
        inner = _getter(get("custom"))
        return CallParts(inner("name"), {"input": inner("input")}, _id(get("id")))
    if get("method") == "tools/call":  # MCP, where ids may be numbers.
        inner = _getter(get("params"))
        id = get("id")
        return CallParts(inner("name"), inner("arguments"), "" if id is None else str(id))
    return None


def _flat(get: Get) -> CallParts | None:
    """Return a call whose name stands beside its arguments."""
    kind, name = get("type"), get("name")
    if isinstance(get("tool_name"), str) and get("part_kind") in (None, "tool-call"):  # pydantic-ai.
        return CallParts(get("tool_name"), get("args"), _id(get("tool_call_id")))
    if not isinstance(name, str):
        return None
    if kind == "custom_tool_call":
        return CallParts(name, {"input": get("input")}, _id(get("call_id")))
    if kind == "function_call":  # Responses.
        return CallParts(name, get("arguments"), _id(get("call_id") or get("id")))
    if kind == "tool_use" or (kind is None and get("toolUseId") is not None):  # Anthropic, Bedrock.
        return CallParts(name, get("input"), _id(get("id") or get("toolUseId")))
    if kind in (None, "tool_call", "invalid_tool_call"):
        if get("args") is not None:  # LangChain, Gemini.
            return CallParts(name, get("args"), _id(get("id")))
        if kind is not None or get("arguments") is not None:  # MCP.
            return CallParts(name, get("arguments"), _id(get("id")))
    return None


def _id(given: Any) -> str:
    if given is not None and not isinstance(given, str):
        raise InvalidTypeError(f"call has an invalid id: expected a string, got {safe_repr(given)}")
    return given or ""
