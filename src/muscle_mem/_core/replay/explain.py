"""Explanations of what a call would do; only checks of first steps are executed."""

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import msgspec

from ..binding.guards.provenance import provenance_text, untrusted_steps, with_trust
from ..binding.references.declared_flows import argument_text
from ..binding.references.resolve import bound_expression_text, expression_text
from ..model.handover import Planned
from ..model.reason import Reason
from ..model.records import StepRecord
from ..plan.candidate_set import CandidateSet
from ..plan.flows import ShownFlow, ShownLoop, ShownOptional
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.ready_trajectory import Candidate, ReadyTrajectory
from ..plan.step import Refusal, Registry
from ..run.bound import expected_snapshot
from ..run.effects import Effect
from ..run.run import Run
from ..tools.check import safe_copy
from ..tools.tool import Tool
from .eligibility import ineligibility
from .judge import capture, evaluate
from .prepare import bind_arguments, cannot_bind

MAX_CONSIDERED = 20
Captures = dict[tuple[bytes, int], Any]


class Considered(msgspec.Struct, frozen=True):
    """One recording that was considered for a task.

    Attributes:
        trajectory_id: The id of the trajectory.
        state: The state of the trajectory, such as "quarantined".
        steps: The number of its steps.
        hits: The number of its hits.
        would_start: Whether it can be replayed now.
        reason: Why it cannot; `Reason.HIT` if it can.
        message: The reason in words.
        first_step: The call that was checked, as text.
        seen: What the check captured now.
        expected: What the check captured when recorded.
        evidence: Why the trajectory is in its state.
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
    """A prediction of what the engine does with a task; truthy if it replays.

    Attributes:
        would: "replay" or "ask the agent".
        reason: Why; `Reason.HIT` for a replay.
        message: The reason in words.
        considered: The recordings of the task, the preferred first.
        plan: The steps of the replay with this call's params. An output that does not exist yet is `output[step]`.
        flows: The sources of arguments that differ between the recordings, and what is missing before a replay uses
            them.
        loops: The loops over whole lists that the recordings prove.
        template: With `learn_params=True`, the template that the text of the task fits, the values of its holes, and
            whether a replay uses the template. Otherwise the reason why no template fits.
        optional: The steps that some recordings lack, and whether a replay may skip them.
    """

    __module__ = "muscle_mem"

    would: str
    reason: Reason
    message: str
    considered: tuple[Considered, ...] = ()
    plan: tuple[Planned, ...] = ()
    flows: tuple[ShownFlow, ...] = ()
    loops: tuple[ShownLoop, ...] = ()
    template: str = ""
    optional: tuple[ShownOptional, ...] = ()

    def __bool__(self) -> bool:
        return self.would == "replay"

    def __str__(self) -> str:
        lines = [f"would {self.would}: {self.reason.value}: {self.message}"]
        if self.template:
            lines.append(f"  {self.template}")
        for entry in self.considered:
            verb = "would start" if entry.would_start else f"would not start: {entry.reason.value}"
            state = f"{entry.state}: {entry.evidence}" if entry.evidence else entry.state
            counts = f"{entry.steps} step{'s'[: entry.steps != 1]}, {entry.hits} hit{'s'[: entry.hits != 1]}"
            what = f"{entry.trajectory_id} ({state}; {counts})"
            lines.append(f"  {what}: {verb}: {entry.message}")
            if entry.seen or entry.expected:
                lines.append(f"    {entry.first_step}: expected {entry.expected}, got {entry.seen}")
        for index, step in enumerate(self.plan):
            lines.append(f"  step {index}: {step}")
            lines += [f"    provenance: {step.provenance}"] if step.provenance else []
        lines += [f"  {one}" for one in (*self.loops, *self.optional)]
        for flow in self.flows:
            lines.append(f"  flow of step {flow.step}: {flow.status}: {flow}")
            votes = zip(flow.sources, flow.votes, strict=True) if flow.votes else ()
            lines += [f"    {source} is {vote} now" for source, vote in votes if vote]
            if flow.missing:
                lines.append(f"    missing: {flow.missing}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the explanation as tables for notebooks."""
        from ..model.rich_display import html_pairs, html_table

        considered = [
            (
                entry.trajectory_id,
                f"{entry.state}: {entry.evidence}" if entry.evidence else entry.state,
                str(entry.steps),
                str(entry.hits),
                "would start" if entry.would_start else entry.reason.value,
                entry.message,
                entry.seen,
                entry.expected,
            )
            for entry in self.considered
        ]
        columns = ("trajectory", "state", "steps", "hits", "verdict", "message", "seen", "expected")
        return (
            html_pairs(
                f"Would {self.would}",
                [("reason", self.reason.value), ("message", self.message), ("template", self.template)][
                    : 3 if self.template else 2
                ],
            )
            + html_table("Recordings", columns, considered)
            + html_table("Plan", ("step", "call"), [(str(at), str(step)) for at, step in enumerate(self.plan)])
            + html_table(
                "Flows",
                ("step", "status", "flow", "missing"),
                [(str(flow.step), str(flow.status), str(flow), flow.missing) for flow in self.flows],
            )
        )


