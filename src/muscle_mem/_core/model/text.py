"""Short texts for messages: a bounded repr of any object."""

from __future__ import annotations

import reprlib
from typing import Any

_CONTAINERS = (list, tuple, dict, set, frozenset)


def _repr_limiter(limit: int) -> reprlib.Repr:
    """Return a Repr that reads no more of a container than it shows."""
    bounded = reprlib.Repr()
    bounded.maxlist = bounded.maxtuple = bounded.maxdict = bounded.maxset = bounded.maxfrozenset = limit // 3
    bounded.maxstring = bounded.maxlong = bounded.maxother = limit
    return bounded


def safe_repr(value: Any, limit: int = 120) -> str:
    """Return a bounded one-line repr of any object; never raise."""
    try:
        text = _repr_limiter(limit).repr(value) if type(value) in _CONTAINERS else repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    text = text.replace("\n", "\\n").replace("\r", "\\r")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def long_repr(value: Any) -> str:
    """Return the repr of a user's exception or return value for a message.

    An error in its `__repr__` does not reach the agent.
    """
    return safe_repr(value, 1000)
