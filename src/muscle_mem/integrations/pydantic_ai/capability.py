"""The capability that users add to an agent, and the tool hooks of a run."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from opentelemetry.trace import get_current_span

from .._shared import Memory
from .agent_run import AgentRun
from .framework import (
    AbstractCapability,
    AbstractToolset,
    ApprovalRequired,
    CallDeferred,
    CapabilityOrdering,
    Instrumentation,
    ModelRequestContext,
    ModelResponse,
    RunContext,
    SkipToolExecution,
    ToolCallPart,
    ToolDefinition,
    ToolRetryError,
    ToolReturn,
    ToolsetTool,
    WrapperToolset,
)
from .messages import is_changed


class NotMadeError(SkipToolExecution):
    """Raised in place of a tool call whose pre-check no longer passes."""


class MuscleMemory(AbstractCapability[Any]):
    """Capability that records and replays the tool calls of a pydantic-ai agent.

    Add it to the agent, `Agent(..., capabilities=[MuscleMemory(engine)])`, or to one run,
    `agent.run(..., capabilities=[MuscleMemory(engine)])`. On a hit, the agent's loop makes the recorded tool calls
    without the model, with the approvals, retries, streaming and traces of the framework.

    Args:
        engine: The engine that records and replays.
        answer: The source of a hit's final answer. None or "auto": the recorded answer if this run's results equal the
            recorded ones, otherwise the model. "model": always the model. Or a function of this run's results.
        tools: The names of the tools that may be replayed. By default, all tools of the request.
        rejoin: Whether a stopped replay resumes after the model has made another call.
    """

    __module__ = "muscle_mem.integrations.pydantic_ai"

    def __init__(
        self, engine: Any, *, answer: Any = None, tools: Sequence[str] | None = None, rejoin: bool = False
    ) -> None:
        self._memory = Memory(engine, framework="pydantic-ai", answer=answer, tools=tools, rejoin=rejoin)
        self._run = AgentRun(self._memory)

    @classmethod
    def get_serialization_name(cls) -> str | None:
        """Return None: an engine cannot be named in a spec."""
        return None

    def get_ordering(self) -> CapabilityOrdering:
        """Return the place: outside of all others.

        So a replayed turn has no span of a model call.
        """
        return CapabilityOrdering(position="outermost", wraps=[Instrumentation])

    async def for_run(self, ctx: RunContext[Any]) -> Self:
        """Return the capability of one run of the agent."""
        made = copy.copy(self)
        made._run = AgentRun(self._memory)
        return made

    async def wrap_run(self, ctx: RunContext[Any], *, handler: Callable[[], Any]) -> Any:
        """End the run with that of the agent."""
        try:
            result = await handler()
        except BaseException as error:
            self._run.left(error)
            raise
        await self._run.accepted()
        return result

    async def wrap_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, handler: Callable[..., Any]
    ) -> ModelResponse:
        """Replay a turn, or let the model answer."""
        return await self._run.model_turn(ctx, request_context, handler)

    # -- tool calls

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        """Wrap each toolset, to ask a pre-check right before the tool.

        All hooks and approvals are outside of it.
        """
        return toolset.visit_and_replace(lambda leaf: ConfirmingToolset(leaf, self._memory, self._run))

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        handler: Callable[..., Any],
    ) -> Any:
        """Take the result of a tool call, as the model gets it."""
        memory, call_id = self._memory, call.tool_call_id
        self._run.last_call = call_id
        if ctx.tool_call_approved and is_changed(call, ctx.messages):
            await self._run.note_changed(call_id)
        try:
            result = await handler(args)
        except (ApprovalRequired, CallDeferred, NotMadeError):
            raise
        except SkipToolExecution as skipped:
            await memory.adone(call_id, skipped.result)
            raise
        except BaseException as error:
            told = error.__cause__ if isinstance(error, ToolRetryError) else None
            await memory.adone(call_id, error=told or error)
            raise
        value = result
        if isinstance(result, ToolReturn):
            value = result.return_value
            self._run.note_further_content(result.content)
        await memory.adone(call_id, value)
        return result


@dataclass
class ConfirmingToolset(WrapperToolset[Any]):
    """A toolset whose replayed calls are checked again right before they are made.

    Attributes:
        memory: The memory of the adapter.
        run: The run of the agent.
    """

    memory: Memory
    run: AgentRun

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        """Make a call, or raise `NotMadeError` if the state has changed."""
        call_id = ctx.tool_call_id or ""
        if call_id in self.run.changed:
            return await super().call_tool(name, tool_args, ctx, tool)
        mark = self.run.marks.get(call_id)
        # Without instrumentation, the current span is one of the user.
        if mark is not None and any(isinstance(each, Instrumentation) for each in ctx.capabilities.values()):
            get_current_span().set_attributes(mark)
        if not await self.memory.aconfirm(call_id, approved=ctx.tool_call_approved):
            raise NotMadeError(self.memory.why_not(call_id))
        with self.memory.inside(call_id):
            return await super().call_tool(name, tool_args, ctx, tool)
