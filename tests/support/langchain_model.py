"""A chat model for LangChain that says what it was told to say, and counts how often it was asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field, PrivateAttr

Turn = Any  # a text, a list of (tool, arguments), an AIMessage, an exception, or a function of the messages to one
USAGE = {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25}
NAME = "scripted-1"


class ScriptedModel(BaseChatModel):
    """A model whose next turn is that of its plan behind the turns that the conversation already shows.

    So it goes on where a replay has stopped, as a model that reads its history does. `asked` has the messages of each
    time it was asked.
    """

    plan: list[Any] = Field(default_factory=list)
    usage: dict[str, int] | None = Field(default_factory=lambda: dict(USAGE))
    model_name: str = ""
    same_ids: bool = False  # as of servers that count the calls of each conversation
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list)
    _offered: list[Any] = PrivateAttr(default_factory=list)
    _serial: Any = PrivateAttr(default_factory=lambda: iter(range(10**9)))
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def asked(self) -> list[list[BaseMessage]]:
        """The messages of each time that the model was asked."""
        return self._asked

    @property
    def offered(self) -> list[Any]:
        """The tools of each time that the model was asked."""
        return self._offered

    def bind_tools(self, tools: Sequence[Any], **options: Any) -> Any:
        """Bind the tools by their names, as a provider binds them by their schemas."""
        return self.bind(tools=[getattr(tool, "name", tool) for tool in tools], **options)

    def _answer(self, messages: list[BaseMessage], options: dict[str, Any]) -> AIMessage:
        with self._lock:
            self._asked.append(list(messages))
            self._offered.append(options.get("tools"))
            turn = self.plan[min(turns_so_far(messages), len(self.plan) - 1)]
        while callable(turn):
            turn = turn(messages)
        if isinstance(turn, BaseException):
            raise turn
        if isinstance(turn, str):
            turn = AIMessage(turn)
        elif not isinstance(turn, AIMessage):
            turn = AIMessage("", tool_calls=[self._call(*call) for call in turn])
            if self.same_ids:
                for place, call in enumerate(turn.tool_calls):
                    call["id"] = f"call_{turns_so_far(messages)}_{place}"
        marks = {"model_name": NAME} | turn.response_metadata
        return turn.model_copy(update={"usage_metadata": self.usage, "response_metadata": marks, "id": None})

    def _call(self, name: str, arguments: Any) -> dict[str, Any]:
        return {"name": name, "args": arguments, "id": f"call_{time.time_ns()}_{next(self._serial)}"}

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **options: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._answer(messages, options))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **options: Any
    ) -> Iterator[ChatGenerationChunk]:
        """Stream a text word by word, and tool calls whole."""
        said = self._answer(messages, options)
        words = [f"{word} " for word in str(said.content).split()] or [""]
        words[-1] = words[-1].rstrip()
        for number, word in enumerate(words):
            last = number == len(words) - 1
            chunk = AIMessageChunk(
                content=word,
                tool_calls=said.tool_calls if last else [],
                usage_metadata=said.usage_metadata if last else None,
                response_metadata=said.response_metadata if last else {},
            )
            if run_manager:
                run_manager.on_llm_new_token(word)
            yield ChatGenerationChunk(message=chunk)


def turns_so_far(messages: Sequence[BaseMessage]) -> int:
    """Return how many turns with tool calls the conversation shows since the last message of the user."""
    last = max(index for index, message in enumerate(messages) if isinstance(message, HumanMessage))
    return sum(isinstance(message, AIMessage) and bool(message.tool_calls) for message in messages[last:])


def result_of(tool: str) -> Callable[[Sequence[BaseMessage]], str]:
    """Return a function that finds the last result of a tool in a conversation."""

    def find(messages: Sequence[BaseMessage]) -> str:
        return next(str(m.content) for m in reversed(messages) if isinstance(m, ToolMessage) and m.name == tool)

    return find
