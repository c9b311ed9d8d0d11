"""The text of a task, and the names of the calls that were made for it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any


def with_placeholders(task: str, params: Mapping[str, Any]) -> str:
    """Return a task with the name of each param, in braces, in place of its value.

    So a task has one text, whether the model wrote placeholders or values, and no value is in it.
    """
    names = {text: name for name, value in reversed(list(params.items())) if (text := _text_of(value))}
    if not names:
        return task
    longest_first = sorted(names, key=len, reverse=True)
    pattern = "|".join(re.escape(text) for text in longest_first)
    found = re.compile(rf"\{{\w+\}}|(?<!\w)(?:{pattern})(?!\w)")
    return found.sub(lambda match: _placeholder(match.group(), names), task)


def _text_of(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def _placeholder(text: str, names: Mapping[str, str]) -> str:
    return f"{{{names[text]}}}" if text in names else text


def are_same_calls(named: Sequence[str], passed: Sequence[str], known: Collection[str]) -> bool:
    """Return whether the calls that a model names are those that passed through.

    Many clients show a tool to the model with the name of the server before its own, such as `mcp__shop__refund`.

    Args:
        named: The names that the model gives.
        passed: The names that passed through.
        known: The names of all tools of the server.
    """
    return len(named) == len(passed) and all(
        _is_same_tool(name, tool, known) for name, tool in zip(named, passed, strict=True)
    )


def _is_same_tool(name: str, tool: str, known: Collection[str]) -> bool:
    if name == tool or name in known:
        return name == tool
    before = name.removesuffix(tool)
    return before != name and not before[-1:].isalnum()
