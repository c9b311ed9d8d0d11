"""The tools that a server lists, and the pages of the list with ours."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec import Raw

MAX_PAGES = 200
COVERED = ("description", "inputSchema", "outputSchema", "annotations")
"""What the fingerprint of a tool covers, beside its name."""


class ServerTool(msgspec.Struct, frozen=True):
    """A tool of the server.

    Attributes:
        name: Its name.
        schema: The JSON schema of its arguments, or None.
        annotations: Its annotations.
        version: A digest of its description, schemas and annotations.
    """

    name: str
    schema: dict[str, Any] | None
    annotations: dict[str, Any]
    version: str


def read_tool(tool: Any) -> ServerTool | None:
    """Return a tool of a list; None for what is not one."""
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        return None
    schema, annotations = tool.get("inputSchema"), tool.get("annotations")
    covered = {name: tool[name] for name in COVERED if name in tool}
    digest = hashlib.sha256(msgspec.json.encode(covered, order="deterministic")).hexdigest()[:32]
    return ServerTool(
        tool["name"],
        schema if isinstance(schema, dict) else None,
        annotations if isinstance(annotations, dict) else {},
        f"mcp:{digest}",
    )


class _Names(msgspec.Struct):
    name: str


class _Page(msgspec.Struct, rename="camel"):
    next_cursor: str | None = None
    tools: list[_Names] = []


_parts = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_pages = msgspec.json.Decoder(_Page)


def page_names(result: Raw) -> tuple[set[str], bool] | None:
    """Return the names of the tools of a page, and whether it is the last.

    None if it is not a page.
    """
    try:
        page = _pages.decode(result)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
    return {tool.name for tool in page.tools}, page.next_cursor is None


def with_own_tools(line: bytes, own: Sequence[bytes]) -> bytes:
    """Return the line of a page with further tools behind its own.

    All other values, and the order of the fields, stay as they were written.
    """
    frame = _parts.decode(line)
    result = _parts.decode(frame["result"])
    tools = [bytes(tool) for tool in _items.decode(result["tools"])] if "tools" in result else []
    result["tools"] = Raw(b"[" + b",".join([*tools, *own]) + b"]")
    frame["result"] = Raw(_object(result))
    return _object(frame) + b"\n"


def _object(parts: dict[str, Raw]) -> bytes:
    return b"{" + b",".join(msgspec.json.encode(name) + b":" + bytes(value) for name, value in parts.items()) + b"}"


def taken(own: Collection[str], names: Collection[str]) -> list[str]:
    """Return those of our names that the server has as well."""
    return sorted(set(own) & set(names))
