"""The candidates that may start together, by preference, with an index over what they saw (D3)."""

from __future__ import annotations

from collections.abc import Sequence

from .plan import Candidate, Trajectory


class Company:
    """The candidates of some trajectories of one key, the preferred first. Nothing in it changes but its index."""

    __slots__ = ("_index", "candidates", "trajectories")

    def __init__(self, trajectories: list[Trajectory]) -> None:
        self.trajectories = trajectories
        if len(trajectories) == 1:
            self.candidates: Sequence[Candidate] = trajectories[0].candidates
        else:
            found = [candidate for trajectory in trajectories for candidate in trajectory.candidates]
            found.sort(key=lambda candidate: (-candidate.seq, candidate.id))
            self.candidates = found
        self._index: dict[tuple[int, bool], dict[bytes, list[Candidate]]] = {}

    def __bool__(self) -> bool:
        return bool(self.candidates)

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


def company_of(trajectories: list[Trajectory]) -> Company:
    """The company of these trajectories: made once, and kept with the first of them."""
    first = trajectories[0]
    known: Company | None = first.company
    if known is None or known.trajectories != trajectories:
        known = first.company = Company(trajectories)
    return known
