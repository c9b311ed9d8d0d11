"""Replaying: follow one candidate step by step, each checked against the live environment before it is done.

Where a call may be made immediately, the line makes it; only what must be awaited, or belongs to another driver, is
yielded. Nothing of ours runs between the verdict of a pre-check and its tool.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from ..model.reason import Reason
from ..model.text import long_repr
from ..plan.candidate_set import CandidateSet
from ..plan.ready_trajectory import Candidate
from ..plan.snapshots import MutableSnapshot
from ..plan.step import PlanStep, Refusal
from ..run.effects import Effect, Invoke, Pause
from ..run.run import Run
from ..tools.check import Check, CheckError, interpret, safe_copy
from .approval import approval_refusal
from .judge import (
    Arguments,
    bind_arguments,
    cannot_bind,
    capture,
    check_error,
    evaluate,
    keep_refreshed,
    refused_check,
    stale_reference,
    wait_and_retry,
)
from .parallel_group import check_members, due_post_checks
from .selection import SCALAR_TYPES, Captures, Selection, checks_at

Chosen = tuple[Candidate, Arguments]
CheckAnswer = tuple[Refusal, Any]  # why a check did not pass, and what it saw; the refusal again if it saw nothing


def replay(run: Run, live: CandidateSet) -> Generator[Effect, Any, Candidate | Refusal]:
    """Replay the preferred candidate, going over to another only where the rules allow it (D2).

    Returns the candidate that finished, or the refusal that stopped it; `run.progress` says what was
    executed.
    """
    progress = run.progress
    calls, results = progress.calls, progress.results
    objects = run.context_objects
    outside = run.is_stepped
    by_driver = outside or run.is_watched
    selection = Selection(run, live) if len(live.candidates) > 1 else None
    followed = progress.candidate = live.candidates[0]
    steps, pres, posts = followed.replay_plan()
    position = 0
    while True:
        step = steps[position]
        found: Any = None
        if step is None:
            if selection is None or position == live.longest:
                return followed
            found = yield from _at_end(run, selection, position, followed)
        elif step.is_inline:
            args, kwargs = step.args, step.kwargs
            if step.method:
                args = (objects[step.tool], *args)
            pre = step.pre
            if pre is not None:
                asked = _check_inline(
                    run, selection, followed, step, pre, args, kwargs, pres[position], position, False
                )
                if selection is not None and not position and followed is not progress.candidate:
                    followed = progress.candidate
                    steps, pres, posts = followed.replay_plan()
                    step = steps[position]
                if asked is not None:
                    at_once = selection is None and not pre.wait
                    found = asked[0] if at_once else (yield from decide(run, selection, position, followed, asked))
        else:
            found = yield from decide(run, selection, position, followed)
        if found is not None:
            if step is not None and step.tool.optional and isinstance(found, Refusal):
                found = yield from _skip_optional(run, selection, position, followed, found)
                position = len(results)
            if type(found) is not tuple:
                return found  # type: ignore[no-any-return]  # a Candidate or a Refusal
            followed, (args, kwargs) = found
            progress.candidate = followed
            steps, pres, posts = followed.replay_plan()
            step = steps[position]
        calls.append((step, args, kwargs))
        try:
            if by_driver or not step.is_sync:
                result = yield Invoke(step.tool, args, kwargs)
            elif kwargs:
                result = step.fn(*args, **kwargs)
            else:
                result = step.fn(*args)  # the same, without a dictionary made for nothing
        except Exception as error:
            results.append(None)
            progress.error = error
            message = f"{step.tool.name} raised {long_repr(error)}"
            return Refusal(Reason.TOOL_RAISED, message, position, step.tool.name, seen=long_repr(error), error=error)
        results.append(result)
        if step.may_check_after:
            found = None
            if not step.is_inline:
                found = yield from _check_after(run, selection, position, followed)
            elif step.post is not None:
                asked = _check_inline(
                    run, selection, followed, step, step.post, args, kwargs, posts[position], position, True
                )
                if asked is not None:
                    found = yield from _evaluate_post_check(run, selection, position, followed, position + 1, asked)
            if isinstance(found, Refusal):
                return found
            if found is not None:
                followed = progress.candidate = found
                steps, pres, posts = followed.replay_plan()
        position += 1
        if outside:
            yield Pause()


def _check_inline(
    run: Run,
    selection: Selection | None,
    followed: Candidate,
    step: PlanStep,
    check: Check,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    snapshot: Any,
    position: int,
    post: bool,
) -> CheckAnswer | None:
    """Capture and compare immediately, where nothing can be awaited or kept; None if it passes.

    At the start the candidate whose snapshot equals what is seen is asked, and is then the one to follow (D3).
    """
    try:
        seen = check.capture(*args, **kwargs) if kwargs else check.capture(*args)
    except Exception as error:
        refusal = check_error(step, position, f"its capture raised {long_repr(error)}", error)
        return refusal, refusal
    given = seen
    if selection is not None:
        if not position and not post:
            guessed = selection.best_guess(position, step.call_id, seen)
            if guessed is not None and guessed.trajectory.steps[position].is_inline:
                followed = run.progress.candidate = guessed
                snapshot = guessed.snapshots(False)[position]
        if not check.is_equality and type(seen) not in SCALAR_TYPES:
            given = safe_copy(seen)
    if type(snapshot) is MutableSnapshot:
        snapshot = snapshot.load()
    try:
        answer = check.compare(given, snapshot)
        if answer is not True:
            passed = interpret(check, answer)
            run.note_missing_threshold(check, step.tool.name)
            if not passed:
                return refused_check(step, check, seen, snapshot, position, post, answer), seen
    except CheckError as error:
        return check_error(step, position, str(error), None), seen
    except Exception as error:
        return check_error(step, position, f"its compare raised {long_repr(error)}", error), seen
    if selection is not None:
        if type(seen) in SCALAR_TYPES:  # as `remember_capture` does, inline
            selection.captures.append((position, post, followed, seen, None))
        else:
            selection.remember_capture(position, post, followed, seen)
    return None


def decide(
    run: Run, selection: Selection | None, position: int, followed: Candidate, asked: CheckAnswer | None = None
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """Who is followed at this position, its pre-check passed; or the end of the run, good or not.

    `asked` is what the followed candidate said, if it was asked before.
    """
    if followed.trajectory.steps[position].is_opening_member:
        assert run.progress.group_arguments is not None  # set when the group was opened
        return followed, run.progress.group_arguments[position]
    since = run.clock()
    while True:
        captures: Captures = {}
        found: Chosen | Refusal | None
        if asked is None:
            found = yield from _try_followed(run, selection, position, followed, captures)
        else:
            found, captures[followed.trajectory.steps[position].capture_key(False)] = asked
            asked = None
            if selection is not None:
                selection.reject(followed)
        refusal = found if isinstance(found, Refusal) else None
        if refusal is not None and selection is not None:
            found = yield from selection.choose(position, followed, captures)
        if isinstance(found, tuple):
            if found[0].trajectory.steps[position].opening_members:
                found = yield from check_members(run, selection, position, followed, found, captures)
            if isinstance(found, tuple):
                return found
            refusal = refusal or found
        assert refusal is not None
        if selection is not None:
            ended = yield from selection.completed_at(position, followed)
            if ended is not None:
                return ended
        hopeless = refusal.reason in (Reason.STALE_OUTPUT, Reason.NOT_APPROVED)
        if hopeless or not (yield from wait_and_retry(run, _checks_at(selection, position, followed), since)):
            return refusal
        if selection is not None:
            selection.reset_rejected()


def _skip_optional(
    run: Run, selection: Selection | None, position: int, followed: Candidate, refusal: Refusal
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """Leave an optional step out if its check failed and the next one's passes: a pop-up that does not show."""
    trajectory = followed.trajectory
    after = position + 1
    if (
        refusal.reason is not Reason.CHECK_REFUSED
        or after >= len(trajectory.steps)
        or position in trajectory.needed_outputs
    ):
        return refusal
    if trajectory.steps[position].group_stop:  # a member of a parallel group
        return refusal
    following = trajectory.steps[after]
    if following.pre is None:
        return refusal
    progress = run.progress
    progress.calls.append((trajectory.steps[position], (), {}))
    progress.results.append(None)
    progress.skipped |= {position}
    if selection is not None:
        selection.keep_only(followed)
    found = yield from decide(run, selection, after, followed)
    if isinstance(found, tuple):
        return found
    progress.calls.pop()
    progress.results.pop()
    progress.skipped -= {position}
    return refusal


