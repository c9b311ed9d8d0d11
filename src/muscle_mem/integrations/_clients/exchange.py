"""One request of a client to its model: what the memory says about it, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from .._shared import Memory, ModelTurn
from .sse import EventReader
from .wire import Body, CutOffError, LeftAloneError, Said, WireFormat

HEADER: Final = "x-muscle-mem"
RETRY_HEADER: Final = "x-stainless-retry-count"
RETRIED: Final = frozenset((408, 409, 429))
"""The statuses below 500 after which a client sends a request again."""


class AbandonedError(Exception):
    """A response that the application did not read to its end."""


class ModelStatusError(Exception):
    """A response of a model that is an error."""


class Exchange:
    """A request that the memory may answer.

    Attributes:
        wire: The format of the request.
        body: The body of the request.
        content: Its bytes.
        turn: What to do about it.
    """

    def __init__(self, memory: Memory, wire: WireFormat, body: Body, content: bytes) -> None:
        self.wire = wire
        self.body = body
        self.content = content
        self.turn = ModelTurn("pass")
        self._memory = memory
        self._is_over = False

    @property
    def is_streamed(self) -> bool:
        """Whether the response is a stream of events."""
        return bool(self.body.get("stream"))

    # -- a replayed turn

    def replayed(self) -> tuple[dict[str, str], list[bytes]]:
        """Return the headers and the chunks of the response that the turn is."""
        payload = self.wire.payload(self.turn, self.body)
        mark = self.turn.mark
        headers = {HEADER: f"replayed; trajectory={mark.get('trajectory_id')}; step={mark.get('step')}"}
        if not self.is_streamed:
            content = json.dumps(payload).encode()
            return {**headers, "content-type": "application/json", "content-length": str(len(content))}, [content]
        return {**headers, "content-type": "text/event-stream"}, list(self.wire.events(payload, self.body))

    # -- a turn of the model

    def reader(self) -> ResponseReader:
        """Return what reads the body of the model's response."""
        return ResponseReader(self)

    def said_of(self, payload: Body) -> Said | None:
        """Return what to report of a response; None if it was reported, or is no answer."""
        if self._is_over:
            return None
        self._is_over = True
        try:
            return self.wire.said(payload, self.body)
        except (CutOffError, LeftAloneError) as error:
            self.turn.failed(error)
        except Exception as error:
            self._memory.steps_aside(error, "a response")
            self.turn.failed(error)
        return None

    def say(self, said: Said | None) -> None:
        """Report what the model said."""
        if said is not None:
            self.turn.said(said.calls, said.answer, said.usage)

    async def asay(self, said: Said | None) -> None:
        """Report what the model said, with async checks."""
        if said is not None:
            await self.turn.asaid(said.calls, said.answer, said.usage)

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
        self._collector = exchange.wire.collector()
        self._chunks: list[bytes] = []

    def feed(self, chunk: bytes) -> Said | None:
        """Take a chunk, and return what the model said if the chunk is the last one of a stream."""
        if not self._exchange.is_streamed:
            self._chunks.append(chunk)
            return None
        try:
            for event in self._events.feed(chunk):
                payload = self._collector.feed(event)
                if payload is not None:
                    return self._exchange.said_of(payload)
        except Exception as error:
            self._exchange.unreadable(error)
        return None

    def end(self) -> Said | None:
        """Return what the model said, at the end of a response that is no stream."""
        if self._exchange.is_streamed:
            return None
        try:
            payload = msgspec.json.decode(b"".join(self._chunks))
        except Exception as error:
            self._exchange.unreadable(error)
            return None
        return self._exchange.said_of(payload)


class Held(msgspec.Struct, frozen=True, eq=False):
    """A request that failed, and that the client may send again.

    Attributes:
        exchange: The request.
        error: How it failed.
    """

    exchange: Exchange
    error: BaseException


_held: ContextVar[Held | None] = ContextVar("muscle_mem_held_request", default=None)


def hold(exchange: Exchange, error: BaseException) -> None:
    """Keep the turn of a request that failed, until the client sends it again or goes on to another."""
    _held.set(Held(exchange, error))


def held_turn(content: bytes, headers: Mapping[str, str]) -> Exchange | None:
    """Return the request that a request repeats, and report the last failure if it repeats none."""
    held = _held.get()
    if held is None:
        return None
    _held.set(None)
    if headers.get(RETRY_HEADER, "0") != "0" and held.exchange.content == content:
        return held.exchange
    held.exchange.failed(held.error)
    return None


def may_be_sent_again(outcome: Any, headers: Mapping[str, str], max_retries: int) -> bool:
    """Return whether a client may send a request again.

    Args:
        outcome: The status of the response, or the exception.
        headers: The headers of the request.
        max_retries: How often the client sends a request again.
    """
    try:
        is_last = int(headers.get(RETRY_HEADER, "0")) >= max_retries
    except ValueError:
        is_last = True
    if is_last or not isinstance(outcome, int):
        return not is_last and isinstance(outcome, Exception)
    return outcome in RETRIED or outcome >= 500
