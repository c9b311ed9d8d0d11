"""Notes for manual verdicts on a trajectory, for the API and the command line."""

from __future__ import annotations

import msgspec

from .._core.plan.trust import APPROVED, GOOD, IMPORTED, is_pending
from .base import QUARANTINED, TRUSTED, Note, Standing

__all__ = ["APPROVED", "BAD", "GOOD", "IMPORTED", "bad", "good", "is_pending", "unapproved"]

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


def unapproved(standing: Standing) -> Standing:
    """Return the standing of a recording from elsewhere, before its approval.

    It is quarantined. A quarantine from where it was recorded stays in its reason, and so does a person's hold.

    Args:
        standing: The standing where it was recorded.
    """
    if is_pending(standing):
        return standing
    why = standing.reason if standing.state == QUARANTINED else "review it, then approve it"
    held = standing.held and standing.state == QUARANTINED
    return msgspec.structs.replace(standing, state=QUARANTINED, reason=_reason(IMPORTED, why), held=held, strikes=0)


def _reason(word: str, why: str) -> str:
    return f"{word}: {why}" if why else word
