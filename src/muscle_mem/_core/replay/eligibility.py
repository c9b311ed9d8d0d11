"""Eligibility of recordings, as known before the first effect (D1, D3)."""

from __future__ import annotations

from ..binding.suspicions.kinds import local_day
from ..model.handover import chat_name
from ..model.reason import Reason
from ..plan.candidate_set import CandidateSet, is_unrestricted
from ..plan.compatibility import params_refusal
from ..plan.contradiction import may_begin
from ..plan.evidence import Circumstances, conditions_refusal
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.ready_trajectory import ReadyTrajectory
from ..plan.step import PlanStep, Refusal, Registry
from ..plan.trust import EXPIRED, trust_refusal
from ..run.run import Run
from ..tools.overrides import override_fingerprint
from ..tools.tool import Tool
from .required_secrets import secrets_refusal

RETIRED = "retired"
NEVER_REPLAYED = ("quarantined", RETIRED)
NEVER_GENERAL = (Reason.TOOL_CHANGED, Reason.NOT_REPLAYABLE, Reason.DAMAGED, Reason.EXPIRED)
"""Refusals of recordings that their generalized trajectory shares."""


def eligible(run: Run, found: CandidateSet, registry: Registry) -> tuple[CandidateSet | None, Refusal | None]:
    """Return the candidates that may start, and the first refusal of the others.

    Either is None if there is none.
    """
    if (
        found.is_unrestricted
        and run.offered is None
        and not (run.policy.trust or run.params.values or registry.failing_tools)
    ):
        return found, None
    may_loop = found.may_loop
    if may_loop and run.mode != "shadow":
        loop = _eligible_loop(run, found, registry)
        if loop is not None:
            return loop.candidate_set, None
        if not found.may_loop:  # It has turned out that there is no loop.
            return eligible(run, found, registry)
    first: Refusal | None = None
    live: list[ReadyTrajectory] = []
    for trajectory in found.trajectories:
        refusal = ineligibility(run, trajectory, registry)
        if refusal is None:
            live.append(trajectory)
        elif first is None:
            first = refusal
    if live:
        return found.subset(live), first
    general = _eligible_general(run, found, registry, first)
    if isinstance(general, Refusal):
        return None, general
    return (None if general is None else general.candidate_set), first


def _eligible_loop(run: Run, found: CandidateSet, registry: Registry) -> GeneralTrajectory | None:
    """Return the trajectory that goes through a list of any length (L11)."""
    fold = None if found.learning is None else found.learning.fold
    if fold is None:
        found.leave_loops()
        return None
    opening = fold.opening
    return opening if ineligibility(run, opening, registry) is None else None


def _eligible_general(
    run: Run, found: CandidateSet, registry: Registry, first: Refusal | None
) -> GeneralTrajectory | Refusal | None:
    """Return a generalized trajectory that may start where none of its parents may.

    Return why not if it would be on probation: one more recording decides.
    """
    if found.learning is None or first is None or first.reason in NEVER_GENERAL:
        return None
    tried: set[str] = set()
    for trajectory in found.trajectories:
        if trajectory.standing.state in NEVER_REPLAYED or trajectory.is_expired:
            continue
        general = found.learning.of(trajectory)
        if general is None:
            return None  # What the agent did last proves nothing yet, so nothing older is done in its place.
        if general.id in tried:
            continue
        tried.add(general.id)
        refusal = ineligibility(run, general, registry)
        if refusal is None:
            return general
        if refusal.reason is Reason.PROBATION:
            return refusal
    return None


def ineligibility(run: Run, trajectory: ReadyTrajectory, registry: Registry) -> Refusal | None:
    """Return why a trajectory cannot be replayed now; None if it may start."""
    if run.offered is None and is_unrestricted(trajectory) and not (run.policy.trust or run.params.values):
        return registry.pause_refusal(trajectory.steps)  # All else was determined when it was joined.
    refusal = own_refusal(run, trajectory) or registry.pause_refusal(trajectory.steps)
    if refusal is None and run.offered is not None:
        refusal = next(filter(None, (offer_refusal(run, step, at) for at, step in enumerate(trajectory.steps))), None)
    stop = trajectory.known_stop
    if refusal is None and stop is not None and not _may_begin(run, trajectory, stop.step):
        refusal = stop
    if refusal is None and (trajectory.requirements or trajectory.unchecked_tools):
        refusal = _steps_refusal(run, trajectory)
    return refusal


