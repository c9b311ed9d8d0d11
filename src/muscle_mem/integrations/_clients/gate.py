"""The decision about each request of a client.

It is replayed, reported to the memory, or left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ...errors import MuscleMemError
from .._shared import Memory, ModelRequest
from .._shared.nesting import answering, is_another_answering, is_answering
from .exchange import Exchange, ModelStatusError
from .retries import hold, may_be_repeated, repeated
from .wire import LeftAloneError, Said, WireFormat


class Gate:
    """The gate of one wrapped client.

    Args:
        memory: The runs of the engine.
        formats: The wire formats, by the end of the path.
        left_alone: What other requests are, by a part of the path.
        max_retries: How often the client sends a request again.
        as_raised: Makes the exception to raise of one that is meant for the user.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        formats: Mapping[str, WireFormat],
        left_alone: Mapping[str, str],
        max_retries: int,
        as_raised: Callable[[MuscleMemError], BaseException],
    ) -> None:
        self.memory = memory
        self._formats = formats
        self._left_alone = left_alone
        self._max_retries = max_retries
        self._as_raised = as_raised

    # -- before a request is sent

    def begin(self, request: Any) -> Exchange | None:
        """Return the exchange that a request begins or repeats; None if it is left alone."""
        try:
            wire = self._wire(request)
            if wire is None or self._is_inside_another():
                return None
            content: bytes = request.content
            exchange = repeated(content, request.headers)
            return exchange or Exchange(self.memory, wire, content)
        except Exception as error:
            self.memory.steps_aside(error)
            return None

    def _wire(self, request: Any) -> WireFormat | None:
        if request.method != "POST":
            return None
        path = request.url.path.rstrip("/")
        for end, wire in self._formats.items():
            if path.endswith(end):
                return wire
        for part, what in self._left_alone.items():
            if part in path:
                self.memory.leave_alone(what)
        return None

    def _is_inside_another(self) -> bool:
        """Return whether another adapter has seen the request.

        Then that one works, since it would learn our replayed turns.
        """
        engine = self.memory.engine
        if is_another_answering(engine):
            self.memory.leave_alone("another engine around this client has seen the request")
            return True
        return is_answering(engine)

    def ask(self, exchange: Exchange) -> None:
        """Ask the memory what to do about a request."""
        request = self._request(exchange)
        if request is not None:
            try:
                exchange.turn = self.memory.turn(request)
            except MuscleMemError as error:
                raise self._as_raised(error) from None

    async def aask(self, exchange: Exchange) -> None:
        """Ask the memory what to do about a request, with async checks."""
        request = self._request(exchange)
        if request is not None:
            try:
                exchange.turn = await self.memory.aturn(request)
            except MuscleMemError as error:
                raise self._as_raised(error) from None

    def _request(self, exchange: Exchange) -> ModelRequest | None:
        if exchange.turn.kind != "pass":  # It is sent again.
            return None
        try:
            return exchange.wire.request(exchange.body)
        except LeftAloneError as reason:
            self.memory.leave_alone(str(reason), exchange.wire.result_ids(exchange.body))
        except Exception as error:
            self.memory.steps_aside(error)
        return None

    # -- the result

    def say(self, exchange: Exchange, said: Said | None) -> None:
        """Report what the model said, if it said something."""
        if said is not None:
            try:
                exchange.turn.said(said.calls, said.answer, said.usage)
            except MuscleMemError as error:
                raise self._as_raised(error) from None

    async def asay(self, exchange: Exchange, said: Said | None) -> None:
        """Report what the model said, if it said something, with async checks."""
        if said is not None:
            try:
                await exchange.turn.asaid(said.calls, said.answer, said.usage)
            except MuscleMemError as error:
                raise self._as_raised(error) from None

    def answering(self) -> AbstractContextManager[None]:
        """Return a block in which a request is sent that the memory has seen."""
        return answering(self.memory.engine)

    def raised(self, exchange: Exchange, request: Any, error: BaseException) -> None:
        """Note that sending a request raised."""
        if may_be_repeated(error, request.headers, self._max_retries):
            hold(exchange, error)
        else:
            exchange.failed(error)

    def answered_with_error(self, exchange: Exchange, request: Any, status: int) -> None:
        """Note that the response to a request has the status of an error."""
        error = ModelStatusError(f"the model answered with status {status}")
        if may_be_repeated(status, request.headers, self._max_retries):
            hold(exchange, error)
        else:
            exchange.failed(error)
