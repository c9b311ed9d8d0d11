"""Generalized trajectories that go on where a recording is stale (D2, L5)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.references.replace_leaves import bound_leaves
from ..model.flow import Unclear
from ..model.reason import Reason
from ..plan.flows import ACTS
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.ready_trajectory import Candidate, ReadyTrajectory
from ..plan.step import LOOP_OPENS, PlanStep, Refusal
from ..run.effects import Effect
from ..run.run import Run
from .answers import accepts_answers
from .eligibility import own_refusal
from .judge import evaluate, keep_refreshed
from .parallel_group import Chosen
from .prepare import Captures, bind_arguments, prepare_check, stale_reference
from .selection import Selection

_TOLD = (Reason.PROBATION, Reason.FLOW_UNCLEAR)
_CHECKED = (Reason.CHECK_REFUSED, Reason.CHECK_ERROR)
_NOT_CONTINUED = Refusal(Reason.NO_CANDIDATE, "the generalized trajectory cannot continue here")


def take_over(
    run: Run,
    selection: Selection | None,
    position: int,
    followed: Candidate,
    refusal: Refusal,
    captures: Captures,
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """Return an observation of the generalized trajectory that makes the next call.

    It is that of the followed one. Otherwise return the refusal: that of the generalized trajectory if it has no clear
    source, is on probation or failed its check.
    """
    trajectory = followed.trajectory
    if refusal.reason is LOOP_OPENS:
        from .loops import open_loop

        return (yield from open_loop(run, selection, position, followed, captures))
    if isinstance(trajectory, GeneralTrajectory) or trajectory.learning is None:
        return refusal
    general = trajectory.learning.of(trajectory)
    if general is None:
        return refusal
    is_other = trajectory not in general.parents
    found = yield from _continued(run, selection, position, followed, general, is_other, captures)
    if not isinstance(found, Refusal):
        return found
    if found.reason not in _TOLD:
        return refusal if found.reason not in _CHECKED else found
    return msgspec.structs.replace(found, expected=refusal.expected, snapshots=refusal.snapshots)


def take_over_of_others(
    run: Run, selection: Selection, position: int, followed: Candidate
) -> Generator[Effect, Any, Chosen | None]:
    """Return an observation that makes the next call, of the other candidates.

    Their generalized trajectory would have made the executed calls, and continues otherwise than the followed one.
    """
    captures: Captures = {}
    tried = {own.id for own in (_general_of(followed.trajectory),) if own is not None}
    for trajectory in selection.trajectories:
        general = _general_of(trajectory)
        if general is None or general.id in tried or general.length <= position:
            continue
        if general.steps[position].pre is None:
            continue
        tried.add(general.id)
        found = yield from _continued(run, selection, position, followed, general, True, captures)
        if not isinstance(found, Refusal):
            return found
    return None


def take_over_lacked(
    run: Run, selection: Selection | None, position: int, followed: Candidate
) -> Generator[Effect, Any, Chosen | Candidate | None]:
    """Return an observation of the generalized trajectory that goes on (L17).

    It makes the step with the arguments that it comes with, or skips it as optional. The followed recording alone does
    not prove that it is optional.
    """
    trajectory = followed.trajectory
    general = None if isinstance(trajectory, GeneralTrajectory) else _general_of(trajectory)
    if general is None or trajectory not in general.parents or not is_learned_optional(general, position):
        return None
    found = yield from _continued(run, selection, position, followed, general, False, {})
    if not isinstance(found, Refusal):
        return found
    if found.reason is not Reason.CHECK_REFUSED:
        return None
    return next(candidate for candidate in general.candidates if candidate.id == followed.id)


def is_learned_optional(trajectory: ReadyTrajectory, position: int) -> bool:
    """Return whether recordings prove that a step may be skipped (L17)."""
    learning = trajectory.learning
    if learning is None or learning.count < 2:
        return False
    return any(one.position == position and not one.missing for one in learning.lacked(trajectory))


def _general_of(trajectory: ReadyTrajectory) -> GeneralTrajectory | None:
    return None if trajectory.learning is None else trajectory.learning.of(trajectory)


def _continued(
    run: Run,
    selection: Selection | None,
    position: int,
    followed: Candidate,
    general: GeneralTrajectory,
    all_steps: bool,
    captures: Captures,
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Return an observation that passes at a position, and the arguments.

    With `all_steps`, literals of the executed calls are compared as well.
    """
    skipped = run.progress.skipped
    if own_refusal(run, general) is not None or not skipped.isdisjoint(general.needed_outputs):
        return _NOT_CONTINUED
    if _is_past_its_stop(general, position):
        return _NOT_CONTINUED
    if not _made_same_calls(run, general, position, all_steps=all_steps):
        return _NOT_CONTINUED
    if all_steps and not _fits_executed(run, general, followed, position):
        return _NOT_CONTINUED
    candidates = observations(run, general, followed, selection, position)
    return (
        yield from first_accepting(run, selection, position, general, candidates, general.steps[position], captures)
    )


def first_accepting(
    run: Run,
    selection: Selection | None,
    position: int,
    general: GeneralTrajectory,
    candidates: Sequence[Candidate],
    step: PlanStep,
    captures: Captures,
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Return the first observation whose pre-check passes, and the arguments."""
    prepared = yield from prepare_check(run, step, position, captures)
    if isinstance(prepared, Refusal):
        return prepared
    arguments, value = prepared
    first: Refusal | None = None
    for candidate in candidates:
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
    return first or _NOT_CONTINUED


def _is_past_its_stop(general: GeneralTrajectory, position: int) -> bool:
    """Return whether a trajectory stops before and behind the executed steps.

    Only the first of its stops is kept.
    """
    if general.stop is None or general.stop.step >= position:
        return False
    return any(flow.step >= position and flow.status != ACTS for flow in general.flows)


def observations(
    run: Run, general: GeneralTrajectory, followed: Candidate, selection: Selection | None, position: int
) -> list[Candidate]:
    """Return the observations that may go on, the followed one first.

    The others had the same snapshots so far.

    Without a selection, or after a skipped step, nothing is known of what other observations would accept. Recordings
    that made other calls must have gone on after the answers so far (E12).
    """
    own = [candidate for candidate in general.candidates if candidate.id == followed.id]
    if selection is None or run.progress.skipped:
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
    if not own:
        others = [candidate for candidate in others if accepts_answers(run, candidate, position)]
    return own + others


def _fits_executed(run: Run, general: GeneralTrajectory, followed: Candidate, position: int) -> bool:
    """Return whether a generalized trajectory accepts the executed steps.

    They must have overlapped as in it, and must not be stale by its guards.
    """
    steps = followed.trajectory.steps
    return all(
        steps[at].group_stop == general.steps[at].group_stop and stale_reference(run, general.steps[at], at) is None
        for at in range(position)
    )


def _made_same_calls(run: Run, general: GeneralTrajectory, position: int, *, all_steps: bool) -> bool:
    """Return whether a generalized trajectory would have made the executed calls.

    Its literals are those of its parents, so only for other recordings `all_steps` are compared.
    """
    for at in range(position):
        record = general.body.steps[at]
        if run.progress.calls[at][0].tool.identity != general.steps[at].tool.identity:
            return False
        if at in run.progress.skipped:
            continue
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
