"""What a session says: make this call, give the model this answer, ask the model, or finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from .._core.model.handover import Handover
from .._core.model.outcome import Outcome, TextRedactor, redacted_repr


class Call(msgspec.Struct, frozen=True, eq=False):
    """Make this call now, and tell what came of it with `session.done(call, result)`. Its pre-check has just passed
    (in a parallel group: before the group's first call).

    tool: the tool's stored name. name: its last part, as a model knows it. arguments: by name, without those that the
    tool ignores. args, kwargs: everything, a method's object first, so that `fn(*args, **kwargs)` makes the call;
    `fn` is the function that was registered, undecorated. replayed: whether it comes from a recording; else the model
    asked for it, by this `id`. `hide` takes the run's secrets out of texts, as repr() does.
    """

    __module__ = "muscle_mem"

    id: str
    tool: str
    name: str
    arguments: dict[str, Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    fn: Callable[..., Any]
    replayed: bool
    hide: TextRedactor = str

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class Answered(msgspec.Struct, frozen=True, eq=False):
    """The model asked for what this run has done already (on_divergence="absorb"): give it this, and make no call."""

    __module__ = "muscle_mem"

    id: str
    tool: str
    name: str
    result: Any
    error: BaseException | None
    hide: TextRedactor = str

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class AskAgent(msgspec.Struct, frozen=True, eq=False):
    """Let the model speak, and tell what it wants with `session.said(calls)`.

    `handover` is what a replay did before it stopped, given once: `handover.as_messages()` are its steps as if the
    model had made them. None after a miss, and when the model's own calls have been made.
    """

    __module__ = "muscle_mem"

    handover: Handover | None = None


class Finished(msgspec.Struct, frozen=True, eq=False):
    """The run is over."""

    __module__ = "muscle_mem"

    outcome: Outcome


Turn = Call | Answered | AskAgent | Finished
