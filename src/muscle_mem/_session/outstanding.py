"""The calls of one turn: those to hand out, and those without a result."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from .._core.model.handover import chat_name
from .._core.model.text import safe_repr
from .._core.record.verdict import text_redactor
from .._core.run.effects import Invoke, InvokeTurn, NotMade
from .._core.run.run import Run
from .._core.tools.tool import Tool
from .._runtime.context import Frame
from .._runtime.runtime import Runtime
from ..errors import InvalidValueError
from .flows import Stepped
from .turns import Answered, Call

FRESH_SECONDS = 0.05
"""How old the verdict of a pre-check may be when its call is made, if nothing happened in the run since."""


class Member(msgspec.Struct, eq=False):
    """A call of a turn, or an answer to one.

    `number` is that of the call in its run. A replayed call has its `place` in the turn and its `position` in the
    recording. A requested one has its own `recording`, and so has a replayed one among those of the model.
    `checked_at` is when its pre-check passed, in seconds of the run's clock.
    """

    turn: Call | Answered
    tool: Tool
    number: int = -1
    place: int = -1
    recording: Stepped | None = None
    checked_at: float = 0.0
    position: int = -1


class Outstanding:
    """The calls of the current turn of one session.

    Attributes:
        waiting: The calls and answers that are not handed out yet.
        handed_out: The calls that were handed out and have no result yet.
        answers: The answers of a turn of a replay.
        turn: The number of the turn, from 0; -1 before the first.
    """

    def __init__(self, runtime: Runtime, run: Run, frame: Frame) -> None:
        self._runtime = runtime
        self._run = run
        self._frame = frame
        self._serials = itertools.count()
        self._changed_at = 0.0
        self.waiting: deque[Member] = deque()
        self.handed_out: list[Member] = []
        self.answers: list[Any] = []
        self.turn = -1

    def next_id(self) -> str:
        """Return an id for a call, unique across sessions and processes."""
        return f"{self._run.call_prefix}{next(self._serials)}"

    def begin_replayed(self, effect: InvokeTurn) -> None:
        """Prepare the calls of a turn of a replay."""
        self.turn += 1
        self.answers = [NotMade() for _ in effect.calls]
        now = self._run.clock()
        for place, (invoke, position) in enumerate(zip(effect.calls, effect.positions, strict=True)):
            call = self.call_of(invoke, self.next_id(), replayed=True)
            self.waiting.append(Member(call, invoke.tool, position, place, checked_at=now, position=position))

    def call_of(self, invoke: Invoke, id: str, *, replayed: bool) -> Call:
        """Return a call in the form that the caller of the session gets."""
        tool: Tool = invoke.tool
        args, kwargs = invoke.said or (invoke.args, invoke.kwargs)
        named = [*tool.name_arguments(args[1:] if tool.method else args, {}), *kwargs.items()]
        arguments = {name: value for name, value in named if name not in tool.ignore}
        return Call(
            id,
            tool.name,
            chat_name(tool.name),
            arguments,
            invoke.args,
            dict(invoke.kwargs),
            tool.fn,
            replayed,
            text_redactor(self._run),
            self.turn,
        )

    def hand_out(self) -> Call | Answered:
        """Hand out the next call or answer."""
        member = self.waiting.popleft()
        turn = member.turn
        if isinstance(turn, Call):
            self.handed_out.append(member)
            self.set_number(member.number)
            self._runtime.open_runs.mark_delegated(self._frame, turn, member.tool, (turn.args, turn.kwargs))
        return turn

    def set_number(self, number: int) -> None:
        """Set the number of the current call, which its idempotency key includes.

        It is -1 outside of a call.
        """
        self._frame.call_number = self._frame.inner.call_number = number

    def find(self, doing: str, call: Any) -> Member:
        """Return the outstanding call that is meant.

        Raises InvalidValueError if there is none.
        """
        for member in self.handed_out:
            if call is member.turn or (type(call) is str and call == member.turn.id):
                return member
        texts = [call_text(member.turn) for member in self.handed_out]
        waiting = "no call is outstanding"
        if texts:
            are = "call is" if len(texts) == 1 else "calls are"
            waiting = f"the outstanding {are} {', '.join(texts)}"
        what = call_text(call) if isinstance(call, Call) else safe_repr(call)
        raise InvalidValueError(
            f"session.{doing}({what}) failed: {waiting}. Pass a call that session.next() returned, once."
        )

    def take(self, member: Member) -> None:
        """Note that a call is no longer outstanding."""
        self.handed_out.remove(member)
        self._changed_at = self._run.clock()
        self._runtime.open_runs.mark_returned(self._frame, member.turn)
        if not self.handed_out and member.recording is not None:
            self.set_number(-1)

    def note_change(self) -> None:
        """Regard the verdicts of pre-checks until now as old."""
        self._changed_at = self._run.clock()

    def is_fresh(self, member: Member) -> bool:
        """Return whether the verdict of a call's pre-check is still the present one."""
        if member.place < 0 or member.tool.pre is None:
            return True
        return member.checked_at >= self._changed_at and self._run.clock() - member.checked_at < FRESH_SECONDS

    def withdraw_waiting(self) -> list[Member]:
        """Do not hand out the rest of a turn of a replay, and return it."""
        members = list(self.waiting)
        self.waiting.clear()
        return members

    def recordings(self) -> Sequence[Stepped]:
        """Return the recordings of the calls that have no result, and forget the calls."""
        members: Iterable[Member] = [*self.handed_out, *self.waiting]
        self.handed_out.clear()
        self.waiting.clear()
        return [member.recording for member in members if member.recording is not None]


def call_text(call: Call | Answered) -> str:
    """Return the name and the id of a call, for messages."""
    return f"{call.name} ({call.id})"
