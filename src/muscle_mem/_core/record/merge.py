"""A stopped replay and the agent's calls after it: one trajectory or two (F5)."""

from __future__ import annotations

from collections.abc import Sequence

from ..binding.outputs.failures import declared_failure
from ..model.handover import Handover
from ..model.reason import Reason
from ..model.records import StepRecord
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.ready_trajectory import Candidate
from ..plan.step import Refusal
from ..run.deferred import Deferred, encoded
from ..run.recorder import Problem, RecordedStep
from ..run.run import Run
from ..tools.tool import Tool
from .absorb import Absorber, Accepted
from .masked_rows import refreshed_snapshots

ANSWERS = (Reason.UNSEEN_ANSWER, Reason.LOOP_UNCLEAR)
"""Reasons of a stop at something that the agent saw, too: that it had nothing more to do is what it did then."""


def accepted_steps(run: Run, followed: Candidate, refusal: Refusal) -> list[Accepted]:
    """Return how each step was accepted: by recorded or renewed snapshots (B7).

    The post-check that stopped the replay saw another state, which counts for its step.
    """
    return _accepted(run, followed, range(len(run.progress.calls)), refusal)


def accepted_step(run: Run, followed: Candidate, at: int) -> Accepted:
    """Return how a step that is about to be made was accepted."""
    return _accepted(run, followed, range(at, at + 1), None)[0]


def _accepted(run: Run, followed: Candidate, places: range, refusal: Refusal | None) -> list[Accepted]:
    row = followed.row
    found: list[Accepted] = []
    records = followed.trajectory.body.steps
    snapshots = refreshed_snapshots(run, followed)
    for at in places:
        seen, record = snapshots[at], records[at]
        if refusal is not None and at == refusal.step:
            seen = seen._replace(post=refusal.data, is_stored=(seen.is_stored[0], False))
        seconds = row.seconds[at] if at < len(row.seconds) else 0.0
        stored = _stored(seen.pre), _stored(seen.post)
        found.append(Accepted(*stored, seen.is_stored, seen.chances, seconds, record.group, record.late))
    return found


def _stored(data: bytes | None) -> Deferred | None:
    return None if data is None else encoded(data)


def begin_with_replay(run: Run, followed: Candidate, refusal: Refusal, handover: Handover) -> None:
    """Begin the recording of an agent that continues with replayed steps (F5).

    A step whose post-check failed is one of them if its snapshot is known, since the agent continues with its result.
    Its copy in `handover` is recognized as the same output.
    """
    progress, recorder, row = run.progress, run.recorder, followed.row
    group = progress.entered_calls[0][0].group_stop
    recorder.first_executed = [
        call for at, call in enumerate(progress.entered_calls) if not at or (group and call[0].group_stop == group)
    ]
    count = len(progress.calls)
    left_out = progress.unmade | frozenset(progress.errors or ())
    if progress.was_made(refusal.step) and refusal.data is None and not _is_doubtful_read(run, refusal):
        left_out |= {refusal.step if progress.errors else count - 1}  # The broken step itself.
    records = _executed_records(run, followed, count)
    executed = iter(handover.executed)
    for index, accepted in enumerate(accepted_steps(run, followed, refusal)[:count]):
        if index in left_out:
            if index not in progress.unmade:
                next(executed)
            continue
        planned, _, kwargs = progress.calls[index]
        step = RecordedStep()
        step.tool, step.record, step.judged = planned.tool, records[index], followed.due_at(index)
        step.keywords = tuple(kwargs)
        step.override = row.overrides[index] if index < len(row.overrides) else ""
        step.seconds = accepted.seconds
        accepted.give_to(step)
        if index in progress.skipped:  # An optional step stays in the plan as it was recorded.
            step.recorded_output = row.outputs[index] if index < len(row.outputs) else b""
        else:
            recorder.store_output(step, progress.results[index])
            recorder.know_copy(step, next(executed).result)
        recorder.prefix.append(step)


def _executed_records(run: Run, followed: Candidate, count: int) -> Sequence[StepRecord]:
    """Return the executed calls as they are stored.

    What was read from a source is stored as the value that was read. If that is not known any more, the run is not
    learned.
    """
    trajectory, recorder = followed.trajectory, run.recorder
    if not isinstance(trajectory, GeneralTrajectory):
        return trajectory.body.steps
    recorder.has_general_prefix = True
    try:
        return trajectory.literal_records(run.env, count)
    except Exception:  # What was sent is not in the outputs any more.
        message = f"an output of trajectory {trajectory.id} was changed in the replay after a call had used it"
        recorder.add_problem(Reason.NOT_REPLAYABLE, message)
        return trajectory.body.steps


def _is_doubtful_read(run: Run, refusal: Refusal) -> bool:
    """Return whether a read whose result looks like an error broke the replay (C5a).

    Such a result does not declare itself an error. The agent continues with the result.
    """
    if refusal.reason is not Reason.RETURNED_ERROR:
        return False
    tool = run.progress.calls[refusal.step][0].tool
    is_doubtful = tool.failed is None and not declared_failure(run.progress.results[refusal.step])
    return is_doubtful and tool.is_read_only and tool.post is None


