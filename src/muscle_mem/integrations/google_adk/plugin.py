"""The plugin around the model turns and tool calls of all agents of a runner."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

import msgspec

from .._shared import Memory, ModelCall, ModelTurn, Usage
from .._shared.memory import MEANT_FOR_THE_USER
from .framework import BasePlugin, LlmResponse, types
from .messages import (
    OWN_PREFIX,
    declarations_of,
    id_of,
    parts_of_calls,
    replayed_response,
    text_of,
    text_of_answer,
    to_request,
    usage_of,
)

MAX_OPEN: Final = 4_000
ENDS_RUN: Final = ("transfer_to_agent", "set_model_response")
"""Tools of ADK after which the agent's part of the run is over."""

Place = tuple[str, str, str]


class Asked(msgspec.Struct, eq=False):
    """A turn for which the model is asked.

    Attributes:
        turn: The turn.
        waiting: The names of the tools whose results come later.
    """

    turn: ModelTurn
    waiting: set[str]


class Pending(msgspec.Struct, eq=False):
    """A text of the model that is the final answer if the agent ends.

    Attributes:
        turn: The turn that it answers.
        text: The text so far.
        usage: The usage of its response.
    """

    turn: ModelTurn
    text: str
    usage: Usage


class Bounded(OrderedDict[Any, Any]):
    """A table that forgets its oldest entry when it is full."""

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        if len(self) > MAX_OPEN:
            self.popitem(last=False)


