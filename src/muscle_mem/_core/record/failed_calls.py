"""Calls that failed while a run was recorded (C5, C5a).

They are left out of the plan, or they are a reason to review the recording.
"""

from __future__ import annotations

from typing import Any

from ..binding.outputs.failures import NOTHING_DONE, failure_of
from ..model.reason import Reason
from ..model.text import long_repr
from ..run.recorder import Problem, RecordedStep
from ..run.run import Run


def leave_out_failed(run: Run, step: RecordedStep, result: Any) -> bool:
    """Leave out a call whose result is a failure; return whether it is one."""
    try:
        failure = failure_of(step.tool, result)
    except Exception as error:  # A failing `failed=` costs the recording, not the run (G4).
        name = step.tool.name
        message = f"failed= of {name!r} raised {long_repr(error)}. Let it return whether the result is a failure."
        run.recorder.add_problem(Reason.CHECK_FAILED, message, name, step)
        return False
    if failure:
        leave_out(run, step, f"returned {long_repr(result)}", did_nothing=failure == NOTHING_DONE)
    return bool(failure)


def leave_out(run: Run, step: RecordedStep, what: str, *, did_nothing: bool) -> None:
    """Leave a failed call out; quarantine the run if it may have had an effect.

    A call of an idempotent tool does no harm if it was made again; `retries` decides that.
    """
    recorder, tool = run.recorder, step.tool
    recorder.drop(step)
    step.failure = what
    if did_nothing or tool.is_read_only:
        if recorder.absorber is not None:
            recorder.absorber.take_back(step)
        return
    message = f"{tool.name!r} {what} during recording, and its effect is unknown. Review the recording."
    problem = Problem(Reason.FAILED_WRITE, message, tool.name)
    if tool.effect == "idempotent":
        recorder.failed_calls.append((step, problem))
    else:
        recorder.quarantine.append(problem)
