"""The middleware around the model turns and tool calls of an agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from langchain.agents.middleware.types import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp
from langgraph.types import Command

from ..._session import hosted
from .._shared import Memory, ModelCall, ModelTurn
from .._shared import ModelRequest as NeutralRequest
from .._shared.nesting import answering
from .answers import AnswerForm, AnswerForms, Said, replayed_message
from .calls import ANSWERED, AddedMessages, Attempt, Bounded, Ending, OpenCall, Report
from .messages import key_of_call, results_behind, split_content, to_messages, usage_of
from .offers import Offers
from .surroundings import agent_name, reason_to_pass
from .watching import Watch

if TYPE_CHECKING:
    from langgraph.prebuilt.tool_node import ToolCallRequest

Returned: TypeAlias = "ToolMessage | Command[Any]"
BEHIND: Final = (
    "middleware after MuscleMemoryMiddleware changed the {what} of a request, so the task would lack it. List "
    "MuscleMemoryMiddleware after that middleware"
)
UNREADABLE: Final = "the result of the call could not be read"
MAX_OPEN: Final = 4_000
MAX_RETRIED: Final = 1_000


class Plan(msgspec.Struct, eq=False):
    """What is known of a model request before the room is asked.

    Attributes:
        request: The request in the form of the room.
        form: The form of the final answer.
        agent: The name of the agent.
        turn: The turn that the request goes on with, since the framework gave the typed answer back to the model.
        refusals: Calls that were answered without being made, each with the text of the answer.
    """

    request: NeutralRequest
    form: AnswerForm
    agent: str | None
    turn: ModelTurn | None
    refusals: list[tuple[str, str]]


class MuscleMemoryMiddleware(AgentMiddleware[Any, Any]):
    """Middleware that records and replays the tool calls of an agent.

    Pass it in `create_agent(..., middleware=[...])`: after middleware that writes instructions or messages, such as
    `dynamic_prompt`, and before middleware that asks a person or changes tool calls, such as
    `HumanInTheLoopMiddleware`.

    Args:
        engine: The engine that records and replays.
        answer: The source of a hit's final answer: "auto" (the default), "model", or a function that gets the results
            of the run.
        tools: The names of the tools that the agent has. By default, those of each request.
        rejoin: Whether a stopped replay resumes after the model has made another call.
    """

    __module__ = "muscle_mem.integrations.langchain"

    def __init__(
        self, engine: Any, *, answer: Any = None, tools: Sequence[str] | None = None, rejoin: bool = False
    ) -> None:
        super().__init__()
        self._memory = Memory(engine, framework="langchain", answer=answer, tools=tools, rejoin=rejoin)
        self._offers = Offers()
        self._forms = AnswerForms()
        self._open: Bounded[OpenCall] = Bounded(MAX_OPEN)
        self._retried: Bounded[ModelTurn] = Bounded(MAX_RETRIED)
        self._added = AddedMessages()
        name = hosted.engine_name(engine)
        self._name = f"MuscleMemoryMiddleware[{name}]" if name else "MuscleMemoryMiddleware"

    @property
    def name(self) -> str:
        """The name in traces, with that of the engine if it has one."""
        return self._name

    # -- model turns

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Replay a turn of the model, or call it and take what it says."""
        plan = self._plan(request)
        if plan is None:
            return handler(request)
        for call_id, why in plan.refusals:
            self._memory.refused(call_id, why)
        turn = plan.turn or self._memory.turn(plan.request)
        replayed = self._replayed(turn, plan, request)
        if replayed is not None:
            return replayed
        watch = Watch(request)
        try:
            with answering(self._memory.engine):
                response = handler(watch.request)
        except GraphBubbleUp:  # The model node runs again when the graph is resumed.
            raise
        except BaseException as error:
            turn.failed(error)
            raise
        said = self._heard(turn, plan, watch, response)
        if said is not None:
            turn.said(said.calls, said.answer, usage_of(said.message))
        return response

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any]:
        """Replay a turn of the model, or call it and take what it says."""
        plan = self._plan(request)
        if plan is None:
            return await handler(request)
        for call_id, why in plan.refusals:
            await self._memory.arefused(call_id, why)
        turn = plan.turn or await self._memory.aturn(plan.request)
        replayed = self._replayed(turn, plan, request)
        if replayed is not None:
            return replayed
        watch = Watch(request)
        try:
            with answering(self._memory.engine):
                response = await handler(watch.request)
        except GraphBubbleUp:
            raise
        except BaseException as error:
            turn.failed(error)
            raise
        said = self._heard(turn, plan, watch, response)
        if said is not None:
            await turn.asaid(said.calls, said.answer, usage_of(said.message))
        return response

    def _plan(self, request: ModelRequest[Any]) -> Plan | None:
        """Translate a request; None if it is left alone."""
        try:
            results = results_behind(request.messages)
            offers, hosted_tool = self._offers.translate(request.tools)
            why = reason_to_pass(request, hosted_tool)
            if why:
                self._memory.leave_alone(why, [call_id for call_id, _ in results])
                return None
            form, agent = self._forms.of(request.response_format), agent_name()
            neutral = NeutralRequest(
                to_messages(request.messages, self._added),
                offers,
                agent_name=agent or "",
                instructions=str(request.system_prompt or ""),
                answer_schema=form.schema,
            )
            turns = [self._retried.take(call_id) for call_id, _ in results]
            turn = next((turn for turn in turns if turn is not None), None)
            return Plan(neutral, form, agent, turn, self._answered_elsewhere(results))
        except Exception as error:
            self._memory.steps_aside(error)
            return None

    def _answered_elsewhere(self, results: Sequence[tuple[str, ToolMessage]]) -> list[tuple[str, str]]:
        """Return the open calls that have a result, although they never reached the tool."""
        found = []
        for call_id, message in results:
            if self._open.take(call_id) is None:
                continue
            self._memory.unlearnable(call_id, ANSWERED)
            found.append((call_id, split_content(message.content)[0]))
        return found

    def _replayed(self, turn: ModelTurn, plan: Plan, request: ModelRequest[Any]) -> ModelResponse[Any] | None:
        """Return the response that a turn gives without the model, or None."""
        if turn.kind == "replay":
            self._note_open(turn.calls, turn.mark, self._ending(turn.calls, request))
            return ModelResponse(result=[replayed_message("", turn.calls, agent=plan.agent, mark=turn.mark)])
        if turn.kind == "answer":
            try:
                return plan.form.write(turn.answer, agent=plan.agent, mark=turn.mark)
            except Exception as error:
                self._memory.steps_aside(error, "making the answer of a hit")
        return None

    def _heard(self, turn: ModelTurn, plan: Plan, watch: Watch, response: ModelResponse[Any]) -> Said | None:
        """Return what the model said, or None if the framework asks it again."""
        if turn.kind != "ask":
            return None
        try:
            what = watch.unseen_change()
            if what:
                turn.unlearnable(BEHIND.format(what=what))
            said = plan.form.read(response)
            for call_id in said.retried:
                self._retried.add(call_id, turn)
            if said.retried and not said.calls:
                return None
            ending = self._ending(said.calls, watch.request)
            if said.calls and said.is_typed:
                ending = Ending([call.id for call in said.calls], said.answer)
            self._note_open(said.calls, None, ending)
            return said
        except Exception as error:
            self._memory.steps_aside(error, "reading a response of the model")
            turn.failed(error)
            return None

    def _note_open(self, calls: Sequence[ModelCall], mark: dict[str, Any] | None, ending: Ending | None) -> None:
        """Keep the calls of a turn, whose mark has the index of its first step."""
        for place, call in enumerate(calls):
            own = None if mark is None else {**mark, "step": mark["step"] + place}
            self._open.add(call.id, OpenCall(call.name, call.arguments, own, ending))

    def _ending(self, calls: Sequence[ModelCall], request: ModelRequest[Any]) -> Ending | None:
        """Return the end of a run whose turn calls only tools that return directly."""
        direct = {tool.name for tool in request.tools if isinstance(tool, BaseTool) and tool.return_direct}
        return Ending([call.id for call in calls]) if calls and direct.issuperset(call.name for call in calls) else None

    # -- tool calls

    def wrap_tool_call(self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Returned]) -> Returned:
        """Make a tool call of the run if its pre-check still passes, and take its result."""
        call_id = key_of_call(request.state, request.tool_call["id"])
        call = self._open.get(call_id)
        if call is None:
            return handler(request)
        attempt = self._attempt(call_id, call, request)
        if not attempt.is_watched and not self._memory.confirm(call_id):
            self._open.take(call_id)
            return attempt.refusal()
        try:
            with nullcontext() if attempt.is_watched else self._memory.inside(call_id):
                returned = handler(attempt.request)
        except GraphBubbleUp:  # The tool node runs again when the graph is resumed.
            call.was_interrupted = True
            raise
        except BaseException as error:
            self._open.take(call_id)
            self._memory.done(call_id, error=error)
            raise
        self._open.take(call_id)
        report = self._report(attempt, returned)
        if report.refusal is not None:
            self._memory.refused(call_id, report.refusal)
        elif report.is_done:
            self._memory.done(call_id, report.content, error=report.error)
            if report.ends_run:
                self._memory.finish(call_id, report.answer)
        return returned

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Returned]]
    ) -> Returned:
        """Make a tool call of the run if its pre-check still passes, and take its result."""
        call_id = key_of_call(request.state, request.tool_call["id"])
        call = self._open.get(call_id)
        if call is None:
            return await handler(request)
        attempt = self._attempt(call_id, call, request)
        if not attempt.is_watched and not await self._memory.aconfirm(call_id):
            self._open.take(call_id)
            return attempt.refusal()
        try:
            with nullcontext() if attempt.is_watched else self._memory.inside(call_id):
                returned = await handler(attempt.request)
        except GraphBubbleUp:
            call.was_interrupted = True
            raise
        except BaseException as error:
            self._open.take(call_id)
            await self._memory.adone(call_id, error=error)
            raise
        self._open.take(call_id)
        report = self._report(attempt, returned)
        if report.refusal is not None:
            await self._memory.arefused(call_id, report.refusal)
        elif report.is_done:
            await self._memory.adone(call_id, report.content, error=report.error)
            if report.ends_run:
                await self._memory.afinish(call_id, report.answer)
        return returned

    def _attempt(self, call_id: str, call: OpenCall, request: ToolCallRequest) -> Attempt:
        attempt = Attempt(self._memory, call_id, call, request)
        try:
            attempt.watch()
        except Exception as error:  # A tool that cannot be copied, or whose schema cannot be made.
            self._memory.steps_aside(error, "watching a tool call")
        return attempt

    def _report(self, attempt: Attempt, returned: Any) -> Report:
        """Return what the room has to know about a tool call."""
        try:
            self._added.note(returned)
            return attempt.report(returned)
        except Exception as error:
            self._memory.steps_aside(error, "reading the result of a tool")
            self._memory.unlearnable(attempt.id, UNREADABLE)
            return Report(refusal=UNREADABLE)
