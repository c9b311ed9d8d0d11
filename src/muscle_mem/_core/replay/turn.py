"""The turns of a replay whose calls the caller of a session makes.

A turn is one step, or the steps that open a parallel group (C10). All of its calls are handed out before the first
result is used.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ..model.reason import Reason
from ..plan.ready_trajectory import Candidate
from ..plan.step import PlanStep, Refusal
from ..run.effects import Confirm, Confirmed, Effect, Invoke, InvokeTurn, Made, NotMade
from ..run.run import Progress, Run
from ..tools.typed_arguments import typed_arguments
from .eligibility import offer_refusal
from .judge import Arguments, capture, evaluate, keep_refreshed
from .post_check import judge_after, judge_together
from .replay import tool_raised
from .selection import Selection


def make_turn(
    run: Run, selection: Selection | None, position: int, followed: Candidate, arguments: Arguments
) -> Generator[Effect, Any, Candidate | Refusal]:
    """Hand out the calls of a turn and judge their results.

    Returns the candidate to follow, or why the replay stops.
    """
    progress = run.progress
    steps = followed.trajectory.steps
    members = (position, *steps[position].opening_members)
    for at in members:
        refusal = offer_refusal(run, steps[at], at)
        if refusal is not None:
            return msgspec.structs.replace(refusal, step=position)
    given = {**(progress.group_arguments or {}), position: arguments}
    progress.calls.extend((steps[at], *given[at]) for at in members)
    answers = yield InvokeTurn(tuple(_invocation(steps[at], given[at]) for at in members), members)
    while type(answers) is Confirm:
        found = yield from _confirm(run, selection, followed, answers.position, is_alone=len(members) == 1)
        if not isinstance(found, Refusal):
            followed = progress.candidate = found
        answers = yield Confirmed(found if isinstance(found, Refusal) else None)
    return (yield from _judge(run, selection, members, followed, answers))


def _invocation(step: PlanStep, arguments: Arguments) -> Invoke:
    if not step.is_said:
        return Invoke(step.tool, *arguments)
    return Invoke(step.tool, *typed_arguments(step.tool, *arguments), arguments)


def _judge(
    run: Run,
    selection: Selection | None,
    members: Sequence[int],
    followed: Candidate,
    answers: Sequence[Made | NotMade],
) -> Generator[Effect, Any, Candidate | Refusal]:
    """Keep the results of a turn, and return the candidate to follow or a refusal."""
    progress = run.progress
    steps = followed.trajectory.steps
    first = answers[0]
    if len(members) == 1 and type(first) is Made and first.error is None:
        return (yield from _judge_alone(run, selection, members[0], followed, first.result))
    refusal = next((answer.refusal for answer in answers if type(answer) is NotMade and answer.refusal), None)
    progress.results.extend(answer.result if type(answer) is Made else None for answer in answers)
    made = [at for at, answer in zip(members, answers, strict=True) if type(answer) is Made]
    _leave_out(progress, [at for at in members if at not in made])
    stop: Refusal | None = None
    for at, answer in zip(members, answers, strict=True):
        if type(answer) is Made and answer.error is not None:
            raised = tool_raised(progress, at, answer.error)
            stop = stop or raised
    stop = stop or refusal
    done = [at for at in made if at not in (progress.errors or ())]
    found: Candidate | Refusal | None = None
    if done:
        until = members[-1] + 1 if stop is None else steps[members[0]].group_stop
        found = yield from judge_together(run, selection, done, followed, until, stops=stop is not None)
    if stop is not None:  # A post-check may have failed because of the call that was not made.
        is_failure = isinstance(found, Refusal) and found.reason is Reason.RETURNED_ERROR
        return found if is_failure and stop is refusal and found is not None else stop
    return found or followed


def _judge_alone(
    run: Run, selection: Selection | None, position: int, followed: Candidate, result: Any
) -> Generator[Effect, Any, Candidate | Refusal]:
    """Keep the result of a call that is alone in its turn, and judge it."""
    results = run.progress.results
    results.append(result)
    step = followed.trajectory.steps[position]
    looks = step.looks
    is_usual = (
        looks is not None
        and looks.is_quick
        and ((type(result) is str and result == looks.usual) or looks.are_seen(results))
    )
    if is_usual or not step.may_check_after:
        return followed
    return (yield from judge_after(run, selection, position, followed)) or followed


def _leave_out(progress: Progress, unmade: Sequence[int]) -> None:
    """Leave out calls of a turn that were not made.

    Before a call that was made, such a call keeps its position.
    """
    held = list(unmade)
    while held and held[-1] == len(progress.calls) - 1:
        progress.calls.pop()
        progress.results.pop()
        held.pop()
    progress.unmade |= frozenset(held)
    progress.skipped |= frozenset(held)


def _confirm(
    run: Run, selection: Selection | None, followed: Candidate, position: int, *, is_alone: bool
) -> Generator[Effect, Any, Candidate | Refusal]:
    """Ask the pre-check of a call that was handed out again.

    Returns the candidate that it passes for, or the refusal. Another candidate with the same call may take over if the
    call is alone in its turn.
    """
    step = followed.trajectory.steps[position]
    if step.pre is None:
        return followed
    _, args, kwargs = run.progress.calls[position]
    value = yield from capture(step, step.pre, (args, kwargs), position)
    if type(value) is Refusal:
        return value
    refusal = yield from evaluate(run, step, value, followed, position, False, shared=True)
    found: Candidate | None = followed
    if refusal is not None:
        found = None
        if selection is not None and is_alone:
            found = yield from selection.accepting_call(position, followed, step, value)
        if found is None:
            run.progress.refused = (followed,) if selection is None else selection.refused_at(position, followed)
            return refusal
    if selection is not None:
        selection.remember_capture(position, False, found or followed, value)
    keep_refreshed(run, step.pre, position, False, value)
    return found or followed
