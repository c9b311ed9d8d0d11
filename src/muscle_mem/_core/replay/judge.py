"""Evaluation of one check: its capture, its compare, and the refusal if any."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..model.reason import Reason
from ..model.text import long_repr, safe_repr
from ..plan.ready_trajectory import Candidate
from ..plan.snapshots import MaskedSnapshot, MutableSnapshot, bounded_snapshot, load_snapshot
from ..plan.step import PlanStep, Refusal
from ..run.bound import bound_forms
from ..run.effects import Capture, Compare, Effect, Sleep
from ..run.run import Run
from ..tools.check import Check, CheckError, interpret, safe_copy
from ..tools.typed_arguments import typed_arguments
from .differing import differing_params

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

CheckAnswer = tuple[Refusal, Any]
"""Why a check did not pass, and what it captured; the refusal again if the capture raised."""

REFUSED = Refusal(Reason.CHECK_REFUSED, "the check failed")


class Comparison(msgspec.Struct, frozen=True):
    """A captured value, the snapshot it was compared with, and the answer."""

    seen: Any = None
    snapshot: Any = None
    answer: Any = None


def snapshot_bytes(value: Any) -> bytes | None:
    """Return the canonical bytes of a captured value; None if it has none."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def keep_refreshed(run: Run, check: Check, position: int, post: bool, value: Any) -> None:
    """Keep an accepted snapshot for later runs if its check has `refresh` (B7)."""
    if check.refresh:
        data = snapshot_bytes(value)
        if data is not None:
            progress = run.progress
            if progress.refreshed_snapshots is None:
                progress.refreshed_snapshots = {}
            progress.refreshed_snapshots[(position, post)] = data


def capture(step: PlanStep, check: Check, arguments: Arguments, position: int) -> Generator[Effect, Any, Any]:
    """Return what a check captures now; a Refusal if its capture raised (B4)."""
    args, kwargs = typed_arguments(step.tool, *arguments) if step.is_said else arguments
    try:
        if check.capture_async or not step.is_sync:
            return (yield Capture(check, args, kwargs))
        return check.capture(*args, **kwargs)
    except Exception as error:
        return check_error(step, position, f"capture raised {long_repr(error)}", error)


def evaluate(
    run: Run,
    step: PlanStep,
    value: Any,
    candidate: Candidate,
    position: int,
    post: bool,
    data: bytes | None = None,
    *,
    shared: bool = False,
    known_answer: Sequence[Any] = (),
    without_details: bool = False,
) -> Generator[Effect, Any, Refusal | None]:
    """Compare a captured value with one candidate's snapshot; None if it passes.

    `data` is the value's canonical bytes, if they are known. With `shared` the compare gets a copy, since the value is
    used again. `known_answer` holds the answer of the compare, if it is known. With `without_details` a failure
    has no message.
    """
    check = step.post if post else step.pre
    if check is None:
        return None
    snapshot = candidate.snapshots(post)[position]
    if type(snapshot) is MutableSnapshot:
        snapshot = snapshot.load()
    elif type(snapshot) is MaskedSnapshot:
        return (
            yield from evaluate_masked(
                run, step, value, candidate, position, post, snapshot, known_answer, without_details
            )
        )
    if shared and not check.is_equality:
        value = safe_copy(value)
    try:
        if known_answer:
            answer: Any = known_answer[0]
        elif check.is_equality and data is not None:
            answer = data == candidate.stored_snapshot(position, post)
        elif check.compare_async or not step.is_sync:
            answer = yield Compare(check, value, snapshot)
        else:
            answer = check.compare(value, snapshot)
    except Exception as error:
        return compare_error(step, position, error)
    if answer is True:
        return None
    made = Comparison(value, snapshot, answer)
    return answer_refusal(run, step, position, post, made, candidate, without_details)


