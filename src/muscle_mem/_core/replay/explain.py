"""Explaining: what a call would do and why, executing nothing but the captures of first steps."""

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ..binding.resolve import bound_expression_text, expression_text
from ..model.handover import Planned
from ..model.reason import Reason
from ..model.records import StepRecord
from ..plan.ready_trajectory import ReadyTrajectory
from ..plan.snapshots import load_snapshot
from ..plan.step import Refusal, Registry
from ..run.effects import Effect
from ..run.run import Run
from ..tools.check import safe_copy
from .eligibility import ineligibility
from .judge import capture, evaluate
from .prepare import bind_arguments, cannot_bind

MAX_CONSIDERED = 20
Captures = dict[tuple[bytes, int], Any]


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

    `plan` holds the steps of that replay with this call's params; outputs that do not exist yet as `output[step]`.
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
        for entry in self.considered:
            verb = "would start" if entry.would_start else f"no: {entry.reason.value}"
            state = f"{entry.state}: {entry.evidence}" if entry.evidence else entry.state
            counts = f"{entry.steps} step{'s'[: entry.steps != 1]}, {entry.hits} hit{'s'[: entry.hits != 1]}"
            what = f"{entry.trajectory_id} ({state}; {counts})"
            lines.append(f"  {what}: {verb}: {entry.message}")
            if entry.seen or entry.expected:
                lines.append(f"    {entry.first_step}: saw {entry.seen}, expected {entry.expected}")
        lines += [f"  step {index}: {step}" for index, step in enumerate(self.plan)]
        return "\n".join(lines)


def explain_task(
    run: Run, trajectories: Sequence[ReadyTrajectory], registry: Registry, lookup: Refusal | None = None
) -> Generator[Effect, Any, Explanation]:
    """Consider every recording of a task, the newest first, and judge the first step of those that may start."""
    if lookup is not None:
        return Explanation("ask the agent", lookup.reason, run.redact(lookup.message))
    if not trajectories:
        message = "nothing was recorded for this task: for these arguments, names of params, tags and scope"
        return Explanation("ask the agent", Reason.NEW_TASK, message)
    captures: Captures = {}
    considered: list[Considered] = []
    for trajectory in trajectories[:MAX_CONSIDERED]:
        entry = yield from _consider(run, trajectory, registry, captures)
        considered.append(entry)
    first = next((entry for entry in considered if entry.would_start), None)
    if first is not None:
        chosen = next(trajectory for trajectory in trajectories if trajectory.id == first.trajectory_id)
        plan = tuple(bound_step(run, record) for record in chosen.body.steps)
        return Explanation("replay", Reason.HIT, f"trajectory {chosen.id} fits", tuple(considered), plan)
    return Explanation("ask the agent", considered[0].reason, considered[0].message, tuple(considered))


def _consider(
    run: Run, trajectory: ReadyTrajectory, registry: Registry, captures: Captures
) -> Generator[Effect, Any, Considered]:
    refusal = ineligibility(run, trajectory, registry)
    if refusal is not None:
        return _considered(run, trajectory, refusal, "")
    steps = trajectory.steps
    asked = [at for at in (0, *steps[0].opening_members) if steps[at].pre is not None]
    if not asked:
        message = "its first step has no pre-check" + (
            "" if steps[0].tool.is_read_only else " and is replayed unchecked"
        )
        return _considered(run, trajectory, None, message)
    values = yield from _capture_first(run, trajectory, asked, captures)
    if isinstance(values, Refusal):
        return _considered(run, trajectory, _as_first_check(values), "", at=values.step)
    at, seen, expected = 0, "", ""
    for candidate in trajectory.candidates[: run.policy.max_lookups]:
        for at, value in values.items():
            refusal = yield from evaluate(run, steps[at], value, candidate, at, False, shared=True)
            check = steps[at].pre
            if check is not None:
                seen, expected = check.describe_pair(safe_copy(value), load_snapshot(candidate.snapshots(False)[at]))
            if refusal is not None:
                break
        if refusal is None:
            break
    passes = (
        "the pre-check of its first step passes"
        if not steps[0].opening_members
        else "the pre-checks of its first group pass"
    )
    return _considered(run, trajectory, _as_first_check(refusal) if refusal else None, passes, seen, expected, at)


def _capture_first(
    run: Run, trajectory: ReadyTrajectory, asked: Sequence[int], captures: Captures
) -> Generator[Effect, Any, dict[int, Any] | Refusal]:
    """What the pre-checks of the first step, or of the calls that open a parallel group with it, see now."""
    values: dict[int, Any] = {}
    calls: Counter[bytes] = Counter()
    for at in asked:
        step = trajectory.steps[at]
        try:
            arguments = bind_arguments(run, step)
        except Exception as error:
            return cannot_bind(step, at, error)
        key = (step.call_id, calls[step.call_id])
        calls[step.call_id] += 1
        if key not in captures:
            assert step.pre is not None
            captures[key] = yield from capture(step, step.pre, arguments, at)
        value = captures[key]
        if isinstance(value, Refusal):
            return value
        values[at] = value
    return values


def _as_first_check(refusal: Refusal) -> Refusal:
    if refusal.reason in (Reason.CHECK_REFUSED, Reason.CHECK_ERROR):
        return msgspec.structs.replace(refusal, reason=Reason.FIRST_CHECK_REFUSED)
    return refusal


def bound_step(run: Run, record: StepRecord) -> Planned:
    """A step with its arguments as they would be in this run."""
    parts = [f"{name}={bound_expression_text(expr, run.params.values)}" for name, expr in record.arguments]
    return Planned(record.tool, run.redact(", ".join(parts)))


def _considered(
    run: Run,
    trajectory: ReadyTrajectory,
    refusal: Refusal | None,
    message: str,
    seen: str = "",
    expected: str = "",
    at: int = 0,
) -> Considered:
    hide = run.redact
    records = trajectory.body.steps
    record = records[at]
    arguments = ", ".join(f"{name}={expression_text(expr)}" for name, expr in record.arguments)
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
