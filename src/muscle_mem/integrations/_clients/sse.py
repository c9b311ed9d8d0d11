"""Server-sent events: reading them from chunks of bytes, and writing them."""

from __future__ import annotations

import json
from typing import Any

DONE = "[DONE]"
Event = tuple[str, str]
"""The name of an event, which may be empty, and its data."""


class EventReader:
    """Reader of the events in a stream of bytes, however it is cut into chunks."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that end in the next chunk."""
        lines = (self._rest + chunk).splitlines(keepends=True)
        self._rest = b""
        # A chunk may end in the middle of a line, or between the two characters of its end.
        if lines and not lines[-1].endswith(b"\n"):
            self._rest = lines.pop()
        found = [self._take(line.rstrip(b"\r\n").decode("utf-8", "replace")) for line in lines]
        return [event for event in found if event is not None]

    def _take(self, line: str) -> Event | None:
        if not line:
            event = (self._name, "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None


def event_bytes(name: str, data: Any) -> bytes:
    """Return the bytes of an event.

    Args:
        name: The name of the event; empty for none.
        data: A JSON value, or a text that is sent as it is.
    """
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
