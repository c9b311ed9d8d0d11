"""The candidates that may start together, by preference, with an index over what they saw (D3)."""

from __future__ import annotations

from collections.abc import Sequence

from ..tools.check import Check
from .trajectory import Candidate, Trajectory

OPEN = ("fresh", "trusted")


class Company:
    """The candidates of some trajectories of one key, the preferred first. Nothing in it changes but its index.

    `free` says that each of them may start in every run that brings no params and asks for no trust, unless one of its
    tools fails of late. `lengths` are their numbers of steps, of which `longest` is the greatest. `before` is the
    company of the same trajectories as they were, whose index is taken over.
    """

    __slots__ = ("_checks", "_index", "_looks", "_part", "candidates", "free", "lengths", "longest", "trajectories")

    def __init__(self, trajectories: Sequence[Trajectory], before: Company | None = None) -> None:
        self.trajectories = trajectories
        self.free = bool(trajectories) and all(map(is_free, trajectories))
        self.lengths = frozenset(trajectory.length for trajectory in trajectories)
        self.longest = max(self.lengths, default=0)
        if len(trajectories) == 1:
            self.candidates: Sequence[Candidate] = trajectories[0].candidates
        else:
            found = [candidate for trajectory in trajectories for candidate in trajectory.candidates]
            found.sort(key=lambda candidate: (-candidate.seq, candidate.id))
            self.candidates = found
        self._index: dict[tuple[int, bool], dict[bytes, list[Candidate]]] = {}
        if before is not None and before.trajectories == trajectories:
            self._index = before._index
        self._part: Company | None = None
        self._looks: dict[tuple[int, bool], tuple[frozenset[object], bool]] = {}
        self._checks: dict[int, tuple[Check, ...]] = {}

    def __bool__(self) -> bool:
        return bool(self.trajectories)

    def part(self, trajectories: Sequence[Trajectory]) -> Company:
        """The company of some of these trajectories: made once, and kept while the same ones are asked for."""
        if trajectories == self.trajectories:
            return self
        part = self._part
        if part is None or part.trajectories != trajectories:
            part = self._part = Company(trajectories)
        return part

    def looks(self, place: int, post: bool) -> tuple[frozenset[object], bool]:
        """The different sights (`PlanStep.sight`) of all checks at a place, and whether each of these is exact."""
        known = self._looks.get((place, post))
        if known is None:
            steps = [one.steps[place] for one in self.trajectories if place < len(one.steps)]
            checks = [step.post if post else step.pre for step in steps]
            exact = all(check is not None and check.exact for check in checks)
            known = self._looks[(place, post)] = frozenset(step.sight(post) for step in steps), exact
        return known

    def checks(self, place: int) -> tuple[Check, ...]:
        """The different pre-checks that are asked at a place: of the steps there, and of groups that open with them."""
        known = self._checks.get(place)
        if known is None:
            plans = (one.steps for one in self.trajectories if place < len(one.steps))
            found = (steps[at].pre for steps in plans for at in (place, *steps[place].opens))
            known = self._checks[place] = tuple(dict.fromkeys(check for check in found if check is not None))
        return known

    def seen_as(self, place: int, post: bool, data: bytes) -> Sequence[Candidate]:
        """The candidates whose snapshot at a place is these bytes, whatever their calls, the preferred first."""
        index = self._index.get((place, post))
        if index is None:
            index = {}
            for candidate in self.candidates:
                snapshot = candidate.data(place, post) if place < len(candidate.trajectory.steps) else None
                if snapshot is not None:
                    index.setdefault(snapshot, []).append(candidate)
            self._index[(place, post)] = index  # whole, since other threads read it
        return index.get(data, ())


def is_free(trajectory: Trajectory) -> bool:
    """Whether nothing about the trajectory itself is in the way of a replay: all that could be known was looked at."""
    return trajectory.plain and trajectory.standing.state in OPEN and not trajectory.expired


NOBODY = Company(())
"""Where nothing was found."""