def evaluate_masked(
    run: Run,
    step: PlanStep,
    value: Any,
    candidate: Candidate,
    position: int,
    post: bool,
    masked: MaskedSnapshot,
    known_answer: Sequence[Any],
    without_details: bool,
) -> Generator[Effect, Any, Refusal | None]:
    """Compare a captured value with a snapshot that has params in it (B12).

    `known_answer` is that for the first form of the snapshot. The refusal is that of the first form, too.
    """
    if masked.options:
        from .loop_checks import evaluate_iteration

        return (yield from evaluate_iteration(run, step, value, candidate, position, post, masked, without_details))
    check = step.post if post else step.pre
    assert check is not None
    first: Refusal | None = None
    for bound in bound_forms(run, candidate, position, post, masked):
        if bound.problem:
            first = first or _unfit(step, position, post, bound.problem)
            continue
        seen, snapshot = safe_copy(value), load_snapshot(bound.snapshot)
        try:
            if known_answer and first is None:
                answer: Any = known_answer[0]
            elif check.is_equality:
                answer = codec.canonical(value) == bound.data
            elif check.compare_async or not step.is_sync:
                answer = yield Compare(check, seen, snapshot)
            else:
                answer = check.compare(seen, snapshot)
        except Exception as error:
            first = first or compare_error(step, position, error)
            continue
        made = Comparison(seen, snapshot, answer)
        refusal = answer_refusal(run, step, position, post, made, candidate, without_details or first is not None)
        if refusal is None:
            return None
        first = first or refusal
    return first


def _unfit(step: PlanStep, position: int, post: bool, problem: str) -> Refusal:
    """Return the refusal of a snapshot that cannot get this run's params."""
    role, reason = ("post-check", Reason.POST_CHECK_REFUSED) if post else ("pre-check", Reason.CHECK_REFUSED)
    return Refusal(reason, f"{role} failed for {step.tool.name!r}: {problem}", position, step.tool.name)


def answer_refusal(
    run: Run,
    step: PlanStep,
    position: int,
    post: bool,
    made: Comparison,
    candidate: Candidate | None = None,
    without_details: bool = False,
) -> Refusal | None:
    """Return why a compare's answer does not pass; None if it does.

    `candidate` is that whose snapshot was compared.
    """
    check = step.post if post else step.pre
    assert check is not None
    try:
        passed = interpret(check, made.answer)
        run.note_missing_threshold(check, step.tool.name)
    except Exception as error:
        return compare_error(step, position, error)
    if passed:
        return None
    if without_details:
        return REFUSED
    seen, expected = check.describe_pair(made.seen, made.snapshot)
    answer = made.answer
    score = "" if issubclass(type(answer), bool) else f" (score {safe_repr(answer)}, threshold {check.threshold})"
    role = "post-check" if post else "pre-check"
    message = f"{role} failed for {step.tool.name!r}{score}: expected {expected}, got {seen}"
    if run.params.canonical and candidate is not None:
        message += differing_params(run, candidate, made.seen, made.snapshot)
    reason = Reason.POST_CHECK_REFUSED if post else Reason.CHECK_REFUSED
    data = snapshot_bytes(made.seen) if post else None
    snapshots = bounded_snapshot(made.seen), bounded_snapshot(made.snapshot)
    values = made.seen, made.snapshot
    return Refusal(
        reason, message, position, step.tool.name, seen, expected, data=data, snapshots=snapshots, values=values
    )


def compare_error(step: PlanStep, position: int, error: Exception) -> Refusal:
    """Return the refusal of a check whose compare raised, or returned no answer."""
    if isinstance(error, CheckError):
        return check_error(step, position, str(error), None)
    return check_error(step, position, f"compare raised {long_repr(error)}", error)


def check_error(step: PlanStep, position: int, what: str, error: BaseException | None) -> Refusal:
    """Return the refusal of a check that errored: it neither passed nor failed."""
    message = f"check errored for {step.tool.name!r}: {what}"
    return Refusal(Reason.CHECK_ERROR, message, position, step.tool.name, error=error)


def wait_and_retry(run: Run, checks: Iterable[Check | None], since: float) -> Generator[Effect, Any, bool]:
    """Sleep before the checks are repeated; return False if none waits any longer.

    The checks share the deadline of the longest wait (B6).
    """
    checks = [check for check in checks if check is not None and check.wait > 0]
    left = left_to_wait(run, checks, since)
    if left <= 0:
        return False
    yield Sleep(min(left, min(check.every for check in checks if check is not None)))
    return True


def left_to_wait(run: Run, checks: Iterable[Check | None], since: float) -> float:
    """Return the seconds until the longest wait of some checks is over.

    The result is 0 or less if it is over.
    """
    longest = max((check.wait for check in checks if check is not None), default=0.0)
    return since + longest - run.clock() if longest > 0 else 0.0
