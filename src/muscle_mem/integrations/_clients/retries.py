"""Requests that a client sends again: they are one turn."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

import msgspec

from .exchange import Exchange

RETRY_HEADER: Final = "x-stainless-retry-count"
RETRIED: Final = frozenset((408, 409, 429))
"""The statuses below 500 after which a client sends a request again."""


class Held(msgspec.Struct, frozen=True, eq=False):
    """A request that failed, and that the client may send again.

    Attributes:
        exchange: The request.
        error: How it failed.
    """

    exchange: Exchange
    error: BaseException


# A client sends a request again in the context in which it sent it first.
_held: ContextVar[Held | None] = ContextVar("muscle_mem_held_request", default=None)


def hold(exchange: Exchange, error: BaseException) -> None:
    """Keep the turn of a request that failed.

    It is kept until the client sends it again or goes on to another.

    Args:
        exchange: The request.
        error: What to report if it is not sent again.
    """
    _held.set(Held(exchange, error))


def repeated(content: bytes, headers: Mapping[str, str]) -> Exchange | None:
    """Return the exchange that a request repeats.

    If it does not repeat one, report the failure of the one before.

    Args:
        content: The body of the request.
        headers: Its headers.
    """
    held = _held.get()
    if held is None:
        return None
    _held.set(None)
    if headers.get(RETRY_HEADER, "0") != "0" and held.exchange.content == content:
        return held.exchange
    held.exchange.failed(held.error)
    return None


def may_be_repeated(outcome: Any, headers: Mapping[str, str], max_retries: int) -> bool:
    """Return whether a client may send a request again.

    Args:
        outcome: The status of the response, or the exception.
        headers: The headers of the request.
        max_retries: How often the client sends a request again.
    """
    sent_again = headers.get(RETRY_HEADER, "")
    if not sent_again.isdigit() or int(sent_again) >= max_retries:
        return False
    return outcome in RETRIED or outcome >= 500 if isinstance(outcome, int) else isinstance(outcome, Exception)
