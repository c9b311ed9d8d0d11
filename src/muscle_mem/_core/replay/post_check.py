"""Post-checks that wait, are refused, or move the run to another candidate."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from ..plan.ready_trajectory import Candidate
from ..plan.step import Refusal
from ..run.effects import Effect
from ..run.run import Run
from .answers import failure_refusal, settle_answers
from .inline_check import InlineResult, inline_answer
from .judge import CheckAnswer, capture, evaluate, keep_refreshed, wait_and_retry
from .parallel_group import due_post_checks
from .selection import Selection

Judgment = Generator[Effect, Any, Candidate | Refusal | None]
"""None if the followed candidate passes, the candidate that passes in its place, or why the replay stops."""


def judge_after(run: Run, selection: Selection | None, position: int, followed: Candidate) -> Judgment:
    """Judge a call once it is done.

    Its result, the post-checks that are due and the answers in outputs are judged.
    """
    looks = followed.trajectory.steps[position].looks
    results = run.progress.results
    # Steps that are quick have been looked at. Without this look, each step would look at all results before it.
    is_seen = looks is not None and not looks.is_quick and len(results) == position + 1 and looks.are_seen(results)
    if looks is not None and not is_seen:
        refusal = failure_refusal(run, looks, position)
        if refusal is not None:
            return refusal
    found = yield from _judge_due(run, selection, (position,), followed, position + 1)
    if isinstance(found, Refusal) or (is_seen and found is None):
        return found
    other = yield from settle_answers(run, selection, position, found or followed)
    return other or found


def judge_together(
    run: Run, selection: Selection | None, positions: Sequence[int], followed: Candidate, made: int, *, stops: bool
) -> Judgment:
    """Judge calls of a parallel group once all of them are done.

    `made` is the number of calls so far. With `stops`, the replay stops after them in any case, and only results and
    post-checks are judged.
    """
    steps = followed.trajectory.steps
    for position in positions:
        looks = steps[position].looks
        refusal = None if looks is None else failure_refusal(run, looks, position)
        if refusal is not None:
            run.progress.pending_post_checks += tuple(at for at in positions if steps[at].post is not None)
            return refusal
    found = yield from _judge_due(run, selection, positions, followed, made)
    if isinstance(found, Refusal) or stops:
        return found
    followed = found or followed
    for position in reversed(positions):
        looks = followed.trajectory.steps[position].looks
        if looks is not None and (looks.settled or looks.is_early):
            other = yield from settle_answers(run, selection, position, followed, made)
            return other or followed
    return followed


def _judge_due(
    run: Run, selection: Selection | None, positions: Sequence[int], followed: Candidate, made: int
) -> Judgment:
    """Judge the post-checks that are due after the last of some calls."""
    position = positions[-1]
    step = followed.trajectory.steps[position]
    if not step.group_stop:
        return None if step.post is None else (yield from _judge_post_check(run, selection, position, followed, made))
    progress = run.progress
    progress.pending_post_checks += tuple(at for at in positions if followed.trajectory.steps[at].post is not None)
    while due := due_post_checks(run, followed, made):
        found = yield from _judge_post_check(run, selection, due[0], followed, made)
        if isinstance(found, Refusal):
            return found
        followed = found or followed
        progress.pending_post_checks = tuple(at for at in progress.pending_post_checks if at != due[0])
    return followed


def settle_post_check(
    run: Run, selection: Selection | None, position: int, followed: Candidate, result: InlineResult
) -> Judgment:
    """Judge an inline post-check that did not simply pass."""
    answer = inline_answer(run, followed.trajectory.steps[position], position, True, result)
    if answer is not None:
        return (yield from _judge_post_check(run, selection, position, followed, position + 1, answer))
    if selection is not None:
        selection.remember_capture(position, True, followed, result.seen)
    return None


def _judge_post_check(
    run: Run,
    selection: Selection | None,
    position: int,
    followed: Candidate,
    made: int,
    answer: CheckAnswer | None = None,
) -> Judgment:
    """Judge one post-check until a candidate passes or the wait is over.

    `made` is the number of calls so far, `answer` the answer of the followed candidate's check, if it is known.
    """
    step = followed.trajectory.steps[position]
    check = step.post
    assert check is not None
    _, args, kwargs = run.progress.calls[position]
    since = run.clock()
    while True:
        found: Refusal | None
        if answer is None:
            value = yield from capture(step, check, (args, kwargs), position)
            found = value if type(value) is Refusal else None
            if found is None:
                shared = selection is not None or check.refresh
                found = yield from evaluate(run, step, value, followed, position, True, shared=shared)
                if found is None:
                    _keep_accepted(run, selection, position, followed, value)
                    return None
        else:
            found, value = answer
            answer = None
        if selection is not None and value is not found:
            other = yield from selection.accepting_post_check(position, followed, step, value, made)
            if other is not None:
                _keep_accepted(run, selection, position, other, value)
                return other
        if not (yield from wait_and_retry(run, [check], since)):
            return found
        if selection is not None:
            selection.reset_rejected()


def _keep_accepted(run: Run, selection: Selection | None, position: int, candidate: Candidate, value: Any) -> None:
    """Keep an accepted capture for the other candidates and later runs."""
    check = candidate.trajectory.steps[position].post
    if selection is not None:
        selection.remember_capture(position, True, candidate, value)
    if check is not None:
        keep_refreshed(run, check, position, True, value)
