"""Checks that run immediately, without awaiting or keeping a snapshot."""

from __future__ import annotations

from typing import Any

from ..model.text import long_repr
from ..plan.ready_trajectory import Candidate
from ..plan.snapshots import MutableSnapshot
from ..plan.step import PlanStep
from ..run.run import Run
from ..tools.check import Check, interpret, safe_copy
from .judge import CheckAnswer, Comparison, answer_refusal, check_error, compare_error
from .selection import SCALAR_TYPES, Selection


class InlineResult(Comparison, frozen=True):
    """How an inline check ended if it did not simply pass: an answer or an error.

    `guessed` is the candidate whose snapshot was compared, if not that of the followed one.
    """

    capture_error: Exception | None = None
    compare_error: Exception | None = None
    guessed: Candidate | None = None


def check_inline(check: Check, args: tuple[Any, ...], kwargs: dict[str, Any], snapshot: Any) -> InlineResult | None:
    """Capture and compare for the only candidate; return None if its check passes."""
    try:
        seen = check.capture(*args, **kwargs) if kwargs else check.capture(*args)
    except Exception as error:
        return InlineResult(capture_error=error)
    if type(snapshot) is MutableSnapshot:
        snapshot = snapshot.load()
    try:
        answer = check.compare(seen, snapshot)
        if answer is True or _passes(check, answer):
            return None
    except Exception as error:
        return InlineResult(seen, snapshot, compare_error=error)
    return InlineResult(seen, snapshot, answer)


def check_inline_shared(
    selection: Selection, followed: Candidate, position: int, post: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> InlineResult | Candidate | None:
    """Capture and compare for one of several candidates; return None if it passes.

    At the start another candidate is compared if its snapshot equals what was captured (D3). It is returned if it
    passes.
    """
    step = followed.trajectory.steps[position]
    check = step.post if post else step.pre
    assert check is not None
    try:
        seen = check.capture(*args, **kwargs) if kwargs else check.capture(*args)
    except Exception as error:
        return InlineResult(capture_error=error)
    guessed: Candidate | None = None
    if not position and not post:
        guessed = _inline_guess(selection, step, followed, seen)
    candidate = guessed or followed
    is_scalar = type(seen) in SCALAR_TYPES
    snapshot = candidate.snapshots(post)[position]
    if type(snapshot) is MutableSnapshot:
        snapshot = snapshot.load()
    try:
        answer = check.compare(seen if is_scalar or check.is_equality else safe_copy(seen), snapshot)
        passed = answer is True or _passes(check, answer)
    except Exception as error:
        return InlineResult(seen, snapshot, compare_error=error, guessed=guessed)
    if not passed:
        return InlineResult(seen, snapshot, answer, guessed=guessed)
    if is_scalar:  # The body of `remember_capture` for a scalar: a call for each capture would cost a hit more.
        selection.captures.append((position, post, candidate, seen, None))
    else:
        selection.remember_capture(position, post, candidate, seen)
    return guessed


def _passes(check: Check, answer: Any) -> bool:
    """Return whether an answer other than True passes and needs no warning."""
    return interpret(check, answer) and not check.lacks_threshold


def _inline_guess(selection: Selection, step: PlanStep, followed: Candidate, seen: Any) -> Candidate | None:
    """Return another candidate to compare first; its first step must be inline, too."""
    guessed = selection.best_guess(0, step.call_id, seen)
    if guessed is None or guessed is followed or not guessed.trajectory.steps[0].is_inline:
        return None
    return guessed


def inline_answer(run: Run, step: PlanStep, position: int, post: bool, result: InlineResult) -> CheckAnswer | None:
    """Return why an inline check did not pass, with its capture; None if it passes."""
    if result.capture_error is not None:
        error = result.capture_error
        refusal = check_error(step, position, f"capture raised {long_repr(error)}", error)
        return refusal, refusal
    if result.compare_error is not None:
        return compare_error(step, position, result.compare_error), result.seen
    found = answer_refusal(run, step, position, post, result, run.progress.candidate)
    return None if found is None else (found, result.seen)
