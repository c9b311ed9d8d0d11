"""Effects: requests of a flow to its driver.

The driver sends the result back into the flow, or throws the exception that was raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ...errors import InvalidTypeError
from ..model.handover import Handover
from ..model.reason import Reason
from ..tools.check import Check


class Capture(msgspec.Struct):
    """Call a check's capture with the arguments of a tool; the result is the snapshot."""

    check: Check
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Compare(msgspec.Struct):
    """Call a check's compare with (current, candidate); the result is its answer."""

    check: Check
    current: Any
    candidate: Any


class Invoke(msgspec.Struct):
    """Call a tool; the result is the tool's result.

    `said` are the arguments as the model said them, if they are others.
    """

    tool: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    said: tuple[tuple[Any, ...], dict[str, Any]] | None = None


class InvokeTurn(msgspec.Struct):
    """Hand out the calls of a turn of a replay; the result is a list of answers.

    A turn is one step, or the steps that open a parallel group. An answer is `Made` or `NotMade`. In place of the
    answers, `Confirm` asks for another verdict of a pre-check first.
    """

    calls: tuple[Invoke, ...]
    positions: tuple[int, ...]


class Made(msgspec.Struct):
    """A call that was made, and what it returned or raised."""

    result: Any = None
    error: BaseException | None = None


class NotMade(msgspec.Struct):
    """A call that was not made.

    `refusal` says why. It is None if another call of its turn was the reason.
    """

    refusal: Any = None


class Confirm(msgspec.Struct):
    """Ask the pre-check of a handed out call again; the result is a `Confirmed`.

    `position` is that of its step.
    """

    position: int


class Confirmed(msgspec.Struct):
    """The verdict that `Confirm` asked for: None, or a refusal.

    The result is that of the `InvokeTurn`.
    """

    refusal: Any = None


class CallRefusedError(Exception):
    """Thrown into the recording of a call that was not made, such as a refused one."""


class Sleep(msgspec.Struct):
    """Wait for a number of seconds."""

    seconds: float


class Pause(msgspec.Struct):
    """A point between two steps of a replay in a session.

    The next step is prepared when the session asks for it.
    """


class LeadKey(msgspec.Struct):
    """Let one run at a time learn a key; yielded before the agent runs on a miss.

    The result is the number of seconds after which to ask again; or candidates of the key that were stored since
    `seen`; or an empty list, and the agent may run. With `waits` false, the run asks only once.
    """

    seen: Any
    waits: bool = True


class RunAgent(msgspec.Struct):
    """Call the agent with the task's arguments, and the hand-over if it takes one.

    `reason` and `message` say why nothing, or not everything, was replayed.
    """

    handover: Handover | None = None
    reason: Reason = Reason.MODE
    message: str = ""


class RunCallback(msgspec.Struct):
    """Call a user's function (success, approve, result) with positional arguments."""

    function: Callable[..., Any]
    args: tuple[Any, ...]


class RunStoreCall(RunCallback):
    """Call an internal function that may wait for the store."""


class Save(msgspec.Struct):
    """Seal a recording; the result says whether the store accepted it."""

    recording: Any


Effect = (
    Capture
    | Compare
    | Invoke
    | InvokeTurn
    | Confirmed
    | Sleep
    | Pause
    | LeadKey
    | RunAgent
    | RunCallback
    | RunStoreCall
    | Save
)


_CALLEES = {"RunAgent": "the agent", "Invoke": "a tool", "RunCallback": "a callback"}
_CALLEES |= {"Capture": "a capture", "Compare": "a compare"}


def refuse_awaitable(answer: Any, what: str) -> None:
    """Close an awaitable that a plain call cannot await, and raise InvalidTypeError.

    `what` is the name of the effect, or of what returned the awaitable.
    """
    close = getattr(answer, "close", None)
    if close is not None:
        close()
    raise InvalidTypeError(
        f"{_CALLEES.get(what, what)} returned an awaitable in a plain call, which cannot await it. Call the engine "
        "with `await engine.acall(...)`."
    )
