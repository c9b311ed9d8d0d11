"""A framework without a name: a loop over messages, as adapters see it, with a model that is a script."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from muscle_mem import Engine
from muscle_mem.events import NoticeEvent
from muscle_mem.integrations._shared import (
    Memory,
    Message,
    ModelCall,
    ModelRequest,
    ModelTurn,
    ToolOffer,
    Usage,
)

Script = list[Any]
"""What the model says, turn by turn: a list of (tool, arguments), or its final answer."""

_ids = itertools.count()


class ModelFailedError(Exception):
    """Raised by the model where its script says so."""


class Toy:
    """An agent with tools, a model, and one adapter.

    Attributes:
        asked: The requests that reached the model.
        made: The tool calls that were made, as (name, arguments).
        tools: The functions of the tools, by the name that the model knows.
    """

    def __init__(self, engine: Engine | None = None, *, hooks: bool = False, **options: Any) -> None:
        self.notices: list[NoticeEvent] = []
        self.engine = Engine(observers=self.observe) if engine is None else engine
        self.memory = Memory(self.engine, framework="toy", confirms=hooks, **options)
        self.has_hooks = hooks
        self.asked: list[ModelRequest] = []
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.tools: dict[str, Callable[..., Any]] = {}
        self.script: Script = []
        self.usage = Usage(10, 5)
        self.turns: list[ModelTurn] = []
        self.before_call: Callable[[ModelCall], Any] = lambda call: None

    def observe(self, event: Any) -> None:
        if isinstance(event, NoticeEvent):
            self.notices.append(event)

    def told(self, code: str) -> list[str]:
        return [notice.message for notice in self.notices if notice.code == code]

    # -- one request

    def request(self, messages: Iterable[Message], **more: Any) -> ModelRequest:
        offers = [ToolOffer(name, schema=None, fn=fn) for name, fn in self.tools.items()]
        return ModelRequest(list(messages), more.pop("offers", offers), **more)

    def answer(self, request: ModelRequest) -> tuple[tuple[ModelCall, ...], Any]:
        self.asked.append(request)
        said = self.script.pop(0)
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, list):
            return tuple(ModelCall(f"own_{next(_ids)}", name, arguments) for name, arguments in said), None
        return (), said

    def after(self, turn: ModelTurn, request: ModelRequest) -> tuple[tuple[ModelCall, ...], Any]:
        """Return the calls and the answer of a turn, and report what the model said."""
        self.turns.append(turn)
        if turn.kind == "replay":
            return turn.calls, None
        if turn.kind == "answer":
            return (), turn.answer
        try:
            calls, answer = self.answer(request)
        except ModelFailedError as error:
            turn.failed(error)
            raise
        return calls, answer

    # -- the loop

    def run(self, messages: str | list[Message], **more: Any) -> Any:
        """Run the agent to its answer; return it."""
        history = [Message("user", messages)] if isinstance(messages, str) else messages
        while True:
            request = self.request(history, **more)
            turn = self.memory.turn(request)
            calls, answer = self.after(turn, request)
            turn.said(calls, answer, self.usage)
            if not calls:
                history.append(Message("assistant", str(answer)))
                return answer
            history.append(Message("assistant", calls=calls))
            history.extend(map(self.make, calls))

    def make(self, call: ModelCall) -> Message:
        self.before_call(call)
        if self.has_hooks and not self.memory.confirm(call.id):
            return Message("tool", self.memory.why_not(call.id), call_id=call.id, is_error=True)
        fn = self.tools.get(call.name)
        if fn is None or not isinstance(call.arguments, dict):
            return Message("tool", f"no tool {call.name}", call_id=call.id, is_error=True)
        self.made.append((call.name, call.arguments))
        try:
            with self.memory.inside(call.id):
                result = fn(**call.arguments)
        except Exception as error:
            if self.has_hooks:
                self.memory.done(call.id, error=error)
            return Message("tool", f"{error}", call_id=call.id, is_error=True)
        if self.has_hooks:
            self.memory.done(call.id, result)
        return Message("tool", str(result), call_id=call.id, content=result)

    async def arun(self, messages: str | list[Message], **more: Any) -> Any:
        """Run the agent on an event loop."""
        history = [Message("user", messages)] if isinstance(messages, str) else messages
        while True:
            request = self.request(history, **more)
            turn = await self.memory.aturn(request)
            calls, answer = self.after(turn, request)
            await turn.asaid(calls, answer, self.usage)
            if not calls:
                return answer
            history.append(Message("assistant", calls=calls))
            for call in calls:
                history.append(await self.amake(call))

    async def amake(self, call: ModelCall) -> Message:
        self.before_call(call)
        if self.has_hooks and not await self.memory.aconfirm(call.id):
            return Message("tool", self.memory.why_not(call.id), call_id=call.id, is_error=True)
        self.made.append((call.name, call.arguments))  # type: ignore[arg-type]
        with self.memory.inside(call.id):
            result = self.tools[call.name](**call.arguments)  # type: ignore[arg-type]
            if hasattr(result, "__await__"):
                result = await result
        if self.has_hooks:
            await self.memory.adone(call.id, result)
        return Message("tool", str(result), call_id=call.id, content=result)
