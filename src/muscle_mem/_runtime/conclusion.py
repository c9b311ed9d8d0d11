"""How a run ends: what it says of the trajectory it replayed is counted, its outcome is told, errors are raised."""

from __future__ import annotations

from .._core.flow import Finished
from .._core.model.outcome import Outcome
from .._core.model.reason import Reason
from .._core.model.text import retold
from .._core.plan.trajectory import Candidate
from .._core.run.run import Run
from ..errors import MuscleMemError
from .context import Frame, let_go
from .runtime import Runtime
from .store_health import as_store_error


def settle(runtime: Runtime, run: Run, frame: Frame, finished: Finished) -> None:
    """The part of concluding a run that may wait for the store, to be done in a thread before the rest."""
    if run.mode != "frozen":
        count(runtime, run, finished)
    let_go(frame)


def conclude(runtime: Runtime, run: Run, finished: Finished, seconds: float, *, settled: bool = False) -> Outcome:
    """Count and tell how a run ended; raise what is to be raised."""
    outcome = finished.outcome
    counted = run.mode != "frozen"
    if counted and not settled:
        count(runtime, run, finished)
    if outcome is None:
        error = finished.error
        assert error is not None
        if counted and not isinstance(error, MuscleMemError):
            runtime.reporter.not_learned(run, *why_raised(error))
        runtime.reporter.raised(run, error, seconds)
        raise error
    outcome._judge = runtime.maintenance
    outcome.seconds = seconds
    if (run.early_veil is not None or run.made) and run.secretive:  # asked first: a hit mostly has neither
        outcome._hide = run.veil.hide
    runtime.reporter.ended(run, outcome, counted)
    if run.trouble is not None:
        raise_trouble(runtime, run, outcome)
    return outcome


def count(runtime: Runtime, run: Run, finished: Finished) -> None:
    """What the run says of the trajectory it replayed, and of the tools it used."""
    outcome = finished.outcome
    followed = finished.followed
    for candidate, check in run.said_no:
        runtime.library.counts.said_no(candidate.trajectory.id, check)
    if followed is None or outcome is None or outcome.status != "hit":
        _count_other(runtime, run, finished)
        return
    runtime.library.hit(followed)
    if runtime.tools.failing:
        runtime.tools.breakers.replayed(followed.trajectory.steps)
    if run.success is not None:
        runtime.library.verified(followed)
    if finished.refreshed:
        _refresh(runtime, run, followed)


def _count_other(runtime: Runtime, run: Run, finished: Finished) -> None:
    """Count a miss, a divergence or an exception."""
    outcome, followed, breakers = finished.outcome, finished.followed, runtime.tools.breakers
    if outcome is not None and outcome.learned:
        breakers.used(step.tool for step in run.recorder.steps)
    if outcome is not None and outcome.shadow is not None:
        runtime.library.shadowed(outcome.shadow.trajectory_id, agreed=outcome.shadow.agreed)
    if followed is not None and finished.failure is not None:
        runtime.library.failed(followed, finished.failure)
        for step in followed.trajectory.steps[finished.failed_step : finished.failed_step + 1]:
            breakers.failed(step.tool)


def _refresh(runtime: Runtime, run: Run, followed: Candidate) -> None:
    try:
        runtime.library.refresh(run, followed)
    except Exception as error:  # a store of the user's own may raise anything (G4)
        runtime.store_health.trouble("refresh", error)


def raise_trouble(runtime: Runtime, run: Run, outcome: Outcome | None) -> None:
    """With on_store_error="raise": what the store raised when it was to take the recording."""
    if run.trouble is not None and runtime.raises_store_errors:
        error = as_store_error(run.trouble, "the task was done, see `outcome`, and not recorded")
        error.outcome = outcome
        raise error from run.trouble


def why_raised(error: BaseException) -> tuple[Reason, str]:
    """Why a run that ended with an exception is not learned."""
    if isinstance(error, Exception):
        return Reason.AGENT_RAISED, f"the agent raised {retold(error)}"
    return Reason.CANCELLED, f"the run was ended by {type(error).__name__}"
