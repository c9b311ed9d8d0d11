"""Capturing, comparing and refusing: what one step asks of the environment, and how the answer is reported."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.guards import stale_value
from ..model.reason import Reason
from ..model.text import long_repr, safe_repr
from ..plan.ready_trajectory import Candidate
from ..plan.snapshots import load_snapshot
from ..plan.step import PlanStep, Refusal
from ..run.effects import Capture, Compare, Effect, Sleep
from ..run.run import Run
from ..tools.check import Check, CheckError, interpret, safe_copy

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def bind_arguments(run: Run, step: PlanStep) -> Arguments:
    """This run's arguments of a step, its context object first."""
    args, kwargs = (step.args, step.kwargs) if step.args is not None else step.build_arguments(run.env)
    if step.method:
        args = (run.context_objects[step.tool], *args)
    return args, kwargs


def stale_reference(run: Run, step: PlanStep, index: int) -> Refusal | None:
    """Whether a literal of this step was read from an output that no longer holds it (E6)."""
    for guard in step.guards:
        there = stale_value(guard, run.progress.results)
        if there is not None:
            expected = safe_repr(codec.decode(guard.data, lenient=True))
            message = (
                f"an argument of {step.tool.name} was read from the output of step {guard.step}, which held "
                f"{expected} when recorded and holds {safe_repr(there)} now"
            )
            return Refusal(Reason.STALE_OUTPUT, message, index, step.tool.name, seen=there, expected=expected)
    return None


def snapshot_bytes(value: Any) -> bytes | None:
    """The canonical bytes of a captured value, or None where it has none."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def keep_refreshed(run: Run, check: Check, position: int, post: bool, value: Any) -> None:
    """Keep an accepted snapshot for after the hit, where the check slides (B7)."""
    if check.refresh:
        data = snapshot_bytes(value)
        if data is not None:
            progress = run.progress
            if progress.refreshed_snapshots is None:
                progress.refreshed_snapshots = {}
            progress.refreshed_snapshots[(position, post)] = data


REFUSED = Refusal(Reason.CHECK_REFUSED, "the check failed")


def capture(step: PlanStep, check: Check, arguments: Arguments, position: int) -> Generator[Effect, Any, Any]:
    """Capture once; a capture that raises is a refused check with the exception as its reason (B4)."""
    args, kwargs = arguments
    try:
        if check.capture_async or not step.is_sync:
            return (yield Capture(check, args, kwargs))
        return check.capture(*args, **kwargs)
    except Exception as error:
        return check_error(step, position, f"its capture raised {long_repr(error)}", error)


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
    """Compare what was captured with one candidate's snapshot; None if it passes.

    `shared` says that the value is needed again afterwards, so that the compare must get a copy. `known_answer` holds
    the answer of the compare, where it was given already. `without_details` says that the reason of a failure is
    not needed.
    """
    check = step.post if post else step.pre
    if check is None:
        return None
    snapshot = load_snapshot(candidate.snapshots(post)[position])
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
        if answer is True:
            return None
        passed = interpret(check, answer)
        run.note_missing_threshold(check, step.tool.name)
        if passed:
            return None
        if without_details:
            return REFUSED
    except CheckError as error:
        return check_error(step, position, str(error), None)
    except Exception as error:
        return check_error(step, position, f"its compare raised {long_repr(error)}", error)
    return refused_check(step, check, value, snapshot, position, post, answer)


def refused_check(
    step: PlanStep, check: Check, value: Any, snapshot: Any, position: int, post: bool, answer: Any
) -> Refusal:
    """The refusal of a check that failed, with what was seen and what was expected."""
    seen, expected = check.describe_pair(value, snapshot)
    score = "" if isinstance(answer, bool) else f" (score {safe_repr(answer)}, threshold {check.threshold})"
    role = "post-check" if post else "pre-check"
    message = f"the {role} of {step.tool.name} failed{score}: saw {seen}, expected {expected}"
    reason = Reason.POST_CHECK_REFUSED if post else Reason.CHECK_REFUSED
    data = snapshot_bytes(value) if post else None
    return Refusal(reason, message, position, step.tool.name, seen, expected, data=data)


def check_error(step: PlanStep, position: int, what: str, error: BaseException | None) -> Refusal:
    """The refusal of a check that could not decide."""
    message = f"a check of {step.tool.name} could not decide: {what}"
    return Refusal(Reason.CHECK_ERROR, message, position, step.tool.name, error=error)


def cannot_bind(step: PlanStep, position: int, error: BaseException) -> Refusal:
    """The refusal of a step whose arguments cannot be made in this run."""
    message = f"the arguments of {step.tool.name} cannot be made in this run: {long_repr(error)}"
    return Refusal(Reason.NO_CANDIDATE, message, position, step.tool.name, error=error)


def wait_and_retry(run: Run, checks: Iterable[Check | None], since: float) -> Generator[Effect, Any, bool]:
    """Sleep before another look, if a check asks for it and the shared deadline is not over (B6)."""
    waiting = [check for check in checks if check is not None and check.wait > 0]
    if not waiting:
        return False
    left = since + max(check.wait for check in waiting) - run.clock()
    if left <= 0:
        return False
    yield Sleep(min(left, min(check.every for check in waiting)))
    return True
