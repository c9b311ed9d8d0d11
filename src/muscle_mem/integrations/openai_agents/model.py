"""The model and the provider between the SDK's runner and the real ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import Any

from agents import Model, ModelProvider, ModelResponse, MultiProvider
from agents.tracing import get_current_span

from .._shared import Memory, ModelTurn
from .._shared.nesting import answering
from .answering import Said, events_of, items_of_answer, items_of_calls, response_of
from .ledger import HandedOut, ledger_of
from .reading import (
    REFUSED,
    arguments_of,
    is_guarded,
    may_be_retried,
    messages_of,
    request_of,
    why_left_alone,
)
from .validation import ensure_engine, ensure_model, ensure_provider, ensure_tools

Answer = Callable[..., Any] | str | None


class MuscleMemoryModel(Model):
    """A model whose turns are recorded, and replayed if the engine knows the task.

    Use it for an agent whose `model` is an object: such an agent bypasses the provider of the run.

    Args:
        model: The model to ask.
        engine: The engine.
        answer: The source of a hit's final answer: None or "auto", "model", or a function of the results.
        tools: The names of the tools of the agent; by default, those of each request.
        rejoin: Whether a stopped replay resumes after the model has made another call.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: `answer` has a value that is not allowed.
    """

    def __init__(
        self,
        model: Model,
        engine: Any,
        *,
        answer: Answer = None,
        tools: Sequence[str] | None = None,
        rejoin: bool = False,
    ) -> None:
        ensure_model("MuscleMemoryModel()", model)
        self._set(model, _memory("MuscleMemoryModel()", engine, answer, tools, rejoin))

    def _set(self, model: Model, memory: Memory) -> None:
        self._model: Model = model
        self._memory = memory
        self._ledger = ledger_of(memory.engine)

    def __getattr__(self, name: str) -> Any:
        if name == "_model":  # It is not there while the object is copied.
            raise AttributeError(name)
        return getattr(self._model, name)

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Return a replayed turn, or ask the model."""
        given = arguments_of(args, kwargs)
        turn = await self._turn(given, stream=False)
        items = self._replayed(turn, given)
        if items is not None:
            return response_of(items, turn.mark)
        try:
            with self._asking(turn):
                response = await self._model.get_response(*args, **kwargs)
        except BaseException as error:
            if not may_be_retried(given, error):
                turn.failed(error)
            raise
        await self._said(turn, given, response.output, response.usage)
        return response

    async def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Yield the events of a replayed turn, or those of the model."""
        given = arguments_of(args, kwargs)
        turn = await self._turn(given, stream=True)
        items = self._replayed(turn, given)
        if items is not None:
            for event in events_of(items, turn.mark, str(getattr(self._model, "model", "muscle_mem"))):
                yield event
            return
        done: list[Any] = []
        is_complete = False
        try:
            async with aclosing(self._model.stream_response(*args, **kwargs)) as events:  # type: ignore[type-var]
                while (event := await self._next_event(turn, events)) is not None:
                    if event.type == "response.output_item.done":
                        done.append(event.item)
                    elif event.type == "response.completed":  # Before the SDK makes the calls.
                        is_complete = True
                        await self._said(turn, given, event.response.output or done, event.response.usage)
                    yield event
        except BaseException as error:
            if not is_complete and not may_be_retried(given, error):
                turn.failed(error)
            raise
        if not is_complete:
            turn.failed(EOFError("the stream of the model ended without a response"))

    def _asking(self, turn: ModelTurn) -> AbstractContextManager[None]:
        """Return a block in which a wrapped client of the model does nothing.

        The request is recorded here.
        """
        return answering(self._memory.engine) if turn.kind == "ask" else nullcontext()

    async def _next_event(self, turn: ModelTurn, events: AsyncIterator[Any]) -> Any:
        """Return the next event of a stream, or None at its end."""
        with self._asking(turn):  # Around each event, as a stream shares its context with those who read it.
            return await anext(events, None)

    # -- the steps of a turn

    async def _turn(self, given: Mapping[str, Any], *, stream: bool) -> ModelTurn:
        """Return what to do about a request."""
        try:
            why = why_left_alone(given)
            if why:
                self._memory.leave_alone(why, [m.call_id for m in messages_of(given.get("input")) if m.call_id])
                return ModelTurn("pass")
            request = request_of(given, stream=stream)
            await self._note_refusals(request)
        except Exception as error:
            self._memory.steps_aside(error)
            return ModelTurn("pass")
        return await self._memory.aturn(request)

    async def _note_refusals(self, request: Any) -> None:
        """Report refused calls to the memory.

        A person or another guardrail refused them before the tool was entered.
        """
        for message in request.messages:
            call = self._ledger.take(message.call_id) if message.role == "tool" else None
            if call is None:
                continue
            call.leave()
            if message.text == REFUSED or (call.is_guarded and not call.was_entered):
                await call.memory.arefused(message.call_id, message.text)

    def _replayed(self, turn: ModelTurn, given: Mapping[str, Any]) -> list[Any] | None:
        """Return the output items of a replayed turn, or None if the model is to be asked."""
        try:
            if turn.kind == "replay":
                items = items_of_calls(turn.calls)
                self._note_calls(turn.calls, given, turn.mark)
                mark_turn(turn.mark)
                return items
            if turn.kind == "answer":
                items = items_of_answer(turn.answer, given.get("output_schema"))
                mark_turn(turn.mark)
                return items
        except Exception as error:
            self._memory.steps_aside(error)
        return None

    async def _said(self, turn: ModelTurn, given: Mapping[str, Any], output: Sequence[Any], usage: Any) -> None:
        """Report the response of the model to the memory."""
        if turn.kind != "ask":
            return
        try:
            said = Said(output, usage, str(getattr(self._model, "model", "")), given.get("output_schema"))
            self._note_calls(said.calls, given, {})
        except Exception as error:
            self._memory.steps_aside(error)
            turn.failed(error)
            return
        if said.problem:
            turn.failed(ValueError(said.problem))
        else:
            await turn.asaid(said.calls, said.answer, said.usage)

    def _note_calls(self, calls: Sequence[Any], given: Mapping[str, Any], mark: dict[str, Any]) -> None:
        tools = {tool.name: tool for tool in given.get("tools") or ()}
        for place, call in enumerate(calls):
            tool = tools.get(call.name)
            asks = getattr(tool, "needs_approval", False) is True
            own_mark = {**mark, "step": mark["step"] + place} if mark else mark
            handed_out = HandedOut(self._memory, own_mark, is_guarded=is_guarded(tool), needs_approval=asks)
            self._ledger.note(call.id, handed_out)

    # -- the rest of a model

    async def close(self) -> None:
        """Close the model."""
        await self._model.close()

    def get_retry_advice(self, request: Any) -> Any:
        """Return what the model advises after an error."""
        return self._model.get_retry_advice(request)

    async def _cleanup_on_run_end(self, owner: object) -> None:
        await self._model._cleanup_on_run_end(owner)


class MuscleMemoryProvider(ModelProvider):
    """A provider whose models are recorded, and replayed if the engine knows the task.

    Pass it as `RunConfig(model_provider=MuscleMemoryProvider(engine))`. It serves all agents of a run, including those
    behind hand-offs and those used as tools. If the `model` of an agent is an object, wrap the object in
    MuscleMemoryModel.

    Args:
        engine: The engine.
        provider: The provider of the real models. By default, the SDK's own.
        answer: The source of a hit's final answer: None or "auto", "model", or a function of the results.
        tools: The names of the tools of the agents; by default, those of each request.
        rejoin: Whether a stopped replay resumes after the model has made another call.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: `answer` has a value that is not allowed.
    """

    def __init__(
        self,
        engine: Any,
        provider: ModelProvider | None = None,
        *,
        answer: Answer = None,
        tools: Sequence[str] | None = None,
        rejoin: bool = False,
    ) -> None:
        ensure_provider("MuscleMemoryProvider()", provider)
        self._provider = provider if provider is not None else MultiProvider()
        self._memory = _memory("MuscleMemoryProvider()", engine, answer, tools, rejoin)

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of a name, with the memory before it."""
        found = MuscleMemoryModel.__new__(MuscleMemoryModel)
        found._set(self._provider.get_model(model_name), self._memory)
        return found

    async def aclose(self) -> None:
        """Close the provider of the real models."""
        close = getattr(self._provider, "aclose", None)
        if close is not None:
            await close()


def _memory(doing: str, engine: Any, answer: Answer, tools: Sequence[str] | None, rejoin: bool) -> Memory:
    ensure_engine(doing, engine)
    ensure_tools(doing, tools)
    return Memory(engine, framework="openai-agents", answer=answer, tools=tools, rejoin=rejoin, confirms=False)


def mark_turn(mark: Mapping[str, Any]) -> None:
    """Mark the SDK's span of a replayed turn or agent for trace processors."""
    span_data: Any = getattr(get_current_span(), "span_data", None)
    if hasattr(span_data, "metadata"):
        span_data.metadata = {**(span_data.metadata or {}), **mark}
