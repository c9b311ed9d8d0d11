"""Final answers of agents: reading them, and making responses of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from langchain.agents.middleware.types import ModelResponse
from langchain.agents.structured_output import OutputToolBinding, ProviderStrategy, ToolStrategy
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from pydantic import TypeAdapter

from .._shared.messages import ModelCall
from .messages import call_key, calls_of

MAX_KEPT: Final = 100
NO_USAGE: Final = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


class Said(msgspec.Struct, frozen=True, eq=False):
    """What a response of the model says.

    Attributes:
        message: The model's message.
        calls: Its calls of the agent's tools.
        answer: Its final answer: a text, or the JSON value of a typed answer; None without one.
        retried: The ids of calls that carry a typed answer which the framework gives back to the model.
        is_typed: Whether the answer is typed.
    """

    message: AIMessage
    calls: tuple[ModelCall, ...]
    answer: Any
    retried: tuple[str, ...]
    is_typed: bool


class AnswerForm:
    """The form of a final answer: text, or typed by a tool or the provider.

    Args:
        response_format: The `response_format` of the request.
    """

    def __init__(self, response_format: Any) -> None:
        self.response_format = response_format
        self.specs: Sequence[Any] = ()
        if isinstance(response_format, ProviderStrategy):
            self.specs = (response_format.schema_spec,)
        elif response_format is not None:
            by_tool = response_format
            if not isinstance(by_tool, ToolStrategy):
                by_tool = ToolStrategy(schema=getattr(response_format, "schema", response_format))
            self.specs = tuple(by_tool.schema_specs)
        self.names = {spec.name: spec for spec in self.specs}
        self.by_tool = isinstance(response_format, ToolStrategy) or len(self.specs) > 1

    @property
    def schema(self) -> Any:
        """The JSON schemas of a typed answer, None for a text."""
        return [spec.json_schema for spec in self.specs] or None

    # -- what the model said

    def read(self, response: ModelResponse[Any]) -> Said:
        """Return what a response says.

        Raises:
            ValueError: It has no message of the model, or its typed answer is not JSON.
        """
        message = next((each for each in response.result if isinstance(each, AIMessage)), None)
        if message is None:
            raise ValueError("the response has no message of the model")
        if message.id is None:  # As the framework does later.
            message.id = str(uuid.uuid4())
        typed = [] if isinstance(self.response_format, ProviderStrategy) else self._typed_calls(message)
        calls = tuple(call for call in calls_of(message) if call.name not in self.names or not typed)
        if response.structured_response is None:
            text = None if calls or typed else _text_of(message)
            return Said(message, calls, text, tuple(call_key(message, call["id"]) for call in typed), False)
        if typed:
            answer = typed[0]["args"] if len(self.specs) == 1 else {"name": typed[0]["name"], "args": typed[0]["args"]}
        else:
            answer = json.loads(_text(message))
        return Said(message, calls, answer, (), True)

    def _typed_calls(self, message: AIMessage) -> list[Any]:
        return [call for call in message.tool_calls if call["name"] in self.names]

    # -- saying it again

    def write(self, answer: Any, *, agent: str | None, mark: dict[str, Any]) -> ModelResponse[Any]:
        """Return the response that gives an answer.

        Raises:
            ValueError: The answer does not fit the schema.
        """
        if not self.specs:
            text = answer if isinstance(answer, str) else json.dumps(_to_json(answer), ensure_ascii=False)
            return ModelResponse(result=[replayed_message(text, (), agent=agent, mark=mark)])
        spec, value = self._spec_and_value(answer)
        parsed = OutputToolBinding.from_schema_spec(spec).parse(value)
        if not self.by_tool:
            text = json.dumps(value, ensure_ascii=False)
            return ModelResponse(
                result=[replayed_message(text, (), agent=agent, mark=mark)], structured_response=parsed
            )
        call = ModelCall(f"call_mm_{uuid.uuid4().hex[:12]}", spec.name, value)
        content = getattr(self.response_format, "tool_message_content", None)
        messages: list[BaseMessage] = [
            replayed_message("", (call,), agent=agent, mark=mark),
            ToolMessage(content or f"Returning structured response: {parsed}", tool_call_id=call.id, name=spec.name),
        ]
        return ModelResponse(result=messages, structured_response=parsed)

    def _spec_and_value(self, answer: Any) -> tuple[Any, Any]:
        """Return the schema of an answer, and its JSON value."""
        for spec in self.specs:  # An answer of the user's function may be an object of the schema.
            if isinstance(spec.schema, type) and not isinstance(answer, dict) and type(answer) is spec.schema:
                return spec, _to_json(answer)
        if len(self.specs) == 1:
            return self.specs[0], _to_json(answer)
        if isinstance(answer, dict) and answer.get("name") in self.names and "args" in answer:
            return self.names[answer["name"]], answer["args"]
        raise ValueError("the answer is of none of the schemas of response_format")


class AnswerForms:
    """The known answer forms, kept because making a schema takes milliseconds."""

    def __init__(self) -> None:
        self._kept: dict[int, AnswerForm] = {}

    def of(self, response_format: Any) -> AnswerForm:
        """Return the form of a response format."""
        kept = self._kept.get(id(response_format))
        if kept is None or kept.response_format is not response_format:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            kept = self._kept[id(response_format)] = AnswerForm(response_format)
        return kept


def replayed_message(text: str, calls: Sequence[ModelCall], *, agent: str | None, mark: dict[str, Any]) -> AIMessage:
    """Return a marked message with usage 0 in place of the model's."""
    return AIMessage(
        content=text,
        name=agent,
        tool_calls=[{"name": call.name, "args": call.arguments, "id": call.id} for call in calls],
        usage_metadata=dict(NO_USAGE),
        response_metadata=dict(mark),
    )


def _text_of(message: AIMessage) -> str | None:
    """Return the text of an answer, None if it has parts that are not text."""
    blocks = [] if isinstance(message.content, str) else message.content
    kinds = {block.get("type") for block in blocks if isinstance(block, dict)}
    if kinds - {"text", "reasoning", "thinking", "redacted_thinking"}:
        return None
    return _text(message)


def _text(message: AIMessage) -> str:
    """Return the texts of a message in one, as LangChain does."""
    content = [message.content] if isinstance(message.content, str) else message.content
    return "".join(block if isinstance(block, str) else str(block.get("text", "")) for block in content)


def _to_json(answer: Any) -> Any:
    """Return an answer as JSON values."""
    return TypeAdapter(type(answer)).dump_python(answer, mode="json")
