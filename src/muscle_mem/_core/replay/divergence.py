"""The hand-over of a replay that stopped after calls were executed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..binding.references.declared_flows import argument_text
from ..binding.references.resolve import expression_text
from ..codec.copies import copy_containers
from ..model.handover import Executed, Handover, Planned, undo_text
from ..model.outcome import Divergence
from ..model.reason import Reason
from ..model.records import StepRecord
from ..model.text import safe_repr
from ..plan.ready_trajectory import Candidate, ReadyTrajectory
from ..plan.step import Refusal
from ..record.absorb import Absorber
from ..record.merge import accepted_steps
from ..record.shown_snapshot import redacted_snapshot
from ..record.verdict import executed_step, text_redactor
from ..run.run import Run
from ..tools.tool import Tool

SHORTEST_PAUSE = 0.2
"""The shortest pause in seconds that a message names."""


def make_divergence(run: Run, refusal: Refusal) -> Divergence:
    """Return where and why the replay stopped, as the outcome reports it."""
    found = refusal.snapshots
    redactor = run.redactor
    seen, expected = (
        (None, None)
        if found is None
        else (
            redacted_snapshot(found[0], refusal.seen, redactor),
            redacted_snapshot(found[1], refusal.expected, redactor),
        )
    )
    return Divergence(
        refusal.step,
        refusal.reason,
        refusal.tool,
        refusal.message,
        refusal.seen,
        refusal.expected,
        refusal.error,
        text_redactor(run),
        seen,
        expected,
    )


def with_pause(refusal: Refusal, followed: Candidate) -> Refusal:
    """Return a refusal that names the pause before a step that may come too early.

    Args:
        refusal: Why the replay stopped.
        followed: The recording that was replayed.
    """
    pauses, steps = followed.row.pauses, followed.trajectory.steps
    if refusal.reason not in (Reason.CHECK_REFUSED, Reason.CHECK_ERROR) or refusal.step >= min(len(pauses), len(steps)):
        return refusal
    check = steps[refusal.step].pre
    pause = pauses[refusal.step]
    if check is None or pause < SHORTEST_PAUSE or pause <= check.wait:
        return refusal
    waits = f"waits {check.wait:g} s" if check.wait else "does not wait"
    why = (
        f"The recording paused {pause:.1f} s before this step, and the check {waits}. If it is too early, raise wait=."
    )
    return msgspec.structs.replace(refusal, message=f"{refusal.message.rstrip('.')}. {why}")


def make_handover(run: Run, followed: Candidate, divergence: Divergence) -> Handover:
    """Return the calls of this run that were executed, and those that were not."""
    progress = run.progress
    executed = tuple(map(_handed_over, _executed_steps(run)))
    undo = tuple(
        run.redact(undo_text(step.tool, done))
        for (step, _, _), done in zip(progress.entered_calls, executed, strict=True)
        if step.tool.undo
    )
    trajectory, count = followed.trajectory, len(progress.calls)
    names = [step.tool.name for step in trajectory.steps]
    remaining = tuple(
        _planned(record, step.tool, names, run)
        for at, (record, step) in enumerate(zip(trajectory.body.steps, trajectory.steps, strict=True))
        if (at >= count or at in progress.unmade) and not _is_uncounted(trajectory, at)
    )
    return Handover(executed, divergence, remaining, undo[::-1], text_redactor(run), run.id, run.call_prefix)


def _is_uncounted(trajectory: ReadyTrajectory, at: int) -> bool:
    """Return whether a step is of a further iteration of a list that was not read."""
    found = trajectory.iteration_of(at)
    return found is not None and found[1] > 0 and found[0] >= trajectory.known_loops


def _planned(record: StepRecord, tool: Tool, names: Sequence[str], run: Run) -> Planned:
    texts = (
        f"{name}={argument_text(name, expr, tool) or _value_text(expr, names, run)}" for name, expr in record.arguments
    )
    return Planned(record.tool, ", ".join(texts))


def _value_text(expr: Any, names: Sequence[str], run: Run) -> str:
    """Return an argument as text: its value if known, or what it is read from."""
    if run.env.loops is not None and hasattr(expr, "iteration") and expr.loop < len(run.env.loops):
        return run.redact(safe_repr(run.env.loops[expr.loop][expr.iteration][expr.number]))
    return expression_text(expr, names)


def _executed_steps(run: Run) -> list[Executed]:
    """Return the calls of this run with their live values."""
    progress = run.progress
    errors = progress.errors or {}
    return [
        executed_step(run, step, args, kwargs, result, errors.get(at))
        for at, ((step, args, kwargs), result) in enumerate(zip(progress.calls, progress.results, strict=True))
        if at not in progress.skipped
    ]


def _handed_over(step: Executed) -> Executed:
    """Return an executed step with its own containers.

    Other objects stay those that the agent continues with.
    """
    args, kwargs, result, arguments = copy_containers((step.args, step.kwargs, step.result, step.arguments))
    return msgspec.structs.replace(step, args=args, kwargs=kwargs, result=result, arguments=arguments)


def why_not_asked(run: Run, handover: Handover) -> str | None:
    """Return why the agent must not be asked after a divergence; None if it may."""
    if run.mode == "replay":
        return "mode='replay' never asks the agent"
    if run.on_divergence == "raise":
        return "on_divergence='raise'"
    irreversible = any(step.effect == "irreversible" for step in handover.executed)
    if irreversible and run.on_divergence == "continue" and not run.takes_handover:
        return (
            "an irreversible step was executed, and on_divergence='continue' starts an agent that does not get this "
            "information. Name `handover` in the agent's signature, or use on_divergence='absorb'"
        )
    return None


def _loops_among(trajectory: ReadyTrajectory, executed: Sequence[int]) -> list[range]:
    """Return which of the executed steps belong to each loop."""
    found: dict[int, list[int]] = {}
    for number, at in enumerate(executed if trajectory.loop_steps else ()):
        place = trajectory.iteration_of(at)
        if place is not None:
            found.setdefault(place[0], []).append(number)
    return [range(own[0], own[-1] + 1) for own in found.values()]


def make_absorber(run: Run, followed: Candidate, refusal: Refusal) -> Absorber | None:
    """Return what answers an agent that starts again; None if it continues (F2)."""
    if run.on_divergence == "absorb" or (run.on_divergence == "auto" and not run.takes_handover):
        progress = run.progress
        accepted = accepted_steps(run, followed, refusal)
        entered = [one for at, one in enumerate(accepted) if at not in progress.skipped]
        rest = [
            step.tool
            for at, step in enumerate(followed.trajectory.steps)
            if at >= len(progress.calls) or at in progress.unmade
        ]
        executed = [at for at in range(len(progress.calls)) if at not in progress.skipped]
        loops = _loops_among(followed.trajectory, executed)
        steps = _executed_steps(run)
        return Absorber(progress.entered_calls, steps, entered, run.env, rest, run.policy.make_lock(), loops)
    return None
