"""Checks of an iteration against snapshots of recorded iterations (L13)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..plan.ready_trajectory import Candidate
from ..plan.snapshots import MaskedSnapshot, load_snapshot
from ..plan.step import PlanStep, Refusal
from ..run.effects import Compare, Effect
from ..run.run import Run
from ..tools.check import safe_copy
from .judge import Comparison, answer_refusal, compare_error, evaluate_masked


def evaluate_iteration(
    run: Run,
    step: PlanStep,
    value: Any,
    candidate: Candidate,
    position: int,
    post: bool,
    seen: MaskedSnapshot,
    without_details: bool,
) -> Generator[Effect, Any, Refusal | None]:
    """Compare a value with what recorded iterations had; None if one passes.

    Only iterations that passed at the earlier calls of this one count: their snapshots are not mixed.
    """
    kept = run.progress.iterations
    if kept is None:
        kept = run.progress.iterations = {}
    may = kept.get(seen.iteration)
    passing: frozenset[int] = frozenset()
    first: Refusal | None = None
    for option in seen.options:
        rows = option.rows if may is None else option.rows & may
        if not rows:
            continue
        terse = without_details or first is not None
        found = yield from _compared(run, step, value, candidate, position, post, option.snapshot, terse)
        if found is None:
            passing |= rows
        first = first or found
    if passing:
        kept[seen.iteration] = passing
        return None
    if first is not None:
        return first
    made = Comparison(value, load_snapshot(seen.options[0].snapshot), False)
    return answer_refusal(run, step, position, post, made, candidate)


def _compared(
    run: Run,
    step: PlanStep,
    value: Any,
    candidate: Candidate,
    position: int,
    post: bool,
    snapshot: Any,
    without_details: bool,
) -> Generator[Effect, Any, Refusal | None]:
    if type(snapshot) is MaskedSnapshot:
        return (yield from evaluate_masked(run, step, value, candidate, position, post, snapshot, (), without_details))
    check = step.post if post else step.pre
    assert check is not None
    found, wanted = safe_copy(value), load_snapshot(snapshot)
    try:
        if check.compare_async or not step.is_sync:
            answer: Any = yield Compare(check, found, wanted)
        else:
            answer = check.compare(found, wanted)
    except Exception as error:
        return compare_error(step, position, error)
    return answer_refusal(run, step, position, post, Comparison(found, wanted, answer), candidate, without_details)
