"""Recordings that begin with the same calls and continue differently (E12)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ready_trajectory import ReadyTrajectory

MAX_COMPANY = 256
"""The number of other recordings of a key that are looked at."""

_UNTRUSTED = ("quarantined", "retired")


def forks(trajectory: ReadyTrajectory) -> Iterator[tuple[int, ReadyTrajectory]]:
    """Yield the recordings that continue differently.

    Each comes with the first step where it does. Where both ways have a pre-check, these decide.
    """
    others = [other for other in islice(trajectory.company, MAX_COMPANY) if other not in trajectory.siblings]
    if not others:  # The ids of a single recording are not needed, and decode its body.
        return
    steps, ids = trajectory.steps, trajectory.comparison_ids
    for other in others:
        common = next(
            (at for at, (one, two) in enumerate(zip(ids, other.comparison_ids, strict=False)) if one != two),
            min(len(ids), len(other.comparison_ids)),
        )
        plans = steps[common : common + 1], other.steps[common : common + 1]
        if not all(plan and plan[0].pre is not None for plan in plans):
            yield common, other


def is_rival(trajectory: ReadyTrajectory, other: ReadyTrajectory, made: int) -> bool:
    """Return whether another recording goes on with another tool from here."""
    if other in trajectory.siblings or other.standing.state in _UNTRUSTED:
        return False
    mine, theirs = trajectory.steps[made : made + 1], other.steps[made : made + 1]
    if mine and theirs:
        return mine[0].tool is not theirs[0].tool and (mine[0].pre is None or theirs[0].pre is None)
    return bool(mine or theirs)


def rival_ends(trajectory: ReadyTrajectory) -> set[int]:
    """Return after how many calls another recording goes on with another tool."""
    found = {common for common, other in forks(trajectory) if is_rival(trajectory, other, common)}
    return found - {0}
