"""Explaining: what a call would do and why, executing nothing but the captures of first steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ..binding.resolve import bound_text, plan_text
from ..model.handover import Planned
from ..model.reason import Reason
from ..model.records import StepRecord
from ..plan.step import Refusal, Registry
from ..plan.trajectory import Trajectory, open_snapshot
from ..run.effects import Effect
from ..run.run import Run
from ..tools.check import copy_of
from .eligibility import admissible
from .judge import arguments_of, judge, look, unbuildable

SHOWN = 20
Sights = dict[tuple[bytes, int], Any]


class Considered(msgspec.Struct, frozen=True):
    """One recording that was considered: whether it could start here, and if not, why.

    `seen` and `expected` are what the first step's check saw and what it had recorded, `evidence` why it is in its
    state.
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
    evidence: str = ""


class Explanation(msgspec.Struct, frozen=True):
    """What the engine would do with a task now, and why. Truthy if a replay would start.

    `plan` tells the steps of that replay with this call's params; outputs that do not exist yet as `output[step]`.
    """

    __module__ = "muscle_mem"

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
            state = f"{one.state}: {one.evidence}" if one.evidence else one.state
            counts = f"{one.steps} step{'s'[: one.steps != 1]}, {one.hits} hit{'s'[: one.hits != 1]}"
            what = f"{one.trajectory_id} ({state}; {counts})"
            lines.append(f"  {what}: {verb}: {one.message}")
            if one.seen or one.expected:
                lines.append(f"    {one.first_step}: saw {one.seen}, expected {one.expected}")
        lines += [f"  step {index}: {step}" for index, step in enumerate(self.plan)]
        return "\n".join(lines)


def explain_task(
    run: Run, trajectories: Sequence[Trajectory], registry: Registry, lookup: Refusal | None = None
) -> Generator[Effect, Any, Explanation]:
    """Consider every recording of a task, the newest first, and judge the first step of those that may start."""
    if lookup is not None:
        return Explanation("ask the agent", lookup.reason, run.hide(lookup.message))
    if not trajectories:
        message = "nothing was recorded for this task: for these arguments, names of params, tags and scope"
        return Explanation("ask the agent", Reason.NEW_TASK, message)
    sights: Sights = {}
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
    run: Run, trajectory: Trajectory, registry: Registry, sights: Sights
) -> Generator[Effect, Any, Considered]:
    refusal = admissible(run, trajectory, registry)
    if refusal is not None:
        return _considered(run, trajectory, refusal, "")
    steps = trajectory.steps
    asked = [at for at in (0, *steps[0].opens) if steps[at].pre is not None]
    if not asked:
        message = "its first step has no pre-check" + ("" if steps[0].tool.reads_only else " and is replayed unchecked")
        return _considered(run, trajectory, None, message)
    values = yield from _look(run, trajectory, asked, sights)
    if isinstance(values, Refusal):
        return _considered(run, trajectory, _as_first(values), "", at=values.step)
    at, seen, expected = 0, "", ""
    for candidate in trajectory.candidates[: run.policy.max_lookups]:
        for at, value in values.items():
            refusal = yield from judge(run, steps[at], value, candidate, at, False, shared=True)
            check = steps[at].pre
            if check is not None:
                seen, expected = check.texts(copy_of(value), open_snapshot(candidate.snapshots(False)[at]))
            if refusal is not None:
                break
        if refusal is None:
            break
    passes = (
        "the pre-check of its first step passes" if not steps[0].opens else "the pre-checks of its first group pass"
    )
    return _considered(run, trajectory, _as_first(refusal) if refusal else None, passes, seen, expected, at)


def _look(
    run: Run, trajectory: Trajectory, asked: Sequence[int], sights: Sights
) -> Generator[Effect, Any, dict[int, Any] | Refusal]:
    """What the pre-checks of the first step, or of the calls that open a parallel group with it, see now."""
    values: dict[int, Any] = {}
    calls: Counter[bytes] = Counter()
    for at in asked:
        step = trajectory.steps[at]
        try:
            arguments = arguments_of(run, step)
        except Exception as error:
            return unbuildable(step, at, error)
        key = (step.call_id, calls[step.call_id])
        calls[step.call_id] += 1
        if key not in sights:
            assert step.pre is not None
            sights[key] = yield from look(step, step.pre, arguments, at)
        value = sights[key]
        if isinstance(value, Refusal):
            return value
        values[at] = value
    return values


def _as_first(refusal: Refusal) -> Refusal:
    if refusal.reason in (Reason.CHECK_REFUSED, Reason.CHECK_ERROR):
        return msgspec.structs.replace(refusal, reason=Reason.FIRST_CHECK_REFUSED)
    return refusal


def bound_step(run: Run, record: StepRecord) -> Planned:
    """A step with its arguments as they would be in this run."""
    parts = [f"{name}={bound_text(expr, run.params.values)}" for name, expr in record.arguments]
    return Planned(record.tool, run.hide(", ".join(parts)))


def _considered(
    run: Run,
    trajectory: Trajectory,
    refusal: Refusal | None,
    message: str,
    seen: str = "",
    expected: str = "",
    at: int = 0,
) -> Considered:
    hide = run.hide
    records = trajectory.body.steps
    record = records[at]
    arguments = ", ".join(f"{name}={plan_text(expr)}" for name, expr in record.arguments)
    return Considered(
        trajectory.id,
        trajectory.standing.state,
        len(records),
        trajectory.standing.hits,
        refusal is None,
        Reason.HIT if refusal is None else refusal.reason,
        hide(message if refusal is None else refusal.message),
        hide(f"{record.tool}({arguments})"),
        hide(seen),
        hide(expected),
        trajectory.standing.reason,
    )
