"""Parallel groups in a replay (C10).

The checks precede the first member. This module also determines when post-checks are due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any, NamedTuple, cast

import msgspec

from ..plan.ready_trajectory import Candidate
from ..plan.step import PlanStep, Refusal
from ..run.effects import Effect
from ..run.run import Run
from .judge import Arguments, evaluate, keep_refreshed
from .prepare import Captures, prepare_check
from .selection import Selection

Chosen = tuple[Candidate, Arguments]


class CheckedMember(NamedTuple):
    """An opening member whose pre-check passed, with what it captured."""

    position: int
    step: PlanStep
    value: Any


def check_members(
    run: Run,
    selection: Selection | None,
    position: int,
    followed: Candidate,
    chosen: Chosen,
    captures: Captures,
    member_captures: Captures | None = None,
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Check the other opening members of a group before any member runs.

    If one fails, the next candidate is checked. Without one the replay stops where the group begins. `member_captures`
    holds what was captured for members so far.
    """
    member_captures = {} if member_captures is None else member_captures
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
        for key, value in member_captures.items():
            call, number = cast(tuple[bytes, int], key)
            if number == 1:
                captures.setdefault(call, value)  # Another candidate may make the same call alone.
        selection.retract(position, candidate)
        other = yield from selection.choose(position, followed, captures)
        if not isinstance(other, tuple):
            return first
        chosen = other


def _check_openers(
    run: Run, candidate: Candidate, position: int, member_captures: Captures
) -> Generator[Effect, Any, list[CheckedMember] | Refusal]:
    """Return the other opening members with their captures, or the first refusal."""
    steps = candidate.trajectory.steps
    ready: dict[int, Arguments] = {}
    checked: list[CheckedMember] = []
    calls = Counter([steps[position].call_id])
    for at in steps[position].opening_members:
        step = steps[at]
        key = (step.call_id, calls[step.call_id])  # Equal calls are captured separately.
        calls[step.call_id] += 1
        prepared = yield from prepare_check(run, step, at, member_captures, key)
        if isinstance(prepared, Refusal):
            return _as_of_group(prepared, position)
        ready[at], value = prepared
        refusal = yield from evaluate(run, step, value, candidate, at, False, shared=True)
        if refusal is not None:
            return _as_of_group(refusal, position)
        if step.pre is not None:
            checked.append(CheckedMember(at, step, value))
    run.progress.group_arguments = ready
    return checked


def _as_of_group(refusal: Refusal, position: int) -> Refusal:
    """Return a member's refusal as one of the place where its group begins."""
    message = f"{refusal.message}; the check runs before the first call of its parallel group"
    return msgspec.structs.replace(refusal, step=position, message=message)


def due_post_checks(run: Run, followed: Candidate, made: int) -> list[int]:
    """Return the positions whose pending post-checks are due after `made` calls."""
    return [at for at in run.progress.pending_post_checks if followed.due_at(at) <= made]
