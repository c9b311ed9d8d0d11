"""Recordings as the records of a store, and loaded ones compared with them."""

from __future__ import annotations

from typing import Any

from .._core.model.blobs import pack_row
from .._core.model.records import body_bytes
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.run.recorder import Recording
from .._core.run.run import Run
from ..store.base import Observation, Sealed


def store_records(run: Run, recording: Recording, state: str, reason: str, now: float) -> tuple[Sealed, Observation]:
    """Return a recording as the records that a store takes."""
    sealed = Sealed(
        id=recording.id,
        key=run.key or b"",
        body=body_bytes(recording.body),
        steps=len(recording.body.steps),
        task=run.task,
        scope=run.scope,
        tags=run.tags,
        created=now,
        state=state,
        reason=reason,
    )
    body, blobs = pack_row(recording.row)
    return sealed, Observation(id=recording.observation_id, body=body, created=now, blobs=blobs)


def has_same_body(stored: Any, known: ReadyTrajectory) -> bool:
    """Return whether a trajectory in memory has the stored body.

    Observations and standing may differ. Trajectories with parallel groups are loaded again, because the members may
    have been moved to match other trajectories of the key.
    """
    return stored.sealed == known.sealed and not known.has_groups


def is_same_trajectory(stored: Any, known: ReadyTrajectory) -> bool:
    """Return whether a trajectory in memory equals the stored one but for standing.

    Observations with the same id and sequence number are equal.
    """
    return (
        stored.seq == known.seq
        and has_same_body(stored, known)
        and [(seq, observation.id, observation.refresh) for seq, observation in stored.observations]
        == [(candidate.seq, candidate.id, candidate.refresh) for candidate in known.candidates]
    )
