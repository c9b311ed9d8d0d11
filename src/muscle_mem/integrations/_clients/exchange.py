"""One request of a client to its model, and the result."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from .._shared import Memory, ModelTurn
from .sse import EventReader
from .wire import Body, CutOffError, LeftAloneError, Said, WireFormat

HEADER: Final = "x-muscle-mem"


class AbandonedError(Exception):
    """A response that the application did not read to its end."""


class ModelStatusError(Exception):
    """A response of a model that is an error."""


class Exchange:
    """A request that the memory may answer.

    Attributes:
        wire: The format of the request.
        body: The body of the request, as the provider understands it.
        content: The bytes of the body, as the application sent it.
        is_rewritten: Whether the provider would not understand these bytes.
        turn: What to do about it.
    """

    def __init__(self, memory: Memory, wire: WireFormat, content: bytes) -> None:
        written = msgspec.json.decode(content)
        self.wire = wire
        self.body: Body = wire.completed(written)
        self.content = content
        self.is_rewritten = self.body is not written
        self.turn = ModelTurn("pass")
        self._memory = memory
        self._is_over = False

    @property
    def is_replayed(self) -> bool:
        """Whether the memory answers."""
        return self.turn.kind in ("replay", "answer")

    @property
    def is_streamed(self) -> bool:
        """Whether the response is a stream of events."""
        return bool(self.body.get("stream"))

    def replayed(self) -> tuple[dict[str, str], list[bytes]]:
        """Return the headers and the chunks of the response that a replayed turn is."""
        payload = self.wire.payload(self.turn, self.body)
        mark = self.turn.mark
        headers = {HEADER: f"replayed; trajectory={mark.get('trajectory_id')}; step={mark.get('step')}"}
        if self.is_streamed:
            return {**headers, "content-type": "text/event-stream"}, list(self.wire.events(payload, self.body))
        content = json.dumps(payload).encode()
        return {**headers, "content-type": "application/json", "content-length": str(len(content))}, [content]

    def said(self, payload: Body) -> Said | None:
        """Return what the model said, or None.

        It is None if that was returned before, or is nothing to learn.
        """
        if self._is_over:
            return None
        try:
            found = self.wire.said(payload, self.body)
        except (CutOffError, LeftAloneError) as error:
            self.failed(error)
        except Exception as error:
            self.unreadable(error)
        else:
            self._is_over = True
            return found
        return None

    def failed(self, error: BaseException) -> None:
        """Report that the model answered with an error, or that its answer was not read."""
        if not self._is_over:
            self._is_over = True
            self.turn.failed(error)

    def unreadable(self, error: Exception) -> None:
        """Report that the adapter cannot read a response."""
        if not self._is_over:
            self._memory.steps_aside(error, "a response")
            self.failed(error)


class ResponseReader:
    """Reader of a response that goes by in chunks."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._events = EventReader()
        self._collector = exchange.wire.collector(exchange.body)
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> Said | None:
        """Take a chunk, and return what the model said if nothing more of it is to come."""
        if not self._exchange.is_streamed:
            self._chunks.append(chunk)
            return None
        try:
            for event in self._events.feed(chunk):
                payload = self._collector.feed(event)
                if payload is not None:
                    return self._exchange.said(payload)
        except Exception as error:
            self._exchange.unreadable(error)
        return None

    def end(self) -> Said | None:
        """Return what the model said, at the end of a response that is not a stream."""
        if self._exchange.is_streamed:
            return None
        try:
            payload: Any = msgspec.json.decode(b"".join(self._chunks))
        except Exception as error:
            self._exchange.unreadable(error)
            return None
        return self._exchange.said(payload)
