"""Agents of pydantic-ai and LangChain with a model that answers immediately, and the same with a memory in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from muscle_mem import Check, Engine

Run = Callable[[], None]


def press(number: int) -> str:
    """Press a button."""
    return f"pressed {number}"


def pydantic_ai_runs(engine: Engine, steps: int) -> tuple[Run, Run]:
    """Return an agent's loop alone, and a hit of it, once it is recorded."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel

    from muscle_mem.integrations.pydantic_ai import MuscleMemory

    asked = [0]

    def instant(messages: list[Any], info: Any) -> Any:
        asked[0] += 1
        done = len(messages) // 2
        part = TextPart("done") if done == steps else ToolCallPart("press", {"number": done}, f"call_{done}")
        return ModelResponse(parts=[part])

    def agent(*capabilities: Any) -> Callable[[], None]:
        made = Agent(FunctionModel(instant), name="desk", tools=[press], capabilities=capabilities)
        return lambda: made.run_sync("press all") and None

    _check_press(engine)
    return agent(), _hit(agent(MuscleMemory(engine)), asked)


def langchain_runs(engine: Engine, steps: int) -> tuple[Run, Run]:
    """Return an agent's graph alone, and a hit of it, once it is recorded."""
    from langchain.agents import create_agent
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    from muscle_mem.integrations.langchain import MuscleMemoryMiddleware

    asked = [0]

    class Instant(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "instant"

        def bind_tools(self, tools: Any, **options: Any) -> Any:
            return self

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **options: Any) -> Any:
            asked[0] += 1
            done = len(messages) // 2
            calls = [{"name": "press", "args": {"number": done}, "id": f"call_{done}"}] if done < steps else []
            return ChatResult(
                generations=[ChatGeneration(message=AIMessage("" if calls else "done", tool_calls=calls))]
            )

    def agent(*middleware: Any) -> Callable[[], None]:
        made = create_agent(Instant(), [press], middleware=middleware)
        return lambda: made.invoke({"messages": [{"role": "user", "content": "press all"}]}) and None

    _check_press(engine)
    return agent(), _hit(agent(MuscleMemoryMiddleware(engine)), asked)


def _check_press(engine: Engine) -> None:
    engine.external_tool("press", effect="write", pre_check=Check(lambda number: "there"))


def _hit(run: Run, asked: list[int]) -> Run:
    """Return a run that is recorded, and fails if it asks the model again."""

    def hit() -> None:
        before = asked[0]
        run()
        if asked[0] != before:
            raise RuntimeError("the model was asked where a hit was expected")

    run()
    return hit
