"""Trust: what evidence there is for a trajectory, and how much of it a replay asks for (D6)."""

from __future__ import annotations

from typing import Any, Literal

from ..model.reason import Reason
from .ready_trajectory import ReadyTrajectory
from .step import Refusal

Trust = Literal["first", "verified", "manual"]
TRUSTS = ("first", "verified", "manual")

# The evidence stands as the reason of a trusted standing, where people read it too.
TWICE = "recorded twice"
SUCCESS = "success callback accepted it"
GOOD = "reported good"
APPROVED = "approved"

# The reason of a retired standing.
EXPIRED = "expired"


def trust_level(standing: Any) -> int:
    """How far the evidence goes: 0 as recorded, 1 with a positive verdict, 2 with a manual review."""
    if standing.state != "trusted":
        return 0
    if standing.reason.startswith((GOOD, APPROVED)):
        return 2
    return 1 if standing.reason.startswith(SUCCESS) else 0


def trust_refusal(trajectory: ReadyTrajectory, wanted: int) -> Refusal | None:
    """Why the evidence is not enough for the engine, or for one of the tools; None if it is."""
    required = max(wanted, trajectory.trust)
    have = trust_level(trajectory.standing)
    if have >= required:
        return None
    needs = "a positive verdict" if required == 1 else "a person's approval"
    giving = "a success callback, " if required == 1 else ""
    evidence = trajectory.standing.reason or "none beyond the recording"
    return Refusal(
        Reason.NOT_APPROVED,
        f"trajectory {trajectory.id} needs {needs} (trust={TRUSTS[required]!r}); the evidence is: {evidence}; "
        f"{giving}report_good or `muscle-mem approve` gives it",
    )
