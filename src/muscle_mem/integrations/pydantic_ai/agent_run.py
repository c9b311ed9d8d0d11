"""One run of an agent: its model turns, and its final answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .._shared import CallNotMadeError, Memory, ModelTurn, Usage
from .._shared.memory import MEANT_FOR_THE_USER
from .._shared.nesting import answering, is_answering
from .._shared.turns import call_failed
from .framework import (
    ModelRequestContext,
    ModelResponse,
    ModelRetry,
    RunContext,
    SkipModelRequest,
    ToolCallPart,
)
from .messages import (
    answer_of,
    answer_parts,
    calls_of,
    replayed_response,
    to_request,
    trailing,
    usage_of,
)

SERVER_HISTORY = ("previous_response_id", "conversation_id")
NO_USAGE = Usage()


class Answer(msgspec.Struct, frozen=True, eq=False):
    """A final answer of the model that the framework has yet to accept.

    Attributes:
        turn: The turn that it answers.
        value: The answer in the form in which it is stored.
        usage: The usage of the responses that were made for it.
        beside_calls: The id of a tool call of the same response, which is made before the run ends; else "".
    """

    turn: ModelTurn
    value: Any
    usage: Usage
    beside_calls: str = ""


class AgentRun:
    """What the capability keeps for one run of an agent.

    Attributes:
        changed: The ids of the calls whose arguments a person changed.
        last_call: The id of the call that reached a tool last, or "".
        marks: The span attributes of the replayed calls, by id.
    """

    def __init__(self, memory: Memory) -> None:
        self.changed: set[str] = set()
        self.last_call = ""
        self.marks: dict[str, dict[str, Any]] = {}
        self._memory = memory
        self._turn: ModelTurn | None = None
        self._answer: Answer | None = None
        self._further: list[Any] = []

    # -- model turns

    async def model_turn(
        self, ctx: RunContext[Any], request: ModelRequestContext, handler: Callable[..., Any]
    ) -> ModelResponse:
        """Return the replayed response of a turn, or that of the model."""
        if is_answering(self._memory.engine):
            return await handler(request)
        turn, made = None, None
        try:
            turn, made = await self._begin_turn(ctx, request)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error)
        if made is not None:
            return made
        with answering(self._memory.engine):
            if turn is None:
                return await handler(request)
            return await self._ask(turn, ctx, request, handler)

    async def _begin_turn(
        self, ctx: RunContext[Any], request: ModelRequestContext
    ) -> tuple[ModelTurn | None, ModelResponse | None]:
        """Return the turn for which the model is asked, or the replayed response.

        Both are None if the request is not ours.
        """
        why = why_left_alone(request)
        if why:
            self._memory.leave_alone(why)
            return None, None
        if self._answer is not None and not self._answer.beside_calls:
            return self._answer.turn, None  # The framework has rejected the answer, and asks again.
        await self._report_unmade(request)
        turn = await self._memory.aturn(to_request(ctx, request, self.is_of_framework))
        self._turn = turn
        if turn.kind == "replay":
            attributes = {"muscle_mem.replayed": True, "muscle_mem.step": turn.mark["step"]}
            attributes["muscle_mem.trajectory.id"] = turn.mark["trajectory_id"] or ""
            self.marks.update(dict.fromkeys((call.id for call in turn.calls), attributes))
            parts = [ToolCallPart(call.name, call.arguments, call.id) for call in turn.calls]
            return None, replayed_response(parts, turn.mark)
        if turn.kind == "answer":
            return None, replayed_response(answer_parts(turn.answer, request.model_request_parameters), turn.mark)
        return turn if turn.kind == "ask" else None, None

    async def _ask(
        self, turn: ModelTurn, ctx: RunContext[Any], request: ModelRequestContext, handler: Callable[..., Any]
    ) -> ModelResponse:
        """Let the model answer, and take what it said."""
        earlier, self._answer = self._answer, None
        usage = NO_USAGE if earlier is None else earlier.usage
        try:
            response: ModelResponse = await handler(request)
        except SkipModelRequest as skipped:
            await self._take(turn, ctx, request, skipped.response, usage)
            raise
        except ModelRetry:
            self._answer = Answer(turn, None, usage)  # The same turn is asked again.
            raise
        except BaseException as error:
            turn.failed(error)
            raise
        await self._take(turn, ctx, request, response, usage)
        return response

    async def _take(
        self,
        turn: ModelTurn,
        ctx: RunContext[Any],
        request: ModelRequestContext,
        response: ModelResponse,
        earlier: Usage,
    ) -> None:
        """Report the calls of a response.

        A final answer is reported when the framework has accepted it.
        """
        try:
            output_tools = request.model_request_parameters.output_tools
            usage = plus(earlier, usage_of(response))
            calls = calls_of(response, [tool.name for tool in output_tools])
            has_answer, answer = answer_of(response, output_tools)
            typed = has_answer and bool(output_tools) and not isinstance(answer, str)
            if calls and not (typed and ctx.agent is not None and ctx.agent.end_strategy == "early"):
                await turn.asaid(calls, None, usage)
                if typed:
                    self._answer = Answer(turn, answer, NO_USAGE, beside_calls=calls[0].id)
            else:
                self._answer = Answer(turn, answer, usage)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error)
            turn.failed(error)

    async def _report_unmade(self, request: ModelRequestContext) -> None:
        """Report the calls that a person refused, or that the framework did not make."""
        external = {tool.name for tool in request.model_request_parameters.function_tools if tool.kind == "external"}
        part: Any
        for message in trailing(request.messages):
            for part in message.parts if message.kind == "request" else ():
                call_id = getattr(part, "tool_call_id", None)
                outcome = "retried" if part.part_kind == "retry-prompt" else getattr(part, "outcome", "success")
                if call_id is not None and outcome == "denied":
                    await self._memory.arefused(call_id, str(part.content))
                elif call_id is not None and outcome == "retried" and part.tool_name not in external:
                    # A call that was made has its result already; this one had arguments that do not fit.
                    await self._memory.adone(call_id, error=CallNotMadeError(why_not_made(part)))

    async def note_changed(self, call_id: str) -> None:
        """Note that a person changed the arguments of a call.

        It is then not that of a recording.
        """
        self.changed.add(call_id)
        self._memory.unlearnable(call_id, "a person changed the arguments of a call")
        await self._memory.arefused(call_id, "a person changed its arguments")

    # -- what tools return beside their result

    def note_further_content(self, content: Any) -> None:
        """Note what a tool returned beside its result.

        The framework writes it as a user's message.
        """
        if content:
            self._further.append(content)

    def is_of_framework(self, part: Any) -> bool:
        """Return whether the framework wrote a user's part, from what a tool returned."""
        return any(part.content is each for each in self._further)

    # -- the end

    async def accepted(self) -> None:
        """Report the final answer, which the framework has accepted."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        try:
            if answer.beside_calls:
                await self._memory.afinish(answer.beside_calls, answer.value)
            else:
                await answer.turn.asaid((), answer.value, answer.usage)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error, "the end of a run")

    def left(self, error: BaseException) -> None:
        """Close the run, since that of the agent has failed or was cancelled."""
        self._answer = None
        if self._turn is not None:
            self._turn.failed(error)
        elif self.last_call:
            call_failed(self._memory, self.last_call, error)  # It was resumed, and has not come to a model turn.


def why_not_made(part: Any) -> str:
    """Return what the framework says to the model in place of a result."""
    if part.part_kind == "retry-prompt":
        return str(part.model_response())
    return str(part.model_response_str())


def plus(one: Usage, other: Usage) -> Usage:
    """Return the usage of two responses together."""
    return Usage(one.input + other.input, one.output + other.output, one.cached + other.cached, other.model)


def why_left_alone(request: ModelRequestContext) -> str:
    """Return why a request is the model's alone, or an empty text."""
    if request.model_request_parameters.native_tools:
        return "the agent has native tools, which the provider runs and which cannot be replayed"
    for name, value in (request.model_settings or {}).items():
        if value and name.endswith(SERVER_HISTORY):
            return f"the model setting {name!r} keeps the history at the provider, which would not see a replay"
    return ""
