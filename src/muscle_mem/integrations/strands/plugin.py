"""The plugin: a memory in front of an agent's model, and around its tools."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

from .._shared import CallFailedError, Memory
from .._shared.memory import MEANT_FOR_THE_USER
from .framework import AfterToolCallEvent, BeforeToolCallEvent, Plugin
from .messages import content_of
from .model import RememberingModel

MAX_OPEN: Final = 4_000
TYPED_ANSWER: Final = "StructuredOutputTool"
"""The tool by which an agent gives a typed answer; after it, the run is over."""


class MuscleMemoryPlugin(Plugin):
    """Plugin that records and replays the tool calls of a Strands agent.

    Add it to the agent, `Agent(..., plugins=[MuscleMemoryPlugin(engine)])`, after plugins that change its model. On a
    hit, the agent's loop makes the recorded tool calls without the model, with the hooks, interrupts and streaming of
    the framework.

    Args:
        engine: The engine that records and replays.
        answer: The source of a hit's final answer. None or "auto": the recorded answer if this run's results equal the
            recorded ones, otherwise the model. "model": always the model. Or a function of this run's results.
        tools: The names of the tools that may be replayed. By default, all tools of the request.
        rejoin: Whether a stopped replay resumes after the model has made another call.
    """

    __module__ = "muscle_mem.integrations.strands"

    def __init__(
        self, engine: Any, *, answer: Any = None, tools: Sequence[str] | None = None, rejoin: bool = False
    ) -> None:
        super().__init__()
        self._memory = Memory(engine, framework="strands", answer=answer, tools=tools, rejoin=rejoin)
        self._blocks: OrderedDict[str, ExitStack] = OrderedDict()
        self._unmade: OrderedDict[str, str] = OrderedDict()

    @property
    def name(self) -> str:
        """The name of the plugin."""
        return "muscle-mem"

    def init_agent(self, agent: Any) -> None:
        """Put the memory in front of the agent's model, and around its tools."""
        agent.model = RememberingModel(agent.model, agent, self._memory)
        agent.add_hook(self._before_tool, BeforeToolCallEvent)
        agent.add_hook(self._after_tool, AfterToolCallEvent)

    async def _before_tool(self, event: BeforeToolCallEvent) -> None:
        """Ask the pre-check of a call right before the tool, and enter the run."""
        call_id = event.tool_use["toolUseId"]
        try:
            self._leave(call_id)
            if event.cancel_tool:
                return
            if not await self._memory.aconfirm(call_id):
                why = self._memory.why_not(call_id)
                self._unmade[call_id] = why
                _bound(self._unmade)
                event.cancel_tool = why
                return
            block = ExitStack()
            block.enter_context(self._memory.inside(call_id))
            self._blocks[call_id] = block
            _bound(self._blocks)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error, "a tool call")

    async def _after_tool(self, event: AfterToolCallEvent) -> None:
        """Take the result of a call, as the model gets it."""
        call_id = event.tool_use["toolUseId"]
        try:
            self._leave(call_id)
            if event.retry or self._unmade.pop(call_id, None) is not None:
                return
            if event.cancel_message is not None:
                await self._memory.arefused(call_id, event.cancel_message)
                return
            content = content_of(event.result["content"])
            if event.result.get("status") == "error":
                await self._memory.adone(call_id, error=event.exception or CallFailedError(str(content)))
                return
            await self._memory.adone(call_id, content)
            if type(event.selected_tool).__name__ == TYPED_ANSWER:
                await self._memory.afinish(call_id, event.tool_use["input"])
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error, "the result of a tool")

    def _leave(self, call_id: str) -> None:
        block = self._blocks.pop(call_id, None)
        if block is not None:
            block.close()


def _bound(table: OrderedDict[str, Any]) -> None:
    """Forget the oldest entry of a table that is full."""
    if len(table) > MAX_OPEN:
        table.popitem(last=False)
