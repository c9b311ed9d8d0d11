"""Who may start: everything about a recording that can be known before the first effect (D1, D3)."""

from __future__ import annotations

from ..model.reason import Reason
from ..plan.candidate_set import Company, is_free
from ..plan.step import Refusal, Registry
from ..plan.trajectory import Trajectory
from ..plan.trust import EXPIRED, untrusted
from ..record.redact import refused_by_secrets
from ..run.run import Run

RETIRED = "retired"
NEVER = ("quarantined", RETIRED)


def admit(run: Run, found: Company, registry: Registry) -> tuple[Company | None, Refusal | None]:
    """The candidates that may start, if any, and why the preferred one that may not does not (D1, D3)."""
    if found.free and not (run.policy.trust or run.params.values or registry.failing):
        return found, None
    first: Refusal | None = None
    live: list[Trajectory] = []
    for trajectory in found.trajectories:
        refusal = admissible(run, trajectory, registry)
        if refusal is None:
            live.append(trajectory)
        elif first is None:
            first = refusal
    return found.part(live) if live else None, first


def admissible(run: Run, trajectory: Trajectory, registry: Registry) -> Refusal | None:
    """Everything that can be known before the first effect: why this trajectory cannot be replayed now, or None."""
    standing = trajectory.standing
    if is_free(trajectory) and not (run.policy.trust or run.params.values):
        return registry.paused(trajectory.steps)  # all else was known when it was joined
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
    refusal = trajectory.join(registry)
    if refusal is None and (run.policy.trust or trajectory.trust):
        refusal = untrusted(trajectory, run.policy.trust)
    if refusal is None:
        refusal = registry.paused(trajectory.steps)
    if refusal is None and trajectory.secrets:
        refusal = refused_by_secrets(trajectory, run)
    if refusal is None and (trajectory.head.params or run.params.values):
        refusal = trajectory.refused_by_params(run.params)
    if refusal is None and (trajectory.asking or trajectory.unchecked):
        refusal = _refused_by_steps(run, trajectory)
    return refusal


def _refused_by_steps(run: Run, trajectory: Trajectory) -> Refusal | None:
    for index, step in trajectory.asking:
        tool = step.tool
        if run.plain and (step.check_async or (tool.is_async and not run.outside)):
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
        if run.policy.strict:
            name = trajectory.unchecked[0]
            message = f"{name} has no pre-check and is not declared effect='read', and strict=True"
            return Refusal(Reason.NOT_REPLAYABLE, message, tool=name)
        for name in trajectory.unchecked:
            message = f"{name} is replayed without a pre-check; add one, or say effect='read' if it only looks"
            run.notify("warning", "unchecked", message, name)
    return None
