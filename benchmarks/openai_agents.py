"""The loop of the OpenAI Agents SDK with a model that answers immediately, and the same with a memory in between."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from agents import Agent, Model, ModelProvider, ModelResponse, RunConfig, Runner, Usage, function_tool
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from muscle_mem import Check, Engine
from muscle_mem.integrations.openai_agents import MuscleMemoryProvider

Run = Callable[[], Awaitable[None]]


class Instant(Model, ModelProvider):
    """A model, and its provider: it asks for the next step, and answers behind the last."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.asked = 0

    def get_model(self, model_name: str | None) -> Model:
        return self

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        self.asked += 1
        done = sum(item.get("type") == "function_call_output" for item in input)
        if done < self.steps:
            arguments = json.dumps({"number": done})
            item: Any = ResponseFunctionToolCall(
                type="function_call", call_id=f"call_{self.asked}", name="press", arguments=arguments
            )
        else:
            text = ResponseOutputText(type="output_text", text="done", annotations=[])
            item = ResponseOutputMessage(type="message", id="1", role="assistant", status="completed", content=[text])
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


async def runs_of(engine: Engine, steps: int) -> tuple[Run, Run]:
    """Return the SDK's loop alone and a hit inside it, once it is recorded."""

    async def press(number: int) -> str:
        return f"pressed {number}"

    tool = engine.tool(name="press", version=1, effect="write", pre_check=Check(lambda number: "there"))(press)
    agent = Agent(name="desk", instructions="Press.", tools=[function_tool(tool, name_override="press")])
    model = Instant(steps)
    plain = RunConfig(model_provider=model, tracing_disabled=True)
    remembered = RunConfig(model_provider=MuscleMemoryProvider(engine, model), tracing_disabled=True)

    async def alone() -> None:
        await Runner.run(agent, "press all", run_config=plain)

    async def hit() -> None:
        asked = model.asked
        await Runner.run(agent, "press all", run_config=remembered)
        if model.asked != asked:
            raise RuntimeError("the model was asked where a hit was expected")

    await Runner.run(agent, "press all", run_config=remembered)
    return alone, hit
