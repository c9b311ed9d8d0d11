"""Generalized trajectories that go on where a recording is stale (D2, L5)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.replace_leaves import bound_leaves
from ..model.flow import Unclear
from ..model.reason import Reason
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.ready_trajectory import Candidate
from ..plan.step import Refusal
from ..run.effects import Effect
from ..run.run import Run
from .eligibility import own_refusal
from .judge import evaluate, keep_refreshed
from .parallel_group import Chosen
from .prepare import Captures, bind_arguments, prepare_check
from .selection import Selection

_TOLD = (Reason.PROBATION, Reason.FLOW_UNCLEAR)


def take_over(
    run: Run, selection: Selection | None, position: int, followed: Candidate, refusal: Refusal
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Return an observation of the generalized trajectory that makes the next call.

    Otherwise return the refusal: that of the generalized trajectory if it has no clear source or is on probation.
    """
    trajectory = followed.trajectory
    if isinstance(trajectory, GeneralTrajectory) or trajectory.learning is None:
        return refusal
    general = trajectory.learning.of(trajectory)
    if general is None or run.progress.skipped or own_refusal(run, general) is not None:
        return refusal
    if not _made_same_calls(run, general, position, all_steps=trajectory not in general.parents):
        return refusal
    captures: Captures = {}
    step = general.steps[position]
    prepared = yield from prepare_check(run, step, position, captures)
    if isinstance(prepared, Refusal):
        if prepared.reason not in _TOLD:
            return refusal
        return msgspec.structs.replace(prepared, expected=refusal.expected, snapshots=refusal.snapshots)
    arguments, value = prepared
    first: Refusal | None = None
    for candidate in _observations(general, followed, selection):
        found = None
        if step.pre is not None:
            found = yield from evaluate(run, step, value, candidate, position, False, shared=True)
        if found is None:
            if selection is not None:
                selection.follow_general(general.candidate_set)
                selection.remember_capture(position, False, candidate, value)
            if step.pre is not None:
                keep_refreshed(run, step.pre, position, False, value)
            return candidate, arguments
        first = first or found
    return first or refusal


def _observations(general: GeneralTrajectory, followed: Candidate, selection: Selection | None) -> list[Candidate]:
    """Return the observations that may go on, the followed one first.

    The others had the same snapshots so far.

    Without a selection, nothing is known of what other observations would accept.
    """
    own = [candidate for candidate in general.candidates if candidate.id == followed.id]
    if selection is None:
        return own
    others = [
        candidate
        for candidate in general.candidates
        if candidate.id != followed.id
        and all(
            candidate.stored_snapshot(position, post) == by.stored_snapshot(position, post)
            for position, post, by, _, _ in selection.captures
        )
    ]
    return own + others


def _made_same_calls(run: Run, general: GeneralTrajectory, position: int, *, all_steps: bool) -> bool:
    """Return whether a generalized trajectory would have made the executed calls.

    Its literals are those of its parents, so only for other recordings `all_steps` are compared.
    """
    for at in range(position):
        record = general.body.steps[at]
        if not all_steps and not any(True for _, expr in record.arguments for _ in bound_leaves(expr)):
            continue
        step, args, kwargs = run.progress.calls[at]
        try:
            planned = bind_arguments(run, general.steps[at])
            own = dict(step.tool.name_arguments(planned[0][step.method :], planned[1]))
            made = dict(step.tool.name_arguments(args[step.method :], kwargs))
            if own.keys() != made.keys() or any(
                codec.canonical(own[name]) != codec.canonical(made[name]) for name in own
            ):
                return False
        except (NotStorableError, LookupError, ValueError, Unclear):
            return False
    return True
