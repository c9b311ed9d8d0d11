"""The values that `session.next()` returns."""

from collections.abc import Callable
from typing import Any

import msgspec

from .._core.model.handover import Handover
from .._core.model.outcome import Outcome, TextRedactor, redacted_repr
from .._core.model.reason import Reason


class Call(msgspec.Struct, frozen=True, eq=False):
    """A call to make now; pass its result to `session.done(call, result)`.

    Its pre-check has just passed. The pre-checks of a turn's calls pass before the first of them is made.

    Attributes:
        id: The id of the call; that of the model's request, if there was one.
        tool: The stored name of the tool.
        name: The last part of the stored name, as a model knows it.
        arguments: The arguments by name, as the model sent them and in its order, without those that the tool ignores.
        args: All positional arguments, starting with the object of a method.
        kwargs: All keyword arguments, so that `fn(*args, **kwargs)` makes the call. Arguments that a model sent as JSON
            have the types that the function declares.
        fn: The registered function, undecorated.
        replayed: Whether the call comes from a recording. Otherwise the model requested it.
        hide: A function that removes the run's secrets from a text, as repr() does.
        turn: The number of the turn in its run, from 0. Calls with the same number belong together: all may be made
            before the first is done.
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
    turn: int = 0

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class Answered(msgspec.Struct, frozen=True, eq=False):
    """The result of a step that this run has already executed.

    Pass it to the model, and make no call.

    Attributes:
        id: The id of the model's request, or a generated one.
        tool: The stored name of the tool.
        name: The last part of the stored name, as a model knows it.
        result: What the tool returned.
        error: The exception that it raised, or None.
        hide: A function that removes the run's secrets from a text, as repr() does.
        turn: The number of the turn in its run; see `Call`.
    """

    __module__ = "muscle_mem"

    id: str
    tool: str
    name: str
    result: Any
    error: BaseException | None
    hide: TextRedactor = str
    turn: int = 0

    def __repr__(self) -> str:
        return redacted_repr(self, self.hide)


class AskAgent(msgspec.Struct, frozen=True, eq=False):
    """A request to call the model; pass its calls to `session.said(calls)`.

    Attributes:
        handover: What a replay did before it stopped, on the first request after it; `handover.as_messages()` returns
            its steps as chat messages. None after a miss and on later requests.
        reason: Why the run is not a hit.
        message: The same in words, without secrets.
    """

    __module__ = "muscle_mem"

    handover: Handover | None = None
    reason: Reason = Reason.MODE
    message: str = ""


class Finished(msgspec.Struct, frozen=True, eq=False):
    """The end of the run, with its outcome."""

    __module__ = "muscle_mem"

    outcome: Outcome


Turn = Call | Answered | AskAgent | Finished
