"""Sets of candidates in order of preference, with an index of snapshots (D3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..tools.check import Check
from .ready_trajectory import Candidate, ReadyTrajectory
from .trust import trust_level

REPLAYABLE_STATES = ("fresh", "trusted")


class CandidateSet:
    """The candidates of some trajectories of one key, the preferred first.

    Only its index changes. `is_unrestricted` says that each of them may start in every run without params and without
    a required trust, unless one of its tools failed recently. `lengths` are their numbers of steps, of which `longest`
    is the greatest. `masked` are the (step, post?) with params in a snapshot. `previous` is the last set of the same
    trajectories, whose index is reused. `learning` derives what the trajectories prove together.
    """

    __slots__ = (
        "_capture_keys",
        "_checks_at",
        "_index",
        "_subset",
        "candidates",
        "detours",
        "has_several",
        "is_unrestricted",
        "learning",
        "lengths",
        "longest",
        "masked",
        "may_loop",
        "trajectories",
    )

    def __init__(self, trajectories: Sequence[ReadyTrajectory], previous: CandidateSet | None = None) -> None:
        self.trajectories = trajectories
        self.learning = trajectories[0].learning if trajectories else None
        self.may_loop = self.learning is not None and self.learning.may_loop
        self.is_unrestricted = bool(trajectories) and not self.may_loop and all(map(is_unrestricted, trajectories))
        self.lengths = frozenset(trajectory.length for trajectory in trajectories)
        self.longest = max(self.lengths, default=0)
        self.masked = frozenset[tuple[int, bool]]().union(*(trajectory.masked for trajectory in trajectories))
        if len(trajectories) == 1:
            self.candidates: Sequence[Candidate] = _distinct(trajectories[0].candidates)
        else:
            found = [candidate for trajectory in trajectories for candidate in _distinct(trajectory.candidates)]
            found.sort(key=lambda candidate: (-candidate.seq, candidate.id))
            self.candidates = found
        self.candidates, self.detours = _behind_what_they_went_around(self.candidates)
        self.has_several = len(self.candidates) > 1
        self._index: dict[tuple[int, bool], dict[bytes, list[Candidate]]] = {}
        if previous is not None and previous.trajectories == trajectories:
            self._index = previous._index
        self._subset: CandidateSet | None = None
        self._capture_keys: dict[tuple[int, bool], tuple[frozenset[object], bool]] = {}
        self._checks_at: dict[int, tuple[Check, ...]] = {}

    def leave_loops(self) -> None:
        """Note that the recordings prove no loop."""
        self.may_loop = False
        self.is_unrestricted = all(map(is_unrestricted, self.trajectories))

    def __bool__(self) -> bool:
        return bool(self.trajectories)

    def subset(self, trajectories: Sequence[ReadyTrajectory]) -> CandidateSet:
        """Return the set of some of these trajectories.

        The last one is kept, and returned again for the same trajectories.
        """
        if trajectories == self.trajectories:
            return self
        part = self._subset
        if part is None or part.trajectories != trajectories:
            part = self._subset = CandidateSet(trajectories)
        return part

    def capture_keys(self, position: int, post: bool) -> tuple[frozenset[object], bool]:
        """Return the capture keys of all checks at a position, and whether all are exact.

        See `PlanStep.capture_key`. A check without a compare is exact, unless params are in its snapshots.
        """
        known = self._capture_keys.get((position, post))
        if known is None:
            steps = [trajectory.steps[position] for trajectory in self.trajectories if position < len(trajectory.steps)]
            checks = [step.post if post else step.pre for step in steps]
            exact = (position, post) not in self.masked
            exact = exact and all(check is not None and check.is_equality for check in checks)
            known = self._capture_keys[(position, post)] = frozenset(step.capture_key(post) for step in steps), exact
        return known

    def checks_at(self, position: int) -> tuple[Check, ...]:
        """Return the distinct pre-checks at a position, with those of opening groups."""
        known = self._checks_at.get(position)
        if known is None:
            plans = (trajectory.steps for trajectory in self.trajectories if position < len(trajectory.steps))
            found = (steps[at].pre for steps in plans for at in (position, *steps[position].opening_members))
            known = self._checks_at[position] = tuple(dict.fromkeys(check for check in found if check is not None))
        return known

    def with_snapshot(self, position: int, post: bool, data: bytes) -> Sequence[Candidate]:
        """Return the candidates with this snapshot at a position, the preferred first.

        Their calls may differ.
        """
        index = self._index.get((position, post))
        if index is None:
            index = {}
            for candidate in self.candidates:
                snapshot = (
                    candidate.stored_snapshot(position, post) if position < len(candidate.trajectory.steps) else None
                )
                if snapshot is not None:
                    index.setdefault(snapshot, []).append(candidate)
            # Other threads read the index, so it is published only when it is complete.
            self._index[(position, post)] = index
        return index.get(data, ())


def _distinct(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the observations of a trajectory that differ in a snapshot.

    The others differ only in their witness (E11).
    """
    if len(candidates) < 2:
        return candidates
    found: dict[Any, Candidate] = {}
    for candidate in candidates:
        seen = candidate.row.pre, candidate.row.post
        if seen not in found or (found[seen].row.refused and not candidate.row.refused):
            found[seen] = candidate  # A recording that went around nothing takes the mark of a detour away (D3).
    return list(found.values()) if len(found) < len(candidates) else candidates


def _behind_what_they_went_around(
    candidates: Sequence[Candidate],
) -> tuple[Sequence[Candidate], frozenset[Candidate]]:
    """Return candidates with each detour behind its observation, and detours (D3).

    A detour is behind the observation that it went around. `candidates` are the newest first. Within the ways around
    one observation, the oldest comes first.
    """
    if not any(candidate.row.refused for candidate in candidates):
        return candidates, frozenset()
    by_id = {
        candidate.id: candidate
        for candidate in candidates
        if candidate.trajectory.standing.state in REPLAYABLE_STATES and not candidate.trajectory.is_expired
    }
    roots = {candidate: _root_of(candidate, by_id) for candidate in candidates}

    def rank(candidate: Candidate) -> tuple[int, str, bool, int, str]:
        root = roots[candidate]
        return -root.seq, root.id, candidate is not root, candidate.seq, candidate.id

    detours = frozenset(candidate for candidate, root in roots.items() if candidate is not root)
    return sorted(candidates, key=rank), detours


def _root_of(candidate: Candidate, by_id: Mapping[str, Candidate]) -> Candidate:
    """Return the observation that a detour went around in the end.

    It is one of those that may still be replayed.
    """
    met = {candidate}
    while not is_taught(candidate):
        around = next((by_id[id] for id in candidate.row.refused if id in by_id), None)
        if around is None or around in met:
            break
        met.add(around)
        candidate = around
    return candidate


def is_taught(candidate: Candidate) -> bool:
    """Return whether a recording is preferred by its own age.

    It went around nothing, or a person approved it.
    """
    return not candidate.row.refused or trust_level(candidate.trajectory.standing) == 2


def is_unrestricted(trajectory: ReadyTrajectory) -> bool:
    """Return whether nothing about the trajectory itself prevents a replay."""
    conditions = trajectory.conditions
    if trajectory.stop is not None or (conditions is not None and conditions.restricts_start):
        return False
    return trajectory.is_unconditional and trajectory.standing.state in REPLAYABLE_STATES and not trajectory.is_expired


NO_CANDIDATES = CandidateSet(())
"""The set of a key without recordings."""
