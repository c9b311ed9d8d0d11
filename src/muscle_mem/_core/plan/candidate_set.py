"""The candidates that may start together, by preference, with an index over what they saw (D3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tools.check import Check
from .ready_trajectory import Candidate, ReadyTrajectory

REPLAYABLE_STATES = ("fresh", "trusted")


class CandidateSet:
    """The candidates of some trajectories of one key, the preferred first. Nothing in it changes but its index.

    `is_unrestricted` says that each of them may start in every run that brings no params and asks for no trust, unless
    one of its tools fails of late. `lengths` are their numbers of steps, of which `longest` is the greatest. `previous`
    is the set of the same trajectories as they were, whose index is taken over.
    """

    __slots__ = (
        "_capture_keys",
        "_checks_at",
        "_index",
        "_subset",
        "candidates",
        "is_unrestricted",
        "lengths",
        "longest",
        "trajectories",
    )

    def __init__(self, trajectories: Sequence[ReadyTrajectory], previous: CandidateSet | None = None) -> None:
        self.trajectories = trajectories
        self.is_unrestricted = bool(trajectories) and all(map(is_unrestricted, trajectories))
        self.lengths = frozenset(trajectory.length for trajectory in trajectories)
        self.longest = max(self.lengths, default=0)
        if len(trajectories) == 1:
            self.candidates: Sequence[Candidate] = _distinct(trajectories[0].candidates)
        else:
            found = [candidate for trajectory in trajectories for candidate in _distinct(trajectory.candidates)]
            found.sort(key=lambda candidate: (-candidate.seq, candidate.id))
            self.candidates = found
        self._index: dict[tuple[int, bool], dict[bytes, list[Candidate]]] = {}
        if previous is not None and previous.trajectories == trajectories:
            self._index = previous._index
        self._subset: CandidateSet | None = None
        self._capture_keys: dict[tuple[int, bool], tuple[frozenset[object], bool]] = {}
        self._checks_at: dict[int, tuple[Check, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.trajectories)

    def subset(self, trajectories: Sequence[ReadyTrajectory]) -> CandidateSet:
        """The set of some of these trajectories: made once, and kept while the same ones are asked for."""
        if trajectories == self.trajectories:
            return self
        part = self._subset
        if part is None or part.trajectories != trajectories:
            part = self._subset = CandidateSet(trajectories)
        return part

    def capture_keys(self, position: int, post: bool) -> tuple[frozenset[object], bool]:
        """The different `PlanStep.capture_key` of all checks at a position, and whether each of these is exact."""
        known = self._capture_keys.get((position, post))
        if known is None:
            steps = [trajectory.steps[position] for trajectory in self.trajectories if position < len(trajectory.steps)]
            checks = [step.post if post else step.pre for step in steps]
            exact = all(check is not None and check.is_equality for check in checks)
            known = self._capture_keys[(position, post)] = frozenset(step.capture_key(post) for step in steps), exact
        return known

    def checks_at(self, position: int) -> tuple[Check, ...]:
        """The different pre-checks that are asked at a place: of the steps there, and of groups that open with them."""
        known = self._checks_at.get(position)
        if known is None:
            plans = (trajectory.steps for trajectory in self.trajectories if position < len(trajectory.steps))
            found = (steps[at].pre for steps in plans for at in (position, *steps[position].opening_members))
            known = self._checks_at[position] = tuple(dict.fromkeys(check for check in found if check is not None))
        return known

    def with_snapshot(self, position: int, post: bool, data: bytes) -> Sequence[Candidate]:
        """The candidates whose snapshot at a position is these bytes, whatever their calls, the preferred first."""
        index = self._index.get((position, post))
        if index is None:
            index = {}
            for candidate in self.candidates:
                snapshot = (
                    candidate.stored_snapshot(position, post) if position < len(candidate.trajectory.steps) else None
                )
                if snapshot is not None:
                    index.setdefault(snapshot, []).append(candidate)
            self._index[(position, post)] = index  # whole, since other threads read it
        return index.get(data, ())


def _distinct(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the observations of a trajectory that differ in a snapshot; others differ in their witness only (E11)."""
    if len(candidates) < 2:
        return candidates
    found: dict[Any, Candidate] = {}
    for candidate in candidates:
        found.setdefault((candidate.row.pre, candidate.row.post), candidate)
    return list(found.values()) if len(found) < len(candidates) else candidates


def is_unrestricted(trajectory: ReadyTrajectory) -> bool:
    """Whether nothing about the trajectory itself is in the way of a replay: all that could be known was looked at."""
    conditions = trajectory.conditions
    if conditions is not None and conditions.restricts_start:
        return False
    return trajectory.is_unconditional and trajectory.standing.state in REPLAYABLE_STATES and not trajectory.is_expired


NO_CANDIDATES = CandidateSet(())
"""Where nothing was found."""
