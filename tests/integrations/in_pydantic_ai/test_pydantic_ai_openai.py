"""A model of pydantic-ai that asks a server: the turns go over the wire once, also where the client is wrapped, too."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")
pytest.importorskip("openai.types", reason="openai is not installed")

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, hit, learned
from muscle_mem.integrations.pydantic_ai import MuscleMemory


class Server:
    """An endpoint for chat completions that says the next line of the script. `asked` has the requests."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append(request)
                answer = json.dumps(server.reply(request)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        turn = sum(message["role"] == "tool" for message in request["messages"])
        line = OPEN_THE_DRAWER[turn]
        message: dict[str, Any] = {"role": "assistant", "content": line if isinstance(line, str) else None}
        if not isinstance(line, str):
            message["tool_calls"] = [
                {"id": f"said_{turn}", "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}
                for name, args in line
            ]
        choice = {"index": 0, "message": message, "finish_reason": "stop" if isinstance(line, str) else "tool_calls"}
        usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        top = {"id": "1", "object": "chat.completion", "created": 1, "model": "stub"}
        return {**top, "choices": [choice], "usage": usage}

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def twice(office: Office, server: Server, client: AsyncOpenAI) -> None:
    """Learn the task, and replay it."""
    model = OpenAIChatModel("stub", provider=OpenAIProvider(openai_client=client))
    agent: Agent[Any, Any] = Agent(
        model,
        name="clerk",
        tools=[office.look, office.change, office.note],
        capabilities=[MuscleMemory(office.engine)],
    )

    async def run() -> None:
        for seen in (learned, hit):
            office.reset()
            async with office.engine.task("open the drawer") as task:
                result = await agent.run("open the drawer")
            assert result.output == "The drawer is open."
            assert [name for name, _ in office.made] == ["look", "change", "note"]
            assert len(task.outcomes) == 1
            assert seen(task.outcome).saved_tokens == (0 if seen is learned else 480)
        await client.close()

    asyncio.run(run())
    assert len(server.asked) == 4
    assert not office.notices("adapter_failed")


def client_of(server: Server) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"http://127.0.0.1:{server.http.server_port}/v1", api_key="none")


@pytest.mark.scenario("record", "hit", "usage")
def test_a_model_at_a_server_is_asked_once(server: Server) -> None:
    twice(Office(), server, client_of(server))


@pytest.mark.scenario("wrapped_twice")
def test_a_wrapped_client_below_the_memory_records_once(server: Server) -> None:
    openai = pytest.importorskip("muscle_mem.integrations.openai", reason="there is no adapter for the client")
    office = Office()
    twice(office, server, openai.wrap_openai(client_of(server), office.engine))
