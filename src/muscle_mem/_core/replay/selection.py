"""The live candidates of one run: which recording is followed, and when another may take its place (D2, D3)."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..plan.candidate_set import Company
from ..plan.step import PlanStep, Refusal
from ..plan.trajectory import Candidate, Trajectory
from ..run.effects import Effect
from ..run.run import Run
from ..tools.check import Check, copy_of
from .approval import disapproved
from .batch_compare import Answers
from .judge import Arguments, arguments_of, judge, keep_refreshed, look, snapshot_bytes, stale_guard, unbuildable

PLAIN = frozenset({str, int, bool, float, bytes, type(None)})


Sight = tuple[int, bool, Candidate, Any, bytes | None]
"""What was captured on the way, at a place, before or after it, and accepted by the candidate that was followed there:
its value, and its bytes where it could change. Many are kept at each hit, and hardly ever looked at."""


Sights = dict[object, Any]
"""What was captured at a place, or the refusal where a capture raised, by `PlanStep.sight`."""


class Walk:
    """The live candidates of one run, judged only as far as needed: one is followed, the others wait."""

    __slots__ = ("_answers", "_company", "_dead", "_judged", "live", "longest", "run", "sights", "trajectories")

    def __init__(self, run: Run, company: Company) -> None:
        self.run = run
        self.live = company.candidates
        self.trajectories = company.trajectories
        self.longest = company.longest
        self._company: Company | None = company
        self.sights: list[Sight] = []
        self._judged: dict[Candidate, int] = {}
        self._dead: set[Candidate] = set()
        self._answers = Answers()

    def saw(self, place: int, post: bool, by: Candidate, value: Any) -> None:
        """Keep what was captured and accepted on the way, for the candidates that have not been judged by it.

        As it is now: a capture may return a live object, which the next tool changes.
        """
        if type(value) in PLAIN:  # what cannot change is written when somebody asks
            self.sights.append((place, post, by, value, None))
        else:
            self.sights.append((place, post, by, copy_of(value), snapshot_bytes(value)))

    def guess(self, place: int, call: bytes, value: Any) -> Candidate | None:
        """A candidate of the same call whose snapshot equals what was captured: the first to be asked."""
        data = snapshot_bytes(value)
        if data is None or self._company is None:
            return None
        for candidate in self._company.seen_as(place, False, data):
            if candidate.trajectory.steps[place].call_id == call and candidate not in self._dead:
                return candidate
        return None

    def _equals(self, place: int, post: bool, data: bytes) -> Iterator[Candidate]:
        found = self._company.seen_as(place, post, data) if self._company is not None else ()
        return (candidate for candidate in found if candidate not in self._dead)

    def _accepts(self, candidate: Candidate, followed: Candidate, place: int) -> Generator[Effect, Any, bool]:
        """Whether a waiting candidate has the same executed calls and accepts all that was captured on the way."""
        if candidate is followed:
            return True
        ids = candidate.trajectory.ids
        if candidate.trajectory is not followed.trajectory and ids[:place] != followed.trajectory.ids[:place]:
            return False
        for index in range(place):
            if stale_guard(self.run, candidate.trajectory.steps[index], index) is not None:
                return False
        at = self._judged.get(candidate, 0)
        for number in range(at, len(self.sights)):
            place, post, by, value, data = self.sights[number]
            if candidate.data(place, post) == by.data(place, post):
                continue  # the very verdict that was given already
            if data is None:
                data = snapshot_bytes(value)
                self.sights[number] = (place, post, by, value, data)
            step = by.trajectory.steps[place]
            known = self._answers.of(self.run, step, value, place, post, candidate, self._waiting())
            found = yield from judge(self.run, step, value, candidate, place, post, data, shared=True, known=known)
            if found is not None:
                return False
        self._judged[candidate] = len(self.sights)
        return True

    def _order(self, place: int, post: bool, sights: Sights) -> Iterable[Candidate]:
        """Candidates by preference: equal snapshots first, then newest first. New sights are looked up as they come.

        Where a check is exact, who has another snapshot than was seen is not asked: the answer is known.
        """
        given: set[Candidate] = set()
        seen: dict[object, bytes | None] = {}
        waiting = iter(self.live)
        candidate: Candidate | None = None
        while True:
            while len(seen) < len(sights):
                call, value = next((call, value) for call, value in sights.items() if call not in seen)
                data = seen[call] = None if isinstance(value, Refusal) else snapshot_bytes(value)
                for equal in self._equals(place, post, data) if data is not None else ():
                    if equal not in given:
                        given.add(equal)
                        yield equal
            if candidate is None and self._all_settled(place, post, seen):
                return
            candidate = next(waiting, None)
            if candidate is None:
                return
            if candidate in given or candidate in self._dead or _settled(candidate.trajectory, place, post, seen):
                continue
            yield candidate

    def _all_settled(self, place: int, post: bool, seen: Mapping[object, bytes | None]) -> bool:
        if self._company is None:
            return all(_settled(trajectory, place, post, seen) for trajectory in self.trajectories)
        looks, exact = self._company.looks(place, post)
        return exact and all(seen.get(look) is not None for look in looks)

    def choose(
        self, place: int, followed: Candidate, sights: Sights, *, checked_only: bool = False
    ) -> Generator[Effect, Any, tuple[Candidate, Arguments] | Refusal | None]:
        """The candidate to follow at a place, its pre-check just passed; else the preferred one's refusal, if any.

        `sights` holds what this place has captured so far. With `checked_only` an unchecked step is no reason
        to go on.
        """
        refusal: Refusal | None = None
        if place >= self.longest:
            return None
        budget = self.run.policy.max_lookups
        judged = len(sights)  # the followed one was asked already
        for candidate in self._order(place, False, sights):
            if judged >= budget:
                break
            trajectory = candidate.trajectory
            if len(trajectory.steps) <= place or (checked_only and not checks_at(trajectory.steps, place)):
                continue
            if not (yield from self._accepts(candidate, followed, place)):
                self._dead.add(candidate)
                continue
            judged += 1
            step = trajectory.steps[place]
            stale = stale_guard(self.run, step, place)
            if stale is None:
                found = yield from self._try(step, candidate, place, sights, refusal is not None)
                if not isinstance(found, Refusal):
                    return candidate, found
                stale = found
            refusal = refusal or stale
            self._dead.add(candidate)
        return refusal

    def _try(
        self, step: PlanStep, candidate: Candidate, place: int, sights: Sights, brief: bool
    ) -> Generator[Effect, Any, Arguments | Refusal]:
        try:
            arguments = arguments_of(self.run, step)
        except Exception as error:
            return unbuildable(step, place, error)
        no = None if step.simple else (yield from disapproved(self.run, step, arguments, place))
        if no is not None or step.pre is None:
            return no or arguments
        key = step.sight(False)
        if key not in sights:
            sights[key] = yield from look(step, step.pre, arguments, place)
        value = sights[key]
        if isinstance(value, Refusal):
            return value
        known = self._answers.of(self.run, step, value, place, False, candidate, self._waiting())
        found = yield from judge(self.run, step, value, candidate, place, False, shared=True, known=known, brief=brief)
        if found is not None:
            return found
        self.saw(place, False, candidate, value)
        keep_refreshed(self.run, step.pre, place, False, value)
        return arguments

    def keep_only(self, followed: Candidate) -> None:
        """Nobody else may take over any more: an optional step was left out, which the others were not asked about."""
        self.live = [followed]
        self.trajectories = [followed.trajectory]
        self.longest = len(followed.trajectory.steps)
        self._company = None

    def retract(self, place: int, candidate: Candidate) -> None:
        """A candidate was refused after all, by a later check at the same place: what it has seen there is no one's."""
        self.sights = [sight for sight in self.sights if sight[0] < place]
        self.bury(candidate)

    def bury(self, candidate: Candidate) -> None:
        """A candidate that said no is not asked again at this place."""
        self._dead.add(candidate)

    def revive(self) -> None:
        """Ask the refused ones again: a check with `wait` looks once more."""
        self._dead.clear()

    def ended(self, place: int, followed: Candidate) -> Generator[Effect, Any, Candidate | None]:
        """A live candidate that ends at this place: the run is its hit."""
        if place != self.longest and self._company is not None and place not in self._company.lengths:
            return None
        for candidate in self.live:
            if len(candidate.trajectory.steps) == place and candidate not in self._dead:
                if (yield from self._accepts(candidate, followed, place)):
                    return candidate
                self._dead.add(candidate)
        return None

    def after(
        self, place: int, followed: Candidate, step: PlanStep, value: Any, made: int
    ) -> Generator[Effect, Any, Candidate | None]:
        """Another candidate with the same `made` calls, this step among them, whose post-check accepts `value`."""
        data = snapshot_bytes(value)
        for count, candidate in enumerate(self._order(place, True, {step.sight(True): value})):
            if count >= self.run.policy.max_lookups:
                break
            if candidate is followed or len(candidate.trajectory.steps) < made:
                continue
            if (yield from self._accepts(candidate, followed, made)):
                known = self._answers.of(self.run, step, value, place, True, candidate, self._waiting())
                if (
                    yield from judge(self.run, step, value, candidate, place, True, data, shared=True, known=known)
                ) is None:
                    return candidate
            self._dead.add(candidate)
        return None

    def checks(self, place: int) -> Sequence[Check]:
        """The pre-checks that are asked at a place."""
        if self._company is not None:
            return self._company.checks(place)
        plans = [trajectory.steps for trajectory in self.trajectories if place < len(trajectory.steps)]
        return [check for steps in plans for check in checks_at(steps, place)]

    def _waiting(self) -> Iterator[Candidate]:
        return (candidate for candidate in self.live if candidate not in self._dead)


def _settled(trajectory: Trajectory, place: int, post: bool, seen: Mapping[object, bytes | None]) -> bool:
    """Whether those who wait here cannot pass: a trajectory that ended, or an exact check of what was seen."""
    if place >= len(trajectory.steps):
        return True
    step = trajectory.steps[place]
    check = step.post if post else step.pre
    return check is not None and check.exact and seen.get(step.sight(post)) is not None


def checks_at(steps: Sequence[PlanStep], place: int) -> list[Check]:
    """The pre-checks that are asked at a place: of the step there, and of those that open a parallel group with it."""
    return [check for at in (place, *steps[place].opens) if (check := steps[at].pre) is not None]
