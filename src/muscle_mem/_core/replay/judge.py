"""Capturing, comparing and refusing: what one step asks of the environment, and how the answer is told."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.guards import stale
from ..model.reason import Reason
from ..model.text import retold, short
from ..plan.step import PlanStep, Refusal
from ..plan.trajectory import Candidate, open_snapshot
from ..run.effects import Capture, Compare, Effect, Sleep
from ..run.run import Run
from ..tools.check import Check, CheckError, copy_of, passes

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def arguments_of(run: Run, step: PlanStep) -> Arguments:
    """This run's arguments of a step, its context object first."""
    args, kwargs = (step.args, step.kwargs) if step.args is not None else step.build(run.env)
    if step.method:
        args = (run.objects[step.tool], *args)
    return args, kwargs


def stale_guard(run: Run, step: PlanStep, index: int) -> Refusal | None:
    """Whether a literal of this step was read from an output that no longer holds it (E6)."""
    for guard in step.guards:
        there = stale(guard, run.progress.results)
        if there is not None:
            expected = short(codec.decode(guard.data, lenient=True))
            message = (
                f"an argument of {step.tool.name} was read from the output of step {guard.step}, which held "
                f"{expected} when recorded and holds {short(there)} now"
            )
            return Refusal(Reason.STALE_OUTPUT, message, index, step.tool.name, seen=there, expected=expected)
    return None


def snapshot_bytes(value: Any) -> bytes | None:
    """The canonical bytes of a captured value, or None where it has none."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def keep_refreshed(run: Run, check: Check, place: int, post: bool, value: Any) -> None:
    """Keep an accepted snapshot for after the hit, where the check slides (B7)."""
    if check.refresh:
        data = snapshot_bytes(value)
        if data is not None:
            progress = run.progress
            if progress.refreshed is None:
                progress.refreshed = {}
            progress.refreshed[(place, post)] = data


SAID_NO = Refusal(Reason.CHECK_REFUSED, "the check said no")


def look(step: PlanStep, check: Check, arguments: Arguments, place: int) -> Generator[Effect, Any, Any]:
    """Capture once; a capture that raises is a refused check with the exception as its reason (B4)."""
    args, kwargs = arguments
    try:
        if check.capture_async or not step.direct:
            return (yield Capture(check, args, kwargs))
        return check.capture(*args, **kwargs)
    except Exception as error:
        return check_error(step, place, f"its capture raised {retold(error)}", error)


def judge(
    run: Run,
    step: PlanStep,
    value: Any,
    candidate: Candidate,
    place: int,
    post: bool,
    data: bytes | None = None,
    *,
    shared: bool = False,
    known: Sequence[Any] = (),
    brief: bool = False,
) -> Generator[Effect, Any, Refusal | None]:
    """Compare what was captured with one candidate's snapshot; None if it passes.

    `shared` says that the value is needed again afterwards, so that the compare must get a copy. `known` holds the
    answer of the compare, where it was given already. `brief` says that nobody will read why it said no.
    """
    check = step.post if post else step.pre
    if check is None:
        return None
    snapshot = open_snapshot(candidate.snapshots(post)[place])
    if shared and not check.exact:
        value = copy_of(value)
    try:
        if known:
            answer: Any = known[0]
        elif check.exact and data is not None:
            answer = data == candidate.data(place, post)
        elif check.compare_async or not step.direct:
            answer = yield Compare(check, value, snapshot)
        else:
            answer = check.compare(value, snapshot)
        if answer is True:
            return None
        passed = passes(check, answer)
        run.hear(check, step.tool.name)
        if passed:
            return None
        if brief:
            return SAID_NO
    except CheckError as error:
        return check_error(step, place, str(error), None)
    except Exception as error:
        return check_error(step, place, f"its compare raised {retold(error)}", error)
    return refused(step, check, value, snapshot, place, post, answer)


def refused(step: PlanStep, check: Check, value: Any, snapshot: Any, place: int, post: bool, answer: Any) -> Refusal:
    """The refusal of a check that said no, with what was seen and what was expected."""
    seen, expected = check.texts(value, snapshot)
    score = "" if isinstance(answer, bool) else f" (score {short(answer)}, threshold {check.threshold})"
    role = "post-check" if post else "pre-check"
    message = f"the {role} of {step.tool.name} said no{score}: saw {seen}, expected {expected}"
    reason = Reason.POST_CHECK_REFUSED if post else Reason.CHECK_REFUSED
    data = snapshot_bytes(value) if post else None
    return Refusal(reason, message, place, step.tool.name, seen, expected, data=data)


def check_error(step: PlanStep, place: int, what: str, error: BaseException | None) -> Refusal:
    """The refusal of a check that could not decide."""
    message = f"a check of {step.tool.name} could not decide: {what}"
    return Refusal(Reason.CHECK_ERROR, message, place, step.tool.name, error=error)


def unbuildable(step: PlanStep, place: int, error: BaseException) -> Refusal:
    """The refusal of a step whose arguments cannot be made in this run."""
    message = f"the arguments of {step.tool.name} cannot be made in this run: {retold(error)}"
    return Refusal(Reason.NO_CANDIDATE, message, place, step.tool.name, error=error)


def settle(run: Run, checks: Iterable[Check | None], since: float) -> Generator[Effect, Any, bool]:
    """Sleep before another look, if a check asks for it and the shared deadline is not over (B6)."""
    waiting = [check for check in checks if check is not None and check.wait > 0]
    if not waiting:
        return False
    left = since + max(check.wait for check in waiting) - run.clock()
    if left <= 0:
        return False
    yield Sleep(min(left, min(check.every for check in waiting)))
    return True
