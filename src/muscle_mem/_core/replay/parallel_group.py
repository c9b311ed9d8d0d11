"""Replaying a parallel group (C10): what is asked before its first member runs, and when its post-checks are due."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any, NamedTuple

import msgspec

from ..plan.step import PlanStep, Refusal
from ..plan.trajectory import Candidate
from ..run.effects import Effect
from ..run.run import Run
from .approval import disapproved
from .judge import Arguments, arguments_of, judge, keep_refreshed, look, stale_guard, unbuildable
from .selection import Sights, Walk

Chosen = tuple[Candidate, Arguments]


class Looked(NamedTuple):
    """What an opening member's pre-check has seen and accepted."""

    place: int
    step: PlanStep
    value: Any


def with_rest(
    run: Run, walk: Walk | None, place: int, followed: Candidate, chosen: Chosen, sights: Sights
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Judge the other opening members of the group that the chosen candidate begins here, before anything runs.

    If one says no, the next candidate is asked, and the group stops where it begins: nothing of it was made.
    """
    more: dict[tuple[bytes, int], Any] = {}
    first: Refusal | None = None
    while True:
        candidate = chosen[0]
        found = yield from _ask_rest(run, candidate, place, more)
        if not isinstance(found, Refusal):
            for at, step, value in found:
                if walk is not None:
                    walk.saw(at, False, candidate, value)
                if step.pre is not None:
                    keep_refreshed(run, step.pre, at, False, value)
            return chosen
        first = first or found
        if run.progress.refreshed is not None:
            run.progress.refreshed.pop((place, False), None)
        if walk is None:
            return first
        walk.retract(place, candidate)
        other = yield from walk.choose(place, followed, sights)
        if not isinstance(other, tuple):
            return first
        chosen = other


def _ask_rest(
    run: Run, candidate: Candidate, place: int, more: dict[tuple[bytes, int], Any]
) -> Generator[Effect, Any, list[Looked] | Refusal]:
    steps = candidate.trajectory.steps
    ready: dict[int, Arguments] = {}
    looked: list[Looked] = []
    calls = Counter([steps[place].call_id])
    for at in steps[place].opens:
        step = steps[at]
        key = (step.call_id, calls[step.call_id])  # of equal calls each is looked at for itself
        calls[step.call_id] += 1
        found = yield from _ask(run, candidate, at, key, more, ready)
        if isinstance(found, Refusal):
            message = f"{found.message}; it is asked before the first call of its parallel group"
            return msgspec.structs.replace(found, step=place, message=message)
        if step.pre is not None:
            looked.append(Looked(at, step, more[key]))
    run.progress.ready = ready
    return looked


def _ask(
    run: Run,
    candidate: Candidate,
    at: int,
    key: tuple[bytes, int],
    more: dict[tuple[bytes, int], Any],
    ready: dict[int, Arguments],
) -> Generator[Effect, Any, Refusal | None]:
    step = candidate.trajectory.steps[at]
    stale = stale_guard(run, step, at)
    if stale is not None:
        return stale
    try:
        arguments = ready[at] = arguments_of(run, step)
    except Exception as error:
        return unbuildable(step, at, error)
    no = yield from disapproved(run, step, arguments, at)
    if no is not None or step.pre is None:
        return no
    if key not in more:
        more[key] = yield from look(step, step.pre, arguments, at)
    if isinstance(more[key], Refusal):
        return more[key]  # type: ignore[no-any-return]  # a Refusal, as was just looked at
    return (yield from judge(run, step, more[key], candidate, at, False, shared=True))


def due_posts(run: Run, followed: Candidate, made: int) -> list[int]:
    """The made members of a group whose post-checks are to be asked when so many steps have been made."""
    return [at for at in run.progress.unjudged if followed.due(at) <= made]
