"""A client of the official SDK of MCP, in front of the gateway, and the person behind it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway_peers import environment

SHOP = Path(__file__).with_name("sdk_shop.py")


class Person:
    """What a person answers, and was asked."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.asked: list[str] = []

    async def __call__(self, context: Any, params: Any) -> Any:
        from mcp.types import ElicitResult

        self.asked.append(params.message)
        return ElicitResult(**self.answers.pop(0))


@asynccontextmanager
async def sdk_client(mode: str, command: list[str], person: Person | None = None, **env: str) -> Any:
    from mcp import StdioServerParameters, stdio_client
    from mcp.client.client import Client

    words = StdioServerParameters(command=command[0], args=command[1:], env=environment(**env))
    async with Client(stdio_client(words), mode=mode, elicitation_callback=person) as client:
        yield client
