"""Comparing what was captured with many recordings at once, for checks that can (`compare_many`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ..model.text import short
from ..plan.step import PlanStep
from ..plan.trajectory import Candidate, open_snapshot
from ..run.run import Run
from ..tools.check import Check, copy_of

Asked = tuple[Any, dict[Candidate, Any]]


class Answers:
    """The answers of one run's checks that compare many at once: each captured value is asked about once."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked: dict[tuple[int, bool, int], Asked] = {}

    def of(
        self,
        run: Run,
        step: PlanStep,
        value: Any,
        place: int,
        post: bool,
        candidate: Candidate,
        waiting: Iterable[Candidate],
    ) -> Sequence[Any]:
        """The answer on one candidate, alone in a sequence; empty where it must be compared by itself."""
        check = step.post if post else step.pre
        if check is None or check.compare_many is None:
            return ()
        key = (place, post, id(value))
        asked = self._asked.get(key)
        if (
            asked is None or asked[0] is not value
        ):  # an id may be used again; the value is kept, so that this one is not
            asked = self._asked[key] = (value, _ask(run, check, step, value, place, post, candidate, waiting))
        return (asked[1][candidate],) if candidate in asked[1] else ()


def _ask(
    run: Run,
    check: Check,
    step: PlanStep,
    value: Any,
    place: int,
    post: bool,
    first: Candidate,
    waiting: Iterable[Candidate],
) -> dict[Candidate, Any]:
    """Compare with all that wait for the same sight at this place, as many as a run may look at."""
    alike = (one for one in waiting if one is not first and _asks_the_same(one, check, step, place, post))
    asked = [first, *islice(alike, run.policy.max_lookups - 1)]
    if len(asked) < 2 or check.compare_many is None:
        return {}
    snapshots = [open_snapshot(one.snapshots(post)[place]) for one in asked]
    try:
        answers = list(check.compare_many(copy_of(value), snapshots))
        if len(answers) == len(asked):
            return dict(zip(asked, answers, strict=True))
        trouble = f"it returned {len(answers)} answers for {len(asked)} snapshots"
    except Exception as error:
        trouble = f"it raised {short(error)}"
    message = f"the compare_many of {step.tool.name}'s check is not used: {trouble}; they are compared one by one"
    run.notify("warning", "compare_many", message, step.tool.name)
    return {}


def _asks_the_same(candidate: Candidate, check: Check, step: PlanStep, place: int, post: bool) -> bool:
    steps = candidate.trajectory.steps
    if place >= len(steps) or steps[place].sight(post) != step.sight(post):
        return False
    return (steps[place].post if post else steps[place].pre) is check
