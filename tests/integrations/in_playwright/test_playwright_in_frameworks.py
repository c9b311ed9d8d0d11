"""The actions as tools of a framework, whose loop makes the calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from muscle_mem import Engine
from muscle_mem.demo.browser import ARGS
from playwright_desk import needed_browser

FORM = """<script>log = []</script><label>Name <input oninput="log.push(value)"></label>
<button onclick="log.push('pay')">Pay</button><p id=total>12.00 EUR</p>"""


def test_an_agent_of_pydantic_ai_uses_them_and_a_hit_asks_no_model() -> None:
    pytest.importorskip("pydantic_ai")
    path = needed_browser()
    asyncio.run(_with_pydantic_ai(path))


async def _with_pydantic_ai(path: str) -> None:
    from playwright.async_api import async_playwright
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    from muscle_mem.integrations.playwright import memory_page
    from muscle_mem.integrations.pydantic_ai import MuscleMemory

    asked = 0

    def model(messages: list[Any], info: Any) -> Any:
        nonlocal asked
        asked += 1
        calls = [
            ("fill", {"label": "Name", "value": "Ann"}),
            ("click", {"role": "button", "name": "Pay"}),
            ("inner_text", {"css": "#total"}),
        ]
        schemas = {tool.name: tool.parameters_json_schema for tool in info.function_tools}
        assert schemas["fill"]["required"] == ["value"]
        made = sum(isinstance(part, ToolCallPart) for message in messages for part in message.parts)
        if made == len(calls):
            return ModelResponse(parts=[TextPart("paid")])
        return ModelResponse(parts=[ToolCallPart(*calls[made])])

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGS))
        real = await browser.new_page()
        engine = Engine()
        page = memory_page(engine, real, wait=0.3)
        agent = Agent(FunctionModel(model), tools=page.tools(), capabilities=[MuscleMemory(engine)])
        for name, expected in (("Ann", 4), ("Bob", 4)):
            await real.set_content(FORM)
            await real.evaluate("log = []")
            async with engine.task("pay", params={"name": name}) as task:
                result = await agent.run("pay for the customer")
            assert task.outcome is not None
            assert result.output == "paid"
            assert asked == expected, task.outcome.message
            assert await real.evaluate("log") == [name, "pay"]
        assert task.outcome.status == "hit"
        await browser.close()
