"""Explanations of what recordings prove together (L5, L8)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..plan.candidate_set import CandidateSet
from ..plan.flows import ShownFlow, ShownLoop, ShownOptional
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.ready_trajectory import ReadyTrajectory
from ..plan.shown_flows import shown_flow
from ..plan.step import Refusal, Registry
from ..run.run import Run
from .eligibility import eligible


def explained_flows(run: Run, trajectories: Sequence[ReadyTrajectory]) -> tuple[ShownFlow, ...]:
    """Return the flows of the recordings of a task, without secrets.

    Those of the newest recordings come first.
    """
    learning = trajectories[0].learning if trajectories else None
    if learning is None:
        return ()
    hide = run.redact
    found: list[ShownFlow] = []
    for described in learning.described():
        records = described.parents[0].body.steps
        for flow, leaf in zip(described.flows, described.leaves, strict=True):
            shown = shown_flow(flow, leaf, records, described.evidence, run.params.values)
            found.append(
                msgspec.structs.replace(
                    shown, sources=tuple(map(hide, shown.sources)), votes=tuple(map(hide, shown.votes))
                )
            )
    return tuple(found)


def explained_loops(run: Run, trajectories: Sequence[ReadyTrajectory]) -> tuple[ShownLoop, ...]:
    """Return the loops that the recordings of a task prove, without secrets."""
    learning = trajectories[0].learning if trajectories else None
    if learning is None or not learning.may_loop or learning.fold is None:
        return ()
    from ..plan.shown_loops import shown_loops

    return tuple([msgspec.structs.replace(one, source=run.redact(one.source)) for one in shown_loops(learning.fold)])


def explained_optional(trajectories: Sequence[ReadyTrajectory]) -> tuple[ShownOptional, ...]:
    """Return the steps that some recordings of a task lack, optional or not (L17)."""
    found: list[ShownOptional] = []
    for trajectory in trajectories:
        learning = trajectory.learning
        if learning is None or learning.count < 2 or not trajectory.steps:
            continue
        chosen = learning.of(trajectory) or trajectory
        lacked = [one for one in learning.lacked(chosen) if not trajectory.steps[one.position].tool.optional]
        found += [one.shown(trajectory.steps[one.position].tool.name) for one in lacked]
    return tuple(dict.fromkeys(found))


def loop_opening(trajectories: Sequence[ReadyTrajectory]) -> GeneralTrajectory | None:
    """Return the trajectory with the loops that recordings have in common."""
    learning = trajectories[0].learning
    return None if learning is None or learning.fold is None else learning.fold.opening


def startable_general(run: Run, found: CandidateSet, registry: Registry) -> GeneralTrajectory | Refusal | None:
    """Return the generalized trajectory that starts where no recording may.

    Return why there is none, if that is why the agent is asked.
    """
    live, refusal = eligible(run, found, registry)
    if live is None:
        return refusal
    first = live.trajectories[0]
    return first if isinstance(first, GeneralTrajectory) else None
