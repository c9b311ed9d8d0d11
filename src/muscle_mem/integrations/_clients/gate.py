"""What becomes of each request of a client: it is replayed, reported to the memory, or left alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .._shared import Memory
from .exchange import Exchange, held_turn
from .wire import LeftAloneError, WireFormat


class Gate:
    """The gate of one wrapped client.

    Args:
        memory: The runs of the engine.
        formats: The wire formats by the end of the path.
        left_alone: What to say of other paths, by a part of the path.
        max_retries: How often the client sends a request again.
    """

    def __init__(
        self,
        memory: Memory,
        *,
        formats: Mapping[str, WireFormat],
        left_alone: Mapping[str, str],
        max_retries: int,
    ) -> None:
        self.memory = memory
        self.max_retries = max_retries
        self._formats = formats
        self._left_alone = left_alone

    def begin(self, request: Any) -> Exchange | None:
        """Return a request as one that the memory may answer; None if it is left alone."""
        try:
            return self._begin(request)
        except LeftAloneError as reason:
            self.memory.leaves_alone(str(reason))
        except Exception as error:
            self.memory.steps_aside(error)
        return None

    def _begin(self, request: Any) -> Exchange | None:
        if request.method != "POST":
            return None
        path = request.url.path.rstrip("/")
        wire = next((wire for end, wire in self._formats.items() if path.endswith(end)), None)
        if wire is None:
            self._note_other(path)
            return None
        content = request.content
        exchange = held_turn(content, request.headers)
        if exchange is None:
            exchange = Exchange(self.memory, wire, msgspec.json.decode(content), content)
        return exchange

    def _note_other(self, path: str) -> None:
        for part, what in self._left_alone.items():
            if part in path:
                self.memory.leaves_alone(what)
                return

    def ask(self, exchange: Exchange) -> None:
        """Ask the memory about a request."""
