"""Pre-checks that wait, are refused, or move the run to another candidate."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from ..model.reason import Reason
from ..plan.ready_trajectory import Candidate
from ..plan.step import LOOP_OPENS, Refusal
from ..run.effects import Effect
from ..run.run import Run
from ..tools.check import Check
from .inline_check import InlineResult, inline_answer
from .judge import Arguments, CheckAnswer, evaluate, keep_refreshed, left_to_wait, wait_and_retry
from .parallel_group import Chosen, check_members
from .prepare import Captures, prepare_check
from .selection import Selection, checks_at

FINAL_REASONS = (
    *(Reason.STALE_OUTPUT, Reason.NOT_APPROVED, Reason.VALUE_VARIES, Reason.UNCONFIRMED),
    *(Reason.PROBATION, Reason.FLOW_UNCLEAR, Reason.LOOP_UNCLEAR),
)
"""Refusals that waiting does not change."""

TAKEN_OVER = (Reason.STALE_OUTPUT, Reason.UNCONFIRMED, Reason.VALUE_VARIES, LOOP_OPENS)
"""Refusals of a recording after which a generalized trajectory may go on."""

_CHECKED = (Reason.CHECK_REFUSED, Reason.CHECK_ERROR)

Decision = Generator[Effect, Any, Chosen | Candidate | Refusal]
"""The candidate and arguments of the next call; or how the run ends: with a finished candidate or a refusal."""


def decide(
    run: Run, selection: Selection | None, position: int, followed: Candidate, answer: CheckAnswer | None = None
) -> Decision:
    """Decide which candidate makes the next call, its pre-check passed.

    The followed candidate is checked, then the others, until one passes or the wait is over. `answer` is the answer of
    the followed candidate's check, if it is known.
    """
    step = followed.trajectory.steps[position]
    if step.is_opening_member:
        assert run.progress.group_arguments is not None  # It was set when the group was opened.
        return followed, run.progress.group_arguments[position]
    since = run.clock()
    is_last = waits = False
    while True:
        captures: Captures = {}
        found: Chosen | Candidate | Refusal | None
        if answer is None:
            found = yield from _try_followed(run, selection, position, followed, captures)
        else:
            found, captures[step.capture_key(False)] = answer
            answer = None
            if selection is not None:
                selection.reject(followed)
        refusal = found if isinstance(found, Refusal) else None
        if refusal is not None and refusal.reason in TAKEN_OVER:
            found = yield from _take_over(run, selection, position, followed, refusal, captures)
            if isinstance(found, Candidate):
                return found  # A list was empty, and nothing comes after its loop.
            refusal = found if isinstance(found, Refusal) else None
        if refusal is not None and selection is not None:
            waits = bool(selection.detours) and not is_last
            waits = waits and left_to_wait(run, selection.checks_at(position), since) > 0
            found = yield from selection.choose(position, followed, captures, with_detours=not waits)
        if isinstance(found, tuple):
            if found[0].trajectory.steps[position].opening_members:
                found = yield from _open_group(run, selection, position, followed, found, captures)
            if isinstance(found, tuple):
                return found
            refusal = refusal or found
        assert refusal is not None
        if selection is not None:
            ended = yield from selection.completed_at(position, followed)
            if ended is not None:
                return ended
        is_final = refusal.reason in FINAL_REASONS
        if is_final or not (yield from wait_and_retry(run, _checks_at(selection, position, followed), since)):
            if is_final or not waits:
                break
            is_last = True  # The wait is over, so detours are judged as well.
        if selection is not None:
            selection.reset_rejected()
    if selection is not None and refusal.reason in _CHECKED and position and not run.progress.skipped:
        other = yield from _take_over_of_others(run, selection, position, followed)
        if isinstance(other, tuple):
            return other
    run.progress.refused = (followed,) if selection is None else selection.refused_at(position, followed)
    if step.tool.optional or _is_learned_optional(followed, position):
        return (yield from _skip_optional(run, selection, position, followed, refusal))
    if refusal.reason is Reason.CHECK_REFUSED and followed.trajectory.learning is not None:
        from .take_over import take_over_lacked

        lacked = yield from take_over_lacked(run, selection, position, followed)
        if isinstance(lacked, Candidate):
            return (yield from _skip_optional(run, selection, position, lacked, refusal))
        return refusal if lacked is None else lacked
    return refusal


def _take_over(
    run: Run,
    selection: Selection | None,
    position: int,
    followed: Candidate,
    refusal: Refusal,
    captures: Captures,
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """Let the generalized trajectory go on, if there may be one."""
    if followed.trajectory.learning is None:
        return refusal
    from .take_over import take_over

    return (yield from take_over(run, selection, position, followed, refusal, captures))


def _take_over_of_others(
    run: Run, selection: Selection, position: int, followed: Candidate
) -> Generator[Effect, Any, Chosen | None]:
    """Let the generalized trajectory of another candidate go on, if one may.

    The followed one failed its check, and the check of the other passes.
    """
    if followed.trajectory.learning is None:
        return None
    from .take_over import take_over_of_others

    found = yield from take_over_of_others(run, selection, position, followed)
    if found is None or not found[0].trajectory.steps[position].opening_members:
        return found
    opened = yield from check_members(run, selection, position, found[0], found, {})
    return opened if isinstance(opened, tuple) else None


def _open_group(
    run: Run, selection: Selection | None, position: int, followed: Candidate, chosen: Chosen, captures: Captures
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Check the members of a group.

    A generalized trajectory may go on where one is stale.
    """
    of_members: Captures = {}
    found = yield from check_members(run, selection, position, followed, chosen, captures, of_members)
    if not isinstance(found, Refusal) or found.reason not in TAKEN_OVER:
        return found
    again = yield from _take_over(run, selection, position, chosen[0], found, captures)
    if not isinstance(again, tuple):
        return again if isinstance(again, Refusal) else found
    return (yield from check_members(run, selection, position, again[0], again, captures, of_members))


