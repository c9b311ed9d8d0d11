"""Learning: seal the steps of a run if they would replay from its start."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...errors import NotStorableError, TooLargeError
from ..model.handover import Handover
from ..model.outcome import Outcome
from ..model.reason import Reason
from ..model.text import long_repr
from ..plan.ready_trajectory import Candidate
from ..plan.step import Refusal
from ..run.deferred import Deferred, encoded
from ..run.effects import Effect, Save
from ..run.recorder import Problem, RecordedStep, Recording
from ..run.run import Run
from .masked_rows import refreshed_snapshots
from .redact import check_for_leaks, redact_recording
from .retries import settle_failed_calls
from .seal import make_recording
from .verdict import success_verdict


def learn(
    run: Run, outcome: Outcome, value: Any, seconds: float, replay_refusal: Refusal | None = None
) -> Generator[Effect, Any, None]:
    """Seal the steps of a run, or note in the outcome why they were not learned."""
    recorder = run.recorder
    recorder.closed = True
    accepted = None
    redact_recording(recorder, run.scope, run.context)
    settle_failed_calls(recorder)
    problem = _learning_problem(run)
    if problem is None and run.success is not None:
        accepted, why = yield from success_verdict(run, value)
        if not accepted:
            problem = Problem(Reason.REFUSED, f"the success callback {why}")
    if problem is None and replay_refusal is not None:
        problem = _merge_problem(run, replay_refusal, accepted is True)
    recording: Recording | None = None
    if problem is None:
        assert run.key is not None
        try:
            made = check_for_leaks(make_recording(run, value=value, run_seconds=seconds), recorder, run.key_inputs())
            recording, problem = (None, made) if isinstance(made, Problem) else (made, None)
            # A secret that was known earlier is reported when the key is derived.
            if problem is not None and problem.reason is Reason.NO_KEY:
                run.notify("warning", "secret_in_task", f"task is not learned: {problem.message}", "")
        except NotStorableError as error:
            problem = Problem(Reason.TOO_LARGE if isinstance(error, TooLargeError) else Reason.UNLEARNABLE, str(error))
        except Exception as error:  # An internal error must not affect the run.
            problem = Problem(Reason.NOT_REPLAYABLE, f"recording failed: {long_repr(error)}")
    if recording is not None:
        problem = yield Save((recording, recorder.quarantine[:1], accepted is True))
    outcome.message = run.redact(outcome.message)
    if problem is not None:
        outcome.not_learned = problem.reason
        outcome.not_learned_message = run.redact(problem.message)
        if recording is not None and problem in recorder.quarantine:  # The recording is stored and needs a review.
            outcome.trajectory_id = recording.id
        return
    assert recording is not None
    outcome.learned = True
    outcome.trajectory_id = recording.id


def _learning_problem(run: Run) -> Problem | None:
    """Return why the steps of a run cannot be learned, or None."""
    recorder = run.recorder
    if run.mode == "frozen":
        return Problem(Reason.MODE, "mode='frozen' does not learn")
    if run.key is None:
        return Problem(Reason.NO_KEY, "the task has no key")
    unseen = run.find_unseen() if run.find_unseen is not None else None
    if unseen is not None:
        return unseen
    if recorder.has_open_calls():
        names = ", ".join(sorted({step.tool.name for step in recorder.open_calls}))
        return Problem(
            Reason.STILL_RUNNING,
            f"the agent returned before its calls had ended: {names}. Wait for them in the agent.",
            names,
        )
    if recorder.problems:
        return recorder.problems[0]
    lacking = run.missing_secrets - run.redactor.named.keys()
    if lacking:
        message = (
            f"secret {min(lacking)!r} of an earlier recording was not passed, so this run could store its value in "
            "clear. Pass it in secrets=."
        )
        return Problem(Reason.SECRET_MISSING, message)
    if len(recorder.planned_steps()) <= len(run.progress.skipped):
        return Problem(Reason.NO_CALLS, "the agent called no tool that succeeded")
    return _changed_argument(run)


def _changed_argument(run: Run) -> Problem | None:
    """Return why a run whose arguments were changed is not learned (G7a)."""
    name = run.changed_argument()
    if name is None:
        return None
    message = (
        f"the agent's {name} was changed during the run, and a replay does not change it; return the new value, or "
        "change a copy"
    )
    return Problem(Reason.CHANGED_ARGUMENT, message)


def _merge_problem(run: Run, replay_refusal: Refusal, accepted: bool) -> Problem | None:
    """Return why a replayed prefix and the agent's calls cannot be one recording."""
    recorder = run.recorder
    progress = run.progress
    absorber = recorder.absorber
    if replay_refusal.step < len(progress.calls):
        tool = progress.calls[replay_refusal.step][0].tool
        if not tool.is_read_only:
            message = f"{tool.name!r} stopped the replay, and its effect is unknown"
            return Problem(Reason.UNKNOWN_EFFECT, message, tool.name)
        if replay_refusal.reason is Reason.CHECK_ERROR:
            return Problem(Reason.CHECK_FAILED, replay_refusal.message, tool.name)
    unjudged = next((at for at in progress.pending_post_checks if at != replay_refusal.step), None)
    if unjudged is not None:
        tool = progress.calls[unjudged][0].tool
        message = f"the replay stopped within a parallel group before the post-check of {tool.name!r} ran"
        return Problem(Reason.UNKNOWN_EFFECT, message, tool.name)
    new_steps = [step for step in recorder.steps if not step.is_dropped]
    if not new_steps:
        if absorber is None or not absorber.has_repeated(len(recorder.prefix) - len(progress.skipped)):
            return Problem(Reason.NO_CALLS, "the agent called no tool after the replay had stopped")
        return None
    if new_steps[0] in recorder.repeated_calls and not accepted:
        name = new_steps[0].tool.name
        message = f"the agent repeated {name!r} as its first call, which the replay had already made"
        return Problem(Reason.REPEATED_PREFIX, message, name)
    return None