def explain_task(
    run: Run, trajectories: Sequence[ReadyTrajectory], registry: Registry, lookup: Refusal | None = None
) -> Generator[Effect, Any, Explanation]:
    """Consider the recordings of a task, the preferred first.

    The first step of each that may start is checked.
    """
    if lookup is not None:
        return Explanation("ask the agent", lookup.reason, run.redact(lookup.message))
    if not trajectories:
        message = "no recording exists for this task with these arguments, parameter names, tags and scope"
        return Explanation("ask the agent", Reason.NEW_TASK, message)
    from .explain_flows import explained_optional

    found = yield from _explained(run, trajectories, registry)
    return msgspec.structs.replace(found, optional=explained_optional(trajectories))


def _explained(
    run: Run, trajectories: Sequence[ReadyTrajectory], registry: Registry
) -> Generator[Effect, Any, Explanation]:
    ranked = CandidateSet(trajectories)
    trajectories = list(dict.fromkeys(candidate.trajectory for candidate in ranked.candidates)) or trajectories
    captures: Captures = {}
    considered: list[Considered] = []
    for trajectory in trajectories[:MAX_CONSIDERED]:
        entry = yield from _consider(run, trajectory, registry, captures)
        if trajectory.candidates and ranked.detours.issuperset(_of(ranked, trajectory)):
            entry = msgspec.structs.replace(entry, message=f"{entry.message}{_around(ranked, trajectory)}")
        considered.append(entry)
    from .explain_flows import explained_flows, explained_loops, loop_opening, startable_general

    flows = explained_flows(run, trajectories)
    loops = explained_loops(run, trajectories)
    opening = loop_opening(trajectories) if loops else None
    if opening is not None:
        entry = yield from _consider(run, opening, registry, captures)
        if entry.would_start:
            message = f"the loop that recordings have in common, {opening.id}, can be replayed"
            plan = bound_plan(run, opening)
            return Explanation("replay", Reason.HIT, message, (entry, *considered), plan, flows, loops)
        considered.append(entry)
    first = next((entry for entry in considered if entry.would_start), None)
    if first is not None:
        chosen = next(trajectory for trajectory in trajectories if trajectory.id == first.trajectory_id)
        message = f"trajectory {chosen.id} can be replayed"
        return Explanation("replay", Reason.HIT, message, tuple(considered), bound_plan(run, chosen), flows, loops)
    general = None
    if not any(entry.reason is Reason.FIRST_CHECK_REFUSED for entry in considered):
        general = startable_general(run, ranked, registry)
    if isinstance(general, GeneralTrajectory):
        entry = yield from _consider(run, general, registry, captures)
        considered.append(entry)
        if entry.would_start:
            message = f"what recordings have in common, {general.id}, can be replayed"
            return Explanation("replay", Reason.HIT, message, tuple(considered), bound_plan(run, general), flows)
        return Explanation("ask the agent", entry.reason, entry.message, tuple(considered), flows=flows)
    reason, message = considered[0].reason, considered[0].message
    if isinstance(general, Refusal):
        reason, message = general.reason, run.redact(general.message)
    return Explanation("ask the agent", reason, message, tuple(considered), flows=flows)


def _of(ranked: CandidateSet, trajectory: ReadyTrajectory) -> list[Candidate]:
    return [candidate for candidate in ranked.candidates if candidate.trajectory is trajectory]


def _around(ranked: CandidateSet, trajectory: ReadyTrajectory) -> str:
    """Return that a recording was made when checks of others failed (D3).

    The text says what the recording is ranked lower.
    """
    ids = {id for candidate in _of(ranked, trajectory) for id in candidate.row.refused}
    others = sorted({other.trajectory.id for other in ranked.candidates if other.id in ids} - {trajectory.id})
    whose = ", ".join(others) or "an earlier observation"
    return f"; it was recorded when the checks of {whose} failed, and is ranked lower"


