"""Failures that come as a result, recognized by their form (C5a).

No framework is imported for this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ... import codec
from ...codec.walk import SCALARS
from ...model.pattern import compiled
from ...tools.tool import Tool
from .answers import parsed_text
from .paths import attributes_of

FAILED = "failed"
NOTHING_DONE = "nothing_done"

ERROR_NAMES = ("error", "errors", "is_error", "isError")
SUCCESS_NAMES = ("ok", "success")
_RESULT_NAMES = frozenset({"content", "structuredContent", "structured_content", "blocks", "raw_output", "tool_name"})
_CALL_ID_NAMES = frozenset({"tool_call_id", "toolUseId", "tool_use_id", "call_id"})
_NO_ERROR = frozenset({"", "none", "null", "no", "false", "ok", "n/a"})
_NOT_MARKED = frozenset({int, float, complex, bool, type(None), bytes, list, tuple, set, frozenset})

_ERROR_TEXT = r"(?i)\W*(?:(?:error|exception|failed|failure|traceback)\b(?!-)|\w+(?:Error|Exception):)"
_INVALID_INPUT = (
    r"(?i)\W*(?:error\W+|error (?:executing|calling) tool \S+\s)*(?:MCP error -32602\b|input validation error\b"
    r"|(?:\d+ )?validation errors? for (?:\w*Arguments\b|call\[)|invalid arguments for tool\b|unknown tool\b)"
)


def failure_of(tool: Tool, result: Any) -> str:
    """Return how a result says that its call failed: FAILED, NOTHING_DONE or nothing.

    Raises what the tool's `failed=` raises.
    """
    judge = tool.failed
    if judge is None:
        return "" if type(result) in SCALARS else declared_failure(result)
    if judge is False:
        return ""
    answer = judge(result)
    if isinstance(answer, str) and answer == NOTHING_DONE:
        return NOTHING_DONE
    return FAILED if answer else ""


def declared_failure(result: Any) -> str:
    """Return FAILED or NOTHING_DONE if a result declares itself a failure.

    Results of tool protocols and messages of frameworks do.
    """
    fields = _fields_of(result)
    if fields is None or not ("isError" in fields or "is_error" in fields or "status" in fields):
        return ""
    is_error = fields.get("isError") is True or fields.get("is_error") is True
    if is_error:
        is_result = not (_RESULT_NAMES | _CALL_ID_NAMES).isdisjoint(fields)
    else:
        status = fields.get("status")
        is_result = type(status) is str and status == "error" and not _CALL_ID_NAMES.isdisjoint(fields)
    if not is_result:
        return ""
    text = next(iter(_texts_in(fields.get("content", fields.get("blocks")))), "")
    return NOTHING_DONE if compiled(_INVALID_INPUT).match(text) else FAILED


def failure_marks(result: Any) -> frozenset[str]:
    """Return the marks of failure and success in a result.

    They are the names of fields at its top level, or "text".
    """
    kind = type(result)
    if kind in _NOT_MARKED:
        return frozenset()
    if kind is str:
        text: str = result
        if compiled(_ERROR_TEXT).match(text):
            return frozenset({"text"})
        fields = _fields_of(parsed_text(text))
    else:
        fields = _fields_of(result)
    return _marks_in(fields) if fields else frozenset()


def _marks_in(fields: Mapping[str, Any]) -> frozenset[str]:
    found = {name for name in ERROR_NAMES if name in fields and _is_error(fields[name])}
    for name in SUCCESS_NAMES:
        if name in fields and type(fields[name]) is bool:
            found.add(name if fields[name] else f"not {name}")
    if "content" in fields and any(compiled(_ERROR_TEXT).match(text) for text in _texts_in(fields.get("content"))):
        found.add("text")
    return frozenset(found)


def new_marks(marks: Iterable[str], known: frozenset[str]) -> list[str]:
    """Return the marks of failure that no recording had.

    `known` are the marks of the recordings.
    """
    found = []
    for mark in marks:
        if mark in SUCCESS_NAMES or mark in known:
            continue
        if mark.startswith("not ") and mark.removeprefix("not ") not in known:
            continue
        found.append(mark)
    return sorted(found)


def _is_error(value: Any) -> bool:
    """Return whether the value of an error field means an error.

    A number does not count.
    """
    kind = type(value)
    if kind is str:
        return value.strip().lower() not in _NO_ERROR
    if kind in (int, float):
        return False
    return bool(value) if kind in (bool, list, tuple, dict, set) else value is not None


def _fields_of(value: Any) -> Mapping[str, Any] | None:
    """Return the fields of a dict or an object by name, without running its code."""
    kind = type(value)
    if kind is dict:
        return value  # type: ignore[no-any-return]  # A dict.
    if kind in _NOT_MARKED or kind is str:
        return None
    try:
        if isinstance(value, dict):
            return value
        own = object.__getattribute__(value, "__dict__")
    except Exception:  # Without a dict of attributes, or a proxy that raises.
        own = None
    if type(own) is dict and own:
        return own
    try:
        return codec.fields_of(value) or dict(attributes_of(value))
    except Exception:  # Its attributes cannot be read.
        return None


def _texts_in(content: Any) -> Iterable[str]:
    """Yield the texts in the content of a result.

    The content is a text or a list of blocks.
    """
    if type(content) is str:
        yield content
    for block in content if type(content) in (list, tuple) else ():
        text = block if type(block) is str else (_fields_of(block) or {}).get("text")
        if type(text) is str:
            yield text
