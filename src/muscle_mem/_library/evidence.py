"""Notes that change the standing of a trajectory after a run (D6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from .._core.model.reason import Reason
from .._core.plan.answers import brings_answers
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.plan.trust import EXPIRED, IMPORTED, IN_A_ROW, SUCCESS, TWICE, trust_level
from .._core.run.recorder import Problem, Recording
from ..store.base import FRESH, QUARANTINED, RETIRED, TRUSTED, Note, Standing

MAX_PARENTS = 8
"""Recordings that are kept of a task whose values vary."""

UNUSED_ROWS = (Reason.FAILED_WRITE.value, IMPORTED)
"""Reasons of quarantines that one's own recording of the same calls lifts, but only for itself."""

MAX_WITNESSES = 8
"""Observations of a trajectory with equal snapshots that are kept."""


def recorded_again_note(
    id: str, known: Standing, accepted: bool, *, alone: bool, in_a_row: bool = False
) -> Note | None:
    """Return the note for another agent run of the same calls, if there is one.

    `alone` is false if the run began with a replay. Its steps are then no evidence for the trajectory. `in_a_row` is
    true if the previous recording of these tools had the same calls, too (E7).
    """
    if accepted:
        reason = known.reason if trust_level(known) == 2 else SUCCESS
        return Note(id=id, state=TRUSTED, reason=reason, held=False, strikes=0, by_person=True)
    if known.held or not alone:
        return None
    if known.state in (QUARANTINED, RETIRED):
        return Note(id=id, state=FRESH, reason="", strikes=0)
    reason = known.reason if known.state == TRUSTED and not known.reason.startswith(TWICE) else TWICE
    if in_a_row and reason == TWICE:
        reason = IN_A_ROW
    return Note(id=id, state=TRUSTED, reason=reason, strikes=0)


def accepted_note(trajectory: ReadyTrajectory) -> Note | None:
    """Return the note for a replay that the success callback accepted.

    Only the first positive verdict makes a note.
    """
    if trust_level(trajectory.standing) > 0:
        return None
    return Note(id=trajectory.id, state=TRUSTED, reason=SUCCESS, strikes=0, by_person=True)


def failed_note(trajectory: ReadyTrajectory, failure: Problem) -> Note:
    """Return the note for a replay whose failure counts.

    Two failures in a row quarantine the trajectory. A failed post-check after a write does so immediately.
    """
    strikes = trajectory.standing.strikes + 1
    after = failure.reason in (Reason.POST_CHECK_REFUSED, Reason.CHECK_ERROR)
    reads = all(step.tool.is_read_only for step in trajectory.steps if step.tool.name == failure.tool)
    note = Note(id=trajectory.id, failures=1, strikes=strikes)
    if strikes < 2 and not (after and not reads):
        return note
    return msgspec.structs.replace(
        note,
        state=QUARANTINED,
        reason=f"{failure.reason.value}: {failure.message}",
        held=failure.reason is Reason.UNSUCCESSFUL,
    )


def unapproved(problems: Sequence[Problem], known: Standing | None) -> list[Problem]:
    """Return the problems that quarantine a recording (P3).

    A person who approved the same calls has approved where their values came from.
    """
    is_approved = known is not None and trust_level(known) == 2
    return [one for one in problems if not (is_approved and one.reason is Reason.UNTRUSTED_VALUE)]


def held_note(id: str, problems: Sequence[Problem]) -> Note | None:
    """Return the note that holds a recording until it is approved, if any (P3)."""
    if all(one.reason is not Reason.UNTRUSTED_VALUE for one in problems):
        return None
    reason = f"{problems[0].reason.value}: {problems[0].message}"
    return Note(id=id, state=QUARANTINED, reason=reason, held=True, strikes=0, by_person=True)


def late_call_note(id: str, message: str) -> Note:
    """Return the note for a tool call that came after the recording was made."""
    return Note(id=id, state=QUARANTINED, reason=f"{Reason.LATE_CALL.value}: {message}")


def quarantine_note(id: str, problem: Problem) -> Note:
    """Return the note that quarantines a trajectory without counting a failure.

    One agent run of the same calls lifts it.
    """
    return Note(id=id, state=QUARANTINED, reason=f"{problem.reason.value}: {problem.message}", held=False)


def expired_note(id: str) -> Note:
    """Return the note that retires an expired trajectory.

    The trajectory stays expired if the clock is set back.
    """
    return Note(id=id, state=RETIRED, reason=EXPIRED)


def has_enough_witnesses(trajectories: Iterable[ReadyTrajectory], recording: Recording) -> bool:
    """Return whether another witness of a known row proves nothing new (E11, E12)."""
    row = recording.row
    if row.witness is None or recording.body.order:
        return False
    known = next((trajectory for trajectory in trajectories if trajectory.id == recording.id), None)
    if known is None:
        return False
    same = [other.id for other in known.candidates if (other.row.pre, other.row.post) == (row.pre, row.post)]
    if len(same) < MAX_WITNESSES or recording.observation_id in same:
        return False
    return not brings_answers(known, row) and (row.result < 0 or row.result == known.candidates[0].row.result)


def is_latest(trajectories: Iterable[ReadyTrajectory], id: str) -> bool:
    """Return whether a trajectory is the latest recording of its tools.

    `trajectories` are newest first.
    """
    trajectories = list(trajectories)
    tools = next((_tools_of(trajectory) for trajectory in trajectories if trajectory.id == id), None)
    return next((trajectory.id == id for trajectory in trajectories if _tools_of(trajectory) == tools), False)


def _tools_of(trajectory: ReadyTrajectory) -> tuple[str, ...]:
    return tuple(step.tool.name for step in trajectory.steps)


def surplus(trajectories: Iterable[ReadyTrajectory]) -> tuple[str, ...]:
    """Return a task's oldest recordings beyond those kept as evidence (E7).

    The values of such a task vary.
    """
    varying = [trajectory for trajectory in trajectories if trajectory.stop is not None]
    varying.sort(key=lambda trajectory: -trajectory.seq)
    return tuple(trajectory.id for trajectory in varying[MAX_PARENTS:] if trust_level(trajectory.standing) < 2)
