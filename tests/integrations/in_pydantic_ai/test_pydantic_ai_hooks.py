"""What other capabilities of an agent of pydantic-ai do to a run beside its memory."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("pydantic_ai.capabilities", reason="pydantic-ai is not installed")

from pydantic_ai import ModelRetry
from pydantic_ai.capabilities import AbstractCapability, Hooks
from pydantic_ai.exceptions import SkipModelRequest, SkipToolExecution
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart

from agents_of_pydantic_ai import OPEN_THE_DRAWER, Office, Script, hit, turn_of

# In older releases, these hooks come before and after those of the memory, which then sees a run that it cannot follow.
INSIDE = hasattr(AbstractCapability, "prepare_model_request")


def test_a_response_that_a_hook_gives_in_place_of_the_model_is_learned() -> None:
    office, script = Office(), Script(OPEN_THE_DRAWER[0], "never said")
    hooks: Any = Hooks()

    async def answer(ctx: Any, request: Any) -> Any:
        if turn_of(request.messages) == 1:
            raise SkipModelRequest(ModelResponse(parts=[TextPart("seen by a hook")]))
        return request

    hooks.on.before_model_request(answer)
    agent = office.agent(script, office.memory(), hooks, tools=[office.look])
    for _ in range(2):
        with office.engine.task("see") as task:
            assert agent.run_sync("see").output == "seen by a hook"
        assert INSIDE or task.outcome is None
    if INSIDE:
        hit(task.outcome)
        assert script.asked == 1


def test_a_response_that_a_hook_rejects_is_no_step() -> None:
    office, script = Office(), Script(*OPEN_THE_DRAWER)
    script.lines = (OPEN_THE_DRAWER[1], OPEN_THE_DRAWER[0], "Seen.")
    rejected: list[str] = []
    hooks: Any = Hooks()

    async def judge(ctx: Any, *, request_context: Any, response: ModelResponse) -> ModelResponse:
        if any(isinstance(part, ToolCallPart) and part.tool_name == "change" for part in response.parts):
            rejected.append("change")
            raise ModelRetry("look first")
        return response

    hooks.on.after_model_request(judge)
    agent = office.agent(script, office.memory(), hooks)
    for _ in range(2):
        office.reset()
        with office.engine.task("see") as task:
            assert agent.run_sync("see").output == "Seen."
        assert [name for name, _ in office.made] == ["look"]
        assert INSIDE or task.outcome is None
    if INSIDE:
        hit(task.outcome)
        assert rejected == ["change"]
        assert script.asked == 3


def test_a_result_that_a_hook_gives_in_place_of_a_tool_is_that_of_the_step() -> None:
    office = Office()
    script = Script(OPEN_THE_DRAWER[0], lambda messages: f"it is {messages[-1].parts[-1].content}")
    hooks: Any = Hooks()

    async def skip(ctx: Any, *, call: Any, tool_def: Any, args: Any) -> Any:
        raise SkipToolExecution("known to be closed")

    hooks.on.before_tool_execute(skip)
    agent = office.agent(script, office.memory(), hooks, tools=[office.look])
    for _ in range(2):
        with office.engine.task("see") as task:
            assert agent.run_sync("see").output == "it is known to be closed"
    hit(task.outcome)
    assert not office.made
    assert script.asked == 2
