"""Replayed responses that an application refers to by their ids.

The provider does not know these ids.
"""

from __future__ import annotations

import threading
from typing import Any

from .wire import Body

MAX_RESPONSES = 256
REFERENCE = "previous_response_id"


def items_of(body: Body) -> list[Body]:
    """Return the input of a request as a list of items."""
    given = body.get("input") or []
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given)


class ReplayedResponses:
    """The last replayed responses, each with the conversation that it ends."""

    def __init__(self) -> None:
        self._conversations: dict[str, list[Body]] = {}
        self._lock = threading.Lock()

    def note(self, response_id: str, body: Body, output: list[Body]) -> None:
        """Note a replayed response.

        Args:
            response_id: Its id.
            body: The request that it answers.
            output: Its items.
        """
        with self._lock:
            self._conversations[response_id] = [*items_of(body), *output]
            if len(self._conversations) > MAX_RESPONSES:
                del self._conversations[next(iter(self._conversations))]

    def completed(self, body: Body) -> Body:
        """Return a request with the conversation instead of a replayed response's id."""
        reference: Any = body.get(REFERENCE)
        conversation = self._conversations.get(reference) if isinstance(reference, str) else None
        if conversation is None:
            return body
        rest = {name: value for name, value in body.items() if name != REFERENCE}
        return {**rest, "input": [*conversation, *items_of(body)]}
