"""Copies of clients that send by a gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import InvalidTypeError, MuscleMemError
from .._shared import Memory
from .gate import Gate
from .http_client import gate_of, wrapped_http_client
from .wire import WireFormat


def wrapped_copy(
    client: Any,
    engine: Any,
    *,
    framework: str,
    expected: str,
    formats: Mapping[str, WireFormat],
    left_alone: Mapping[str, str],
    as_raised: Callable[[MuscleMemError], BaseException],
    answer: Any,
    tools: Sequence[str] | None,
    rejoin: bool,
) -> Any:
    """Return a copy of a client that sends by a gate.

    It is a plain copy if the engine is around the client already.

    Args:
        client: The client.
        engine: The engine.
        framework: The name of the client's package, also for messages.
        expected: What is expected, for messages.
        formats: The wire formats, by the end of the path.
        left_alone: What other requests are, by a part of the path.
        as_raised: Makes the exception to raise of one that is meant for the user.
        answer, tools, rejoin: As for `Memory`.

    Raises:
        InvalidTypeError: The client is not a client of the package, or the engine is not an engine.
    """
    if not _is_client(client, framework):
        message = f"wrapping the client failed: expected {expected}, got {type(client).__name__}."
        raise InvalidTypeError(f"{message} Pass the client itself, not its class or a part of it.")
    if not hasattr(engine, "_runtime"):
        message = f"wrapping the client failed: expected an Engine, got {type(engine).__name__}."
        raise InvalidTypeError(f"{message} Pass the client first, and then the engine.")
    inner = client._client
    known = gate_of(inner)
    if known is not None and known.memory.engine is engine:
        return client.copy()
    memory = Memory(engine, framework=framework, answer=answer, tools=tools, rejoin=rejoin, confirms=False)
    gate = Gate(memory, formats=formats, left_alone=left_alone, max_retries=client.max_retries, as_raised=as_raised)
    return client.copy(http_client=wrapped_http_client(inner, gate))


def _is_client(client: Any, package: str) -> bool:
    modules = {kind.__module__.partition(".")[0] for kind in type(client).__mro__}
    return package in modules and all(hasattr(client, name) for name in ("_client", "copy", "max_retries"))
