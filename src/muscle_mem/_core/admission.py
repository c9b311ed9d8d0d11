"""Who may start: everything about a recording that can be known before the first effect (D1, D3)."""

from __future__ import annotations

from collections.abc import Sequence

from .concealing import refused_by_secrets
from .model import Reason
from .plan import Candidate, PlanStep, Refusal, Registry, Trajectory
from .run import Run
from .trust import EXPIRED, untrusted

RETIRED = "retired"
NEVER = ("quarantined", RETIRED)


def admit(run: Run, trajectories: Sequence[Trajectory], registry: Registry) -> tuple[list[Candidate], Refusal | None]:
    """The candidates that may start, preferred first, and why the preferred one that may not does not (D1, D3)."""
    first: Refusal | None = None
    live: list[Candidate] = []
    for trajectory in trajectories:
        refusal = admissible(run, trajectory, registry)
        if refusal is None:
            live += trajectory.candidates
        elif first is None:
            first = refusal
    if len(trajectories) > 1:
        live.sort(key=lambda candidate: (-candidate.seq, candidate.id))
    return live, first


def admissible(run: Run, trajectory: Trajectory, registry: Registry) -> Refusal | None:
    """Everything that can be known before the first effect: why this trajectory cannot be replayed now, or None."""
    standing = trajectory.standing
    retired_for_age = standing.state == RETIRED and standing.reason.startswith(EXPIRED)
    if retired_for_age or (trajectory.expired and standing.state not in NEVER):
        message = (
            f"trajectory {trajectory.id} was last recorded longer ago than the engine's ttl; a run of the same "
            "calls by the agent makes it young again"
        )
        return Refusal(Reason.EXPIRED, message)
    if standing.state in NEVER:
        why = standing.reason or "it failed"
        message = f"trajectory {trajectory.id} is {standing.state} ({why}); report_good lifts this, forget deletes it"
        return Refusal(Reason.QUARANTINED, message)
    refusal = trajectory.join(registry) or untrusted(trajectory, run.policy.trust) or registry.paused(trajectory.steps)
    if refusal is None and trajectory.secrets:
        refusal = refused_by_secrets(trajectory, run)
    if refusal is None and (trajectory.body.params or run.params):
        refusal = trajectory.refused_by_params(run.params)
    if refusal is None:
        refusal = _refused_by_steps(run, trajectory)
    return refusal


def _refused_by_steps(run: Run, trajectory: Trajectory) -> Refusal | None:
    for index, step in enumerate(trajectory.steps):
        tool = step.tool
        if run.plain and _needs_await(run, step):
            call = "engine.asession(...)" if run.outside else "await engine.acall(...)"
            message = f"{tool.name} or one of its checks is async; call the engine with: {call}"
            return Refusal(Reason.NEEDS_ACALL, message, index, tool.name)
        missing = next((name for name in step.contexts if not run.has_context(name)), None)
        if missing is not None:
            message = f"{tool.name} takes a {missing}, and no context object is one; give it with set_context(obj)"
            return Refusal(Reason.NOT_REPLAYABLE, message, index, tool.name)
        if tool.effect == "irreversible" and step.pre is None and run.approve is None:
            message = f"{tool.name} is irreversible and has neither a pre-check nor an approval callback"
            return Refusal(Reason.NOT_APPROVED, message, index, tool.name)
        if step.method and tool not in run.objects:
            found = run.object_of(tool)
            if isinstance(found, Refusal):
                return found
            run.objects[tool] = found
    if trajectory.unchecked:
        step = trajectory.unchecked[0]
        if run.policy.strict:
            message = f"{step.tool.name} has no pre-check and is not declared effect='read', and strict=True"
            return Refusal(Reason.NOT_REPLAYABLE, message, tool=step.tool.name)
        for step in trajectory.unchecked:
            run.notify(
                "warning",
                "unchecked",
                f"{step.tool.name} is replayed without a pre-check; add one, or say effect='read' if it only looks",
                step.tool.name,
            )
    return None


def _needs_await(run: Run, step: PlanStep) -> bool:
    return (not step.direct and not run.outside) or any(
        check is not None and (check.capture_async or check.compare_async) for check in (step.pre, step.post)
    )
