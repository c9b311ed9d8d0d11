"""Batched comparison: one `compare_many` call for candidates of one capture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from ..model.text import safe_repr
from ..plan.ready_trajectory import Candidate
from ..plan.step import PlanStep
from ..run.bound import expected_snapshot
from ..run.run import Run
from ..tools.check import Check, safe_copy

Batch = tuple[Any, dict[Candidate, Any]]


class BatchResults:
    """The `compare_many` answers of one run, one batch for each captured value."""

    __slots__ = ("_batches",)

    def __init__(self) -> None:
        self._batches: dict[tuple[int, bool, int], Batch] = {}

    def result_for(
        self,
        run: Run,
        step: PlanStep,
        value: Any,
        position: int,
        post: bool,
        candidate: Candidate,
        waiting: Iterable[Candidate],
    ) -> Sequence[Any]:
        """Return the answer for one candidate as the only item of a sequence.

        The sequence is empty if the candidate must be compared alone.
        """
        check = step.post if post else step.pre
        if check is None or check.compare_many is None:
            return ()
        key = (position, post, id(value))
        batch = self._batches.get(key)
        if batch is None or batch[0] is not value:
            # The batch keeps the value alive, so that its id is not used again.
            batch = self._batches[key] = (
                value,
                _compare_all(run, check, step, value, position, post, candidate, waiting),
            )
        return (batch[1][candidate],) if candidate in batch[1] else ()


def _compare_all(
    run: Run,
    check: Check,
    step: PlanStep,
    value: Any,
    position: int,
    post: bool,
    first: Candidate,
    waiting: Iterable[Candidate],
) -> dict[Candidate, Any]:
    """Compare a value with all waiting candidates that share its capture.

    At most `max_lookups` candidates are compared.
    """
    sharing = (
        candidate
        for candidate in waiting
        if candidate is not first and _shares_capture(candidate, check, step, position, post)
    )
    asked = [first, *islice(sharing, run.policy.max_lookups - 1)]
    if len(asked) < 2 or check.compare_many is None:
        return {}
    snapshots = [expected_snapshot(run, candidate, position, post) for candidate in asked]
    try:
        answers = list(check.compare_many(safe_copy(value), snapshots))
        if len(answers) == len(asked):
            return dict(zip(asked, answers, strict=True))
        problem = f"expected {len(asked)} answers, got {len(answers)}"
    except Exception as error:
        problem = f"it raised {safe_repr(error)}"
    message = f"compare_many= failed for {step.tool.name!r}: {problem}; its candidates are compared one by one"
    run.notify("warning", "compare_many", message, step.tool.name)
    return {}


def _shares_capture(candidate: Candidate, check: Check, step: PlanStep, position: int, post: bool) -> bool:
    """Return whether a candidate has the same check and capture at a position."""
    steps = candidate.trajectory.steps
    if position >= len(steps) or steps[position].capture_key(post) != step.capture_key(post):
        return False
    return (steps[position].post if post else steps[position].pre) is check
