"""What a person says of a trajectory, as a note: the same from Python and from the command line."""

from __future__ import annotations

from .._core.plan.trust import APPROVED, GOOD
from .base import QUARANTINED, TRUSTED, Note

__all__ = ["APPROVED", "BAD", "GOOD", "bad", "good"]

BAD = "reported bad"


def good(id: str, why: str = "", *, word: str = GOOD) -> Note:
    """Trust it after a review, and lift its quarantine."""
    return Note(id=id, state=TRUSTED, reason=_reason(word, why), held=False, strikes=0, by_person=True)


def bad(id: str, why: str = "") -> Note:
    """Quarantine it until a person says otherwise."""
    return Note(id=id, state=QUARANTINED, reason=_reason(BAD, why), held=True, failures=1, by_person=True)


def _reason(word: str, why: str) -> str:
    return f"{word}: {why}" if why else word