def seed_from_replay(run: Run, followed: Candidate, refusal: Refusal, handover: Handover) -> None:
    """Start the recording with the steps that were replayed.

    The steps keep the snapshots that accepted them. A step that only reads is included even if its post-check failed,
    since the agent continues with its result. Its copy in `handover` is recognized as the same output.
    """
    progress = run.progress
    recorder = run.recorder
    group = progress.entered_calls[0][0].group_stop
    recorder.first_executed = [
        call for at, call in enumerate(progress.entered_calls) if not at or (group and call[0].group_stop == group)
    ]
    count = len(progress.calls)
    keeps_refused = refusal.data is not None and progress.calls[refusal.step][0].tool.is_read_only
    if refusal.step < count and not keeps_refused:
        count -= 1  # The step that stopped the replay is not included.
    row = followed.row
    snapshots = refreshed_snapshots(run, followed)
    records = followed.trajectory.body.steps
    executed = iter(handover.executed)
    for index in range(count):
        planned, _, kwargs = progress.calls[index]
        step = RecordedStep()
        step.tool, step.record, step.judged = planned.tool, records[index], followed.due_at(index)
        step.keywords = tuple(kwargs)
        step.override = row.overrides[index] if index < len(row.overrides) else ""
        step.index = index
        seen = snapshots[index]
        if index == refusal.step:
            seen = seen._replace(post=refusal.data, is_stored=(seen.is_stored[0], False))
        step.pre_snapshot, step.post_snapshot = _stored(seen.pre), _stored(seen.post)
        step.has_stored, step.chances = seen.is_stored, seen.chances
        step.seconds = row.seconds[index] if index < len(row.seconds) else 0.0
        if index in progress.skipped:  # An optional step stays in the plan as it was recorded.
            step.recorded_output = row.outputs[index] if index < len(row.outputs) else b""
        else:
            recorder.store_output(step, progress.results[index])
            recorder.know_copy(step, next(executed).result)
        recorder.prefix.append(step)


def _stored(data: bytes | None) -> Deferred | None:
    """Return stored bytes in the form of a deferred value."""
    return None if data is None else encoded(data)
