"""Arguments of a tool that its schema repeats as HTTP headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MARK = "x-mcp-header"


def header_params(schema: Any, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers for the arguments of a call."""
    found: dict[str, str] = {}
    for path, name in _marked(schema, ()):
        value: Any = arguments
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, bool):
            found[f"mcp-param-{name}"] = "true" if value else "false"
        elif isinstance(value, str | int | float):
            found[f"mcp-param-{name}"] = str(value)
    return found


def _marked(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if not isinstance(schema, Mapping) or len(path) > 50:
        return
    name = schema.get(MARK)
    if path and isinstance(name, str):
        yield path, name
    properties = schema.get("properties")
    for key, part in properties.items() if isinstance(properties, Mapping) else ():
        yield from _marked(part, (*path, key))
