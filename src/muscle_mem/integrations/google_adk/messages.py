"""Translation of ADK's contents and tools to the neutral form, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from .._shared import Message, ModelCall, ModelRequest, Part, ToolOffer, Usage
from .framework import LlmResponse, types

OWN_PREFIX = "adk-"
"""ADK removes ids with this prefix before it sends a request, since not every model takes them."""

ASKED_OF_PEOPLE = "adk_request_"
"""The beginning of the names of calls that ADK writes itself, to ask a person."""

MODEL_NAME = "muscle-mem"


def id_of(call_id: str | None) -> str:
    """Return the id of a call as the engine knows it."""
    return (call_id or "").removeprefix(OWN_PREFIX)


class CallIds:
    """Gives the calls of a request the ids that they have in the session.

    ADK removes its own ids from the contents of a request.

    Args:
        events: The events of the session, oldest first.
        agent: The name of the agent.
    """

    def __init__(self, events: Iterable[Any], agent: str) -> None:
        self._known: list[tuple[str, str, str]] = []
        for event in events:
            if event.author != agent or getattr(event, "partial", False):
                continue
            for call in event.get_function_calls():
                if call.id and not call.name.startswith(ASKED_OF_PEOPLE):
                    self._known.append((call.name, _key_of(call.args), id_of(call.id)))

    def assign(self, contents: Sequence[Any]) -> dict[int, str]:
        """Return the ids of calls and results in contents, by the id() of their parts."""
        found: dict[int, str] = {}
        calls = [part for content in contents for part in content.parts or () if part.function_call]
        left = list(self._known)
        for number, part in reversed(list(enumerate(calls))):
            call = part.function_call
            found[id(part)] = id_of(call.id) or self._take(left, call.name, _key_of(call.args)) or f"earlier_{number}"
        self._match_results(contents, found)
        return found

    def _take(self, left: list[tuple[str, str, str]], name: str, arguments: str) -> str:
        """Take the last id of an equal call that is left."""
        for place in range(len(left) - 1, -1, -1):
            if left[place][:2] == (name, arguments):
                return left.pop(place)[2]
        return ""

    def _match_results(self, contents: Sequence[Any], found: dict[int, str]) -> None:
        """Give each result the id of the first open call of its name before it."""
        waiting: list[tuple[str, str]] = []
        for content in contents:
            for part in content.parts or ():
                if part.function_call:
                    waiting.append((part.function_call.name, found[id(part)]))
                elif part.function_response:
                    said = id_of(part.function_response.id)
                    match = next((each for each in waiting if each[1] == said), None)
                    match = match or next((each for each in waiting if each[0] == part.function_response.name), None)
                    found[id(part)] = said or ("" if match is None else match[1])
                    if match is not None:
                        waiting.remove(match)


def _key_of(arguments: Any) -> str:
    return json.dumps(to_jsonable_python(arguments or {}, fallback=repr), sort_keys=True)


def to_request(request: Any, events: Iterable[Any], agent: str) -> ModelRequest:
    """Translate a request to the model.

    Args:
        request: The request of ADK.
        events: The events of the session, oldest first.
        agent: The name of the agent.
    """
    ids = CallIds(events, agent).assign(request.contents)
    return ModelRequest(
        messages=[each for content in request.contents for each in _translated(content, ids)],
        tools=[offer(declaration, request.tools_dict) for declaration in declarations_of(request)],
        agent_name=agent,
        instructions=_text_of_instruction(request.config.system_instruction),
        answer_schema=_schema_of_answer(request.config),
    )


def _translated(content: Any, ids: dict[int, str]) -> Iterator[Message]:
    """Translate one content."""
    parts = content.parts or ()
    if content.role == "model":
        calls = tuple(
            ModelCall(ids[id(part)], part.function_call.name, part.function_call.args or {})
            for part in parts
            if part.function_call
        )
        yield Message("assistant", text_of(parts), calls=calls)
        return
    for part in parts:
        if part.function_response:
            yield Message("tool", call_id=ids[id(part)], content=part.function_response.response)
    others = [part for part in parts if not part.function_response]
    if others:
        yield Message("user", text_of(others), tuple(part_of(each) for each in others if each.text is None))


def text_of(parts: Iterable[Any]) -> str:
    """Return the text of parts, without the thoughts of the model."""
    return "\n".join(part.text for part in parts if part.text and not part.thought)


def part_of(part: Any) -> Part:
    """Translate a part that is not text."""
    if part.inline_data is not None and part.inline_data.data is not None:
        return Part("data", data=part.inline_data.data, media_type=part.inline_data.mime_type or "")
    if part.file_data is not None and part.file_data.file_uri:
        return Part("file", url=part.file_data.file_uri, media_type=part.file_data.mime_type or "")
    return Part("unknown")


def _text_of_instruction(instruction: Any) -> str:
    if instruction is None or isinstance(instruction, str):
        return instruction or ""
    parts = getattr(instruction, "parts", instruction)
    parts = parts if isinstance(parts, list) else [parts]
    return "\n\n".join(part if isinstance(part, str) else str(part.text or "") for part in parts)


def _schema_of_answer(config: Any) -> Any:
    """Return the schema of a typed answer as JSON types, or None."""
    schema = config.response_json_schema or config.response_schema
    if schema is None or isinstance(schema, dict):
        return schema
    if isinstance(schema, types.Schema):
        return schema.model_dump(mode="json", exclude_none=True)
    made = getattr(schema, "model_json_schema", None)
    return made() if made is not None else repr(schema)


def declarations_of(request: Any) -> list[Any]:
    """Return the declarations of the functions that a request offers."""
    return [each for tool in request.config.tools or () for each in getattr(tool, "function_declarations", None) or ()]


def offer(declaration: Any, tools: dict[str, Any]) -> ToolOffer:
    """Translate the declaration of a tool.

    Args:
        declaration: What the model reads.
        tools: The tools of the request by name.
    """
    schema = declaration.parameters_json_schema
    if schema is None and declaration.parameters is not None:
        schema = declaration.parameters.model_dump(mode="json", exclude_none=True)
    tool = tools.get(declaration.name)
    return ToolOffer(
        declaration.name,
        declaration.description or "",
        schema,
        fn=getattr(tool, "func", None),
        needs_approval=bool(getattr(tool, "_require_confirmation", False)),
    )


def usage_of(response: LlmResponse) -> Usage:
    """Return the usage of a response, with the tokens of thoughts."""
    usage = response.usage_metadata
    if usage is None:
        return Usage(model=response.model_version or "")
    return Usage(
        usage.prompt_token_count or 0,
        (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        usage.cached_content_token_count or 0,
        response.model_version or "",
    )


def replayed_response(parts: list[Any], mark: dict[str, Any]) -> LlmResponse:
    """Return a response without usage, whose metadata says what it is."""
    return LlmResponse(
        content=types.Content(role="model", parts=parts),
        model_version=MODEL_NAME,
        custom_metadata=dict(mark),
        usage_metadata=types.GenerateContentResponseUsageMetadata(
            prompt_token_count=0, candidates_token_count=0, total_token_count=0
        ),
        turn_complete=True,
        partial=False,
    )


def parts_of_calls(calls: Iterable[ModelCall]) -> list[Any]:
    """Return the parts of replayed calls."""
    return [
        types.Part(function_call=types.FunctionCall(id=OWN_PREFIX + call.id, name=call.name, args=call.arguments))
        for call in calls
    ]


def text_of_answer(answer: Any) -> str:
    """Return a final answer as the text that a model would have written."""
    if isinstance(answer, str):
        return answer
    return json.dumps(to_jsonable_python(answer), ensure_ascii=False)
