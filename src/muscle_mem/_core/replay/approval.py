"""Approval of irreversible steps (F4).

It is requested before a pre-check, so that nothing runs between the check and the call.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..model.reason import Reason
from ..model.text import long_repr
from ..plan.ready_trajectory import ReadyTrajectory
from ..plan.step import PlanStep, Refusal
from ..record.verdict import executed_step, shown_params, shown_step
from ..run.effects import Effect, RunCallback
from ..run.run import Run
from ..tools.callbacks import select_arguments

WHOLE_LOOP = "whole loop"
"""The answer of an approve callback that approves all iterations of a loop."""


def iteration_of(step: PlanStep) -> tuple[int, int, int] | None:
    """Return the loop of a step, its iteration, and their number; else None."""
    trajectory = step.trajectory
    return trajectory.iteration_of(step.position) if isinstance(trajectory, ReadyTrajectory) else None


def approval_refusal(
    run: Run, step: PlanStep, arguments: tuple[tuple[Any, ...], dict[str, Any]], position: int
) -> Generator[Effect, Any, Refusal | None]:
    """Return why an irreversible step is not approved; None if it is.

    The callback is called once per step of a run. It gets those of task, params and step (an `Executed` without a
    result) that its signature names. In a loop over a list, `element` is the number of the element, from 1, of `count`.
    The answer "whole loop" approves the calls of the step's tool in all iterations.
    """
    if run.approve is None or (position, step.call_id) in run.approved:
        return None
    args, kwargs = arguments
    place = iteration_of(step)
    if place is not None and (place[0], step.tool) in run.approved_loops:
        return None
    given = {
        "task": lambda: run.task,
        "params": lambda: shown_params(run),
        "step": lambda: shown_step(run, executed_step(run, step, args, kwargs, None)),
        "element": lambda: None if place is None else place[1] + 1,
        "count": lambda: None if place is None else place[2],
    }
    tool = step.tool.name
    try:
        answer = yield RunCallback(run.approve, select_arguments(run.approve, given, "step"))
        if place is not None and type(answer) is str and answer == WHOLE_LOOP:
            run.approved_loops |= {(place[0], step.tool)}
            return None
        if answer is not NotImplemented and bool(answer):
            run.approved |= {(position, step.call_id)}
            return None
        which = "" if place is None else f" for element {place[1] + 1} of {place[2]}"
        message = (
            f"{tool!r} was not approved{which}: expected a true value from the approve callback, got "
            f"{long_repr(answer)}"
        )
        return Refusal(Reason.NOT_APPROVED, message, position, tool)
    except Exception as error:
        message = f"{tool!r} was not approved: the approve callback raised {long_repr(error)}"
        return Refusal(Reason.NOT_APPROVED, message, position, tool, error=error)