def _consider(
    run: Run, trajectory: ReadyTrajectory, registry: Registry, captures: Captures
) -> Generator[Effect, Any, Considered]:
    """Return whether one recording could start, with its first step checked."""
    refusal = ineligibility(run, trajectory, registry)
    if refusal is not None:
        return _considered(run, trajectory, refusal, "")
    steps = trajectory.steps
    if isinstance(trajectory, GeneralTrajectory):
        refusal = _unclear_first_step(run, trajectory)
        if refusal is not None:
            return _considered(run, trajectory, refusal, "")
    asked = [at for at in (0, *steps[0].opening_members) if steps[at].pre is not None]
    if not asked:
        unchecked = "" if steps[0].tool.is_read_only else ", so it is replayed unchecked"
        message = f"the first step has no pre-check{unchecked}"
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
                seen, expected = check.describe_pair(safe_copy(value), expected_snapshot(run, candidate, at, False))
            if refusal is not None:
                break
        if refusal is None:
            break
    passes = (
        "the pre-check of the first step passes"
        if not steps[0].opening_members
        else "the pre-checks of the first parallel group pass"
    )
    return _considered(run, trajectory, _as_first_check(refusal) if refusal else None, passes, seen, expected, at)


def _unclear_first_step(run: Run, trajectory: GeneralTrajectory) -> Refusal | None:
    """Return why the first step or group cannot be built from its sources (L5)."""
    for at in (0, *trajectory.steps[0].opening_members):
        try:
            bind_arguments(run, trajectory.steps[at])
        except Exception as error:
            return cannot_bind(run, trajectory.steps[at], at, error)
    return None


def _capture_first(
    run: Run, trajectory: ReadyTrajectory, asked: Sequence[int], captures: Captures
) -> Generator[Effect, Any, dict[int, Any] | Refusal]:
    """Return what the pre-checks of the first step or parallel group capture now."""
    values: dict[int, Any] = {}
    calls: Counter[bytes] = Counter()
    for at in asked:
        step = trajectory.steps[at]
        try:
            arguments = bind_arguments(run, step)
        except Exception as error:
            return cannot_bind(run, step, at, error)
        key = (step.call_id, calls[step.call_id])
        calls[step.call_id] += 1
        if key not in captures:
            assert step.pre is not None
            captures[key] = yield from capture(step, step.pre, arguments, at)
        value = captures[key]
        if type(value) is Refusal:
            return value
        values[at] = value
    return values


def _as_first_check(refusal: Refusal) -> Refusal:
    """Return a failed check's refusal with the reason that a miss reports."""
    if refusal.reason in (Reason.CHECK_REFUSED, Reason.CHECK_ERROR):
        return msgspec.structs.replace(refusal, reason=Reason.FIRST_CHECK_REFUSED)
    return refusal


def bound_step(run: Run, record: StepRecord, tool: Tool) -> Planned:
    """Return a step with its arguments as they would be in this run."""
    params = run.params.values
    parts = [
        f"{name}={argument_text(name, expr, tool) or bound_expression_text(expr, params)}"
        for name, expr in record.arguments
    ]
    return Planned(record.tool, run.redact(", ".join(parts)))


def bound_plan(run: Run, chosen: ReadyTrajectory) -> tuple[Planned, ...]:
    """Return the steps of a replay, with the provenance of their arguments (P1)."""
    own = chosen.parents[0].body.steps if isinstance(chosen, GeneralTrajectory) else chosen.body.steps
    origins = next((candidate.row.origins for candidate in chosen.candidates if candidate.row.origins), ())
    words = with_trust(own, origins, untrusted_steps([step.tool for step in chosen.steps])) if origins else ()
    told = [provenance_text(record, found) for record, found in zip(own, words, strict=False)]
    steps = [bound_step(run, record, step.tool) for record, step in zip(chosen.body.steps, chosen.steps, strict=True)]
    return tuple(
        msgspec.structs.replace(step, provenance=told[at] if at < len(told) else "") for at, step in enumerate(steps)
    )


def _considered(
    run: Run,
    trajectory: ReadyTrajectory,
    refusal: Refusal | None,
    message: str,
    seen: str = "",
    expected: str = "",
    at: int = 0,
) -> Considered:
    """Return the entry of a recording, without secrets; `at` is the step that decided."""
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
