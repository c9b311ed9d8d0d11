"""A shop behind the official SDK of MCP, as a program: `sdk_shop.py`, or `sdk_shop.py PORT` for streamable HTTP."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Elicit, Resolve
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

server = MCPServer("sdk-shop")
orders: dict[str, str] = {}


class Sure(BaseModel):
    sure: bool


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def look(order: str) -> dict[str, Any]:
    return {"order": order, "state": orders.get(order, "paid")}


@server.tool(annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False))
def note(order: str, text: str) -> str:
    orders[order] = text
    return f"{order} has the note {text}"


@server.tool()
def refund(order: str, region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "here") -> str:
    orders[order] = "refunded"
    return f"{order} is refunded in {region}"


def ask_first(order: str) -> Elicit[Sure]:
    return Elicit(f"Really {order}?", Sure)


@server.tool(annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False))
def ask(order: str, sure: Annotated[Sure, Resolve(ask_first)]) -> str:
    return f"{order} is sure" if sure.sure else f"{order} is not"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def steps(count: int, ctx: Context) -> str:
    for number in range(count):
        await ctx.report_progress(number + 1, count)
    return "counted"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def broken() -> str:
    raise ToolError("no such thing")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def who() -> str:
    return os.environ.get("SHOP_USER", "nobody")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run("stdio")
