"""The tools that an agent of LangChain offers, in the form of the shared room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from langchain_core.tools import BaseTool
from pydantic import BaseModel

from .._shared.messages import ToolOffer

MAX_KEPT: Final = 1_000


class Offers:
    """The translated tools, kept because making a schema takes milliseconds."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[BaseTool, Any, ToolOffer]] = {}

    def translate(self, tools: Iterable[BaseTool | dict[str, Any]]) -> tuple[tuple[ToolOffer, ...], str]:
        """Return the offers of a request, and the name of a tool that the provider runs.

        The name is empty if there is none.
        """
        offers: list[ToolOffer] = []
        hosted = ""
        for tool in tools:
            offer = self._offer(tool) if isinstance(tool, BaseTool) else _offer_of_dict(tool)
            if offer is None:
                hosted = hosted or str(dict(tool).get("type") or dict(tool).get("name") or "unknown")
            else:
                offers.append(offer)
        return tuple(offers), hosted

    def _offer(self, tool: BaseTool) -> ToolOffer:
        """Return the offer of a tool, made again if the tool was changed."""
        stamp = (tool.name, tool.description, tool.args_schema)
        kept = self._kept.get(id(tool))
        if kept is not None and kept[0] is tool and kept[1] == stamp:
            return kept[2]
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        offer = _offer_of_tool(tool)
        self._kept[id(tool)] = (tool, stamp, offer)
        return offer


def _offer_of_tool(tool: BaseTool) -> ToolOffer:
    schema: Any = tool.tool_call_schema
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        schema = schema.model_json_schema()
    hints: Mapping[str, Any] = tool.metadata or {}  # The MCP adapters of LangChain put a tool's annotations there.
    return ToolOffer(
        name=tool.name,
        description=tool.description,
        schema=schema if isinstance(schema, dict) else None,
        read_only=_hint(hints, "readOnlyHint"),
        destructive=_hint(hints, "destructiveHint"),
        idempotent=_hint(hints, "idempotentHint"),
        fn=getattr(tool, "func", None) or getattr(tool, "coroutine", None),
    )


def _hint(hints: Mapping[str, Any], name: str) -> bool | None:
    given = hints.get(name)
    return given if isinstance(given, bool) else None


def _offer_of_dict(tool: Mapping[str, Any]) -> ToolOffer | None:
    """Return the offer of a schema; None for a tool that the provider runs."""
    function = tool.get("function")
    shape: Mapping[str, Any] = function if isinstance(function, Mapping) else tool
    schema = shape.get("parameters") or shape.get("input_schema")
    if not isinstance(shape.get("name"), str) or not isinstance(schema, dict):
        return None
    return ToolOffer(name=shape["name"], description=str(shape.get("description", "")), schema=schema)
