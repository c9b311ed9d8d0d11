"""Requests that note what other middleware changes behind this one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from langchain.agents.middleware.types import ModelRequest
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from .messages import split_content

INSTRUCTIONS = ("system_message", "system_prompt")


class WatchedRequest(ModelRequest):  # type: ignore[type-arg]
    """A request of the framework that notes what is changed in it.

    The key of a task holds what this middleware sees. What middleware behind it writes into the instructions or the
    messages would be missing there, so such a run is not learned.
    """

    def override(self, **overrides: Any) -> ModelRequest[Any]:
        """Return a changed request, and note the change."""
        made = super().override(**overrides)
        changes: list[dict[str, Any]] = getattr(self, "_changes", [])
        changes.append(overrides)
        object.__setattr__(made, "_changes", changes)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if hasattr(self, "_changes"):
            self._changes.append({name: value})


class Watch:
    """What becomes of a request behind this middleware.

    Attributes:
        request: The request to pass on.
    """

    def __init__(self, request: ModelRequest[Any]) -> None:
        self._seen = request
        self._changes: list[dict[str, Any]] = []
        fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
        self.request: ModelRequest[Any] = WatchedRequest(**{**fields, "messages": list(request.messages)})
        object.__setattr__(self.request, "_changes", self._changes)

    def unseen_change(self) -> str:
        """Return what was written into the request: "instructions", "messages" or nothing.

        Marks for the cache of a provider change no text.
        """
        for change in self._changes:
            if any(_text(change[name]) != _text(self._seen.system_prompt) for name in INSTRUCTIONS if name in change):
                return "instructions"
        lists = [change["messages"] for change in self._changes if "messages" in change]
        return "messages" if any(map(self._has_unknown, [*lists, self.request.messages])) else ""

    def _has_unknown(self, messages: Sequence[BaseMessage]) -> bool:
        """Return whether a message is not in the request.

        A result of a tool may be shorter than it was there.
        """
        seen = set(map(id, self._seen.messages))
        others = [message for message in messages if id(message) not in seen]
        if not others:
            return False
        known = set(map(_content, self._seen.messages))
        return any(_content(message) not in known for message in others)


def _text(instructions: Any) -> str:
    return "" if instructions is None else split_content(getattr(instructions, "content", instructions))[0]


def _content(message: BaseMessage) -> Any:
    """Return what a message says; for a result of a tool, whose it is."""
    if isinstance(message, ToolMessage):
        return message.tool_call_id
    if isinstance(message, AIMessage) and message.id:
        return message.id
    text, parts = split_content(message.content)
    return message.type, text, tuple((part.kind, part.data, part.url) for part in parts)
