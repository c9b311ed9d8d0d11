"""Anthropic clients that record and replay: `wrap_anthropic(client, engine)`.

The returned copy replays the tool calls of known tasks through your loop. See the page "Anthropic client" of the
documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from ..errors import MuscleMemError
from ._clients.installed import ensure_version, raise_missing
from ._clients.messages import AnthropicMessages
from ._clients.people import amay_be_made, awas_refused, may_be_made, was_refused
from ._clients.wire import WireFormat
from ._clients.wrapping import wrapped_copy

try:
    import anthropic
except ImportError as error:
    raise_missing("anthropic", error)
ensure_version("anthropic", anthropic.__version__, lowest=1)

__all__ = ["amay_be_made", "awas_refused", "may_be_made", "was_refused", "wrap_anthropic"]

ClientT = TypeVar("ClientT")

FORMATS: Final[dict[str, WireFormat]] = {"/v1/messages": AnthropicMessages()}
LEFT_ALONE: Final = {
    "/messages/batches": "batches are answered later",
    "/complete": "completions without messages have no tool calls",
    "/invoke": "it has the wire format of another provider",
    ":rawPredict": "it has the wire format of another provider",
    ":streamRawPredict": "it has the wire format of another provider",
}


def wrap_anthropic(
    client: ClientT,
    engine: Any,
    *,
    answer: str | Callable[..., Any] | None = None,
    tools: Sequence[str] | None = None,
    rejoin: bool = False,
) -> ClientT:
    """Return a copy of a client that replays the tool calls of known tasks.

    Messages are replayed. All other requests are sent as before. The original client is not changed, and both use its
    HTTP client.

    Args:
        client: An `Anthropic` or `AsyncAnthropic` client, or another client of the package.
        engine: The engine that records and replays.
        answer: The source of a hit's final answer: None or "auto" (the recorded answer if the tools' results are as
            recorded, otherwise the model), "model", or a function of the results.
        tools: The names of the tools that your loop can call. By default, those of each request.
        rejoin: Whether a stopped replay resumes after the model has made another call.

    Returns:
        The copy.

    Raises:
        InvalidTypeError: `client` is not a client of Anthropic, or `engine` is not an engine.
    """
    copy: ClientT = wrapped_copy(
        client,
        engine,
        framework="anthropic",
        expected="an Anthropic or AsyncAnthropic client",
        formats=FORMATS,
        left_alone=LEFT_ALONE,
        as_raised=_as_anthropic_error,
        answer=answer,
        tools=tools,
        rejoin=rejoin,
    )
    return copy


def _as_anthropic_error(error: MuscleMemError) -> BaseException:
    """Return an error that the client lets pass.

    It takes any other for a failed connection, and tries again.
    """
    kind = type(error)
    mixed = type(kind.__name__, (kind, anthropic.AnthropicError), {"__module__": kind.__module__})
    passed: BaseException = mixed.__new__(mixed, *error.args)
    passed.args = error.args
    passed.__dict__.update(error.__dict__)
    return passed.with_traceback(error.__traceback__)