def own_refusal(run: Run, trajectory: ReadyTrajectory) -> Refusal | None:
    """Return why a trajectory must not be replayed with this run's values, if so.

    What its tools need is not looked at.
    """
    standing = trajectory.standing
    retired_for_age = standing.state == RETIRED and standing.reason.startswith(EXPIRED)
    if retired_for_age or (trajectory.is_expired and standing.state not in NEVER_REPLAYED):
        message = (
            f"trajectory {trajectory.id} is expired: it was last recorded longer ago than ttl=. Let the agent do the "
            "task again to renew it."
        )
        return Refusal(Reason.EXPIRED, message)
    if standing.state in NEVER_REPLAYED:
        why = standing.reason or "it failed"
        message = f"trajectory {trajectory.id} is {standing.state}: {why}. Call report_good() or forget()."
        return Refusal(Reason.QUARANTINED, message)
    refusal = trajectory.refusal
    if refusal is None and (run.policy.trust or trajectory.trust):
        refusal = trust_refusal(trajectory, run.policy.trust)
    if refusal is None and trajectory.secrets:
        refusal = secrets_refusal(trajectory, run)
    if refusal is None and (trajectory.head.params or run.params.values):
        refusal = params_refusal(trajectory.head, trajectory.params_in_texts, trajectory.params_as_numbers, run.params)
    if refusal is None and trajectory.conditions is not None:
        refusal = conditions_refusal(trajectory, _circumstances(run), run.policy.generalize)
    return refusal


def offer_refusal(run: Run, step: PlanStep, position: int) -> Refusal | None:
    """Return the refusal of a step whose tool cannot be used in this run."""
    tool = step.tool
    if run.offered is None or not run.offered.isdisjoint((tool.name, chat_name(tool.name), *tool.aliases)):
        return None
    message = (
        f"tool {tool.name!r} (step {position}) is not among the tools of this run. Offer it to the agent, or let the "
        "model do the task without it."
    )
    return Refusal(Reason.TOOL_MISSING, message, position, tool.name)


def _may_begin(run: Run, trajectory: ReadyTrajectory, stop: int) -> bool:
    """Return whether a replay that will stop before a step may begin at all (D1b)."""
    if run.mode == "replay" or run.on_divergence == "raise":
        return False
    goes_on = run.takes_handover and run.on_divergence in ("auto", "continue")
    return may_begin(trajectory.steps, stop, takes_handover=goes_on)


def _circumstances(run: Run) -> Circumstances:
    """Return what conditions of a trajectory are compared with in this run."""
    policy = run.policy
    return Circumstances(run.key or b"", run.params, local_day(policy.wall_clock()), policy.process)


def _context_refusal(run: Run, trajectory: ReadyTrajectory, index: int, tool: Tool) -> Refusal | None:
    """Find the context object of a method tool; refuse one that overrides it."""
    if tool not in run.context_objects:
        found = run.context_object_for(tool)
        if type(found) is Refusal:
            return found
        run.context_objects[tool] = found
    override = override_fingerprint(tool, run.context_objects[tool])
    if not override:
        return None
    owner = type(run.context_objects[tool]).__qualname__
    if override not in trajectory.overrides.get(tool, ()):
        message = (
            f"{owner!r} overrides {tool.name!r}, and this was not recorded through that override. A replay calls the "
            "tool itself. Run the agent to record it again, or make the override a tool."
        )
        return Refusal(Reason.TOOL_OVERRIDDEN, message, index, tool.name)
    message = f"{owner!r} overrides {tool.name!r}, and a replay leaves out what the override does. Make it a tool."
    run.notify("warning", "overridden", message, tool.name)
    return None


def _steps_refusal(run: Run, trajectory: ReadyTrajectory) -> Refusal | None:
    """Return the first step's requirement that this run does not meet."""
    for index, step in trajectory.requirements:
        tool = step.tool
        awaits = (tool.is_async or tool.was_awaited) and not run.is_stepped
        if run.is_sync and (step.has_async_check or awaits):
            call = "engine.asession(...)" if run.is_stepped else "await engine.acall(...)"
            message = f"{tool.name!r} or one of its checks is async, and the call is not. Use {call}."
            return Refusal(Reason.NEEDS_ACALL, message, index, tool.name)
        if tool.is_external and not run.is_stepped:
            message = (
                f"{tool.name!r} (step {index}) is an external tool, and only a session, an adapter or the gateway can "
                "have its calls made."
            )
            return Refusal(Reason.TOOL_MISSING, message, index, tool.name)
        missing = next((name for name in step.contexts if not run.has_context(name)), None)
        if missing is not None:
            message = f"context for {tool.name!r} not found: expected one {missing} object. Pass it to set_context()."
            return Refusal(Reason.NOT_REPLAYABLE, message, index, tool.name)
        if tool.effect == "irreversible" and step.pre is None and run.approve is None:
            message = f"{tool.name!r} is irreversible and has no pre-check. Add one, or pass approve= to the engine."
            return Refusal(Reason.NOT_APPROVED, message, index, tool.name)
        if step.method:
            refusal = _context_refusal(run, trajectory, index, tool)
            if refusal is not None:
                return refusal
    if trajectory.unchecked_tools:
        if run.policy.strict:
            name = trajectory.unchecked_tools[0]
            message = f"{name!r} has no pre-check, and strict=True. Add one, or declare effect='read' if it only reads."
            return Refusal(Reason.NOT_REPLAYABLE, message, tool=name)
        for name in trajectory.unchecked_tools:
            message = f"{name!r} is replayed without a pre-check. Add one, or declare effect='read' if it only reads."
            run.notify("warning", "unchecked", message, name)
    return None