def merge_problem(run: Run, refusal: Refusal, accepted: bool) -> Problem | None:
    """Return why a replay and the agent's calls after it are not one trajectory.

    The result is None if they are. `accepted` says that a success callback accepted the run.
    """
    recorder = run.recorder
    absorber: Absorber | None = recorder.absorber
    own = [step for step in recorder.steps if not (step.is_dropped or step.is_absorbed)]
    recorder.unabsorbed = _unabsorbed(run, absorber, own, accepted)
    problem = _broken_step_problem(run, refusal, accepted)
    if problem is not None:
        return problem
    if absorber is not None:
        is_answer = refusal.reason in ANSWERS or _is_doubtful_read(run, refusal)
        return _restarted_problem(run, absorber, own, accepted or is_answer)
    return _continued_problem(run, refusal, own, accepted)


def _broken_step_problem(run: Run, refusal: Refusal, accepted: bool) -> Problem | None:
    """Return why the step that broke the replay, or one beside it, is unknown."""
    progress = run.progress
    if progress.was_made(refusal.step):
        tool = _broken_tool(run, refusal)
        is_harmless = tool.is_read_only or refusal.did_nothing
        is_unknown = not is_harmless and not _is_made_again(run.recorder.absorber)
        if is_unknown and not accepted:
            message = f"{tool.name!r} stopped the replay, and its effect is unknown"
            return Problem(Reason.UNKNOWN_EFFECT, message, tool.name)
        if refusal.reason is Reason.CHECK_ERROR:
            return Problem(Reason.CHECK_FAILED, refusal.message, tool.name)
        if is_unknown and (progress.errors or refusal.reason is Reason.RETURNED_ERROR):
            message = f"{tool.name!r} failed in the replay, and its effect is unknown"
            run.recorder.add_quarantine(Reason.FAILED_WRITE, message, tool.name)
    unjudged = next((at for at in progress.pending_post_checks if at != refusal.step), None)
    if unjudged is not None:
        tool = progress.calls[unjudged][0].tool
        message = f"the replay stopped within a parallel group before the post-check of {tool.name!r} ran"
        return Problem(Reason.UNKNOWN_EFFECT, message, tool.name)
    return None


def _broken_tool(run: Run, refusal: Refusal) -> Tool:
    """Return the tool of the step that broke the replay.

    If several calls of a parallel group raised, it is one that may have had an effect, if there is one.
    """
    tools: list[Tool] = [run.progress.calls[at][0].tool for at in (refusal.step, *(run.progress.errors or ()))]
    return next((tool for tool in tools if not tool.is_read_only), tools[0])


def _is_made_again(absorber: Absorber | None) -> bool:
    """Return whether a call that raised in the replay was repeated and returned (C5)."""
    return absorber is not None and any(not step.is_dropped for step in absorber.retries)


def _continued_problem(run: Run, refusal: Refusal, own: list[RecordedStep], accepted: bool) -> Problem | None:
    """Return why an agent's calls do not go on from where the replay stopped."""
    recorder = run.recorder
    if not own and _knows(run) and refusal.reason in ANSWERS:
        return None  # The agent saw the answer, and it had nothing more to do.
    if not own:
        has_steps = len(recorder.prefix) > len(run.progress.skipped - run.progress.unmade)
        if accepted and has_steps and refusal.reason is not Reason.UNSUCCESSFUL:
            return None
        return Problem(Reason.NO_CALLS, "the agent called no tool after the replay had stopped")
    if accepted or _knows(run):
        return None
    if own[0] in recorder.repeated_calls:
        name = own[0].tool.name
        message = f"the agent repeated {name!r} as its first call, which the replay had already made"
        return Problem(Reason.REPEATED_PREFIX, message, name)
    recorder.prefix = []
    return recorder.unabsorbed


def _knows(run: Run) -> bool:
    """Return whether the agent knew what the replay had done (F5).

    An agent that did not has started again.
    """
    return run.takes_handover or run.knows_handover


def _restarted_problem(run: Run, absorber: Absorber, own: list[RecordedStep], accepted: bool) -> Problem | None:
    """Return why the calls of a restarted agent cannot be one recording.

    Either a step is missing, or nothing was added.
    """
    undone = absorber.undone(_knows(run))
    if not own and (undone is not None or not accepted or not run.recorder.planned_steps()):
        return Problem(Reason.NO_CALLS, "the agent called no tool after the replay had stopped")
    if undone is not None:
        return run.recorder.unabsorbed
    wanted = absorber.own_acts if absorber.expects_acts else absorber.news if absorber.acts else own
    if accepted or any(not step.is_dropped for step in wanted):
        return None
    message = "the agent repeated the steps of the replay, and made no call beyond them that has an effect"
    return Problem(Reason.NO_CALLS, message)


def _unabsorbed(run: Run, absorber: Absorber | None, own: list[RecordedStep], accepted: bool) -> Problem | None:
    """Return which step of the replay a restarted agent has not repeated.

    The agent has made other calls.
    """
    if not own:
        return None
    if absorber is not None:
        undone = absorber.undone(_knows(run))
        return None if undone is None else _not_absorbed(*undone)
    if accepted or _knows(run):
        return None
    acts = [step.tool for step, _, _ in run.progress.entered_calls if not step.tool.is_read_only]
    if not acts:
        return None
    return _not_absorbed(acts[0], any(step.tool.identity == acts[0].identity for step in own))


def _not_absorbed(tool: Tool, is_called_again: bool) -> Problem:
    again = "again by the agent" if is_called_again else "not repeated by the agent"
    cure = "" if tool.effect == "idempotent" else ", or declare it idempotent"
    message = f"{tool.name!r} was done by the replay and {again}. Name `handover` in the agent's signature{cure}"
    return Problem(Reason.NOT_ABSORBED, message, tool.name)