def _checks_at(selection: Selection | None, position: int, followed: Candidate) -> Sequence[Check]:
    return checks_at(followed.trajectory.steps, position) if selection is None else selection.checks_at(position)


def _try_followed(
    run: Run, selection: Selection | None, position: int, followed: Candidate, captures: Captures
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Ask the followed candidate; at the start, rather the one whose snapshot equals what is seen (D3)."""
    step = followed.trajectory.steps[position]
    stale = stale_reference(run, step, position)
    if stale is not None:
        return stale
    try:
        arguments = bind_arguments(run, step)
    except Exception as error:
        return cannot_bind(step, position, error)
    approval = None if step.is_inline else (yield from approval_refusal(run, step, arguments, position))
    if approval is not None or step.pre is None:
        return approval or (followed, arguments)
    value = yield from capture(step, step.pre, arguments, position)
    captures[step.capture_key(False)] = value
    if isinstance(value, Refusal):
        return value
    candidate = followed
    if selection is not None and position == 0:
        candidate = selection.best_guess(position, step.call_id, value) or followed
    shared = selection is not None or step.pre.refresh
    found = yield from evaluate(run, step, value, candidate, position, False, shared=shared)
    if found is not None:
        if selection is not None:
            selection.reject(candidate)
        return found
    _keep_accepted(run, selection, position, False, candidate, value)
    return candidate, arguments


def _keep_accepted(
    run: Run, selection: Selection | None, position: int, post: bool, followed: Candidate, value: Any
) -> None:
    step = followed.trajectory.steps[position]
    check = step.post if post else step.pre
    if selection is not None:
        selection.remember_capture(position, post, followed, value)
    if check is not None:
        keep_refreshed(run, check, position, post, value)


def _at_end(
    run: Run, selection: Selection, position: int, followed: Candidate
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """The followed candidate has ended: a hit, unless a longer one's next pre-check passes."""
    captures: Captures = {}
    found: Chosen | Refusal | None = yield from selection.choose(position, followed, captures, checked_only=True)
    if isinstance(found, tuple) and found[0].trajectory.steps[position].opening_members:
        found = yield from check_members(run, selection, position, followed, found, captures)
    return found if isinstance(found, tuple) else followed


def _check_after(
    run: Run, selection: Selection | None, position: int, followed: Candidate
) -> Generator[Effect, Any, Candidate | Refusal | None]:
    """Judge the post-checks that are due when the step at `position` has been made: its own, or those of its group."""
    made = position + 1
    step = followed.trajectory.steps[position]
    if not step.group_stop:
        return (yield from _evaluate_post_check(run, selection, position, followed, made))
    progress = run.progress
    if step.post is not None:
        progress.pending_post_checks += (position,)
    while due := due_post_checks(run, followed, made):
        found = yield from _evaluate_post_check(run, selection, due[0], followed, made)
        if isinstance(found, Refusal):
            return found
        followed = found or followed
        progress.pending_post_checks = tuple(at for at in progress.pending_post_checks if at != due[0])
    return followed


def _evaluate_post_check(
    run: Run,
    selection: Selection | None,
    position: int,
    followed: Candidate,
    made: int,
    asked: CheckAnswer | None = None,
) -> Generator[Effect, Any, Candidate | Refusal | None]:
    """Judge one post-check; None or another candidate if it passes. `asked` is what the followed one said already."""
    step = followed.trajectory.steps[position]
    check = step.post
    assert check is not None
    _, args, kwargs = run.progress.calls[position]
    since = run.clock()
    while True:
        found: Refusal | None
        if asked is None:
            value = yield from capture(step, check, (args, kwargs), position)
            found = value if isinstance(value, Refusal) else None
            if found is None:
                shared = selection is not None or check.refresh
                found = yield from evaluate(run, step, value, followed, position, True, shared=shared)
                if found is None:
                    _keep_accepted(run, selection, position, True, followed, value)
                    return None
        else:
            found, value = asked
            asked = None
        if selection is not None and value is not found:
            other = yield from selection.accepting_post_check(position, followed, step, value, made)
            if other is not None:
                _keep_accepted(run, selection, position, True, other, value)
                return other
        if not (yield from wait_and_retry(run, [check], since)):
            return found
        if selection is not None:
            selection.reset_rejected()
