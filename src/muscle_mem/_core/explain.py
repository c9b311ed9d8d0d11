"""Explaining: what a call would do and why, executing nothing but the captures of first steps."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from .candidates import admissible, arguments_of, judge, look, unbuildable
from .check import copy_of
from .effects import Effect
from .model import Planned, Reason, StepRecord
from .plan import Refusal, Registry, Trajectory, open_snapshot
from .resolving import bound_text, plan_text
from .run import Run

SHOWN = 20


class Considered(msgspec.Struct, frozen=True):
    """One recording that was considered: whether it could start here, and if not, why.

    `seen` and `expected` are what the first step's check saw and what it had recorded.
    """

    trajectory_id: str
    state: str
    steps: int
    hits: int
    would_start: bool
    reason: Reason
    message: str
    first_step: str = ""
    seen: str = ""
    expected: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """What the engine would do with a task now, and why. Truthy if a replay would start.

    `plan` tells the steps of that replay with this call's params; outputs that do not exist yet as `output[step]`.
    """

    would: str
    reason: Reason
    message: str
    considered: tuple[Considered, ...] = ()
    plan: tuple[Planned, ...] = ()

    def __bool__(self) -> bool:
        return self.would == "replay"

    def __str__(self) -> str:
        lines = [f"would {self.would}: {self.reason.value}: {self.message}"]
        for one in self.considered:
            verb = "would start" if one.would_start else f"no: {one.reason.value}"
            what = f"{one.trajectory_id} ({one.state}, {one.steps} steps, {one.hits} hits)"
            lines.append(f"  {what}: {verb}: {one.message}")
            if one.seen or one.expected:
                lines.append(f"    {one.first_step}: saw {one.seen}, expected {one.expected}")
        return "\n".join(lines)


def explain_task(
    run: Run, trajectories: Sequence[Trajectory], registry: Registry, lookup: Refusal | None = None
) -> Generator[Effect, Any, Explanation]:
    """Consider every recording of a task, the newest first, and judge the first step of those that may start."""
    if lookup is not None:
        return Explanation("ask the agent", lookup.reason, run.veil.hide(lookup.message))
    if not trajectories:
        return Explanation("ask the agent", Reason.NEW_TASK, "nothing was recorded for this task")
    sights: dict[bytes, Any] = {}
    considered: list[Considered] = []
    for trajectory in trajectories[:SHOWN]:
        one = yield from _consider(run, trajectory, registry, sights)
        considered.append(one)
    first = next((one for one in considered if one.would_start), None)
    if first is not None:
        chosen = next(one for one in trajectories if one.id == first.trajectory_id)
        plan = tuple(bound_step(run, record) for record in chosen.body.steps)
        return Explanation("replay", Reason.HIT, f"trajectory {chosen.id} fits", tuple(considered), plan)
    return Explanation("ask the agent", considered[0].reason, considered[0].message, tuple(considered))


def _consider(
    run: Run, trajectory: Trajectory, registry: Registry, sights: dict[bytes, Any]
) -> Generator[Effect, Any, Considered]:
    refusal = admissible(run, trajectory, registry)
    seen = expected = ""
    if refusal is None:
        step = trajectory.steps[0]
        if step.pre is None:
            message = "its first step has no pre-check" + ("" if step.tool.reads_only else " and is replayed unchecked")
            return _considered(run, trajectory, None, message)
        try:
            arguments = arguments_of(run, step)
        except Exception as error:
            return _considered(run, trajectory, unbuildable(step, 0, error), "")
        if step.call_id not in sights:
            sights[step.call_id] = yield from look(step, step.pre, arguments, 0)
        value = sights[step.call_id]
        if isinstance(value, Refusal):
            refusal = value
        else:
            for candidate in trajectory.candidates[: run.policy.max_lookups]:
                refusal = yield from judge(run, step, value, candidate, 0, False, shared=True)
                seen, expected = step.pre.texts(copy_of(value), open_snapshot(candidate.snapshots(False)[0]))
                if refusal is None:
                    break
        if refusal is not None and refusal.reason in (Reason.CHECK_REFUSED, Reason.CHECK_ERROR):
            refusal = msgspec.structs.replace(refusal, reason=Reason.FIRST_CHECK_REFUSED)
    return _considered(run, trajectory, refusal, "the pre-check of its first step passes", seen, expected)


def bound_step(run: Run, record: StepRecord) -> Planned:
    """A step with its arguments as they would be in this run."""
    parts = [f"{name}={bound_text(expr, run.params.values)}" for name, expr in record.arguments]
    return Planned(record.tool, run.veil.hide(", ".join(parts)))


def _considered(
    run: Run, trajectory: Trajectory, refusal: Refusal | None, message: str, seen: str = "", expected: str = ""
) -> Considered:
    hide = run.veil.hide
    record = trajectory.body.steps[0]
    arguments = ", ".join(f"{name}={plan_text(expr)}" for name, expr in record.arguments)
    return Considered(
        trajectory.id,
        trajectory.standing.state,
        len(trajectory.body.steps),
        trajectory.standing.hits,
        refusal is None,
        Reason.HIT if refusal is None else refusal.reason,
        hide(message if refusal is None else refusal.message),
        hide(f"{record.tool}({arguments})"),
        hide(seen),
        hide(expected),
    )
