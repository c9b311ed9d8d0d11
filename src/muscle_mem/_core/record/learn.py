"""Learning: whether what the agent did would replay from its start, and if so, sealing it (C4, F5)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...errors import NotStorableError
from ..model.outcome import Outcome
from ..model.reason import Reason
from ..model.text import retold
from ..plan.step import Refusal
from ..plan.trajectory import Candidate
from ..run.effects import Effect, Save
from ..run.recorder import Problem, Recording, ReplayedStep
from ..run.run import Run
from .redact import conceal, sealed_without
from .seal import finish
from .verdict import verdict


def learn(
    run: Run, outcome: Outcome, value: Any, seconds: float, broken: Refusal | None = None
) -> Generator[Effect, Any, None]:
    """Seal what the agent did, if it would replay from its start; else note in the outcome why not (C4, F5)."""
    recorder = run.recorder
    recorder.closed = True
    accepted = None
    conceal(recorder, run.scope, run.context)
    problem = _unlearnable(run)
    if problem is None and run.success is not None:
        accepted, why = yield from verdict(run, value)
        if not accepted:
            problem = Problem(Reason.REFUSED, f"the success callback {why}")
    if problem is None and broken is not None:
        problem = _unmergeable(run, broken, accepted is True)
    recording: Recording | None = None
    if problem is None:
        assert run.key is not None
        try:
            made = sealed_without(
                finish(recorder, key=run.key, value=value, run_seconds=seconds), recorder, run.given()
            )
            recording, problem = (None, made) if isinstance(made, Problem) else (made, None)
            if problem is not None and problem.reason is Reason.NO_KEY:  # else it is told when the key is made
                run.notify("warning", "secret_in_task", f"never learned: {problem.message}", "")
        except NotStorableError as error:
            problem = Problem(Reason.TOO_LARGE, str(error))
        except Exception as error:  # trouble of ours costs the recording and nothing else (G4)
            problem = Problem(Reason.NOT_REPLAYABLE, f"the recording could not be made: {retold(error)}")
    if recording is not None:
        problem = yield Save((recording, recorder.quarantine[:1], accepted is True))
    outcome.message = run.hide(outcome.message)
    if problem is not None:
        outcome.not_learned = problem.reason
        outcome.not_learned_message = run.hide(problem.message)
        if recording is not None and problem in recorder.quarantine:  # kept, and waiting for somebody's verdict
            outcome.trajectory_id = recording.id
        return
    assert recording is not None
    outcome.learned = True
    outcome.trajectory_id = recording.id


def _unlearnable(run: Run) -> Problem | None:
    recorder = run.recorder
    if run.mode == "frozen":
        return Problem(Reason.MODE, "mode='frozen' learns nothing")
    if run.key is None:
        return Problem(Reason.NO_KEY, "the task has no key")
    if recorder.still_running():
        names = ", ".join(sorted({step.tool.name for step in recorder.open}))
        return Problem(Reason.STILL_RUNNING, f"the agent returned while {names} was still running", names)
    if recorder.problems:
        return recorder.problems[0]
    lacking = run.lacking - run.veil.given.keys()
    if lacking:
        message = (
            f"what was recorded before holds the secret {min(lacking)!r}, which this run was not given, so it might "
            "be learned in clear"
        )
        return Problem(Reason.SECRET_MISSING, message)
    if len(recorder.planned()) <= len(run.progress.skipped):
        return Problem(Reason.NO_CALLS, "the agent called no tool that succeeded")
    return None


def _unmergeable(run: Run, broken: Refusal, accepted: bool) -> Problem | None:
    """Why a replayed prefix and what the agent did after it are not one trajectory (F5)."""
    recorder = run.recorder
    progress = run.progress
    absorber = recorder.absorber
    if broken.step < len(progress.calls):
        tool = progress.calls[broken.step][0].tool
        if not tool.reads_only:
            message = f"{tool.name} broke the replay, and what it had done by then is not known"
            return Problem(Reason.UNKNOWN_EFFECT, message, tool.name)
        if broken.reason is Reason.CHECK_ERROR:
            return Problem(Reason.CHECK_FAILED, broken.message, tool.name)
    unjudged = next((at for at in progress.unjudged if at != broken.step), None)
    if unjudged is not None:
        tool = progress.calls[unjudged][0].tool
        message = (
            f"the replay stopped within a parallel group, and the post-check of {tool.name} was not asked any more"
        )
        return Problem(Reason.UNKNOWN_EFFECT, message, tool.name)
    fresh = [step for step in recorder.steps if not step.dropped]
    if not fresh:
        if absorber is None or not absorber.repeated(len(recorder.prefix) - len(progress.skipped)):
            return Problem(Reason.NO_CALLS, "the agent called no tool after the replay had stopped")
        return None
    if fresh[0] in recorder.again and not accepted:
        name = fresh[0].tool.name
        message = f"the agent began again with {name}, which the replay had already done"
        return Problem(Reason.REPEATED_PREFIX, message, name)
    return None


def seed(run: Run, followed: Candidate, refusal: Refusal) -> None:
    """Begin the recording with the steps that were replayed, under the snapshots that accepted them (F5, B7).

    A step that only reads is one of them even if its post-check said no: the agent goes on with what it returned.
    """
    progress = run.progress
    recorder = run.recorder
    group = progress.entered[0][0].stop
    recorder.first_executed = [
        call for at, call in enumerate(progress.entered) if not at or (group and call[0].stop == group)
    ]
    count = len(progress.calls)
    reread = refusal.data is not None and progress.calls[refusal.step][0].tool.reads_only
    if refusal.step < count and not reread:
        count -= 1  # the broken step itself
    row = followed.row
    pres, posts = (followed.renewed(progress.refreshed or {}, post=post) for post in (False, True))
    records = followed.trajectory.body.steps
    for index in range(count):
        planned, _, kwargs = progress.calls[index]
        step = ReplayedStep(planned.tool, records[index], followed.due(index))
        step.keywords = tuple(kwargs)
        step.index = index
        step.before = pres[index]
        step.after = posts[index] if index != refusal.step else refusal.data
        step.seconds = row.seconds[index] if index < len(row.seconds) else 0.0
        if index in progress.skipped:  # optional: it stays in the plan as it was recorded
            step.output = row.outputs[index] if index < len(row.outputs) else b""
        else:
            recorder.output(step, progress.results[index])
        recorder.prefix.append(step)
