"""A model that replays recorded turns, and asks the wrapped model for others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from .._shared import Memory, ModelTurn
from .._shared.memory import MEANT_FOR_THE_USER
from .._shared.nesting import answering, is_answering
from .framework import Model, ModelThrottledException
from .messages import Heard, events_of_answer, events_of_calls, to_request, usage_of

COMPLETE = ("end_turn", "tool_use", "stop_sequence")
"""The reasons to stop after which a response is whole."""


class RememberingModel(Model):
    """The model of an agent, with a memory in front of it.

    Args:
        model: The model of the agent.
        agent: The agent.
        memory: The memory of the plugin.
    """

    def __init__(self, model: Any, agent: Any, memory: Memory) -> None:
        self.wrapped = model
        self._agent = agent
        self._memory = memory

    def __getattr__(self, name: str) -> Any:
        """Return what only the wrapped model has."""
        if name == "wrapped":
            raise AttributeError(name)
        return getattr(self.wrapped, name)

    @property
    def stateful(self) -> bool:
        """Whether the provider keeps the conversation."""
        return bool(self.wrapped.stateful)

    @property
    def context_window_limit(self) -> int | None:
        """The size of the context window in tokens, or None if it is not known."""
        limit: int | None = self.wrapped.context_window_limit
        return limit

    @property
    def _supports_structured_output(self) -> bool:
        return bool(getattr(self.wrapped, "_supports_structured_output", False))

    def update_config(self, **options: Any) -> None:
        """Update the configuration of the wrapped model."""
        self.wrapped.update_config(**options)

    def get_config(self) -> Any:
        """Return the configuration of the wrapped model."""
        return self.wrapped.get_config()

    async def count_tokens(self, *args: Any, **options: Any) -> int:
        """Return the count of tokens by the wrapped model."""
        count: int = await self.wrapped.count_tokens(*args, **options)
        return count

    def structured_output(self, *args: Any, **options: Any) -> Any:
        """Return a typed answer of the wrapped model, which makes no tool calls."""
        return self.wrapped.structured_output(*args, **options)

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: Any = None, **options: Any
    ) -> AsyncIterator[Any]:
        """Replay a turn, or let the model answer."""
        turn = await self._turn(messages, tool_specs, system_prompt, options)
        if turn is not None and turn.kind == "replay":
            events = events_of_calls(turn.calls, turn.mark)
        elif turn is not None and turn.kind == "answer":
            events = events_of_answer(turn.answer, turn.mark)
        else:
            async for event in self._asked(turn, messages, tool_specs, system_prompt, options):
                yield event
            return
        for event in events:
            yield event

    async def _turn(self, messages: Any, specs: Any, system: Any, options: dict[str, Any]) -> ModelTurn | None:
        """Return what to do about a request, or None if it is left alone."""
        if is_answering(self._memory.engine):
            return None
        try:
            if self.stateful:
                self._memory.leave_alone("the provider keeps the conversation, and would not see a replay")
                return None
            typed = options.get("structured_output_model")
            schema = None if typed is None else typed.model_json_schema()
            content = options.get("system_prompt_content")
            request = to_request(messages, specs, system if content is None else content, self._agent, schema)
            return await self._memory.aturn(request)
        except MEANT_FOR_THE_USER:
            raise
        except Exception as error:
            self._memory.steps_aside(error)
            return None

    async def _asked(
        self, turn: ModelTurn | None, messages: Any, specs: Any, system: Any, options: dict[str, Any]
    ) -> AsyncIterator[Any]:
        """Let the model answer, and take what it says."""
        heard = Heard()
        stream = aiter(self.wrapped.stream(messages, specs, system, **options))
        try:
            while True:
                with answering(self._memory.engine):
                    event = await anext(stream, None)
                if event is None:
                    break
                self._note(heard, event)
                yield event
        except ModelThrottledException:  # The agent asks again.
            raise
        except BaseException as error:
            if turn is not None:
                turn.failed(error)
            raise
        await self._report(turn, heard)  # The agent makes the calls when the stream has ended.

    def _note(self, heard: Heard, event: Any) -> None:
        try:
            heard.note(event)
        except Exception as error:
            heard.reason = "unreadable"
            self._memory.steps_aside(error, "reading a response of the model")

    async def _report(self, turn: ModelTurn | None, heard: Heard) -> None:
        """Report a whole response."""
        if turn is None or turn.kind != "ask":
            return
        if heard.reason not in COMPLETE:
            turn.failed(RuntimeError(f"the response of the model ended with {heard.reason or 'no reason'}"))
            return
        config = self.wrapped.get_config()
        model = config.get("model_id") if isinstance(config, dict) else getattr(config, "model_id", None)
        usage = usage_of(heard.usage, str(model or ""))
        await turn.asaid(heard.calls, None if heard.calls else heard.text, usage)
