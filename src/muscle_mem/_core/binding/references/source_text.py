"""Sources as texts for people."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.flow import (
    ARGUMENT,
    OUTPUT,
    Between,
    Element,
    Extreme,
    Name,
    NthKey,
    Only,
    Parsed,
    PathItem,
    Slot,
    Source,
)
from ..texts.conversions import SPOKEN


def source_text(source: Source, tool_names: Sequence[str]) -> str:
    """Return a source in a notation for display, such as `create_order().order_id`.

    `tool_names` are the tools of the steps in order. A call of a tool that is called more than once has its number.
    """
    text = _origin_text(source, tool_names)
    for item in source.path:
        text = _item_text(text, item, tool_names)
    return f"{SPOKEN.get(source.convert, source.convert)}({text})" if source.convert else text


def _origin_text(source: Source, tool_names: Sequence[str]) -> str:
    if source.origin == OUTPUT:
        return _call_text(source.step, tool_names)
    if source.origin == ARGUMENT:
        return f"argument {_name_text(source.name)} of {_call_text(source.step, tool_names)}"
    return f"param {_name_text(source.name)}"


def _call_text(step: int, tool_names: Sequence[str]) -> str:
    if not 0 <= step < len(tool_names):
        return f"output[{step}]"
    name = tool_names[step]
    if tool_names.count(name) == 1:
        return f"{name}()"
    return f"{name}#{tool_names[: step + 1].count(name)}()"


def _item_text(text: str, item: PathItem, tool_names: Sequence[str]) -> str:
    if isinstance(item, Name):
        return f"{text}.{item.name}" if item.name.isidentifier() else f"{text}[{item.name!r}]"
    if isinstance(item, Slot | Element):
        return f"{text}[{item.index}]"
    if isinstance(item, NthKey):
        return f"{text}.keys[{item.index}]"
    if isinstance(item, Extreme):
        return f"{text}[{'largest' if item.is_largest else 'smallest'} {_field_text(item.field)}]"
    if isinstance(item, Only):
        return f"{text}[{_field_text(item.field)} == {_equals_text(item.equals, tool_names)}]"
    if isinstance(item, Parsed):
        return f"json({text})"
    return _between_text(text, item)


def _between_text(text: str, item: Between) -> str:
    if not item.after:
        return f"text after {item.before!r} in {text}"
    if not item.before:
        return f"text before {item.after!r} in {text}"
    return f"text between {item.before!r} and {item.after!r} in {text}"


def _field_text(field: Sequence[str | int]) -> str:
    return ".".join(map(_name_text, field)) or "element"


def _name_text(name: str | int) -> str:
    return name if isinstance(name, str) and name.isidentifier() else repr(name)


def _equals_text(source: Source, tool_names: Sequence[str]) -> str:
    if not source.path and not source.convert:
        return _name_text(source.name)
    return source_text(source, tool_names)
