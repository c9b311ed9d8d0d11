"""Responses of a wrapped client.

They are replayed, or of the model and read as they pass.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import lru_cache
from types import ModuleType
from typing import Any

from .exchange import AbandonedError, Exchange, ResponseReader
from .gate import Gate

ENCODED = ("content-encoding", "content-length", "transfer-encoding")
"""The headers of a body that do not hold of the decoded one."""


def replayed_response(library: ModuleType, exchange: Exchange, request: Any, *, is_stream: bool) -> Any:
    """Return the response that a replayed turn is.

    Args:
        library: The HTTP library of the client.
        exchange: The turn.
        request: The request.
        is_stream: Whether the client reads the response itself.
    """
    headers, chunks = exchange.replayed()
    made: dict[str, Any] = {"stream": _stream_class(library)(chunks)} if is_stream else {"content": b"".join(chunks)}
    response = library.Response(200, headers=headers, request=request, extensions={"http_version": b"HTTP/1.1"}, **made)
    response.elapsed = timedelta(0)
    return response


def reported_response(library: ModuleType, gate: Gate, exchange: Exchange, response: Any) -> Any:
    """Return a response that reports what it says while the client reads it.

    Args:
        library: The HTTP library of the client.
        gate: Where to report it.
        exchange: The request.
        response: The response of the model, unread.
    """
    headers = response.headers.multi_items()
    if "content-encoding" in response.headers:
        headers = [(name, value) for name, value in headers if name.lower() not in ENCODED]
    is_async = isinstance(response.stream, library.AsyncByteStream)
    stream = (_async_tee_class if is_async else _tee_class)(library)(gate, exchange, response)
    reported = library.Response(
        response.status_code,
        headers=headers,
        stream=stream,
        request=response.request,
        extensions=response.extensions,
        history=response.history,
        default_encoding=response.default_encoding,
    )
    stream.reported = reported
    return reported


@lru_cache(maxsize=4)
def _stream_class(library: ModuleType) -> Any:
    class Chunks(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc, name-defined]
        """A body of chunks that are there already."""

        def __init__(self, chunks: list[bytes]) -> None:
            self._chunks = iter(chunks)

        def __iter__(self) -> Iterator[bytes]:
            yield from self._chunks

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in self._chunks:
                yield chunk

    return Chunks


class _Tee:
    """A body that is read by the client and by a gate.

    Attributes:
        reported: The response with this body.
    """

    reported: Any = None

    def __init__(self, gate: Gate, exchange: Exchange, response: Any) -> None:
        self._gate = gate
        self._exchange = exchange
        self._response = response
        self._reader = ResponseReader(exchange)

    def _note_close(self) -> None:
        self.reported.elapsed = self._response.elapsed
        self._exchange.failed(AbandonedError("the response of the model was not read to its end"))


@lru_cache(maxsize=4)
def _tee_class(library: ModuleType) -> Any:
    class Tee(_Tee, library.SyncByteStream):  # type: ignore[misc, name-defined]
        """A body of a sync client."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self._chunks = self._response.iter_bytes()

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self._chunks:
                self._gate.say(self._exchange, self._reader.feed(chunk))
                yield chunk
            self._gate.say(self._exchange, self._reader.end())

        def close(self) -> None:
            self._response.close()
            self._note_close()

    return Tee


@lru_cache(maxsize=4)
def _async_tee_class(library: ModuleType) -> Any:
    class AsyncTee(_Tee, library.AsyncByteStream):  # type: ignore[misc, name-defined]
        """A body of an async client."""

        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self._chunks = self._response.aiter_bytes()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._chunks:
                await self._gate.asay(self._exchange, self._reader.feed(chunk))
                yield chunk
            await self._gate.asay(self._exchange, self._reader.end())

        async def aclose(self) -> None:
            await self._response.aclose()
            self._note_close()

    return AsyncTee
