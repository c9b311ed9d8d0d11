"""Return to a replay that had stopped, after calls of the model (I15)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ..model.reason import Reason
from ..plan.candidate_set import CandidateSet
from ..plan.ready_trajectory import Candidate
from ..plan.step import PlanStep, Refusal
from ..record.same_call import are_equal_calls
from ..run.effects import Effect
from ..run.run import Progress, Run
from ..tools.tool import Tool
from .prepare import bind_arguments, needed_outputs
from .replay import replay


class OwnCall(msgspec.Struct, frozen=True, eq=False):
    """A call that the model has made since the replay stopped."""

    tool: Tool
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any


End = Candidate | Refusal
Returning = Generator[Effect, Any, End | None]


class Rejoin:
    """A stopped replay, and where it may go on.

    Attributes:
        progress: How far the replay had come when it stopped.
        broken: The step that stopped it.
        has_begun: Whether a call was handed out since it went on.
        executed: How many steps it had made before it first stopped.
    """

    def __init__(self, run: Run, broken: int) -> None:
        self._run = run
        self.progress = run.progress
        self.broken = broken
        self.has_begun = False
        self.executed = len(run.progress.calls)

    def replay(self, own: Sequence[OwnCall]) -> Returning:
        """Replay what is left of the recording, if it has a place to go on.

        Returns the candidate that finished, or why the replay stopped; None if there is no such place. While it runs,
        the progress of the run is that of this replay.
        """
        run, followed = self._run, self.progress.candidate
        assert followed is not None
        before = run.progress
        self.has_begun = False
        try:
            start = self._start(followed, own)
            if start is None:
                return None
            ahead = run.progress
            end = yield from replay(run, _only(followed))
            if not self.has_begun:
                return None
            self._go_on(ahead, start, end)
            return end
        finally:
            run.progress, run.cached_env = before, None

    def _go_on(self, ahead: Progress, start: int, end: End) -> None:
        """Note where the replay stopped again."""
        self._run.rejoined += len(set(range(start, len(ahead.calls))) - ahead.skipped)
        self.progress = ahead
        self.broken = end.step if isinstance(end, Refusal) else len(ahead.results)
        if isinstance(end, Refusal) and ahead.was_made(end.step):
            _note_unknown_effect(self._run, ahead.calls[end.step][0], end)

    def _start(self, followed: Candidate, own: Sequence[OwnCall]) -> int | None:
        """Return the step to go on with, and set the progress of the run there."""
        run, steps = self._run, followed.trajectory.steps
        ahead = _copied(self.progress)
        run.progress, run.cached_env = ahead, None
        lost = set(ahead.unmade) | set(ahead.errors or ()) | set(ahead.lost or ())
        ahead.errors, ahead.unmade = None, frozenset()
        if self.broken < len(ahead.calls):
            lost.add(self.broken)
        start = self.broken + 1
        for at in range(self.broken, len(steps)):
            if at >= len(ahead.calls):
                ahead.calls.append((steps[at], (), {}))
                ahead.results.append(None)
                lost.add(at)
            ahead.lost = frozenset(lost)
            call = _call_behind(run, steps[at], own)
            if call is not None:
                start = max(start, at + 1)
            if call is not None and call.result is not None:
                ahead.calls[at], ahead.results[at] = (steps[at], *call.arguments), call.result.result
                lost.discard(at)
        start = max(start, len(self.progress.calls))
        del ahead.calls[start:], ahead.results[start:]
        ahead.lost = frozenset(at for at in lost if at < start)
        ahead.skipped |= ahead.lost
        return start if _is_place(steps, start) else None


class _Behind(msgspec.Struct, frozen=True, eq=False):
    """What puts a recorded step behind the run.

    `result` is the same call of the model, if it was that.
    """

    result: OwnCall | None
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})


def _call_behind(run: Run, step: PlanStep, own: Sequence[OwnCall]) -> _Behind | None:
    """Return what the model has done in place of a recorded step, or None."""
    calls = [call for call in own if call.tool.identity == step.tool.identity]
    if not calls:
        return None
    arguments = None
    if not needed_outputs(step) & (run.progress.lost or frozenset()):
        try:
            arguments = bind_arguments(run, step)
        except Exception:  # The outputs of this run may have another form.
            arguments = None
    if arguments is not None:
        for call in reversed(calls):
            if are_equal_calls(step.tool, arguments, (call.args, call.kwargs)):
                return _Behind(call, arguments)
    return None if step.tool.is_read_only else _Behind(None)


def _is_place(steps: Sequence[PlanStep], start: int) -> bool:
    """Return whether a replay may go on with a step if its pre-check passes.

    The middle of a parallel group is not such a place.
    """
    if start >= len(steps) or steps[start].pre is None:
        return False
    group = steps[start].group_stop
    return not group or steps[start - 1].group_stop != group


def _copied(progress: Progress) -> Progress:
    copy = msgspec.structs.replace(progress)
    copy.calls, copy.results = list(progress.calls), list(progress.results)
    copy.pending_post_checks = ()
    copy.refused = ()
    copy.group_arguments = None
    return copy


def _only(followed: Candidate) -> Any:
    """Return a set that has the followed candidate alone."""
    only = CandidateSet([followed.trajectory])
    only.candidates = [followed]
    return only


def _note_unknown_effect(run: Run, step: PlanStep, refusal: Refusal) -> None:
    """Note that the effect of a step that stopped the replay is unknown."""
    is_checked = refusal.reason in (Reason.POST_CHECK_REFUSED, Reason.CHECK_ERROR)
    has_effect = not (step.tool.is_read_only or refusal.did_nothing)
    if is_checked or (refusal.reason is Reason.RETURNED_ERROR and has_effect):  # What raised is noted by the recorder.
        message = f"{step.tool.name!r} stopped the replay, and its effect is unknown"
        run.recorder.add_problem(Reason.UNKNOWN_EFFECT, message, step.tool.name)
