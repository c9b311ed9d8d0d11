"""Questions and notes of a loop about single calls, which a client does not see."""

from __future__ import annotations

from typing import Any

from ...errors import InvalidTypeError
from .http_client import gate_of


def may_be_made(client: Any, call_id: str) -> bool:
    """Return whether a replayed call may be made now: its pre-check is asked again.

    Ask right before your loop makes a call that waited, for example for a person. If the answer is no, make no call,
    and give the model a text as its result. Calls that are not replayed may always be made.

    Args:
        client: The wrapped client that returned the call.
        call_id: The id of the call.

    Returns:
        Whether it may be made.

    Raises:
        InvalidTypeError: `client` is not a wrapped client.
    """
    return bool(_memory_of(client).confirm(call_id))


async def amay_be_made(client: Any, call_id: str) -> bool:
    """Return whether a replayed call may be made now; see `may_be_made`.

    The checks may be async.

    Args:
        client: The wrapped client that returned the call.
        call_id: The id of the call.

    Returns:
        Whether it may be made.

    Raises:
        InvalidTypeError: `client` is not a wrapped client.
    """
    return bool(await _memory_of(client).aconfirm(call_id))


def was_refused(client: Any, call_id: str, why: str = "") -> None:
    """Note that a person refused a call.

    It does not count against the recording, and the run is not learned.

    Then give the model a text as the result of the call. Without this note, the text is the result of the tool.

    Args:
        client: The wrapped client that returned the call.
        call_id: The id of the call.
        why: What the person said.

    Raises:
        InvalidTypeError: `client` is not a wrapped client.
    """
    _memory_of(client).refused(call_id, why)


async def awas_refused(client: Any, call_id: str, why: str = "") -> None:
    """Note that a person refused a call of an async client; see `was_refused`.

    Args:
        client: The wrapped client that returned the call.
        call_id: The id of the call.
        why: What the person said.

    Raises:
        InvalidTypeError: `client` is not a wrapped client.
    """
    await _memory_of(client).arefused(call_id, why)


def _memory_of(client: Any) -> Any:
    gate = gate_of(getattr(client, "_client", None))
    if gate is None:
        message = f"asking about a call failed: expected a wrapped client, got {type(client).__name__}."
        raise InvalidTypeError(f"{message} Pass the client that wrap_openai or wrap_anthropic returned.")
    return gate.memory
