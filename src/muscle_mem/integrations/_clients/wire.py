"""What the adapters of clients need to know of a wire format."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from .._shared import ModelCall, ModelRequest, ModelTurn, Part, Usage
from .sse import Event

Body = dict[str, Any]
"""The body of a request or response, decoded."""


class LeftAloneError(Exception):
    """A request that the adapter leaves to the model, with the reason."""


class CutOffError(Exception):
    """A response of a model that is not an answer to learn from, with the reason."""


class Said(msgspec.Struct, frozen=True, eq=False):
    """What a response of a model says.

    Attributes:
        calls: The tool calls that it requests.
        answer: The final answer, if it requests none: its text, or the JSON value of a typed answer.
        usage: Its usage.
    """

    calls: tuple[ModelCall, ...]
    answer: Any
    usage: Usage


class Collector(Protocol):
    """The response that a stream of events makes."""

    def feed(self, event: Event) -> Body | None:
        """Take an event, and return the whole response if nothing more of it is to come."""
        ...


class WireFormat(Protocol):
    """How a provider writes requests and responses."""

    def completed(self, body: Body) -> Body:
        """Return a request in the form that the provider understands.

        Mostly it is unchanged.
        """
        ...

    def request(self, body: Body) -> ModelRequest:
        """Return a request in the neutral form.

        Raises:
            LeftAloneError: The request uses something that cannot be replayed.
        """
        ...

    def said(self, payload: Body, body: Body) -> Said:
        """Return what the response to a request says.

        Raises:
            CutOffError: The response is not an answer, such as one that was cut off.
        """
        ...

    def payload(self, turn: ModelTurn, body: Body) -> Body:
        """Return the response of a replayed turn.

        An application may refer to it in later requests.
        """
        ...

    def events(self, payload: Body, body: Body, /) -> Iterator[bytes]:
        """Return a replayed response as a stream."""
        ...

    def collector(self, body: Body, /) -> Collector:
        """Return what puts the streamed response to a request together."""
        ...

    def result_ids(self, body: Body) -> tuple[str, ...]:
        """Return the ids of the results in a request that may be left alone."""
        ...


def ids_of(items: Any, kind: str, name: str) -> Iterator[str]:
    """Return the ids of the results among messages, items or blocks of any form.

    Args:
        items: The messages, items or blocks.
        kind: The role or the type of a result.
        name: The name of the field with the id.
    """
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and kind in (item.get("role"), item.get("type")):
            yield str(item.get(name))


def fresh_id(prefix: str) -> str:
    """Return an id that no other response has."""
    return f"{prefix}_mm_{secrets.token_hex(12)}"


def json_text(value: Any) -> str:
    """Return a JSON value as its text, as models write arguments."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def answer_text(answer: Any) -> str:
    """Return the text of a recorded answer."""
    return "" if answer is None else json_text(answer)


def typed_answer(text: str, schema: Any) -> Any:
    """Return an answer as the JSON value that the request asked for, or as text."""
    if schema is None:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def data_part(kind: str, url: str) -> Part:
    """Return the part that an address, or the data in it, is."""
    import base64
    import binascii

    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:"):
        return Part(kind, url=url)
    media_type = head[5:].partition(";")[0]
    try:
        content = base64.b64decode(data) if head.endswith(";base64") else data.encode()
    except binascii.Error:
        return Part(kind, url=url, media_type=media_type)
    return Part(kind, data=content, media_type=media_type)


def base64_part(kind: str, data: str, media_type: str) -> Part:
    """Return a part of base64 text; of other text, the text itself."""
    return data_part(kind, f"data:{media_type};base64,{data}")


def opaque_part(kind: str, value: Any) -> Part:
    """Return a part of an unknown kind by all that the request says of it."""
    return Part(kind, data=json.dumps(value, sort_keys=True, default=str).encode())
