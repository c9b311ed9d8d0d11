"""HTTP clients that ask a gate before they send.

The client that they wrap does the rest.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from types import ModuleType
from typing import Any

from .exchange import Exchange, ResponseReader
from .gate import Gate
from .streams import replayed_response, reported_response

LIBRARIES = ("httpx2", "httpx")


def wrapped_http_client(inner: Any, gate: Gate) -> Any:
    """Return a client of the same library that sends by another.

    It does not send if the gate has the answer.

    Args:
        inner: The client that sends.
        gate: What is asked before.

    Raises:
        TypeError: The client is of no known library.
    """
    for kind in type(inner).__mro__:
        library = sys.modules.get(kind.__module__.partition(".")[0])
        if library is not None and library.__name__ in LIBRARIES:
            is_async = issubclass(kind, library.AsyncClient)
            return _client_class(library, is_async)(inner, gate, library)
    raise TypeError(f"wrapping the HTTP client failed: expected one of httpx2 or httpx, got {type(inner).__name__}.")


def gate_of(http_client: Any) -> Gate | None:
    """Return the gate of an HTTP client that was wrapped, or None."""
    return http_client._gate if isinstance(http_client, _Wrapped) else None


class _Wrapped:
    """The common part of the sync and the async client.

    What is not here is the wrapped client's.
    """

    _inner: Any
    _gate: Gate
    _library: ModuleType

    def __init__(self, inner: Any, gate: Gate, library: ModuleType) -> None:
        # The state of the library's client is the wrapped client's, so that its constructor is not called.
        self.__dict__.update(_inner=inner, _gate=gate, _library=library)

    def __getattr__(self, name: str) -> Any:
        if "_inner" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._inner, name, value)

    def build_request(self, *args: Any, **kwargs: Any) -> Any:
        """Build a request; see the library."""
        return self._inner.build_request(*args, **kwargs)

    def _replayed(self, exchange: Exchange, request: Any, *, is_stream: bool) -> Any:
        """Return the response that a replayed turn is, or None."""
        if not exchange.is_replayed:
            return None
        try:
            return replayed_response(self._library, exchange, request, is_stream=is_stream)
        except Exception as error:
            self._gate.memory.steps_aside(error)
            return None

    def _rewritten(self, exchange: Exchange, request: Any) -> Any:
        """Return a request in the form in which the provider understands it."""
        if not exchange.is_rewritten:
            return request
        headers = [(name, value) for name, value in request.headers.multi_items() if name != "content-length"]
        content = json.dumps(exchange.body).encode()
        return self._library.Request(
            request.method, request.url, headers=headers, content=content, extensions=request.extensions
        )

    def _reported(self, exchange: Exchange, response: Any) -> Any:
        return reported_response(self._library, self._gate, exchange, response)


class _SyncWrapped(_Wrapped):
    def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Send a request, or return what the gate answers."""
        exchange = self._gate.begin(request)
        if exchange is not None:
            self._gate.ask(exchange)
        if exchange is None:
            return self._inner.send(request, stream=stream, **options)
        replayed = self._replayed(exchange, request, is_stream=stream)
        if replayed is not None:
            return replayed
        request = self._rewritten(exchange, request)
        if exchange.turn.kind != "ask":
            return self._inner.send(request, stream=stream, **options)
        try:
            with self._gate.answering():
                response = self._inner.send(request, stream=stream, **options)
        except BaseException as error:
            self._gate.raised(exchange, request, error)
            raise
        if not response.is_success:
            self._gate.answered_with_error(exchange, request, response.status_code)
            return response
        if stream:
            return self._reported(exchange, response)
        reader = ResponseReader(exchange)
        self._gate.say(exchange, reader.feed(response.content) or reader.end())
        return response

    def close(self) -> None:
        """Close the wrapped client."""
        self._inner.close()

    def __enter__(self) -> Any:
        self._inner.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._inner.__exit__(*raised)


class _AsyncWrapped(_Wrapped):
    async def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Send a request, or return what the gate answers."""
        exchange = self._gate.begin(request)
        if exchange is not None:
            await self._gate.aask(exchange)
        if exchange is None:
            return await self._inner.send(request, stream=stream, **options)
        replayed = self._replayed(exchange, request, is_stream=stream)
        if replayed is not None:
            return replayed
        request = self._rewritten(exchange, request)
        if exchange.turn.kind != "ask":
            return await self._inner.send(request, stream=stream, **options)
        try:
            with self._gate.answering():
                response = await self._inner.send(request, stream=stream, **options)
        except BaseException as error:
            self._gate.raised(exchange, request, error)
            raise
        if not response.is_success:
            self._gate.answered_with_error(exchange, request, response.status_code)
            return response
        if stream:
            return self._reported(exchange, response)
        reader = ResponseReader(exchange)
        await self._gate.asay(exchange, reader.feed(response.content) or reader.end())
        return response

    async def aclose(self) -> None:
        """Close the wrapped client."""
        await self._inner.aclose()

    async def __aenter__(self) -> Any:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self._inner.__aexit__(*raised)


@lru_cache(maxsize=8)
def _client_class(library: ModuleType, is_async: bool) -> Any:
    if is_async:
        return type("MuscleMemAsyncClient", (_AsyncWrapped, library.AsyncClient), {})
    return type("MuscleMemClient", (_SyncWrapped, library.Client), {})
