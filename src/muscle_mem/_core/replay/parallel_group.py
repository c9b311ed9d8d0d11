"""Replaying a parallel group (C10): what is asked before its first member runs, and when its post-checks are due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any, NamedTuple

import msgspec

from ..plan.ready_trajectory import Candidate
from ..plan.step import PlanStep, Refusal
from ..run.effects import Effect
from ..run.run import Run
from .approval import approval_refusal
from .judge import Arguments, bind_arguments, cannot_bind, capture, evaluate, keep_refreshed, stale_reference
from .selection import Captures, Selection

Chosen = tuple[Candidate, Arguments]


class CheckedMember(NamedTuple):
    """What an opening member's pre-check has seen and accepted."""

    position: int
    step: PlanStep
    value: Any


def check_members(
    run: Run, selection: Selection | None, position: int, followed: Candidate, chosen: Chosen, captures: Captures
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Judge the other opening members of the group that the chosen candidate begins here, before anything runs.

    If one fails, the next candidate is asked, and the group stops where it begins: nothing of it was made.
    """
    member_captures: dict[tuple[bytes, int], Any] = {}
    first: Refusal | None = None
    while True:
        candidate = chosen[0]
        found = yield from _check_openers(run, candidate, position, member_captures)
        if not isinstance(found, Refusal):
            for at, step, value in found:
                if selection is not None:
                    selection.remember_capture(at, False, candidate, value)
                if step.pre is not None:
                    keep_refreshed(run, step.pre, at, False, value)
            return chosen
        first = first or found
        if run.progress.refreshed_snapshots is not None:
            run.progress.refreshed_snapshots.pop((position, False), None)
        if selection is None:
            return first
        selection.retract(position, candidate)
        other = yield from selection.choose(position, followed, captures)
        if not isinstance(other, tuple):
            return first
        chosen = other


def _check_openers(
    run: Run, candidate: Candidate, position: int, member_captures: dict[tuple[bytes, int], Any]
) -> Generator[Effect, Any, list[CheckedMember] | Refusal]:
    steps = candidate.trajectory.steps
    ready: dict[int, Arguments] = {}
    checked: list[CheckedMember] = []
    calls = Counter([steps[position].call_id])
    for at in steps[position].opening_members:
        step = steps[at]
        key = (step.call_id, calls[step.call_id])  # of equal calls each is looked at for itself
        calls[step.call_id] += 1
        found = yield from _check_member(run, candidate, at, key, member_captures, ready)
        if isinstance(found, Refusal):
            message = f"{found.message}; it is asked before the first call of its parallel group"
            return msgspec.structs.replace(found, step=position, message=message)
        if step.pre is not None:
            checked.append(CheckedMember(at, step, member_captures[key]))
    run.progress.group_arguments = ready
    return checked


def _check_member(
    run: Run,
    candidate: Candidate,
    at: int,
    key: tuple[bytes, int],
    member_captures: dict[tuple[bytes, int], Any],
    ready: dict[int, Arguments],
) -> Generator[Effect, Any, Refusal | None]:
    step = candidate.trajectory.steps[at]
    stale = stale_reference(run, step, at)
    if stale is not None:
        return stale
    try:
        arguments = ready[at] = bind_arguments(run, step)
    except Exception as error:
        return cannot_bind(step, at, error)
    approval = yield from approval_refusal(run, step, arguments, at)
    if approval is not None or step.pre is None:
        return approval
    if key not in member_captures:
        member_captures[key] = yield from capture(step, step.pre, arguments, at)
    if isinstance(member_captures[key], Refusal):
        return member_captures[key]  # type: ignore[no-any-return]  # a Refusal, as was just looked at
    return (yield from evaluate(run, step, member_captures[key], candidate, at, False, shared=True))


def due_post_checks(run: Run, followed: Candidate, made: int) -> list[int]:
    """The made members of a group whose post-checks are to be asked when so many steps have been made."""
    return [at for at in run.progress.pending_post_checks if followed.due_at(at) <= made]
