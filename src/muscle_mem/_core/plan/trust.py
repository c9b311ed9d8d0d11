"""Trust: the evidence for a trajectory, and what a replay requires (D6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..model.reason import Reason
from .step import Refusal

if TYPE_CHECKING:
    from .ready_trajectory import ReadyTrajectory

Trust = Literal["first", "verified", "manual"]
TRUSTS = ("first", "verified", "manual")

# The evidence is stored as the reason of a trusted standing, which users read too.
TWICE = "recorded twice"
IN_A_ROW = "recorded twice in a row"
SUCCESS = "success callback accepted it"
GOOD = "reported good"
APPROVED = "approved"

# The reason of a quarantine that only a person's approval of the recordings, or one's own, ends.
IMPORTED = "imported"

# The reason of a standing that is retired for its age.
EXPIRED = "expired"


def trust_level(standing: Any) -> int:
    """Return the level of evidence: 0 recorded, 1 a positive verdict, 2 a review."""
    if standing.state != "trusted":
        return 0
    if standing.reason.startswith((GOOD, APPROVED)):
        return 2
    return 1 if standing.reason.startswith(SUCCESS) else 0


def is_pending(standing: Any) -> bool:
    """Return whether a trajectory from elsewhere waits for an approval (P5).

    Args:
        standing: Its standing.
    """
    return bool(standing.state == "quarantined" and standing.reason.startswith(IMPORTED))


def trust_refusal(trajectory: ReadyTrajectory, wanted: int) -> Refusal | None:
    """Return why the evidence is too little for the engine or a tool, or None."""
    required = max(wanted, trajectory.trust)
    have = max(trust_level(trajectory.standing), trajectory.parents_trust)
    if have >= required:
        return None
    if trajectory.unapproved is not None:
        return trajectory.unapproved
    needs = "a positive verdict" if required == 1 else "a manual review"
    adding = "Add success=, or run" if required == 1 else "Run"
    evidence = trajectory.standing.reason or "none beyond the recording"
    return Refusal(
        Reason.NOT_APPROVED,
        f"trajectory {trajectory.id} lacks evidence: expected {needs} (trust={TRUSTS[required]!r}), got {evidence!r}. "
        f"{adding} report_good() or `muscle-mem approve`.",
    )
