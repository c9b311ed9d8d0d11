"""Answers of the memory as responses and stream events of the SDK."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents import ModelResponse, Usage
from agents.models.fake_id import FAKE_RESPONSES_ID
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
)
from pydantic_core import to_jsonable_python

from .._shared import ModelCall
from .._shared import Usage as Tokens


def items_of_calls(calls: Sequence[ModelCall]) -> list[Any]:
    """Return the output items of replayed calls."""
    return [
        ResponseFunctionToolCall(
            type="function_call", call_id=call.id, name=call.name, arguments=json_text(call.arguments)
        )
        for call in calls
    ]


def items_of_answer(answer: Any, output_schema: Any) -> list[Any]:
    """Return the output items of a final answer.

    Raises:
        Exception: The answer is not a value of the agent's output type.
    """
    text = _text_of(answer, output_schema)
    content = ResponseOutputText(text=text, type="output_text", annotations=[], logprobs=[])
    id = f"msg_mm_{uuid.uuid4().hex[:12]}"
    return [ResponseOutputMessage(id=id, type="message", role="assistant", status="completed", content=[content])]


def _text_of(answer: Any, output_schema: Any) -> str:
    if output_schema is None or output_schema.is_plain_text():
        return answer if isinstance(answer, str) else json_text(answer)
    text = json_text(answer)
    try:
        output_schema.validate_json(text)
    except Exception:  # A function that makes the answer may return the value inside of the SDK's envelope.
        text = json_text({"response": answer})
        output_schema.validate_json(text)
    return text


def json_text(value: Any) -> str:
    """Return a value as JSON, as a model writes it."""
    return json.dumps(value, ensure_ascii=False, default=to_jsonable_python)


def response_of(items: list[Any], mark: Mapping[str, Any]) -> ModelResponse:
    """Return a response without usage.

    Where the SDK has a place for it, the request's id says what it is.
    """
    response = ModelResponse(output=items, usage=Usage(), response_id=None)
    if hasattr(response, "request_id"):
        response.request_id = request_id_of(mark)
    return response


def request_id_of(mark: Mapping[str, Any]) -> str:
    """Return the id that stands in the place of the server's."""
    return f"muscle_mem/{mark.get('trajectory_id')}/{mark.get('step')}"


def events_of(items: list[Any], mark: Mapping[str, Any], model: str) -> Iterator[Any]:
    """Yield the events of a stream that ends with these items."""
    number = itertools.count()
    response = Response(
        id=FAKE_RESPONSES_ID,
        created_at=0,
        model=model,
        object="response",
        output=[],
        parallel_tool_calls=True,
        tool_choice="auto",
        tools=[],
    )
    yield ResponseCreatedEvent(type="response.created", response=response, sequence_number=next(number))
    for place, item in enumerate(items):
        yield from _events_of_item(item, place, number)
    ended = response.model_copy(update={"output": items, "status": "completed"})
    ended._request_id = request_id_of(mark)
    yield ResponseCompletedEvent(type="response.completed", response=ended, sequence_number=next(number))


def _events_of_item(item: Any, place: int, number: Iterator[int]) -> Iterator[Any]:
    is_call = isinstance(item, ResponseFunctionToolCall)
    empty: dict[str, Any] = {"arguments": ""} if is_call else {"content": []}
    begun = item.model_copy(update=empty)
    yield ResponseOutputItemAddedEvent(
        type="response.output_item.added", item=begun, output_index=place, sequence_number=next(number)
    )
    where = {"output_index": place, "item_id": item.call_id if is_call else item.id}
    if is_call:
        yield ResponseFunctionCallArgumentsDeltaEvent(
            type="response.function_call_arguments.delta",
            delta=item.arguments,
            sequence_number=next(number),
            **where,
        )
        yield ResponseFunctionCallArgumentsDoneEvent.model_validate(
            {
                "type": "response.function_call_arguments.done",
                "arguments": item.arguments,
                "name": item.name,
                "sequence_number": next(number),
                **where,
            }
        )
    else:
        yield from _events_of_text(item.content[0], {**where, "content_index": 0}, number)
    yield ResponseOutputItemDoneEvent(
        type="response.output_item.done", item=item, output_index=place, sequence_number=next(number)
    )


def _events_of_text(content: ResponseOutputText, where: dict[str, Any], number: Iterator[int]) -> Iterator[Any]:
    begun = content.model_copy(update={"text": ""})
    yield ResponseContentPartAddedEvent(
        type="response.content_part.added", part=begun, sequence_number=next(number), **where
    )
    yield ResponseTextDeltaEvent(
        type="response.output_text.delta",
        delta=content.text,
        logprobs=[],
        sequence_number=next(number),
        **where,
    )
    yield ResponseTextDoneEvent(
        type="response.output_text.done",
        text=content.text,
        logprobs=[],
        sequence_number=next(number),
        **where,
    )
    yield ResponseContentPartDoneEvent(
        type="response.content_part.done", part=content, sequence_number=next(number), **where
    )


# -- what a model said


class Said:
    """What a response of a model holds.

    Attributes:
        calls: The tool calls that it requests.
        answer: Its final answer, if it requests none.
        problem: Why the run cannot be learned, or "".
        usage: Its usage.
    """

    def __init__(self, output: Sequence[Any], usage: Any, model: str, output_schema: Any) -> None:
        calls = [item for item in output if item.type == "function_call"]
        messages = [item for item in output if item.type == "message"]
        others = [item.type for item in output if item.type not in ("function_call", "message", "reasoning")]
        self.calls = [ModelCall(item.call_id, item.name, item.arguments) for item in calls]
        self.problem = f"the model's response holds an item of type {others[0]!r}" if others else ""
        self.answer: Any = None
        if not calls and not others:
            parts = messages[-1].content if messages else []
            text = "".join(getattr(part, "text", None) or "" for part in parts)
            if any(part.type == "refusal" for part in parts):
                self.problem = "the model refused to answer"
            self.answer = text
            if output_schema is not None and not output_schema.is_plain_text():
                try:
                    self.answer = json.loads(text)
                except ValueError:
                    self.problem = "the model's answer is not of the agent's output type"
        self.usage = _tokens(usage, model)


def _tokens(usage: Any, model: str) -> Tokens | None:
    if usage is None:
        return None
    details = getattr(usage, "input_tokens_details", None)
    cached = getattr(details, "cached_tokens", 0) or 0
    return Tokens(usage.input_tokens or 0, usage.output_tokens or 0, cached, model)
