"""Notes for manual verdicts on a trajectory, for the API and the command line."""

from __future__ import annotations

from .._core.plan.trust import APPROVED, GOOD
from .base import QUARANTINED, TRUSTED, Note

__all__ = ["APPROVED", "BAD", "GOOD", "bad", "good"]

BAD = "reported bad"


def good(id: str, why: str = "", *, word: str = GOOD) -> Note:
    """Return a note that trusts a trajectory and lifts its quarantine.

    Args:
        id: The trajectory's id.
        why: The reason, which is stored after the word.
        word: The first part of the stored reason.
    """
    return Note(id=id, state=TRUSTED, reason=_reason(word, why), held=False, strikes=0, by_person=True)


def bad(id: str, why: str = "") -> Note:
    """Return a note that quarantines a trajectory until a person lifts the quarantine.

    Args:
        id: The trajectory's id.
        why: The reason, which is stored.
    """
    return Note(id=id, state=QUARANTINED, reason=_reason(BAD, why), held=True, failures=1, by_person=True)


def _reason(word: str, why: str) -> str:
    return f"{word}: {why}" if why else word
