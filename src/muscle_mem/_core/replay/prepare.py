"""What precedes the compare of a pre-check: the step's arguments in this run, its approval and its capture."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from .. import codec
from ..binding.guards import stale_value, value_at
from ..model.reason import Reason
from ..model.text import long_repr, safe_repr
from ..plan.step import PlanStep, Refusal
from ..record.shown_snapshot import bounded_snapshot
from ..run.effects import Effect
from ..run.run import Run
from .approval import approval_refusal
from .judge import Arguments, capture

Captures = dict[object, Any]
"""What was captured at a position, or the refusal if a capture raised, by a key of what the capture sees."""

Prepared = tuple[Arguments, Any]
"""A step's arguments in this run, and what its pre-check captured; None without a pre-check."""


def prepare_check(
    run: Run, step: PlanStep, position: int, captures: Captures, key: object = None
) -> Generator[Effect, Any, Prepared | Refusal]:
    """Bind a step, ask for its approval and capture for its pre-check.

    A capture that `captures` holds by `key` is used again. The default of `key` is the step's capture key.
    """
    stop = step.trajectory.stop
    if stop is not None and stop.step == position:
        return stop
    stale = stale_reference(run, step, position)
    if stale is not None:
        return stale
    try:
        arguments = bind_arguments(run, step)
    except Exception as error:
        return cannot_bind(step, position, error)
    if step.tool.effect == "irreversible":
        refusal = yield from approval_refusal(run, step, arguments, position)
        if refusal is not None:
            return refusal
    if step.pre is None:
        return arguments, None
    if key is None:
        key = step.capture_key(False)
    if key not in captures:
        captures[key] = yield from capture(step, step.pre, arguments, position)
    value = captures[key]
    return value if type(value) is Refusal else (arguments, value)


def bind_arguments(run: Run, step: PlanStep) -> Arguments:
    """Return the arguments of a step in this run, its context object first."""
    args, kwargs = (step.args, step.kwargs) if step.args is not None else step.build_arguments(run.env)
    if step.method:
        args = (run.context_objects[step.tool], *args)
    return args, kwargs


def stale_reference(run: Run, step: PlanStep, position: int) -> Refusal | None:
    """Return the refusal of a step whose argument left the output it came from (E6)."""
    for guard in step.guards:
        there = stale_value(guard, run.progress.results)
        if there is not None:
            expected = safe_repr(codec.decode(guard.data, lenient=True))
            message = (
                f"an argument of {step.tool.name!r} is stale: expected {expected} in the output of step {guard.step}, "
                f"got {safe_repr(there)}"
            )
            snapshots = bounded_snapshot(value_at(guard, run.progress.results)), guard.data
            return Refusal(
                Reason.STALE_OUTPUT,
                message,
                position,
                step.tool.name,
                seen=there,
                expected=expected,
                snapshots=snapshots,
            )
    return None


def cannot_bind(step: PlanStep, position: int, error: BaseException) -> Refusal:
    """Return the refusal of a step whose arguments cannot be built."""
    message = f"arguments of {step.tool.name!r} cannot be built in this run: {long_repr(error)}"
    return Refusal(Reason.NO_CANDIDATE, message, position, step.tool.name, error=error)