class MuscleMemoryPlugin(BasePlugin):
    """Plugin that records and replays the tool calls of the agents of an ADK runner.

    Add it to the app, `App(..., plugins=[MuscleMemoryPlugin(engine)])`. On a hit, the runner makes the recorded tool
    calls without the model, with the confirmations, callbacks and events of the framework. Each agent of a run has a
    separate recording, which ends where it hands over to another agent.

    Args:
        engine: The engine that records and replays.
        answer: The source of a hit's final answer. None or "auto": the recorded answer if this run's results equal the
            recorded ones, otherwise the model. "model": always the model. Or a function of this run's results.
        tools: The names of the tools that may be replayed. By default, all tools of the request.
        rejoin: Whether a stopped replay resumes after the model has made another call.
        name: The name of the plugin in the runner.
    """

    __module__ = "muscle_mem.integrations.google_adk"

    def __init__(
        self,
        engine: Any,
        *,
        answer: Any = None,
        tools: Sequence[str] | None = None,
        rejoin: bool = False,
        name: str = "muscle_mem",
    ) -> None:
        super().__init__(name)
        self._memory = Memory(engine, framework="google-adk", answer=answer, tools=tools, rejoin=rejoin)
        self._turns = Bounded()
        self._pending = Bounded()
        self._blocks = Bounded()
        self._unmade = Bounded()

    # -- model turns

    async def before_model_callback(self, *, callback_context: Any, llm_request: Any) -> LlmResponse | None:
        """Replay a turn of the model, or let the model answer."""
        try:
            return await self._before_model(callback_context, llm_request)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error)
            return None

    async def _before_model(self, context: Any, request: Any) -> LlmResponse | None:
        place = place_of(context)
        await self._accept(place)
        self._turns.pop(place, None)
        why = why_left_alone(context, request)
        if why:
            self._memory.leave_alone(why)
            return None
        turn = await self._memory.aturn(to_request(request, context.session.events, context.agent_name))
        if turn.kind == "replay":
            return replayed_response(parts_of_calls(turn.calls), turn.mark)
        if turn.kind == "answer":
            return replayed_response([types.Part(text=text_of_answer(turn.answer))], turn.mark)
        if turn.kind == "ask":
            self._turns[place] = Asked(
                turn, {name for name, tool in request.tools_dict.items() if tool.is_long_running}
            )
        return None

    async def after_model_callback(self, *, callback_context: Any, llm_response: LlmResponse) -> LlmResponse | None:
        """Take what the model said."""
        place = place_of(callback_context)
        asked: Asked | None = self._turns.get(place)
        if asked is None or llm_response.partial:
            return None
        try:
            await self._heard(place, asked, llm_response)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._turns.pop(place, None)
            asked.turn.failed(error)
            self._memory.steps_aside(error, "reading a response of the model")
        return None

    async def _heard(self, place: Place, asked: Asked, response: LlmResponse) -> None:
        turn = asked.turn
        parts = (response.content.parts if response.content else None) or []
        if response.error_code is not None and not parts:
            self._forget(place)
            turn.failed(RuntimeError(f"the model answered with the error {response.error_code}"))
            return
        if any(part.executable_code or part.code_execution_result for part in parts):
            turn.unlearnable("the model ran code, which is not a tool call")
        calls = [self._call_of(part.function_call) for part in parts if part.function_call]
        earlier: Pending | None = self._pending.pop(place, None)
        if calls:
            self._turns.pop(place, None)
            waiting = sorted(asked.waiting & {call.name for call in calls})
            if waiting:
                turn.unlearnable(f"the results of long-running tools come later ({', '.join(waiting)})")
            await turn.asaid(calls, None, usage_of(response))
        else:
            text = text_of(parts) if earlier is None else earlier.text + text_of(parts)
            self._pending[place] = Pending(turn, text, usage_of(response))

    def _call_of(self, call: Any) -> ModelCall:
        """Translate a call of the model, which gets an id if it has none."""
        call.id = call.id or f"{OWN_PREFIX}{uuid.uuid4()}"
        return ModelCall(id_of(call.id), call.name, dict(call.args or {}))

    async def _accept(self, place: Place) -> None:
        """Report the final answer of an agent, if there is one."""
        pending: Pending | None = self._pending.pop(place, None)
        if pending is not None:
            self._turns.pop(place, None)
            await pending.turn.asaid((), pending.text, pending.usage)

    def _forget(self, place: Place) -> None:
        self._turns.pop(place, None)
        self._pending.pop(place, None)

    async def after_agent_callback(self, *, agent: Any, callback_context: Any) -> None:
        """Report the final answer of an agent."""
        try:
            await self._accept(place_of(callback_context))
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error, "the end of an agent")

    async def on_model_error_callback(self, *, callback_context: Any, llm_request: Any, error: Exception) -> None:
        """Close the run of a model call that failed."""
        place = place_of(callback_context)
        asked: Asked | None = self._turns.get(place)
        self._forget(place)
        if asked is not None:
            asked.turn.failed(error)

    async def on_run_error_callback(self, *, invocation_context: Any, error: Exception) -> None:
        """Close the runs of an invocation that failed."""
        invocation = invocation_context.invocation_id
        for place in [place for place in self._turns if place[0] == invocation]:
            asked: Asked = self._turns[place]
            self._forget(place)
            asked.turn.failed(error)

    # -- tool calls

    async def before_tool_callback(self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any) -> Any:
        """Ask the pre-check of a call right before the tool, and enter the run."""
        call_id = id_of(tool_context.function_call_id)
        confirmation = tool_context.tool_confirmation
        try:
            if confirmation is not None and not confirmation.confirmed:
                await self._memory.arefused(call_id, "a person refused it")
                return None
            if not await self._memory.aconfirm(call_id, approved=confirmation is not None):
                self._unmade[call_id] = True
                return {"error": self._memory.why_not(call_id)}
            block = ExitStack()
            block.enter_context(self._memory.inside(call_id))
            self._blocks[call_id] = block
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error, "a tool call")
        return None

    async def after_tool_callback(
        self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any, result: Any
    ) -> None:
        """Take the result of a call, as the model gets it."""
        call_id = id_of(tool_context.function_call_id)
        try:
            self._leave(call_id)
            if self._unmade.pop(call_id, None) or is_waiting(tool_context):
                return
            await self._memory.adone(call_id, result)
            actions = tool_context.actions
            if tool.name in ENDS_RUN or actions.skip_summarization or actions.escalate or actions.transfer_to_agent:
                await self._memory.afinish(call_id, result)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error, "the result of a tool")

    async def on_tool_error_callback(
        self, *, tool: Any, tool_args: dict[str, Any], tool_context: Any, error: BaseException
    ) -> None:
        """Take the error of a call."""
        call_id = id_of(tool_context.function_call_id)
        try:
            self._leave(call_id)
            await self._memory.adone(call_id, error=error)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as problem:
            self._memory.steps_aside(problem, "the error of a tool")

    def _leave(self, call_id: str) -> None:
        block: ExitStack | None = self._blocks.pop(call_id, None)
        if block is not None:
            block.close()


def place_of(context: Any) -> Place:
    """Return where a callback stands: the invocation, the branch and the agent."""
    invocation = context._invocation_context
    return invocation.invocation_id, invocation.branch or "", context.agent_name


def is_waiting(tool_context: Any) -> bool:
    """Return whether a call waits for a person, to confirm it or to log in."""
    actions, confirmation = tool_context.actions, tool_context.tool_confirmation
    return bool(actions.requested_auth_configs or (actions.requested_tool_confirmations and confirmation is None))


def why_left_alone(context: Any, request: Any) -> str:
    """Return why a request is the model's alone, or an empty text."""
    invocation = context._invocation_context
    if invocation.live_request_queue is not None or getattr(invocation.run_config, "support_cfc", False):
        return "the agent is live, with a model that listens and speaks at the same time"
    if getattr(invocation.agent, "code_executor", None) is not None:
        return "the agent runs code that the model writes, which is not a tool call"
    if request.previous_interaction_id:
        return "the history is kept at the provider, which would not see a replay"
    offered = {declaration.name for declaration in declarations_of(request)}
    native = [name for name in request.tools_dict if name not in offered]
    if native or any(not getattr(tool, "function_declarations", None) for tool in request.config.tools or ()):
        return "the agent has tools that the provider runs, which cannot be replayed"
    return ""
