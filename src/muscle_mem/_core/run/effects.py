"""What a flow asks its driver to do. The driver sends back the result, or throws the exception that came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...errors import InvalidTypeError
from ..model.handover import Handover
from ..tools.check import Check


class Capture(msgspec.Struct):
    """Call a check's capture with a tool's arguments; the answer is the snapshot."""

    check: Check
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Compare(msgspec.Struct):
    """Call a check's compare with (current, candidate); the answer is whatever it returns."""

    check: Check
    current: Any
    candidate: Any


class Invoke(msgspec.Struct):
    """Call a tool; the answer is its result."""

    tool: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Sleep(msgspec.Struct):
    """Wait so many seconds."""

    seconds: float


class Pause(msgspec.Struct):
    """Between two steps of a replay that is stepped from outside: what comes next is looked at when it is asked for."""


class LeadKey(msgspec.Struct):
    """Before the agent runs on a miss that may be learned: let one run at a time learn a key.

    The answer is the number of seconds after which to ask again; or the candidates of a key if there is one
    new since `seen`; or none, and the agent may run.
    """

    seen: Any


class RunAgent(msgspec.Struct):
    """Call the user's agent with the task's own arguments, and the hand-over where it names one."""

    handover: Handover | None = None


class RunCallback(msgspec.Struct):
    """Call a function of the user's (success, approve, result) with these keyword arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


class RunStoreCall(RunCallback):
    """Call a function of the engine's own that may wait for the store."""


class Save(msgspec.Struct):
    """Seal a recording; the answer is whether the store took it."""

    recording: Any


Effect = Capture | Compare | Invoke | Sleep | Pause | LeadKey | RunAgent | RunCallback | RunStoreCall | Save


_CALLEES = {"RunAgent": "the agent", "Invoke": "a tool", "RunCallback": "a callback"}
_CALLEES |= {"Capture": "a capture", "Compare": "a compare"}


def refuse_awaitable(answer: Any, what: str) -> None:
    """An awaitable under the plain call would never run: close it, and say what to do. `what` names the effect."""
    close = getattr(answer, "close", None)
    if close is not None:
        close()
    raise InvalidTypeError(
        f"{_CALLEES.get(what, what)} returned an awaitable under the plain call, where nothing can be awaited; call "
        "the engine with `await engine.acall(...)`"
    )
