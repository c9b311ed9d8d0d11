"""OpenAI clients that record and replay: `wrap_openai(client, engine)`.

The returned copy replays the tool calls of known tasks through your loop. See the page "OpenAI client" of the
documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from ..errors import MuscleMemError
from ._clients.chat import ChatCompletions
from ._clients.installed import ensure_version, raise_missing
from ._clients.people import amay_be_made, awas_refused, may_be_made, was_refused
from ._clients.responses import Responses
from ._clients.wire import WireFormat
from ._clients.wrapping import wrapped_copy

try:
    import openai
except ImportError as error:
    raise_missing("openai", error)
ensure_version("openai", openai.__version__, lowest=3)

__all__ = ["amay_be_made", "awas_refused", "may_be_made", "was_refused", "wrap_openai"]

ClientT = TypeVar("ClientT")

FORMATS: Final[dict[str, WireFormat]] = {"/chat/completions": ChatCompletions(), "/responses": Responses()}
LEFT_ALONE: Final = {
    "/batches": "batches are answered later",
    "/completions": "completions without messages have no tool calls",
    "/threads": "the server keeps the history of assistants",
    "/invoke": "it has the wire format of another provider",
    "/converse": "it has the wire format of another provider",
}


def wrap_openai(
    client: ClientT,
    engine: Any,
    *,
    answer: str | Callable[..., Any] | None = None,
    tools: Sequence[str] | None = None,
    rejoin: bool = False,
) -> ClientT:
    """Return a copy of a client that replays the tool calls of known tasks.

    Chat completions and responses are replayed. All other requests are sent as before. The original client is not
    changed, and both use its HTTP client.

    Args:
        client: An `OpenAI` or `AsyncOpenAI` client, or one of their subclasses, such as `AzureOpenAI`.
        engine: The engine that records and replays.
        answer: The source of a hit's final answer: None or "auto" (the recorded answer if the tools' results are as
            recorded, otherwise the model), "model", or a function of the results.
        tools: The names of the tools that your loop can call. By default, those of each request.
        rejoin: Whether a stopped replay resumes after the model has made another call.

    Returns:
        The copy.

    Raises:
        InvalidTypeError: `client` is not a client of OpenAI, or `engine` is not an engine.
    """
    copy: ClientT = wrapped_copy(
        client,
        engine,
        framework="openai",
        expected="an OpenAI or AsyncOpenAI client",
        formats=FORMATS,
        left_alone=LEFT_ALONE,
        as_raised=_unchanged,
        answer=answer,
        tools=tools,
        rejoin=rejoin,
    )
    return copy


def _unchanged(error: MuscleMemError) -> BaseException:
    return error
