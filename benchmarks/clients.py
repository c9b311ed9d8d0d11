"""Loops around clients of OpenAI and Anthropic with a model that answers immediately, and the same with a memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from muscle_mem import Check, Engine

Run = Callable[[], None]
SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}


def press(number: int) -> str:
    """Press a button."""
    return f"pressed {number}"


def openai_runs(engine: Engine, steps: int) -> tuple[Run, Run]:
    """Return a loop around a client of OpenAI alone, and a hit of it, once it is recorded."""
    import httpx2
    from openai import OpenAI

    from muscle_mem.integrations.openai import wrap_openai

    def instant(request: Any) -> Any:
        messages = json.loads(request.content)["messages"]
        done = sum(message["role"] == "tool" for message in messages)
        message: dict[str, Any] = {"role": "assistant", "content": None if done < steps else "done"}
        if done < steps:
            function = {"name": "press", "arguments": json.dumps({"number": done})}
            message["tool_calls"] = [{"id": f"call_{done}", "type": "function", "function": function}]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if done < steps else "stop"}
        head = {"id": "1", "object": "chat.completion", "created": 1, "model": "instant"}
        return httpx2.Response(200, json={**head, "choices": [choice]})

    tools: Any = [{"type": "function", "function": {"name": "press", "description": "Press.", "parameters": SCHEMA}}]

    def loop(client: Any) -> None:
        messages: list[Any] = [{"role": "user", "content": "press all"}]
        while True:
            reply = client.chat.completions.create(model="instant", messages=messages, tools=tools).choices[0].message
            messages.append(reply)
            if not reply.tool_calls:
                return
            for call in reply.tool_calls:
                result = press(**json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": result})

    return _runs(engine, lambda http: OpenAI(api_key="none", http_client=http), wrap_openai, instant, loop)


def anthropic_runs(engine: Engine, steps: int) -> tuple[Run, Run]:
    """Return a loop around a client of Anthropic alone, and a hit of it, once it is recorded."""
    import httpx2
    from anthropic import Anthropic

    from muscle_mem.integrations.anthropic import wrap_anthropic

    def instant(request: Any) -> Any:
        done = len(json.loads(request.content)["messages"]) // 2
        said: dict[str, Any] = {"type": "text", "text": "done"}
        if done < steps:
            said = {"type": "tool_use", "id": f"toolu_{done}", "name": "press", "input": {"number": done}}
        head = {"id": "1", "type": "message", "role": "assistant", "model": "instant", "content": [said]}
        end = {"stop_reason": "tool_use" if done < steps else "end_turn"}
        return httpx2.Response(200, json={**head, **end, "usage": {"input_tokens": 1, "output_tokens": 1}})

    tools: Any = [{"name": "press", "description": "Press.", "input_schema": SCHEMA}]

    def loop(client: Any) -> None:
        messages: list[Any] = [{"role": "user", "content": "press all"}]
        while True:
            content = client.messages.create(model="instant", max_tokens=99, messages=messages, tools=tools).content
            messages.append({"role": "assistant", "content": content})
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": press(**block.input)}
                for block in content
                if block.type == "tool_use"
            ]
            if not results:
                return
            messages.append({"role": "user", "content": results})

    return _runs(engine, lambda http: Anthropic(api_key="none", http_client=http), wrap_anthropic, instant, loop)


def _runs(
    engine: Engine,
    make: Callable[[Any], Any],
    wrap: Callable[[Any, Engine], Any],
    instant: Callable[[Any], Any],
    loop: Callable[[Any], None],
) -> tuple[Run, Run]:
    import httpx2

    asked = [0]

    def counted(request: Any) -> Any:
        asked[0] += 1
        return instant(request)

    engine.external_tool("press", effect="write", pre_check=Check(lambda number: "there"))
    plain = make(httpx2.Client(transport=httpx2.MockTransport(counted)))
    wrapped = wrap(plain, engine)

    def hit() -> None:
        before = asked[0]
        loop(wrapped)
        if asked[0] != before:
            raise RuntimeError("the model was asked where a hit was expected")

    loop(wrapped)
    return lambda: loop(plain), hit
