"""Asking before an irreversible step is replayed (F4): before its pre-check, so that nothing comes after that."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..model.reason import Reason
from ..model.text import retold
from ..plan.step import PlanStep, Refusal
from ..record.verdict import executed_of
from ..run.effects import Ask, Effect
from ..run.run import Run
from ..tools.callbacks import chosen_arguments


def disapproved(
    run: Run, step: PlanStep, arguments: tuple[tuple[Any, ...], dict[str, Any]], place: int
) -> Generator[Effect, Any, Refusal | None]:
    """Whether the approval callback says no to a bound irreversible step; None if it says yes, or is not to be asked.

    Asked once per step of a run. It gets task, params, step (an `Executed` without a result): those it names.
    """
    if step.tool.effect != "irreversible" or run.approve is None or (place, step.call_id) in run.approved:
        return None
    args, kwargs = arguments
    given = {
        "task": lambda: run.task,
        "params": lambda: dict(run.params.values),
        "step": lambda: executed_of(run, step, args, kwargs, None),
    }
    tool = step.tool.name
    try:
        answer = yield Ask(run.approve, chosen_arguments(run.approve, given, "step"))
        if answer is not NotImplemented and bool(answer):
            run.approved |= {(place, step.call_id)}
            return None
        return Refusal(
            Reason.NOT_APPROVED, f"the replay of {tool} was not approved (got {retold(answer)})", place, tool
        )
    except Exception as error:
        message = f"the approval of {tool} raised {retold(error)}, which is no approval"
        return Refusal(Reason.NOT_APPROVED, message, place, tool, error=error)
