"""The return of a session to its replay, after calls of the model's own (I15)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .._core.plan.step import Refusal
from .._core.replay.rejoin import OwnCall, Rejoin
from .._core.run.effects import Effect, InvokeTurn, Pause
from .._core.run.run import Run
from .flows import FlowEnd, Stepped, StopPoint, advance
from .outstanding import Member
from .turns import Call


class Rejoining:
    """Where a session stands between its replay and its model.

    Attributes:
        flow: The replay that has gone on, while it runs.
        stop: Why it stopped again, if it did.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._rejoin: Rejoin | None = None
        self._own: list[OwnCall] = []
        self._is_new = False
        self.flow: Stepped | None = None
        self.stop: Refusal | None = None

    def note_own(self, member: Member, result: Any) -> None:
        """Note a call that the model has made."""
        assert isinstance(member.turn, Call)
        self._own.append(OwnCall(member.tool, member.turn.args, member.turn.kwargs, result))
        self._is_new = True

    def next_turn(self) -> Generator[Effect, Any, InvokeTurn | None]:
        """Return the next turn of the replay; None if the model is to be asked."""
        if self.flow is None:
            if not self._is_new or not self._may_return():
                return None
            self._is_new = False
            assert self._rejoin is not None
            self.flow = self._rejoin.replay(self._own)
        at = yield from advance(self.flow)
        while isinstance(at, Pause):
            at = yield from advance(self.flow)
        if isinstance(at, InvokeTurn):
            assert self._rejoin is not None
            self._rejoin.has_begun = True
            return at
        self.note_stop(at)
        return None

    def next_number(self) -> int:
        """Return the number of the next call in its run."""
        assert self._rejoin is not None
        return self._rejoin.executed + next(self._run.recorder.call_numbers)

    def _may_return(self) -> bool:
        """Return whether there is a stopped replay to return to."""
        run = self._run
        if run.handover is None or run.recorder.absorber is not None or run.progress.candidate is None:
            return False
        if self._rejoin is None:
            self._rejoin = Rejoin(run, run.handover.divergence.step)
        return True

    def note_stop(self, at: StopPoint) -> None:
        """Note that the replay has stopped, if it has."""
        if not isinstance(at, FlowEnd):
            return
        self.flow = None
        if at.value is not None:
            self._own = []
            self._is_new = False
        if isinstance(at.value, Refusal):
            self.stop = self._run.redact_refusal(at.value)

    def close(self) -> None:
        """End the replay that has gone on."""
        if self.flow is not None:
            self.flow.close()
            self.flow = None
