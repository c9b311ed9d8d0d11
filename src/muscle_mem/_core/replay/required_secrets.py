"""The secrets that a recording needs, compared with those of a run."""

from __future__ import annotations

from ..model.reason import Reason
from ..plan.ready_trajectory import ReadyTrajectory
from ..plan.step import Refusal
from ..run.run import Run


def secrets_refusal(trajectory: ReadyTrajectory, run: Run) -> Refusal | None:
    """Return why the secrets of this run do not fit a recording, or None.

    A secret is missing, or secrets that had equal values now differ.
    """
    redactor, params = run.redactor, run.params
    lacking = [found for found in trajectory.secrets if found[2] not in redactor.named]
    run.missing_secrets |= {name for _, _, name in lacking}
    for index, tool, name in lacking[:1]:
        where = (
            f"Wrap the plain param: params={{{name!r}: Secret(...)}}."
            if name in params.values
            else f"Pass it in secrets={{{name!r}: ...}}, or as a Secret in the place where it was recorded."
        )
        message = f"secret {name!r} of {tool!r} is missing. {where}"
        return Refusal(Reason.SECRET_MISSING, message, index, tool)
    for group in trajectory.head.equal_secrets:
        if len({redactor.equality_key(name, params) for name in group}) > 1:
            return Refusal(
                Reason.PARAM_AMBIGUOUS,
                f"secrets {', '.join(group)} had equal values in the recording and differ now, so a step's secret is "
                "ambiguous. Record the task again.",
            )
    return None
