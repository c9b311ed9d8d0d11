"""Approval of irreversible steps (F4).

It is requested before a pre-check, so that nothing runs between the check and the call.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..model.reason import Reason
from ..model.text import long_repr
from ..plan.step import PlanStep, Refusal
from ..record.verdict import executed_step, shown_params, shown_step
from ..run.effects import Effect, RunCallback
from ..run.run import Run
from ..tools.callbacks import select_arguments


def approval_refusal(
    run: Run, step: PlanStep, arguments: tuple[tuple[Any, ...], dict[str, Any]], position: int
) -> Generator[Effect, Any, Refusal | None]:
    """Return why an irreversible step is not approved; None if it is.

    The callback is called once per step of a run. It gets those of task, params and step (an `Executed` without a
    result) that its signature names.
    """
    if run.approve is None or (position, step.call_id) in run.approved:
        return None
    args, kwargs = arguments
    given = {
        "task": lambda: run.task,
        "params": lambda: shown_params(run),
        "step": lambda: shown_step(run, executed_step(run, step, args, kwargs, None)),
    }
    tool = step.tool.name
    try:
        answer = yield RunCallback(run.approve, select_arguments(run.approve, given, "step"))
        if answer is not NotImplemented and bool(answer):
            run.approved |= {(position, step.call_id)}
            return None
        message = f"{tool!r} was not approved: expected a true value from the approve callback, got {long_repr(answer)}"
        return Refusal(Reason.NOT_APPROVED, message, position, tool)
    except Exception as error:
        message = f"{tool!r} was not approved: the approve callback raised {long_repr(error)}"
        return Refusal(Reason.NOT_APPROVED, message, position, tool, error=error)
