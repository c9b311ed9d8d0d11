"""The calls that an adapter has handed out, and where the guardrail finds them."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from typing import Any

from ..._session import hosted
from .._shared import Memory

MAX_CALLS = 10_000


class HandedOut:
    """A call that stands in a response of an adapter, until its result comes.

    Attributes:
        memory: The memory that handed it out.
        mark: What a replayed call is marked with; empty for a call of the model's own.
        is_guarded: Whether its tool has the guardrail.
        needs_approval: Whether a person approves each call of its tool.
        was_entered: Whether the guardrail has seen it, that is, whether it was not refused before.
    """

    __slots__ = ("_inside", "is_guarded", "mark", "memory", "needs_approval", "was_entered")

    def __init__(self, memory: Memory, mark: dict[str, Any], *, is_guarded: bool, needs_approval: bool) -> None:
        self.memory = memory
        self.mark = mark
        self.is_guarded = is_guarded
        self.needs_approval = needs_approval
        self.was_entered = False
        self._inside: AbstractContextManager[Any] | None = None

    def enter(self, call_id: str) -> None:
        """Make the run that of the current task, which calls the tool next.

        It is left when the result has come.
        """
        self.was_entered = True
        self._inside = self.memory.inside(call_id)
        self._inside.__enter__()

    def leave(self) -> None:
        """Leave the run, mostly from another task than it was entered in."""
        inside, self._inside = self._inside, None
        if inside is not None:
            inside.__exit__(None, None, None)


class Ledger:
    """The calls handed out for one engine by its adapters of the SDK.

    The oldest are dropped.
    """

    def __init__(self) -> None:
        self._calls: dict[str, HandedOut] = {}
        self._lock = threading.Lock()

    def note(self, call_id: str, call: HandedOut) -> None:
        """Keep a call."""
        with self._lock:
            self._calls[call_id] = call
            if len(self._calls) > MAX_CALLS:
                del self._calls[next(iter(self._calls))]

    def find(self, call_id: str) -> HandedOut | None:
        """Return a call, or None."""
        return self._calls.get(call_id)

    def take(self, call_id: str) -> HandedOut | None:
        """Return a call whose result has come, and drop it."""
        with self._lock:
            return self._calls.pop(call_id, None)


def ledger_of(engine: Any) -> Ledger:
    """Return the ledger of an engine."""
    return hosted.kept(engine, "openai_agents", Ledger)
