"""Conclusion of a run: counting its result and reporting its outcome or error."""

from __future__ import annotations

from .._core.flow import RunResult
from .._core.model.outcome import Outcome
from .._core.model.reason import Reason
from .._core.model.text import long_repr
from .._core.plan.ready_trajectory import Candidate
from .._core.run.run import Run
from ..errors import MuscleMemError
from .context import Frame, release_lease
from .runtime import Runtime
from .store_health import as_store_error


def write_result(runtime: Runtime, run: Run, frame: Frame, finished: RunResult, seconds: float) -> None:
    """Do the part of concluding a run that may block on the store.

    Async callers run it in a thread before `conclude`.
    """
    if run.mode != "frozen":
        count_result(runtime, run, finished, seconds)
    release_lease(frame)


def conclude(runtime: Runtime, run: Run, finished: RunResult, seconds: float, *, is_written: bool = False) -> Outcome:
    """Count and report how a run ended, or raise its error."""
    outcome = finished.outcome
    counted = run.mode != "frozen"
    if counted and not is_written:
        count_result(runtime, run, finished, seconds)
    if outcome is None:
        error = finished.error
        assert error is not None
        if counted:
            runtime.library.note_run(run, finished, seconds)
        if counted and not isinstance(error, MuscleMemError):
            runtime.reporter.not_learned(run, *exception_reason(error))
        runtime.reporter.run_raised(run, error, seconds)
        raise error
    outcome._feedback = runtime.maintenance
    outcome.seconds = seconds
    # These are tested first because most hits have neither, and `has_secrets` costs more.
    if (run.initial_redactor is not None or run.recorder_slot) and run.has_secrets:
        outcome._redact = run.redactor.redact
    runtime.reporter.run_ended(run, outcome, counted)
    if outcome.status != "hit" and counted:
        runtime.library.note_run(run, finished, seconds)
    if run.store_error is not None:
        raise_store_error(runtime, run, outcome)
    return outcome


def count_result(runtime: Runtime, run: Run, finished: RunResult, seconds: float) -> None:
    """Count the result of a run for the trajectory it replayed and the tools it used."""
    outcome = finished.outcome
    followed = finished.followed
    for candidate, check in run.refused_checks:
        runtime.library.counters.count_refusal(candidate.trajectory.id, check)
    if followed is None or outcome is None or outcome.status != "hit":
        _count_unreplayed(runtime, run, finished)
        return
    runtime.library.count_hit(followed, seconds)
    if runtime.tools.failing_tools:
        runtime.tools.breakers.note_successes(followed.trajectory.steps)
    if run.success is not None:
        runtime.library.note_verified(followed)
    if finished.refreshed:
        _refresh(runtime, run, followed)


def _count_unreplayed(runtime: Runtime, run: Run, finished: RunResult) -> None:
    """Count a miss, a divergence or an exception."""
    outcome, followed, breakers = finished.outcome, finished.followed, runtime.tools.breakers
    if outcome is not None and outcome.learned:
        breakers.reset(step.tool for step in run.recorder.steps if not step.is_absorbed)
    if outcome is not None and outcome.shadow is not None:
        runtime.library.note_shadow(outcome.shadow.trajectory_id, agreed=outcome.shadow.agreed)
    if finished.evidence is not None:
        runtime.library.general_records.note_evidence(*finished.evidence)
    if followed is not None and finished.quarantine is not None:
        runtime.library.quarantine(followed, finished.quarantine)
    if followed is not None and finished.failure is not None:
        runtime.library.note_failure(followed, finished.failure)
        for step in followed.trajectory.steps[finished.failed_step : finished.failed_step + 1]:
            breakers.note_failure(step.tool)


def _refresh(runtime: Runtime, run: Run, followed: Candidate) -> None:
    try:
        runtime.library.refresh(run, followed)
    except Exception as error:  # A user-defined store may raise anything (G4).
        runtime.store_health.failed("refresh", error)


def raise_store_error(runtime: Runtime, run: Run, outcome: Outcome | None) -> None:
    """Raise the error of the store that lost the recording, if on_store_error="raise"."""
    if run.store_error is not None and runtime.raises_store_errors:
        error = as_store_error(run.store_error, "the task was done but not recorded (see `outcome`)")
        error.outcome = outcome
        raise error from run.store_error


def exception_reason(error: BaseException) -> tuple[Reason, str]:
    """Return why a run that ended with an exception is not learned."""
    if isinstance(error, Exception):
        return Reason.AGENT_RAISED, f"the agent raised {long_repr(error)}"
    return Reason.CANCELLED, f"the run was ended by {type(error).__name__}"
