"""The text of a task, with placeholders for the values of its params."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