def settle_pre_check(
    run: Run,
    selection: Selection | None,
    position: int,
    followed: Candidate,
    arguments: Arguments,
    result: InlineResult | Candidate,
) -> Decision:
    """Decide the next call after an inline pre-check that did not simply pass."""
    if isinstance(result, Candidate):
        return result, arguments
    candidate = run.progress.candidate = result.guessed or followed
    step = candidate.trajectory.steps[position]
    answer = inline_answer(run, step, position, False, result)
    if answer is None:
        if selection is not None:
            selection.remember_capture(position, False, candidate, result.seen)
        return candidate, arguments
    if selection is None and not _may_be_optional(candidate, position) and step.pre is not None and not step.pre.wait:
        return answer[0]
    return (yield from decide(run, selection, position, candidate, answer))


def continue_with_longer(run: Run, selection: Selection, position: int, followed: Candidate) -> Decision:
    """Decide whether a longer candidate continues where the followed one ended.

    It does if its next pre-check passes; without one the run is a hit of the followed candidate.
    """
    captures: Captures = {}
    found: Chosen | Refusal | None = yield from selection.choose(position, followed, captures, checked_only=True)
    if isinstance(found, tuple) and found[0].trajectory.steps[position].opening_members:
        found = yield from check_members(run, selection, position, followed, found, captures)
    return found if isinstance(found, tuple) else followed


def _try_followed(
    run: Run, selection: Selection | None, position: int, followed: Candidate, captures: Captures
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Check the followed candidate.

    At the start another candidate is checked if its snapshot equals what was captured (D3).
    """
    step = followed.trajectory.steps[position]
    prepared = yield from prepare_check(run, step, position, captures)
    if isinstance(prepared, Refusal):
        return prepared
    arguments, value = prepared
    if step.pre is None:
        return followed, arguments
    candidate = followed
    if selection is not None and position == 0:
        candidate = selection.best_guess(position, step.call_id, value) or followed
    shared = selection is not None or step.pre.refresh
    found = yield from evaluate(run, step, value, candidate, position, False, shared=shared)
    if found is not None:
        if selection is not None:
            selection.reject(candidate)
        return found
    if selection is not None:
        selection.remember_capture(position, False, candidate, value)
    keep_refreshed(run, step.pre, position, False, value)
    return candidate, arguments


def _may_be_optional(candidate: Candidate, position: int) -> bool:
    """Return whether a step is declared optional, or may be learned as such."""
    trajectory = candidate.trajectory
    learning = trajectory.learning
    return trajectory.steps[position].tool.optional or (learning is not None and learning.count > 1)


def _is_learned_optional(followed: Candidate, position: int) -> bool:
    if followed.trajectory.learning is None:
        return False
    from .take_over import is_learned_optional

    return is_learned_optional(followed.trajectory, position)


def _skip_optional(
    run: Run, selection: Selection | None, position: int, followed: Candidate, refusal: Refusal
) -> Decision:
    """Skip an optional step whose check failed, if the next step's check passes.

    A pop-up that does not appear is such a step.
    """
    if not _may_skip(run, followed, position, refusal):
        return refusal
    progress = run.progress
    progress.calls.append((followed.trajectory.steps[position], (), {}))
    progress.results.append(None)
    progress.skipped |= {position}
    if selection is not None:
        selection.keep_only(followed)
    found = yield from decide(run, selection, position + 1, followed)
    if isinstance(found, tuple):
        return found
    progress.calls.pop()
    progress.results.pop()
    progress.skipped -= {position}
    return refusal


def _may_skip(run: Run, followed: Candidate, position: int, refusal: Refusal) -> bool:
    """Return whether an optional step can be skipped.

    Its output must be unused and the next step checked. Members of parallel groups are not skipped, nor are calls of an
    iteration (L13), nor two steps in a row.
    """
    trajectory = followed.trajectory
    steps = trajectory.steps
    if refusal.reason is not Reason.CHECK_REFUSED or position in trajectory.needed_outputs:
        return False
    if steps[position].group_stop or position - 1 in run.progress.skipped:
        return False
    if trajectory.iteration_of(position) is not None:
        return False
    return position + 1 < len(steps) and steps[position + 1].pre is not None


def _checks_at(selection: Selection | None, position: int, followed: Candidate) -> Sequence[Check]:
    """Return the pre-checks at a position, whose waits decide about a retry."""
    return checks_at(followed.trajectory.steps, position) if selection is None else selection.checks_at(position)
