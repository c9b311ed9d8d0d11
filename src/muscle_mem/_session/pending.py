"""Recordings that wait for an approval alone, with the steps of a replay."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import msgspec

from .._core import codec
from .._core.binding.references.resolve import expression_text
from .._core.model.handover import Planned
from .._core.model.reason import Reason
from .._core.model.records import Ref, StepRecord
from .._core.model.text import safe_repr
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.plan.step import Refusal
from .._core.plan.trust import APPROVED
from .._core.replay.eligibility import ineligibility
from .._core.replay.explain import bound_plan
from .._core.replay.prepare import bind_arguments
from .._core.run.run import Run
from .._runtime.options import CallOptions
from .._runtime.runtime import Runtime
from .tool_calls import parse_offer


class PendingStep(msgspec.Struct, frozen=True):
    """A step of a recording that waits for an approval.

    Attributes:
        tool: The stored name of the tool.
        effect: The effect of the tool.
        plan: The step as text, with this run's params.
        arguments: The arguments of this run by name; None if one of them comes from an earlier step.
    """

    tool: str
    effect: str
    plan: Planned
    arguments: dict[str, Any] | None


class Pending(msgspec.Struct, frozen=True):
    """A recording that a replay would begin with if a person approved it.

    Attributes:
        trajectory_ids: Its id, and those of the recordings that it was generalized from.
        reason: Why it is not replayed.
        message: The reason in words.
        steps: Its steps.
    """

    trajectory_ids: tuple[str, ...]
    reason: Reason
    message: str
    steps: tuple[PendingStep, ...]


def pending_recording(
    runtime: Runtime, args: tuple[Any, ...], options: CallOptions, offered: Iterable[str]
) -> Pending | None:
    """Return the recording that only an approval keeps from being replayed.

    None if another one can be replayed, or if none is left after an approval. Nothing is executed.
    """
    mode = runtime.effective_mode(options.mode)
    if mode in ("off", "record"):
        return None
    run, refusal = runtime.open_run(args, {}, options, mode, True, is_stepped=True)
    run.is_stepped = run.takes_handover = True
    run.offered = parse_offer(runtime.tools, offered)
    found, lookup = runtime.find_candidates(run, refusal)
    if lookup is not None or not found.trajectories:
        return None
    general = None if found.learning is None else found.learning.of(found.trajectories[0])
    if general is not None:  # It takes over where one of its parents goes stale.
        refused = ineligibility(run, general, runtime.tools)
        if refused is not None and _only_needs_approval(runtime, run, general, refused):
            return _pending(run, general, refused)
    first: Pending | None = None
    for trajectory in found.trajectories:
        refused = ineligibility(run, trajectory, runtime.tools)
        if refused is None:
            return None
        if first is None and _only_needs_approval(runtime, run, trajectory, refused):
            first = _pending(run, trajectory, refused)
    return first


def _only_needs_approval(runtime: Runtime, run: Run, trajectory: ReadyTrajectory, refused: Refusal) -> bool:
    return _needs_approval(trajectory, refused) and _starts_if_approved(runtime, run, trajectory)


def _needs_approval(trajectory: ReadyTrajectory, refused: Refusal) -> bool:
    if refused.reason is Reason.QUARANTINED:
        return bool(trajectory.standing.reason.startswith(Reason.UNTRUSTED_VALUE.value))
    return refused.reason in (Reason.NOT_APPROVED, Reason.UNTRUSTED_VALUE)


def _starts_if_approved(runtime: Runtime, run: Run, trajectory: ReadyTrajectory) -> bool:
    """Return whether nothing but the approval is missing."""
    approved: ReadyTrajectory = copy.copy(trajectory)
    approved.standing = msgspec.structs.replace(trajectory.standing, state="trusted", reason=APPROVED, held=False)
    return ineligibility(run, approved, runtime.tools) is None


def _pending(run: Run, trajectory: ReadyTrajectory, refused: Refusal) -> Pending:
    steps = tuple(
        PendingStep(
            step.tool.name,
            step.tool.effect or "write",
            msgspec.structs.replace(plan, arguments=_with_recorded(run, trajectory, record, plan.arguments)),
            _arguments(run, step),
        )
        for step, record, plan in zip(trajectory.steps, trajectory.body.steps, bound_plan(run, trajectory), strict=True)
    )
    return Pending((trajectory.id, *trajectory.parent_ids), refused.reason, run.redact(refused.message), steps)


def _with_recorded(run: Run, trajectory: ReadyTrajectory, record: StepRecord, text: str) -> str:
    """Return the arguments of a step as text, with recorded results in them."""
    for name, expr in record.arguments:
        if isinstance(expr, Ref):
            found = _recorded(trajectory, expr)
            was = f"; it was {run.redact(found)}" if found else ""
            text = text.replace(
                f"{name}={expression_text(expr)}", f"{name}=<from the result of step {expr.step + 1}{was}>"
            )
    return text


def _recorded(trajectory: ReadyTrajectory, expr: Ref) -> str:
    """Return the text of a value in a recorded output; empty if it was not stored."""
    try:
        value = codec.decode(trajectory.candidates[0].row.outputs[expr.step])
        for index in expr.path:
            unfolded = codec.unfold(value)
            assert unfolded is not None
            value = unfolded[1][index]
    except Exception:  # The output was not stored, or has another form.
        return ""
    return safe_repr(value)


def _arguments(run: Run, step: Any) -> dict[str, Any] | None:
    try:
        args, kwargs = bind_arguments(run, step)
    except Exception:  # It comes from an earlier step, or cannot be made.
        return None
    return dict(step.tool.name_arguments(args, kwargs))
